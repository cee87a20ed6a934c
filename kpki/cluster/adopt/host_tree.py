"""A host's tree → the cluster that its files describe.

A file that cannot be read determines no field: `check` and `plan` report the fault of the file.
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
from ..desired.fields import (
    absolute_path,
    address,
    node_name,
    other_name,
    plain_name,
    port,
    san,
    subnets,
    text,
)
from ..desired.rows import Wanted, layout_of
from ..observed.contents import read_certificates
from ..observed.inventory import (
    ObservedFile,
    choose_layout,
    kubeconfig_of,
    named_path,
    observe_file,
    read_layout,
    refusal,
    require,
)
from ..observed.uses import read_host
from ..observed.whose import owner_of
from ...errors import FileError, InputError
from ...kubernetes import reading
from ...kubernetes.kubeconfig import Kubeconfig
from ...kubernetes.layouts import CONTROL_PLANE, ETCD, KUBEADM, Layout, Place, Server
from ...kubernetes.manifests import API_SERVER
from ...kubernetes.profiles import NODE_PREFIX, get_profile

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

T = TypeVar("T")
ALONE = "nodes: the files name this host only; add the other hosts"
_BLANK = ("apiVersion: kpki/v1\nkind: Cluster\nlayout: {}\ncontrolPlaneEndpoint: none\n"
          "nodes: [{{name: none}}]\n")
_SERVICE = "kubernetes.default.svc."
_HTTPS = 443
# Bits of the host part of a guessed subnet: at least kubeadm's (10 addresses), at most
# kube-apiserver's.
_FEWEST, _MOST = 4, 20


@dataclass(frozen=True, kw_only=True)
class HostTree:
    """The files of one host that determine fields of a description."""

    root: str
    """The folder that stands for the host's `/`."""
    layout: Layout
    """The tree's layout, with kubeadm's certificatesDir applied."""
    blank: Cluster
    """A cluster with this layout and the defaults of every other field."""
    found: Mapping[str, ObservedFile]
    """Every file of the layout, by its path."""
    certificates: Mapping[str, Certificate]
    """The certificates of CAs and leaves that can be read, by their rows."""
    kubeconfigs: Mapping[str, Kubeconfig]
    """The kubeconfigs that can be read, by their rows."""
    flags: Mapping[str, str]
    """The API server's flags."""

    def has(self, place: Place) -> bool:
        """Whether any file of a place exists."""
        return any(self.found[path].data is not None for path in place.files())

    def names(self, row: str) -> reading.Names:
        """The names in a row's certificate, in lower case; none if there is no certificate."""
        certificate = self.certificates.get(row)
        found = reading.names_of(reading.extensions_of(certificate)) if certificate else None
        if found is None:
            return reading.Names()
        return reading.Names(tuple(dns_name.lower() for dns_name in found.dns), found.addresses)

    def embedded(self, place: Place,
                 part: Literal["authority", "certificate", "key"]) -> bytes | None:
        """One part of a place's kubeconfig: the embedded data, or the content of the named file."""
        material = getattr(self.kubeconfigs[place.row], part)
        if material.data is not None:
            return bytes(material.data)
        named = self.found.get(named_path(place.kubeconfig, material.path or ""))
        return named.data if named else None

    @property
    def kubelet(self) -> reading.Names:
        """The names in the kubelet's CA-signed serving certificate; none without certificate."""
        place = self.serving
        if place.only and not self.signed(place.row):
            return reading.Names()
        return self.names(place.row)

    @property
    def serving(self) -> Place:
        """The place of the kubelet's serving certificate."""
        return next(place for place in self.layout.places if get_profile(place.row).sans == "node")

    def signed(self, row: str) -> bool:
        """Whether the tree's CA signed a row's certificate."""
        leaf, ca = self.certificates.get(row), self.certificates.get("ca")
        return leaf is not None and ca is not None and reading.is_signed_by(leaf, ca)


