"""Private and public keys in PEM and DER: PKCS#1, SEC1, PKCS#8, SubjectPublicKeyInfo."""
from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .blocks import Block, armour, blocks, first, refuse_other
from ..errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

KEY_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
LONGEST_RSA = 16384     # bits; the limit of OpenSSL's verification (OPENSSL_RSA_MAX_MODULUS_BITS)
_LARGEST_PRIVATE, _LARGEST_PUBLIC = 10_000, 2_500  # octets; a key of LONGEST_RSA bits has fewer
_RSA_PSS = bytes.fromhex("06092a864886f70d01010a")  # the algorithm, near the key's first octet
_EVP_PKEY_RSA_PSS = 912
_UNKNOWN_CIPHER = "nknown "      # cryptography: Unknown key encryption algorithm, unknown cipher
_NOT_GIVEN = "the private key is encrypted, and no passphrase was given"
PASSIN_HINT = "name the passphrase with -passin"
_EMPTY = "an empty passphrase protects nothing, and kpki accepts none"


def load_key(data: bytes | Block, passphrase: bytes | None = None, *,
             encoding: str | None = None) -> PrivateKeyTypes:
    """The first private key in PEM or DER: PKCS#1, SEC1 or PKCS#8, encrypted or not (`-key FILE`).

    *data* may also be a block. *encoding* (PEM or DER) refuses the other form (`-keyform`). Raises
    InputError if the key is absent, broken, or an RSA key of more than 16384 bits. Raises
    InputError also for a passphrase that is missing or wrong. Raises UnsupportedError for an
    RSA-PSS key, which kpki could only write as a key of another kind.

    >>> data = kpki.dump_key(key, passphrase=b"open sesame")
    >>> kpki.load_key(data, b"open sesame").public_key() == key.public_key()
    True
    """
    block = data if isinstance(data, Block) else _block(data, encoding)
    encrypted = block.label == "ENCRYPTED PRIVATE KEY" or is_encrypted(block.armour[:200])
    if encrypted and passphrase is None:
        raise InputError(_NOT_GIVEN, hint=PASSIN_HINT)
    if encrypted and not passphrase:
        raise InputError(f"{_NOT_GIVEN}: an empty passphrase is none",
                         hint=PASSIN_HINT)
    _validate_size(len(block.der), _LARGEST_PRIVATE)
    key = _loaded(block, passphrase if encrypted else None)
    if _is_pss(block, passphrase if encrypted else None, key):
        raise _unsupported_pss()
    return key


def _block(data: bytes, encoding: str | None) -> Block:
    """The first private key in *data*.

    A key in DER is a block without a label; an encrypted key in DER is a block as if written in
    PEM.
    """
    if encoding != "DER":
        for block in blocks(data):
            if block.label in KEY_LABELS:
                return block
    refuse_other(data, "private key", encoding)
    label = "ENCRYPTED PRIVATE KEY" if _is_encrypted_pkcs8(data) else ""
    return Block(label, data, False, armour(data, label) if label else b"")


def _loaded(block: Block, passphrase: bytes | None) -> PrivateKeyTypes:
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
    )
    try:
        if block.armour:
            return _consistent(
                load_pem_private_key(block.armour, passphrase, unsafe_skip_rsa_key_validation=True))
        return _consistent(
            load_der_private_key(block.der, None, unsafe_skip_rsa_key_validation=True))
    except TypeError:
        raise InputError(_NOT_GIVEN, hint=PASSIN_HINT) from None
    except (ValueError, UnsupportedAlgorithm, InternalError) as error:
        if isinstance(error, InputError):
            raise
        if passphrase is not None and _UNKNOWN_CIPHER in str(error):
            return _loaded_by_openssl(block.armour, passphrase)
        if passphrase is not None:
            raise InputError(
                "the private key does not decrypt: wrong passphrase, or a broken file") from None
        raise InputError("not a readable private key") from None


def _loaded_by_openssl(key_pem: bytes, passphrase: bytes) -> PrivateKeyTypes:
    """A key under a cipher that cryptography lacks (Camellia, ARIA, SM4, AES-192 in older PEM)."""
    from OpenSSL.crypto import FILETYPE_PEM, Error, load_privatekey
    try:
        found = load_privatekey(FILETYPE_PEM, key_pem, passphrase).to_cryptography_key()
        return _consistent(cast("PrivateKeyTypes", found))
    except (ValueError, Error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "the private key does not decrypt: wrong passphrase, or a broken file") from None


def _validate_size(octets: int, most: int) -> None:
    """Raise InputError for a key with more octets than any key of a usual size."""
    if octets > most:
        raise InputError(
            f"a key of {octets} octets: no key of up to {LONGEST_RSA} bits takes so many",
            hint="RSA keys have 2048 to 4096 bits, as a rule")


