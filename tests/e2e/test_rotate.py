"""CAs and the key of tokens are exchanged on a running cluster, forward and back, without one
failed request."""
from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.commands import run, says, wait_for
from tests.e2e.polling import GROUP
from tests.e2e.rig import Rig
from tests.e2e.two_servers import (
    ADDRESSES,
    AGGREGATED,
    BALANCER,
    SERVERS,
    SSL,
    TwoServers,
    two_servers,
    volume_of,
)
from tests.e2e.workers import pod

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
        worker.write("/etc/kubernetes/manifests/static.yaml", json.dumps(
            pod("static", "worker-1", "exec sleep 10000")))
        cluster.kubectl("apply", "-f", "-", given=SECRET)
        wait_for("a pod runs", lambda: cluster.says(
            "get", "pod", "talker", "-o", "jsonpath={.status.phase}") == "Running")
        uid = cluster.says("get", "pod", "talker", "-o", "jsonpath={.metadata.uid}")
        ca, token = (volume_of(worker, uid, name) for name in ("ca.crt", "token"))
        users = {"kubeconfig": f"{cluster.workspace}/users/admin.conf"}
        clients: dict[str, dict[str, Any]] = {
            "administrator": {"server": BALANCER, "path": "/api/v1/namespaces/default", **users},
            "pod": {"server": BALANCER, "path": "/apis", "ca": ca, "token": token},
            "aggregated": {"server": BALANCER, "path": f"/apis/{GROUP}/v1/things",
                           "aggregated": True, **users}}
        for name in SERVERS:
            own = f"{ADDRESSES[name]}:6443"
            for client in ("administrator", "pod"):
                clients[f"{client} at {name}"] = {**clients[client], "server": own,
                                                  "path": "/apis", "direct": True}
            root = cluster.node(name).path(SSL)
            clients[f"front proxy of {name}"] = {
                "server": BALANCER, "path": "/apis", "ca": f"{root}/ca.pem",
                "certificate": f"{root}/front-proxy-client.pem",
                "key": f"{root}/front-proxy-client-key.pem",
                "headers": {"X-Remote-User": "jane", "X-Remote-Group": "developers"}}
        servers.aggregate()
        servers.poll(clients)
        yield servers


def assert_well(servers: TwoServers) -> None:
    """No request has failed, every client goes on asking, the node is Ready with its static pod,
    logs and exec work."""
    cluster, before = servers.cluster, servers.asked()
    wait_for("each client asks on", lambda: all(
        client["asked"] > before[name]["asked"] for name, client in servers.asked().items()))
    assert servers.failures() == []
    assert cluster.is_ready("worker-1")
    wait_for("the kubelet shows its static pod", lambda: cluster.says(
        "get", "pod", "static-worker-1", "-o", "jsonpath={.status.phase}") == "Running")
    wait_for("logs", lambda: cluster.says("logs", "talker") == "here is talker", seconds=30)
    wait_for("exec", lambda: cluster.says("exec", "talker", "--", "sh", "-c", "echo $((6 * 7))")
             == "42", seconds=30)


def signed(servers: TwoServers, name: str) -> str:
    """The issuer of a client certificate that the controller manager signs now, on a request."""
    cluster = servers.cluster
    key = cluster.rig.folder / f"{name}.key"
    csr = run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
               "-keyout", str(key)]).stdout
    cluster.kubectl("apply", "-f", "-", given=json.dumps({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": name}, "spec": {
            "request": base64.b64encode(csr.encode()).decode(), "usages": ["client auth"],
            "signerName": "kubernetes.io/kube-apiserver-client"}}))
    cluster.kubectl("certificate", "approve", name)

    def answer() -> str:
        return cluster.says("get", "csr", name, "-o", "jsonpath={.status.certificate}")
    wait_for("the request is signed", answer)
    path = key.with_suffix(".crt")
    path.write_bytes(base64.b64decode(answer()))
    run(["openssl", "verify", "-partial_chain", "-purpose", "sslclient", "-CAfile",
         str(cluster.node("cp").path(f"{SSL}/ca.pem")), str(path)])
    known = cluster.says("auth", "whoami", "--server", f"https://{BALANCER}", "--client-key",
                         str(key), "--client-certificate", str(path), "--certificate-authority",
                         f"{SSL}/ca.pem", kubeconfig="/dev/null")
    assert says(known, name), known
    return run(["openssl", "x509", "-in", str(path), "-noout", "-issuer"]).stdout.strip()


