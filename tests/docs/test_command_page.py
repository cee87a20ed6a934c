"""docs/command.md: its help page is the command's, and its application mounts kpki."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

PAGE = Path(__file__).parent.parent.parent / "docs" / "command.md"


def test_the_page_prints_what_the_command_prints(run_page: Callable[[Path], Any]) -> None:
    """The consoles of the page, run as they stand, print what the page promises."""
    _, steps = run_page(PAGE)
    assert steps and [(step.command, step.printed) for step in steps] == [
        (step.command, step.promised) for step in steps]


def test_the_applications_of_the_page_work() -> None:
    """The Python of the page makes an application that has kpki's commands."""
    code, = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    room: dict[str, Any] = {}
    exec(code, room)    # the page's own lines
    result = CliRunner().invoke(room["app"], ["pki", "show", "nowhere.pem"])
    assert (result.exit_code, "no such file" in result.stderr) == (2, True)
