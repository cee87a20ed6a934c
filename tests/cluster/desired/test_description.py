"""cluster.yaml → Cluster, both ways: what it takes and with which values, what it refuses and in
which words."""
from __future__ import annotations

import pickle
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kpki.cluster.authority import ALGORITHMS
from kpki.cluster.desired.description import (
    GIVEN_NAMES,
    Cluster,
    ExternalEtcd,
    GivenAuthority,
    Host,
    load_cluster,
)
from kpki.cluster.desired.example import example_description
from kpki.cluster.desired.fields import ALGORITHM_NAMES
from kpki.errors import ConfigurationError, InputError, KpkiError
from kpki.kubernetes.layouts import LAYOUT_NAMES

HEAD = "apiVersion: kpki/v1\nkind: Cluster\n"
NODES = "nodes:\n- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}\n"
WORKER = "- {name: worker-1, addresses: [10.0.0.21]}\n"
FULL = """\
apiVersion: kpki/v1
kind: Cluster
clusterName: blue
layout: kubeadm
controlPlaneEndpoint: "[FD00:0::1]:443"
localAPIEndpoint: {bindPort: 8443}
networking: {serviceSubnet: "10.0.0.1/16,fd00:10:96::/112", dnsDomain: blue.local}
apiServer: {certSANs: [api.example.internal, "*.blue.internal", 192.0.2.1, "FD00::0:9", 192.0.2.1]}
encryptionAlgorithm: ECDSA-P384
certificateValidityPeriod: 1h30m
caCertificateValidityPeriod: 43800h
certificateAuthorities:
  kubernetes: {certificate: /ca/k.crt, key: /ca/k.key}
  etcd: {certificate: etcd.crt}
kubeletServing: true
certificatesDir: /etc/k8s//pki/
etcd:
  local: {serverCertSANs: [etcd.blue], peerCertSANs: [192.0.2.7]}
nodes:
- {name: cp-1, roles: [control-plane], addresses: [10.0.0.10, "fd00::a"], dnsNames: [cp-1.blue, \
cp-1]}
- {name: etcd-1, roles: [etcd], addresses: [10.0.0.11]}
- {name: worker-1, addresses: [10.0.0.21]}
"""


def load(body: str = NODES) -> Cluster:
    return load_cluster(HEAD + body)


def refusal(text: str | bytes) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_cluster(text)
    return caught.value


def test_every_field_comes_through() -> None:
    """Each field of a full description is in the Cluster, addresses and paths in their shortest
    form."""
    assert load_cluster(FULL) == Cluster(
        name="blue", layout="kubeadm", endpoint=("fd00::1", 443), port=8443,
        service_subnets=("10.0.0.0/16", "fd00:10:96::/112"), dns_domain="blue.local",
        api_sans=("api.example.internal", "*.blue.internal", "192.0.2.1", "fd00::9"),
        etcd_server_sans=("etcd.blue",), etcd_peer_sans=("192.0.2.7",), algorithm="ECDSA-P384",
        validity=timedelta(minutes=90), ca_validity=timedelta(days=1825),
        authorities={"kubernetes": GivenAuthority("/ca/k.crt", "/ca/k.key"),
                     "etcd": GivenAuthority("etcd.crt")},
        kubelet_serving=True, external_etcd=None, certificates_dir="/etc/k8s/pki",
        from_kubeadm=False,
        hosts=(Host("cp-1", frozenset({"control-plane"}), ("10.0.0.10", "fd00::a"), ("cp-1.blue",)),
               Host("etcd-1", frozenset({"etcd"}), ("10.0.0.11",)),
               Host("worker-1", frozenset(), ("10.0.0.21",))))


def test_what_is_left_out_has_its_default() -> None:
    """Nodes alone make a description; null and "" are as good as absent."""
    wanted = Cluster(
        name="kubernetes", layout="kubeadm", endpoint=None, port=6443,
        service_subnets=("10.96.0.0/12",), dns_domain="cluster.local", api_sans=(),
        etcd_server_sans=(), etcd_peer_sans=(), algorithm=None, validity=timedelta(days=365),
        ca_validity=timedelta(days=3650), authorities={}, kubelet_serving=False, external_etcd=None,
        certificates_dir="/etc/kubernetes/pki", from_kubeadm=False,
        hosts=(Host("cp-1", frozenset({"control-plane", "etcd"}), ("10.0.0.10",)),))
    assert (load() == load("clusterName: ''\nnetworking:\napiServer: {certSANs: null}\n" + NODES)
            == wanted)
    assert load_cluster((HEAD + NODES).encode()) == load_cluster("\ufeff" + HEAD + NODES) == wanted


