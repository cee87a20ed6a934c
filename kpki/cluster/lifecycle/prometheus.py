"""Expiry as a text file for node_exporter's textfile collector.

Metrics and labels have the names of x509-certificate-exporter, so that its dashboards and alerts
work. The labels `host` and `row` are kpki's own.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .expiry import CertificateList, DatedCertificate
from ...clock import utc_now

if TYPE_CHECKING:
    from ...stages.names import Name

# The attributes of a name that have a label → the OID of each.
_ATTRIBUTES = {"C": "2.5.4.6", "CN": "2.5.4.3", "L": "2.5.4.7", "O": "2.5.4.10", "OU": "2.5.4.11",
               "ST": "2.5.4.8"}
_KINDS = {"users": "user", "clusters": "cluster"}   # the list of a kubeconfig → embedded_kind
_HELP = {
    "x509_cert_not_before": "The first moment of the validity of a certificate, in Unix time.",
    "x509_cert_not_after": "The last moment of the validity of a certificate, in Unix time.",
    "x509_cert_expired": "Whether a certificate has ended: 1 or 0.",
    "x509_cert_error": "A file whose certificates could not be read: 1.",
}
Labels = tuple[tuple[str, str], ...]


def prometheus_text(found: CertificateList, *, now: datetime | None = None) -> str:
    """The metrics of all certificates, and of the files that could not be read.

    *now* is the moment that says what has ended (UTC, None: the clock). Each series occurs once, as
    a scrape fails otherwise: of certificates with the same labels the first to end counts. A series
    has no timestamp, which node_exporter refuses.

    >>> found = kpki.read_certificates(host / "etc/kubernetes/pki")
    >>> kpki.prometheus_text(found, now=now).splitlines()[0].split()[:3]
    ['#', 'HELP', 'x509_cert_not_before']
    """
    now = now or utc_now()
    series = dict[Labels, DatedCertificate]()
    for certificate in found.certificates:
        series.setdefault(_labels(certificate, found.of_host), certificate)
    rows: dict[str, Sequence[tuple[Labels, int]]] = {
        "x509_cert_not_before": [(labels, int(certificate.not_before.timestamp()))
                                 for labels, certificate in series.items()],
        "x509_cert_not_after": [(labels, int(certificate.not_after.timestamp()))
                                for labels, certificate in series.items()],
        "x509_cert_expired": [(labels, int(certificate.not_after < now))
                              for labels, certificate in series.items()],
        "x509_cert_error": [(labels, 1) for labels in dict.fromkeys(
            _place(skipped.host, skipped.path, found.of_host) for skipped in found.skipped)],
    }
    return "".join(f"{line}\n" for name, values in rows.items() if values
                   for line in _metric(name, values))


def _metric(name: str, values: Sequence[tuple[Labels, int]]) -> Iterator[str]:
    yield f"# HELP {name} {_HELP[name]}"
    yield f"# TYPE {name} gauge"
    for labels, value in values:
        texts = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{name}{{{texts}}} {value}"


def _labels(certificate: DatedCertificate, of_host: bool) -> Labels:
    return (("serial_number", str(certificate.serial_number)),
            *_named("subject", certificate.subject), *_named("issuer", certificate.issuer),
            *_place(certificate.host, certificate.path, of_host), ("row", certificate.row))


def _named(prefix: str, name: Name) -> Iterator[tuple[str, str]]:
    for kind, oid in _ATTRIBUTES.items():
        yield f"{prefix}_{kind}", ",".join(part.text for part in name.attributes(oid))


def _place(host: str | None, path: str, of_host: bool) -> Labels:
    file, _, entry = path.partition("#")
    file = f"/{file}" if of_host or host else file      # a host's files by their paths on the host
    kind, _, key = entry.partition("/")
    return (("filename", file.rpartition("/")[2]), ("filepath", file),
            ("embedded_kind", _KINDS.get(kind, "")), ("embedded_key", key), ("host", host or ""))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
