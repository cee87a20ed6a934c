"""What is wrong with one row: what is found of it held against what is wanted of it."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import eq
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ... import pem
from ...errors import InputError
from ...kubernetes import reading
from ...kubernetes.kubeconfig import (Kubeconfig, KubeconfigError, Material, dump_kubeconfig, load_kubeconfig,
                                      same_kubeconfig)
from ...kubernetes.layouts import KUBELET_CURRENT, SIGNER
from ...kubernetes.profiles import NODE_PREFIX, find_profile
from ...stages import keys
from ..inventory import Found, named_path
from ..wanted import Row
from .contents import Finding, read_certificates, read_key, read_public_keys, readable
from .issued import is_as_issued, is_as_made
from .leaves import DATES, Judge, Kind, ca_fault, date_warnings, leaf_faults, leaf_warnings, signer_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

Look = Callable[[str], Found]
_SECRET = b"PRIVATE KEY-----"
_NOTHING = Material()


@dataclass(slots=True)
class Judged:
    """What was found of a row, and what is wrong with it.

    *key* and *chain* are what the pair's files (or the kubeconfig that embeds it) hold, where they can be read;
    *public_key* is the key's public half (DER), where it was asked for. *pair_right* and *kubeconfig_right* say whether
    those files can stay as they are, *own* is false for a key that the right certificate beside it is not for.
    """

    findings: list[Finding] = field(default_factory=list)
    key: PrivateKeyTypes | None = None
    public_key: bytes = b""
    chain: Sequence[Certificate] = ()
    pair_right: bool = False
    kubeconfig_right: bool = False
    own: bool = True

    @property
    def of_another_host(self) -> bool:
        """Whether the pair is another host's, key and all."""
        return any(one.cause == "wrong-node-identity" or one.cause == "wrong-subject"
                   and find_profile(one.row).common_name == "{node}" for one in self.findings)

    @property
    def is_hosts(self) -> bool:
        """Whether the key that was found is the host's own."""
        return self.own and not self.of_another_host


def judge(row: Row, look: Look, by: Judge) -> Judged:
    """Hold what is found of a row against what is wanted of it. Raises nothing for what is in the tree."""
    if row.profile.kind == "ca":
        return _judge_authority(row, look, by)
    if row.profile.kind == "key":
        return _judge_service_accounts(row, look, by)
    place, judged = row.place, Judged()
    if place.certificate or place.key:
        certificate, key = (look(path) if path else None for path in (place.certificate, place.key))
        judged = _judge_pair(row, certificate, key, by)
    if place.kubeconfig:
        config = _judge_kubeconfig(row, look, by)
        judged.kubeconfig_right = config.kubeconfig_right
        judged.findings += [one for one in config.findings if one not in judged.findings]
        if not place.certificate:
            judged = replace(config, findings=judged.findings)
    return judged


def _judge_authority(row: Row, look: Look, by: Judge) -> Judged:
    """A CA's file on a host: the CA that counts is in it, and where the host has its key, that is the CA's."""
    path, signer = row.place.certificate, by.signers.get(row.name)
    chain, finding = read_certificates(look(path), row.name)
    findings = [finding] if finding else []
    fault = None if finding else _authority_fault(path, row, chain, by)
    findings += [fault] if fault else []
    judged = Judged(findings, chain=chain, pair_right=not findings)
    if by.forbidden and row.name == "ca":
        judged.findings += [Finding("ca-key-on-worker", key_path, name, "a worker signs nothing, and whoever reads "
                                    "this key can be anybody in the cluster")
                            for key_path, name in by.forbidden if not look(key_path).missing]
    if by.forbidden or not (row.with_key and row.place.key) or fault:
        return judged       # by a certificate that is wrong nothing can be said of the key
    found = look(row.place.key)
    if found.missing and not by.exact:
        return judged       # a CA without its key is an external CA
    key, finding = read_key(found, row.name)
    if finding is None and key is not None and chain \
            and not any(reading.certifies(one, keys.public_key_der(key)) for one in ([signer] if signer else chain)):
        finding = Finding("key-cert-mismatch", found.path, row.name, "the private key is not the CA certificate's")
    judged.findings += [finding] if finding else []
    judged.findings += exposed(found, row.name)
    judged.key, judged.pair_right = key, not judged.findings
    return judged


