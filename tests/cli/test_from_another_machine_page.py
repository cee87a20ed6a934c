"""The page about a node on which no kpki can run, run as it stands."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "from-another-machine.md"


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """Each command succeeds and prints what the page says, and the node is mended."""
    folder, steps = run_page(PAGE)
    assert len(steps) == 13
    for step in steps:
        assert (step.printed, step.status) == (step.promised, 0), step.command
    assert (folder / "node/etc/kubernetes/ssl/worker-key.pem").stat().st_mode & 0o777 == 0o600
