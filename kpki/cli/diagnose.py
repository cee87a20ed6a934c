"""`kpki diagnose`: what a log says about certificates."""
from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import (
    AtOption,
    ExplainOption,
    JsonOption,
    QuietOption,
    Words,
    host_name,
    moment_of,
    put_json,
)
from .terminal import Painted, TerminalLine, put, short
from .. import files
from ..errors import InputError

if TYPE_CHECKING:
    from ..cluster.check.check import Report
    from ..doctor.logs import Diagnosis, Root, UnknownLine

LogArgument = Annotated[str, typer.Argument(metavar="[LOG]", help=(
    "A log of any component, also in gzip or UTF-16; - is standard input."))]
RootOption = Annotated[str | None, typer.Option("--root", metavar="DIR", help=(
    "Check the files of this host (/), and name the file that is the root."))]
WorkspaceOption = Annotated[str | None, typer.Option("--workspace", metavar="DIR", help=(
    "Check the files of this workspace, and name the file that is the root."))]
_STDIN = "-"
_MOST_UNKNOWN = 100     # unknown lines that are kept; more are counted
_SHOWN_UNKNOWN = 10     # and printed


def diagnose(log: LogArgument = _STDIN, root: RootOption = None, workspace: WorkspaceOption = None,
             at: AtOption = None, json: JsonOption = False, explain: ExplainOption = False,
             quiet: QuietOption = False) -> None:
    """Name the faults of certificates that a log tells of, with what to do.

    A line without such a fault has no cause. Exit status 0: no cause found; 1: a cause found; 2:
    the log cannot be read.
    """
    from ..doctor.logs import diagnose_log
    from ..doctor.sieve import BLOCK
    from ..doctor.summary import summarize
    if root is not None and workspace is not None:
        raise InputError("--root and --workspace are two places of files",
                         hint="leave out one of the two")
    words, now, unknown = Words(quiet=quiet), moment_of(at), _Unknown()
    blocks = _standard_input(BLOCK, words) if log == _STDIN else files.read_blocks(log, BLOCK)
    found = summarize(diagnose_log(blocks, log, unknown=unknown.add))
    report = _report(root or workspace, found, now)
    if report:
        from ..doctor.roots import with_roots
        found = with_roots(found, report)
    if json:
        put_json({"diagnoses": [_document(diagnosis, report) for diagnosis in found],
                  "unknown": [{"line": line.line, "text": line.text} for line in unknown.lines]})
    else:
        put(*(line for diagnosis in found for line in _lines(diagnosis, report)),
            *unknown.shown())
    if explain:
        words.say(*_EXPLAINED, *(f"  {line}" for line in _by_hand(log, found)))
    words.say(_summary(log, found, unknown))
    if found:
        raise typer.Exit(1)


class _Unknown:
    """The lines that look like trouble with TLS and that no rule knows."""

    def __init__(self) -> None:
        self.lines, self.count = list[Any](), 0

    def add(self, line: UnknownLine) -> None:
        self.count += 1
        if len(self.lines) < _MOST_UNKNOWN:
            self.lines.append(line)

    def shown(self) -> Iterator[TerminalLine]:
        for line in self.lines[:_SHOWN_UNKNOWN]:
            yield f"unknown  line {line.line}"
            yield f"         {short(line.text)}"


def _standard_input(size: int, words: Words) -> Iterator[bytes]:
    if sys.stdin.isatty():
        words.say("kpki: the log, then Ctrl-D:")
    while block := sys.stdin.buffer.read(size):
        yield block


def _report(place: str | None, found: Sequence[Diagnosis], now: Any) -> Report | None:
    """What `check` finds in the files, if the log has a cause."""
    if place is None or not found:
        return None
    from ..cluster.check.check import check
    return check(place, now=now, host_name=host_name())


