"""`kpki uses`: which component of a host reads which file, for what, and who says so."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .common import Explain, Json, Quiet, Words, put_json
from .terminal import put, short

if TYPE_CHECKING:
    from ..cluster.observed.use import Use

Root = Annotated[str,
                 typer.Argument(metavar="ROOT", help="A host's root tree (/, this host's own).")]
_HEAD = ("COMPONENT", "SETTING", "PATH", "PURPOSE", "SOURCE")


def uses(root: Root = os.sep, json: Json = False, explain: Explain = False,
         quiet: Quiet = False) -> None:
    """Say which file each component of a host reads.

    The table also says what a file is for, and who says so. A source in brackets starts a component
    that reads the file by default. Exit status 0: said; 2: a file that tells something, or is told,
    cannot be read.
    """
    from ..cluster.observed.hosts import inspect
    words, host = Words(quiet=quiet), inspect(root)
    # of the layout's what is there
    told = [use for use in host.uses if use.source or host.file(use.file).there]
    if json:
        put_json({"host": None, "uses": [
            {"component": use.component, "setting": use.setting, "source": use.source,
             "path": use.path, "purpose": use.purpose, "default": use.default} for use in told]})
    elif told:
        put(*table(told))
    else:
        words.say(f"kpki: {root}: no file tells a component of any file")
    if explain:
        words.say(*_EXPLAINED)
    words.warn(host.led_out())
    unread = [f"{os.path.join(root, found.path)}: {found.problem}" for found in host.found.values()
              if found.problem]
    words.warn([f"not read: {one}" for one in unread])
    if unread:
        raise typer.Exit(2)


def table(uses: Sequence[Use]) -> Iterator[str]:
    """The lines of a table of uses, with a head."""
    lines = [[short(cell) for cell in row] for row in (_HEAD, *map(_row, uses))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines)


def _row(use: Use) -> tuple[str, ...]:
    source = f"({use.source or 'layout'})" if use.default else use.source
    return use.component, use.setting, use.path, use.purpose, source


_EXPLAINED = (
    "kpki uses reads what starts the components of a host, in the order in which the last word "
    "counts:",
    "  systemd's units with their drop-ins and environment files, static pods, files of arguments;",
    "  a component's configuration file and its drop-ins, flags over these; of a flag the last;",
    "  the kubeconfigs that they name, and what these name. What nobody says is the component's "
    "own default.",
    "Look for yourself: systemctl cat kubelet; tr '\\0' ' ' < /proc/$(pidof kubelet)/cmdline")
