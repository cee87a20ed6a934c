"""The results of a plan and of a check, host by host."""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..finding import Finding
from ..fleet.survey import Marks
from ..leaf_files import Step, Task


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that waits for a missing file.

    >>> text = description + "certificateAuthorities: {kubernetes: {certificate: ca.crt}}"
    >>> plan = kpki.make_plan(kpki.load_cluster(text), read=lambda _: kpki.dump_certificate(ca))
    >>> [(waiting.row, waiting.needs) for waiting in plan.waiting() if waiting.host == "worker-1"]
    [('kubelet-client', 'the key of ca.crt')]
    """

    host: str | None
    """The host, None for the workspace's own row."""
    path: str
    """The row's first file, relative to the host's tree."""
    row: str
    """The row's name."""
    needs: str
    """The missing file: the key of the CA that signs the row."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """The tasks of one host, or of the workspace itself."""

    host: str | None
    """The host, None for the workspace itself."""
    tasks: tuple[Task, ...]
    """The tasks, signers first."""
    held: tuple[tuple[Task, str], ...] = ()
    """The tasks that wait for a missing file, each with the file: the key of the row's CA."""
    marks: Marks = ()
    """The marks of keys and serial numbers that no other host may have."""

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """The rows that wait for a missing file."""
        return tuple(Waiting(self.host, task.steps[0].path, task.row.name, needs)
                     for task, needs in self.held)

    @property
    def steps(self) -> list[Step]:
        """The steps, signers first."""
        return [step for task in self.tasks for step in task.steps]


class Survey(NamedTuple):
    """What a first reading of all hosts finds."""

    shared: frozenset[bytes]
    """The marks of keys and serial numbers on several hosts."""
    busy: frozenset[int]
    """The hosts with a task, a row that waits or a shared mark, by their place in the cluster."""


class Tally(NamedTuple):
    """The counts of a check."""

    certificates: int = 0
    """The number of certificates read."""
    unread: tuple[str, ...] = ()
    """The files and folders of the workspace that the caller may not read."""


class Checked(NamedTuple):
    """The result of a check of one host, or of the workspace itself."""

    host: str | None
    """The host, None for the workspace itself."""
    findings: tuple[Finding, ...]
    """The findings."""
    tally: Tally
    """The counts of the check."""
