"""`kpki kubeconfig`: the document with which a component or a person reaches the API server."""
from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import (Algorithm, Ca, CaKey, Days, Explain, Json, Passin, Quiet, Server, Words, host_name, put_json,
                     read_authority)
from .. import files
from ..clock import utc_now
from ..errors import FileError, InputError, about

if TYPE_CHECKING:
    from ..cluster.desired.description import Cluster
    from ..cluster.users import Account

User = Annotated[str, typer.Argument(metavar="USER", autocompletion=completion.users, help=(
    "A row of the workspace (admin, super-admin, kube-controller-manager, kube-scheduler, kube-proxy, kubelet), "
    "or any user's name."))]
Groups = Annotated[list[str], typer.Option("--group", metavar="G", help=(
    "A group of the user; repeatable. With it USER is a user's name, never a row."))]
NodeName = Annotated[str | None, typer.Option("--node", metavar="N", autocompletion=completion.nodes, help=(
    "The host whose row it is."))]
OutFile = Annotated[str | None, typer.Option("--out", metavar="FILE", help=(
    "Write it there, mode 0600 (standard output)."))]
Workspace = Annotated[str | None, typer.Option("--workspace", metavar="DIR", help=(
    "The folder with cluster.yaml (this one, where it has one)."))]
ClientCertificate = Annotated[str | None, typer.Option("--client-certificate", metavar="FILE", help=(
    "Issue no pair, take this certificate."))]
ClientKey = Annotated[str | None, typer.Option("--client-key", metavar="FILE", help="The key that goes with it.")]
EmbedCerts = Annotated[bool, typer.Option("--embed-certs", help="Put those files in, not their paths.")]


def kubeconfig(user: User, group: Groups = [], node: NodeName = None, server: Server = None, out: OutFile = None,
               ca: Ca = None, ca_key: CaKey = None, passin: Passin = None, workspace: Workspace = None,
               days: Days = None, algorithm: Algorithm = None, client_certificate: ClientCertificate = None,
               client_key: ClientKey = None, embed_certs: EmbedCerts = False, json: Json = False,
               explain: Explain = False, quiet: Quiet = False) -> None:
    """Print a kubeconfig of the workspace, or a new one.

    A row's says what the description says. With --client-certificate and --client-key no pair is made: those files are
    named, or with --embed-certs put in. A FILE that is there already is not overwritten.
    """
    from . import kubeconfig_steps as telling
    from ..cluster import users
    from ..cluster.authority import DAYS, check_algorithm, lasting
    words, now, warnings = Words(quiet=quiet), utc_now(), list[str]()
    pair = _given_pair(client_certificate, client_key, days, algorithm)
    validity = lasting(DAYS if days is None else days)
    if algorithm is not None:
        check_algorithm(algorithm)
    folder, cluster = _workspace(workspace)
    account = _account(user, group, node, server, cluster)
    anew = any(one is not None for one in (server, ca, ca_key, days, algorithm)) or pair
    document, steps = None if anew else _present(folder, account.path), list[str]()
    if document is not None:
        steps += [f"kpki kubeconfig prints what the workspace holds: {os.path.join(folder, account.path)}"]
    elif pair:
        paths = [_authority_paths(ca, None, cluster, folder, signs=False)[0], *pair]
        given = [(path, files.read(path)) for path in paths]
        document = users.given_kubeconfig(account, ca=given[0], certificate=given[1], key=given[2], now=now,
                                          folder=None if embed_certs else os.getcwd(), warnings=warnings)
        steps += [*telling.given_steps(*paths), *telling.kubectl_steps(account, *paths, embed=embed_certs, out=out)]
    else:
        if cluster is not None:
            validity, algorithm = cluster.validity if days is None else validity, algorithm or cluster.algorithm
        ca, ca_key = _authority_paths(ca, ca_key, cluster, folder, signs=True)
        authority = read_authority(ca, ca_key, passin, now)
        document = users.issued_kubeconfig(authority, account, validity=validity, algorithm=algorithm, now=now,
                                           warnings=warnings)
        steps += [*telling.issue_steps(account, authority, algorithm or authority.algorithm, ca, ca_key, validity),
                  *telling.kubectl_steps(account, ca, "user.crt", "user.key", embed=True, out=out)]
    words.warn(warnings)
    if explain:
        words.say(*steps)
    _put(document, account.profile.name if account.path else None, out, as_json=json, words=words)


