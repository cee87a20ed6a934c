"""What a person orders for a node, in a folder: the workspace fills in what is not said."""
from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpki.cluster.desired.example import example_description
from kpki.cluster.node.install_order import install_order
from kpki.cluster.node.orders import NodeOrder, issue_order, request_order, sign_order
from kpki.errors import InputError, RefusedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def no_passphrase(_: Iterable[tuple[str, bytes]]) -> None:
    return None


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_request_is_signed_and_installed(folder: Path) -> None:
    """Asked for on the node, answered by the example's CA, put in place: three orders, each with
    its file."""
    issue_order(NodeOrder(name="other"), example=True, passphrase=no_passphrase, now=NOW,
                host_name="h", warnings=[])
    asked = request_order(NodeOrder(name="worker-1", addresses=["192.0.2.5"]), now=NOW,
                          host_name="h", warnings=[])
    signed = sign_order(NodeOrder(name="worker-1", addresses=["192.0.2.5"], ca="example/pki/ca.crt",
                                  ca_key="example/pki/ca.key"), "nodes/worker-1.csr",
                        passphrase=no_passphrase, now=NOW, host_name="h", warnings=[])
    (folder / "root").mkdir()
    done = install_order("nodes/worker-1.pem", root=str(folder / "root"), node="worker-1",
                         server="https://192.0.2.10:6443", now=NOW, host_name="h", warnings=[])
    assert ([file.path for file, _ in asked.written][-1] == "nodes/worker-1.csr"
            and signed.csr is not None)
    assert done.node == "worker-1" and {action for _, action in done.written} == {"create"}
    with pytest.raises(RefusedError):
        install_order("nodes/worker-1.pem", root=str(folder / "root"), node="worker-2",
                      server="https://192.0.2.10:6443", now=NOW, host_name="h", warnings=[])


def test_the_workspace_says_what_the_order_does_not(folder: Path) -> None:
    """Addresses, layout and CA are the description's; what the order says wins."""
    (folder / "cluster.yaml").write_text(example_description())
    asked = request_order(NodeOrder(name="worker-1", addresses=["10.0.0.21"]), now=NOW,
                          host_name="h", warnings=[])
    assert asked.layout.name == "kubeadm"
    said = request_order(NodeOrder(name="worker-1", addresses=["10.0.0.21"], layout="ssl",
                                   out="elsewhere"), now=NOW, host_name="h", warnings=[])
    assert said.layout.name == "ssl" and (folder / "elsewhere/worker-1.csr").exists()
    with pytest.raises(InputError):
        request_order(NodeOrder(name="worker-1", out=""), now=NOW, host_name="h", warnings=[])


def test_an_example_has_a_ca_of_its_own(folder: Path) -> None:
    """The throw-away CA and a named one exclude each other, and nothing is written."""
    with pytest.raises(InputError):
        issue_order(NodeOrder(name="worker-1", ca="ca.pem"), example=True, passphrase=no_passphrase,
                    now=NOW, host_name="h", warnings=[])
    assert [*folder.iterdir()] == []
