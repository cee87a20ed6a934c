"""The rules for a CA's files, and for the pair that signs service accounts' tokens."""
from __future__ import annotations

from collections.abc import Sequence
from operator import eq
from typing import TYPE_CHECKING

from .certificate import (
    bundle_fault,
    called,
    fingerprint,
    other_authority,
    other_certificate,
)
from .checked_row import CheckedRow, Observe, ca_key_on_worker, exposed
from .context import RowContext
from .proved import Proved
from ..desired.rows import Row
from ..finding import Finding
from ..observed.contents import read_certificates, read_key, read_public_keys
from ..observed.inventory import SECRET, ObservedFile
from ...kubernetes import reading
from ...kubernetes.layouts import SIGNER
from ...kubernetes.profiles import SERVICE_ACCOUNTS
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


def check_authority(row: Row, observe: Observe, context: RowContext, proved: Proved) -> CheckedRow:
    """Check a CA's files on a host: the certificate is the cluster's, and a key is the CA's key."""
    path, signer, fault = row.place.certificate, context.signers.get(row.name), None
    found = observe(path)
    chain, finding = read_certificates(found, row.name)
    if chain and not proved.knows(file := (row.place, path, found.data or b"")):
        fault = _authority_fault(path, row, chain, context)
        if fault is None:
            proved.add_file(file)
    findings = [*filter(None, (finding, fault))]
    right, own = not findings, row.with_key and row.place.key
    if context.forbidden and row.name == "ca":
        findings += [ca_key_on_worker(*place) for place in context.forbidden
                     if (found := observe(place[0])) and not found.missing and not found.unread]
    # a wrong certificate tells nothing about the key; a CA without its key is an external CA
    if context.forbidden or not own or fault \
        or ((found := observe(row.place.key)).missing and not context.exact):
        return CheckedRow(tuple(findings), chain=tuple(chain), pair_right=right)
    key, finding = read_key(found, row.name)
    finding = finding \
        or key_of_another(found.path, row.name, key, [signer] if signer and chain else chain)
    findings += [*filter(None, [finding]), *exposed(found, row.name)]
    return CheckedRow(tuple(findings), key=key, chain=tuple(chain), pair_right=not findings)


def key_of_another(path: str, row: str, key: PrivateKeyTypes | None,
                   certificates: Sequence[Certificate]) -> Finding | None:
    """The finding for a CA's private key that belongs to none of the CA's certificates."""
    if key is None or not certificates \
        or any(reading.has_public_key(certificate, public_key_der(key))
               for certificate in certificates):
        return None
    return Finding("key-cert-mismatch", path, row, "private key is not the CA certificate's")


def _authority_fault(path: str, row: Row, certificates: Sequence[Certificate],
                     context: RowContext) -> Finding | None:
    """The fault of CA certificates that are not good, or not the cluster's.

    A fault of the right CA comes first.
    """
    expected = context.trusted(row.name)
    if row.place.only == SIGNER:
        if len(certificates) > 1:
            return Finding("unknown-authority", path, row.name,
                           f"file holds {len(certificates)} certificates, and "
                           "kube-controller-manager takes the one that signs, alone")
        expected = [context.signers[row.name]] if row.name in context.signers else expected
    fault = bundle_fault(path, row.name, certificates, context.now)
    if fault \
        and any(reading.is_same_authority(certificate, other) for certificate in certificates
                for other in expected):
        return fault
    return stranger(path, row.name, row.name, certificates, expected, context) or fault


def stranger(path: str, row: str, ca: str, certificates: Sequence[Certificate],
             expected: Sequence[Certificate], context: RowContext) -> Finding | None:
    """The fault of CA certificates that are not the *expected* ones of row *ca*, else None."""
    if ca in context.unmade:
        return other_authority(path, row, called(ca), certificates, (), "")
    same = eq if context.exact else reading.is_same_authority
    there = [any(same(certificate, other) for other in certificates) for certificate in expected]
    if not expected or (all(there) if context.exact else any(there)):
        return None
    if all(any(reading.is_same_authority(certificate, other) for other in certificates)
           for certificate in expected):
        return other_certificate(path, row, called(ca), certificates[0], expected[0])
    return other_authority(path, row, called(ca), certificates,
                           [*map(reading.subject_text, expected)],
                           fingerprint(expected[there.index(False)]))


def check_service_accounts(row: Row, observe: Observe, context: RowContext) -> CheckedRow:
    """Check the pair that signs service-account tokens: the halves fit, and are the cluster's."""
    public_keys, findings = known_keys(observe(row.place.certificate))
    key = None
    if row.with_key:
        found = observe(row.place.key)
        key, finding = read_key(found, row.name)
        findings += [finding] if finding else exposed(found, row.name)
    private = [public_key_der(key)] if key is not None else []
    own = context.service_accounts or next(iter(private), None)
    findings += [Finding("sa-key-mismatch", path, row.name, OTHER_KEY)
                 for path, known in ((row.place.certificate, public_keys), (row.place.key, private))
                 if known and own is not None and own not in known]
    return CheckedRow(tuple(findings), key=key, pair_right=not findings)


OTHER_KEY = ("file does not hold the key that signs the service accounts' tokens: "
             "every token is refused")


def known_keys(found: ObservedFile) -> tuple[list[bytes], list[Finding]]:
    """The public keys (DER) that verify tokens, and the faults of their file."""
    keys, finding = read_public_keys(found, SERVICE_ACCOUNTS)
    secret = SECRET in (found.data or b"")
    return keys, [finding] if finding else exposed(found, SERVICE_ACCOUNTS) if secret else []
