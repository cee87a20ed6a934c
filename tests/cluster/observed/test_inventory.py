"""What is on disk: files by their places, links as on the host itself, and whose tree it is."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.cluster.observed.hosts import inspect
from kpki.cluster.observed.inventory import inspect_layout, named_path, observe_file
from kpki.cluster.observed.whose import owner_of
from kpki.errors import FileError, InputError

CERTIFICATE = "etc/kubernetes/ssl/worker.pem"


def test_files_are_found_with_mode_and_data(tree: Any) -> None:
    """Every file of the layout is in the inventory, there or not; certificates are counted."""
    tree.path(CERTIFICATE).chmod(0o640)
    found = inspect(str(tree.root)).found
    assert (found[CERTIFICATE].mode == 0o640
            and found[CERTIFICATE].data == tree.path(CERTIFICATE).read_bytes())
    assert inspect(str(tree.root)).certificates() == 2
    tree.path(CERTIFICATE).unlink()
    assert inspect(str(tree.root)).found[CERTIFICATE].missing


def test_links_stay_in_the_tree(tree: Any, tmp_path: Path) -> None:
    """An absolute link starts at the tree's root, and no link leads out of the root."""
    (tree.root / "target").write_bytes(b"in the tree")
    (tmp_path / "target").write_bytes(b"outside")
    for target in ("/target", "../../../target", "../../../../../../target"):
        tree.path(CERTIFICATE).unlink()
        tree.path(CERTIFICATE).symlink_to(target)
        assert observe_file(str(tree.root), CERTIFICATE).data == b"in the tree"


@pytest.mark.parametrize(("make", "words"), [
    (os.mkdir, "a folder"), (os.mkfifo, "a FIFO, a socket or a device"),
    (lambda path: os.symlink(os.path.basename(path), path), "too many levels of symbolic links")
], ids=["folder", "fifo", "loop"])
def test_what_is_no_file_is_a_problem(tree: Any, make: Callable[[str], None], words: str) -> None:
    """A folder, a FIFO or a loop of links is listed as such, and the program does not wait for
    it."""
    make(str(tree.root / "x"))
    assert observe_file(str(tree.root), "x").problem.endswith(words)


def test_paths_of_a_kubeconfig_are_read_as_client_go_does() -> None:
    """Absolute from the root, relative from the kubeconfig's folder."""
    assert named_path("etc/kubernetes/x.yaml", "/etc/a.pem") == "etc/a.pem"
    assert named_path("etc/kubernetes/x.yaml", "ssl/a.pem") == "etc/kubernetes/ssl/a.pem"
    assert named_path("etc/kubernetes/x.yaml", "../../../../a.pem") == "a.pem"


@pytest.mark.parametrize("keep", ["etc/kubernetes/ssl", "etc/kubernetes/worker-kubeconfig.yaml"])
def test_the_layout_is_the_one_that_is_there(tmp_path: Path, keep: str) -> None:
    """One of a layout's folders or files is enough to know it; with none of them somebody must
    say."""
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    with pytest.raises(InputError, match="none of kpki's layouts is there"):
        inspect_layout(str(tmp_path))
    assert inspect_layout(str(tmp_path), "ssl").layout.name == "ssl"
    (tmp_path / keep).mkdir()
    assert inspect_layout(str(tmp_path)).layout.name == inspect(str(tmp_path)).layout.name == "ssl"


def test_a_root_that_is_none_is_the_disks_to_name(tmp_path: Path) -> None:
    """A path that is not there, or a file, is a FileError."""
    (tmp_path / "file").write_bytes(b"")
    for name in ("nothing", "file"):
        with pytest.raises(FileError, match=name):
            inspect(str(tmp_path / name))


def test_whose_tree_it_is() -> None:
    """/ is this host's, in lower case; below nodes/ the folder's name tells; nothing else does."""
    assert owner_of("/", host_name="Worker-1") == "worker-1"
    assert owner_of("x/nodes/worker-2/", host_name="h") == "worker-2"
    for root in ("/worker-2", "x/worker-2", "nodes"):
        with pytest.raises(InputError, match="whose tree is this"):
            owner_of(root, host_name="h")
