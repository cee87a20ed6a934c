"""The owners of a host's private keys: the component's user, root, or a stranger."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .inventory import Inventory, ObservedFile, observe_file
from ... import files
from ...kubernetes.components import COMPONENT_NAMES

ROOT = "root"
_USERS = "etc/passwd"


def with_owners(inventory: Inventory) -> Inventory:
    """The inventory, with the *keeper* who should own each private key of a wrong owner.

    The owner is wrong if a stranger owns the key, or if root keeps the key from the component's
    user. Root is no stranger. The owner of the whole tree is no stranger: an ordinary user has
    copied the tree.
    """
    users = {name: {running.user or ROOT for running in inventory.running
                    if running.component == name}
             or {ROOT}
             for name in COMPONENT_NAMES}
    ids = {user: user_id(user, inventory.root) for names in users.values() for user in names}
    usual = {0, files.read_entry_at(inventory.root).owner}
    found = dict[str, ObservedFile]()
    for path, readers in _secrets(inventory):
        file = inventory.file(path)
        runs = {user for name in readers for user in users[name]}
        known = {ids[user] for user in runs}
        # in a user's copy of a tree, root owns no file
        unread = file.owner == 0 and usual == {0} and known - {0, None} and not file.mode & 0o077
        if file.owner is not None \
            and ((file.owner not in usual | known and None not in known) or unread):
            found[path] = replace(file, keeper=min(runs - {ROOT}, default=ROOT))
    return replace(inventory, found={**inventory.found, **found}) if found else inventory


def _secrets(inventory: Inventory) -> Iterator[tuple[str, set[str]]]:
    """The private keys and kubeconfigs of components, and the keys of CAs, with the components."""
    readers = dict[str, set[str]]()
    for use in inventory.uses:
        if use.part in ("key", "kubeconfig"):
            readers.setdefault(use.file, set()).update({use.component} & {*COMPONENT_NAMES})
    yield from readers.items()


def user_id(user: str, root: str) -> int | None:
    """The number of a user of the tree; None if the tree does not tell."""
    if user == ROOT or user.isdecimal():
        return 0 if user == ROOT else int(user)
    for line in (observe_file(root, _USERS).data or b"").decode("utf-8", "replace").splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split(":")
        if name == user and len(fields) > 1 and fields[1].isdecimal():
            return int(fields[1])
    return None
