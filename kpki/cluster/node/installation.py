"""The installation of a host's files: read them, check them all, replace them all at once."""
from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from .node import host_row, named_kubeconfig, no_server, node_of, request_key
from ..authority import load_bundle, load_plain_key
from ..finding import Finding
from ..leaf_files import leaf_files, path_kubeconfig
from ..observed.defaults import layout_uses
from ..observed.hosts import inspect
from ..observed.inventory import (
    Inventory,
    ObservedFile,
    inspect_layout,
    kubeconfig_of,
    layout_there,
    observe_file,
    require,
)
from ..observed.tree import Tree
from ..observed.use import Use
from ..rules.host import check_node
from ... import files, pem
from ...errors import FileError, InputError, RefusedError, about
from ...kubernetes import reading
from ...kubernetes.components import COMPONENTS, KUBELET_COMPONENT
from ...kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from ...kubernetes.layouts import (
    CERTIFICATE_MODE,
    FOLDER_MODE,
    KEY_MODE,
    KUBELET_CURRENT,
    LAYOUTS,
    SIGNER,
    SSL,
    Layout,
    Place,
    ca_path,
)
from ...kubernetes.manifests import MANIFESTS
from ...kubernetes.profiles import NODE_PREFIX, get_profile
from ...kubernetes.restarts import own_files

HOST_BACKUP, LOCK = "var/lib/kpki/backup", "var/lib/kpki/lock"
# Causes of files that nobody can read; all other errors are those of readable files.
UNREADABLE = ("file-missing", "bad-pem", "malformed-x509", "key-unreadable", "encrypted-key",
              "kubeconfig-broken")


@dataclass(frozen=True, slots=True)
class Installation:
    """The files to install on a host, and the facts about the host."""

    files: tuple[files.File, ...]
    """The files, relative to the host's root."""
    former: str | None
    """The other node whose pair the installation replaces, None if there is none."""
    layout: Layout
    """The host's own layout."""
    places: tuple[Place, ...] = ()
    """The places of the installed leaves."""
    running: frozenset[str] = frozenset()
    """The components on the host."""
    static: frozenset[str] = frozenset()
    """The components on the host that are static pods."""
    warnings: tuple[str, ...] = ()
    """The warnings for a person."""


def tree_files(tree: str, layout: Layout) -> tuple[files.File, ...]:
    """The existing files of a node's tree. Raises FileError for a file that cannot be read."""
    found = require(inspect_layout(tree, layout.name)).found
    modes = dict(layout.files())
    for file in found.values():
        if file.problem:
            raise FileError(f"{tree}/{file.path}: {file.problem}")
    return tuple(files.File(path, found[path].data or b"", mode) for path, mode in modes.items()
                 if not found[path].missing)


def signed_files(data: bytes, key: bytes, layout: Layout, *, node: str,
                 server: str | None) -> tuple[files.File, ...]:
    """The files of *node* for a signed answer (PEM: certificate, then CA) and the request's key.

    Without a *server* the kubeconfig is left out. Raises InputError if the kubeconfig is the pair's
    only place.
    """
    chain = load_bundle(data)
    if len(chain) < 2:
        raise InputError("the file has one certificate only, and needs the node's, then the CA's",
                         hint="kpki node sign writes both")
    bundle = pem.dump_certificates(chain[1:])
    row = host_row(layout, node_of(node), server=server)
    if server is None and not row.place.certificate:
        raise no_server(node)
    made = leaf_files(row, layout, chain=chain[:1], key=pem.load_key(key), bundle=bundle)
    return (files.File(ca_path(layout), bundle, CERTIFICATE_MODE),
            *(file for file in made if server or file.path != row.place.kubeconfig))


def is_archive(data: bytes) -> bool:
    """Whether the data of a source is an archive, and no signed answer."""
    return b"\0" in data[:512] and data[:1] != b"\x30"        # no text, and no DER


