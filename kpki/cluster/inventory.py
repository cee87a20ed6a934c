"""What is on disk: the files of a host's tree that its layout names, and those that its kubeconfigs name."""
from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from .. import files
from ..errors import InputError, KpkiError
from ..kubernetes.kubeconfig import Kubeconfig, load_kubeconfig
from ..kubernetes.layouts import LAYOUTS, Layout, Place, find_layout

NODES_FOLDER = "nodes"


@dataclass(frozen=True, slots=True)
class Found:
    """One file as it was found: its *data* and *mode*, or the *problem* that keeps it from being read.

    *missing* is true where nothing is there.
    """

    path: str
    data: bytes | None = field(default=None, repr=False)
    mode: int = 0
    problem: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """A host's tree: its *layout*, and every file that matters by its path relative to the *root*."""

    root: str
    layout: Layout
    found: Mapping[str, Found]

    def certificates(self) -> int:
        """How many certificates were read."""
        return sum((one.data or b"").count(b"-----BEGIN CERTIFICATE-----") for one in self.found.values())


def inspect(root: str, *, layout: str | None = None) -> Inventory:
    """Read a host's tree: the files of its layout, and those that its kubeconfigs name.

    *layout* is a name, None: the one whose files or folders are there. Raises InputError where none is, FileError for
    a root that cannot be read.
    """
    chosen = _layout_there(root) if layout is None else find_layout(layout)
    found = {path: look(root, path) for path, _ in chosen.files()}
    for place in chosen.places:
        kubeconfig = kubeconfig_of(found, place)
        if kubeconfig is not None and place.kubeconfig is not None:
            for material in (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key):
                if material.path:
                    path = named_path(place.kubeconfig, material.path)
                    found.setdefault(path, look(root, path))
    return Inventory(root, chosen, found)


def kubeconfig_of(found: Mapping[str, Found], place: Place) -> Kubeconfig | None:
    """The kubeconfig of a place, where it is there and can be read."""
    data = found[place.kubeconfig].data if place.kubeconfig else None
    try:
        return None if data is None else load_kubeconfig(data)
    except InputError:
        return None


def named_path(kubeconfig: str, path: str) -> str:
    """Where a path in a kubeconfig leads, relative to the root: from the root, or from the kubeconfig's own folder."""
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(kubeconfig), path)).lstrip("/")


def look(root: str, path: str) -> Found:
    """One file of a tree, symbolic links read as on the host whose tree it is."""
    try:
        real = files.resolve(os.path.abspath(root), path)
        entry = files.look("/", real.lstrip("/"))
        if entry.kind == "missing":
            return Found(path, missing=True)
        if entry.kind != "file":
            return Found(path, problem=f"it is no regular file but a {entry.kind}")
        return Found(path, files.read(real), entry.mode)
    except KpkiError as error:
        return Found(path, problem=error.message)


def check_root(root: str) -> None:
    """Raise FileError unless *root* is a folder that can be listed."""
    next(files.walk(root, skip=lambda _: True), None)


def _layout_there(root: str) -> Layout:
    check_root(root)
    for layout in LAYOUTS:
        for path, _ in layout.files():
            if any(files.look(root, name).kind != "missing" for name in (path, posixpath.dirname(path))
                   if name.count("/") > 1):
                return layout
    names = ", ".join(layout.name for layout in LAYOUTS)
    raise InputError(f"{root}: none of kpki's layouts is there ({names})",
                     hint="is it a host's root, with etc/kubernetes in it? Otherwise say --layout")


def tree_owner(root: str, host_name: str) -> str:
    """Whose tree a root is: the folder's name under `nodes/`, the host's for `/`. InputError where nothing tells."""
    parts = posixpath.abspath(root).split("/")
    if parts == ["", ""]:
        return host_name.lower()
    if len(parts) > 1 and parts[-2] == NODES_FOLDER:
        return parts[-1]
    raise InputError(f"{root}: whose tree is this?", hint="say --node NAME")
