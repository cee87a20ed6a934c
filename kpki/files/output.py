"""Output files, written whole or not at all, with the permissions of openssl's `-out`.

Also: stand-ins for standard streams that are closed.

The kernel decides whether an existing file may be written and where a link leads, as for openssl:
by one open(2) of the given path with O_CREAT. So the kernel's settings `fs.protected_symlinks`,
`fs.protected_regular` and `fs.protected_fifos` hold for links and files in sticky folders, see
proc_sys_fs(5).
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
    SEARCH,
    DiskPath,
    disk,
    not_durable,
    remove,
    staging_name,
    sync_folder,
    write_all,
    write_new,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTORS = ("/dev/fd", "/proc/self/fd")
_LINKS = 40  # as the Linux kernel, path_resolution(7)
# The errors after which the old file itself is written: its folder, mount, owner or group permits
# no new file.
_NOT_REPLACEABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EINVAL, errno.ENOENT,
                    errno.ENOTDIR)
_NO_PREVIEW = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)  # the file system cannot reserve room


def write_output(path: DiskPath, data: bytes, *, private: bool = False,
                 warnings: list[str] | None = None) -> None:
    """Write *data* to *path*, in place of the old content; see `-out` in openssl-genpkey(1).

    A copy is staged beside the file, made durable and renamed. A new file has mode 0666 less the
    umask, or 0600 if *private*. An old file keeps owner, group and mode; *private* removes the
    permissions of all but the owner. If owner or group cannot be kept, or the folder permits no
    rename, the old file itself is written. A symbolic link stays, and its target is replaced.
    Devices, FIFOs, `/dev/stdout` and `/dev/fd/N` are written directly. *warnings* receives a
    sentence for each failure after *data* is in place, and for a staged copy that could not be
    removed. Raises FileError for a missing folder, a *path* that is a folder, a file that may not
    be written, or a full disk; the old file is then unchanged.
    Raises RefusedError if *private* and the file belongs to another user.
    """
    warnings = [] if warnings is None else warnings
    with disk(path):
        name = os.fspath(path)
        target = _follow(name)
        descriptor = _descriptor(target)
        if descriptor is not None:  # to open the file again would truncate it
            if target != name:
                os.stat(name)       # the kernel decides whether these links may be followed
            write_all(descriptor, data)
        elif _is_free(name):
            _create(name, data, private=private, warnings=warnings)
        else:
            _overwrite(name, target, data, private=private, warnings=warnings)


def _follow(path: str) -> str:
    """The end of a chain of links, which need not exist, or an open descriptor's name on it."""
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
        if not path:    # an empty name
            raise
        return True
    return False


def _create(path: str, data: bytes, *, private: bool, warnings: list[str]) -> None:
    with _folder_of(path) as folder:
        _replace(path, data, mode=0o600 if private else None, owner=None, folder=folder,
                 warnings=warnings)


def _overwrite(path: str, target: str, data: bytes, *, private: bool, warnings: list[str]) -> None:
    """Write the file that the kernel opens for *path*, by a rename if *target* is that file."""
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
    """Whether *path* is a dangling link, so open(2) creates a file; FileError for a folder."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise FileError(f"{path}: a folder, not a file")
    return False


def _refuse_others(path: str, found: os.stat_result) -> None:
    """Raise RefusedError if another user owns the file, and so can read it; devices are exempt."""
    if found.st_uid == os.geteuid() or stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        return
    import pwd
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    raise RefusedError(
        f"{path}: the file belongs to the user {owner}, who could read the private key",
        hint="name another file, or remove this one first")


def _replaced(target: str, data: bytes, found: os.stat_result, mode: int,
              warnings: list[str]) -> bool:
    """Replace *target*; False if *target* is another file than *found* or may not be replaced."""
    try:
        with _opened(os.path.dirname(target) or os.curdir, SEARCH) as folder:
            if not os.path.samestat(os.lstat(os.path.basename(target), dir_fd=folder), found):
                return False
            _replace(target, data, mode=mode, owner=(found.st_uid, found.st_gid), folder=folder,
                     warnings=warnings)
    except OSError as error:
        if error.errno in _NOT_REPLACEABLE:
            return False
        raise
    return True


def _replace(path: str, data: bytes, *, mode: int | None, owner: tuple[int, int] | None,
             folder: int, warnings: list[str]) -> None:
    """Stage a copy, make it durable and rename it, all in the open *folder*."""
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


def _write_in_place(descriptor: int, path: str, data: bytes, found: os.stat_result, mode: int,
                    warnings: list[str]) -> None:
    """Write into the open file itself, after room on the disk is reserved."""
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
        raise FileError(f"{path}: no folder {folder}",
                        hint=f"make it first: mkdir -p {folder}") from None
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


def stand_in_streams(given: TextIO | None, out: TextIO | None,
                     words: TextIO | None) -> tuple[TextIO, TextIO, TextIO]:
    """The three standard streams, with a stand-in for each stream that is None, hence closed.

    The descriptors 0 to 2 are occupied, so that no file that is opened later receives the output.
    The stand-in for standard input is empty. A write to the stand-in for standard output fails. The
    stand-in for standard error drops its text; for a standard error of None, Python would print the
    text on standard output.
    """
    while (number := os.open(os.devnull, os.O_RDONLY)) <= max(_STANDARD.values()):
        pass
    os.close(number)
    return (given or io.StringIO(),
            out or open(_STANDARD["/dev/stdout"], "w", encoding="utf-8", closefd=False),
            words or io.StringIO())
