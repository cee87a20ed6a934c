"""Any file's bytes → what it says."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from ...errors import FileError
from .blocks import is_pem, show_der, show_pem
from .kubeconfigs import show_kubeconfig
from .shown import Shown
from .signers import Authorities

# A field that makes a YAML or JSON text a kubeconfig, or a broken one.
_KUBECONFIG = re.compile(
    rb"\b(clusters|contexts|users|current-context)[\"']?\s*:|\bkind[\"']?\s*:\s*[\"']?Config\b")
_UNKNOWN = "neither a certificate, a request, a key nor a kubeconfig"


def show(data: bytes, *, authorities: Sequence[bytes] = (), now: datetime,
         read: Callable[[str], bytes] | None = None) -> tuple[Shown, ...]:
    """What a file says: its certificates, the first one first, then what else it holds, in order.

    *authorities* are the certificates (DER) of the CA that others are judged by, none: those of the file itself; *now*
    is the moment (UTC), *read* gives a file that a kubeconfig names, or raises KpkiError. Never an exception for what
    is in the file: what cannot be read is a Shown with a problem.
    """
    given = Authorities("ca", tuple(authorities)) if authorities else None
    if is_pem(data):
        return show_pem(data, authorities=given, now=now) or (
            Shown(kind="unknown", problem="EC parameters are all that the file holds"),)
    if found := show_der(data, authorities=given, now=now) if data[:1] == b"\x30" else None:
        return (found,)
    if _KUBECONFIG.search(data):
        return (show_kubeconfig(data, read=read or _unread, authorities=given, now=now),)
    return (Shown(kind="unknown", problem=_reason(data)),)


def _reason(data: bytes) -> str:
    if not data.strip():
        return "the file is empty"
    if b"-----BEGIN " in data:
        return f"{_UNKNOWN}: a PEM block begins at the start of a line"
    return _UNKNOWN + (": if it is DER, it is cut off or broken" if data[:1] == b"\x30" else "")


def _unread(path: str) -> bytes:
    raise FileError(f"{path}: not read")
