"""`kpki rotate`: one CA, or the key of the service accounts, is exchanged in phases.

The workspace's own files change first, so that they say what every host shall be; then the hosts
change. A run that was cut off is finished by the next run.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from .exchange import (
    Exchange,
    Member,
    authority_of,
    make_new,
    read_workspace,
    validate_new,
)
from .exchange_status import (
    ExchangeStatus,
    Fleet,
    concerned,
    inventory_in,
    is_in,
    own_holding,
    read_fleet,
    status_of,
    target_of,
    users_in,
)
from .following import Following, followings
from .holding import Gap, Holding, find_gaps
from .host_exchange import PhaseTarget, changed_data, holding_of, phase_files
from ..authority import Passphrase
from ..desired.rows import NODES_FOLDER, tree_prefix
from ..fleet.survey import in_trees
from ..leaf_files import Step
from ..workspace import BACKUP, is_there, locked, read_cluster, write
from ... import files
from ...clock import utc_now
from ...errors import InputError
from ...files import File
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, NEXT, PREVIOUS

_MOST_NAMES = 20    # in a message
_CAUSE = "exchanged"
# Gets the fleet before a phase, what the phase gives each host, and the phase's number.
Tell = Callable[[Fleet, PhaseTarget, int], None]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a phase has changed, and what follows.

    >>> rotation = kpki.rotate(workspace, "ca", dry_run=True, now=now)
    >>> [step.path for step in rotation.steps], rotation.blocked
    (['pki/ca-next.key', 'pki/ca-next.crt', 'etc/kubernetes/pki/ca-signer.crt'], ())
    """

    status: ExchangeStatus
    """The state after the phase."""
    steps: tuple[Step, ...] = ()
    """The files that were written, or would be."""
    following: tuple[Following, ...] = ()
    """What people do now, in order."""
    blocked: tuple[str, ...] = ()
    """Why the phase was not begun; empty if it was done."""


def rotate(folder: str | os.PathLike[str], authority: str, *, to: str | None = None,
           back: bool = False, dry_run: bool = False, passphrase: bytes | None = None,
           now: datetime | None = None, host_name: str = "", warnings: list[str] | None = None,
           processes: int | None = None) -> Rotation:
    """Do one phase of an exchange in a workspace: finish the present phase, else do the next.

    *to* names the phase to do, *back* goes one phase back, *dry_run* writes nothing. *passphrase*
    opens encrypted keys of CAs. *authority*, *now*, *host_name* and *processes* are as for
    `read_exchange`. Sentences for a person are added to *warnings*. A phase that is not safe is not
    begun, and the result says why. Raises InputError for an unknown phase, RefusedError for a CA
    that cannot be used, and FileError. A batch of hosts is changed completely or not at all.

    >>> kpki.rotate(workspace, "etcd-ca", to="trust", now=now).status.phase
    'trust'
    """
    return carry_out(os.fspath(folder), authority, to=to, back=back, dry_run=dry_run,
                     passphrase=lambda _: passphrase, now=now or utc_now(), host_name=host_name,
                     warnings=[] if warnings is None else warnings, processes=processes)


def carry_out(folder: str, authority: str, *, to: str | None, back: bool, dry_run: bool,
              passphrase: Passphrase, now: datetime, host_name: str, warnings: list[str],
              processes: int | None = None, tell: Tell | None = None) -> Rotation:
    """`rotate`, with a function that asks for the passphrase of a key.

    *tell* is called before the first change.
    """
    if back and to is not None:
        raise InputError("--back and --to are two ways to choose a phase",
                         hint="leave out one of the two")

    def run() -> Rotation:
        cluster = read_cluster(folder, host_name=host_name)
        fleet = read_fleet(folder, cluster, authority, now, processes)
        return _rotated(fleet, to, back, passphrase, warnings, processes, tell,
                        writes=not dry_run)

    if dry_run:
        return run()
    with locked(folder, now):
        return run()


