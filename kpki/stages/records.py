"""The records that get signed, certificates and requests, in DER (RFC 5280, RFC 2986).

Only this module encodes and decodes them. Fields that must keep their octets (names, keys,
algorithms) pass through whole.
"""
from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import der
from .. import pem
from ..errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3     # of a certificate
_ATTRIBUTES = 0xA0      # of a request
_PUNCTUATION = str.maketrans("", "", "-T:")     # of a time in ISO 8601


class Extension(NamedTuple):
    """An X.509 extension (RFC 5280 §4.2).

    >>> extension = kpki.Extension("2.5.29.19", True, bytes.fromhex("3000"))     # CA:FALSE
    >>> values = kpki.Values(kpki.parse_subject("/CN=worker-1"), (extension,))
    >>> [extension.oid for extension in values.extensions]
    ['2.5.29.19']
    """

    oid: str
    """The dotted object identifier."""
    critical: bool
    """Whether a program that does not know the extension must refuse the certificate."""
    value: bytes
    """The DER that the extension's OCTET STRING holds."""


class CertificateFields(NamedTuple):
    """TBSCertificate (RFC 5280 §4.1), with items that keep their octets.

    *version* counts from 0. A unique identifier is the octets of its bits.
    """

    version: int
    serial_number: int
    signature: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    subject_public_key_info: bytes
    issuer_unique_id: bytes | None
    subject_unique_id: bytes | None
    extensions: tuple[bytes, ...]


class CertificationRequestInfo(NamedTuple):
    """CertificationRequestInfo (RFC 2986 §4.1), with items that keep their octets."""

    version: int
    subject: bytes
    subject_public_key_info: bytes
    attributes: tuple[bytes, ...]


def certificate_info(*, version: int, serial_number: int, algorithm: bytes, issuer: bytes,
                     not_before: datetime, not_after: datetime, subject: bytes, public_key: bytes,
                     extensions: Iterable[Extension]) -> bytes:
    """A TBSCertificate in DER.

    *version* is 0 or 2. Times are UTC. *algorithm*, *issuer*, *subject* and *public_key* are DER.
    """
    items = [*map(extension_item, extensions)]
    return der.sequence(
        der.tlv(_VERSION, der.integer(version)) if version else b"", der.integer(serial_number),
        algorithm, issuer, der.sequence(_time(not_before), _time(not_after)), subject, public_key,
        der.tlv(_EXTENSIONS, der.sequence(*items)) if items else b"")


def _time(moment: datetime) -> bytes:
    """A UTCTime through 2049, a GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5)."""
    moment = moment.astimezone(UTC).replace(tzinfo=None)
    text = f"{moment.isoformat(timespec='seconds').translate(_PUNCTUATION)}Z".encode()
    return der.tlv(der.UTC_TIME, text[2:]) if 1950 <= moment.year < 2050 \
        else der.tlv(der.GENERALIZED_TIME, text)


@lru_cache(maxsize=64)      # the certificates of one CA share most extensions
def extension_item(extension: Extension) -> bytes:
    """An Extension in DER, without the critical field if it is FALSE (RFC 5280 §4.1)."""
    critical = der.boolean(True) if extension.critical else b""
    return der.sequence(der.oid(extension.oid), critical, der.octet_string(extension.value))


def request_info(*, subject: bytes, public_key: bytes, attributes: Iterable[bytes]) -> bytes:
    """A CertificationRequestInfo in DER, version 0; *attributes* are DER, in any order.

    The field of the attributes is present even if there are none (A0 00), as openssl writes it.
    """
    return der.sequence(der.integer(0), subject, public_key,
                        der.tlv(_ATTRIBUTES, *sorted(attributes)))


