"""A fault is named once, at its root, where much follows from it; the remedies, as printed and in
order, mend it."""
from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import AuthorityKeyIdentifier, Certificate, SubjectKeyIdentifier

from kpki import pem
from kpki.cli.main import main
from kpki.cluster.authority import Authority
from tests.cluster.check.matrix import mutations as do
from tests.cluster.check.matrix.mutations import Fault, Mutation, Trial
from tests.cluster.check.matrix.trees import Tree

Bench = Any     # the conftest's, which has no importable name of its own
Benches = Callable[[Trial], Bench]
Findings = list[dict[str, Any]]
Check = Callable[..., Findings]
PKI, MANIFESTS, ETCD_SSL = "etc/kubernetes/pki", "etc/kubernetes/manifests", "etc/ssl/etcd/ssl"


def a_tree(bench: Benches, layout: str = "kubeadm", situation: str = "ca-host") -> Bench:
    """A healthy tree with EC keys."""
    return bench(Trial(Fault("", "", lambda tree: None, "", ""), layout, "EC", situation))


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """`kpki check`: the findings with all that they say, or the words where it could not be
    done."""
    def run(*words: str, refused: bool = False) -> Findings:
        capsys.readouterr()
        status = main(["check", *words, "--json"])
        told = capsys.readouterr()
        if refused:
            assert status == 2 and not told.out
            return [{"message": told.err}]
        found: Findings = json.loads(told.out)["findings"]
        assert status == any(item["severity"] == "error" for item in found)
        return found
    return run


# A control-plane host's tree

@dataclass(frozen=True)
class Root:
    """One row: what is done to a kubeadm host's tree, and the causes and paths that are told of
    it."""

    name: str
    mutate: Mutation
    found: tuple[tuple[str, str], ...]


def put(path: str, data: bytes, mode: int = 0o644) -> Mutation:
    def mutate(tree: Tree) -> None:
        place = tree.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(mode)
    return mutate


def copy(source: str, target: str, mode: int = 0o600) -> Mutation:
    """A copy at a path that is no row's."""
    def mutate(tree: Tree) -> None:
        put(target, (tree.root / source).read_bytes(), mode)(tree)
    return mutate


def told(component: str, flag: str, path: str) -> Mutation:
    """A manifest that names another file."""
    def mutate(tree: Tree) -> None:
        place = tree.root / MANIFESTS / f"{component}.yaml"
        lines = [f"    - --{flag}=/{path}" if f"--{flag}=" in line else line
                 for line in place.read_text().splitlines()]
        assert f"    - --{flag}=/{path}" in lines
        place.write_text("\n".join(lines))
    return mutate


SERVED = do.each(copy(f"{PKI}/apiserver.crt", "srv/api.crt"),
                 copy(f"{PKI}/apiserver.key", "srv/api.key"),
                 told("kube-apiserver", "tls-cert-file", "srv/api.crt"),
                 told("kube-apiserver", "tls-private-key-file", "srv/api.key"))
KUBECONFIGS = tuple(f"etc/kubernetes/{name}.conf"
                    for name in ("controller-manager", "scheduler", "kubelet"))
ROWS = (
    Root("kubelet.conf.bak", copy("etc/kubernetes/kubelet.conf", "etc/kubernetes/kubelet.conf.bak",
                                  0o644), (("key-exposed", "etc/kubernetes/kubelet.conf.bak"),)),
    Root("CA and kubeconfigs gone",
         do.gone("ca", "kubelet:kubeconfig", "kube-controller-manager:kubeconfig",
                 "kube-scheduler:kubeconfig"),
         (("file-missing", f"{PKI}/ca.crt"),
          *(("file-missing", kubeconfig) for kubeconfig in KUBECONFIGS))),
    Root("manifest names no certificate", told("kube-apiserver", "tls-cert-file", "srv/api.crt"),
         (("file-missing", "srv/api.crt"),)),
    Root("manifest names no peer", told("etcd", "peer-cert-file", "srv/peer.crt"),
         (("file-missing", "srv/peer.crt"),)),
    Root("manifest's certificate is empty", do.each(SERVED, put("srv/api.crt", b"")),
         (("bad-pem", "srv/api.crt"),)),
    Root("manifest's key is another's",
         do.each(SERVED, copy(f"{PKI}/apiserver-kubelet-client.key", "srv/api.key")),
         (("key-cert-mismatch", "srv/api.key"),)),
)


