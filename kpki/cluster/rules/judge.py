"""What is wrong with one row: what is found of it held against what is wanted of it, and against
what others have.
"""
from __future__ import annotations

from collections.abc import Iterable

from .authorities import check_authority, check_service_accounts
from .certificate import serial_reused
from .context import RowContext
from .judged import CheckedRow, Observe
from .kubeconfig import check_kubeconfig
from .leaf import check_pair
from .proved import Proved
from ..desired.rows import Row
from ..finding import Finding
from ..fleet.survey import Marks, key_mark, serial_mark
from ...stages.keys import public_key_der


def check_row(row: Row, observe: Observe, by: RowContext,
              proved: Proved | None = None) -> CheckedRow:
    """Hold what is found of a row against what is wanted of it.

    Raises nothing for what is in the tree.

    *proved* saves time on the leaves of many hosts.
    """
    if row.profile.kind == "ca":
        return check_authority(row, observe, by)
    if row.profile.kind == "key":
        return check_service_accounts(row, observe, by)
    place, pair, proved = row.place, CheckedRow(), proved or Proved()
    if place.certificate:
        pair = check_pair(row, observe(place.certificate), observe(place.key), by, proved)
    if not place.kubeconfig:
        return pair
    config = check_kubeconfig(row, observe, by, proved)
    findings = tuple(dict.fromkeys(pair.findings + config.findings))
    return (pair if place.certificate else config)._replace(findings=findings,
                                                            kubeconfig_right=config.kubeconfig_right)


def check_row_among(row: Row, observe: Observe, by: RowContext, proved: Proved) -> CheckedRow:
    """The same of a row of one host among many: a leaf's key or serial number that another has too
    is not its own.
    """
    # a key under another's certificate may still be a CA's
    judged = check_row(row, observe, by, proved)
    if row.profile.kind != "leaf" or judged.key is None or judged.of_another_host \
        or (judged.own and not by.shared):
        return judged
    place, mark = row.place, _key_mark(judged)
    if mark in (by.shared if judged.own else {mark for mark, _ in authority_marks(by)}):
        path = place.key \
            or f"{place.kubeconfig}#users/{row.kubeconfig.user_name if row.kubeconfig else ''}"
        fault = Finding("shared-key", path, row.name, "another host has the same private key")
        return judged._replace(findings=(*judged.findings, fault), key=None)
    if judged.chain and serial_mark(judged.chain[0])[0] in by.shared:
        fault = serial_reused(place.certificate or place.kubeconfig, row.name, judged.chain[0])
        return judged._replace(findings=(*judged.findings, fault), pair_right=False)
    return judged


def authority_marks(by: RowContext) -> Marks:
    """The keys of the CAs that count: no leaf may have one of them."""
    return tuple((key_mark(public_key_der(certificate.public_key())), b"")
                 for certificates in by.authorities.values() for certificate in certificates)


def marks_of(judged: Iterable[tuple[Row, CheckedRow]], host: str) -> Marks:
    """What of a host's leaves no other may have."""
    own = [checked for row, checked in judged if row.profile.kind == "leaf"
           and checked.key is not None
           and checked.is_hosts]
    return (*((_key_mark(leaf), host.encode()) for leaf in own),
            *(serial_mark(leaf.chain[0]) for leaf in own if leaf.chain))


def _key_mark(judged: CheckedRow) -> bytes:
    assert judged.key is not None
    return key_mark(judged.public_key or public_key_der(judged.key))
