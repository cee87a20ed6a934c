"""How many bits of security a certificate's key and signature have, and the levels that ask for so many.

`verify -auth_level` (X509_VERIFY_PARAM_set_auth_level(3)); the bits of RSA keys are those of NIST's FIPS 140-2
implementation guidance 7.5, of elliptic curves and digests those of SP 800-57 part 1.
"""
from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LEVELS = (0, 80, 112, 128, 192, 256)    # bits of security that each level asks for
_CURVES = ((512, 256), (384, 192), (256, 128), (224, 112), (160, 80))       # bits of the order → of security
_INTEGERS = {2048: 112, 3072: 128, 4096: 152, 6144: 176, 7680: 192, 8192: 200, 15360: 256}
_DIGESTS = {"md5": 39, "sha1": 63}      # what is broken counts as less than any level asks for
_EDWARDS = {"1.3.101.112": 128, "1.3.101.113": 224}
_LARGEST = 687737, 1200


def key_bits(certificate: Certificate) -> int:
    """Bits of security of a certificate's key; 0 for a key that cannot be read."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    from ..signatures import public_key
    key = public_key(certificate)
    if isinstance(key, rsa.RSAPublicKey):
        return integer_bits(key.key_size)
    if isinstance(key, ec.EllipticCurvePublicKey):
        size = key.curve.group_order.bit_length()
        return next((bits for least, bits in _CURVES if size >= least), size // 2)
    if isinstance(key, dsa.DSAPublicKey):
        numbers = key.public_numbers().parameter_numbers
        small = numbers.q.bit_length() // 2
        return 0 if small < 80 else min(small, _discrete_bits(numbers.p.bit_length()))
    return 128 if isinstance(key, ed25519.Ed25519PublicKey) else 224 if isinstance(key, ed448.Ed448PublicKey) else 0


def signature_bits(certificate: Certificate) -> int:
    """Bits of security of a certificate's signature: half of its digest's size; 0 for an algorithm unknown here."""
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


def integer_bits(size: int) -> int:
    """Bits of security of an RSA modulus of *size* bits: what factoring it takes (the number field sieve)."""
    if size in _INTEGERS:
        return _INTEGERS[size]
    if size >= _LARGEST[0]:
        return _LARGEST[1]
    if size < 8:
        return 0
    x = size * log(2)
    bits = int((1.923 * (x * log(x) ** 2) ** (1 / 3) - 4.69) / log(2))
    return min((bits + 4) & ~7, 192 if size <= 7680 else 256 if size <= 15360 else 1200)


def _discrete_bits(size: int) -> int:
    """The coarse table of BN_security_bits for DSA's prime."""
    return next((bits for least, bits in ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))
                 if size >= least), 0)
