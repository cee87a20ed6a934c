"""URIs of a subjectAltName: whether Go can parse them, and their hosts (net/url, crypto/x509)."""
from __future__ import annotations

import re
from typing import NamedTuple

from .addresses import is_address, parse_address
from .text import octets_text, quoted

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_SCHEME = re.compile("([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = "\\w.~!$&'()*+,;=:\\[\\]<>\""
_NOT_IN_HOST = re.compile(f"[^{_HOST}%-]", re.ASCII)
# in a host, only characters beyond ASCII may be escaped
_ASCII_ESCAPE = re.compile("%(?!25)[0-7][0-9A-Fa-f]")
_IN_ZONE = re.compile(f"[{_HOST} -]", re.ASCII)
_USER = re.compile("[\\w.:~!$&'()*+,;=%@-]*", re.ASCII)
_PORT = re.compile("(?::[0-9]*)?")

# The characters that Go escapes when it writes a part, and the parts that Go writes as it read
# them.
_ESCAPED = {part: re.compile(f"[^{plain}-]".encode()) for part, plain in {
    "user": r"\w.~$&+,;=", "host": _HOST, "path": r"\w.~$&+,/:;=@",
    "fragment": r"\w.~$&+,/:;=?@!()*"}.items()}
_AS_READ = {"path": re.compile(r"[\w.~!$&'()*+,;=:@\[\]%/-]*", re.ASCII),
            "fragment": re.compile(r"[\w.~!$&'()*+,;=:@\[\]%/?-]*", re.ASCII)}


class Url(NamedTuple):
    """A parsed URI."""

    text: str
    """The URI as Go writes it."""
    host: str
    """The host and port, without escapes; "" if there is none."""


def parse_url(uri: str) -> Url:
    """Parse an ASCII *uri*; raises ValueError, in Go's words, if net/url refuses the URI."""
    front, _, fragment = uri.partition("#")
    try:
        text, host = _parse(front)
    except ValueError as error:
        raise ValueError(f"parse {quoted(front)}: {error}") from None
    try:
        return Url(text + (f"#{_written('fragment', fragment)}" if fragment else ""), host)
    except ValueError as error:
        raise ValueError(f"parse {quoted(uri)}: {error}") from None


def _parse(url: str) -> Url:
    if re.search("[\x00-\x1f\x7f]", url):
        raise ValueError("net/url: invalid control character in URL")
    if url.startswith(":"):
        raise ValueError("missing protocol scheme")
    match = _SCHEME.match(url)
    scheme = match[0].lower() if match else ""
    rest, mark, query = (url[match.end():] if match else url).partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme + rest + mark + query, "")
        if ":" in rest.partition("/")[0]:
            raise ValueError("first path segment in URL cannot contain colon")
    if not rest.startswith("//") or (not scheme and rest.startswith("///")):
        path = _written("path", rest)
        dot = "./" if not scheme and ":" in path.partition("/")[0] else ""
        return Url(scheme + dot + path + mark + query, "")
    authority, slash, path = rest[2:].partition("/")
    user, at, host = authority.rpartition("@")
    host = _bracketed(host) if host.startswith("[") else _plain(scheme, host)
    if not _USER.fullmatch(user):
        raise ValueError("net/url: invalid userinfo")
    who = ":".join(_escape("user", _unescape(part)) for part in user.split(":", 1)) + at
    path = _written("path", slash + path)
    return Url(scheme + "//" * bool(host or path or at) + who + _escape("host", host) + path + mark
               + query, host)


def _plain(scheme: str, host: str) -> str:
    if "[" in host:
        raise ValueError("invalid IP-literal")
    colon = host.find(":") if scheme in ("http:", "https:") else host.rfind(":")
    if colon >= 0:
        _validate_port(host[colon:])
    return _unescape_host(host)


def _bracketed(host: str) -> str:
    inside, bracket, port = host[1:].rpartition("]")
    if host.rfind("[") > 0:
        raise ValueError("invalid IP-literal")
    if not bracket:
        raise ValueError("missing ']' in host")
    _validate_port(port)
    address, percent, zone = inside.partition("%25")
    zone = percent + zone
    literal = _unescape_host(address) + _unescape(zone)
    if bad := _NOT_IN_HOST.search(zone):
        raise ValueError(f"invalid character {quoted(bad[0])} in host name")
    for escape in _ESCAPE.finditer(zone):
        if escape[0] != "%25" and not _IN_ZONE.fullmatch(chr(int(escape[1], 16))):
            raise ValueError(f"invalid URL escape {quoted(escape[0])}")
    try:
        octets, _ = parse_address(literal)
    except ValueError as error:
        raise ValueError(f"invalid host: {error}") from None
    if len(octets) == 4:
        raise ValueError("invalid IP-literal")
    return f"[{literal}]{port}"


def _validate_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise ValueError(f"invalid port {quoted(port)} after host")


def _unescape_host(host: str) -> str:
    patterns = (_BAD_ESCAPE, _ASCII_ESCAPE, _NOT_IN_HOST)
    bad = min(filter(None, (pattern.search(host) for pattern in patterns)),
              key=lambda match: match.start(), default=None)
    if bad is not None and not bad[0].startswith("%"):
        raise ValueError(f"invalid character {quoted(bad[0])} in host name")
    if bad is not None:
        raise ValueError(f"invalid URL escape {quoted(bad[0])}")
    return _unescape(host)


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    if bad := _BAD_ESCAPE.search(text):
        raise ValueError(f"invalid URL escape {quoted(bad[0])}")
    return octets_text(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1"))


def _escape(part: str, text: str) -> str:
    octets = text.encode("utf-8", "surrogateescape")
    return _ESCAPED[part].sub(lambda match: b"%%%02X" % match[0][0], octets).decode("ascii")


def _written(part: str, text: str) -> str:
    """A path or a fragment as Go writes it: unchanged, unless an octet must be escaped."""
    plain = _unescape(text)
    return text if _AS_READ[part].fullmatch(text) else _escape(part, plain)


def bare_host(url: Url) -> str:
    """A URI's host without its port, for name constraints (parseURIs).

    Raises ValueError, in Go's words, without a host and for an address: constraints do not cover
    these.
    """
    host = url.host
    if not host:
        raise ValueError(
            f"URI with empty host ({quoted(url.text)}) cannot be matched against constraints")
    bare = host.lower()
    if ":" in host and not host.endswith("]"):
        bare, _, _ = host.rpartition(":")
        if bare.startswith("["):
            bare = bare[1:-1]
        elif ":" in bare:
            raise ValueError(
                f"cannot parse URI host {quoted(host)}: address {host}: too many colons in address")
    if is_address(bare) or (bare.startswith("[") and bare.endswith("]")):
        raise ValueError(f"URI with IP ({quoted(url.text)}) cannot be matched against constraints")
    return bare
