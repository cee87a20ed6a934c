"""What the modules of this room share: an OSError in words, a new file, a folder made durable, a name staged.

Functions here let an OSError through; their callers wrap them in `disk(path)`, with the path the user knows.
"""
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from kpki.errors import AccessError, FileError

Path = str | os.PathLike[str]

_KINDS = {
    stat.S_IFREG: "regular file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket", stat.S_IFCHR: "character device", stat.S_IFBLK: "block device",
}
_HINTS = {
    errno.EACCES: "run the command as root or as the file's owner",
    errno.EPERM: "run the command as root or as the file's owner",
    errno.ENOSPC: "make room there and run it again",
    errno.EDQUOT: "make room there and run it again",
    errno.EROFS: "it is mounted read-only: choose another place",
}
SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
"""How a folder is opened for `dir_fd`: one that may be searched need not be readable."""

_MARK = ".kpki-"
_STEM = 50  # characters of the name that go into a staging name: 4 bytes each at most, so it stays under NAME_MAX


def kind(mode: int) -> str:
    """What a `st_mode` says the thing is, as a message says it."""
    return _KINDS.get(stat.S_IFMT(mode), "unknown kind of file")


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a FileError `PATH: what the system said`; system calls only inside.

    What permission refuses is an AccessError.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        raise failure(path, error) from error


def failure(path: Path, error: OSError | ValueError) -> FileError:
    """What `disk` raises for an error."""
    if isinstance(error, ValueError):   # os itself refuses a null character, and text that no file name can be
        return FileError(f"{os.fspath(path)!r}: not a possible file name")
    fact = os.strerror(error.errno).lower() if error.errno else str(error)
    message, hint = f"{os.fspath(path) or repr('')}: {fact}", _HINTS.get(error.errno or 0)
    if isinstance(error, PermissionError):
        return AccessError(message, hint=hint, path=os.fspath(path))
    return FileError(message, hint=hint)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of *data*; one `write` may take less than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest):]


def write_new(name: str, data: bytes, *, mode: int | None, owner: tuple[int, int] | None, sync: bool, folder: int,
              ) -> None:
    """Make the file *name*, which must not exist, in the open *folder*, with its owner and mode before its first byte.

    *mode* None is what `open` gives: 0666 less the umask; a number is exact. *owner* is (uid, gid), None our own.
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
    """Remove the copy *path*, which may be gone or was never made, from its open *folder*; a warning if it stays."""
    name = os.path.basename(path)
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        try:
            os.lstat(name, dir_fd=folder)
        except FileNotFoundError:   # a file system that is read-only says so before it looks
            return None
        except OSError:
            pass
        return left_over(path, error)
    return None


def left_over(path: str, error: OSError) -> str:
    """The warning that a copy which kpki made beside a file could not be removed."""
    return (f"{path}: this copy could not be removed: {(error.strerror or str(error)).lower()}; "
            "remove it by hand, for it may hold a private key")


def not_durable(path: str, error: OSError) -> str:
    """The warning that a change is done, and that the system did not promise to keep it."""
    return (f"{path}: the change is done, but the disk could not be told to keep it: "
            f"{(error.strerror or str(error)).lower()}; a loss of power may undo it")


def sync_folder(folder: int) -> None:
    """Make the names in an open folder durable."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what some network file systems answer for any folder
            raise
    finally:
        os.close(descriptor)


def staging_name(path: str) -> str:
    """A fresh name beside *path*: `.NAME.kpki-<16 hex digits>`."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:_STEM]}{_MARK}{os.urandom(8).hex()}")


def staged_for(name: str) -> str | None:
    """The start of the file's name that a staging name was made for (see `stem`), None for any other name."""
    start, mark, random = name.rpartition(_MARK)
    ours = mark and start.startswith(".") and len(random) == 16 and not random.strip("0123456789abcdef")
    return start[1:] if ours else None


def stem(name: str) -> str:
    """As much of a file's name as its staging name holds."""
    return name[:_STEM]