def _authority_fault(path: str, row: Row, certificates: Sequence[Certificate], by: Judge) -> Finding | None:
    """Why CA certificates are not the cluster's, or not good; what is wrong with the right CA's comes first."""
    expected = by.trusted(row.name) if row.name in by.sure else ()
    if row.name in by.sure and not expected and not by.exact:
        fault = ca_fault(path, row.name, certificates[0], by.now)
        if fault and fault.cause == "ca-not-a-ca":
            return fault
        return Finding("unknown-authority", path, row.name, f"it is not {_called(row.name)}: it signed none of "
                       "the certificates here", got=reading.subject_text(certificates[0]))
    if row.place.only == SIGNER:
        if len(certificates) > 1:
            return Finding("unknown-authority", path, row.name, f"it holds {len(certificates)} certificates, and "
                           "kube-controller-manager takes the one that signs, alone")
        expected = [by.signers[row.name]] if row.name in by.signers else expected
    faults = [ca_fault(path, row.name, one, by.now) for one in certificates]
    fault = faults[0] if all(faults) else None      # a bundle may hold a CA of the past, as long as one is good
    if fault and any(reading.is_same_authority(one, other) for one in certificates for other in expected):
        return fault
    return _stranger("unknown-authority", path, row, row.name, certificates, expected, by) or fault


# Cause → what is said where the CA is gone, and where it is another.
_STRANGERS = {
    "unknown-authority": ("it is not {}, which is not there any more", "it is not {}: "),
    "kubeconfig-wrong-ca": ("it trusts a CA that is not there any more", "it trusts another CA than {}: ")}
_CALLED = {"ca": "the cluster's CA", "etcd-ca": "etcd's CA", "front-proxy-ca": "the front proxy's CA"}


def _called(row: str) -> str:
    return _CALLED.get(row, "the CA")


def _stranger(cause: str, path: str, row: Row, ca: str, certificates: Sequence[Certificate],
              expected: Sequence[Certificate], by: Judge) -> Finding | None:
    """Why CA certificates are not those of the CA's row *ca* that are *expected*, None where they are."""
    gone, another = (words.format(_called(ca)) for words in _STRANGERS[cause])
    if ca in by.unmade:
        return Finding(cause, path, row.name, gone, got=_fingerprint(certificates[0]))
    same = eq if by.exact else reading.is_same_authority
    there = [any(same(one, other) for other in certificates) for one in expected]
    if not expected or (all(there) if by.exact else any(there)):
        return None
    named = reading.subject_text(certificates[0])
    if named in map(reading.subject_text, expected):
        named += ", which has the same name but another key"
    return Finding(cause, path, row.name, another + named, got=_fingerprint(certificates[0]),
                   expected=_fingerprint(expected[there.index(False)]))


def _judge_service_accounts(row: Row, look: Look, by: Judge) -> Judged:
    """The pair that signs service-account tokens: the public key is the private key's, and the cluster's."""
    findings: list[Finding] = []
    public_keys, key = list[bytes](), None
    if row.place.certificate:
        there = look(row.place.certificate)
        public_keys, finding = read_public_keys(there, row.name)
        findings += [finding] if finding else exposed(there, row.name) if _SECRET in (there.data or b"") else []
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
    return Judged(findings, key=key, pair_right=not findings)


def _judge_pair(row: Row, certificate_found: Found | None, key_found: Found | None, by: Judge) -> Judged:
    """What is wrong with a leaf and its key, each at its own path; None is a half that nobody asks for."""
    findings: list[Finding] = []
    key, key_finding = read_key(key_found, row.name) if key_found else (None, None)
    if certificate_found is None:
        return Judged([key_finding] if key_finding else exposed(key_found, row.name) if key_found else [], key=key)
    issued = _as_issued(certificate_found, key, row, by) if key is not None and by.exact else None
    if issued and (not by.warns or issued.kind in by.proved or _is_own(issued.signer, row, by)):
        findings = exposed(key_found, row.name) if key_found else []
        if by.warns:
            findings += date_warnings(certificate_found.path, issued.leaf, issued.signer, row, by)
        return Judged(findings, key=key, public_key=issued.public_key, chain=[issued.leaf], pair_right=True)
    chain, finding = read_certificates(certificate_found, row.name)
    if chain and _only_serves(row) and _is_self_made(chain, by):
        return Judged([Finding("kubelet-serving-self-signed", certificate_found.path, row.name, "the kubelet made it "
                               "for itself: an API server with --kubelet-certificate-authority refuses it, and so does "
                               "whoever else verifies it", got=reading.issuer_text(chain[0]))], key=key, chain=chain)
    swapped = finding and key_finding and finding.cause == key_finding.cause == "key-cert-mismatch"
    if finding and swapped:
        finding = replace(finding, message=f"{finding.message}: certificate and key are swapped")
    findings += [one for one in (finding, None if swapped else key_finding) if one]
    fault, wrong = None, certificate_found
    if chain:
        fault = next(leaf_faults(certificate_found.path, chain, row, by), None)
        if key is not None and not reading.certifies(chain[0], keys.public_key_der(key)):
            sound, wrong = fault is None, certificate_found if fault or key_found is None else key_found
            fault = Finding("key-cert-mismatch", wrong.path, row.name,
                            "the private key is not the one that the certificate is for" if sound else
                            f"the certificate is not for the private key beside it; {fault.message if fault else ''}")
        findings += [fault] if fault else []
    if key_found and not swapped and _SECRET in (key_found.data or b""):
        findings += exposed(key_found, row.name)
    if chain and fault is None and by.warns:
        findings += leaf_warnings(certificate_found.path, chain, row, by)
    right = not any(one.severity == "error" and one.cause != "key-exposed" for one in findings)
    if issued and {one.cause for one in findings} <= _PASSING \
            and signer_of(chain, by.trusted(row.profile.signer)) == issued.signer \
            and not reading.limits_names(issued.signer):
        by.proved.add(issued.kind)
    return Judged(findings, key=key, chain=chain, pair_right=right, own=not (fault and wrong is key_found))


