"""The page about `kpki probe`, run as it stands."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "probe.md"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_the_page_says_what_happens(
        run_page: Callable[[Path], tuple[Path, list[Any]]], capsys: pytest.CaptureFixture[str],
) -> None:
    """Each command prints what the page says, but for times; the JSON's keys are the page's."""
    _, steps = run_page(PAGE)
    assert len(steps) == 6
    for step in steps:
        assert (_TIME.sub("T", step.printed), step.status) == (_TIME.sub("T", step.promised), 0), \
            step.command
    assert main(["probe", "127.77.0.1:1", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert {*told} <= {*re.findall(r"`(\w+)`", PAGE.read_text().partition("## JSON")[2])}
