"""What is wrong with a host now: its files, its processes, its servers, its clock and its log."""
from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from .restarts import Restart, restarts_of
from ..clock import utc_now
from ..cluster.check.check import Report, check_read
from ..cluster.finding import Finding
from ..cluster.observed.hosts import inventory_of
from ..cluster.observed.inventory import Inventory
from ..cluster.observed.processes import Process, read_processes
from ..cluster.observed.use import Use
from ..cluster.observed.uses import read_host
from ..kubernetes.listeners import TIMEOUT

if TYPE_CHECKING:
    from .answers import Probe
    from .logs import Diagnosis

PROC = "/proc"
_SKEW = timedelta(minutes=5)
_CALLED = "kube-apiserver, called by "
_IMAGE = re.compile(r"image: *[\"']?\S*/(kube-[\w-]+):v1\.(\d+)\.")
_FOLLOWS = ("remote-alert", "unauthorized-after-ca-rotation")


@dataclass(frozen=True, slots=True)
class HostCheck:
    """One question about a host, and the answer.

    >>> check, = kpki.examine_host(host, node="worker-1", now=now).checks
    >>> check.name, check.ok
    ('files', False)
    """

    name: str
    """The subject: `kubelet`, `files`, `api-server`, `clock`, `server`, `restart`, `log`."""
    ok: bool | None
    """Whether all is well; None if that could not be seen."""
    message: str
    """The answer in a sentence."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """The report on a host.

    >>> report = kpki.examine_host(host, node="worker-1", now=now)
    >>> report.ok, [finding.path for finding in report.findings]
    (False, ['etc/kubernetes/kubelet.conf'])
    """

    host: str
    """The name of the host's node, or the root if no file tells the name."""
    checks: tuple[HostCheck, ...]
    """The questions and answers, in the order in which a person would ask."""
    findings: tuple[Finding, ...]
    """The faults with their remedies, the root cause first; symptoms are left out."""
    restarts: tuple[Restart, ...]
    """The components that must restart."""
    files: Report
    """The report of `check` on the files."""
    probes: tuple[Probe, ...] = ()
    """The answers of the servers."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.severity == "error" for finding in self.findings) \
            and all(check.ok is not False for check in self.checks)


def doctor(root: str | os.PathLike[str] = "/", *, node: str | None = None, host_name: str = "",
           proc: str | None = None, timeout: float = TIMEOUT,
           now: datetime | None = None) -> HostReport:
    """Examine a host: files, processes, servers, clock and logs. Nothing is changed.

    *root* is the host's root tree. *node* is the name of its node, *host_name* the name of this
    host, for `/`. *proc* is the folder of the host's processes (None: /proc for the root `/`, else
    none). Without processes only files and logs are examined. *timeout* is the limit in seconds for
    each server; 0 asks no server. *now* is the moment (UTC, None: the clock). Raises FileError if
    *root* cannot be read.

    >>> report = kpki.examine_host(host, node="worker-1", now=now)
    >>> [check.message for check in report.checks], report.findings[0].cause
    (['1 error in the files (1 certificate read)'], 'file-missing')
    """
    root, began, moment = os.fspath(root), monotonic(), now or utc_now()
    live = os.path.abspath(root) == os.sep
    proc = proc or (PROC if live else None)
    processes = read_processes(proc) if proc else []
    host = read_host(root, processes=processes)
    inventory = inventory_of(root, host)
    probes = _probes(inventory, timeout, moment) if proc and timeout else []
    skew = _skew(probes, moment + timedelta(seconds=monotonic() - began))
    # by a wrong clock, right files would have ended, or not begun
    report = check_read(root, host, now=moment if skew is None else moment - skew,
                        host_name=host_name, node=node)
    restarts = tuple(restarts_of(
        inventory, processes, host.outdated, _minor(inventory),
        {probe.path: probe.same_as_file for probe in probes if probe.same_as_file is not None}))
    checks = [*_running(inventory, processes, proc), _files(report),
              *_answers(probes), *_clock(skew), *_restarts(restarts, processes)]
    ill = any(check.ok is False for check in checks)
    logs = [*_logs(root, inventory, processes, journal=live and proc == PROC)]
    checks += [_log(component, place, found, ill=ill) for component, place, found in logs]
    if proc and "kubelet" in inventory.started and not any(name == "kubelet" for name, *_ in logs):
        checks.append(HostCheck("log", None, "the kubelet's log was not read: there is no file, "
                                             "and the journal has no line for this user"))
    findings = [*_whole_pairs(report.findings, inventory.uses)]
    if not any(finding.severity == "error" for finding in findings):
        findings = [*_live(skew, probes, [found for _, _, found in logs] if ill else []),
                    *findings]
    return HostReport(report.whose, tuple(checks), tuple(findings), restarts, report,
                      tuple(probes))


def _probes(inventory: Inventory, timeout: float, now: datetime) -> Sequence[Probe]:
    """The answers of the host's servers, and of those that its clients call."""
    from .answers import probe_all  # a tree without processes has no servers
    from .servers import host_targets
    return probe_all(host_targets(inventory, live=True), timeout=timeout, now=now)


