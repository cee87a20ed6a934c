"""Private keys in PEM, as files have them and as no file should: a rule in words → its variants, by
their names."""
from __future__ import annotations

import subprocess
from functools import cache
from math import prod

from kpki import pem
from kpki.stages import der
from tests.kubernetes.verdict.keys import EC, RSA, algorithm, rsa_primes

Variants = dict[str, bytes]

P224, P256, P384, P521, K256 = ("1.3.132.0.33", "1.2.840.10045.3.1.7", "1.3.132.0.34",
                                "1.3.132.0.35", "1.3.132.0.10")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551      # of P-256
PSS, ED25519, ED448, X25519, DSA = ("1.2.840.113549.1.1.10", "1.3.101.112", "1.3.101.113",
                                    "1.3.101.110", "1.2.840.10040.4.1")
SOURCE = 10     # of its primes none is one more than a multiple of 3
CERTIFICATE = pem.armour(der.sequence(), "CERTIFICATE")


def rsa(bits: int = 1024, e: int = 65537, *, version: int = 0, primes: tuple[int, ...] = (),
        more: bytes = b"", hints: int = 3, **changed: int) -> bytes:
    """PKCS#1; *changed* numbers are written in the place of the right ones, of dP, dQ and qInv so
    many *hints*."""
    p, q, *rest = primes or rsa_primes(SOURCE, bits)
    phi = prod(item - 1 for item in (p, q, *rest))
    d = changed.get("d", pow(e, -1, phi) if phi % e else 1)
    right = {"n": prod((p, q, *rest)), "e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d
             % (q - 1), "qinv": pow(q, -1, p) if p != q and p % q and q % p else 1} | changed
    numbers = [version, *right.values()][:6 + hints]
    others = [der.sequence(*map(der.integer, (item, d % (item - 1), pow(p * q, -1, item))))
              for item in rest]
    return der.sequence(*map(der.integer, numbers), der.sequence(*others) if others else b"", more)


def sec1(secret: int | bytes = 1234567, curve: bytes | str | None = P256, *, version: int = 1,
         size: int = 32, public: bytes = b"") -> bytes:
    """SEC1; *curve* is an OID, or in bytes what stands in the tag that names it."""
    octets = secret if isinstance(secret, bytes) else secret.to_bytes(size)
    named = b"" if curve is None else der.tlv(0xA0,
                                              der.oid(curve) if isinstance(curve, str) else curve)
    return der.sequence(der.integer(version), der.octet_string(octets), named, public)


def pkcs8(kind: str, content: bytes, *parameters: bytes, version: int = 0,
          more: bytes = b"") -> bytes:
    """PKCS#8."""
    return der.sequence(der.integer(version), algorithm(kind, *parameters),
                        der.octet_string(content), more)


def as_rsa(content: bytes) -> bytes:
    return pem.armour(content, "RSA PRIVATE KEY")


def as_ec(content: bytes) -> bytes:
    return pem.armour(content, "EC PRIVATE KEY")


def as_any(content: bytes) -> bytes:
    return pem.armour(content, "PRIVATE KEY")


def ec8(content: bytes, *parameters: bytes) -> bytes:
    return as_any(pkcs8(EC, content, *parameters))


@cache
def explicit(curve: str) -> bytes:
    """The parameters of a curve in full, as `openssl ecparam -param_enc explicit` writes them."""
    done = subprocess.run(["openssl", "ecparam", "-name", curve, "-param_enc", "explicit",
                           "-outform", "DER"], capture_output=True, check=True)
    return done.stdout


def long_form(item: bytes) -> bytes:
    """A short item with its length in one octet more than it takes."""
    return item[:1] + b"\x81" + item[1:]


SEED = der.octet_string(bytes(range(32)))
NAMED = der.oid(P256)
HEADERS = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
P, Q = rsa_primes(SOURCE, 1024)
NEAR = next(number for number in range(P + 2, P + 2**14, 2)
            if all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)))

