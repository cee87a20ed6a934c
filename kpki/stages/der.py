"""DER: the records that get signed, and the encodings that a record cannot describe.

Only this module encodes and decodes requests and certificates. The records are those of RFC 5280
and RFC 2986. Fields that must keep their octets (names, keys, algorithms) pass through whole.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, TypeVar

from cryptography.hazmat import asn1

from .. import pem
from ..errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

T = TypeVar("T")

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT, ENUMERATED = 1, 2, 3, 4, 5, 6, 10
UTF8, NUMERIC, PRINTABLE, T61, IA5 = 12, 18, 19, 20, 22
UTC_TIME, GENERALIZED_TIME, VISIBLE, GENERAL, UNIVERSAL, BMP = 23, 24, 26, 27, 28, 30
SEQUENCE, SET = 0x30, 0x31
_LONGEST_OBJECT = 586   # octets (OBJ_obj2txt)


def tlv(tag: int, *contents: bytes) -> bytes:
    """One item: *tag*, the length in DER, and *contents* joined.

    *tag* (0 to 0xFF) is the identifier octet of a low tag number.
    """
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*items: bytes) -> bytes:
    """A SEQUENCE of encoded items."""
    return tlv(SEQUENCE, *items)


def set_of(items: Iterable[bytes]) -> bytes:
    """A SET OF encoded items, in DER's order (sorted by their encoding, X.690 §11.6)."""
    return tlv(SET, *sorted(items))


def integer(number: int) -> bytes:
    """An INTEGER of any size and sign."""
    return tlv(INTEGER, _octets(number))


def enumerated(number: int) -> bytes:
    """An ENUMERATED of any size and sign."""
    return tlv(ENUMERATED, _octets(number))


def _octets(number: int) -> bytes:
    return number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big",
                           signed=True)


def boolean(truth: bool) -> bytes:
    """A BOOLEAN: FF or 00."""
    return tlv(BOOLEAN, b"\xff" if truth else b"\0")


def octet_string(data: bytes) -> bytes:
    """An OCTET STRING."""
    return tlv(OCTET_STRING, data)


@lru_cache(maxsize=1024)
def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted digits; arcs may be of any size."""
    first, second, *rest = map(int, dotted.split("."))
    return tlv(OBJECT, *map(_base128, (40 * first + second, *rest)))


def _base128(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))


@lru_cache(maxsize=256)
def oid_text(item: bytes) -> str:
    """The dotted digits of an OBJECT IDENTIFIER item.

    Raises InputError if *item* is of another type, or longer than OpenSSL prints.
    """
    octets = content_of(item)
    if tag_of(item) != OBJECT or not octets or octets[-1] & 0x80:
        raise InputError("not a well-formed object identifier")
    if len(octets) > _LONGEST_OBJECT:
        raise InputError(f"object identifier of {len(octets)} octets, more than {_LONGEST_OBJECT}")
    arcs, number = [], 0
    for octet in octets:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(number)
            number = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def bit_string(data: bytes, unused: int = 0) -> bytes:
    """A BIT STRING whose last *unused* bits do not count."""
    return tlv(BIT_STRING, bytes((unused,)), data)


def named_bits(numbers: Iterable[int]) -> bytes:
    """A BIT STRING in which the bits *numbers* are set (0 is the first).

    Trailing zero bits are left out (X.690 §11.2.2).
    """
    wanted = set(numbers)
    size = max(wanted, default=-1) + 1
    data = bytearray((size + 7) // 8)
    for number in wanted:
        data[number // 8] |= 0x80 >> number % 8
    return bit_string(bytes(data), -size % 8)


NULL_ITEM = tlv(NULL)


@dataclass(frozen=True)
class Extension:
    """An X.509 extension (RFC 5280 §4.2)."""

    oid: str
    """The dotted object identifier."""
    critical: bool
    """Whether a program that does not know the extension must refuse the certificate."""
    value: bytes
    """The DER that the extension's OCTET STRING holds."""


