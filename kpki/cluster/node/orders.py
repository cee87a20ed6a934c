"""A person's orders for a node: issue files, make or sign a request."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from . import node as nodes
from .example import ensure_example, has_example
from .. import workspace
from ..authority import DAYS, Authority, Passphrase, lasting
from ..authority_source import read_authority
from ..desired.rows import NODES_FOLDER, Row
from ..observed.inventory import layout_there
from ... import files, pem
from ...errors import InputError, KpkiError, about
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, SSL, Layout, get_layout
from ...kubernetes.profiles import KUBELET_PROFILE, get_profile

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

_EXAMPLE, _EXAMPLE_ADDRESS, _EXAMPLE_SERVER = "example", "192.0.2.11", "https://192.0.2.10:6443"


class NodeOrder(NamedTuple):
    """What a person wants for a node.

    The workspace or the CA decides each field that is None or empty.
    """

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
    """How many days the certificate is valid."""
    algorithm: str | None = None
    """The algorithm of a new key, a name of ALGORITHMS."""
    layout: str | None = None
    """The name of the layout of new files."""
    out: str = NODES_FOLDER
    """The folder that holds the nodes' trees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The result of an order."""

    node: nodes.Node
    """The node, with its names and addresses."""
    layout: Layout
    """The layout of the files."""
    row: Row
    """The row that was issued, requested or signed."""
    written: Sequence[tuple[files.File, str]]
    """Each file, with its path in the workspace, and the action."""
    out: str
    """The folder that holds the nodes' trees."""
    authority: Authority | None = None
    """The CA that signed; None for a request."""
    ca: str = ""
    """The path of the CA's certificate."""
    ca_key: str = ""
    """The path of the CA's key."""
    found: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The old data of each file that was there before, by its path in the workspace."""
    example: bool = False
    """Whether the throw-away CA was made."""
    csr: CertificateSigningRequest | None = None
    """The request that was signed."""


def issue_order(order: NodeOrder, *, row: str | None = None, renew: bool = False,
                archive: bool = False, example: bool = False, passphrase: Passphrase,
                now: datetime, host_name: str, warnings: list[str]) -> Done:
    """Make the files of a node's *row* (None: its kubelet's); right files stay.

    *renew* replaces a right certificate, *archive* also packs the tree, *example* uses a throw-away
    CA and folders of its own. Raises InputError for an order that contradicts itself or lacks
    something.
    """
    if example:
        if order.ca or order.ca_key or order.out != NODES_FOLDER:
            raise InputError("--example has a CA and a folder of its own",
                             hint="leave out --ca, --ca-key and --out, or --example")
        order = order._replace(out=f"{_EXAMPLE}/{NODES_FOLDER}",
                        addresses=order.addresses or [_EXAMPLE_ADDRESS],
                        server=order.server or _EXAMPLE_SERVER)
    made_example = False
    signer = get_profile(row or KUBELET_PROFILE.name).signer or "ca"
    defaults = None if example else workspace.find_defaults(os.curdir, order.name, signer=signer,
                                                            host_name=host_name)
    order = _completed(order, defaults)
    server = order.server or (defaults.server if defaults and not row else None)
    node, layout = _node_of(order), _layout(order, defaults)
    nodes.validate_wishes(days=order.days, algorithm=order.algorithm, server=server)
    if example:
        made_example = not has_example(_EXAMPLE)
        ca, ca_key = ensure_example(_EXAMPLE, now, warnings)
        order = order._replace(ca=ca, ca_key=ca_key)
    authority, validity = read_authority(order.ca, order.ca_key, passphrase=passphrase,
                                         now=now), _validity(order, defaults)
    folder, trees = _place(order.out)
    with workspace.locked(folder, now):
        made, wanted = nodes.issue_into(
            os.path.join(order.out, node.name), authority, node, row=row, server=server,
            validity=validity, algorithm=order.algorithm, layout=layout.name, now=now,
            warnings=warnings, cluster=defaults.cluster if defaults else None, renew=renew)
        packed = [files.File(f"{trees}/{node.name}.tar",
                             files.pack(wanted, now=now, prefix=node.name), KEY_MODE)
                  ] if archive else []
        new = [*nodes.below(f"{trees}/{node.name}", wanted), *packed]
        found = _found(folder, new)
        written = workspace.write(folder, new, trees=trees, now=now, warnings=warnings)
    return Done(node=node, layout=layout, row=made, written=written, out=order.out, found=found,
                example=made_example, authority=authority, ca=order.ca or "",
                ca_key=order.ca_key or "")


def request_order(order: NodeOrder, *, now: datetime, host_name: str, warnings: list[str]) -> Done:
    """Make a node's key in its tree, and the key's request beside the tree."""
    from .requests import request_node  # node issue needs no request
    defaults = workspace.find_defaults(os.curdir, order.name, host_name=host_name)
    node, layout = _node_of(order), _layout(order, defaults)
    nodes.validate_wishes(algorithm=order.algorithm)
    folder, trees = _place(order.out)
    path = f"{trees}/{node.name}.csr"
    with workspace.locked(folder, now):
        exists = files.read_entry(folder, path).kind == "file"
        key, csr = request_node(
            os.path.join(order.out, node.name), node, algorithm=order.algorithm, layout=layout.name,
            present=files.read(os.path.join(order.out, f"{node.name}.csr")) if exists else None)
        new = [*nodes.below(f"{trees}/{node.name}", [key]),
               files.File(path, csr, CERTIFICATE_MODE)]
        found = _found(folder, new)
        written = workspace.write(folder, new, trees=trees, now=now, warnings=warnings)
    return Done(node=node, layout=layout, row=nodes.host_row(layout, node), written=written,
                out=order.out, found=found)


def sign_order(order: NodeOrder, csr: str, *, passphrase: Passphrase, now: datetime, host_name: str,
               warnings: list[str]) -> Done:
    """Sign the request in the file *csr*; write the answer beside the node's tree.

    Raises the errors of `sign_node`.
    """
    from .requests import sign_node  # likewise
    defaults = workspace.find_defaults(os.curdir, order.name, host_name=host_name)
    order = _completed(order, defaults)
    node, layout, validity = _node_of(order), _layout(order, defaults), _validity(order, defaults)
    row = nodes.host_row(layout, node)
    nodes.validate_wishes(days=order.days)
    nodes.validate_addressed(node, row)
    folder, trees = _place(order.out)
    data = files.read(csr)
    authority = read_authority(order.ca, order.ca_key, passphrase=passphrase, now=now)
    with about(csr):
        request = pem.load_csr(data)
        answer = sign_node(request, authority, node, layout=layout.name, validity=validity,
                           now=now, warnings=warnings)
    with workspace.locked(folder, now):
        written = workspace.write(folder,
                                  [files.File(f"{trees}/{node.name}.pem", answer,
                                              CERTIFICATE_MODE)],
                                  trees=trees, now=now, warnings=warnings)
    return Done(node=node, layout=layout, row=row, written=written, out=order.out,
                authority=authority, csr=request, ca=order.ca or "", ca_key=order.ca_key or "")


def _found(folder: str, new: Sequence[files.File]) -> dict[str, bytes]:
    """The present data of the new files' paths."""
    found = dict[str, bytes]()
    for file in new:
        with suppress(KpkiError):       # what this user may not read has no data
            _, data = files.read_if_file(files.resolve(folder, file.path))
            if data is not None:
                found[file.path] = data
    return found


