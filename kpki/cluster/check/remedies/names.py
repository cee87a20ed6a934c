"""The names, addresses and API server of a new certificate or kubeconfig, from a tree's files."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from .target import RepairTarget
from ...finding import Finding
from ...observed.inventory import HOSTS, kubeconfig_of
from ...rules.names import certified_names, is_address, led_beside, wanted_names
from ....errors import InputError
from ....kubernetes import reading
from ....kubernetes.kubeconfig import NO_SERVER, validate_server
from ....kubernetes.layouts import Place
from ....kubernetes.profiles import (
    USUAL_NAMES,
    Profile,
    get_profile,
    validate_address,
    validate_dns_name,
)
from ....pem import load_certificate

_NO_ADDRESS = "ADDRESS"
_SERVER = re.compile(rb"^ *server: *[\"']?(https://[^\s\"']+)", re.MULTILINE)
# causes whose findings name the missing names
_NAMES = ("missing-san-ip", "missing-san-dns", "legacy-cn-no-san")
# placeholders for facts that no file tells: kpki refuses them, so that no command runs with them
PLACEHOLDERS = {
    _NO_ADDRESS: f"{_NO_ADDRESS} is the node's own, as `kubectl get nodes -o wide` shows it",
    NO_SERVER: f"{NO_SERVER} is where another host's kubeconfig leads"}


def names_options(place: Place, profile: Profile, target: RepairTarget,
                  missing: reading.Names) -> list[str]:
    """The options for the names and addresses of a row's certificate.

    They are the *missing* names of the present certificate, and the names that the tree's files
    tell.
    """
    if profile.sans == "none" and place != target.inventory.layout.kubelet:
        return []
    found = _found_names(place, profile, target, missing)
    own = {target.node, *USUAL_NAMES[profile.sans][0]}
    addresses = [*found.addresses] or [_NO_ADDRESS] * (profile.sans != "none")
    dns = [name for name in found.dns if name not in own]
    return [word for option, values in (("--address", addresses), ("--dns", dns))
            for value in values
            for word in (option, value)]


def missing_names(finding: Finding | None) -> reading.Names:
    """The names that a finding says a certificate should have."""
    dns, addresses = list[str](), list[str]()
    for word in finding.expected.split(", ") if finding and finding.cause in _NAMES else ():
        kind, _, name = word.partition(":")
        with suppress(InputError):
            if kind == "IP":
                addresses.append(validate_address(name))
            elif kind == "DNS":
                dns.append(validate_dns_name(name))
    return reading.Names(tuple(dns), tuple(addresses))


def _found_names(place: Place, profile: Profile, target: RepairTarget,
                 missing: reading.Names) -> reading.Names:
    """The names of the present certificate, if it is this row's, and of the tree's other files."""
    inventory, dns, addresses = target.inventory, list[str](), list[str]()
    kubeconfig = kubeconfig_of(inventory.found, place)
    data = inventory.file(place.certificate).data if place.certificate else kubeconfig \
        and kubeconfig.certificate.data
    for names in _certified(data or b"", profile, target.node):
        dns, addresses = [*names.dns], [*names.addresses]
    wanted = _wanted_names(profile, target)
    if not addresses and profile.sans != "none":
        addresses = own_addresses(target)
    if profile.sans == "apiserver":
        services = service_names(target)
        dns, addresses = [*dns, *services.dns], [*addresses, *services.addresses]
    addresses += (*wanted.addresses, *missing.addresses)
    return reading.Names(tuple(dict.fromkeys((*dns, *wanted.dns, *missing.dns))),
                         tuple(dict.fromkeys(address for address in addresses
                                             if address not in USUAL_NAMES[profile.sans][1])))


def _wanted_names(profile: Profile, target: RepairTarget) -> reading.Names:
    """The names and addresses by which the tree's own files reach a row's server."""
    kinds = {"node": "kubelet", "apiserver": "apiserver", "etcd-server": "etcd",
             "etcd-peer": "etcd-peer"}
    dns, addresses = wanted_names((kinds.get(profile.sans, ""),), target.inventory, target.node)
    if profile.sans == "apiserver":
        led = [host for _, _, host in led_beside(target.inventory)]
        certified = certified_names(target.pairs)
        for word in [host for host in led if host in certified] or led:
            (addresses if is_address(word) else dns).append(word)
    return reading.Names(tuple(dns), tuple(addresses))


def own_addresses(target: RepairTarget) -> list[str]:
    """The host's own addresses.

    The first of these with an answer counts: the components' flags, the servers' certificates, the
    servers of its control plane's kubeconfigs, /etc/hosts.
    """
    for source in (_setting_addresses, _certified_addresses, _led_addresses, _listed_addresses):
        if found := [*dict.fromkeys(_addresses(source(target)))]:
            return found
    return []


def _addresses(words: Iterable[str]) -> Iterator[str]:
    """The words that are addresses by which other hosts reach this host."""
    for word in words:
        with suppress(InputError):
            address = ipaddress.ip_address(validate_address(word))
            if not (address.is_loopback or address.is_unspecified):
                yield str(address)


def _setting_addresses(target: RepairTarget) -> Iterator[str]:
    values = target.inventory.setting_values
    if words := values("kubelet", "node-ip") or values("kube-apiserver", "advertise-address"):
        yield from words
        return
    for name in ("advertise-client-urls", "initial-advertise-peer-urls"):
        yield from map(_host, values("etcd", name))


def _certified_addresses(target: RepairTarget) -> Iterator[str]:
    """The names of the certificates of the host's other servers, if they name the host too."""
    layout, services = target.inventory.layout, service_names(target).addresses
    for place in layout.places:
        profile = get_profile(place.row)
        if profile.sans == "none" or not place.certificate \
            or (profile.sans == "apiserver" and not services):
            # no other file tells which of an API server's addresses is the services' address
            continue
        for names in _certified(target.inventory.file(place.certificate).data or b"", profile,
                                target.node):
            if target.node in map(str.lower, names.dns):
                yield from (address for address in names.addresses if address not in services)
    # whatever the path; for API servers' certificates see above
    for pair in target.pairs:
        kinds = {purpose.names for purpose in pair.purposes}
        if pair.chain and kinds & {"kubelet", "etcd", "etcd-peer"} and "apiserver" not in kinds:
            own = reading.names_of(reading.extensions_of(pair.chain[0]))
            if own and target.node in map(str.lower, own.dns):
                yield from own.addresses


