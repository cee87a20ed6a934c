"""What a tree tells of the names, the addresses and the API server that a new certificate or kubeconfig wants."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import suppress
from shlex import quote
from urllib.parse import urlsplit

from .situation import Situation
from ...node.node import USUAL_NAMES
from ...observed.inventory import HOSTS, kubeconfig_of
from ...rules.host import certified_names, row_of
from ....errors import InputError
from ....kubernetes import reading
from ....kubernetes.layouts import Place
from ....kubernetes.profiles import Profile, check_address, find_profile
from ....kubernetes.told import ISSUER, NODE_IP, SERVICES
from ....pem import load_certificate

NO_ADDRESS, NO_SERVER = "ADDRESS", "https://API-SERVER:6443"


def names_options(place: Place, profile: Profile, here: Situation) -> str:
    """The options for the names and addresses that a row's certificate is to have: what the tree tells of them."""
    if profile.sans == "none" and place != here.inventory.layout.kubelet:
        return ""
    found = _found_names(place, profile, here)
    own = {here.node, *(USUAL_NAMES[profile.sans][0] if profile.sans != "none" else ())}
    addresses = found.addresses or (NO_ADDRESS,) * (profile.sans != "none")
    return "".join([f" --address {one}" for one in addresses]
                   + [f" --dns {quote(one)}" for one in found.dns if one not in own])


def _found_names(place: Place, profile: Profile, here: Situation) -> reading.Names:
    """What the certificate that is there says, where it is this row's own, and what the tree's other files add."""
    inventory, dns, addresses = here.inventory, list[str](), list[str]()
    kubeconfig = kubeconfig_of(inventory.found, place)
    data = inventory.look(place.certificate).data if place.certificate else kubeconfig and kubeconfig.certificate.data
    for names in _certified(data or b"", profile, here.node):
        dns, addresses = [*names.dns], [*names.addresses]
    wanted = row_of(place, inventory, here.node).identity
    kubelet = inventory.layout.kubelet
    if profile.sans == "apiserver":
        services = _services(here)
        dns, addresses = [*dns, *services.dns], [*addresses, *services.addresses]
    if not addresses and place != kubelet and profile.sans != "none":
        addresses += _found_names(kubelet, find_profile(kubelet.row), here).addresses
    if not addresses and profile.sans != "none":
        addresses += _told_addresses(here)
    usual = USUAL_NAMES[profile.sans][1] if profile.sans != "none" else ()
    return reading.Names(tuple(dict.fromkeys((*dns, *wanted.dns))),
                         tuple(dict.fromkeys(one for one in (*addresses, *wanted.addresses) if one not in usual)))


def services_told(here: Situation) -> bool:
    """Whether a file of the tree tells how services reach the API server: its flags, or its certificate as it is."""
    place = here.inventory.layout.place("apiserver")
    profile = find_profile(place.row)
    certified = [*_certified(here.inventory.look(place.certificate).data or b"", profile, here.node)]
    return any(_services(here).addresses) or any(one.addresses for one in certified)


def _services(here: Situation) -> reading.Names:
    """What the API server is told of the names under which services reach it: the cluster's domain, and its first
    address (kubeadm: util/pkiutil, GetAPIServerAltNames)."""
    told, dns, addresses = here.inventory.told, tuple[str, ...](), tuple[str, ...]()
    issuer, subnets = (told.get(("kube-apiserver", name)) for name in (ISSUER, SERVICES))
    if issuer and issuer.value.startswith("https://kubernetes.default.svc."):
        dns = (issuer.value.removeprefix("https://"),)
    if subnets:
        with suppress(ValueError):
            addresses = (str(ipaddress.ip_network(subnets.value.partition(",")[0])[1]),)
    return reading.Names(dns, addresses)


def _told_addresses(here: Situation) -> Iterator[str]:
    """The host's own address: what its kubelet is told, else what its table of hosts says."""
    told = here.inventory.told.get(("kubelet", NODE_IP))
    words = told.value.split(",") if told else [
        line.split()[0] for line in (here.inventory.look(HOSTS).data or b"").decode("utf-8", "replace").splitlines()
        if here.node in line.partition("#")[0].split()[1:]]
    for word in words:
        with suppress(InputError):
            yield check_address(word)


def _certified(data: bytes, profile: Profile, node: str) -> Iterator[reading.Names]:
    """The names in a certificate, where it is the row's own, and the host's."""
    try:
        certificate = load_certificate(data)
        user = reading.certificate_subject(certificate).user
        names = reading.names_of(reading.extensions_of(certificate))
    except InputError:
        return
    own = profile.common_name.replace("{node}", node)
    if names and (user == own or profile.was_called(user)):
        yield reading.Names(tuple(one for one in names.dns if re.fullmatch(r"[a-z0-9.*-]+", one)), names.addresses)


def server_url(place: Place, here: Situation) -> str:
    """The API server's URL: from the row's kubeconfig, else another one that leads the same way, else any."""
    others = sorted((one for one in here.inventory.layout.places if one.kubeconfig and one != place),
                    key=lambda one: one.server != place.server)
    certified = certified_names(here.inventory)
    for one in (place, *others):
        kubeconfig = kubeconfig_of(here.inventory.found, one)
        if kubeconfig and kubeconfig.server.isprintable() and _is_url(kubeconfig.server) and (
                one.server != "local" or not certified or urlsplit(kubeconfig.server).hostname in certified):
            return kubeconfig.server
    return NO_SERVER


def _is_url(text: str) -> bool:
    try:
        return urlsplit(text).scheme == "https" and bool(urlsplit(text).hostname)
    except ValueError:
        return False
