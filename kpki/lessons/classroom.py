"""The folder of a lesson: the commands that run there, and how far the learner is."""
from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .. import files
from ..errors import RefusedError

_INTERRUPTED = 130
_PROGRESS = ".progress"     # in a lesson's folder: the number of steps that are done
_PROGRAMS = ".bin"          # beside the lessons' folders: kpki, as lessons call the program
_RUNS = "run"               # beside the lessons' folders: the folders of lessons without questions


@dataclass(frozen=True, slots=True)
class Classroom:
    """The folder of one lesson."""

    home: str
    """The folder with the folders of all lessons."""
    name: str
    """The folder of the lesson, below *home*."""
    environment: Mapping[str, str]
    """The environment of the commands, with `kpki` on the PATH."""

    @property
    def folder(self) -> str:
        """The path of the lesson's folder."""
        return os.path.join(self.home, self.name)

    def run(self, command: str) -> tuple[int, str]:
        """Run a command of the lesson; its exit status, and both its outputs as one text."""
        done = subprocess.run(["sh", "-c", command], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env={**self.environment, "LC_ALL": "C"})
        return done.returncode, done.stdout.decode(errors="replace")

    def run_own(self, command: str) -> int:
        """Run a command of the learner's own, on the learner's terminal; its exit status.

        Control-C ends the command, not the lesson.
        """
        try:
            return subprocess.run(["sh", "-c", command], cwd=self.folder, check=False,
                                  env=self.environment).returncode
        except KeyboardInterrupt:
            return _INTERRUPTED

    def set_progress(self, steps: int, now: datetime) -> None:
        """Keep how many steps are done."""
        _write(self.home, f"{self.name}/{_PROGRESS}", f"{steps}\n", 0o644, now)


def progress_of(home: str, name: str) -> int | None:
    """How many steps of a lesson are done; None if the lesson has not begun."""
    _, data = files.read_if_file(os.path.join(home, name, _PROGRESS))
    words = (data or b"").split()
    return int(words[0]) if words and words[0].isdigit() else None


def open_classroom(home: str, name: str, *, automatic: bool, program: Sequence[str],
                   environment: Mapping[str, str], now: datetime) -> Classroom:
    """Make the folder of a lesson, or find the one that is there.

    *home* is the folder of all lessons. *automatic*: a run without questions, which begins anew in
    another folder, so that a learner's own folder stays. *program* is the command that starts
    kpki. Raises RefusedError if a folder of that name is no lesson's.
    """
    home = os.path.abspath(home)
    folder = f"{_RUNS}/{name}" if automatic else name
    path = os.path.join(home, folder)
    if files.read_entry_at(path).kind != "missing" and progress_of(home, folder) is None:
        raise RefusedError(f"{path}: this folder is no lesson's", hint="choose another --dir")
    _write(home, f"{_PROGRAMS}/kpki", f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n', 0o755, now)
    path = os.pathsep.join([os.path.join(home, _PROGRAMS), environment.get("PATH", os.defpath)])
    classroom = Classroom(home, folder, {**environment, "PATH": path})
    if automatic:       # the last run's files
        subprocess.run(["rm", "-rf", "--", classroom.folder], check=False)
    if progress_of(home, folder) is None:
        classroom.set_progress(0, now)
    return classroom


def _write(root: str, path: str, text: str, mode: int, now: datetime) -> None:
    files.replace_tree(root, [files.File(path, text.encode(), mode)], folder_mode=0o755,
                       backup=None, now=now)
