"""Go, where it is there: its version, and the judge built with it."""
from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
WANTED = "go1.26"       # the verdict that kpki gives; another version may have another opinion


def environment() -> dict[str, str]:
    """For Go and its programs: no other version is fetched, none of its rules is loosened."""
    return {name: value for name, value in os.environ.items() if name != "GODEBUG"} | {
        "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOWORK": "off", "CGO_ENABLED": "0"}


@cache
def go_version() -> str | None:
    """What `go` calls its version, such as go1.26.8; None where there is no `go`."""
    if shutil.which("go") is None:
        return None
    done = subprocess.run(["go", "env", "GOVERSION"], cwd=HERE, env=environment(),
                          capture_output=True, text=True)
    return done.stdout.strip() or None


def is_live(version: str | None) -> bool:
    """Whether this is the Go whose verdict is asked for."""
    return f"{version}.".startswith(f"{WANTED}.")


def source_of_verdicts(version: str | None) -> str:
    """For the head of a run: whose verdicts the tests compare with, where Go is of this version."""
    if is_live(version):
        return f"Go's verdicts: live ({version})"
    return f"Go's verdicts: recorded ({WANTED} is not there, but {version})" if version else \
        f"Go's verdicts: recorded ({WANTED} is not there)"


def build(folder: Path) -> Path:
    """The judge, compiled into *folder*."""
    program = folder / "judge"
    subprocess.run(["go", "build", "-o", program, "."], cwd=HERE, env=environment(), check=True)
    return program
