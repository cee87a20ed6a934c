"""The extensions of a certificate as Go reads them (x509/parser.go, processExtensions).

Each reader stores values under the names of fields of `Certificate`, and returns whether a part is
unknown to Go. Go refuses a critical extension with an unknown part later.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .addresses import parse_ip, to_4
from .constraints import Alternatives, Subtrees, limits_of, parse_mailbox
from .der import (
    BOOLEAN,
    INTEGER,
    OBJECT,
    OCTET_STRING,
    SEQUENCE,
    GoError,
    Reader,
    dotted,
    is_oid_of_any_size,
    oid,
)
from .text import is_domain, octets_text, quoted

if TYPE_CHECKING:
    from .urls import Url

Found = dict[str, Any]
_NEGATIVE_LENGTH = "Go 1.24 treats a negative pathLen as absent"
_MAPPED = "Go 1.27 refuses this certificate: x509: SAN iPAddress contains IPv4-mapped IPv6 address"
_CONTIGUOUS = {0x00, 0x80, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC, 0xFE, 0xFF}


class Refusal(NamedTuple):
    """Why Go refuses an extension's value, after all extensions are separated."""

    sentence: str
    note: str | None


def read_extensions(extensions: Reader) -> Found:
    """The fields of a certificate's extensions; first all are separated, then each is parsed."""
    found: Found = {}
    refusals: dict[bytes, Refusal | None] = {}
    for content in extensions.each(SEQUENCE, "x509: malformed extension"):
        kind, fields, refusal = _extension(content)
        if kind in refusals:
            raise GoError(
                f"x509: certificate contains duplicate extension with OID {quoted(dotted(kind))}")
        refusals[kind] = refusal
        found |= fields
    for refusal in refusals.values():
        if refusal:
            raise GoError(refusal.sentence, note=refusal.note)
    return found


@lru_cache(maxsize=256)     # the certificates of one CA have most extensions in common
def _extension(content: bytes) -> tuple[bytes, Found, Refusal | None]:
    """(kind of an extension, its fields, why Go refuses its value)."""
    extension = Reader(content)
    kind = extension.oid("x509: malformed extension OID field")
    critical = (extension.peek() == BOOLEAN
                and extension.boolean("x509: malformed extension critical field"))
    value = extension.content(OCTET_STRING, "x509: malformed extension value field")
    found: Found = {}
    reader = _READERS.get(kind)
    try:
        unread = reader is None or reader(found, value, critical)
    except GoError as error:
        return kind, found, Refusal(error.sentence, error.note)
    if unread and critical:
        found["unhandled"] = True
    return kind, found, None


def _key_usage(found: Found, value: bytes, _critical: bool) -> bool:
    octets, _ = Reader(value).bits("x509: invalid key usage")
    found["key_usage"] = int.from_bytes((octets + b"\0\0")[:2], "big") & 0xFF80
    return False


def _basic_constraints(found: Found, value: bytes, _critical: bool) -> bool:
    sentence = "x509: invalid basic constraints"
    inside = Reader(value).inside(SEQUENCE, sentence)
    found["ca"] = inside.peek() == BOOLEAN and inside.boolean(sentence)
    if inside.peek() == INTEGER:
        length = inside.integer(sentence)
        if length < 0:
            raise GoError(sentence, note=_NEGATIVE_LENGTH)
        found["path_length"] = length
    return False


def _alternatives(found: Found, value: bytes, _critical: bool) -> bool:
    names = Reader(value).inside(SEQUENCE, "x509: invalid subject alternative names")
    dns: list[str] = []
    emails: list[str] = []
    ips: list[bytes] = []
    uris: list[Url] = []
    while names:
        tag, octets = names.any("x509: invalid subject alternative name")
        if tag == 0x82:
            dns.append(_ia5(octets, "dNSName"))
        elif tag == 0x87:
            if len(octets) not in (4, 16):
                raise GoError(f"x509: cannot parse IP address of length {len(octets)}")
            if len(to_4(octets)) < len(octets):
                found["note"] = _MAPPED
            ips.append(octets)
        elif tag == 0x81:
            emails.append(_ia5(octets, "rfc822Name"))
        elif tag == 0x86:
            uris.append(_uri(_ia5(octets, "uniformResourceIdentifier")))
    found["alternatives"] = Alternatives(tuple(dns), tuple(emails), tuple(ips), tuple(uris))
    found["alternatives_item"] = value
    return not (dns or emails or ips or uris)


