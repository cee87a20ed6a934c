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

ConfiguredSettings = Mapping[str, tuple[SettingValue, ...]]
_OPENSHIFT = "openshift-config"
_DROP_IN = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
# component → the flags of its configuration files, and the required kind of each file
# (cmd/*/app/options, staging/src/k8s.io/apiserver/pkg/apis/apiserver); etcd and OpenShift accept
# any mapping. The first file has settings.
CONFIGURATIONS: Mapping[str, Mapping[str, str]] = {
    "kubelet": {"config": "KubeletConfiguration"},
    "kube-proxy": {"config": "KubeProxyConfiguration"},
    "kube-scheduler": {"config": "KubeSchedulerConfiguration"},
    "etcd": {"config-file": ""},
    "kube-apiserver": {
        _OPENSHIFT: "", "authentication-config": "AuthenticationConfiguration",
        "authorization-config": "AuthorizationConfiguration",
        "egress-selector-config-file": "EgressSelectorConfiguration",
        "admission-control-config-file": "AdmissionConfiguration"},
    "kube-controller-manager": {_OPENSHIFT: ""}}
# the flags of kube-proxy that count beside its file (cmd/kube-proxy/app/options.go)
_BESIDE = frozenset({"config", "master", "hostname-override"})


def settings_of(tree: Tree, start: Start) -> ConfiguredSettings:
    """The effective settings of a component, by flag."""
    component = start.component
    flags = [*flags_of(component, start.words)]
    variables = [*variables_of(start.environment)] if component == "etcd" else []
    named = effective_values([*variables, *flags])
    first = next(iter(CONFIGURATIONS.get(component, ())), "")
    fields, folder = _fields(tree, start, named.get(first))
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


def configurations_of(tree: Tree, start: Start, settings: ConfiguredSettings, *,
                      static: bool) -> Iterator[tuple[str, str, str]]:
    """The configuration files of a component in the tree.

    Of a *static* pod, the files in the folders that the pod mounts from the host.
    """
    for flag, kind in CONFIGURATIONS.get(start.component, {}).items():
        for value in settings.get(flag, ())[-1:]:
            place = start.on_host(value.path)
            if place and (start.has_mounted(value.path) or not static):
                yield inner(place), kind, flag
    for value in settings.get("config-dir", ())[-1:] if start.component == "kubelet" else ():
        if folder := inner(start.on_host(value.path)):
            yield from ((posixpath.join(folder, file), _DROP_IN["kind"], "")
                        for file in tree.names(folder, deep=True) if file.endswith(".conf"))
