"""What runs kubeadm in its own way: minikube 1.38, kind, sealos."""
from __future__ import annotations

from dataclasses import replace

from tests.hosts import kubeadm
from tests.hosts.kubeadm import BOTH, CONF, PKI, SERVICE, STORE
from tests.hosts.making import (
    CURRENT,
    EXPIRED,
    Fault,
    Host,
    Made,
    by_stray,
    crt,
    embedded,
    empty,
    expired,
    gone,
    holds,
    key,
    kubeconfig,
    kubelet_config,
    made_so,
    mode,
    pairs,
    public,
)
from tests.hosts.pki import Row, ca

# minikube: pkg/minikube/bootstrapper/certs.go, bsutil/ktmpl/kubelet.go. Its own generator makes
# administrators of all.
CERTS = "var/lib/minikube/certs"
_MINI_NAMES = (f"DNS:minikubeCA,DNS:control-plane.minikube.internal,{SERVICE},DNS:localhost,"
               "DNS:minikube,IP:10.96.0.1,IP:127.0.0.1,IP:10.0.0.1,IP:192.168.49.2")
_MINI_ETCD = "DNS:localhost,DNS:minikube,IP:192.168.49.2,IP:127.0.0.1,IP:::1"
_MINI = {
    **kubeadm.certificates("minikube", "192.168.49.2"), "ca": ca("/CN=minikubeCA"),
    "proxy-client-ca": ca("/CN=proxyClientCA"),
    "apiserver": Row("/O=system:masters/CN=minikube", "ca", BOTH, _MINI_NAMES, days=1095),
    "proxy-client": Row("/O=system:masters/CN=aggregator", "proxy-client-ca", BOTH, days=1095)}
_MINI_SERVER = "https://control-plane.minikube.internal:8443"


def _moved(files: dict[str, Made], old: str, new: str) -> dict[str, Made]:
    """kubeadm's files with another certificatesDir."""
    return {path.replace(old, new): made.replace(f"/{old}", f"/{new}") if isinstance(made, str)
            else made
            for path, made in files.items()}


# kubeadm makes a front proxy of its own, and nobody reads minikube's, which lies beside it
_MINIKUBE = {
    **_moved({path: made for path, made in kubeadm.control_plane("minikube", "192.168.49.2").items()
              if "/systemd/" not in path and not path.endswith("super-admin.conf")}, PKI, CERTS),
    **pairs(CERTS, "proxy-client-ca", "proxy-client"),
    **{f"{CONF}/{name}.conf": embedded(user, _MINI_SERVER, "ca", name, cluster="mk")
       for name, user in (
           ("admin", "kubernetes-admin"), ("controller-manager", "system:kube-controller-manager"),
           ("scheduler", "system:kube-scheduler"))},
    "etc/hosts": "127.0.0.1\tlocalhost\n192.168.49.2\tcontrol-plane.minikube.internal\n",
    "var/lib/minikube/kubeconfig": kubeconfig(
        "minikube", "https://localhost:8443", f"/{CERTS}/ca.crt", f"/{CERTS}/apiserver.crt",
        f"/{CERTS}/apiserver.key", cluster="mk", context="mk"),
    "var/lib/kubelet/config.yaml": kubelet_config(f"/{CERTS}/ca.crt", "rotateCertificates: true",
                                                  "staticPodPath: /etc/kubernetes/manifests"),
    f"{CONF}/kubelet.conf": kubeconfig("system:node:minikube", _MINI_SERVER, crt("ca"),
                                       f"/{CURRENT}", f"/{CURRENT}", cluster="mk"),
    "lib/systemd/system/kubelet.service":
        "[Unit]\nDescription=kubelet: The Kubernetes Node Agent\n\n[Service]\n"
        "ExecStart=/var/lib/minikube/binaries/v1.34.1/kubelet\nRestart=always\n",
    "etc/systemd/system/kubelet.service.d/10-kubeadm.conf":
        "[Unit]\nWants=docker.socket\n\n[Service]\nExecStart=\n"
    "ExecStart=/var/lib/minikube/binaries/v1.34.1/kubelet --bootstrap-kubeconfig=/etc/kubernetes/"
    "bootstrap-kubelet.conf --config=/var/lib/kubelet/config.yaml --hostname-override=minikube "
    "--kubeconfig=/etc/kubernetes/kubelet.conf --node-ip=192.168.49.2\n\n[Install]\n",
}

