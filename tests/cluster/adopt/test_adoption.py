"""A host's tree → a workspace: what its files say, what is copied, and that nothing is left for a
plan to do."""
from __future__ import annotations

import os
import shutil
import stat
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kpki import files, pem
from kpki.cluster.adopt.adoption import Adoption, adopt, described, from_configuration, from_tree
from kpki.cluster.authority import Authority, load_authority
from kpki.cluster.desired.description import (
    Cluster,
    ExternalEtcd,
    Host,
    load_cluster,
)
from kpki.cluster.desired.example import example_description
from kpki.cluster.node.example import example_authority
from kpki.cluster.observed import inventory
from kpki.cluster.observed.inventory import ObservedFile
from kpki.cluster.plan.plan import Plan, make_plan
from kpki.errors import ConfigurationError, FileError, InputError
from kpki.kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from kpki.kubernetes.layouts import get_layout
from kpki.stages.certificates import req_x509, x509_req
from kpki.stages.keys import genpkey
from kpki.stages.requests import req_new

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STACKED, CONTROL_PLANE = frozenset({"control-plane", "etcd"}), frozenset({"control-plane"})
HEAD = "apiVersion: kpki/v1\nkind: Cluster\n"
NODES = """\
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: worker-1, addresses: [10.0.0.21, "fd00::21"], dnsNames: [worker-1.example]}
"""
RICH = """\
clusterName: blue
controlPlaneEndpoint: api.example:8443
localAPIEndpoint: {bindPort: 7443}
networking: {serviceSubnet: 10.3.0.0/16, dnsDomain: blue.local}
apiServer: {certSANs: ["*.wild.example", further.example, 192.0.2.7]}
etcd: {local: {serverCertSANs: [etcd.example], peerCertSANs: [192.0.2.8]}}
"""
EXTERNAL = """\
etcd: {external: {caFile: /e/ca.crt, certFile: /e/client.crt, keyFile: /e/client.key}}
nodes: [{name: cp-1, roles: [control-plane], addresses: [10.0.0.10]}]
"""
APISERVER = "etc/kubernetes/manifests/kube-apiserver.yaml"


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The hosts' trees of a description, made once."""
    made: dict[str, Path] = {}

    def make(text: str) -> Path:
        if text not in made:
            made[text] = tmp_path_factory.mktemp("trees")
            files.replace_tree(made[text], list(make_plan(load_cluster(HEAD + text), now=NOW)
                                                .files()), folder_mode=0o755, backup=None, now=NOW)
        return made[text] / "nodes"
    return make


@pytest.fixture
def tree(trees: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of one host's tree, to be changed."""
    def copy(text: str = NODES, host: str = "cp-1") -> Path:
        return Path(shutil.copytree(trees(text) / host, tmp_path / "there" / "nodes" / host,
                                    symlinks=True))
    return copy


def make_ca() -> Authority:
    return load_authority(*example_authority(NOW), now=NOW)


def take(root: Path, **more: str) -> Adoption:
    return from_tree(str(root), host_name="here", **more)


def cluster_of(adoption: Adoption) -> Cluster:
    """What the description says that is written."""
    assert adoption.adopted[-1].file.path == "cluster.yaml"
    return load_cluster(adoption.adopted[-1].file.data)


def plan_of(workspace: Path) -> Plan:
    """The plan for a workspace on disk, each host's links read as on that host."""
    def observe(path: str) -> ObservedFile:
        parts = path.split("/", 2)
        root = workspace / "nodes" / parts[1] if parts[0] == "nodes" else workspace
        inner = parts[2] if parts[0] == "nodes" else path
        return inventory.observe_file(str(root), inner)._replace(path=path)
    return make_plan(load_cluster((workspace / "cluster.yaml").read_bytes()), observe=observe,
                     now=NOW)


def steps(workspace: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(step.action, step.path, step.causes) for step in plan_of(workspace).steps()]


def adopted(root: Path, workspace: Path, **more: str) -> Cluster:
    """Adopt a tree; nothing is left for the plan to do."""
    adoption = take(root, **more)
    assert {action for _, action in adopt(str(workspace), adoption, now=NOW)} == {"create"}
    assert steps(workspace) == []
    return cluster_of(adoption)


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path.relative_to(root)): (path.lstat().st_mode,
                                          os.fsencode(os.readlink(path)) if path.is_symlink()
                                          else path.read_bytes())
            for path in root.rglob("*") if path.is_symlink() or path.is_file()}


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
@pytest.mark.parametrize("more", ["", "encryptionAlgorithm: ECDSA-P384\n", RICH,
                                  "networking: {serviceSubnet: 'fd00:10:96::/112,10.96.0.0/16'}\n"])
