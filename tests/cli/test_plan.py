"""`kpki plan` and `kpki apply`: a cluster's files, seen first and then made."""
from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki import pem
from kpki.cli import plan as page
from kpki.cluster.desired.example import example_description
from kpki.cluster.plan.plan import Waiting
from kpki.kubernetes.layouts import LAYOUT_NAMES

Run = Callable[..., Any]
PKI = "etc/kubernetes/pki"


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Path]:
    """A workspace with a description, changed word by word."""
    def write(*changes: tuple[str, str], layout: str = "kubeadm") -> Path:
        text = example_description(layout)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "cluster.yaml").write_text(text)
        return tmp_path
    return write


def steps(told: Any) -> list[tuple[str, str | None, str, tuple[str, ...]]]:
    return [(step["action"], step["host"], step["path"], tuple(step["causes"]))
            for step in json.loads(told.out)["steps"]]


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_plan_shows_what_apply_does(kpki: Run, described: Run, snapshot: Run, layout: str) -> None:
    """What plan says is what apply then does, to the file; after it there is nothing to do, and
    nothing changes."""
    folder = described(layout=layout)
    before = snapshot(folder)
    planned = steps(kpki("plan", "--json", status=1))
    assert snapshot(folder) == before and not (folder / ".kpki.lock").exists()
    written = json.loads(kpki("apply", "--json").out)
    assert [(item["action"], item["host"],
             item["path"]) for item in written["written"]] == [item[:3]
                                                               for item in planned]
    assert written["waiting"] == []
    made = snapshot(folder)
    places = [f"nodes/{host}/{path}" if host else path for _, host, path, _ in planned]
    assert set(made) == {*places, "cluster.yaml"}
    assert "nothing to do" in kpki("plan").err and kpki("plan").out == ""
    assert "everything was right already" in kpki("apply").err
    assert snapshot(folder) == made
    assert "nothing wrong" in kpki("check").err


def test_the_table_says_what_was_made_per_host(kpki: Run, described: Run) -> None:
    """A line per host, the workspace's own first, and where to go on."""
    described()
    told = kpki("apply")
    assert [line.split() for line in told.out.splitlines()] == [
        ["host", "made"], ["(workspace)", "9"], ["cp-1", "27"], ["worker-1", "2"],
        ["worker-2", "2"]]
    assert "kpki node install cp-1 --node cp-1" in told.err
    assert kpki("apply", "--quiet").err == ""


def test_a_fleets_table_is_short() -> None:
    """Beyond some tens of hosts they share one line."""
    from collections import Counter
    made: page.Made = {None: Counter(create=9)} | {f"w-{number}": Counter(create=2)
                                                   for number in range(41)}
    assert [*page._made(made)][1:] == ["(workspace)         9", "41 hosts           82"]


def test_what_a_fleet_waits_for_is_short() -> None:
    """Beyond some tens of hosts those that wait for the same share one line; fewer have one
    each."""
    waiting = [Waiting(None, "users/admin.conf", "admin", "a key")]
    waiting += [Waiting(f"w-{number}", "kubelet.conf", "kubelet-client", "a key")
                for number in range(41)]
    assert [*page._next({}, waiting, "w")] == [
        "kpki: workspace: users/admin.conf waits for a key",
        "kpki: 41 hosts: kubelet.conf waits for a key", "kpki: w: nothing else to do"]
    assert [*page._next({}, waiting[:3], ".")][1:3] == [
        "kpki: w-0: kubelet.conf waits for a key", "kpki: w-1: kubelet.conf waits for a key"]


def test_the_next_command_is_the_one_to_type(kpki: Run) -> None:
    """What plan says to do next names the workspace, where it is not this folder."""
    for folder, command in ((".", "kpki apply"), ("w", "kpki apply w"),
                            ("a b", "kpki apply 'a b'")):
        kpki("init", folder)
        assert (kpki("plan", folder, status=1).err
                == f"kpki: {folder}: 40 to create; {command} does it\n")


