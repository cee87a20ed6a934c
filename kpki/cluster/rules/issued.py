"""Whether a certificate is, to the byte, as kpki issues it.

Of such a certificate only the dates can be wrong. A fleet of them is checked in a fraction of the
time that reading every certificate takes.
"""
from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ..authority import find_key_fault
from ..desired.rows import Row
from ...kubernetes.profiles import Profile, ca_values, leaf_values
from ...stages import der, keys, signatures
from ...stages.certificates import Values, issuer_of, subject_der
from ...stages.extensions.context import ExtensionContext
from ...stages.extensions.identifiers import SUBJECT_KEY_IDENTIFIER
from ...stages.extensions.table import extension

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

# version 3, and a serial number begins
_HEAD = der.tlv(0xA0, der.integer(2)) + bytes((der.INTEGER,))
_EXTENSIONS = 0xA3
_LONGEST_HEADER = 6     # tag and length of what is shorter than 4 GiB
_DIGESTS = ("sha256", "sha384", "sha512")
_EXPONENT = 65537


class _Signer(NamedTuple):
    """What a CA puts into what it signs: its *subject*, and its own key's identifier, and the *key*
    that signs.
    """

    key: PublicKeyTypes | None
    subject: bytes
    identifier: bytes


def is_as_issued(certificate: Certificate, row: Row, key: PublicKeyTypes, public_key: bytes,
                 signer: Certificate) -> bool:
    """Whether a certificate is what `authority.issue` writes for a row and a *key*, signed by
    *signer*.

    *public_key* is the key in DER, which who asks for several signers has at hand. Serial number
    (above 0) and dates are whatever they are. False where anything else differs, right or wrong.
    """
    return not find_key_fault(key) and _is_written(certificate, leaf_values(
        row.profile, row.identity, rsa=isinstance(key, rsa.RSAPublicKey)), public_key,
                                                   _signer(signer))


@lru_cache(maxsize=16)
def is_as_made(ca: Certificate, profile: Profile) -> bool:
    """Whether a CA is what `authority.make_authority` writes for a profile, likewise: nothing but
    its dates can be wrong with it, for Go or for strict verification, and it may sign for every
    name.
    """
    key, values = ca.public_key(), ca_values(profile)
    return not find_key_fault(key) \
        and not (isinstance(key, rsa.RSAPublicKey) and key.public_numbers().e != _EXPONENT) \
        and _is_written(ca, values, keys.public_key_der(key),
                        _Signer(key, values.subject.dump(), b""))


def _is_written(certificate: Certificate, values: Values, public_key: bytes,
                signer: _Signer) -> bool:
    """Whether a certificate says *values* and what kpki adds to them, for that key, and the signer
    signed it.
    """
    found = certificate.tbs_certificate_bytes
    start = found.find(_HEAD, 0, _LONGEST_HEADER + len(_HEAD))
    if signatures.digest_of(certificate) not in _DIGESTS or start < 0:
        return False
    size = start + len(_HEAD)       # of the serial number, an octet
    end = size + 1 + found[size]
    algorithm = der.sequence(der.oid(certificate.signature_algorithm_oid.dotted_string),
                             der.NULL_ITEM if isinstance(signer.key, rsa.RSAPublicKey) else b"")
    own = der.Extension(SUBJECT_KEY_IDENTIFIER, False,
                        der.octet_string(keys.key_identifier(public_key)))
    extensions = der.sequence(*map(der.extension_item, (*values.extensions, own)),
                              signer.identifier)
    tail = b"".join((values.subject.dump(), public_key, der.tlv(_EXTENSIONS, extensions)))
    return (found[size + 1] < 0x80 and any(found[size + 1:end])
            and found.startswith(algorithm + signer.subject, end)
            and found == der.sequence(found[start:len(found) - len(tail)], tail)
            and certificate.public_bytes(Encoding.DER) == der.signed(found, algorithm,
                                                                     certificate.signature)
            and signatures.is_signed_by(certificate, signer.key))


@lru_cache(maxsize=8)
def _signer(ca: Certificate) -> _Signer:
    identifier = extension("authorityKeyIdentifier", "keyid, issuer",
                           ExtensionContext(issuer=issuer_of(ca)))
    return _Signer(signatures.public_key(ca), subject_der(ca), der.extension_item(identifier))
