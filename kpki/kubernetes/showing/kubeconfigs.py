"""The contexts of a kubeconfig: server, user and credentials, without secrets."""
from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from .blocks import is_pem, show_pem
from .shown import Shown, ShownContext
from .signers import Authorities
from ..kubeconfig import load_kubeconfig
from ...errors import AccessError, ConfigurationError, InputError, KpkiError

Read = Callable[[str], bytes]
ShownFields = Mapping[str, Any]
_NOT_YAML = "not a YAML document"


def show_kubeconfig(data: bytes, *, read: Read, authorities: Authorities | None = None,
                    now: datetime) -> Shown:
    """A kubeconfig: the identity of the current context's certificate, and every context.

    *read* returns the bytes of a file, by the path in the kubeconfig, or raises KpkiError.
    *authorities* verify the certificates; None for each cluster's own CA.
    The problem says why client-go would not connect (`load_kubeconfig`).
    """
    from ...documents import load_documents
    try:
        documents = load_documents(data)
    except ConfigurationError as error:     # other messages may quote a secret
        what = error.message if _NOT_YAML in error.message else f"line {error.line}: not plain YAML"
        return Shown(kind="kubeconfig", problem=what)
    document = documents[0].value if documents else None
    if not isinstance(document, dict):
        return Shown(kind="kubeconfig", problem="the document is no mapping")
    contexts = tuple(_contexts(document, read, authorities, now))
    mine = next((context.certificate for context in contexts if context.current
                 and context.certificate), None)
    return replace(mine or Shown(kind="kubeconfig"), kind="kubeconfig", contexts=contexts,
                   problem=_problem(document, data, contexts))


def _problem(document: ShownFields, data: bytes, contexts: tuple[ShownContext, ...]) -> str:
    """Why client-go refuses the kubeconfig; "" if the current context already has a problem."""
    if not all(isinstance(document.get(field), str | None) for field in ("apiVersion", "kind")):
        return "apiVersion or kind is no text"
    try:
        load_kubeconfig(data)
    except InputError as error:
        return "" if any(context.current and context.problem
                         for context in contexts) else error.message
    return ""


def _contexts(document: ShownFields, read: Read, authorities: Authorities | None,
              now: datetime) -> Iterator[ShownContext]:
    users, clusters = _rows(document, "users", "user"), _rows(document, "clusters", "cluster")
    current = document.get("current-context")
    # many contexts may differ by their namespace alone
    seen: dict[tuple[str, str], ShownContext] = {}
    for name, fields in _rows(document, "contexts", "context").items():
        key = cluster_name, user_name = _text(fields, "cluster"), _text(fields, "user")
        if key not in seen:
            seen[key] = _context(clusters.get(cluster_name), users.get(user_name), read,
                                 authorities, now)
        missing = [f"the context's {kind} {wanted!r} is not in the file" if wanted
                   else f"the context names no {kind}"
                   for kind, wanted, rows in (("cluster", cluster_name, clusters),
                                              ("user", user_name, users))
                   if wanted not in rows]
        yield replace(seen[key], name=name, current=name == current, cluster=cluster_name,
                      user_name=user_name,
                      namespace=_text(fields, "namespace"), problem=" and ".join(missing)
                      or seen[key].problem)


def _context(cluster: ShownFields | None, user: ShownFields | None, read: Read,
             authorities: Authorities | None, now: datetime) -> ShownContext:
    """A context with what is known of its cluster and user."""
    cluster, user, problems = cluster or {}, user or {}, list[str]()

    def file(fields: ShownFields, name: str) -> tuple[bytes, str]:
        """The bytes that a field holds or names, and the name."""
        try:
            return _material(fields, name, read)
        except AccessError:
            raise       # a lack of permission is no fault of the kubeconfig
        except KpkiError as error:
            problems.append(f"{name}: {error.message}")
            return b"", _text(fields, name)

    def things(data: bytes, name: str, authorities: Authorities | None = None) -> tuple[Shown, ...]:
        if data and not is_pem(data):
            problems.append(f"{name}: no PEM block")
        return show_pem(data, authorities=authorities, now=now)

    ca, ca_source = file(cluster, "certificate-authority")
    if authorities is None and (trusted := _certificates(ca)):
        authorities = Authorities("kubeconfig", trusted)
    shown_authorities = things(ca, "certificate-authority")
    pair, source = file(user, "client-certificate")
    shown = things(pair, "client-certificate", authorities)
    certificate = next((thing for thing in shown if thing.kind == "certificate"), None)
    if pair and shown and certificate is None:
        problems.append(f"client-certificate: a {shown[0].kind}, not a certificate")
    notes = [*_server_notes(cluster)]
    key, _ = file(user, "client-key")
    owned = {certificate.public_key, ""} if certificate else None
    notes += ["client-key is not the certificate's key" for thing in things(key, "client-key")
              if thing.kind == "private key" and owned and thing.public_key not in owned]
    return ShownContext(name="", server=_server(_text(cluster, "server")), login=_login(user),
                        certificate=certificate,
                        source=source, authorities=shown_authorities, authority_source=ca_source,
                        problem=" and ".join(problems), notes=tuple(notes))


def _certificates(data: bytes) -> tuple[bytes, ...]:
    from ... import pem
    try:
        return tuple(block.der for block in pem.blocks(data) if block.label == "CERTIFICATE")
    except InputError:
        return ()


def _material(fields: ShownFields, name: str, read: Read) -> tuple[bytes, str]:
    """The bytes of a certificate or key that a field embeds or names, and the file's name.

    Embedded data wins, as in client-go.
    Raises InputError for other data than base64, and the errors of *read*.
    """
    if data := _text(fields, f"{name}-data"):
        try:
            return binascii.a2b_base64("".join(data.split()), strict_mode=True), ""
        except (binascii.Error, ValueError):
            raise InputError("the data is no base64") from None
    path = _text(fields, name)
    return (read(path), path) if path else (b"", "")


def _login(user: ShownFields) -> str:
    """The user's credentials in words, in client-go's order, without the token or password."""
    execs, provider = user.get("exec"), user.get("auth-provider")
    if _text(user, "client-certificate-data") or _text(user, "client-certificate"):
        return "certificate"
    if _text(user, "tokenFile"):
        return f"a token in {_text(user, 'tokenFile')}"
    if user.get("token"):
        return "a token"
    if user.get("username") or user.get("password"):
        return f"user name {_text(user, 'username')!r} and a password"
    if isinstance(execs, dict):
        return f"the output of the command {_text(execs, 'command')!r}"
    if isinstance(provider, dict):
        return f"the authentication provider {_text(provider, 'name')!r}"
    return "nothing: the API server treats you as system:anonymous"


def _server(url: str) -> str:
    """A URL without the user name and password before its host."""
    if "@" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _server_notes(cluster: ShownFields) -> Iterator[str]:
    if cluster.get("insecure-skip-tls-verify") is True:
        yield "insecure-skip-tls-verify: the client trusts any server"


def _rows(document: ShownFields, rows: str, kind: str) -> dict[str, ShownFields]:
    """The rows of a list by name, the first of each name; other items are left out."""
    found: dict[str, ShownFields] = {}
    given = document.get(rows)
    for row in given if isinstance(given, list) else ():
        inner = row.get(kind) if isinstance(row, dict) else None
        if isinstance(row, dict) and isinstance(row.get("name"), str):
            found.setdefault(row["name"], inner if isinstance(inner, dict) else {})
    return found


def _text(fields: ShownFields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
