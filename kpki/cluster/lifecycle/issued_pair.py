"""A pair that kpki would issue again: a comparison proves what a full read finds, in less time."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..desired.rows import Row
from ..observed.contents import read_key
from ..observed.inventory import Inventory
from ..rules.facts import Pair, halves
from ..rules.issued import find_issued

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def issued_pair(inventory: Inventory, named: Pair, rows: Sequence[Row],
                authorities: Sequence[Certificate]) -> Pair | None:
    """The named pair of a host, with its signer; None unless the pair is as kpki issues it.

    It is, if one of the *authorities* signed what the host's *rows* ask for. The result is then
    that of `pair_there`, but for the signer.
    """
    row = _row_of(named, rows)
    if row is None or not authorities:
        return None
    certificate, key = halves(inventory, named)
    private_key = read_key(key, named.row)[0]
    found = find_issued(certificate.data or b"", private_key, row, authorities)
    return found and named._replace(chain=[found.leaf], key=private_key, linked=certificate.link,
                                    signer=found.signer)


def _row_of(named: Pair, rows: Sequence[Row]) -> Row | None:
    """The row whose certificate lies at the path of a pair."""
    file, _, entry = named.path.partition("#")
    return next((row for row in rows if row.profile.kind == "leaf" and file == (
        row.place.kubeconfig if entry else row.place.certificate)), None)
