"""New dates for a certificate, and the files that hold the certificate.

A renewal keeps the key, the subject, the names and the usages, each byte for byte, as `openssl x509
-in CERT -CA CA -CAkey KEY` does. Only serial number, dates and signature differ, and the authority
key identifier if another certificate of the CA signs.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .edits import NewContents, edited_files, replace_block
from ..authority import (
    BACKDATED,
    DAYS,
    Authority,
    day,
    end_of_validity,
    lasting,
    leaf_algorithm,
    make_key,
    validate_ca,
    validate_ca_validity,
)
from ..observed.inventory import Inventory
from ..rules.facts import Pair
from ... import pem
from ...errors import about
from ...files import File
from ...kubernetes import reading
from ...stages import der, keys, records
from ...stages.extensions.context import ExtensionContext
from ...stages.extensions.identifiers import AUTHORITY_KEY_IDENTIFIER, SUBJECT_KEY_IDENTIFIER
from ...stages.extensions.table import extension
from ...stages.serials import serial_or_random
from ...stages.signing import encoded, issuer_of, subject_der
from ...stages.verification.facts import identifies, read_facts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


def renewed_certificate(certificate: Certificate, authority: Authority, *, now: datetime,
                        validity: timedelta | None = None, public_key: bytes | None = None,
                        identified: bool = False,
                        warnings: list[str] | None = None) -> Certificate:
    """The same certificate with new dates, for its own key or another *public_key* (DER).

    The certificate is valid for *validity* from *now* (None: as long as before, and at least a
    year) and backdated by 5 minutes. A validity past the CA's end is cut, and a line is added to
    *warnings*. *identified*: the certificate gets an authority key identifier even if the old one
    has none.
    """
    fields, extensions = reading.fields_of(certificate), reading.extensions_of(certificate)
    before = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    length = validity or max(before, lasting(DAYS))
    end, last = end_of_validity(now, length), authority.certificate.not_valid_after_utc
    if end > last:
        end = last
        if warnings is not None:
            warnings.append(f"{reading.subject_text(certificate)}: the certificate ends with its "
                            f"CA, {day(last)}")
    own = public_key or fields.subject_public_key_info
    present = []
    for item in extensions:
        if item.oid == AUTHORITY_KEY_IDENTIFIER:
            present.append(item if identifies(item.value, _facts_of(authority.certificate))
                           else _identifier_of(authority.certificate))
        elif item.oid == SUBJECT_KEY_IDENTIFIER and public_key is not None:
            identifier = der.octet_string(keys.key_identifier(own))
            present.append(records.Extension(item.oid, item.critical, identifier))
        else:
            present.append(item)
    if identified and present and AUTHORITY_KEY_IDENTIFIER not in {item.oid for item in present}:
        present.append(_identifier_of(authority.certificate))
    return encoded(present, subject_der(authority.certificate), fields.subject, own,
                   keys.validate_signing_key(authority.key), authority.digest,
                   serial_or_random(None), now - BACKDATED, end, version=fields.version)


_facts_of = lru_cache(maxsize=8)(read_facts)    # a cluster has a few CAs, which sign many leaves


@lru_cache(maxsize=8)
def _identifier_of(ca: Certificate) -> records.Extension:
    """The authority key identifier of the leaves of a CA."""
    return extension("authorityKeyIdentifier", "keyid, issuer",
                     ExtensionContext(issuer=issuer_of(ca)))


class HostRenewal(NamedTuple):
    """What a renewal changes in one tree."""

    renewed: tuple[Pair, ...] = ()
    """The pairs that get new dates, as they were."""
    files: tuple[File, ...] = ()
    """The files to write, relative to the tree."""
    waiting: tuple[Pair, ...] = ()
    """The pairs whose CA has no key in reach."""


def renew_pairs(inventory: Inventory, pairs: Iterable[Pair], authorities: Sequence[Authority], *,
                now: datetime, validity: timedelta | None, new_key: bool,
                warnings: list[str], changed: NewContents | None = None,
                exchanged: Sequence[Certificate] = ()) -> HostRenewal:
    """New certificates for the *pairs* of a tree, each by the CA that signed the old certificate.

    In an exchange the CA of the phase signs for the *exchanged* CA, which lies in its bundle too.
    *validity* and *warnings* are as for `renewed_certificate`. With *new_key* each pair gets a new
    key of the same algorithm. A pair whose files cannot be read, or whose key is another
    certificate's, stays; a line in *warnings* says so. *changed* has the files that change anyway,
    by path, and receives the new contents. Raises RefusedError for a CA that has ended, or whose
    leaves Kubernetes refuses.
    """
    renewed, waiting = list[Pair](), list[Pair]()
    changed = {} if changed is None else changed
    made: dict[str, PrivateKeyTypes] = {}   # a key that two certificates share stays shared
    of_tokens = {use.file for use in inventory.uses if use.purpose.startswith("service-account")}
    for pair in pairs:
        if not pair.chain or not pair.matches or (new_key and pair.key is None):
            warnings.append(f"{pair.path}: not renewed, for certificate and key are no pair that "
                            "works; kpki check says what is wrong")
            continue
        leaf = pair.chain[0]
        authority = _signer(pair, authorities, exchanged)
        if authority is None:
            waiting.append(pair)
            continue
        with about(pair.path):
            validate_ca(authority.certificate)
            validate_ca_validity([authority.certificate], now)
        key = None
        if new_key and pair.key_path in of_tokens:
            warnings.append(f"{pair.key_path}: the key stays, for service accounts' tokens are "
                            "signed with the key too")
        elif new_key and pair.key:
            key = made.get(pair.key_path) or make_key(leaf_algorithm(pair.key))
            made[pair.key_path] = key
        certificate = renewed_certificate(
            leaf, authority, now=now, validity=validity, warnings=warnings,
            public_key=keys.public_key_der(key) if key else None)
        replace_block(changed, inventory, pair.path, pem.dump_certificate(certificate))
        if key:
            replace_block(changed, inventory, pair.key_path, pem.dump_key(key, form="traditional"))
        renewed.append(pair)
    return HostRenewal(tuple(renewed), edited_files(inventory, changed, now), tuple(waiting))


def _signer(pair: Pair, authorities: Sequence[Authority],
            exchanged: Sequence[Certificate]) -> Authority | None:
    """The CA that signs a pair anew: the same, or the one that signs in its exchange."""
    for authority in authorities:
        bundle = pem.load_certificates(authority.bundle) if exchanged else []
        if any(_has_signed(ca, pair) for ca in (
                authority.certificate, *(ca for ca in bundle if ca in exchanged))):
            return authority
    return None


def _has_signed(ca: Certificate, pair: Pair) -> bool:
    """Whether a CA signed a pair; a known signer may have another certificate of the same key."""
    return reading.is_same_authority(ca, pair.signer) if pair.signer \
        else reading.is_signed_by(pair.chain[0], ca)
