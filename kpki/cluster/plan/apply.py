"""Apply a plan: batches of hosts, each batch all or none, a fleet on all processors."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .plan import HostPlan, Plan, Waiting
from .roots import NewKey
from ..authority import make_key
from ..desired.rows import NODES_FOLDER, Row, tree_prefix
from ..fleet.processes import in_turn
from ..fleet.survey import Marks, batches, processes_for, survey
from ..leaf_files import Action, Step
from ..rules.proved import Proved
from ..rules.row import authority_marks
from ..workspace import BACKUP, write
from ... import files

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

# Hosts in a batch with new RSA keys; such a batch needs about a second.
_RSA_BATCH = 32
# The actions on one host: action, path, row, causes.
_Done = tuple[tuple[Action, str, str, tuple[str, ...]], ...]


def apply(plan: Plan, folder: str, *, now: datetime, done: Callable[[int, int], None] | None = None,
          waiting: list[Waiting] | None = None, warnings: list[str] | None = None,
          processes: int | None = None) -> Iterator[Step]:
    """Apply the plan to the workspace *folder*; yields each finished step.

    The workspace's own steps come first. The caller holds the workspace's lock, and made the plan
    under the lock. Each batch of hosts is changed completely or not at all. Replaced and removed
    files go into a folder of `backup/`. *done* is called with the number of finished hosts and of
    all hosts. Rows that wait for a CA's key are added to *waiting*, warnings for a person to
    *warnings*. *processes* limits the processes (None: one per processor). Raises FileError or
    RefusedError; then the failed batch is unchanged, and earlier batches are finished.
    """
    hosts, most = plan.cluster.hosts, processes or os.cpu_count() or 1
    count = processes_for(len(hosts), processes)
    work = _Work(plan, folder, now, files.free_run(folder, BACKUP, now), most // count,
                 frozenset(), Proved())
    shared, todo = work.survey(count)
    finished = len(hosts) - len(todo)
    work.sweep(plan.wanted.of_workspace(), None)
    own = plan.of_workspace(shared, work.proved)
    with _new_keys(plan.algorithm, _missing_roots(plan), most) as new_key:
        work = work._replace(plan=plan.with_roots(new_key), shared=shared)
    steps_of = partial(_steps_of, waiting=[] if waiting is None else waiting,
                       warnings=[] if warnings is None else warnings)
    yield from steps_of(work.change([own], threads=most))
    parts = batches(todo, count, _RSA_BATCH if work.plan.algorithm.startswith("RSA") else 0)
    reports = in_turn(work.change_hosts, parts, count)
    for batch, report in zip(parts, reports, strict=True):
        yield from steps_of(report)
        finished += len(batch)
        if done:
            done(finished, len(hosts))


class _Report(NamedTuple):
    """The result of a batch.

    Hosts with the same actions share an entry, so that a child sends little data.
    """

    done: dict[_Done, list[str | None]]
    """Actions → the hosts on which they were done."""
    waiting: list[Waiting]
    """The rows that wait for a CA's key."""
    warnings: list[str]
    """The warnings for a person."""


