"""`kpki check`: what is wrong with a node's tree."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from .. import files
from ..clock import utc_now
from ..errors import InputError, about
from .common import Explain, Json, Quiet, Words, host_name, put_json

if TYPE_CHECKING:
    from ..cluster.contents import Finding

Path = Annotated[str | None, typer.Argument(metavar="PATH", help=(
    "A host's root tree or a workspace (this folder, if it is one, else /)."))]
NodeName = Annotated[str | None, typer.Option("--node", metavar="NAME", help=(
    "Whose tree it is (its folder's name under nodes/; for / the host name)."))]
CaFile = Annotated[str | None, typer.Option("--ca", metavar="CERT", help="The CA that counts (the tree's own).")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="Judge at this time (now): 2026-12-31T23:59:59Z.")]
LayoutThere = Annotated[str | None, typer.Option("--layout", metavar="L", help=(
    "Where the files lie: kubeadm, ssl or hard-way (the one that is there)."))]
Strict = Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")]


def check(path: Path = None, node: NodeName = None, ca: CaFile = None, at: At = None, strict: Strict = False,
          layout: LayoutThere = None, json: Json = False, explain: Explain = False, quiet: Quiet = False) -> int:
    """Say what is wrong with a host's files, and how to mend it.

    Exit status 0: nothing wrong (warnings aside); 1: an error found; 2: there is nothing to check.
    """
    from ..cluster.authority import trusted_bundle
    from ..cluster.findings import check_node
    from ..cluster.inventory import check_root, inspect, tree_owner
    from ..cluster.remedies import situation_of, with_remedies
    from ..cluster.workspace import DESCRIPTION, check_workspace
    from ..kubernetes.profiles import LONGEST_NAME, check_node_name
    words, now = Words(quiet=quiet), _moment(at)
    if path is None:
        path = os.sep if files.look(os.curdir, DESCRIPTION).kind == "missing" else os.curdir
    check_root(path)
    if files.look(path, DESCRIPTION).kind != "missing":
        if ca is not None or layout is not None:
            raise InputError(f"{path}: a workspace is judged by its cluster.yaml", hint="leave out --ca and --layout")
        findings, certificates = check_workspace(path, now=now, host_name=host_name())
        findings = [one for one in findings if node is None or one.host == node]
        return _tell(findings, os.path.normpath(path), certificates, words, strict=strict, json=json, explain=explain)
    name = check_node_name(tree_owner(path, host_name()) if node is None else node, longest=LONGEST_NAME)
    inventory = inspect(path, layout=layout)
    authorities = None
    if ca is not None:
        data = files.read(ca)
        with about(ca):
            authorities = trusted_bundle(data)
    findings = with_remedies(check_node(inventory, node=name, now=now, authorities=authorities),
                             situation_of(inventory, name, ca))
    return _tell(findings, name, inventory.certificates(), words, strict=strict, json=json, explain=explain)


def _tell(findings: Sequence[Finding], whose: str, certificates: int, words: Words, *, strict: bool, json: bool,
          explain: bool) -> int:
    """Say what was found, and give the exit status."""
    if json:
        put_json({"findings": [_document(one) for one in findings], "certificates": certificates})
    elif findings:
        print(*_lines(findings), sep="\n")
    if explain:
        words.say(*_explained(findings))
    words.say(_summary(findings, whose, certificates))
    return int(any(strict or one.severity == "error" for one in findings))


def _moment(text: str | None) -> datetime:
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):     # the latter for a year 1 or 9999 that UTC puts into another
        raise InputError(f"--at: {text!r} is no time", hint="for example 2026-12-31 or 2026-12-31T23:59:59Z") from None


def _document(finding: Finding) -> dict[str, object]:
    return {"cause": finding.cause, "severity": finding.severity, "host": finding.host, "path": finding.path,
            "row": finding.row, "message": finding.message, "got": finding.got, "expected": finding.expected,
            "remedy": list(finding.remedy)}


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    from ..cluster.contents import shown
    last: tuple[str, ...] = ()
    for finding in findings:
        where = f"{finding.host}: " if finding.host else ""
        yield f"{finding.severity:<8} {finding.cause:<20} {where}{shown(finding.path)}"
        yield f"         {shown(finding.message)}"
        if finding.remedy and finding.remedy == last:
            yield "         (the same commands)"
        else:
            yield from (f"         {'' if line.startswith('#') else '$ '}{line}" for line in finding.remedy)
        last = finding.remedy


def _explained(findings: Sequence[Finding]) -> Iterator[str]:
    from ..kubernetes.causes import CAUSES
    yield "kpki check reads the node's files and asks what the API server and the kubelet would ask of them:"
    yield "  openssl x509 -noout -subject -dates -ext subjectAltName,extendedKeyUsage -in CERT"
    yield "  openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY   # the same"
    yield "  openssl verify -CAfile CA -purpose sslclient CERT; openssl verify -CAfile CA -purpose sslserver CERT"
    for cause in dict.fromkeys(finding.cause for finding in findings):
        yield f"{cause}: {CAUSES[cause].meaning}; see it with: {CAUSES[cause].look}"


def _summary(findings: Sequence[Finding], name: str, certificates: int) -> str:
    errors = sum(one.severity == "error" for one in findings)
    warnings = len(findings) - errors
    counts = [_counted(count, noun) for count, noun in ((errors, "error"), (warnings, "warning")) if count]
    return f"kpki: {name}: {', '.join(counts) or 'nothing wrong'} ({_counted(certificates, 'certificate')} read)"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