@pytest.mark.parametrize("row", ROWS, ids=[row.name.replace(" ", "-") for row in ROWS])
def test_a_root_is_named_once(bench: Benches, row: Root) -> None:
    """Only the root of several faults is found; the remedies, run in order, repair all of them."""
    run = a_tree(bench)
    row.mutate(run.tree)
    status, found, remedies = run.findings()
    assert [(cause, path) for cause, _, _, path in found] == [*row.found] and status == 1
    run.mend(remedies)
    assert run.findings()[:2] == (0, [])


def test_what_a_manifest_names_and_is_there_is_right(bench: Benches) -> None:
    """A pair at a place of one's own is as good as at the layout's."""
    run = a_tree(bench)
    SERVED(run.tree)
    assert run.findings() == (0, [], [])


def test_what_two_components_are_told_differently_is_each_ones_own(bench: Benches) -> None:
    """The API server's clients have a file of their CA beside the cluster's: both are right, and
    what is lost comes back to its place."""
    run, ca = a_tree(bench), f"{PKI}/clients.crt"
    do.each(copy(f"{PKI}/ca.crt", ca), told("kube-apiserver", "client-ca-file", ca))(run.tree)
    assert run.findings() == (0, [], [])
    (run.tree.root / PKI / "apiserver.crt").unlink()
    _, found, remedies = run.findings()
    assert [(cause, path)
            for cause, _, _, path in found] == [("file-missing", f"{PKI}/apiserver.crt")]
    run.mend(remedies)
    assert run.findings() == (0, [], [])


@pytest.mark.parametrize(("component", "flag", "row"), [
    ("kube-apiserver", "tls-cert-file", "apiserver"), ("etcd", "peer-cert-file", "etcd-peer"),
    ("etcd", "cert-file", "etcd-server")])
def test_a_file_that_a_manifest_names_is_that_components(
        bench: Benches, check: Check, component: str, flag: str, row: str) -> None:
    """What is missing has the row of the component's own flag; its remedy makes a certificate
    there."""
    run = a_tree(bench)
    told(component, flag, "srv/x.crt")(run.tree)
    found, = check("host", "--node", "cp-1")
    assert (found["row"], found["path"]) == (row, "srv/x.crt")
    assert (f"--{flag}" in found["message"]
            and found["remedy"][-1] == "cp srv-x.new.crt host/srv/x.crt")


def test_a_host_is_touched_once_its_new_pair_is_there(bench: Benches, check: Check) -> None:
    """Key, request and certificate are made aside; only then are they put in place, each beside a
    copy of the old."""
    run = a_tree(bench)
    do.each(SERVED, copy(f"{PKI}/apiserver-kubelet-client.key", "srv/api.key"))(run.tree)
    remedy = check("host", "--node", "cp-1")[0]["remedy"]
    signed = [line.startswith("kpki x509 ") for line in remedy].index(True)
    assert not any("-out host/" in line or not line.startswith("kpki ")
                   for line in remedy[:signed + 1])
    assert remedy[signed + 1:] == [
        "cp -p host/srv/api.crt host/srv/api.crt.aside", "cp srv-api.new.crt host/srv/api.crt",
        "chmod 600 host/srv/api.key",
        "cp -p host/srv/api.key host/srv/api.key.aside", "cp srv-api.new.key host/srv/api.key"]


def test_a_signing_key_in_the_public_keys_place_is_right_where_it_is_closed(bench: Benches) -> None:
    """kube-apiserver takes the private key for its public half; nobody else can read it with mode
    0600."""
    run = a_tree(bench)
    do.each(do.copied("service-accounts:key",
                      "service-accounts"), do.mode("service-accounts", 0o600))(run.tree)
    assert run.findings() == (0, [], [])


@pytest.mark.parametrize(("layout", "mutate", "path", "words", "not_said"), [
    ("hard-way", do.copied("kubelet:key", "kubelet"), "var/lib/kubelet/kubelet.crt",
     "holds a private key", "swapped"),
    ("hard-way", do.swapped("kubelet"), "var/lib/kubelet/kubelet.crt",
     "certificate and key are swapped", "kubeconfig"),
    ("kubeadm", do.put("apiserver", key=do.encrypted("pkcs8")), f"{PKI}/apiserver.key",
     "is encrypted", "kubelet"),
    ("hard-way", do.fifo("kubelet"), "var/lib/kubelet/kubelet.crt", "a FIFO, a socket or a device",
     "a other"),
    ("hard-way", do.folder("kubelet"), "var/lib/kubelet/kubelet.crt",
     "no regular file but a folder", "FIFO"),
    ("kubeadm", do.copied("ca", "front-proxy-ca"), f"{PKI}/front-proxy-ca.crt",
     "the front proxy's CA", "the cluster's CA"),
], ids=["key-over-certificate", "swapped", "encrypted", "fifo", "folder", "front-proxy"])
def test_the_message_says_what_is_so(bench: Benches, check: Check, layout: str, mutate: Mutation,
                                     path: str, words: str, not_said: str) -> None:
    """It speaks of what is there, and of nothing that has no part in it."""
    run = a_tree(bench, layout)
    mutate(run.tree)
    found, = check("host", "--node", "cp-1")
    assert found["path"] == path and words in found["message"] and not_said not in found["message"]


