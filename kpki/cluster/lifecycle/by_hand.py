"""A renewal as openssl commands: what `kpki renew --explain` prints.

A renewal changes no key, no subject and no name, so the commands may run before it or after it.
"""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from .authority_renewal import is_of
from .edits import embedded_data
from .renew import Renewal
from .trees import CA_ROWS, pairs_of_users, read_tree, read_users, used_pairs
from ..authority import leaf_algorithm, signing_digest
from ..desired.rows import tree_prefix
from ..observed.hosts import inventory_of
from ..observed.inventory import require
from ..observed.search import is_kubeconfig
from ..observed.uses import read_host
from ..rules.facts import Pair, signing_pairs_of
from ..script.shell import make_key
from ..workspace import authority_paths, is_there, read_cluster
from ... import files, pem
from ...errors import InputError
from ...kubernetes import reading
from ...kubernetes.kubeconfig import embedded_certificates
from ...kubernetes.kubeconfig_lines import DataLine, find_data
from ...kubernetes.profiles import get_profile
from ...stages import der
from ...stages.extensions.identifiers import AUTHORITY_KEY_IDENTIFIER, SUBJECT_KEY_IDENTIFIER

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_DAY = timedelta(days=1)
KEY, CERTIFICATE = "PRIVATE KEY", "CERTIFICATE"
_KEYID, _SERIAL = 0x80, 0x82    # of an authority key identifier (RFC 5280 §4.2.1.1)
# A block of a file becomes the block in renewed.pem; the result is in renewed.file.
_PUT = (r"""awk 'NR == FNR {new = new $0 "\n"; next} /-BEGIN .*KIND-/ && ++n == NUMBER """
        r"""{printf "%s", new; old = 1} !old; /-END .*KIND-/ {old = 0}' renewed.pem SOURCE """
        "> renewed.file")


class SignerFiles(NamedTuple):
    """A CA whose certificate and key are in files."""

    row: str
    certificate: Certificate
    path: str
    number: int
    """The place of the certificate in its file."""
    key_path: str

    def reading(self) -> tuple[list[str], str]:
        """The command that cuts the certificate out of a bundle, if any; the certificate's file."""
        if self.number == 1:
            return [], quote(self.path)
        return [f"awk '/-BEGIN CERTIFICATE-/ {{n++}} n == {self.number}' {quote(self.path)} "
                "> renewed.ca"], "renewed.ca"

    def options(self, certificate: Certificate, now: datetime) -> str:
        """The dates and the hash of a new certificate, as long as *certificate* from *now*."""
        left = certificate.not_valid_after_utc - now
        ends = certificate != self.certificate \
            and certificate.not_valid_after_utc == self.certificate.not_valid_after_utc
        days = left // _DAY if ends else round(left / _DAY)     # never past the CA's end
        return f"-days {days} -{signing_digest(self.certificate.public_key())}"


def workspace_commands(folder: str, done: Renewal, *, host_name: str, new_key: bool,
                       now: datetime) -> Iterator[str]:
    """The commands that renew what was renewed in a workspace at *now*."""
    cluster = read_cluster(folder, host_name=host_name)
    places = [(row, *authority_paths(cluster, folder, row)) for row in CA_ROWS]
    signers = [*_signers((row, path, key or "") for row, path, key in places)]
    yield from _new_authorities(done, signers, now)
    for host in dict.fromkeys(step.host for step in done.steps):
        pairs = pairs_of_users(read_users(folder)) if host is None \
            else used_pairs(read_tree(cluster, folder, host))
        tree = TreeCommands(os.path.join(folder, tree_prefix(host)), signers, now)
        yield from _of_tree(tree, pairs, done, host, new_key=new_key)
    yield LAST


def host_commands(root: str, done: Renewal, *, new_key: bool, now: datetime) -> Iterator[str]:
    """The commands that renew what was renewed on a host at *now*."""
    inventory = require(inventory_of(root, read_host(root)))
    places = [(place.row, place.certificate, place.key) for place in inventory.layout.places
              if get_profile(place.row).kind == "ca"]
    places += [(pair.row, pair.path, pair.key_path) for pair in signing_pairs_of(inventory)]
    signers = [*_signers((row, os.path.join(root, path), key and os.path.join(root, key))
                         for row, path, key in dict.fromkeys(places))]
    yield from _new_authorities(done, signers, now)
    yield from _of_tree(TreeCommands(root, signers, now), used_pairs(inventory), done, None,
                        new_key=new_key)
    yield LAST


LAST = "rm -f renewed.*"