def test_a_control_plane_s_tree_says_its_cluster(layout: str, more: str,
                                                 trees: Callable[[str], Path],
                                                 tmp_path: Path) -> None:
    """All that bears on certificates comes back from the files, and a plan for it finds nothing to
    do."""
    text = f"layout: {layout}\n{more}{NODES}"
    wanted = load_cluster(HEAD + text)
    found = adopted(trees(text) / "cp-1", tmp_path / "w")
    wanted = replace(wanted, hosts=wanted.hosts[:1], algorithm=wanted.algorithm or "ECDSA-P256")
    first, *_ = wanted.service_subnets
    assert found == replace(wanted, service_subnets=found.service_subnets)
    assert found.service_subnets[0].split("/")[0] == first.split("/")[0]


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
@pytest.mark.parametrize("more", ["", "controlPlaneEndpoint: '[fd00::99]:8443'\n",
                                  "kubeletServing: true\n"])
def test_a_worker_s_tree_says_where_the_api_server_is(
        layout: str, more: str, trees: Callable[[str], Path], tmp_path: Path) -> None:
    """Its control plane is elsewhere: the endpoint is its kubeconfig's; its addresses are its
    certificate's, if any."""
    serving = layout != "kubeadm" or "Serving" in more
    text = f"layout: {layout}\n{more}{NODES}"
    found = adopted(trees(text) / "worker-1", tmp_path / "w")
    host = Host("worker-1", frozenset(), ("10.0.0.21", "fd00::21"), ("worker-1.example",))
    assert found.hosts == (host if serving else Host("worker-1", frozenset(), ()),)
    assert found.endpoint == (("fd00::99", 8443) if "fd00" in more else ("10.0.0.10", 6443))
    assert found.kubelet_serving == (layout == "kubeadm" and "Serving" in more)


@pytest.mark.parametrize(("layout", "host"), [
    (layout, host) for layout in ("kubeadm", "ssl", "hard-way") for host in ("cp-1", "worker-1")])
def test_what_was_found_is_copied_byte_for_byte(layout: str, host: str, tree: Callable[..., Path],
                                                tmp_path: Path) -> None:
    """And mode for mode; the CAs and the administrator's kubeconfig lie under the workspace's names
    besides."""
    root, workspace = tree(f"layout: {layout}\n{NODES}", host), tmp_path / "w"
    place = get_layout(layout).node_places()[0]
    (root / place.certificate).chmod(0o444)
    before = snapshot(root)
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/other").write_bytes(b"not a certificate's")
    adopted(root, workspace)
    assert snapshot(workspace / "nodes" / host) == before
    own = {path: seen for path, seen in snapshot(workspace).items()
           if path.startswith(("pki/", "users/"))}
    names = {"pki/ca.crt"} | (set() if host != "cp-1" else {
        "pki/ca.key", "pki/etcd/ca.crt", "pki/etcd/ca.key", "pki/front-proxy-ca.crt",
        "pki/front-proxy-ca.key", "pki/sa.pub", "pki/sa.key", "users/admin.conf"})
    assert set(own) == names
    assert {item for path, item in own.items()
            if path.startswith("pki/")} <= set(before.values()) | {
                (stat.S_IFREG | 0o644, data) for _, data in before.values()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (workspace, workspace / "pki",
                                                           workspace / "nodes" / host)
            } == {0o700}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o755
               for path in (workspace / "nodes" / host).rglob("*")
               if path.is_dir())


