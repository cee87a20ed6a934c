"""System calls on a tree that is changed; none acts outside the tree's root.

Folders are opened from the root down, name by name, and no link is followed: `resolve` has followed
the links before. If a folder's owner swaps the folder for a link during the run, the call fails or
acts on the old folder. Links in the path of the root itself are followed, because the caller gave
that path.
"""
from __future__ import annotations

import os
import stat
from types import TracebackType

from kpki.errors import FileError
from kpki.files.disk import SEARCH, DiskPath, disk, kind, left_over, remove, write_new
from kpki.files.reading import read_open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_MOST = 32  # open folders: a fleet has more folders than a process may have open files


class Rooted:
    """A root and its open folders; every path begins with the root's path, as messages show it.

    Methods act as the functions of `os` with their names, and let an OSError through.
    """

    def __init__(self, root: DiskPath) -> None:
        top = os.fspath(root)
        self.root = top.rstrip("/") or top[:1] or os.curdir
        self._start = self.root.rstrip("/") + "/"
        self._top: int | None = None
        self._open: dict[str, int] = {}     # the newest folder is the last
        self._asked = ""  # the folder before the newest, which a call with two paths still needs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for descriptor in (*self._open.values(), *([] if self._top is None else [self._top])):
            os.close(descriptor)
        self._open, self._top = {}, None

    def open(self, folder: str) -> int:
        """A descriptor of *folder* for `dir_fd`; the next call but one may close it."""
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
        """Open a folder below the root, and the folders between it and the nearest open folder."""
        names: list[str] = []
        while folder != self.root and folder not in self._open:
            folder, _, name = folder.rpartition("/")
            folder = folder or self.root    # if the root is `/`
            names.append(name)
        descriptor = self.open(self.root) if folder == self.root else self._open[folder]
        for name in reversed(names):
            folder = self._start + name if folder == self.root else f"{folder}/{name}"
            descriptor = self._keep(folder,
                                    os.open(name, SEARCH | os.O_NOFOLLOW, dir_fd=descriptor))
        return descriptor

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
        """Raise FileError if another folder has taken the place of an open folder."""
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
                    raise FileError(
                        f"{folder}: another program replaced this folder during the run",
                        hint="run the command again")

    def missing(self, folder: str) -> list[str]:
        """The missing folders among *folder* and the folders above it, outermost first."""
        missing: list[str] = []
        while True:
            try:
                self.open(folder)
                return missing[::-1]
            except FileNotFoundError:
                missing.append(folder)
                folder = os.path.dirname(folder)
                # the existing folders are open
                while folder != self.root and folder.startswith(self._start) \
                        and folder not in self._open:
                    missing.append(folder)
                    folder = os.path.dirname(folder)
            except NotADirectoryError:
                raise FileError(
                    f"{folder}: a {kind(self.lstat(folder).st_mode)}, not a folder") from None

    def mkdir(self, folder: str, mode: int) -> None:
        """Make one folder with exactly *mode*, whatever the umask.

        An inherited set-group bit stays. A folder that another process has made meanwhile is not
        changed.
        """
        name, above = self._at(folder)
        try:
            os.mkdir(name, mode, dir_fd=above)
        except FileExistsError:
            if not stat.S_ISDIR(self.lstat(folder).st_mode):
                raise
            return
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        made = self._keep(folder, os.open(name, flags, dir_fd=above))
        bits = os.fstat(made).st_mode
        if bits & 0o777 != mode:
            os.fchmod(made, bits & 0o7000 | mode)

    def lstat(self, path: str) -> os.stat_result:
        """The status of *path*, without following a link."""
        name, folder = self._at(path)
        return os.lstat(name, dir_fd=folder)

    def readlink(self, path: str) -> str:
        """The target of the link *path*."""
        name, folder = self._at(path)
        return os.readlink(name, dir_fd=folder)

    def names(self, folder: str) -> list[str]:
        """The names in *folder*, without those of folders."""
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
        """A descriptor of the file *path*, which must not be a link."""
        name, folder = self._at(path)
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY, mode,
                       dir_fd=folder)

    def write_new(self, path: str, data: bytes, *, mode: int, owner: tuple[int, int] | None,
                  sync: bool) -> None:
        """Write a new file inside the root, as `disk.write_new` does."""
        name, folder = self._at(path)
        write_new(name, data, mode=mode, owner=owner, sync=sync, folder=folder)

    def symlink(self, target: str, path: str) -> None:
        """Make the link *path* to *target*."""
        name, folder = self._at(path)
        os.symlink(target, name, dir_fd=folder)

    def link(self, path: str, other: str) -> None:
        """Make *other* a hard link to *path*."""
        (name, folder), (other_name, other_folder) = self._at(path), self._at(other)
        os.link(name, other_name, src_dir_fd=folder, dst_dir_fd=other_folder, follow_symlinks=False)

    def rename(self, path: str, other: str) -> None:
        """Rename *path* to *other*."""
        (name, folder), (other_name, other_folder) = self._at(path), self._at(other)
        os.rename(name, other_name, src_dir_fd=folder, dst_dir_fd=other_folder)

    def unlink(self, path: str) -> None:
        """Remove the file or link *path*."""
        name, folder = self._at(path)
        os.unlink(name, dir_fd=folder)

    def remove(self, path: str) -> str | None:
        """Remove a file inside the root. Returns a warning instead of raising an error."""
        try:
            return remove(path, self.open(os.path.dirname(path)))
        except FileNotFoundError:
            return None
        except OSError as error:
            return left_over(path, error)

    def rmdir(self, folder: str) -> None:
        """Remove the empty *folder*."""
        name, above = self._at(folder)
        os.rmdir(name, dir_fd=above)
