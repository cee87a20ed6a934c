"""The rules for names: a server's certificate has each name by which files reach the server."""
from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from .certificate import node_fault
from .facts import Pair, kubeconfigs_of
from ..finding import Finding
from ..observed.inventory import HOSTS, Inventory
from ...kubernetes import reading
from ...kubernetes.kubeconfig import Kubeconfig
from ...kubernetes.profiles import NODE_PREFIX

if TYPE_CHECKING:
    from ..observed.use import Running

# the store: certificates that the kubelet itself has requested, for its own names
STORE = "-current.pem"
# components beside an API server, which lead to that server or to the cluster's endpoint
_BESIDE = ("kube-controller-manager", "kube-scheduler")
# pods call the API server by one of its service's names
_SERVICE = "kubernetes.default.svc"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_ANYWHERE = ("", "0.0.0.0", "::")    # noqa: S104 (nothing is bound here)


class Places(NamedTuple):
    """The names of a host, and the names by which its components reach servers."""

    node: str
    """The node's name, "" if unknown."""
    own: frozenset[str]
    """The names and addresses of this host: loopback, the node's, those in settings."""
    addresses: frozenset[str]
    """The addresses of *own* that a component's settings name."""
    api: tuple[str, ...]
    """The names and addresses by which clients reach this host's API server."""
    etcd: tuple[str, ...]
    """The names and addresses by which clients reach this host's etcd."""
    peers: tuple[str, ...]
    """The names and addresses by which members reach this host's etcd."""
    kubelet: tuple[str, ...]
    """The address by which this host's API server calls and verifies its kubelet, if files tell it.
    """
    etcd_is_here: bool
    """Whether the API server uses the etcd of this host."""


def places_of(inventory: Inventory, node: str) -> Places:
    """The names and addresses by which clients reach the servers of a tree's host."""
    addresses = frozenset(_shortest(_values(inventory, (
        "node-ip", "advertise-address", "bind-address", "address")))) - {*_ANYWHERE, *_LOOPBACK}
    etcd_urls = ("listen-client-urls", "advertise-client-urls")
    peer_urls = ("listen-peer-urls", "initial-advertise-peer-urls")
    members = [*_hosts(inventory, "etcd", etcd_urls)]
    # without a setting for peers, peers use this host's address: etcd compares the caller's address
    # with the names (checkCertSAN function)
    peers = [*_hosts(inventory, "etcd", peer_urls)] or [*_hosts(inventory, "etcd", etcd_urls[1:])]
    host_name = (inventory.file("etc/hostname").data or b"").decode("utf-8",
                                                                    "replace").strip().lower()
    own = {*_LOOPBACK, *addresses, *members, *peers, *filter(None, (node, host_name))}
    own |= _called_so(inventory, own - {*_LOOPBACK})
    servers = [*_hosts(inventory, "kube-apiserver", ("etcd-servers",))]
    return Places(node, frozenset(own), addresses, tuple(dict.fromkeys(_api_names(inventory, own))),
                  tuple(dict.fromkeys([*members, *(host for host in servers if host in own)])),
                  tuple(dict.fromkeys(peers)), tuple(_kubelet_address(inventory)),
                  not servers or any(host in own for host in servers))


def _kubelet_address(inventory: Inventory) -> Iterator[str]:
    """The kubelet's --node-ip, if an API server on this host calls and verifies it by address.

    No file of a worker tells which API server calls its kubelet, and by which name.
    """
    types = inventory.setting_values("kube-apiserver", "kubelet-preferred-address-types")
    if types and types[0].startswith("InternalIP") \
        and inventory.setting_values("kube-apiserver", "kubelet-certificate-authority"):
        first = next(iter(inventory.setting_values("kubelet", "node-ip")), "").partition(",")[0]
        if is_address(first) and first not in _ANYWHERE:
            yield str(ipaddress.ip_address(first))


def _values(inventory: Inventory, names: Iterable[str]) -> Iterator[str]:
    for running in inventory.running:
        for name in names:
            yield from running.settings.get(name, ())