def _skew(probes: Sequence[Probe], now: datetime) -> timedelta | None:
    """How much this host's clock is ahead of an API server's, if over 5 minutes; else None."""
    skews = [now - probe.date for probe in probes
             if probe.date is not None and probe.component.startswith("kube-apiserver")]
    return skews[0] if skews and abs(skews[0]) > _SKEW else None


def _minor(inventory: Inventory) -> int | None:
    """The minor version of Kubernetes, by the images of static pods."""
    found = [int(minor) for running in inventory.running if running.static
             for _, minor in _IMAGE.findall(
                 (inventory.file(running.source).data or b"").decode("utf-8", "replace"))]
    return min(found, default=None)


def _running(inventory: Inventory, processes: Sequence[Process],
             proc: str | None) -> Iterator[HostCheck]:
    """Whether each component runs that the host starts with files of its own, the kubelet first."""
    started = sorted({use.component for use in inventory.uses if inventory.file(use.file).there}
                     & inventory.started, key=lambda name: (name != "kubelet", name))
    for component in started if proc else ():
        runs = next((process for process in processes if process.component == component), None)
        yield HostCheck(component, runs is not None,
                        f"{component} does not run" if runs is None else
                        f"{component} runs since {runs.since:%Y-%m-%dT%H:%M:%SZ} "
                        f"(process {runs.pid})" + ("" if runs.whole else
                                                   ", whose settings this user may not read"))


def _files(report: Report) -> HostCheck:
    errors = sum(finding.severity == "error" for finding in report.findings)
    count = f"{report.certificates} certificate{'s' * (report.certificates != 1)} read"
    if errors:
        return HostCheck("files", False, f"{errors} error{'s' * (errors != 1)} in the files "
                                         f"({count})")
    if report.unread:
        closed = ", ".join(file.path for file in report.unread)
        return HostCheck("files", None, f"permission denied, not checked: {closed}; "
                                        f"nothing wrong in the rest ({count})")
    if not report.certificates:
        return HostCheck("files", None, "no certificate is here, so no file was checked")
    return HostCheck("files", True, f"the files are right ({count})")


def _answers(probes: Sequence[Probe]) -> Iterator[HostCheck]:
    """What each server said, those of the API server's clients first."""
    for probe in sorted(probes, key=lambda probe: not probe.component.startswith(_CALLED)):
        called = "called by" in probe.component
        name = "api-server" if probe.component.startswith(_CALLED) else "server"
        where = f"{probe.component} ({probe.address})"
        if fault := _fault(probe):
            yield HostCheck(name, False, f"{where}: {fault[1]}")
        elif called:
            accepted = f", and accepts {probe.client_path}" if probe.client == "ok" else ""
            yield HostCheck(name, True, f"{where} answers{accepted}")
        else:
            same = f"presents {probe.path}" if probe.same_as_file else "answers"
            yield HostCheck(name, True, f"{where} {same}")


def _fault(probe: Probe) -> tuple[str | None, str] | None:
    """The cause and the fact of a server's refusal; the cause is None if there is no answer."""
    if probe.problem:
        return None, probe.problem
    if probe.verdict and not probe.verdict.ok:
        return probe.verdict.cause, f"clients refuse its certificate: {probe.verdict.reason}"
    if probe.client not in ("", "ok"):
        return probe.client_cause, f"refuses {probe.client_path}: {probe.client}"
    if probe.same_as_file is False:
        return "stale-served", f"presents another certificate than {probe.path}"
    return None


