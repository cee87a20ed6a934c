"""A file that the caller may not read is no finding, and nothing that depends on the file is
judged."""
from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kpki import files, pem
from kpki.cluster.authority import Authority
from kpki.cluster.check.check import Report, check
from kpki.cluster.node.node import issue_node
from kpki.cluster.observed.inventory import Unread
from kpki.kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from kpki.stages.certificates import x509_req
from kpki.stages.keys import genpkey
from kpki.stages.requests import req_new

Dropped = Callable[[], AbstractContextManager[None]]
SSL = "etc/kubernetes/ssl"
UNIT = "etc/systemd/system/kubelet.service"
CA, CERTIFICATE, KEY = (f"{SSL}/{name}.pem" for name in ("ca", "worker", "worker-key"))
PKI, SUBJECT = "var/lib/kubelet/pki", "/O=system:nodes/CN=system:node:worker-1"
KUBECONFIG, CONFIG = "etc/kubernetes/worker-kubeconfig.yaml", "var/lib/kubelet/config.yaml"


@pytest.fixture
def checked(tree: Any, shared_path: Path, as_nobody: Dropped) -> Callable[..., Report]:
    """Check a copy of the worker's tree, which belongs to an ordinary user, as that user: without
    the mode bits of the *closed* files and folders."""
    def run(closed: Sequence[str] = (), *, mode: int = 0, node: str | None = "worker-1",
            inner: str = "") -> Report:
        copy = shared_path / "nodes/worker-1"
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(tree.root, copy)
        # all that is imported is, before the user is another
        check(str(copy), now=tree.now, node=node)
        if os.geteuid() == 0:
            for path in (copy.parent, copy, *copy.rglob("*")):
                os.lchown(path, 65534, 65534)
        for item in closed:
            (copy / item).chmod(mode)
        try:
            with as_nobody():
                return check(str(copy / inner), now=tree.now, node=node)
        finally:
            for item in reversed(closed):
                (copy / item).chmod(0o700)
    return run


def paths(report: Report) -> list[str]:
    return [file.path for file in report.unread]


@pytest.mark.parametrize(("closed", "unread"), [
    ([KEY], [KEY]), ([CERTIFICATE], [CERTIFICATE]), ([CA], [CA]), ([KUBECONFIG], [KUBECONFIG]),
    ([CA, CERTIFICATE, KEY, KUBECONFIG], [CA, CERTIFICATE, KEY, KUBECONFIG]),
    ([SSL], [SSL]), (["etc/kubernetes"], ["etc/kubernetes"]), (["etc"], ["etc"]),
])
def test_what_may_not_be_read_is_no_finding(checked: Callable[..., Report], closed: list[str],
                                            unread: list[str]) -> None:
    """Each file is named once; of a folder that cannot be searched the folder is; what is closed to
    nobody is not."""
    report = checked(closed)
    assert ([*report.findings], {*report.unread}) == ([], {Unread(None, path) for path in unread})
    assert len(report.unread) == len(unread)
    assert (checked().findings, checked().unread) == ([], [])


def test_a_folder_that_cannot_be_listed_is_named(checked: Callable[..., Report]) -> None:
    """Other keys may lie in the folder; the files whose names are known are checked."""
    report = checked([SSL], mode=0o311)
    assert (report.findings, report.unread) == ([], [Unread(None, SSL)])
    assert report.certificates == 2


def test_what_could_be_read_is_judged_all_the_same(tree: Any,
                                                   checked: Callable[..., Report]) -> None:
    """A certificate that ended is wrong whoever may read its key; a file that is missing in an open
    folder is."""
    tree.leaf("extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:worker-1", days=1,
              ago=timedelta(days=9))
    report = checked([KEY])
    assert [(finding.cause, finding.path)
            for finding in report.findings] == [("expired-client-cert", CERTIFICATE)]
    assert paths(report) == [KEY]
    tree.path(KEY).unlink()
    assert ("file-missing", KEY) in [(finding.cause, finding.path)
                                     for finding in checked([CA]).findings]


