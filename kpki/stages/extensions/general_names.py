"""GeneralNames: the entries of subjectAltName and of other extensions (RFC 5280 §4.2.1.6)."""
from __future__ import annotations

import re
from collections.abc import Sequence

from .context import ExtensionContext
from .generation import generate
from .values import Value, located_value
from .. import der
from ..names import section_name
from ...errors import InputError

EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
_OTHER, _EMAIL, _DNS, _DIRECTORY, _URI, _IP, _RID = 0xA0, 0x81, 0x82, 0xA4, 0x86, 0x87, 0x88
_TEXT_TAGS = {"email": _EMAIL, "URI": _URI, "DNS": _DNS}
_IPV4 = re.compile(r"\s*([+-]?\d+)\.\s*([+-]?\d+)\.\s*([+-]?\d+)\.\s*([+-]?\d+)(?=\s|$)", re.ASCII)


def subject_alternative_names(values: Sequence[Value], context: ExtensionContext) -> bytes:
    """subjectAltName: names, and `email:copy` or `email:move` for the subject's addresses."""
    items: list[bytes] = []
    for value in values:
        with located_value(value):
            items.extend(_subject_name(value, context))
    return der.sequence(*items)


def _subject_name(value: Value, context: ExtensionContext) -> Sequence[bytes]:
    if not (_is(value.name, "email") and value.text in ("copy", "move")):
        return [general_name(value, context)]
    if context.only_tests():
        return []
    subject = context.name()
    found = subject.attributes(EMAIL_ADDRESS)
    if value.text == "move":
        context.subject = subject.without(EMAIL_ADDRESS)
    return [der.tlv(_EMAIL, address.octets) for address in found]


def issuer_alternative_names(values: Sequence[Value], context: ExtensionContext) -> bytes:
    """issuerAltName: names, and `issuer:copy` for the issuer's subjectAltName."""
    items: list[bytes] = []
    for value in values:
        if _is(value.name, "issuer") and value.text == "copy":
            if context.only_tests():
                continue
            if context.issuer is None:
                raise InputError("no issuer details")
            if context.issuer.alternative_names:
                items.extend(der.items(der.content_of(context.issuer.alternative_names)))
        else:
            items.extend(general_names([value], context))
    return der.sequence(*items)


def general_names(values: Sequence[Value], context: ExtensionContext) -> tuple[bytes, ...]:
    """Each value as a GeneralName in DER."""
    items = []
    for value in values:
        with located_value(value):
            items.append(general_name(value, context))
    return tuple(items)


def general_name(value: Value, context: ExtensionContext, *, constraint: bool = False) -> bytes:
    """One `type:value` as a GeneralName in DER.

    With *constraint* an IP carries its mask (RFC 5280 §4.2.1.10). Raises InputError for an unknown
    type, and for a missing or impossible value.
    """
    text = value.text
    if text is None:
        raise InputError("missing value")
    for kind, tag in _TEXT_TAGS.items():
        if _is(value.name, kind):
            return der.tlv(tag, text.encode("utf-8", "surrogateescape"))
    if _is(value.name, "RID"):
        return der.tlv(_RID, der.content_of(der.oid(context.object_oid(text))))
    if _is(value.name, "IP"):
        return der.tlv(_IP, _network(text) if constraint else ip_octets(text))
    if _is(value.name, "dirName"):
        return der.tlv(_DIRECTORY, section_name(context.section(text), context.strings).dump())
    if _is(value.name, "otherName"):
        kind, semicolon, item = text.partition(";")
        if not semicolon:
            raise InputError(f"othername error: {text!r} is not OID;VALUE")
        return der.tlv(_OTHER, der.oid(context.object_oid(kind)),
                       der.tlv(0xA0, generate(item, context)))
    raise InputError(f"unsupported option: name={value.name}")


def _is(name: str, kind: str) -> bool:
    """Whether *name* is *kind*, or *kind* with a dot and other characters (`DNS.1`)."""
    return name == kind or name.startswith(kind + ".")


def _network(text: str) -> bytes:
    address, slash, mask = text.partition("/")
    if slash:
        octets, bits = ip_octets(address), ip_octets(mask)
        if len(octets) == len(bits):
            return octets + bits
    raise InputError(f"bad ip address: value={text} (a constraint is ADDRESS/MASK)")


def ip_octets(text: str) -> bytes:
    """The 4 or 16 octets of an address, as openssl reads addresses.

    Leading zeros are allowed; a prefix length or a zone is not. Raises InputError for other text.
    """
    octets = _ipv6(text) if ":" in text else _ipv4(text)
    if octets is None:
        raise InputError(f"bad ip address: value={text}")
    return octets


def _ipv4(text: str) -> bytes | None:
    match = _IPV4.match(text)
    numbers = [int(group) for group in match.groups()] if match else [-1]
    return bytes(numbers) if all(0 <= number <= 255 for number in numbers) else None


def _ipv6(text: str) -> bytes | None:
    """An IPv6 address (ipv6_from_asc), None for other text.

    `::` stands for at least one group. The last group may be an IPv4 address.
    """
    head, gap, tail = text.partition("::")
    if "::" in tail or tail.startswith(":"):
        return None
    before, after = _groups(head, last=not gap), _groups(tail, last=True)
    if before is None or after is None:
        return None
    missing = 16 - len(before) - len(after)
    if missing < 0 or bool(gap) != bool(missing):
        return None
    return before + bytes(missing) + after


def _groups(text: str, *, last: bool) -> bytes | None:
    octets = b""
    groups = text.split(":") if text else []
    for number, group in enumerate(groups, 1):
        if re.fullmatch(r"[0-9A-Fa-f]{1,4}", group):
            octets += bytes.fromhex(group.zfill(4))
        elif last and number == len(groups) and (four := _ipv4(group)):
            octets += four
        else:
            return None
    return octets
