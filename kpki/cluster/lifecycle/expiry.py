"""When certificates end: those of a workspace, of a host, of a folder or of a file."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..desired.rows import NODES_FOLDER, layout_of, tree_prefix
from ..fleet.processes import in_turn
from ..fleet.survey import batches, processes_for
from ..observed.hosts import inventory_of, is_host_tree
from ..observed.inventory import Inventory, ObservedFile
from ..observed.search import is_aside, is_kubeconfig, may_matter, observe_in_folder
from ..observed.use import Use
from ..observed.uses import read_host
from ..rules.facts import row_of
from ..workspace import DESCRIPTION, read_cluster, workspace_observer
from ... import files, pem
from ...arguments import validated
from ...clock import utc_now
from ...errors import FileError, InputError
from ...kubernetes import reading
from ...kubernetes.kubeconfig import embedded_certificates
from ...kubernetes.layouts import WORKSPACE, Layout
from ...kubernetes.reading import USAGE_OIDS

if TYPE_CHECKING:
    from ...stages.names import Name

Shared = TypeVar("Shared", bound=Hashable)
_BATCH = 256    # hosts
_DAY = timedelta(days=1)
AUTHORITY = "CA"    # the usage of a certificate that signs others
_DENIED = "permission denied"
_DER = b"\x30"
# What a kubelet keeps of its store; a link leads to the pair that counts.
_ROTATED = re.compile(r"kubelet-(client|server)-\d{4}(-\d\d){5}\.pem")


@dataclass(frozen=True, slots=True)
class DatedCertificate:
    """A certificate in one place, and from when until when the certificate is valid.

    >>> found, = kpki.read_certificates(host / "etc/kubernetes/pki").certificates
    >>> found.subject, found.days_left(now)
    (Name('CN=kubernetes'), 3650)
    """

    host: str | None
    """The host whose tree holds the file, None if there is one tree only."""
    path: str
    """The file, relative to the tree; in a kubeconfig with the entry: `admin.conf#users/admin`."""
    row: str
    """The row of the profiles table, "" if nothing tells the row."""
    usages: tuple[str, ...]
    """What the certificate itself allows: `CA`, or of serverAuth and clientAuth those allowed."""
    subject: Name
    issuer: Name
    not_before: datetime
    """The first moment of the validity (UTC)."""
    not_after: datetime
    """The last moment of the validity (UTC)."""
    serial_number: int

    @validated
    def days_left(self, now: datetime | None = None) -> int:
        """The whole days from *now* (UTC, None: the clock) to the end, rounded down.

        The days of an ended certificate are below 0. Raises InputError for a datetime without a
        zone.
        """
        return (self.not_after - (now or utc_now())) // _DAY

    @validated
    def ends_within(self, span: timedelta, now: datetime | None = None) -> bool:
        """Whether the certificate has ended at *now*, or less than *span* is left.

        *now* is in UTC, None: the clock. Raises InputError for a datetime without a zone.
        """
        return self.not_after - (now or utc_now()) < span


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or folder whose certificates could not be read.

    >>> found = kpki.read_certificates(host / "srv/damaged.crt")
    >>> [(skipped.path, skipped.reason) for skipped in found.skipped]
    [('damaged.crt', 'not a readable certificate')]
    """

    host: str | None
    """The host whose tree holds the file, None if there is one tree only."""
    path: str
    """The file or folder, relative to the tree."""
    reason: str


@dataclass(frozen=True, slots=True)
class CertificateList:
    """The certificates of a place, and what could not be read there.

    >>> found = kpki.read_certificates(workspace / "pki")
    >>> len(found.certificates), found.ending(timedelta(days=30), now)
    (3, ())
    """

    certificates: tuple[DatedCertificate, ...]
    """The certificates by their end, the first to end first."""
    skipped: tuple[SkippedFile, ...] = ()
    """The files and folders whose certificates could not be read."""
    of_host: bool = False
    """Whether the place is one host's root tree, where the paths begin."""

    @validated
    def ending(self, span: timedelta,
               now: datetime | None = None) -> tuple[DatedCertificate, ...]:
        """The certificates that have ended at *now*, or end before *span* has passed.

        *now* is in UTC, None: the clock. Raises InputError for a datetime without a zone.
        """
        moment = now or utc_now()
        return tuple(certificate for certificate in self.certificates
                     if certificate.not_after - moment < span)


