"""A plan carried out on disk: what is right stays to the byte, what is wrong is mended, what waits
is told."""
from __future__ import annotations

import multiprocessing.util
import os
import shutil
import signal
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kpki import pem
from kpki.cluster import workspace
from kpki.cluster.authority import make_authority, make_key
from kpki.cluster.fleet import survey as fleet_room
from kpki.cluster.fleet.processes import in_turn
from kpki.cluster.leaf_files import Step
from kpki.cluster.plan import apply as room
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.plan.plan import Waiting
from kpki.errors import FileError
from kpki.files import File
from kpki.kubernetes.profiles import CA
from kpki.stages.keys import public_key_der

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TEXT = """\
apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: {algorithm}
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}}
- {{name: w-1, addresses: [10.0.0.21]}}
- {{name: w-2, addresses: [10.0.0.22]}}
controlPlaneEndpoint: api.example.internal:6443
kubeletServing: true
"""
PKI, KUBELET = "etc/kubernetes/pki", "etc/kubernetes/kubelet.conf"
SERVER, SERVER_KEY = f"{PKI}/apiserver.crt", f"{PKI}/apiserver.key"
State = dict[str, tuple[int, int, bytes]]


@dataclass
class Space:
    """A workspace on disk."""

    folder: Path

    def run(self, now: datetime = LATER, *, processes: int | None = None,
            renew_before: timedelta | None = None) -> list[Step]:
        """apply, as the command calls it; what waits is in `waiting` and what is to be told in
        `warnings`."""
        self.waiting: list[Waiting] = []
        self.warnings: list[str] = []
        with workspace.locked(str(self.folder), now):
            plan = plan_of(str(self.folder), now=now, renew_before=renew_before)
            return [*apply(plan, str(self.folder), now=now, waiting=self.waiting,
                           warnings=self.warnings, processes=processes)]

    def left(self, now: datetime = LATER) -> list[Step]:
        """What a plan still has to do."""
        return [*plan_of(str(self.folder), now=now).steps()]

    def path(self, name: str, host: str | None = None) -> Path:
        return self.folder / (f"nodes/{host}/{name}" if host else name)

    def state(self) -> State:
        """Every file: mode, mtime, bytes; the lock's own text aside."""
        return {str(path.relative_to(self.folder)): (seen.st_mode, seen.st_mtime_ns,
                                                     path.read_bytes())
                for path in sorted(self.folder.rglob("*"))
                if stat.S_ISREG((seen := path.lstat()).st_mode)
                and path.name != ".kpki.lock"}

    def backups(self) -> dict[str, bytes]:
        """The files of the one folder in the backup, by their paths."""
        runs = [*self.path("backup").iterdir()] if self.path("backup").exists() else []
        assert len(runs) <= 1
        return {str(path.relative_to(runs[0])): path.read_bytes() for run in runs
                for path in run.rglob("*")
                if path.is_file()}


def make(folder: Path, layout: str = "kubeadm", algorithm: str = "ECDSA-P256") -> Space:
    folder.mkdir(parents=True)
    (folder / "cluster.yaml").write_text(TEXT.format(layout=layout, algorithm=algorithm))
    space = Space(folder)
    space.run(NOW)
    return space


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Space]:
    """A workspace of each layout as apply makes it, once; not to be changed."""
    spaces: dict[str, Space] = {}

    def get(layout: str) -> Space:
        if layout not in spaces:
            spaces[layout] = make(tmp_path_factory.mktemp("made") / layout, layout)
        return spaces[layout]
    return get


@pytest.fixture
def space(made: Callable[[str], Space], tmp_path: Path) -> Space:
    """A copy of kubeadm's, to be changed."""
    return Space(Path(shutil.copytree(made("kubeadm").folder, tmp_path / "copy")))


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
def test_a_second_apply_changes_no_byte_and_no_mtime(made: Callable[[str], Space],
                                                     layout: str) -> None:
    """Nothing to do means nothing done: no file written, none touched, no backup begun."""
    space = made(layout)
    before = space.state()
    assert space.left() == [] and space.run() == [] and space.waiting == []
    assert space.state() == before and not space.path("backup").exists()


