"""Putting a node's files in place: read them, check everything, replace all at once."""
from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from .. import files, pem
from ..errors import FileError, InputError, RefusedError, about
from ..kubernetes import reading
from ..kubernetes.kubeconfig import dump_kubeconfig, load_kubeconfig
from ..kubernetes.layouts import CERTIFICATE_MODE, FOLDER_MODE, LAYOUTS, SSL, Layout
from ..kubernetes.profiles import NODE_PREFIX
from .authority import load_bundle, plain_key
from .contents import Finding, shown
from .findings import check_node
from .inventory import Found, Inventory, inspect, kubeconfig_of, layout_there
from .node import kubelet_row, named_kubeconfig, no_server, node_of, request_key
from .pairs import ca_path, leaf_files, path_kubeconfig

BACKUP = "var/lib/kpki/backup"
# Faults of files that cannot be taken at all, as against files that are another's.
UNREADABLE = ("file-missing", "bad-pem", "malformed-x509", "key-unreadable", "encrypted-key", "kubeconfig-broken")


@dataclass(frozen=True, slots=True)
class Installation:
    """What is to be put in place: the *files*, and the node whose pair lay there before (None: nobody else's).

    *warnings* are lines to be told to a person.
    """

    files: tuple[files.File, ...]
    former: str | None
    warnings: tuple[str, ...] = ()


def tree_files(tree: str, layout: Layout) -> tuple[files.File, ...]:
    """The files of a node's tree on disk, as far as they are there. FileError where one cannot be read."""
    found = inspect(tree, layout=layout.name).found
    modes = dict(layout.files())
    for one in found.values():
        if one.problem:
            raise FileError(f"{tree}/{one.path}: {one.problem}")
    return tuple(files.File(path, found[path].data or b"", mode) for path, mode in modes.items()
                 if not found[path].missing)


def signed_files(data: bytes, key: bytes, layout: Layout, *, node: str, server: str | None) -> tuple[files.File, ...]:
    """The files that a signed answer (PEM: certificate, then CA) and the request's key make on *node*.

    Without a *server* the kubeconfig is not among them, unless it is the only place of the pair: then InputError.
    """
    chain = load_bundle(data)
    if len(chain) < 2:
        raise InputError("only one certificate in it: the node's own, and after it the CA's, are wanted",
                         hint="kpki node sign writes both")
    bundle = pem.dump_certificates(chain[1:])
    row = kubelet_row(layout, node_of(node), server)
    if server is None and not row.place.certificate:
        raise no_server(node)
    made = leaf_files(row, layout, chain=chain[:1], key=pem.load_key(key), bundle=bundle)
    return (files.File(ca_path(layout), bundle, CERTIFICATE_MODE),
            *(one for one in made if server or one.path != row.place.kubeconfig))


def _is_archive(data: bytes) -> bool:
    return b"\0" in data[:512] and data[:1] != b"\x30"        # no text, and no DER


def read_source(path: str, layout: Layout | None, *, root: str, key: str | None, node: str,
                server: str | None) -> tuple[Layout, tuple[files.File, ...]]:
    """What `node install` is given, and its layout: a tree, an archive of one, or a signed answer (PEM) with the
    request's key.

    Without a *layout* it is a tree's own, that of an archive's files, else the root's, ssl in the end. The key is
    *key*'s file, else the one that `node request` left beside the answer, else the one in place. Raises InputError or
    FileError for what cannot be read.
    """
    _check_root(root)
    if _kind(path) == "folder":
        chosen = layout or layout_there(path) or layout_there(root) or SSL
        return chosen, tree_files(path, chosen)
    data = files.read(path)
    with about(path):
        if _is_archive(data):
            return _unpacked(data, layout or _archive_layout(data) or layout_there(root) or SSL)
        chosen = layout or layout_there(root) or SSL
        name = request_key(chosen)
        beside = [os.path.join(os.path.dirname(path), node, name), os.path.join("nodes", node, name),
                  os.path.join(root, name)]
        place = key or next((one for one in beside if _kind(one) == "file"), None)
        if place is None:
            raise InputError("the key of this certificate is not here",
                             hint="kpki node request made it: say --key FILE")
    key_data = files.read(place)
    with about(place):
        plain = pem.dump_key(plain_key(key_data), form="traditional")
    there = kubeconfig_of(inspect(root, layout=chosen.name).found, chosen.kubelet)
    known = server or (there.server if there and not chosen.kubelet.certificate else None)
    with about(path):
        return chosen, signed_files(data, plain, chosen, node=node, server=known)


