"""What -out does, made safe."""
from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kpki.errors import FileError
from kpki.files import write_output


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize(("private", "expected"), [(False, 0o644), (True, 0o600)])
def test_a_new_file_has_the_mode_of_its_secrecy(tmp_path: Path, private: bool, expected: int) -> None:
    """0666 less the umask, or 0600; nothing else is left in the folder."""
    write_output(tmp_path / "f", b"data", private=private)
    assert (tmp_path / "f").read_bytes() == b"data" and mode(tmp_path / "f") == expected
    assert os.listdir(tmp_path) == ["f"]


def test_a_new_file_has_the_mode_that_openssl_gives(tmp_path: Path) -> None:
    """The peer: genpkey makes a key 0600, pkey -pubout a public key by the umask."""
    key, public = tmp_path / "key", tmp_path / "pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    write_output(tmp_path / "k", key.read_bytes(), private=True)
    write_output(tmp_path / "p", public.read_bytes())
    assert (mode(tmp_path / "k"), mode(tmp_path / "p")) == (mode(key), mode(public))


@pytest.mark.parametrize(("private", "old", "expected"), [
    (False, 0o640, 0o640), (False, 0o600, 0o600), (False, 0o666, 0o666), (True, 0o644, 0o600), (True, 0o640, 0o600),
])
def test_an_old_file_keeps_its_mode(tmp_path: Path, private: bool, old: int, expected: int) -> None:
    """But a private one never stays readable by others."""
    path = tmp_path / "f"
    path.write_bytes(b"something longer than before")
    path.chmod(old)
    write_output(path, b"new", private=private)
    assert path.read_bytes() == b"new" and mode(path) == expected


def test_an_old_file_keeps_its_owner_and_group(
    tmp_path: Path, give_away: Callable[[Path], tuple[int, int]],
) -> None:
    """Of another user's file root does not take possession."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o640)
    owner = give_away(path)
    write_output(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == owner and mode(path) == 0o640


def test_an_owner_that_cannot_be_kept_is_a_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user who is not root gets: the file is as before."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    ours = path.stat()
    theirs = os.stat_result([*ours[:4], ours.st_uid + 1, ours.st_gid, *ours[6:10]])

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda descriptor: theirs)
        patch.setattr(os, "fchown", refuse)
        with pytest.raises(FileError, match="f: operation not permitted"):
            write_output(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


def test_a_private_file_is_never_wider_than_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first byte is written the mode is already 0600, over an old 0644 too."""
    path, modes = tmp_path / "f", list[int]()
    path.write_bytes(b"old")
    write = os.write

    def watched(descriptor: int, data: bytes) -> int:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, data)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", watched)
        write_output(path, b"new", private=True)
    assert modes == [0o600]


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    """Through two relative links, and through one that dangles."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_bytes(b"old")
    (tmp_path / "d/g").symlink_to("f")
    (tmp_path / "l").symlink_to("d/g")
    (tmp_path / "new").symlink_to(tmp_path / "d/made")
    write_output(tmp_path / "l", b"new")
    write_output(tmp_path / "new", b"made")
    assert (tmp_path / "l").is_symlink() and (tmp_path / "d/g").is_symlink()
    assert (tmp_path / "d/f").read_bytes() == b"new" and (tmp_path / "d/made").read_bytes() == b"made"
    assert sorted(os.listdir(tmp_path / "d")) == ["f", "g", "made"]


def test_a_loop_of_links_is_a_no(tmp_path: Path) -> None:
    """It ends, and says why."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(FileError, match="a: too many levels of symbolic links"):
        write_output(tmp_path / "a", b"x")


def test_a_folder_and_a_missing_folder_are_a_no(tmp_path: Path) -> None:
    """The path, the fact, and how to make the folder."""
    with pytest.raises(FileError, match="a folder, not a file"):
        write_output(tmp_path, b"x")
    with pytest.raises(FileError, match="no folder .*/no") as caught:
        write_output(tmp_path / "no/f", b"x")
    assert caught.value.hint == f"make it first: mkdir -p {tmp_path}/no"
    with pytest.raises(FileError, match="no such file or directory"):
        write_output("", b"x")


def test_a_device_is_written_straight_and_stays() -> None:
    """/dev/null takes all and stays a device; /dev/full is full."""
    write_output("/dev/null", b"x", private=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(FileError, match="/dev/full: no space left on device") as caught:
        write_output("/dev/full", b"x")
    assert caught.value.hint == "make room there and run it again"


def test_a_fifo_is_written_straight_and_stays(tmp_path: Path) -> None:
    """The reader gets every byte, also more than a pipe holds."""
    os.mkfifo(tmp_path / "p")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "p").read_bytes()))
    reader.start()
    write_output(tmp_path / "p", b"z" * 200_000)
    reader.join()
    assert got == [b"z" * 200_000] and stat.S_ISFIFO(os.stat(tmp_path / "p").st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_goes_on_where_it_was(tmp_path: Path, name: str) -> None:
    """A redirected /dev/stdout is added to, not replaced and not cut off, also by way of a link."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    code = (f"import os, sys; sys.path.insert(0, {sys.path[0]!r}); sys.path[:0] = {sys.path!r}\n"
            "from kpki.files import write_output\n"
            f"os.write(1, b'before '); write_output({name!r}, b'data'); os.write(1, b' after')")
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, cwd=tmp_path)
    assert (tmp_path / "out").read_bytes() == b"before data after"


def test_an_open_descriptor_is_written_by_its_number() -> None:
    """A pipe to another program, as a shell's >(command) is."""
    reading, writing = os.pipe()
    write_output(f"/dev/fd/{writing}", b"key", private=True)
    os.close(writing)
    assert os.read(reading, 10) == b"key"
    os.close(reading)


@pytest.mark.parametrize("number", ["999", "123456789012345678901234567890", "\u0663"])
def test_a_descriptor_that_is_not_open_is_a_no(number: str) -> None:
    """Not an OSError, and not an OverflowError."""
    with pytest.raises(FileError, match="/dev/fd"):
        write_output(f"/dev/fd/{number}", b"x")


def test_a_very_long_name_has_room_to_be_staged(tmp_path: Path) -> None:
    """255 bytes is what a name may have; the name it is staged under is no longer."""
    write_output(tmp_path / ("ü" * 127), b"x")
    assert (tmp_path / ("ü" * 127)).read_bytes() == b"x"


@pytest.mark.parametrize("call", ["open", "fchmod", "write", "fsync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_an_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int,
) -> None:
    """No space, read-only, no permission: wherever it happens."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(FileError, match=f"f: {os.strerror(number).lower()}"):
            write_output(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_folders_is_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fails: bool,
) -> None:
    """EINVAL from a folder's fsync is no error; any other is."""
    fsync = os.fsync

    def folders_refused(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)
    said = ""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", folders_refused)
        try:
            write_output(tmp_path / "f", b"x")
        except FileError as error:
            said = str(error)
    assert bool(said) == fails and (tmp_path / "f").read_bytes() == b"x"