@asn1.sequence
class CertificateFields:
    """TBSCertificate (RFC 5280 §4.1).

    *version* counts from 0. Times and extensions keep their octets.
    """

    version: Annotated[int, asn1.Explicit(0), asn1.Default(0)]
    serial_number: int
    signature: asn1.TLV
    issuer: asn1.TLV
    validity: asn1.TLV
    subject: asn1.TLV
    subject_public_key_info: asn1.TLV
    issuer_unique_id: Annotated[asn1.BitString | None, asn1.Implicit(1)]
    subject_unique_id: Annotated[asn1.BitString | None, asn1.Implicit(2)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Explicit(3)]


@asn1.sequence
class CertificationRequestInfo:
    """CertificationRequestInfo (RFC 2986 §4.1).

    The attributes are present even if there are none (A0 00), as openssl writes them.
    """

    version: int
    subject: asn1.TLV
    subject_public_key_info: asn1.TLV
    attributes: Annotated[asn1.SetOf[asn1.TLV], asn1.Implicit(0)]


@asn1.sequence
class _Items:
    of: list[asn1.TLV]


@asn1.sequence
class _Signed:
    to_be_signed: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


def raw(item: bytes) -> asn1.TLV:
    """An encoded item as a field of a record."""
    return asn1.decode_der(asn1.TLV, item)


def whole(item: asn1.TLV) -> bytes:
    """The octets of an item, as they were read."""
    return asn1.encode_der(item)


def certificate_info(*, version: int, serial_number: int, algorithm: bytes, issuer: bytes,
                     not_before: datetime, not_after: datetime, subject: bytes, public_key: bytes,
                     extensions: Iterable[Extension]) -> bytes:
    """A TBSCertificate in DER.

    *version* is 0 or 2. Times are UTC. *algorithm*, *issuer*, *subject* and *public_key* are DER.
    """
    items = [raw(extension_item(extension)) for extension in extensions]
    return asn1.encode_der(CertificateFields(
        version=version, serial_number=serial_number, signature=raw(algorithm), issuer=raw(issuer),
        validity=raw(sequence(_time(not_before), _time(not_after))), subject=raw(subject),
        subject_public_key_info=raw(public_key), issuer_unique_id=None, subject_unique_id=None,
        extensions=items or None))


def _time(moment: datetime) -> bytes:
    """A UTCTime through 2049, a GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5)."""
    text = moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").zfill(15).encode()
    return tlv(UTC_TIME, text[2:]) if 1950 <= int(text[:4]) < 2050 else tlv(GENERALIZED_TIME, text)


@lru_cache(maxsize=64)      # the certificates of one CA share most extensions
def extension_item(extension: Extension) -> bytes:
    """An Extension in DER, without the critical field if it is FALSE (RFC 5280 §4.1)."""
    critical = boolean(True) if extension.critical else b""
    return sequence(oid(extension.oid), critical, octet_string(extension.value))


def request_info(*, subject: bytes, public_key: bytes, attributes: Iterable[bytes]) -> bytes:
    """A CertificationRequestInfo in DER, version 0; *attributes* are DER, in any order."""
    return asn1.encode_der(CertificationRequestInfo(
        version=0, subject=raw(subject), subject_public_key_info=raw(public_key),
        attributes=asn1.SetOf([raw(attribute) for attribute in attributes])))


