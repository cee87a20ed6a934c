"""The check of a folder of certificates that is no host's tree, or of a single file."""
from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography.x509 import Certificate

from ..finding import Finding
from ..observed.components import kubeconfig_uses
from ..observed.contents import read_certificates, read_key
from ..observed.defaults import layout_uses
from ..observed.inventory import (
    SECRET,
    Inventory,
    ObservedFile,
    kubeconfig_in,
    named_path,
    root_of,
)
from ..observed.search import (
    CERTIFICATES,
    KEY_SUFFIXES,
    is_aside,
    is_kubeconfig,
    may_matter,
    observe_in,
    observe_in_folder,
)
from ..observed.tree import Tree
from ..observed.use import Use
from ..rules.context import WITHIN
from ..rules.host import check_node
from ... import files, pem
from ...errors import FileError, InputError
from ...kubernetes import reading
from ...kubernetes.layouts import LAYOUTS, Layout, Place
from ...kubernetes.reading import USAGE_OIDS
from ...kubernetes.settings import UsePart

# names that many layouts use: alone they do not show a layout
_COMMON = re.compile(r"(ca|server|peer|admin)(-key)?\.(crt|key|pem)|kubeconfig")


@dataclass(frozen=True, slots=True)
class Plain:
    """The files of a folder: its *inventory*, and the *others*, which have no place in a layout."""

    inventory: Inventory
    others: tuple[str, ...]


def inspect_plain(path: str) -> Plain:
    """Read a folder and all below it except backups, or one file.

    Raises FileError for a missing file or a folder that cannot be listed, InputError for a folder
    without a file to check.
    """
    closed = list[str]()
    entry = files.read_entry_at(path) if path else files.Entry(path=path, kind="missing")
    if entry.kind == "missing":
        raise FileError(f"{path or repr(path)}: no such file or folder")
    if entry.kind == "folder":
        listed = files.walk(path, skip=is_aside, closed=closed)
        root, names = path, [name for name, _ in listed if may_matter(name)]
        found = {name: file for name in names if _matters(file := observe_in_folder(root, name))}
    else:
        root, name = os.path.split(path)
        root = root or os.curdir
        found = {name: observe_in_folder(root, name)}
    if not found and not closed:
        raise InputError(
            f"{path}: no certificate, key or kubeconfig is in it, and none of kpki's layouts",
            hint="is it a host's root, with etc/kubernetes in it? Otherwise say --layout")
    layout = _layout_by_names(root, found)
    named = {path for path, _ in layout.files()}
    found = {path: file if path in named else _in_pem(file) for path, file in found.items()}
    names = [*found]
    found |= dict(_named_by(root, found))
    uses = [*layout_uses(Tree(None, found), layout, (), ())]
    spoken = {use.file for use in uses}
    others = tuple(name for name in names if name not in spoken)
    uses += _other_uses(found, others)
    unread = dict.fromkeys((*(file.unread for file in found.values() if file.unread), *closed))
    return Plain(Inventory(root, layout, found, uses=tuple(uses), unread=tuple(unread)), others)


def _in_pem(found: ObservedFile) -> ObservedFile:
    """A file in DER as PEM; any other file as it is."""
    data = found.data or b""
    if data[:1] != b"\x30":
        return found
    with suppress(InputError):
        return found._replace(data=pem.dump_certificate(pem.load_certificate(data, encoding="DER")))
    with suppress(InputError):
        return found._replace(data=pem.dump_key(pem.load_key(data, encoding="DER")))
    return found if found.path.endswith(KEY_SUFFIXES) \
        else found._replace(data=pem.armour(data, "CERTIFICATE"))


def _matters(found: ObservedFile) -> bool:
    """Whether a file is a certificate, key or kubeconfig, by content, or by name if unreadable."""
    if found.unread or found.path.endswith((*CERTIFICATES, *KEY_SUFFIXES)):
        return True
    data = found.data or b""
    return b"-----BEGIN " in data or is_kubeconfig(data)


def _layout_by_names(root: str, found: Mapping[str, ObservedFile]) -> Layout:
    """The layout that a folder is a part of, by its files' names, with the places in the part."""
    best, most = Layout(name="", places=(), administrators="", source=""), 0
    top = os.path.abspath(root)
    for layout in LAYOUTS:
        for prefix in sorted({posixpath.dirname(path) for path, _ in layout.files()}):
            for folder in (prefix, posixpath.dirname(prefix)):
                names = {path.removeprefix(f"{folder}/") for path, _ in layout.files()
                         if path.startswith(f"{folder}/")} & found.keys()
                telling = [name for name in names
                           if not _COMMON.fullmatch(posixpath.basename(name))]
                if len(names) > most and (telling or top.endswith(f"/{folder}")):
                    best, most = replace(layout, name="",
                                         places=tuple(_part(layout, folder, found))), len(names)
    return best


