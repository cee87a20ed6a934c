"""Whether Kubernetes accepts a certificate: the verdict of Go's crypto/x509.

Kubernetes' components verify certificates with that package. The verdict is that of Go 1.26, in
Go's own words. Notes tell where other versions of Go, or the handshake that follows, differ.
"""
from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .go import pem
from .go.addresses import parse_ip
from .go.certificate import Certificate, parse
from .go.chains import USAGES, pool_of, verify
from .go.der import GoError
from .go.times import moment_of
from ..clock import utc_now
from ..errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Loaded

# (what a refusal is about, "" for anything; a pattern in Go's sentence) → cause. The first match
# wins.
_CAUSES = (
    ("reading", "", "malformed-x509"),
    ("unnamed", "", "legacy-cn-no-san"),
    ("name", "", "missing-san-dns"),
    ("address", "", "missing-san-ip"),
    ("", "current time .* is before", "not-yet-valid"),
    ("ca", "^x509: certificate has expired", "expired-ca"),
    ("leaf", "^x509: certificate has expired", "expired-{use}-cert"),
    ("", "incompatible key usage$", "wrong-eku"),
    ("", "too many intermediates", "chain-depth"),
    ("", "parent certificate cannot sign|not authorized to sign other certificates", "ca-not-a-ca"),
    ("", "insecure algorithm|keys are insecure|uses no RSA keys|algorithm unimplemented"
         "|public (?:exponent|modulus)", "weak-signature-or-key"),
    ("", "unhandled critical extension|for this name: |invalid policies", "malformed-x509"),
    ("", "", "unknown-authority"),
)
_API_SERVER = "data does not contain any valid RSA or ECDSA certificates"
_PEM_HINT = "only blocks -----BEGIN CERTIFICATE----- without headers count"


@dataclass(frozen=True, slots=True)
class KubernetesVerdict:
    """Whether Kubernetes accepts a certificate, and why.

    >>> verdict = kpki.verify_kubernetes(certificate, [ca], purpose="sslclient", now=now)
    >>> verdict.ok, verdict.reason
    (True, 'ok')
    """

    ok: bool
    reason: str
    """"ok", or Go's sentence."""
    cause: str | None = None
    """The slug of the cause (docs/causes.md), or None."""
    notes: tuple[str, ...] = ()
    """Sentences about other verdicts: of Go 1.24 or 1.27, of a handshake, of the API server."""


def verify_kubernetes(certificate: Loaded | bytes, roots: Iterable[Loaded | bytes], *,
                      untrusted: Iterable[Loaded | bytes] = (), purpose: str = "sslserver",
                      hostname: str | None = None, ip: str | None = None,
                      now: datetime | None = None) -> KubernetesVerdict:
    """Whether a Kubernetes component accepts a certificate (Go 1.26, Certificate.Verify).

    Certificates are objects or DER. *roots* are the certificates of the CA file, *untrusted* those
    that the peer sends beside its own. *purpose* is sslserver (client-go verifies a server),
    sslclient (the API server verifies a client) or any. The certificate must be for *hostname*, a
    name or an address, and for the address *ip*, if given. *now* is the moment (UTC; None for the
    clock). A faulty certificate gives a verdict.
    Raises InputError for an unknown purpose, and for an *ip* that is no address.

    >>> verdict = kpki.verify_kubernetes(certificate, [ca], hostname="worker-2", now=now)
    >>> verdict.cause, verdict.reason
    ('missing-san-dns', 'x509: certificate is valid for worker-1, not worker-2')
    """
    validate_purpose(purpose)
    if ip is not None and parse_ip(ip) is None:
        raise InputError(f"bad ip address: value={ip}")
    notes: tuple[str | None, ...] = ()
    try:
        trusted = pool_of(tuple(map(_der, roots)))
        leaf = parse(_der(certificate))
        sent = pool_of(tuple(map(_der, untrusted)))
        notes = (leaf.note, *sent.notes, *trusted.notes)
        verify(leaf, trusted, sent, USAGES[purpose], filter(None, (hostname, ip)),
               moment_of(now or utc_now()))
    except GoError as error:
        return KubernetesVerdict(False, error.sentence, _cause(error, purpose),
                                 _distinct(error.note, *notes))
    return KubernetesVerdict(True, "ok", None,
                             _distinct(*notes, *_handshake_notes(leaf, purpose)))


