"""The last lines of a component's log: from a file, or from the journal.

This module and the lessons' runner alone start programs; `journalctl` is the only one here, as no
library reads the journal's files.
"""
from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime

from .. import files
from ..cluster.observed.use import Running
from ..errors import KpkiError

_MOST = 1 << 18         # octets of a file
_LINES = 400            # of the journal
_SECONDS = 10
_OUTPUT = re.compile(r"^[ \t]*StandardOutput=(?:append|file|truncate):(.+?)[ \t]*$", re.MULTILINE)


def last_lines(root: str, running: Running, *, journal: bool,
               since: datetime | None = None) -> tuple[Sequence[str], str]:
    """The last lines of a component's log, and the name of the log; ((), "") if there is none.

    A file counts that the unit names, or that has the usual name. *journal*: ask the journal for
    the unit's lines, those *since* a moment.
    """
    for path in (*_OUTPUT.findall(_text(root, running.source)),
                 f"/var/log/{running.component}.log"):
        try:
            data = files.read_end(files.resolve(root, path.lstrip("/")), _MOST)
        except KpkiError:
            continue
        return data.decode("utf-8", "replace").splitlines(), path
    if journal and not running.static:
        return _journal(running.unit or running.component, since)
    return (), ""


def _text(root: str, path: str) -> str:
    """The text of a unit; "" if it cannot be read."""
    try:
        return files.read(files.resolve(root, path)).decode("utf-8", "replace")
    except KpkiError:
        return ""


def _journal(unit: str, since: datetime | None) -> tuple[Sequence[str], str]:
    command = ["journalctl", "--quiet", "--no-pager", "--output=short-iso", f"--lines={_LINES}",
               f"--unit={unit}"]
    if since is not None:
        command.append(f"--since={since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL,    # noqa: S603 (no shell)
                              capture_output=True,
                              timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (), ""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return (lines, f"journalctl -u {unit}") if done.returncode == 0 and lines else ((), "")
