"""`kpki kubeconfig`: the document with which a component or a person reaches the API server."""
from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import (
    AlgorithmOption,
    CaKeyOption,
    CaOption,
    DaysOption,
    ExplainOption,
    JsonOption,
    PassinOption,
    QuietOption,
    ServerOption,
    Words,
    host_name,
    key_passphrase,
    owner,
    put_json,
)
from .terminal import note, put_document
from ..clock import utc_now

if TYPE_CHECKING:
    from ..cluster.users import Answer

UserArgument = Annotated[str, typer.Argument(
    metavar="USER", autocompletion=completion.users,
    help="A row of the workspace (admin, super-admin, kube-controller-manager, kube-scheduler, "
         "kube-proxy, kubelet), or any user's name.")]
GroupOption = Annotated[list[str], typer.Option(
    "--group", metavar="G",
    help="A group of the user; repeatable. With --group USER is a user's name, never a row.")]
NodeOption = Annotated[str | None, typer.Option(
    "--node", metavar="N", autocompletion=completion.nodes, help="The host of the row.")]
OutFileOption = Annotated[str | None, typer.Option(
    "--out", metavar="FILE", help="Write the kubeconfig to FILE, mode 0600 (standard output).")]
WorkspaceOption = Annotated[str | None, typer.Option(
    "--workspace", metavar="DIR",
    help="The folder with cluster.yaml (this folder, if it has a cluster.yaml).")]
ClientCertificateOption = Annotated[str | None, typer.Option(
    "--client-certificate", metavar="FILE",
    help="Use this certificate instead of issuing a pair.")]
ClientKeyOption = Annotated[str | None, typer.Option(
    "--client-key", metavar="FILE", help="The key of --client-certificate.")]
EmbedCertsOption = Annotated[bool, typer.Option(
    "--embed-certs", help="Put the contents of the files in, not their paths.")]


def kubeconfig(user: UserArgument, group: GroupOption = [], node: NodeOption = None,
               server: ServerOption = None, out: OutFileOption = None, ca: CaOption = None,
               ca_key: CaKeyOption = None, passin: PassinOption = None,
               workspace: WorkspaceOption = None, days: DaysOption = None,
               algorithm: AlgorithmOption = None,
               client_certificate: ClientCertificateOption = None,
               client_key: ClientKeyOption = None, embed_certs: EmbedCertsOption = False,
               json: JsonOption = False, explain: ExplainOption = False,
               quiet: QuietOption = False) -> None:
    """Print a kubeconfig of the workspace, or a new kubeconfig.

    A row's kubeconfig follows the description. With --client-certificate and --client-key kpki
    makes no pair: the kubeconfig names these files, or with --embed-certs contains them. An
    existing FILE is not overwritten.
    """
    from . import kubeconfig_steps as telling
    from ..cluster import users
    words, warnings, now = Words(quiet=quiet), list[str](), utc_now()
    order = users.KubeconfigOrder(
        user=user, groups=group, node=node, server=server, ca=ca, ca_key=ca_key,
        workspace=workspace, days=days, algorithm=algorithm, certificate=client_certificate,
        key=client_key, embed=embed_certs)
    answer = users.kubeconfig_of(order, passphrase=partial(key_passphrase, passin), now=now,
                                 host_name=host_name(), here=os.getcwd(), warnings=warnings)
    words.warn(warnings)
    if explain:
        words.say(*telling.steps(answer, out=out, passin=passin, now=now, user=owner()))
    _put(answer, out, as_json=json, words=words)


def _put(answer: Answer, out: str | None, *, as_json: bool, words: Words) -> None:
    """The document on stdout, or in a file."""
    from shlex import quote

    from ..cluster.users import write_kubeconfig
    if out is None:
        if as_json:
            put_json({"kubeconfig": answer.document.decode()})
        else:
            put_document(answer.document)
        return
    warnings = list[str]()
    try:
        action = write_kubeconfig(out, answer.document, warnings=warnings)
    finally:    # a copy of a key may be left on the disk: the warning comes also with --quiet
        note(*(f"kpki: warning: {line}" for line in warnings))
    if as_json:
        row = answer.account.profile.name if answer.account.path else None
        put_json({"written": [{"host": None, "path": out, "row": row, "action": action}],
                  "waiting": []})
        return
    words.say(f"  {'right already' if action == 'keep' else 'made':<13}  0600  {out}", "",
              f"next: kubectl --kubeconfig {quote(out)} version")
