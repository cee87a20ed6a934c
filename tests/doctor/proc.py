"""A made /proc: the files of proc(5) that kpki reads, for processes that do not run."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

BOOT = 1_700_000_000
HOST_NETWORK = "net:[4026531840]"
ROOT_MOUNT = "21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"


@dataclass(frozen=True)
class Runs:
    """One process."""

    words: Sequence[str]
    since: datetime
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    mounts: str = ROOT_MOUNT
    "Its mountinfo."
    network: str = HOST_NETWORK
    "Its network namespace."


def write_proc(folder: Path, *processes: Runs) -> Path:
    """Write the folder, with process 1 and kpki's own beside the given ones."""
    shell = Runs(["/sbin/init"], datetime.fromtimestamp(BOOT).astimezone())
    (folder / "self/ns").mkdir(parents=True)
    (folder / "self/ns/net").symlink_to(HOST_NETWORK)
    (folder / "self/mountinfo").write_text(ROOT_MOUNT)
    (folder / "stat").write_text(f"cpu  1 2 3\nbtime {BOOT}\nprocesses 9\n")
    for pid, process in enumerate([shell, *processes], start=1):
        place = folder / str(pid)
        place.mkdir()
        ticks = int((process.since.timestamp() - BOOT) * 100)
        name = Path(process.words[0]).name[:15]
        (place / "stat").write_text(f"{pid} ({name} x) S {' '.join(['0'] * 18)} {ticks} 0 0\n")
        (place / "cmdline").write_bytes("".join(f"{word}\0" for word in process.words).encode())
        (place / "environ").write_bytes(
            "".join(f"{name}={value}\0" for name, value in process.environment.items()).encode())
        (place / "mountinfo").write_text(process.mounts)
        (place / "cwd").symlink_to(process.folder)
        (place / "ns").mkdir()
        (place / "ns/net").symlink_to(process.network)
    return folder
