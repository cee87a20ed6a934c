"""Uses: which file each component of a host is told to read, for what, and who says so.

Nothing else decides where files are. What nobody says is the component's own default; a component
that is told nothing at all in this tree has no use. Sources of the rules stand beside them;
kubernetes 1.34, etcd 3.6.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .components import kubeconfig_uses, uses_of
from .configurations import Settings, configurations_of, told
from .inventory import ObservedFile, validate_root
from .starts import Started, pods, starts
from .tree import Tree, inner
from .use import Running, Use
from ...kubernetes.distributions import POD_FOLDERS
from ...kubernetes.settings import SETTINGS, values_of

# The kubeconfigs of people, of which no component is told.
_PEOPLE = ("etc/kubernetes/admin.conf", "etc/kubernetes/super-admin.conf", "root/.kube/config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a host's components are told: *uses* in the order of components and settings, *running*,
    *found* files.

    *outside* are (source, path) of paths that leave the *root*; they are not read.
    """

    root: str
    uses: tuple[Use, ...]
    running: tuple[Running, ...]
    outside: tuple[tuple[str, str], ...] = ()
    found: Mapping[str, ObservedFile] = field(default_factory=dict, repr=False)
    closed: tuple[str, ...] = ()
    """The files and folders that the caller may not read, list or search."""

    def of(self, component: str) -> tuple[Running, ...]:
        """Each start of a component; several where a host runs several, as kops does etcd."""
        return tuple(running for running in self.running if running.component == component)


def read_host(root: str, given: Mapping[str, ObservedFile] | None = None) -> Host:
    """What the components of the host under *root* are told, if the *given* files lie over those
    that are there.

    FileError where *root* cannot be listed.
    """
    validate_root(root)
    tree = Tree(root, given)
    started = [(running, told(tree, running.start)) for running in starts(tree)]
    started += [(running, told(tree, running.start)) for folder in _pod_folders(tree, started)
                for running in pods(tree, folder)]
    order = [*SETTINGS]
    started.sort(key=lambda pair: order.index(pair[0].start.component))
    uses = list(dict.fromkeys(use for running, settings in started
                              for use in uses_of(tree, running, settings)))
    uses += _of_people(tree, uses)
    for use in uses:
        tree.file(use.file, use.source)
    return Host(root=root, uses=tuple(uses),
                running=tuple(_running(tree, *pair) for pair in started),
                outside=tuple(tree.outside), found=tree.found, closed=tuple(tree.closed))


def _running(tree: Tree, running: Started, settings: Settings) -> Running:
    return Running(component=running.start.component, source=running.source, user=running.user,
                   static=running.static,
                   configurations=configurations_of(tree, running.start, settings),
                   settings={name: values_of(name, said) for name, said in settings.items()},
                   said={name: (said[-1].written, said[-1].word.source) for name,
                         said in settings.items()})


def _pod_folders(tree: Tree, started: Sequence[tuple[Started, Settings]]) -> Iterator[str]:
    """Where static pods lie: where the kubelets are told; if no file tells a kubelet, or its
    configuration is not there, where they usually lie.
    """
    kubelets = [(running, settings) for running, settings in started
                if running.start.component == "kubelet"
                and not running.default
                and all(tree.there(inner(running.start.on_host(said.path)))
                        for said in settings.get("config", ()))]
    for running, settings in kubelets:
        for said in settings.get("pod-manifest-path", ()):
            yield inner(running.start.on_host(said.path))
    if not kubelets:
        yield from POD_FOLDERS


def _of_people(tree: Tree, uses: Sequence[Use]) -> Iterator[Use]:
    """The kubeconfigs of people that are there and that no component reads."""
    read = {use.path for use in uses}
    for path in _PEOPLE:
        if path not in read and tree.there(path):
            yield from kubeconfig_uses(tree, Use(
                component="kubectl", setting="--kubeconfig", source=path, path=path,
                purpose="admin-client",
                part="kubeconfig", group=path, default=True, optional=True), f"/{path}")
