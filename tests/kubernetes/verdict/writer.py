"""A certificate from its parts, however wrong: what no builder writes is written here byte by byte,
and signed."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from kpki.stages import der, records
from tests.kubernetes.verdict.keys import ALGORITHMS, Key, ec_key

Item = tuple[str, bytes]    # an extension: its dotted OID, and all of it in DER
Part = str | bytes

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
SERVER, CLIENT, EVERY = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
SAN, BASIC, SKI, AKI, UNKNOWN = "2.5.29.17", "2.5.29.19", "2.5.29.14", "2.5.29.35", "1.2.3.4"
ATTRIBUTES = {"CN": "2.5.4.3", "O": "2.5.4.10", "OU": "2.5.4.11", "serialNumber": "2.5.4.5"}
BITS = ("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
        "keyCertSign", "cRLSign")


@dataclass(frozen=True)
class Made:
    """A certificate, with the name and the key that others are signed by."""

    der: bytes
    subject: bytes
    key: Key


def octets(part: Part) -> bytes:
    return part.encode() if isinstance(part, str) else part


def attribute(kind: str, text: Part, tag: int = der.UTF8) -> bytes:
    """One RelativeDistinguishedName; *text* may be bytes that are no text."""
    return der.set_of([der.sequence(der.oid(ATTRIBUTES[kind]), der.tlv(tag, octets(text)))])


def cn(text: Part, tag: int = der.UTF8) -> bytes:
    """A Name of a CN alone."""
    return der.sequence(attribute("CN", text, tag))


def moment(time: datetime | bytes) -> bytes:
    """UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5); bytes are an item as it is to be written."""
    if isinstance(time, bytes):
        return time
    text = f"{time:%Y%m%d%H%M%SZ}".encode()
    return (der.tlv(der.UTC_TIME, text[2:]) if time.year < 2050
            else der.tlv(der.GENERALIZED_TIME, text))


# -- extensions ------------------------------------------------------------------------------------

def extension(oid: str, value: bytes, critical: bool | bytes = False) -> Item:
    """An extension; *critical* in bytes is the BOOLEAN as it is to be written."""
    flag = critical if isinstance(critical, bytes) else der.boolean(True) if critical else b""
    return oid, der.sequence(der.oid(oid), flag, der.octet_string(value))


def basic(ca: bool | bytes = True, *more: bytes, critical: bool = True) -> Item:
    """basicConstraints; *more* is a pathLen in DER."""
    flag = ca if isinstance(ca, bytes) else der.boolean(True) if ca else b""
    return extension(BASIC, der.sequence(flag, *more), critical)


def key_usage(*names: str) -> Item:
    return extension("2.5.29.15", der.named_bits(map(BITS.index, names)), True)


def usages(*oids: str) -> Item:
    """extendedKeyUsage."""
    return extension("2.5.29.37", der.sequence(*map(der.oid, oids)))


def dns(name: Part) -> bytes:
    return der.tlv(0x82, octets(name))


def email(name: Part) -> bytes:
    return der.tlv(0x81, octets(name))


def uri(name: Part) -> bytes:
    return der.tlv(0x86, octets(name))


def address(value: Part) -> bytes:
    """An iPAddress: of text its 4 or 16 bytes, bytes as they are."""
    return der.tlv(0x87, value if isinstance(value, bytes) else ip_address(value).packed)


def san(*names: bytes, critical: bool = False) -> Item:
    return extension(SAN, der.sequence(*names), critical)


def named(*hosts: str) -> Item:
    """subjectAltName of DNS names."""
    return san(*map(dns, hosts))


def constraints(*, permitted: Iterable[bytes] = (), excluded: Iterable[bytes] = (),
                critical: bool = True) -> Item:
    """nameConstraints."""
    trees = [der.tlv(tag, *map(der.sequence, names))
             for tag, names in ((0xA0, [*permitted]), (0xA1, [*excluded]))
             if names]
    return extension("2.5.29.30", der.sequence(*trees), critical)


def key_id(value: bytes, critical: bool = False) -> Item:
    """subjectKeyIdentifier."""
    return extension(SKI, der.octet_string(value), critical)


def issuer_key_id(value: bytes = b"", *more: bytes, critical: bool = False) -> Item:
    """authorityKeyIdentifier with a keyid, or with *more* (issuer and serial) alone."""
    return extension(AKI, der.sequence(der.tlv(0x80, value) if value else b"", *more), critical)


def policies(*oids: str) -> Item:
    return extension("2.5.29.32", der.sequence(*(der.sequence(der.oid(oid)) for oid in oids)))


# -- certificates ----------------------------------------------------------------------------------

def certificate(subject: bytes, key: Key, by: Made | None, items: Iterable[Item] = (), *,
                version: int | None = 2, serial: bytes = b"\x05", issuer: bytes | None = None,
                start: datetime | bytes = START, end: datetime | bytes = END, algorithm: str = "",
                inner: bytes = b"", outer: bytes = b"", spki: bytes = b"", after: bytes = b"",
                spoilt: bool = False, twist: Callable[[bytes], bytes] = bytes) -> Made:
    """A certificate of *key* with the Name *subject*, signed *by* another, or by itself.

    *version* counts from 0 (None: the field is absent), *serial* is the content of its INTEGER.
    *algorithm* is a name of ALGORITHMS; *inner* and *outer* are written in its two places instead.
    *spki* is written instead of the key's own. *after* follows the certificate, *spoilt* breaks its
    signature, *twist* is done to what gets signed.
    """
    signer = by.key if by else key
    name = algorithm or signer.usual
    wrapped = [item for _, item in items]
    to_be_signed = twist(der.sequence(
        b"" if version is None else der.tlv(0xA0, der.integer(version)),
        der.tlv(der.INTEGER, serial), inner or ALGORITHMS[name],
        (by.subject if by else subject) if issuer is None else issuer,
        der.sequence(moment(start), moment(end)), subject, spki or key.spki,
        der.tlv(0xA3, der.sequence(*wrapped)) if wrapped else b""))
    signature = signer.sign(to_be_signed + b"!" * spoilt, name)
    return Made(records.signed(to_be_signed, outer or ALGORITHMS[name], signature) + after, subject,
                key)


def replaced(usual: Iterable[Item], given: Iterable[Item], without: Iterable[str]) -> list[Item]:
    """The *usual* extensions, with those *given* in the place of their like, and none of
    *without*."""
    merged = dict(usual) | dict(given)
    return [(oid, item) for oid, item in merged.items() if oid not in without]


def authority(*given: Item, name: Part = "ca", key: Key = ec_key(1), by: Made | None = None,
              without: Iterable[str] = (), only: Iterable[Item] | None = None,
              subject: bytes | None = None, **fields: Any) -> Made:
    """A CA: its own root, or signed *by* another; *only* are all extensions that it has."""
    usual = [basic(), key_usage("keyCertSign", "cRLSign")]
    return certificate(cn(name) if subject is None else subject, key, by,
                       replaced(usual, given, without) if only is None else only, **fields)


CA = authority()


def leaf(*given: Item, by: Made | None = CA, key: Key = ec_key(9), subject: bytes = cn("leaf"),
         without: Iterable[str] = (), only: Iterable[Item] | None = None, **fields: Any) -> Made:
    """A server's and client's certificate for `api`, signed by the CA above; *only* are all
    extensions that it has."""
    usual = [basic(False), key_usage("digitalSignature"), usages(SERVER, CLIENT), named("api")]
    return certificate(subject, key, by, replaced(usual, given, without) if only is None else only,
                       **fields)


# -- chains ----------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Chain:
    """A question: certificates in DER, what for, the name asked (None: none) and the time."""

    leaf: bytes
    roots: tuple[bytes, ...]
    untrusted: tuple[bytes, ...]
    purpose: str
    hostname: str | None
    at: datetime


Facts = dict[str, dict[str, Chain]]     # a rule in words → its variants, by their names


def ask(leaf: Made, *roots: Made, via: Iterable[Made] = (), purpose: str = "sslserver",
        host: str | None = "api", at: datetime = NOON) -> Chain:
    """Is *leaf* good for *purpose* as *host*, where *roots* (the CA above if none is named) are
    trusted?"""
    return Chain(leaf.der, tuple(root.der for root in roots or (CA,)),
                 tuple(other.der for other in via), purpose, host, at)
