"""`kpki node`: issue, request, sign, install."""
from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .command import HELP, add, example
from .common import (Addresses, Algorithm, Ca, CaKey, Days, Dns, Explain, Json, LayoutName, Out, Passin, Quiet, Root,
                     Server, Words, host_name, read_authority)
from .. import files
from ..clock import utc_now
from ..errors import InputError, about

if TYPE_CHECKING:
    from ..cluster.workspace import Told
    from ..kubernetes.layouts import Layout

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, context_settings=HELP,
    help="A node's certificate: issue, or request, sign and install it.",
    epilog=example("kpki node issue worker-1 --example"))

_NODES = "nodes"
_EXAMPLE, _EXAMPLE_ADDRESS, _EXAMPLE_SERVER = "example", "192.0.2.11", "https://192.0.2.10:6443"

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completion.nodes, help=(
    "The node's name, as `kubectl get nodes` shows it."))]
Archive = Annotated[bool, typer.Option("--archive", help="Also pack the tree into DIR/NAME.tar.")]
Example = Annotated[bool, typer.Option("--example", help="Try it with a throw-away CA, in the folder example/.")]
Csr = Annotated[str, typer.Argument(metavar="CSR", help="The request that `node request` made.")]
For = Annotated[str, typer.Option("--node", metavar="NAME", autocompletion=completion.nodes, help=(
    "The node that asks."))]
Source = Annotated[str, typer.Argument(metavar="TREE|ARCHIVE|PEM", help=(
    "A node's tree or its archive (node issue), or the signed certificate (node sign)."))]
Mine = Annotated[str | None, typer.Option("--node", metavar="NAME", autocompletion=completion.nodes, help=(
    "This node's name (as check has it, else the folder's name under nodes/ of the TREE)."))]
Row = Annotated[str | None, typer.Option("--row", metavar="ROW", autocompletion=completion.rows, help=(
    "Which certificate of the host, as apiserver or admin (its kubelet's)."))]
Renew = Annotated[bool, typer.Option("--renew", help="A new certificate for one that is right, with its key.")]
Key = Annotated[str | None, typer.Option("--key", metavar="FILE", help="The request's key, for a PEM.")]


def issue(name: Name, ca: Ca = None, ca_key: CaKey = None, passin: Passin = None, address: Addresses = [],
          dns: Dns = [], server: Server = None, days: Days = None, algorithm: Algorithm = None,
          layout: LayoutName = None, row: Row = None, renew: Renew = False, out: Out = _NODES, archive: Archive = False,
          example: Example = False, json: Json = False, explain: Explain = False, quiet: Quiet = False) -> None:
    """At the CA: make a node's key, certificate and kubeconfig.

    They lie in DIR/NAME as they belong on the node. What is right already stays. Prints the kubelet's flags that must
    name the files.
    """
    from . import telling
    from ..cluster import workspace
    from ..cluster.node import node as nodes
    from ..cluster.node.example import ensure_example
    words, now, warnings = Words(quiet=quiet), utc_now(), list[str]()
    if example:
        if ca or ca_key or out != _NODES:
            raise InputError("--example has a CA and a folder of its own",
                             hint="leave out --ca, --ca-key and --out, or --example")
        out, address, server = f"{_EXAMPLE}/{_NODES}", address or [_EXAMPLE_ADDRESS], server or _EXAMPLE_SERVER
    told = None if example else workspace.told(os.curdir, name, signer=_signer(row), host_name=host_name())
    if told is not None:
        address, dns = address or [*told.addresses], dns or [*told.dns]
        server = server or (None if row else told.server)
        ca, ca_key = (ca, ca_key) if ca or ca_key else (told.ca, told.ca_key)
    node, chosen = nodes.node_of(name, address, dns), _layout(layout, told, os.path.join(out, name))
    nodes.check_wishes(days=days, algorithm=algorithm, server=server)
    if example:
        ca, ca_key = ensure_example(_EXAMPLE, now, warnings)
    authority = read_authority(ca, ca_key, passin, now)
    folder, trees = _place(out)
    with workspace.locked(folder, now):
        made, wanted = nodes.issue_into(os.path.join(out, name), authority, node, row=row, server=server,
                                        validity=_validity(days, told), algorithm=algorithm, layout=chosen.name,
                                        now=now, warnings=warnings, cluster=told.cluster if told else None,
                                        renew=renew)
        packed = [files.File(f"{trees}/{name}.tar", files.pack(wanted, now=now, prefix=name), 0o600)] if archive else []
        written = workspace.write(folder, [*nodes.below(f"{trees}/{name}", wanted), *packed], trees=trees, now=now,
                                  warnings=warnings)
    words.warn(warnings)
    if explain:
        words.say(*telling.issue_steps(made, authority, algorithm, ca or "", ca_key or "", _validity(days, told).days))
    telling.issued(written, chosen, made, node, out=out, archive=archive, as_json=json, words=words)


