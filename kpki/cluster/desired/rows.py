"""Description, profiles, layout → the rows of each host."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ...kubernetes.kubeconfig import NO_MATERIAL, Kubeconfig
from ...kubernetes.layouts import CONTROL_PLANE, SIGNER, WORKSPACE, Layout, Place, get_layout
from ...kubernetes.profiles import Identity, Profile, get_profile, identity_of

if TYPE_CHECKING:
    from .description import Cluster, Host

NODES_FOLDER = "nodes"


def tree_prefix(host: str | None) -> str:
    """The prefix of a host's paths in a workspace, "" for the workspace's own paths (None)."""
    return "" if host is None else f"{NODES_FOLDER}/{host}/"


class Row(NamedTuple):
    """One profile on one host: the files at a place of the host's tree.

    >>> row = [*kpki.wanted_rows(cluster)][-1]
    >>> row.host, row.name, row.paths()
    ('worker-1', 'kubelet-client', ('etc/kubernetes/kubelet.conf',))
    """

    host: str | None
    """The host, None for the workspace's own rows."""
    place: Place
    """The paths of the row's files."""
    profile: Profile
    """What Kubernetes asks of the certificate."""
    identity: Identity
    """The subject and names of the certificate."""
    with_key: bool = True
    """Whether the host gets the key of a CA or of the service accounts."""
    kubeconfig: Kubeconfig | None = None
    """The names and the server of the row's kubeconfig, None for a row without a kubeconfig."""

    @property
    def name(self) -> str:
        """The profile's name."""
        return self.profile.name

    def paths(self) -> tuple[str, ...]:
        """The row's files, relative to the host's tree, the certificate first."""
        return tuple(path for path in self.place.files() if self.with_key or path != self.place.key)


def layout_of(cluster: Cluster) -> Layout:
    """The cluster's layout, with the description's certificatesDir applied to kubeadm's files."""
    from .description import DEFAULT_CERTIFICATES_DIR
    layout = get_layout(cluster.layout)
    if cluster.certificates_dir == DEFAULT_CERTIFICATES_DIR:
        return layout
    default, folder = (f"{path.strip('/')}/"
                       for path in (DEFAULT_CERTIFICATES_DIR, cluster.certificates_dir))

    def moved(path: str) -> str:
        return folder + path.removeprefix(default) if path.startswith(default) else path

    return replace(layout, places=tuple(
        replace(place, certificate=moved(place.certificate), key=moved(place.key))
        for place in layout.places))


def wanted_rows(cluster: Cluster) -> Iterator[Row]:
    """Every row of the cluster: the workspace's own, then each host's, signers first.

    >>> [row.name for row in kpki.wanted_rows(cluster) if row.host == "worker-1"]
    ['ca', 'kubelet-client']
    """
    wanted = Wanted(cluster)
    yield from wanted.of_workspace()
    for host in cluster.hosts:
        yield from wanted.of_host(host)


