"""`kpki check`: what is wrong with a node's tree."""
from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from .. import files, pem
from ..clock import utc_now
from ..errors import InputError, about
from .common import Explain, Json, LayoutName, Quiet, Words, put_json

if TYPE_CHECKING:
    from ..cluster.contents import Finding

Path = Annotated[str, typer.Argument(metavar="[PATH]", help="A node's root tree; / on the node itself.")]
NodeName = Annotated[str | None, typer.Option("--node", metavar="NAME", help=(
    "Whose tree it is (its folder's name under nodes/; for / the host name)."))]
CaFile = Annotated[str | None, typer.Option("--ca", metavar="CERT", help="The CA that counts (the tree's own).")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="Judge at this time (now): 2026-12-31T23:59:59Z.")]
Strict = Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")]


def check(path: Path = "/", node: NodeName = None, ca: CaFile = None, at: At = None, strict: Strict = False,
          layout: LayoutName = None, json: Json = False, explain: Explain = False, quiet: Quiet = False) -> int:
    """Say what is wrong with a node's files, and what to do about it.

    Exit status 0: nothing wrong (warnings aside); 1: an error found; 2: there is nothing to check.
    """
    from ..cluster.findings import check_node
    from ..cluster.inventory import inspect, tree_owner
    from ..cluster.remedies import situation_of, with_remedies
    words, now = Words(quiet=quiet), _moment(at)
    name = node or tree_owner(path, socket.gethostname())
    inventory = inspect(path, layout=layout)
    authorities = None
    if ca is not None:
        data = files.read(ca)
        with about(ca):
            authorities = pem.load_certificates(data)
    findings = with_remedies(check_node(inventory, node=name, now=now, authorities=authorities),
                             situation_of(inventory, name, ca))
    if json:
        put_json({"findings": [_document(one) for one in findings], "certificates": inventory.certificates()})
    elif findings:
        print(*_lines(findings), sep="\n")
    if explain:
        words.say(*_explained(findings))
    words.say(_summary(findings, name, inventory.certificates()))
    return int(any(strict or one.severity == "error" for one in findings))


def _moment(text: str | None) -> datetime:
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--at: {text!r} is no time", hint="for example 2026-12-31 or 2026-12-31T23:59:59Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _document(finding: Finding) -> dict[str, object]:
    return {"cause": finding.cause, "severity": finding.severity, "host": finding.host, "path": finding.path,
            "row": finding.row, "message": finding.message, "got": finding.got, "expected": finding.expected,
            "remedy": list(finding.remedy)}


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    last: tuple[str, ...] = ()
    for finding in findings:
        yield f"{finding.severity:<8} {finding.cause:<20} {finding.path}"
        yield f"         {finding.message}"
        if finding.remedy and finding.remedy == last:
            yield "         (the same commands)"
        else:
            yield from (f"         {'' if line.startswith('#') else '$ '}{line}" for line in finding.remedy)
        last = finding.remedy


def _explained(findings: Sequence[Finding]) -> Iterator[str]:
    from ..kubernetes.causes import CAUSES
    for cause in dict.fromkeys(finding.cause for finding in findings):
        yield f"{cause}: {CAUSES[cause].meaning}; see it with: {CAUSES[cause].look}"


def _summary(findings: Sequence[Finding], name: str, certificates: int) -> str:
    errors = sum(one.severity == "error" for one in findings)
    warnings = len(findings) - errors
    counts = [f"{count} {noun}{'s' * (count != 1)}"
              for count, noun in ((errors, "error"), (warnings, "warning")) if count]
    return f"kpki: {name}: {', '.join(counts) or 'nothing wrong'} ({certificates} certificates read)"
