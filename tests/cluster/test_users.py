"""One kubeconfig: for any user, for a row of the cluster, with a new pair or with files that are
there."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from kpki import pem
from kpki.cluster.authority import Authority, load_authority
from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.node.example import example_authority
from kpki.cluster.users import (
    ROW_NAMES,
    Account,
    Answer,
    KubeconfigOrder,
    cluster_server,
    given_kubeconfig,
    issued_kubeconfig,
    kubeconfig_of,
    row_account,
    user_account,
    user_kubeconfig,
    write_kubeconfig,
)
from kpki.cluster.workspace import authority_paths
from kpki.errors import InputError, KpkiError, RefusedError
from kpki.kubernetes import reading
from kpki.kubernetes.kubeconfig import Kubeconfig, Material, load_kubeconfig
from kpki.stages.certificates import x509_req
from kpki.stages.keys import genpkey
from kpki.stages.requests import req_new

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = timedelta(days=365)
SERVER = "https://10.0.0.10:6443"
DESCRIPTION = """
apiVersion: kpki/v1
kind: Cluster
clusterName: blue
layout: {layout}
{more}
nodes:
- {{name: worker-1, addresses: [10.0.0.21]}}
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}}
"""


def described(layout: str = "kubeadm",
              more: str = "controlPlaneEndpoint: api.example.internal:6443") -> Cluster:
    return load_cluster(DESCRIPTION.format(layout=layout, more=more))


@pytest.fixture(scope="session")
def ca() -> Authority:
    return load_authority(*example_authority(NOW), now=NOW)


def embedded(document: bytes) -> tuple[Kubeconfig, x509.Certificate]:
    """What a kubeconfig says, and its certificate, after a look at the pair."""
    config = load_kubeconfig(document)
    certificate = x509.load_pem_x509_certificate(config.certificate.data or b"")
    assert certificate.public_key() == pem.load_key(config.key.data or b"").public_key()
    return config, certificate


def test_a_user_gets_a_client_pair(ca: Authority) -> None:
    """CN is the user, each O a group, the usage a client's alone; names as kubeadm has them, all
    embedded."""
    warnings = list[str]()
    config, certificate = embedded(user_kubeconfig(
        ca, user="alice", groups=("dev", "ops", "dev"), server=SERVER, cluster_name="blue",
        validity=YEAR, now=NOW, warnings=warnings))
    assert (config.cluster_name, config.user_name, config.context_name,
            config.server) == ("blue", "alice", "alice@blue", SERVER)
    assert config.authority.data == ca.bundle and warnings == []
    assert reading.certificate_subject(certificate) == reading.Subject("alice", ("dev", "ops"))
    assert [*certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] \
        == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert reading.names_of(reading.extensions_of(certificate)) is None
    assert certificate.not_valid_after_utc == NOW + YEAR
    certificate.verify_directly_issued_by(ca.certificate)


def test_a_users_key_is_the_cas_kind_unless_said(ca: Authority) -> None:
    """A user's key has the CA's algorithm, unless another is asked for."""
    for algorithm, kind in ((None, ec.EllipticCurvePublicKey), ("RSA-2048", rsa.RSAPublicKey)):
        document = user_kubeconfig(ca, user="alice", server=SERVER, cluster_name="blue",
                                   validity=YEAR, algorithm=algorithm, now=NOW, warnings=[])
        assert isinstance(embedded(document)[1].public_key(), kind)


def test_masters_are_made_with_a_warning(ca: Authority) -> None:
    """A certificate of the group system:masters is made, with a warning that says what the group
    may do."""
    warnings = list[str]()
    _, certificate = embedded(user_kubeconfig(ca, user="root", groups=("system:masters",),
                                              server=SERVER, now=NOW, cluster_name="blue",
                                              validity=YEAR, warnings=warnings))
    assert reading.certificate_subject(certificate).groups == ("system:masters",)
    assert (len(warnings) == 1 and "bypasses authorization" in warnings[0]
            and "cannot be revoked" in warnings[0])


def test_no_user_outlives_the_ca(ca: Authority) -> None:
    """More days than the CA has left are cut to its end, with a warning."""
    warnings = list[str]()
    _, certificate = embedded(user_kubeconfig(ca, user="alice", server=SERVER, cluster_name="blue",
                                              now=NOW, validity=timedelta.max, warnings=warnings))
    assert certificate.not_valid_after_utc == ca.certificate.not_valid_after_utc
    assert len(warnings) == 1 and "cut to the end of the CA" in warnings[0]


@pytest.mark.parametrize("name", ["a", "a" * 64, "a@example.com", "a b", "/CN=root",
                                  "system:serviceaccount:x:y", "{node}"])
def test_what_can_be_a_name_is_one(ca: Authority, name: str) -> None:
    """Up to 64 printable characters of ASCII; none of them means anything but itself."""
    _, certificate = embedded(user_kubeconfig(ca, user=name, groups=(name,), server=SERVER,
                                              cluster_name="blue", validity=YEAR, now=NOW,
                                              warnings=[]))
    assert reading.certificate_subject(certificate) == reading.Subject(name, (name,))


@pytest.mark.parametrize(("name", "words"), [
    ("", "cannot be empty"), ("a" * 65, "has 65 characters, over the 64"),
    ("a\nb", "the character U+000A"), ("a\0", "the character U+0000"),
    ("a\u202e", "the character U+202E"), ("a\udcff", "the character U+DCFF"),
    ("zoë", "the character U+00EB")])
def test_what_can_be_no_name_is_refused(name: str, words: str) -> None:
    """Empty, too long for a CN or an O, or with another character than printable ASCII."""
    for user, groups in ((name, ()), ("alice", (name,))):
        with pytest.raises(InputError) as refused:
            user_account(user, groups, server=SERVER, cluster_name="blue")
        assert words in str(refused.value) and ("group" if groups else "user") in str(refused.value)


def test_a_users_server_is_a_url() -> None:
    """What is no API server's URL is refused before anything is made."""
    with pytest.raises(InputError, match="no API server's URL"):
        user_account("alice", server="10.0.0.10", cluster_name="blue")


