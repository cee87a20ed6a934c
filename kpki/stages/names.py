"""Distinguished names: `-subj` text, a section or a dialogue → a Name → DER and text."""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import der, objects, records
from .strings import StringOptions, attribute_string
from ..errors import InputError, about

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from .config import Setting


_DEFAULTS = StringOptions()
_CODECS = {der.BMP: "utf-16-be", der.UNIVERSAL: "utf-32-be", der.UTF8: "utf-8"}


class Attribute(NamedTuple):
    """One attribute of a name (RFC 5280 §4.1.2.4).

    >>> attribute, = kpki.parse_subject("/CN=worker-1").attributes("2.5.4.3")
    >>> attribute.text, attribute.tag
    ('worker-1', 12)
    """

    oid: str
    """The dotted object identifier of the attribute's type."""
    tag: int
    """The tag of the string type: 12 is UTF8String, 19 is PrintableString."""
    octets: bytes
    """The content octets of the string."""

    @property
    def text(self) -> str:
        """The value as text; octets that the string type forbids are read as Latin-1."""
        try:
            return self.octets.decode(_CODECS[self.tag])
        except (KeyError, UnicodeDecodeError):
            return self.octets.decode("latin-1")


class Name(NamedTuple):
    """A distinguished name.

    >>> name = kpki.parse_subject("/O=system:nodes/CN=system:node:worker-1")
    >>> name.rfc4514(), len(name.rdns)
    ('CN=system:node:worker-1,O=system:nodes', 2)
    """

    rdns: tuple[tuple[Attribute, ...], ...] = ()
    """The relative distinguished names in order; each has one attribute, or several (`+`)."""

    def __repr__(self) -> str:
        return f"Name({self.rfc4514()!r})"

    def rfc4514(self) -> str:
        """The name in the form of RFC 4514, the last RDN first: `CN=worker-1,O=system:nodes`."""
        return ",".join("+".join(f"{_kind(attribute.oid)}={_escaped(attribute.text)}"
                                 for attribute in rdn) for rdn in reversed(self.rdns))

    def dump(self) -> bytes:
        """The name in DER."""
        return der.sequence(*[
            der.set_of([der.sequence(der.oid(part.oid), der.tlv(part.tag, part.octets))
                        for part in rdn]) for rdn in self.rdns])

    def attributes(self, oid: str) -> tuple[Attribute, ...]:
        """The attributes of the type *oid* (dotted), in order."""
        return tuple(attribute for rdn in self.rdns for attribute in rdn if attribute.oid == oid)

    def without(self, oid: str) -> Name:
        """Internal: the same name without the attributes of the type *oid*."""
        rdns = (tuple(attribute for attribute in rdn if attribute.oid != oid) for rdn in self.rdns)
        return Name(tuple(rdn for rdn in rdns if rdn))


# RFC 4514, section 3: the types that have a short name; any other type is written as its OID.
_KINDS = {
    "2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
    "2.5.4.6": "C", "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID"}
_SPECIAL = re.compile(r'[,+"\\<>;]|^[ #]| $|[\x00-\x1f\x7f]')


def _kind(oid: str) -> str:
    return _KINDS.get(oid, oid)


def _escaped(text: str) -> str:
    """A value with the escapes of RFC 4514, section 2.4.

    A control character becomes its octet in hexadecimal.
    """
    def escape(match: re.Match[str]) -> str:
        character = match[0]
        printable = character >= " " and character != "\x7f"
        return "\\" + (character if printable else f"{ord(character):02X}")

    return _SPECIAL.sub(escape, text)


def load_name(data: bytes) -> Name:
    """A Name from its DER. Raises InputError if *data* is not a Name."""
    rdns = []
    for rdn in der.items(der.content_of(data)):
        pairs = (der.items(der.content_of(item)) for item in der.items(der.content_of(rdn)))
        rdns.append(tuple(Attribute(der.oid_text(kind), der.tag_of(value), der.content_of(value))
                          for kind, value in pairs))
    return Name(tuple(rdns))


def subject_name(value: Certificate | CertificateSigningRequest) -> Name:
    """The subject of a certificate or a request. Raises InputError if the subject is not a Name.

    This module decodes the subject, for cryptography refuses strings that OpenSSL shows (a
    T61String in Latin-1).
    """
    from cryptography.x509 import Certificate
    fields = records.certificate_fields(value) if isinstance(value, Certificate) \
        else records.request_fields(value)
    return load_name(fields.subject)


