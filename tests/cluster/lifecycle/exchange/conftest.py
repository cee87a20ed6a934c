"""A small cluster's workspace in each layout, made once, and the two verifiers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import pytest

from kpki.cluster.lifecycle.exchange_status import ExchangeStatus, read_exchange
from kpki.cluster.lifecycle.rotate import Rotation, rotate
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from tests.cluster.lifecycle.exchange.oracle import Oracle
from tests.kubernetes.verdict.golang import build, go_version, is_live
from tests.kubernetes.verdict.peer import go_says
from tests.support.disk import without_waiting

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROWS = ("ca", "etcd-ca", "front-proxy-ca", "service-accounts")
LAYOUTS = ("ssl", "kubeadm", "hard-way")
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
controlPlaneEndpoint: api.example.internal:6443
encryptionAlgorithm: ECDSA-P256
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}}
- {{name: w-1, addresses: [10.0.0.21]}}
- {{name: w-2, addresses: [10.0.0.22]}}
"""
SMALL = (
    TEXT.partition("- {{name: cp-2")[0]
    + TEXT[TEXT.index("- {{name: w-1") : TEXT.index("- {{name: w-2")]
)
WHOLE = os.environ.get(
    "KPKI_ROTATIONS", ""
)  # in the environment: every cut in every layout, and a thousand schedules


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts the power: syncs take no time."""
    without_waiting(monkeypatch)


def made(folder: Path, text: str, now: datetime = NOW) -> Path:
    """The workspace of a description, as apply makes it."""
    (folder / "cluster.yaml").write_text(text)
    with locked(str(folder), now):
        for _ in apply(plan_of(str(folder), now=now), str(folder), now=now):
            pass
    return folder


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The workspace of a layout, which no test changes."""
    return cache(
        lambda layout, text=TEXT: made(tmp_path_factory.mktemp(layout), text.format(layout=layout))
    )


@pytest.fixture
def workspace(begun: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of the workspace of a layout; of *text*, for example SMALL."""

    def copied(layout: str = "ssl", text: str = TEXT) -> Path:
        return Path(shutil.copytree(begun(layout, text), tmp_path / "w"))

    return copied


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    """Go and openssl."""
    assert is_live(go_version()), f"Go is a peer of these tests: {go_version()}"
    return Oracle(
        partial(go_says, build(tmp_path_factory.mktemp("judge"))),
        tmp_path_factory.mktemp("openssl"),
    )


def do(
    folder: Path, row: str = "ca", to: str | None = None, now: datetime = NOW, *, back: bool = False
) -> Rotation:
    """One phase, or one part of it."""
    return rotate(folder, row, to=to, back=back, now=now, processes=1)


def state(folder: Path, row: str = "ca", now: datetime = NOW) -> ExchangeStatus:
    """What the files say."""
    return read_exchange(folder, row, now=now, processes=1)


def phases_of(row: str) -> tuple[str, str, str]:
    return (
        ("publish", "sign", "retire")
        if row == "service-accounts"
        else ("trust", "switch", "forget")
    )


def reach(folder: Path, phase: str, row: str = "ca", now: datetime = NOW) -> Path:
    """Go on until the workspace and every host are in a phase."""
    for _ in range(5):
        found = state(folder, row, now)
        if found.phase == phase and not found.behind:
            return folder
        done = do(folder, row, now=now)
        assert not done.blocked, done.blocked
    raise AssertionError(f"{phase} is not reached")


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the backup and the lock, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name != ".kpki.lock"
        and path.relative_to(folder).parts[0] != "backup"
    }