def _hosts(inventory: Inventory, component: str, names: Iterable[str]) -> Iterator[str]:
    """The hosts in the https URLs of a component's settings, without wildcard addresses."""
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
        return host if _NAME.fullmatch(host) else ""    # a variable without a value is no name
    return ""


def _called_so(inventory: Inventory, known: Iterable[str]) -> set[str]:
    """The names of the host's addresses, and the addresses of its names, from its /etc/hosts."""
    wanted, found = {*known}, set[str]()
    for line in (inventory.file(HOSTS).data or b"").decode("utf-8", "replace").splitlines():
        words = line.partition("#")[0].split()
        if wanted & {*words}:
            found |= {*words}
    return found


def _api_names(inventory: Inventory, own: Iterable[str]) -> Iterator[str]:
    """The names by which clients reach this host's API server.

    These are the advertised address, the first service address, and the servers of kubeconfigs. A
    server that may be another host's API server does not count.
    """
    servers = [running for running in inventory.running if running.component == "kube-apiserver"]
    for running in servers:
        yield from _shortest(running.settings.get("advertise-address", ()))
        for network in running.settings.get("service-cluster-ip-range", ())[:1]:
            with suppress(ValueError, IndexError):
                yield str(ipaddress.ip_network(network, strict=False)[1])
    led = [(host, asked_host(kubeconfig)) for kubeconfig in kubeconfigs_of(inventory).values()
           if (host := host_of(kubeconfig.url))]
    own_servers = [asked for host, asked in led if host in {*own}]
    yield from filter(None, own_servers)
    # the host's files name a single endpoint
    if not own_servers and servers and len(led) > 1 and len({*led}) == 1:
        yield from filter(None, [led[0][1]])


def asked_host(kubeconfig: Kubeconfig) -> str:
    """The name or address that a client looks for in the server's certificate.

    "" if the client verifies no name.
    """
    if not kubeconfig.verifies:
        return ""
    name = kubeconfig.asked_name
    return host_of(f"https://{name}" if name else kubeconfig.url)


def _shortest(values: Iterable[str]) -> Iterator[str]:
    """The addresses among some values, in their shortest form, without wildcard addresses."""
    yield from (str(ipaddress.ip_address(value)) for value in values
                if is_address(value) and value not in _ANYWHERE)


def certified_names(pairs: Iterable[Pair]) -> set[str]:
    """The names and addresses in the API server's certificate; empty if the file cannot be read."""
    return set[str]().union(*_certified(pair for pair in pairs if pair.serves("apiserver-serving")))


def led_beside(inventory: Inventory) -> Iterator[tuple[str, Kubeconfig, str]]:
    """The kubeconfigs of components beside an API server: path, content, and the asked host."""
    paths = {use.path for use in inventory.uses if use.component in _BESIDE
             and use.part == "kubeconfig"}
    yield from ((path, found, host) for path, found in kubeconfigs_of(inventory).items()
                if path in paths and (host := asked_host(found)))


def names_fault(pair: Pair, others: Sequence[Pair], places: Places,
                by_layout: bool) -> Finding | None:
    """Check that a server's certificate has the names by which this host's files reach the server.

    *others* are pairs that the same server presents by name. With *by_layout* the layout counts, so
    the names that kpki gives count too.
    """
    kinds = {purpose.names for purpose in pair.purposes} - {"none"}
    if not kinds:
        return None
    words, names = [*dict.fromkeys(_wanted(kinds, places))], reading.names_of(
        reading.extensions_of(pair.chain[0]))
    certified, there = _certified((pair, *others))
    if "apiserver" in kinds \
        and not any(name == "kubernetes" or name.startswith("kubernetes.") for name in certified):
        words.append(_SERVICE)
    if names is None and not words:
        words.append(places.node)
    fault = missing_names(pair, [word for word in words if not is_address(word)],
                          [*filter(is_address, words)], others)
    if fault or names is None:
        return fault
    if "kubelet" in kinds and places.node and not pair.path.endswith(STORE) \
        and not _is_hosts(names, places):
        subject = reading.certificate_subject(pair.chain[0])
        other = node_fault(pair.path, "kubelet-serving", subject, places.node) \
            if subject.user.startswith(NODE_PREFIX) \
            and subject.user != NODE_PREFIX + places.node else None
        return other or _missing("DNS", pair, names, [places.node])
    if by_layout and kinds & {"etcd", "etcd-peer"} and not {*_LOOPBACK} & {*certified, *there}:
        return _missing("DNS", pair, names, ["localhost"])
    return None


