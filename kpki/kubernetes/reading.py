"""Facts of a certificate, as Kubernetes reads them: subject, names, usages, the right to sign."""
from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from .go.certificate import parse
from .go.der import GoError
from .go.keys import validate_key
from ..stages import der, keys, records, signatures
from ..stages.extensions.identifiers import (
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_ALTERNATIVE_NAME,
)
from ..stages.names import Name, load_name

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"
_DNS, _IP = 0x82, 0x87
_ANY_USAGE = "2.5.29.37.0"
USAGE_OIDS = {"serverAuth": "1.3.6.1.5.5.7.3.1", "clientAuth": "1.3.6.1.5.5.7.3.2"}
_CERT_SIGN_BIT = 5
_KEY_IDENTIFIER = 0x80
PUBLIC_KEY = "public key"       # a part of a certificate that may be unreadable
_NAME_CONSTRAINTS = "2.5.29.30"
# The caches hold this many certificates: one leaf is read many times in a row, with the same few
# CAs.
_FEW = 16


class Subject(NamedTuple):
    """The owner that a certificate names."""

    user: str
    """The CN; of several, the last, as in Go."""
    groups: tuple[str, ...]
    """Every O."""


class Names(NamedTuple):
    """The DNS names and IP addresses of a subjectAltName."""

    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@lru_cache(maxsize=_FEW)
def subject_of(data: bytes) -> Subject:
    """User and groups of the subject of a certificate or request (a Name in DER)."""
    name = _name(data)
    users = name.attributes(COMMON_NAME)
    groups = tuple(attribute.text for attribute in name.attributes(ORGANIZATION))
    return Subject(users[-1].text if users else "", groups)


def certificate_subject(certificate: Certificate) -> Subject:
    """User and groups of a certificate's subject."""
    return subject_of(_fields(certificate).subject)


def subject_and_issuer(certificate: Certificate) -> tuple[Name, Name]:
    """The two names of a certificate. Raises InputError for what is no name."""
    fields = _fields(certificate)
    return _name(fields.subject), _name(fields.issuer)


def subject_text(certificate: Certificate) -> str:
    """The subject of a certificate as text (RFC 4514, the last RDN first)."""
    return dn_text(_fields(certificate).subject)


def issuer_text(certificate: Certificate) -> str:
    """The issuer of a certificate as text (RFC 4514, the last RDN first)."""
    return dn_text(_fields(certificate).issuer)


def subject_der(certificate: Certificate) -> bytes:
    """The subject of a certificate (a Name in DER)."""
    return _fields(certificate).subject


def issuer_der(certificate: Certificate) -> bytes:
    """The issuer of a certificate (a Name in DER)."""
    return _fields(certificate).issuer


def authority_key_identifier(certificate: Certificate) -> bytes | None:
    """The identifier of the CA's key in a certificate (RFC 5280 §4.2.1.1); None if absent."""
    value = _value(extensions_of(certificate), AUTHORITY_KEY_IDENTIFIER)
    first = der.items(der.content_of(value))[:1] if value else ()
    return der.content_of(first[0]) if first and der.tag_of(first[0]) == _KEY_IDENTIFIER else None


def is_named_issuer(ca: Certificate, certificate: Certificate) -> bool:
    """Whether the certificate's issuer is *ca*'s subject, byte for byte, as Go compares names."""
    return _fields(ca).subject == _fields(certificate).issuer


def is_same_authority(ca: Certificate, other: Certificate) -> bool:
    """Whether two CA certificates have one subject and key, so that both verify the same leaves."""
    if ca == other:
        return True
    other_key = _fields(other).subject_public_key_info
    return subject_der(ca) == subject_der(other) and has_public_key(ca, other_key)


def serial_digest(certificate: Certificate | bytes) -> bytes:
    """A digest of issuer and serial number, a pair that a CA gives once (RFC 5280 §4.1.2.2).

    *certificate* may be the certificate's DER: cryptography encodes an object's fields again.
    """
    info = records.to_be_signed(certificate) if isinstance(certificate, bytes) \
        else certificate.tbs_certificate_bytes
    fields = der.items(der.content_of(info), 4)
    # an explicit version comes before serial number, algorithm and issuer, in a tag of its own
    number, _, issuer = fields[:3] if der.tag_of(fields[0]) == der.INTEGER else fields[1:]
    return sha256(issuer + number).digest()[:16]


def serial_number(certificate: Certificate) -> int:
    """The serial number; cryptography's own property warns if it is not positive."""
    return _fields(certificate).serial_number


def fields_of(certificate: Certificate) -> records.CertificateFields:
    """The fields of a certificate; those of the last certificates are remembered."""
    return _fields(certificate)


@lru_cache(maxsize=_FEW)
def _fields(certificate: Certificate) -> records.CertificateFields:
    return records.certificate_fields(certificate)


@lru_cache(maxsize=_FEW)
def dn_text(name: bytes) -> str:
    """A distinguished name (DER) as text (RFC 4514)."""
    from ..stages.text.name import name_text
    return name_text(_name(name), "RFC2253") or "(no name)"


_name = lru_cache(maxsize=_FEW)(load_name)


