"""The lines that kpki prints for people, with an escape for each character that a terminal obeys.

No other module prints. Text from outside is a path, a PEM label, a name in a certificate or
kubeconfig, an archive member or a configuration. Such text may contain control characters, or line
ends and sentences that look like kpki's.
"""
from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple, TextIO

from ..errors import KpkiError

_COLOURS = {"error": "\x1b[31m", "warning": "\x1b[33m", "command": "\x1b[36m",
            "heading": "\x1b[1m"}
_PLAIN = "\x1b[0m"
_WARNING = "kpki: warning:"
LONGEST_VALUE = 200       # characters of a value
_SENTENCE = 2000    # characters of a sentence; a longer sentence contains a value with spaces
_WORDS = re.compile("( )")
_CLAUSES = re.compile("(, |: |; )")
# Letters and marks that no terminal shows (Unicode's Default_Ignorable_Code_Point), though Python
# calls them printable.
_INVISIBLE = frozenset(map(chr, (
    0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, *range(0xFE00, 0xFE10),
    0xFFA0, *range(0xE0100, 0xE01F0))))


class Painted(NamedTuple):
    """A part of a line that has a colour on a terminal."""

    text: str
    colour: str
    """A name of `_COLOURS`, "" for no colour."""

    def __str__(self) -> str:
        return self.text


TerminalLine = str | tuple[str | Painted, ...]


def printable(text: str) -> str:
    r"""*text* on one line, with an escape (`\x1b`, `\n`, `\u202e`) for each invisible character.

    Invisible are control and format characters (bidirectional, zero-width), line ends, and octets
    that are no UTF-8.
    """
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text
    return "".join(character if character.isprintable() and character not in _INVISIBLE
                   else character.encode("unicode_escape").decode()
                   for character in text)


def short(text: str) -> str:
    """A printable value or sentence, each value in the text cut to LONGEST_VALUE characters.

    Commands are never cut.
    """
    text = printable(text[:_SENTENCE]) + "..." * (len(text) > _SENTENCE)
    # no clause that kpki writes is longer than LONGEST_VALUE
    return _cut(_cut(text, _WORDS, LONGEST_VALUE), _CLAUSES, 2 * LONGEST_VALUE)


def _cut(text: str, between: re.Pattern[str], longest: int) -> str:
    return "".join(part if len(part) <= longest else f"{part[:LONGEST_VALUE]}..."
                   for part in between.split(text))


def _write(stream: TextIO, *texts: str) -> None:
    """Write texts; a character that the terminal's encoding lacks is escaped."""
    encoding = stream.encoding or "utf-8"
    stream.writelines(text.encode(encoding, "backslashreplace").decode(encoding) for text in texts)


def _shown(stream: TextIO, line: TerminalLine) -> str:
    """A line for a stream: escaped, and on a terminal coloured, unless NO_COLOR is set."""
    if isinstance(line, str):
        return f"{printable(line)}\n"
    colours = stream.isatty() and not os.environ.get("NO_COLOR") \
        and os.environ.get("TERM") != "dumb"
    parts = (part if isinstance(part, Painted) else Painted(part, "") for part in line)
    return "".join(f"{_COLOURS[colour]}{printable(text)}{_PLAIN}" if colour and colours
                   else printable(text) for text, colour in parts) + "\n"


def draws(text: str) -> bool:
    """Whether standard output can write all characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def put(*lines: TerminalLine) -> None:
    """Print the lines of a result on standard output."""
    _write(sys.stdout, *(_shown(sys.stdout, line) for line in lines))


def put_document(document: str | bytes) -> None:
    """Print a document for another program on standard output, unchanged."""
    sys.stdout.flush()
    sys.stdout.buffer.write(document.encode("utf-8", "surrogateescape") if isinstance(document, str)
                            else document)


def say(*lines: TerminalLine) -> None:
    """Print lines on standard error; lines may be commands, so no line is cut."""
    _write(sys.stderr, *(_shown(sys.stderr, line) for line in lines))


def note(*lines: str) -> None:
    """Print sentences on standard error; long values are cut."""
    say(*(_marked(short(line), _WARNING, "warning") for line in lines))


def _marked(line: str, mark: str, colour: str) -> TerminalLine:
    """A line, with a colour on *mark* if the line begins with *mark*."""
    return (Painted(mark, colour), line.removeprefix(mark)) if line.startswith(mark) else line


def prompt(question: str) -> None:
    """Print a question on standard error, without an end of line after its last line."""
    *before, last = question.split("\n")
    note(*before)
    _write(sys.stderr, short(last))
    sys.stderr.flush()


def say_error(error: KpkiError) -> None:
    """Print an error and its hint on standard error."""
    say(_marked(short(f"kpki: {error.message}"), "kpki:", "error"))
    if error.hint:
        note(f"kpki: hint: {error.hint}")
