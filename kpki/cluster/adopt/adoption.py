"""A host's tree, or a configuration → a workspace: description, CAs, and the tree."""
from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .dump import dump_cluster
from .host_tree import ALONE, HostTree, describe, host_name_of, read_tree
from ..authority import load_bundle
from ..desired.description import Cluster, load_cluster
from ..desired.fields import node_name
from ..desired.rows import NODES_FOLDER, Wanted
from ..observed.inventory import named_path, observe_file
from ..workspace import DESCRIPTION, locked, write
from ... import files
from ...errors import FileError, InputError, RefusedError, about
from ...kubernetes.kubeconfig import Material, dump_kubeconfig
from ...kubernetes.layouts import CERTIFICATE_MODE, CONTROL_PLANE, KEY_MODE, WORKSPACE
from ...kubernetes.profiles import get_profile

Content = tuple[bytes, int]     # data and mode


@dataclass(frozen=True, slots=True)
class Adopted:
    """One file that a workspace adopts."""

    host: str | None
    """The host in whose tree the file lies, None for the workspace's own files."""
    row: str | None
    """The row that the file belongs to, None for the description."""
    file: files.File
    """The file, with its path relative to the workspace."""

    @property
    def path(self) -> str:
        """The path in the host's tree."""
        return self.file.path.removeprefix(f"{NODES_FOLDER}/{self.host}/")


@dataclass(frozen=True, slots=True)
class Adoption:
    """The files that a workspace adopts."""

    adopted: tuple[Adopted, ...]
    """The files.

    The description is the last: a workspace with a description has all other files.
    """
    undetermined: tuple[str, ...] = ()
    """A line for each field that no file determines; such a field has its default."""
    root: str = ""
    """The root of the tree that the files come from, "" if there is no tree."""


def described(text: str) -> Adoption:
    """The adoption of a description alone."""
    return Adoption((_description(text),))


def from_configuration(path: str, *, node: str | None = None, host_name: str) -> Adoption:
    """The adoption of a kubeadm configuration (see load_cluster).

    *node* overrides the host's name in the file; *host_name* is this host's name, for a file
    without one. Raises FileError, and ConfigurationError with the file's name in front.
    """
    data = files.read(path)
    with about(path):
        cluster = load_cluster(data, host_name=host_name)
        if cluster.endpoint is None and not cluster.with_role(CONTROL_PLANE):
            raise InputError("no field says where the API server is",
                             hint="controlPlaneEndpoint of a ClusterConfiguration, or "
                                  "discovery.bootstrapToken's "
                             "apiServerEndpoint")
    if not cluster.from_kubeadm:
        return Adoption((_description(dump_cluster(cluster)),))
    host, = cluster.hosts
    cluster = replace(cluster,
                      hosts=(replace(host, name=host.name if node is None else node_name(node)),))
    return Adoption((_description(dump_cluster(cluster)),), (ALONE,))


def from_tree(root: str, *, layout: str | None = None, node: str | None = None,
              host_name: str) -> Adoption:
    """The adoption of a host's tree, with every file of its layout unchanged.

    *layout* and *node* are found in the tree if they are None; *host_name* is this host's name, for
    `/`. Raises FileError for a file that the caller may not read, InputError if the files do not
    determine a required field.
    """
    tree = read_tree(root, layout=layout)
    name = host_name_of(tree, host_name) if node is None else node_name(node)
    cluster, undetermined = describe(tree, name)
    text = dump_cluster(cluster)
    load_cluster(text)      # a description that kpki could not read back is not written
    adopted = {item.file.path: item for item in (*_own(tree, cluster), *_host(tree, name))}
    return Adoption((*adopted.values(), _description(text)), tuple(undetermined), root)


def _description(text: str) -> Adopted:
    return Adopted(None, None, files.File(DESCRIPTION, text.encode(), CERTIFICATE_MODE))


def _own(tree: HostTree, cluster: Cluster) -> Iterator[Adopted]:
    """The workspace's own files: CAs, service accounts' pair, administrator's kubeconfig."""
    wanted = {row.name for row in Wanted(cluster).of_workspace()}
    for place in WORKSPACE.places:
        if place.row not in wanted:
            continue
        if get_profile(place.row).kind == "leaf":
            contents = [(place.kubeconfig, _kubeconfig(tree, place.row))]
        else:
            certificates = [*_held(tree, place.row, "certificate"), *_trusted(tree, place.row)]
            readable = (certificate for certificate in certificates if _is_bundle(certificate[0]))
            contents = [(place.certificate, next(readable, next(iter(certificates), None))),
                        (place.key, next(_held(tree, place.row, "key"), None))]
        for path, content in contents:
            if content is not None:
                yield Adopted(None, place.row, files.File(path, *content))


def _held(tree: HostTree, row: str, part: str) -> Iterator[Content]:
    """The existing files of a row."""
    for place in tree.layout.places:
        path: str = getattr(place, part)
        if place.row == row and path and not place.only \
                and (data := tree.found[path].data) is not None:
            yield data, tree.found[path].mode & 0o777


