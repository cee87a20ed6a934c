"""`kpki check`: what is wrong with a workspace, a host's tree, a folder or a file."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import (
    AtOption,
    ExplainOption,
    JsonOption,
    PathArgument,
    QuietOption,
    Words,
    host_name,
    moment_of,
    place_in,
    place_of,
    put_json,
)
from .terminal import Painted, TerminalLine, note, put, short
from .uses import table
from ..errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from ..cluster.check.check import Report
    from ..cluster.finding import Finding
    from ..cluster.observed.inventory import Unread
    from ..doctor.host import HostReport

NodeOption = Annotated[str | None, typer.Option(
    "--node", metavar="NAME", autocompletion=completion.nodes,
    help="The node's name (the kubelet's --hostname-override; for / the host name; the folder's "
         "name under nodes/; etc/hostname in the tree).")]
CaOption = Annotated[str | None, typer.Option(
    "--ca", metavar="CERT", help="The cluster's CA certificate (the tree's own).")]
CaKeyOption = Annotated[str | None, typer.Option(
    "--ca-key", metavar="KEY", help="The CA's key, for the commands that repair.")]
EtcdCaOption = Annotated[str | None, typer.Option(
    "--etcd-ca", metavar="CERT", help="The CA certificate of etcd.")]
EtcdCaKeyOption = Annotated[str | None, typer.Option(
    "--etcd-ca-key", metavar="KEY", help="The key of etcd's CA.")]
FrontProxyCaOption = Annotated[str | None, typer.Option(
    "--front-proxy-ca", metavar="CERT", help="The CA certificate of the front proxy.")]
FrontProxyCaKeyOption = Annotated[str | None, typer.Option(
    "--front-proxy-ca-key", metavar="KEY", help="The key of the front proxy's CA.")]
LayoutOption = Annotated[str | None, typer.Option(
    "--layout", metavar="L", autocompletion=completion.layouts,
    help="The files' layout: kubeadm, ssl or hard-way (the layout of the existing files).")]
CommandsOption = Annotated[bool, typer.Option(
    "--commands", help="Print only the commands that repair, each once, for `sh -e`.")]
ReportOption = Annotated[str | None, typer.Option(
    "--report", metavar="FILE", help="Also write a report, one page of HTML without secrets.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")]


def check(path: PathArgument = None, node: NodeOption = None, ca: CaOption = None,
          ca_key: CaKeyOption = None, etcd_ca: EtcdCaOption = None,
          etcd_ca_key: EtcdCaKeyOption = None, front_proxy_ca: FrontProxyCaOption = None,
          front_proxy_ca_key: FrontProxyCaKeyOption = None, at: AtOption = None,
          strict: StrictOption = False, layout: LayoutOption = None,
          commands: CommandsOption = False, page: ReportOption = None, json: JsonOption = False,
          explain: ExplainOption = False, quiet: QuietOption = False) -> None:
    """Find the faults in a host's files, and print the commands that repair them.

    Exit status 0: no error; 1: an error; 2: no file to check, or no error but a file that this user
    may not read.
    """
    from ..cluster.check.check import check as check_path
    if json and commands:
        raise InputError("--json and --commands are two forms of one answer",
                         hint="leave out one of them")
    words, now, path = Words(quiet=quiet), moment_of(at), place_of(path)
    report = check_path(path, now=now, host_name=host_name(), node=node, ca=ca,
                        ca_key=ca_key, etcd_ca=etcd_ca, etcd_ca_key=etcd_ca_key,
                        front_proxy_ca=front_proxy_ca, front_proxy_ca_key=front_proxy_ca_key,
                        layout=layout)
    if page is not None:
        write_page(page, report, place_of(path), now, words)
    raise typer.Exit(_tell(report, words, strict=strict, commands=commands, json=json,
                           explain=path if explain else None))


def write_page(page: str, report: Report, path: str, now: datetime, words: Words,
               live: HostReport | None = None) -> None:
    """Write the page of `--report`, whole or not at all."""
    from .. import __version__, files
    from ..doctor.page import report_page
    text = report_page(report, path, now=now, version=__version__, host_name=host_name(), live=live)
    warnings = list[str]()
    files.write_output(page, text.encode(), warnings=warnings)
    words.warn(warnings)


def _tell(report: Report, words: Words, *, strict: bool, commands: bool, json: bool,
          explain: str | None) -> int:
    """Print the findings and the summary, and return the exit status."""
    findings = report.findings
    if json:
        put_json({"findings": [finding_document(finding) for finding in findings],
                  "certificates": report.certificates,
                  "unread": [{"host": file.host, "path": file.path} for file in report.unread]})
    elif commands:
        put(*report.commands())
    elif findings:
        put(*finding_lines(findings))
    if explain is not None:
        words.say(*_explained(report, explain))
    words.warn(report.notes)
    words.say(_summary(report))
    tell_unread(report.unread, "check")
    if any(strict or finding.severity == "error" for finding in findings):
        return 1
    return 2 if report.unread else 0


def tell_unread(unread: Sequence[Unread], command: str) -> None:
    """Name the files that were not checked, also with --quiet: any of them may be wrong."""
    note(*(f"kpki: {f'{file.host}: ' if file.host else ''}{file.path}: permission denied, "
           "not checked" for file in unread))
    if unread:
        note(f"kpki: hint: run kpki {command} as root")


def finding_document(finding: Finding) -> dict[str, object]:
    """A finding as JSON has it."""
    return {"cause": finding.cause, "severity": finding.severity, "host": finding.host,
            "path": finding.path, "row": finding.row or None, "message": finding.message,
            "got": finding.got, "expected": finding.expected, "remedy": list(finding.remedy),
            "page": finding.page}


def finding_lines(findings: Sequence[Finding]) -> Iterator[TerminalLine]:
    """The lines of findings, each with its commands."""
    printed = set[tuple[str, ...]]()
    for finding in findings:
        host = f"{finding.host}: " if finding.host else ""
        yield (Painted(f"{finding.severity:<8}", finding.severity),
               f" {finding.cause:<20} {host}{short(finding.path)}")
        yield f"         {short(finding.message)}"
        if finding.remedy in printed:
            yield "         (the same commands)"
        else:
            yield from (f"         {line}" if line.startswith("#")
                        else ("         ", Painted(f"$ {line}", "command"))
                        for line in finding.remedy)
            printed |= {finding.remedy} - {()}


def _explained(report: Report, path: str) -> Iterator[str]:
    from ..cluster.lifecycle.expiry import read_certificates
    from ..cluster.script.show_commands import pair_commands, show_commands
    from ..kubernetes.causes import CAUSES
    if report.uses:
        yield "kpki check checks the files that this host's components read (SOURCE names them):"
        yield from (f"  {line}" for line in table(report.uses))
    yield "kpki check asks of each file what the API server and the kubelet ask:"
    places = dict.fromkeys(place_in(path, found.host, found.path)
                           for found in read_certificates(path, host_name=host_name()).certificates)
    asked = "-subject -dates -ext subjectAltName,extendedKeyUsage"
    for line in (*(line for file in places for line in show_commands(file, asked)),
                 *pair_commands(path, report.uses)):
        yield f"  {line}"
    for cause in dict.fromkeys(finding.cause for finding in report.findings):
        yield CAUSES[cause].explanation


def _summary(report: Report) -> str:
    errors = sum(finding.severity == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    fine = "nothing wrong in what could be read" if report.unread else "nothing wrong"
    counts = [_counted(count, noun) for count, noun in ((errors, "error"), (warnings, "warning"))
              if count]
    count = f"({_counted(report.certificates, 'certificate')} read)"
    whose = f"{short(report.whose)} (looks like {report.distribution})" if report.distribution \
        else short(report.whose)
    if not (counts or report.certificates or report.unread):
        return f"kpki: {whose}: nothing to check, for no certificate is here"
    return f"kpki: {whose}: {', '.join(counts) or fine} {count}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
