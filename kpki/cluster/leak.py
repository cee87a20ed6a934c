"""`kpki show --leaked`: what a private key gives its holder, its uses, and what to do."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from shlex import join
from typing import TYPE_CHECKING, NamedTuple

from .lifecycle.trees import (
    CA_ROWS,
    hosts_with_trees,
    pairs_of_users,
    read_tree,
    read_users,
    used_pairs,
)
from .observed.contents import read_certificates, read_public_keys
from .observed.hosts import inventory_of
from .observed.inventory import Inventory
from .observed.uses import read_host
from .rules.facts import signing_pairs_of, trust_files_of
from .workspace import DESCRIPTION, is_there, observe_workspace_file, read_cluster
from ..errors import InputError
from ..kubernetes.layouts import WORKSPACE
from ..kubernetes.powers import POWERS, USER
from ..kubernetes.profiles import SERVICE_ACCOUNTS, get_profile
from ..kubernetes.showing.show import show
from ..kubernetes.showing.shown import Shown
from ..stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """What the key's holder is to a verifier, by one certificate."""

    row: str
    """The row of the profiles table, "" for a user of no row."""
    user: str
    """The user to Kubernetes: the CN."""
    groups: tuple[str, ...]
    """The groups to Kubernetes: every O."""
    power: str
    """What the holder could do."""
    not_after: datetime | None
    """The end of the certificate (UTC); None for a key without a certificate."""


class KeyFile(NamedTuple):
    """A file of a host, or of the workspace, that has to do with the key."""

    host: str | None
    path: str
    row: str


@dataclass(frozen=True, slots=True)
class Leak:
    """A leaked key."""

    holders: tuple[KeyHolder, ...]
    """What the key's holder is, once for each row and user."""
    places: tuple[KeyFile, ...]
    """The files with the key, with its certificate, or with a CA that the key signs for."""
    commands: tuple[str, ...]
    """The commands that end the key's use here, in order."""


def find_leak(data: bytes, place: str, *, now: datetime, host_name: str,
              read: Callable[[str], bytes]) -> Leak:
    """What the key in a file (*data*) gives, and its use in a workspace or host's tree *place*.

    The file is a private key, a certificate, a kubeconfig with a client pair or a public key.
    *read* reads a file that a kubeconfig names. Raises InputError for other files.
    """
    shown = [*_owners(show(data, authorities=[], now=now, read=read))]
    keys = {item.public_key for item in shown if item.public_key}
    if not keys:
        raise InputError("the file has no key that kpki can read",
                         hint="a certificate of the key, or its public half, serves as well")
    workspace = is_there(os.path.join(place, DESCRIPTION))
    trees = _of_workspace(place, host_name) if workspace else _of_host(place)
    places, holders = list[KeyFile](), dict[tuple[str, str], KeyHolder]()
    for host, inventory in trees:
        for row, path, certificate in _with_keys(inventory, keys, own=workspace and host is None):
            places.append(KeyFile(host, path, row))
            holder = _holder(row, certificate)
            holders.setdefault((holder.row, holder.user), holder)
    for item in shown:
        for row in item.rows[:1] or ([""] if item.user else []):
            if not any(holder.user == (item.user or "") for holder in holders.values()):
                holders[row, item.user or ""] = KeyHolder(row, item.user or "", item.groups,
                                                          POWERS.get(row, USER), item.not_after)
    commands = tuple(_commands(places, place, workspace=workspace))
    return Leak(tuple(holders.values()), tuple(dict.fromkeys(places)), commands)


def _owners(items: Iterable[Shown]) -> Iterator[Shown]:
    """Of the things in a file those that tell whose key it is."""
    items = [*items]
    keys = [item for item in items if item.kind in ("private key", "public key")]
    if keys:
        of_keys = {item.public_key for item in keys}
        yield from keys
        yield from (item for item in items
                    if item.kind == "certificate" and item.public_key in of_keys)
        return
    for item in items:
        if item.kind == "kubeconfig":
            yield from (context.certificate for context in item.contexts if context.certificate)
    yield from [item for item in items if item.kind in ("certificate", "request")][:1]