def test_an_administrator_s_kubeconfig_names_no_file(trees: Callable[[str], Path],
                                                     tmp_path: Path) -> None:
    """Where it embeds its pair it is copied as it is; where it names files they are put into it."""
    for layout, path in (("kubeadm", "etc/kubernetes/admin.conf"),
                         ("ssl", "etc/kubernetes/admin-kubeconfig.yaml")):
        root, workspace = trees(f"layout: {layout}\n{NODES}") / "cp-1", tmp_path / layout
        adopted(root, workspace)
        data = (workspace / "users/admin.conf").read_bytes()
        config = load_kubeconfig(data)
        assert (data == (root / path).read_bytes()) == (layout == "kubeadm")
        assert config.key.data and config.certificate.data and config.authority.data
        assert stat.S_IMODE((workspace / "users/admin.conf").stat().st_mode) == 0o600


def rotate(root: Path) -> None:
    """A kubelet.conf as kubeadm leaves it: it names the link that the kubelet turns over."""
    path = root / "etc/kubernetes/kubelet.conf"
    config = load_kubeconfig(path.read_bytes())
    current = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    folder = root / "var/lib/kubelet/pki"
    folder.mkdir(parents=True)
    target = folder / "kubelet-client-2026-01-01-00-00-00.pem"
    target.write_bytes((config.certificate.data or b"") + (config.key.data or b""))
    target.chmod(0o600)
    (folder / "kubelet-client-current.pem").symlink_to(f"/var/lib/kubelet/pki/{target.name}")
    path.write_bytes(dump_kubeconfig(replace(config, certificate=Material(path=current),
                                             key=Material(path=current))))


@pytest.mark.parametrize("host", ["cp-1", "worker-1"])
def test_the_kubelet_s_current_pair_stays_a_link(host: str, tree: Callable[..., Path],
                                                 tmp_path: Path) -> None:
    """The link is copied as a link, with what it leads to; the host's name is read through it."""
    root, workspace = tree(NODES, host), tmp_path / "w"
    rotate(root)
    os.rename(root, root.with_name("elsewhere"))
    assert adopted(root.with_name("elsewhere"), workspace).hosts[0].name == host
    assert snapshot(workspace / "nodes" / host) == snapshot(root.with_name("elsewhere"))
    link = workspace / "nodes" / host / "var/lib/kubelet/pki/kubelet-client-current.pem"
    assert os.readlink(link) == "/var/lib/kubelet/pki/kubelet-client-2026-01-01-00-00-00.pem"


def test_links_are_followed_as_on_the_host(tree: Callable[..., Path], tmp_path: Path) -> None:
    """A link to a file stays a link (CoreOS: worker.pem → FQDN-worker.pem); a link to a folder is
    followed (kubespray: pki → ssl)."""
    root = tree("layout: ssl\n" + NODES, "worker-1")
    folder = root / "etc/kubernetes/ssl"
    os.rename(folder / "worker.pem", folder / "fqdn-worker.pem")
    (folder / "worker.pem").symlink_to("fqdn-worker.pem")
    before = snapshot(root)
    adopted(root, tmp_path / "w")
    assert snapshot(tmp_path / "w/nodes/worker-1") == before
    os.rename(folder, root / "srv")
    folder.symlink_to("/srv")
    adopted(root, tmp_path / "v")
    assert (tmp_path / "v/nodes/worker-1/etc/kubernetes/ssl/worker.pem").read_bytes() \
        == (root / "srv/fqdn-worker.pem").read_bytes()


def manifest(root: Path, **flags: str) -> None:
    (root / APISERVER).parent.mkdir(parents=True, exist_ok=True)
    words = "".join(f"    - --{name.replace('_', '-')}={value}\n" for name, value in flags.items())
    (root / APISERVER).write_text("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - command:\n"
                                  f"    - kube-apiserver\n{words}    name: kube-apiserver\n")


def test_the_api_server_s_manifest_says_the_rest(tree: Callable[..., Path], tmp_path: Path) -> None:
    """Where its certificates lie, the services' subnet, its port and the address it advertises."""
    root = tree("certificatesDir: /etc/kubernetes/tls\n" + RICH + NODES)
    manifest(root, client_ca_file="/etc/kubernetes/tls/ca.crt",
             service_cluster_ip_range="10.3.0.0/20", secure_port="7443",
             advertise_address="10.0.0.10", etcd_cafile="/etc/kubernetes/tls/etcd/ca.crt",
             service_account_issuer="https://kubernetes.default.svc.blue.local")
    found = adopted(root, tmp_path / "w")
    assert (found.certificates_dir, found.service_subnets) == ("/etc/kubernetes/tls",
                                                               ("10.3.0.0/20",))
    assert (found.port, found.dns_domain, found.hosts) == (7443, "blue.local",
                                                           (Host("cp-1", STACKED, ("10.0.0.10",)),))
    assert not any("serviceSubnet" in line for line in take(root).undetermined)
    assert not (tmp_path / "w/nodes/cp-1" / APISERVER).exists()


