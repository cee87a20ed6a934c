"""What a person orders at the CA or on the node: a node's files issued, a request made, a request signed; on disk."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from . import node as nodes
from .example import ensure_example
from .installation import Installation, install, plan_install, read_source
from .. import workspace
from ..authority import DAYS, Authority, Passphrase, lasting, read_authority
from ..desired.rows import NODES_FOLDER, Row
from ..observed.inventory import layout_there
from ..observed.whose import owner_of
from ... import files, pem
from ...errors import InputError, about
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, SSL, Layout, find_layout
from ...kubernetes.profiles import KUBELET, check_node_name, find_profile

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

_EXAMPLE, _EXAMPLE_ADDRESS, _EXAMPLE_SERVER = "example", "192.0.2.11", "https://192.0.2.10:6443"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person wants for a node; None, and nothing, is what the workspace or the CA says."""

    name: str
    """The node's name."""
    addresses: Sequence[str] = ()
    """The node's addresses."""
    dns: Sequence[str] = ()
    """Further DNS names of the node."""
    server: str | None = None
    """The API server's URL, for the kubeconfig."""
    ca: str | None = None
    """The path of the CA's certificate."""
    ca_key: str | None = None
    """The path of the CA's key."""
    days: int | None = None
    """How long the certificate is valid."""
    algorithm: str | None = None
    """The algorithm of a new key, a name of ALGORITHMS."""
    layout: str | None = None
    """How new files are laid out."""
    out: str = NODES_FOLDER
    """The folder that holds the nodes' trees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an order came to."""

    node: nodes.Node
    """The node, with the names and addresses that counted."""
    layout: Layout
    """How the files are laid out."""
    row: Row
    """The row that was issued, asked for or signed."""
    written: Sequence[tuple[files.File, str]]
    """Each file, its path below the workspace, with what was done."""
    out: str
    """The folder that holds the nodes' trees."""
    authority: Authority | None = None
    """The CA that signed; None for a request."""
    ca: str = ""
    """The path of the CA's certificate."""
    ca_key: str = ""
    """The path of the CA's key."""
    days: int = 0
    """How long the certificate is to be valid."""
    csr: CertificateSigningRequest | None = None
    """The request that was signed."""


def issue_order(order: Order, *, row: str | None = None, renew: bool = False, archive: bool = False,
                example: bool = False, passphrase: Passphrase, now: datetime, host_name: str,
                warnings: list[str]) -> Done:
    """Make the files of a node's *row* (None: its kubelet's) in the order's folder; what is right already stays.

    *renew* makes a new certificate for one that is right, *archive* also packs the tree, *example* takes a throw-away
    CA and folders of its own. Raises InputError for an order that contradicts itself or lacks something.
    """
    if example:
        if order.ca or order.ca_key or order.out != NODES_FOLDER:
            raise InputError("--example has a CA and a folder of its own",
                             hint="leave out --ca, --ca-key and --out, or --example")
        order = replace(order, out=f"{_EXAMPLE}/{NODES_FOLDER}", addresses=order.addresses or [_EXAMPLE_ADDRESS],
                        server=order.server or _EXAMPLE_SERVER)
    signer = find_profile(row or KUBELET.name).signer or "ca"
    told = None if example else workspace.told(os.curdir, order.name, signer=signer, host_name=host_name)
    order = _completed(order, told)
    server = order.server or (told.server if told and not row else None)
    node, layout = _node_of(order), _layout(order, told)
    nodes.check_wishes(days=order.days, algorithm=order.algorithm, server=server)
    if example:
        ca, ca_key = ensure_example(_EXAMPLE, now, warnings)
        order = replace(order, ca=ca, ca_key=ca_key)
    authority, validity = read_authority(order.ca, order.ca_key, passphrase=passphrase, now=now), _validity(order, told)
    folder, trees = _place(order.out)
    with workspace.locked(folder, now):
        made, wanted = nodes.issue_into(
            os.path.join(order.out, node.name), authority, node, row=row, server=server, validity=validity,
            algorithm=order.algorithm, layout=layout.name, now=now, warnings=warnings,
            cluster=told.cluster if told else None, renew=renew)
        packed = [files.File(f"{trees}/{node.name}.tar", files.pack(wanted, now=now, prefix=node.name), KEY_MODE)
                  ] if archive else []
        written = workspace.write(folder, [*nodes.below(f"{trees}/{node.name}", wanted), *packed], trees=trees,
                                  now=now, warnings=warnings)
    return Done(node=node, layout=layout, row=made, written=written, out=order.out, authority=authority,
                ca=order.ca or "", ca_key=order.ca_key or "", days=validity.days)


