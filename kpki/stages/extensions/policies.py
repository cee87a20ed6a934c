"""The policy extensions (RFC 5280 §4.2.1.4, 5, 11 and 14) and proxyCertInfo (RFC 3820)."""
from __future__ import annotations

from collections.abc import Sequence

from .context import ExtensionContext
from .generation import hex_octets
from .values import Value, list_values, number, parse_list
from .. import der
from ..config import Setting
from ..names import section_name
from ...errors import InputError

_CPS, _USER_NOTICE = "1.3.6.1.5.5.7.2.1", "1.3.6.1.5.5.7.2.2"
_INHERIT_ALL, _INDEPENDENT = "1.3.6.1.5.5.7.21.1", "1.3.6.1.5.5.7.21.2"
_NOTICE_TAGS = {"UTF8": der.UTF8, "BMP": der.BMP, "VISIBLE": der.VISIBLE}


def relative_name(section: str, context: ExtensionContext) -> bytes:
    """A section as one RDN, a SET OF in DER (`relativename`).

    Raises InputError if the section makes several RDNs.
    """
    name = section_name(context.section(section), context.strings)
    if len(name.rdns) != 1:
        raise InputError("invalid multiple rdns")
    return der.items(der.content_of(name.dump()))[0]


def certificate_policies(text: str, context: ExtensionContext) -> bytes:
    """certificatePolicies: OIDs and `@section`s.

    After `ia5org` the notices of the sections are IA5Strings.
    """
    ia5, items = False, []
    for value in parse_list(text):
        if value.text is not None or not value.name:
            raise InputError(f"invalid policy identifier: {value.name}")
        if value.name == "ia5org":
            ia5 = True
        elif value.name.startswith("@"):
            items.append(_policy_section(context.section(value.name[1:]), context, ia5))
        else:
            items.append(der.sequence(der.oid(context.object_oid(value.name))))
    return der.sequence(*items)


def _policy_section(settings: Sequence[Setting], context: ExtensionContext, ia5: bool) -> bytes:
    policy, qualifiers = b"", []
    for setting in settings:
        if setting.key == "policyIdentifier":
            policy = der.oid(context.object_oid(setting.value))
        elif _numbered(setting.key, "CPS"):
            location = der.tlv(der.IA5, setting.value.encode("utf-8", "surrogateescape"))
            qualifiers.append(der.sequence(der.oid(_CPS), location))
        elif _numbered(setting.key, "userNotice"):
            if not setting.value.startswith("@"):
                raise InputError("expected a section name")
            notice = _notice(context.section(setting.value[1:]), ia5)
            qualifiers.append(der.sequence(der.oid(_USER_NOTICE), notice))
        else:
            raise InputError(f"invalid option: {setting.key}")
    if not policy:
        raise InputError("no policy identifier")
    return der.sequence(policy, *([der.sequence(*qualifiers)] if qualifiers else []))


def _numbered(key: str, name: str) -> bool:
    return key == name or key.startswith(name + ".")


def _notice(settings: Sequence[Setting], ia5: bool) -> bytes:
    explicit, organization, numbers = b"", b"", None
    for setting in settings:
        if setting.key == "explicitText":
            kind, colon, rest = setting.value.partition(":")
            tag, text = der.VISIBLE, setting.value
            if colon and kind in _NOTICE_TAGS:
                tag, text = _NOTICE_TAGS[kind], rest
            explicit = der.tlv(tag, text.encode("utf-8", "surrogateescape"))
        elif setting.key == "organization":
            octets = setting.value.encode("utf-8", "surrogateescape")
            organization = der.tlv(der.IA5 if ia5 else der.VISIBLE, octets)
        elif setting.key == "noticeNumbers":
            numbers = der.sequence(*(der.integer(number(value.name))
                                     for value in parse_list(setting.value)))
        else:
            raise InputError(f"invalid option: {setting.key}")
    if numbers and not organization:
        raise InputError("need organization and numbers")
    reference = der.sequence(organization, numbers or der.sequence()) if organization else b""
    return der.sequence(reference, explicit)


def policy_constraints(values: Sequence[Value], _: ExtensionContext) -> bytes:
    """policyConstraints: requireExplicitPolicy, inhibitPolicyMapping, or both."""
    tags = {"requireExplicitPolicy": 0x80, "inhibitPolicyMapping": 0x81}
    fields: dict[int, bytes] = {}
    for value in values:
        if value.name not in tags:
            raise InputError(f"invalid name: {value.name}")
        fields[tags[value.name]] = der.content_of(der.integer(number(value.text)))
    if not fields:
        raise InputError("illegal empty extension")
    return der.sequence(*(der.tlv(tag, fields[tag]) for tag in sorted(fields)))


def policy_mappings(values: Sequence[Value], context: ExtensionContext) -> bytes:
    """policyMappings: `issuerPolicy:subjectPolicy` pairs."""
    for value in values:
        if value.text is None:
            raise InputError(f"invalid object identifier: no policy follows {value.name}")
    return der.sequence(*(der.sequence(*(der.oid(context.object_oid(policy))
                                         for policy in (value.name, value.text or "")))
                          for value in values))


def proxy_certificate_information(text: str, context: ExtensionContext) -> bytes:
    """proxyCertInfo: `language`, `pathlen` and `policy` (hex:, text:), inline or by `@section`."""
    found: dict[str, str] = {}
    policy: bytes | None = None
    for value in _proxy_values(text, context):
        if value.name == "policy":
            policy = (policy or b"") + _policy_octets(value.text or "")
        elif value.name in ("language", "pathlen"):
            if value.name in found:
                raise InputError(f"policy {value.name} already defined")
            found[value.name] = value.text or ""
    if "language" not in found:
        raise InputError("no proxy cert policy language defined")
    language = context.object_oid(found["language"])
    if language in (_INHERIT_ALL, _INDEPENDENT) and policy is not None:
        raise InputError("policy when proxy language requires no policy")
    length = [der.integer(number(found["pathlen"]))] if "pathlen" in found else []
    octets = b"" if policy is None else der.octet_string(policy)
    return der.sequence(*length, der.sequence(der.oid(language), octets))


def _proxy_values(text: str, context: ExtensionContext) -> list[Value]:
    values = []
    for value in parse_list(text):
        if value.name.startswith("@") and value.text is None:
            values += list_values(value.name, context.config)
        elif value.text is None:
            raise InputError(f"invalid proxy policy setting: {value.name}")
        else:
            values.append(value)
    return values


def _policy_octets(text: str) -> bytes:
    kind, _, rest = text.partition(":")
    if kind == "hex":
        return hex_octets(rest)
    if kind == "text":
        return rest.encode("utf-8", "surrogateescape")
    if kind == "file":
        raise InputError("a policy in a file is not supported",
                         hint="write the policy as text:… or hex:…")
    raise InputError("incorrect policy syntax tag")
