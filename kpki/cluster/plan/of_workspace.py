"""The plan for a workspace on disk."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache

from .plan import Plan, make_plan
from ..authority import Passphrase
from ..desired.description import Cluster
from ..observed.inventory import ObservedFile
from ..workspace import (
    ca_keys,
    description_path,
    ensure_example_description,
    locked,
    read_cluster,
    workspace_observer,
)
from ... import files
from ...kubernetes.components import COMPONENTS
from ...kubernetes.layouts import Layout
from ...kubernetes.restarts import components_of


def plan_of(folder: str, *, now: datetime, cluster: Cluster | None = None,
            passphrase: bytes | None = None, host_name: str | None = None,
            observe: Callable[[str], ObservedFile] | None = None,
            renew_before: timedelta | None = None) -> Plan:
    """The plan for a workspace: its description (or *cluster*), and its files (or *observe*'s).

    *host_name* is as for `read_cluster`, *renew_before* as for `make_plan`.
    """
    if cluster is None:
        cluster = read_cluster(folder, host_name=host_name)
    return make_plan(cluster, observe=observe or workspace_observer(folder), now=now,
                     passphrase=passphrase, renew_before=renew_before,
                     read=lambda path: files.read(os.path.join(folder, path)))


@contextmanager
def held_plan(folder: str, *, example: bool = False, renew_before: timedelta | None = None,
              passphrase: Passphrase, now: datetime, host_name: str,
              warnings: list[str]) -> Iterator[Plan]:
    """The plan for a workspace, for `apply`; the workspace is locked until the block ends.

    *example* writes the built-in description first. Raises FileError if there is no description, or
    a description other than the example.
    """
    if not example:
        description_path(folder)
    with locked(folder, now):
        if example:
            ensure_example_description(folder, now, warnings)
        cluster = read_cluster(folder, host_name=host_name)
        secret = passphrase((path, files.read(path)) for path in ca_keys(folder, cluster))
        yield plan_of(folder, now=now, cluster=cluster, renew_before=renew_before,
                      passphrase=secret)


def restarts(plan: Plan,
             changed: Mapping[str | None, set[str]]) -> dict[tuple[str, ...], list[str]]:
    """Components → the hosts where they must restart, for changed files (host → paths).

    A host whose files are all new runs no component yet.
    """
    hosts = dict[tuple[str, ...], list[str]]()
    for host in plan.cluster.hosts:
        paths = changed.get(host.name, set())
        if not paths or paths >= {path for row in plan.wanted.of_host(host)
                                  for path in row.paths()}:
            continue
        if components := components_to_restart(plan.wanted.layout, host.roles, frozenset(paths)):
            hosts.setdefault(components, []).append(host.name)
    return hosts


@lru_cache(maxsize=64)      # the hosts of a fleet change the same files
def components_to_restart(layout: Layout, roles: frozenset[str],
                          paths: frozenset[str]) -> tuple[str, ...]:
    """The components of a host's *roles* that read one of *paths*."""
    running = {component.name for component in COMPONENTS if component.role in {"", *roles}}
    return tuple(components_of(layout, paths, running))
