"""A finding → the shell commands that mend it here, in order.

A line that begins with `#` says where the next ones are run, or what no command can do. No command takes a file away
before what replaces it is there, so that a run that stops half way leaves the host as it was.
"""
from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .authority import authority_remedy
from .leaf import leaf_remedy
from .lines import command, comment
from .pair import pair_remedy
from .situation import Situation
from ...finding import Finding
from ...observed.contents import read_key
from ...observed.inventory import TOPS, root_of
from ...rules.facts import Pair, pairs_of, trust_files_of
from .... import files
from ....kubernetes.components import COMPONENTS, KUBELET, find_component
from ....kubernetes.layouts import KUBELET_CURRENT, Layout, Place, find_layout
from ....kubernetes.profiles import SERVICE_ACCOUNTS, find_profile
from ....kubernetes.purposes import PURPOSES
from ....kubernetes.restarts import components_of, own_files, restart_lines
from ....stages.keys import public_key_der


# What is mended without a component's knowing.
_NO_RESTART = ("key-exposed", "ca-key-on-worker")


def with_remedies(findings: Sequence[Finding], situation: Situation) -> list[Finding]:
    """The findings, each with the commands that mend it."""
    if not findings:
        return []
    here = replace(situation, pairs=pairs_of(situation.inventory), trust_files=trust_files_of(situation.inventory))
    return [replace(finding, remedy=tuple(_remedy(finding, here))) for finding in findings]


def _remedy(finding: Finding, here: Situation) -> Iterator[str]:
    path = finding.path.partition("#")[0]
    place = next((one for one in here.inventory.layout.places if path in one.files() and one.row == finding.row), None)
    kind = find_profile(place.row).kind if place else ""
    if finding.cause == "key-exposed" and finding.expected.startswith("owner "):
        yield command("chown", finding.expected.removeprefix("owner "), here.at(path))
    elif finding.cause == "key-exposed":
        yield command("chmod", "600", here.at(path))
    elif finding.cause == "file-missing" and place is None and (told := _told(path, here, finding.row)):
        setting, source = told
        yield comment(f"put {here.at(path)} there, or let {setting} in {here.at(source)} name the right file")
    elif finding.cause == "file-missing" and here.inventory.running and not finding.row:
        yield comment(f"put {here.at(path)} there, or let what names the file name the right one")
    elif not here.inventory.layout.name or place is None and not finding.row:
        yield _elsewhere(path, here)
    elif finding.cause == "flags-mismatch":
        yield from _flags(here)
    elif finding.cause == "signing-bundle":
        signer = f"{posixpath.splitext(path)[0]}-signer.crt"
        yield comment(f"write the certificate of the CA's key, that one alone, to {here.at(signer)}, and let "
                      f"--cluster-signing-cert-file of kube-controller-manager name /{signer}")
    elif finding.cause == "ca-key-on-worker":
        yield _away(path, here)
    elif kind in ("ca", "key") and place and any(here.inventory.look(one).unread for one in place.files()):
        yield comment("what mends it depends on a file that this user may not read: kpki check as root tells")
    elif kind == "key" and place:
        yield from _service_accounts(finding, place, here)
    elif kind == "ca" and place:
        yield from authority_remedy(finding, place, path, here)
    elif finding.cause == "kubelet-client-current-broken" and finding.mild:
        current, kept = here.at(KUBELET_CURRENT), "kubelet-client-kept.pem"
        yield command("cp", "-p", current, posixpath.join(posixpath.dirname(current), kept))
        yield command("ln", "-sf", f"/{posixpath.dirname(KUBELET_CURRENT)}/{kept}", current)
    elif pair := _told_pair(finding.path, here):
        yield from pair_remedy(finding, pair, here)
    else:
        yield from leaf_remedy(finding.row or here.inventory.layout.kubelet.row, here, finding)


def _told_pair(path: str, here: Situation) -> Pair | None:
    """The pair of a finding, if a component reads the pair where kpki's layout has none, or for several rows."""
    if here.workspace or "#" in path:
        return None
    layout = find_layout(here.inventory.layout.name)
    return next((pair for pair in here.pairs if path in (pair.path, pair.key_path) and pair.row
                 and any(use.source for use in pair.uses)
                 and (_is_stored(pair, layout) or _is_elsewhere(pair, layout))), None)


def _is_stored(pair: Pair, layout: Layout) -> bool:
    """Whether a pair with a key lies in the kubelet's own store; kubeadm's client pair has a way of its own."""
    return pair.key_path == pair.path and pair.path.endswith("-current.pem") and pair.key is not None \
        and (layout.name != "kubeadm" or not pair.serves("kubelet-client"))


