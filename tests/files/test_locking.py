"""One run at a time, and the second knows whom it waits for."""
from __future__ import annotations

import fcntl
import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from kpki.errors import FileError
from kpki.files import lock

NOW = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 100.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += seconds


def test_the_holder_is_written_and_the_file_stays(tmp_path: Path) -> None:
    """`pid N since T` in UTC, mode 0600, the missing folders made; shorter after a longer text."""
    path = tmp_path / "var/lib/kpki/lock"
    with lock(tmp_path, "var/lib/kpki/lock", now=NOW, folder_mode=0o755):
        assert path.read_text() == f"pid {os.getpid()} since 2026-01-02T03:04:05Z\n"
    assert (stat.S_IMODE(path.stat().st_mode) == 0o600
            and stat.S_IMODE(path.parent.stat().st_mode) == 0o755)
    path.write_text("pid 4194304 since 2026-01-02T03:04:05Z\n")
    inode = path.stat().st_ino
    with lock(tmp_path, "var/lib/kpki/lock", now=NOW):
        assert path.read_text() == f"pid {os.getpid()} since 2026-01-02T03:04:05Z\n"
    assert path.stat().st_ino == inode


def test_the_second_waits_and_then_says_who_holds_it(tmp_path: Path) -> None:
    """30 seconds in all, then the holder's own words."""
    clock = Clock()
    with lock(tmp_path, "l", now=NOW):
        with pytest.raises(FileError) as caught:
            with lock(tmp_path, "l", now=NOW, sleep=clock.sleep, clock=clock):
                raise AssertionError
    assert (caught.value.message
            == f"{tmp_path}/l: locked by pid {os.getpid()} since 2026-01-02T03:04:05Z")
    assert clock.time == pytest.approx(130.0) and max(clock.naps) <= 0.1


def test_a_holder_that_has_not_signed_yet_is_another_run(tmp_path: Path) -> None:
    """No time to wait is one attempt, no sleep; an empty lock file names nobody."""
    clock = Clock()
    with lock(tmp_path, "l", now=NOW):
        (tmp_path / "l").write_text("")
        with pytest.raises(FileError, match="l: locked by another run"):
            with lock(tmp_path, "l", now=NOW, wait=0, sleep=clock.sleep, clock=clock):
                raise AssertionError
    assert clock.naps == []


def test_the_second_goes_on_when_the_first_ends(tmp_path: Path) -> None:
    """In the middle of its waiting."""
    clock = Clock()
    first = lock(tmp_path, "l", now=NOW)
    first.__enter__()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.naps) == 3:
            first.__exit__(None, None, None)
    with lock(tmp_path, "l", now=NOW, sleep=sleep, clock=clock):
        assert len(clock.naps) == 3


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """The kernel lets go; what the file says is only words."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with lock(tmp_path, "l", now=NOW):
                os.write(tell, b"x")
                os.kill(os.getpid(), 9)
        finally:
            os._exit(1)
    os.read(ready, 1)
    os.waitpid(child, 0)
    os.close(ready)
    os.close(tell)
    assert (tmp_path / "l").read_text().startswith(f"pid {child} since")
    with lock(tmp_path, "l", now=NOW, wait=0):
        pass


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A worker that is still there when the holder is done holds up nobody."""
    wait, tell = os.pipe()
    with lock(tmp_path, "l", now=NOW):
        child = os.fork()
        if child == 0:
            os.close(tell)
            os.read(wait, 1)
            os._exit(0)
    try:
        with lock(tmp_path, "l", now=NOW, wait=0):
            pass
    finally:
        os.close(wait)
        os.close(tell)
        os.waitpid(child, 0)


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    """The block's own exception passes, the lock does not stay, no descriptor either."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ZeroDivisionError):
        with lock(tmp_path, "l", now=NOW):
            raise ZeroDivisionError
    with lock(tmp_path, "l", now=NOW, wait=0):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_lock_that_cannot_be_made_is_a_no(tmp_path: Path) -> None:
    """A link or a folder in its place, a file in a folder's place."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")
    for path, fact in (("link", "too many levels"), (".", "is a directory"),
                       ("file/l", "regular file, not a folder")):
        with pytest.raises(FileError, match=fact):
            with lock(tmp_path, path, now=NOW):
                raise AssertionError
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("text", ["precious\n", "pid = 3\n", "pid 7 since 2026-01-02T03:04:05Z\n"
                                  "and notes\n", "\n\n", "x" * 500])
def test_a_file_that_is_no_lock_keeps_its_content(tmp_path: Path, text: str) -> None:
    """The run is refused, and says what to do; another that holds such a file is not quoted."""
    (tmp_path / "l").write_text(text)
    with pytest.raises(FileError) as caught:
        with lock(tmp_path, "l", now=NOW):
            raise AssertionError
    assert (caught.value.message
            == f"{tmp_path}/l: not a lock file of kpki: the file holds other text")
    assert caught.value.hint == "move the file to another place, or remove it"
    assert (tmp_path / "l").read_text() == text
    with open(tmp_path / "l") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FileError, match="l: locked by another run"):
            with lock(tmp_path, "l", now=NOW, wait=0):
                raise AssertionError


@pytest.mark.parametrize("text", [
    "", "\n", "pid 7 since 2026-01-02T03:04:05Z\n", "pid 4194304 since 2026-01-02T03:04:05Z"])
def test_a_lock_of_kpki_s_is_taken(tmp_path: Path, text: str) -> None:
    """Whatever a holder wrote, also if the holder was cut off."""
    (tmp_path / "l").write_text(text)
    with lock(tmp_path, "l", now=NOW):
        assert (tmp_path / "l").read_text() == f"pid {os.getpid()} since 2026-01-02T03:04:05Z\n"


def test_a_fifo_is_no_lock(tmp_path: Path) -> None:
    """It is named, and never waited for."""
    os.mkfifo(tmp_path / "l")
    with pytest.raises(FileError, match="l: a FIFO, not a lock file of kpki"):
        with lock(tmp_path, "l", now=NOW):
            raise AssertionError
