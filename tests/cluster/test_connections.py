"""Every connection of a cluster shakes hands, and none that must not: by kpki's handshake, and by
openssl on loopback.

Which file a program shows or trusts is what its start flags name, and in a kubeconfig what that
says. Who calls whom:
https://kubernetes.io/docs/concepts/architecture/control-plane-node-communication/ and
https://kubernetes.io/docs/setup/best-practices/certificates/
"""
from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509 import Certificate

from kpki import pem
from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.desired.rows import layout_of
from kpki.cluster.flags import component_flags
from kpki.cluster.plan.plan import make_plan
from kpki.kubernetes.kubeconfig import Material, load_kubeconfig
from kpki.stages.certificates import req_x509
from kpki.stages.handshake import handshake
from kpki.stages.keys import genpkey

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDPOINT = "api.example.internal"
KINDS = tuple((layout, algorithm) for layout in ("kubeadm", "ssl", "hard-way")
              for algorithm in ("RSA-2048", "ECDSA-P256"))
OTHER = {"RSA-2048": "ECDSA-P256", "ECDSA-P256": "RSA-2048"}
DESCRIPTION = """\
apiVersion: kpki/v1
kind: Cluster
layout: {}
encryptionAlgorithm: {}
controlPlaneEndpoint: api.example.internal:6443
kubeletServing: {}
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11, "fd00::11"]}}
- {{name: worker-1, addresses: [10.0.0.21, "fd00::21"], dnsNames: [worker-1.example.internal]}}
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program on a host, and the flags that name what it shows, its key, and what it trusts.

    Without a *component* it has no flags, and takes the files of the *row*: kubectl and etcdctl, by
    hand.
    """

    host: str
    component: str = ""
    row: str = ""
    kubeconfig: str = ""
    shows: str = ""
    key: str = ""
    trusts: str = ""


def apiserver(host: str) -> Program:
    return Program(host=host, component="kube-apiserver", shows="tls-cert-file",
                   key="tls-private-key-file", trusts="client-ca-file")


def kubelet(host: str) -> Program:
    return Program(host=host, component="kubelet", shows="tls-cert-file",
                   key="tls-private-key-file", trusts="client-ca-file")


def etcd(host: str, prefix: str = "") -> Program:
    return Program(host=host, component="etcd", shows=f"{prefix}cert-file", key=f"{prefix}key-file",
                   trusts=f"{prefix}trusted-ca-file")


def user(component: str, host: str) -> Program:
    return Program(host=host, component=component, kubeconfig="kubeconfig")


TO_ETCD = Program(host="cp-1", component="kube-apiserver", shows="etcd-certfile",
                  key="etcd-keyfile", trusts="etcd-cafile")
TO_KUBELETS = Program(host="cp-1", component="kube-apiserver", shows="kubelet-client-certificate",
                      key="kubelet-client-key", trusts="kubelet-certificate-authority")
# An aggregated API server serves with a certificate of its own making, whose CA is in its
# APIService; of the front proxy it takes what the API server's --requestheader-client-ca-file has
# signed.
TO_AGGREGATED = Program(host="cp-1", component="kube-apiserver", shows="proxy-client-cert-file",
                        key="proxy-client-key-file", trusts="own")
AGGREGATED = Program(host="cp-2", component="kube-apiserver", shows="own", key="own",
                     trusts="requestheader-client-ca-file")
AGGREGATED_NAME = "metrics-server.kube-system.svc"
ADMIN, SUPER_ADMIN = (Program(host="cp-1", row=row) for row in ("admin", "super-admin"))
PERSON = Program(host="", row="admin")
PROBE = Program(host="cp-1", row="etcd-healthcheck-client")


@dataclass(frozen=True)
class Connection:
    """Who calls whom under which name ("": that of the kubeconfig), and under which layouts, None:
    all.

    *refused* is the side that says no, "" for what must work; *another* says which side is another
    cluster's.
    """

    name: str
    client: Program | None
    server: Program
    as_name: str = ""
    layouts: tuple[str, ...] | None = None
    refused: str = ""
    another: str = ""


