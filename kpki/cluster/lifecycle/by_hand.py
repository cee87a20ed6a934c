"""A renewal as openssl commands: what `kpki renew --explain` prints.

A renewal changes no key, no subject and no name, so the commands may run before it or after it.
The replaced files are saved first.
"""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from .renew import Renewal
from .tree_by_hand import SignerFiles, TreeCommands, new_authority, saved
from .trees import CA_ROWS, pairs_of_users, read_tree, read_users, used_pairs
from ..desired.rows import tree_prefix
from ..desired.token import is_in_token
from ..node.installation import HOST_BACKUP
from ..observed.hosts import inventory_of
from ..observed.inventory import require
from ..observed.uses import read_host
from ..rules.facts import Pair, signing_pairs_of, trust_files_of
from ..script.shell import NEEDS_PROVIDER
from ..workspace import BACKUP, authority_paths, is_there, read_cluster
from ... import files, pem
from ...errors import InputError
from ...kubernetes import reading
from ...kubernetes.profiles import get_profile
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class Renewed(NamedTuple):
    """A renewal that was done, and what a person said for it."""

    done: Renewal
    now: datetime
    new_key: bool = False
    """Whether each certificate got a new key."""
    keys: Sequence[str] = ()
    """The files of CAs' keys that are not in their places."""
    passin: str | None = None
    """The source of the keys' passphrases."""


def workspace_commands(folder: str, renewed: Renewed, *, host_name: str) -> Iterator[str]:
    """The commands that renew what was renewed in a workspace."""
    cluster, done = read_cluster(folder, host_name=host_name), renewed.done
    places = [(row, *authority_paths(cluster, folder, row)) for row in CA_ROWS]
    signers = [*_signers(((row, path, key or "") for row, path, key in places), renewed)]
    changed = [tree_prefix(step.host) + step.path for step in done.steps
               if step.action == "replace"]
    newest = _newest(renewed, signers, {os.path.join(folder, path) for path in changed})
    yield from _of_token(renewed)
    yield from saved(folder, changed, BACKUP)
    yield from _new_authorities(newest, renewed.now)
    for host in dict.fromkeys(step.host for step in done.steps):
        pairs = pairs_of_users(read_users(folder)) if host is None \
            else used_pairs(read_tree(cluster, folder, host))
        tree = TreeCommands(os.path.join(folder, tree_prefix(host)), signers, renewed.now)
        yield from _of_tree(tree, pairs, renewed, newest, host)


def host_commands(root: str, renewed: Renewed) -> Iterator[str]:
    """The commands that renew what was renewed on a host."""
    inventory = require(inventory_of(root, read_host(root)))
    places = [(place.row, place.certificate, place.key) for place in inventory.layout.places
              if get_profile(place.row).kind == "ca"]
    places += [(pair.row, pair.path, pair.key_path) for pair in signing_pairs_of(inventory)]
    places += [(file.row, file.path, "") for file in trust_files_of(inventory)
               if file.row and "#" not in file.path]
    signers = [*_signers(((row, os.path.join(root, path), key and os.path.join(root, key))
                          for row, path, key in dict.fromkeys(places)), renewed)]
    changed = [step.path for step in renewed.done.steps if step.action == "replace"]
    newest = _newest(renewed, signers, {os.path.join(root, path) for path in changed})
    yield from _of_token(renewed)
    yield from saved(root, changed, HOST_BACKUP)
    yield from _new_authorities(newest, renewed.now)
    yield from _of_tree(TreeCommands(root, signers, renewed.now), used_pairs(inventory), renewed,
                        newest, None)


def _of_token(renewed: Renewed) -> Iterator[str]:
    """A comment for what a key in a token has signed: there are no commands for it."""
    if any(map(is_in_token, renewed.keys)):
        yield f"{NEEDS_PROVIDER}; what it signs is left out here"


def _signers(places: Iterable[tuple[str, str, str]], renewed: Renewed) -> Iterator[SignerFiles]:
    """The CAs in files; of each place the row, the certificate and the key."""
    given = [(path, files.read(path)) for path in renewed.keys if not is_in_token(path)]
    for row, path, key in places:
        if not is_there(path):
            continue
        own = os.path.normpath(key) if key and is_there(key) else ""
        with suppress(InputError):      # a broken file has signed nothing
            for number, certificate in enumerate(pem.load_certificates(files.read(path)), 1):
                named = next((name for name, data in given if _is_of(data, certificate, own)), "")
                yield SignerFiles(row, certificate, os.path.normpath(path), number, named or own,
                                  renewed.passin)


def _is_of(key: bytes, certificate: Certificate, own: str) -> bool:
    """Whether a given key is a CA's; an encrypted key is, if no other key of the CA is there."""
    if pem.is_encrypted(key):
        return not own
    return reading.has_public_key(certificate, public_key_der(pem.load_key(key)))


class _Newest(NamedTuple):
    """A CA that was renewed, and whether its new certificate has been signed elsewhere."""

    signer: SignerFiles
    there: bool


def _newest(renewed: Renewed, signers: Sequence[SignerFiles],
            changed: Iterable[str]) -> dict[str, _Newest]:
    """The CAs that were renewed, by their rows.

    If an unchanged file has a CA's new certificate, the certificate has been signed elsewhere.
    """
    paths, found = {*map(os.path.normpath, changed)}, dict[str, _Newest]()
    for row in dict.fromkeys(step.row for step in renewed.done.steps if step.row in CA_ROWS):
        own = [signer for signer in signers if signer.row == row]
        new = [signer.certificate for signer in own if signer.path in paths]
        there = [signer for signer in own if signer.path not in paths
                 and (not new or signer.certificate in new)]
        signing = [signer for signer in own if signer.key_path]
        if there or signing:
            found[row] = _Newest((there or signing)[0], bool(there))
    return found


def _new_authorities(newest: Mapping[str, _Newest], now: datetime) -> Iterator[str]:
    """The commands that write the new certificate of each CA into a file of its own."""
    for row, (signer, there) in newest.items():
        cut, source = signer.reading()
        yield from cut
        yield f"openssl x509 -in {source} -out {new_authority(row)}" if there else (
            f"openssl x509 -in {source} -signkey {signer.key} -set_serial "
            f'"0x$(openssl rand -hex 16)" {signer.options(signer.certificate, now)} '
            f"-out {new_authority(row)}")


def _of_tree(tree: TreeCommands, pairs: Sequence[Pair], renewed: Renewed,
             newest: Mapping[str, _Newest], host: str | None) -> Iterator[str]:
    """The commands that write the files of one tree anew: the copies of CAs, then the leaves."""
    done = renewed.done
    changed = {step.path: step.row for step in done.steps if step.host == host}
    for path, row in changed.items():
        if row in newest:
            yield from tree.copies(path, row, newest[row].signer.certificate)
    reissued = {path for of, path in done.reissued if of == host}
    made = set[str]()
    for pair in pairs:
        row = changed.get(tree.real(pair.path.partition("#")[0]), CA_ROWS[0])
        if row not in CA_ROWS or pair.path in reissued:
            yield from tree.leaf(pair, made if renewed.new_key else None)
