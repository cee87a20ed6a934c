"""IP addresses as Go reads and writes them (net/netip/netip.go, net/ip.go)."""
from __future__ import annotations

import re
from string import digits, hexdigits

from .text import quoted

_MAPPED = bytes(10) + b"\xff\xff"
_MARK = re.compile("[.:%]")     # without one a text is no address


def parse_ip(text: str) -> bytes | None:
    """The 16 octets of an address, IPv4 mapped into IPv6; None for other text (net.ParseIP).

    An address with a zone is refused.
    """
    if not _MARK.search(text):
        return None
    try:
        octets, zone = parse_address(text)
    except ValueError:
        return None
    return None if zone else to_16(octets)


def is_address(text: str) -> bool:
    """Whether *text* is an address, with or without a zone."""
    if not _MARK.search(text):
        return False
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def parse_address(text: str) -> tuple[bytes, str]:
    """The 4 or 16 octets of an address and its zone (netip.ParseAddr).

    Raises ValueError, in Go's words, for other text.
    """
    first = _MARK.search(text)
    if first is None:
        raise _wrong(text, "unable to parse IP")
    if first[0] == "%":
        raise _wrong(text, "missing IPv6 address")
    if first[0] == ".":
        return _ipv4(text, text), ""
    address, percent, zone = text.partition("%")
    if percent and not zone:
        raise _wrong(text, "zone must be a non-empty string")
    return _ipv6(text, address), zone


def _ipv4(whole: str, text: str) -> bytes:
    octets: list[int] = []
    number = ""
    for at, character in enumerate(text):
        if character in digits:
            if number == "0":
                raise _wrong(whole, "IPv4 field has octet with leading zero")
            number += character
            if int(number) > 255:
                raise _wrong(whole, "IPv4 field has value >255")
        elif character != ".":
            raise _wrong(whole, "unexpected character", text[at:])
        elif not number or at == len(text) - 1:
            raise _wrong(whole, "IPv4 field must have at least one digit", text[at:])
        elif len(octets) == 3:
            raise _wrong(whole, "IPv4 address too long")
        else:
            octets.append(int(number))
            number = ""
    if len(octets) < 3:
        raise _wrong(whole, "IPv4 address too short")
    return bytes((*octets, int(number)))


def _ipv6(whole: str, text: str) -> bytes:
    if text == "::":
        return bytes(16)
    octets, gap = bytearray(), 0 if text.startswith("::") else -1
    text = text.removeprefix("::")
    while len(octets) < 16:
        group = text[:len(text) - len(text.lstrip(hexdigits))]
        if len(group) > 4:
            raise _wrong(whole, "each group must have 4 or less digits", text)
        if not group:
            raise _wrong(whole, "each colon-separated field must have at least one digit", text)
        rest = text[len(group):]
        if rest.startswith("."):
            if gap < 0 and len(octets) != 12:
                raise _wrong(whole,
                             "embedded IPv4 address must replace the final 2 fields of the address",
                             text)
            if len(octets) > 12:
                raise _wrong(whole, "too many hex fields to fit an embedded IPv4 "
                                    "at the end of the address", text)
            octets += _ipv4(whole, text)
            text = ""
            break
        octets += int(group, 16).to_bytes(2, "big")
        if not rest:
            text = ""
            break
        if rest[0] != ":":
            raise _wrong(whole, "unexpected character, want colon", rest)
        if rest == ":":
            raise _wrong(whole, "colon must be followed by more characters", rest)
        text = rest[1:]
        if text[0] == ":":
            if gap >= 0:
                raise _wrong(whole, "multiple :: in address", text)
            gap, text = len(octets), text[1:]
            if not text:
                break
    if text:
        raise _wrong(whole, "trailing garbage after address", text)
    if len(octets) < 16 and gap < 0:
        raise _wrong(whole, "address string too short")
    if len(octets) == 16 and gap >= 0:
        raise _wrong(whole, "the :: must expand to at least one field of zeros")
    if gap >= 0:
        octets[gap:gap] = bytes(16 - len(octets))
    return bytes(octets)


def _wrong(text: str, why: str, at: str = "") -> ValueError:
    return ValueError(f"ParseAddr({quoted(text)}): {why}" + (f" (at {quoted(at)})" if at else ""))


def to_16(octets: bytes) -> bytes:
    """An address in 16 octets, so that IPv4 equals its mapped form (net.IP.Equal)."""
    return _MAPPED + octets if len(octets) == 4 else octets


def to_4(octets: bytes) -> bytes:
    """An IPv4 address of either form in 4 octets; an IPv6 address unchanged (net.IP.To4)."""
    return octets[12:] if octets.startswith(_MAPPED) and len(octets) == 16 else octets


def ip_text(octets: bytes) -> str:
    """An address of 4 or 16 octets as Go prints it (net.IP.String); IPv6 as in RFC 5952."""
    short = to_4(octets)
    if len(short) == 4:
        return ".".join(map(str, short))
    from ipaddress import IPv6Address
    return IPv6Address(short).compressed
