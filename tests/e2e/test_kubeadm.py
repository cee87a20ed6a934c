"""The real kubeadm beside kpki: the same fields from the same documents, and each keeps what the
other made."""
from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Wanted, made
from tests.e2e.hosts import Host
from tests.e2e.rig import Rig

SCRIPT = Path(__file__).parents[2] / "scripts/kubeadm.py"
CERTIFICATES = {
    "apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "etcd-healthcheck-client",
    "etcd-peer", "etcd-server", "front-proxy-client", "admin.conf", "super-admin.conf",
    "controller-manager.conf", "scheduler.conf"}
CONFIGURATION = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: {version}
"""


@pytest.fixture(scope="module")
def host(rig: Rig) -> Iterator[Host]:
    """A control-plane host with kpki's files, on which nothing runs."""
    cluster = made(rig, Wanted(namespaces=True))
    assert isinstance(cluster.cp, Host)
    version = cluster.cp.run("kubeadm version -o short").stdout.strip()
    cluster.cp.write("/run/kubeadm.yaml", CONFIGURATION.format(version=version))
    yield cluster.cp
    cluster.cp.end()


def expiry(host: Host) -> dict[str, bool]:
    """What `kubeadm certs check-expiration` lists → whether the file is there."""
    listed = json.loads(
        host.run("kubeadm certs check-expiration --config /run/kubeadm.yaml -o json").stdout)
    return {item["name"]: not item["missing"] for item in listed["certificates"]}


def test_expiration(host: Host) -> None:
    """`kubeadm certs check-expiration` reads every certificate of kpki's, and misses one that is
    gone."""
    assert expiry(host) == dict.fromkeys(CERTIFICATES, True)
    host.run("mv /etc/kubernetes/pki/apiserver.crt /run")
    assert expiry(host) == {**dict.fromkeys(CERTIFICATES, True), "apiserver": False}
    host.run("mv /run/apiserver.crt /etc/kubernetes/pki")


def test_same_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """Both make the same fields, but for those that docs/kubeadm.md lists, and keep each other's
    files."""
    program = shutil.which("kubeadm")
    compare = runpy.run_path(str(SCRIPT))
    status = compare["main"](program)
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.count("differ, as the page says, in") == len(compare["DOCUMENTS"]) >= 15


def test_wrong_expectations_fail(capsys: pytest.CaptureFixture[str]) -> None:
    """With a known difference taken from the list the comparison fails, and says which."""
    compare = runpy.run_path(str(SCRIPT))
    compare["KNOWN"].remove("keyUsage of a CA")
    name, document = next(iter(compare["DOCUMENTS"].items()))
    compare["DOCUMENTS"].clear()
    compare["DOCUMENTS"][name] = document
    assert compare["main"](shutil.which("kubeadm")) == 1
    assert "! keyUsage of a CA: kubeadm " in capsys.readouterr().out
