"""The observed files of a host: the files of its layout, and those that its kubeconfigs name."""
from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from stat import S_IMODE
from typing import TYPE_CHECKING, NamedTuple

from ... import files
from ...errors import AccessError, InputError, KpkiError
from ...kubernetes.kubeconfig import Kubeconfig, load_kubeconfig
from ...kubernetes.layouts import LAYOUTS, Layout, Place, get_layout

if TYPE_CHECKING:
    from .use import Running, Use

CERTIFICATE_BEGIN = b"-----BEGIN CERTIFICATE-----"
SECRET = b"PRIVATE KEY-----"     # in every file with a private key
_EMBEDDED = re.compile(rb"^ +(?:client-certificate|certificate-authority)-data:", re.MULTILINE)

HOSTS = "etc/hosts"
_KINDS = {"folder": "a folder", "link": "a link", "other": "a FIFO, a socket or a device"}
_MOST_FOLDERS = 1000    # folders whose paths are remembered


class ObservedFile(NamedTuple):
    """One observed file: its content, or why it has none.

    >>> file = kpki.inspect_host(host).file("etc/kubernetes/kubelet.conf")
    >>> file.missing, file.data
    (True, None)
    """

    path: str
    """The path, relative to the root."""
    data: bytes | None = None
    """The content; None if it was not read."""
    mode: int = 0
    """The permission bits; `with_owners` leaves out the group's if it has no stranger."""
    problem: str = ""
    """Why no user could read a file at the path; "" if there is no such fault."""
    missing: bool = False
    """Whether no file exists at the path."""
    link: bool = False
    """Whether a symbolic link leads to the file."""
    owner: int | None = None
    """The id of the file's owner, None if unknown."""
    keeper: str = ""
    """The user who should own the private key in the file; "" if the owner is right."""
    unread: str = ""
    """The path that the caller may not read: the file, or the folder that hides the file."""
    group: int | None = None
    """The id of the file's group, None if unknown."""

    def __repr__(self) -> str:      # data may be a private key
        shown = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items()
                          if name != "data")
        return f"ObservedFile({shown})"

    @property
    def there(self) -> bool:
        """Whether a file is known to exist; a file that a closed folder hides is not known."""
        return not self.missing and self.unread in ("", self.path)


def absent(path: str) -> ObservedFile:
    """The fact that no file exists at a path."""
    return ObservedFile(path, missing=True)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that the caller may not read, or a folder that the caller may not list or search.

    >>> report = kpki.check_path(host, node="worker-1", now=now)
    >>> [unread.path for unread in report.unread]
    []
    """

    host: str | None
    """The host of the tree, None if there is a single tree."""
    path: str
    """The path, relative to the host's tree."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """A host's tree: its *layout*, and every file that counts, by its path relative to *root*.

    >>> inventory = kpki.inspect_host(host)
    >>> inventory.layout.name, inventory.certificates()
    ('kubeadm', 1)
    """

    root: str
    """The path of the tree."""
    layout: Layout
    """The layout of the files."""
    found: Mapping[str, ObservedFile]
    """The files by their paths."""
    unread: tuple[str, ...] = ()
    """The files and folders that the caller may not read, each once."""
    # Internal: the components whose settings an unread file may change
    uncertain: frozenset[str] = frozenset()
    uses: tuple[Use, ...] = ()
    """The files that the components of the host read, each with its purpose."""
    running: tuple[Running, ...] = ()
    """The components as the host starts them."""
    outside: tuple[tuple[str, str], ...] = ()
    """Each path that leaves the root, after the file that names the path."""

    def file(self, path: str) -> ObservedFile:
        """The file at a path; missing if neither the layout nor a kubeconfig names the path."""
        return self.found.get(path) or absent(path)

    def look(self, path: str) -> ObservedFile:
        """Internal: the former name of `file`."""
        import warnings
        warnings.warn("Inventory.look is called Inventory.file now", DeprecationWarning,
                      stacklevel=2)
        return self.file(path)

    @property
    def started(self) -> frozenset[str]:
        """Internal: the components that files of the tree start; for others the layout counts."""
        return frozenset(running.component for running in self.running)

    def setting_values(self, component: str, name: str) -> tuple[str, ...]:
        """Internal: the values of a setting, from the first start that has the setting."""
        return next((values for running in self.running if running.component == component
                     and (values := running.settings.get(name, ()))), ())

    def led_out(self) -> list[str]:
        """A line for each path that leaves the root, and so was not read."""
        return [f"{source} names {path}, which leads out of {self.root}" if source else
                f"{path} leads out of {self.root}" for source, path in self.outside]

    def leftovers(self) -> list[str]:
        """Internal: the staging files with a private key that interrupted runs have left."""
        return [path for path, file in self.found.items()
                if files.staged_for(posixpath.basename(path)) is not None
                and SECRET in (file.data or b"")]

    def certificates(self) -> int:
        """The number of certificates in all files."""
        return sum(certificates_in(file.data or b"") for file in self.found.values())


def certificates_in(data: bytes) -> int:
    """The number of certificates in a file: PEM blocks, or certificates in a kubeconfig."""
    return data.count(b"-----BEGIN CERTIFICATE-----") + (len(_EMBEDDED.findall(data))
                                                         if b"-data:" in data else 0)


def inspect_layout(root: str, layout: str | None = None, *, also: Iterable[str] = ()) -> Inventory:
    """The files of a layout, the files that its kubeconfigs name, and *also* these.

    *layout* is a name; None is the layout whose files or folders exist. Raises InputError if no
    layout exists, FileError for a root that cannot be read.
    """
    return read_layout(root, choose_layout(root, layout), also=also)


def require(inventory: Inventory) -> Inventory:
    """Return the inventory. Raises AccessError for the first file that the caller may not read."""
    for path in inventory.unread:
        raise refusal(inventory.root, path)
    return inventory


def refusal(root: str, path: str) -> AccessError:
    """The error for a file or folder of a tree that the caller may not read."""
    place = os.path.normpath(os.path.join(root, path))
    return AccessError(f"{place}: permission denied",
                       hint="run the command as root or as the file's owner", path=place)


def choose_layout(root: str, name: str | None) -> Layout:
    """The layout of that *name*; None is the layout whose files or folders exist.

    Raises as `inspect`.
    """
    return _found_layout(root) if name is None else get_layout(name)


def read_layout(root: str, layout: Layout, *, also: Iterable[str] = ()) -> Inventory:
    """Read the files of a layout, the files that its kubeconfigs name, and *also* these."""
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
    """The paths of the files in a folder of a tree (see `files.walk`); none if it cannot be listed.

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
        pass        # no such folder
    closed += [f"{folder}/{path}" for path in inner]


