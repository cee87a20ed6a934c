"""The folder in which kpki keeps what it makes for a cluster: one writer at a time, all files of a step at once."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

from .. import files
from ..errors import FileError, KpkiError, about
from ..kubernetes.layouts import CERTIFICATE_MODE, FOLDER_MODE, KEY_MODE, WORKSPACE
from ..kubernetes.profiles import find_profile
from .authority import example_authority
from .wanted import NODES_FOLDER, Wanted

if TYPE_CHECKING:
    from ..files.tree import Action
    from .description import Cluster
    from .inventory import Found, Inventory
    from .judging.contents import Finding
    from .plan import Plan

DESCRIPTION = "cluster.yaml"
PRIVATE_FOLDER = 0o700
BACKUP = "backup"
_EXAMPLE_CA = ("pki/ca.crt", "pki/ca.key")


def description_path(folder: str) -> str:
    """Where the description of the workspace *folder* lies. Raises FileError where it is not there."""
    path = os.path.join("" if folder == os.curdir else folder, DESCRIPTION)
    if files.look(folder, DESCRIPTION).kind == "missing":
        if files.look_at(folder).kind == "file":
            raise FileError(f"{folder}: a file, and a workspace is a folder",
                            hint=f"name the folder that holds {DESCRIPTION}")
        raise FileError(f"{path}: there is no such file, so nothing says what the cluster should be",
                        hint="kpki init writes one; docs/description.md says what stands in it")
    return path


def read_cluster(folder: str, *, host_name: str | None = None) -> Cluster:
    """The cluster that the workspace *folder* describes in its cluster.yaml.

    *host_name* is this host's, for kubeadm's documents that name none. Raises FileError where the file is not there or
    cannot be read, ConfigurationError, with the file's name before it, for what is wrong in it.
    """
    from .description import load_cluster
    path = description_path(folder)
    data = files.read(path)
    with about(path):
        return load_cluster(data, host_name=host_name)


def look_in(folder: str, path: str) -> Found:
    """A file of a workspace: symbolic links are read as they lie there, in a host's tree as on that host."""
    from .inventory import look
    trees, _, rest = path.partition("/")
    host, _, inner = rest.partition("/")
    if trees != NODES_FOLDER or not inner:
        return replace(look("/", os.path.abspath(os.path.join(folder, path)).lstrip("/")), path=path)
    return replace(look(os.path.join(folder, trees, host), inner), path=path)


def plan_of(folder: str, *, now: datetime, cluster: Cluster | None = None, passphrase: bytes | None = None,
            host_name: str | None = None, look: Callable[[str], Found] | None = None) -> Plan:
    """The plan for a workspace: its description (or *cluster*) against what lies in it, or what *look* shows of it.

    *host_name* is as for `read_cluster`.
    """
    from .plan import make_plan
    if cluster is None:
        cluster = read_cluster(folder, host_name=host_name)
    return make_plan(cluster, look=look or _looker(folder), now=now, passphrase=passphrase,
                     read=lambda path: files.read(os.path.join(folder, path)))


def _looker(folder: str) -> Callable[[str], Found]:
    from .inventory import looker
    return looker(folder, partial(look_in, folder))


@dataclass(frozen=True, slots=True)
class Told:
    """What a workspace tells of a node's files: its *cluster*, the CA's paths, and of a node that it knows the rest."""

    cluster: Cluster
    ca: str
    ca_key: str | None
    addresses: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    server: str = ""


def told(folder: str, name: str, *, signer: str = "ca", host_name: str | None = None) -> Told | None:
    """What the workspace *folder* tells of the node *name*, and of the CA *signer* (a row); None where it has no
    description."""
    if files.look(folder, DESCRIPTION).kind == "missing":
        return None
    cluster = read_cluster(folder, host_name=host_name)
    certificate, key = authority_paths(cluster, folder, signer)
    wanted = Wanted(cluster)
    for host in cluster.hosts:
        if host.name == name:
            server = next(row.kubeconfig.server for row in wanted.of_host(host)
                          if row.place == wanted.layout.kubelet and row.kubeconfig)
            return Told(cluster, certificate, key, host.addresses, host.dns, server)
    return Told(cluster, certificate, key, server=wanted.server())


