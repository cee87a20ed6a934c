"""What is wrong with a whole workspace: each fault once, at its root, on its host."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kpki import pem
from kpki.cluster.authority import issue, make_key
from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.desired.example import example_description
from kpki.cluster.desired.rows import Row, wanted_rows
from kpki.cluster.observed.inventory import ObservedFile
from kpki.cluster.plan.plan import Plan, make_plan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = timedelta(days=365)
PKI = "etc/kubernetes/ssl"
CONTROL, WORKER = "nodes/cp-1", "nodes/worker-1"


class Workspace:
    """A cluster's files in memory, ssl layout, healthy until a test changes them."""

    def __init__(self) -> None:
        self.cluster: Cluster = load_cluster(example_description("ssl"))
        self.made = make_plan(self.cluster, now=NOW).with_roots()
        self.found = {file.path: ObservedFile(file.path, file.data, file.mode)
                      for file in self.made.files()}

    def observe(self, path: str) -> ObservedFile:
        return self.found.get(path, ObservedFile(path, missing=True))

    def put(self, path: str, data: bytes, mode: int = 0o600) -> None:
        self.found[path] = ObservedFile(path, data, mode)

    def copy(self, name: str, source: str, target: str) -> None:
        self.put(f"{target}/{name}", self.found[f"{source}/{name}"].data or b"")

    def plan(self) -> Plan:
        return make_plan(self.cluster, observe=self.observe, now=NOW)

    def faults(self) -> list[tuple[str, str | None, str]]:
        return [(finding.cause, finding.host, finding.path) for finding in self.plan().findings()]

    def row(self, name: str, host: str = "cp-1") -> Row:
        return next(row for row in wanted_rows(self.cluster)
                    if (row.name, row.host) == (name, host))

    def issued(self, name: str, *, signer: str, now: datetime = NOW,
               addresses: tuple[str, ...] | None = None, host: str = "cp-1") -> None:
        """Another certificate of a row for the key that is there."""
        row, folder = self.row(name, host), f"nodes/{host}"
        identity = row.identity if addresses is None else row.identity._replace(addresses=addresses)
        key = pem.load_key(self.found[f"{folder}/{row.place.key}"].data or b"")
        made = issue(self.made.roots[signer].ready(), row.profile, identity, key, validity=YEAR,
                     now=now, warnings=[])
        self.put(f"{folder}/{row.place.certificate}", pem.dump_certificate(made), 0o644)


Mutation = Callable[[Workspace], object]


def shared(workspace: Workspace) -> None:
    """worker-2's key on worker-1, each with a certificate of its own."""
    workspace.copy(f"{PKI}/worker-key.pem", "nodes/worker-2", WORKER)
    workspace.issued("kubelet", signer="ca", host="worker-1")


# What was done → cause, host and path of the one finding.
FAULTS: list[tuple[str, str | None, str, Mutation]] = [
    ("expired-server-cert", "cp-1", f"{PKI}/apiserver.pem",
     lambda workspace: workspace.issued("apiserver", signer="ca", now=NOW - 2 * YEAR)),
    ("expired-client-cert", "cp-1", f"{PKI}/etcd-server.pem",
     lambda workspace: workspace.issued("etcd-server", signer="etcd-ca", now=NOW - 2 * YEAR)),
    ("missing-san-ip", "cp-1", f"{PKI}/apiserver.pem",
     lambda workspace: workspace.issued("apiserver", signer="ca", addresses=("10.96.0.1",))),
    ("etcd-peer-cert", "cp-1", f"{PKI}/etcd-peer.pem",
     lambda workspace: workspace.issued("etcd-peer", signer="ca")),
    ("front-proxy-ca", "cp-1", f"{PKI}/front-proxy-client.pem",
     lambda workspace: workspace.issued("front-proxy-client", signer="ca")),
    ("unknown-authority", "cp-1", f"{PKI}/apiserver.pem",
     lambda workspace: workspace.issued("apiserver", signer="etcd-ca")),
    ("sa-key-mismatch", "cp-1", f"{PKI}/service-accounts.pem",
     lambda workspace: workspace.put(f"{CONTROL}/{PKI}/service-accounts.pem", pem.dump_public_key(
         make_key("ECDSA-P256").public_key()))),
    ("sa-key-mismatch", None, "pki/sa.pub",
     lambda workspace: workspace.put("pki/sa.pub",
                                     pem.dump_public_key(make_key("ECDSA-P256").public_key()))),
    ("ca-key-on-worker", "worker-1", f"{PKI}/ca-key.pem", lambda workspace: workspace.put(
        f"{WORKER}/{PKI}/ca-key.pem", workspace.found["pki/ca.key"].data or b"")),
    ("key-exposed", None, "pki/ca.key",
     lambda workspace: workspace.put("pki/ca.key", workspace.found["pki/ca.key"].data or b"",
                                     0o644)),
    ("file-missing", None, "pki/etcd/ca.key",
     lambda workspace: workspace.found.pop("pki/etcd/ca.key")),
    ("kubeconfig-broken", "worker-1", "etc/kubernetes/worker-kubeconfig.yaml#clusters/kubernetes",
     lambda workspace: workspace.put(f"{WORKER}/etc/kubernetes/worker-kubeconfig.yaml", (
         workspace.found[f"{WORKER}/etc/kubernetes/worker-kubeconfig.yaml"].data or b"").replace(
             b"10.0.0.10", b"10.9.9.9"))),
]


@pytest.fixture(scope="module")
def healthy() -> Workspace:
    return Workspace()


@pytest.fixture
def workspace(healthy: Workspace) -> Iterator[Workspace]:
    before = dict(healthy.found)
    yield healthy
    healthy.found = before


@pytest.mark.parametrize(("cause", "host", "path", "mutation"), FAULTS,
                         ids=[f"{item[0]}-{number}" for number, item in enumerate(FAULTS)])
def test_a_fault_is_named_once_on_its_host(workspace: Workspace, cause: str, host: str | None,
                                           path: str, mutation: Mutation) -> None:
    """One thing wrong with a healthy cluster is one finding, and one step or more mends it."""
    assert workspace.faults() == []
    mutation(workspace)
    assert workspace.faults() == [(cause, host, path)]
    steps = list(workspace.plan().steps())
    assert (cause in {cause for step in steps for cause in step.causes}
            and {step.host for step in steps} == {host})


def test_a_shared_key_is_named_on_each_host(workspace: Workspace) -> None:
    """If two hosts share one private key under different certificates, both have a finding, and
    both get a new key."""
    shared(workspace)
    key = f"{PKI}/worker-key.pem"
    assert workspace.faults() == [("shared-key", host, key) for host in ("worker-1", "worker-2")]
    assert ({(step.host, step.path) for step in workspace.plan().steps()}
            == {(host, f"{PKI}/{name}.pem") for host in ("worker-1", "worker-2")
                for name in ("worker", "worker-key")})
