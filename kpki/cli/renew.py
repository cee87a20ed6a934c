"""`kpki renew`: new dates for certificates."""
from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import (
    Explain,
    Json,
    Passin,
    Quiet,
    Words,
    host_name,
    key_passphrase,
    put_json,
    span_of,
    waiting_document,
)
from .terminal import put
from ..clock import utc_now
from ..errors import InputError

if TYPE_CHECKING:
    from ..cluster.lifecycle.renew import Renewal

Names = Annotated[list[str] | None, typer.Argument(
    metavar="[NAME]...", autocompletion=completion.nodes,
    help="Renew these, whatever their dates are: HOST, HOST/ROW or USER; with --root ROW.")]
All = Annotated[bool, typer.Option("--all", help="Renew all certificates.")]
Within = Annotated[str | None, typer.Option("--within", metavar="SPAN", help=(
    "Renew what has ended or ends in this time (30d)."))]
NewKey = Annotated[bool, typer.Option("--new-key", help="Make a new key for each certificate.")]
Workspace = Annotated[str, typer.Option(
    "--workspace", metavar="DIR", help="The folder with cluster.yaml.")]
HostRoot = Annotated[str | None, typer.Option("--root", metavar="DIR", help=(
    "Renew on this host, which holds its CAs' keys, instead of in a workspace: /."))]
_WITHIN = "30d"
_MOST_HOSTS = 40    # names in a line; more hosts are counted


def renew(names: Names = None, everything: All = False, within: Within = None,
          new_key: NewKey = False, workspace: Workspace = os.curdir, root: HostRoot = None,
          passin: Passin = None, json: Json = False, explain: Explain = False,
          quiet: Quiet = False) -> None:
    """Give certificates new dates.

    Key, subject, names and usages stay. Replaced files are kept, and other files are untouched.
    Exit status 0: done, or nothing to do; 1: a certificate waits for the key of its CA.
    """
    from ..cluster.lifecycle.renew import Order, renew_host, renew_workspace
    if (bool(names) + everything + (within is not None)) > 1:
        raise InputError("names, --all and --within are three ways to choose",
                         hint="leave out all but one")
    order = Order(tuple(names or ()), everything, span_of("--within", within or _WITHIN), new_key)
    words, warnings, passphrase = Words(quiet=quiet), list[str](), partial(key_passphrase, passin)
    if root is None:
        done = renew_workspace(workspace, order, passphrase=passphrase, now=utc_now(),
                               host_name=host_name(), warnings=warnings)
    else:
        done = renew_host(root, order, passphrase=passphrase, now=utc_now(), warnings=warnings)
    words.warn(warnings)
    if json:
        put_json({"written": [{"host": step.host, "path": step.path, "row": step.row or None,
                               "action": step.action} for step in done.steps],
                  "waiting": [waiting_document(waiting) for waiting in done.waiting]})
    else:
        put(*(f"{f'{step.host}: ' if step.host else ''}{step.path}" for step in done.steps))
    if explain:
        words.say(*_EXPLAINED)
    words.say(*_closing(done, "" if names or everything else within or _WITHIN))
    if done.waiting:
        raise typer.Exit(1)


def _closing(done: Renewal, within: str) -> Iterator[str]:
    """What was done, what waits, and what is to be restarted, in order."""
    yield from (f"kpki: {f'{waiting.host}: ' if waiting.host else ''}{waiting.path} waits for "
                f"{waiting.needs}" for waiting in done.waiting)
    if not done.renewed:
        yield "kpki: nothing to renew" + (f": no certificate ends within {within}"
                                          if within and not done.waiting else "")
        return
    yield f"kpki: {done.renewed} certificate{'s' * (done.renewed != 1)} renewed"
    hosts = [host for _, names in done.restarts for host in names if host]
    if hosts:
        yield (f"next: copy the tree of each host there, and: kpki node install {hosts[0]} "
               f"--node {hosts[0]}")
    for commands, names in done.restarts:
        where = f"{len(names)} hosts" if len(names) > _MOST_HOSTS else ", ".join(names)
        yield f"then, on {where}:" if any(names) else "then:"
        yield from (f"  {command}" for command in commands)


_EXPLAINED = (
    "kpki renew signs each certificate anew for its own key, as openssl does:",
    "  openssl x509 -in CERT -CA CA -CAkey CA-KEY -days N -out NEW",
    "Serial number, dates and signature are new. A kubeconfig gets the new certificate in its",
    "client-certificate-data. A component that reads its files at start alone must restart.")
