"""The manifest of a static pod → its containers, as the kubelet starts them."""
from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MANIFESTS = "etc/kubernetes/manifests"
API_SERVER = f"{MANIFESTS}/kube-apiserver.yaml"
_VARIABLE = re.compile(r"\$\$|\$\(([^)]*)\)")


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


class Container(NamedTuple):
    """One container of a pod."""

    words: tuple[str, ...]
    """The command, then its arguments."""
    environment: Mapping[str, str]
    mounts: tuple[tuple[str, str], ...]
    """(path in the container, path on the host); "" for a volume that is not on the host."""
    folder: str
    """The working directory."""
    user: str = ""
    """The user id that runs the container, as the manifest writes it; "" if it does not."""


def read_containers(data: bytes) -> list[Container]:
    """The containers of a static pod's manifest (YAML or JSON); none for other bytes."""
    from ..documents import load_first
    pod = load_first(data)
    if _field(pod, "kind") != "Pod":
        return []
    spec = _field(pod, "spec")
    volumes = {str(_field(volume, "name")): _field(_field(volume, "hostPath"), "path")
               for volume in _list(_field(spec, "volumes"))}
    found = []
    for container in _list(_field(spec, "containers")):
        environment = {str(_field(variable, "name")): str(_field(variable, "value") or "")
                       for variable in _list(_field(container, "env"))}
        mounts = tuple(
            (str(_field(mount, "mountPath")),
             posixpath.join(host, str(_field(mount, "subPath") or ""))
             if isinstance(host := volumes.get(str(_field(mount, "name"))), str) else "")
            for mount in _list(_field(container, "volumeMounts"))
            if str(_field(mount, "name")) in volumes)
        words = [str(word) for field in ("command", "args")
                 for word in _list(_field(container, field))]
        users = (_field(_field(level, "securityContext"), "runAsUser")
                 for level in (container, spec))
        found.append(Container(
            words=tuple(_expanded(word, environment) for word in words), environment=environment,
            mounts=mounts, folder=str(_field(container, "workingDir") or "/"),
            user=next((str(user) for user in users if user is not None), "")))
    return found


def _expanded(word: str, environment: Mapping[str, str]) -> str:
    """A word with the values of `$(NAME)`; `$$` is $, and an unknown name is not replaced."""
    return _VARIABLE.sub(lambda found: "$" if found[1] is None
                         else environment.get(found[1], found[0]), word)
