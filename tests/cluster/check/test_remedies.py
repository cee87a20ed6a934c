"""What to do about a finding: commands that fit the place where the tree lies."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kpki.cluster.check.remedies.remedy import with_remedies
from kpki.cluster.check.remedies.target import RepairTarget
from kpki.cluster.finding import Finding
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.observed.inventory import Inventory
from kpki.kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig
from kpki.kubernetes.layouts import get_layout

NO_ADDRESS = "# ADDRESS is the node's own, as `kubectl get nodes -o wide` shows it"
NO_SERVER = "# https://API-SERVER:6443 is where another host's kubeconfig leads"
KEY, CERTIFICATE = "etc/kubernetes/ssl/worker-key.pem", "etc/kubernetes/ssl/worker.pem"
SSL = get_layout("ssl")


def remedy(cause: str, target: RepairTarget, path: str = KEY,
           row: str = "kubelet") -> tuple[str, ...]:
    finding, = with_remedies([Finding(cause, path, row, "x")], target)
    return finding.remedy


def nothing_in(root: str) -> Inventory:
    return Inventory(root, SSL, {})


def test_with_the_cas_key_a_pair_is_issued_and_installed() -> None:
    """What nothing tells is in capitals."""
    assert remedy("file-missing", RepairTarget(nothing_in("/"), "w", "ca.pem", "k.pem")) == (
        NO_ADDRESS, NO_SERVER,
        "kpki node issue w --ca ca.pem --ca-key k.pem --address ADDRESS "
        "--server https://API-SERVER:6443 --layout ssl",
        "kpki node install nodes/w --node w --root / --layout ssl")


def test_without_it_a_pair_is_asked_for_signed_and_installed() -> None:
    """Each command is headed by where it is run; the CA's files are where a control-plane host has
    them."""
    assert remedy("bad-pem", RepairTarget(nothing_in("/"), "w")) == (
        "# on w", NO_ADDRESS, NO_SERVER, "kpki node request w --address ADDRESS --layout ssl",
        "# at the CA", "# (copy nodes/w.csr there)",
        "kpki node sign nodes/w.csr --node w --ca /etc/kubernetes/ssl/ca.pem "
        "--ca-key /etc/kubernetes/ssl/ca-key.pem --address ADDRESS --layout ssl",
        "# on w", "# (copy nodes/w.pem there)",
        "kpki node install nodes/w.pem --node w --root / --server https://API-SERVER:6443 "
        "--layout ssl")


def test_in_a_workspace_nothing_need_be_said() -> None:
    """The description tells CA, names, server and layout."""
    assert remedy("bad-pem", RepairTarget(nothing_in("root"), "w", workspace=True)) == (
        "kpki node issue w", "kpki node install nodes/w --node w --root root")


@pytest.mark.parametrize(("root", "out"), [("nodes/w", ""), ("x y/nodes/w/", " --out 'x y/nodes'")])
def test_a_tree_at_the_ca_needs_issue_alone(root: str, out: str) -> None:
    """A tree that `node issue` writes itself needs no installation."""
    command, = remedy("file-missing", RepairTarget(nothing_in(root), "w", "ca.pem", "k.pem"))
    assert command.endswith(f"--server https://API-SERVER:6443{out}")


def test_what_a_kubeconfig_says_is_no_command(tmp_path: Path) -> None:
    """A server's URL is quoted where the shell would read more than a word in it, and left out
    where it is none."""
    place = tmp_path / "etc/kubernetes/worker-kubeconfig.yaml"
    place.parent.mkdir(parents=True)
    for server, wanted in (("https://a:1", "https://a:1"),
                           ("https://a; reboot", "'https://a; reboot'"),
                           ("https://a\n:1", "https://API-SERVER:6443"),
                           ("https://a\x1b[2J", "https://API-SERVER:6443")):
        place.write_bytes(dump_kubeconfig(Kubeconfig(
            cluster_name="c", user_name="u", context_name="x", server=server,
            authority=Material("/a"), certificate=Material("/b"), key=Material("/c"))))
        here = RepairTarget(inspect(str(tmp_path), layout="ssl"), "w", "ca.pem", "k.pem")
        assert f"--server {wanted} --layout" in next(item for item in remedy("bad-pem", here)
                                                     if item[0] != "#")


def test_modes_want_chmod_and_a_cas_end_wants_thought() -> None:
    """A file's mode is changed, not the file; a CA's end is no matter of a command where its key is
    not."""
    here = RepairTarget(nothing_in("/"), "w")
    assert remedy("key-exposed", here) == (f"chmod 600 /{KEY}",)
    assert remedy("key-exposed", RepairTarget(nothing_in("a b"), "w"),
                  "k.yaml#users/x") == ("chmod 600 'a b/k.yaml'",)
    assert [line[0] for line in remedy("expired-ca", here, "etc/kubernetes/ssl/ca.pem",
                                       "ca")] == ["#"]


@pytest.mark.parametrize("cause", ["bad-pem", "key-cert-mismatch"])
def test_a_lost_key_of_a_ca_is_no_matter_of_a_command(cause: str) -> None:
    """It is said what must be done instead."""
    assert ([line[0] for line in remedy(cause, RepairTarget(nothing_in("/"), "w"),
                                        "etc/kubernetes/ssl/ca-key.pem", "ca")] == ["#"])


def test_a_tree_tells_its_addresses_and_server(tree: Any) -> None:
    """The commands take addresses from the node's own certificate, and the server from a readable
    kubeconfig; else from the kubelet's flags and the host's /etc/hosts."""
    def issue(node: str) -> str:
        inventory = inspect(str(tree.root), node=node, layout="ssl")
        lines = remedy("bad-pem", RepairTarget(inventory, node, "ca.pem", "k.pem"))
        return next(line for line in lines if line[0] != "#").partition("k.pem")[2]

    there = " --address 10.0.0.21 --server https://10.0.0.10:6443"
    assert issue("worker-1").startswith(there)
    assert issue("worker-2").startswith(" --address ADDRESS --server https://10.0.0.10:6443")
    tree.put(CERTIFICATE, b"")
    tree.put("etc/hosts", b"127.0.0.1 localhost\n10.0.0.22 worker-1.example worker-1 # here\n")
    assert issue("worker-1").startswith(" --address 10.0.0.22 --server https://10.0.0.10:6443")
    tree.path("etc/default").mkdir()
    tree.path("etc/systemd/system").mkdir(parents=True)
    tree.put("etc/systemd/system/kubelet.service",
             b"[Service]\nEnvironmentFile=-/etc/default/kubelet\nExecStart=/usr/bin/kubelet "
             b"--kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml $KUBELET_EXTRA_ARGS\n")
    tree.put("etc/default/kubelet", b"KUBELET_EXTRA_ARGS=--node-ip=10.0.0.23\n")
    tree.put("etc/kubernetes/worker-kubeconfig.yaml", b"")
    assert issue("worker-1").startswith(" --address 10.0.0.23 --server https://API-SERVER:6443")


def test_names_that_a_finding_misses_are_in_the_new_certificate() -> None:
    """Whatever tells of them; what can be no name or address is left out."""
    finding = Finding("missing-san-ip", "etc/kubernetes/ssl/apiserver.pem", "apiserver", "x",
                      expected="IP:10.9.9.9, IP:x; reboot, DNS:api.example, DNS:$(reboot), "
                      "IP:2001:db8::1")
    told, = with_remedies([finding], RepairTarget(nothing_in("/"), "w", "ca.pem", "k.pem"))
    command = next(item for item in told.remedy if item.startswith("kpki node issue"))
    words = command.split()
    values = [(option, value) for option, value in zip(words, words[1:])
              if option in ("--address", "--dns")]
    assert values == [("--address", "10.9.9.9"), ("--address", "2001:db8::1"),
                      ("--dns", "api.example")]