def test_the_first_apply_makes_what_the_plan_says(tmp_path: Path,
                                                  made: Callable[[str], Space]) -> None:
    """The steps are those of the plan, in its order; every file is there with its mode, every
    folder with its own."""
    space = Space(tmp_path / "new")
    space.folder.mkdir()
    shutil.copy(made("kubeadm").path("cluster.yaml"), space.folder)
    planned = space.left(NOW)
    assert space.run(NOW) == planned and {item.action for item in planned} == {"create"}
    assert planned[0].host is None and planned[0].path == "pki/ca.crt"
    for name, host, mode in (("pki/ca.key", None, 0o600), (KUBELET, "w-1", 0o600),
                             (f"{PKI}/ca.crt", "w-1", 0o644)):
        assert space.path(name, host).stat().st_mode & 0o777 == mode
    for folder, mode in (("pki", 0o700), ("nodes", 0o700), ("nodes/w-1", 0o700),
                         ("nodes/w-1/etc", 0o755), (f"nodes/w-1/{PKI}", 0o755)):
        assert space.path(folder).stat().st_mode & 0o777 == mode
    assert not space.path("backup").exists()


def lose(space: Space) -> None:
    space.path(KUBELET, "w-1").unlink()


def lose_host(space: Space) -> None:
    shutil.rmtree(space.path("", "w-2"))


def empty(space: Space) -> None:
    space.path(SERVER_KEY, "cp-1").write_bytes(b"")


def expose(space: Space) -> None:
    space.path(SERVER_KEY, "cp-2").chmod(0o644)


def expose_kubeconfig(space: Space) -> None:
    space.path(KUBELET, "w-1").chmod(0o640)


def copy_pair(space: Space) -> None:
    shutil.copy(space.path(KUBELET, "w-1"), space.path(KUBELET, "w-2"))


def share(space: Space) -> None:
    """cp-2's API server has cp-1's key, under a certificate of its own."""
    shutil.copy(space.path(SERVER_KEY, "cp-1"), space.path(SERVER_KEY, "cp-2"))
    space.path(SERVER, "cp-2").unlink()
    plan = plan_of(str(space.folder), now=NOW)
    host = plan.of_host(plan.cluster.host("cp-2"))
    for file in plan.make(host, warnings=[]):
        space.path(file.path).write_bytes(file.data)


def wrong_ca(space: Space) -> None:
    other = make_authority(CA, make_key("ECDSA-P256"), validity=timedelta(days=9), now=NOW).bundle
    space.path(f"{PKI}/ca.crt", "w-1").write_bytes(other)


def wrong_server(space: Space) -> None:
    path = space.path(KUBELET, "w-1")
    path.write_text(path.read_text().replace("api.example.internal", "api.example.invalid"))


def ca_key_on_worker(space: Space) -> None:
    shutil.copy(space.path("pki/ca.key"), space.path(f"{PKI}/ca.key", "w-1"))


def ca_key_as_leaf(space: Space) -> None:
    shutil.copy(space.path("pki/ca.key"), space.path(SERVER_KEY, "cp-1"))


Faults = list[tuple[str, str, str, str]]
FAULTS: list[tuple[Callable[[Space], None], Faults]] = [
    (lose, [("create", "w-1", KUBELET, "file-missing")]),
    (empty, [("replace", "cp-1", SERVER, "bad-pem"), ("replace", "cp-1", SERVER_KEY, "bad-pem")]),
    (expose, [("replace", "cp-2", SERVER_KEY, "key-exposed")]),
    (expose_kubeconfig, [("replace", "w-1", KUBELET, "key-exposed")]),
    (copy_pair, [("replace", "w-2", KUBELET, "wrong-node-identity")]),
    (share, [(action, host, path, "shared-key")
             for action, host in (("replace", "cp-1"), ("replace", "cp-2"))
             for path in (SERVER, SERVER_KEY)]),
    (wrong_ca, [("replace", "w-1", f"{PKI}/ca.crt", "unknown-authority")]),
    (wrong_server, [("replace", "w-1", KUBELET, "kubeconfig-broken")]),
    (ca_key_on_worker, [("remove", "w-1", f"{PKI}/ca.key", "ca-key-on-worker")]),
    (ca_key_as_leaf,
     [("replace", "cp-1", path, "key-cert-mismatch shared-key") for path in (SERVER, SERVER_KEY)]),
]


@pytest.mark.parametrize(("change", "expected"), FAULTS,
                         ids=lambda value: getattr(value, "__name__", ""))
def test_each_fault_is_mended_and_the_rest_untouched(space: Space, change: Callable[[Space], None],
                                                     expected: Faults) -> None:
    """The steps name the file and the cause; what they change is in the backup as it was, and then
    nothing is left."""
    change(space)
    before = space.state()
    steps = space.run()
    assert [(step.action, step.host, step.path, step.causes) for step in steps] == [
        (action, host, path, tuple(causes.split())) for action, host, path, causes in expected]
    after, changed = space.state(), {f"nodes/{host}/{path}": action
                                     for action, host, path, _ in expected}
    for path, content in before.items():
        assert path in changed or after[path] == content
    assert {path for path in after if not path.startswith("backup/")} - set(before) == {
        path for path, action in changed.items() if action == "create"}
    assert {path for path in set(before) - set(after)} == {
        path for path, action in changed.items() if action == "remove"}
    assert space.backups() == {path: before[path][2] for path, action in changed.items()
                               if action != "create"}
    assert space.left() == [] and space.run(LATER + timedelta(minutes=1)) == []


