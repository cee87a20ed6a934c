"""Certificates broken on order: kpki's check names the cause alone; openssl and Go agree."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kpki import check_path, dump_certificate, dump_key, load_certificates
from kpki.clock import utc_now
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import InputError
from kpki.kubernetes.causes import CAUSES
from kpki.kubernetes.layouts import get_layout
from kpki.kubernetes.verdict import verify_kubernetes
from kpki.testing import (
    BROKEN_CAUSES,
    NODE,
    BrokenCertificate,
    make_broken_certificate,
    make_kubernetes_pki,
)
from tests.kubernetes.verdict.golang import build, go_version, is_live
from tests.kubernetes.verdict.peer import Judge, Verdict, go_says
from tests.kubernetes.verdict.writer import Chain

PKI = make_kubernetes_pki()
# The addresses of each layout's hosts: the certificates of PKI are for loopback, and each address
# belongs to one host.
HOSTS = {
    "ssl": {"cp-1": "10.0.0.10", "worker-1": "127.0.0.1", "worker-2": "::1"},
    "kubeadm": {"cp-1": "127.0.0.1", "worker-1": "10.0.0.21"},
}
# cause → what `openssl verify` says ("" OK), for a server with its name, else for a client; what Go
# says of the same
OK, NAME = "", "hostname mismatch"
VERDICTS = {
    "unknown-authority": (
        "unable to get local issuer certificate",
        "certificate signed by unknown authority",
    ),
    "malformed-x509": ("Could not read", "malformed"),
    "missing-san-ip": ("IP address mismatch", "cannot validate certificate for 127.0.0.1"),
    "missing-san-dns": (NAME, "x509: certificate is not valid for any names"),
    "bad-pem": ("Could not read", None),
    "expired-client-cert": (
        "certificate has expired",
        "certificate has expired or is not yet valid",
    ),
    "expired-server-cert": (
        "certificate has expired",
        "certificate has expired or is not yet valid",
    ),
    "expired-ca": ("certificate has expired", "certificate has expired or is not yet valid"),
    "not-yet-valid": (
        "certificate is not yet valid",
        "certificate has expired or is not yet valid",
    ),
    "wrong-node-identity": (OK, OK),
    "hostname-case-fqdn": (OK, OK),
    "wrong-organisation": (OK, OK),
    "wrong-subject": (OK, OK),
    "wrong-eku": (
        "unsuitable certificate purpose",
        "certificate specifies an incompatible key usage",
    ),
    "key-cert-mismatch": (OK, OK),
    "encrypted-key": (OK, OK),
    "kubelet-serving-self-signed": (
        "self-signed certificate",
        "certificate signed by unknown authority",
    ),
    "etcd-peer-cert": (
        "unable to get local issuer certificate",
        "certificate signed by unknown authority",
    ),
    "front-proxy-ca": (
        "unable to get local issuer certificate",
        "certificate signed by unknown authority",
    ),
    "weak-signature-or-key": (OK, "cannot verify signature: insecure algorithm ECDSA-SHA1"),
    "chain-depth": (
        "path length constraint exceeded",
        "too many intermediates for path length constraint",
    ),
    "legacy-cn-no-san": (OK, "certificate relies on legacy Common Name field, use SANs instead"),
    "ca-not-a-ca": ("invalid CA certificate", "certificate signed by unknown authority"),
    "shared-key": (OK, OK),
    "serial-reused": (OK, OK),
    "outlives-ca": (OK, OK),
    "expiring-soon": (OK, OK),
    "strict-refused": (OK, OK),
}
SERVERS = ("apiserver", "kubelet-serving", "etcd-server")


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A workspace of each layout with the CAs and the kubelet's pair of PKI, all of it right."""
    found = {}
    for layout, hosts in HOSTS.items():
        folder = found[layout] = tmp_path_factory.mktemp(layout)
        (folder / "cluster.yaml").write_text(
            f"apiVersion: kpki/v1\nkind: Cluster\nlayout: {layout}\n"
            f"kubeletServing: {str(layout == 'kubeadm').lower()}\n"
            "apiServer: {certSANs: [localhost]}\nnodes:\n"
            + "".join(
                f"- {{name: {name}, addresses: ['{address}'], "
                f"roles: [{'control-plane, etcd' if name == 'cp-1' else ''}]}}\n"
                for name, address in hosts.items()
            )
        )
        for row, authority in PKI.authorities.items():
            path = (
                folder
                / "pki"
                / {"ca": "ca", "etcd-ca": "etcd/ca", "front-proxy-ca": "front-proxy-ca"}[row]
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".crt").write_bytes(authority.bundle)
            path.with_suffix(".key").write_bytes(dump_key(authority.key))
            path.with_suffix(".key").chmod(0o600)
        with locked(str(folder), PKI.now):
            assert [*apply(plan_of(str(folder), now=PKI.now), str(folder), now=PKI.now)]
    own = PKI.certificates["kubelet"]
    place(
        found["ssl"] / "nodes/worker-1",
        "ssl",
        BrokenCertificate(
            "", "kubelet", dump_certificate(own.certificate), dump_key(own.key), own.bundle
        ),
    )
    return found


def layout_of(broken: BrokenCertificate) -> str:
    return "kubeadm" if broken.row in ("kubelet-serving", "apiserver") else "ssl"


