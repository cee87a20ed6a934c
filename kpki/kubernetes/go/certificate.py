"""A certificate as Go reads it (x509/parser.go, parseCertificate)."""
from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .constraints import Alternatives, Limits
from .der import SEQUENCE, GoError, Reader, right_aligned
from .extensions import Found, read_extensions
from .keys import Algorithm, Key, algorithm_of, read_key
from .names import PkixName, read_name
from .times import Moment, read_validity


class Certificate(NamedTuple):
    """The facts of a certificate for a verdict; fields of absent extensions have their defaults."""

    raw: bytes
    """The certificate in DER."""
    signed: bytes
    """The TBSCertificate in DER."""
    version: int
    serial: int
    algorithm: Algorithm | None
    """The signature algorithm; None if Go does not know it."""
    signature: bytes
    issuer: bytes
    """The content of the issuer's Name in DER."""
    subject: bytes
    """The content of the subject's Name in DER."""
    subject_name: PkixName
    not_before: Moment
    not_after: Moment
    spki: bytes
    """The content of the SubjectPublicKeyInfo in DER."""
    key: Key | None
    """The public key; None if Go does not know the algorithm."""
    unhandled: bool = False
    """Whether a critical extension is unknown to Go."""
    key_usage: int = 0
    ca: bool | None = None
    """The CA flag; None without basicConstraints."""
    path_length: int | None = None
    alternatives: Alternatives | None = None
    alternatives_item: bytes | None = None
    limits: Limits | None = None
    subject_key: bytes = b""
    authority_key: bytes = b""
    usages: frozenset[bytes] = frozenset()
    policies: tuple[bytes, ...] = ()
    policy_mappings: tuple[tuple[bytes, bytes], ...] = ()
    require_explicit_policy: int | None = None
    inhibit_policy_mapping: int | None = None
    inhibit_any_policy: int | None = None
    note: str | None = None
    """A sentence about the verdict of another version of Go."""


@lru_cache(maxsize=256)     # a CA is parsed once for all the certificates that it has signed
def parse(der: bytes) -> Certificate:
    """A certificate from its DER; raises GoError with Go's sentence for a malformed one."""
    whole = Reader(der)
    outer = whole.inside(SEQUENCE, "x509: malformed certificate")
    signed, fields = outer.element(SEQUENCE, "x509: malformed tbs certificate")
    version = _version(fields.optional(0xA0, "x509: malformed version"))
    serial = fields.integer("x509: malformed serial number", bits=None)
    if serial < 0:
        raise GoError("x509: negative serial number")
    identifier = fields.content(SEQUENCE, "x509: malformed signature algorithm identifier")
    if outer.content(SEQUENCE, "x509: malformed algorithm identifier") != identifier:
        raise GoError("x509: inner and outer signature algorithm identifiers don't match")
    algorithm = _algorithm(identifier)
    issuer = fields.content(SEQUENCE, "x509: malformed issuer")
    _read_issuer(issuer)
    not_before, not_after = read_validity(fields.content(SEQUENCE, "x509: malformed validity"))
    # Go's sentence, too, says issuer
    subject = fields.content(SEQUENCE, "x509: malformed issuer")
    subject_name = read_name(subject)
    spki = fields.content(SEQUENCE, "x509: malformed spki")
    key = _key(Reader(spki))
    found = _extensions(fields, version)
    signature = right_aligned(*outer.bits("x509: malformed signature"))
    if whole:
        raise GoError("x509: trailing data")
    return Certificate(der, signed, version, serial, algorithm, signature, issuer, subject,
                       subject_name, not_before, not_after, spki, key, **found)


@lru_cache(maxsize=4)
def _version(written: bytes | None) -> int:
    if written is None:
        return 1
    reader = Reader(written)
    version = reader.integer("x509: malformed version")
    if reader or version < 0:
        raise GoError("x509: malformed version")
    if version > 2:
        raise GoError("x509: invalid version")
    return version + 1


@lru_cache(maxsize=64)
def _algorithm(identifier: bytes) -> Algorithm | None:
    return algorithm_of(*_identifier(identifier))


@lru_cache(maxsize=64)
def _identifier(content: bytes) -> tuple[bytes, bytes]:
    """(object identifier, parameters as a whole item or nothing) of an algorithm (parseAI)."""
    reader = Reader(content)
    kind = reader.oid("x509: malformed OID")
    begin = reader.at
    if reader:
        reader.any("x509: malformed parameters")
    return kind, content[begin:reader.at]


_read_issuer = lru_cache(maxsize=64)(read_name)     # a CA's certificates have one issuer


def _key(spki: Reader) -> Key | None:
    identifier = _identifier(spki.content(SEQUENCE,
                                          "x509: malformed public key algorithm identifier"))
    return read_key(*identifier, right_aligned(*spki.bits("x509: malformed subjectPublicKey")))


def _extensions(fields: Reader, version: int) -> Found:
    """The fields of the extensions; those of a version before 3 are ignored."""
    if version >= 2:
        fields.optional(0x81, "x509: malformed issuerUniqueID")
        fields.optional(0x82, "x509: malformed subjectUniqueID")
    written = fields.optional(0xA3, "x509: malformed extensions") if version == 3 else None
    if written is None:
        return {}
    return read_extensions(Reader(written).inside(SEQUENCE, "x509: malformed extensions"))