def _archive_layout(data: bytes) -> Layout | None:
    """The layout that an archive's files are of, None where they are of none."""
    for layout in LAYOUTS:
        with suppress(InputError):
            if files.unpack(data, expected=dict(layout.files())):
                return layout
    return None


def _unpacked(data: bytes, layout: Layout) -> tuple[Layout, tuple[files.File, ...]]:
    modes = dict(layout.files())
    return layout, tuple(files.File(one.path, one.data, modes[one.path]) for one in files.unpack(data, expected=modes))


def _kind(path: str) -> str:
    """What lies at a path, with symbolic links followed; nothing lies at an empty one."""
    return files.look_at(path).kind if path else "missing"


def _check_root(root: str) -> None:
    if _kind(root) != "folder":
        raise FileError(f"{root or repr(root)}: no such folder", hint="--root is the node's root folder")


def plan_install(source: Sequence[files.File], root: str, node: str, *, layout: Layout, server: str | None,
                 now: datetime) -> Installation:
    """What installing these files on *node*, whose root is *root*, would put there, once all of it has been checked.

    A kubeconfig that is there and right is kept. Raises RefusedError for files that are another node's, no pair, of an
    unknown CA or expired; InputError for files that cannot be read, or where a kubeconfig must be made and nothing
    tells the *server*.
    """
    place, there = layout.kubelet, inspect(root, layout=layout.name)
    given = next((one for one in source if one.path == place.kubeconfig), None)
    kubeconfig = named_kubeconfig(there, server) or (_led_to(server, given, layout, node) if server else given)
    if kubeconfig is None:
        raise no_server(node)
    wanted = [*(one for one in source if one != given), kubeconfig]
    _check_files(wanted, layout, node, now)
    return Installation(tuple(wanted), _former(there, node), _another_ca(there, wanted))


def _led_to(server: str, given: files.File | None, layout: Layout, node: str) -> files.File | None:
    """The kubeconfig of what is installed, leading to *server*; one that names the layout's files is made."""
    if not layout.kubelet.by_path:
        with about(given.path if given else layout.kubelet.kubeconfig):
            return given and replace(given, data=dump_kubeconfig(replace(load_kubeconfig(given.data), server=server)))
    return path_kubeconfig(kubelet_row(layout, node_of(node), server), layout)


def _another_ca(there: Inventory, wanted: Sequence[files.File]) -> tuple[str, ...]:
    """A warning where the CA that is in place is not among those that take its place."""
    path = ca_path(there.layout)
    try:
        old, new = (pem.load_certificates(data) for data in (
            there.found[path].data or b"", next(one.data for one in wanted if one.path == path)))
    except InputError:
        return ()
    if any(one in new for one in old):
        return ()
    return (f"{path}: another CA than the one that was there; if it is not the cluster's, put the old one back from "
            f"{BACKUP}",)


def _check_files(source: Sequence[files.File], layout: Layout, node: str, now: datetime) -> None:
    found = {path: Found(path, missing=True) for path, _ in layout.files()}
    found |= {one.path: Found(one.path, one.data, one.mode) for one in source}
    errors = [one for one in check_node(Inventory("", layout, found), node=node, now=now) if one.severity == "error"]
    unreadable = [one for one in errors if one.cause in UNREADABLE]
    if unreadable:
        raise InputError(_told(unreadable[0]), hint="nothing was installed")
    if errors:
        raise RefusedError(_told(errors[0]), hint=f"nothing was installed: these files are not fit for {node}")


def _told(finding: Finding) -> str:
    return shown(f"{finding.path}: {finding.message} ({finding.cause})")


def _former(there: Inventory, node: str) -> str | None:
    """The node whose certificate is in place, where it is another than *node*."""
    kubeconfig = kubeconfig_of(there.found, there.layout.kubelet)
    data = there.look(there.layout.kubelet.certificate).data or (kubeconfig and kubeconfig.certificate.data) or b""
    try:
        user = reading.certificate_subject(pem.load_certificate(data)).user
    except InputError:
        return None
    other = user.removeprefix(NODE_PREFIX)
    return shown(other) if other != user and other != node else None


def install(plan: Installation, root: str, *, now: datetime) -> list[tuple[files.File, str]]:
    """Put the files in place, all at once; what they replace is kept under BACKUP. Raises FileError."""
    _check_root(root)
    with files.lock(f"{root.rstrip('/')}/var/lib/kpki/lock", now=now, folder_mode=FOLDER_MODE):
        return [(file, action) for file, action in files.replace_tree(
            root, plan.files, folder_mode=FOLDER_MODE, backup=BACKUP, now=now)]
