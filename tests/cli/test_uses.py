"""`kpki uses`: its table, its document, its exit status."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.observed.trees import kubeconfig, plant, unit

UNIT = "etc/systemd/system/kubelet.service"
TREE = {UNIT: unit("ExecStart=/usr/bin/kubelet --kubeconfig=/k --client-ca-file=/ca"),
        "k": kubeconfig("token: t", "certificate-authority: /ca")}


def test_the_table(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """A row for each use; the source of a default stands in brackets."""
    told = kpki("uses", plant(tmp_path, TREE))
    assert [line.split() for line in told.out.splitlines()] == [
        ["COMPONENT", "SETTING", "PATH", "PURPOSE", "SOURCE"],
        ["kubelet", "--tls-cert-file", "var/lib/kubelet/pki/kubelet.crt", "kubelet-serving",
         f"({UNIT})"],
        ["kubelet", "--tls-private-key-file", "var/lib/kubelet/pki/kubelet.key", "kubelet-serving",
         f"({UNIT})"],
        ["kubelet", "--kubeconfig", "k", "kubelet-client", UNIT],
        ["kubelet", "clusters/c/certificate-authority", "ca", "apiserver-ca", "k"],
        ["kubelet", "--client-ca-file", "ca", "kubelet-client-ca", UNIT]]
    assert told.err == ""


def test_what_nobody_is_told(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """If nothing starts a component, its files lie where the layout has them: those that are there
    are listed."""
    told = kpki("uses", plant(tmp_path, {"etc/kubernetes/pki/ca.crt": "",
                                         "etc/kubernetes/pki/apiserver.crt": "",
                                         "etc/kubernetes/pki/apiserver.key": ""})).out
    lines = [line.split() for line in told.splitlines()]
    assert ["kube-apiserver", "etc/kubernetes/pki/apiserver.crt", "(layout)"] in [
        [line[0], line[2], line[-1]] for line in lines]
    assert "apiserver-kubelet-client.crt" not in told


def test_the_document(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """The same as one JSON document."""
    told = json.loads(kpki("uses", plant(tmp_path, TREE), "--json").out)
    assert told["host"] is None and len(told["uses"]) == 5
    assert told["uses"][2] == {"component": "kubelet", "setting": "--kubeconfig", "source": UNIT,
                               "path": "k", "purpose": "kubelet-client", "default": False}


def test_nothing_is_told(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """A tree that tells nothing is said to, unless nothing is to be said."""
    assert (kpki("uses", tmp_path).err
            == f"kpki: {tmp_path}: no setting names a file for a component\n")
    assert kpki("uses", tmp_path, "--quiet").err == ""
    assert (kpki("uses", tmp_path / "none", status=2).refusal()
            == f"{tmp_path}/none: no such file or directory")


def test_what_cannot_be_read(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """A folder in a file's place cannot be read, a link out of the tree is not: both are said, the
    former is 2."""
    plant(tmp_path / "root",
          {UNIT: unit("ExecStart=/usr/bin/kubelet --client-ca-file=/out"), "out -> ../x": ""})
    told = kpki("uses", tmp_path / "root")
    assert told.err == f"kpki: warning: {UNIT} names out, which leads out of {tmp_path}/root\n"
    (tmp_path / "root/out").unlink()
    (tmp_path / "root/out").mkdir()
    assert "not read: " in kpki("uses", tmp_path / "root", status=2).err


def test_how(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """--explain says what is read, and how to look for oneself."""
    assert "systemctl cat kubelet" in kpki("uses", plant(tmp_path, TREE), "--explain").err
