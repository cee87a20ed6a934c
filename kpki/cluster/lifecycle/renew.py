"""`kpki renew`: new dates for the certificates of a workspace, or of a host that holds its CAs."""
from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence, Set as AbstractSet
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .expiry import read_certificates
from .renewal import HostRenewal, renew_pairs
from ..authority import Authority, Passphrase, load_bundle
from ..desired.description import Cluster
from ..desired.rows import NODES_FOLDER, layout_of
from ..fleet.processes import in_turn
from ..fleet.survey import batches, processes_for
from ..leaf_files import Step
from ..node.installation import BACKUP as HOST_BACKUP, LOCK
from ..observed.contents import read_certificates as read_certificates_in
from ..observed.hosts import inventory_of
from ..observed.inventory import Inventory, require
from ..observed.restarts import restart_commands
from ..observed.uses import read_host
from ..plan.host_plan import Waiting
from ..plan.of_workspace import components_to_restart
from ..rules.facts import Pair, pairs_of, read_pair, signing_pairs_of, trust_files_of
from ..workspace import (
    BACKUP,
    authority_paths,
    is_there,
    locked,
    observe_workspace_file,
    read_cluster,
    write,
)
from ... import files, pem
from ...errors import InputError, about
from ...kubernetes import reading
from ...kubernetes.kubeconfig import load_users
from ...kubernetes.layouts import FOLDER_MODE, WORKSPACE
from ...kubernetes.profiles import get_profile
from ...kubernetes.restarts import of_layout
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_AUTHORITIES = ("ca", "etcd-ca", "front-proxy-ca")
_USERS, _KUBECONFIG = "users", ".conf"
_MOST_NAMES = 20    # in a message


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants renewed."""

    names: tuple[str, ...] = ()
    """Of a workspace HOST, HOST/ROW or USER, of a host ROW; without names the dates decide."""
    everything: bool = False
    """Whether all certificates are renewed, whatever their dates are."""
    within: timedelta = timedelta(days=30)
    """What ends in this time is renewed, if no name is given."""
    new_key: bool = False
    """Whether each certificate gets a new key."""

    def wants(self, pair: Pair, now: datetime, *names: str) -> bool:
        """Whether a pair is renewed; *names* are those that a person may call the pair by."""
        if self.names:
            return bool({*names} & {*self.names})
        return self.everything or (bool(pair.chain)
                                   and pair.chain[0].not_valid_after_utc - now < self.within)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What was renewed, and what is to be done now."""

    steps: tuple[Step, ...] = ()
    """The files that were written."""
    renewed: int = 0
    """The number of certificates with new dates."""
    waiting: tuple[Waiting, ...] = ()
    """The certificates that wait for the key of a CA."""
    restarts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """Commands, and the hosts on which they are to be run, in order."""


class _Done(NamedTuple):
    """What was done in one tree; plain values, for another process."""

    host: str | None
    """The host, None for the workspace's own files and for the tree of one host."""
    steps: tuple[Step, ...]
    renewed: int
    waiting: tuple[Waiting, ...]
    restarts: tuple[str, ...]
    """The commands that restart what reads the files."""


