"""New content for parts of a host's files; all else in a file stays, byte for byte."""
from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime

from ..observed.inventory import SECRET, Inventory
from ... import files, pem
from ...errors import InputError
from ...files import File
from ...kubernetes.kubeconfig import embedded_certificates, load_users
from ...kubernetes.layouts import KEY_MODE

# The new content of files, by their paths, as far as the edits have come.
NewContents = dict[str, bytes]
_DER = b"\x30"
_CURRENT = re.compile(r"(kubelet-(?:client|server))-current\.pem")
_STORE_TIME = "%Y-%m-%d-%H-%M-%S"   # in the names of the files that a kubelet keeps


def replace_block(changed: NewContents, inventory: Inventory, path: str, block: bytes) -> None:
    """Put a PEM block in the place of the first block of its kind in a file.

    In a kubeconfig *path* names the entry too: `admin.conf#users/admin`. Raises InputError for data
    of a kubeconfig that is not on one line.
    """
    edit_data(changed, inventory, path, lambda data: _with_block(data, block),
              secret=SECRET in block)


def edit_data(changed: NewContents, inventory: Inventory, path: str,
              edit: Callable[[bytes], bytes], *, secret: bool = False) -> None:
    """Edit a file, or the data of a kubeconfig's entry; *secret*: the user's key.

    Raises InputError for data of a kubeconfig that is not on one line.
    """
    file, _, entry = path.partition("#")
    data = changed.get(file, inventory.file(file).data or b"")
    old = embedded_data(data, entry, secret=secret) if entry else data
    new = edit(old)
    if new == old:
        return
    if not entry:
        changed[file] = new
        return
    changed[file] = replaced_data(data, old, new, file, entry)


def replaced_data(kubeconfig: bytes, old: bytes, new: bytes, path: str, entry: str) -> bytes:
    """A kubeconfig with *new* data in the place of *old*; *path* and *entry* are for a message.

    Raises InputError for data on several lines.
    """
    text = base64.b64encode(old)
    if text not in kubeconfig:
        raise InputError(f"{path}: the data of {entry} is not on one line, so kpki does not edit "
                         "the file",
                         hint=f"kubectl config view --raw --kubeconfig {path} prints the "
                              "kubeconfig with such lines")
    return kubeconfig.replace(text, base64.b64encode(new))


def embedded_data(data: bytes, entry: str, *, secret: bool) -> bytes:
    """The data of a kubeconfig's entry: the user's pair, or the CA of a cluster."""
    kind, _, name = entry.partition("/")
    if kind != "users":
        return dict(embedded_certificates(data)).get(entry, b"")
    certificate, key = load_users(data)[name]
    return (key if secret else certificate).data or b""


def _with_block(data: bytes, block: bytes) -> bytes:
    """*data* with *block* in the place of its first block of that kind; DER stays DER."""
    new = next(pem.blocks(block))
    if data[:1] == _DER:
        return new.der
    kind = "PRIVATE KEY" if new.label.endswith("PRIVATE KEY") else "CERTIFICATE"
    old = next(found for found in pem.blocks(data) if found.label.endswith(kind))
    return data.replace(old.armour, new.armour, 1)


def edited_files(inventory: Inventory, changed: NewContents, now: datetime) -> tuple[File, ...]:
    """The files to write, relative to the tree, for all edits."""
    written = {file.path: file for path, data in changed.items()    # two links may lead to one file
               for file in _files(inventory, path, data, now)}
    return tuple(written.values())


def _files(inventory: Inventory, path: str, data: bytes, now: datetime) -> Iterator[File]:
    """The files that give *path* its new content: a link stays, and leads to the content.

    A kubelet's store gets a new file with the time in its name, and the link is set to the file:
    the kubelet itself does so.
    """
    found = inventory.file(path)
    if not found.link:
        yield File(path, data, found.mode)
        return
    folder, _, name = path.rpartition("/")
    if dated := stored_name(name, now):
        yield File(f"{folder}/{dated}", data, KEY_MODE)
        yield File(path, dated.encode(), KEY_MODE, link=True)
        return
    real = files.resolve(os.path.abspath(inventory.root), path)
    yield File(os.path.relpath(real, os.path.abspath(inventory.root)), data, found.mode)


def stored_name(name: str, now: datetime) -> str:
    """The name of a new file in a kubelet's store; "" if *name* is not the store's link."""
    stem = _CURRENT.fullmatch(name)
    return f"{stem[1]}-{now:{_STORE_TIME}}.pem" if stem else ""
