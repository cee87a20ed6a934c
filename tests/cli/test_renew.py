"""`kpki renew`: what it prints, its document, its exit status."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: ssl
encryptionAlgorithm: ECDSA-P256
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: worker-1, addresses: [10.0.0.21]}
"""


@pytest.fixture
def workspace(kpki: Callable[..., Any], tmp_path: Path) -> Path:
    """A workspace as apply makes it."""
    (tmp_path / "cluster.yaml").write_text(TEXT)
    kpki("apply", "--quiet")
    return tmp_path


def test_in_a_workspace(kpki: Callable[..., Any], workspace: Path) -> None:
    """Files on standard output; then the number, what to hand out, and what to restart."""
    assert kpki("renew").err == "kpki: nothing to renew: no certificate ends within 30d\n"
    told = kpki("renew", "worker-1")
    assert told.out == ("worker-1: etc/kubernetes/ssl/worker.pem\n"
                        "worker-1: etc/kubernetes/ssl/kube-proxy.pem\n")
    assert told.err == """kpki: 2 certificates renewed
next: copy the tree of each host there, and: kpki node install worker-1 --node worker-1
then, on worker-1:
  systemctl restart kubelet
  systemctl restart kube-proxy
"""
    assert kpki("renew", "worker-1", "--quiet").err == ""
    assert kpki("check").out == ""


def test_a_workspace_elsewhere(kpki: Callable[..., Any], workspace: Path,
                               tmp_path_factory: pytest.TempPathFactory,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    """--workspace names the folder; a folder without a description is refused."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert kpki("renew", "--workspace", workspace,
                "cp-1/etcd-peer").out == "cp-1: etc/kubernetes/ssl/etcd-peer.pem\n"
    assert "there is no such file, so nothing describes the cluster" in kpki("renew", status=2).err


def test_on_a_host(kpki: Callable[..., Any], workspace: Path) -> None:
    """--root renews on a host with its CAs' keys; a worker's certificates wait for the key."""
    told = kpki("renew", "--root", "nodes/cp-1", "--within", "400d")
    assert "etc/kubernetes/ssl/apiserver.pem\n" in told.out and "systemctl restart etcd" in told.err
    told = kpki("renew", "--root", "nodes/worker-1", "--all", status=1)
    assert (told.out, told.err.splitlines()) == ("", [
        "kpki: etc/kubernetes/ssl/worker.pem waits for the key of CN=kubernetes",
        "kpki: etc/kubernetes/ssl/kube-proxy.pem waits for the key of CN=kubernetes",
        "kpki: nothing to renew"])
    assert not (workspace / "nodes/worker-1/var").exists()


def test_the_document(kpki: Callable[..., Any], workspace: Path) -> None:
    """The same as one JSON document."""
    told = json.loads(kpki("renew", "admin", "--json").out)
    assert told == {"written": [{"host": None, "path": "users/admin.conf", "row": "admin",
                                 "action": "replace"}], "waiting": []}


def test_cas(kpki: Callable[..., Any], workspace: Path) -> None:
    """--ca renews CAs: by date, by name, or all; on a host, the next commands are those of the
    other hosts."""
    assert kpki("renew", "--ca").err == "kpki: nothing to renew: no CA ends within 30d\n"
    told = kpki("renew", "--ca", "--all")
    assert "worker-1: etc/kubernetes/ssl/ca.pem\n" in told.out
    assert told.err == """kpki: 3 CAs renewed
Kubeconfigs elsewhere and kube-public/cluster-info hold the old certificate too.
next: copy the tree of each host there, and: kpki node install cp-1 --node cp-1
then, on cp-1:
  systemctl restart etcd
  systemctl restart kube-apiserver
  systemctl restart kube-controller-manager
  systemctl restart kube-scheduler
  systemctl restart kubelet
  systemctl restart kube-proxy
then, on worker-1:
  systemctl restart kubelet
  systemctl restart kube-proxy
"""
    told = kpki("renew", "--ca", "etcd-ca", "--root", "nodes/cp-1")
    assert (told.out, told.err) == ("etc/kubernetes/ssl/etcd-ca.pem\n", """kpki: 1 CA renewed
next: copy the new certificate of each CA over the old on every other host, and there:
      kpki renew --ca --root /
then:
  systemctl restart etcd
  systemctl restart kube-apiserver
""")
    assert "waits for the key of CN=kubernetes" in kpki("renew",
                                                        "--ca",
                                                        "ca",
                                                        "--root",
                                                        "nodes/worker-1",
                                                        status=1).err
    written = json.loads(kpki("renew", "--ca", "ca", "--json", "--explain").out)["written"]
    assert written[0] == {"host": None, "path": "pki/ca.crt", "row": "ca", "action": "replace"}


@pytest.mark.parametrize(("words", "message"), [
    (["--ca", "--new-key"
      ], "a CA with a new key is another CA, and no leaf of the old CA is its own"),
    (["--ca", "worker-1"], ".: no CA of 'worker-1' is there"),
    (["--all", "worker-1"], "names, --all and --within are three ways to choose"),
    (["--all", "--within", "3d"], "names, --all and --within are three ways to choose"),
    (["--within", "soon"], "--within: 'soon' is no time span"),
    (["worker-7"], ".: no certificate of 'worker-7' is there"),
    (["--root", "none"], "none: no such file or directory"),
])
def test_what_makes_no_sense(kpki: Callable[..., Any], workspace: Path, words: list[str],
                             message: str) -> None:
    """A wrong option or name is refused, and nothing is changed."""
    assert kpki("renew", *words, status=2).refusal() == message
    assert not (workspace / "backup").exists()


def test_a_locked_ca_key_wants_its_passphrase(kpki: Callable[..., Any], workspace: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """--passin opens an encrypted key; a wrong passphrase is refused."""
    monkeypatch.setenv("SECRET", "word")
    kpki("ec", "-in", "pki/ca.key", "-aes256", "-passout", "env:SECRET", "-out", "pki/ca.key")
    assert kpki("renew", "admin", "--passin", "env:SECRET").out == "users/admin.conf\n"
    assert "pki/ca.key" in kpki("renew", "admin", "--passin", "pass:other", status=2).refusal()