def read_tree(root: str, *, layout: str | None = None) -> HostTree:
    """Read a host's tree; *layout* None: found. Raises InputError or FileError if it cannot."""
    chosen = choose_layout(root, layout)
    manifest = observe_file(root, API_SERVER)
    if manifest.unread:
        raise refusal(root, manifest.unread)
    servers = read_host(root).of("kube-apiserver")
    flags = {name: ",".join(values) for server in servers[:1]
             for name, values in server.settings.items()}
    blank = load_cluster(_BLANK.format(chosen.name))
    authority = _read_field(absolute_path, flags.get("client-ca-file"))
    if chosen == KUBEADM and authority is not None:
        blank = replace(blank, certificates_dir=posixpath.dirname(authority))
    chosen = layout_of(blank)
    found = require(read_layout(root, chosen)).found
    for file in found.values():
        if file.problem:
            raise FileError(f"{posixpath.join(root, file.path)}: {file.problem}")
    kubeconfigs = {place.row: config for place in chosen.places
                   if (config := kubeconfig_of(found, place))}
    tree = HostTree(root=root, layout=chosen, blank=blank, found=found, certificates={},
                    flags=flags, kubeconfigs=kubeconfigs)
    return replace(tree, certificates=dict(_certificates(tree)))


def _certificates(tree: HostTree) -> Iterator[tuple[str, Certificate]]:
    """Each row's certificates, from the last of its places to the first, which wins."""
    for place in reversed(tree.layout.places):
        data = None
        if place.certificate:
            data = tree.found[place.certificate].data
        elif place.row in tree.kubeconfigs:
            data = tree.embedded(place, "certificate")
        if data is not None and get_profile(place.row).kind != "key":
            file = ObservedFile(place.certificate, data)
            for certificate in read_certificates(file, place.row)[0][:1]:
                yield place.row, certificate


def _read_field(reader: Callable[[Any], T], value: Any) -> T | None:
    """The value of a description's field, None for a value that the field's *reader* refuses."""
    try:
        return None if value is None else reader(value)
    except InputError:
        return None


def host_name_of(tree: HostTree, host_name: str) -> str:
    """The name of the tree's host: in the kubelet's certificate, else in etcd's, else the folder's.

    For `/` *host_name* replaces the folder's name. Raises InputError if nothing names the host.
    """
    for row in (tree.layout.kubelet.row, "kubelet-serving", "etcd-server", "etcd-peer"):
        if certificate := tree.certificates.get(row):
            user = reading.certificate_subject(certificate).user
            name = _read_field(node_name, user.removeprefix(NODE_PREFIX))
            if name and (user.startswith(NODE_PREFIX) if row.startswith("kubelet")
                         else name in tree.names(row).dns):
                return name
    return node_name(owner_of(tree.root, host_name=host_name))


def describe(tree: HostTree, name: str) -> tuple[Cluster, list[str]]:
    """The cluster of a tree's files, with one host, and a line for each undetermined field.

    Raises InputError if the files do not determine a required field.
    """
    roles, external = _roles(tree)
    subnet, guess = _subnet(tree)
    host = Host(name, roles, _addresses(tree, roles, subnet), _dns(tree, name))
    control_plane = CONTROL_PLANE in roles
    if roles and not host.addresses:
        raise InputError(f"{tree.root}: no file names an address of {name}, and certificates of a "
                         "host need its address",
                         hint="write cluster.yaml by hand: kpki init without --from")
    own_port = _port(tree, host) if control_plane else None
    fields: dict[str, Any] = {
        "name": _cluster_name(tree), "endpoint": _endpoint(tree, host, own_port or tree.blank.port),
        "port": own_port, "service_subnets": subnet, "dns_domain": _domain(tree),
        "algorithm": _algorithm(tree)}
    if not control_plane and fields["endpoint"] is None:
        raise InputError(f"{tree.root}: no kubeconfig says where the API server is",
                         hint="the kubelet's kubeconfig has the field server")
    known = {"endpoint": None} | {field: value for field, value in fields.items()
                                  if value is not None}
    cluster = replace(tree.blank, hosts=(host,), external_etcd=external,
                      kubelet_serving=tree.serving.only != "" and tree.signed(tree.serving.row),
                      **known)
    fields |= _further_names(tree, cluster, host)
    cluster = replace(cluster, **{field: fields[field] for field in _SANS.values()
                                  if fields[field]})
    return cluster, [*guess, *_undetermined(tree, fields, host, external)]


# The row whose certificate determines a field.
_SANS = {"apiserver": "api_sans", "etcd-server": "etcd_server_sans", "etcd-peer": "etcd_peer_sans"}
# Field of Cluster → its name in a description.
_FIELDS = {"name": "clusterName", "endpoint": "controlPlaneEndpoint",
           "port": "localAPIEndpoint.bindPort", "service_subnets": "networking.serviceSubnet",
           "dns_domain": "networking.dnsDomain", "api_sans": "apiServer.certSANs",
           "etcd_server_sans": "etcd.local.serverCertSANs",
           "etcd_peer_sans": "etcd.local.peerCertSANs", "algorithm": "encryptionAlgorithm",
           "validity": "certificateValidityPeriod", "ca_validity": "caCertificateValidityPeriod"}