HAND_MADE = ("ssl", "hard-way")
WORKS = (
    Connection("a worker's kubelet -> API server", user("kubelet", "worker-1"), apiserver("cp-1")),
    Connection("a worker's kubelet -> the other API server", user("kubelet", "worker-1"),
               apiserver("cp-2")),
    Connection("a control plane's kubelet -> API server", user("kubelet", "cp-2"),
               apiserver("cp-2")),
    Connection("kube-controller-manager -> its API server", user("kube-controller-manager", "cp-1"),
               apiserver("cp-1")),
    Connection("the other kube-controller-manager -> its own",
               user("kube-controller-manager", "cp-2"), apiserver("cp-2")),
    Connection("kube-scheduler -> its API server", user("kube-scheduler", "cp-2"),
               apiserver("cp-2")),
    Connection("kube-proxy -> API server", user("kube-proxy", "worker-1"), apiserver("cp-2"),
               layouts=HAND_MADE),
    Connection("kube-proxy of a control plane -> API server", user("kube-proxy", "cp-1"),
               apiserver("cp-1"), layouts=HAND_MADE),
    Connection("kubectl on the host -> API server", ADMIN, apiserver("cp-1")),
    Connection("kubectl of a person -> API server", PERSON, apiserver("cp-2")),
    Connection("kubectl as super-admin -> API server", SUPER_ADMIN, apiserver("cp-1"),
               layouts=("kubeadm",)),
    Connection("a pod -> API server, by its service's address", user("kubelet", "worker-1"),
               apiserver("cp-1"), "10.96.0.1"),
    Connection("a pod -> API server, by its service's name", user("kubelet", "worker-1"),
               apiserver("cp-2"), "kubernetes.default.svc.cluster.local"),
    Connection("API server -> etcd beside it", TO_ETCD, etcd("cp-1"), "127.0.0.1"),
    Connection("API server -> etcd beside it, by IPv6", TO_ETCD, etcd("cp-1"), "::1"),
    Connection("API server -> etcd on another host", TO_ETCD, etcd("cp-2"), "10.0.0.11"),
    Connection("API server -> etcd, by name", TO_ETCD, etcd("cp-2"), "cp-2"),
    Connection("etcd -> itself, with its server pair", etcd("cp-1"), etcd("cp-1"), "localhost"),
    Connection("etcd -> its peer", etcd("cp-1", "peer-"), etcd("cp-2", "peer-"), "10.0.0.11"),
    Connection("etcd <- its peer", etcd("cp-2", "peer-"), etcd("cp-1", "peer-"), "cp-1"),
    Connection("health probe -> etcd", PROBE, etcd("cp-1"), "127.0.0.1"),
    Connection("API server -> a worker's kubelet, by address", TO_KUBELETS, kubelet("worker-1"),
               "10.0.0.21"),
    Connection("API server -> a worker's kubelet, by its second address", TO_KUBELETS,
               kubelet("worker-1"), "fd00::21"),
    Connection("API server -> a worker's kubelet, by name", TO_KUBELETS, kubelet("worker-1"),
               "worker-1"),
    Connection("API server -> a worker's kubelet, by its other name", TO_KUBELETS,
               kubelet("worker-1"), "worker-1.example.internal"),
    Connection("API server -> a control plane's kubelet", TO_KUBELETS, kubelet("cp-2"), "cp-2"),
    Connection("API server -> aggregated API server", TO_AGGREGATED, AGGREGATED, AGGREGATED_NAME),
    # One CA signs all of etcd's: what an API server has for etcd opens the peers' port too, here as
    # with kubeadm.
    Connection("API server's etcd client -> etcd's peer port", TO_ETCD, etcd("cp-1", "peer-"),
               "127.0.0.1"),
)
WORKER, A_PERSON = user("kubelet", "worker-1"), PERSON
REFUSED = (
    Connection("nobody -> API server", None, apiserver("cp-1"), ENDPOINT, refused="server"),
    Connection("nobody -> etcd", None, etcd("cp-1"), "127.0.0.1", refused="server"),
    Connection("health probe's certificate -> API server", PROBE, apiserver("cp-1"), ENDPOINT,
               refused="server"),
    Connection("etcd's certificate -> API server", etcd("cp-1"), apiserver("cp-1"), ENDPOINT,
               refused="server"),
    Connection("API server's etcd client -> API server", TO_ETCD, apiserver("cp-2"), ENDPOINT,
               refused="server"),
    Connection("front proxy -> API server, as a user", TO_AGGREGATED, apiserver("cp-1"), ENDPOINT,
               refused="server"),
    Connection("a node's certificate -> etcd", WORKER, etcd("cp-1"), "127.0.0.1", refused="server"),
    Connection("a node's certificate -> etcd's peers", WORKER, etcd("cp-1", "peer-"), "127.0.0.1",
               refused="server"),
    Connection("an administrator -> etcd", ADMIN, etcd("cp-1"), "127.0.0.1", refused="server"),
    Connection("API server's kubelet client -> etcd", TO_KUBELETS, etcd("cp-2"), "cp-2",
               refused="server"),
    Connection("an administrator as front proxy", ADMIN, AGGREGATED, AGGREGATED_NAME,
               refused="server"),
    Connection("health probe -> a kubelet", PROBE, kubelet("worker-1"), "worker-1",
               refused="server"),
    Connection("the API server's own certificate as a client's", apiserver("cp-1"),
               apiserver("cp-2"), ENDPOINT, refused="server"),
    Connection("another cluster's node -> API server", WORKER, apiserver("cp-1"), refused="server",
               another="client"),
    Connection("another cluster's API server -> etcd", TO_ETCD, etcd("cp-1"), "127.0.0.1",
               refused="server", another="client"),
    Connection("another cluster's peer -> etcd", etcd("cp-2", "peer-"), etcd("cp-1", "peer-"),
               "cp-1", refused="server", another="client"),
    Connection("another cluster's front proxy", TO_AGGREGATED, AGGREGATED, AGGREGATED_NAME,
               refused="server", another="client"),
    Connection("a node -> another cluster's API server", WORKER, apiserver("cp-1"),
               refused="client", another="server"),
    Connection("API server -> another's kubelet", TO_KUBELETS, kubelet("worker-1"), "worker-1",
               refused="client", another="server"),
    Connection("an API server by a name it does not have", A_PERSON, apiserver("cp-1"),
               "api.example.com", refused="client"),
    Connection("an API server by another's address", A_PERSON, apiserver("cp-1"), "10.0.0.11",
               refused="client"),
    Connection("an API server by 127.0.0.1", A_PERSON, apiserver("cp-1"), "127.0.0.1",
               refused="client"),
    Connection("an etcd by another's name", TO_ETCD, etcd("cp-1"), "cp-2", refused="client"),
    Connection("a kubelet by another's name", TO_KUBELETS, kubelet("worker-1"), "cp-1",
               refused="client"),
    Connection("etcd's certificate in the API server's place", A_PERSON, etcd("cp-1"), "cp-1",
               refused="client"),
    Connection("the API server's certificate in etcd's place", TO_ETCD, apiserver("cp-1"), "cp-1",
               refused="client"),
    Connection("a client's certificate in a kubelet's place", TO_KUBELETS, TO_KUBELETS, "worker-1",
               refused="client"),
)


