"""The page about `kpki renew`, run as it stands."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "renew.md"


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]],
                                    kpki: Callable[..., Any]) -> None:
    """Each command succeeds and prints, to the letter, what the page says; the JSON's keys are the
    page's."""
    folder, steps = run_page(PAGE)
    assert len(steps) == 4
    for step in steps:
        assert (step.printed, step.status) == (step.promised, 0), step.command
    told = json.loads(kpki("renew", "admin", "--workspace", folder, "--json").out)
    named = {*re.findall(r"`(\w+)`", PAGE.read_text().partition("## JSON")[2])}
    assert {*told, *told["written"][0], "needs"} == named - {"json"}
