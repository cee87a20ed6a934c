"""Text ↔ words, as systemd and shells split them: quotes, escapes, environment files.

Source: systemd 252, systemd.syntax(7) and systemd.exec(5); src/basic/{extract-word,escape,env-file,env-util}.c.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BLANKS = " \t\n\r"
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ",
            "\\": "\\", '"': '"', "'": "'"}
_NUMBERS = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CURLY = re.compile(r"\$\$|\$\{([^}]*)\}")
_NEEDS_ESCAPE = '"\\`$'
_DOUBLE = r'"((?:\\.|[^"\\])*)(?:"|\\?\Z)'
_QUOTED = re.compile(rf"'([^']*)(?:'|\Z)|{_DOUBLE}", re.DOTALL)
# One line: a comment, or name, quoted parts and bare rest of a variable, or neither.
_LINE = re.compile(rf"""[ \t\r\n]*(?:[#;](?:\\.|[^\\\r\n])*|([^\r\n][^=\r\n]*)=
    ((?:[ \t]*(?:{_QUOTED.pattern}))*)[ \t]*((?:\\(?:.|\Z)|[^\\\r\n])*)|[^\r\n][^=\r\n]*)""", re.DOTALL | re.VERBOSE)
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command line or one value of a variable: its *text*, and the file *source* that says so."""

    text: str
    source: str


def split_words(text: str, *, escapes: bool = True, relaxed: bool = False) -> Iterator[str]:
    """The words of a setting, as `written_words` has them, quotes removed."""
    return (word for word, _ in written_words(text, escapes=escapes, relaxed=relaxed))


def written_words(text: str, *, escapes: bool = True, relaxed: bool = False) -> Iterator[tuple[str, str]]:
    """The words of a setting, quotes removed, each with how it is written; behind the good ones ValueError.

    With *escapes* C escapes are decoded, else a backslash stands for the next character. An unknown escape is an
    error, with *relaxed* it stays as written. So is a quote that never closes, unless *relaxed* without *escapes*.
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
            one = text[place]
            place += 1
            if one == "\\":
                said, step = _escaped(text, place, escapes, relaxed)
                word.append(said)
                place += step
            elif one == quote:
                quote = ""
            elif not quote and one in "\"'":
                quote = one
            else:
                word.append(one)
        if quote and (escapes or not relaxed):
            raise ValueError(f"the quote {quote} is never closed")
        yield "".join(word), text[start:place]


def _escaped(text: str, place: int, escapes: bool, relaxed: bool) -> tuple[str, int]:
    """What stands behind a backslash, and how many characters that took."""
    one = text[place:place + 1]
    if not escapes:
        return one, 1
    if one in _ESCAPES:
        return _ESCAPES[one], 1
    number = _NUMBERS.match(text, place)
    if number and (code := int(number[0][number[0][0] in "xuU":], 8 if number[4] else 16)) and code < 0x110000:
        return chr(code), len(number[0])
    if not relaxed:
        raise ValueError(f"unknown escape sequence \\{one}")
    return f"\\{one}", len(one)


def expand(words: list[Word], environment: Mapping[str, Word]) -> list[Word]:
    """The words of a command with its variables: `$NAME` as a whole word is split, `${NAME}` anywhere is not."""
    done: list[Word] = []
    for word in words:
        if word.text.startswith("$") and word.text[1:2] not in ("{", "$"):
            value = environment.get(word.text[1:])
            done += [Word(part, value.source) for part in split_words(value.text, escapes=False, relaxed=True)
                     ] if value else []
        else:
            named = [environment[name] for name in _CURLY.findall(word.text) if name in environment]
            text = _CURLY.sub(lambda found: "$" if found[1] is None else
                              environment[found[1]].text if found[1] in environment else "", word.text)
            done.append(Word(text, named[-1].source if named else word.source))
    return done


def is_variable(assignment: str) -> bool:
    """Whether text is `NAME=value`, with a name that a variable may have."""
    name, equals, _ = assignment.partition("=")
    return bool(equals) and _NAME.fullmatch(name) is not None


def read_environment(text: str) -> dict[str, str]:
    """The variables of an environment file, as systemd's EnvironmentFile= reads one.

    A value is quoted parts, then a bare one in which quotes are characters; it ends with its line.
    """
    found: dict[str, str] = {}
    place = 0
    while line := _LINE.match(text, place):
        place = line.end()
        name, quoted, bare = line[1], line[2], line[5]
        if name and is_variable(f"{name.rstrip(BLANKS)}="):
            end = len(bare.rstrip(BLANKS))
            end += (end - len(bare[:end].rstrip("\\"))) & 1      # a blank behind a backslash stays
            found[name.rstrip(BLANKS)] = "".join(
                single or _ESCAPED.sub(_kept, double) for single, double in _QUOTED.findall(quoted)) + _ESCAPED.sub(
                    lambda one: one[1].strip("\r\n"), bare[:end])
    return found


def _kept(found: re.Match[str]) -> str:
    """What a backslash in double quotes leaves: only some characters need it."""
    return "" if found[1] == "\n" else found[1] if found[1] in _NEEDS_ESCAPE else found[0]


def read_plain_environment(text: str) -> dict[str, str]:
    """The variables of a container's `--env-file`: NAME=VALUE a line, the value as it stands."""
    lines = (line.lstrip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if not line.startswith("#") and is_variable(line))
