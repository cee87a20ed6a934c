"""The files of one leaf (certificate, key, kubeconfig), and the steps that write them."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from .authority import key_fault
from .desired.rows import Row
from .finding import Finding
from .rules.judged import Judged, Look
from .. import pem
from ..files import File
from ..kubernetes.kubeconfig import Material, dump_kubeconfig
from ..kubernetes.layouts import Layout

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

Action = Literal["create", "replace", "remove"]
# What another certificate for the same key mends, of one that is right by itself: kept unless it is to be renewed.
RENEWED = frozenset({"expiring-soon", "outlives-ca", "strict-refused", "serial-reused"})


@dataclass(frozen=True, slots=True)
class Step:
    """One file that is to change: the *action*, where (*host*, None for the workspace's own; *path* in its tree), the
    *row* and the *causes*."""

    action: Action
    host: str | None
    path: str
    row: str
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done for one row: its *steps*, and what of it stays.

    *key* is the key that is kept, *chain* the certificate that is; None and empty for what is to be made.
    """

    row: Row
    steps: tuple[Step, ...]
    key: PrivateKeyTypes | None = field(default=None, repr=False)
    chain: tuple[Certificate, ...] = ()

    def changes(self, path: str) -> bool:
        """Whether a file of the row is to be written."""
        return any(step.path == path and step.action != "remove" for step in self.steps)


def leaf_files(row: Row, layout: Layout, *, chain: Sequence[Certificate], key: PrivateKeyTypes,
               bundle: bytes) -> Iterator[File]:
    """The files of a row, relative to the host's tree. *bundle* is the cluster's CA (PEM), for a kubeconfig."""
    place = row.place
    certificate, key_pem = pem.dump_certificates(chain), pem.dump_key(key, form="traditional")
    if place.certificate:
        yield File(place.certificate, certificate, layout.mode(place, place.certificate))
        yield File(place.key, key_pem, layout.mode(place, place.key))
    if row.kubeconfig is None:
        return
    if place.by_path:
        yield path_kubeconfig(row, layout)
    else:
        yield _kubeconfig(row, layout, *(Material(data=data) for data in (bundle, certificate, key_pem)))


def path_kubeconfig(row: Row, layout: Layout, authority: str = "") -> File:
    """The kubeconfig of a row that names the layout's files by their paths; *authority* is another path of the CA."""
    return _kubeconfig(row, layout, *(Material(path=f"/{path}") for path in (
        authority or ca_path(layout), row.place.certificate, row.place.key)))


def _kubeconfig(row: Row, layout: Layout, ca: Material, certificate: Material, key: Material) -> File:
    assert row.kubeconfig is not None
    path = row.place.kubeconfig
    document = replace(row.kubeconfig, authority=ca, certificate=certificate, key=key)
    return File(path, dump_kubeconfig(document), layout.mode(row.place, path))


def signer_path(row: Row, layout: Layout) -> str:
    """Where a host holds the CA that signs a row: what a kubelet needs lies where every host has it."""
    return ca_path(layout) if row.place == layout.kubelet or row.profile.per == "node" else \
        layout.place(row.profile.signer or "").certificate


def ca_path(layout: Layout) -> str:
    """Where every host of a layout holds the cluster's CA."""
    return layout.node_places()[0].certificate


def step_of(row: Row, path: str, look: Look, findings: Sequence[Finding]) -> Step:
    """The step that writes a file, with the causes found there, else the row's."""
    there = [one.cause for one in findings if one.path.partition("#")[0] == path]
    causes = there or [one.cause for one in findings if one.severity == "error"] or ["file-missing"]
    return Step("create" if look(path).missing else "replace", row.host, path, row.name, tuple(dict.fromkeys(causes)))


def leaf_task(row: Row, judged: Judged, look: Look, *, renew: bool = False) -> Task:
    """What of a leaf's files stays: a sound key that is its own, and the certificate and kubeconfig that are right.

    With *renew* a right certificate does not: another is made for its key.
    """
    place, key = row.place, judged.key
    if key is not None and (key_fault(key.public_key()) or not judged.is_hosts):
        key = None
    chain = tuple(judged.chain) if judged.pair_right and key is not None and not renew else ()
    exposed_paths = {one.path for one in judged.findings if one.cause == "key-exposed"}
    paths = []
    if place.certificate:
        paths += [place.certificate] * (not chain) + [place.key] * (key is None or place.key in exposed_paths)
    embeds = place.kubeconfig and not place.by_path
    if place.kubeconfig and (not judged.kubeconfig_right or embeds and not chain or place.kubeconfig in exposed_paths):
        paths.append(place.kubeconfig)
    return Task(row, tuple(step_of(row, path, look, judged.findings) for path in paths), key, chain)
