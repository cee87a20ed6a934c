"""New dates for a CA with its own key, and every copy of the CA's certificate in a tree.

Any mix of the old and the new certificate accepts every leaf, for subject, key and identifiers are
the same octets. Only a leaf that names the old serial number (an authority key identifier with
`issuer:always`) is refused by OpenSSL, and is issued anew.
"""
from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .edits import replaced_data
from .renewal import renew_pairs
from ..authority import BACKDATED, DAYS, Authority, end_of_validity, lasting, signing_digest
from ..observed.inventory import Inventory, ObservedFile
from ..rules.facts import Pair
from ... import files, pem
from ...errors import InputError
from ...files import File
from ...kubernetes import reading
from ...kubernetes.kubeconfig import embedded_certificates
from ...stages import der, keys, records
from ...stages.extensions.identifiers import AUTHORITY_KEY_IDENTIFIER
from ...stages.serials import serial_or_random
from ...stages.signing import encoded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_SERIAL = 0x82      # authorityCertSerialNumber (RFC 5280 §4.2.1.1)


class RenewedAuthority(NamedTuple):
    """The certificate that all copies of a CA become."""

    row: str
    """The CA's row."""
    certificate: Certificate
    """The CA's newest certificate."""
    key: PrivateKeyTypes | None = None
    """The CA's key, None if the key is out of reach."""
    former_end: datetime | None = None
    """The end of the certificate that was renewed now, None if the newest certificate stays."""

    def is_older(self, certificate: Certificate) -> bool:
        """Whether *certificate* is an older certificate of the CA."""
        return certificate != self.certificate and (
            self.former_end is not None
            or certificate.not_valid_after_utc <= self.certificate.not_valid_after_utc
        ) and is_of(certificate, self.certificate)


def is_of(certificate: Certificate, ca: Certificate) -> bool:
    """Whether a certificate is of the same CA as *ca*: one subject, one issuer, one key."""
    return reading.issuer_der(certificate) == reading.issuer_der(ca) \
        and reading.is_same_authority(certificate, ca)


def renewed_authority(certificate: Certificate, key: PrivateKeyTypes, *, now: datetime,
                      validity: timedelta | None = None) -> Certificate:
    """The same self-signed CA certificate with new dates and a new serial number.

    Subject and extensions stay byte for byte; an authority key identifier that names the serial
    number follows it. *validity* counts from *now* (None: as long as before, and at least a year).
    """
    fields, serial_number = records.certificate_fields(certificate), serial_or_random(None)
    before = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return encoded([_following(extension, serial_number)
                    for extension in records.extensions_of(fields)],
                   fields.subject, fields.subject, fields.subject_public_key_info,
                   keys.validate_signing_key(key), signing_digest(key), serial_number,
                   now - BACKDATED, end_of_validity(now, validity or max(before, lasting(DAYS))),
                   version=fields.version)


def _following(extension: records.Extension, serial_number: int) -> records.Extension:
    """An extension of a CA that names itself, with the CA's new serial number."""
    if extension.oid != AUTHORITY_KEY_IDENTIFIER:
        return extension
    number = der.content_of(der.integer(serial_number))
    items = (der.tlv(_SERIAL, number) if der.tag_of(item) == _SERIAL else item
             for item in der.items(der.content_of(extension.value)))
    return records.Extension(extension.oid, extension.critical, der.sequence(*items))


def named_serial(leaf: Certificate) -> int | None:
    """The serial number of its CA's certificate that a leaf names; None if it names none."""
    value = next((extension.value for extension in reading.extensions_of(leaf)
                  if extension.oid == AUTHORITY_KEY_IDENTIFIER), None)
    items = () if value is None else der.items(der.content_of(value))
    return next((int.from_bytes(der.content_of(item), signed=True) for item in items
                 if der.tag_of(item) == _SERIAL), None)


class Spread(NamedTuple):
    """What new certificates of CAs change in one tree."""

    files: tuple[File, ...]
    """The files to write, relative to the tree."""
    rows: Mapping[str, str]
    """The row of each file: the CA's, or that of a pair whose certificate is issued anew."""
    authorities: frozenset[str]
    """The rows of the CAs whose copies change."""
    reissued: tuple[Pair, ...]
    """The pairs whose certificate names an older serial number and is issued anew."""
    waiting: tuple[Pair, ...]
    """Such pairs whose CA has no key in reach."""
    ending: int
    """The number of pairs that end with the old certificate of their CA."""


