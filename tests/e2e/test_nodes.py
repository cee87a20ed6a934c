"""Two nodes from kpki's files: hosts of namespaces, containerd, a kubelet each."""
from __future__ import annotations

import json

import pytest

from tests.e2e.cluster import Cluster, Wanted, wanted
from tests.e2e.commands import wait_for

pytestmark = wanted(*(Wanted(layout, workers=2) for layout in ("ssl", "kubeadm", "hard-way")))
WORKERS = ("worker-1", "worker-2")


@pytest.fixture(scope="module")
def pods(cluster: Cluster) -> Cluster:
    """The cluster with a running pod on each worker, which says where it is."""
    for worker in WORKERS:
        cluster.run_pod(f"pod-{worker}", worker, f"echo here is {worker}; exec sleep 1000")
    for worker in WORKERS:
        wait_for(f"a pod runs on {worker}", lambda: phase(cluster, f"pod-{worker}") == "Running")
    return cluster


def phase(cluster: Cluster, pod: str) -> str:
    """How far a pod is."""
    return cluster.says("get", "pod", pod, "-o", "jsonpath={.status.phase}")


def test_ready(cluster: Cluster) -> None:
    """Both nodes are Ready, and stay so after a restart of their kubelets."""
    for worker in WORKERS:
        cluster.restart("kubelet", worker)
    for worker in WORKERS:
        wait_for(f"{worker} is Ready again", lambda: cluster.is_ready(worker))


def test_not_ready_without_kubelet(cluster: Cluster) -> None:
    """A node whose kubelet is stopped is not Ready: what the tests ask for Ready can say no."""
    cluster.node("worker-2").stop("kubelet")
    assert not cluster.is_ready("worker-2")
    cluster.restart("kubelet", "worker-2")
    wait_for("worker-2 is Ready again", lambda: cluster.is_ready("worker-2"))


def test_logs(pods: Cluster) -> None:
    """`kubectl logs` shows what a pod on each node has said: the API server and the kubelet trust
    each other."""
    for worker in WORKERS:
        wait_for(f"logs from {worker}",
                 lambda: pods.says("logs", f"pod-{worker}") == f"here is {worker}", seconds=20)


def test_exec(pods: Cluster) -> None:
    """`kubectl exec` runs a command in a pod on each node."""
    for worker in WORKERS:
        wait_for(f"exec on {worker}", lambda: pods.says(
            "exec", f"pod-{worker}", "--", "sh", "-c", "echo $((6 * 7))") == "42", seconds=20)


def test_check_finds_nothing(cluster: Cluster) -> None:
    """`kpki check` has nothing to say against a host that works, on the host itself.

    kubeadm leaves its kubelets a serving certificate of their own, which a warning says.
    """
    own = {"kubelet-serving-self-signed"} if cluster.wanted.layout == "kubeadm" else set()
    for name, host in cluster.hosts.items():
        done = host.run(["kpki", "check", "--json"], check=False)
        found = {finding["cause"] for finding in json.loads(done.stdout)["findings"]}
        assert (done.returncode, found - own) == (0, set()), name
        assert found == (own if name.startswith("worker") else set()), name


def test_wrong_expectations_fail(pods: Cluster) -> None:
    """Another pod's words, another phase, and a node that is not there are seen as such."""
    for what, seen in (("words", lambda: pods.says("logs", "pod-worker-1") == "here is worker-2"),
                       ("phase", lambda: phase(pods, "pod-worker-1") == "Failed"),
                       ("node", lambda: pods.is_ready("worker-3"))):
        with pytest.raises(AssertionError, match=f"not after 1 s: {what}"):
            wait_for(what, seen, seconds=1)