def read_certificates(path: str | os.PathLike[str], *, host_name: str = "",
                      processes: int | None = None) -> CertificateList:
    """Every certificate of a workspace, a host's tree, a folder or a file, by its end.

    Bundles, combined PEM files and all entries of kubeconfigs count, each certificate of a file
    once. Of a host's tree the files count that a component reads (see `inspect_host`). Elsewhere
    all files count but backups and what a kubelet has rotated. *host_name* is this host's name, for
    a kubeadm configuration without a node name. Many hosts are read by as many *processes* (None:
    one per processor).
    Raises FileError if nothing is at *path*, and what `load_cluster` raises for the description of
    a workspace.

    >>> found = kpki.read_certificates(host / "etc/kubernetes/pki")
    >>> [(one.path, one.usages) for one in found.certificates]
    [('ca.crt', ('CA',))]
    """
    path = os.fspath(path)
    kind = files.read_entry_at(path).kind if path else "missing"
    if kind == "missing":
        raise FileError(f"{path or repr(path)}: no such file or folder")
    if kind != "folder":
        folder, name = os.path.split(path)
        return _sorted([_read(observe_in_folder(folder or os.curdir, name), None, {})])
    if files.read_entry(path, DESCRIPTION).kind != "missing":
        return _sorted(_of_workspace(path, host_name, processes))
    host = read_host(path)
    if is_host_tree(path, host):
        return replace(_sorted(_of_host(inventory_of(path, host))), of_host=True)
    return _sorted([_of_folder(path, None, {}, partial(observe_in_folder, path))])


class _Found(NamedTuple):
    """The certificates, and the skipped files, of one file or one tree."""

    certificates: Sequence[DatedCertificate] = ()
    skipped: Sequence[SkippedFile] = ()


def _sorted(parts: Iterable[_Found]) -> CertificateList:
    """All parts as one list, by end."""
    certificates, skipped = list[DatedCertificate](), list[SkippedFile]()
    for part in parts:
        certificates += part.certificates
        skipped += part.skipped
    certificates.sort(key=lambda found: (found.not_after, found.host or "", found.path))
    return CertificateList(tuple(certificates), tuple(dict.fromkeys(skipped)))


def _of_workspace(folder: str, host_name: str, processes: int | None) -> Iterator[_Found]:
    """The workspace's own files, then each host's tree."""
    cluster = read_cluster(folder, host_name=host_name)
    observe, rows = workspace_observer(folder), _rows(layout_of(cluster))
    nodes = os.path.join(folder, NODES_FOLDER)
    hosts = [] if files.read_entry(folder, NODES_FOLDER).kind != "folder" else [
        name for name in sorted(files.list_names(nodes))
        if files.read_entry(nodes, name).kind == "folder" and not is_aside(name)]
    trees = {f"{NODES_FOLDER}/{name}" for name in hosts}
    yield _of_folder(folder, None, _rows(WORKSPACE), observe, skip=trees.__contains__)

    def of_hosts(batch: Sequence[str]) -> list[_Found]:
        return [_of_folder(os.path.join(nodes, host), host, rows, partial(_below, observe, host))
                for host in batch]

    count = processes_for(len(hosts), processes)
    for found in in_turn(of_hosts, batches(hosts, count, _BATCH), count):
        yield from found


def _below(observe: Callable[[str], ObservedFile], host: str, path: str) -> ObservedFile:
    """A file of a host's tree in a workspace."""
    return observe(tree_prefix(host) + path)


def _of_host(inventory: Inventory) -> Iterator[_Found]:
    """The files of a host that its components read."""
    uses = dict[str, list[Use]]()
    for use in inventory.uses:
        uses.setdefault(use.path, []).append(use)
    rows = {path: row_of(found) for path, found in uses.items()}
    for path in dict.fromkeys(use.file for use in inventory.uses):
        yield _read(inventory.file(path), None, rows)
    yield _Found(skipped=[SkippedFile(None, path, _DENIED) for path in inventory.unread])


