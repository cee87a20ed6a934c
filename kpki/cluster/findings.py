"""What is wrong with a host's tree: wanted − found, each fault named once, at its root."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..errors import InputError
from ..kubernetes import reading
from ..kubernetes.kubeconfig import Material, load_kubeconfig
from ..kubernetes.layouts import Place
from ..kubernetes.profiles import KUBELET, NODE_PREFIX, NODES_GROUP
from ..stages import keys
from .authority import GO_CURVES, SHORTEST_RSA, day
from .contents import Finding, read_certificates, read_key, readable
from .inventory import Found, Inventory, named_path

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

WITHIN = timedelta(days=30)
_SHORTEST_GO = 1024


@dataclass(frozen=True, slots=True)
class Judge:
    """What a tree is judged by: whose it is, the moment, where its CA lies, the CAs that count (None: its own)."""

    node: str
    now: datetime
    ca_path: str
    authorities: Sequence[Certificate] | None = None
    within: timedelta = WITHIN


def check_node(inventory: Inventory, *, node: str, now: datetime, authorities: Sequence[Certificate] | None = None,
               within: timedelta = WITHIN) -> list[Finding]:
    """Everything that is wrong with a node's tree; an empty list, or warnings alone, where the kubelet can work.

    *authorities* are the CA certificates that count, None: those in the tree. Raises nothing for what is in the tree.
    """
    ca_place, place = inventory.layout.place("ca"), inventory.layout.place(KUBELET.name)
    judge = Judge(node, now, ca_place.certificate, authorities, within)
    trusted, findings = _authorities(inventory, ca_place, judge)
    if authorities is not None:
        trusted = list(authorities)
    findings += _pair(inventory.found[place.certificate], inventory.found[place.key or ""], trusted, judge)
    findings += _kubeconfig(inventory, place, trusted, judge)
    return [*dict.fromkeys(findings)]


def _authorities(inventory: Inventory, place: Place, judge: Judge) -> tuple[list[Certificate], list[Finding]]:
    """The CA certificates of the tree, and what is wrong with their file."""
    certificates, finding = read_certificates(inventory.found[place.certificate], place.row)
    if finding:
        return [], [finding]
    finding = _authority_fault(place.certificate, place.row, certificates, judge)
    return certificates, [finding] if finding else []


def _authority_fault(path: str, row: str, certificates: Sequence[Certificate], judge: Judge) -> Finding | None:
    faults = [_ca_fault(path, row, one, judge) for one in certificates]
    if judge.authorities is not None and not any(one in certificates for one in judge.authorities):
        return Finding("unknown-authority", path, row, "it is not the cluster's CA: " + _who(certificates[0]),
                       got=_fingerprint(certificates[0]), expected=_fingerprint(judge.authorities[0]))
    return faults[0] if all(faults) else None       # a bundle may hold a CA of the past, as long as one is good


def _ca_fault(path: str, row: str, certificate: Certificate, judge: Judge) -> Finding | None:
    why = reading.ca_fault(certificate)
    if why:
        return Finding("ca-not-a-ca", path, row, f"it cannot be a CA: {why}", got=why, expected="CA:TRUE")
    return _time_fault("expired-ca", path, row, certificate, judge)


def _pair(certificate_found: Found, key_found: Found, trusted: Sequence[Certificate], judge: Judge) -> list[Finding]:
    """What is wrong with a node's certificate and its key, each at its own path."""
    row, findings = KUBELET.name, []
    chain, finding = read_certificates(certificate_found, row)
    key, key_finding = read_key(key_found, row)
    swapped = finding and key_finding and finding.cause == key_finding.cause == "key-cert-mismatch"
    findings += [one for one in (finding, None if swapped else key_finding) if one]
    fault = None
    if chain:
        fault = next(_leaf_faults(certificate_found.path, chain, trusted, judge), None)
        if key is not None and not reading.certifies(chain[0], keys.public_key_der(key)):
            sound = fault is None
            fault = Finding("key-cert-mismatch", key_found.path if sound else certificate_found.path, row,
                            "the private key is not the one that the certificate is for" if sound else
                            f"the certificate is not for the private key beside it; {fault.message if fault else ''}")
        findings += [fault] if fault else []
    if key_found.data is not None and key_found.mode & 0o077 and not swapped:
        findings.append(Finding("key-exposed", key_found.path, row, "others than its owner can read the private key",
                                got=f"mode {key_found.mode:04o}", expected="mode 0600"))
    if chain and fault is None:
        findings += _leaf_warnings(certificate_found.path, chain, trusted, judge)
    return findings


def _leaf_faults(path: str, chain: Sequence[Certificate], trusted: Sequence[Certificate],
                 judge: Judge) -> Iterator[Finding]:
    """The faults of a node's certificate, the root of them first: whose it is, its time, its signer, its uses."""
    leaf = chain[0]
    for fault in (_identity_fault(path, leaf, judge),
                  _time_fault("expired-client-cert", path, KUBELET.name, leaf, judge),
                  _weakness(path, chain, trusted), _signer_fault(path, chain, trusted), _usage_fault(path, leaf),
                  _name_fault(path, leaf, judge)):
        if fault:
            yield fault