def request_order(order: Order, *, now: datetime, host_name: str, warnings: list[str]) -> Done:
    """Make a node's key in its tree, and a request for it beside the tree."""
    told = workspace.told(os.curdir, order.name, host_name=host_name)
    node, layout = _node_of(order), _layout(order, told)
    nodes.check_wishes(algorithm=order.algorithm)
    folder, trees = _place(order.out)
    path = f"{trees}/{node.name}.csr"
    with workspace.locked(folder, now):
        there = files.look(folder, path).kind == "file"
        key, csr = nodes.request_node(
            os.path.join(order.out, node.name), node, algorithm=order.algorithm, layout=layout.name,
            present=files.read(os.path.join(order.out, f"{node.name}.csr")) if there else None)
        written = workspace.write(folder, [*nodes.below(f"{trees}/{node.name}", [key]),
                                           files.File(path, csr, CERTIFICATE_MODE)], trees=trees, now=now,
                                  warnings=warnings)
    return Done(node=node, layout=layout, row=nodes.host_row(layout, node), written=written, out=order.out)


def sign_order(order: Order, csr: str, *, passphrase: Passphrase, now: datetime, host_name: str,
               warnings: list[str]) -> Done:
    """Answer the request in the file *csr* beside the node's tree; see `sign_node` for what is refused."""
    told = workspace.told(os.curdir, order.name, host_name=host_name)
    order = _completed(order, told)
    node, layout, validity = _node_of(order), _layout(order, told), _validity(order, told)
    row = nodes.host_row(layout, node)
    nodes.check_wishes(days=order.days)
    nodes.check_addressed(node, row)
    folder, trees = _place(order.out)
    data = files.read(csr)
    authority = read_authority(order.ca, order.ca_key, passphrase=passphrase, now=now)
    with about(csr):
        request = pem.load_csr(data)
        answer = nodes.sign_node(request, authority, node, layout=layout.name, validity=validity, now=now,
                                 warnings=warnings)
    with workspace.locked(folder, now):
        written = workspace.write(folder, [files.File(f"{trees}/{node.name}.pem", answer, CERTIFICATE_MODE)],
                                  trees=trees, now=now, warnings=warnings)
    return Done(node=node, layout=layout, row=row, written=written, out=order.out, authority=authority, csr=request,
                ca=order.ca or "", ca_key=order.ca_key or "", days=validity.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an installation came to."""

    plan: Installation
    """What was to be put in place."""
    layout: Layout
    """How the files are laid out."""
    node: str
    """The host's name."""
    written: Sequence[tuple[files.File, str]]
    """Each file, its path below the root, with what was done."""


def install_order(source: str, *, root: str, node: str | None = None, key: str | None = None,
                  server: str | None = None, layout: str | None = None, now: datetime, host_name: str,
                  warnings: list[str]) -> Installed:
    """Put a node's files in place below *root*: those of a tree, of an archive, or a signed certificate's.

    *node* is whose root it is (None: what tells it there), *key* the request's key for a certificate. Raises
    RefusedError for files that are wrong, InputError if nothing tells the host's name.
    """
    name = check_node_name(_owner(root, source, host_name) if node is None else node)
    nodes.check_wishes(server=server)
    said = None if layout is None else find_layout(layout)
    chosen, given = read_source(source, said, root=root, key=key, node=name, server=server)
    with about(source):
        plan = plan_install(given, root, name, layout=chosen, server=server, now=now)
    warnings += plan.warnings
    written = install(plan, root, now=now, warnings=warnings)
    return Installed(plan=plan, layout=chosen, node=name, written=written)


def _owner(root: str, source: str, host_name: str) -> str:
    """Whose root it is. Raises InputError if nothing tells, or a file that may tell is not this user's to read."""
    if name := owner_of(root, host_name=host_name, source=source):
        return name
    raise InputError(f"{root}: whose root is this? A file that may tell is not this user's to read",
                     hint="run the command as root, or say --node NAME")


def _completed(order: Order, told: workspace.Told | None) -> Order:
    """An order with what the workspace tells of the node and of the CA."""
    if told is None:
        return order
    named = order.ca or order.ca_key
    return replace(order, addresses=order.addresses or told.addresses, dns=order.dns or told.dns,
                   ca=order.ca if named else told.ca, ca_key=order.ca_key if named else told.ca_key)


def _node_of(order: Order) -> nodes.Node:
    return nodes.node_of(order.name, order.addresses, order.dns)


def _validity(order: Order, told: workspace.Told | None) -> timedelta:
    """How long a certificate is to be valid: as said, else as the description has it."""
    return told.cluster.validity if told and order.days is None else lasting(DAYS if order.days is None else order.days)


def _layout(order: Order, told: workspace.Told | None) -> Layout:
    """The layout that is said, else the description's, else the one that is there in the tree, else ssl."""
    if order.layout is not None:
        return find_layout(order.layout)
    return find_layout(told.cluster.layout) if told else layout_there(os.path.join(order.out, order.name)) or SSL


def _place(out: str) -> tuple[str, str]:
    """The workspace that a folder of trees lies in, and the folder's own name."""
    folder, trees = os.path.split(os.path.abspath(out))
    if not out or not trees:
        raise InputError(f"{out or repr(out)}: not a folder for nodes' trees", hint=f"--out {NODES_FOLDER}")
    return os.path.relpath(folder), trees
