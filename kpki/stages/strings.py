"""Text as an ASN.1 string: its string type, and its octets (ASN1_mbstring_ncopy, string_mask)."""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from . import objects
from .der import BMP, IA5, NUMERIC, PRINTABLE, T61, UNIVERSAL, UTF8, tlv
from ..errors import InputError

# Bits of a mask, as OpenSSL numbers them (B_ASN1_…); the order is the order of preference.
_BITS = ((NUMERIC, 0x0001), (PRINTABLE, 0x0002), (IA5, 0x0010), (T61, 0x0004), (BMP, 0x0800),
         (UNIVERSAL, 0x0100), (UTF8, 0x2000))
_DIRECTORY = 0x0002 | 0x0004 | 0x0800 | 0x2000
_PKCS9 = _DIRECTORY | 0x0010
_MASKS = {
    "default": 0xFFFFFFFF, "nombstr": 0xFFFFFFFF & ~0x2800, "pkix": 0xFFFFFFFF & ~0x0004,
    "utf8only": 0x2000}
UTF8_ONLY = _MASKS["utf8only"]

_PRINTABLE_CHARACTERS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_HIGHEST = {IA5: 0x7F, T61: 0xFF,
            BMP: 0xFFFF}  # UniversalString and UTF8String hold every character
_CODEC = {
    BMP: "utf-16-be", UNIVERSAL: "utf-32-be", NUMERIC: "ascii", PRINTABLE: "ascii", IA5: "ascii",
    T61: "latin-1"}


class Rule(NamedTuple):
    """What one attribute may hold."""

    least: int
    """The least number of characters; -1: no limit."""
    most: int
    """The greatest number of characters; -1: no limit."""
    mask: int
    """The string types that the attribute allows, as bits."""
    masked: bool = True
    """Whether the option `string_mask` narrows the types."""


# OID → rule, as in crypto/asn1/tbl_standard.h; the limits are RFC 5280's (appendix A.1).
RULES: dict[str, Rule] = {
    "2.5.4.3": Rule(1, 64, _DIRECTORY),                                # commonName
    "2.5.4.6": Rule(2, 2, 0x0002, masked=False),                       # countryName
    "2.5.4.7": Rule(1, 128, _DIRECTORY),                               # localityName
    "2.5.4.8": Rule(1, 128, _DIRECTORY),                               # stateOrProvinceName
    "2.5.4.10": Rule(1, 64, _DIRECTORY),                               # organizationName
    "2.5.4.11": Rule(1, 64, _DIRECTORY),                               # organizationalUnitName
    "1.2.840.113549.1.9.1": Rule(1, 128, 0x0010, masked=False),        # emailAddress
    "1.2.840.113549.1.9.2": Rule(1, -1, _PKCS9),                       # unstructuredName
    "1.2.840.113549.1.9.7": Rule(1, -1, _PKCS9),                       # challengePassword
    "1.2.840.113549.1.9.8": Rule(1, -1, _DIRECTORY),                   # unstructuredAddress
    "2.5.4.42": Rule(1, 32768, _DIRECTORY),                            # givenName
    "2.5.4.4": Rule(1, 32768, _DIRECTORY),                             # surname
    "2.5.4.43": Rule(1, 32768, _DIRECTORY),                            # initials
    "2.5.4.5": Rule(1, 64, 0x0002, masked=False),                      # serialNumber
    "1.2.840.113549.1.9.20": Rule(-1, -1, 0x0800, masked=False),       # friendlyName
    "2.5.4.41": Rule(1, 32768, _DIRECTORY),                            # name
    "2.5.4.46": Rule(-1, -1, 0x0002, masked=False),                    # dnQualifier
    "0.9.2342.19200300.100.1.25": Rule(1, -1, 0x0010, masked=False),   # domainComponent
    "1.3.6.1.4.1.311.17.1": Rule(-1, -1, 0x0800, masked=False),        # Microsoft CSP name
    "1.3.6.1.4.1.311.60.2.1.3": Rule(2, 2, 0x0002, masked=False),      # jurisdictionCountryName
    "1.2.643.3.131.1.1": Rule(1, 12, 0x0001, masked=False),            # INN
    "1.2.643.100.1": Rule(1, 13, 0x0001, masked=False),                # OGRN
    "1.2.643.100.3": Rule(1, 11, 0x0001, masked=False),                # SNILS
    "2.5.4.98": Rule(3, 3, 0x0002, masked=False),                      # countryCode3c
    "2.5.4.99": Rule(3, 3, 0x0001, masked=False),                      # countryCode3n
    "1.2.643.100.5": Rule(1, 15, 0x0001, masked=False),                # OGRNIP
}
_NO_RULE = Rule(-1, -1, _DIRECTORY)


