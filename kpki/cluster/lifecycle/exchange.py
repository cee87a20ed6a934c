"""An exchange in the workspace: the old and the new pair, and the phase that the files show.

The pair that signs is `pki/ca.{crt,key}`. Before the new pair signs, it lies in `pki/ca-next.*`;
afterwards the old pair lies in `pki/ca-previous.*`. A key's public half tells which is which.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from .holding import Anchor, anchor_of, key_anchor
from ..authority import (
    Authority,
    Passphrase,
    day,
    key_algorithm,
    load_bundle,
    make_authority,
    make_key,
    validate_ca,
)
from ..desired.description import GIVEN_NAMES, Cluster
from ..observed.contents import read_public_keys
from ..observed.inventory import ObservedFile, refusal
from ..workspace import observe_workspace_file
from ... import pem
from ...errors import FileError, InputError, RefusedError, about
from ...kubernetes import reading
from ...kubernetes.layouts import NEXT, PREVIOUS, WORKSPACE, Place, beside
from ...kubernetes.profiles import SERVICE_ACCOUNTS, get_profile
from ...stages.extensions.identifiers import SUBJECT_KEY_IDENTIFIER
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

AUTHORITIES = ("ca", "etcd-ca", "front-proxy-ca", SERVICE_ACCOUNTS)
# The phases by their names; the first is the state without an exchange.
CA_PHASES = ("before", "trust", "switch", "forget")
KEY_PHASES = ("before", "publish", "sign", "retire")


class Member(NamedTuple):
    """The old or the new CA of an exchange, or the old or new key of the service accounts."""

    anchor: Anchor
    """The name and key."""
    public: bytes
    """The certificate, or the public key, in PEM."""
    key_pem: bytes | None = None
    """The private key in PEM, None if the workspace does not hold the key."""
    certificate: Certificate | None = None
    """The CA's certificate; None for a key of the service accounts."""

    def is_valid(self, now: datetime) -> bool:
        """Whether the CA is valid; a key always is."""
        ca = self.certificate
        return ca is None or ca.not_valid_before_utc <= now <= ca.not_valid_after_utc

    def key(self, passphrase: bytes | None) -> PrivateKeyTypes:
        """The private key. Raises RefusedError if the workspace does not hold the key."""
        if self.key_pem is None:
            raise RefusedError(f"the private key of {self.called} is not in the workspace")
        return pem.load_key(self.key_pem, passphrase if pem.is_encrypted(self.key_pem) else None)

    @property
    def called(self) -> str:
        """The CA, or the key, for a message."""
        return f"{self.anchor.subject or 'the key'} ({self.anchor.key[:15]}…)"


class Exchange(NamedTuple):
    """What the workspace's own files say about an exchange."""

    row: str
    """The row of the CA, or of the service accounts' pair."""
    place: Place
    """The files in the workspace."""
    phase: int
    """The number of the phase in `phases`."""
    old: Member
    """What signs before the exchange."""
    new: Member | None
    """What signs after the exchange, None if no exchange has begun."""
    data: bytes
    """The workspace's file of CA certificates, or of public keys."""
    members: tuple[Member, ...]
    """What is in that file."""

    @property
    def of_ca(self) -> bool:
        """Whether a CA is exchanged, not the key of the service accounts."""
        return self.row != SERVICE_ACCOUNTS

    @property
    def phases(self) -> tuple[str, ...]:
        """The names of the phases, in order."""
        return CA_PHASES if self.of_ca else KEY_PHASES

    @property
    def signer(self) -> Member:
        """What signs now."""
        return self.new if self.new and self.phase > 1 else self.old

    @property
    def known(self) -> list[Certificate]:
        """The certificates of all CAs that the workspace knows."""
        return [*dict.fromkeys(member.certificate for member in (*self.ends, *self.members)
                               if member.certificate)]

    @property
    def ends(self) -> tuple[Member, ...]:
        """The old CA or key, then the new CA or key if one has been made."""
        return (self.old, self.new) if self.new else (self.old,)

    @property
    def anchors(self) -> frozenset[Anchor]:
        """The trust anchors of the old and the new CA or key."""
        return frozenset(member.anchor for member in self.ends)

    def other(self, which: str) -> tuple[str, str]:
        """The paths of the other pair: certificate and key."""
        return beside(self.place.certificate, which), beside(self.place.key, which)