def signed(to_be_signed: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """A Certificate or CertificationRequest in DER, from its three parts."""
    return sequence(to_be_signed, algorithm, bit_string(signature))


def certificate_fields(certificate: Certificate | bytes) -> CertificateFields:
    """The fields of a certificate (or its DER); names and key keep their octets.

    Raises InputError if the outer structure is not that of a certificate.
    """
    if not isinstance(certificate, bytes):
        # public_bytes() would import cryptography's serialization: longer work than most verbs do
        try:
            return _decoded(CertificateFields, certificate.tbs_certificate_bytes, "certificate")
        except InputError:
            certificate = pem.dump_certificate(certificate, encoding="DER")
    try:
        return _certificate_fields(certificate)
    except InputError:
        from ..pem.lenient import trimmed
        try:
            return _certificate_fields(trimmed(certificate))
        except (ValueError, IndexError):
            pass
        raise


def _certificate_fields(certificate: bytes) -> CertificateFields:
    return _decoded(CertificateFields, _to_be_signed(certificate, "certificate"), "certificate")


def request_fields(csr: CertificateSigningRequest | bytes) -> CertificationRequestInfo:
    """The fields of a certificate signing request (or its DER). Raises InputError if it is none."""
    info = _to_be_signed(csr, "request") if isinstance(csr, bytes) else csr.tbs_certrequest_bytes
    return _decoded(CertificationRequestInfo, info, "request")


def _to_be_signed(data: bytes, noun: str) -> bytes:
    return whole(_decoded(_Signed, data, noun).to_be_signed)


@lru_cache(maxsize=256)     # the certificates of one CA share most extensions
def read_extension(item: bytes) -> Extension:
    """One Extension of a certificate or request from its DER.

    As in OpenSSL, the critical field may be an explicit FALSE, and TRUE may be any octet but 0.
    Raises InputError if *item* is not an Extension.
    """
    parts = items(content_of(item))
    critical = parts[1:-1]
    tags = (tag_of(item), *map(tag_of, parts[:1] + parts[-1:]))
    if tags != (SEQUENCE, OBJECT, OCTET_STRING) or len(critical) > 1 \
            or any((tag_of(part), len(part)) != (BOOLEAN, 3) for part in critical):
        raise InputError("not a well-formed extension")
    return Extension(oid_text(parts[0]), critical not in ((), (boolean(False),)),
                     content_of(parts[-1]))


def extensions_of(fields: CertificateFields) -> tuple[Extension, ...]:
    """The extensions of a certificate, in its order, each decoded separately."""
    return tuple(read_extension(whole(extension)) for extension in fields.extensions or ())


def request_attributes(
        csr: CertificateSigningRequest | bytes) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    """The attributes of a request (or its DER): the dotted OID and the DER of each value."""
    attributes = request_fields(csr).attributes.as_list()
    pairs = (_pair(whole(attribute), "attribute") for attribute in attributes)
    return tuple((oid_text(kind), items(content_of(values))) for kind, values in pairs)


def key_bits(public_key: bytes) -> bytes:
    """The bits of a SubjectPublicKeyInfo (DER).

    A subjectKeyIdentifier is the SHA-1 of these bits (RFC 5280 §4.2.1.2).
    """
    _, bits = _pair(public_key, "public key")
    return content_of(bits)[1:]


def _pair(item: bytes, noun: str) -> tuple[bytes, bytes]:
    """The two items of a SEQUENCE of two. Raises InputError for any other item."""
    found = items(content_of(item))
    if len(found) != 2 or tag_of(item) != SEQUENCE:
        raise InputError(f"not a well-formed {noun}")
    return found[0], found[1]


def items(content: bytes) -> tuple[bytes, ...]:
    """The items inside a constructed item's *content*. Raises InputError if one is cut short."""
    found, at, size = [], 0, len(content)
    while at + 1 < size and content[at] & 0x1F != 0x1F:
        begin, length = at + 2, content[at + 1]
        if length & 0x80:
            begin += length & 0x7F
            length = int.from_bytes(content[at + 2:begin], "big")
            if length < 0x80 or not content[at + 2]:
                break
        if begin + length > size:
            break
        found.append(content[at:begin + length])
        at = begin + length
    if at < size:   # the full decoder reads the rest, or raises the error
        found += map(whole, _decoded(_Items, sequence(sequence(content[at:])), "sequence").of)
    return tuple(found)


def content_of(item: bytes) -> bytes:
    """The content octets of one item (DER)."""
    if 2 <= len(item) == 2 + item[1] < 0x82 and item[0] & 0x1F != 0x1F:  # a short item
        return item[2:]
    return bytes(_decoded(asn1.TLV, item, "item").data)


def tag_of(item: bytes) -> int:
    """The identifier octet of one item (DER)."""
    return item[0]


def _decoded(record: type[T], data: bytes, noun: str) -> T:
    try:
        return asn1.decode_der(record, data)
    except ValueError as error:
        raise InputError(f"not a well-formed {noun}: {error}") from None