def renew_host(root: str, order: Order, *, passphrase: Passphrase, now: datetime,
               warnings: list[str]) -> Renewal:
    """Renew certificates of a host that holds the keys of its CAs; *root* is the host's `/`.

    The files count that a component reads (see `inspect_host`). A new certificate is valid as long
    as the old certificate was, and at least a year. Replaced files stay under var/lib/kpki/backup.
    Raises InputError for a name that no certificate of the host has, RefusedError for a CA that has
    ended.
    """
    inventory = require(inventory_of(root, read_host(root)))
    pairs, authorities = _pairs(inventory), _of_host(inventory, passphrase)
    _validate_names(order, {pair.row for pair in pairs}, root)
    # a host without a CA's key is only looked at, and gets no lock
    with files.lock(root, LOCK, now=now, folder_mode=FOLDER_MODE) if authorities else nullcontext():
        if authorities:     # another run may have written while this one waited
            inventory = require(inventory_of(root, read_host(root)))
            pairs = _pairs(inventory)
        found = renew_pairs(inventory, [pair for pair in pairs if order.wants(pair, now, pair.row)],
                            authorities, now=now, validity=None, new_key=order.new_key,
                            warnings=warnings)
        if found.files:
            files.replace_tree(root, found.files, folder_mode=FOLDER_MODE, backup=HOST_BACKUP,
                               now=now, warnings=warnings)
    return _summed([_done(None, found, restart_commands(inventory, _rows(found).keys()))])


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
        known = [host.name for host in cluster.hosts if is_there(_tree(folder, host.name))]
        users = _users(folder)
        _validate_names(order, {*known, *(pair.row for pair in _pairs_of_users(users)),
                                *_rows_of_hosts(order, known, cluster, folder)}, folder)
        hosts = _asked_hosts(order, known, folder, now)
        run = files.free_run(folder, BACKUP, now)
        work = partial(_renew, _Work(folder, cluster, order, now, run,
                                     _of_workspace(cluster, folder, passphrase), users))
        count = processes_for(len(hosts), processes)
        parts: list[Sequence[str | None]] = [[None], *(
            [hosts[number] for number in batch] for batch in batches(range(len(hosts)), count))]
        done = list[_Done]()
        for trees, said in in_turn(work, parts, count):
            done += trees
            warnings += said
    return _summed(done)


class _Work(NamedTuple):
    """One renewal of a workspace."""

    folder: str
    cluster: Cluster
    order: Order
    now: datetime
    run: str
    """The name of the run's folder in the backup."""
    authorities: Sequence[Authority]
    users: Inventory
    """The kubeconfigs of the workspace's users."""


def _renew(work: _Work, hosts: Sequence[str | None]) -> tuple[list[_Done], list[str]]:
    """Renew the trees of a batch of hosts, None for the workspace's own files; all or none."""
    done, warnings, written = list[_Done](), list[str](), list[files.File]()
    for host in hosts:
        if host is None:
            place, inventory = "", work.users
            pairs = [pair for pair in _pairs_of_users(inventory)
                     if work.order.wants(pair, work.now, pair.row)]
        else:
            place = f"{NODES_FOLDER}/{host}/"
            inventory = _inventory(work.cluster, work.folder, host)
            pairs = [pair for pair in _pairs(inventory)
                     if work.order.wants(pair, work.now, host, f"{host}/{pair.row}")]
        found = renew_pairs(inventory, pairs, work.authorities, now=work.now,
                            validity=work.cluster.validity, new_key=work.order.new_key,
                            warnings=warnings)
        written += [replace(file, path=place + file.path) for file in found.files]
        done.append(_done(host, found, _restarts(work.cluster, host, _rows(found))))
    if written:
        write(work.folder, written, trees=NODES_FOLDER, now=work.now, run=work.run,
              warnings=warnings)
    return done, warnings


def _done(host: str | None, found: HostRenewal, restarts: Iterable[str]) -> _Done:
    rows = _rows(found)
    steps = tuple(Step("replace", host, file.path, rows.get(file.path, ""), ("renewed",))
                  for file in found.files)
    waiting = tuple(Waiting(host, pair.path, pair.row,
                            f"the key of {reading.issuer_text(pair.chain[0])}")
                    for pair in found.waiting)
    return _Done(host, steps, len(found.renewed), waiting, tuple(restarts) if steps else ())


def _summed(done: Iterable[_Done]) -> Renewal:
    """One result for all trees; hosts with the same restarts stand together."""
    done = [*done]
    restarts = dict[tuple[str, ...], list[str]]()
    for tree in done:
        if tree.restarts:
            restarts.setdefault(tree.restarts, []).append(tree.host or "")
    return Renewal(tuple(step for tree in done for step in tree.steps),
                   sum(tree.renewed for tree in done),
                   tuple(waiting for tree in done for waiting in tree.waiting),
                   tuple((commands, tuple(hosts)) for commands, hosts in restarts.items()))


def _rows(found: HostRenewal) -> dict[str, str]:
    """The files by whose names components read what was renewed, each with the row."""
    return {path.partition("#")[0]: pair.row for pair in found.renewed
            for path in (pair.path, pair.key_path) if path}


