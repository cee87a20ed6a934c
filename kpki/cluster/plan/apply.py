"""Carrying a plan out: batches of hosts, each all or none, a fleet's on all processors."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import NamedTuple

from .plan import HostPlan, Plan, Waiting
from .roots import NewKey
from ..authority import make_key
from ..desired.rows import NODES_FOLDER, Row
from ..fleet.processes import in_turn
from ..fleet.survey import Marks, batches, processes_for, survey
from ..leaf_files import Action, Step
from ..rules.issued import Proved
from ..rules.judge import authority_marks
from ..workspace import BACKUP, write
from ... import files

# So many hosts whose keys are RSA are changed at once: they take a second.
_RSA_BATCH = 32
# What was done at a host.
_Done = tuple[tuple[Action, str, str, tuple[str, ...]], ...]


def apply(plan: Plan, folder: str, *, now: datetime, done: Callable[[int, int], None] | None = None,
          waiting: list[Waiting] | None = None, warnings: list[str] | None = None,
          processes: int | None = None) -> Iterator[Step]:
    """Make what the plan says under the workspace *folder*; gives each step once it is done, the workspace's own first.

    The caller holds the workspace, and made the plan while it did. Hosts are changed in batches, each all or none; what
    is replaced or removed is kept in one folder of `backup/`. *done* is told how many hosts of how many are finished.
    *waiting* gets the rows that wait for a CA's key, *warnings* the lines to be told to a person. *processes* is how
    many there may be (None: one a processor). Raises FileError or RefusedError: the batch that failed is as before,
    those before it are done.
    """
    hosts, most = plan.cluster.hosts, processes or os.cpu_count() or 1
    count = processes_for(len(hosts), processes)
    work = _Work(plan, folder, now, files.free_run(folder, BACKUP, now), most // count, frozenset(), Proved())
    shared, todo = work.survey(count)
    finished = len(hosts) - len(todo)
    work.sweep(plan.wanted.of_workspace(), None)
    own = plan.of_workspace(shared, work.proved)
    with _new_keys(plan.algorithm, _missing_roots(plan), most) as new_key:
        work = work._replace(plan=plan.with_roots(new_key), shared=shared)
    told = partial(_told, waiting=[] if waiting is None else waiting, warnings=[] if warnings is None else warnings)
    yield from told(work.change([own], threads=most))
    parts = batches(todo, count, _RSA_BATCH if work.plan.algorithm.startswith("RSA") else 0)
    for batch, report in zip(parts, in_turn(work.change_hosts, parts, count)):
        yield from told(report)
        finished += len(batch)
        if done:
            done(finished, len(hosts))


class _Report(NamedTuple):
    """What a batch came to; the hosts of a fleet are alike, so that it is short."""

    done: dict[_Done, list[str | None]]
    waiting: list[Waiting]
    warnings: list[str]


class _Work(NamedTuple):
    """One run of apply; *run* is its folder's name in the backup, *threads* how many a process may have, *shared* are
    the marks that several hosts have."""

    plan: Plan
    folder: str
    now: datetime
    run: str
    threads: int
    shared: frozenset[bytes]
    proved: Proved

    def survey(self, processes: int) -> tuple[frozenset[bytes], Sequence[int]]:
        """The marks that several hosts have, and the hosts that something is to be done for."""
        everyone = range(len(self.plan.cluster.hosts))
        if not self._is_there(NODES_FOLDER):
            return frozenset(), everyone
        waits, shared, touched = survey(self.look, everyone, authority_marks(self.plan.context), processes)
        return shared, sorted({*touched, *(number for number in everyone if waits[number])})

    def look(self, number: int) -> tuple[bool, Marks]:
        """Whether something is to be done for a host; what runs that were cut off have left beside its files goes."""
        host = self.plan.cluster.hosts[number]
        if not self._is_there(_tree(host.name)):
            return True, ()
        self.sweep(self.plan.wanted.of_host(host), host.name)
        planned = self.plan.of_host(host, proved=self.proved)
        return bool(planned.tasks or planned.waiting), planned.marks

    def sweep(self, rows: Sequence[Row], host: str | None) -> None:
        """Remove what runs that were cut off have left beside the files of these rows."""
        tree = _tree(host)
        files.sweep(self.folder, [tree + path for row in rows for path in row.place.files()])

    def change_hosts(self, batch: Sequence[int]) -> _Report:
        """Do what is to be done for these hosts, for all or for none."""
        hosts = [self.plan.cluster.hosts[number] for number in batch]
        return self.change([self.plan.of_host(host, self.shared, self.proved, bare=not self._is_there(_tree(host.name)))
                            for host in hosts], threads=self.threads)

    def change(self, plans: Sequence[HostPlan], *, threads: int) -> _Report:
        """Carry these plans out, all or none of them."""
        needed, warnings = sum(task.row.profile.kind == "leaf" and task.key is None for one in plans
                               for task in one.tasks), list[str]()
        with _new_keys(self.plan.algorithm, needed, threads) as new_key:
            made = [file for one in plans for file in self.plan.make(one, new_key=new_key, warnings=warnings)]
        removing = [_tree(one.host) + step.path for one in plans for step in one.steps if step.action == "remove"]
        actions = {file.path: action for file, action in write(
            self.folder, made, removing=removing, trees=NODES_FOLDER, run=self.run, now=self.now, warnings=warnings)}
        report = _Report({}, [row for one in plans for row in one.waiting], [*dict.fromkeys(warnings)])
        for one in plans:
            tree = _tree(one.host)
            done = tuple((action, step.path, step.row, step.causes) for step in one.steps
                         if (action := actions.get(tree + step.path, "keep")) != "keep")
            if done:
                report.done.setdefault(done, []).append(one.host)
        return report

    def _is_there(self, path: str) -> bool:
        above, _, name = path.rstrip("/").rpartition("/")
        return files.look(os.path.join(self.folder, above), name).kind != "missing"


def _told(report: _Report, waiting: list[Waiting], warnings: list[str]) -> Iterator[Step]:
    """The steps of a report; what else is in it goes where it belongs."""
    warnings += [one for one in report.warnings if one not in warnings]
    waiting += report.waiting
    for done, hosts in report.done.items():
        for host in hosts:
            yield from (Step(action, host, path, row, causes) for action, path, row, causes in done)


def _missing_roots(plan: Plan) -> int:
    """How many keys the CAs and the service accounts' pair need that are not there yet."""
    pair = plan.service_accounts
    return sum(root.bundle is None and root.kept is None for root in plan.roots.values()) \
        + (pair is not None and pair.public_pem is None)


@contextmanager
def _new_keys(algorithm: str, needed: int, threads: int) -> Iterator[NewKey]:
    """What makes keys; so many RSA keys that are *needed* by several threads: OpenSSL does without Python's lock
    meanwhile."""
    if threads < 2 or needed < 2 or not algorithm.startswith("RSA"):
        yield make_key
        return
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(threads)
    ahead = pool.map(make_key, [algorithm] * needed)
    try:
        yield lambda wanted: (next(ahead, None) if wanted == algorithm else None) or make_key(wanted)
    finally:
        pool.shutdown(cancel_futures=True)


def _tree(host: str | None) -> str:
    """Where a host's tree begins in the workspace."""
    return "" if host is None else f"{NODES_FOLDER}/{host}/"