def _ia5(octets: bytes, kind: str) -> str:
    if not octets.isascii():
        raise GoError(f"x509: SAN {kind} is malformed")
    return octets.decode("ascii")


def _uri(uri: str) -> Url:
    from .urls import parse_url  # few certificates name a URI
    try:
        url = parse_url(uri)
    except ValueError as error:
        raise GoError(f"x509: cannot parse URI {quoted(uri)}: {error}") from None
    if not is_domain(url.host):
        raise GoError(f"x509: cannot parse URI {quoted(uri)}: invalid domain")
    return url


def _name_constraints(found: Found, value: bytes, _critical: bool) -> bool:
    sentence = "x509: invalid NameConstraints extension"
    outer = Reader(value)
    inside = outer.inside(SEQUENCE, sentence)
    if outer:
        raise GoError(sentence)
    halves = inside.optional(0xA0, sentence), inside.optional(0xA1, sentence)
    if inside:
        raise GoError(sentence)
    if not any(halves):
        raise GoError("x509: empty name constraints extension")
    (permitted, unknown), (excluded, more) = (_subtrees(Reader(half or b"")) for half in halves)
    found["limits"] = limits_of(permitted, excluded)
    return unknown or more


def _subtrees(subtrees: Reader) -> tuple[Subtrees, bool]:
    """(one half of the constraints, whether it has a kind of name that is unknown to Go)."""
    sentence = "x509: invalid NameConstraints extension"
    texts: dict[int, list[str]] = {tag: [] for tag in _CONSTRAINTS}
    ips: list[tuple[bytes, bytes]] = []
    unread = False
    while subtrees:
        tag, value = subtrees.inside(SEQUENCE, sentence).any(sentence)
        if tag == 0x87:
            ips.append(_range(value))
        elif tag in texts:
            if not value.isascii():
                raise GoError(f"x509: invalid constraint value: x509: {quoted(octets_text(value))} "
                              "cannot be encoded as an IA5String")
            text = value.decode("ascii")
            kind, is_right = _CONSTRAINTS[tag]
            if tag == 0x86 and parse_ip(text) is not None:
                raise GoError(
                    f"x509: failed to parse URI constraint {quoted(text)}: cannot be IP address")
            if not is_right(text):
                raise GoError(f"x509: failed to parse {kind} constraint {quoted(text)}")
            texts[tag].append(text)
        else:
            unread = True
    return Subtrees(tuple(texts[0x82]), tuple(ips), tuple(texts[0x81]), tuple(texts[0x86])), unread


def _is_domain_constraint(text: str) -> bool:
    return is_domain(text, constraint=True)


def _is_mail_constraint(text: str) -> bool:
    return parse_mailbox(text) is not None if "@" in text else _is_domain_constraint(text)


_CONSTRAINTS: dict[int, tuple[str, Callable[[str], bool]]] = {
    0x82: ("dnsName", _is_domain_constraint), 0x81: ("rfc822Name", _is_mail_constraint),
    0x86: ("URI", _is_domain_constraint)}


