"""The table of certificates, and who may be called a node."""
from __future__ import annotations

import pytest

from kpki.errors import InputError
from kpki.kubernetes.profiles import (KUBELET, LONGEST_NAME, PROFILES, check_address, check_dns_name, check_node_name,
                                      leaf_values, subject)


def test_signers_come_before_what_they_sign() -> None:
    """Every signer is a row, and stands above its leaves."""
    names = [row.name for row in PROFILES]
    assert len(names) == len(set(names))
    assert all(row.signer is None or row.signer in names[:names.index(row.name)] for row in PROFILES)
    assert all(row.source.startswith("https://kubernetes.io/docs/") for row in PROFILES)


@pytest.mark.parametrize("name", ["worker-1", "w", "10.0.0.21", "ip-10-0-0-1.eu.compute.internal", "a" * 52])
def test_a_node_has_an_rfc_1123_name(name: str) -> None:
    """Lower-case labels of letters, digits and dashes, 52 characters in all, so that the CN holds 64."""
    assert check_node_name(name) == name
    assert len("system:node:" + "a" * 52) == 64


@pytest.mark.parametrize("name", ["", "-w", "w-", "a..b", "a_b", "a b", "a/b", "Worker", "wörker", "a\n", "a" * 53])
def test_nothing_else_is_a_node(name: str) -> None:
    """Anything else is refused before it gets into a path or a subject."""
    with pytest.raises(InputError):
        check_node_name(name)


def test_a_name_that_is_too_long_for_a_certificate_may_be_a_nodes_all_the_same() -> None:
    """To look at, a node's name may have the 253 characters of any DNS name, and not one more."""
    for name in ("a" * 53, "a" * 253):
        assert check_node_name(name, longest=LONGEST_NAME) == name
    with pytest.raises(InputError, match="has 254 characters, over the 253 that a DNS name has"):
        check_node_name("a" * 254, longest=LONGEST_NAME)
    with pytest.raises(InputError, match="over the 52 that fit into a certificate's CN"):
        check_node_name("a" * 254)


def test_upper_case_is_told_the_name_that_counts() -> None:
    """The kubelet registers in lower case, and the hint says that name."""
    with pytest.raises(InputError) as refused:
        check_node_name("Worker-1")
    assert "'worker-1'" in str(refused.value.hint)


def test_addresses_are_in_their_shortest_form() -> None:
    """IPv4 and IPv6 are taken, prefixes, ports and names are not."""
    assert [check_address(text) for text in ("10.0.0.1", "FD00:0::1")] == ["10.0.0.1", "fd00::1"]
    for text in ("10.0.0.1/24", "10.0.0.1:80", "010.0.0.1", "w", "", "fe80::1%eth0/64"):
        with pytest.raises(InputError, match="is not an IP address"):
            check_address(text)


def test_dns_names_may_begin_with_a_star() -> None:
    """A wildcard label may come first and nowhere else."""
    assert check_dns_name("*.example.com") == "*.example.com"
    for text in ("a.*.com", "*", "a b", "a" * 254):
        with pytest.raises(InputError, match="is no DNS name"):
            check_dns_name(text)


def test_the_subject_is_the_nodes() -> None:
    """O before CN, the node's name in the CN."""
    assert str(subject(KUBELET, "worker-1")).find("system:node:worker-1") > 0
    values = leaf_values(KUBELET, node="worker-1", dns=[], addresses=[], rsa=True)
    assert values.subject == subject(KUBELET, "worker-1")


def test_key_encipherment_is_for_rsa() -> None:
    """keyUsage of an RSA key has one bit more; without names there is no subjectAltName."""
    rsa, other = (leaf_values(KUBELET, node="w", dns=["w"], addresses=["10.0.0.1"], rsa=rsa) for rsa in (True, False))
    assert [one for one, two in zip(rsa.extensions, other.extensions, strict=True) if one != two] \
        == [one for one in rsa.extensions if one.oid == "2.5.29.15"]
    bare = leaf_values(KUBELET, node="w", dns=[], addresses=[], rsa=True)
    assert len(bare.extensions) == len(rsa.extensions) - 1
