"""A private key belongs to root, or to the user that runs the component."""
from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from kpki.cluster.check.remedies.remedy import with_remedies
from kpki.cluster.check.remedies.target import RepairTarget
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.observed.owners import with_owners
from kpki.cluster.rules.host import check_node

KEY = "etc/kubernetes/ssl/worker-key.pem"
UNIT = "etc/systemd/system/kubelet.service"
DROP_IN = f"{UNIT}.d/10-user.conf"
START = ("ExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml "
         "--client-ca-file=/etc/kubernetes/ssl/ca.pem --tls-cert-file=/etc/kubernetes/ssl/"
         "worker.pem --tls-private-key-file=/etc/kubernetes/ssl/worker-key.pem\n")
PASSWD = {"etc/passwd": "root:x:0:0::/:/bin/sh\nkube:x:54321:54321::/:/bin/false\n"}


def faults(tree: Any, files: dict[str, str], owner: int, group: int = 0,
           mode: int = 0o600) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """What is wrong if the worker's key is this user's, and what mends it."""
    for path, text in files.items():
        tree.path(path).parent.mkdir(parents=True, exist_ok=True)
        tree.put(path, text)
    seen = inspect(str(tree.root), node="worker-1")
    assert seen.file(KEY).owner == os.getuid()
    seen = with_owners(replace(seen, found={**seen.found, KEY: seen.file(KEY)._replace(
        owner=owner, group=group, mode=mode)}))
    found = with_remedies(check_node(seen, node="worker-1", now=tree.now),
                          RepairTarget(seen, "worker-1", now=tree.now))
    return [(item.cause, item.got, item.expected, item.remedy) for item in found]


@pytest.mark.parametrize(("files", "owner", "expected"), [
    ({}, 54321, "root"),
    ({**PASSWD, UNIT: "[Service]\nUser=kube\n" + START}, 54322, "kube"),
    ({**PASSWD, UNIT: "[Service]\nUser=kube\n" + START, DROP_IN: "[Service]\nUser=root\n"}, 54321,
     "root"),
    ({**PASSWD, UNIT: "[Service]\n#User=kube\n" + START}, 54321, "root"),
    ({"etc/systemd/system/etcd.service": "[Service]\nUser=54321\nExecStart=/usr/bin/etcd\n"}, 54321,
     "root"),
])
def test_a_strangers_key_is_exposed(tree: Any, files: dict[str, str], owner: int,
                                    expected: str) -> None:
    """Whoever owns the key can read the key, whatever its mode; its owner is put right by one
    command."""
    assert faults(tree, files, owner) == [
        ("key-exposed", f"owner {owner}", f"owner {expected}", (
            # by the tree's own table
            f"chown {'54321' if expected == 'kube' else expected} {tree.path(KEY)}",))]


@pytest.mark.parametrize(("files", "owner"), [
    ({}, 0), ({**PASSWD, UNIT: "[Service]\nUser=root\n" + START}, 0),
    ({UNIT: "[Service]\nUser=kube\n" + START}, 0),
    ({**PASSWD, UNIT: "[Service]\nUser=kube\n" + START}, 54321),
    ({UNIT: "[Service]\nUser=54321\n" + START}, 54321),
    ({UNIT: "[Service]\nUser=unknown\n" + START}, 54321), ({}, os.getuid()),
])
def test_the_components_own_user_is_no_stranger(tree: Any, files: dict[str, str],
                                                owner: int) -> None:
    """Root, the user of the component's unit, who owns the tree; of a user whom the tree does not
    number no word."""
    assert faults(tree, files, owner) == []


def test_a_key_that_root_keeps_from_its_components_user_is_unreadable(tree: Any) -> None:
    """The component does not start: it runs as a user who cannot open the file (open(2))."""
    assert faults(tree, {**PASSWD, UNIT: "[Service]\nUser=kube\n" + START}, 0) == [
        ("key-unreadable", "owner root", "owner kube", (f"chown 54321 {tree.path(KEY)}",))]


@pytest.mark.parametrize(("groups", "passwd", "trusted"), [
    ("kube:x:600:", "kube:x:54321:600::/:\n", True),         # the component's user alone
    ("keys:x:600:kube", "kube:x:54321:54321::/:\n", True),
    ("keys:x:600:", "", True),                               # nobody: kubeadm's users without root
    # whom the distribution makes administrators
    ("microk8s:x:600:ann", "ann:x:1000:1000::/:\n", True),
    ("kube:x:600:ann", "kube:x:54321:600::/:\nann:x:1000:1000::/:\n", False),
    ("kube:x:600:", "kube:x:54321:600::/:\nann:x:1000:600::/:\n", False),
    ("kube:x:600:someone-else", "kube:x:54321:600::/:\n", False),
    ("kube:x:601:", "kube:x:54321:600::/:\n", False),  # the tree does not tell who is in the group
])
def test_a_group_without_a_stranger_exposes_nothing(tree: Any, groups: str, passwd: str,
                                                    trusted: bool) -> None:
    """A group may read a key if root and the components' users alone are in the group."""
    files = {"etc/group": f"root:x:0:\n{groups}\n", "etc/passwd": "root:x:0:0::/:\n"
             f"{passwd or 'kube:x:54321:1::/:'}", UNIT: "[Service]\nUser=kube\n" + START}
    found = [cause for cause, *_ in faults(tree, files, 54321, group=600, mode=0o640)]
    assert found == ([] if trusted else ["key-exposed"])
    assert [cause for cause, *_ in faults(tree, files, 54321, group=600,
                                          mode=0o644)] == ["key-exposed"]
