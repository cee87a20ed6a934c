"""Private keys as Go loads them, and whether they can sign a handshake or a token.

Sources: crypto/tls/tls.go, crypto/x509/pkcs1.go, pkcs8.go, sec1.go; client-go's util/keyutil.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from . import rsa
from .asn1 import Fields
from .der import GoError, dotted, oid
from .keys import CURVES_OF_OIDS
from .pem import blocks

_RSA, _ECDSA, _ED25519, _X25519 = map(oid, (
    "1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.3.101.112", "1.3.101.110"))
_GO_TYPES = {"Ed25519": "ed25519.PrivateKey", "X25519": "*ecdh.PrivateKey"}


class PrivateKey(NamedTuple):
    """A key that Go has loaded."""

    kind: str
    """RSA, ECDSA, Ed25519 or X25519."""
    curve: str = ""
    """The name of an EC key's curve."""
    secret: bytes = b""
    """The secret of a key that is not RSA."""
    numbers: tuple[int, ...] = ()
    """Of an RSA key: the modulus, the public and the private exponent, two primes or more."""

    def __repr__(self) -> str:
        return f"PrivateKey({self.kind!r})"


def load_pair_key(data: bytes) -> PrivateKey:
    """The private key of a component's PEM file, which has a certificate (tls.X509KeyPair).

    Raises GoError with Go's sentence; *why* holds a fact that Go's sentence leaves out.
    """
    skipped = []
    for label, _, content in blocks(data):
        if label == b"PRIVATE KEY" or label.endswith(b" PRIVATE KEY"):
            return _parse(content)
        skipped.append(label)
    if not skipped:
        raise GoError("tls: failed to find any PEM data in key input")
    if skipped == [b"CERTIFICATE"]:
        raise GoError("tls: found a certificate rather than a key in the PEM for the private key")
    raise GoError(
        'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after '
                  "skipping PEM blocks of the following types: "
                  f"[{b' '.join(skipped).decode('latin-1')}]")


def load_token_key(data: bytes) -> PrivateKey:
    """The private key of a PEM file that signs tokens (keyutil.ParsePrivateKeyPEM).

    Each label is read in its own form only, and unreadable blocks are skipped.
    Raises GoError.
    """
    found = list[str]()
    for label, _, content in blocks(data):
        if label in _FORMS:
            with _collected(found):
                return _FORMS[label](content)
    raise GoError("data does not contain a valid RSA or ECDSA private key", why=_why(found))


def validate_handshake_key(key: PrivateKey) -> None:
    """Raise GoError for a loaded key with which Go signs no handshake (rsa.checkKeySize)."""
    if key.kind == "RSA":
        rsa.validate_size(key.numbers[0])


def validate_token_key(key: PrivateKey) -> None:
    """Raise GoError for a loaded key that signs no token (serviceaccount.JWTTokenGenerator)."""
    validate_handshake_key(key)
    if key.curve == "P224":
        raise GoError(
            "could not generate signer for ECDSA keypair: unknown private key curve, must be 256, "
            "384, or "
                      "521")
    if key.kind in _GO_TYPES:
        raise GoError(
            f"unknown private key type {_GO_TYPES[key.kind]}, must be *rsa.PrivateKey, "
            f"*ecdsa.PrivateKey, or "
                      "jose.OpaqueSigner")


@contextmanager
def _collected(found: list[str]) -> Iterator[None]:
    """Append Go's sentence about a GoError of the block to *found*; Go then tries the next form."""
    try:
        yield
    except GoError as error:
        found.append(error.sentence)


def _why(found: list[str]) -> str:
    """The first sentence that is not about ASN.1: errors of ASN.1 mean that the form is another."""
    return next((sentence for sentence in found if "asn1: " not in sentence), "")


def _parse(der: bytes) -> PrivateKey:
    """A key in PKCS #1, PKCS #8 or SEC 1 form, tried in this order (tls.parsePrivateKey)."""
    found, key = list[str](), None
    for read in (_pkcs1, _pkcs8, _sec1):
        with _collected(found):
            key = read(der)
            break
    if key is None:
        raise GoError("tls: failed to parse private key", why=_why(found))
    if key.kind == "X25519":
        raise GoError("tls: found unknown private key type in PKCS#8 wrapping")
    return key