def test_by_a_ca_that_nobody_has_seen_nothing_is_judged(tree: Any,
                                                        checked: Callable[..., Report]) -> None:
    """Another CA's certificate is wrong by the CA's file alone: without the file nothing is said of
    the signer."""
    tree.leaf("extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:worker-1", ca=tree.other)
    assert {finding.cause for finding in checked().findings} == {"unknown-authority"}
    report = checked([CA])
    assert (report.findings, paths(report)) == ([], [CA])


def test_another_ca_does_not_stand_in_for_the_unread_one(tree: Any,
                                                         checked: Callable[..., Report]) -> None:
    """A kubeconfig with another CA is wrong by the CA's file; by that CA alone nothing is said of
    the certificate."""
    tree.embed(ca=tree.other.bundle)
    assert [finding.cause for finding in checked().findings] == ["kubeconfig-wrong-ca"]
    report = checked([CA])
    assert (report.findings, paths(report)) == ([], [CA])


def test_a_file_may_lie_where_an_unread_file_says(tree: Any,
                                                  checked: Callable[..., Report]) -> None:
    """If the kubelet's configuration cannot be read, a missing certificate is no finding: the
    kubelet may read another."""
    tree.path(CONFIG).parent.mkdir(parents=True)
    tree.put(CONFIG, "kind: KubeletConfiguration\n")
    tree.path(CERTIFICATE).unlink()
    assert [(finding.cause, finding.path)
            for finding in checked().findings] == [("file-missing", CERTIFICATE)]
    for closed in (CONFIG, "var/lib/kubelet"):
        report = checked([closed])
        assert ([*report.findings], paths(report)) == ([], [closed])


def test_a_host_that_may_be_no_worker_may_hold_a_cas_key(tree: Any,
                                                         checked: Callable[..., Report]) -> None:
    """A CA's key on a worker is wrong; if the API server's manifest cannot be read, nobody knows
    whether it is one."""
    (tree.root / "etc/kubernetes/manifests").mkdir()
    shutil.copy(tree.path(KEY), tree.path(f"{SSL}/ca-key.pem"))
    assert [finding.cause for finding in checked().findings] == ["ca-key-on-worker"]
    assert "ca-key-on-worker" not in [finding.cause
                                      for finding in checked(["etc/kubernetes/manifests"]).findings]
    report = checked([f"{SSL}/ca-key.pem"])
    assert (report.findings, paths(report)) == ([], [f"{SSL}/ca-key.pem"])


def test_whose_tree_an_unread_file_may_say_nobody_knows(tree: Any,
                                                        checked: Callable[..., Report]) -> None:
    """If the kubelet's flags cannot be read, its name is unknown, and no certificate is found to be
    another node's."""
    flags = "var/lib/kubelet/kubeadm-flags.env"
    tree.path(flags).parent.mkdir(parents=True)
    tree.put(flags, 'KUBELET_KUBEADM_ARGS="--hostname-override=worker-2"\n')
    tree.path(UNIT).parent.mkdir(parents=True)
    tree.put(UNIT, "[Service]\nEnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\n"
             f"ExecStart=/usr/bin/kubelet --kubeconfig=/{KUBECONFIG} --client-ca-file=/{CA} --tls-"
             f"cert-file=/{CERTIFICATE} --tls-private-key-file=/{KEY} $KUBELET_KUBEADM_ARGS\n")
    assert {finding.cause for finding in checked(node=None).findings} == {"wrong-node-identity"}
    tree.leaf("extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:worker-2",
              subject="/O=system:nodes/CN=system:node:worker-2")
    assert [*checked(node=None).findings] == []
    report = checked([flags], node=None)
    assert (report.findings, paths(report)) == ([], [flags])


