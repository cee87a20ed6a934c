"""The story of docs/index.md on real nodes: a worker's files are lost, its neighbour's do not help,
kpki's do."""
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.cluster import Cluster, Wanted, started
from tests.e2e.commands import SECONDS, minor, run, says, wait_for
from tests.e2e.rig import Rig
from tests.e2e.spoiling import leaf
from tests.hosts.pki import PAST

SSL = "/etc/kubernetes/ssl"
PAIR = (f"{SSL}/worker.pem", f"{SSL}/worker-key.pem")
FILES = (f"{SSL}/ca.pem", *PAIR)
# What the page does to have workers: openssl, with the options of the Kubernetes documentation and
# of CoreOS.
AUTHORITY = """
mkdir {ca}; cd {ca}
openssl genrsa -out ca-key.pem 2048
openssl req -x509 -new -noenc -key ca-key.pem -subj "/CN=kube-ca" -days 10000 -out ca.pem
"""
WORKER = """
cd /run; ssl=/etc/kubernetes/ssl; rm -f $ssl/* /etc/kubernetes/*kubeconfig.yaml
cat > worker-openssl.cnf <<'END'
[req]
req_extensions = v3_req
distinguished_name = req_distinguished_name
[req_distinguished_name]
[ v3_req ]
basicConstraints = CA:FALSE
keyUsage = nonRepudiation, digitalSignature, keyEncipherment
subjectAltName = @alt_names
[alt_names]
IP.1 = {address}
END
openssl genrsa -out $ssl/worker-key.pem 2048
openssl req -new -key $ssl/worker-key.pem -out worker.csr \
    -subj "/CN=system:node:{name}/O=system:nodes" -config worker-openssl.cnf
openssl x509 -req -in worker.csr -CA {ca}/ca.pem -CAkey {ca}/ca-key.pem -CAcreateserial \
    -out $ssl/worker.pem -days 365 -extensions v3_req -extfile worker-openssl.cnf
cp {ca}/ca.pem $ssl/; chmod 600 $ssl/*-key.pem
cat > /etc/kubernetes/worker-kubeconfig.yaml <<'END'
apiVersion: v1
kind: Config
clusters:
- name: local
  cluster:
    server: {server}
    certificate-authority: /etc/kubernetes/ssl/ca.pem
users:
- name: kubelet
  user:
    client-certificate: /etc/kubernetes/ssl/worker.pem
    client-key: /etc/kubernetes/ssl/worker-key.pem
contexts:
- context:
    cluster: local
    user: kubelet
  name: kubelet-context
current-context: kubelet-context
END
"""
STATIC_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: static, namespace: default}
spec:
  containers: [{name: main, image: "kpki.example/shell:1", imagePullPolicy: Never}]
"""


@dataclass
class Story:
    """The cluster, the folder of the page's CA, and the neighbour as it was at the beginning."""

    cluster: Cluster
    ca: str
    neighbour: tuple[str, ...] = ()

    def check(self, *options: str) -> tuple[set[str], set[str]]:
        """The causes that check finds on worker-2, errors and warnings apart."""
        told = self.cluster.node("worker-2").run(f"kpki check --json --quiet {' '.join(options)}",
                                                 check=False).stdout
        found = [(finding["severity"], finding["cause"])
                 for finding in json.loads(told)["findings"]]
        return {cause for kind, cause in found
                if kind == "error"}, {cause for kind, cause in found if kind != "error"}

    def expect(self, words: str, cause: str, *, ends: bool, log: str = "kubelet",
               seconds: float = SECONDS) -> None:
        """worker-2's kubelet, started anew, says this, and check has this one error; the neighbour
        is undisturbed."""
        worker = self.cluster.node("worker-2")
        worker.restart("kubelet")
        if ends:
            wait_for("the kubelet ends", lambda: worker.ended("kubelet"), seconds=seconds)
        said = worker.log if log == "kubelet" else self.cluster.cp.log
        wait_for(f"{log} says {words!r}", lambda: says(said(log), words), seconds=seconds)
        assert self.check()[0] == {cause}
        assert not self.cluster.is_ready("worker-2")
        assert self.neighbour_now() == self.neighbour and self.cluster.is_ready("worker-1")

    def neighbour_now(self) -> tuple[str, ...]:
        """What must not change of worker-1: its kubelet's process, its files, since when it is
        Ready, its pods."""
        worker = self.cluster.node("worker-1")
        since = self.cluster.says(
            "get", "node", "worker-1", "-o",
            'jsonpath={.status.conditions[?(@.type=="Ready")].lastTransitionTime}')
        pods = self.cluster.says("get", "pods", "-A", "--field-selector=spec.nodeName=worker-1",
                                 "-o",
                                 "jsonpath={.items[*].metadata.uid}{.items[*].status.phase}"
                                 "{.items[*].status.containerStatuses[*].restartCount}")
        files = worker.run(f"sha256sum {' '.join(FILES)} /etc/kubernetes/worker-kubeconfig.yaml; "
                           f"stat -c %Y {SSL}/*")
        return str(*worker.pids("kubelet")), since, pods, files.stdout

    def mend(self, commands: str) -> None:
        """Run commands on worker-2 in an empty folder, then what they name as next."""
        worker = self.cluster.node("worker-2")
        done = worker.run(f"rm -rf /run/work; mkdir /run/work; cd /run/work; {commands}")
        assert "systemctl restart kubelet" in done.stderr
        worker.run("systemctl restart kubelet")
        wait_for("worker-2 is Ready again", lambda: self.cluster.is_ready("worker-2"))
        assert self.check() == (set(), {"strict-refused"})


