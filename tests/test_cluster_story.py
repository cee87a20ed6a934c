"""The page about a whole cluster, run as it stands."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "cluster.md"


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """Each command of the page succeeds and prints, to the letter, what the page says."""
    _, steps = run_page(PAGE)
    assert len(steps) > 20
    for step in steps:
        assert step.printed == step.promised, step.command
        assert step.status == 0, step.command
