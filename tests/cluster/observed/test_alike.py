"""inspect_alike: what `inspect` finds in a tree, in less time for a tree that is like another."""
from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpki import files
from kpki.cluster.observed import alike
from kpki.cluster.observed.alike import inspect_alike
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.observed.uses import HostUses, read_host
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import AccessError
from kpki.kubernetes.layouts import LAYOUT_NAMES

from .trees import kubeconfig, pod, unit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WORKERS = ("worker-1", "worker-2", "worker-3")
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: ECDSA-P256
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
- {{name: worker-2, addresses: [10.0.0.22]}}
- {{name: worker-3, addresses: [10.0.0.23]}}
"""
SSL, KUBECONFIG = "etc/kubernetes/ssl", "etc/kubernetes/worker-kubeconfig.yaml"
KUBELET = unit("ExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml "
               "--tls-cert-file=/etc/kubernetes/ssl/kube-proxy.pem")


@pytest.fixture(autouse=True)
def no_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows the trees of another."""
    monkeypatch.setattr(alike, "_kinds", {})


def nodes(folder: Path, layout: str = "ssl") -> Path:
    """The trees of a workspace as apply makes it."""
    (folder / "cluster.yaml").write_text(TEXT.format(layout=layout))
    with locked(str(folder), NOW):
        for _ in apply(plan_of(str(folder), now=NOW), str(folder), now=NOW):
            pass
    return folder / "nodes"


def is_found_alike(trees: Path, host: str, layout: str = "ssl") -> bool:
    """Whether `inspect_alike` finds what `inspect` finds, in the same order."""
    root = str(trees / host)
    found, wanted = inspect_alike(root, layout, host), inspect(root, layout=layout, node=host)
    return found == wanted and [*found.found] == [*wanted.found]


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_the_trees_of_a_workspace(tmp_path: Path, layout: str) -> None:
    """In each layout each host's files and uses are those of its own tree, names of entries
    included, the first time and the second."""
    trees = nodes(tmp_path, layout)
    hosts = [*WORKERS, "cp-1", "cp-2"]
    assert [host for host in hosts * 2 if not is_found_alike(trees, host, layout)] == []


def test_the_second_tree_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which files matter is found once for trees that are alike; a tree with another file asks
    anew."""
    trees = nodes(tmp_path)
    inspect_alike(str(trees / "worker-1"), "ssl", "worker-1")
    asked: list[str] = []

    def read(root: str) -> HostUses:
        asked.append(os.path.basename(root))
        return read_host(root)
    monkeypatch.setattr(alike, "read_host", read)
    for host in WORKERS:
        inspect_alike(str(trees / host), "ssl", host)
    assert asked == []
    (trees / "worker-3" / "etc/hostname").write_text("worker-3\n")
    inspect_alike(str(trees / "worker-3"), "ssl", "worker-3")
    assert asked == ["worker-3"]


def put(path: str, text: str) -> Callable[[Path], object]:
    """A change that writes a file."""
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return change


def edit(old: str, new: str) -> Callable[[Path], object]:
    """A change of the kubelet's kubeconfig."""
    return lambda root: (root / KUBECONFIG).write_text(
        (root / KUBECONFIG).read_text().replace(old, new))


def moved(path: str, to: str) -> Callable[[Path], object]:
    """A change that puts a link in a path's place."""
    def change(root: Path) -> None:
        (root / path).rename(root / to)
        (root / path).symlink_to(f"/{to}")
    return change


