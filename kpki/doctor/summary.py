"""Diagnoses of lines → one diagnosis of each fault, and which of them follow from which."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from .advice import is_not_of, remedy_of
from .logs import Diagnosis

# What tells two faults of one cause apart; what else a line names may differ from line to line.
_APART = ("file", "node", "other", "name", "address")
_MOST = 100         # faults of one cause; the rest counts with the last of them
# What a line says of a refusal alone → the causes that are reason enough.
FOLLOWS = {
    "unauthorized-after-ca-rotation": (
        "expired-client-cert", "expired-ca", "not-yet-valid", "unknown-authority", "wrong-eku",
        "weak-signature-or-key", "sa-key-mismatch", "bootstrap-kubeconfig-missing-or-token-expired",
        "malformed-x509"),
    "remote-alert": (
        "unknown-authority", "etcd-peer-cert", "expired-server-cert", "expired-client-cert",
        "expired-ca", "not-yet-valid", "missing-san-ip", "missing-san-dns", "wrong-eku", "bad-pem",
        "legacy-cn-no-san", "kubelet-serving-self-signed", "weak-signature-or-key",
        "malformed-x509"),
    "bootstrap-kubeconfig-missing-or-token-expired": (
        "expired-client-cert", "kubelet-client-current-broken", "kubeconfig-broken"),
}


def summarize(diagnoses: Iterable[Diagnosis]) -> tuple[Diagnosis, ...]:
    """One diagnosis of each fault: the first line, how many lines say so, and the last line.

    Those that only follow from another cause in the same log come last, and name that cause.

    >>> lines = ["open /etc/kubernetes/pki/ca.crt: no such file or directory"] * 3
    >>> [(found.cause, found.count) for found in kpki.summarize(kpki.diagnose(lines))]
    [('file-missing', 3)]
    """
    faults: dict[str, list[Diagnosis]] = {}
    for new in diagnoses:
        known = faults.setdefault(new.cause, [])
        place = next((place for place, old in enumerate(known) if _same(old, new)), None)
        if place is None and len(known) < _MOST:
            known.append(new)
        else:
            place = len(known) - 1 if place is None else place
            known[place] = _joined(known[place], new)
    found = [_following(fault, faults) for known in faults.values() for fault in known]
    return tuple(sorted(found, key=lambda fault: (bool(fault.follows_from), fault.line)))


def _same(old: Diagnosis, new: Diagnosis) -> bool:
    return all(old.facts.get(name, value) == value
               for name in _APART if (value := new.facts.get(name)))


def _joined(old: Diagnosis, new: Diagnosis) -> Diagnosis:
    more = {**new.facts, **old.facts}
    if len(more) == len(old.facts):
        return replace(old, component=old.component or new.component, count=old.count + new.count,
                       last_line=new.last_line, last_time=new.last_time)
    facts = tuple(more.items())
    return replace(old, component=old.component or new.component, count=old.count + new.count,
                   last_line=new.last_line, last_time=new.last_time, facts=MappingProxyType(more),
                   is_not=is_not_of(old.cause, facts), remedy=remedy_of(old.cause, facts))


def _following(fault: Diagnosis, faults: dict[str, list[Diagnosis]]) -> Diagnosis:
    reason = next((cause for cause in FOLLOWS.get(fault.cause, ()) if cause in faults), "")
    return replace(fault, follows_from=reason) if reason else fault
