"""Go's checks of an RSA key's numbers (crypto/rsa/rsa.go, crypto/internal/fips140/rsa/rsa.go)."""
from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from .der import GoError
from ...pem.keys import LONGEST_RSA


def validate_size(modulus: int) -> None:
    """Raise GoError for a key too short for Go to sign or verify with (checkKeySize)."""
    if (bits := modulus.bit_length()) < 1024:
        raise GoError(f"crypto/rsa: {bits}-bit keys are insecure "
                      "(see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)")


def validate_public(modulus: int, exponent: int) -> None:
    """Raise GoError for an impossible public key (fips140/rsa.checkPublicKey)."""
    _refuse_if((not modulus & 1, "public modulus is even"),
               (exponent < 2, "public exponent too small or negative"),
               (not exponent & 1, "public exponent is even"),
               (exponent > 2**31 - 1, "public exponent too large"))


def validate_length(*numbers: int) -> None:
    """Raise GoError for numbers too long to compute with.

    Go itself has no such bound, but its TLS peers refuse keys of more than 8192 bits.
    """
    if (longest := max(number.bit_length() for number in numbers)) > LONGEST_RSA:
        raise GoError(
            f"kpki uses no RSA keys of more than {LONGEST_RSA} bits, but this key has numbers of "
            f"{longest}")


def validate_private(n: int, e: int, d: int, primes: Sequence[int],
                     hints: Sequence[int | None]) -> None:
    """Raise GoError unless the numbers of a key belong together (PrivateKey.Precompute, Validate).

    All numbers but *e* are positive. *hints* are d mod p-1, d mod q-1 and 1/q mod p; if one is
    None, Go computes all three. For more than two primes, Go checks little.
    """
    validate_length(n, d, *primes, *(hint or 0 for hint in hints))
    p, q = primes[:2]
    if n == 1 or (len(primes) == 2 and 1 in primes):
        raise GoError("modulus must be > 1")
    if d >= n:
        raise GoError("input overflows the modulus" + _limbs(d, n))
    if len(primes) > 2:
        validate_public(n, e)
        _validate_many(primes)
        return
    dp, dq, inverse = hints
    if dp is None or dq is None or inverse is None:
        if 2 in primes:
            raise GoError("modulus must be > 1")
        _refuse_if((not p & 1, "p is even"))
        dp, dq, inverse = d % (p - 1), d % (q - 1), pow(q, p - 2, p)
    elif inverse >= p:
        raise GoError("input overflows the modulus" + _limbs(inverse, p))
    validate_public(n, e)
    _refuse_if((p >= n or q >= n, "invalid prime"), (p * q % n, "p * q != n"))
    for prime, exponent in ((p, dp), (q, dq)):
        _refuse_if((prime == 2, "invalid prime"),
                   (exponent >= prime - 1 or e * exponent % (prime - 1) != 1,
                    "invalid CRT exponent"))
    _refuse_if((q * inverse % p != 1, "invalid CRT coefficient"),
               (d % (p - 1) != dp, "d does not match dP"),
               (d % (q - 1) != dq, "d does not match dQ"),
               (p == q, "p == q"), (abs(p - q).bit_length() <= n.bit_length() // 2 - 100,
                                    "|p - q| too small"),
               (d.bit_length() <= n.bit_length() // 2, "d too small"))


def _validate_many(primes: Sequence[int]) -> None:
    """Raise GoError unless three or more primes are plausible (precomputeLegacy)."""
    _refuse_if((min(primes) == 1, "prime factor is <= 1"))
    product = primes[0]
    for prime in primes[1:]:
        validate_length(product)
        _refuse_if((gcd(product, prime) > 1, "prime factors are not relatively prime"))
        product *= prime


def _refuse_if(*faults: tuple[object, str]) -> None:
    for wrong, sentence in faults:
        if wrong:
            raise GoError(f"crypto/rsa: {sentence}")


def _limbs(number: int, modulus: int) -> str:
    """" size" if a number has more words of 64 bits than the modulus, else "" (Nat.setBytes)."""
    return " size" * ((number.bit_length() + 63) // 64 > (modulus.bit_length() + 63) // 64)
