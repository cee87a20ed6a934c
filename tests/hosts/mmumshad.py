"""mmumshad's Kubernetes the Hard Way: docs/04 to docs/11. Its CA is signed by -signkey and has no
extensions."""
from __future__ import annotations

from tests.hosts.making import (
    EXPIRED,
    Fault,
    Host,
    Link,
    Made,
    by_stray,
    crt,
    cut,
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
    proxy_config,
    unit,
)
from tests.hosts.pki import Row, ca

PKI, UNITS, KUBELET = "var/lib/kubernetes/pki", "etc/systemd/system", "var/lib/kubelet"
CURRENT = f"{KUBELET}/pki/kubelet-client-current.pem"
_API_NAMES = ("DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
              "DNS:kubernetes.default.svc.cluster,DNS:kubernetes.default.svc.cluster.local,"
              "IP:10.96.0.1,IP:192.168.56.11,IP:192.168.56.12,IP:192.168.56.30,IP:127.0.0.1")
_ETCD_NAMES = "IP:192.168.56.11,IP:192.168.56.12,IP:127.0.0.1"


def _row(subject: str, names: str = "", shape: str = "plain", usages: str = "") -> Row:
    return Row(subject, "ca", usages, names, shape=shape, days=1000)


_ROWS = {
    "ca": ca("/CN=KUBERNETES-CA/O=Kubernetes", "plain", days=1000),
    "kube-controller-manager":
        _row("/CN=system:kube-controller-manager/O=system:kube-controller-manager"),
    "kube-scheduler": _row("/CN=system:kube-scheduler/O=system:kube-scheduler"),
    "kube-proxy": _row("/CN=system:kube-proxy/O=system:node-proxier"),
    "kube-apiserver": _row("/CN=kube-apiserver/O=Kubernetes", _API_NAMES, "v3_req"),
    "apiserver-kubelet-client": _row("/CN=kube-apiserver-kubelet-client/O=system:masters", "",
                                     "v3_req", "clientAuth"),
    "etcd-server": _row("/CN=etcd-server/O=Kubernetes", _ETCD_NAMES, "v3_req"),
    "service-account": _row("/CN=service-accounts/O=Kubernetes"),
    "node01": _row("/CN=system:node:node01/O=system:nodes", "DNS:node01,IP:192.168.56.21",
                   "v3_req"),
    "node02": Row("/O=system:nodes/CN=system:node:node02", "ca", "clientAuth", shape="v3_req"),
    "node02-own-ca": ca("/CN=node02-ca@1764000000", days=365),
    "node02-own": Row("/CN=node02@1764000000", "node02-own-ca", "serverAuth", "DNS:node02")}
_CLUSTER = {"cluster": "kubernetes-the-hard-way", "context": "default"}
_BALANCER = "https://192.168.56.30:6443"


def _login(user: str, server: str, name: str) -> Made:
    return kubeconfig(user, server, f"/{PKI}/ca.crt", f"/{PKI}/{name}.crt", f"/{PKI}/{name}.key",
                      **_CLUSTER)


_PROXY = {
    **pairs(PKI, "kube-proxy"), f"{PKI}/ca.crt": crt("ca"),
    "var/lib/kube-proxy/kube-proxy.kubeconfig": _login("system:kube-proxy", _BALANCER,
                                                       "kube-proxy"),
    "var/lib/kube-proxy/kube-proxy-config.yaml":
        proxy_config("/var/lib/kube-proxy/kube-proxy.kubeconfig"),
    f"{UNITS}/kube-proxy.service": unit("/usr/local/bin/kube-proxy",
                                        "--config=/var/lib/kube-proxy/kube-proxy-config.yaml")}
_WARNINGS = ("strict-refused", "outlives-ca")

