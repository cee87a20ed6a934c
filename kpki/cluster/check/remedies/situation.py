"""Where a remedy is to work."""
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


class Situation(NamedTuple):
    """A tree, whose it is, and what a person said of its CA."""

    inventory: Inventory
    """The tree."""
    node: str
    """The host's name."""
    ca: str | None = None
    """The file of the CA's certificate that a person named."""
    ca_key: str | None = None
    """The file of that CA's key."""
    ca_public_key: bytes | None = None
    """That key's public half (DER), None if nobody can read the key without a passphrase."""
    given: Mapping[str, tuple[str, str | None]] = {}
    """The files of the other CAs that a person named, certificate and key, by the CA's row."""
    authorities: Mapping[str, Sequence[Certificate]] = {}
    """What the files of CAs that a person named hold, by the CA's row."""
    pairs: Sequence[Pair] = ()
    """The certificates that the tree's components show; `with_remedies` reads them, once for all
    findings.
    """
    trust_files: Sequence[TrustFile] = ()
    """The CA files by which the tree's components verify others, but for those that hold another
    CA; likewise.
    """
    workspace: bool = False
    """Whether the folder that commands are run in is a workspace that knows the node."""
    now: datetime | None = None
    """The moment that was judged (UTC)."""

    @property
    def root(self) -> str:
        """The tree's root as a word that is no option."""
        return no_option(self.inventory.root or os.curdir)

    def at(self, path: str) -> str:
        """Where a file of the tree lies from here: links are followed as on the host, and no path
        leaves the root.
        """
        return posixpath.join(self.root, inside(self.inventory.root, path)
                              if self.inventory.file(path).link else path)

    def holds(self, path: str) -> bool:
        """Whether a file with something in it lies there."""
        return bool(self.inventory.file(path).data)

    @property
    def trees(self) -> str | None:
        """The folder of hosts' trees that this one is among, where it is called after its host;
        else None.
        """
        trees, name = os.path.split(os.path.abspath(self.inventory.root))
        return os.path.dirname(self.root.rstrip("/")) or os.curdir \
            if name == self.node and os.path.basename(trees) == NODES_FOLDER else None


def no_option(path: str) -> str:
    """A path that no command takes for an option."""
    return f"./{path}" if path.startswith("-") else path


def inside(root: str, path: str) -> str:
    """A path below *root* with its symbolic links followed as on the host whose root that is."""
    with suppress(KpkiError):
        return os.path.relpath(files.resolve(root or os.curdir, path), root or os.curdir)
    return path
