"""A cache of facts that are right for all hosts of a fleet, as checked in full for one host."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...kubernetes.layouts import Place

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# facts that leaves of one CA share: the CA, the row, the bits of the key
LeafKind = tuple["Certificate", str, int]
_MOST_KINDS = 1024
# a file that is the same on all hosts: the place of its row, the path of the CA's file, the octets
SharedFile = tuple[Place, str, bytes]
_MOST_FILES = 16


class Proved:
    """The kinds of leaves and the files that were checked in full, and are right.

    Of a leaf of such a kind only the dates can be wrong. The files are CA files, and kubeconfigs
    that name other files by their paths. One context has one cache. The cache has at most
    _MOST_KINDS and _MOST_FILES entries; anything more is checked in full.
    """

    def __init__(self) -> None:
        self._kinds = set[LeafKind]()
        self._files = set[SharedFile]()

    def __contains__(self, kind: LeafKind) -> bool:
        return kind in self._kinds

    def add(self, kind: LeafKind) -> None:
        """Add a kind."""
        if len(self._kinds) < _MOST_KINDS:
            self._kinds.add(kind)

    def knows(self, file: SharedFile) -> bool:
        """Whether the file was checked without a fault."""
        return file in self._files

    def add_file(self, file: SharedFile) -> None:
        """Add a file."""
        if len(self._files) < _MOST_FILES:
            self._files.add(file)
