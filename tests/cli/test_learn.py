"""`kpki learn`: the list, the text, the run, and a lesson at a terminal."""
from __future__ import annotations

import os
import pty
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
SECONDS = 60


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the lessons, below a home folder of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C")
    return tmp_path / "data/kpki/learn"


def test_the_list_says_how_long_and_what_is_done(kpki: Run, home: Path) -> None:
    """Number, name, minutes, title and state; the locale's language, unless --lang says another."""
    (home / "certificate").mkdir(parents=True)
    (home / "certificate/.progress").write_text("3\n")
    first = kpki("learn").out.splitlines()[0].split("  ")
    assert [cell.strip() for cell in first if cell] == [
        "1", "certificate", "8 min", "A key, a request, a certificate", "step 4 of 9"]
    (home / "certificate/.progress").write_text("9\n")
    told = kpki("learn")
    assert told.out.splitlines()[0].endswith(" done")
    assert told.err == "Begin, or go on, with: kpki learn authority\n"
    assert "已完成" in kpki("learn", "--lang", "zh").out


@pytest.mark.parametrize(("locale", "title"), [
    ("zh_CN.UTF-8", "私钥、请求、证书"), ("de_DE.UTF-8", "A key, a request, a certificate")])
def test_the_locale_chooses_the_language(kpki: Run, monkeypatch: pytest.MonkeyPatch, locale: str,
                                         title: str) -> None:
    """Chinese for a Chinese locale, English for all others."""
    monkeypatch.setenv("LC_ALL", locale)
    assert title in kpki("learn").out


def test_in_a_pipe_the_text_is_printed(kpki: Run, home: Path) -> None:
    """Plain text of the lesson, for the tool that is asked for; nothing runs, no folder is made."""
    for tool in ("openssl", "kpki"):
        out = kpki("learn", "1", "--tool", tool).out
        assert f"  $ {tool} genpkey -algorithm EC" in out and "  600 worker-1.key\n" in out
        assert "\x1b" not in out
        assert max(map(len, out.splitlines())) <= 80
    assert not home.exists()


@pytest.mark.parametrize(("words", "message"), [
    (("certficate",), "no lesson 'certficate'"), (("0",), "no lesson '0'"),
    (("certificate", "--tool", "cfssl"), "--tool: 'cfssl' is none of openssl, kpki"),
    (("--lang", "de"), "--lang: 'de' is none of en, zh")])
def test_an_unknown_word_is_named(kpki: Run, words: tuple[str, ...], message: str) -> None:
    """Status 2, and the nearest lesson as a hint."""
    assert kpki("learn", *words, status=2).refusal() == message


def test_a_lesson_at_a_terminal(home: Path) -> None:
    """In colour: Enter runs the step with the real kpki, an own command runs, quit leaves."""
    child, terminal = pty.fork()
    if child == 0:
        try:
            words = [sys.executable, "-m", "kpki", "learn", "certificate", "--tool", "kpki"]
            os.execvpe(sys.executable, words, os.environ | {
                "TERM": "xterm", "NO_COLOR": "", "PYTHONPATH": str(Path(__file__).parents[2])})
        finally:
            os._exit(127)
    shown = ""

    def read(mark: str) -> None:
        nonlocal shown
        end = time.monotonic() + SECONDS
        while mark not in shown and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 65536).decode(errors="replace")
        assert mark in shown
    try:
        read("[1/9] > ")
        os.write(terminal, b"\n")
        read("[2/9] > ")
        os.write(terminal, b"echo $((6*7)) > answer\n")
        os.write(terminal, b"quit\n")
        read("kpki learn certificate\r\n")
        status = os.waitpid(child, 0)[1]    # its last words fit the terminal's buffer
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "\x1b[36m  $ kpki genpkey" in shown and "600 worker-1.key" in shown
    assert (home / "certificate/answer").read_text() == "42\n"
    assert (home / "certificate/.progress").read_text() == "1\n"
