"""What is wrong with a CA's files, or the service accounts' pair."""
from __future__ import annotations

from collections.abc import Sequence
from operator import eq
from typing import TYPE_CHECKING

from .certificate import bundle_fault, called, fingerprint, other_authority
from .context import RowContext
from .judged import CheckedRow, Observe, ca_key_on_worker, exposed
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


def check_authority(row: Row, observe: Observe, by: RowContext) -> CheckedRow:
    """A CA's file on a host: the CA that counts is in it, and where the host has its key, that is
    the CA's.
    """
    path, signer = row.place.certificate, by.signers.get(row.name)
    chain, finding = read_certificates(observe(path), row.name)
    fault = _authority_fault(path, row, chain, by) if chain else None
    findings = [*filter(None, (finding, fault))]
    right, own = not findings, row.with_key and row.place.key
    if by.forbidden and row.name == "ca":
        findings += [ca_key_on_worker(*place) for place in by.forbidden
                     if (there := observe(place[0])) and not there.missing and not there.unread]
    # by a certificate that is wrong nothing can be said of the key; a CA without its key is an
    # external CA
    if by.forbidden or not own or fault \
        or ((found := observe(row.place.key)).missing and not by.exact):
        return CheckedRow(tuple(findings), chain=tuple(chain), pair_right=right)
    key, finding = read_key(found, row.name)
    finding = finding \
        or key_of_another(found.path, row.name, key, [signer] if signer and chain else chain)
    findings += [*filter(None, [finding]), *exposed(found, row.name)]
    return CheckedRow(tuple(findings), key=key, chain=tuple(chain), pair_right=not findings)


def key_of_another(path: str, row: str, key: PrivateKeyTypes | None,
                   certificates: Sequence[Certificate]) -> Finding | None:
    """The finding for a CA's private key that none of the CA's certificates is for."""
    if key is None or not certificates \
        or any(reading.has_public_key(certificate, public_key_der(key))
               for certificate in certificates):
        return None
    return Finding("key-cert-mismatch", path, row, "private key is not the CA certificate's")


def _authority_fault(path: str, row: Row, certificates: Sequence[Certificate],
                     by: RowContext) -> Finding | None:
    """Why CA certificates are not the cluster's, or not good; what is wrong with the right CA's
    comes first.
    """
    expected = by.trusted(row.name)
    if row.place.only == SIGNER:
        if len(certificates) > 1:
            return Finding("unknown-authority", path, row.name,
                           f"file holds {len(certificates)} certificates, and "
                           "kube-controller-manager takes the one that signs, alone")
        expected = [by.signers[row.name]] if row.name in by.signers else expected
    fault = bundle_fault(path, row.name, certificates, by.now)
    if fault \
        and any(reading.is_same_authority(certificate, other) for certificate in certificates
                for other in expected):
        return fault
    return stranger(path, row.name, row.name, certificates, expected, by) or fault


def stranger(path: str, row: str, ca: str, certificates: Sequence[Certificate],
             expected: Sequence[Certificate], by: RowContext) -> Finding | None:
    """Why CA certificates are not those of the CA's row *ca* that are *expected*, None where they
    are.
    """
    if ca in by.unmade:
        return other_authority(path, row, called(ca), certificates, (), "")
    same = eq if by.exact else reading.is_same_authority
    there = [any(same(certificate, other) for other in certificates) for certificate in expected]
    if not expected or (all(there) if by.exact else any(there)):
        return None
    return other_authority(path, row, called(ca), certificates,
                           [*map(reading.subject_text, expected)],
                           fingerprint(expected[there.index(False)]))


def check_service_accounts(row: Row, observe: Observe, by: RowContext) -> CheckedRow:
    """The pair that signs service-account tokens: the public key is the private key's, and the
    cluster's.
    """
    public_keys, findings = known_keys(observe(row.place.certificate))
    key = None
    if row.with_key:
        found = observe(row.place.key)
        key, finding = read_key(found, row.name)
        findings += [finding] if finding else exposed(found, row.name)
    private = [public_key_der(key)] if key is not None else []
    own = by.service_accounts or next(iter(private), None)
    findings += [Finding("sa-key-mismatch", path, row.name, OTHER_KEY)
                 for path, known in ((row.place.certificate, public_keys), (row.place.key, private))
                 if known and own is not None and own not in known]
    return CheckedRow(tuple(findings), key=key, pair_right=not findings)


OTHER_KEY = "file does not hold the key that signs the service accounts' tokens: every token is refused"


def known_keys(found: ObservedFile) -> tuple[list[bytes], list[Finding]]:
    """The public keys (DER) by which tokens are verified, and what is wrong with their file."""
    keys, finding = read_public_keys(found, SERVICE_ACCOUNTS)
    secret = SECRET in (found.data or b"")
    return keys, [finding] if finding else exposed(found, SERVICE_ACCOUNTS) if secret else []