# Rows of the cluster

ENDPOINT = "https://api.example.internal:6443"
ROWS = [
    ("kubeadm", "admin", None, "users/admin.conf", "kubernetes-admin", ("kubeadm:cluster-admins",),
     ENDPOINT),
    ("kubeadm", "admin", "cp-2", "nodes/cp-2/etc/kubernetes/admin.conf", "kubernetes-admin",
     ("kubeadm:cluster-admins",), ENDPOINT),
    ("kubeadm", "super-admin", None, "nodes/cp-1/etc/kubernetes/super-admin.conf",
     "kubernetes-super-admin", ("system:masters",), ENDPOINT),
    ("kubeadm", "kube-scheduler", "cp-2", "nodes/cp-2/etc/kubernetes/scheduler.conf",
     "system:kube-scheduler", (), "https://10.0.0.11:6443"),
    ("kubeadm", "kube-controller-manager", None,
     "nodes/cp-1/etc/kubernetes/controller-manager.conf", "system:kube-controller-manager", (),
     SERVER),
    ("kubeadm", "kubelet", "worker-1", "nodes/worker-1/etc/kubernetes/kubelet.conf",
     "system:node:worker-1", ("system:nodes",), ENDPOINT),
    ("kubeadm", "kubelet-client", "worker-1", "nodes/worker-1/etc/kubernetes/kubelet.conf",
     "system:node:worker-1", ("system:nodes",), ENDPOINT),
    ("ssl", "kubelet", "worker-1", "nodes/worker-1/etc/kubernetes/worker-kubeconfig.yaml",
     "system:node:worker-1", ("system:nodes",), ENDPOINT),
    ("ssl", "admin", None, "users/admin.conf", "kubernetes-admin", ("system:masters",), ENDPOINT),
    ("hard-way", "kube-proxy", None, "nodes/worker-1/var/lib/kube-proxy/kubeconfig",
     "system:kube-proxy", ("system:node-proxier",), ENDPOINT),
    ("hard-way", "kubelet", "cp-1", "nodes/cp-1/var/lib/kubelet/kubeconfig", "system:node:cp-1",
     ("system:nodes",), ENDPOINT),
]


