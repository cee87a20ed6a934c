"""The signer of a certificate, and the verdicts of openssl, strict openssl and Go on it."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from .shown import Shown, ShownUse, Signer, UseVerdict, Verifier, Where
from .things import BROKEN
from .. import reading
from ... import pem
from ...errors import InputError
from ...stages import records

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_LONGEST_CHAIN = 10
_UNLOADED = "Python's cryptography cannot load the certificate: openssl's verdict is left out"
_HOST = re.compile(
    r"[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*")
_PURPOSES: dict[ShownUse | None, str] = {"client": "sslclient", "server": "sslserver"}


@dataclass(frozen=True, slots=True)
class Authorities:
    """Trusted CA certificates."""

    where: Where
    """The origin of the certificates."""
    certificates: tuple[bytes, ...]
    """The certificates (DER)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationContext:
    """The facts with which the certificates of a file are verified."""

    now: datetime
    """The moment (UTC)."""
    authorities: Authorities | None = None
    """The trusted CAs; None for a root in the file itself."""
    by_subject: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict)
    """The certificates of the file, by the DER of their subject."""


def by_subject(certificates: Sequence[bytes]) -> Mapping[bytes, Sequence[bytes]]:
    """Certificates (DER) by their subject's DER, without those whose subject is unreadable."""
    found: dict[bytes, list[bytes]] = {}
    for certificate in certificates:
        if names := _names(certificate):
            found.setdefault(names[0], []).append(certificate)
    return found


def with_verdicts(shown: Shown, data: bytes, context: VerificationContext) -> Shown:
    """The facts *shown* of a certificate (DER), with its signer and verdicts, if known."""
    certificate = load(data)
    if certificate is None and not shown.problem:
        shown = replace(shown, notes=(*shown.notes, _UNLOADED))
    chain = [*_chain(data, context.by_subject)]
    top = chain[-1] if chain else data
    if context.authorities:
        roots: Sequence[bytes] = context.authorities.certificates
    else:
        roots = [top] if _is_self_issued(top) else []
    readable = certificate is not None and not reading.find_unreadable_part(certificate)
    signer = _signer(data, chain, context.authorities) if readable else None
    verdicts = tuple(_verdicts(shown, data, roots, chain, context.now))
    return replace(shown, signer=signer, verdicts=verdicts)


@lru_cache(maxsize=64)
def load(data: bytes) -> Certificate | None:
    """A certificate (DER); None if cryptography cannot load it."""
    try:
        return pem.load_certificate(data, encoding="DER")
    except InputError:
        return None


@lru_cache(maxsize=64)
def _names(data: bytes) -> tuple[bytes, bytes] | None:
    """Subject and issuer of a certificate (DER), each in DER; None if they are unreadable."""
    try:
        fields = records.certificate_fields(data)
    except BROKEN:
        return None
    return fields.subject, fields.issuer


def _is_self_issued(data: bytes) -> bool:
    names = _names(data)
    return names is not None and names[0] == names[1]


def _signed(data: bytes, by: bytes) -> bool:
    """Whether the certificate *by* signed *data*; False if either cannot be loaded."""
    certificate, ca = load(data), load(by)
    return certificate is not None and ca is not None and reading.is_signed_by(certificate, ca)


def _chain(data: bytes, others: Mapping[bytes, Sequence[bytes]]) -> Iterator[bytes]:
    """The file's chain above *data*: each certificate has signed the one before it."""
    for _ in range(_LONGEST_CHAIN):
        names = _names(data)
        if names is None or names[0] == names[1]:
            return
        above = next((other for other in others.get(names[1], ())[:_LONGEST_CHAIN]
                      if _signed(data, other)), None)
        if above is None:
            return
        yield above
        data = above


def _signer(data: bytes, chain: Sequence[bytes], authorities: Authorities | None) -> Signer | None:
    if _is_self_issued(data):
        return Signer("itself", _subject(data), _signed(data, data))
    if authorities:
        names = _names(data)
        issuer = names[1] if names else b""
        named = [ca for ca in authorities.certificates if (_names(ca) or (b"",))[0] == issuer]
        if proven := next((ca for ca in named if _signed(data, ca)), None):
            return Signer(authorities.where, _subject(proven), True)
        if not chain:
            return Signer(authorities.where, _subject(named[0]) if named else "", False)
    return Signer("file", _subject(chain[0]), True) if chain else None


def _subject(data: bytes) -> str:
    certificate = load(data)
    try:
        return reading.subject_text(certificate) if certificate else ""
    except BROKEN:
        return ""


def _verdicts(shown: Shown, data: bytes, roots: Sequence[bytes], chain: Sequence[bytes],
              now: datetime) -> Iterator[UseVerdict]:
    """The verdict of each verifier for each use; without a root, only whether Go can read it."""
    from ..verdict import verify_kubernetes
    if not roots:
        go = verify_kubernetes(data, [data], purpose="any", now=now)
        if go.cause == "malformed-x509":
            yield UseVerdict("kubernetes", None, False, go.reason, go.notes)
        return
    uses: list[ShownUse | None] = [use for use in shown.uses
                              if use != "sign"] if "sign" not in shown.uses else []
    for use in uses or [None]:
        hostname, ip = _asked(shown) if use == "server" else (None, None)
        yield from _openssl(data, roots, chain, use, hostname, ip, now)
        go = verify_kubernetes(data, roots, untrusted=chain, purpose=_PURPOSES.get(use, "any"),
                               hostname=hostname, ip=ip, now=now)
        yield UseVerdict("kubernetes", use, go.ok, go.reason, go.notes)


def _openssl(data: bytes, roots: Sequence[bytes], chain: Sequence[bytes], use: ShownUse | None,
             hostname: str | None,
             ip: str | None, now: datetime) -> Iterator[UseVerdict]:
    """openssl's two verdicts.

    The strict verdict is that of Python's SSLContext: the trusted CA need not be self-signed, and
    the first error ends the handshake. `openssl verify` reports the last error.
    """
    from ...stages.verification.verify import verify
    certificate = load(data)
    if certificate is None:
        return
    trusted, untrusted = ([loaded for loaded in map(load, some) if loaded]
                          for some in (roots, chain))
    verifiers: tuple[Verifier, ...] = ("openssl", "strict")
    for verifier in verifiers:
        strict = verifier == "strict"
        verdict = verify(certificate, trusted, untrusted=untrusted, purpose=_PURPOSES.get(use),
                         hostname=hostname, ip=ip, now=now, strict=strict, partial_chain=strict)
        reason = verdict.faults[0].reason if strict and verdict.faults else verdict.reason
        yield UseVerdict(verifier, use, verdict.ok, reason)


def _asked(shown: Shown) -> tuple[str | None, str | None]:
    """The first (host name, address) of the certificate's names, to verify a server with.

    Without a subjectAltName, the CN if it is a host's name.
    """
    for name in shown.names if shown.named else (shown.user or "",):
        try:
            return None, str(ipaddress.ip_address(name))
        except ValueError:
            host = name.replace("*", "any", 1)
            if _HOST.fullmatch(host):
                return host, None
    return None, None
