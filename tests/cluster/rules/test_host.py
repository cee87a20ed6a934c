"""Each fault is found, alone, where it is; what is healthy is left in peace."""
from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki import pem
from kpki.cluster.authority import Authority, load_authority
from kpki.cluster.node.node import issue_node
from kpki.kubernetes.causes import CAUSES, ROWS
from kpki.stages.certificates import req_x509
from kpki.stages.keys import genpkey, genrsa

# The conftest's Tree, which has no importable name of its own.
Tree = Any
Mutation = Callable[[Tree], object]

CA, CERTIFICATE, KEY = (f"etc/kubernetes/ssl/{name}.pem" for name in ("ca", "worker", "worker-key"))
KUBECONFIG = "etc/kubernetes/worker-kubeconfig.yaml"
USER, CLUSTER = f"{KUBECONFIG}#users/kubelet", f"{KUBECONFIG}#clusters/local"
DAY = timedelta(days=1)
PLAIN = "basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\n"
NAMED = "subjectAltName = DNS:worker-1,IP:10.0.0.21\n"
BOTH = "extendedKeyUsage = serverAuth,clientAuth\n"
RIGHT = PLAIN + BOTH + NAMED
MAY_SIGN = "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign\n"


def bytes_of(tree: Tree, name: str) -> bytes:
    data: bytes = tree.path(name).read_bytes()
    return data


def der(data: bytes) -> bytes:
    return next(pem.blocks(data)).der


def swap(tree: Tree) -> None:
    certificate, key = bytes_of(tree, CERTIFICATE), bytes_of(tree, KEY)
    tree.put(CERTIFICATE, key)
    tree.put(KEY, certificate)


def folder_at(tree: Tree, name: str) -> None:
    tree.path(name).unlink()
    tree.path(name).mkdir()


def link_at(tree: Tree, name: str, target: str) -> None:
    tree.path(name).unlink()
    tree.path(name).symlink_to(target)


def neighbour(tree: Tree) -> dict[str, bytes]:
    return {item.path: item.data for item in issue_node(
        tree.ca, "worker-2", addresses=["10.0.0.22"], server="https://10.0.0.10:6443",
        now=tree.now)}


def encrypt(tree: Tree, form: str) -> None:
    tree.put(KEY, pem.dump_key(tree.key(), form=form, passphrase=b"secret"))


def tiny_key() -> PrivateKeyTypes:
    """An RSA key so short that nothing but openssl makes one any more."""
    made = subprocess.run(["openssl", "genrsa", "768"], check=True, capture_output=True, timeout=60)
    return pem.load_key(made.stdout)


def rename(tree: Tree, subject: str) -> None:
    tree.leaf(RIGHT, subject=subject)


