"""Bytes ↔ kubeconfig, with the rules of client-go.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""
from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from .kubeconfig_form import read_form
from ..errors import InputError

KUBECONFIG_VERSION, KUBECONFIG_KIND = "v1", "Config"
NO_SERVER = "https://API-SERVER:6443"   # printed commands name this URL if no file gives one


class KubeconfigError(InputError):
    """A kubeconfig is unusable; *where* names the faulty entry: `users/NAME`, `contexts/NAME`."""

    def __init__(self, message: str, *, where: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.where = where


class Material(NamedTuple):
    """A certificate, bundle or key of a kubeconfig.

    >>> kpki.Material(data=kpki.dump_key(key))
    Material(<241 bytes>)
    """

    path: str | None = None
    """The file that the kubeconfig names."""
    data: bytes | None = None
    """The content, if the kubeconfig embeds it."""

    def __repr__(self) -> str:
        if self.data is None:
            return f"Material({self.path!r})"
        return f"Material(<{len(self.data)} bytes>)"


# what a kubeconfig neither names nor embeds
NO_MATERIAL = Material()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """The current context of a kubeconfig, with its cluster and user.

    >>> row = [*kpki.wanted_rows(cluster)][-1]
    >>> row.kubeconfig.context_name, row.kubeconfig.server
    ('system:node:worker-1@kubernetes', 'https://10.0.0.10:6443')
    """

    cluster_name: str
    user_name: str
    context_name: str
    server: str
    """The API server's URL."""
    authority: Material
    """The CA certificates that verify the server."""
    certificate: Material
    """The client certificate."""
    key: Material
    """The client certificate's private key."""
    token: bool = field(default=False, compare=False)
    """Whether the kubeconfig holds a token."""
    other_means: bool = field(default=False, compare=False)
    """Whether the user has a token, a password or a plugin."""
    asked_name: str = field(default="", compare=False)
    """The tls-server-name, which the client asks of the server; "" for the URL's host."""
    verifies: bool = field(default=True, compare=False)
    """Whether the client verifies the server's certificate."""

    @property
    def url(self) -> str:
        """The server as client-go takes it: without a scheme, https (rest.defaultServerUrlFor)."""
        return self.server if "://" in self.server else f"https://{self.server}"


def dump_kubeconfig(kubeconfig: Kubeconfig) -> bytes:
    """The YAML document, with one cluster, user and context."""
    return _document(kubeconfig, [*_written("client-certificate", kubeconfig.certificate),
                                  *_written("client-key", kubeconfig.key)])


def _document(kubeconfig: Kubeconfig, pair: Sequence[str]) -> bytes:
    """The YAML document with the lines *pair* for certificate and key."""
    cluster, user, context = map(_quoted, (
        kubeconfig.cluster_name, kubeconfig.user_name, kubeconfig.context_name))
    return "\n".join([
        f"apiVersion: {KUBECONFIG_VERSION}", f"kind: {KUBECONFIG_KIND}",
        "clusters:", f"- name: {cluster}", "  cluster:",
        *_written("certificate-authority", kubeconfig.authority),
        f"    server: {_quoted(kubeconfig.server)}",
        "users:", f"- name: {user}", "  user:" if pair else "  user: {}", *pair,
        "contexts:", f"- name: {context}", "  context:", f"    cluster: {cluster}",
        f"    user: {user}",
        f"current-context: {context}", ""]).encode()


def _written(name: str, material: Material) -> list[str]:
    if material.data:
        # without quotes, as kubectl writes it: to YAML, the base64 of PEM is always text
        return [f"    {name}-data: {base64.b64encode(material.data).decode()}"]
    return [f"    {name}: {_quoted(material.path)}"] if material.path else []


def _quoted(text: str) -> str:
    """A YAML scalar in double quotes, with an escape for each character that is not printable."""
    text = text.replace("\\", r"\\").replace('"', r'\"')
    return f'"{text}"' if text.isprintable() else '"' + "".join(
        character if character.isprintable() else f"\\U{ord(character):08x}"
        for character in text) + '"'


# A placeholder for the pair; no document contains it, because unprintable text is escaped.
_MARK = "\0"
_BASE64 = rb"([A-Za-z0-9+/]+={0,2})"
_PAIR = re.compile(rb"    client-certificate-data: " + _BASE64 + rb"\n    client-key-data: "
                   + _BASE64)


