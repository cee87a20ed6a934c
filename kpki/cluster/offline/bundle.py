"""The bundle of requests: a folder of requests with a list, which says what each request is for.

A request cannot say which CA signs it, nor for which usages or how long. Nothing in the bundle is
secret; `digest` lets people compare the list on both sides.
"""
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..desired.rows import Row
from ...errors import InputError, about
from ...kubernetes.profiles import Identity
from ...kubernetes.reading import key_pin

FOLDER, LIST = "requests", "requests.json"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One line of the list: a request, and what its certificate is to be."""

    file: str
    """The request, relative to the bundle."""
    host: str | None
    """The host, None for the workspace's own row."""
    row: str
    """The row of the profiles table."""
    signer: str
    """The row of the CA that signs."""
    identity: Identity
    """The subject and the names."""
    usages: tuple[str, ...]
    """The extendedKeyUsage in OpenSSL's words."""
    days: int
    """How many days the certificate is to be valid."""
    public_key: str
    """`sha256:` and the digest of the public key (SubjectPublicKeyInfo)."""

    @property
    def answer(self) -> str:
        """The file of the certificate, relative to the bundle."""
        return self.file.removesuffix(".csr") + ".pem"

    @property
    def place(self) -> str:
        """The host and the row, for messages."""
        return f"{self.host}/{self.row}" if self.host else self.row


def request_for(row: Row, public_key: bytes, days: int) -> Request:
    """The line of the list for a row's request."""
    return Request(file=f"{row.host}/{row.name}.csr" if row.host else f"{row.name}.csr",
                   host=row.host, row=row.name, signer=row.profile.signer or "",
                   identity=row.identity, usages=row.profile.usages, days=days,
                   public_key=key_pin(public_key))


def dump_list(requests: Iterable[Request], cluster: str) -> bytes:
    """The list as a JSON document."""
    return (json.dumps({"version": _VERSION, "cluster": cluster, "requests": [
        {"file": request.file, "host": request.host, "row": request.row, "signer": request.signer,
         "user": request.identity.user, "groups": list(request.identity.groups),
         "dns": list(request.identity.dns), "addresses": list(request.identity.addresses),
         "usages": list(request.usages), "days": request.days, "public_key": request.public_key}
        for request in requests]}, indent=2) + "\n").encode()


def load_list(data: bytes, path: str) -> list[Request]:
    """The requests of a list; *path* is for messages. Raises InputError for another document."""
    with about(path):
        try:
            document = json.loads(data)
            if not isinstance(document, dict) or document.get("version") != _VERSION:
                raise InputError("no list of requests of this version of kpki")
            requests = [_request(line) for line in document["requests"]]
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError("not a list of requests", hint="kpki apply writes the list") from None
    return requests


def _request(line: Mapping[str, Any]) -> Request:
    """One line of the list. Raises KeyError or TypeError for other fields."""
    def text(name: str) -> str:
        if not isinstance(line[name], str):
            raise TypeError(name)
        return str(line[name])

    def texts(name: str) -> tuple[str, ...]:
        if not isinstance(line[name], list) or not all(isinstance(item, str)
                                                       for item in line[name]):
            raise TypeError(name)
        return tuple(line[name])

    if not isinstance(line["days"], int):
        raise TypeError("days")
    parts = text("file").split("/")
    if not text("file").endswith(".csr") or len(parts) > 2 or {"", ".", ".."} & {*parts}:
        raise InputError(f"the file {text('file')!r} is no request of this bundle")
    return Request(file=text("file"), host=None if line["host"] is None else text("host"),
                   row=text("row"), signer=text("signer"),
                   identity=Identity(text("user"), texts("groups"), texts("dns"),
                                     texts("addresses")),
                   usages=texts("usages"), days=line["days"], public_key=text("public_key"))


def digest(data: bytes) -> str:
    """The digest of a list, for people to compare."""
    return sha256(data).hexdigest()
