"""Which certificates of a cluster one could be."""
from __future__ import annotations

import pytest

from kpki.kubernetes.layouts import LAYOUTS, Layout
from kpki.kubernetes.profiles import PROFILES, Profile, identity_of
from kpki.kubernetes.reading import Names, Subject
from kpki.kubernetes.showing.rows import rows_of
from kpki.kubernetes.showing.shown import ShownUse

BOTH: tuple[ShownUse, ...] = ("client", "server")
LOCAL, NAMED, NONE = Names(("worker-1", "localhost")), Names(("worker-1",)), Names()
USES: dict[str, ShownUse] = {"serverAuth": "server", "clientAuth": "client"}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda value: value.name)
@pytest.mark.parametrize("profile", [profile for profile in PROFILES if profile.kind != "key"],
                         ids=lambda value: value.name)
def test_every_row_is_found_by_what_it_is_issued_with(profile: Profile, layout: Layout) -> None:
    """A certificate with a row's own subject, usages and names could be that row."""
    identity = identity_of(profile, node="worker-1", administrators=layout.administrators)
    uses: tuple[ShownUse, ...] = (("sign",) if profile.kind == "ca"
                             else tuple(USES[usage] for usage in profile.usages))
    found = rows_of(Subject(identity.user, identity.groups),
                    NONE if profile.sans == "none" else LOCAL, uses)
    assert profile.name in found
    assert all(item.kind == profile.kind for item in PROFILES if item.name in found)


@pytest.mark.parametrize(("user", "groups", "names", "uses", "rows"), [
    ("system:node:worker-1", ("system:nodes",), NAMED, BOTH,
     ("kubelet", "kubelet-client", "kubelet-serving")),
    ("system:node:worker-1", ("system:nodes",), NONE, BOTH, ("kubelet-client",)),
    ("system:node:worker-1", ("system:nodes", "more"), NAMED, ("client",), ("kubelet-client",)),
    ("system:node:worker-1", ("system:nodes",), NAMED, ("server",), ("kubelet-serving",)),
    ("system:node:worker-1", (), NAMED, BOTH, ()),
    ("system:node:", ("system:nodes",), NAMED, BOTH, ()),
    ("worker-1", ("system:nodes",), NAMED, BOTH, ()),
    ("worker-1", (), LOCAL, BOTH, ("etcd-server", "etcd-peer")),
    ("kube-etcd", (), LOCAL, BOTH, ("etcd-server",)),
    ("kube-apiserver", (), LOCAL, BOTH, ("apiserver",)),
    ("kubernetes", (), NONE, ("server",), ("apiserver",)),
    ("kube-apiserver", (), NONE, ("client",), ()),
    ("kube-apiserver-kubelet-client", ("system:masters",), NONE, ("client",),
     ("apiserver-kubelet-client",)),
    ("kube-apiserver-kubelet-client", (), NONE, ("client",), ()),
    ("admin", ("system:masters",), NONE, ("client",), ("admin",)),
    ("kube-admin-cp-1", ("kubeadm:cluster-admins",), NONE, ("client",), ("admin",)),
    ("admin", ("developers",), NONE, ("client",), ()),
    ("Not A Host", (), LOCAL, BOTH, ()),
    ("etcd-ca", (), NONE, ("sign",), ("etcd-ca",)),
    ("10.0.0.10", (), NONE, ("sign",), ("ca", "etcd-ca", "front-proxy-ca")),
    ("kube-scheduler", (), NONE, (), ())])
def test_a_row_is_its_subject_usages_and_names(user: str, groups: tuple[str, ...], names: Names,
                                               uses: tuple[ShownUse, ...],
                                               rows: tuple[str, ...]) -> None:
    """Former names count, wider groups count, a CA's name is free; a row that lacks one part is not
    named."""
    assert rows_of(Subject(user, groups), names, uses) == rows
