"""What OpenSSL reads from a certificate before its checks (x509v3_cache_extensions).

Each extension is read separately: an error in one does not hide the others.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding

from .canonical import canonical_name
from .hostnames import read_general_names
from .. import der, records
from ..extensions.identifiers import (
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    KEY_USAGES,
    NETSCAPE_TYPES,
    SUBJECT_ALTERNATIVE_NAME,
    SUBJECT_KEY_IDENTIFIER,
)
from ..signatures import public_key
from ...errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

T = TypeVar("T")

_NETSCAPE_TYPE, _PROXY = "2.16.840.1.113730.1.1", "1.3.6.1.5.5.7.1.14"
_ISSUER_ALTERNATIVE_NAME = "2.5.29.18"
_NAME_CONSTRAINTS, _DISTRIBUTION_POINTS = "2.5.29.30", "2.5.29.31"
# The extensions that OpenSSL 3.0 supports even if critical (X509_supported_extension(3)).
_UNDERSTOOD = {
    _NETSCAPE_TYPE, _PROXY, "1.3.6.1.5.5.7.1.7", "1.3.6.1.5.5.7.1.8", "1.3.6.1.5.5.7.48.1.5",
    *(f"2.5.29.{number}" for number in (15, 17, 19, 30, 31, 32, 33, 36, 37, 54))}
_RSA, _RSA_PSS, _DSA = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10040.4.1"
_DATE = re.compile(rb"(?:\d\d)?\d{12}Z")
_EC, _ED25519, _ED448 = "1.2.840.10045.2.1", "1.3.101.112", "1.3.101.113"
# A signature algorithm that OpenSSL knows → the algorithms of the keys that can sign with it.
_SIGNERS: dict[str, frozenset[str]] = {
    f"{start}{end}": frozenset(keys) for keys, start, ends in (
        ((_RSA,), "1.2.840.113549.1.1.", (2, 3, 4, 5, 11, 12, 13, 14, 15, 16)),
        ((_RSA,), "1.3.14.3.2.", (15, 29)),
        ((_RSA,), "2.16.840.1.101.3.4.3.", (13, 14, 15, 16)),
        ((_RSA, _RSA_PSS), "1.2.840.113549.1.1.", (10,)),
        ((_EC,), "1.2.840.10045.4.", (1,)),
        ((_EC,), "1.2.840.10045.4.3.", (1, 2, 3, 4)),
        ((_EC,), "2.16.840.1.101.3.4.3.", (9, 10, 11, 12)),
        ((_DSA,), "2.16.840.1.101.3.4.3.", range(1, 9)),
        ((_DSA,), "1.2.840.10040.4.", (3,)),
        ((_ED25519,), "1.3.101.", (112,)),
        ((_ED448,), "1.3.101.", (113,)),
    ) for end in ends}


class AuthorityKeyIdentifier(NamedTuple):
    """An authorityKeyIdentifier (RFC 5280 §4.2.1.1)."""

    key_identifier: bytes | None
    issuer: bytes | None
    """The first directory name of authorityCertIssuer, in canonical form."""
    serial_number: int | None


class Facts(NamedTuple):
    """One certificate as its verifier reads it; the value of an absent extension is None."""

    certificate: Certificate
    version: int
    """The version, from 0."""
    serial_number: int
    subject: bytes
    """The canonical form of the subject."""
    issuer: bytes
    """The canonical form of the issuer."""
    not_before: datetime
    not_after: datetime
    strict_dates: tuple[bool, ...]
    """Of each date, whether its form is that of RFC 5280 §4.1.2.5."""
    algorithm: str
    """The OID of the signature's algorithm."""
    consistent: bool
    """Whether the signed and the outer signature algorithm are the same."""
    key_algorithm: str | None
    """The OID of the key's algorithm, None if the key cannot be read."""
    explicit_curve: bool
    """Whether the key's curve has explicit parameters instead of a name."""
    extensions: int
    """The number of extensions."""
    critical: frozenset[str]
    """The OIDs of the critical extensions."""
    heeded: frozenset[str]
    """The critical extensions that OpenSSL reads, up to the first unknown one."""
    broken: bool
    """Whether an extension does not decode or occurs twice; such a certificate issues none."""
    proxy: bool
    """Whether the certificate is a proxy certificate."""
    proxy_length: int | None
    """The pCPathLenConstraint of a proxy certificate (RFC 3820 §3.8)."""
    ca: bool | None
    """The cA field of basicConstraints."""
    path_length: int | None
    """The pathLenConstraint of basicConstraints."""
    key_usage: frozenset[str] | None
    extended_key_usage: frozenset[str] | None
    netscape_type: frozenset[str] | None
    key_identifier: bytes | None
    """The content of the subjectKeyIdentifier."""
    authority: AuthorityKeyIdentifier | None
    """The authorityKeyIdentifier."""
    alternatives: int | None
    """The number of entries of the subjectAltName."""

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject == self.issuer

    @property
    def self_signed(self) -> bool:
        """Whether the certificate names itself as its issuer; the signature is not checked."""
        return issues(self, self)


