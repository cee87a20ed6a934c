"""Calls to the disk for a tree that is changed: none of them acts outside of the tree's root.

A folder is opened from the root down, name by name, and no link is followed. So whoever owns a folder in the tree and
swaps it for a link during the run gets an error, or keeps the folder that was opened; `resolve` has followed the links
that were there before. The root and what lies above it are the caller's own words: links in them are followed.
"""
from __future__ import annotations

import os
import stat
from types import TracebackType

from kpki.errors import FileError
from kpki.files.disk import SEARCH, Path, disk, kind, left_over, remove, write_new
from kpki.files.reading import read_open

_MOST = 32  # folders kept open: a fleet has more of them than a process may have files open


class Rooted:
    """A root and the folders below it that are open; paths are those that messages show, beginning with the root's.

    Methods do what `os` has under their name, and let an OSError through.
    """

    def __init__(self, root: Path) -> None:
        top = os.fspath(root)
        self.root = top.rstrip("/") or top[:1] or os.curdir
        self._start = self.root.rstrip("/") + "/"
        self._top: int | None = None
        self._open: dict[str, int] = {}     # the youngest is the last
        self._asked = ""                    # the one that was asked for last, which a call with two paths still needs

    def __enter__(self) -> Rooted:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for descriptor in (*self._open.values(), *([] if self._top is None else [self._top])):
            os.close(descriptor)
        self._open, self._top = {}, None

    def open(self, folder: str) -> int:
        """A descriptor of *folder* for `dir_fd`; good until the next folder but one is asked for."""
        if folder == self.root:
            if self._top is None:
                self._top = os.open(folder, SEARCH)
            return self._top
        if folder in self._open:
            descriptor = self._keep(folder, self._open.pop(folder))
        elif folder.startswith(self._start):
            descriptor = self._walk(folder)
        else:
            descriptor = self._keep(folder, os.open(folder or ".", SEARCH))
        self._asked = folder
        return descriptor

    def _walk(self, folder: str) -> int:
        """Open a folder below the root, and those between it and the nearest one that is open."""
        names: list[str] = []
        while folder != self.root and folder not in self._open:
            folder, _, name = folder.rpartition("/")
            folder = folder or self.root    # of `/`
            names.append(name)
        here = self.open(self.root) if folder == self.root else self._open[folder]
        for name in reversed(names):
            folder = self._start + name if folder == self.root else f"{folder}/{name}"
            here = self._keep(folder, os.open(name, SEARCH | os.O_NOFOLLOW, dir_fd=here))
        return here

    def _keep(self, folder: str, descriptor: int) -> int:
        self._open[folder] = descriptor
        if len(self._open) > _MOST:
            oldest = next(iter(self._open))
            if oldest == self._asked:
                self._open[oldest] = self._open.pop(oldest)
                oldest = next(iter(self._open))
            os.close(self._open.pop(oldest))
        return descriptor

    def _at(self, path: str) -> tuple[str, int]:
        folder, name = os.path.split(path)
        return name, self.open(folder)

    def check(self) -> None:
        """Raise FileError if a folder that is open is not the one at its place: a change in it would change nothing."""
        with Rooted(self.root) as now:
            for folder, descriptor in [(self.root, self._top), *self._open.items()]:
                if descriptor is None:
                    continue
                with disk(folder):
                    try:
                        same = os.path.samestat(os.fstat(now.open(folder)), os.fstat(descriptor))
                    except (FileNotFoundError, NotADirectoryError):
                        same = False
                if not same:
                    raise FileError(f"{folder}: another program replaced this folder during the run",
                                    hint="run the command again")

    def missing(self, folder: str) -> list[str]:
        """Those of *folder* and the folders above it that are not there, outermost first."""
        missing: list[str] = []
        while True:
            try:
                self.open(folder)
                return missing[::-1]
            except FileNotFoundError:
                missing.append(folder)
                folder = os.path.dirname(folder)
                while folder.startswith(self._start) and folder not in self._open:  # those that are there were opened
                    missing.append(folder)
                    folder = os.path.dirname(folder)
            except NotADirectoryError:
                raise FileError(f"{folder}: a {kind(self.lstat(folder).st_mode)}, not a folder") from None

    def mkdir(self, folder: str, mode: int) -> None:
        """Make one folder with exactly *mode*, whatever the umask; a set-group bit inherited from above stays.

        One that another process has made since is left as it is.
        """
        name, above = self._at(folder)
        try:
            os.mkdir(name, mode, dir_fd=above)
        except FileExistsError:
            if not stat.S_ISDIR(self.lstat(folder).st_mode):
                raise
            return
        made = self._keep(folder, os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                                          dir_fd=above))
        bits = os.fstat(made).st_mode
        if bits & 0o777 != mode:
            os.fchmod(made, bits & 0o7000 | mode)

    def lstat(self, path: str) -> os.stat_result:
        name, folder = self._at(path)
        return os.lstat(name, dir_fd=folder)

    def readlink(self, path: str) -> str:
        name, folder = self._at(path)
        return os.readlink(name, dir_fd=folder)

    def names(self, folder: str) -> list[str]:
        """What lies in *folder*, folders aside."""
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.open(folder))
        try:
            with os.scandir(listed) as entries:
                return [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
        finally:
            os.close(listed)

    def read(self, path: str, *, limit: int) -> bytes:
        """The bytes of a regular file, see `files.read`; raises FileError."""
        with disk(path):
            descriptor = self.open_file(path, os.O_RDONLY | os.O_NONBLOCK)
        return read_open(descriptor, path, limit=limit)

    def open_file(self, path: str, flags: int, mode: int = 0o600) -> int:
        """A descriptor of a file, never by way of a link."""
        name, folder = self._at(path)
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY, mode, dir_fd=folder)

    def write_new(self, path: str, data: bytes, *, mode: int, owner: tuple[int, int] | None, sync: bool) -> None:
        """See `disk.write_new`."""
        name, folder = self._at(path)
        write_new(name, data, mode=mode, owner=owner, sync=sync, folder=folder)

    def symlink(self, target: str, path: str) -> None:
        name, folder = self._at(path)
        os.symlink(target, name, dir_fd=folder)

    def link(self, path: str, other: str) -> None:
        (name, folder), (other_name, other_folder) = self._at(path), self._at(other)
        os.link(name, other_name, src_dir_fd=folder, dst_dir_fd=other_folder, follow_symlinks=False)

    def rename(self, path: str, other: str) -> None:
        (name, folder), (other_name, other_folder) = self._at(path), self._at(other)
        os.rename(name, other_name, src_dir_fd=folder, dst_dir_fd=other_folder)

    def unlink(self, path: str) -> None:
        name, folder = self._at(path)
        os.unlink(name, dir_fd=folder)

    def remove(self, path: str) -> str | None:
        """See `disk.remove`; raises nothing."""
        try:
            return remove(path, self.open(os.path.dirname(path)))
        except FileNotFoundError:
            return None
        except OSError as error:
            return left_over(path, error)

    def rmdir(self, folder: str) -> None:
        name, above = self._at(folder)
        os.rmdir(name, dir_fd=above)
