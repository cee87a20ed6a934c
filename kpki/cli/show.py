"""`kpki show`: the owner, the signer and the validity of the certificates in a file."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import (
    AtOption,
    ExplainOption,
    JsonOption,
    QuietOption,
    Words,
    moment_of,
    place_of,
    put_json,
    stamp,
)
from .terminal import put
from .. import files
from ..errors import about

if TYPE_CHECKING:
    from ..kubernetes.showing.shown import Shown, ShownContext, UseVerdict

_STANDARD_INPUT = "-"
FileArgument = Annotated[str, typer.Argument(
    metavar="FILE",
    help="A certificate, bundle, request, key or kubeconfig, in PEM or DER; - is standard input.")]
CaOption = Annotated[str | None, typer.Option(
    "--ca", metavar="CERT", help="Verify against this CA (for a kubeconfig: the CA in the file).")]
LeakedOption = Annotated[bool, typer.Option(
    "--leaked", help="Say what the holder of the file's key could do, and what to do now.")]
InOption = Annotated[str | None, typer.Option("--in", metavar="PATH", help=(
    "With --leaked: the workspace or host's root tree where the key is used (this folder, if it "
    "is a workspace, else /)."))]


def show(path: FileArgument, ca: CaOption = None, leaked: LeakedOption = False,
         within: InOption = None, at: AtOption = None, json: JsonOption = False,
         explain: ExplainOption = False, quiet: QuietOption = False) -> None:
    """Show the owner, the signer and the validity of the certificates in a file.

    The file is a certificate, a bundle, a request, a key or a kubeconfig. kpki prints no secret.
    Exit status 0: shown, also if expired; 1: a part of the file cannot be read; 2: no such file.
    """
    from .show_text import lines_of
    from ..cluster.authority import load_trusted_bundle
    from ..cluster.observed.inventory import root_of
    from ..kubernetes.showing.show import show as show_bytes
    from ..kubernetes.showing.shown import problems
    from ..pem import dump_certificate
    words, now, authorities = Words(quiet=quiet), moment_of(at), list[bytes]()
    if ca is not None:
        data = files.read(ca)
        with about(ca):
            authorities = [dump_certificate(certificate, encoding="DER")
                           for certificate in load_trusted_bundle(data)]
    root, inner = root_of(path)
    if leaked:
        from .leak import show_leak
        show_leak(_read(path, root, inner), path, place_of(within), now=now, as_json=json,
                  read=_reader(root, inner), words=words)
        return
    shown = show_bytes(_read(path, root, inner), authorities=authorities, now=now,
                       read=_reader(root, inner))
    if json:
        first, *others = map(_document, shown)
        put_json({"path": path, **first, "others": others})
    else:
        put(*lines_of(shown, ca=ca, now=now))
    if explain:
        words.say(*_explained(shown, path, ca))
    if any(True for _ in problems(shown)):
        raise typer.Exit(1)


def _read(path: str, root: str, inner: str) -> bytes:
    """The file's bytes; a link in a host's tree is followed as on that host."""
    if path == _STANDARD_INPUT:
        return files.read("/dev/stdin", pipes=True)
    inside = files.resolve(root, inner)
    return files.read(path if files.read_entry_at(inside).kind == "missing" else inside)


def _reader(root: str, inner: str) -> Callable[[str], bytes]:
    """A function that reads the files of a kubeconfig at *inner* as a client on the host does.

    A relative path starts at the kubeconfig's folder, an absolute path at *root*.
    """
    def read(path: str) -> bytes:
        place = os.path.normpath(os.path.join(os.sep, os.path.dirname(inner), path))
        return files.read(files.resolve(root, place))
    return read


def _document(item: Shown) -> dict[str, Any]:
    signer = item.signer
    return {
        "kind": item.kind, "user": item.user, "groups": list(item.groups), "node": item.node,
        "usages": list(item.usages), "names": list(item.names), "issuer": item.issuer or None,
        "not_before": _stamp(item.not_before), "not_after": _stamp(item.not_after),
        "rows": list(item.rows),
        "contexts": [_context_document(context) for context in item.contexts],
        "subject": item.subject or None, "uses": list(item.uses),
        "key_usages": list(item.key_usages), "serial": item.serial or None,
        "key": item.key or None,
        "public_key": f"sha256:{item.public_key}" if item.public_key else None,
        "signer": signer and {"where": signer.where, "subject": signer.subject or None,
                              "proven": signer.proven},
        "verdicts": [_verdict_document(verdict) for verdict in item.verdicts],
        "problem": item.problem or None, "notes": list(item.notes)}


def _context_document(context: ShownContext) -> dict[str, Any]:
    certificate = context.certificate
    return {
        "name": context.name, "current": context.current, "cluster": context.cluster,
        "server": context.server, "namespace": context.namespace or None,
        "user_name": context.user_name, "login": context.login,
        "certificate": certificate and _document(certificate) | {"path": context.source or None},
        "authorities": [_document(ca) | {"path": context.authority_source or None}
                        for ca in context.authorities],
        "problem": context.problem or None, "notes": list(context.notes)}


def _verdict_document(verdict: UseVerdict) -> dict[str, Any]:
    return {"judge": verdict.verifier, "use": verdict.use, "ok": verdict.ok,
            "reason": verdict.reason, "notes": list(verdict.notes)}


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


# By kind: the openssl commands that show the same facts of a file.
_STEPS = {
    "certificate": (
        "openssl x509 -noout -subject -issuer -dates -serial -ext subjectAltName,extendedKeyUsage "
        "-in {file}",
        "openssl x509 -noout -pubkey -in {file} | openssl pkey -pubin -outform DER | "
        "openssl dgst -sha256"),
    "request": ("openssl req -noout -text -verify -in {file}",
                "openssl req -noout -pubkey -in {file} | openssl pkey -pubin -outform DER | "
                "openssl dgst -sha256"),
    "private key": ("openssl pkey -pubout -outform DER -in {file} | openssl dgst -sha256",),
    "public key": ("openssl pkey -pubin -outform DER -in {file} | openssl dgst -sha256",),
    "kubeconfig": ("kubectl config view --kubeconfig {file}",
                   "grep client-certificate-data {file} | sed 's/.*: //' | base64 -d | openssl "
                   "x509 -noout -text"),
}
_VERIFY = ("openssl verify -CAfile {ca} -purpose sslclient {file}",
           "kpki verify -kubernetes -CAfile {ca} -purpose sslclient {file}")


def _explained(shown: Sequence[Shown], path: str, ca: str | None) -> Iterator[str]:
    from shlex import quote
    yield ("kpki show reads the file as the API server and the kubelet do, and prints no secret; "
           "these commands show the same:")
    for kind in dict.fromkeys(item.kind for item in shown):
        steps = _STEPS.get(kind, ()) + (_VERIFY if kind == "certificate" and ca else ())
        yield from (f"  {step.format(file=quote(path), ca=quote(ca or ''))}" for step in steps)
