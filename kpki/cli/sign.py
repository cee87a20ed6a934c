"""`kpki sign`: the requests of a cluster, signed at its CA."""
from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from .check import (
    CaKeyOption,
    CaOption,
    EtcdCaKeyOption,
    EtcdCaOption,
    FrontProxyCaKeyOption,
    FrontProxyCaOption,
)
from .common import (
    ExplainOption,
    JsonOption,
    PassinOption,
    QuietOption,
    Words,
    columns,
    host_name,
    key_passphrase,
    owner,
    put_json,
)
from .terminal import put
from ..clock import utc_now

if TYPE_CHECKING:
    from ..cluster.offline.signing import Signed

BundleArgument = Annotated[str, typer.Argument(
    metavar="DIR", help="The folder of requests that `kpki apply` wrote: requests.")]
WorkspaceOption = Annotated[str, typer.Option(
    "--workspace", metavar="DIR",
    help="The CA's workspace: its CAs sign, and its cluster.yaml says what may be signed.")]
MastersOption = Annotated[bool, typer.Option(
    "--masters", help="Sign also what is in the group system:masters.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be signed.")]


def sign(bundle: BundleArgument, workspace: WorkspaceOption = os.curdir, ca: CaOption = None,
         ca_key: CaKeyOption = None, etcd_ca: EtcdCaOption = None,
         etcd_ca_key: EtcdCaKeyOption = None, front_proxy_ca: FrontProxyCaOption = None,
         front_proxy_ca_key: FrontProxyCaKeyOption = None, passin: PassinOption = None,
         masters: MastersOption = False, dry_run: DryRunOption = False, json: JsonOption = False,
         explain: ExplainOption = False, quiet: QuietOption = False) -> None:
    """At the CA: sign a cluster's requests.

    Each certificate stands beside its request. Exit status 0: all are signed; 1: a request is
    against policy, or its CA has no key here.
    """
    from ..cluster.offline.signing import (
        authorities_at_hand,
        places_of_authorities,
        sign_bundle,
    )
    from ..cluster.workspace import DESCRIPTION, is_there, read_cluster
    words, warnings, now = Words(quiet=quiet), list[str](), utc_now()
    cluster = read_cluster(workspace, host_name=host_name()) \
        if is_there(os.path.join(workspace, DESCRIPTION)) else None
    given = {"ca": (ca, ca_key), "etcd-ca": (etcd_ca, etcd_ca_key),
             "front-proxy-ca": (front_proxy_ca, front_proxy_ca_key)}
    authorities = authorities_at_hand(given, workspace, cluster,
                                      passphrase=partial(key_passphrase, passin), now=now)
    done = sign_bundle(bundle, authorities, cluster=cluster, masters=masters, now=now,
                       show=lambda signed: words.say(*_shown(signed)), only_show=dry_run,
                       warnings=warnings)
    words.warn(warnings)
    if explain:
        from .node_steps import bundle_steps
        words.say(*bundle_steps(bundle, done.requests, authorities,
                                places_of_authorities(given, workspace, cluster), passin=passin,
                                now=now, user=owner()))
    if json:
        put_json({"digest": done.digest, "written": list(done.written),
                  "signed": [{"host": request.host, "row": request.row} for request in done.requests
                             if done.written],
                  "refused": list(done.refused),
                  "waiting": [{"host": request.host, "row": request.row, "needs": request.signer}
                              for request in done.waiting]})
    else:
        put(*(os.path.join(bundle, path) for path in done.written))
    words.say(*_closing(done, bundle))
    if done.refused or done.waiting:
        raise typer.Exit(1)


def _shown(signed: Signed) -> Iterator[str]:
    """The requests that are about to be signed."""
    yield f"kpki: sha256 {signed.digest}: the same as at the cluster?"
    rows = [("FOR", "SIGNER", "DAYS", "SUBJECT", "USAGES", "NAMES")]
    rows += [(request.place, request.signer, str(request.days),
              ", ".join((f"CN={request.identity.user}",
                         *(f"O={group}" for group in request.identity.groups))),
              ", ".join(request.usages),
              ", ".join((*request.identity.dns, *request.identity.addresses)))
             for request in signed.requests]
    if len(rows) > 1:
        yield from ("  ".join(row).rstrip() for row in columns(rows))


def _closing(signed: Signed, bundle: str) -> Iterator[str]:
    yield from (f"kpki: refused: {sentence}" for sentence in signed.refused)
    yield from (f"kpki: {request.place} waits for the key of {request.signer}"
                for request in signed.waiting)
    count = len(signed.written)
    yield f"kpki: {count} certificate{'s' * (count != 1)} signed" if count \
        else "kpki: nothing is signed"
    if count:
        yield f"next: copy {bundle} back into the cluster's workspace, and there: kpki apply"

