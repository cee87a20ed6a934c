"""A report as one page of HTML: no script, no network, and no secret.

Each text is escaped. What looks like a key or a token in a text is left out.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from ..cluster.graph.reading import read_graph
from ..cluster.graph.svg import svg_text
from ..cluster.lifecycle.expiry import read_certificates
from ..cluster.observed.hosts import inventory_of, is_host_tree
from ..cluster.observed.uses import read_host
from ..errors import KpkiError

if TYPE_CHECKING:
    from .host import HostReport
    from ..cluster.check.check import Report
    from ..cluster.finding import Finding
    from ..cluster.observed.use import Use

_LEFT_OUT = "[left out: a secret]"
# A private key in PEM, the base64 of one in a kubeconfig, a bootstrap token, a JSON web token.
_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)"
    r"|\b(?:client-key-data|token|password)\b[\"']?\s*[:=]\s*\S+"
    r"|\bBearer\s+\S+|\b[a-z0-9]{6}\.[a-z0-9]{16}\b|\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?",
    re.DOTALL | re.IGNORECASE)
_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
       padding: 0 1rem; color: #1f2937; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem;
         border-bottom: 1px solid #e5e7eb; overflow-wrap: break-word }
.whole, .facts td:not(:last-child) { white-space: nowrap }
.facts td:not(:last-child) { width: 1% }
td code, .facts td:last-child { overflow-wrap: anywhere }
code, pre { font: 12px/1.5 ui-monospace, monospace }
pre { background: #f3f4f6; padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere }
.error { color: #b91c1c } .warning { color: #92400e } .ok { color: #047857 }
.wide { overflow-x: auto } .wide > table { min-width: 60rem }
"""
_MARKS = {True: ("ok", "✓"), False: ("error", "✗"), None: ("", "-")}


def report_page(report: Report, path: str, *, now: datetime, version: str, host_name: str = "",
                live: HostReport | None = None) -> str:
    """The page about a checked *path*; with *live* also what runs and what must restart.

    *version* is kpki's own, *host_name* this host's name. What cannot be read for a picture or for
    the dates is left out; the findings name the file.
    """
    name = live.host if live else report.whose
    findings = live.findings if live else report.findings
    parts = [
        *_section("What was asked", _checks(live) if live else ()),
        *_section("What must restart", _restarts(live) if live else ()),
        *_section("Findings, the root cause first" if live and len(findings) > 1 else "Findings",
                  _findings(findings)),
        *_section("When certificates end", _dates(path, host_name, now)),
        *_section("Who signs whom", _picture(path, host_name, now)),
        *_section("What components read", _uses(report, path)),
        *_section("Not read", _list(f"{file.host}: {file.path}" if file.host else file.path
                                    for file in report.unread))]
    when = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(name)}: certificates</title>", f"<style>{_STYLE}</style>", "</head>",
        "<body>", f"<h1>{_text(name)}: certificates</h1>",
        f"<p>{_counted(findings)} {report.certificates} "
        f"certificate{'s' * (report.certificates != 1)} read at {when} by kpki "
        f"{_text(version)}. The page has no private key and no token.</p>", *parts, "</body>",
        "</html>", ""])


def _text(text: object) -> str:
    """A text for HTML, without secrets and without invisible characters."""
    plain = _SECRET.sub(_LEFT_OUT, str(text))
    return escape("".join(letter if letter.isprintable() or letter == "\n" else "\ufffd"
                          for letter in plain))


def _counted(findings: Sequence[Finding]) -> str:
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    return f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}."


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A section with its heading; nothing without lines."""
    inner = [*lines]
    if inner:
        yield f"<h2>{title}</h2>"
        yield from inner


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are HTML already; nothing without rows. Facts have no head."""
    body = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    if body:
        yield '<div class="wide"><table>' if head else '<div><table class="facts">'
        yield from [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"] if head else []
        yield from body
        yield "</table></div>"


def _list(items: Iterable[str]) -> Iterator[str]:
    lines = [f"<li><code>{_text(item)}</code></li>" for item in items]
    return iter(["<ul>", *lines, "</ul>"] if lines else [])


def _checks(live: HostReport) -> Iterator[str]:
    marks = ((*_MARKS[check.ok], check) for check in live.checks)
    return _table((), ((f'<span class="{kind}">{mark}</span>', _text(check.name),
                         _text(check.message)) for kind, mark, check in marks))


def _restarts(live: HostReport) -> Iterator[str]:
    for restart in live.restarts:
        yield f"<p><strong>{_text(restart.component)}</strong>: {_text(restart.why)}</p>"
        yield from _commands(restart.commands)


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    shown = list[Sequence[str]]()
    for finding in findings:
        host = f"{finding.host}: " if finding.host else ""
        yield (f'<p><span class="{finding.severity}">{finding.severity} '
               f"<strong>{_text(finding.cause)}</strong></span> "
               f"<code>{_text(host + finding.path)}</code><br>{_text(finding.message)}</p>")
        said = [(name, _text(value)) for name, value in (("found", finding.got),
                                                         ("expected", finding.expected)) if value]
        yield from _table((), said)
        yield from ["<p>(the same commands)</p>"] if finding.remedy and finding.remedy in shown \
            else _commands(finding.remedy)
        shown.append(finding.remedy)
    if not findings:
        yield '<p class="ok">Nothing is wrong in what could be read.</p>'


def _commands(commands: Sequence[str]) -> Iterator[str]:
    if commands:
        yield f"<pre>{_text(chr(10).join(commands))}</pre>"


def _dates(path: str, host_name: str, now: datetime) -> Iterator[str]:
    try:
        found = read_certificates(path, host_name=host_name).certificates
    except KpkiError:
        return
    rows = []
    for certificate in found:
        days = certificate.days_left(now)
        kind = "error" if days < 0 else "warning" if days < 30 else ""     # a month
        host = f"{certificate.host}: " if certificate.host else ""
        rows.append((f'<span class="whole {kind}">{certificate.not_after:%Y-%m-%d %H:%M:%S}</span>',
                     str(days), f"<code>{_text(host + certificate.path)}</code>",
                     _text(certificate.row or ", ".join(certificate.usages)),
                     _text(certificate.subject.rfc4514()), _text(certificate.issuer.rfc4514())))
    yield from _table(("End (UTC)", "Days left", "File", "For", "Subject", "Issuer"), rows)


def _picture(path: str, host_name: str, now: datetime) -> Iterator[str]:
    try:
        picture = svg_text(read_graph(path, host_name=host_name), now=now)
    except KpkiError:
        return
    yield f'<div class="wide">{picture}</div>'


def _uses(report: Report, path: str) -> Iterator[str]:
    uses = report.uses or _uses_at(path)
    return _table(("Component", "Setting", "Path", "Purpose", "Source"), (
        (_text(use.component), f"<code>{_text(use.setting)}</code>",
         f"<code>{_text(use.path)}</code>", _text(use.purpose),
         f"<code>{_text(use.source or 'layout')}</code>") for use in uses))


def _uses_at(path: str) -> Sequence[Use]:
    """The uses of a host's tree in a workspace, whose report has none; empty for other paths."""
    try:
        host = read_host(path)
        return inventory_of(path, host).uses if is_host_tree(path, host) else ()
    except KpkiError:
        return ()
