"""kpki renew --ca in a workspace and on hosts: every copy, what waits, what is issued anew, and
runs that are cut off."""
from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from kpki import pem, req_new, x509_req
from kpki.cluster.check.check import check
from kpki.cluster.lifecycle.authority_renewal import named_serial
from kpki.cluster.lifecycle.expiry import read_certificates
from kpki.cluster.lifecycle.renew import Order, Renewal, renew_workspace
from kpki.cluster.lifecycle.renew_authorities import (
    renew_host_authorities,
    renew_workspace_authorities,
)
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import FileError, InputError, KpkiError
from tests.support.disk import AtCall

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = NOW + 4000 * DAY      # every CA and every leaf has ended
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: ECDSA-P256
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
"""
Files = dict[str, bytes]


def make(folder: Path, layout: str = "kubeadm", more: str = "") -> Path:
    """A workspace as apply makes it."""
    (folder / "cluster.yaml").write_text(TEXT.format(layout=layout) + more)
    with locked(str(folder), NOW):
        for _ in apply(plan_of(str(folder), now=NOW), str(folder), now=NOW):
            pass
    return folder


@pytest.fixture(scope="module")
def kubeadm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("kubeadm"))


@pytest.fixture
def workspace(kubeadm: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kubeadm, tmp_path / "w"))


def renew(folder: Path, *names: str, now: datetime = NOW, processes: int = 1,
          everything: bool = False) -> Renewal:
    return renew_workspace_authorities(str(folder), Order(names, everything),
                                       passphrase=lambda _: None, now=now, host_name="",
                                       warnings=[], processes=processes)


def renew_on_host(root: Path, *names: str, now: datetime = NOW) -> Renewal:
    return renew_host_authorities(str(root), Order(names), passphrase=lambda _: None, now=now,
                                  warnings=[])


def authorities(folder: Path) -> set[tuple[str, datetime, int]]:
    """Each certificate of a CA: subject, end, serial number."""
    return {(str(found.subject), found.not_after, found.serial_number)
            for found in read_certificates(folder).certificates if "CA" in found.usages}


def files_of(folder: Path) -> Files:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".kpki.lock", "lock") and "backup" not in path.parts
    }


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
def test_an_ended_cluster_is_brought_back(tmp_path: Path, layout: str) -> None:
    """`renew --ca`, then `renew`: every copy of a CA is the same again, no key is new, and check
    finds nothing wrong."""
    make(tmp_path, layout)
    keys = {
        path: data
        for path, data in files_of(tmp_path).items() if path.endswith(("key", "key.pem"))
    }
    done = renew(tmp_path, now=LATER)
    assert (done.renewed, done.waiting, done.reissued) == (3, (), ()) and done.ending == 0
    assert {end
            for _, end, _ in authorities(tmp_path)} == {LATER + 3650 * DAY} and len(
                authorities(tmp_path)) == 3
    assert renew(tmp_path, now=LATER).steps == ()
    again = renew_workspace(str(tmp_path),
                            Order(),
                            passphrase=lambda _: None,
                            now=LATER,
                            host_name="",
                            warnings=[])
    assert again.renewed > 10 and check(str(tmp_path), now=LATER).findings == []
    assert {path: data for path, data in files_of(tmp_path).items() if path in keys} == keys
    restarts = {host: commands for commands, hosts in done.restarts for host in hosts}
    assert {*restarts} == {"cp-1", "worker-1"}
    if layout != "kubeadm":
        assert restarts["cp-1"][0] == "systemctl restart etcd"
        assert restarts["worker-1"] == ("systemctl restart kubelet", "systemctl restart kube-proxy")


def test_a_name_renews_one_ca(workspace: Path) -> None:
    """The row of a CA is renewed whatever its dates are; no file of another CA is touched."""
    before = files_of(workspace)
    done = renew(workspace, "etcd-ca", now=NOW + DAY)
    after = files_of(workspace)
    pki = "etc/kubernetes/pki/etcd/ca.crt"
    assert {path
            for path in after
            if after[path] != before[path]} == {"pki/etcd/ca.crt", f"nodes/cp-1/{pki}"}
    assert [(step.host, step.path, step.row) for step in done.steps] == [
        (None, "pki/etcd/ca.crt", "etcd-ca"), ("cp-1", pki, "etcd-ca")]
    assert check(str(workspace), now=NOW +
                 DAY).findings == [] and not [*plan_of(str(workspace), now=NOW + DAY).steps()]
    with pytest.raises(InputError, match="no CA of 'apiserver' is there"):
        renew(workspace, "apiserver")


def test_leaves_that_end_with_the_old_ca_are_counted(workspace: Path) -> None:
    """A leaf that was cut to the CA's end keeps that end; the warning counts such leaves."""
    near = NOW + 3500 * DAY
    renew_workspace(str(workspace),
                    Order(everything=True),
                    passphrase=lambda _: None,
                    now=near,
                    host_name="",
                    warnings=[])
    cut = sum("CA" not in found.usages for found in read_certificates(workspace).certificates)
    assert renew(workspace, everything=True, now=near).ending == cut > 10


