"""kpki's commands, run by somebody who is not root: in their own folders they work, elsewhere they
say why not."""
from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.ordinary_user.user import GID, UID, OrdinaryUser, Outcome

SSL = "etc/kubernetes/ssl"
SERVER = ("--server", "https://10.0.0.10:6443")


@pytest.fixture
def home(ordinary_user: OrdinaryUser) -> Path:
    return ordinary_user.home


def theirs(folder: Path) -> None:
    """Whatever lies in a folder is the user's, and no key of it can be read by others."""
    for path in folder.rglob("*"):
        seen = path.lstat()
        assert (seen.st_uid, seen.st_gid) == (UID, GID), path
        if path.suffix == ".key" or path.name.endswith("-key.pem"):
            assert stat.S_IMODE(seen.st_mode) == 0o600, path


def refused(told: Outcome, words: str) -> None:
    """A command that could not do it: status 2, one message with these *words* and at most a
    hint."""
    assert told.status == 2 and told.out == "", told
    first, *rest = told.err.splitlines()
    assert first.startswith("kpki: ") and words in first, told
    assert len(rest) <= 1 and all(line.startswith("kpki: hint: ") for line in rest), told


def test_a_workspace_from_the_first_to_the_last_step(ordinary_user: OrdinaryUser,
                                                     home: Path) -> None:
    """init, plan, apply, check, flags, kubeconfig and script need no root in a folder of one's
    own."""
    run = ordinary_user.run
    assert run("init", "w").status == 0 and run("plan", "w").status == 1
    assert (run("apply", "w").status == 0 and run("plan", "w").status == 0
            and run("check", "w").status == 0)
    assert "--kubeconfig=" in run("flags", "kubelet", "--node", "worker-1", "--workspace", "w").out
    assert "kind: Config" in run("kubeconfig", "admin", "--workspace", "w").out
    assert run("script", "w").status == 0
    theirs(home)


def test_a_node_from_request_to_installation(ordinary_user: OrdinaryUser, home: Path) -> None:
    """A node's request, answer, issue and installation need no root under a root folder of one's
    own."""
    run = ordinary_user.run
    ca = ("--ca", "example/pki/ca.crt", "--ca-key", "example/pki/ca.key")
    assert run("node", "issue", "w", "--example").status == 0
    assert run("node", "request", "v", "--address", "10.0.0.22").status == 0
    assert run("node", "sign", "nodes/v.csr", "--node", "v", "--address", "10.0.0.22",
               *ca).status == 0
    for name, source in (("w", "example/nodes/w"), ("v", "nodes/v.pem")):
        ordinary_user.give(_made(home / f"root-{name}"))
        assert run("node", "install", source, "--node", name, "--root", f"root-{name}",
                   *SERVER).status == 0
        told = run("check", f"root-{name}", "--node", name)
        assert told.status == 0 and told.out == "", told
        assert run("show", f"root-{name}/{SSL}/worker.pem").status == 0
    theirs(home)


def test_openssls_verbs(ordinary_user: OrdinaryUser, home: Path) -> None:
    """A key, a request, a certificate and its verification are made in one's own folder, and
    openssl takes them."""
    for line in ("genrsa -out ca.key 2048", "req -x509 -new -key ca.key -subj /CN=ca -out ca.crt",
                 "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out w.key",
                 "req -new -key w.key -subj /CN=w -out w.csr",
                 "x509 -req -in w.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out w.crt",
                 "verify -CAfile ca.crt w.crt", "pkey -in w.key -pubout -out w.pub"):
        assert ordinary_user.run(*line.split()).status == 0, line
    assert ordinary_user.program("openssl", "verify", "-CAfile", "ca.crt",
                                 "w.crt").out == "w.crt: OK\n"
    theirs(home)


def test_a_file_that_the_user_may_not_read(ordinary_user: OrdinaryUser, home: Path) -> None:
    """A closed file is named with what helps, and is called neither broken nor missing."""
    for name in ("closed.key", "closed.pem"):
        (home / name).write_text("x")
        (home / name).chmod(0o000)
    assert ordinary_user.run("node", "issue", "w", "--example").status == 0
    ca = ("--ca", "example/pki/ca.crt", "--address", "10.0.0.21", *SERVER)
    refused(ordinary_user.run("show", "closed.pem"), "closed.pem: permission denied")
    refused(ordinary_user.run("node", "issue", "v", *ca, "--ca-key", "closed.key"),
            "closed.key: permission denied")
    refused(ordinary_user.run("node", "install", "closed.pem", "--node", "w", "--root", "."),
            "permission denied")
    assert sorted(path.name for path in home.iterdir()) == ["closed.key", "closed.pem", "example"]
    for line in ("x509 -in closed.pem", "req -new -key closed.key -subj /CN=x",
                 "pkey -in closed.key"):
        told = ordinary_user.run(*line.split())
        assert told.status == 1 and told.out == "" and "permission denied" in told.err, told


@pytest.mark.parametrize("line", [
    "init others/w", "apply --example others/w", "node request w --out others/nodes",
    "node issue w --address 10.0.0.21 --server https://h --ca example/pki/ca.crt "
    "--ca-key example/pki/ca.key --out others/nodes",
    "node install example/nodes/w --node w --root others",
    "kubeconfig bob --group g --server https://h --ca example/pki/ca.crt "
    "--ca-key example/pki/ca.key --out others/x"])
def test_a_folder_that_the_user_may_not_write(ordinary_user: OrdinaryUser, home: Path,
                                              line: str) -> None:
    """What belongs into another's folder is refused in one sentence, and nothing is left there."""
    assert ordinary_user.run("node", "issue", "w", "--example").status == 0
    others = _made(home / "others")
    others.chmod(0o555)
    refused(ordinary_user.run(*line.split()), "permission denied")
    assert [*others.iterdir()] == []


def test_json_of_a_refusal_is_words_alone(ordinary_user: OrdinaryUser, home: Path) -> None:
    """A command that may not write says so on standard error, with --json too; one that may gives
    the document."""
    others = _made(home / "others")
    others.chmod(0o555)
    refused(ordinary_user.run("init", "others/w", "--json"), "permission denied")
    assert json.loads(ordinary_user.run("init", "mine", "--json").out)["written"]


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o755)
    return folder
