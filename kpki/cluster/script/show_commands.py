"""The openssl commands that show what kpki reads: certificates, pairs, and chains."""
from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from ..observed.inventory import CERTIFICATE_BEGIN
from ..observed.search import is_kubeconfig
from ..observed.use import Use
from ... import files
from ...errors import KpkiError
from ...kubernetes.purposes import PURPOSES

_FIELDS = ("client-certificate", "certificate-authority")
_PURPOSES = {"clientAuth": "sslclient", "serverAuth": "sslserver"}


def show_commands(path: str, options: str) -> list[str]:
    """The commands that print what *options* of `openssl x509` ask, for each certificate of a file.

    Empty for a file that has no certificate or cannot be read.
    """
    try:
        data = files.read(path)
    except KpkiError:
        return []
    ending = f"openssl x509 -noout {options}"
    if is_kubeconfig(data):
        return [f"sed -n 's/^[ -]*{field}-data: *//p' {quote(path)} | sed -n {number}p | "
                f"openssl base64 -d -A | {ending}"
                for field in _FIELDS
                for number in range(1, _count(rf"(?m)^[ -]*{field}-data: *\S".encode(), data) + 1)]
    count = data.count(CERTIFICATE_BEGIN)
    if count > 1:
        return [f"awk '/-BEGIN CERTIFICATE-/ {{n++}} n == {number}' {quote(path)} | {ending}"
                for number in range(1, count + 1)]
    return [f"{ending} -in {quote(path)}"] if count or data[:1] == b"\x30" else []


def _count(pattern: bytes, data: bytes) -> int:
    return len(re.findall(pattern, data))


def pair_commands(root: str, uses: Sequence[Use]) -> Iterator[str]:
    """The commands that compare each pair's halves, and verify its chain, for a host's *uses*.

    Pairs inside kubeconfigs, and files that are not there, are left out.
    """
    keys = {use.group: use.path for use in uses if use.part == "key"}
    lines = dict[str, None]()
    for use in uses:
        key = keys.get(use.group, "")
        if use.part != "certificate" or "#" in use.path or not _there(root, use.path):
            continue
        word = _word(root, use.path)
        if key and "#" not in key and _there(root, key):
            lines[f"openssl x509 -noout -pubkey -in {word}; "
                  f"openssl pkey -pubout -in {_word(root, key)}   # the same"] = None
        purpose = PURPOSES[use.purpose]
        for ca in _authorities(root, uses, purpose.verifiers) \
                or _authorities(root, uses, purpose.likely):
            lines |= dict.fromkeys(
                f"openssl verify -CAfile {ca} -untrusted {word} -purpose {_PURPOSES[usage]} {word}"
                for usage in purpose.usages)
    yield from lines


def _authorities(root: str, uses: Iterable[Use], purposes: Sequence[str]) -> list[str]:
    """The words for the CA files with one of these purposes."""
    return [*dict.fromkeys(_word(root, use.path) for use in uses if use.part == "authority"
                           and use.purpose in purposes and "#" not in use.path
                           and _there(root, use.path))]


def _word(root: str, path: str) -> str:
    return quote(os.path.join(root, path))


def _there(root: str, path: str) -> bool:
    return files.read_entry(root, path).kind != "missing"