def test_an_external_etcd_is_what_the_manifest_names(tree: Callable[..., Path],
                                                     tmp_path: Path) -> None:
    """Its files are left alone; an etcd of the host's own that nobody asks is, too."""
    root = tree(EXTERNAL)
    manifest(root, etcd_cafile="/e/ca.crt", etcd_certfile="/e/client.crt",
             etcd_keyfile="/e/client.key")
    wanted = ExternalEtcd("/e/ca.crt", "/e/client.crt", "/e/client.key")
    found = adopted(root, tmp_path / "w")
    assert (found.external_etcd, found.hosts[0].roles) == (wanted, CONTROL_PLANE)
    shutil.rmtree(root.parent)
    root = tree(NODES)
    manifest(root, etcd_cafile="/e/ca.crt", etcd_certfile="/e/client.crt",
             etcd_keyfile="/e/client.key")
    adoption = take(root)
    assert cluster_of(adoption).external_etcd == wanted
    assert adoption.undetermined[0].startswith(
        "etcd.external: the API server names other files than this host's etcd has")


def test_without_etcd_in_a_control_plane_s_tree_it_is_elsewhere(tree: Callable[..., Path],
                                                                tmp_path: Path) -> None:
    """With the files of the layout where they are there, else with none."""
    root = tree(EXTERNAL)
    assert adopted(root, tmp_path / "w").external_etcd == ExternalEtcd(None, None, None)
    shutil.rmtree(root.parent)
    root = tree(NODES)
    for name in ("server", "peer", "healthcheck-client"):
        for ending in ("crt", "key"):
            (root / f"etc/kubernetes/pki/etcd/{name}.{ending}").unlink()
    found = adopted(root, tmp_path / "v")
    assert found.external_etcd == ExternalEtcd("/etc/kubernetes/pki/etcd/ca.crt", *(
        f"/etc/kubernetes/pki/apiserver-etcd-client.{ending}" for ending in ("crt", "key")))


def test_a_subnet_is_guessed_by_its_first_address(trees: Callable[[str], Path]) -> None:
    """The first address is in the certificate, the prefix length nowhere: one that fits is taken,
    and said."""
    for subnet, guess in (("10.32.0.0/24", "10.32.0.0/12"), ("10.3.0.0/24", "10.3.0.0/16"),
                          ("192.168.5.16/28", "192.168.5.16/28"), ("fd00:1::/112", "fd00:1::/108")):
        adoption = take(trees(f"networking: {{serviceSubnet: '{subnet}'}}\n{NODES}") / "cp-1")
        assert cluster_of(adoption).service_subnets == (guess,)
        assert adoption.undetermined[0].startswith("networking.serviceSubnet: prefix length not "
                                                   f"set by the files, {guess} used")


def test_what_the_files_cannot_tell_is_said(trees: Callable[[str], Path]) -> None:
    """One line a field, in the description's words; what they tell is not among them."""
    kept = "not set by the files, default used"
    ends = [f"certificateValidityPeriod: {kept}", f"caCertificateValidityPeriod: {kept}"]
    others = "nodes: the files name this host only; add the other hosts"
    assert take(trees(NODES) / "cp-1").undetermined == (f"controlPlaneEndpoint: {kept}", *ends,
                                                        others)
    assert take(trees(NODES) / "worker-1").undetermined == (*(f"{field}: {kept}" for field in (
        "localAPIEndpoint.bindPort", "networking.serviceSubnet", "networking.dnsDomain",
        "apiServer.certSANs", "etcd.local.serverCertSANs", "etcd.local.peerCertSANs")), *ends,
        "nodes[0].addresses: left out, for no certificate of worker-1 has an address", others)


