"""The settings of a component from flags, configuration file and variables, by its precedence."""
from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .tree import Tree, inner
from ...kubernetes.commands import Start
from ...kubernetes.settings import (
    SettingValue,
    effective_values,
    fields_of,
    flags_of,
    openshift_fields,
    variables_of,
)

Settings = Mapping[str, tuple[SettingValue, ...]]
_OPENSHIFT = "openshift-config"
# component → the flag that names its configuration file
_CONFIGURATION: Mapping[str, str] = {"kubelet": "config", "kube-proxy": "config",
                                     "kube-scheduler": "config",
                                     "etcd": "config-file", "kube-apiserver": _OPENSHIFT,
                                     "kube-controller-manager": _OPENSHIFT}
_DROP_IN = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
# component → the kind of its configuration file (cmd/*/app/options); etcd and OpenShift accept any
# mapping
KINDS: Mapping[str, str] = {"kubelet": "KubeletConfiguration",
                            "kube-proxy": "KubeProxyConfiguration",
                            "kube-scheduler": "KubeSchedulerConfiguration"}
# the flags of kube-proxy that count beside its file (cmd/kube-proxy/app/options.go)
_BESIDE = frozenset({"config", "master", "hostname-override"})


def settings_of(tree: Tree, start: Start) -> Settings:
    """The effective settings of a component, by flag."""
    component = start.component
    flags = [*flags_of(component, start.words)]
    variables = [*variables_of(start.environment)] if component == "etcd" else []
    named = effective_values([*variables, *flags])
    fields, folder = _fields(tree, start, named.get(_CONFIGURATION.get(component, "")))
    if component == "kubelet":      # the file < its drop-ins < flags (cmd/kubelet/app/server.go)
        return effective_values([*fields, *_drop_ins(tree, start, named.get("config-dir")), *flags])
    # with a file, flags and variables do not count (server/etcdmain/config.go)
    if folder and component == "etcd":
        return effective_values([*fields, *named["config-file"]])
    if folder and component == "kube-proxy":
        return effective_values([*fields, *(flag for flag in flags if flag.name in _BESIDE)])
    # cmd/kube-scheduler/app/options: --kubeconfig does not count
    if folder and component == "kube-scheduler":
        return effective_values([*(flag for flag in flags if flag.name != "kubeconfig"), *fields])
    return effective_values([*variables, *fields, *flags])


def _fields(tree: Tree, start: Start,
            named: Sequence[SettingValue] | None) -> tuple[list[SettingValue], str]:
    """The settings of the configuration file, and its folder as the component sees it; else ""."""
    if not named:
        return [], ""
    path = posixpath.join(start.folder, named[-1].path)
    document, source = _document(tree, start, path, named[-1].word.source)
    folder = posixpath.dirname(path)
    if named[-1].name == _OPENSHIFT:
        return [*openshift_fields(document, source)], folder
    return [*fields_of(start.component, document, source, folder)], folder


def _document(tree: Tree, start: Start, path: str, source: str) -> tuple[Any, str]:
    """A file that a flag names, and its path in the tree; None if it is no file of the host."""
    place = start.on_host(path)
    return (tree.document(inner(place), source), inner(place)) if place else (None, "")


def _drop_ins(tree: Tree, start: Start,
              named: Sequence[SettingValue] | None) -> Iterator[SettingValue]:
    """The settings of the kubelet's --config-dir: all *.conf files below it, sorted by path.

    Each has apiVersion and kind. Relative paths in them count from the working directory
    (pkg/kubelet/kubeletconfig).
    """
    folder = inner(start.on_host(named[-1].path)) if named else ""
    for name in sorted(tree.names(folder, deep=True)) if folder else ():
        path = posixpath.join(folder, name)
        document = tree.document(path, path) if name.endswith(".conf") else None
        if isinstance(document, dict) \
            and all(document.get(field) == value for field, value in _DROP_IN.items()):
            yield from fields_of(start.component, document, path)


def configurations_of(tree: Tree, start: Start, settings: Settings) -> tuple[tuple[str, str], ...]:
    """The configuration files of a component in the tree, each with the required kind."""
    name, kind = _CONFIGURATION.get(start.component, ""), KINDS.get(start.component, "")
    places = [start.on_host(posixpath.join(start.folder, value.path))
              for value in settings.get(name, ())[-1:]]
    folders = [inner(start.on_host(value.path)) for value in settings.get("config-dir", ())[-1:]]
    drop_ins = (posixpath.join(folder, file) for folder in folders if folder
                for file in tree.names(folder, deep=True)
                if file.endswith(".conf") and start.component == "kubelet")
    return tuple((path, kind) for path in (*(inner(place) for place in places if place), *drop_ins))
