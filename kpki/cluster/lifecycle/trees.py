"""What a renewal reads of a workspace or host: the pairs, and the CAs whose keys are at hand."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .issued_pair import issued_pair
from ..authority import Authority, Passphrase, load_bundle
from ..authority_source import authority_with
from ..desired.rows import NODES_FOLDER, Row
from ..desired.token import is_in_token
from ..observed.alike import inspect_alike
from ..observed.contents import read_certificates
from ..observed.inventory import Inventory, require
from ..rules.facts import Pair, pairs_of, read_pair, signing_pairs_of, trust_files_of
from ..workspace import authority_paths, is_there, observe_workspace_file
from ... import files, pem
from ...errors import about
from ...kubernetes import reading
from ...kubernetes.kubeconfig import load_users
from ...kubernetes.layouts import NEXT, PREVIOUS, WORKSPACE, beside
from ...kubernetes.profiles import get_profile
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from ..desired.description import Cluster

CA_ROWS = ("ca", "etcd-ca", "front-proxy-ca")
_USERS, _KUBECONFIG = "users", ".conf"


def used_pairs(inventory: Inventory, rows: Sequence[Row] = (),
               authorities: Sequence[Authority] = ()) -> list[Pair]:
    """Each pair that components use, once: what a kubelet signs for itself is none of a CA's.

    A pair that one of *authorities* has issued for one of the host's *rows* takes less time.
    """
    signers = [authority.certificate for authority in authorities]
    pairs = {pair.path: pair for pair in pairs_of(
        inventory, lambda named: issued_pair(inventory, named, rows, signers))
             if pair.chain and not reading.is_named_issuer(pair.chain[0], pair.chain[0])}
    return [*pairs.values()]


def user_paths(folder: str) -> list[str]:
    """The paths of the kubeconfigs of a workspace's users."""
    there = files.read_entry(folder, _USERS).kind == "folder"
    names = sorted(files.list_names(os.path.join(folder, _USERS))) if there else []
    return [f"{_USERS}/{name}" for name in names if name.endswith(_KUBECONFIG)]


def read_users(folder: str) -> Inventory:
    """The kubeconfigs of a workspace's users. Raises AccessError for one that cannot be read."""
    found = [observe_workspace_file(folder, path) for path in user_paths(folder)]
    return require(Inventory(folder, WORKSPACE, {file.path: file for file in found},
                             tuple(file.unread for file in found if file.unread)))


def pairs_of_users(users: Inventory) -> list[Pair]:
    """The pairs that kubeconfigs of users embed; the row is the user's name, as the file has it."""
    pairs = []
    for path, file in users.found.items():
        name = os.path.basename(path).removesuffix(_KUBECONFIG)
        for user, material in load_users(file.data or b"").items():
            certificate, key = (file._replace(path=f"{path}#users/{user}", data=half.data)
                                for half in material)
            if certificate.data and key.data:
                pairs.append(read_pair(name, certificate, key))
    return [pair for pair in pairs if pair.chain]


def authorities_of_host(inventory: Inventory, passphrase: Passphrase,
                        named: Sequence[str] = ()) -> list[Authority]:
    """The CAs whose keys are *named* or lie on the host.

    Certificate and key are paired by the public key.
    """
    places = [place for place in inventory.layout.places if get_profile(place.row).kind == "ca"]
    signing = signing_pairs_of(inventory)
    known = [certificate for pair in signing for certificate in pair.chain]
    for file in trust_files_of(inventory):
        known += file.certificates
    for place in places:
        known += read_certificates(inventory.file(place.certificate), place.row)[0]
    keys = dict.fromkeys([*(place.key for place in places), *(pair.key_path for pair in signing)])
    given = [authority_with(key, known, passphrase) for key in named]
    found = (_authority(known, os.path.join(inventory.root, path), data, passphrase)
             for path in keys if path and (data := inventory.file(path).data))
    return [*given, *(authority for authority in found if authority)]


def authorities_of_workspace(cluster: Cluster, folder: str, passphrase: Passphrase,
                             named: Sequence[str] = ()) -> list[Authority]:
    """The CAs whose keys are *named* or in the workspace."""
    places = [authority_paths(cluster, folder, row) for row in CA_ROWS]
    known = {path: load_bundle(files.read(path)) for path, _ in places if is_there(path)}
    every = [ca for bundle in known.values() for ca in bundle]
    given = [authority_with(key, every, passphrase) for key in named]
    given += [authority_with(key, known[path], passphrase) for path, key in places
              if key and is_in_token(key) and path in known and not named]
    found = (_authority(known[path], key, files.read(key), passphrase)
             for path, key in places if key and path in known and is_there(key))
    return [*given, *(authority for authority in found if authority)]


def exchanged_authorities(folder: str) -> list[Certificate]:
    """The CAs of the workspace that do not sign while they are exchanged."""
    paths = (os.path.join(folder, beside(WORKSPACE.place(row).certificate, which))
             for row in CA_ROWS for which in (NEXT, PREVIOUS))
    return [certificate for path in paths if is_there(path)
            for certificate in load_bundle(files.read(path))]


def _authority(known: Sequence[Certificate], path: str, data: bytes,
               passphrase: Passphrase) -> Authority | None:
    """The CA of the private key in the file *path*; None if none of the certificates is for it."""
    with about(path):
        key = pem.load_key(data, passphrase([(path, data)]))
    public_key = public_key_der(key)
    bundle = pem.dump_certificates(dict.fromkeys(known))
    return next((Authority(certificate, key, bundle) for certificate in known
                 if reading.has_public_key(certificate, public_key)), None)


def processes_of(authorities: Sequence[Authority], most: int | None) -> int | None:
    """The most processes: a key in a token signs in the process that has opened the token."""
    from ...hsm import TokenEcKey, TokenRsaKey
    return 1 if any(isinstance(authority.key, TokenEcKey | TokenRsaKey)
                    for authority in authorities) else most


def read_tree(cluster: Cluster, folder: str, host: str) -> Inventory:
    """A host's tree in the workspace. Raises AccessError for a file that cannot be read."""
    return require(inspect_alike(tree_of(folder, host), cluster.layout, host))


def hosts_with_trees(cluster: Cluster, folder: str) -> list[str]:
    """The hosts of the description whose trees are in the workspace."""
    return [host.name for host in cluster.hosts if is_there(tree_of(folder, host.name))]


def tree_of(folder: str, host: str) -> str:
    """The path of a host's tree in the workspace."""
    return os.path.join(folder, NODES_FOLDER, host)
