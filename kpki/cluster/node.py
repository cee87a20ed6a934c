"""A node's files: made at the CA, or asked for by the node and signed."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .. import files, pem
from ..errors import InputError
from ..kubernetes import reading
from ..kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig
from ..kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, KUBECONFIG_MODE, Layout, find_layout
from ..kubernetes.profiles import KUBELET, check_address, check_dns_name, check_node_name, subject
from ..stages.requests import req_new
from .authority import Authority, check_algorithm, check_days, issue, key_algorithm, make_key, sound_key
from .findings import check_node
from .inventory import Found, Inventory, inspect, kubeconfig_of
from .policy import check_request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import CertificateSigningRequest

DAYS = 365
REQUEST_ALGORITHM = "ECDSA-P256"    # of a key that a node makes for itself, before it has seen its CA


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its *name*, and the *addresses* and further *dns* names that its certificate is to carry."""

    name: str
    addresses: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Its DNS names, its own first."""
        return (self.name, *(name for name in self.dns if name != self.name))


def node_of(name: str, addresses: Sequence[str] = (), dns: Sequence[str] = ()) -> Node:
    """A node from what a person says; raises InputError for a name or an address that cannot be one."""
    return Node(check_node_name(name), tuple(dict.fromkeys(map(check_address, addresses))),
                tuple(dict.fromkeys(map(check_dns_name, dns))))


def issue_node(ca: Authority, name: str, *, addresses: Sequence[str], dns: Sequence[str] = (), server: str,
               days: int = DAYS, algorithm: str | None = None, layout: str = "ssl",
               key: PrivateKeyTypes | None = None, now: datetime,
               warnings: list[str] | None = None) -> tuple[files.File, ...]:
    """The files of a node, without a disk: CA, certificate, key and kubeconfig at their places in the *layout*.

    *server* is the API server's URL; *algorithm* that of the key (None: the CA's), *key* an existing one; *days* counts
    from *now* (UTC). Lines to be told to a person are added to *warnings*. Raises InputError for what cannot be a name,
    an address, an algorithm or a number of days.
    """
    node = node_of(name, addresses, dns)
    key = key or make_key(algorithm or ca.algorithm)
    certificate = issue(ca, KUBELET, key, node=node.name, dns=node.names, addresses=node.addresses, days=days, now=now,
                        warnings=[] if warnings is None else warnings)
    place = find_layout(layout)
    return _tree(place, ca.bundle, pem.dump_certificate(certificate), pem.dump_key(key, form="traditional"),
                 kubeconfig_file(place, server))


def _tree(layout: Layout, bundle: bytes, certificate: bytes, key: bytes,
          kubeconfig: files.File) -> tuple[files.File, ...]:
    place = layout.place(KUBELET.name)
    return (files.File(layout.place("ca").certificate, bundle, CERTIFICATE_MODE),
            files.File(place.certificate, certificate, CERTIFICATE_MODE),
            files.File(place.key or "", key, KEY_MODE), kubeconfig)


def kubeconfig_file(layout: Layout, server: str) -> files.File:
    """The kubelet's kubeconfig, which names the layout's files by their paths. Raises InputError for no URL."""
    place = layout.place(KUBELET.name)
    kubeconfig = Kubeconfig(
        cluster_name="local", user_name=place.user, context_name=f"{place.user}-context", server=check_server(server),
        authority=Material("/" + layout.place("ca").certificate), certificate=Material("/" + place.certificate),
        key=Material(f"/{place.key}"))
    return files.File(place.kubeconfig or "", dump_kubeconfig(kubeconfig), KUBECONFIG_MODE)


def check_server(url: str) -> str:
    """*url*, where it can be an API server's: https, a host, nothing after the port. Else InputError."""
    from urllib.parse import urlsplit
    try:
        parts = urlsplit(url)
        right = parts.scheme == "https" and bool(parts.hostname) and (parts.port or 1) > 0 and not (
            parts.query or parts.fragment or parts.username or any(one.isspace() for one in url))
    except ValueError:
        right = False
    if not right:
        raise InputError(f"{url!r} is no API server's URL", hint="for example https://10.0.0.10:6443")
    return url


def check_wishes(*, days: int = DAYS, algorithm: str | None = None, server: str | None = None) -> None:
    """Raise InputError for what no certificate or kubeconfig can have, before anything is made."""
    check_days(days)
    if algorithm is not None:
        check_algorithm(algorithm)
    if server is not None:
        check_server(server)


