"""One tar, and only what was expected of it."""
from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from kpki.errors import InputError
from kpki.files import LIMIT, File, pack, unpack

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = [File("etc/kubernetes/kubelet.conf", b"conf", 0o600),
         File("etc/kubernetes/pki/ca.crt", b"c" * 1000, 0o644),
         File("var/" + "long/" * 50 + "empty", b"", 0o600)]
PATHS = [file.path for file in FILES]


def tar(*members: tarfile.TarInfo, data: bytes = b"") -> bytes:
    """An archive as another program makes it; every regular member has *data*."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("prefix", ["worker-1", "", "n" * 200])
def test_what_is_packed_is_unpacked(prefix: str) -> None:
    """Path, data and mode, with a leading folder and without; the same files give the same
    bytes."""
    data = pack(FILES, now=NOW, prefix=prefix)
    assert unpack(data, expected=PATHS) == FILES
    assert data == pack(FILES, now=NOW, prefix=prefix)


def test_tar_reads_what_is_packed(tmp_path: Path) -> None:
    """The peer lists root:root, modes, folders 0755, one time; and extracts the same bytes."""
    (tmp_path / "a.tar").write_bytes(pack(FILES[:2], now=NOW, prefix="worker-1"))
    listed = subprocess.run(["tar", "--utc", "-tvf", "a.tar"], cwd=tmp_path, capture_output=True,
                            text=True, check=True)
    assert listed.stderr == "" and [line.split() for line in listed.stdout.splitlines()] == [
        [mode, "root/root", size, "2026-01-02", "03:04", name] for mode, size, name in [
            ("drwxr-xr-x", "0", "worker-1/"), ("drwxr-xr-x", "0", "worker-1/etc/"),
            ("drwxr-xr-x", "0", "worker-1/etc/kubernetes/"),
            ("-rw-------", "4", "worker-1/etc/kubernetes/kubelet.conf"),
            ("drwxr-xr-x", "0", "worker-1/etc/kubernetes/pki/"),
            ("-rw-r--r--", "1000", "worker-1/etc/kubernetes/pki/ca.crt")]]
    subprocess.run(["tar", "-xf", "a.tar"], cwd=tmp_path, check=True)
    assert (tmp_path / "worker-1/etc/kubernetes/pki/ca.crt").read_bytes() == b"c" * 1000


@pytest.mark.parametrize("arguments",
                         [["etc", "var"], ["."], ["--format=ustar", "."], ["--format=v7", "etc"]])
def test_what_tar_packs_is_unpacked(tmp_path: Path, arguments: list[str]) -> None:
    """By GNU tar in its plain formats, with `./` before the names and without."""
    for file in FILES:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_bytes(file.data)
        (tmp_path / file.path).chmod(file.mode)
    if "--format=ustar" in arguments:
        (tmp_path / FILES[2].path).unlink()
    data = subprocess.run(["tar", "-c", *arguments], cwd=tmp_path, capture_output=True,
                          check=True).stdout
    got = unpack(data, expected=PATHS)
    assert got and all(file in FILES for file in got)


@pytest.mark.parametrize(("members", "fact"), [
    ([member("a", tarfile.SYMTYPE, "/etc/shadow")], "a: a symbolic link"),
    ([member("a", tarfile.LNKTYPE, "b")], "a: a hard link"),
    ([member("a", tarfile.CHRTYPE)], "a: a character device"),
    ([member("a", tarfile.BLKTYPE)], "a: a block device"),
    ([member("a", tarfile.FIFOTYPE)], "a: a FIFO"),
    ([member("a", tarfile.GNUTYPE_SPARSE)], "a: a sparse file"),
    ([member("a", tarfile.XHDTYPE)], "a: a pax header"),
    ([member("a", b"Z")], "a: a member of unknown kind|damaged"),
    ([member("/a")], "'/a': not a plain relative path"),
    ([member("../a")], "'../a': not a plain"),
    ([member("p/../a")], "'p/../a': not a plain"),
    ([member("../x", tarfile.DIRTYPE)], "'../x': not a plain"),
    ([member("a"), member("./a")], "a: twice"),
    ([member("a"), member("c")], "c: not expected"),
    ([member("p/a"), member("q/b")], "q/b: not expected"),
    ([member("a"), member("p/b")], "p/b: not expected"),
    ([member("p/q/a")], "p/q/a: not expected"),
    ([member("p/a"), member("p/evil")], "p/evil: not expected"),
])
def test_what_does_not_belong_is_named(members: list[tarfile.TarInfo], fact: str) -> None:
    """Links, devices, ways out, doubles and strangers."""
    with pytest.raises(InputError, match=fact):
        unpack(tar(*members), expected=["a", "b"])


def test_folders_are_passed_over_and_one_prefix_is_taken() -> None:
    """The neighbours of the refusals: what does belong."""
    data = tar(member("./", tarfile.DIRTYPE), member("p", tarfile.DIRTYPE),
               member("p/other", tarfile.DIRTYPE), member("p/b"), member("p/a"))
    assert [file.path for file in unpack(data, expected=["a", "b"])] == ["b", "a"]


def test_a_path_that_is_expected_as_it_is_keeps_its_first_folder() -> None:
    """No folder is taken off where nothing needs it."""
    assert [file.path for file in unpack(tar(member("p/a")), expected=["a", "p/a"])] == ["p/a"]


def test_a_member_over_the_limit_is_a_no() -> None:
    """16 MiB is let in, a byte more is not."""
    assert len(unpack(tar(member("a"), data=bytes(LIMIT)), expected=["a"])[0].data) == LIMIT
    with pytest.raises(InputError, match="a: over 16 MiB"):
        unpack(tar(member("a"), data=bytes(LIMIT + 1)), expected=["a"])


def test_a_compressed_archive_is_a_no_that_says_what_to_do() -> None:
    """Nothing is decompressed, so nothing can blow up."""
    with pytest.raises(InputError, match="not a plain tar archive") as caught:
        unpack(gzip.compress(pack(FILES, now=NOW, prefix="")), expected=PATHS)
    assert caught.value.hint == "decompress a compressed archive first"


def test_an_archive_cut_off_anywhere_is_a_no() -> None:
    """At every length up to its end marker."""
    data = pack(FILES[:2], now=NOW, prefix="w")
    for length in range(0, len(data) - 1024, 128):
        with pytest.raises(InputError):
            unpack(data[:length], expected=PATHS)


def test_an_archive_damaged_in_a_later_header_is_a_no() -> None:
    """A broken header is not taken for the end, nor is anything after the end let pass."""
    data = bytearray(pack(FILES[:2], now=NOW, prefix=""))
    data[data.index(b"etc/kubernetes/pki/ca.crt")] ^= 1
    with pytest.raises(InputError, match="tar archive damaged at byte 2560"):
        unpack(bytes(data), expected=PATHS)
    with pytest.raises(InputError, match="damaged"):
        unpack(pack(FILES[:2], now=NOW, prefix="") + b"more", expected=PATHS)


def test_a_negative_size_is_a_no_and_ends() -> None:
    """What made tarfile go round in circles (CVE-2025-8194)."""
    info = member("a")
    info.size = -512
    with pytest.raises(InputError, match="a: cut off"):
        unpack(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024), expected=["a"])


def test_a_long_name_that_nothing_follows_is_a_no() -> None:
    """A name without its file."""
    info = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    with pytest.raises(InputError, match="damaged"):
        unpack(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024), expected=["a"])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_raise_anything_else(data: st.DataObject) -> None:
    """Random bytes, and good archives with bytes exchanged: files that were expected, or an
    InputError."""
    good = bytearray(pack(FILES[:2], now=NOW, prefix="w"))
    for _ in range(data.draw(st.integers(0, 4))):
        good[data.draw(st.integers(0, 1600))] = data.draw(st.integers(0, 255))
    for given_bytes in (bytes(good), data.draw(st.binary(max_size=600))):
        try:
            files = unpack(given_bytes, expected=PATHS)
        except InputError:
            continue
        assert {file.path for file in files} <= set(PATHS)


def test_pack_refuses_doubles_and_a_prefix_that_is_no_name() -> None:
    """What unpack would not take back."""
    with pytest.raises(InputError, match="a/b: a symbolic link, and an archive holds files alone"):
        pack([File("a/b", b"c", 0o777, link=True)], now=NOW, prefix="")
    with pytest.raises(InputError, match="given twice"):
        pack([FILES[0], FILES[0]], now=NOW, prefix="w")
    for prefix in ("..", "/w", "a/b"):
        with pytest.raises(InputError):
            pack(FILES, now=NOW, prefix=prefix)
