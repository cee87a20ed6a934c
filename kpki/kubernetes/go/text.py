"""Quoted text and domain names as Go writes and reads them."""
from __future__ import annotations

import re

_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t",
            "\v": r"\v", '"': r'\"', "\\": r"\\"}

# No final dot, no empty label, octets 33 to 126; empty text is valid (x509/parser.go,
# domainNameValid).
_DOMAIN = re.compile(r"(?:[!-\-/-~]+(?:\.[!-\-/-~]+)*)?")


def quoted(text: str) -> str:
    """*text* as %q prints it (strconv.Quote); surrogates stand for octets that are no UTF-8."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character.isprintable() and character not in '"\\':
        return character
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF or point < 0x20 or point == 0x7F:
        return _ESCAPES.get(character, f"\\x{point & 0xFF:02x}")
    return _ESCAPES.get(character) or (
        f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}")


def octets_text(octets: bytes) -> str:
    """Octets as text for `quoted`."""
    return octets.decode("utf-8", "surrogateescape")


def is_domain(text: str, *, constraint: bool = False) -> bool:
    """Whether *text* is a domain name to Go; a *constraint* may begin with a dot."""
    if constraint and text.startswith(".") and text != ".":
        text = text[1:]
    return _DOMAIN.fullmatch(text) is not None
