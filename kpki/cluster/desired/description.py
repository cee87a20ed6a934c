"""cluster.yaml, or kubeadm's own documents → Cluster. docs/description.md lists all fields."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from . import kubeadm
from .fields import (
    ALGORITHM_NAMES,
    FieldError,
    absolute_path,
    address,
    boolean,
    duration,
    each,
    endpoint,
    located,
    nearest,
    node_name,
    one_of,
    other_name,
    plain_name,
    port,
    san,
    shape,
    shorten,
    subnets,
    text,
)
from ...arguments import validated
from ...documents import Document, load_documents
from ...errors import ConfigurationError, InputError
from ...kubernetes.layouts import CONTROL_PLANE, ETCD, LAYOUT_NAMES

API_VERSION, KIND = "kpki/v1", "Cluster"
ROLES = (CONTROL_PLANE, ETCD)
# A CA's row → its name in the description.
GIVEN_NAMES = {"ca": "kubernetes", "etcd-ca": "etcd", "front-proxy-ca": "front-proxy"}
# kubeadm's defaults: cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go and constants.go.
DEFAULT_PORT = 6443
DEFAULT_SUBNETS = ("10.96.0.0/12",)
DEFAULT_DNS_DOMAIN, DEFAULT_NAME = "cluster.local", "kubernetes"
DEFAULT_VALIDITY, DEFAULT_CA_VALIDITY = timedelta(hours=8760), timedelta(hours=87600)
DEFAULT_CERTIFICATES_DIR = "/etc/kubernetes/pki"
KUBEADM_ALGORITHM = "RSA-2048"


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the cluster.

    >>> worker = cluster.host("worker-1")
    >>> worker.addresses, worker.roles
    (('10.0.0.21',), frozenset())
    """

    name: str
    """The name of the host's node."""
    roles: frozenset[str]
    """The host's roles (of ROLES); a worker has none."""
    addresses: tuple[str, ...]
    """The host's IP addresses; the first is the advertised address."""
    dns: tuple[str, ...] = ()
    """The host's DNS names besides its own name."""


@dataclass(frozen=True, slots=True)
class GivenAuthority:
    """An existing CA, with its paths in the description.

    >>> text = description + "certificateAuthorities: {kubernetes: {certificate: ca.crt}}"
    >>> kpki.load_cluster(text).authorities["kubernetes"]
    GivenAuthority(certificate='ca.crt', key=None)
    """

    certificate: str
    """The path of the CA's certificate."""
    key: str | None = None
    """The path of the CA's key, or a URI pkcs11:…; None if the description names no key."""


