"""The small values that openssl prints: octets, objects, addresses, numbers and times."""
from __future__ import annotations

from .. import der, objects
from ...errors import InputError
from ...pem.times import read_time

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_LARGEST_DECIMAL = 128  # bits


def printable(octets: bytes) -> str:
    """Octets as text (ASN1_STRING_print): printable ASCII and line ends, a dot for any other."""
    return "".join(chr(octet) if 32 <= octet <= 126 or octet in b"\r\n" else "."
                   for octet in octets)


def raw_text(octets: bytes) -> str:
    """Octets as UTF-8 text; octets that are not UTF-8 become surrogate escapes."""
    return octets.decode("utf-8", "surrogateescape")


def object_text(oid: str) -> str:
    """The long name of an object, or its digits if it has no name (i2a_ASN1_OBJECT)."""
    known = objects.find_object(oid)
    return known.long_name if known else oid


def address_text(octets: bytes) -> str:
    """4 or 16 octets as an IP address, with every group of IPv6; another length as a note."""
    if len(octets) == 4:
        return ".".join(map(str, octets))
    if len(octets) == 16:
        return ":".join(f"{octets[at] << 8 | octets[at + 1]:X}" for at in range(0, 16, 2))
    return f"<invalid length={len(octets)}>"


def content(item: bytes, tag: int) -> bytes:
    """The content octets of *item*. Raises InputError if the item does not have the tag *tag*."""
    if not item or der.tag_of(item) != tag:
        raise InputError(f"an item of type {tag:#04x} is missing")
    return der.content_of(item)


def integer_text(item: bytes, tag: int = der.INTEGER) -> str:
    """An INTEGER as text: decimal, from 128 bits on hexadecimal (i2s_ASN1_INTEGER)."""
    octets = content(item, tag)
    if not octets:
        raise InputError("an integer has no octets")
    number = int.from_bytes(octets, "big", signed=True)
    if number.bit_length() < _LARGEST_DECIMAL:
        return str(number)
    return f"{'-' * (number < 0)}0x{hexadecimal(abs(number))}"


def hexadecimal(number: int) -> str:
    """A number from 0 up in upper-case hexadecimal, two digits an octet."""
    digits = f"{number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def time_text(item: bytes, *, iso: bool = False) -> str:
    """A UTCTime or GeneralizedTime (DER) as `Jan  2 03:04:05 2026 GMT` (ASN1_TIME_print_ex).

    With *iso* the form is that of ISO 8601.
    """
    try:
        moment, digits = read_time(der.tag_of(item), der.content_of(item))
    except ValueError:
        return "Bad time value"
    fraction = raw_text(digits)
    if iso:
        return f"{moment.year:04}-{moment:%m-%d %H:%M:%S}{fraction}Z"
    month = _MONTHS[moment.month - 1]
    return f"{month} {moment.day:2} {moment:%H:%M:%S}{fraction} {moment.year} GMT"
