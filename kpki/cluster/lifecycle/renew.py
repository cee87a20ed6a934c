"""`kpki renew`: new dates for the certificates of a workspace, or of a host that holds its CAs."""
from __future__ import annotations

from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set as AbstractSet,
)
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .expiry import read_certificates
from .renewal import HostRenewal, renew_pairs
from .trees import (
    authorities_of_host,
    authorities_of_workspace,
    exchanged_authorities,
    hosts_with_trees,
    pairs_of_users,
    processes_of,
    read_tree,
    read_users,
    used_pairs,
)
from ..authority import Passphrase
from ..desired.description import Cluster
from ..desired.rows import NODES_FOLDER, Wanted, layout_of, tree_prefix
from ..fleet.survey import in_trees
from ..leaf_files import Step
from ..node.installation import HOST_BACKUP, LOCK
from ..observed.hosts import inventory_of
from ..observed.inventory import require
from ..observed.restarts import restart_commands
from ..observed.uses import read_host
from ..offline.asking import Asked, exchange, is_asked
from ..plan.host_plan import Waiting
from ..plan.of_workspace import components_to_restart, plan_of
from ..rules.facts import Pair
from ..workspace import BACKUP, locked, read_cluster, write
from ... import files
from ...errors import InputError
from ...kubernetes import reading
from ...kubernetes.layouts import FOLDER_MODE
from ...kubernetes.restarts import of_layout

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_MOST_NAMES = 20    # in a message


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants renewed."""

    names: tuple[str, ...] = ()
    """Of a workspace HOST, HOST/ROW or USER, of a host ROW; without names the dates decide.

    Of CAs the rows `ca`, `etcd-ca` and `front-proxy-ca`.
    """
    everything: bool = False
    """Whether all certificates are renewed, whatever their dates are."""
    within: timedelta = timedelta(days=30)
    """What ends in this time is renewed, if no name is given."""
    new_key: bool = False
    """Whether each certificate gets a new key."""
    keys: tuple[str, ...] = ()
    """The keys of CAs that are not in their places: files, or PKCS#11 URIs of keys in tokens."""

    def wants(self, certificate: Certificate, now: datetime, *names: str) -> bool:
        """Whether a certificate is renewed; *names* are those that a person may call it by."""
        if self.names:
            return bool({*names} & {*self.names})
        return self.everything or certificate.not_valid_after_utc - now < self.within


@dataclass(frozen=True, slots=True)
class Renewal:
    """What was renewed, and what is to be done now."""

    steps: tuple[Step, ...] = ()
    """The files that were written."""
    renewed: int = 0
    """The number of certificates, or of CAs, with new dates."""
    waiting: tuple[Waiting, ...] = ()
    """The certificates that wait for the key of a CA."""
    reissued: tuple[tuple[str | None, str], ...] = ()
    """After the renewal of CAs: host and path of each leaf that named an older serial number."""
    ending: int = 0
    """After the renewal of CAs: the number of leaves that end with their CA's old certificate."""
    restarts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """Commands, and the hosts on which they are to be run, in order."""
    asked: Asked | None = None
    """What was asked of CAs whose keys are elsewhere, and what their answers gave."""


class TreeResult(NamedTuple):
    """What was done in one tree; plain values, for another process."""

    host: str | None
    """The host, None for the workspace's own files and for the tree of one host."""
    steps: tuple[Step, ...]
    renewed: int
    waiting: tuple[Waiting, ...]
    restarts: tuple[str, ...]
    """The commands that restart what reads the files."""
    authorities: frozenset[str] = frozenset()
    """The rows of the CAs that were renewed."""
    reissued: tuple[str, ...] = ()
    """The paths of the leaves that named an older serial number of their CA."""
    ending: int = 0
    """The number of leaves that end with their CA's old certificate."""


# The files to write in one tree, and what they do.
TreeRenewal = tuple[Sequence[files.File], TreeResult]