def authorities(data: bytes, purpose: str) -> tuple[bytes, ...]:
    """The certificates (DER) of a CA file (PEM) that a component trusts.

    The purposes are those of `verify_kubernetes`. For a server's certificate, client-go ignores
    unreadable certificates (AppendCertsFromPEM). For a client's certificate, the API server and
    etcd refuse the whole file (ParseCertsPEM).
    Raises InputError, in their words, if no certificate is left or the file is refused, and for an
    unknown purpose.
    """
    validate_purpose(purpose)
    found, first = [], None
    for der in pem.certificates(data):
        try:
            parse(der)
        except GoError as error:
            first = first or error.sentence
        else:
            found.append(der)
    if purpose == "sslclient" and first is not None:
        raise InputError(first, hint="one broken certificate makes the API server refuse the file")
    if not found:
        raise InputError(_API_SERVER if purpose == "sslclient" else _client_go_says(data, first),
                         hint=_PEM_HINT)
    return tuple(found)


def _client_go_says(data: bytes, first: str | None) -> str:
    """Why client-go trusts no certificate of a CA file (transport.go, createErrorParsingCAData).

    *first* is Go's sentence about the first broken certificate.
    """
    if not data:
        return "an empty CA file: client-go trusts the system's certificates instead"
    if first:
        why = f"failed to parse certificate: {first}"
    elif pem.is_blocks_to_the_end(data):
        why = "no valid certificate authority data seen"
    else:
        why = "unable to parse bytes as PEM block"
    return f"unable to load root certificates: {why}"


def validate_purpose(purpose: str) -> None:
    """Raise InputError unless *purpose* is a purpose of `verify_kubernetes`."""
    if purpose not in USAGES:
        raise InputError(f"invalid purpose {purpose}", hint=f"one of {', '.join(USAGES)}")


def _der(certificate: Loaded | bytes) -> bytes:
    if isinstance(certificate, bytes):
        return certificate
    from cryptography.hazmat.primitives.serialization import Encoding
    return certificate.public_bytes(Encoding.DER)


def _cause(error: GoError, purpose: str) -> str:
    found = next(cause for about, pattern, cause in _CAUSES
                 if about in ("", error.about) and re.search(pattern, error.sentence))
    return found.format(use="server" if purpose == "sslserver" else "client")


def _distinct(*notes: str | None) -> tuple[str, ...]:
    """Each note once, in order."""
    return tuple(dict.fromkeys(filter(None, notes)))


def _handshake_notes(leaf: Certificate, purpose: str) -> list[str]:
    """Faults beyond a chain's verdict: keys that TLS refuses, a client without a user."""
    notes = []
    key = leaf.key
    bits = key.modulus.bit_length() if key else 0
    weak = None
    if key and key.kind == "RSA" and bits < 1024:
        weak = f"an RSA key of {bits} bits"
    elif key and key.curve == "P224":
        weak = "a P-224 key"
    if bits > 8192:
        notes.append(
            f"the handshake fails: the peer refuses an RSA key of {bits} bits (over 8192)")
    elif weak and purpose != "sslclient":
        notes.append(
            f"the handshake fails: no server can use {weak}" if bits else
            f"a TLS 1.3 handshake fails: no server can use {weak}; a TLS 1.2 handshake works")
    if weak and purpose != "sslserver":
        notes.append(
            f"the client sends no certificate, because TLS clients cannot use {weak}: "
            "the API server treats the client as anonymous and answers 401 or 403")
    if purpose == "sslclient" and not leaf.subject_name.common_name:
        notes.append("the certificate has no CN, so the API server finds no user: 401 Unauthorized")
    return notes
