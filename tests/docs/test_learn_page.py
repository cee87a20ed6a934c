"""docs/learn.md, run as it stands."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent.parent / "docs" / "learn.md"


def test_the_page_prints_what_the_command_prints(run_page: Callable[[Path], Any]) -> None:
    """The consoles of the page, run as they stand, print what the page promises."""
    _, steps = run_page(PAGE)
    assert steps and [(step.command, step.printed) for step in steps] == [
        (step.command, step.promised) for step in steps]
