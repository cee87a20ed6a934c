"""What a static pod's manifest says: the flags that its component is started with."""
from __future__ import annotations

from typing import Any

from ..errors import InputError

MANIFESTS = "etc/kubernetes/manifests"
API_SERVER = f"{MANIFESTS}/kube-apiserver.yaml"


def component_flags(data: bytes) -> dict[str, str]:
    """The flags `--name=value` of the containers in a manifest, without dashes; none for bytes that are no such thing.

    Of a flag that is there twice the last one counts, as for the component itself.
    """
    from ..documents import load_documents
    try:
        documents = load_documents(data)
    except InputError:
        return {}
    found: dict[str, str] = {}
    for container in _list(_field(_field(documents[0].value if documents else None, "spec"), "containers")):
        for word in (*_list(_field(container, "command")), *_list(_field(container, "args"))):
            if isinstance(word, str) and word.startswith("--") and "=" in word:
                name, _, value = word.removeprefix("--").partition("=")
                found[name] = value
    return found


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