@pytest.mark.parametrize(("layout", "name", "node", "path", "user", "groups", "server"), ROWS)
def test_a_row_is_what_the_description_says(ca: Authority, layout: str, name: str, node: str | None,
                                            path: str, user: str, groups: tuple[str, ...],
                                            server: str) -> None:
    """CN, O, server and place follow layout and description; the certificate made for it says the
    same."""
    account = row_account(described(layout), name, node)
    assert (account.path, account.names.server) == (path, server)
    document = issued_kubeconfig(ca, account, validity=YEAR, algorithm=None, now=NOW, warnings=[])
    config, certificate = embedded(document)
    assert reading.certificate_subject(certificate) == reading.Subject(user, groups)
    assert (config.cluster_name, config.server) == ("blue", server)


def test_the_names_are_the_layouts() -> None:
    """Context and user are called as the layout calls them."""
    for layout, user, context in (("kubeadm", "system:node:worker-1", "system:node:worker-1@blue"),
                                  ("ssl", "kubelet", "kubelet-context"),
                                  ("hard-way", "system:node:worker-1", "default")):
        names = row_account(described(layout), "kubelet", "worker-1").names
        assert (names.user_name, names.context_name) == (user, context)


@pytest.mark.parametrize(("layout", "name", "node", "words"), [
    ("kubeadm", "kubelet", None, "no node is named"), ("ssl", "kubelet", None, "no node is named"),
    ("kubeadm", "kube-proxy", None, "layout kubeadm has no kubeconfig for kube-proxy"),
    ("ssl", "super-admin", None, "layout ssl has no kubeconfig for super-admin"),
    ("kubeadm", "super-admin", "cp-2", "cp-2 holds no kubeconfig for super-admin"),
    ("kubeadm", "admin", "worker-1", "worker-1 holds no kubeconfig for admin"),
    ("kubeadm", "admin", "worker-9", "there is no node 'worker-9'")])
def test_a_row_that_is_not_there_is_refused(layout: str, name: str, node: str | None,
                                            words: str) -> None:
    """A layout without it, a host without it, no such host, and a kubelet of no host."""
    with pytest.raises(InputError) as refused:
        row_account(described(layout), name, node)
    assert words in str(refused.value) and refused.value.hint


def test_without_a_control_plane_its_rows_are_nobodys() -> None:
    """A description of workers alone has neither administrator nor scheduler; where the cluster is
    it still says."""
    workers = load_cluster("""
apiVersion: kpki/v1
kind: Cluster
controlPlaneEndpoint: api.example.internal
etcd: {external: {caFile: /a, certFile: /b, keyFile: /c}}
nodes: [{name: worker-1, addresses: [10.0.0.21]}]
""")
    assert cluster_server(workers) == ENDPOINT
    for name in ("admin", "kube-scheduler"):
        with pytest.raises(InputError, match=f"no node holds a kubeconfig for {name}"):
            row_account(workers, name)


def test_the_rows_are_the_tables() -> None:
    """What has a kubeconfig in some layout is a row's name, and kubelet in all of them."""
    assert {"admin", "super-admin", "kube-controller-manager", "kube-scheduler", "kube-proxy",
            "kubelet", "kubelet-client"} == ROW_NAMES


def test_people_reach_the_endpoint() -> None:
    """The endpoint, else the first control-plane host."""
    assert cluster_server(described()) == ENDPOINT
    assert cluster_server(described(more="")) == SERVER


def test_the_ca_is_the_descriptions_or_the_workspaces() -> None:
    """A given CA's files as the description has them, from the workspace's folder on; else those
    under pki."""
    assert authority_paths(described(), "w") == ("w/pki/ca.crt", "w/pki/ca.key")
    assert authority_paths(described(), "") == ("pki/ca.crt", "pki/ca.key")
    given = "certificateAuthorities: {{kubernetes: {{certificate: {}}}}}"
    assert authority_paths(described(more=given.format("/x/ca.pem, key: ca-key.pem")), "w") \
        == ("/x/ca.pem", "w/ca-key.pem")
    assert authority_paths(described(more=given.format("/x/ca.pem")), "w") == ("/x/ca.pem", None)


# Files that are there

@dataclass(frozen=True)
class Pair:
    ca: bytes
    certificate: bytes
    key: bytes


