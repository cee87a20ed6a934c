"""Distinguished names as openssl prints them: `-nameopt` and its options, and the one-line form of old.

Text may hold octets that are no UTF-8 (a T61String shown without escapes): they stand in it as surrogate escapes.
"""
from __future__ import annotations

from ...errors import InputError
from .. import der, objects
from ..names import Attribute, Name

# ASN1_STRFLGS_… and XN_FLAG_… of OpenSSL, by their bits.
_ESC_2253, _ESC_CTRL, _ESC_MSB, _QUOTE, _UTF8, _IGNORE_TYPE, _SHOW_TYPE = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40
_DUMP_ALL, _DUMP_NOSTR, _DUMP_DER, _ESC_2254 = 0x80, 0x100, 0x200, 0x400
_ESCAPES = _ESC_2253 | _ESC_CTRL | _ESC_MSB | _QUOTE | _ESC_2254
_SEPARATORS, _COMMA, _COMMA_SPACE, _SEMICOLON_SPACE, _LINES = 0xF0000, 0x10000, 0x20000, 0x30000, 0x40000
_REVERSED = 0x100000
_FIELD, _SHORT, _LONG, _OID, _NO_FIELD = 0x600000, 0, 0x200000, 0x400000, 0x600000
_SPACE_EQUALS, _DUMP_UNKNOWN, _ALIGN = 0x800000, 0x1000000, 0x2000000
_STRING_2253 = _ESC_2253 | _ESC_CTRL | _ESC_MSB | _UTF8 | _DUMP_NOSTR | _DUMP_DER
COMPAT = 0
ONELINE = _STRING_2253 | _QUOTE | _COMMA_SPACE | _SPACE_EQUALS | _SHORT
_RFC2253 = _STRING_2253 | _COMMA | _REVERSED | _SHORT | _DUMP_UNKNOWN
_MULTILINE = _ESC_CTRL | _ESC_MSB | _LINES | _SPACE_EQUALS | _LONG | _ALIGN
_ALL = 0xFFFFFFFF

# Option (lower case) → the bits it sets, and the bits it clears first (openssl-namedisplay-options(1)).
OPTIONS: dict[str, tuple[int, int]] = {
    "esc_2253": (_ESC_2253, 0), "esc_2254": (_ESC_2254, 0), "esc_ctrl": (_ESC_CTRL, 0), "esc_msb": (_ESC_MSB, 0),
    "use_quote": (_QUOTE, 0), "utf8": (_UTF8, 0), "ignore_type": (_IGNORE_TYPE, 0), "show_type": (_SHOW_TYPE, 0),
    "dump_all": (_DUMP_ALL, 0), "dump_nostr": (_DUMP_NOSTR, 0), "dump_der": (_DUMP_DER, 0),
    "dump_unknown": (_DUMP_UNKNOWN, 0), "compat": (COMPAT, _ALL), "rfc2253": (_RFC2253, _ALL),
    "oneline": (ONELINE, _ALL), "multiline": (_MULTILINE, _ALL), "ca_default": (_MULTILINE, _ALL),
    "sep_comma_plus": (_COMMA, _SEPARATORS), "sep_comma_plus_space": (_COMMA_SPACE, _SEPARATORS),
    "sep_semi_plus_space": (_SEMICOLON_SPACE, _SEPARATORS), "sep_multiline": (_LINES, _SEPARATORS),
    "dn_rev": (_REVERSED, 0), "nofname": (_NO_FIELD, _FIELD), "sname": (_SHORT, _FIELD), "lname": (_LONG, _FIELD),
    "oid": (_OID, _FIELD), "align": (_ALIGN, 0), "space_eq": (_SPACE_EQUALS, 0),
}
_JOINTS = {_COMMA: (",", "+"), _COMMA_SPACE: (", ", " + "), _SEMICOLON_SPACE: ("; ", " + "), _LINES: ("\n", " + ")}
_WIDTHS = {_SHORT: 10, _LONG: 25}
# Octets a character of each string type; 0 is UTF-8. A type that is not here is no string.
_CHARACTER_SIZES = {der.UTF8: 0, der.NUMERIC: 1, der.PRINTABLE: 1, der.T61: 1, der.IA5: 1, der.UTC_TIME: 1,
                    der.GENERALIZED_TIME: 1, der.VISIBLE: 1, der.UNIVERSAL: 4, der.BMP: 2}
