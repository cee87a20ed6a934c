"""`kpki diagnose --workspace`: which of three is wrong if an authority is unknown."""
from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LINE = ('E1130 04:14:05.1 790 reflector.go:205] "Failed to watch" err="Get \\"https://10.0.0.10:6443/'
        'api/v1/nodes\\": tls: failed to verify certificate: x509: certificate signed by unknown '
        'authority"\n')
SERVER = "nodes/cp-1/etc/kubernetes/pki/apiserver"
KUBELET = "nodes/worker-1/etc/kubernetes/kubelet.conf"


@pytest.fixture(scope="module")
def two_clusters(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two workspaces of one description, with a CA each."""
    from kpki.cli.main import main
    folders = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    for folder in folders:
        assert main(["apply", str(folder), "--example", "--quiet"]) == 0
    return folders


def with_fields_of(mine: str, other: str, *fields: str) -> str:
    """A kubeconfig with some fields of another."""
    for field in fields:
        value = re.findall(rf"{field}: (.*)", other)[0]
        mine = re.sub(rf"{field}: .*", f"{field}: {value}", mine)
    return mine


@pytest.mark.parametrize(("fields", "role", "path", "cause"), [
    ((), "the server's certificate", "etc/kubernetes/pki/apiserver.crt", "unknown-authority"),
    (("certificate-authority-data",), "the client's CA file",
     "etc/kubernetes/kubelet.conf#clusters/kubernetes", "kubeconfig-wrong-ca"),
    (("client-certificate-data", "client-key-data"), "the client's certificate",
     "etc/kubernetes/kubelet.conf#users/system:node:worker-1", "unknown-authority"),
])
def test_which_of_three_is_wrong(
        kpki: Callable[..., Any], two_clusters: tuple[Path, Path], tmp_path: Path,
        fields: tuple[str, ...], role: str, path: str, cause: str) -> None:
    """The server's certificate, the client's CA file or its certificate: the files tell."""
    mine, other = tmp_path / "mine", two_clusters[1]
    shutil.copytree(two_clusters[0], mine)
    (tmp_path / "a.log").write_text(LINE)
    if fields:
        (mine / KUBELET).write_text(with_fields_of(
            (mine / KUBELET).read_text(), (other / KUBELET).read_text(), *fields))
    else:
        for end in (".crt", ".key"):
            shutil.copy(other / f"{SERVER}{end}", mine / f"{SERVER}{end}")
    told = json.loads(kpki("diagnose", "a.log", "--workspace", mine, "--json", status=1).out)
    (diagnosis,) = told["diagnoses"]
    assert [(root["role"], root["path"], root["cause"]) for root in diagnosis["roots"]] \
        == [(role, path, cause)]


def test_no_file_explains_the_line(kpki: Callable[..., Any], two_clusters: tuple[Path, Path],
                                   tmp_path: Path) -> None:
    """If the files are healthy, the other side or a process with old files is named."""
    (tmp_path / "a.log").write_text(LINE)
    told = kpki("diagnose", "a.log", "--workspace", two_clusters[0], status=1)
    assert "no file explains this" in told.out and "root:" not in told.out


@pytest.mark.parametrize("swapped", ["ca.pem", "worker.pem worker-key.pem"])
def test_a_host_with_one_certificate_has_two_candidates(
        kpki: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        swapped: str) -> None:
    """With --root alone a swapped CA file looks like a swapped certificate: both are named."""
    for folder in ("mine", "other"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        kpki("node", "issue", "worker-1", "--example")
    ssl = "example/nodes/worker-1/etc/kubernetes/ssl"
    for name in swapped.split():
        shutil.copy(tmp_path / "other" / ssl / name, tmp_path / "mine" / ssl / name)
    (tmp_path / "a.log").write_text(LINE)
    told = kpki("diagnose", tmp_path / "a.log", "--root",
                tmp_path / "mine/example/nodes/worker-1", status=1).out
    assert "root: etc/kubernetes/ssl/worker.pem" in told
    assert "or etc/kubernetes/ssl/ca.pem is the wrong file: no file of this host tells" in told


def test_another_certificate_of_the_ca_proves_the_ca_file(
        kpki: Callable[..., Any], two_clusters: tuple[Path, Path], tmp_path: Path) -> None:
    """On a control-plane host only the swapped certificate is named."""
    shutil.copytree(two_clusters[0], tmp_path / "mine")
    for end in (".crt", ".key"):
        shutil.copy(two_clusters[1] / f"{SERVER}{end}", tmp_path / f"mine/{SERVER}{end}")
    (tmp_path / "a.log").write_text(LINE)
    told = kpki("diagnose", "a.log", "--root", tmp_path / "mine/nodes/cp-1", "--json", status=1)
    (diagnosis,) = json.loads(told.out)["diagnoses"]
    assert [(root["path"], root["instead"]) for root in diagnosis["roots"]] \
        == [("etc/kubernetes/pki/apiserver.crt", [])]