def _pairs(inventory: Inventory) -> list[Pair]:
    """Each pair that components use, once: what a kubelet signs for itself is none of a CA's."""
    pairs = {pair.path: pair for pair in pairs_of(inventory)
             if pair.chain and not reading.is_named_issuer(pair.chain[0], pair.chain[0])}
    return [*pairs.values()]


def _users(folder: str) -> Inventory:
    """The kubeconfigs of a workspace's users."""
    there = files.read_entry(folder, _USERS).kind == "folder"
    names = sorted(files.list_names(os.path.join(folder, _USERS))) if there else []
    found = [observe_workspace_file(folder, f"{_USERS}/{name}") for name in names
             if name.endswith(_KUBECONFIG)]
    return Inventory(folder, WORKSPACE, {file.path: file for file in found})


def _pairs_of_users(users: Inventory) -> list[Pair]:
    """The pairs that kubeconfigs of users embed; the row is the user's name, as the file has it."""
    pairs = []
    for path, file in users.found.items():
        name = os.path.basename(path).removesuffix(_KUBECONFIG)
        for user, material in load_users(file.data or b"").items():
            certificate, key = (replace(file, path=f"{path}#users/{user}", data=half.data)
                                for half in material)
            if certificate.data and key.data:
                pairs.append(read_pair(name, certificate, key))
    return [pair for pair in pairs if pair.chain]


def _of_host(inventory: Inventory, passphrase: Passphrase) -> list[Authority]:
    """The CAs whose keys lie on the host; certificate and key are paired by the public key."""
    places = [place for place in inventory.layout.places if get_profile(place.row).kind == "ca"]
    signing = signing_pairs_of(inventory)
    known = [certificate for pair in signing for certificate in pair.chain]
    for file in trust_files_of(inventory):
        known += file.certificates
    for place in places:
        known += read_certificates_in(inventory.file(place.certificate), place.row)[0]
    keys = dict.fromkeys([*(place.key for place in places), *(pair.key_path for pair in signing)])
    found = (_authority(known, os.path.join(inventory.root, path), data, passphrase)
             for path in keys if path and (data := inventory.file(path).data))
    return [authority for authority in found if authority]


def _of_workspace(cluster: Cluster, folder: str, passphrase: Passphrase) -> list[Authority]:
    """The CAs whose keys the workspace has."""
    places = [authority_paths(cluster, folder, row) for row in _AUTHORITIES]
    found = (_authority(load_bundle(files.read(certificate)), key, files.read(key), passphrase)
             for certificate, key in places if key and is_there(key) and is_there(certificate))
    return [authority for authority in found if authority]


def _authority(known: Sequence[Certificate], path: str, data: bytes,
               passphrase: Passphrase) -> Authority | None:
    """The CA of the private key in the file *path*; None if none of the certificates is for it."""
    with about(path):
        key = pem.load_key(data, passphrase([(path, data)]))
    public_key = public_key_der(key)
    return next((Authority(certificate, key) for certificate in known
                 if reading.has_public_key(certificate, public_key)), None)


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
            yield from (f"{host}/{pair.row}" for pair in _pairs(_inventory(cluster, folder, host)))


def _inventory(cluster: Cluster, folder: str, host: str) -> Inventory:
    """A host's tree in the workspace."""
    tree = _tree(folder, host)
    return inventory_of(tree, read_host(tree), layout=cluster.layout, node=host)


def _validate_names(order: Order, known: AbstractSet[str], place: str) -> None:
    """Raise InputError for a name that is not known."""
    for name in order.names:
        if name not in known:
            raise InputError(f"{place}: no certificate of {name!r} is there",
                             hint=f"known names: {', '.join(sorted(known)[:_MOST_NAMES])}")


def _restarts(cluster: Cluster, host: str | None, changed: Container[str]) -> Iterator[str]:
    """The commands for a host of the description, whose tree starts no component."""
    if host is not None:
        layout = layout_of(cluster)
        yield from of_layout(components_to_restart(layout, cluster.host(host), changed),
                             lambda _: layout.static_pods)


def _tree(folder: str, host: str) -> str:
    return os.path.join(folder, NODES_FOLDER, host)
