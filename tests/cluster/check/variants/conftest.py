"""What the recipes made, each once, and `kpki check` in process."""
from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.main import main
from tests.cluster.check.variants import recipes
from tests.cluster.check.variants.trees import Host

_OLD_GROUPS = {"MASTERS": "system:masters", "ETCD_O": "/O=system:masters"}
_CP, _WORKER = {"NODE": "cp-1", "ADDRESS": "10.0.0.10"}, {"NODE": "worker-1",
                                                          "ADDRESS": "10.0.0.21"}
RECIPES: dict[str, tuple[str, dict[str, str]]] = {
    "kubeadm": (recipes.KUBEADM_CONTROL_PLANE,
                {"ALGORITHM": "2048", "MASTERS": "kubeadm:cluster-admins", **_CP}),
    "kubeadm-1.28": (recipes.KUBEADM_CONTROL_PLANE,
                     {"ALGORITHM": "prime256v1", **_OLD_GROUPS, **_CP}),
    "kubeadm-p384": (recipes.KUBEADM_CONTROL_PLANE,
                     {"ALGORITHM": "secp384r1", "MASTERS": "kubeadm:cluster-admins",
                      "LEAF_DAYS": "10000", **_CP, "DAYS": "10000"}),
    "joined": (recipes.KUBEADM_WORKER, {"ALGORITHM": "prime256v1", **_WORKER}),
    "joined-3072": (recipes.KUBEADM_WORKER, {"ALGORITHM": "3072", **_WORKER}),
    "serving": (recipes.KUBELET_SERVING, {"ALGORITHM": "2048", "NODE": "worker-1"}),
    "hard-way": (recipes.HARD_WAY, {}), "kubespray": (recipes.KUBESPRAY, {}),
    "coreos": (recipes.COREOS, {}),
    "worker": (recipes.WORKER, {})}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of what a recipe made, which it makes when it is first asked for: once for all
    workers of a run."""
    base = tmp_path_factory.getbasetemp()
    shelf = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "recipes"
    shelf.mkdir(exist_ok=True)

    @cache
    def make(name: str) -> Path:
        script, variables = RECIPES[name]
        with (shelf / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (shelf / name).exists():
                recipes.run(script, shelf / f"{name}.part",
                            **{"DAYS": "3650", **variables}).rename(shelf / name)
        return shelf / name
    return make


@pytest.fixture(scope="session")
def moment() -> str:
    """When the trees are judged: tomorrow, so that what ended today is past."""
    return (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Answer:
    """What `kpki check --json` gave: its exit status, its findings, its words."""

    status: int
    findings: list[dict[str, Any]]
    err: str

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [(finding["cause"], finding["path"]) for finding in self.findings
                if finding["severity"] == "error"]

    @property
    def told(self) -> list[str]:
        return [f"{finding['severity']} {finding['cause']} {finding['path']}: {finding['message']}"
                for finding in self.findings]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], moment: str) -> Callable[..., Answer]:
    """`kpki check`: its answer, which must be a document, and an exit status that fits it."""
    def run(*words: str | Path) -> Answer:
        capsys.readouterr()
        status = main(["check", *map(str, words), "--at", moment, "--json"])
        told = capsys.readouterr()
        assert status in (0, 1), told.err
        answer = Answer(status, json.loads(told.out)["findings"], told.err)
        assert status == bool(answer.errors), answer.told
        return answer
    return run


@pytest.fixture
def worker(tmp_path: Path, made: Callable[[str], Path]) -> Host:
    """The smallest healthy tree."""
    from tests.cluster.check.variants.trees import worker
    host = Host(tmp_path / "root", "worker-1", made("worker"))
    worker(host, made("worker"))
    return host