class StringOptions(NamedTuple):
    """How text becomes the strings of a name.

    >>> options = kpki.StringOptions(names={"rack": "1.3.6.1.4.1.32473.1"})
    >>> kpki.parse_subject("/CN=worker-1/rack=7", options)
    Name('1.3.6.1.4.1.32473.1=7,CN=worker-1')
    """

    mask: int = UTF8_ONLY
    """openssl's `string_mask`, as bits."""
    utf8: bool = False
    """openssl's `utf8`: text is UTF-8; otherwise each byte is a Latin-1 character."""
    names: Mapping[str, str] = {}
    """Name → OID of each object that a configuration's `oid_section` adds."""

    def find_oid(self, text: str) -> str | None:
        """Internal: the OID of *text*, which is a name, an added name or digits; else None."""
        return objects.find_oid(text) or self.names.get(text)


def string_mask(text: str) -> int:
    """The bits of a `string_mask` setting: default, nombstr, pkix, utf8only or MASK:NUMBER.

    Raises InputError for any other text.
    """
    if text.startswith("MASK:"):
        try:
            digits = text[5:]
            octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
            return int(digits, 8 if octal else 0) & 0xFFFFFFFF
        except ValueError:
            pass
    elif text in _MASKS:
        return _MASKS[text]
    raise InputError(f"invalid global string mask setting {text}")


def characters(text: str, utf8: bool) -> str:
    """The characters that openssl reads in *text*: with *utf8* its own, else each byte as Latin-1.

    Raises InputError if *utf8* is set and the bytes are not UTF-8.
    """
    octets = text.encode("utf-8", "surrogateescape")
    if not utf8:
        return octets.decode("latin-1")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("invalid utf8string") from None


def attribute_string(oid: str, text: str, options: StringOptions) -> tuple[int, bytes]:
    """The tag and octets of *text* as a value of the attribute *oid* (ASN1_STRING_set_by_NID).

    Raises InputError, in openssl's words, for a length or a character that the attribute forbids.
    """
    rule = RULES.get(oid, _NO_RULE)
    seen = characters(text, options.utf8)
    if rule.least > 0 and len(seen) < rule.least:
        raise InputError(f"string too short: {text!r}, minsize={rule.least}")
    if 0 < rule.most < len(seen):
        raise InputError(f"string too long: {text!r}, maxsize={rule.most}")
    mask = (rule.mask & options.mask if rule.masked else rule.mask) or _DIRECTORY
    for tag, bit in _BITS:
        if mask & bit and fits(tag, seen):
            return tag, encoded(tag, seen)
    raise InputError(f"illegal characters: {text!r}")


def encoded(tag: int, seen: str) -> bytes:
    """The octets of characters that fit a string type."""
    return seen.encode(_CODEC.get(tag, "utf-8"))


def fits(tag: int, seen: str) -> bool:
    """Whether the string type *tag* can hold these characters."""
    if tag == PRINTABLE:
        return _PRINTABLE_CHARACTERS.issuperset(seen)
    if tag == NUMERIC:
        return all(character in "0123456789 " for character in seen)
    return tag not in _HIGHEST or max(map(ord, seen), default=0) <= _HIGHEST[tag]


def utf8_item(text: str) -> bytes:
    """*text* as a UTF8String item (DER)."""
    return tlv(UTF8, text.encode("utf-8", "surrogateescape"))
