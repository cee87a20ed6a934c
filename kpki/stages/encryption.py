"""Encrypted private keys: PBES2 (RFC 8018) in PKCS#8, and the older PEM with headers (RFC 1421).

The tables have the ciphers with which OpenSSL 3.0 encrypts a key, and the names of other ciphers
that OpenSSL knows.
"""
from __future__ import annotations

import os
from functools import lru_cache
from hashlib import md5
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

ROUNDS = 20_000     # of PBKDF2, as cryptography has it; OpenSSL 3.0 has 2,048
_PBES2, _PBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
_HMAC_SHA256 = "1.2.840.113549.2.9"
_SEALED = "ENCRYPTED PRIVATE KEY"


class Cipher(NamedTuple):
    """One cipher that can encrypt a key."""

    name: str
    """The name in a DEK-Info header."""
    algorithm: str
    """The class in cryptography, "" if cryptography lacks the cipher."""
    octets: int
    """The octets of the key."""
    mode: str
    """The mode of operation, "" of a stream cipher."""
    oid: str = ""
    """The OID in PBES2, "" if PBES2 has none."""


# Family, cryptography's class, octets of the keys, the first arcs of the OIDs, their step between
# key sizes, and mode → last arc for the smallest key.
_FAMILIES = (
    ("AES", "AES", (16, 24, 32), "2.16.840.1.101.3.4.1", 20,
     {"ECB": 1, "CBC": 2, "OFB": 3, "CFB": 4}),
    ("CAMELLIA", "Camellia", (16, 24, 32), "0.3.4401.5.3.1.9", 20,
     {"ECB": 1, "OFB": 3, "CFB": 4, "CTR": 9}),
    ("CAMELLIA", "Camellia", (16, 24, 32), "1.2.392.200011.61.1.1.1", 1, {"CBC": 2}),
    ("ARIA", "", (16, 24, 32), "1.2.410.200046.1.1", 5,
     {"ECB": 1, "CBC": 2, "CFB": 3, "OFB": 4, "CTR": 5}),
)
_CIPHERS = (
    *(Cipher(f"{family}-{8 * octets}-{mode}", algorithm, octets, mode,
             f"{arcs}.{last + step * place}")
      for family, algorithm, sizes, arcs, step, modes in _FAMILIES
      for place, octets in enumerate(sizes)
      for mode, last in modes.items()),
    *(Cipher(f"SM4-{mode}", "SM4", 16, mode, f"1.2.156.10197.1.104.{last}")
      for mode, last in {"ECB": 1, "CBC": 2, "OFB": 3, "CFB": 4, "CTR": 7}.items()),
    Cipher("DES-EDE3-CBC", "TripleDES", 24, "CBC", "1.2.840.113549.3.7"),
    Cipher("DES-EDE", "TripleDES", 16, "ECB", "1.3.14.3.2.17"),
    *(Cipher(f"DES-EDE-{mode}", "TripleDES", 16, mode) for mode in ("CBC", "CFB", "OFB")),
    *(Cipher(f"DES-EDE3-{mode}", "TripleDES", 24, mode) for mode in ("CFB", "CFB8", "OFB", "CFB1")),
    Cipher("DES-EDE3", "TripleDES", 24, "ECB"),
    # PBES2 has one name for the three CFB modes of AES: for CFB1 and CFB8 OpenSSL writes CFB.
    *(Cipher(f"AES-{8 * octets}-{mode}", "AES", octets, mode,
             f"2.16.840.1.101.3.4.1.{4 + 20 * place}" if mode != "CTR" else "")
      for place, octets in enumerate((16, 24, 32))
      for mode in ("CTR", "CFB1", "CFB8")),
    *(Cipher(f"{family}-{8 * octets}-{mode}", "Camellia" if family == "CAMELLIA" else "", octets,
             mode)
      for family in ("CAMELLIA", "ARIA")
      for octets in (16, 24, 32)
      for mode in ("CFB1", "CFB8")),
    Cipher("ChaCha20", "ChaCha20", 32, ""),
)
_ALIASES = {
    **{f"{family}{bits}": f"{family}-{bits}-cbc"
       for family in ("aes", "aria", "camellia") for bits in (128, 192, 256)},
    "des3": "des-ede3-cbc", "des-ede-ecb": "des-ede", "des-ede3-ecb": "des-ede3",
    "sm4": "sm4-cbc", "sm4-cfb128": "sm4-cfb", "sm4-ofb128": "sm4-ofb"}