def place(tree: Path, layout: str, broken: BrokenCertificate) -> None:
    """Put the files of a certificate in their place of a host's tree."""
    places = get_layout(layout)
    row = places.place(broken.row)
    (tree / row.certificate).write_bytes(broken.certificate)
    (tree / row.key).write_bytes(broken.key)
    if broken.row == "kubelet":
        (tree / places.place("ca").certificate).write_bytes(broken.bundle)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge | None:
    """Go, if it is the Go whose verdicts kpki gives."""
    return (
        partial(go_says, build(tmp_path_factory.mktemp("judge"))) if is_live(go_version()) else None
    )


def test_the_list_is_whole() -> None:
    """Each cause is in the list of causes, and this file has its verdicts."""
    assert [*VERDICTS] == [*BROKEN_CAUSES] and {*BROKEN_CAUSES} <= {*CAUSES}


@pytest.mark.parametrize("cause", BROKEN_CAUSES)
def test_check_names_the_cause(cause: str, trees: dict[str, Path], tmp_path: Path) -> None:
    """In a host's tree that is right otherwise, `kpki check` finds this cause and no other."""
    broken = make_broken_certificate(cause, PKI)
    layout = layout_of(broken)
    if cause in ("shared-key", "serial-reused"):
        shutil.copytree(trees[layout], tmp_path / "w")
        place(tmp_path / "w/nodes/worker-2", layout, broken)
        found = check_path(tmp_path / "w").findings
    else:
        host = broken.node if broken.row in ("kubelet", "kubelet-serving") else "cp-1"
        shutil.copytree(trees[layout] / "nodes" / host, tmp_path / "host")
        assert check_path(tmp_path / "host", node=host).findings == []
        place(tmp_path / "host", layout, broken)
        found = check_path(tmp_path / "host", node=host).findings
    assert {finding.cause for finding in found} == {cause}


@pytest.mark.parametrize("cause", BROKEN_CAUSES)
def test_openssl_says(cause: str, tmp_path: Path) -> None:
    """`openssl verify` refuses with these words, or accepts."""
    broken = make_broken_certificate(cause, PKI)
    (tmp_path / "ca.pem").write_bytes(broken.bundle)
    (tmp_path / "leaf.pem").write_bytes(broken.certificate)
    asked = (
        ["-purpose", "sslserver", *named(broken, "-verify_hostname", "-verify_ip")]
        if broken.row in SERVERS
        else ["-purpose", "sslclient"]
    )
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", "ca.pem", "-untrusted", "leaf.pem", *asked, "leaf.pem"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    wanted = VERDICTS[cause][0]
    assert (done.returncode == 0) == (wanted == OK) and wanted in done.stderr, done.stderr


def named(broken: BrokenCertificate, host: str, address: str) -> list[str]:
    return [address, "127.0.0.1"] if broken.cause == "missing-san-ip" else [host, "localhost"]


@pytest.mark.parametrize(
    "cause", [cause for cause, (_, words) in VERDICTS.items() if words is not None]
)
def test_go_says(cause: str, judge: Judge | None) -> None:
    """Go, and kpki in Go's place, refuse with these words, or accept."""
    broken = make_broken_certificate(cause, PKI)
    blocks = [
        ssl.PEM_cert_to_DER_cert(f"-----BEGIN{part}")
        for part in broken.certificate.decode().split("-----BEGIN")[1:]
    ]
    roots = [ssl.PEM_cert_to_DER_cert(broken.bundle.decode())]
    serving = broken.row in SERVERS
    host = named(broken, "", "")[1] if serving else None
    verdict = verify_kubernetes(
        blocks[0],
        roots,
        untrusted=blocks[1:],
        purpose="sslserver" if serving else "sslclient",
        hostname=host,
    )
    verdicts = [Verdict(verdict.ok, "" if verdict.ok else verdict.reason)]
    if judge:
        verdicts += judge(
            [
                Chain(
                    blocks[0],
                    tuple(roots),
                    tuple(blocks[1:]),
                    "sslserver" if serving else "sslclient",
                    host,
                    utc_now(),
                )
            ]
        )
    wanted = VERDICTS[cause][1] or ""
    assert all(said.ok == (wanted == OK) and wanted in said.reason for said in verdicts), verdicts


def test_the_faults_of_pairs() -> None:
    """OpenSSL loads no pair that does not match, and no key with a passphrase; others it loads."""
    for cause in ("key-cert-mismatch", "encrypted-key", "bad-pem", "malformed-x509"):
        context: Callable[[], ssl.SSLContext]
        for context in (
            make_broken_certificate(cause, PKI).client_context,
            make_broken_certificate(cause, PKI).server_context,
        ):
            with pytest.raises(ssl.SSLError):
                context()
    assert make_broken_certificate("expired-client-cert", PKI).client_context().get_ca_certs()


def test_what_no_certificate_can_have() -> None:
    """The cause of a file, a server or a log is refused; without a cluster a new one is made."""
    for cause in ("key-exposed", "stale-served", "clock-skew", ""):
        with pytest.raises(InputError, match="no certificate can have the cause"):
            make_broken_certificate(cause, PKI)
    alone = make_broken_certificate("wrong-node-identity")
    assert (
        load_certificates(alone.bundle) != [PKI.ca.certificate]
        and alone.node == NODE
        and "PRIVATE" not in repr(alone)
    )
