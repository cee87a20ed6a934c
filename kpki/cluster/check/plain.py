"""A folder of certificates that is no host's tree, or a single file: what each is by its name, else by its content."""
from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography.x509 import Certificate, Version

from ..desired.rows import Row
from ..finding import Finding
from ..observed.contents import read_certificates
from ..observed.inventory import PASSED_OVER, Found, Inventory, kubeconfig_of, look, named_path, root_of
from ..rules.old_host import check_rows, rows_of
from ..rules.judge import judge
from ..rules.judged import SECRET
from ..rules.context import WITHIN, RowContext
from ... import files, pem
from ...errors import FileError, InputError
from ...kubernetes import reading
from ...kubernetes.layouts import LAYOUTS, Layout, Place
from ...kubernetes.profiles import Identity, Profile
from ...kubernetes.reading import USAGE_OIDS

_CERTIFICATES, _KEYS = (".crt", ".pem", ".cer", ".der"), (".key", "-key.pem", ".key.pem")
# Names that many others use as well: alone they do not make a folder one of a layout's.
_COMMON = re.compile(r"(ca|server|peer|admin)(-key)?\.(crt|key|pem)|kubeconfig")
_KUBECONFIG = re.compile(rb"^[\"']?(clusters|users|contexts)[\"']?:", re.MULTILINE)
_JSON = re.compile(rb'\A\s*\{.*"(clusters|users|contexts)"\s*:', re.DOTALL)
_MOST = 1 << 20     # bytes of a file that nothing but its content speaks for


@dataclass(frozen=True, slots=True)
class Plain:
    """What was found in a folder: its *inventory*, whose layout has the rows that names stand for; and the *others*."""

    inventory: Inventory
    others: tuple[str, ...]


def inspect_plain(path: str) -> Plain:
    """Read a folder, all below it but what is put aside, or one file.

    Raises FileError for what cannot be listed or is not there, InputError for a folder with nothing to check.
    """
    closed = list[str]()
    entry = files.look_at(path) if path else files.Entry(path=path, kind="missing")
    if entry.kind == "missing":
        raise FileError(f"{path or repr(path)}: no such file or folder")
    if entry.kind == "folder":
        listed = files.walk(path, skip=_is_aside, closed=closed)
        root, names = path, [name for name, _ in listed if _may_matter(name)]
        found = {name: one for name in names if _matters(one := _look(root, name))}
    else:
        root, name = os.path.split(path)
        root = root or os.curdir
        found = {name: _look(root, name)}
    if not found and not closed:
        raise InputError(f"{path}: no certificate, key or kubeconfig is in it, and none of kpki's layouts",
                         hint="is it a host's root, with etc/kubernetes in it? Otherwise say --layout")
    layout = _layout_by_names(root, found)
    found = {path: one if path in {own for own, _ in layout.files()} else _in_pem(one) for path, one in found.items()}
    inventory = Inventory(root, layout, found)
    spoken = {path for path, _ in layout.files()}
    others = tuple(path for path in found if path not in spoken)
    found |= dict(_named_by(inventory, others))
    unread = dict.fromkeys((*(one.unread for one in found.values() if one.unread), *closed))
    return Plain(replace(inventory, found=found, unread=tuple(unread)), others)


def _look(root: str, name: str) -> Found:
    """One file of a folder; links are followed as on the host whose tree it lies in, else on this one."""
    return _looked(root, name, *root_of(os.path.join(root, name)))


def _looked(root: str, name: str, top: str, inner: str) -> Found:
    """A file *inner* of the tree *top*, as the file *name* of the folder *root*."""
    found = look(top, inner)
    return replace(found, path=name, unread=found.unread and (
        name if found.unread == inner else os.path.relpath(os.path.join(top, found.unread), root)))


def _in_pem(found: Found) -> Found:
    """A file in DER as PEM, as others read it as well; any other as it is."""
    data = found.data or b""
    if data[:1] != b"\x30":
        return found
    with suppress(InputError):
        return replace(found, data=pem.dump_certificate(pem.load_certificate(data, encoding="DER")))
    with suppress(InputError):
        return replace(found, data=pem.dump_key(pem.load_key(data, encoding="DER")))
    return found if found.path.endswith(_KEYS) else replace(found, data=pem.armour(data, "CERTIFICATE"))


def _is_aside(path: str) -> bool:
    name = posixpath.basename(path)
    return name in PASSED_OVER or name.startswith(".kpki")


def _may_matter(name: str) -> bool:
    """Whether a file could hold a certificate, a key or a kubeconfig, by its name."""
    ending = posixpath.splitext(name)[1].lower()
    return ending in ("", ".conf", ".config", ".kubeconfig", ".yaml", ".yml", ".json", ".key", ".pub", *_CERTIFICATES)


def _matters(found: Found) -> bool:
    """Whether a file is one of these, by its content; what its name alone says is believed of what cannot be read."""
    if found.unread or found.path.endswith((*_CERTIFICATES, *_KEYS)):
        return True
    data = found.data or b""
    return b"-----BEGIN " in data or _is_kubeconfig(data)


def _is_kubeconfig(data: bytes) -> bool:
    """Whether bytes look like a kubeconfig: a YAML or JSON document with its lists at the top."""
    return b"\0" not in data[:_MOST] and bool(_KUBECONFIG.search(data[:_MOST]) or _JSON.search(data[:_MOST]))


