"""What a checker with kubeadm in mind calls broken although the host is healthy (A19 of the page of
distributions). The healthy hosts themselves have more of these."""
from __future__ import annotations

from dataclasses import dataclass, replace

from tests.hosts import (
    cloud,
    hard_way,
    k3s,
    kubeadm,
    kubeasz,
    kubespray,
    managed,
    mmumshad,
    openshift,
)
from tests.hosts.kubeadm import CONF, PKI, STORE
from tests.hosts.making import (
    CURRENT,
    Change,
    Host,
    Made,
    crt,
    embedded,
    expired,
    gone,
    holds,
    joined,
    key,
    kubeconfig,
    made_so,
    pair,
    public,
    put,
    text,
)
from tests.hosts.pki import PAST, Row, ca

_OLD = {"stale": Row("/O=system:nodes/CN=system:node:another", "stale-ca", "clientAuth",
                     dates=PAST), "stale-ca": ca("/CN=of-another-cluster"),
        "ended-ca": ca("/CN=kubernetes", dates=PAST)}


@dataclass(frozen=True)
class Oddity:
    """A healthy host, and what is changed of it without harm."""

    host: str
    change: Change

    def __str__(self) -> str:
        return f"{self.host}: {self.change.name}"


def beside(name: str, files: dict[str, Made]) -> Change:
    """Further files, which nobody is told to read, and rows of old for them."""
    def apply(host: Host) -> Host:
        return replace(host, rows={**host.rows, **_OLD}, files={**host.files, **files})
    return Change(name, apply)


def known(change: Change) -> Change:
    """A change that takes of the rows of old."""
    return Change(change.name, lambda host: change.apply(replace(host, rows={**host.rows, **_OLD})))


