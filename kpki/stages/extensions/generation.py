"""The `ASN1:` value language: any ASN.1 item from text (ASN1_generate_nconf(3))."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from .context import ExtensionContext
from .values import _FALSE, _TRUE, number
from .. import der
from ..strings import characters, encoded, fits
from ...errors import InputError

_DEEPEST = 50
_CLASSES = {"U": 0x00, "A": 0x40, "C": 0x80, "P": 0xC0, "": 0x80}
_FORMATS = ("ASCII", "UTF8", "HEX", "BITLIST")
_LARGEST_BIT = 1 << 20
_HIGH_TAG, _LARGEST_TAG = 0x1F, 0x7FFFFFFF
Tag = tuple[int, int]           # the class's bits, the number
# Name in capitals → tag. A type without a codec in strings.py holds UTF-8, as ASN1_mbstring_copy
# writes it.
_STRINGS = {
    "UNIV": der.UNIVERSAL, "UNIVERSALSTRING": der.UNIVERSAL, "BMP": der.BMP, "BMPSTRING": der.BMP,
    "UTF8": der.UTF8, "UTF8STRING": der.UTF8, "IA5": der.IA5, "IA5STRING": der.IA5,
    "VISIBLE": der.VISIBLE, "VISIBLESTRING": der.VISIBLE, "PRINTABLE": der.PRINTABLE,
    "PRINTABLESTRING": der.PRINTABLE, "T61": der.T61, "T61STRING": der.T61,
    "TELETEXSTRING": der.T61, "GENSTR": der.GENERAL, "GENERALSTRING": der.GENERAL,
    "NUMERIC": der.NUMERIC, "NUMERICSTRING": der.NUMERIC,
}
_WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "SEQWRAP": der.sequence, "SETWRAP": lambda item: der.set_of([item]),
    "OCTWRAP": der.octet_string, "BITWRAP": der.bit_string}


def generate(text: str, context: ExtensionContext, depth: int = 0) -> bytes:
    """The DER of `[modifier,]…type[:value]`. Raises InputError for what openssl refuses."""
    if depth == _DEEPEST:
        raise InputError("illegal nested tagging: sections nest too deep")
    wraps: list[Callable[[bytes], bytes]] = []
    form = "ASCII"
    implicit: Tag | None = None
    while True:
        modifier, comma, rest = text.partition(",")
        word, colon, argument = modifier.partition(":")
        word, is_modifier = word.strip().upper(), True
        if word in ("IMP", "IMPLICIT"):
            if implicit is not None:
                raise InputError("illegal nested tagging")
            implicit = _tag(colon, argument)
        elif word in ("EXP", "EXPLICIT"):
            if implicit is not None:
                raise InputError("illegal implicit tag")
            wraps.append(_explicit(_tag(colon, argument)))
        elif word in _WRAPPERS:
            wraps.append(_retagged(implicit, _WRAPPERS[word]))
            implicit = None
        elif word in ("FORM", "FORMAT"):
            form = next((name for name in _FORMATS if argument.strip().startswith(name)), "")
            if not form:
                raise InputError(f"unknown format: {argument}")
        else:
            is_modifier = False
        if not is_modifier:
            break
        if not comma:
            raise InputError("unknown tag: no type after the modifiers")
        text = rest
    kind, colon, value = text.partition(":")
    item = _item(kind.strip().upper(), value if colon else None, form, context, depth)
    if implicit is not None:
        item = _with_tag(implicit, item)
    for wrap in reversed(wraps):
        item = wrap(item)
    return item


def _explicit(tag: Tag) -> Callable[[bytes], bytes]:
    return lambda item: _with_tag(tag, der.sequence(item))


def _retagged(tag: Tag | None, wrap: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return wrap if tag is None else lambda item: _with_tag(tag, wrap(item))


def _with_tag(tag: Tag, item: bytes) -> bytes:
    """*item* (of a low tag number) under another tag, primitive or constructed as before.

    This is an IMPLICIT tag (X.690 §8.1.2).
    """
    kind, number = tag
    first = kind | item[0] & 0x20
    if number < _HIGH_TAG:
        return bytes((first | number,)) + item[1:]
    return bytes((first | _HIGH_TAG,)) + _base128(number) + item[1:]


def _base128(number: int) -> bytes:
    """A number in seven bits an octet; all octets but the last have the high bit set.

    An object identifier 2.N begins with N + 80 in this form (X.690 §8.19).
    """
    return der.content_of(der.oid(f"2.{number - 80}")) if number >= 80 else bytes((number,))


def _tag(colon: str, argument: str) -> Tag:
    match = re.fullmatch(r"(\d{0,10})([UACP]?)", argument.strip(), re.ASCII)
    if not match or not colon:
        raise InputError(f"unknown tag: invalid number or modifier: {argument!r}")
    number, kind = int(match[1] or "0"), _CLASSES[match[2]]
    if number > _LARGEST_TAG or not number | kind:
        raise InputError(f"tag {argument.strip()} is not supported: write 0 to {_LARGEST_TAG}, "
                         "but not 0 of the universal class")
    return kind, number


def _item(kind: str, value: str | None, form: str, context: ExtensionContext, depth: int) -> bytes:
    if kind in ("SEQ", "SEQUENCE", "SET"):
        settings = () if value is None else context.section(value)
        items = [generate(setting.value, context, depth + 1) for setting in settings]
        return der.set_of(items) if kind == "SET" else der.sequence(*items)
    if kind == "NULL":
        if value:
            raise InputError("illegal null value")
        return der.NULL_ITEM
    value = value or ""
    if kind in ("OCT", "OCTETSTRING", "BITSTR", "BITSTRING"):
        return _octets(kind, value, form)
    if kind in _STRINGS:
        if form not in ("ASCII", "UTF8"):
            raise InputError("illegal format: a string is ASCII or UTF8")
        seen, tag = characters(value, form == "UTF8"), _STRINGS[kind]
        if not fits(tag, seen):
            raise InputError(f"illegal characters: {value!r}")
        return der.tlv(tag, encoded(tag, seen))
    if kind in _PLAIN:
        if form != "ASCII":
            raise InputError(f"not ascii format: {kind} is ASCII")
        return _PLAIN[kind](value, context)
    raise InputError(f"unknown tag: {kind!r}")


def _boolean(value: str, _: ExtensionContext) -> bytes:
    if value not in _TRUE + _FALSE:
        raise InputError(f"illegal boolean: {value}")
    return der.boolean(value in _TRUE)


def _time(tag: int, pattern: str) -> Callable[[str, ExtensionContext], bytes]:
    def item(value: str, _: ExtensionContext) -> bytes:
        match = re.fullmatch(pattern + r"(?:\.\d+)?(?:Z|[+-](?:0\d|1[0-2])[0-5]\d)", value,
                             re.ASCII)
        try:
            groups = match.groups() if match else ["0"] * 6
            year, month, day, hour, minute, second = (int(group or "0") for group in groups)
            year += 2000 if tag == der.UTC_TIME else 0
            datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            raise InputError(f"illegal time value: {value}") from None
        return der.tlv(tag, value.encode())
    return item


_UTC_TIME = _time(der.UTC_TIME, r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?!\.)")
_GENERALIZED = _time(der.GENERALIZED_TIME, r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)|(?!\.))")
_PLAIN: dict[str, Callable[[str, ExtensionContext], bytes]] = {
    "BOOL": _boolean, "BOOLEAN": _boolean,
    **dict.fromkeys(("INT", "INTEGER"), lambda value, _: der.integer(number(value))),
    **dict.fromkeys(("ENUM", "ENUMERATED"), lambda value, _: der.enumerated(number(value))),
    **dict.fromkeys(("OID", "OBJECT"), lambda value, context: der.oid(context.object_oid(value))),
    **dict.fromkeys(("UTC", "UTCTIME"), _UTC_TIME),
    **dict.fromkeys(("GENTIME", "GENERALIZEDTIME"), _GENERALIZED)}


def _octets(kind: str, value: str, form: str) -> bytes:
    bits = kind.startswith("BIT")
    if form == "HEX":
        data = hex_octets(value)
    elif form == "ASCII":
        data = value.encode("utf-8", "surrogateescape")
    elif form == "BITLIST" and bits:
        return der.named_bits(_bit_numbers(value.split(",")))
    else:
        raise InputError("illegal bitstring format")
    return der.bit_string(data) if bits else der.octet_string(data)


def _bit_numbers(texts: Sequence[str]) -> list[int]:
    numbers = [int(text) if re.fullmatch(r"\s*\+?\d{1,9}\s*", text, re.ASCII) else -1
               for text in texts]
    if not all(0 <= number <= _LARGEST_BIT for number in numbers):
        raise InputError(f"invalid number: a bit list holds numbers from 0 to {_LARGEST_BIT}")
    return numbers


def hex_octets(text: str) -> bytes:
    """The octets of hexadecimal digits, with or without `:` between pairs (OPENSSL_hexstr2buf).

    Raises InputError for other text.
    """
    if len(text) < 2:
        raise InputError("hex string too short")
    octets = bytearray()
    at = 0
    while at < len(text):
        if text[at] == ":":
            at += 1
            continue
        pair = text[at:at + 2]
        if not re.fullmatch(r"[0-9A-Fa-f]{2}", pair):
            raise InputError("odd number of digits" if len(pair) == 1
                             else f"illegal hex digit: {pair!r}")
        octets.append(int(pair, 16))
        at += 2
    return bytes(octets)
