"""Whether Kubernetes takes a certificate: the verdict of Go's crypto/x509, which its components verify with.

Accept or refuse as Go 1.26 does, in Go's own words; other versions and the handshake that comes after are notes.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..clock import utc_now
from ..errors import InputError
from .go import pem
from .go.addresses import parse_ip
from .go.certificate import Certificate, parse
from .go.chains import USAGES, Pool, verify
from .go.der import GoError
from .go.times import moment_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Loaded

# What a refusal is about ("" for anything) and a pattern in Go's sentence → its cause; the first that fits.
_CAUSES = tuple((about, re.compile(pattern), cause) for about, pattern, cause in (
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
    ("", "insecure algorithm|keys are insecure|uses no RSA keys|algorithm unimplemented|public (?:exponent|modulus)",
     "weak-signature-or-key"),
    ("", "unhandled critical extension|for this name: |invalid policies", "malformed-x509"),
    ("", "", "unknown-authority"),
))
_API_SERVER = "data does not contain any valid RSA or ECDSA certificates"
_PEM_HINT = "only blocks -----BEGIN CERTIFICATE----- without headers count"


@dataclass(frozen=True, slots=True)
class KubernetesVerdict:
    """Whether Kubernetes takes a certificate.

    *reason* is "ok" or Go's sentence, *cause* the slug of the fault (`kpki.kubernetes.causes`) or None, *notes*
    a sentence each: where Go 1.24 or 1.27 judges otherwise, and what only a handshake or the API server would refuse.
    """

    ok: bool
    reason: str
    cause: str | None = None
    notes: tuple[str, ...] = ()


def verify_kubernetes(certificate: Loaded | bytes, roots: Iterable[Loaded | bytes], *,
                      untrusted: Iterable[Loaded | bytes] = (), purpose: str = "sslserver",
                      hostname: str | None = None, ip: str | None = None,
                      now: datetime | None = None) -> KubernetesVerdict:
    """What a Kubernetes component says of a certificate (crypto/x509, Certificate.Verify, in Go 1.26).

    *certificate*, each of *roots* (what the CA file holds) and of *untrusted* (what the peer sends beside its own) is a
    certificate or its DER. *purpose* is sslserver (client-go judges a server), sslclient (the API server judges a
    client) or any; *hostname*, which may be an address, and *ip* are who it must be for; *now* is the moment (UTC,
    None: the clock). What is wrong with a certificate is a verdict; InputError is raised for an unknown purpose and
    for an *ip* that is no address.

    >>> verdict = kpki.verify_kubernetes(certificate, [ca], hostname="worker-2", now=now)
    >>> verdict.cause, verdict.reason
    ('missing-san-dns', 'x509: certificate is valid for worker-1, not worker-2')
    """
    check_purpose(purpose)
    if ip is not None and parse_ip(ip) is None:
        raise InputError(f"bad ip address: value={ip}")
    notes: tuple[str | None, ...] = ()
    try:
        trusted = [parse(_der(one)) for one in roots]
        leaf = parse(_der(certificate))
        between = [parse(_der(one)) for one in untrusted]
        notes = tuple(one.note for one in (leaf, *between, *trusted))
        verify(leaf, Pool(trusted), Pool(between), USAGES[purpose], filter(None, (hostname, ip)),
               moment_of(now or utc_now()))
    except GoError as error:
        return KubernetesVerdict(False, error.sentence, _cause(error, purpose), _told((error.note, *notes)))
    return KubernetesVerdict(True, "ok", None, _told((*notes, *_handshake_notes(leaf, purpose))))


def authorities(data: bytes, purpose: str) -> tuple[bytes, ...]:
    """The certificates (DER) of a CA file in PEM that count, for *purpose* as in `verify_kubernetes`.

    Who judges a server (client-go: AppendCertsFromPEM) passes over a certificate that it cannot read; who judges a
    client (the API server, etcd: ParseCertsPEM) does without the whole file. Raises InputError in their words: where no
    certificate is left, and where the API server would not take the file; for an unknown purpose too.
    """
    check_purpose(purpose)
    found, first = [], None
    for der in pem.certificates(data):
        try:
            parse(der)
        except GoError as error:
            first = first or error.sentence
        else:
            found.append(der)
    if purpose == "sslclient" and first is not None:
        raise InputError(first, hint="one broken certificate, and the API server takes none of the file")
    if not found:
        raise InputError(_API_SERVER if purpose == "sslclient" else _client_go_says(data, first), hint=_PEM_HINT)
    return tuple(found)


def _client_go_says(data: bytes, first: str | None) -> str:
    """Why client-go can trust nothing in a CA file (transport.go, createErrorParsingCAData); *first* is broken so."""
    if not data:
        return "empty: client-go trusts the system's certificates then"
    why = f"failed to parse certificate: {first}" if first else "no valid certificate authority data seen" \
        if pem.is_blocks_to_the_end(data) else "unable to parse bytes as PEM block"
    return f"unable to load root certificates: {why}"


def check_purpose(purpose: str) -> None:
    """InputError unless *purpose* is one that a verdict can be asked for."""
    if purpose not in USAGES:
        raise InputError(f"invalid purpose {purpose}", hint=f"one of {', '.join(USAGES)}")


def _der(certificate: Loaded | bytes) -> bytes:
    if isinstance(certificate, bytes):
        return certificate
    from cryptography.hazmat.primitives.serialization import Encoding
    return certificate.public_bytes(Encoding.DER)


def _cause(error: GoError, purpose: str) -> str:
    use = "server" if purpose == "sslserver" else "client"
    return next(cause for about, pattern, cause in _CAUSES
                if about in ("", error.about) and pattern.search(error.sentence)).format(use=use)


def _told(notes: Iterable[str | None]) -> tuple[str, ...]:
    """Each note once, in order."""
    return tuple(dict.fromkeys(filter(None, notes)))


def _handshake_notes(leaf: Certificate, purpose: str) -> Iterator[str]:
    """What a chain's verdict does not see: keys that TLS does not take, and a client that is nobody."""
    key = leaf.key
    bits = key.modulus.bit_length() if key else 0
    weak = f"an RSA key of {bits} bits" if key and key.kind == "RSA" and bits < 1024 else \
        "a P-224 key" if key and key.curve == "P224" else None
    if bits > 8192:
        yield f"the handshake fails: the peer refuses an RSA key of {bits} bits (over 8192)"
    elif weak and purpose != "sslclient":
        yield (f"the handshake fails: no server can use {weak}" if bits else
               f"a TLS 1.3 handshake fails: no server can use {weak}, in TLS 1.2 it works")
    if weak and purpose != "sslserver":
        yield f"the client sends no certificate, for it cannot use {weak}: it is anonymous, and gets 401 or 403"
    if purpose == "sslclient" and not leaf.subject_name.common_name:
        yield "the API server finds no user in it, for it has no CN: 401 Unauthorized"
