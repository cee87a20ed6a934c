"""The names by which a host's own files reach its servers: each must be in the certificate that the server shows."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from .certificate import node_fault
from .facts import Pair, kubeconfigs_of, pairs_of
from ..finding import Finding
from ..observed.inventory import HOSTS, Inventory
from ...kubernetes import reading
from ...kubernetes.kubeconfig import Kubeconfig
from ...kubernetes.profiles import NODE_PREFIX

# What the kubelet has asked for itself, with the names that it has.
STORE = "-current.pem"
# Components that stand beside an API server, and lead to that or to the cluster's endpoint.
_BESIDE = ("kube-controller-manager", "kube-scheduler")
_SERVICE = "kubernetes.default.svc"     # pods call the API server by one of the names of its service
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_ANYWHERE = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Places:
    """How a host is called, and where its components reach servers."""

    node: str
    """The node's name, "" if nothing tells it."""
    own: frozenset[str]
    """The names and addresses that are this host's: loopback, the node's, those that its components are told."""
    addresses: frozenset[str]
    """Of these, the addresses that a component is told to have."""
    api: tuple[str, ...]
    """The names and addresses by which clients reach this host's API server."""
    etcd: tuple[str, ...]
    """The same of this host's etcd, for its clients."""
    peers: tuple[str, ...]
    """The same for the other members of etcd."""
    etcd_is_here: bool
    """Whether the API server's etcd is the one of this host."""


def places_of(inventory: Inventory, node: str) -> Places:
    """How the host of a tree is called."""
    addresses = frozenset(filter(is_address, _values(inventory, ("node-ip", "advertise-address", "bind-address",
                                                                 "address")))) - {*_ANYWHERE, *_LOOPBACK}
    etcd_urls = ("listen-client-urls", "advertise-client-urls")
    peer_urls = ("listen-peer-urls", "initial-advertise-peer-urls")
    members = [*_hosts(inventory, "etcd", etcd_urls)]
    # what nothing tells of peers is this host's address: etcd holds the caller's against the names (checkCertSAN)
    peers = [*_hosts(inventory, "etcd", peer_urls)] or [*_hosts(inventory, "etcd", etcd_urls[1:])]
    host_name = (inventory.look("etc/hostname").data or b"").decode("utf-8", "replace").strip().lower()
    own = {*_LOOPBACK, *addresses, *members, *peers, *filter(None, (node, host_name))}
    own |= _called_so(inventory, own - {*_LOOPBACK})
    servers = [*_hosts(inventory, "kube-apiserver", ("etcd-servers",))]
    return Places(node, frozenset(own), addresses, tuple(dict.fromkeys(_api_names(inventory, own))),
                  tuple(dict.fromkeys([*members, *(host for host in servers if host in own)])),
                  tuple(dict.fromkeys(peers)), not servers or any(host in own for host in servers))


def _values(inventory: Inventory, names: Iterable[str]) -> Iterator[str]:
    for running in inventory.running:
        for name in names:
            yield from running.settings.get(name, ())


def _hosts(inventory: Inventory, component: str, names: Iterable[str]) -> Iterator[str]:
    """The hosts in the https URLs of a component's settings, but for those that stand for every address."""
    for running in inventory.running:
        if running.component == component:
            for name in names:
                for url in running.settings.get(name, ()):
                    if url.startswith("https:") and (host := host_of(url)) not in _ANYWHERE:
                        yield host


def host_of(url: str) -> str:
    """The host of a URL, an address in its shortest form; "" if there is none."""
    with suppress(ValueError):
        host = urlsplit(url).hostname or ""
        if is_address(host):
            return str(ipaddress.ip_address(host))
        return host if _NAME.fullmatch(host) else ""    # a variable that is left open is no name
    return ""


def _called_so(inventory: Inventory, known: Iterable[str]) -> set[str]:
    """The names that the host's own /etc/hosts gives its addresses, and the addresses that it gives its names."""
    wanted, found = {*known}, set[str]()
    for line in (inventory.look(HOSTS).data or b"").decode("utf-8", "replace").splitlines():
        words = line.partition("#")[0].split()
        if wanted & {*words}:
            found |= {*words}
    return found


def _api_names(inventory: Inventory, own: Iterable[str]) -> Iterator[str]:
    """By which names clients reach this host's API server: the address that it advertises, the first address of the
    services, and where kubeconfigs lead to it. One that may lead to another host's API server tells nothing."""
    servers = [running for running in inventory.running if running.component == "kube-apiserver"]
    for running in servers:
        yield from (one for one in running.settings.get("advertise-address", ())
                    if is_address(one) and one not in _ANYWHERE)
        for network in running.settings.get("service-cluster-ip-range", ())[:1]:
            with suppress(ValueError, IndexError):
                yield str(ipaddress.ip_network(network, strict=False)[1])
    led = [host for kubeconfig in kubeconfigs_of(inventory).values() if (host := host_of(kubeconfig.server))]
    here = [host for host in led if host in {*own}]
    yield from here
    if not here and servers and len(led) > 1 and len({*led}) == 1:     # all that the host knows is one endpoint
        yield led[0]


