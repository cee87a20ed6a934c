"""What -out does, made safe."""
from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kpki.errors import AccessError, FileError, RefusedError
from kpki.files import write_output
from tests.conftest import NOBODY
from tests.support.disk import CHANGING, AtCall


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize(("private", "expected"), [(False, 0o644), (True, 0o600)])
def test_a_new_file_has_the_mode_of_its_secrecy(tmp_path: Path, private: bool,
                                                expected: int) -> None:
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
    (False, 0o640, 0o640), (False, 0o600, 0o600), (False, 0o666, 0o666), (True, 0o644, 0o600),
    (True, 0o640, 0o600),
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


def refuse_with(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))
    return refuse


@pytest.mark.parametrize(("call", "number"), [
    ("fchown", errno.EPERM), ("fchown", errno.EINVAL), ("rename", errno.EPERM),
    ("rename", errno.EBUSY),
])
@pytest.mark.parametrize("data", [b"new", b"something longer than before"])
def test_a_file_that_cannot_be_replaced_is_written_as_openssl_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, data: bytes,
) -> None:
    """A file is written in place if its owner or group could not be kept, or a sticky folder or a
    mount holds it: the same inode, whole, with the same mode."""
    path = tmp_path / "f"
    path.write_bytes(b"old content")
    path.chmod(0o664)
    ours = path.stat()
    theirs = os.stat_result([*ours[:4], ours.st_uid, ours.st_gid + 1, *ours[6:10]])
    fstat = os.fstat
    with monkeypatch.context() as patch:
        if call == "fchown":    # the new file would have another group
            patch.setattr(os, "fstat", lambda descriptor: theirs if fstat(descriptor).st_size
                          else fstat(descriptor))
        patch.setattr(os, call, refuse_with(number))
        write_output(path, data)
    assert path.read_bytes() == data and os.listdir(tmp_path) == ["f"]
    assert path.stat().st_ino == ours.st_ino and mode(path) == 0o664


def test_a_file_that_has_no_room_in_its_place_is_as_before(tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is asked for room before the first byte of the old content goes."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse_with(errno.EPERM))
        patch.setattr(os, "posix_fallocate", refuse_with(errno.ENOSPC))
        with pytest.raises(FileError, match="f: no space left on device"):
            write_output(path, b"something longer")
        patch.setattr(os, "posix_fallocate", refuse_with(errno.EOPNOTSUPP))
        assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]
        write_output(path, b"something longer")
    assert path.read_bytes() == b"something longer"


def test_a_file_written_in_its_place_that_may_not_last_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is written is written: a warning, and no error."""
    (tmp_path / "f").write_bytes(b"old")
    warnings, fsync, left = list[str](), os.fsync, [None]

    def refuse(descriptor: int) -> None:
        if not left:    # the staged file was made durable, the old one is not
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        left.pop()
        fsync(descriptor)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse_with(errno.EPERM))
        patch.setattr(os, "fsync", refuse)
        write_output(tmp_path / "f", b"new", warnings=warnings)
    assert (tmp_path / "f").read_bytes() == b"new"
    assert warnings == [f"{tmp_path}/f: the change is done, but could not be made durable: "
                        "input/output error; a loss of power may undo the change"]


def test_a_private_file_written_in_its_place_loses_its_readers_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mode is 0600 before the first byte of the key."""
    path, modes, write = tmp_path / "f", list[int](), os.write
    path.write_bytes(b"old")

    def watched(descriptor: int, data: bytes) -> int:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, data)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", watched)
        patch.setattr(os, "rename", refuse_with(errno.EPERM))
        write_output(path, b"key", private=True)
    assert modes == [0o600, 0o600] and path.read_bytes() == b"key"


@pytest.mark.parametrize("way", ["f", "link"])
@pytest.mark.parametrize("is_fifo", [False, True], ids=["file", "fifo"])
def test_a_private_key_never_goes_into_another_user_s_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, is_fifo: bool,
) -> None:
    """The file and its owner are named, the old content stays; what is no secret goes in."""
    import pwd
    path, reader = tmp_path / "f", -1
    (tmp_path / "link").symlink_to("f")
    if is_fifo:
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    else:
        path.write_bytes(b"old")
        path.chmod(0o666)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(RefusedError) as caught:
            write_output(tmp_path / way, b"key", private=True)
        owner = pwd.getpwuid(os.getuid()).pw_name
        assert (caught.value.message
                == f"{path}: the file belongs to the user {owner}, who could read the private key")
        assert caught.value.hint == "name another file, or remove this one first"
        assert is_fifo or path.read_bytes() == b"old"
        patch.setattr(pwd, "getpwuid", {}.__getitem__)
        with pytest.raises(RefusedError, match=f"the user {os.getuid()}, who"):
            write_output(tmp_path / way, b"key", private=True)
        write_output(tmp_path / way, b"certificate")
        write_output("/dev/null", b"key", private=True)
    if is_fifo:
        assert os.read(reader, 99) == b"certificate"
        os.close(reader)
    else:
        assert path.read_bytes() == b"certificate" and mode(path) == 0o666
    assert sorted(os.listdir(tmp_path)) == ["f", "link"]