# What was done → the one cause, and the path that it is found at.
FAULTS: list[tuple[str, str, Mutation]] = [
    ("file-missing", CA, lambda tree: tree.path(CA).unlink()),
    ("file-missing", CERTIFICATE, lambda tree: tree.path(CERTIFICATE).unlink()),
    ("file-missing", KEY, lambda tree: tree.path(KEY).unlink()),
    ("file-missing", KUBECONFIG, lambda tree: tree.path(KUBECONFIG).unlink()),
    ("file-missing", CERTIFICATE, lambda tree: link_at(tree, CERTIFICATE, "worker-1-worker.pem")),
    ("file-missing", "etc/kubernetes/ssl/node.pem",
     lambda tree: tree.edit(KUBECONFIG, f'client-certificate: "/{CERTIFICATE}"',
                            "client-certificate: /etc/kubernetes/ssl/node.pem")),
    ("bad-pem", CA, lambda tree: tree.put(CA, b"")),
    ("bad-pem", CERTIFICATE, lambda tree: tree.put(CERTIFICATE, b"")),
    ("bad-pem", KEY, lambda tree: tree.put(KEY, b"")),
    ("bad-pem", CERTIFICATE, lambda tree: tree.put(CERTIFICATE, bytes_of(tree, CERTIFICATE)[:300])),
    ("bad-pem", KEY, lambda tree: tree.put(KEY, bytes_of(tree, KEY)[:100])),
    ("bad-pem", CERTIFICATE, lambda tree: tree.put(CERTIFICATE, der(bytes_of(tree, CERTIFICATE)))),
    ("bad-pem", KEY, lambda tree: tree.put(KEY, der(bytes_of(tree, KEY)))),
    ("bad-pem", CERTIFICATE, lambda tree: tree.put(CERTIFICATE, b"no certificate\n")),
    ("bad-pem", CERTIFICATE,
     lambda tree: tree.edit(CERTIFICATE, "CERTIFICATE-----\nMII", "CERTIFICATE-----\nM*I")),
    ("bad-pem", KEY,
     lambda tree: tree.put(KEY, pem.armour(b"0\x03\x02\x01\x00", "EC PRIVATE KEY"))),
    ("bad-pem", USER, lambda tree: tree.embed(certificate=b"x", key=bytes_of(tree, KEY))),
    ("malformed-x509", CERTIFICATE,
     lambda tree: tree.put(CERTIFICATE, pem.armour(b"0\x00", "CERTIFICATE"))),
    ("malformed-x509", CERTIFICATE,
     lambda tree: tree.leaf(PLAIN + BOTH + "subjectAltName = DER:04:01:00\n")),
    ("key-unreadable", KEY, lambda tree: folder_at(tree, KEY)),
    ("key-unreadable", CERTIFICATE, lambda tree: link_at(tree, CERTIFICATE, "worker.pem")),
    ("key-cert-mismatch", CERTIFICATE, swap),
    ("key-cert-mismatch", KEY,
     lambda tree: tree.put(KEY, pem.dump_key(genpkey("EC", curve="P-256")))),
    ("key-cert-mismatch", KEY, lambda tree: tree.put(KEY, bytes_of(tree, CERTIFICATE))),
    ("key-cert-mismatch", CA, lambda tree: tree.put(CA, bytes_of(tree, KEY))),
    ("key-cert-mismatch", CERTIFICATE,
     lambda tree: tree.put(CERTIFICATE, neighbour(tree)[CERTIFICATE])),
    ("encrypted-key", KEY, lambda tree: encrypt(tree, "pkcs8")),
    ("encrypted-key", KEY, lambda tree: encrypt(tree, "traditional")),
    ("key-exposed", KEY, lambda tree: tree.path(KEY).chmod(0o640)),
    ("key-exposed", KUBECONFIG, lambda tree: (tree.embed(certificate=bytes_of(tree, CERTIFICATE),
                                                         key=bytes_of(tree, KEY)),
                                              tree.path(KUBECONFIG).chmod(0o644))),
    ("weak-signature-or-key", CERTIFICATE, lambda tree: tree.leaf(RIGHT, digest="sha1")),
    ("weak-signature-or-key", CERTIFICATE, lambda tree: tree.leaf(RIGHT, key=genrsa(1024))),
    ("weak-signature-or-key", CERTIFICATE,
     lambda tree: tree.leaf(RIGHT, key=genpkey("EC", curve="P-224"))),
    ("weak-signature-or-key", CERTIFICATE, lambda tree: tree.leaf(RIGHT, key=tiny_key())),
    ("wrong-node-identity", CERTIFICATE,
     lambda tree: [tree.put(*item) for item in neighbour(tree).items()]),
    ("hostname-case-fqdn", CERTIFICATE,
     lambda tree: rename(tree, "/O=system:nodes/CN=system:node:Worker-1")),
    ("hostname-case-fqdn", CERTIFICATE,
     lambda tree: rename(tree, "/O=system:nodes/CN=system:node:worker-1.example")),
    ("wrong-organisation", CERTIFICATE, lambda tree: rename(tree, "/CN=system:node:worker-1")),
    ("wrong-organisation", CERTIFICATE,
     lambda tree: rename(tree, "/O=system:node/CN=system:node:worker-1")),
    ("wrong-subject", CERTIFICATE, lambda tree: rename(tree, "/CN=worker-1")),
    ("wrong-subject", CERTIFICATE, lambda tree: rename(tree, "/O=system:nodes")),
    ("wrong-eku", CERTIFICATE,
     lambda tree: tree.leaf(PLAIN + "extendedKeyUsage = serverAuth\n" + NAMED)),
    ("wrong-eku", CERTIFICATE,
     lambda tree: tree.leaf(PLAIN + "extendedKeyUsage = clientAuth\n" + NAMED)),
    ("legacy-cn-no-san", CERTIFICATE, lambda tree: tree.leaf(PLAIN + BOTH)),
    ("missing-san-dns", CERTIFICATE,
     lambda tree: tree.leaf(PLAIN + BOTH + "subjectAltName = DNS:worker-2\n")),
    ("unknown-authority", CERTIFICATE, lambda tree: tree.leaf(RIGHT, ca=tree.other)),
    ("unknown-authority", CERTIFICATE, lambda tree: tree.put(CA, tree.other.bundle)),
    ("ca-not-a-ca", CA, lambda tree: tree.authority("basicConstraints = critical,CA:FALSE\n")),
    ("ca-not-a-ca", CA, lambda tree: tree.authority(MAY_SIGN.replace("keyCertSign", "cRLSign"))),
    ("ca-not-a-ca", CA, lambda tree: tree.authority("keyUsage = critical,keyCertSign\n")),
    ("expired-client-cert", CERTIFICATE, lambda tree: tree.leaf(RIGHT, days=1, ago=3 * DAY)),
    ("expired-client-cert", CERTIFICATE,
     lambda tree: tree.leaf(RIGHT, days=1, ago=3 * DAY, ca=tree.other)),
    ("expired-ca", CA, lambda tree: tree.authority(MAY_SIGN, days=1, ago=3 * DAY)),
    ("not-yet-valid", CERTIFICATE, lambda tree: tree.leaf(RIGHT, ago=-2 * DAY)),
    ("not-yet-valid", CA, lambda tree: tree.authority(MAY_SIGN, ago=-2 * DAY)),
    ("kubeconfig-broken", KUBECONFIG, lambda tree: tree.put(KUBECONFIG, b"")),
    ("kubeconfig-broken", KUBECONFIG, lambda tree: tree.put(KUBECONFIG, b"a: [b\n")),
    ("kubeconfig-broken", KUBECONFIG,
     lambda tree: tree.edit(KUBECONFIG, "kind: Config", "kind: Secret")),
    ("kubeconfig-broken", KUBECONFIG,
     lambda tree: tree.edit(KUBECONFIG, "current-context:", "a-context:")),
    ("kubeconfig-broken", CLUSTER, lambda tree: tree.edit(KUBECONFIG, "  server:", "  servers:")),
    ("kubeconfig-broken", USER, lambda tree: tree.edit(KUBECONFIG, "client-key:", "no-key:")),
    ("kubeconfig-broken", CLUSTER,
     lambda tree: tree.edit(KUBECONFIG, "certificate-authority:", "no-authority:")),
    ("kubeconfig-wrong-ca", CLUSTER, lambda tree: tree.embed(ca=tree.other.bundle)),
    ("outlives-ca", CERTIFICATE, lambda tree: tree.authority(MAY_SIGN, days=200)),
    ("expiring-soon", CERTIFICATE, lambda tree: tree.leaf(RIGHT, days=20)),
    ("strict-refused", CA, lambda tree: tree.authority("basicConstraints = critical,CA:TRUE\n")),
    ("strict-refused", CERTIFICATE,
     lambda tree: tree.leaf(RIGHT + "authorityKeyIdentifier = none\n")),
]


