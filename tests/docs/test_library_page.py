"""docs/library.md: its Python runs, and prints what the page says."""
from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
BLOCKS = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_blocks_run_one_after_the_other_and_print_what_stands_below() -> None:
    """Each block of Python runs as it stands; what it prints is the text after it, and nothing where there is none."""
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
    assert len(found) == 8


def test_a_cluster_takes_ten_lines() -> None:
    """The first block makes a whole cluster in ten lines, and touches no disk."""
    code = BLOCKS[0][1]
    assert len(code.splitlines()) == 10
    assert not re.search(r"open\(|pathlib|import os|files\.(read|write)", code)
