"""The rules for one certificate, whoever verifies it: dates, strength, owner, use and signer."""
from __future__ import annotations

from collections.abc import Collection, Sequence
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
# name in extendedKeyUsage → name of `verify -purpose`
_PURPOSES = {"clientAuth": "sslclient", "serverAuth": "sslserver"}


def ca_fault(path: str, row: str, certificate: Certificate, now: datetime) -> Finding | None:
    """Why a certificate cannot be a CA, None if it can."""
    why = reading.find_ca_fault(certificate)
    if why:
        return Finding("ca-not-a-ca", path, row, f"certificate cannot be a CA: {why}", got=why,
                       expected="CA:TRUE")
    if why := reading.find_weakness(certificate):
        return Finding("weak-signature-or-key", path, row,
                       f"Kubernetes refuses whatever the CA signs: {why}", got=why)
    return time_fault("expired-ca", path, row, certificate, now)


def bundle_fault(path: str, row: str, certificates: Sequence[Certificate],
                 now: datetime) -> Finding | None:
    """Why no certificate of a CA file can be a CA, None if one can.

    A bundle may contain a former CA beside a good CA.
    """
    faults = [ca_fault(path, row, certificate, now) for certificate in certificates]
    return faults[0] if faults and all(faults) else None


def other_authority(path: str, row: str, what: str, certificates: Sequence[Certificate],
                    names: Collection[str], expected: str, *, mild: bool = False) -> Finding:
    """The finding for a CA file that does not contain the *expected* CA.

    *what* describes that CA; *names* are its subjects, empty if the CA is missing.
    """
    named = [*map(reading.subject_text, certificates)]
    why = "" if names else ", which is not there any more"
    if {*names} & {*named}:
        why = ", which has the same name but another key"
    return Finding(_wrong_authority(path), path, row, f"CA {named[0]} is not {what}{why}",
                   got=fingerprint(certificates[0]), expected=expected, mild=mild)


def other_certificate(path: str, row: str, what: str, certificate: Certificate,
                      expected: Certificate) -> Finding:
    """The warning for a CA file with another certificate of the right CA: the CA was renewed."""
    return Finding(_wrong_authority(path), path, row, f"another certificate of {what} than the "
                   "workspace's: the CA was renewed, and both accept the same leaves",
                   got=fingerprint(certificate), expected=fingerprint(expected), mild=True)


def _wrong_authority(path: str) -> str:
    return "kubeconfig-wrong-ca" if "#" in path else "unknown-authority"


_CALLED = {"ca": "the cluster's CA", "etcd-ca": "etcd's CA",
           "front-proxy-ca": "the front proxy's CA"}


def called(row: str) -> str:
    """The usual name of the CA of a row."""
    return _CALLED.get(row, "the CA")


def signed_by_another(cause: str, path: str, row: str, ca: str, certificate: Certificate,
                      expected: Sequence[Certificate]) -> Finding:
    """The finding for a certificate that none of the *expected* CAs (row *ca*) has signed."""
    issuer = reading.issuer_text(certificate)
    same = any(reading.is_named_issuer(ca, certificate) for ca in expected)
    why = "a CA of the same name, but with another key" if same \
        else f"{issuer}, not by {called(ca)}"
    return Finding(cause, path, row, f"certificate was signed by {why}", got=issuer,
                   expected=reading.subject_text(expected[0]))


def time_fault(expired: str, path: str, row: str, certificate: Certificate,
               now: datetime) -> Finding | None:
    """The finding for a certificate that has expired (cause *expired*), or is not valid yet."""
    if now > certificate.not_valid_after_utc:
        return Finding(expired, path, row,
                       f"certificate expired on {day(certificate.not_valid_after_utc)}",
                       got=day(certificate.not_valid_after_utc), expected=f"after {day(now)}")
    if now < certificate.not_valid_before_utc:
        start = day(certificate.not_valid_before_utc)
        return Finding("not-yet-valid", path, row,
                       f"certificate is not valid before {start}, and it is {day(now)} here",
                       got=start, expected=f"before {day(now)}")
    return None


def weakness(path: str, row: str, chain: Sequence[Certificate],
             trusted: Sequence[Certificate]) -> Finding | None:
    """The finding for a weak chain that Go refuses: MD5, SHA-1, short RSA keys, odd curves."""
    def weak(what: str, got: str, expected: str = "") -> Finding:
        return Finding("weak-signature-or-key", path, row, what, got=got, expected=expected)

    for certificate in chain:
        if certificate in trusted:      # no verifier checks the signature of a root
            continue
        digest, key = digest_of(certificate), certificate.public_key()
        if digest in ("md5", "sha1"):
            return weak(f"certificate is signed with {digest.upper()}, which Go refuses", digest,
                        "sha256")
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in GO_CURVES:
            return weak(f"key is on the curve {key.curve.name}, which Go refuses", key.curve.name,
                        ", ".join(GO_CURVES))
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SHORTEST_GO:
            return weak(f"RSA key has {key.key_size} bits, which Go refuses", str(key.key_size),
                        f"{SHORTEST_RSA} or more")
        if why := reading.find_weakness(certificate):
            return weak(f"Go cannot use the certificate's key: {why}", why)
    return None


