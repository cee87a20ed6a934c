"""The files of one leaf (certificate, key, kubeconfig), and the steps that write them."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from .authority import find_key_fault
from .desired.rows import Row
from .finding import Finding
from .rules.checked_row import CheckedRow, Observe
from .. import pem
from ..files import File
from ..kubernetes.kubeconfig import Material, dump_kubeconfig
from ..kubernetes.layouts import Layout, ca_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

Action = Literal["create", "replace", "remove"]


@dataclass(frozen=True, slots=True)
class Step:
    """One action on one file.

    >>> step = next(kpki.make_plan(cluster).steps())
    >>> step.action, step.path, step.causes
    ('create', 'pki/ca.crt', ('file-missing',))
    """

    action: Action
    """What happens to the file."""
    host: str | None
    """The host in whose tree the file lies, None for the workspace's own files."""
    path: str
    """The file, relative to the host's tree or to the workspace."""
    row: str
    """The row that the file belongs to."""
    causes: tuple[str, ...]
    """The causes of the findings that the step repairs."""


class Task(NamedTuple):
    """The steps of one row, and the key and certificate that stay."""

    row: Row
    """The row."""
    steps: tuple[Step, ...]
    """The steps, in order."""
    key: PrivateKeyTypes | None = None
    """The key that stays, None if a new key is made."""
    chain: tuple[Certificate, ...] = ()
    """The certificate that stays, with its chain; empty if a new certificate is made."""

    def changes(self, path: str) -> bool:
        """Whether a step writes this file of the row."""
        return any(step.path == path and step.action != "remove" for step in self.steps)


def leaf_files(row: Row, layout: Layout, *, chain: Sequence[Certificate], key: PrivateKeyTypes,
               bundle: bytes) -> Iterator[File]:
    """The files of a row, relative to the host's tree.

    *bundle* is the cluster's CA (PEM), for a kubeconfig.
    """
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
        yield _kubeconfig(row, layout,
                          *(Material(data=data) for data in (bundle, certificate, key_pem)))


def path_kubeconfig(row: Row, layout: Layout, authority: str = "") -> File:
    """The kubeconfig of a row, which names the layout's files by their paths.

    *authority* is another path of the CA.
    """
    return _kubeconfig(row, layout, *(Material(path=f"/{path}") for path in (
        authority or ca_path(layout), row.place.certificate, row.place.key)))


def _kubeconfig(row: Row, layout: Layout, ca: Material, certificate: Material,
                key: Material) -> File:
    assert row.kubeconfig is not None
    path = row.place.kubeconfig
    document = replace(row.kubeconfig, authority=ca, certificate=certificate, key=key)
    return File(path, dump_kubeconfig(document), layout.mode(row.place, path))


def signer_path(row: Row, layout: Layout) -> str:
    """The path on a host of the CA that signs a row.

    For a node's own rows it is the path that every host has.
    """
    return ca_path(layout) if row.place == layout.kubelet or row.profile.per == "node" else \
        layout.place(row.profile.signer or "").certificate


def step_of(row: Row, path: str, observe: Observe, findings: Sequence[Finding]) -> Step:
    """The step that writes a file, with the causes of its findings, else of the row's errors."""
    own = [finding.cause for finding in findings if finding.path.partition("#")[0] == path]
    causes = own or [finding.cause for finding in findings
                     if finding.severity == "error"] or ["file-missing"]
    return Step("create" if observe(path).missing else "replace", row.host, path, row.name,
                tuple(dict.fromkeys(causes)))


def leaf_task(row: Row, checked: CheckedRow, observe: Observe, *, renew: bool = False) -> Task:
    """The task of a leaf: its sound key, right certificate and right kubeconfig stay.

    With *renew* a right certificate is replaced by a new certificate for its key.
    """
    place, key = row.place, checked.key
    if key is not None and (find_key_fault(key.public_key()) or not checked.is_hosts):
        key = None
    chain = tuple(checked.chain) if checked.pair_right and key is not None and not renew else ()
    exposed_paths = {finding.path for finding in checked.findings if finding.cause == "key-exposed"}
    paths = []
    if place.certificate:
        paths += [place.certificate] * (not chain)
        paths += [place.key] * (key is None or place.key in exposed_paths)
    embeds = place.kubeconfig and not place.by_path
    if place.kubeconfig and (not checked.kubeconfig_right or (embeds and not chain)
                             or place.kubeconfig in exposed_paths):
        paths.append(place.kubeconfig)
    steps = tuple(step_of(row, path, observe, checked.findings) for path in paths)
    return Task(row, steps, key, chain)
