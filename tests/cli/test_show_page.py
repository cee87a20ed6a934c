"""The page about `kpki show`, run as it stands."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "show.md"
Story = tuple[Path, list[Any]]
# What no two runs have in common: keys, serial numbers, and times to the second.
_OWN = re.compile(r"sha256:[0-9a-f]{64}|\b[0-9A-F]{38,40}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SERIAL = re.compile(r"(serial +)\S+")


@pytest.fixture(scope="module")
def story(run_page: Callable[[Path], Story]) -> Story:
    """The folder in which the page was run, and its steps."""
    return run_page(PAGE)


def common(text: str) -> str:
    return _OWN.sub("X", _SERIAL.sub(r"\1X", text))


def test_the_page_says_what_happens(story: Story) -> None:
    """Each command succeeds and prints what the page says, but for keys, serial numbers and
    times."""
    _, steps = story
    assert len(steps) > 8
    for step in steps:
        assert common(step.printed) == common(step.promised), step.command
        assert step.status == 0, step.command


def test_the_comparison_can_say_no() -> None:
    """What is left out of the comparison is no more than that."""
    assert common("  serial      0A\n") == common("  serial      1B2C\n") != common("  serial no\n")
    assert common("you are a") != common("you are b")


def test_every_key_of_the_document_is_on_the_page(story: Story, kpki: Callable[..., Any]) -> None:
    """The JSON's names and the page's are the same."""
    folder, _ = story
    text = PAGE.read_text().partition("## JSON")[2]
    for name in ("example/pki/ca.crt",
                 "example/nodes/worker-1/etc/kubernetes/worker-kubeconfig.yaml"):
        told = json.loads(kpki("show", folder / name, "--json").out)
        named = {*told, *(key for context in told["contexts"] for key in context)}
        assert named <= {*re.findall(r"`(\w+)`", text)}