def subject_line(user: str, groups: Sequence[str]) -> str:
    """The CN and O of a subject in openssl's short form."""
    return "/".join([f"CN={user}", *(f"O={group}" for group in groups)])


def node_fault(path: str, row: str, subject: reading.Subject, node: str) -> Finding | None:
    """Why a subject is not the node's, None if it is (the Node authorizer's rule)."""
    def finding(cause: str, message: str) -> Finding:
        return Finding(cause, path, row, message, got=subject_line(subject.user, subject.groups),
                       expected=subject_line(NODE_PREFIX + node, (NODES_GROUP,)))

    if not subject.user.startswith(NODE_PREFIX):
        return finding("wrong-subject",
                       f"certificate belongs to {subject.user!r}, which is no node: a node's CN "
                       f"begins with {NODE_PREFIX}, and the API server gives any other no right to "
                       "act as one")
    other = subject.user.removeprefix(NODE_PREFIX)
    node = node or other        # without a node's name any node's certificate is right
    if other == node:
        if NODES_GROUP in subject.groups:
            return None
        return finding("wrong-organisation",
                       f"certificate belongs to {subject.user!r}, who is not in the group "
                       f"{NODES_GROUP} (O): the API server does not authenticate its owner as a "
                       "node")
    # the words of the Node authorizer (AuthorizeNodeWithSelectors); NodeRestriction has other
    # words, and is asked after the authorizer
    answer = (
        f"the API server will answer: node '{other}' cannot read '{node}', only its own Node "
        "object (before "
        f'1.32: node "{other}" is not allowed to modify node "{node}"; before 1.14: node '
        f'"{other}" cannot modify node "{node}")')
    if row == "kubelet-serving":    # the authorizer lets no other user in
        answer = "whoever calls this node wants its own name, and refuses it"
    if _first_label(other) == _first_label(node):
        return finding("hostname-case-fqdn",
                       f"certificate names the node {other!r}, this is {node!r}: they differ by "
                       f"case or domain only, and are two nodes all the same; {answer}")
    return finding("wrong-node-identity",
                   f"certificate belongs to node {other}, and this is {node}; {answer}")


def _first_label(name: str) -> str:
    return name.lower().partition(".")[0]


def signer_of(chain: Sequence[Certificate], trusted: Sequence[Certificate]) -> Certificate | None:
    """The trusted CA at the end of a chain (leaf first), None if there is none."""
    certificate, rest = chain[0], list(chain[1:])
    while True:
        for ca in trusted:
            if reading.is_signed_by(certificate, ca):
                return ca
        above = next((ca for ca in rest if reading.is_signed_by(certificate, ca)), None)
        if above is None:
            return None
        rest.remove(above)
        certificate = above


def intermediate_of(chain: Sequence[Certificate],
                    trusted: Sequence[Certificate]) -> Certificate | None:
    """The CA that signed the leaf of a chain, if only the rest of the chain leads to *trusted*.

    None for a CA that a CA above allows no leaf (pathlen).
    """
    from ...kubernetes.verdict import verify_kubernetes
    if signer_of(chain[:1], trusted) is not None or signer_of(chain, trusted) is None:
        return None
    verdict = verify_kubernetes(chain[0], trusted, untrusted=chain[1:], purpose="any",
                                now=chain[0].not_valid_before_utc)
    if verdict.cause == "chain-depth":
        return None
    return next(ca for ca in chain[1:] if reading.is_signed_by(chain[0], ca))


def serial_reused(path: str, row: str, certificate: Certificate, *, mild: bool = False) -> Finding:
    """The finding for a serial number that its CA has used twice (RFC 5280 §4.1.2.2)."""
    return Finding("serial-reused", path, row,
                   "another certificate of the same CA has the same serial number",
                   got=f"{reading.serial_number(certificate):x}", mild=mild)


def go_fault(path: str, row: str, chain: Sequence[Certificate], trusted: Sequence[Certificate],
             usages: Sequence[str], now: datetime) -> Finding | None:
    """Go's objection to a chain for one of *usages*: extensions, path lengths, name constraints.

    Without a *trusted* CA the chain is not verified.
    """
    from ...kubernetes.verdict import verify_kubernetes
    for usage in usages if trusted else ():
        verdict = verify_kubernetes(chain[0], trusted, untrusted=chain[1:],
                                    purpose=_PURPOSES[usage], now=now)
        if verdict.cause:
            return Finding(verdict.cause, path, row,
                           f"Kubernetes will refuse the certificate: {verdict.reason}",
                           got=verdict.reason)
    return None


def fingerprint(certificate: Certificate) -> str:
    """The SHA-256 fingerprint in hexadecimal."""
    from cryptography.hazmat.primitives.hashes import SHA256
    return certificate.fingerprint(SHA256()).hex()
