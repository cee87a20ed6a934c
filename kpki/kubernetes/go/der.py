"""DER as Go reads it (cryptobyte/asn1.go): strict lengths, tags below 31, legal trailing octets."""
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT, SEQUENCE, SET = 1, 2, 3, 4, 6, 0x30, 0x31
NULL_PARAMETERS = b"\x05\x00"

# The object of a refusal: an unreadable certificate, an invalid leaf, an invalid CA, a host's name
# or address that the certificate lacks, or either of them if the certificate has no subjectAltName.
About = Literal["reading", "leaf", "ca", "name", "address", "unnamed"]

# A subidentifier has the fewest octets, at most five, and is below 2**31 (readBase128Int).
_OID = re.compile(rb"(?:(?:[\x81-\xff][\x80-\xff]{0,2}|[\x81-\x87][\x80-\xff]{3})?[\x00-\x7f])+")
_OID_OF_ANY_SIZE = re.compile(rb"(?:(?:[\x81-\xff][\x80-\xff]*)?[\x00-\x7f])+")


class GoError(Exception):
    """Go's refusal, with Go's *sentence*.

    *about* is the object of the refusal, *note* a sentence about another version of Go, *why* a
    fact that Go's sentence leaves out.
    """

    def __init__(self, sentence: str, *, about: About = "reading", note: str | None = None,
                 why: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.about, self.note, self.why = sentence, about, note, why


class Reader:
    """Octets, read from the front, one item after another (cryptobyte.String).

    Each method has a parameter with the sentence of the GoError for a malformed item.
    """

    __slots__ = ("at", "octets", "stop")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0
        self.stop = len(octets)

    def __bool__(self) -> bool:
        return self.at < self.stop

    def peek(self) -> int:
        """The next identifier octet; -1 at the end (PeekASN1Tag)."""
        return self.octets[self.at] if self.at < self.stop else -1

    def any(self, sentence: str) -> tuple[int, bytes]:
        """(identifier octet, content) of the next item, of any type (ReadAnyASN1)."""
        if self.at >= self.stop or (tag := self.octets[self.at]) & 0x1F == 0x1F:
            raise GoError(sentence)
        return tag, self.content(tag, sentence)

    def content(self, tag: int, sentence: str) -> bytes:
        """The content of the next item, which must have the identifier octet *tag* (ReadASN1)."""
        octets, start = self.octets, self.at + 2
        if start > self.stop or octets[start - 2] != tag:
            raise GoError(sentence)
        size = octets[start - 1]
        if size >= 0x80:
            length = octets[start:start + (size & 0x7F)]
            start += size & 0x7F
            size = int.from_bytes(length, "big")
            if not 1 <= len(length) <= 4 or length[0] == 0 or size < 0x80:
                raise GoError(sentence)
        stop = start + size
        if stop > self.stop:
            raise GoError(sentence)
        self.at = stop
        return octets[start:stop]

    def inside(self, tag: int, sentence: str) -> Reader:
        """A reader of the next item's content."""
        return Reader(self.content(tag, sentence))

    def element(self, tag: int, sentence: str) -> tuple[bytes, Reader]:
        """(next item with its header, a reader of its content) (ReadASN1Element)."""
        begin = self.at
        inside = self.inside(tag, sentence)
        return self.octets[begin:self.at], inside

    def each(self, tag: int, sentence: str) -> Iterator[bytes]:
        """The content of each item to the end; each must have the identifier octet *tag*."""
        while self.at < self.stop:
            yield self.content(tag, sentence)

    def optional(self, tag: int, sentence: str) -> bytes | None:
        """The content of the next item if it begins with *tag*, else None (ReadOptionalASN1)."""
        if self.at < self.stop and self.octets[self.at] == tag:
            return self.content(tag, sentence)
        return None

    def integer(self, sentence: str, *, tag: int = INTEGER, bits: int | None = 64) -> int:
        """A signed number in the fewest octets, of at most *bits* if given (ReadASN1Integer)."""
        content = self.content(tag, sentence)
        if not content or (len(content) > 1 and ((content[0] == 0 and content[1] < 0x80)
                                                or (content[0] == 0xFF and content[1] >= 0x80))):
            raise GoError(sentence)
        if bits is not None and len(content) * 8 > bits:
            raise GoError(sentence)
        return int.from_bytes(content, "big", signed=True)

    def boolean(self, sentence: str) -> bool:
        """A BOOLEAN, 00 or FF (ReadASN1Boolean)."""
        content = self.content(BOOLEAN, sentence)
        if content not in (b"\x00", b"\xff"):
            raise GoError(sentence)
        return content == b"\xff"

    def oid(self, sentence: str) -> bytes:
        """The content of an object identifier with arcs of 31 bits (ReadASN1ObjectIdentifier)."""
        content = self.content(OBJECT, sentence)
        if not is_oid(content):
            raise GoError(sentence)
        return content

    def bits(self, sentence: str) -> tuple[bytes, int]:
        """(octets, number of unused zero bits at the end) of a BIT STRING (ReadASN1BitString)."""
        content = self.content(BIT_STRING, sentence)
        unused = content[0] if content else 8
        if unused and (unused > 7 or len(content) == 1 or content[-1] & (1 << unused) - 1):
            raise GoError(sentence)
        return content[1:], unused


def right_aligned(octets: bytes, unused: int) -> bytes:
    """The octets of a BIT STRING without unused bits at the end (asn1.BitString.RightAlign)."""
    if not unused:
        return octets
    return (int.from_bytes(octets, "big") >> unused).to_bytes(len(octets), "big")


@lru_cache(maxsize=256)     # the kinds of attributes and extensions are few
def is_oid(content: bytes) -> bool:
    """Whether *content* is an object identifier with arcs of 31 bits."""
    return _OID.fullmatch(content) is not None


def is_oid_of_any_size(content: bytes) -> bool:
    """Whether *content* is an object identifier, arcs of any size (x509/oid.go, newOIDFromDER)."""
    return _OID_OF_ANY_SIZE.fullmatch(content) is not None


def dotted(content: bytes) -> str:
    """The dotted text of an object identifier's *content*."""
    arcs, number = [], 0
    for octet in content:
        number = number << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(number)
            number = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def oid(text: str) -> bytes:
    """The content of an object identifier from its dotted text."""
    first, second, *rest = map(int, text.split("."))
    octets = bytearray()
    for number in (40 * first + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        octets += bytes(reversed(digits))
    return bytes(octets)
