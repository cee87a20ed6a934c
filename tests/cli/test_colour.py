"""Colour: errors, warnings and commands have one on a terminal, and none in a pipe or if NO_COLOR
objects."""
from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from kpki.cli import terminal
from kpki.errors import InputError

Run = Callable[..., Any]
RED, YELLOW, CYAN, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"


class Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A terminal that has colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Screen()


def say_all() -> None:
    terminal.say_error(InputError("x: no such file", hint="y"))
    terminal.note("kpki: warning: z", "kpki: w")
    terminal.put((terminal.Painted("error   ", "error"), " expired"),
                 ("  ", terminal.Painted("$ rm \x1b[0m", "command")))


def say_on(screen: Screen) -> str:
    with redirect_stdout(screen), redirect_stderr(screen):
        say_all()
    return screen.getvalue()


def test_a_terminal_gets_colours(screen: Screen) -> None:
    """The beginning of an error and of a warning, and a command; an escape of somebody else's stays
    harmless."""
    assert say_on(screen).splitlines() == [
        f"{RED}kpki:{PLAIN} x: no such file", "kpki: hint: y", f"{YELLOW}kpki: warning:{PLAIN} z",
        "kpki: w", f"{RED}error   {PLAIN} expired", f"  {CYAN}$ rm \\x1b[0m{PLAIN}"]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours(screen: Screen, monkeypatch: pytest.MonkeyPatch, name: str,
                                    value: str) -> None:
    """NO_COLOR (no-color.org) and a dumb terminal want none."""
    monkeypatch.setenv(name, value)
    shown = say_on(screen)
    assert "\x1b" not in shown and "error    expired" in shown


def test_an_empty_no_color_objects_to_nothing(screen: Screen,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """no-color.org: the variable counts if it is not empty."""
    monkeypatch.setenv("NO_COLOR", "")
    assert RED in say_on(screen)


def test_a_pipe_gets_none(capsys: pytest.CaptureFixture[str],
                          monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no terminal gets the words alone."""
    monkeypatch.setenv("TERM", "xterm")
    say_all()
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err and "error    expired" in told.out


def test_check_paints_severities_and_commands(kpki: Run, screen: Screen, tmp_path: Any) -> None:
    """`check` on a terminal: the severity in its colour, the rest as in a pipe."""
    (tmp_path / "broken.pem").write_text("x\n")
    with redirect_stdout(screen):
        kpki("check", "broken.pem", status=1)
    assert screen.getvalue().startswith(f"{RED}error   {PLAIN} ")
