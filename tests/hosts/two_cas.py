"""Hosts by hand: a CA each for clients and servers, etcd and its peers, in folders of no
distribution; and containers that see their files at other paths."""
from __future__ import annotations

from tests.hosts.making import (
    EXPIRED,
    Fault,
    Host,
    Maker,
    by_stray,
    crt,
    empty,
    expired,
    gone,
    holds,
    key,
    kubeconfig,
    made_so,
    mode,
    pair,
    pairs,
    pod,
    unit,
)
from tests.hosts.pki import Row, ca

TLS, SSL, UNITS = "opt/k8s/tls", "etc/kubernetes/ssl", "etc/systemd/system"
_BOTH, _API = "serverAuth,clientAuth", "https://10.1.0.5:6443"
_NAMES = "DNS:kubernetes,DNS:kubernetes.default.svc,DNS:cp,IP:10.1.0.5,IP:10.96.0.1,IP:127.0.0.1"

_ROWS = {
    **{name: ca(f"/CN={name}")
       for name in ("clients", "servers", "etcd-members", "etcd-peers", "front")},
    "api": Row("/CN=kube-apiserver", "servers", "serverAuth", _NAMES),
    "by-name": Row("/CN=api.example.test", "servers", "serverAuth",
                   "DNS:api.example.test,DNS:*.apps.example.test"),
    "kubelets": Row("/O=system:masters/CN=api-kubelet", "clients", "clientAuth"),
    "kcm": Row("/CN=system:kube-controller-manager", "clients", "clientAuth"),
    "scheduler": Row("/CN=system:kube-scheduler", "clients", "clientAuth"),
    "proxy": Row("/CN=aggregator", "front", "clientAuth"),
    "api-etcd": Row("/CN=api-etcd", "etcd-members", "clientAuth"),
    # one key for both of etcd's certificates
    "etcd": Row("/CN=e1", "etcd-members", _BOTH, "DNS:e1,IP:127.0.0.1,IP:10.1.0.5"),
    "etcd-peer": Row("/CN=e1", "etcd-peers", _BOTH, "DNS:e1,IP:10.1.0.5", key="etcd"),
    "node": Row("/O=system:nodes/CN=system:node:cp", "clients", "clientAuth"),
    "node-server": Row("/CN=cp", "servers", "serverAuth", "DNS:cp,IP:10.1.0.5"),
    "sa": Row("/CN=unused")}


def _login(row: str, user: str) -> Maker:
    return kubeconfig(user, _API, f"/{TLS}/servers.pem", crt(row), key(row))


_NODE = {
    "etc/hostname": "cp\n", f"{TLS}/clients.pem": crt("clients"),
    f"{TLS}/servers.pem": crt("servers"), "var/lib/kubelet/kubeconfig": _login("node", "kubelet"),
    **pair(f"{TLS}/node.pem", f"{TLS}/node-key.pem", "node-server"), f"{UNITS}/kubelet.service":
        unit("/usr/bin/kubelet", f"""--kubeconfig=/var/lib/kubelet/kubeconfig
        --client-ca-file=/{TLS}/clients.pem --tls-cert-file=/{TLS}/node.pem
        --tls-private-key-file=/{TLS}/node-key.pem --node-ip=10.1.0.5""")}
_NODE_SEEN = f"""
{TLS}/node.pem {TLS}/servers.pem server cp 10.1.0.5
var/lib/kubelet/kubeconfig#user {TLS}/clients.pem client
"""

_POD_ROWS = {
    "pod-ca": ca("/CN=kube-ca"), "pod-api": Row("/CN=kube-apiserver", "pod-ca", _BOTH, _NAMES),
    "pod-node": Row("/O=system:nodes/CN=system:node:cp", "pod-ca", _BOTH, "DNS:cp,IP:10.1.0.5"),
    "pod-scheduler": Row("/CN=system:kube-scheduler", "pod-ca", "clientAuth")}

