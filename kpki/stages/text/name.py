"""Distinguished names as openssl prints them: `-nameopt`, and the older one-line form.

Octets that are not UTF-8 (of a T61String without escapes) become surrogate escapes in the text.
"""
from __future__ import annotations

from .. import der, objects
from ..names import Attribute, Name
from ...errors import InputError

# ASN1_STRFLGS_… and XN_FLAG_… of OpenSSL, by their bits.
_ESC_2253, _ESC_CTRL, _ESC_MSB, _QUOTE = 0x1, 0x2, 0x4, 0x8
_UTF8, _IGNORE_TYPE, _SHOW_TYPE = 0x10, 0x20, 0x40
_DUMP_ALL, _DUMP_NOSTR, _DUMP_DER, _ESC_2254 = 0x80, 0x100, 0x200, 0x400
_ESCAPES = _ESC_2253 | _ESC_CTRL | _ESC_MSB | _QUOTE | _ESC_2254
_SEPARATORS = 0xF0000
_COMMA, _COMMA_SPACE, _SEMICOLON_SPACE, _LINES = 0x10000, 0x20000, 0x30000, 0x40000
_REVERSED = 0x100000
_FIELD, _SHORT, _LONG, _OID, _NO_FIELD = 0x600000, 0, 0x200000, 0x400000, 0x600000
_SPACE_EQUALS, _DUMP_UNKNOWN, _ALIGN = 0x800000, 0x1000000, 0x2000000
_STRING_2253 = _ESC_2253 | _ESC_CTRL | _ESC_MSB | _UTF8 | _DUMP_NOSTR | _DUMP_DER
COMPAT = 0
ONELINE = _STRING_2253 | _QUOTE | _COMMA_SPACE | _SPACE_EQUALS | _SHORT
_RFC2253 = _STRING_2253 | _COMMA | _REVERSED | _SHORT | _DUMP_UNKNOWN
_MULTILINE = _ESC_CTRL | _ESC_MSB | _LINES | _SPACE_EQUALS | _LONG | _ALIGN
_ALL = 0xFFFFFFFF

# Option (lower case) → the bits that it sets, and the bits that it clears first
# (openssl-namedisplay-options(1)).
NAME_OPTIONS: dict[str, tuple[int, int]] = {
    "esc_2253": (_ESC_2253, 0), "esc_2254": (_ESC_2254, 0), "esc_ctrl": (_ESC_CTRL, 0),
    "esc_msb": (_ESC_MSB, 0), "use_quote": (_QUOTE, 0), "utf8": (_UTF8, 0),
    "ignore_type": (_IGNORE_TYPE, 0), "show_type": (_SHOW_TYPE, 0), "dump_all": (_DUMP_ALL, 0),
    "dump_nostr": (_DUMP_NOSTR, 0), "dump_der": (_DUMP_DER, 0), "dump_unknown": (_DUMP_UNKNOWN, 0),
    "compat": (COMPAT, _ALL), "rfc2253": (_RFC2253, _ALL), "oneline": (ONELINE, _ALL),
    "multiline": (_MULTILINE, _ALL), "ca_default": (_MULTILINE, _ALL),
    "sep_comma_plus": (_COMMA, _SEPARATORS), "sep_comma_plus_space": (_COMMA_SPACE, _SEPARATORS),
    "sep_semi_plus_space": (_SEMICOLON_SPACE, _SEPARATORS), "sep_multiline": (_LINES, _SEPARATORS),
    "dn_rev": (_REVERSED, 0), "nofname": (_NO_FIELD, _FIELD), "sname": (_SHORT, _FIELD),
    "lname": (_LONG, _FIELD), "oid": (_OID, _FIELD), "align": (_ALIGN, 0),
    "space_eq": (_SPACE_EQUALS, 0),
}
_JOINTS = {
    _COMMA: (",", "+"), _COMMA_SPACE: (", ", " + "), _SEMICOLON_SPACE: ("; ", " + "),
    _LINES: ("\n", " + ")}
