"""A person's order to install files on a host; the orders that need no host do not load this."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from . import node as nodes
from .installation import Installation, install, plan_install, read_source
from ..observed.whose import owner_of
from ... import files
from ...errors import InputError, about
from ...kubernetes.layouts import Layout, get_layout
from ...kubernetes.profiles import validate_node_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The result of an installation."""

    plan: Installation
    """The files to install, and the facts about the host."""
    layout: Layout
    """The layout of the source's files."""
    node: str
    """The name of the host's node."""
    written: Sequence[tuple[files.File, str]]
    """Each file, with its path below the root, and the action."""


def install_order(source: str, *, root: str, node: str | None = None, key: str | None = None,
                  server: str | None = None, layout: str | None = None, now: datetime,
                  host_name: str, warnings: list[str]) -> Installed:
    """Install a node's files below *root*, from a tree, an archive, or a signed certificate.

    *node* is the name of the root's node (None: found in the root), *key* the path of the request's
    key for a signed certificate. Raises RefusedError for wrong files, InputError if nothing names
    the node.
    """
    name = validate_node_name(_owner(root, source, host_name) if node is None else node)
    nodes.validate_wishes(server=server)
    named = None if layout is None else get_layout(layout)
    chosen, given = read_source(source, named, root=root, key=key, node=name, server=server)
    with about(source):
        plan = plan_install(given, root, name, layout=chosen, server=server, now=now)
    warnings += plan.warnings
    written = install(plan, root, now=now, warnings=warnings)
    return Installed(plan=plan, layout=chosen, node=name, written=written)


def _owner(root: str, source: str, host_name: str) -> str:
    """The node of the root.

    Raises InputError if nothing names the node, or this user may not read such a file.
    """
    if name := owner_of(root, host_name=host_name, source=source):
        return name
    raise InputError(f"{root}: the node is unknown, for this user may not read a file that could "
                     "name the node",
                     hint="run the command as root, or name the node: --node NAME")
