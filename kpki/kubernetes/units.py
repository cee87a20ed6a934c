"""What a systemd service says: text of its unit and its drop-ins → commands, variables, environment files.

Source: systemd 252, systemd.unit(5), systemd.service(5), systemd.syntax(7); src/shared/conf-parser.c,
src/core/load-fragment.c, src/shared/specifier.c.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from .words import BLANKS, Word, expand, is_variable, split_words, written_words

# Where units lie, first found wins whole (systemd.unit(5), "System Unit Search Path").
FOLDERS = ("etc/systemd/system.control", "run/systemd/system.control", "run/systemd/transient",
           "run/systemd/generator.early", "etc/systemd/system", "etc/systemd/system.attached", "run/systemd/system",
           "run/systemd/system.attached", "run/systemd/generator", "usr/local/lib/systemd/system",
           "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/generator.late")
_LINE_ENDS = re.compile("\r\n|\n\r|[\n\r\0]")
_SPECIFIER = re.compile("%(.)", re.DOTALL)
_SPECIFIERS = {"%": "%", "H": "", "l": "", "m": "", "C": "/var/cache", "E": "/etc", "L": "/var/log", "S": "/var/lib",
               "T": "/tmp", "V": "/var/tmp", "t": "/run", "h": "/root", "s": "/bin/sh", "u": "root", "U": "0",
               "g": "root", "G": "0"}
_STARTS = ("ExecStart", "ExecStartPre")     # some units start a container in the second and follow its log in the first


class Command(NamedTuple):
    """One command of a service: its *words*, and whether variables in them are *expanded*."""

    words: tuple[Word, ...]
    expanded: bool = True


class Service(NamedTuple):
    """What the unit *name* says with its drop-ins: *commands* in the order in which they may start a component.

    *environment_files* are (path as written, whether it may be absent, the file that says so); *folder* is the
    working directory, *user* who runs the commands, "" if nothing says so (systemd.exec(5)).
    """

    name: str
    commands: tuple[Command, ...]
    environment: Mapping[str, Word]
    environment_files: tuple[tuple[str, bool, str], ...]
    folder: str = "/"
    user: str = ""

    def words(self, command: Command, environment: Mapping[str, Word]) -> list[Word]:
        """The words of a command; the program itself is never a variable."""
        words = list(command.words)
        return words[:1] + expand(words[1:], environment) if command.expanded else words


def read_assignments(text: str) -> Iterator[tuple[str, str, str]]:
    """Each (section, name, value) of a unit, in order; comments and what stands outside of a section left out."""
    section, open_line = "", None
    for line in _LINE_ENDS.split(text.removeprefix("\ufeff")):
        if line.lstrip(BLANKS).startswith(("#", ";")):
            continue
        line = line if open_line is None else open_line + line
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
    """What a unit and its drop-ins say together: *texts* are (source, text) in systemd's order."""
    specifiers = {**_SPECIFIERS, **specifiers}

    def filled(word: str) -> str:
        return _SPECIFIER.sub(lambda found: specifiers.get(found[1], found[0]), word)

    commands: dict[str, list[Command]] = {name: [] for name in _STARTS}
    environment: dict[str, Word] = {}
    files: list[tuple[str, bool, str]] = []
    folder, user = "/", ""
    for source, text in texts:
        for section, name, value in read_assignments(text):
            if section != "Service":
                continue
            if name in commands:
                commands[name] = [*commands[name], *_commands(value, source, filled)] if value else []
            elif name == "Environment":
                environment = environment | _variables(value, source, filled) if value else {}
            elif name == "EnvironmentFile":
                files = [*files, (filled(value.removeprefix("-")), value.startswith("-"), source)] if value else []
            elif name == "User":
                user = filled(value)
            elif name == "WorkingDirectory":
                folder = {"": "/", "~": "/root"}.get(said := filled(value.removeprefix("-")), said)
    ordered = tuple(one for name in _STARTS for one in reversed(commands[name]))
    return Service(specifiers.get("n", ""), ordered, environment, tuple(files), folder, user)


def _commands(value: str, source: str, filled: Callable[[str], str]) -> list[Command]:
    """The commands of one line, which a lone `;` separates; none from a line that systemd refuses."""
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


def _command(words: Sequence[str], source: str) -> Command:
    program, prefix, left = words[0], "", "-@:+!!"      # each prefix counts once
    while program and program[0] in left:
        prefix, left, program = prefix + program[0], left.replace(program[0], "", 1), program[1:]
    arguments = words[2:] if "@" in prefix else words[1:]       # with @ the second word is the name it goes by
    return Command(tuple(Word(one, source) for one in (program, *arguments)), ":" not in prefix)


def _variables(value: str, source: str, filled: Callable[[str], str]) -> dict[str, Word]:
    """The variables of one Environment= line, up to the first word that systemd cannot read."""
    found: dict[str, Word] = {}
    with suppress(ValueError):
        for word in split_words(value):
            if is_variable(assignment := filled(word)):
                name, _, text = assignment.partition("=")
                found[name] = Word(text, source)
    return found
