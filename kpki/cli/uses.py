"""`kpki uses`: the files that each component of a host reads, with purpose and source."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from .common import ExplainOption, JsonOption, QuietOption, Words, columns, put_json
from .terminal import put
from .. import files
from ..errors import KpkiError

if TYPE_CHECKING:
    from ..cluster.observed.use import Use

RootArgument = Annotated[str, typer.Argument(
    metavar="ROOT", help="A host's root tree (/, this host's root).")]
_HEAD = ("COMPONENT", "SETTING", "PATH", "PURPOSE", "SOURCE")


def uses(root: RootArgument = os.sep, json: JsonOption = False, explain: ExplainOption = False,
         quiet: QuietOption = False) -> None:
    """Show the files that each component of a host reads.

    The table has the purpose of each file, and the source that names the file. A source in brackets
    starts a component that reads the file by default. Exit status 0: shown; 2: a source or a named
    file cannot be read.
    """
    from ..cluster.observed.hosts import inspect
    words, host = Words(quiet=quiet), inspect(root)
    # of the files that only the layout names, the table has the existing files
    shown = [use for use in host.uses if use.source or host.file(use.file).there]
    if json:
        put_json({"host": None, "uses": [
            {"component": use.component, "setting": use.setting, "source": use.source,
             "path": use.path, "purpose": use.purpose, "default": use.default} for use in shown]})
    elif shown:
        put(*table(shown))
    else:
        words.say(f"kpki: {root}: no setting names a file for a component")
    if explain:
        words.say(*_EXPLAINED, *(f"  {line}" for line in _by_hand(root, shown)))
    words.warn(host.led_out())
    unread = [f"{os.path.join(root, found.path)}: {found.problem}" for found in host.found.values()
              if found.problem]
    closed = dict.fromkeys(host.file(use.file).unread for use in host.uses
                           if use.part == "kubeconfig")
    unread += [f"{os.path.join(root, path)}: permission denied" for path in closed if path]
    words.warn([f"not read: {problem}" for problem in unread])
    if unread:
        raise typer.Exit(2)


def table(uses: Sequence[Use]) -> Iterator[str]:
    """The lines of a table of uses, with column headings."""
    return ("  ".join(cells).rstrip() for cells in columns([_HEAD, *map(_row, uses)]))


def _row(use: Use) -> tuple[str, ...]:
    source = f"({use.source or 'layout'})" if use.default else use.source
    return use.component, use.setting, use.path, use.purpose, source


_EXPLAINED = (
    "kpki uses reads the files that start the components of a host; a later value replaces an "
    "earlier value:",
    "  systemd's units with drop-ins and environment files, static pods, files of arguments;",
    "  a component's configuration file and its drop-ins; flags, which replace their values;",
    "  the kubeconfigs, and the files that they name. Without a setting the default counts.",
    "The same by hand:")


def _by_hand(root: str, uses: Sequence[Use]) -> Iterator[str]:
    """The commands that show each setting in the file that has it, but no private key."""
    from shlex import quote
    for source in dict.fromkeys(use.source for use in uses if use.source and not use.default):
        place = files.resolve(os.path.abspath(root), source)
        text = b""
        with suppress(KpkiError):       # what this user may not read has no command
            text = files.read(place)
        names = dict.fromkeys(use.setting.rpartition("/")[2].rpartition(".")[2]
                              for use in uses if use.source == source)
        found = "".join(f" -e {quote(name)}" for name in names
                        if name.encode() in text and not name.endswith("-key-data"))
        if found:
            near = os.path.join(root, source)
            path = near if files.read_entry_at(near).kind == "file" else place
            yield f"grep -n{found} {quote(path)}"