# kind: images/base/files/etc/systemd/system
_KIND_UNITS = {
    "etc/systemd/system/kubelet.service":
        "[Unit]\nDescription=kubelet: The Kubernetes Node Agent\n"
        "ConditionPathExists=/var/lib/kubelet/config.yaml\n\n[Service]\nExecStart=/usr/bin/"
    "kubelet\nRestart=always\nStartLimitInterval=0\nRestartSec=1s\nCPUAccounting=true\n"
    "Slice=kubelet.slice\nKillMode=process\n\n[Install]\nWantedBy=multi-user.target\n",
    "etc/systemd/system/kubelet.service.d/10-kubeadm.conf":
        kubeadm.package()["usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"],
    "etc/systemd/system/kubelet.service.d/11-kind.conf":
        "# On cgroup v1, the /kubelet cgroup is created by the entrypoint script\n[Service]\n"
        'ExecStartPre=/bin/sh -euc "if [ -f /sys/fs/cgroup/cgroup.controllers ]; then '
        "/kind/bin/create-kubelet-cgroup-v2; "
        'fi"\nExecStartPre=/bin/sh -euc "if [ ! -f /sys/fs/cgroup/cgroup.controllers ] && [ ! -d '
        '/sys/fs/cgroup/systemd/kubelet ]; then mkdir -p /sys/fs/cgroup/systemd/kubelet; fi"\n'}
_KIND_SERVER = "https://kind-control-plane:6443"
_KIND_ROWS = (
    kubeadm.certificates("kind-control-plane", "172.18.0.3",
                         extra=",DNS:localhost,IP:127.0.0.1") | kubeadm.client("kind-worker")
    | kubeadm.own_serving("kind-worker"))


def _kind(files: dict[str, Made], node: str, address: str) -> dict[str, Made]:
    return {
        **{path: made for path, made in files.items() if not path.startswith("usr/lib/systemd")},
        **_KIND_UNITS,
        "kind/version": "v1.34.0\n", "kind/product_name": "kind\n",
        "var/lib/kubelet/kubeadm-flags.env":
            f'KUBELET_KUBEADM_ARGS="--node-ip={address} --node-labels= '
            '--pod-infra-container-image=example.test/pause:3.10 '
            f'--provider-id=kind://docker/kind/{node}"\n'}


# sealos: lifecycle/pkg/cert/kube_certs.go: kubeadm's names, a hundred years
_SEALOS = {name: replace(row, days=36500)
           for name, row in kubeadm.certificates("sea-1", "10.0.0.41", extra=(
               ",DNS:apiserver.cluster.local,DNS:localhost,IP:127.0.0.1,IP:10.103.97.2")).items()}
_SEALOS |= {
    "etcd/server": replace(_SEALOS["etcd/server"], subject="/CN=etcd"),
    "etcd/peer": replace(_SEALOS["etcd/peer"], subject="/CN=etcd-peer"),
    "apiserver-etcd-client": replace(_SEALOS["apiserver-etcd-client"],
                                     subject="/O=system:masters/CN=kube-apiserver-etcd-client"),
    "apiserver-kubelet-client":
        replace(_SEALOS["apiserver-kubelet-client"],
                subject="/O=system:masters/CN=kube-apiserver-kubelet-client")}
_SEALOS_SERVER = "https://apiserver.cluster.local:6443"


def _seen(pki: str, address: str, *names: str) -> str:
    return f"""
{pki}/apiserver.crt {pki}/ca.crt server {address} kubernetes.default.svc {" ".join(names)}
{pki}/apiserver-kubelet-client.crt {pki}/ca.crt client
{pki}/apiserver-etcd-client.crt {pki}/etcd/ca.crt client
{pki}/etcd/server.crt {pki}/etcd/ca.crt server 127.0.0.1 {address}
{pki}/etcd/server.crt {pki}/etcd/ca.crt client
{pki}/etcd/peer.crt {pki}/etcd/ca.crt server {address}
{pki}/etcd/peer.crt {pki}/etcd/ca.crt client
{pki}/front-proxy-client.crt {pki}/front-proxy-ca.crt client
{CONF}/scheduler.conf#user {pki}/ca.crt client
{CURRENT} {pki}/ca.crt client
"""


_UNVERIFIED = ("kubelet-serving-self-signed",)