def issues(issuer: Facts, subject: Facts) -> bool:
    """Whether *issuer* may have issued *subject* (X509_check_issued(3)).

    Names, identifiers and algorithms must match. The signature and the issuer's key usage are not
    checked.
    """
    if issuer.broken or subject.broken or issuer.subject != subject.issuer:
        return False
    if subject.authority is not None and not _identifies(subject.authority, issuer):
        return False
    return issuer.key_algorithm in _SIGNERS.get(subject.algorithm, ())


def _identifies(identifier: AuthorityKeyIdentifier, issuer: Facts) -> bool:
    key_identifier, name, serial_number = identifier
    if None not in (key_identifier, issuer.key_identifier) \
            and key_identifier != issuer.key_identifier:
        return False
    return serial_number in (None, issuer.serial_number) and name in (None, issuer.issuer)


def identifies(identifier: bytes, issuer: Facts) -> bool:
    """Whether an authorityKeyIdentifier (DER) names *issuer*; no other extension does."""
    try:
        return _identifies(_authority(identifier), issuer)
    except (InputError, ValueError):
        return False


def read_facts(certificate: Certificate) -> Facts:
    """Read a certificate.

    Raises InputError if *certificate* is not well formed, but never for the contents of an
    extension.
    """
    whole = certificate.public_bytes(Encoding.DER)
    fields = records.certificate_fields(whole)
    extensions = records.extensions_of(fields)
    broken = False

    def read(oid: str, reader: Callable[[bytes], T]) -> T | None:
        nonlocal broken
        values = [extension.value for extension in extensions if extension.oid == oid]
        try:
            if len(values) == 1:
                return reader(values[0])
        except (InputError, ValueError):
            broken = True
        broken = broken or len(values) > 1
        return None

    critical = [extension.oid for extension in extensions if extension.critical]
    ca, path_length = read(BASIC_CONSTRAINTS, _basic_constraints) or (None, None)
    proxy = any(extension.oid == _PROXY for extension in extensions)
    alternatives = read(SUBJECT_ALTERNATIVE_NAME, read_general_names)
    if proxy and (ca or alternatives or read(_ISSUER_ALTERNATIVE_NAME, read_general_names)):
        broken = True
    proxy_length = read(_PROXY, _proxy_length)
    read(_DISTRIBUTION_POINTS, _items)
    read(_NAME_CONSTRAINTS, _subtrees)
    algorithm, (key_algorithm, explicit) = fields.signature, _key(fields)
    dates = _items(fields.validity)[:2]
    return Facts(
        certificate, fields.version, fields.serial_number,
        canonical_name(fields.subject), canonical_name(fields.issuer),
        certificate.not_valid_before_utc, certificate.not_valid_after_utc,
        tuple(bool(_DATE.fullmatch(der.content_of(date))) for date in dates),
        _algorithm(algorithm), consistent=_items(whole)[1] == algorithm,
        key_algorithm=key_algorithm if explicit or public_key(certificate) else None,
        explicit_curve=explicit, extensions=len(extensions), critical=frozenset(critical),
        heeded=frozenset(takewhile(_UNDERSTOOD.__contains__, critical)), proxy=proxy,
        proxy_length=proxy_length, ca=ca, path_length=path_length,
        key_usage=read(KEY_USAGE, _key_usage),
        extended_key_usage=read(EXTENDED_KEY_USAGE, _object_identifiers),
        netscape_type=read(_NETSCAPE_TYPE, _netscape_type),
        key_identifier=read(SUBJECT_KEY_IDENTIFIER, _octets),
        authority=read(AUTHORITY_KEY_IDENTIFIER, _authority),
        alternatives=None if alternatives is None else len(alternatives), broken=broken)


