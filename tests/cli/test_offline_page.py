"""The page about a CA that is elsewhere, run as it stands."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_DIGEST = re.compile("[0-9a-f]{64}")
PAGE = Path(__file__).parents[2] / "docs" / "offline.md"


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """Each command succeeds and prints what the page says, but for the digest; the fields of the
    list are the page's."""
    folder, steps = run_page(PAGE)
    assert len(steps) == 9
    for step in steps:
        told, promised = (_DIGEST.sub("D", text) for text in (step.printed, step.promised))
        assert (told, step.status) == (promised, 0), step.command
    kept = next((folder / "backup").rglob("requests.json"))
    fields = json.loads(kept.read_text())["requests"][0]
    assert {*fields} - {"file"} <= {*re.findall(r"`(\w+)`", PAGE.read_text())}
