"""What each host is to hold: rows by its roles, names and servers, and what a new row of the tables
is enough for."""
from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest
from cryptography import x509

from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.desired.rows import Row, Wanted, layout_of, wanted_rows
from kpki.cluster.observed.inventory import ObservedFile
from kpki.cluster.plan.plan import make_plan
from kpki.kubernetes import layouts, profiles
from kpki.kubernetes.kubeconfig import load_kubeconfig
from kpki.kubernetes.layouts import LAYOUTS, Layout, Place
from kpki.kubernetes.profiles import PROFILES, Profile

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEAD = "apiVersion: kpki/v1\nkind: Cluster\n"
STACKED = """\
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}
- {name: worker-1, addresses: [10.0.0.21]}
"""
APART = """\
nodes:
- {name: etcd-1, roles: [etcd], addresses: [10.0.0.30]}
- {name: cp-1, roles: [control-plane], addresses: [10.0.0.10]}
- {name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}
"""
EXTERNAL = """\
etcd: {external: {caFile: /etc/etcd/ca.crt, certFile: /etc/etcd/client.crt, \
keyFile: /etc/etcd/client.key}}
nodes:
- {name: cp-1, roles: [control-plane], addresses: [10.0.0.10]}
- {name: worker-1, addresses: [10.0.0.21]}
"""
_SERVES = "apiserver apiserver-kubelet-client"
_ETCD = "etcd-server etcd-peer etcd-healthcheck-client"
_USERS = "kube-controller-manager kube-scheduler"
# (layout, etcd, host) → its rows in order; a star: with the key of the CA, or of the service
# accounts.
HOSTS = {
    ("kubeadm", STACKED, "cp-1"): "ca* etcd-ca* front-proxy-ca* service-accounts* "
    f"{_SERVES} apiserver-etcd-client front-proxy-client {_ETCD} admin super-admin {_USERS} "
    "kubelet-client",
    ("kubeadm", STACKED, "cp-2"): "ca* etcd-ca* front-proxy-ca* service-accounts* "
    f"{_SERVES} apiserver-etcd-client front-proxy-client {_ETCD} admin {_USERS} kubelet-client",
    ("kubeadm", STACKED, "worker-1"): "ca kubelet-client",
    ("kubeadm", APART, "etcd-1"): f"ca etcd-ca {_ETCD} kubelet-client",
    ("kubeadm", APART, "cp-1"): "ca* etcd-ca front-proxy-ca* service-accounts* "
    f"{_SERVES} apiserver-etcd-client front-proxy-client admin super-admin {_USERS} kubelet-client",
    ("kubeadm", EXTERNAL, "cp-1"): "ca* front-proxy-ca* service-accounts* "
    f"{_SERVES} front-proxy-client admin super-admin {_USERS} kubelet-client",
    ("kubeadm", EXTERNAL, "worker-1"): "ca kubelet-client",
    ("ssl", STACKED, "cp-1"): "ca* etcd-ca* front-proxy-ca* service-accounts* "
    f"{_SERVES} apiserver-etcd-client front-proxy-client {_ETCD} admin {_USERS} kube-proxy kubelet",
    ("ssl", STACKED, "worker-1"): "ca kube-proxy kubelet",
    ("ssl", APART, "etcd-1"): f"ca etcd-ca {_ETCD} kube-proxy kubelet",
    ("ssl", APART, "cp-2"): "ca* etcd-ca* front-proxy-ca* service-accounts* "
    f"{_SERVES} apiserver-etcd-client front-proxy-client {_ETCD} admin {_USERS} kube-proxy kubelet",
    ("ssl", EXTERNAL, "cp-1"): "ca* front-proxy-ca* service-accounts* "
    f"{_SERVES} front-proxy-client admin {_USERS} kube-proxy kubelet",
    # the kubelet's own ca.crt lies apart from the control plane's
    ("hard-way", STACKED, "cp-1"): "ca* etcd-ca* front-proxy-ca* ca service-accounts* "
    f"{_SERVES} apiserver-etcd-client front-proxy-client {_ETCD} admin {_USERS} kubelet kube-proxy",
    ("hard-way", STACKED, "worker-1"): "ca kubelet kube-proxy",
    ("hard-way", APART, "etcd-1"): f"etcd-ca ca {_ETCD} kubelet kube-proxy",
    ("hard-way", APART, "cp-1"): "ca* etcd-ca front-proxy-ca* ca service-accounts* "
    f"{_SERVES} apiserver-etcd-client front-proxy-client admin {_USERS} kubelet kube-proxy",
}