def folder_in_place(root: Path) -> None:
    (root / SSL / "kube-proxy.pem").unlink()
    (root / SSL / "kube-proxy.pem").mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "a missing file": lambda root: (root / SSL / "kube-proxy.pem").unlink(),
    "a missing kubeconfig": lambda root: (root / KUBECONFIG).unlink(),
    "a wider mode": lambda root: (root / SSL / "worker-key.pem").chmod(0o644),
    "other octets": put(f"{SSL}/worker.pem", "nothing"),
    "a link to a file": moved(f"{SSL}/worker.pem", "etc/worker.pem"),
    "a link to a folder": moved(SSL, "etc/ssl"),
    "a folder in a file's place": folder_in_place,
    "a pipe": lambda root: os.mkfifo(root / SSL / "pipe"),
    "another file": put(f"{SSL}/old-key.pem", "old"),
    "an empty folder": lambda root: (root / "etc/systemd/system").mkdir(parents=True),
    "a unit": put("etc/systemd/system/kubelet.service", KUBELET),
    "a static pod": put("etc/kubernetes/manifests/etcd.yaml", pod(
        "etcd", "--cert-file=/etc/kubernetes/ssl/kube-proxy.pem")),
    "a person's kubeconfig": put("etc/kubernetes/admin.conf", kubeconfig()),
    "a staging file": put(f"{SSL}/.worker.pem.kpki-0123456789abcdef", "old"),
    "names of entries": put(KUBECONFIG, kubeconfig(
        "client-certificate: /etc/kubernetes/ssl/worker.pem, "
        "client-key: /etc/kubernetes/ssl/worker-key.pem",
        "certificate-authority: /etc/kubernetes/ssl/ca.pem")),
    "embedded data": put(KUBECONFIG, kubeconfig()),
    "embedded data beside paths": put(KUBECONFIG, kubeconfig(
        "client-certificate: /etc/kubernetes/ssl/worker.pem, "
        "client-key: /etc/kubernetes/ssl/worker-key.pem")),
    "a path that looks like embedded data": edit(
        "/etc/kubernetes/ssl/worker.pem", "/etc/kubernetes/worker-kubeconfig.yaml#users/u"),
    "another file of the layout": edit("ssl/worker.pem", "ssl/kube-proxy.pem"),
    "a file beside the layout's": edit("ssl/worker.pem", "ssl/own.pem"),
    "a path out of the tree": edit("/etc/kubernetes/ssl/worker.pem", "../../../../x.pem"),
    "no CA": edit("    certificate-authority: ", "    proxy-url: "),
    "no readable kubeconfig": edit("current-context", "context"),
    "no YAML": put(KUBECONFIG, "{")}


@pytest.mark.parametrize("first", [False, True], ids=["then", "first"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_tree_that_is_not_alike(tmp_path: Path, change: Callable[[Path], object],
                                  first: bool) -> None:
    """A tree with a change is found as `inspect` finds it, whichever tree is first.

    So is a second tree with the same change.
    """
    trees = nodes(tmp_path)
    for host in ("worker-2", "worker-3"):
        change(trees / host)
    order = ["worker-2", "worker-3", "worker-1", "cp-1"]
    order = order if first else [*reversed(order)]
    assert [host for host in order * 2 if not is_found_alike(trees, host)] == []


def test_a_name_in_a_path(tmp_path: Path) -> None:
    """A node whose name is in a path has a kind of its own: a layout may put the node's name into
    the names of files."""
    trees = nodes(tmp_path)
    (trees / "worker-2").rename(trees / "kube-proxy")
    assert is_found_alike(trees, "worker-1") and is_found_alike(trees, "kube-proxy")
    assert {node for _, _, node in alike._kinds} == {"", "kube-proxy"}


def test_a_tree_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may go, become a link or be closed once the folders are listed: `inspect` says what
    is there then."""
    trees = nodes(tmp_path)
    is_found_alike(trees, "worker-1")
    listed = files.plain_paths(str(trees / "worker-2"), most=100)
    monkeypatch.setattr(files, "plain_paths", lambda *_, **__: listed)
    (trees / "worker-2" / SSL / "worker.pem").unlink()
    assert is_found_alike(trees, "worker-2")
    moved(f"{SSL}/worker.pem", "etc/worker.pem")(trees / "worker-3")
    assert is_found_alike(trees, "worker-3")

    def closed(path: str) -> tuple[None, None]:
        raise AccessError(f"{path}: permission denied", path=path)
    monkeypatch.setattr(files, "read_if_file", closed)
    assert is_found_alike(trees, "worker-1")


def test_few_kinds_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kinds have a bound, and a tree with many files is no kind."""
    monkeypatch.setattr(alike, "_MOST_KINDS", 1)
    trees = nodes(tmp_path)
    assert is_found_alike(trees, "worker-1") and is_found_alike(trees, "cp-1")
    assert len(alike._kinds) == 1
    monkeypatch.setattr(alike, "_MOST_PATHS", 3)
    alike._kinds.clear()
    assert is_found_alike(trees, "worker-1") and not alike._kinds
