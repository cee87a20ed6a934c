"""Row of the profiles table → what the holder of its private key could do."""
from __future__ import annotations

from types import MappingProxyType

_STATE = "read and write all that the cluster stores, Secrets included"
# Sources: the pages that the rows of kubernetes/profiles.py name.
POWERS = MappingProxyType({
    "ca": "make a client certificate for any user and any group, system:masters too, and pose as "
          "the API server or as any kubelet",
    "etcd-ca": f"make a client certificate of etcd: {_STATE}",
    "front-proxy-ca": "make a proxy's certificate, and then be any user to the API server",
    "service-accounts": "make a token of any service account, also of those that may do anything",
    "apiserver": "pose as the API server to who connects, and take tokens and answers",
    "apiserver-kubelet-client": "call every kubelet: run commands in all containers, read logs",
    "apiserver-etcd-client": _STATE,
    "front-proxy-client": "be any user to the API server and to aggregated API servers",
    "etcd-server": f"pose as this member of etcd, and as its client {_STATE}",
    "etcd-peer": "join in as this member of etcd, and so read and change what is stored",
    "etcd-healthcheck-client": _STATE,
    "admin": "do what the groups of the certificate may: as a rule everything",
    "super-admin": "do everything: no authorization limits system:masters",
    "kube-controller-manager": "do what the controller manager may: read Secrets, and make tokens "
                               "of service accounts",
    "kube-scheduler": "do what the scheduler may: place pods on nodes",
    "kubelet": "be this node: read the Secrets of its pods, change their status, and pose as its "
               "kubelet",
    "kubelet-client": "be this node: read the Secrets of its pods, and change their status",
    "kubelet-serving": "pose as this node's kubelet, and see what is run and read through it",
    "kube-proxy": "read all Services and EndpointSlices",
})
USER = "do what RBAC gives this user and its groups"
