"""What all of the tests start commands and wait with."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS = 120  # for anything that a component does, on a machine that has other work as well


def wait_for(what: str, seen: Callable[[], object], *, seconds: float = SECONDS) -> None:
    """Return once *seen* is true; raise AssertionError, which says *what* and the last answer, if
    it is not in time."""
    end = time.monotonic() + seconds
    while not (answer := seen()):
        if time.monotonic() > end:
            raise AssertionError(f"not after {seconds} s: {what} (last: {answer!r})")
        time.sleep(0.1)


def says(log: str, pattern: str) -> bool:
    """Whether a log has what a regular expression matches; quotes in klog's errors are escaped
    there, and not here."""
    return bool(re.search(pattern, log.replace('\\"', '"')))


def words_of(command: str | Sequence[str]) -> list[str]:
    """A command as words; a line becomes one for the shell."""
    return ["sh", "-ec", command] if isinstance(command, str) else list(command)


def run(command: Sequence[str], *, check: bool = True,
        given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command with this Python's `kpki` on PATH; raise AssertionError, with all output, if it
    fails."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(command, input=given, stdin=None if given else subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False,
                          env=os.environ | {"PATH": path, "LC_ALL": "C"})
    if check and done.returncode:
        raise AssertionError(f"{shlex.join(command)}: status {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def minor() -> int:
    """The minor version of the programs: 34 of 1.34.4."""
    return int(run(["kubelet", "--version"]).stdout.split(".")[1])
