"""A cache of facts that are right for all hosts of a fleet, as checked in full for one host."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...kubernetes.layouts import Place

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# facts that leaves of one CA share: the CA, the row, the bits of the key
LeafKind = tuple["Certificate", str, int]
_MOST_KINDS = 1024
# a kubeconfig that is the same on all hosts: the row's place, the CA's path in it, the octets
Named = tuple[Place, str, bytes]
_MOST_NAMED = 16


class Proved:
    """The kinds of leaves and the kubeconfigs that were checked in full, and are right.

    Of a leaf of such a kind only the dates can be wrong. The kubeconfigs name files by their paths.
    One context has one cache. The cache has at most _MOST_KINDS and _MOST_NAMED entries; anything
    more is checked in full.
    """

    def __init__(self) -> None:
        self._kinds = set[LeafKind]()
        self._named = set[Named]()

    def __contains__(self, kind: LeafKind) -> bool:
        return kind in self._kinds

    def add(self, kind: LeafKind) -> None:
        """Add a kind."""
        if len(self._kinds) < _MOST_KINDS:
            self._kinds.add(kind)

    def knows(self, named: Named) -> bool:
        """Whether the kubeconfig was checked without a fault."""
        return named in self._named

    def add_named(self, named: Named) -> None:
        """Add a kubeconfig."""
        if len(self._named) < _MOST_NAMED:
            self._named.add(named)