HOSTS = {
    "minikube": Host(_MINI, {
        path: made.replace("--secure-port=6443", "--secure-port=8443") if isinstance(made, str)
        else made
        for path, made in _MINIKUBE.items()},
        seen=_seen(CERTS, "192.168.49.2", "control-plane.minikube.internal", "localhost"),
                     warnings=_UNVERIFIED),
    "kind control plane": Host(_KIND_ROWS, {
        **_kind(kubeadm.control_plane("kind-control-plane", "172.18.0.3"), "kind-control-plane",
                "172.18.0.3"),
        **{f"{CONF}/{name}.conf": embedded(user, _KIND_SERVER, "ca", name, cluster="kind")
           for name, user in (
               ("admin", "kubernetes-admin"), ("super-admin", "kubernetes-super-admin"),
               ("controller-manager", "system:kube-controller-manager"),
               ("scheduler", "system:kube-scheduler"))}},
        seen=_seen(PKI, "172.18.0.3", "kind-control-plane"), warnings=_UNVERIFIED),
    "kind worker": Host(_KIND_ROWS, _kind({
        f"{PKI}/ca.crt": crt("ca"), **kubeadm.kubelet("kind-worker", _KIND_SERVER)}, "kind-worker",
                                          "172.18.0.2"),
        seen=f"{CURRENT} {PKI}/ca.crt client\n", warnings=_UNVERIFIED, given={"ca": "ca"}),
    "sealos": Host(_SEALOS, {
        **kubeadm.control_plane("sea-1", "10.0.0.41"), **kubeadm.kubelet("sea-1", _SEALOS_SERVER),
        "etc/hosts": "127.0.0.1 localhost\n10.0.0.41 apiserver.cluster.local\n",
        **kubeadm.users(_SEALOS_SERVER, "admin", "super-admin", "controller-manager", "scheduler")},
        seen=_seen(PKI, "10.0.0.41", "apiserver.cluster.local"),
                   warnings=(*_UNVERIFIED, "outlives-ca")),
}

FAULTS = (
    Fault("minikube", by_stray("apiserver"), "unknown-authority", f"{CERTS}/apiserver.crt"),
    Fault("minikube", gone(f"{CERTS}/apiserver-kubelet-client.key"), "file-missing",
          f"{CERTS}/apiserver-kubelet-client.key"),
    Fault("minikube", made_so("front-proxy-client", subject="/O=system:masters/CN=aggregator"),
          "wrong-subject", f"{CERTS}/front-proxy-client.crt"),
    Fault("minikube", made_so(
        "apiserver", names=_MINI_NAMES.replace("DNS:control-plane.minikube.internal,", "")),
          "missing-san-dns", f"{CERTS}/apiserver.crt"),
    Fault("minikube", expired("minikube"), "expired-client-cert", CURRENT),
    Fault("kind control plane", expired("apiserver-kubelet-client"), "expired-client-cert",
          f"{PKI}/apiserver-kubelet-client.crt"),
    Fault("kind control plane", made_so("etcd/server", names="DNS:localhost,IP:127.0.0.1,IP:::1"),
          "missing-san-ip", f"{PKI}/etcd/server.crt"),
    Fault("kind control plane", holds(f"{PKI}/etcd/peer.key", key("etcd/server")),
          "key-cert-mismatch", f"{PKI}/etcd/peer.key"),
    Fault("kind control plane", gone(f"{PKI}/sa.pub"), "file-missing", f"{PKI}/sa.pub"),
    Fault("kind worker",
          made_so("kind-worker", subject="/O=system:nodes/CN=system:node:kind-worker2"),
          "wrong-node-identity", CURRENT),
    Fault("kind worker", empty(f"{PKI}/ca.crt"), "bad-pem", f"{PKI}/ca.crt"),
    Fault("kind worker", expired("kind-worker"), "expired-client-cert", CURRENT),
    Fault("kind worker", mode(f"{STORE}/kubelet.key", 0o644), "key-exposed",
          f"{STORE}/kubelet.key"),
    Fault("sealos", expired("etcd/server"), EXPIRED, f"{PKI}/etcd/server.crt"),
    Fault("sealos", gone(f"{CONF}/controller-manager.conf"), "file-missing",
          f"{CONF}/controller-manager.conf"),
    Fault("sealos", made_so("etcd/peer", usages="clientAuth"), "wrong-eku", f"{PKI}/etcd/peer.crt"),
    Fault("sealos", by_stray("front-proxy-client"), "front-proxy-ca",
          f"{PKI}/front-proxy-client.crt"),
    Fault("sealos", holds(f"{PKI}/sa.pub", public("admin")), "sa-key-mismatch", f"{PKI}/sa.pub"),
)
