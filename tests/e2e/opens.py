"""Which program opens which file, as the kernel says (man 7 fanotify)."""
from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

EVENT = struct.Struct("=IBBHQii")       # struct fanotify_event_metadata
NONBLOCK, UNLIMITED_QUEUE = 0x2, 0x10   # FAN_…, for fanotify_init
ADD, FILESYSTEM, OPEN = 0x1, 0x100, 0x20    # FAN_MARK_ADD, FAN_MARK_FILESYSTEM, FAN_OPEN
AT_FDCWD = -100
Inode = tuple[int, int]


class Opens:
    """Every opening of a file on some file systems since this was made."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._queue = self._libc.fanotify_init(NONBLOCK | UNLIMITED_QUEUE,
                                               os.O_RDONLY | os.O_CLOEXEC)
        self._raise_if(self._queue < 0)
        for folder in folders:
            self._raise_if(self._libc.fanotify_mark(self._queue, ADD | FILESYSTEM,
                                                    ctypes.c_uint64(OPEN), AT_FDCWD,
                                                    os.fsencode(folder)))

    def seen(self) -> set[tuple[str, Inode]]:
        """Program and file of each opening since the last call, as far as the program still
        runs."""
        return {(program, inode) for program, inode in self._events() if program}

    def close(self) -> None:
        """Look no more."""
        os.close(self._queue)

    def _events(self) -> Iterator[tuple[str, Inode]]:
        with suppress(BlockingIOError):
            while data := os.read(self._queue, 1 << 16):
                while data:
                    length, _, _, _, _, descriptor, pid = EVENT.unpack_from(data)
                    data = data[length:]
                    file = os.fstat(descriptor)
                    os.close(descriptor)
                    yield program_of(pid), (file.st_dev, file.st_ino)

    @staticmethod
    def _raise_if(failed: int) -> None:
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def program_of(pid: int) -> str:
    """The name of a process' program; empty if the process is no more."""
    with suppress(OSError):
        return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name
    return ""