_PODS = f"{CONF}/manifests"
ODDITIES = (
    # files that nobody reads
    Oddity("kubeadm worker", beside("an old pair in the store", {
        f"{STORE}/kubelet-client-2025-10-12-13-14-15.pem": joined(crt("stale"), key("stale"))})),
    Oddity("kubeadm worker", beside("a leftover folder", {
        **pair("etc/kubernetes/ssl/worker.pem", "etc/kubernetes/ssl/worker-key.pem", "stale"),
        "etc/kubernetes/ssl/ca.pem": crt("stale-ca")})),
    Oddity("kubeadm control plane", beside("a copy of old", {
        **pair(f"{PKI}.old/apiserver.crt", f"{PKI}.old/apiserver.key", "stale"),
        f"{PKI}.old/ca.crt": crt("stale-ca"),
        f"{PKI}/apiserver.crt.bak": crt("stale"), f"{CONF}/admin.conf.old": embedded(
            "kubernetes-admin", "https://10.9.9.9:6443", "stale-ca", "stale")})),
    Oddity("kubeadm control plane", beside("a manifest that was put aside", {
        f"{CONF}/manifests-aside/kube-apiserver.yaml": "apiVersion: v1\nkind: Pod\n"
        "spec:\n  containers:\n  - command:\n    - kube-apiserver\n"
        "    - --tls-cert-file=/etc/kubernetes/pki/another.crt\n",
        f"{_PODS}/.kube-apiserver.yaml.swp": "apiVersion: v1\nkind: Pod\nspec:\n"
        "  containers:\n  - command:\n    - kube-apiserver\n"
        "    - --tls-cert-file=/etc/kubernetes/pki/another.crt\n"})),
    Oddity("kops node", beside("a kubelet's store of an earlier image", {
        f"{STORE}/kubelet-client-2025-10-12-13-14-15.pem": joined(crt("stale"), key("stale"))})),
    Oddity("hard way 1.18 worker", beside("a store, and rotation is off", {
        CURRENT: joined(crt("stale"), key("stale"))})),
    Oddity("OpenShift master", expired("etcd-client-old")),
    Oddity("AKS, serving pair by request",
           expired("kubeletserver") + beside("the former serving pair", dict(pair(
               f"{cloud.CERTS}/kubeletserver.crt", f"{cloud.CERTS}/kubeletserver.key",
               "kubeletserver")))),
    Oddity("AKS, own serving pair", expired("apiserver")),
    Oddity("k3s server", gone(f"{k3s.K3S}/server/db/etcd/config") + expired("etcd-server")
           + expired("etcd-peer")),
    # the kubelet's own serving pair
    Oddity("kubeadm worker", gone(f"{STORE}/kubelet.crt", f"{STORE}/kubelet.key")),
    Oddity("kubeadm worker", expired("w-1-own")),
    Oddity("kubeadm worker, serverTLSBootstrap", expired("w-1-own")),
    Oddity("mmumshad node01", beside("an unused pair of the kubelet's", dict(pair(
        f"{STORE}/kubelet.crt", f"{STORE}/kubelet.key", "stale")))),
    # identities
    Oddity("kubeadm control plane", known(holds(f"{CONF}/kubelet.conf", embedded(
        "default-auth", kubeadm.SERVER, "ca", "cp-1"), "an embedded pair") + expired("cp-1", at=(
            f"{STORE}/kubelet-client-2026-10-12-13-14-15.pem")))),
    Oddity("kubeadm worker",
           made_so("w-1", subject="/O=system:nodes/O=site:blue/CN=system:node:w-1")),
    Oddity("kubeadm worker", holds(f"{CONF}/kubelet.conf", kubeconfig(
        "default-auth", "https://api.example.test:6443", f"/{PKI}/ca.crt", f"/{CURRENT}",
        f"/{CURRENT}"),
                                   "a CA by path")),
    Oddity("kubeadm control plane",
           made_so("apiserver-kubelet-client",
                   subject="/O=system:masters/CN=kube-apiserver-kubelet-client")),
    Oddity("kubeadm control plane", made_so("etcd/server", subject="/CN=kube-etcd")),
    Oddity("kubeadm control plane", made_so("etcd/peer", subject="/O=site/CN=kube-etcd-peer")),
    Oddity("kubeadm control plane", made_so("apiserver", subject="/O=site/CN=kubernetes")),
    Oddity("kubeadm control plane",
           made_so("apiserver", names=kubeadm.certificates()["apiserver"].names
                   + ",DNS:*.example.test,IP:192.0.2.1")),
    Oddity("kubeadm control plane", made_so("front-proxy-client", usages="clientAuth,serverAuth")),
    Oddity("kubeadm control plane", made_so("scheduler", usages="")),
    Oddity("kubeadm control plane",
           made_so("controller-manager", names="DNS:localhost,IP:127.0.0.1")),
    Oddity("kops node",
           made_so("kube-proxy", subject="/O=system:node-proxier/CN=system:kube-proxy")),
    Oddity("kops control plane", made_so("server", subject="/CN=anything")),
    Oddity("kubeasz node",
           made_so("worker-01", at=f"{kubeasz.SSL}/kubelet.pem", subject="/CN=worker-01")),
    Oddity("hard way 2023 node",
           made_so("node-0", at="var/lib/kubelet/kubelet.crt", subject="/CN=anything")),
    # service accounts
    Oddity("hard way 1.18 controller", expired("service-account")),
    Oddity("mmumshad control plane", expired("service-account")),
    Oddity("hard way 2023 server", holds("var/lib/kubernetes/service-accounts.crt",
                                         public("service-accounts"), "a bare public key")),
    Oddity("kubeadm control plane",
           holds(f"{PKI}/sa.pub", joined(public("sa"), public("super-admin")), "two keys")),
    # servers
    Oddity("kubeadm control plane", holds(f"{CONF}/scheduler.conf", embedded(
        "system:kube-scheduler", "10.0.0.10:6443", "ca", "scheduler"),
                                          "a server without https://")),
    Oddity("kubeadm control plane",
           holds(f"{PKI}/ca.crt", joined(crt("ca"), key("ca")), "the key too")),
    # CAs
    Oddity("kubeadm worker", holds(f"{PKI}/ca.crt", crt("ca", "ca!"), "two CAs")),
    Oddity("kubeadm worker",
           known(holds(f"{PKI}/ca.crt", crt("ended-ca", "ca"), "an ended CA and the right one"))),
    Oddity("kubeadm etcd host", holds(f"{PKI}/etcd/ca.crt", crt("etcd-ca!", "etcd-ca"), "two CAs")),
    Oddity("OpenShift worker", known(holds("etc/kubernetes/kubelet-ca.crt", crt(
        "ended-ca", "kube-apiserver-to-kubelet-signer", "csr-signer"),
                                           "an ended CA among others"))),
    Oddity("Gardener node",
           beside("a file for people", {"var/lib/kubelet/ca.crt.orig": crt("stale-ca")})),
    Oddity("kubeadm control plane", gone(f"{PKI}/front-proxy-ca.key", f"{PKI}/etcd/ca.key")),
    Oddity("kubespray etcd host", gone(f"{kubespray.ETCD}/ca-key.pem")),
    Oddity("mmumshad node01",
           holds(f"{mmumshad.PKI}/node01.crt", crt("node01", "ca"), "the root appended")),
    Oddity("k3s agent", holds(f"{k3s.K3S}/agent/client-kubelet.crt", crt("agent-1-kubelet"),
                              "no root appended")),
    # words
    Oddity("kubeadm worker",
           text("var/lib/kubelet/kubeadm-flags.env", '"\n', ' --node-ip=10.0.0.21 --v=2"\n')),
    Oddity("hard way 1.9 worker",
           text(f"{hard_way.UNITS}/kubelet.service", "--kubeconfig=", "--kubeconfig ")),
    Oddity("hard way 1.9 worker",
           text(f"{hard_way.UNITS}/kubelet.service", "--tls-cert-file=", "--tls_cert_file=")),
    Oddity("hard way 1.9 worker", text(
        f"{hard_way.UNITS}/kubelet.service", "--client-ca-file=",
        "--client-ca-file=/nowhere.pem \\\n  --client-ca-file=")),
    Oddity("kubeadm worker", put("an override of a former year, reset", {
        "etc/systemd/system/kubelet.service.d/05-tls.conf":
            "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet --tls-cert-file=/nowhere.pem\n"})),
    Oddity("kubeadm worker", put("a drop-in that is masked", {
        "usr/lib/systemd/system/kubelet.service.d/20-tls.conf":
            '[Service]\nEnvironment="KUBELET_EXTRA_ARGS=--tls-cert-file=/nowhere.pem"\n',
        "etc/systemd/system/kubelet.service.d/20-tls.conf": ""})),
    Oddity("EKS AL2023", put("a drop-in that is no .conf", {
        "etc/kubernetes/kubelet/config.json.d/50-tls.json.off": '{"tlsCertFile": '
        '"/nowhere.pem"}\n'})),
    Oddity("MicroK8s", text(f"{managed.SNAP}/args/kubelet", "# --feature-gates=DevicePlugins=true",
                            "# --tls-cert-file=/nowhere.pem")),
    Oddity("kops control plane", made_so("kcm-server", names="DNS:localhost")),
    Oddity("OpenShift worker", text(openshift.KUBECONFIG, "default-context", "another-context")),
)
