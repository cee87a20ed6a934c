"""What people do after a phase of an exchange: hand out, restart in order, then look.

Which component reads which file when was seen on Kubernetes 1.34. A controller manager reads
--root-ca-file once. An API server reads once the CA files of etcd and of kubelets, and the keys of
tokens. A scheduler and a kubelet read their kubeconfigs once. No list has what a component reads
anew by itself.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..desired.description import Cluster
from ..desired.rows import layout_of
from ...kubernetes.components import COMPONENTS, get_component
from ...kubernetes.layouts import SIGNER, Layout
from ...kubernetes.profiles import SERVICE_ACCOUNTS
from ...kubernetes.restarts import of_layout

_IN_TURN = "one host after the other, each once the last is healthy"
_COUNT = "grep -c BEGIN"
_ROOT_CA = ("kubectl get configmap kube-root-ca.crt -n kube-system "
            f"-o jsonpath='{{.data.ca\\.crt}}' | {_COUNT}")
_REQUEST_HEADER = ("kubectl get configmap extension-apiserver-authentication -n kube-system "
                   f"-o jsonpath='{{.data.requestheader-client-ca-file}}' | {_COUNT}")
_DELETE_CLIENT_CAS = "kubectl delete configmap extension-apiserver-authentication -n kube-system"
_CLUSTER_INFO = "kubectl edit configmap cluster-info -n kube-public"
_NODES = "kubectl get nodes"
_LEASES = "kubectl get leases -n kube-node-lease"
_KEYS = "kubectl get --raw /openid/v1/jwks"
_TOKENS = "kubectl get secrets -A --field-selector type=kubernetes.io/service-account-token"


@dataclass(frozen=True, slots=True)
class Following:
    """One thing that people do after a phase.

    >>> rotation = kpki.rotate(workspace, "ca", dry_run=True, now=now)
    >>> rotation.following[0].hosts, rotation.following[0].commands
    (('cp-1',), ('kpki node install cp-1 --node cp-1',))
    """

    what: str
    """The thing, as a sentence without a full stop."""
    hosts: tuple[str, ...] = ()
    """The hosts on which the commands run; empty for a place with kubectl."""
    commands: tuple[str, ...] = ()
    """The commands, in order."""


def followings(cluster: Cluster, row: str, phase: int, *, first: bool,
               back: bool) -> tuple[Following, ...]:
    """What people do after a phase, in order.

    *first*: the first part of the phase trust, which changes the signer's own file alone. *back*:
    the phase was reached from the next one.
    """
    place = _Place(cluster)
    if row == "ca" and first:
        return tuple(_signer(place))
    number = 1 if phase in (0, 3) else 2    # of the CAs, or keys, that verifiers trust
    signs = phase == (1 if back else 2)
    steps = {"ca": _of_leaves if signs else _of_trust, "etcd-ca": _of_etcd,
             "front-proxy-ca": _of_front_proxy, SERVICE_ACCOUNTS: _of_tokens}[row]
    return (_hand_out(place, row), *steps(place, number, signs),
            *_closing(row, phase, back))


class _Place:
    """A cluster's hosts and layout."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.layout = cluster, layout_of(cluster)

    def hosts(self, component: str) -> tuple[str, ...]:
        """The hosts that run a component."""
        role = get_component(component).role
        found = self.cluster.with_role(role) if role else self.cluster.hosts
        return tuple(host.name for host in found)

    def restart(self, what: str, *components: str) -> Following:
        """Restart components that run on the same hosts."""
        here = [name for name in components if get_component(name).is_in(self.layout)]
        return Following(what, self.hosts(here[0]),
                         tuple(of_layout(here, lambda _: self.layout.static_pods)))


def _hand_out(place: _Place, row: str) -> Following:
    """Bring the changed trees to their hosts."""
    roles = {component.role for component in COMPONENTS
             for flag in component.flags if row in flag.rows}
    hosts = [host.name for host in place.cluster.hosts
             if "" in roles or not roles.isdisjoint(host.roles)]
    return _install(hosts)


def _install(hosts: Sequence[str]) -> Following:
    return Following("copy the tree of each host there, and install all of it, for example",
                     tuple(hosts), (f"kpki node install {hosts[0]} --node {hosts[0]}",))


def _signer_path(layout: Layout) -> str:
    return next(f"/{place.certificate}" for place in layout.places if place.only == SIGNER)


def _signer(place: _Place) -> Iterator[Following]:
    """The first part of trust: kube-controller-manager gets a file with the signer alone."""
    manager = "kube-controller-manager"
    yield _install(place.hosts(manager))
    yield Following(f"give {manager} its signer in a file of its own, as it refuses a bundle: "
                    f"--cluster-signing-cert-file={_signer_path(place.layout)}",
                    place.hosts(manager))
    yield place.restart(f"restart {manager}, {_IN_TURN}", manager)
    yield Following("the second part of trust makes the bundles")