def _rotated(fleet: Fleet, to: str | None, back: bool, passphrase: Passphrase,
             warnings: list[str], processes: int | None, tell: Tell | None, *,
             writes: bool) -> Rotation:
    status = status_of(fleet)
    if writes:
        _sweep(fleet, None, _own_paths(fleet.exchange))
    phase, reason = _choose(fleet.exchange, status, to, back)
    if phase is None:
        return Rotation(status, blocked=(reason,) if reason else ())
    if (phase == 1 and fleet.exchange.new is None) or (phase, fleet.exchange.phase) == (1, 3):
        fleet = fleet._replace(exchange=_begun(fleet, passphrase))
    exchange = fleet.exchange
    if phase:
        validate_new(exchange, fleet.now)
    target = target_of(exchange, phase)
    if blocked := [*_obstacles(fleet, target, phase)]:
        return Rotation(status, blocked=tuple(blocked))
    target = _opened(fleet, target, passphrase)
    bundled = [holding.host or "" for holding in fleet.holdings if holding.bundled]
    if phase == 1 and exchange.phase == 0 and bundled:
        target = target._replace(bundles=False)
    if tell:
        tell(fleet, target, phase)
    work = _Work(fleet, fleet, target, phase, files.free_run(fleet.folder, BACKUP, fleet.now),
                 writes)
    steps, holdings = work.change_workspace(warnings), list[Holding]()
    work = work._replace(after=work.fleet_again())
    for done, said, held in in_trees(work.change_hosts, fleet.hosts, processes):
        steps += done
        holdings += held
        warnings += [line for line in said if line not in warnings]
    if not target.bundles and not steps:
        return Rotation(status, blocked=(
            f"{_listed(bundled)}: --cluster-signing-cert-file of kube-controller-manager still "
            "names the file of the trusted CAs, and the file may not become a bundle",))
    if writes:
        fleet = work.after._replace(holdings=concerned(holdings))
        if phase == 0 and all(is_in(exchange, 0, holding) for holding in fleet.holdings):
            steps += work.forget_new(warnings)
            fleet = fleet._replace(exchange=work.fleet_again().exchange)
        status = status_of(fleet)
    return Rotation(status, tuple(steps), followings(
        fleet.cluster, exchange.row, phase, first=not target.bundles,
        back=phase < exchange.phase) if steps else ())


def _choose(exchange: Exchange, status: ExchangeStatus, to: str | None,
            back: bool) -> tuple[int | None, str]:
    """The number of the phase to do; None with the reason for none, "" if nothing is to be done."""
    now, phases = exchange.phase, exchange.phases
    if back:
        if now == 0 and exchange.new is None:
            return None, "no exchange has begun, so there is no way back"
        return max(now - 1, 0), ""
    if to is None:
        if status.behind:
            return now, ""
        return (now + 1, "") if now + 1 < len(phases) else (None, "")
    if to not in phases[1:]:
        raise InputError(f"{to!r} is no phase of {exchange.row}",
                         hint=f"the phases are {', '.join(phases[1:])}; --back goes one phase back")
    wanted = phases.index(to)
    if wanted in (now, now + 1) or (wanted, now) == (1, 3):
        return wanted, ""
    if wanted < now:
        return None, f"the phase is {phases[now]}; only --back goes back"
    return None, (f"the phase is {phases[now]}, and {to} comes after "
                  f"{phases[wanted - 1]}")


def _begun(fleet: Fleet, passphrase: Passphrase) -> Exchange:
    """An exchange that begins: its new CA or key is made, and not written yet."""
    exchange = fleet.exchange
    exchange = exchange._replace(phase=0, old=exchange.signer, new=None)
    return exchange._replace(new=make_new(exchange, fleet.folder, fleet.cluster,
                                          passphrase=passphrase, now=fleet.now))


# What speaks against a phase


