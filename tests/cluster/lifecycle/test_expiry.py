"""read_certificates: every certificate of a place once, by its end, and the text file for
node_exporter."""
from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kpki import genpkey, pem, req_new, req_x509, x509_req
from kpki.cluster.lifecycle.expiry import (
    CertificateList,
    DatedCertificate,
    SkippedFile,
    read_certificates,
)
from kpki.cluster.lifecycle.prometheus import prometheus_text
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import FileError
from kpki.stages.names import Attribute, Name

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEY = genpkey("EC", curve="P-256")
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: LAYOUT
encryptionAlgorithm: ECDSA-P256
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: worker-1, addresses: [10.0.0.21]}
"""


def authority(name: str = "ca", days: int = 3650) -> bytes:
    """A CA's certificate in PEM."""
    return pem.dump_certificate(req_x509(KEY, subject=f"/CN={name}", days=days, now=NOW))


def leaf(name: str, days: int) -> bytes:
    """A leaf's certificate in PEM, which allows all usages."""
    ca = req_x509(KEY, subject="/CN=ca", days=3650, now=NOW)
    return pem.dump_certificate(x509_req(req_new(KEY, subject=f"/CN={name}"), ca, KEY, days=days,
                                         now=NOW))


def kubeconfig(user: bytes, ca: bytes) -> bytes:
    """A kubeconfig with two users, the second of which no context names."""
    pair, other = (base64.b64encode(data).decode() for data in (user, leaf("other", 5)))
    return f"""apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "https://a", \
certificate-authority-data: {base64.b64encode(ca).decode()}}}}}]
users: [{{name: u, user: {{client-certificate-data: {pair}}}}}, {{name: o, \
user: {{client-certificate-data: {other}}}}}]
contexts: []
""".encode()


def seen(found: CertificateList) -> list[tuple[str, str, int]]:
    """Path, row and days left of each certificate."""
    return [(certificate.path, certificate.row, certificate.days_left(NOW))
            for certificate in found.certificates]


def test_every_certificate_of_a_folder(tmp_path: Path) -> None:
    """Bundles, combined PEM, DER, links and all entries of kubeconfigs count, the first to end
    first."""
    first, second = authority("first", 30), authority("second", 20)
    for name, data in {
            "ca.crt": first + second, "both.pem": pem.dump_key(KEY) + leaf("w", 9),
            "leaf.der": pem.dump_certificate(pem.load_certificate(leaf("d", 8)), encoding="DER"),
            "admin.conf": kubeconfig(leaf("u", 7), first),
            "trusted.pem": b"-----BEGIN TRUSTED CERTIFICATE-----\n"
            + first.split(b"\n", 1)[1].replace(
                b"END CERT", b"END TRUSTED CERT"),
            "sub/twice.crt": second + second, "notes.txt": second,
            "key.pem": pem.dump_key(KEY)}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    os.symlink("leaf.der", tmp_path / "link.pem")
    assert seen(read_certificates(tmp_path)) == [
        ("admin.conf#users/o", "", 5), ("admin.conf#users/u", "", 7), ("leaf.der", "", 8),
        ("link.pem", "", 8), ("both.pem", "", 9), ("ca.crt", "", 20), ("sub/twice.crt", "", 20),
        ("admin.conf#clusters/c", "ca", 30), ("ca.crt", "", 30), ("trusted.pem", "", 30)]