def pinned(folder: Path) -> Path:
    """An API server's certificate that names its CA's serial number, in a host's tree."""
    pki = folder / "etc/kubernetes/pki"
    ca, (key, ca_key) = pem.load_certificate((pki / "ca.crt").read_bytes()), (
        pem.load_key((pki / name).read_bytes()) for name in ("apiserver.key", "ca.key"))
    text = ("subjectAltName = DNS:kubernetes, IP:10.0.0.10\n"
            "keyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth\n"
            "authorityKeyIdentifier = keyid, issuer:always\n")
    leaf = x509_req(req_new(key, subject="/CN=kube-apiserver"), ca, ca_key, days=3000, now=NOW,
                    extfile=text)
    (pki / "apiserver.crt").write_bytes(pem.dump_certificate(leaf))
    return pki / "apiserver.crt"


def test_a_leaf_that_names_the_serial_number_is_issued_anew(workspace: Path) -> None:
    """It is named, its names stay, and it names no serial number any more; no other leaf
    changes."""
    path = pinned(workspace / "nodes/cp-1")
    old = pem.load_certificate(path.read_bytes())
    assert named_serial(old) is not None
    done = renew(workspace, "ca")
    new = pem.load_certificate(path.read_bytes())
    assert done.reissued == (("cp-1",
                              "etc/kubernetes/pki/apiserver.crt"), ) and named_serial(new) is None
    assert new.extensions.get_extension_for_class(x509.SubjectAlternativeName) == \
        old.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [step.path for step in done.steps if step.path.endswith(".crt") and step.host == "cp-1"
            ] == ["etc/kubernetes/pki/ca.crt", "etc/kubernetes/pki/apiserver.crt"]
    assert renew(workspace, now=NOW).steps == ()


def test_a_control_plane_renews_and_a_worker_takes_over(workspace: Path, tmp_path: Path) -> None:
    """The host with the keys makes the certificates; a host without gives every copy of it what was
    put in place of one; what another host has waits for nothing."""
    control, worker = workspace / "nodes/cp-1", workspace / "nodes/worker-1"
    path = "etc/kubernetes/pki/ca.crt"
    waits = renew_on_host(worker, now=LATER)
    assert [(waiting.path, waiting.needs)
            for waiting in waits.waiting] == [(path, "the key of CN=kubernetes")]
    assert waits.steps == () and not (worker / "var").exists()
    done = renew_on_host(control, now=LATER)
    assert (done.renewed, {step.row
                           for step in done.steps}) == (3, {"ca", "etcd-ca", "front-proxy-ca"})
    assert len(authorities(control)) == 3 and renew_on_host(control, now=LATER).steps == ()
    shutil.copy(control / path, worker / path)
    assert len(authorities(worker)) == 2
    taken = renew_on_host(worker, now=LATER)
    assert ([step.path
             for step in taken.steps], taken.waiting) == (["etc/kubernetes/kubelet.conf"], ())
    assert authorities(worker) < authorities(control)
    assert [commands for commands, _ in taken.restarts] == [("systemctl restart kubelet",)]


def test_a_leaf_that_names_the_serial_number_waits_without_the_key(workspace: Path,
                                                                   tmp_path: Path) -> None:
    """A host that takes a certificate over cannot issue a leaf anew, and says so."""
    control, other = workspace / "nodes/cp-1", tmp_path / "other"
    path = pinned(control)
    shutil.copytree(control, other)
    (other / "etc/kubernetes/pki/ca.key").unlink()
    renew_on_host(control, "ca")
    shutil.copy(control / "etc/kubernetes/pki/ca.crt", other / "etc/kubernetes/pki/ca.crt")
    leaf = (other / path.relative_to(control)).read_bytes()
    done = renew_on_host(other)
    assert [(waiting.path, waiting.row)
            for waiting in done.waiting] == [("etc/kubernetes/pki/apiserver.crt", "apiserver")]
    assert done.steps and (other / path.relative_to(control)).read_bytes() == leaf