_TAG_NAMES = dict(enumerate((
    "EOC", "BOOLEAN", "INTEGER", "BIT STRING", "OCTET STRING", "NULL", "OBJECT", "OBJECT DESCRIPTOR", "EXTERNAL",
    "REAL", "ENUMERATED", "<ASN1 11>", "UTF8STRING", "<ASN1 13>", "<ASN1 14>", "<ASN1 15>", "SEQUENCE", "SET",
    "NUMERICSTRING", "PRINTABLESTRING", "T61STRING", "VIDEOTEXSTRING", "IA5STRING", "UTCTIME", "GENERALIZEDTIME",
    "GRAPHICSTRING",
    "VISIBLESTRING", "GENERALSTRING", "UNIVERSALSTRING", "<ASN1 29>", "BMPSTRING")))


def name_flags(*options: str) -> int:
    """The display that `-nameopt` texts ask for, as OpenSSL's bits; without any, `oneline`.

    A text is a list of options, a `-` before one takes it back. Raises InputError for an unknown option.
    """
    if not options:
        return ONELINE
    flags = 0
    for text in options:
        for word in option_words(text):
            found = OPTIONS.get(word.lower().removeprefix("-").removeprefix("+"))
            if found is None:
                raise InputError(f"unknown name option {word!r}", hint="RFC2253, oneline, multiline, compat …")
            flags &= ~found[1]
            flags = flags & ~found[0] if word.startswith("-") else flags | found[0]
        if flags != COMPAT and not flags & _SEPARATORS:
            flags |= _COMMA_SPACE
    return flags


def option_words(text: str) -> list[str]:
    """The words of a display option's list; none at all where one of them is empty, as openssl has it."""
    words = [word.strip() for word in text.split(",")]
    return words if all(words) else []


def name_text(name: Name, option: str = "default") -> str:
    """*name* as `-nameopt` *option* prints it (openssl-namedisplay-options(1)); "default" is `C = US, O = x, CN = y`.

    A value that its string type cannot hold ends the text, as it ends openssl's. Raises InputError for an unknown
    option.

    >>> kpki.name_text(kpki.parse_subject("/O=system:nodes/CN=system:node:worker-1"))
    'O = system:nodes, CN = system:node:worker-1'
    """
    return flagged_name_text(name, name_flags() if option == "default" else name_flags(option))


def flagged_name_text(name: Name, flags: int, indent: int = 0) -> str:
    """*name* by OpenSSL's bits (X509_NAME_print_ex); *indent* spaces come before it, and in a multiline display before
    each line."""
    if flags == COMPAT:
        return _compat(name)
    joint, plus = _JOINTS[flags & _SEPARATORS]
    between = " " * indent if joint == "\n" else ""
    text, previous = " " * indent, None
    entries = [(place, one) for place, rdn in enumerate(name.rdns) for one in rdn]
    for place, one in reversed(entries) if flags & _REVERSED else entries:
        if previous is not None:
            text += plus if place == previous else joint + between
        previous = place
        known = objects.by_oid().get(one.oid)
        text += _field(one.oid, flags) if flags & _FIELD != _NO_FIELD else ""
        value = _value(one, flags if known or not flags & _DUMP_UNKNOWN else flags | _DUMP_ALL)
        if value is None:
            break
        text += value
    return text


def lined(flags: int) -> bool:
    """Whether the display puts each RDN on a line of its own."""
    return flags & _SEPARATORS == _LINES


