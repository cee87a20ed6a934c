"""The blocks of a PEM file as Go finds them (encoding/pem); malformed blocks are skipped."""
from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"\n-----END ", b"-----"
_HEADERS = re.compile(rb"(?:[^:\n]*+:[^\n]*+(?:\n|\Z))*+")       # lines with a colon
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def certificates(data: bytes) -> Iterator[bytes]:
    """The content of each block CERTIFICATE without headers, the only blocks for Kubernetes."""
    return (content for label, headers, content in blocks(data) if label == b"CERTIFICATE"
            and not headers)


def blocks(data: bytes) -> Iterator[tuple[bytes, bool, bytes]]:
    """(label, whether the block has headers, content) of each block, in order (pem.Decode)."""
    at = 0
    while (found := _block(data, at)) is not None:
        label, headers, content, at = found
        yield label, headers, content


def is_blocks_to_the_end(data: bytes) -> bool:
    """Whether *data* ends with a block, of any label."""
    at = 0
    while at < len(data) and (found := _block(data, at)) is not None:
        at = found[-1]
    return at == len(data)


def _block(data: bytes, at: int) -> tuple[bytes, bool, bytes, int] | None:
    """The next block, (label, whether it has headers, content, end), or None at the end."""
    while (end := data.find(_END, at)) >= 0:
        start, trailer = at, end + len(_END)
        at = trailer                        # the search continues here if this is no block
        begin = data.rfind(_BEGIN, start, end)
        if begin < 0 or (begin > start and data[begin - 1:begin] != b"\n"):
            continue
        line, body = _line(data, begin + len(_BEGIN))
        if not line.endswith(_DASHES):
            continue
        label, match = line[:-len(_DASHES)], _HEADERS.match(data, body)
        headers = match is not None and match.end() > body
        body = match.end() if match else body
        if body >= len(data):
            return None
        rest, after = _line(data, trailer)
        content = data[body:end].translate(None, b" \t\r\n")
        if (headers and end < body) or rest != label + _DASHES or not _BASE64.fullmatch(content):
            if headers and body > trailer:
                return None     # the headers reach beyond the end line: Go stops
            continue
        return label, headers, b64decode(content), after
    return None


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """(line at *at* without blanks at its end, start of the next line)."""
    end = data.find(b"\n", at)
    if end < 0:
        return data[at:].rstrip(b" \t"), len(data)
    return data[at:end].removesuffix(b"\r").rstrip(b" \t"), end + 1