def described(nodes: str, layout: str = "kubeadm", more: str = "") -> Cluster:
    return load_cluster(f"{HEAD}layout: {layout}\n{more}{nodes}")


def rows_of(cluster: Cluster, host: str) -> dict[str, Row]:
    return {row.name: row for row in Wanted(cluster).of_host(cluster.host(host))}


@pytest.mark.parametrize(("layout", "nodes", "host"), HOSTS)
def test_roles_decide_what_a_host_gets(layout: str, nodes: str, host: str) -> None:
    """Each host gets the rows of its roles, signers first, and the key of a CA only where it has
    the role."""
    cluster = described(nodes, layout)
    found = Wanted(cluster).of_host(cluster.host(host))
    has_key = [row.name + "*" * (row.place.key in row.paths() and row.profile.kind != "leaf"
                                 and row.place.key != "")
               for row in found]
    assert has_key == HOSTS[layout, nodes, host].split()


@pytest.mark.parametrize("layout", [layout.name for layout in LAYOUTS])
@pytest.mark.parametrize("nodes", [STACKED, APART, EXTERNAL], ids=["stacked", "apart", "external"])
def test_a_worker_holds_nothing_of_the_control_plane(layout: str, nodes: str) -> None:
    """Without a role a host has no CA's key, no other node's name, no user's pair but its kubelet's
    and proxy's."""
    cluster = described(nodes + "- {name: plain, addresses: [10.0.0.99]}\n", layout,
                        "kubeletServing: true\n")
    rows = Wanted(cluster).of_host(cluster.host("plain"))
    assert {row.identity.user for row in rows} <= {"kubernetes", "system:node:plain",
                                                   "system:kube-proxy"}
    assert {row.name for row in rows} <= {"ca", "kubelet", "kubelet-client", "kubelet-serving",
                                          "kube-proxy"}
    assert all(path == row.place.certificate for row in rows if row.profile.kind != "leaf"
               for path in row.paths())
    assert ("kubelet-serving" in {row.name for row in rows}) is (layout == "kubeadm")


def test_the_workspace_holds_what_the_hosts_need() -> None:
    """All CAs and the sa pair, without etcd's where that is external; the administrator's
    kubeconfig for people."""
    for nodes, wanted in ((STACKED, "ca etcd-ca front-proxy-ca service-accounts admin"),
                          (EXTERNAL, "ca front-proxy-ca service-accounts admin")):
        rows = [row for row in wanted_rows(described(nodes)) if row.host is None]
        assert [row.name for row in rows] == wanted.split()
    assert [path for row in rows for path in row.paths()] == [
        "pki/ca.crt", "pki/ca.key", "pki/front-proxy-ca.crt", "pki/front-proxy-ca.key",
        "pki/sa.pub", "pki/sa.key", "users/admin.conf"]


def test_rows_come_host_by_host_and_no_file_twice() -> None:
    """The workspace's first, then each host's in the description's order; each file of a tree is
    one row's."""
    for layout in LAYOUTS:
        rows = [*wanted_rows(described(STACKED, layout.name))]
        assert [*dict.fromkeys(row.host for row in rows)] == [None, "cp-1", "cp-2", "worker-1"]
        paths = [(row.host, path) for row in rows for path in row.paths()]
        assert len(paths) == len(set(paths))


