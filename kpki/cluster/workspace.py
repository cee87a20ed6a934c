"""A workspace: the folder with a cluster's description and files.

One process writes at a time, all files or none.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .desired.rows import NODES_FOLDER, Wanted
from .. import files
from ..errors import FileError, about
from ..kubernetes.layouts import (
    CERTIFICATE_MODE,
    FOLDER_MODE,
    NEXT,
    PREVIOUS,
    WORKSPACE,
    beside,
)
from ..kubernetes.profiles import get_profile

if TYPE_CHECKING:
    from .desired.description import Cluster
    from .observed.inventory import ObservedFile
    from ..files.tree import Action

DESCRIPTION = "cluster.yaml"
PRIVATE_FOLDER = 0o700
BACKUP = "backup"


def description_path(folder: str) -> str:
    """The path of the description in the workspace *folder*.

    Raises FileError if there is no description.
    """
    path = os.path.join("" if folder == os.curdir else folder, DESCRIPTION)
    if files.read_entry(folder, DESCRIPTION).kind == "missing":
        if files.read_entry_at(folder).kind == "file":
            raise FileError(f"{folder}: this is a file, and a workspace is a folder",
                            hint=f"name the folder that holds {DESCRIPTION}")
        raise FileError(f"{path}: there is no such file, so nothing describes the cluster",
                        hint=f"kpki init writes a {DESCRIPTION}; "
                             "docs/description.md lists its fields")
    return path


def read_cluster(folder: str, *, host_name: str | None = None) -> Cluster:
    """The cluster that cluster.yaml in the workspace *folder* describes.

    *host_name* is this host's name, for kubeadm's documents without one. Raises FileError if the
    file is missing or cannot be read. Raises ConfigurationError, with the file's name in front, for
    a fault in the file.
    """
    from .desired.description import load_cluster
    path = description_path(folder)
    data = files.read(path)
    with about(path):
        return load_cluster(data, host_name=host_name)


def observe_workspace_file(folder: str, path: str) -> ObservedFile:
    """A file of a workspace.

    In a host's tree an absolute symbolic link starts at the tree, as on that host.
    """
    from .observed.inventory import observe_file
    trees, _, rest = path.partition("/")
    host, _, inner = rest.partition("/")
    if trees != NODES_FOLDER or not inner:
        found = observe_file("/", os.path.abspath(os.path.join(folder, path)).lstrip("/"))
        unread = found.unread and os.path.relpath(f"/{found.unread}", os.path.abspath(folder))
    else:
        found = observe_file(os.path.join(folder, trees, host), inner)
        unread = found.unread and os.path.normpath(f"{trees}/{host}/{found.unread}")
    return found._replace(path=path, unread=unread)


def workspace_observer(folder: str) -> Callable[[str], ObservedFile]:
    """An *observe* function for the files of a workspace, for `make_plan`."""
    from .observed.inventory import tree_observer
    return tree_observer(folder, partial(observe_workspace_file, folder))


class Defaults(NamedTuple):
    """What a workspace's description says about a node and its CA."""

    cluster: Cluster
    """The cluster that the description describes."""
    ca: str
    """The path of the CA's certificate."""
    ca_key: str | None
    """The path of the CA's key, or its URI; None if the description names no key."""
    addresses: tuple[str, ...] = ()
    """The node's addresses; none for a node that is not in the description."""
    dns: tuple[str, ...] = ()
    """The node's further DNS names."""
    server: str = ""
    """The API server's URL for the node's kubelet."""


def find_defaults(folder: str, name: str, *, signer: str = "ca",
                  host_name: str | None = None) -> Defaults | None:
    """What the workspace *folder* says about the node *name* and the CA *signer* (a row).

    None for a workspace without a description.
    """
    if files.read_entry(folder, DESCRIPTION).kind == "missing":
        return None
    cluster = read_cluster(folder, host_name=host_name)
    certificate, key = authority_paths(cluster, folder, signer)
    wanted = Wanted(cluster)
    for host in cluster.hosts:
        if host.name == name:
            server = next(row.kubeconfig.server for row in wanted.of_host(host)
                          if row.place == wanted.layout.kubelet and row.kubeconfig)
            return Defaults(cluster, certificate, key, host.addresses, host.dns, server)
    return Defaults(cluster, certificate, key, server=wanted.server())


