"""A component's flags on a host: kubeadm's own, files that are in the host's tree, forms that read
back."""
from __future__ import annotations

import configparser
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.desired.rows import Wanted
from kpki.cluster.flags import (
    as_config,
    as_lines,
    as_systemd,
    ca_state,
    choose_host,
    component_flags,
    flags_without_field,
    hosts_of,
)
from kpki.errors import FileError, InputError
from kpki.kubernetes.components import COMPONENT_NAMES

LAYOUTS = ("kubeadm", "ssl", "hard-way")
APART = """
- {name: cp-1, roles: [control-plane], addresses: [10.0.0.10]}
- {name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}
- {name: db-1, roles: [etcd], addresses: [10.0.0.12]}
- {name: worker-1, addresses: [10.0.0.21]}
"""
EXTERNAL = ("etcd: {external: {caFile: /srv/etcd/ca, certFile: /srv/etcd/cert, keyFile: "
            "/srv/etcd/key}}\n")
KUBEADM = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.10}
nodeRegistration: {name: cp-1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
"""


def describe(layout: str = "kubeadm", more: str = "", nodes: str = APART) -> Cluster:
    return load_cluster(f"apiVersion: kpki/v1\nkind: Cluster\nlayout: {layout}\n"
                        f"{more}nodes:{nodes}")


def flags_of(component: str, host: str = "cp-2", layout: str = "kubeadm", more: str = "",
             **state: bool) -> dict[str, str]:
    cluster = describe(layout, more)
    return component_flags(cluster, component, cluster.host(host), **state)


# kubeadm 1.34: cmd/kubeadm/app/phases/controlplane/manifests.go and phases/etcd/local.go, and the
# words that the authentication and authorization of nodes need beside its files.
PKI = "/etc/kubernetes/pki"
KUBEADMS = {
    "kube-apiserver": {
        "client-ca-file": f"{PKI}/ca.crt", "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "etcd-cafile": f"{PKI}/etcd/ca.crt", "etcd-certfile": f"{PKI}/apiserver-etcd-client.crt",
        "etcd-keyfile": f"{PKI}/apiserver-etcd-client.key",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt", "requestheader-allowed-names":
            "front-proxy-client", "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group", "requestheader-extra-headers-prefix":
            "X-Remote-Extra-", "proxy-client-cert-file": f"{PKI}/front-proxy-client.crt",
        "proxy-client-key-file": f"{PKI}/front-proxy-client.key",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": f"{PKI}/sa.pub",
        "service-account-signing-key-file": f"{PKI}/sa.key", "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction"},
    "kube-controller-manager": {
        "kubeconfig": "/etc/kubernetes/controller-manager.conf",
        "authentication-kubeconfig": "/etc/kubernetes/controller-manager.conf",
        "authorization-kubeconfig": "/etc/kubernetes/controller-manager.conf", "client-ca-file":
            f"{PKI}/ca.crt", "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "root-ca-file": f"{PKI}/ca.crt", "cluster-signing-cert-file": f"{PKI}/ca.crt",
        "cluster-signing-key-file": f"{PKI}/ca.key", "service-account-private-key-file":
            f"{PKI}/sa.key", "use-service-account-credentials": "true"},
    "kube-scheduler": dict.fromkeys(("kubeconfig", "authentication-kubeconfig",
                                     "authorization-kubeconfig"),
                                    "/etc/kubernetes/scheduler.conf"),
    "kubelet": {"client-ca-file": f"{PKI}/ca.crt", "kubeconfig": "/etc/kubernetes/kubelet.conf"},
    "etcd": {
        "cert-file": f"{PKI}/etcd/server.crt", "key-file": f"{PKI}/etcd/server.key",
        "trusted-ca-file": f"{PKI}/etcd/ca.crt", "client-cert-auth": "true",
        "peer-cert-file": f"{PKI}/etcd/peer.crt", "peer-key-file": f"{PKI}/etcd/peer.key",
        "peer-trusted-ca-file": f"{PKI}/etcd/ca.crt", "peer-client-cert-auth": "true"}}


@pytest.mark.parametrize("component", KUBEADMS)
def test_kubeadms_flags_are_kubeadms(component: str) -> None:
    """Under layout kubeadm each component gets the values that kubeadm puts in its manifest."""
    assert flags_of(component) == KUBEADMS[component]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("more", ["", "kubeletServing: true\n"])
@pytest.mark.parametrize("bundled", [False, True])
def test_each_file_named_is_in_the_hosts_tree(layout: str, more: str, bundled: bool) -> None:
    """For each component and each host that runs it, every path is one that the host is to hold."""
    cluster, named = describe(layout, more), set[str]()
    wanted = Wanted(cluster, bundled=bundled)
    for component in COMPONENT_NAMES:
        if (layout, component) == ("kubeadm", "kube-proxy"):
            continue
        for host in hosts_of(cluster, component):
            there = {f"/{path}" for row in wanted.of_host(host) for path in row.paths()}
            paths = {value for value in component_flags(cluster, component, host, bundled=bundled)
                     .values()
                     if value.startswith("/")}
            assert paths and paths <= there
            named |= paths
    assert any("ca-signer" in path for path in named) == bundled


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_that_a_host_holds_is_named_or_for_people(layout: str) -> None:
    """What no component names is the administrator's, the health check's, or the key of one of the
    other CAs."""
    cluster = describe(layout)
    host = cluster.host("cp-2")
    named = {value for component in COMPONENT_NAMES
             if (layout, component) != ("kubeadm", "kube-proxy")
             for value in component_flags(cluster, component, host).values()}
    unnamed = {(row.name, path) for row in Wanted(cluster).of_host(host) for path in row.paths()
               if f"/{path}" not in named and not row.place.by_path}
    keys = {(row, path) for row, path in unnamed
            if row in ("etcd-ca", "front-proxy-ca") and path.endswith(("key", "key.pem"))}
    assert len(keys) == 2
    assert {row for row, _ in unnamed - keys} <= {"admin", "super-admin", "etcd-healthcheck-client"}


@pytest.mark.parametrize(("layout", "more", "path"), [
    ("kubeadm", "", None), ("kubeadm", "kubeletServing: true\n", "/etc/kubernetes/pki/ca.crt"),
    ("ssl", "", "/etc/kubernetes/ssl/ca.pem"), ("hard-way", "", "/var/lib/kubernetes/ca.crt")])
def test_the_api_server_trusts_kubelets_by_the_ca_where_that_signs_for_them(layout: str, more: str,
                                                                            path: str
                                                                            | None) -> None:
    """kubeadm's kubelets sign for themselves, so the flag would shut them out, unless
    kubeletServing is asked for."""
    assert flags_of("kube-apiserver", layout=layout,
                    more=more).get("kubelet-certificate-authority") == path


def test_a_kubelet_under_kubeadm_serves_with_the_cas_pair_where_asked() -> None:
    """kubeletServing adds the two flags of the pair; without it there are none."""
    pair = {"tls-cert-file": "/var/lib/kubelet/pki/kubelet.crt",
            "tls-private-key-file": "/var/lib/kubelet/pki/kubelet.key"}
    with_pair = flags_of("kubelet", "worker-1", more="kubeletServing: true\n")
    assert with_pair == {**KUBEADMS["kubelet"], **pair}
    assert not pair.keys() & flags_of("kubelet", "worker-1").keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_the_cas_key_nothing_signs(layout: str) -> None:
    """Both signing flags go, and only they."""
    whole, less = (flags_of("kube-controller-manager", layout=layout, ca_key=there)
                   for there in (True, False))
    assert whole.keys() - less.keys() == {"cluster-signing-cert-file", "cluster-signing-key-file"}
    assert less.items() <= whole.items()
    assert flags_of("kube-apiserver", layout=layout,
                    ca_key=False) == flags_of("kube-apiserver", layout=layout)


def test_of_a_bundle_the_signer_alone_signs() -> None:
    """kube-controller-manager signs with the file of one certificate, because it refuses a bundle;
    all other flags name the bundle."""
    plain, bundled = (flags_of("kube-controller-manager", layout="ssl", bundled=item)
                      for item in (False, True))
    assert {name for name in plain if plain[name] != bundled[name]} == {"cluster-signing-cert-file"}
    assert bundled["cluster-signing-cert-file"] == "/etc/kubernetes/ssl/ca-signer.pem"


def test_an_external_etcds_files_are_the_descriptions_own() -> None:
    """The API server names the paths as they are given; etcd's own flags are not ours."""
    nodes = "\n- {name: cp-1, roles: [control-plane], addresses: [10.0.0.10]}\n"
    cluster = describe("ssl", EXTERNAL, nodes)
    flags = component_flags(cluster, "kube-apiserver", cluster.hosts[0])
    assert [flags[f"etcd-{name}"] for name in ("cafile", "certfile", "keyfile")] == [
        "/srv/etcd/ca", "/srv/etcd/cert", "/srv/etcd/key"]
    with pytest.raises(InputError, match="etcd is external"):
        hosts_of(cluster, "etcd")


def test_what_an_external_etcd_does_not_have_is_not_named() -> None:
    """kubeadm takes an etcd without TLS, or with a CA alone."""
    for given, named in (("", []), (", caFile: /srv/ca", ["etcd-cafile"])):
        cluster = load_cluster(f"{KUBEADM}etcd: {{external: {{endpoints: "
                               f"['http://10.0.0.9:2379']{given}}}}}\n")
        flags = component_flags(cluster, "kube-apiserver", cluster.hosts[0])
        assert [name for name in flags if name.startswith("etcd-")] == named


def test_kubeadms_document_moves_the_files_and_names_the_issuer() -> None:
    """certificatesDir and dnsDomain are in the flags; the kubeconfigs stay where they are."""
    cluster = load_cluster(f"{KUBEADM}certificatesDir: /srv/pki\n"
                           f"networking: {{dnsDomain: example.internal}}\n")
    flags = component_flags(cluster, "kube-apiserver", cluster.hosts[0])
    assert flags["tls-cert-file"] == "/srv/pki/apiserver.crt"
    assert flags["service-account-issuer"] == "https://kubernetes.default.svc.example.internal"
    assert component_flags(cluster, "kubelet", cluster.hosts[0]) == {
        "client-ca-file": "/srv/pki/ca.crt", "kubeconfig": "/etc/kubernetes/kubelet.conf"}


def test_a_host_without_the_role_is_refused() -> None:
    """The message says which hosts have it; where there is one only, no name is needed."""
    cluster = describe()
    with pytest.raises(InputError,
                       match="worker-1 does not run kube-apiserver, .* control-plane; .*: cp-1, "
                       "cp-2") as error:
        component_flags(cluster, "kube-apiserver", cluster.host("worker-1"))
    assert error.value.hint == "--node cp-1"
    with pytest.raises(InputError,
                       match="2 nodes run etcd, so --node must name a node: cp-2, db-1"):
        choose_host(cluster, "etcd", None)
    assert choose_host(cluster, "etcd", "db-1").name == "db-1"
    apart = describe(nodes=APART.replace(", etcd]", "]"))
    assert choose_host(apart, "etcd", None).name == "db-1"
    with pytest.raises(InputError, match="no node 'cp-9'"):
        choose_host(cluster, "etcd", "cp-9")


def test_of_many_hosts_some_are_named() -> None:
    """A message stays a line long, whatever the size of the cluster."""
    many = APART + "".join(f"- {{name: node-{number}, addresses: [10.1.0.{number}]}}\n"
                           for number in range(1, 200))
    with pytest.raises(InputError, match="203 nodes run kubelet, .*: cp-1, cp-2, db-1, worker-1, "
                       "node-1 and 198 more [(]hint: "):
        choose_host(describe(nodes=many), "kubelet", None)


def test_a_component_that_no_host_runs_is_refused() -> None:
    """Workers alone have no API server, and under kubeadm kube-proxy has no file."""
    nodes = "\n- {name: worker-1, addresses: [10.0.0.21]}\n"
    cluster = describe(more=f"controlPlaneEndpoint: api.example.internal\n{EXTERNAL}", nodes=nodes)
    with pytest.raises(InputError,
                       match="no node of the description runs kube-apiserver") as refused:
        hosts_of(cluster, "kube-apiserver")
    assert refused.value.hint == "roles: [control-plane] on a node"
    with pytest.raises(InputError, match="layout kubeadm kube-proxy has no file to name: .* token"):
        hosts_of(cluster, "kube-proxy")


# Forms

ODD = {"client-ca-file": "/srv/a b/c'a\"1\\2%n$X#: é", "kubeconfig": "/srv/true",
       "tls-cert-file": "/srv/ca: {x}"}


def read_unit(text: str) -> tuple[str, list[str]]:
    """The variable and the words of it, read as systemd does: the assignment, then the value, each
    split once."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    assert parser.sections() == ["Service"] and parser.options("Service") == ["environment"]
    assignment, = shlex.split(parser["Service"]["Environment"])
    variable, _, value = assignment.replace("%%", "%").partition("=")
    return variable, shlex.split(value)


@pytest.mark.parametrize("flags", [KUBEADMS["kubelet"], ODD], ids=["kubeadm", "odd"])
@pytest.mark.parametrize(("layout", "variable"),
                         [("kubeadm", "KUBELET_EXTRA_ARGS"), ("ssl", "KUBELET_CERT_ARGS")])
def test_systemd_reads_the_flags_back(flags: dict[str, str], layout: str, variable: str) -> None:
    """One variable, whose words are the flags whatever is in them; no specifier of systemd's is
    left in it."""
    text = as_systemd(describe(layout), "kubelet", flags)
    assert read_unit(text) == (variable, as_lines(flags).splitlines())
    assert "%" not in text.replace("%%", "")
    assert f"${variable}" in text.partition("[Service]")[0] and text.count("\n") == 5


def test_lines_are_flags_and_nothing_else() -> None:
    """`--name=value`, each on a line of its own."""
    assert as_lines({"a": "/x", "b-c": "y,z"}) == "--a=/x\n--b-c=y,z\n"
    assert as_lines({}) == ""


CONFIGS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("kubelet", "hard-way", {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": "/var/lib/kubelet/ca.crt"}},
        "authorization": {"mode": "Webhook"}, "tlsCertFile": "/var/lib/kubelet/kubelet.crt",
        "tlsPrivateKeyFile": "/var/lib/kubelet/kubelet.key"}, ["kubeconfig"]),
    ("kubelet", "kubeadm", {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}},
        "authorization": {"mode": "Webhook"}}, ["kubeconfig"]),
    ("kube-proxy", "ssl", {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": "/etc/kubernetes/kube-proxy-kubeconfig.yaml"}}, []),
    ("kube-scheduler", "kubeadm", {
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": "/etc/kubernetes/scheduler.conf"}},
     ["authentication-kubeconfig", "authorization-kubeconfig"]),
    ("etcd", "ssl", {
        "client-transport-security": {
            "cert-file": "/etc/kubernetes/ssl/etcd-server.pem",
            "key-file": "/etc/kubernetes/ssl/etcd-server-key.pem",
            "trusted-ca-file": "/etc/kubernetes/ssl/etcd-ca.pem", "client-cert-auth": True},
        "peer-transport-security": {
            "cert-file": "/etc/kubernetes/ssl/etcd-peer.pem",
            "key-file": "/etc/kubernetes/ssl/etcd-peer-key.pem",
            "trusted-ca-file": "/etc/kubernetes/ssl/etcd-ca.pem", "client-cert-auth": True}}, [])]


@pytest.mark.parametrize(("component", "layout", "document", "flags"), CONFIGS)
def test_a_configuration_file_says_what_the_flags_say(
        component: str, layout: str, document: dict[str, Any], flags: list[str]) -> None:
    """Every flag stands in the file under its field, or is named in a comment as one that stays."""
    found = flags_of(component, layout=layout)
    text = as_config(component, found)
    assert yaml.safe_load(text) == document
    assert [*flags_without_field(component, found)] == flags
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        f"# stays a flag: --{name}={found[name]}" for name in flags]


def test_text_in_a_configuration_file_stays_text() -> None:
    """No path is taken for a comment, a mapping or a truth value, nor folded."""
    told = yaml.safe_load(as_config("kubelet", ODD
                                    | {"tls-private-key-file": "/srv/" + "long name " * 50 + "x"}))
    assert told["authentication"]["x509"]["clientCAFile"] == ODD["client-ca-file"]
    assert told["tlsCertFile"] == ODD["tls-cert-file"]
    assert told["tlsPrivateKeyFile"] == "/srv/" + "long name " * 50 + "x"


@pytest.mark.parametrize("component", ["kube-apiserver", "kube-controller-manager"])
def test_a_component_without_a_configuration_file_is_refused(component: str) -> None:
    """These two take their certificates from flags alone."""
    with pytest.raises(InputError, match=f"{component} has no configuration file"):
        as_config(component, flags_of(component))


# The workspace's CA

@pytest.fixture(scope="module")
def own_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA that openssl made: ca.crt, ca.key, the key encrypted, and a bundle."""
    folder = tmp_path_factory.mktemp("ca")
    for line in ("ecparam -name prime256v1 -genkey -noout -out ca.key",
                 "req -x509 -new -key ca.key -subj /CN=ca -out ca.crt",
                 "ec -in ca.key -aes256 -passout pass:secret -out sec1.key",
                 "pkcs8 -topk8 -in ca.key -passout pass:secret -out pkcs8.key"):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True,
                       timeout=60)
    (folder / "bundle.crt").write_bytes((folder / "ca.crt").read_bytes() * 2)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, own_ca: Path) -> Callable[..., str]:
    """A folder with these files of the CA's in its pki/."""
    def make(certificate: str = "", key: str = "") -> str:
        (tmp_path / "pki").mkdir()
        for name, source in (("ca.crt", certificate), ("ca.key", key)):
            if source:
                (tmp_path / "pki" / name).write_bytes((own_ca / source).read_bytes())
        return str(tmp_path)
    return make


