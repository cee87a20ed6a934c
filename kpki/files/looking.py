"""Look at a tree without changing or following anything that leads out of it."""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kpki.errors import AccessError, FileError, RefusedError
from kpki.files.disk import Path, disk, kind, staged_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal
    Kind = Literal["file", "link", "folder", "missing", "other"]

_KINDS: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}
_LINKS = 40  # as the Linux kernel, path_resolution(7)


class Entry(NamedTuple):
    """What lies at a place in a tree."""

    path: str                   # as asked
    kind: Kind
    mode: int = 0               # its permission bits
    target: str | None = None   # what a link says
    owner: int | None = None    # the user id that it belongs to, None if nothing is there


def resolve(root: Path, relative: str, *, refuse_escape: bool = False) -> str:
    """The path under *root* that *relative* names with every symbolic link followed; it need not exist.

    Links are read as on the host whose root the tree is: an absolute one starts at *root*, and `..` stops there, as in
    a chroot(2). With *refuse_escape* a `..` above *root* raises RefusedError that names the link (`/` has no above).
    Raises FileError: a loop, a folder that may not be searched.
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
                raise RefusedError(f"{blame}: leads out of {top}", hint="put the folder itself in the link's place")
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
    """What the link at *path* says; None for anything else there, and for nothing."""
    try:
        return os.readlink(path) if stat.S_ISLNK(os.lstat(path).st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        with disk(path):
            raise


def look(root: Path, relative: str) -> Entry:
    """What lies at *relative* under *root*: folders on the way are resolved as `resolve` does, the last name is not.

    Raises FileError as `resolve` does.
    """
    folder, _, name = relative.rpartition("/")
    last = name not in ("", ".", "..")
    place = os.path.join(resolve(root, folder) if folder else root, name) if last else resolve(root, relative)
    try:
        found = os.lstat(place)
        target = os.readlink(place) if stat.S_ISLNK(found.st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return Entry(path=relative, kind="missing")
    except (OSError, ValueError):
        with disk(place):
            raise
    return Entry(path=relative, kind=_KINDS.get(stat.S_IFMT(found.st_mode), "other"), mode=stat.S_IMODE(found.st_mode),
                 target=target, owner=found.st_uid)


def look_at(path: Path) -> Entry:
    """What lies at a path of this machine, every symbolic link followed. Raises as `look`."""
    return look(os.sep, resolve(os.sep, os.path.abspath(os.fspath(path))))


def names(root: Path) -> list[str]:
    """The names in a folder, in the order in which the file system has them. FileError: the folder cannot be listed."""
    with disk(os.fspath(root)):
        return os.listdir(root)


def walk(root: Path, *, skip: Callable[[str], bool], closed: list[str] | None = None,
         staged: bool = False) -> Iterator[tuple[str, Kind]]:
    """Every regular file (`file`) and symbolic link (`link`) under *root*, by relative path, sorted within a folder.

    No link is followed, *root* itself aside. What *skip* says yes to is passed over, a folder with all that is in it;
    so are sockets, devices, FIFOs, and, without *staged*, what a run that was cut off has left under a staging name.
    The folders in *root* that this user may not list are added to *closed*, by relative path, and passed over.
    Raises FileError: *root* cannot be listed; AccessError for a folder in it if *closed* is None.
    """
    top = os.fspath(root)
    with disk(top):
        mode = os.stat(top).st_mode
        if not stat.S_ISDIR(mode):
            raise FileError(f"{top}: a {kind(mode)}, not a folder")
    rest: list[tuple[str, Kind]] = [("", "folder")]
    while rest:  # no recursion: a path may hold more folders than Python has stack
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


def _listed(root: str, folder: str, skip: Callable[[str], bool], staged: bool) -> list[tuple[str, Kind]]:
    place = os.path.join(root, folder) if folder else root
    found: list[tuple[str, Kind]] = []
    with disk(place):
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:  # gone since its own folder was listed: a live host's kubelet makes and removes them
            return found
    for entry in listed:
        path = f"{folder}/{entry.name}" if folder else entry.name
        what: Kind = ("link" if entry.is_symlink() else "folder" if entry.is_dir(follow_symlinks=False)
                      else "file" if entry.is_file(follow_symlinks=False) else "other")
        passed = what == "other" or what == "file" and not staged and staged_for(entry.name) is not None
        if not passed and not skip(path):
            found.append((path, what))
    return found
