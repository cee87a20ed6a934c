"""Putting a host's files in place: read them, check everything, replace all at once."""
from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from .node import host_row, named_kubeconfig, no_server, node_of, request_key
from ..authority import load_bundle, plain_key
from ..finding import Finding
from ..leaf_files import ca_path, leaf_files, path_kubeconfig
from ..observed.defaults import layout_uses
from ..observed.hosts import inspect
from ..observed.inventory import Found, Inventory, inspect_layout, kubeconfig_of, layout_there, look, require
from ..observed.tree import Tree
from ..observed.use import Use
from ..rules.host import check_node
from ... import files, pem
from ...errors import FileError, InputError, RefusedError, about
from ...kubernetes import reading
from ...kubernetes.components import COMPONENTS, KUBELET
from ...kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from ...kubernetes.layouts import (CERTIFICATE_MODE, FOLDER_MODE, KEY_MODE, KUBELET_CURRENT, LAYOUTS, SSL, Layout,
                                   Place)
from ...kubernetes.manifests import MANIFESTS
from ...kubernetes.profiles import NODE_PREFIX, find_profile
from ...kubernetes.restarts import own_files

BACKUP = "var/lib/kpki/backup"
# Faults of files that cannot be taken at all, as against files that are another's.
UNREADABLE = ("file-missing", "bad-pem", "malformed-x509", "key-unreadable", "encrypted-key", "kubeconfig-broken")


@dataclass(frozen=True, slots=True)
class Installation:
    """What is to be put in place: the *files*, and the node whose pair lay there before (None: nobody else's).

    *layout* is the host's own, *places* those whose files they are, *running* the components that are there, *static*
    which of these are static pods; *warnings* are lines to be told to a person.
    """

    files: tuple[files.File, ...]
    former: str | None
    layout: Layout
    places: tuple[Place, ...] = ()
    running: frozenset[str] = frozenset()
    static: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def tree_files(tree: str, layout: Layout) -> tuple[files.File, ...]:
    """The files of a node's tree on disk, as far as they are there. FileError where one cannot be read."""
    found = require(inspect_layout(tree, layout.name)).found
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
    row = host_row(layout, node_of(node), server=server)
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
    there = kubeconfig_of(require(inspect_layout(root, chosen.name)).found, chosen.kubelet)
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

    They go where the host's kubelet is told to look for them. A kubeconfig that is there and right is kept. Raises
    RefusedError for files that are another node's, no pair, of an unknown CA or expired; InputError for files that
    cannot be read, or where a kubeconfig must be made and nothing tells the *server*.
    """
    there = require(inspect(root, layout=layout.name, node=node))
    own = there.layout
    given = _moved(source, layout, there)
    leaves = [place for place in own.places
              if find_profile(place.row).kind == "leaf" and given.keys() & {*place.files()}]
    for place in leaves or [own.kubelet]:
        if not place.kubeconfig or not place.by_path and server is None and place.kubeconfig not in given \
                and place != own.kubelet:
            continue
        kubeconfig = named_kubeconfig(there, place, server) or _led_to(
            server, given.get(place.kubeconfig), there, place, node, _authority(given, there), own != layout)
        if kubeconfig is None:
            raise no_server(node)
        given[kubeconfig.path] = kubeconfig
    wanted = tuple(given.values())
    _check_files(wanted, there, leaves or [own.kubelet], node, now)
    wanted = tuple(_kept_by_kubelet(wanted, there, now))
    running = frozenset(one.name for one in COMPONENTS if one == KUBELET or any(
        path in given or not there.look(path).missing for path in own_files(own, one)))
    static = frozenset(one for one in running
                       if layout.static_pods or not look(root, f"{MANIFESTS}/{one}.yaml").missing)
    return Installation(wanted, _former(there, node) if own.kubelet in leaves else None, own, tuple(leaves), running,
                        static, tuple(_another_ca(there, wanted)))


def _kept_by_kubelet(wanted: Sequence[files.File], there: Inventory, now: datetime) -> Iterator[files.File]:
    """The files, with an embedded pair of the kubelet's where it keeps its own on this host: a link that leads to the
    newest file with certificate and key, and that its kubeconfig names (pkg/kubelet/certificate, util/certificate)."""
    place, current = there.layout.kubelet, there.look(KUBELET_CURRENT)
    old, named = kubeconfig_of(there.found, place), Material(path=f"/{KUBELET_CURRENT}")
    is_kept = not current.missing or current.link or old is not None and old.certificate == named
    pair = b""
    for one in wanted:
        with about(one.path):
            new = load_kubeconfig(one.data) if is_kept and one.path == place.kubeconfig else None
        if one.path == KUBELET_CURRENT:
            pair = one.data
        elif new is None or new.certificate.data is None or new.key.data is None:
            yield one
        else:
            pair, led = new.certificate.data + new.key.data, replace(new, certificate=named, key=named)
            if old is not None and (old.server, old.authority, old.certificate, old.key) == (
                    led.server, led.authority, named, named):
                yield replace(one, data=there.look(one.path).data or b"", mode=there.look(one.path).mode)
            else:
                yield replace(one, data=dump_kubeconfig(led))
    if pair and (current.data != pair or not current.link):
        path = f"{os.path.dirname(KUBELET_CURRENT)}/kubelet-client-{now:%Y-%m-%d-%H-%M-%S}.pem"
        yield files.File(path, pair, KEY_MODE)
        yield files.File(KUBELET_CURRENT, f"/{path}".encode(), KEY_MODE, link=True)


def _moved(source: Sequence[files.File], layout: Layout, there: Inventory) -> dict[str, files.File]:
    """The files of a layout at the places that a host has for them, by their paths; a pair may be one file there.

    A CA goes where components read the CA of that row, if none reads the layout's file; and where that is missing.
    """
    own, read = there.layout, {use.file for use in there.uses}
    # a host's own come in the layout's order; what two components are told differently comes after them
    names = {path: [moved] for old, new in zip(layout.places, own.places)
             for path, moved in ((old.certificate, new.certificate), (old.key, new.key),
                                 (old.kubeconfig, new.kubeconfig)) if path and moved}
    for place in layout.places if own != layout else ():
        if find_profile(place.row).kind == "ca":
            told = [one.certificate for one in own.places if one.row == place.row and one.certificate in read]
            first = [path for path in names[place.certificate] if path in read] or told[:1] or names[place.certificate]
            names[place.certificate] = [*first, *(path for path in told if there.look(path).missing)]
    combined = {place.key for place in own.places if place.key == place.certificate}
    given = dict[str, files.File]()
    for one in source:
        for path in names.get(one.path, [one.path]):
            first_half = given.get(path) if path in combined else None
            given[path] = replace(one, path=path, data=first_half.data + one.data, mode=KEY_MODE) if first_half \
                else replace(one, path=path)
    return given


def _authority(given: Container[str], there: Inventory) -> str:
    """Where the cluster's CA lies once the given files are in place."""
    return next((place.certificate for place in there.layout.places
                 if place.row == "ca" and place.certificate in given), ca_path(there.layout))


