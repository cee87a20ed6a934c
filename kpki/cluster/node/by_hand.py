"""An installation as commands: what `kpki node install --explain` prints.

Each new file is copied from the source, or put together from parts of the source.
"""
from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from .install_order import Installed
from .installation import find_request_key, is_archive
from ... import files, pem
from ...errors import InputError
from ...files import File
from ...kubernetes import reading
from ...kubernetes.kubeconfig_lines import data_lines
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CA = "installed-ca.pem"


class _Part(NamedTuple):
    """A part of the source: a file, a member of an archive, a block, data of a kubeconfig."""

    data: bytes
    command: str
    """The command that prints the part."""
    path: str = ""
    """A file in which openssl reads the part, "" if there is none."""
    whole: bool = False
    """Whether the part is that file, byte for byte."""

    def through(self, command: str, *, whole: bool = False) -> str:
        """A command of openssl that reads the part; *whole*: every byte of it."""
        if self.whole or (self.path and not whole):
            return f"{command} -in {quote(self.path)}"
        return f"{self.command} | {command}"


def install_commands(source: str, done: Installed, *, root: str,
                     key: str | None) -> Iterator[str]:
    """The commands that look at the files of *source*, and install what was installed in *root*."""
    changed = [file for file, action in done.written if action != "keep"]
    found = dict[bytes, _Part]()
    for part in _parts(source, done, root, key):
        found.setdefault(part.data, part)
    parts = [*found.values()]
    looks = [*_looks(parts)]
    yield from looks
    for file in changed:
        yield from _placed(file, quote(os.path.join(root, file.path)), parts)
    if any(_CA in line for line in looks):
        yield f"rm -f {_CA}"


def _parts(source: str, done: Installed, root: str, key: str | None) -> Iterator[_Part]:
    """The parts of a tree, an archive, or a signed answer with the key of its request."""
    paths = [path for path, _ in done.layout.files()]
    if files.read_entry_at(source).kind == "folder":
        for path in paths:
            if files.read_entry(source, path).kind != "missing":
                place = os.path.join(source, path)
                yield from _with_data(_Part(files.read(place), f"cat {quote(place)}", place,
                                            whole=True))
        return
    data = files.read(source)
    if is_archive(data):
        for name, content in files.members(data):
            yield from _with_data(_Part(content, f"tar -xOf {quote(source)} {quote(name)}"))
        return
    certificates = pem.load_certificates(data)
    yield _Part(pem.dump_certificate(certificates[0]), f"openssl x509 -in {quote(source)}", source)
    yield _Part(pem.dump_certificates(certificates[1:]),
                f"awk '/-BEGIN CERTIFICATE-/ {{n++}} n > 1' {quote(source)}")
    own = key or find_request_key(source, done.layout, root=root, node=done.node)
    if own:
        plain = pem.dump_key(pem.load_key(files.read(own)), form="traditional")
        yield _Part(plain, f"openssl pkey -traditional -in {quote(own)}", own)


def _with_data(part: _Part) -> Iterator[_Part]:
    """A file, and what the file embeds if it is a kubeconfig."""
    yield part
    with suppress(InputError):      # a certificate or a key
        for line in data_lines(part.data):
            read = f"sed -n {line.expression}"
            command = f"{read} {quote(part.path)}" if part.whole else f"{part.command} | {read}"
            yield _Part(line.data, f"{command} | openssl base64 -d -A")


def _looks(parts: Sequence[_Part]) -> Iterator[str]:
    """The commands that show each leaf, its signer, and that its key is its own."""
    read = [(part, certificates) for part in parts if (certificates := _certificates(part.data))]
    keys = [part for part in parts if re.match(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----", part.data)]
    for leaf, (certificate, *_) in read:
        if reading.is_authority(certificate):
            continue
        yield leaf.through("openssl x509 -noout -subject -dates")
        signer = next((part for part, cas in read
                       if any(reading.is_signed_by(certificate, ca) for ca in cas)), None)
        if signer:
            if not signer.path:
                yield f"{signer.command} > {_CA}"
            verify = f"openssl verify -CAfile {quote(signer.path or _CA)}"
            yield f"{verify} {quote(leaf.path)}" if leaf.path else f"{leaf.command} | {verify}"
        for key in keys:
            if reading.has_public_key(certificate, public_key_der(pem.load_key(key.data))):
                yield (f"{leaf.through('openssl x509 -noout -pubkey')}; "
                       f"{key.through('openssl pkey -pubout')}   # the same")


def _certificates(data: bytes) -> Sequence[Certificate]:
    """The certificates of a part, none for a key, a kubeconfig or a broken file."""
    if not data.startswith(b"-----BEGIN CERTIFICATE-----"):
        return ()
    with suppress(InputError):
        return pem.load_certificates(data)
    return ()


def _placed(file: File, target: str, parts: Sequence[_Part]) -> Iterator[str]:
    """The commands that write one new file."""
    if file.link:
        yield f"ln -sfn {quote(file.data.decode())} {target}"
        return
    install = f"install -D -m {file.mode:04o}"
    same = next((part for part in parts if part.data == file.data), None)
    if same and same.whole:
        yield f"{install} {quote(same.path)} {target}"
        return
    both = [(first, second) for first in parts for second in parts
            if first.data + second.data == file.data]
    if same or both:
        command = same.command if same \
            else f"{{ {both[0][0].command}; {both[0][1].command}; }}"
        yield f"{command} | {install} /dev/stdin {target}"
        return
    words = [_line(line, parts) for line in file.data.decode().splitlines()]
    if any("PRIVATE KEY" in word or ("client-key-data" in word and "$(" not in word)
           for word in words):      # no secret is printed
        yield f"# {target}: only kpki node install puts its parts together"
        return
    yield "printf '%s\\n' \\"
    yield from (f"    {word} \\" for word in words)
    yield f"    | {install} /dev/stdin {target}"


def _line(line: str, parts: Sequence[_Part]) -> str:
    """A line of a kubeconfig as a word for the shell; a command prints its data."""
    for part in parts:
        if part.data and (text := b64encode(part.data).decode()) in line:
            before, _, after = line.partition(text)
            encoded = part.through("openssl base64 -A", whole=True)
            return f'{quote(before)}"$({encoded})"' + (quote(after) if after else "")
    return quote(line)
