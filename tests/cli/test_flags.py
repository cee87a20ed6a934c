"""`kpki flags`: the result on stdout and nothing else, words on stderr, and one message for what
cannot be."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kpki.cluster.desired.description import load_cluster
from kpki.cluster.desired.example import example_description
from kpki.cluster.flags import component_flags
from kpki.kubernetes.components import COMPONENTS, KUBELET_COMPONENT
from kpki.kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig

Kpki = Callable[..., Any]


@pytest.fixture
def describe(tmp_path: Path) -> Callable[..., None]:
    """Write the example's cluster.yaml, with a line of it exchanged."""
    def write(layout: str = "ssl", old: str = "", new: str = "", folder: str = ".") -> None:
        text = example_description(layout)
        assert old in text
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cluster.yaml").write_text(text.replace(old, new) if old else text)
    return write


def test_one_flag_a_line_and_nothing_else(kpki: Kpki, describe: Callable[..., None]) -> None:
    """On standard output; on standard error there is nothing to say."""
    describe()
    told = kpki("flags", "kubelet", "--node", "worker-2")
    assert told.out == ("--client-ca-file=/etc/kubernetes/ssl/ca.pem\n"
                        "--tls-cert-file=/etc/kubernetes/ssl/worker.pem\n"
                        "--tls-private-key-file=/etc/kubernetes/ssl/worker-key.pem\n"
                        "--kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml\n")
    assert told.err == ""
    assert kpki("flags", "kubelet", "--node", "worker-2", "--format", "flags").out == told.out


def test_the_workspace_may_be_elsewhere(kpki: Kpki, describe: Callable[..., None]) -> None:
    """--workspace names it; without a description the file and the next step are named."""
    describe(folder="there")
    assert ("--cert-file=/etc/kubernetes/ssl/etcd-server.pem\n"
            in kpki("flags", "etcd", "--workspace", "there").out)
    told = kpki("flags", "etcd", status=2)
    assert told.refusal().startswith("cluster.yaml: ") and "kpki init" in told.err
    assert kpki("flags", "etcd", "--workspace", "no",
                status=2).refusal().startswith("no/cluster.yaml: ")


def test_json_has_the_names_without_dashes(kpki: Kpki, describe: Callable[..., None]) -> None:
    """The component, the host it was worked out for, and the flags in their order."""
    describe("kubeadm")
    told = json.loads(kpki("flags", "kube-scheduler", "--json").out)
    conf = "/etc/kubernetes/scheduler.conf"
    assert told == {"component": "kube-scheduler", "host": "cp-1", "flags": {
        "kubeconfig": conf, "authentication-kubeconfig": conf, "authorization-kubeconfig": conf}}
    refusal = kpki("flags", "etcd", "--json", "--format", "config", status=2).refusal()
    assert refusal == "--json and --format are two forms of one answer"


def test_a_drop_in_for_systemd(kpki: Kpki, describe: Callable[..., None]) -> None:
    """One [Service], and a comment that says which word ExecStart needs."""
    describe("kubeadm")
    told = kpki("flags", "kubelet", "--node", "cp-1", "--format", "systemd")
    assert told.out.splitlines()[-2:] == [
        "[Service]", 'Environment="KUBELET_EXTRA_ARGS=--client-ca-file=/etc/kubernetes/pki/ca.crt '
        '--kubeconfig=/etc/kubernetes/kubelet.conf"']
    assert "needs the word $KUBELET_EXTRA_ARGS" in told.out and told.err == ""
    assert 'Environment="KUBE_APISERVER_CERT_ARGS=--client-ca-file=' in kpki(
        "flags", "kube-apiserver", "--format", "systemd").out


@pytest.mark.parametrize(("component", "stays"), [
    ("kubelet", ["--kubeconfig"]),
    ("kube-scheduler", ["--authentication-kubeconfig", "--authorization-kubeconfig"]),
    ("kube-proxy", []), ("etcd", [])])
def test_a_configuration_file_and_what_stays_a_flag(kpki: Kpki, describe: Callable[..., None],
                                                    component: str, stays: list[str]) -> None:
    """The file on stdout; the flags that remain are named in it, and on stderr unless --quiet."""
    describe()
    told = kpki("flags", component, "--node", "cp-1", "--format", "config")
    assert yaml.safe_load(told.out)
    assert all(f"# stays a flag: {flag}=" in told.out and f" {flag}=" in told.err for flag in stays)
    assert bool(told.err) == bool(stays)
    quiet = kpki("flags", component, "--node", "cp-1", "--format", "config", "--quiet")
    assert (quiet.out, quiet.err) == (told.out, "")


@pytest.mark.parametrize(("layout", "words", "message"), [
    ("ssl", ["kube-apiserver", "--format", "config"], "kube-apiserver has no configuration file"),
    ("ssl", ["kube-controller-manager", "--format", "config"],
     "kube-controller-manager has no configuration file"),
    *(("kubeadm", ["kube-proxy", "--node", "cp-1", "--format", form], "under layout kubeadm "
       "kube-proxy has no file to name: kube-proxy runs as a pod, with a service account's token")
      for form in ("flags", "systemd", "config")),
    ("ssl", ["kube-apiserver", "--node", "worker-1"], "worker-1 does not run kube-apiserver, for "
     "worker-1 lacks the role control-plane; hosts with the role: cp-1"),
    ("ssl", ["kubelet"],
     "3 nodes run kubelet, so --node must name a node: cp-1, worker-1, worker-2"),
    ("ssl", ["kubelet", "--node", "worker-9"], "there is no node 'worker-9' in the description"),
    ("ssl", ["kubelets"], "unknown component 'kubelets'"),
    ("ssl", ["etcd", "--format", "yaml"], "--format: 'yaml' is none of flags, systemd, config")])