@lru_cache(maxsize=_FEW)
def names_of(extensions: tuple[records.Extension, ...]) -> Names | None:
    """The names of the subjectAltName among *extensions*; None if there is no subjectAltName."""
    value = _value(extensions, SUBJECT_ALTERNATIVE_NAME)
    if value is None:
        return None
    dns, addresses = [], []
    for item in der.items(der.content_of(value)):
        content = der.content_of(item)
        if der.tag_of(item) == _DNS:
            dns.append(content.decode("latin-1"))
        elif der.tag_of(item) == _IP and len(content) in (4, 16):
            addresses.append(str(ipaddress.ip_address(content)))
    return Names(tuple(dns), tuple(addresses))


@lru_cache(maxsize=_FEW)
def extensions_of(certificate: Certificate) -> tuple[records.Extension, ...]:
    """The extensions of a certificate, each with its DER value."""
    return records.extensions_of(_fields(certificate))


def usable_for(certificate: Certificate, usage: str) -> bool:
    """Whether Go accepts a certificate for "serverAuth" or "clientAuth"; no usage means any."""
    usages = _usages(certificate)
    return not usages or _ANY_USAGE in usages or USAGE_OIDS[usage] in usages


@lru_cache(maxsize=_FEW)
def _usages(certificate: Certificate) -> tuple[str, ...]:
    """The OIDs of extendedKeyUsage; none if the extension is absent."""
    value = _value(extensions_of(certificate), EXTENDED_KEY_USAGE)
    items = () if value is None else der.items(der.content_of(value))
    return tuple(der.oid_text(item) for item in items)


@lru_cache(maxsize=_FEW)
def find_unreadable_part(certificate: Certificate) -> str | None:
    """The first unreadable part of a well-formed certificate; None if every part is readable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    parts: dict[str, Callable[[], object]] = {
        PUBLIC_KEY: lambda: keys.public_key_der(certificate.public_key()),
        "dates": lambda: (certificate.not_valid_before_utc, certificate.not_valid_after_utc),
        "signature": lambda: (certificate.tbs_certificate_bytes, certificate.signature),
        "subject": lambda: (certificate_subject(certificate), subject_text(certificate)),
        "issuer": lambda: issuer_text(certificate),
        "subjectAltName": lambda: names_of(extensions_of(certificate)),
        "extendedKeyUsage": lambda: usable_for(certificate, "clientAuth"),
        "basicConstraints": lambda: find_ca_fault(certificate)}
    for part, read in parts.items():
        try:
            read()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return part
    return None


@lru_cache(maxsize=_FEW)
def find_ca_fault(certificate: Certificate) -> str | None:
    """Why a certificate may not sign others as a root, by Go's rule; None if it may.

    A root without extensions (version 1) may sign.
    """
    extensions = extensions_of(certificate)
    if not extensions:
        return None
    constraints, usage = _value(extensions, BASIC_CONSTRAINTS), _value(extensions, KEY_USAGE)
    if constraints is None:
        return "no basicConstraints"
    if der.boolean(True) not in der.items(der.content_of(constraints)):
        return "basicConstraints say CA:FALSE"
    if usage is not None and not _has_bit(usage, _CERT_SIGN_BIT):
        return "keyUsage lacks keyCertSign"
    return None


@lru_cache(maxsize=_FEW)
def is_authority(certificate: Certificate) -> bool:
    """Whether a certificate is meant to sign others; of version 1 only a self-issued one is."""
    return find_ca_fault(certificate) is None and (
        certificate.version.name == "v3" or is_named_issuer(certificate, certificate))


def find_weakness(certificate: Certificate) -> str | None:
    """Why Go verifies no signature with a certificate's key, in Go's words; None if Go does."""
    try:
        key = parse(certificate.public_bytes(Encoding.DER)).key
        if key is None:
            return "x509: cannot verify signature: algorithm unimplemented"
        validate_key(key)
    except GoError as error:
        return error.sentence
    return None


def has_name_constraints(ca: Certificate) -> bool:
    """Whether a CA has name constraints (RFC 5280 §4.2.1.10)."""
    return _value(extensions_of(ca), _NAME_CONSTRAINTS) is not None


def is_signed_by(certificate: Certificate, ca: Certificate) -> bool:
    """Whether *ca* signed *certificate*: equal names byte for byte, and a valid signature."""
    return (is_named_issuer(ca, certificate)
            and signatures.is_signed_by(certificate, _public_key(ca)))


def is_signed_by_key(key: bytes, certificate: Certificate) -> bool:
    """Whether the owner of the public key *key* (DER) signed *certificate*, whatever the names."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    return signatures.is_signed_by(certificate, load_der_public_key(key))


_public_key = lru_cache(maxsize=_FEW)(signatures.public_key)


def has_public_key(certificate: Certificate, public_key: bytes) -> bool:
    """Whether *certificate* has the public key *public_key* (DER)."""
    fields = _fields(certificate)
    return fields.subject_public_key_info == public_key \
        or keys.public_key_der(certificate.public_key()) == public_key


def key_pin(public_key: bytes) -> str:
    """The SHA-256 of a public key (DER) as `kubeadm join` takes a CA's: `sha256:…`."""
    return f"sha256:{sha256(public_key).hexdigest()}"


def _value(extensions: tuple[records.Extension, ...], oid: str) -> bytes | None:
    return next((extension.value for extension in extensions if extension.oid == oid), None)


def _has_bit(item: bytes, number: int) -> bool:
    content = der.content_of(item)
    if der.tag_of(item) != der.BIT_STRING or len(content) <= 1 + number // 8:
        return False
    return bool(content[1 + number // 8] & 0x80 >> number % 8)
