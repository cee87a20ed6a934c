"""Keys: functions that make keys (genrsa, genpkey), name them, and sign with them."""
from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import der
from .records import key_bits
from ..errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

SigningKey = (rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
              | ed448.Ed448PrivateKey)

# Every name that openssl's -name and -pkeyopt ec_paramgen_curve accept for curves that kpki has.
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1, "prime256v1": ec.SECP256R1, "secp256r1": ec.SECP256R1,
    "P-384": ec.SECP384R1, "secp384r1": ec.SECP384R1,
    "P-521": ec.SECP521R1, "secp521r1": ec.SECP521R1,
    "P-224": ec.SECP224R1, "secp224r1": ec.SECP224R1,
    "P-192": ec.SECP192R1, "prime192v1": ec.SECP192R1, "secp192r1": ec.SECP192R1,
    "secp256k1": ec.SECP256K1, "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1, "brainpoolP512r1": ec.BrainpoolP512R1,
}
_SMALLEST_RSA, _LARGEST_RSA = 1024, 16384
LONGEST_SALT = -2       # of RSASSA-PSS: as much as the key has room for
_MGF1, _USUAL_SALT = "1.2.840.113549.1.1.8", 20
# The digests with which OpenSSL 3.0 signs by RSASSA-PSS, by their OIDs.
_PSS_DIGESTS = {
    "sha1": "1.3.14.3.2.26", **{name: f"2.16.840.1.101.3.4.2.{last}" for name, last in (
        ("sha224", 4), ("sha256", 1), ("sha384", 2), ("sha512", 3), ("sha512-224", 5),
        ("sha512-256", 6))}}

