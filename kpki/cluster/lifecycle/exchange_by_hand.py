"""A phase of an exchange as openssl commands: what `kpki rotate --explain` prints.

The commands are for the files as they were before the phase.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from .edits import embedded_data
from .exchange import Exchange, Member
from .exchange_status import Fleet, inventory_in, users_in
from .host_exchange import (
    PhaseTarget,
    changed_data,
    read_seen,
    signer_files,
    signing_paths,
    verifying_paths,
)
from .tree_by_hand import CA_FILE, CERTIFICATE_LABEL, KEY_LABEL, NEW_FILE, SignerFiles, TreeCommands
from ..authority import key_algorithm, signing_digest
from ..desired.rows import tree_prefix
from ..observed.inventory import Inventory
from ..script.shell import make_key, passin_option, pem_block
from ..workspace import is_there
from ... import pem
from ...kubernetes.layouts import NEXT, PREVIOUS
from ...kubernetes.profiles import ca_extensions, get_profile

if TYPE_CHECKING:
    from ..authority import Key

_DAY = timedelta(days=1)
_PUBLIC = "PUBLIC KEY"


def phase_commands(fleet: Fleet, target: PhaseTarget, phase: int,
                   passin: str | None) -> Iterator[str]:
    """The commands that do a phase by hand in a workspace and the trees of its hosts.

    *passin* is the source of the passphrase of CAs' keys.
    """
    commands = _PhaseCommands(fleet, target, phase, {}, passin)
    yield from commands.of_workspace()
    yield from commands.of_tree(users_in(fleet.folder), None)
    for host in fleet.hosts:
        yield from commands.of_tree(inventory_in(fleet, host), host)
    yield from commands.last()


class _PhaseCommands(NamedTuple):
    """One phase, and where its CAs or keys lie."""

    fleet: Fleet
    target: PhaseTarget
    phase: int
    alone: dict[Member, str]
    """The files that hold one CA, or one public key, alone."""
    passin: str | None
    """The source of the passphrase of CAs' keys."""

    @property
    def exchange(self) -> Exchange:
        return self.fleet.exchange

    @property
    def kind(self) -> str:
        """The kind of the PEM blocks that verifiers read."""
        return CERTIFICATE_LABEL if self.exchange.of_ca else _PUBLIC

    def place(self, path: str) -> str:
        """The path of a file of the workspace, from here."""
        return os.path.normpath(os.path.join(self.fleet.folder, path))

    def word(self, path: str) -> str:
        """A file of the workspace, for the shell."""
        return quote(self.place(path))

    def is_there(self, path: str) -> bool:
        return is_there(os.path.join(self.fleet.folder, path))

    def of_workspace(self) -> Iterator[str]:
        """The commands for the workspace's own pair, and for the pair beside it."""
        exchange, place = self.exchange, self.exchange.place
        if exchange.new is None:
            return
        early = self.phase < 2
        beside, member = (NEXT, exchange.new) if early else (PREVIOUS, exchange.old)
        public, key = exchange.other(beside)
        left = exchange.other(PREVIOUS if early else NEXT)
        turns = self.target.signer.anchor != exchange.signer.anchor
        if turns and member.key_pem is not None:
            yield f"mv {self.word(place.key)} {self.word(key)}"
        if turns and not self.is_there(public):
            yield f"{self._cut(member, exchange.data)} > {self.word(public)}"
            yield f"chmod 644 {self.word(public)}"
        elif not self.is_there(public):
            yield from self._made(member, self.word(public), key)
        if turns:
            yield f"mv {self.word(left[1])} {self.word(place.key)}"
        if any(map(self.is_there, left)) and (turns or early):
            yield f"rm -f {' '.join(map(self.word, left))}"
        self.alone[member] = self.place(public)
        if self.target.bundles:
            yield from self._bundle(TreeCommands(self.fleet.folder, (), self.fleet.now),
                                    place.certificate, exchange.data)

    def last(self) -> Iterator[str]:
        """The commands that remove the new pair after the way back to the beginning."""
        if self.phase == 0:
            yield f"rm -f {' '.join(map(self.word, self.exchange.other(NEXT)))}"

    def _made(self, new: Member, public: str, key_path: str) -> Iterator[str]:
        """The commands that make the new CA, or the new key."""
        key, old = self.word(key_path), self.exchange.old
        own = _public_key(new)
        if not self.is_there(key_path):
            algorithm = key_algorithm(own) or "ECDSA-P256"
            if old.key_pem is not None and pem.is_encrypted(old.key_pem):
                yield make_key(algorithm, NEW_FILE).rstrip()
                yield (f"openssl pkcs8 -topk8 -in {NEW_FILE}"
                       f"{passin_option(self.passin, '-passout')} -out {key}")
            else:
                yield make_key(algorithm, key).rstrip()
        if new.certificate is None:
            yield f"openssl pkey -in {key} -pubout -out {public}"
        else:
            subject = new.anchor.subject.removeprefix("CN=")
            profile = replace(get_profile(self.exchange.row), common_name=subject)
            extensions = " ".join(f"-addext {quote(f'{name}={value}')}" for name, value in (
                *ca_extensions(profile), ("subjectKeyIdentifier", "hash")))
            days = self.fleet.cluster.ca_validity // _DAY
            yield (f"openssl req -x509 -new -config /dev/null -key {key}"
                   f"{passin_option(self.passin)} -subj {quote(f'/CN={subject}')} -days {days} "
                   f"-{signing_digest(own)} {extensions} -out {public}")
        yield f"chmod 644 {public}"

    def _cut(self, member: Member, data: bytes) -> str:
        """The command that prints one block of the workspace's own file."""
        ders = [block.der for block in pem.blocks(data) if block.label.endswith(self.kind)]
        number = ders.index(next(pem.blocks(member.public)).der) + 1
        return pem_block(self.word(self.exchange.place.certificate), number, f".*{self.kind}")

    def _set_apart(self, member: Member) -> Iterator[str]:
        """The command that writes a CA, or a public key, into a file of its own."""
        if member not in self.alone:
            self.alone[member] = CA_FILE     # the other member has a file of its own
            yield (f"{self._cut(member, changed_data(self.exchange, self.target, self.fleet.now))} "
                   f"> {CA_FILE}")

    def _bundle(self, tree: TreeCommands, path: str, data: bytes) -> Iterator[str]:
        """The commands that give a file of CAs, or of public keys, what all shall trust."""
        new = [block.armour for block in pem.blocks(changed_data(
            self.exchange._replace(data=data), self.target, self.fleet.now))
            if block.label.endswith(self.kind)]
        dropped = list[int]()
        for number, block in enumerate((block for block in pem.blocks(data)
                                        if block.label.endswith(self.kind)), 1):
            if block.armour in new:
                new.remove(block.armour)
            else:
                dropped.append(number)
        added = [member for member in self.target.adds
                 if next(pem.blocks(member.public)).armour in new]
        for member in added:
            yield from self._set_apart(member)
        if dropped or added:
            yield from tree.blocks(path, self.kind, dropped,
                                   [quote(self.alone[member]) for member in added],
                                   ended=data.endswith(b"\n"))

    def of_tree(self, inventory: Inventory, host: str | None) -> Iterator[str]:
        """The commands for the files of a host, or of the workspace's users."""
        tree = TreeCommands(os.path.join(self.fleet.folder, tree_prefix(host)), (), self.fleet.now)
        yield from self._of_authority(tree, inventory) if self.exchange.of_ca \
            else self._of_tokens(tree, inventory)

    def _of_authority(self, tree: TreeCommands, inventory: Inventory) -> Iterator[str]:
        exchange, target = self.exchange, self.target
        seen, signer = read_seen(exchange, inventory), target.signer
        others = exchange.anchors - {signer.anchor}
        if target.bundles:
            yield from self._bundles(tree, inventory, dict.fromkeys(
                file.path for file in seen.files if file.certificates))
            for pair, anchor in seen.pairs:
                if anchor in others and target.authority:
                    ca = target.authority.certificate
                    yield from self._set_apart(signer)
                    days = min(self.fleet.cluster.validity,
                               ca.not_valid_after_utc - self.fleet.now) // _DAY
                    files = SignerFiles(exchange.row, ca, self.alone[signer], 1,
                                        self.place(exchange.place.key), self.passin)
                    yield from tree.signed(
                        pair, files, f"-days {days} -{signing_digest(ca.public_key())}",
                        identified=True)
            yield from self._keys(tree, [path for path, anchor in seen.keys if anchor in others])
        for file in signer_files(exchange, inventory, target, seen.files, seen.keys):
            yield from self._set_apart(signer)
            word = quote(tree.file(file.path))
            yield f"cp {quote(self.alone[signer])} {word}"
            yield f"chmod 644 {word}"

    def _bundles(self, tree: TreeCommands, inventory: Inventory,
                 paths: dict[str, None]) -> Iterator[str]:
        done = set[tuple[str, str]]()
        for path in paths:
            name, _, entry = path.partition("#")
            data = inventory.file(name).data or b""
            if entry:
                data = embedded_data(data, entry, secret=False)
            place = tree.real(name), entry
            if place not in done:
                done.add(place)
                yield from self._bundle(tree, path, data)

    def _keys(self, tree: TreeCommands, paths: list[str]) -> Iterator[str]:
        """The commands that put the signer's key into the place of the other key."""
        for path in paths:
            yield (f"openssl pkey -traditional -in {self.word(self.exchange.place.key)}"
                   f"{passin_option(self.passin)} -out {NEW_FILE}")
            yield from tree.put(path, "", KEY_LABEL)

    def _of_tokens(self, tree: TreeCommands, inventory: Inventory) -> Iterator[str]:
        yield from self._bundles(tree, inventory, dict.fromkeys(verifying_paths(inventory)))
        if self.target.key is not None:
            yield from self._keys(tree, signing_paths(self.exchange, inventory, self.target))


def _public_key(member: Member) -> Key:
    return member.certificate.public_key() if member.certificate \
        else pem.load_public_key(member.public)