def _layout_by_names(root: str, found: Mapping[str, Found]) -> Layout:
    """The layout that a folder is a part of, by the names in it, with the places that are in that part."""
    best, most = Layout(name="", places=(), administrators="", source=""), 0
    top = os.path.abspath(root)
    for layout in LAYOUTS:
        for prefix in sorted({posixpath.dirname(path) for path, _ in layout.files()}):
            for folder in (prefix, posixpath.dirname(prefix)):
                names = {path.removeprefix(f"{folder}/") for path, _ in layout.files()
                         if path.startswith(f"{folder}/")} & found.keys()
                telling = [name for name in names if not _COMMON.fullmatch(posixpath.basename(name))]
                if len(names) > most and (telling or top.endswith(f"/{folder}")):
                    best, most = replace(layout, name="", places=tuple(_part(layout, folder, found))), len(names)
    return best


def _part(layout: Layout, folder: str, found: Mapping[str, Found]) -> Iterator[Place]:
    """The places of a layout that have a file in one of its folders, by their names there."""
    for place in layout.places:
        certificate, key, kubeconfig = (
            path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else ""
            for path in (place.certificate, place.key, place.kubeconfig))
        if {certificate, key, kubeconfig} & found.keys():
            single = len(found) == 1
            yield replace(place, certificate=certificate if not single or certificate in found else "",
                          key=key if not single or key in found else "",
                          kubeconfig=kubeconfig if kubeconfig in found else "")


def _named_by(inventory: Inventory, others: Sequence[str]) -> Iterator[tuple[str, Found]]:
    """The files that kubeconfigs name: from their own folder, or from the root of the tree that they lie in."""
    kubeconfigs = [place.kubeconfig for place in inventory.layout.places if place.kubeconfig] + [*others]
    for path in kubeconfigs:
        kubeconfig = kubeconfig_of(inventory.found, Place(row="", kubeconfig=path))
        for material in (kubeconfig.authority, kubeconfig.certificate, kubeconfig.key) if kubeconfig else ():
            if material.path:
                root, inner = root_of(os.path.join(inventory.root, path))
                named = named_path(path, material.path)
                yield named, _looked(inventory.root, named, root, named_path(inner, material.path))


def check_plain(plain: Plain, *, node: str, now: datetime, authorities: Sequence[Certificate] | None = None,
                within: timedelta = WITHIN) -> list[Finding]:
    """Everything that is wrong with the files of a folder, each by itself and with what belongs to it by its name.

    *node* is the node whose kubelet's they are ("": any), *authorities* the certificates of the CA that signed them,
    None: those that are there.
    """
    inventory, look_at = plain.inventory, plain.inventory.look
    spoken = replace(inventory, found={path: one for path, one in inventory.found.items() if path not in plain.others})
    findings = check_rows(rows_of(inventory.layout.places, inventory, node), spoken, node=node, now=now, worker=False,
                          authorities=authorities, within=within)
    hidden = any(look_at(path).unread and _kind(look_at(path)) == "certificate" for path in plain.others)
    signers = [one for path in plain.others for one in read_certificates(look_at(path), "")[0]
               if _is_authority(one) and not hidden]
    for row in _other_rows(plain):
        chain = read_certificates(look_at(row.place.certificate), "")[0] if row.place.certificate else []
        own = authorities if authorities is not None else [
            one for one in signers if chain and reading.is_named_issuer(one, chain[0])]
        by = RowContext(node="", now=now, within=within, sure=frozenset({"ca"} if authorities else ()),
                        authorities={"": own, "ca": authorities or ()} if own else {})
        findings += [one for one in judge(row, look_at, by).findings if one.cause != "encrypted-key"]
    return [*dict.fromkeys(findings)]


def _other_rows(plain: Plain) -> Iterator[Row]:
    """What the files are that no layout has a place for: pairs by their names, each of a profile that asks little."""
    found, done = plain.inventory.found, set[str]()
    for path in sorted(plain.others, key=lambda one: (_kind(found[one]) != "certificate", one)):
        kind = _kind(found[path])
        if path in done or not kind:
            continue
        chain = read_certificates(found[path], "")[0] if kind == "certificate" else []
        key = path if kind == "key" or SECRET in (found[path].data or b"") and kind == "certificate" else \
            next((one for one in _keys_of(path) if kind == "certificate" and one in plain.others), "")
        done |= {path, key}
        place = Place(row="", key=key, certificate=path if kind == "certificate" else "",
                      kubeconfig=path if kind == "kubeconfig" else "")
        usages = ("clientAuth",) if kind == "kubeconfig" else tuple(
            one for one in USAGE_OIDS if not chain or reading.usable_for(chain[0], one))
        authority = bool(chain) and _is_authority(chain[0])
        yield Row(host=None, place=place, identity=Identity(""), profile=Profile(
            name="", kind="ca" if authority else "leaf", signer=None if authority else "", usages=usages, source=""))


def _is_authority(certificate: Certificate) -> bool:
    """Whether a certificate is meant to sign others."""
    return reading.ca_fault(certificate) is None and (
        certificate.version is Version.v3 or reading.is_named_issuer(certificate, certificate))


def _keys_of(path: str) -> Iterator[str]:
    """What the key of a certificate is called."""
    stem, _ = posixpath.splitext(path)
    return (stem + ending for ending in _KEYS)


def _kind(found: Found) -> str:
    """What a file is: by its content, else by its name; "" for what there is nothing to say about."""
    data, name = found.data or b"", found.path
    if _is_kubeconfig(data):
        return "kubeconfig"
    for mark, kind in ((b"-----BEGIN CERTIFICATE-----", "certificate"), (SECRET, "key"),
                       (b"-----BEGIN PUBLIC KEY-----", ""), (b"REQUEST-----", "")):
        if mark in data:
            return kind
    if name.endswith((".conf", ".kubeconfig")):
        return "kubeconfig"
    return "key" if name.endswith(_KEYS) else "certificate"
