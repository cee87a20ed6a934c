"""A tree is looked at as the host sees it whose root it is."""
from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kpki.errors import FileError, RefusedError
from kpki.files import Entry, read_entry, read_entry_at, resolve, walk

# linux/openat2.h; the number is the same on every architecture
OPENAT2, RESOLVE_IN_ROOT = 437, 0x10


def never(path: str) -> bool:
    return False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """etc/kubernetes/pki/ca.crt, reached by links of all kinds."""
    root = tmp_path / "root"
    (root / "etc/kubernetes/pki").mkdir(parents=True)
    (root / "etc/kubernetes/pki/ca.crt").write_bytes(b"ca")
    (root / "etc/kubernetes/pki/ca.crt").chmod(0o640)
    (root / "etc/absolute").symlink_to("/etc/kubernetes/pki")
    (root / "etc/relative").symlink_to("kubernetes/pki")
    (root / "etc/chain").symlink_to("../etc/absolute/")
    (root / "etc/above").symlink_to("../../../../etc/kubernetes/pki")
    (root / "etc/dangling").symlink_to("/var/gone")
    (root / "etc/loop").symlink_to("loop")
    return root


@pytest.mark.parametrize("folder", ["kubernetes/pki", "absolute", "relative", "chain", "above",
                                    "./x/../absolute//"])
def test_links_are_followed_under_the_root(root: Path, folder: str) -> None:
    """Absolute or relative, chained, above the root: as in a chroot."""
    assert resolve(root, f"etc/{folder}/ca.crt") == f"{root}/etc/kubernetes/pki/ca.crt"


def test_what_is_not_there_resolves_too(root: Path) -> None:
    """A dangling link says where its target would be, and a file on the way is no folder."""
    assert resolve(root, "etc/dangling/x") == f"{root}/var/gone/x"
    assert resolve(root, "etc/kubernetes/pki/ca.crt/x") == f"{root}/etc/kubernetes/pki/ca.crt/x"
    assert resolve(root, "") == str(root)


def test_the_kernel_agrees(root: Path) -> None:
    """The peer is openat2(2) with RESOLVE_IN_ROOT: it finds the same file by every path."""
    folder = os.open(root, os.O_PATH)
    how = struct.pack("QQQ", os.O_PATH, 0, RESOLVE_IN_ROOT)
    try:
        for path in ("etc/absolute/ca.crt", "etc/chain/ca.crt", "etc/above/ca.crt",
                     "../etc/relative/ca.crt", "etc"):
            found = ctypes.CDLL(None).syscall(OPENAT2, folder, path.encode(), how, len(how))
            assert found >= 0
            assert os.path.samestat(os.fstat(found), os.stat(resolve(root, path)))
            os.close(found)
    finally:
        os.close(folder)


def test_a_loop_is_a_no(root: Path) -> None:
    """It ends, naming the link."""
    with pytest.raises(FileError, match="etc/loop: too many levels of symbolic links"):
        resolve(root, "etc/loop/x")


@pytest.mark.parametrize("path", ["etc/above/ca.crt", "../x"])
def test_an_escape_is_refused_when_asked(root: Path, path: str) -> None:
    """A path for writing is refused if `..` leads above the root; absolute links stay inside."""
    with pytest.raises(RefusedError, match=r"(etc/above|\.\./x): leads out of"):
        resolve(root, path, refuse_escape=True)
    assert resolve(root, "etc/absolute/x", refuse_escape=True) == f"{root}/etc/kubernetes/pki/x"
    assert resolve("/", "../nowhere", refuse_escape=True) == "/nowhere"


def test_each_kind_is_told(root: Path, give_away: Callable[[Path], tuple[int, int]]) -> None:
    """File, link, folder, other, missing; with mode, owner, group, target and last change."""
    os.mkfifo(root / "fifo")
    owner, group = give_away(root / "etc/kubernetes/pki/ca.crt")
    os.utime(root / "etc/kubernetes/pki/ca.crt", (0, 1000))
    assert read_entry(root, "etc/absolute/ca.crt") == Entry(
        path="etc/absolute/ca.crt", kind="file", mode=0o640, owner=owner, group=group,
        modified=1000)
    assert read_entry(root, "etc/absolute").owner == os.getuid()
    assert (read_entry(root, "etc/absolute").target == "/etc/kubernetes/pki"
            and read_entry(root, "etc/absolute").kind == "link")
    assert [read_entry(root, path).kind
            for path in ("etc", "", "..", "fifo")] == ["folder", "folder", "folder", "other"]
    for path in ("etc/gone", "gone/x", "etc/kubernetes/pki/ca.crt/x", "etc/dangling/x"):
        assert read_entry(root, path) == Entry(path=path, kind="missing")


