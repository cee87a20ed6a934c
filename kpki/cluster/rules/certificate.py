"""What is wrong with one certificate, whoever asks: its time, its strength, its owner, its use, its signer."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..authority import GO_CURVES, SHORTEST_RSA, day
from ..finding import Finding
from ...kubernetes import reading
from ...kubernetes.profiles import NODE_PREFIX, NODES_GROUP
from ...stages.signatures import digest_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_SHORTEST_GO = 1024
# What extendedKeyUsage calls a use → what `verify -purpose` calls it.
_PURPOSES = {"clientAuth": "sslclient", "serverAuth": "sslserver"}


def ca_fault(path: str, row: str, certificate: Certificate, now: datetime) -> Finding | None:
    """Why a certificate cannot be a CA, None where it can."""
    why = reading.ca_fault(certificate)
    if why:
        return Finding("ca-not-a-ca", path, row, f"it cannot be a CA: {why}", got=why, expected="CA:TRUE")
    if why := reading.weakness(certificate):
        return Finding("weak-signature-or-key", path, row, f"Kubernetes refuses whatever the CA signs: {why}", got=why)
    return time_fault("expired-ca", path, row, certificate, now)


def time_fault(expired: str, path: str, row: str, certificate: Certificate, now: datetime) -> Finding | None:
    if now > certificate.not_valid_after_utc:
        return Finding(expired, path, row, f"it expired on {day(certificate.not_valid_after_utc)}",
                       got=day(certificate.not_valid_after_utc), expected=f"after {day(now)}")
    if now < certificate.not_valid_before_utc:
        start = day(certificate.not_valid_before_utc)
        return Finding("not-yet-valid", path, row, f"it is not valid before {start}, and it is {day(now)} here",
                       got=start, expected=f"before {day(now)}")
    return None


def weakness(path: str, row: str, chain: Sequence[Certificate], trusted: Sequence[Certificate]) -> Finding | None:
    """What Go refuses in a chain or a handshake: MD5 and SHA-1 signatures, RSA keys under 1024 bits, odd curves."""
    for certificate in chain:
        if certificate in trusted:      # nobody looks at a root's own signature
            continue
        digest = digest_of(certificate)
        if digest in ("md5", "sha1"):
            return Finding("weak-signature-or-key", path, row, f"it is signed with {digest.upper()}, which Go refuses",
                           got=digest, expected="sha256")
        key = certificate.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in GO_CURVES:
            return Finding("weak-signature-or-key", path, row,
                           f"its key is on the curve {key.curve.name}, which Go refuses",
                           got=key.curve.name, expected=", ".join(GO_CURVES))
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SHORTEST_GO:
            return Finding("weak-signature-or-key", path, row,
                           f"its RSA key has {key.key_size} bits, which Go refuses",
                           got=str(key.key_size), expected=f"{SHORTEST_RSA} or more")
        if why := reading.weakness(certificate):
            return Finding("weak-signature-or-key", path, row, f"Go cannot use the certificate's key: {why}", got=why)
    return None


def subject_line(user: str, groups: Sequence[str]) -> str:
    return "/".join([f"CN={user}", *(f"O={group}" for group in groups)])


def node_fault(path: str, row: str, subject: reading.Subject, node: str) -> Finding | None:
    """Why a subject is not that node's, None where it is (the Node authorizer's rule)."""
    def finding(cause: str, message: str) -> Finding:
        return Finding(cause, path, row, message, got=subject_line(subject.user, subject.groups),
                       expected=subject_line(NODE_PREFIX + node, (NODES_GROUP,)))

    if not subject.user.startswith(NODE_PREFIX):
        return finding("wrong-subject", f"its owner is {subject.user!r}, which is no node: a node's CN begins with "
                       f"{NODE_PREFIX}, and the API server gives any other no right to act as one")
    other = subject.user.removeprefix(NODE_PREFIX)
    node = node or other        # where nobody says whose it is, it is any node's
    if other == node:
        if NODES_GROUP in subject.groups:
            return None
        return finding("wrong-organisation", f"its owner is {subject.user!r}, but not in the group {NODES_GROUP} (O): "
                       "the API server does not take it for a node")
    answer = (f'the API server will answer: nodes "{node}" is forbidden: node "{other}" is not allowed to modify node '
              f'"{node}" (before 1.14: node "{other}" cannot modify node "{node}")')
    if row == "kubelet-serving":    # which lets nobody in
        answer = "whoever calls this node wants its own name, and refuses it"
    if _first_label(other) == _first_label(node):
        return finding("hostname-case-fqdn", f"it names the node {other!r}, this is {node!r}: they differ by case or "
                       f"domain only, and are two nodes all the same; {answer}")
    return finding("wrong-node-identity", f"it is node {other}'s certificate, and this is {node}; {answer}")


def _first_label(name: str) -> str:
    return name.lower().partition(".")[0]


def signer_of(chain: Sequence[Certificate], trusted: Sequence[Certificate]) -> Certificate | None:
    """The trusted CA that the chain, leaf first, ends at."""
    certificate, rest = chain[0], list(chain[1:])
    while True:
        for ca in trusted:
            if reading.signed_by(certificate, ca):
                return ca
        above = next((one for one in rest if reading.signed_by(certificate, one)), None)
        if above is None:
            return None
        rest.remove(above)
        certificate = above


def go_fault(path: str, row: str, chain: Sequence[Certificate], trusted: Sequence[Certificate],
             usages: Sequence[str], now: datetime) -> Finding | None:
    """What Go has against a chain for one of these *usages*, as the last word: extensions, path lengths, name
    constraints. Nothing without a *trusted* CA."""
    from ...kubernetes.verdict import verify_kubernetes
    for usage in usages if trusted else ():
        verdict = verify_kubernetes(chain[0], trusted, untrusted=chain[1:], purpose=_PURPOSES[usage], now=now)
        if verdict.cause:
            return Finding(verdict.cause, path, row, f"Kubernetes will refuse it: {verdict.reason}",
                           got=verdict.reason)
    return None


def fingerprint(certificate: Certificate) -> str:
    """The SHA-256 fingerprint in hexadecimal."""
    from cryptography.hazmat.primitives.hashes import SHA256
    return certificate.fingerprint(SHA256()).hex()