def test_what_is_put_aside_does_not_count(tmp_path: Path) -> None:
    """Backups, staging files and what a kubelet has rotated are left out; the kubelet's link
    counts."""
    for name in ("backup/old.crt", ".kpki-x/a.crt", "pki/kubelet-client-2029-01-01-00-00-00.pem",
                 "pki/kubelet-client-2030-01-01-00-00-00.pem"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(leaf("w", 9))
    os.symlink("kubelet-client-2030-01-01-00-00-00.pem",
               tmp_path / "pki/kubelet-client-current.pem")
    assert seen(read_certificates(tmp_path)) == [("pki/kubelet-client-current.pem", "", 9)]


def test_one_file(tmp_path: Path) -> None:
    """A single file is read whatever its name; the result has the usages of each certificate."""
    (tmp_path / "strange name").write_bytes(authority() + leaf("w", 9))
    found = read_certificates(tmp_path / "strange name")
    assert [(certificate.path, certificate.usages) for certificate in found.certificates] == [
        ("strange name", ("serverAuth", "clientAuth")), ("strange name", ("CA",))]


@pytest.mark.parametrize(("data", "reason"), [
    (b"-----BEGIN CERTIFICATE-----\nAA*A\n-----END CERTIFICATE-----\n",
     "bad base64 in the PEM block CERTIFICATE"),
    (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
     "not a readable certificate"),
])
def test_what_cannot_be_read_is_said(tmp_path: Path, data: bytes, reason: str) -> None:
    """A broken block hides no other certificate of the place."""
    (tmp_path / "bad.pem").write_bytes(leaf("w", 9) + data)
    (tmp_path / "good.pem").write_bytes(leaf("w", 9))
    found = read_certificates(tmp_path)
    assert "good.pem" in [certificate.path for certificate in found.certificates]
    assert [(item.path, item.host) for item in found.skipped] == [("bad.pem", None)]
    assert found.skipped[0].reason.startswith(reason)


def test_there_must_be_something(tmp_path: Path) -> None:
    """A path where nothing lies is refused; an empty folder has no certificate."""
    for path in (tmp_path / "none", ""):
        with pytest.raises(FileError, match="no such file or folder"):
            read_certificates(path)
    assert read_certificates(tmp_path) == CertificateList(())


@pytest.mark.parametrize(("layout", "rows"), [
    ("kubeadm",
     {(None, "pki/ca.crt", "ca"), (None, "users/admin.conf#users/kubernetes-admin", "admin"),
      ("cp-1", "etc/kubernetes/pki/apiserver.crt", "apiserver"),
      ("worker-1", "etc/kubernetes/kubelet.conf#users/system:node:worker-1", "kubelet-client"),
      ("worker-1", "etc/kubernetes/kubelet.conf#clusters/kubernetes", "ca")}),
    ("ssl", {(None, "pki/etcd/ca.crt", "etcd-ca"),
             ("cp-1", "etc/kubernetes/ssl/etcd-peer.pem", "etcd-peer"),
             ("worker-1", "etc/kubernetes/ssl/worker.pem", "kubelet")}),
])
def test_a_workspace_host_by_host(tmp_path: Path, layout: str,
                                  rows: set[tuple[str | None, str, str]]) -> None:
    """The workspace's own files have no host; the files of a tree have the host's name and the
    layout's rows."""
    (tmp_path / "cluster.yaml").write_text(TEXT.replace("LAYOUT", layout))
    with locked(str(tmp_path), NOW):
        for _ in apply(plan_of(str(tmp_path), now=NOW), str(tmp_path), now=NOW):
            pass
    found = read_certificates(tmp_path)
    assert rows <= {(certificate.host, certificate.path, certificate.row)
                    for certificate in found.certificates}
    assert {certificate.host for certificate in found.certificates} == {None, "cp-1", "worker-1"}
    assert found == read_certificates(tmp_path, processes=2) and not found.of_host
    tree = read_certificates(tmp_path / "nodes/worker-1")
    assert tree.of_host and {certificate.host for certificate in tree.certificates} == {None}
    assert {(path, row) for host, path, row in rows if host == "worker-1"} <= {
        (certificate.path, certificate.row) for certificate in tree.certificates}


def test_of_a_host_what_is_read(tmp_path: Path) -> None:
    """A certificate in a host's tree counts if a component reads the file, and only then."""
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/kubelet.service").write_text(
        "[Service]\nExecStart=/usr/bin/kubelet --client-ca-file=/srv/ca.crt\n")
    (tmp_path / "srv").mkdir()
    for name in ("ca.crt", "stale.crt"):
        (tmp_path / "srv" / name).write_bytes(authority())
    assert seen(read_certificates(tmp_path)) == [("srv/ca.crt", "ca", 3650)]


@pytest.mark.parametrize(("left", "days", "within"), [
    (timedelta(0), 0, True), (timedelta(seconds=-1), -1, True), (timedelta(days=30), 30, False),
    (timedelta(days=30, seconds=-1), 29, True), (timedelta(days=30, seconds=1), 30, False)])
def test_the_bounds(left: timedelta, days: int, within: bool) -> None:
    """Days are rounded down; a certificate that ends just after the span does not end within the
    span."""
    certificate = DatedCertificate(None, "a", "", (), Name(), Name(), NOW, NOW + left, 1)
    assert (certificate.days_left(NOW),
            certificate.ends_within(timedelta(days=30), NOW)) == (days, within)
    assert (CertificateList((certificate,)).ending(timedelta(days=30), NOW) == (certificate,)
            * within)


def test_ended_is_after_the_last_moment() -> None:
    """The last second of the validity is valid, as in Go (x509.Certificate.Verify)."""
    certificate = DatedCertificate(None, "a", "", (), Name(), Name(), NOW, NOW, 1)
    assert (not certificate.ends_within(timedelta(0), NOW)
            and certificate.ends_within(timedelta(0),
                                        NOW + timedelta(seconds=1)))


def metrics(text: str) -> dict[str, list[tuple[dict[str, str], int]]]:
    """The series of a text file by their names; each label's escapes undone."""
    found: dict[str, list[tuple[dict[str, str], int]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)\{(.*)\} (\d+)",
                                               line).groups()     # type: ignore[union-attr]
            pairs = {key: re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]),
                                 quoted)
                     for key, quoted in re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', labels)}
            found.setdefault(name, []).append((pairs, int(value)))
    return found


