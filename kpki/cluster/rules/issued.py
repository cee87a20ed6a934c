"""Whether kpki would issue exactly these octets.

Of such a certificate only the dates can be wrong. The comparison is much faster than reading every
certificate of a fleet.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .proved import LeafKind
from ..authority import find_key_fault
from ..desired.rows import Row
from ... import pem
from ...kubernetes.profiles import Profile
from ...kubernetes.values import ca_values, leaf_values
from ...stages import der, keys, records, signatures
from ...stages.extensions.context import ExtensionContext
from ...stages.extensions.identifiers import SUBJECT_KEY_IDENTIFIER
from ...stages.extensions.table import extension
from ...stages.signing import Values, issuer_of, subject_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate

# version 3, and the tag of a serial number
_HEAD = der.tlv(0xA0, der.integer(2)) + bytes((der.INTEGER,))
_EXTENSIONS = 0xA3
_LONGEST_HEADER = 6     # tag and length of an item under 4 GiB
_DIGESTS = ("sha256", "sha384", "sha512")
_EXPONENT = 65537


class _Signer(NamedTuple):
    """What a CA adds to its certificates."""

    key: PublicKeyTypes | None
    """The CA's key, which verifies the signatures."""
    parameters: bytes
    """The parameters of the signatures' algorithm: NULL if the key is an RSA key."""
    subject: bytes
    """The CA's subject in DER."""
    identifier: bytes
    """The extension that identifies the CA's key, in DER; b"" for none."""


class IssuedLeaf(NamedTuple):
    """A certificate that kpki would issue again for its key."""

    leaf: Certificate
    """The certificate."""
    encoded: bytes
    """The certificate in DER."""
    public_key: bytes
    """The key in DER."""
    signer: Certificate
    """The CA that signed the certificate."""
    kind: LeafKind
    """What the certificate has in common with others of its row."""


def find_issued(data: bytes, key: PrivateKeyTypes | None, row: Row,
                authorities: Sequence[Certificate]) -> IssuedLeaf | None:
    """The certificate of a file, if one of *authorities* would issue it again for a row and *key*.

    Of such a certificate every octet but those of serial number, dates and signature is known, and
    these are in strict DER, as in Go.
    """
    block = pem.only_block(data)
    if block is None or block.label != "CERTIFICATE" \
            or not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        return None
    try:
        leaf, owner = pem.load_certificate(block.der, encoding="DER"), key.public_key()
        public_key = keys.public_key_der(owner)
        signer = next((ca for ca in authorities if is_as_issued(leaf, block.der, row, owner,
                                                                public_key, ca)), None)
    except ValueError:
        return None     # the rules that read the certificate in full report the fault
    return IssuedLeaf(leaf, block.der, public_key, signer, (signer, row.name, key.key_size)) \
        if signer and _is_strict(leaf) else None


def _is_strict(certificate: Certificate) -> bool:
    """Whether cryptography itself has read a certificate (see kpki/pem/lenient.py)."""
    from cryptography.x509 import Certificate
    return type(certificate) is Certificate     # isinstance accepts a lenient one


def is_as_issued(certificate: Certificate, encoded: bytes, row: Row, key: PublicKeyTypes,
                 public_key: bytes, signer: Certificate) -> bool:
    """Whether `authority.issue` would write this certificate for a row, *key* and *signer*.

    *encoded* is the certificate in DER, *public_key* the key in DER. The serial number (above 0)
    and the dates may have any value. The answer is False for any other difference, right or wrong.
    """
    return not find_key_fault(key) and _is_written(
        certificate, encoded, leaf_values(row.profile, row.identity,
                                          rsa=isinstance(key, rsa.RSAPublicKey)),
        public_key, _signer(signer))


@lru_cache(maxsize=16)
def is_as_made(ca: Certificate, profile: Profile) -> bool:
    """Whether `authority.make_authority` would write this CA certificate for a profile.

    Then only the dates can be wrong, for Go and for strict verification, and the CA may sign every
    name.
    """
    key, values = ca.public_key(), ca_values(profile)
    return not find_key_fault(key) \
        and not (isinstance(key, rsa.RSAPublicKey) and key.public_numbers().e != _EXPONENT) \
        and _is_written(ca, ca.public_bytes(Encoding.DER), values, keys.public_key_der(key),
                        _Signer(key, _parameters(key), values.subject.dump(), b""))


def _is_written(certificate: Certificate, encoded: bytes, values: Values, public_key: bytes,
                signer: _Signer) -> bool:
    """Whether a certificate has *values* and kpki's additions for the key, signed by the signer."""
    found = records.to_be_signed(encoded)
    start = found.find(_HEAD, 0, _LONGEST_HEADER + len(_HEAD))
    if signatures.digest_of(certificate) not in _DIGESTS or start < 0:
        return False
    size = start + len(_HEAD)       # an octet of the serial number
    end = size + 1 + found[size]
    algorithm = der.sequence(der.oid(certificate.signature_algorithm_oid.dotted_string),
                             signer.parameters)
    own = records.Extension(SUBJECT_KEY_IDENTIFIER, False,
                        der.octet_string(keys.key_identifier(public_key)))
    extensions = der.sequence(*map(records.extension_item, (*values.extensions, own)),
                              signer.identifier)
    tail = b"".join((values.subject.dump(), public_key, der.tlv(_EXTENSIONS, extensions)))
    return (found[size + 1] < 0x80 and any(found[size + 1:end])
            and found.startswith(algorithm + signer.subject, end)
            and found == der.sequence(found[start:len(found) - len(tail)], tail)
            and encoded == records.signed(found, algorithm, certificate.signature)
            and signatures.is_signed_by(certificate, signer.key, found))


@lru_cache(maxsize=8)
def _signer(ca: Certificate) -> _Signer:
    identifier = extension("authorityKeyIdentifier", "keyid, issuer",
                           ExtensionContext(issuer=issuer_of(ca)))
    key = signatures.public_key(ca)
    return _Signer(key, _parameters(key), subject_der(ca), records.extension_item(identifier))


def _parameters(key: PublicKeyTypes | None) -> bytes:
    return der.NULL_ITEM if isinstance(key, rsa.RSAPublicKey) else b""