def test_a_hand_made_worker_is_described_too(tree: Callable[..., Path], tmp_path: Path) -> None:
    """As CoreOS's pages make it: no node's CN, no O, an address alone, a kubeconfig of other names.
    What is wrong with it is left for the plan, which keeps its key."""
    root = tree("layout: ssl\n" + NODES, "worker-1")
    folder, conf = root / "etc/kubernetes/ssl", root / "etc/kubernetes/worker-kubeconfig.yaml"
    signer = make_ca()
    key = pem.load_key((folder / "worker-key.pem").read_bytes())
    (folder / "ca.pem").write_bytes(signer.bundle)
    (folder / "worker.pem").write_bytes(pem.dump_certificate(x509_req(
        req_new(key, config="", subject="/CN=worker-1.example.com"), signer.certificate, signer.key,
        days=365, extfile="subjectAltName=IP:10.0.0.21", now=NOW - timedelta(minutes=5))))
    config = load_kubeconfig(conf.read_bytes())
    conf.write_bytes(
        dump_kubeconfig(replace(config, cluster_name="local", authority=Material(path="ssl/ca.pem"),
                                context_name="kubelet-context", server="https://10.0.0.10")))
    for path in [*folder.glob("kube-proxy*"), root / "etc/kubernetes/kube-proxy-kubeconfig.yaml"]:
        path.unlink()
    adoption = take(root)
    adopt(str(tmp_path / "w"), adoption, now=NOW)
    found = cluster_of(adoption)
    assert found.hosts == (Host("worker-1", frozenset(), ("10.0.0.21",)),)
    assert (found.name, found.endpoint, found.layout) == ("local", ("10.0.0.10", 443), "ssl")
    todo = [(file.path, file.row, file.needs) for file in plan_of(tmp_path / "w").waiting()
            if file.host]
    assert todo == [(f"etc/kubernetes/ssl/{path}", row, "pki/ca.key") for path, row in (
        ("kube-proxy.pem", "kube-proxy"), ("worker.pem", "kubelet"))]


@pytest.mark.parametrize(("change", "wanted"),
                         [("kubelet.conf", "cp-1"), ("pki/etcd/server.crt", "cp-1")])
def test_the_name_is_the_certificates(tree: Callable[..., Path], change: str, wanted: str) -> None:
    """The kubelet's, else etcd's, wherever the tree lies; only then the folder's."""
    root = tree()
    moved = root.parent.parent / "moved"
    os.rename(root, moved)
    if change != "kubelet.conf":
        (moved / "etc/kubernetes/kubelet.conf").unlink()
    (moved / "etc/kubernetes" / change).write_bytes(b"")
    assert cluster_of(take(moved)).hosts[0].name == wanted
    assert cluster_of(take(moved, node="cp-9")).hosts[0].name == "cp-9"


def test_where_no_certificate_names_it_the_folder_does(tree: Callable[..., Path]) -> None:
    """And where that is no folder of nodes, somebody must say it."""
    root = tree("layout: ssl\n" + NODES, "worker-1")
    (root / "etc/kubernetes/ssl/worker.pem").write_bytes(b"")
    assert cluster_of(take(root)).hosts == (Host("worker-1", frozenset(), ()),)
    os.rename(root, root.parent.parent / "moved")
    with pytest.raises(InputError, match="whose tree is this"):
        take(root.parent.parent / "moved")
    with pytest.raises(InputError, match="is not in lower case"):
        take(root.parent.parent / "moved", node="W")


def test_a_ca_in_a_kubeconfig_alone_is_the_cluster_s(tree: Callable[..., Path],
                                                     tmp_path: Path) -> None:
    """No plan makes another beside it: what is missing on the host is copied there."""
    root = tree(NODES, "worker-1")
    data = (root / "etc/kubernetes/pki/ca.crt").read_bytes()
    (root / "etc/kubernetes/pki/ca.crt").unlink()
    adopt(str(tmp_path / "w"), take(root), now=NOW)
    assert (tmp_path / "w/pki/ca.crt").read_bytes() == data
    assert steps(tmp_path / "w") == [("create", "etc/kubernetes/pki/ca.crt", ("file-missing",))]
    (root / "etc/kubernetes/pki/ca.crt").write_bytes(b"broken")
    adopt(str(tmp_path / "v"), take(root), now=NOW)
    assert (tmp_path / "v/pki/ca.crt").read_bytes() == data
    assert steps(tmp_path / "v") == [("replace", "etc/kubernetes/pki/ca.crt", ("bad-pem",))]


