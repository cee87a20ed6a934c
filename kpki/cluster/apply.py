"""Carrying a plan out: batches of hosts, each all or none, a fleet's on all processors."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from .. import files
from .authority import make_key
from .plan import Action, HostPlan, Plan, Step, Waiting, shared_keys
from .processes import in_turn
from .wanted import NODES_FOLDER, Row
from .workspace import BACKUP, write

# Under so many hosts a second process gains nothing.
_FLEET = 100
# So many hosts are changed at once: of more a sync has nothing to save, and of RSA keys so many take a second.
_BATCH, _RSA_BATCH = 512, 32
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
    count = most if len(hosts) >= _FLEET else 1
    work = _Work(plan, folder, now, files.free_run(folder, BACKUP, now), most // count)
    todo = work.survey(count)
    finished = len(hosts) - len(todo)
    work.sweep(plan.wanted.of_workspace(), None)
    yield from work.told(work.change([plan.of_workspace()], threads=most), waiting)
    batches = _batches(todo, count, _RSA_BATCH if plan.algorithm.startswith("RSA") else _BATCH)
    for batch, report in zip(batches, in_turn(work.change_hosts, batches, count)):
        yield from work.told(report, waiting)
        finished += len(batch)
        if done:
            done(finished, len(hosts))


def _batches(hosts: Sequence[int], processes: int, most: int) -> list[Sequence[int]]:
    """The hosts (their places in the description) in batches of one size, as many for each process."""
    rounds = -(-len(hosts) // (processes * most)) or 1
    size = -(-len(hosts) // (processes * rounds)) or 1
    return [hosts[start:start + size] for start in range(0, len(hosts), size)]


class _Seen(NamedTuple):
    """What a look at a batch of hosts showed: those that have something to be done or waiting, and each one's keys."""

    todo: list[int]
    keys: list[tuple[bytes, ...]]


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
        """The hosts that something is to be done for. Which keys several hosts have is known from here on."""
        plan, todo = self.plan, list[int]()
        everyone = range(len(plan.cluster.hosts))
        batches = _batches(everyone, processes, _BATCH) if self._is_there(NODES_FOLDER) else []

        def seen() -> Iterator[HostPlan]:
            yield plan.authority_keys()
            for batch, one in zip(batches, in_turn(self.look, batches, processes)):
                todo.extend(one.todo)
                yield from (HostPlan(plan.cluster.hosts[number].name, (), keys=keys)
                            for number, keys in zip(batch, one.keys))

        plan.shared = shared_keys(seen())
        return todo if batches and not plan.shared else everyone

    def look(self, batch: Sequence[int]) -> _Seen:
        """What is to be done for these hosts; what runs that were cut off have left beside their files goes."""
        seen = _Seen([], [])
        for number in batch:
            host = self.plan.cluster.hosts[number]
            there = self._is_there(_tree(host.name))
            if there:
                self.sweep(self.plan.wanted.of_host(host), host.name)
                planned = self.plan.of_host(host)
            if not there or planned.tasks or planned.waiting:
                seen.todo.append(number)
            seen.keys.append(planned.keys if there else ())
        return seen

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
            self.folder, made, removing=removing, trees=NODES_FOLDER, run=self.run, now=self.now)}
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
