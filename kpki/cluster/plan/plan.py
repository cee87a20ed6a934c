"""What is to be done: findings → ordered steps, and the files that they make. No disk: *look* says what is there."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from .roots import NewKey, Read, ServiceAccounts, load_root, load_service_accounts, make_root, make_service_accounts
from ..authority import issue, make_key
from ..desired.description import Cluster, Host
from ..desired.rows import NODES_FOLDER, Row, Wanted
from ..finding import Finding
from ..fleet.survey import Marks, key_mark, serial_mark, survey
from ..leaf_files import RENEWED, Step, Task, leaf_files, leaf_task, step_of
from ..observed.inventory import Found, refusal
from ..rules.judge import judge
from ..rules.judged import Judged, Look, exposed, serial_reused
from ..rules.leaves import WITHIN, Judge, Kind
from ... import pem
from ...clock import utc_now
from ...errors import InputError
from ...files import File
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE, SIGNER, Place
from ...stages.keys import public_key_der

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
    FileError or RefusedError where a CA that is there cannot be used: none is ever replaced. The steps of a plan raise
    AccessError if *look* could not read a file for lack of permission.
    """
    return Plan(cluster, look, read or _unread, passphrase, now or utc_now(), renew_before)


def _unread(path: str) -> bytes:
    raise InputError(f"{path}: a CA that the description names, and nothing reads it", hint="give make_plan a read=")


