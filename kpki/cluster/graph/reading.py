"""The graph of a workspace, of a host, of a folder or of a file, from what is on disk."""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .graph import Graph, Holder, make_graph
from ..check.plain import inspect_plain
from ..desired.rows import NODES_FOLDER, layout_of
from ..lifecycle.expiry import SkippedFile
from ..observed.components import kubeconfig_uses
from ..observed.contents import read_certificates
from ..observed.defaults import layout_uses
from ..observed.hosts import inventory_of, is_host_tree
from ..observed.inventory import Inventory, found_at
from ..observed.search import is_aside
from ..observed.tree import Tree
from ..observed.use import Use
from ..observed.uses import read_host
from ..rules.facts import Pair, pairs_of, row_of, signing_pairs_of, trust_files_of
from ..workspace import DESCRIPTION, read_cluster
from ... import files
from ...kubernetes.components import COMPONENT_NAMES
from ...kubernetes.layouts import WORKSPACE, Layout

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

HeldCertificate = tuple["Certificate", str, Sequence[Holder]]
_USERS = "users"
_DENIED = "permission denied"


def read_graph(path: str | os.PathLike[str], *, host_name: str = "") -> Graph:
    """Who signs whom, who holds what and who calls whom, at *path*.

    *path* is a workspace, a host's root tree, a folder or a file. Of a host's tree the files count
    that a component reads (see `inspect_host`). *host_name* is this host's name, for a kubeadm
    configuration without a node name. Raises FileError if nothing is at *path*, InputError if there
    is nothing to show, and what `load_cluster` raises for the description of a workspace.

    >>> graph = kpki.read_graph(host)
    >>> [(found.name, found.authority) for found in graph.certificates][:1]
    [('ca', True)]
    """
    path = os.fspath(path)
    if path and files.read_entry_at(path).kind == "folder":
        if files.read_entry(path, DESCRIPTION).kind != "missing":
            return _graph_of(_of_workspace(path, host_name))
        host = read_host(path)
        if is_host_tree(path, host):
            return _graph_of([(None, inventory_of(path, host))])
    return _graph_of([(None, _without_guesses(inspect_plain(path).inventory))])


def _graph_of(trees: Iterable[tuple[str | None, Inventory]]) -> Graph:
    held, skipped = list[HeldCertificate](), list[SkippedFile]()
    for host, inventory in trees:
        held += _held(host, inventory, skipped)
        skipped += (SkippedFile(host, path, _DENIED) for path in inventory.unread)
    return make_graph(held, skipped)


def _without_guesses(inventory: Inventory) -> Inventory:
    """A folder's files without guesses: a component without a pair in the folder reads nothing."""
    known = {use.component for pair in pairs_of(inventory) if pair.chain for use in pair.uses}
    return replace(inventory, uses=tuple(
        use if use.component in known else replace(use, component="") for use in inventory.uses))


def _of_workspace(folder: str, host_name: str) -> Iterator[tuple[str | None, Inventory]]:
    """The workspace's own files, then the tree of each host."""
    layout = layout_of(read_cluster(folder, host_name=host_name))
    own = Tree(folder)
    uses = [*layout_uses(own, WORKSPACE, COMPONENT_NAMES, ())]
    known = {use.file for use in uses}
    for name in own.names(_USERS):
        path = f"{_USERS}/{name}"
        if path not in known and not is_aside(path):
            uses += kubeconfig_uses(own, _kubeconfig_use(path), f"/{path}")
    yield None, _inventory(own, WORKSPACE, uses)
    nodes = os.path.join(folder, NODES_FOLDER)
    if files.read_entry(folder, NODES_FOLDER).kind != "folder":
        return
    for name in sorted(files.list_names(nodes)):
        if files.read_entry(nodes, name).kind == "folder" and not is_aside(name):
            tree = Tree(os.path.join(nodes, name))
            there = layout.as_found(name, tree.there)
            yield name, _inventory(tree, there, [*layout_uses(tree, there, (), ())])


def _kubeconfig_use(path: str) -> Use:
    """The use of the kubeconfig of a person."""
    return Use(component="kubectl", setting="--kubeconfig", source="", path=path,
               purpose="admin-client", part="kubeconfig", group=path, default=True, optional=True)


def _inventory(tree: Tree, layout: Layout, uses: Sequence[Use]) -> Inventory:
    for path in (*(use.file for use in uses), *(path for path, _ in layout.files())):
        tree.file(path, "")
    unread = dict.fromkeys((*(found.unread for found in tree.found.values() if found.unread),
                            *tree.closed))
    return Inventory(tree.root, layout, tree.found, uses=tuple(uses), unread=tuple(unread))


def _held(host: str | None, inventory: Inventory,
          skipped: list[SkippedFile]) -> Iterator[HeldCertificate]:
    """The certificates of one tree with their holders: CAs first, in the order of the uses."""
    for pair in signing_pairs_of(inventory):
        yield from _of_pair(host, inventory, pair, skipped)
    for file in trust_files_of(inventory):
        holders = tuple(_holder(host, file.path, use) for use in file.uses)
        if file.fault and file.fault.cause != "file-missing":
            skipped.append(SkippedFile(host, file.path, file.fault.message))
        yield from ((certificate, file.row, holders) for certificate in file.certificates)
    for pair in pairs_of(inventory):
        yield from _of_pair(host, inventory, pair, skipped)


def _of_pair(host: str | None, inventory: Inventory, pair: Pair,
             skipped: list[SkippedFile]) -> Iterator[HeldCertificate]:
    """The certificates of a pair's file: the leaf with its key, then the CAs above it."""
    chain, fault = pair.chain, None
    if not chain:       # of a pair whose certificate no setting names, the file may still be there
        chain, fault = read_certificates(found_at(inventory, pair.path, "certificate"), pair.row)
    if fault and fault.cause != "file-missing":
        skipped.append(SkippedFile(host, pair.path, fault.message))
    has_key = pair.matches and not inventory.file(pair.key_path.partition("#")[0]).missing
    for number, certificate in enumerate(chain):
        key = pair.key_path if has_key and not number else ""
        yield certificate, "" if number else _row(pair), tuple(
            _holder(host, pair.path, replace(use, purpose="") if number else use, key)
            for use in pair.uses)


def _holder(host: str | None, path: str, use: Use, key: str = "") -> Holder:
    """The holder of a use; no component reads a pair for people, or a CA's key for kubeadm."""
    unknown = use.purpose.startswith("pair") or use.purpose == "authority-key"
    return Holder(host=host, path=path, component="" if unknown else use.component,
                  purpose=use.purpose, key=key)


def _row(pair: Pair) -> str:
    """The row of a pair; none for the kubeconfig of a user of whom kpki has no row."""
    if any(use.path.startswith(f"{_USERS}/") and use.path.partition("#")[0] not in _OWN
           for use in pair.uses):
        return ""
    return pair.row or row_of(pair.uses)


_OWN = {path for path, _ in WORKSPACE.files()}
