"""What a kubeconfig says of each of its contexts: which server, as whom, and by what means; secrets are left out."""
from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ...errors import AccessError, ConfigurationError, InputError, KpkiError
from ..kubeconfig import load_kubeconfig
from .blocks import is_pem, show_pem
from .shown import Context, Shown
from .signers import Authorities

Read = Callable[[str], bytes]
Fields = Mapping[str, Any]
_NOT_YAML = "not a YAML document"


def show_kubeconfig(data: bytes, *, read: Read, authorities: Authorities | None = None, now: datetime) -> Shown:
    """A kubeconfig: whom its current context's certificate says you are, and every context.

    *read* gives the bytes of a file that the kubeconfig names, by the path that stands there, or raises KpkiError.
    *authorities* judge the certificates, None: each by its cluster's own CA. What client-go would not connect
    with is the problem (`load_kubeconfig`).
    """
    from ...documents import load_documents
    try:
        documents = load_documents(data)
    except ConfigurationError as error:     # of the rest of these messages some quote what may be a secret
        what = error.message if _NOT_YAML in error.message else f"line {error.line}: not plain YAML"
        return Shown(kind="kubeconfig", problem=what)
    document = documents[0].value if documents else None
    if not isinstance(document, dict):
        return Shown(kind="kubeconfig", problem="no mapping of fields in it")
    contexts = tuple(_contexts(document, read, authorities, now))
    mine = next((one.certificate for one in contexts if one.current and one.certificate), None)
    return replace(mine or Shown(kind="kubeconfig"), kind="kubeconfig", contexts=contexts,
                   problem=_problem(document, data, contexts))


def _problem(document: Fields, data: bytes, contexts: tuple[Context, ...]) -> str:
    """What client-go has against it, unless one of the contexts says as much."""
    if not all(isinstance(document.get(field), str | None) for field in ("apiVersion", "kind")):
        return "its apiVersion or kind is no text"
    try:
        load_kubeconfig(data)
    except InputError as error:
        return "" if any(one.current and one.problem for one in contexts) else error.message
    return ""


def _contexts(document: Fields, read: Read, authorities: Authorities | None, now: datetime) -> Iterator[Context]:
    users, clusters = _rows(document, "users", "user"), _rows(document, "clusters", "cluster")
    current = document.get("current-context")
    seen: dict[tuple[str, str], Context] = {}       # many contexts may differ by their namespace alone
    for name, fields in _rows(document, "contexts", "context").items():
        key = cluster_name, user_name = _text(fields, "cluster"), _text(fields, "user")
        if key not in seen:
            seen[key] = _context(clusters.get(cluster_name), users.get(user_name), read, authorities, now)
        missing = [f"it names no {kind}" if not wanted else f"its {kind} {wanted!r} is not in the file"
                   for kind, wanted, rows in (("cluster", cluster_name, clusters), ("user", user_name, users))
                   if wanted not in rows]
        yield replace(seen[key], name=name, current=name == current, cluster=cluster_name, user_name=user_name,
                      namespace=_text(fields, "namespace"), problem=" and ".join(missing) or seen[key].problem)


def _context(cluster: Fields | None, user: Fields | None, read: Read, authorities: Authorities | None,
             now: datetime) -> Context:
    """A context's cluster and user, as far as they are there."""
    cluster, user, problems = cluster or {}, user or {}, list[str]()

    def file(fields: Fields, name: str) -> tuple[bytes, str]:
        """The bytes that a field holds or names, and the name."""
        try:
            return _material(fields, name, read)
        except AccessError:
            raise       # whose file that is says nothing about it
        except KpkiError as error:
            problems.append(f"{name}: {error.message}")
            return b"", _text(fields, name)

    def things(data: bytes, name: str, authorities: Authorities | None = None) -> tuple[Shown, ...]:
        if data and not is_pem(data):
            problems.append(f"{name}: no PEM block in it")
        return show_pem(data, authorities=authorities, now=now)

    ca, ca_source = file(cluster, "certificate-authority")
    if authorities is None and (trusted := _certificates(ca)):
        authorities = Authorities("kubeconfig", trusted)
    shown_authorities = things(ca, "certificate-authority")
    pair, source = file(user, "client-certificate")
    shown = things(pair, "client-certificate", authorities)
    certificate = next((one for one in shown if one.kind == "certificate"), None)
    if pair and shown and certificate is None:
        problems.append(f"client-certificate: it holds a {shown[0].kind}, and no certificate")
    notes = [*_server_notes(cluster)]
    key, _ = file(user, "client-key")
    for one in things(key, "client-key"):
        if one.kind == "private key" and one.public_key and certificate and certificate.public_key != one.public_key:
            notes.append("its client-key is not the certificate's key")
    return Context(name="", server=_server(_text(cluster, "server")), login=_login(user), certificate=certificate,
                   source=source, authorities=shown_authorities, authority_source=ca_source,
                   problem=" and ".join(problems), notes=tuple(notes))


def _certificates(data: bytes) -> tuple[bytes, ...]:
    from ... import pem
    try:
        return tuple(one.der for one in pem.blocks(data) if one.label == "CERTIFICATE")
    except InputError:
        return ()


def _material(fields: Fields, name: str, read: Read) -> tuple[bytes, str]:
    """The bytes of a certificate or key that a field embeds or names, and the file's name; data wins, as in client-go.

    Raises InputError for what is no base64, and what *read* raises.
    """
    if data := _text(fields, f"{name}-data"):
        try:
            return binascii.a2b_base64("".join(data.split()), strict_mode=True), ""
        except (binascii.Error, ValueError):
            raise InputError("its data is no base64") from None
    path = _text(fields, name)
    return (read(path), path) if path else (b"", "")


def _login(user: Fields) -> str:
    """By what a user is known, in client-go's order; a token or password is not said."""
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
        return f"what the command {_text(execs, 'command')!r} gives"
    if isinstance(provider, dict):
        return f"the authentication provider {_text(provider, 'name')!r}"
    return "nothing: the API server takes you for system:anonymous"


def _server(url: str) -> str:
    """A URL without what may stand before its host: a name and a password."""
    try:
        parts = urlsplit(url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in url else url
    except ValueError:
        return "(no URL)" if "@" in url else url


def _server_notes(cluster: Fields) -> Iterator[str]:
    if cluster.get("insecure-skip-tls-verify") is True:
        yield "insecure-skip-tls-verify: any server is believed"


def _rows(document: Fields, rows: str, kind: str) -> dict[str, Fields]:
    """The rows of a list by name, the first of each; what is no row is left out."""
    found: dict[str, Fields] = {}
    given = document.get(rows)
    for row in given if isinstance(given, list) else ():
        inner = row.get(kind) if isinstance(row, dict) else None
        if isinstance(row, dict) and isinstance(row.get("name"), str):
            found.setdefault(row["name"], inner if isinstance(inner, dict) else {})
    return found


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
