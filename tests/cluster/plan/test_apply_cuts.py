"""apply and node install, ended at each of their calls to the disk: nothing is lost, and the next
run heals."""
from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from kpki import pem
from kpki.cluster import workspace
from kpki.cluster.authority import Authority
from kpki.cluster.node.installation import Installation, install
from kpki.cluster.node.node import issue_node
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.rules.host import check_node
from kpki.errors import FileError, KpkiError
from kpki.kubernetes.kubeconfig import load_kubeconfig
from kpki.kubernetes.layouts import get_layout
from kpki.kubernetes.reading import has_public_key
from kpki.stages.keys import public_key_der
from tests.support.disk import AtCall, without_waiting

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXT = """\
apiVersion: kpki/v1
kind: Cluster
layout: ssl
controlPlaneEndpoint: api.example.internal:6443
nodes:
- {name: w-1, addresses: [10.0.0.21]}
"""
MORE = "- {name: w-2, addresses: [10.0.0.22]}\n"
SSL, KUBECONFIG = "etc/kubernetes/ssl", "etc/kubernetes/worker-kubeconfig.yaml"
Files = dict[str, bytes]
State = frozenset[tuple[str, int, str]]
STAGED = re.compile(r"\.kpki-[0-9a-f]{16}")
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES)


@dataclass(frozen=True)
class Work:
    """What is to be ended: *run* it in a folder at a moment; *begun* is what lies there before;
    *left* finds what is still to be done; *backup* is where old files are kept."""

    run: Callable[[Path, datetime], object]
    left: Callable[[Path], object]
    begun: Path
    backup: str


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs are calls like all others here, without the wait: nobody cuts the power."""
    without_waiting(monkeypatch)


def run_apply(folder: Path, now: datetime) -> list[object]:
    with workspace.locked(str(folder), now):
        return [*apply(plan_of(str(folder), now=NOW), str(folder), now=now)]


def left_of_apply(folder: Path) -> list[object]:
    return [*plan_of(str(folder), now=NOW).steps()]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """apply where there is nothing but the description."""
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "cluster.yaml").write_text(TEXT)
    return Work(run_apply, left_of_apply, folder, "backup")


@pytest.fixture(scope="module")
def mending(tmp_path_factory: pytest.TempPathFactory, fresh: Work) -> Work:
    """apply where a key is empty, one exposed, a kubeconfig gone, a certificate another node's, a
    CA key too many."""
    folder = Path(shutil.copytree(fresh.begun, tmp_path_factory.mktemp("mending") / "w"))
    (folder / "cluster.yaml").write_text(TEXT + MORE)
    run_apply(folder, NOW)
    first, second = (folder / "nodes" / name for name in ("w-1", "w-2"))
    (first / SSL / "worker-key.pem").write_bytes(b"")
    (first / KUBECONFIG).unlink()
    (second / SSL / "kube-proxy-key.pem").chmod(0o644)
    shutil.copy(first / SSL / "worker.pem", second / SSL / "worker.pem")
    shutil.copy(folder / "pki/ca.key", second / SSL / "ca-key.pem")
    return Work(run_apply, left_of_apply, folder, "backup")


@pytest.fixture(scope="module")
def installing(tmp_path_factory: pytest.TempPathFactory,
               authorities: tuple[Authority, Authority]) -> Work:
    """node install over another node's files and another cluster's CA."""
    made = [issue_node(ca, name, addresses=["10.0.0.21"], server="https://10.0.0.10:6443", now=NOW)
            for ca, name in zip(authorities, ("w-1", "w-9"))]
    root = tmp_path_factory.mktemp("installing")
    install(Installation(tuple(made[1][:-1]), None, get_layout("ssl")), str(root), now=NOW)

    def run(folder: Path, now: datetime) -> object:
        return install(Installation(tuple(made[0]), None, get_layout("ssl")), str(folder), now=now)
    return Work(run, lambda folder: check_node(inspect(str(folder)), node="w-1", now=NOW), root,
                "var/lib/kpki/backup")


@pytest.fixture(params=["fresh", "mending", "installing"])
def work(request: pytest.FixtureRequest) -> Work:
    found: Work = request.getfixturevalue(request.param)
    return found


def files_of(folder: Path) -> Files:
    """Every file but the lock, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and path.name not in (".kpki.lock", "lock")}


