"""An exchange from end to end: each phase is safe, each way back too, and a second run changes
nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kpki.cluster.check.check import check
from kpki.cluster.lifecycle.holding import STATES
from kpki.cluster.node.installation import install, plan_install, read_source
from kpki.cluster.plan.of_workspace import plan_of
from kpki.errors import RefusedError
from tests.cluster.lifecycle.exchange.conftest import (
    LAYOUTS,
    NOW,
    ROWS,
    SMALL,
    TEXT,
    WHOLE,
    content,
    do,
    phases_of,
    reach,
    state,
)
from tests.cluster.lifecycle.exchange.oracle import BLOCK, Oracle, authorities

Workspace = Callable[..., Path]
# Without the whole: each CA and each layout once.
SOME = (("kubeadm", "ca"), ("ssl", "front-proxy-ca"), ("hard-way", "etcd-ca"),
        ("kubeadm", "service-accounts"))


def keys_of(folder: Path) -> dict[str, bytes]:
    """The private keys of leaves."""
    return {
        path: data
        for path, data in content(folder / "nodes").items()
        if b"PRIVATE KEY" in data
        and "ca" not in path
        and "service" not in path
        and "sa.key" not in path
    }


def is_shown(data: bytes) -> bool:
    """Whether a file is a leaf's, or a kubeconfig."""
    return b"kind: Config" in data or (
        data.count(b"BEGIN CERTIFICATE") == 1
        and b"CA:TRUE"
        not in subprocess.run(
            ["openssl", "x509", "-noout", "-text"], input=data, capture_output=True, check=True
        ).stdout
    )


def trusted(folder: Path) -> dict[str, bytes]:
    """The CAs of each file and of each kubeconfig."""
    return {
        path: authorities(folder / path)
        for path, data in content(folder).items()
        if b"kind: Config" in data and b"-data" in data
    }


def mtimes(folder: Path) -> dict[Path, int]:
    return {
        path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".kpki.lock"
    }


@pytest.mark.parametrize(
    ("layout", "row"),
    [
        (layout, row)
        for layout in LAYOUTS
        for row in ROWS
        if WHOLE or (layout, row) in SOME
    ],
)
def test_each_phase_is_safe_and_so_is_the_way_back(
    workspace: Workspace, oracle: Oracle, layout: str, row: str
) -> None:
    """Forward, every host accepts every host after each phase; plan and check have no word;
    backward the bytes of the CA's files are those of before; a run with nothing to do changes no
    file."""
    folder, of_ca = (
        workspace(layout, TEXT if WHOLE or row != "ca" else SMALL),
        row != "service-accounts",
    )
    before, keys, known = content(folder), keys_of(folder), trusted(folder)
    for phase in phases_of(row):
        reach(folder, phase, row)
        assert oracle.refusals(folder, row, NOW) == []
        assert {host.phase for host in state(folder, row).hosts} == {
            STATES[of_ca][2 * (phases_of(row).index(phase) + 1)]
        }
        assert [*plan_of(str(folder), now=NOW).steps()] == [] and check(
            str(folder), now=NOW
        ).findings == []
        assert keys_of(folder) == keys
        times = mtimes(folder)
        assert do(folder, row, phase).steps == () and mtimes(folder) == times
    assert do(folder, row).steps == ()
    for phase in (*phases_of(row)[1::-1], "before"):
        assert not do(folder, row, back=True).blocked
        assert state(folder, row).phase == phase and oracle.refusals(folder, row, NOW) == []
    after = content(folder)
    assert {path for path in after.keys() - before.keys() if "ca-signer" not in path} == set()
    # keys, public keys and the files of CAs are as they were; leaves and kubeconfigs have new
    # certificates
    assert [
        path for path in before if before[path] != after[path] and not is_shown(before[path])
    ] == []
    assert trusted(folder) == known
    assert do(folder, row, back=True).blocked == ("no exchange has begun, so there is no way back",)


def test_the_controller_managers_signer_comes_first(workspace: Workspace) -> None:
    """Before the CA file becomes a bundle, each host with the CA's key has the signer alone, and is
    asked for the flag."""
    folder = workspace("kubeadm")
    first = do(folder, to="trust")
    assert {f"{step.host}:{step.path}" for step in first.steps} == {
        "None:pki/ca-next.key",
        "None:pki/ca-next.crt",
        "cp-1:etc/kubernetes/pki/ca-signer.crt",
        "cp-2:etc/kubernetes/pki/ca-signer.crt",
    }
    assert any(
        "--cluster-signing-cert-file=/etc/kubernetes/pki/ca-signer.crt" in step.what
        for step in first.following
    )
    assert first.status.phase == "before"
    second = do(folder, to="trust")
    assert second.status.phase == "trust" and "cp-1:etc/kubernetes/pki/ca.crt" in {
        f"{step.host}:{step.path}" for step in second.steps
    }
    signer = (folder / "nodes/cp-1/etc/kubernetes/pki/ca-signer.crt").read_bytes()
    assert (
        len(BLOCK.findall(signer)) == 1
        and BLOCK.findall(signer)[0] in (folder / "pki/ca.crt").read_bytes()
    )


