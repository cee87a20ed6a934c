"""The folder in which kpki keeps what it makes for a cluster: one writer at a time, all files of a step at once."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from .. import files
from ..kubernetes.layouts import CERTIFICATE_MODE, FOLDER_MODE, KEY_MODE
from .authority import example_authority

PRIVATE_FOLDER = 0o700
BACKUP = "backup"
_EXAMPLE_CA = ("pki/ca.crt", "pki/ca.key")


@contextmanager
def locked(folder: str, now: datetime) -> Iterator[None]:
    """Hold the workspace *folder* for this process; FileError names who holds it after 30 seconds."""
    with files.lock(os.path.join(folder, ".kpki.lock"), now=now):
        yield


def write(folder: str, wanted: Sequence[files.File], *, trees: str, now: datetime) -> list[tuple[files.File, str]]:
    """Put files under a workspace, all or none; what they replace is kept in its backup folder.

    *trees* is the folder below it that holds a host's tree in each of its own: folders inside those are 0755, as on a
    host, all others 0700. Gives each file with `create`, `replace` or `keep`.
    """
    depth = trees.count("/") + 2

    def folder_mode(path: str) -> int:
        return FOLDER_MODE if path.startswith(f"{trees}/") and path.count("/") >= depth else PRIVATE_FOLDER

    return [*files.replace_tree(folder, wanted, folder_mode=folder_mode, backup=BACKUP, now=now)]


def ensure_example(folder: str, now: datetime) -> tuple[str, str]:
    """The paths of the throw-away CA's certificate and key under *folder*, made unless they are there."""
    certificate_path, key_path = _EXAMPLE_CA
    with locked(folder, now):
        if any(files.look(folder, path).kind == "missing" for path in _EXAMPLE_CA):
            certificate, key = example_authority(now)
            write(folder, [files.File(certificate_path, certificate, CERTIFICATE_MODE),
                           files.File(key_path, key, KEY_MODE)], trees="nodes", now=now)
    return os.path.join(folder, certificate_path), os.path.join(folder, key_path)
