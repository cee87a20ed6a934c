"""kubespray: now, with kubeadm inside and etcd as a unit (roles/kubernetes, roles/etcd), and before
kubeadm."""
from __future__ import annotations

from tests.hosts.kubeadm import SERVICE, certificates, client, manifests, own_serving
from tests.hosts.making import (
    CURRENT,
    EXPIRED,
    Fault,
    Host,
    Link,
    Made,
    by_stray,
    crt,
    embedded,
    empty,
    expired,
    gone,
    holds,
    joined,
    key,
    kubeconfig,
    kubelet_config,
    made_so,
    mode,
    pair,
    pairs,
    pod,
    public,
)
from tests.hosts.pki import Row, ca

SSL, ETCD, UNITS, STORE = ("etc/kubernetes/ssl", "etc/ssl/etcd/ssl", "etc/systemd/system",
                           "var/lib/kubelet/pki")
_BOTH = "clientAuth,serverAuth"
_NAMES = "DNS:localhost,DNS:m1,DNS:lb-apiserver.kubernetes.local,IP:10.0.0.31,IP:127.0.0.1"


def _etcd_rows(*names: str) -> dict[str, Row]:
    """make-ssl-etcd.sh: one section of one file for all, the whole group's names in it."""
    return {"etcd-ca": ca("/CN=etcd-ca", "req-ca", days=36500),
            **{f"etcd-{name}": Row(f"/CN=etcd-{name}", "etcd-ca", _BOTH, _NAMES, shape="cfssl",
                                   days=36500)
               for name in names}}


def _etcd_pairs(*names: str) -> dict[str, Made]:
    found: dict[str, Made] = {f"{ETCD}/ca.pem": crt("etcd-ca")}
    for name in names:
        found |= pair(f"{ETCD}/{name}.pem", f"{ETCD}/{name}-key.pem", f"etcd-{name}")
    return found


_ETCD_ENV = f"""# Environment file for etcd v3.5.21
ETCD_DATA_DIR=/var/lib/etcd
ETCD_ADVERTISE_CLIENT_URLS=https://10.0.0.31:2379
ETCD_INITIAL_ADVERTISE_PEER_URLS=https://10.0.0.31:2380
ETCD_INITIAL_CLUSTER_STATE=existing
ETCD_METRICS=basic
ETCD_LISTEN_CLIENT_URLS=https://10.0.0.31:2379,https://127.0.0.1:2379
ETCD_ELECTION_TIMEOUT=5000
ETCD_LISTEN_PEER_URLS=https://10.0.0.31:2380
ETCD_NAME=etcd1
ETCD_PROXY=off
ETCD_INITIAL_CLUSTER=etcd1=https://10.0.0.31:2380

# TLS settings
ETCD_TRUSTED_CA_FILE=/{ETCD}/ca.pem
ETCD_CERT_FILE=/{ETCD}/member-m1.pem
ETCD_KEY_FILE=/{ETCD}/member-m1-key.pem
ETCD_CLIENT_CERT_AUTH=true

ETCD_PEER_TRUSTED_CA_FILE=/{ETCD}/ca.pem
ETCD_PEER_CERT_FILE=/{ETCD}/member-m1.pem
ETCD_PEER_KEY_FILE=/{ETCD}/member-m1-key.pem
ETCD_PEER_CLIENT_CERT_AUTH=True

# CLI settings
ETCDCTL_ENDPOINTS=https://127.0.0.1:2379
ETCDCTL_CACERT=/{ETCD}/ca.pem
ETCDCTL_KEY=/{ETCD}/admin-m1-key.pem
ETCDCTL_CERT=/{ETCD}/admin-m1.pem
"""
_ETCD = {
    "etc/etcd.env": _ETCD_ENV, f"{ETCD}/ca-key.pem": key("etcd-ca"),
    **_etcd_pairs("member-m1", "admin-m1", "node-m1", "node-w1"),
    f"{UNITS}/etcd.service": "[Unit]\nDescription=etcd\nAfter=network.target\n\n[Service]\n"
    "Type=notify\nUser=root\nEnvironmentFile=/etc/etcd.env\nExecStart=/usr/local/bin/etcd\n"
    "NotifyAccess=all\nRestart=always\nLimitNOFILE=40000\n\n[Install]\n"
    "WantedBy=multi-user.target\n"}
