"""A finding → the shell commands that mend it here, in order.

A line that begins with `#` says where the next ones are run, or what no command can do.
"""
from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace
from shlex import quote

from .authority import OF_THE_CA, authority_remedy
from .leaf import leaf_remedy
from .situation import Situation
from ...finding import Finding
from ...observed.contents import read_key
from ...observed.inventory import TOPS, root_of
from ....kubernetes.components import KUBELET, find_component
from ....kubernetes.layouts import KUBELET_CURRENT, Place
from ....kubernetes.profiles import SERVICE_ACCOUNTS, find_profile

# What issue, which keeps what is right, would keep.
_RIGHT_BY_ITSELF = ("serial-reused", "expiring-soon", *OF_THE_CA)


def with_remedies(findings: Sequence[Finding], situation: Situation) -> list[Finding]:
    """The findings, each with the commands that mend it."""
    return [replace(finding, remedy=tuple(_remedy(finding, situation))) for finding in findings]


def _remedy(finding: Finding, here: Situation) -> Iterator[str]:
    path = finding.path.partition("#")[0]
    place = next((one for one in here.inventory.layout.places if path in one.files() and one.row == finding.row), None)
    kind = find_profile(place.row).kind if place else ""
    if finding.cause == "key-exposed" and finding.expected.startswith("owner "):
        yield f"chown {quote(finding.expected.removeprefix('owner '))} {here.at(path)}"
    elif finding.cause == "key-exposed":
        yield f"chmod 600 {here.at(path)}"
    elif not here.inventory.layout.name or place is None and not finding.row:
        yield _elsewhere(path, here)
    elif finding.cause == "file-missing" and place is None and (told := _told(path, here)):
        flag, source = told
        yield f"# put {here.at(path)} there, or let --{flag} in {here.at(source)} name the right file"
    elif finding.cause == "flags-mismatch":
        yield from _flags(here)
    elif finding.cause == "ca-key-on-worker":
        yield "# once a control-plane host, or a place that is locked away, holds this key:"
        yield f"rm {here.at(path)}"
    elif kind in ("ca", "key") and place and any(here.inventory.look(one).unread for one in place.files()):
        yield "# what mends it depends on a file that this user may not read: kpki check as root tells"
    elif kind == "key" and place:
        yield from _service_accounts(finding, place, here)
    elif kind == "ca" and place:
        yield from _way_clear(finding, here)
        yield from authority_remedy(finding, place, path, here)
    elif finding.cause == "kubelet-client-current-broken" and finding.mild:
        kept = posixpath.join(posixpath.dirname(KUBELET_CURRENT), "kubelet-client-kept.pem")
        yield f"mv {here.at(KUBELET_CURRENT)} {here.at(kept)}"
        yield f"ln -s /{kept} {here.at(KUBELET_CURRENT)}"
    else:
        yield from _way_clear(finding, here)
        yield from leaf_remedy(finding.row or here.inventory.layout.kubelet.row, here)


def _told(path: str, here: Situation) -> tuple[str, str] | None:
    """The flag that names a file, and where it stands; None for a file that no component but the kubelet is told of."""
    return next(((flag, told.source) for (component, flag), told in here.inventory.told.items()
                 if component != KUBELET.name and told.path == path), None)


def _elsewhere(path: str, here: Situation) -> str:
    """What to do about a file that is judged by itself: nothing tells whose it is, but for the tree that it lies in."""
    root, inner = root_of(posixpath.join(here.inventory.root, path))
    if inner.startswith(TOPS):
        return f"# the commands that mend it: kpki check {quote(os.path.relpath(root))} --node NODE"
    return "# nothing here tells what it is for: make it anew where it was made"


def _way_clear(finding: Finding, here: Situation) -> Iterator[str]:
    """What must go from a file's place before another can lie there."""
    path = finding.path.partition("#")[0]
    found = here.inventory.look(path)
    if path == KUBELET_CURRENT:
        yield f"rm {here.at(path)}" if found.link or not found.data else f"mv {here.at(path)} {here.at(path)}.aside"
    elif found.missing and found.link:
        yield f"rm {here.at(path)}"
    elif finding.cause == "key-unreadable":
        yield f"mv {here.at(path)} {here.at(path)}.aside"
    elif finding.cause in _RIGHT_BY_ITSELF and here.trees is not None and "#" not in finding.path:
        yield f"mv {here.at(path)} {here.at(path)}.aside"      # or issue would keep what is right by itself


def _flags(here: Situation) -> Iterator[str]:
    layout = here.inventory.layout
    folder = "etc/systemd/system/kubelet.service.d"
    later = [posixpath.basename(told.source) for (component, _), told in here.inventory.told.items()
             if component == "kubelet" and "/kubelet.service.d/" in told.source]
    name = "20-certificates.conf"
    if any(one >= name for one in later):
        name = "zz-certificates.conf"
    yield f"mkdir -p {here.at(folder)}"
    told = "" if here.workspace else f" --layout {layout.name}"
    yield f"kpki flags kubelet --node {here.node}{told} --format systemd > {here.at(f'{folder}/{name}')}"
    yield ("# then: systemctl daemon-reload && systemctl restart kubelet; ExecStart= of kubelet.service needs the word "
           f"${find_component('kubelet').variable(layout)}")


def _service_accounts(finding: Finding, place: Place, here: Situation) -> Iterator[str]:
    key, fault = read_key(here.inventory.look(place.key), SERVICE_ACCOUNTS) if place.key else (None, None)
    if key is not None and fault is None and place.certificate:
        yield from _way_clear(finding, here)
        yield f"kpki pkey -in {here.at(place.key)} -pubout -out {here.at(place.certificate)}"
    else:
        yield (f"# no command makes this key again: copy {place.key} from another control-plane host; if it is lost on "
               "all of them, a new pair makes every service account's token void")