def _is_elsewhere(pair: Pair, layout: Layout) -> bool:
    """Whether a pair of two files is at no place of its row, or serves several rows."""
    rows = (pair.row, layout.kubelet.row) if pair.row.startswith("kubelet-") else (pair.row,)
    own = {file for place in layout.places if place.row in rows for file in place.files()}
    served = {PURPOSES[use.purpose].row for use in pair.uses}
    return pair.key_path not in ("", pair.path) and "#" not in pair.path and (
        pair.path not in own or len(served - {"kubelet-client"}) > 1)


def restarts(findings: Sequence[Finding], here: Situation) -> Iterator[str]:
    """Comments that name what is to be restarted on the host once the commands of these findings have been run."""
    layout, told = here.inventory.layout, here.inventory.started
    mended = {one.row for one in findings if one.cause not in _NO_RESTART
              and any(not line.startswith("#") for line in one.remedy)}
    changed = {path for place in layout.places if place.row in mended for path in place.files()}
    running = {one.name for one in COMPONENTS if one.name in told or any(
        not here.inventory.look(path).missing for path in own_files(layout, one))}
    static = {one.component for one in here.inventory.running if one.static}
    for line in restart_lines(components_of(layout, changed, running), static.__contains__):
        yield comment(f"then, on {here.node}: {line}")


def _told(path: str, here: Situation, row: str) -> tuple[str, str] | None:
    """The setting that names a file, and where it stands; None for a file of a *row* that the kubelet alone reads."""
    return next(((use.setting, use.source) for use in here.inventory.uses if use.source and use.path == path
                 and not (row and use.component == KUBELET.name)), None)


def _elsewhere(path: str, here: Situation) -> str:
    """What to do about a file that is judged by itself: nothing tells whose it is, but for the tree that it lies in."""
    root, inner = root_of(posixpath.join(here.inventory.root, path))
    if inner.startswith(TOPS):
        given = [word for pair in (("--ca", here.ca), ("--ca-key", here.ca_key)) if pair[1] for word in pair]
        words = command("kpki", "check", os.path.relpath(root), "--node", "NODE", *map(str, given))
        return comment(f"the commands that mend it: {words}")
    return comment("nothing here tells what it is for: make it anew where it was made")


def _away(path: str, here: Situation) -> str:
    """What takes a CA's key from a worker: nothing before it is known that whoever signs holds it."""
    key = read_key(here.inventory.look(path), "ca")[0]
    if key is not None and public_key_der(key) == here.ca_public_key and not _is_same(here.ca_key or "", here.at(path)):
        return command("rm", here.at(path))
    return comment(f"take {here.at(path)} away once a control-plane host, or a place that is locked away, holds it; "
                   "kpki check --ca CERT --ca-key KEY says how")


def _is_same(one: str, other: str) -> bool:
    """Whether two paths lead to one file of this machine."""
    return files.resolve(os.sep, os.path.abspath(one)) == files.resolve(os.sep, os.path.abspath(other))


def _flags(here: Situation) -> Iterator[str]:
    layout = here.inventory.layout
    folder = "etc/systemd/system/kubelet.service.d"
    later = [posixpath.basename(path) for path in here.inventory.found if "/kubelet.service.d/" in path]
    # a name of its own, read after all others: `>` empties what is there before kpki has spoken
    names = ["20-certificates.conf", "zz-certificates.conf", f"{max(later, default='')[:-5]}z-certificates.conf"]
    name = next(one for one in names if all(other < one for other in later))
    yield command("mkdir", "-p", here.at(folder))
    told = [] if here.workspace else ["--layout", layout.name]
    flags = command("kpki", "flags", "kubelet", "--node", here.node, *told, "--format", "systemd")
    yield f"{flags} > {command(here.at(f'{folder}/{name}'))}"
    yield comment("then: systemctl daemon-reload && systemctl restart kubelet; ExecStart= of kubelet.service needs the "
                  f"word ${find_component('kubelet').variable(layout)}")


def _service_accounts(finding: Finding, place: Place, here: Situation) -> Iterator[str]:
    key, fault = read_key(here.inventory.look(place.key), SERVICE_ACCOUNTS) if place.key else (None, None)
    if key is None or fault is not None or not place.certificate:
        yield comment(f"no command makes this key again: copy {place.key} from another control-plane host; if it is "
                      "lost on all of them, a new pair makes every service account's token void")
    elif finding.cause == "key-unreadable":
        yield comment(f"what lies at {here.at(place.certificate)} is no file: move it elsewhere, and check again")
    else:
        public = here.at(place.certificate)
        if here.holds(place.certificate):
            yield command("cp", "-p", public, f"{public}.aside")
        yield command("kpki", "pkey", "-in", here.at(place.key), "-pubout", "-out", public)
