"""Who signed a certificate, and what its judges say of it."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from ... import pem
from ...errors import InputError
from ...stages import der
from .. import reading
from .shown import Judge, Judgement, Shown, Signer, Use, Where
from .things import BROKEN

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_LONGEST_CHAIN = 10
_UNLOADED = "Python's cryptography does not load it: what openssl says of it is left out"
_HOST = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*")
_PURPOSES: dict[Use | None, str] = {"client": "sslclient", "server": "sslserver"}


@dataclass(frozen=True, slots=True)
class Authorities:
    """The CA certificates (DER) that count, and *where* they are from."""

    where: Where
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a certificate is judged by: the other certificates of its file by their subject, the CA, the moment (UTC).

    Without a CA the certificate's own file is asked for one, and it itself.
    """

    now: datetime
    authorities: Authorities | None = None
    by_subject: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict)


def by_subject(certificates: Sequence[bytes]) -> Mapping[bytes, Sequence[bytes]]:
    """Certificates (DER) by their subject's DER; those that have none are left out."""
    found: dict[bytes, list[bytes]] = {}
    for one in certificates:
        if names := _names(one):
            found.setdefault(names[0], []).append(one)
    return found


def judged(shown: Shown, data: bytes, around: Surroundings) -> Shown:
    """What is shown of a certificate (DER), with its signer and its verdicts, as far as they are known."""
    certificate = load(data)
    if certificate is None and not shown.problem:
        shown = replace(shown, notes=(*shown.notes, _UNLOADED))
    chain = [*_chain(data, around.by_subject)]
    top = chain[-1] if chain else data
    if around.authorities:
        roots: Sequence[bytes] = around.authorities.certificates
    else:
        roots = [top] if _is_self_issued(top) else []
    readable = certificate is not None and not reading.unreadable(certificate)
    signer = _signer(data, chain, around.authorities) if readable else None
    return replace(shown, signer=signer, verdicts=tuple(_verdicts(shown, data, roots, chain, around.now)))


@lru_cache(maxsize=64)
def load(data: bytes) -> Certificate | None:
    """A certificate (DER), None where the library cannot load it."""
    try:
        return pem.load_certificate(data, encoding="DER")
    except InputError:
        return None


@lru_cache(maxsize=64)
def _names(data: bytes) -> tuple[bytes, bytes] | None:
    """Subject and issuer of a certificate (DER), each in DER."""
    try:
        fields = der.certificate_fields(data)
    except BROKEN:
        return None
    return der.whole(fields.subject), der.whole(fields.issuer)


def _is_self_issued(data: bytes) -> bool:
    names = _names(data)
    return names is not None and names[0] == names[1]


def _signed(data: bytes, by: bytes) -> bool:
    """Whether one certificate's key signed another; no where either cannot be loaded."""
    certificate, ca = load(data), load(by)
    return certificate is not None and ca is not None and reading.signed_by(certificate, ca)


def _chain(data: bytes, others: Mapping[bytes, Sequence[bytes]]) -> Iterator[bytes]:
    """The certificates of the same file that lead up from one, each proven to have signed the one before."""
    for _ in range(_LONGEST_CHAIN):
        names = _names(data)
        if names is None or names[0] == names[1]:
            return
        above = next((one for one in others.get(names[1], ())[:_LONGEST_CHAIN] if _signed(data, one)), None)
        if above is None:
            return
        yield above
        data = above


def _signer(data: bytes, chain: Sequence[bytes], authorities: Authorities | None) -> Signer | None:
    if _is_self_issued(data):
        return Signer("itself", _subject(data), _signed(data, data))
    if authorities:
        names = _names(data)
        named = [one for one in authorities.certificates if (_names(one) or (b"",))[0] == (names or (b"", b""))[1]]
        if proven := next((one for one in named if _signed(data, one)), None):
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
              now: datetime) -> Iterator[Judgement]:
    """The judges' words, one for each use; where no signer is known, only whether Go can read it at all."""
    from ..verdict import verify_kubernetes
    if not roots:
        go = verify_kubernetes(data, [data], purpose="any", now=now)
        if go.cause == "malformed-x509":
            yield Judgement("kubernetes", None, False, go.reason, go.notes)
        return
    uses: list[Use | None] = [use for use in shown.uses if use != "sign"] if "sign" not in shown.uses else []
    for use in uses or [None]:
        hostname, ip = _asked(shown) if use == "server" else (None, None)
        yield from _openssl(data, roots, chain, use, hostname, ip, now)
        go = verify_kubernetes(data, roots, untrusted=chain, purpose=_PURPOSES.get(use, "any"), hostname=hostname,
                               ip=ip, now=now)
        yield Judgement("kubernetes", use, go.ok, go.reason, go.notes)


def _openssl(data: bytes, roots: Sequence[bytes], chain: Sequence[bytes], use: Use | None, hostname: str | None,
             ip: str | None, now: datetime) -> Iterator[Judgement]:
    """openssl's two verdicts. The strict one is that of Python's contexts: a CA need not have signed itself, and the
    first error is what ends a handshake, as the last one is what `openssl verify` ends with.
    """
    from ...stages.verification.verify import verify
    certificate = load(data)
    if certificate is None:
        return
    trusted, helping = ([one for one in map(load, some) if one] for some in (roots, chain))
    judges: tuple[Judge, ...] = ("openssl", "strict")
    for judge in judges:
        strict = judge == "strict"
        verdict = verify(certificate, trusted, untrusted=helping, purpose=_PURPOSES.get(use), hostname=hostname, ip=ip,
                         now=now, strict=strict, partial_chain=strict)
        reason = verdict.faults[0].reason if strict and verdict.faults else verdict.reason
        yield Judgement(judge, use, verdict.ok, reason)


def _asked(shown: Shown) -> tuple[str | None, str | None]:
    """A host name or an address that a server of this certificate is reached by: the first it has; without a
    subjectAltName its CN, where that is a host's."""
    for name in shown.names if shown.named else (shown.user or "",):
        try:
            return None, str(ipaddress.ip_address(name))
        except ValueError:
            host = name.replace("*", "any", 1)
            if _HOST.fullmatch(host):
                return host, None
    return None, None
