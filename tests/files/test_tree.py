"""Many files of a tree, together."""
from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from kpki.errors import FileError, InputError, RefusedError
from kpki.files import File, disk, replace_tree, tree

Take = Callable[[Path], dict[str, tuple[int, bytes, int, int]]]
Plant = Callable[[Path], Path]
STAMP = "20260102T030405Z"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def put(root: Path, *files: File, now: datetime, backup: str | None = None) -> list[str]:
    return [action for _, action in replace_tree(
        root, files, folder_mode=0o755, backup=backup, now=now, warnings=[])]


@pytest.mark.parametrize("path", [
    "", "/", "/a", ".", "..", "a/..", "../a", "a//b", "./a", "a/", "a/./b", "a\0", "\ud800",
])
def test_a_path_that_is_not_below_its_root_is_no_file(path: str) -> None:
    """Absolute, upwards, not in its shortest form, or no name at all."""
    with pytest.raises(InputError, match="not a (plain relative path|possible file name)"):
        File(path, b"", 0o600)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1),
                min_size=1))
def test_a_path_of_plain_names_is_a_file(names: list[str]) -> None:
    """Whatever characters they have, unless one is `.` or `..`; then never below its root's
    parent."""
    path = "/".join(names)
    if {".", ".."} & set(names):
        with pytest.raises(InputError):
            File(path, b"", 0o600)
    else:
        assert os.path.normpath(os.path.join("/top",
                                             File(path, b"", 0o600).path)).startswith("/top/")


@pytest.mark.parametrize("bits", [-1, 0o1000, 0o4755])
def test_a_mode_is_permission_bits(bits: int) -> None:
    """No set-user bit comes in by an archive or a table."""
    with pytest.raises(InputError, match="a: mode"):
        File("a", b"", bits)


def test_what_a_file_holds_is_not_shown() -> None:
    """A traceback or a log with a File in it tells no key."""
    assert repr(File("a", b"secret", 0o600)) == "File('a', 0o600, 6 octets)"


@pytest.mark.parametrize("few", [16, 0], ids=["one by one", "whole file system"])
def test_each_file_is_kept_replaced_or_created(
    tmp_path: Path, plant: Plant, wanted: list[File], now: datetime,
    monkeypatch: pytest.MonkeyPatch, few: int,
) -> None:
    """And is said to be; afterwards the tree is what was wanted, and nothing is left beside it."""
    root = plant(tmp_path / "root")
    with monkeypatch.context() as patch:
        patch.setattr(tree, "_FEW", few)
        done = replace_tree(root, wanted, folder_mode=0o755, backup=None, now=now)
    assert done == list(zip(wanted, ["keep", "replace", "replace", "replace", "create"]))
    for file in wanted:
        path = root / file.path
        assert path.read_bytes() == file.data and mode(path) == file.mode and not path.is_symlink()
    assert (sorted(os.listdir(root)) == ["etc", "pki"]
            and os.listdir(root / "etc/deep") == ["kubelet.conf"])
    assert sorted(os.listdir(root / "pki")) == ["ca.crt", "current.pem", "other.pem",
                                                "worker-key.pem", "worker.pem"]
    assert (root / "pki/other.pem").read_bytes() == b"not ours"


def test_a_second_run_touches_nothing(tmp_path: Path, plant: Plant, wanted: list[File],
                                      now: datetime) -> None:
    """Not a file, not a folder, not an mtime, no second backup."""
    root = plant(tmp_path / "root")
    put(root, *wanted, now=now, backup="backup")
    before = {path: path.lstat().st_mtime_ns for path in [root, *root.rglob("*")]}
    assert put(root, *wanted, now=now, backup="backup") == ["keep"] * 5
    assert {path: path.lstat().st_mtime_ns for path in [root, *root.rglob("*")]} == before


