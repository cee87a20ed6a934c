"""Read what lies in a tree, without a change and without following a link out of the tree."""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kpki.errors import AccessError, FileError, RefusedError
from kpki.files.disk import DiskPath, disk, kind, staged_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal
    Kind = Literal["file", "link", "folder", "missing", "other"]

_KINDS: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}
_LINKS = 40  # as the Linux kernel, path_resolution(7)


class Entry(NamedTuple):
    """A file, link or folder at a path of a tree, or the fact that nothing lies there."""

    path: str
    """The path, as the caller gave it."""
    kind: Kind
    mode: int = 0
    """The permission bits."""
    target: str | None = None
    """The target of a symbolic link."""
    owner: int | None = None
    """The owner's user id; None if nothing lies at the path."""
    group: int | None = None
    """The group's id; None if nothing lies at the path."""
    modified: float | None = None
    """The last change of the content, in seconds since 1970; None if nothing lies at the path."""


def resolve(root: DiskPath, relative: str, *, refuse_escape: bool = False) -> str:
    """The path of *relative* under *root*, once every symbolic link is followed.

    The path need not exist. Links are read as in a chroot(2): an absolute link starts at *root*,
    and `..` stops at *root*. With *refuse_escape*, a `..` above *root* raises RefusedError, which
    names the link; nothing is above `/`.
    Raises FileError for a loop of links and for a folder that may not be searched.
    """
    top = os.fspath(root)
    start, rest, links, blame = os.path.join(top, ""), relative.split("/")[::-1], 0, relative
    done: list[str] = []
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done and refuse_escape and os.path.abspath(top) != "/":
                raise RefusedError(f"{blame}: leads out of {top}",
                                   hint="put the folder itself in the link's place")
            done = done[:-1]
            continue
        place = start + "/".join([*done, part])
        target = _link(place)
        if target is None:
            done.append(part)
            continue
        links, blame = links + 1, place
        if links > _LINKS:
            raise FileError(f"{place}: {os.strerror(errno.ELOOP).lower()}")
        if target.startswith("/"):
            done = []
        rest.extend(target.split("/")[::-1])
    return os.path.join(top, *done)


def _link(path: str) -> str | None:
    """The target of the link at *path*; None if no link lies there."""
    try:
        return os.readlink(path) if stat.S_ISLNK(os.lstat(path).st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        with disk(path):
            raise


def read_entry(root: DiskPath, relative: str) -> Entry:
    """The entry at *relative* under *root*; links on the way are followed, the last name is not.

    Raises FileError as `resolve` does.
    """
    folder, _, name = relative.rpartition("/")
    last = name not in ("", ".", "..")
    if last:
        place = os.path.join(resolve(root, folder) if folder else root, name)
    else:
        place = resolve(root, relative)
    try:
        found = os.lstat(place)
        target = os.readlink(place) if stat.S_ISLNK(found.st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return Entry(path=relative, kind="missing")
    except (OSError, ValueError):
        with disk(place):
            raise
    return Entry(path=relative, kind=_KINDS.get(stat.S_IFMT(found.st_mode), "other"),
                 mode=stat.S_IMODE(found.st_mode), target=target, owner=found.st_uid,
                 group=found.st_gid, modified=found.st_mtime)


def read_entry_at(path: DiskPath) -> Entry:
    """The entry at a path of this machine, with every symbolic link followed.

    Raises FileError as `resolve` does.
    """
    return read_entry(os.sep, resolve(os.sep, os.path.abspath(os.fspath(path))))


def list_names(root: DiskPath) -> list[str]:
    """The names in a folder, in the file system's order; raises FileError if that fails."""
    with disk(os.fspath(root)):
        return os.listdir(root)


def plain_paths(root: str, *, most: int) -> frozenset[str] | None:
    """The paths of a tree that has files and folders alone; those of folders end with `/`.

    None for a tree with a link or a device, with more than *most* paths, or with a folder that
    cannot be listed.
    """
    found, rest = set[str](), [""]
    try:
        while rest:
            folder = rest.pop()
            with os.scandir(f"{root}/{folder}") as entries:
                for entry in entries:
                    path = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        path += "/"
                        rest.append(path)
                    elif not entry.is_file(follow_symlinks=False):
                        return None
                    found.add(path)
                    if len(found) > most:
                        return None
    except (OSError, ValueError):
        return None
    return frozenset(found)


def walk(root: DiskPath, *, skip: Callable[[str], bool], closed: list[str] | None = None,
         staged: bool = False) -> Iterator[tuple[str, Kind]]:
    """Every regular file (`file`) and symbolic link (`link`) under *root*, by its relative path.

    Paths are sorted within a folder. No link is followed, except *root* itself. Paths for which
    *skip* is true are left out, folders with their content. Sockets, devices and FIFOs are left
    out, also staging files that an interrupted run has left, unless *staged*. Folders that this
    user may not list are left out; *closed* receives their relative paths.
    Raises FileError if *root* cannot be listed, AccessError for another folder if *closed* is None.
    """
    top = os.fspath(root)
    with disk(top):
        mode = os.stat(top).st_mode
        if not stat.S_ISDIR(mode):
            raise FileError(f"{top}: a {kind(mode)}, not a folder")
    rest: list[tuple[str, Kind]] = [("", "folder")]
    while rest:  # no recursion: a path may be deeper than Python's stack
        path, what = rest.pop()
        if what == "folder":
            try:
                rest.extend(reversed(_listed(top, path, skip, staged)))
            except AccessError:
                if closed is None or not path:
                    raise
                closed.append(path)
        else:
            yield path, what


def _listed(root: str, folder: str, skip: Callable[[str], bool],
            staged: bool) -> list[tuple[str, Kind]]:
    place = os.path.join(root, folder) if folder else root
    found: list[tuple[str, Kind]] = []
    with disk(place):
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:  # a live host's kubelet removes folders at any moment
            return found
    for entry in listed:
        path = f"{folder}/{entry.name}" if folder else entry.name
        what: Kind = ("link" if entry.is_symlink()
                      else "folder" if entry.is_dir(follow_symlinks=False)
                      else "file" if entry.is_file(follow_symlinks=False) else "other")
        passed = what == "other" or (what == "file" and not staged
                                     and staged_for(entry.name) is not None)
        if not passed and not skip(path):
            found.append((path, what))
    return found
