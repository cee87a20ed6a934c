"""What the files of a host's tree say about its cluster.

A file that cannot be read as what it should be says nothing: what is wrong with it is for `check` and `plan` to name.
"""
from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from ..authority import key_algorithm
from ..desired.description import Cluster, ExternalEtcd, Host, load_cluster
from ..desired.fields import absolute_path, address, node_name, other_name, plain_name, port, san, subnets, text
from ..desired.rows import Wanted, layout_of
from ..observed.contents import read_certificates
from ..observed.inventory import (Found, choose_layout, kubeconfig_of, look, named_path, read_layout, refusal,
                                  require)
from ..observed.uses import read_host
from ..observed.whose import owner_of
from ...errors import FileError, InputError
from ...kubernetes import reading
from ...kubernetes.kubeconfig import Kubeconfig
from ...kubernetes.layouts import CONTROL_PLANE, ETCD, KUBEADM, Layout, Place, Server
from ...kubernetes.manifests import API_SERVER
from ...kubernetes.profiles import NODE_PREFIX, find_profile

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

T = TypeVar("T")
ALONE = "nodes: this host alone is known, the others are to be added"
_BLANK = "apiVersion: kpki/v1\nkind: Cluster\nlayout: {}\ncontrolPlaneEndpoint: none\nnodes: [{{name: none}}]\n"
_SERVICE = "kubernetes.default.svc."
_HTTPS = 443
# Bits of the host part of a guessed subnet: no less than kubeadm takes (10 addresses), no more than kube-apiserver.
_FEWEST, _MOST = 4, 20


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A host's tree as it was found: its *layout*, moved where its files say so, and every file that matters.

    *certificates* are the rows' own, CAs and leaves, *kubeconfigs* theirs, where they can be read; *flags* the API
    server's.
    """

    root: str
    layout: Layout
    blank: Cluster
    found: Mapping[str, Found]
    certificates: Mapping[str, Certificate]
    kubeconfigs: Mapping[str, Kubeconfig]
    flags: Mapping[str, str]

    def there(self, place: Place) -> bool:
        """Whether any file of a place is there."""
        return any(self.found[path].data is not None for path in place.files())

    def names(self, row: str) -> reading.Names:
        """The names in a row's certificate, DNS names in lower case; none where there is no such certificate."""
        certificate = self.certificates.get(row)
        found = reading.names_of(reading.extensions_of(certificate)) if certificate else None
        return reading.Names(tuple(one.lower() for one in found.dns), found.addresses) if found else reading.Names()

    def embedded(self, place: Place, part: Literal["authority", "certificate", "key"]) -> bytes | None:
        """What a place's kubeconfig gives as one of its parts: the data in it, or what the file that it names holds."""
        material = getattr(self.kubeconfigs[place.row], part)
        if material.data is not None:
            return bytes(material.data)
        named = self.found.get(named_path(place.kubeconfig, material.path or ""))
        return named.data if named else None

    @property
    def kubelet(self) -> reading.Names:
        """The names under which the CA lets the kubelet be reached; none where it has no such certificate."""
        place = self.serving
        return reading.Names() if place.only and not self.signed(place.row) else self.names(place.row)

    @property
    def serving(self) -> Place:
        """The place of the kubelet's serving certificate."""
        return next(place for place in self.layout.places if find_profile(place.row).sans == "node")

    def signed(self, row: str) -> bool:
        """Whether the tree's CA signed a row's certificate."""
        leaf, ca = self.certificates.get(row), self.certificates.get("ca")
        return leaf is not None and ca is not None and reading.signed_by(leaf, ca)