@cache
def cluster_of(layout: str, algorithm: str) -> tuple[Cluster, Mapping[str, bytes]]:
    """A cluster, and every file of it by its path in the workspace."""
    cluster = load_cluster(DESCRIPTION.format(layout, algorithm,
                                              "true" if layout == "kubeadm" else "false"))
    return cluster, {file.path: file.data for file in make_plan(cluster, now=NOW).files()}


@cache
def aggregated_pair() -> tuple[bytes, bytes]:
    """What an aggregated API server serves with: signed by itself, as they do."""
    key = genpkey("EC", curve="P-256")
    certificate = req_x509(key, subject=f"/CN={AGGREGATED_NAME}", days=10, now=NOW, config=(
        "[req]\nx509_extensions = v3\n[v3]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = "
        f"critical,digitalSignature,keyCertSign\nsubjectAltName = DNS:{AGGREGATED_NAME}\n"))
    return pem.dump_certificate(certificate), pem.dump_key(key)


@dataclass(frozen=True)
class Held:
    """What a program has in hand: certificate, key and CA (PEM); for a user the name of its
    server."""

    certificate: bytes
    key: bytes
    authority: bytes
    server_name: str = ""


@cache
def material_of(program: Program, kind: tuple[str, str]) -> Held:
    """What a program's flags, or its row, name in a cluster."""
    cluster, tree = cluster_of(*kind)
    folder = f"nodes/{program.host}" if program.host else ""

    def file(path: str) -> bytes:
        return tree[f"{folder}/{path.removeprefix('/')}"]

    if program.row:
        if not program.host:
            return from_kubeconfig(tree["users/admin.conf"], file)
        place = layout_of(cluster).place(program.row)
        if place.kubeconfig:
            return from_kubeconfig(file(place.kubeconfig), file)
        trusted = component_flags(cluster, "etcd", cluster.host(program.host))["trusted-ca-file"]
        return Held(file(place.certificate), file(place.key), file(trusted))
    flags = component_flags(cluster, program.component, cluster.host(program.host))
    if program.kubeconfig:
        return from_kubeconfig(file(flags[program.kubeconfig]), file)
    own, own_key = aggregated_pair()
    return Held(own if program.shows == "own" else file(flags[program.shows]),
                own_key if program.key == "own" else file(flags[program.key]),
                own if program.trusts == "own" else file(flags[program.trusts]))