def spread(inventory: Inventory, pairs: Sequence[Pair], targets: Sequence[RenewedAuthority], *,
           now: datetime, validity: timedelta | None, warnings: list[str]) -> Spread:
    """Each copy of the CAs in a tree becomes the newest certificate.

    Of the *pairs*, those whose certificate names an older serial number are issued anew, if the
    CA's key is in reach; *validity* and *warnings* are as for `renew_pairs`.
    """
    changed, rows = dict[str, bytes](), dict[str, str]()
    older = dict[str, list[RenewedAuthority]]()
    for path, file in inventory.found.items():
        # what a killed run has staged is removed with the next change of the folder
        if files.staged_for(posixpath.basename(path)) is None \
                and (found := [target for target in targets if _holds_older(file, target)]):
            older[path], rows[path] = found, found[0].row
            changed[path] = _with_targets(file, found)
    named = [pair for pair in pairs if any(_names_older(pair.chain[0], target)
                                           for target in targets)]
    anew = renew_pairs(
        inventory, named,
        [Authority(target.certificate, target.key) for target in targets if target.key],
        now=now, validity=validity, new_key=False, warnings=warnings, changed=changed)
    rows = {pair.path.partition("#")[0]: pair.row for pair in anew.renewed} | rows
    return Spread(anew.files, rows,
                  frozenset(target.row for found in older.values() for target in found),
                  anew.renewed, anew.waiting,
                  sum(pair.chain[0].not_valid_after_utc == target.former_end
                      and reading.is_signed_by(pair.chain[0], target.certificate)
                      for pair in pairs if pair not in anew.renewed for target in targets))


def _holds_older(file: ObservedFile, target: RenewedAuthority) -> bool:
    """Whether a file holds an older certificate of a CA."""
    return any(target.is_older(certificate) for _, data in _entries(file)
               for _, certificate in _certificates(data))


def _names_older(leaf: Certificate, target: RenewedAuthority) -> bool:
    """Whether a CA's leaf names the serial number of an older certificate of the CA."""
    number = named_serial(leaf)
    return number not in (None, reading.serial_number(target.certificate)) \
        and reading.is_signed_by(leaf, target.certificate)


def _with_targets(file: ObservedFile, targets: Sequence[RenewedAuthority]) -> bytes:
    """The data of a file, or of a kubeconfig, with the newest certificates of the CAs."""
    data = file.data or b""
    for entry, old in _entries(file):
        if (new := _replaced(old, targets)) != old:
            data = replaced_data(data, old, new, file.path, entry) if entry else new
    return data


def _entries(file: ObservedFile) -> Iterator[tuple[str, bytes]]:
    """The PEM of a file with certificates, or of each entry of a kubeconfig."""
    data = file.data or b""
    if _BEGIN in data:
        yield "", data
    elif b"-data" in data:
        yield from embedded_certificates(data)


def _replaced(data: bytes, targets: Sequence[RenewedAuthority]) -> bytes:
    """PEM with each CA's newest certificate in the place of its older ones, once."""
    parts, rest, there = list[bytes](), data, set[bytes]()
    for block, certificate in _certificates(data):
        before, _, rest = rest.partition(block.armour)
        target = next((target for target in targets if target.is_older(certificate)), None)
        new = block.armour if target is None \
            else pem.dump_certificate(target.certificate).rstrip(b"\n")
        # the newest certificate stays where it stands already
        if target and (new in there or new in rest):
            parts.append(before)
            rest = rest.removeprefix(b"\r").removeprefix(b"\n")
        else:
            parts += [before, new]
        there.add(new)
    return b"".join([*parts, rest])


def _certificates(data: bytes) -> Iterator[tuple[pem.Block, Certificate]]:
    """The certificates of a PEM file, as far as they can be read."""
    try:
        blocks = [block for block in pem.blocks(data) if block.label == "CERTIFICATE"]
    except InputError:
        return
    for block in blocks:
        if (certificate := _read(block.der)) is not None:
            yield block, certificate


@lru_cache(maxsize=16)      # every host has the CAs' certificates
def _read(data: bytes) -> Certificate | None:
    """A certificate in DER; None if a part of it cannot be read."""
    try:
        certificate = pem.load_certificate(data, encoding="DER")
    except InputError:
        return None
    return certificate if reading.find_unreadable_part(certificate) is None else None


def grouped(found: Iterable[tuple[str, Certificate]], now: datetime,
            ) -> list[tuple[tuple[str, ...], Certificate]]:
    """The CAs among certificates with their rows: all rows of a CA, and its newest certificate.

    A certificate that is not valid yet counts for the newest only if there is no other.
    """
    groups: list[list[tuple[str, Certificate]]] = []
    for row, certificate in found:
        if reading.is_authority(certificate):
            group = next((group for group in groups if is_of(certificate, group[0][1])), None)
            if group is None:
                groups.append([(row, certificate)])
            else:
                group.append((row, certificate))

    def age(certificate: Certificate) -> tuple[bool, datetime]:
        return certificate.not_valid_before_utc <= now, certificate.not_valid_after_utc

    return [(tuple(dict.fromkeys(row for row, _ in group)),
             max((certificate for _, certificate in group), key=age)) for group in groups]
