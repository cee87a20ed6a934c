"""Bytes ↔ kubeconfig, as client-go reads one (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/)."""
from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate, bundle or key as a kubeconfig gives it: a *path*, or *data* in itself."""

    path: str | None = None
    data: bytes | None = None

    def __repr__(self) -> str:
        return f"Material({self.path!r})" if self.data is None else f"Material(<{len(self.data)} bytes>)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """The context that counts: which *server*, trusted by which *authority*, reached as which *user*."""

    cluster_name: str
    user_name: str
    context_name: str
    server: str
    authority: Material
    certificate: Material
    key: Material


def dump_kubeconfig(kubeconfig: Kubeconfig) -> bytes:
    """The document, with one cluster, user and context."""
    one = kubeconfig
    return "\n".join([
        "apiVersion: v1", "kind: Config",
        "clusters:", f"- name: {_quoted(one.cluster_name)}", "  cluster:",
        *_written("certificate-authority", one.authority), f"    server: {_quoted(one.server)}",
        "users:", f"- name: {_quoted(one.user_name)}", "  user:",
        *_written("client-certificate", one.certificate), *_written("client-key", one.key),
        "contexts:", f"- name: {_quoted(one.context_name)}", "  context:",
        f"    cluster: {_quoted(one.cluster_name)}", f"    user: {_quoted(one.user_name)}",
        f"current-context: {_quoted(one.context_name)}", ""]).encode()


def _written(name: str, material: Material) -> list[str]:
    if material.data is not None:
        return [f"    {name}-data: {base64.b64encode(material.data).decode()}"]
    return [f"    {name}: {_quoted(material.path)}"] if material.path else []


def _quoted(text: str) -> str:
    """A YAML scalar: a JSON string of printable text is one."""
    return json.dumps(text, ensure_ascii=False)     # YAML reads no surrogate pairs


def load_kubeconfig(data: bytes) -> Kubeconfig:
    """The context that counts of a kubeconfig. Raises InputError for one with which client-go would not connect."""
    from ..documents import load_documents
    documents = load_documents(data)
    document = documents[0].value if documents else None
    if not isinstance(document, dict) or document.get("kind") != "Config":
        raise InputError("not a kubeconfig: no `kind: Config` in it")
    context_name = _text(document, "current-context", "the kubeconfig")
    context = _named(document, "contexts", "context", context_name)
    cluster_name, user_name = (_text(context, key, f"context {context_name!r}") for key in ("cluster", "user"))
    cluster, user = _named(document, "clusters", "cluster", cluster_name), _named(document, "users", "user", user_name)
    return Kubeconfig(
        cluster_name=cluster_name, user_name=user_name, context_name=context_name,
        server=_text(cluster, "server", f"cluster {cluster_name!r}"),
        authority=_material(cluster, "certificate-authority", f"cluster {cluster_name!r}"),
        certificate=_material(user, "client-certificate", f"user {user_name!r}"),
        key=_material(user, "client-key", f"user {user_name!r}"))


def _named(document: Mapping[str, Any], kinds: str, kind: str, name: str) -> Mapping[str, Any]:
    rows = document.get(kinds) or []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("name") == name and isinstance(row.get(kind), dict):
            found: Mapping[str, Any] = row[kind]
            return found
    raise InputError(f"there is no {kind} {name!r} in it")


def _text(mapping: Mapping[str, Any], key: str, owner: str) -> str:
    value = mapping.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{owner} has no {key}")
    return value


def _material(mapping: Mapping[str, Any], name: str, owner: str) -> Material:
    path, text = mapping.get(name), mapping.get(f"{name}-data")
    if path and text:
        raise InputError(f"{owner} gives both {name} and {name}-data")
    if text is None:
        if path is not None and not isinstance(path, str):
            raise InputError(f"{owner}: {name} is no path")
        return Material(path=path or None)
    try:
        return Material(data=base64.b64decode("".join(str(text).split()), validate=True))
    except (binascii.Error, ValueError):
        raise InputError(f"{owner}: {name}-data is no base64") from None
