"""A host's tree: the files that its components read, and every other file that counts."""
from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from .defaults import layout_uses
from .inventory import HOSTS, TOPS, Inventory, ObservedFile, layout_there, passes_over, walk
from .tree import Tree
from .use import Use
from .uses import HostUses, read_host
from .whose import HOST_NAME
from ... import files
from ...kubernetes.components import COMPONENT_NAMES
from ...kubernetes.layouts import BOOTSTRAP, SIGNER, SSL, Layout, Place, get_layout
from ...kubernetes.profiles import get_profile
from ...kubernetes.purposes import PURPOSES

_SECRETS = re.compile(
    r".*(\.key|-key\.pem|\.key\.pem|conf(ig)?([-._].*)?|-kubeconfig\.yaml)(\.(bak|old|orig|save))?")
# the usual folders of a kubelet's configuration: if the caller may not read it, other files may be
# in use
TELLING = ("var/lib/kubelet/config.yaml", "var/lib/kubelet/kubelet-config.yaml",
           "var/lib/kubelet/kubeadm-flags.env",
           "etc/kubernetes/kubelet-config.yaml", "etc/kubernetes/kubelet.env",
           "etc/default/kubelet", "etc/sysconfig/kubelet")
_SHALLOWEST = 2     # folders below the root: above them, no folder is a folder of certificates


def inspect(root: str | os.PathLike[str], *, layout: str | None = None, node: str = "",
            given: Mapping[str, ObservedFile] | None = None) -> Inventory:
    """The files of a host under *root*: those that its components read, and those of the layout.

    *layout* is a name; None is the layout whose files exist. *node* is the name of the tree's node.
    *given* files replace files of the tree. Raises InputError for an unknown layout, FileError if
    *root* cannot be read.

    >>> inventory = kpki.inspect_host(host)
    >>> inventory.file("etc/kubernetes/pki/ca.crt").missing
    False
    """
    root = os.fspath(root)
    return inventory_of(root, read_host(root, given), layout=layout, node=node, given=given)


def is_host_tree(folder: str, host: HostUses) -> bool:
    """Whether a folder is a host's root; *host* is the result of `read_host`.

    It is, if the folder has a layout or a folder of Kubernetes, or if the host starts a component.
    `/` always is.
    """
    return (os.path.abspath(folder) == os.sep or layout_there(folder) is not None
            or any(files.read_entry(folder, top).kind != "missing" for top in TOPS)
            or bool(host.running))


def inventory_of(root: str, host: HostUses, *, layout: str | None = None, node: str = "",
                 given: Mapping[str, ObservedFile] | None = None) -> Inventory:
    """`inspect` for a tree, with the result of `read_host` in *host*."""
    tree = Tree(root, given, host.found)
    chosen = get_layout(layout) if layout else layout_there(root) or SSL
    chosen = chosen.as_found(node, tree.there)
    started = {running.component for running in host.running}
    uses = [*host.uses, *layout_uses(tree, chosen, started, {use.file for use in host.uses})]
    closed = list[str]()
    for path in [*TELLING, *(use.file for use in uses), *(path for path, _ in chosen.files()),
                 BOOTSTRAP, HOSTS, HOST_NAME, *_other_keys(tree, chosen, host, closed)]:
        tree.file(path, "")
    found = {**host.found, **tree.found}
    unread = tuple(
        dict.fromkeys([*(file.unread for file in found.values() if file.unread), *closed,
                       *host.closed]))
    files_of = {use.file for use in uses}
    hides = [path for path in unread if path not in files_of and not any(
        name.startswith(f"{path}/") and not found[name].there for name in files_of)]
    return Inventory(root, layout_of_settings(chosen, host.uses), found, running=host.running,
                     unread=unread, uncertain=frozenset(COMPONENT_NAMES if hides else ()),
                     uses=tuple(dict.fromkeys(uses)), outside=_once([*host.outside, *tree.outside]))


def _once(outside: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Each path with the first file that names the path."""
    return tuple({path: (source, path) for source, path in reversed([*outside])}.values())[::-1]


def layout_of_settings(layout: Layout, uses: Iterable[Use]) -> Layout:
    """A layout with the paths of the components' settings.

    If two components have different paths, each has a place. A path that a component reads stays.
    """
    uses = [*uses]
    if not uses:
        return layout
    read, places = {use.path for use in uses}, [*layout.places]
    trusted = {use.path for use in uses if use.part == "authority"}
    for number, place in enumerate(layout.places):
        paths = {part: [*dict.fromkeys(use.path for use in uses if use.source and not use.default
                                       and _is_of(use, place, part))] for part in _PARTS
                 if getattr(place, part)}
        # the signer's own file is no file of trusted CAs: that may become a bundle
        apart = {part: [path for path in found if place.only != SIGNER or path not in trusted]
                 for part, found in paths.items()}
        first = {part: own if (own := getattr(place, part)) in read or not found else found[0]
                 for part, found in apart.items()}
        places[number] = _at(place, first)
        for part, found in paths.items():
            if part != "kubeconfig" and get_profile(place.row).kind != "ca":
                continue
            for path in found:
                if not any(path in {*other.files()} for other in places):
                    other = _at(places[number], {part: path})
                    places.append(replace(other, only="") if path in trusted else other)
    return replace(layout, places=tuple(places)) if places != [*layout.places] else layout


_PARTS = ("certificate", "key", "kubeconfig")


def _at(place: Place, paths: Mapping[str, str]) -> Place:
    certificate, key, kubeconfig = (paths.get(part, "") for part in _PARTS)
    return replace(place, certificate=certificate, key=key, kubeconfig=kubeconfig)


def _is_of(use: Use, place: Place, part: str) -> bool:
    """Whether a use has the row of a place, and reads that part of the place's pair."""
    row = PURPOSES[use.purpose].row
    rows = (row, "kubelet") if row in ("kubelet-client", "kubelet-serving") else (row,)
    kubelets = use.component == "kubelet"
    if row == "ca" and use.part != "key" and kubelets != ("" in place.holders) \
        and place.row == "ca":
        return False
    parts = {"authority": "certificate", "public-key": "certificate"}
    return place.row in rows and parts.get(use.part, use.part) == part and "#" not in use.path


def _other_keys(tree: Tree, layout: Layout, host: HostUses, closed: list[str]) -> Iterator[str]:
    """The files beside certificates that look like private keys or kubeconfigs, by their names.

    Files that runs of kpki have left behind are among them. The folders that the caller may not
    list are added to *closed*.
    """
    paths = {path for path, _ in layout.files()} | {use.file for use in host.uses}
    folders = {folder for path in paths
               if (folder := posixpath.dirname(path)).count("/") >= _SHALLOWEST - 1}
    for top in _tops(folders):
        for name in walk(tree.root, top, closed, skip=passes_over, staged=True):
            last = posixpath.basename(name)
            if _SECRETS.fullmatch(last) or files.staged_for(last) is not None:
                yield f"{top}/{name}"


def _tops(folders: Iterable[str]) -> list[str]:
    """The folders that are in no other of the folders."""
    return [folder for folder in sorted(folders)
            if not any(folder.startswith(f"{other}/") for other in folders)]
