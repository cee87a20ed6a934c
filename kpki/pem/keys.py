"""Private and public keys in PEM and DER: PKCS#1, SEC1, PKCS#8, SubjectPublicKeyInfo."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .blocks import Block, blocks, first, refuse_other
from ..errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

KEY_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")


def load_key(data: bytes | Block, passphrase: bytes | None = None, *, encoding: str | None = None) -> PrivateKeyTypes:
    """The first private key in PEM or DER: PKCS#1, SEC1 or PKCS#8, encrypted or not (`-key FILE`).

    *data* may be the block itself. *encoding* PEM or DER insists on that one (`-keyform`).
    Raises InputError: no key there, a broken one, a passphrase that is missing or wrong.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key
    block: Block | None = None
    if isinstance(data, Block):
        block, data = data, data.armour
    elif encoding != "DER":
        block = next((one for one in blocks(data) if one.label in KEY_LABELS), None)
    encrypted = block is not None and (block.label == "ENCRYPTED PRIVATE KEY" or is_encrypted(block.armour[:200]))
    if encrypted and passphrase is None:
        raise InputError("the private key is encrypted, and no passphrase was given", hint="give it with -passin")
    try:
        if block is None:
            refuse_other(data, "private key", encoding)
            return _consistent(load_der_private_key(data, passphrase if _is_encrypted_pkcs8(data) else None,
                                                    unsafe_skip_rsa_key_validation=True))
        return _consistent(load_pem_private_key(block.armour, passphrase if encrypted else None,
                                                unsafe_skip_rsa_key_validation=True))
    except TypeError:
        raise InputError("the private key is encrypted, and no passphrase was given",
                         hint="give it with -passin") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if isinstance(error, InputError):
            raise
        if encrypted or (block is None and _is_encrypted_pkcs8(data)):
            raise InputError("the private key does not decrypt: wrong passphrase, or a broken file") from None
        raise InputError("not a readable private key") from None


def _consistent(key: PrivateKeyTypes) -> PrivateKeyTypes:
    """*key*; ValueError for an RSA key whose numbers do not belong together (Go: rsa.PrivateKey.Validate).

    Whether its primes are prime is not tried, as little as openssl does on loading: that takes as long as making a key.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    if isinstance(key, RSAPrivateKey):
        own = key.private_numbers()
        p, q, d, e = own.p, own.q, own.d, own.public_numbers.e
        if not (p * q == own.public_numbers.n and min(p, q) > 1 and e > 2
                and e * d % (p - 1) == 1 == e * d % (q - 1)
                and own.dmp1 == d % (p - 1) and own.dmq1 == d % (q - 1) and own.iqmp * q % p == 1):
            raise ValueError("the numbers of the RSA key do not belong together")
    return key


def _is_encrypted_pkcs8(data: bytes) -> bool:
    """EncryptedPrivateKeyInfo begins with the sequence of an algorithm, every other key with a version."""
    if len(data) < 3:
        return False
    content = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[:1] == data[content:content + 1] == b"\x30"


def is_encrypted(key_pem: bytes) -> bool:
    """Whether a private key in PEM wants a passphrase: PKCS#8's label says it, or the header of the older forms."""
    return b"ENCRYPTED" in key_pem


def load_public_key(data: bytes, *, encoding: str | None = None) -> PublicKeyTypes:
    """The first public key in PEM or DER (SubjectPublicKeyInfo, `-pubin`), see `load_key`. Raises InputError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    der = first(data, ("PUBLIC KEY",), "public key", encoding)
    try:
        return load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError("not a readable public key") from None


def dump_key(key: PrivateKeyTypes, *, form: str = "pkcs8", passphrase: bytes | None = None,
             encoding: str = "PEM") -> bytes:
    """A private key as PEM or DER; *form* pkcs8 (what openssl 3 writes) or traditional (PKCS#1, SEC1).

    A passphrase encrypts it with AES-256. Raises InputError for a key that has no traditional form.
    """
    from cryptography.hazmat.primitives import serialization
    formats = {"pkcs8": serialization.PrivateFormat.PKCS8,
               "traditional": serialization.PrivateFormat.TraditionalOpenSSL}
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    try:
        return key.private_bytes(getattr(serialization.Encoding, encoding), formats[form], encryption)
    except ValueError:
        raise InputError(f"this key cannot be written as {form}") from None


def dump_public_key(key: PublicKeyTypes, *, encoding: str = "PEM") -> bytes:
    """A public key as SubjectPublicKeyInfo, PEM or DER."""
    from cryptography.hazmat.primitives import serialization
    return key.public_bytes(getattr(serialization.Encoding, encoding), serialization.PublicFormat.SubjectPublicKeyInfo)
