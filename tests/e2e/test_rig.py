"""The bench itself: what a killed run has left goes with the next one, and two runs at once do not
meet."""
from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cluster import Wanted, started
from tests.e2e.commands import wait_for
from tests.e2e.rig import Rig, cgroups, sweep

TOP = Path(__file__).parents[2]
# Another run, in a process of its own: it answers each line with what kubectl says, and ends with
# its input.
ANOTHER = """
import sys
from tests.e2e.cluster import Wanted, started
from tests.e2e.rig import Rig

with Rig() as rig, started(rig, {wanted!r}) as cluster:
    print(rig.folder, getattr(cluster.cp, "pid", 0), flush=True)
    for line in sys.stdin:
        print(" ".join(cluster.says(*line.split()).split()), flush=True)
"""
NAMESPACE = Wanted(namespaces=True)


class Run:
    """Another run: its process, its folder, and the process 1 of its host."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout
        folder, pid = process.stdout.readline().split()
        self.folder, self.pid = Path(folder), int(pid)

    def says(self, words: str) -> str:
        """What kubectl says in that run."""
        assert self.process.stdin and self.process.stdout
        print(words, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def is_left(self) -> bool:
        """Whether a folder or a cgroup of it is there."""
        return self.folder.exists() or bool(cgroups(self.folder.name))


@contextmanager
def another(wanted: Wanted) -> Iterator[Run]:
    """Another run that is up; at the end of the block its input ends."""
    with subprocess.Popen([sys.executable, "-c", ANOTHER.format(wanted=wanted)], cwd=TOP, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Run(process)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_after_a_killed_one_works(number: signal.Signals, rig: Rig) -> None:
    """A killed run's hosts end with it, the next run takes what else it left, and works."""
    with another(NAMESPACE) as killed:
        assert Path(f"/proc/{killed.pid}").exists()
        killed.process.send_signal(number)
    wait_for("the host ends", lambda: not Path(f"/proc/{killed.pid}").exists())
    assert killed.is_left() == (number != signal.SIGINT)     # which Python ends in good order
    with Rig() as after, started(after, NAMESPACE) as cluster:
        assert not killed.is_left()
        assert after.folder.exists() and rig.folder.exists()
        cluster.wait_until_well()


@pytest.mark.parametrize("wanted", [Wanted(), Wanted("ssl", workers=1)],
                         ids=["loopback", "namespaces"])
def test_two_runs_at_once_do_not_meet(wanted: Wanted) -> None:
    """Each has its own API server and nodes, whatever addresses they have, and the end of one is
    nothing to the other."""
    with Rig() as rig, started(rig, wanted) as cluster:
        with another(wanted) as other:
            sweep()
            assert other.is_left()
            assert other.says("create namespace theirs") == "namespace/theirs created"
            cluster.kubectl("create", "namespace", "ours")
            assert "namespace/ours" not in other.says("get namespaces -o name").split()
            assert "namespace/theirs" not in cluster.says("get", "namespaces", "-o", "name").split()
        assert other.process.returncode == 0 and not other.is_left()
        cluster.wait_until_well()
        assert not wanted.workers or cluster.is_ready("worker-1")


def test_wrong_expectations_fail(rig: Rig) -> None:
    """A host that has ended is not up, and waiting for it fails."""
    host = rig.host("short-lived")
    assert host.is_up()
    host.end()
    with pytest.raises(AssertionError, match="not after 1 s: it is up"):
        wait_for("it is up", host.is_up, seconds=1)
