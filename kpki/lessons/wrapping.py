"""Paragraphs for a terminal: a Chinese character is two columns wide, and needs no space."""
from __future__ import annotations

import re
from unicodedata import east_asian_width

from .lesson import ITEM

WIDTH = 78
_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_CLOSING = "，。；：、）」』》！？"   # no line begins with these
_PIECE = re.compile(rf"(\s*)((?:[{_WIDE}]|[^\s{_WIDE}]+)[{_CLOSING}]*)")


def width_of(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(text: str, *, width: int = WIDTH) -> list[str]:
    """The lines of a paragraph; the later lines of a list's item stand under its first word."""
    return [line for part in text.split("\n") for line in _wrapped(part, width)]


def _wrapped(text: str, width: int) -> list[str]:
    item = ITEM.match(text)
    indent = " " * len(item.group()) if item else ""
    lines, line = list[str](), ""
    for space, piece in _PIECE.findall(text):
        if line.strip() and width_of(f"{line}{space}{piece}") > width:
            lines.append(line)
            line = indent
        line += (space if line.strip() else "") + piece
    return [*lines, line]