def test_a_host_that_is_gone_comes_back(space: Space) -> None:
    """A host without its folder is made whole."""
    lose_host(space)
    assert {item.host for item in space.run()} == {"w-2"} and space.left() == []


def test_an_exposed_key_keeps_its_bytes(space: Space) -> None:
    """Only the mode was wrong."""
    data = space.path(SERVER_KEY, "cp-2").read_bytes()
    expose(space)
    space.run()
    path = space.path(SERVER_KEY, "cp-2")
    assert path.read_bytes() == data and path.stat().st_mode & 0o777 == 0o600


def test_a_shared_key_is_made_anew_on_every_host_that_has_it(space: Space) -> None:
    """Neither host keeps it: who else has it is not known."""
    share(space)
    old = public_key_der(pem.load_key(space.path(SERVER_KEY, "cp-1").read_bytes()))
    space.run()
    new = [public_key_der(pem.load_key(space.path(SERVER_KEY, host).read_bytes()))
           for host in ("cp-1", "cp-2")]
    assert old not in new and len({*new}) == 2


def test_expired_leaves_get_new_dates_and_keep_their_keys(space: Space) -> None:
    """A year later every leaf is made again for the key that it has; no CA and no service accounts'
    key changes."""
    before = space.state()
    space.run(NOW + timedelta(days=400))
    after = space.state()
    assert {path for path in before if path.endswith(".key")
            and before[path] != after[path]} == set()
    leaves = {path for path in before if path.startswith(("nodes/", "users/"))
              and not path.endswith((".key", "ca.crt", "sa.pub"))}
    assert {path for path in before if before[path] != after[path]} == leaves
    assert space.left(NOW + timedelta(days=400)) == []


def test_what_waits_for_a_cas_key_waits_and_all_else_is_done(space: Space) -> None:
    """Without a CA's key, the steps that need it are listed with the missing file; the rows of
    other CAs are repaired."""
    ca = space.path("pki/ca.crt").read_bytes()
    for host in (None, "cp-1", "cp-2"):
        space.path("pki/ca.key" if host is None else f"{PKI}/ca.key", host).unlink()
    peer = f"{PKI}/etcd/peer.crt"
    for host, path in (("w-1", KUBELET), ("cp-1", peer), ("cp-1", SERVER)):
        space.path(path, host).unlink()
    steps = space.run()
    assert [(step.host, step.path) for step in steps] == [("cp-1", peer)]
    assert [(file.host, file.path, file.row, file.needs) for file in space.waiting] == [
        ("cp-1", SERVER, "apiserver", "pki/ca.key"),
        ("w-1", KUBELET, "kubelet-client", "pki/ca.key")]
    assert space.path("pki/ca.crt").read_bytes() == ca and space.left() == []


def test_leaves_cut_to_their_cas_end_are_told_once(tmp_path: Path) -> None:
    """Every leaf is cut, in every process; the warning is one."""
    (tmp_path / "cluster.yaml").write_text(TEXT.format(layout="kubeadm", algorithm="ECDSA-P256")
                                           + "caCertificateValidityPeriod: 240h\n")
    space = Space(tmp_path)
    space.run(NOW)
    assert len(space.warnings) == 1 and "are cut to the end of the CA" in space.warnings[0]


# A fleet: several processes