def test_a_look_through_a_loop_is_a_no(root: Path) -> None:
    """But a look at the loop's own link is not."""
    assert read_entry(root, "etc/loop").kind == "link"
    with pytest.raises(FileError, match="too many levels"):
        read_entry(root, "etc/loop/x")


def test_a_walk_is_sorted_and_follows_nothing(root: Path) -> None:
    """Files and links by relative path, in one order; no folder behind a link, no FIFO, no
    socket."""
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
    (root / "z").write_bytes(b"")
    assert list(walk(root, skip=never)) == [
        ("etc/above", "link"), ("etc/absolute", "link"), ("etc/chain", "link"),
        ("etc/dangling", "link"), ("etc/kubernetes/pki/ca.crt", "file"), ("etc/loop", "link"),
        ("etc/relative", "link"), ("z", "file"),
    ]


def test_a_walk_passes_over_what_it_is_told_to(root: Path) -> None:
    """A folder with all that is in it; a folder not skipped is walked."""
    seen: list[str] = []

    def skip(path: str) -> bool:
        seen.append(path)
        return path == "etc/kubernetes" or path.startswith("etc/a")
    assert [path for path, _ in walk(root, skip=skip)] == ["etc/chain", "etc/dangling", "etc/loop",
                                                           "etc/relative"]
    assert "etc/kubernetes/pki" not in seen


def test_a_walk_does_not_see_what_is_staged(root: Path) -> None:
    """A walk skips the staged files of a run that was cut off, and lists files whose names only
    resemble theirs."""
    for name in (".ca.crt.kpki-0123456789abcdef", ".ca.crt.kpki-notes", "ca.kpki-0123456789abcdef"):
        (root / "etc/kubernetes" / name).write_bytes(b"")
    found = [path.rpartition("/")[2] for path, kind in walk(root, skip=never) if kind == "file"]
    assert found == [".ca.crt.kpki-notes", "ca.kpki-0123456789abcdef", "ca.crt"]


def test_a_walk_may_be_deep(tmp_path: Path) -> None:
    """Folders nested beyond Python's own stack."""
    (tmp_path / "top").mkdir()
    here = os.open(tmp_path / "top", os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("f", os.O_CREAT, dir_fd=here))
    os.close(here)
    try:
        assert list(walk(tmp_path / "top", skip=never)) == [("d/" * 1100 + "f", "file")]
    finally:
        # too deep for pytest's own cleaning up
        subprocess.run(["rm", "-r", tmp_path / "top"], check=True)


def test_a_root_that_cannot_be_listed_is_a_no(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, a file, unreadable: each with its name."""
    with pytest.raises(FileError, match="gone: no such file"):
        list(walk(root / "gone", skip=never))
    with pytest.raises(FileError, match="ca.crt: a regular file, not a folder"):
        list(walk(root / "etc/kubernetes/pki/ca.crt", skip=never))

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(FileError, match="root: permission denied"):
            list(walk(root, skip=never))


def test_what_lies_at_a_path_is_seen_through_links(root: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """From this machine's root or the current folder, whatever links are on the way, the last
    name's own too."""
    (root / "there").symlink_to("etc/kubernetes/pki")
    (root / "dangling").symlink_to("nowhere")
    monkeypatch.chdir(root)
    assert read_entry_at(root / "there").kind == read_entry_at("there").kind == "folder"
    assert read_entry_at("there/ca.crt").kind == "file"
    assert read_entry_at("dangling").kind == read_entry_at("nowhere").kind == "missing"


def test_a_folder_that_goes_away_meanwhile_is_passed_over(root: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """A live kubelet makes and removes folders while they are listed."""
    scandir = os.scandir

    def gone(path: str) -> object:
        if path.endswith("pki"):
            raise FileNotFoundError(2, "No such file or directory")
        return scandir(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", gone)
        assert {kind for _, kind in walk(root, skip=never)} == {"link"}
