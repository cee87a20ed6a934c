"""The state of an exchange, read from the files of a workspace and of all its hosts."""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import NamedTuple

from .exchange import CA_PHASES, KEY_PHASES, Exchange, read_workspace
from .holding import Anchor, Holding, find_gaps, merged, state_of
from .host_exchange import PhaseTarget, holding_of
from .trees import hosts_with_trees, read_tree, tree_of, user_paths
from ..desired.description import Cluster
from ..desired.rows import Row, Wanted
from ..fleet.processes import in_turn
from ..fleet.survey import batches, processes_for
from ..observed.components import kubeconfig_uses
from ..observed.inventory import Inventory, observe_file, require, tree_observer
from ..observed.tree import Tree
from ..observed.use import Use
from ..workspace import read_cluster
from ...clock import utc_now
from ...kubernetes.layouts import WORKSPACE, Layout
from ...kubernetes.profiles import SERVICE_ACCOUNTS


@dataclass(frozen=True, slots=True)
class HostExchange:
    """The state of one host in an exchange.

    >>> status = kpki.read_exchange(workspace, "ca")
    >>> [(found.host, found.phase) for found in status.hosts]
    [(None, 'before'), ('cp-1', 'before'), ('worker-1', 'before')]
    """

    host: str | None
    """The host; None for the workspace itself, with the kubeconfigs of its users."""
    phase: str
    """The state: `before`, `trusting`, `trusted`, `switching`, `switched`, `forgetting`, `done`.

    Of the service accounts' key: `before`, `publishing`, `published`, `signing`, `signed`,
    `retiring`, `done`.
    """
    trusts: tuple[Anchor, ...]
    """The CAs, or keys, that every verifier of the host trusts now."""
    presents: tuple[Anchor, ...]
    """The CAs, or keys, that signed what the host presents, or sign there."""
    strange: tuple[str, ...] = ()
    """What is damaged or foreign, and so stays: the file, and why."""


@dataclass(frozen=True, slots=True)
class ExchangeStatus:
    """The state of an exchange, as the files of the workspace and of all hosts show it.

    >>> status = kpki.read_exchange(workspace, "ca")
    >>> status.phase, status.next, status.behind
    ('before', 'trust', ())
    """

    authority: str
    """The row: `ca`, `etcd-ca`, `front-proxy-ca` or `service-accounts`."""
    phase: str
    """The phase that the workspace asks of every host: `before`, `trust`, `switch` or `forget`.

    Of the service accounts' key: `before`, `publish`, `sign` or `retire`.
    """
    old: Anchor
    """The CA, or key, before the exchange."""
    new: Anchor | None
    """The CA, or key, after the exchange; None before the exchange begins."""
    hosts: tuple[HostExchange, ...]
    """The workspace itself, then each host with a tree that the exchange concerns."""
    behind: tuple[str, ...]
    """The hosts that are not in the workspace's phase yet."""
    late: tuple[str, ...]
    """Those of them that have missed an earlier phase too."""
    cut_off: tuple[str, ...]
    """The hosts that refuse what another host presents."""
    next: str
    """The phase to go to next, "" if the exchange is done."""


class Reads(NamedTuple):
    """Which files of a host matter in an exchange."""

    layout: Layout
    """The host's layout, with the places of the exchanged CA alone."""
    uses: tuple[Use, ...]
    """The files that the host's components read."""


class Fleet(NamedTuple):
    """The workspace and its hosts at one moment."""

    folder: str
    cluster: Cluster
    wanted: Wanted
    exchange: Exchange
    now: datetime
    hosts: Sequence[str]
    """The hosts with a tree."""
    holdings: Sequence[Holding] = ()
    """The workspace's, then each host's."""
    reads: Mapping[str, Reads] = {}
    """Which files of each host matter."""

    def rows_of(self, host: str) -> tuple[Row, ...]:
        """The rows that the description asks of a host."""
        return self.wanted.of_host(self.cluster.host(host))


def read_exchange(folder: str | os.PathLike[str], authority: str, *, now: datetime | None = None,
                  host_name: str = "", processes: int | None = None) -> ExchangeStatus:
    """The state of an exchange in a workspace, read from the files of all hosts.

    *authority* is `ca`, `etcd-ca`, `front-proxy-ca` or `service-accounts`, *now* the moment (None:
    the clock). *host_name* is this host's name, for a kubeadm configuration without a node name.
    Many hosts are read by as many *processes* (None: one per processor). Raises InputError for
    another authority or files of no known state, and FileError if a file cannot be read.

    >>> kpki.read_exchange(workspace, "ca").phase
    'before'
    """
    folder = os.fspath(folder)
    cluster = read_cluster(folder, host_name=host_name)
    return status_of(read_fleet(folder, cluster, authority, now or utc_now(), processes))


def read_fleet(folder: str, cluster: Cluster, authority: str, now: datetime,
               processes: int | None) -> Fleet:
    """Read the files of the workspace and of all hosts that matter for one CA or token key.

    Raises as `read_exchange`.
    """
    exchange = read_workspace(folder, cluster, authority)
    fleet = Fleet(folder, cluster, Wanted(cluster), exchange, now,
                  hosts_with_trees(cluster, folder))

    def read(batch: Sequence[str]) -> list[tuple[Holding, Reads]]:
        found = list[tuple[Holding, Reads]]()
        for host in batch:
            inventory = read_tree(cluster, folder, host)
            found.append((holding_of(exchange, inventory, host, now, rows=fleet.rows_of(host)),
                          Reads(_of_row(inventory.layout, exchange.row), inventory.uses)))
        return found

    count = processes_for(len(fleet.hosts), processes)
    hosts = [pair for part in in_turn(read, batches(fleet.hosts, count), count) for pair in part]
    return fleet._replace(
        holdings=concerned([own_holding(fleet), *(holding for holding, _ in hosts)]),
        reads={host: reads for host, (_, reads) in zip(fleet.hosts, hosts, strict=True)})


