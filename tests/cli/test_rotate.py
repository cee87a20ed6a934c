"""`kpki rotate`: what it prints, its documents, its exit status."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "rotate.md"
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: ssl
controlPlaneEndpoint: api.example.internal:6443
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


def plain(text: str) -> str:
    """Without what differs from run to run: keys and days."""
    return re.sub(
        r"CN=kubernetes-\d{8}",
        "CN=kubernetes-DAY",
        re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", text),
    )


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """Each command prints, to the letter, what the page says; one is refused."""
    steps = run_page(PAGE)[1]
    assert len(steps) == 11
    for step in steps:
        assert (plain(step.printed), step.status) == (
            step.promised,
            int("comes after" in step.promised),
        ), step.command


def test_the_documents(kpki: Callable[..., Any], workspace: Path) -> None:
    """The names of the documents are those of the page; the state and the phase have the same."""
    state = json.loads(kpki("rotate", "etcd-ca", "--status", "--json").out)
    named = {*re.findall(r"`(\w+)`", PAGE.read_text().partition("## JSON")[2])}
    assert {*state, *state["hosts"][0], *state["old"], *state["next"][0]} <= named
    assert (state["phase"], state["new"], [host["host"] for host in state["hosts"]]) == (
        "before",
        None,
        [None, "cp-1"],
    )
    done = json.loads(kpki("rotate", "etcd-ca", "--json").out)
    assert done["phase"] == "trust" and {*done} == {*state, "written"}
    assert {
        "host": "cp-1",
        "path": "etc/kubernetes/ssl/etcd-ca.pem",
        "row": "etcd-ca",
        "action": "replace",
    } in done["written"]
    assert [step["commands"] for step in done["next"] if "restart etcd" in step["what"]] == [
        ["systemctl restart etcd"]
    ]
    refused = json.loads(kpki("rotate", "etcd-ca", "--to", "forget", "--json", status=1).out)
    assert (
        refused["blocked"] == ["the phase is trust, and forget comes after switch"]
        and refused["written"] == []
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kubelet-ca"], "'kubelet-ca' is nothing to rotate"),
        (["ca", "--to", "sign"], "'sign' is no phase of ca"),
        (["service-accounts", "--to", "trust"], "'trust' is no phase of service-accounts"),
        (["ca", "--to", "trust", "--back"], "--back and --to are two ways to choose a phase"),
        (["ca", "--status", "--back"], "--status changes nothing"),
        (
            ["ca", "--workspace", "none"],
            "none/cluster.yaml: there is no such file, so nothing describes the cluster",
        ),
    ],
)
def test_what_makes_no_sense(
    kpki: Callable[..., Any], workspace: Path, words: list[str], message: str
) -> None:
    """A wrong option or name is refused, and nothing is changed."""
    assert kpki("rotate", *words, status=2).refusal() == message
    assert not (workspace / "backup").exists() and not (workspace / "pki/ca-next.crt").exists()


def test_keys_are_their_owners_alone(kpki: Callable[..., Any], workspace: Path) -> None:
    """A new key is 0600, in the workspace, beside the old and in the backup."""
    for phase in ("trust", "trust", "switch"):
        kpki("rotate", "ca", "--to", phase, "--quiet")
    keys = [
        path
        for path in workspace.rglob("*")
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    ]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert {path.name for path in keys} >= {"ca-previous.key", "ca.key"}


def test_flags_plan_and_script_know_the_phase(kpki: Callable[..., Any], workspace: Path) -> None:
    """The signer's own file is named as soon as the new CA is there; plan has nothing to do; the
    script makes a lost leaf by the CA of the phase."""
    flag = "--cluster-signing-cert-file=/etc/kubernetes/ssl/{}.pem"
    assert flag.format("ca") in kpki("flags", "kube-controller-manager").out
    kpki("rotate", "ca", "--quiet")
    assert flag.format("ca-signer") in kpki("flags", "kube-controller-manager").out
    for phase in ("trust", "switch"):
        kpki("rotate", "ca", "--to", phase, "--quiet")
        assert kpki("plan").out == ""
    (workspace / "nodes/worker-1/etc/kubernetes/ssl/worker.pem").unlink()
    script = kpki("script").out
    assert "ca-signer.crt" in script and "pki/ca.key" in script
    kpki("apply", "--quiet")
    assert "worker-1     switched  new old  new" in kpki("rotate", "ca", "--status").out


def test_many_hosts_are_counted_and_the_late_one_is_named(
    kpki: Callable[..., Any], tmp_path: Path
) -> None:
    """With more hosts than lines a state has one line, and the host that is behind stands below by
    its name."""
    more = "".join(
        f"- {{name: w-{number}, addresses: [10.0.1.{number}]}}\n" for number in range(45)
    )
    (tmp_path / "cluster.yaml").write_text(TEXT + more)
    kpki("apply", "--quiet")
    late = (tmp_path / "nodes/w-33/etc/kubernetes/ssl/ca.pem").read_bytes()
    kpki("rotate", "ca", "--quiet")
    kpki("rotate", "ca", "--quiet")
    (tmp_path / "nodes/w-33/etc/kubernetes/ssl/ca.pem").write_bytes(late)
    told = kpki("rotate", "ca", "--status")
    assert [line.split() for line in told.out.splitlines()[3:]] == [
        ["(workspace)", "trusted", "new", "old", "old"],
        ["46", "hosts", "trusted", "new", "old", "old"],
        ["1", "host", "before", "old", "old"],
    ]
    assert "kpki: w-33: not done in this phase\n" in told.err
    assert kpki("rotate", "ca", "--to", "switch", status=1).err.startswith(
        "kpki: w-33: does not trust CN=kubernetes-"
    )
    assert kpki("rotate", "ca").out == "w-33: etc/kubernetes/ssl/ca.pem\n"


def test_how(kpki: Callable[..., Any], workspace: Path) -> None:
    """--explain names the workspace's own files; a phase that may not begin has no commands."""
    made = "-out pki/ca-next.crt"
    assert made in kpki("rotate", "ca", "--dry-run", "--explain").err
    assert "openssl" not in kpki("rotate", "ca", "--to", "switch", "--explain", status=1).err
