"""The check of a workspace, or of a host that its description knows."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from .remedies.lines import command, comment
from .remedies.target import inside, no_option
from ..desired.description import GIVEN_NAMES, Cluster
from ..desired.rows import NODES_FOLDER, Row, Wanted
from ..finding import Finding
from ..fleet.survey import processes_for
from ..observed.contents import read_certificates, read_key
from ..observed.inventory import Inventory, ObservedFile, Unread, certificates_in
from ..plan.of_workspace import plan_of
from ..plan.plan import Plan, Tally
from ..plan.roots import copies, is_for
from ..rules.context import WITHIN, RowContext
from ..rules.row import check_row
from ..workspace import read_cluster, workspace_observer
from ...errors import AccessError, KpkiError
from ...kubernetes.causes import RENEWED
from ...kubernetes.layouts import WORKSPACE, get_layout
from ...kubernetes.profiles import get_profile


def check_workspace(folder: str, *, now: datetime, host_name: str | None = None,
                    only: str | None = None,
                    processes: int | None = None) -> tuple[list[Finding], int, list[Unread]]:
    """The findings of a workspace, the number of certificates, and the unread files.

    *only* is the one host to check; then the findings name no host. A finding says whether apply
    repairs it. If a CA of the workspace is broken or unreadable, only this CA has a finding: all
    others depend on the CA. *processes* is the number of processes (None: one for each processor).
    Raises KpkiError for a description, or a CA in the description, that cannot be used.
    """
    counts, refused, observe = dict[str, int](), dict[str, None](), workspace_observer(folder)

    def counted(path: str) -> ObservedFile:
        found = observe(path)
        counts[path] = certificates_in(found.data or b"")
        if found.unread:
            refused[found.unread] = None
        return found

    def tally() -> Tally:
        """The number of certificates read, and of refused files, since the last call."""
        tally = Tally(sum(counts.values()), tuple(refused))
        counts.clear()
        refused.clear()
        return tally

    cluster = read_cluster(folder, host_name=host_name)
    try:
        planned = plan_of(folder, now=now, cluster=cluster, observe=counted)
    except AccessError:
        if not refused:
            raise
        return [], 0, _unread(refused, only)    # all other files are checked against the CAs
    except KpkiError:
        broken = [*_broken_authorities(cluster, folder, counted, now)]
        if not broken or only is not None:
            raise
        return broken, sum(counts.values()), _unread(refused, only)
    asked = None if only is None else cluster.host(only).name
    findings: list[Finding] = []
    certificates, unread = 0, list(refused)
    for checked in planned.check(processes_for(len(cluster.hosts), processes), tally):
        if asked in (None, checked.host):
            findings += [replace(finding, remedy=tuple(_mended(finding, folder, planned)))
                         for finding in checked.findings]
            certificates += checked.tally.certificates
            unread += checked.tally.unread
    findings = findings if asked is None else [replace(finding, host=None) for finding in findings]
    return findings, certificates, _unread(unread, asked)


def _unread(paths: Iterable[str], only: str | None) -> list[Unread]:
    """The unread files of a workspace, each once, by the host's name and the path in its tree.

    *only* is the one host to check.
    """
    found = dict[Unread, None]()
    for path in paths:
        trees, _, rest = path.partition("/")
        host, _, inner = rest.partition("/")
        if only is not None:
            found[Unread(None, os.path.relpath(path, os.path.join(NODES_FOLDER, only)))] = None
        else:
            found[Unread(host, inner or os.curdir) if trees == NODES_FOLDER and host
                  else Unread(None, path)] = None
    return [*found]


def _mended(finding: Finding, folder: str, plan: Plan) -> Iterator[str]:
    """The commands that repair a finding of a workspace."""
    apply = ["kpki", "apply", _plain(folder)]
    if finding.cause == "key-exposed":
        tree, path = os.path.join(folder, NODES_FOLDER, finding.host
                                  or ""), finding.path.partition("#")[0]
        path = os.path.join(tree, inside(tree, path)) if finding.host \
            else os.path.join(folder, path)
        yield command("chmod", "600", _plain(path))
    elif finding.cause == "ca-key-on-worker" and not plan.holds_key(finding.row):
        yield comment(
            f"neither the workspace nor a control-plane host's tree holds this key: copy "
            f"{finding.path} to "
            f"{WORKSPACE.place(finding.row).key} first")
    elif finding.severity == "warning" and get_profile(finding.row).kind == "ca" \
            and finding.cause != "unknown-authority":
        yield from _renewed_authority(finding, folder, plan)
    elif finding.cause in RENEWED and finding.severity == "warning":
        yield command(*apply, "--renew-before", f"{WITHIN.days}d")
    else:
        yield command(*apply)


def _renewed_authority(finding: Finding, folder: str, plan: Plan) -> Iterator[str]:
    """The commands that renew a CA of the workspace, and every host's copy of its certificate."""
    root, own = plan.roots[finding.row], WORKSPACE.place(finding.row)
    if finding.cause != "expiring-soon":
        yield comment("the cluster works, and kpki never replaces an existing CA")
    elif root.authority is None \
            or (root.certificate_path, root.key_path) != (own.certificate, own.key):
        yield comment(
            "this CA's certificate is renewed where its key is: kpki x509 -in CA -signkey CA-KEY "
            "-days 3650 -out CA, then here: kpki renew --ca")
    else:
        yield _renewal(finding.row, folder)