# How a file or link of another user lies: folder's mode, what is at `out` in it, mode of the file,
# in whose group
PLACES = {
    "sticky, another's file": (0o1777, "file", 0o666, False),
    "sticky, another's link": (0o1777, "link", 0o666, False),
    "sticky, another's dangling link": (0o1777, "dangling", 0o666, False),
    "sticky, another's FIFO": (0o1777, "fifo", 0o666, False),
    "sticky of a group": (0o1775, "file", 0o664, True),
    "setgid, a colleague's file": (0o2775, "file", 0o664, True),
    "setgid, a colleague's file for reading": (0o2775, "file", 0o644, True),
    "closed, an open file": (0o755, "file", 0o666, False),
    "open, a file for reading": (0o777, "file", 0o644, False),
    "open, another's link": (0o777, "link", 0o666, False),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_shared_folder_s_files_are_written_or_refused_as_by_openssl(
    shared_path: Path, as_nobody: Callable[[], AbstractContextManager[None]], place: str,
) -> None:
    """kpki writes or refuses a file in a shared folder as openssl does, under the kernel's present
    fs.protected_… settings, and leaves the same file."""
    folder_mode, what, file_mode, in_group = PLACES[place]
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", shared_path / "key"],
                   check=True)
    (shared_path / "key").chmod(0o644)
    told = []
    for folder in (shared_path / "openssl", shared_path / "kpki"):
        folder.mkdir()
        end, out = folder / ("end" if "link" in place else "out"), folder / "out"
        if what in ("file", "link"):
            end.write_bytes(b"old")
            end.chmod(file_mode)
        if "link" in place:
            out.symlink_to("end")
        readers = []
        if what == "fifo":
            os.mkfifo(out)
            out.chmod(file_mode)
            readers = [os.open(out, os.O_RDONLY | os.O_NONBLOCK)]
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, 12345, NOBODY if in_group else 12345, follow_symlinks=False)
        folder.chmod(folder_mode)
        before = end.stat().st_ino if end.exists() else None
        try:
            if folder.name == "kpki":
                public = (shared_path / "openssl/end" if "link" in place
                          else shared_path / "openssl/out")
                data = b"data" if what == "fifo" or not public.exists() else public.read_bytes()
                with as_nobody():
                    write_output(out, data)
            else:
                nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
                user: dict[str, Any] = nobody if os.geteuid() == 0 else {}
                subprocess.run(["openssl", "pkey", "-in", shared_path / "key", "-pubout", "-out",
                                out], check=True, stderr=subprocess.DEVNULL, **user)
            done = True
        except (FileError, subprocess.CalledProcessError):
            done = False
        found = end.stat() if end.exists() else None
        told.append((done, found and (found.st_uid, found.st_gid, found.st_mode, found.st_size),
                     sorted(os.listdir(folder)), out.is_symlink(),
                     before is None or before == end.stat().st_ino))
        for reader in readers:
            os.close(reader)
    assert told[0][:4] == told[1][:4]
    assert told[1][4] or os.geteuid() != 0


@pytest.mark.parametrize("what", ["file", "link", "dangling"])
def test_the_kernel_s_refusal_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     what: str) -> None:
    """A kernel with fs.protected_regular or …_symlinks says no to open(2) with O_CREAT: nothing is
    changed."""
    path = tmp_path / "out"
    if what != "dangling":
        (tmp_path / "end").write_bytes(b"old")
    if what != "file":
        path.symlink_to("end")
    else:
        (tmp_path / "end").rename(path)
    before, opened = sorted(os.listdir(tmp_path)), os.open

    def protected(name: str, flags: int, *rest: int, **more: int) -> int:
        if flags & os.O_CREAT and not flags & os.O_EXCL:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(name, flags, *rest, **more)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", protected)
        with pytest.raises(AccessError, match="out: permission denied"):
            write_output(path, b"new")
    assert sorted(os.listdir(tmp_path)) == before
    assert what == "dangling" or path.read_bytes() == b"old"