@pytest.fixture(scope="module")
def story(rig: Rig) -> Iterator[Story]:
    """A control plane of kpki's, with the page's CA, and two workers of the page's."""
    ca = f"{rig.folder}/ca"
    run(["sh", "-ec", AUTHORITY.format(ca=ca)])
    own = (f"certificateAuthorities: {{kubernetes: {{certificate: {ca}/ca.pem, key: "
           f"{ca}/ca-key.pem}}}}")
    with started(rig, Wanted("ssl", workers=2, description=own)) as cluster:
        for name in ("worker-1", "worker-2"):
            cluster.node(name).run(WORKER.format(ca=ca, name=name, address=cluster.addresses[name],
                                                 server=cluster.server))
            cluster.restart("kubelet", name)
        cluster.node("worker-2").write("/etc/kubernetes/manifests/static.yaml", STATIC_POD)
        cluster.run_pod("neighbour", "worker-1", "exec sleep 100000")
        told = Story(cluster, ca)
        wait_for("both are Ready", lambda: all(map(cluster.is_ready, ("worker-1", "worker-2"))))
        wait_for("a pod runs on worker-1", lambda: cluster.says(
            "get", "pod", "neighbour", "-o", "jsonpath={.status.phase}") == "Running")
        wait_for("the mirror pod is there", lambda: cluster.says(
            "get", "pod", "static-worker-2", "-o", "jsonpath={.status.phase}") == "Running")
        told.neighbour = told.neighbour_now()
        yield told


def test_healthy(story: Story) -> None:
    """The page's workers are Ready, and check only warns that strict verification refuses the
    page's CA."""
    assert story.check() == (set(), {"strict-refused"})


def test_lost(story: Story) -> None:
    """The files vanish: the kubelet does not start, for it has no CA file; check names each file,
    and why."""
    story.cluster.node("worker-2").run(f"rm {SSL}/*")
    # since 1.37 a kubelet reads its kubeconfig, which names the same file, before its own CA
    story.expect("(unable to load client CA file|unable to read certificate-authority) "
                 f"{SSL}/ca.pem\\b.* open {SSL}/ca.pem: no such file or directory", "file-missing",
                 ends=True)
    told = story.cluster.node("worker-2").run("kpki check", check=False)
    assert told.returncode == 1 and all(path[1:] in told.stdout for path in FILES)
    assert "system:node:worker-2" not in told.stdout


def test_neighbours(story: Story) -> None:
    """A kubelet starts with another node's files, and the API server refuses all its requests."""
    worker = story.cluster.node("worker-2")
    for path in FILES:
        worker.write(path, story.cluster.node("worker-1").path(path).read_bytes(), 0o600)
    words = ("node 'worker-1' cannot read 'worker-2', only its own Node object" if minor() >= 32
             else (
                 'node "worker-1" is not allowed to modify node "worker-2"'))
    story.expect(words, "wrong-node-identity", ends=False)
    assert words in worker.run("kpki check", check=False).stdout


