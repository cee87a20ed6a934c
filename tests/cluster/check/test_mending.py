"""What a remedy names, and what it does not: addresses that the host tells, CAs that are proved,
paths in the root."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki import pem
from kpki.cli.main import main
from kpki.stages.certificates import req_x509, x509_resign
from kpki.stages.keys import genpkey

DESCRIPTION = """\
apiVersion: kpki/v1
kind: Cluster
layout: kubeadm
encryptionAlgorithm: ECDSA-P256
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}
- {name: w-1, addresses: [10.0.0.21]}
controlPlaneEndpoint: 10.0.0.99:6443
"""
PKI, MANIFESTS = "etc/kubernetes/pki", "etc/kubernetes/manifests"
ETCD = (
    "--advertise-client-urls=https://127.0.0.1:2379,https://10.0.0.10:2379",
    "--client-cert-auth=true", f"--cert-file=/{PKI}/etcd/server.crt",
    f"--key-file=/{PKI}/etcd/server.key", "--peer-client-cert-auth=true",
    f"--peer-cert-file=/{PKI}/etcd/peer.crt", f"--peer-key-file=/{PKI}/etcd/peer.key",
    f"--peer-trusted-ca-file=/{PKI}/etcd/ca.crt", f"--trusted-ca-file=/{PKI}/etcd/ca.crt")
Findings = list[dict[str, Any]]
Check = Callable[..., Findings]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace, as apply makes it."""
    folder = tmp_path_factory.mktemp("healthy") / "cluster"
    folder.mkdir()
    (folder / "cluster.yaml").write_text(DESCRIPTION)
    assert main(["apply", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def host(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """cp-1's tree, as `host` in the current folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(healthy / "nodes/cp-1", "host"))


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """`kpki check`: the findings with all that is said of them."""
    def run(*words: str) -> Findings:
        capsys.readouterr()
        main(["check", *words, "--json"])
        found: Findings = json.loads(capsys.readouterr().out)["findings"]
        return found
    return run


def issued(found: Findings, row: str) -> str:
    """The command that issues a row's certificate."""
    lines = {line for item in found for line in item["remedy"]}
    command, = (line for line in lines if line.startswith(f"kpki node issue cp-1 --row {row} "))
    return str(command)


def put(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def unit(host: Path) -> None:
    """The kubelet's unit, as a package brings one: drop-ins and /etc/default/kubelet may add
    flags."""
    put(host / "usr/lib/systemd/system/kubelet.service", """\
[Service]
EnvironmentFile=-/etc/default/kubelet
ExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf $KUBELET_EXTRA_ARGS \
$KUBELET_NODE_ARGS
""")


def manifest(host: Path, name: str, *flags: str, folder: str = MANIFESTS) -> None:
    """A static pod in a folder, and the configuration that leads the kubelet to its pods."""
    put(host / "var/lib/kubelet/config.yaml", f"""\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{x509: {{clientCAFile: /{PKI}/ca.crt}}}}
staticPodPath: /{MANIFESTS}
""")
    words = json.dumps([name, *flags])
    put(host / folder / f"{name}.yaml",
        f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{command: {words}}}]}}\n")


def without_leaves(host: Path) -> None:
    """No certificate of a server is there any more, and nothing of the kubelet's."""
    for path in (f"{PKI}/apiserver.crt", f"{PKI}/etcd/server.crt", f"{PKI}/etcd/peer.crt"):
        (host / path).write_bytes(b"")
    for name in ("controller-manager", "scheduler"):
        config = host / f"etc/kubernetes/{name}.conf"
        config.write_bytes(config.read_bytes().replace(b"https://10.0.0.10:6443",
                                                       b"https://api.example.internal:6443"))


def told_by_sister(host: Path) -> None:
    shutil.copyfile(host / f"{PKI}/etcd/server.crt", "kept")
    without_leaves(host)
    shutil.copyfile("kept", host / f"{PKI}/etcd/server.crt")


def told_by_neighbours(host: Path) -> None:
    """etcd's certificate is cp-2's, which says nothing of cp-1."""
    without_leaves(host)
    shutil.copyfile(host.parent / "cp-2.crt", host / f"{PKI}/etcd/server.crt")


def told_by_kubelet(host: Path) -> None:
    told_by_no_unit(host)
    unit(host)


def told_by_no_unit(host: Path) -> None:
    """Nothing reads the kubelet's variables."""
    without_leaves(host)
    put(host / "etc/default/kubelet", "KUBELET_EXTRA_ARGS=--node-ip=10.0.0.10\n")


def told_by_api_server(host: Path) -> None:
    without_leaves(host)
    manifest(host, "kube-apiserver", "--advertise-address=10.0.0.10")


def told_by_etcd(host: Path) -> None:
    without_leaves(host)
    manifest(host, "etcd", *ETCD)


def told_by_no_pod(host: Path) -> None:
    """The manifest is kept where no kubelet looks for pods."""
    without_leaves(host)
    manifest(host, "etcd", *ETCD, folder="etc/kubernetes/kept")


def told_by_kubeconfig(host: Path) -> None:
    without_leaves(host)
    path = host / "etc/kubernetes/scheduler.conf"
    path.write_bytes(path.read_bytes().replace(b"api.example.internal", b"10.0.0.10"))


def told_by_hosts(host: Path) -> None:
    without_leaves(host)
    (host / "etc/hosts").write_text("127.0.0.1 cp-1\n10.0.0.11 cp-2\n"
                                    "10.0.0.10 cp-1.internal cp-1\n")


@pytest.mark.parametrize(("tells", "address"), [
    (without_leaves, "ADDRESS"), (told_by_neighbours, "ADDRESS"), (told_by_sister, "10.0.0.10"),
    (told_by_no_unit, "ADDRESS"), (told_by_no_pod, "ADDRESS"), (told_by_kubelet, "10.0.0.10"),
    (told_by_api_server, "10.0.0.10"), (told_by_etcd, "10.0.0.10"),
    (told_by_kubeconfig, "10.0.0.10"), (told_by_hosts, "10.0.0.10")],
    ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_an_address_is_asked_for_only_if_no_file_tells(host: Path, check: Check, healthy: Path,
                                                       tells: Callable[[Path], None],
                                                       address: str) -> None:
    """Flags, sister certificates, kubeconfigs of the control plane and the table of hosts are asked
    in turn; another host's certificate, a loopback address and flags that start nothing tell
    nothing."""
    shutil.copyfile(healthy / f"nodes/cp-2/{PKI}/etcd/server.crt", "cp-2.crt")
    tells(host)
    found = check("host", "--node", "cp-1")
    words = issued(found, "etcd-peer").split()
    assert [value for option, value in zip(words, words[1:]) if option == "--address"] == [address]


# CAs

def another(path: Path) -> None:
    """Another key in a CA's place."""
    path.write_bytes(pem.dump_key(genpkey("EC", curve="P-256")))


def test_a_ca_that_no_leaf_proves_is_not_made_again(host: Path, check: Check) -> None:
    """Its key alone does not tell its name. With a leaf that the key has signed it does."""
    manifest(host, "kube-apiserver", f"--requestheader-client-ca-file=/{PKI}/front-proxy-ca.crt")
    (host / f"{PKI}/front-proxy-ca.crt").unlink()
    finding, = check("host", "--node", "cp-1")
    assert any(line.startswith("printf ") and " | kpki req -x509 " in line
               for line in finding["remedy"])
    (host / f"{PKI}/front-proxy-client.crt").unlink()
    (host / f"{PKI}/front-proxy-client.key").unlink()
    finding, = check("host", "--node", "cp-1")
    assert [line[0] for line in finding["remedy"]] == ["#"]
    shutil.copyfile(host / f"{PKI}/apiserver.crt", host / f"{PKI}/front-proxy-client.crt")
    shutil.copyfile(host / f"{PKI}/apiserver.key", host / f"{PKI}/front-proxy-client.key")
    found = check("host", "--node", "cp-1")
    assert f"{PKI}/front-proxy-ca.crt" in {item["path"] for item in found}
    assert not any("kpki req" in line for item in found for line in item["remedy"])


@pytest.mark.parametrize("spoil", ["", "key", "bundle"])
def test_a_ca_is_renewed_by_the_key_that_it_is_for(host: Path, check: Check, spoil: str) -> None:
    """Another key would make another CA of it; a bundle with the certificate twice is no
    obstacle."""
    path, key = host / f"{PKI}/front-proxy-ca.crt", host / f"{PKI}/front-proxy-ca.key"
    old = pem.load_certificate(path.read_bytes())
    expired = req_x509(pem.load_key(key.read_bytes()), subject="/CN=front-proxy-ca", days=1,
                       now=old.not_valid_before_utc.replace(year=2020))
    path.write_bytes(pem.dump_certificate(expired) * (2 if spoil == "bundle" else 1))
    if spoil == "key":
        another(key)
    found = [item for item in check("host", "--node", "cp-1")
             if item["path"].endswith("front-proxy-ca.crt")]
    commands = [line for item in found for line in item["remedy"] if not line.startswith("#")]
    assert commands == ([] if spoil == "key" else ["kpki renew --ca --root host front-proxy-ca"])


def test_a_cas_key_goes_once_the_same_key_is_named(healthy: Path, check: Check, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """rm is printed only if `--ca-key` is that very key, in another file."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(healthy / "nodes/w-1", "host")
    shutil.copyfile(healthy / "pki/ca.key", f"host/{PKI}/ca.key")
    os.chmod(f"host/{PKI}/ca.key", 0o600)
    ca, other = str(healthy / "pki/ca.crt"), genpkey("EC", curve="P-256")
    Path("other.key").write_bytes(pem.dump_key(other))
    Path("other.crt").write_bytes(pem.dump_certificate(req_x509(other, subject="/CN=kubernetes")))
    own = ["--ca", ca, "--ca-key", f"host/{PKI}/ca.key"]
    stray = ["--ca", "other.crt", "--ca-key", "other.key"]
    for words, starts in (([], "# "), (["--ca", ca], "# "), (own, "# "), (stray, "# "),
                          (["--ca", ca, "--ca-key", str(healthy / "pki/ca.key")], "rm ")):
        line, = [line for item in check("host", "--node", "w-1", *words)
                 if item["cause"] == "ca-key-on-worker"
                 for line in item["remedy"]]
        assert line.startswith(starts), words


# Paths

def test_no_command_leaves_the_root_by_a_link(host: Path, check: Check) -> None:
    """An absolute link is followed as on the host: what is changed lies in the tree."""
    key = host / f"{PKI}/apiserver.key"
    (host / "srv").mkdir()
    key.rename(host / "srv/real.key")
    key.symlink_to("/srv/real.key")
    (host / "srv/real.key").chmod(0o644)
    finding, = check("host", "--node", "cp-1")
    assert (finding["cause"], finding["path"], finding["remedy"]) == (
        "key-exposed", f"{PKI}/apiserver.key", ["chmod 600 host/srv/real.key"])


@pytest.mark.parametrize("names", [[], ["20-certificates"], ["99-x", "zz-certificates"]])
def test_a_wrong_flag_is_put_right_where_it_stands(host: Path, check: Check,
                                                   names: list[str]) -> None:
    """No drop-in wins over an environment file: the file that says the path says another, and all
    else in it stays."""
    folder, told = host / "etc/systemd/system/kubelet.service.d", host / "etc/default/kubelet"
    unit(host)
    put(told, f"# /{PKI}/nowhere.crt.old\nKUBELET_EXTRA_ARGS=--client-ca-file=/{PKI}/nowhere.crt\n")
    for name in names:
        put(folder / f"{name}.conf",
            "[Service]\nEnvironment=KUBELET_NODE_ARGS=--node-ip=10.0.0.10\n")
    before = {path: path.read_text() for path in folder.glob("*")}
    finding, = [item for item in check("host", "--node", "cp-1")
                if item["cause"] == "flags-mismatch"]
    subprocess.run(["sh", "-e"], input="\n".join(finding["remedy"]), text=True, check=True,
                   timeout=60)
    assert told.read_text() == (f"# /{PKI}/nowhere.crt.old\n"
                                f"KUBELET_EXTRA_ARGS=--client-ca-file=/{PKI}/ca.crt\n")
    assert {path: path.read_text() for path in folder.glob("*")} == before
    assert "flags-mismatch" not in {item["cause"] for item in check("host", "--node", "cp-1")}


def test_a_workspaces_own_ca_that_has_ended_is_renewed(healthy: Path, check: Check, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own key, on every host; then apply renews what ended with it, and nothing else is made
    anew."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(healthy, "cluster")
    path, key = Path("cluster/pki/etcd/ca.crt"), Path("cluster/pki/etcd/ca.key")
    old = pem.load_certificate(path.read_bytes())
    ended = pem.dump_certificate(x509_resign(old, None, pem.load_key(key.read_bytes()), days=1,
                                             now=old.not_valid_before_utc.replace(year=2020)))
    for place in (path, *Path("cluster/nodes").glob(f"*/{PKI}/etcd/ca.crt")):
        place.write_bytes(ended)
    finding, = check("cluster")
    assert (finding["cause"], finding["path"],
            finding["host"]) == ("expired-ca", "pki/etcd/ca.crt", None)
    assert finding["remedy"] == ["kpki renew --ca etcd-ca --workspace cluster",
                                 "kpki apply cluster"]
    leaf = Path(f"cluster/nodes/cp-1/{PKI}/etcd/server.crt").read_bytes()
    for line in finding["remedy"]:
        assert main([*line.split()[1:]]) == 0, line
    assert (check("cluster") == []
            and Path(f"cluster/nodes/cp-1/{PKI}/etcd/server.crt").read_bytes() == leaf)
    another(key)
    path.write_bytes(ended)
    finding, = check("cluster")
    assert not any("renew" in line for line in finding["remedy"])


@pytest.mark.parametrize(("starts", "restarted"), [
    ([], ["systemctl restart kubelet"]),
    (["etcd.service"], []),
    (["etcd.service", "kubelet.service"], ["systemctl restart kubelet"]),
    (["etcd.yaml"], ["systemctl restart kubelet"])])
def test_a_kubelet_is_restarted_on_a_host_that_has_one(starts: list[str], restarted: list[str],
                                                       host: Path, check: Check,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    """Units that start all but the kubelet say that the host has none; static pods, or nothing,
    that it has one."""
    for name in starts:
        if name == "kubelet.service":
            unit(host)
        elif name == "etcd.yaml":
            manifest(host, "etcd", *ETCD)
        else:
            put(host / "etc/systemd/system" / name,
                f"[Service]\nExecStart=/usr/bin/etcd {' '.join(ETCD)}\n")
    (host / "etc/kubernetes/kubelet.conf").write_bytes(b"")
    assert [item["cause"] for item in check("host", "--node", "cp-1")] == ["kubeconfig-broken"]
    main(["check", "host", "--node", "cp-1", "--commands", "--quiet"])
    told = capsys.readouterr().out
    assert [line.partition(": ")[2] for line in told.splitlines()
            if "systemctl restart" in line] == restarted
