"""Hosts in any order: random schedules of phases, hosts that were off, and hosts from a backup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from shutil import copytree, rmtree

import pytest

from kpki.cluster.check.check import check
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from tests.cluster.lifecycle.exchange.conftest import (
    NOW,
    ROWS,
    SMALL,
    WHOLE,
    content,
    do,
    phases_of,
    reach,
    state,
)
from tests.cluster.lifecycle.exchange.oracle import Oracle

Workspace = Callable[..., Path]
SCHEDULES = int(WHOLE or 0) or 2
STEPS = 5


def put_back(folder: Path, before: Path, hosts: list[str]) -> None:
    """Give hosts the trees that they had before, as if the phase had not come to them."""
    for host in hosts:
        rmtree(folder / "nodes" / host)
        copytree(before / "nodes" / host, folder / "nodes" / host, symlinks=True)


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_any_interleaving_that_the_gates_allow_is_safe(
    workspace: Workspace, oracle: Oracle, tmp_path: Path, seed: int
) -> None:
    """Phases come to random hosts first, are finished, tried too early, and undone: no host ever
    refuses another; what is refused names a host and changes nothing, and would indeed have broken
    the formula."""
    chance = Random(seed)
    row = ROWS[seed % len(ROWS)]
    folder, refused = workspace(text=SMALL) if row == "ca" else workspace(), 0
    hosts = sorted(path.name for path in (folder / "nodes").iterdir())
    for step in range(STEPS):
        before = Path(copytree(folder, tmp_path / f"before-{step}", symlinks=True))
        found = state(folder, row)
        phases = ("before", *phases_of(row))
        way = chance.choice(["finish", "finish", "next", "back", "jump"])
        number = phases.index(found.phase)
        to = phases[min(number + 1, 3)] if way in ("next", "jump") else None
        if to == found.phase:
            way, to = "back", None
        done = do(folder, row, to=to, back=way == "back")
        if done.blocked:
            assert content(folder) == content(before)
            refused += 1
            continue
        assert oracle.refusals(folder, row, NOW) == []
        behind = (
            [host for host in hosts if chance.random() < 0.5]
            if done.status.phase != found.phase
            else []
        )
        put_back(folder, before, behind)
        assert oracle.refusals(folder, row, NOW) == [], (step, way, behind)
        again = state(folder, row)
        assert not again.cut_off
    while found.phase != "before" or found.behind or found.new:
        done = do(folder, row, back=not found.behind or found.phase == "before")
        assert oracle.refusals(folder, row, NOW) == []
        if done.blocked:
            assert not do(folder, row).blocked
        found = state(folder, row)


@pytest.mark.parametrize(("phase", "next_phase"), [("trust", "switch"), ("switch", "forget")])
def test_a_host_that_is_behind_stops_the_next_phase(
    workspace: Workspace, oracle: Oracle, tmp_path: Path, phase: str, next_phase: str
) -> None:
    """The host is named, and nothing is changed; the phase alone, without a name, finishes the
    host."""
    folder = reach(workspace(), {"trust": "before", "switch": "trust"}[phase])
    before = Path(copytree(folder, tmp_path / "before"))
    reach(folder, phase)
    put_back(folder, before, ["w-2"])
    assert oracle.refusals(folder, "ca", NOW) == []
    found, there = state(folder), content(folder)
    assert found.behind == ("w-2",) and found.next == phase
    stopped = do(folder, to=next_phase).blocked
    assert len(stopped) == 1 and stopped[0].startswith("w-2: ") and content(folder) == there
    done = do(folder)
    assert {step.host for step in done.steps} == {"w-2"} and done.status.behind == ()
    assert not do(folder, to=next_phase).blocked


def test_the_restarts_name_every_host(workspace: Workspace, tmp_path: Path) -> None:
    """A run that finishes a phase names hosts that it has not changed, too: an earlier run may have
    changed them and died before it named anybody, and no file says what a process has read. A run
    with nothing to change names nobody."""
    folder = reach(workspace(), "trust")
    before = Path(copytree(folder, tmp_path / "before"))
    reach(folder, "switch")
    put_back(folder, before, ["w-2"])
    done = do(folder)
    assert {step.host for step in done.steps} == {"w-2"}
    kubelets = [step.hosts for step in done.following if "restart the kubelets" in step.what]
    assert kubelets == [("cp-1", "cp-2", "w-1", "w-2")]
    assert do(folder, to="switch").following == ()


def test_a_late_host_gets_the_end_state_at_once(
    workspace: Workspace, oracle: Oracle, tmp_path: Path
) -> None:
    """A host that was off all the time, and one from a backup of trust, are named as late and cut
    off; one command brings both to the end, and nobody trusts the old CA again. `apply` does the
    same."""
    folder = workspace()
    before = Path(copytree(folder, tmp_path / "before"))
    trusted = Path(copytree(reach(folder, "trust"), tmp_path / "trusted"))
    reach(folder, "forget")
    put_back(folder, before, ["w-1"])
    put_back(folder, trusted, ["w-2"])
    assert {
        refusal.presenter.partition(":")[0] for refusal in oracle.refusals(folder, "ca", NOW)
    } >= {"w-1", "w-2"}
    assert oracle.refusals(folder, "ca", NOW, but=("w-1", "w-2")) == []
    found = state(folder)
    assert set(found.late) == {"w-1", "w-2"} == set(found.behind) and "w-1" in found.cut_off
    assert {host.host: host.phase for host in found.hosts if host.host in found.behind} == {
        "w-1": "before",
        "w-2": "trusted",
    }
    applied = Path(copytree(folder, tmp_path / "applied"))
    done = do(folder)
    assert {step.host for step in done.steps} == {"w-1", "w-2"} and done.status.behind == ()
    assert oracle.refusals(folder, "ca", NOW) == [] and check(str(folder), now=NOW).findings == []
    old = (before / "pki/ca.crt").read_bytes().strip()
    assert [
        path
        for path, data in content(folder).items()
        if old in data and path != "pki/ca-previous.crt"
    ] == []
    for _ in apply(plan_of(str(applied), now=NOW), str(applied), now=NOW):
        pass
    assert (
        oracle.refusals(applied, "ca", NOW, but=("w-2",)) == []
    )  # whose bundle has the new CA, which is enough to apply
    assert not do(applied).blocked and state(applied).behind == ()
    assert oracle.refusals(applied, "ca", NOW) == []


def test_a_host_that_missed_trust_gets_trust_and_switch_at_once(
    workspace: Workspace, oracle: Oracle, tmp_path: Path
) -> None:
    """While others are switched the late host refuses them; forget waits for the host; one run
    brings the host there."""
    folder = workspace()
    before = Path(copytree(folder, tmp_path / "before"))
    reach(folder, "switch")
    put_back(folder, before, ["w-1"])
    found = state(folder)
    assert (found.late, found.behind, found.cut_off) == (("w-1",), ("w-1",), ("w-1",))
    assert {
        refusal.verifier.partition(":")[0] for refusal in oracle.refusals(folder, "ca", NOW)
    } == {"w-1"}
    assert do(folder, to="forget").blocked
    assert not do(folder).blocked and oracle.refusals(folder, "ca", NOW) == []
    assert not do(folder, to="forget").blocked and oracle.refusals(folder, "ca", NOW) == []


@pytest.mark.parametrize("phase", ["before", "trust", "switch", "forget"])
def test_the_state_is_in_the_files_alone(workspace: Workspace, tmp_path: Path, phase: str) -> None:
    """Without backup and lock, with other times, at another place: the same state, the same next
    phase."""
    import os

    folder = workspace(text=SMALL)
    do(folder)  # the new pair, and the signer's file
    if phase != "before":
        reach(folder, phase)
    moved = tmp_path / "moved" / "deep"
    moved.parent.mkdir()
    copytree(folder, moved)
    rmtree(moved / "backup", ignore_errors=True)
    (moved / ".kpki.lock").unlink()
    for path in moved.rglob("*"):
        os.utime(path, (1, 1))
    assert state(moved) == state(folder)
    assert [(step.host, step.path) for step in do(moved).steps] == [
        (step.host, step.path) for step in do(folder).steps
    ]
    assert state(moved).phase == state(folder).phase