def _obstacles(fleet: Fleet, target: PhaseTarget, phase: int) -> Iterator[str]:
    """Why a phase may not begin: what has two jobs, what the formula forbids, what lacks a key."""
    exchange, holdings = fleet.exchange, fleet.holdings
    for holding in holdings:
        yield from (f"{holding.host or 'workspace'}: {line}" for line in holding.shared)
    if not target.signer.is_valid(fleet.now) and _signs(fleet, target):
        yield f"{target.signer.called} has ended, so nobody accepts what it signs"
        return
    after = [holding.after({member.anchor for member in target.adds}, target.drops,
                           target.signer.anchor, exchange.anchors) for holding in holdings]
    # any host may be the first, so hosts as they are and hosts as they will be meet
    there = find_gaps(holdings)
    new = find_gaps([*holdings, *after]) - there
    if phase == exchange.phase:     # a host that is cut off already loses nothing
        lost = {gap.anchor for gap in there}
        new = frozenset(gap for gap in new if gap.anchor not in lost)
    yield from _refusals(fleet, target, new)
    if target.signer.key_pem is None and (phase > 1 or _signs(fleet, target)):
        yield (f"{target.signer.called} has to sign, and its private key is not in "
               f"{exchange.other(NEXT)[1] if phase > exchange.phase else exchange.place.key}")


def _signs(fleet: Fleet, target: PhaseTarget) -> bool:
    """Whether a host gets a certificate, or a key, by the signer of the phase."""
    others = fleet.exchange.anchors - {target.signer.anchor}
    return any(holding.signed & others for holding in fleet.holdings)


def _refusals(fleet: Fleet, target: PhaseTarget, gaps: frozenset[Gap]) -> Iterator[str]:
    """A sentence for each CA that some host would not trust while another host presents it."""
    for member in fleet.exchange.ends:
        missing = [gap.host or "workspace" for gap in gaps if gap.anchor == member.anchor]
        if not missing:
            continue
        if member.anchor in target.drops:
            holders = [holding.host or "workspace" for holding in fleet.holdings
                       if member.anchor in holding.presents]
            yield f"{_listed(holders)}: still presents {member.called}"
        else:
            yield f"{_listed(missing)}: does not trust {member.called} yet"
    others = {gap.anchor for gap in gaps} - fleet.exchange.anchors
    yield from (f"no host would trust {anchor.subject or anchor.key}" for anchor in others)


def _listed(hosts: Sequence[str]) -> str:
    names = [*dict.fromkeys(hosts)]
    more = len(names) - _MOST_NAMES
    text = ", ".join(sorted(names)[:_MOST_NAMES])
    return f"{text} and {more} more" if more > 0 else text


def _opened(fleet: Fleet, target: PhaseTarget, passphrase: Passphrase) -> PhaseTarget:
    """The target with the signer's key, if a host gets something by the key."""
    signer = target.signer
    if signer.key_pem is None or not _signs(fleet, target):
        return target
    secret = passphrase([(fleet.exchange.place.key, signer.key_pem)])
    if signer.certificate is None:
        return target._replace(key=signer.key(secret))
    authority = authority_of(signer, fleet.exchange.data, secret)
    return target._replace(authority=authority, key=authority.key)


# The change


