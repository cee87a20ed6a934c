"""What is wrong with a tree: wanted − found, row by row, each fault named once, at its root."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import pem
from ..errors import InputError
from ..kubernetes import reading
from ..kubernetes.kubeconfig import Kubeconfig, KubeconfigError, Material, load_kubeconfig, same_kubeconfig
from ..kubernetes.layouts import SIGNER, Layout
from ..kubernetes.profiles import find_profile, identity_of
from ..stages import keys
from .contents import Finding, read_certificates, read_key, read_public_keys, readable
from .inventory import Found, Inventory, named_path
from .issued import is_as_issued
from .leaves import WITHIN, Judge, ca_fault, leaf_faults, leaf_warnings
from .wanted import Row

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

Look = Callable[[str], Found]


@dataclass(slots=True)
class Judged:
    """What was found of a row, and what is wrong with it.

    *key* and *chain* are what the pair's files (or the kubeconfig that embeds it) hold, where they can be read;
    *pair_right* and *kubeconfig_right* say whether those files can stay as they are.
    """

    findings: list[Finding] = field(default_factory=list)
    key: PrivateKeyTypes | None = None
    chain: Sequence[Certificate] = ()
    pair_right: bool = False
    kubeconfig_right: bool = False


def judge(row: Row, look: Look, by: Judge) -> Judged:
    """Hold what is found of a row against what is wanted of it. Raises nothing for what is in the tree."""
    if row.profile.kind == "ca":
        return _judge_authority(row, look, by)
    if row.profile.kind == "key":
        return _judge_service_accounts(row, look, by)
    place, judged = row.place, Judged()
    if place.certificate:
        judged = _judge_pair(row, look(place.certificate), look(place.key), by)
    if place.kubeconfig:
        config = _judge_kubeconfig(row, look, by)
        judged.kubeconfig_right = config.kubeconfig_right
        judged.findings += [one for one in config.findings if one not in judged.findings]
        if not place.certificate:
            judged.key, judged.chain, judged.pair_right = config.key, config.chain, config.pair_right
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
    if by.forbidden or not (row.with_key and row.place.key):
        return judged
    found = look(row.place.key)
    if found.missing and not by.exact:
        return judged       # a CA without its key is an external CA
    key, finding = read_key(found, row.name)
    if finding is None and key is not None and chain \
            and not any(reading.certifies(one, keys.public_key_der(key)) for one in ([signer] if signer else chain)):
        finding = Finding("key-cert-mismatch", found.path, row.name, "the private key is not the CA certificate's")
    judged.findings += [finding] if finding else []
    judged.findings += exposed(found, row)
    judged.key, judged.pair_right = key, not judged.findings
    return judged


def _authority_fault(path: str, row: Row, certificates: Sequence[Certificate], by: Judge) -> Finding | None:
    expected = by.trusted(row.name) if by.known else ()
    if row.place.only == SIGNER:
        if len(certificates) > 1:
            return Finding("unknown-authority", path, row.name, f"it holds {len(certificates)} certificates, and "
                           "kube-controller-manager takes the one that signs, alone")
        expected = [by.signers[row.name]] if row.name in by.signers else expected
    faults = [ca_fault(path, row.name, one, by.now) for one in certificates]
    return _stranger("unknown-authority", path, row, row.name, certificates, expected, by) \
        or (faults[0] if all(faults) else None)     # a bundle may hold a CA of the past, as long as one is good


# Cause → what is said where the CA is gone, and where it is another.
_STRANGERS = {
    "unknown-authority": ("it is not the cluster's CA, which is not there any more", "it is not the cluster's CA: "),
    "kubeconfig-wrong-ca": ("it trusts a CA that is not there any more", "it trusts another CA than the cluster's: ")}


def _stranger(cause: str, path: str, row: Row, ca: str, certificates: Sequence[Certificate],
              expected: Sequence[Certificate], by: Judge) -> Finding | None:
    """Why CA certificates are not those of the CA's row *ca* that are *expected*, None where they are."""
    gone, another = _STRANGERS[cause]
    if ca in by.unmade:
        return Finding(cause, path, row.name, gone, got=_fingerprint(certificates[0]))
    there = [one in certificates for one in expected]
    if not expected or (all(there) if by.exact else any(there)):
        return None
    return Finding(cause, path, row.name, another + reading.subject_text(certificates[0]),
                   got=_fingerprint(certificates[0]), expected=_fingerprint(expected[there.index(False)]))