def renew_host(root: str, order: Order, *, passphrase: Passphrase, now: datetime,
               warnings: list[str]) -> Renewal:
    """Renew certificates of a host that holds the keys of its CAs; *root* is the host's `/`.

    The files count that a component reads (see `inspect_host`). A new certificate is valid as long
    as the old certificate was, and at least a year. Replaced files stay under var/lib/kpki/backup.
    Raises InputError for a name that no certificate of the host has, RefusedError for a CA that has
    ended.
    """
    inventory = require(inventory_of(root, read_host(root)))
    pairs, authorities = used_pairs(inventory), authorities_of_host(
        inventory, passphrase, order.keys)
    validate_names(order, {pair.row for pair in pairs}, root)
    # a host without a CA's key is only looked at, and gets no lock
    with files.lock(root, LOCK, now=now, folder_mode=FOLDER_MODE) if authorities else nullcontext():
        if authorities:     # another run may have written while this one waited
            inventory = require(inventory_of(root, read_host(root)))
            pairs = used_pairs(inventory)
        wanted = [pair for pair in pairs if order.wants(pair.chain[0], now, pair.row)]
        found = renew_pairs(inventory, wanted, authorities, now=now, validity=None,
                            new_key=order.new_key, warnings=warnings)
        if found.files:
            files.replace_tree(root, found.files, folder_mode=FOLDER_MODE, backup=HOST_BACKUP,
                               now=now, warnings=warnings)
    return summed([_done(None, found, restart_commands(inventory, _rows(found).keys()))])


def renew_workspace(folder: str, order: Order, *, passphrase: Passphrase, now: datetime,
                    host_name: str, warnings: list[str],
                    processes: int | None = None) -> Renewal:
    """Renew certificates of a workspace: of its hosts' trees, and of its users' kubeconfigs.

    The description says how long a new certificate is valid. Replaced files stay under backup/. A
    batch of hosts is changed completely or not at all. Raises InputError for a name that the
    workspace does not have, RefusedError for a CA that has ended.
    """
    with locked(folder, now):
        cluster = read_cluster(folder, host_name=host_name)
        known = hosts_with_trees(cluster, folder)
        users = read_users(folder)
        validate_names(order, {*known, *(pair.row for pair in pairs_of_users(users)),
                                *_rows_of_hosts(order, known, cluster, folder)}, folder)
        hosts = _asked_hosts(order, known, folder, now)
        own = [pair for pair in pairs_of_users(users) if order.wants(pair.chain[0], now, pair.row)]
        # nobody is asked for a passphrase, or a PIN, if nothing is to be signed
        authorities = authorities_of_workspace(cluster, folder, passphrase, order.keys) \
            if hosts or own else []
        exchanged, wanted = exchanged_authorities(folder), Wanted(cluster)

        def renew_tree(host: str | None, said: list[str]) -> TreeRenewal:
            if host is None:
                inventory, pairs = users, own
            else:
                inventory = read_tree(cluster, folder, host)
                rows = wanted.of_host(cluster.host(host))
                pairs = [pair for pair in used_pairs(inventory, rows, authorities)
                         if order.wants(pair.chain[0], now, host, f"{host}/{pair.row}")]
            found = renew_pairs(inventory, pairs, authorities, now=now, validity=cluster.validity,
                                new_key=order.new_key, warnings=said, exchanged=exchanged)
            return found.files, _done(host, found, restarts_of(cluster, host, _rows(found)))

        done = renew_trees(folder, hosts, renew_tree, now=now, warnings=warnings,
                           processes=processes_of(authorities, processes))
        waiting = {(waiting.host, waiting.path.partition("#")[0])
                   for tree in done for waiting in tree.waiting}
        if order.new_key or not (waiting or is_asked(folder)):
            return summed(done)
        plan = plan_of(folder, now=now, cluster=cluster)
        asked = exchange(plan, folder, [*plan.waiting()], now=now, warnings=warnings,
                         renewing=waiting)
        return replace(summed(_answered(done, asked, cluster)), asked=asked)


def renew_trees(folder: str, hosts: Sequence[str],
                renew_tree: Callable[[str | None, list[str]], TreeRenewal], *,
                now: datetime, warnings: list[str], processes: int | None) -> list[TreeResult]:
    """Renew a workspace's own files, then the trees of *hosts*: a batch completely or not at all.

    *renew_tree* gives the files of a host's tree, None for the workspace's own files, and what they
    do; sentences for a person are added to its list, and then to *warnings*.
    """
    run = files.free_run(folder, BACKUP, now)

    def renew(batch: Sequence[str | None]) -> tuple[list[TreeResult], list[str]]:
        done, said, written = list[TreeResult](), list[str](), list[files.File]()
        for host in batch:
            changed, result = renew_tree(host, said)
            written += [replace(file, path=tree_prefix(host) + file.path) for file in changed]
            done.append(result)
        if written:
            write(folder, written, trees=NODES_FOLDER, now=now, run=run, warnings=said)
        return done, said

    done = list[TreeResult]()
    for trees, said in in_trees(renew, hosts, processes):
        done += trees
        warnings += said
    return done