def same_kubeconfig(data: bytes, wanted: Kubeconfig) -> tuple[bytes, bytes] | None:
    """Certificate and key of a document that otherwise equals `dump_kubeconfig(wanted)`.

    The certificate and key of *wanted* do not count. None for every other document, valid or not.
    `load_kubeconfig` reads any document, but takes several times as long.
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


# What client-go decodes: each list, the key inside its rows, and the fields under that key: text,
# base64 ("data") or true and false ("flag"). A field of another kind makes client-go refuse the
# whole document; unknown fields are ignored. client-go 0.34: tools/clientcmd/api/v1/types.go, and
# conversion.go for names that are given twice.
_FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "clusters": ("cluster", {
        "server": "text", "tls-server-name": "text", "insecure-skip-tls-verify": "flag",
        "proxy-url": "text",
        "certificate-authority": "text", "certificate-authority-data": "data"}),
    "users": ("user", {
        "client-certificate": "text", "client-certificate-data": "data", "client-key": "text",
        "client-key-data": "data", "token": "text", "tokenFile": "text", "username": "text",
        "password": "text"}),
    "contexts": ("context", {"cluster": "text", "user": "text", "namespace": "text"}),
}
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")     # RFC 1123
KubeconfigFields = dict[str, Any]


def load_kubeconfig(data: bytes, *, server: str = "") -> Kubeconfig:
    """The current context of a kubeconfig.

    *server* is the URL of the component's flag `--master`, which replaces the kubeconfig's.
    Raises InputError for a kubeconfig with which client-go would not connect.

    The rules are those of client-go 0.34: its decoder, tools/clientcmd/validation.go
    (ConfirmUsable) and transport/transport.go (TLSConfigFor). The named files need not exist. A
    missing apiVersion or kind is accepted. Only the first document counts. A user may have other
    credentials than a pair; the fields of an exec plugin are not checked. kpki is stricter than
    client-go in two cases: a field that is given twice, and a client-key beside client-key-data
    without a certificate.
    """
    document = _loaded(data)
    if not isinstance(document, dict):
        raise InputError("not a kubeconfig: the document is no mapping")
    for name, right in (("apiVersion", KUBECONFIG_VERSION), ("kind", KUBECONFIG_KIND)):
        if (found := document.get(name) or right) != right:
            raise InputError(f"not a kubeconfig: {name} is {found!r}, expected {right}")
    clusters, users, contexts = (_decoded(document, *row) for row in _FIELDS.items())
    name = _needed(_field(document, "current-context", "text", "the kubeconfig"), "current-context",
                   "the kubeconfig")
    context, owner = _named(contexts, "contexts", name, "current-context"), f"context {name!r}"
    if context["namespace"] and not _LABEL.fullmatch(context["namespace"]):
        raise InputError(f"{owner}: namespace {context['namespace']!r} is no DNS label")
    cluster_name, user_name = (_needed(context[key], key, owner) for key in ("cluster", "user"))
    user = _named(users, "users", user_name, owner)
    cluster = _named(clusters, "clusters", cluster_name, owner)
    cluster["server"] = server or cluster["server"]
    with _inside(f"clusters/{cluster_name}"):
        fields = _cluster(cluster, f"cluster {cluster_name!r}")
    with _inside(f"users/{user_name}"):
        fields |= _user(user, f"user {user_name!r}")
    plugins = any(row.get("exec") or row.get("auth-provider")
                  for name, row in _rows(document, "users", "user")
                  if name == user_name)
    fields |= {"token": bool(user["token"]),
               "other_means": plugins or bool(user["token"] or user["tokenFile"]
                                              or user["username"])}
    return Kubeconfig(cluster_name=cluster_name, user_name=user_name, context_name=name, **fields)


@lru_cache(maxsize=16)      # a host has a few kubeconfigs, and each is read many times
def _loaded(data: bytes) -> Any:
    """The value of a kubeconfig's first document. Raises InputError for a text that is no YAML."""
    if form := read_form(data):
        return form
    from ..documents import load_documents
    documents = load_documents(data)
    return documents[0].value if documents else None


@lru_cache(maxsize=16)
def _loaded_first(data: bytes) -> Any:
    """The same for entries alone: JSON too, and None for a text that is no YAML."""
    if form := read_form(data):
        return form
    from ..documents import load_first
    return load_first(data)


@contextmanager
def _inside(where: str) -> Iterator[None]:
    """Turn an InputError of the block into a KubeconfigError with the entry's name."""
    try:
        yield
    except InputError as error:
        raise KubeconfigError(error.message, where=where, hint=error.hint) from None


@lru_cache(maxsize=16)      # the hosts of a cluster have one URL
def validate_server(url: str) -> str:
    """*url*, if it can be an API server's: https, a host, and a port or none; else InputError."""
    from urllib.parse import urlsplit
    if url == NO_SERVER:
        raise InputError(f"{url} is a placeholder for the API server's URL",
                         hint="take the URL from the kubeconfig of another host")
    try:
        parts = urlsplit(url)
        right = (parts.scheme == "https" and bool(parts.hostname)
                 and (parts.port is None or parts.port > 0)
                 and not (parts.query or parts.fragment or parts.username is not None)
                 and not any(character.isspace() or character == "\\" or not character.isprintable()
                             for character in url))
    except ValueError:
        right = False
    if not right:
        raise InputError(f"{url!r} is no API server's URL",
                         hint="for example https://10.0.0.10:6443")
    return url