@pytest.mark.parametrize("name", ["admin", "scheduler"])
@pytest.mark.parametrize(
    "means", ["token: sesame", "exec: {apiVersion: client.authentication.k8s.io/v1, command: x}"],
    ids=["token", "exec"])
def test_a_user_may_have_other_means(bench: Benches, check: Check, name: str, means: str) -> None:
    """A kubeconfig with a token or a program to ask is right, the kubelet's as well; one without
    anything is not."""
    run = a_tree(bench)
    for which, said, wanted in ((name, means, []), ("kubelet", means, []),
                                ("kubelet", "",
                                 [("kubeconfig-broken", "etc/kubernetes/kubelet.conf")])):
        path = run.tree.root / f"etc/kubernetes/{which}.conf"
        lines = [line.replace(means, said or "impersonate: x")
                 for line in path.read_text().splitlines()
                 if "client-key-data" not in line]
        path.write_text("\n".join(f"    {said}" if "client-certificate-data" in line else line
                                  for line in lines))
        found = check("host", "--node", "cp-1")
        assert [(item["cause"], item["path"].partition("#")[0]) for item in found] == wanted


def test_the_key_of_another_ca_is_refused_at_once(bench: Benches, check: Check) -> None:
    """--ca and --ca-key are the two halves of one CA, whether or not anything is wrong with the
    tree."""
    a_tree(bench, "ssl", "given")
    assert check("host", "--node", "worker-1", "--ca", "ca/ca.crt", "--ca-key", "ca/ca.key") == []
    key = "host/etc/kubernetes/ssl/worker-key.pem"
    refused, = check("host", "--node", "worker-1", "--ca", "ca/ca.crt", "--ca-key", key,
                     refused=True)
    assert f"{key}: not the key of ca/ca.crt" in refused["message"]


# Files at another installer's places

def member(name: str) -> str:
    return f"{ETCD_SSL}/{name}.pem"


def kubesprays(tree: Tree) -> None:
    """etcd's files where kubespray has them, and nowhere else; etcd is a service of the host's."""
    for source, target in (("etcd/ca", "ca"), ("etcd/server", "member-cp-1"),
                           ("apiserver-etcd-client", "node-cp-1")):
        copy(f"{PKI}/{source}.crt", member(target))(tree)
        copy(f"{PKI}/{source}.key", member(f"{target}-key"))(tree)
    do.gone("apiserver-etcd-client", "apiserver-etcd-client:key")(tree)
    shutil.rmtree(tree.root / PKI / "etcd")
    (tree.root / MANIFESTS / "etcd.yaml").unlink()
    for flag, name in (("etcd-cafile", "ca"), ("etcd-certfile", "node-cp-1"),
                       ("etcd-keyfile", "node-cp-1-key")):
        told("kube-apiserver", flag, member(name))(tree)


def in_ssl(tree: Tree) -> None:
    """kubeadm's files where its certificatesDir is /etc/kubernetes/ssl."""
    ssl, words = "etc/kubernetes/ssl", f"/{PKI}/"
    (tree.root / PKI).rename(tree.root / ssl)
    for path in (*(tree.root / MANIFESTS).iterdir(), tree.root / "var/lib/kubelet/config.yaml"):
        path.write_text(path.read_text().replace(words, f"/{ssl}/"))


@pytest.mark.parametrize("move", [kubesprays, in_ssl])
def test_another_installers_places_are_right(bench: Benches, move: Mutation) -> None:
    """A file has no fault at the path that a setting names, nor at kubespray's path."""
    run = a_tree(bench)
    move(run.tree)
    assert run.findings() == (0, [], [])


