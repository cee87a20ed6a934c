"""The lines that kpki prints for people.

No other room prints text, so nothing can be printed as an attacker wrote it.

Text from outside may hold what a terminal obeys, or a line end and words that look like kpki's own.
Such text is a path, a PEM label, a name in a certificate or kubeconfig, an archive member or a
configuration.
"""
from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple, TextIO

from ..errors import KpkiError

_COLOURS = {"error": "\x1b[31m", "warning": "\x1b[33m", "command": "\x1b[36m"}
_PLAIN = "\x1b[0m"
_WARNING = "kpki: warning:"
LONGEST = 200       # characters of a value
_SENTENCE = 2000    # characters of a sentence: what is longer holds a value with spaces and commas
_WORDS = re.compile("( )")
_CLAUSES = re.compile("(, |: |; )")
# Letters and marks that no terminal shows (Unicode's Default_Ignorable_Code_Point), though Python
# calls them printable.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


class Painted(NamedTuple):
    """A part of a line that has a colour on a terminal."""

    text: str
    colour: str
    """A name of `_COLOURS`."""


Line = str | tuple[str | Painted, ...]


def printable(text: str) -> str:
    r"""*text* on one line, with an escape (`\x1b`, `\n`, `\u202e`) for each character that cannot be
    seen.

    These are control and format characters (bidirectional, zero-width), line ends, and octets that
    are no UTF-8.
    """
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(one if one.isprintable() and not _INVISIBLE.match(one)
                   else one.encode("unicode_escape").decode()
                   for one in text)


def short(text: str) -> str:
    """A value or a sentence as `printable` has it, each value in it cut to LONGEST characters; not
    for a command.
    """
    text = printable(text[:_SENTENCE]) + "..." * (len(text) > _SENTENCE)
    # a clause of kpki's own is shorter than LONGEST
    return _cut(_cut(text, _WORDS, LONGEST), _CLAUSES, 2 * LONGEST)


def _cut(text: str, between: re.Pattern[str], longest: int) -> str:
    return "".join(one if len(one) <= longest else f"{one[:LONGEST]}..."
                   for one in between.split(text))


def _write(stream: TextIO, *texts: str) -> None:
    """Write text that the terminal's encoding may lack characters of."""
    encoding = stream.encoding or "utf-8"
    stream.writelines(text.encode(encoding, "backslashreplace").decode(encoding) for text in texts)


def _shown(stream: TextIO, line: Line) -> str:
    """A line as the stream gets it: escaped, and coloured if the stream is a terminal and nobody
    objects.
    """
    if isinstance(line, str):
        return f"{printable(line)}\n"
    colours = stream.isatty() and not os.environ.get("NO_COLOR") \
        and os.environ.get("TERM") != "dumb"
    parts = (part if isinstance(part, Painted) else Painted(part, "") for part in line)
    return "".join(f"{_COLOURS[colour]}{printable(text)}{_PLAIN}" if colour and colours
                   else printable(text)
                   for text, colour in parts) + "\n"


def put(*lines: Line) -> None:
    """The lines of a result, on standard output."""
    _write(sys.stdout, *(_shown(sys.stdout, line) for line in lines))


def put_document(document: str | bytes) -> None:
    """A document for another program, on standard output as it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(document.encode("utf-8", "surrogateescape") if isinstance(document, str)
                            else document)


def say(*lines: Line) -> None:
    """Words on standard error, which may be commands: nothing is cut."""
    _write(sys.stderr, *(_shown(sys.stderr, line) for line in lines))


def note(*lines: str) -> None:
    """Sentences on standard error."""
    say(*(_marked(short(line), _WARNING, "warning") for line in lines))


def _marked(line: str, mark: str, colour: str) -> Line:
    """A line of kpki's own whose beginning has a colour, if it is *mark*."""
    return (Painted(mark, colour), line.removeprefix(mark)) if line.startswith(mark) else line


def prompt(question: str) -> None:
    """A question on standard error, whose last line the answer goes on with."""
    *before, last = question.split("\n")
    note(*before)
    _write(sys.stderr, short(last))
    sys.stderr.flush()


def say_error(error: KpkiError) -> None:
    """An error and its hint, on standard error."""
    say(_marked(short(f"kpki: {error.message}"), "kpki:", "error"))
    if error.hint:
        note(f"kpki: hint: {error.hint}")