def test_folders_get_their_mode_whatever_the_umask(tmp_path: Path, now: datetime) -> None:
    """The root and those above it too; one that is there keeps its own."""
    (tmp_path / "there").mkdir(0o711)
    os.umask(0o077)
    replace_tree(tmp_path / "there/out/root", [File("a/b/c", b"", 0o644)], folder_mode=0o755,
                 backup=None, now=now)
    made = [mode(tmp_path / "there" / path)
            for path in ("", "out", "out/root", "out/root/a", "out/root/a/b")]
    assert (made == [0o711, 0o755, 0o755, 0o755, 0o755]
            and mode(tmp_path / "there/out/root/a/b/c") == 0o644)


def test_a_made_folder_inherits_the_group_bit(tmp_path: Path, now: datetime) -> None:
    """Below a set-group folder everything stays in the group."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root").chmod(0o2775)
    os.umask(0o077)
    put(tmp_path / "root", File("a/b", b"", 0o600), now=now)
    assert mode(tmp_path / "root/a") == 0o2755


@pytest.mark.parametrize("root", ["", ".", "new", "new/"])
def test_a_relative_root_is_the_current_folder_s(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, root: str,
) -> None:
    """The empty one is the current folder, never `/`."""
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        assert replace_tree(root, [File("f", b"x", 0o600)], folder_mode=0o700, backup=None, now=now)
    assert (tmp_path / root.strip("/") / "f").read_bytes() == b"x"


@pytest.mark.parametrize(("old", "asked", "action", "new"), [
    (0o600, 0o644, "keep", 0o600), (0o644, 0o644, "keep", 0o644), (0o644, 0o600, "replace", 0o600),
    (0o640, 0o604, "replace", 0o600),
])
def test_the_stricter_mode_wins(tmp_path: Path, now: datetime, old: int, asked: int, action: str,
                                new: int) -> None:
    """A file with the same bytes stays under a mode as strict, and is replaced under a wider
    one."""
    (tmp_path / "f").write_bytes(b"same")
    (tmp_path / "f").chmod(old)
    assert put(tmp_path, File("f", b"same", asked), now=now) == [action]
    assert mode(tmp_path / "f") == new


def test_a_replaced_file_keeps_its_owner_and_a_stricter_mode(
    tmp_path: Path, now: datetime, give_away: Callable[[Path], tuple[int, int]],
) -> None:
    """Also where the new one may be read by all; a link's owner is not taken over."""
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "f").chmod(0o640)
    (tmp_path / "l").symlink_to("f")
    owner = give_away(tmp_path / "f")
    give_away(tmp_path / "l")
    (tmp_path / "ours").write_bytes(b"")
    put(tmp_path, File("f", b"new", 0o644), File("l", b"new", 0o644), now=now)
    file, link, ours = [(tmp_path / name).lstat() for name in ("f", "l", "ours")]
    assert (file.st_uid, file.st_gid) == owner and mode(tmp_path / "f") == 0o640
    assert ((link.st_uid, link.st_gid) == (ours.st_uid, ours.st_gid)
            and mode(tmp_path / "l") == 0o644)


def test_what_is_replaced_is_in_the_backup(tmp_path: Path, plant: Plant, wanted: list[File],
                                           now: datetime) -> None:
    """The very files, by their paths, the link as a link, in folders of 0700; and nothing else."""
    root = plant(tmp_path / "root")
    inode = (root / "pki/worker-key.pem").stat().st_ino
    put(root, *wanted, now=now, backup="var/backup")
    kept = root / "var/backup" / STAMP / "pki"
    assert sorted(os.listdir(kept)) == ["current.pem", "worker-key.pem", "worker.pem"]
    assert ((kept / "worker-key.pem").stat().st_ino == inode
            and os.readlink(kept / "current.pem") == "other.pem")
    assert [mode(path) for path in (root / "var", root / "var/backup", kept.parent,
                                    kept)] == [0o755, *[0o700] * 3]


