"""One whole file, or a reason."""
from __future__ import annotations

import os
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from kpki.errors import FileError
from kpki.files import LIMIT, read, read_if_file


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(200_000)], ids=["empty", "one", "many"])
def test_a_regular_file_is_read_whole(tmp_path: Path, data: bytes) -> None:
    """Every byte, by a str or by a path object."""
    (tmp_path / "f").write_bytes(data)
    assert read(tmp_path / "f") == read(str(tmp_path / "f")) == data


def test_a_file_of_unknown_size_is_read() -> None:
    """A file whose size the system does not tell is read to its end."""
    assert b"MemTotal" in read("/proc/meminfo")


def test_the_limit_itself_is_let_in_and_one_more_is_not(tmp_path: Path) -> None:
    """*limit* bytes are read, one more is refused."""
    (tmp_path / "f").write_bytes(b"12345678")
    assert read(tmp_path / "f", limit=8) == b"12345678"
    with pytest.raises(FileError, match="f: over 7 bytes"):
        read(tmp_path / "f", limit=7)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """Over 16 MiB is no certificate."""
    with open(tmp_path / "f", "wb") as file:
        file.truncate(LIMIT + 1)
    with pytest.raises(FileError, match="f: over 16 MiB"):
        read(tmp_path / "f")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """The path and the fact, in lower case."""
    with pytest.raises(FileError) as caught:
        read(tmp_path / "gone.pem")
    assert str(caught.value) == f"{tmp_path}/gone.pem: no such file or directory"


@pytest.mark.parametrize("pipes", [False, True])
def test_a_folder_and_a_socket_are_refused_by_name(tmp_path: Path, pipes: bool) -> None:
    """Neither is ever a stream."""
    with pytest.raises(FileError, match="a folder, not a regular file"):
        read(tmp_path, pipes=pipes)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(FileError, match="s: a socket, not a regular file"):
            read(tmp_path / "s", pipes=pipes)


def test_a_fifo_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    """A FIFO that nobody writes to does not hold up a check."""
    os.mkfifo(tmp_path / "p")
    with pytest.raises(FileError, match="p: a FIFO, not a regular file"):
        read(tmp_path / "p")
    with pytest.raises(FileError, match="/dev/zero: a character device"):
        read("/dev/zero")


def test_a_file_that_turns_into_a_fifo_is_refused(tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """An opened file is examined again: another file may have taken its name before the opening."""
    (tmp_path / "f").write_bytes(b"x")
    os.mkfifo(tmp_path / "p")
    regular = os.stat(tmp_path / "f")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path: regular)
        with pytest.raises(FileError, match="a FIFO"):
            read(tmp_path / "p")


def test_a_fifo_is_read_as_a_stream_when_asked(tmp_path: Path) -> None:
    """With pipes=True the writer is waited for and read to its end."""
    os.mkfifo(tmp_path / "p")
    writer = threading.Thread(target=lambda: (tmp_path / "p").write_bytes(b"y" * 300_000))
    writer.start()
    assert read(tmp_path / "p", pipes=True) == b"y" * 300_000
    writer.join()


def test_a_process_substitution_is_read_when_asked() -> None:
    """/dev/fd/N of a pipe, as a shell's <(command) is."""
    reading, writing = os.pipe()
    os.write(writing, b"key")
    os.close(writing)
    try:
        assert read(f"/dev/fd/{reading}", pipes=True) == b"key"
        with pytest.raises(FileError, match="a FIFO"):
            read(f"/dev/fd/{reading}")
    finally:
        os.close(reading)


def test_a_device_is_read_as_openssl_reads_it_up_to_the_limit() -> None:
    """/dev/null is empty, /dev/zero is too much."""
    assert read("/dev/null", pipes=True) == b""
    with pytest.raises(FileError, match="/dev/zero: over 100 bytes"):
        read("/dev/zero", pipes=True, limit=100)


def test_openssl_and_kpki_read_the_same_stream(tmp_path: Path) -> None:
    """The peer takes /dev/stdin for -in as well."""
    key = subprocess.run(["openssl", "genpkey", "-algorithm",
                          "ED25519"], capture_output=True, check=True).stdout
    again = subprocess.run(["openssl", "pkey", "-in", "/dev/stdin"], input=key, capture_output=True,
                           check=True).stdout
    (tmp_path / "key").write_bytes(key)
    assert again == key == read(tmp_path / "key")


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_cannot_be_a_name_is_said_so(path: str) -> None:
    """A null character or a lone surrogate is no ValueError of Python's."""
    with pytest.raises(FileError, match="not a possible file name"):
        read(path)


def test_an_error_while_reading_names_the_file(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError has no path once the file is open: it is added, and the next step with it."""
    (tmp_path / "f").write_bytes(b"x")

    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", refuse)
        with pytest.raises(FileError, match="f: permission denied") as caught:
            read(tmp_path / "f")
    assert caught.value.hint is not None and "owner" in caught.value.hint


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    """After a yes and after a no."""
    (tmp_path / "f").write_bytes(b"x" * 10)
    before = sorted(os.listdir("/proc/self/fd"))
    read(tmp_path / "f")
    with pytest.raises(FileError):
        read(tmp_path / "f", limit=1)
    assert (len(os.listdir("/proc/self/fd")) == len(before)
            and stat.S_ISREG(os.stat(tmp_path / "f").st_mode))


def test_what_lies_there_is_seen_and_a_regular_file_read(tmp_path: Path) -> None:
    """Nothing of a link, a folder or a FIFO is read, none is waited for, and nothing is there is no
    error."""
    place = tmp_path / "file"
    place.write_bytes(b"data")
    place.chmod(0o640)
    (tmp_path / "link").symlink_to(place)
    os.mkfifo(tmp_path / "fifo")
    found, data = read_if_file(str(place))
    assert found is not None and stat.S_IMODE(found.st_mode) == 0o640 and data == b"data"
    for name, is_kind in (("link", stat.S_ISLNK), ("fifo", stat.S_ISFIFO), (".", stat.S_ISDIR)):
        found, data = read_if_file(f"{tmp_path}/{name}")
        assert found is not None and is_kind(found.st_mode) and data is None
    assert read_if_file(f"{tmp_path}/none") == read_if_file(f"{place}/below") == (None, None)
    with pytest.raises(FileError, match="not a possible file name"):
        read_if_file("a\0b")
