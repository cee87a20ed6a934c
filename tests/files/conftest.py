"""A tree with every case in it, and a way to look at a tree as a whole."""
from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpki.files import File

Snapshot = dict[str, tuple[int, bytes, int, int]]


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """A usual umask, whatever the run's own."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def snapshot() -> Callable[[Path], Snapshot]:
    """Everything under a root but the folders' times: path → (type and mode, content, inode,
    mtime)."""
    def take(root: Path) -> Snapshot:
        found: Snapshot = {}
        for path in sorted(root.rglob("*")):
            seen = path.lstat()
            content = (os.fsencode(os.readlink(path)) if path.is_symlink()
                       else path.read_bytes() if stat.S_ISREG(seen.st_mode) else b"")
            found[str(path.relative_to(root))] = (
                seen.st_mode, content, seen.st_ino,
                0 if stat.S_ISDIR(seen.st_mode) else seen.st_mtime_ns)
        return found
    return take


@pytest.fixture
def wanted() -> list[File]:
    """One to keep, a pair to replace, a link to replace, one to create below two new folders."""
    return [File("pki/ca.crt", b"ca", 0o644), File("pki/worker.pem", b"new certificate", 0o644),
            File("pki/worker-key.pem", b"new key", 0o600),
            File("pki/current.pem", b"new current", 0o600),
            File("etc/deep/kubelet.conf", b"new conf", 0o600)]


@pytest.fixture
def plant() -> Callable[[Path], Path]:
    """Make the tree that `wanted` replaces; gives its root."""
    def make(root: Path) -> Path:
        (root / "pki").mkdir(parents=True)
        for name, data, mode in (("ca.crt", b"ca", 0o644),
                                 ("worker.pem", b"old certificate", 0o644),
                                 ("worker-key.pem", b"old key", 0o600),
                                 ("other.pem", b"not ours", 0o640)):
            (root / "pki" / name).write_bytes(data)
            (root / "pki" / name).chmod(mode)
        (root / "pki/current.pem").symlink_to("other.pem")
        return root
    return make


@pytest.fixture
def give_away() -> Callable[[Path], tuple[int, int]]:
    """Give a file another owner and group, as far as this user can (root: both); gives the two."""
    def give(path: Path) -> tuple[int, int]:
        owner = (1234, 4321) if os.getuid() == 0 else (os.getuid(),
                                                       [os.getgid(), *os.getgroups()][-1])
        os.chown(path, *owner, follow_symlinks=False)
        return owner
    return give


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
