"""The table of reloads: from which version a running component reads a changed file again.

Sources, Kubernetes: staging/src/k8s.io/apiserver/pkg/server/dynamiccertificates (1.17, pull
requests 83580, 84303, 90360), pull requests 79083 (kubelet client pair, 1.18), 124574 and 133654
(kubelet serving pair, 1.36), 132922 (CA files of clients, 1.36); etcd: client/pkg/transport.
"""
from __future__ import annotations

from collections.abc import Mapping

ALWAYS, NEVER = 0, 1000     # minor versions of Kubernetes 1

# component → purposes of its files → the first minor version that reads them again
_TABLE: Mapping[str, Mapping[str, int]] = {
    "kube-apiserver": {
        "apiserver-serving apiserver-sni": 17, "apiserver-client-ca requestheader-ca": 19,
        "apiserver-kubelet-client": 18, "kubelet-serving-ca": 36, "front-proxy-client": 19,
        "apiserver-etcd-client": ALWAYS, "etcd-server-ca": NEVER,
        "service-account-verify service-account-sign egress-ca egress-client": NEVER},
    "kube-controller-manager": {
        "component-serving": 17, "component-client-ca requestheader-ca": 19,
        "cluster-signing cluster-signing-kubelet-serving cluster-signing-kubelet-client "
        "cluster-signing-kube-apiserver-client cluster-signing-legacy-unknown": 19,
        "root-ca service-account-sign": NEVER},
    "kube-scheduler": {"component-serving": 17, "component-client-ca requestheader-ca": 19},
    # to a caller by address, as the API server, a kubelet before 1.36 presents the pair of its
    # start: https://github.com/kubernetes/kubernetes/issues/133001
    "kubelet": {"kubelet-serving": 36, "kubelet-client-ca": 19},
    "etcd": {"etcd-serving etcd-peer etcd-own-client etcd-peer-client": ALWAYS,
             "etcd-client-ca etcd-peer-ca": NEVER},
}
SINCE = {(component, purpose): since for component, rows in _TABLE.items()
         for purposes, since in rows.items() for purpose in purposes.split()}
"""(component, purpose) → the first minor version; what is absent is unknown."""

# What a kubeconfig holds or names, for every client: client-go, rest/config.go, transport/.
KUBECONFIG = NEVER          # the kubeconfig itself, with all that it embeds
PAIR_BY_PATH = ALWAYS
AUTHORITY_BY_PATH = 36

# The configuration files that a component reads at its start alone.
CONFIGURED_AT_START = frozenset({"kubelet", "kube-scheduler", "etcd"})
