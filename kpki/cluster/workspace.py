"""The folder in which kpki keeps what it makes for a cluster: one writer at a time, all files of a step at once."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .desired.rows import NODES_FOLDER, Wanted
from .. import files
from ..errors import FileError, about
from ..kubernetes.layouts import CERTIFICATE_MODE, FOLDER_MODE, WORKSPACE
from ..kubernetes.profiles import find_profile

if TYPE_CHECKING:
    from .desired.description import Cluster
    from .observed.inventory import Found
    from ..files.tree import Action

DESCRIPTION = "cluster.yaml"
PRIVATE_FOLDER = 0o700
BACKUP = "backup"


def description_path(folder: str) -> str:
    """Where the description of the workspace *folder* lies. Raises FileError where it is not there."""
    path = os.path.join("" if folder == os.curdir else folder, DESCRIPTION)
    if files.look(folder, DESCRIPTION).kind == "missing":
        if files.look_at(folder).kind == "file":
            raise FileError(f"{folder}: a file, and a workspace is a folder",
                            hint=f"name the folder that holds {DESCRIPTION}")
        raise FileError(f"{path}: there is no such file, so nothing says what the cluster should be",
                        hint="kpki init writes one; docs/description.md says what stands in it")
    return path


def read_cluster(folder: str, *, host_name: str | None = None) -> Cluster:
    """The cluster that the workspace *folder* describes in its cluster.yaml.

    *host_name* is this host's, for kubeadm's documents that name none. Raises FileError where the file is not there or
    cannot be read, ConfigurationError, with the file's name before it, for what is wrong in it.
    """
    from .desired.description import load_cluster
    path = description_path(folder)
    data = files.read(path)
    with about(path):
        return load_cluster(data, host_name=host_name)


def look_in(folder: str, path: str) -> Found:
    """A file of a workspace: symbolic links are read as they lie there, in a host's tree as on that host."""
    from .observed.inventory import look
    trees, _, rest = path.partition("/")
    host, _, inner = rest.partition("/")
    if trees != NODES_FOLDER or not inner:
        found, top = look("/", os.path.abspath(os.path.join(folder, path)).lstrip("/")), os.path.abspath(folder)
        return replace(found, path=path, unread=found.unread and os.path.relpath(f"/{found.unread}", top))
    found = look(os.path.join(folder, trees, host), inner)
    return replace(found, path=path, unread=found.unread and os.path.normpath(f"{trees}/{host}/{found.unread}"))


def looker_in(folder: str) -> Callable[[str], Found]:
    from .observed.inventory import looker
    return looker(folder, partial(look_in, folder))


class Told(NamedTuple):
    """What a workspace tells of a node's files: its *cluster*, the CA's paths, and of a node that it knows the rest."""

    cluster: Cluster
    ca: str
    ca_key: str | None
    addresses: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    server: str = ""


def told(folder: str, name: str, *, signer: str = "ca", host_name: str | None = None) -> Told | None:
    """What the workspace *folder* tells of the node *name*, and of the CA *signer* (a row); None where it has no
    description."""
    if files.look(folder, DESCRIPTION).kind == "missing":
        return None
    cluster = read_cluster(folder, host_name=host_name)
    certificate, key = authority_paths(cluster, folder, signer)
    wanted = Wanted(cluster)
    for host in cluster.hosts:
        if host.name == name:
            server = next(row.kubeconfig.server for row in wanted.of_host(host)
                          if row.place == wanted.layout.kubelet and row.kubeconfig)
            return Told(cluster, certificate, key, host.addresses, host.dns, server)
    return Told(cluster, certificate, key, server=wanted.server())


def authority_paths(cluster: Cluster, folder: str, row: str = "ca") -> tuple[str, str | None]:
    """Where a CA of a workspace lies: its certificate, and its key, None where that is kept elsewhere."""
    from .desired.description import GIVEN_NAMES
    given, place = cluster.authorities.get(GIVEN_NAMES[row]), WORKSPACE.place(row)
    certificate, key = (given.certificate, given.key) if given else (place.certificate, place.key)
    return os.path.join(folder, certificate), None if key is None else os.path.join(folder, key)


def ca_keys(folder: str, cluster: Cluster) -> list[str]:
    """The private keys of CAs that are there: those that the description names, and the workspace's own."""
    given = [one.key for one in cluster.authorities.values()]
    own = [place.key for place in WORKSPACE.places if find_profile(place.row).kind == "ca"]
    return [os.path.join(folder, path) for path in (*given, *own) if path and is_there(os.path.join(folder, path))]


def is_there(path: str) -> bool:
    """Whether something lies at a path."""
    return files.look("/", os.path.abspath(path).lstrip("/")).kind != "missing"


def ensure_example_description(folder: str, now: datetime, warnings: list[str] | None = None) -> None:
    """Write the built-in cluster.yaml, unless it is there. The caller holds the workspace."""
    from .desired.description import example_description
    text = example_description().encode()
    if files.look(folder, DESCRIPTION).kind == "missing":
        write(folder, [files.File(DESCRIPTION, text, CERTIFICATE_MODE)], trees=NODES_FOLDER, now=now, warnings=warnings)
    elif files.read(path := os.path.join(folder, DESCRIPTION)) != text:
        raise FileError(f"{path}: it is there already, and says something else than the example",
                        hint="kpki apply without --example works from it")


@contextmanager
def locked(folder: str, now: datetime) -> Iterator[None]:
    """Hold the workspace *folder* for this process; FileError names who holds it after 30 seconds."""
    with files.lock(folder, ".kpki.lock", now=now):
        yield


def write(folder: str, wanted: Sequence[files.File], *, trees: str, now: datetime, removing: Sequence[str] = (),
          run: str | None = None, warnings: list[str] | None = None) -> list[tuple[files.File, Action]]:
    """Put files under a workspace and take *removing* away, all or none; what was there is kept in its backup folder.

    *trees* is the folder below it that holds a host's tree in each of its own: folders inside those are 0755, as on a
    host, all others 0700. *run* names the folder in the backup, None: a new one; *warnings*: see
    `files.replace_tree`. Gives each file with what was done.
    Raises FileError for a link on the way that leads elsewhere than it is read.
    """
    _check_links(folder, [*(file.path for file in wanted), *removing], trees)
    depth = trees.count("/") + 2

    def folder_mode(path: str) -> int:
        return FOLDER_MODE if path.startswith(f"{trees}/") and path.count("/") >= depth else PRIVATE_FOLDER

    return files.replace_tree(folder, wanted, removing=removing, folder_mode=folder_mode, backup=BACKUP, run=run,
                              now=now, warnings=warnings)


def _check_links(folder: str, paths: Sequence[str], trees: str) -> None:
    """Raise FileError where a link leads out of the workspace, or in a host's tree elsewhere from here than there."""
    depth = trees.count("/") + 2
    for path in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        written = files.resolve(folder, path)
        if not path or written == os.path.join(folder, path):
            continue
        parts = path.split("/")
        tree, inner = ("/".join(part) for part in (parts[:depth], parts[depth:]))
        read = _real(os.path.join(folder, path))
        if tree.startswith(f"{trees}/"):
            read = files.resolve(_real(os.path.join(folder, tree)), inner)
        if read != _real(written):
            raise FileError(f"{os.path.join(folder, path)}: a link on the way leads out of "
                            + ("the host's tree, or is absolute" if tree.startswith(f"{trees}/") else folder),
                            hint="put the folder itself in the link's place")


def _real(path: str) -> str:
    """Where a path leads, every link on the way followed as it lies here."""
    return files.resolve("/", os.path.abspath(path))
