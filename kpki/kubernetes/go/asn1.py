"""ASN.1 as Go's encoding/asn1 reads it into a struct, for private keys (certificates: der.py).

An optional field with another tag is skipped; octets after the last field of a struct are ignored.
"""
from __future__ import annotations

from collections.abc import Iterator

from .der import BIT_STRING, INTEGER, OBJECT, OCTET_STRING, SEQUENCE, GoError, is_oid

_CONTEXT = 0xA0
_LONGEST = 1 << 23      # a longer length is refused before the next octet is added
_ARC = 1 << 31


class Fields:
    """The fields of one struct, read from the front; methods raise GoError as Go's Unmarshal."""

    __slots__ = ("at", "octets")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.octets)

    def struct(self) -> Fields:
        """The next item as a struct."""
        return Fields(self._content(SEQUENCE))

    def integer(self, *, bits: int | None = None) -> int:
        """A number in the fewest octets, which fits into *bits* if given."""
        return _number(self._content(INTEGER), bits)

    def octets_of(self) -> bytes:
        """An OCTET STRING."""
        return self._content(OCTET_STRING)

    def oid(self) -> bytes:
        """The content of an object identifier."""
        return _checked_oid(self._content(OBJECT))

    def optional_integer(self) -> int | None:
        """A number, if the next item is one."""
        return _number(self._content(INTEGER)) if self._is_next(INTEGER) else None

    def optional_any(self) -> bytes:
        """The octets of the next item; none at the end."""
        begin = self.at
        if self:
            _, start, size = self._header(begin)
            self._pass(start, size)
        return self.octets[begin:self.at]

    def optional_structs(self) -> Iterator[Fields]:
        """The structs of a SEQUENCE OF; none if the next item is no SEQUENCE."""
        if self._is_next(SEQUENCE):
            inner = self.struct()
            while inner:
                yield inner.struct()

    def explicit_oid(self, number: int) -> bytes | None:
        """The object identifier in an explicit tag; None if that is absent or of another type."""
        content = self._explicit(number, OBJECT)
        return None if content is None else _checked_oid(content)

    def explicit_bits(self, number: int) -> bytes | None:
        """The BIT STRING in an explicit tag; None if that is absent or of another type."""
        content = self._explicit(number, BIT_STRING)
        if content is not None and (not content or content[0] > 7
                                    or (len(content) == 1 and content[0])
                                    or content[-1] & (1 << content[0]) - 1):
            raise _syntax("invalid padding bits in BIT STRING")
        return content

    def _explicit(self, number: int, tag: int) -> bytes | None:
        if not self:
            return None
        outer, start, size = self._header(self.at)
        if start == len(self.octets):
            raise _structure("explicit tag has no child")
        if outer != _CONTEXT | number:
            if outer == 0x80 | number and size == 0:
                raise _structure("zero length explicit tag was not an asn1.Flag")
            return None
        if size == 0:
            raise _structure("zero length explicit tag was not an asn1.Flag")
        inner, start, size = self._header(start)
        return self._pass(start, size) if inner == tag else None

    def _is_next(self, tag: int) -> bool:
        return bool(self) and self._header(self.at)[0] == tag

    def _content(self, tag: int) -> bytes:
        if not self:
            raise _syntax("sequence truncated")
        found, start, size = self._header(self.at)
        if found != tag:
            raise _structure("tags don't match")
        return self._pass(start, size)

    def _pass(self, start: int, size: int) -> bytes:
        if start + size > len(self.octets):
            raise _syntax("data truncated")
        self.at = start + size
        return self.octets[start:self.at]

    def _header(self, at: int) -> tuple[int, int, int]:
        """(identifier octet, start of the content, length) of the item at *at* (parseTagAndLength).

        The identifier octet is 0x1F if the tag's number needs more octets.
        """
        octets, tag = self.octets, self.octets[at]
        at += 1
        if tag & 0x1F == 0x1F:
            number, at = _base128(octets, at)
            if number < 0x1F:
                raise _syntax("non-minimal tag")
            tag = 0x1F
        if at >= len(octets):
            raise _syntax("truncated tag or length")
        size = octets[at]
        at += 1
        if size < 0x80:
            return tag, at, size
        count, size = size & 0x7F, 0
        if not count:
            raise _syntax("indefinite length found (not DER)")
        for _ in range(count):
            if at >= len(octets):
                raise _syntax("truncated tag or length")
            if size >= _LONGEST:
                raise _structure("length too large")
            size = size << 8 | octets[at]
            at += 1
            if not size:
                raise _structure("superfluous leading zeros in length")
        if size < 0x80:
            raise _structure("non-minimal length")
        return tag, at, size


def _number(content: bytes, bits: int | None = None) -> int:
    if not content:
        raise _structure("empty integer")
    if len(content) > 1 and ((content[0] == 0 and content[1] < 0x80)
                             or (content[0] == 0xFF and content[1] >= 0x80)):
        raise _structure("integer not minimally-encoded")
    if bits is not None and len(content) * 8 > bits:
        raise _structure("integer too large")
    return int.from_bytes(content, "big", signed=True)


def _checked_oid(content: bytes) -> bytes:
    """*content*, if it is an object identifier with arcs of 31 bits (parseObjectIdentifier)."""
    if not content:
        raise _syntax("zero length OBJECT IDENTIFIER")
    if not is_oid(content):
        raise _syntax("malformed OBJECT IDENTIFIER")
    return content


def _base128(octets: bytes, at: int) -> tuple[int, int]:
    number = 0
    for begin in range(at, at + 5):
        if begin >= len(octets):
            break
        if begin == at and octets[begin] == 0x80:
            raise _syntax("integer is not minimally encoded")
        number = number << 7 | octets[begin] & 0x7F
        if octets[begin] < 0x80:
            if number >= _ARC:
                raise _structure("base 128 integer too large")
            return number, begin + 1
    raise _syntax("truncated base 128 integer")


def _syntax(what: str) -> GoError:
    return GoError(f"asn1: syntax error: {what}")


def _structure(what: str) -> GoError:
    return GoError(f"asn1: structure error: {what}")
