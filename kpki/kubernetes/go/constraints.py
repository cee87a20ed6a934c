"""Name constraints (x509/constraints.go; RFC 5280 §4.2.1.10).

Go sorts the constraints of a kind, drops those that another constraint covers, and checks only the
nearest. This module does the same, because Go misses some constraints that way.
"""
from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

from .addresses import ip_text, to_4
from .der import GoError
from .text import is_domain, quoted

if TYPE_CHECKING:
    from .urls import Url

_KEY = bytes.maketrans(b".ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"\0abcdefghijklmnopqrstuvwxyz")
_ATEXT = r"[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~.]"
_MAILBOX = (
    r'"((?:\\[\x01-\x09\x0b\x0c\x0e-\x7f]|[\x01-\x08\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f])*)"@(.*)'
    rf"|((?:\\.|{_ATEXT})+)@(.*)")
_BY_WILDCARD = "Go 1.24 accepts a wildcard although a name below the wildcard is excluded"
_URIS_UNCHECKED = "Go 1.24 checks URIs only if a CA has constraints for URIs"


Range = tuple[bytes, bytes]     # an address and its mask, 4 or 16 octets each


class Subtrees(NamedTuple):
    """One half of a name constraints extension."""

    dns: tuple[str, ...] = ()
    ips: tuple[Range, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


class Alternatives(NamedTuple):
    """The names of a subjectAltName, in order."""

    dns: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    ips: tuple[bytes, ...] = ()
    uris: tuple[Url, ...] = ()


class Mailbox(NamedTuple):
    """An e-mail address; the domain is in lower case."""

    local: str
    domain: str


def parse_mailbox(text: str) -> Mailbox | None:
    """An e-mail address of RFC 2821 §4.1.2, as liberally as Go reads it; None for other text."""
    match = re.fullmatch(_MAILBOX, text, re.DOTALL)
    if match is None:
        return None
    quoted_local, _, plain, _ = match.groups()
    local = re.sub(r"\\(.)", r"\1", quoted_local if plain is None else plain, flags=re.DOTALL)
    domain = match[2] if plain is None else match[4]
    if (plain is not None and (local.startswith(".") or local.endswith(".")
                               or ".." in local)) or not is_domain(domain):
        return None
    return Mailbox(local, domain.lower())


T = TypeVar("T")
# a name → the text of the constraint that covers it, or None
Query = Callable[[T], "str | None"]


def _dns_query(names: Sequence[str], permitted: bool) -> Query[str] | None:
    if not names:
        return None
    if "" in names:
        return lambda _name: ""
    distinct: list[str] = []
    for constraint in sorted(names, key=_sort_key):
        if not distinct or not _is_suffix(distinct[-1], constraint):
            distinct.append(constraint)
    keys = [_sort_key(constraint) for constraint in distinct]
    lower = [] if permitted else [constraint.lower() for constraint in distinct]
    parents = {trimmed: domain for domain in lower if (trimmed := _without_label(domain))}

    def query(name: str) -> str | None:
        nearest = distinct[_nearest(keys, _sort_key(name))]
        if _is_suffix(nearest, name):
            return nearest
        return parents.get(_without_label(name.lower())) if name.startswith("*") else None
    return query


def _sort_key(name: str) -> bytes:
    return name.encode("latin-1").translate(_KEY)[::-1]


def _nearest(keys: Sequence[bytes], key: bytes) -> int:
    """The index of *key*, or of the key before its place; 0 if every key is greater."""
    at = bisect_left(keys, key)
    return at if at < len(keys) and keys[at] == key else max(at - 1, 0)


def _is_suffix(domain: str, name: str) -> bool:
    """Whether *name* is in *domain*, by whole labels; a leading dot excludes the domain itself."""
    domain, name = domain.lower(), name.lower()
    return name.endswith(domain) and (domain[0] == "." or len(name) == len(domain)
                                      or name[-len(domain) - 1] == ".")


def _without_label(name: str) -> str:
    return name[name.index("."):] if "." in name else ""


def _ip_query(ranges: Sequence[Range]) -> Query[bytes] | None:
    if not ranges:
        return None
    of_size = {size: _distinct(network for network in ranges if len(network[0]) == size)
               for size in (4, 16)}
    keys = {size: [address for address, _ in networks] for size, networks in of_size.items()}

    def query(address: bytes) -> str | None:
        size = len(address)
        if not keys[size]:
            return None
        nearest = of_size[size][_nearest(keys[size], address)]
        return _range_text(nearest) if _contains(nearest, address) else None
    return query


def _distinct(ranges: Iterable[Range]) -> list[Range]:
    """The ranges in order, without those that another range contains."""
    distinct: list[Range] = []
    for address, mask in sorted(ranges):
        last = bytes(octet | ~bits & 0xFF for octet, bits in zip(address, mask, strict=True))
        if not distinct or not (_contains(distinct[-1], address) and _contains(distinct[-1], last)):
            distinct.append((address, mask))
    return distinct


def _contains(network: Range, address: bytes) -> bool:
    """Whether an address is in a range (net.IPNet.Contains); mapped addresses are IPv4."""
    base, address = to_4(network[0]), to_4(address)
    mask = network[1][-len(base):]
    return len(base) == len(address) and all(
        octet & bits == other & bits
        for octet, other, bits in zip(base, address, mask, strict=True))


def _range_text(network: Range) -> str:
    base = to_4(network[0])
    return f"{ip_text(base)}/{int.from_bytes(network[1][-len(base):], 'big').bit_count()}"


def _email_query(addresses: Sequence[str], permitted: bool) -> Query[Mailbox] | None:
    if not addresses:
        return None
    whole = {mailbox for address in addresses if "@" in address
             and (mailbox := parse_mailbox(address))}
    domains = _dns_query([address for address in addresses if "@" not in address], permitted)

    def query(mailbox: Mailbox) -> str | None:
        if mailbox in whole:
            return f"{mailbox.local}@{mailbox.domain}"
        return domains(mailbox.domain) if domains else None
    return query


class Limits(NamedTuple):
    """The constraints of one CA as queries: (permitted, excluded) for each kind of name."""

    ips: tuple[Query[bytes] | None, Query[bytes] | None]
    dns: tuple[Query[str] | None, Query[str] | None]
    uris: tuple[Query[str] | None, Query[str] | None]
    emails: tuple[Query[Mailbox] | None, Query[Mailbox] | None]


def limits_of(permitted: Subtrees, excluded: Subtrees) -> Limits:
    """The limits of a name constraints extension."""
    return Limits((_ip_query(permitted.ips), _ip_query(excluded.ips)),
                  (_dns_query(permitted.dns, True), _dns_query(excluded.dns, False)),
                  (_dns_query(permitted.uris, True), _dns_query(excluded.uris, False)),
                  (_email_query(permitted.emails, True), _email_query(excluded.emails, False)))


def validate_names(chain: Sequence[tuple[Alternatives | None, Limits | None]]) -> None:
    """Raise GoError unless the limits of all certificates above permit each name in the chain."""
    if all(limits is None for _, limits in chain):
        return
    for depth, (names, _) in enumerate(chain):
        above = [limits for _, limits in chain[depth + 1:] if limits is not None]
        if names is not None and above:
            try:
                _validate(names, above)
            except ValueError as error:
                raise _refusal(str(error)) from None


def _validate(names: Alternatives, above: Sequence[Limits]) -> None:
    from .urls import bare_host  # few CAs have constraints
    try:
        hosts = [bare_host(url) for url in names.uris]
    except ValueError as error:
        note = None if any(any(limits.uris) for limits in above) else _URIS_UNCHECKED
        raise _refusal(str(error), note) from None
    mailboxes = [parse_mailbox(email) or _unreadable("rfc822Name", email) for email in names.emails]
    for limits in above:
        for ip in names.ips:
            _validate_one("IP address", ip_text(ip), ip, limits.ips)
        for name in names.dns:
            if not is_domain(name):
                _unreadable("dnsName", name)
            _validate_one("DNS name", name, name, limits.dns)
        for url, host in zip(names.uris, hosts, strict=True):
            _validate_one("URI", url.text, host, limits.uris)
        for mailbox in mailboxes:
            _validate_one("email address", f"{mailbox.local}@{mailbox.domain}", mailbox,
                          limits.emails)


def _unreadable(kind: str, text: str) -> NoReturn:
    raise ValueError(f"{'x509: ' * (kind == 'dnsName')}cannot parse {kind} {quoted(text)}")


def _validate_one(kind: str, shown: str, name: T,
                  limits: tuple[Query[T] | None, Query[T] | None]) -> None:
    permitted, excluded = limits
    if permitted is not None and permitted(name) is None:
        raise _refusal(f"{kind} {quoted(shown)} is not permitted by any constraint")
    if excluded is not None and (constraint := excluded(name)) is not None:
        by_wildcard = (kind == "DNS name" and shown[:1] == "*" and constraint
                       and not _is_suffix(constraint, shown))
        raise _refusal(f"{kind} {quoted(shown)} is excluded by constraint {quoted(constraint)}",
                       _BY_WILDCARD if by_wildcard else None)


def _refusal(detail: str, note: str | None = None) -> GoError:
    return GoError(
        "x509: a root or intermediate certificate is not authorized to sign for this name: "
        + detail,
                   about="ca", note=note)
