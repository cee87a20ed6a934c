"""What Go asks of the numbers of an RSA key (crypto/rsa/rsa.go, crypto/internal/fips140/rsa/rsa.go)."""
from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from .der import GoError
from ...pem.keys import LONGEST_RSA


def check_size(modulus: int) -> None:
    """GoError where Go neither signs nor verifies with a key so short (checkKeySize)."""
    if (bits := modulus.bit_length()) < 1024:
        raise GoError(f"crypto/rsa: {bits}-bit keys are insecure "
                      "(see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)")


def check_public(modulus: int, exponent: int) -> None:
    """GoError where no key has such a public half (fips140/rsa.checkPublicKey)."""
    _refuse_if((not modulus & 1, "public modulus is even"),
               (exponent < 2, "public exponent too small or negative"),
               (not exponent & 1, "public exponent is even"),
               (exponent > 2**31 - 1, "public exponent too large"))


def check_length(*numbers: int) -> None:
    """GoError for numbers that nobody should reckon with: Go itself has no such bound, but its peers one of 8192 bits.
    """
    if (longest := max(one.bit_length() for one in numbers)) > LONGEST_RSA:
        raise GoError(f"kpki uses no RSA keys of more than {LONGEST_RSA} bits, and this key has numbers of {longest}")


def check_private(n: int, e: int, d: int, primes: Sequence[int], hints: Sequence[int | None]) -> None:
    """GoError unless the numbers of a key, all but *e* positive, belong together (PrivateKey.Precompute, Validate).

    *hints* are d mod p-1, d mod q-1 and 1/q mod p; without all three Go reckons them itself. Of more than two primes
    little is asked.
    """
    check_length(n, d, *primes, *(one or 0 for one in hints))
    p, q = primes[:2]
    if n == 1 or len(primes) == 2 and 1 in primes:
        raise GoError("modulus must be > 1")
    if d >= n:
        raise GoError("input overflows the modulus" + _limbs(d, n))
    if len(primes) > 2:
        check_public(n, e)
        _check_many(primes)
        return
    dp, dq, inverse = hints
    if dp is None or dq is None or inverse is None:
        if 2 in primes:
            raise GoError("modulus must be > 1")
        _refuse_if((not p & 1, "p is even"))
        dp, dq, inverse = d % (p - 1), d % (q - 1), pow(q, p - 2, p)
    elif inverse >= p:
        raise GoError("input overflows the modulus" + _limbs(inverse, p))
    check_public(n, e)
    _refuse_if((p >= n or q >= n, "invalid prime"), (p * q % n, "p * q != n"))
    for prime, exponent in ((p, dp), (q, dq)):
        _refuse_if((prime == 2, "invalid prime"),
                   (exponent >= prime - 1 or e * exponent % (prime - 1) != 1, "invalid CRT exponent"))
    _refuse_if((q * inverse % p != 1, "invalid CRT coefficient"),
               (d % (p - 1) != dp, "d does not match dP"), (d % (q - 1) != dq, "d does not match dQ"),
               (p == q, "p == q"), (abs(p - q).bit_length() <= n.bit_length() // 2 - 100, "|p - q| too small"),
               (d.bit_length() <= n.bit_length() // 2, "d too small"))


def _check_many(primes: Sequence[int]) -> None:
    """What is asked of three primes or more (precomputeLegacy)."""
    _refuse_if((min(primes) == 1, "prime factor is <= 1"))
    product = primes[0]
    for prime in primes[1:]:
        check_length(product)
        _refuse_if((gcd(product, prime) > 1, "prime factors are not relatively prime"))
        product *= prime


def _refuse_if(*faults: tuple[object, str]) -> None:
    for wrong, sentence in faults:
        if wrong:
            raise GoError(f"crypto/rsa: {sentence}")


def _limbs(number: int, modulus: int) -> str:
    """A number that takes more words of 64 bits than the modulus overflows its size already (Nat.setBytes)."""
    return " size" * ((number.bit_length() + 63) // 64 > (modulus.bit_length() + 63) // 64)
