"""The facts that `kpki show` prints of a certificate, request, key or kubeconfig: no secrets."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ShownKind = Literal["certificate", "request", "private key", "public key", "kubeconfig", "unknown"]
ShownUse = Literal["client", "server", "sign"]
Where = Literal["itself", "ca", "file", "kubeconfig"]
Verifier = Literal["openssl", "strict", "kubernetes"]


@dataclass(frozen=True, slots=True)
class Signer:
    """The signer of a certificate."""

    where: Where
    """The origin of the signer's certificate."""
    subject: str
    """The signer's subject; "" if no certificate with the issuer's name is known."""
    proven: bool
    """Whether the signature is verified with the signer's key."""


@dataclass(frozen=True, slots=True)
class UseVerdict:
    """The verdict of one verifier on a certificate."""

    verifier: Verifier
    """The verifier."""
    use: ShownUse | None
    """The use of the certificate; None for any use."""
    ok: bool
    """Whether the verifier accepts the certificate."""
    reason: str
    """"ok", or the reason in the verifier's words."""
    notes: tuple[str, ...] = ()
    """Further sentences of the verifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One certificate, request, key or kubeconfig of a file."""

    kind: ShownKind
    problem: str = ""
    """The part that cannot be read or used; "" if there is none."""
    notes: tuple[str, ...] = ()
    """Further sentences."""
    subject: str = ""
    """The subject (RFC 4514)."""
    user: str | None = None
    """The user to Kubernetes: the CN."""
    groups: tuple[str, ...] = ()
    """The groups to Kubernetes: every O."""
    node: str | None = None
    """The name of the node that Kubernetes authenticates; None if the owner is no node."""
    uses: tuple[ShownUse, ...] = ()
    """The permitted uses, from *usages* and *key_usages*."""
    usages: tuple[str, ...] = ()
    """The extendedKeyUsage in OpenSSL's words."""
    key_usages: tuple[str, ...] = ()
    """The keyUsage in OpenSSL's words."""
    named: bool = False
    """Whether the certificate has a subjectAltName."""
    names: tuple[str, ...] = ()
    """The names of the subjectAltName."""
    issuer: str = ""
    """The issuer (RFC 4514)."""
    not_before: datetime | None = None
    """The start of validity (UTC)."""
    not_after: datetime | None = None
    """The end of validity (UTC)."""
    serial: str = ""
    """The serial number in hexadecimal."""
    key: str = ""
    """Kind and size of the key, as `RSA-2048`."""
    public_key: str = ""
    """SHA-256 of the SubjectPublicKeyInfo (hexadecimal), as in `--discovery-token-ca-cert-hash`."""
    rows: tuple[str, ...] = ()
    """The rows of the profiles table that the certificate matches."""
    signer: Signer | None = None
    verdicts: tuple[UseVerdict, ...] = ()
    contexts: tuple[ShownContext, ...] = ()
    """The contexts of a kubeconfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownContext:
    """One context of a kubeconfig."""

    name: str
    current: bool = False
    """Whether this is the current context."""
    cluster: str = ""
    """The cluster's name in the kubeconfig."""
    server: str = ""
    """The API server's URL."""
    namespace: str = ""
    user_name: str = ""
    """The user's name in the kubeconfig."""
    login: str = ""
    """The user's credentials in words, without secrets."""
    certificate: Shown | None = None
    """The client certificate."""
    source: str = ""
    """The client certificate's file; "" if it is embedded."""
    authorities: tuple[Shown, ...] = ()
    """The content of the cluster's CA data."""
    authority_source: str = ""
    """The CA data's file; "" if the data is embedded."""
    problem: str = ""
    """Why the context cannot be used; "" if it can."""
    notes: tuple[str, ...] = ()
    """Further sentences."""


def problems(shown: Sequence[Shown]) -> Iterator[str]:
    """Every problem of *shown*, of the contexts and of the certificates in them, in order."""
    for thing in shown:
        inner = [part for context in thing.contexts
                 for part in (context.certificate, *context.authorities) if part]
        yield from filter(None, (thing.problem, *(context.problem for context in thing.contexts)))
        yield from problems(inner)
