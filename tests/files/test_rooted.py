"""Nothing is written outside of a root, whoever owns the folders in it and whatever is done to them
meanwhile."""
from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from kpki.errors import FileError, RefusedError
from kpki.files import File, lock, replace_tree, rooted
from kpki.files.rooted import Rooted
from tests.support.disk import CHANGING, AtCall

Take = Callable[[Path], dict[str, tuple[int, bytes, int, int]]]
Plant = Callable[[Path], Path]
EVERY = (*CHANGING, "lstat", "readlink", "scandir")


@pytest.mark.parametrize("folder", ["pki", "etc", "etc/deep", "backup"])
def test_a_folder_swapped_for_a_link_at_any_call_leads_nowhere(
    tmp_path: Path, plant: Plant, snapshot: Take, wanted: list[File], now: datetime,
    at_call: AtCall, folder: str,
) -> None:
    """Its owner moves it away and puts a link to a folder of the same shape there: that one is
    never touched.

    Either the change is refused, or the folder that was opened before has it.
    """
    refused = set()
    for nth in count(1):
        top = tmp_path / str(nth)
        root, outside = plant(top / "root"), plant(top / "outside")
        (root / "etc/deep").mkdir(parents=True)
        (root / "backup").mkdir()
        (outside / "etc/deep").mkdir(parents=True)
        (outside / "backup").mkdir()
        before = snapshot(outside)

        def swap(name: str, real: partial[object]) -> object:
            (root / folder).rename(top / "aside")
            (root / folder).symlink_to(outside / folder)
            return real()
        with at_call(nth, swap, EVERY) as calls:
            try:
                replace_tree(root, wanted, folder_mode=0o755, backup="backup", now=now)
                refused.add(False)
            except (FileError, RefusedError):
                refused.add(True)
        if len(calls) < nth:
            break
        assert snapshot(outside) == before, (nth, calls)
    assert nth > 60 and refused == {True, False}


def test_a_folder_exchanged_before_the_change_is_named(
    tmp_path: Path, plant: Plant, snapshot: Take, wanted: list[File], now: datetime,
    at_call: AtCall,
) -> None:
    """A change in a folder that is no longer at its place would change nothing: it is refused, and
    all is as before."""
    root = plant(tmp_path / "root")
    before = snapshot(root)

    def exchange(name: str, real: partial[object]) -> object:
        (root / "pki").rename(root / "aside")
        (root / "pki").mkdir()
        return real()
    with at_call(1, exchange, ["link"]):
        with pytest.raises(FileError) as caught:
            replace_tree(root, wanted, folder_mode=0o755, backup=None, now=now)
    assert (caught.value.message
            == f"{root}/pki: another program replaced this folder during the run")
    assert caught.value.hint == "run the command again"
    (root / "pki").rmdir()
    (root / "aside").rename(root / "pki")
    assert snapshot(root) == before