def test_the_same_second_twice_does_not_clash(tmp_path: Path, now: datetime) -> None:
    """Each run has its own folder."""
    for data in (b"1", b"2", b"3", b"4"):
        put(tmp_path, File("f", data, 0o600), now=now, backup="backup")
    kept = {path.name: (path / "f").read_bytes() for path in (tmp_path / "backup").iterdir()}
    assert kept == {STAMP: b"1", f"{STAMP}-2": b"2", f"{STAMP}-3": b"3"}


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM])
@pytest.mark.parametrize("everywhere", [False, True],
                         ids=["another file system", "no links at all"])
def test_where_no_link_can_be_made_a_copy_is(
    tmp_path: Path, plant: Plant, wanted: list[File], now: datetime,
    monkeypatch: pytest.MonkeyPatch, number: int, everywhere: bool,
    give_away: Callable[[Path], tuple[int, int]],
) -> None:
    """With the old one's mode and owner, and a link as a link."""
    root = plant(tmp_path / "root")
    owner = give_away(root / "pki/worker-key.pem")
    link = os.link

    def refuse(source: str, path: str, *, src_dir_fd: int, dst_dir_fd: int,
               follow_symlinks: bool) -> None:
        if everywhere or src_dir_fd != dst_dir_fd:
            raise OSError(number, os.strerror(number))
        link(source, path, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd,
             follow_symlinks=follow_symlinks)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        put(root, *wanted, now=now, backup="backup")
    key = root / "backup" / STAMP / "pki/worker-key.pem"
    assert (key.read_bytes(), mode(key),
            (key.stat().st_uid, key.stat().st_gid)) == (b"old key", 0o600, owner)
    assert os.readlink(key.parent / "current.pem") == "other.pem"
    assert ((root / "pki/worker-key.pem").read_bytes() == b"new key"
            and len(os.listdir(root / "pki")) == 5)


@pytest.mark.parametrize("target", ["/real", "real", "../root/real", "/../real"])
def test_a_folder_s_link_inside_the_root_is_followed(tmp_path: Path, now: datetime,
                                                     target: str) -> None:
    """Absolute as on the host whose root it is; the link stays. One that leads up and back in again
    leads out."""
    (tmp_path / "root/real").mkdir(parents=True)
    (tmp_path / "root/link").symlink_to(target)
    if target.startswith(("..", "/..")):
        with pytest.raises(RefusedError, match="root/link: leads out of"):
            put(tmp_path / "root", File("link/f", b"x", 0o600), now=now)
    else:
        put(tmp_path / "root", File("link/f", b"x", 0o600), now=now)
        assert (tmp_path / "root/real/f").read_bytes() == b"x"
    assert (tmp_path / "root/link").is_symlink() and sorted(os.listdir(tmp_path)) == ["root"]


@pytest.mark.parametrize("path", ["out/f", "backup"])
def test_a_folder_s_link_out_of_the_root_is_refused(
    tmp_path: Path, plant: Plant, snapshot: Take, wanted: list[File], now: datetime, path: str,
) -> None:
    """On the way to a file or to the backup: named, and nothing is changed, in the root or
    outside."""
    root = plant(tmp_path / "root")
    (tmp_path / "outside").mkdir()
    (root / path.partition("/")[0]).symlink_to("../outside")
    before = snapshot(tmp_path)
    files = [*wanted, File("out/f", b"x", 0o600)] if path == "out/f" else wanted
    with pytest.raises(RefusedError, match="leads out of"):
        put(root, *files, now=now, backup="backup")
    assert snapshot(tmp_path) == before


def test_what_a_cut_run_left_is_removed(tmp_path: Path, now: datetime) -> None:
    """A run removes the staged files of its own targets; files with similar names, and folders,
    stay."""
    for name in (".f.kpki-0123456789abcdef", ".g.kpki-0123456789abcdef", ".f.kpki-notes",
                 ".f.kpki-0123456789abcdeX"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".f.kpki-fedcba9876543210").mkdir()
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "f").chmod(0o600)
    assert put(tmp_path, File("f", b"x", 0o600), now=now) == ["keep"]
    assert sorted(os.listdir(tmp_path)) == [
        ".f.kpki-0123456789abcdeX", ".f.kpki-fedcba9876543210", ".f.kpki-notes",
        ".g.kpki-0123456789abcdef", "f"]