def test_neighbours_and_admission(story: Story) -> None:
    """Where RBAC alone authorizes nodes, admission refuses the neighbour's files in the words that
    check prints."""
    cluster, worker = story.cluster, story.cluster.node("worker-2")
    unit = cluster.cp.path("/etc/systemd/system/kube-apiserver.service")
    before = unit.read_text()
    cluster.kubectl("create", "clusterrolebinding", "nodes", "--clusterrole=system:node",
                    "--group=system:nodes")
    unit.write_text(before.replace("Node,RBAC", "RBAC"))
    try:
        restart_apiserver(cluster)
        worker.restart("kubelet")
        for words in ('nodes "worker-2" is forbidden: node "worker-1" is not allowed to modify '
                      'node "worker-2"',
                      'pods? "static-worker-2".* is forbidden: node "worker-1" can only .* set to '
                      'itself'):
            wait_for(f"the kubelet says {words!r}", lambda: says(worker.log("kubelet"), words))
    finally:
        unit.write_text(before)
        cluster.kubectl("delete", "clusterrolebinding", "nodes")
        restart_apiserver(cluster)
    wait_for("worker-1 is Ready", lambda: cluster.is_ready("worker-1"))
    story.neighbour = story.neighbour_now()     # its API server was away


def restart_apiserver(cluster: Cluster) -> None:
    """Start the API server by its unit as it stands now, and the controller manager, whose watches
    have ended."""
    cluster.cp.run("systemctl daemon-reload")
    cluster.restart("kube-apiserver")
    cluster.restart("kube-controller-manager")
    cluster.wait_until_well()


def test_issue_and_install(story: Story) -> None:
    """Issue and install bring the node back, and with it the static pod's mirror."""
    address, server = story.cluster.addresses["worker-2"], story.cluster.server
    story.mend(f"kpki node issue worker-2 --ca {story.ca}/ca.pem --ca-key {story.ca}/ca-key.pem "
               f"--address {address} "
               f"--server {server}; kpki node install nodes/worker-2 --node worker-2")
    wait_for("the mirror pod is there", lambda: story.cluster.says(
        "get", "pod", "static-worker-2", "-o", "jsonpath={.status.phase}") == "Running")
    assert story.neighbour_now() == story.neighbour


def test_empty(story: Story) -> None:
    """Empty files: the kubelet does not start, check says so, and its own commands bring the node
    back."""
    for path in FILES:
        story.cluster.node("worker-2").write(path, "", 0o600)
    story.expect("data does not contain any valid RSA or ECDSA certificates|missing content for CA "
                 "bundle", "bad-pem", ends=True)
    printed(story)


def test_expired(story: Story) -> None:
    """An expired certificate: the kubelet runs unauthorized, the API server's log has the cause,
    and so has check."""
    leaf(PAIR[0], signer=f"{story.ca}/ca.pem", dates=PAST)(story.cluster, "worker-2")
    story.expect("verifying certificate SN=.* failed: x509: certificate has expired",
                 "expired-client-cert", ends=False, log="kube-apiserver")
    printed(story)


def test_key_stays_on_the_node(story: Story) -> None:
    """Lost files come back by request, sign and install as well, and the key never leaves the
    node."""
    story.cluster.node("worker-2").run(f"rm {SSL}/*")
    address, ca = story.cluster.addresses["worker-2"], story.ca
    story.mend(f"kpki node request worker-2 --address {address} --layout ssl; kpki node sign "
               f"nodes/worker-2.csr --node worker-2 --ca {ca}/ca.pem --ca-key {ca}/ca-key.pem "
               f"--address {address} --layout ssl; kpki node install nodes/worker-2.pem "
               f"--node worker-2 --server {story.cluster.server} --layout ssl")
    assert story.neighbour_now() == story.neighbour


def test_wrong_expectations_fail(story: Story) -> None:
    """Another cause or word than the real one, or a node that is Ready, fails the story."""
    with pytest.raises(AssertionError):
        story.expect("no kubelet says this", "file-missing", ends=False, seconds=5)
    story.cluster.node("worker-2").run(f"mv {PAIR[0]} {PAIR[0]}.aside")
    for words, cause in (("no kubelet says this", "file-missing"), ("no such file", "bad-pem")):
        with pytest.raises(AssertionError):
            story.expect(words, cause, ends=True, seconds=5)
    story.cluster.node("worker-2").run(f"mv {PAIR[0]}.aside {PAIR[0]}; systemctl restart kubelet")


def printed(story: Story) -> None:
    """Mend worker-2 by what check prints."""
    check = f"kpki check --commands --quiet --ca {story.ca}/ca.pem --ca-key {story.ca}/ca-key.pem"
    story.mend(f"{check} > mend.sh || :; sh -e mend.sh")
    assert story.neighbour_now() == story.neighbour