@pytest.fixture(scope="session")
def make_pair(ca: Authority) -> Callable[..., Pair]:
    """A pair that the CA, or another, signed."""
    def make(*, subject: str = "/O=dev/CN=alice", usage: str = "clientAuth", signer: Authority = ca,
             ago: timedelta = timedelta(0), days: int = 365, curve: str = "P-256") -> Pair:
        key = genpkey("EC", curve=curve)
        certificate = x509_req(req_new(key, config="", subject=subject), signer.certificate,
                               signer.key, days=days, extfile=f"extendedKeyUsage = {usage}\n",
                               now=NOW - ago)
        return Pair(ca.bundle, pem.dump_certificate(certificate), pem.dump_key(key))
    return make


ALICE = user_account("alice", ("dev",), server=SERVER, cluster_name="blue")


def given_document(pair: Pair, *, embed: bool = False, account: Account = ALICE,
                   warnings: list[str] | None = None,
                   names: tuple[str, str, str] = ("/ca.pem", "/a.pem", "/a.key")) -> bytes:
    return given_kubeconfig(account, ca=(names[0], pair.ca),
                            certificate=(names[1], pair.certificate), key=(names[2], pair.key),
                            folder=None if embed else "/", now=NOW,
                            warnings=[] if warnings is None else warnings)


def test_files_are_named_or_put_in(make_pair: Callable[..., Pair]) -> None:
    """By their paths as given, or byte for byte; no word of warning for whose they are."""
    pair, warnings = make_pair(), list[str]()
    named, within = (load_kubeconfig(given_document(pair, embed=embed, warnings=warnings))
                     for embed in (False, True))
    assert (named.authority, named.certificate,
            named.key) == (Material("/ca.pem"), Material("/a.pem"), Material("/a.key"))
    assert (within.authority.data, within.certificate.data,
            within.key.data) == (pair.ca, pair.certificate, pair.key)
    assert warnings == [] and named.user_name == within.user_name == "alice"


def test_a_relative_path_starts_at_the_folder(make_pair: Callable[..., Pair]) -> None:
    """What is named is an absolute path, for a kubeconfig may be moved; messages say it as it was
    given."""
    pair = make_pair()
    config = load_kubeconfig(
        given_kubeconfig(ALICE, ca=("../ca.pem", pair.ca), certificate=("a.pem", pair.certificate),
                         key=("/k/a.key", pair.key), folder="/w/x", now=NOW, warnings=[]))
    assert [config.authority.path, config.certificate.path,
            config.key.path] == ["/w/ca.pem", "/w/x/a.pem", "/k/a.key"]


def test_a_bundle_with_the_signer_in_it_is_a_ca(make_pair: Callable[..., Pair]) -> None:
    """Of several CAs one is the signer."""
    pair, other = make_pair(), example_authority(NOW)[0]
    assert load_kubeconfig(given_document(Pair(other + pair.ca, pair.certificate, pair.key)))


def test_whose_certificate_it_is_is_said(make_pair: Callable[..., Pair]) -> None:
    """Another CN, a group that is missing, system:masters: warnings, for the API server goes by the
    certificate."""
    for subject, words in (
            ("/O=dev/CN=bob", "the API server sees user 'bob' in 'dev', not 'alice' in 'dev'"),
            ("/CN=alice", "the API server sees user 'alice' in no group, not 'alice' in 'dev'"),
            ("/O=dev/O=system:masters/CN=alice", "bypasses authorization")):
        warnings = list[str]()
        given_document(make_pair(subject=subject), warnings=warnings)
        assert len(warnings) == 1 and words in warnings[0]


def refusal(pair: Pair, kind: type[KpkiError] = RefusedError) -> str:
    for embed in (False, True):
        with pytest.raises(kind) as refused:
            given_document(pair, embed=embed)
    return str(refused.value)