def from_kubeconfig(data: bytes, file: Callable[[str], bytes]) -> Held:
    """What a kubeconfig holds, or names by path."""
    config = load_kubeconfig(data)

    def taken(material: Material) -> bytes:
        return file(material.path or "") if material.data is None else material.data

    name = urlsplit(config.server).hostname
    assert name is not None
    return Held(taken(config.certificate), taken(config.key), taken(config.authority), name)


# By whom an API server, an etcd, a kubelet or an aggregated API server is rightly trusted.
TRUSTED_BY = {"kube-apiserver": PERSON, "etcd": TO_ETCD, "kubelet": TO_KUBELETS}


def ends(connection: Connection, kind: tuple[str, str]) -> tuple[Held | None, Held, bytes, str]:
    """Both sides' material, what the client trusts, and the name that it means."""
    foreign = (kind[0], OTHER[kind[1]])
    client = None
    if connection.client is not None:
        client = material_of(connection.client, foreign if connection.another == "client" else kind)
    server = material_of(connection.server, foreign if connection.another == "server" else kind)
    name = connection.as_name or (client.server_name if client else "")
    # so that the server alone has a reason to refuse
    if connection.refused == "server" or client is None:
        right = (TO_AGGREGATED if connection.server == AGGREGATED
                 else TRUSTED_BY[connection.server.component])
        return client, server, material_of(right, kind).authority, name
    return client, server, client.authority, name


def rows(connections: tuple[Connection, ...]) -> list[object]:
    """Every connection under each layout that has it, with keys of both kinds."""
    return [pytest.param(kind, connection, id=f"{'-'.join(kind)}-{connection.name}")
            for kind in KINDS for connection in connections if connection.layouts is None
            or kind[0] in connection.layouts]


@cache
def loaded(held: Held) -> tuple[list[Certificate], PrivateKeyTypes]:
    """A side's chain and key."""
    return pem.load_certificates(held.certificate), pem.load_key(held.key)