@pytest.mark.parametrize(("certificate", "key", "state"), [
    ("", "", (True, False)), ("ca.crt", "ca.key", (True, False)),
    ("bundle.crt", "ca.key", (True, True)), ("ca.crt", "", (False, False)),
    ("bundle.crt", "sec1.key", (False, True)), ("ca.crt", "pkcs8.key", (False, False)),
    ("", "ca.key", (True, False)), ("", "pkcs8.key", (False, False))])
def test_the_workspaces_ca_tells_what_hosts_get(workspace: Callable[..., str], certificate: str,
                                                key: str, state: tuple[bool, bool]) -> None:
    """Nothing there yet: kpki makes it. A certificate alone, or an encrypted key: no host gets
    one."""
    assert ca_state(workspace(certificate, key), describe()) == state


@pytest.mark.parametrize(("key", "state"), [("", (False, True)), (", key: {}/ca.key", (True, True)),
                                            (", key: {}/pkcs8.key", (False, True))])
@pytest.mark.parametrize("relative", [False, True])
def test_a_given_ca_counts_instead(workspace: Callable[..., str], own_ca: Path, key: str,
                                   state: tuple[bool, bool], relative: bool) -> None:
    """The description's paths are taken from the workspace, or as they are; what lies in pki/ does
    not count."""
    folder = workspace("ca.crt", "ca.key")
    (Path(folder) / "mine").symlink_to(own_ca)
    where = "mine" if relative else str(own_ca)
    given = f"{{certificate: {where}/bundle.crt{key.format(where)}}}"
    cluster = describe(more=f"certificateAuthorities: {{kubernetes: {given}}}\n")
    assert ca_state(folder, cluster) == state


def test_a_ca_that_cannot_be_read_is_named(workspace: Callable[..., str], tmp_path: Path) -> None:
    """A given file that is not there, and one that is no certificate."""
    folder = workspace()
    cluster = describe(more="certificateAuthorities: {kubernetes: {certificate: no.crt}}\n")
    with pytest.raises(FileError, match="no.crt"):
        ca_state(folder, cluster)
    (tmp_path / "pki" / "ca.crt").write_text("-")
    with pytest.raises(InputError, match="pki/ca.crt: "):
        ca_state(folder, describe())