def test_a_broken_ca_is_checks_answer(kpki: Run, described: Run) -> None:
    """check names what is wrong with a CA of the workspace's own, once, and plan and apply cannot
    go on; a CA that only misses its certificate or key is not broken, and a file that the
    description names is the user's to put right.
    """
    folder = described()
    kpki("apply")
    key, certificate = folder / "pki/ca.key", folder / "pki/ca.crt"
    good = certificate.read_bytes()
    for data, cause in (
            (b"", "bad-pem"), ((folder / "pki/etcd/ca.crt").read_bytes(), "key-cert-mismatch"),
            (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "malformed-x509")):
        certificate.write_bytes(data)
        finding, = json.loads(kpki("check", "--json", status=1).out)["findings"]
        assert (finding["cause"], finding["row"], finding["host"]) == (cause, "ca", None)
        # a host's tree has it still
        path, sound = finding["path"], "nodes/cp-1/etc/kubernetes/pki/ca"
        sound += Path(path).suffix
        assert finding["remedy"] == [f"cp -p {path} {path}.aside", f"cp {sound} {path}",
                                     "kpki apply ."]
    kpki("plan", status=2)
    for held in folder.glob("nodes/*/etc/kubernetes/pki/ca.crt"):
        held.unlink()
    finding, = json.loads(kpki("check", "--json", status=1).out)["findings"]
    assert (finding["remedy"]
            == ["# a CA is never replaced: put the cluster's own back as pki/ca.crt"])
    certificate.write_bytes(good)
    key.unlink()
    assert "nothing wrong" not in kpki("check", status=1).err
    described(("certificateAuthorities: {}",
               "certificateAuthorities: {kubernetes: {certificate: nothing.crt}}"))
    assert "nothing.crt: no such file" in kpki("check", status=2).refusal()


