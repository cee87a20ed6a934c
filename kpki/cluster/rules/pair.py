"""What is wrong with a leaf and its key."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .context import RowContext
from .issued import Kind, Proved, is_as_issued, is_as_made
from .judged import Judged, exposed
from .certificate import signer_of
from .leaves import DATES, date_warnings, leaf_faults, leaf_warnings
from ..desired.rows import Row
from ..finding import Finding
from ..observed.contents import read_certificates, read_key
from ..observed.inventory import SECRET, Found
from ... import pem
from ...kubernetes import reading
from ...kubernetes.profiles import find_profile
from ...stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


def judge_pair(row: Row, certificate_found: Found | None, key_found: Found | None, by: RowContext,
               proved: Proved) -> Judged:
    """What is wrong with a leaf and its key, each at its own path; None is a half that nobody asks for.

    The leaf's kind is added to *proved* if nothing that the next leaf may have too is wrong with this one.
    """
    findings: list[Finding] = []
    key, key_finding = read_key(key_found, row.name) if key_found else (None, None)
    if certificate_found is None:
        findings = [key_finding] if key_finding else exposed(key_found, row.name) if key_found else []
        return Judged(tuple(findings), key=key)
    issued = _as_issued(certificate_found, key, row, by) if key is not None and by.exact else None
    if issued and (not by.warns or issued.kind in proved or _is_own(issued.signer, row, by)):
        findings = exposed(key_found, row.name) if key_found else []
        if by.warns:
            findings += date_warnings(certificate_found.path, issued.leaf, issued.signer, row, by)
        return Judged(tuple(findings), key=key, public_key=issued.public_key, chain=(issued.leaf,), pair_right=True)
    chain, finding = read_certificates(certificate_found, row.name)
    if chain and _only_serves(row) and _is_self_made(chain, by):
        finding = Finding("kubelet-serving-self-signed", certificate_found.path, row.name, "the kubelet made it for "
                          "itself: an API server with --kubelet-certificate-authority refuses it, and so does whoever "
                          "else verifies it", got=reading.issuer_text(chain[0]))
        return Judged((finding,), key=key, chain=tuple(chain))
    same = finding and key_finding and finding.cause == key_finding.cause in _ONE_FOR_BOTH
    swapped = same and finding and finding.cause == "key-cert-mismatch"
    if finding and swapped:
        finding = replace(finding, message=f"{finding.message}: certificate and key are swapped")
    findings += [one for one in (finding, None if same else key_finding) if one]
    fault, wrong = None, certificate_found
    if chain:
        fault = next(leaf_faults(certificate_found.path, chain, row, by), None)
        if key is not None and not reading.certifies(chain[0], keys.public_key_der(key)):
            sound, wrong = fault is None, certificate_found if fault or key_found is None else key_found
            fault = Finding("key-cert-mismatch", wrong.path, row.name,
                            "the private key is not the one that the certificate is for" if sound else
                            f"the certificate is not for the private key beside it; {fault.message if fault else ''}")
        findings += [fault] if fault else []
    if key_found and not swapped and SECRET in (key_found.data or b""):
        findings += exposed(key_found, row.name)
    if chain and fault is None and by.warns:
        findings += leaf_warnings(certificate_found.path, chain, row, by)
    right = not any(one.severity == "error" and one.cause != "key-exposed" for one in findings)
    if issued and {one.cause for one in findings} <= _PASSING \
            and signer_of(chain, by.trusted(row.profile.signer)) == issued.signer \
            and not reading.limits_names(issued.signer):
        proved.add(issued.kind)
    return Judged(tuple(findings), key=key, chain=tuple(chain), pair_right=right,
                  own=not (fault and wrong is key_found))


# What is one fault of a certificate and its key: each lies in the other's place, or both are of one curve or size.
_ONE_FOR_BOTH = frozenset({"key-cert-mismatch", "weak-signature-or-key"})


def _only_serves(row: Row) -> bool:
    """Whether a kubelet's pair is shown to those who call it and nobody else: its kubeconfig has one of its own."""
    return row.name == "kubelet-serving" or row.name == "kubelet" and row.place.kubeconfig != "" \
        and not row.place.by_path


def _is_self_made(chain: Sequence[Certificate], by: RowContext) -> bool:
    """Whether a chain ends at a CA of its own, as the kubelet's does that has made its serving certificate itself."""
    return reading.is_named_issuer(chain[-1], chain[-1]) and not any(
        reading.is_same_authority(chain[-1], one) for one in by.trusted("ca"))


class _Issued(NamedTuple):
    """A leaf that is just what kpki issues for its key, and in its time, and the *kind* that it is of."""

    leaf: Certificate
    public_key: bytes
    signer: Certificate
    kind: Kind


def _is_own(signer: Certificate, row: Row, by: RowContext) -> bool:
    """Whether the CA of a row is one that kpki has made, and in its time: then nothing else can be wrong with it."""
    return (by.trusted(row.profile.signer)[0] == signer and is_as_made(signer, find_profile(row.profile.signer or ""))
            and signer.not_valid_before_utc <= by.now <= signer.not_valid_after_utc)


# What is wrong with one leaf, and says nothing of the next that is issued like it.
_PASSING = DATES | {"key-exposed"}


def _as_issued(found: Found, key: PrivateKeyTypes, row: Row, by: RowContext) -> _Issued | None:
    """The certificate of a file, where it is just what kpki issues for that key, and in its time; else None."""
    if (block := pem.only_block(found.data or b"")) is None or block.label != "CERTIFICATE":
        return None
    try:
        leaf = pem.load_certificate(block.der, encoding="DER")
        if not leaf.not_valid_before_utc <= by.now <= leaf.not_valid_after_utc:
            return None
        public_key = keys.public_key_der(key)
        signer = next((one for one in by.trusted(row.profile.signer) if is_as_issued(leaf, row, public_key, one)), None)
    except ValueError:
        return None     # whatever cannot be read of it: who reads it in full says so
    if signer is None or not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        return None
    return _Issued(leaf, public_key, signer, (signer, row.name, key.key_size))
