"""The files of a host's tree, or of a workspace, changed by openssl commands."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from .authority_renewal import is_of
from .edits import embedded_data, stored_name
from ..authority import leaf_algorithm, signing_digest
from ..node.placing import BY_HAND, backup_folder
from ..observed.search import is_kubeconfig
from ..rules.facts import Pair
from ..script.shell import make_key, passin_option, pem_block
from ... import files, pem
from ...kubernetes import reading
from ...kubernetes.kubeconfig import embedded_certificates
from ...kubernetes.kubeconfig_lines import DataLine, find_data
from ...stages import der
from ...stages.extensions.identifiers import AUTHORITY_KEY_IDENTIFIER, SUBJECT_KEY_IDENTIFIER

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_DAY = timedelta(days=1)
KEY_LABEL, CERTIFICATE_LABEL = "PRIVATE KEY", "CERTIFICATE"
_KEYID, _SERIAL = 0x80, 0x82    # of an authority key identifier (RFC 5280 §4.2.1.1)
NEW_FILE, OLD_FILE, EDITED_FILE, CA_FILE = (
    f"{BY_HAND}/{name}" for name in ("new.pem", "old.pem", "file", "ca.pem"))
_OLD_KEY, _CSR, _EXTENSIONS = (f"{BY_HAND}/{name}" for name in (
    "old-key.pem", "request.csr", "extensions"))
# A block of a file becomes the block in NEW; the result is in FILE.
_PUT = (r"""awk 'NR == FNR {new = new $0 "\n"; next} /-BEGIN .*KIND-/ && ++n == NUMBER """
        r"""{printf "%s", new; old = 1} !old; /-END .*KIND-/ {old = 0}' """
        f"{NEW_FILE} SOURCE > {EDITED_FILE}")


class SignerFiles(NamedTuple):
    """A CA whose certificate is in a file, and its key too, or the key is elsewhere."""

    row: str
    certificate: Certificate
    path: str
    number: int
    """The place of the certificate in its file."""
    key_path: str
    """The file of the key, "" if the key is elsewhere."""
    passin: str | None = None
    """The source of the key's passphrase."""

    def reading(self) -> tuple[list[str], str]:
        """The command that cuts the certificate out of a bundle, if any; the certificate's file."""
        if self.number == 1:
            return [], quote(self.path)
        return [f"{pem_block(quote(self.path), self.number)} > {CA_FILE}"], CA_FILE

    @property
    def key(self) -> str:
        """The file of the key, as a word, and openssl's option for its passphrase."""
        return quote(self.key_path) + passin_option(self.passin)

    def options(self, certificate: Certificate, now: datetime) -> str:
        """The dates and the hash of a new certificate, as long as *certificate* from *now*."""
        left = certificate.not_valid_after_utc - now
        ends = certificate != self.certificate \
            and certificate.not_valid_after_utc == self.certificate.not_valid_after_utc
        days = left // _DAY if ends else round(left / _DAY)     # never past the CA's end
        return f"-days {days} -{signing_digest(self.certificate.public_key())}"


def new_authority(row: str) -> str:
    """The file of a CA's new certificate."""
    return f"{BY_HAND}/new-{row}.pem"


