"""The control plane on loopback, from `kpki apply` and `kpki flags` alone, as an ordinary user."""
from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path

import pytest

from tests.e2e.bare import Bare
from tests.e2e.cluster import Cluster, Wanted, wanted
from tests.e2e.commands import run, wait_for

pytestmark = wanted(*(Wanted(layout, algorithm) for layout in ("kubeadm", "ssl", "hard-way")
                      for algorithm in ("RSA-2048", "ECDSA-P256")))

PAIRS = {       # row → certificate and key, by layout
    "kubeadm": "/etc/kubernetes/pki/{0}.crt /etc/kubernetes/pki/{0}.key",
    "ssl": "/etc/kubernetes/ssl/{0}.pem /etc/kubernetes/ssl/{0}-key.pem",
    "hard-way": "/var/lib/kubernetes/{0}.crt /var/lib/kubernetes/{0}.key",
}
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def file_of(cluster: Cluster, row: str, *, key: bool = False) -> Path:
    """A row's certificate, or its key."""
    return cluster.cp.path(PAIRS[cluster.wanted.layout].format(row).split()[key])


def tls(cluster: Cluster, row: str | None) -> ssl.SSLContext:
    """A client with a row's pair, or with none; whom it talks to is not its question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if row:
        context.load_cert_chain(file_of(cluster, row), file_of(cluster, row, key=True))
    return context


def whoami(cluster: Cluster, row: str | None,
           headers: dict[str, str]) -> tuple[int, str | None, set[str]]:
    """The API server's answer, user and groups, to a client with a row's pair."""
    connection = http.client.HTTPSConnection(cluster.addresses["cp"],
                                             cluster.ports["kube-apiserver"], timeout=20,
                                             context=tls(cluster, row))
    connection.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                       json.dumps(REVIEW), {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    found = json.loads(answer.read()).get("status")
    connection.close()
    user = found["userInfo"] if isinstance(found, dict) else {}
    return answer.status, user.get("username"), set(user.get("groups", []))


def etcd_health(cluster: Cluster, row: str | None) -> str:
    """What etcd answers to a client with a row's pair."""
    connection = http.client.HTTPSConnection(cluster.addresses["cp"], cluster.ports["etcd"],
                                             timeout=20, context=tls(cluster, row))
    try:
        connection.request("GET", "/health")
        return connection.getresponse().read().decode()
    except (ssl.SSLError, ConnectionError) as error:
        return f"refused: {error}"
    finally:
        connection.close()


def test_namespaces(cluster: Cluster) -> None:
    """kubectl lists namespaces by the administrator's kubeconfig, and nobody does without a
    certificate."""
    listed = cluster.kubectl("get", "namespaces", "-o", "name").stdout.split()
    assert {"namespace/default", "namespace/kube-system"} <= set(listed)
    nobody = cluster.says("get", "namespaces", "--server", cluster.server,
                          "--insecure-skip-tls-verify", "--token=nobody", kubeconfig="/dev/null")
    assert "(Unauthorized)" in nobody


def test_users(cluster: Cluster) -> None:
    """Each kubeconfig logs in as the user and groups that `kpki show` says."""
    assert isinstance(cluster.cp, Bare)
    configs = [path for path in cluster.cp.folder.rglob("*") if path.is_file()
               and b"kind: Config" in path.read_bytes()]
    assert len(configs) >= 4
    for path in configs:
        made = cluster.workspace / "nodes/cp" / path.relative_to(cluster.cp.folder)
        shown = json.loads(run(["kpki", "show", str(made), "--json"]).stdout)
        found = json.loads(cluster.kubectl("auth", "whoami", "-o", "json",
                                           kubeconfig=str(path)).stdout)
        user = found["status"]["userInfo"]
        groups = set(user["groups"]) - {"system:authenticated"}
        assert (user["username"], groups) == (shown["user"], set(shown["groups"]))


def test_service_account_tokens(cluster: Cluster) -> None:
    """A service account's token is issued and accepted; one that the key did not sign is
    refused."""
    token = cluster.kubectl("create", "token", "default").stdout.strip()
    head, claims, signature = token.split(".")
    assert whoami(cluster, None, {"Authorization": f"Bearer {token}"})[:2] == (
        201, "system:serviceaccount:default:default")
    turned = signature[:20] + ("A" if signature[20] != "A" else "B") + signature[21:]
    assert whoami(cluster, None, {"Authorization": f"Bearer {head}.{claims}.{turned}"})[0] == 401


def test_front_proxy(cluster: Cluster) -> None:
    """The front proxy's certificate speaks for others by headers; any other speaks for itself."""
    headers = {"X-Remote-User": "jane", "X-Remote-Group": "developers"}
    assert (whoami(cluster, "front-proxy-client", headers)
            == (201, "jane", {"developers", "system:authenticated"}))
    status, user, _ = whoami(cluster, "apiserver-kubelet-client", headers)
    assert (status, user) == (201, "kube-apiserver-kubelet-client")
    assert whoami(cluster, "front-proxy-client", {})[0] == 401


def test_etcd_clients(cluster: Cluster) -> None:
    """etcd answers the API server's certificate for etcd, and refuses a client of another CA or of
    none."""
    etcd_client = "apiserver-etcd-client"
    assert json.loads(etcd_health(cluster, etcd_client))["health"] == "true"
    for other in ("apiserver-kubelet-client", None):
        assert etcd_health(cluster, other).startswith("refused: ")
    for reason in ("certificate signed by unknown authority",
                   "client didn't provide a certificate"):
        wait_for(f"etcd says {reason}", lambda: reason in cluster.cp.log("etcd"), seconds=10)


def test_wrong_expectations_fail(cluster: Cluster) -> None:
    """With another user, another answer of etcd's or another component's word the proofs above
    fail."""
    assert whoami(cluster, "front-proxy-client", {"X-Remote-User": "jane"})[1] != "joe"
    assert not etcd_health(cluster, "apiserver-etcd-client").startswith("refused: ")
    with pytest.raises(AssertionError):
        wait_for("etcd says what it never says", lambda: "no such words" in cluster.cp.log("etcd"),
                 seconds=1)
    cluster.cp.stop("kube-scheduler")
    assert not cluster.is_well("kube-scheduler")
    cluster.restart("kube-scheduler")
    cluster.wait_until_well("kube-scheduler")
