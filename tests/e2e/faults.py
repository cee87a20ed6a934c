"""The table of faults: what befalls which host, what the real component then says, and what `kpki
check` must say."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.e2e.spoiling import (
    OTHER,
    Spoil,
    also_holds,
    changed,
    copied,
    copied_as,
    encrypted,
    gone,
    has,
    holds,
    leaf,
    other_ca,
    other_key,
    trusts_another,
    with_waiting_pod,
)
from tests.hosts.pki import LATER, PAST

Outcome = Literal["ends", "refused", "well"]


@dataclass(frozen=True)
class Fault:
    """One fault of one host."""

    name: str
    "Of the test, and of the log that is kept."
    component: str
    "What is restarted after the fault, and ends or runs on."
    spoil: Spoil
    "What befalls the host."
    says: str
    "A regular expression, which matches what is said in *where*."
    cause: str
    "What `kpki check` names, alone."
    outcome: Outcome = "refused"
    "Whether the component ends, runs and is refused, or is well."
    where: str = ""
    "Who says it: a component, or one of `test_faults.calls`."
    severity: str = "error"
    "Of the finding."
    by_hand: bool = False
    "Whether check has words alone against the fault, and no command."
    described: bool = False
    "Whether check is run in the workspace, whose description says what no file of the host does."

    def __str__(self) -> str:
        return self.name


SSL, PKI = "/etc/kubernetes/ssl", "/etc/kubernetes/pki"
CA, WORKER, WORKER_KEY = f"{SSL}/ca.pem", f"{SSL}/worker.pem", f"{SSL}/worker-key.pem"
KUBECONFIG = "/etc/kubernetes/worker-kubeconfig.yaml"
SERVICE = ",".join(f"DNS:{name}" for name in (
    "cp", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local"))
V2 = r"verifying certificate SN=\d+.* failed: "

# Layout ssl, worker-2: a kubelet with its files by paths.
OF_KUBELET = [
    Fault("kubelet-ca-gone", "kubelet", gone(CA), "unable to load client CA file "
          "/etc/kubernetes/ssl/ca.pem: open .*: no such file", "file-missing", "ends"),
    Fault("kubelet-pair-gone", "kubelet", gone(WORKER, WORKER_KEY), "unable to read client-cert "
          "/etc/kubernetes/ssl/worker.pem .*no such file", "file-missing", "ends"),
    Fault("kubelet-key-gone", "kubelet", gone(WORKER_KEY), "unable to read client-key "
          "/etc/kubernetes/ssl/worker-key.pem .*no such file", "file-missing", "ends"),
    Fault("kubelet-kubeconfig-gone", "kubelet", gone(KUBECONFIG),
          "worker-kubeconfig.yaml: no such file", "file-missing", "ends"),
    Fault("kubelet-ca-empty", "kubelet", holds(CA, ""),
          "data does not contain any valid RSA or ECDSA certificates", "bad-pem", "ends"),
    Fault("kubelet-certificate-empty", "kubelet", holds(WORKER, ""),
          "missing content for serving cert", "bad-pem", "ends"),
    Fault("kubelet-key-of-another-pair", "kubelet", holds(WORKER_KEY, other_key),
          "tls: private key does not match public key", "key-cert-mismatch", "ends"),
    Fault("kubelet-key-encrypted", "kubelet", encrypted(WORKER_KEY),
          "tls: failed to parse private key", "encrypted-key", "ends"),
    Fault("kubelet-kubeconfig-without-context", "kubelet",
          changed(KUBECONFIG, "current-context: .*", ""),
          "invalid kubeconfig|invalid configuration|no configuration", "kubeconfig-broken", "ends"),
    Fault("kubelet-of-another-ca", "kubelet", leaf(WORKER, signer=OTHER),
          V2 + ".*unknown authority", "unknown-authority", where="kube-apiserver"),
    Fault("kubelet-expired", "kubelet", leaf(WORKER, dates=PAST), V2 + ".*certificate has expired "
          "or is not yet valid", "expired-client-cert", where="kube-apiserver"),
    Fault("kubelet-not-yet-valid", "kubelet", leaf(WORKER, dates=LATER), V2 + ".*is before",
          "not-yet-valid", where="kube-apiserver"),
    Fault("kubelet-server-only", "kubelet", leaf(WORKER, usages="serverAuth"),
          V2 + ".*incompatible key usage", "wrong-eku", where="kube-apiserver"),
    Fault("kubelet-without-address", "kubelet", leaf(WORKER, names="DNS:worker-2"),
          "doesn't contain any IP SANs", "missing-san-ip", where="logs", described=True),
    Fault("kubelet-configuration-of-another-kind", "kubelet",
          holds("/var/lib/kubelet/config.yaml", "kind: Pod\n"),
          "failed to load kubelet config file", "flags-mismatch", "ends", by_hand=True),
    Fault("kubelet-client-only", "kubelet", leaf(WORKER, usages="clientAuth"),
          "incompatible key usage", "wrong-eku", where="logs"),
    Fault("kubelet-organisation", "kubelet",
          leaf(WORKER, subject="/O=nodes/CN=system:node:worker-2"),
          'User "system:node:worker-2" cannot get resource "nodes"', "wrong-organisation"),
    Fault("kubelet-upper-case",
          "kubelet", leaf(WORKER, subject="/O=system:nodes/CN=system:node:Worker-2"),
          "node 'Worker-2' cannot read 'worker-2'", "hostname-case-fqdn"),
    Fault("kubelet-plain-name", "kubelet", leaf(WORKER, subject="/O=system:nodes/CN=worker-2"),
          'User "worker-2" cannot get resource "nodes"', "wrong-subject"),
    Fault("kubelet-of-its-neighbour", "kubelet", copied(WORKER, WORKER_KEY, source="worker-1"),
          "node 'worker-1' cannot read 'worker-2', only its own Node object",
          "wrong-node-identity"),
    Fault("kubelet-trusts-another-ca", "kubelet", holds(CA, other_ca),
          "certificate signed by unknown authority", "unknown-authority"),
    Fault("kubelet-short-key", "kubelet", leaf(WORKER, key="512"),
          "insecure|too (long|small|short)|512", "weak-signature-or-key"),
    Fault("kubelet-key-for-all", "kubelet", has(WORKER_KEY, 0o644), "", "key-exposed", "well"),
    Fault("kubelet-rsa-1024", "kubelet", leaf(WORKER, key="1024"), "", "weak-signature-or-key",
          "well", severity="warning"),
    Fault("kubelet-ends-soon", "kubelet", leaf(WORKER, days="5"), "", "expiring-soon", "well",
          severity="warning"),
    Fault("kubelet-outlives-ca", "kubelet", leaf(WORKER, days="7300"), "", "outlives-ca", "well",
          severity="warning"),
]

# Layout kubeadm, cp: pairs below pki, kubeconfigs that embed theirs.
OF_CONTROL_PLANE = [
    Fault("apiserver-expired", "kube-apiserver", leaf(f"{PKI}/apiserver.crt", dates=PAST),
          "certificate has expired or is not yet valid", "expired-server-cert", where="kubectl"),
    Fault("apiserver-without-address", "kube-apiserver",
          leaf(f"{PKI}/apiserver.crt", names=SERVICE), "doesn't contain any IP SANs",
          "missing-san-ip", where="kubectl"),
    Fault("apiserver-another-address", "kube-apiserver",
          leaf(f"{PKI}/apiserver.crt", names=f"{SERVICE},IP:10.9.9.9"),
          "certificate is valid for 10.9.9.9, not 10.99.0.1", "missing-san-ip", where="kubectl"),
    Fault("apiserver-without-names", "kube-apiserver", leaf(f"{PKI}/apiserver.crt", names=""),
          "doesn't contain any IP SANs|legacy Common Name", "legacy-cn-no-san", where="kubectl"),
    Fault("apiserver-of-another-ca", "kube-apiserver", leaf(f"{PKI}/apiserver.crt", signer=OTHER),
          "certificate signed by unknown authority", "unknown-authority", where="kubectl"),
    Fault("apiserver-client-only", "kube-apiserver",
          leaf(f"{PKI}/apiserver.crt", usages="clientAuth"), "incompatible key usage", "wrong-eku",
          where="kubectl"),
    Fault("apiserver-key-of-another-pair", "kube-apiserver",
          holds(f"{PKI}/apiserver.key", other_key), "tls: private key does not match public key",
          "key-cert-mismatch", "ends"),
    Fault("apiserver-ca-gone", "kube-apiserver", gone(f"{PKI}/ca.crt"), "ca.crt: no such file",
          "file-missing", "ends"),
    Fault("apiserver-front-proxy-ca-empty", "kube-apiserver",
          holds(f"{PKI}/front-proxy-ca.crt", ""), "missing content for CA bundle", "bad-pem",
          "ends"),
    Fault("apiserver-sa-pub-garbage", "kube-apiserver", holds(f"{PKI}/sa.pub", "nothing\n"),
          "data does not contain any valid RSA or ECDSA public keys", "bad-pem", "ends"),
    Fault("apiserver-sa-key-of-another", "kube-controller-manager",
          holds(f"{PKI}/sa.key", other_key), "invalid bearer token", "sa-key-mismatch", "ends",
          where="kube-apiserver"),
    Fault("apiserver-kubelet-client-expired", "kube-apiserver",
          leaf(f"{PKI}/apiserver-kubelet-client.crt", dates=PAST), "Unauthorized|must be logged in",
          "expired-client-cert", where="logs"),
    Fault("front-proxy-client-of-another-ca", "kube-apiserver",
          leaf(f"{PKI}/front-proxy-client.crt"), 'User "front-proxy-client" cannot get path',
          "front-proxy-ca", "well", where="front-proxy"),
    Fault("apiserver-etcd-client-of-another-ca", "kube-apiserver",
          leaf(f"{PKI}/apiserver-etcd-client.crt"), "rejected connection.*unknown authority",
          "etcd-peer-cert", "ends", where="etcd"),
    Fault("etcd-server-expired", "etcd", leaf(f"{PKI}/etcd/server.crt", signer="etcd", dates=PAST),
          "certificate has expired", "expired-server-cert", where="kube-apiserver"),
    Fault("etcd-server-without-address", "etcd",
          leaf(f"{PKI}/etcd/server.crt", signer="etcd", names="DNS:cp"),
          "doesn't contain any IP SANs", "missing-san-ip", where="kube-apiserver"),
    Fault("etcd-server-of-another-ca", "etcd", leaf(f"{PKI}/etcd/server.crt"), "unknown authority",
          "etcd-peer-cert", where="kube-apiserver"),
    Fault("etcd-server-only", "etcd",
          leaf(f"{PKI}/etcd/server.crt", signer="etcd", usages="serverAuth"),
          "incompatible key usage", "wrong-eku", "well", severity="warning"),
    Fault("etcd-key-gone", "etcd", gone(f"{PKI}/etcd/server.key"), "server.key: no such file",
          "file-missing", "ends"),
    Fault("etcd-ca-empty", "etcd", holds(f"{PKI}/etcd/ca.crt", ""), "unknown authority", "bad-pem"),
    Fault("controller-manager-wrong-ca",
          "kube-controller-manager", trusts_another("/etc/kubernetes/controller-manager.conf"),
          "certificate signed by unknown authority", "kubeconfig-wrong-ca", "ends"),
    Fault("controller-manager-signing-bundle", "kube-controller-manager",
          also_holds(f"{PKI}/ca.crt", other_ca), "expected 1 certificate, found 2",
          "signing-bundle", "ends", by_hand=True),
    Fault("controller-manager-is-another", "kube-controller-manager",
          copied_as("/etc/kubernetes/controller-manager.conf", "/etc/kubernetes/scheduler.conf"),
          'User "system:kube-scheduler" cannot', "wrong-subject", "ends"),
    Fault("scheduler-is-another", "kube-scheduler", with_waiting_pod(
          copied_as("/etc/kubernetes/scheduler.conf", "/etc/kubernetes/controller-manager.conf")),
          'User "system:kube-controller-manager" cannot create resource "pods/binding"',
          "wrong-subject"),
    Fault("scheduler-of-no-known-name", "kube-scheduler",
          leaf("/etc/kubernetes/scheduler.conf", subject="/CN=system:scheduler"), 'User '
          '"system:scheduler" cannot list resource "pods"', "wrong-subject", severity="warning"),
    Fault("scheduler-expired", "kube-scheduler", leaf("/etc/kubernetes/scheduler.conf", dates=PAST),
          V2 + ".*certificate has expired", "expired-client-cert", where="kube-apiserver"),
    Fault("administrator-expired", "kube-apiserver", leaf("/etc/kubernetes/admin.conf", dates=PAST),
          "Unauthorized|must be logged in", "expired-client-cert", "well", where="administrator"),
]
