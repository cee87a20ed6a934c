"""What a certificate says, as Kubernetes reads it: whom it names, what it is for, whether it may sign another."""
from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from ..stages import der, keys, signatures
from ..stages.extensions.table import BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE, SUBJECT_ALTERNATIVE_NAME
from ..stages.names import load_name

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"
_DNS, _IP = 0x82, 0x87
_ANY_USAGE = "2.5.29.37.0"
USAGE_OIDS = {"serverAuth": "1.3.6.1.5.5.7.3.1", "clientAuth": "1.3.6.1.5.5.7.3.2"}
_CERT_SIGN_BIT = 5
# One certificate is asked many things in a row, and in between the CAs, always the same: so many are kept in mind.
_FEW = 16


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate says its owner is: the *user* (CN) and the *groups* (every O)."""

    user: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """The subjectAltName: DNS names and addresses; None in its place where there is no such extension."""

    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@lru_cache(maxsize=_FEW)
def subject_of(data: bytes) -> Subject:
    """User and groups of a certificate's or request's subject (its Name in DER); of several CNs the last, as in Go."""
    name = _name(data)
    users = name.attributes(COMMON_NAME)
    return Subject(users[-1].text if users else "", tuple(one.text for one in name.attributes(ORGANIZATION)))


def certificate_subject(certificate: Certificate) -> Subject:
    """User and groups that a certificate stands for."""
    return subject_of(der.whole(_fields(certificate).subject))


def subject_text(certificate: Certificate) -> str:
    """The subject of a certificate for people (RFC 4514, the last RDN first)."""
    return _name_text(der.whole(_fields(certificate).subject))


def issuer_text(certificate: Certificate) -> str:
    """The issuer of a certificate, likewise."""
    return _name_text(der.whole(_fields(certificate).issuer))


def is_named_issuer(ca: Certificate, certificate: Certificate) -> bool:
    """Whether the certificate's issuer is *ca*'s subject, byte for byte, as Go compares names."""
    return der.whole(_fields(ca).subject) == der.whole(_fields(certificate).issuer)


@lru_cache(maxsize=_FEW)
def _fields(certificate: Certificate) -> der.CertificateFields:
    return der.certificate_fields(certificate.public_bytes(Encoding.DER))


@lru_cache(maxsize=_FEW)
def _name_text(name: bytes) -> str:
    from ..stages.text.name import name_text
    return name_text(_name(name), "RFC2253") or "(no name)"


_name = lru_cache(maxsize=_FEW)(load_name)


@lru_cache(maxsize=_FEW)
def names_of(extensions: tuple[der.Extension, ...]) -> Names | None:
    """The names of a subjectAltName among *extensions*, None where there is none."""
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
def extensions_of(certificate: Certificate) -> tuple[der.Extension, ...]:
    """The extensions of a certificate, each as its DER."""
    return tuple(der.read_extension(der.whole(one)) for one in _fields(certificate).extensions or ())


def usable_for(certificate: Certificate, usage: str) -> bool:
    """Whether Go lets the certificate be used so ("serverAuth", "clientAuth"): no usage at all means every usage."""
    usages = _usages(certificate)
    return not usages or _ANY_USAGE in usages or USAGE_OIDS[usage] in usages


@lru_cache(maxsize=_FEW)
def _usages(certificate: Certificate) -> tuple[str, ...]:
    """The OIDs of extendedKeyUsage; none where there is no such extension."""
    value = _value(extensions_of(certificate), EXTENDED_KEY_USAGE)
    return () if value is None else tuple(der.oid_text(item) for item in der.items(der.content_of(value)))


@lru_cache(maxsize=_FEW)
def unreadable(certificate: Certificate) -> str | None:
    """What of a certificate, whose outer form is right, nobody can read; None where all of it can be."""
    from cryptography.exceptions import UnsupportedAlgorithm
    parts: dict[str, Callable[[], object]] = {
        "public key": lambda: keys.public_key_der(certificate.public_key()),
        "dates": lambda: (certificate.not_valid_before_utc, certificate.not_valid_after_utc),
        "signature algorithm": lambda: certificate.signature_hash_algorithm,
        "subject": lambda: (certificate_subject(certificate), subject_text(certificate)),
        "issuer": lambda: issuer_text(certificate),
        "subjectAltName": lambda: names_of(extensions_of(certificate)),
        "extendedKeyUsage": lambda: usable_for(certificate, "clientAuth"),
        "basicConstraints": lambda: ca_fault(certificate)}
    for part, read in parts.items():
        try:
            read()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return part
    return None


def ca_fault(certificate: Certificate) -> str | None:
    """Why a certificate may not sign others as a root, None where it may: Go's rule, which lets a version 1 root."""
    extensions = extensions_of(certificate)
    if not extensions:
        return None
    constraints, usage = _value(extensions, BASIC_CONSTRAINTS), _value(extensions, KEY_USAGE)
    if constraints is None:
        return "it has no basicConstraints"
    if der.boolean(True) not in der.items(der.content_of(constraints)):
        return "its basicConstraints say CA:FALSE"
    if usage is not None and not _has_bit(usage, _CERT_SIGN_BIT):
        return "its keyUsage lacks keyCertSign"
    return None


def signed_by(certificate: Certificate, ca: Certificate) -> bool:
    """Whether *ca* signed *certificate*: the issuer's name byte for byte, and the signature (crypto/x509)."""
    return is_named_issuer(ca, certificate) and signatures.is_signed_by(certificate, _public_key(ca))


_public_key = lru_cache(maxsize=_FEW)(signatures.public_key)


def certifies(certificate: Certificate, public_key: bytes) -> bool:
    """Whether the certificate is for that public key (DER)."""
    fields = _fields(certificate)
    return der.whole(fields.subject_public_key_info) == public_key \
        or keys.public_key_der(certificate.public_key()) == public_key


def _value(extensions: tuple[der.Extension, ...], oid: str) -> bytes | None:
    return next((one.value for one in extensions if one.oid == oid), None)


def _has_bit(item: bytes, number: int) -> bool:
    content = der.content_of(item)
    if der.tag_of(item) != der.BIT_STRING or len(content) <= 1 + number // 8:
        return False
    return bool(content[1 + number // 8] & 0x80 >> number % 8)