def _identity_fault(path: str, leaf: Certificate, judge: Judge) -> Finding | None:
    return identity_fault(path, reading.certificate_subject(leaf), judge.node)


def identity_fault(path: str, subject: reading.Subject, node: str) -> Finding | None:
    """Why a subject is not that node's, None where it is (the Node authorizer's rule)."""
    def finding(cause: str, message: str) -> Finding:
        got = "/".join([f"CN={subject.user}", *(f"O={group}" for group in subject.groups)])
        return Finding(cause, path, KUBELET.name, message, got=got, expected=f"CN={NODE_PREFIX}{node}/O={NODES_GROUP}")

    if not subject.user.startswith(NODE_PREFIX):
        return finding("wrong-subject", f"its owner is {subject.user!r}, which is no node: a node's CN begins with "
                       f"{NODE_PREFIX}, and the API server gives any other no right to act as one")
    other = subject.user.removeprefix(NODE_PREFIX)
    if other == node:
        if NODES_GROUP in subject.groups:
            return None
        return finding("wrong-organisation", f"its owner is {subject.user!r}, but not in the group {NODES_GROUP} (O): "
                       "the API server does not take it for a node")
    answer = (f'the API server will answer: nodes "{node}" is forbidden: node "{other}" is not allowed to modify node '
              f'"{node}" (before 1.14: node "{other}" cannot modify node "{node}")')
    if _first_label(other) == _first_label(node):
        return finding("hostname-case-fqdn", f"it names the node {other!r}, this is {node!r}: they differ by case or "
                       f"domain only, and are two nodes all the same; {answer}")
    return finding("wrong-node-identity", f"it is node {other}'s certificate, and this is {node}; {answer}")


def _first_label(name: str) -> str:
    return name.lower().partition(".")[0]


def _time_fault(expired: str, path: str, row: str, certificate: Certificate, judge: Judge) -> Finding | None:
    if judge.now > certificate.not_valid_after_utc:
        return Finding(expired, path, row, f"it expired on {day(certificate.not_valid_after_utc)}",
                       got=day(certificate.not_valid_after_utc), expected=f"after {day(judge.now)}")
    if judge.now < certificate.not_valid_before_utc:
        start = day(certificate.not_valid_before_utc)
        return Finding("not-yet-valid", path, row, f"it is not valid before {start}, and it is {day(judge.now)} here",
                       got=start, expected=f"before {day(judge.now)}")
    return None


def _weakness(path: str, chain: Sequence[Certificate], trusted: Sequence[Certificate]) -> Finding | None:
    """What Go refuses in a chain or a handshake: MD5 and SHA-1 signatures, RSA keys under 1024 bits, odd curves."""
    for certificate in chain:
        if certificate in trusted:      # nobody looks at a root's own signature
            continue
        algorithm = certificate.signature_hash_algorithm
        if algorithm is not None and algorithm.name in ("md5", "sha1"):
            return Finding("weak-signature-or-key", path, KUBELET.name, f"it is signed with {algorithm.name.upper()}, "
                           "which Go refuses",
                           got=algorithm.name, expected="sha256")
        key = certificate.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in GO_CURVES:
            return Finding("weak-signature-or-key", path, KUBELET.name,
                           f"its key is on the curve {key.curve.name}, which Go refuses",
                           got=key.curve.name, expected=", ".join(GO_CURVES))
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SHORTEST_GO:
            return Finding("weak-signature-or-key", path, KUBELET.name,
                           f"its RSA key has {key.key_size} bits, which Go refuses",
                           got=str(key.key_size), expected=f"{SHORTEST_RSA} or more")
    return None


def _signer_fault(path: str, chain: Sequence[Certificate], trusted: Sequence[Certificate]) -> Finding | None:
    """Whether the chain ends at one of the CAs that count; nothing to say where none is known."""
    if not trusted or _signer(chain, trusted) is not None:
        return None
    issuer = reading.issuer_text(chain[0])
    same_name = any(reading.is_named_issuer(one, chain[0]) for one in trusted)
    why = "a CA of the same name, but with another key" if same_name else f"{issuer}, not by the cluster's CA"
    return Finding("unknown-authority", path, KUBELET.name, f"it was signed by {why}", got=issuer,
                   expected=reading.subject_text(trusted[0]))


def _signer(chain: Sequence[Certificate], trusted: Sequence[Certificate]) -> Certificate | None:
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


def _usage_fault(path: str, leaf: Certificate) -> Finding | None:
    for usage in reversed(KUBELET.usages):
        if not reading.usable_for(leaf, usage):
            return Finding("wrong-eku", path, KUBELET.name, f"it may not be used for {usage}, and the kubelet is client"
                           " and server with it", expected=", ".join(KUBELET.usages))
    return None


