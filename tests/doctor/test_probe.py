"""`probe` against real servers: what they present, what they ask for, whom they refuse; and what is
no TLS server."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kpki
from tests.doctor.live import (
    LOOPBACK,
    answering,
    closes,
    http,
    http_by_lines,
    openssl_server,
    running,
    silent,
    ssh,
)

SUBJECT = "CN=kubernetes"


def read(pki: Path, name: str) -> bytes:
    return (pki / name).read_bytes()


def shown(pki: Path, client: str) -> dict[str, Any]:
    """The pair of a client, for `probe`."""
    return (
        {"certificate": read(pki, f"{client}.crt"), "key": read(pki, f"{client}.key")}
        if client
        else {}
    )


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_presents_what_the_file_has(pki: Path, version: str) -> None:
    """Chain, version and verdict are openssl's server's; it asks for no client certificate."""
    with openssl_server(pki, version) as address:
        found = kpki.probe(address, ca=read(pki, "ca.crt"), file=read(pki, "server.crt"))
    assert found.served[0] == kpki.dump_certificate(
        kpki.load_certificate(read(pki, "server.crt")), encoding="DER"
    )
    assert (found.protocol, found.problem) == (version.replace("-tls1_", "TLSv1."), "")
    assert found.verdict and found.verdict.ok and found.verified and found.same_as_file is True
    assert (found.requests_certificate, found.client_cas, found.client, found.refused) == (
        False,
        (),
        "",
        False,
    )


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("client", "accepted", "cause"),
    [("client", True, None), ("stranger", False, "unknown-authority"), ("", False, None)],
)
def test_openssl_demands_a_client_certificate(
    pki: Path, version: str, client: str, accepted: bool, cause: str | None
) -> None:
    """The CAs that the server asks for are named in both versions; who shows nothing, or another
    CA's, is refused."""
    with openssl_server(
        pki, version, "-Verify", "2", "-CAfile", pki / "ca.crt", "-verify_return_error"
    ) as address:
        found = kpki.probe(address, ca=read(pki, "ca.crt"), **shown(pki, client))
    assert (
        found.client_cas == (SUBJECT,)
        and found.requests_certificate
        and found.verdict
        and found.verdict.ok
    )
    assert (found.client == "ok", found.client_cause) == (accepted, cause)
    assert found.requires_certificate is (client == "") and found.refused is (client == "stranger")


@pytest.mark.parametrize("version", ["12", "13"])
@pytest.mark.parametrize(
    ("clients", "client", "says"),
    [
        ("none", "", ""),
        ("none", "client", ""),
        ("request", "client", "ok"),
        ("request", "stranger", "the server answered 401 Unauthorized"),
        ("require", "client", "ok"),
        ("require", "stranger", "the server ended the connection: "),
        ("require", "", ""),
        ("request", "", ""),
    ],
)
def test_a_go_server_asks_as_kubernetes_servers_do(
    pki: Path, go_server: Path, version: str, clients: str, client: str, says: str
) -> None:
    """The API server requests a certificate and answers 401, etcd requires one and ends the
    connection."""
    with running(
        go_server,
        "-cert",
        pki / "server.crt",
        "-key",
        pki / "server.key",
        "-ca",
        pki / "ca.crt",
        "-clients",
        clients,
        "-version",
        version,
    ) as address:
        found = kpki.probe(address, ca=read(pki, "ca.crt"), **shown(pki, client))
    assert found.verdict and found.verdict.ok and found.protocol == f"TLSv1.{version[1]}"
    assert found.client.startswith(says) and bool(found.client) is bool(says)
    assert found.requests_certificate is (clients != "none")
    assert found.requires_certificate is ((clients, client) == ("require", ""))
    assert (found.date is None) is (
        found.requires_certificate or says.startswith("the server ended")
    )


@pytest.mark.parametrize(
    ("pair", "ca", "cause"),
    [
        ("server", "ca.crt", None),
        ("server", "other-ca.crt", "unknown-authority"),
        ("expired", "ca.crt", "expired-server-cert"),
        ("expired", None, "expired-server-cert"),
        ("elsewhere", "ca.crt", "missing-san-ip"),
        ("elsewhere", None, "missing-san-ip"),
        ("server", None, None),
        ("client-only", "ca.crt", "wrong-eku"),
    ],
)
def test_the_verdict_is_that_of_kubernetes(
    pki: Path, pair: str, ca: str | None, cause: str | None
) -> None:
    """A right certificate is accepted; without a CA dates, names and usage count, and the signer is
    not verified."""
    with openssl_server(pki, pair=pair) as address:
        found = kpki.probe(address, ca=read(pki, ca) if ca else None)
    assert found.verdict is not None
    assert (found.verdict.ok, found.verdict.cause, found.verified) == (
        cause is None,
        cause,
        ca is not None,
    )