HOSTS = {
    "two CAs, control plane": Host(_ROWS, {
        **_NODE, f"{TLS}/clients-key.pem": key("clients"), f"{TLS}/servers-key.pem": key("servers"),
        f"{TLS}/etcd.pem": crt("etcd-members"), f"{TLS}/peers.pem": crt("etcd-peers"),
        f"{TLS}/front.pem": crt("front"),
        **pairs(TLS, "api", "by-name", "kubelets", "proxy", "api-etcd", crt="{}.pem",
                key="{}-key.pem"),
        **pair(f"{TLS}/member.pem", f"{TLS}/member-key.pem", "etcd"),
        f"{TLS}/peer.pem": crt("etcd-peer"),
        f"{TLS}/sa.pem": key("sa"), f"{TLS}/kcm.conf": _login("kcm", "kcm"),
        f"{TLS}/scheduler.conf": _login(
            "scheduler", "scheduler"),
        f"{UNITS}/kube-apiserver.service": unit("/usr/bin/kube-apiserver",
                                                f"""--advertise-address=10.1.0.5
            --authorization-mode=Node,RBAC --client-ca-file=/{TLS}/clients.pem
            --tls-cert-file=/{TLS}/api.pem --tls-private-key-file=/{TLS}/api-key.pem
            --kubelet-certificate-authority=/{TLS}/servers.pem
   --tls-sni-cert-key=/{TLS}/by-name.pem,/{TLS}/by-name-key.pem:api.example.test,*.apps.example.test
            --kubelet-client-certificate=/{TLS}/kubelets.pem
            --kubelet-client-key=/{TLS}/kubelets-key.pem
            --requestheader-client-ca-file=/{TLS}/front.pem --requestheader-allowed-names=aggregator
            --proxy-client-cert-file=/{TLS}/proxy.pem --proxy-client-key-file=/{TLS}/proxy-key.pem
            --etcd-servers=https://127.0.0.1:2379 --etcd-cafile=/{TLS}/etcd.pem
            --etcd-certfile=/{TLS}/api-etcd.pem --etcd-keyfile=/{TLS}/api-etcd-key.pem
            --service-account-key-file=/{TLS}/sa.pem
            --service-account-signing-key-file=/{TLS}/sa.pem --service-cluster-ip-range=10.96.0.0/12
            --service-account-issuer=https://kubernetes.default.svc"""),
        f"{UNITS}/kube-controller-manager.service": unit("/usr/bin/kube-controller-manager", f"""
            --kubeconfig=/{TLS}/kcm.conf --root-ca-file=/{TLS}/servers.pem
            --service-account-private-key-file=/{TLS}/sa.pem
            --cluster-signing-kubelet-serving-cert-file=/{TLS}/servers.pem
            --cluster-signing-kubelet-serving-key-file=/{TLS}/servers-key.pem
            --cluster-signing-kube-apiserver-client-cert-file=/{TLS}/clients.pem
            --cluster-signing-kube-apiserver-client-key-file=/{TLS}/clients-key.pem"""),
        f"{UNITS}/kube-scheduler.service": unit("/usr/bin/kube-scheduler",
                                                f"--kubeconfig=/{TLS}/scheduler.conf"),
        f"{UNITS}/etcd3.service": unit("/usr/bin/etcd", f"""--cert-file=/{TLS}/member.pem
            --key-file=/{TLS}/member-key.pem --trusted-ca-file=/{TLS}/etcd.pem --client-cert-auth
            --peer-cert-file=/{TLS}/peer.pem --peer-key-file=/{TLS}/member-key.pem
            --peer-trusted-ca-file=/{TLS}/peers.pem --peer-client-cert-auth
            --listen-client-urls=https://127.0.0.1:2379,https://10.1.0.5:2379
            --advertise-client-urls=https://10.1.0.5:2379 --listen-peer-urls=https://10.1.0.5:2380
            --initial-advertise-peer-urls=https://10.1.0.5:2380""")},
        seen=_NODE_SEEN + f"""
{TLS}/api.pem {TLS}/servers.pem server 10.1.0.5 10.96.0.1
{TLS}/kubelets.pem {TLS}/clients.pem client
{TLS}/member.pem {TLS}/etcd.pem server 127.0.0.1 10.1.0.5
{TLS}/peer.pem {TLS}/peers.pem client
{TLS}/scheduler.conf#user {TLS}/clients.pem client
""", given={"etcd_ca": "etcd-members", "front_proxy_ca": "front"}),
    "two CAs, worker": Host(_ROWS, _NODE, seen=_NODE_SEEN, given={"ca": "servers"}),
    "pods with paths of their own": Host(_POD_ROWS, {
        "etc/hostname": "cp\n", f"{SSL}/ca.pem": crt("pod-ca"), f"{SSL}/ca-key.pem": key("pod-ca"),
        **pair(f"{SSL}/apiserver.pem", f"{SSL}/apiserver-key.pem", "pod-api"),
        **pair(f"{SSL}/worker.pem", f"{SSL}/worker-key.pem", "pod-node"),
        **pair(f"{SSL}/scheduler.pem", f"{SSL}/scheduler-key.pem", "pod-scheduler"),
        "etc/kubernetes/scheduler.yaml": kubeconfig("scheduler", "https://127.0.0.1:6443",
                                                    "/k/ssl/ca.pem", "/k/ssl/scheduler.pem",
                                                    "/k/ssl/scheduler-key.pem"),
        "etc/kubernetes/worker-kubeconfig.yaml": kubeconfig(
            "kubelet", "https://127.0.0.1:6443", f"/{SSL}/ca.pem", f"/{SSL}/worker.pem",
            f"/{SSL}/worker-key.pem"),
        "etc/kubernetes/manifests/kube-scheduler.yaml":
            pod("kube-scheduler", "--kubeconfig=/k/scheduler.yaml", {"/k": "/etc/kubernetes"}),
        "etc/kubernetes/manifests/kube-apiserver.yaml": pod("kube-apiserver",
                                                            """--advertise-address=10.1.0.5
            --client-ca-file=/c/ca.pem --tls-cert-file=/c/apiserver.pem
            --tls-private-key-file=/c/apiserver-key.pem --etcd-servers=http://127.0.0.1:2379
            --authorization-mode=Node,RBAC --service-account-key-file=/c/apiserver-key.pem
            --service-cluster-ip-range=10.96.0.0/12""",
                                                            {"/c": f"/{SSL}"}),
        f"{UNITS}/kubelet.service": unit("/usr/bin/kubelet", f"""
            --kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml --client-ca-file=/{SSL}/ca.pem
            --tls-cert-file=/{SSL}/worker.pem --tls-private-key-file=/{SSL}/worker-key.pem
            --pod-manifest-path=/etc/kubernetes/manifests --node-ip=10.1.0.5""")},
        seen=f"{SSL}/apiserver.pem {SSL}/ca.pem server 10.1.0.5\n{SSL}/worker.pem {SSL}/ca.pem "
                                         f"server cp\n{SSL}/scheduler.pem {SSL}/ca.pem client\n",
        mounts={"/k": "/etc/kubernetes", "/c": f"/{SSL}"}),
}

