"""What is wrong with the pair of a row: nothing if it is what kpki issues, else what the rules of
any pair say.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .context import RowContext
from .facts import read_pair
from .issued import is_as_issued, is_as_made
from .judged import CheckedRow, exposed
from .pair import DATES, certificate_faults, date_warnings, pair_findings
from .proved import Kind, Proved
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


def check_pair(row: Row, certificate: ObservedFile, key: ObservedFile, by: RowContext,
               proved: Proved) -> CheckedRow:
    """What is wrong with a leaf and its key, each at its own path.

    The leaf's kind is added to *proved* if nothing that the next leaf may have too is wrong with
    this one.
    """
    loaded = read_key(key, row.name)
    issued = _as_issued(certificate, loaded[0], row, by) if loaded[0] is not None and by.exact \
        else None
    if issued and (not by.warns or issued.kind in proved or _is_own(issued.signer, row, by)):
        findings = exposed(key, row.name)
        if by.warns:
            findings += date_warnings(certificate.path, row.name, issued.leaf, issued.signer,
                                      by.now, by.within)
        return CheckedRow(tuple(findings), key=loaded[0], public_key=issued.public_key,
                          chain=(issued.leaf,), pair_right=True)
    pair = read_pair(row.name, certificate, key, loaded)
    asked = by.asked(pair, row) if pair.chain else None
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
    """A leaf that is just what kpki issues for its key, and in its time, and the *kind* that it is
    of.
    """

    leaf: Certificate
    public_key: bytes
    signer: Certificate
    kind: Kind


def _is_own(signer: Certificate, row: Row, by: RowContext) -> bool:
    """Whether the CA of a row is one that kpki has made, and in its time: then nothing else can be
    wrong with it.
    """
    return (by.trusted(row.profile.signer)[0] == signer
            and is_as_made(signer, get_profile(row.profile.signer or ""))
            and signer.not_valid_before_utc <= by.now <= signer.not_valid_after_utc)


# What is wrong with one leaf, and says nothing of the next that is issued like it.
_PASSING = DATES | {"key-exposed"}


def _as_issued(found: ObservedFile, key: PrivateKeyTypes, row: Row,
               by: RowContext) -> _Issued | None:
    """The certificate of a file, where it is just what kpki issues for that key, and in its time;
    else None.
    """
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        return None
    if (block := pem.only_block(found.data or b"")) is None or block.label != "CERTIFICATE":
        return None
    try:
        leaf = pem.load_certificate(block.der, encoding="DER")
        if not leaf.not_valid_before_utc <= by.now <= leaf.not_valid_after_utc:
            return None
        owner = key.public_key()
        public_key = keys.public_key_der(owner)
        signer = next((ca for ca in by.trusted(row.profile.signer)
                       if is_as_issued(leaf, row, owner, public_key, ca)), None)
    except ValueError:
        return None     # whatever cannot be read of it: who reads it in full says so
    return None if signer is None \
        else _Issued(leaf, public_key, signer, (signer, row.name, key.key_size))