def _signers(places: Iterable[tuple[str, str, str]]) -> Iterator[SignerFiles]:
    """The CAs with a key in a file; of each place the row, the certificate and the key."""
    for row, path, key in places:
        if not (key and is_there(path) and is_there(key)):
            continue
        with suppress(InputError):      # a broken file has signed nothing
            for number, certificate in enumerate(pem.load_certificates(files.read(path)), 1):
                yield SignerFiles(row, certificate, os.path.normpath(path), number,
                              os.path.normpath(key))


def _new_authorities(done: Renewal, signers: Sequence[SignerFiles], now: datetime) -> Iterator[str]:
    """The commands that sign the renewed CAs anew, each into a file of its own."""
    yield "umask 077"
    for row in dict.fromkeys(step.row for step in done.steps if step.row in CA_ROWS):
        signer = next((signer for signer in signers if signer.row == row), None)
        if signer:      # else another host has signed the CA's new certificate
            cut, source = signer.reading()
            yield from cut
            yield (f"openssl x509 -in {source} -signkey {quote(signer.key_path)} -set_serial "
                   f'"0x$(openssl rand -hex 16)" {signer.options(signer.certificate, now)} '
                   f"-out renewed.{row}")


def _of_tree(tree: TreeCommands, pairs: Sequence[Pair], done: Renewal, host: str | None, *,
             new_key: bool) -> Iterator[str]:
    """The commands that write the files of one tree anew: the copies of CAs, then the leaves."""
    changed = {step.path: step.row for step in done.steps if step.host == host}
    for path, row in changed.items():
        if row in CA_ROWS:
            yield from tree.copies(path, row)
    reissued = {path for of, path in done.reissued if of == host}
    made = set[str]()
    for pair in pairs:
        row = changed.get(tree.real(pair.path.partition("#")[0]), CA_ROWS[0])
        if row not in CA_ROWS or pair.path in reissued:
            yield from tree.leaf(pair, made if new_key else None)


