"""What a static pod's manifest says: its containers, as the kubelet starts them."""
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
    """One container of a pod: its *words* (command, then args), *environment*, *mounts* and *folder* as Start has.

    *user* is the number of the user that runs it, "" if nothing says so.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[tuple[str, str], ...]
    folder: str
    user: str = ""


def read_containers(data: bytes) -> list[Container]:
    """The containers of a static pod, as the kubelet reads a file of its folder; none for bytes that are no pod."""
    from ..documents import load_first
    pod = load_first(data)
    if _field(pod, "kind") != "Pod":
        return []
    spec = _field(pod, "spec")
    volumes = {str(_field(one, "name")): _field(_field(one, "hostPath"), "path")
               for one in _list(_field(spec, "volumes"))}
    found = []
    for container in _list(_field(spec, "containers")):
        environment = {str(_field(one, "name")): str(_field(one, "value") or "")
                       for one in _list(_field(container, "env"))}
        mounts = tuple(
            (str(_field(one, "mountPath")),
             posixpath.join(host, str(_field(one, "subPath") or ""))
             if isinstance(host := volumes.get(str(_field(one, "name"))), str) else "")
            for one in _list(_field(container, "volumeMounts")) if str(_field(one, "name")) in volumes)
        words = [str(word) for word in (*_list(_field(container, "command")), *_list(_field(container, "args")))]
        users = (_field(_field(one, "securityContext"), "runAsUser") for one in (container, spec))
        found.append(Container(tuple(_expanded(word, environment) for word in words), environment, mounts,
                               str(_field(container, "workingDir") or "/"),
                               next((str(user) for user in users if user is not None), "")))
    return found


def _expanded(word: str, environment: Mapping[str, str]) -> str:
    """A word with `$(NAME)` of the container's variables in place; `$$` is $, an unknown name stays as it stands."""
    return _VARIABLE.sub(lambda found: "$" if found[1] is None else environment.get(found[1], found[0]), word)
