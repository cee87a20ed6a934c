"""Public keys and signatures (x509/parser.go, parsePublicKey; x509/x509.go, checkSignature)."""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import rsa
from .der import NULL_PARAMETERS, SEQUENCE, GoError, Reader, oid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

UNSUPPORTED_CURVE = "x509: unsupported elliptic curve"
_UNIMPLEMENTED = "x509: cannot verify signature: algorithm unimplemented"
_KINDS = {oid("1.2.840.113549.1.1.1"): "RSA", oid("1.2.840.10040.4.1"): "DSA",
          oid("1.2.840.10045.2.1"): "ECDSA",
          oid("1.3.101.112"): "Ed25519"}
_GO_TYPES = {"RSA": "*rsa.PublicKey", "ECDSA": "*ecdsa.PublicKey", "Ed25519": "ed25519.PublicKey"}


class Curve(NamedTuple):
    """The curve y² = x³ - 3x + b over the integers modulo p (FIPS 186-4, D.1.2)."""

    name: str
    p: int
    b: int
    order: int
    """The number of points."""


CURVES_OF_OIDS = {
    oid(text): Curve(name, p, int(b, 16), int(order, 16))
    for text, name, p, b, order in
    (("1.3.132.0.33", "P224", 2**224 - 2**96 + 1,
      "B4050A850C04B3ABF54132565044B0B7D7BFD8BA270B39432355FFB4",
      "FFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D"),
     ("1.2.840.10045.3.1.7", "P256", 2**256 - 2**224 + 2**192 + 2**96 - 1,
      "5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B",
      "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
     ("1.3.132.0.34", "P384", 2**384 - 2**128 - 2**96 + 2**32 - 1,
      "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF",
      "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973"
      ), ("1.3.132.0.35", "P521", 2**521 - 1,
          "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109"
          "E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
          "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
          "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409"))}


class Key(NamedTuple):
    """A public key."""

    kind: str
    """RSA, DSA, ECDSA or Ed25519."""
    modulus: int = 0
    """Of an RSA key."""
    exponent: int = 0
    """Of an RSA key."""
    curve: str = ""
    """The name of an EC key's curve."""
    octets: bytes = b""
    """The point of an EC key, or the octets of an Ed25519 key."""


def read_key(algorithm: bytes, parameters: bytes, data: bytes) -> Key | None:
    """The key of a SubjectPublicKeyInfo; *parameters* are a whole item or nothing.

    None for an algorithm that Go does not know.
    Raises GoError for a malformed key.
    """
    kind = _KINDS.get(algorithm)
    return None if kind is None else _READERS[kind](parameters, data)


def _read_rsa(parameters: bytes, data: bytes) -> Key:
    if parameters != NULL_PARAMETERS:
        raise GoError("x509: RSA key missing NULL parameters")
    numbers = Reader(data).inside(SEQUENCE, "x509: invalid RSA public key")
    modulus = numbers.integer("x509: invalid RSA modulus", bits=None)
    exponent = numbers.integer("x509: invalid RSA public exponent")
    for name, number in (("RSA modulus", modulus), ("RSA public exponent", exponent)):
        if number <= 0:
            raise GoError(f"x509: {name} is not a positive number")
    return Key("RSA", modulus=modulus, exponent=exponent)


def _read_ecdsa(parameters: bytes, data: bytes) -> Key:
    curve = _curve(parameters)
    if data[:1] != b"\x04":
        raise GoError("ecdsa: invalid uncompressed public key")
    size = (curve.p.bit_length() + 7) // 8
    x, y = int.from_bytes(data[1:size + 1], "big"), int.from_bytes(data[size + 1:], "big")
    if len(data) != 1 + 2 * size:
        raise GoError(f"invalid {curve.name} point encoding")
    if x >= curve.p or y >= curve.p:
        raise GoError(f"invalid {curve.name}Element encoding")
    if (x * x * x - 3 * x + curve.b - y * y) % curve.p:
        raise GoError(f"{curve.name} point not on curve")
    return Key("ECDSA", curve=curve.name, octets=data)


@lru_cache(maxsize=4)       # keys of a batch are on one curve
def _curve(parameters: bytes) -> Curve:
    curve = CURVES_OF_OIDS.get(Reader(parameters).oid("x509: invalid ECDSA parameters"))
    if curve is None:
        raise GoError(UNSUPPORTED_CURVE)
    return curve


def _read_ed25519(parameters: bytes, data: bytes) -> Key:
    if parameters:
        raise GoError("x509: Ed25519 key encoded with illegal parameters")
    if len(data) != 32:
        raise GoError("x509: wrong Ed25519 public key size")
    return Key("Ed25519", octets=data)


def _read_dsa(parameters: bytes, data: bytes) -> Key:
    numbers = [Reader(data).integer("x509: invalid DSA public key", bits=None)]
    domain = Reader(parameters).inside(SEQUENCE, "x509: invalid DSA parameters")
    numbers += [domain.integer("x509: invalid DSA parameters", bits=None) for _ in "pqg"]
    if min(numbers) <= 0:
        raise GoError("x509: zero or negative DSA parameter")
    return Key("DSA")


_READERS: dict[str, Callable[[bytes, bytes], Key]] = {
    "RSA": _read_rsa, "ECDSA": _read_ecdsa, "Ed25519": _read_ed25519, "DSA": _read_dsa}


class Algorithm(NamedTuple):
    """A signature algorithm."""

    name: str
    """Go's name."""
    kind: str
    """The kind of the key."""
    digest: str
    """The digest's name in hashlib and in cryptography; "" if the algorithm has its own."""
    pss: bool = False
    """Whether the padding of RSA is PSS."""


_RSA = "1.2.840.113549.1.1."
_DIGESTS = {oid(f"2.16.840.1.101.3.4.2.{last}"): (f"SHA{size}", size // 8)
            for last, size in ((1, 256), (2, 384), (3, 512))}
_PSS, _MGF1, _ED25519 = oid(_RSA + "10"), oid(_RSA + "8"), oid("1.3.101.112")
_ALGORITHMS = {oid(text): row for text, row in {
    _RSA + "4": Algorithm("MD5-RSA", "RSA", "MD5"),
    _RSA + "5": Algorithm("SHA1-RSA", "RSA", "SHA1"),
    "1.3.14.3.2.29": Algorithm("SHA1-RSA", "RSA", "SHA1"),
    _RSA + "11": Algorithm("SHA256-RSA", "RSA", "SHA256"),
    _RSA + "12": Algorithm("SHA384-RSA", "RSA", "SHA384"),
    _RSA + "13": Algorithm("SHA512-RSA", "RSA", "SHA512"),
    "1.2.840.10040.4.3": Algorithm("DSA-SHA1", "DSA", "SHA1"),
    "2.16.840.1.101.3.4.3.2": Algorithm("DSA-SHA256", "DSA", "SHA256"),
    "1.2.840.10045.4.1": Algorithm("ECDSA-SHA1", "ECDSA", "SHA1"),
    "1.2.840.10045.4.3.2": Algorithm("ECDSA-SHA256", "ECDSA", "SHA256"),
    "1.2.840.10045.4.3.3": Algorithm("ECDSA-SHA384", "ECDSA", "SHA384"),
    "1.2.840.10045.4.3.4": Algorithm("ECDSA-SHA512", "ECDSA", "SHA512"),
    "1.3.101.112": Algorithm("Ed25519", "Ed25519", ""),
}.items()}


def algorithm_of(identifier: bytes, parameters: bytes) -> Algorithm | None:
    """The algorithm of an AlgorithmIdentifier; None if unknown (getSignatureAlgorithmFromAI)."""
    if identifier == _PSS:
        try:
            return _pss_of(parameters)
        except GoError:
            return None
    return None if identifier == _ED25519 and parameters else _ALGORITHMS.get(identifier)


def _pss_of(parameters: bytes) -> Algorithm | None:
    """RSA-PSS as Go accepts it: one hash, a salt of that length, trailer 1 (RFC 4055 §3.1)."""
    fields = Reader(parameters).inside(SEQUENCE, "")
    digest, digest_parameters = _identifier(Reader(fields.content(0xA0, "")))
    mask, mask_parameters = _identifier(Reader(fields.content(0xA1, "")))
    inner, inner_parameters = _identifier(Reader(mask_parameters))
    salt = Reader(fields.content(0xA2, "")).integer("")
    trailer = fields.optional(0xA3, "")
    name, size = _DIGESTS.get(digest, ("", -1))
    if not (mask == _MGF1 and inner == digest and salt == size
            and {digest_parameters, inner_parameters} <= {b"", NULL_PARAMETERS}
            and (trailer is None or Reader(trailer).integer("") == 1)):
        return None
    return Algorithm(f"{name}-RSAPSS", "RSA", name, pss=True)


def _identifier(reader: Reader) -> tuple[bytes, bytes]:
    """(object identifier, parameters as a whole item or nothing) of an AlgorithmIdentifier."""
    inside = reader.inside(SEQUENCE, "")
    return inside.oid(""), inside.octets[inside.at:]


def validate_key(key: Key) -> None:
    """Raise GoError for an RSA key with which Go verifies no signature."""
    if key.kind == "RSA":
        rsa.validate_size(key.modulus)
        rsa.validate_public(key.modulus, key.exponent)
        rsa.validate_length(key.modulus)


def validate_signature(algorithm: Algorithm | None, signed: bytes, signature: bytes,
                       key: Key) -> None:
    """Raise GoError unless *key* made *signature* over *signed*, by an algorithm that Go trusts."""
    if not _verifier(algorithm, key)(signature, signed):
        raise GoError("crypto/rsa: verification error" if key.kind == "RSA"
                      else f"x509: {key.kind} verification failure")


@lru_cache(maxsize=64)      # one CA signs many certificates
def _verifier(algorithm: Algorithm | None, key: Key) -> Callable[[bytes, bytes], bool]:
    """Whether *key* made a signature over octets, as a function of both.

    Raises GoError unless Go trusts the algorithm and the key.
    """
    if algorithm is None:
        raise GoError(_UNIMPLEMENTED)
    if algorithm.digest in ("MD5", "SHA1"):
        raise GoError(f"x509: cannot verify signature: insecure algorithm {algorithm.name}")
    if key.kind not in _GO_TYPES:
        raise GoError(_UNIMPLEMENTED)
    if key.kind != algorithm.kind:
        raise GoError(f"x509: signature algorithm specifies an {algorithm.kind} public key, "
                      f"but have public key of type {_GO_TYPES[key.kind]}")
    validate_key(key)
    from cryptography.exceptions import InvalidSignature
    verify: Callable[..., None] = _loaded(key).verify
    scheme = _scheme(algorithm)

    def is_signed(signature: bytes, signed: bytes) -> bool:
        try:
            verify(signature, signed, *scheme)
        except InvalidSignature:
            return False
        return True
    return is_signed


def _loaded(key: Key) -> RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    if key.kind == "RSA":
        return rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
    if key.kind == "Ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(key.octets)
    curves = {"P224": ec.SECP224R1(), "P256": ec.SECP256R1(), "P384": ec.SECP384R1(),
              "P521": ec.SECP521R1()}
    return ec.EllipticCurvePublicKey.from_encoded_point(curves[key.curve], key.octets)


def _scheme(algorithm: Algorithm) -> tuple[object, ...]:
    """The arguments of a key's verify() after signature and octets."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    if algorithm.kind == "Ed25519":
        return ()
    digest: HashAlgorithm = getattr(hashes, algorithm.digest)()
    if algorithm.kind == "ECDSA":
        return (ec.ECDSA(digest),)
    if algorithm.pss:
        return padding.PSS(padding.MGF1(digest), digest.digest_size), digest
    return padding.PKCS1v15(), digest
