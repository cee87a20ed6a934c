"""Write one file as openssl's `-out` does, but whole or not at all; and standard streams that are not there."""
from __future__ import annotations

import errno
import io
import os
import stat

from kpki.errors import FileError
from kpki.files.disk import Path, disk, remove, staging_name, sync_folder, write_all, write_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTORS = ("/dev/fd", "/proc/self/fd")
_LINKS = 40  # as the Linux kernel, path_resolution(7)


def write_output(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write *data* to *path*, over what is there; see `-out` in openssl-genpkey(1).

    A file is staged beside, made durable and renamed. A new one has mode 0666 less the umask, 0600 if *private*; an old
    one keeps owner, group and mode, of which *private* takes all but the owner's. A symbolic link stays, and what it
    points to is replaced. A device, a FIFO, `/dev/stdout` and `/dev/fd/N` are written straight.
    Raises FileError: the folder missing, *path* a folder, not writable, no space; then the file is as before, and
    nothing is left beside it.
    """
    with disk(path):
        target = _follow(os.fspath(path))
        descriptor = _descriptor(target)
        if descriptor is not None:  # not opened anew: that would cut off what the file at its end already holds
            write_all(descriptor, data)
            return
        old = _stat(target)
        if old is None or stat.S_ISREG(old.st_mode):
            _replace(target, data, old, private=private)
        elif stat.S_ISDIR(old.st_mode):
            raise FileError(f"{os.fspath(path)}: a folder, not a file")
        else:
            _write_straight(target, data)


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


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _replace(target: str, data: bytes, old: os.stat_result | None, *, private: bool) -> None:
    folder = os.path.dirname(target)
    if old is None:
        mode, owner = 0o600 if private else None, None
        if not os.path.isdir(folder or "."):
            raise FileError(f"{target}: no folder {folder}", hint=f"make it first: mkdir -p {folder}")
    else:
        # a rename alone would replace a file that is not ours to write
        os.close(os.open(target, os.O_WRONLY | os.O_CLOEXEC))
        mode, owner = stat.S_IMODE(old.st_mode) & (0o600 if private else 0o7777), (old.st_uid, old.st_gid)
    staged = staging_name(target)
    try:
        write_new(staged, data, mode=mode, owner=owner, sync=True)
        os.rename(staged, target)
    except BaseException:
        remove(staged)
        raise
    sync_folder(folder)


def _write_straight(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        write_all(descriptor, data)
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
