"""PEM blocks (RFC 7468): finding them, writing them, and saying what is there instead of the one wanted."""
from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import InputError

_BEGIN = re.compile(rb"^-----BEGIN ([^\r\n-]+)-----[ \t]*\r?\n", re.MULTILINE)
_END = re.compile(rb"^-----END ([^\r\n-]+)-----[ \t]*\r?$", re.MULTILINE)
# Headers (RFC 1421), each with the lines that go on with it, and the empty line after them. Possessive, for a file may
# have millions of them; compiled where one is met: rarely.
_HEADER = rb"\A(?:[A-Za-z0-9-]+:[^\n]*+\n(?:[ \t]+[^\s][^\n]*+\n)*+)++\s*\n"
_SPACE = b" \t\n\r\f\v"


class Block(NamedTuple):
    """One PEM block: its *label*, its DER, whether it has RFC 1421 headers, and its own text (*armour*)."""

    label: str
    der: bytes
    headers: bool
    armour: bytes

    def __repr__(self) -> str:
        return f"Block({self.label!r}, {len(self.der)} bytes)"


def blocks(data: bytes) -> Iterator[Block]:
    """The PEM blocks in *data*, in order; text around them is passed over. InputError where one is no base64."""
    for begin, end in _borders(data):
        label, body = begin[1].decode("latin-1"), data[begin.end():end.start()]
        header = re.match(_HEADER, body) if b":" in body else None
        try:
            content = base64.b64decode((body[header.end():] if header else body).translate(None, _SPACE), validate=True)
        except binascii.Error:
            raise InputError(f"bad base64 in the PEM block {label}") from None
        yield Block(label, content, bool(header), data[begin.start():end.end()])


def _borders(data: bytes) -> Iterator[tuple[re.Match[bytes], re.Match[bytes]]]:
    """The first and last line of each block: of a first line without a last one of its label nothing comes."""
    last, at = {end[1]: end.start() for end in _END.finditer(data)}, 0
    while begin := _BEGIN.search(data, at):
        at = begin.end()
        if last.get(begin[1], -1) >= at:
            end = next(one for one in _END.finditer(data, at) if one[1] == begin[1])
            yield begin, end
            at = end.end()


def only_block(data: bytes) -> Block | None:
    """The one PEM block that *data* is, written as `armour` does; None where it is anything else."""
    name, dashes, body = data.removeprefix(b"-----BEGIN ").partition(b"-----\n")
    label = name.decode("latin-1")
    try:
        der = binascii.a2b_base64(body[:body.find(b"-")]) if dashes else b""
    except binascii.Error:
        return None
    return Block(label, der, False, data.rstrip()) if der and armour(der, label) == data else None


def armour(der: bytes, label: str) -> bytes:
    """*der* as a PEM block, 64 characters a line."""
    lines = b"".join(binascii.b2a_base64(der[at:at + 48]) for at in range(0, len(der), 48)) or b"\n"
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label.encode(), lines, label.encode())


def first(data: bytes, labels: Sequence[str], noun: str, encoding: str | None) -> bytes:
    if encoding != "DER":
        for block in blocks(data):
            if block.label in labels:
                return block.der
    refuse_other(data, noun, encoding)
    return data


def refuse_other(data: bytes, noun: str, encoding: str | None) -> None:
    """Say what is there instead, where *data* is empty, PEM of another kind or not in the *encoding* wanted."""
    if not data.strip():
        raise InputError(f"no {noun} in it: the file is empty")
    if data[:1] == b"\x30" and encoding == "PEM":
        raise InputError(f"no {noun} in PEM in it, but perhaps one in DER", hint="try with DER as its form")
    if data[:1] != b"\x30" and encoding == "DER":
        raise InputError(f"no {noun} in DER in it")
    labels = sorted({label.decode("latin-1") for label in re.findall(rb"-----BEGIN ([^\r\n-]+)-----", data)})
    if labels:
        raise InputError(f"no {noun} in it, but PEM of {', '.join(labels)}"
                         + ("" if any(True for _ in _borders(data)) else " that is cut off"))
    if data[:1] != b"\x30":
        raise InputError(f"no {noun} in it: neither PEM nor DER")
