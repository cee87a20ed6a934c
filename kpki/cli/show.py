"""`kpki show`: what a file says."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import At, Explain, Json, Quiet, Words, moment_of, put_json
from .terminal import put
from .. import files
from ..errors import about

if TYPE_CHECKING:
    from ..kubernetes.showing.shown import Shown, ShownContext, UseVerdict

_STANDARD_INPUT = "-"
# What a host's tree begins with: what comes before is its root, under which the absolute paths in
# it are looked for.
File = Annotated[str, typer.Argument(metavar="FILE", help=(
    "A certificate, bundle, request, key or kubeconfig, in PEM or DER; - is standard input."))]
ShownCa = Annotated[str | None, typer.Option("--ca", metavar="CERT", help=(
    "Judge by this CA (a kubeconfig: by the one in it)."))]


def show(path: File, ca: ShownCa = None, at: At = None, json: Json = False,
         explain: Explain = False, quiet: Quiet = False) -> None:
    """Say whose a file is, who signed it, and until when.

    The file is a certificate, a bundle, a request, a key or a kubeconfig. Never prints a secret.
    Exit status 0: shown (also what has expired); 1: something in the file cannot be read; 2: there
    is no such file.
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
            authorities = [dump_certificate(one, encoding="DER")
                           for one in load_trusted_bundle(data)]
    root, inner = root_of(path)
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
    """The file's bytes; a link in a tree leads where it would on its host."""
    if path == _STANDARD_INPUT:
        return files.read("/dev/stdin", pipes=True)
    inside = files.resolve(root, inner)
    return files.read(path if files.read_entry_at(inside).kind == "missing" else inside)


def _reader(root: str, inner: str) -> Callable[[str], bytes]:
    """What reads the files that a kubeconfig names as its host does: from its own folder, or from
    the root.
    """
    def read(path: str) -> bytes:
        return files.read(files.resolve(root,
                                        os.path.normpath(os.path.join(os.sep,
                                                                      os.path.dirname(inner),
                                                                      path))))
    return read


def _document(one: Shown) -> dict[str, Any]:
    return {
        "kind": one.kind, "user": one.user, "groups": list(one.groups), "node": one.node,
        "usages": list(one.usages),
        "names": list(one.names), "issuer": one.issuer or None,
        "not_before": _stamp(one.not_before),
        "not_after": _stamp(one.not_after), "rows": list(one.rows),
        "contexts": [_context_document(context) for context in one.contexts],
        "subject": one.subject or None, "uses": list(one.uses), "key_usages": list(one.key_usages),
        "serial": one.serial or None, "key": one.key or None,
        "public_key": f"sha256:{one.public_key}" if one.public_key else None,
        "signer": {"where": one.signer.where, "subject": one.signer.subject or None,
                   "proven": one.signer.proven} if one.signer else None,
        "verdicts": [_verdict_document(verdict) for verdict in one.verdicts],
        "problem": one.problem or None, "notes": list(one.notes)}


def _context_document(one: ShownContext) -> dict[str, Any]:
    return {
        "name": one.name, "current": one.current, "cluster": one.cluster, "server": one.server,
        "namespace": one.namespace or None, "user_name": one.user_name, "login": one.login,
        "certificate": _document(one.certificate) | {"path": one.source or None} if one.certificate
        else None,
        "authorities": [_document(ca) | {"path": one.authority_source or None}
                        for ca in one.authorities],
        "problem": one.problem or None, "notes": list(one.notes)}


def _verdict_document(one: UseVerdict) -> dict[str, Any]:
    return {"judge": one.verifier, "use": one.use, "ok": one.ok, "reason": one.reason,
            "notes": list(one.notes)}


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None \
        else moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


# By kind: the openssl commands that say the same of a file.
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
           "kpki verify -kubernetes -CAfile {ca} "
           "-purpose sslclient {file}")


def _explained(shown: Sequence[Shown], path: str, ca: str | None) -> Iterator[str]:
    from shlex import quote
    yield "kpki show reads the file as the API server and the kubelet do, and says no secret of it; likewise:"
    for kind in dict.fromkeys(one.kind for one in shown):
        steps = _STEPS.get(kind, ()) + (_VERIFY if kind == "certificate" and ca else ())
        yield from (f"  {step.format(file=quote(path), ca=quote(ca or ''))}" for step in steps)