def _key(fields: records.CertificateFields) -> tuple[str, bool]:
    """A key's algorithm, and whether its curve has explicit parameters (RFC 5480 §2.1.1)."""
    algorithm = _items(fields.subject_public_key_info)[0]
    oid, *parameters = _items(algorithm)
    explicit = [*map(der.tag_of, parameters)] == [der.SEQUENCE]
    return der.oid_text(oid), der.oid_text(oid) == _EC and explicit


def _algorithm(item: bytes) -> str:
    return der.oid_text(_items(item)[0])


def _items(value: bytes) -> tuple[bytes, ...]:
    if der.tag_of(value) != der.SEQUENCE:
        raise InputError("not a sequence")
    return der.items(der.content_of(value))


def _basic_constraints(value: bytes) -> tuple[bool, int | None]:
    parts = {der.tag_of(item): der.content_of(item) for item in _items(value)}
    length = None
    if der.INTEGER in parts:
        length = int.from_bytes(parts[der.INTEGER], "big", signed=True)
    if parts.keys() - {der.BOOLEAN, der.INTEGER} or (length is not None and length < 0):
        raise InputError("not a BasicConstraints")
    return parts.get(der.BOOLEAN, b"\0") != b"\0", length


def _proxy_length(value: bytes) -> int | None:
    lengths = [der.content_of(item) for item in _items(value) if der.tag_of(item) == der.INTEGER]
    return int.from_bytes(lengths[0], "big", signed=True) if lengths else None


def _bits(value: bytes) -> frozenset[int]:
    if der.tag_of(value) != der.BIT_STRING:
        raise InputError("not a bit string")
    unused, *octets = der.content_of(value) or b"\x08"
    if unused > 7:
        raise InputError("not a bit string")
    return frozenset(number for number in range(8 * len(octets) - unused)
                     if octets[number // 8] & 0x80 >> number % 8)


def _key_usage(value: bytes) -> frozenset[str]:
    usages = frozenset(name for number, (name, _) in enumerate(KEY_USAGES)
                       if number in _bits(value))
    if not usages:
        raise InputError("the key usage allows nothing (RFC 5280 §4.2.1.3)")
    return usages


def _netscape_type(value: bytes) -> frozenset[str]:
    return frozenset(name for number, (name, _) in enumerate(NETSCAPE_TYPES)
                     if number in _bits(value))


def _object_identifiers(value: bytes) -> frozenset[str]:
    return frozenset(map(der.oid_text, _items(value)))


def _subtrees(value: bytes) -> tuple[bytes, ...]:
    """The bases of all subtrees of NameConstraints (RFC 5280 §4.2.1.10)."""
    trees = (tree for part in _items(value) for tree in der.items(der.content_of(part)))
    return tuple(base for tree in trees
                 for base in read_general_names(der.sequence(*_items(tree)[:1])))


def _octets(value: bytes) -> bytes:
    if der.tag_of(value) != der.OCTET_STRING:
        raise InputError("not an octet string")
    return der.content_of(value)


def _authority(value: bytes) -> AuthorityKeyIdentifier:
    parts = {der.tag_of(item): der.content_of(item) for item in _items(value)}
    if parts.keys() - {0x80, 0xA1, 0x82}:
        raise InputError("not an AuthorityKeyIdentifier")
    issuers = read_general_names(der.sequence(parts.get(0xA1, b"")))
    names = (canonical_name(der.content_of(issuer)) for issuer in issuers
             if der.tag_of(issuer) == 0xA4)
    serial_number = int.from_bytes(parts[0x82], "big", signed=True) if 0x82 in parts else None
    return AuthorityKeyIdentifier(parts.get(0x80), next(names, None), serial_number)
