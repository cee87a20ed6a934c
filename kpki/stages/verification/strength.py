"""The bits of security of a certificate's key and signature, and the levels that ask for them.

The levels are those of `verify -auth_level` (X509_VERIFY_PARAM_set_auth_level(3)). The bits of
elliptic curves and digests are those of NIST's SP 800-57 part 1. A key counts for the highest level
that it reaches.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LEVELS = (0, 80, 112, 128, 192, 256)    # bits of security that each level asks for
# Bits of the curve's order → bits of security.
_CURVES = ((512, 256), (384, 192), (256, 128), (224, 112), (160, 80))
# The shortest RSA modulus that OpenSSL 3.0 accepts at each level, by FIPS 140-2 IG 7.5; the table
# of DSA is coarser.
_RSA = ((13914, 256), (6947, 192), (2671, 128), (1963, 112), (920, 80))
_DSA = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))
_DIGESTS = {"md5": 39, "sha1": 63}      # broken digests reach no level
_EDWARDS = {"1.3.101.112": 128, "1.3.101.113": 224}


def key_bits(certificate: Certificate) -> int:
    """Bits of security of a certificate's key; 0 for a key that cannot be read."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    from ..signatures import public_key
    key = public_key(certificate)
    if isinstance(key, rsa.RSAPublicKey):
        return _reached(key.key_size, _RSA)
    if isinstance(key, ec.EllipticCurvePublicKey):
        size = key.curve.group_order.bit_length()
        return _reached(size, _CURVES)
    if isinstance(key, dsa.DSAPublicKey):
        numbers = key.public_numbers().parameter_numbers
        small = numbers.q.bit_length() // 2
        return 0 if small < 80 else min(small, _reached(numbers.p.bit_length(), _DSA))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return 128
    return 224 if isinstance(key, ed448.Ed448PublicKey) else 0


def signature_bits(certificate: Certificate) -> int:
    """Bits of security of a certificate's signature: half of its digest's size.

    The answer is 0 for an unknown algorithm.
    """
    from ..signatures import digest_of
    edwards = _EDWARDS.get(certificate.signature_algorithm_oid.dotted_string)
    if edwards:
        return edwards
    name = digest_of(certificate)
    if name is None:
        return 0
    from cryptography.exceptions import UnsupportedAlgorithm
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return 0
    return _DIGESTS.get(name, digest.digest_size * 4 if digest else 0)


def _reached(size: int, table: tuple[tuple[int, int], ...]) -> int:
    """The bits of security of the first row whose size *size* reaches, 0 if there is none."""
    return next((bits for least, bits in table if size >= least), 0)