RULES: dict[str, Variants] = {
    "RSA in its own form": {
        "1024 bits": as_rsa(rsa()), "2048 bits": as_rsa(rsa(2048)), "512 bits": as_rsa(rsa(512)),
        "1000 bits": as_rsa(rsa(1000)), "exponent 3": as_rsa(rsa(e=3)),
        "an even exponent": as_rsa(rsa(e=4)), "exponent 1": as_rsa(rsa(e=1)),
        "an exponent of 33 bits": as_rsa(rsa(e=2**32 + 15)), "an exponent of 65 bits":
            as_rsa(rsa(e=2**64 + 13)), "a negative exponent": as_rsa(rsa(e=-65537, d=5)),
        "version 1": as_rsa(rsa(version=1)), "version 2": as_rsa(rsa(version=2)),
        "version -1": as_rsa(rsa(version=-1)), "behind the key": as_rsa(rsa() + b"\0"),
        "behind the last number": as_rsa(rsa(more=der.NULL_ITEM)),
        "under the label of EC": as_ec(rsa()), "under the label of any": as_any(rsa()),
        "a length too long": as_rsa(rsa().replace(b"\2\1\0", b"\2\x81\1\0", 1)),
    },
    "RSA's numbers belong together": {
        "no 1/q": as_rsa(rsa(hints=2)), "no hints": as_rsa(rsa(hints=0)),
        "no q": as_rsa(rsa(hints=-1)),
        "n": as_rsa(rsa(n=P * Q + 2)), "an even n": as_rsa(rsa(n=P * Q + 1)),
        "n too small": as_rsa(rsa(n=Q | 1)),
        "d": as_rsa(rsa(d=pow(65537, -1, (P - 1) * (Q - 1)) + 2)), "d + lambda": as_rsa(
            rsa(d=pow(65537, -1, (P - 1) * (Q - 1) // 2) + (P - 1) * (Q - 1) // 2)),
        "d over n": as_rsa(rsa(d=pow(65537, -1, (P - 1) * (Q - 1)) + 2 * (P - 1) * (Q - 1))),
        "a small d": as_rsa(rsa(e=3, d=5)), "another d, its hints right": as_rsa(rsa(
            d=7, dp=pow(65537, -1, P - 1), dq=pow(65537, -1, Q - 1))),
        "dP": as_rsa(rsa(dp=5)), "dQ": as_rsa(rsa(dq=5)), "dP over p": as_rsa(rsa(dp=P + 4)),
        "1/q": as_rsa(rsa(qinv=5)), "1/q over p": as_rsa(rsa(qinv=P + 5)),
        "1/q far over p": as_rsa(rsa(qinv=P << 80)), "0": as_rsa(rsa(dp=0)),
        "a negative p": as_rsa(rsa(p=-P)),
        "p and q change places": as_rsa(rsa(primes=(Q, P))), "p is 1": as_rsa(rsa(p=1)),
        "p is 2": as_rsa(rsa(p=2)),
        "p and q the same": as_rsa(rsa(primes=(P, P))),
        "p and q too near": as_rsa(rsa(primes=(P, NEAR))),
        "p is even, no hints": as_rsa(rsa(p=P + 1, hints=0)), "p over n": as_rsa(rsa(p=P * Q + 2)),
        "p is another prime": as_rsa(rsa(p=NEAR)),
    },
    "RSA of many primes": {
        "three": as_rsa(rsa(version=1, primes=rsa_primes(5, 1026, many=3))),
        "three, version 0": as_rsa(rsa(primes=rsa_primes(5, 1026, many=3))),
        "two the same": as_rsa(rsa(primes=rsa_primes(5, 1026, many=3)[:2], more=der.sequence(
            der.sequence(*map(der.integer, (rsa_primes(5, 1026, many=3)[0], 1, 1)))))),
        "one is 1": as_rsa(rsa(more=der.sequence(der.sequence(*map(der.integer, (1, 1, 1)))))),
        "one is 0": as_rsa(rsa(more=der.sequence(der.sequence(*map(der.integer, (0, 1, 1)))))),
        "one lacks its numbers": as_rsa(rsa(more=der.sequence(der.sequence(der.integer(5))))),
    },
    "RSA in PKCS#8": {
        "as openssl writes it": as_any(pkcs8(RSA, rsa(), der.NULL_ITEM)),
        "no NULL": as_any(pkcs8(RSA, rsa())),
        "512 bits": as_any(pkcs8(RSA, rsa(512), der.NULL_ITEM)),
        "version 1": as_any(pkcs8(RSA, rsa(), der.NULL_ITEM, version=1)),
        "behind the key": as_any(pkcs8(RSA, rsa(), der.NULL_ITEM) + b"\0"),
        "attributes": as_any(pkcs8(RSA, rsa(), der.NULL_ITEM, more=der.tlv(0xA0))),
        "wrong numbers": as_any(pkcs8(RSA, rsa(qinv=5), der.NULL_ITEM)),
        "an EC key inside": as_any(pkcs8(RSA, sec1(), der.NULL_ITEM)),
        "PSS": as_any(pkcs8(PSS, rsa())),
        "under the label of RSA": as_rsa(pkcs8(RSA, rsa(), der.NULL_ITEM)),
        "under a label that nobody knows": pem.armour(pkcs8(RSA, rsa(), der.NULL_ITEM),
                                                      "MY PRIVATE KEY"),
        "parameters cut short": as_any(pkcs8(RSA, rsa(), b"\5\1")),
    },
    "EC in its own form": {
        "P-224": as_ec(sec1(curve=P224, size=28)), "P-256": as_ec(sec1()),
        "P-384": as_ec(sec1(curve=P384, size=48)),
        "P-521": as_ec(sec1(curve=P521, size=66)), "secp256k1": as_ec(sec1(curve=K256)),
        "P-192": as_ec(sec1(curve="1.2.840.10045.3.1.1", size=24)),
        "no curve": as_ec(sec1(curve=None)),
        "explicit parameters": as_ec(sec1(curve=explicit("prime256v1"))),
        "an empty tag": as_ec(sec1(curve=b"")),
        "version 0": as_ec(sec1(version=0)), "version 2": as_ec(sec1(version=2)),
        "0": as_ec(sec1(0)),
        "the order": as_ec(sec1(ORDER)), "over the order": as_ec(sec1(ORDER + 1)),
        "under it": as_ec(sec1(ORDER - 1)),
        "zeros before": as_ec(sec1(size=40)),
        "more than zeros before": as_ec(sec1(b"\1" + bytes(32))),
        "zeros left out": as_ec(sec1(b"\5")), "no octets": as_ec(sec1(b"")),
        "another public half": as_ec(sec1(public=der.tlv(0xA1, der.bit_string(b"\4" + bytes(64))))),
        "a public half with stray bits": as_ec(sec1(public=der.tlv(0xA1, der.tlv(3, b"\1\1")))),
        "a public half that is none": as_ec(sec1(public=der.tlv(0xA1, der.NULL_ITEM))),
        "behind the key": as_ec(sec1() + b"\0"), "under the label of RSA": as_rsa(sec1()),
        "under the label of any": as_any(sec1()),
        "parameters before it": pem.armour(NAMED, "EC PARAMETERS") + as_ec(sec1()),
        "an arc of 32 bits": as_ec(sec1(curve="1.2.4294967296")),
        "an arc with a zero before it": as_ec(
            sec1(curve=der.tlv(6, b"\x2a\x80\1"))), "an empty name": as_ec(sec1(curve=der.tlv(6))),
        "cut short": as_ec(sec1()[:-3]), "empty": as_ec(b"\x30\0"),
        "a length too long": as_ec(long_form(sec1())),
        "no length": as_ec(b"\x30\x80" + sec1()[2:] + b"\0\0"),
        "no sequence": as_ec(der.octet_string(sec1())),
        "a high tag behind it": as_ec(sec1(public=b"\x1f\x81\1\0")),
        "half a tag behind it": as_ec(sec1(public=b"\x1f")),
        "a high tag for a low one": as_ec(sec1(public=b"\x1f\1\0")),
        "the tag alone": as_ec(sec1(public=b"\xa1\0")),
    },
    "EC in PKCS#8": {
        "as openssl writes it": ec8(sec1(curve=None), NAMED),
        "named inside too": ec8(sec1(), NAMED),
        "named otherwise inside": ec8(sec1(curve=P384), NAMED), "named inside only": ec8(sec1()),
        "explicit parameters": ec8(sec1(curve=None), explicit("prime256v1")),
        "explicit parameters, named inside": ec8(sec1(), explicit("prime256v1")),
        "secp256k1": ec8(sec1(curve=None), der.oid(K256)), "an RSA key inside": ec8(rsa(), NAMED),
        "over the order": ec8(sec1(ORDER + 1, None), NAMED), "under the label of EC": as_ec(
            pkcs8(EC, sec1(curve=None), NAMED)),
    },
    "other kinds": {
        "Ed25519": as_any(pkcs8(ED25519, SEED)), "Ed25519 with its public half": as_any(
            pkcs8(ED25519, SEED, version=1, more=der.tlv(0x81, bytes(33)))),
        "Ed25519 with parameters": as_any(pkcs8(ED25519, SEED, der.NULL_ITEM)),
        "Ed25519 of 31 octets": as_any(pkcs8(ED25519, der.octet_string(bytes(31)))),
        "Ed25519 without its inner form": as_any(pkcs8(ED25519, bytes(32))),
        "Ed448": as_any(pkcs8(ED448, der.octet_string(bytes(57)))),
        "X25519": as_any(pkcs8(X25519, SEED)),
        "X25519 with parameters": as_any(pkcs8(X25519, SEED, der.NULL_ITEM)),
        "X25519 of 31 octets": as_any(pkcs8(X25519, der.octet_string(bytes(31)))),
        "DSA": as_any(pkcs8(DSA, der.integer(5), der.sequence(*map(der.integer, (23, 11, 4))))),
    },
    "what the file has": {
        "nothing": b"", "text": b"no key\n", "a certificate": CERTIFICATE,
        "two certificates": CERTIFICATE * 2,
        "a certificate before the key": CERTIFICATE + as_ec(sec1()),
        "parameters": pem.armour(NAMED, "EC PARAMETERS"),
        "a broken key before the key": as_ec(b"\x30\0") + as_ec(sec1()), "DER": sec1(),
        "a public key": pem.armour(der.sequence(), "PUBLIC KEY"),
        "text before the key": b"mine:\n" + as_ec(sec1()),
        "encrypted in PKCS#8":
            pem.armour(der.sequence(algorithm("1.2.840.113549.1.5.13", der.sequence()),
                                    der.octet_string(bytes(64))), "ENCRYPTED PRIVATE KEY"),
        "under the label of encrypted": pem.armour(pkcs8(RSA, rsa()), "ENCRYPTED PRIVATE KEY"),
        "encrypted in its own form": HEADERS
        + pem.armour(bytes(range(64)), "X").partition(b"\n")[2].replace(
            b" X-", b" RSA PRIVATE KEY-"),
        "headers and no cipher": as_ec(sec1()).replace(b"-----\n", b"-----\nName: mine\n\n", 1),
        "CRLF": as_ec(sec1()).replace(b"\n", b"\r\n"), "cut off": as_ec(sec1())[:-30],
        "PRIVATE KEY without a word before it": pem.armour(sec1(), "MYPRIVATE KEY"),
    },
}
KEYS = {f"{rule}: {variant}": data for rule, variants in RULES.items()
        for variant, data in variants.items()}