@lru_cache(maxsize=8)       # the hosts of a fleet have one layout
def _of_row(layout: Layout, row: str) -> Layout:
    """A layout with the places of one row alone."""
    return replace(layout, places=tuple(place for place in layout.places if place.row == row))


def own_holding(fleet: Fleet) -> Holding:
    """What the workspace itself, with the kubeconfigs of its users, trusts and presents."""
    exchange, now = fleet.exchange, fleet.now
    signer, bundle = exchange.signer, frozenset(member.anchor for member in exchange.members)
    own = Holding(None, frozenset(member.anchor for member in exchange.members
                                  if member.is_valid(now)), bundle, bundle,
                  frozenset([signer.anchor] * signer.is_valid(now)), frozenset([signer.anchor]))
    if not exchange.of_ca:
        return own
    return merged([own, holding_of(exchange, users_in(fleet.folder), None, now)])


def concerned(holdings: Iterable[Holding]) -> list[Holding]:
    """The workspace's holding, and those of hosts that the exchange concerns."""
    return [holding for holding in holdings
            if holding.host is None or holding.holds is not None or holding.signed]


def inventory_in(fleet: Fleet, host: str) -> Inventory:
    """The files of a host that matter, as they are now; which they are is known.

    Raises AccessError for a file that cannot be read.
    """
    (layout, uses), root = fleet.reads[host], os.path.abspath(tree_of(fleet.folder, host))
    observe = tree_observer(root, partial(observe_file, root))
    paths = dict.fromkeys([*(use.file for use in uses), *(path for path, _ in layout.files())])
    found = {path: observe(path) for path in paths}
    if any(file.link for file in found.values()):   # a link may lead out of the tree
        tree = Tree(root)
        found = {path: tree.file(path, "") for path in paths}
    return require(Inventory(root, layout, found, uses=uses, unread=tuple(
        file.unread for file in found.values() if file.unread)))


def users_in(folder: str) -> Inventory:
    """The kubeconfigs of the workspace's users."""
    tree, uses = Tree(folder), list[Use]()
    for path in user_paths(folder):
        uses += kubeconfig_uses(tree, Use(
            component="kubectl", setting="--kubeconfig", source=path, path=path, group=path,
            purpose="admin-client", part="kubeconfig"), f"/{path}")
    for use in uses:
        tree.file(use.file, use.source)
    return Inventory(folder, replace(WORKSPACE, places=()), tree.found, uses=tuple(uses))


# The state


def status_of(fleet: Fleet) -> ExchangeStatus:
    """The state of the exchange that a fleet's files show."""
    exchange, holdings = fleet.exchange, fleet.holdings
    phase, phases, new = exchange.phase, exchange.phases, exchange.new
    behind = [holding for holding in holdings if not is_in(exchange, phase, holding)]
    refusing = {gap.host for gap in find_gaps(holdings)}
    return ExchangeStatus(
        exchange.row, phases[phase], exchange.old.anchor, new.anchor if new else None,
        tuple(HostExchange(
            holding.host, state_of(holding, exchange.old.anchor, new.anchor if new else None,
                                   of_ca=exchange.of_ca),
            tuple(sorted(holding.trusts or ())), tuple(sorted(holding.presents)),
            holding.strange) for holding in holdings),
        tuple(holding.host or "" for holding in behind),
        tuple(holding.host or "" for holding in behind
              if phase > 1 and not is_in(exchange, phase - 1, holding, signs=phase > 2)),
        tuple(holding.host or "" for holding in holdings if holding.host in refusing),
        phases[phase] if behind else phases[phase + 1] if phase + 1 < len(phases) else "")


def phase_number(status: ExchangeStatus) -> int:
    """The number of a phase's name, 0 to 3."""
    phases = KEY_PHASES if status.authority == SERVICE_ACCOUNTS else CA_PHASES
    return phases.index(status.phase)


def target_of(exchange: Exchange, phase: int) -> PhaseTarget:
    """What a phase gives each host."""
    old, new = exchange.old, exchange.new
    if new is None:
        return PhaseTarget((old,), (), old)
    return PhaseTarget(((old,), (old, new), (old, new), (new,))[phase],
                       ((new.anchor,), (), (), (old.anchor,))[phase], new if phase > 1 else old)


def is_in(exchange: Exchange, phase: int, holding: Holding, *, signs: bool = True) -> bool:
    """Whether a host is in a phase; without *signs* only the CAs that the host holds count."""
    target, ends = target_of(exchange, phase), exchange.anchors
    if exchange.new is None:
        return True
    held = holding.holds is None or {member.anchor for member in target.adds} <= holding.holds
    if not signs:
        return exchange.new.anchor in holding.knows and held
    return held and holding.knows.isdisjoint(target.drops) \
        and holding.signed & ends <= {target.signer.anchor}