@pytest.mark.parametrize(("given", "wanted"), [
    ("api.example.internal", ("api.example.internal", 6443)),
    ("api.example.internal:443", ("api.example.internal", 443)),
    ("192.0.2.1", ("192.0.2.1", 6443)),
    ("192.0.2.1:443", ("192.0.2.1", 443)),
    ("fd00::1", ("fd00::1", 6443)),
    ("'[fd00::1]'", ("fd00::1", 6443)),
    ("'[fd00::1]:443'", ("fd00::1", 443)),
    ("'api:'", ("api", 6443)),
])
def test_an_endpoint_is_a_name_or_an_address_with_or_without_a_port(
        given: str, wanted: tuple[str, int]) -> None:
    """The host comes without brackets, the port is the API server's own where none is said."""
    assert load(f"controlPlaneEndpoint: {given}\n{NODES}").endpoint == wanted


@pytest.mark.parametrize(("given", "wanted"), [
    ("10.96.0.0/12", ("10.96.0.0/12",)), ("10.0.0.77/24", ("10.0.0.0/24",)),
    ("FD00::/112", ("fd00::/112",)), ("'10.96.0.0/12,fd00::/108'", ("10.96.0.0/12", "fd00::/108")),
    ("'fd00::/108,10.96.0.0/28'", ("fd00::/108", "10.96.0.0/28")),
])
def test_a_service_subnet_is_of_either_family_or_of_both(given: str,
                                                         wanted: tuple[str, ...]) -> None:
    """Subnets keep their order: the first one holds the API server's service address."""
    assert load(f"networking: {{serviceSubnet: {given}}}\n{NODES}").service_subnets == wanted


@pytest.mark.parametrize(("given", "wanted"), [
    ("8760h", timedelta(days=365)), ("1h30m", timedelta(minutes=90)),
    ("1.5h", timedelta(minutes=90)), ("1h0m0.5s", timedelta(seconds=3600.5)),
    ("90000ms", timedelta(seconds=90)), ("2562047h", timedelta(hours=2562047)),
])
def test_durations_are_go_s(given: str, wanted: timedelta) -> None:
    """Hours, minutes and seconds in one word, fractions too."""
    assert load(f"certificateValidityPeriod: {given}\n{NODES}").validity == wanted


EXTERNAL = ("etcd: {external: {endpoints: ['https://e:2379'], caFile: /e/ca, certFile: /e/crt, "
            "keyFile: /e/key}}\n")
CONTROL_PLANE = "nodes: [{name: cp-1, roles: [control-plane], addresses: [10.0.0.10]}]\n"


def test_an_external_etcd_takes_the_place_of_the_role() -> None:
    """Without the role etcd anywhere its files are named by the description."""
    found = load(EXTERNAL + CONTROL_PLANE)
    assert found.external_etcd == ExternalEtcd("/e/ca", "/e/crt", "/e/key")
    assert found.with_role("etcd") == ()
    for files, wanted in (("", ExternalEtcd(None, None, None)),
                          ("caFile: /e/ca", ExternalEtcd("/e/ca", None, None))):
        assert load(f"etcd: {{external: {{{files}}}}}\n" + CONTROL_PLANE).external_etcd == wanted


def test_workers_alone_need_an_endpoint_and_no_etcd() -> None:
    """Their control plane is elsewhere, and so is its etcd; a worker's addresses need not be
    known."""
    found = load("controlPlaneEndpoint: api:6443\nnodes: [{name: w}]\n")
    assert found.hosts == (Host("w", frozenset(), ()),) and found.external_etcd is None
    assert found.endpoint == ("api", 6443)


def test_hosts_are_found_by_role_and_by_name() -> None:
    """with_role keeps the order; host names the nearest where there is none of that name."""
    found = load_cluster(FULL)
    assert [host.name for host in found.with_role("etcd")] == ["etcd-1"]
    assert found.host("worker-1") is found.hosts[2]
    with pytest.raises(InputError, match="there is no node 'worker-9'") as caught:
        found.host("worker-9")
    assert caught.value.hint == "did you mean worker-1?"
    with pytest.raises(InputError) as caught:
        found.host("")
    assert "cluster.yaml" in str(caught.value.hint)