def _of_trust(place: _Place, number: int, _signs: bool) -> Iterator[Following]:
    """The cluster's CA files have changed."""
    yield place.restart(f"restart kube-controller-manager, {_IN_TURN}", "kube-controller-manager")
    yield Following(f"wait until every namespace has the new CA file: the number is {number}", (),
                    (_ROOT_CA,))
    if place.layout.verifies_kubelets or place.cluster.kubelet_serving:
        yield place.restart("restart kube-apiserver, which reads its file of the kubelets' CA "
                            f"once, {_IN_TURN}", "kube-apiserver")
    yield place.restart("restart kube-scheduler", "kube-scheduler")
    yield place.restart("restart the kubelets; each then gives its pods the new CA file",
                        "kubelet", *_proxy(place))
    yield Following("restart the pods whose clients read ca.crt at their start alone: all but "
                    "those with client-go 1.36 or newer")
    yield Following("give people their kubeconfigs, which are under users/")
    yield Following("put the CA data of a kubeconfig under users/ into cluster-info, for nodes "
                    "that join", (), (_CLUSTER_INFO,))


def _proxy(place: _Place) -> Sequence[str]:
    return ["kube-proxy"] if get_component("kube-proxy").is_in(place.layout) else []


def _of_leaves(place: _Place, _number: int, _signs: bool) -> Iterator[Following]:
    """The leaves of the cluster's CA have changed; an API server reads its own anew by itself."""
    yield place.restart(f"restart kube-controller-manager and kube-scheduler, {_IN_TURN}",
                        "kube-controller-manager", "kube-scheduler")
    yield place.restart("restart the kubelets: clients by address get the old serving certificate "
                        "until then", "kubelet", *_proxy(place))
    yield Following("give people their kubeconfigs, which are under users/")


def _of_etcd(place: _Place, _number: int, signs: bool) -> Iterator[Following]:
    """etcd's CA file, or its leaves, have changed; etcd reads its pairs at each handshake."""
    if signs:
        return
    if hosts := place.hosts("etcd"):
        yield place.restart(f"restart etcd, {_IN_TURN}; with fewer than three members, writes "
                            "fail meanwhile", "etcd")
        yield Following("wait until every member is healthy", hosts)
    yield place.restart(f"restart kube-apiserver, {_IN_TURN}", "kube-apiserver")


def _of_front_proxy(_place: _Place, number: int, signs: bool) -> Iterator[Following]:
    """The front proxy's CA file, or its pair, have changed; all readers watch them."""
    if signs:
        return
    if number == 1:
        yield Following("once every API server has its new file, delete the ConfigMap that only "
                        "grows; an API server makes the ConfigMap anew", (), (_DELETE_CLIENT_CAS,))
    yield Following(f"wait until aggregated API servers get the new CAs: the number is {number}",
                    (), (_REQUEST_HEADER,))
    yield Following("restart aggregated API servers that are not built on k8s.io/apiserver")


def _of_tokens(place: _Place, number: int, signs: bool) -> Iterator[Following]:
    """The files of the tokens' keys have changed."""
    yield place.restart(f"restart kube-apiserver, {_IN_TURN}", "kube-apiserver")
    yield Following(f"look at every API server: its list has {number} of these keys", (), (_KEYS,))
    if signs:
        yield place.restart(f"restart kube-controller-manager, {_IN_TURN}",
                            "kube-controller-manager")
        yield place.restart("restart the kubelets: each then fetches new tokens for its pods",
                            "kubelet")


def _closing(row: str, phase: int, back: bool) -> Iterator[Following]:
    """What ends an exchange, and what people look at before the next phase."""
    if phase == 3 and row == "ca":
        yield Following("once every API server has its new file, delete the ConfigMap that only "
                        "grows; an API server makes the ConfigMap anew", (), (_DELETE_CLIENT_CAS,))
    yield from looks(row, phase) if not back else ()
    if phase == 3:
        yield Following("the old private key stays in the workspace for --back: remove "
                        "pki/…-previous.* and backup/ once no way back is wanted")


def looks(row: str, phase: int) -> Iterator[Following]:
    """What people look at before the next phase: files do not show what processes have read."""
    texts: dict[tuple[str, int], tuple[tuple[str, tuple[str, ...]], ...]] = {
        ("ca", 1): (
            ("before switch, look: nodes are Ready, and their leases are fresh",
             (_NODES, _LEASES)),
            ("before switch, look: pods have started after their ca.crt was new, and people have "
             "their kubeconfigs", ())),
        ("ca", 2): (
            ("before forget, look: nodes are Ready, and their leases are fresh",
             (_NODES, _LEASES)),
            ("before forget, look: nobody uses a certificate that was signed on request by the "
             "old CA, or an old kubeconfig; the audit log names each client's certificate",
             ("kubectl get csr",))),
        ("etcd-ca", 1): (
            ("before switch, look: every client of etcd trusts both CAs, backups and monitoring "
             "included", ()),),
        ("etcd-ca", 2): (
            ("before forget, look: every client of etcd has a pair by the new CA, backups and "
             "monitoring included", ()),),
        ("front-proxy-ca", 2): (
            ("before forget, look: aggregated APIs answer", ("kubectl get apiservices",)),),
        (SERVICE_ACCOUNTS, 1): (
            ("before sign, look: verifiers outside of the cluster have fetched both keys",
             (_KEYS,)),),
        (SERVICE_ACCOUNTS, 2): (
            ("before retire, look: tokens in these Secrets are never signed again; delete each, "
             "and make it anew", (_TOKENS,)),
            ("before retire, look: kubeconfigs and programs with a token from kubectl create "
             "token have a new token", ()))}
    yield from (Following(what, (), commands) for what, commands in texts.get((row, phase), ()))
