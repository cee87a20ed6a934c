"""`kpki expiry`: when certificates end."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import (
    AtOption,
    ExplainOption,
    JsonOption,
    OutFileOption,
    PathArgument,
    QuietOption,
    Words,
    columns,
    host_name,
    json_lines,
    moment_of,
    place_in,
    place_of,
    put_or_write,
    span_of,
    stamp,
)
from .terminal import Painted, TerminalLine, note
from ..errors import InputError

if TYPE_CHECKING:
    from ..cluster.lifecycle.expiry import CertificateList, DatedCertificate

EXPIRY_FORMATS = ("table", "prometheus")
WithinOption = Annotated[str, typer.Option("--within", metavar="SPAN", help=(
    "What ends in this time makes the exit status 1: 30d, 12h."))]
FormatOption = Annotated[str, typer.Option(
    "--format", metavar="F", autocompletion=lambda: EXPIRY_FORMATS,
    help="table; prometheus: a text file for node_exporter.")]
_HEAD = ("END", "DAYS", "FILE", "FOR", "SUBJECT", "ISSUER")


def expiry(path: PathArgument = None, within: WithinOption = "30d", form: FormatOption = "table",
           out: OutFileOption = None, at: AtOption = None, json: JsonOption = False,
           explain: ExplainOption = False, quiet: QuietOption = False) -> None:
    """Say when certificates end, the first to end first.

    Exit status 0: no certificate has ended, or ends soon; 1: a certificate has ended, or ends
    within the time; 2: there is no certificate, or else a file could not be read.
    """
    from ..cluster.lifecycle.expiry import read_certificates
    words, now, span = Words(quiet=quiet), moment_of(at), span_of("--within", within)
    if form not in EXPIRY_FORMATS:
        raise InputError(f"--format: {form!r} is none of {', '.join(EXPIRY_FORMATS)}")
    if json and form != "table":
        raise InputError("--json and --format are two forms of one answer",
                         hint="leave out one of the two")
    path = place_of(path)
    found = read_certificates(path, host_name=host_name())
    _answer(found, out, words, form="json" if json else form, span=span, now=now)
    if explain:
        words.say(*_explained(path, found))
    ending = found.ending(span, now)
    words.say(_summary(path, found, ending, within, now))
    note(*(f"kpki: {f'{skipped.host}: ' if skipped.host else ''}{skipped.path}: {skipped.reason}, "
           "not counted" for skipped in found.skipped))
    if ending:
        raise typer.Exit(1)
    if found.skipped or not found.certificates:
        raise typer.Exit(2)


def _answer(found: CertificateList, out: str | None, words: Words, *, form: str, span: timedelta,
            now: datetime) -> None:
    """Print the answer, or write it to the file *out*."""
    if form == "prometheus":
        from ..cluster.lifecycle.prometheus import prometheus_text
        lines: Iterable[TerminalLine] = prometheus_text(found, now=now).splitlines()
    elif form == "json":
        lines = json_lines({
            "certificates": [_document(certificate, now) for certificate in found.certificates],
            "unread": [{"host": skipped.host, "path": skipped.path, "message": skipped.reason}
                       for skipped in found.skipped]})
    else:
        lines = _table(found, span, now)
    put_or_write(lines, out, words)


def _table(found: CertificateList, span: timedelta, now: datetime) -> Iterator[TerminalLine]:
    if not found.certificates:
        return
    rows = columns(_Rows(found, now))
    yield "  ".join(next(rows)).rstrip()
    for certificate, cells in zip(found.certificates, rows, strict=True):
        dates, rest = "  ".join(cells[:2]), "  ".join(cells[2:]).rstrip()
        if not certificate.ends_within(span, now):
            yield f"{dates}  {rest}"
            continue
        ended = certificate.not_after < now
        yield Painted(dates, "error" if ended else "warning"), f"  {rest}"


class _Rows:
    """The head and the rows of the table, made anew each time that they are read."""

    def __init__(self, found: CertificateList, now: datetime) -> None:
        self._found, self._now = found, now

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        yield _HEAD
        for certificate in self._found.certificates:
            yield _row(certificate, self._now)


def _row(certificate: DatedCertificate, now: datetime) -> tuple[str, ...]:
    host = f"{certificate.host}: " if certificate.host else ""
    return (stamp(certificate.not_after), str(certificate.days_left(now)),
            f"{host}{certificate.path}",
            certificate.row or f"({', '.join(certificate.usages) or 'no usage'})",
            certificate.subject.rfc4514(), certificate.issuer.rfc4514())


def _document(certificate: DatedCertificate, now: datetime) -> dict[str, Any]:
    return {"host": certificate.host, "path": certificate.path, "row": certificate.row or None,
            "subject": certificate.subject.rfc4514(), "issuer": certificate.issuer.rfc4514(),
            "not_before": stamp(certificate.not_before), "not_after": stamp(certificate.not_after),
            "days_left": certificate.days_left(now), "usages": list(certificate.usages),
            "serial": f"{certificate.serial_number:X}"}


def _summary(path: str, found: CertificateList, ending: tuple[DatedCertificate, ...], within: str,
             now: datetime) -> str:
    count = len(found.certificates)
    if not count:
        return f"kpki: {path}: no certificate"
    ended = sum(certificate.not_after < now for certificate in ending)
    soon = len(ending) - ended
    counts = [f"{ended} ended"] * bool(ended)
    counts += [f"{soon} end{'s' * (soon == 1)} within {within}"] * bool(soon)
    return (f"kpki: {path}: {count} certificate{'s' * (count != 1)}"
            f", {', '.join(counts) or f'none ends within {within}'}")


def _explained(path: str, found: CertificateList) -> Iterator[str]:
    from ..cluster.script.show_commands import show_commands
    yield "kpki expiry reads the end of each certificate, in bundles and kubeconfigs too:"
    for file in dict.fromkeys(place_in(path, certificate.host, certificate.path)
                              for certificate in found.certificates):
        yield from (f"  {line}"
                    for line in show_commands(file, "-enddate -subject -issuer"))
    yield "With -checkend SECONDS openssl x509 has status 1 for a certificate that ends soon."
    yield "Of a host kpki counts the files that a component reads: kpki uses /"