def phase(servers: TwoServers, row: str, *words: str) -> str:
    """Do one phase and all that follows; the phase that is reached."""
    found = servers.rotate(row, *words)
    assert found["blocked"] == [] and found["behind"] == [] and found["cut_off"] == []
    assert_well(servers)
    return str(found["phase"])


def old_pair(cluster: Cluster, host: str, name: str) -> tuple[str, str]:
    """A copy of the pair that a host has now."""
    kept = cluster.rig.folder / f"pair-of-{host}-{len([*cluster.rig.folder.glob('pair-*')])}"
    kept.mkdir()
    for file in (f"{name}.pem", f"{name}-key.pem"):
        (kept / file).write_bytes((cluster.node(host).path(SSL) / file).read_bytes())
    return str(kept / f"{name}.pem"), str(kept / f"{name}-key.pem")


def asks(servers: TwoServers, server: str, pair: tuple[str, str], path: str) -> str:
    """The answer of one server to a client with this pair."""
    return servers.cluster.says(
        "get", "--raw", path, "--server", server, "--insecure-skip-tls-verify",
        "--client-certificate", pair[0], "--client-key", pair[1], kubeconfig="/dev/null")


def test_the_front_proxys_ca(servers: TwoServers) -> None:
    """No restart at all; the ConfigMap that only grows is deleted in the end. An aggregated API,
    which verifies the front proxy by the ConfigMap, answers all the time; the old pair is refused
    there in the end."""
    cluster = servers.cluster
    old, server = old_pair(cluster, "cp", "front-proxy-client"), f"https://{AGGREGATED}"
    assert '"user": null' in asks(servers, server, old, "/")
    assert [phase(servers, "front-proxy-ca") for _ in range(3)] == ["trust", "switch", "forget"]
    assert says(asks(servers, server, old, "/"), "unknown authority|unknown certificate|unknown ca"
                "|bad certificate|EOF|reset")
    now = old_pair(cluster, "cp", "front-proxy-client")
    assert '"user": null' in asks(servers, server, now, "/")


def test_the_clusters_ca_and_back(servers: TwoServers) -> None:
    """Both parts of trust, then switch; back to trust, and forward again to the end. In each phase
    requests are signed, by the CA of the phase. In the end each server refuses the old CA's
    kubeconfig, a kubelet's old pair, and the old pair for calls to kubelets."""
    cluster = servers.cluster
    pairs = {"kubelet": old_pair(cluster, "worker-1", "worker"),
             "calls": old_pair(cluster, "cp", "apiserver-kubelet-client")}
    kubelet = f"https://{ADDRESSES['worker-1']}:10250"
    assert all(says(asks(servers, f"https://{ADDRESSES[name]}:6443", pairs["kubelet"], "/api"),
                    "APIVersions") for name in SERVERS)
    assert says(asks(servers, kubelet, pairs["calls"], "/pods"), "PodList")
    first = signed(servers, "signed-before")
    old = cluster.rig.folder / "old-admin.conf"
    old.write_bytes((cluster.workspace / "users/admin.conf").read_bytes())
    issuers = dict[str, str]()
    for number, (words, reached) in enumerate([
            ([], "before"), ([], "trust"), ([], "switch"), (["--back"], "trust"), ([], "switch"),
            ([], "forget")]):
        assert phase(servers, "ca", *words) == reached
        issuers[f"{number} {reached}"] = signed(servers, f"signed-{number}")
    second = issuers["5 forget"]
    assert second != first and list(issuers.values()) == [first, first, second, first, second,
                                                          second], issuers
    refused = cluster.says("get", "nodes", kubeconfig=str(old))
    assert says(refused, "certificate signed by unknown authority|Unauthorized|provide credentials")
    for name in SERVERS:
        answer = asks(servers, f"https://{ADDRESSES[name]}:6443", pairs["kubelet"], "/api")
        assert says(answer, "Unauthorized|provide credentials"), answer
    assert says(asks(servers, kubelet, pairs["calls"], "/pods"), "Unauthorized|provide credentials")
    assert says(asks(servers, kubelet, old_pair(cluster, "cp", "apiserver-kubelet-client"),
                     "/pods"), "PodList")


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
    print({name: (client["asked"], client["again"], client["away"])
           for name, client in asked.items()})