def authority_paths(cluster: Cluster, folder: str, row: str = "ca") -> tuple[str, str | None]:
    """The paths of a CA's certificate and key in a workspace.

    The key's path is None if the description names no key, and a URI if the key is in a token.
    """
    from .desired.description import GIVEN_NAMES
    from .desired.token import is_in_token
    given, place = cluster.authorities.get(GIVEN_NAMES[row]), WORKSPACE.place(row)
    certificate, key = (given.certificate, given.key) if given else (place.certificate, place.key)
    return os.path.join(folder, certificate), key if key is None or is_in_token(key) \
        else os.path.join(folder, key)


def is_exchanged(observe: Callable[[str], ObservedFile], row: str = "ca") -> bool:
    """Whether a workspace holds the other pair of an exchange, the new or the old, of a CA."""
    certificate = WORKSPACE.place(row).certificate
    return any(observe(beside(certificate, which)).there for which in (NEXT, PREVIOUS))


def ca_keys(folder: str, cluster: Cluster) -> list[str]:
    """The existing private keys of CAs: those in the description, and the workspace's own."""
    given = [authority.key for authority in cluster.authorities.values()]
    own = [place.key for place in WORKSPACE.places if get_profile(place.row).kind == "ca"]
    return [os.path.join(folder, path) for path in (*given, *own)
            if path and is_there(os.path.join(folder, path))]


def is_there(path: str) -> bool:
    """Whether a path exists."""
    return files.read_entry("/", os.path.abspath(path).lstrip("/")).kind != "missing"


def ensure_example_description(folder: str, now: datetime,
                               warnings: list[str] | None = None) -> None:
    """Write the built-in cluster.yaml, unless the workspace has it. The caller holds the lock.

    Raises FileError for another cluster.yaml.
    """
    from .desired.example import example_description
    text = example_description().encode()
    if files.read_entry(folder, DESCRIPTION).kind == "missing":
        write(folder, [files.File(DESCRIPTION, text, CERTIFICATE_MODE)], trees=NODES_FOLDER,
              now=now, warnings=warnings)
    elif files.read(path := os.path.join(folder, DESCRIPTION)) != text:
        raise FileError(f"{path}: the workspace has a description already, other than the example",
                        hint=f"kpki apply without --example works from {path}")


@contextmanager
def locked(folder: str, now: datetime) -> Iterator[None]:
    """Lock the workspace *folder* for this process.

    Raises FileError, with the holder's name, after 30 seconds.
    """
    with files.lock(folder, ".kpki.lock", now=now):
        yield


def write(folder: str, wanted: Sequence[files.File], *, trees: str, now: datetime,
          removing: Sequence[str] = (), run: str | None = None,
          warnings: list[str] | None = None) -> list[tuple[files.File, Action]]:
    """Write files in a workspace and remove *removing*, all or none.

    The old files go into the workspace's backup folder. *trees* is the folder, relative to the
    workspace, that holds the hosts' trees. Folders inside a tree have mode 0755, as on a host, all
    others 0700. *run* names the folder in the backup (None: a new folder). *warnings*: see
    `files.replace_tree`. Returns each file with the action. Raises FileError if a symbolic link in
    a path leads out of the workspace or of its tree.
    """
    _validate_links(folder, [*(file.path for file in wanted), *removing], trees)
    depth = trees.count("/") + 2

    def folder_mode(path: str) -> int:
        is_inside = path.startswith(f"{trees}/") and path.count("/") >= depth
        return FOLDER_MODE if is_inside else PRIVATE_FOLDER

    return files.replace_tree(folder, wanted, removing=removing, folder_mode=folder_mode,
                              backup=BACKUP, run=run, now=now, warnings=warnings)


def _validate_links(folder: str, paths: Sequence[str], trees: str) -> None:
    """Raise FileError if a link leads out of the workspace, or out of a host's tree."""
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
            left = "the host's tree, or is absolute" if tree.startswith(f"{trees}/") else folder
            raise FileError(f"{os.path.join(folder, path)}: a symbolic link in this path leads out "
                            f"of {left}", hint="replace the link by the folder itself")


def _real(path: str) -> str:
    """A path with every symbolic link resolved on this host."""
    return files.resolve("/", os.path.abspath(path))
