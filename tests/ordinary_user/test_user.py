"""The user of this folder's tests has no power over others' files, and runs this checkout's
kpki."""
from __future__ import annotations

from pathlib import Path

from tests.ordinary_user.user import IS_ROOT, NOBODY, TOP, UID, OrdinaryUser


def test_the_user_is_no_root(ordinary_user: OrdinaryUser) -> None:
    """Started by root, the tests' ordinary user is nobody, in no group of root's; else it is who
    runs the tests."""
    said = ordinary_user.program("sh", "-c", "id -u; id -G")
    assert said.status == 0 and said.out.split()[0] == str(UID) != "0"
    assert not IS_ROOT or said.out.split() == [str(NOBODY), str(NOBODY)]


def test_the_user_cannot_read_what_is_closed(ordinary_user: OrdinaryUser) -> None:
    """A file without permission is refused to the user, and an open one beside it is not."""
    for name, mode in (("open", 0o444), ("closed", 0o000)):
        Path(ordinary_user.home, name).write_text("x")
        Path(ordinary_user.home, name).chmod(mode)
    assert [ordinary_user.program("cat", name).status for name in ("open", "closed")] == [0, 1]
    assert "closed: permission denied" in ordinary_user.run("show", "closed").err


def test_the_copy_is_what_runs(ordinary_user: OrdinaryUser) -> None:
    """The user runs the copy of kpki, and the copy is this checkout's."""
    said = ordinary_user.program(ordinary_user.python, "-c",
                                 "import kpki.cli.main as one; print(one.__file__)")
    copy = Path(said.out.strip())
    assert copy.is_relative_to(ordinary_user.packages)
    assert copy.read_bytes() == (TOP / "kpki/cli/main.py").read_bytes()
