"""A lock file, so that one run at a time changes a tree."""
from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kpki.errors import FileError
from kpki.files.disk import DiskPath, disk, kind
from kpki.files.entries import resolve
from kpki.files.rooted import Rooted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

_PAUSE = 0.1  # seconds between two attempts
_MOST = 64  # bytes: more than any holder writes
_HOLDER = re.compile(rb"(pid \d+ since [\d:TZ-]+)?\n?")


@contextmanager
def lock(
    root: DiskPath, relative: str, *, now: datetime, wait: float = 30.0, folder_mode: int = 0o700,
    sleep: Callable[[float], object] = time.sleep, clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Hold flock(2) on the file *relative* under *root* for the block.

    The lock file (0600, missing folders *folder_mode*) stays. `resolve` resolves the folders on the
    way. The holder writes `pid N since T` into the file; T is *now* in UTC. Another run waits up to
    *wait* seconds. Raises FileError `PATH: locked by pid N since T` after that time.
    Raises FileError if the file cannot be made, is not regular, or holds other text than kpki's.
    Raises RefusedError if a folder's link leads out of *root*.
    """
    with Rooted(root) as tree:
        folder, _, name = relative.rpartition("/")
        folder = resolve(tree.root, folder, refuse_escape=True)
        path = os.path.join(folder, name)
        with disk(path):
            for missing in tree.missing(folder):
                tree.mkdir(missing, folder_mode)
            descriptor = tree.open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        with disk(path):
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise FileError(f"{path}: a {kind(mode)}, not a lock file of kpki")
            _take(descriptor, path, wait, sleep, clock)
            if _holder(descriptor) is None:
                raise FileError(f"{path}: not a lock file of kpki: the file holds other text",
                                hint="move the file to another place, or remove it")
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", now.utctimetuple())
            os.ftruncate(descriptor, 0)  # first: a cut between the two leaves no mixture
            os.pwrite(descriptor, f"pid {os.getpid()} since {since}\n".encode(), 0)
        try:
            yield
        finally:
            # a forked child may share the descriptor: close alone would not unlock
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str | None:
    """The holder's text in a lock file, "" if the file is empty; None if the text is not kpki's."""
    text = os.pread(descriptor, _MOST, 0)
    return text.decode().strip() if _HOLDER.fullmatch(text) else None


def _take(descriptor: int, path: str, wait: float, sleep: Callable[[float], object],
          clock: Callable[[], float]) -> None:
    end = clock() + wait
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = end - clock()
        if left <= 0:
            raise FileError(f"{path}: locked by {_holder(descriptor) or 'another run'}",
                            hint="try again when that run is done")
        sleep(min(_PAUSE, left))
