"""`kpki uses`: its table, its document, its exit status."""
from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.observed.trees import kubeconfig, plant, unit
from tests.hosts.catalogue import HOSTS
from tests.hosts.pki import Shelf
from tests.ordinary_user.user import IS_ROOT, OrdinaryUser

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


def by_hand(told: str) -> dict[str, str]:
    """What each command of an explanation prints in a shell; each must succeed."""
    return {line: subprocess.run(["sh", "-ec", line], capture_output=True, text=True, check=True,
                                 timeout=60).stdout
            for line in re.findall(r"^  (grep .*)$", told, re.MULTILINE)}


def test_how(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """--explain prints commands that show each setting in its source, and no private key."""
    root = plant(tmp_path / "a root", {**TREE, "k": kubeconfig(
        "client-certificate-data: eA==, client-key-data: a2V5",
        "\n    certificate-authority: /ca").replace("client-key-data", "\n    client-key-data")})
    shown = by_hand(kpki("uses", root, "--explain").err)
    assert [*shown] == [f"grep -n -e --kubeconfig -e --client-ca-file '{root}/{UNIT}'",
                        f"grep -n -e certificate-authority -e client-certificate-data '{root}/k'"]
    assert "--client-ca-file=/ca" in "".join(shown.values())
    assert "certificate-authority: /ca" in "".join(shown.values())
    assert "a2V5" not in "".join(shown.values())


@pytest.mark.parametrize("name", [*HOSTS][::5])
def test_how_on_many_hosts(kpki: Callable[..., Any], tmp_path: Path, name: str) -> None:
    """Whatever starts the components, each command runs, and prints something."""
    host = HOSTS[name]
    (tmp_path / "openssl").mkdir()
    host.lay(Shelf({}, tmp_path / "openssl").changed(host.rows), tmp_path / "root")
    shown = by_hand(kpki("uses", tmp_path / "root", "--explain").err)
    assert shown and all(shown.values()) and "key-data: " not in "".join(shown.values())


def test_how_for_an_ordinary_user(ordinary_user: OrdinaryUser) -> None:
    """What this user may not read has no command; the others run."""
    root = ordinary_user.home / "root"
    plant(root, TREE)
    (root / "k").chmod(0 if not IS_ROOT else 0o600)
    told = ordinary_user.run("uses", "root", "--explain")
    lines = re.findall(r"^  (grep .*)$", told.err, re.MULTILINE)
    assert told.status == 2 and [line.split()[-1] for line in lines] == [f"root/{UNIT}"]
    assert "--kubeconfig=/k" in ordinary_user.program("sh", "-c", lines[0]).out