def test_a_kubeadm_configuration_without_a_name_is_this_hosts(
        kpki: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubeadm has it, for plan as for what comes after it."""
    (tmp_path / "cluster.yaml").write_text("apiVersion: kubeadm.k8s.io/v1beta4\n"
                                           "kind: InitConfiguration\n"
                                           "localAPIEndpoint: {advertiseAddress: 10.0.0.9}\n")
    for room in ("plan", "check", "flags", "script"):
        monkeypatch.setattr(f"kpki.cli.{room}.host_name", lambda: "CP-9")
    assert {host for _, host, *_ in steps(kpki("plan", "--json", status=1))} == {None, "cp-9"}
    kpki("apply", "--quiet")
    assert json.loads(kpki("flags", "etcd", "--json").out)["host"] == "cp-9"
    assert "nothing wrong" in kpki("check").err
    assert "There is nothing to do" in kpki("script").out


def test_example_needs_no_file_at_all(kpki: Run, tmp_path: Path) -> None:
    """--example writes the built-in description first, and never over another."""
    kpki("apply", "--example")
    assert (tmp_path / "cluster.yaml").read_text() == example_description()
    kpki("apply", "--example")
    (tmp_path / "cluster.yaml").write_text(example_description("ssl"))
    assert ("the workspace has a description already, other than the example"
            in kpki("apply", "--example", status=2).refusal())


def test_without_a_description_there_is_nothing_to_go_by(kpki: Run, tmp_path: Path) -> None:
    """No cluster.yaml: one message that says which command writes it, and nothing is made, not even
    a lock."""
    for command in ("plan", "apply"):
        told = kpki(command, status=2)
        assert "cluster.yaml: there is no such file" in told.refusal() and "kpki init" in told.err
    assert [*tmp_path.iterdir()] == []


def damage(folder: Path) -> None:
    control, worker = folder / "nodes/cp-1" / PKI, folder / "nodes/worker-2"
    (control / "apiserver.crt").write_bytes(b"")
    (control / "sa.key").chmod(0o644)
    shutil.copy(folder / "nodes/worker-1/etc/kubernetes/kubelet.conf",
                worker / "etc/kubernetes/kubelet.conf")
    shutil.copy(folder / "pki/ca.key", worker / PKI / "ca.key")
    (folder / "users/admin.conf").unlink()


def test_what_is_broken_is_mended_and_the_rest_stays(kpki: Run, described: Run,
                                                     snapshot: Run) -> None:
    """Each damage is one step with its cause; the old files lie in the backup; what was right is
    untouched."""
    folder = described()
    kpki("apply")
    before = snapshot(folder)
    key = (folder / "nodes/cp-1" / PKI / "apiserver.key").read_bytes()
    damage(folder)
    assert sorted(steps(kpki("plan", "--json", status=1)), key=str) == sorted([
        ("create", None, "users/admin.conf", ("file-missing",)),
        ("replace", "cp-1", f"{PKI}/apiserver.crt", ("bad-pem",)),
        ("replace", "cp-1", f"{PKI}/sa.key", ("key-exposed",)),
        ("remove", "worker-2", f"{PKI}/ca.key", ("ca-key-on-worker",)),
        ("replace", "worker-2", "etc/kubernetes/kubelet.conf", ("wrong-node-identity",))], key=str)
    assert "4 errors" not in kpki("check", status=1).err
    told = kpki("apply")
    assert {tuple(line.split()) for line in told.out.splitlines()[1:]} == {
        ("(workspace)", "1", "-", "-"), ("cp-1", "-", "2", "-"), ("worker-2", "-", "1", "1")}
    assert steps(kpki("plan", "--json")) == []
    after = snapshot(folder)
    run, = (folder / "backup").iterdir()
    changed = {"users/admin.conf", f"nodes/cp-1/{PKI}/apiserver.crt", f"nodes/cp-1/{PKI}/sa.key",
               "nodes/worker-2/etc/kubernetes/kubelet.conf"}
    assert {name for name in before if before[name] != after[name]} == changed
    assert ((run / f"nodes/worker-2/{PKI}/ca.key").is_file()
            and not (folder / f"nodes/worker-2/{PKI}/ca.key").exists())
    assert (folder / "nodes/cp-1" / PKI / "apiserver.key").read_bytes() == key


def test_a_ca_without_its_key_makes_the_rest_wait(kpki: Run, described: Run, pki: Path) -> None:
    """A CA certificate given alone: all that hangs on other CAs is made, the rest named, exit
    status 1, twice."""
    folder = described(("certificateAuthorities: {}",
                        f"certificateAuthorities:\n  kubernetes: {{certificate: {pki}/other.pem}}"))
    planned = json.loads(kpki("plan", "--json", status=1).out)
    assert {item["row"] for item in planned["waiting"]} >= {"apiserver", "kubelet-client", "admin"}
    assert {item["needs"] for item in planned["waiting"]} == {"the key of " + f"{pki}/other.pem"}
    told = kpki("apply", status=1)
    assert (folder / "nodes/cp-1" / PKI / "etcd/server.crt").is_file()
    assert not (folder / "nodes/cp-1" / PKI / "apiserver.crt").exists()
    assert not (folder / "nodes/cp-1" / PKI / "ca.key").exists()
    assert "waits for the key of" in told.err
    assert kpki("apply", status=1).out == ""


def test_a_given_ca_is_used_and_never_replaced(kpki: Run, described: Run, pki: Path) -> None:
    """What the description names signs, lies untouched where it is, and is not exchanged for
    another in silence."""
    def line(name: str) -> tuple[str, str]:
        return ("certificateAuthorities: {}",
                "certificateAuthorities:\n"
                f"  kubernetes: {{certificate: {pki}/{name}.pem, key: {pki}/{name}.key}}")

    folder = described(line("other"))
    before = (pki / "other.pem").read_bytes()
    kpki("apply")
    ca = pem.load_certificate(before)
    leaf = pem.load_certificate((folder / "nodes/cp-1" / PKI / "apiserver.crt").read_bytes())
    leaf.verify_directly_issued_by(ca)
    assert (pem.load_certificate((folder / "pki/ca.crt").read_bytes()) == ca
            and not (folder / "pki/ca.key").exists())
    assert (pki / "other.pem").read_bytes() == before
    described(line("ca"))
    assert "another CA than" in kpki("apply", status=2).refusal()


def test_an_encrypted_ca_key_is_opened_and_stays(kpki: Run, described: Run, pki: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """--passin opens it, without it nothing is made, and no host gets it."""
    folder = described(("certificateAuthorities: {}", "certificateAuthorities:\n  kubernetes: "
                        f"{{certificate: {pki}/ca.pem, key: {pki}/ca-encrypted.key}}"))
    assert "is encrypted" in kpki("apply", status=2).refusal()
    assert sorted(path.name for path in folder.iterdir()) == [".kpki.lock", "cluster.yaml"]
    monkeypatch.setenv("CA_PASSPHRASE", "secret")
    kpki("apply", "--passin", "env:CA_PASSPHRASE")
    assert (folder / "nodes/cp-1" / PKI / "apiserver.crt").is_file()
    assert not (folder / "nodes/cp-1" / PKI / "ca.key").exists()
    assert "nothing to do" in kpki("plan").err


@pytest.mark.parametrize(("path", "content", "told"), [
    ("pki/ca.key", b"", "no private key"), ("pki/ca.crt", b"x", "no certificate"),
    ("cluster.yaml", b"kind: [", "cluster.yaml: line"), ("cluster.yaml", b"\xff", "cluster.yaml")])
def test_what_cannot_be_read_stops_it_before_anything(kpki: Run, described: Run, snapshot: Run,
                                                      path: str, content: bytes, told: str) -> None:
    """An unreadable CA or description: one message that names the file, exit status 2, and all is
    as it was."""
    folder = described()
    kpki("apply")
    (folder / path).write_bytes(content)
    (folder / "nodes/worker-1/etc/kubernetes/kubelet.conf").unlink()
    before = snapshot(folder)
    for command in ("plan", "apply"):
        message = kpki(command, status=2).refusal()
        assert path in message and told in message
    assert snapshot(folder) == before


def test_explain_is_the_script(kpki: Run, described: Run) -> None:
    """--explain has the openssl commands of the plan, and changes nothing about it."""
    described()
    told = kpki("plan", "--explain", status=1)
    assert "openssl x509 -req" in told.err and "openssl" not in told.out


def test_node_issue_in_a_workspace_asks_for_nothing(kpki: Run, described: Run) -> None:
    """CA, addresses, server, layout and validity are the description's; what is right stays; apply
    agrees."""
    folder = described(("8760h", "48h"))
    kpki("apply")
    path = folder / "nodes/worker-1/etc/kubernetes/kubelet.conf"
    before = path.read_bytes()
    assert kpki("node", "issue", "worker-1").out.splitlines() == [
        f"--client-ca-file=/{PKI}/ca.crt", "--kubeconfig=/etc/kubernetes/kubelet.conf"]
    assert path.read_bytes() == before
    path.unlink()
    kpki("node", "issue", "worker-1")
    assert path.read_bytes() != before and steps(kpki("plan", "--json")) == []
    told = kpki("check", "nodes/worker-1", "--at", "2099-01-01", "--json", status=1)
    assert "expired-client-cert" in told.out


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_each_hosts_tree_installs_and_checks(kpki: Run, described: Run, tmp_path: Path,
                                             layout: str) -> None:
    """A control plane's tree and a worker's go into a root as they are, from the folder or an
    archive of it."""
    folder = described(layout=layout)
    kpki("apply")
    for host in ("cp-1", "worker-1"):
        root = tmp_path / f"root-{host}"
        root.mkdir()
        kpki("node", "install", folder / "nodes" / host, "--node", host, "--root", root)
        installed = {path.relative_to(root) for path in root.rglob("*") if path.is_file()} - {Path(
            "var/lib/kpki/lock")}
        tree = folder / "nodes" / host
        assert installed == {path.relative_to(tree) for path in tree.rglob("*") if path.is_file()}
        assert "nothing wrong" in kpki("check", root, "--node", host).err
        told = kpki("node", "install", folder / "nodes" / host, "--node", "other", "--root", root,
                    status=1)
        assert "wrong-node-identity" in told.refusal()


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_a_key_that_stays_on_its_node(kpki: Run, described: Run, tmp_path: Path,
                                      layout: str) -> None:
    """request, sign and install make a node's files in each layout, with the key that the node
    made."""
    described(layout=layout)
    kpki("apply")
    (tmp_path / "root").mkdir()
    (tmp_path / "there").mkdir()
    kpki("node", "request", "worker-1", "--out", "there", "--layout", layout, "--address",
         "10.0.0.21")
    kpki("node", "sign", "there/worker-1.csr", "--node", "worker-1", "--out", "there")
    kpki("node", "install", "there/worker-1.pem", "--node", "worker-1", "--root", "root",
         "--layout", layout, "--server", "https://10.0.0.10:6443")
    assert "nothing wrong" in kpki("check", "root", "--node", "worker-1").err
    key, = (path for path in (tmp_path / "there/worker-1").rglob("*") if path.is_file())
    found = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
    from base64 import b64encode
    assert any(key.read_bytes() in path.read_bytes()
               or b64encode(key.read_bytes()) in path.read_bytes()
               for path in found)


def test_a_bar_is_drawn_on_a_terminal_alone(described: Run) -> None:
    """Hosts done of hosts in all, on stderr where that is a terminal; nothing of it on stdout or in
    a pipe."""
    folder = described()
    master, terminal = pty.openpty()
    done = subprocess.run([sys.executable, "-m", "kpki", "apply", "--json"], cwd=folder,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal,
                          timeout=60, check=True, env=os.environ
                          | {"PYTHONPATH": str(Path(page.__file__).parents[2]), "TERM": "xterm"})
    os.close(terminal)
    assert b"3/3" in os.read(master, 1 << 16)
    os.close(master)
    assert len(json.loads(done.stdout)["written"]) == 40


def test_a_link_in_a_hosts_tree_is_not_followed_out_of_it(kpki: Run, described: Run,
                                                          tmp_path: Path) -> None:
    """A tree, or a folder in one, that is a link to elsewhere is refused, nothing goes there; one
    inside is fine."""
    folder = described()
    tree, elsewhere = folder / "nodes/worker-1", tmp_path / "elsewhere"
    elsewhere.mkdir()
    tree.parent.mkdir()
    tree.symlink_to(elsewhere)
    assert "nodes/worker-1" in kpki("apply", status=2).refusal()
    tree.unlink()
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/kubernetes").symlink_to(elsewhere)
    assert "etc/kubernetes" in kpki("apply", status=2).refusal()
    assert [*elsewhere.iterdir()] == []
    (tree / "etc/kubernetes").unlink()
    (tree / "etc/kubernetes").symlink_to("../kube")
    kpki("apply")
    assert (tree / "kube/kubelet.conf").is_file() and "nothing to do" in kpki("plan").err