@pytest.mark.parametrize("link", ["var", "var/lib", "var/lib/kpki"])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_lock_stays_in_its_root(tmp_path: Path, snapshot: Take, now: datetime, link: str,
                                  absolute: bool) -> None:
    """A link on the way is followed as on the host whose root it is; one that leads out is
    refused."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / link).parent.mkdir(parents=True)
    (outside / "lib/kpki").mkdir(parents=True)
    (outside / "lock").write_text("precious")
    (root / link).symlink_to(outside if absolute else "../" * link.count("/") + "../outside")
    before = snapshot(outside)
    if absolute:
        with lock(root, "var/lib/kpki/lock", now=now):
            assert [path.name for path in root.rglob("lock")] == ["lock"]
    else:
        with pytest.raises(RefusedError, match="leads out of"):
            with lock(root, "var/lib/kpki/lock", now=now):
                raise AssertionError
    assert snapshot(outside) == before


def test_a_lock_s_folder_swapped_at_any_call_leads_nowhere(
    tmp_path: Path, snapshot: Take, now: datetime, at_call: AtCall,
) -> None:
    """As that of any file."""
    for nth in count(1):
        root, outside = tmp_path / str(nth) / "root", tmp_path / str(nth) / "outside"
        (root / "var/lib").mkdir(parents=True)
        (outside / "lib").mkdir(parents=True)
        before = snapshot(outside)

        def swap(name: str, real: partial[object]) -> object:
            (root / "var").rename(root.parent / "aside")
            (root / "var").symlink_to(outside)
            return real()
        with at_call(nth, swap, EVERY) as calls:
            try:
                with lock(root, "var/lib/kpki/lock", now=now):
                    pass
            except FileError:
                pass
        if len(calls) < nth:
            break
        assert snapshot(outside) == before, (nth, calls)
    assert nth > 5


def test_more_folders_than_are_kept_open_are_changed(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fleet has more folders than a process may have files open; no descriptor is left."""
    wanted = [File(f"nodes/{number}/etc/{name}", b"x", 0o600) for number in range(9)
              for name in ("a/f", "b/f", "g")]
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(rooted, "_MOST", 2)
        for data in (b"x", b"y"):
            replace_tree(tmp_path / "w", [File(file.path, data, 0o600) for file in wanted],
                         folder_mode=0o755, backup="backup", now=now)
    assert all((tmp_path / "w" / file.path).read_bytes() == b"y" for file in wanted)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_root_is_followed_and_what_is_below_is_not(tmp_path: Path) -> None:
    """Links in the root's own path are the caller's words, those below are anybody's."""
    (tmp_path / "real/d").mkdir(parents=True)
    (tmp_path / "root").symlink_to("real")
    (tmp_path / "real/link").symlink_to("d")
    with Rooted(tmp_path / "root") as tree:
        assert os.path.samestat(os.fstat(tree.open(f"{tmp_path}/root/d")),
                                (tmp_path / "real/d").stat())
        assert os.path.samestat(os.fstat(tree.open(f"{tmp_path}")), tmp_path.stat())
        with pytest.raises(NotADirectoryError):
            tree.open(f"{tmp_path}/root/link")
        with pytest.raises(NotADirectoryError):
            tree.lstat(f"{tmp_path}/root/link/f")
    with Rooted("/") as tree:
        assert tree.lstat("/etc").st_ino == os.stat("/etc").st_ino
        with pytest.raises(NotADirectoryError):
            tree.open("/proc/self")


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_folder_that_another_process_makes_meanwhile_is_used(
    tmp_path: Path, now: datetime, at_call: AtCall, what: str,
) -> None:
    """With the mode it has; a file in its place is an error."""
    def make(name: str, real: partial[object]) -> object:
        if what == "folder":
            (tmp_path / "d").mkdir(0o700)
        else:
            (tmp_path / "d").write_bytes(b"")
        return real()
    with at_call(1, make, ["mkdir"]):
        if what == "folder":
            replace_tree(tmp_path, [File("d/f", b"x", 0o600)], folder_mode=0o755, backup=None,
                         now=now)
            assert ((tmp_path / "d/f").read_bytes() == b"x"
                    and (tmp_path / "d").stat().st_mode & 0o777 == 0o700)
        else:
            with pytest.raises(FileError, match="d: file exists"):
                replace_tree(tmp_path, [File("d/f", b"x", 0o600)], folder_mode=0o755, backup=None,
                             now=now)


def test_a_copy_that_cannot_be_looked_for_is_told(tmp_path: Path, at_call: AtCall) -> None:
    """One that was never made, or is gone with its folder, is not; a read-only disk refuses either
    alike."""
    def refuse(name: str, real: partial[object]) -> object:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    with Rooted(tmp_path) as tree:
        for names, told in ((["unlink"], False), (["unlink", "lstat"], True)):
            with at_call(1, refuse, names, on=True):
                assert bool(tree.remove(f"{tmp_path}/never")) == told
    with Rooted(tmp_path) as tree:
        assert tree.remove(f"{tmp_path}/gone/f") is None
        (tmp_path / "f").write_bytes(b"")
        assert tree.remove(f"{tmp_path}/f/g") == (
            f"{tmp_path}/f/g: this copy could not be removed: not a directory; "
            "remove the copy by hand, because it may hold a private key")


@pytest.mark.parametrize("root", ["/", "//"])
def test_missing_folders_below_the_root_of_all(root: str) -> None:
    """Below `/` too the search for missing folders ends, if not even the first is there."""
    with Rooted(root) as tree:
        first = "/kpki-nothing-is-here"
        assert tree.missing(f"{first}/a/b") == [first, f"{first}/a", f"{first}/a/b"]
        assert tree.missing("/") == []
