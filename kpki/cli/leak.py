"""`kpki show --leaked`: what a leaked key gives, and what to do."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from .common import Words, host_name, put_json, stamp
from .terminal import put
from ..errors import about

if TYPE_CHECKING:
    from ..cluster.leak import KeyHolder, Leak


def show_leak(data: bytes, path: str, place: str, *, now: datetime, as_json: bool,
              read: Callable[[str], bytes], words: Words) -> None:
    """Print what the key in a file (*data*) gives, its use in *place*, and the commands."""
    from ..cluster.leak import find_leak
    with about(path):
        leak = find_leak(data, place, now=now, host_name=host_name(), read=read)
    if as_json:
        put_json({"path": path,
                  "holders": [{"row": holder.row or None, "user": holder.user or None,
                               "groups": list(holder.groups), "power": holder.power,
                               "not_after": holder.not_after and stamp(holder.not_after)}
                              for holder in leak.holders],
                  "places": [{"host": found.host, "path": found.path, "row": found.row or None}
                             for found in leak.places],
                  "commands": list(leak.commands)})
        return
    put(*_lines(leak, place))
    words.say(*_closing(leak))


def _lines(leak: Leak, place: str) -> Iterator[str]:
    yield "The holder of this key could:"
    yield from (f"  {holder.power}" + _who(holder) for holder in leak.holders)
    if not leak.holders:
        yield "  nothing that kpki can tell: no certificate is known for the key"
    yield f"Used in {place}:"
    yield from (f"  {f'{found.host}: ' if found.host else ''}{found.path}"
                + (f" ({found.row})" if found.row else "") for found in leak.places)
    if not leak.places:
        yield "  nowhere"
    if leak.commands:
        yield "To do:"
        yield from (f"  {command}" for command in leak.commands)


def _who(holder: KeyHolder) -> str:
    """Whose certificate it is, and its end."""
    if holder.not_after is None:
        return ""
    groups = "".join(f", O={group}" for group in holder.groups)
    return f" (CN={holder.user}{groups}, until {stamp(holder.not_after)})"


def _closing(leak: Leak) -> Iterator[str]:
    """What no command of the list can do."""
    rows = {holder.row for holder in leak.holders}
    yield "Kubernetes reads no revocation list: an old certificate works until its end,"
    yield "or until its CA has been exchanged by kpki rotate."
    if rows & {"ca", "etcd-ca", "front-proxy-ca"}:
        yield "What the key has signed in other hands works as well until then."
    if "service-accounts" in rows:
        yield "Tokens that the old key has signed work until the last phase of kpki rotate."