@pytest.mark.parametrize("name", ["localhost", "10.0.0.10", None])
def test_the_name_asked_for_is_verified(pki: Path, name: str | None) -> None:
    """The certificate must have the name that the caller gives, else the host's."""
    with openssl_server(pki) as address:
        found = kpki.probe(address, ca=read(pki, "ca.crt"), name=name)
    assert found.verdict and found.verdict.ok is (name != "10.0.0.10")


def test_a_stale_certificate_is_shown_and_cleared(
    pki: Path, go_server: Path, tmp_path: Path
) -> None:
    """A server that read its pair once presents the old certificate until its restart; one that
    reads it again never."""
    for part in ("crt", "key"):
        shutil.copy(pki / f"server.{part}", tmp_path / f"pair.{part}")
    command = (go_server, "-cert", tmp_path / "pair.crt", "-key", tmp_path / "pair.key")
    renewed = read(pki, "renewed.crt")
    with running(*command) as address, running(*command, "-reload") as reloading:
        assert kpki.probe(address, file=read(pki, "server.crt")).same_as_file is True
        (tmp_path / "pair.crt").write_bytes(renewed)
        stale = kpki.probe(address, file=renewed)
        assert (stale.same_as_file, stale.refused) == (False, True)
        assert kpki.probe(reloading, file=renewed).same_as_file is True
    with running(*command) as address:
        assert kpki.probe(address, file=renewed).same_as_file is True


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (silent, "a connection, but no answer to TLS within 0.3 s"),
        (http, "the server speaks plain HTTP, not TLS"),
        (http_by_lines, "the server speaks plain HTTP, not TLS"),
        (ssh, "the server speaks no TLS; it says 'SSH-2.0-OpenSSH_9.2'"),
        (closes, "no certificate: the server closed the connection"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_tls_server_is_said(
    answer: Callable[[socket.socket], None], problem: str
) -> None:
    """Silence, plain HTTP, another protocol and a closed connection are each named, and none lasts
    longer than asked."""
    with answering(answer) as address:
        found = kpki.probe(address, timeout=0.3)
    assert found.problem in (
        problem,
        "no certificate: the connection broke: connection reset by peer",
    )
    assert answer is closes or found.problem == problem
    assert (found.verdict, found.served, found.refused) == (None, (), False)


def test_nobody_there_is_said() -> None:
    """A port without a listener and a name without an address are no answers."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    assert kpki.probe(f"{LOOPBACK}:{port}").problem == "nothing listens there: connection refused"
    assert kpki.probe("no-such-host.invalid:6443").problem == "the host's name has no address (DNS)"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "host",
        "host:",
        "host:0",
        "host:x",
        ":6443",
        "::1:6443x",
        "http://host:80",
        "host:70000",
        "a b:1",
        "user@host:1",
        "x" * 70 + ".y:1",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """What is no HOST:PORT is an InputError with an example."""
    with pytest.raises(kpki.InputError, match="no HOST:PORT"):
        kpki.probe(address)


@pytest.mark.parametrize(
    "address", ["[::1]:1", "https://127.0.0.1:1", "https://127.0.0.1:1/api", "127.0.0.1:1"]
)
def test_addresses_have_several_forms(address: str) -> None:
    """IPv6 in brackets, and the URL of a kubeconfig, are addresses too."""
    assert kpki.probe(address, timeout=0.5).problem


@pytest.mark.parametrize(
    ("certificate", "key"), [("client", "stranger"), ("client", "ca.crt"), ("nothing", "client")]
)
def test_an_unusable_client_is_refused_before_any_connection(
    pki: Path, certificate: str, key: str
) -> None:
    """A key of another certificate, a file without key, a file without certificate: an InputError,
    not a refusal."""
    text = b"" if certificate == "nothing" else read(pki, f"{certificate}.crt")
    with pytest.raises(kpki.InputError):
        kpki.probe(
            "127.0.0.1:1", certificate=text, key=read(pki, f"{key}" if "." in key else f"{key}.key")
        )
