"""The rules for the pair of a row: fast for kpki's own leaves, else the rules of any pair."""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .checked_row import CheckedRow, exposed
from .context import RowContext
from .facts import read_pair
from .issued import is_as_issued, is_as_made
from .pair import DATES, certificate_faults, date_warnings, pair_findings
from .proved import LeafKind, Proved
from ..desired.rows import Row
from ..observed.contents import read_key
from ..observed.inventory import SECRET, ObservedFile
from ... import pem
from ...kubernetes import reading
from ...kubernetes.profiles import get_profile
from ...stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


def check_pair(row: Row, certificate: ObservedFile, key: ObservedFile, context: RowContext,
               proved: Proved) -> CheckedRow:
    """The findings for a leaf and its key, each with its own path.

    The leaf's kind is added to *proved* if no leaf of the same kind can have another fault.
    """
    loaded = read_key(key, row.name)
    issued = _as_issued(certificate, loaded[0], row, context) if loaded[0] is not None \
        and context.exact \
        else None
    if issued and context.warns and issued.kind not in proved \
        and _is_own(issued.signer, row, context):
        proved.add(issued.kind)
    if issued and (not context.warns or issued.kind in proved):
        findings = exposed(key, row.name)
        if context.warns:
            findings += date_warnings(certificate.path, row.name, issued.leaf, issued.signer,
                                      context.now, context.within)
        return CheckedRow(tuple(findings), key=loaded[0], public_key=issued.public_key,
                          chain=(issued.leaf,), pair_right=True)
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


class _Issued(NamedTuple):
    """A valid leaf exactly as kpki issues it for its key, and the *kind* of the leaf."""

    leaf: Certificate
    public_key: bytes
    signer: Certificate
    kind: LeafKind


def _is_own(signer: Certificate, row: Row, context: RowContext) -> bool:
    """Whether the CA of a row is valid and exactly as kpki makes it, so that nothing is wrong."""
    return (context.trusted(row.profile.signer)[0] == signer
            and is_as_made(signer, get_profile(row.profile.signer or ""))
            and signer.not_valid_before_utc <= context.now <= signer.not_valid_after_utc)


# the causes of one leaf that tell nothing about other leaves of its kind
_PASSING = DATES | {"key-exposed"}


def _as_issued(found: ObservedFile, key: PrivateKeyTypes, row: Row,
               context: RowContext) -> _Issued | None:
    """The valid certificate of a file, if kpki would issue the same for that key; else None."""
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        return None
    if (block := pem.only_block(found.data or b"")) is None or block.label != "CERTIFICATE":
        return None
    try:
        leaf = pem.load_certificate(block.der, encoding="DER")
        if not leaf.not_valid_before_utc <= context.now <= leaf.not_valid_after_utc:
            return None
        owner = key.public_key()
        public_key = keys.public_key_der(owner)
        signer = next((ca for ca in context.trusted(row.profile.signer)
                       if is_as_issued(leaf, block.der, row, owner, public_key, ca)), None)
    except ValueError:
        return None     # the rules that read the certificate in full report the fault
    return None if signer is None \
        else _Issued(leaf, public_key, signer, (signer, row.name, key.key_size))
