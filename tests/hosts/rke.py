"""RKE 1.4: pki/constants.go, cluster/plan.go. Every component is a container whose flags no file
tells; see A8."""
from __future__ import annotations

from tests.hosts.making import (
    Fault,
    Host,
    Made,
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
    pairs,
    text,
)
from tests.hosts.pki import Row, ca

SSL = "etc/kubernetes/ssl"
_BOTH = "clientAuth,serverAuth"
_API_NAMES = "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc," \
    "DNS:kubernetes.default.svc.cluster.local,DNS:node1,IP:10.43.0.1,IP:127.0.0.1,IP:10.0.0.51"
_ROWS = {
    "kube-ca": ca("/CN=kube-ca"),
    "kube-apiserver-requestheader-ca": ca("/CN=kube-apiserver-requestheader-ca"),
    "kube-apiserver": Row("/CN=kube-apiserver", "kube-ca", _BOTH, _API_NAMES),
    "kube-apiserver-proxy-client": Row("/CN=kube-apiserver-proxy-client",
                                       "kube-apiserver-requestheader-ca", "clientAuth"),
    "kube-node": Row("/O=system:nodes/CN=system:node", "kube-ca", "clientAuth"),
    "kube-proxy": Row("/CN=system:kube-proxy", "kube-ca", "clientAuth"),
    "kube-controller-manager": Row("/CN=system:kube-controller-manager", "kube-ca", "clientAuth"),
    "kube-scheduler": Row("/CN=system:kube-scheduler", "kube-ca", "clientAuth"),
    "kube-etcd-10-0-0-51": Row("/CN=kube-etcd", "kube-ca", _BOTH,
                               "DNS:localhost,DNS:node1,IP:127.0.0.1,IP:10.0.0.51"),
    "kube-service-account-token": Row("/CN=kube-service-account-token", "kube-ca", _BOTH),
    "kube-admin": Row("/O=system:masters/CN=kube-admin", "kube-ca", "clientAuth")}


def _login(name: str, server: str = "https://127.0.0.1:6443") -> Made:
    return kubeconfig(f"{name}-local", server, f"/{SSL}/kube-ca.pem", f"/{SSL}/{name}.pem",
                      f"/{SSL}/{name}-key.pem", cluster="local", context="Default")


_NODE = {"etc/hostname": "node1\n", f"{SSL}/kube-ca.pem": crt("kube-ca"),
         **pairs(SSL, "kube-node", "kube-proxy", crt="{}.pem", key="{}-key.pem"),
         **{f"{SSL}/kubecfg-{name}.yaml": _login(name) for name in ("kube-node", "kube-proxy")}}
_NODE_SEEN = (f"{SSL}/kube-node.pem {SSL}/kube-ca.pem client\n"
              f"{SSL}/kube-proxy.pem {SSL}/kube-ca.pem client\n")
# one pair for all nodes, which no Node authorizer takes; RKE has a binding of its own
_SHARED = ("wrong-subject",)

HOSTS = {
    "RKE worker": Host(_ROWS, _NODE, seen=_NODE_SEEN, given={"ca": "kube-ca"}, warnings=_SHARED),
    "RKE control plane with etcd": Host(_ROWS, {
        **_NODE, **pairs(SSL, "kube-ca", "kube-apiserver", "kube-apiserver-proxy-client",
                         "kube-controller-manager", "kube-scheduler", "kube-etcd-10-0-0-51",
                         "kube-service-account-token", "kube-apiserver-requestheader-ca",
                         crt="{}.pem", key="{}-key.pem"),
        **{f"{SSL}/kubecfg-{name}.yaml": _login(name)
           for name in ("kube-controller-manager", "kube-scheduler")},
        # both are written, and nobody reads them
        f"{SSL}/kubecfg-kube-apiserver-proxy-client.yaml": _login("kube-apiserver-proxy-client"),
        f"{SSL}/kubecfg-kube-apiserver-requestheader-ca.yaml":
            _login("kube-apiserver-requestheader-ca")},
        seen=_NODE_SEEN + f"""
{SSL}/kube-apiserver.pem {SSL}/kube-ca.pem server 127.0.0.1 10.43.0.1 kubernetes.default.svc
{SSL}/kube-apiserver.pem {SSL}/kube-ca.pem client
{SSL}/kube-etcd-10-0-0-51.pem {SSL}/kube-ca.pem server 10.0.0.51 127.0.0.1
{SSL}/kube-etcd-10-0-0-51.pem {SSL}/kube-ca.pem client
{SSL}/kube-controller-manager.pem {SSL}/kube-ca.pem client
{SSL}/kube-scheduler.pem {SSL}/kube-ca.pem client
{SSL}/kube-apiserver-proxy-client.pem {SSL}/kube-apiserver-requestheader-ca.pem client
""", warnings=_SHARED),
}

FAULTS = (
    Fault("RKE worker", gone(f"{SSL}/kube-node.pem"), "file-missing", f"{SSL}/kube-node.pem"),
    Fault("RKE worker", expired("kube-proxy"), "expired-client-cert", f"{SSL}/kube-proxy.pem"),
    Fault("RKE worker", holds(f"{SSL}/kube-node-key.pem", key("kube-proxy")), "key-cert-mismatch",
          f"{SSL}/kube-node-key.pem"),
    Fault("RKE worker", mode(f"{SSL}/kube-node-key.pem", 0o644), "key-exposed",
          f"{SSL}/kube-node-key.pem"),
    Fault("RKE worker", empty(f"{SSL}/kube-ca.pem"), "bad-pem", f"{SSL}/kube-ca.pem"),
    Fault("RKE control plane with etcd", expired("kube-node"), "expired-client-cert",
          f"{SSL}/kube-node.pem"),
    Fault("RKE control plane with etcd", gone(f"{SSL}/kube-scheduler-key.pem"), "file-missing",
          f"{SSL}/kube-scheduler-key.pem"),
    Fault("RKE control plane with etcd", made_so("kube-controller-manager", usages="serverAuth"),
          "wrong-eku", f"{SSL}/kube-controller-manager.pem"),
    Fault("RKE control plane with etcd", by_stray("kube-scheduler"), "unknown-authority",
          f"{SSL}/kube-scheduler.pem"),
    Fault("RKE control plane with etcd",
          text(f"{SSL}/kubecfg-kube-scheduler.yaml", "current-context: Default",
               "current-context: nowhere"), "kubeconfig-broken",
          f"{SSL}/kubecfg-kube-scheduler.yaml#contexts/nowhere"),
)