HOSTS = {
    "mmumshad control plane": Host(_ROWS, {
        "etc/hostname": "controlplane01\n", **pairs(
            PKI, "ca", "kube-apiserver", "apiserver-kubelet-client", "service-account",
            "etcd-server", "kube-scheduler", "kube-controller-manager"),
        **pair("etc/etcd/etcd-server.crt", "etc/etcd/etcd-server.key", "etcd-server"),
        "etc/etcd/ca.crt": Link(f"/{PKI}/ca.crt"),
        **{f"var/lib/kubernetes/{name}.kubeconfig": _login(f"system:{name}",
                                                           "https://127.0.0.1:6443", name)
           for name in ("kube-controller-manager", "kube-scheduler")},
        f"{UNITS}/kube-apiserver.service": unit("/usr/local/bin/kube-apiserver",
                                                f"""--advertise-address=192.168.56.11
            --allow-privileged=true --apiserver-count=2 --authorization-mode=Node,RBAC
            --bind-address=0.0.0.0 --client-ca-file=/{PKI}/ca.crt
            --enable-admission-plugins=NodeRestriction,ServiceAccount
            --enable-bootstrap-token-auth=true --etcd-cafile=/{PKI}/ca.crt
            --etcd-certfile=/{PKI}/etcd-server.crt --etcd-keyfile=/{PKI}/etcd-server.key
            --etcd-servers=https://192.168.56.11:2379,https://192.168.56.12:2379
            --kubelet-certificate-authority=/{PKI}/ca.crt
            --kubelet-client-certificate=/{PKI}/apiserver-kubelet-client.crt
            --kubelet-client-key=/{PKI}/apiserver-kubelet-client.key --runtime-config=api/all=true
            --service-account-key-file=/{PKI}/service-account.crt
            --service-account-signing-key-file=/{PKI}/service-account.key
            --service-account-issuer=https://192.168.56.30:6443
            --service-cluster-ip-range=10.96.0.0/16 --tls-cert-file=/{PKI}/kube-apiserver.crt
            --tls-private-key-file=/{PKI}/kube-apiserver.key --v=2"""),
        f"{UNITS}/kube-controller-manager.service": unit("/usr/local/bin/kube-controller-manager",
                                                         f"""
            --allocate-node-cidrs=true
            --authentication-kubeconfig=/var/lib/kubernetes/kube-controller-manager.kubeconfig
            --authorization-kubeconfig=/var/lib/kubernetes/kube-controller-manager.kubeconfig
            --bind-address=127.0.0.1 --client-ca-file=/{PKI}/ca.crt
            --cluster-signing-cert-file=/{PKI}/ca.crt --cluster-signing-key-file=/{PKI}/ca.key
            --controllers=*,bootstrapsigner,tokencleaner
            --kubeconfig=/var/lib/kubernetes/kube-controller-manager.kubeconfig
            --requestheader-client-ca-file=/{PKI}/ca.crt --root-ca-file=/{PKI}/ca.crt
            --service-account-private-key-file=/{PKI}/service-account.key
            --use-service-account-credentials=true"""),
        f"{UNITS}/kube-scheduler.service":
            unit("/usr/local/bin/kube-scheduler",
                 "--kubeconfig=/var/lib/kubernetes/kube-scheduler.kubeconfig --v=2"),
        f"{UNITS}/etcd.service": unit("/usr/local/bin/etcd", """--name=controlplane01
            --cert-file=/etc/etcd/etcd-server.crt --key-file=/etc/etcd/etcd-server.key
            --peer-cert-file=/etc/etcd/etcd-server.crt --peer-key-file=/etc/etcd/etcd-server.key
            --trusted-ca-file=/etc/etcd/ca.crt --peer-trusted-ca-file=/etc/etcd/ca.crt
            --peer-client-cert-auth --client-cert-auth
            --initial-advertise-peer-urls=https://192.168.56.11:2380
            --listen-peer-urls=https://192.168.56.11:2380
            --listen-client-urls=https://192.168.56.11:2379,https://127.0.0.1:2379
            --advertise-client-urls=https://192.168.56.11:2379
--initial-cluster=controlplane01=https://192.168.56.11:2380,controlplane02=https://192.168.56.12:2380
            --initial-cluster-state=new --data-dir=/var/lib/etcd""")},
        seen=f"""
{PKI}/kube-apiserver.crt {PKI}/ca.crt server 127.0.0.1 192.168.56.30 192.168.56.11 \
kubernetes.default.svc 10.96.0.1
{PKI}/apiserver-kubelet-client.crt {PKI}/ca.crt client
{PKI}/etcd-server.crt etc/etcd/ca.crt client
etc/etcd/etcd-server.crt {PKI}/ca.crt server 192.168.56.11 192.168.56.12 127.0.0.1
etc/etcd/etcd-server.crt etc/etcd/ca.crt client
var/lib/kubernetes/kube-scheduler.kubeconfig#user {PKI}/ca.crt client
""", warnings=_WARNINGS),
    "mmumshad node01": Host(_ROWS, {
        **_PROXY, **pairs(PKI, "node01"), "etc/hostname": "node01\n",
        f"{KUBELET}/kubelet.kubeconfig": _login("system:node:node01", _BALANCER, "node01"),
        f"{KUBELET}/kubelet-config.yaml": kubelet_config(
            f"/{PKI}/ca.crt", "clusterDomain: cluster.local", "registerNode: true",
            f"tlsCertFile: /{PKI}/node01.crt", f"tlsPrivateKeyFile: /{PKI}/node01.key"),
        f"{UNITS}/kubelet.service": unit("/usr/local/bin/kubelet",
                                         f"""--config=/{KUBELET}/kubelet-config.yaml
            --kubeconfig=/{KUBELET}/kubelet.kubeconfig --node-ip=192.168.56.21 --v=2""")},
        seen=f"{PKI}/node01.crt {PKI}/ca.crt server node01\n{PKI}/node01.crt {PKI}/ca.crt client\n"
             f"{PKI}/kube-proxy.crt {PKI}/ca.crt client\n", warnings=_WARNINGS, given={"ca": "ca"}),
    # docs/11: by TLS bootstrap, its words quoted in the unit
    "mmumshad node02": Host(_ROWS, {
        **_PROXY, "etc/hostname": "node02\n",
        f"{KUBELET}/bootstrap-kubeconfig":
            kubeconfig("kubelet-bootstrap", _BALANCER, f"/{PKI}/ca.crt", cluster="bootstrap",
                       context="bootstrap", token="07401b.f395accd246ae52d"),
        f"{KUBELET}/kubeconfig": kubeconfig("default-auth", _BALANCER, f"/{PKI}/ca.crt",
                                            f"/{CURRENT}", f"/{CURRENT}", cluster="default-cluster",
                                            context="default-context"),
        f"{KUBELET}/pki/kubelet-client-2026-10-12-13-14-15.pem":
            joined(crt("node02"), key("node02")),
        CURRENT: Link(f"/{KUBELET}/pki/kubelet-client-2026-10-12-13-14-15.pem"),
        f"{KUBELET}/pki/kubelet.crt": crt("node02-own", "node02-own-ca"),
        f"{KUBELET}/pki/kubelet.key": key("node02-own"),
        f"{KUBELET}/kubelet-config.yaml": kubelet_config(f"/{PKI}/ca.crt", "registerNode: true",
                                                         "rotateCertificates: true"),
        f"{UNITS}/kubelet.service": unit("/usr/local/bin/kubelet", f"""
            --bootstrap-kubeconfig="/{KUBELET}/bootstrap-kubeconfig"
            --config=/{KUBELET}/kubelet-config.yaml --kubeconfig=/{KUBELET}/kubeconfig
            --cert-dir=/{KUBELET}/pki/ --node-ip=192.168.56.22 --v=2""")},
        seen=f"{CURRENT} {PKI}/ca.crt client\n{PKI}/kube-proxy.crt {PKI}/ca.crt client\n",
        warnings=(*_WARNINGS, "kubelet-serving-self-signed"), given={"ca": "ca"}),
}

