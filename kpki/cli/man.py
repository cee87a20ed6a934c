"""Manual pages in roff (man(7)), made of the texts of the help pages."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from .command import LITERAL, Rows, VerbCommand, find, records
from .. import __version__

if TYPE_CHECKING:
    from typer._click import Context

_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\[aq]", "`": r"\[ga]", "^": r"\[ha]", "~": r"\[ti]",
            '"': r"\[dq]"}


def manuals(root: TyperGroup) -> dict[str, str]:
    """The manual pages of a group and its commands, by the file's name (kpki-node-issue.1)."""
    return dict(_pages(typer.Context(root, info_name=root.name, **root.context_settings)))


def _pages(page: Context) -> Iterator[tuple[str, str]]:
    yield f"{_name(page)}.1", manual(page)
    if isinstance(page.command, TyperGroup):
        for name in page.command.commands:
            yield from _pages(find(page, [name]))


def manual(page: Context) -> str:
    """The manual page of one command."""
    return "\n".join([*_lines(page), ""])


def _lines(page: Context) -> Iterator[str]:
    command, name = page.command, _name(page)
    summary, *paragraphs = _paragraphs(command.help)
    yield f'.TH {_escaped(name.upper())} 1 "" "kpki {_escaped(__version__)}" "kpki"'
    yield from (".SH NAME", rf"{_escaped(name)} \- {_escaped(summary.removesuffix('.'))}",
                ".SH SYNOPSIS")
    usage = " ".join(command.collect_usage_pieces(page))
    yield rf"\fB{_escaped(page.command_path)}\fR {_escaped(usage)}"
    yield from (".SH DESCRIPTION", _escaped(summary))
    ends = _paragraphs(command.epilog)
    notes = command.notes() if isinstance(command, VerbCommand) else ()
    for paragraph in [*paragraphs, *notes,
                      *(text for text in ends if not text.startswith(LITERAL))]:
        yield from (".PP", _escaped(paragraph))
    for heading, rows in records(page):
        yield from _section(heading, rows)
    for paragraph in (text for text in ends if text.startswith(LITERAL)):
        heading, *lines = paragraph.split("\n")[1:]
        yield from (f".SH {_escaped(heading.removesuffix(':').upper())}", ".nf",
                    *(_escaped(line.removeprefix("  ")) for line in lines), ".fi")
    if page.parent is not None:
        yield from (".SH SEE ALSO", rf"\fB{_escaped(_name(page.parent))}\fR(1)")


def _section(heading: str, rows: Rows) -> Iterator[str]:
    yield f".SH {_escaped(heading.upper())}"
    for term, meaning in rows:
        yield from (".TP", rf"\fB{_escaped(term)}\fR", _escaped(meaning))


def _paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a help text, each on one line, except paragraphs that are not wrapped."""
    found = re.split(r"\n\n+", (text or "").strip("\n"))
    return [part if part.startswith(LITERAL) else " ".join(part.split()) for part in found if part]


def _escaped(text: str) -> str:
    """A line of text for roff: all characters are ASCII, and none is a command of roff."""
    escaped = "".join(_SPECIAL.get(character, character if character.isascii()
                                   else rf"\[u{ord(character):04X}]")
                      for character in text)
    return rf"\&{escaped}" if text.startswith((".", "'")) else escaped


def _name(page: Context) -> str:
    return page.command_path.replace(" ", "-")