def test_a_cluster_travels_between_processes() -> None:
    """A Cluster is a plain value: pickled and back it is equal, its fields cannot be set."""
    found = load_cluster(FULL)
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(AttributeError):
        found.name = "green"  # type: ignore[misc]


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_the_example_is_valid_as_it_stands(layout: str) -> None:
    """Three hosts, in each layout; what it shows is the default, but for the algorithm, which it
    names."""
    found = load_cluster(example_description(layout))
    assert found.layout == layout
    assert [(host.name, sorted(host.roles)) for host in found.hosts] == [
        ("cp-1", ["control-plane", "etcd"]), ("worker-1", []), ("worker-2", [])]
    bare = load(f"layout: {layout}\nencryptionAlgorithm: ECDSA-P256\n{NODES}{WORKER}"
                "- {name: worker-2, addresses: [10.0.0.22]}\n")
    assert found == bare


def test_there_is_no_example_of_another_layout() -> None:
    """An unknown layout is refused, with the near one."""
    with pytest.raises(InputError, match="'hardway' is none of kubeadm, ssl, hard-way") as caught:
        example_description("hardway")
    assert caught.value.hint == "did you mean hard-way?"


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_the_example_s_comments_hold(layout: str) -> None:
    """What the example says in comments is valid once it is uncommented."""
    text = (example_description(layout).replace("# controlPlaneEndpoint", "controlPlaneEndpoint")
            .replace(
                "certificateAuthorities: {}",
                "certificateAuthorities:").replace("#   kubernetes: {", "  kubernetes: {"))
    lines = text.splitlines()
    given = lines.pop(next(number for number, line in enumerate(lines)
                           if line.startswith("  kubernetes: {")))
    lines.insert(lines.index("certificateAuthorities:") + 1, given)
    found = load_cluster("\n".join(lines))
    assert found.endpoint == ("api.example.internal", 6443)
    assert found.authorities == {"kubernetes": GivenAuthority("/path/ca.crt", "/path/ca.key")}


def test_the_names_of_algorithms_are_those_that_keys_are_made_of() -> None:
    """encryptionAlgorithm takes what authority.make_key takes, no more and no less."""
    assert tuple(ALGORITHMS) == ALGORITHM_NAMES


