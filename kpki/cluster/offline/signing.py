"""At the CA: sign the requests of a bundle under policy."""
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .bundle import LIST, Request, digest, load_list
from ..authority import Authority, Passphrase, issue, lasting
from ..authority_source import read_authority
from ..desired.rows import wanted_rows
from ..desired.token import is_in_token
from ..node.policy import validate_row_request
from ..workspace import authority_paths, is_there
from ... import files, pem
from ...errors import FileError, InputError, KpkiError, RefusedError
from ...kubernetes.layouts import CERTIFICATE_MODE, LAYOUTS
from ...kubernetes.profiles import (
    ADMINISTRATORS,
    MASTERS_GROUP,
    Identity,
    Profile,
    get_profile,
    validate_node_name,
)
from ...kubernetes.reading import key_pin

if TYPE_CHECKING:
    from ..desired.description import Cluster

_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Signed:
    """What a CA made of a bundle."""

    requests: tuple[Request, ...]
    """The requests that are signed, or would be."""
    digest: str
    """The digest of the bundle's list."""
    refused: tuple[str, ...] = ()
    """A sentence for each request against policy."""
    waiting: tuple[Request, ...] = ()
    """The requests whose CA has no key here."""
    written: tuple[str, ...] = ()
    """The paths of the answers in the bundle."""


def sign_bundle(folder: str, authorities: Mapping[str, Authority], *, cluster: Cluster | None,
                masters: bool, now: datetime, show: Callable[[Signed], object],
                only_show: bool = False, warnings: list[str]) -> Signed:
    """Sign the requests of the bundle *folder*; each answer stands beside its request.

    *authorities* are the CAs by their rows. With *cluster* a request must be for a row of the
    description, to the letter; else its host's name and the profiles table decide. What is in
    system:masters is signed with *masters* alone. *show* receives the result before anything is
    signed; *only_show*: nothing is. Raises InputError for a folder without a list.
    """
    path = os.path.join(folder, LIST)
    if files.read_entry(folder, LIST).kind == "missing":
        raise FileError(f"{path}: there is no such file, so the folder is no bundle of requests",
                        hint="kpki apply writes the bundle: requests/")
    data = files.read(path)
    requests = load_list(data, path)
    described = None if cluster is None else {
        (row.host, row.name): row.identity for row in wanted_rows(cluster)}
    hosts = {request.host for request in requests if request.host}
    signing, waiting, refused = list[tuple[Request, bytes]](), list[Request](), list[str]()
    for request in requests:
        try:
            public_key = _validated(folder, request, described, hosts, masters=masters)
        except KpkiError as error:
            refused.append(f"{request.place}: {error.message}")
            continue
        if request.signer in authorities:
            signing.append((request, public_key))
        else:
            waiting.append(request)
    result = Signed(tuple(request for request, _ in signing), digest(data), tuple(refused),
                    tuple(waiting))
    show(result)
    if only_show or not signing:
        return result
    answers = [files.File(request.answer, pem.dump_certificate(issue(
        authorities[request.signer], get_profile(request.row), request.identity, public_key,
        validity=lasting(request.days), now=now, warnings=warnings)), CERTIFICATE_MODE)
        for request, public_key in signing]
    files.replace_tree(folder, answers, folder_mode=_FOLDER_MODE, backup=None, now=now,
                       warnings=warnings)
    return Signed(result.requests, result.digest, result.refused, result.waiting,
                  tuple(answer.path for answer in answers))


def _validated(folder: str, request: Request,
               described: Mapping[tuple[str | None, str], Identity] | None,
               hosts: set[str], *, masters: bool) -> bytes:
    """The public key (DER) of a request within policy. Raises RefusedError or InputError."""
    profile = get_profile(request.row)
    if profile.kind != "leaf" or profile.signer != request.signer \
            or profile.usages != request.usages:
        raise RefusedError(f"the list asks for another certificate than row {request.row} has")
    if described is not None:
        if (identity := described.get((request.host, request.row))) is None:
            raise RefusedError("the description has no such row")
        if identity != request.identity:
            raise RefusedError("the list asks for another subject or other names than the "
                               "description has")
    else:
        _validate_identity(request, profile, hosts)
    if MASTERS_GROUP in request.identity.groups and not masters:
        raise RefusedError(f"the group {MASTERS_GROUP} is limited by no authorization, and nobody "
                           "can revoke its certificates: --masters signs them")
    csr = pem.load_csr(files.read(os.path.join(folder, request.file)))
    public_key = validate_row_request(csr, request.identity, request.host or request.row)
    if key_pin(public_key) != request.public_key:
        raise RefusedError("the request has another key than the list says")
    return public_key


def _validate_identity(request: Request, profile: Profile, hosts: set[str]) -> None:
    """Raise RefusedError for a subject that is not the row's, or a name of another host."""
    host = validate_node_name(request.host) if request.host else ""
    identity = request.identity
    administrators = {layout.administrators for layout in LAYOUTS}
    groups = [{*profile.organizations}] if ADMINISTRATORS not in profile.organizations \
        else [{*profile.organizations} - {ADMINISTRATORS} | {group} for group in administrators]
    if identity.user != profile.common_name.replace("{node}", host) \
            or {*identity.groups} not in groups:
        raise RefusedError(f"the list asks for another subject than row {request.row} has")
    if profile.sans == "none" and (identity.dns or identity.addresses):
        raise RefusedError(f"the list asks for names, and row {request.row} has none")
    if others := [name for name in identity.dns if name in hosts - {host}]:
        raise RefusedError(f"the list asks for the name {others[0]!r}, which is another host's")


def authorities_at_hand(given: Mapping[str, tuple[str | None, str | None]], folder: str,
                        cluster: Cluster | None, *, passphrase: Passphrase,
                        now: datetime) -> dict[str, Authority]:
    """The CAs by their rows: *given* as certificate and key, else those of the workspace *folder*.

    Raises InputError for a certificate without its key, and the errors of `read_authority`.
    """
    return {row: read_authority(certificate, key, passphrase=passphrase, now=now)
            for row, (certificate, key) in places_of_authorities(given, folder, cluster).items()}


def places_of_authorities(given: Mapping[str, tuple[str | None, str | None]], folder: str,
                          cluster: Cluster | None) -> dict[str, tuple[str, str]]:
    """Certificate and key of the CAs at hand, by their rows; see `authorities_at_hand`."""
    found = dict[str, tuple[str, str]]()
    for row, named in given.items():
        own = cluster is not None and named == (None, None)
        certificate, key = authority_paths(cluster, folder, row) if cluster and own else named
        if own and not (certificate and key and (is_in_token(key) or is_there(key))
                        and is_there(certificate)):
            continue
        if certificate and key:
            found[row] = certificate, key
        elif certificate or key:
            raise InputError(f"one half of {row} alone is named: a certificate and its key are "
                             "needed")
    return found