class Wanted:
    """The rows of a cluster, host by host. Hosts with the same roles share the work.

    *bundled*: the cluster's CA file is a bundle, so that a signing host also gets the signing
    certificate alone.
    """

    def __init__(self, cluster: Cluster, *, bundled: bool = False) -> None:
        self.cluster, self.layout, self.bundled = cluster, layout_of(cluster), bundled
        self.authority_keys = self.layout.authority_keys()
        self._first = next(iter(cluster.with_role(CONTROL_PLANE)), None)
        self._tables = dict[tuple[frozenset[str], bool],
                            tuple[tuple[Place, Profile, bool], ...]]()

    def of_workspace(self) -> tuple[Row, ...]:
        """The workspace's own rows: CAs, service accounts' pair, administrator's kubeconfig."""
        needed = {place.row for host in {host.roles: host for host in self.cluster.hosts}.values()
                  for place, _, _ in self._table(host)}
        found = []
        for place in WORKSPACE.places:
            profile = get_profile(place.row)
            if place.row in needed:
                identity = identity_of(profile, administrators=self.layout.administrators)
                found.append(Row(host=None, place=place, profile=profile, identity=identity,
                                 kubeconfig=self._kubeconfig(place, identity, None)))
        return tuple(found)

    def of_host(self, host: Host) -> tuple[Row, ...]:
        """The rows of one host."""
        return tuple(self._row(place, profile, with_key, host) for place, profile,
                     with_key in self._table(host))

    def _table(self, host: Host) -> tuple[tuple[Place, Profile, bool], ...]:
        """The places that a host with these roles uses, each with whether the host gets the key."""
        kind = host.roles, host is self._first
        if kind not in self._tables:
            self._tables[kind] = tuple(self._used(*kind))
        return self._tables[kind]

    def _used(self, roles: frozenset[str], first: bool) -> Iterator[tuple[Place, Profile, bool]]:
        wishes = {"": True, "kubelet-serving": self.cluster.kubelet_serving, SIGNER: self.bundled}
        held = {"": True, "node": True, "first control-plane": first, **dict.fromkeys(roles, True)}
        for place in self.layout.places:
            profile = get_profile(place.row)
            if self.cluster.external_etcd is not None \
                    and "etcd-ca" in (profile.name, profile.signer):
                continue
            if wishes[place.only] and any(held.get(holder)
                                          for holder in (place.holders or (profile.per,))):
                yield place, profile, not place.key_holders or roles >= {*place.key_holders}

    def _row(self, place: Place, profile: Profile, with_key: bool, host: Host) -> Row:
        dns, addresses = self._sans(profile, host)
        identity = identity_of(profile, node=host.name, administrators=self.layout.administrators,
                               dns=dns, addresses=addresses)
        return Row(host=host.name, place=place, profile=profile, identity=identity,
                   with_key=with_key, kubeconfig=self._kubeconfig(place, identity, host))

    def _sans(self, profile: Profile, host: Host) -> tuple[Sequence[str], Sequence[str]]:
        """The names and addresses of a row on one host (kubeadm: util/pkiutil, Get…AltNames)."""
        cluster = self.cluster
        match profile.sans:
            case "none":
                return (), ()
            case "node":
                return [*dict.fromkeys((host.name, *host.dns))], host.addresses
            case "apiserver":
                service = f"kubernetes.default.svc.{cluster.dns_domain}"
                first_service = str(ipaddress.ip_network(cluster.service_subnets[0])[1])
                names = (host.name, "kubernetes", "kubernetes.default",
                         "kubernetes.default.svc", service)
                return _sorted_out((*names, first_service, host.addresses[0],
                                    *([cluster.endpoint[0]] if cluster.endpoint else []),
                                    *cluster.api_sans))
            case _:
                more = cluster.etcd_server_sans if profile.sans == "etcd-server" \
                    else cluster.etcd_peer_sans
                return _sorted_out((host.name, "localhost", host.addresses[0],
                                    "127.0.0.1", "::1", *more))

    def _kubeconfig(self, place: Place, identity: Identity, host: Host | None) -> Kubeconfig | None:
        """The names and the server of a place's kubeconfig, without CA and pair."""
        if not place.kubeconfig:
            return None
        user, local = place.user or identity.user, host is not None and CONTROL_PLANE in host.roles
        own = local and (place.server == "local" or self.cluster.endpoint is None)
        server = self.server(host if own else None)
        return blank_kubeconfig(self.layout, self.cluster.name, user, server)

    def server(self, host: Host | None = None) -> str:
        """The URL of a host's API server, or of the cluster's endpoint for None."""
        if host is None and self.cluster.endpoint:
            name, port = self.cluster.endpoint
        else:
            served = host or self._first
            assert served is not None       # the description has an endpoint, or a control plane
            name, port = served.addresses[0], self.cluster.port
        return f"https://[{name}]:{port}" if ":" in name else f"https://{name}:{port}"

    def api_servers(self) -> frozenset[str]:
        """Every name and address of the cluster's API servers."""
        profile = get_profile("apiserver")
        found = {self.cluster.endpoint[0]} if self.cluster.endpoint else set[str]()
        for host in self.cluster.with_role(CONTROL_PLANE):
            found.update(*self._sans(profile, host))
        return frozenset(found)


def blank_kubeconfig(layout: Layout, cluster_name: str, user: str, server: str) -> Kubeconfig:
    """A kubeconfig with the layout's names, without CA and pair."""
    context_name = layout.context.replace("{user}", user).replace("{cluster}", cluster_name)
    return Kubeconfig(cluster_name=cluster_name, user_name=user, server=server,
                      authority=NO_MATERIAL, certificate=NO_MATERIAL, key=NO_MATERIAL,
                      context_name=context_name)


def _sorted_out(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """The sorted DNS names, and the addresses in their order (RemoveDuplicateAltNames)."""
    distinct = [*dict.fromkeys(words)]
    addresses = [word for word in distinct if _is_address(word)]
    return sorted({*distinct} - {*addresses}), addresses


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
