"""sweep: what interrupted runs left beside files that need no change."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpki.errors import FileError, RefusedError
from kpki.files import sweep

LEFT = ".f.kpki-0123456789abcdef"


def test_what_is_left_beside_a_file_goes(tmp_path: Path) -> None:
    """The staging files of the named paths go, whichever folder has one; all else stays."""
    kept = ["a/f", "a/g", "a/.g.kpki-0123456789abcdef", "a/.f.kpki-xyz", "c/" + LEFT]
    for path in [*kept, "a/" + LEFT, "b/" + LEFT]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    sweep(tmp_path, ["a/f", "b/f", "missing/f"])
    found = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(found) == sorted(kept)


def test_a_link_is_followed_inside_the_tree(tmp_path: Path) -> None:
    """A link to another folder of the tree leads there; a link out of the tree is refused."""
    tree = tmp_path / "tree"
    (tree / "real").mkdir(parents=True)
    (tree / "real" / LEFT).touch()
    (tree / "link").symlink_to("/real")
    (tree / "out").symlink_to("../../other")
    sweep(tree, ["link/f"])
    assert not (tree / "real" / LEFT).exists()
    with pytest.raises(RefusedError, match="leads out"):
        sweep(tree, ["out/f"])


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be listed may have a staging file: it is opened, and tells why not."""
    (tmp_path / "a").touch()
    with pytest.raises(FileError, match="/a: not a directory"):
        sweep(tmp_path, ["a/f"])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / LEFT).touch()

    def fails(_folder: str) -> list[str]:
        raise PermissionError
    monkeypatch.setattr(os, "listdir", fails)
    sweep(tmp_path, ["b/f"])
    assert [*os.scandir(tmp_path / "b")] == []
