"""`kpki node`: issue, request, sign, install."""
from __future__ import annotations

import os
from functools import partial
from typing import Annotated

import typer

from . import completion
from .command import HELP, Commands, add, example as ending
from .common import (
    AddressOption,
    AlgorithmOption,
    CaKeyOption,
    CaOption,
    DaysOption,
    DnsOption,
    ExplainOption,
    JsonOption,
    LayoutOption,
    OutOption,
    PassinOption,
    QuietOption,
    RootOption,
    ServerOption,
    Words,
    host_name,
    key_passphrase,
    owner,
)
from ..clock import utc_now
from ..errors import InputError

app = typer.Typer(
    cls=Commands, rich_markup_mode=None, no_args_is_help=True, context_settings=HELP,
    help="A node's certificate: issue, or request, sign and install it.",
    epilog=ending("kpki node issue worker-1 --example"))

_NODES = "nodes"

NodeArgument = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completion.nodes, help=(
    "The node's name, as `kubectl get nodes` shows it."))]
ArchiveOption = Annotated[bool, typer.Option(
    "--archive", help="Also pack the tree into DIR/NAME.tar.")]
ExampleOption = Annotated[bool, typer.Option(
    "--example", help="Use a throw-away CA, in the folder example/.")]
CsrArgument = Annotated[str, typer.Argument(
    metavar="CSR", help="The request that `node request` made.")]
NodeOption = Annotated[str, typer.Option(
    "--node", metavar="NAME", autocompletion=completion.nodes, help="The name of the node.")]
SourceArgument = Annotated[str, typer.Argument(
    metavar="TREE|ARCHIVE|PEM",
    help="A node's tree or its archive (node issue), or the signed certificate (node sign).")]
OwnNodeOption = Annotated[str | None, typer.Option(
    "--node", metavar="NAME", autocompletion=completion.nodes,
    help="This node's name (as for check, else the name of the TREE's folder under nodes/).")]
RowOption = Annotated[str | None, typer.Option(
    "--row", metavar="ROW", autocompletion=completion.rows,
    help="The row of the certificate, for example apiserver or admin (the kubelet's row).")]
RenewOption = Annotated[bool, typer.Option(
    "--renew", help="Replace also a right certificate, for the same key.")]
ScriptOption = Annotated[bool, typer.Option(
    "--script", help="Print the shell that installs the same files from an archive of the root.")]
KeyOption = Annotated[str | None, typer.Option(
    "--key", metavar="FILE", help="The request's key, for a PEM.")]


def issue(name: NodeArgument, ca: CaOption = None, ca_key: CaKeyOption = None,
          passin: PassinOption = None, address: AddressOption = [], dns: DnsOption = [],
          server: ServerOption = None, days: DaysOption = None, algorithm: AlgorithmOption = None,
          layout: LayoutOption = None, row: RowOption = None, renew: RenewOption = False,
          out: OutOption = _NODES, archive: ArchiveOption = False, example: ExampleOption = False,
          json: JsonOption = False, explain: ExplainOption = False,
          quiet: QuietOption = False) -> None:
    """At the CA: make a node's key, certificate and kubeconfig.

    DIR/NAME is the node's tree: each file has its path on the node. Right files stay. kpki prints
    the kubelet's flags that must name the files.
    """
    from . import telling
    from ..cluster.node.orders import NodeOrder, issue_order
    words, warnings, now = Words(quiet=quiet), list[str](), utc_now()
    done = issue_order(
        NodeOrder(name=name, addresses=address, dns=dns, server=server, ca=ca, ca_key=ca_key,
                  days=days, algorithm=algorithm, layout=layout, out=out),
        row=row, renew=renew, archive=archive, example=example,
        passphrase=partial(key_passphrase, passin),
        now=now, host_name=host_name(), warnings=warnings)
    words.warn(warnings)
    if explain:
        from . import node_steps
        words.say(*node_steps.issue_steps(done, passin=passin, now=now, user=owner()))
    telling.issued(done, archive=archive, as_json=json, words=words)