def _only_serves(row: Row) -> bool:
    """Whether a kubelet's pair is shown to those who call it and nobody else: its kubeconfig has one of its own."""
    return row.name == "kubelet-serving" or row.name == "kubelet" and row.place.kubeconfig != "" \
        and not row.place.by_path


def _is_self_made(chain: Sequence[Certificate], by: Judge) -> bool:
    """Whether a chain ends at a CA of its own, as the kubelet's does that has made its serving certificate itself."""
    return reading.is_named_issuer(chain[-1], chain[-1]) and not any(
        reading.is_same_authority(chain[-1], one) for one in by.trusted("ca"))


class _Issued(NamedTuple):
    """A leaf that is just what kpki issues for its key, and in its time, and the *kind* that it is of."""

    leaf: Certificate
    public_key: bytes
    signer: Certificate
    kind: Kind


def _is_own(signer: Certificate, row: Row, by: Judge) -> bool:
    """Whether the CA of a row is one that kpki has made, and in its time: then nothing else can be wrong with it."""
    return (by.trusted(row.profile.signer)[0] == signer and is_as_made(signer, find_profile(row.profile.signer or ""))
            and signer.not_valid_before_utc <= by.now <= signer.not_valid_after_utc)


# What is wrong with one leaf, and says nothing of the next that is issued like it.
_PASSING = DATES | {"key-exposed"}


def _as_issued(found: Found, key: PrivateKeyTypes, row: Row, by: Judge) -> _Issued | None:
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


def serial_reused(row: Row, leaf: Certificate) -> Finding:
    """The finding for a certificate whose CA gave its serial number to another as well."""
    return Finding("serial-reused", row.place.certificate or row.place.kubeconfig, row.name, "another certificate of "
                   "the same CA has the same serial number", got=f"{reading.serial_number(leaf):x}")


def exposed(found: Found, row: str, what: str = "the private key") -> list[Finding]:
    """The finding for a secret that others than its owner can read; none where nobody can."""
    if not found.data or not found.mode & 0o077:
        return []
    return [Finding("key-exposed", found.path, row, f"others than its owner can read {what}",
                    got=f"mode {found.mode:04o}", expected="mode 0600")]


# What keeps the kubelet from reading its own store.
_UNREADABLE = ("file-missing", "key-unreadable", "bad-pem", "malformed-x509")


def _judge_current(row: Row, certificate: Found, key: Found, by: Judge) -> Judged:
    """The pair that the kubelet has got for itself: one file, that a link leads to (client-go, util/certificate)."""
    judged = _judge_pair(row, certificate, key, by)
    broken = next((one for one in judged.findings if one.cause in _UNREADABLE), None)
    if broken:
        return Judged([Finding("kubelet-client-current-broken", broken.path, row.name, "the kubelet's own client "
                               f"certificate cannot be used: {broken.message}")])
    if not certificate.link and not judged.findings:
        judged.findings.append(Finding("kubelet-client-current-broken", certificate.path, row.name, "it is a file, and "
                                       "the kubelet, which wants a link here, will not rotate it", mild=True))
    return judged


