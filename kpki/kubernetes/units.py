"""The texts of a systemd service's unit and drop-ins → commands, variables, environment files.

Source: systemd 252, systemd.unit(5), systemd.service(5), systemd.syntax(7);
src/shared/conf-parser.c, src/core/load-fragment.c, src/shared/specifier.c.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from .words import BLANKS, Word, expand, is_variable, split_words, written_words

# The folders of units; the first that has a unit wins (systemd.unit(5), "System Unit Search Path").
FOLDERS = ("etc/systemd/system.control", "run/systemd/system.control", "run/systemd/transient",
           "run/systemd/generator.early", "etc/systemd/system", "etc/systemd/system.attached",
           "run/systemd/system",
           "run/systemd/system.attached", "run/systemd/generator", "usr/local/lib/systemd/system",
           "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/generator.late")
_LINE_ENDS = re.compile("\r\n|\n\r|[\n\r\0]")
_SPECIFIER = re.compile("%(.)", re.DOTALL)
# The values of a system service; kpki itself uses no folder of these.
_SPECIFIERS = {"%": "%", "H": "", "l": "", "m": "", "C": "/var/cache", "E": "/etc",
               "L": "/var/log", "S": "/var/lib", "t": "/run",
               "T": "/tmp", "V": "/var/tmp",    # noqa: S108
               "h": "/root", "s": "/bin/sh", "u": "root", "U": "0", "g": "root", "G": "0"}
# Some units start a container in ExecStartPre, and follow the container's log in ExecStart.
_STARTS = ("ExecStart", "ExecStartPre")


class ServiceCommand(NamedTuple):
    """One command of a service."""

    words: tuple[Word, ...]
    expanded: bool = True
    """Whether systemd expands variables in the words."""


class Service(NamedTuple):
    """A unit together with its drop-ins (systemd.exec(5))."""

    name: str
    """The unit's name."""
    commands: tuple[ServiceCommand, ...]
    """The commands in the order in which they may start a component."""
    environment: Mapping[str, Word]
    environment_files: tuple[tuple[str, bool, str], ...]
    """(path as written, whether the file may be absent, the unit or drop-in that names it)."""
    folder: str = "/"
    """The working directory."""
    user: str = ""
    """The user that runs the commands; "" if the unit names none."""

    @property
    def unit(self) -> str:
        """The name without `.service`, as systemctl takes it."""
        return self.name.removesuffix(".service")

    def words(self, command: ServiceCommand, environment: Mapping[str, Word]) -> list[Word]:
        """The words of a command with the values of variables, except in the program's name."""
        words = list(command.words)
        return words[:1] + expand(words[1:], environment) if command.expanded else words


def read_assignments(text: str) -> Iterator[tuple[str, str, str]]:
    """Each (section, name, value) of a unit, in order, without text outside of sections."""
    section, open_line = "", None
    for written in _LINE_ENDS.split(text.removeprefix("\ufeff")):
        if written.lstrip(BLANKS).startswith(("#", ";")):
            continue
        line = written if open_line is None else open_line + written
        if len(line) - len(line.rstrip("\\")) & 1:
            open_line = line[:-1] + " "
            continue
        open_line = None
        yield from _assignment(section, line)
        section = _section(line) or section
    if open_line is not None:
        yield from _assignment(section, open_line)


def _section(line: str) -> str:
    line = line.strip(BLANKS)
    return line[1:-1] if line.startswith("[") and line.endswith("]") else ""


def _assignment(section: str, line: str) -> Iterator[tuple[str, str, str]]:
    name, equals, value = line.strip(BLANKS).partition("=")
    if section and equals and not name.startswith("["):
        yield section, name.strip(BLANKS), value.strip(BLANKS)


def read_service(texts: Sequence[tuple[str, str]], specifiers: Mapping[str, str]) -> Service:
    """The service of a unit and its drop-ins; *texts* are (source, text) in systemd's order."""
    specifiers = {**_SPECIFIERS, **specifiers}

    def filled(word: str) -> str:
        return _SPECIFIER.sub(lambda found: specifiers.get(found[1], found[0]), word)

    commands: dict[str, list[ServiceCommand]] = {name: [] for name in _STARTS}
    environment: dict[str, Word] = {}
    files: list[tuple[str, bool, str]] = []
    folder, user = "/", ""
    for source, text in texts:
        for section, name, value in read_assignments(text):
            if section != "Service":
                continue
            if name in commands:
                more = _commands(value, source, filled)
                commands[name] = [*commands[name], *more] if value else []
            elif name == "Environment":
                environment = environment | _variables(value, source, filled) if value else {}
            elif name == "EnvironmentFile":
                path = filled(value.removeprefix("-"))
                files = [*files, (path, value.startswith("-"), source)] if value else []
            elif name == "User":
                user = filled(value)
            elif name == "WorkingDirectory":
                path = filled(value.removeprefix("-"))
                folder = {"": "/", "~": "/root"}.get(path, path)
    ordered = tuple(command for name in _STARTS for command in reversed(commands[name]))
    return Service(specifiers.get("n", ""), ordered, environment, tuple(files), folder, user)


def _commands(value: str, source: str, filled: Callable[[str], str]) -> list[ServiceCommand]:
    """The commands of one line, separated by a lone `;`; none if systemd refuses the line."""
    parts: list[list[str]] = [[]]
    try:
        for word, written in written_words(value, relaxed=True):
            if written == ";":
                parts.append([])
            else:
                parts[-1].append(filled(";" if written == "\\;" else word))
    except ValueError:
        parts.pop()
    return [_command(words, source) for words in parts if words]


def _command(words: Sequence[str], source: str) -> ServiceCommand:
    program, prefix, left = words[0], "", "-@:+!!"      # each prefix counts once
    while program and program[0] in left:
        prefix, left, program = prefix + program[0], left.replace(program[0], "", 1), program[1:]
    arguments = words[2:] if "@" in prefix else words[1:]       # with @, the second word is argv[0]
    return ServiceCommand(tuple(Word(argument, source) for argument in (program, *arguments)),
                          ":" not in prefix)


def _variables(value: str, source: str, filled: Callable[[str], str]) -> dict[str, Word]:
    """The variables of one Environment= line, up to the first word that systemd refuses."""
    found: dict[str, Word] = {}
    with suppress(ValueError):
        for word in split_words(value):
            if is_variable(assignment := filled(word)):
                name, _, text = assignment.partition("=")
                found[name] = Word(text, source)
    return found
