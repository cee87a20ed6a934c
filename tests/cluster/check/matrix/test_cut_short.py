"""A run of the remedies that stops anywhere leaves the host no worse than before."""
from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.check.matrix.faults import FAULTS
from tests.cluster.check.matrix.mutations import Trial, rotated, trials

Bench = Any     # the conftest's, which has no importable name of its own
# Of each cause one tree in each situation; keys of RSA, which take long to make, where the table
# has no others.
TRIALS = [*{(trial.fault.cause, trial.situation): trial
            for trial in sorted(trials(FAULTS)[::-1],
                                key=lambda trial: trial.keys != "RSA")}.values()]
TAKING = {"rm", "mv", "rmdir", "unlink", "truncate", ">|"}


def errors(bench: Bench) -> set[tuple[str, str | None, str]]:
    return {(cause, host, path) for cause, severity, host, path in bench.findings()[1]
            if severity == "error"}


@pytest.mark.parametrize("trial", TRIALS, ids=[trial.id for trial in TRIALS])
def test_no_line_makes_it_worse(bench: Callable[[Trial], Bench], trial: Trial) -> None:
    """After each line the tree has the same errors as before, or fewer; no line takes a file away,
    but for a CA's key on a worker that the person who asks holds as well."""
    run = bench(trial)
    trial.fault.mutate(run.tree)
    before, remedies = errors(run), run.findings()[2]
    taking = [line for remedy in remedies for line in remedy
              if not line.startswith("#") and TAKING & {*shlex.split(line)}]
    assert not taking or (trial.fault.cause, trial.situation,
                          len(taking)) == ("ca-key-on-worker", "given", 1)
    for line in run.each_line(remedies):
        assert errors(run) <= before, line


@pytest.mark.parametrize("words", ["", "--ca ca/ca.crt"], ids=["nothing", "certificate"])
def test_without_the_cas_key_a_sound_client_certificate_stays(
        bench: Callable[[Trial], Bench], words: str, shell: dict[str, str]) -> None:
    """With another node's name the commands stop at the missing CA key, and the kubelet's link
    stays as it was."""
    run = bench(next(trial for trial in TRIALS
                     if (trial.layout, trial.situation) == ("kubeadm", "alone")))
    rotated(run.tree)
    (run.folder / "ca/ca.key").unlink()
    link = run.tree.root / "var/lib/kubelet/pki/kubelet-client-current.pem"
    before = link.readlink(), link.parent.joinpath(link.readlink().name).read_bytes()
    assert errors(run) == set()
    check = f"kpki check host --node worker-9 {words} --commands"
    done = subprocess.run(["sh", "-c", f"{check} > mend.sh; test -s mend.sh && ! sh -e mend.sh"],
                          cwd=run.folder, env=shell, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0 and "no such file" in done.stderr, done
    assert (link.readlink(), link.parent.joinpath(link.readlink().name).read_bytes()) == before
    assert errors(run) == set() and Path(run.folder, "nodes/worker-9.csr").exists()
