"""The uses of a host's files: component, setting, purpose and source of each.

Only settings decide which files count. Without a setting the component's default counts. A
component without any setting in this tree has no use. The sources of the rules stand beside them:
Kubernetes 1.34, etcd 3.6.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .components import kubeconfig_uses, uses_of
from .configurations import ConfiguredSettings, configurations_of, settings_of
from .inventory import ObservedFile, validate_root
from .starts import Started, pods, starts
from .tree import Tree, inner
from .use import Running, Use
from ...kubernetes.distributions import POD_FOLDERS
from ...kubernetes.settings import SETTINGS, values_of
from ...kubernetes.words import UNKNOWN

if TYPE_CHECKING:
    from .processes import Process

# the kubeconfigs of people, which no component reads
_PEOPLE = ("etc/kubernetes/admin.conf", "etc/kubernetes/super-admin.conf", "root/.kube/config")


class HostUses(NamedTuple):
    """The settings of a host's components, their *uses*, *running*, and the *found* files.

    *outside* has (source, path) of paths that leave the *root*; these files are not read.
    """

    root: str
    uses: tuple[Use, ...]
    running: tuple[Running, ...]
    outside: tuple[tuple[str, str], ...] = ()
    found: Mapping[str, ObservedFile] = {}
    closed: tuple[str, ...] = ()
    """The files and folders that the caller may not read, list or search."""
    outdated: tuple[str, ...] = ()
    """The components whose process has other settings than the files that start the component."""

    def of(self, component: str) -> tuple[Running, ...]:
        """Each start of a component; kops, for example, starts etcd twice."""
        return tuple(running for running in self.running if running.component == component)


def read_host(root: str, given: Mapping[str, ObservedFile] | None = None,
              processes: Sequence[Process] = ()) -> HostUses:
    """The host under *root*; *given* files replace files of the tree.

    The settings of the *processes* that run count before those of files. Raises FileError if *root*
    cannot be listed.
    """
    validate_root(root)
    tree = Tree(root, given)
    started = [(running, settings_of(tree, running.start)) for running in starts(tree)]
    started += [(running, settings_of(tree, running.start))
                for folder in _pod_folders(tree, started)
                for running in pods(tree, folder)]
    outdated = tuple(_as_they_run(tree, started, processes))
    order = [*SETTINGS]
    started.sort(key=lambda pair: order.index(pair[0].start.component))
    uses = list(dict.fromkeys(use for running, settings in started
                              for use in uses_of(tree, running, settings)))
    uses += _of_people(tree, uses)
    running = tuple(_running(tree, *pair) for pair in started)
    for path, source in (*((use.file, use.source) for use in uses),
                         *((path, start.source) for start in running
                           for path, _, _ in start.configurations)):
        tree.file(path, source)
    return HostUses(root=root, uses=tuple(uses), running=running,
                    outside=tuple(tree.outside), found=tree.found, closed=tuple(tree.closed),
                    outdated=outdated)


def _as_they_run(tree: Tree, started: list[tuple[Started, ConfiguredSettings]],
                 processes: Sequence[Process]) -> Iterator[str]:
    """Put the settings of processes in place of other settings, and name the components.

    A process that no file starts is added. Of several processes or starts of a component, none
    replaces another: a machine may run hosts in containers.
    """
    written = [*started]
    for component in dict.fromkeys(process.component for process in processes):
        mine = [(process, settings_of(tree, process.start)) for process in processes
                if process.component == component]
        same = [number for number, (running, _) in enumerate(written)
                if running.start.component == component]
        if not same:
            started += [(Started(process.start, f"proc/{process.pid}/cmdline"), settings)
                        for process, settings in mine]
        elif len(same) == len(mine) == 1 and mine[0][0].whole:
            place, (process, settings) = same[0], mine[0]
            if not _agree(written[place][1], settings):
                started[place] = written[place][0]._replace(start=process.start), settings
                yield component


def _agree(written: ConfiguredSettings, running: ConfiguredSettings) -> bool:
    """Whether a process has the settings that files give, as far as the files tell."""
    pairs = [(values_of(name, written.get(name, ())), values_of(name, running.get(name, ())))
             for name in {*written, *running}]
    return all(first == second or any(UNKNOWN in value for value in first)
               for first, second in pairs)


def _running(tree: Tree, running: Started, settings: ConfiguredSettings) -> Running:
    return Running(component=running.start.component, source=running.source, user=running.user,
                   unit=running.unit, static=running.static,
                   configurations=tuple(configurations_of(
                       tree, running.start, settings, static=running.static)),
                   settings={name: _known(values_of(name, values))
                             for name, values in settings.items()},
                   origins={name: (values[-1].written, values[-1].word.source)
                            for name, values in settings.items()})


def _known(values: tuple[str, ...]) -> tuple[str, ...]:
    """Some values of a setting, but for those that no file tells."""
    return tuple(value for value in values if UNKNOWN not in value)


def _pod_folders(tree: Tree,
                 started: Sequence[tuple[Started, ConfiguredSettings]]) -> Iterator[str]:
    """The folders of static pods: the kubelets' settings, else the usual folders.

    The usual folders count too if a kubelet's configuration is missing.
    """
    kubelets = [(running, settings) for running, settings in started
                if running.start.component == "kubelet"
                and not running.default
                and all(tree.there(inner(running.start.on_host(value.path)))
                        for value in settings.get("config", ()))]
    for running, settings in kubelets:
        for value in settings.get("pod-manifest-path", ()):
            yield inner(running.start.on_host(value.path))
    if not kubelets:
        yield from POD_FOLDERS


def _of_people(tree: Tree, uses: Sequence[Use]) -> Iterator[Use]:
    """The existing kubeconfigs of people that no component reads."""
    read = {use.path for use in uses}
    for path in _PEOPLE:
        if path not in read and tree.there(path):
            yield from kubeconfig_uses(tree, Use(
                component="kubectl", setting="--kubeconfig", source=path, path=path,
                purpose="admin-client",
                part="kubeconfig", group=path, default=True, optional=True), f"/{path}")
