"""DER: the encoding of each ASN.1 type, and items taken apart (X.690)."""
from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ..errors import InputError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT, ENUMERATED = 1, 2, 3, 4, 5, 6, 10
UTF8, NUMERIC, PRINTABLE, T61, IA5 = 12, 18, 19, 20, 22
UTC_TIME, GENERALIZED_TIME, VISIBLE, GENERAL, UNIVERSAL, BMP = 23, 24, 26, 27, 28, 30
SEQUENCE, SET = 0x30, 0x31
_LONG_TAG, _HIGHEST_TAG = 0x1F, 0xFFFFFFFF      # the number of a long tag has octets of its own
_LONGEST_LENGTH = 4     # octets
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


def items(content: bytes, most: int | None = None) -> tuple[bytes, ...]:
    """The items inside a constructed item's *content*, the first *most* if given.

    Raises InputError if one is not DER.
    """
    found, at = list[bytes](), 0
    while at < len(content) and len(found) != most:
        end = _borders(content, at)[1]
        found.append(content[at:end])
        at = end
    return tuple(found)


def content_of(item: bytes) -> bytes:
    """The content octets of one item. Raises InputError for other octets than an item in DER."""
    begin, end = _borders(item, 0)
    if end < len(item):
        raise InputError("not a well-formed item: more octets follow")
    return item[begin:]


def tag_of(item: bytes) -> int:
    """The identifier octet of one item (DER)."""
    return item[0]


def _borders(octets: bytes, at: int) -> tuple[int, int]:
    """The offsets at which the content of the item at *at* begins and ends.

    Raises InputError if the item is cut short, or its tag or length is not in DER (X.690 §8.1,
    §10.1).
    """
    try:
        begin = at + 1 if octets[at] & _LONG_TAG != _LONG_TAG else _long_tag_end(octets, at + 1)
        size, begin = octets[begin], begin + 1
    except IndexError:
        raise InputError("not a well-formed item: the octets end before the item does") from None
    if size & 0x80:
        length = octets[begin:begin + (size & 0x7F)]
        size, begin = int.from_bytes(length, "big"), begin + len(length)
        if size < 0x80 or not length[0] or len(length) > _LONGEST_LENGTH:
            raise InputError("not a well-formed item: the length is not in DER")
    if begin + size > len(octets):
        raise InputError("not a well-formed item: the octets end before the item does")
    return begin, begin + size


def _long_tag_end(octets: bytes, at: int) -> int:
    """The offset behind the number of a tag above 30, which begins at *at* (X.690 §8.1.2.4)."""
    number, more = 0, True
    while more:
        number, more, at = number << 7 | octets[at] & 0x7F, octets[at] & 0x80 != 0, at + 1
        # the first octet of a number in DER is not 0
        if not number or number > _HIGHEST_TAG or (number < _LONG_TAG and not more):
            raise InputError("not a well-formed item: the tag is not in DER")
    return at


def members_of(item: bytes, tag: int = SEQUENCE) -> tuple[bytes, ...]:
    """The items inside an item of that tag. Raises InputError for any other item."""
    content = content_of(item)
    if tag_of(item) != tag:
        raise InputError(f"the tag is {tag_of(item):02X}, not {tag:02X}")
    return items(content)


def set_members_of(item: bytes, tag: int) -> tuple[bytes, ...]:
    """The items inside a SET OF of that tag. Raises InputError if they are out of order."""
    found = members_of(item, tag)
    if [*found] != sorted(found):
        raise InputError("the items of a SET OF are out of order")
    return found


def number_of(item: bytes) -> int:
    """The value of an INTEGER. Raises InputError for any other item."""
    number = int.from_bytes(content_of(item), "big", signed=True)
    if integer(number) != item:
        raise InputError("no INTEGER, or more octets than the number needs")
    return number


def bits_of(item: bytes, tag: int = BIT_STRING) -> bytes:
    """The octets of a BIT STRING's bits. Raises InputError for any other item."""
    content = content_of(item)
    unused = content[0] if content else 8
    if tag_of(item) != tag or unused > 7 or content[-1] & (1 << unused) - 1:
        raise InputError("no BIT STRING, or bits that do not count are set")
    return content[1:]