def kubespray(tree: Tree) -> None:
    """One list of names for all hosts, no extendedKeyUsage, the CA appended."""
    tree.leaf("basicConstraints = CA:FALSE\n"
              "keyUsage = nonRepudiation,digitalSignature,keyEncipherment\nsubjectAltName = "
              "DNS:kubernetes,DNS:localhost,DNS:worker-1,IP:10.0.0.21,IP:127.0.0.1\n",
              subject="/CN=system:node:worker-1/O=system:nodes")
    tree.put(CERTIFICATE, bytes_of(tree, CERTIFICATE) + tree.ca.bundle)


def linked(tree: Tree) -> None:
    """CoreOS's links, one relative, one absolute as on the host itself."""
    for name, target in ((CERTIFICATE, "worker-1-worker.pem"),
                         (KEY, "/etc/kubernetes/ssl/worker-1-worker-key.pem")):
        tree.path(name).rename(tree.path(CERTIFICATE).with_name(target.rpartition("/")[2]))
        tree.path(name).symlink_to(target)


HEALTHY: dict[str, Mutation] = {
    "as issued": lambda tree: None,
    "CRLF": lambda tree: [tree.put(name, bytes_of(tree, name).replace(b"\n", b"\r\n"))
                          for name in (CA, CERTIFICATE, KEY)],
    "text around the PEM": lambda tree: [tree.put(name, b"subject=x\n" + bytes_of(tree, name)
                                                  + b"\nthe end\n")
                                         for name in (CA, CERTIFICATE, KEY)],
    "a bundle": lambda tree: tree.put(CA, tree.other.bundle + tree.ca.bundle),
    "a bundle with a CA of the past": lambda tree:
        tree.put(CA, tree.ca.bundle + pem.dump_certificate(
            tree.another_ca(MAY_SIGN, days=1, ago=3 * DAY))),
    "PKCS#8": lambda tree: tree.put(KEY, pem.dump_key(tree.key())),
    "SEC1": lambda tree: tree.put(KEY, pem.dump_key(tree.key(), form="traditional")),
    "PKCS#1": lambda tree: (tree.leaf(RIGHT, key=(key := genrsa(2048))),
                            tree.put(KEY, pem.dump_key(key, form="traditional"))),
    "CoreOS's certificate": lambda tree: tree.leaf(
        "basicConstraints = CA:FALSE\nkeyUsage = nonRepudiation,digitalSignature,keyEncipherment\n"
        "subjectAltName = IP:10.0.0.21\n", subject="/CN=system:node:worker-1/O=system:nodes"),
    "CoreOS's links": linked,
    "kubespray's certificate": kubespray,
    "more groups": lambda tree: rename(tree, "/O=system:nodes/O=example/CN=system:node:worker-1"),
    "anyExtendedKeyUsage": lambda tree: tree.leaf(PLAIN + "extendedKeyUsage = anyExtendedKeyUsage\n"
                                                  + NAMED),
    "all in the kubeconfig": lambda tree: tree.embed(
        certificate=bytes_of(tree, CERTIFICATE), key=bytes_of(tree, KEY), ca=bytes_of(tree, CA)),
    "relative paths": lambda tree: tree.edit(KUBECONFIG, "/etc/kubernetes/", ""),
    "kubeconfig readable by all": lambda tree: tree.path(KUBECONFIG).chmod(0o644),
    "key readable by nobody": lambda tree: tree.path(KEY).chmod(0o400),
}


