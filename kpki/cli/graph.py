"""`kpki graph`: who signs whom, who holds what, who calls whom."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from .common import (
    WITHIN,
    AtOption,
    ExplainOption,
    OutFileOption,
    PathArgument,
    QuietOption,
    Words,
    host_name,
    moment_of,
    place_in,
    place_of,
    put_or_write,
)
from .terminal import Painted, TerminalLine, draws, note, short
from ..errors import InputError

if TYPE_CHECKING:
    from ..cluster.graph.graph import Graph, Holder

GRAPH_FORMATS = ("tree", "mermaid", "dot", "svg")
FormatOption = Annotated[str, typer.Option(
    "--format", metavar="F", autocompletion=lambda: GRAPH_FORMATS,
    help="tree; mermaid for Markdown pages; dot for Graphviz; svg, a picture.")]
_STATES = {"good": "", "soon": "warning", "ended": "error"}
_BRANCHES, _ASCII = ("├─ ", "└─ ", "│  ", "→", " · "), ("|- ", "`- ", "|  ", "->", ", ")


def graph(path: PathArgument = None, form: FormatOption = "tree", out: OutFileOption = None,
          at: AtOption = None, explain: ExplainOption = False, quiet: QuietOption = False) -> None:
    """Draw who signs whom, who holds what, and who calls whom.

    Exit status 0: drawn; 2: there is no certificate, or a file could not be read.
    """
    from ..cluster.graph.reading import read_graph
    if form not in GRAPH_FORMATS:
        raise InputError(f"--format: {form!r} is none of {', '.join(GRAPH_FORMATS)}")
    words, now, path = Words(quiet=quiet), moment_of(at), place_of(path)
    found = read_graph(path, host_name=host_name())
    if found.certificates:
        _answer(found, form, out, words, now)
    else:
        words.say(f"kpki: {path}: no certificate")
    if explain:
        words.say(*_explained(path, found))
    note(*(f"kpki: {f'{skipped.host}: ' if skipped.host else ''}{skipped.path}: {skipped.reason}, "
           "not drawn" for skipped in found.skipped))
    if found.skipped or not found.certificates:
        raise typer.Exit(2)


def _answer(found: Graph, form: str, out: str | None, words: Words, now: datetime) -> None:
    """Print the graph, or write it to the file *out*."""
    if form == "tree":
        branches = _BRANCHES if out or draws(_BRANCHES[0]) else _ASCII
        lines: list[TerminalLine] = [*_tree(found, now, branches)]
    else:
        from ..cluster.graph.diagrams import dot_text, mermaid_text
        from ..cluster.graph.svg import svg_text
        draw = {"mermaid": mermaid_text, "dot": dot_text, "svg": svg_text}[form]
        lines = [*draw(found, now=now, within=WITHIN).splitlines()]
    put_or_write(lines, out, words)


def _tree(found: Graph, now: datetime, branches: Sequence[str]) -> Iterator[TerminalLine]:
    """The CAs with what they signed, then the calls."""
    tops = found.signed_by(None)
    for place, number in enumerate(tops):
        if place:
            yield ""
        yield from _below(found, number, "", "", now, branches)
    if found.calls:
        yield ""
    for call in found.calls:
        users = [*dict.fromkeys(found.certificates[number].user for number in call.certificates)]
        yield (Painted(f"{call.client} {branches[3]} {call.server}", "command"),
               f"  as {short(_some(users))}")


def _below(found: Graph, number: int, first: str, rest: str, now: datetime,
           branches: Sequence[str]) -> Iterator[TerminalLine]:
    """A certificate, its holders, and what it signed; *first* and *rest* begin the lines."""
    from ..cluster.graph.picture import end_text, state_of
    certificate, signed = found.certificates[number], found.signed_by(number)
    name = certificate.subject if certificate.authority else certificate.user \
        or certificate.subject
    row = f"  ({certificate.row})" if certificate.row not in ("", name) else ""
    end = Painted(end_text(certificate, now), _STATES[state_of(certificate, now, WITHIN)])
    yield first, Painted(short(name), "command"), f"{row}  ", end
    bar = rest + (branches[2] if signed else "   ")
    if certificate.signer is None and not certificate.self_signed:
        yield f"{bar}signed by {short(certificate.issuer)}, which is not here"
    if certificate.authority:
        yield from (f"{bar}{line}" for line in _authority(certificate.holders, branches[4]))
    else:
        places = dict.fromkeys(map(_place, certificate.holders))    # several settings name a file
        yield from (f"{bar}{short(place)}" for place in places)
    for place, child in enumerate(signed):
        last = place == len(signed) - 1
        yield from _below(found, child, rest + branches[1 if last else 0],
                          rest + ("   " if last else branches[2]), now, branches)


def _place(holder: Holder) -> str:
    """Where a leaf lies, and who reads it."""
    host = f"{holder.host}: " if holder.host else ""
    reader = f"{holder.component} " if holder.component else ""
    key = "" if holder.key else "  (no key)"
    return f"{host}{reader}{holder.path}{key}"


def _authority(holders: Sequence[Holder], between: str) -> Iterator[str]:
    """Where the keys of a CA lie, and which components trust it on which hosts."""
    keys = dict.fromkeys(f"{holder.host}: {holder.key}" if holder.host else holder.key
                         for holder in holders if holder.key)
    yield from (f"key {short(key)}" for key in keys)
    trusting = dict[str, dict[str, None]]()
    for holder in holders:
        if not holder.key and holder.component:
            trusting.setdefault(holder.component, {})[holder.host or ""] = None
    for component, hosts in trusting.items():
        named = _some([*filter(None, hosts)])
        yield f"trusted by {component}" + (f"{between}{named}" if named else "")


def _some(names: Sequence[str]) -> str:
    """Names in a line; of more than a few, the first and the number of the others."""
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more"
                                       if len(names) > _MOST else "")


_MOST = 3


def _explained(path: str, found: Graph) -> Iterator[str]:
    from shlex import quote

    from ..cluster.script.show_commands import show_commands
    holders = [certificate.holders for certificate in found.certificates]
    yield "kpki graph reads each certificate, and asks kpki uses who reads the file:"
    for file in dict.fromkeys(place_in(path, holder.host, holder.path) for held in holders
                              for holder in held):
        yield from (f"  {line}" for line in show_commands(file, "-subject -issuer -enddate"))
    yield "The signer of a certificate is found by name and by signature:"
    plain = [next((place_in(path, holder.host, holder.path) for holder in held
                   if "#" not in holder.path), "") for held in holders]
    for certificate, file in zip(found.certificates, plain, strict=True):
        if certificate.signer is not None and file and plain[certificate.signer]:
            yield (f"  openssl verify -no_check_time -partial_chain -trusted "
                   f"{quote(plain[certificate.signer])} {quote(file)}")
    yield "A call is the purpose of a client's certificate: kubelet.conf leads to the API server."