def slashed_name_text(name: Name, limit: int | None = None) -> str:
    """*name* as `/C=US/O=x`, every octet outside printable ASCII as `\\xHH` (X509_NAME_oneline).

    The attribute that would make it longer than *limit* characters ends it.
    """
    text, previous = "", None
    for place, rdn in enumerate(name.rdns):
        for one in rdn:
            known = objects.by_oid().get(one.oid)
            shown = "".join(f"\\x{octet:02X}" if not 32 <= octet <= 126 else "\\" * (octet in b"/+") + chr(octet)
                            for octet in _octets(one))
            piece = f"{'+' if place == previous else '/'}{known.short_name if known else one.oid}={shown}"
            if limit is not None and len(text) + len(piece) > limit:
                return text
            text += piece
            previous = place
    return text


def _compat(name: Name) -> str:
    """`-nameopt compat` inside -text: the one-line form, `, ` for the slash before a short upper-case type."""
    import re
    return re.sub(r"/(?=[A-Z][A-Z]?=)", ", ", slashed_name_text(name)[1:])


def _field(oid: str, flags: int) -> str:
    known, kind = objects.by_oid().get(oid), flags & _FIELD
    text, width = oid, 0
    if known and kind != _OID:
        text, width = (known.short_name if kind == _SHORT else known.long_name), _WIDTHS[kind]
    return (text.ljust(width) if flags & _ALIGN else text) + (" = " if flags & _SPACE_EQUALS else "=")


def _octets(one: Attribute) -> bytes:
    """What OpenSSL keeps of a value: all of a constructed one, a bit string without its count of unused bits."""
    if one.tag & 0x20:
        return der.tlv(one.tag, one.octets)
    return one.octets[1:] if one.tag == der.BIT_STRING else one.octets


def _value(one: Attribute, flags: int) -> str | None:
    """One value, escaped or dumped; None where its octets are no text of its type."""
    shown = _TAG_NAMES.get(one.tag & 0x1F, "(unknown)") + ":" if flags & _SHOW_TYPE else ""
    size: int | None = _CHARACTER_SIZES.get(one.tag)
    if flags & _IGNORE_TYPE or (size is None and not flags & _DUMP_NOSTR):
        size = 1
    if size is None or flags & _DUMP_ALL:
        whole = der.tlv(one.tag, one.octets) if flags & _DUMP_DER else _octets(one)
        return shown + "#" + whole.hex().upper()
    characters = _characters(_octets(one), size)
    if characters is None:
        return None
    if flags & _UTF8:
        characters = list(_octets(one)) if size == 0 else [
            octet for number in characters for octet in chr(number).encode("utf-8", "surrogatepass")]
    escaped, quotes = _escaped(characters, flags & _ESCAPES)
    text = escaped.decode("utf-8", "surrogateescape")
    return shown + (f'"{text}"' if quotes else text)


def _characters(octets: bytes, size: int) -> list[int] | None:
    if size == 0:
        try:
            return [ord(one) for one in octets.decode("utf-8")]
        except UnicodeDecodeError:
            return None
    if len(octets) % size:
        return None
    return [int.from_bytes(octets[at:at + size], "big") for at in range(0, len(octets), size)]


def _escaped(characters: list[int], flags: int) -> tuple[bytes, bool]:
    """The characters with their escapes, and whether quotes must go round them (do_esc_char)."""
    out, quotes = bytearray(), False
    for place, number in enumerate(characters):
        if number > 0xFF:
            out += b"\\W%08X" % number if number > 0xFFFF else b"\\U%04X" % number
            continue
        at_end = place == len(characters) - 1
        special = flags & _ESC_2253 and (number in b',+"\\<>;' or number == 0x20 and (at_end or not place)
                                         or number == 0x23 and not (place or at_end))
        if special and flags & _QUOTE and number not in b'"\\':
            quotes = True
            out.append(number)
        elif special:
            out += bytes((0x5C, number))
        elif (flags & _ESC_MSB and number > 0x7F or flags & _ESC_CTRL and (number < 0x20 or number == 0x7F)
              or flags & _ESC_2254 and number in b"*()\\\0"):
            out += b"\\%02X" % number
        elif number == 0x5C and flags:
            out += b"\\\\"
        else:
            out.append(number)
    return bytes(out), quotes
