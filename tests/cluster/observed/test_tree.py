"""A host's tree: each file is found where the host finds the file, whatever the caller may list."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kpki import files
from kpki.cluster.observed.tree import Tree
from kpki.errors import AccessError
from tests.cluster.observed.trees import plant

FILES = {"etc/a/there": "text", "etc/link -> a/there": "", "etc/folder -> /etc/a": "",
         "etc/nowhere -> /no": "", "etc/out -> ../..": ""}
# path → kind, whether the file is missing, whether a link leads there
WANTED = {
    "etc/a/there": ("file", False, False), "etc/a/absent": ("missing", True, False),
    "etc/a/absent/deep": ("missing", True, False), "etc/a/there/deep": ("missing", True, False),
    "absent": ("missing", True, False), "etc/link": ("link", False, True),
    "etc/folder/there": ("file", False, True), "etc/folder/absent": ("missing", True, True),
    "etc/nowhere/file": ("missing", True, True), "etc/out/file": ("other", True, True)}


def refuse(place: str) -> list[str]:
    raise AccessError(f"{place}: permission denied", path=place)


@pytest.mark.parametrize("list_names", [files.list_names, refuse], ids=["listed", "searched"])
def test_each_file_is_found_once_and_right(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        list_names: Callable[[str], list[str]]) -> None:
    """A folder that may be searched, but not listed, gives the same answers."""
    monkeypatch.setattr(files, "list_names", list_names)
    plant(tmp_path, FILES)
    for turn in (0, 1):     # the kind first, then the file first
        tree, found = Tree(str(tmp_path)), {}
        for path in WANTED:
            kind = "" if turn else tree.kind(path)
            file = tree.file(path, "")
            found[path] = (kind or tree.kind(path), file.missing, file.link)
        assert found == WANTED


def test_a_path_may_be_deeper_than_pythons_stack(tmp_path: Path) -> None:
    """A setting may name any path, also one that no file can have."""
    tree, path = Tree(str(tmp_path)), "a/" * 5000 + "b"
    assert tree.file(path, "").missing and tree.kind(path) == "missing"