def test_a_flag_that_still_names_the_bundle_stops_trust(workspace: Workspace) -> None:
    """A manifest that names ca.crt as the signer's file is an obstacle, with the host's name;
    nothing is changed."""
    folder = workspace("kubeadm")
    manifest = folder / "nodes/cp-2/etc/kubernetes/manifests/kube-controller-manager.yaml"
    manifest.parent.mkdir()
    text = (
        "apiVersion: v1\nkind: Pod\n"
        "metadata: {{name: kube-controller-manager, namespace: kube-system}}\n"
        "spec:\n"
        "  containers:\n  - name: kube-controller-manager\n    command: [kube-controller-manager, "
        "--kubeconfig=/etc/kubernetes/controller-manager.conf, "
        "--root-ca-file=/etc/kubernetes/pki/ca.crt, "
        "--cluster-signing-cert-file=/etc/kubernetes/pki/{}, "
        "--cluster-signing-key-file=/etc/kubernetes/pki/ca.key]\n"
    )
    manifest.write_text(text.format("ca.crt"))
    assert do(folder).steps and state(folder).phase == "before"
    stopped, before = do(folder, to="trust"), content(folder)
    assert len(stopped.blocked) == 1 and stopped.blocked[0].startswith(
        "cp-2: --cluster-signing-cert-file"
    )
    assert content(folder) == before
    manifest.write_text(text.format("ca-signer.crt"))
    assert do(folder, to="trust").status.phase == "trust"


@pytest.mark.parametrize("row", ROWS)
def test_a_phase_out_of_order_is_refused(workspace: Workspace, row: str) -> None:
    """No phase is left out, and only --back goes back; nothing is changed."""
    folder = workspace(text=SMALL)
    first, second, third = phases_of(row)
    before = content(folder)
    assert do(folder, row, second).blocked == (
        f"the phase is before, and {second} comes after {first}",
    )
    assert do(folder, row, third).blocked == (
        f"the phase is before, and {third} comes after {second}",
    )
    assert content(folder) == before
    reach(folder, second, row)
    assert do(folder, row, first).blocked == (f"the phase is {second}; only --back goes back",)


def test_a_second_exchange_follows_the_first(workspace: Workspace, oracle: Oracle) -> None:
    """Once an exchange is done, `--to trust` begins another, with a third CA of another name."""
    folder = workspace(text=SMALL)
    reach(folder, "forget")
    first = state(folder)
    do(folder, to="trust")
    second = state(folder)
    assert (
        second.old == first.new
        and second.new is not None
        and second.new.subject == "CN=kubernetes-20300101-2"
    )
    reach(folder, "forget")
    assert oracle.refusals(folder, "ca", NOW) == [] and check(str(folder), now=NOW).findings == []


def test_a_dry_run_lists_and_writes_nothing(workspace: Workspace) -> None:
    """The steps are those of the run that follows; no file, lock or folder is made."""
    from kpki.cluster.lifecycle.rotate import rotate

    folder = workspace(text=SMALL)
    for _ in range(4):
        before = content(folder)
        there = {*folder.rglob("*")}
        shown = rotate(folder, "ca", dry_run=True, now=NOW)
        assert content(folder) == before and {*folder.rglob("*")} == there
        done = do(folder)
        assert {(step.host, step.path, step.action) for step in shown.steps} == {
            (step.host, step.path, step.action) for step in done.steps
        }
    assert rotate(folder, "ca", dry_run=True, now=NOW).steps == ()


def test_the_signers_file_reaches_a_host_whose_unit_names_the_bundle(
    workspace: Workspace, tmp_path: Path
) -> None:
    """`node install` puts the signer's file beside the CA's, even if a unit still names the CA's
    file as the signer's, and never over the CA's file; a bundle is refused until the unit names
    the signer's own file."""
    folder, root = workspace(text=SMALL), tmp_path / "root"
    shutil.copytree(folder / "nodes/cp-1", root)
    unit = root / "etc/systemd/system/kube-controller-manager.service"
    unit.parent.mkdir(parents=True)
    ssl = "/etc/kubernetes/ssl"
    unit.write_text(
        "[Service]\nExecStart=/usr/bin/kube-controller-manager --root-ca-file="
        f"{ssl}/ca.pem --client-ca-file={ssl}/ca.pem --cluster-signing-cert-file={ssl}/ca.pem "
        f"--cluster-signing-key-file={ssl}/ca-key.pem\n"
    )
    def installed() -> None:
        layout, source = read_source(
            str(folder / "nodes/cp-1"), None, root=str(root), key=None, node="cp-1", server=None
        )
        install(
            plan_install(source, str(root), "cp-1", layout=layout, server=None, now=NOW),
            str(root),
            now=NOW,
        )
        for name in ("ca.pem", "ca-signer.pem"):
            wanted = (folder / "nodes/cp-1/etc/kubernetes/ssl" / name).read_bytes()
            assert (root / "etc/kubernetes/ssl" / name).read_bytes() == wanted

    do(folder)
    installed()
    do(folder, to="trust")
    with pytest.raises(RefusedError, match="expected 1 certificate"):
        installed()
    old, new = (f"-cert-file={ssl}/{name}.pem --cluster-sig" for name in ("ca", "ca-signer"))
    unit.write_text(unit.read_text().replace(old, new))
    installed()
