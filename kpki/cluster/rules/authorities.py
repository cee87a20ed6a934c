"""What is wrong with a CA's files, or the service accounts' pair."""
from __future__ import annotations

from collections.abc import Sequence
from operator import eq
from typing import TYPE_CHECKING

from .judged import Judged, Look, ca_key_on_worker, exposed
from .certificate import ca_fault, fingerprint
from .context import RowContext
from ..desired.rows import Row
from ..finding import Finding
from ..observed.contents import read_certificates, read_key, read_public_keys
from ..observed.inventory import SECRET, Found
from ...kubernetes import reading
from ...kubernetes.layouts import SIGNER
from ...stages import keys

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def judge_authority(row: Row, look: Look, by: RowContext) -> Judged:
    """A CA's file on a host: the CA that counts is in it, and where the host has its key, that is the CA's."""
    path, signer = row.place.certificate, by.signers.get(row.name)
    chain, finding = read_certificates(look(path), row.name)
    findings = [finding] if finding else []
    fault = _authority_fault(path, row, chain, by) if chain else None
    findings += [fault] if fault else []
    right, own = not findings, row.with_key and row.place.key
    if by.forbidden and row.name == "ca":
        findings += [ca_key_on_worker(*one) for one in by.forbidden if _is_readable(look(one[0]))]
    # by a certificate that is wrong nothing can be said of the key; a CA without its key is an external CA
    if by.forbidden or not own or fault or (found := look(row.place.key)).missing and not by.exact:
        return Judged(tuple(findings), chain=tuple(chain), pair_right=right)
    key, finding = read_key(found, row.name)
    if finding is None and key is not None and chain \
            and not any(reading.certifies(one, keys.public_key_der(key)) for one in ([signer] if signer else chain)):
        finding = Finding("key-cert-mismatch", found.path, row.name, "the private key is not the CA certificate's")
    findings += [*([finding] if finding else []), *exposed(found, row.name)]
    return Judged(tuple(findings), key=key, chain=tuple(chain), pair_right=not findings)


def _is_readable(found: Found) -> bool:
    return not found.missing and not found.unread


def _authority_fault(path: str, row: Row, certificates: Sequence[Certificate], by: RowContext) -> Finding | None:
    """Why CA certificates are not the cluster's, or not good; what is wrong with the right CA's comes first."""
    expected = by.trusted(row.name) if row.name in by.sure else ()
    if row.place.only == SIGNER:
        if len(certificates) > 1:
            return Finding("unknown-authority", path, row.name, f"it holds {len(certificates)} certificates, and "
                           "kube-controller-manager takes the one that signs, alone")
        expected = [by.signers[row.name]] if row.name in by.signers else expected
    faults = [ca_fault(path, row.name, one, by.now) for one in certificates]
    fault = faults[0] if all(faults) else None      # a bundle may hold a CA of the past, as long as one is good
    if fault and any(reading.is_same_authority(one, other) for one in certificates for other in expected):
        return fault
    return stranger("unknown-authority", path, row, row.name, certificates, expected, by) or fault


# Cause → what is said where the CA is gone, and where it is another.
_STRANGERS = {
    "unknown-authority": ("it is not {}, which is not there any more", "it is not {}: "),
    "kubeconfig-wrong-ca": ("it trusts a CA that is not there any more", "it trusts another CA than {}: ")}
_CALLED = {"ca": "the cluster's CA", "etcd-ca": "etcd's CA", "front-proxy-ca": "the front proxy's CA"}


def _called(row: str) -> str:
    return _CALLED.get(row, "the CA")


def stranger(cause: str, path: str, row: Row, ca: str, certificates: Sequence[Certificate],
             expected: Sequence[Certificate], by: RowContext) -> Finding | None:
    """Why CA certificates are not those of the CA's row *ca* that are *expected*, None where they are."""
    gone, another = (words.format(_called(ca)) for words in _STRANGERS[cause])
    if ca in by.unmade:
        return Finding(cause, path, row.name, gone, got=fingerprint(certificates[0]))
    same = eq if by.exact else reading.is_same_authority
    there = [any(same(one, other) for other in certificates) for one in expected]
    if not expected or (all(there) if by.exact else any(there)):
        return None
    named = reading.subject_text(certificates[0])
    if named in map(reading.subject_text, expected):
        named += ", which has the same name but another key"
    return Finding(cause, path, row.name, another + named, got=fingerprint(certificates[0]),
                   expected=fingerprint(expected[there.index(False)]))


def judge_service_accounts(row: Row, look: Look, by: RowContext) -> Judged:
    """The pair that signs service-account tokens: the public key is the private key's, and the cluster's."""
    findings: list[Finding] = []
    public_keys, key = list[bytes](), None
    if row.place.certificate:
        there = look(row.place.certificate)
        public_keys, finding = read_public_keys(there, row.name)
        findings += [finding] if finding else exposed(there, row.name) if SECRET in (there.data or b"") else []
    if row.with_key:
        found = look(row.place.key)
        key, finding = read_key(found, row.name)
        findings += [finding] if finding else exposed(found, row.name)
    own = by.service_accounts or (keys.public_key_der(key) if key is not None else None)
    for path, known in ((row.place.certificate, public_keys),
                        (row.place.key, [keys.public_key_der(key)] if key else [])):
        if known and own is not None and own not in known:
            findings.append(Finding("sa-key-mismatch", path, row.name, "it is another key than the one that signs the "
                                    "service accounts' tokens: every token is refused"))
    return Judged(tuple(findings), key=key, pair_right=not findings)
