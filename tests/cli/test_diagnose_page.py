"""The page about `kpki diagnose`, run as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kpki as library

PAGE = Path(__file__).parents[2] / "docs" / "diagnose.md"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_the_page_says_what_happens(
    run_page: Callable[[Path], tuple[Path, list[Any]]], kpki: Callable[..., Any]
) -> None:
    """Each command prints what the page says, but for the moment of the end; the JSON's keys are
    the page's."""
    folder, steps = run_page(PAGE)
    assert len(steps) == 5
    for step in steps:
        assert (_TIME.sub("T", step.printed), step.status) == (_TIME.sub("T", step.promised), 0), (
            step.command
        )
    told = json.loads(
        kpki(
            "diagnose",
            folder / "refused.log",
            "--json",
            "--root",
            folder / "example/nodes/worker-1",
            "--at",
            "2030-01-01",
            status=1,
        ).out
    )
    (diagnosis,) = told["diagnoses"]
    assert {*told, *diagnosis, *diagnosis["roots"][0]} == {
        *re.findall(r"`(\w+)`", PAGE.read_text().partition("## JSON")[2].partition("##")[0])
    }


def test_the_program_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library's two examples run, on a log."""
    monkeypatch.chdir(tmp_path)
    Path("kubelet.log").write_text("x509: negative serial number\ncertificate of etcd is too old\n")
    first, second = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(first, {})
    assert capsys.readouterr().out == "1 malformed-x509 {}\n"
    names: dict[str, Any] = {"kpki": library, "log": Path("kubelet.log").read_text().splitlines()}
    exec(second.replace("kpki.diagnose", "found = kpki.diagnose"), names)
    assert [found.cause for found in names["found"]] == ["malformed-x509", "expired-server-cert"]
