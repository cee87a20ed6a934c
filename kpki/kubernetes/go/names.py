"""Distinguished names (x509/parser.go, parseName), host names (x509/verify.go, VerifyHostname)."""
from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from .addresses import ip_text, parse_ip, to_16
from .constraints import Alternatives
from .der import SEQUENCE, SET, GoError, Reader

_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_PRINTABLE = (b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
              b"'()+,-./ :=?*&")     # the last two are Go's own
_NUMERIC = b"0123456789 "
_NOT_UCS2 = "[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U00010000-\U0010ffff]"
_LATER = "Go 1.27 reads a string of this type"
_INVALID = "x509: invalid RDNSequence"
_INVALID_VALUE = f"{_INVALID}: invalid attribute value"
_LISTED = 100   # from this number of names on, Go's message counts the names and does not list them

_LABEL = r"(?!-)[a-zA-Z0-9_-]+"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PATTERN = re.compile(rf"(?:\*\.{_LABEL}|{_LABEL})(?:\.{_LABEL})*")
_UPPER_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class PkixName(NamedTuple):
    """The attributes of a distinguished name that verdicts need."""

    common_name: str
    """The last CN; "" if there is none."""
    organization: str | None
    """The first O."""


def _only(allowed: bytes, name: str) -> Callable[[bytes], str]:
    def decode(value: bytes) -> str:
        if value.translate(None, allowed):
            raise ValueError(f"invalid {name}")
        return value.decode("ascii")
    return decode


def _utf8(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("invalid UTF-8 string") from None


def _ucs2(value: bytes) -> str:
    text = "" if len(value) % 2 else value.decode("utf-16-be", "surrogatepass")
    if len(value) % 2 or re.search(_NOT_UCS2, text):
        raise ValueError("invalid BMPString")
    return text.removesuffix("\0")


_STRINGS: dict[int, Callable[[bytes], str]] = {
    12: _utf8, 18: _only(_NUMERIC, "NumericString"), 19: _only(_PRINTABLE, "PrintableString"),
    20: lambda value: value.decode("latin-1"), 22: _only(bytes(range(128)), "IA5String"), 30: _ucs2,
}


def read_name(content: bytes) -> PkixName:
    """The name in the content of a Name item (DER); raises GoError for a malformed name."""
    common_name, organization = "", None
    for relative in Reader(content).each(SET, _INVALID):
        for kind, text in _attributes(relative):
            if kind == _COMMON_NAME:
                common_name = text
            elif kind == _ORGANIZATION and organization is None:
                organization = text
    return PkixName(common_name, organization)


@lru_cache(maxsize=256)     # the certificates of a batch have an O in common
def _attributes(relative: bytes) -> list[tuple[bytes, str]]:
    """(type, text) of each attribute in the content of a RelativeDistinguishedName."""
    found = []
    for content in Reader(relative).each(SEQUENCE, "x509: invalid RDNSequence: invalid attribute"):
        attribute = Reader(content)
        kind = attribute.oid("x509: invalid RDNSequence: invalid attribute type")
        tag, value = attribute.any(_INVALID_VALUE)
        if tag not in _STRINGS:
            raise GoError(f"{_INVALID_VALUE}: unsupported string type: {tag}", note=_LATER)
        try:
            found.append((kind, _STRINGS[tag](value)))
        except ValueError as error:
            raise GoError(f"{_INVALID_VALUE}: {error}") from None
    return found


def validate_host(common_name: str, alternatives: Alternatives | None, host: str) -> None:
    """Raise GoError unless *alternatives* have *host*, a name or an address (in brackets or not).

    *alternatives* are None for a certificate without a subjectAltName.
    """
    names = alternatives or Alternatives()
    bare = host[1:-1] if len(host) >= 3 and host[0] == "[" and host[-1] == "]" else host
    address = parse_ip(bare)
    if address is not None:
        if not any(to_16(ip) == address for ip in names.ips):
            raise GoError(_not_for(common_name, alternatives, bare),
                          about="address" if alternatives else "unnamed")
        return
    wanted = _lower(host)
    if not any(_matches(dns_name, wanted) for dns_name in names.dns):
        raise GoError(_not_for(common_name, alternatives, host),
                      about="name" if alternatives else "unnamed")


def _matches(pattern: str, host: str) -> bool:
    """Whether a pattern matches a host: valid names by label, other text as a whole, in any case.

    The first label of a pattern may be `*`.
    """
    pattern = _lower(pattern)
    if pattern == host:
        return host not in ("", ".")
    return (_matches_labels(pattern, host) and _PATTERN.fullmatch(pattern) is not None
            and _HOST.fullmatch(host.removesuffix(".")) is not None)


def _matches_labels(pattern: str, host: str) -> bool:
    first, *rest = pattern.split(".")
    wanted, *others = host.removesuffix(".").split(".")
    return bool(pattern) and first in ("*", wanted) and rest == others


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_UPPER_TO_LOWER)


def _not_for(common_name: str, alternatives: Alternatives | None, host: str) -> str:
    """Go's sentence about a certificate without *host* among its names (HostnameError)."""
    if not alternatives and _matches_labels(_lower(common_name), _lower(host)):
        return "x509: certificate relies on legacy Common Name field, use SANs instead"
    names = alternatives or Alternatives()
    is_ip = parse_ip(host) is not None
    if is_ip and not names.ips:
        return (f"x509: cannot validate certificate for {host} "
                "because it doesn't contain any IP SANs")
    count = len(names.ips if is_ip else names.dns)
    if count >= _LISTED:
        kind = "IP SANs" if is_ip else "names"
        return f"x509: certificate is valid for {count} {kind}, but none matched {host}"
    listed = ", ".join(map(ip_text, names.ips) if is_ip else names.dns)
    if not listed:
        return f"x509: certificate is not valid for any names, but wanted to match {host}"
    return f"x509: certificate is valid for {listed}, not {host}"