class Plan:
    """What is to be done for a cluster, host by host; nothing of a host is kept once it has been told."""

    def __init__(self, cluster: Cluster, look: Look, read: Read, passphrase: bytes | None, now: datetime,
                 renew_before: timedelta | None = None) -> None:
        self.cluster, self.now, self.renew_before, self._look = cluster, now, renew_before, look
        self.unread = dict[str, None]()     # the files and folders that the caller may not read, as far as looked for
        self.warnings: list[str] = []
        self.new_key: NewKey = make_key     # where keys of an algorithm come from
        self.shared: frozenset[bytes] | None = None     # marks that several have, once looked into
        self._proved = set[Kind]()
        wanted = Wanted(cluster)
        rows = wanted.of_workspace()
        self.roots = {row.name: load_root(row, self.look, wanted=wanted, read=read, passphrase=passphrase, now=now)
                      for row in rows if row.profile.kind == "ca"}
        pairs = [load_service_accounts(row, self.look, wanted=wanted) for row in rows if row.profile.kind == "key"]
        self.service_accounts: ServiceAccounts | None = pairs[0] if pairs else None
        # the signer of a bundle alone is for a kube-controller-manager that signs: where a host gets the CA's key
        root = self.roots.get("ca")
        self.wanted = Wanted(cluster, bundled=root is not None and len(root.certificates) > 1
                             and root.host_key is not None)
        self.unmade = frozenset(name for name, root in self.roots.items() if root.bundle is None)
        self._rows, self._servers, self._ca_keys = rows, self.wanted.api_servers(), self.wanted.layout.authority_keys()
        self._authorities = {name: tuple(root.certificates) for name, root in self.roots.items()}
        self._signers = {name: root.signer for name, root in self.roots.items() if root.signer}
        self._service_accounts = self.service_accounts.public_key if self.service_accounts else None

    def look(self, path: str) -> Found:
        """A file of the workspace."""
        found = self._look(path)
        if found.unread:
            self.unread[found.unread] = None
        return found

    # What is to be done

    def of_workspace(self) -> HostPlan:
        """What is to be done for the workspace itself: the CAs, the service accounts' pair, people's kubeconfigs."""
        tasks, waiting = list[Task](), list[Waiting]()
        for row in self._rows:
            if row.profile.kind == "leaf":
                self._add(row, self._judge(row, self.look, self._by(None, ())), self.look, tasks, waiting)
            elif found := [*self._own_findings(row)]:
                tasks.append(Task(row, tuple(step_of(row, one.path, self.look, found) for one in found)))
        self._require()
        return HostPlan(None, tuple(tasks), tuple(waiting))

    def of_host(self, host: Host, *, bare: bool = False) -> HostPlan:
        """What is to be done for one host; *bare* says that nothing is there, and saves looking."""
        tasks, waiting = list[Task](), list[Waiting]()
        look = nothing_there if bare else self._look_at(host)
        judged = self._judged(host, look)
        for row, one in judged:
            self._add(row, one, look, tasks, waiting)
        self._require()
        return HostPlan(host.name, tuple(tasks), tuple(waiting), _marks(host, judged))

    def _require(self) -> None:
        """Raise AccessError if a file that was looked at is not the caller's to read: it may be right as it is."""
        for path in self.unread:
            raise refusal("", path)

    def hosts(self) -> Iterator[HostPlan]:
        """The workspace's own, then each host's; first of all which keys and serials there are twice is looked into."""
        self._survey()
        yield self.of_workspace()
        for host in self.cluster.hosts:
            yield self.of_host(host)

    def _survey(self) -> None:
        if self.shared is None:
            hosts = self.cluster.hosts
            _, self.shared, _ = survey(lambda number: (None, self.of_host(hosts[number]).marks), range(len(hosts)),
                                       self.authority_keys(), 1)

    def authority_keys(self) -> Marks:
        """The keys of the CAs that are there: no leaf may have one of them."""
        return tuple((key_mark(public_key_der(certificate.public_key())), b"") for root in self.roots.values()
                     for certificate in root.certificates)

    def steps(self) -> Iterator[Step]:
        """Every step, in order."""
        for one in self.hosts():
            yield from one.steps

    def waiting(self) -> Iterator[Waiting]:
        """Every row that waits for a CA's key."""
        for one in self.hosts():
            yield from one.waiting

    def _held(self, row: Row) -> Row:
        """A CA's row without its key, where no host gets that: it is encrypted, or kept elsewhere."""
        root = self.roots.get(row.name)
        if row.profile.kind == "ca" and row.with_key and root and (root.encrypted or not root.can_sign):
            return replace(row, with_key=False)
        pair = self.service_accounts
        if row.profile.kind == "key" and pair and pair.public_pem is not None and pair.key_pem is None:
            return replace(row, with_key=False)
        return row

    def _by(self, host: Host | None, rows: Sequence[Row], *, warns: bool = False) -> Judge:
        """What a host's *rows*, or with None the workspace's, are judged by."""
        return Judge(node=host.name if host else "", now=self.now, authorities=self._authorities,
                     sure=frozenset(self.roots), exact=True, signers=self._signers, servers=self._servers,
                     unmade=self.unmade, service_accounts=self._service_accounts,
                     authority_paths={row.place.certificate: row.name for row in rows if row.profile.kind == "ca"},
                     forbidden=self._ca_keys if host and not host.roles else (),
                     warns=warns or self.renew_before is not None, proved=self._proved,
                     within=WITHIN if self.renew_before is None else self.renew_before)

    def _judge(self, row: Row, look: Look, by: Judge) -> Judged:
        """What was found of a row; a leaf's key or serial number that another has too is not its own."""
        judged = judge(row, look, by)
        shared = self.shared or frozenset()     # a key under another's certificate may still be a CA's
        if row.profile.kind != "leaf" or judged.key is None or judged.of_another_host or judged.own and not shared:
            return judged
        place, mark = row.place, _key_mark(judged)
        if mark in (shared if judged.own else {one for one, _ in self.authority_keys()}):
            path = place.key or f"{place.kubeconfig}#users/{row.kubeconfig.user_name if row.kubeconfig else ''}"
            judged.findings.append(Finding("shared-key", path, row.name, "another host has the same private key"))
            judged.key = None
        elif judged.chain and serial_mark(judged.chain[0])[0] in shared:
            judged.findings += [serial_reused(row, judged.chain[0])]
            judged.pair_right = False
        return judged

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
        if self.renew_before is None or not causes or not judged.chain:
            return False
        signer = self._signers.get(row.profile.signer or "")    # no leaf is issued past its end
        return causes != {"expiring-soon"} or signer is None \
            or judged.chain[0].not_valid_after_utc < signer.not_valid_after_utc

    def _copy_task(self, row: Row, judged: Judged, look: Look) -> Task:
        """A CA or the service accounts' pair on a host: files that are not what the workspace has are replaced."""
        unmade = row.name in self.unmade or row.profile.kind == "key" and self._service_accounts is None
        wrong = {finding.path for finding in judged.findings}
        steps = [step_of(row, path, look, judged.findings) for path in row.paths() if unmade or path in wrong]
        steps += [Step("remove", row.host, one.path, one.row, (one.cause,)) for one in judged.findings
                  if one.cause == "ca-key-on-worker" and self.holds_key(one.row)]
        return Task(row, tuple(steps))

    def holds_key(self, row: str) -> bool:
        """Whether the workspace, or a control-plane host's tree in it, holds the private key of a CA's row."""
        return self.roots[row].key_pem is not None

    def _own_findings(self, row: Row) -> Iterator[Finding]:
        """The workspace's own CA or service accounts' pair: what of it is missing, or can be read by others."""
        signer = self.roots[row.name] if row.profile.kind == "ca" else self.service_accounts
        assert signer is not None
        for path in row.paths():
            found, is_key = self.look(path), path == row.place.key
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
        """What is wrong with the workspace itself, then with each host's tree, warnings too; every host is looked at
        once, by so many *processes*. What *tally* says after each look goes with it."""
        hosts, self.shared = self.cluster.hosts, None

        def look(number: int) -> tuple[Checked, Marks]:
            judged = self._judged(host := hosts[number], self._look_at(host), warns=True)
            findings = dict.fromkeys(replace(finding, host=host.name) for _, one in judged for finding in one.findings)
            return Checked(host.name, tuple(findings), tally()), _marks(host, judged)

        if processes > 1:
            look(0)     # what one host proves is proved for all, and what was imported for it is there for all
        tally()
        seen, self.shared, again = survey(look, range(len(hosts)), self.authority_keys(), processes)
        for number, one in zip(again, survey(look, again, (), processes)[0]):
            seen[number] = one
        own = [finding for row in self._rows for finding in (
            self._judge(row, self.look, self._by(None, (), warns=True)).findings if row.profile.kind == "leaf"
            else self._own_findings(row))]
        yield Checked(None, tuple(dict.fromkeys(own)), tally())
        yield from seen

    def host_findings(self, host: Host, look: Look | None = None,
                      counts: Callable[[Place], bool] = lambda place: True) -> Iterator[Finding]:
        """Everything that is wrong with one host's tree, which *look* shows by its own paths, None: the workspace's.

        *counts* says of which places.
        """
        for _, judged in self._judged(host, look or self._look_at(host), counts, warns=True):
            yield from judged.findings

    def _judged(self, host: Host, look: Look, counts: Callable[[Place], bool] = lambda place: True, *,
                warns: bool = False) -> list[tuple[Row, Judged]]:
        """The rows of a host, and what was found of each."""
        rows = [row for row in map(self._held, self.wanted.of_host(host)) if counts(row.place)]
        by = self._by(host, rows, warns=warns)
        return [(row, self._judge(row, look, by)) for row in rows]

    def _look_at(self, host: Host) -> Look:
        """How one host's tree looks, by its own paths."""
        tree = f"{NODES_FOLDER}/{host.name}/"

        def look(path: str) -> Found:
            found = self.look(tree + path)
            return replace(found, path=path)
        return look

    # The files

    def files(self) -> Iterator[File]:
        """The files that the plan makes, each as (path in the workspace, data, mode), keys and all; no disk."""
        for one in self.hosts():
            yield from self.make(one)

    def make(self, plan: HostPlan) -> list[File]:
        """The files of one host's plan. The workspace's own plan comes first: it makes the CAs."""
        if plan.host is None:
            self.make_roots()
        folder = "" if plan.host is None else f"{NODES_FOLDER}/{plan.host}/"
        return [replace(file, path=folder + file.path) for task in plan.tasks for file in self._contents(task)
                if task.changes(file.path)]

    def make_roots(self) -> None:
        """Make the CAs and the service accounts' pair that are not there yet."""
        for name in self.roots:
            if self.roots[name].bundle is None:
                make_root(self.roots[name], algorithm=self.algorithm, wanted=self.wanted, now=self.now,
                          new_key=self.new_key)
        if self.service_accounts and self.service_accounts.public_pem is None:
            make_service_accounts(self.service_accounts, algorithm=self.algorithm, new_key=self.new_key)

    @property
    def algorithm(self) -> str:
        """The algorithm of what is not signed by an existing CA: the description's, else the given CA's."""
        root = self.roots.get("ca")
        return self.cluster.algorithm or (root.authority.algorithm if root and root.authority else DEFAULT_ALGORITHM)

    def _contents(self, task: Task) -> Iterator[File]:
        """What the files of a row are to hold."""
        row, place, layout = task.row, task.row.place, self.wanted.layout
        if row.profile.kind == "leaf":
            root = self.roots[row.profile.signer or ""]
            key = task.key or self.new_key(self.cluster.algorithm or root.ready().algorithm)
            chain = task.chain or (issue(root.ready(), row.profile, row.identity, key, now=self.now,
                                         validity=self.cluster.validity, warnings=self.warnings),)
            yield from leaf_files(row, layout, chain=chain, key=key, bundle=self.roots["ca"].bundle or b"")
        elif row.profile.kind == "key":
            assert self.service_accounts is not None
            public_pem = self.service_accounts.public_pem or b""
            yield File(place.certificate, public_pem, layout.mode(place, place.certificate))
            yield File(place.key, self.service_accounts.key_pem or b"", KEY_MODE)
        else:
            root = self.roots[row.name]
            bundle = pem.dump_certificate(root.signer) if place.only == SIGNER and root.signer else root.bundle
            yield File(place.certificate, bundle or b"", CERTIFICATE_MODE)
            if place.key:
                yield File(place.key, (root.key_pem if row.host is None else root.host_key) or b"", KEY_MODE)


def _marks(host: Host, judged: Iterable[tuple[Row, Judged]]) -> Marks:
    """What of a host's leaves no other may have."""
    own = [one for row, one in judged if row.profile.kind == "leaf" and one.key is not None and one.is_hosts]
    return (*((_key_mark(one), host.name.encode()) for one in own),
            *(serial_mark(one.chain[0]) for one in own if one.chain))


def _key_mark(judged: Judged) -> bytes:
    assert judged.key is not None
    return key_mark(judged.public_key or public_key_der(judged.key))