_WIDTHS = {_SHORT: 10, _LONG: 25}
# Octets in a character of each string type; 0 is UTF-8. Any other type is no string.
_CHARACTER_SIZES = {
    der.UTF8: 0, der.NUMERIC: 1, der.PRINTABLE: 1, der.T61: 1, der.IA5: 1, der.UTC_TIME: 1,
    der.GENERALIZED_TIME: 1, der.VISIBLE: 1, der.UNIVERSAL: 4, der.BMP: 2}
_TAG_NAMES = dict(enumerate((
    "EOC", "BOOLEAN", "INTEGER", "BIT STRING", "OCTET STRING", "NULL", "OBJECT",
    "OBJECT DESCRIPTOR", "EXTERNAL", "REAL", "ENUMERATED", "<ASN1 11>", "UTF8STRING", "<ASN1 13>",
    "<ASN1 14>", "<ASN1 15>", "SEQUENCE", "SET", "NUMERICSTRING", "PRINTABLESTRING", "T61STRING",
    "VIDEOTEXSTRING", "IA5STRING", "UTCTIME", "GENERALIZEDTIME", "GRAPHICSTRING", "VISIBLESTRING",
    "GENERALSTRING", "UNIVERSALSTRING", "<ASN1 29>", "BMPSTRING")))


def name_flags(*options: str) -> int:
    """The display that `-nameopt` texts ask for, as OpenSSL's bits; without texts, `oneline`.

    A text is a list of options; a `-` before an option clears its bits. Raises InputError for an
    unknown option.
    """
    if not options:
        return ONELINE
    flags = 0
    for text in options:
        for word in option_words(text):
            found = NAME_OPTIONS.get(word.lower().removeprefix("-").removeprefix("+"))
            if found is None:
                raise InputError(f"unknown name option {word!r}",
                                 hint="RFC2253, oneline, multiline, compat …")
            flags &= ~found[1]
            flags = flags & ~found[0] if word.startswith("-") else flags | found[0]
        if flags != COMPAT and not flags & _SEPARATORS:
            flags |= _COMMA_SPACE
    return flags


def option_words(text: str) -> list[str]:
    """The words of a list of options; no words if one of them is empty, as in openssl."""
    words = [word.strip() for word in text.split(",")]
    return words if all(words) else []


def name_text(name: Name, option: str = "default") -> str:
    """*name* as `-nameopt` *option* prints it (openssl-namedisplay-options(1)).

    The option "default" gives `C = US, O = x, CN = y`. A value that its string type cannot hold
    ends the text, as in openssl. Raises InputError for an unknown option.

    >>> kpki.name_text(kpki.parse_subject("/O=system:nodes/CN=system:node:worker-1"))
    'O = system:nodes, CN = system:node:worker-1'
    """
    return flagged_name_text(name, name_flags() if option == "default" else name_flags(option))


def flagged_name_text(name: Name, flags: int, indent: int = 0) -> str:
    """*name* by OpenSSL's bits (X509_NAME_print_ex).

    *indent* counts the spaces before the name, and before each line of a multiline display.
    """
    if flags == COMPAT:
        return _compat(name)
    joint, plus = _JOINTS[flags & _SEPARATORS]
    between = " " * indent if joint == "\n" else ""
    text, previous = " " * indent, None
    entries = [(number, attribute) for number, rdn in enumerate(name.rdns) for attribute in rdn]
    for number, attribute in reversed(entries) if flags & _REVERSED else entries:
        if previous is not None:
            text += plus if number == previous else joint + between
        previous = number
        known = objects.find_object(attribute.oid)
        text += _field(attribute.oid, flags) if flags & _FIELD != _NO_FIELD else ""
        dumped = _DUMP_ALL if flags & _DUMP_UNKNOWN and not known else 0
        value = _value(attribute, flags | dumped)
        if value is None:
            break
        text += value
    return text


def lined(flags: int) -> bool:
    """Whether the display puts each RDN on a line of its own."""
    return flags & _SEPARATORS == _LINES