def _led_to(server: str | None, given: files.File | None, there: Inventory, place: Place, node: str, authority: str,
            moved: bool) -> files.File | None:
    """The kubeconfig of what is installed, leading to *server*; one that names the host's files is made for them."""
    if given is None and server is None or given is None and not place.by_path:
        return None
    if given and (server is None and not (moved and place.by_path)):
        return given
    if not place.by_path:
        assert given is not None and server is not None
        with about(given.path):
            return replace(given, data=dump_kubeconfig(replace(load_kubeconfig(given.data), server=server)))
    if server is None and given is not None:
        with about(given.path):
            server = load_kubeconfig(given.data).server
    row = replace(host_row(there.layout, node_of(node), place.row, server), place=place)
    return path_kubeconfig(row, there.layout, authority)


def _another_ca(there: Inventory, wanted: Sequence[files.File]) -> Iterator[str]:
    """A warning for each CA that is in place and not among those that take its place."""
    own = {place.certificate for place in there.layout.places if find_profile(place.row).kind == "ca"}
    for one in wanted:
        if one.path in own:
            with suppress(InputError):
                old, new = pem.load_certificates(there.look(one.path).data or b""), pem.load_certificates(one.data)
                if not any(certificate in new for certificate in old):
                    yield (f"{one.path}: another CA than the one that was there; if it is not the cluster's, put the "
                           f"old one back from {BACKUP}")


def _check_files(source: Sequence[files.File], there: Inventory, leaves: Sequence[Place], node: str,
                 now: datetime) -> None:
    """Raise for what is wrong with the files once they lie in place: with the leaves, and with the CAs that come with
    them or are in place. What else is wrong with the host is none of it."""
    layout, given = there.layout, {one.path: Found(one.path, one.data, one.mode) for one in source}
    over = {path: given.get(path) or Found(path, missing=True) for place in leaves for path in place.files()} | given
    inventory = inspect(there.root, layout=layout.name, node=node, given=over)
    inventory = replace(inventory, uses=(*inventory.uses, *_unread_uses(inventory, layout, given)))
    signers = {find_profile(place.row).signer for place in leaves}
    ours = {*over, *(use.file for use in inventory.uses if use.source in given),
            *(place.certificate for place in layout.places if place.row in signers)}
    errors = [one for one in check_node(inventory, node=node, now=now) if one.severity == "error"
              and one.path.partition("#")[0] in ours]
    unreadable = [one for one in errors if one.cause in UNREADABLE]
    if unreadable:
        raise InputError(_told(unreadable[0]), hint="nothing was installed")
    if errors:
        raise RefusedError(_told(errors[0]), hint=f"nothing was installed: these files are not fit for {node}")


def _unread_uses(inventory: Inventory, layout: Layout, given: Container[str]) -> Iterator[Use]:
    """What those of the given files are for that no component of the host is told to read: what the layout has them
    for."""
    read = {use.file for use in inventory.uses}
    uses = [*layout_uses(Tree(None, inventory.found), layout, (), read)]
    groups = {use.group for use in uses if use.file in given and use.file not in read}
    yield from (use for use in uses if use.group in groups)


def _told(finding: Finding) -> str:
    return f"{finding.path}: {finding.message} ({finding.cause})"


def _former(there: Inventory, node: str) -> str | None:
    """The node whose certificate is in place, where it is another than *node*."""
    kubeconfig = kubeconfig_of(there.found, there.layout.kubelet)
    data = there.look(there.layout.kubelet.certificate).data or (kubeconfig and kubeconfig.certificate.data) or b""
    try:
        user = reading.certificate_subject(pem.load_certificate(data)).user
    except InputError:
        return None
    other = user.removeprefix(NODE_PREFIX)
    return other if other != user and other != node else None


def install(plan: Installation, root: str, *, now: datetime, warnings: list[str] | None = None,
            ) -> list[tuple[files.File, str]]:
    """Put the files in place, all at once; what they replace is kept under BACKUP.

    *warnings*: see `files.replace_tree`. Raises FileError.
    """
    _check_root(root)
    with files.lock(root, "var/lib/kpki/lock", now=now, folder_mode=FOLDER_MODE):
        return [(file, action) for file, action in files.replace_tree(
            root, plan.files, folder_mode=FOLDER_MODE, backup=BACKUP, now=now, warnings=warnings)]
