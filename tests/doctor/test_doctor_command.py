"""`kpki doctor`: its page, its text, its document and its statuses."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import kpki
from kpki.cli.doctor import _explained
from kpki.cli.main import main
from tests.doctor.one_host import SERVERS, OneHost
from tests.doctor.proc import Runs, write_proc

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
    assert {"kubelet", "files", "api-server", "server", "clock", "restart", "log"} <= asked
    assert [check["name"] for check in document["checks"]] == ["files"]


def test_explain_shows_each_answer_by_hand(one_host: OneHost, tmp_path: Path,
                                           kpki_environment: dict[str, str]) -> None:
    """A shell runs the commands as printed. Servers present the files' certificates, files are
    right or newer than a process, and the log tells of a fault."""
    began = datetime.now(UTC) - timedelta(hours=2)
    unit = one_host.tree / "etc/systemd/system/kubelet.service"
    words = ["kubelet", *re.findall(r"--\S+", unit.read_text())]
    proc = write_proc(tmp_path / "proc", Runs(words, began))
    log = one_host.tree / "var/log/kubelet.log"
    log.parent.mkdir(parents=True)
    log.write_text("E1 x509: certificate signed by unknown authority\n")
    with ExitStack() as servers:
        for name in SERVERS:
            servers.enter_context(one_host.serve(name))
        report = kpki.examine_host(one_host.tree, node="cp", proc=str(proc))
        told = [*_explained(report, str(one_host.tree), "cp")]
        lines = [line.strip() for line in told if line.startswith("  ")]
        shown = {line: subprocess.run(["sh", "-c", line], capture_output=True, text=True,
                                      timeout=60, check=False, env=kpki_environment)
                 for line in lines}
    names = [check.name for check in report.checks]
    assert {"kubelet", "files", "server", "restart", "log"} <= {*names}
    assert len(lines) >= len({*names})
    served = [done.stdout for line, done in shown.items() if line.startswith("openssl s_client")]
    in_files = [done.stdout for line, done in shown.items() if line.startswith("openssl x509")]
    assert len(served) >= 2 and {*in_files} <= {*served} and "serial=" in in_files[0]
    for line, done in shown.items():
        # ps lists the processes of this machine, which may run a kubelet
        no = "diagnose" in line or (line.startswith("ps ") and not done.stdout)
        assert done.returncode == int(no), (line, done)
    restarts = [line for line in lines if line.startswith("stat ")]
    assert restarts and all(shown[line].stdout for line in restarts)
    assert "unknown-authority" in "".join(done.stdout for done in shown.values())
    assert any("nothing wrong" in done.stderr for done in shown.values())


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
