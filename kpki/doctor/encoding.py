"""Bytes of a log as programs and people keep logs → bytes of UTF-8: gzip, UTF-16."""
from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from .sieve import BLOCK
from ..errors import InputError

_GZIP = b"\x1f\x8b"


def utf8(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The blocks of the log *name* in UTF-8, unpacked; raises InputError for a broken gzip."""
    first, blocks = _begun(iter(blocks))
    if first.startswith(_GZIP):
        first, blocks = _begun(_unpacked(blocks, name))
    if encoding := _wide(first):
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        return (decoder.decode(block).encode(errors="replace") for block in blocks)
    return blocks


def _begun(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The beginning of a text, of some bytes at least, and all of the text."""
    first = b""
    while len(first) < 4 and (block := next(blocks, b"")):
        first += block
    return first, chain([first], blocks)


def _wide(first: bytes) -> str:
    """The name of a text's encoding, if the text has two bytes for each character."""
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = first[:200:2], first[1:200:2]
    if len(odd) > 1 and not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if len(odd) > 1 and not any(even) and all(odd) else ""


def _unpacked(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """What gzip packed, in blocks of at most BLOCK bytes: a small file may hold a huge text."""
    unpacker = zlib.decompressobj(wbits=31)
    for packed in blocks:
        block = packed
        while block:
            if unpacker.eof:        # a log that grew has several members
                if not block.startswith(_GZIP):
                    return
                unpacker = zlib.decompressobj(wbits=31)
            try:
                yield unpacker.decompress(block, BLOCK)
            except zlib.error as error:
                raise InputError(f"{name}: broken gzip: {error}") from error
            block = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    if not unpacker.eof:
        raise InputError(f"{name}: the gzip ends too early")
