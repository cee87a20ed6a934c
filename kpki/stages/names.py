"""Distinguished names: `-subj` text, a configuration section or a dialogue → a Name, and a Name → DER and text."""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError, about
from . import der, objects
from .strings import StringOptions, attribute_string

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from .config import Setting


@dataclass(frozen=True)
class Attribute:
    """One attribute of a name: dotted *oid*, the *tag* of its string type, its content octets (RFC 5280 §4.1.2.4)."""

    oid: str
    tag: int
    octets: bytes

    @property
    def text(self) -> str:
        """The value as text; octets that its type cannot hold are shown as Latin-1."""
        try:
            return self.octets.decode({der.BMP: "utf-16-be", der.UNIVERSAL: "utf-32-be", der.UTF8: "utf-8"}[self.tag])
        except (KeyError, UnicodeDecodeError):
            return self.octets.decode("latin-1")


@dataclass(frozen=True)
class Name:
    """A distinguished name: its RDNs in order, each one attribute or several (`+`)."""

    rdns: tuple[tuple[Attribute, ...], ...] = ()

    def __repr__(self) -> str:
        return f"Name({self.rfc4514()!r})"

    def rfc4514(self) -> str:
        """The name as RFC 4514 writes names: the last RDN first, `CN=system:node:worker-1,O=system:nodes`."""
        return ",".join("+".join(f"{_kind(one.oid)}={_escaped(one.text)}" for one in rdn)
                        for rdn in reversed(self.rdns))

    def dump(self) -> bytes:
        """The Name in DER."""
        return der.sequence(*(
            der.set_of(der.sequence(der.oid(one.oid), der.tlv(one.tag, one.octets)) for one in rdn)
            for rdn in self.rdns))

    def attributes(self, oid: str) -> tuple[Attribute, ...]:
        """The attributes of that OID, in order."""
        return tuple(one for rdn in self.rdns for one in rdn if one.oid == oid)

    def without(self, oid: str) -> Name:
        """Internal: the same name with no attribute of that OID."""
        kept = (tuple(one for one in rdn if one.oid != oid) for rdn in self.rdns)
        return Name(tuple(rdn for rdn in kept if rdn))


# RFC 4514, section 3: the types that have a name there; any other is its OID.
_KINDS = {"2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C",
          "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID"}
_SPECIAL = re.compile(r'[,+"\\<>;]|^[ #]| $|[\x00-\x1f\x7f]')


def _kind(oid: str) -> str:
    return _KINDS.get(oid, oid)


def _escaped(text: str) -> str:
    """A value with the escapes of RFC 4514, section 2.4; a control character as its hexadecimal octet."""
    return _SPECIAL.sub(lambda found: "\\" + (found[0] if found[0] >= " " and found[0] != "\x7f"
                                              else f"{ord(found[0]):02X}"), text)


def load_name(data: bytes) -> Name:
    """A Name from its DER; InputError where it is none."""
    rdns = []
    for rdn in der.items(der.content_of(data)):
        pairs = (der.items(der.content_of(one)) for one in der.items(der.content_of(rdn)))
        rdns.append(tuple(Attribute(der.oid_text(kind), der.tag_of(value), der.content_of(value))
                          for kind, value in pairs))
    return Name(tuple(rdns))


def subject_name(value: Certificate | CertificateSigningRequest) -> Name:
    """The subject of a certificate or a request; InputError where it is no Name.

    Read here and not by cryptography, which refuses strings that OpenSSL shows (a T61String in Latin-1).
    """
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import Certificate
    data = value.public_bytes(Encoding.DER)
    fields = der.certificate_fields(data) if isinstance(value, Certificate) else der.request_fields(data)
    return load_name(der.whole(fields.subject))


def attribute(oid: str, text: str, options: StringOptions) -> Attribute:
    """The attribute *oid* with *text* in the string type that openssl gives it; InputError where it does not fit."""
    return Attribute(oid, *attribute_string(oid, text, options))


def name_of(pairs: Iterable[tuple[str, str]], options: StringOptions = StringOptions()) -> Name:
    """A name from (short name, text) pairs, one RDN each: what `/CN=…/O=…` says, without its syntax."""
    return grouped((False, attribute(_oid(kind), text, options)) for kind, text in pairs)


def parse_subject(text: str, options: StringOptions = StringOptions(), *, warnings: list[str] | None = None) -> Name:
    """A name from the text of `-subj`: `/type=value`, `+` joins into one RDN, `\\` takes the next character as it is.

    A type that is not known or an empty value raises InputError. With a list of *warnings* such an attribute is left
    out, as openssl does, and a line is added to the list. Raises InputError also for text that does not start with `/`
    or lacks an `=`.

    >>> kpki.parse_subject("/O=system:nodes/CN=system:node:worker-1")
    Name('CN=system:node:worker-1,O=system:nodes')
    """
    if not text.startswith("/"):
        raise InputError("subject name is expected to be in the format /type0=value0/type1=value1/type2=... where "
                         f"characters may be escaped by \\. This name is not in that format: '{text}'")
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
                raise InputError(f"subject name attribute {kind!r} " + ("has no value" if oid else "is unknown"),
                                 hint="as in /O=system:nodes/CN=system:node:worker-1, or a dotted OID")
            warnings.append(f'No value provided for subject name attribute "{kind}", skipped' if oid else
                            f'Skipping unknown subject name attribute "{kind}"')
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


def section_name(settings: Sequence[Setting], options: StringOptions = StringOptions()) -> Name:
    """A name from a configuration section whose values are meant (`prompt = no`, or a dirName section).

    Raises InputError naming the line of a type or value that openssl refuses.
    """
    from .config import blamed
    joined = []
    for setting in settings:
        joins, kind = attribute_type(setting.key)
        oid = options.find_oid(kind)
        with blamed(setting):
            if oid is None:
                raise InputError(f"invalid field name: name={kind}")
            joined.append((joins, attribute(oid, setting.value, options)))
    return grouped(joined)


def attribute_type(key: str) -> tuple[bool, str]:
    """Whether a section's key joins the RDN before it (`+`), and its type without a leading `N.`, `N,` or `N:`."""
    for at, character in enumerate(key):
        if character in ".,:":
            key = key[at + 1:] or key
            break
    return key.startswith("+"), key.removeprefix("+")


def grouped(joined: Iterable[tuple[bool, Attribute]]) -> Name:
    """A name from (joins the RDN before it, attribute) pairs."""
    rdns: list[tuple[Attribute, ...]] = []
    for joins, one in joined:
        if joins and rdns:
            rdns[-1] += (one,)
        else:
            rdns.append((one,))
    return Name(tuple(rdns))


def _oid(kind: str) -> str:
    oid = objects.find_oid(kind)
    if oid is None:
        raise InputError(f"unknown name attribute {kind!r}")
    return oid
