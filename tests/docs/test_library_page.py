"""docs/library.md: its Python runs, and prints what the page says."""
from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
BLOCKS = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_blocks_run_one_after_the_other_and_print_what_stands_below() -> None:
    """Each block of Python runs as it stands; what it prints is the text after it, and nothing
    where there is none."""
    names: dict[str, object] = {}
    found, wanted = [], []
    for (kind, code), (following, text) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "docs/library.md", "exec"), names)
            found.append(printed.getvalue())
            wanted.append(text if following == "text" else "")
    assert found == wanted
    assert len(found) == 11


def test_the_page_begins_with_a_ca_and_a_node() -> None:
    """The first block makes a CA and issues a certificate, in three lines, without PEM and without
    a time."""
    assert len([line for line in BLOCKS[0][1].splitlines() if line and "print" not in line]) == 3
    assert not re.search("dump|load|now", BLOCKS[0][1])


def test_a_cluster_takes_ten_lines() -> None:
    """A block makes a whole cluster in ten lines, and touches no disk."""
    code = next(code for _, code in BLOCKS if "load_cluster" in code)
    assert len(code.splitlines()) == 10
    assert not re.search(r"open\(|pathlib|import os|files\.(read|write)", code)