def read_workspace(folder: str, cluster: Cluster, row: str) -> Exchange:
    """The exchange of a row, as the workspace's files show it; no key is decrypted.

    Raises InputError for an unknown row, or files that show no state. Raises FileError for a
    missing CA, RefusedError for a CA that the description names.
    """
    if row not in AUTHORITIES:
        raise InputError(f"{row!r} is nothing to rotate", hint=f"one of {', '.join(AUTHORITIES)}")
    if given := cluster.authorities.get(GIVEN_NAMES.get(row, "")):
        raise RefusedError(f"{given.certificate}: the description names this CA, and kpki never "
                           "replaces the CA",
                           hint="put the pair into pki/ and take the CA out of the description")
    place = WORKSPACE.place(row)
    (public, key), others = _pair(folder, place.certificate, place.key), {
        which: _pair(folder, beside(place.certificate, which), beside(place.key, which))
        for which in (NEXT, PREVIOUS)}
    if public is None:
        raise FileError(f"{place.certificate}: there is no such file, so there is nothing to "
                        "exchange", hint="kpki apply makes what is missing")
    members = _authorities(public, place.certificate) if row != SERVICE_ACCOUNTS \
        else _keys(public, place.certificate)
    ends = {which: _other(pair, beside(place.certificate, which), row)
            for which, pair in others.items()}
    signer = _signer(members, key, place, [end.anchor for end in ends.values() if end])
    coming, former = (end if end and end.anchor != signer.anchor else None
                      for end in (ends[NEXT], ends[PREVIOUS]))
    trusted = {member.anchor for member in members}
    old, new = (signer, coming) if coming or not former else (former, signer)
    first = 0 if coming or not former else 2
    phase = first + ((coming.anchor in trusted) if coming else
                     (former.anchor not in trusted) if former else 0)
    return Exchange(row, place, phase, old, new, public, tuple(members))


def _pair(folder: str, *paths: str) -> tuple[bytes | None, bytes | None]:
    """The contents of a pair's two files; None for a missing file."""
    found = [observe_workspace_file(folder, path) for path in paths]
    for file in found:
        if file.unread:
            raise refusal(folder, file.unread)
        if file.problem:
            raise FileError(f"{file.path}: {file.problem}")
    return found[0].data, found[1].data


def _authorities(data: bytes, path: str) -> list[Member]:
    with about(path):
        return [Member(anchor_of(ca), pem.dump_certificate(ca), None, ca)
                for ca in load_bundle(data)]


def _keys(data: bytes, path: str) -> list[Member]:
    found, finding = read_public_keys(ObservedFile(path, data), SERVICE_ACCOUNTS)
    if finding:
        raise InputError(f"{path}: {finding.message}")
    return [Member(key_anchor(key), pem.armour(key, "PUBLIC KEY")) for key in found]


def _other(pair: tuple[bytes | None, bytes | None], path: str, row: str) -> Member | None:
    """The other pair of an exchange; None if its first file is missing."""
    public, key = pair
    if public is None:
        return None
    found = _authorities(public, path) if row != SERVICE_ACCOUNTS else _keys(public, path)
    if len(found) != 1:
        raise InputError(f"{path}: {len(found)} certificates or keys are in the file, and an "
                         "exchange needs one")
    member = found[0]._replace(key_pem=key)
    if key is not None and not pem.is_encrypted(key):
        with about(path):
            if not _is_for(pem.load_key(key), member):
                raise InputError("the private key beside this file is another one's")
    return member


def _is_for(key: PrivateKeyTypes, member: Member) -> bool:
    return key_anchor(public_key_der(key)).key == member.anchor.key