FAULTS = (
    Fault("mmumshad control plane",
          made_so("kube-apiserver", names=_API_NAMES.replace(",IP:127.0.0.1", "")),
          "missing-san-ip", f"{PKI}/kube-apiserver.crt"),
    Fault("mmumshad control plane", gone(f"{PKI}/kube-scheduler.key"), "file-missing",
          f"{PKI}/kube-scheduler.key"),
    Fault("mmumshad control plane", expired("etcd-server", at="etc/etcd/etcd-server.crt"), EXPIRED,
          "etc/etcd/etcd-server.crt"),
    Fault("mmumshad control plane",
          made_so("etcd-server", at=f"{PKI}/etcd-server.crt", usages="serverAuth"),
          "wrong-eku",
          f"{PKI}/etcd-server.crt"),
    Fault("mmumshad control plane", by_stray("apiserver-kubelet-client"), "unknown-authority",
          f"{PKI}/apiserver-kubelet-client.crt"),
    Fault("mmumshad control plane", holds(f"{PKI}/service-account.crt", crt("kube-proxy")),
          "sa-key-mismatch", f"{PKI}/service-account.crt"),
    Fault("mmumshad control plane", cut(f"{PKI}/kube-controller-manager.crt"), "bad-pem",
          f"{PKI}/kube-controller-manager.crt"),
    Fault("mmumshad node01", made_so("node01", subject="/CN=system:node:node02/O=system:nodes"),
          "wrong-node-identity", f"{PKI}/node01.crt"),
    Fault("mmumshad node01", gone(f"{PKI}/node01.key"), "file-missing", f"{PKI}/node01.key"),
    Fault("mmumshad node01", expired("node01"), EXPIRED, f"{PKI}/node01.crt"),
    Fault("mmumshad node01", by_stray("kube-proxy"), "unknown-authority", f"{PKI}/kube-proxy.crt"),
    Fault("mmumshad node01", holds(f"{PKI}/node01.key", key("kube-proxy")), "key-cert-mismatch",
          f"{PKI}/node01.key"),
    Fault("mmumshad node01", gone(f"{KUBELET}/kubelet.kubeconfig"), "file-missing",
          f"{KUBELET}/kubelet.kubeconfig"),
    Fault("mmumshad node02", gone(f"{PKI}/kube-proxy.crt"), "file-missing",
          f"{PKI}/kube-proxy.crt"),
    Fault("mmumshad node02", made_so("node02", usages="serverAuth"), "wrong-eku", CURRENT),
    Fault("mmumshad node02", made_so("node02", subject="/O=system:nodes/CN=system:node:node01"),
          "wrong-node-identity", CURRENT),
    Fault("mmumshad node02", empty(f"{PKI}/ca.crt"), "bad-pem", f"{PKI}/ca.crt"),
    Fault("mmumshad node02", mode(f"{PKI}/kube-proxy.key", 0o644), "key-exposed",
          f"{PKI}/kube-proxy.key"),
)