def certified_names(inventory: Inventory) -> set[str]:
    """The names and addresses in the API server's certificate, as far as the file can be read."""
    served = (pair for pair in pairs_of(inventory) if pair.serves("apiserver-serving") and pair.chain)
    names = (reading.names_of(reading.extensions_of(pair.chain[0])) for pair in served)
    return {word for one in names if one for word in (*one.dns, *one.addresses)}


def led_beside(inventory: Inventory) -> Iterator[tuple[str, Kubeconfig, str]]:
    """Where the components beside an API server are led to: the kubeconfig's path, what is in it, the server's host."""
    paths = {use.path for use in inventory.uses if use.component in _BESIDE and use.part == "kubeconfig"}
    yield from ((path, found, host) for path, found in kubeconfigs_of(inventory).items()
                if path in paths and (host := host_of(found.server)))


def names_fault(pair: Pair, others: Sequence[Pair], places: Places, untold: bool) -> Finding | None:
    """Whether a server's certificate has the names by which this host's own files reach the server.

    *others* are pairs that the same server shows by name. *untold*: the layout speaks, so that the names that kpki
    gives count as well.
    """
    kinds = {purpose.names for purpose in pair.purposes} - {"none"}
    if not kinds:
        return None
    names = reading.names_of(reading.extensions_of(pair.chain[0]))
    dns, addresses = list[str](), list[str]()
    for word in dict.fromkeys(_wanted(kinds, places, untold)):
        (addresses if is_address(word) else dns).append(word)
    if names is None:
        listed = [f"DNS:{one}" for one in dns] + [f"IP:{one}" for one in addresses]
        return Finding("legacy-cn-no-san", pair.path, pair.row, "certificate has no subjectAltName, and Go takes no CN "
                       "for a name", expected=", ".join(listed or [f"DNS:{places.node}"]))
    every = [names, *(found for one in others if one.chain and (
        found := reading.names_of(reading.extensions_of(one.chain[0]))))]
    said = {name.lower() for one in every for name in one.dns}
    there, there_too = ", ".join(names.dns + names.addresses), {address for one in every for address in one.addresses}
    missing = [name for name in dns if not _is_named(name, said)]
    if "apiserver" in kinds and not any(one == "kubernetes" or one.startswith("kubernetes.") for one in said):
        missing.append(_SERVICE)
    absent = [address for address in addresses if address not in there_too]
    if missing:
        return Finding("missing-san-dns", pair.path, pair.row, f"certificate does not name {', '.join(missing)}",
                       got=there, expected=", ".join(f"DNS:{one}" for one in missing))
    if absent:
        return Finding("missing-san-ip", pair.path, pair.row, f"certificate does not name the address "
                       f"{', '.join(absent)}", got=there, expected=", ".join(f"IP:{one}" for one in absent))
    if "kubelet" in kinds and places.node and not pair.path.endswith(STORE) and not _is_hosts(names, places):
        subject = reading.certificate_subject(pair.chain[0])
        if subject.user.startswith(NODE_PREFIX) and (
                fault := node_fault(pair.path, "kubelet-serving", subject, places.node)):
            return fault
        return Finding("missing-san-dns", pair.path, pair.row, f"certificate does not name {places.node}", got=there,
                       expected=f"DNS:{places.node}")
    if untold and kinds & {"etcd", "etcd-peer"} and not {*_LOOPBACK} & {*said, *there_too}:
        return Finding("missing-san-dns", pair.path, pair.row, "certificate does not name localhost, and etcd calls "
                       "itself there", got=there, expected="DNS:localhost")
    return None


def wanted_names(kinds: Container[str], inventory: Inventory, node: str) -> tuple[list[str], list[str]]:
    """The DNS names and addresses by which the host's own files reach servers of these kinds."""
    words = [*dict.fromkeys(_wanted(kinds, places_of(inventory, node), False)), *([node] if "kubelet" in kinds else [])]
    return [word for word in words if not is_address(word)], [word for word in words if is_address(word)]


def _wanted(kinds: Container[str], places: Places, untold: bool) -> Iterator[str]:
    if "apiserver" in kinds:
        yield from places.api
    if "etcd" in kinds:
        yield from places.etcd
    if "etcd-peer" in kinds:
        yield from places.peers


def _is_named(name: str, said: set[str]) -> bool:
    """Whether a DNS name is among those of a certificate; a wildcard stands for one label (RFC 6125 §6.4.3)."""
    return name.lower() in said or "." in name and f"*.{name.lower().partition('.')[2]}" in said


def _is_hosts(names: reading.Names, places: Places) -> bool:
    """Whether a kubelet's certificate names its host by any name: which one callers ask for, the Node object says."""
    if not names.dns:
        return bool({*names.addresses} & places.addresses) or not places.addresses
    labels = {one.partition(".")[0] for one in places.own if not is_address(one)}
    return any(name.lower().removeprefix(NODE_PREFIX).partition(".")[0] in labels for name in names.dns)


def is_address(word: str) -> bool:
    """Whether a word is an IP address."""
    with suppress(ValueError):
        ipaddress.ip_address(word)
        return True
    return False
