"""The rules for one row: its observed files against the desired row, and against other hosts."""
from __future__ import annotations

from collections.abc import Iterable

from .authorities import check_authority, check_service_accounts
from .certificate import serial_reused
from .checked_row import CheckedRow, Observe
from .context import RowContext
from .kubeconfig import check_kubeconfig
from .leaf import check_pair
from .proved import Proved
from ..desired.rows import Row
from ..finding import Finding
from ..fleet.survey import Marks, key_mark, serial_mark
from ...stages.keys import public_key_der


def check_row(row: Row, observe: Observe, context: RowContext,
              proved: Proved | None = None) -> CheckedRow:
    """Check the observed files of a row against the desired row.

    Raises nothing for faults in the tree.

    *proved* saves time on the leaves of many hosts.
    """
    proved = proved or Proved()
    if row.profile.kind == "ca":
        return check_authority(row, observe, context, proved)
    if row.profile.kind == "key":
        return check_service_accounts(row, observe, context)
    place, pair = row.place, CheckedRow()
    if place.certificate:
        pair = check_pair(row, observe(place.certificate), observe(place.key), context, proved)
    if not place.kubeconfig:
        return pair
    config = check_kubeconfig(row, observe, context, proved)
    findings = tuple(dict.fromkeys(pair.findings + config.findings))
    checked = pair if place.certificate else config
    return checked._replace(findings=findings, kubeconfig_right=config.kubeconfig_right)


def check_row_among(row: Row, observe: Observe, context: RowContext, proved: Proved) -> CheckedRow:
    """Check a row of one host among many: no other host may have its key or serial number."""
    # the key of another host's certificate may still be a CA's key
    checked = check_row(row, observe, context, proved)
    if row.profile.kind != "leaf" or checked.key is None or checked.of_another_host \
        or (checked.own and not context.shared):
        return checked
    place, mark = row.place, _key_mark(checked)
    if mark in (context.shared if checked.own else {mark for mark, _ in authority_marks(context)}):
        path = place.key \
            or f"{place.kubeconfig}#users/{row.kubeconfig.user_name if row.kubeconfig else ''}"
        fault = Finding("shared-key", path, row.name, "another host has the same private key")
        return checked._replace(findings=(*checked.findings, fault), key=None)
    if checked.chain and serial_mark(checked.chain[0], checked.encoded)[0] in context.shared:
        fault = serial_reused(place.certificate or place.kubeconfig, row.name, checked.chain[0])
        return checked._replace(findings=(*checked.findings, fault), pair_right=False)
    return checked


def authority_marks(context: RowContext) -> Marks:
    """The marks of the CAs' keys: no leaf may have one of these keys."""
    return tuple((key_mark(public_key_der(certificate.public_key())), b"")
                 for certificates in context.authorities.values() for certificate in certificates)


def marks_of(checked: Iterable[tuple[Row, CheckedRow]], host: str) -> Marks:
    """The marks of a host's leaves: no other host may have one of them."""
    own = [checked for row, checked in checked if row.profile.kind == "leaf"
           and checked.key is not None
           and checked.is_hosts]
    return (*((_key_mark(leaf), host.encode()) for leaf in own),
            *(serial_mark(leaf.chain[0], leaf.encoded) for leaf in own if leaf.chain))


def _key_mark(checked: CheckedRow) -> bytes:
    assert checked.key is not None
    return key_mark(checked.public_key or public_key_der(checked.key))