def _undetermined(tree: HostTree, fields: Mapping[str, Any], host: Host,
                  external: ExternalEtcd | None) -> Iterator[str]:
    """A line for each field of the description that the files do not determine."""
    if external is not None and ETCD in (role for role, is_found in _roles_found(tree).items()
                                         if is_found):
        yield ("etcd.external: the API server names other files than this host's etcd has, which "
               "stay as they are")
    for field, name in _FIELDS.items():
        is_external = external is not None and name.startswith("etcd.local")
        if fields.get(field) is None and not is_external:
            yield f"{name}: not set by the files, default used"
    if not host.addresses:
        yield f"nodes[0].addresses: left out, for no certificate of {host.name} has an address"
    yield ALONE


def _roles_found(tree: HostTree) -> dict[str, bool]:
    """Role → whether the tree has files that only a host of that role has."""
    found = {CONTROL_PLANE: False, ETCD: False}
    for place in filter(tree.has, tree.layout.places):
        profile = get_profile(place.row)
        # not counted: a person's kubeconfig, which any host may have, and pairs of other CAs
        found[CONTROL_PLANE] |= (profile.per == "control-plane" and profile.signer == "ca"
                                 and profile.name != "admin")
        found[ETCD] |= profile.sans.startswith("etcd")
    return found


def _roles(tree: HostTree) -> tuple[frozenset[str], ExternalEtcd | None]:
    """The host's roles, and the API server's files for an etcd that is not this host's."""
    roles = frozenset(role for role, is_found in _roles_found(tree).items() if is_found)
    if CONTROL_PLANE not in roles:
        return roles, None
    client = tree.layout.place("apiserver-etcd-client")
    ca = tree.layout.place("etcd-ca").certificate
    own = [f"/{path}" for path in (ca, client.certificate, client.key)]
    paths = [_read_field(absolute_path, tree.flags.get(f"etcd-{name}"))
             for name in ("cafile", "certfile", "keyfile")]
    if ETCD in roles and paths[0] in (None, own[0]) and paths[1] in (None, own[1]):
        return roles, None
    if not tree.flags and all(tree.found[path.lstrip("/")].data is not None for path in own):
        paths = [*own]
    named = paths if all(paths) else (paths[0], None, None)
    return roles - {ETCD}, ExternalEtcd(*named)


def _is_loopback(text: str) -> bool:
    return ipaddress.ip_address(text).is_loopback


def _servers(tree: HostTree, *kinds: Server) -> Iterator[tuple[str, int]]:
    """Host and port of the servers in the kubeconfigs of these kinds (Place.server)."""
    for place in tree.layout.places:
        if place.row in tree.kubeconfigs and place.server in kinds:
            try:
                url = urlsplit(tree.kubeconfigs[place.row].server)
                host, port = url.hostname or "", url.port or _HTTPS
            except ValueError:
                continue
            if (known := _read_field(address if ":" in host else plain_name, host)) is not None:
                yield known, port


def _subnet(tree: HostTree) -> tuple[tuple[str, ...] | None, list[str]]:
    """The services' subnet, and a line if the files name only its first address."""
    if known := _read_field(subnets, tree.flags.get("service-cluster-ip-range")):
        return known, []
    served = tree.names("apiserver").addresses
    default = ipaddress.ip_network(tree.blank.service_subnets[0])
    if not served or str(default[1]) in served:
        return (tree.blank.service_subnets if served else None), []
    own = {*tree.names("etcd-server").addresses, *tree.kubelet.addresses,
           tree.flags.get("advertise-address"), *(host for host, _ in _servers(tree, "local"))}
    for candidate in served:
        number, width = ipaddress.ip_address(candidate), 0
        while width < _MOST and not (int(number) - 1) >> width & 1:
            width += 1
        if candidate not in own and not number.is_loopback and width >= _FEWEST:
            guess = str(ipaddress.ip_network((int(number) - 1, number.max_prefixlen - width)))
            return (guess,), ["networking.serviceSubnet: prefix length not set by the files, "
                              f"{guess} used: the first address of this subnet is the API "
                              f"server's, {candidate}"]
    return None, []


