"""CAs and the key of tokens are exchanged on a running cluster, forward and back, without one
failed request."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.commands import says, wait_for
from tests.e2e.rig import Rig
from tests.e2e.two_servers import BALANCER, SERVERS, SSL, TwoServers, two_servers, volume_of

SECRET = """apiVersion: v1
kind: Secret
metadata: {name: old-token, annotations: {kubernetes.io/service-account.name: default}}
type: kubernetes.io/service-account-token
"""


@pytest.fixture(scope="module")
def servers(rig: Rig) -> Iterator[TwoServers]:
    """The cluster, with a pod that has a token, and clients that ask from now on."""
    with two_servers(rig) as servers:
        cluster, worker = servers.cluster, servers.cluster.node("worker-1")
        cluster.run_pod("talker", "worker-1", "echo here is talker; exec sleep 10000")
        cluster.kubectl("apply", "-f", "-", given=SECRET)
        wait_for("a pod runs", lambda: cluster.says(
            "get", "pod", "talker", "-o", "jsonpath={.status.phase}") == "Running")
        uid = cluster.says("get", "pod", "talker", "-o", "jsonpath={.metadata.uid}")
        ca, token = (volume_of(worker, uid, name) for name in ("ca.crt", "token"))
        users = {"kubeconfig": f"{cluster.workspace}/users/admin.conf"}
        clients: dict[str, dict[str, Any]] = {
            "administrator": {"server": BALANCER, "path": "/api/v1/namespaces/default", **users},
            "pod": {"server": BALANCER, "path": "/apis", "ca": ca, "token": token}}
        for name in SERVERS:
            root = cluster.node(name).path(SSL)
            clients[f"front proxy of {name}"] = {
                "server": BALANCER, "path": "/apis", "ca": f"{root}/ca.pem",
                "certificate": f"{root}/front-proxy-client.pem",
                "key": f"{root}/front-proxy-client-key.pem",
                "headers": {"X-Remote-User": "jane", "X-Remote-Group": "developers"}}
        servers.poll(clients)
        yield servers


def assert_well(servers: TwoServers) -> None:
    """No request has failed, every client goes on asking, the node is Ready, logs and exec work."""
    cluster, before = servers.cluster, servers.asked()
    wait_for("each client asks on", lambda: all(
        client["asked"] > before[name]["asked"] for name, client in servers.asked().items()))
    assert servers.failures() == []
    assert cluster.is_ready("worker-1")
    wait_for("logs", lambda: cluster.says("logs", "talker") == "here is talker", seconds=30)
    wait_for("exec", lambda: cluster.says("exec", "talker", "--", "sh", "-c", "echo $((6 * 7))")
             == "42", seconds=30)


def phase(servers: TwoServers, row: str, *words: str) -> str:
    """Do one phase and all that follows; the phase that is reached."""
    found = servers.rotate(row, *words)
    assert found["blocked"] == [] and found["behind"] == [] and found["cut_off"] == []
    assert_well(servers)
    return str(found["phase"])


def test_the_front_proxys_ca(servers: TwoServers) -> None:
    """No restart at all; the ConfigMap that only grows is deleted in the end."""
    assert [phase(servers, "front-proxy-ca") for _ in range(3)] == ["trust", "switch", "forget"]


def test_the_clusters_ca_and_back(servers: TwoServers) -> None:
    """Both parts of trust, then switch; back to trust, and forward again to the end. The old CA's
    kubeconfig is refused then."""
    cluster = servers.cluster
    old = cluster.rig.folder / "old-admin.conf"
    old.write_bytes((cluster.workspace / "users/admin.conf").read_bytes())
    assert [phase(servers, "ca") for _ in range(3)] == ["before", "trust", "switch"]
    assert phase(servers, "ca", "--back") == "trust"
    assert [phase(servers, "ca") for _ in range(2)] == ["switch", "forget"]
    refused = cluster.says("get", "nodes", kubeconfig=str(old))
    assert says(refused, "certificate signed by unknown authority|Unauthorized|provide credentials")


def test_etcds_ca(servers: TwoServers) -> None:
    """Members in turn, then API servers; three members keep a quorum all the time."""
    assert [phase(servers, "etcd-ca") for _ in range(3)] == ["trust", "switch", "forget"]


def test_the_key_of_tokens(servers: TwoServers) -> None:
    """A pod's token is good all the time; in the end a Secret's old token alone is refused."""
    cluster = servers.cluster
    secret = json.dumps(cluster.get("secret", "old-token"))
    assert '"token":' in secret
    old = cluster.cp.run(f"KUBECONFIG={cluster.workspace}/users/admin.conf kubectl get secret "
                         "old-token -o jsonpath='{.data.token}' | base64 -d").stdout

    def answer() -> str:
        return cluster.says("get", "--raw", "/apis", "--server", f"https://{BALANCER}",
                            "--insecure-skip-tls-verify", f"--token={old}", kubeconfig="/dev/null")
    assert "APIGroupList" in answer()
    assert [phase(servers, "service-accounts") for _ in range(2)] == ["publish", "sign"]
    assert "APIGroupList" in answer()
    assert phase(servers, "service-accounts") == "retire"
    assert "Unauthorized" in answer()


def test_all_have_asked(servers: TwoServers) -> None:
    """Each client has asked some hundred times, and what was asked again was no certificate's
    fault."""
    asked = servers.asked()
    assert all(client["asked"] > 100 for client in asked.values()), asked
    assert servers.failures() == []
    print({name: (client["asked"], client["again"]) for name, client in asked.items()})
