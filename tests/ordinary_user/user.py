"""An ordinary user, who runs kpki from a copy that everybody may read: `nobody` if the tests run as
root, else who runs the tests."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

TOP = Path(__file__).parent.parent.parent
SECONDS = 60    # for any one command; none takes one
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
UID, GID = (NOBODY, NOBODY) if IS_ROOT else (os.geteuid(), os.getegid())


@dataclass(frozen=True)
class Outcome:
    """What one command gave: its exit status, its words on both outputs (octets that are no UTF-8
    are surrogates)."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class OrdinaryUser:
    """What this user runs, in *home*, a folder of theirs below folders that everybody may
    search."""

    home: Path
    packages: Path
    """The folder of kpki's copy."""
    python: Path
    """The Python that runs the copy."""

    def run(self, *words: str | bytes | Path, groups: Sequence[int] = (),
            umask: int = 0o022) -> Outcome:
        """Run kpki with these words; *groups* are the user's further ones, which root alone can
        give."""
        return self.program(self.python, "-m", "kpki", *words, groups=groups, umask=umask)

    def program(self, *words: str | bytes | Path, groups: Sequence[int] = (),
                umask: int = 0o022) -> Outcome:
        """Run any program, the words with its name first."""
        done = subprocess.run(words, cwd=self.home, env=_environment(self.packages), umask=umask,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=False, **credentials(groups))
        return Outcome(done.returncode,
                       *(item.decode("utf-8", "surrogateescape")
                         for item in (done.stdout, done.stderr)))

    def give(self, path: Path) -> Path:
        """Give a file, or a folder with all that is in it, to this user; the path."""
        for item in (path, *path.rglob("*")):
            os.chown(item, UID, GID, follow_symlinks=False)
        return path


def copy_for_everybody(folder: Path) -> Path:
    """Copy kpki into *folder*; the Python that runs the copy.

    Python and the packages that kpki needs are copied too if the user may not run them where they
    are installed, as in root's home.
    """
    shutil.copytree(TOP / "kpki", folder / "kpki", ignore=shutil.ignore_patterns("*.pyc.*"))
    python = Path(sys.executable)
    if not _runs(python, folder):
        for name in _needs("kpki"):
            for file in metadata.files(name) or ():
                if ".." not in file.parts:
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(str(file.locate()), folder / file)
        python = _python_in(folder / "python")
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    assert _runs(python, folder), f"an ordinary user cannot run {python}"
    return python


def _python_in(folder: Path) -> Path:
    """This Python, copied into *folder* without what kpki does not need."""
    libraries, library = (Path(sysconfig.get_path("stdlib")),
                          Path(sysconfig.get_config_var("LIBDIR")))
    python = folder / "bin" / libraries.name
    python.parent.mkdir(parents=True)
    shutil.copy2(os.path.realpath(sys.executable), python)
    shutil.copytree(libraries, folder / "lib" / libraries.name, ignore=shutil.ignore_patterns(
        "*.pyc.*", "config-*", "ensurepip", "idlelib", "lib2to3", "site-packages", "test",
        "tkinter"))
    for path in library.glob("libpython*.so*"):
        shutil.copy2(path, folder / "lib")
    return python


def _environment(packages: str | Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages),
            "LD_LIBRARY_PATH": f"{packages}/python/lib", "LC_ALL": "C"}


def credentials(groups: Sequence[int] = ()) -> dict[str, Any]:
    """What makes subprocess.run run a program as this user."""
    return {"user": UID, "group": GID, "extra_groups": [*groups]} if IS_ROOT else {}


def _runs(python: Path, folder: Path) -> bool:
    code = "import OpenSSL, cryptography.x509, kpki, typer, yaml"
    try:
        done = subprocess.run([python, "-c", code], cwd=folder, env=_environment(folder),
                              capture_output=True, timeout=SECONDS, check=False, **credentials())
    except PermissionError:
        return False
    return done.returncode == 0


def _needs(name: str, seen: set[str] | None = None) -> Iterator[str]:
    """The installed packages that a package needs, and those that they need, without their
    extras."""
    seen = set() if seen is None else seen
    for line in metadata.requires(name) or ():
        need = re.split(r"[^\w.-]", line)[0]
        if need not in seen and "extra ==" not in line:
            seen.add(need)
            try:
                metadata.distribution(need)
            except metadata.PackageNotFoundError:   # of another platform or Python
                continue
            yield need
            yield from _needs(need, seen)
