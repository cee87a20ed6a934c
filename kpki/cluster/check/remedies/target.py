"""The tree that a remedy repairs, and the CAs of the command line."""
from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from cryptography.x509 import Certificate

from ...desired.rows import NODES_FOLDER
from ...observed.inventory import Inventory
from ...rules.facts import Pair, TrustFile
from .... import files
from ....errors import KpkiError


class RepairTarget(NamedTuple):
    """A tree to repair, its host's name, and the given CAs."""

    inventory: Inventory
    """The tree."""
    node: str
    """The host's name."""
    ca: str | None = None
    """The given file of the CA's certificate."""
    ca_key: str | None = None
    """The given file of that CA's key."""
    ca_public_key: bytes | None = None
    """The public half (DER) of that key, None if the key needs a passphrase."""
    given: Mapping[str, tuple[str, str | None]] = {}
    """The given files of the other CAs, certificate and key, by the CA's row."""
    authorities: Mapping[str, Sequence[Certificate]] = {}
    """The certificates in the given files, by the CA's row."""
    pairs: Sequence[Pair] = ()
    """The pairs that the tree's components present, read once by `with_remedies`."""
    trust_files: Sequence[TrustFile] = ()
    """The tree's CA files without a wrong CA, read once by `with_remedies`."""
    workspace: bool = False
    """Whether the current folder is a workspace that knows the node."""
    now: datetime | None = None
    """The moment of the check (UTC)."""

    @property
    def root(self) -> str:
        """The tree's root, as a word that no command reads as an option."""
        return no_option(self.inventory.root or os.curdir)

    def at(self, path: str) -> str:
        """The path of a file of the tree, from the current folder.

        Links are followed as on the host, and no path leaves the root.
        """
        return posixpath.join(self.root, inside(self.inventory.root, path)
                              if self.inventory.file(path).link else path)

    def holds(self, path: str) -> bool:
        """Whether a file with content lies at the path."""
        return bool(self.inventory.file(path).data)

    @property
    def trees(self) -> str | None:
        """The folder of trees with this tree, if the tree has its host's name; else None."""
        trees, name = os.path.split(os.path.abspath(self.inventory.root))
        return os.path.dirname(self.root.rstrip("/")) or os.curdir \
            if name == self.node and os.path.basename(trees) == NODES_FOLDER else None


def no_option(path: str) -> str:
    """A path that no command reads as an option."""
    return f"./{path}" if path.startswith("-") else path


def inside(root: str, path: str) -> str:
    """A path below *root*, with symbolic links followed as on the host of *root*."""
    with suppress(KpkiError):
        return os.path.relpath(files.resolve(root or os.curdir, path), root or os.curdir)
    return path