def _led_addresses(target: RepairTarget) -> Iterator[str]:
    """The servers of the kubeconfigs beside an API server: the host's own, as with kubeadm."""
    certified = certified_names(target.pairs)
    for place in target.inventory.layout.places:
        kubeconfig = kubeconfig_of(target.inventory.found, place)
        if kubeconfig and place.server == "local" and place != target.inventory.layout.kubelet \
                and (not certified or target.node in certified):
            yield _host(kubeconfig.server)


def _listed_addresses(target: RepairTarget) -> Iterator[str]:
    """The addresses of the host's name in its /etc/hosts."""
    for line in (target.inventory.file(HOSTS).data or b"").decode("utf-8", "replace").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if target.node in names:
            yield address


def tells_services(target: RepairTarget) -> bool:
    """Whether the API server's flags or certificate tell how services reach the API server."""
    place = target.inventory.layout.place("apiserver")
    profile = get_profile(place.row)
    certified = [*_certified(target.inventory.file(place.certificate).data or b"", profile,
                             target.node)]
    return any(service_names(target).addresses) or any(identity.addresses for identity in certified)


def service_names(target: RepairTarget) -> reading.Names:
    """The names of the API server's service, from its flags: the domain, and the first address.

    (kubeadm: util/pkiutil, GetAPIServerAltNames)
    """
    values, dns, addresses = target.inventory.setting_values, tuple[str, ...](), tuple[str, ...]()
    for issuer in values("kube-apiserver", "service-account-issuer")[:1]:
        if issuer.startswith("https://kubernetes.default.svc."):
            dns = (issuer.removeprefix("https://"),)
    for subnet in values("kube-apiserver", "service-cluster-ip-range")[:1]:
        with suppress(ValueError):
            addresses = (str(ipaddress.ip_network(subnet)[1]),)
    return reading.Names(dns, addresses)


def _certified(data: bytes, profile: Profile, node: str) -> Iterator[reading.Names]:
    """The names in a certificate, if it is the row's and the host's."""
    try:
        certificate = load_certificate(data)
        user = reading.certificate_subject(certificate).user
        names = reading.names_of(reading.extensions_of(certificate))
    except InputError:
        return
    own = profile.common_name.replace("{node}", node)
    if names and (user == own or profile.has_former_name(user)):
        yield reading.Names(tuple(name for name in names.dns
                                  if re.fullmatch(r"[a-z0-9.*-]+", name)),
                            names.addresses)


def server_url(place: Place, target: RepairTarget) -> str:
    """The API server's URL: from the row's kubeconfig, else a similar one, else any."""
    others = sorted((other for other in target.inventory.layout.places if other.kubeconfig
                     and other != place),
                    key=lambda other: other.server != place.server)
    certified = certified_names(target.pairs)
    for other in (place, *others):
        kubeconfig = kubeconfig_of(target.inventory.found, other)
        if kubeconfig and kubeconfig.server.isprintable() \
            and kubeconfig.server.startswith("https://") \
                and (host := _host(kubeconfig.server)) and (
                    other.server != "local" or not certified or host in certified):
            return kubeconfig.server
    data = target.inventory.file(place.kubeconfig).data or b"" if place.kubeconfig else b""
    for server in _SERVER.findall(data):    # also in a kubeconfig with another fault
        with suppress(InputError):
            return validate_server(server.decode())
    return NO_SERVER


def _host(url: str) -> str:
    """The host in a URL, "" if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
