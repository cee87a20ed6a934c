"""`kpki doctor`: what is wrong with this host now, on one screen."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .check import (
    NodeOption,
    ReportOption,
    finding_document,
    finding_lines,
    tell_unread,
    write_page,
)
from .common import ExplainOption, JsonOption, QuietOption, RootOption, Words, host_name, put_json
from .probe import seconds_of
from .terminal import Painted, TerminalLine, put, short
from ..clock import utc_now

if TYPE_CHECKING:
    from ..doctor.answers import Probe
    from ..doctor.host import HostCheck, HostReport

TimeoutOption = Annotated[str, typer.Option("--timeout", metavar="SECONDS", help=(
    "The time limit for each server; 0 asks no server."))]
_MARKS = {True: ("✓", "ok"), False: ("✗", "no"), None: ("-", "-")}


def doctor(root: RootOption = os.sep, node: NodeOption = None, timeout: TimeoutOption = "5",
           page: ReportOption = None, json: JsonOption = False, explain: ExplainOption = False,
           quiet: QuietOption = False) -> None:
    """Say what is wrong with this host, with the root cause and its commands last.

    The command reads files, processes and logs, and asks the servers. It changes nothing. Exit
    status 0: nothing is wrong; 1: an error, or a component must start or restart; 2: no error but a
    file that this user may not read.
    """
    from ..doctor.host import doctor as examine
    words = Words(quiet=quiet)
    report = examine(root, node=node, host_name=host_name(), timeout=seconds_of(timeout, least=0))
    if page is not None:
        write_page(page, report.files, root, utc_now(), words, report)
    if json:
        put_json(_document(report))
    else:
        put(f"{short(report.host)}", *(_line(check) for check in report.checks),
            *_causes(report))
    if explain:
        words.say(*_explained(report, root, node))
    words.warn(report.files.notes)
    words.say(_summary(report))
    tell_unread(report.files.unread, "doctor")
    if not report.ok:
        raise typer.Exit(1)
    if report.files.unread:
        raise typer.Exit(2)


def _line(check: HostCheck) -> TerminalLine:
    """One answer, with a tick or a cross; with a word if the terminal's encoding has no tick."""
    tick, word = _MARKS[check.ok]
    try:
        tick.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        tick = word
    return "  ", Painted(tick, "error" if check.ok is False else ""), f" {short(check.message)}"


def _causes(report: HostReport) -> Iterator[TerminalLine]:
    """The restarts, and the findings with the root cause last."""
    for restart in report.restarts:
        yield f"restart  {restart.component}: {short(restart.why)}"
        yield from (("         ", Painted(f"$ {line}", "command")) for line in restart.commands)
    yield from finding_lines([*report.findings][::-1])


def _document(report: HostReport) -> dict[str, Any]:
    return {"host": report.host,
            "checks": [{"name": check.name, "ok": check.ok, "message": check.message}
                       for check in report.checks],
            "findings": [finding_document(finding) for finding in report.findings],
            "restart": [{"component": restart.component, "why": restart.why,
                         "commands": [*restart.commands]} for restart in report.restarts],
            "unread": [{"host": file.host, "path": file.path} for file in report.files.unread]}


def _summary(report: HostReport) -> str:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    if errors:
        first = errors[0]
        where = f" ({first.path})" if first.path else ""
        return f"kpki: {short(report.host)}: the root cause is {first.cause}{short(where)}"
    if report.restarts:
        names = ", ".join(dict.fromkeys(restart.component for restart in report.restarts))
        return f"kpki: {short(report.host)}: restart {names}"
    if all(check.ok is None for check in report.checks):
        return f"kpki: {short(report.host)}: nothing was checked"
    return f"kpki: {short(report.host)}: " + (
        "nothing wrong" if report.ok else "see the crosses above; no certificate explains them")


def _explained(report: HostReport, root: str, node: str | None) -> Iterator[str]:
    """The commands of other programs that show what the report says."""
    from ..kubernetes.causes import CAUSES
    yield "kpki doctor reads what runs in /proc, checks the files that it reads, and asks servers."
    yield "The same with other programs:"
    lines = [line for check in report.checks for line in _by_hand(check, report, root, node)]
    yield from (f"  {line}" for line in dict.fromkeys(lines))
    yield ""
    yield from dict.fromkeys(CAUSES[finding.cause].explanation for finding in report.findings)


def _by_hand(check: HostCheck, report: HostReport, root: str, node: str | None) -> Iterator[str]:
    """The commands that show what a check says."""
    from shlex import quote
    place = check.message.partition(": ")[0]
    match check.name:
        case "files":
            yield f"kpki check {quote(root)}" + (f" --node {quote(node)}" if node else "")
        case "api-server" | "server":
            for probe in report.probes:
                if f"({probe.address})" in place:
                    yield from _presented(probe, root)
        case "clock":
            yield "date -u"
            yield from (f"curl -skI https://{probe.address}/version | grep -i '^date'"
                        for probe in report.probes if probe.date)
        case "restart":
            for restart in report.restarts:
                yield f"ps -o lstart= -C {restart.component}"
                yield from (f"stat -c '%y %n' {quote(os.path.join(root, path))}"
                            for path in restart.newer)
        case "log" if place.startswith("journalctl "):
            yield f"{place} --quiet --no-pager -n 400 | kpki diagnose -"
        case "log" if place.startswith(os.sep):
            yield f"tail -c 262144 {quote(os.path.join(root, place.lstrip(os.sep)))} | " \
                  "kpki diagnose -"
        case "log":
            yield "journalctl -u kubelet --quiet --no-pager -n 400"
        case component:
            yield f"ps -o pid=,lstart=,args= -C {component}"


def _presented(probe: Probe, root: str) -> Iterator[str]:
    """The commands that show what a server presents, and what its file has."""
    from shlex import quote
    shown = "openssl x509 -noout -serial -subject -enddate"
    yield (f"openssl s_client -connect {probe.address} -noservername < /dev/null 2> /dev/null | "
           f"{shown}")
    if probe.path and "#" not in probe.path:
        yield f"{shown} -in {quote(os.path.join(root, probe.path))}"
