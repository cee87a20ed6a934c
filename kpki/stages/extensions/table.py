"""X.509 v3 extensions: a configuration section → extensions, as in x509v3_config(5).

One table, KINDS, says which extensions have a value language, and which function reads the
language. Any other extension needs `ASN1:` or `DER:`.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from . import policies
from .context import ExtensionContext
from .general_names import (
    general_name,
    general_names,
    issuer_alternative_names,
    subject_alternative_names,
)
from .generation import generate, hex_octets
from .identifiers import KEY_USAGES, NETSCAPE_TYPES, REVOCATION_REASONS, TLS_FEATURES
from .values import Value, list_values, number, truth
from .. import der, objects
from ..config import Setting, located
from ..records import Extension
from ..strings import utf8_item
from ...errors import InputError, UnsupportedError

_NO_IDENTIFIER = 2      # octets of an issuer's identifier that counts as absent in openssl
_ANY: tuple[tuple[str, Callable[[str, ExtensionContext], bytes]], ...] = (
    ("DER:", lambda text, _context: hex_octets(text)), ("ASN1:", generate))


def section_extensions(context: ExtensionContext, section: str) -> tuple[Extension, ...]:
    """The extensions of a section, in its order (openssl's `-extensions SECTION`).

    Raises InputError, with the line, if the section is absent and for what openssl refuses.
    """
    return settings_extensions(context, context.section(section))


def settings_extensions(context: ExtensionContext,
                        settings: Iterable[Setting]) -> tuple[Extension, ...]:
    """The extensions of these settings, in order. Raises InputError like `section_extensions`."""
    return tuple(context.settled(setting) or _read(context, setting) for setting in settings)


def _read(context: ExtensionContext, setting: Setting) -> Extension:
    context.depends = False
    with located(setting):
        made = extension(setting.key, setting.value, context)
    context.settle(setting, made)
    return made


def extension(name: str, text: str, context: ExtensionContext) -> Extension:
    """One extension from its name and value.

    The value is `critical,` first, then the language of the kind, `ASN1:…` or `DER:…`. Raises
    InputError for what openssl refuses.
    """
    critical = text.startswith("critical,")
    if critical:
        text = text[len("critical,"):].lstrip()
    for prefix, make in _ANY:
        if text.startswith(prefix):
            return Extension(context.object_oid(name), critical,
                             make(text[len(prefix):].lstrip(), context))
    known = objects.by_short_name().get(name)
    if known is None:
        raise InputError("unknown extension name")
    if name not in EXTENSION_MAKERS:
        if name in _NOT_WRITTEN:
            raise UnsupportedError(f"the extension {name} is not supported",
                                   hint=f"{name} = DER:… writes its octets")
        raise InputError("extension setting not supported" if name in _ONLY_READ
                         else "unknown extension")
    return Extension(known, critical, EXTENSION_MAKERS[name](text, context))


def replace_extensions(present: Sequence[Extension],
                       new: Iterable[Extension]) -> tuple[Extension, ...]:
    """*present*, then *new*; of two with one OID the later remains (X509V3_CTX_REPLACE)."""
    result = list(present)
    for later in new:
        result = [earlier for earlier in result if earlier.oid != later.oid] + [later]
    return tuple(result)


def key_identifier_item(context: ExtensionContext, text: str) -> bytes:
    """subjectKeyIdentifier: `hash` (SHA-1 of the key's bits), `none` (empty) or hexadecimal."""
    if text == "none":
        return der.octet_string(b"")
    if text != "hash":
        return der.octet_string(hex_octets(text))
    if context.only_tests():
        return der.octet_string(b"")
    if context.key_identifier is None:
        raise InputError("no public key")
    return der.octet_string(context.key_identifier)


def authority_key_identifier_item(context: ExtensionContext, values: Sequence[Value]) -> bytes:
    """authorityKeyIdentifier: `keyid[:always]`, `issuer[:always]` or `none` (v2i_AUTHORITY_KEYID).

    Raises InputError for another option, and if the issuer or a required identifier is absent.
    """
    if [value.name for value in values] == ["none"]:
        return der.sequence()
    asked: dict[str, bool] = {}
    for value in values:
        if value.name not in ("keyid", "issuer"):
            raise InputError(f"unknown option: {value.name}")
        asked[value.name] = value.text == "always"
    if context.only_tests():
        return der.sequence()
    issuer = context.issuer
    if issuer is None:
        raise InputError("no issuer certificate")
    identifier = None
    # A certificate that is signed with its own key names the key only if "always" is set.
    if asked.get("keyid", False) or ("keyid" in asked and not issuer.own):
        identifier = issuer.key_identifier
        if identifier is None:
            identifier = issuer.fallback_identifier
        if (asked["keyid"] or "issuer" not in asked) and len(identifier or b"") <= _NO_IDENTIFIER:
            raise InputError("unable to get issuer keyid")
    fields = [] if identifier is None else [der.tlv(0x80, identifier)]
    if asked.get("issuer", False) or ("issuer" in asked and identifier is None):
        fields += [der.tlv(0xA1, der.tlv(0xA4, issuer.issuer)),
                   der.tlv(0x82, der.content_of(der.integer(issuer.serial_number)))]
    return der.sequence(*fields)


def _bits(names: Sequence[tuple[str, str]]) -> Callable[[Sequence[Value], ExtensionContext], bytes]:
    numbers = {word: number for number, row in enumerate(names) for word in row}

    def item(values: Sequence[Value], _: ExtensionContext) -> bytes:
        for value in values:
            if value.name not in numbers:
                raise InputError(f"unknown bit string argument: name={value.name}")
        return der.named_bits(numbers[value.name] for value in values)
    return item


def _basic_constraints(values: Sequence[Value], _: ExtensionContext) -> bytes:
    is_ca, path_length = False, None
    for value in values:
        if value.name == "CA":
            is_ca = truth(value)
        elif value.name == "pathlen":
            path_length = number(value.text)
        else:
            raise InputError(f"invalid name: {value.name}")
    return der.sequence(*([der.boolean(True)] if is_ca else []),
                        *([der.integer(path_length)] if path_length is not None else []))


def _extended_key_usage(values: Sequence[Value], context: ExtensionContext) -> bytes:
    return der.sequence(*(der.oid(context.object_oid(value.text or value.name))
                          for value in values))


def _information_access(values: Sequence[Value], context: ExtensionContext) -> bytes:
    items = []
    for value in values:
        method, semicolon, kind = value.name.partition(";")
        if not semicolon:
            raise InputError(f"invalid syntax: {value.name} is not METHOD;TYPE:VALUE")
        items.append(
            der.sequence(der.oid(context.object_oid(method)),
                         general_name(Value(kind, value.text), context)))
    return der.sequence(*items)


def _name_constraints(values: Sequence[Value], context: ExtensionContext) -> bytes:
    trees: dict[str, list[bytes]] = {"permitted": [], "excluded": []}
    for value in values:
        side, _, kind = value.name.partition(";")
        if side not in trees or not kind:
            raise InputError(f"invalid syntax: {value.name} is not permitted;TYPE or excluded;TYPE")
        trees[side].append(
            der.sequence(general_name(Value(kind, value.text), context, constraint=True)))
    return der.sequence(*(der.tlv(0xA0 + place, *tree)
                          for place, tree in enumerate(trees.values())
                          if tree))


def _point_name(value: Value, context: ExtensionContext) -> bytes | None:
    """The fullname or relativename of a distribution point, tagged; None for another setting."""
    if value.name == "fullname":
        return der.tlv(0xA0, *general_names(list_values(value.text or "", context.config), context))
    if value.name == "relativename":
        rdn = policies.relative_name(value.text or "", context)
        return der.tlv(0xA1, der.content_of(rdn))
    return None


def _distribution_points(values: Sequence[Value], context: ExtensionContext) -> bytes:
    return der.sequence(*(_distribution_point(value, context) for value in values))


def _distribution_point(value: Value, context: ExtensionContext) -> bytes:
    if value.text is not None:
        return der.sequence(der.tlv(0xA0, der.tlv(0xA0, general_name(value, context))))
    name = reasons = issuer = b""
    for setting in context.section(value.name):
        value = Value(setting.key, setting.value)
        if (found := _point_name(value, context)) is not None:
            if name:
                raise InputError("distpoint already set")
            name = der.tlv(0xA0, found)
        elif value.name == "reasons":
            reasons = _reasons(value, 0x81, context)
        elif value.name == "CRLissuer":
            names = general_names(list_values(setting.value, context.config), context)
            issuer = der.tlv(0xA2, *names)
    return der.sequence(name, reasons, issuer)


def _reasons(value: Value, tag: int, context: ExtensionContext) -> bytes:
    item = _bits(REVOCATION_REASONS)(list_values(value.text or "", context.config), context)
    return der.tlv(tag, der.content_of(item))


def _issuing_distribution_point(values: Sequence[Value], context: ExtensionContext) -> bytes:
    fields: dict[int, bytes] = {}
    flags = {"onlyuser": 1, "onlyCA": 2, "indirectCRL": 4, "onlyAA": 5}
    for value in values:
        if (found := _point_name(value, context)) is not None:
            if 0 in fields:
                raise InputError("distpoint already set")
            fields[0] = der.tlv(0xA0, found)
        elif value.name in flags:
            place = flags[value.name]
            fields[place] = der.tlv(0x80 + place, b"\xff") if truth(value) else b""
        elif value.name == "onlysomereasons":
            if 3 in fields:
                raise InputError("reasons already set")
            fields[3] = _reasons(value, 0x83, context)
        else:
            raise InputError(f"invalid name: {value.name}")
    return der.sequence(*(fields[place] for place in sorted(fields)))


def _tls_feature(values: Sequence[Value], _: ExtensionContext) -> bytes:
    items = []
    for value in values:
        word = value.text or value.name
        feature = TLS_FEATURES.get(word, -1)
        if feature < 0 and word.isascii() and word.isdigit():
            feature = int(word)
        if not 0 <= feature <= 65535:
            raise InputError(f"invalid syntax: {word} is no TLS feature")
        items.append(der.integer(feature))
    return der.sequence(*items)


def _listed(make: Callable[[Sequence[Value], ExtensionContext], bytes],
            ) -> Callable[[str, ExtensionContext], bytes]:
    return lambda text, context: make(list_values(text, context.lists or context.config), context)


def _ia5(text: str, _: ExtensionContext) -> bytes:
    return der.tlv(der.IA5, text.encode("utf-8", "surrogateescape"))


# Short name → the function that makes the extension's DER from the text of its value; the order is
# that of OpenSSL's standard_exts.
EXTENSION_MAKERS: dict[str, Callable[[str, ExtensionContext], bytes]] = {
    "nsCertType": _listed(_bits(NETSCAPE_TYPES)),
    "nsBaseUrl": _ia5, "nsRevocationUrl": _ia5, "nsCaRevocationUrl": _ia5, "nsRenewalUrl": _ia5,
    "nsCaPolicyUrl": _ia5, "nsSslServerName": _ia5, "nsComment": _ia5,
    "subjectKeyIdentifier": lambda text, context: key_identifier_item(context, text),
    "keyUsage": _listed(_bits(KEY_USAGES)),
    "subjectAltName": _listed(subject_alternative_names),
    "issuerAltName": _listed(issuer_alternative_names),
    "basicConstraints": _listed(_basic_constraints),
    "certificatePolicies": policies.certificate_policies,
    "authorityKeyIdentifier": _listed(
        lambda values, context: authority_key_identifier_item(context, values)),
    "crlDistributionPoints": _listed(_distribution_points),
    "freshestCRL": _listed(_distribution_points),
    "extendedKeyUsage": _listed(_extended_key_usage),
    "authorityInfoAccess": _listed(_information_access),
    "subjectInfoAccess": _listed(_information_access),
    "noCheck": lambda _text, _context: der.NULL_ITEM,
    "policyConstraints": _listed(policies.policy_constraints),
    "proxyCertInfo": policies.proxy_certificate_information,
    "nameConstraints": _listed(_name_constraints),
    "policyMappings": _listed(policies.policy_mappings),
    "inhibitAnyPolicy": lambda text, _context: der.integer(number(text)),
    "issuingDistributionPoint": _listed(_issuing_distribution_point),
    "tlsfeature": _listed(_tls_feature),
    "ct_precert_poison": lambda _text, _context: der.NULL_ITEM,
    "subjectSignTool": lambda text, _context: utf8_item(text),
}
_ONLY_READ = ("crlNumber", "deltaCRL", "CRLReason", "invalidityDate", "ct_precert_scts",
              "ct_cert_scts", "Nonce", "CrlID", "acceptableResponses", "archiveCutoff",
              "serviceLocator")
_NOT_WRITTEN = ("SXNetID", "sbgp-ipAddrBlock", "sbgp-autonomousSysNum")