def issue_into(root: str, ca: Authority, node: Node, *, server: str | None, days: int, algorithm: str | None,
               layout: str, now: datetime, warnings: list[str]) -> tuple[files.File, ...]:
    """The files that the tree *root* of a node is to hold: what is right there stays, the rest is made anew.

    A key that loads and is strong enough is kept. Raises InputError where an address or the server is needed and
    nothing tells it.
    """
    there = inspect(root, layout=layout)
    place = there.layout.place(KUBELET.name)
    kubeconfig = kept_kubeconfig(there, server)
    if kubeconfig is None:
        if server is None:
            raise InputError(f"{node.name}: its kubeconfig must be made, and nothing tells the API server's URL",
                             hint="--server https://ADDRESS:6443")
        kubeconfig = kubeconfig_file(there.layout, server)
    key_data = there.found[place.key or ""].data
    key = sound_key(key_data) if key_data else None
    if key is not None and algorithm is not None and key_algorithm(key) != algorithm:
        key = None
    findings = check_node(there, node=node.name, now=now, authorities=[ca.certificate])
    pair = (place.certificate, place.key)
    wrong = [one for one in findings if one.severity == "error" and one.path in pair and one.cause != "key-exposed"]
    if key is not None and not wrong and _says(there.found[place.certificate], node):
        certificate, key_pem = there.found[place.certificate].data or b"", key_data or b""
        return _tree(there.layout, ca.bundle, certificate, key_pem, kubeconfig)
    check_addressed(node)
    key = key or make_key(algorithm or ca.algorithm)
    made = issue(ca, KUBELET, key, node=node.name, dns=node.names, addresses=node.addresses, days=days, now=now,
                 warnings=warnings)
    return _tree(there.layout, ca.bundle, pem.dump_certificate(made), pem.dump_key(key, form="traditional"), kubeconfig)


def check_addressed(node: Node) -> None:
    """Raise InputError for a node without an address: nobody could reach it by its certificate."""
    if not node.addresses:
        raise InputError(f"{node.name}: its certificate must be made, and nothing tells its address",
                         hint="--address IP, as `kubectl get nodes -o wide` shows it; more than one is fine")


def _says(found: Found, node: Node) -> bool:
    """Whether a certificate carries the names and addresses that are asked for (none asked: any will do)."""
    names = reading.names_of(reading.extensions_of(pem.load_certificate(found.data or b"")))
    if names is None or (node.dns and not set(node.dns) <= set(names.dns)):
        return False
    return not node.addresses or set(node.addresses) == set(names.addresses)


def kept_kubeconfig(inventory: Inventory, server: str | None) -> files.File | None:
    """The kubeconfig that is there, where it names the layout's own files (and that server)."""
    place = inventory.layout.place(KUBELET.name)
    found, kubeconfig = inventory.found[place.kubeconfig or ""], kubeconfig_of(inventory.found, place)
    if kubeconfig is None or found.data is None or (server is not None and kubeconfig.server != server):
        return None
    named = [material.path for material in (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key)]
    if named != ["/" + inventory.layout.place("ca").certificate, "/" + place.certificate, f"/{place.key}"]:
        return None
    return files.File(found.path, found.data, found.mode)       # no secret is in it: its mode is its owner's choice


def request_node(root: str, node: Node, *, algorithm: str | None, layout: str,
                 present: bytes | None) -> tuple[files.File, bytes]:
    """The key of a node's tree and the request (PEM) for it, which asks for the node's names and addresses only.

    A sound key in the tree is kept, and *present*, the request that is there, where it is that key's and says the same.
    """
    there = inspect(root, layout=layout)
    place = there.layout.place(KUBELET.name)
    data = there.found[place.key or ""].data
    key = sound_key(data) if data else None
    if key is None or (algorithm is not None and key_algorithm(key) != algorithm):
        key = make_key(algorithm or REQUEST_ALGORITHM)
        data = pem.dump_key(key, form="traditional")
    names = ",".join([f"DNS:{name}" for name in node.names] + [f"IP:{address}" for address in node.addresses])
    csr = req_new(key, config="", subject=subject(KUBELET, node.name), addext=[f"subjectAltName={names}"])
    if present is not None and _same_request(present, csr):
        return files.File(place.key or "", data or b"", KEY_MODE), present
    return files.File(place.key or "", data or b"", KEY_MODE), pem.dump_csr(csr)


def _same_request(present: bytes, csr: CertificateSigningRequest) -> bool:
    try:
        old = pem.load_csr(present)
    except InputError:
        return False
    return old.is_signature_valid and old.tbs_certrequest_bytes == csr.tbs_certrequest_bytes


def sign_node(csr: CertificateSigningRequest, ca: Authority, node: Node, *, days: int, now: datetime,
              warnings: list[str]) -> bytes:
    """The answer to a node's request, in PEM: the certificate, then the CA's. The profile decides what it says.

    Raises RefusedError for a request against policy (`policy.check_request`), InputError for a node without an address.
    """
    check_addressed(node)
    public_key = check_request(csr, node=node.name, dns=node.dns, addresses=node.addresses)
    certificate = issue(ca, KUBELET, public_key, node=node.name, dns=node.names, addresses=node.addresses, days=days,
                        now=now, warnings=warnings)
    return pem.dump_certificate(certificate) + ca.bundle


def below(folder: str, tree: Sequence[files.File]) -> list[files.File]:
    """The files of a tree, as files of a folder above it."""
    return [files.File(f"{folder}/{one.path}", one.data, one.mode) for one in tree]