def test_the_series_of_a_certificate() -> None:
    """Names and labels are x509-certificate-exporter's; a value is Unix time; no series has a
    timestamp."""
    name = Name(((Attribute("2.5.4.10", 12, b"system:nodes"),),
                 (Attribute("2.5.4.3", 12, b'a"\\\nb'),)))
    certificate = DatedCertificate("w", "etc/a/k.conf#users/u/v", "kubelet-client", ("clientAuth",),
                                   name,
                                   Name(), NOW, NOW + timedelta(days=1), 18)
    text = prometheus_text(CertificateList((certificate,)), now=NOW)
    labels = {"serial_number": "18", "subject_CN": 'a"\\\nb', "subject_O": "system:nodes",
              "filename": "k.conf", "filepath": "/etc/a/k.conf", "embedded_kind": "user",
              "embedded_key": "u/v", "host": "w", "row": "kubelet-client"}
    labels |= {f"{prefix}_{kind}": "" for prefix in ("subject", "issuer")
               for kind in ("C", "CN", "L", "O", "OU", "ST")
               if f"{prefix}_{kind}" not in labels}
    start = int(NOW.timestamp())
    assert metrics(text) == {"x509_cert_not_before": [(labels, start)],
                             "x509_cert_not_after": [(labels, start + 86400)],
                             "x509_cert_expired": [(labels, 0)]}
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# HELP x509_cert_not_before The first moment of the validity of a certificate, in Unix "
        "time.",
        "# TYPE x509_cert_not_before gauge",
        "# HELP x509_cert_not_after The last moment of the validity of a certificate, in Unix "
        "time.",
        "# TYPE x509_cert_not_after gauge",
        "# HELP x509_cert_expired Whether a certificate has ended: 1 or 0.",
        "# TYPE x509_cert_expired gauge"]


def test_no_series_twice() -> None:
    """Two certificates with the same labels are one series, with the earlier end; a bundle's others
    stay apart."""
    def dated(serial: int, days: int) -> DatedCertificate:
        return DatedCertificate(None, "ca.crt", "", (), Name(), Name(), NOW,
                                NOW + timedelta(days=days), serial)
    text = prometheus_text(CertificateList((dated(1, -1), dated(1, 2), dated(2, 3))), now=NOW)
    found = metrics(text)
    assert [(labels["serial_number"], labels["filepath"],
             value) for labels, value in found["x509_cert_expired"]] == [
                 ("1", "ca.crt", 1), ("2", "ca.crt", 0)]
    assert (len(set(re.findall(r"^x509.*}", text, re.MULTILINE)))
            == len(re.findall(r"^x509", text, re.MULTILINE)) == 6)


def test_a_file_that_cannot_be_read_has_a_series() -> None:
    """x509_cert_error tells of the file, once; without one there is no such metric."""
    skipped = (SkippedFile("w", "etc/bad.pem", "r"), SkippedFile("w", "etc/bad.pem", "s"))
    assert metrics(prometheus_text(CertificateList((), skipped), now=NOW)) == {"x509_cert_error": [(
        {"filename": "bad.pem", "filepath": "/etc/bad.pem", "embedded_kind": "", "embedded_key": "",
         "host": "w"}, 1)]}
    assert prometheus_text(CertificateList(()), now=NOW) == ""


def test_a_fleet_shares_what_is_equal(tmp_path: Path) -> None:
    """Equal paths, names and usages of many hosts are in memory once."""
    for name in ("a", "b"):
        path = tmp_path / "nodes" / name / "tls"
        path.mkdir(parents=True)
        (path / "leaf.crt").write_bytes(leaf(name, 9))
    (tmp_path / "cluster.yaml").write_text(TEXT.replace("LAYOUT", "ssl"))
    first, second = read_certificates(tmp_path).certificates
    assert (first.host, second.host) == ("a", "b") and first.subject != second.subject
    assert first.issuer is second.issuer and first.usages is second.usages
    assert first.path is second.path


def test_without_permission(shared_path: Path,
                            as_nobody: Callable[[], AbstractContextManager[None]]) -> None:
    """A closed folder and a closed file are named; the rest is counted."""
    for name, mode in (("a.crt", 0o644), ("b.crt", 0o600), ("closed/c.crt", 0o644)):
        (shared_path / name).parent.mkdir(exist_ok=True)
        (shared_path / name).write_bytes(authority())
        (shared_path / name).chmod(mode)
    (shared_path / "closed").chmod(0o700)
    with as_nobody():
        found = read_certificates(shared_path)
    assert seen(found) == [("a.crt", "", 3650)]
    assert found.skipped == tuple(SkippedFile(None, path, "permission denied")
                                  for path in ("b.crt", "closed"))
