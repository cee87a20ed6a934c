"""The page about a CA key in an HSM, run as it stands."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "hsm.md"


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """Each command succeeds and prints what the page says; the key is in the token alone."""
    folder, steps = run_page(PAGE)
    assert len(steps) == 6
    for step in steps:
        assert (step.printed, step.status) == (step.promised, 0), step.command
    assert not (folder / "ca.key").exists()
