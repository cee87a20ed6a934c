"""`kpki renew`: new dates for certificates."""
from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import (
    ExplainOption,
    JsonOption,
    PassinOption,
    QuietOption,
    Words,
    host_name,
    key_passphrase,
    put_json,
    span_of,
    waiting_document,
)
from .plan import asked_lines
from .terminal import put
from ..clock import utc_now
from ..errors import InputError

if TYPE_CHECKING:
    from ..cluster.lifecycle.renew import Renewal

NameArgument = Annotated[list[str] | None, typer.Argument(
    metavar="[NAME]...", autocompletion=completion.nodes,
    help="Renew these, whatever their dates are: HOST, HOST/ROW or USER; with --root ROW.")]
AllOption = Annotated[bool, typer.Option("--all", help="Renew all certificates.")]
WithinOption = Annotated[str | None, typer.Option("--within", metavar="SPAN", help=(
    "Renew what has ended or ends in this time (30d)."))]
NewKeyOption = Annotated[bool, typer.Option(
    "--new-key", help="Make a new key for each certificate.")]
CaOption = Annotated[bool, typer.Option("--ca", help=(
    "Renew CAs with their own keys: ca, etcd-ca or front-proxy-ca by name, or by date."))]
CaKeyOption = Annotated[list[str] | None, typer.Option("--ca-key", metavar="KEY", help=(
    "A CA's private key that is not in its place: a file, or a URI pkcs11:… of a token; "
    "repeatable."))]
WorkspaceOption = Annotated[str, typer.Option(
    "--workspace", metavar="DIR", help="The folder with cluster.yaml.")]
RootOption = Annotated[str | None, typer.Option("--root", metavar="DIR", help=(
    "Renew on this host, which holds its CAs' keys, instead of in a workspace: /."))]
_WITHIN = "30d"
_MOST_HOSTS = 40    # names in a line; more hosts are counted


def renew(names: NameArgument = None, everything: AllOption = False, within: WithinOption = None,
          new_key: NewKeyOption = False, authorities: CaOption = False, ca_key: CaKeyOption = None,
          workspace: WorkspaceOption = os.curdir, root: RootOption = None,
          passin: PassinOption = None, json: JsonOption = False, explain: ExplainOption = False,
          quiet: QuietOption = False) -> None:
    """Give certificates new dates; with --ca the CAs themselves.

    Key, subject, names and usages stay. Replaced files are kept, and other files are untouched.
    With --ca every copy of a CA's certificate is replaced. What waits for a key that is elsewhere
    is requested: requests/. Exit status 0: done, or nothing to do; 1: a certificate waits for the
    key of its CA.
    """
    from ..cluster.lifecycle import renew as leaves, renew_authorities as cas
    if (bool(names) + everything + (within is not None)) > 1:
        raise InputError("names, --all and --within are three ways to choose",
                         hint="leave out all but one")
    if new_key and authorities:
        raise InputError("a CA with a new key is another CA, and no leaf of the old CA is its own",
                         hint="kpki rotate exchanges a CA")
    order = leaves.Order(tuple(names or ()), everything, span_of("--within", within or _WITHIN),
                         new_key, tuple(ca_key or ()))
    words, warnings, passphrase = Words(quiet=quiet), list[str](), partial(key_passphrase, passin)
    now = utc_now()
    of_workspace, of_host = (cas.renew_workspace_authorities, cas.renew_host_authorities) \
        if authorities else (leaves.renew_workspace, leaves.renew_host)
    done = of_workspace(workspace, order, passphrase=passphrase, now=now,
                        host_name=host_name(), warnings=warnings) if root is None else \
        of_host(root, order, passphrase=passphrase, now=now, warnings=warnings)
    words.warn(warnings)
    if json:
        put_json({"written": [{"host": step.host, "path": step.path, "row": step.row or None,
                               "action": step.action} for step in done.steps],
                  "waiting": [waiting_document(waiting) for waiting in done.waiting]})
    else:
        put(*(f"{f'{step.host}: ' if step.host else ''}{step.path}" for step in done.steps))
    if explain:
        from .node_steps import block
        from ..cluster.lifecycle.by_hand import Renewed, host_commands, workspace_commands
        words.say(*(_EXPLAINED_CA if authorities else _EXPLAINED))
        renewed = Renewed(done, now, new_key, tuple(ca_key or ()), passin)
        commands = [*(workspace_commands(workspace, renewed, host_name=host_name())
                      if root is None else host_commands(root, renewed))]
        words.say(*(block(commands) if commands else ()))
    what = "" if names or everything else within or _WITHIN
    words.say(*_waits(done), *_renewed(done, "CA" if authorities else "certificate", what),
              *(_after_authorities(done, root) if authorities else ()),
              *(asked_lines(done.asked, workspace) if done.asked else ()), *_next(done))
    if done.waiting or (done.asked and done.asked.refused):
        raise typer.Exit(1)


def _waits(done: Renewal) -> Iterator[str]:
    return (f"kpki: {f'{waiting.host}: ' if waiting.host else ''}{waiting.path} waits for "
            f"{waiting.needs}" for waiting in done.waiting)


def _renewed(done: Renewal, noun: str, within: str) -> Iterator[str]:
    """The number of what was renewed."""
    if done.steps:
        yield f"kpki: {done.renewed} {noun}{'s' * (done.renewed != 1)} renewed"
    elif not (done.asked and done.asked.requests):
        yield "kpki: nothing to renew" + (f": no {noun} ends within {within}"
                                          if within and not done.waiting else "")


def _after_authorities(done: Renewal, root: str | None) -> Iterator[str]:
    """What the renewal of CAs did to leaves, and who else holds the CAs' certificates."""
    yield from (f"kpki: {f'{host}: ' if host else ''}{path} is issued anew, for it named the old "
                "serial number of its CA" for host, path in done.reissued)
    if done.ending:
        yield (f"kpki: {done.ending} certificate{'s' * (done.ending != 1)} "
               f"end{'s' * (done.ending == 1)} with the old certificate of the CA: kpki renew "
               f"--all{_where(root)} gives new dates")
    if root is not None and done.steps:
        yield ("next: copy the new certificate of each CA over the old on every other host, and "
               "there:")
        yield "      kpki renew --ca --root /"
    if any(step.row == "ca" for step in done.steps):
        yield "Kubeconfigs elsewhere and kube-public/cluster-info hold the old certificate too."


def _where(root: str | None) -> str:
    from shlex import quote
    return "" if root is None else f" --root {quote(root)}"


def _next(done: Renewal) -> Iterator[str]:
    """What is to be restarted, in order."""
    hosts = [host for _, names in done.restarts for host in names if host]
    if hosts:
        yield (f"next: copy the tree of each host there, and: kpki node install {hosts[0]} "
               f"--node {hosts[0]}")
    for commands, names in done.restarts:
        where = f"{len(names)} hosts" if len(names) > _MOST_HOSTS else ", ".join(names)
        yield f"then, on {where}:" if any(names) else "then:"
        yield from (f"  {command}" for command in commands)


_EXPLAINED = (
    "kpki renew signs each certificate anew, for its own key and with all that it says. Serial",
    "number, dates and signature are new. A component that reads its files at start alone must",
    "restart.")
_EXPLAINED_CA = (
    "kpki renew --ca signs each CA anew with its own key. Subject, key and identifiers stay, so",
    "that hosts with the old and hosts with the new certificate accept the same leaves. Who read",
    "the old certificate at start keeps it until a restart.")