# Body after apiVersion and kind (so its first line is line 3) → line, message.
REFUSED: list[tuple[str, int, str]] = [
    # values
    (NODES + WORKER + "- {name: w, addresses: [10.0.0.256]}\n", 6,
     "nodes[2].addresses[0]: '10.0.0.256' is not an IP address"),
    ("nodes:\n- name: cp-1\n  roles: [etcd]\n  addresses:\n  - 10.0.0.1\n  - fe80::1%eth0\n", 8,
     "nodes[0].addresses[1]: 'fe80::1%eth0' has a zone, and a certificate holds no zone"),
    ("nodes: [{name: cp_1, addresses: [10.0.0.1]}]\n", 3, "nodes[0].name: node name 'cp_1' is no "
     "DNS name: lower-case letters, digits, '-' and '.' only"),
    ("nodes: [{name: CP-1, addresses: [10.0.0.1]}]\n", 3,
     "nodes[0].name: node name 'CP-1' is not in lower case"),
    ("nodes: [{name: w, addresses: [10.0.0.1], dnsNames: [w.x, 10.0.0.2]}]\n", 3,
     "nodes[0].dnsNames[1]: '10.0.0.2' is an address, not a name"),
    ("nodes: [{name: w, addresses: [10.0.0.1], dnsNames: [W.x]}]\n", 3,
     "nodes[0].dnsNames[0]: 'W.x' is no DNS name: lower-case letters, digits, '-' and '.' only"),
    ("nodes: [{name: w, addresses: [10.0.0.1], roles: [worker]}]\n", 3,
     "nodes[0].roles[0]: 'worker' is none of control-plane, etcd"),
    ("nodes: [{name: w, addresses: [10.0.0.1], roles: [[]]}]\n", 3,
     "nodes[0].roles[0]: this is none of control-plane, etcd"),
    ("layout: kubadm\n" + NODES, 3, "layout: 'kubadm' is none of kubeadm, ssl, hard-way"),
    ("encryptionAlgorithm: RSA-1024\n" + NODES, 3, "encryptionAlgorithm: 'RSA-1024' is none of "
     "RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384"),
    *((f"certificateValidityPeriod: {given}\n{NODES}", 3, f"certificateValidityPeriod: {said}")
      for given, said in (
          ("365d", "'365d' is not a duration"), ("1h 30m", "'1h 30m' is not a duration"),
          ("-1h", "'-1h' is not a duration"),
          ("8760", "8760 is a number, not a duration like 8760h"),
          ("0s", "'0s' is not between 1s and 2562047h"),
          ("2562048h", "'2562048h' is not between 1s and 2562047h"),
          ("1ns", "'1ns' is not between 1s and 2562047h"))),
    *((f"networking: {{serviceSubnet: {given}}}\n{NODES}", 3, f"networking.serviceSubnet: {said}")
      for given, said in (
          ("10.96.0.0", "'10.96.0.0' is not a subnet"),
          ("10.96.0.0/33", "'10.96.0.0/33' is not a subnet"),
          ("'10.96.0.0/12, fd00::/108'", "' fd00::/108' is not a subnet"),
          ("'10.96.0.0/12,'", "'' is not a subnet"),
          ("10.96.0.0/255.0.0.0", "'10.96.0.0/255.0.0.0' is not a subnet"),
          ("10.96.0.0/29",
           "10.96.0.0/29 is too small: a service subnet holds 10 addresses or more"),
          ("'10.0.0.0/16,10.1.0.0/16'",
           "'10.0.0.0/16,10.1.0.0/16' has more than one subnet of a family"))),
    *((f"controlPlaneEndpoint: {given}\n{NODES}", 3, f"controlPlaneEndpoint: {said}")
      for given, said in (
          ("https://api:6443", "'https://api:6443' is not a host and a port"),
          ("api:0", "'0' is not a port: 1 to 65535"),
          ("api:65536", "'65536' is not a port: 1 to 65535"),
          ("api:https", "'https' is not a port: 1 to 65535"),
          ("10.0.0.256:6443", "'10.0.0.256' is not an IP address"),
          ("'[10.0.0.1]:443'", "'10.0.0.1' is not an IPv6 address, and brackets hold IPv6 "
           "addresses only"), ("'[fd00::g]:443'", "'fd00::g' is not an IP address"),
          ("[api]", "this is a list, not text"), ("'*.api'", "'*.api' is a wildcard, not a name"),
          ("':443'", "this is empty"), ("443", "443 is a number, not text"))),
    ("networking: {dnsDomain: -x}\n" + NODES, 3,
     "networking.dnsDomain: '-x' is no DNS name: lower-case letters, digits, '-' and '.' only"),
    ("apiServer: {certSANs: [ok, 10.0.0.1/8]}\n" + NODES, 3, "apiServer.certSANs[1]: '10.0.0.1/8' "
     "is no DNS name: lower-case letters, digits, '-' and '.' only"),
    ("apiServer: {certSANs: ['a.*.b']}\n" + NODES, 3,
     "apiServer.certSANs[0]: 'a.*.b' is no DNS name: lower-case letters, digits, '-' and '.' only"),
    ("certificatesDir: pki\n" + NODES, 3, "certificatesDir: 'pki' is not an absolute path"),
    ("certificatesDir: /etc/../pki\n" + NODES, 3, "certificatesDir: '/etc/../pki' has '..' in it"),
    ("layout: ssl\ncertificatesDir: /etc/pki\n" + NODES, 4,
     "certificatesDir: the layout ssl has its own folders"),
    ("localAPIEndpoint: {bindPort: 70000}\n" + NODES, 3,
     "localAPIEndpoint.bindPort: 70000 is not a port: 1 to 65535"),
    ('clusterName: "a\\nb"\n' + NODES, 3,
     "clusterName: 'a\\nb' has characters that cannot be printed"),
    (f"clusterName: {'x' * 5000}\n" + NODES, 3,
     f"clusterName: '{'x' * 60}'… has 5000 characters, over 4096"),
    # types
    ("clusterName: 007\nkubeletServing: 1\n" + NODES, 3, "clusterName: 7.0 is a number, not text"),
    ("clusterName: no\n" + NODES, 3, "clusterName: false is a truth value, not text"),
    ("kubeletServing: 'true'\n" + NODES, 3, "kubeletServing: 'true' is text, not true or false"),
    ("networking: 10.96.0.0/12\n" + NODES, 3, "networking: '10.96.0.0/12' is text, not a mapping"),
    ("localAPIEndpoint: {bindPort: true}\n" + NODES, 3,
     "localAPIEndpoint.bindPort: true is a truth value, not a port number"),
    ("nodes: {name: w}\n", 3, "nodes: this is a mapping, not a list"),
    ("nodes: [w]\n", 3, "nodes[0]: 'w' is text, not a mapping"),
    ("nodes:\n-\n", 4, "nodes[0]: this is empty, not a mapping"),
    ("nodes: [{name: w, addresses: 10.0.0.1}]\n", 3,
     "nodes[0].addresses: '10.0.0.1' is text, not a list"),
    # slips and gaps
    ("contrlPlaneEndpoint: api\n" + NODES, 3,
     "contrlPlaneEndpoint: no such field: did you mean controlPlaneEndpoint?"),
    ("networking:\n  dnsDomain: x\n  serviceSubnets: x\n" + NODES, 5,
     "networking.serviceSubnets: no such field: did you mean serviceSubnet?"),
    ("apiserver: {}\n" + NODES, 3, "apiserver: no such field: did you mean apiServer?"),
    (NODES + "  \n- {name: w, adresses: [10.0.0.1]}\n", 6,
     "nodes[1].adresses: no such field: did you mean addresses?"),
    ("etcd: {quorum: 3}\n" + NODES, 3, "etcd.quorum: no such field"),
    ('"a\\eb": 3\n' + NODES, 3, "'a\\x1bb': no such field"),
    ("certificateAuthorities: {kube: {}}\n" + NODES, 3,
     "certificateAuthorities.kube: no such field"),
    ("certificateAuthorities:\n  etcd: {key: /k}\n" + NODES, 4,
     "certificateAuthorities.etcd.certificate: missing"),
    ("clusterName: x\n", 1, "nodes: missing"),
    ("nodes: []\n", 3, "nodes: the list has no node"),
    ("nodes:\n- name: w\n  roles: [etcd]\n", 4, "nodes[0].addresses: missing"),
    ("nodes: [{name: w, addresses: []}]\n", 3,
     "nodes[0].addresses: a node has one address or more"),
    ("nodes: [{addresses: [10.0.0.1]}]\n", 3, "nodes[0].name: missing"),
    # twice
    (NODES + WORKER + WORKER, 6, "nodes[2].name: worker-1 belongs to nodes[1] already"),
    (NODES + "- {name: w, addresses: [10.0.0.9, 10.0.0.10]}\n", 5,
     "nodes[1].addresses[1]: 10.0.0.10 belongs to nodes[0] already"),
    (NODES + "- {name: w, addresses: ['fd00::1', 'fd00:0::1']}\n", 5,
     "nodes[1].addresses[1]: fd00::1 belongs to nodes[1] already"),
    ("nodes: [{name: w, addresses: [10.0.0.1], dnsNames: [b, a, b]}]\n", 3,
     "nodes[0].dnsNames[2]: b is there twice"),
    ("nodes: [{name: w, addresses: [10.0.0.1], roles: [etcd, etcd]}]\n", 3,
     "nodes[0].roles[1]: etcd is there twice"),
    ("clusterName: &x a\nlayout: &x ssl\n&x nodes:\n- *x\n", 6,
     "nodes[0]: 'ssl' is text, not a mapping"),
    (NODES + "- {name: w, addresses: [10.0.0.9], dnsNames: [x, cp-1]}\n", 5,
     "nodes[1].dnsNames[1]: cp-1 is the name of nodes[0]"),
    # etcd and the API server
    (CONTROL_PLANE, 1, "etcd.external: missing: no node has the role etcd"),
    ("etcd: {local: {}}\n" + CONTROL_PLANE, 3, "etcd.external: missing: no node has the role etcd"),
    (EXTERNAL + NODES, 3,
     "etcd.external: a node has the role etcd, and a cluster has either local or external etcd"),
    ("etcd: {local: {}, external: {endpoints: ['https://e:2379'], caFile: /e/ca, certFile: /e/crt, "
     "keyFile: /e/key}}\n" + CONTROL_PLANE, 3, "etcd.external: the "
     "description has etcd.local too, and a cluster has either local or external etcd"),
    ("etcd: {external: {endpoints: ['https://e:2379'], caFile: /e/ca, certFile: /e/crt"
     "}}\n" + CONTROL_PLANE, 3,
     "etcd.external.keyFile: missing"),
    ("etcd: {external: {endpoints: ['https://e:2379'], caFile: /e/ca, keyFile: /e/key"
     "}}\n" + CONTROL_PLANE, 3,
     "etcd.external.certFile: missing"),
    ("etcd: {external: {endpoints: ['https://e:2379'], certFile: /e/crt, keyFile: /e/key"
     "}}\n" + CONTROL_PLANE, 3, "etcd.external.caFile: missing"),
    ("etcd: {external: {endpoints: ['https://e:2379'], caFile: ca, certFile: /e/crt, "
     "keyFile: /e/key}}\n" + CONTROL_PLANE, 3,
     "etcd.external.caFile: 'ca' is not an absolute path"),
    (EXTERNAL + "nodes: [{name: w, addresses: [10.0.0.1]}]\n", 1, "controlPlaneEndpoint: missing: "
     "no node has the role control-plane, so nothing says where the API server is"),
]


