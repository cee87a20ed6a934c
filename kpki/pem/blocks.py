"""PEM blocks (RFC 7468): functions that find them, write them, and refuse other contents."""
from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import InputError

_BEGIN = re.compile(rb"^-----BEGIN ([^\r\n-]+)-----[ \t]*\r?\n", re.MULTILINE)
_END = re.compile(rb"^-----END ([^\r\n-]+)-----[ \t]*\r?$", re.MULTILINE)
# Headers (RFC 1421), each with its continuation lines, and the empty line after them. The pattern
# is possessive, for a file may have millions of headers; it is compiled at the first, a rare case.
_HEADER = rb"\A(?:[A-Za-z0-9-]+:[^\n]*+\n(?:[ \t]+[^\s][^\n]*+\n)*+)++\s*\n"
_SPACE = b" \t\n\r\f\v"


class Block(NamedTuple):
    """One PEM block of a file.

    >>> der, pem = kpki.dump_key(key, encoding="DER"), kpki.dump_key(key)
    >>> kpki.load_key(kpki.Block("PRIVATE KEY", der, False, pem)).public_key() == key.public_key()
    True
    """

    label: str
    """The words after BEGIN, such as `CERTIFICATE`."""
    der: bytes
    """The decoded contents."""
    headers: bool
    """Whether the block has headers (RFC 1421), as an encrypted key has."""
    armour: bytes
    """The block's own text, from its BEGIN line to its END line."""

    def __repr__(self) -> str:
        return f"Block({self.label!r}, {len(self.der)} bytes)"


def blocks(data: bytes) -> Iterator[Block]:
    """The PEM blocks in *data*, in order; text around the blocks is passed over.

    Raises InputError if the contents of a block are not base64.
    """
    for begin, end in _borders(data):
        label, body = begin[1].decode("latin-1"), data[begin.end():end.start()]
        header = re.match(_HEADER, body) if b":" in body else None
        try:
            content = base64.b64decode(
                (body[header.end():] if header else body).translate(None, _SPACE), validate=True)
        except binascii.Error:
            raise InputError(f"bad base64 in the PEM block {label}") from None
        yield Block(label, content, bool(header), data[begin.start():end.end()])


def _borders(data: bytes) -> Iterator[tuple[re.Match[bytes], re.Match[bytes]]]:
    """The first and last line of each block; a first line without a last line has no block."""
    last, at = {end[1]: end.start() for end in _END.finditer(data)}, 0
    while begin := _BEGIN.search(data, at):
        at = begin.end()
        if last.get(begin[1], -1) >= at:
            end = next(match for match in _END.finditer(data, at) if match[1] == begin[1])
            yield begin, end
            at = end.end()


def only_block(data: bytes) -> Block | None:
    """The PEM block, if *data* is one block, written as `armour` writes it; else None."""
    name, dashes, body = data.removeprefix(b"-----BEGIN ").partition(b"-----\n")
    label = name.decode("latin-1")
    try:
        der = binascii.a2b_base64(body[:body.find(b"-")]) if dashes else b""
    except binascii.Error:
        return None
    return Block(label, der, False, data.rstrip()) if der and armour(der, label) == data else None


def armour(der: bytes, label: str) -> bytes:
    """*der* as a PEM block, 64 characters a line."""
    text = binascii.b2a_base64(der, newline=False)
    lines = b"\n".join([text[at:at + 64] for at in range(0, len(text), 64)])
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label.encode(), lines, label.encode())


def first(data: bytes, labels: Sequence[str], noun: str, encoding: str | None) -> bytes:
    """The DER of the first block with one of *labels*, or *data* itself if *data* is DER.

    *noun* names the wanted thing in messages; *encoding* is PEM, DER or None (either). Raises
    InputError.
    """
    if encoding != "DER":
        for block in blocks(data):
            if block.label in labels:
                return block.der
    refuse_other(data, noun, encoding)
    return data


def refuse_other(data: bytes, noun: str, encoding: str | None) -> None:
    """Raise InputError if *data* is empty, of other labels, or not in *encoding*."""
    if not data.strip():
        raise InputError(f"no {noun} found: the file is empty")
    if data[:1] == b"\x30" and encoding == "PEM":
        raise InputError(f"no {noun} in PEM found, but the file may hold DER",
                         hint="name DER as the form of the file")
    if data[:1] != b"\x30" and encoding == "DER":
        raise InputError(f"no {noun} in DER found")
    labels = _labels(data) if b"-----BEGIN " in data else []
    if labels:
        cut_off = "" if any(True for _ in _borders(data)) else " that is cut off"
        raise InputError(f"no {noun} found, but PEM of {', '.join(labels)}{cut_off}")
    if data[:1] != b"\x30":
        raise InputError(f"no {noun} found: the file is neither PEM nor DER")


def _labels(data: bytes) -> list[str]:
    found = re.findall(rb"-----BEGIN ([^\r\n-]+)-----", data)
    return sorted({label.decode("latin-1") for label in found})
