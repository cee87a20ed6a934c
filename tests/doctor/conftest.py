"""Certificates in files, and the Go server, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.live import build
from tests.doctor.one_host import OneHost, make
from tests.hosts.pki import PAST, Row, Shelf, ca

ROWS = {
    "ca": ca("/CN=kubernetes"),
    "other-ca": ca("/CN=other"),
    "server": Row("/CN=kube-apiserver", "ca", "serverAuth", "DNS:localhost,IP:127.0.0.1"),
    "renewed": Row(
        "/CN=kube-apiserver",
        "ca",
        "serverAuth",
        "DNS:localhost,IP:127.0.0.1",
        days=366,
        key="server",
    ),
    "expired": Row("/CN=kube-apiserver", "ca", "serverAuth", "IP:127.0.0.1", dates=PAST),
    "elsewhere": Row("/CN=kube-apiserver", "ca", "serverAuth", "IP:10.0.0.10"),
    "client-only": Row("/CN=kube-apiserver", "ca", "clientAuth", "IP:127.0.0.1"),
    "client": Row("/O=system:nodes/CN=system:node:w-1", "ca", "clientAuth"),
    "stranger": Row("/O=system:nodes/CN=system:node:w-1", "other-ca", "clientAuth"),
}


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with NAME.crt and NAME.key of each row, made by openssl."""
    folder = tmp_path_factory.mktemp("pki")
    shelf = Shelf(ROWS, tmp_path_factory.mktemp("openssl"))
    for name in ROWS:
        (folder / f"{name}.crt").write_bytes(shelf.certificate(name))
        (folder / f"{name}.key").write_bytes(shelf.key(name))
        (folder / f"{name}.key").chmod(0o600)
    return folder


@pytest.fixture(scope="session")
def go_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go server; without Go the tests that need it fail."""
    return build(tmp_path_factory.mktemp("server"))


@pytest.fixture
def one_host(tmp_path: Path, go_server: Path) -> OneHost:
    """A control-plane host whose servers can be started."""
    return make(tmp_path / "cluster", go_server)