def authority_paths(cluster: Cluster, folder: str, row: str = "ca") -> tuple[str, str | None]:
    """Where a CA of a workspace lies: its certificate, and its key, None where that is kept elsewhere."""
    from .roots import GIVEN_NAMES
    given, place = cluster.authorities.get(GIVEN_NAMES[row]), WORKSPACE.place(row)
    certificate, key = (given.certificate, given.key) if given else (place.certificate, place.key)
    return os.path.join(folder, certificate), None if key is None else os.path.join(folder, key)


def check_workspace(folder: str, *, now: datetime, host_name: str | None = None, only: str | None = None,
                    processes: int | None = None) -> tuple[list[Finding], int]:
    """Everything that is wrong with a workspace by its own description, and how many certificates were read.

    *only* is the host that is asked for: then its findings name no host. What apply mends says so; the files of a host
    are the host's. Where a CA of the workspace's own is broken that is all there is to say: by it all the others are
    judged. *processes* is how many there may be (None: one a processor). Raises KpkiError for a description, or a CA
    that it names, which cannot be taken.
    """
    from .fleet.survey import processes_for
    from .inventory import certificates_in
    counts, look = dict[str, int](), _looker(folder)

    def counted(path: str) -> Found:
        found = look(path)
        counts[path] = certificates_in(found.data or b"")
        return found

    def tally() -> int:
        """How many certificates were read since it was asked last."""
        total = sum(counts.values())
        counts.clear()
        return total

    cluster = read_cluster(folder, host_name=host_name)
    try:
        planned = plan_of(folder, now=now, cluster=cluster, look=counted)
    except KpkiError:
        broken = [*_broken_authorities(cluster, folder, counted, now)]
        if not broken or only is not None:
            raise
        return broken, sum(counts.values())
    asked = None if only is None else cluster.host(only).name
    findings: list[Finding] = []
    certificates = 0
    for checked in planned.check(processes_for(len(cluster.hosts), processes), tally):
        if asked in (None, checked.host):
            findings += [replace(one, remedy=_mended(one, folder)) for one in checked.findings]
            certificates += checked.tally
    return findings if asked is None else [replace(one, host=None) for one in findings], certificates


def _mended(finding: Finding, folder: str) -> tuple[str, ...]:
    """The commands that mend a finding of a workspace."""
    tree = os.path.join(folder, NODES_FOLDER, finding.host) if finding.host else folder
    path = quote(os.path.normpath(os.path.join(tree, finding.path.partition("#")[0])))
    if finding.cause == "key-exposed":
        return (f"chmod 600 {path}",)
    if finding.severity == "warning" and find_profile(finding.row).kind == "ca":
        return ("# nothing in the cluster minds, and a CA that is there is never replaced",)
    # a folder is in a file's way; what is right by itself apply would keep
    aside = finding.cause == "key-unreadable" and finding.host or finding.severity == "warning" \
        and finding.cause != "kubelet-serving-self-signed"
    return (*([f"mv {path} {path}.aside"] if aside else []), f"kpki apply {quote(folder)}")


def check_described(folder: str, inventory: Inventory, name: str, *, now: datetime,
                    host_name: str | None = None) -> list[Finding] | None:
    """What is wrong with a host's tree that lies elsewhere, by the description of the workspace *folder*: with what its
    kubelet needs, and what lies there else; None where that does not tell. Raises as `check_workspace`."""
    cluster = read_cluster(folder, host_name=host_name)
    host = next((one for one in cluster.hosts if one.name == name), None)
    if host is None or cluster.layout != inventory.layout.name:
        return None
    planned, kubelets = plan_of(folder, now=now, cluster=cluster), inventory.layout.node_places()
    return [*dict.fromkeys(planned.host_findings(host, inventory.look, lambda place: place in kubelets or any(
        not inventory.look(path).missing for path in place.files())))]


def _broken_authorities(cluster: Cluster, folder: str, look: Callable[[str], Found],
                        now: datetime) -> Iterator[Finding]:
    """What is wrong with the files of the workspace's own CAs that keeps a plan from being made."""
    from .judging.judge import judge
    from .judging.leaves import Judge
    from .roots import GIVEN_NAMES, copies
    wanted = Wanted(cluster)
    for row in wanted.of_workspace():
        if row.profile.kind == "ca" and GIVEN_NAMES[row.name] not in cluster.authorities:
            faults = judge(row, look, Judge(node="", now=now)).findings
            broken = [one for one in faults if one.cause not in ("file-missing", "encrypted-key")]
            for one in broken[:1]:
                path = next(copies(row, look, wanted), "")
                aside = quote(os.path.join("" if folder == os.curdir else folder, path))
                yield replace(one, path=path or one.path, remedy=(
                    f"mv {aside} {aside}.aside", f"kpki apply {quote(folder)}") if path else (
                        f"# a CA is never replaced: put the cluster's own back as {one.path}",))