@pytest.mark.parametrize(("cause", "path", "mutation"), FAULTS,
                         ids=[f"{cause}-{number}" for number, (cause, _, _) in enumerate(FAULTS)])
def test_a_fault_is_named_once_at_its_root(tree: Tree, cause: str, path: str,
                                           mutation: Mutation) -> None:
    """One thing wrong with a healthy tree is one finding: that cause, at that path."""
    assert tree.faults() == []
    mutation(tree)
    assert tree.faults() == [(cause, path)]
    finding, = tree.check()
    assert finding.message and finding.message == finding.message.strip().removesuffix(".")


def test_a_cas_key_belongs_where_a_control_plane_is(tree: Tree) -> None:
    """In a worker's tree the key of any CA is a fault; where a file of a control plane lies as well
    it is none."""
    key, etcd_key = "etc/kubernetes/ssl/ca-key.pem", "etc/kubernetes/ssl/etcd-ca-key.pem"
    for path in (key, etcd_key):
        tree.put(path, pem.dump_key(tree.ca.key))
        tree.path(path).chmod(0o600)
    tree.put("etc/kubernetes/ssl/etcd-ca.pem", bytes_of(tree, CA))
    assert [*tree.faults()] == [("ca-key-on-worker", key), ("ca-key-on-worker", etcd_key)]
    tree.put("etc/kubernetes/ssl/service-accounts.pem",
             pem.dump_public_key(tree.ca.key.public_key()))
    tree.put("etc/kubernetes/ssl/service-accounts-key.pem", pem.dump_key(tree.ca.key))
    tree.path("etc/kubernetes/ssl/service-accounts-key.pem").chmod(0o600)
    assert tree.faults() == []