def read_tree(root: str, *, layout: str | None = None) -> Tree:
    """Read a host's tree; *layout* is a name, None: the one that is there.

    Raises InputError where no layout is there, FileError for what is there and may not be read.
    """
    chosen = choose_layout(root, layout)
    manifest = look(root, API_SERVER)
    if manifest.unread:
        raise refusal(root, manifest.unread)
    servers = read_host(root).of("kube-apiserver")
    flags = {name: ",".join(values) for one in servers[:1] for name, values in one.settings.items()}
    blank = load_cluster(_BLANK.format(chosen.name))
    authority = taken(absolute_path, flags.get("client-ca-file"))
    if chosen == KUBEADM and authority is not None:
        blank = replace(blank, certificates_dir=posixpath.dirname(authority))
    chosen = layout_of(blank)
    found = require(read_layout(root, chosen)).found
    for one in found.values():
        if one.problem:
            raise FileError(f"{posixpath.join(root, one.path)}: {one.problem}")
    tree = Tree(root=root, layout=chosen, blank=blank, found=found, certificates={}, flags=flags,
                kubeconfigs={place.row: config for place in chosen.places if (config := kubeconfig_of(found, place))})
    return replace(tree, certificates=dict(_certificates(tree)))


def _certificates(tree: Tree) -> Iterator[tuple[str, Certificate]]:
    """Each row's certificate, from the last of its places to the first, which counts."""
    for place in reversed(tree.layout.places):
        data = None
        if place.certificate:
            data = tree.found[place.certificate].data
        elif place.row in tree.kubeconfigs:
            data = tree.embedded(place, "certificate")
        if data is not None and find_profile(place.row).kind != "key":
            for one in read_certificates(Found(place.certificate, data), place.row)[0][:1]:
                yield place.row, one


def taken(reader: Callable[[Any], T], value: Any) -> T | None:
    """What a field's reader makes of a value, None where a description could not hold it."""
    try:
        return None if value is None else reader(value)
    except InputError:
        return None


def host_name_of(tree: Tree, host_name: str) -> str:
    """Whose tree it is: the kubelet's certificate says it, else etcd's, else the folder, or for `/` *host_name*.

    Raises InputError where nothing tells it.
    """
    for row in (tree.layout.kubelet.row, "kubelet-serving", "etcd-server", "etcd-peer"):
        if certificate := tree.certificates.get(row):
            user = reading.certificate_subject(certificate).user
            name = taken(node_name, user.removeprefix(NODE_PREFIX))
            if name and (user.startswith(NODE_PREFIX) if row.startswith("kubelet") else name in tree.names(row).dns):
                return name
    return node_name(owner_of(tree.root, host_name=host_name))


def describe(tree: Tree, name: str) -> tuple[Cluster, list[str]]:
    """The cluster that a tree's files say, with this one host, and a line for each field that they do not tell.

    Raises InputError where they do not tell what a description cannot do without.
    """
    roles, external = _roles(tree)
    subnet, guess = _subnet(tree)
    host = Host(name, roles, _addresses(tree, roles, subnet), _dns(tree, name))
    control_plane = CONTROL_PLANE in roles
    if roles and not host.addresses:
        raise InputError(f"{tree.root}: no file names an address of {name}, and its certificates must",
                         hint="write cluster.yaml by hand: kpki init without --from")
    own_port = _port(tree, host) if control_plane else None
    told: dict[str, Any] = {
        "name": _cluster_name(tree), "endpoint": _endpoint(tree, host, own_port or tree.blank.port), "port": own_port,
        "service_subnets": subnet, "dns_domain": _domain(tree), "algorithm": _algorithm(tree)}
    if not control_plane and told["endpoint"] is None:
        raise InputError(f"{tree.root}: no kubeconfig says where the API server is",
                         hint="the kubelet's has its server")
    known = {"endpoint": None} | {field: value for field, value in told.items() if value is not None}
    cluster = replace(tree.blank, hosts=(host,), external_etcd=external,
                      kubelet_serving=tree.serving.only != "" and tree.signed(tree.serving.row), **known)
    told |= _further_names(tree, cluster, host)
    cluster = replace(cluster, **{field: told[field] for field in _SANS.values() if told[field]})
    return cluster, [*guess, *_untold(tree, told, host, external)]


# The row whose certificate tells a field.
_SANS = {"apiserver": "api_sans", "etcd-server": "etcd_server_sans", "etcd-peer": "etcd_peer_sans"}
# The words of a description for what `describe` looks for.
_FIELDS = {"name": "clusterName", "endpoint": "controlPlaneEndpoint", "port": "localAPIEndpoint.bindPort",
           "service_subnets": "networking.serviceSubnet", "dns_domain": "networking.dnsDomain",
           "api_sans": "apiServer.certSANs", "etcd_server_sans": "etcd.local.serverCertSANs",
           "etcd_peer_sans": "etcd.local.peerCertSANs", "algorithm": "encryptionAlgorithm",
           "validity": "certificateValidityPeriod", "ca_validity": "caCertificateValidityPeriod"}


