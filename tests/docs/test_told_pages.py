"""The Chinese pages, and the page about exit statuses, run as they stand."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("page", "commands"), [
    ("zh/index.md", 5), ("zh/lost-node.md", 7), ("exit-status.md", 5)])
def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]],
                                    page: str, commands: int) -> None:
    """Each command succeeds and prints what the page says."""
    _, steps = run_page(DOCS / page)
    assert len(steps) == commands
    for step in steps:
        assert (step.printed, step.status) == (step.promised, 0), step.command
