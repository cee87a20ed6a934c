"""Write one file where openssl's `-out` would, but whole or not at all; and standard streams that are not there.

Whether a file that is there may be written, and which one a link leads to, is the kernel's to say, and it is asked as
openssl asks it: one open(2) of the path as given, with O_CREAT. So links and files in sticky folders are refused where
`fs.protected_symlinks`, `fs.protected_regular` and `fs.protected_fifos` have it so, see proc_sys_fs(5).
"""
from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kpki.errors import FileError, RefusedError
from kpki.files.disk import (
    SEARCH, Path, disk, not_durable, remove, staging_name, sync_folder, write_all, write_new,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTORS = ("/dev/fd", "/proc/self/fd")
_LINKS = 40  # as the Linux kernel, path_resolution(7)
# The folder, its mount, or the owner and group to be kept let no new file take the old one's place; or it has no place.
_NOT_REPLACEABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EINVAL, errno.ENOENT, errno.ENOTDIR)
_NO_PREVIEW = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)  # of file systems that do not know room beforehand


def write_output(path: Path, data: bytes, *, private: bool = False, warnings: list[str] | None = None) -> None:
    """Write *data* to *path*, over what is there; see `-out` in openssl-genpkey(1).

    A file is staged beside, made durable and renamed. A new one has mode 0666 less the umask, 0600 if *private*; an old
    one keeps owner, group and mode, of which *private* takes all but the owner's. Where its owner or group cannot be
    kept, or the folder lets nobody replace it, the old file itself is written. A symbolic link stays, and what it
    points to is replaced. A device, a FIFO, `/dev/stdout` and `/dev/fd/N` are written straight.
    *warnings* gets a sentence for what fails once *data* is there, and for a staged copy that could not be removed.
    Raises FileError: the folder missing, *path* a folder, not writable, no space; then the file is as before, and
    nothing is left beside it. Raises RefusedError if *private* and the file belongs to another user.
    """
    warnings = [] if warnings is None else warnings
    with disk(path):
        name = os.fspath(path)
        target = _follow(name)
        descriptor = _descriptor(target)
        if descriptor is not None:  # not opened anew: that would cut off what the file at its end already holds
            if target != name:
                os.stat(name)       # the kernel's leave to follow these links
            write_all(descriptor, data)
        elif _is_free(name):
            _create(name, data, private=private, warnings=warnings)
        else:
            _overwrite(name, target, data, private=private, warnings=warnings)


def _follow(path: str) -> str:
    """Where a chain of links ends, or the first open descriptor's name on it; the end need not exist."""
    for _ in range(_LINKS):
        if _descriptor(path) is not None or not os.path.islink(path):
            return path
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise OSError(errno.ELOOP, "")


def _descriptor(path: str) -> int | None:
    folder, _, number = path.rpartition("/")
    if folder in _DESCRIPTORS and number.isascii() and number.isdecimal() and len(number) < 8:
        return int(number)
    return _STANDARD.get(path)