# OpenSSL accepts these names, and then fails: the ciphers are in its legacy provider, which is not
# loaded by default.
_LEGACY = frozenset("""\
bf bf-cbc bf-cfb bf-ecb bf-ofb blowfish cast cast-cbc cast5-cbc cast5-cfb cast5-ecb cast5-ofb
des des-cbc des-cfb des-cfb1 des-cfb8 des-ecb des-ofb desx desx-cbc
rc2 rc2-128 rc2-40 rc2-40-cbc rc2-64 rc2-64-cbc rc2-cbc rc2-cfb rc2-ecb rc2-ofb rc4 rc4-40
seed seed-cbc seed-cfb seed-ecb seed-ofb""".split())
# With these ciphers OpenSSL fails, or writes files that OpenSSL itself cannot read.
_WRAPS = frozenset(
    ("id-smime-alg-cms3deswrap", "des3-wrap", "null",
     *(f"{family}-{bits}-cbc-cts" for family in ("aes", "camellia") for bits in (128, 192, 256)),
     *(pattern.format(bits)
       for bits in (128, 192, 256)
       for pattern in ("aes-{}-wrap", "aes{}-wrap", "id-aes{}-wrap", "aes-{}-wrap-pad",
                       "aes{}-wrap-pad", "id-aes{}-wrap-pad", "aes-{}-wrap-inv", "aes{}-wrap-inv",
                       "aes-{}-wrap-pad-inv", "aes{}-wrap-pad-inv"))))


@lru_cache
def cipher_names() -> frozenset[str]:
    """Every name that OpenSSL 3.0 accepts for a key's cipher, in lower case, usable or not."""
    return frozenset((*(cipher.name.lower() for cipher in _CIPHERS), *_ALIASES, *_LEGACY, *_WRAPS))


def get_cipher(name: str) -> Cipher:
    """The cipher *name*, in any letter case (openssl: `-aes128`, `-des-ede3-cbc`).

    Raises InputError for an unknown name and for a cipher of the legacy provider, UnsupportedError
    for a key wrap.
    """
    lower = name.lower()
    found = next(
        (cipher for cipher in _CIPHERS if cipher.name.lower() == _ALIASES.get(lower, lower)), None)
    if found is not None:
        return found
    if lower in _LEGACY:
        raise InputError(
            f"the cipher {name} is broken or too short: OpenSSL 3.0 has {name} only in its legacy "
            "provider", hint="aes256")
    if lower in _WRAPS:
        raise UnsupportedError(
            f"the cipher {name} is not supported: it wraps keys or cuts the last block, "
            "and openssl itself cannot read each file that it writes with it", hint="aes256")
    raise InputError(f"unknown cipher: {name}",
                     hint="aes256, aes192, aes128, des3, camellia256, aria256, sm4")


def encrypted_key(key: PrivateKeyTypes, passphrase: bytes, cipher: str = "aes256", *,
                  form: str = "pkcs8", encoding: str = "PEM") -> bytes:
    """A private key under *cipher* and *passphrase*, as PEM or DER (openssl pkey -aes128).

    *form* pkcs8 is PBES2 (RFC 8018). *form* traditional is the older PEM of PKCS#1 and SEC1, whose
    headers name the cipher. Raises InputError for an empty passphrase, for an unknown cipher, and
    for a cipher or a key that the form cannot hold. Raises UnsupportedError for a cipher that
    kpki's libraries lack.
    """
    from ..pem import armour, blocks, dump_key
    found = get_cipher(cipher)
    if found.name == "AES-256-CBC" or not passphrase:
        return dump_key(key, form=form, passphrase=passphrase, encoding=encoding)
    if form == "traditional":
        if encoding == "DER":
            raise InputError("PKCS#1 and SEC1 in DER cannot be encrypted", hint="-outform PEM")
        block = next(blocks(dump_key(key, form="traditional")))
        return _traditional(block.der, block.label, found, passphrase)
    try:
        data = _pkcs8(dump_key(key, encoding="DER"), found, passphrase)
    except UnsupportedError:
        data = _by_openssl(key, found, passphrase)
    return data if encoding == "DER" else armour(data, _SEALED)


def encrypted_octets(plain: bytes, label: str, passphrase: bytes, cipher: str = "aes256") -> bytes:
    """The DER of a private key under *cipher*, as PEM, whatever the DER leaves out or compresses.

    *label* is the label of the plain key: PRIVATE KEY makes PBES2, another the older form. Raises
    as `encrypted_key` does.
    """
    from ..pem import armour
    found = get_cipher(cipher)
    if not passphrase:
        raise InputError("an empty passphrase protects nothing, and kpki accepts none")
    if label == "PRIVATE KEY":
        return armour(_pkcs8(plain, found, passphrase), _SEALED)
    return _traditional(plain, label, found, passphrase)


