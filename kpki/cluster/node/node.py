"""A host's files, row by row: made at the CA, or asked for by the node and signed."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .policy import check_request
from ..authority import (DAYS, Authority, check_algorithm, check_days, issue, key_algorithm, lasting, load_bundle,
                         make_key, sound_key)
from ..desired.rows import Row, Wanted, blank_kubeconfig
from ..leaf_files import leaf_files, leaf_task, signer_path
from ..observed.inventory import Inventory, inspect_layout, kubeconfig_of, named_path, require
from ..rules.judge import judge
from ..rules.judged import Judged
from ..rules.context import RowContext
from ... import files, pem
from ...clock import utc_now
from ...errors import InputError
from ...kubernetes.kubeconfig import check_server
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, Layout, Place, find_layout
from ...kubernetes.profiles import Node as Node
from ...kubernetes.profiles import find_profile, identity_of, sans_text, subject_name
from ...kubernetes.profiles import node_of as node_of
from ...stages.requests import req_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from ..desired.description import Cluster

REQUEST_ALGORITHM = "ECDSA-P256"    # of a key that a node makes for itself, before it has seen its CA
# Where a layout that embeds the kubelet's pair has the key of a request: the third place that the kubelet looks at.
_REQUEST_KEY = "var/lib/kubelet/pki/kubelet-client.key"
_NO_SERVER = "https://kubernetes.invalid"       # in a row whose kubeconfig is not made


# Which names a row has on every host, beside the host's own and those that are said.
USUAL_NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "node": ((), ()),
    "apiserver": (("kubernetes", "kubernetes.default", "kubernetes.default.svc"), ()),
    "etcd-server": (("localhost",), ("127.0.0.1", "::1")), "etcd-peer": (("localhost",), ("127.0.0.1", "::1"))}


def host_row(layout: Layout, node: Node, name: str | None = None, server: str | None = None,
             cluster_name: str | None = None) -> Row:
    """The row *name* of a host, None: its kubelet's; its kubeconfig leads to *server*.

    Raises InputError for a row that the layout has not, or that is no leaf.
    """
    place = layout.kubelet if name is None else layout.place(name)
    profile = find_profile(place.row)
    if profile.kind != "leaf":
        raise InputError(f"{place.row} is no certificate that a CA signs", hint="--row names one that is, as apiserver")
    dns, addresses = list[str](), list[str]()
    if profile.sans != "none":
        usual, own = USUAL_NAMES[profile.sans]
        dns, addresses = [*dict.fromkeys((*node.names, *usual))], [*dict.fromkeys((*node.addresses, *own))]
    identity = identity_of(profile, node=node.name, administrators=layout.administrators, dns=dns, addresses=addresses)
    return Row(host=node.name, place=place, profile=profile, identity=identity, kubeconfig=blank_kubeconfig(
        layout, cluster_name or layout.cluster_name, place.user or identity.user,
        server or _NO_SERVER) if place.kubeconfig else None)


def _described(cluster: Cluster, node: Node, name: str, server: str | None) -> Row | None:
    """The row of a host as its description has it, leading to *server* where that is said; None for a row or a host
    that is not in it, or of which other names are said."""
    wanted = Wanted(cluster)
    rows = (row for host in cluster.hosts if node == Node(host.name, tuple(host.addresses), tuple(host.dns))
            for row in wanted.of_host(host) if row.name == name and row.place != wanted.layout.kubelet)
    found = next(rows, None)
    if found is None or found.kubeconfig is None or server is None:
        return found
    return replace(found, kubeconfig=replace(found.kubeconfig, server=server))


def request_key(layout: Layout) -> str:
    """Where on the node the key of a request lies."""
    return layout.kubelet.key or _REQUEST_KEY


def issue_node(ca: Authority, name: str, *, addresses: Sequence[str], dns: Sequence[str] = (), server: str,
               days: int = DAYS, algorithm: str | None = None, layout: str = "ssl",
               key: PrivateKeyTypes | None = None, now: datetime | None = None,
               warnings: list[str] | None = None) -> tuple[files.File, ...]:
    """The files of a node, without a disk: the CA, the kubelet's pair and kubeconfig at their places in the *layout*.

    *server* is the API server's URL. *algorithm* is that of the key (None: the CA's), *key* an existing key. *days*
    counts from *now* (None: the clock). Lines for a person are added to *warnings*. Raises InputError for what cannot
    be a name, an address, an algorithm or a number of days.

    >>> authority = kpki.Authority(ca, ca_key)
    >>> for file in kpki.issue_node_files(authority, "worker-1", addresses=["10.0.0.21"],
    ...                                   server="https://10.0.0.10:6443", layout="hard-way", now=now):
    ...     print(f"{file.mode:04o} {file.path}")
    0644 var/lib/kubelet/ca.crt
    0644 var/lib/kubelet/kubelet.crt
    0600 var/lib/kubelet/kubelet.key
    0600 var/lib/kubelet/kubeconfig
    """
    node, chosen = node_of(name, addresses, dns), find_layout(layout)
    row = host_row(chosen, node, server=check_server(server))
    key = key or make_key(algorithm or ca.algorithm)
    certificate = issue(ca, row.profile, row.identity, key, validity=lasting(days), now=now or utc_now(),
                        warnings=[] if warnings is None else warnings)
    return (_ca_file(row, chosen, ca.bundle), *leaf_files(row, chosen, chain=[certificate], key=key, bundle=ca.bundle))


def _ca_file(row: Row, layout: Layout, bundle: bytes) -> files.File:
    return files.File(signer_path(row, layout), bundle, CERTIFICATE_MODE)


def check_wishes(*, days: int | None = None, algorithm: str | None = None, server: str | None = None) -> None:
    """Raise InputError for what no certificate or kubeconfig can have, before anything is made."""
    if days is not None:
        check_days(days)
    if algorithm is not None:
        check_algorithm(algorithm)
    if server is not None:
        check_server(server)


def issue_into(root: str, ca: Authority, node: Node, *, row: str | None = None, server: str | None,
               validity: timedelta, algorithm: str | None, layout: str, now: datetime, warnings: list[str],
               cluster: Cluster | None = None, renew: bool = False) -> tuple[Row, tuple[files.File, ...]]:
    """A *row* of a host (None: its kubelet's), and the files of it that the tree *root* is to hold.

    What is right there stays, the rest is made anew; with *renew* a right certificate too, for its key. A key that
    loads and is strong enough is kept, unless another *algorithm* is asked for; a new one is of that, of the
    *cluster*'s or of the CA's. What the *cluster* says of the row counts, where it knows the host. Raises InputError
    where an address or the server is needed and nothing tells it.
    """
    there = require(inspect_layout(root, layout))
    kubeconfig = kubeconfig_of(there.found, there.layout.kubelet if row is None else there.layout.place(row))
    led = server or (kubeconfig.server if kubeconfig else None)
    wanted = host_row(there.layout, node, row, led, cluster.name if cluster else None)
    if cluster and row:
        wanted = _described(cluster, node, row, led) or wanted
    judged = judge_host(there, wanted, now=now, authorities=load_bundle(ca.bundle), server=server)
    if judged.key is not None and algorithm is not None and key_algorithm(judged.key) != algorithm:
        judged = judged._replace(key=None)
    task = leaf_task(wanted, judged, there.look, renew=renew)
    if task.changes(wanted.place.kubeconfig) and wanted.kubeconfig and wanted.kubeconfig.server == _NO_SERVER:
        raise no_server(node.name)
    usual = cluster.algorithm if cluster else None
    key, chain = task.key or make_key(algorithm or usual or ca.algorithm), task.chain
    if not chain:
        check_addressed(node, wanted)
        chain = (issue(ca, wanted.profile, wanted.identity, key, validity=validity, now=now, warnings=warnings),)
    authority = _ca_file(wanted, there.layout, ca.bundle)
    made = [authority, *leaf_files(wanted, there.layout, chain=chain, key=key, bundle=ca.bundle)]
    return wanted, tuple(one if task.changes(one.path) or one == authority else _kept(there, one) for one in made)


def no_server(node: str) -> InputError:
    """What is wrong where a node's kubeconfig must be made and nobody says where it is to lead."""
    return InputError(f"{node}: its kubeconfig must be made, and nothing tells the API server's URL",
                      hint="--server https://ADDRESS:6443")


def _kept(there: Inventory, wanted: files.File) -> files.File:
    """A file of a tree as it is."""
    found = there.look(wanted.path)
    return files.File(found.path, found.data or b"", found.mode)


def judge_host(there: Inventory, row: Row, *, now: datetime, authorities: Sequence[Certificate],
               server: str | None) -> Judged:
    """What is wrong with the files of a host's row, which are to be its own and to lead to *server* (None: anywhere).

    *authorities* are the certificates of the CA that is to sign it; none where that is not known.
    """
    signer = row.profile.signer or ""
    judged = judge(row, there.look, RowContext(
        now=now, authorities={signer: authorities} if authorities else {}, warns=False,
        authority_paths={signer_path(row, there.layout): signer}))
    kubeconfig = kubeconfig_of(there.found, row.place)
    led = named_kubeconfig(there, row.place, server) is not None if row.place.by_path else \
        kubeconfig is not None and server in (None, kubeconfig.server)
    return judged._replace(kubeconfig_right=judged.kubeconfig_right and led)


def named_kubeconfig(there: Inventory, place: Place, server: str | None) -> files.File | None:
    """The kubeconfig of a place that is there, where it names the layout's own files (and that server)."""
    kubeconfig = kubeconfig_of(there.found, place)
    if not place.by_path or kubeconfig is None or server not in (None, kubeconfig.server):
        return None
    found = there.look(place.kubeconfig)
    authority, *pair = (material.path and named_path(place.kubeconfig, material.path) for material in (
        kubeconfig.authority, kubeconfig.certificate, kubeconfig.key))
    if found.data is None or pair != [place.certificate, place.key] or authority not in [
            one.certificate for one in there.layout.places if one.row == find_profile(place.row).signer]:
        return None
    return files.File(found.path, found.data, found.mode)       # no secret is in it: its mode is its owner's choice


def check_addressed(node: Node, row: Row) -> None:
    """Raise InputError for a row with names but without an address: nobody could reach it by its certificate."""
    if row.profile.sans != "none" and not _is_addressed(row):
        raise InputError(f"{node.name}: its certificate must be made, and nothing tells its address",
                         hint="--address IP, as `kubectl get nodes -o wide` shows it; more than one is fine")


def _is_addressed(row: Row) -> bool:
    """Whether a row has an address of its own host."""
    return bool({*row.identity.addresses} - {*USUAL_NAMES[row.profile.sans][1]})


def request_node(root: str, node: Node, *, algorithm: str | None, layout: str,
                 present: bytes | None) -> tuple[files.File, bytes]:
    """The key of a node's tree and the request (PEM) for it, which asks for the node's names and addresses only.

    A sound key in the tree is kept, and *present*, the request that is there, where it is that key's and says the same.
    """
    there = require(inspect_layout(root, layout, also=[request_key(find_layout(layout))]))
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


def sign_node(csr: CertificateSigningRequest, ca: Authority, node: Node, *, layout: str = "ssl", validity: timedelta,
              now: datetime, warnings: list[str]) -> bytes:
    """The answer to a node's request, in PEM: the certificate, then the CA's. The profile decides what it says, that of
    the *layout*'s kubelet.

    Raises RefusedError for a request against policy (`policy.check_request`), InputError for a node without an address.
    """
    row = host_row(find_layout(layout), node)
    check_addressed(node, row)
    public_key = check_request(csr, node=node.name, dns=node.dns, addresses=node.addresses)
    certificate = issue(ca, row.profile, row.identity, public_key, validity=validity, now=now, warnings=warnings)
    return pem.dump_certificate(certificate) + ca.bundle


def below(folder: str, tree: Sequence[files.File]) -> list[files.File]:
    """The files of a tree, as files of a folder above it."""
    return [files.File(f"{folder}/{one.path}", one.data, one.mode) for one in tree]
