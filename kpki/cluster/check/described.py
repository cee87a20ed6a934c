"""What is wrong with a workspace, or with a host that its description knows."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from shlex import quote

from ..desired.description import GIVEN_NAMES, Cluster
from ..desired.rows import NODES_FOLDER, Wanted
from ..finding import Finding
from ..fleet.survey import processes_for
from ..observed.inventory import Found, Inventory, certificates_in
from ..plan.of_workspace import plan_of
from ..plan.roots import copies
from ..rules.judge import judge
from ..rules.leaves import Judge
from ..workspace import looker_in, read_cluster
from ...errors import KpkiError
from ...kubernetes.profiles import find_profile


def check_workspace(folder: str, *, now: datetime, host_name: str | None = None, only: str | None = None,
                    processes: int | None = None) -> tuple[list[Finding], int]:
    """Everything that is wrong with a workspace by its own description, and how many certificates were read.

    *only* is the host that is asked for: then its findings name no host. What apply mends says so; the files of a host
    are the host's. Where a CA of the workspace's own is broken that is all there is to say: by it all the others are
    judged. *processes* is how many there may be (None: one a processor). Raises KpkiError for a description, or a CA
    that it names, which cannot be taken.
    """
    counts, look = dict[str, int](), looker_in(folder)

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
