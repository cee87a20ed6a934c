"""A host's tree → the workspace that holds what was found: its description, the CAs, and the tree itself."""
from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .clues import ALONE, Tree, describe, host_name_of, read_tree
from .dump import dump_cluster
from ..authority import load_bundle
from ..desired.description import Cluster, load_cluster
from ..desired.fields import node_name
from ..desired.rows import NODES_FOLDER, Wanted
from ..observed.inventory import look, named_path
from ..workspace import DESCRIPTION, locked, write
from ... import files
from ...errors import FileError, InputError, RefusedError, about
from ...kubernetes.kubeconfig import Material, dump_kubeconfig
from ...kubernetes.layouts import CERTIFICATE_MODE, CONTROL_PLANE, KEY_MODE, WORKSPACE
from ...kubernetes.profiles import find_profile

Content = tuple[bytes, int]     # data and mode


@dataclass(frozen=True, slots=True)
class Adopted:
    """One *file* of a workspace (its path relative to that): whose tree it is in (*host*, None: the workspace's own),
    and its *row*, None for the description."""

    host: str | None
    row: str | None
    file: files.File

    @property
    def path(self) -> str:
        """The path in the host's tree."""
        return self.file.path.removeprefix(f"{NODES_FOLDER}/{self.host}/")


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a workspace is to hold: the description last, so that it is not there before all else is.

    *untold* says, a line each, which fields have their default because nothing tells them, *root* the tree that it is
    of, "" for none.
    """

    adopted: tuple[Adopted, ...]
    untold: tuple[str, ...] = ()
    root: str = ""


def described(text: str) -> Adoption:
    """A workspace of a description alone."""
    return Adoption((_description(text),))


def from_configuration(path: str, *, node: str | None = None, host_name: str) -> Adoption:
    """A workspace of the description that a kubeadm configuration gives (see load_cluster).

    *node* is the host's name, whatever stands in the file; *host_name* this host's, for a file that has none. Raises
    FileError, and ConfigurationError with the file's name before it.
    """
    data = files.read(path)
    with about(path):
        cluster = load_cluster(data, host_name=host_name)
        if cluster.endpoint is None and not cluster.with_role(CONTROL_PLANE):
            raise InputError("it does not say where the API server is",
                             hint="controlPlaneEndpoint of a ClusterConfiguration, or discovery.bootstrapToken's "
                             "apiServerEndpoint")
    if not cluster.from_kubeadm:
        return Adoption((_description(dump_cluster(cluster)),))
    host, = cluster.hosts
    cluster = replace(cluster, hosts=(replace(host, name=host.name if node is None else node_name(node)),))
    return Adoption((_description(dump_cluster(cluster)),), (ALONE,))


def from_tree(root: str, *, layout: str | None = None, node: str | None = None, host_name: str) -> Adoption:
    """A workspace of a host's tree, with every file of its layout as it lies there.

    *layout* and *node* are said or found; *host_name* is this host's, for `/`. Raises FileError for what may not be
    read, InputError where the files do not tell what a description cannot do without.
    """
    tree = read_tree(root, layout=layout)
    name = host_name_of(tree, host_name) if node is None else node_name(node)
    cluster, untold = describe(tree, name)
    text = dump_cluster(cluster)
    load_cluster(text)      # what cannot be read back is not written
    adopted = {one.file.path: one for one in (*_own(tree, cluster), *_host(tree, name))}
    return Adoption((*adopted.values(), _description(text)), tuple(untold), root)


def _description(text: str) -> Adopted:
    return Adopted(None, None, files.File(DESCRIPTION, text.encode(), CERTIFICATE_MODE))


def _own(tree: Tree, cluster: Cluster) -> Iterator[Adopted]:
    """The CAs, the service accounts' pair and the administrator's kubeconfig, under the workspace's names."""
    wanted = {row.name for row in Wanted(cluster).of_workspace()}
    for place in WORKSPACE.places:
        if place.row not in wanted:
            continue
        if find_profile(place.row).kind == "leaf":
            contents = [(place.kubeconfig, _kubeconfig(tree, place.row))]
        else:
            certificates = [*_held(tree, place.row, "certificate"), *_trusted(tree, place.row)]
            readable = (one for one in certificates if _is_bundle(one[0]))
            contents = [(place.certificate, next(readable, next(iter(certificates), None))),
                        (place.key, next(_held(tree, place.row, "key"), None))]
        for path, content in contents:
            if content is not None:
                yield Adopted(None, place.row, files.File(path, *content))


def _held(tree: Tree, row: str, part: str) -> Iterator[Content]:
    """The files of a row that are there."""
    for place in tree.layout.places:
        path: str = getattr(place, part)
        if place.row == row and path and not place.only and (data := tree.found[path].data) is not None:
            yield data, tree.found[path].mode & 0o777