class _Work(NamedTuple):
    """One phase in a workspace."""

    fleet: Fleet
    after: Fleet
    """The fleet with the workspace's own files as the phase has changed them."""
    target: PhaseTarget
    phase: int
    run: str
    """The name of the run's folder in the backup."""
    writes: bool
    """Whether files are written, or only listed."""

    def change_workspace(self, warnings: list[str]) -> list[Step]:
        """Change the workspace's own CA or key; the pair that does not sign lies beside."""
        exchange, target = self.fleet.exchange, self.target
        place, new = exchange.place, exchange.new
        if new is None:
            return []
        which, other = (NEXT, new) if self.phase < 2 else (PREVIOUS, exchange.old)
        left = exchange.other(PREVIOUS if self.phase < 2 else NEXT)
        public_path, key_path = exchange.other(which)
        made = [*_pair(key_path, public_path, other)]
        if target.bundles:
            made.append(File(place.certificate, changed_data(exchange, target, self.fleet.now),
                             CERTIFICATE_MODE))
            if target.signer.key_pem is not None:
                made.append(File(place.key, target.signer.key_pem, KEY_MODE))
        removing = [path for path in reversed(left)
                    if is_there(os.path.join(self.fleet.folder, path))]
        return self._write([(None, file) for file in made], removing, warnings)

    def fleet_again(self) -> Fleet:
        """The fleet, with the workspace's own files as they are now."""
        fleet = self.fleet
        return fleet._replace(exchange=read_workspace(
            fleet.folder, fleet.cluster, fleet.exchange.row)) if self.writes else fleet

    def forget_new(self, warnings: list[str]) -> list[Step]:
        """Remove the new pair, which no host knows any more; the backup keeps it."""
        removing = [path for path in reversed(self.fleet.exchange.other(NEXT))
                    if is_there(os.path.join(self.fleet.folder, path))]
        return self._write([], removing, warnings)

    def change_hosts(self, hosts: Sequence[str | None]) -> tuple[list[Step], list[str],
                                                                 list[Holding]]:
        """Change a batch of hosts, None for the workspace's users, all or none.

        Returns the steps, sentences for a person, and what the files that lie there now say.
        """
        fleet, warnings, made = self.fleet, list[str](), list[tuple[str | None, File]]()
        proved = {holding.host: holding.proved for holding in fleet.holdings}
        for host in hosts:
            inventory = users_in(fleet.folder) if host is None else inventory_in(fleet, host)
            if self.writes:
                _sweep(fleet, host, [path for path, file in inventory.found.items() if file.data])
            made += [(host, file) for file in phase_files(
                fleet.exchange, inventory, self.target, now=fleet.now,
                validity=fleet.cluster.validity, warnings=warnings,
                proved=proved.get(host, {}))]
        steps = self._write(made, [], warnings)
        return steps, warnings, [
            own_holding(self.after) if host is None else
            holding_of(self.after.exchange, inventory_in(fleet, host), host, fleet.now,
                       proved.get(host, {}), fleet.rows_of(host))
            for host in hosts] if self.writes else []

    def _write(self, made: Sequence[tuple[str | None, File]], removing: Sequence[str],
               warnings: list[str]) -> list[Step]:
        """Write files of hosts' trees, or list them; returns the steps."""
        row = self.fleet.exchange.row
        owners = {tree_prefix(host) + file.path: (host, file) for host, file in made}
        wanted = [replace(file, path=path) for path, (_, file) in owners.items()]
        if not self.writes:
            return [*self._listed(owners), *(Step("remove", None, path, row, (_CAUSE,))
                                             for path in removing)]
        if not wanted and not removing:
            return []
        done = write(self.fleet.folder, wanted, removing=removing, trees=NODES_FOLDER,
                     now=self.fleet.now, run=self.run, warnings=warnings)
        return [Step(action, owner[0], owner[1].path if owner[1] else file.path, row, (_CAUSE,))
                for file, action in done if action != "keep"
                for owner in [owners.get(file.path, (None, None))]]

    def _listed(self, owners: Mapping[str, tuple[str | None, File]]) -> Iterator[Step]:
        """The steps that would write these files; a file with the same content has none."""
        for path, (host, file) in owners.items():
            place = os.path.join(self.fleet.folder, path)
            there = is_there(place)
            if not there or files.read(place) != file.data:
                yield Step("replace" if there else "create", host, file.path,
                           self.fleet.exchange.row, (_CAUSE,))


def _sweep(fleet: Fleet, host: str | None, paths: Sequence[str]) -> None:
    """Remove what an interrupted run left beside these files."""
    files.sweep(fleet.folder, [tree_prefix(host) + path for path in paths])


def _own_paths(exchange: Exchange) -> list[str]:
    """The workspace's files of an exchange."""
    return [exchange.place.certificate, exchange.place.key,
            *exchange.other(NEXT), *exchange.other(PREVIOUS)]


def _pair(key_path: str, public_path: str, member: Member) -> Iterator[File]:
    """The files of a pair, the key first: a certificate never lies there without its key."""
    if member.key_pem is not None:
        yield File(key_path, member.key_pem, KEY_MODE)
    yield File(public_path, member.public, CERTIFICATE_MODE)