_ETCD_SEEN = f"""
{ETCD}/member-m1.pem {ETCD}/ca.pem server 10.0.0.31 127.0.0.1
{ETCD}/member-m1.pem {ETCD}/ca.pem client
"""


def _kubelet(node: str, address: str, server: str) -> dict[str, Made]:
    """roles/kubernetes/node: kubelet.env is one quoted value over several lines."""
    pem = f"{STORE}/kubelet-client-2026-10-12-13-14-15.pem"
    return {
        "etc/hostname": f"{node}.example.internal\n", f"{SSL}/ca.crt": crt("ca"),
        "etc/kubernetes/pki": Link("ssl"),
        pem: joined(crt(node), key(node)), CURRENT: Link(f"/{pem}"),
        f"{STORE}/kubelet.crt": crt(f"{node}-own", f"{node}-own-ca"),
        f"{STORE}/kubelet.key": key(f"{node}-own"),
        "etc/kubernetes/kubelet.conf": kubeconfig("default-auth", server, crt("ca"), f"/{CURRENT}",
                                                  f"/{CURRENT}", cluster="default-cluster",
                                                  context="default-context"),
        "etc/kubernetes/kubelet-config.yaml": kubelet_config(
            f"/{SSL}/ca.crt", "staticPodPath: /etc/kubernetes/manifests",
            "rotateCertificates: true"),
        "etc/kubernetes/kubelet.env":
            f'KUBE_LOG_LEVEL="--v=2"\nKUBELET_ADDRESS="--node-ip={address}"\n'
            f'KUBELET_HOSTNAME="--hostname-override={node}"\n\n\n\nKUBELET_ARGS="'
            "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\\n"
            "--config=/etc/kubernetes/kubelet-config.yaml \\\n"
        "--kubeconfig=/etc/kubernetes/kubelet.conf \\\n"
            '--runtime-cgroups=/system.slice/containerd.service \\\n  "\nKUBELET_CLOUDPROVIDER=""\n'
        '\n'
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        f"{UNITS}/kubelet.service":
            "[Unit]\nDescription=Kubernetes Kubelet Server\nAfter=containerd.service\n\n"
        "[Service]\n"
            "EnvironmentFile=-/etc/kubernetes/kubelet.env\nExecStart=/usr/local/bin/kubelet \\\n"
        + "".join(
            f"\t\t${name} \\\n" for name in (
                "KUBE_LOGTOSTDERR", "KUBE_LOG_LEVEL", "KUBELET_API_SERVER", "KUBELET_ADDRESS",
                "KUBELET_PORT", "KUBELET_HOSTNAME", "KUBELET_ARGS", "DOCKER_SOCKET",
                "KUBELET_NETWORK_PLUGIN", "KUBELET_VOLUME_PLUGIN")) + "\t\t$KUBELET_CLOUDPROVIDER\n"
        "Restart=always\nRestartSec=10s\n\n[Install]\nWantedBy=multi-user.target\n"}


_NOW = (certificates("m1", "10.0.0.31", extra=",DNS:localhost,DNS:lb-apiserver.kubernetes.local,"
                     "IP:127.0.0.1") | _etcd_rows("member-m1", "admin-m1", "node-m1", "node-w1")
        | client("w1") | own_serving("w1"))
_LOGINS = {"admin": "kubernetes-admin", "super-admin": "kubernetes-super-admin",
           "scheduler": "system:kube-scheduler",
           "controller-manager": "system:kube-controller-manager"}
_EXTERNAL_ETCD = f"""--etcd-cafile=/{ETCD}/ca.pem --etcd-certfile=/{ETCD}/node-m1.pem
    --etcd-keyfile=/{ETCD}/node-m1-key.pem --etcd-servers=https://10.0.0.31:2379"""

