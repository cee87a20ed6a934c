"""Cluster → cluster.yaml and back."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from kpki.cluster.adopt.dump import dump_cluster
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
from kpki.kubernetes.layouts import LAYOUT_NAMES

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABEL | st.sampled_from(["no", "on", "true", "null", "1e5", "123", "0x1f", "y"]),
                 min_size=1,
                 max_size=3).map(".".join).filter(lambda name: not name.replace(".", "").isdigit())
NODE_NAMES = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
ADDRESSES = st.ip_addresses().map(str).filter(lambda address: "%" not in address)
SANS = st.lists(NAMES | NAMES.map("*.{}".format) | ADDRESSES, max_size=3, unique=True).map(tuple)
PRINTABLE = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
TEXT = st.text(PRINTABLE, min_size=1)
PATHS = st.lists(st.text(PRINTABLE, min_size=1).map(lambda part: part.replace("/", "_")
                                                    .replace(".", "-")), min_size=1,
                 max_size=3).map(lambda parts: "/" + "/".join(parts))
# as the reader makes them
SPANS = st.floats(1, 2_562_047 * 3600).map(lambda seconds: timedelta(seconds=seconds))
ROLES = st.sampled_from([frozenset(words) for words in ((), ("etcd",), ("control-plane",),
                                                        ("control-plane", "etcd"))])
SUBNETS = st.sampled_from([("10.96.0.0/12",), ("10.0.0.0/24",), ("fd00::/112",),
                           ("10.0.0.0/24", "fd00::/112")])


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """Every cluster that a description can say."""
    names = draw(st.lists(NODE_NAMES, min_size=1, max_size=4, unique=True))
    addresses = draw(st.lists(ADDRESSES, min_size=2 * len(names), max_size=2 * len(names),
                              unique=True))
    external = draw(st.none() | st.one_of(
        st.just(ExternalEtcd(None, None, None)), PATHS.map(lambda ca: ExternalEtcd(ca, None, None)),
        st.builds(ExternalEtcd, PATHS, PATHS, PATHS)))
    hosts = []
    for number, name in enumerate(names):
        roles = draw(ROLES) - ({"etcd"} if external else set())
        own = addresses[2 * number:2 * number + draw(st.integers(1 if roles else 0, 2))]
        dns = draw(st.lists(NAMES.filter(lambda name: name not in names), max_size=2, unique=True))
        hosts.append(Host(name, frozenset(roles), tuple(own), tuple(dns)))
    roles = frozenset[str]().union(*(host.roles for host in hosts))
    if "control-plane" in roles and "etcd" not in roles and external is None:
        external = ExternalEtcd("/ca", "/crt", "/key")
    layout = draw(st.sampled_from(LAYOUT_NAMES))
    endpoint = st.tuples(NAMES | ADDRESSES, st.integers(1, 65535))
    return Cluster(
        name=draw(TEXT), layout=layout, port=draw(st.integers(1, 65535)),
        endpoint=draw(st.none() | endpoint if "control-plane" in roles else endpoint),
        service_subnets=draw(SUBNETS), dns_domain=draw(NAMES), api_sans=draw(SANS),
        etcd_server_sans=() if external else draw(SANS),
        etcd_peer_sans=() if external else draw(SANS),
        algorithm=draw(st.none() | st.sampled_from(ALGORITHM_NAMES)), validity=draw(SPANS),
        ca_validity=draw(SPANS),
        authorities=draw(st.dictionaries(st.sampled_from([*GIVEN_NAMES.values()]),
                                         st.builds(GivenAuthority, TEXT, st.none() | TEXT))),
        kubelet_serving=draw(st.booleans()), external_etcd=external,
        certificates_dir=draw(PATHS) if layout == "kubeadm" else "/etc/kubernetes/pki",
        hosts=tuple(hosts),
        from_kubeadm=False)


@settings(max_examples=200, deadline=None)
@given(clusters())
def test_what_is_dumped_is_read_back(cluster: Cluster) -> None:
    """Whatever a description can say comes back the same from its own text."""
    assert load_cluster(dump_cluster(cluster)) == cluster


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_the_example_is_its_own_dump(layout: str) -> None:
    """The example says the same with and without its defaults."""
    cluster = load_cluster(example_description(layout))
    assert load_cluster(dump_cluster(cluster)) == cluster


KUBEADM = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: {kind}Configuration
nodeRegistration: {{name: Host-1}}
{more}---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: blue
controlPlaneEndpoint: "[fd00::1]"
certificatesDir: /etc/kubernetes/tls
networking: {{serviceSubnet: "10.0.0.0/16,fd00:1::/112", dnsDomain: blue.local}}
apiServer: {{certSANs: ["*.blue.local", 10.0.0.99]}}
certificateValidityPeriod: 100h30m0.5s
"""


@pytest.mark.parametrize("text", [
    KUBEADM.format(kind="Init",
                   more="localAPIEndpoint: {advertiseAddress: 10.0.0.10, bindPort: 443}\n"),
    KUBEADM.format(kind="Join", more=""),
    KUBEADM.format(kind="Join",
                   more="controlPlane: {localAPIEndpoint: {advertiseAddress: 10.0.0.11}}\n")
    + "etcd: {external: {endpoints: []}}\n",
], ids=["init", "join", "join, external etcd"])
def test_a_kubeadm_configuration_becomes_a_description(text: str) -> None:
    """It says the same cluster, and that it comes from kubeadm no more."""
    cluster = load_cluster(text)
    dumped = dump_cluster(cluster)
    assert cluster.from_kubeadm and load_cluster(dumped) == replace(cluster, from_kubeadm=False)
    assert dumped.splitlines()[2:4] == ["apiVersion: kpki/v1", "kind: Cluster"]


def test_a_dump_is_plain_where_it_can_be() -> None:
    """Comments say what a field is for; nothing that has its default is in it; quotes are where
    YAML needs them."""
    cluster = load_cluster("""\
apiVersion: kpki/v1
kind: Cluster
clusterName: "no"
encryptionAlgorithm: RSA-2048
certificateValidityPeriod: 90m
apiServer: {certSANs: [api.example, 10.0.0.1, "fd00::1", "1e3"]}
nodes: [{name: cp-1, roles: [etcd, control-plane], addresses: [10.0.0.10], \
dnsNames: [cp-1.example]}]
""")
    assert dump_cluster(cluster) == """\
# What the cluster should be. Every field, its default and its source: docs/description.md.
# A field that is left out has its default.
apiVersion: kpki/v1
kind: Cluster
clusterName: "no"

# Where the files lie on a host.
layout: kubeadm

# Further names and addresses in the API servers' certificate.
apiServer:
  certSANs: [api.example, 10.0.0.1, "fd00::1", "1e3"]

# The algorithm of new keys.
encryptionAlgorithm: RSA-2048
certificateValidityPeriod: 1h30m

# A node without roles is a worker. The first address is the advertised address.
nodes:
- name: cp-1
  roles: [control-plane, etcd]
  addresses: [10.0.0.10]
  dnsNames: [cp-1.example]
"""