def _trusted(tree: Tree, row: str) -> Iterator[Content]:
    """The cluster's CA as the kubeconfigs have it."""
    for place in tree.layout.places if row == "ca" else ():
        if place.row in tree.kubeconfigs and (data := tree.embedded(place, "authority")):
            yield data, CERTIFICATE_MODE


def _is_bundle(data: bytes) -> bool:
    try:
        return bool(load_bundle(data))
    except (InputError, RefusedError):
        return False


def _kubeconfig(tree: Tree, row: str) -> Content | None:
    """A person's kubeconfig, which names no file: as it is, or with the files in it that it names."""
    place = tree.layout.place(row)
    if row not in tree.kubeconfigs:
        return None
    config, found = tree.kubeconfigs[row], tree.found[place.kubeconfig]
    authority, certificate, key = (tree.embedded(place, part) for part in ("authority", "certificate", "key"))
    if not (authority and certificate and key):
        return None
    whole = replace(config, authority=Material(data=authority), certificate=Material(data=certificate),
                    key=Material(data=key))
    return (found.data or b"", found.mode & 0o777) if whole == config else (dump_kubeconfig(whole), KEY_MODE)


def _host(tree: Tree, name: str) -> Iterator[Adopted]:
    """The host's own files, each where it lies."""
    rows = {path: place.row for place in reversed(tree.layout.places) for path in place.files()}
    for place in tree.layout.places:
        if config := tree.kubeconfigs.get(place.row):
            for material in (config.authority, config.certificate, config.key):
                if material.path:
                    rows.setdefault(named_path(place.kubeconfig, material.path), place.row)
    for path, row in rows.items():
        if path in tree.found and tree.found[path].data is not None:
            for file in _as_it_lies(tree.root, path):
                yield Adopted(name, row, replace(file, path=f"{NODES_FOLDER}/{name}/{file.path}"))


def _as_it_lies(root: str, path: str) -> Iterator[files.File]:
    """A file, and where its place is a symbolic link, that and what it leads to. A folder's link is followed."""
    while (entry := files.look(root, path)).kind == "link" and entry.target and _is_straight(root, path):
        yield files.File(path, os.fsencode(entry.target), 0o777, link=True)
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), entry.target)).lstrip("/")
    found = look(root, path)
    yield files.File(path, found.data or b"", found.mode & 0o777)


def _is_straight(root: str, path: str) -> bool:
    """Whether no folder on the way to a file is a symbolic link."""
    folder = posixpath.dirname(path)
    return files.resolve(root, folder) == posixpath.join(root, folder) if folder else True


def adopt(folder: str, adoption: Adoption, *, now: datetime, warnings: list[str] | None = None,
          ) -> Sequence[tuple[Adopted, str]]:
    """Make the workspace *folder* hold what is adopted, all or nothing; gives each file with what was done.

    *warnings*: see `files.replace_tree`.

    Nothing that is there is overwritten: FileError for a description, and for any file under `pki` or the host's own
    tree that is not one of these, byte for byte.
    """
    check_free(folder, adoption)
    with locked(folder, now):
        check_free(folder, adoption)
        written = write(folder, [one.file for one in adoption.adopted], trees=NODES_FOLDER, now=now, warnings=warnings)
    return [(one, action) for one, (_, action) in zip(adoption.adopted, written, strict=True)]


def check_free(folder: str, adoption: Adoption) -> None:
    """Raise FileError where *folder* holds something that adopting would overwrite, or mix with."""
    if files.look(folder, DESCRIPTION).kind != "missing":
        raise FileError(f"{os.path.join(folder, DESCRIPTION)}: there is one already, and it is never overwritten",
                        hint="edit it, or name another folder")
    wanted = {one.file.path: one for one in adoption.adopted}
    there = [path for path in wanted if path != DESCRIPTION and files.look(folder, path).kind != "missing"]
    tops = {f"{NODES_FOLDER}/{one.host}" for one in adoption.adopted if one.host}
    for top in sorted(tops | {"pki"}) if adoption.root else ():
        if files.look(folder, top).kind == "folder" and not _is_same(folder, top, adoption.root):
            there += [f"{top}/{path}" for path, _ in files.walk(os.path.join(folder, top), skip=lambda _: False)]
    for path in there:
        if path not in wanted or not _holds(folder, wanted[path].file):
            raise FileError(f"{os.path.join(folder, path)}: something else than {adoption.root} has is there already",
                            hint="nothing was written: name another folder, or move it away")


def _is_same(folder: str, top: str, root: str) -> bool:
    """Whether the tree that is read is the workspace's own."""
    return files.resolve(os.path.abspath(folder), top) == os.path.abspath(root)


def _holds(folder: str, file: files.File) -> bool:
    entry = files.look(folder, file.path)
    if file.link:
        return entry.kind == "link" and os.fsencode(entry.target or "") == file.data
    return entry.kind == "file" and entry.mode == file.mode and files.read(os.path.join(folder, file.path)) == file.data