@pytest.mark.parametrize(("body", "line", "message"), REFUSED, ids=[row[2][:60] for row in REFUSED])
def test_a_wrong_field_is_named_with_its_line(body: str, line: int, message: str) -> None:
    """The message gives the line, the way to the field and the fact."""
    found = refusal(HEAD + body)
    assert (found.line, found.message) == (line, f"line {line}: {message}")


@pytest.mark.parametrize(("body", "hint"), [
    ("encryptionAlgorithm: ECDSA-P265\n" + NODES, "did you mean ECDSA-P256?"),
    ("clusterName: 12\n" + NODES, "put the value in quotes"),
    ("nodes: [{name: W, addresses: [10.0.0.1]}]\n", "the kubelet registers as 'w': use that name"),
    ("etcd: {quorum: 3}\n" + NODES, "the known fields: local, external"),
    ("certificateValidityPeriod: 365d\n" + NODES,
     "hours, minutes and seconds, like 8760h or 1h30m; a year is 8760h"),
])
def test_the_hint_says_what_would_be_right(body: str, hint: str) -> None:
    """Where there is a next step, the error carries it."""
    assert refusal(HEAD + body).hint == hint


@pytest.mark.parametrize(("text", "message"), [
    ("", "the description is empty"), ("# words\n---\n", "the description is empty"),
    ("- 1\n", "line 1: a description is a mapping, with `apiVersion: kpki/v1` as its first line"),
    (NODES, "line 1: apiVersion: missing"), ("apiVersion: ''\n", "line 1: apiVersion: missing"),
    ("apiVersion: kpki/v1\n", "line 1: kind: missing"),
    ("apiVersion: kpki/v1\nkind: 3\n", "line 2: kind: this is not text"),
    ("apiVersion: kpki/v2\nkind: Cluster\n", "line 1: apiVersion: 'kpki/v2' is not kpki/v1"),
    ("apiVersion: kpki/v1\nkind: Clusters\n", "line 2: kind: 'Clusters' is not Cluster"),
    (HEAD + NODES + "---\napiVersion: v1\nkind: X\n",
     "line 1: a kpki description stands alone in its file"),
    (HEAD + NODES + "---\n" + HEAD, "line 7: kind: 'Cluster' is there twice"),
    ("apiVersion: v1\nkind: Config\n",
     "the file has neither a kpki/v1 Cluster nor a kubeadm configuration"),
])
def test_what_is_no_description_is_refused(text: str, message: str) -> None:
    """A text says first which kind of description it is."""
    assert refusal(text).message == message


