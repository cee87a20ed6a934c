"""A tree is changed whole or not at all, wherever it is interrupted.

The n-th call to the disk is made to fail, to be interrupted, or to be the last that the process
does.
"""
from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from kpki.errors import FileError
from kpki.files import File, replace_tree, tree
from tests.support.disk import CHANGING, AtCall

Take = Callable[[Path], dict[str, tuple[int, bytes, int, int]]]
Plant = Callable[[Path], Path]
LOOKING = ("stat", "lstat", "fstat", "readlink", "scandir", "read")
# what makes a folder, or in the test a file system, durable
SYNCING = ("open", "fsync", "stat", "fstat")
ERRORS = [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO]
OLD = {"pki/ca.crt": b"ca", "pki/worker.pem": b"old certificate", "pki/worker-key.pem": b"old key",
       "pki/current.pem": b"not ours", "etc/deep/kubelet.conf": None}


def put(
    root: Path, files: list[File], now: datetime, backup: str | None,
    warnings: list[str] | None = None,
) -> list[str]:
    return [action for _, action in replace_tree(
        root, files, folder_mode=0o755, backup=backup, now=now, warnings=warnings)]


def strays(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if ".kpki-" in path.name]


def assert_whole(root: Path, files: list[File]) -> None:
    """Each file is old or new, to the last byte, and no key was ever readable by others."""
    for file in files:
        path = root / file.path
        found = path.read_bytes() if path.exists() else None
        assert found in (OLD[file.path], file.data)
        assert found is None or found == OLD[file.path] or path.stat().st_mode & 0o777 == file.mode
    for path in [*strays(root), *root.rglob("*key*")]:
        assert path.is_symlink() or "key" not in path.name or not path.stat().st_mode & 0o077


def assert_heals(root: Path, files: list[File], now: datetime, backup: str | None) -> None:
    """The next run finishes the job, and the one after finds nothing to do."""
    put(root, files, now + timedelta(minutes=1), backup)
    assert [(root / file.path).read_bytes() for file in files] == [file.data for file in files]
    assert strays(root) == []
    assert put(root, files, now + timedelta(minutes=2), backup) == ["keep"] * len(files)


@pytest.fixture(params=[None, "backup"])
def backup(request: pytest.FixtureRequest) -> str | None:
    value: str | None = request.param
    return value


