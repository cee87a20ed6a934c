"""An openssl configuration file: text → sections of settings, as OpenSSL 3.0 reads config(5)."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..errors import ConfigurationError, InputError

DEFAULT_SECTION = "default"
_KEY_CHARACTERS = re.compile(r"[A-Za-z0-9_!.%&*+,/;?@^~|-]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]*")
_VARIABLE_NAME_WITH_DOLLAR = re.compile(r"[A-Za-z0-9_$]*")
_BLANKS = " \t\n\r"
_BYTE_ORDER_MARK = "\ufeff"      # openssl ignores the mark before the first line, and nowhere else
_QUOTES = "\"'`"
_CONTROL = {"n": "\n", "r": "\r", "b": "\b", "t": "\t"}
_ORDINARY = re.compile(r"[^\\$\"'`]+")
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_NO_COMMENT = re.compile(r"[^#\\\"'`]+")
_QUOTED = {quote: re.compile(rf"[^\\{quote}]+") for quote in _QUOTES}
_LONGEST = 1 << 20          # characters of a configuration
_LONGEST_VALUE = 65536
_MOST_EXPANDED = 1 << 25    # characters that the variables of a file may stand for in all
_LONGEST_SHOWN = 100        # characters of a line in a message: a file may be one long line
_DEEPEST_INCLUDE = 20
_MOST_INCLUDED = 1000       # files: two that name each other twice would never end

Include = Callable[[str], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Setting:
    r"""One `key = value` of a section; variables in the value are expanded.

    >>> setting = kpki.parse_config("[req]\ndefault_bits = 2048").find("req", "default_bits")
    >>> setting.value, setting.line
    ('2048', 2)
    """

    key: str
    """The name before the equals sign."""
    value: str
    """The text after the equals sign."""
    line: int = 0
    """The number of the setting's last line, from 1; 0 if the setting comes from no file."""
    source: str = ""
    """The name of the included file, "" for the configuration itself."""

    @property
    def place(self) -> str:
        """Internal: the setting's line, for a message; "" if the setting comes from no file."""
        return _place(self.line, self.source)


def _place(line: int, source: str) -> str:
    return (f"line {line}" + (f" of {source}" if source else "") + ": ") if line else ""


@contextmanager
def located(setting: Setting) -> Iterator[None]:
    """Give an InputError that is raised inside the block the setting's line and text.

    The error becomes a ConfigurationError, unless *setting* has no line. An error that has a line
    already is unchanged.
    """
    try:
        yield
    except ConfigurationError:
        raise
    except InputError as error:
        message = f"{setting.place}{setting.key} = {setting.value}: {error.message}"
        if not setting.line:
            raise InputError(message, hint=error.hint) from None
        raise ConfigurationError(message, line=setting.line, hint=error.hint) from None


@dataclass(frozen=True)
class Config:
    r"""A configuration as it was read: sections, each with its settings.

    >>> config = kpki.parse_config("[req]\ndefault_bits = 2048")
    >>> config.get("req", "default_bits"), config.settings("ca")
    ('2048', None)
    """

    sections: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    """Section name → the settings in effect, in order."""
    overridden: tuple[tuple[str, Setting], ...] = ()
    """(section, setting) for each setting that a later one of the same key replaced."""
    settled: dict[Setting, object] = field(default_factory=dict, init=False, compare=False,
                                           repr=False)
    """Internal: the extensions that settings are known to make (extensions/context.py)."""

    def __repr__(self) -> str:      # a value may be a passphrase (input_password)
        return f"Config(sections {', '.join(self.sections) or 'none'})"

    def settings(self, section: str) -> tuple[Setting, ...] | None:
        """The settings of a section in order, None if the section is absent (NCONF_get_section)."""
        return self.sections.get(section)

    def find(self, section: str, key: str) -> Setting | None:
        """The setting *key* of *section*, of the default section, or None (NCONF_get_string)."""
        for name in (section, DEFAULT_SECTION):
            for setting in self.sections.get(name, ()):
                if setting.key == key:
                    return setting
        return None

    def get(self, section: str, key: str) -> str | None:
        """The value that `find` finds, or None."""
        setting = self.find(section, key)
        return setting.value if setting else None


