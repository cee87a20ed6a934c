"""`kpki doctor`: its page, its text, its document and its statuses."""
from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.doctor import _BY_HAND
from kpki.cli.main import main
from tests.doctor.one_host import OneHost

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """Each command prints, to the letter, what the page says."""
    _, steps = run_page(PAGE)
    assert len(steps) == 4
    for step in steps:
        assert (step.printed, step.status) == (step.promised, 0), step.command


def test_the_page_has_every_question_and_field(one_host: OneHost,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    """The table of questions and the JSON's names are the program's."""
    capsys.readouterr()
    assert main(["doctor", "--root", str(one_host.tree), "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    page = PAGE.read_text()
    assert {*document} <= {*re.findall(r"`(\w+)`", page.partition("## JSON")[2])}
    asked = {*re.findall(r"`([\w-]+)`", "".join(re.findall(
        r"^\| (`.*?) \|", page.partition("## What is asked")[2].partition("## ")[0],
        re.MULTILINE)))}
    assert {*_BY_HAND} <= asked
    assert [check["name"] for check in document["checks"]] == ["files"]


def test_explain_says_how_to_see_each_line(one_host: OneHost, capsys: pytest.CaptureFixture[str],
                                           ) -> None:
    """Each line of the report has a command of other programs."""
    capsys.readouterr()
    assert main(["doctor", "--root", str(one_host.tree), "--explain"]) == 0
    assert "  files: kpki check /" in capsys.readouterr().err


def test_a_terminal_without_ticks_gets_words(one_host: OneHost, monkeypatch: pytest.MonkeyPatch,
                                             tmp_path: Path) -> None:
    """ASCII has no tick: `ok` and `no` stand for them."""
    with (tmp_path / "out").open("w", encoding="ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["doctor", "--root", str(one_host.tree), "--quiet"]) == 0
    assert "  ok the files are right" in (tmp_path / "out").read_text()


def test_an_ordinary_user_is_told_what_was_not_read(
        one_host: OneHost, capsys: pytest.CaptureFixture[str], shared_path: Path,
        as_nobody: Callable[[], AbstractContextManager[None]]) -> None:
    """Status 2, a line for each file, and no traceback."""
    one_host.tree.rename(shared_path / "cp").chmod(0o755)
    with as_nobody():
        status = main(["doctor", "--root", str(shared_path / "cp"), "--node", "cp"])
    told = capsys.readouterr()
    assert status == 2 and "etc/kubernetes/ssl/worker-key.pem: permission denied" in told.err
    assert "run kpki doctor as root" in told.err


def test_nothing_is_written(one_host: OneHost) -> None:
    """The tree is as it was, times included."""
    def seen() -> list[tuple[str, float]]:
        return [(str(path), os.lstat(path).st_mtime) for path in sorted(one_host.tree.rglob("*"))]
    before = seen()
    assert main(["doctor", "--root", str(one_host.tree), "--quiet"]) == 0
    assert seen() == before
