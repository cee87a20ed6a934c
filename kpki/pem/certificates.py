"""Certificates and certificate signing requests in PEM and DER."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from .blocks import Block, armour, blocks, first
from ..errors import InputError

if TYPE_CHECKING:
    from cryptography import x509

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_TRUSTED = CERTIFICATE_LABELS[2]
# Octets of a certificate or request that is read: a peer in Go accepts so many for a whole chain.
LARGEST = 1 << 18
# Certificates of a bundle, and their octets: a system trusts some hundred certificates.
MOST, LARGEST_BUNDLE = 1000, 1 << 20
CSR_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")


def load_csr(data: bytes, *, encoding: str | None = None) -> x509.CertificateSigningRequest:
    """The first certificate signing request in PEM or DER (`req -in`, `-inform`).

    The signature of the request is not checked. Raises InputError.

    >>> kpki.load_csr(kpki.dump_csr(csr)).is_signature_valid
    True
    """
    from cryptography.x509 import InvalidVersion, load_der_x509_csr
    der = first(data, CSR_LABELS, "certificate request", encoding)
    validate_size(len(der), "certificate request")
    try:
        return load_der_x509_csr(der)
    except (ValueError, InvalidVersion):
        raise InputError("not a readable certificate request") from None


def load_certificate(data: bytes, *, encoding: str | None = None) -> x509.Certificate:
    """The first certificate in PEM or DER (`x509 -in`, `-inform`).

    OpenSSL and Go read some certificates that the cryptography package refuses. Such a certificate
    is returned as an object with the same interface. Raises InputError.

    >>> kpki.load_certificate(kpki.dump_certificate(ca)) == ca
    True
    """
    return load_trusted_certificate(data, encoding=encoding)[0]


def load_trusted_certificate(data: bytes, *,
                             encoding: str | None = None) -> tuple[x509.Certificate, bytes]:
    """The first certificate, and the DER of its trust settings (b"" if there are none).

    See `load_trusted_certificates`. Raises InputError.
    """
    if encoding != "DER":
        for block in blocks(data):
            if block.label in CERTIFICATE_LABELS:
                certificate, settings = _split(block)
                return _certificate(certificate), settings
    return _certificate(first(data, CERTIFICATE_LABELS, "certificate", encoding)), b""


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """Every certificate of a PEM bundle, or the certificate of a DER file (`-CAfile`).

    Raises InputError if there is no certificate.

    >>> len(kpki.load_certificates(kpki.dump_certificate(certificate) + kpki.dump_certificate(ca)))
    2
    """
    return [certificate for certificate, _ in load_trusted_certificates(data)]


def load_trusted_certificates(data: bytes) -> list[tuple[x509.Certificate, bytes]]:
    """Every certificate, each with the DER of its trust settings (b"" if there are none).

    Trust settings follow the certificate in a TRUSTED CERTIFICATE block (X509_CERT_AUX; openssl
    x509 -trustout). Raises InputError if there is no certificate.
    """
    found = [_split(block) for block in blocks(data) if block.label in CERTIFICATE_LABELS]
    validate_bundle([certificate for certificate, _ in found])
    found = found or [(first(data, CERTIFICATE_LABELS, "certificate", None), b"")]
    return [(_certificate(certificate), settings) for certificate, settings in found]


def _split(block: Block) -> tuple[bytes, bytes]:
    """The DER of a block's certificate, and the DER of the trust settings after the certificate."""
    if block.label != _TRUSTED:
        return block.der, b""
    from . import lenient
    try:
        end = lenient.item_end(block.der)
    except (ValueError, IndexError):
        raise InputError("not a readable certificate") from None
    return block.der[:end], block.der[end:]


def validate_bundle(certificates: Sequence[bytes]) -> None:
    """Raise InputError if the certificates (DER) of a bundle are too many or too large."""
    if len(certificates) > MOST:
        raise InputError(
            f"the file has {len(certificates)} certificates: kpki reads no more than {MOST}")
    if (octets := sum(map(len, certificates))) > LARGEST_BUNDLE:
        raise InputError(
            f"the certificates have {octets} octets: kpki reads no more than {LARGEST_BUNDLE}")


def validate_size(octets: int, noun: str) -> None:
    """Raise InputError if a certificate or request (*noun*) of so many *octets* is too large."""
    if octets > LARGEST:
        raise InputError(f"the {noun} has {octets} octets: kpki reads no more than {LARGEST}")


def _certificate(der: bytes) -> x509.Certificate:
    validate_size(len(der), "certificate")
    load, unknown_version, odd_number = _loader()
    with warnings.catch_warnings():
        # Whoever checks the certificate reports a serial number of 0 or below; a reader does not.
        warnings.simplefilter("ignore", odd_number)
        try:
            return load(der)
        except (ValueError, unknown_version):
            from . import lenient
            try:
                return lenient.load(der)
            except (ValueError, IndexError, unknown_version):
                raise InputError("not a readable certificate") from None


@cache      # slow to import, and an import inside a function costs each of many certificates
def _loader() -> tuple[Callable[[bytes], x509.Certificate], type[Exception], type[Warning]]:
    """cryptography's reader of DER, its refusal of a version, its warning of a serial number."""
    from cryptography.utils import CryptographyDeprecationWarning
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate
    return load_der_x509_certificate, InvalidVersion, CryptographyDeprecationWarning


def dump_csr(csr: x509.CertificateSigningRequest, *, encoding: str = "PEM",
             new_header: bool = False) -> bytes:
    """A certificate signing request, PEM or DER.

    With *new_header* the label is NEW CERTIFICATE REQUEST (`-newhdr`).

    >>> kpki.dump_csr(csr).decode().splitlines()[0]
    '-----BEGIN CERTIFICATE REQUEST-----'
    """
    return _dump(csr, CSR_LABELS[new_header], encoding)


def dump_certificate(certificate: x509.Certificate, *, encoding: str = "PEM") -> bytes:
    """A certificate, PEM or DER.

    >>> kpki.dump_certificate(ca).decode().splitlines()[0]
    '-----BEGIN CERTIFICATE-----'
    >>> kpki.dump_certificate(ca, encoding="DER")[:1]
    b'0'
    """
    return _dump(certificate, CERTIFICATE_LABELS[0], encoding)


def dump_certificates(certificates: Iterable[x509.Certificate]) -> bytes:
    """A chain or a bundle: certificates in PEM, in order."""
    return b"".join(map(dump_certificate, certificates))


def _dump(value: x509.Certificate | x509.CertificateSigningRequest, label: str,
          encoding: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    der = value.public_bytes(Encoding.DER)
    return der if encoding == "DER" else armour(der, label)