def test_what_the_api_server_would_not_take_is_refused(ca: Authority,
                                                       make_pair: Callable[..., Pair]) -> None:
    """No pair, another CA of the same name, an ended or a server's certificate, a key that
    Kubernetes cannot use."""
    pair, other = make_pair(), load_authority(*example_authority(NOW), now=NOW)
    assert other.certificate.subject == ca.certificate.subject
    assert refusal(Pair(pair.ca, pair.certificate, make_pair().key)) \
        == "/a.pem and /a.key are no pair: the certificate is for another key"
    assert (refusal(make_pair(signer=other)) == "/a.pem: not signed by the CA in /ca.pem (hint: "
            "the API server accepts clients of its own CA only)")
    assert refusal(make_pair(ago=YEAR,
                             days=1)).startswith("/a.pem: valid from 2025-01-02T03:04:05Z to")
    assert refusal(make_pair(ago=-YEAR)).startswith("/a.pem: valid from 2027-01-02T03:04:05Z to")
    assert refusal(make_pair(usage="serverAuth")) \
        == "/a.pem: not a client's certificate: the extendedKeyUsage lacks clientAuth"
    assert refusal(make_pair(curve="P-224")).startswith("/a.key: key is on the curve secp224r1")
    assert refusal(make_pair(curve="secp256k1")).startswith(
        "/a.pem: no component can read a certificate of this file: x509: unsupported elliptic "
        "curve (")


def test_what_cannot_be_read_is_named(make_pair: Callable[..., Pair]) -> None:
    """A CA that is none, an empty certificate, a key that is none or encrypted: the file's name
    comes first."""
    pair = make_pair()
    encrypted = pem.dump_key(pem.load_key(pair.key), passphrase=b"secret")
    for broken, words in (
            (Pair(pair.certificate, pair.certificate, pair.key),
             "/ca.pem: the certificate is not a CA"),
            (Pair(pair.ca, b"", pair.key), "/a.pem: no certificate found"),
            (Pair(pair.ca, pair.certificate, pair.certificate), "/a.key: no private key found"),
            (Pair(pair.ca, pair.certificate, encrypted), "/a.key: the private key is encrypted")):
        assert refusal(broken, InputError).startswith(words)


def test_a_file_that_cannot_be_named_is_put_in(make_pair: Callable[..., Pair]) -> None:
    """A path with what cannot be seen is refused, and the file itself is not."""
    pair, names = make_pair(), ("/ca.pem", "/a\udcff.pem", "/a.key")
    with pytest.raises(InputError, match="cannot name a file"):
        given_document(pair, names=names)
    assert load_kubeconfig(given_document(pair, names=names,
                                          embed=True)).certificate.data == pair.certificate


def order_of(folder: Path, order: KubeconfigOrder) -> Answer:
    return kubeconfig_of(order, passphrase=lambda _: None, now=NOW, host_name="h", here=str(folder),
                         warnings=[])


def test_an_order_says_how_its_answer_came_about(tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """A new pair has its CA in the answer; for a pair that is there the three files are named."""
    monkeypatch.chdir(tmp_path)
    for path, data in zip(("ca.pem", "ca-key.pem"), example_authority(NOW), strict=True):
        (tmp_path / path).write_bytes(data)
    order = KubeconfigOrder(user="alice", server="https://10.0.0.10:6443", ca="ca.pem",
                            ca_key="ca-key.pem")
    issued = order_of(tmp_path, order)
    assert issued.authority is not None and issued.paths == ("ca.pem", "ca-key.pem")
    held = load_kubeconfig(issued.document)
    (tmp_path / "a.pem").write_bytes(held.certificate.data or b"")
    (tmp_path / "a-key.pem").write_bytes(held.key.data or b"")
    given = order_of(tmp_path, replace(order, certificate="a.pem", key="a-key.pem"))
    assert (given.authority, given.paths) == (None, ("ca.pem", "a.pem", "a-key.pem"))
    assert load_kubeconfig(given.document).key.path == str(tmp_path / "a-key.pem")
    with pytest.raises(InputError, match="a pair is a certificate and its key"):
        order_of(tmp_path, replace(order, certificate="a.pem"))


def test_a_kubeconfig_is_written_once(tmp_path: Path) -> None:
    """The same document stays, an open mode is closed, and another document is not lost."""
    path = tmp_path / "alice.conf"
    assert (write_kubeconfig(str(path), b"x", warnings=[]) == "create"
            and path.stat().st_mode & 0o777 == 0o600)
    assert write_kubeconfig(str(path), b"x", warnings=[]) == "keep"
    path.chmod(0o644)
    assert (write_kubeconfig(str(path), b"x", warnings=[]) == "replace"
            and path.stat().st_mode & 0o777 == 0o600)
    with pytest.raises(InputError, match="is not overwritten"):
        write_kubeconfig(str(path), b"y", warnings=[])
    assert path.read_bytes() == b"x"
