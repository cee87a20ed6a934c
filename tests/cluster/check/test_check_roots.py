"""A workspace's faults, each named once, at its root; what a finding says to do mends it, and
touches nothing else."""
from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.main import main

DESCRIPTION = """\
apiVersion: kpki/v1
kind: Cluster
layout: ssl
encryptionAlgorithm: ECDSA-P256
controlPlaneEndpoint: api.example.internal:6443
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: etcd-1, roles: [etcd], addresses: [10.0.0.31]}
- {name: etcd-2, roles: [etcd], addresses: [10.0.0.32]}
- {name: worker-1, addresses: [10.0.0.21]}
"""
SSL = "etc/kubernetes/ssl"
Findings = list[dict[str, Any]]
Check = Callable[[], Findings]


def at(host: str, name: str) -> Path:
    return Path("nodes", host, SSL, f"{name}.pem")


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose control plane has two more etcd hosts."""
    folder = tmp_path_factory.mktemp("healthy") / "cluster"
    folder.mkdir()
    (folder / "cluster.yaml").write_text(DESCRIPTION)
    assert main(["apply", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def workspace(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the current folder."""
    folder = tmp_path / "cluster"
    shutil.copytree(healthy, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def check(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """`kpki check` there: what is wrong, with all that is said of it."""
    def run() -> Findings:
        capsys.readouterr()
        status = main(["check", ".", "--json"])
        found: Findings = json.loads(capsys.readouterr().out)["findings"]
        assert status == bool(found)
        return found
    return run


def mend(finding: dict[str, Any]) -> None:
    """Do what it says, line by line."""
    for line in finding["remedy"]:
        if line.startswith("kpki "):
            assert main([*line.split()[1:], "--quiet"]) == 0, line
        else:
            subprocess.run(["sh", "-ec", line], check=True, timeout=60)


def contents(*but: Path) -> dict[str, bytes]:
    """What is in the files of pki/ and nodes/, but for these."""
    return {str(path): path.read_bytes() for top in ("pki", "nodes")
            for path in Path(top).rglob("*")
            if path.is_file() and path not in but and not path.name.endswith(".aside")}


def test_a_whole_copied_pair_is_the_one_hosts(check: Check) -> None:
    """etcd-2's pair on etcd-1 is a fault of etcd-1; etcd-2, whose pair it is, has no finding."""
    assert check() == []
    pair = [at("etcd-1", name) for name in ("etcd-server", "etcd-server-key")]
    others = contents(*pair)
    for path in pair:
        shutil.copyfile(at("etcd-2", path.stem), path)
    finding, = check()
    assert (finding["cause"], finding["host"], finding["path"]) == (
        "wrong-subject", "etcd-1", f"{SSL}/etcd-server.pem")
    taken = [path.read_bytes() for path in pair]
    mend(finding)
    assert check() == [] and contents(*pair) == others
    assert all(path.read_bytes() != before for path, before in zip(pair, taken, strict=True))


def test_another_hosts_key_is_wrong_where_it_was_put(check: Check) -> None:
    """worker-1's key on etcd-1 is not etcd-1's to keep: it gets one of its own, and worker-1 keeps
    its pair."""
    pair, key = [at("etcd-1", "etcd-peer"),
                 at("etcd-1", "etcd-peer-key")], at("worker-1", "worker-key")
    others = contents(*pair)
    shutil.copyfile(key, pair[1])
    finding, = check()
    assert (finding["cause"], finding["host"], finding["path"]) == (
        "key-cert-mismatch", "etcd-1", f"{SSL}/etcd-peer-key.pem")
    mend(finding)
    assert check() == [] and contents(*pair) == others and pair[1].read_bytes() != key.read_bytes()


@pytest.mark.parametrize(("source", "path", "cause"), [
    ("", "pki/etcd/ca.crt", "bad-pem"),
    ("pki/ca.crt", "pki/front-proxy-ca.crt", "key-cert-mismatch"),
    ("cluster.yaml", "pki/ca.key", "bad-pem")], ids=["emptied", "another", "garbage"])
def test_a_workspaces_ca_comes_back_from_a_host(check: Check, source: str, path: str,
                                                cause: str) -> None:
    """Only the broken half is found; its remedy saves a copy and takes the right half from the host
    that has it."""
    before, broken = contents(), Path(path)
    broken.write_bytes(Path(source).read_bytes() if source else b"")
    finding, = check()
    assert (finding["host"], finding["path"]) == (None, path) and finding["cause"] == cause
    sound = at("cp-1", {"pki/etcd/ca.crt": "etcd-ca", "pki/front-proxy-ca.crt": "front-proxy-ca",
                        "pki/ca.key": "ca-key"}[path])
    assert finding["remedy"] == [f"cp -p {path} {path}.aside", f"cp {sound} {path}", "kpki apply ."]
    mend(finding)
    assert check() == [] and contents() == before


def test_a_workspaces_ca_that_no_host_holds_is_not_made_again(check: Check) -> None:
    """Where there is no copy of it, words say what is to be put back, and apply is not named."""
    for path in (Path("pki/ca.crt"), *Path("nodes").glob("*/etc/kubernetes/ssl/ca.pem")):
        path.write_bytes(b"")
    finding, = check()
    assert finding["path"] == "pki/ca.crt" and [line[0] for line in finding["remedy"]] == ["#"]


def test_a_node_that_the_workspace_does_not_know(workspace: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    """`--node` of a host that cluster.yaml does not list is no answer but a refusal that names
    it."""
    assert main(["check", ".", "--node", "worker-1"]) == 0
    capsys.readouterr()
    assert main(["check", ".", "--node", "nope"]) == 2
    told = capsys.readouterr()
    assert "nope" in told.err and not told.out and "Traceback" not in told.err