def _decoded(document: Mapping[str, Any], rows: str,
             layout: tuple[str, dict[str, str]]) -> dict[str, KubeconfigFields]:
    """The rows of a list by name, each with the fields that client-go decodes."""
    kind, fields = layout
    found: dict[str, KubeconfigFields] = {}
    for name, row in _rows(document, rows, kind):
        owner = f"{kind} {name!r}"
        if name in found:
            raise InputError(f"{owner} is given twice")
        found[name] = {field: _field(row, field, what, owner) for field, what in fields.items()}
    return found


def _rows(document: Mapping[str, Any], rows: str,
          kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    given = document.get(rows)
    if not isinstance(given, list | None):
        raise InputError(f"{rows} is no list")
    for number, row in enumerate(given or ()):
        inner = row.get(kind) or {} if isinstance(row, dict) else None
        if not isinstance(inner, dict):
            raise InputError(f"{rows}[{number}] is no {kind} with a name")
        yield _field(row, "name", "text", f"{rows}[{number}]"), inner


def _field(mapping: Mapping[str, Any], name: str, what: str, owner: str) -> Any:
    """A field's value; for an absent field or a null: "", no bytes or False."""
    value = mapping.get(name)
    if what == "flag":
        if not isinstance(value, bool | None):
            raise InputError(f"{owner}: {name} is neither true nor false")
        return bool(value)
    if not isinstance(value, str | None):
        raise InputError(f"{owner}: {name} is no " + ("text" if what == "text" else "base64"))
    if what == "text":
        return value or ""
    try:    # Go ignores line ends in base64, and nothing else
        return binascii.a2b_base64((value or "").replace("\n", "").replace("\r", ""),
                                   strict_mode=True)
    except ValueError:      # also binascii.Error, and the error for text beyond ASCII
        raise InputError(f"{owner}: {name} is no base64") from None


def _needed(value: str, name: str, owner: str) -> str:
    if not value:
        raise InputError(f"{owner} has no {name}")
    return value


def _named(rows: Mapping[str, KubeconfigFields], kind: str, name: str,
           owner: str) -> KubeconfigFields:
    if name not in rows:
        raise KubeconfigError(
            f"{owner} names the {kind.removesuffix('s')} {name!r}, which is not in the file",
            where=f"{kind}/{name}")
    return rows[name]


def _cluster(fields: KubeconfigFields, owner: str) -> KubeconfigFields:
    """The server and the CA certificates that verify it."""
    server = _needed(fields["server"], "server", owner)
    authority = _material(fields, "certificate-authority", owner)
    if fields["insecure-skip-tls-verify"] and authority != NO_MATERIAL:
        raise InputError(f"{owner} gives both insecure-skip-tls-verify and a certificate-authority")
    return {"server": server, "authority": authority, "asked_name": fields["tls-server-name"],
            "verifies": not fields["insecure-skip-tls-verify"]}


def _user(fields: KubeconfigFields, owner: str) -> KubeconfigFields:
    """The certificate and its key; a certificate without a key raises InputError."""
    certificate = _material(fields, "client-certificate", owner)
    key = _material(fields, "client-key", owner)
    if certificate != NO_MATERIAL and key == NO_MATERIAL:
        raise InputError(f"{owner} has a client-certificate and no client-key")
    if fields["token"] and (fields["username"] or fields["password"]):
        raise InputError(
            f"{owner} gives both a token and a username with a password, and only one is allowed")
    return {"certificate": certificate, "key": key}


def _material(fields: KubeconfigFields, name: str, owner: str) -> Material:
    path, data = fields[name], fields[f"{name}-data"]
    if path and data:
        raise InputError(f"{owner} gives both {name} and {name}-data")
    return Material(path=path or None, data=data or None)


def embedded_certificates(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The entry and the data of each certificate, or bundle, that a kubeconfig embeds.

    An entry is `users/NAME` or `clusters/NAME`, whether a context names it or not. An entry with
    unreadable data has none. Other documents have no entries.
    """
    document = _loaded_first(data)
    for rows, data_field in (("users", "client-certificate-data"),
                             ("clusters", "certificate-authority-data")):
        with suppress(InputError):
            for name, row in _rows(document if isinstance(document, dict) else {}, rows, rows[:-1]):
                if found := _field(row, data_field, "data", name):
                    yield f"{rows}/{name}", found


def load_users(data: bytes) -> dict[str, tuple[Material, Material]]:
    """The certificate and key of each user, whatever the contexts; empty for other documents."""
    document = _loaded_first(data)
    try:
        return {name: (_material(fields, "client-certificate", name),
                       _material(fields, "client-key", name))
                for name, fields in _decoded(document, "users", _FIELDS["users"]).items()} if (
                    isinstance(document, dict)) else {}
    except InputError:
        return {}