def attribute(oid: str, text: str, options: StringOptions) -> Attribute:
    """The attribute *oid* with *text* in the string type that openssl chooses.

    Raises InputError if the attribute does not allow *text*.
    """
    return Attribute(oid, *attribute_string(oid, text, options))


def name_of(pairs: Iterable[tuple[str, str]], options: StringOptions = _DEFAULTS) -> Name:
    """A name from (short name, text) pairs, one RDN each: `/CN=…/O=…` without its syntax."""
    return grouped((False, attribute(_oid(kind), text, options)) for kind, text in pairs)


def parse_subject(text: str, options: StringOptions = _DEFAULTS, *,
                  warnings: list[str] | None = None) -> Name:
    """A name from the text of `-subj`: `/type=value`, and `+` between attributes of one RDN.

    A backslash escapes the next character. Raises InputError for text that does not start with `/`
    or lacks an `=`, for an unknown type and for an empty value. With a list *warnings* an unknown
    type or an empty value is no error. The attribute is left out, as openssl does, and the list
    gets a line.

    >>> kpki.parse_subject("/O=system:nodes/CN=system:node:worker-1")
    Name('CN=system:node:worker-1,O=system:nodes')
    """
    if not text.startswith("/"):
        raise InputError(
            "subject name is expected to be in the format /type0=value0/type1=value1/type2=... "
            f"where characters may be escaped by \\. This name is not in that format: '{text}'")
    joined: list[tuple[bool, Attribute]] = []
    at, joins = 1, False
    while at < len(text):
        kind, equals, _ = text[at:].partition("=")
        if not equals:
            raise InputError(f"missing '=' after RDN type string '{kind}' in subject name string")
        value, at = _subject_value(text, at + len(kind) + 1)
        separator, at = text[at:at + 1], at + 1
        oid = options.names.get(kind) or objects.find_known_oid(kind)
        if oid is None or not value:
            if warnings is None:
                raise InputError(
                    f"subject name attribute {kind!r} " + ("has no value" if oid else "is unknown"),
                    hint="write /O=system:nodes/CN=system:node:worker-1, or a dotted OID")
            warnings.append(f'No value provided for subject name attribute "{kind}", skipped'
                            if oid else f'Skipping unknown subject name attribute "{kind}"')
        else:
            with about(f"subject name attribute {kind}"):
                joined.append((joins, attribute(oid, value, options)))
        joins = separator == "+"
    return grouped(joined)


def _subject_value(text: str, at: int) -> tuple[str, int]:
    out = []
    while at < len(text) and text[at] not in "/+":
        if text[at] == "\\":
            at += 1
            if at == len(text):
                raise InputError("escape character at end of subject name string")
        out.append(text[at])
        at += 1
    return "".join(out), at


def section_name(settings: Sequence[Setting], options: StringOptions = _DEFAULTS) -> Name:
    """A name from a section that holds values, not questions (`prompt = no`, or a dirName section).

    Raises InputError, with the line, for a type or value that openssl refuses.
    """
    from .config import located
    joined = []
    for setting in settings:
        joins, kind = attribute_type(setting.key)
        oid = options.find_oid(kind)
        with located(setting):
            if oid is None:
                raise InputError(f"invalid field name: name={kind}")
            joined.append((joins, attribute(oid, setting.value, options)))
    return grouped(joined)


def attribute_type(key: str) -> tuple[bool, str]:
    """Whether a section's key joins the RDN before it (`+`), and the key's type.

    A leading `N.`, `N,` or `N:` is no part of the type.
    """
    for at, character in enumerate(key):
        if character in ".,:":
            key = key[at + 1:] or key
            break
    return key.startswith("+"), key.removeprefix("+")


def grouped(joined: Iterable[tuple[bool, Attribute]]) -> Name:
    """A name from pairs: whether an attribute joins the RDN before it, and the attribute."""
    rdns: list[tuple[Attribute, ...]] = []
    for joins, part in joined:
        if joins and rdns:
            rdns[-1] += (part,)
        else:
            rdns.append((part,))
    return Name(tuple(rdns))


def _oid(kind: str) -> str:
    oid = objects.find_oid(kind)
    if oid is None:
        raise InputError(f"unknown name attribute {kind!r}")
    return oid
