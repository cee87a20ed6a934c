"""What `-out` does in the folders and over the files of others: openssl, run by the same user, is
the judge."""
from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ordinary_user.user import GID, IS_ROOT, OrdinaryUser

Plant = Callable[[Path, OrdinaryUser], None]
OTHER = 1234    # a user and group that are neither root's nor the ordinary user's


def file(path: Path, mode: int, *, of: tuple[int, int] | None = None) -> Path:
    """A file that is root's (of an ordinary user's run: their own), or of a user and group, as far
    as root makes it."""
    path.write_text("old\n")
    if of and IS_ROOT:
        os.chown(path, *of)
    path.chmod(mode)
    return path


def own_folder(folder: Path, user: OrdinaryUser) -> None:
    user.give(folder)


def own_file(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o644)
    user.give(folder)


def own_closed_file(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o444)
    user.give(folder)


def others_folder(folder: Path, user: OrdinaryUser) -> None:
    folder.chmod(0o555)


def others_file(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o444)
    folder.chmod(0o555)


def open_folder(folder: Path, user: OrdinaryUser) -> None:
    folder.chmod(0o777)


def others_file_in_open_folder(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o444)
    folder.chmod(0o777)


def sticky_folder(folder: Path, user: OrdinaryUser) -> None:
    folder.chmod(0o1777)


def others_file_in_sticky_folder(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o444, of=(OTHER, OTHER))
    folder.chmod(0o1777)


def folder_in_the_way(folder: Path, user: OrdinaryUser) -> None:
    (folder / "x").mkdir()
    user.give(folder)


def closed_folder(folder: Path, user: OrdinaryUser) -> None:
    user.give(folder)
    folder.chmod(0o000)


def link_to_own_file(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "y", 0o644)
    (folder / "x").symlink_to("y")
    user.give(folder)


def dangling_link(folder: Path, user: OrdinaryUser) -> None:
    (folder / "x").symlink_to("y")
    user.give(folder)


def link_into_others_folder(folder: Path, user: OrdinaryUser) -> None:
    (folder / "theirs").mkdir()
    (folder / "x").symlink_to("theirs/y")
    user.give(folder)
    if IS_ROOT:
        os.chown(folder / "theirs", 0, 0)
    (folder / "theirs").chmod(0o555)


def link_to_others_file(folder: Path, user: OrdinaryUser) -> None:
    (folder / "x").symlink_to("y")
    user.give(folder)
    file(folder / "y", 0o444)


def others_writable_file(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o666, of=(OTHER, OTHER))
    folder.chmod(0o555)


def others_writable_file_in_open_folder(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o666, of=(OTHER, OTHER))
    folder.chmod(0o777)


def others_writable_file_in_sticky_folder(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o666, of=(OTHER, OTHER))
    folder.chmod(0o1777)


def colleagues_file(folder: Path, user: OrdinaryUser) -> None:
    file(folder / "x", 0o664, of=(OTHER, GID))
    if IS_ROOT:
        os.chown(folder, OTHER, GID)
    folder.chmod(0o2775)


def others_link_in_sticky_folder(folder: Path, user: OrdinaryUser) -> None:
    user.give(file(folder / "y", 0o644))
    (folder / "x").symlink_to("y")
    if IS_ROOT:
        os.chown(folder / "x", OTHER, OTHER, follow_symlinks=False)
    folder.chmod(0o1777)


PLACES: list[Plant] = [
    own_folder, own_file, own_closed_file, others_folder, others_file, open_folder,
    others_file_in_open_folder, sticky_folder, others_file_in_sticky_folder, folder_in_the_way,
    closed_folder, link_to_own_file, dangling_link, link_into_others_folder, link_to_others_file,
    others_writable_file, others_writable_file_in_open_folder,
    others_writable_file_in_sticky_folder, colleagues_file, others_link_in_sticky_folder]


@pytest.fixture(scope="module")
def material() -> Iterator[Path]:
    """A certificate and a key that everybody may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        subprocess.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc "
                       "-keyout k.pem -subj /CN=x -out c.pem".split(), cwd=folder, check=True,
                       capture_output=True, timeout=60)
        (folder / "k.pem").chmod(0o644)
        yield folder


def seen(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything in a folder: kind and mode, owner, group, content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        content = (path.read_bytes() if stat.S_ISREG(status.st_mode) else os.readlink(path)
                   if path.is_symlink() else "")
        found[str(path.relative_to(folder))] = (oct(status.st_mode), status.st_uid, status.st_gid,
                                                content)
    return found


@pytest.mark.parametrize("words", ["x509 -in {}/c.pem -out {}", "req -new -x509 -key {}/k.pem "
                                   "-subj /CN=x -out {}"], ids=lambda text: text.split()[0])
@pytest.mark.parametrize("plant", PLACES, ids=lambda plant: plant.__name__)
def test_a_certificate_goes_where_openssl_lets_it_go(ordinary_user: OrdinaryUser, material: Path,
                                                     plant: Plant, words: str) -> None:
    """kpki writes, replaces and refuses as openssl does: the same status, files, owners, groups and
    modes."""
    outcomes = {}
    for program in ("openssl", "kpki"):
        folder = ordinary_user.home.parent / program
        folder.mkdir()
        plant(folder, ordinary_user)
        line = words.format(material, folder / "x").split()
        told = (ordinary_user.run(*line) if program == "kpki"
                else ordinary_user.program("openssl", *line))
        folder.chmod(folder.stat().st_mode | 0o700)     # whoever runs the tests is to see it
        found = seen(folder)
        outcomes[program] = told.status, {path: item if words.startswith("x509") else item[:3]
                                          for path, item in found.items()}
        assert program == "openssl" or ((told.status == 0) == (told.err == "")
                                        and "Traceback" not in told.err), told
    assert outcomes["kpki"] == outcomes["openssl"]
