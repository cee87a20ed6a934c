"""What to do about a finding: commands that fit the place where the tree lies."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kpki.cluster.contents import Finding
from kpki.cluster.inventory import inspect
from kpki.cluster.remedies import Situation, situation_of, with_remedies
from kpki.kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig

KEY = "etc/kubernetes/ssl/worker-key.pem"
THERE = Situation("/", "w", ("10.0.0.1", "10.0.0.2"), "https://api:6443", "ca.pem")


def remedy(cause: str, situation: Situation, path: str = KEY) -> tuple[str, ...]:
    finding, = with_remedies([Finding(cause, path, "kubelet", "x")], situation)
    return finding.remedy


def test_a_pair_is_made_at_the_ca_and_installed_on_the_node() -> None:
    """What the tree still tells is filled in; the rest is in capitals."""
    assert remedy("file-missing", THERE) == (
        "# at the CA", "kpki node issue w --ca ca.pem --ca-key CA-KEY.pem --address 10.0.0.1 --address 10.0.0.2 "
        "--server https://api:6443", "# on w, with nodes/w copied there", "kpki node install nodes/w --node w --root /")
    assert "--address ADDRESS --server https://API-SERVER:6443" in remedy("bad-pem", Situation("/", "w"))[1]


def test_what_a_kubeconfig_says_is_no_command(tmp_path: Path) -> None:
    """A server's URL is quoted where the shell would read more than a word in it, and left out where it is no text."""
    assert "--server 'https://a; reboot'" in remedy("bad-pem", Situation("/", "w", (), "https://a; reboot"))[1]
    place = tmp_path / "etc/kubernetes/worker-kubeconfig.yaml"
    place.parent.mkdir(parents=True)
    for server, wanted in (("https://a:1", "https://a:1"), ("https://a\n:1", None), ("https://a\x1b[2J", None)):
        place.write_bytes(dump_kubeconfig(Kubeconfig(
            cluster_name="c", user_name="u", context_name="x", server=server, authority=Material("/a"),
            certificate=Material("/b"), key=Material("/c"))))
        assert situation_of(inspect(str(tmp_path), layout="ssl"), "w", None).server == wanted


@pytest.mark.parametrize(("root", "out"), [("nodes/w", ""), ("x y/nodes/w/", " --out 'x y/nodes'")])
def test_a_tree_at_the_ca_needs_issue_alone(root: str, out: str) -> None:
    """Where the tree is the one that issue writes, there is nothing to install."""
    command, = remedy("file-missing", Situation(root, "w", ("10.0.0.1",), "https://api:6443"))
    assert command.endswith(f"--server https://api:6443{out}")


def test_modes_want_chmod_and_a_cas_end_wants_thought() -> None:
    """A file's mode is changed, not the file; a CA's end and a strict peer's taste are no matter of a command."""
    assert remedy("key-exposed", THERE) == (f"chmod 600 /{KEY}",)
    assert remedy("key-exposed", Situation("a b", "w"), "k.yaml#users/x") == ("chmod 600 'a b/k.yaml'",)
    assert remedy("strict-refused", THERE) == ()
    assert [line[0] for line in remedy("expired-ca", THERE)] == ["#"]


def test_a_tree_tells_its_addresses_and_server(tree: Any) -> None:
    """They are read from the certificate, where it is this node's, and from the kubeconfig, where it can be read."""
    situation = situation_of(inspect(str(tree.root)), "worker-1", None)
    assert (situation.addresses, situation.server) == (("10.0.0.21",), "https://10.0.0.10:6443")
    assert situation_of(inspect(str(tree.root)), "worker-2", None).addresses == ()
    tree.put("etc/kubernetes/ssl/worker.pem", b"")
    tree.put("etc/kubernetes/worker-kubeconfig.yaml", b"")
    situation = situation_of(inspect(str(tree.root)), "worker-1", None)
    assert (situation.addresses, situation.server) == ((), None)