def test_every_cause_has_a_fault_that_shows_it() -> None:
    """Each cause that a worker's files can show is found in this file's cases, and no cause is
    found without a row."""
    elsewhere = {"expired-server-cert", "missing-san-ip", "etcd-peer-cert", "front-proxy-ca",
                 "sa-key-mismatch",
                 "shared-key", "ca-key-on-worker", "serial-reused", "chain-depth", "flags-mismatch",
                 # matrix/, hosts/
                 "kubelet-serving-self-signed", "kubelet-client-current-broken", "signing-bundle"}
    not_in_files = {"remote-alert", "kubelet-serving-csr-pending", "unauthorized-after-ca-rotation",
                    "external-ca", "bootstrap-kubeconfig-missing-or-token-expired",
                    "client-cert-not-presented", "ca-pin-mismatch", "no-client-cert-anonymous",
                    "stale-served", "clock-skew"}
    assert {cause for cause, _, _ in FAULTS} == set(CAUSES) - elsewhere - not_in_files
    assert len(CAUSES) == len(ROWS)


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_healthy_has_no_error(tree: Tree, name: str) -> None:
    """A tree that a kubelet can work with has no error, however it is written."""
    HEALTHY[name](tree)
    assert [item for item in tree.check() if item.severity == "error"] == []


def test_three_files_gone_are_three_findings(tree: Tree) -> None:
    """Each of several faults is named, in the order CA, certificate, key."""
    for name in (CA, CERTIFICATE, KEY):
        tree.path(name).unlink()
    assert tree.faults() == [("file-missing", CA), ("file-missing", CERTIFICATE),
                             ("file-missing", KEY)]


def test_another_nodes_files_are_told_with_the_api_servers_answer(tree: Tree) -> None:
    """Whose the certificate is, whose it should be, and what the API server will say stand in the
    finding."""
    finding, = tree.check("worker-3")
    assert finding.cause == "wrong-node-identity"
    assert finding.got == "CN=system:node:worker-1/O=system:nodes"
    assert finding.expected == "CN=system:node:worker-3/O=system:nodes"
    assert "node 'worker-1' cannot read 'worker-3', only its own Node object" in finding.message
    assert 'node "worker-1" is not allowed to modify node "worker-3"' in finding.message


def test_time_wins_over_signer_and_identity_over_time(tree: Tree) -> None:
    """Of several faults of one certificate the root is named: whose it is, then its time, then its
    signer."""
    tree.leaf(PLAIN, subject="/O=system:nodes/CN=system:node:worker-2", days=1, ago=3 * DAY,
              ca=tree.other)
    assert tree.faults() == [("wrong-node-identity", CERTIFICATE)]
    tree.leaf(PLAIN, days=1, ago=3 * DAY, ca=tree.other)
    assert tree.faults() == [("expired-client-cert", CERTIFICATE)]
    tree.leaf(PLAIN, ca=tree.other)
    assert tree.faults() == [("unknown-authority", CERTIFICATE)]