def _renewal(row: str, folder: str) -> str:
    """The command that renews a CA of the workspace, and every copy of its certificate."""
    place = _plain(folder)
    where = [] if place == os.curdir else ["--workspace", place]
    return command("kpki", "renew", "--ca", row, *where)


def _plain(path: str) -> str:
    """A path in its shortest form, which no command reads as an option."""
    return no_option(os.path.normpath(path))


def check_described(folder: str, inventory: Inventory, name: str, *, now: datetime,
                    host_name: str | None = None) -> list[Finding] | None:
    """The findings of a host's tree outside of the workspace *folder*, by its description.

    The rows are the kubelet's, and those with a file in the tree. None if the workspace does not
    know the host. Raises as `check_workspace`.
    """
    cluster = read_cluster(folder, host_name=host_name)
    host = next((known for known in cluster.hosts if known.name == name), None)
    if host is None or cluster.layout != inventory.layout.name:
        return None
    planned, kubelets = plan_of(folder, now=now,
                                cluster=cluster), get_layout(cluster.layout).node_places()
    return [*dict.fromkeys(planned.host_findings(host, inventory.file,
                                                 lambda place: place in kubelets or any(
        inventory.file(path).there for path in place.files())))]


def _broken_authorities(cluster: Cluster, folder: str, observe: Callable[[str], ObservedFile],
                        now: datetime) -> Iterator[Finding]:
    """The faults of the workspace's own CAs that make a plan impossible."""
    wanted = Wanted(cluster)
    for row in wanted.of_workspace():
        if row.profile.kind == "ca" and GIVEN_NAMES[row.name] not in cluster.authorities:
            faults = check_row(row, observe, RowContext(now=now)).findings
            broken = [finding for finding in faults
                      if finding.cause not in ("file-missing", "encrypted-key")]
            for finding in broken[:1]:
                path, copy = next(copies(row, observe, wanted), ("", ""))
                remedy = _put_back(path or finding.path, copy, folder, observe)
                if finding.cause == "expired-ca" and _is_pair(row, observe):
                    remedy = iter([_renewal(row.name, folder),
                                   command("kpki", "apply", _plain(folder))])
                yield replace(finding, path=path or finding.path, remedy=tuple(remedy))


def _is_pair(row: Row, observe: Callable[[str], ObservedFile]) -> bool:
    """Whether a CA's file has one certificate, and the key beside it is this certificate's."""
    certificates = read_certificates(observe(row.place.certificate), row.name)[0]
    return len(certificates) == 1 \
        and is_for(read_key(observe(row.place.key), row.name)[0], certificates)


def _put_back(path: str, copy: str, folder: str,
              observe: Callable[[str], ObservedFile]) -> Iterator[str]:
    """The commands that restore a file of a workspace's CA from a host's tree that has it."""
    broken, sound = (_plain(os.path.join(folder, name)) for name in (path, copy))
    if observe(path).problem:
        yield comment(
            f"what lies at {broken} is no file: move it elsewhere; a CA is never replaced")
    elif not copy:
        yield comment(f"a CA is never replaced: put the cluster's own back as {path}")
    else:
        yield command("cp", "-p", broken, f"{broken}.aside")
        yield command("cp", sound, broken)
        yield command("kpki", "apply", _plain(folder))
