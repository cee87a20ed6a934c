"""Calls that this room's modules share: error messages, new files, durable folders, staging names.

Functions of this module let an OSError through. Their callers wrap them in `disk(path)`, with the
user's path.
"""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from kpki.errors import AccessError, FileError, InputError

DiskPath = str | os.PathLike[str]

_KINDS = {
    stat.S_IFREG: "regular file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device"}
_HINTS = {
    errno.EACCES: "run the command as root or as the file's owner",
    errno.EPERM: "run the command as root or as the file's owner",
    errno.ENOSPC: "free some space, then run the command again",
    errno.EDQUOT: "free some space, then run the command again",
    errno.EROFS: "the file system is mounted read-only: choose another place",
}
SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
"""The flags that open a folder for `dir_fd`: the folder must be searchable, not readable."""

_MARK = ".kpki-"
# Characters of a file's name in its staging name: at most 4 bytes each, so NAME_MAX is not reached.
_STEM = 50
_UNPLAIN = frozenset(("", ".", ".."))       # parts that a path in its shortest form lacks


def check_relative(path: str) -> None:
    """Raise InputError unless *path* is relative and in its shortest form: no `..`, `.` or `//`."""
    if not _UNPLAIN.isdisjoint(path.split("/")):
        raise InputError(f"{path!r}: not a plain relative path")
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise InputError(f"{path!r}: not a possible file name")


def kind(mode: int) -> str:
    """The kind of file of a `st_mode`, as messages name it."""
    return _KINDS.get(stat.S_IFMT(mode), "unknown kind of file")


@contextmanager
def disk(path: DiskPath) -> Iterator[None]:
    """Turn an OSError of the block into a FileError `PATH: the system's words`.

    A lack of permission becomes an AccessError. The block should hold system calls only.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        raise failure(path, error) from error


def failure(path: DiskPath, error: OSError | ValueError) -> FileError:
    """The error that `disk` raises for an OSError or ValueError."""
    # os refuses a null character, and text that cannot be encoded, by a ValueError
    if isinstance(error, ValueError):
        return FileError(f"{os.fspath(path)!r}: not a possible file name")
    fact = os.strerror(error.errno).lower() if error.errno else str(error)
    message, hint = f"{os.fspath(path) or repr('')}: {fact}", _HINTS.get(error.errno or 0)
    if isinstance(error, PermissionError):
        return AccessError(message, hint=hint, path=os.fspath(path))
    return FileError(message, hint=hint)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of *data*; one `write` may write only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest):]


def write_new(name: str, data: bytes, *, mode: int | None, owner: tuple[int, int] | None,
              sync: bool, folder: int) -> None:
    """Create *name* in the open *folder*, with owner and mode before the first byte.

    *name* must not exist. *mode* None is `open`'s own: 0666 less the umask; a number is exact.
    *owner* is (uid, gid), None this process's.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666 if mode is None else mode & 0o600, dir_fd=folder)
    try:
        if owner is not None:
            made = os.fstat(descriptor)
            if (made.st_uid, made.st_gid) != owner:
                os.fchown(descriptor, *owner)
        if mode is not None:  # after chown, which may clear bits
            os.fchmod(descriptor, mode)
        write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str, folder: int) -> str | None:
    """Remove the copy *path* from its open *folder*; returns a warning if the copy stays."""
    name = os.path.basename(path)
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        try:
            os.lstat(name, dir_fd=folder)
        except FileNotFoundError:  # on a read-only file system, unlink fails even without the file
            return None
        except OSError:
            pass
        return left_over(path, error)
    return None


def left_over(path: str, error: OSError) -> str:
    """The warning that kpki could not remove its own copy beside a file."""
    return (f"{path}: this copy could not be removed: {(error.strerror or str(error)).lower()}; "
            "remove the copy by hand, because it may hold a private key")


def not_durable(path: str, error: OSError) -> str:
    """The warning that a change is done, but may not survive a loss of power."""
    return (f"{path}: the change is done, but could not be made durable: "
            f"{(error.strerror or str(error)).lower()}; a loss of power may undo the change")


def sync_folder(folder: int) -> None:
    """Make the names in an open folder durable."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems answer EINVAL for every folder
            raise
    finally:
        os.close(descriptor)


def sync_file_system(folder: int) -> None:
    """Sync the file system of an open folder by syncfs(2); by sync(2) if the C library lacks it."""
    import ctypes  # takes 4 ms, so only a large batch imports it
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return os.sync()
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        if syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def staging_name(path: str) -> str:
    """A fresh name beside *path*: `.NAME.kpki-<16 hex digits>`."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:_STEM]}{_MARK}{os.urandom(8).hex()}")


def staged_for(name: str) -> str | None:
    """The stem (see `stem`) of the file that a staging name belongs to; None for other names."""
    start, mark, random = name.rpartition(_MARK)
    ours = mark and start.startswith(".") and len(
        random) == 16 and not random.strip("0123456789abcdef")
    return start[1:] if ours else None


def stem(name: str) -> str:
    """The part of a file's name that its staging name holds."""
    return name[:_STEM]
