"""What is on disk: the files of a host's tree that its layout names, and those that its kubeconfigs
name.
"""
from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from stat import S_IMODE

from .use import Running, Use
from ... import files
from ...errors import AccessError, InputError, KpkiError
from ...kubernetes.kubeconfig import Kubeconfig, load_kubeconfig
from ...kubernetes.layouts import LAYOUTS, Layout, Place, get_layout

SECRET = b"PRIVATE KEY-----"     # in every file with a private key
_EMBEDDED = re.compile(rb"^ +(?:client-certificate|certificate-authority)-data:", re.MULTILINE)

HOSTS = "etc/hosts"
_KINDS = {"folder": "a folder", "link": "a link", "other": "a FIFO, a socket or a device"}
_MOST_FOLDERS = 1000    # that are kept in mind


@dataclass(frozen=True, slots=True)
class ObservedFile:
    """One file as it was found: what is in it, or why nothing of it was read."""

    path: str               # relative to the root
    data: bytes | None = field(default=None, repr=False)
    mode: int = 0           # the permission bits
    problem: str = ""       # what is wrong with the place, so that no user could read a file there
    missing: bool = False   # whether nothing is there
    link: bool = False      # whether a symbolic link leads to it
    owner: int | None = None    # the user id that the file belongs to, None if nobody looked
    # who should own the private key in the file, if a stranger does (`owners.with_owners`)
    keeper: str = ""
    # what the caller may not read, relative to the root: the file, or the folder that hides it
    unread: str = ""

    @property
    def there(self) -> bool:
        """Whether something is known to lie there; of what a closed folder hides nobody knows."""
        return not self.missing and self.unread in ("", self.path)

    def at(self, path: str) -> ObservedFile:
        # not by replace, which takes several times as long
        """Internal: the same, found at another path."""
        return ObservedFile(path, self.data, self.mode, self.problem, self.missing, self.link,
                            self.owner, self.keeper, self.unread)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that the caller may not read, or a folder that the caller may not list or search."""

    host: str | None    # whose tree it lies in, None if there is one tree only
    path: str           # relative to the host's tree


@dataclass(frozen=True, slots=True)
class Inventory:
    """A host's tree: its *layout*, and every file that matters by its path relative to the *root*.
    """

    root: str
    layout: Layout
    found: Mapping[str, ObservedFile]
    # the files and folders that the caller may not read, each once
    unread: tuple[str, ...] = ()
    # Internal: the components that an unread file may tell something else
    uncertain: frozenset[str] = frozenset()
    uses: tuple[Use, ...] = ()
    """What the components of the host read, and for what."""
    running: tuple[Running, ...] = ()
    """The components as the host starts them."""
    outside: tuple[tuple[str, str], ...] = ()
    """The file that names it, and the path, of each path that leaves the root."""

    def file(self, path: str) -> ObservedFile:
        """One file; what is neither the layout's nor named by a kubeconfig was not looked for."""
        return self.found.get(path) or ObservedFile(path, missing=True)

    def look(self, path: str) -> ObservedFile:
        """Internal: the former name of `file`."""
        import warnings
        warnings.warn("Inventory.look is called Inventory.file now", DeprecationWarning,
                      stacklevel=2)
        return self.file(path)

    @property
    def started(self) -> frozenset[str]:
        """Internal: the components that a file of the tree starts; for the others the layout
        speaks.
        """
        return frozenset(running.component for running in self.running)

    def setting_values(self, component: str, name: str) -> tuple[str, ...]:
        """Internal: the values of a setting, of the first start of the component that is told any;
        empty if none is.
        """
        return next((values for running in self.running if running.component == component
                     and (values := running.settings.get(name, ()))), ())

    def led_out(self) -> list[str]:
        """A line for each path that leaves the root, and so was not looked at."""
        return [f"{source} names {path}, which leads out of {self.root}" if source else
                f"{path} leads out of {self.root}" for source, path in self.outside]

    def leftovers(self) -> list[str]:
        """Internal: copies that runs of kpki have left, by their names, if they hold a private key.
        """
        return [path for path, file in self.found.items()
                if files.staged_for(posixpath.basename(path)) is not None
                and SECRET in (file.data or b"")]

    def certificates(self) -> int:
        """How many certificates were read."""
        return sum(certificates_in(file.data or b"") for file in self.found.values())


