"""The completion of the shells: each function returns all words for one parameter."""
from __future__ import annotations

import os
from typing import Any

import typer

from .command import find
from ..errors import KpkiError


def layouts() -> list[str]:
    """The layouts."""
    from ..kubernetes.layouts import LAYOUTS
    return [layout.name for layout in LAYOUTS]


def algorithms() -> list[str]:
    """The algorithms of keys."""
    from ..cluster.authority import ALGORITHMS
    return [*ALGORITHMS]


def components() -> list[str]:
    """The components that have start flags."""
    from ..kubernetes.components import COMPONENTS
    return [component.name for component in COMPONENTS]


def rows() -> list[str]:
    """The rows of certificates that a host has."""
    from ..kubernetes.profiles import PROFILES
    return [profile.name for profile in PROFILES if profile.kind == "leaf"]


def users() -> list[str]:
    """The rows that have a kubeconfig."""
    from ..cluster.users import ROW_NAMES
    return sorted(ROW_NAMES)


def nodes(ctx: typer.Context) -> list[str]:
    """The nodes of the workspace that the line names, else of this folder's workspace."""
    from ..cluster.workspace import read_cluster
    folder = next((ctx.params[name] for name in ("workspace", "folder") if ctx.params.get(name)),
                  os.curdir)
    try:
        return [host.name for host in read_cluster(folder).hosts]
    except KpkiError:
        return []


def commands(ctx: typer.Context) -> list[tuple[str, str]]:
    """The commands of kpki, below the commands that the line names already."""
    group: Any = find(ctx.parent, ctx.params.get("command") or []).command
    return [(name, command.get_short_help_str())
            for name, command in getattr(group, "commands", {}).items()]


def lessons() -> list[str]:
    """The lessons."""
    from ..lessons.catalogue import NAMES
    return [*NAMES]


def glossary() -> list[str]:
    """The words of the glossary, and the causes."""
    from ..kubernetes.causes import CAUSES
    from ..lessons.glossary import load_glossary
    words = [word for entry in load_glossary("en") for word in entry.words if " " not in word]
    return [*words, *CAUSES]