@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hosts are one, in batches of one."""
    monkeypatch.setattr(fleet_room, "FLEET", 2)
    monkeypatch.setattr(fleet_room, "BATCH", 1)


@pytest.mark.usefixtures("fleet")
def test_several_processes_do_what_one_does(space: Space, tmp_path: Path) -> None:
    """The same files but for keys, serial numbers and dates; warnings and progress reach the
    caller; one backup."""
    other = Space(tmp_path / "new")
    other.folder.mkdir()
    text = space.path("cluster.yaml").read_text() + "caCertificateValidityPeriod: 240h\n"
    other.path("cluster.yaml").write_text(text)
    told: list[tuple[int, int]] = []
    plan, warnings = plan_of(str(other.folder), now=NOW), list[str]()
    steps = [*apply(plan, str(other.folder), now=NOW, done=lambda *progress: told.append(progress),
                    warnings=warnings, processes=2)]
    assert {*steps} == {*plan_of(str(tmp_path), now=NOW, cluster=plan.cluster).steps()}
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)] and len(warnings) == 1
    assert {name: content[0] for name, content in other.state().items()} == {
        name: content[0] for name, content in space.state().items()}
    assert other.left(NOW) == []
    for change in (share, copy_pair, ca_key_on_worker):
        change(space)
    steps = space.run(processes=2)
    assert len(steps) == 6 and len(space.backups()) == 6 and space.left() == []


@pytest.mark.usefixtures("fleet")
def test_an_error_in_a_process_is_the_callers(space: Space,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that cannot be written: the same error as from one process, and what was done stays
    done."""
    lose(space)
    space.path(KUBELET, "w-2").unlink()
    write = workspace.write

    def failing(folder: str, wanted: Sequence[File], **rest: Any) -> Any:
        if any("/w-2/" in item.path for item in wanted):
            raise FileError("w-2/etc/kubernetes/kubelet.conf: injected")
        return write(folder, wanted, **rest)
    monkeypatch.setattr(room, "write", failing)
    with pytest.raises(FileError, match=r"w-2/etc/kubernetes/kubelet\.conf: injected"):
        space.run(processes=2)
    monkeypatch.undo()
    assert [item.host for item in space.left()] == ["w-2"]


@pytest.mark.usefixtures("fleet")
def test_a_folder_in_a_files_place_is_kept_in_the_backup(space: Space) -> None:
    """It makes room for the file, with what is in it; the host is right afterwards."""
    path = space.path(KUBELET, "w-2")
    path.unlink()
    path.mkdir()
    (path / "notes").write_text("mine")
    assert {item.host for item in space.run(processes=1)} == {"w-2"}
    assert path.is_file() and space.left() == []
    assert [path.read_text()
            for path in space.folder.glob(f"backup/*/nodes/w-2/{KUBELET}/notes")] == ["mine"]