def _answered(done: Iterable[TreeResult], asked: Asked,
              cluster: Cluster) -> Iterator[TreeResult]:
    """The results, with what the answers of CAs elsewhere gave in each tree."""
    trees = {tree.host: tree for tree in done}
    for host in dict.fromkeys([*trees, *(step.host for step in asked.steps)]):
        tree = trees.get(host, TreeResult(host, (), 0, (), ()))
        steps = tuple(step for step in asked.steps if step.host == host)
        paths = {step.path for step in steps}
        yield tree._replace(
            steps=(*tree.steps, *steps), renewed=tree.renewed + len({step.row for step in steps}),
            waiting=tuple(waiting for waiting in tree.waiting
                          if waiting.path.partition("#")[0] not in paths),
            restarts=tuple(restarts_of(cluster, tree.host, {
                *paths, *(step.path for step in tree.steps)})) if steps else tree.restarts)


def _done(host: str | None, found: HostRenewal, restarts: Iterable[str]) -> TreeResult:
    steps = steps_of(host, found.files, _rows(found))
    return TreeResult(host, steps, len(found.renewed), waiting_of(host, found.waiting),
                      tuple(restarts) if steps else ())


def steps_of(host: str | None, written: Iterable[files.File],
             rows: Mapping[str, str]) -> tuple[Step, ...]:
    """The steps of the files that a renewal writes in one tree; *rows* by path."""
    return tuple(Step("replace", host, file.path, rows.get(file.path, ""), ("renewed",))
                 for file in written)


def waiting_of(host: str | None, pairs: Iterable[Pair]) -> tuple[Waiting, ...]:
    """The pairs of one tree that wait for their CA's key."""
    return tuple(Waiting(host, pair.path, pair.row,
                         f"the key of {reading.issuer_text(pair.chain[0])}") for pair in pairs)


def summed(done: Iterable[TreeResult]) -> Renewal:
    """One result for all trees; hosts with the same restarts stand together."""
    done = [*done]
    restarts = dict[tuple[str, ...], list[str]]()
    for tree in done:
        if tree.restarts:
            restarts.setdefault(tree.restarts, []).append(tree.host or "")
    return Renewal(tuple(step for tree in done for step in tree.steps),
                   sum(tree.renewed for tree in done)
                   + len({row for tree in done for row in tree.authorities}),
                   tuple(waiting for tree in done for waiting in tree.waiting),
                   tuple((tree.host, path) for tree in done for path in tree.reissued),
                   sum(tree.ending for tree in done),
                   tuple((commands, tuple(hosts)) for commands, hosts in restarts.items()))


def _rows(found: HostRenewal) -> dict[str, str]:
    """The files by whose names components read what was renewed, each with the row."""
    return {path.partition("#")[0]: pair.row for pair in found.renewed
            for path in (pair.path, pair.key_path) if path}


def _asked_hosts(order: Order, known: Sequence[str], folder: str, now: datetime) -> list[str]:
    """The hosts with something to renew, as far as names and dates tell."""
    if order.names:
        asked = {name.partition("/")[0] for name in order.names}
        return [host for host in known if host in asked]
    if order.everything:
        return [*known]
    ending = {found.host for found in read_certificates(folder).ending(order.within, now)}
    return [host for host in known if host in ending]


def _rows_of_hosts(order: Order, known: Sequence[str], cluster: Cluster,
                   folder: str) -> Iterator[str]:
    """HOST/ROW of each certificate of the hosts of which a person named a row."""
    for host in dict.fromkeys(name.partition("/")[0] for name in order.names if "/" in name):
        if host in known:
            yield from (f"{host}/{pair.row}"
                        for pair in used_pairs(read_tree(cluster, folder, host)))


def validate_names(order: Order, known: AbstractSet[str], place: str,
                   noun: str = "certificate") -> None:
    """Raise InputError for a name that is not known."""
    for name in order.names:
        if name not in known:
            raise InputError(f"{place}: no {noun} of {name!r} is there",
                             hint=f"known names: {', '.join(sorted(known)[:_MOST_NAMES])}")


def restarts_of(cluster: Cluster, host: str | None, changed: Iterable[str]) -> Iterator[str]:
    """The restarts on a host of the description, whose tree starts no component."""
    if host is not None:
        layout = layout_of(cluster)
        yield from of_layout(components_to_restart(layout, cluster.host(host).roles,
                                                   frozenset(changed)),
                             lambda _: layout.static_pods)