# folders that are not the host's state: backups, and the kubelet's folders for pods
PASSED_OVER = frozenset({"backup", "expired", "tmp", "pods", "plugins", "plugins_registry",
                         "device-plugins", "manifests", "volumes", "checkpoints"})


def passes_over(path: str) -> bool:
    """Whether a search for files skips a folder or file of that name."""
    return posixpath.basename(path) in PASSED_OVER


def kubeconfig_of(found: Mapping[str, ObservedFile], place: Place) -> Kubeconfig | None:
    """The kubeconfig of a place, if it exists and can be read."""
    there = found.get(place.kubeconfig)
    return kubeconfig_in(there.data if there else None)


def kubeconfig_in(data: bytes | None) -> Kubeconfig | None:
    """The kubeconfig in *data*; None if there is none, or if client-go could not read it."""
    try:
        return None if data is None else _loaded(data)
    except InputError:
        return None


def found_at(inventory: Inventory, path: str, part: str) -> ObservedFile:
    """The file that a use reads, or the data that a kubeconfig embeds as that *part*."""
    file, _, entry = path.partition("#")
    there = inventory.file(file)
    try:    # the server does not matter here: a flag of the component may name another
        kubeconfig = _loaded(there.data or b"", server="https://kubernetes.invalid") if entry \
            else None
    except InputError:
        return there
    if kubeconfig is None:
        return there
    material = {"authority": kubeconfig.authority, "certificate": kubeconfig.certificate,
                "key": kubeconfig.key}[part]
    return ObservedFile(path, material.data or b"", 0)


# a host has a few kubeconfigs, and each is read many times
_loaded = lru_cache(maxsize=16)(load_kubeconfig)


@lru_cache(maxsize=256)     # all hosts of a layout have the same paths
def named_path(kubeconfig: str, path: str) -> str:
    """The path of a file that a kubeconfig names, relative to the root.

    A relative path counts from the kubeconfig's folder.
    """
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(kubeconfig), path)).lstrip("/")


# a folder with one of these folders is a host's root
TOPS = ("etc/kubernetes", "var/lib/kubelet", "var/lib/kubernetes", "var/lib/kube-proxy", "etc/etcd",
        "etc/ssl/etcd")


def root_of(path: str) -> tuple[str, str]:
    """The root of a file's tree, and the file's path below; outside of a tree, this host's root."""
    inner = os.path.abspath(path).lstrip("/")
    for top in TOPS:
        before, found, after = f"/{inner}".rpartition(f"/{top}/")
        if found:
            return before or os.sep, f"{top}/{after}"
    return os.sep, inner


def tree_observer(root: str, linked: Callable[[str], ObservedFile]) -> Callable[[str],
                                                                                ObservedFile]:
    """A function that observes the files of a tree, and finds the place of each folder once.

    *linked* observes a file if a symbolic link is on the way.
    """
    top, read = os.path.abspath(root), files.read_if_file
    folders = dict[str, str]()

    def place(folder: str) -> str | None:
        """The place of a folder; None if there is none, "" if a link leads to it."""
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
                return absent(path)
            if entry and data is not None:
                return ObservedFile(path, data, S_IMODE(entry.st_mode), owner=entry.st_uid,
                                    group=entry.st_gid)
        except AccessError:
            return linked(path)     # which finds the closed folder
        except KpkiError as error:
            return ObservedFile(path, problem=error.message)
        return linked(path)

    return observe


def observe_file(root: str, path: str) -> ObservedFile:
    """Observe one file of a tree; symbolic links are read as on the tree's host."""
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
        return ObservedFile(path, files.read(real), entry.mode, link=link, owner=entry.owner,
                            group=entry.group)
    except AccessError as error:
        # no file in this folder can be read
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
    """The layout with an existing kubelet's kubeconfig, or kubelet's file, or CA folder."""
    def there(path: str) -> bool:
        return files.read_entry(root, path).kind != "missing"

    marks: tuple[Callable[[Layout], list[str]], ...] = (
        lambda layout: [layout.kubelet.kubeconfig],
        lambda layout: [path for place in layout.node_places() for path in place.files()],
        lambda layout: [posixpath.dirname(layout.places[0].certificate)])
    for mark in marks:
        for layout in LAYOUTS:
            if any(map(there, mark(layout))):
                return layout
    return None