def _is_pss(block: Block, passphrase: bytes | None, key: PrivateKeyTypes) -> bool:
    """Whether a key is for RSA-PSS alone (RFC 4055 §1.2): cryptography loads it as any RSA key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    if passphrase is None or not isinstance(key, RSAPrivateKey):
        return _RSA_PSS in block.der[:40]
    if block.label != "ENCRYPTED PRIVATE KEY":
        return False
    from OpenSSL.crypto import FILETYPE_PEM, load_privatekey
    return load_privatekey(FILETYPE_PEM, block.armour, passphrase).type() == _EVP_PKEY_RSA_PSS


def _unsupported_pss() -> UnsupportedError:
    return UnsupportedError(
        "an RSA-PSS key is not supported: no component of Kubernetes can use one",
        hint="openssl itself uses the key; kpki genpkey -algorithm RSA makes a usual key")


def _consistent(key: PrivateKeyTypes) -> PrivateKeyTypes:
    """*key*.

    Raises ValueError for an RSA key with inconsistent numbers (Go: rsa.PrivateKey.Validate).

    The primes are not tested, as openssl does not test them on loading: a test takes as long as a
    new key.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    if isinstance(key, RSAPrivateKey):
        _validate_bits(key.key_size)
        own = key.private_numbers()
        p, q, d, e = own.p, own.q, own.d, own.public_numbers.e
        if not (p * q == own.public_numbers.n and min(p, q) > 1 and e > 2
                and e * d % (p - 1) == 1 == e * d % (q - 1)
                and own.dmp1 == d % (p - 1) and own.dmq1 == d % (q - 1) and own.iqmp * q % p == 1):
            raise ValueError("the numbers of the RSA key do not belong together")
    return key


def _validate_bits(bits: int) -> None:
    if bits > LONGEST_RSA:
        raise InputError(f"an RSA key of {bits} bits: kpki uses none of more than {LONGEST_RSA}",
                         hint="RSA keys have 2048 to 4096 bits, as a rule")


def _is_encrypted_pkcs8(data: bytes) -> bool:
    """Whether DER starts with an algorithm (EncryptedPrivateKeyInfo), not with a version."""
    if len(data) < 3:
        return False
    content = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[:1] == data[content:content + 1] == b"\x30"


def is_encrypted(key_pem: bytes) -> bool:
    """Whether a private key in PEM needs a passphrase, by its label or its headers."""
    return b"ENCRYPTED" in key_pem


def load_public_key(data: bytes, *, encoding: str | None = None,
                    pkcs1: bool = False) -> PublicKeyTypes:
    """The first public key in PEM or DER (SubjectPublicKeyInfo, `-pubin`).

    *pkcs1* accepts RSA PUBLIC KEY too (`rsa -RSAPublicKey_in`), which Kubernetes does not read.
    Raises the errors of `load_key`.

    >>> kpki.load_public_key(kpki.dump_public_key(key.public_key())) == key.public_key()
    True
    """
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    der = first(data, ("PUBLIC KEY", *["RSA PUBLIC KEY"] * pkcs1), "public key", encoding)
    _validate_size(len(der), _LARGEST_PUBLIC)
    if _RSA_PSS in der[:40]:
        raise _unsupported_pss()
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm, InternalError):
        raise InputError("not a readable public key") from None
    if isinstance(key, RSAPublicKey):
        _validate_bits(key.key_size)
    return key


def dump_key(key: PrivateKeyTypes, *, form: str = "pkcs8", passphrase: bytes | None = None,
             encoding: str = "PEM") -> bytes:
    """A private key as PEM or DER.

    *form* is pkcs8 (openssl 3's own form) or traditional (PKCS#1, SEC1). A passphrase encrypts the
    key with AES-256. Raises InputError for a key without a traditional form, and for an empty
    passphrase.

    >>> kpki.dump_key(key, form="traditional").decode().splitlines()[0]
    '-----BEGIN EC PRIVATE KEY-----'
    """
    from cryptography.hazmat.primitives import serialization
    formats = {"pkcs8": serialization.PrivateFormat.PKCS8,
               "traditional": serialization.PrivateFormat.TraditionalOpenSSL}
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        if not passphrase:
            raise InputError(_EMPTY,
                             hint="leave the cipher out for a key that is not encrypted")
        encryption = serialization.BestAvailableEncryption(passphrase)
    try:
        return key.private_bytes(getattr(serialization.Encoding, encoding), formats[form],
                                 encryption)
    except ValueError:
        raise InputError(f"the key has no form {form}") from None


def dump_public_key(key: PublicKeyTypes, *, encoding: str = "PEM") -> bytes:
    """A public key as SubjectPublicKeyInfo, PEM or DER.

    >>> kpki.dump_public_key(key.public_key()).decode().splitlines()[0]
    '-----BEGIN PUBLIC KEY-----'
    """
    from cryptography.hazmat.primitives import serialization
    return key.public_bytes(getattr(serialization.Encoding, encoding),
                            serialization.PublicFormat.SubjectPublicKeyInfo)