def _untold(tree: Tree, told: Mapping[str, Any], host: Host, external: ExternalEtcd | None) -> Iterator[str]:
    if external is not None and ETCD in (role for role, there in _kept_roles(tree).items() if there):
        yield "etcd.external: the API server names other files than this host's etcd has, which are left alone"
    for field, words in _FIELDS.items():
        if told.get(field) is None and not (external is not None and words.startswith("etcd.local")):
            yield f"{words}: not told by the files, default kept"
    if not host.addresses:
        yield f"nodes[0].addresses: not told by the files, left out: no certificate of {host.name} has one"
    yield ALONE


def _kept_roles(tree: Tree) -> dict[str, bool]:
    """Role → whether files are there that only a host of that role has."""
    found = {CONTROL_PLANE: False, ETCD: False}
    for place in filter(tree.there, tree.layout.places):
        profile = find_profile(place.row)
        # a person's kubeconfig lies anywhere, and the API server's client pairs for others are made beside these
        found[CONTROL_PLANE] |= profile.per == "control-plane" and profile.signer == "ca" and profile.name != "admin"
        found[ETCD] |= profile.sans.startswith("etcd")
    return found


def _roles(tree: Tree) -> tuple[frozenset[str], ExternalEtcd | None]:
    """The host's roles, and the API server's files for an etcd that is not this host's."""
    roles = frozenset(role for role, there in _kept_roles(tree).items() if there)
    if CONTROL_PLANE not in roles:
        return roles, None
    client = tree.layout.place("apiserver-etcd-client")
    own = [f"/{path}" for path in (tree.layout.place("etcd-ca").certificate, client.certificate, client.key)]
    said = [taken(absolute_path, tree.flags.get(f"etcd-{name}")) for name in ("cafile", "certfile", "keyfile")]
    if ETCD in roles and said[0] in (None, own[0]) and said[1] in (None, own[1]):
        return roles, None
    if not tree.flags and all(tree.found[path.lstrip("/")].data is not None for path in own):
        said = [*own]
    ca, certificate, key = said if all(said) else (said[0], None, None)
    return roles - {ETCD}, ExternalEtcd(ca, certificate, key)


def _loopback(one: str) -> bool:
    return ipaddress.ip_address(one).is_loopback


def _servers(tree: Tree, *kinds: Server) -> Iterator[tuple[str, int]]:
    """Host and port of the servers in the kubeconfigs that lead to the API server so (Place.server)."""
    for place in tree.layout.places:
        if place.row in tree.kubeconfigs and place.server in kinds:
            try:
                url = urlsplit(tree.kubeconfigs[place.row].server)
                host, port = url.hostname or "", url.port or _HTTPS
            except ValueError:
                continue
            if (known := taken(address if ":" in host else plain_name, host)) is not None:
                yield known, port


def _subnet(tree: Tree) -> tuple[tuple[str, ...] | None, list[str]]:
    """The services' subnet, and a line where the files tell no more than its first address."""
    if said := taken(subnets, tree.flags.get("service-cluster-ip-range")):
        return said, []
    there = tree.names("apiserver").addresses
    default = ipaddress.ip_network(tree.blank.service_subnets[0])
    if not there or str(default[1]) in there:
        return (tree.blank.service_subnets if there else None), []
    own = {*tree.names("etcd-server").addresses, *tree.kubelet.addresses, tree.flags.get("advertise-address"),
           *(host for host, _ in _servers(tree, "local"))}
    for one in there:
        number, width = ipaddress.ip_address(one), 0
        while width < _MOST and not (int(number) - 1) >> width & 1:
            width += 1
        if one not in own and not number.is_loopback and width >= _FEWEST:
            guess = str(ipaddress.ip_network((int(number) - 1, number.max_prefixlen - width)))
            return (guess,), [f"networking.serviceSubnet: its prefix length is not told by the files, {guess} taken: "
                              f"its first address is the API server's, {one}"]
    return None, []