@pytest.mark.parametrize(("move", "spoil", "cause", "path"), [
    (kubesprays, put(member("member-cp-1"), b""), "bad-pem", member("member-cp-1")),
    (kubesprays, put(member("node-cp-1"), b""), "bad-pem", member("node-cp-1")),
    (kubesprays, copy(f"{PKI}/apiserver.key", member("member-cp-1-key")), "key-cert-mismatch",
     member("member-cp-1-key")),
    (kubesprays, copy(f"{PKI}/ca.crt", member("ca")), "unknown-authority", member("ca")),
    (in_ssl, put("etc/kubernetes/ssl/apiserver.crt", b""), "bad-pem",
     "etc/kubernetes/ssl/apiserver.crt"),
    (in_ssl, put("etc/kubernetes/ssl/ca.crt", b""), "bad-pem", "etc/kubernetes/ssl/ca.crt"),
], ids=["member", "client", "member-key", "etcd-ca", "apiserver", "ca"])
def test_another_installers_places_are_looked_at(bench: Benches, check: Check, move: Mutation,
                                                 spoil: Mutation, cause: str, path: str) -> None:
    """What is wrong there is named there, once."""
    run = a_tree(bench)
    do.each(move, spoil)(run.tree)
    assert [(found["cause"], found["path"])
            for found in check("host", "--node", "cp-1")] == [(cause, path)]


# A CA's certificate made again

CA = """
[req]
distinguished_name = dn
prompt = no
utf8 = yes
string_mask = {mask}
x509_extensions = ca
[dn]
{name}
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = {identifier}
"""


def openssl(*words: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True,
                          timeout=60).stdout


def peers_ca(folder: Path, **words: str) -> Authority:
    """A CA as another hand made it."""
    folder.mkdir()
    config, key, certificate = (folder / name for name in ("ca.cnf", "ca.key", "ca.crt"))
    config.write_text(CA.format(**words))
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-x509", "-new", "-config", config, "-key", key, "-days", "3650", "-out",
            certificate)
    data = certificate.read_bytes()
    return Authority(pem.load_certificate(data), pem.load_key(key.read_bytes()), data)


def identifiers(ca: Certificate, leaf: Certificate) -> tuple[bytes | None, bytes | None]:
    return (ca.extensions.get_extension_for_class(SubjectKeyIdentifier).value.digest,
            leaf.extensions.get_extension_for_class(AuthorityKeyIdentifier).value.key_identifier)


@pytest.mark.parametrize("identifier", ["hash", "0a:0b:0c:0d"],
                         ids=["usual-identifier", "another-identifier"])
@pytest.mark.parametrize(("mask", "name", "held"), [
    ("utf8only", "O = Müller\nCN = front-proxy-ca", "0c074dc3bc6c6c6572"),
    ("utf8only", "CN = front-proxy-ca", "0c0e66726f6e74"),
    ("default", "O = Example\nCN = front-proxy-ca", "13074578616d706c65"),
    ("MASK:0x2002", "O = Müller\nCN = front-proxy-ca", "130e66726f6e74"),
], ids=["utf8-umlaut", "utf8", "printable", "both"])
def test_a_lost_ca_is_made_again_as_its_leaves_call_it(
        bench: Benches, tmp_path: Path, mask: str, name: str, held: str, identifier: str) -> None:
    """The new CA has the old subject byte for byte, and the key identifier that the leaves name:
    openssl verifies the leaves again."""
    run, ca = a_tree(bench), peers_ca(tmp_path / "peer", mask=mask, name=name,
                                      identifier=identifier)
    assert bytes.fromhex(held) in ca.certificate.subject.public_bytes()
    leaf = run.tree.certified("front-proxy-client", signer=ca)
    run.tree.put("front-proxy-client", pem.dump_certificate(leaf))
    place = run.tree.file("front-proxy-ca")
    place.write_bytes(ca.bundle)
    run.tree.file("front-proxy-ca:key").write_bytes(pem.dump_key(ca.key, form="traditional"))
    assert run.findings() == (0, [], [])
    place.unlink()
    status, found, remedies = run.findings()
    assert (status, [(cause, path) for cause, _, _, path in found]) == (
        1, [("file-missing", f"{PKI}/front-proxy-ca.crt")])
    run.mend(remedies)
    assert run.findings() == (0, [], [])
    again = pem.load_certificate(place.read_bytes())
    issuer, subject = (openssl("x509", "-in", path, "-noout", f"-{what}", "-nameopt",
                               "dump_all,dump_der,sep_multiline")
                       for path, what in ((run.tree.file("front-proxy-client"), "issuer"),
                                          (place, "subject")))
    assert issuer.partition(b"\n")[2] == subject.partition(b"\n")[2] != b""
    assert len({*identifiers(again, leaf)}) == 1
    assert openssl("verify", "-x509_strict", "-CAfile", place,
                   run.tree.file("front-proxy-client")).endswith(b": OK\n")
