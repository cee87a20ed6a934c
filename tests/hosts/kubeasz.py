"""kubeasz 3.7 (easzlab): roles/{deploy,etcd,kube-master,kube-node}. One CA for all, SA tokens
included; 50 years."""
from __future__ import annotations

from tests.hosts.making import (
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
    kubelet_config,
    made_so,
    mode,
    pairs,
    proxy_config,
    unit,
)
from tests.hosts.pki import Row, ca

SSL, UNITS, CONF = "etc/kubernetes/ssl", "etc/systemd/system", "etc/kubernetes"
_PLACE, _BOTH = "/C=CN/ST=HangZhou/L=XS", "serverAuth,clientAuth"
_API_NAMES = ("IP:127.0.0.1,IP:192.168.1.1,IP:10.68.0.1,"
              "DNS:k8s.easzlab.io,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
              "DNS:kubernetes.default.svc.cluster,DNS:kubernetes.default.svc.cluster.local")


def _row(name: str, group: str, names: str = "", usages: str = _BOTH) -> Row:
    return Row(f"{_PLACE}/O={group}/OU=System/CN={name}", "ca", usages, names, shape="cfssl",
               days=18250)


_ROWS = {
    "ca": ca(f"{_PLACE}/O=k8s/OU=System/CN=kubernetes-ca", "cfssl-ca", days=36500),
    "kubernetes": _row("kubernetes", "k8s", _API_NAMES),
    "aggregator-proxy": _row("aggregator", "k8s"),
    "etcd": _row("etcd", "k8s", "IP:192.168.1.1,IP:192.168.1.2,IP:192.168.1.3,IP:127.0.0.1"),
    "master-01": _row("system:node:master-01", "system:nodes",
                      "IP:127.0.0.1,IP:192.168.1.1,DNS:master-01"),
    "worker-01": _row("system:node:worker-01", "system:nodes",
                      "IP:127.0.0.1,IP:192.168.1.4,DNS:worker-01"),
    "kube-proxy": _row("system:kube-proxy", "k8s", usages="clientAuth"),
    "kube-controller-manager": _row("system:kube-controller-manager",
                                    "system:kube-controller-manager", usages="clientAuth"),
    "kube-scheduler": _row("system:kube-scheduler", "system:kube-scheduler", usages="clientAuth")}
_LOCAL = "https://127.0.0.1:6443"


def _node(name: str) -> dict[str, Made]:
    """roles/kube-node: the host's own name is another one."""
    return {
        "etc/hostname": "ecs-4f2a.novalocal\n", f"{SSL}/ca.pem": crt("ca"),
        f"{SSL}/kubelet.pem": crt(name), f"{SSL}/kubelet-key.pem": key(name),
        f"{CONF}/kubelet.kubeconfig": embedded(f"system:node:{name}", _LOCAL, "ca", name,
                                               context="default"),
        f"{CONF}/kube-proxy.kubeconfig": embedded("kube-proxy", _LOCAL, "ca", "kube-proxy",
                                                  context="default"),
        "var/lib/kubelet/config.yaml": kubelet_config(
            f"/{SSL}/ca.pem", "cgroupDriver: systemd", f"tlsCertFile: /{SSL}/kubelet.pem",
            f"tlsPrivateKeyFile: /{SSL}/kubelet-key.pem"),
        f"{UNITS}/kubelet.service": unit("/opt/kube/bin/kubelet",
                                         f"""--config=/var/lib/kubelet/config.yaml
            --container-runtime-endpoint=unix:///run/containerd/containerd.sock
            --hostname-override={name} --kubeconfig=/{CONF}/kubelet.kubeconfig
            --root-dir=/data/kubelet --v=2""",
                                         "WorkingDirectory=/data/kubelet"),
        "var/lib/kube-proxy/kube-proxy-config.yaml":
            proxy_config(f'"/{CONF}/kube-proxy.kubeconfig"')
        + f'hostnameOverride: "{name}"\n',
        f"{UNITS}/kube-proxy.service": unit("/opt/kube/bin/kube-proxy",
                                            "--config=/var/lib/kube-proxy/kube-proxy-config.yaml",
                                            "WorkingDirectory=/var/lib/kube-proxy")}