@pytest.mark.usefixtures("fleet")
def test_a_process_that_dies_is_an_error(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it for ever, and nobody takes it for done."""
    parent = os.getpid()

    def die(work: object, batch: object) -> None:
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGKILL)
    monkeypatch.setattr(room._Work, "examine", die)
    with pytest.raises(FileError, match=r"ended early \(Killed\)"):
        space.run(processes=2)


def test_processes_end_with_their_parent() -> None:
    """A parent that is killed leaves nobody behind who goes on writing: the lock is theirs as well
    as its."""
    reader, writer = os.pipe()      # at its end once everybody who can write to it is gone
    parent = os.fork()
    if parent == 0:
        def work(batch: int) -> int:
            os.write(writer, b"x")
            while batch:
                signal.pause()
            return batch
        try:
            [*in_turn(work, [1, 1], 2)]
        finally:
            os._exit(1)
    os.close(writer)
    begun = b""
    while len(begun) < 2:
        begun += os.read(reader, 1)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_an_iterator_that_is_closed_ends_its_processes() -> None:
    """Who stops taking results, or is interrupted, leaves no process behind."""
    found = in_turn(lambda batch: os.getpid(), range(8), 2)
    child = next(found)
    found.close()       # type: ignore[attr-defined]
    assert child != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])
def test_a_signal_at_the_end_of_a_process_says_nothing(
        number: signal.Signals, monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str]) -> None:
    """A process that has sent its last result ends without a word, whatever signal it gets."""
    monkeypatch.setattr(multiprocessing.util, "_exit_function",
                        lambda: os.kill(os.getpid(), number))
    assert [*in_turn(lambda batch: batch, range(4), 2)] == [0, 1, 2, 3]
    assert capfd.readouterr().err == ""


def test_a_second_signal_leaves_the_way_back_alone(tmp_path: Path) -> None:
    """What undoes an interrupted batch is not interrupted again."""
    def work(batch: int) -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            (tmp_path / str(batch)).touch()
        return batch

    with pytest.raises(FileError, match="ended early"):
        [*in_turn(work, [1, 2], 2)]
    assert (tmp_path / "1").exists()


def test_a_background_job_is_not_interrupted() -> None:
    """A shell lets its background jobs ignore Control-C, and so do their processes."""
    def work(batch: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return batch

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        found = [*in_turn(work, [1, 2], 2)]
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [1, 2]


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_batches_order(processes: int) -> None:
    """Results come in the order of the batches for any number of processes; one process is this
    one."""
    found = [*in_turn(lambda batch: (batch, os.getpid()), range(5), processes)]
    assert ([batch for batch, _ in found] == [0, 1, 2, 3, 4]
            and len({number for _, number in found}) == processes)
    assert (os.getpid() in {number for _, number in found}) == (processes == 1)


# RSA keys

def test_rsa_keys_are_made_ahead_and_each_is_used_once(tmp_path: Path) -> None:
    """By several threads, for the CAs as for the leaves: all differ, and then nothing is left to
    do."""
    folder = tmp_path / "rsa"
    space = make(folder, algorithm="RSA-2048")
    found = {public_key_der(pem.load_key(path.read_bytes())) for path in folder.rglob("*.key")}
    # the CAs' and the service accounts'; each control plane's; each worker's
    assert len(found) == 4 + 2 * 8 + 2
    assert space.left(NOW) == []


# What is right, and is to be renewed

SOON = NOW + timedelta(days=340)        # what apply has made ends after 365


def served(space: Space) -> tuple[bytes, bytes]:
    return space.path(SERVER, "cp-1").read_bytes(), space.path(SERVER_KEY, "cp-1").read_bytes()


def test_what_ends_soon_is_renewed_for_its_key(space: Space) -> None:
    """Every leaf, and nothing else, is made anew for the key that it has; the old one is in the
    backup, and a second run changes nothing. Without that wish, or with a shorter time, what is
    right stays."""
    before, authorities = served(space), space.path("pki/ca.crt").read_bytes()
    assert space.run(SOON) == [] and space.run(SOON, renew_before=timedelta(days=20)) == []
    steps = space.run(SOON, renew_before=timedelta(days=30))
    leaves = {path for host in ("cp-1", "cp-2", "w-1", "w-2")
              for path in space.path(f"nodes/{host}").rglob("*")
              if path.suffix in (".crt", ".conf") and "ca.crt" not in path.name}
    assert {space.path(step.path, step.host)
            for step in steps} == leaves | {space.path("users/admin.conf")}
    assert ({step.causes for step in steps} == {("expiring-soon",)}
            and {step.action for step in steps} == {"replace"})
    certificate, key = served(space)
    assert (key == before[1] and certificate != before[0]
            and space.path("pki/ca.crt").read_bytes() == authorities)
    old, new = pem.load_certificate(before[0]), pem.load_certificate(certificate)
    assert (new.subject, new.public_key()) == (old.subject, old.public_key())
    assert new.not_valid_after_utc - old.not_valid_after_utc == timedelta(days=340)
    assert space.backups()[f"nodes/cp-1/{SERVER}"] == before[0]
    assert space.run(SOON, renew_before=timedelta(days=30)) == []


def test_what_cannot_last_longer_is_not_renewed_again(space: Space) -> None:
    """A leaf that ends with its CA stays: no certificate is issued past that."""
    end = NOW + timedelta(days=3640)
    space.run(end - timedelta(days=1))
    assert space.run(end, renew_before=timedelta(days=30)) == []


def test_what_outlives_its_ca_is_renewed(space: Space) -> None:
    """The new one ends with the CA."""
    from kpki.stages.certificates import x509_resign
    root = plan_of(str(space.folder), now=NOW).roots["ca"].ready()
    place = space.path(SERVER, "cp-1")
    long = x509_resign(pem.load_certificate(place.read_bytes()), root.certificate, root.key,
                       days=9000, now=NOW)
    place.write_bytes(pem.dump_certificate(long))
    assert space.run() == []
    assert [(item.host, item.path, item.causes)
            for item in space.run(renew_before=timedelta(0))] == [
                ("cp-1", SERVER, ("outlives-ca",))]
    assert (pem.load_certificate(place.read_bytes()).not_valid_after_utc
            <= root.certificate.not_valid_after_utc)


def test_a_cas_key_on_a_worker_stays_if_nobody_else_holds_it(space: Space) -> None:
    """The only copy is not taken away; once a control-plane host has one, it is, and is in the
    backup."""
    held = [space.path("pki/ca.key"),
            *(space.path(f"{PKI}/ca.key", host) for host in ("cp-1", "cp-2"))]
    key, stray = held[0].read_bytes(), space.path(f"{PKI}/ca.key", "w-1")
    for path in held:
        path.unlink()
    stray.write_bytes(key)
    stray.chmod(0o600)
    assert ([item for item in space.run() if item.action == "remove"] == []
            and stray.read_bytes() == key)
    held[1].write_bytes(key)
    held[1].chmod(0o600)
    assert [(item.host, item.path) for item in space.run()
            if item.action == "remove"] == [("w-1", f"{PKI}/ca.key")]
    assert not stray.exists() and space.backups()[f"nodes/w-1/{PKI}/ca.key"] == key