def test_a_broken_ca_is_the_cluster_s_all_the_same(tree: Callable[..., Path]) -> None:
    """Without it a plan would make another; with it the plan says what is wrong. One that is
    nowhere is not there."""
    root = tree("layout: ssl\n" + NODES, "worker-1")
    path = root / "etc/kubernetes/ssl/ca.pem"
    path.write_bytes(b"broken")
    assert {item.file.path: item.file.data
            for item in take(root).adopted}["pki/ca.crt"] == b"broken"
    path.unlink()
    assert "pki/ca.crt" not in {item.file.path for item in take(root).adopted}


def test_a_serving_pair_is_wished_for_where_the_ca_signed_it(tree: Callable[..., Path],
                                                             tmp_path: Path) -> None:
    """kubeadm's own kubelet signs its pair itself: that is no wish, and nothing is made in its
    place."""
    root = tree("kubeletServing: true\n" + NODES, "worker-1")
    assert cluster_of(take(root)).kubelet_serving
    (root / "var/lib/kubelet/pki/kubelet.crt").write_bytes(make_ca().bundle)
    found = adopted(root, tmp_path / "w")
    assert not found.kubelet_serving and found.hosts == (Host("worker-1", frozenset(), ()),)


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
@pytest.mark.parametrize("data", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END "
                                  b"CERTIFICATE-----\n", b"apiVersion: v1\nkind: Config\n"])
def test_broken_files_say_nothing_and_are_copied(layout: str, data: bytes,
                                                 tree: Callable[..., Path], tmp_path: Path) -> None:
    """Each file of a host in its turn: what is wrong with it is the plan's to say, not a reason to
    give up."""
    root = tree(f"layout: {layout}\n{NODES}")
    for number, path in enumerate(sorted(path for path in root.rglob("*") if path.is_file())):
        kept = path.read_bytes()
        path.write_bytes(data)
        adoption = take(root)
        assert cluster_of(adoption).hosts[0].name == "cp-1", path
        copy = {item.file.path: item.file.data for item in adoption.adopted}
        assert copy[f"nodes/cp-1/{path.relative_to(root)}"] == data
        path.write_bytes(kept)


def test_what_may_not_be_read_is_named(tree: Callable[..., Path]) -> None:
    """A workspace that lacks a file that is there would be a lie: the file is named, and no layout
    is one too."""
    root = tree()
    path = root / "etc/kubernetes/pki/apiserver.key"
    path.unlink()
    path.mkdir()
    with pytest.raises(FileError,
                       match=r"apiserver\.key: the path leads to no regular file but a folder"):
        take(root)
    with pytest.raises(InputError, match="none of kpki's layouts is there"):
        take(root / "etc/kubernetes/pki")
    with pytest.raises(FileError, match="no such file"):
        take(root / "nowhere")


def test_what_a_description_cannot_do_without_is_asked_for(tree: Callable[..., Path]) -> None:
    """An address of a control plane, the way to the API server from a worker."""
    root = tree(NODES, "worker-1")
    (root / "etc/kubernetes/kubelet.conf").write_bytes(b"")
    with pytest.raises(InputError, match="no kubeconfig says where the API server is"):
        take(root)
    shutil.rmtree(root.parent)
    root = tree()
    for path in root.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(InputError, match="no file names an address of cp-1"):
        take(root)


def test_a_description_is_never_overwritten(tree: Callable[..., Path], tmp_path: Path) -> None:
    """Whatever is in it; nothing else is written either."""
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "cluster.yaml").write_bytes(b"")
    for adoption in (take(tree()), described(example_description())):
        with pytest.raises(FileError,
                           match=r"w/cluster\.yaml: the description exists already, and kpki never "
                           r"overwrites a description"):
            adopt(str(workspace), adoption, now=NOW)
    assert snapshot(workspace) == {"cluster.yaml": (stat.S_IFREG | 0o644, b"")}