def _node_seen(address: str, name: str) -> str:
    return f"""
{SSL}/kubelet.pem {SSL}/ca.pem server {address} {name}
{CONF}/kubelet.kubeconfig#user {SSL}/ca.pem client
{CONF}/kube-proxy.kubeconfig#user {SSL}/ca.pem client
"""


HOSTS = {
    "kubeasz master": Host(_ROWS, {
        **_node("master-01"), **pairs(SSL, "ca", "kubernetes", "aggregator-proxy", "etcd",
                                      crt="{}.pem", key="{}-key.pem"),
        **{f"{CONF}/{name}.kubeconfig": embedded(name, "https://192.168.1.1:6443", "ca", name,
                                                 context="default")
           for name in ("kube-controller-manager", "kube-scheduler")},
        f"{UNITS}/kube-apiserver.service": unit("/opt/kube/bin/kube-apiserver",
                                                f"""--allow-privileged=true
            --anonymous-auth=false --api-audiences=api,istio-ca --authorization-mode=Node,RBAC
            --bind-address=192.168.1.1
            --client-ca-file=/{SSL}/ca.pem --endpoint-reconciler-type=lease
            --etcd-cafile=/{SSL}/ca.pem --etcd-certfile=/{SSL}/kubernetes.pem
            --etcd-keyfile=/{SSL}/kubernetes-key.pem
           --etcd-servers=https://192.168.1.1:2379,https://192.168.1.2:2379,https://192.168.1.3:2379
            --kubelet-certificate-authority=/{SSL}/ca.pem
            --kubelet-client-certificate=/{SSL}/kubernetes.pem
            --kubelet-client-key=/{SSL}/kubernetes-key.pem --secure-port=6443
            --service-account-issuer=https://kubernetes.default.svc
            --service-account-signing-key-file=/{SSL}/ca-key.pem
            --service-account-key-file=/{SSL}/ca.pem --service-cluster-ip-range=10.68.0.0/16
            --tls-cert-file=/{SSL}/kubernetes.pem --tls-private-key-file=/{SSL}/kubernetes-key.pem
            --requestheader-client-ca-file=/{SSL}/ca.pem
            --requestheader-allowed-names="aggregator,system:aggregator:kube-apiserver"
            --requestheader-extra-headers-prefix=X-Remote-Extra-
            --requestheader-group-headers=X-Remote-Group
            --requestheader-username-headers=X-Remote-User
            --proxy-client-cert-file=/{SSL}/aggregator-proxy.pem
            --proxy-client-key-file=/{SSL}/aggregator-proxy-key.pem --enable-aggregator-routing=true
            --v=2"""),
        f"{UNITS}/kube-controller-manager.service": unit("/opt/kube/bin/kube-controller-manager",
                                                         f"""
            --allocate-node-cidrs=true
            --authentication-kubeconfig=/{CONF}/kube-controller-manager.kubeconfig
            --authorization-kubeconfig=/{CONF}/kube-controller-manager.kubeconfig
            --bind-address=0.0.0.0 --cluster-signing-cert-file=/{SSL}/ca.pem
            --cluster-signing-key-file=/{SSL}/ca-key.pem
            --kubeconfig=/{CONF}/kube-controller-manager.kubeconfig --leader-elect=true
            --root-ca-file=/{SSL}/ca.pem --service-account-private-key-file=/{SSL}/ca-key.pem
            --use-service-account-credentials=true --v=2"""),
        f"{UNITS}/kube-scheduler.service": unit("/opt/kube/bin/kube-scheduler", f"""
            --authentication-kubeconfig=/{CONF}/kube-scheduler.kubeconfig
            --authorization-kubeconfig=/{CONF}/kube-scheduler.kubeconfig --bind-address=0.0.0.0
            --kubeconfig=/{CONF}/kube-scheduler.kubeconfig --leader-elect=true --v=2"""),
        f"{UNITS}/etcd.service": unit("/opt/kube/bin/etcd",
                                      f"""--name=etcd-192.168.1.1 --cert-file=/{SSL}/etcd.pem
            --key-file=/{SSL}/etcd-key.pem --peer-cert-file=/{SSL}/etcd.pem
            --peer-key-file=/{SSL}/etcd-key.pem --trusted-ca-file=/{SSL}/ca.pem
            --peer-trusted-ca-file=/{SSL}/ca.pem
            --initial-advertise-peer-urls=https://192.168.1.1:2380
            --listen-peer-urls=https://192.168.1.1:2380
            --listen-client-urls=https://192.168.1.1:2379,http://127.0.0.1:2379
            --advertise-client-urls=https://192.168.1.1:2379 --initial-cluster-token=etcd-cluster-0
--initial-cluster=etcd-192.168.1.1=https://192.168.1.1:2380,etcd-192.168.1.2=https://192.168.1.2:2380
            --initial-cluster-state=new --data-dir=/var/lib/etcd""", "Type=notify",
                                      "WorkingDirectory=/var/lib/etcd")},
        seen=_node_seen("192.168.1.1", "master-01") + f"""
{SSL}/kubernetes.pem {SSL}/ca.pem server 127.0.0.1 192.168.1.1 kubernetes.default.svc 10.68.0.1
{SSL}/kubernetes.pem {SSL}/ca.pem client
{SSL}/aggregator-proxy.pem {SSL}/ca.pem client
{SSL}/etcd.pem {SSL}/ca.pem server 192.168.1.1
{SSL}/etcd.pem {SSL}/ca.pem client
{CONF}/kube-scheduler.kubeconfig#user {SSL}/ca.pem client
{CONF}/kube-controller-manager.kubeconfig#user {SSL}/ca.pem client
"""),
    "kubeasz node": Host(_ROWS, _node("worker-01"), seen=_node_seen("192.168.1.4", "worker-01"),
                         given={"ca": "ca"}),
}

