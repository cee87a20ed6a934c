"""What was judged in full for one host of a fleet, and is right for the others too: an explicit
cache.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...kubernetes.layouts import Place

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# What leaves have in common that a CA has issued: itself, their row, the bits of their keys.
Kind = tuple["Certificate", str, int]
_MOST_KINDS = 1024
# A kubeconfig of which nothing is any host's own: the row's place, the CA's path in it, the bytes.
Named = tuple[Place, str, bytes]
_MOST_NAMED = 16


class Proved:
    """What was judged in full for one host, and is right for all: the kinds of leaves, nothing of
    which but its dates was wrong, and the kubeconfigs that name files by their paths.

    Whoever looks at many hosts by one context makes one and hands it on. At most _MOST_KINDS and
    _MOST_NAMED are kept: what is more is judged in full.
    """

    def __init__(self) -> None:
        self._kinds = set[Kind]()
        self._named = set[Named]()

    def __contains__(self, kind: Kind) -> bool:
        return kind in self._kinds

    def add(self, kind: Kind) -> None:
        """Remember a kind."""
        if len(self._kinds) < _MOST_KINDS:
            self._kinds.add(kind)

    def knows(self, named: Named) -> bool:
        """Whether that kubeconfig was judged, and nothing was wrong with it."""
        return named in self._named

    def add_named(self, named: Named) -> None:
        """Remember a kubeconfig."""
        if len(self._named) < _MOST_NAMED:
            self._named.add(named)
