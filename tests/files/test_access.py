"""What permission refuses is told apart from what is wrong: it says nothing about the file."""
from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpki.errors import AccessError, FileError
from kpki.files import (
    File,
    lock,
    read,
    read_entry,
    read_entry_at,
    replace_tree,
    resolve,
    sweep,
    walk,
    write_output,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Dropped = Callable[[], AbstractContextManager[None]]


def take_lock(path: Path) -> None:
    with lock(path.parent.parent, f"{path.parent.name}/{path.name}", now=NOW):
        raise AssertionError


def put(root: Path, path: str) -> None:
    replace_tree(root, [File(path, b"new", 0o600)], folder_mode=0o755, backup=None, now=NOW)


@pytest.fixture
def closed(shared_path: Path) -> Path:
    """A key that only its owner may read, an open folder that cannot be listed, and one that cannot
    be searched."""
    for folder in ("secret", "unlisted"):
        (shared_path / folder).mkdir()
        (shared_path / folder / "f").write_bytes(b"old")
    (shared_path / "f").write_bytes(b"old")
    (shared_path / "f").chmod(0)
    (shared_path / "secret").chmod(0)
    (shared_path / "unlisted").chmod(0o111)
    shared_path.chmod(0o555)
    return shared_path


@pytest.mark.parametrize(("act", "named"), [
    (lambda top: read(top / "f"), "f"),
    (lambda top: read(top / "secret/f"), "secret/f"),
    (lambda top: resolve(top, "secret/f"), "secret/f"),
    (lambda top: read_entry(top, "secret/f"), "secret/f"),
    (lambda top: read_entry_at(top / "secret/f"), "secret/f"),
    (lambda top: list(walk(top, skip=lambda path: False)), "secret"),
    (lambda top: list(walk(top / "unlisted", skip=lambda path: False)), "unlisted"),
    (lambda top: write_output(top / "f", b"new"), "f"),
    (lambda top: write_output(top / "new", b"new"), "new"),
    (lambda top: write_output(top / "secret/new", b"new"), "secret/new"),
    (lambda top: put(top, "new"), "new"),
    (lambda top: put(top, "folder/new"), "folder"),
    (lambda top: put(top, "unlisted/new"), "unlisted"),
    (lambda top: put(top / "root", "new"), "root"),
    (lambda top: sweep(top, ["unlisted/f"]), "unlisted"),
    (lambda top: take_lock(top / "lock"), "lock"),
    (lambda top: take_lock(top / "folder/lock"), "folder/lock"),
    (lambda top: take_lock(top / "f"), "f"),
])
def test_what_may_not_be_read_listed_or_written_is_an_access_error(
    closed: Path, as_nobody: Dropped, act: Callable[[Path], object], named: str,
) -> None:
    """It names the file, and says who may; nothing is changed."""
    with as_nobody(), pytest.raises(AccessError) as caught:
        act(closed)
    assert caught.value.message == f"{closed}/{named}: permission denied"
    assert caught.value.hint == "run the command as root or as the file's owner"
    closed.chmod(0o755)
    assert sorted(os.listdir(closed)) == ["f", "secret", "unlisted"]


def test_what_is_wrong_with_a_file_is_none(closed: Path) -> None:
    """A missing file, a folder in a file's place: no other user would do better."""
    for path in ("gone", "unlisted"):
        with pytest.raises(FileError) as caught:
            read(closed / path)
        assert not isinstance(caught.value, AccessError)
