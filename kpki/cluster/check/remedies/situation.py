"""Where a remedy is to work."""
from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from datetime import datetime
from shlex import quote

from ...desired.rows import NODES_FOLDER
from ...observed.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Situation:
    """A tree (*inventory*), whose it is (*node*), the files of the CA that a person named (*ca*, *ca_key*), and whether
    the folder that commands are run in is a *workspace* that knows the node. *now* is the moment that was judged (UTC).
    """

    inventory: Inventory
    node: str
    ca: str | None = None
    ca_key: str | None = None
    workspace: bool = False
    now: datetime | None = None

    def at(self, path: str) -> str:
        """A path of the tree as the shell takes it."""
        return quote(posixpath.join(self.inventory.root or ".", path))

    @property
    def trees(self) -> str | None:
        """The folder of hosts' trees that this one is among, where it is called after its host; else None."""
        trees, name = os.path.split(os.path.abspath(self.inventory.root))
        return os.path.dirname(self.inventory.root.rstrip("/")) or "." \
            if name == self.node and os.path.basename(trees) == NODES_FOLDER else None