def _trusted(tree: HostTree, row: str) -> Iterator[Content]:
    """The cluster's CA in the kubeconfigs."""
    for place in tree.layout.places if row == "ca" else ():
        if place.row in tree.kubeconfigs and (data := tree.embedded(place, "authority")):
            yield data, CERTIFICATE_MODE


def _is_bundle(data: bytes) -> bool:
    try:
        return bool(load_bundle(data))
    except (InputError, RefusedError):
        return False


def _kubeconfig(tree: HostTree, row: str) -> Content | None:
    """A person's kubeconfig with CA and pair embedded; unchanged if it embeds them already."""
    place = tree.layout.place(row)
    if row not in tree.kubeconfigs:
        return None
    config, found = tree.kubeconfigs[row], tree.found[place.kubeconfig]
    authority, certificate, key = (tree.embedded(place, part)
                                   for part in ("authority", "certificate", "key"))
    if not (authority and certificate and key):
        return None
    whole = replace(config, authority=Material(data=authority),
                    certificate=Material(data=certificate), key=Material(data=key))
    if whole == config:
        return found.data or b"", found.mode & 0o777
    return dump_kubeconfig(whole), KEY_MODE


def _host(tree: HostTree, name: str) -> Iterator[Adopted]:
    """The host's own files, each at its path in the tree."""
    rows = {path: place.row for place in reversed(tree.layout.places) for path in place.files()}
    for place in tree.layout.places:
        if config := tree.kubeconfigs.get(place.row):
            for material in (config.authority, config.certificate, config.key):
                if material.path:
                    rows.setdefault(named_path(place.kubeconfig, material.path), place.row)
    for path, row in rows.items():
        if path in tree.found and tree.found[path].data is not None:
            for file in _with_links(tree.root, path):
                yield Adopted(name, row, replace(file, path=f"{NODES_FOLDER}/{name}/{file.path}"))


def _with_links(root: str, path: str) -> Iterator[files.File]:
    """A file; for a symbolic link the link and its target. Links of folders are followed."""
    while (entry := files.read_entry(root, path)).kind == "link" and entry.target \
            and _is_straight(root, path):
        yield files.File(path, os.fsencode(entry.target), 0o777, link=True)
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path),
                                                 entry.target)).lstrip("/")
    found = observe_file(root, path)
    yield files.File(path, found.data or b"", found.mode & 0o777)


def _is_straight(root: str, path: str) -> bool:
    """Whether no folder in a file's path is a symbolic link."""
    folder = posixpath.dirname(path)
    return files.resolve(root, folder) == posixpath.join(root, folder) if folder else True


def adopt(folder: str, adoption: Adoption, *, now: datetime, warnings: list[str] | None = None,
          ) -> Sequence[tuple[Adopted, str]]:
    """Write the adopted files into the workspace *folder*, all or none.

    Returns each file with the action. *warnings*: see `files.replace_tree`. No existing file is
    overwritten. Raises FileError for an existing description, and for a file under `pki` or in the
    host's tree that differs from the adopted files.
    """
    validate_free(folder, adoption)
    with locked(folder, now):
        validate_free(folder, adoption)
        written = write(folder, [item.file for item in adoption.adopted], trees=NODES_FOLDER,
                        now=now, warnings=warnings)
    return [(item, action) for item, (_, action) in zip(adoption.adopted, written, strict=True)]


def validate_free(folder: str, adoption: Adoption) -> None:
    """Raise FileError if *folder* holds a file that adopting would overwrite, or mix with."""
    if files.read_entry(folder, DESCRIPTION).kind != "missing":
        raise FileError(f"{os.path.join(folder, DESCRIPTION)}: the description exists already, and "
                        "kpki never overwrites a description",
                        hint=f"edit {DESCRIPTION}, or name another folder")
    wanted = {item.file.path: item for item in adoption.adopted}
    existing = [path for path in wanted if path != DESCRIPTION
                and files.read_entry(folder, path).kind != "missing"]
    tops = {f"{NODES_FOLDER}/{item.host}" for item in adoption.adopted if item.host}
    for top in sorted(tops | {"pki"}) if adoption.root else ():
        if files.read_entry(folder, top).kind == "folder" \
                and not _is_same(folder, top, adoption.root):
            existing += [f"{top}/{path}"
                         for path, _ in files.walk(os.path.join(folder, top), skip=lambda _: False)]
    for path in existing:
        if path not in wanted or not _holds(folder, wanted[path].file):
            raise FileError(f"{os.path.join(folder, path)}: this file exists already, and is not a "
                            f"file of {adoption.root}",
                            hint="nothing was written: name another folder, or move the file away")


def _is_same(folder: str, top: str, root: str) -> bool:
    """Whether the adopted tree is the workspace's own."""
    return files.resolve(os.path.abspath(folder), top) == os.path.abspath(root)


def _holds(folder: str, file: files.File) -> bool:
    """Whether a folder holds a file with the same content and mode."""
    entry = files.read_entry(folder, file.path)
    if file.link:
        return entry.kind == "link" and os.fsencode(entry.target or "") == file.data
    return entry.kind == "file" and entry.mode == file.mode \
        and files.read(os.path.join(folder, file.path)) == file.data