def test_the_authorities_that_are_given_count(tree: Tree) -> None:
    """Against another CA than the tree's own both of its certificates are of an unknown
    authority."""
    assert tree.check(authorities=[tree.ca.certificate]) == []
    assert [(item.cause, item.path) for item in tree.check(authorities=[tree.other.certificate])] \
        == [("unknown-authority", CA), ("unknown-authority", CERTIFICATE)]


def test_a_short_rsa_key_that_go_takes_is_a_warning(plant: Callable[..., Tree]) -> None:
    """RSA under 2048 bits is named, and is an error only where Go refuses it (under 1024)."""
    tree = plant()
    tree.leaf(RIGHT, key=genrsa(1536))
    finding, = tree.check()
    assert (finding.cause, finding.severity) == ("weak-signature-or-key", "warning")


def test_an_intermediate_in_the_file_is_part_of_the_chain(tree: Tree) -> None:
    """A certificate that a CA under the cluster's signed is good with that CA after it, and not
    without."""
    key = genpkey("EC", curve="P-256")
    tree.leaf(MAY_SIGN, subject="/CN=below", key=key)
    below = load_authority(bytes_of(tree, CERTIFICATE), bytes_of(tree, KEY), now=tree.now)
    tree.leaf(RIGHT, ca=below, key=genpkey("EC", curve="P-256"))
    assert tree.faults() == [("unknown-authority", CERTIFICATE)]
    tree.put(CERTIFICATE, bytes_of(tree, CERTIFICATE) + below.bundle)
    assert tree.faults() == []


def test_the_docs_ca_keeps_its_warning(plant: Callable[..., Tree],
                                       rsa_authority: Authority) -> None:
    """A CA without keyUsage is no error for Kubernetes, and a warning for strict verification, at
    the CA."""
    finding, = plant(rsa_authority).check()
    assert (finding.cause, finding.severity, finding.path,
            finding.row) == ("strict-refused", "warning", CA, "ca")
    assert "key usage" in finding.message


def test_a_version_1_ca_is_a_root_for_go(plant: Callable[..., Tree]) -> None:
    """A root without any extension is no error."""
    key = genpkey("EC", curve="P-256")
    tree = plant()
    certificate = req_x509(key, config="[req]\n", subject="/CN=old", days=3650, now=tree.now)
    old = load_authority(pem.dump_certificate(certificate), pem.dump_key(key), now=tree.now)
    assert [item.cause for item in plant(old).check() if item.severity == "error"] == []


@pytest.mark.parametrize("name", [CA, CERTIFICATE, KEY, KUBECONFIG])
@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_make_check_raise(tree: Tree, name: str, data: st.DataObject) -> None:
    """Whatever a file holds, random or nearly right, is a finding or nothing, never an
    exception."""
    right = bytes_of(tree, name)
    try:
        if data.draw(st.booleans()):
            bad = data.draw(st.binary(max_size=200))
        else:
            at, value = data.draw(st.integers(0, len(right) - 1)), data.draw(st.integers(0, 255))
            bad = right[:at] + bytes([value]) + right[at + 1:]
        tree.put(name, bad)
        assert all(item.cause in CAUSES for item in tree.check())
    finally:
        tree.put(name, right)


@pytest.mark.parametrize("name", [CA, CERTIFICATE, KEY])
@settings(max_examples=150, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_octet_of_the_der_makes_check_raise(tree: Tree, name: str,
                                                       data: st.DataObject) -> None:
    """One octet of a certificate's or key's DER changed is a finding or nothing, never an
    exception."""
    right = bytes_of(tree, name)
    label, content = next((block.label, block.der) for block in pem.blocks(right))
    at, value = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 255))
    try:
        tree.put(name, pem.armour(content[:at] + bytes([value]) + content[at + 1:], label))
        assert all(item.cause in CAUSES for item in tree.check())
    finally:
        tree.put(name, right)
