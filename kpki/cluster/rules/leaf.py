"""The rules for the pair of a row: fast for kpki's own leaves, else the rules of any pair."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .checked_row import CheckedRow, exposed
from .context import RowContext
from .facts import read_pair
from .issued import IssuedLeaf, find_issued, is_as_made
from .pair import DATES, certificate_faults, date_warnings, pair_findings
from .proved import Proved
from ..desired.rows import Row
from ..observed.contents import read_key
from ..observed.inventory import SECRET, ObservedFile
from ...kubernetes import reading
from ...kubernetes.profiles import get_profile

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


def check_pair(row: Row, certificate: ObservedFile, key: ObservedFile, context: RowContext,
               proved: Proved) -> CheckedRow:
    """The findings for a leaf and its key, each with its own path.

    The leaf's kind is added to *proved* if no leaf of the same kind can have another fault.
    """
    loaded = read_key(key, row.name)
    issued = _as_issued(certificate, loaded[0], row, context) if context.exact else None
    if issued and context.warns and issued.kind not in proved \
            and _is_own(issued.signer, row, context):
        proved.add(issued.kind)
    if issued and (not context.warns or issued.kind in proved):
        findings = exposed(key, row.name)
        if context.warns:
            findings += date_warnings(certificate.path, row.name, issued.leaf, issued.signer,
                                      context.now, context.within)
        return CheckedRow(tuple(findings), key=loaded[0], public_key=issued.public_key,
                          chain=(issued.leaf,), encoded=issued.encoded, pair_right=True)
    pair = read_pair(row.name, certificate, key, loaded)
    asked = context.asked(pair, row) if pair.chain else None
    faults = certificate_faults(pair, asked) if asked else []
    findings = [*pair_findings(pair, asked, faults)]
    if SECRET in (key.data or b""):
        findings += exposed(key, row.name)
    right = not any(fault.severity == "error" and fault.cause != "key-exposed"
                    for fault in findings) \
        and not (asked and asked.self_made)
    if issued and asked and asked.signer == issued.signer \
        and {fault.cause for fault in findings} <= _PASSING \
            and not reading.has_name_constraints(issued.signer):
        proved.add(issued.kind)
    return CheckedRow(tuple(findings), key=pair.key, chain=tuple(pair.chain), pair_right=right,
                      own=pair.matches or bool(faults))


def _is_own(signer: Certificate, row: Row, context: RowContext) -> bool:
    """Whether the CA of a row is valid and exactly as kpki makes it, so that nothing is wrong."""
    return (context.trusted(row.profile.signer)[0] == signer
            and is_as_made(signer, get_profile(row.profile.signer or ""))
            and signer.not_valid_before_utc <= context.now <= signer.not_valid_after_utc)


# the causes of one leaf that tell nothing about other leaves of its kind
_PASSING = DATES | {"key-exposed"}


def _as_issued(certificate: ObservedFile, key: PrivateKeyTypes | None, row: Row,
               context: RowContext) -> IssuedLeaf | None:
    """The valid certificate of a file, if kpki would issue the same for that key; else None."""
    found = find_issued(certificate.data or b"", key, row, context.trusted(row.profile.signer))
    return found if found and found.leaf.not_valid_before_utc <= context.now \
        <= found.leaf.not_valid_after_utc else None
