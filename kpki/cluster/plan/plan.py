"""What is to be done: findings → ordered steps, and the files that they make. No disk: *look* says what is there."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from .roots import (NewKey, Read, Root, ServiceAccounts, load_root, load_service_accounts, make_root,
                    make_service_accounts)
from ..authority import issue, make_key
from ..desired.description import Cluster, Host
from ..desired.rows import NODES_FOLDER, Row, Wanted
from ..finding import Finding
from ..fleet.survey import Marks, survey
from ..leaf_files import RENEWED, Step, Task, leaf_files, leaf_task, step_of
from ..observed.inventory import Found, refusal
from ..rules.context import RowContext
from ..rules.issued import Proved
from ..rules.judge import authority_marks, judge_among, marks_of
from ..rules.judged import Judged, Look, exposed
from ... import pem
from ...clock import utc_now
from ...errors import InputError
from ...files import File
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, SIGNER, Place

DEFAULT_ALGORITHM = "ECDSA-P256"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that cannot be made before the file *needs* is there."""

    host: str | None
    path: str
    row: str
    needs: str


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What is to be done for one host, or for the workspace itself (None); *marks* are of what it alone may have."""

    host: str | None
    tasks: tuple[Task, ...]
    waiting: tuple[Waiting, ...] = ()
    marks: Marks = ()

    @property
    def steps(self) -> list[Step]:
        """The steps, signers first."""
        return [step for task in self.tasks for step in task.steps]


class Tally(NamedTuple):
    """What was counted while files were looked at."""

    certificates: int = 0
    unread: tuple[str, ...] = ()    # the files and folders of the workspace that the caller may not read


class Checked(NamedTuple):
    """What is wrong with a host, or with the workspace itself (None), and what was counted meanwhile."""

    host: str | None
    findings: tuple[Finding, ...]
    tally: Tally


def nothing_there(path: str) -> Found:
    """How a workspace without any files looks."""
    return Found(path, missing=True)


def make_plan(cluster: Cluster, *, look: Look = nothing_there, read: Read | None = None,
              passphrase: bytes | None = None, now: datetime | None = None,
              renew_before: timedelta | None = None) -> Plan:
    """The plan for a cluster: what to make or mend, given what is there.

    *look* shows a file of the workspace by its path (default: nothing is there), *read* reads the CAs that the
    description names, *passphrase* opens their keys, *now* (UTC, None: the clock) is the moment. With *renew_before* a
    right certificate that ends within that time, or that check warns of, is made anew for its key. Raises InputError,
    FileError or RefusedError if a CA that is there cannot be used: none is ever replaced. The steps of a plan raise
    AccessError if *look* could not read a file for lack of permission.

    >>> plan = kpki.make_plan(cluster)
    >>> [step.path for step in plan.steps() if step.host == "worker-1"]
    ['etc/kubernetes/pki/ca.crt', 'etc/kubernetes/kubelet.conf']
    """
    moment, wanted, unread = now or utc_now(), Wanted(cluster), dict[str, None]()
    rows, seen = tuple(wanted.of_workspace()), _noting(look, unread)
    roots = {row.name: load_root(row, seen, wanted=wanted, read=read or _unread, passphrase=passphrase, now=moment)
             for row in rows if row.profile.kind == "ca"}
    pair = next((load_service_accounts(row, seen, wanted=wanted) for row in rows if row.profile.kind == "key"), None)
    # the signer of a bundle alone is for a kube-controller-manager that signs: a host that gets the CA's key
    root = roots.get("ca")
    wanted = Wanted(cluster, bundled=root is not None and len(root.certificates) > 1 and root.host_key is not None)
    context = RowContext.from_description(
        now=moment, renew_before=renew_before, authorities={name: one.certificates for name, one in roots.items()},
        signers={name: one.signer for name, one in roots.items() if one.signer}, servers=wanted.api_servers(),
        unmade=frozenset(name for name, one in roots.items() if one.bundle is None),
        service_accounts=pair.public_key if pair else None)
    return Plan(cluster, look, moment, wanted, rows, roots, pair, context, renew_before is not None, tuple(unread))


def _unread(path: str) -> bytes:
    raise InputError(f"{path}: a CA that the description names, and nothing reads it", hint="give make_plan a read=")


def _noting(look: Look, unread: dict[str, None]) -> Look:
    """*look*, with what the caller may not read added to *unread*."""
    def noting(path: str) -> Found:
        found = look(path)
        if found.unread:
            unread[found.unread] = None
        return found
    return noting


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for a cluster, host by host; nothing of a host is kept once it has been told."""

    cluster: Cluster
    """The description."""
    look: Look
    """Internal: shows a file of the workspace."""
    now: datetime
    """The moment (UTC)."""
    wanted: Wanted
    """Internal: the rows that follow from the description."""
    rows: tuple[Row, ...]
    """Internal: those of the workspace itself."""
    roots: Mapping[str, Root]
    """Internal: the CAs by their rows."""
    service_accounts: ServiceAccounts | None
    """Internal: the pair that signs tokens, None if it belongs to nobody."""
    context: RowContext
    """Internal: what all rows are judged by."""
    renews: bool
    """Internal: whether right certificates that check warns of are made anew."""
    unread: tuple[str, ...]
    """What the caller may not read of the files beside which CAs and pair may lie."""

    def __repr__(self) -> str:
        return (f"Plan({self.cluster.name!r}, {len(self.cluster.hosts)} hosts, {len(self.roots)} CAs, "
                f"{len(self.unread)} unread)")

    # What is to be done

    def of_workspace(self, shared: frozenset[bytes] = frozenset(), proved: Proved | None = None) -> HostPlan:
        """Internal: what is to be done for the workspace itself: the CAs, the service accounts'
        pair, people's kubeconfigs."""
        tasks, waiting, unread = list[Task](), list[Waiting](), dict.fromkeys(self.unread)
        look, by, proved = _noting(self.look, unread), self.context._replace(shared=shared), proved or Proved()
        for row in self.rows:
            if row.profile.kind == "leaf":
                self._add(row, judge_among(row, look, by, proved), look, tasks, waiting)
            elif found := [*self._own_findings(row, look)]:
                tasks.append(Task(row, tuple(step_of(row, one.path, look, found) for one in found)))
        _require(unread)
        return HostPlan(None, tuple(tasks), tuple(waiting))

    def of_host(self, host: Host, shared: frozenset[bytes] = frozenset(), proved: Proved | None = None, *,
                bare: bool = False) -> HostPlan:
        """Internal: what is to be done for one host; *bare* says that nothing is there, and saves
        looking.

        *shared* are the marks that several hosts have; whoever asks for many hosts gives all the same *proved*.
        """
        tasks, waiting, unread = list[Task](), list[Waiting](), dict.fromkeys(self.unread)
        look = nothing_there if bare else _noting(self._look_at(host), unread)
        judged = self._judged(host, look, self._by(host, shared), proved or Proved())
        for row, one in judged:
            self._add(row, one, look, tasks, waiting)
        _require(unread)
        return HostPlan(host.name, tuple(tasks), tuple(waiting), marks_of(judged, host.name))

    def hosts(self, shared: frozenset[bytes] | None = None) -> Iterator[HostPlan]:
        """Internal: the workspace's own, then each host's; *shared* are the marks that several
        have, None: they are looked for first."""
        shared, proved = self.shared() if shared is None else shared, Proved()
        yield self.of_workspace(shared, proved)
        for host in self.cluster.hosts:
            yield self.of_host(host, shared, proved)

    def shared(self) -> frozenset[bytes]:
        """Internal: the marks of keys and serial numbers that several hosts have; every host is
        looked at."""
        hosts, proved = self.cluster.hosts, Proved()
        return survey(lambda number: (None, self.of_host(hosts[number], proved=proved).marks), range(len(hosts)),
                      authority_marks(self.context), 1)[1]

    def steps(self) -> Iterator[Step]:
        """Every step, in order."""
        for one in self.hosts():
            yield from one.steps

    def waiting(self) -> Iterator[Waiting]:
        """Every row that waits for a CA's key."""
        for one in self.hosts():
            yield from one.waiting

    def _held(self, row: Row) -> Row:
        """A CA's row without its key if no host gets that: it is encrypted, or kept elsewhere."""
        root = self.roots.get(row.name)
        if row.profile.kind == "ca" and row.with_key and root and (root.encrypted or not root.can_sign):
            return replace(row, with_key=False)
        pair = self.service_accounts
        if row.profile.kind == "key" and pair and pair.public_pem is not None and pair.key_pem is None:
            return replace(row, with_key=False)
        return row

    def _by(self, host: Host, shared: frozenset[bytes], *, warns: bool = False) -> RowContext:
        """What the rows of a host are judged by."""
        return self.context._replace(shared=shared, warns=warns or self.renews,
                                     forbidden=() if host.roles else self.wanted.layout.authority_keys())

    def _add(self, row: Row, judged: Judged, look: Look, tasks: list[Task], waiting: list[Waiting]) -> None:
        if row.profile.kind == "leaf":
            task = leaf_task(row, judged, look, renew=self._is_renewed(row, judged))
        else:
            task = self._copy_task(row, judged, look)
        if not task.steps:
            return
        root = self.roots.get(row.profile.signer or "")
        if row.profile.kind == "leaf" and not task.chain and root is not None and not root.can_sign:
            needs = root.key_path or f"the key of {root.certificate_path}"
            waiting.append(Waiting(row.host, task.steps[0].path, row.name, needs))
        else:
            tasks.append(task)

    def _is_renewed(self, row: Row, judged: Judged) -> bool:
        """Whether a right certificate is made anew, because that was asked for and mends what check warns of."""
        causes = {one.cause for one in judged.findings if one.row == row.name} & RENEWED
        if not self.renews or not causes or not judged.chain:
            return False
        signer = self.context.signers.get(row.profile.signer or "")     # no leaf is issued past its end
        return causes != {"expiring-soon"} or signer is None \
            or judged.chain[0].not_valid_after_utc < signer.not_valid_after_utc

    def _copy_task(self, row: Row, judged: Judged, look: Look) -> Task:
        """A CA or the service accounts' pair on a host: files that are not what the workspace has are replaced."""
        by = self.context
        unmade = row.name in by.unmade or row.profile.kind == "key" and by.service_accounts is None
        wrong = {finding.path for finding in judged.findings}
        steps = [step_of(row, path, look, judged.findings) for path in row.paths() if unmade or path in wrong]
        steps += [Step("remove", row.host, one.path, one.row, (one.cause,)) for one in judged.findings
                  if one.cause == "ca-key-on-worker" and self.holds_key(one.row)]
        return Task(row, tuple(steps))

    def holds_key(self, row: str) -> bool:
        """Internal: whether the workspace, or a control-plane host's tree in it, holds the private
        key of a CA's row."""
        return self.roots[row].key_pem is not None

    # What is wrong

    def _own_findings(self, row: Row, look: Look) -> Iterator[Finding]:
        """The workspace's own CA or service accounts' pair: what of it is missing, or can be read by others."""
        signer = self.roots[row.name] if row.profile.kind == "ca" else self.service_accounts
        assert signer is not None
        for path in row.paths():
            found, is_key = look(path), path == row.place.key
            if is_key and not signer.keeps_key or found.unread:
                continue
            if found.missing:
                yield Finding("file-missing", path, row.name, "it is not there")
            elif isinstance(signer, ServiceAccounts) and (fault := signer.fault(path, found)):
                yield fault
            elif is_key:
                yield from exposed(found, row.name)

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong with the workspace and its hosts' trees, warnings too."""
        return (finding for one in self.check() for finding in one.findings)

    def check(self, processes: int = 1, tally: Callable[[], Tally] = Tally) -> Iterator[Checked]:
        """Internal: what is wrong with the workspace itself, then with each host's tree, warnings
        too; every host is looked at once, by so many *processes*. What *tally* says after each look
        goes with it."""
        hosts, proved = self.cluster.hosts, Proved()

        def look(number: int, shared: frozenset[bytes] = frozenset()) -> tuple[Checked, Marks]:
            host = hosts[number]
            judged = self._judged(host, self._look_at(host), self._by(host, shared, warns=True), proved)
            findings = dict.fromkeys(replace(finding, host=host.name) for _, one in judged for finding in one.findings)
            return Checked(host.name, tuple(findings), tally()), marks_of(judged, host.name)

        if processes > 1:
            look(0)     # what one host proves is proved for all, and what was imported for it is there for all
        tally()
        seen, shared, again = survey(look, range(len(hosts)), authority_marks(self.context), processes)
        for number, one in zip(again, survey(partial(look, shared=shared), again, (), processes)[0]):
            seen[number] = one
        by = self.context._replace(shared=shared, warns=True)
        own = [finding for row in self.rows for finding in (
            judge_among(row, self.look, by, proved).findings if row.profile.kind == "leaf"
            else self._own_findings(row, self.look))]
        yield Checked(None, tuple(dict.fromkeys(own)), tally())
        yield from seen

    def host_findings(self, host: Host, look: Look, counts: Callable[[Place], bool]) -> Iterator[Finding]:
        """Internal: everything that is wrong with one host's tree, which *look* shows by its own
        paths; *counts* says of which places."""
        for _, judged in self._judged(host, look, self._by(host, frozenset(), warns=True), Proved(), counts):
            yield from judged.findings

    def _judged(self, host: Host, look: Look, by: RowContext, proved: Proved,
                counts: Callable[[Place], bool] = lambda place: True) -> list[tuple[Row, Judged]]:
        """The rows of a host, and what was found of each."""
        rows = [row for row in map(self._held, self.wanted.of_host(host)) if counts(row.place)]
        by = by._replace(authority_paths={row.place.certificate: row.name for row in rows if row.profile.kind == "ca"})
        return [(row, judge_among(row, look, by, proved)) for row in rows]

    def _look_at(self, host: Host) -> Look:
        """How one host's tree looks, by its own paths."""
        tree = f"{NODES_FOLDER}/{host.name}/"
        return lambda path: self.look(tree + path).at(path)

    # The files

    def files(self, *, new_key: NewKey = make_key, warnings: list[str] | None = None) -> Iterator[File]:
        """The files that the plan makes, each as (path in the workspace, data, mode), keys and all; no disk.

        *new_key* makes a key of an algorithm; lines to be told to a person are added to *warnings*.

        >>> files = {file.path: file for file in kpki.make_plan(cluster).files()}
        >>> oct(files["pki/ca.key"].mode)
        '0o600'
        """
        made, told = self.with_roots(new_key), [] if warnings is None else warnings
        for one in self.hosts():
            yield from made.make(one, new_key=new_key, warnings=told)

    def with_roots(self, new_key: NewKey = make_key) -> Plan:
        """Internal: the same plan, with the CAs and the service accounts' pair made that are not
        there yet."""
        plan = self
        for name, root in self.roots.items():
            if root.bundle is None:
                plan = replace(plan, roots={**plan.roots, name: make_root(
                    root, algorithm=plan.algorithm, wanted=self.wanted, now=self.now, new_key=new_key)})
        pair = self.service_accounts
        if pair and pair.public_pem is None:
            pair = make_service_accounts(pair, algorithm=plan.algorithm, new_key=new_key)
        return replace(plan, service_accounts=pair)

    def make(self, plan: HostPlan, *, new_key: NewKey = make_key, warnings: list[str]) -> list[File]:
        """Internal: the files of one host's plan; the CAs of this plan are made (`with_roots`)."""
        folder = "" if plan.host is None else f"{NODES_FOLDER}/{plan.host}/"
        return [replace(file, path=folder + file.path) for task in plan.tasks
                for file in self._contents(task, new_key, warnings) if task.changes(file.path)]

    @property
    def algorithm(self) -> str:
        """Internal: the algorithm of what is not signed by an existing CA: the description's, else
        the given CA's."""
        root = self.roots.get("ca")
        return self.cluster.algorithm or (root.authority.algorithm if root and root.authority else DEFAULT_ALGORITHM)

    def _contents(self, task: Task, new_key: NewKey, warnings: list[str]) -> Iterator[File]:
        """What the files of a row are to hold."""
        row, place, layout = task.row, task.row.place, self.wanted.layout
        if row.profile.kind == "leaf":
            root = self.roots[row.profile.signer or ""]
            key = task.key or new_key(self.cluster.algorithm or root.ready().algorithm)
            chain = task.chain or (issue(root.ready(), row.profile, row.identity, key, now=self.now,
                                         validity=self.cluster.validity, warnings=warnings),)
            yield from leaf_files(row, layout, chain=chain, key=key, bundle=self.roots["ca"].bundle or b"")
        elif row.profile.kind == "key":
            assert self.service_accounts is not None and self.service_accounts.public_pem is not None
            yield File(place.certificate, self.service_accounts.public_pem, layout.mode(place, place.certificate))
            yield File(place.key, self.service_accounts.key_pem or b"", KEY_MODE)
        else:
            root = self.roots[row.name]
            assert root.bundle is not None
            bundle = pem.dump_certificate(root.signer) if place.only == SIGNER and root.signer else root.bundle
            yield File(place.certificate, bundle, CERTIFICATE_MODE)
            if place.key:
                yield File(place.key, (root.key_pem if row.host is None else root.host_key) or b"", KEY_MODE)


def _require(unread: Mapping[str, None]) -> None:
    """Raise AccessError if a file that was looked at is not the caller's to read: it may be right as it is."""
    for path in unread:
        raise refusal("", path)