# Before kubeadm: make-ssl.sh, nginx on each node, kubeconfigs by path
_OLD_NAMES = "DNS:localhost,DNS:w1,IP:10.0.0.32,IP:127.0.0.1"
_OLD = {
    "ca": ca("/CN=kube-ca", "req-ca", days=10000), **_etcd_rows("node-w1"),
    "node-w1": Row("/CN=system:node:w1/O=system:nodes", "ca", "", _OLD_NAMES, shape="v3_req",
                   days=3650),
    "kube-proxy-w1": Row("/CN=system:kube-proxy/O=system:node-proxier", "ca", "", _OLD_NAMES,
                         shape="v3_req", days=3650)}


def _by_path(user: str, name: str) -> Made:
    return kubeconfig(user, "https://localhost:6443", f"/{SSL}/ca.pem", f"/{SSL}/{name}.pem",
                      f"/{SSL}/{name}-key.pem", cluster="local", context=f"{user}-cluster.local")


HOSTS = {
    "kubespray control plane": Host(_NOW, {
        **_kubelet("m1", "10.0.0.31", "https://10.0.0.31:6443"), **_ETCD,
        **pairs(SSL, "ca", "front-proxy-ca", "apiserver", "apiserver-kubelet-client",
                "front-proxy-client"),
        f"{SSL}/sa.key": key("sa"), f"{SSL}/sa.pub": public("sa"),
        **{f"etc/kubernetes/{name}.conf":
               embedded(user, "https://127.0.0.1:6443" if "admin" in name else
                        "https://10.0.0.31:6443", "ca", name, cluster="cluster.local")
           for name, user in _LOGINS.items()},
        **manifests("m1", "10.0.0.31", f"/{SSL}", etcd=_EXTERNAL_ETCD)},
        seen=_ETCD_SEEN + f"""
{ETCD}/node-m1.pem {ETCD}/ca.pem client
{SSL}/apiserver.crt {SSL}/ca.crt server 127.0.0.1 10.0.0.31 kubernetes.default.svc
{SSL}/apiserver-kubelet-client.crt {SSL}/ca.crt client
{SSL}/front-proxy-client.crt {SSL}/front-proxy-ca.crt client
{CURRENT} {SSL}/ca.crt client
""", warnings=("kubelet-serving-self-signed", "strict-refused")),
    "kubespray worker": Host(_NOW, {
        **_kubelet("w1", "10.0.0.32", "https://localhost:6443"), **_etcd_pairs("node-w1"),
        "etc/kubernetes/manifests/nginx-proxy.yml": pod("nginx-proxy", "",
                                                        {"/etc/nginx": "/etc/nginx"})},
        seen=f"{CURRENT} {SSL}/ca.crt client\n",
        warnings=("kubelet-serving-self-signed", "strict-refused"), given={"ca": "ca"}),
    "kubespray etcd host": Host(_NOW, {"etc/hostname": "m1\n", **_ETCD}, seen=_ETCD_SEEN,
                                warnings=("strict-refused",)),
    "kubespray before kubeadm, worker": Host(_OLD, {
        "etc/hostname": "w1\n", f"{SSL}/ca.pem": crt("ca"),
        **pairs(SSL, "node-w1", "kube-proxy-w1", crt="{}.pem", key="{}-key.pem"),
        **_etcd_pairs("node-w1"),
        "etc/kubernetes/node-kubeconfig.yaml": _by_path("kubelet", "node-w1"),
        "etc/kubernetes/kube-proxy-kubeconfig.yaml": _by_path("kube-proxy", "kube-proxy-w1"),
        "etc/kubernetes/kubelet.env":
            'KUBELET_ADDRESS="--address=10.0.0.32 --node-ip=10.0.0.32"\n'
        'KUBELET_HOSTNAME="--hostname-override=w1"\n\nKUBELET_ARGS="--pod-manifest-path=/etc/'
        f'kubernetes/manifests --client-ca-file=/{SSL}/ca.pem '
            f"--tls-cert-file=/{SSL}/node-w1.pem --tls-private-key-file=/{SSL}/node-w1-key.pem "
            '--anonymous-auth=false --kubeconfig=/etc/kubernetes/node-kubeconfig.yaml '
        '--require-kubeconfig"\n',
        f"{UNITS}/kubelet.service":
            "[Service]\nEnvironmentFile=-/etc/kubernetes/kubelet.env\n"
        "ExecStart=/usr/local/bin/kubelet \\\n\t\t$KUBELET_ADDRESS \\\n\t\t$KUBELET_HOSTNAME \\\n"
        "\t\t$KUBELET_ARGS\nRestart=always\n",
        "etc/kubernetes/manifests/kube-proxy.manifest": pod("kube-proxy", """--v=2
            --kubeconfig=/etc/kubernetes/kube-proxy-kubeconfig.yaml --bind-address=10.0.0.32
            --hostname-override=w1 --cluster-cidr=10.233.64.0/18 --proxy-mode=iptables""",
                                                            {"/etc/kubernetes": "/etc/kubernetes"},
                                                            program="/hyperkube proxy")},
        seen=f"{SSL}/node-w1.pem {SSL}/ca.pem server w1 10.0.0.32\n"
                                             f"{SSL}/node-w1.pem {SSL}/ca.pem client\n"
                                             f"{SSL}/kube-proxy-w1.pem {SSL}/ca.pem client\n",
                                             warnings=("strict-refused",), given={"ca": "ca"}),
}