def assert_whole(folder: Path, before: Files, work: Work) -> None:
    """Each file is as it was, or new and whole; what was there is there, or in the backup; no key
    is exposed."""
    found = files_of(folder)
    kept = [data for path, data in found.items() if path.startswith(f"{work.backup}/")]
    for path, data in before.items():
        assert found.get(path) == data or data in kept, path
    for path, data in found.items():
        if ".kpki-" in path or path.startswith(f"{work.backup}/") or before.get(path) == data:
            continue
        if path.endswith((".yaml", ".conf")):
            load_kubeconfig(data)
        elif b"PRIVATE KEY" in data:
            pem.load_key(data)
            assert not (folder / path).stat().st_mode & 0o077
        else:
            pem.load_certificates(data)


def assert_heals(folder: Path, before: Files, work: Work) -> None:
    """The next run finishes the job, leaves no stray file, and the one after has nothing to do."""
    work.run(folder, NOW + timedelta(minutes=1))
    assert work.left(folder) == []
    assert [path for path in files_of(folder) if ".kpki-" in path] == []
    assert_whole(folder, before, work)


def state_of(folder: Path, before: Files) -> State:
    """Every path with its mode, and whether its content is the old one, whole or cut: two kills can
    leave one state, although each run makes keys of its own."""
    state = set()
    for path in folder.rglob("*"):
        name, data = str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b""
        kind = "old" if before.get(name) == data else "whole" if data.endswith(b"\n") else "cut"
        state.add((STAGED.sub(".kpki-", name), path.lstat().st_mode, kind))
    return frozenset(state)


def copies(work: Work, place: Path) -> Iterator[tuple[int, Path]]:
    for nth in count(1):
        yield nth, Path(shutil.copytree(work.begun, place / str(nth)))


def test_a_kill_at_any_call_leaves_whole_files_and_the_next_run_heals(
    work: Work, tmp_path: Path, killed_at: Callable[[int, Callable[[], object]], bool],
) -> None:
    """SIGKILL before each call in turn, and in the middle of each write: the files are whole, and
    from each state that the kills leave the next run heals."""
    before, states = files_of(work.begun), set[State]()
    for nth, folder in copies(work, tmp_path):
        killed = killed_at(nth, partial(work.run, folder, NOW))
        assert_whole(folder, before, work)
        state = state_of(folder, before)
        if state not in states or not killed:
            assert_heals(folder, before, work)
        states.add(state)
        if not killed:
            break
    assert nth > 50 and len(states) > 20


def test_an_error_at_any_call_is_told_and_leaves_whole_files(work: Work, tmp_path: Path,
                                                             at_call: AtCall) -> None:
    """No space, read-only, no permission, in turn: one message that names a path; the next run
    heals."""
    before, failed = files_of(work.begun), 0
    for nth, folder in copies(work, tmp_path):
        number = ERRORS[nth % len(ERRORS)]

        def refuse(name: str, real: partial[object]) -> object:
            raise OSError(number, os.strerror(number))
        with at_call(nth, refuse) as calls:
            try:
                work.run(folder, NOW)
            except KpkiError as error:
                failed += 1
                assert isinstance(error, FileError) and str(folder) in error.message
        assert_whole(folder, before, work)
        assert_heals(folder, before, work)
        if len(calls) < nth:
            break
    assert nth > 50 and failed > 40


def test_four_at_once_and_a_reader_see_no_mixed_pair(tmp_path: Path) -> None:
    """Each ends well or says who holds the lock; who reads meanwhile sees pairs that belong
    together, or none yet; no serial number is there twice."""
    (tmp_path / "cluster.yaml").write_text(TEXT + MORE)
    children = []
    for _ in range(4):
        children.append(os.fork())
        if children[-1] == 0:
            code = 1
            try:
                run_apply(tmp_path, NOW)
                code = 0
            except FileError as error:
                code = 0 if "locked by pid" in error.message else 1
            finally:
                os._exit(code)
    running, seen = set(children), 0
    while running:
        for child in [*running]:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                assert status == 0
                running.remove(child)
        seen += read_pairs(tmp_path)
    assert read_pairs(tmp_path) == 4 and seen and left_of_apply(tmp_path) == []
    serials = [pem.load_certificate(data).serial_number for data in files_of(tmp_path).values()
               if data.startswith(b"-----BEGIN CERTIFICATE")]
    assert len(serials) == 7 and len({*serials}) == 5  # the CA is on each host and in the workspace


def read_pairs(folder: Path) -> int:
    """How many pairs are there; each belongs together."""
    found = 0
    for name in ("w-1", "w-2"):
        for row in ("worker", "kube-proxy"):
            place = folder / "nodes" / name / SSL
            try:
                certificate, key = ((place / f"{row}{end}").read_bytes()
                                    for end in (".pem", "-key.pem"))
            except FileNotFoundError:
                continue
            assert has_public_key(pem.load_certificate(certificate),
                                  public_key_der(pem.load_key(key)))
            found += 1
    return found
