"""What is installed goes where the host's components are told to read it, in whatever layout it was
issued."""
from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpki import files, pem
from kpki.cluster.authority import Authority, load_authority
from kpki.cluster.node.example import example_authority
from kpki.cluster.node.installation import install, plan_install
from kpki.cluster.node.node import issue_into, node_of
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.rules.host import check_node
from kpki.errors import RefusedError
from kpki.kubernetes.kubeconfig import load_kubeconfig
from kpki.kubernetes.layouts import get_layout

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SERVER = "https://10.0.0.10:6443"
UNITS = "etc/systemd/system"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return load_authority(*example_authority(NOW), now=NOW)


def unit(name: str, *flags: str) -> dict[str, str]:
    return {f"{UNITS}/{name}.service": "[Service]\n"
            f"ExecStart=/usr/local/bin/{name} {' '.join(flags)}\n"}


def pod(name: str, *flags: str) -> dict[str, str]:
    volume = {"name": "pki", "hostPath": {"path": "/srv/pki"}}
    container = {"name": name, "command": [name, *flags],
                 "volumeMounts": [{"name": "pki", "mountPath": "/srv/pki"}]}
    return {f"etc/kubernetes/manifests/{name}.yaml": json.dumps({
        "apiVersion": "v1", "kind": "Pod",
        "spec": {"containers": [container], "volumes": [volume]}})}


