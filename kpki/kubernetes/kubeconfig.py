"""Bytes ↔ kubeconfig, as client-go reads one (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/)."""
from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError

API_VERSION, KIND = "v1", "Config"
NO_SERVER = "https://API-SERVER:6443"   # what a printed command names where no file tells the URL


class KubeconfigError(InputError):
    """A kubeconfig cannot be used; *where* says in what of it: `users/NAME`, `clusters/NAME`, `contexts/NAME`."""

    def __init__(self, message: str, *, where: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.where = where


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate, bundle or key as a kubeconfig gives it: a *path*, or *data* in itself."""

    path: str | None = None
    data: bytes | None = None

    def __repr__(self) -> str:
        return f"Material({self.path!r})" if self.data is None else f"Material(<{len(self.data)} bytes>)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """The context that counts: which *server*, trusted by which *authority*, reached as which *user*.

    *token* says that it holds a token, *other_means* that the user has one, a password or a plugin.
    """

    cluster_name: str
    user_name: str
    context_name: str
    server: str
    authority: Material
    certificate: Material
    key: Material
    token: bool = field(default=False, compare=False)
    other_means: bool = field(default=False, compare=False)


def dump_kubeconfig(kubeconfig: Kubeconfig) -> bytes:
    """The document, with one cluster, user and context."""
    return _document(kubeconfig, [*_written("client-certificate", kubeconfig.certificate),
                                  *_written("client-key", kubeconfig.key)])


def _document(one: Kubeconfig, pair: Sequence[str]) -> bytes:
    """The document with the lines of a *pair* in it."""
    cluster, user, context = _quoted(one.cluster_name), _quoted(one.user_name), _quoted(one.context_name)
    return "\n".join([
        f"apiVersion: {API_VERSION}", f"kind: {KIND}",
        "clusters:", f"- name: {cluster}", "  cluster:",
        *_written("certificate-authority", one.authority), f"    server: {_quoted(one.server)}",
        "users:", f"- name: {user}", "  user:" if pair else "  user: {}", *pair,
        "contexts:", f"- name: {context}", "  context:", f"    cluster: {cluster}", f"    user: {user}",
        f"current-context: {context}", ""]).encode()


def _written(name: str, material: Material) -> list[str]:
    if material.data:
        # bare, as kubectl writes it: the base64 of PEM is no number or other word to YAML
        return [f"    {name}-data: {base64.b64encode(material.data).decode()}"]
    return [f"    {name}: {_quoted(material.path)}"] if material.path else []


def _quoted(text: str) -> str:
    """A YAML scalar: a JSON string of printable text is one; all else is escaped by YAML's own rule, for JSON's
    surrogate pairs are none of it."""
    if text.isprintable():
        return _string(text)
    return '"' + "".join(json.dumps(one, ensure_ascii=False)[1:-1] if one.isprintable() else f"\\U{ord(one):08x}"
                         for one in text) + '"'


_string = json.JSONEncoder(ensure_ascii=False).encode


# Where the pair stands in a document; no document has it in it, for what is not printable is escaped.
_MARK = "\0"
_BASE64 = rb"([A-Za-z0-9+/]+={0,2})"
_PAIR = re.compile(rb"    client-certificate-data: " + _BASE64 + rb"\n    client-key-data: " + _BASE64)


def same_kubeconfig(data: bytes, wanted: Kubeconfig) -> tuple[bytes, bytes] | None:
    """Certificate and key that a document embeds, where all else in it is what `dump_kubeconfig` writes for *wanted*.

    *wanted*'s own certificate and key do not count. None for every other document, right or not: that is for
    `load_kubeconfig` to say, which takes several times as long.
    """
    head, tail = _document(wanted, [_MARK]).split(_MARK.encode())
    if not (data.startswith(head) and data.endswith(tail)):
        return None
    match = _PAIR.fullmatch(data, len(head), len(data) - len(tail))
    try:
        return (binascii.a2b_base64(match[1], strict_mode=True),
                binascii.a2b_base64(match[2], strict_mode=True)) if match else None
    except binascii.Error:
        return None


# What client-go decodes: list, the key of what each of its rows holds, and the fields in that: text, base64 ("data")
# or a yes or no ("flag"). A field of another kind anywhere in the document and none of it is read; one that is not
# here is passed over. client-go 0.34: tools/clientcmd/api/v1/types.go, and conversion.go for names twice there.
_FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "clusters": ("cluster", {
        "server": "text", "tls-server-name": "text", "insecure-skip-tls-verify": "flag", "proxy-url": "text",
        "certificate-authority": "text", "certificate-authority-data": "data"}),
    "users": ("user", {
        "client-certificate": "text", "client-certificate-data": "data", "client-key": "text",
        "client-key-data": "data", "token": "text", "tokenFile": "text", "username": "text", "password": "text"}),
    "contexts": ("context", {"cluster": "text", "user": "text", "namespace": "text"}),
}
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")     # RFC 1123
Fields = dict[str, Any]


def load_kubeconfig(data: bytes, *, server: str = "") -> Kubeconfig:
    """The context that counts of a kubeconfig. Raises InputError for one with which client-go would not connect.

    *server* is what the component is told beside it (`--master`), which wins over the kubeconfig's.

    The rules are client-go 0.34's: of its decoder, of tools/clientcmd/validation.go (ConfirmUsable) and of
    transport/transport.go (TLSConfigFor). Whether the files that are named are there is not asked.
    As there, a missing apiVersion or kind is taken for the right one, beside the first document nothing counts, and a
    user may have other means than a pair (an exec plugin's fields are not looked at). Stricter than client-go: a field
    that is there twice, and a client-key with client-key-data beside it where there is no certificate.
    """
    from ..documents import load_documents
    documents = load_documents(data)
    document = documents[0].value if documents else None
    if not isinstance(document, dict):
        raise InputError("not a kubeconfig: no mapping of fields in it")
    for name, right in (("apiVersion", API_VERSION), ("kind", KIND)):
        if (said := document.get(name) or right) != right:
            raise InputError(f"not a kubeconfig: its {name} is {said!r}, not {right}")
    clusters, users, contexts = (_decoded(document, *row) for row in _FIELDS.items())
    name = _needed(_field(document, "current-context", "text", "the kubeconfig"), "current-context", "the kubeconfig")
    context, owner = _named(contexts, "contexts", name, "current-context"), f"context {name!r}"
    if context["namespace"] and not _LABEL.fullmatch(context["namespace"]):
        raise InputError(f"{owner}: namespace {context['namespace']!r} is no DNS label")
    cluster_name, user_name = (_needed(context[key], key, owner) for key in ("cluster", "user"))
    user, cluster = _named(users, "users", user_name, owner), _named(clusters, "clusters", cluster_name, owner)
    cluster["server"] = server or cluster["server"]
    with _inside(f"clusters/{cluster_name}"):
        fields = _cluster(cluster, f"cluster {cluster_name!r}")
    with _inside(f"users/{user_name}"):
        fields |= _user(user, f"user {user_name!r}")
    plugins = any(row.get("exec") or row.get("auth-provider") for name, row in _rows(document, "users", "user")
                  if name == user_name)
    fields |= {"token": bool(user["token"]),
               "other_means": plugins or bool(user["token"] or user["tokenFile"] or user["username"])}
    return Kubeconfig(cluster_name=cluster_name, user_name=user_name, context_name=name, **fields)


@contextmanager
def _inside(where: str) -> Iterator[None]:
    """Say where in the document an error of the block lies."""
    try:
        yield
    except InputError as error:
        raise KubeconfigError(error.message, where=where, hint=error.hint) from None


def check_server(url: str) -> str:
    """*url*, where it can be an API server's: https, a host, a port or none. Else InputError."""
    from urllib.parse import urlsplit
    if url == NO_SERVER:
        raise InputError(f"{url} stands for the API server's URL, which is still to be put there",
                         hint="the kubeconfig of another host leads to it")
    try:
        parts = urlsplit(url)
        right = parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0) and not (
            parts.query or parts.fragment or parts.username is not None or "\\" in url
            or any(one.isspace() or not one.isprintable() for one in url))
    except ValueError:
        right = False
    if not right:
        raise InputError(f"{url!r} is no API server's URL", hint="for example https://10.0.0.10:6443")
    return url


def _decoded(document: Mapping[str, Any], rows: str, layout: tuple[str, dict[str, str]]) -> dict[str, Fields]:
    """The rows of a list by name, each with the fields that count."""
    kind, fields = layout
    found: dict[str, Fields] = {}
    for name, row in _rows(document, rows, kind):
        owner = f"{kind} {name!r}"
        if name in found:
            raise InputError(f"{owner} is there twice")
        found[name] = {field: _field(row, field, what, owner) for field, what in fields.items()}
    return found


def _rows(document: Mapping[str, Any], rows: str, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    given = document.get(rows)
    if not isinstance(given, list | None):
        raise InputError(f"{rows} is no list")
    for number, row in enumerate(given or ()):
        inner = row.get(kind) or {} if isinstance(row, dict) else None
        if not isinstance(inner, dict):
            raise InputError(f"{rows}[{number}] is no {kind} with a name")
        yield _field(row, "name", "text", f"{rows}[{number}]"), inner


def _field(mapping: Mapping[str, Any], name: str, what: str, owner: str) -> Any:
    """A field's value; what is not there, or null, is "", no bytes or False."""
    value = mapping.get(name)
    if what == "flag":
        if not isinstance(value, bool | None):
            raise InputError(f"{owner}: {name} is neither true nor false")
        return bool(value)
    if not isinstance(value, str | None):
        raise InputError(f"{owner}: {name} is no " + ("text" if what == "text" else "base64"))
    if what == "text":
        return value or ""
    try:    # Go passes over line ends in base64, and over nothing else
        return binascii.a2b_base64((value or "").replace("\n", "").replace("\r", ""), strict_mode=True)
    except ValueError:      # binascii.Error is one, and so is what text beyond ASCII gives
        raise InputError(f"{owner}: {name} is no base64") from None


def _needed(value: str, name: str, owner: str) -> str:
    if not value:
        raise InputError(f"{owner} has no {name}")
    return value


def _named(rows: Mapping[str, Fields], kind: str, name: str, owner: str) -> Fields:
    if name not in rows:
        raise KubeconfigError(f"there is no {kind.removesuffix('s')} {name!r} in it, which {owner} names",
                              where=f"{kind}/{name}")
    return rows[name]


def _cluster(fields: Fields, owner: str) -> Fields:
    """The server, and the CA that it is trusted by."""
    server, authority = _needed(fields["server"], "server", owner), _material(fields, "certificate-authority", owner)
    if fields["insecure-skip-tls-verify"] and authority != Material():
        raise InputError(f"{owner} gives both insecure-skip-tls-verify and a certificate-authority")
    return {"server": server, "authority": authority}


def _user(fields: Fields, owner: str) -> Fields:
    """The pair; a certificate is of no use without its key."""
    certificate, key = _material(fields, "client-certificate", owner), _material(fields, "client-key", owner)
    if certificate != Material() and key == Material():
        raise InputError(f"{owner} has a client-certificate and no client-key")
    if fields["token"] and (fields["username"] or fields["password"]):
        raise InputError(f"{owner} gives both a token and a username with a password, and only one is allowed")
    return {"certificate": certificate, "key": key}


def _material(fields: Fields, name: str, owner: str) -> Material:
    path, data = fields[name], fields[f"{name}-data"]
    if path and data:
        raise InputError(f"{owner} gives both {name} and {name}-data")
    return Material(path=path or None, data=data or None)


def load_users(data: bytes) -> dict[str, tuple[Material, Material]]:
    """The certificate and key of each user of a kubeconfig whose contexts do not count; none where it is none."""
    from ..documents import load_first
    document = load_first(data)
    try:
        return {name: (_material(fields, "client-certificate", name), _material(fields, "client-key", name))
                for name, fields in _decoded(document, "users", _FIELDS["users"]).items()} if (
                    isinstance(document, dict)) else {}
    except InputError:
        return {}