# Digest name → class in cryptography's hashes, the OIDs of its RSA and of its ECDSA signatures.
DIGESTS: dict[str, tuple[str, str, str]] = {
    "md5": ("MD5", "1.2.840.113549.1.1.4", ""),
    "sha1": ("SHA1", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"),
    "sha224": ("SHA224", "1.2.840.113549.1.1.14", "1.2.840.10045.4.3.1"),
    "sha256": ("SHA256", "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"),
    "sha384": ("SHA384", "1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"),
    "sha512": ("SHA512", "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"),
    "sha512-224": ("SHA512_224", "1.2.840.113549.1.1.15", ""),
    "sha512-256": ("SHA512_256", "1.2.840.113549.1.1.16", ""),
    "sha3-224": ("SHA3_224", "2.16.840.1.101.3.4.3.13", "2.16.840.1.101.3.4.3.9"),
    "sha3-256": ("SHA3_256", "2.16.840.1.101.3.4.3.14", "2.16.840.1.101.3.4.3.10"),
    "sha3-384": ("SHA3_384", "2.16.840.1.101.3.4.3.15", "2.16.840.1.101.3.4.3.11"),
    "sha3-512": ("SHA3_512", "2.16.840.1.101.3.4.3.16", "2.16.840.1.101.3.4.3.12"),
}
_DIGEST_ALIASES = {
    "ssl3-md5": "md5", "ssl3-sha1": "sha1", "sha-1": "sha1", "sha2-224": "sha224",
    "sha-224": "sha224", "sha2-256": "sha256", "sha-256": "sha256", "sha2-384": "sha384",
    "sha-384": "sha384", "sha2-512": "sha512", "sha-512": "sha512", "sha-512/256": "sha512-256",
    "sha-512/224": "sha512-224", "sha2-512/256": "sha512-256", "sha2-512/224": "sha512-224"}
# Names that OpenSSL 3.0 knows, of digests that do not sign here, and of signatures. OpenSSL signs
# with RIPEMD-160 alone of them, and kpki with none: the names are no mistakes of the pen.
_OTHER_DIGESTS = frozenset((
    *"""\
blake2b-512 blake2b512 blake2s-256 blake2s256 keccak-kmac-128 keccak-kmac-256
keccak-kmac128 keccak-kmac256 md4 md4withrsaencryption md5-sha1 null ripemd ripemd-160
ripemd160 ripemd160withrsa rmd160 rsa-md4 rsa-ripemd160 rsa-sha1-2 rsa-sha512/224 rsa-sha512/256
rsa-sm3 shake-128 shake-256 shake128 shake256 sm3 sm3withrsaencryption whirlpool""".split(),
    *(f"rsa-{name}" for name in DIGESTS),
    *(f"{name}withrsaencryption" for name in DIGESTS if not name.startswith("sha3-")),
    *(f"id-rsassa-pkcs1-v1_5-with-{name}" for name in DIGESTS if name.startswith("sha3-"))))


def genrsa(bits: int = 2048, *, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """Generate an RSA key of *bits* bits (openssl genrsa; `-3` is exponent 3).

    Raises InputError for less than 1024 bits, which no peer accepts, or more than 16384.

    >>> kpki.genrsa(2048).key_size
    2048
    """
    if not _SMALLEST_RSA <= bits <= _LARGEST_RSA:
        raise InputError(
            f"an RSA key of {bits} bits cannot be made: {_SMALLEST_RSA} to {_LARGEST_RSA}",
            hint="2048 is what the Kubernetes documentation uses")
    if exponent not in (3, 65537):
        raise UnsupportedError(f"the RSA exponent {exponent} is not supported",
                               hint="65537 is the usual one")
    return rsa.generate_private_key(exponent, bits)


def genpkey(algorithm: str = "RSA", *, bits: int = 2048, curve: str = "P-256") -> SigningKey:
    """Generate a key: RSA (of *bits*), EC (on *curve*), ED25519 or ED448 (openssl genpkey).

    Raises InputError for an unknown curve or size, UnsupportedError for another algorithm.

    >>> kpki.genpkey("EC", curve="P-384").curve.name
    'secp384r1'
    """
    match algorithm.upper():
        case "RSA":
            return genrsa(bits)
        case "EC":
            return ec.generate_private_key(get_curve(curve)())
        case "ED25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ED448":
            return ed448.Ed448PrivateKey.generate()
    raise UnsupportedError(f"the key algorithm {algorithm} is not supported",
                           hint="RSA, EC, ED25519, ED448")


def get_curve(name: str) -> type[ec.EllipticCurve]:
    """The curve of that name, NIST's or SECG's. Raises InputError if the name is unknown.

    Letter case counts only in NIST's names (`P-256`), as in openssl.
    """
    found = CURVES.get(name) or next(
        (curve for known, curve in CURVES.items()
         if known.lower() == name.lower() and not known.startswith("P-")), None)
    if found is None:
        raise InputError(f"unknown curve name ({name})", hint=", ".join(CURVES))
    return found


def validate_signing_key(key: PrivateKeyTypes) -> SigningKey:
    """*key*, if it can sign a certificate. Raises UnsupportedError for X25519, DSA or DH keys."""
    if isinstance(key, SigningKey):
        return key
    raise UnsupportedError("kpki signs no certificate with a key of this kind",
                           hint="use an RSA, EC, Ed25519 or Ed448 key")


def public_key_der(key: PrivateKeyTypes | PublicKeyTypes | bytes) -> bytes:
    """The SubjectPublicKeyInfo of a key in DER; *key* may be these octets already.

    Two keys are equal if these octets are equal.
    """
    if isinstance(key, bytes):
        return key
    public = key.public_key() if hasattr(key, "public_key") else key
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=64)
def key_identifier(public_key: bytes) -> bytes:
    """The SHA-1 of the key bits of a SubjectPublicKeyInfo: `subjectKeyIdentifier = hash`."""
    return hashlib.sha1(key_bits(public_key), usedforsecurity=False).digest()


@cache
def digest_names() -> frozenset[str]:
    """Every name of a digest in OpenSSL 3.0, in lower case, also of digests that do not sign."""
    return frozenset((*DIGESTS, *_DIGEST_ALIASES, *_OTHER_DIGESTS))


def get_digest(name: str) -> str:
    """The digest that openssl calls *name*, in any letter case. Raises InputError if unknown."""
    lower = name.lower()
    found = _DIGEST_ALIASES.get(lower, lower)
    if found not in DIGESTS:
        raise InputError(f"no signature is made with the digest {name}" if lower in _OTHER_DIGESTS
                         else f"unknown message digest {name}",
                         hint="sha256, sha384 and sha512 are the usual ones")
    return found


class Pss(str):
    """A digest's name that makes an RSA key sign by RSASSA-PSS (RFC 8017 §8.1).

    Every *digest* of the stages may be one. *mask* is the digest of MGF1 (None: the same), *salt*
    the octets of the salt: -1 for as many as the digest has, -2 for the most that the key has room
    for. Raises InputError for a digest that makes no such signature.

    >>> kpki.stages.keys.Pss("sha256", salt=-1).mask
    'sha256'
    """

    __slots__ = ("mask", "salt")
    mask: str
    salt: int

    def __new__(cls, digest: str, *, mask: str | None = None, salt: int = LONGEST_SALT) -> Self:
        """The digest and the mask by their usual names."""
        names = [get_digest(name) for name in (digest, mask or digest)]
        if other := set(names) - set(_PSS_DIGESTS):
            raise InputError(f"there is no RSA-PSS signature with {other.pop()}", hint="sha256")
        made = super().__new__(cls, names[0])
        made.mask, made.salt = names[1], salt
        return made


def _salt(key: rsa.RSAPrivateKey, scheme: Pss) -> int:
    """The octets of the salt. Raises InputError if the key has no room for so many."""
    size = _hash(scheme).digest_size
    room = (key.key_size + 6) // 8 - size - 2       # RFC 8017 §9.1.1
    salt = {-1: size, LONGEST_SALT: room}.get(scheme.salt, scheme.salt)
    if not 0 <= salt <= room:
        raise InputError(f"an RSA key of {key.key_size} bits has no room for {salt} octets of salt",
                         hint="rsa_pss_saltlen:digest")
    return salt


def _pss_algorithm(key: rsa.RSAPrivateKey, scheme: Pss) -> bytes:
    """The AlgorithmIdentifier (RFC 4055 §3.1): SHA-1 and 20 octets of salt are not written."""
    digest, mask = (der.sequence(der.oid(_PSS_DIGESTS[name]), der.NULL_ITEM)
                    for name in (scheme, scheme.mask))
    salt = _salt(key, scheme)
    return der.sequence(der.oid("1.2.840.113549.1.1.10"), der.sequence(
        der.tlv(0xA0, digest) if scheme != "sha1" else b"",
        der.tlv(0xA1, der.sequence(der.oid(_MGF1), mask)) if scheme.mask != "sha1" else b"",
        der.tlv(0xA2, der.integer(salt)) if salt != _USUAL_SALT else b""))


def signature_algorithm(key: SigningKey, digest: str) -> bytes:
    """The AlgorithmIdentifier (DER) of a signature by *key* over *digest*.

    The identifiers are those of RFC 4055 §5, RFC 5758 §3.2 and RFC 8410 §3.
    """
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _algorithm("1.3.101.112")
    if isinstance(key, ed448.Ed448PrivateKey):
        return _algorithm("1.3.101.113")
    if isinstance(key, rsa.RSAPrivateKey) and isinstance(digest, Pss):
        return _pss_algorithm(key, digest)
    _, with_rsa, with_ecdsa = DIGESTS[get_digest(digest)]
    if isinstance(key, rsa.RSAPrivateKey):
        return _algorithm(with_rsa, null=True)
    if not with_ecdsa:
        raise InputError(f"there is no ECDSA signature with {digest}")
    return _algorithm(with_ecdsa)


@lru_cache
def _algorithm(oid: str, *, null: bool = False) -> bytes:
    return der.sequence(der.oid(oid), der.NULL_ITEM if null else b"")


def sign_bytes(key: SigningKey, digest: str, data: bytes) -> bytes:
    """The signature of *data* by *key*: RSA PKCS#1 v1.5 or ECDSA over *digest*, or EdDSA.

    A *digest* that is a `Pss` makes an RSA key sign by RSASSA-PSS. Raises InputError if a key of
    another maker than cryptography's, such as one in an HSM, makes a signature that is wrong.
    """
    parameters: tuple[Any, ...] = ()
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = _hash(digest)
        parameters = (padding.PSS(padding.MGF1(_hash(digest.mask)), _salt(key, digest))
                      if isinstance(digest, Pss) else padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        parameters = (ec.ECDSA(_hash(digest)),)
    signature: bytes = key.sign(data, *parameters)
    if not type(key).__module__.startswith("cryptography."):
        _validate_signature(key, signature, data, parameters)
    return signature


def _validate_signature(key: SigningKey, signature: object, data: bytes,
                        parameters: tuple[Any, ...]) -> None:
    """Raise InputError for a signature that the public key does not verify."""
    from cryptography.exceptions import InvalidSignature
    try:
        verify: Any = key.public_key().verify
        verify(signature, data, *parameters)
    except (InvalidSignature, TypeError, ValueError):
        raise InputError("the private key made a signature that its public key does not verify",
                         hint="X.509 wants an ECDSA signature in DER, not r and s side by side"
                         if isinstance(key, ec.EllipticCurvePrivateKey) else "") from None


def _hash(digest: str) -> hashes.HashAlgorithm:
    algorithm: hashes.HashAlgorithm = getattr(hashes, DIGESTS[get_digest(digest)][0])()
    return algorithm