def _range(value: bytes) -> tuple[bytes, bytes]:
    if len(value) not in (8, 32):
        raise GoError(f"x509: IP constraint contained value of length {len(value)}")
    address, mask = value[:len(value) // 2], value[len(value) // 2:]
    ones = mask.rstrip(b"\0")
    if ones and (ones[:-1].strip(b"\xff") or ones[-1] not in _CONTIGUOUS):
        raise GoError(f"x509: IP constraint contained invalid mask {mask.hex()}")
    return address, mask


def _distribution_points(_found: Found, value: bytes, _critical: bool) -> bool:
    sentence = "x509: invalid CRL distribution point"
    points = Reader(value).inside(SEQUENCE, "x509: invalid CRL distribution points")
    while points:
        name = points.inside(SEQUENCE, sentence).optional(0xA0, sentence)
        if name is not None:
            full = Reader(name).inside(0xA0, sentence)
            while full.peek() == 0x86:
                full.content(0x86, sentence)
    return False


def _authority_key_identifier(found: Found, value: bytes, critical: bool) -> bool:
    if critical:
        raise GoError("x509: authority key identifier incorrectly marked critical")
    inside = Reader(value).inside(SEQUENCE, "x509: invalid authority key identifier")
    found["authority_key"] = inside.optional(0x80, "x509: invalid authority key identifier") or b""
    return False


def _subject_key_identifier(found: Found, value: bytes, critical: bool) -> bool:
    if critical:
        raise GoError("x509: subject key identifier incorrectly marked critical")
    found["subject_key"] = Reader(value).content(OCTET_STRING,
                                                 "x509: invalid subject key identifier")
    return False


def _policy_constraints(found: Found, value: bytes, _critical: bool) -> bool:
    sentence = "x509: invalid policy constraints extension"
    inside = Reader(value).inside(SEQUENCE, sentence)
    for tag, field in ((0x80, "require_explicit_policy"), (0x81, "inhibit_policy_mapping")):
        if inside.peek() == tag:
            found[field] = inside.integer(sentence, tag=tag)
    return False


def _inhibit_any_policy(found: Found, value: bytes, _critical: bool) -> bool:
    found["inhibit_any_policy"] = Reader(value).integer(
        "x509: invalid inhibit any policy extension")
    return False


def _extended_key_usage(found: Found, value: bytes, _critical: bool) -> bool:
    sentence = "x509: invalid extended key usages"
    usages = Reader(value).inside(SEQUENCE, sentence)
    each = []
    while usages:
        each.append(usages.oid(sentence))
    found["usages"] = frozenset(each)
    return False


def _policies(found: Found, value: bytes, _critical: bool) -> bool:
    sentence = "x509: invalid certificate policies"
    policies = Reader(value).inside(SEQUENCE, sentence)
    each: dict[bytes, None] = {}
    while policies:
        policy = policies.inside(SEQUENCE, sentence).content(OBJECT, sentence)
        if policy in each or not is_oid_of_any_size(policy):
            raise GoError(sentence)
        each[policy] = None
    found["policies"] = tuple(each)
    return False


def _policy_mappings(found: Found, value: bytes, _critical: bool) -> bool:
    sentence = "x509: invalid policy mappings extension"
    mappings = Reader(value).inside(SEQUENCE, sentence)
    each = []
    while mappings:
        mapping = mappings.inside(SEQUENCE, sentence)
        each.append((mapping.content(OBJECT, sentence), mapping.content(OBJECT, sentence)))
    found["policy_mappings"] = tuple(each)
    return False


def _authority_information(_found: Found, value: bytes, critical: bool) -> bool:
    if critical:
        raise GoError("x509: authority info access incorrectly marked critical")
    sentence = "x509: invalid authority info access"
    methods = Reader(value).inside(SEQUENCE, sentence)
    while methods:
        method = methods.inside(SEQUENCE, sentence)
        method.oid(sentence)
        method.optional(0x86, sentence)
    return False


_READERS: dict[bytes, Callable[[Found, bytes, bool], bool]] = {
    oid("2.5.29.14"): _subject_key_identifier, oid("2.5.29.15"): _key_usage,
    oid("2.5.29.17"): _alternatives,
    oid("2.5.29.19"): _basic_constraints, oid("2.5.29.30"): _name_constraints,
    oid("2.5.29.31"): _distribution_points, oid("2.5.29.32"): _policies,
    oid("2.5.29.33"): _policy_mappings,
    oid("2.5.29.35"): _authority_key_identifier, oid("2.5.29.36"): _policy_constraints,
    oid("2.5.29.37"): _extended_key_usage, oid("2.5.29.54"): _inhibit_any_policy,
    oid("1.3.6.1.5.5.7.1.1"): _authority_information,
}