@pytest.mark.parametrize(("more", "host", "row", "server"), [
    ("", "worker-1", "kubelet-client", "https://10.0.0.10:6443"),
    ("", "cp-2", "kubelet-client", "https://10.0.0.11:6443"),
    ("", "cp-2", "admin", "https://10.0.0.11:6443"),
    ("controlPlaneEndpoint: api.example.internal\n", "cp-2", "admin",
     "https://api.example.internal:6443"),
    ("controlPlaneEndpoint: api.example.internal:443\n", "cp-2", "kube-scheduler",
     "https://10.0.0.11:6443"),
    ("controlPlaneEndpoint: api.example.internal:443\n", "worker-1", "kubelet-client",
     "https://api.example.internal:443"),
    ("controlPlaneEndpoint: '[fd00::1]:443'\n", "worker-1", "kubelet-client",
     "https://[fd00::1]:443"),
    ("localAPIEndpoint: {bindPort: 7443}\n", "worker-1", "kubelet-client",
     "https://10.0.0.10:7443")])
def test_a_kubeconfig_leads_to_the_endpoint_or_to_its_own_host(more: str, host: str, row: str,
                                                               server: str) -> None:
    """As kubeadm has it: a control plane's programs go to their own API server, all else to the
    endpoint."""
    config = rows_of(described(STACKED, more=more), host)[row].kubeconfig
    assert config is not None and config.server == server


def test_a_certificate_names_what_the_description_gives() -> None:
    """SANs by kind: the kubelet's own, etcd's with localhost, the API server's with what one asks
    for."""
    cluster = load_cluster(HEAD + """\
layout: hard-way
controlPlaneEndpoint: api.example.internal
networking: {serviceSubnet: "fd00:10::/112,10.96.0.0/12", dnsDomain: blue.local}
apiServer: {certSANs: [10.0.0.10, www.example.com, 192.0.2.1]}
etcd: {local: {serverCertSANs: [etcd.example.com], peerCertSANs: [192.0.2.2]}}
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10, "fd00::10"], \
dnsNames: [cp-1.example.com]}
""")
    rows = rows_of(cluster, "cp-1")
    names = {name: (rows[name].identity.dns, rows[name].identity.addresses) for name in (
        "kubelet", "etcd-server", "etcd-peer", "apiserver", "admin")}
    assert names == {
        "kubelet": (("cp-1", "cp-1.example.com"), ("10.0.0.10", "fd00::10")),
        "etcd-server": (("cp-1", "etcd.example.com", "localhost"),
                        ("10.0.0.10", "127.0.0.1", "::1")),
        "etcd-peer": (("cp-1", "localhost"), ("10.0.0.10", "127.0.0.1", "::1", "192.0.2.2")),
        "apiserver": (("api.example.internal", "cp-1", "kubernetes", "kubernetes.default",
                       "kubernetes.default.svc", "kubernetes.default.svc.blue.local",
                       "www.example.com"),
                      ("fd00:10::1", "10.0.0.10", "192.0.2.1")),
        "admin": ((), ())}
    assert Wanted(cluster).api_servers() == {*names["apiserver"][0], *names["apiserver"][1]}


def test_a_moved_folder_moves_kubeadms_files_and_no_kubeconfig() -> None:
    """certificatesDir takes the place of /etc/kubernetes/pki; kubeconfigs and the kubelet's own
    folder stay."""
    cluster = described(STACKED, more="certificatesDir: /srv/pki\nkubeletServing: true\n")
    paths = {path for row in wanted_rows(cluster) if row.host == "cp-1" for path in row.paths()}
    folders = {path.rpartition("/")[0] for path in paths}
    assert folders == {"srv/pki", "srv/pki/etcd", "etc/kubernetes", "var/lib/kubelet/pki"}
    assert layout_of(described(STACKED)) is layouts.KUBEADM


def test_a_bundle_is_wanted_with_its_signer_alone_on_control_planes() -> None:
    """If the CA's file has several certificates, control planes also get the signing certificate
    alone, and workers do not."""
    cluster = described(STACKED)
    wanted = Wanted(cluster, bundled=True)
    alone = {host.name: [row.paths() for row in wanted.of_host(host) if row.place.only == "signer"]
             for host in cluster.hosts}
    assert alone == {"cp-1": [("etc/kubernetes/pki/ca-signer.crt",)],
                     "cp-2": [("etc/kubernetes/pki/ca-signer.crt",)], "worker-1": []}