_PERSON = "a person"
FAULTS = (
    Fault("two CAs, control plane", gone(f"{TLS}/servers.pem"), "file-missing",
          f"{TLS}/servers.pem"),
    Fault("two CAs, control plane", gone(f"{TLS}/peers.pem"), "file-missing", f"{TLS}/peers.pem",
          _PERSON),
    Fault("two CAs, control plane", expired("scheduler"), "expired-client-cert",
          f"{TLS}/scheduler.conf#users/scheduler"),
    Fault("two CAs, control plane", holds(f"{TLS}/member.pem", crt("etcd!")), "key-cert-mismatch",
          f"{TLS}/member.pem"),
    Fault("two CAs, control plane", holds(f"{TLS}/peer.pem", crt("node-server")),
          "key-cert-mismatch", f"{TLS}/peer.pem", _PERSON),
    Fault("two CAs, control plane", gone(f"{TLS}/by-name.pem"), "file-missing",
          f"{TLS}/by-name.pem"),
    Fault("two CAs, control plane", expired("node-server"), EXPIRED, f"{TLS}/node.pem"),
    Fault("two CAs, control plane", gone(f"{TLS}/scheduler.conf"), "file-missing",
          f"{TLS}/scheduler.conf", _PERSON),
    Fault("two CAs, worker", expired("node-server"), EXPIRED, f"{TLS}/node.pem"),
    Fault("two CAs, worker", gone(f"{TLS}/clients.pem"), "file-missing", f"{TLS}/clients.pem",
          _PERSON),
    Fault("two CAs, worker", made_so("node", usages="serverAuth"), "wrong-eku",
          "var/lib/kubelet/kubeconfig#users/kubelet", _PERSON),
    Fault("two CAs, worker", mode(f"{TLS}/node-key.pem", 0o644), "key-exposed",
          f"{TLS}/node-key.pem"),
    Fault("pods with paths of their own", gone("etc/kubernetes/scheduler.yaml"), "file-missing",
          "etc/kubernetes/scheduler.yaml"),
    Fault("pods with paths of their own", empty("etc/kubernetes/scheduler.yaml"),
          "kubeconfig-broken", "etc/kubernetes/scheduler.yaml"),
    Fault("pods with paths of their own", by_stray("pod-scheduler"), "unknown-authority",
          f"{SSL}/scheduler.pem"),
    Fault("pods with paths of their own", expired("pod-node"), EXPIRED, f"{SSL}/worker.pem"),
)
