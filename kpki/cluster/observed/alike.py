"""Hosts whose trees are alike: the files that their components read are found once.

Two trees are alike if they have the same folders and the same files, all of them the layout's own.
No file of a layout but a kubeconfig says what a component reads. So the kubeconfigs are read again
for each host, and may differ in names alone.
"""
from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from stat import S_IMODE
from typing import NamedTuple

from .components import uses_in_kubeconfig
from .hosts import inventory_of
from .inventory import Inventory, ObservedFile
from .use import Use
from .uses import HostUses, read_host
from ... import files
from ...errors import KpkiError
from ...kubernetes.layouts import Layout

_MOST_PATHS = 100       # of a tree that only has the files of a layout
_MOST_KINDS = 64
_kinds: dict[tuple[str, frozenset[str], str], _Kind] = {}


class _Kubeconfig(NamedTuple):
    """A kubeconfig of the first tree of a kind: its *data* and *uses*, its own use first."""

    data: bytes
    uses: tuple[Use, ...]


class _Kind(NamedTuple):
    """What alike trees share; contents and names are those of the first tree."""

    layout: Layout
    there: tuple[str, ...]
    """The files that exist."""
    found: Mapping[str, ObservedFile]
    """Every file that counts, in order."""
    uses: tuple[Use, ...]
    kubeconfigs: tuple[_Kubeconfig, ...]
    named: Mapping[int, tuple[int, int]]
    """The place of each use of a kubeconfig: in *uses* → in *kubeconfigs*, and in its uses."""


def inspect_alike(root: str, layout: str, node: str) -> Inventory:
    """`inspect` for one tree of many: quick for a tree that is like an earlier one."""
    paths = files.plain_paths(root, most=_MOST_PATHS)
    if paths is None:
        return inventory_of(root, read_host(root), layout=layout, node=node)
    # a layout may have the node's name in a path
    key = layout, paths, node if any(node in path for path in paths) else ""
    if (kind := _kinds.get(key)) and (inventory := _inventory(root, kind)):
        return inventory
    host = read_host(root)
    inventory = inventory_of(root, host, layout=layout, node=node)
    if found := _kind_of(inventory, host, paths):
        if len(_kinds) >= _MOST_KINDS:
            _kinds.clear()
        _kinds[key] = found
    return inventory


def _kind_of(inventory: Inventory, host: HostUses, paths: frozenset[str]) -> _Kind | None:
    """The kind of a tree; None if another file than the layout's may say what components read."""
    there = {path for path in paths if not path.endswith("/")}
    if host.uses or host.running or not there <= {path for path, _ in inventory.layout.files()} \
            or any(inventory.file(path).data is None for path in there):
        return None
    kubeconfigs = tuple(
        _Kubeconfig(data, tuple(uses_in_kubeconfig(data, use, f"/{use.path}")))
        for use in inventory.uses if use.part == "kubeconfig"
        for data in [inventory.file(use.path).data or b""])
    origins = {use: (number, place) for number, kubeconfig in enumerate(kubeconfigs)
               for place, use in enumerate(kubeconfig.uses)}
    named = {number: origins[use] for number, use in enumerate(inventory.uses) if use in origins}
    # only a kubeconfig is the source of a use, as no component has settings
    if any(use.source and number not in named for number, use in enumerate(inventory.uses)):
        return None
    return _Kind(inventory.layout, tuple(there), inventory.found, inventory.uses, kubeconfigs,
                 named)


def _inventory(root: str, kind: _Kind) -> Inventory | None:
    """The inventory of a tree with the files of a *kind*; None if the tree is not like that."""
    found = {**kind.found}
    for path in kind.there:
        try:
            entry, data = files.read_if_file(f"{root}/{path}")
        except KpkiError:
            return None
        if entry is None or data is None:       # another program has changed the tree
            return None
        found[path] = ObservedFile(path, data, S_IMODE(entry.st_mode), owner=entry.st_uid,
                                   group=entry.st_gid)
    uses, own = [*kind.uses], list[Sequence[Use]]()
    for first in kind.kubeconfigs:
        path = first.uses[0].path
        data = found[path].data or b""
        own.append(first.uses if data == first.data else
                   tuple(uses_in_kubeconfig(data, first.uses[0], f"/{path}")))
        if own[-1] is not first.uses and not _are_alike(own[-1], first.uses):
            return None
    for number, (kubeconfig, place) in kind.named.items():
        uses[number] = own[kubeconfig][place]
    return Inventory(root, kind.layout, found, uses=tuple(uses))


def _are_alike(uses: Sequence[Use], others: Sequence[Use]) -> bool:
    """Whether the uses of two kubeconfigs at one path differ in the names of entries alone."""
    return len(uses) == len(others) and all(
        use.part == other.part and _is_named_alike(use, other)
        for use, other in zip(uses, others, strict=True))


def _is_named_alike(use: Use, other: Use) -> bool:
    """Whether two uses name the same file, or embedded data of the same kind."""
    embedded = f"{use.source}#"
    return posixpath.basename(use.setting) == posixpath.basename(other.setting) and (
        use.path == other.path
        or (use.path.startswith(embedded) and other.path.startswith(embedded)))
