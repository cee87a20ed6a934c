"""Whether a component of Kubernetes can use a private key, and the key as the component reads it.

cryptography reads other keys than Go (see go/private_keys): it accepts explicit EC parameters, and
refuses an RSA key without its CRT numbers.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from .go import private_keys
from .go.der import GoError
from .go.keys import CURVES_OF_OIDS
from ..pem import only_block
from ..stages import der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_NUMBERS = 5    # of an RSA key of two primes
# Go's name of a curve → the curve
_CURVES = {"P224": ec.SECP224R1(), "P256": ec.SECP256R1(), "P384": ec.SECP384R1(),
           "P521": ec.SECP521R1()}
# Go's words for a well-formed key of a kind, curve or size that Go does not support.
_WEAK = re.compile(
    "unknown elliptic curve|unknown algorithm|unknown private key"
    "|keys are insecure|uses no RSA keys")


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """Whether a component can use a private key."""

    key: PrivateKeyTypes | None = field(repr=False)
    """The key; None if Go refuses it, or if kpki cannot use it (RSA of more than two primes)."""
    cause: str | None = None
    """The slug of the cause if no component can use the key, else None."""
    reason: str = ""
    """The cause in Go's words."""


def _form(dotted: str, size: int) -> tuple[bytes, bytes]:
    """The octets before the secret, and those between secret and point, of an EC key of *size*."""
    curve, version = der.tlv(0xA0, der.oid(dotted)), der.integer(1)
    point = der.tlv(0xA1, der.bit_string(b"\4" + bytes(2 * size)))
    whole = der.sequence(version, der.octet_string(bytes(size)), curve, point)
    before, after = whole.index(version) + len(version) + 2, len(whole) - len(point) - len(curve)
    return whole[:before], whole[after:-2 * size]


# Length of a secret → its curve, and the form of a key with a named curve and its point (RFC 5915
# §3).
_WRITTEN = {size: (next(curve for curve in CURVES_OF_OIDS.values() if curve.name == name),
                   *_form(dotted, size))
            for name, dotted, size in (("P256", "1.2.840.10045.3.1.7", 32),
                                       ("P384", "1.3.132.0.34", 48))}


def find_canonical_key(data: bytes) -> PrivateKeyTypes | None:
    """The EC key of a file that is byte for byte as Go and openssl write it; None for others.

    Go accepts every such file and ignores its point, so the fields need not be parsed.
    """
    block = only_block(data)
    if block is None or block.label != "EC PRIVATE KEY":
        return None
    for size, (curve, before, after) in _WRITTEN.items():
        end = len(before) + size
        if block.der.startswith(before) and block.der.startswith(after, end) \
                and len(block.der) == end + len(after) + 2 * size:
            secret = block.der[len(before):end]
            number = int.from_bytes(secret)
            return ec.derive_private_key(number, _CURVES[curve.name]) \
                if 0 < number < curve.order else None
    return None


def verify_private_key(data: bytes, *, tokens: bool = False) -> KeyVerdict:
    """Whether a component accepts a file (PEM) as its private key (tls.X509KeyPair, Go 1.26).

    A key size that Go refuses to sign with is reported for the certificate, which has the same key.
    With *tokens* the key signs service accounts' tokens, and has no certificate
    (keyutil.PrivateKeyFromFile, serviceaccount.JWTTokenGenerator).
    """
    load = private_keys.load_token_key if tokens else private_keys.load_pair_key
    found = None
    try:
        found = load(data)
        if tokens:
            private_keys.validate_token_key(found)
    except GoError as error:
        reason = f"{error.sentence} ({error.why})" if error.why else error.sentence
        cause = "weak-signature-or-key" if _WEAK.search(reason) else "bad-pem"
        return KeyVerdict(None if found is None else _key(found), cause, reason)
    return KeyVerdict(_key(found))


def _key(found: private_keys.PrivateKey) -> PrivateKeyTypes | None:
    """A key that Go has loaded, as an object of cryptography."""
    if found.kind == "ECDSA":
        return ec.derive_private_key(int.from_bytes(found.secret), _CURVES[found.curve])
    if found.kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(found.secret)
    if found.kind != "RSA" or len(found.numbers) != _NUMBERS:
        return None
    n, e, d, p, q = found.numbers
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p),
                                 rsa.RSAPublicNumbers(e, n)
                                 ).private_key(unsafe_skip_rsa_key_validation=True)
