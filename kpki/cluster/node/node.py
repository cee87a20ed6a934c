"""The files of a host's row, issued by the CA."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..authority import (
    DAYS,
    Authority,
    issue,
    key_algorithm,
    lasting,
    load_bundle,
    make_key,
    validate_algorithm,
    validate_days,
)
from ..desired.rows import Row, Wanted, blank_kubeconfig
from ..leaf_files import leaf_files, leaf_task, signer_path
from ..observed.inventory import Inventory, inspect_layout, kubeconfig_of, named_path, require
from ..rules.checked_row import CheckedRow
from ..rules.context import RowContext
from ..rules.row import check_row
from ... import files
from ...clock import utc_now
from ...errors import InputError
from ...kubernetes.kubeconfig import validate_server
from ...kubernetes.layouts import CERTIFICATE_MODE, Layout, Place, get_layout
from ...kubernetes.profiles import (
    USUAL_NAMES,
    Node as Node,  # noqa: PLC0414 - exported again
    get_profile,
    identity_of,
    node_of as node_of,  # noqa: PLC0414 - exported again
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    from ..desired.description import Cluster

# The path of a request's key for a layout that embeds the kubelet's pair: the third path that the
# kubelet reads.
_REQUEST_KEY = "var/lib/kubelet/pki/kubelet-client.key"
_NO_SERVER = "https://kubernetes.invalid"       # in a row whose kubeconfig is not made


def host_row(layout: Layout, node: Node, name: str | None = None, server: str | None = None,
             cluster_name: str | None = None) -> Row:
    """The row *name* of a host (None: its kubelet's row), with a kubeconfig that leads to *server*.

    Raises InputError for a row that the layout lacks, or that is no leaf.
    """
    place = layout.kubelet if name is None else layout.place(name)
    profile = get_profile(place.row)
    if profile.kind != "leaf":
        raise InputError(f"{place.row} is no certificate that a CA signs",
                         hint="--row names a leaf, like apiserver")
    dns, addresses = list[str](), list[str]()
    if profile.sans != "none":
        usual, own = USUAL_NAMES[profile.sans]
        dns = [*dict.fromkeys((*node.names, *usual))]
        addresses = [*dict.fromkeys((*node.addresses, *own))]
    identity = identity_of(profile, node=node.name, administrators=layout.administrators, dns=dns,
                           addresses=addresses)
    kubeconfig = blank_kubeconfig(layout, cluster_name or layout.cluster_name,
                                  place.user or identity.user,
                                  server or _NO_SERVER) if place.kubeconfig else None
    return Row(host=node.name, place=place, profile=profile, identity=identity,
               kubeconfig=kubeconfig)


def _find_described(cluster: Cluster, node: Node, name: str, server: str | None) -> Row | None:
    """The row of a host in the description, with *server* if that is not None.

    None for a row or a host that the description lacks, or whose names differ from *node*.
    """
    wanted = Wanted(cluster)
    rows = (row for host in cluster.hosts if node == Node(host.name, tuple(host.addresses),
                                                          tuple(host.dns))
            for row in wanted.of_host(host) if row.name == name
            and row.place != wanted.layout.kubelet)
    found = next(rows, None)
    if found is None or found.kubeconfig is None or server is None:
        return found
    return found._replace(kubeconfig=replace(found.kubeconfig, server=server))


def request_key(layout: Layout) -> str:
    """The path of a request's key on the node."""
    return layout.kubelet.key or _REQUEST_KEY


def issue_node(ca: Authority, name: str, *, addresses: Sequence[str], dns: Sequence[str] = (),
               server: str, days: int = DAYS, algorithm: str | None = None, layout: str = "ssl",
               key: PrivateKeyTypes | None = None, now: datetime | None = None,
               warnings: list[str] | None = None) -> tuple[files.File, ...]:
    """Issue the files of a node: CA, kubelet's pair and kubeconfig, at the places of *layout*.

    Nothing is written to the disk. *server* is the API server's URL. *algorithm* is the new key's
    (None: the CA's), *key* an existing key. *days* counts from *now* (None: the clock). Warnings
    for a person are added to *warnings*. Raises InputError for an invalid name, address, algorithm
    or number of days.

    >>> authority = kpki.Authority(ca, ca_key)
    >>> for file in kpki.issue_node_files(
    ...         authority, "worker-1", addresses=["10.0.0.21"], server="https://10.0.0.10:6443",
    ...         layout="hard-way", now=now):
    ...     print(f"{file.mode:04o} {file.path}")
    0644 var/lib/kubelet/ca.crt
    0644 var/lib/kubelet/kubelet.crt
    0600 var/lib/kubelet/kubelet.key
    0600 var/lib/kubelet/kubeconfig
    """
    node, chosen = node_of(name, addresses, dns), get_layout(layout)
    row = host_row(chosen, node, server=validate_server(server))
    key = key or make_key(algorithm or ca.algorithm)
    certificate = issue(ca, row.profile, row.identity, key, validity=lasting(days),
                        now=now or utc_now(), warnings=[] if warnings is None else warnings)
    return (_ca_file(row, chosen, ca.bundle),
            *leaf_files(row, chosen, chain=[certificate], key=key, bundle=ca.bundle))


def _ca_file(row: Row, layout: Layout, bundle: bytes) -> files.File:
    return files.File(signer_path(row, layout), bundle, CERTIFICATE_MODE)


def validate_wishes(*, days: int | None = None, algorithm: str | None = None,
                    server: str | None = None) -> None:
    """Raise InputError for impossible days, algorithm or server of a certificate or kubeconfig."""
    if days is not None:
        validate_days(days)
    if algorithm is not None:
        validate_algorithm(algorithm)
    if server is not None:
        validate_server(server)


def issue_into(root: str, ca: Authority, node: Node, *, row: str | None = None, server: str | None,
               validity: timedelta, algorithm: str | None, layout: str, now: datetime,
               warnings: list[str], cluster: Cluster | None = None,
               renew: bool = False) -> tuple[Row, tuple[files.File, ...]]:
    """A *row* of a host (None: its kubelet's), and the row's files for the tree *root*.

    Right files in the tree stay, all others are made; with *renew* a right certificate is replaced,
    for its key. A sound key stays, unless *algorithm* names another algorithm. A new key has
    *algorithm*, else the *cluster*'s, else the CA's. The row follows the *cluster*, if the host is
    in its description. Raises InputError if nothing says a needed address or server.
    """
    inventory = require(inspect_layout(root, layout))
    kubeconfig = kubeconfig_of(inventory.found,
                               inventory.layout.kubelet if row is None
                               else inventory.layout.place(row))
    url = server or (kubeconfig.server if kubeconfig else None)
    wanted = host_row(inventory.layout, node, row, url, cluster.name if cluster else None)
    if cluster and row:
        wanted = _find_described(cluster, node, row, url) or wanted
    checked = check_host_row(inventory, wanted, now=now, authorities=load_bundle(ca.bundle),
                             server=server)
    if checked.key is not None and algorithm is not None \
        and key_algorithm(checked.key) != algorithm:
        checked = checked._replace(key=None)
    task = leaf_task(wanted, checked, inventory.file, renew=renew)
    if task.changes(wanted.place.kubeconfig) and wanted.kubeconfig \
            and wanted.kubeconfig.server == _NO_SERVER:
        raise no_server(node.name)
    usual = cluster.algorithm if cluster else None
    key, chain = task.key or make_key(algorithm or usual or ca.algorithm), task.chain
    if not chain:
        validate_addressed(node, wanted)
        chain = (issue(ca, wanted.profile, wanted.identity, key, validity=validity, now=now,
                       warnings=warnings),)
    authority = _ca_file(wanted, inventory.layout, ca.bundle)
    made = [authority, *leaf_files(wanted, inventory.layout, chain=chain, key=key,
                                   bundle=ca.bundle)]
    return wanted, tuple(file if task.changes(file.path)
                         or file == authority else _present(inventory, file)
                         for file in made)


def no_server(node: str) -> InputError:
    """The error for a new kubeconfig of a node without the API server's URL."""
    return InputError(f"{node}: a new kubeconfig of this node needs the API server's URL, and "
                      "nothing says the URL",
                      hint="--server https://ADDRESS:6443")


def _present(inventory: Inventory, wanted: files.File) -> files.File:
    """The present file of a tree at the path of the *wanted* file."""
    found = inventory.file(wanted.path)
    return files.File(found.path, found.data or b"", found.mode)


def check_host_row(inventory: Inventory, row: Row, *, now: datetime,
                   authorities: Sequence[Certificate], server: str | None) -> CheckedRow:
    """Check the files of a host's row: the host's own, and with *server* (None: any server).

    *authorities* are the certificates of the CA that signs the row; empty if the CA is unknown.
    """
    signer = row.profile.signer or ""
    checked = check_row(row, inventory.file, RowContext(
        now=now, authorities={signer: authorities} if authorities else {}, warns=False,
        authority_paths={signer_path(row, inventory.layout): signer}))
    kubeconfig = kubeconfig_of(inventory.found, row.place)
    leads = named_kubeconfig(inventory, row.place, server) is not None if row.place.by_path else \
        kubeconfig is not None and server in (None, kubeconfig.server)
    return checked._replace(kubeconfig_right=checked.kubeconfig_right and leads)


def named_kubeconfig(inventory: Inventory, place: Place, server: str | None) -> files.File | None:
    """The present kubeconfig of a place, None unless it names the layout's files (and *server*)."""
    kubeconfig = kubeconfig_of(inventory.found, place)
    if not place.by_path or kubeconfig is None or server not in (None, kubeconfig.server):
        return None
    found = inventory.file(place.kubeconfig)
    materials = (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key)
    authority, *pair = (material.path and named_path(place.kubeconfig, material.path)
                        for material in materials)
    signers = [other.certificate for other in inventory.layout.places
               if other.row == get_profile(place.row).signer]
    if found.data is None or pair != [place.certificate, place.key] or authority not in signers:
        return None
    # the document holds no secret: its owner may choose the mode
    return files.File(found.path, found.data, found.mode)


def validate_addressed(node: Node, row: Row) -> None:
    """Raise InputError for a serving row without an address of its host.

    No client could verify the certificate.
    """
    if row.profile.sans != "none" and not _is_addressed(row):
        raise InputError(f"{node.name}: a new certificate of this node needs an address, and "
                         "nothing says the address",
                         hint="--address IP, as `kubectl get nodes -o wide` shows the address; "
                              "repeat --address for "
                         "more")


def _is_addressed(row: Row) -> bool:
    """Whether a row has an address of its host, besides loopback."""
    return bool({*row.identity.addresses} - {*USUAL_NAMES[row.profile.sans][1]})


def below(folder: str, tree: Sequence[files.File]) -> list[files.File]:
    """The files of a *tree*, with paths that begin with the *folder* that holds the tree."""
    return [files.File(f"{folder}/{file.path}", file.data, file.mode) for file in tree]