@pytest.fixture
def kubeadm(tree: Any) -> Any:
    """The worker under kubeadm's layout, with a serving certificate of the cluster's CA, that CA's
    after it."""
    shutil.rmtree(tree.root)
    made = issue_node(tree.ca, "worker-1", addresses=["10.0.0.21"], layout="kubeadm", now=tree.now,
                      server="https://10.0.0.10:6443")
    files.replace_tree(tree.root, made, folder_mode=0o755, backup=None, now=tree.now)
    (tree.root / PKI).mkdir(parents=True)
    serves(tree, tree.ca)
    return tree


def serves(tree: Any, ca: Authority) -> None:
    """Let the kubelet serve a certificate of this CA, that CA's after it."""
    key = genpkey("EC", curve="P-256")
    leaf = x509_req(req_new(key, config="", subject=SUBJECT), ca.certificate, ca.key, now=tree.now,
                    extfile=(
                        "extendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n"
                        "subjectAltName=DNS:worker-1,IP:10.0.0.21"))
    tree.put(f"{PKI}/kubelet.crt", pem.dump_certificate(leaf) + ca.bundle)
    tree.put(f"{PKI}/kubelet.key", pem.dump_key(key))
    tree.path(f"{PKI}/kubelet.key").chmod(0o600)


def test_who_signed_what_a_kubelet_serves_the_ca_tells(kubeadm: Any,
                                                       checked: Callable[..., Report]) -> None:
    """A chain that ends at a CA of its own is the kubelet's own work, unless that CA is the
    cluster's."""
    assert [*checked().findings] == []
    report = checked(["etc/kubernetes/pki/ca.crt"])
    assert (report.findings, paths(report)) == ([], ["etc/kubernetes/pki/ca.crt"])
    serves(kubeadm, kubeadm.other)
    assert [finding.cause for finding in checked().findings] == ["kubelet-serving-self-signed"]


def test_whether_a_closed_folder_holds_a_link_nobody_knows(kubeadm: Any,
                                                           checked: Callable[..., Report]) -> None:
    """The kubelet's store is a link; a file in its place is a warning, and of a hidden store
    nothing is said."""
    config, current = "etc/kubernetes/kubelet.conf", f"{PKI}/kubelet-client-current.pem"
    there = load_kubeconfig(kubeadm.path(config).read_bytes())
    kubeadm.put(current, (there.certificate.data or b"") + (there.key.data or b""))
    kubeadm.path(current).chmod(0o600)
    kubeadm.put(config, dump_kubeconfig(replace(there, certificate=Material(path=f"/{current}"),
                                                key=Material(path=f"/{current}"))))
    assert [finding.cause for finding in checked().findings] == ["kubelet-client-current-broken"]
    report = checked([PKI])
    assert (report.findings, paths(report)) == ([], [PKI])


def test_in_a_folder_an_unread_ca_may_be_the_signer(tree: Any,
                                                    checked: Callable[..., Report]) -> None:
    """Beside a CA of the same name another one may be the signer, if that one can be read."""
    folder = tree.root / "certs"
    folder.mkdir()
    for name, data in (("old", tree.other.bundle), ("new", tree.ca.bundle)):
        (folder / f"{name}.crt").write_bytes(data)
    shutil.copy(tree.path(CERTIFICATE), folder / "mail.crt")
    assert [*checked(inner="certs", node=None).findings] == []
    report = checked(["certs/new.crt"], inner="certs", node=None)
    assert (report.findings, paths(report)) == ([], ["new.crt"])
    (folder / "new.crt").unlink()
    assert [finding.cause
            for finding in checked(inner="certs", node=None).findings] == ["unknown-authority"]


@pytest.mark.parametrize("inner", [SSL, KEY])
def test_in_a_folder_and_of_a_file_likewise(checked: Callable[..., Report], inner: str) -> None:
    """A file that is known by its name alone has no finding if it cannot be read."""
    report = checked([KEY], inner=inner)
    assert (report.findings, paths(report)) == ([], ["worker-key.pem"])
