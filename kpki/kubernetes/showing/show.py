"""The bytes of any file → the certificates, requests, keys or kubeconfig in the file."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from .blocks import is_pem, show_der, show_pem
from .kubeconfigs import show_kubeconfig
from .shown import Shown
from .signers import Authorities
from ...errors import FileError

# A field that marks a YAML or JSON text as a kubeconfig, valid or not.
_KUBECONFIG = re.compile(
    rb"\b(clusters|contexts|users|current-context)[\"']?\s*:|\bkind[\"']?\s*:\s*[\"']?Config\b")
_UNKNOWN = "neither a certificate, a request, a key nor a kubeconfig"


def show(data: bytes, *, authorities: Sequence[bytes] = (), now: datetime,
         read: Callable[[str], bytes] | None = None) -> tuple[Shown, ...]:
    """The content of a file: certificates first, then requests and keys, or a kubeconfig.

    *authorities* are the CA certificates (DER) that verify the others; empty for those of the file.
    *now* is the moment (UTC). *read* returns the bytes of a file that a kubeconfig names, or raises
    KpkiError. Unreadable content raises nothing: it is a Shown with a problem.
    """
    given = Authorities("ca", tuple(authorities)) if authorities else None
    if is_pem(data):
        return show_pem(data, authorities=given, now=now) or (
            Shown(kind="unknown", problem="the file holds EC parameters only"),)
    if found := show_der(data, authorities=given, now=now) if data[:1] == b"\x30" else None:
        return (found,)
    if _KUBECONFIG.search(data):
        return (show_kubeconfig(data, read=read or _unread, authorities=given, now=now),)
    return (Shown(kind="unknown", problem=_reason(data)),)


def _reason(data: bytes) -> str:
    if not data.strip():
        return "the file is empty"
    if b"-----BEGIN " in data:
        return f"{_UNKNOWN}: a PEM block must begin at the start of a line"
    return _UNKNOWN + (", or DER that is cut off or broken" if data[:1] == b"\x30" else "")


def _unread(path: str) -> bytes:
    raise FileError(f"{path}: not read")