@dataclass(frozen=True, slots=True)
class ExternalEtcd:
    """The API server's files for an external etcd; absolute paths, None if TLS is off.

    >>> files = "{caFile: /srv/ca.crt, certFile: /srv/api.crt, keyFile: /srv/api.key}"
    >>> text = description.replace(", etcd]", "]") + f"etcd: {{external: {files}}}"
    >>> kpki.load_cluster(text).external_etcd.key_file
    '/srv/api.key'
    """

    ca_file: str | None
    """The CA that signed etcd's certificate."""
    certificate_file: str | None
    """The API server's client certificate."""
    key_file: str | None
    """The key of the API server's client certificate."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster as its description asks for it, with every default filled in.

    >>> cluster.layout, cluster.validity.days, cluster.dns_domain
    ('kubeadm', 365, 'cluster.local')
    """

    name: str
    """The cluster's name in kubeconfigs."""
    layout: str
    """The name of the layout (of LAYOUT_NAMES)."""
    endpoint: tuple[str, int] | None
    """The host (IPv6 without brackets) and port of controlPlaneEndpoint, None if absent."""
    port: int
    """The port of every API server."""
    service_subnets: tuple[str, ...]
    """The services' subnet, or one subnet of each IP family."""
    dns_domain: str
    """The services' DNS domain."""
    api_sans: tuple[str, ...]
    """Further names and addresses in the API servers' certificates."""
    etcd_server_sans: tuple[str, ...]
    """Further names and addresses in etcd's server certificates."""
    etcd_peer_sans: tuple[str, ...]
    """Further names and addresses in etcd's peer certificates."""
    algorithm: str | None
    """The algorithm of new keys, None for the given CA's, else ECDSA-P256."""
    validity: timedelta
    """The validity of new leaves."""
    ca_validity: timedelta
    """The validity of new CAs."""
    authorities: Mapping[str, GivenAuthority]
    """The existing CAs by their names in the description (the values of GIVEN_NAMES)."""
    kubelet_serving: bool
    """Whether each kubelet gets a CA-signed serving pair."""
    external_etcd: ExternalEtcd | None
    """The API server's files for an external etcd, None if etcd runs in the cluster."""
    certificates_dir: str
    """kubeadm's certificatesDir, an absolute path."""
    hosts: tuple[Host, ...] = field(repr=False)
    """The hosts, in the description's order."""
    from_kubeadm: bool
    """Whether the description is a kubeadm configuration."""

    @validated
    def with_role(self, role: str) -> tuple[Host, ...]:
        """The hosts that have a role, in the description's order."""
        return tuple(host for host in self.hosts if role in host.roles)

    @validated
    def host(self, name: str) -> Host:
        """The host *name*. Raises InputError if there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            near = nearest(name, tuple(self._by_name))
            hint = f"did you mean {near}?" if near else "cluster.yaml lists the names under nodes:"
            raise InputError(f"there is no node {name!r} in the description", hint=hint) from None

    @cached_property
    def _by_name(self) -> dict[str, Host]:
        return {host.name: host for host in self.hosts}


_NODE = shape({"name": node_name, "roles": each(one_of(ROLES)), "addresses": each(address),
               "dnsNames": each(other_name)}, required=("name",))
_CLUSTER = shape({
    "clusterName": text,
    "layout": one_of(LAYOUT_NAMES),
    "controlPlaneEndpoint": endpoint,
    "localAPIEndpoint": shape({"bindPort": port}),
    "networking": shape({"serviceSubnet": subnets, "dnsDomain": plain_name}),
    "apiServer": shape({"certSANs": each(san)}),
    "etcd": shape({
        "local": shape({"serverCertSANs": each(san), "peerCertSANs": each(san)}),
        "external": shape({
            "caFile": absolute_path, "certFile": absolute_path, "keyFile": absolute_path,
        }, accepted=("endpoints",)),
    }),
    "encryptionAlgorithm": one_of(ALGORITHM_NAMES),
    "certificateValidityPeriod": duration,
    "caCertificateValidityPeriod": duration,
    "certificateAuthorities": shape({name: shape({"certificate": text, "key": text},
                                                 required=("certificate",))
                                     for name in GIVEN_NAMES.values()}),
    "kubeletServing": boolean,
    "certificatesDir": absolute_path,
    "nodes": each(_NODE),
}, required=("nodes",), accepted=("apiVersion", "kind"))


def load_cluster(text: str | bytes, *, host_name: str | None = None) -> Cluster:
    """The cluster of a description: a kpki/v1 Cluster, or a kubeadm configuration.

    *host_name* is this host's name, for a kubeadm configuration without nodeRegistration.name.
    Raises ConfigurationError with the line, the field and the fault.

    >>> node = "{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}"
    >>> kpki.load_cluster(f"{{apiVersion: kpki/v1, kind: Cluster, nodes: [{node}]}}").hosts[0].name
    'cp-1'
    """
    with _few_collections():
        documents = load_documents(text)
        _validate_kinds(documents)
        if own := [document for document in documents
                   if document.value["apiVersion"].startswith("kpki/")]:
            with located(own[0]):
                if len(documents) > 1:
                    raise FieldError("a kpki description stands alone in its file",
                                     hint="one document, no other kinds")
                return _own(own[0].value)
    found = kubeadm.read_kubeadm(documents, host_name=host_name)
    host = Host(found.name, found.roles, (found.address,) if found.address else ())
    settings = {"layout": "kubeadm", "encryptionAlgorithm": KUBEADM_ALGORITHM, **found.settings}
    return _cluster(settings, port=found.port, hosts=(host,), from_kubeadm=True)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let Python collect garbage rarely: a collection visits the whole growing tree."""
    import gc
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _validate_kinds(documents: Sequence[Document]) -> None:
    """Raise for a document without apiVersion or kind, or a repeated kind (SplitYAMLDocuments)."""
    if not documents:
        raise ConfigurationError("the description is empty",
                                 hint="docs/description.md has a small description")
    seen: set[str] = set()
    for document in documents:
        with located(document):
            if not isinstance(document.value, dict):
                raise FieldError("a description is a mapping, "
                                 "with `apiVersion: kpki/v1` as its first line")
            for name in ("apiVersion", "kind"):
                if not isinstance(given := document.value.get(name), str) or not given:
                    raise FieldError("missing" if given in (None, "") else "this is not text",
                                     path=(name,),
                                     hint=f"apiVersion: {API_VERSION} and kind: {KIND}, or "
                                          "kubeadm's")
            if (kind := document.value["kind"]) in seen:
                raise FieldError(f"{shorten(kind)} is there twice", path=("kind",))
            seen.add(kind)


def _own(value: Mapping[str, Any]) -> Cluster:
    """The cluster of a kpki/v1 document."""
    for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if value[name] != wanted:
            raise FieldError(f"{shorten(value[name])} is not {wanted}", path=(name,))
    settings = _CLUSTER(value)
    hosts = _hosts(settings["nodes"])
    _validate_roles(settings, hosts)
    if "certificatesDir" in settings and settings.get("layout", LAYOUT_NAMES[0]) != "kubeadm":
        raise FieldError(f"the layout {settings['layout']} has its own folders",
                         path=("certificatesDir",),
                         hint="leave certificatesDir out, or use layout: kubeadm")
    port = settings.get("localAPIEndpoint", {}).get("bindPort")
    return _cluster(settings, port=port, hosts=hosts, from_kubeadm=False)


