"""The plan: findings → ordered steps, and the content of the files.

No disk: a *observe* function shows each file.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from .host_plan import (
    Checked,
    HostPlan as HostPlan,  # noqa: PLC0414 - exported again
    Survey,
    Tally as Tally,  # noqa: PLC0414 - exported again
    Waiting as Waiting,  # noqa: PLC0414 - exported again
)
from .observing import nothing_there, recording, require_read, unread_authority
from .roots import (
    NewKey,
    PlannedAuthority,
    Read,
    ServiceAccounts,
    load_root,
    load_service_accounts,
    make_root,
    make_service_accounts,
    signs_apart,
)
from ..authority import issue, make_key
from ..desired.description import Cluster, Host
from ..desired.rows import Row, Wanted, tree_prefix
from ..finding import Finding
from ..fleet.survey import Marks, processes_for, survey
from ..leaf_files import Step, Task, leaf_files, leaf_task, step_of
from ..observed.inventory import ObservedFile
from ..rules.checked_row import CheckedRow, Observe, exposed
from ..rules.context import RowContext
from ..rules.proved import Proved
from ..rules.row import authority_marks, check_row_among, marks_of
from ... import pem
from ...arguments import validated
from ...clock import utc_now
from ...files import File
from ...kubernetes.causes import RENEWED
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, SIGNER, Place

DEFAULT_ALGORITHM = "ECDSA-P256"


def make_plan(cluster: Cluster, *, observe: Observe = nothing_there, read: Read | None = None,
              passphrase: bytes | None = None, now: datetime | None = None,
              renew_before: timedelta | None = None) -> Plan:
    """Make the plan for a cluster: the steps from the observed files to the desired files.

    *observe* returns a file of the workspace by its path (default: every file is missing). *read*
    reads the CAs that the description names, *passphrase* opens their keys, *now* (UTC, None: the
    clock) is the moment. With *renew_before* a plan also renews, for its key, a right certificate
    that expires within this time or has a warning. Raises InputError, FileError or RefusedError for
    an existing CA that cannot be used: a plan never replaces a CA. The steps of a plan raise
    AccessError for a file that *observe* may not read.

    >>> plan = kpki.make_plan(cluster)
    >>> [step.path for step in plan.steps() if step.host == "worker-1"]
    ['etc/kubernetes/pki/ca.crt', 'etc/kubernetes/kubelet.conf']
    """
    moment, wanted, unread = now or utc_now(), Wanted(cluster), dict[str, None]()
    rows, seen = tuple(wanted.of_workspace()), recording(observe, unread)
    roots = {row.name: load_root(row, seen, wanted=wanted, read=read or unread_authority,
                                 passphrase=passphrase, now=moment)
             for row in rows if row.profile.kind == "ca"}
    pair = next((load_service_accounts(row, seen, wanted=wanted)
                 for row in rows if row.profile.kind == "key"), None)
    wanted = Wanted(cluster, bundled=signs_apart(roots.get("ca"), seen))
    context = RowContext.from_description(
        now=moment, renew_before=renew_before,
        authorities={name: ca.certificates for name, ca in roots.items()},
        signers={name: ca.signer for name, ca in roots.items() if ca.signer},
        servers=wanted.api_servers(),
        unmade=frozenset(name for name, ca in roots.items() if ca.bundle is None),
        service_accounts=pair.public_key if pair else None)
    return Plan(cluster, observe, moment, wanted, rows, roots, pair, context,
                renew_before is not None, tuple(unread))


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a cluster, computed host by host; a plan stores no host's steps.

    >>> plan = kpki.make_plan(cluster)
    >>> plan, len([*plan.steps()])
    (Plan('kubernetes', 2 hosts, 3 CAs, 0 unread), 38)
    """

    cluster: Cluster
    """The description."""
    observe: Observe
    """Internal: shows a file of the workspace."""
    now: datetime
    """The moment (UTC)."""
    wanted: Wanted
    """Internal: the rows that follow from the description."""
    rows: tuple[Row, ...]
    """Internal: the rows of the workspace itself."""
    roots: Mapping[str, PlannedAuthority]
    """Internal: the CAs by their rows."""
    service_accounts: ServiceAccounts | None
    """Internal: the pair that signs tokens, None if no host has it."""
    context: RowContext
    """Internal: the facts that all rows are checked against."""
    renews: bool
    """Internal: whether the plan renews right certificates with a warning."""
    unread: tuple[str, ...]
    """The paths that the caller may not read, among the possible files of the CAs and the pair."""

    def __repr__(self) -> str:
        return (f"Plan({self.cluster.name!r}, {len(self.cluster.hosts)} hosts, {len(self.roots)} "
                f"CAs, {len(self.unread)} unread)")

    # The steps

    def of_workspace(self, shared: frozenset[bytes] = frozenset(),
                     proved: Proved | None = None) -> HostPlan:
        """Internal: the tasks of the workspace: CAs, pair, people's kubeconfigs."""
        tasks, held, unread = list[Task](), list[tuple[Task, str]](), dict.fromkeys(self.unread)
        observe, proved = recording(self.observe, unread), proved or Proved()
        context = self.context._replace(shared=shared)
        for row in self.rows:
            if row.profile.kind == "leaf":
                checked = check_row_among(row, observe, context, proved)
                self._add(row, checked, observe, tasks, held)
            elif found := [*self._own_findings(row, observe)]:
                tasks.append(Task(row, tuple(step_of(row, finding.path, observe, found)
                                             for finding in found)))
        require_read(unread)
        return HostPlan(None, tuple(tasks), tuple(held))

    def of_host(self, host: Host, shared: frozenset[bytes] = frozenset(),
                proved: Proved | None = None, *, bare: bool = False) -> HostPlan:
        """Internal: the tasks of one host. *bare*: its tree is missing; *shared*: hosts' marks."""
        tasks, held, unread = list[Task](), list[tuple[Task, str]](), dict.fromkeys(self.unread)
        observe = nothing_there if bare else recording(self._observer_of(host), unread)
        context = self._context_of(host, shared)
        checked = self._check_rows(host, observe, context, proved or Proved())
        for row, result in checked:
            self._add(row, result, observe, tasks, held)
        require_read(unread)
        return HostPlan(host.name, tuple(tasks), tuple(held), marks_of(checked, host.name))

    def hosts(self, surveyed: Survey | None = None, *,
              processes: int | None = 1) -> Iterator[HostPlan]:
        """Internal: the workspace's tasks, then each host's.

        *surveyed*: the result of `survey` (None: made now, by as many *processes*).
        """
        surveyed = surveyed or self.survey(processes)
        proved = Proved()
        yield self.of_workspace(surveyed.shared, proved)
        for number, host in enumerate(self.cluster.hosts):
            yield (self.of_host(host, surveyed.shared, proved) if number in surveyed.busy
                   else HostPlan(host.name, ()))

    def survey(self, processes: int | None = 1) -> Survey:
        """Internal: read every host once, by as many *processes* (None: one per processor)."""
        hosts, proved = self.cluster.hosts, Proved()
        count = processes_for(len(hosts), processes)

        def examine(number: int) -> tuple[bool, Marks]:
            planned = self.of_host(hosts[number], proved=proved)
            return bool(planned.tasks or planned.waiting), planned.marks

        if count > 1:
            examine(0)     # the children inherit the first host's proofs and imports
        busy, shared, touched = survey(examine, range(len(hosts)), authority_marks(self.context),
                                       count)
        return Survey(shared, frozenset(touched).union(
            number for number, has_work in enumerate(busy) if has_work))

    def steps(self) -> Iterator[Step]:
        """Every step, in order."""
        for host in self.hosts():
            yield from host.steps

    def renewing(self) -> Plan:
        """Internal: the same plan, which also renews every right certificate."""
        return replace(self, renews=True,
                       context=self.context._replace(within=timedelta.max, warns=True))

    def waiting(self) -> Iterator[Waiting]:
        """Every row that waits for a CA's key."""
        for host in self.hosts():
            yield from host.waiting

    def _held(self, row: Row) -> Row:
        """A row; without its key if the key is encrypted or missing in the workspace."""
        root = self.roots.get(row.name)
        if row.profile.kind == "ca" and row.with_key and root \
                and (root.encrypted or not root.can_sign):
            return row._replace(with_key=False)
        pair = self.service_accounts
        if row.profile.kind == "key" and pair and pair.public_pem is not None \
                and pair.key_pem is None:
            return row._replace(with_key=False)
        return row

    def _context_of(self, host: Host, shared: frozenset[bytes], *,
                    warns: bool = False) -> RowContext:
        """The facts that the rows of a host are checked against."""
        return self.context._replace(shared=shared, warns=warns or self.renews,
                       forbidden=() if host.roles else self.wanted.authority_keys)

    def _add(self, row: Row, checked: CheckedRow, observe: Observe, tasks: list[Task],
             held: list[tuple[Task, str]]) -> None:
        if row.profile.kind == "leaf":
            task = leaf_task(row, checked, observe, renew=self._is_renewed(row, checked))
        else:
            task = self._copy_task(row, checked, observe)
        if not task.steps:
            return
        root = self.roots.get(row.profile.signer or "")
        if row.profile.kind == "leaf" and not task.chain and root is not None and not root.can_sign:
            needs = root.key_path or f"the key of {root.certificate_path}"
            held.append((task, needs))
        else:
            tasks.append(task)

    def _is_renewed(self, row: Row, checked: CheckedRow) -> bool:
        """Whether a right certificate is renewed, because renewal repairs its warnings."""
        own = {finding.cause for finding in checked.findings if finding.row == row.name}
        if not self.renews or not (causes := own & RENEWED) or not checked.chain:
            return False
        # no leaf is valid past its CA's end
        signer = self.context.signers.get(row.profile.signer or "")
        return causes != {"expiring-soon"} or signer is None \
            or checked.chain[0].not_valid_after_utc < signer.not_valid_after_utc

    def _copy_task(self, row: Row, checked: CheckedRow, observe: Observe) -> Task:
        """The task of a host's CA or pair: replace files that differ from the workspace's."""
        context = self.context
        unmade = row.name in context.unmade \
            or (row.profile.kind == "key" and context.service_accounts is None)
        wrong = {finding.path for finding in checked.findings}
        steps = [step_of(row, path, observe, checked.findings) for path in row.paths()
                 if unmade or path in wrong]
        steps += [Step("remove", row.host, finding.path, finding.row, (finding.cause,))
                  for finding in checked.findings
                  if finding.cause == "ca-key-on-worker" and self.holds_key(finding.row)]
        return Task(row, tuple(steps))

    def holds_key(self, row: str) -> bool:
        """Internal: whether the workspace or a control-plane host's tree holds a CA's key."""
        return self.roots[row].key_pem is not None

    # The findings

    def _own_findings(self, row: Row, observe: Observe) -> Iterator[Finding]:
        """The findings of the workspace's own CA or pair: missing or exposed files."""
        signer = self.roots[row.name] if row.profile.kind == "ca" else self.service_accounts
        assert signer is not None
        for path in row.paths():
            found, is_key = observe(path), path == row.place.key
            if (is_key and not signer.keeps_key) or found.unread:
                continue
            if found.missing:
                yield Finding("file-missing", path, row.name, "the file is missing")
            elif isinstance(signer, ServiceAccounts) and (fault := signer.fault(path, found)):
                yield fault
            elif is_key:
                yield from exposed(found, row.name)

    def findings(self) -> Iterator[Finding]:
        """Every finding of the workspace and its hosts' trees, errors and warnings."""
        return (finding for checked in self.check() for finding in checked.findings)

    def check(self, processes: int = 1, tally: Callable[[], Tally] = Tally) -> Iterator[Checked]:
        """Internal: the findings of the workspace itself, then of each host's tree.

        As many *processes* read each host once. Each result has the counts that *tally* returns
        after it.
        """
        hosts, proved = self.cluster.hosts, Proved()

        def examine(number: int, shared: frozenset[bytes] = frozenset()) -> tuple[Checked, Marks]:
            host, context = hosts[number], self._context_of(hosts[number], shared, warns=True)
            checked = self._check_rows(host, self._observer_of(host), context, proved)
            findings = dict.fromkeys(replace(finding, host=host.name)
                                     for _, result in checked for finding in result.findings)
            return Checked(host.name, tuple(findings), tally()), marks_of(checked, host.name)

        if processes > 1:
            examine(0)     # the children inherit the first host's proofs and imports
        tally()
        seen, shared, again = survey(examine, range(len(hosts)), authority_marks(self.context),
                                     processes)
        results = survey(partial(examine, shared=shared), again, (), processes)[0]
        for number, result in zip(again, results, strict=True):
            seen[number] = result
        context = self.context._replace(shared=shared, warns=True)
        own = [finding for row in self.rows for finding in (
            check_row_among(row, self.observe, context, proved).findings
            if row.profile.kind == "leaf" else self._own_findings(row, self.observe))]
        yield Checked(None, tuple(dict.fromkeys(own)), tally())
        yield from seen

    def host_findings(self, host: Host, observe: Observe,
                      counts: Callable[[Place], bool]) -> Iterator[Finding]:
        """Internal: one host's findings; *observe* shows its tree, *counts* selects places."""
        context = self._context_of(host, frozenset(), warns=True)
        for _, checked in self._check_rows(host, observe, context, Proved(), counts):
            yield from checked.findings

    def _check_rows(self, host: Host, observe: Observe, context: RowContext, proved: Proved,
                    counts: Callable[[Place], bool] = lambda _: True,
                    ) -> list[tuple[Row, CheckedRow]]:
        """The rows of a host, each with the result of its check."""
        rows = [row for row in map(self._held, self.wanted.of_host(host)) if counts(row.place)]
        context = context._replace(authority_paths={
            row.place.certificate: row.name for row in rows if row.profile.kind == "ca"})
        return [(row, check_row_among(row, observe, context, proved)) for row in rows]

    def _observer_of(self, host: Host) -> Observe:
        """An *observe* function for one host's tree."""
        tree = tree_prefix(host.name)
        # the fields behind the path: _replace takes three times as long
        return lambda path: ObservedFile(path, *self.observe(tree + path)[1:])

    # The files

    @validated
    def files(self, *, new_key: NewKey = make_key,
              warnings: list[str] | None = None) -> Iterator[File]:
        """The files that the plan makes, with keys: paths in the workspace, data, modes.

        Writes nothing to the disk.

        *new_key* makes a key of an algorithm. Warnings for a person are added to *warnings*.

        >>> files = {file.path: file for file in kpki.make_plan(cluster).files()}
        >>> oct(files["pki/ca.key"].mode)
        '0o600'
        """
        made, lines = self.with_roots(new_key), [] if warnings is None else warnings
        for host in self.hosts():
            yield from made.make(host, new_key=new_key, warnings=lines)

    def with_roots(self, new_key: NewKey = make_key) -> Plan:
        """Internal: the same plan, with the missing CAs and service accounts' pair made."""
        plan = self
        for name, root in self.roots.items():
            if root.bundle is None:
                made = make_root(root, algorithm=plan.algorithm, wanted=self.wanted, now=self.now,
                                 new_key=new_key)
                plan = replace(plan, roots={**plan.roots, name: made})
        pair = self.service_accounts
        if pair and pair.public_pem is None:
            pair = make_service_accounts(pair, algorithm=plan.algorithm, new_key=new_key)
        return replace(plan, service_accounts=pair)

    def make(self, plan: HostPlan, *, new_key: NewKey = make_key,
             warnings: list[str]) -> list[File]:
        """Internal: the files of one host's plan.

        This plan comes from `with_roots`, so that all CAs exist.
        """
        return [replace(file, path=tree_prefix(plan.host) + file.path) for task in plan.tasks
                for file in self._contents(task, new_key, warnings) if task.changes(file.path)]

    @property
    def algorithm(self) -> str:
        """Internal: the algorithm of new CAs and the pair: the description's, else the CA's."""
        root = self.roots.get("ca")
        return self.cluster.algorithm or (root.authority.algorithm if root
                                          and root.authority else DEFAULT_ALGORITHM)

    def _contents(self, task: Task, new_key: NewKey, warnings: list[str]) -> Iterator[File]:
        """The files of a row, with their content."""
        row, place, layout = task.row, task.row.place, self.wanted.layout
        if row.profile.kind == "leaf":
            root = self.roots[row.profile.signer or ""]
            key = task.key or new_key(self.cluster.algorithm or root.ready().algorithm)
            chain = task.chain or (issue(root.ready(), row.profile, row.identity, key, now=self.now,
                                         validity=self.cluster.validity, warnings=warnings),)
            yield from leaf_files(row, layout, chain=chain, key=key,
                                  bundle=self.roots["ca"].bundle or b"")
        elif row.profile.kind == "key":
            pair = self.service_accounts
            assert pair is not None and pair.public_pem is not None
            yield File(place.certificate, pair.public_pem, layout.mode(place, place.certificate))
            yield File(place.key, pair.key_pem or b"", KEY_MODE)
        else:
            root = self.roots[row.name]
            assert root.bundle is not None
            bundle = pem.dump_certificate(root.signer) if place.only == SIGNER and root.signer \
                else root.bundle
            yield File(place.certificate, bundle, CERTIFICATE_MODE)
            if place.key:
                key_pem = root.key_pem if row.host is None else root.host_key
                yield File(place.key, key_pem or b"", KEY_MODE)
