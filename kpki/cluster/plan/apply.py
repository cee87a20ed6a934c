"""Carrying a plan out: batches of hosts, each all or none, a fleet's on all processors."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from .plan import HostPlan, Plan, Waiting
from ..authority import make_key
from ..desired.rows import NODES_FOLDER, Row
from ..fleet.processes import in_turn
from ..fleet.survey import Marks, batches, processes_for, survey
from ..leaf_files import Action, Step
from ..workspace import BACKUP, write
from ... import files

# So many hosts whose keys are RSA are changed at once: they take a second.
_RSA_BATCH = 32
# What was done at a host.
_Done = tuple[tuple[Action, str, str, tuple[str, ...]], ...]


def apply(plan: Plan, folder: str, *, now: datetime, done: Callable[[int, int], None] | None = None,
          waiting: list[Waiting] | None = None, processes: int | None = None) -> Iterator[Step]:
    """Make what the plan says under the workspace *folder*; gives each step once it is done, the workspace's own first.

    The caller holds the workspace, and made the plan while it did. Hosts are changed in batches, each all or none; what
    is replaced or removed is kept in one folder of `backup/`. *done* is told how many hosts of how many are finished,
    *waiting* gets the rows that wait for a CA's key, *processes* is how many there may be (None: one a processor).
    Raises FileError or RefusedError: the batch that failed is as before, those before it are done.
    """
    hosts, most = plan.cluster.hosts, processes or os.cpu_count() or 1
    count = processes_for(len(hosts), processes)
    work = _Work(plan, folder, now, files.free_run(folder, BACKUP, now), most // count)
    todo = work.survey(count)
    finished = len(hosts) - len(todo)
    work.sweep(plan.wanted.of_workspace(), None)
    yield from work.told(work.change([plan.of_workspace()], threads=most), waiting)
    parts = batches(todo, count, _RSA_BATCH if plan.algorithm.startswith("RSA") else 0)
    for batch, report in zip(parts, in_turn(work.change_hosts, parts, count)):
        yield from work.told(report, waiting)
        finished += len(batch)
        if done:
            done(finished, len(hosts))


class _Report(NamedTuple):
    """What a batch came to; the hosts of a fleet are alike, so that it is short."""

    done: dict[_Done, list[str | None]]
    waiting: list[Waiting]
    warnings: list[str]


class _Work(NamedTuple):
    """One run of apply; *run* is its folder's name in the backup, *threads* how many a process may have."""

    plan: Plan
    folder: str
    now: datetime
    run: str
    threads: int

    def survey(self, processes: int) -> Sequence[int]:
        """The hosts that something is to be done for. Which keys and serials there are twice is known from here on."""
        everyone = range(len(self.plan.cluster.hosts))
        if not self._is_there(NODES_FOLDER):
            self.plan.shared = frozenset()
            return everyone
        waits, self.plan.shared, touched = survey(self.look, everyone, self.plan.authority_keys(), processes)
        return sorted({*touched, *(number for number in everyone if waits[number])})

    def look(self, number: int) -> tuple[bool, Marks]:
        """Whether something is to be done for a host; what runs that were cut off have left beside its files goes."""
        host = self.plan.cluster.hosts[number]
        if not self._is_there(_tree(host.name)):
            return True, ()
        self.sweep(self.plan.wanted.of_host(host), host.name)
        planned = self.plan.of_host(host)
        return bool(planned.tasks or planned.waiting), planned.marks

    def sweep(self, rows: Sequence[Row], host: str | None) -> None:
        """Remove what runs that were cut off have left beside the files of these rows."""
        tree = _tree(host)
        files.sweep(self.folder, [tree + path for row in rows for path in row.place.files()])

    def change_hosts(self, batch: Sequence[int]) -> _Report:
        """Do what is to be done for these hosts, for all or for none."""
        hosts = [self.plan.cluster.hosts[number] for number in batch]
        return self.change([self.plan.of_host(host, bare=not self._is_there(_tree(host.name))) for host in hosts],
                           threads=self.threads)

    def change(self, plans: Sequence[HostPlan], *, threads: int) -> _Report:
        """Carry these plans out, all or none of them."""
        with _new_keys(self.plan, plans, threads):
            made = [file for one in plans for file in self.plan.make(one)]
        removing = [_tree(one.host) + step.path for one in plans for step in one.steps if step.action == "remove"]
        actions = {file.path: action for file, action in write(
            self.folder, made, removing=removing, trees=NODES_FOLDER, run=self.run, now=self.now,
            warnings=self.plan.warnings)}
        report = _Report({}, [row for one in plans for row in one.waiting], [*dict.fromkeys(self.plan.warnings)])
        self.plan.warnings.clear()
        for one in plans:
            tree = _tree(one.host)
            done = tuple((action, step.path, step.row, step.causes) for step in one.steps
                         if (action := actions.get(tree + step.path, "keep")) != "keep")
            if done:
                report.done.setdefault(done, []).append(one.host)
        return report

    def told(self, report: _Report, waiting: list[Waiting] | None) -> Iterator[Step]:
        """The steps of a report; what else is in it goes where it belongs."""
        self.plan.warnings += [one for one in report.warnings if one not in self.plan.warnings]
        if waiting is not None:
            waiting += report.waiting
        for done, hosts in report.done.items():
            for host in hosts:
                yield from (Step(action, host, path, row, causes) for action, path, row, causes in done)

    def _is_there(self, path: str) -> bool:
        above, _, name = path.rstrip("/").rpartition("/")
        return files.look(os.path.join(self.folder, above), name).kind != "missing"


@contextmanager
def _new_keys(plan: Plan, plans: Sequence[HostPlan], threads: int) -> Iterator[None]:
    """Have the RSA keys that these plans need made by several threads: OpenSSL does without Python's lock meanwhile."""
    algorithm = plan.algorithm
    needed = sum(task.row.profile.kind == "leaf" and task.key is None for one in plans for task in one.tasks)
    if any(one.host is None for one in plans):
        needed += sum(root.bundle is None and root.kept is None for root in plan.roots.values())
        needed += plan.service_accounts is not None and plan.service_accounts.public_pem is None
    if threads < 2 or needed < 2 or not algorithm.startswith("RSA"):
        yield
        return
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(threads)
    ahead = pool.map(make_key, [algorithm] * needed)
    plan.new_key = lambda wanted: (next(ahead, None) if wanted == algorithm else None) or make_key(wanted)
    try:
        yield
    finally:
        plan.new_key = make_key
        pool.shutdown(cancel_futures=True)


def _tree(host: str | None) -> str:
    """Where a host's tree begins in the workspace."""
    return "" if host is None else f"{NODES_FOLDER}/{host}/"
