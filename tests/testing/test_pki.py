"""The certificates of a cluster in memory: of every row, right for openssl and Python's ssl."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kpki import dump_certificate, files, load_certificates, verify, verify_kubernetes
from kpki.errors import InputError
from kpki.files.memory import readable_once
from kpki.kubernetes.profiles import PROFILES
from kpki.testing import NODE, KubernetesPki, make_kubernetes_pki

PKI = make_kubernetes_pki()
LEAVES = [profile for profile in PROFILES if profile.kind == "leaf"]


@pytest.mark.parametrize("row", [profile.name for profile in LEAVES])
def test_every_row_is_right(row: str, tmp_path: Path) -> None:
    """Each row has a certificate that openssl (strict) and Kubernetes accept for each usage."""
    issued = PKI.certificates[row]
    (tmp_path / "ca.pem").write_bytes(issued.bundle)
    (tmp_path / "leaf.pem").write_bytes(dump_certificate(issued.certificate))
    profile = next(profile for profile in LEAVES if profile.name == row)
    assert [profile.signer] == [
        name for name, ca in PKI.authorities.items() if ca.bundle == issued.bundle
    ]
    names = [["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]]
    for usage in profile.usages:
        purpose = {"serverAuth": "sslserver", "clientAuth": "sslclient"}[usage]
        for named in names if usage == "serverAuth" else [[]]:
            done = subprocess.run(
                [
                    "openssl",
                    "verify",
                    "-x509_strict",
                    "-CAfile",
                    "ca.pem",
                    "-purpose",
                    purpose,
                    *named,
                    "leaf.pem",
                ],
                cwd=tmp_path,
                capture_output=True,
                text=True,
            )
            assert done.stdout == "leaf.pem: OK\n", done.stderr
        assert verify_kubernetes(
            issued.certificate, load_certificates(issued.bundle), purpose=purpose
        ).ok


def test_a_certificate_is_made_once() -> None:
    """The same row is the same certificate, `issue` makes another; an unknown row is refused."""
    pki = make_kubernetes_pki()
    assert pki.certificates["apiserver"] is pki.certificates["apiserver"]
    other = pki.issue("kubelet", node="worker-9", addresses=["192.0.2.9"], dns=[], days=5)
    assert other.certificate != pki.certificates["kubelet"].certificate
    assert verify(other.certificate, [pki.ca.certificate], ip="192.0.2.9").ok
    assert not verify(other.certificate, [pki.ca.certificate], hostname=NODE).ok
    assert other.certificate.not_valid_after_utc - pki.now == timedelta(days=5) - timedelta(
        microseconds=pki.now.microsecond
    )
    assert len(pki.certificates) == len([*pki.certificates]) == len(LEAVES)
    for unknown in (lambda: pki.issue("kubelt"), lambda: make_kubernetes_pki(algorithm="DSA")):
        with pytest.raises(InputError):
            unknown()


def test_the_moment_counts() -> None:
    """*now* is the beginning of all certificates, whatever the machine's clock says."""
    then = datetime(2040, 1, 1, tzinfo=UTC)
    pki = make_kubernetes_pki(now=then)
    assert verify(pki.certificates["admin"].certificate, [pki.ca.certificate], now=then).ok
    assert not verify(pki.certificates["admin"].certificate, [pki.ca.certificate]).ok


def met(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> tuple[str, str]:
    """What server and client say: "ok", or the reason of their error."""
    near, far = socket.socketpair()

    def talk(context: ssl.SSLContext, end: socket.socket, server_side: bool) -> str:
        try:
            with context.wrap_socket(
                end, server_side=server_side, server_hostname=None if server_side else name
            ) as connection:
                connection.sendall(b"x")
                connection.recv(1)
                return "ok"
        except ssl.SSLError as error:
            return str(error.reason)
        except OSError as error:  # the other end has hung up
            return type(error).__name__
        finally:
            end.close()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(talk, server, near, True), pool.submit(talk, client, far, False)
        return first.result(10), second.result(10)


@pytest.mark.parametrize(
    ("server", "client", "ok"),
    [
        ("apiserver", "kubelet-client", True),
        ("kubelet-serving", "apiserver-kubelet-client", True),
        ("etcd-server", "apiserver-etcd-client", True),
        ("apiserver", "etcd-healthcheck-client", False),
        ("etcd-server", "admin", False),
        ("apiserver", "kubelet-serving", False),
    ],
)
def test_a_handshake(server: str, client: str, ok: bool) -> None:
    """Both ends accept each other if one CA has signed both for their use, else one refuses."""
    assert (met(PKI.server_context(server), PKI.client_context(client)) == ("ok", "ok")) == ok


def test_a_server_of_another_name() -> None:
    """The client compares the name."""
    assert (
        met(PKI.server_context(), PKI.client_context(), "example.org")[1]
        == "CERTIFICATE_VERIFY_FAILED"
    )


@pytest.mark.parametrize("linux", [True, False])
def test_no_file_stays(linux: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key is readable inside the block by its user alone; then nothing is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not linux:
        monkeypatch.delattr(os, "memfd_create")
    before = len(os.listdir("/proc/self/fd"))
    with readable_once(b"secret") as path:
        assert files.read(path) if not linux else Path(path).read_bytes() == b"secret"
        assert linux == (not [*tmp_path.iterdir()]) and not (
            not linux and os.stat(path).st_mode & 0o077
        )
    assert [*tmp_path.iterdir()] == [] and len(os.listdir("/proc/self/fd")) == before
    PKI.client_context()
    assert [*tmp_path.iterdir()] == []


def test_no_key_is_shown() -> None:
    """The text of the values has no key."""
    assert "PRIVATE" not in repr(PKI) + repr(PKI.certificates["admin"]) and isinstance(
        PKI, KubernetesPki
    )
    gc.collect()