def test_a_ca_of_the_description_waits(workspace: Path, tmp_path: Path) -> None:
    """Its file is never replaced; what its owner puts there reaches every copy."""
    given = tmp_path / "given"
    given.mkdir()
    for name in ("ca.crt", "ca.key"):
        shutil.copy(workspace / "pki" / name, given / name)
    (workspace / "cluster.yaml").write_text(TEXT.format(layout="kubeadm") + (
        "certificateAuthorities:\n"
        f"  kubernetes: {{certificate: {given}/ca.crt, key: {given}/ca.key}}\n"))
    old = (given / "ca.crt").read_bytes()
    done = renew(workspace, "ca")
    assert [waiting.needs for waiting in done.waiting] == [
        "new dates in its own place: kpki replaces no file of the description"]
    assert done.steps == () and (given / "ca.crt").read_bytes() == old
    from kpki.cluster.lifecycle.authority_renewal import renewed_authority
    (given / "ca.crt").write_bytes(pem.dump_certificate(renewed_authority(
        pem.load_certificate(old), pem.load_key((given / "ca.key").read_bytes()), now=LATER)))
    done = renew(workspace, now=LATER)
    assert {step.path
            for step in done.steps
            if step.row == "ca" and step.host is None} == {"pki/ca.crt", "users/admin.conf"}
    assert (workspace / "pki/ca.crt").read_bytes() == (given / "ca.crt").read_bytes()


def test_two_processes_do_the_same(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet gets the certificates by several processes."""
    monkeypatch.setattr("kpki.cluster.fleet.survey.FLEET", 1)
    done = renew(workspace, everything=True, processes=2)
    assert done.renewed == 3 and len(authorities(workspace)) == 3


# Cut off

def leaves(folder: Path) -> Renewal:
    return renew_workspace(str(folder),
                           Order(everything=True),
                           passphrase=lambda _: None,
                           now=NOW + DAY,
                           host_name="",
                           warnings=[],
                           processes=1)


WORK: dict[str, Callable[[Path], Renewal]] = {
    "renew --ca": partial(renew, everything=True, now=NOW + DAY),
    "renew --all": leaves
}


def assert_whole(folder: Path, before: Files) -> None:
    """Each file is as it was, or new and whole; the copy of what was replaced is there."""
    kept = [path.read_bytes() for path in (folder / "backup").rglob("*") if path.is_file()]
    found = files_of(folder)
    for path, data in before.items():
        assert found[path] == data or data in kept, path
    findings = check(str(folder), now=NOW + DAY).findings
    assert [finding for finding in findings if finding.severity == "error"] == []
    assert all("another certificate of" in finding.message for finding in findings)


@pytest.mark.usefixtures("syncs_at_once")
@pytest.mark.parametrize("work", WORK)
def test_a_kill_leaves_whole_files(work: str, kubeadm: Path, tmp_path: Path,
                                   killed_at: Callable[[int, Callable[[], object]], bool]) -> None:
    """Ended at any call that changes something, every file is old or new and the cluster's files
    fit; the next run ends with one certificate of each CA."""
    before = files_of(kubeadm)
    for number in steps():
        folder = Path(shutil.copytree(kubeadm, tmp_path / str(number)))
        cut = killed_at(number, partial(WORK[work], folder))
        assert_whole(folder, before)
        WORK[work](folder)
        assert len(authorities(folder)) == 3 and check(str(folder), now=NOW + DAY).findings == []
        assert not [path for path in folder.rglob("*") if ".kpki-" in path.name]
        shutil.rmtree(folder)
        if not cut:
            return


def steps() -> Iterator[int]:
    """Some calls, close together at first: with all of them the test would take minutes."""
    number = 1
    while True:
        yield number
        number += number // 2 + 1


@pytest.mark.usefixtures("syncs_at_once")
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("work", WORK)
def test_a_failing_disk_changes_nothing_or_all(
        work: str, error: int, kubeadm: Path, tmp_path: Path,
        at_call: AtCall) -> None:
    """A disk that refuses every call from some moment on: the error names the file, and the files
    still fit."""
    def refuse(_name: str, call: partial[object]) -> object:
        raise OSError(error, os.strerror(error),
                      call.args[0] if isinstance(call.args[0], str) else None)
    before, failed = files_of(kubeadm), 0
    for number in (3, 40, 120):
        folder = Path(shutil.copytree(kubeadm, tmp_path / str(number)))
        with at_call(number, refuse, on=True):
            try:
                WORK[work](folder)
            except KpkiError as problem:
                assert isinstance(problem, FileError) and str(folder) in problem.message
                failed += 1
        assert_whole(folder, before)
        WORK[work](folder)
        assert check(str(folder), now=NOW + DAY).findings == []
        shutil.rmtree(folder)
    assert failed
