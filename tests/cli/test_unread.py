"""The command for a user who may not read everything: what is not his to read is named once, and
nothing is written."""
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.main import main

Dropped = Callable[[], AbstractContextManager[None]]
SSL = "etc/kubernetes/ssl"
KEY, CERTIFICATE = f"{SSL}/worker-key.pem", f"{SSL}/worker.pem"
TREE = "nodes/worker-1"
CA = ("--ca", "pki/ca.crt", "--ca-key", "pki/ca.key")
NAMES = ("--address", "192.0.2.11", "--server", "https://192.0.2.10:6443")
DESCRIPTION = """\
apiVersion: kpki/v1
kind: Cluster
layout: ssl
encryptionAlgorithm: ECDSA-P256
controlPlaneEndpoint: api.example.internal:6443
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [192.0.2.10]}
- {name: worker-1, addresses: [192.0.2.11]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace, with a request beside its nodes."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "cluster.yaml").write_text(DESCRIPTION)
    assert main(["apply", str(folder), "--quiet"]) == 0
    assert main(["node", "request", "worker-1", "--layout", "ssl", "--out", str(folder / "asked"),
                 "--quiet", "--address", "192.0.2.11"]) == 0
    return folder


@pytest.fixture
def space(made: Path, shared_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workspace, which belongs to an ordinary user, as the current folder."""
    folder = shared_path / "space"
    shutil.copytree(made, folder)
    for path in (folder, *folder.rglob("*")):
        if os.geteuid() == 0:
            os.lchown(path, 65534, 65534)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def kpki(space: Path, capsys: pytest.CaptureFixture[str],
         as_nobody: Dropped) -> Callable[..., tuple[str, str]]:
    """Run one command line as that user."""
    def run(*words: str, status: int, closed: tuple[str, ...] = ()) -> tuple[str, str]:
        for path in closed:
            (space / path).chmod(0)
        capsys.readouterr()
        try:
            with as_nobody():
                got = main(words)
        finally:
            for path in closed:
                (space / path).chmod(0o700)
        told = capsys.readouterr()
        assert got == status and "Traceback" not in told.err, f"{got}\n{told.out}{told.err}"
        return told.out, told.err
    return run