def certificates_in(data: bytes) -> int:
    """How many certificates a file holds: PEM blocks, or what a kubeconfig embeds."""
    return data.count(b"-----BEGIN CERTIFICATE-----") + (len(_EMBEDDED.findall(data))
                                                         if b"-data:" in data else 0)


def inspect_layout(root: str, layout: str | None = None, *, also: Iterable[str] = ()) -> Inventory:
    """The files of a layout (a name, None: the one whose files or folders are there), those that
    its kubeconfigs name, and *also* these. Raises InputError if no layout is there, FileError
    for a root that cannot be read.
    """
    return read_layout(root, choose_layout(root, layout), also=also)


def require(inventory: Inventory) -> Inventory:
    """The inventory, if the caller may read all of it; else AccessError for the first file or
    folder.
    """
    for path in inventory.unread:
        raise refusal(inventory.root, path)
    return inventory


def refusal(root: str, path: str) -> AccessError:
    """The error for a file or folder of a tree that the caller may not read."""
    place = os.path.normpath(os.path.join(root, path))
    return AccessError(f"{place}: permission denied",
                       hint="run the command as root or as the file's owner", path=place)


def choose_layout(root: str, name: str | None) -> Layout:
    """The layout of that *name*, None: the one whose files or folders are there.

    Raises as `inspect`.
    """
    return _found_layout(root) if name is None else get_layout(name)


def read_layout(root: str, layout: Layout, *, also: Iterable[str] = ()) -> Inventory:
    """Read the files of a layout, those that its kubeconfigs name, and *also* these."""
    found = {path: observe_file(root, path)
             for path in (*(path for path, _ in layout.files()), *also)}
    for place in layout.places:
        kubeconfig = kubeconfig_of(found, place)
        if kubeconfig is not None:
            for material in (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key):
                if material.path:
                    path = named_path(place.kubeconfig, material.path)
                    found.setdefault(path, observe_file(root, path))
    return Inventory(root, layout, found,
                     unread=tuple({file.unread: None for file in found.values() if file.unread}))


def walk(root: str, folder: str, closed: list[str], skip: Callable[[str], bool], *,
         staged: bool = False) -> Iterator[str]:
    """The files in a folder of a tree (see `files.walk`), by their paths there; none if the folder
    cannot be listed.

    The folders that the caller may not list, or search, are added to *closed*.
    """
    inner = list[str]()
    try:
        for path, _ in files.walk(files.resolve(os.path.abspath(root), folder), skip=skip,
                                  closed=inner, staged=staged):
            yield path
    except AccessError:
        closed.append(observe_file(root, folder).unread or folder)
    except KpkiError:
        pass        # nothing is there, or no folder
    closed += [f"{folder}/{path}" for path in inner]


# Folders that are not the tree: what was put aside, and what the kubelet keeps for its pods.
PASSED_OVER = frozenset({"backup", "expired", "tmp", "pods", "plugins", "plugins_registry",
                         "device-plugins", "manifests", "volumes", "checkpoints"})


def passes_over(path: str) -> bool:
    """Whether a folder or file of that name is passed over where files are searched for."""
    return posixpath.basename(path) in PASSED_OVER


def kubeconfig_of(found: Mapping[str, ObservedFile], place: Place) -> Kubeconfig | None:
    """The kubeconfig of a place, where it is there and can be read."""
    there = found.get(place.kubeconfig)
    return kubeconfig_in(there.data if there else None)


def kubeconfig_in(data: bytes | None) -> Kubeconfig | None:
    """The kubeconfig in *data*; None if there is none, or if client-go could not read it."""
    try:
        return None if data is None else _loaded(data)
    except InputError:
        return None


def found_at(inventory: Inventory, path: str, part: str) -> ObservedFile:
    """What a use reads: the file, or what a kubeconfig embeds as that *part*."""
    file, _, entry = path.partition("#")
    there = inventory.file(file)
    try:    # the server does not matter here: the component may be told another
        kubeconfig = _loaded(there.data or b"", server="https://kubernetes.invalid") if entry \
            else None
    except InputError:
        return there
    if kubeconfig is None:
        return there
    material = {"authority": kubeconfig.authority, "certificate": kubeconfig.certificate,
                "key": kubeconfig.key}[part]
    return ObservedFile(path, material.data or b"", 0)


# a host has a few, and each is asked for many times
_loaded = lru_cache(maxsize=16)(load_kubeconfig)