def _name_fault(path: str, leaf: Certificate, judge: Judge) -> Finding | None:
    """A kubelet is reached by its name or its address; a certificate of addresses alone (CoreOS) is as good."""
    names = reading.names_of(reading.extensions_of(leaf))
    if names is None:
        return Finding("legacy-cn-no-san", path, KUBELET.name, "it has no subjectAltName, and Go takes no CN for one",
                       expected=f"DNS:{judge.node}")
    if names.dns and judge.node not in [name.lower() for name in names.dns] or not (names.dns or names.addresses):
        return Finding("missing-san-dns", path, KUBELET.name, f"it does not name {judge.node}",
                       got=", ".join(names.dns + names.addresses), expected=f"DNS:{judge.node}")
    return None


def _leaf_warnings(path: str, chain: Sequence[Certificate], trusted: Sequence[Certificate],
                   judge: Judge) -> Iterator[Finding]:
    from ..stages.verification.verify import verify
    leaf, row = chain[0], KUBELET.name
    signer = _signer(chain, trusted) if trusted else None
    if signer is not None and _ca_fault(judge.ca_path, "ca", signer, judge):
        signer = None       # what is wrong with the CA is said of the CA
    left, key = leaf.not_valid_after_utc - judge.now, leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        yield Finding("weak-signature-or-key", path, row, f"its RSA key has {key.key_size} bits, which is little",
                      got=str(key.key_size), expected=f"{SHORTEST_RSA} or more", mild=True)
    if left < judge.within:
        yield Finding("expiring-soon", path, row, f"it ends on {day(leaf.not_valid_after_utc)}, in {left.days} days")
    if signer is not None and leaf.not_valid_after_utc > signer.not_valid_after_utc:
        yield Finding("outlives-ca", path, row, f"it ends on {day(leaf.not_valid_after_utc)}, its CA already on "
                      f"{day(signer.not_valid_after_utc)}")
    if signer is not None:
        verdict = verify(leaf, [signer], untrusted=list(chain[1:]), now=judge.now, strict=True, partial_chain=True)
        if not verdict.ok:
            at_ca = verdict.depth >= len(chain)
            yield Finding("strict-refused", judge.ca_path if at_ca else path, "ca" if at_ca else row,
                          f"strict verification refuses it: {verdict.reason}", got=verdict.reason)


def _kubeconfig(inventory: Inventory, place: Place, trusted: Sequence[Certificate], judge: Judge) -> list[Finding]:
    path = place.kubeconfig or ""
    found = inventory.found[path]
    data, finding = readable(found, place.row)
    if data is None:
        return [finding] if finding else []
    try:
        kubeconfig = load_kubeconfig(data)
    except InputError as error:
        return [Finding("kubeconfig-broken", path, place.row, error.message)]
    findings = []
    user, cluster = f"{path}#users/{kubeconfig.user_name}", f"{path}#clusters/{kubeconfig.cluster_name}"

    def taken(material: Material, where: str) -> Found:
        """What a component would load: the data itself, or the file that is named."""
        if material.data is not None:
            return Found(where, material.data, 0)
        named = named_path(path, material.path or "")
        return inventory.found.get(named, Found(named, missing=True))

    for what, owner, where, material in (
            ("certificate-authority", f"cluster {kubeconfig.cluster_name!r}", cluster, kubeconfig.authority),
            ("client-certificate", f"user {kubeconfig.user_name!r}", user, kubeconfig.certificate),
            ("client-key", f"user {kubeconfig.user_name!r}", user, kubeconfig.key)):
        if material == Material():
            return [Finding("kubeconfig-broken", where, place.row, f"{owner} has no {what}")]

    own = {one.certificate for one in inventory.layout.places} | {one.key for one in inventory.layout.places}
    certificate, key = taken(kubeconfig.certificate, user), taken(kubeconfig.key, user)
    if {certificate.path, key.path} - own:
        findings += _pair(certificate, key, trusted, judge)
    authority = taken(kubeconfig.authority, cluster)
    if authority.path not in own:
        findings += _kubeconfig_authority(authority, cluster, trusted)
    embeds = kubeconfig.key.data is not None
    if embeds and found.mode & 0o077:
        findings.append(Finding("key-exposed", path, place.row, "others than its owner can read the key in it",
                                got=f"mode {found.mode:04o}", expected="mode 0600"))
    return findings


def _kubeconfig_authority(found: Found, where: str, trusted: Sequence[Certificate]) -> list[Finding]:
    certificates, finding = read_certificates(found, "ca")
    if finding:
        return [finding]
    if trusted and not any(one in trusted for one in certificates):
        return [Finding("kubeconfig-wrong-ca", where, KUBELET.name, "it trusts another CA than the cluster's: "
                        + _who(certificates[0]), got=_fingerprint(certificates[0]), expected=_fingerprint(trusted[0]))]
    return []


def _who(certificate: Certificate) -> str:
    return reading.subject_text(certificate)


def _fingerprint(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256
    return certificate.fingerprint(SHA256()).hex()