@pytest.mark.parametrize(("path", "fact"), [
    ("folder", "folder: a folder, not a regular file"),
    ("fifo", "fifo: a FIFO, not a regular file"), ("file/f", "file/f: not a directory"),
    ("file/d/f", "file/d/f: not a directory"), ("n" * 300, "file name too long"),
])
def test_what_cannot_be_replaced_is_named(
    tmp_path: Path, plant: Plant, snapshot: Take, wanted: list[File], now: datetime, path: str,
    fact: str,
) -> None:
    """And no other file is changed."""
    root = plant(tmp_path / "root")
    (root / "folder").mkdir()
    (root / "file").write_bytes(b"")
    os.mkfifo(root / "fifo")
    before = snapshot(root)
    with pytest.raises(FileError, match=fact):
        put(root, *wanted, File(path, b"", 0o600), now=now)
    assert snapshot(root) == before


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "fifo"])
def test_what_is_no_file_moves_to_the_backup(tmp_path: Path, now: datetime,
                                             make: Callable[[Path], None]) -> None:
    """With what is in it; if the change cannot be made, it is back, and nothing else is there."""
    root = tmp_path / "root"
    place, blocked = root / "etc/f", root / "etc/no"
    place.parent.mkdir(parents=True)
    make(place)
    if place.is_dir():
        (place / "notes").write_text("mine")
    kind = stat.S_IFMT(place.lstat().st_mode)
    blocked.write_text("a file")
    with pytest.raises(FileError):
        put(root, File("etc/f", b"x", 0o600), File("etc/no/f", b"x", 0o600), now=now,
            backup="backup")
    assert stat.S_IFMT(place.lstat().st_mode) == kind and not (root / "backup").exists()
    assert put(root, File("etc/f", b"x", 0o600), now=now, backup="backup") == ["replace"]
    assert place.read_bytes() == b"x" and sorted(os.listdir(place.parent)) == ["f", "no"]
    kept, = root.glob("backup/*/etc/f")
    assert stat.S_IFMT(kept.lstat().st_mode) == kind
    assert not kept.is_dir() or (kept / "notes").read_text() == "mine"


def test_what_is_no_file_is_put_back(tmp_path: Path, now: datetime,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename that fails after a folder has made room leaves the folder, and nothing beside it."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f/notes").write_text("mine")
    rename, calls = os.rename, list[str]()

    def failing(source: str, target: str, **folders: int) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "injected")
        rename(source, target, **folders)
    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(FileError, match="input/output error"):
        put(tmp_path, File("f", b"x", 0o600), now=now, backup="backup")
    assert (tmp_path / "f/notes").read_text() == "mine" and os.listdir(tmp_path) == ["f"]


def test_one_file_twice_is_refused(tmp_path: Path, now: datetime) -> None:
    """By one path, or by two that a link makes one."""
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("d")
    for first, second in (("f", "f"), ("d/f", "l/f")):
        with pytest.raises(InputError, match=f"{second}: given twice"):
            put(tmp_path, File(first, b"1", 0o600), File(second, b"2", 0o600), now=now)
    assert not (tmp_path / "d/f").exists()


def test_a_backup_outside_the_root_is_refused(tmp_path: Path, plant: Plant, wanted: list[File],
                                              now: datetime) -> None:
    """The backup is a folder of the tree."""
    root = plant(tmp_path / "root")
    with pytest.raises(InputError, match="'../b': not a plain relative path"):
        put(root, *wanted, now=now, backup="../b")
    assert (root / "pki/worker.pem").read_bytes() == b"old certificate"


def test_no_files_are_no_change(tmp_path: Path, now: datetime) -> None:
    """Not even the root is made."""
    assert put(tmp_path / "root", now=now, backup="backup") == []
    assert not (tmp_path / "root").exists()