def _put(document: bytes, row: str | None, out: str | None, *, as_json: bool, words: Words) -> None:
    """The document on stdout, or in a file."""
    from shlex import quote

    from .openssl import streams
    if out is None:
        if as_json:
            put_json({"kubeconfig": document.decode()})
        else:
            streams.write(None, document)
        return
    action = _action(out, document)
    if action != "keep":
        streams.write(out, document, private=True)
    if as_json:
        put_json({"written": [{"host": None, "path": out, "row": row, "action": action}], "waiting": []})
        return
    words.say(f"  {'right already' if action == 'keep' else 'made':<13}  0600  {out}", "",
              f"next: kubectl --kubeconfig {quote(out)} version")


def _given_pair(certificate: str | None, key: str | None, days: int | None, algorithm: str | None) -> list[str]:
    """The files of a pair that is there, none where one is to be made."""
    given = [one for one in (certificate, key) if one is not None]
    if len(given) == 1:
        raise InputError("a pair is a certificate and its key", hint="--client-certificate FILE --client-key FILE")
    if given and (days is not None or algorithm is not None):
        raise InputError("--days and --algorithm are for a pair that is made, and --client-certificate names one",
                         hint="leave out the one or the other")
    return given


def _workspace(folder: str | None) -> tuple[str, Cluster | None]:
    """The workspace that is named, else this folder, where it is one."""
    from ..cluster.workspace import DESCRIPTION, read_cluster
    here = folder if folder is not None else os.curdir
    if folder is None and files.look(here, DESCRIPTION).kind == "missing":
        return "", None
    return "" if here == os.curdir else here, read_cluster(here, host_name=host_name())


def _account(user: str, groups: list[str], node: str | None, server: str | None, cluster: Cluster | None) -> Account:
    """Whose kubeconfig it is: a row's, or any user's."""
    from ..cluster import users
    from ..cluster.desired.description import DEFAULT_NAME
    from ..kubernetes.kubeconfig import check_server
    is_row = user in users.ROW_NAMES and not groups
    if is_row and cluster is not None:
        account = users.row_account(cluster, user, node)
        return account if server is None else replace(
            account, names=replace(account.names, server=check_server(server)))
    if is_row:
        raise InputError(f"{user} is a row of a workspace, and there is no cluster.yaml to say what is in it",
                         hint="--workspace DIR; or --group G, and it is a user of that name")
    if node is not None:
        raise InputError(f"--node says which host's row is meant, and {user!r} is a user's name",
                         hint=f"the rows: {', '.join(sorted(users.ROW_NAMES))}, without --group")
    if server is None and cluster is None:
        raise InputError("nothing tells the API server's URL",
                         hint="--server https://ADDRESS:6443, or --workspace DIR")
    server = users.cluster_server(cluster) if cluster is not None and server is None else server
    return users.user_account(user, groups, server=server or "",
                              cluster_name=cluster.name if cluster else DEFAULT_NAME)


def _present(folder: str, path: str) -> bytes | None:
    """The document that the workspace holds, None where there is none. Raises InputError for one that is broken."""
    from ..kubernetes.kubeconfig import load_kubeconfig
    if not path or files.look(folder or os.curdir, path).kind == "missing":
        return None
    place = os.path.join(folder, path)
    data = files.read(place)
    try:
        with about(place):
            load_kubeconfig(data)
    except InputError as error:
        error.hint = "kpki apply puts it right"
        raise
    return data


def _authority_paths(ca: str | None, ca_key: str | None, cluster: Cluster | None, folder: str, *,
                     signs: bool) -> tuple[str, str]:
    """The CA's files, those named, else the workspace's; the key's "" unless it is to sign."""
    from ..cluster.workspace import authority_paths, is_there
    if ca is None:
        if cluster is None:
            raise InputError("no CA: its certificate and its key are needed",
                             hint="--ca CERT --ca-key KEY, or --workspace DIR")
        ca, key = authority_paths(cluster, folder)
        ca_key = ca_key or key
    if signs and ca_key is None:
        raise InputError("no CA key, and a pair is to be issued",
                         hint="--ca-key KEY; or --client-certificate and --client-key, where there is a pair")
    found = (ca, ca_key or "") if signs else (ca, "")
    for path in found:
        if cluster is not None and path and not is_there(path):
            raise FileError(f"{path}: the CA's file is not there",
                            hint="kpki apply makes the CA; for one kept elsewhere: --ca CERT --ca-key KEY")
    return found


def _action(path: str, document: bytes) -> str:
    """What writing does to a file. Raises InputError where another document would be lost."""
    entry = files.look_at(path)
    present = files.read(path) if entry.kind == "file" else b""
    if not present:
        return "create"
    if present != document:
        raise InputError(f"{path}: it is there already, and is not overwritten",
                         hint="another name, or remove it first")
    return "replace" if entry.mode & 0o077 else "keep"
