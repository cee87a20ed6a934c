"""A cluster with one worker on disk, healthy until a test changes it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509 import Certificate

from kpki import files, pem
from kpki.cluster.authority import Authority, load_authority
from kpki.cluster.finding import Finding
from kpki.cluster.node.example import example_authority
from kpki.cluster.node.node import issue_node
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.rules.host import check_node
from kpki.stages.certificates import req_x509, x509_req
from kpki.stages.keys import genpkey
from kpki.stages.requests import req_new

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CA, CERTIFICATE, KEY = (f"etc/kubernetes/ssl/{name}.pem" for name in ("ca", "worker", "worker-key"))
KUBECONFIG = "etc/kubernetes/worker-kubeconfig.yaml"
SUBJECT = "/O=system:nodes/CN=system:node:worker-1"


@dataclass(frozen=True)
class Tree:
    """A worker's files under *root*, the CA that signed its certificate, another CA, and the
    moment."""

    root: Path
    ca: Authority
    other: Authority
    now: datetime = NOW

    def path(self, name: str) -> Path:
        return self.root / name

    def put(self, name: str, data: bytes | str) -> None:
        self.path(name).write_bytes(data.encode() if isinstance(data, str) else data)

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text()
        assert old in text
        self.put(name, text.replace(old, new))

    def key(self) -> PrivateKeyTypes:
        return pem.load_key(self.path(KEY).read_bytes())

    def leaf(self, extensions: str, *, subject: str = SUBJECT, ca: Authority | None = None,
             days: int = 365, ago: timedelta = timedelta(minutes=5), digest: str = "sha256",
             key: PrivateKeyTypes | None = None) -> None:
        """Another certificate in place of the healthy one, for the key that is there or *key*,
        which goes there too."""
        if key is not None:
            self.put(KEY, pem.dump_key(key))
        signer = ca or self.ca
        self.put(CERTIFICATE, pem.dump_certificate(x509_req(
            req_new(key or self.key(), config="", subject=subject), signer.certificate, signer.key,
            days=days, extfile=extensions, digest=digest, now=self.now - ago)))

    def authority(self, extensions: str, *, days: int = 3650,
                  ago: timedelta = timedelta(0)) -> None:
        """The same CA key under another certificate, in the CA's place."""
        self.put(CA, pem.dump_certificate(self.another_ca(extensions, days=days, ago=ago)))

    def another_ca(self, extensions: str, *, days: int = 3650,
                   ago: timedelta = timedelta(0)) -> Certificate:
        return req_x509(self.ca.key, config=f"[req]\nx509_extensions = ca\n[ca]\n{extensions}",
                        days=days, subject="/CN=kubernetes", now=self.now - ago)

    def embed(self, *, certificate: bytes | None = None, key: bytes | None = None,
              ca: bytes | None = None) -> None:
        """The kubeconfig's paths replaced by data."""
        from base64 import b64encode
        for name, path, data in (("client-certificate", CERTIFICATE, certificate),
                                 ("client-key", KEY, key), ("certificate-authority", CA, ca)):
            if data is not None:
                self.edit(KUBECONFIG, f'{name}: "/{path}"',
                          f"{name}-data: {b64encode(data).decode()}")

    def check(self, node: str = "worker-1", *,
              authorities: list[Certificate] | None = None) -> list[Finding]:
        return check_node(inspect(str(self.root)), node=node, now=self.now, authorities=authorities)

    def faults(self, node: str = "worker-1") -> list[tuple[str, str]]:
        return [(item.cause, item.path) for item in self.check(node)]


def make_ca(now: datetime = NOW) -> Authority:
    return load_authority(*example_authority(now), now=now)


@pytest.fixture(scope="session")
def authorities() -> tuple[Authority, Authority]:
    """Two CAs of one name, as two installations of one cluster have."""
    return make_ca(), make_ca()


@pytest.fixture
def rsa_authority() -> Authority:
    """An RSA CA as `req -x509` of the Kubernetes docs makes it: no keyUsage."""
    key = genpkey("RSA", bits=2048)
    certificate = req_x509(key, subject="/CN=kube-ca", days=10000, now=NOW)
    return load_authority(pem.dump_certificate(certificate), pem.dump_key(key), now=NOW)


@pytest.fixture
def plant(tmp_path: Path, authorities: tuple[Authority, Authority]) -> Callable[..., Tree]:
    """Put a worker's healthy files on disk."""
    def make(ca: Authority | None = None, name: str = "worker-1") -> Tree:
        tree = Tree(tmp_path / "nodes" / name, ca or authorities[0], authorities[1])
        files.replace_tree(tree.root, issue_node(
            tree.ca, name, addresses=["10.0.0.21"], server="https://10.0.0.10:6443", now=NOW),
                           folder_mode=0o755,
            backup=None, now=NOW)
        return tree
    return make


@pytest.fixture
def tree(plant: Callable[..., Tree]) -> Tree:
    return plant()
