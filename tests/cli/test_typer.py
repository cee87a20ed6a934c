"""The application as typer's users meet it: typer's own runner, and an application that mounts
it."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from kpki.cli.app import app

Run = Callable[..., Any]
ROWS: list[tuple[str, int, str]] = [
    ("--version", 0, ""), ("-h", 0, ""), ("node issue -h", 0, ""), ("genrsa -h", 0, ""),
    ("check broken.pem", 1, ""), ("show broken.pem", 1, ""),
    ("plan", 2, "kpki: cluster.yaml: there is no such file"),
    ("check nowhere", 2, "kpki: nowhere: "), ("show nowhere", 2, "kpki: nowhere: no such file"),
    ("check --at never .", 2, "kpki: --at: 'never' is no time"),
    ("check --bogus", 2, "No such option: --bogus"),
    ("node sign x.csr", 2, "Missing option '--node'"), ("bogus", 2, "No such command 'bogus'"),
    ("genrsa 5 5", 1, "kpki: genrsa: extra arguments given: 5"),
    ("x509 -in nowhere", 1, "kpki: nowhere: "), ("verify broken.pem", 2, "broken.pem"),
    ("genpkey -algorithm ED25519 -out key.pem", 0, ""),
]


@pytest.fixture(params=["itself", "mounted"])
def invoke(request: pytest.FixtureRequest, tmp_path: Path,
           monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Run a line by typer's runner, of kpki's application or of one that has it under the name
    `pki`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.pem").write_text("x\n")
    if request.param == "itself":
        return lambda line: CliRunner().invoke(app, line.split())
    outer = typer.Typer()
    outer.add_typer(app, name="pki")
    return lambda line: CliRunner().invoke(outer, ["pki", *line.split()])


@pytest.mark.parametrize(("line", "status", "words"), ROWS, ids=[line for line, _, _ in ROWS])
def test_typer_hears_the_status(invoke: Callable[[str], Any], line: str, status: int,
                                words: str) -> None:
    """The status is the command's own; a refusal is a message on stderr, and never an exception."""
    result = invoke(line)
    assert (result.exit_code, type(result.exception) in (type(None), SystemExit)) == (status, True)
    assert words in result.stderr and "Traceback" not in result.output


@pytest.mark.parametrize(("line", "status"), [(line, status) for line, status, _ in ROWS])
def test_the_command_has_the_same_status(kpki: Run, tmp_path: Path, line: str, status: int) -> None:
    """`kpki` ends as the application does."""
    (tmp_path / "broken.pem").write_text("x\n")
    kpki(*line.split(), status=status)


def test_a_refusal_is_1_in_both(invoke: Callable[[str], Any], kpki: Run, tmp_path: Path) -> None:
    """What is refused as an answer, not as a line, is 1."""
    made = invoke("node issue worker-1 --example")
    assert made.exit_code == 0, made.output
    other = tmp_path / "other"
    other.mkdir()
    install = f"node install example/nodes/worker-1 --node worker-2 --root {other}"
    assert invoke(install).exit_code == 1
    assert kpki(*install.split(), status=1).out == ""
