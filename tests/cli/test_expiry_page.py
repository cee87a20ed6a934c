"""The page about `kpki expiry`, run as it stands."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).parents[2] / "docs" / "expiry.md"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]],
                                    kpki: Callable[..., Any]) -> None:
    """Each command succeeds and prints what the page says, but for times; the JSON's keys are the
    page's."""
    folder, steps = run_page(PAGE)
    assert len(steps) == 5
    for step in steps:
        assert (_TIME.sub("T", step.printed),
                step.status) == (_TIME.sub("T", step.promised), 0), step.command
    told = json.loads(kpki("expiry", folder / "example/nodes/worker-1", "--json", status=1).out)
    named = {*re.findall(r"`(\w+)`", PAGE.read_text().partition("## JSON")[2])}
    assert {*told, *told["certificates"][0]} <= named
    labels = {*re.findall(r"(\w+)=", (folder / "kpki.prom").read_text())}
    listed = {*re.findall(r"`(\w+)`",
                          PAGE.read_text().partition("| label |")[2].partition("\n\n")[0])}
    assert {label for label in labels
            if not re.fullmatch("(subject|issuer)_(C|L|O|OU|ST)", label)} <= listed | {"issuer_CN"}


def test_the_alerts_are_yaml() -> None:
    """The rules of the page can be read, and name metrics of the page."""
    rules = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[0])
    assert [rule["alert"] for rule in rules["groups"][0]["rules"]] == ["CertificateEndsSoon",
                                                                       "CertificateListIsOld"]
