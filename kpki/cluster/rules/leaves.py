"""What Kubernetes has against a leaf: whose it is, its time, its strength, its signer, its uses, its names."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from .certificate import ca_fault, go_fault, node_fault, signer_of, subject_line, time_fault, weakness
from .context import RowContext
from ..authority import SHORTEST_RSA, day
from ..desired.rows import Row
from ..finding import Finding
from ...kubernetes import reading
from ...kubernetes.profiles import ADMINISTRATORS, MASTERS_GROUP, NODE_PREFIX

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# By whom a row is to be signed → the fault where it is signed by another.
_SIGNER_CAUSES = {"etcd-ca": "etcd-peer-cert", "front-proxy-ca": "front-proxy-ca"}


def leaf_faults(path: str, chain: Sequence[Certificate], row: Row, by: RowContext) -> Iterator[Finding]:
    """The faults of a leaf, the root of them first: whose it is, its time, its signer, its uses, its names."""
    leaf, trusted = chain[0], by.trusted(row.profile.signer)
    client = "clientAuth" in row.profile.usages
    for fault in (_identity_fault(path, leaf, row, by),
                  time_fault("expired-client-cert" if client else "expired-server-cert", path, row.name, leaf, by.now),
                  weakness(path, row.name, chain, trusted), _signer_fault(path, chain, row, by),
                  _usage_fault(path, leaf, row), _name_fault(path, leaf, row, by)):
        if fault:
            yield fault
    if fault := go_fault(path, row.name, chain, trusted, row.profile.usages, by.now):
        yield fault


def _identity_fault(path: str, leaf: Certificate, row: Row, by: RowContext) -> Finding | None:
    subject = reading.certificate_subject(leaf)
    if row.identity.user.startswith(NODE_PREFIX):
        return node_fault(path, row.name, subject, by.node)
    wanted, user = row.identity.groups, subject.user
    named = user == row.identity.user or row.profile.was_called(user)
    administers = ADMINISTRATORS in row.profile.organizations and MASTERS_GROUP in subject.groups
    groups = administers or set(wanted) <= {*subject.groups}
    if named and groups:
        return None
    if row.profile.sans.startswith("etcd") and not named:
        return Finding("wrong-subject", path, row.name, f"it is made out to {user!r}, and this is "
                       f"{row.identity.user!r}: another host's, or made under another name",
                       got=subject_line(user, subject.groups), expected=subject_line(row.identity.user, wanted))
    what = f"its owner is {user!r}" if not named else f"its owner {user!r} is not in the group {', '.join(wanted)} (O)"
    return Finding("wrong-subject", path, row.name, f"{what}, and Kubernetes gives its rights to "
                   f"{row.identity.user!r}" + (f" in {', '.join(wanted)}" if wanted else ""),
                   got=subject_line(subject.user, subject.groups),
                   expected=subject_line(row.identity.user, wanted))


def _signer_fault(path: str, chain: Sequence[Certificate], row: Row, by: RowContext) -> Finding | None:
    """Whether the chain ends at one of the CAs that count; nothing to say where none is known."""
    cause = _SIGNER_CAUSES.get(row.profile.signer or "", "unknown-authority")
    if row.profile.signer in by.unmade:
        return Finding(cause, path, row.name, "its CA is not there any more", got=reading.issuer_text(chain[0]))
    trusted = by.trusted(row.profile.signer)
    if not trusted or signer_of(chain, trusted) is not None:
        return None
    issuer = reading.issuer_text(chain[0])
    same_name = any(reading.is_named_issuer(one, chain[0]) for one in trusted)
    why = "a CA of the same name, but with another key" if same_name else f"{issuer}, not by the cluster's CA"
    return Finding(cause, path, row.name, f"it was signed by {why}", got=issuer,
                   expected=reading.subject_text(trusted[0]))


def _usage_fault(path: str, leaf: Certificate, row: Row) -> Finding | None:
    for usage in reversed(row.profile.usages):
        if not reading.usable_for(leaf, usage):
            uses = " and ".join(one.removesuffix("Auth") for one in reversed(row.profile.usages))
            owner = "the kubelet" if row.identity.user.startswith(NODE_PREFIX) else row.name
            return Finding("wrong-eku", path, row.name, f"it may not be used for {usage}, and {owner} is {uses} "
                           "with it", expected=", ".join(row.profile.usages))
    return None


def _name_fault(path: str, leaf: Certificate, row: Row, by: RowContext) -> Finding | None:
    """Whether a server's certificate has the names and addresses that it is reached by."""
    if row.profile.sans == "none":
        return None
    names = reading.names_of(reading.extensions_of(leaf))
    wanted = [f"DNS:{name}" for name in row.identity.dns] + [f"IP:{one}" for one in row.identity.addresses]
    if names is None:
        return Finding("legacy-cn-no-san", path, row.name, "it has no subjectAltName, and Go takes no CN for one",
                       expected=", ".join(wanted))
    dns, there = {name.lower() for name in names.dns}, ", ".join(names.dns + names.addresses)
    missing = [name for name in row.identity.dns if name.lower() not in dns]
    if not by.exact and row.profile.sans == "node" and not names.dns and names.addresses:
        missing = []    # a kubelet is reached by its name or its address: one of addresses alone (CoreOS) is as good
    if missing:
        return Finding("missing-san-dns", path, row.name, f"it does not name {', '.join(missing)}", got=there,
                       expected=", ".join(f"DNS:{name}" for name in missing))
    absent = [one for one in row.identity.addresses if one not in names.addresses]
    if absent:
        return Finding("missing-san-ip", path, row.name, f"it does not name the address {', '.join(absent)}", got=there,
                       expected=", ".join(f"IP:{one}" for one in absent))
    if row.profile.sans.startswith("etcd") and not ({"localhost"} & dns or {"127.0.0.1", "::1"} & {*names.addresses}):
        return Finding("missing-san-dns", path, row.name, "it does not name localhost, and etcd calls itself there",
                       got=there, expected="DNS:localhost")
    return None


