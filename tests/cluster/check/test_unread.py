"""A file that the caller may not read is no finding, and nothing that depends on the file is judged."""
from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kpki.cluster.check.check import Report, check
from kpki.cluster.observed.inventory import Unread

Dropped = Callable[[], AbstractContextManager[None]]
SSL = "etc/kubernetes/ssl"
CA, CERTIFICATE, KEY = (f"{SSL}/{name}.pem" for name in ("ca", "worker", "worker-key"))
KUBECONFIG, CONFIG = "etc/kubernetes/worker-kubeconfig.yaml", "var/lib/kubelet/config.yaml"


@pytest.fixture
def checked(tree: Any, shared_path: Path, as_nobody: Dropped) -> Callable[..., Report]:
    """Check a copy of the worker's tree, which belongs to an ordinary user, as that user: without the mode bits of the
    *closed* files and folders."""
    def run(closed: Sequence[str] = (), *, mode: int = 0, node: str | None = "worker-1", inner: str = "") -> Report:
        copy = shared_path / "nodes/worker-1"
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(tree.root, copy)
        check(str(copy), now=tree.now, node=node)       # all that is imported is, before the user is another
        if os.geteuid() == 0:
            for path in (copy.parent, copy, *copy.rglob("*")):
                os.lchown(path, 65534, 65534)
        for one in closed:
            (copy / one).chmod(mode)
        try:
            with as_nobody():
                return check(str(copy / inner), now=tree.now, node=node)
        finally:
            for one in reversed(closed):
                (copy / one).chmod(0o700)
    return run


def paths(report: Report) -> list[str]:
    return [one.path for one in report.unread]


@pytest.mark.parametrize(("closed", "unread"), [
    ([KEY], [KEY]), ([CERTIFICATE], [CERTIFICATE]), ([CA], [CA]), ([KUBECONFIG], [KUBECONFIG]),
    ([CA, CERTIFICATE, KEY, KUBECONFIG], [CA, CERTIFICATE, KEY, KUBECONFIG]),
    ([SSL], [SSL]), (["etc/kubernetes"], ["etc/kubernetes"]), (["etc"], ["etc"]),
])
def test_what_may_not_be_read_is_no_finding(checked: Callable[..., Report], closed: list[str],
                                            unread: list[str]) -> None:
    """Each file is named once; of a folder that cannot be searched the folder is; what is closed to nobody is not."""
    report = checked(closed)
    assert ([*report.findings], [*report.unread]) == ([], [Unread(None, path) for path in unread])
    assert (checked().findings, checked().unread) == ([], [])


def test_a_folder_that_cannot_be_listed_is_named(checked: Callable[..., Report]) -> None:
    """Other keys may lie in the folder; the files whose names are known are checked."""
    report = checked([SSL], mode=0o311)
    assert (report.findings, report.unread) == ([], [Unread(None, SSL)])
    assert report.certificates == 2


def test_what_could_be_read_is_judged_all_the_same(tree: Any, checked: Callable[..., Report]) -> None:
    """A certificate that ended is wrong whoever may read its key; a file that is missing in an open folder is."""
    tree.leaf("extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:worker-1", days=1,
              ago=timedelta(days=9))
    report = checked([KEY])
    assert [(one.cause, one.path) for one in report.findings] == [("expired-client-cert", CERTIFICATE)]
    assert paths(report) == [KEY]
    tree.path(KEY).unlink()
    assert ("file-missing", KEY) in [(one.cause, one.path) for one in checked([CA]).findings]


def test_by_a_ca_that_nobody_has_seen_nothing_is_judged(tree: Any, checked: Callable[..., Report]) -> None:
    """Another CA's certificate is wrong by the CA's file alone: without the file nothing is said of the signer."""
    tree.leaf("extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:worker-1", ca=tree.other)
    assert {one.cause for one in checked().findings} == {"unknown-authority"}
    report = checked([CA])
    assert (report.findings, paths(report)) == ([], [CA])


def test_a_file_may_lie_where_an_unread_file_says(tree: Any, checked: Callable[..., Report]) -> None:
    """A kubelet whose configuration cannot be read may be told another certificate than the one that is missing."""
    tree.path(CONFIG).parent.mkdir(parents=True)
    tree.put(CONFIG, "kind: KubeletConfiguration\n")
    tree.path(CERTIFICATE).unlink()
    assert [(one.cause, one.path) for one in checked().findings] == [("file-missing", CERTIFICATE)]
    for closed in (CONFIG, "var/lib/kubelet"):
        report = checked([closed])
        assert (report.findings, paths(report)) == ([], [closed])


def test_a_host_that_may_be_no_worker_may_hold_a_cas_key(tree: Any, checked: Callable[..., Report]) -> None:
    """A CA's key on a worker is wrong; if the API server's manifest cannot be read, nobody knows whether it is one."""
    (tree.root / "etc/kubernetes/manifests").mkdir()
    shutil.copy(tree.path(KEY), tree.path(f"{SSL}/ca-key.pem"))
    assert [one.cause for one in checked().findings] == ["ca-key-on-worker"]
    assert "ca-key-on-worker" not in [one.cause for one in checked(["etc/kubernetes/manifests"]).findings]
    report = checked([f"{SSL}/ca-key.pem"])
    assert (report.findings, paths(report)) == ([], [f"{SSL}/ca-key.pem"])


def test_whose_tree_an_unread_file_may_say_nobody_knows(tree: Any, checked: Callable[..., Report]) -> None:
    """The kubelet may be told another name than the folder's: without its flags no certificate is another node's."""
    flags = "var/lib/kubelet/kubeadm-flags.env"
    tree.path(flags).parent.mkdir(parents=True)
    tree.put(flags, 'KUBELET_KUBEADM_ARGS="--hostname-override=worker-2"\n')
    assert {one.cause for one in checked(node=None).findings} == {"wrong-node-identity"}
    report = checked([flags], node=None)
    assert (report.findings, paths(report)) == ([], [flags])


@pytest.mark.parametrize("inner", [SSL, KEY])
def test_in_a_folder_and_of_a_file_likewise(checked: Callable[..., Report], inner: str) -> None:
    """What is judged by its name alone is no finding either if it cannot be read."""
    report = checked([KEY], inner=inner)
    assert (report.findings, paths(report)) == ([], ["worker-key.pem"])
