"""Bytes ↔ key, certificate signing request, certificate and bundle: PEM (RFC 7468) and DER, no disk."""
from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .errors import InputError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
CSR_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
KEY_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
_BEGIN = re.compile(rb"^-----BEGIN ([^\r\n-]+)-----[ \t]*\r?\n", re.MULTILINE)
_END = re.compile(rb"^-----END ([^\r\n-]+)-----[ \t]*\r?$", re.MULTILINE)
_HEADER = rb"\A(?:[A-Za-z0-9-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\s*\n"   # compiled where it is met: rarely
_SPACE = b" \t\n\r\f\v"


class Block(NamedTuple):
    """One PEM block: its *label*, its DER, whether it has RFC 1421 headers, and its own text (*armour*)."""

    label: str
    der: bytes
    headers: bool
    armour: bytes

    def __repr__(self) -> str:
        return f"Block({self.label!r}, {len(self.der)} bytes)"


def blocks(data: bytes) -> Iterator[Block]:
    """The PEM blocks in *data*, in order; text around them is passed over. InputError where one is no base64."""
    for begin, end in _borders(data):
        label, body = begin[1].decode("latin-1"), data[begin.end():end.start()]
        header = re.match(_HEADER, body) if b":" in body else None
        try:
            content = base64.b64decode((body[header.end():] if header else body).translate(None, _SPACE), validate=True)
        except binascii.Error:
            raise InputError(f"bad base64 in the PEM block {label}") from None
        yield Block(label, content, bool(header), data[begin.start():end.end()])


def _borders(data: bytes) -> Iterator[tuple[re.Match[bytes], re.Match[bytes]]]:
    """The first and last line of each block: of a first line without a last one of its label nothing comes."""
    last, at = {end[1]: end for end in _END.finditer(data)}, 0
    while begin := _BEGIN.search(data, at):
        at = begin.end()
        if begin[1] in last and last[begin[1]].start() >= at:
            end = next(one for one in _END.finditer(data, at) if one[1] == begin[1])
            yield begin, end
            at = end.end()


def only_block(data: bytes) -> Block | None:
    """The one PEM block that *data* is, written as `armour` does; None where it is anything else."""
    name, dashes, body = data.removeprefix(b"-----BEGIN ").partition(b"-----\n")
    label = name.decode("latin-1")
    try:
        der = binascii.a2b_base64(body[:body.find(b"-")]) if dashes else b""
    except binascii.Error:
        return None
    return Block(label, der, False, data.rstrip()) if der and armour(der, label) == data else None


def armour(der: bytes, label: str) -> bytes:
    """*der* as a PEM block, 64 characters a line."""
    lines = b"".join(binascii.b2a_base64(der[at:at + 48]) for at in range(0, len(der), 48)) or b"\n"
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label.encode(), lines, label.encode())


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
            _refuse_other(data, "private key", encoding)
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
    der = _first(data, ("PUBLIC KEY",), "public key", encoding)
    try:
        return load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise InputError("not a readable public key") from None


def load_csr(data: bytes, *, encoding: str | None = None) -> x509.CertificateSigningRequest:
    """The first certificate signing request in PEM or DER (`req -in`, `-inform`), its signature unchecked.

    Raises InputError.
    """
    from cryptography.x509 import InvalidVersion, load_der_x509_csr
    der = _first(data, CSR_LABELS, "certificate request", encoding)
    try:
        return load_der_x509_csr(der)
    except (ValueError, InvalidVersion):
        raise InputError("not a readable certificate request") from None


def load_certificate(data: bytes, *, encoding: str | None = None) -> x509.Certificate:
    """The first certificate in PEM or DER (`x509 -in`, `-inform`). Raises InputError."""
    return _certificate(_first(data, CERTIFICATE_LABELS, "certificate", encoding))


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """Every certificate of a PEM bundle, or the one of a DER file (`-CAfile`). Raises InputError for none."""
    found = [one.der for one in blocks(data) if one.label in CERTIFICATE_LABELS]
    return [_certificate(der) for der in found or [_first(data, CERTIFICATE_LABELS, "certificate", None)]]


def _certificate(der: bytes) -> x509.Certificate:
    import warnings

    from cryptography.utils import CryptographyDeprecationWarning
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate
    with warnings.catch_warnings():
        # A serial number of 0 or below is for whoever judges the certificate to name, not for a reader.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            return load_der_x509_certificate(der)
        except (ValueError, InvalidVersion):
            raise InputError("not a readable certificate") from None


def _first(data: bytes, labels: Sequence[str], noun: str, encoding: str | None) -> bytes:
    if encoding != "DER":
        for block in blocks(data):
            if block.label in labels:
                return block.der
    _refuse_other(data, noun, encoding)
    return data


def _refuse_other(data: bytes, noun: str, encoding: str | None) -> None:
    """Say what is there instead, where *data* is empty, PEM of another kind or not in the *encoding* wanted."""
    if not data.strip():
        raise InputError(f"no {noun} in it: the file is empty")
    if data[:1] == b"\x30" and encoding == "PEM":
        raise InputError(f"no {noun} in PEM in it, but perhaps one in DER", hint="try with DER as its form")
    if data[:1] != b"\x30" and encoding == "DER":
        raise InputError(f"no {noun} in DER in it")
    labels = sorted({label.decode("latin-1") for label in re.findall(rb"-----BEGIN ([^\r\n-]+)-----", data)})
    if labels:
        raise InputError(f"no {noun} in it, but PEM of {', '.join(labels)}"
                         + ("" if any(True for _ in _borders(data)) else " that is cut off"))
    if data[:1] != b"\x30":
        raise InputError(f"no {noun} in it: neither PEM nor DER")


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


def dump_csr(csr: x509.CertificateSigningRequest, *, encoding: str = "PEM", new_header: bool = False) -> bytes:
    """A certificate signing request, PEM or DER; with *new_header* its label is NEW CERTIFICATE REQUEST (`-newhdr`)."""
    return _dump(csr, CSR_LABELS[new_header], encoding)


def dump_certificate(certificate: x509.Certificate, *, encoding: str = "PEM") -> bytes:
    """A certificate, PEM or DER."""
    return _dump(certificate, CERTIFICATE_LABELS[0], encoding)


def dump_certificates(certificates: Iterable[x509.Certificate]) -> bytes:
    """A chain or a bundle: certificates in PEM, one after another."""
    return b"".join(map(dump_certificate, certificates))


def _dump(value: x509.Certificate | x509.CertificateSigningRequest, label: str, encoding: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    der = value.public_bytes(Encoding.DER)
    return der if encoding == "DER" else armour(der, label)
