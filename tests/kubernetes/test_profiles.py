"""The table of certificates: its rows, what one says for a host, and who may be called a node."""
from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from kpki.errors import InputError
from kpki.kubernetes.profiles import (
    KUBELET_PROFILE,
    LONGEST_NAME,
    PROFILES,
    Identity,
    get_profile,
    identity_of,
    sans_text,
    validate_address,
    validate_dns_name,
    validate_node_name,
)

# kubernetes.io, "PKI certificates and requirements", with kubeadm 1.34's CNs; kubelet and
# kube-proxy by the pages on the Node authorizer and on TLS bootstrapping: name → kind, signer, O,
# CN, usages, per what.
ROWS = {
    "ca": ("ca", None, (), "kubernetes", "", "cluster"),
    "etcd-ca": ("ca", None, (), "etcd-ca", "", "cluster"),
    "front-proxy-ca": ("ca", None, (), "front-proxy-ca", "", "cluster"),
    "service-accounts": ("key", None, (), "", "", "cluster"),
    "apiserver": ("leaf", "ca", (), "kube-apiserver", "server", "control-plane"),
    "apiserver-kubelet-client": ("leaf", "ca", ("{administrators}",),
                                 "kube-apiserver-kubelet-client", "client", "control-plane"),
    "apiserver-etcd-client": ("leaf", "etcd-ca", (), "kube-apiserver-etcd-client", "client",
                              "control-plane"),
    "front-proxy-client": ("leaf", "front-proxy-ca", (), "front-proxy-client", "client",
                           "control-plane"),
    "etcd-server": ("leaf", "etcd-ca", (), "{node}", "server client", "etcd"),
    "etcd-peer": ("leaf", "etcd-ca", (), "{node}", "server client", "etcd"),
    "etcd-healthcheck-client": ("leaf", "etcd-ca", (), "kube-etcd-healthcheck-client", "client",
                                "etcd"),
    "admin": ("leaf", "ca", ("{administrators}",), "kubernetes-admin", "client", "control-plane"),
    "super-admin": ("leaf", "ca", ("system:masters",), "kubernetes-super-admin", "client",
                    "first control-plane"),
    "kube-controller-manager": ("leaf", "ca", (), "system:kube-controller-manager", "client",
                                "control-plane"),
    "kube-scheduler": ("leaf", "ca", (), "system:kube-scheduler", "client", "control-plane"),
    "kubelet": ("leaf", "ca", ("system:nodes",), "system:node:{node}", "server client", "node"),
    "kubelet-client": ("leaf", "ca", ("system:nodes",), "system:node:{node}", "client", "node"),
    "kubelet-serving": ("leaf", "ca", ("system:nodes",), "system:node:{node}", "server", "node"),
    "kube-proxy": ("leaf", "ca", ("system:node-proxier",), "system:kube-proxy", "client", "node"),
}


def test_the_rows_are_the_pages() -> None:
    """Every row of Kubernetes' pages is there, with what they say of it, and no other."""
    assert {row.name: (row.kind, row.signer, row.organizations, row.common_name,
                       " ".join(usage.removesuffix("Auth") for usage in row.usages), row.per)
            for row in PROFILES} == ROWS


def test_a_row_is_found_by_its_name_and_cannot_be_changed() -> None:
    """find_profile gives the row itself, names the rows there are for another name; a row is
    frozen."""
    assert [get_profile(row.name) for row in PROFILES] == [*PROFILES]
    with pytest.raises(InputError, match="unknown row 'kube'") as refused:
        get_profile("kube")
    assert "kube-proxy" in str(refused.value.hint)
    with pytest.raises(FrozenInstanceError):
        setattr(get_profile("ca"), "common_name", "other")


def test_signers_come_before_what_they_sign() -> None:
    """Every signer is a row, and stands above its leaves."""
    names = [row.name for row in PROFILES]
    assert len(names) == len(set(names))
    assert all(row.signer is None or row.signer in names[:names.index(row.name)]
               for row in PROFILES)
    assert all(row.source.startswith("https://kubernetes.io/docs/") for row in PROFILES)


@pytest.mark.parametrize("name", ["worker-1", "w", "10.0.0.21", "ip-10-0-0-1.eu.compute.internal",
                                  "a" * 52])
def test_a_node_has_an_rfc_1123_name(name: str) -> None:
    """Lower-case labels of letters, digits and dashes, 52 characters in all, so that the CN holds
    64."""
    assert validate_node_name(name) == name
    assert len("system:node:" + "a" * 52) == 64


@pytest.mark.parametrize("name", ["", "-w", "w-", "a..b", "a_b", "a b", "a/b", "Worker", "wörker",
                                  "a\n", "a" * 53])
def test_nothing_else_is_a_node(name: str) -> None:
    """Anything else is refused before it gets into a path or a subject."""
    with pytest.raises(InputError):
        validate_node_name(name)


def test_a_name_that_is_too_long_for_a_certificate_may_be_a_nodes_all_the_same() -> None:
    """To look at, a node's name may have the 253 characters of any DNS name, and not one more."""
    for name in ("a" * 53, "a" * 253):
        assert validate_node_name(name, longest=LONGEST_NAME) == name
    with pytest.raises(InputError, match="has 254 characters, over the 253 that a DNS name has"):
        validate_node_name("a" * 254, longest=LONGEST_NAME)
    with pytest.raises(InputError, match="over the 52 that fit into a certificate's CN"):
        validate_node_name("a" * 254)


def test_upper_case_is_told_the_name_that_counts() -> None:
    """The kubelet registers in lower case, and the hint says that name."""
    with pytest.raises(InputError) as refused:
        validate_node_name("Worker-1")
    assert "'worker-1'" in str(refused.value.hint)


def test_addresses_are_in_their_shortest_form() -> None:
    """IPv4 and IPv6 are taken, prefixes, ports and names are not."""
    assert [validate_address(text) for text in ("10.0.0.1", "FD00:0::1")] == ["10.0.0.1", "fd00::1"]
    for text in ("10.0.0.1/24", "10.0.0.1:80", "010.0.0.1", "w", "", "fe80::1%eth0/64"):
        with pytest.raises(InputError, match="is not an IP address"):
            validate_address(text)


def test_dns_names_may_begin_with_a_star() -> None:
    """A wildcard label may come first and nowhere else."""
    assert validate_dns_name("*.example.com") == "*.example.com"
    for text in ("a.*.com", "*", "a b", "a" * 254):
        with pytest.raises(InputError, match="is no DNS name"):
            validate_dns_name(text)


def test_a_row_says_who_for_one_host() -> None:
    """The node's name and the layout's group stand where the row has a place for them."""
    assert identity_of(KUBELET_PROFILE, node="worker-1", dns=["worker-1"],
                       addresses=["10.0.0.21"]) == Identity(
                           "system:node:worker-1", ("system:nodes",), ("worker-1",), ("10.0.0.21",))
    assert identity_of(get_profile("admin"), administrators="system:masters") == Identity(
        "kubernetes-admin", ("system:masters",))
    assert identity_of(get_profile("etcd-peer"), node="cp-1",
                       administrators="g") == Identity("cp-1")


def test_names_are_in_openssls_words() -> None:
    """DNS names before addresses; "" where there is neither."""
    named = Identity("u", (), ("w", "w.example.com"), ("10.0.0.1", "fd00::1"))
    assert sans_text(named) == "DNS:w,DNS:w.example.com,IP:10.0.0.1,IP:fd00::1"
    assert sans_text(Identity("u")) == ""