def signed(to_be_signed: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """A Certificate or CertificationRequest in DER, from its three parts."""
    return der.sequence(to_be_signed, algorithm, der.bit_string(signature))


def certificate_fields(certificate: Certificate | bytes) -> CertificateFields:
    """The fields of a certificate (or its DER); names and key keep their octets.

    Raises InputError if the outer structure is not that of a certificate.
    """
    if not isinstance(certificate, bytes):
        # public_bytes() would import cryptography's serialization: longer work than most verbs do
        try:
            return _certificate_fields(certificate.tbs_certificate_bytes)
        except InputError:
            certificate = pem.dump_certificate(certificate, encoding="DER")
    try:
        return _certificate_fields(to_be_signed(certificate))
    except InputError:
        from ..pem.lenient import trimmed
        try:
            return _certificate_fields(to_be_signed(trimmed(certificate)))
        except (ValueError, IndexError):
            pass
        raise


def _certificate_fields(info: bytes) -> CertificateFields:
    """The fields of a TBSCertificate (DER)."""
    try:
        fields, version = der.members_of(info), 0
        if fields and der.tag_of(fields[0]) == _VERSION:
            version, fields = _version(fields[0]), fields[1:]
        number, algorithm, issuer, validity, subject, public_key, *rest = fields
        issuer_id, subject_id, extensions = _optionals(rest, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS)
        return CertificateFields(
            version, der.number_of(number), algorithm, issuer, validity, subject, public_key,
            issuer_id and der.bits_of(issuer_id, _ISSUER_ID),
            subject_id and der.bits_of(subject_id, _SUBJECT_ID),
            der.members_of(_inner(extensions)) if extensions else ())
    except ValueError:
        raise InputError("not a well-formed certificate") from None


def _optionals(fields: list[bytes], *tags: int) -> list[bytes | None]:
    """The optional fields of a record by their *tags*, None for each that is absent.

    Raises ValueError for an unknown field, and for fields out of order.
    """
    found = {der.tag_of(field): field for field in fields}
    if [*found.values()] != fields or [*found] != [tag for tag in tags if tag in found]:
        raise ValueError("an unknown field, or fields out of order")
    return [*map(found.get, tags)]


def _inner(item: bytes) -> bytes:
    """The one item inside an explicit tag. Raises ValueError for none or several."""
    [inner] = der.items(der.content_of(item))
    return inner


def _version(item: bytes) -> int:
    """The version of a certificate. Raises ValueError for the default, which DER leaves out."""
    if not (version := der.number_of(_inner(item))):
        raise ValueError("an explicit default value")
    return version


def request_fields(csr: CertificateSigningRequest | bytes) -> CertificationRequestInfo:
    """The fields of a certificate signing request (or its DER). Raises InputError if it is none."""
    info = to_be_signed(csr, "request") if isinstance(csr, bytes) else csr.tbs_certrequest_bytes
    try:
        version, subject, public_key, item = der.members_of(info)
        return CertificationRequestInfo(der.number_of(version), subject, public_key,
                                        der.set_members_of(item, _ATTRIBUTES))
    except ValueError:
        raise InputError("not a well-formed request") from None


def to_be_signed(data: bytes, noun: str = "certificate") -> bytes:
    """The signed part of a Certificate or CertificationRequest (DER), whose *noun* is in messages.

    Raises InputError if the outer structure is not that of such a record.
    """
    try:
        info, _algorithm, signature = der.members_of(data)
        der.bits_of(signature)
    except ValueError:
        raise InputError(f"not a well-formed {noun}") from None
    return info


@lru_cache(maxsize=256)     # the certificates of one CA share most extensions
def read_extension(item: bytes) -> Extension:
    """One Extension of a certificate or request from its DER.

    As in OpenSSL, the critical field may be an explicit FALSE, and TRUE may be any octet but 0.
    Raises InputError if *item* is not an Extension.
    """
    parts = der.items(der.content_of(item))
    critical = parts[1:-1]
    tags = (der.tag_of(item), *map(der.tag_of, parts[:1] + parts[-1:]))
    if tags != (der.SEQUENCE, der.OBJECT, der.OCTET_STRING) or len(critical) > 1 \
            or any((der.tag_of(part), len(part)) != (der.BOOLEAN, 3) for part in critical):
        raise InputError("not a well-formed extension")
    return Extension(der.oid_text(parts[0]), critical not in ((), (der.boolean(False),)),
                     der.content_of(parts[-1]))


def extensions_of(fields: CertificateFields) -> tuple[Extension, ...]:
    """The extensions of a certificate, in its order, each decoded separately."""
    return tuple(map(read_extension, fields.extensions))


def request_attributes(
        csr: CertificateSigningRequest | bytes) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    """The attributes of a request (or its DER): the dotted OID and the DER of each value."""
    pairs = (_pair(attribute, "attribute") for attribute in request_fields(csr).attributes)
    return tuple((der.oid_text(kind), der.items(der.content_of(values))) for kind, values in pairs)


def key_bits(public_key: bytes) -> bytes:
    """The bits of a SubjectPublicKeyInfo (DER).

    A subjectKeyIdentifier is the SHA-1 of these bits (RFC 5280 §4.2.1.2).
    """
    _, bits = _pair(public_key, "public key")
    return der.content_of(bits)[1:]


def _pair(item: bytes, noun: str) -> tuple[bytes, bytes]:
    """The two items of a SEQUENCE of two. Raises InputError for any other item."""
    found = der.items(der.content_of(item))
    if len(found) != 2 or der.tag_of(item) != der.SEQUENCE:
        raise InputError(f"not a well-formed {noun}")
    return found[0], found[1]