def parse_config(text: str, *, environment: Mapping[str, str] | None = None,
                 read: Include | None = None) -> Config:
    r"""Read a configuration, as openssl reads the text of `-config` and `-extfile`.

    *environment* holds the variables that `$ENV::NAME` stands for; by default there are none.
    *read* turns the name in an `.include` into the (name, text) of each file that the name stands
    for, none if the file is missing. Without *read* an `.include` is refused. Raises
    ConfigurationError, with the line and openssl's own words.

    >>> kpki.parse_config("[req]\ndefault_bits = 2048").get("req", "default_bits")
    '2048'
    """
    return _Reader(environment or {}, read).config(text)


class _Reader:
    def __init__(self, environment: Mapping[str, str], read: Include | None) -> None:
        self.environment = environment
        self.read = read
        self.sections: dict[str, dict[str, Setting]] = {DEFAULT_SECTION: {}}
        self.overridden: list[tuple[str, Setting]] = []
        self.section = DEFAULT_SECTION
        self.dollar_in_names = False
        self.absolute_includes = False
        self.include_folder = ""
        self.depth = self.included = self.expanded = self.length = 0

    def config(self, text: str) -> Config:
        self.lines(text.removeprefix(_BYTE_ORDER_MARK), "")
        return Config({name: tuple(settings.values()) for name, settings in self.sections.items()},
                      tuple(self.overridden))

    def lines(self, text: str, source: str) -> None:
        self.length += len(text)
        if self.length > _LONGEST:
            raise ConfigurationError(
                f"the configuration has more than {_LONGEST} characters, with the files that it "
                f"includes: kpki reads no more than {_LONGEST}")
        for number, written in _logical_lines(text):
            line = _without_comment(written).strip(_BLANKS)
            if not line:
                continue
            try:
                if line[0] == "[":
                    self.section = self.expand(_section_name(line), DEFAULT_SECTION)
                    self.sections.setdefault(self.section, {})
                else:
                    self.setting(line, number, source)
            except ConfigurationError as error:
                if not error.line:
                    text = line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "…"
                    error.message = f"{_place(number, source)}{text}: {error.message}"
                    error.line = number
                raise

    def setting(self, line: str, number: int, source: str) -> None:
        end = _key_end(line, 0)
        section, key = self.section, line[:end]
        if line.startswith("::", end):
            start, end = end + 2, _key_end(line, end + 2)
            section, key = key, line[start:end]
        rest = line[end:].lstrip(_BLANKS)
        for directive, act in ((".pragma", self.pragma), (".include", self.include)):
            if key.startswith(directive) and (key != directive or rest != line[end:]
                                              or rest.startswith("=")):
                act(rest[1:].strip(_BLANKS) if rest.startswith("=") else rest)
                return
        if line.startswith(_BYTE_ORDER_MARK):
            raise ConfigurationError("the line begins with a byte order mark (U+FEFF)",
                                     hint="remove the byte order mark from the file")
        if not rest.startswith("="):
            raise ConfigurationError("missing equal sign")
        value = self.expand(rest[1:].strip(_BLANKS), section)
        settings = self.sections.setdefault(section, {})
        if key in settings:
            self.overridden.append((section, settings.pop(key)))
        settings[key] = Setting(key, value, number, source)

    def pragma(self, text: str) -> None:
        keyword, colon, value = text.partition(":")
        keyword, value = keyword.strip(_BLANKS), value.strip(_BLANKS)
        if not (keyword and colon and value):
            raise ConfigurationError("invalid pragma")
        if keyword == "dollarid":
            self.dollar_in_names = _pragma_switch(value)
        elif keyword == "abspath":
            self.absolute_includes = _pragma_switch(value)
        elif keyword == "includedir":
            self.include_folder = value

    def include(self, text: str) -> None:
        name = self.expand(text, self.section)
        if not name.startswith("/"):
            if self.absolute_includes:
                raise ConfigurationError("relative path")
            folder = self.environment.get("OPENSSL_CONF_INCLUDE", self.include_folder)
            name = f"{folder}/{name}" if folder else name
        if self.read is None:
            raise ConfigurationError(f".include {name} is not supported in this text",
                                     hint=f"put the lines of {name} in place of .include")
        if self.depth == _DEEPEST_INCLUDE:
            raise ConfigurationError(f".include {name} is nested {_DEEPEST_INCLUDE} deep")
        self.depth += 1
        for source, content in self.read(name):
            self.included += 1
            if self.included > _MOST_INCLUDED:
                raise ConfigurationError(
                    f".include {name} exceeds the {_MOST_INCLUDED} files that kpki includes")
            self.lines(content, source)
        self.depth -= 1

    def expand(self, text: str, section: str) -> str:
        """One value with its quotes, escapes and variables resolved (str_copy in conf_def.c)."""
        out: list[str] = []
        at = length = 0
        while at < len(text):
            character = text[at]
            if match := _ORDINARY.match(text, at):
                piece, at = match[0], match.end()
            elif character in _QUOTES:
                end = _quote_end(text, at)
                piece = _ESCAPE.sub(r"\1", text[at + 1:end - 1])
                at = end
            elif character == "\\":
                piece = _CONTROL.get(text[at + 1:at + 2], text[at + 1:at + 2])
                at += 2
            elif not self.dollar_in_names or text[at + 1:at + 2] in ("{", "("):
                piece, at = self.variable(text, at + 1, section)
                self.expanded += len(piece)
                longest = length + len(piece) + len(text) - at
                if longest > _LONGEST_VALUE or self.expanded > _MOST_EXPANDED:
                    raise ConfigurationError("variable expansion too long")
            else:
                piece, at = character, at + 1
            out.append(piece)
            length += len(piece)
        return "".join(out)

    def variable(self, text: str, at: int, section: str) -> tuple[str, int]:
        """The value of the variable whose name starts at *at*, and the offset behind the name."""
        names = _VARIABLE_NAME_WITH_DOLLAR if self.dollar_in_names else _VARIABLE_NAME
        closing = {"{": "}", "(": ")"}.get(text[at:at + 1], "")
        start, end = at + len(closing), _end(names, text, at + len(closing))
        name = text[start:end]
        if text.startswith("::", end):
            section, start = name, end + 2
            end = _end(names, text, start)
            name = text[start:end]
        if closing and text[end:end + 1] != closing:
            raise ConfigurationError("no close brace")
        value = self.find_value(section, name)
        if value is None:
            variable = f"{section}::{name}" if section == "ENV" else name
            raise ConfigurationError(f"variable has no value: ${variable}")
        return value, end + len(closing)

    def find_value(self, section: str, name: str) -> str | None:
        """The value of a variable: of *section*, the environment or the default section."""
        setting = self.sections.get(section, {}).get(name)
        if setting is not None:
            return setting.value
        if section == "ENV" and name in self.environment:
            return self.environment[name]
        fallback = self.sections[DEFAULT_SECTION].get(name)
        return fallback.value if fallback else None


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    r"""The lines of a file with continuations joined, each with the number of its last line.

    As in OpenSSL, lines are joined before comments are removed: `# text \` continues on the next
    line.
    """
    joined = list[str]()
    number = 0
    for number, line in enumerate(text.split("\n"), 1):
        joined.append(line.split("\0")[0].rstrip("\r"))
        if joined[-1].endswith("\\") and not joined[-1].endswith("\\\\"):
            joined[-1] = joined[-1][:-1]
            continue
        yield number, "".join(joined)
        joined = []
    yield number, "".join(joined)


