"""Extensions as openssl prints them (`-text`, `-ext`), by a table of functions.

An extension that has no row, or that its row cannot read, is shown by its octets. The others are
not affected.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .general_name import general_name_text, printed_general_name
from .name import flagged_name_text, name_flags
from .value import address_text, content, integer_text, object_text, printable, raw_text, time_text
from .. import der
from ..extensions.identifiers import KEY_USAGES, NETSCAPE_TYPES, REVOCATION_REASONS, TLS_FEATURES
from ..names import load_name
from ..records import Extension
from ...errors import InputError

ShowValue = Callable[[bytes, int], str]

_CPS, _USER_NOTICE = "1.3.6.1.5.5.7.2.1", "1.3.6.1.5.5.7.2.2"
_IP = 0x87
_EMPTY = "<EMPTY>\n"
WAYS_OF_UNKNOWN = ("default", "error", "dump")


def extensions_text(extensions: Iterable[Extension], *, title: str = "", indent: int = 0,
                    unknown: str = "default") -> str:
    """Extensions with name, criticality and value, under *title* (X509V3_extensions_print).

    *indent* counts spaces. *unknown* says how an extension is shown that no row can read: default
    (its octets as characters), error or dump (`-certopt ext_error`, `ext_dump`). Without extensions
    the text is empty.
    """
    inner = indent + 4 * bool(title)
    shown = [extension_text(extension, inner, unknown) for extension in extensions]
    return (f"{' ' * indent}{title}:\n" if title and shown else "") + "".join(shown)


def extension_text(extension: Extension, indent: int = 0, unknown: str = "default") -> str:
    """One extension: a line with its name and `critical`, then its value."""
    critical = "critical" if extension.critical else ""
    return (f"{' ' * indent}{object_text(extension.oid)}: {critical}\n"
            f"{value_text(extension, indent + 4, unknown)}\n")


def value_text(extension: Extension, indent: int, unknown: str = "default") -> str:
    """The value of one extension, without the last line end (X509V3_EXT_print).

    *indent* counts spaces. *unknown* is that of `extensions_text`.
    """
    if extension.oid in _KINDS:
        try:
            return _KINDS[extension.oid](extension.value, indent)
        # An InputError is a ValueError; an absent part is a LookupError.
        except (ValueError, LookupError):
            pass
    if unknown == "error":
        return " " * indent + ("<Parse Error>" if extension.oid in _KINDS else "<Not Supported>")
    if unknown == "dump":
        return dump(extension.value, indent)
    return " " * indent + printable(extension.value)


def dump(octets: bytes, indent: int) -> str:
    """Octets in hexadecimal and as characters, sixteen a line at most (BIO_dump_indent)."""
    width = 16 - max(0, (min(indent, 64) - 3) // 4)
    lines = []
    for at in range(0, len(octets), width):
        row = octets[at:at + width]
        digits = "".join(f"{octet:02x}{'-' if column == 7 else ' '}"
                         for column, octet in enumerate(row))
        characters = "".join(chr(octet) if 32 <= octet <= 126 else "." for octet in row)
        lines.append(f"{' ' * indent}{at:04x} - {digits:<{3 * width}}  {characters}\n")
    return "".join(lines)


def _inside(item: bytes, tag: int = der.SEQUENCE) -> Sequence[bytes]:
    return der.items(content(item, tag))


def _identifier(octets: bytes) -> str:
    return octets.hex(":").upper()


def _listed(texts: Callable[[bytes], Sequence[str]], *, joint: str = ", ",
            empty: str = "") -> ShowValue:
    """A row with several values, or *empty*.

    A value with a zero octet is shown by its octets alone.
    """
    def shown(value: bytes, indent: int) -> str:
        text = (joint + " " * indent if joint == "\n" else joint).join(texts(value)) or empty
        return " " * indent + (text if text and "\0" not in text else printable(value))
    return shown


def _lined(texts: Callable[[bytes], Sequence[str]]) -> ShowValue:
    return _listed(texts, joint="\n", empty=_EMPTY)


def _plain(text: Callable[[bytes], str]) -> ShowValue:
    return lambda value, indent: " " * indent + text(value)


def _bit_names(names: Sequence[tuple[str, str]],
               tag: int = der.BIT_STRING) -> Callable[[bytes], list[str]]:
    def texts(value: bytes) -> list[str]:
        bits = content(value, tag)[1:]
        return [long for number, (_, long) in enumerate(names)
                if number // 8 < len(bits) and bits[number // 8] & 0x80 >> number % 8]
    return texts


def _general_names(value: bytes) -> list[str]:
    return [general_name_text(item) for item in _inside(value)]


def _basic_constraints(value: bytes) -> list[str]:
    items = list(_inside(value))
    is_ca = bool(items) and der.tag_of(items[0]) == der.BOOLEAN \
        and any(der.content_of(items.pop(0)))
    return [f"CA:{str(is_ca).upper()}", *(f"pathlen:{integer_text(item)}" for item in items)]


def _authority_key_identifier(value: bytes) -> list[str]:
    fields = {der.tag_of(item): item for item in _inside(value)}
    if fields.keys() - {0x80, 0xA1, 0x82}:
        raise InputError("no part of an authority key identifier")
    texts = []
    if 0x80 in fields:
        # OpenSSL prints no `keyid:` before an identifier that stands alone.
        texts.append(("keyid:" if len(fields) > 1 else "")
                     + _identifier(der.content_of(fields[0x80])))
    if 0xA1 in fields:
        texts += [general_name_text(item) for item in _inside(fields[0xA1], 0xA1)]
    if 0x82 in fields:
        texts.append(f"serial:{_identifier(_magnitude(der.content_of(fields[0x82])))}")
    return texts


def _magnitude(octets: bytes) -> bytes:
    number = abs(int.from_bytes(octets, "big", signed=True))
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def _information_access(value: bytes) -> list[str]:
    pairs = (_inside(item) for item in _inside(value))
    return [f"{object_text(der.oid_text(method))} - {general_name_text(name)}"
            for method, name in pairs]


def _policies(value: bytes, indent: int) -> str:
    texts = []
    for item in _inside(value):
        policy, *qualifiers = _inside(item)
        text = f"{' ' * indent}Policy: {object_text(der.oid_text(policy))}"
        if qualifiers:
            text += "\n" + qualifiers_text(_inside(qualifiers[0]), indent + 2)
        texts.append(text)
    return "\n".join(texts)


def qualifiers_text(qualifiers: Iterable[bytes], indent: int) -> str:
    """The qualifiers of a certificate policy (DER, RFC 5280 §4.2.1.4), each on its own lines."""
    return "\n".join(_qualifier(qualifier, indent) for qualifier in qualifiers)


def _qualifier(item: bytes, indent: int) -> str:
    kind, value = _inside(item)
    oid = der.oid_text(kind)
    if oid == _CPS:
        return f"{' ' * indent}CPS: {raw_text(content(value, der.IA5))}"
    if oid == _USER_NOTICE:
        return f"{' ' * indent}User Notice:\n" + "\n".join(_notice(_inside(value), indent + 2))
    return f"{' ' * (indent + 2)}Unknown Qualifier: {object_text(oid)}"


def _notice(items: Sequence[bytes], indent: int) -> list[str]:
    lines = []
    for item in items:
        if der.tag_of(item) == der.SEQUENCE:
            organization, numbers = _inside(item)
            texts = [integer_text(number) for number in _inside(numbers)]
            lines += [f"{' ' * indent}Organization: {raw_text(der.content_of(organization))}",
                      f"{' ' * indent}Number{'s' if len(texts) > 1 else ''}: {', '.join(texts)}"]
        else:
            lines.append(f"{' ' * indent}Explicit Text: {raw_text(der.content_of(item))}")
    return lines


def _distribution_points(value: bytes, indent: int) -> str:
    return "\n".join(_distribution_point(_inside(item), indent) for item in _inside(value))


def _distribution_point(items: Sequence[bytes], indent: int) -> str:
    text = ""
    for item in items:
        tag = der.tag_of(item)
        if tag == 0xA0:
            text += _point_name(item, indent)
        elif tag == 0x81:
            text += _reasons("Reasons", item, indent)
        elif tag == 0xA2:
            text += f"{' ' * indent}CRL Issuer:\n{_name_lines(item, indent)}"
        else:
            raise InputError("no part of a distribution point")
    return text


def _point_name(item: bytes, indent: int) -> str:
    name, = der.items(der.content_of(item))
    if der.tag_of(name) == 0xA0:
        return f"{' ' * indent}Full Name:\n{_name_lines(name, indent)}"
    relative = load_name(der.sequence(der.tlv(der.SET, content(name, 0xA1))))
    text = flagged_name_text(relative, name_flags())
    return f"{' ' * indent}Relative Name:\n{' ' * (indent + 2)}{text}\n"


def _name_lines(item: bytes, indent: int) -> str:
    return "\n".join(" " * (indent + 2) + printed_general_name(item)
                     for item in der.items(der.content_of(item)))


def _reasons(title: str, item: bytes, indent: int) -> str:
    texts = _bit_names(REVOCATION_REASONS, der.tag_of(item))(item)
    return f"{' ' * indent}{title}:\n{' ' * (indent + 2)}{', '.join(texts) or _EMPTY}\n"


def _issuing_distribution_point(value: bytes, indent: int) -> str:
    flags = {0x81: "Only User Certificates", 0x82: "Only CA Certificates", 0x84: "Indirect CRL",
             0x85: "Only Attribute Certificates"}
    text = ""
    for item in _inside(value):
        tag = der.tag_of(item)
        if tag == 0xA0:
            text += _point_name(item, indent)
        elif tag == 0x83:
            text += _reasons("Only Some Reasons", item, indent)
        elif any(der.content_of(item)):
            text += f"{' ' * indent}{flags.get(tag, 'unknown')}\n"
    return text or " " * indent + _EMPTY


def _name_constraints(value: bytes, indent: int) -> str:
    texts = []
    for item in _inside(value):
        title = {0xA0: "Permitted", 0xA1: "Excluded"}[der.tag_of(item)]
        trees = [_constraint(_inside(tree)[0]) for tree in der.items(der.content_of(item))]
        lines = "\n".join(" " * (indent + 2) + tree for tree in trees)
        texts.append(f"{' ' * indent}{title}:\n{lines}")
    return "\n".join(texts)


def _constraint(item: bytes) -> str:
    octets = der.content_of(item)
    if der.tag_of(item) != _IP:
        return printed_general_name(item)
    if len(octets) in (8, 32):
        half = len(octets) // 2
        return f"IP:{address_text(octets[:half])}/{address_text(octets[half:])}"
    return f"IP:{address_text(octets)}/{address_text(b'')}"


def _policy_constraints(value: bytes) -> list[str]:
    titles = {0x80: "Require Explicit Policy", 0x81: "Inhibit Policy Mapping"}
    return [f"{titles[der.tag_of(item)]}:{integer_text(item, der.tag_of(item))}"
            for item in _inside(value)]


def _policy_mappings(value: bytes) -> list[str]:
    pairs = (_inside(item) for item in _inside(value))
    return [f"{object_text(der.oid_text(issuer))}:{object_text(der.oid_text(subject))}"
            for issuer, subject in pairs]


def _tls_features(value: bytes) -> list[str]:
    names = {str(number): name for name, number in TLS_FEATURES.items()}
    return [names.get(text, text) for text in map(integer_text, _inside(value))]


def _proxy_information(value: bytes, indent: int) -> str:
    *length, policy = _inside(value)
    language, *policies = _inside(policy)
    limit = f"{int(integer_text(length[0])):02X}" if length else "infinite"
    text = f"{' ' * indent}Path Length Constraint: {limit}\n" \
           f"{' ' * indent}Policy Language: {object_text(der.oid_text(language))}"
    texts = (raw_text(content(item, der.OCTET_STRING)) for item in policies)
    return text + "".join(f"\n{' ' * indent}Policy Text: {policy_text}" for policy_text in texts)


def _usage_period(value: bytes) -> list[str]:
    titles = {0x80: "Not Before", 0x81: "Not After"}
    return [f"{titles[der.tag_of(item)]}: "
            f"{time_text(der.tlv(der.GENERALIZED_TIME, der.content_of(item)))}"
            for item in _inside(value)]


def _reason(value: bytes) -> str:
    """A CRLReason (RFC 5280 §5.3.1).

    Its numbers are those of distribution points, but for 0, and for 8, which is inserted.
    """
    names = [long for _, long in REVOCATION_REASONS]
    text = integer_text(value, der.ENUMERATED)
    reasons = ("Unspecified", *names[1:7], text, "Remove From CRL", *names[7:])
    return dict(enumerate(reasons)).get(int(text), text)


_ia5 = _plain(lambda value: raw_text(content(value, der.IA5)))

# OID → the function that shows the extension's DER, given the indent; the order is that of
# OpenSSL's standard_exts.
_KINDS: dict[str, ShowValue] = {
    "2.16.840.1.113730.1.1": _listed(_bit_names(NETSCAPE_TYPES)),
    **{f"2.16.840.1.113730.1.{number}": _ia5 for number in (2, 3, 4, 7, 8, 12, 13)},
    "2.5.29.14": _plain(lambda value: _identifier(content(value, der.OCTET_STRING))),
    "2.5.29.15": _listed(_bit_names(KEY_USAGES)),
    "2.5.29.17": _listed(_general_names, empty=_EMPTY),
    "2.5.29.18": _listed(_general_names, empty=_EMPTY),
    "2.5.29.19": _listed(_basic_constraints),
    "2.5.29.20": _plain(integer_text),
    "2.5.29.32": _policies,
    "2.5.29.35": _listed(_authority_key_identifier, joint="\n"),
    "2.5.29.31": _distribution_points,
    "2.5.29.46": _distribution_points,
    "2.5.29.37": _listed(lambda value: [object_text(der.oid_text(use)) for use in _inside(value)]),
    "1.3.6.1.5.5.7.1.1": _lined(_information_access),
    "1.3.6.1.5.5.7.1.11": _lined(_information_access),
    "1.3.6.1.5.5.7.48.1.5": lambda _value, _indent: "",
    "2.5.29.36": _listed(_policy_constraints),
    "1.3.6.1.5.5.7.1.14": _proxy_information,
    "2.5.29.30": _name_constraints,
    "2.5.29.33": _listed(_policy_mappings),
    "2.5.29.54": _plain(integer_text),
    "2.5.29.28": _issuing_distribution_point,
    "1.3.6.1.5.5.7.1.24": _listed(_tls_features),
    "2.5.29.16": _listed(_usage_period),
    "2.5.29.21": _plain(_reason),
    "2.5.29.24": _plain(time_text),
    "1.3.6.1.4.1.11129.2.4.3": _plain(lambda _value: "NULL"),
    "1.2.643.100.111": _plain(lambda value: raw_text(content(value, der.UTF8))),
}