def read_source(path: str, layout: Layout | None, *, root: str, key: str | None, node: str,
                server: str | None) -> tuple[Layout, tuple[files.File, ...]]:
    """The files in the source of `node install`, and their layout.

    The source is a tree, an archive of a tree, or a signed answer (PEM). The layout is *layout*,
    else the source's own, else the root's, else ssl. The key of a signed answer is the file *key*,
    else the key that `node request` left beside the answer, else the key in *root*. Raises
    InputError or FileError for a file that cannot be read.
    """
    _validate_root(root)
    if _kind(path) == "folder":
        chosen = layout or layout_there(path) or layout_there(root) or SSL
        return chosen, tree_files(path, chosen)
    data = files.read(path)
    with about(path):
        if is_archive(data):
            return _unpacked(data, layout or _archive_layout(data) or layout_there(root) or SSL)
        chosen = layout or layout_there(root) or SSL
        pem.load_certificates(data)     # a file of another kind is refused before a key is missed
        key_path = key or find_request_key(path, chosen, root=root, node=node)
        if key_path is None:
            raise InputError("the key of this certificate is missing",
                             hint="kpki node request made the key; name the file: --key FILE")
    key_data = files.read(key_path)
    with about(key_path):
        plain = pem.dump_key(load_plain_key(key_data), form="traditional")
    present = kubeconfig_of(require(inspect_layout(root, chosen.name)).found, chosen.kubelet)
    known = server or (present.server if present and not chosen.kubelet.certificate else None)
    with about(path):
        return chosen, signed_files(data, plain, chosen, node=node, server=known)


def find_request_key(path: str, layout: Layout, *, root: str, node: str) -> str | None:
    """The key of a signed answer: beside the answer, in this workspace or on the host; or None."""
    name = request_key(layout)
    candidates = [os.path.join(os.path.dirname(path), node, name),
                  os.path.join("nodes", node, name), os.path.join(root, name)]
    return next((candidate for candidate in candidates if _kind(candidate) == "file"), None)


def _archive_layout(data: bytes) -> Layout | None:
    """The layout of an archive's files, None if no layout has them."""
    for layout in LAYOUTS:
        with suppress(InputError):
            if files.unpack(data, expected=dict(layout.files())):
                return layout
    return None


def _unpacked(data: bytes, layout: Layout) -> tuple[Layout, tuple[files.File, ...]]:
    modes = dict(layout.files())
    unpacked = files.unpack(data, expected=modes)
    return layout, tuple(files.File(file.path, file.data, modes[file.path]) for file in unpacked)


def _kind(path: str) -> str:
    """The kind of entry at a path, with symbolic links followed; "missing" for an empty path."""
    return files.read_entry_at(path).kind if path else "missing"


def _validate_root(root: str) -> None:
    if _kind(root) != "folder":
        raise FileError(f"{root or repr(root)}: no such folder",
                        hint="--root is the node's root folder")


def plan_install(source: Sequence[files.File], root: str, node: str, *, layout: Layout,
                 server: str | None, now: datetime) -> Installation:
    """The installation of these files on *node* with the root folder *root*, after all checks.

    The files go to the paths in the settings of the host's kubelet. A right kubeconfig on the host
    stays. Raises RefusedError for files of another node, for no pair, an unknown CA or expired
    certificates. Raises InputError for files that cannot be read, or if nothing says the *server*
    of a new kubeconfig.
    """
    inventory = require(inspect(root, layout=layout.name, node=node))
    own = inventory.layout
    given = _at_own_places(source, layout, inventory)
    leaves = [place for place in own.places
              if get_profile(place.row).kind == "leaf" and given.keys() & {*place.files()}]
    for place in leaves or [own.kubelet]:
        if not place.kubeconfig or (not place.by_path and server is None
                                    and place.kubeconfig not in given and place != own.kubelet):
            continue
        kubeconfig = named_kubeconfig(inventory, place, server) or _installed_kubeconfig(
            server, given.get(place.kubeconfig), inventory, place, node,
            _authority(given, inventory), own != layout)
        if kubeconfig is None:
            raise no_server(node)
        given[kubeconfig.path] = kubeconfig
    wanted = tuple(given.values())
    _validate_files(wanted, inventory, leaves or [own.kubelet], node, now)
    wanted = tuple(_with_kubelet_pair(wanted, inventory, now))
    running = frozenset(
        component.name for component in COMPONENTS if component == KUBELET_COMPONENT or any(
            path in given or not inventory.file(path).missing
            for path in own_files(own, component)))
    static = frozenset(name for name in running if layout.static_pods
                       or not observe_file(root, f"{MANIFESTS}/{name}.yaml").missing)
    return Installation(wanted, _former(inventory, node) if own.kubelet in leaves else None, own,
                        tuple(leaves), running, static, tuple(_ca_warnings(inventory, wanted)))