def test_a_link_to_standard_output_is_the_kernel_s_to_follow(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that another user may have put into a sticky folder leads nowhere if the kernel has it
    so."""
    (tmp_path / "out").symlink_to("/dev/stdout")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse_with(errno.EACCES))
        with pytest.raises(AccessError, match="out: permission denied"):
            write_output(tmp_path / "out", b"new")


def test_a_file_without_a_name_is_written_by_its_descriptor(tmp_path: Path) -> None:
    """/proc/PID/fd/N of a removed file leads to no name: what the kernel opens is written."""
    with open(tmp_path / "f", "w+b") as file:
        file.write(b"old content")
        file.flush()
        (tmp_path / "f").unlink()
        write_output(f"/proc/{os.getpid()}/fd/{file.fileno()}", b"new")
        assert os.pread(file.fileno(), 99, 0) == b"new" and os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_listed_is_written_to(
    shared_path: Path, as_nobody: Callable[[], AbstractContextManager[None]],
) -> None:
    """The new file is there; that its name may not outlive a loss of power is a warning."""
    folder, warnings = shared_path / "d", list[str]()
    folder.mkdir()
    folder.chmod(0o777)
    with as_nobody():
        write_output(folder / "f", b"old", private=True)
        folder.chmod(0o333) if os.geteuid() == folder.stat().st_uid else None
    folder.chmod(0o333)
    with as_nobody():
        write_output(folder / "f", b"new", private=True, warnings=warnings)
    folder.chmod(0o755)
    assert (folder / "f").read_bytes() == b"new" and os.listdir(folder) == ["f"]
    assert warnings == [f"{folder}/f: the change is done, but could not be made durable: "
                        "permission denied; a loss of power may undo the change"]


def test_a_private_file_is_never_wider_than_at_its_end(tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert ((tmp_path / "d/f").read_bytes() == b"new"
            and (tmp_path / "d/made").read_bytes() == b"made")
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
    with pytest.raises(FileError, match="'': no such file or directory"):
        write_output("", b"x")


def test_a_device_is_written_straight_and_stays() -> None:
    """/dev/null takes all and stays a device; /dev/full is full."""
    write_output("/dev/null", b"x", private=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(FileError, match="/dev/full: no space left on device") as caught:
        write_output("/dev/full", b"x")
    assert caught.value.hint == "free some space, then run the command again"


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


def plant(folder: Path, what: str) -> Path:
    """A place to write to, in a folder of its own."""
    folder.mkdir()
    if what in ("old", "link"):
        (folder / "f").write_bytes(b"old content")
        (folder / "f").chmod(0o600)
    if what in ("link", "dangling"):
        (folder / "l").symlink_to("f")
    return folder / ("l" if what in ("link", "dangling") else "f")


WHATS = ["new", "old", "link", "dangling"]
OLD = {"new": None, "old": b"old content", "link": b"old content", "dangling": None}


def left(folder: Path, what: str) -> tuple[bytes | None, list[str]]:
    """What the file holds, and what else is in the folder."""
    file = folder / "f"
    return (file.read_bytes() if file.exists() else None,
            sorted(set(os.listdir(folder)) - {"f",
                                              *(["l"] if what in ("link", "dangling") else [])}))


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("number",
                         [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_an_error_at_any_call_leaves_the_old_file_or_is_none(
    tmp_path: Path, at_call: AtCall, what: str, number: int,
) -> None:
    """No space, read-only, no permission: a no leaves the old file, a yes the new one; nothing else
    lies about.

    A folder that cannot be made durable once the new file is there is a warning.
    """
    outcomes = set()
    for nth in count(1):
        path, warnings, failed = plant(tmp_path / str(nth), what), list[str](), False

        def refuse(name: str, real: partial[object]) -> object:
            raise OSError(number, os.strerror(number))
        with at_call(nth, refuse, (*CHANGING, "lstat", "stat")) as calls:
            try:
                write_output(path, b"new", private=True, warnings=warnings)
            except FileError as error:
                failed = True
                assert os.strerror(number).lower() in str(error) and str(path.parent) in str(error)
        if len(calls) < nth:
            break
        outcomes.add(failed)
        assert left(path.parent, what) == (OLD[what] if failed else b"new", []), calls
        late = calls[nth - 1] in ("open", "fsync") and "rename" in calls[:nth - 1]
        assert failed or bool(warnings) == late
        # is it a link?
        assert failed or late or number in (errno.EROFS, errno.EACCES) or calls[nth - 1] == "lstat"
    assert nth > 6 and outcomes == {True, False}


@pytest.mark.parametrize("what", WHATS)
def test_a_disk_that_fails_from_some_call_on_leaves_a_whole_file(tmp_path: Path, at_call: AtCall,
                                                                 what: str) -> None:
    """Where the staged copy cannot be removed either, a warning names it: it may hold the key."""
    told = []
    for nth in count(1):
        path, warnings = plant(tmp_path / str(nth), what), list[str]()

        def refuse(name: str, real: partial[object]) -> object:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        with at_call(nth, refuse, on=True) as calls, suppress(FileError):
            write_output(path, b"new", private=True, warnings=warnings)
        if len(calls) < nth:
            break
        content, beside = left(path.parent, what)
        assert content in (OLD[what], b"new", *([b""] if what == "dangling" else []))
        leftovers = [warning for warning in warnings if "could not be removed" in warning]
        assert leftovers == [f"{path.parent}/{name}: this copy could not be removed: input/output "
                             "error; remove the copy by hand, because it may hold a private key"
                             for name in beside]
        told += leftovers
    assert told


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_an_interrupt_at_any_call_leaves_a_whole_file(tmp_path: Path, at_call: AtCall, what: str,
                                                      done: bool) -> None:
    """Control-C: old or new, and nothing beside it."""
    for nth in count(1):
        path = plant(tmp_path / str(nth), what)

        def interrupt(name: str, real: partial[object]) -> object:
            if done:
                opened = real()
                if name == "open" and isinstance(opened, int):
                    os.close(opened)
            raise KeyboardInterrupt
        with at_call(nth, interrupt) as calls, suppress(KeyboardInterrupt):
            write_output(path, b"new", private=True)
        if len(calls) < nth:
            break
        content, beside = left(path.parent, what)
        # the kernel made it, and Python did not learn of it
        made = [b""] if what == "dangling" and done else []
        staged = [name for name in beside if ".kpki-" in name]
        assert content in (OLD[what], b"new", *made) and len(beside) == len(staged)
        assert not beside or (done and calls[nth - 1] == "open")
    assert nth > 5


@pytest.mark.parametrize("what", WHATS)
def test_a_kill_at_any_call_leaves_a_whole_file(
    tmp_path: Path, killed_at: Callable[[int, Callable[[], object]], bool], what: str,
) -> None:
    """SIGKILL before each call, and in the middle of a write: old or new. At a dangling link's end
    it may be empty."""
    for nth in count(1):
        path = plant(tmp_path / str(nth), what)
        if not killed_at(nth, lambda: write_output(path, b"new", private=True)):
            break
        content, beside = left(path.parent, what)
        assert content in (OLD[what], b"new", *([b""] if what == "dangling" else []))
        assert all(name.startswith(".f.kpki-") and mode(path.parent / name) == 0o600
                   for name in beside)
    assert nth > 5


def test_a_name_given_to_another_file_meanwhile_keeps_that(tmp_path: Path, at_call: AtCall) -> None:
    """Whoever owns the folder swaps a link into it at any call: only what the kernel opened by the
    name is written."""
    for nth in count(1):
        top = tmp_path / str(nth)
        path = plant(top, "old")
        (top / "secret").write_bytes(b"secret")
        (top / "secret").chmod(0o600)

        def swap(name: str, real: partial[object]) -> object:
            (top / "link").symlink_to("secret")
            (top / "link").rename(path)
            return real()
        with at_call(nth, swap, ("open", "lstat", "rename", "fsync")) as calls:
            write_output(path, b"new")
        if len(calls) < nth:
            break
        written = {(top / "secret").read_bytes(), path.read_bytes()}
        assert written in ({b"secret", b"new"}, {b"new"}, {b"secret"}), (nth, calls)
        assert not [name for name in os.listdir(top) if ".kpki-" in name]
    assert nth > 4


@pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_folders_is_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: bool,
) -> None:
    """EINVAL from a folder's fsync is nothing; any other error is a warning, for the file is
    there."""
    fsync, warnings = os.fsync, list[str]()

    def folders_refused(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", folders_refused)
        write_output(tmp_path / "f", b"x", warnings=warnings)
    assert ["input/output error; a loss of power may undo the change" in warning
            for warning in warnings] == [True] * told
    assert (tmp_path / "f").read_bytes() == b"x"