def _signer(members: Sequence[Member], key: bytes | None, place: Place,
            others: Sequence[Anchor]) -> Member:
    """Which of the members signs: that of the private key, else the only one beside the others."""
    if key is not None and not pem.is_encrypted(key):
        with about(place.key):
            private = pem.load_key(key)
        for member in members:
            if _is_for(private, member):
                return member._replace(key_pem=key)
        raise InputError(f"{place.certificate}: the file lacks the public half of {place.key}",
                         hint="the files are of no state of an exchange: take both from one backup")
    left = {member.anchor: member for member in members if member.anchor not in others}
    if len(left) != 1:
        raise InputError(f"{place.certificate}: {len(left)} of its entries may sign, and without "
                         f"a readable {place.key} nothing tells which",
                         hint="decrypt the key for the exchange: kpki pkey -in KEY -out PLAIN-KEY")
    return next(iter(left.values()))._replace(key_pem=key)


def make_new(exchange: Exchange, folder: str, cluster: Cluster, *, passphrase: Passphrase,
             now: datetime) -> Member:
    """The new CA, or key, of an exchange that begins, made by the old one's algorithm.

    A key that an earlier run has left in the workspace is used. A new CA's subject is the profile's
    with the day, as no other CA of the workspace has it. The new key is encrypted if the old is.
    """
    old, key_path = exchange.old, exchange.other(NEXT)[1]
    left = observe_workspace_file(folder, key_path).data
    secret = passphrase([(exchange.place.key, old.key_pem)]) if old.key_pem else None
    encrypts = old.key_pem is not None and pem.is_encrypted(old.key_pem)
    if encrypts:
        old.key(secret)     # the same passphrase opens both
    public = old.certificate.public_key() if old.certificate \
        else pem.load_public_key(old.public)
    algorithm = cluster.algorithm or key_algorithm(public) or "ECDSA-P256"
    key = None if left is None else \
        pem.load_key(left, secret if pem.is_encrypted(left) else None)
    if key is None or any(_is_for(key, member) for member in (*exchange.ends, *exchange.members)):
        key, left = make_key(algorithm), None
    key_pem = left or pem.dump_key(key, form="pkcs8" if encrypts else "traditional",
                                   passphrase=secret if encrypts else None)
    if not exchange.of_ca:
        der = public_key_der(key)
        return Member(key_anchor(der), pem.dump_public_key(key.public_key()), key_pem)
    profile = get_profile(exchange.row)
    taken = {reading.certificate_subject(ca).user for ca in exchange.known}
    name = next(name for name in _names(profile.common_name, now) if name not in taken)
    made = make_authority(replace(profile, common_name=name), key, validity=cluster.ca_validity,
                          now=now).certificate
    return Member(anchor_of(made), pem.dump_certificate(made), key_pem, made)


def _names(stem: str, now: datetime) -> Iterator[str]:
    """Names for a new CA: with the day, then with a number too."""
    yield f"{stem}-{now:%Y%m%d}"
    yield from (f"{stem}-{now:%Y%m%d}-{number}" for number in range(2, 1000))


def validate_new(exchange: Exchange, now: datetime) -> None:
    """Raise RefusedError for a new CA that hosts would not accept beside the old one."""
    if exchange.new is None or (ca := exchange.new.certificate) is None:
        return
    with about(exchange.new.called):
        validate_ca(ca)
        if now < ca.not_valid_before_utc:
            raise RefusedError("the new CA is not valid before "
                               f"{day(ca.not_valid_before_utc)}", hint="check this host's clock")
        if now > ca.not_valid_after_utc:
            raise RefusedError(f"the new CA has expired on {day(ca.not_valid_after_utc)}",
                               hint="go back with --back; a new exchange makes another CA")
        same_name = exchange.old.anchor.name == exchange.new.anchor.name
        if same_name and not any(extension.oid == SUBJECT_KEY_IDENTIFIER
                                 for extension in reading.extensions_of(ca)):
            raise RefusedError("the new CA has the old CA's subject, and no subject key identifier "
                               "tells them apart",
                               hint="give the new CA another subject")


def authority_of(member: Member, data: bytes, passphrase: bytes | None) -> Authority:
    """The CA with its key. Raises RefusedError without the key."""
    assert member.certificate is not None
    return Authority(member.certificate, member.key(passphrase), data)


