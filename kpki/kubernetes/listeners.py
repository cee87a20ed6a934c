"""The table of servers: where each component listens, and the pairs of its server and its clients.

Sources: the reference of each component's flags; https://etcd.io/docs/v3.6/op-guide/configuration/;
https://kubernetes.io/docs/reference/networking/ports-and-protocols/;
https://github.com/kubernetes-sigs/apiserver-network-proxy, cmd/server/app/options/options.go.
"""
from __future__ import annotations

from typing import NamedTuple

TIMEOUT = 5.0       # seconds in which a server must answer a probe


class Listener(NamedTuple):
    """One server of a component."""

    component: str
    purpose: str
    """The purpose of the server's certificate."""
    port: int
    """The port without a setting."""
    clients: tuple[str, ...]
    """The purposes of the pairs that a client of the server presents, the preferred pair first."""
    addresses: tuple[str, ...] = ()
    """The settings with the server's address; the first that names an address counts."""
    port_setting: str = ""
    """The setting with the server's port."""
    urls: str = ""
    """The setting with the server's URLs, in place of address and port."""
    by_name: bool = False
    """Whether the server has several such pairs, each for clients that ask for certain names."""


LISTENERS = (
    Listener("kube-apiserver", "apiserver-serving", 6443, ("admin-client", "kubelet-client"),
             ("bind-address", "advertise-address"), "secure-port"),
    Listener("kube-apiserver", "apiserver-sni", 6443, ("admin-client", "kubelet-client"),
             ("bind-address", "advertise-address"), "secure-port", by_name=True),
    Listener("etcd", "etcd-serving", 2379, ("etcd-client", "apiserver-etcd-client"),
             urls="listen-client-urls"),
    Listener("etcd", "etcd-peer", 2380, ("etcd-peer",), urls="listen-peer-urls"),
    Listener("kubelet", "kubelet-serving", 10250, ("apiserver-kubelet-client",),
             ("address", "node-ip"), "port"),
    Listener("kube-controller-manager", "component-serving", 10257, (), ("bind-address",),
             "secure-port"),
    Listener("kube-scheduler", "component-serving", 10259, (), ("bind-address",), "secure-port"),
    # a server with --uds-name has --server-port=0, and no TLS for the API server
    Listener("konnectivity-server", "konnectivity-serving", 8090, ("egress-client",),
             ("server-bind-address",), "server-port"),
    Listener("konnectivity-server", "konnectivity-agent-serving", 8091,
             ("konnectivity-agent-client",), ("agent-bind-address",), "agent-port"),
)

# The API server reaches a kubelet by address, so it sends no name of TLS. With a name, a kubelet
# of 1.31 to 1.35 presents another certificate: https://github.com/kubernetes/kubernetes/issues/133001
NAMELESS = frozenset({10250})
