"""The records of certificates and requests are read and written as cryptography's ASN.1 does."""
from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from cryptography.hazmat import asn1
from hypothesis import given, strategies as st

from kpki import genpkey, req_new, req_x509
from kpki.errors import InputError
from kpki.pem.lenient import trimmed
from kpki.stages import der, records

NOW = datetime(2026, 1, 31, tzinfo=UTC)
KEY = genpkey("EC")
CERTIFICATE = req_x509(KEY, subject="/C=DE/O=x/CN=kubernetes", days=3650, now=NOW)
REQUEST = req_new(KEY, subject="/CN=worker-1", addext=["subjectAltName = DNS:worker-1"])
# unique identifiers, and a tag that takes more than one octet
ODD = der.sequence(der.tlv(0xA0, der.integer(2)), der.integer(-1), der.sequence(), der.sequence(),
                   b"\x1f\x81\x00\x00", der.sequence(), der.sequence(), der.tlv(0x81, b"\x04\xf0"),
                   der.tlv(0x82, b"\x00\xff"), der.tlv(0xA3, der.sequence(der.NULL_ITEM)))


@asn1.sequence
class CertificateFields:
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
    version: int
    subject: asn1.TLV
    subject_public_key_info: asn1.TLV
    attributes: Annotated[asn1.SetOf[asn1.TLV], asn1.Implicit(0)]


@asn1.sequence
class Signed:
    to_be_signed: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


CERTIFICATES = [CERTIFICATE.tbs_certificate_bytes, ODD]
RECORDS = [(CertificateFields, data) for data in CERTIFICATES] + [
    (CertificationRequestInfo, REQUEST.tbs_certrequest_bytes)]


def plain(value: Any) -> Any:
    """A value of the peer's as this module has it."""
    if isinstance(value, asn1.TLV):
        return asn1.encode_der(value)
    if isinstance(value, asn1.BitString):
        return value.as_bytes()
    if isinstance(value, asn1.SetOf):
        return plain(value.as_list())
    return tuple(map(plain, value)) if isinstance(value, list) else value


def by_peer(record: type, data: bytes) -> dict[str, Any] | None:
    """The fields that the peer reads, None if it refuses the octets."""
    try:
        signed = asn1.decode_der(Signed, data)
        found: object = asn1.decode_der(record, asn1.encode_der(signed.to_be_signed))
    except ValueError:
        return None
    fields = {name: plain(getattr(found, name)) for name in record.__annotations__}
    return fields | {"extensions": fields["extensions"] or ()} if "extensions" in fields else fields


def by_us(record: type, data: bytes) -> dict[str, Any] | None:
    """The fields that this module reads, None if it refuses the octets."""
    read: Any = records.request_fields if record is CertificationRequestInfo else \
        records.certificate_fields
    try:
        return dict(read(data)._asdict())
    except InputError:
        return None


def whole(info: bytes) -> bytes:
    """A signed record with that first part."""
    return records.signed(info, der.sequence(), b"signature")


@pytest.mark.parametrize(("record", "info"), RECORDS)
def test_the_fields_are_those_that_the_peer_reads(record: type, info: bytes) -> None:
    """Of a root, a request, and a certificate with every optional field."""
    found = by_us(record, whole(info))
    assert found is not None and found == by_peer(record, whole(info))


@given(st.sampled_from(RECORDS), st.data())
def test_what_the_peer_refuses_is_refused(record: tuple[type, bytes], data: st.DataObject) -> None:
    """And nothing else: octets are changed, put in and taken out, at any place of the record.

    An explicit version 1 and items after the last field are left out first, for Go ignores both.
    """
    kind, info = record
    changed = bytearray(whole(info))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        octets = data.draw(st.sampled_from([
            b"", b"\0", b"\1", b"\x1f", b"\x30", b"\x7f", b"\x80", b"\x81", b"\x82\0", b"\xa0",
            b"\xa3", b"\xff", bytes((changed[at] ^ 1,)), bytes((changed[at],)) * 2]))
        changed[at:at + data.draw(st.integers(0, 1))] = octets
    wanted = by_peer(kind, bytes(changed))
    if wanted is None and kind is CertificateFields:
        with suppress(ValueError, IndexError):
            wanted = by_peer(kind, trimmed(bytes(changed)))
    assert by_us(kind, bytes(changed)) == wanted