def test_what_cannot_be_is_one_message(kpki: Kpki, describe: Callable[..., None], layout: str,
                                       words: list[str], message: str) -> None:
    """Exit status 2, nothing on standard output."""
    describe(layout)
    assert kpki("flags", *words, status=2).refusal().startswith(message)


def test_a_description_that_is_wrong_is_named(kpki: Kpki, describe: Callable[..., None]) -> None:
    """File, line and field."""
    describe("ssl", "addresses: [10.0.0.22]", "addresses: [10.0.0.256]", folder="w")
    refusal = kpki("flags", "etcd", "--workspace", "w", status=2).refusal()
    assert refusal.startswith("w/cluster.yaml: line ") and "nodes[2].addresses[0]" in refusal


def test_an_external_etcds_flags_are_not_ours(kpki: Kpki, describe: Callable[..., None]) -> None:
    """etcd itself is refused; the API server's flags name the description's paths."""
    describe("ssl", "roles: [control-plane, etcd]", "roles: [control-plane]")
    with open("cluster.yaml", "a") as file:
        file.write("etcd: {external: {caFile: /e/ca, certFile: /e/c, keyFile: /e/k}}\n")
    assert kpki("flags", "etcd", status=2).refusal().startswith("etcd is external")
    told = kpki("flags", "kube-apiserver").out
    assert "--etcd-cafile=/e/ca\n--etcd-certfile=/e/c\n--etcd-keyfile=/e/k\n" in told


def test_a_ca_whose_key_no_host_gets_is_warned_about(kpki: Kpki, describe: Callable[..., None],
                                                     pki: Path) -> None:
    """The signing flags are left out with one warning; of a bundle the signer's own file is
    named."""
    given = "certificateAuthorities: {{kubernetes: {{certificate: {0}/{1}, key: {0}/{2}}}}}"
    describe("ssl", "certificateAuthorities: {}", given.format(pki, "ca.pem", "ca-encrypted.key"))
    told = kpki("flags", "kube-controller-manager")
    assert ("--cluster-signing" not in told.out
            and told.err.startswith("kpki: warning: no host gets the CA's key"))
    assert kpki("flags", "kube-controller-manager", "--quiet").err == ""
    assert kpki("flags", "kube-apiserver").err == ""
    describe("ssl", "certificateAuthorities: {}", given.format(pki, "bundle.pem", "ca.key"))
    told = kpki("flags", "kube-controller-manager")
    assert ("--cluster-signing-cert-file=/etc/kubernetes/ssl/ca-signer.pem\n" in told.out
            and told.err == "")
    describe("ssl", "certificateAuthorities: {}", given.format(pki, "no.pem", "ca.key"))
    assert str(pki / "no.pem") in kpki("flags", "kube-controller-manager", status=2).refusal()


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_each_flag_is_explained(kpki: Kpki, describe: Callable[..., None], component: Any) -> None:
    """A line for what it is for, and for a file one with the command that shows it; stdout stays as
    it is."""
    describe("hard-way")
    told = kpki("flags", component.name, "--node", "cp-1", "--explain")
    assert told.out == kpki("flags", component.name, "--node", "cp-1").out
    lines = told.err.splitlines()
    cluster = load_cluster(example_description("hard-way"))
    for name, value in component_flags(cluster, component.name, cluster.hosts[0]).items():
        index = lines.index(f"--{name}: {component.flag(name).meaning}")
        assert not value.startswith("/") or value in lines[index + 1]


@pytest.mark.parametrize("layout", ["ssl", "hard-way"])
def test_openssl_shows_the_files_that_are_explained(kpki: Kpki, describe: Callable[..., None],
                                                    tmp_path: Path, pki: Path, layout: str) -> None:
    """Each command runs as it stands on the host, and none shows a private key."""
    describe(layout)
    told = kpki("flags", "kubelet", "--node", "worker-1", "--explain")
    commands = [line.strip() for line in told.err.splitlines() if line.startswith("  ")]
    certificate, key = ((pki / name).read_bytes() for name in ("other.pem", "other.key"))
    document = dump_kubeconfig(Kubeconfig(
        cluster_name="c", user_name="u", context_name="x", server="https://10.0.0.10:6443",
        authority=Material(data=certificate), certificate=Material(data=certificate),
        key=Material(data=key)))
    for line in told.out.splitlines():
        name, path = line.removeprefix("--").split("=")
        part = KUBELET_COMPONENT.flag(name).part
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_bytes({"certificate": certificate, "key": key,
                                           "kubeconfig": document}[part])
    assert len(commands) == 4
    for command in commands:
        here = command.replace(" /etc/", f" {tmp_path}/etc/").replace(" /var/", f" {tmp_path}/var/")
        done = subprocess.run(["sh", "-c", here], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0, f"{here}: {done.stderr}"
        assert "Subject: CN = kube-ca" in done.stdout or "Key is valid" in done.stdout
        assert "priv" not in done.stdout.lower()