def _without_comment(line: str) -> str:
    at = 0
    while at < len(line):
        if match := _NO_COMMENT.match(line, at):
            at = match.end()
        elif line[at] == "#":
            return line[:at]
        else:
            at = _quote_end(line, at) if line[at] in _QUOTES else at + 2
    return line


def _quote_end(line: str, at: int) -> int:
    """The offset behind the quoted text that begins at *at*.

    If the line lacks the closing quote, the offset is one beyond the end of the line.
    """
    inside, quote = _QUOTED[line[at]], line[at]
    at += 1
    while at < len(line) and line[at] != quote:
        match = inside.match(line, at)
        at = match.end() if match else at + 2
    return at + 1


def _section_name(line: str) -> str:
    start = at = _skip_blanks(line, 1)
    while True:
        end = _key_end(line, at)
        after = _skip_blanks(line, end)
        if line[after:after + 1] == "]":
            return line[start:end]
        if after >= len(line) or after == at:
            raise ConfigurationError("missing close square bracket")
        at = after


def _skip_blanks(line: str, at: int) -> int:
    while at < len(line) and line[at] in _BLANKS:
        at += 1
    return at


def _key_end(line: str, at: int) -> int:
    while at < len(line):
        if line[at] == "\\":
            at += 2
        elif match := _KEY_CHARACTERS.match(line, at):
            at = match.end()
        else:
            break
    return min(at, len(line))


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _pragma_switch(value: str) -> bool:
    if value in ("on", "true"):
        return True
    if value in ("off", "false"):
        return False
    raise ConfigurationError("invalid pragma")