def _clock(skew: timedelta | None) -> Iterator[HostCheck]:
    if skew is not None:
        yield HostCheck("clock", False, _skewed(skew))


def _skewed(skew: timedelta) -> str:
    ahead = "fast" if skew > timedelta(0) else "slow"
    return (f"this host's clock is {abs(skew).total_seconds() / 60:.0f} minutes {ahead}, by the "
            "API server's clock")


def _restarts(restarts: Sequence[Restart], processes: Sequence[Process]) -> Iterator[HostCheck]:
    for restart in restarts:
        yield HostCheck("restart", False, f"{restart.component}: restart needed: {restart.why}")
    if processes and not restarts:
        yield HostCheck("restart", True, "no component must restart")


def _logs(root: str, inventory: Inventory, processes: Sequence[Process], *,
          journal: bool) -> Iterator[tuple[str, str, Sequence[Diagnosis]]]:
    """Component, name of the log, and the faults in its last lines, of each log that is there."""
    if not inventory.running:
        return
    from .journal import last_lines
    from .logs import diagnose
    from .summary import summarize
    for running in inventory.running:
        mine = [process.since for process in processes if process.component == running.component]
        lines, place = last_lines(root, running, journal=journal, since=max(mine, default=None))
        if place:
            yield running.component, place, summarize(diagnose(lines, component=running.component))


def _log(component: str, place: str, found: Sequence[Diagnosis], *, ill: bool) -> HostCheck:
    """What the log says last; a fault that has left no trace is old news."""
    if not found:
        return HostCheck("log", True, f"{place}: no fault of a certificate in the last lines")
    last = max(found, key=lambda fault: fault.last_line)
    return HostCheck("log", False if ill else None,
                     f"{place}: {component} says {last.cause}, last in: {last.text}")


def _whole_pairs(findings: Sequence[Finding], uses: Sequence[Use]) -> Iterator[Finding]:
    """The findings, but one for a pair whose certificate and key are both gone."""
    gone = {finding.path: finding for finding in findings if finding.cause == "file-missing"}
    keys = {use.group: use.path for use in uses if use.part == "key" and use.path in gone}
    key_of = {use.path: keys[use.group] for use in uses
              if use.part == "certificate" and use.path in gone and use.group in keys}
    # a host of a workspace, whose description tells the row of each file
    key_of |= {path: key for path, finding in gone.items() if finding.row
               for key in _keys_beside(path)
               if key in gone and gone[key].row == finding.row and key != path}
    for finding in findings:
        if finding.path not in gone or finding.cause != "file-missing":
            yield finding
        elif finding.path in key_of:
            key = gone[key_of[finding.path]]
            yield replace(
                finding, message=f"{finding.message}; the pair's key is missing too: {key.path}",
                remedy=tuple(dict.fromkeys([*finding.remedy, *key.remedy])))
        elif finding.path not in key_of.values():
            yield finding


def _keys_beside(path: str) -> Sequence[str]:
    """The names that the key of a certificate has in the layouts."""
    stem = os.path.splitext(path)[0]
    return f"{stem}.key", f"{stem}-key.pem"


def _live(skew: timedelta | None, probes: Sequence[Probe],
          logs: Sequence[Sequence[Diagnosis]]) -> Iterator[Finding]:
    """The root cause that no file shows: the clock, else servers, else what the logs say."""
    if skew is not None:
        yield Finding("clock-skew", "", "", _skewed(skew),
                      remedy=("timedatectl", "systemctl restart chronyd"))
        return
    refused = {fault[0]: (probe, fault[1]) for probe in reversed(probes)
               if (fault := _fault(probe)) and fault[0]}
    # who refuses, and why, is more than the word that somebody refuses
    causes = [cause for cause in refused if cause not in _FOLLOWS] or [*refused]
    for cause in causes:
        probe, fact = refused[cause]
        stale = cause == "stale-served"
        yield Finding(cause or "", probe.path if stale else probe.client_path,
                      "", f"{probe.component} ({probe.address}) {fact}",
                      remedy=probe.restart if stale else
                      (f"# on the host of {probe.address}: kpki check /",))
    if not refused:
        in_logs = [fault for found in logs for fault in found if not fault.follows_from]
        for last in sorted(in_logs, key=lambda fault: -fault.last_line)[:1]:
            yield Finding(last.cause, last.facts.get("file", "").lstrip("/"), "", last.text,
                          remedy=last.remedy)
