"""The owners of a host's private keys: the component's user, root, or a stranger."""
from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace

from .inventory import Inventory, ObservedFile, observe_file
from ... import files
from ...kubernetes.components import COMPONENT_NAMES
from ...kubernetes.distributions import UNIX_ADMINISTRATORS

ROOT = "root"
_USERS, _GROUPS = "etc/passwd", "etc/group"


def with_owners(inventory: Inventory) -> Inventory:
    """The inventory; a private key of a wrong owner has the right owner in *keeper*.

    The owner is wrong if a stranger owns the key, or if root keeps the key from the component's
    user. Root is no stranger. The owner of the whole tree is no stranger: an ordinary user has
    copied the tree. A mode that lets a group read keeps the group's bits only if the group has a
    stranger.
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
            found[path] = file._replace(keeper=min(runs - {ROOT}, default=ROOT))
    trusted = {0, *(number for number in ids.values() if number is not None)}
    for path, file in inventory.found.items():
        # in a user's copy of a tree, groups are the user's own
        if usual == {0} and file.mode & 0o070 and file.group is not None \
                and _is_trusted(file.group, trusted, inventory.root):
            found[path] = found.get(path, file)._replace(mode=file.mode & ~0o070)
    return replace(inventory, found={**inventory.found, **found}) if found else inventory


def _secrets(inventory: Inventory) -> Iterator[tuple[str, set[str]]]:
    """The private keys and kubeconfigs of components, and the keys of CAs, with the components."""
    readers = dict[str, set[str]]()
    for use in inventory.uses:
        if use.part in ("key", "kubeconfig"):
            readers.setdefault(use.file, set()).update({use.component} & {*COMPONENT_NAMES})
    yield from readers.items()


def _is_trusted(group: int, trusted: Container[int], root: str) -> bool:
    """Whether a group of the tree, by its number, has *trusted* users alone, or administrators."""
    named = [fields for fields in _fields(_GROUPS, root) if fields[2:3] == [str(group)]]
    if not named:
        return False
    members = {name for fields in named for name in fields[3:4] and fields[3].split(",") if name}
    users = [fields for fields in _fields(_USERS, root) if fields[2:3]]
    ids = [fields[2] for fields in users if fields[0] in members or fields[3:4] == [str(group)]]
    if UNIX_ADMINISTRATORS & {fields[0] for fields in named}:
        return True
    return members <= {fields[0] for fields in users} and all(
        number.isdecimal() and int(number) in trusted for number in ids)


def _fields(path: str, root: str) -> Iterator[list[str]]:
    """The lines of a file with colons between fields (passwd(5), group(5))."""
    text = (observe_file(root, path).data or b"").decode("utf-8", "replace")
    return (line.split(":") for line in text.splitlines())


def user_id(user: str, root: str) -> int | None:
    """The number of a user of the tree; None if the tree does not tell."""
    if user == ROOT or user.isdecimal():
        return 0 if user == ROOT else int(user)
    return next((int(fields[2]) for fields in _fields(_USERS, root)
                 if fields[0] == user and fields[2:3] and fields[2].isdecimal()), None)
