"""A node's files: made at the CA, or asked for by the node and signed."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .. import files, pem
from ..errors import InputError
from ..kubernetes.kubeconfig import check_server
from ..kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, Layout, find_layout
from ..kubernetes.profiles import (KUBELET, Identity, check_address, check_dns_name, check_node_name, find_profile,
                                   identity_of, sans_text, subject_name)
from ..stages.requests import req_new
from .authority import (DAYS, Authority, check_algorithm, check_days, issue, key_algorithm, lasting, load_bundle,
                        make_key, sound_key)
from .findings import Judged, judge
from .inventory import Inventory, inspect, kubeconfig_of
from .leaves import Judge
from .pairs import ca_path, leaf_files
from .plan import leaf_task
from .policy import check_request
from .wanted import Row, blank_kubeconfig

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from .description import Cluster

REQUEST_ALGORITHM = "ECDSA-P256"    # of a key that a node makes for itself, before it has seen its CA
# Where a layout that embeds the kubelet's pair has the key of a request: the third place that the kubelet looks at.
_REQUEST_KEY = "var/lib/kubelet/pki/kubelet-client.key"
_NO_SERVER = "https://kubernetes.invalid"       # in a row whose kubeconfig is not made


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

    @property
    def identity(self) -> Identity:
        """What its certificate says."""
        return identity_of(KUBELET, node=self.name, dns=self.names, addresses=self.addresses)


def node_of(name: str, addresses: Sequence[str] = (), dns: Sequence[str] = ()) -> Node:
    """A node from what a person says; raises InputError for a name or an address that cannot be one."""
    return Node(check_node_name(name), tuple(dict.fromkeys(map(check_address, addresses))),
                tuple(dict.fromkeys(map(check_dns_name, dns))))


def kubelet_row(layout: Layout, node: Node, server: str | None = None, cluster_name: str | None = None) -> Row:
    """The row of a node's kubelet, whose kubeconfig leads to *server*."""
    place, profile = layout.kubelet, find_profile(layout.kubelet.row)
    identity = node.identity if profile.sans == "node" else replace(node.identity, dns=(), addresses=())
    return Row(host=node.name, place=place, profile=profile, identity=identity, kubeconfig=blank_kubeconfig(
        layout, cluster_name or layout.cluster_name, place.user or identity.user, server or _NO_SERVER))


def request_key(layout: Layout) -> str:
    """Where on the node the key of a request lies."""
    return layout.kubelet.key or _REQUEST_KEY


def issue_node(ca: Authority, name: str, *, addresses: Sequence[str], dns: Sequence[str] = (), server: str,
               days: int = DAYS, algorithm: str | None = None, layout: str = "ssl",
               key: PrivateKeyTypes | None = None, now: datetime,
               warnings: list[str] | None = None) -> tuple[files.File, ...]:
    """The files of a node, without a disk: the CA, the kubelet's pair and kubeconfig at their places in the *layout*.

    *server* is the API server's URL; *algorithm* that of the key (None: the CA's), *key* an existing one; *days* counts
    from *now* (UTC). Lines to be told to a person are added to *warnings*. Raises InputError for what cannot be a name,
    an address, an algorithm or a number of days.
    """
    node, chosen = node_of(name, addresses, dns), find_layout(layout)
    row = kubelet_row(chosen, node, check_server(server))
    key = key or make_key(algorithm or ca.algorithm)
    certificate = issue(ca, row.profile, row.identity, key, validity=lasting(days), now=now,
                        warnings=[] if warnings is None else warnings)
    return (_ca_file(chosen, ca.bundle), *leaf_files(row, chosen, chain=[certificate], key=key, bundle=ca.bundle))


def _ca_file(layout: Layout, bundle: bytes) -> files.File:
    return files.File(ca_path(layout), bundle, CERTIFICATE_MODE)


def check_wishes(*, days: int | None = None, algorithm: str | None = None, server: str | None = None) -> None:
    """Raise InputError for what no certificate or kubeconfig can have, before anything is made."""
    if days is not None:
        check_days(days)
    if algorithm is not None:
        check_algorithm(algorithm)
    if server is not None:
        check_server(server)


def issue_into(root: str, ca: Authority, node: Node, *, server: str | None, validity: timedelta, algorithm: str | None,
               layout: str, now: datetime, warnings: list[str], cluster: Cluster | None = None,
               ) -> tuple[files.File, ...]:
    """The files that the tree *root* of a node is to hold: what is right there stays, the rest is made anew.

    A key that loads and is strong enough is kept, unless another *algorithm* is asked for; a new one is of that, of the
    *cluster*'s or of the CA's. Raises InputError where an address or the server is needed and
    nothing tells it.
    """
    there = inspect(root, layout=layout)
    kubeconfig = kubeconfig_of(there.found, there.layout.kubelet)
    row = kubelet_row(there.layout, node, server or (kubeconfig.server if kubeconfig else None),
                      cluster.name if cluster else None)
    judged = judge_kubelet(there, row, now=now, authorities=load_bundle(ca.bundle), server=server)
    if judged.key is not None and algorithm is not None and key_algorithm(judged.key) != algorithm:
        judged.key = None
    task = leaf_task(row, judged, there.look)
    if task.changes(row.place.kubeconfig) and row.kubeconfig and row.kubeconfig.server == _NO_SERVER:
        raise no_server(node.name)
    usual = cluster.algorithm if cluster else None
    key, chain = task.key or make_key(algorithm or usual or ca.algorithm), task.chain
    if not chain:
        check_addressed(node, row)
        chain = (issue(ca, row.profile, row.identity, key, validity=validity, now=now, warnings=warnings),)
    wanted = [_ca_file(there.layout, ca.bundle),
              *leaf_files(row, there.layout, chain=chain, key=key, bundle=ca.bundle)]
    return tuple(one if task.changes(one.path) or one.path == ca_path(there.layout) else _kept(there, one)
                 for one in wanted)


