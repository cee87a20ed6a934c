"""At the cluster: requests for what waits for a CA's key, and the CA's answers.

The keys stay under `pending/` until their certificates are there. An answer is found by its public
key, whatever its file is called.
"""
from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .bundle import FOLDER, LIST, Request, digest, dump_list, load_list, request_for
from ..authority import find_sound_key, leaf_algorithm, make_key
from ..desired.rows import NODES_FOLDER, Row, tree_prefix
from ..leaf_files import Step, Task, leaf_files
from ..node.requests import same_request
from ..observed.inventory import ObservedFile
from ..plan.host_plan import Waiting
from ..plan.plan import Plan
from ..rules.leaf import check_pair
from ..rules.proved import Proved
from ..workspace import is_there, write
from ... import files, pem
from ...errors import InputError, KpkiError
from ...kubernetes import reading
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE
from ...kubernetes.profiles import sans_text
from ...kubernetes.reading import key_pin
from ...kubernetes.values import subject_name
from ...stages import der
from ...stages.extensions.identifiers import BASIC_CONSTRAINTS
from ...stages.keys import public_key_der
from ...stages.requests import req_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

PENDING = "pending"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a CA elsewhere, and what its answers gave."""

    steps: tuple[Step, ...] = ()
    """The files of the rows that were answered."""
    waiting: tuple[Waiting, ...] = ()
    """The rows without an answer."""
    requests: int = 0
    """The number of requests in the bundle."""
    digest: str = ""
    """The digest of the bundle's list, "" for an empty bundle."""
    refused: tuple[str, ...] = ()
    """A sentence for each file among the answers that gave nothing."""


class _Held(NamedTuple):
    """A row that waits for a certificate, with its key."""

    task: Task
    waiting: Waiting
    key: PrivateKeyTypes
    public_key: bytes
    waits: bool = True
    """Whether the row waits now; if not, an earlier run has asked for new dates."""


def exchange(plan: Plan, folder: str, waiting: Sequence[Waiting], *, now: datetime,
             warnings: list[str],
             renewing: Collection[tuple[str | None, str]] = ()) -> Asked:
    """Take the answers for rows that wait for a CA's key, and write requests for the others.

    *renewing* has host and path of right certificates that are to get new dates too. A request for
    new dates stays until its answer is there. The caller holds the workspace's lock. All files of
    one host change together. Nothing changes if the answers, and what waits, are those of the last
    run.
    """
    found, refused = _answers(folder)
    if not waiting and not renewing and not found and not is_asked(folder):
        return Asked()
    by_key = dict[bytes, list[str]]()
    for path, chain in found.items():
        by_key.setdefault(public_key_der(chain[0].public_key()), []).append(path)
    steps, left, made, removing = list[Step](), list[_Held](), list[files.File](), list[str]()
    held = [*_held(plan, folder, waiting)]
    for item in [*held, *_renewals(plan, folder, renewing, held)]:
        paths = by_key.pop(item.public_key, [])
        faults = {path: _fault(plan, item, found[path]) for path in paths}
        refused += [f"{FOLDER}/{path}: {fault}" for path, fault in faults.items() if fault]
        right = next((path for path, fault in faults.items() if not fault), None)
        if right is None:
            left.append(item)
            continue
        made += _files(plan, item, found[right])
        steps += item.task.steps
        pending = _pending(item.task.row)
        removing += [*(f"{FOLDER}/{path}" for path in paths),
                     *[pending] * is_there(os.path.join(folder, pending))]
    refused += [f"{FOLDER}/{path}: no request has the key of "
                f"{reading.subject_text(found[path][0])}"
                for paths in by_key.values() for path in paths]
    requests = [*_requests(plan, folder, left)]
    data = dump_list((request for request, _ in requests), plan.cluster.name)
    made += [file for _, own in requests for file in own]
    made += [files.File(f"{FOLDER}/{LIST}", data, CERTIFICATE_MODE)] * bool(requests)
    kept = {file.path for file in made}
    removing += [path for path in _old(folder) if path not in kept]
    write(folder, made, removing=removing, trees=NODES_FOLDER, now=now, warnings=warnings)
    return Asked(tuple(steps), tuple(item.waiting for item in left if item.waits), len(requests),
                 digest(data) if requests else "", tuple(refused))


def _held(plan: Plan, folder: str, waiting: Iterable[Waiting]) -> Iterator[_Held]:
    """The rows that wait, each with the key that stays, the key of its request, or a new key."""
    hosts = {file.host for file in waiting}
    plans = [plan.of_workspace()] if None in hosts else []
    plans += [plan.of_host(host) for host in plan.cluster.hosts if host.name in hosts]
    for host in plans:
        for (task, _), file in zip(host.held, host.waiting, strict=True):
            key, pending = task.key, _pending(task.row)
            if key is None and is_there(os.path.join(folder, pending)):
                key = find_sound_key(files.read(os.path.join(folder, pending)))
            if key is None:
                signer = plan.roots[task.row.profile.signer or ""].certificates[0]
                key = make_key(plan.cluster.algorithm or leaf_algorithm(signer.public_key()))
            yield _Held(task, file, key, public_key_der(key))


def is_asked(folder: str) -> bool:
    """Whether the workspace has a bundle of requests."""
    return is_there(os.path.join(folder, f"{FOLDER}/{LIST}"))


