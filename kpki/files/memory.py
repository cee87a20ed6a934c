"""Bytes under a path, for functions that accept a path alone; no disk holds them."""
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_OPEN_FILES = "/proc/self/fd"


@contextmanager
def readable_once(data: bytes) -> Iterator[str]:
    """A path under which *data* can be read, by this process and its user, inside the block.

    On Linux the bytes stay in memory. Elsewhere they are a file with mode 0600 in the folder for
    temporary files, and the end of the block removes the file.
    """
    if hasattr(os, "memfd_create") and os.path.isdir(_OPEN_FILES):
        descriptor = os.memfd_create("kpki")
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            yield f"{_OPEN_FILES}/{descriptor}"
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.name