class _Work(NamedTuple):
    """One run of apply."""

    plan: Plan
    """The plan."""
    folder: str
    """The workspace."""
    now: datetime
    """The moment (UTC)."""
    run: str
    """The name of the run's folder in the backup."""
    threads: int
    """The number of threads for each process."""
    shared: frozenset[bytes]
    """The marks that several hosts have."""
    proved: Proved
    """The kinds of leaves that have passed a full check."""

    def survey(self, processes: int) -> tuple[frozenset[bytes], Sequence[int]]:
        """The marks that several hosts have, and the hosts with something to do."""
        everyone = range(len(self.plan.cluster.hosts))
        if not self._is_there(NODES_FOLDER):
            return frozenset(), everyone
        waits, shared, touched = survey(self.examine, everyone, authority_marks(self.plan.context),
                                        processes)
        return shared, sorted({*touched, *(number for number in everyone if waits[number])})

    def examine(self, number: int) -> tuple[bool, Marks]:
        """Whether a host has something to do, and its marks.

        Removes what an interrupted run left beside its files.
        """
        host = self.plan.cluster.hosts[number]
        if not self._is_there(tree_prefix(host.name)):
            return True, ()
        self.sweep(self.plan.wanted.of_host(host), host.name)
        planned = self.plan.of_host(host, proved=self.proved)
        return bool(planned.tasks or planned.waiting), planned.marks

    def sweep(self, rows: Sequence[Row], host: str | None) -> None:
        """Remove what an interrupted run left beside the files of these rows."""
        tree = tree_prefix(host)
        files.sweep(self.folder, [tree + path for row in rows for path in row.place.files()])

    def change_hosts(self, batch: Sequence[int]) -> _Report:
        """Change these hosts, all or none."""
        hosts = [self.plan.cluster.hosts[number] for number in batch]
        return self.change([self.plan.of_host(host, self.shared, self.proved,
                                              bare=not self._is_there(tree_prefix(host.name)))
                            for host in hosts], threads=self.threads)

    def change(self, plans: Sequence[HostPlan], *, threads: int) -> _Report:
        """Apply these hosts' plans, all or none."""
        needed, warnings = sum(task.row.profile.kind == "leaf" and task.key is None
                               for plan in plans
                               for task in plan.tasks), list[str]()
        with _new_keys(self.plan.algorithm, needed, threads) as new_key:
            made = [file for plan in plans
                    for file in self.plan.make(plan, new_key=new_key, warnings=warnings)]
        removing = [tree_prefix(plan.host) + step.path for plan in plans for step in plan.steps
                    if step.action == "remove"]
        actions = {file.path: action for file, action in write(
            self.folder, made, removing=removing, trees=NODES_FOLDER, run=self.run, now=self.now,
            warnings=warnings)}
        report = _Report({}, [row for plan in plans for row in plan.waiting],
                         [*dict.fromkeys(warnings)])
        for plan in plans:
            tree = tree_prefix(plan.host)
            done = tuple((action, step.path, step.row, step.causes) for step in plan.steps
                         if (action := actions.get(tree + step.path, "keep")) != "keep")
            if done:
                report.done.setdefault(done, []).append(plan.host)
        return report

    def _is_there(self, path: str) -> bool:
        above, _, name = path.rstrip("/").rpartition("/")
        return files.read_entry(os.path.join(self.folder, above), name).kind != "missing"


def _steps_of(report: _Report, waiting: list[Waiting], warnings: list[str]) -> Iterator[Step]:
    """The steps of a report; its other rows and warnings are added to *waiting* and *warnings*."""
    warnings += [warning for warning in report.warnings if warning not in warnings]
    waiting += report.waiting
    for done, hosts in report.done.items():
        for host in hosts:
            yield from (Step(action, host, path, row, causes) for action, path, row, causes in done)


def _missing_roots(plan: Plan) -> int:
    """The number of missing keys of the CAs and the service accounts' pair."""
    pair = plan.service_accounts
    return sum(root.bundle is None and root.existing_key is None for root in plan.roots.values()) \
        + (pair is not None and pair.public_pem is None)


@contextmanager
def _new_keys(algorithm: str, needed: int, threads: int) -> Iterator[NewKey]:
    """A function that makes keys; several threads make the *needed* number of RSA keys ahead.

    OpenSSL releases Python's lock while it makes a key.
    """
    if threads < 2 or needed < 2 or not algorithm.startswith("RSA"):
        yield make_key
        return
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(threads)
    ahead = pool.map(make_key, [algorithm] * needed)

    def next_key(wanted: str) -> PrivateKeyTypes:
        return (next(ahead, None) if wanted == algorithm else None) or make_key(wanted)

    try:
        yield next_key
    finally:
        pool.shutdown(cancel_futures=True)