def _renewals(plan: Plan, folder: str, renewing: Collection[tuple[str | None, str]],
              held: Iterable[_Held]) -> Iterator[_Held]:
    """The rows with a right certificate that get new dates: now, or by the present bundle."""
    listed = dict[tuple[str | None, str], str]()
    if is_asked(folder):
        with suppress(InputError):      # another document is written anew
            listed = {(request.host, request.row): request.public_key for request in load_list(
                files.read(os.path.join(folder, f"{FOLDER}/{LIST}")), LIST)}
    for item in held:
        listed.pop((item.task.row.host, item.task.row.name), None)
    hosts, every = {host for host, _ in (*renewing, *listed)}, plan.renewing()
    waits = {(item.task.row.host, item.task.row.name) for item in held}
    plans = [every.of_workspace()] if None in hosts else []
    plans += [every.of_host(host) for host in plan.cluster.hosts if host.name in hosts]
    for host in plans:
        for (task, _), file in zip(host.held, host.waiting, strict=True):
            row = task.row
            if task.key is None or (row.host, row.name) in waits:
                continue
            public_key = public_key_der(task.key)
            asks = any((row.host, path) in renewing for path in row.paths())
            if asks or listed.get((row.host, row.name)) == key_pin(public_key):
                yield _Held(task, file, task.key, public_key, asks)


def _pending(row: Row) -> str:
    """The path of a request's key in the workspace until the certificate is there."""
    return f"{PENDING}/{_name(row)}.key"


def _answers(folder: str) -> tuple[dict[str, list[Certificate]], list[str]]:
    """The certificates beside the requests, by their paths, and a sentence for other files."""
    found, refused = dict[str, "list[Certificate]"](), list[str]()
    if not is_there(os.path.join(folder, FOLDER)):
        return found, refused
    top = os.path.join(folder, FOLDER)
    for path, _ in files.walk(top, skip=lambda _: False):
        if path == LIST or path.endswith(".csr"):
            continue
        try:
            chain = pem.load_certificates(files.read(os.path.join(top, path)))
            if part := reading.find_unreadable_part(chain[0]):
                raise InputError(f"the {part} of the certificate cannot be read")
            found[path] = chain
        except KpkiError as error:
            refused.append(f"{FOLDER}/{path}: {error.message}")
    return found, refused


def _fault(plan: Plan, item: _Held, chain: Sequence[Certificate]) -> str:
    """Why an answer is not the certificate of a row; "" for the right certificate."""
    row, leaf = item.task.row, chain[0]
    subject, wanted = reading.certificate_subject(leaf), row.identity
    if (subject.user, {*subject.groups}) != (wanted.user, {*wanted.groups}):
        return f"the certificate of {reading.subject_text(leaf)} is not for {_name(row)}"
    if any(extension.oid == BASIC_CONSTRAINTS
           and der.boolean(True) in der.items(der.content_of(extension.value))
           for extension in reading.extensions_of(leaf)):
        return f"a CA's certificate is not for {_name(row)}"
    names = reading.names_of(reading.extensions_of(leaf)) or reading.Names()
    if beyond := [*({*names.dns} - {*wanted.dns}), *({*names.addresses} - {*wanted.addresses})]:
        return f"the certificate has the name {min(beyond)}, which is not of {_name(row)}"
    certificate, key = (ObservedFile("answer", pem.dump_certificate(leaf)),
                        ObservedFile("key", pem.dump_key(item.key, form="traditional"), KEY_MODE))
    checked = check_pair(row, certificate, key, plan.context._replace(warns=False), Proved())
    return next((finding.message for finding in checked.findings
                 if finding.severity == "error"), "")


def _name(row: Row) -> str:
    return f"{row.host}/{row.name}" if row.host else row.name


def _files(plan: Plan, item: _Held, chain: Sequence[Certificate]) -> Iterator[files.File]:
    """The files of an answered row, in the workspace."""
    row = item.task.row
    tree = tree_prefix(row.host)
    for file in leaf_files(row, plan.wanted.layout, chain=chain[:1], key=item.key,
                           bundle=plan.roots["ca"].bundle or b""):
        if item.task.changes(file.path):
            yield files.File(tree + file.path, file.data, file.mode)


def _requests(plan: Plan, folder: str,
              left: Iterable[_Held]) -> Iterator[tuple[Request, list[files.File]]]:
    """The requests of the rows without an answer, each with its files; a present request stays."""
    days = max(1, -(-plan.cluster.validity // _DAY))
    for item in left:
        row = item.task.row
        request, names = request_for(row, item.public_key, days), sans_text(row.identity)
        csr = req_new(item.key, config="", subject=subject_name(row.identity),
                      addext=[f"subjectAltName={names}"] if names else [])
        path = f"{FOLDER}/{request.file}"
        place = os.path.join(folder, path)
        present = files.read(place) if is_there(place) else None
        data = present if present is not None and same_request(present, csr) else pem.dump_csr(csr)
        own = [files.File(path, data, CERTIFICATE_MODE)]
        if item.task.key is None:
            own.append(files.File(_pending(row), pem.dump_key(item.key, form="traditional"),
                                  KEY_MODE))
        yield request, own


def _old(folder: str) -> list[str]:
    """The existing requests, and the existing list."""
    if not is_there(os.path.join(folder, FOLDER)):
        return []
    listed = files.walk(os.path.join(folder, FOLDER), skip=lambda _: False)
    return [f"{FOLDER}/{path}" for path, _ in listed if path == LIST or path.endswith(".csr")]