def request(name: Name, address: Addresses = [], dns: Dns = [], algorithm: Algorithm = None,
            layout: LayoutName = None, out: Out = _NODES, json: Json = False, explain: Explain = False,
            quiet: Quiet = False) -> None:
    """On the node: make a key, which stays, and a request for the CA."""
    from . import telling
    from ..cluster import workspace
    from ..cluster.node import node as nodes
    words, now, warnings = Words(quiet=quiet), utc_now(), list[str]()
    told = workspace.told(os.curdir, name, host_name=host_name())
    node, chosen = nodes.node_of(name, address, dns), _layout(layout, told, os.path.join(out, name))
    nodes.check_wishes(algorithm=algorithm)
    folder, trees = _place(out)
    with workspace.locked(folder, now):
        there = files.look(folder, f"{trees}/{name}.csr").kind == "file"
        key, csr = nodes.request_node(os.path.join(out, name), node, algorithm=algorithm, layout=chosen.name,
                                      present=files.read(os.path.join(out, f"{name}.csr")) if there else None)
        written = workspace.write(folder, [*nodes.below(f"{trees}/{name}", [key]),
                                           files.File(f"{trees}/{name}.csr", csr, 0o644)], trees=trees, now=now,
                                  warnings=warnings)
    words.warn(warnings)
    if explain:
        words.say(*telling.request_steps(node, algorithm))
    telling.requested(written, chosen, node, out=out, as_json=json, words=words)


def sign(csr: Csr, node: For, ca: Ca = None, ca_key: CaKey = None, passin: Passin = None,
         address: Addresses = [], dns: Dns = [], days: Days = None, layout: LayoutName = None, out: Out = _NODES,
         json: Json = False, explain: Explain = False, quiet: Quiet = False) -> None:
    """At the CA: answer a node's request. Writes DIR/NAME.pem, the certificate and then the CA's.

    The names and addresses are those said here, never more because a request asks.
    """
    from . import telling
    from .. import pem
    from ..cluster import workspace
    from ..cluster.node import node as nodes
    words, now, warnings = Words(quiet=quiet), utc_now(), list[str]()
    told = workspace.told(os.curdir, node, host_name=host_name())
    if told is not None:
        address, dns = address or [*told.addresses], dns or [*told.dns]
        ca, ca_key = (ca, ca_key) if ca or ca_key else (told.ca, told.ca_key)
    asked, chosen = nodes.node_of(node, address, dns), _layout(layout, told, os.path.join(out, node))
    row = nodes.host_row(chosen, asked)
    nodes.check_wishes(days=days)
    nodes.check_addressed(asked, row)
    folder, trees = _place(out)
    data = files.read(csr)
    authority = read_authority(ca, ca_key, passin, now)
    with about(csr):
        request = pem.load_csr(data)
        answer = nodes.sign_node(request, authority, asked, layout=chosen.name, validity=_validity(days, told), now=now,
                                 warnings=warnings)
    with workspace.locked(folder, now):
        written = workspace.write(folder, [files.File(f"{trees}/{node}.pem", answer, 0o644)], trees=trees, now=now,
                                  warnings=warnings)
    words.warn(warnings)
    if explain:
        words.say(*telling.sign_steps(row, authority, request, csr, ca or "", ca_key or "",
                                      _validity(days, told).days))
    telling.signed(written, asked, out=out, as_json=json, words=words)


