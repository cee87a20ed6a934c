"""A page of the docs as commands: what its consoles run, and what they promise."""
from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SECONDS = 60  # for any one command; none takes one


@dataclass
class Step:
    """One command of a page, what the page says that it prints, and what it printed."""

    command: str
    promised: str
    printed: str = ""
    status: int = 0


def steps_of(page: str) -> Iterator[Step]:
    """The commands of the page's consoles: `$ ` begins one, `> ` goes on with it, the rest is what
    it prints."""
    for block in CONSOLE.findall(page):
        step = Step("", "")
        for line in block.splitlines():
            mark, text = line[:2], line[2:]
            if mark == "$ ":
                if step.command:
                    yield step
                step = Step(text, "")
            elif mark == "> ":
                step.command += f"\n{text}"
            else:
                step.promised += f"{line}\n"
        yield step


def run_steps(page: Path, folder: Path, environment: dict[str, str]) -> list[Step]:
    """The page's commands, run in order in a folder."""
    steps = list(steps_of(page.read_text()))
    for step in steps:
        done = subprocess.run(["bash", "-c", step.command], cwd=folder, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)
        step.printed, step.status = done.stdout, done.returncode
    return steps
