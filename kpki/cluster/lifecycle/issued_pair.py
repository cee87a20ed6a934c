"""A pair that kpki would issue again: the comparison proves what a full read finds, in less time.

Every octet but those of the serial number, the dates and the signature is known then. cryptography
accepts these in strict DER alone, as Go does.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ..desired.rows import Row
from ..observed.contents import read_key
from ..observed.inventory import Inventory
from ..rules.facts import Pair, halves
from ..rules.issued import is_as_issued
from ... import pem
from ...stages.keys import public_key_der

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
    block = pem.only_block(certificate.data or b"")
    if block is None or block.label != "CERTIFICATE":
        return None
    private_key = read_key(key, named.row)[0]
    if not isinstance(private_key, EllipticCurvePrivateKey | RSAPrivateKey):
        return None
    try:
        leaf = pem.load_certificate(block.der, encoding="DER")
        if not _is_strict(leaf):
            return None
        owner = private_key.public_key()
        public_key = public_key_der(owner)
        signer = next((ca for ca in authorities
                       if is_as_issued(leaf, block.der, row, owner, public_key, ca)), None)
    except ValueError:
        return None     # a full read says what cannot be read
    return None if signer is None else named._replace(
        chain=[leaf], key=private_key, linked=certificate.link, signer=signer)


def _row_of(named: Pair, rows: Sequence[Row]) -> Row | None:
    """The row whose certificate lies at the path of a pair."""
    file, _, entry = named.path.partition("#")
    return next((row for row in rows if row.profile.kind == "leaf" and file == (
        row.place.kubeconfig if entry else row.place.certificate)), None)


def _is_strict(certificate: Certificate) -> bool:
    """Whether cryptography itself has read a certificate (see kpki/pem/lenient.py)."""
    from cryptography.x509 import Certificate
    return type(certificate) is Certificate     # isinstance accepts a lenient one