def no_server(node: str) -> InputError:
    """What is wrong where a node's kubeconfig must be made and nobody says where it is to lead."""
    return InputError(f"{node}: its kubeconfig must be made, and nothing tells the API server's URL",
                      hint="--server https://ADDRESS:6443")


def _kept(there: Inventory, wanted: files.File) -> files.File:
    """A file of a tree as it is."""
    found = there.look(wanted.path)
    return files.File(found.path, found.data or b"", found.mode)


def judge_kubelet(there: Inventory, row: Row, *, now: datetime, authorities: Sequence[Certificate],
                  server: str | None) -> Judged:
    """What is wrong with a kubelet's files, which are to be that row's own and to lead to *server* (None: anywhere)."""
    judged = judge(row, there.look, Judge(
        node=row.host or "", now=now, authorities={"ca": authorities} if authorities else {}, known=bool(authorities),
        authority_paths={ca_path(there.layout): "ca"}, warns=False))
    kubeconfig = kubeconfig_of(there.found, row.place)
    judged.kubeconfig_right &= named_kubeconfig(there, server) is not None if row.place.by_path else \
        kubeconfig is not None and server in (None, kubeconfig.server)
    return judged


def named_kubeconfig(there: Inventory, server: str | None) -> files.File | None:
    """The kubelet's kubeconfig that is there, where it names the layout's own files (and that server)."""
    place = there.layout.kubelet
    found, kubeconfig = there.look(place.kubeconfig), kubeconfig_of(there.found, place)
    if not place.by_path or kubeconfig is None or found.data is None or server not in (None, kubeconfig.server):
        return None
    named = [material.path for material in (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key)]
    if named != [f"/{path}" for path in (ca_path(there.layout), place.certificate, place.key)]:
        return None
    return files.File(found.path, found.data, found.mode)       # no secret is in it: its mode is its owner's choice


def check_addressed(node: Node, row: Row | None = None) -> None:
    """Raise InputError for a node without an address: nobody could reach it by its certificate."""
    if not node.addresses and (row is None or row.profile.sans == "node"):
        raise InputError(f"{node.name}: its certificate must be made, and nothing tells its address",
                         hint="--address IP, as `kubectl get nodes -o wide` shows it; more than one is fine")


def request_node(root: str, node: Node, *, algorithm: str | None, layout: str,
                 present: bytes | None) -> tuple[files.File, bytes]:
    """The key of a node's tree and the request (PEM) for it, which asks for the node's names and addresses only.

    A sound key in the tree is kept, and *present*, the request that is there, where it is that key's and says the same.
    """
    there = inspect(root, layout=layout, also=[request_key(find_layout(layout))])
    path = request_key(there.layout)
    data = there.look(path).data
    key = sound_key(data) if data else None
    if key is None or (algorithm is not None and key_algorithm(key) != algorithm):
        key = make_key(algorithm or REQUEST_ALGORITHM)
        data = pem.dump_key(key, form="traditional")
    csr = req_new(key, config="", subject=subject_name(node.identity),
                  addext=[f"subjectAltName={sans_text(node.identity)}"])
    answer = present if present is not None and _same_request(present, csr) else pem.dump_csr(csr)
    return files.File(path, data or b"", KEY_MODE), answer


def _same_request(present: bytes, csr: CertificateSigningRequest) -> bool:
    try:
        old = pem.load_csr(present)
    except InputError:
        return False
    return old.is_signature_valid and old.tbs_certrequest_bytes == csr.tbs_certrequest_bytes


def sign_node(csr: CertificateSigningRequest, ca: Authority, node: Node, *, validity: timedelta, now: datetime,
              warnings: list[str]) -> bytes:
    """The answer to a node's request, in PEM: the certificate, then the CA's. The profile decides what it says.

    Raises RefusedError for a request against policy (`policy.check_request`), InputError for a node without an address.
    """
    check_addressed(node)
    public_key = check_request(csr, node=node.name, dns=node.dns, addresses=node.addresses)
    certificate = issue(ca, KUBELET, node.identity, public_key, validity=validity, now=now,
                        warnings=warnings)
    return pem.dump_certificate(certificate) + ca.bundle


def below(folder: str, tree: Sequence[files.File]) -> list[files.File]:
    """The files of a tree, as files of a folder above it."""
    return [files.File(f"{folder}/{one.path}", one.data, one.mode) for one in tree]
