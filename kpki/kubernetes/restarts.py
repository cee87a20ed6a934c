"""How components are made to read their files anew: as units of systemd, or as static pods.

Source: https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/ (the kubelet looks for
manifests every 20 seconds, its fileCheckFrequency).
"""
from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

from .components import COMPONENTS, Component
from .layouts import Layout, Place
from .manifests import MANIFESTS
from .profiles import find_profile

_LONG_ENOUGH = 25   # seconds


def components_of(layout: Layout, paths: Container[str], running: Container[str]) -> list[str]:
    """Those of the *running* components that read one of these files of a host's tree, in the table's order."""
    return [component.name for component in COMPONENTS if component.name in running and any(
        _reads(place, flag.path([(place, True)]).lstrip("/"), paths)
        for place in layout.places for flag in component.flags)]


def _reads(place: Place, named: str, paths: Container[str]) -> bool:
    """Whether a flag that names a file of a place leads to one of *paths*: a kubeconfig may lead on to its pair."""
    return bool(named) and (named in paths or place.by_path and named == place.kubeconfig
                            and (place.certificate in paths or place.key in paths))


def own_files(layout: Layout, component: Component) -> set[str]:
    """The files that only a host where the component runs has a use for: the leaves that its flags name."""
    rows = {row for flag in component.flags for row in flag.rows if find_profile(row).kind == "leaf"}
    return {path for place in layout.places if place.row in rows for path in place.files()}


def restart_lines(components: Iterable[str], is_static: Callable[[str], bool]) -> Iterator[str]:
    """The commands, on the host, that make components read their files anew; *is_static* says which are static pods."""
    pods = [f"{name}.yaml" for name in components if name != "kubelet" and is_static(name)]
    if pods:
        folder, manifests = f"/{MANIFESTS}".rsplit("/", 1)
        yield (f"cd {folder} && mv {' '.join(f'{manifests}/{pod}' for pod in pods)} . && sleep {_LONG_ENOUGH} && "
               f"mv {' '.join(pods)} {manifests}/")
    yield from (f"systemctl restart {name}" for name in components if f"{name}.yaml" not in pods)