@pytest.fixture(params=[16, 0], ids=["one by one", "whole file system"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Both ways to make a batch durable."""
    monkeypatch.setattr(tree, "_FEW", request.param)
    value: int = request.param
    # counted and durable as any other call, without the wait for the whole machine's data
    if value == 0:
        monkeypatch.setattr(tree, "sync_file_system", lambda folder: os.stat(folder))
    return value


@pytest.mark.usefixtures("few")
def test_an_error_at_any_call_leaves_all_as_it_was(
    tmp_path: Path, plant: Plant, snapshot: Take, wanted: list[File], now: datetime,
    backup: str | None, at_call: AtCall,
) -> None:
    """No space, read-only, no permission, broken: the same files, inodes and times, and nothing
    beside them.

    Once the change holds, what fails is a warning: a second name is left to the next run, a folder
    is not synced. And a look whose answer changes nothing may fail.
    """
    outcomes = set()
    for nth in count(1):
        root, number = plant(tmp_path / str(nth)), ERRORS[nth % len(ERRORS)]
        before, failed, warnings = snapshot(root), False, list[str]()

        def refuse(name: str, real: partial[object]) -> object:
            raise OSError(number, os.strerror(number))
        with at_call(nth, refuse, CHANGING + LOOKING) as calls:
            try:
                put(root, wanted, now, backup, warnings)
            except FileError as error:
                failed = True
                assert os.strerror(number).lower() in str(error) and str(root) in str(error)
        if len(calls) < nth:
            break
        outcomes.add(failed)
        if failed:
            assert snapshot(root) == before, (nth, calls)
        else:
            assert [os.strerror(number).lower() in warning
                    for warning in warnings] == [True] * len(warnings)
            outcome = (calls[nth - 1], len(strays(root)), len(warnings))
            assert outcome in {("unlink", 1, 1), ("lstat", 0, 0),
                               *((call, 0, 1) for call in SYNCING)}, outcome
            assert [(root / file.path).read_bytes()
                    for file in wanted] == [file.data for file in wanted]
            assert_heals(root, wanted, now, backup)
    assert nth > 60 and outcomes == {True, False}


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_an_interrupt_at_any_call_leaves_all_or_nothing(
    tmp_path: Path, plant: Plant, snapshot: Take, wanted: list[File], now: datetime,
    backup: str | None, at_call: AtCall, done: bool,
) -> None:
    """Control-C just before a call, or when the call is done and Python does not know it yet."""
    outcomes = set()
    for nth in count(1):
        root = plant(tmp_path / str(nth))
        before = snapshot(root)

        def interrupt(name: str, real: partial[object]) -> object:
            if done:
                opened = real()
                if name == "open" and isinstance(opened, int):
                    os.close(opened)
            raise KeyboardInterrupt
        with at_call(nth, interrupt) as calls:
            try:
                put(root, wanted, now, backup)
            except KeyboardInterrupt:
                pass
        if len(calls) < nth:
            break
        changed = snapshot(root) != before
        outcomes.add(changed)
        if changed:
            assert [(root / file.path).read_bytes()
                    for file in wanted] == [file.data for file in wanted]
            assert calls[nth - 1] in {"unlink", *SYNCING}
            assert_heals(root, wanted, now, backup)
    assert nth > 30 and outcomes == {True, False}


def test_a_disk_that_fails_from_some_call_on_leaves_whole_files(
    tmp_path: Path, plant: Plant, wanted: list[File], now: datetime, backup: str | None,
    at_call: AtCall,
) -> None:
    """Where nothing can be put back either, the error says which files stay new; the next run
    finishes."""
    hints = []
    for nth in count(1):
        root = plant(tmp_path / str(nth))

        def refuse(name: str, real: partial[object]) -> object:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        with at_call(nth, refuse, on=True) as calls:
            try:
                put(root, wanted, now, backup)
            except FileError as error:
                hints.append(error.hint or "")
        if len(calls) < nth:
            break
        assert_whole(root, wanted)
        assert_heals(root, wanted, now, backup)
    lost = [hint for hint in hints if hint.startswith("could not be put back: ")]
    assert lost and all(hint.endswith("; run the command again") and "/pki/worker" in hint
                        for hint in lost)
    assert "the file system is mounted read-only: choose another place" in hints


def test_a_kill_at_any_call_leaves_whole_files_and_the_next_run_heals(
    tmp_path: Path, plant: Plant, wanted: list[File], now: datetime, backup: str | None,
    killed_at: Callable[[int, Callable[[], object]], bool],
) -> None:
    """SIGKILL before each call in turn, and in the middle of each write."""
    for nth in count(1):
        root = plant(tmp_path / str(nth))
        killed = killed_at(nth, partial(put, root, wanted, now, backup))
        assert_whole(root, wanted)
        if not killed:
            break
        assert_heals(root, wanted, now, backup)
    assert nth > 30


def test_all_is_durable_before_the_first_rename_and_the_names_before_the_end(
    tmp_path: Path, plant: Plant, wanted: list[File], now: datetime, at_call: AtCall,
) -> None:
    """What a loss of power needs: contents and backup, renames, folders, and only then the second
    names go."""
    root = plant(tmp_path / "root")
    with at_call(0, lambda name, real: real()) as calls:
        put(root, wanted, now, "backup")
    first, last = calls.index("rename"), len(calls) - 1 - calls[::-1].index("rename")
    # files; backup/, its run's folder, pki/ in that, and the root that backup/ was made in
    changed, backups = 4, 4
    assert (calls[:first].count("fsync") == changed + backups
            and calls[first:last + 1] == ["rename"] * changed)
    after = calls[last + 1:]
    assert after[-3:] == ["unlink"] * 3 and "fsync" not in after[-3:]
    assert after.count("fsync") == 4  # root, etc/, etc/deep/, pki/
    assert (set(calls[:first]) >= {"open", "write", "link", "mkdir"}
            and not {"write", "link", "mkdir"} & set(after))
