"""What is on disk: the files of a host's tree that its layout names, and those that its kubeconfigs name."""
from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .. import files
from ..errors import InputError, KpkiError
from ..kubernetes.kubeconfig import Kubeconfig, load_kubeconfig
from ..kubernetes.layouts import LAYOUTS, Layout, Place, find_layout
from .wanted import NODES_FOLDER


_EMBEDDED = re.compile(rb"^ +(?:client-certificate|certificate-authority)-data:", re.MULTILINE)

_MOST_FOLDERS = 1000    # that are kept in mind


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

    def look(self, path: str) -> Found:
        """One file; what is neither the layout's nor named by a kubeconfig was not looked for."""
        return self.found.get(path) or Found(path, missing=True)

    def certificates(self) -> int:
        """How many certificates were read."""
        return sum(certificates_in(one.data or b"") for one in self.found.values())


def certificates_in(data: bytes) -> int:
    """How many certificates a file holds: PEM blocks, or what a kubeconfig embeds."""
    return data.count(b"-----BEGIN CERTIFICATE-----") + len(_EMBEDDED.findall(data))


def inspect(root: str, *, layout: str | None = None, also: Iterable[str] = ()) -> Inventory:
    """Read a host's tree: the files of its layout, those that its kubeconfigs name, and *also* these.

    *layout* is a name, None: the one whose files or folders are there. Raises InputError where none is, FileError for
    a root that cannot be read.
    """
    return read_layout(root, choose_layout(root, layout), also=also)


def choose_layout(root: str, name: str | None) -> Layout:
    """The layout of that *name*, None: the one whose files or folders are there. Raises as `inspect`."""
    return _found_layout(root) if name is None else find_layout(name)


def read_layout(root: str, layout: Layout, *, also: Iterable[str] = ()) -> Inventory:
    """Read the files of a layout, those that its kubeconfigs name, and *also* these."""
    found = {path: look(root, path) for path in (*(path for path, _ in layout.files()), *also)}
    for place in layout.places:
        kubeconfig = kubeconfig_of(found, place)
        if kubeconfig is not None:
            for material in (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key):
                if material.path:
                    path = named_path(place.kubeconfig, material.path)
                    found.setdefault(path, look(root, path))
    return Inventory(root, layout, found)


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


def looker(root: str, linked: Callable[[str], Found]) -> Callable[[str], Found]:
    """A look at one file after another of a tree: where its folders are is found out once, while they are there.

    *linked* looks where a symbolic link is on the way.
    """
    top = os.path.abspath(root)
    folders = dict[str, str]()

    def place(folder: str) -> str | None:
        """Where a folder is; None where nowhere, "" where a link leads to it."""
        if not folder:
            return top
        if folder not in folders:
            above, _, name = folder.rpartition("/")
            there = place(above)
            kind = files.look(there, name).kind if there else "link" if there == "" else "missing"
            if kind == "missing":
                return None
            if len(folders) > _MOST_FOLDERS:
                folders.clear()
            folders[folder] = "" if kind == "link" else f"{there}/{name}"
        return folders[folder]

    def look_at(path: str) -> Found:
        folder, _, name = path.rpartition("/")
        try:
            there = place(folder)
            entry = files.look(there, name) if there else None
            if there is None or entry and entry.kind == "missing":
                return Found(path, missing=True)
            if entry and entry.kind == "file":
                return Found(path, files.read(f"{there}/{name}"), entry.mode)
        except KpkiError as error:
            return Found(path, problem=error.message)
        return linked(path)

    return look_at


def look(root: str, path: str) -> Found:
    """One file of a tree, symbolic links read as on the host whose tree it is."""
    try:
        real = files.resolve(os.path.abspath(root), path)
        entry = files.look(os.path.dirname(real), os.path.basename(real))
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


def _found_layout(root: str) -> Layout:
    check_root(root)
    layout = layout_there(root)
    if layout is None:
        names = ", ".join(layout.name for layout in LAYOUTS)
        raise InputError(f"{root}: none of kpki's layouts is there ({names})",
                         hint="is it a host's root, with etc/kubernetes in it? Otherwise say --layout")
    return layout


def layout_there(root: str) -> Layout | None:
    """The layout whose kubelet's kubeconfig is there, else one of its kubelet's files, else its CA's folder."""
    def there(path: str) -> bool:
        return files.look(root, path).kind != "missing"

    clues: tuple[Callable[[Layout], list[str]], ...] = (
        lambda layout: [layout.kubelet.kubeconfig],
        lambda layout: [path for place in layout.node_places() for path in place.files()],
        lambda layout: [posixpath.dirname(layout.places[0].certificate)])
    for clue in clues:
        for layout in LAYOUTS:
            if any(map(there, clue(layout))):
                return layout
    return None


def tree_owner(root: str, host_name: str) -> str:
    """Whose tree a root is: the folder's name under `nodes/`, the host's for `/`. InputError where nothing tells."""
    parts = posixpath.abspath(root).split("/")
    if parts == ["", ""]:
        return host_name.lower()
    if len(parts) > 1 and parts[-2] == NODES_FOLDER:
        return parts[-1]
    raise InputError(f"{root}: whose tree is this?", hint="say --node NAME")