def test_every_row_is_frozen_and_has_its_source() -> None:
    """Profiles, layouts and their places cannot be changed, and each says where it comes from."""
    rows: tuple[tuple[object, str], ...] = (
        *((profile, "name") for profile in (*PROFILES, *LAYOUTS)),
        *((place, "row") for layout in LAYOUTS for place in layout.places))
    for item, field in rows:
        with pytest.raises(FrozenInstanceError):
            setattr(item, field, "")
    assert all(profile.source for profile in PROFILES) and all(layout.source for layout in LAYOUTS)


def test_a_new_row_and_a_new_layout_need_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line more in each table, and it is planned, issued, written into a kubeconfig, found right
    the next time."""
    konnectivity = Profile(name="konnectivity", signer="ca",
                           common_name="system:konnectivity-server:{node}",
                           organizations=("system:masters",), usages=("serverAuth", "clientAuth"),
                           sans="node", per="control-plane",
                           source="https://kubernetes.io/docs/tasks/extend-kubernetes/")
    layout = Layout(name="test", administrators="admins", context="{cluster}/{user}",
                    source="this test", places=(
                        Place(row="ca", certificate="opt/ca.pem", key="opt/ca-key.pem",
                              holders=("",), key_holders=("control-plane",)),
                        Place(row="konnectivity", certificate="opt/konnectivity.pem",
                              key="opt/konnectivity-key.pem", kubeconfig="opt/konnectivity.conf",
                              server="local"),
                        Place(row="kubelet-client", kubeconfig="opt/kubelet.conf")))
    monkeypatch.setattr(profiles, "PROFILES", (*PROFILES, konnectivity))
    monkeypatch.setattr(layouts, "LAYOUTS", (*LAYOUTS, layout))
    cluster = replace(described(STACKED), layout="test")
    made = {file.path: file for file in make_plan(cluster, now=NOW).files()}
    modes = {path: file.mode for path, file in made.items() if path.startswith("nodes/cp-2/")}
    assert modes == {f"nodes/cp-2/opt/{name}": mode for name, mode in (
        ("ca.pem", 0o644), ("ca-key.pem", 0o600), ("konnectivity.pem", 0o644),
        ("konnectivity-key.pem", 0o600), ("konnectivity.conf", 0o600), ("kubelet.conf", 0o600))}
    assert [path for path in made if path.startswith("nodes/worker-1/")] == [
        "nodes/worker-1/opt/ca.pem", "nodes/worker-1/opt/kubelet.conf"]
    leaf = x509.load_pem_x509_certificate(made["nodes/cp-2/opt/konnectivity.pem"].data)
    assert leaf.subject.rfc4514_string() == "CN=system:konnectivity-server:cp-2,O=system:masters"
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(made["pki/ca.crt"].data))
    config = load_kubeconfig(made["nodes/cp-2/opt/konnectivity.conf"].data)
    assert config.context_name == "kubernetes/system:konnectivity-server:cp-2"
    assert config.server == "https://10.0.0.11:6443"
    assert config.certificate.data == made["nodes/cp-2/opt/konnectivity.pem"].data

    def observe(path: str) -> ObservedFile:
        return ObservedFile(path, made[path].data, made[path].mode) if path in made \
            else ObservedFile(path, missing=True)

    assert [*make_plan(cluster, observe=observe, now=NOW).steps()] == []
    made.pop("nodes/cp-1/opt/konnectivity-key.pem")
    assert [(step.action, step.path)
            for step in make_plan(cluster, observe=observe, now=NOW).steps()] == [
                ("replace", "opt/konnectivity.pem"), ("create", "opt/konnectivity-key.pem"),
                ("replace", "opt/konnectivity.conf")]