def _pkcs1(der: bytes) -> PrivateKey:
    """An RSA key in PKCS #1 form (x509.ParsePKCS1PrivateKey)."""
    whole = Fields(der)
    fields = whole.struct()
    version, modulus, exponent, *others = (fields.integer(bits=bits)
                                           for bits in (64, None, 64, None, None, None))
    hints = [fields.optional_integer() for _ in ("dP", "dQ", "qInv")]
    primes = []
    for struct in fields.optional_structs():
        prime, _exponent, _coefficient = (struct.integer() for _ in range(3))
        primes.append(prime)
    if whole:
        raise GoError("asn1: syntax error: trailing data")
    if version > 1:
        raise GoError("x509: unsupported private key version")
    if min(modulus, *others) <= 0 or any(hint is not None and hint <= 0 for hint in hints):
        raise GoError("x509: private key contains zero or negative value")
    if min(primes, default=1) <= 0:
        raise GoError("x509: private key contains zero or negative prime")
    secret, *two = others
    rsa.validate_private(modulus, exponent, secret, [*two, *primes], hints)
    return PrivateKey("RSA", numbers=(modulus, exponent, secret, *two, *primes))


def _pkcs8(der: bytes) -> PrivateKey:
    """A key of any kind in PKCS #8 form (x509.ParsePKCS8PrivateKey)."""
    fields = Fields(der).struct()
    fields.integer(bits=64)
    algorithm = fields.struct()
    kind, parameters = algorithm.oid(), algorithm.optional_any()
    content = fields.octets_of()
    if kind == _RSA:
        return _inside("RSA", lambda: _pkcs1(content))
    if kind == _ECDSA:
        return _inside("EC", lambda: _sec1(content, _named(parameters)))
    name = {_ED25519: "Ed25519", _X25519: "X25519"}.get(kind)
    if name is None:
        raise GoError(
            f"x509: PKCS#8 wrapping contained private key with unknown algorithm: {dotted(kind)}")
    if parameters:
        raise GoError(f"x509: invalid {name} private key parameters")
    try:
        secret = Fields(content).octets_of()
    except GoError as error:
        raise GoError(f"x509: invalid {name} private key: {error.sentence}") from None
    if len(secret) != 32:
        raise GoError(f"x509: invalid Ed25519 private key length: {len(secret)}"
                      if name == "Ed25519" else
                      "crypto/ecdh: invalid private key size")
    return PrivateKey(name, secret=secret)


def _inside(kind: str, read: Callable[[], PrivateKey]) -> PrivateKey:
    try:
        return read()
    except GoError as error:
        raise GoError(
            f"x509: failed to parse {kind} private key embedded in PKCS#8: {error.sentence}"
        ) from None


def _named(parameters: bytes) -> bytes | None:
    """The curve that parameters name; None for explicit parameters."""
    try:
        return Fields(parameters).oid()
    except GoError:
        return None


def _sec1(der: bytes, curve: bytes | None = None) -> PrivateKey:
    """An EC key in SEC 1 form (x509.ParseECPrivateKey).

    *curve* is the curve that a PKCS #8 form names; None for the key's own.
    """
    try:
        fields = Fields(der).struct()
        version, secret = fields.integer(bits=64), fields.octets_of()
        own = fields.explicit_oid(0)
        fields.explicit_bits(1)
    except GoError as error:
        raise GoError(f"x509: failed to parse EC private key: {error.sentence}") from None
    if version != 1:
        raise GoError(f"x509: unknown EC private key version {version}")
    known = CURVES_OF_OIDS.get(own or b"" if curve is None else curve)
    if known is None:
        raise GoError("x509: unknown elliptic curve")
    size = (known.order.bit_length() + 7) // 8
    if any(secret[:-size]):
        raise GoError("x509: invalid private key length")
    number = int.from_bytes(secret, "big")
    if number % known.order == 0:
        raise GoError("ecdsa: invalid public key encoding")
    if number > known.order:
        raise GoError("input overflows the modulus")
    return PrivateKey("ECDSA", known.name, number.to_bytes(size, "big"))


_FORMS = {b"EC PRIVATE KEY": _sec1, b"RSA PRIVATE KEY": _pkcs1, b"PRIVATE KEY": _pkcs8}
