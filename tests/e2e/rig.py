"""One run of the tests: its hosts, its folder, and that it leaves nothing behind.

Whatever ends a run ends its hosts, for their processes die with it. The next run sweeps away the
cgroups and folders of runs that hold their lock no more.
"""
from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.e2e.bare import Bare
from tests.e2e.commands import wait_for
from tests.e2e.hosts import Host

CGROUPS = Path("/sys/fs/cgroup")
PREFIX = "kpki-e2e-"


@dataclass
class Rig:
    """One run's folder, cgroups and hosts. As a context manager it leaves none of them behind."""

    folder: Path = field(init=False)
    "For everything that the run writes; its name names the cgroups as well."
    hosts: dict[str, Host | Bare] = field(default_factory=dict)
    "Started hosts by name."
    _lock: IO[str] = field(init=False)

    def __enter__(self) -> Rig:
        sweep()
        made = Path(tempfile.mkdtemp(prefix=f"new-{PREFIX}"))
        self._lock = (made / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # nobody sees it without its lock
        self.folder = made.rename(made.with_name(made.name.removeprefix("new-")))
        self.folder.chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts.values():
            host.end()
        remove(self.folder)
        self._lock.close()

    def bare(self, name: str) -> Bare:
        """A new host that is a folder."""
        host = self.hosts[name] = Bare(name, self.folder / name)
        return host

    def host(self, name: str) -> Host:
        """A new host, running, without a network."""
        if os.geteuid():
            raise AssertionError(
                "hosts are made of namespaces, for which this test must be run as root")
        host = self.hosts[name] = Host.start(name, self.folder)
        return host


def sweep() -> None:
    """Remove what runs that have ended have left: folders and cgroups."""
    temporary = Path(tempfile.gettempdir())
    # before folders: a new run has its folder first
    with_cgroups = {path.name for path in cgroups(f"{PREFIX}*")}
    folders = list(temporary.glob(f"{PREFIX}*"))
    for folder in folders:
        with suppress(OSError), (folder / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)
    for name in with_cgroups - {folder.name for folder in folders}:
        remove(temporary / name)


def cgroups(name: str) -> list[Path]:
    """The folders of a run in all cgroup hierarchies."""
    return [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]


def remove(folder: Path) -> None:
    """Remove a run's cgroups, once the killed are gone, and its folder."""
    def empty() -> bool:
        for top in cgroups(folder.name):
            for path, *_ in os.walk(top, topdown=False):
                with suppress(OSError):     # EBUSY: somebody killed is still there
                    os.rmdir(path)
        return not cgroups(folder.name)
    wait_for(f"{folder.name} leaves no cgroup", empty, seconds=20)
    shutil.rmtree(folder, ignore_errors=True)
