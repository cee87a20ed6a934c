"""find_leak: what each key gives its holder, each place that uses the key, and the commands."""
from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from kpki import genpkey, pem, req_new
from kpki.cluster.leak import Leak, find_leak
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import InputError
from kpki.kubernetes.powers import POWERS
from kpki.kubernetes.profiles import PROFILES

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: ECDSA-P256
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
"""
PKI = "etc/kubernetes/pki"


@pytest.fixture(scope="module", params=["kubeadm", "ssl"])
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace as apply makes it."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "cluster.yaml").write_text(TEXT.format(layout=request.param))
    with locked(str(folder), NOW):
        for _ in apply(plan_of(str(folder), now=NOW), str(folder), now=NOW):
            pass
    return folder


def reads_nothing(path: str) -> NoReturn:
    raise AssertionError(path)


def leak(data: bytes, place: Path) -> Leak:
    return find_leak(data, str(place), now=NOW, host_name="", read=reads_nothing)


def test_every_row_has_a_power() -> None:
    """The table says something of each row of the profiles, and of no other."""
    assert {*POWERS} == {profile.name for profile in PROFILES}


@pytest.mark.parametrize("row", ["ca", "etcd-ca", "front-proxy-ca", "service-accounts"])
def test_a_signers_key(workspace: Path, row: str) -> None:
    """Its certificate or public half tells as much as the key: who holds it, who trusts it, and
    that it must be exchanged."""
    name = {"etcd-ca": "etcd/ca", "service-accounts": "sa"}.get(row, row)
    public = ".pub" if row == "service-accounts" else ".crt"
    halves = [workspace / f"pki/{name}{end}" for end in (".key", public)]
    found = leak(halves[0].read_bytes(), workspace)
    assert leak(halves[1].read_bytes(), workspace) == found
    assert [(holder.row, holder.power) for holder in found.holders] == [(row, POWERS[row])]
    assert found.commands == (f"kpki rotate {row} --workspace {workspace}",)
    hosts = {place.host for place in found.places}
    assert hosts == ({None, "cp-1", "worker-1"} if row == "ca" else {None, "cp-1"})
    assert {place.row for place in found.places} == {row}


def test_a_leafs_key(workspace: Path) -> None:
    """A key of one host is named there alone, and gets a new key there."""
    key = next(path for path in (workspace / "nodes/cp-1").rglob("apiserver*")
               if path.name in ("apiserver.key", "apiserver-key.pem"))
    found = leak(key.read_bytes(), workspace)
    assert [(holder.row, holder.user) for holder in found.holders] == [
        ("apiserver", "kube-apiserver")]
    assert [(place.host, place.row) for place in found.places] == [("cp-1", "apiserver")]
    assert found.commands == (
        f"kpki renew --new-key --workspace {workspace} cp-1/apiserver",)
    assert leak(key.read_bytes(), workspace / "nodes/cp-1").commands == (
        f"kpki renew --new-key --root {workspace}/nodes/cp-1 apiserver",)
    assert leak(key.read_bytes(), workspace / "nodes/worker-1").places == ()


def test_a_kubeconfig(workspace: Path) -> None:
    """The pair of its user counts, and not its CA; groups and end are the certificate's."""
    found = leak((workspace / "users/admin.conf").read_bytes(), workspace)
    holder, = found.holders
    assert holder.user == "kubernetes-admin" and len(holder.groups) == 1
    assert holder.not_after is not None and holder.not_after.year == 2031
    assert [place.path.partition("#")[0] for place in found.places] == ["users/admin.conf"]
    assert found.commands == (f"kpki renew --new-key --workspace {workspace} admin",)


def test_a_key_on_two_hosts(workspace: Path, tmp_path: Path) -> None:
    """A pair that was copied is named on each host, with one command for all."""
    folder = Path(shutil.copytree(workspace, tmp_path / "w"))
    for path in [path for path in (folder / "nodes/worker-1").rglob("*") if path.is_file()]:
        copy = folder / "nodes/cp-1" / path.relative_to(folder / "nodes/worker-1")
        if copy.exists() and b"PRIVATE" not in copy.read_bytes()[:30]:
            shutil.copy(path, copy)
    name = "etc/kubernetes/kubelet.conf"
    data = (folder / "nodes/worker-1" / name).read_bytes() \
        if (folder / "nodes/worker-1" / name).exists() \
        else (folder / "nodes/worker-1/etc/kubernetes/ssl/worker.pem").read_bytes()
    found = leak(data, folder)
    assert [place.host for place in found.places] == ["cp-1", "worker-1"]
    assert found.commands[0].count("/kubelet") == 2 and len(found.commands) == 1


def test_a_key_that_is_used_nowhere(workspace: Path) -> None:
    """Nothing is claimed of it; a request for it tells what it would be."""
    key = genpkey("EC", curve="P-256")
    assert leak(pem.dump_key(key), workspace) == Leak((), (), ())
    csr = req_new(key, subject="/O=developers/CN=alice")
    holder, = leak(pem.dump_csr(csr), workspace).holders
    assert (holder.user, holder.groups) == ("alice", ("developers",))


@pytest.mark.parametrize("data", [b"", b"hello", b"apiVersion: v1\nkind: Config\nusers: []\n"])
def test_a_file_without_a_key(workspace: Path, data: bytes) -> None:
    """A file that has nothing to do with a key is refused."""
    with pytest.raises(InputError, match="the file has no key that kpki can read"):
        leak(data, workspace)