def test_a_fleet_is_synced_once(tmp_path: Path, now: datetime,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    """One sync of the file system before the renames and one after, no fsync of any file."""
    done: list[str] = []
    rename, whole = os.rename, disk.sync_file_system

    def renamed(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        done.append("rename")
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def synced(folder: int) -> None:
        done.append("sync")
        whole(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", renamed)
        patch.setattr(os, "fsync", lambda descriptor: done.append("fsync"))
        patch.setattr(tree, "sync_file_system", synced)
        put(tmp_path / "root", *(File(f"{n}/etc/f", b"x", 0o600) for n in range(40)), now=now)
    assert done == ["sync", *["rename"] * 40, "sync"]


def test_without_syncfs_all_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A C library that has no such call: sync(2) does more than enough."""
    done: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", lambda *_, **__: object())
        patch.setattr(os, "sync", lambda: done.append(True))
        disk.sync_file_system(0)
    assert done == [True]


def test_a_sync_that_fails_undoes_all(
    tmp_path: Path, plant: Plant, snapshot: Take, wanted: list[File], now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A disk that cannot keep what it took says so in syncfs."""
    class Library:
        def syncfs(self, descriptor: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1
    root = plant(tmp_path / "root")
    before = snapshot(root)
    with monkeypatch.context() as patch:
        patch.setattr(tree, "_FEW", 0)
        patch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
        with pytest.raises(FileError, match="input/output error"):
            put(root, *wanted, now=now, backup="backup")
    assert snapshot(root) == before


def test_a_symbolic_link_is_put_in_place_as_one(tmp_path: Path, now: datetime) -> None:
    """A symbolic link is created, replaces a file or another link, and stays if its target is
    right."""
    link = File("pki/current.pem", b"/pki/new.pem", 0o777, link=True)
    assert put(tmp_path, link, now=now) == ["create"] and put(tmp_path, link, now=now) == ["keep"]
    for number, old in enumerate((File("pki/current.pem", b"old", 0o600),
                                  replace(link, data=b"old.pem"))):
        put(tmp_path, old, now=now)
        assert put(tmp_path, link, now=now, backup="backup") == ["replace"]
        assert os.readlink(tmp_path / "pki/current.pem") == "/pki/new.pem"
        kept = (tmp_path / "backup" / (f"{STAMP}-{number + 1}" if number else STAMP)
                / "pki/current.pem")
        assert os.readlink(kept) == "old.pem" if number else kept.read_bytes() == b"old"
    assert put(tmp_path, File("pki/current.pem", b"/pki/new.pem", 0o777), now=now) == ["replace"]
    assert not (tmp_path / "pki/current.pem").is_symlink()


def test_a_link_that_cannot_be_made_undoes_the_rest(tmp_path: Path, now: datetime) -> None:
    """As a file that cannot be written does."""
    with pytest.raises(FileError, match="pki/current.pem: no such file or directory"):
        put(tmp_path, File("pki/a", b"", 0o600), File("pki/current.pem", b"", 0o777, link=True),
            now=now)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("fails", [False, True], ids=["changed", "undone"])
def test_a_copy_of_an_old_file_that_stays_is_told(
    tmp_path: Path, plant: Plant, now: datetime, monkeypatch: pytest.MonkeyPatch, fails: bool,
) -> None:
    """It may be a key: by a warning if the change holds, else by the hint of the error."""
    root, warnings = plant(tmp_path / "root"), list[str]()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        files = [File("pki/worker-key.pem", b"new key", 0o600)]
        if fails:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(FileError) as caught:
                replace_tree(root, files, folder_mode=0o755, backup=None, now=now,
                             warnings=warnings)
            warnings += (caught.value.hint or "").split(
                "; remove the copy by hand, because it may hold a private key")[:-1]
        else:
            replace_tree(root, files, folder_mode=0o755, backup=None, now=now, warnings=warnings)
    copies = [path for path in (root / "pki").iterdir() if ".kpki-" in path.name]
    assert len(warnings) == len(copies) == 1
    assert warnings[0].startswith(
        f"{copies[0]}: this copy could not be removed: input/output error")
    assert copies[0].read_bytes() == (b"new key" if fails else b"old key")