def request(name: NodeArgument, address: AddressOption = [], dns: DnsOption = [],
            algorithm: AlgorithmOption = None, layout: LayoutOption = None, out: OutOption = _NODES,
            json: JsonOption = False, explain: ExplainOption = False,
            quiet: QuietOption = False) -> None:
    """On the node: make a key, and a request for the CA.

    The key stays on the node.
    """
    from . import telling
    from ..cluster.node.orders import NodeOrder, request_order
    words, warnings = Words(quiet=quiet), list[str]()
    done = request_order(NodeOrder(name=name, addresses=address, dns=dns, algorithm=algorithm,
                                   layout=layout, out=out),
                         now=utc_now(), host_name=host_name(), warnings=warnings)
    words.warn(warnings)
    if explain:
        from . import node_steps
        words.say(*node_steps.request_steps(done, user=owner()))
    telling.requested(done, as_json=json, words=words)


def sign(csr: CsrArgument, node: NodeOption, ca: CaOption = None, ca_key: CaKeyOption = None,
         passin: PassinOption = None, address: AddressOption = [], dns: DnsOption = [],
         days: DaysOption = None, layout: LayoutOption = None, out: OutOption = _NODES,
         json: JsonOption = False, explain: ExplainOption = False,
         quiet: QuietOption = False) -> None:
    """At the CA: sign a node's request.

    DIR/NAME.pem receives the certificate, then the CA's. The certificate has the names and
    addresses of the command line, or of the description; a request adds none.
    """
    from . import telling
    from ..cluster.node.orders import NodeOrder, sign_order
    words, warnings, now = Words(quiet=quiet), list[str](), utc_now()
    done = sign_order(
        NodeOrder(name=node, addresses=address, dns=dns, ca=ca, ca_key=ca_key, days=days,
                  layout=layout, out=out),
        csr, passphrase=partial(key_passphrase, passin), now=now, host_name=host_name(),
        warnings=warnings)
    words.warn(warnings)
    if explain:
        from . import node_steps
        words.say(*node_steps.sign_steps(done, csr, passin=passin, now=now, user=owner()))
    telling.signed(done, as_json=json, words=words)


def install(source: SourceArgument, node: OwnNodeOption = None, root: RootOption = "/",
            key: KeyOption = None, server: ServerOption = None, layout: LayoutOption = None,
            json: JsonOption = False, script: ScriptOption = False, explain: ExplainOption = False,
            quiet: QuietOption = False) -> None:
    """On the node: check all files, then install all files at once.

    Replaced files stay under var/lib/kpki/backup. A right kubeconfig stays in place. If kpki cannot
    run on the node, --root is a copy of the node's files; --script prints the shell that installs
    an archive of the copy there.
    """
    from . import telling
    from ..cluster.node.install_order import install_order
    words, warnings = Words(quiet=quiet), list[str]()
    if script and (json or os.path.abspath(root) == os.sep):
        raise InputError("--script is for a copy of another host's files, without --json",
                         hint="--root COPY")
    done = install_order(source, root=root, node=node, key=key, server=server, layout=layout,
                         now=utc_now(), host_name=host_name(), warnings=warnings)
    words.warn(warnings)
    if explain:
        from . import node_steps
        words.say(*node_steps.install_steps(source, done, root=root, key=key, user=owner()))
    if script:
        telling.scripted(done, root=root, words=words)
    else:
        telling.installed(done, root=root, as_json=json, words=words)


add(app, issue, "kpki node issue worker-1 --ca ca.pem --ca-key ca-key.pem \\",
    "    --address 10.0.0.21 --server https://10.0.0.10:6443")
add(app, request, "kpki node request worker-1 --address 10.0.0.21")
add(app, sign, "kpki node sign worker-1.csr --node worker-1 \\",
    "    --ca ca.pem --ca-key ca-key.pem --address 10.0.0.21")
add(app, install, "kpki node install worker-1 --node worker-1")