@pytest.mark.parametrize("path",
                         ["pki/ca.crt", "pki/stranger.key", "nodes/cp-1/etc/kubernetes/admin.conf",
                          "nodes/cp-1/var/lib/kubelet/stranger", "users/admin.conf"])
def test_other_content_is_refused_before_anything_is_written(path: str, tree: Callable[..., Path],
                                                             tmp_path: Path) -> None:
    """Another file of the name, and any further file beside those of a CA or of the host."""
    place = tmp_path / "w" / path
    place.parent.mkdir(parents=True)
    place.write_bytes(b"another")
    before = snapshot(tmp_path / "w")
    with pytest.raises(FileError, match=f"{path}: this file exists already, and is not a file of "
                       ".*/nodes/cp-1"):
        adopt(str(tmp_path / "w"), take(tree()), now=NOW)
    assert snapshot(tmp_path / "w") == before


def test_a_run_that_was_cut_off_is_finished_by_the_next(tree: Callable[..., Path],
                                                        tmp_path: Path) -> None:
    """What it has left is right already; the description comes last, so that its being there says
    all is."""
    adoption, workspace = take(tree()), tmp_path / "w"
    for count in range(0, len(adoption.adopted), 7):
        shutil.rmtree(workspace, ignore_errors=True)
        files.replace_tree(workspace, [item.file for item in adoption.adopted[:count]],
                           folder_mode=0o700, backup=None, now=NOW)
        actions = [action for _, action in adopt(str(workspace), adoption, now=NOW)]
        assert actions == ["keep"] * count + ["create"] * (len(adoption.adopted) - count)


def test_a_link_that_is_there_is_right_already(tree: Callable[..., Path], tmp_path: Path) -> None:
    """A file in its place is not, whatever it holds."""
    root, workspace = tree(NODES, "worker-1"), tmp_path / "w"
    rotate(root)
    adoption = take(root)
    adopt(str(workspace), adoption, now=NOW)
    (workspace / "cluster.yaml").unlink()
    assert {action for _, action in adopt(str(workspace), adoption, now=NOW)} == {"keep", "create"}
    (workspace / "cluster.yaml").unlink()
    link = workspace / "nodes/worker-1/var/lib/kubelet/pki/kubelet-client-current.pem"
    target = os.readlink(link)
    link.unlink()
    link.write_text(target)
    with pytest.raises(FileError, match=r"kubelet-client-current\.pem: this file exists already"):
        adopt(str(workspace), adoption, now=NOW)


def test_a_workspace_adopts_a_tree_of_its_own(tree: Callable[..., Path]) -> None:
    """Its files stay as they are, manifests beside them too."""
    root = tree()
    manifest(root)
    workspace = root.parent.parent
    before = snapshot(root)
    adopt(str(workspace), take(root), now=NOW)
    assert snapshot(root) == before and steps(workspace) == []


INIT = ("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
        "localAPIEndpoint: {advertiseAddress: 10.0.0.10}\n")
JOIN = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"


def test_a_kubeadm_configuration_gives_the_description_alone(tmp_path: Path) -> None:
    """With this host's name where it has none; one with which nothing could be made is refused with
    its name."""
    path = tmp_path / "kubeadm.yaml"
    path.write_text(INIT)
    adoption = from_configuration(str(path), host_name="Here")
    adopt(str(tmp_path / "w"), adoption, now=NOW)
    assert {*snapshot(tmp_path / "w")} == {".kpki.lock", "cluster.yaml"}
    assert cluster_of(adoption).hosts == (Host("here", STACKED, ("10.0.0.10",)),)
    assert cluster_of(adoption).algorithm == "RSA-2048"
    path.write_text(JOIN)
    with pytest.raises(InputError, match=r"kubeadm\.yaml: no field says where the API server is"):
        from_configuration(str(path), host_name="here")
    path.write_text(INIT + "localApiEndpoint: {}\n")
    with pytest.raises(ConfigurationError,
                       match=r"kubeadm\.yaml: line 4: localApiEndpoint: no such field"):
        from_configuration(str(path), host_name="here")


def test_a_description_is_a_configuration_as_well(tmp_path: Path) -> None:
    """Of one that is kpki's own the fields are copied; it has a name for each of its hosts."""
    path = tmp_path / "cluster.yaml"
    path.write_text(HEAD + RICH + NODES)
    adoption = from_configuration(str(path), host_name="here")
    assert cluster_of(adoption) == load_cluster(HEAD + RICH + NODES) and adoption.undetermined == ()


