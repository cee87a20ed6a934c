"""What there is to say of one certificate, request, key or kubeconfig; never a secret."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["certificate", "request", "private key", "public key", "kubeconfig", "unknown"]
Use = Literal["client", "server", "sign"]
Where = Literal["itself", "ca", "file", "kubeconfig"]
Judge = Literal["openssl", "strict", "kubernetes"]


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose key made a signature: *where* the signer's certificate is, its *subject* ("": of another name than the
    issuer's), and whether the signature is *proven* to be by its key."""

    where: Where
    subject: str
    proven: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one *judge* says of a certificate for one *use* (None: for any); *notes* are what it has to say besides."""

    judge: Judge
    use: Use | None
    ok: bool
    reason: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One thing that a file holds.

    *user* and *groups* are whom Kubernetes takes its owner for (CN and every O), *node* the name of the node that makes
    it, None where it makes none. *uses* is what it may be used for, from *usages* (extendedKeyUsage) and *key_usages*
    (keyUsage), in OpenSSL's words; *named* says whether there is a subjectAltName, *names* what is in it. *subject* and
    *issuer* are RFC 4514's text, times are UTC, *serial* is hexadecimal, *key* a key's kind and size, *public_key* the
    SHA-256 of its SubjectPublicKeyInfo in hexadecimal (what kubeadm's `--discovery-token-ca-cert-hash` compares).
    *rows* are the certificates of a cluster that it could be. *problem* says what of it cannot be read or used, *notes*
    what one should know besides.
    """

    kind: Kind
    problem: str = ""
    notes: tuple[str, ...] = ()
    subject: str = ""
    user: str | None = None
    groups: tuple[str, ...] = ()
    node: str | None = None
    uses: tuple[Use, ...] = ()
    usages: tuple[str, ...] = ()
    key_usages: tuple[str, ...] = ()
    named: bool = False
    names: tuple[str, ...] = ()
    issuer: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    serial: str = ""
    key: str = ""
    public_key: str = ""
    rows: tuple[str, ...] = ()
    signer: Signer | None = None
    verdicts: tuple[Judgement, ...] = ()
    contexts: tuple[Context, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One context of a kubeconfig: which *server* as which user, and by what *means*.

    *login* says the means in words, without the secret; *certificate* is the client certificate where it is one,
    *authorities* what its CA data holds, *source* and *authority_source* the files they come from
    ("": embedded).
    """

    name: str
    current: bool = False
    cluster: str = ""
    server: str = ""
    namespace: str = ""
    user_name: str = ""
    login: str = ""
    certificate: Shown | None = None
    source: str = ""
    authorities: tuple[Shown, ...] = ()
    authority_source: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()


def problems(shown: Sequence[Shown]) -> Iterator[str]:
    """What of it could not be read or used, in order."""
    for one in shown:
        inner = [part for context in one.contexts for part in (context.certificate, *context.authorities) if part]
        yield from filter(None, (one.problem, *(context.problem for context in one.contexts)))
        yield from problems(inner)