def missing_names(pair: Pair, dns: Sequence[str], addresses: Sequence[str],
                  others: Sequence[Pair] = ()) -> Finding | None:
    """The finding for names or addresses that a certificate lacks.

    *others* are pairs that the same server presents by name.
    """
    names = reading.names_of(reading.extensions_of(pair.chain[0]))
    if names is None:
        expected = [*(f"DNS:{name}" for name in dns), *(f"IP:{address}" for address in addresses)]
        return Finding("legacy-cn-no-san", pair.path, pair.row,
                       "certificate has no subjectAltName, and Go does not read names from the CN",
                       expected=", ".join(expected))
    certified, there = _certified((pair, *others))
    return _missing("DNS", pair, names, [name for name in dns if not _is_named(name, certified)]) \
        or _missing(
        "IP", pair, names, [address for address in addresses if address not in there])


def _certified(pairs: Iterable[Pair]) -> tuple[set[str], set[str]]:
    """The DNS names, in lower case, and the addresses of certificates."""
    every = [names for pair in pairs if pair.chain
             and (names := reading.names_of(reading.extensions_of(pair.chain[0])))]
    return ({name.lower() for names in every for name in names.dns},
            {address for names in every for address in names.addresses})


def _missing(kind: str, pair: Pair, names: reading.Names, words: Sequence[str]) -> Finding | None:
    """The finding for names (kind `DNS`) or addresses (kind `IP`) that a certificate lacks."""
    return Finding(f"missing-san-{kind.lower()}", pair.path, pair.row, "certificate does not name "
                   f"{'the address ' if kind == 'IP' else ''}{', '.join(words)}", got=", ".join(
                       names.dns + names.addresses),
                   expected=", ".join(f"{kind}:{word}" for word in words),
                   ) if words else None


def wanted_names(kinds: Container[str], inventory: Inventory, node: str) -> tuple[list[str],
                                                                                  list[str]]:
    """The DNS names and addresses by which the host's files reach servers of these kinds."""
    words = [*dict.fromkeys(_wanted(kinds, places_of(inventory, node))),
             *([node] if "kubelet" in kinds else [])]
    return [word for word in words if not is_address(word)], [word for word in words
                                                              if is_address(word)]


def _wanted(kinds: Container[str], places: Places) -> Iterator[str]:
    if "apiserver" in kinds:
        yield from places.api
    if "kubelet" in kinds:
        yield from places.kubelet
    if "etcd" in kinds:
        yield from places.etcd
    if "etcd-peer" in kinds:
        yield from places.peers


def _is_named(name: str, certified: set[str]) -> bool:
    """Whether a DNS name is among *names*; a wildcard matches one label (RFC 6125 §6.4.3)."""
    return name.lower() in certified \
        or ("." in name and f"*.{name.lower().partition('.')[2]}" in certified)


def _is_hosts(names: reading.Names, places: Places) -> bool:
    """Whether a kubelet's certificate has any name of its host: the Node object tells which."""
    if not names.dns:
        return bool({*names.addresses} & places.addresses) or not places.addresses
    labels = {name.partition(".")[0] for name in places.own if not is_address(name)}
    return any(name.lower().removeprefix(NODE_PREFIX).partition(".")[0] in labels
               for name in names.dns)


def is_address(word: str) -> bool:
    """Whether a word is an IP address."""
    with suppress(ValueError):
        ipaddress.ip_address(word)
        return True
    return False


def names_asked(running: Running, pair: Pair) -> Iterator[str]:
    """The names for which an API server presents a pair: CERT,KEY:NAME (--tls-sni-cert-key)."""
    for value in running.settings.get("tls-sni-cert-key", ()):
        paths, _, names = value.partition(":")
        if posixpath.basename(pair.path) == posixpath.basename(paths.partition(",")[0]):
            yield from filter(None, names.split(","))
