"""`kpki kubeconfig --explain`: the openssl commands that make the same kubeconfig."""
from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING

from .node_steps import CERTIFICATE_FILE, CSR_FILE, KEY_FILE, SigningSteps, User, block
from .. import files, pem
from ..cluster.node.placing import Part, file_part, free_places, placed, printed
from ..cluster.script.shell import make_key
from ..files import File
from ..kubernetes.kubeconfig import load_kubeconfig
from ..kubernetes.layouts import KEY_MODE
from ..kubernetes.profiles import leaf_extensions

if TYPE_CHECKING:
    from ..cluster.users import Account, Answer


def steps(answer: Answer, *, out: str | None, passin: str | None, now: datetime,
          user: User) -> Iterator[str]:
    """The commands that make the kubeconfig of *answer*, and print it or write it to *out*."""
    paths, parts, commands = answer.paths, list[Part](), list[str]()
    if answer.authority is not None:
        yield "kpki kubeconfig makes a client's pair (CN the user, O the groups), and a kubeconfig"
        yield "with the pair."
        signer = SigningSteps(answer.authority, paths[0], paths[1], passin, now)
        commands, parts = _pair(answer, signer)
    elif len(paths) > 1:
        yield "kpki kubeconfig checks the pair, and makes a kubeconfig with the pair."
        ca, certificate, key = map(quote, paths)
        parts = [file_part(files.read(path), path) for path in paths]
        commands = [f"openssl x509 -noout -pubkey -in {certificate} >&2",
                    f"openssl pkey -pubout -in {key} >&2   # the same",
                    f"openssl verify -CAfile {ca} -purpose sslclient {certificate} >&2"]
    else:
        yield "kpki kubeconfig gives what the workspace holds."
        parts = [file_part(answer.document, paths[0])]
    yield from block([*commands, *_given(answer.document, parts, out, user)])
    if len(paths) > 1:
        yield ("kubectl config set-cluster, set-credentials, set-context and use-context put the "
               "same")
        yield "into a kubeconfig."


def _pair(answer: Answer, signer: SigningSteps) -> tuple[list[str], list[Part]]:
    """The commands that make a client's pair, and the parts of its kubeconfig."""
    account, pair = answer.account, load_kubeconfig(answer.document)
    key, certificate = pair.key.data or b"", pair.certificate.data or b""
    extensions = leaf_extensions(account.profile, account.identity,
                                 rsa=answer.algorithm.startswith("RSA"))
    days = max(signer.days_until(pem.load_certificate(certificate)), 1)
    return ([make_key(answer.algorithm, KEY_FILE).rstrip(),
             f"openssl req -new -key {KEY_FILE} -subj {_subject(account)} -out {CSR_FILE}",
             *signer.commands(CSR_FILE, extensions, days)],
            [signer.bundle(), file_part(certificate, CERTIFICATE_FILE), file_part(key, KEY_FILE)])


def _given(document: bytes, parts: list[Part], out: str | None, user: User) -> Iterator[str]:
    """The commands that print a kubeconfig, or write it to *out*."""
    if out is not None:
        if files.read_entry_at(out).kind == "missing":
            folder, name = os.path.split(out)
            file = File(path=name, data=document, mode=KEY_MODE)
            yield from free_places(folder, [(file, "create")])
            yield from placed(file, out, parts, user=user)
    elif parts[0].data == document:
        yield parts[0].command
    else:
        yield from printed(document, parts)


def _subject(account: Account) -> str:
    """openssl's -subj, with a backslash before each of its three special characters."""
    values = [*(("O", group) for group in account.identity.groups), ("CN", account.identity.user)]
    return quote("".join(f"/{field}=" + "".join(
        f"\\{character}" if character in "/+\\" else character for character in value)
        for field, value in values))