def slashed_name_text(name: Name, limit: int | None = None) -> str:
    r"""*name* as `/C=US/O=x`, other octets than printable ASCII as `\xHH` (X509_NAME_oneline).

    The text ends before the attribute with which it would exceed *limit* characters.
    """
    text, previous = "", None
    for number, rdn in enumerate(name.rdns):
        for attribute in rdn:
            known = objects.find_object(attribute.oid)
            kind = known.short_name if known else attribute.oid
            shown = "".join("\\" * (octet in b"/+") + chr(octet) if 32 <= octet <= 126
                            else f"\\x{octet:02X}" for octet in _octets(attribute))
            piece = f"{'+' if number == previous else '/'}{kind}={shown}"
            if limit is not None and len(text) + len(piece) > limit:
                return text
            text += piece
            previous = number
    return text


def _compat(name: Name) -> str:
    """`-nameopt compat` inside -text: the one-line form with commas.

    A comma replaces the slash before a type of one or two upper-case letters.
    """
    import re
    return re.sub(r"/(?=[A-Z][A-Z]?=)", ", ", slashed_name_text(name)[1:])


def _field(oid: str, flags: int) -> str:
    known, kind = objects.find_object(oid), flags & _FIELD
    text, width = oid, 0
    if known and kind != _OID:
        text, width = (known.short_name if kind == _SHORT else known.long_name), _WIDTHS[kind]
    equals = " = " if flags & _SPACE_EQUALS else "="
    return (text.ljust(width) if flags & _ALIGN else text) + equals


def _octets(attribute: Attribute) -> bytes:
    """The octets that OpenSSL keeps of a value.

    These are all octets of a constructed value, and a bit string without its count of unused bits.
    """
    if attribute.tag & 0x20:
        return der.tlv(attribute.tag, attribute.octets)
    return attribute.octets[1:] if attribute.tag == der.BIT_STRING else attribute.octets


def _value(attribute: Attribute, flags: int) -> str | None:
    """One value, escaped or dumped; None if its octets are no text of its string type."""
    shown = _TAG_NAMES.get(attribute.tag & 0x1F, "(unknown)") + ":" if flags & _SHOW_TYPE else ""
    size: int | None = _CHARACTER_SIZES.get(attribute.tag)
    if flags & _IGNORE_TYPE or (size is None and not flags & _DUMP_NOSTR):
        size = 1
    if size is None or flags & _DUMP_ALL:
        whole = (der.tlv(attribute.tag, attribute.octets) if flags & _DUMP_DER
                 else _octets(attribute))
        return shown + "#" + whole.hex().upper()
    characters = _characters(_octets(attribute), size)
    if characters is None:
        return None
    if flags & _UTF8:
        characters = list(_octets(attribute)) if size == 0 else [
            octet for number in characters
            for octet in chr(number).encode("utf-8", "surrogatepass")]
    escaped, quotes = _escaped(characters, flags & _ESCAPES)
    text = escaped.decode("utf-8", "surrogateescape")
    return shown + (f'"{text}"' if quotes else text)


def _characters(octets: bytes, size: int) -> list[int] | None:
    if size == 0:
        try:
            return [ord(character) for character in octets.decode("utf-8")]
        except UnicodeDecodeError:
            return None
    if len(octets) % size:
        return None
    return [int.from_bytes(octets[at:at + size], "big") for at in range(0, len(octets), size)]


def _escaped(characters: list[int], flags: int) -> tuple[bytes, bool]:
    """The characters with their escapes, and whether quotes must surround them (do_esc_char)."""
    out, quotes = bytearray(), False
    for place, number in enumerate(characters):
        if number > 0xFF:
            out += b"\\W%08X" % number if number > 0xFFFF else b"\\U%04X" % number
            continue
        at_end = place == len(characters) - 1
        special = flags & _ESC_2253 and (number in b',+"\\<>;'
                                         or (number == 0x20 and (at_end or not place))
                                         or (number == 0x23 and not (place or at_end)))
        if special and flags & _QUOTE and number not in b'"\\':
            quotes = True
            out.append(number)
        elif special:
            out += bytes((0x5C, number))
        elif ((flags & _ESC_MSB and number > 0x7F)
              or (flags & _ESC_CTRL and (number < 0x20 or number == 0x7F))
              or (flags & _ESC_2254 and number in b"*()\\\0")):
            out += b"\\%02X" % number
        elif number == 0x5C and flags:
            out += b"\\\\"
        else:
            out.append(number)
    return bytes(out), quotes