def _part(layout: Layout, folder: str, found: Mapping[str, ObservedFile]) -> Iterator[Place]:
    """The places of a layout with a file in one of its folders, by the file's name."""
    for place in layout.places:
        certificate, key, kubeconfig = (
            path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else ""
            for path in (place.certificate, place.key, place.kubeconfig))
        if {certificate, key, kubeconfig} & found.keys():
            single = len(found) == 1
            yield replace(place, certificate=certificate if not single or certificate in found
                          else "", key=key if not single or key in found else "",
                          kubeconfig=kubeconfig if kubeconfig in found else "")


def _named_by(root: str, found: Mapping[str, ObservedFile]) -> Iterator[tuple[str, ObservedFile]]:
    """The files that kubeconfigs name, relative to their folder or to the root of the tree."""
    for path, file in found.items():
        kubeconfig = kubeconfig_in(file.data)
        for material in (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key) \
            if kubeconfig else ():
            if material.path:
                top, inner = root_of(os.path.join(root, path))
                named = named_path(path, material.path)
                yield named, observe_in(root, named, top, named_path(inner, material.path))


def check_plain(plain: Plain, *, node: str, now: datetime, within: timedelta = WITHIN,
                authorities: Mapping[str, Sequence[Certificate]] = {}) -> list[Finding]:
    """The findings of a folder's files: each alone, and with its pair's other file.

    *node* is the name of the kubelet's node ("": any). *authorities* are the CAs that must have
    signed, by row; without any, the CAs in the folder.
    """
    inventory, alone = plain.inventory, [path for path in plain.others
                                         if _kind(plain.inventory.file(path)) == "key"]
    paired = {use.file for use in inventory.uses}
    every = {"": [certificate for certificates in authorities.values()
                  for certificate in certificates]} \
        if authorities else {}
    findings = check_node(inventory, node=node, now=now, within=within,
                          authorities={**authorities, **every})
    findings += (fault for path in alone if path not in paired
                 and (fault := read_key(inventory.file(path), "")[1]))
    hidden = not authorities \
        and any(inventory.file(path).unread and _kind(inventory.file(path)) == "certificate"
                for path in plain.others)     # which may be any CA
    others = {*plain.others}
    findings = [replace(finding, row="") if finding.path.partition("#")[0] in others else finding
                for finding in findings]
    return [finding for finding in dict.fromkeys(findings) if finding.row or not (
        finding.cause == "encrypted-key"
        or (hidden and finding.cause in ("unknown-authority", "kubeconfig-wrong-ca")))]


def _other_uses(found: Mapping[str, ObservedFile], others: Sequence[str]) -> Iterator[Use]:
    """The pairs of files without a place in a layout, by name; their purposes are unknown."""
    tree, done, names = Tree(None, found), set[str](), {*others}
    for path in sorted(others, key=lambda path: (_kind(found[path]) != "certificate", path)):
        kind = _kind(found[path])
        if kind == "kubeconfig":
            yield from kubeconfig_uses(tree, _use(path, path, "pair-client", "kubeconfig"),
                                       f"/{path}")
        if kind != "certificate" or path in done:
            continue
        chain = read_certificates(found[path], "")[0]
        key = path if SECRET in (found[path].data or b"") \
            else next((name for name in _keys_of(path) if name in names), "")
        done |= {path, key}
        if chain and reading.is_authority(chain[0]):
            yield _use(path, path, "pair-ca", "authority")
            yield from [_use(path, key, "authority-key", "key")] if key else []
            continue
        usages = [usage for usage in USAGE_OIDS if chain and reading.usable_for(chain[0], usage)]
        for purpose in [_PURPOSES[usage] for usage in usages] or ["pair"]:
            yield _use(path, path, purpose, "certificate")
            yield from [_use(path, key, purpose, "key")] if key else []


_PURPOSES = {"serverAuth": "pair-server", "clientAuth": "pair-client"}


def _use(group: str, path: str, purpose: str, part: UsePart) -> Use:
    return Use(component="people", setting=part, source="", path=path, purpose=purpose, part=part,
               group=group, default=True)


def _keys_of(path: str) -> Iterator[str]:
    """The usual names of the key of a certificate."""
    stem, _ = posixpath.splitext(path)
    return (stem + ending for ending in KEY_SUFFIXES)


def _kind(found: ObservedFile) -> str:
    """The kind of a file: by content, else by name; "" if the file is not checked."""
    data, name = found.data or b"", found.path
    if is_kubeconfig(data):
        return "kubeconfig"
    for mark, kind in ((b"-----BEGIN CERTIFICATE-----", "certificate"), (SECRET, "key"),
                       (b"-----BEGIN PUBLIC KEY-----", ""), (b"REQUEST-----", "")):
        if mark in data:
            return kind
    if name.endswith((".conf", ".kubeconfig")):
        return "kubeconfig"
    return "key" if name.endswith(KEY_SUFFIXES) else "certificate"