def test_an_administrator_s_kubeconfig_without_its_files_is_no_person_s(
        tree: Callable[..., Path]) -> None:
    """It would be of no use away from its host; that host keeps it."""
    root = tree("layout: ssl\n" + NODES)
    (root / "etc/kubernetes/ssl/admin-key.pem").unlink()
    paths = {item.file.path for item in take(root).adopted}
    assert ("users/admin.conf" not in paths
            and "nodes/cp-1/etc/kubernetes/admin-kubeconfig.yaml" in paths)


@pytest.mark.parametrize(("sans", "subnet"), [
    ("IP:10.0.0.10", "10.96.0.0/12"), ("IP:10.0.0.10,IP:10.0.0.15", "10.96.0.0/12"),
    ("IP:127.0.0.1,IP:10.0.0.10,IP:10.5.0.1", "10.5.0.0/16")])
def test_only_what_can_be_the_first_address_of_services_is_taken_for_it(
    sans: str, subnet: str, tree: Callable[..., Path],
) -> None:
    """Not the host's own, no loopback, and none that begins no subnet; what else is named stays
    named."""
    root = tree()
    folder = root / "etc/kubernetes/pki"
    ca = load_authority((folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes(), now=NOW)
    key = pem.load_key((folder / "apiserver.key").read_bytes())
    (folder / "apiserver.crt").write_bytes(pem.dump_certificate(x509_req(
        req_new(key, config="", subject="/CN=kube-apiserver"), ca.certificate, ca.key, days=365,
        now=NOW, extfile=f"subjectAltName={sans},DNS:kubernetes.default.svc.cluster,"
        "DNS:UPPER.example,DNS:under_score")))
    found = cluster_of(take(root))
    assert (found.service_subnets, found.hosts[0].addresses) == ((subnet,), ("10.0.0.10",))
    assert found.dns_domain == "cluster" and found.api_sans[:1] == ("upper.example",)


@pytest.mark.parametrize("server", ["https://[fd00::1", "https://a_b:1", "https://10.0.0.10:99999"])
def test_a_server_that_cannot_be_one_says_nothing(server: str, tree: Callable[..., Path]) -> None:
    """And a worker whose kubeconfig leads nowhere cannot be described."""
    root = tree(NODES, "worker-1")
    path = root / "etc/kubernetes/kubelet.conf"
    path.write_bytes(dump_kubeconfig(replace(load_kubeconfig(path.read_bytes()), server=server)))
    with pytest.raises(InputError, match="no kubeconfig says where the API server is"):
        take(root)


def test_an_algorithm_that_kpki_does_not_make_is_not_told(tree: Callable[..., Path]) -> None:
    """If the CA's algorithm is unknown or cannot be read, the description keeps the default."""
    root = tree("layout: ssl\n" + NODES, "worker-1")
    folder = root / "etc/kubernetes/ssl"
    (folder / "worker.pem").write_bytes(b"")
    ours, odd = (pem.dump_certificate(req_x509(key, subject="/CN=ca", days=9, now=NOW)) for key in (
        genpkey("RSA", bits=2048), genpkey("EC", curve="secp256k1")))
    for data, name in ((ours, "RSA-2048"), (odd, None), (b"", None)):
        (folder / "ca.pem").write_bytes(data)
        adoption = take(root)
        assert cluster_of(adoption).algorithm == name
        assert (("encryptionAlgorithm: not set by the files, default used" in adoption.undetermined)
                == (name is None))


def test_data_in_a_kubeconfig_may_be_anything(tree: Callable[..., Path]) -> None:
    """A certificate in base64 that is none says nothing; the rest of the kubeconfig still does."""
    root = tree(NODES, "worker-1")
    path = root / "etc/kubernetes/kubelet.conf"
    config = load_kubeconfig(path.read_bytes())
    text = path.read_text().replace(b64encode(config.certificate.data or b"").decode(),
                                    b64encode(b"x").decode())
    path.write_text(text)
    assert cluster_of(take(root)).endpoint == ("10.0.0.10", 6443)
