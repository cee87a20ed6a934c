"""Commands that restart components, systemd units or static pods, so that they read changed files.

Source: https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/ (the kubelet
reads the folder of manifests every 20 seconds, its fileCheckFrequency).
"""
from __future__ import annotations

import posixpath
from collections.abc import Callable, Container, Iterable, Iterator

from .components import COMPONENTS, Component
from .layouts import Layout, Place, ca_path
from .manifests import MANIFESTS
from .profiles import get_profile

_LONG_ENOUGH = 25   # seconds


def components_of(layout: Layout, paths: Container[str], running: Container[str]) -> list[str]:
    """The *running* components that read one of *paths* on a host, in the order of the table."""
    ca = ca_path(layout)
    return [component.name for component in COMPONENTS if component.name in running and any(
        _reads(place, flag.path([(place, True)]).lstrip("/"), paths, ca)
        for place in layout.places for flag in component.flags)]


def _reads(place: Place, named: str, paths: Container[str], ca: str) -> bool:
    """Whether the file *named* by a flag is one of *paths*, or a kubeconfig that names such one."""
    return bool(named) and (named in paths or (
        place.by_path and named == place.kubeconfig
        and any(path in paths for path in (place.certificate, place.key, ca))))


def own_files(layout: Layout, component: Component) -> set[str]:
    """The files that only hosts with the component need: the leaves that its flags name."""
    rows = {row for flag in component.flags for row in flag.rows
            if get_profile(row).kind == "leaf"}
    return {path for place in layout.places if place.row in rows for path in place.files()}


def in_order(components: Iterable[str]) -> list[str]:
    """Components in the order of their restarts: etcd first, as no API server starts without."""
    return sorted(components, key=lambda name: name != "etcd")


def restart_lines(units: Iterable[str], pods: Iterable[str] = ()) -> Iterator[str]:
    """The commands that restart *units* of systemd and static *pods* (paths of manifests)."""
    folders: dict[str, list[str]] = {}
    for pod in pods:
        folders.setdefault(posixpath.dirname(f"/{pod}"), []).append(posixpath.basename(pod))
    for folder, names in folders.items():
        above, manifests = posixpath.split(folder)
        away = " ".join(f"{manifests}/{name}" for name in names)
        yield (f"cd {above} && mv {away} . && sleep {_LONG_ENOUGH} && "
               f"mv {' '.join(names)} {manifests}/")
    yield from (f"systemctl restart {name}" for name in dict.fromkeys(units))


def of_layout(components: Iterable[str], is_static: Callable[[str], bool]) -> Iterator[str]:
    """The commands that restart *components* under the layout's names; *is_static*: static pods."""
    names = in_order(components)
    pods = [name for name in names if name != "kubelet" and is_static(name)]
    yield from restart_lines((name for name in names if name not in pods),
                             [f"{MANIFESTS}/{name}.yaml" for name in pods])
