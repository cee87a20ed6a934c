"""The node that a host's root belongs to."""
from __future__ import annotations

import posixpath
import re

from .inventory import Inventory, found_at, observe_file
from .uses import HostUses, read_host
from ..desired.rows import NODES_FOLDER
from ...errors import AccessError, FileError, InputError
from ...kubernetes import reading
from ...kubernetes.components import KUBELET_COMPONENT
from ...kubernetes.profiles import LONGEST_NAME, NODE_PREFIX, validate_node_name
from ...pem import load_certificate

# names that systemd does not set: is_localhost in src/basic/hostname-util.c
_LOCALHOST = re.compile(r"(.+\.)?localhost(\.localdomain)?")
HOST_NAME = "etc/hostname"     # hostname(5)


def owner_of(root: str, *, host_name: str, source: str = "", host: HostUses | None = None) -> str:
    """The name of the node that a root belongs to; "" if an unread file may tell the name.

    The first of these that exists: the kubelet's `--hostname-override`; for `/` this machine's
    *host_name*; the folder's own name under `nodes/`; the tree's etc/hostname; the name under
    `nodes/` of *source*, the tree to install. Names are in lower case, as the kubelet registers.
    *host* is the result of `read_host` for the tree, if known. Raises InputError if nothing tells
    the name.
    """
    name, sure = hostname_override(root, host)
    if name or not sure:
        return name
    if posixpath.abspath(root) == "/":
        return host_name.lower()
    if name := _folder_name(root):
        return name
    found = observe_file(root, HOST_NAME)
    lines = [line.strip() for line in (found.data or b"").decode("utf-8", "replace").splitlines()]
    name = next((line.lower() for line in lines if line and not line.startswith("#")), "")
    if _LOCALHOST.fullmatch(name):      # the machine gets its name from DHCP or the cloud
        name = ""
    if name or found.unread or (name := _folder_name(source)):
        return name
    raise InputError(f"{root}: whose tree is this?", hint="say --node NAME")


def _folder_name(path: str) -> str:
    """The name of a folder under `nodes/`, "" for any other."""
    trees, name = posixpath.split(posixpath.abspath(path))
    return name if path and posixpath.basename(trees) == NODES_FOLDER else ""


def certified_owner(inventory: Inventory) -> str:
    """The node in the kubelet's client certificate, "" if it cannot be read.

    The certificate may be another node's, so the name says nothing about the tree.
    """
    for use in inventory.uses:
        if use.purpose == "kubelet-client" and use.part == "certificate":
            try:
                certificate = load_certificate(found_at(inventory, use.path, use.part).data or b"")
                prefix, found, name = reading.certificate_subject(certificate).user.partition(
                    NODE_PREFIX)
                if found and not prefix:
                    return validate_node_name(name, longest=LONGEST_NAME)
            except InputError:
                continue
    return ""


def hostname_override(root: str, host: HostUses | None = None) -> tuple[str, bool]:
    """The node's name in the settings of a tree's kubelet, "" for none.

    The second value says whether the caller may read all files that may tell. A value that is no
    node's name, as a variable without a value, does not count. Raises InputError if the name is a
    command's output.
    """
    try:
        host = host or read_host(root)
    except AccessError:
        return "", False
    except FileError:
        return "", True     # there is no such folder
    used = {use.file for use in host.uses}
    sure = not host.closed \
        and not any(found.unread for path, found in host.found.items() if path not in used)
    kubelets = [running for running in host.of(KUBELET_COMPONENT.name)
                if "hostname-override" in running.origins]
    names = [value for running in kubelets if (value := running.value("hostname-override"))]
    if kubelets and not names:
        source = kubelets[0].origins["hostname-override"][1]
        raise InputError(f"{source}: no file tells the name in --hostname-override",
                         hint="say --node NAME")
    name = names[0] if names else ""
    try:
        return validate_node_name(name.strip().lower(), longest=LONGEST_NAME) if name else "", sure
    except InputError:
        return "", sure
