"""Which running components must restart, because a file that they read is newer than they are."""
from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .. import files
from ..cluster.observed.inventory import Inventory
from ..cluster.observed.processes import Process
from ..cluster.observed.restarts import restart_of
from ..cluster.observed.use import Running, Use
from ..errors import KpkiError
from ..kubernetes.reloads import (
    AUTHORITY_BY_PATH,
    CONFIGURED_AT_START,
    KUBECONFIG,
    PAIR_BY_PATH,
    SINCE,
)

_LATE = timedelta(seconds=1)        # /proc gives the moment of a start early by up to a second
_STORE = "-current.pem"             # the kubelet writes its store itself
_OLDEST = 35                        # the minor version that is assumed if no file tells one


@dataclass(frozen=True, slots=True)
class Restart:
    """A component that must restart.

    >>> proc = str(host / "proc")
    >>> report = kpki.examine_host(host, node="worker-1", proc=proc, timeout=0, now=now)
    >>> [(restart.why, restart.commands) for restart in report.restarts]
    [('var/lib/kubelet/config.yaml is newer than the process', ('systemctl restart kubelet',))]
    """

    component: str
    why: str
    """The reason, with the file."""
    commands: tuple[str, ...] = ()
    """The commands that restart the component; none if they are unknown."""
    newer: tuple[str, ...] = ()
    """The files that are newer than the process."""


def restarts_of(inventory: Inventory, processes: Sequence[Process], outdated: Sequence[str],
                minor: int | None, served: Mapping[str, bool]) -> Iterator[Restart]:
    """The components that must restart.

    *outdated* are components that run with other settings than files give. *minor* is the minor
    version of Kubernetes, None if unknown. *served* says of the path of a server's certificate
    whether the server presents the file; that counts before any time.
    """
    for running in inventory.running:
        mine = [process for process in processes if process.component == running.component]
        if not mine:
            continue
        commands = tuple(restart_of(running))
        if running.component in outdated:
            yield Restart(running.component,
                          f"the process has other settings than {running.source} gives", commands)
        newest = max(process.since for process in mine)
        newer = [path for path in dict.fromkeys(_read_once(inventory, running, minor, served))
                 if _modified(inventory.root, path) > newest + _LATE]
        stale = [path for path, same in served.items() if not same and any(
            use.path == path and use.component == running.component for use in inventory.uses)]
        if stale:
            yield Restart(running.component,
                          f"the server presents another certificate than {stale[0]}", commands)
        elif newer:
            yield Restart(running.component,
                          f"{', '.join(newer)} is newer than the process" if len(newer) == 1 else
                          f"{', '.join(newer)} are newer than the process", commands,
                          tuple(newer))


def _read_once(inventory: Inventory, running: Running, minor: int | None,
               served: Mapping[str, bool]) -> Iterator[str]:
    """The files that a component reads at its start and not again."""
    version = _OLDEST if minor is None else minor
    for use in inventory.uses:
        if use.component != running.component or not use.source:
            continue
        pair = next((other.path for other in inventory.uses if other.group == use.group
                     and other.part == "certificate"), "")
        since = _since(use)
        proved = use.part in ("certificate", "key") and served.get(pair, False)
        if since is not None and version < since and not use.path.endswith(_STORE) and not proved:
            yield use.file
    if running.component in CONFIGURED_AT_START:
        yield from (path for path, _, _ in running.configurations)


def _since(use: Use) -> int | None:
    """The first minor version that reads the file of a use again; None if unknown."""
    if use.part == "kubeconfig" or "#" in use.path:
        return KUBECONFIG
    if use.setting.startswith(("users/", "clusters/")):
        return AUTHORITY_BY_PATH if use.part == "authority" else PAIR_BY_PATH
    return SINCE.get((use.component, use.purpose))


def _modified(root: str, path: str) -> datetime:
    """The last change of a file's content; the year 1 if there is no such file."""
    try:
        place = files.resolve(root, path)
        found = files.read_entry(posixpath.dirname(place), posixpath.basename(place))
    except KpkiError:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC) if found.modified is None \
        else datetime.fromtimestamp(found.modified, UTC)