def kubeconfig(certificate: str, key: str, ca: str) -> str:
    return json.dumps({
        "clusters": [{"name": "c", "cluster": {"server": SERVER, "certificate-authority": ca}}],
        "users": [{"name": "u", "user": {"client-certificate": certificate, "client-key": key}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x"})


CLASSICAL = {
    **unit("kubelet", "--config=/var/lib/kubelet/kubelet-config.yaml",
           "--kubeconfig=/var/lib/kubelet/kubeconfig"),
    "var/lib/kubelet/kubelet-config.yaml": json.dumps({
        "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "authentication": {"x509": {"clientCAFile": "/var/lib/kubernetes/ca.pem"}}, "tlsCertFile":
            "/var/lib/kubelet/w.pem", "tlsPrivateKeyFile": "/var/lib/kubelet/w-key.pem"})}
COMBINED = unit("kubelet", "--tls-cert-file=/srv/w.pem", "--tls-private-key-file=/srv/w.pem",
                "--client-ca-file=/srv/ca.pem", "--kubeconfig=/srv/kubelet.conf")
# Row, layout of what is issued, what the host is told → the paths that are written.
TOLD: dict[str, tuple[str | None, str, Mapping[str, str], set[str]]] = {
    "kubelet-of-the-classical-hard-way": (None, "hard-way", CLASSICAL, {
        "var/lib/kubernetes/ca.pem", "var/lib/kubelet/w.pem", "var/lib/kubelet/w-key.pem",
        "var/lib/kubelet/kubeconfig"}),
    "kubelet-by-paths": (None, "ssl", {
        **unit("kubelet", "--client-ca-file=/srv/ca.pem", "--tls-cert-file=/srv/w.pem",
               "--tls-private-key-file=/srv/w.key", "--kubeconfig=/srv/kubelet.conf"),
        "srv/kubelet.conf": kubeconfig("w.pem", "w.key", "ca.pem")},
        {"srv/ca.pem", "srv/w.pem", "srv/w.key", "srv/kubelet.conf"}),
    "kubelet-in-one-file":
        (None, "ssl", {**COMBINED, "srv/kubelet.conf": kubeconfig("w.pem", "w.pem", "ca.pem")},
         {"srv/ca.pem", "srv/w.pem", "srv/kubelet.conf"}),
    "api-server-without-a-kubelet": ("apiserver", "ssl", unit(
        "kube-apiserver", "--tls-cert-file=/srv/a.crt", "--tls-private-key-file=/srv/a.key",
        "--client-ca-file=/srv/ca.crt"), {"srv/ca.crt", "srv/a.crt", "srv/a.key"}),
    "certificatesDir": ("apiserver", "kubeadm", pod(
        "kube-apiserver", "--tls-cert-file=/srv/pki/apiserver.crt",
        "--tls-private-key-file=/srv/pki/apiserver.key", "--client-ca-file=/srv/pki/ca.crt"),
                        {"srv/pki/ca.crt", "srv/pki/apiserver.crt", "srv/pki/apiserver.key"}),
    "mmumshad-etcd": ("etcd-server", "hard-way", unit(
        "etcd", "--cert-file=/etc/etcd/etcd-server.crt", "--key-file=/etc/etcd/etcd-server.key",
        "--trusted-ca-file=/etc/etcd/ca.crt", "--listen-client-urls=https://10.0.0.21:2379"),
        {"etc/etcd/ca.crt", "etc/etcd/etcd-server.crt", "etc/etcd/etcd-server.key"}),
    "mmumshad-controller-manager": ("kube-controller-manager", "ssl", {
        **unit("kube-controller-manager", "--kubeconfig=/var/lib/kubernetes/kcm.kubeconfig"),
        "var/lib/kubernetes/kcm.kubeconfig": kubeconfig("pki/kcm.crt", "pki/kcm.key",
                                                        "pki/ca.crt")},
        {"var/lib/kubernetes/pki/ca.crt", "var/lib/kubernetes/pki/kcm.crt",
         "var/lib/kubernetes/pki/kcm.key", "var/lib/kubernetes/kcm.kubeconfig"}),
    "kube-proxy": ("kube-proxy", "hard-way", {
        **unit("kube-proxy", "--config=/srv/proxy.yaml"), "srv/proxy.yaml": json.dumps({
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": "/srv/proxy.kubeconfig"}})},
        {"var/lib/kubelet/ca.crt", "srv/proxy.kubeconfig"}),
}


def issued(authority: Authority, folder: Path, row: str | None,
           layout: str) -> tuple[files.File, ...]:
    folder.mkdir(exist_ok=True)
    node = node_of("w", ["10.0.0.21", "10.0.0.10"], [])
    return issue_into(str(folder), authority, node,
                      row=row, server=SERVER, validity=NOW - NOW.replace(year=2025),
                      algorithm="ECDSA-P256", layout=layout, now=NOW, warnings=[])[1]


def planted(root: Path, told: Mapping[str, str]) -> Path:
    for path, text in told.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize("case", TOLD)
def test_files_go_where_the_host_is_told(authority: Authority, tmp_path: Path, case: str) -> None:
    """The files of each component go to the paths that its settings name, in each kind of setting;
    afterwards its row has no error."""
    row, layout, told, wanted = TOLD[case]
    source, root = issued(authority, tmp_path / "tree", row,
                          layout), planted(tmp_path / "root", told)
    plan = plan_install(source, str(root), "w", layout=get_layout(layout), server=None, now=NOW)
    assert {file.path for file in plan.files} == wanted
    install(plan, str(root), now=NOW)
    found = check_node(inspect(str(root), node="w"), node="w", now=NOW)
    assert [item for item in found if item.severity == "error"
            and item.path.partition("#")[0] in wanted] == []


def test_a_combined_file_holds_both_halves(authority: Authority, tmp_path: Path) -> None:
    """Certificate and key, for its owner alone; the kubeconfig names it twice."""
    row, layout, told, _ = TOLD["kubelet-in-one-file"]
    root = planted(tmp_path / "root", told)
    plan = plan_install(issued(authority, tmp_path / "tree", row, layout), str(root), "w",
                        layout=get_layout(layout), server=None, now=NOW)
    pair = next(file for file in plan.files if file.path == "srv/w.pem")
    assert pem.load_certificate(pair.data) and pem.load_key(pair.data) and pair.mode == 0o600
    named = load_kubeconfig(next(file.data for file in plan.files
                                 if file.path == "srv/kubelet.conf"))
    assert {named.certificate.path, named.key.path} <= {"/srv/w.pem", "w.pem"}


def test_another_component_that_is_broken_keeps_nothing_out(authority: Authority,
                                                            tmp_path: Path) -> None:
    """What is wrong with the host beside the files is no reason to refuse them; what is wrong with
    them is."""
    told = {**TOLD["api-server-without-a-kubelet"][2],
            **unit("etcd", "--cert-file=/srv/e.crt", "--key-file=/srv/e.key")}
    source, root = issued(authority, tmp_path / "tree", "apiserver",
                          "ssl"), planted(tmp_path / "root", told)
    layout = get_layout("ssl")
    assert plan_install(source, str(root), "w", layout=layout, server=None, now=NOW).files
    with pytest.raises(RefusedError, match="expired"):
        plan_install(source, str(root), "w", layout=layout, server=None, now=NOW.replace(year=2036))


@pytest.mark.parametrize("row", ["apiserver", "admin"])
def test_what_nobody_is_told_to_read_is_judged_all_the_same(authority: Authority, tmp_path: Path,
                                                            row: str) -> None:
    """A file that no component of the host reads goes where the layout has it, if it is fit."""
    told = unit("kube-apiserver", "--client-ca-file=/etc/kubernetes/ssl/ca.pem")
    source, root = issued(authority, tmp_path / "tree", row,
                          "ssl"), planted(tmp_path / "root", told)
    layout = get_layout("ssl")
    assert f"etc/kubernetes/ssl/{row}.pem" in {
        file.path
        for file in plan_install(source, str(root), "w", layout=layout, server=None, now=NOW).files}
    with pytest.raises(RefusedError, match="expired"):
        plan_install(source, str(root), "w", layout=layout, server=None, now=NOW.replace(year=2036))