def _completed(order: NodeOrder, defaults: workspace.Defaults | None) -> NodeOrder:
    """An order with the workspace's defaults for the node and the CA."""
    if defaults is None:
        return order
    named = order.ca or order.ca_key
    return order._replace(addresses=order.addresses or defaults.addresses,
                   dns=order.dns or defaults.dns, ca=order.ca if named else defaults.ca,
                   ca_key=order.ca_key if named else defaults.ca_key)


def _node_of(order: NodeOrder) -> nodes.Node:
    return nodes.node_of(order.name, order.addresses, order.dns)


def _validity(order: NodeOrder, defaults: workspace.Defaults | None) -> timedelta:
    """The validity of the certificate: the order's, else the description's, else the default."""
    if defaults and order.days is None:
        return defaults.cluster.validity
    return lasting(DAYS if order.days is None else order.days)


def _layout(order: NodeOrder, defaults: workspace.Defaults | None) -> Layout:
    """The order's layout, else the description's, else the layout found in the tree, else ssl."""
    if order.layout is not None:
        return get_layout(order.layout)
    if defaults:
        return get_layout(defaults.cluster.layout)
    return layout_there(os.path.join(order.out, order.name)) or SSL


def _place(out: str) -> tuple[str, str]:
    """The workspace that holds a folder of trees, and the folder's own name."""
    folder, trees = os.path.split(os.path.abspath(out))
    if not out or not trees:
        raise InputError(f"{out or repr(out)}: not a folder for nodes' trees",
                         hint=f"--out {NODES_FOLDER}")
    return os.path.relpath(folder), trees
