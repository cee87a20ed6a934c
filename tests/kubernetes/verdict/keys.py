"""Keys that are the same in every run, made from small numbers, and signatures that no library
makes any more.

ECDSA is signed as RFC 6979 has it, so that one recipe gives the same bytes in every run. RSA is
done by hand: nothing else signs with MD5 or with 512 bits today.
"""
from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from kpki.stages import der

RSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
CURVES: dict[str, ec.EllipticCurve] = {
    "P-224": ec.SECP224R1(), "P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}
HASHES = {"md5": "1.2.840.113549.2.5", "sha1": "1.3.14.3.2.26", "sha224": "2.16.840.1.101.3.4.2.4",
          "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
          "sha512": "2.16.840.1.101.3.4.2.3"}
_EC_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(), "sha224": hashes.SHA224(), "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def algorithm(oid: str, *parameters: bytes) -> bytes:
    """AlgorithmIdentifier in DER."""
    return der.sequence(der.oid(oid), *parameters)


_SHA256 = algorithm(HASHES["sha256"], der.NULL_ITEM)

# How a signature is named here → its AlgorithmIdentifier; the hash follows the dash.
ALGORITHMS = {
    "ecdsa-sha1": algorithm("1.2.840.10045.4.1"),
    "ecdsa-sha224": algorithm("1.2.840.10045.4.3.1"),
    "ecdsa-sha256": algorithm("1.2.840.10045.4.3.2"),
    "ecdsa-sha384": algorithm("1.2.840.10045.4.3.3"),
    "ecdsa-sha512": algorithm("1.2.840.10045.4.3.4"),
    "rsa-md5": algorithm("1.2.840.113549.1.1.4", der.NULL_ITEM),
    "rsa-sha1": algorithm("1.2.840.113549.1.1.5", der.NULL_ITEM),
    "rsa-sha224": algorithm("1.2.840.113549.1.1.14", der.NULL_ITEM),
    "rsa-sha256": algorithm("1.2.840.113549.1.1.11", der.NULL_ITEM),
    "rsa-sha384": algorithm("1.2.840.113549.1.1.12", der.NULL_ITEM),
    "rsa-sha512": algorithm("1.2.840.113549.1.1.13", der.NULL_ITEM),
    "pss-sha256": algorithm("1.2.840.113549.1.1.10", der.sequence(
        der.tlv(0xA0, _SHA256), der.tlv(0xA1, algorithm("1.2.840.113549.1.1.8", _SHA256)),
        der.tlv(0xA2, der.integer(32)))),
    "ed25519": algorithm("1.3.101.112"),
}


@dataclass(frozen=True)
class Key:
    """A private key: its SubjectPublicKeyInfo, the algorithm it signs with unless told, and how it
    signs."""

    spki: bytes
    usual: str
    sign: Callable[[bytes, str], bytes]


def _spki(public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)


@cache
def ec_key(number: int, curve: str = "P-256") -> Key:
    """The key on *curve* whose secret is *number*."""
    private = ec.derive_private_key(number, CURVES[curve])

    def sign(data: bytes, name: str) -> bytes:
        return private.sign(data, ec.ECDSA(_EC_HASHES[name.partition("-")[2]],
                                           deterministic_signing=True))
    return Key(_spki(private.public_key()), "ecdsa-sha256", sign)


@cache
def ed25519_key(number: int) -> Key:
    """The Ed25519 key whose seed is 32 times *number*."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes((number,)) * 32)
    return Key(_spki(private.public_key()), "ed25519", lambda data, _: private.sign(data))


def _prime(source: random.Random, bits: int, exponent: int) -> int:
    """A prime whose two first bits are set, by the Miller-Rabin test."""
    while True:
        number = source.getrandbits(bits) | 3 << bits - 2 | 1
        odd, twos = number - 1, 0
        while odd % 2 == 0:
            odd, twos = odd // 2, twos + 1
        if (number % exponent != 1
            and all(number % small for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31)) and all(
                    (start := pow(base, odd, number)) == 1 or any(
                        pow(start, 2 ** step, number) == number - 1 for step in range(twos))
                    for base in (2, 3, 5, 7, 11, 13, 17))):
            return number


@cache
def rsa_primes(number: int, bits: int = 1024, exponent: int = 65537,
               many: int = 2) -> tuple[int, ...]:
    """The primes of an RSA key of *bits*, which *number* chooses."""
    source = random.Random(number)
    return tuple(_prime(source, bits // many, exponent) for _ in range(many))


@cache
def rsa_key(number: int, bits: int = 1024, exponent: int = 65537) -> Key:
    """An RSA key of *bits* (a multiple of 4), which *number* chooses."""
    p, q = rsa_primes(number, bits, exponent)
    modulus, secret = p * q, pow(exponent, -1, (p - 1) * (q - 1))
    inverse, size = pow(q, -1, p), (bits + 7) // 8

    def sign(data: bytes, name: str) -> bytes:
        scheme, _, hashed = name.partition("-")
        if scheme == "pss":
            return rsa.RSAPrivateNumbers(
                p, q, secret, secret % (p - 1), secret % (q - 1), inverse,
                rsa.RSAPublicNumbers(exponent, modulus)).private_key().sign(
                    data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        digest = der.sequence(algorithm(HASHES[hashed], der.NULL_ITEM),
                              der.octet_string(hashlib.new(hashed, data, usedforsecurity=False)
                                               .digest()))
        padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
        number = int.from_bytes(padded)
        of_p, of_q = pow(number, secret % (p - 1), p), pow(number, secret % (q - 1), q)
        return (of_q + (of_p - of_q) * inverse % p * q).to_bytes(size)
    return Key(rsa_spki(modulus, exponent), "rsa-sha256", sign)


def rsa_spki(modulus: int, exponent: int, *parameters: bytes) -> bytes:
    """SubjectPublicKeyInfo of any two numbers; *parameters* stand in the place of NULL."""
    return der.sequence(algorithm(RSA, *(parameters or (der.NULL_ITEM,))),
                        der.bit_string(der.sequence(der.integer(modulus), der.integer(exponent))))
