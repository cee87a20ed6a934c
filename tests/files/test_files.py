"""The front of the room: every name is there, and costs nothing before it is used."""
from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kpki.files
from kpki import errors

TOP = Path(kpki.files.__file__).parent.parent.parent


def test_every_name_is_there() -> None:
    """Each name of the front is loaded on use, and listed before."""
    assert set(kpki.files.__all__) <= set(dir(kpki.files))
    assert all(getattr(kpki.files, name) is not None for name in kpki.files.__all__)


def test_the_names_for_the_type_checker_are_the_same() -> None:
    """What mypy sees is what runs."""
    tree = ast.parse(Path(kpki.files.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: (node.module or "").rpartition(".")[2]
            for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == kpki.files._ROOMS and set(seen) == set(kpki.files.__all__)


def test_another_name_is_not() -> None:
    """A name that the room does not have is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="no attribute 'shred'"):
        getattr(kpki.files, "shred")  # noqa: B009


def test_reading_and_writing_one_file_load_nothing_costly() -> None:
    """The verbs, which read and write single files, pay for no dataclass, no tar and no path
    object."""
    costly = {"pathlib", "tempfile", "shutil", "tarfile", "ctypes", "dataclasses", "inspect",
              "typing", "datetime"}
    code = (f"import sys; sys.path.insert(0, {str(TOP)!r}); before = set(sys.modules)\n"
            "from kpki.files.reading import read\nfrom kpki.files.output import write_output\n"
            "print(*set(sys.modules) - before)")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True,
                          check=True)
    assert "kpki.files.output" in done.stdout.split()
    assert not costly & set(done.stdout.split())


def test_every_error_is_of_the_tree() -> None:
    """A FileError is a KpkiError and no OSError."""
    with pytest.raises(errors.KpkiError) as caught:
        kpki.files.read("/nowhere/at/all")
    assert not isinstance(caught.value, OSError)
