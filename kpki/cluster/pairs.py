"""A leaf's files: its certificate and key by themselves, and the kubeconfig that embeds or names them."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import pem
from ..files import File
from ..kubernetes.kubeconfig import Material, dump_kubeconfig
from ..kubernetes.layouts import Layout
from .wanted import Row

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


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


def path_kubeconfig(row: Row, layout: Layout) -> File:
    """The kubeconfig of a row that names the layout's files by their paths."""
    return _kubeconfig(row, layout, *(Material(path=f"/{path}") for path in (
        ca_path(layout), row.place.certificate, row.place.key)))


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