def _judge_kubeconfig(row: Row, look: Look, by: Judge) -> Judged:
    """A kubeconfig: it can be read, leads to this cluster, trusts its CA, and a pair of its own is right."""
    path, judged = row.place.kubeconfig, Judged()
    found = look(path)
    data, finding = readable(found, row.name)
    if data is None:
        judged.findings += [finding] if finding else []
        return judged
    try:
        kubeconfig = _as_written(data, row, by) or load_kubeconfig(data)
    except InputError as error:
        where = f"{path}#{error.where}" if isinstance(error, KubeconfigError) else path
        judged.findings.append(Finding("kubeconfig-broken", where, row.name, error.message))
        return judged
    user, cluster = f"{path}#users/{kubeconfig.user_name}", f"{path}#clusters/{kubeconfig.cluster_name}"

    def place_of(material: Material, where: str) -> str:
        return where if material.data is not None else named_path(path, material.path or "")

    def taken(material: Material, where: str) -> Found:
        """What a component would load: the data itself, or the file that is named."""
        there = place_of(material, where)
        return look(there) if material.data is None else Found(there, material.data, 0)

    for what, owner, where, material in (
            ("certificate-authority", f"cluster {kubeconfig.cluster_name!r}", cluster, kubeconfig.authority),
            ("client-certificate", f"user {kubeconfig.user_name!r}", user, kubeconfig.certificate),
            ("client-key", f"user {kubeconfig.user_name!r}", user, kubeconfig.key)):
        if material == _NOTHING and row.name and not (kubeconfig.other_means and where == user
                                                      and not row.identity.user.startswith(NODE_PREFIX)):
            # whoever is no row may have other means, or trust other CAs
            judged.findings.append(Finding("kubeconfig-broken", where, row.name, f"{owner} has no {what}"))
            return judged
    pair = kubeconfig.certificate, kubeconfig.key
    named = {place_of(one, user) for one in pair}
    judged.pair_right = True
    if kubeconfig.certificate != _NOTHING and named - {row.place.certificate, row.place.key}:
        certificate, key = (taken(one, user) for one in pair)
        judged = (_judge_current if KUBELET_CURRENT in named else _judge_pair)(row, certificate, key, by)
    if kubeconfig.authority != _NOTHING and place_of(kubeconfig.authority, cluster) not in by.authority_paths:
        authority = taken(kubeconfig.authority, cluster)
        judged.findings += filter(None, [_kubeconfig_authority(authority, cluster, row, by)])
    judged.findings += filter(None, [_server_fault(kubeconfig, cluster, row, by)])
    if kubeconfig.key.data is not None or kubeconfig.token:
        judged.findings += exposed(Found(path, data, found.mode), row.name,
                                   "the token in it" if kubeconfig.token else "the key in it")
    judged.kubeconfig_right = not any(one.severity == "error" and one.cause != "key-exposed"
                                      for one in judged.findings)
    return judged


def _as_written(data: bytes, row: Row, by: Judge) -> Kubeconfig | None:
    """A kubeconfig that is just as kpki writes it, read in a fraction of the time; None for any other."""
    trusted, place = by.trusted("ca"), row.place
    if row.kubeconfig is None or not trusted:
        return None
    if place.by_path:
        authority, certificate, key = (Material(path=f"/{path}") for path in (
            by.authority_path("ca"), place.certificate, place.key))
        named = replace(row.kubeconfig, authority=authority, certificate=certificate, key=key)
        return named if data == dump_kubeconfig(named) else None
    wanted = replace(row.kubeconfig, authority=Material(data=_bundle(tuple(trusted))))
    pair = same_kubeconfig(data, wanted)
    return pair and replace(wanted, certificate=Material(data=pair[0]), key=Material(data=pair[1]))


@lru_cache(maxsize=1)
def _bundle(certificates: tuple[Certificate, ...]) -> bytes:
    return pem.dump_certificates(certificates)


def _kubeconfig_authority(found: Found, where: str, row: Row, by: Judge) -> Finding | None:
    certificates, finding = read_certificates(found, row.name)
    finding = finding or _stranger("kubeconfig-wrong-ca", where, row, "ca", certificates, by.trusted("ca"), by)
    if finding or by.exact or "ca" in by.faulty:
        return finding
    faults = [ca_fault(where, row.name, one, by.now) for one in certificates]
    return faults[0] if all(faults) else None


def _server_fault(kubeconfig: Kubeconfig, where: str, row: Row, by: Judge) -> Finding | None:
    """Whether the kubeconfig leads to an API server of the cluster; nothing to say where none is known."""
    try:
        url = urlsplit(kubeconfig.server)
        host = url.hostname or "" if url.port != 0 else ""
    except ValueError:
        host = ""
    if by.servers is None and not host:
        return Finding("kubeconfig-broken", where, row.name, f"{kubeconfig.server!r} leads to no server")
    if by.servers is None or host in by.servers:
        return None
    return Finding("kubeconfig-broken", where, row.name, f"it leads to {kubeconfig.server}, which is no API server of "
                   "this cluster", got=kubeconfig.server, expected=row.kubeconfig.server if row.kubeconfig else "")


def _fingerprint(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256
    return certificate.fingerprint(SHA256()).hex()
