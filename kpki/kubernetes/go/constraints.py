"""Name constraints (x509/constraints.go; RFC 5280 §4.2.1.10).

Go sorts the constraints of a kind, drops those that another one covers, and looks only at the nearest: some odd ones
are missed that way, so the same is done here.
"""
from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, NoReturn, TypeVar

from .addresses import ip_text, to_4
from .der import GoError
from .text import is_domain, quoted
from .urls import Url, bare_host

_KEY = bytes.maketrans(b".ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"\0abcdefghijklmnopqrstuvwxyz")
_ATEXT = r"[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~.]"
_MAILBOX = re.compile(
    r'"((?:\\[\x01-\x09\x0b\x0c\x0e-\x7f]|[\x01-\x08\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f])*)"@(.*)'
    rf"|((?:\\.|{_ATEXT})+)@(.*)", re.DOTALL)
_BY_WILDCARD = "Go 1.24 lets a wildcard pass beside an excluded name below it"
_URIS_UNASKED = "Go 1.24 looks at URIs only where there are constraints for URIs"


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
    """An e-mail address as RFC 2821 §4.1.2 writes it, as freely as Go reads it; None for anything else."""
    match = _MAILBOX.fullmatch(text)
    if match is None:
        return None
    quoted_local, _, plain, _ = match.groups()
    local = re.sub(r"\\(.)", r"\1", quoted_local if plain is None else plain, flags=re.DOTALL)
    domain = match[2] if plain is None else match[4]
    if plain is not None and (local.startswith(".") or local.endswith(".") or ".." in local) or not is_domain(domain):
        return None
    return Mailbox(local, domain.lower())


T = TypeVar("T")
Query = Callable[[T], "str | None"]     # of a name: the text of the constraint that covers it, or None


def _dns_query(names: Sequence[str], permitted: bool) -> Query[str] | None:
    if not names:
        return None
    if "" in names:
        return lambda name: ""
    kept: list[str] = []
    for one in sorted(names, key=_sort_key):
        if not kept or not _is_suffix(kept[-1], one):
            kept.append(one)
    keys = [_sort_key(one) for one in kept]
    parents = {} if permitted else {trimmed: one.lower() for one in kept if (trimmed := _without_label(one.lower()))}

    def query(name: str) -> str | None:
        nearest = kept[_nearest(keys, _sort_key(name))]
        if _is_suffix(nearest, name):
            return nearest
        return parents.get(_without_label(name.lower())) if name.startswith("*") else None
    return query


def _sort_key(name: str) -> bytes:
    return name.encode("latin-1").translate(_KEY)[::-1]


def _nearest(keys: Sequence[bytes], key: bytes) -> int:
    """Where *key* stands, or would stand after; 0 where it comes before them all."""
    at = bisect_left(keys, key)
    return at if at < len(keys) and keys[at] == key else max(at - 1, 0)


def _is_suffix(domain: str, name: str) -> bool:
    """Whether *name* is in *domain*, by whole labels; a domain that begins with a dot does not hold itself."""
    domain, name = domain.lower(), name.lower()
    return name.endswith(domain) and (domain[0] == "." or len(name) == len(domain) or name[-len(domain) - 1] == ".")


def _without_label(name: str) -> str:
    return name[name.index("."):] if "." in name else ""


def _ip_query(ranges: Sequence[Range], permitted: bool) -> Query[bytes] | None:
    if not ranges:
        return None
    of_size = {size: _kept(one for one in ranges if len(one[0]) == size) for size in (4, 16)}
    keys = {size: [address for address, _ in kept] for size, kept in of_size.items()}

    def query(address: bytes) -> str | None:
        size = len(address)
        if not keys[size]:
            return None
        nearest = of_size[size][_nearest(keys[size], address)]
        return _range_text(nearest) if _contains(nearest, address) else None
    return query


def _kept(ranges: Iterable[Range]) -> list[Range]:
    kept: list[Range] = []
    for address, mask in sorted(ranges):
        last = bytes(one | ~other & 0xFF for one, other in zip(address, mask, strict=True))
        if not kept or not (_contains(kept[-1], address) and _contains(kept[-1], last)):
            kept.append((address, mask))
    return kept


def _contains(network: Range, address: bytes) -> bool:
    """Whether an address is in the range (net.IPNet.Contains): mapped addresses count as IPv4."""
    base, address = to_4(network[0]), to_4(address)
    return len(base) == len(address) and all(
        one & bit == other & bit for one, other, bit in zip(base, address, network[1][-len(base):], strict=True))


def _range_text(network: Range) -> str:
    base = to_4(network[0])
    return f"{ip_text(base)}/{int.from_bytes(network[1][-len(base):], 'big').bit_count()}"


def _email_query(addresses: Sequence[str], permitted: bool) -> Query[Mailbox] | None:
    if not addresses:
        return None
    whole = {mailbox for one in addresses if "@" in one and (mailbox := parse_mailbox(one))}
    domains = _dns_query([one for one in addresses if "@" not in one], permitted)

    def query(mailbox: Mailbox) -> str | None:
        if mailbox in whole:
            return f"{mailbox.local}@{mailbox.domain}"
        return domains(mailbox.domain) if domains else None
    return query


class Limits(NamedTuple):
    """The constraints of one CA, ready to be asked: of each kind what is permitted and what is excluded."""

    ips: tuple[Query[bytes] | None, Query[bytes] | None]
    dns: tuple[Query[str] | None, Query[str] | None]
    uris: tuple[Query[str] | None, Query[str] | None]
    emails: tuple[Query[Mailbox] | None, Query[Mailbox] | None]


def limits_of(permitted: Subtrees, excluded: Subtrees) -> Limits:
    """The limits that a name constraints extension sets."""
    return Limits((_ip_query(permitted.ips, True), _ip_query(excluded.ips, False)),
                  (_dns_query(permitted.dns, True), _dns_query(excluded.dns, False)),
                  (_dns_query(permitted.uris, True), _dns_query(excluded.uris, False)),
                  (_email_query(permitted.emails, True), _email_query(excluded.emails, False)))


def check_names(chain: Sequence[tuple[Alternatives | None, Limits | None]]) -> None:
    """GoError unless every name in the chain, from the leaf up, is within the limits of all that stands above it."""
    for depth, (names, _) in enumerate(chain):
        above = [limits for _, limits in chain[depth + 1:] if limits is not None]
        if names is not None and above:
            try:
                _check(names, above)
            except ValueError as error:
                raise _refusal(str(error)) from None


def _check(names: Alternatives, above: Sequence[Limits]) -> None:
    try:
        hosts = [bare_host(url) for url in names.uris]
    except ValueError as error:
        raise _refusal(str(error), None if any(any(one.uris) for one in above) else _URIS_UNASKED) from None
    mailboxes = [parse_mailbox(one) or _unreadable("rfc822Name", one) for one in names.emails]
    for limits in above:
        for ip in names.ips:
            _check_one("IP address", ip_text(ip), ip, limits.ips)
        for name in names.dns:
            _check_one("DNS name", name, name if is_domain(name) else _unreadable("dnsName", name), limits.dns)
        for url, host in zip(names.uris, hosts, strict=True):
            _check_one("URI", url.text, host, limits.uris)
        for mailbox in mailboxes:
            _check_one("email address", f"{mailbox.local}@{mailbox.domain}", mailbox, limits.emails)


def _unreadable(kind: str, text: str) -> NoReturn:
    raise ValueError(f"{'x509: ' * (kind == 'dnsName')}cannot parse {kind} {quoted(text)}")


def _check_one(kind: str, shown: str, name: T, limits: tuple[Query[T] | None, Query[T] | None]) -> None:
    permitted, excluded = limits
    if permitted is not None and permitted(name) is None:
        raise _refusal(f"{kind} {quoted(shown)} is not permitted by any constraint")
    if excluded is not None and (constraint := excluded(name)) is not None:
        by_wildcard = kind == "DNS name" and shown[:1] == "*" and constraint and not _is_suffix(constraint, shown)
        raise _refusal(f"{kind} {quoted(shown)} is excluded by constraint {quoted(constraint)}",
                       _BY_WILDCARD if by_wildcard else None)


def _refusal(detail: str, note: str | None = None) -> GoError:
    return GoError("x509: a root or intermediate certificate is not authorized to sign for this name: " + detail,
                   about="ca", note=note)