def test_a_mistake_is_an_input_error_of_kpki_s() -> None:
    """Every refusal is a KpkiError and a ValueError, so that the command and a program both can
    catch it."""
    found: Any = refusal("a: b")
    assert isinstance(found, KpkiError) and isinstance(found, ValueError)


def test_authorities_have_the_names_of_the_three_cas() -> None:
    """Each of the three can be given, no other."""
    given = ", ".join(f"{name}: {{certificate: /{name}}}" for name in GIVEN_NAMES.values())
    body = f"certificateAuthorities: {{{given}}}\n"
    assert load(body + NODES).authorities == {name: GivenAuthority(f"/{name}")
                                              for name in ("kubernetes", "etcd", "front-proxy")}


PAGE = (Path(__file__).parents[3] / "docs" / "description.md").read_text()


def test_the_page_has_every_field() -> None:
    """docs/description.md names each field of FULL and of etcd.external, and its example is
    valid."""
    names = {*re.findall(r"(\w+):", FULL), "external", "caFile", "certFile", "keyFile",
             "endpoints"} - {"FD00", "fd00"}
    assert {name for name in names if name not in PAGE} == set()
    assert len(load_cluster(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]).hosts) == 2


def test_the_page_s_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The library example prints what it says it does."""
    exec(compile(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], "docs/description.md",
                 "exec"), {})
    assert capsys.readouterr().out == "['cp-1'] ('10.0.0.21',)\n"