def saved(root: str, paths: Sequence[str], backup: str) -> Iterator[str]:
    """The commands that save the files that others write anew in a new folder of *backup*."""
    if not paths:
        return
    yield from backup_folder(root, backup)
    yield f"tar -C {quote(root)} -c \\"
    yield from (f"    {quote(path)} \\" for path in dict.fromkeys(paths))
    yield '    | tar -C "$backup" -xp'


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

    def word(self, path: str) -> str:
        """A file for the shell; in a kubelet's store the newest, whichever this is by then."""
        if not self.stored(path):
            return quote(self.file(path))
        link = self._link(path)
        return f'{quote(os.path.dirname(link))}/"$(basename "$(readlink {quote(link)})")"'

    def stored(self, path: str) -> str:
        """The name of the new file if a path is the link of a kubelet's store, else ""."""
        is_link = files.read_entry(self.root, path).target is not None
        return stored_name(os.path.basename(path), self.now) if is_link else ""

    def write(self, source: str, path: str) -> Iterator[str]:
        """The commands that give a file the content of *source*."""
        name, link = self.stored(path), self._link(path)
        if not name:
            yield f"cp {source} {self.word(path)}"
            return
        yield f"cp {source} {quote(os.path.join(os.path.dirname(link), name))}"
        yield f"ln -sfn {name} {quote(link)}"

    def _link(self, path: str) -> str:
        """The path of a link itself, from here."""
        folder, name = os.path.split(path)
        return os.path.normpath(os.path.join(self.root, self.real(folder), name))

    def copies(self, path: str, row: str, new: Certificate) -> Iterator[str]:
        """The commands that put a renewed CA into the place of each of its copies in a file."""
        data = files.read(self.file(path))
        entries = embedded_certificates(data) if is_kubeconfig(data) else [("", data)]
        yield f"cp {new_authority(row)} {NEW_FILE}"
        for entry, content in entries:
            for number, certificate in enumerate(pem.load_certificates(content), 1):
                if is_of(certificate, new):
                    yield from self.put(path, entry, CERTIFICATE_LABEL, number)

    def leaf(self, pair: Pair, made: set[str] | None) -> Iterator[str]:
        """The commands that sign a leaf anew; *made* has the new keys, None if keys stay."""
        leaf = pair.chain[0]
        signer = next((signer for signer in self.signers if signer.key_path
                       and reading.is_signed_by(leaf, signer.certificate)), None)
        if signer is None or not pair.key_path:
            return
        if made is not None and pair.key and pair.key_path not in made:
            made.add(pair.key_path)
            yield make_key(leaf_algorithm(pair.key), NEW_FILE).rstrip()
            yield from self.put(*_parted(pair.key_path), KEY_LABEL)
        yield from self.signed(pair, signer, signer.options(leaf, self.now))

    def signed(self, pair: Pair, signer: SignerFiles, options: str, *,
               identified: bool = False) -> Iterator[str]:
        """The commands by which *signer* signs a leaf anew.

        *identified*: the certificate gets an authority key identifier even if the old has none.
        """
        before, certificate = self.reading(pair.path, CERTIFICATE_LABEL, OLD_FILE)
        and_key, key = self.reading(pair.key_path or "", KEY_LABEL, _OLD_KEY)
        cut, ca = signer.reading()
        yield from (*before, *and_key, *cut)
        yield (f"openssl x509 -x509toreq -in {certificate} -key {key} -copy_extensions copyall "
               f"-out {_CSR}")
        identifiers = _identifiers(pair.chain[0], identified=identified)
        if identifiers:
            yield f"printf '%s\\n' {' '.join(identifiers)} > {_EXTENSIONS}"
        yield (f"openssl x509 -req -in {_CSR} -CA {ca} -CAkey {signer.key} "
               f"{options} -copy_extensions copyall "
               f"{f'-extfile {_EXTENSIONS} ' * bool(identifiers)}-out {NEW_FILE}")
        yield from self.put(*_parted(pair.path), CERTIFICATE_LABEL)

    def reading(self, path: str, kind: str, target: str) -> tuple[list[str], str]:
        """The command that writes the data of a kubeconfig to *target*, and the file to read."""
        name, entry = _parted(path)
        word = self.word(name)
        if not entry:
            return [], word
        line = self._line(name, entry, kind)
        return [f"sed -n {line.expression} {word} | openssl base64 -d -A > {target}"], target

    def put(self, path: str, entry: str, kind: str, number: int = 1) -> Iterator[str]:
        """The commands that put NEW into the place of a block of a file."""
        word = self.word(path)
        if entry:
            line, source = self._line(path, entry, kind), NEW_FILE
            if len([*pem.blocks(line.data)]) > 1:
                before, old = self.reading(f"{path}#{entry}", kind, OLD_FILE)
                yield from (*before, _put(kind, number, old))
                source = EDITED_FILE
            yield self._embed(line, source, word)
        elif not [*pem.blocks(data := files.read(self.file(path)))]:
            verb = "pkey" if kind == KEY_LABEL else "x509"
            yield f"openssl {verb} -in {NEW_FILE} -outform DER -out {word}"
        elif len([*pem.blocks(data)]) == 1:
            yield from self.write(NEW_FILE, path)
        else:
            yield _put(kind, number, word)
            yield from self.write(EDITED_FILE, path)

    def blocks(self, path: str, kind: str, dropped: Sequence[int], added: Sequence[str], *,
               ended: bool) -> Iterator[str]:
        """The commands that drop blocks, by their numbers, from a file and add files' blocks.

        *ended*: the file's last line has a line end.
        """
        name, entry = _parted(path)
        before, source = self.reading(path, kind, OLD_FILE)
        yield from before
        parts = []
        if dropped:
            numbers = " || ".join(f"n == {number}" for number in dropped)
            parts.append(f"awk '/-BEGIN .*{kind}-/ {{n++; old = {numbers}}} !old; "
                         f"/-END .*{kind}-/ {{old = 0}}' {source}")
        if added:
            join, first = "cat" if ended else "awk 1", "-" if parts else source
            parts.append(f"{join} {first} {' '.join(added)}")
        yield f"{' | '.join(parts)} > {EDITED_FILE}"
        word = self.word(name)
        if entry:
            yield self._embed(self._line(name, entry, kind), EDITED_FILE, word)
        else:
            yield from self.write(EDITED_FILE, path)

    @staticmethod
    def _embed(line: DataLine, source: str, word: str) -> str:
        """The command that puts a file into a kubeconfig; no argument holds the data of a key."""
        return (f"{{ printf %s '{line.number}s|{line.pattern}|\\1'; "
                f"openssl base64 -A -in {source}; echo '|'; }} | sed -i -f /dev/stdin {word}")

    def _line(self, path: str, entry: str, kind: str) -> DataLine:
        """The line with an entry's data in a kubeconfig."""
        text = files.read(self.file(path))
        field = "client-key" if kind == KEY_LABEL else "client-certificate" \
            if entry.startswith("users/") else "certificate-authority"
        return find_data(text, embedded_data(text, entry, secret=kind == KEY_LABEL), field)


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