def _pkcs8(plain: bytes, cipher: Cipher, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo (DER): PBES2 with PBKDF2 and HMAC-SHA-256 (RFC 8018 §6.2)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    from . import der
    if not cipher.oid:
        raise InputError(f"PKCS#8 has no name for the cipher {cipher.name}", hint="aes256")
    if cipher.mode.startswith("CFB"):
        cipher = cipher._replace(mode="CFB")
    salt, vector = os.urandom(16), os.urandom(_vector_size(cipher))
    secret = PBKDF2HMAC(SHA256(), cipher.octets, salt, ROUNDS).derive(passphrase)
    sealed = _encrypted(cipher, secret, vector, plain)
    scheme = der.sequence(der.oid(cipher.oid), der.octet_string(vector))
    derivation = der.sequence(
        der.oid(_PBKDF2),
        der.sequence(der.octet_string(salt), der.integer(ROUNDS),
                     der.sequence(der.oid(_HMAC_SHA256), der.NULL_ITEM)))
    return der.sequence(der.sequence(der.oid(_PBES2), der.sequence(derivation, scheme)),
                        der.octet_string(sealed))


def _traditional(plain: bytes, label: str, cipher: Cipher, passphrase: bytes) -> bytes:
    """PKCS#1 or SEC1 as PEM with RFC 1421 headers; its secret is one round of MD5."""
    from ..pem import armour
    if cipher.mode == "ECB":
        raise InputError(
            f"PKCS#1 and SEC1 cannot be encrypted with {cipher.name}: the cipher has no "
            "initialization vector", hint="aes256")
    vector, secret = os.urandom(_vector_size(cipher)), b""
    while len(secret) < cipher.octets:      # EVP_BytesToKey
        secret += md5(secret[-16:] + passphrase + vector[:8], usedforsecurity=False).digest()
    sealed = _encrypted(cipher, secret[:cipher.octets], vector, plain)
    begin, _, body = armour(sealed, label).partition(b"\n")
    return b"%s\nProc-Type: 4,ENCRYPTED\nDEK-Info: %s,%s\n\n%s" % (
        begin, cipher.name.encode(), vector.hex().upper().encode(), body)


def _block_size(cipher: Cipher) -> int:
    return 8 if cipher.algorithm == "TripleDES" else 16


def _vector_size(cipher: Cipher) -> int:
    """The octets of a cipher's initialization vector: those of its block, none for ECB."""
    return 0 if cipher.mode == "ECB" else _block_size(cipher)


def _encrypted(cipher: Cipher, secret: bytes, vector: bytes, plain: bytes) -> bytes:
    """*plain* under the cipher, padded if the mode needs whole blocks.

    Raises UnsupportedError if cryptography lacks the cipher.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.decrepit.ciphers import (
        algorithms as old_algorithms,
        modes as old_modes,
    )
    from cryptography.hazmat.primitives.ciphers import Cipher as Encryption, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7
    if cipher.algorithm == "TripleDES":
        secret += secret[:24 - cipher.octets]       # of two keys the first is also the third
    if cipher.mode in ("CBC", "ECB"):
        padder = PKCS7(8 * _block_size(cipher)).padder()
        plain = padder.update(plain) + padder.finalize()
    try:
        if cipher.algorithm == "ChaCha20":
            encryptor = Encryption(algorithms.ChaCha20(secret, vector), None).encryptor()
        else:
            algorithm = _named(cipher.algorithm, old_algorithms, algorithms)(secret)
            mode = _named(cipher.mode, old_modes, modes)(*([vector] if vector else []))
            encryptor = Encryption(algorithm, mode).encryptor()
    except (AttributeError, UnsupportedAlgorithm):
        raise UnsupportedError(
            f"the cipher {cipher.name} is not supported: kpki's libraries lack {cipher.name}",
            hint="aes256") from None
    return encryptor.update(plain) + encryptor.finalize()


def _named(name: str, *places: Any) -> Any:
    """The attribute *name* of the first module that has it.

    Raises AttributeError if none has it.
    """
    return getattr(next((place for place in places if hasattr(place, name)), places[-1]), name)


def _by_openssl(key: PrivateKeyTypes, cipher: Cipher, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo by pyOpenSSL's OpenSSL, for ciphers that cryptography lacks."""
    import warnings

    from OpenSSL import crypto

    from .keys import validate_signing_key
    from ..pem import blocks
    with warnings.catch_warnings():
        # pyOpenSSL's warning advises the use of cryptography.
        warnings.simplefilter("ignore", DeprecationWarning)
        pkey = crypto.PKey.from_cryptography_key(validate_signing_key(key))
        made = crypto.dump_privatekey(crypto.FILETYPE_PEM, pkey, cipher.name, passphrase)
    return next(blocks(made)).der
