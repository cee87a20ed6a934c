"""What is wrong with a certificate that a component shows, and with its key: the root of the faults, once."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import rsa

from .certificate import go_fault, signer_of, time_fault, weakness
from .facts import Pair
from .names import Places, names_fault
from .subjects import subject_fault
from .trust import Trust
from ..authority import SHORTEST_RSA, day
from ..finding import Finding
from ..observed.inventory import Inventory
from ...kubernetes import reading
from ...kubernetes.layouts import KUBELET_CURRENT
from ...stages.keys import public_key_der

# What keeps the kubelet from reading its own store.
_UNREADABLE = ("key-unreadable", "bad-pem", "malformed-x509", "weak-signature-or-key")
_SAME_DAY = timedelta(days=1)       # what recipes sign just after they made the CA, for as many days
_LAST_TENTH = 10    # of its certificate's life: the kubelet has rotated the certificate long before


def pair_findings(pair: Pair, trust: Trust, places: Places, inventory: Inventory, now: datetime,
                  within: timedelta) -> Iterator[Finding]:
    """Everything that is wrong with one pair."""
    unreadable = [fault for fault in pair.faults if fault.cause in _UNREADABLE and fault.severity == "error"]
    if unreadable and pair.path == KUBELET_CURRENT:
        yield Finding("kubelet-client-current-broken", pair.path, pair.row, "client certificate of the kubelet's own "
                      f"store cannot be used: {unreadable[0].message}")
        return
    causes = [fault.cause for fault in pair.faults]
    if causes == ["key-cert-mismatch"] * 2:
        yield replace(pair.faults[0], message=f"{pair.faults[0].message}: certificate and key are swapped")
        return
    if causes == ["weak-signature-or-key"] * 2:     # one key, in two files
        yield pair.faults[0]
        return
    yield from pair.faults
    if not pair.chain:
        return
    self_made = _is_self_made(pair, trust)
    faults = [] if self_made else [*_faults(pair, trust, places, inventory, now)]
    fault = next((one for one in faults if one.severity == "error"), None)
    own = pair.key is None or reading.certifies(pair.chain[0], public_key_der(pair.key))
    if own and self_made:
        yield Finding("kubelet-serving-self-signed", pair.path, pair.row,
                      "certificate was signed by the kubelet itself: an API server with "
                      "--kubelet-certificate-authority refuses the certificate", got=reading.issuer_text(pair.chain[0]))
        return
    if not own:
        yield Finding("key-cert-mismatch", pair.key_path if fault is None else pair.path, pair.row,
                      "private key is not the one that the certificate is for" if fault is None else
                      f"certificate is not for the private key beside it; {fault.message}")
        return
    yield from [fault] if fault else faults
    if fault:
        return
    if pair.path == KUBELET_CURRENT and not inventory.look(pair.path).link:
        yield Finding("kubelet-client-current-broken", pair.path, pair.row, "file stands for the link that the kubelet "
                      "wants here to rotate its certificate", mild=True)
    yield from _warnings(pair, trust, inventory, now, within)


def _faults(pair: Pair, trust: Trust, places: Places, inventory: Inventory, now: datetime) -> Iterator[Finding]:
    """The faults of a certificate, the root of them first: its owner, time, strength, signer, use, names."""
    leaf, trusted = pair.chain[0], trust.trusted.get(pair.path, ())
    untold = inventory.started.isdisjoint(use.component for use in pair.uses)
    expired = "expired-client-cert" if "clientAuth" in pair.usages else "expired-server-cert"
    beside = trust.by_name if pair.serves("apiserver-serving") else ()     # what the same server shows by name
    for fault in (subject_fault(pair, inventory, places.node), time_fault(expired, pair.path, pair.row, leaf, now),
                  weakness(pair.path, pair.row, pair.chain, trusted), trust.faults.get(pair.path),
                  _usage_fault(pair), names_fault(pair, beside, places, untold),
                  go_fault(pair.path, pair.row, pair.chain, trusted, pair.usages, now)):
        if fault:
            yield fault


def _usage_fault(pair: Pair) -> Finding | None:
    """What extendedKeyUsage does not allow; for what a component can do without, a warning."""
    leaf = pair.chain[0]
    wishes = [usage for purpose in pair.purposes for usage in purpose.wishes]
    for usages, mild in ((pair.usages, False), (wishes, True)):
        for usage in usages:
            if not reading.usable_for(leaf, usage):
                users = ", ".join(dict.fromkeys(use.component for use in pair.uses))
                return Finding("wrong-eku", pair.path, pair.row, f"certificate may not be used for {usage}, for which "
                               f"{users} uses it", expected=", ".join([*pair.usages, *wishes]), mild=mild)
    return None


def _is_self_made(pair: Pair, trust: Trust) -> bool:
    """Whether a pair that only serves ends at a CA of its own, as that which a kubelet has made for itself."""
    last = pair.chain[-1]
    return all(purpose.name == "kubelet-serving" for purpose in pair.purposes) \
        and reading.is_named_issuer(last, last) and not trust.trusted.get(pair.path) and not trust.unread


def _warnings(pair: Pair, trust: Trust, inventory: Inventory, now: datetime, within: timedelta) -> Iterator[Finding]:
    """What is not wrong yet, or for some only."""
    from ...stages.verification.verify import verify
    leaf, key = pair.chain[0], pair.chain[0].public_key()
    signer = signer_of(pair.chain, trust.trusted.get(pair.path, ()))
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        yield Finding("weak-signature-or-key", pair.path, pair.row, f"RSA key has {key.key_size} bits, which is little",
                      got=str(key.key_size), expected=f"{SHORTEST_RSA} or more", mild=True)
    end = leaf.not_valid_after_utc
    whole = end - leaf.not_valid_before_utc
    soon = min(within, whole / _LAST_TENTH) if _rotates(pair, inventory) else within
    if (left := end - now) < soon:
        yield Finding("expiring-soon", pair.path, pair.row, f"certificate ends on {day(end)}, in {left.days} days")
    if signer is None:
        return
    if end - signer.not_valid_after_utc > _SAME_DAY:
        yield Finding("outlives-ca", pair.path, pair.row, f"certificate ends on {day(end)}, its CA already on "
                      f"{day(signer.not_valid_after_utc)}")
    verdict = verify(leaf, [signer], untrusted=list(pair.chain[1:]), now=now, strict=True, partial_chain=True)
    if not verdict.ok:
        at_ca = verdict.depth >= len(pair.chain)
        file = next((one for one in trust.files if signer in one.certificates and "#" not in one.path), None)
        yield Finding("strict-refused", file.path if at_ca and file else pair.path,
                      file.row if at_ca and file else pair.row,
                      f"strict verification refuses {'the CA' if at_ca else 'the certificate'}: {verdict.reason}",
                      got=verdict.reason)


def _rotates(pair: Pair, inventory: Inventory) -> bool:
    """Whether the kubelet renews the certificate itself."""
    return pair.path.endswith("-current.pem") and any(
        running.is_on("rotate-certificates") or running.is_on("rotate-server-certificates")
        for running in inventory.running if running.component == "kubelet")
