"""A cluster's CAs and certificates in memory, and TLS contexts with them."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from .contexts import client_context, server_context
from ..clock import utc_now
from ..cluster.authority import DAYS, Authority, Issued, issue, lasting, make_key
from ..kubernetes.profiles import (
    MASTERS_GROUP,
    PROFILES,
    Identity,
    Profile,
    get_profile,
    identity_of,
)

if TYPE_CHECKING:
    from ssl import SSLContext

NODE = "worker-1"
# The names and addresses of every serving certificate: tests run on loopback.
_NAMES, _ADDRESSES = ("localhost",), ("127.0.0.1", "::1")
_SERVICE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local")
_SERVICE_ADDRESS = "10.96.0.1"      # the first of kubeadm's default subnet
_CA_OF = {"ca": "kubernetes", "etcd-ca": "etcd-ca", "front-proxy-ca": "front-proxy-ca"}
_LEAVES = {profile.name: profile for profile in PROFILES if profile.kind == "leaf"}


@dataclass(frozen=True)
class KubernetesPki:
    """The certificates of a cluster with the node worker-1: a CA of each kind, a leaf of each row.

    A row is a line of the table of profiles: `apiserver`, `kubelet-client`, `etcd-server`.
    """

    now: datetime
    """The moment (UTC) from which the certificates are valid."""
    authorities: Mapping[str, Authority] = field(repr=False)
    """The CAs by row: `ca`, `etcd-ca`, `front-proxy-ca`."""
    certificates: Mapping[str, Issued] = field(repr=False)
    """The leaves with their keys by row; each is made at its first use."""

    @property
    def ca(self) -> Authority:
        """The cluster's CA."""
        return self.authorities["ca"]

    def issue(self, row: str, *, node: str = NODE, dns: Sequence[str] = _NAMES,
              addresses: Sequence[str] = _ADDRESSES, days: int = DAYS) -> Issued:
        """Another certificate of a row, for a node of that name, with these names and addresses.

        Raises InputError for an unknown row.

        >>> from kpki.testing import make_kubernetes_pki
        >>> issued = make_kubernetes_pki().issue("kubelet-client", node="worker-7")
        >>> issued.certificate.subject.rfc4514_string()
        'CN=system:node:worker-7,O=system:nodes'
        """
        return _issue(self.authorities, get_profile(row), node, dns, addresses, days, self.now)

    def server_context(self, row: str = "apiserver") -> SSLContext:
        """The TLS context of a server that shows the certificate of *row*.

        The server asks each client for a certificate of the same CA.
        """
        return server_context(self.certificates[row], self.certificates[row].bundle)

    def client_context(self, row: str = "kubelet-client") -> SSLContext:
        """The TLS context of a client that shows the certificate of *row*.

        The client trusts the CA of its own certificate, and compares the server's name.
        """
        return client_context(self.certificates[row], self.certificates[row].bundle)


def make_kubernetes_pki(*, algorithm: str = "ECDSA-P256",
                        now: datetime | None = None) -> KubernetesPki:
    """Make the certificates of a cluster in memory.

    *algorithm* is that of all keys (see `Authority.create`). The leaves are valid for a year from
    *now* (None: the clock), the CAs for ten. Serving certificates name localhost, 127.0.0.1 and
    ::1. Raises InputError for another algorithm.

    >>> from kpki.testing import make_kubernetes_pki
    >>> make_kubernetes_pki().certificates["kubelet-client"].certificate.subject.rfc4514_string()
    'CN=system:node:worker-1,O=system:nodes'
    """
    moment = now or utc_now()
    authorities = {row: Authority.create(name, algorithm=algorithm, now=moment)
                   for row, name in _CA_OF.items()}
    return KubernetesPki(moment, authorities, _Leaves(authorities, moment))


class _Leaves(Mapping[str, Issued]):
    """The leaves by row; each is made at its first use."""

    def __init__(self, authorities: Mapping[str, Authority], now: datetime) -> None:
        self._authorities, self._now, self._made = authorities, now, dict[str, Issued]()

    def __getitem__(self, row: str) -> Issued:
        if row not in self._made:
            self._made[row] = _issue(self._authorities, _LEAVES[row], NODE, _NAMES, _ADDRESSES,
                                     DAYS, self._now)
        return self._made[row]

    def __iter__(self) -> Iterator[str]:
        return iter(_LEAVES)

    def __len__(self) -> int:
        return len(_LEAVES)


def _issue(authorities: Mapping[str, Authority], profile: Profile, node: str, dns: Sequence[str],
           addresses: Sequence[str], days: int, now: datetime) -> Issued:
    authority = authorities[profile.signer or "ca"]
    key = make_key(authority.algorithm)
    identity = identity_on_loopback(profile, node, dns, addresses)
    certificate = issue(authority, profile, identity, key, validity=lasting(days), now=now,
                        warnings=[])
    return Issued(certificate, key, authority.bundle)


def identity_on_loopback(profile: Profile, node: str = NODE, dns: Sequence[str] = _NAMES,
                         addresses: Sequence[str] = _ADDRESSES) -> Identity:
    """Internal: the subject and the names of a row's certificate."""
    if profile.sans == "none":
        dns, addresses = (), ()
    elif profile.sans == "apiserver":
        dns, addresses = (*_SERVICE, *dns), (_SERVICE_ADDRESS, *addresses)
    else:
        dns = (node, *dns)
    return identity_of(profile, node=node, administrators=MASTERS_GROUP, dns=dns,
                       addresses=addresses)