def install(source: Source, node: Mine = None, root: Root = "/", key: Key = None, server: Server = None,
            layout: LayoutName = None, json: Json = False, explain: Explain = False, quiet: Quiet = False) -> None:
    """On the node: check all files, then put them in place at once.

    What is replaced is kept under var/lib/kpki/backup. A kubeconfig that is there and right stays.
    """
    from . import telling
    from ..cluster.node import installation
    from ..cluster.node.node import check_wishes
    from ..kubernetes.layouts import find_layout
    from ..kubernetes.profiles import check_node_name
    words, now, warnings = Words(quiet=quiet), utc_now(), list[str]()
    name = check_node_name(_owner(root, source) if node is None else node)
    check_wishes(server=server)
    said = None if layout is None else find_layout(layout)
    chosen, given = installation.read_source(source, said, root=root, key=key, node=name, server=server)
    with about(source):
        plan = installation.plan_install(given, root, name, layout=chosen, server=server, now=now)
    written = installation.install(plan, root, now=now, warnings=warnings)
    words.warn([*plan.warnings, *warnings])
    if explain:
        words.say(*telling.install_steps(plan, root))
    telling.installed(written, plan, chosen, name, root=root, as_json=json, words=words)


def _owner(root: str, source: str) -> str:
    """Whose root it is. Raises InputError if nothing tells, or a file that may tell is not this user's to read."""
    from ..cluster.observed.whose import owner_of
    if name := owner_of(root, host_name=host_name(), source=source):
        return name
    raise InputError(f"{root}: whose root is this? A file that may tell is not this user's to read",
                     hint="run the command as root, or say --node NAME")


def _signer(row: str | None) -> str:
    """The row of the CA that signs a row."""
    from ..kubernetes.profiles import KUBELET, find_profile
    return find_profile(row or KUBELET.name).signer or "ca"


def _validity(days: int | None, told: Told | None) -> timedelta:
    """How long a certificate is to be valid: as said, else as the description has it."""
    from ..cluster.authority import DAYS, lasting
    return told.cluster.validity if told and days is None else lasting(DAYS if days is None else days)


def _layout(name: str | None, told: Told | None, tree: str) -> Layout:
    """The layout that is said, else the description's, else the one that is there in the tree, else ssl."""
    from ..cluster.observed.inventory import layout_there
    from ..kubernetes.layouts import SSL, find_layout
    if name is not None:
        return find_layout(name)
    return find_layout(told.cluster.layout) if told else layout_there(tree) or SSL


def _place(out: str) -> tuple[str, str]:
    """The workspace that a folder of trees lies in, and the folder's own name."""
    folder, trees = os.path.split(os.path.abspath(out))
    if not out or not trees:
        raise InputError(f"{out or repr(out)}: not a folder for nodes' trees", hint=f"--out {_NODES}")
    return os.path.relpath(folder), trees


add(app, issue, "kpki node issue worker-1 --ca ca.pem --ca-key ca-key.pem \\",
    "    --address 10.0.0.21 --server https://10.0.0.10:6443")
add(app, request, "kpki node request worker-1 --address 10.0.0.21")
add(app, sign, "kpki node sign worker-1.csr --node worker-1 \\",
    "    --ca ca.pem --ca-key ca-key.pem --address 10.0.0.21")
add(app, install, "kpki node install worker-1 --node worker-1")