def ca_keys(folder: str, cluster: Cluster) -> list[str]:
    """The private keys of CAs that are there: those that the description names, and the workspace's own."""
    given = [one.key for one in cluster.authorities.values()]
    own = [place.key for place in WORKSPACE.places if find_profile(place.row).kind == "ca"]
    return [os.path.join(folder, path) for path in (*given, *own) if path and is_there(os.path.join(folder, path))]


def is_there(path: str) -> bool:
    """Whether something lies at a path."""
    return files.look("/", os.path.abspath(path).lstrip("/")).kind != "missing"


def ensure_example_description(folder: str, now: datetime) -> None:
    """Write the built-in cluster.yaml, unless it is there. The caller holds the workspace."""
    from .description import example_description
    text = example_description().encode()
    if files.look(folder, DESCRIPTION).kind == "missing":
        write(folder, [files.File(DESCRIPTION, text, CERTIFICATE_MODE)], trees=NODES_FOLDER, now=now)
    elif files.read(path := os.path.join(folder, DESCRIPTION)) != text:
        raise FileError(f"{path}: it is there already, and says something else than the example",
                        hint="kpki apply without --example works from it")


@contextmanager
def locked(folder: str, now: datetime) -> Iterator[None]:
    """Hold the workspace *folder* for this process; FileError names who holds it after 30 seconds."""
    with files.lock(os.path.join(folder, ".kpki.lock"), now=now):
        yield


def write(folder: str, wanted: Sequence[files.File], *, trees: str, now: datetime, removing: Sequence[str] = (),
          run: str | None = None) -> list[tuple[files.File, Action]]:
    """Put files under a workspace and take *removing* away, all or none; what was there is kept in its backup folder.

    *trees* is the folder below it that holds a host's tree in each of its own: folders inside those are 0755, as on a
    host, all others 0700. *run* names the folder in the backup, None: a new one. Gives each file with what was done.
    Raises FileError for a link on the way that leads elsewhere than it is read.
    """
    _check_links(folder, [*(file.path for file in wanted), *removing], trees)
    depth = trees.count("/") + 2

    def folder_mode(path: str) -> int:
        return FOLDER_MODE if path.startswith(f"{trees}/") and path.count("/") >= depth else PRIVATE_FOLDER

    return files.replace_tree(folder, wanted, removing=removing, folder_mode=folder_mode, backup=BACKUP, run=run,
                              now=now)


def _check_links(folder: str, paths: Sequence[str], trees: str) -> None:
    """Raise FileError where a link leads out of the workspace, or in a host's tree elsewhere from here than there."""
    depth = trees.count("/") + 2
    for path in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        written = files.resolve(folder, path)
        if not path or written == os.path.join(folder, path):
            continue
        parts = path.split("/")
        tree, inner = ("/".join(part) for part in (parts[:depth], parts[depth:]))
        read = _real(os.path.join(folder, path))
        if tree.startswith(f"{trees}/"):
            read = files.resolve(_real(os.path.join(folder, tree)), inner)
        if read != _real(written):
            raise FileError(f"{os.path.join(folder, path)}: a link on the way leads out of "
                            + ("the host's tree, or is absolute" if tree.startswith(f"{trees}/") else folder),
                            hint="put the folder itself in the link's place")


def _real(path: str) -> str:
    """Where a path leads, every link on the way followed as it lies here."""
    return files.resolve("/", os.path.abspath(path))


def ensure_example(folder: str, now: datetime) -> tuple[str, str]:
    """The paths of the throw-away CA's certificate and key under *folder*, made unless they are there."""
    certificate_path, key_path = _EXAMPLE_CA
    with locked(folder, now):
        if any(files.look(folder, path).kind == "missing" for path in _EXAMPLE_CA):
            certificate, key = example_authority(now)
            write(folder, [files.File(certificate_path, certificate, CERTIFICATE_MODE),
                           files.File(key_path, key, KEY_MODE)], trees=NODES_FOLDER, now=now)
    return os.path.join(folder, certificate_path), os.path.join(folder, key_path)