def _of_workspace(folder: str, host_name: str) -> Iterator[tuple[str | None, Inventory]]:
    cluster = read_cluster(folder, host_name=host_name)
    yield None, read_users(folder)
    yield from ((host, read_tree(cluster, folder, host))
                for host in hosts_with_trees(cluster, folder))


def _of_host(root: str) -> Iterator[tuple[str | None, Inventory]]:
    yield None, inventory_of(root, read_host(root))


def _with_keys(inventory: Inventory, keys: set[str], *,
               own: bool) -> Iterator[tuple[str, str, Certificate | None]]:
    """Row, file and certificate of each use of the keys in a tree."""
    for pair in pairs_of_users(inventory) if own else used_pairs(inventory):
        if _fingerprint(pair.chain[0]) in keys or (
                pair.key and _digest(public_key_der(pair.key)) in keys):
            yield pair.row, pair.path, pair.chain[0]
    if own:
        yield from _own(inventory.root, keys)
        return
    for pair in signing_pairs_of(inventory):
        for certificate in pair.chain:
            if pair.key and _fingerprint(certificate) in keys:
                yield pair.row, pair.key_path, certificate
    for file in trust_files_of(inventory):
        for certificate in file.certificates:
            if _fingerprint(certificate) in keys:
                yield file.row, file.path, certificate
    for path in dict.fromkeys(use.file for use in inventory.uses
                              if use.purpose.startswith("service-account")):
        public_keys = read_public_keys(inventory.file(path), SERVICE_ACCOUNTS)[0]
        if any(_digest(public_key) in keys for public_key in public_keys):
            yield SERVICE_ACCOUNTS, path, None


def _own(folder: str, keys: set[str]) -> Iterator[tuple[str, str, Certificate | None]]:
    """The workspace's own CAs and tokens' key."""
    for row in CA_ROWS:
        path = WORKSPACE.place(row).certificate
        for certificate in read_certificates(observe_workspace_file(folder, path), row)[0]:
            if _fingerprint(certificate) in keys:
                yield row, path, certificate
    path = WORKSPACE.place(SERVICE_ACCOUNTS).certificate
    public_keys = read_public_keys(observe_workspace_file(folder, path), SERVICE_ACCOUNTS)[0]
    if any(_digest(public_key) in keys for public_key in public_keys):
        yield SERVICE_ACCOUNTS, path, None


def _holder(row: str, certificate: Certificate | None) -> KeyHolder:
    from ..kubernetes import reading
    if certificate is None:
        return KeyHolder(row, "", (), POWERS[row], None)
    subject = reading.certificate_subject(certificate)
    return KeyHolder(row, subject.user, subject.groups, POWERS.get(row, USER),
                     certificate.not_valid_after_utc)


def _commands(places: Sequence[KeyFile], place: str, *, workspace: bool) -> Iterator[str]:
    """A new key for each leaf, and an exchange for a CA or for the tokens' key."""
    folder = os.path.normpath(place)
    where = ["--root", folder] if not workspace else \
        [] if folder == os.curdir else ["--workspace", folder]
    special = dict.fromkeys(found.row for found in places if found.row in POWERS
                            and get_profile(found.row).kind != "leaf")
    names = dict.fromkeys(f"{found.host}/{found.row}" if found.host else found.row
                          for found in places if found.row and found.row not in special)
    if names:
        yield join(["kpki", "renew", "--new-key", *where, *names])
    yield from (join(["kpki", "rotate", row, *(where if workspace else [])]) for row in special)


def _fingerprint(certificate: Certificate) -> str:
    return _digest(public_key_der(certificate.public_key()))


def _digest(public_key: bytes) -> str:
    return sha256(public_key).hexdigest()