@lru_cache(maxsize=256)     # all hosts of a layout have the same paths
def named_path(kubeconfig: str, path: str) -> str:
    """Where a path in a kubeconfig leads, relative to the root: from the root, or from the
    kubeconfig's own folder.
    """
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(kubeconfig), path)).lstrip("/")


# The folders that make a folder a host's root.
TOPS = ("etc/kubernetes", "var/lib/kubelet", "var/lib/kubernetes", "var/lib/kube-proxy", "etc/etcd",
        "etc/ssl/etcd")


def root_of(path: str) -> tuple[str, str]:
    """The root of the tree that a file lies in, and its path there; outside of a tree, this host's.
    """
    inner = os.path.abspath(path).lstrip("/")
    for top in TOPS:
        before, found, after = f"/{inner}".rpartition(f"/{top}/")
        if found:
            return before or os.sep, f"{top}/{after}"
    return os.sep, inner


def tree_observer(root: str, linked: Callable[[str], ObservedFile]) -> Callable[[str],
                                                                                ObservedFile]:
    """A look at one file after another of a tree: where its folders are is found out once, while
    they are there.

    *linked* looks where a symbolic link is on the way.
    """
    top, read = os.path.abspath(root), files.read_if_file
    folders = dict[str, str]()

    def place(folder: str) -> str | None:
        """Where a folder is; None where nowhere, "" where a link leads to it."""
        if not folder:
            return top
        if folder not in folders:
            above, _, name = folder.rpartition("/")
            there = place(above)
            kind = files.read_entry(there, name).kind if there else "link" if there == "" \
                else "missing"
            if kind == "missing":
                return None
            if len(folders) > _MOST_FOLDERS:
                folders.clear()
            folders[folder] = "" if kind == "link" else f"{there}/{name}"
        return folders[folder]

    def observe(path: str) -> ObservedFile:
        folder, _, name = path.rpartition("/")
        try:
            there = place(folder)
            entry, data = read(f"{there}/{name}") if there and name not in ("", ".", "..") \
                else (None, None)
            if there is None or (there and not entry):
                return ObservedFile(path, missing=True)
            if entry and data is not None:
                return ObservedFile(path, data, S_IMODE(entry.st_mode), owner=entry.st_uid)
        except AccessError:
            return linked(path)     # which finds out what is closed
        except KpkiError as error:
            return ObservedFile(path, problem=error.message)
        return linked(path)

    return observe


def observe_file(root: str, path: str) -> ObservedFile:
    """One file of a tree, symbolic links read as on the host whose tree it is."""
    top, link, real = os.path.abspath(root), False, ""
    try:
        real = files.resolve(top, path)
        link = real != os.path.join(top, path)
        entry = files.read_entry(os.path.dirname(real), os.path.basename(real))
        if entry.kind == "missing":
            return ObservedFile(path, missing=True, link=link)
        if entry.kind != "file":
            return ObservedFile(path,
                                problem=f"the path leads to no regular file but "
                                        f"{_KINDS[entry.kind]}", link=link)
        return ObservedFile(path, files.read(real), entry.mode, link=link, owner=entry.owner)
    except AccessError as error:
        # no file in it can be looked at
        closed = os.path.relpath(os.path.dirname(error.path), top)
        return ObservedFile(path, link=link, unread=path if error.path == real else closed)
    except KpkiError as error:
        return ObservedFile(path, problem=error.message)


def validate_root(root: str) -> None:
    """Raise FileError unless *root* is a folder that can be listed."""
    next(files.walk(root, skip=lambda _: True), None)


def _found_layout(root: str) -> Layout:
    validate_root(root)
    layout = layout_there(root)
    if layout is None:
        names = ", ".join(layout.name for layout in LAYOUTS)
        raise InputError(f"{root}: none of kpki's layouts is there ({names})",
                         hint="is it a host's root, with etc/kubernetes in it? Otherwise say "
                              "--layout")
    return layout


def layout_there(root: str) -> Layout | None:
    """The layout whose kubelet's kubeconfig is there, else one of its kubelet's files, else its
    CA's folder.
    """
    def there(path: str) -> bool:
        return files.read_entry(root, path).kind != "missing"

    clues: tuple[Callable[[Layout], list[str]], ...] = (
        lambda layout: [layout.kubelet.kubeconfig],
        lambda layout: [path for place in layout.node_places() for path in place.files()],
        lambda layout: [posixpath.dirname(layout.places[0].certificate)])
    for clue in clues:
        for layout in LAYOUTS:
            if any(map(there, clue(layout))):
                return layout
    return None