FAULTS = (
    Fault("kubeasz master",
          made_so("aggregator-proxy", subject=f"{_PLACE}/O=k8s/OU=System/CN=aggregator-proxy"),
          "wrong-subject", f"{SSL}/aggregator-proxy.pem"),
    Fault("kubeasz master", made_so("etcd", names="IP:192.168.1.2,IP:192.168.1.3,IP:127.0.0.1"),
          "missing-san-ip", f"{SSL}/etcd.pem"),
    Fault("kubeasz master", gone(f"{SSL}/kubernetes-key.pem"), "file-missing",
          f"{SSL}/kubernetes-key.pem"),
    Fault("kubeasz master", made_so("kubernetes", usages="serverAuth"), "wrong-eku",
          f"{SSL}/kubernetes.pem"),
    Fault("kubeasz master", by_stray("etcd"), "etcd-peer-cert", f"{SSL}/etcd.pem"),
    Fault("kubeasz master", expired("kube-controller-manager"), "expired-client-cert",
          f"{CONF}/kube-controller-manager.kubeconfig#users/kube-controller-manager"),
    Fault("kubeasz node",
          made_so("worker-01", at=f"{CONF}/kubelet.kubeconfig",
                  subject=f"{_PLACE}/O=system:nodes/OU=System/CN=system:node:ecs-4f2a.novalocal"),
          "wrong-node-identity", f"{CONF}/kubelet.kubeconfig#users/system:node:worker-01"),
    Fault("kubeasz node", expired("worker-01", at=f"{SSL}/kubelet.pem"), EXPIRED,
          f"{SSL}/kubelet.pem"),
    Fault("kubeasz node", empty(f"{SSL}/kubelet-key.pem"), "bad-pem", f"{SSL}/kubelet-key.pem"),
    Fault("kubeasz node", holds(f"{SSL}/kubelet-key.pem", key("kube-proxy")), "key-cert-mismatch",
          f"{SSL}/kubelet-key.pem"),
    Fault("kubeasz node", gone(f"{CONF}/kube-proxy.kubeconfig"), "file-missing",
          f"{CONF}/kube-proxy.kubeconfig"),
    Fault("kubeasz node", mode(f"{SSL}/kubelet-key.pem", 0o604), "key-exposed",
          f"{SSL}/kubelet-key.pem"),
)
