"""The table of layouts: where each row's files lie on a host, in which form, and which flag names them."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import InputError

CERTIFICATE_MODE, KEY_MODE, KUBECONFIG_MODE, FOLDER_MODE = 0o644, 0o600, 0o600, 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one row lies, relative to the host's root: *certificate*, *key* (None: none there), *kubeconfig*.

    The kubeconfig names the pair by its paths; *user* is its user's name.
    """

    row: str
    certificate: str
    key: str | None = None
    kubeconfig: str | None = None
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to lay out a host: its *places*, the kubelet's *flags* (name → path), where it comes from."""

    name: str
    places: tuple[Place, ...]
    flags: Mapping[str, str]
    source: str

    def place(self, row: str) -> Place:
        """The place of a row."""
        return next(place for place in self.places if place.row == row)

    def files(self) -> Iterator[tuple[str, int]]:
        """Every file with its mode."""
        for place in self.places:
            yield place.certificate, CERTIFICATE_MODE
            if place.key:
                yield place.key, KEY_MODE
            if place.kubeconfig:
                yield place.kubeconfig, KUBECONFIG_MODE


_SSL = "etc/kubernetes/ssl"
_WORKER_KUBECONFIG = "etc/kubernetes/worker-kubeconfig.yaml"

SSL = Layout(
    name="ssl",
    places=(Place(row="ca", certificate=f"{_SSL}/ca.pem"),
            Place(row="kubelet", certificate=f"{_SSL}/worker.pem", key=f"{_SSL}/worker-key.pem",
                  kubeconfig=_WORKER_KUBECONFIG, user="kubelet")),
    flags={"client-ca-file": f"{_SSL}/ca.pem", "tls-cert-file": f"{_SSL}/worker.pem",
           "tls-private-key-file": f"{_SSL}/worker-key.pem", "kubeconfig": _WORKER_KUBECONFIG},
    source="CoreOS, Cluster TLS using OpenSSL (coreos-kubernetes, Documentation/openssl.md and deploy-workers.md)")

LAYOUTS = (SSL,)


def find_layout(name: str) -> Layout:
    """The layout of that name; InputError where there is none."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise InputError(f"unknown layout {name!r}", hint=f"one of: {', '.join(layout.name for layout in LAYOUTS)}")


def kubelet_flags(layout: Layout) -> tuple[str, ...]:
    """The kubelet's flags that name the layout's files, one `--name=/path` each."""
    return tuple(f"--{name}=/{path}" for name, path in layout.flags.items())
