"""The files of a folder that may be certificates, keys or kubeconfigs, by name and content."""
from __future__ import annotations

import os
import posixpath
import re

from .inventory import PASSED_OVER, ObservedFile, observe_file, root_of

CERTIFICATES, KEY_SUFFIXES = (".crt", ".pem", ".cer", ".der"), (".key", "-key.pem", ".key.pem")
_OTHERS = ("", ".conf", ".config", ".kubeconfig", ".yaml", ".yml", ".json", ".key", ".pub")
_KUBECONFIG = re.compile(rb"^[\"']?(clusters|users|contexts)[\"']?:", re.MULTILINE)
_JSON = re.compile(rb'\A\s*\{.*"(clusters|users|contexts)"\s*:', re.DOTALL)
_MOST = 1 << 20     # the largest file, in bytes, that is found by its content alone


def is_aside(path: str) -> bool:
    """Whether a file or folder is skipped: a backup, a staging file, a folder for pods."""
    name = posixpath.basename(path)
    return name in PASSED_OVER or name.startswith(".kpki")


def may_matter(path: str) -> bool:
    """Whether a file could be a certificate, a key or a kubeconfig, by its name."""
    return posixpath.splitext(path)[1].lower() in (*_OTHERS, *CERTIFICATES)


def is_kubeconfig(data: bytes) -> bool:
    """Whether bytes look like a kubeconfig: a YAML or JSON document with its lists at the top."""
    start = data[:_MOST]
    return b"\0" not in start and bool(_KUBECONFIG.search(start) or _JSON.search(start))


def observe_in_folder(folder: str, name: str) -> ObservedFile:
    """The file *name* of a folder.

    Links are followed as on the host whose tree the folder is in; outside of a tree, as on this
    host.
    """
    return observe_in(folder, name, *root_of(os.path.join(folder, name)))


def observe_in(folder: str, name: str, root: str, path: str) -> ObservedFile:
    """The file *path* of the tree under *root*, as the file *name* of a folder."""
    found = observe_file(root, path)
    unread = found.unread and (name if found.unread == path
                               else os.path.relpath(os.path.join(root, found.unread), folder))
    return found._replace(path=name, unread=unread)