class TreeCommands(NamedTuple):
    """The files of a host, or of a workspace itself, and the CAs that sign for it."""

    root: str
    signers: Sequence[SignerFiles]
    now: datetime

    def real(self, path: str) -> str:
        """The file to which the links of a path lead, relative to the tree."""
        top = os.path.abspath(self.root)
        return os.path.relpath(files.resolve(top, path), top)

    def file(self, path: str) -> str:
        """The path of a file, from here."""
        return os.path.normpath(os.path.join(self.root, self.real(path)))

    def copies(self, path: str, row: str) -> Iterator[str]:
        """The commands that put a renewed CA into the place of each of its copies in a file."""
        new = next((signer.certificate for signer in self.signers if signer.row == row), None)
        data = files.read(self.file(path))
        if new is None:
            return
        entries = embedded_certificates(data) if is_kubeconfig(data) else [("", data)]
        yield f"cp renewed.{row} renewed.pem"
        for entry, content in entries:
            for number, certificate in enumerate(pem.load_certificates(content), 1):
                if is_of(certificate, new):
                    yield from self.put(path, entry, CERTIFICATE, number)

    def leaf(self, pair: Pair, made: set[str] | None) -> Iterator[str]:
        """The commands that sign a leaf anew; *made* has the new keys, None if keys stay."""
        leaf = pair.chain[0]
        signer = next((signer for signer in self.signers
                       if reading.is_signed_by(leaf, signer.certificate)), None)
        if signer is None or not pair.key_path:
            return
        if made is not None and pair.key and pair.key_path not in made:
            made.add(pair.key_path)
            yield make_key(leaf_algorithm(pair.key), "renewed.pem").rstrip()
            yield from self.put(*_parted(pair.key_path), KEY)
        yield from self.signed(pair, signer, signer.options(leaf, self.now))

    def signed(self, pair: Pair, signer: SignerFiles, options: str, *,
               identified: bool = False) -> Iterator[str]:
        """The commands by which *signer* signs a leaf anew.

        *identified*: the certificate gets an authority key identifier even if the old has none.
        """
        before, certificate = self.reading(pair.path, CERTIFICATE, "renewed.old")
        and_key, key = self.reading(pair.key_path or "", KEY, "renewed.key")
        cut, ca = signer.reading()
        yield from (*before, *and_key, *cut)
        yield (f"openssl x509 -x509toreq -in {certificate} -key {key} -copy_extensions copyall "
               "-out renewed.csr")
        identifiers = _identifiers(pair.chain[0], identified=identified)
        if identifiers:
            yield f"printf '%s\\n' {' '.join(identifiers)} > renewed.ext"
        yield (f"openssl x509 -req -in renewed.csr -CA {ca} -CAkey {quote(signer.key_path)} "
               f"{options} -copy_extensions copyall "
               f"{'-extfile renewed.ext ' * bool(identifiers)}-out renewed.pem")
        yield from self.put(*_parted(pair.path), CERTIFICATE)

    def reading(self, path: str, kind: str, target: str) -> tuple[list[str], str]:
        """The command that writes the data of a kubeconfig to *target*, and the file to read."""
        name, entry = _parted(path)
        word = quote(self.file(name))
        if not entry:
            return [], word
        line = self._line(name, entry, kind)
        return [f"sed -n {line.expression} {word} | openssl base64 -d -A > {target}"], target

    def put(self, path: str, entry: str, kind: str, number: int = 1) -> Iterator[str]:
        """The commands that put renewed.pem into the place of a block of a file."""
        word = quote(self.file(path))
        if entry:
            line, source = self._line(path, entry, kind), "renewed.pem"
            if len([*pem.blocks(line.data)]) > 1:
                before, old = self.reading(f"{path}#{entry}", kind, "renewed.old")
                yield from (*before, _put(kind, number, old))
                source = "renewed.file"
            yield self._embed(line, source, word)
        elif not [*pem.blocks(data := files.read(self.file(path)))]:
            verb = "pkey" if kind == KEY else "x509"
            yield f"openssl {verb} -in renewed.pem -outform DER -out {word}"
        elif len([*pem.blocks(data)]) == 1:
            yield f"cp renewed.pem {word}"
        else:
            yield _put(kind, number, word)
            yield f"cp renewed.file {word}"

    def blocks(self, path: str, kind: str, dropped: Sequence[int], added: Sequence[str], *,
               ended: bool) -> Iterator[str]:
        """The commands that drop blocks, by their numbers, from a file and add files' blocks.

        *ended*: the file's last line has a line end.
        """
        name, entry = _parted(path)
        before, source = self.reading(path, kind, "renewed.old")
        yield from before
        parts = []
        if dropped:
            numbers = " || ".join(f"n == {number}" for number in dropped)
            parts.append(f"awk '/-BEGIN .*{kind}-/ {{n++; old = {numbers}}} !old; "
                         f"/-END .*{kind}-/ {{old = 0}}' {source}")
        if added:
            join, first = "cat" if ended else "awk 1", "-" if parts else source
            parts.append(f"{join} {first} {' '.join(added)}")
        yield f"{' | '.join(parts)} > renewed.file"
        word = quote(self.file(name))
        yield self._embed(self._line(name, entry, kind), "renewed.file", word) if entry \
            else f"cp renewed.file {word}"

    @staticmethod
    def _embed(line: DataLine, source: str, word: str) -> str:
        """The command that puts a file into a kubeconfig; no argument holds the data of a key."""
        return (f"{{ printf %s '{line.number}s|{line.pattern}|\\1'; "
                f"openssl base64 -A -in {source}; echo '|'; }} | sed -i -f /dev/stdin {word}")

    def _line(self, path: str, entry: str, kind: str) -> DataLine:
        """The line with an entry's data in a kubeconfig."""
        text = files.read(self.file(path))
        field = "client-key" if kind == KEY else "client-certificate" \
            if entry.startswith("users/") else "certificate-authority"
        return find_data(text, embedded_data(text, entry, secret=kind == KEY), field)


def _parted(path: str) -> tuple[str, str]:
    name, _, entry = path.partition("#")
    return name, entry


def _put(kind: str, number: int, source: str) -> str:
    return _PUT.replace("KIND", kind).replace("NUMBER", str(number)).replace("SOURCE", source)


def _identifiers(leaf: Certificate, *, identified: bool) -> list[str]:
    """The key identifiers of a certificate in openssl's words; none if they are `x509 -req`'s."""
    present = {item.oid: item for item in reading.extensions_of(leaf)}
    own, other = (present.get(oid) for oid in (SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER))
    parts = {der.tag_of(part) for part in der.items(der.content_of(other.value))} if other else ()
    names = ["keyid:always"] * (_KEYID in parts) + ["issuer:always"] * (_SERIAL in parts)
    if identified and present and not other:
        names = ["keyid:always"]
    if own and names == ["keyid:always"]:
        return []
    return [f"subjectKeyIdentifier={'hash' if own else 'none'}",
            f"authorityKeyIdentifier={','.join(names) or 'none'}"]
