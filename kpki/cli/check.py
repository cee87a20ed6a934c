"""`kpki check`: what is wrong with a workspace, a host's tree, a folder or a file."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .common import At, Explain, Json, Quiet, Words, host_name, moment_of, put_json
from .. import files

if TYPE_CHECKING:
    from ..cluster.finding import Finding

Path = Annotated[str | None, typer.Argument(metavar="PATH", help=(
    "A workspace, a host's root tree, a folder or a file (this folder, if it is a workspace, else /)."))]
NodeName = Annotated[str | None, typer.Option("--node", metavar="NAME", help=(
    "Whose tree it is (its folder's name under nodes/; for / the host name)."))]
CaFile = Annotated[str | None, typer.Option("--ca", metavar="CERT", help="The CA that counts (the tree's own).")]
CaKeyFile = Annotated[str | None, typer.Option("--ca-key", metavar="KEY", help=(
    "That CA's key, which the commands are to name."))]
LayoutThere = Annotated[str | None, typer.Option("--layout", metavar="L", help=(
    "Where the files lie: kubeadm, ssl or hard-way (the one that is there)."))]
Strict = Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")]


def check(path: Path = None, node: NodeName = None, ca: CaFile = None, ca_key: CaKeyFile = None, at: At = None,
          strict: Strict = False, layout: LayoutThere = None, json: Json = False, explain: Explain = False,
          quiet: Quiet = False) -> int:
    """Say what is wrong with a host's files, and how to mend it.

    Exit status 0: nothing wrong (warnings aside); 1: an error found; 2: there is nothing to check.
    """
    from ..cluster.check.check import check as look_through
    from ..cluster.workspace import DESCRIPTION
    words, now = Words(quiet=quiet), moment_of(at)
    if path is None:
        path = os.sep if files.look(os.curdir, DESCRIPTION).kind == "missing" else os.curdir
    report = look_through(path, now=now, host_name=host_name(), node=node, ca=ca, ca_key=ca_key, layout=layout)
    return _tell(report.findings, report.whose, report.certificates, words, strict=strict, json=json, explain=explain)


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


def _document(finding: Finding) -> dict[str, object]:
    return {"cause": finding.cause, "severity": finding.severity, "host": finding.host, "path": finding.path,
            "row": finding.row or None, "message": finding.message, "got": finding.got, "expected": finding.expected,
            "remedy": list(finding.remedy)}


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    from ..cluster.observed.contents import shown
    last: tuple[str, ...] = ()
    for finding in findings:
        where = f"{finding.host}: " if finding.host else ""
        yield f"{finding.severity:<8} {finding.cause:<20} {where}{shown(finding.path)}"
        yield f"         {shown(finding.message)}"
        if finding.remedy and finding.remedy == last:
            yield "         (the same commands)"
        else:
            yield from (f"         {'' if line.startswith('#') else '$ '}{shown(line)}" for line in finding.remedy)
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