def _is_free(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        if not path:    # no name at all
            raise
        return True
    return False


def _create(path: str, data: bytes, *, private: bool, warnings: list[str]) -> None:
    with _folder_of(path) as folder:
        _replace(path, data, mode=0o600 if private else None, owner=None, folder=folder, warnings=warnings)


def _overwrite(path: str, target: str, data: bytes, *, private: bool, warnings: list[str]) -> None:
    """Write the file that the kernel opens by *path*: by a rename at *target* if it lies there, else by itself."""
    made = _is_new(path)
    if made:
        with _folder_of(target):
            pass
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    with _opened(path, flags, 0o600 if private else 0o666) as descriptor:
        found = os.fstat(descriptor)
        if private and not made:
            _refuse_others(target, found)
        if not stat.S_ISREG(found.st_mode):
            return write_all(descriptor, data)
        mode = stat.S_IMODE(found.st_mode) & (0o600 if private else 0o7777)
        try:
            if not _replaced(target, data, found, mode, warnings):
                _write_in_place(descriptor, target, data, found, mode, warnings)
        except BaseException:
            if made:
                _take_back(target, found)
            raise


def _is_new(path: str) -> bool:
    """Whether to open *path*, a link that dangles, makes a file; raises FileError for a folder."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise FileError(f"{path}: a folder, not a file")
    return False


def _refuse_others(path: str, found: os.stat_result) -> None:
    """A device is the system's; of any other file the owner can read what comes into it."""
    if found.st_uid == os.geteuid() or stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        return
    import pwd
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    raise RefusedError(f"{path}: the file belongs to the user {owner}, who could read the private key",
                       hint="name another file, or remove this one first")


def _replaced(target: str, data: bytes, found: os.stat_result, mode: int, warnings: list[str]) -> bool:
    """Replace the file at *target*; False if another file than *found* lies there, or if it may not be replaced."""
    try:
        with _opened(os.path.dirname(target) or os.curdir, SEARCH) as folder:
            if not os.path.samestat(os.lstat(os.path.basename(target), dir_fd=folder), found):
                return False
            _replace(target, data, mode=mode, owner=(found.st_uid, found.st_gid), folder=folder, warnings=warnings)
    except OSError as error:
        if error.errno in _NOT_REPLACEABLE:
            return False
        raise
    return True


def _replace(path: str, data: bytes, *, mode: int | None, owner: tuple[int, int] | None, folder: int,
             warnings: list[str]) -> None:
    """Stage, make durable and rename in *folder*, which is open."""
    staged = staging_name(path)
    staged_name, name = os.path.basename(staged), os.path.basename(path)
    try:
        write_new(staged_name, data, mode=mode, owner=owner, sync=True, folder=folder)
        os.rename(staged_name, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        if warning := remove(staged, folder):
            warnings.append(warning)
        raise
    try:
        sync_folder(folder)
    except OSError as error:
        warnings.append(not_durable(path, error))


def _write_in_place(descriptor: int, path: str, data: bytes, found: os.stat_result, mode: int, warnings: list[str],
                    ) -> None:
    """Write into the open file itself, once its room on the disk is sure."""
    try:
        os.posix_fallocate(descriptor, 0, len(data) or 1)
    except OSError as error:
        os.ftruncate(descriptor, found.st_size)
        if error.errno not in _NO_PREVIEW:
            raise
    if mode != stat.S_IMODE(found.st_mode):
        os.fchmod(descriptor, mode)
    write_all(descriptor, data)
    os.ftruncate(descriptor, len(data))
    try:
        os.fsync(descriptor)
    except OSError as error:
        warnings.append(not_durable(path, error))


def _take_back(target: str, made: os.stat_result) -> None:
    """Remove the file that the kernel made at the end of a dangling link."""
    name = os.path.basename(target)
    with suppress(OSError), _opened(os.path.dirname(target) or os.curdir, SEARCH) as folder:
        if os.path.samestat(os.lstat(name, dir_fd=folder), made):
            os.unlink(name, dir_fd=folder)


@contextmanager
def _folder_of(path: str) -> Iterator[int]:
    folder = os.path.dirname(path)
    try:
        descriptor = os.open(folder or os.curdir, SEARCH)
    except (FileNotFoundError, NotADirectoryError):
        raise FileError(f"{path}: no folder {folder}", hint=f"make it first: mkdir -p {folder}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened(path: str, flags: int, mode: int = 0) -> Iterator[int]:
    descriptor = os.open(path, flags, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def stand_in_streams(given: TextIO | None, out: TextIO | None, words: TextIO | None) -> tuple[TextIO, TextIO, TextIO]:
    """The three standard streams, with a stand-in for each that is None: closed before the program started.

    Their numbers are taken, or the next file to be opened would be written to in their place. Nothing comes from the
    first, what is written to the second fails, for nobody gets it, and words for the third are dropped: with a standard
    error of None, Python would print them on standard output.
    """
    while (number := os.open(os.devnull, os.O_RDONLY)) <= max(_STANDARD.values()):
        pass
    os.close(number)
    return (given or io.StringIO(), out or open(_STANDARD["/dev/stdout"], "w", encoding="utf-8", closefd=False),
            words or io.StringIO())
