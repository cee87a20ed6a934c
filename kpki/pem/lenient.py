"""Certificates that OpenSSL and Go read, but the cryptography package refuses as not strict DER.

Such a certificate gets a twin: the same fields, written as X.690 and RFC 5280 ask. The twin answers
for the key, the dates and the algorithms. The octets, the digest and the signed part are those of
the certificate itself.
"""
from __future__ import annotations

import re
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from .blocks import armour
from .times import GENERALIZED_TIME, UTC_TIME, read_time

_VERSION, _UNIQUE_IDS, _EXTENSIONS = b"\xa0", (b"\x81", b"\x82"), b"\xa3"
_VERSION_1, _VERSION_2, _VERSION_3 = (b"\xa0\3\2\1" + bytes((number,)) for number in range(3))
_BOOLEAN, _FALSE, _TRUE = b"\1\1", b"\1\1\0", b"\1\1\xff"
_SEQUENCE, _SET, _PRINTABLE, _UTF8 = 0x30, 0x31, 0x13, 0x0C
_PRINTABLE_TEXT = re.compile(rb"[A-Za-z0-9 '()+,./:=?-]*")
_FIELDS = 6  # of every TBSCertificate: serial number, algorithm, issuer, validity, subject, key


def load(der: bytes) -> x509.Certificate:
    """The certificate, by way of its twin. Raises ValueError if cryptography refuses the twin."""
    return cast("x509.Certificate", _Certificate(der, x509.load_der_x509_certificate(_twin(der))))


def trimmed(der: bytes) -> bytes:
    """A certificate without an explicit version 1, and without items after a record's last field.

    Go ignores both. Raises ValueError if *der* is not a certificate.
    """
    signed, algorithm, signature = _parts(der, 3)
    fields = _parts(signed)
    version = fields.pop(0) if fields[0][:1] == _VERSION else b""
    rest = fields[_FIELDS:]
    known = [item for item in rest if item[:1] in _UNIQUE_IDS]
    known += [_item(_EXTENSIONS[0], *_parts(item, 1)) for item in rest
              if item[:1] == _EXTENSIONS][:1]
    version = b"" if version == _VERSION_1 else version
    return _record(_record(version, *fields[:_FIELDS], *known), algorithm, signature)


def item_end(der: bytes) -> int:
    """The offset at which the first item of *der* ends. Raises ValueError if there is none."""
    return _borders(der, 0)[1]


def _twin(der: bytes) -> bytes:
    """The same certificate in strict DER; version 2, which cryptography refuses, becomes 3."""
    signed, *others = _parts(trimmed(der))
    fields = _parts(signed)
    version = fields.pop(0) if fields[0][:1] == _VERSION else b""
    version = _VERSION_3 if version == _VERSION_2 else version
    serial, algorithm, issuer, validity, subject, key, *rest = fields
    dates = _record(*map(_time, _parts(validity, 2)))
    extensions = [_item(_EXTENSIONS[0], _record(*map(_extension, _parts(_parts(item)[0]))))
                  if item[:1] == _EXTENSIONS else item for item in rest]
    return _record(_record(version, serial, algorithm, _name(issuer), dates, _name(subject),
                           _record(*_parts(key, 2)), *extensions), *others)


def _name(name: bytes) -> bytes:
    """A Name in which a PrintableString with characters of other types is a UTF8String."""
    return _record(*(_item(_SET, *(_record(kind, _string(value))
                                   for kind, value in map(_parts, _parts(rdn))))
                     for rdn in _parts(name)))


def _string(value: bytes) -> bytes:
    content = _content(value)
    if value[0] != _PRINTABLE or _PRINTABLE_TEXT.fullmatch(content):
        return value
    return _item(_UTF8, content.decode("latin-1").encode())


def _time(item: bytes) -> bytes:
    """A Time in UTC with seconds (RFC 5280 §4.1.2.5).

    A Time that is not readable, or has a fraction of a second, is returned unchanged.
    """
    try:
        moment, fraction = read_time(item[0], _content(item))
    except ValueError:
        return item
    text = moment.strftime("%Y%m%d%H%M%SZ").zfill(15).encode()
    if fraction:
        return item
    if 1950 <= moment.year < 2050:
        return _item(UTC_TIME, text[2:])
    return _item(GENERALIZED_TIME, text)


def _extension(item: bytes) -> bytes:
    """An Extension whose critical field is TRUE (FF) or absent."""
    kind, *critical, value = _parts(item)
    flags = (_TRUE if item[:2] == _BOOLEAN else item for item in critical if item != _FALSE)
    return _record(kind, *flags, value)


def _parts(item: bytes, most: int | None = None) -> list[bytes]:
    """The items inside *item*, at most *most* of them. Raises ValueError if one is cut short."""
    found, content, at = list[bytes](), _content(item), 0
    while at < len(content) and len(found) != most:
        end = _borders(content, at)[1]
        found.append(content[at:end])
        at = end
    return found


def _content(item: bytes) -> bytes:
    begin, end = _borders(item, 0)
    if end < len(item):
        raise ValueError("an item is followed by another")
    return item[begin:]


def _borders(octets: bytes, at: int) -> tuple[int, int]:
    """The offsets at which the content of the item at *at* begins and ends."""
    begin, size = at + 2, octets[at + 1] if at + 1 < len(octets) else 0
    if size & 0x80:
        begin += size & 0x7F
        size = int.from_bytes(octets[at + 2:begin])
    if begin + size > len(octets):
        raise ValueError("an item is cut short")
    return begin, begin + size


def _record(*items: bytes) -> bytes:
    return _item(_SEQUENCE, *items)


def _item(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


class _Certificate:
    """A certificate with its twin, with the interface of cryptography's class, which is final.

    Methods that would check the twin's octets (verify_directly_issued_by) are absent.
    """

    __class__ = property(lambda _self: x509.Certificate)     # isinstance() reads it
    _FROM_TWIN = frozenset(
        ("extensions", "issuer", "not_valid_after", "not_valid_after_utc", "not_valid_before",
         "not_valid_before_utc", "public_key", "public_key_algorithm_oid", "serial_number",
         "signature", "signature_algorithm_oid", "signature_algorithm_parameters",
         "signature_hash_algorithm", "subject"))

    def __init__(self, der: bytes, twin: x509.Certificate) -> None:
        self._der, self._twin = der, twin

    def __getattr__(self, name: str) -> object:
        if name in self._FROM_TWIN:
            return getattr(self._twin, name)
        raise AttributeError(f"a certificate that cryptography does not load has no {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, x509.Certificate) and other.public_bytes(Encoding.DER) == self._der

    def __hash__(self) -> int:
        return hash(self._der)

    def __repr__(self) -> str:
        return repr(self._twin)

    @property
    def tbs_certificate_bytes(self) -> bytes:
        return _parts(self._der)[0]

    @property
    def version(self) -> x509.Version:
        first = _parts(self.tbs_certificate_bytes)[0]
        return self._twin.version if first[:1] == _VERSION else x509.Version.v1

    def public_bytes(self, encoding: Encoding) -> bytes:
        return self._der if encoding is Encoding.DER else armour(self._der, "CERTIFICATE")

    def fingerprint(self, algorithm: HashAlgorithm) -> bytes:
        digest = Hash(algorithm)
        digest.update(self._der)
        return digest.finalize()