def _judge_service_accounts(row: Row, look: Look, by: Judge) -> Judged:
    """The pair that signs service-account tokens: the public key is the private key's, and the cluster's."""
    findings: list[Finding] = []
    public_found = look(row.place.certificate)
    public_keys, finding = read_public_keys(public_found, row.name)
    findings += [finding] if finding else []
    key = None
    if row.with_key:
        found = look(row.place.key)
        key, finding = read_key(found, row.name)
        findings += [finding] if finding else exposed(found, row)
    own = by.service_accounts or (keys.public_key_der(key) if key is not None else None)
    there = ((row.place.certificate, public_keys), (row.place.key, [keys.public_key_der(key)] if key else []))
    for path, known in there:
        if known and own is not None and own not in known:
            findings.append(Finding("sa-key-mismatch", path, row.name, "it is another key than the one that signs the "
                                    "service accounts' tokens: every token is refused"))
    return Judged(findings, key=key, pair_right=not findings)


def _judge_pair(row: Row, certificate_found: Found, key_found: Found, by: Judge) -> Judged:
    """What is wrong with a leaf and its key, each at its own path."""
    findings: list[Finding] = []
    key, key_finding = read_key(key_found, row.name)
    if key is not None and by.exact and not by.warns and (leaf := _as_issued(certificate_found, key, row, by)):
        return Judged(exposed(key_found, row), key=key, chain=[leaf], pair_right=True)
    chain, finding = read_certificates(certificate_found, row.name)
    swapped = finding and key_finding and finding.cause == key_finding.cause == "key-cert-mismatch"
    findings += [one for one in (finding, None if swapped else key_finding) if one]
    fault = None
    if chain:
        fault = next(leaf_faults(certificate_found.path, chain, row, by), None)
        if key is not None and not reading.certifies(chain[0], keys.public_key_der(key)):
            sound = fault is None
            fault = Finding("key-cert-mismatch", key_found.path if sound else certificate_found.path, row.name,
                            "the private key is not the one that the certificate is for" if sound else
                            f"the certificate is not for the private key beside it; {fault.message if fault else ''}")
        findings += [fault] if fault else []
    if not swapped:
        findings += exposed(key_found, row)
    if chain and fault is None and by.warns:
        findings += leaf_warnings(certificate_found.path, chain, row, by)
    right = not any(one.severity == "error" and one.cause != "key-exposed" for one in findings)
    return Judged(findings, key=key, chain=chain, pair_right=right)


def _as_issued(found: Found, key: PrivateKeyTypes, row: Row, by: Judge) -> Certificate | None:
    """The certificate of a file, where it is just what kpki issues for that key, and in its time; else None."""
    if (block := pem.only_block(found.data or b"")) is None or block.label != "CERTIFICATE":
        return None
    try:
        leaf = pem.load_certificate(block.der, encoding="DER")
        if not leaf.not_valid_before_utc <= by.now <= leaf.not_valid_after_utc:
            return None
        public_key = keys.public_key_der(key)
        right = any(is_as_issued(leaf, row, public_key, one) for one in by.trusted(row.profile.signer))
    except ValueError:
        return None     # whatever cannot be read of it: who reads it in full says so
    return leaf if right else None


def exposed(found: Found, row: Row, what: str = "the private key") -> list[Finding]:
    """The finding for a secret that others than its owner can read; none where nobody can."""
    if found.data is None or not found.mode & 0o077:
        return []
    return [Finding("key-exposed", found.path, row.name, f"others than its owner can read {what}",
                    got=f"mode {found.mode:04o}", expected="mode 0600")]


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

    def taken(material: Material, where: str) -> Found:
        """What a component would load: the data itself, or the file that is named."""
        if material.data is not None:
            return Found(where, material.data, 0)
        return look(named_path(path, material.path or ""))

    for what, owner, where, material in (
            ("certificate-authority", f"cluster {kubeconfig.cluster_name!r}", cluster, kubeconfig.authority),
            ("client-certificate", f"user {kubeconfig.user_name!r}", user, kubeconfig.certificate),
            ("client-key", f"user {kubeconfig.user_name!r}", user, kubeconfig.key)):
        if material == Material():
            judged.findings.append(Finding("kubeconfig-broken", where, row.name, f"{owner} has no {what}"))
            return judged
    certificate, key = taken(kubeconfig.certificate, user), taken(kubeconfig.key, user)
    judged.pair_right = True
    if {certificate.path, key.path} - {row.place.certificate, row.place.key}:
        judged = _judge_pair(row, certificate, key, by)
    authority = taken(kubeconfig.authority, cluster)
    if authority.path not in by.authority_paths:
        judged.findings += filter(None, [_kubeconfig_authority(authority, cluster, row, by)])
    judged.findings += filter(None, [_server_fault(kubeconfig, cluster, row, by)])
    if kubeconfig.key.data is not None:
        judged.findings += exposed(Found(path, data, found.mode), row, "the key in it")
    judged.kubeconfig_right = not any(one.severity == "error" and one.cause != "key-exposed"
                                      for one in judged.findings)
    return judged


