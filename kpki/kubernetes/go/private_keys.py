"""Private keys as Go loads them (crypto/tls/tls.go, crypto/x509/pkcs1.go, pkcs8.go, sec1.go; client-go's util/keyutil).

Also what Kubernetes asks of a key that it has loaded: that it can sign a handshake, or a service account's token.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from . import rsa
from .asn1 import Fields
from .der import GoError, dotted, oid
from .keys import CURVES
from .pem import blocks

_RSA, _ECDSA, _ED25519, _X25519 = map(oid, (
    "1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.3.101.112", "1.3.101.110"))
_GO_TYPES = {"Ed25519": "ed25519.PrivateKey", "X25519": "*ecdh.PrivateKey"}


class PrivateKey(NamedTuple):
    """A key that Go has loaded: its *kind* as in `keys.Key`, the numbers of an RSA key, the *curve* and *secret* of
    another. RSA's *numbers* are the modulus, both exponents (the public first) and two primes or more."""

    kind: str
    curve: str = ""
    secret: bytes = b""
    numbers: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"PrivateKey({self.kind!r})"


def load_pair_key(data: bytes) -> PrivateKey:
    """The private key of a PEM file that a component is given beside its certificate (tls.X509KeyPair).

    Raises GoError with Go's sentence, and in its *why* what Go found and does not say.
    """
    passed = []
    for label, _, content in blocks(data):
        if label == b"PRIVATE KEY" or label.endswith(b" PRIVATE KEY"):
            return _parse(content)
        passed.append(label)
    raise GoError("tls: failed to find any PEM data in key input" if not passed else
                  "tls: found a certificate rather than a key in the PEM for the private key"
                  if passed == [b"CERTIFICATE"] else
                  'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM '
                  f"blocks of the following types: [{b' '.join(passed).decode('latin-1')}]")


def load_token_key(data: bytes) -> PrivateKey:
    """The private key of a PEM file that signs service accounts' tokens (keyutil.ParsePrivateKeyPEM). Raises GoError.

    Each label is read in its own form only, and a block that cannot be read is passed over.
    """
    found = list[str]()
    for label, _, content in blocks(data):
        if label in _FORMS:
            with _kept(found):
                return _FORMS[label](content)
    raise GoError("data does not contain a valid RSA or ECDSA private key", why=_why(found))


def check_handshake_key(key: PrivateKey) -> None:
    """GoError where Go has loaded the key, and signs no handshake with it (rsa.checkKeySize)."""
    if key.kind == "RSA":
        rsa.check_size(key.numbers[0])


def check_token_key(key: PrivateKey) -> None:
    """GoError where Kubernetes signs no token with a key that it has loaded (serviceaccount.JWTTokenGenerator)."""
    check_handshake_key(key)
    if key.curve == "P224":
        raise GoError("could not generate signer for ECDSA keypair: unknown private key curve, must be 256, 384, or "
                      "521")
    if key.kind in _GO_TYPES:
        raise GoError(f"unknown private key type {_GO_TYPES[key.kind]}, must be *rsa.PrivateKey, *ecdsa.PrivateKey, or "
                      "jose.OpaqueSigner")


@contextmanager
def _kept(found: list[str]) -> Iterator[None]:
    """Go tries one form after the other: note why this is none, and go on."""
    try:
        yield
    except GoError as error:
        found.append(error.sentence)


def _why(found: list[str]) -> str:
    """What is said of the form that the key has: what is wrong in it, rather than that it is another form's."""
    return next((one for one in found if "asn1: " not in one), "")


def _parse(der: bytes) -> PrivateKey:
    """A key in any of the three forms, tried in this order (tls.parsePrivateKey)."""
    found, key = list[str](), None
    for read in (_pkcs1, _pkcs8, _sec1):
        with _kept(found):
            key = read(der)
            break
    if key is None:
        raise GoError("tls: failed to parse private key", why=_why(found))
    if key.kind == "X25519":
        raise GoError("tls: found unknown private key type in PKCS#8 wrapping")
    return key


def _pkcs1(der: bytes) -> PrivateKey:
    """An RSA key in its own form (x509.ParsePKCS1PrivateKey)."""
    whole = Fields(der)
    fields = whole.struct()
    version, modulus, exponent, *others = (fields.integer(bits=bits) for bits in (64, None, 64, None, None, None))
    hints = [fields.optional_integer() for _ in ("dP", "dQ", "qInv")]
    primes = [[one.integer() for _ in ("prime", "exponent", "coefficient")][0] for one in fields.optional_structs()]
    if whole:
        raise GoError("asn1: syntax error: trailing data")
    if version > 1:
        raise GoError("x509: unsupported private key version")
    if min(modulus, *others) <= 0 or any(one is not None and one <= 0 for one in hints):
        raise GoError("x509: private key contains zero or negative value")
    if min(primes, default=1) <= 0:
        raise GoError("x509: private key contains zero or negative prime")
    secret, *two = others
    rsa.check_private(modulus, exponent, secret, [*two, *primes], hints)
    return PrivateKey("RSA", numbers=(modulus, exponent, secret, *two, *primes))


def _pkcs8(der: bytes) -> PrivateKey:
    """A key of any kind in its wrapping (x509.ParsePKCS8PrivateKey)."""
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
        raise GoError(f"x509: PKCS#8 wrapping contained private key with unknown algorithm: {dotted(kind)}")
    if parameters:
        raise GoError(f"x509: invalid {name} private key parameters")
    try:
        secret = Fields(content).octets_of()
    except GoError as error:
        raise GoError(f"x509: invalid {name} private key: {error.sentence}") from None
    if len(secret) != 32:
        raise GoError(f"x509: invalid Ed25519 private key length: {len(secret)}" if name == "Ed25519" else
                      "crypto/ecdh: invalid private key size")
    return PrivateKey(name, secret=secret)


def _inside(kind: str, read: Callable[[], PrivateKey]) -> PrivateKey:
    try:
        return read()
    except GoError as error:
        raise GoError(f"x509: failed to parse {kind} private key embedded in PKCS#8: {error.sentence}") from None


def _named(parameters: bytes) -> bytes | None:
    """The curve that parameters name, None where they do not: explicit ones are no name."""
    try:
        return Fields(parameters).oid()
    except GoError:
        return None


def _sec1(der: bytes, curve: bytes | None = None) -> PrivateKey:
    """An EC key in its own form, on the *curve* that its wrapping names, else on its own (x509.ParseECPrivateKey)."""
    try:
        fields = Fields(der).struct()
        version, secret = fields.integer(bits=64), fields.octets_of()
        own = fields.explicit_oid(0)
        fields.explicit_bits(1)
    except GoError as error:
        raise GoError(f"x509: failed to parse EC private key: {error.sentence}") from None
    if version != 1:
        raise GoError(f"x509: unknown EC private key version {version}")
    known = CURVES.get(own or b"" if curve is None else curve)
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