def _with_kubelet_pair(wanted: Sequence[files.File], inventory: Inventory,
                       now: datetime) -> Iterator[files.File]:
    """The files, with the kubelet's embedded pair moved to the kubelet's own file, if it has one.

    The kubelet's kubeconfig then names a link, which leads to the newest file with certificate and
    key (pkg/kubelet/certificate, util/certificate).
    """
    place, current = inventory.layout.kubelet, inventory.file(KUBELET_CURRENT)
    old, named = kubeconfig_of(inventory.found, place), Material(path=f"/{KUBELET_CURRENT}")
    is_kept = not current.missing or current.link or (old is not None and old.certificate == named)
    pair = b""
    for file in wanted:
        with about(file.path):
            new = load_kubeconfig(file.data) if is_kept and file.path == place.kubeconfig else None
        if file.path == KUBELET_CURRENT:
            pair = file.data
        elif new is None or new.certificate.data is None or new.key.data is None:
            yield file
        else:
            pair = new.certificate.data + new.key.data
            led = replace(new, certificate=named, key=named)
            if old is not None and (old.server, old.authority, old.certificate, old.key) == (
                    led.server, led.authority, named, named):
                yield replace(file, data=inventory.file(file.path).data or b"",
                              mode=inventory.file(file.path).mode)
            else:
                yield replace(file, data=dump_kubeconfig(led))
    if pair and (current.data != pair or not current.link):
        path = f"{os.path.dirname(KUBELET_CURRENT)}/kubelet-client-{now:%Y-%m-%d-%H-%M-%S}.pem"
        yield files.File(path, pair, KEY_MODE)
        yield files.File(KUBELET_CURRENT, f"/{path}".encode(), KEY_MODE, link=True)


def _at_own_places(source: Sequence[files.File], layout: Layout,
                   inventory: Inventory) -> dict[str, files.File]:
    """The files of a layout at the host's own places, by their paths.

    A host may have one file for a pair.

    If no component reads the layout's file of a CA, the CA goes to the files that components read
    for that row.
    """
    own, read = inventory.layout, {use.file for use in inventory.uses}
    # the host's places come in the layout's order; further places of other settings come last
    names = {path: [moved] for old, new in zip(layout.places, own.places, strict=False)
             for path, moved in ((old.certificate, new.certificate), (old.key, new.key),
                                 (old.kubeconfig, new.kubeconfig)) if path and moved}
    for place in layout.places if own != layout else ():
        # the signer's own file goes where the layout has it: a CA's file may be a bundle
        if get_profile(place.row).kind == "ca" and place.only != SIGNER:
            used = [other.certificate for other in own.places if other.row == place.row
                    and other.certificate in read]
            first = [path for path in names[place.certificate]
                     if path in read] or used[:1] or names[place.certificate]
            names[place.certificate] = [*first,
                                        *(path for path in used if inventory.file(path).missing)]
    combined = {place.key for place in own.places if place.key == place.certificate}
    given = dict[str, files.File]()
    for file in source:
        for path in names.get(file.path, [file.path]):
            first_half = given.get(path) if path in combined else None
            given[path] = replace(file, path=path, data=first_half.data + file.data,
                                  mode=KEY_MODE) if first_half \
                else replace(file, path=path)
    return given


def _authority(given: Container[str], inventory: Inventory) -> str:
    """The path of the cluster's CA after the installation of the given files."""
    return next((place.certificate for place in inventory.layout.places
                 if place.row == "ca" and place.certificate in given), ca_path(inventory.layout))