def _addresses(tree: Tree, roles: frozenset[str], subnet: tuple[str, ...] | None) -> tuple[str, ...]:
    """The host's addresses, the advertised one first: as many of its certificates as can be have that in them."""
    service, own = str(ipaddress.ip_network(subnet[0])[1]) if subnet else None, tree.kubelet.addresses
    first: list[str] = []
    if roles:
        said = taken(address, tree.flags.get("advertise-address"))
        holders = [own, *(tree.names(row).addresses for row in _SANS)]
        clues = [host for host, _ in _servers(tree, "local")
                 if CONTROL_PLANE in roles and taken(address, host) is not None]
        clues += [one for addresses in holders for one in addresses if one != service]
        ranked = sorted(dict.fromkeys(clues),
                        key=lambda one: (_loopback(one), -sum(one in addresses for addresses in holders)))
        first = [said] if said else ranked[:1]
    further = [one for one in own if not _loopback(one) and one != service]
    return tuple(dict.fromkeys([*first, *further] or own))


def _dns(tree: Tree, name: str) -> tuple[str, ...]:
    """The kubelet's DNS names but for the host's own."""
    return tuple(one for one in dict.fromkeys(tree.kubelet.dns) if one != name and taken(other_name, one) == one)


def _port(tree: Tree, host: Host) -> int | None:
    """The API server's port on this host."""
    said = tree.flags.get("secure-port", "")
    own = (number for name, number in _servers(tree, "local", "endpoint") if name in host.addresses)
    local = (number for _, number in _servers(tree, "local"))
    return taken(port, int(said) if said.isdecimal() else None) or next(own, None) or next(local, None)


def _endpoint(tree: Tree, host: Host, port: int) -> tuple[str, int] | None:
    """Where clients find the API servers, where that is not this host's own."""
    if CONTROL_PLANE not in host.roles:
        return next(_servers(tree, "endpoint", "local"), None)
    for name, said in _servers(tree, "endpoint"):
        if not _is_here(name) and (name, said) != (host.addresses[0], port):
            return name, said
    return None


def _is_here(name: str) -> bool:
    """Whether a server's name or address is the host's own, wherever it is said."""
    known = taken(address, name)
    return name == "localhost" if known is None else _loopback(known)


def _domain(tree: Tree) -> str | None:
    """The services' DNS domain: of those that the API server's certificate has, the one that its issuer flag says."""
    there = [one.removeprefix(_SERVICE) for one in tree.names("apiserver").dns if one.startswith(_SERVICE)]
    known = [one for one in there if taken(plain_name, one) == one]
    issuer = tree.flags.get("service-account-issuer", "").partition(_SERVICE)[2].rstrip("/")
    likely = [one for one in (issuer, tree.blank.dns_domain) if one in known]
    return next(iter([*likely, *sorted(known, key=len, reverse=True)]), taken(plain_name, issuer))


def _cluster_name(tree: Tree) -> str | None:
    return next((one.cluster_name for one in tree.kubeconfigs.values() if taken(text, one.cluster_name)), None)


def _algorithm(tree: Tree) -> str | None:
    """What the CA's key is made of, else the API server's or the kubelet's, where kpki makes such keys."""
    for row in ("ca", "apiserver", tree.layout.kubelet.row):
        if certificate := tree.certificates.get(row):
            return key_algorithm(certificate.public_key())
    return None


def _further_names(tree: Tree, cluster: Cluster, host: Host) -> dict[str, tuple[str, ...] | None]:
    """What the certificates name beyond what the description wants already; None where there is no certificate."""
    found: dict[str, tuple[str, ...] | None] = dict.fromkeys(_SANS.values())
    for row in Wanted(cluster).of_host(host):
        if row.name in _SANS and row.name in tree.certificates:
            names, wanted = tree.names(row.name), {*row.identity.dns, *row.identity.addresses}
            found[_SANS[row.name]] = tuple(one for one in dict.fromkeys((*names.dns, *names.addresses))
                                           if one not in wanted and taken(san, one) == one)
    return found