def held(space: Path) -> Iterator[tuple[str, int, bytes]]:
    """Every file below the workspace but the locks, with its content and the moment of its last
    change."""
    for path in sorted(space.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name not in (".kpki.lock", "lock"):
            yield str(path.relative_to(space)), path.stat().st_mtime_ns, path.read_bytes()


def test_check_names_what_is_not_checked_once(kpki: Any) -> None:
    """On stderr, also with --quiet, with the next step; in JSON by host and path. The status is
    neither yes nor no."""
    assert kpki("check", TREE, "--quiet", status=0) == ("", "")
    out, err = kpki("check", TREE, closed=(f"{TREE}/{KEY}",), status=2)
    assert out == "" and err.splitlines() == [
        "kpki: worker-1: nothing wrong in what could be read (3 certificates read)",
        f"kpki: {KEY}: permission denied, not checked", "kpki: hint: run kpki check as root"]
    out, err = kpki("check", TREE, "--json", "--quiet", closed=(f"{TREE}/{KEY}",), status=2)
    assert json.loads(out) == {"findings": [], "certificates": 3,
                               "unread": [{"host": None, "path": KEY}]}
    assert err.splitlines() == [f"kpki: {KEY}: permission denied, not checked",
                                "kpki: hint: run kpki check as root"]


def test_an_error_in_what_could_be_read_is_the_answer(kpki: Any, space: Path) -> None:
    """With an error the status is 1, whatever else is not known; no command names what is
    unread."""
    (space / TREE / CERTIFICATE).write_bytes((space / "nodes/cp-1" / CERTIFICATE).read_bytes())
    out, err = kpki("check", TREE, closed=(f"{TREE}/{KEY}",), status=1)
    assert "wrong-node-identity" in out and KEY not in out and KEY in err


def test_a_ca_whose_key_is_unread_is_not_given_up(kpki: Any, space: Path) -> None:
    """What mends an expired CA hangs on its key: of a key that cannot be read nobody says that the
    key is lost."""
    (space / "nodes/cp-1").rename(space / "host")
    (space / "cluster.yaml").unlink()
    words = ("check", "host", "--node", "cp-1", "--at", "2099-01-01", "--json")
    for closed, line in (((), "kpki renew --ca"),
                         ((f"host/{SSL}/ca-key.pem",), "# what mends it depends on a file")):
        out, _ = kpki(*words, closed=closed, status=1)
        finding, = (finding for finding in json.loads(out)["findings"]
                    if finding["path"] == f"{SSL}/ca.pem")
        assert finding["cause"] == "expired-ca" and any(item.startswith(line)
                                                        for item in finding["remedy"]), finding


@pytest.mark.parametrize(("words", "status"), [((), 2), (("--strict",), 1)])
def test_a_warning_counts_if_asked(kpki: Any, words: tuple[str, ...], status: int) -> None:
    """expiring-soon beside an unread file: the rest is unknown, or with --strict the answer is
    no."""
    from datetime import datetime, timedelta
    late = datetime.now(UTC) + timedelta(days=350)
    out, _ = kpki("check", TREE, "--at", late.isoformat(), *words, closed=(f"{TREE}/{KEY}",),
                  status=status)
    assert "expiring-soon" in out


def test_a_workspaces_unread_files_are_its_hosts(kpki: Any) -> None:
    """Unread files are listed with their host, or with none if they are the workspace's own;
    without the CA's certificate there is no finding."""
    closed = (f"{TREE}/{KEY}", "pki/ca.key", "nodes/cp-1/etc")
    out, _ = kpki("check", ".", "--json", closed=("pki/sa.key",), status=2)
    assert (json.loads(out)["findings"] == []
            and json.loads(out)["unread"] == [{"host": None, "path": "pki/sa.key"}])
    out, _ = kpki("check", ".", "--json", closed=closed, status=2)
    assert json.loads(out)["findings"] == [] and sorted(
        json.loads(out)["unread"], key=lambda item: item["path"]) == [
            {"host": "cp-1", "path": "etc"}, {"host": "worker-1", "path": KEY},
            {"host": None, "path": "pki/ca.key"}]
    out, _ = kpki("check", ".", "--json", closed=("pki/ca.crt",), status=2)
    assert json.loads(out) == {"findings": [], "certificates": 0,
                               "unread": [{"host": None, "path": "pki/ca.crt"}]}
    _, err = kpki("check", ".", "--quiet", closed=(f"{TREE}/{KEY}",), status=2)
    assert err.splitlines()[0] == f"kpki: worker-1: {KEY}: permission denied, not checked"


@pytest.mark.parametrize(("words", "closed", "named"), [
    (("plan",), "pki/ca.key", "pki/ca.key"),
    (("plan",), f"{TREE}/{KEY}", f"{TREE}/{KEY}"),
    (("plan", "--json"), f"{TREE}/{CERTIFICATE}", f"{TREE}/{CERTIFICATE}"),
    (("plan",), "pki", "pki"),
    (("plan",), "cluster.yaml", "cluster.yaml"),
    (("script",), "pki/ca.key", "pki/ca.key"),
    (("apply",), f"{TREE}/{KEY}", f"{TREE}/{KEY}"),
    (("apply",), f"{TREE}/{SSL}", f"{TREE}/{SSL}"),
    (("apply",), "pki/ca.key", "pki/ca.key"),
    (("init", "new", "--from", TREE), f"{TREE}/{KEY}", f"{TREE}/{KEY}"),
    (("init", "new", "--from", TREE, "--node", "worker-1"), f"{TREE}/{SSL}", f"{TREE}/{SSL}"),
    (("show", f"{TREE}/{KEY}"), f"{TREE}/{KEY}", f"{TREE}/{KEY}"),
    (("show", f"{TREE}/{CERTIFICATE}"), f"{TREE}/{SSL}", f"{TREE}/{SSL}"),
    (("show", f"{TREE}/etc/kubernetes/worker-kubeconfig.yaml"), f"{TREE}/{KEY}", f"{TREE}/{KEY}"),
    (("node", "issue", "worker-1", *CA, *NAMES), "pki/ca.key", "pki/ca.key"),
    (("node", "issue", "worker-1", *CA, *NAMES), f"{TREE}/{KEY}", f"{TREE}/{KEY}"),
    (("node", "issue", "worker-1", *CA, *NAMES), f"{TREE}/{CERTIFICATE}", f"{TREE}/{CERTIFICATE}"),
    (("node", "request", "worker-1", "--address", "192.0.2.11"), f"{TREE}/{KEY}", f"{TREE}/{KEY}"),
    (("node", "sign", "asked/worker-1.csr", "--node", "worker-1", *CA), "asked/worker-1.csr",
     "asked/worker-1.csr"),
    (("node", "sign", "asked/worker-1.csr", "--node", "worker-1", *CA), "pki/ca.key", "pki/ca.key"),
    (("node", "install", TREE, "--node", "worker-1", "--root", "root"), f"{TREE}/{KEY}",
     f"{TREE}/{KEY}"),
    (("node", "install", TREE, "--node", "cp-1", "--root", "nodes/cp-1"), f"nodes/cp-1/{KEY}",
     f"nodes/cp-1/{KEY}"),
    (("flags", "kube-controller-manager", "--node", "cp-1"), "pki/ca.key", "pki/ca.key"),
    (("kubeconfig", "jane", *CA, *NAMES[2:]), "pki/ca.key", "pki/ca.key"),
    (("kubeconfig", "admin"), "users/admin.conf", "users/admin.conf"),
])
def test_the_others_say_one_sentence_and_write_nothing(
        kpki: Any, space: Path, words: tuple[str, ...], closed: str, named: str) -> None:
    """Exit 2, the file and the next step; nothing on stdout, and no file made, changed or
    removed."""
    (space / "root").mkdir()
    (space / "root").chmod(0o777)
    before = list(held(space))
    out, err = kpki(*words, closed=(closed,), status=2)
    first, *hints = err.splitlines()
    assert out == "" and named in first and first.endswith(": permission denied"), err
    assert hints == ["kpki: hint: run the command as root or as the file's owner"]
    assert list(held(space)) == before and not (space / "new").exists()