def _installed_kubeconfig(server: str | None, given: files.File | None, inventory: Inventory,
                          place: Place, node: str, authority: str, moved: bool,
                          ) -> files.File | None:
    """The kubeconfig to install, with *server*.

    For a place whose kubeconfig has paths, the kubeconfig names the host's files.
    """
    if (given is None and server is None) or (given is None and not place.by_path):
        return None
    if given and (server is None and not (moved and place.by_path)):
        return given
    if not place.by_path:
        assert given is not None and server is not None
        with about(given.path):
            return replace(given,
                           data=dump_kubeconfig(replace(load_kubeconfig(given.data),
                                                        server=server)))
    if server is None and given is not None:
        with about(given.path):
            server = load_kubeconfig(given.data).server
    row = host_row(inventory.layout, node_of(node), place.row, server)._replace(place=place)
    return path_kubeconfig(row, inventory.layout, authority)


def _ca_warnings(inventory: Inventory, wanted: Sequence[files.File]) -> Iterator[str]:
    """A warning for each CA on the host that the installed files replace by another CA."""
    own = {place.certificate for place in inventory.layout.places
           if get_profile(place.row).kind == "ca"}
    for file in wanted:
        if file.path in own:
            with suppress(InputError):
                old, new = pem.load_certificates(inventory.file(file.path).data
                                                 or b""), pem.load_certificates(file.data)
                if not any(reading.is_same_authority(certificate, renewed)
                           for certificate in old for renewed in new):
                    yield (f"{file.path}: another CA than before; if the new CA is not the "
                           f"cluster's, put the old CA back from {HOST_BACKUP}")


def _validate_files(source: Sequence[files.File], inventory: Inventory, leaves: Sequence[Place],
                    node: str, now: datetime) -> None:
    """Raise InputError or RefusedError for an error of the installed leaves, or of their CAs.

    Other errors of the host are ignored.
    """
    layout, given = inventory.layout, {file.path: ObservedFile(file.path, file.data, file.mode)
                                       for file in source}
    over = {path: given.get(path) or ObservedFile(path, missing=True) for place in leaves
            for path in place.files()} | given
    after = inspect(inventory.root, layout=layout.name, node=node, given=over)
    after = replace(after, uses=(*after.uses, *_layout_uses_of(after, layout, given)))
    signers = {get_profile(place.row).signer for place in leaves}
    ours = {*over, *(use.file for use in after.uses if use.source in given),
            *(place.certificate for place in layout.places if place.row in signers)}
    errors = [finding for finding in check_node(after, node=node, now=now)
              if finding.severity == "error"
              and finding.path.partition("#")[0] in ours]
    unreadable = [error for error in errors if error.cause in UNREADABLE]
    if unreadable:
        raise InputError(_sentence(unreadable[0]), hint="nothing was installed")
    if errors:
        raise RefusedError(_sentence(errors[0]),
                           hint=f"nothing was installed: these files are not fit for {node}")


def _layout_uses_of(inventory: Inventory, layout: Layout, given: Container[str]) -> Iterator[Use]:
    """The layout's uses of the given files that no setting on the host names."""
    read = {use.file for use in inventory.uses}
    uses = [*layout_uses(Tree(None, inventory.found), layout, (), read)]
    groups = {use.group for use in uses if use.file in given and use.file not in read}
    yield from (use for use in uses if use.group in groups)


def _sentence(finding: Finding) -> str:
    return f"{finding.path}: {finding.message} ({finding.cause})"


def _former(inventory: Inventory, node: str) -> str | None:
    """The node in the host's present certificate, None for *node* itself or no certificate."""
    kubeconfig = kubeconfig_of(inventory.found, inventory.layout.kubelet)
    data = inventory.file(inventory.layout.kubelet.certificate).data \
        or (kubeconfig and kubeconfig.certificate.data) or b""
    try:
        user = reading.certificate_subject(pem.load_certificate(data)).user
    except InputError:
        return None
    other = user.removeprefix(NODE_PREFIX)
    return other if other not in (user, node) else None


def install(plan: Installation, root: str, *, now: datetime, warnings: list[str] | None = None,
            ) -> list[tuple[files.File, str]]:
    """Install the files, all at once; the replaced files go to HOST_BACKUP.

    Returns each file with the action.

    *warnings*: see `files.replace_tree`. Raises FileError.
    """
    _validate_root(root)
    with files.lock(root, LOCK, now=now, folder_mode=FOLDER_MODE):
        return [(file, action) for file, action in files.replace_tree(
            root, plan.files, folder_mode=FOLDER_MODE, backup=HOST_BACKUP, now=now,
            warnings=warnings)]
