"""How Go writes and reads the small things: quoted text and domain names."""
from __future__ import annotations

import re

_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", '"': r'\"',
            "\\": r"\\"}

# No final dot, no empty label, octets 33 to 126; nothing at all passes too (x509/parser.go, domainNameValid).
_DOMAIN = re.compile(r"(?:[!-\-/-~]+(?:\.[!-\-/-~]+)*)?")


def quoted(text: str) -> str:
    """*text* as %q prints it (strconv.Quote); octets that are no UTF-8 stand in it as surrogates."""
    return '"' + "".join(one if one.isprintable() and one not in '"\\' else _escaped(one) for one in text) + '"'


def _escaped(one: str) -> str:
    point = ord(one)
    if 0xDC80 <= point <= 0xDCFF or point < 0x20 or point == 0x7F:
        return _ESCAPES.get(one, f"\\x{point & 0xFF:02x}")
    return _ESCAPES.get(one) or (f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}")


def octets_text(octets: bytes) -> str:
    """Octets as the text that `quoted` takes."""
    return octets.decode("utf-8", "surrogateescape")


def is_domain(text: str, *, constraint: bool = False) -> bool:
    """Whether Go takes *text* for a domain name; a *constraint* may begin with a dot."""
    if constraint and text.startswith(".") and text != ".":
        text = text[1:]
    return _DOMAIN.fullmatch(text) is not None
