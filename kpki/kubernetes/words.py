"""Text → words, as systemd and shells split text: quotes, escapes, environment files.

Source: systemd 252, systemd.syntax(7) and systemd.exec(5);
src/basic/{extract-word,escape,env-file,env-util}.c.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

BLANKS = " \t\n\r"
UNKNOWN = "\x1a"     # stands for text that no file tells
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ",
            "\\": "\\", '"': '"', "'": "'"}
_NUMBERS = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CURLY = re.compile(r"\$\$|\$\{([^}]*)\}")
_NEEDS_ESCAPE = '"\\`$'
_DOUBLE = r'"((?:\\.|[^"\\])*)(?:"|\\?\Z)'
_QUOTED = re.compile(rf"'([^']*)(?:'|\Z)|{_DOUBLE}", re.DOTALL)
# One line: a comment, or a variable (its name, quoted parts and bare rest), or other text.
_LINE = re.compile(rf"""[ \t\r\n]*(?:[#;](?:\\.|[^\\\r\n])*|([^\r\n][^=\r\n]*)=
    ((?:[ \t]*(?:{_QUOTED.pattern}))*)[ \t]*((?:\\(?:.|\Z)|[^\\\r\n])*)
    |[^\r\n][^=\r\n]*)""", re.DOTALL | re.VERBOSE)
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)


class Word(NamedTuple):
    """One word of a command line, or one value of a variable."""

    text: str
    source: str
    """The file that holds the word."""


def split_words(text: str, *, escapes: bool = True, relaxed: bool = False) -> Iterator[str]:
    """The words of a setting, without quotes; see `written_words`."""
    return (word for word, _ in written_words(text, escapes=escapes, relaxed=relaxed))


def written_words(text: str, *, escapes: bool = True,
                  relaxed: bool = False) -> Iterator[tuple[str, str]]:
    """(word without quotes, word as written) of each word of a setting.

    With *escapes*, C escapes are decoded; else a backslash stands for the next character.
    Raises ValueError after the valid words: for an unknown escape, unless *relaxed*, which keeps
    the escape as written; for a quote that never closes, unless *relaxed* without *escapes*.
    """
    place, end = 0, len(text)
    while True:
        while place < end and text[place] in BLANKS:
            place += 1
        if place >= end:
            return
        word: list[str] = []
        quote, start = "", place
        while place < end and (quote or text[place] not in BLANKS):
            character = text[place]
            place += 1
            if character == "\\":
                decoded, step = _escaped(text, place, escapes, relaxed)
                word.append(decoded)
                place += step
            elif character == quote:
                quote = ""
            elif not quote and character in "\"'":
                quote = character
            else:
                word.append(character)
        if quote and (escapes or not relaxed):
            raise ValueError(f"the quote {quote} is never closed")
        yield "".join(word), text[start:place]


def _escaped(text: str, place: int, escapes: bool, relaxed: bool) -> tuple[str, int]:
    """The text that an escape stands for, and the number of its characters after the backslash."""
    character = text[place:place + 1]
    if not escapes:
        return character, 1
    if character in _ESCAPES:
        return _ESCAPES[character], 1
    number = _NUMBERS.match(text, place)
    code = int(number[0][number[0][0] in "xuU":], 8 if number[4] else 16) if number else 0
    if number and 0 < code < 0x110000:
        return chr(code), len(number[0])
    if not relaxed:
        raise ValueError(f"unknown escape sequence \\{character}")
    return f"\\{character}", len(character)


def expand(words: list[Word], environment: Mapping[str, Word]) -> list[Word]:
    """The words of a command with the values of variables: a whole word `$NAME` is split.

    `${NAME}` anywhere in a word is replaced without a split. The variable "" is the value of every
    variable that has none.
    """
    other = environment.get("", Word("", ""))
    done: list[Word] = []
    for word in words:
        if word.text.startswith("$") and word.text[1:2] not in ("{", "$"):
            if value := environment.get(word.text[1:]):
                done += [Word(part, value.source)
                         for part in split_words(value.text, escapes=False, relaxed=True)]
        else:
            named = [environment[name] for name in _CURLY.findall(word.text) if name in environment]
            text = _CURLY.sub(lambda found: "$" if found[1] is None
                              else environment.get(found[1], other).text, word.text)
            done.append(Word(text, named[-1].source if named else word.source))
    return done


def is_variable(assignment: str) -> bool:
    """Whether *assignment* is `NAME=value` with a valid name of a variable."""
    name, equals, _ = assignment.partition("=")
    return bool(equals) and _NAME.fullmatch(name) is not None


def read_environment(text: str) -> dict[str, str]:
    """The variables of an environment file, as systemd reads EnvironmentFile=.

    A value has quoted parts, then a bare part in which quotes are ordinary characters; a value ends
    with its line.
    """
    found: dict[str, str] = {}
    place = 0
    while line := _LINE.match(text, place):
        place = line.end()
        name, quoted, bare = line[1], line[2], line[5]
        if name and is_variable(f"{name.rstrip(BLANKS)}="):
            end = len(bare.rstrip(BLANKS))
            end += (end - len(bare[:end].rstrip("\\"))) & 1      # a blank after a backslash stays
            parts = [single or _ESCAPED.sub(_unescaped, double)
                     for single, double in _QUOTED.findall(quoted)]
            rest = _ESCAPED.sub(lambda escape: escape[1].strip("\r\n"), bare[:end])
            found[name.rstrip(BLANKS)] = "".join([*parts, rest])
    return found


def _unescaped(found: re.Match[str]) -> str:
    """The text of an escape in double quotes; a backslash before most characters stays."""
    return "" if found[1] == "\n" else found[1] if found[1] in _NEEDS_ESCAPE else found[0]


def read_plain_environment(text: str) -> dict[str, str]:
    """The variables of a container's `--env-file`: NAME=VALUE per line, the value unchanged."""
    lines = (line.lstrip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines
                if not line.startswith("#") and is_variable(line))