def leaf_warnings(path: str, chain: Sequence[Certificate], row: Row, by: RowContext) -> Iterator[Finding]:
    """What is not wrong with a leaf yet, or for some only."""
    from ...stages.verification.verify import verify
    leaf, ca_row, key = chain[0], row.profile.signer or "", chain[0].public_key()
    signer = signer_of(chain, by.trusted(ca_row))
    if signer is not None and ca_fault("", ca_row, signer, by.now):
        signer = None       # what is wrong with the CA is said of the CA
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        yield Finding("weak-signature-or-key", path, row.name, f"its RSA key has {key.key_size} bits, which is little",
                      got=str(key.key_size), expected=f"{SHORTEST_RSA} or more", mild=True)
    yield from date_warnings(path, leaf, signer, row, by)
    if signer is not None:
        verdict = verify(leaf, [signer], untrusted=list(chain[1:]), now=by.now, strict=True, partial_chain=True)
        if not verdict.ok:
            at_ca = verdict.depth >= len(chain)
            yield Finding("strict-refused", by.authority_path(ca_row) or path if at_ca else path,
                          ca_row if at_ca else row.name, f"strict verification refuses it: {verdict.reason}",
                          got=verdict.reason)


# The causes that a leaf's dates alone can have, beside those that keep it from being judged as valid now.
DATES = frozenset({"expiring-soon", "outlives-ca"})


def date_warnings(path: str, leaf: Certificate, signer: Certificate | None, row: Row,
                  by: RowContext) -> Iterator[Finding]:
    """What the dates of a leaf that is valid now warn of, its CA's beside them."""
    end = leaf.not_valid_after_utc
    if (left := end - by.now) < by.within:
        yield Finding("expiring-soon", path, row.name, f"it ends on {day(end)}, in {left.days} days")
    if signer is not None and end > signer.not_valid_after_utc:
        yield Finding("outlives-ca", path, row.name, f"it ends on {day(end)}, its CA already on "
                      f"{day(signer.not_valid_after_utc)}")