def _hosts(nodes: Sequence[Mapping[str, Any]]) -> tuple[Host, ...]:
    """The hosts. Raises FieldError if two hosts have a name or an address in common."""
    if not nodes:
        raise FieldError("the list has no node", path=("nodes",))
    owners: dict[str, int] = {}
    hosts = []
    for index, node in enumerate(nodes):
        addresses = node.get("addresses", ())
        if not addresses and ("addresses" in node or node.get("roles")):
            raise FieldError("a node has one address or more" if "addresses" in node else "missing",
                             path=("nodes", index, "addresses"))
        words = (node["name"], *addresses)
        for number, word in enumerate(words):
            if owners.setdefault(word, index) != index or word in words[:number]:
                path = ("addresses", number - 1) if number else ("name",)
                raise FieldError(f"{word} belongs to nodes[{owners[word]}] already",
                                 path=("nodes", index, *path))
        for name in ("dnsNames", "roles"):
            _validate_distinct(node.get(name, ()), ("nodes", index, name))
        dns = tuple(name for name in node.get("dnsNames", ()) if name != node["name"])
        hosts.append(Host(node["name"], frozenset(node.get("roles", ())), addresses, dns))
    for index, node in enumerate(nodes):
        for number, name in enumerate(node.get("dnsNames", ())):
            if owners.get(name, index) != index:
                raise FieldError(f"{name} is the name of nodes[{owners[name]}]",
                                 path=("nodes", index, "dnsNames", number))
    return tuple(hosts)


def _validate_distinct(words: Sequence[str], path: tuple[str | int, ...]) -> None:
    if len(set(words)) != len(words):
        number = next(number for number, word in enumerate(words) if word in words[:number])
        raise FieldError(f"{words[number]} is there twice", path=(*path, number))


def _validate_roles(settings: Mapping[str, Any], hosts: Sequence[Host]) -> None:
    """Raise FieldError for a cluster without etcd or API server, or with two kinds of etcd."""
    etcd, roles = settings.get("etcd", {}), frozenset[str]().union(*(host.roles for host in hosts))
    if CONTROL_PLANE in roles and ETCD not in roles and "external" not in etcd:
        raise FieldError("missing: no node has the role etcd", path=("etcd", "external"),
                         hint="roles: [control-plane, etcd] on a node, or etcd.external with "
                              "caFile, certFile and keyFile")
    for name, _ in kubeadm.lacking(etcd):
        raise FieldError("missing", path=("etcd", "external", name))
    if "external" in etcd and (ETCD in roles or "local" in etcd):
        other = "a node has the role etcd" if ETCD in roles \
            else "the description has etcd.local too"
        raise FieldError(f"{other}, and a cluster has either local or external etcd",
                         path=("etcd", "external"))
    if CONTROL_PLANE not in roles and "controlPlaneEndpoint" not in settings:
        raise FieldError("missing: no node has the role control-plane, so nothing says where the "
                         "API "
                         "server is",
                         path=("controlPlaneEndpoint",),
                         hint="roles: [control-plane] on a node, or the endpoint")


def _cluster(settings: Mapping[str, Any], *, port: int | None, hosts: tuple[Host, ...],
             from_kubeadm: bool) -> Cluster:
    """The cluster of either kind of description, with every default filled in."""
    local_port = port or DEFAULT_PORT
    networking, etcd = settings.get("networking", {}), settings.get("etcd", {})
    host, endpoint_port = settings.get("controlPlaneEndpoint", (None, None))
    local, files = etcd.get("local", {}), etcd.get("external")
    return Cluster(
        name=settings.get("clusterName", DEFAULT_NAME),
        layout=settings.get("layout", LAYOUT_NAMES[0]),
        endpoint=(host, endpoint_port or local_port) if host else None, port=local_port,
        service_subnets=networking.get("serviceSubnet", DEFAULT_SUBNETS),
        dns_domain=networking.get("dnsDomain", DEFAULT_DNS_DOMAIN),
        api_sans=_once(settings.get("apiServer", {}).get("certSANs", ())),
        etcd_server_sans=_once(local.get("serverCertSANs", ())),
        etcd_peer_sans=_once(local.get("peerCertSANs", ())),
        algorithm=settings.get("encryptionAlgorithm"),
        validity=settings.get("certificateValidityPeriod", DEFAULT_VALIDITY),
        ca_validity=settings.get("caCertificateValidityPeriod", DEFAULT_CA_VALIDITY),
        authorities={name: GivenAuthority(paths["certificate"], paths.get("key"))
                     for name, paths in settings.get("certificateAuthorities", {}).items()},
        kubelet_serving=settings.get("kubeletServing", False),
        external_etcd=None if files is None
        else ExternalEtcd(*map(files.get, ("caFile", "certFile", "keyFile"))),
        certificates_dir=settings.get("certificatesDir", DEFAULT_CERTIFICATES_DIR), hosts=hosts,
        from_kubeadm=from_kubeadm)


def _once(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
