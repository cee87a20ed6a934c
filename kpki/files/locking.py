"""One run at a time."""
from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from kpki.errors import FileError
from kpki.files.disk import Path, disk, make_folder, missing_folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

_PAUSE = 0.1  # seconds between two attempts
_MOST = 200  # bytes of the lock file worth showing


@contextmanager
def lock(
    path: Path, *, now: datetime, wait: float = 30.0, folder_mode: int = 0o700,
    sleep: Callable[[float], object] = time.sleep, clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Hold flock(2) on the file *path* for the block; the file (0600, its missing folders *folder_mode*) stays.

    The holder writes `pid N since T` into it, T being *now* in UTC. Another run waits up to *wait* seconds.
    Raises FileError: `PATH: locked by pid N since T`, or the file cannot be made; a link in its place is refused.
    """
    with disk(path):
        for folder in missing_folders(os.path.dirname(os.fspath(path))):
            with suppress(FileExistsError):     # another run has made it since
                make_folder(folder, folder_mode)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with disk(path):
            _take(descriptor, path, wait, sleep, clock)
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", now.utctimetuple())
            text = f"pid {os.getpid()} since {since}\n".encode()
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may have the descriptor too: closing would not do
    finally:
        os.close(descriptor)


def _take(
    descriptor: int, path: Path, wait: float, sleep: Callable[[float], object], clock: Callable[[], float],
) -> None:
    end = clock() + wait
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = end - clock()
        if left <= 0:
            holder = os.pread(descriptor, _MOST, 0).decode("ascii", "replace").strip()
            raise FileError(f"{os.fspath(path)}: locked by {holder or 'another run'}", hint="try again when it is done")
        sleep(min(_PAUSE, left))
