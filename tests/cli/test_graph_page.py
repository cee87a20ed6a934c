"""The page about `kpki graph`, run as it stands, and its picture."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
_TIME = re.compile(r"(ends|ended) \d{4}-\d\d-\d\d \(-?\d+ days?\)")


def plain(text: str) -> str:
    """Text without dates."""
    return _TIME.sub("END", text)


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]],
                                    capsys: Any, monkeypatch: Any) -> None:
    """Each command succeeds and prints what the page says; its picture is what the command draws;
    its Python runs."""
    folder, steps = run_page(DOCS / "graph.md")
    assert len(steps) == 6
    for step in steps:
        assert (plain(step.printed), step.status) == (plain(step.promised), 0), step.command
    drawn = (folder / "cluster.svg").read_text()
    assert (plain((DOCS / "pictures/cluster.svg").read_text())
            == plain(drawn)), f"copy {folder}/cluster.svg there"
    monkeypatch.chdir(folder)
    exec(re.findall(r"```python\n(.*?)```", (DOCS / "graph.md").read_text(), re.DOTALL)[0], {})
    assert "kubelet calls kube-apiserver\n" in capsys.readouterr().out
