"""An installation as commands: what `kpki node install --explain` prints.

Each new file is copied from the source, or put together from parts of the source.
"""
from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from shlex import quote
from typing import TYPE_CHECKING

from .install_order import Installed
from .installation import HOST_BACKUP, find_request_key, is_archive
from .placing import BY_HAND, Part, away, file_part, free_places, placed, with_data
from ... import files, pem
from ...errors import InputError
from ...kubernetes import reading
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CA, _KEY = f"{BY_HAND}/ca.pem", f"{BY_HAND}/key.pem"


def install_commands(source: str, done: Installed, *, root: str, key: str | None,
                     user: tuple[int, int]) -> Iterator[str]:
    """The commands that look at the files of *source*, and install what was installed in *root*.

    *user* is the user and the group that run the commands.
    """
    found = dict[bytes, Part]()
    for part in _parts(source, done, root, key):
        found.setdefault(part.data, part)
    parts = [*found.values()]
    yield from _looks(parts)
    yield from free_places(root, done.written)
    kept = [part for part in parts if part.path in {
        os.path.join(root, file.path) for file, action in done.written if action == "replace"}]
    for part in kept:       # the key of a request, which the host has in another form
        yield f"{part.command} > {_KEY}"
    yield from away(root, done.written, HOST_BACKUP)
    sources = [*(file_part(part.data, _KEY) for part in kept), *parts]
    for file, action in done.written:
        if action != "keep":
            yield from placed(file, os.path.join(root, file.path), sources, user=user)


def _parts(source: str, done: Installed, root: str, key: str | None) -> Iterator[Part]:
    """The parts of a tree, an archive, or a signed answer with the key of its request."""
    paths = [path for path, _ in done.layout.files()]
    if files.read_entry_at(source).kind == "folder":
        for path in paths:
            if files.read_entry(source, path).kind != "missing":
                place = os.path.join(source, path)
                yield from with_data(file_part(files.read(place), place))
        return
    data = files.read(source)
    if is_archive(data):
        for name, content in files.members(data):
            yield from with_data(Part(content, f"tar -xOf {quote(source)} {quote(name)}"))
        return
    certificates = pem.load_certificates(data)
    yield Part(pem.dump_certificate(certificates[0]), f"openssl x509 -in {quote(source)}", source)
    yield Part(pem.dump_certificates(certificates[1:]),
               f"awk '/-BEGIN CERTIFICATE-/ {{n++}} n > 1' {quote(source)}")
    own = key or find_request_key(source, done.layout, root=root, node=done.node)
    if own:
        plain = pem.dump_key(pem.load_key(files.read(own)), form="traditional")
        yield Part(plain, f"openssl pkey -traditional -in {quote(own)}", own)


def _looks(parts: Sequence[Part]) -> Iterator[str]:
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