def _as_written(data: bytes, row: Row, by: Judge) -> Kubeconfig | None:
    """A kubeconfig that is just as kpki writes it, read in a fraction of the time; None for any other."""
    trusted = by.trusted("ca")
    if row.kubeconfig is None or not trusted:
        return None
    wanted = replace(row.kubeconfig, authority=Material(data=_bundle(tuple(trusted))))
    pair = same_kubeconfig(data, wanted)
    return pair and replace(wanted, certificate=Material(data=pair[0]), key=Material(data=pair[1]))


@lru_cache(maxsize=1)
def _bundle(certificates: tuple[Certificate, ...]) -> bytes:
    return pem.dump_certificates(certificates)


def _kubeconfig_authority(found: Found, where: str, row: Row, by: Judge) -> Finding | None:
    certificates, finding = read_certificates(found, "ca")
    return finding or _stranger("kubeconfig-wrong-ca", where, row, "ca", certificates, by.trusted("ca"), by)


def _server_fault(kubeconfig: Kubeconfig, where: str, row: Row, by: Judge) -> Finding | None:
    """Whether the kubeconfig leads to an API server of the cluster; nothing to say where none is known."""
    if by.servers is None:
        return None
    try:
        host = urlsplit(kubeconfig.server).hostname or ""
    except ValueError:
        host = ""
    if host in by.servers:
        return None
    return Finding("kubeconfig-broken", where, row.name, f"it leads to {kubeconfig.server}, which is no API server of "
                   "this cluster", got=kubeconfig.server, expected=row.kubeconfig.server if row.kubeconfig else "")


def _fingerprint(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256
    return certificate.fingerprint(SHA256()).hex()


def check_node(inventory: Inventory, *, node: str, now: datetime, authorities: Sequence[Certificate] | None = None,
               within: timedelta = WITHIN) -> list[Finding]:
    """Everything that is wrong with a host's tree; an empty list, or warnings alone, where its components can work.

    Without a description: what a kubelet needs is wanted, and of any other row that has a file there the rest.
    *authorities* are the certificates of the cluster's CA that count, None: those in the tree. Raises nothing for what
    is in the tree.
    """
    rows = rows_there(inventory, node)
    own = {row.place.certificate: row.name for row in rows if row.profile.kind == "ca"}
    trusted = {name: read_certificates(inventory.look(path), name)[0] for path, name in reversed(own.items())}
    if authorities is not None:
        trusted["ca"] = list(authorities)
    judge_by = Judge(node=node, now=now, authorities=trusted, known=authorities is not None, authority_paths=own,
                     forbidden=ca_keys(inventory.layout) if _is_worker(rows) else (), within=within)
    return check_rows(rows, inventory.look, judge_by)


def rows_there(inventory: Inventory, node: str) -> list[Row]:
    """The rows of a tree without a description, each with the least that it must say."""
    layout, rows = inventory.layout, []
    for place in layout.places:
        if place not in layout.node_places() and all(inventory.look(path).missing for path in place.files()):
            continue
        profile = find_profile(place.row)
        names = {"node": (node,), "apiserver": ("kubernetes.default.svc",)}.get(profile.sans, ())
        with_key = profile.kind != "ca" or place.key != "" and not inventory.look(place.key).missing
        rows.append(Row(host=node, place=place, profile=profile, with_key=with_key, identity=identity_of(
            profile, node=node, administrators=layout.administrators, dns=names)))
    return rows


def _is_worker(rows: Iterable[Row]) -> bool:
    """Whether a host with these rows is a worker: no file there is a control plane's or etcd's."""
    return all(row.profile.kind == "ca" or row.profile.per == "node" or row.name == "admin" for row in rows)


def ca_keys(layout: Layout) -> tuple[tuple[str, str], ...]:
    """Where a layout has the keys of CAs, and of which."""
    return tuple((place.key, place.row) for place in layout.places
                 if place.key and find_profile(place.row).kind == "ca")


def check_rows(rows: Iterable[Row], look: Look, by: Judge) -> list[Finding]:
    """Everything that is wrong with these rows; an empty list, or warnings alone, where their components can work."""
    return [*dict.fromkeys(finding for row in rows for finding in judge(row, look, by).findings)]