def met(connection: Connection, kind: tuple[str, str]) -> dict[str, str]:
    """What server and client say of it, by kpki's handshake."""
    client, server, trusted, name = ends(connection, kind)
    found = handshake(loaded(server), None if client is None else loaded(client), hostname=name,
                      now=NOW, server_roots=pem.load_certificates(trusted),
                      client_roots=pem.load_certificates(server.authority))
    assert found.ok is found.server.ok is found.client.ok
    return {"server": found.server.reason, "client": found.client.reason}


@pytest.mark.parametrize(("kind", "connection"), rows(WORKS))
def test_who_belongs_together_meets(kind: tuple[str, str], connection: Connection) -> None:
    """Both sides are content, each with the other's certificate, the client with the server's
    name."""
    assert met(connection, kind) == {"server": "ok", "client": "ok"}


@pytest.mark.parametrize(("kind", "connection"), rows(REFUSED))
def test_who_does_not_belong_together_is_refused(kind: tuple[str, str],
                                                 connection: Connection) -> None:
    """The side that has a reason says so in its own words, the other hears an alert."""
    reasons = met(connection, kind)
    assert "ok" not in reasons.values()
    assert {side for side, reason in reasons.items()
            if "alert" not in reason} == {connection.refused}, reasons


def pieces(held: Held, folder: Path, name: str) -> list[str]:
    """A side's pair as files, in openssl's words."""
    words = []
    for word, data in (("cert", held.certificate), ("key", held.key)):
        (folder / f"{name}.{word}").write_bytes(data)
        words += [f"-{word}", str(folder / f"{name}.{word}")]
    return words


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Held], str]]:
    """Start `openssl s_server` with what a server holds, once for each; its address."""
    running: dict[Held, tuple[subprocess.Popen[str], str]] = {}

    def address(held: Held) -> str:
        if held not in running:
            folder = tmp_path_factory.mktemp("server")
            (folder / "ca").write_bytes(held.authority)
            process = subprocess.Popen(
                ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", *ALIKE, "-Verify", "1",
                 "-CAfile", str(folder / "ca"), *pieces(held, folder, "server")],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True)
            assert process.stdout is not None
            accepting = next(line for line in process.stdout if line.startswith("ACCEPT "))
            running[held] = process, accepting.split()[1]
        return running[held][1]

    yield address
    for process, _ in running.values():
        process.kill()
        process.communicate()


ALIKE = ("-verify_return_error", "-attime", str(int(NOW.timestamp())))


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def called(address: str, connection: Connection, kind: tuple[str, str],
           folder: Path) -> tuple[bool, bool]:
    """Whether `openssl s_client` takes the server, and gets an answer from it: the server takes the
    client."""
    client, _, trusted, name = ends(connection, kind)
    (folder / "trusted").write_bytes(trusted)
    done = subprocess.run(
        ["openssl", "s_client", "-connect", address, *ALIKE, "-CAfile", str(folder / "trusted"),
         "-ign_eof", "-verify_ip" if is_address(name) else "-verify_hostname", name,
         *(pieces(client, folder, "client") if client else [])],
        input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, timeout=20)
    return b"Verify return code: 0 (ok)" in done.stdout, b"HTTP/1.0 200 ok" in done.stdout


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_openssl_agrees(kind: tuple[str, str], servers: Callable[[Held], str],
                        tmp_path: Path) -> None:
    """s_server and s_client connect where kpki's handshake does, and are refused by the same side
    where it does not."""
    wrong = []
    for connection in WORKS + REFUSED:
        if connection.layouts is None or kind[0] in connection.layouts:
            address = servers(ends(connection, kind)[1])
            client_content, answered = called(address, connection, kind, tmp_path)
            wanted = (connection.refused != "client", not connection.refused)
            if (client_content, answered) != wanted:
                wrong.append((connection.name, client_content, answered))
    assert wrong == []