def _addresses(tree: HostTree, roles: frozenset[str],
               subnet: tuple[str, ...] | None) -> tuple[str, ...]:
    """The host's addresses.

    The advertised address comes first: the address in most of its certificates.
    """
    service = str(ipaddress.ip_network(subnet[0])[1]) if subnet else None
    own = tree.kubelet.addresses
    first: list[str] = []
    if roles:
        advertised = _read_field(address, tree.flags.get("advertise-address"))
        holders = [own, *(tree.names(row).addresses for row in _SANS)]
        candidates = [host for host, _ in _servers(tree, "local")
                      if CONTROL_PLANE in roles and _read_field(address, host) is not None]
        candidates += [candidate for addresses in holders for candidate in addresses
                       if candidate != service]
        ranked = sorted(dict.fromkeys(candidates), key=lambda candidate: (
            _is_loopback(candidate), -sum(candidate in addresses for addresses in holders)))
        first = [advertised] if advertised else ranked[:1]
    further = [candidate for candidate in own if not _is_loopback(candidate)
               and candidate != service]
    return tuple(dict.fromkeys([*first, *further] or own))


def _dns(tree: HostTree, name: str) -> tuple[str, ...]:
    """The kubelet's DNS names, without the host's own name."""
    return tuple(dns_name for dns_name in dict.fromkeys(tree.kubelet.dns)
                 if dns_name != name and _read_field(other_name, dns_name) == dns_name)


def _port(tree: HostTree, host: Host) -> int | None:
    """The API server's port on this host."""
    flag = tree.flags.get("secure-port", "")
    own = (number for name, number in _servers(tree, "local", "endpoint") if name in host.addresses)
    local = (number for _, number in _servers(tree, "local"))
    known = _read_field(port, int(flag) if flag.isdecimal() else None)
    return known or next(own, None) or next(local, None)


def _endpoint(tree: HostTree, host: Host, port: int) -> tuple[str, int] | None:
    """The clients' host and port of the API servers; None for this host's own API server."""
    if CONTROL_PLANE not in host.roles:
        return next(_servers(tree, "endpoint", "local"), None)
    for name, number in _servers(tree, "endpoint"):
        if not _is_local(name) and (name, number) != (host.addresses[0], port):
            return name, number
    return None


def _is_local(name: str) -> bool:
    """Whether a server's name or address leads to the client's own host."""
    known = _read_field(address, name)
    return name == "localhost" if known is None else _is_loopback(known)


def _domain(tree: HostTree) -> str | None:
    """The services' DNS domain in the API server's certificate, the issuer flag's if possible."""
    served = tree.names("apiserver").dns
    domains = [name.removeprefix(_SERVICE) for name in served if name.startswith(_SERVICE)]
    known = [domain for domain in domains if _read_field(plain_name, domain) == domain]
    issuer = tree.flags.get("service-account-issuer", "").partition(_SERVICE)[2].rstrip("/")
    likely = [domain for domain in (issuer, tree.blank.dns_domain) if domain in known]
    return next(iter([*likely, *sorted(known, key=len, reverse=True)]),
                _read_field(plain_name, issuer))


def _cluster_name(tree: HostTree) -> str | None:
    names = (kubeconfig.cluster_name for kubeconfig in tree.kubeconfigs.values())
    return next((name for name in names if _read_field(text, name)), None)


def _algorithm(tree: HostTree) -> str | None:
    """The algorithm of the CA's key, else the API server's or kubelet's; None if unknown."""
    for row in ("ca", "apiserver", tree.layout.kubelet.row):
        if certificate := tree.certificates.get(row):
            return key_algorithm(certificate.public_key())
    return None


def _further_names(tree: HostTree, cluster: Cluster,
                   host: Host) -> dict[str, tuple[str, ...] | None]:
    """The names in certificates that the description lacks; None if there is no certificate."""
    found: dict[str, tuple[str, ...] | None] = dict.fromkeys(_SANS.values())
    for row in Wanted(cluster).of_host(host):
        if row.name in _SANS and row.name in tree.certificates:
            names, wanted = tree.names(row.name), {*row.identity.dns, *row.identity.addresses}
            found[_SANS[row.name]] = tuple(name
                                           for name in dict.fromkeys((*names.dns, *names.addresses))
                                           if name not in wanted and _read_field(san, name) == name)
    return found
