"""The bytes of one whole file, up to a limit."""
from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from kpki.errors import FileError
from kpki.files.disk import DiskPath, disk, failure, kind

LIMIT = 16 * 1024 * 1024
"""The most bytes that a certificate, key, request, description or passphrase source may have."""

_STREAMS = (stat.S_IFIFO, stat.S_IFCHR)
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY


def read(path: DiskPath, *, limit: int = LIMIT, pipes: bool = False) -> bytes:
    """The bytes of the regular file *path*, at most *limit* bytes.

    With *pipes*, a FIFO, a terminal or another character device is read too, until its writer ends.
    openssl's `-in` reads `/dev/stdin` and a shell's `<(command)` so. Without *pipes*, these files
    are refused.
    Raises FileError for a file that is missing, unreadable, of another kind, or over the limit.
    """
    with disk(path):
        # stat comes before open: some devices act when they are opened
        _refuse_other_kinds(path, os.stat(path).st_mode, pipes)
        descriptor = os.open(path, _OPEN | (0 if pipes else os.O_NONBLOCK))
    return read_open(descriptor, path, limit=limit, pipes=pipes)


def read_blocks(path: DiskPath, size: int) -> Iterator[bytes]:
    """The bytes of a file of any length, in blocks of at most *size* bytes; FIFOs and devices too.

    Raises FileError for a file that is missing, unreadable, or a folder or socket.
    """
    with disk(path):
        _refuse_other_kinds(path, os.stat(path).st_mode, pipes=True)
        descriptor = os.open(path, _OPEN)
    try:
        while block := _next_block(descriptor, path, size):
            yield block
    finally:
        os.close(descriptor)


def _next_block(descriptor: int, path: DiskPath, size: int) -> bytes:
    with disk(path):
        return os.read(descriptor, size)


def read_end(path: DiskPath, most: int) -> bytes:
    """The last *most* bytes of a regular file of any size. Raises FileError as `read` does."""
    with disk(path):
        _refuse_other_kinds(path, os.stat(path).st_mode, pipes=False)
        descriptor = os.open(path, _OPEN | os.O_NONBLOCK)
        try:
            size = os.fstat(descriptor).st_size
            return os.pread(descriptor, most, max(size - most, 0))
        finally:
            os.close(descriptor)


def read_if_file(path: str) -> tuple[os.stat_result | None, bytes | None]:
    """The status of the entry at *path*, and the bytes of a regular file; None if there is none.

    For many files in a row: `read_entry` and `read` in the fewest system calls.
    Raises FileError as both do.
    """
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return found, None
        descriptor = os.open(path, _OPEN | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except (OSError, ValueError) as error:
        raise failure(path, error) from error
    return found, read_open(descriptor, path, limit=LIMIT)


def read_open(descriptor: int, path: DiskPath, *, limit: int, pipes: bool = False) -> bytes:
    """The bytes of an open file, which is closed afterwards; raises FileError as `read` does."""
    try:
        found = os.fstat(descriptor)
        _refuse_other_kinds(path, found.st_mode, pipes)
        parts: list[bytes] = []
        left = limit + 1
        # to the end, not to st_size: files in /proc have a size of 0, and other files may grow
        while left > 0 and (part := os.read(descriptor, min(left, max(found.st_size + 1, 65536)))):
            parts.append(part)
            left -= len(part)
            if len(part) == found.st_size and stat.S_ISREG(found.st_mode):
                break       # the whole file: read and fstat agree
    except OSError as error:
        raise failure(path, error) from error
    finally:
        os.close(descriptor)
    if left <= 0:
        raise FileError(f"{os.fspath(path)}: over {_size(limit)}",
                        hint="no certificate, key or description is that large")
    return b"".join(parts)


def _refuse_other_kinds(path: DiskPath, mode: int, pipes: bool) -> None:
    if not stat.S_ISREG(mode) and not (pipes and stat.S_IFMT(mode) in _STREAMS):
        raise FileError(f"{os.fspath(path)}: a {kind(mode)}, not a regular file")


def _size(limit: int) -> str:
    return f"{limit} bytes" if limit % 1048576 else f"{limit // 1048576} MiB"
