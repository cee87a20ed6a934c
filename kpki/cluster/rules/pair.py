"""The rules for a certificate that a component presents, and its key: the first fault, once."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

from .certificate import go_fault, time_fault, weakness
from .facts import Pair
from ..authority import SHORTEST_RSA, day
from ..finding import Finding
from ...kubernetes import reading
from ...kubernetes.layouts import KUBELET_CURRENT

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# the causes for which the kubelet cannot read its own store
_UNREADABLE = ("file-missing", "key-unreadable", "bad-pem", "malformed-x509", "key-cert-mismatch",
               "weak-signature-or-key")
# one fault of certificate and key: the files are exchanged, or of the same curve or size
_ONE_FOR_BOTH = {"key-cert-mismatch": ": certificate and key are swapped",
                 "weak-signature-or-key": ""}
# the causes of a leaf's dates, beside the causes of an invalid leaf
DATES = frozenset({"expiring-soon", "outlives-ca"})
# recipes sign a leaf just after its CA, for the same number of days
SELF_SIGNED = "kubelet-serving-self-signed"
_SAME_DAY = timedelta(days=1)


class Demands(NamedTuple):
    """The demands of a pair's verifiers or of a description, and findings for owner and signer."""

    now: datetime
    """The moment of the check (UTC)."""
    within: timedelta
    """A certificate that expires within this time has a warning."""
    usages: Sequence[str]
    """The names that extendedKeyUsage must have."""
    users: str
    """The component that presents the certificate."""
    trusted: Sequence[Certificate]
    """The CAs that verify the certificate; empty if unknown."""
    signer: Certificate | None
    """The CA of these at the end of the chain, unless the CA itself is at fault."""
    authority: tuple[str, str]
    """The path and the row of that CA."""
    faults: Sequence[Finding | None]
    """The findings for owner, signer and names, in this order."""
    self_made: bool
    """Whether a kubelet has made the certificate for itself, to serve with."""
    wishes: Sequence[str] = ()
    """The names that extendedKeyUsage should have, without which its users still work."""
    warns: bool = True
    """Whether to report warnings."""


def certificate_faults(pair: Pair, asked: Demands) -> list[Finding]:
    """The first fault of a certificate, or its warnings."""
    faults = list[Finding]()
    for fault in () if asked.self_made else _in_order(pair, asked):
        if fault and fault.severity == "error":
            return [fault]
        faults += [fault] if fault else []
    return faults


def _in_order(pair: Pair, asked: Demands) -> Iterator[Finding | None]:
    """The faults of a certificate, in order: owner, dates, strength, signer, use, names."""
    owner, signer, names = asked.faults
    yield owner
    yield time_fault("expired-client-cert" if "clientAuth" in asked.usages
                     else "expired-server-cert", pair.path, pair.row, pair.chain[0], asked.now)
    yield weakness(pair.path, pair.row, pair.chain, asked.trusted)
    yield signer
    yield _usage_fault(pair, asked)
    yield names
    yield go_fault(pair.path, pair.row, pair.chain, asked.trusted, asked.usages, asked.now)


def _usage_fault(pair: Pair, asked: Demands) -> Finding | None:
    """The finding for missing usages; a warning if a component works without them."""
    for usages, mild in ((asked.usages, False), (asked.wishes, True)):
        for usage in usages:
            if not reading.usable_for(pair.chain[0], usage):
                return Finding("wrong-eku", pair.path, pair.row,
                               f"certificate may not be used for {usage}, for which "
                               f"{asked.users} uses it",
                               expected=", ".join([*asked.usages, *asked.wishes]), mild=mild)
    return None


def pair_findings(pair: Pair, asked: Demands | None,
                  faults: Sequence[Finding]) -> Iterator[Finding]:
    """The findings of a certificate and its key, among them *faults*, those of the certificate.

    *asked* is what the certificate must have. If it is None, only faults of the two files count.
    """
    broken = next((fault for fault in pair.faults if fault.cause in _UNREADABLE
                   and fault.severity == "error"), None)
    if broken and pair.path == KUBELET_CURRENT:
        yield Finding("kubelet-client-current-broken", pair.path, pair.row,
                      "client certificate of the kubelet's own "
                      f"store cannot be used: {broken.message}")
        return
    fault = next((fault for fault in faults if fault.severity == "error"), None)
    if len({fault.cause for fault in pair.faults}) == 1 < len(pair.faults) \
        and pair.faults[0].cause in _ONE_FOR_BOTH:
        yield replace(pair.faults[0],
                      message=pair.faults[0].message + _ONE_FOR_BOTH[pair.faults[0].cause])
    else:
        yield from (own for own in pair.faults if not fault or own.cause != fault.cause
                    or own.cause not in _ONE_FOR_BOTH)
    if asked is None:
        return
    if not pair.matches:
        at_key = fault is None and not pair.key_proved
        yield Finding("key-cert-mismatch", pair.key_path if at_key else pair.path, pair.row,
                      "private key is not the one that the certificate is for" if at_key else
                      "certificate is not for the private key beside it"
                      + (f"; {fault.message}" if fault else ""))
    elif asked.self_made:
        yield Finding(SELF_SIGNED, pair.path, pair.row,
                      "certificate was signed by the kubelet itself: an API server with "
                      "--kubelet-certificate-authority refuses the certificate",
                      got=reading.issuer_text(pair.chain[0]))
    else:
        yield from faults
        if fault is None and pair.path == KUBELET_CURRENT and not pair.linked:
            yield Finding("kubelet-client-current-broken", pair.path, pair.row,
                          "file stands for the link that the "
                          "kubelet wants here to rotate its certificate", mild=True)
        if fault is None and asked.warns:
            yield from _warnings(pair, asked)


def _warnings(pair: Pair, asked: Demands) -> Iterator[Finding]:
    """The warnings: future faults, and faults that only some clients see."""
    from ...stages.verification.verify import verify_strict
    leaf, key = pair.chain[0], pair.chain[0].public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        yield Finding("weak-signature-or-key", pair.path, pair.row,
                      f"RSA key has {key.key_size} bits, which is little",
                      got=str(key.key_size), expected=f"{SHORTEST_RSA} or more", mild=True)
    yield from date_warnings(pair.path, pair.row, leaf, asked.signer, asked.now, asked.within)
    if asked.signer is None:
        return
    verdict = verify_strict(leaf, asked.signer, untrusted=pair.chain[1:], now=asked.now)
    if not verdict.ok:
        at_ca = verdict.depth >= len(pair.chain)
        yield Finding("strict-refused", *(asked.authority if at_ca else (pair.path, pair.row)),
                      f"strict verification refuses {'the CA' if at_ca else 'the certificate'}: "
                      f"{verdict.reason}",
                      got=verdict.reason)


def date_warnings(path: str, row: str, leaf: Certificate, signer: Certificate | None, now: datetime,
                  within: timedelta) -> Iterator[Finding]:
    """The warnings for the dates of a valid leaf, and for those of its CA."""
    end = leaf.not_valid_after_utc
    if (left := end - now) < within:
        yield Finding("expiring-soon", path, row,
                      f"certificate ends on {day(end)}, in {left.days} days")
    if signer is not None and end - signer.not_valid_after_utc > _SAME_DAY:
        yield Finding("outlives-ca", path, row,
                      f"certificate ends on {day(end)}, its CA already on "
                      f"{day(signer.not_valid_after_utc)}")