def _of_folder(folder: str, host: str | None, rows: Mapping[str, str],
               observe: Callable[[str], ObservedFile],
               skip: Callable[[str], bool] = lambda _: False) -> _Found:
    """All files in a folder and below."""
    closed = list[str]()
    listed = files.walk(folder, skip=lambda path: is_aside(path) or skip(path), closed=closed)
    parts = [_read(observe(path), host, rows, path) for path, _ in listed if _counts(path)]
    return _Found([*chain.from_iterable(part.certificates for part in parts)],
                  [*chain.from_iterable(part.skipped for part in parts),
                   *(SkippedFile(host, path, _DENIED) for path in closed)])


def _counts(path: str) -> bool:
    """Whether a file counts, by its name. Of a kubelet's store the link to the pair counts."""
    return may_matter(path) and not _ROTATED.fullmatch(os.path.basename(path))


def _read(file: ObservedFile, host: str | None, rows: Mapping[str, str], path: str = "") -> _Found:
    """The certificates of one file; *path* is the path that the report gives the file."""
    path = path or file.path
    if file.unread or file.problem:
        return _Found(skipped=[SkippedFile(host, path, file.problem or _DENIED)])
    found = dict[tuple[str, bytes], DatedCertificate]()
    skipped = list[SkippedFile]()
    for entry, block in _blocks(file.data or b"", path, host, skipped):
        place = f"{path}#{entry}" if entry else path
        try:
            parsed = _parsed(block)
        except InputError as error:
            skipped.append(SkippedFile(host, place, error.message))
            continue
        row = rows.get(place) or rows.get(path, "") if not entry.startswith("clusters/") else "ca"
        found[place, block] = DatedCertificate(host, _shared(place), row, *parsed)
    return _Found([*found.values()], skipped)


def _blocks(data: bytes, path: str, host: str | None,
            skipped: list[SkippedFile]) -> Iterator[tuple[str, bytes]]:
    """The PEM of each certificate in a file, with the entry of a kubeconfig ("" elsewhere)."""
    entries = [("", data)]
    if b"-data" in data and is_kubeconfig(data):
        entries = [*embedded_certificates(data)]
    elif data[:1] == _DER:
        with suppress(InputError):
            entries = [("", pem.dump_certificate(pem.load_certificate(data, encoding="DER")))]
    for entry, inner in entries:
        if b"-----BEGIN " not in inner:
            continue
        try:
            yield from ((entry, block.armour) for block in pem.blocks(inner)
                        if block.label in pem.CERTIFICATE_LABELS)
        except InputError as error:
            skipped.append(SkippedFile(host, f"{path}#{entry}" if entry else path, error.message))


@lru_cache(maxsize=64)      # every host has the CAs'
def _parsed(block: bytes) -> tuple[tuple[str, ...], Name, Name, datetime, datetime, int]:
    """The usages, names, dates and serial number of a certificate in PEM. Raises InputError."""
    certificate = pem.load_certificate(block)
    try:
        dates = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except ValueError as error:
        raise InputError(f"the dates of a certificate cannot be read: {error}") from None
    subject, issuer = reading.subject_and_issuer(certificate)
    if reading.is_authority(certificate):
        usages: tuple[str, ...] = (AUTHORITY,)
    else:
        usages = tuple(usage for usage in USAGE_OIDS if reading.usable_for(certificate, usage))
    return (_shared(usages), _shared(subject), _shared(issuer), *map(_shared, dates),
            reading.serial_number(certificate))


@lru_cache(maxsize=1024)
def _shared(value: Shared) -> Shared:
    """*value*, or the equal value that an earlier certificate has: a fleet has few of them."""
    return value


def _rows(layout: Layout) -> dict[str, str]:
    """The row of each file of a layout with a certificate."""
    return {path: place.row for place in layout.places
            for path in (place.kubeconfig, place.certificate) if path}
