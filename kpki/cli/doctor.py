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
        words.say(*_explained(report))
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
    return f"kpki: {short(report.host)}: " + (
        "nothing wrong" if report.ok else "see the crosses above; no certificate explains them")


# name of a check → how a person sees the same
_BY_HAND = {
    "kubelet": "systemctl status kubelet; tr '\\0' ' ' < /proc/$(pidof kubelet)/cmdline",
    "files": "kpki check /",
    "api-server": "kubectl --kubeconfig /etc/kubernetes/kubelet.conf get --raw /version",
    "server": "openssl s_client -connect HOST:PORT -noservername </dev/null | openssl x509 "
              "-noout -serial; openssl x509 -noout -serial -in FILE",
    "clock": "date -u; curl -skI https://API-SERVER:6443/version | grep -i '^date'",
    "restart": "stat -c %y FILE; ps -o lstart= -p $(pidof COMPONENT)",
    "log": "journalctl -u kubelet -n 400 | kpki diagnose -",
}


def _explained(report: HostReport) -> Iterator[str]:
    yield "kpki doctor reads what runs in /proc, checks the files that it reads, and asks servers:"
    for name in dict.fromkeys(check.name for check in report.checks):
        by_hand = _BY_HAND.get(name, f"pidof {name}; systemctl status {name}; crictl ps")
        yield f"  {name}: {by_hand}"
    from ..kubernetes.causes import CAUSES
    for cause in dict.fromkeys(finding.cause for finding in report.findings):
        yield CAUSES[cause].explanation