FAULTS = (
    Fault("kubespray control plane", gone(f"{ETCD}/node-m1.pem"), "file-missing",
          f"{ETCD}/node-m1.pem"),
    Fault("kubespray control plane", by_stray("etcd-member-m1"), "etcd-peer-cert",
          f"{ETCD}/member-m1.pem"),
    Fault("kubespray control plane", expired("apiserver"), "expired-server-cert",
          f"{SSL}/apiserver.crt"),
    Fault("kubespray control plane",
          made_so("apiserver", names=f"DNS:m1,{SERVICE},IP:10.233.0.1,IP:10.0.0.31"),
          "missing-san-ip", f"{SSL}/apiserver.crt"),
    Fault("kubespray control plane",
          made_so("m1", subject="/O=system:nodes/CN=system:node:m1.example.internal"),
          "hostname-case-fqdn", CURRENT),
    Fault("kubespray worker", gone("etc/kubernetes/kubelet-config.yaml"), "file-missing",
          "etc/kubernetes/kubelet-config.yaml", "a person"),
    Fault("kubespray worker", expired("w1"), "expired-client-cert", CURRENT),
    Fault("kubespray worker", by_stray("w1"), "unknown-authority", CURRENT),
    Fault("kubespray worker", empty(f"{SSL}/ca.crt"), "bad-pem", f"{SSL}/ca.crt"),
    Fault("kubespray worker", mode(f"{ETCD}/node-w1-key.pem", 0o644), "key-exposed",
          f"{ETCD}/node-w1-key.pem"),
    Fault("kubespray etcd host", gone(f"{ETCD}/member-m1-key.pem"), "file-missing",
          f"{ETCD}/member-m1-key.pem"),
    Fault("kubespray etcd host", expired("etcd-member-m1"), EXPIRED, f"{ETCD}/member-m1.pem"),
    Fault("kubespray etcd host", made_so("etcd-member-m1", usages="serverAuth"), "wrong-eku",
          f"{ETCD}/member-m1.pem"),
    Fault("kubespray etcd host", made_so("etcd-member-m1", names="DNS:localhost,DNS:m1"),
          "missing-san-ip", f"{ETCD}/member-m1.pem"),
    Fault("kubespray etcd host", holds(f"{ETCD}/member-m1-key.pem", key("etcd-admin-m1")),
          "key-cert-mismatch", f"{ETCD}/member-m1-key.pem"),
    Fault("kubespray before kubeadm, worker",
          made_so("node-w1", subject="/O=system:nodes/CN=system:node:w2"), "wrong-node-identity",
          f"{SSL}/node-w1.pem"),
    Fault("kubespray before kubeadm, worker", gone(f"{SSL}/node-w1-key.pem"), "file-missing",
          f"{SSL}/node-w1-key.pem"),
    Fault("kubespray before kubeadm, worker", by_stray("node-w1"), "unknown-authority",
          f"{SSL}/node-w1.pem"),
    Fault("kubespray before kubeadm, worker", expired("kube-proxy-w1"), "expired-client-cert",
          f"{SSL}/kube-proxy-w1.pem"),
)