def _lines(found: Diagnosis, report: Report | None) -> Iterator[TerminalLine]:
    from ..kubernetes.causes import CAUSES
    severity = CAUSES[found.cause].severity if found.cause in CAUSES else "error"
    yield Painted(f"{severity:<8}", severity), f" {found.cause:<20} {_place(found)}"
    yield f"         {short(found.text)}"
    if found.follows_from:
        yield f"         this follows from {found.follows_from}"
        return
    yield f"         {found.meaning}"
    yield f"         {found.is_not}"
    if found.roots:
        for root in found.roots:
            yield from _root_lines(root)
        return
    if report:
        yield (f"         {short(report.whose)}: no file explains this: look at the other side's "
               "files,")
        yield "         or restart the component, if its files are newer than its start"
    yield from (f"         {line}" if line.startswith("#")
                else ("         ", Painted(f"$ {line}", "command")) for line in found.remedy)


def _root_lines(root: Root) -> Iterator[TerminalLine]:
    finding = root.finding
    host = f"{finding.host}: " if finding.host else ""
    role = f", {root.role}" if root.role else ""
    yield f"         root: {host}{short(finding.path)}{role}: {finding.cause}"
    yield f"         {short(finding.message)}"
    if root.instead:
        yield (f"         or {short(' or '.join(root.instead))} is the wrong file: no file of this "
               "host tells which,")
        yield "         but the CA file of a control-plane host does"
    yield from (f"         {line}" if line.startswith("#")
                else ("         ", Painted(f"$ {line}", "command")) for line in finding.remedy)


def _place(found: Diagnosis) -> str:
    """Where and when a log says so, and who says so."""
    parts = [f"line {found.line}"]
    if found.count > 1:
        parts = [f"{found.count} lines, {found.line} to {found.last_line}"]
    if found.time:
        parts.append(found.time if found.last_time in ("", found.time)
                     else f"{found.time} to {found.last_time}")
    return ", ".join([*parts, *filter(None, [found.component])])


def _document(found: Diagnosis, report: Report | None) -> dict[str, object]:
    document: dict[str, object] = {
        "cause": found.cause, "line": found.line, "count": found.count,
        "last_line": found.last_line, "time": found.time or None,
        "last_time": found.last_time or None, "component": found.component or None,
        "text": found.text, "meaning": found.meaning, "is_not": found.is_not,
        "follows_from": found.follows_from or None, "facts": dict(found.facts),
        "remedy": list(found.remedy)}
    if report:
        document["roots"] = [
            {"role": role or None, "cause": finding.cause, "host": finding.host,
             "path": finding.path, "message": finding.message, "instead": list(instead),
             "remedy": list(finding.remedy)}
            for role, finding, instead in found.roots]
    return document


def _summary(log: str, found: Sequence[Diagnosis], unknown: _Unknown) -> str:
    name = "standard input" if log == _STDIN else short(log)
    count = len({diagnosis.cause for diagnosis in found})
    counts = [f"{count} cause{'s' * (count != 1)}" if count else "no fault of a certificate"]
    if unknown.count:
        counts.append(f"{unknown.count} unknown line{'s' * (unknown.count != 1)} about TLS")
    return f"kpki: {name}: {', '.join(counts)}"


_EXPLAINED = (
    "kpki diagnose compares each line with the words of Go, OpenSSL and Kubernetes for each cause:",
    "the text after the last x509: counts, and a missing file before what fails without the file.",
    "docs/causes.md describes every cause. With --root, kpki check says which file is wrong.",
    "The lines by hand, the first of each cause:")


def _by_hand(log: str, found: Sequence[Diagnosis]) -> Iterator[str]:
    """The commands that print the lines of a log that tell of a fault."""
    from shlex import quote
    head = b"" if log == _STDIN else next(iter(files.read_blocks(log, 4)), b"")
    unpacked = next((f"{reader} {quote(log)} | " for magic, reader in _READERS.items()
                     if head.startswith(magic)), "")
    for line in sorted({diagnosis.line for diagnosis in found}):
        yield f"{unpacked}sed -n {line}p" + ("" if unpacked or log == _STDIN else f" {quote(log)}")


# The first octets of a log → what prints the log as text.
_READERS = {b"\x1f\x8b": "zcat", b"\xff\xfe": "iconv -f UTF-16", b"\xfe\xff": "iconv -f UTF-16"}
