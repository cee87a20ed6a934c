"""The graph of certificates: who signs whom, who holds what, who calls whom."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ...kubernetes import reading
from ...kubernetes.purposes import PURPOSES, SERVERS

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from ..lifecycle.expiry import SkippedFile

_MOST = 16      # CAs of one name that are tried as the signer of a certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A file with a certificate, and the component that reads the file.

    >>> found, = kpki.read_graph(host).certificates
    >>> [(holder.component, holder.path) for holder in found.holders]
    [('kubelet', 'etc/kubernetes/pki/ca.crt')]
    """

    host: str | None = None
    """The host whose tree holds the file, None if there is one tree only."""
    path: str
    """The file, relative to the tree; in a kubeconfig with the entry: `admin.conf#users/admin`."""
    component: str = ""
    """The component that reads the file, "" if none is known."""
    purpose: str = ""
    """What the component does with the file, "" if unknown; `kpki uses` has the same words."""
    key: str = ""
    """The file with the certificate's private key, "" without a key of the certificate."""


@dataclass(frozen=True, slots=True)
class GraphCertificate:
    """One certificate of a graph.

    >>> found, = kpki.read_graph(host).certificates
    >>> found.name, found.subject, found.self_signed
    ('ca', 'CN=kubernetes', True)
    """

    row: str
    """The row of the profiles table, "" if nothing tells the row."""
    subject: str
    """The subject (RFC 4514)."""
    user: str
    """The CN of the subject."""
    issuer: str
    """The issuer (RFC 4514)."""
    authority: bool
    """Whether the certificate is a CA's."""
    self_signed: bool
    """Whether the certificate has signed itself."""
    not_after: datetime
    """The last moment of the validity (UTC)."""
    signer: int | None
    """The number of the CA's certificate in the graph; None if it is not there, or self-signed."""
    holders: tuple[Holder, ...] = ()
    """The files with the certificate."""

    @property
    def name(self) -> str:
        """The row, else the CN, else the subject."""
        return self.row or self.user or self.subject


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call between components: the *client* shows a certificate to the *server*.

    >>> graph = kpki.read_graph(workspace / "nodes/cp-1")
    >>> [(call.client, call.purpose) for call in graph.calls if call.server == "kubelet"]
    [('kube-apiserver', 'apiserver-kubelet-client')]
    """

    client: str
    """The component that calls."""
    server: str
    """The component that is called."""
    purpose: str
    """The purpose of the client's certificates."""
    certificates: tuple[int, ...]
    """The numbers of the client's certificates in the graph."""
    answers: tuple[int, ...]
    """The numbers of the server's certificates; empty if the graph does not have the server."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The certificates of a place, each once, and the calls of their holders.

    >>> graph = kpki.read_graph(workspace / "nodes/cp-1")
    >>> [graph.certificates[number].name for number in graph.signed_by(None)]
    ['ca', 'etcd-ca', 'front-proxy-ca']
    """

    certificates: tuple[GraphCertificate, ...]
    """The certificates; a number in this graph counts from 0 in this order."""
    calls: tuple[Call, ...] = ()
    """The calls, clients in the order of their certificates."""
    skipped: tuple[SkippedFile, ...] = ()
    """The files and folders whose certificates could not be read."""

    def signed_by(self, signer: int | None) -> tuple[int, ...]:
        """The numbers of the certificates that a CA has signed; for None those without a signer."""
        return tuple(number for number, certificate in enumerate(self.certificates)
                     if certificate.signer == signer)


def make_graph(held: Iterable[tuple[Certificate, str, Sequence[Holder]]],
               skipped: Sequence[SkippedFile] = ()) -> Graph:
    """The graph of certificates, each with its row ("" if unknown) and its holders.

    A certificate that is held several times stands once in the graph. The CA that signed a
    certificate is found by name and signature.

    >>> from kpki.cluster.graph.graph import make_graph
    >>> [found.user for found in make_graph([(authority.certificate, "ca", ())]).certificates]
    ['kubernetes']
    """
    holders, rows = dict["Certificate", dict[Holder, None]](), dict["Certificate", str]()
    for certificate, row, found in held:
        holders.setdefault(certificate, {}).update(dict.fromkeys(found))
        rows[certificate] = rows.get(certificate) or row
    order = [*holders]
    signers = dict[bytes, list[int]]()
    for number, certificate in enumerate(order):
        if reading.is_authority(certificate):
            signers.setdefault(reading.subject_der(certificate), []).append(number)
    vertices = tuple(_vertex(certificate, rows[certificate], tuple(found), order, signers)
                     for certificate, found in holders.items())
    return Graph(vertices, tuple(_calls(vertices)), tuple(dict.fromkeys(skipped)))


def _vertex(certificate: Certificate, row: str, holders: tuple[Holder, ...],
            order: Sequence[Certificate], signers: dict[bytes, list[int]]) -> GraphCertificate:
    self_signed = reading.is_signed_by(certificate, certificate)
    named = [] if self_signed else signers.get(reading.issuer_der(certificate), [])
    signer = next((number for number in named[:_MOST] if order[number] != certificate
                   and reading.is_signed_by(certificate, order[number])), None)
    return GraphCertificate(
        row, reading.subject_text(certificate), reading.certificate_subject(certificate).user,
        reading.issuer_text(certificate), reading.is_authority(certificate), self_signed,
        certificate.not_valid_after_utc, signer, holders)


def _calls(certificates: Sequence[GraphCertificate]) -> Iterator[Call]:
    """The calls that the purposes of held certificates mean."""
    clients, servers = dict[tuple[str, str], dict[int, None]](), dict[str, dict[int, None]]()
    for number, certificate in enumerate(certificates):
        for holder in certificate.holders:
            purpose = PURPOSES.get(holder.purpose)
            if certificate.authority or purpose is None:
                continue
            if purpose.server:
                clients.setdefault((holder.component, purpose.name), {})[number] = None
            if purpose.name in SERVERS:
                servers.setdefault(purpose.name, {})[number] = None
    for (client, name), numbers in clients.items():
        serving = PURPOSES[name].server
        yield Call(client, SERVERS[serving], name, tuple(numbers),
                   tuple(servers.get(serving, ())))
