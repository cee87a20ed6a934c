"""The result of a verification: OpenSSL 3.0's error numbers and words."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# X509_verify_cert_error_string(3) of OpenSSL 3.0: the errors of a verification without revocation
# lists.
REASONS = {
    0: "ok",
    1: "unspecified certificate verification error",
    2: "unable to get issuer certificate",
    6: "unable to decode issuer public key",
    7: "certificate signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    13: "format error in certificate's notBefore field",
    14: "format error in certificate's notAfter field",
    17: "out of memory",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    22: "certificate chain too long",
    24: "issuer certificate doesn't have a public key",
    25: "path length constraint exceeded",
    26: "unsuitable certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    29: "subject issuer mismatch",
    30: "authority and subject key identifier mismatch",
    31: "authority and issuer serial number mismatch",
    32: "key usage does not include certificate signing",
    34: "unhandled critical extension",
    37: "invalid non-CA certificate (has CA markings)",
    38: "proxy path length constraint exceeded",
    39: "key usage does not include digital signature",
    40: "proxy certificates not allowed, please set the appropriate flag",
    41: "invalid or inconsistent certificate extension",
    42: "invalid or inconsistent certificate policy extension",
    43: "no explicit policy",
    45: "unsupported extension feature",
    46: "RFC 3779 resource not subset of parent's resources",
    47: "permitted subtree violation",
    48: "excluded subtree violation",
    49: "name constraints minimum and maximum not supported",
    51: "unsupported name constraint type",
    52: "unsupported or invalid name constraint syntax",
    53: "unsupported or invalid name syntax",
    55: "path loop",
    62: "hostname mismatch",
    63: "email address mismatch",
    64: "IP address mismatch",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
    69: "invalid certificate verification context",
    70: "issuer certificate lookup error",
    72: "proxy subject name violation",
    76: "Cannot find certificate signature algorithm",
    77: "subject signature algorithm and issuer public key algorithm mismatch",
    78: "cert info signature and signature algorithm mismatch",
    79: "invalid CA certificate",
    80: "Path length invalid for non-CA cert",
    81: "Path length given without key usage keyCertSign",
    82: "Key usage keyCertSign invalid for non-CA cert",
    83: "Issuer name empty",
    84: "Subject name empty",
    85: "Missing Authority Key Identifier",
    86: "Missing Subject Key Identifier",
    87: "Empty Subject Alternative Name extension",
    88: "Subject empty and Subject Alt Name extension not critical",
    89: "Basic Constraints of CA cert not marked critical",
    90: "Authority Key Identifier marked critical",
    91: "Subject Key Identifier marked critical",
    92: "CA cert does not include key usage extension",
    93: "Using cert extension requires at least X509v3",
    94: "Certificate public key has explicit ECC parameters",
}
UNKNOWN_REASON = "unknown certificate verification error"

# `openssl verify` continues after these errors, and ends after any other (cb in verify.c).
TOLERATED = frozenset({10, 18, 25, 26, 34, 37, 43, 78, 79, *range(80, 94)})
# The errors of name constraints, and of a proxy's name, which OpenSSL checks with them.
NAME_CONSTRAINTS = frozenset({47, 48, 49, 51, 52, 53, 72})


class Fault(NamedTuple):
    """One error of a verification.

    >>> verdict = kpki.verify(certificate, [ca], hostname="worker-2", now=now)
    >>> [(fault.code, fault.reason) for fault in verdict.faults]
    [(62, 'hostname mismatch')]
    """

    code: int
    """OpenSSL's number of the error."""
    depth: int
    """How far above the leaf the certificate is; the leaf has depth 0."""

    @property
    def reason(self) -> str:
        """OpenSSL 3.0's words for the error."""
        return REASONS.get(self.code, UNKNOWN_REASON)


class Policy(NamedTuple):
    """One policy that holds for a path.

    >>> leaf = kpki.x509_req(csr, ca, ca_key, now=now, extfile="certificatePolicies = 1.2.3.4")
    >>> answer = kpki.verify(leaf, [ca], now=now, policies=kpki.PolicyQuestion()).policies
    >>> [(policy.oid, policy.critical) for policy in answer.authority]
    [('1.2.3.4', False)]
    """

    oid: str
    """The dotted object identifier of the policy."""
    critical: bool
    """Whether the extension with the policy is critical."""
    qualifiers: tuple[bytes, ...] | None
    """The qualifiers (DER), None if there are none."""


class PolicyAnswer(NamedTuple):
    """The answer about a path's policies; a set is None if no tree is left.

    >>> question = kpki.PolicyQuestion(explicit=True)
    >>> answer = kpki.verify(certificate, [ca], now=now, policies=question).policies
    >>> answer.explicit, answer.error
    (True, (43, 0))
    """

    error: tuple[int, int] | None = None
    """OpenSSL's number of the error and its depth, None without an error."""
    explicit: bool = False
    """Whether the path needs an acceptable policy."""
    authority: tuple[Policy, ...] | None = None
    """The policies that the CAs allow."""
    user: tuple[Policy, ...] | None = None
    """The policies of `authority` that the question asks for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of `openssl verify` about a certificate.

    >>> verdict = kpki.verify(certificate, [], now=now)
    >>> verdict.ok, verdict.code, verdict.reason
    (False, 20, 'unable to get local issuer certificate')
    """

    ok: bool
    """Whether the certificate is valid."""
    code: int
    """OpenSSL's number of the last error, 0 without errors."""
    reason: str
    """OpenSSL's words for the last error, `ok` without errors."""
    depth: int
    """How far above the leaf the last error is."""
    chain: tuple[Certificate, ...]
    """The certificates from the leaf up, as far as openssl finds them."""
    faults: tuple[Fault, ...] = ()
    """All errors in the order in which openssl finds them; the last counts."""
    policies: PolicyAnswer | None = None
    """The answer about the certificate policies, None without a question."""


def verdict_of(faults: list[Fault], chain: tuple[Certificate, ...],
               policies: PolicyAnswer | None = None) -> Verdict:
    """The verdict of these errors, in order."""
    last = faults[-1] if faults else Fault(0, 0)
    return Verdict(not faults, last.code, last.reason, last.depth, chain, tuple(faults), policies)
