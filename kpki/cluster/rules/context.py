"""The contexts of rules: a rule's facts, from a host's own files or from a description."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .certificate import ca_fault, signed_by_another, signer_of
from .facts import Pair, TrustFile, pairs_of, signing_pairs_of, trust_files_of
from .names import STORE, Places, missing_names, names_fault, places_of
from .pair import Demands
from .subjects import described_subject, subject_fault
from .trust import TrustCheck, Verifiers, check_trust
from ..desired.rows import Row
from ..finding import Finding
from ..observed.inventory import Inventory
from ...kubernetes import reading
from ...kubernetes.components import KUBELET_COMPONENT
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

WITHIN = timedelta(days=30)
_LAST_TENTH = 10    # of a certificate's life: the kubelet rotates its certificate before
# row of the expected signer → the fault if another CA has signed
_SIGNER_CAUSES = {"etcd-ca": "etcd-peer-cert", "front-proxy-ca": "front-proxy-ca"}


class TreeContext(NamedTuple):
    """The context of a host that is checked by its own files."""

    inventory: Inventory
    """The host's files and the uses of its components."""
    node: str
    """The name of the host's node, "" if unknown."""
    now: datetime
    """The moment of the check (UTC)."""
    within: timedelta
    """A certificate that expires within this time has a warning."""
    pairs: Sequence[Pair]
    """The certificates that components present, with their keys."""
    signing: Sequence[Pair]
    """The CAs whose keys lie on the host."""
    files: Sequence[TrustFile]
    """The CA files that components verify others with."""
    places: Places
    """The host's names, and the names by which its components reach servers."""
    trust: TrustCheck
    """The CAs that count for each pair, and the faults of signers."""

    @classmethod
    def from_tree(cls, inventory: Inventory, *, node: str, now: datetime,
                  within: timedelta = WITHIN,
                  given: Mapping[str, Sequence[Certificate]] = {}) -> TreeContext:
        """The context of a host without a description; *given* are the caller's CAs, by row."""
        registered = next(
            iter(inventory.setting_values(KUBELET_COMPONENT.name, "hostname-override")),
            node).lower()
        pairs, files, places = pairs_of(inventory), trust_files_of(inventory), places_of(inventory,
                                                                                         registered)
        signing = signing_pairs_of(inventory)
        trust = check_trust(Verifiers(
            keys={pair.path: public_key_der(pair.key) for pair in signing if pair.key is not None},
            files=files, pairs=pairs, started=inventory.started,
            etcd_is_here=places.etcd_is_here, given=_given(given, files), now=now))
        return cls(inventory=inventory, node=node, now=now, within=within, pairs=pairs, files=files,
                   places=places, signing=signing, trust=trust)

    def asked(self, pair: Pair) -> Demands:
        """The demands that verifiers make on a readable pair."""
        trust, by_layout = self.trust, self.inventory.started.isdisjoint(use.component
                                                                         for use in pair.uses)
        trusted = trust.trusted.get(pair.path, ())
        signer, last = signer_of(pair.chain, trusted), pair.chain[-1]
        beside = [other for other in self.pairs if other.serves("apiserver-sni")
                  and pair.serves("apiserver-serving")]
        serves = all(purpose.name == "kubelet-serving" for purpose in pair.purposes)
        whole = pair.chain[0].not_valid_after_utc - pair.chain[0].not_valid_before_utc
        return Demands(
            now=self.now, within=min(self.within, whole / _LAST_TENTH) if self._rotates(pair)
            else self.within,
            usages=pair.usages,
            wishes=[usage for purpose in pair.purposes for usage in purpose.wishes],
            users=", ".join(dict.fromkeys(use.component for use in pair.uses)), trusted=trusted,
            signer=signer, authority=next(((file.path, file.row) for file in trust.files
                            if signer in file.certificates and "#" not in file.path),
                                          (pair.path, pair.row)),
            faults=(subject_fault(pair, self.inventory, self.places.node),
                    trust.faults.get(pair.path), names_fault(pair, beside, self.places, by_layout)),
            self_made=serves and reading.is_named_issuer(last, last) and not trusted
            and not any(file.unread for file in self.files))

    def _rotates(self, pair: Pair) -> bool:
        """Whether the kubelet renews the certificate itself."""
        return pair.path.endswith(STORE) and any(
            running.is_on("rotate-certificates") or running.is_on("rotate-server-certificates")
            for running in self.inventory.running if running.component == KUBELET_COMPONENT.name)


def _given(given: Mapping[str, Sequence[Certificate]], files: Sequence[TrustFile],
           ) -> Mapping[str, Sequence[Certificate]]:
    """The given CAs, each under its row.

    If the host has no file of the cluster's CA, files of other rows are compared with the given CA.
    It is then also the CA of each row whose file has a CA of the same subject.
    """
    names = {reading.subject_text(ca) for ca in given.get("ca", ())}
    if any(file.row == "ca" and file.certificates for file in files):
        return given
    return {**{file.row: given["ca"] for file in files if file.row and names & {
        reading.subject_text(ca) for ca in file.certificates}}, **given}


class RowContext(NamedTuple):
    """The context of the desired rows of a host."""

    now: datetime
    """The moment of the check (UTC)."""
    within: timedelta = WITHIN
    """A certificate that expires within this time has a warning."""
    warns: bool = True
    """Whether to report warnings."""
    exact: bool = False
    """Whether names and bundles must equal the description's, or only fit any such row."""
    authorities: Mapping[str, Sequence[Certificate]] = {}
    """The certificates of each CA, by the CA's row."""
    signers: Mapping[str, Certificate] = {}
    """The certificate whose key signs, by the CA's row, if known."""
    unmade: frozenset[str] = frozenset()
    """The CAs that do not exist yet, so that no certificate can be theirs."""
    authority_paths: Mapping[str, str] = {}
    """The CA files of the tree, which have their own rules, and their rows."""
    forbidden: Sequence[tuple[str, str]] = ()
    """The paths and rows of CA keys on a host whose role needs none."""
    servers: frozenset[str] | None = None
    """The names and addresses of the API servers, None without a description."""
    service_accounts: bytes | None = None
    """The public key (DER) that verifies tokens."""
    shared: frozenset[bytes] = frozenset()
    """The marks of keys and serial numbers that several hosts have."""

    @classmethod
    def from_description(cls, *, now: datetime, renew_before: timedelta | None,
                         authorities: Mapping[str, Sequence[Certificate]],
                         signers: Mapping[str, Certificate],
                         unmade: frozenset[str], servers: frozenset[str],
                         service_accounts: bytes | None) -> RowContext:
        """The context of a described cluster's workspace; `replace` adds the facts of each host.

        With *renew_before* a certificate that expires within this time has a finding.
        """
        return cls(now=now, within=WITHIN if renew_before is None else renew_before,
                   warns=renew_before is not None,
                   exact=True, authorities=authorities, signers=signers, unmade=unmade,
                   servers=servers, service_accounts=service_accounts)

    def trusted(self, row: str | None) -> Sequence[Certificate]:
        """The certificates of a CA's row; empty if the CA is unknown."""
        return self.authorities.get(row or "", ())

    def authority_path(self, row: str) -> str:
        """The path of that CA in the tree, "" if the tree has none."""
        return next((path for path, name in self.authority_paths.items() if name == row), "")

    def asked(self, pair: Pair, row: Row) -> Demands:
        """The demands of a row on its readable pair."""
        ca, chain, last, place = row.profile.signer or "", pair.chain, pair.chain[-1], row.place
        trusted = self.trusted(ca)
        signer = signer_of(chain, trusted)
        # only callers of the kubelet verify this pair: the kubelet's kubeconfig has another pair
        serves = row.name == "kubelet-serving" \
            or (row.name == "kubelet" and place.kubeconfig and not place.by_path)
        return Demands(
            now=self.now, within=self.within, warns=self.warns, usages=row.profile.usages,
            users=row.name, trusted=trusted, authority=(self.authority_path(ca) or pair.path, ca),
            signer=None if signer is None or ca_fault("", ca, signer, self.now) else signer,
            faults=(described_subject(pair, row), self._stranger(pair, row, signer),
                    self._names(pair, row)),
            self_made=bool(serves) and reading.is_named_issuer(last, last) and not any(
                reading.is_same_authority(last, certificate) for certificate in trusted))

    def _stranger(self, pair: Pair, row: Row, signer: Certificate | None) -> Finding | None:
        """Whether the chain ends at one of the row's CAs; None if no CA is known."""
        ca, leaf = row.profile.signer or "", pair.chain[0]
        cause = _SIGNER_CAUSES.get(ca, "unknown-authority")
        if ca in self.unmade:
            return Finding(cause, pair.path, row.name,
                           "certificate was signed by a CA that is not there any more",
                           got=reading.issuer_text(leaf))
        return signed_by_another(cause, pair.path, row.name, ca, leaf, self.trusted(ca)) \
            if signer is None and self.trusted(ca) else None

    def _names(self, pair: Pair, row: Row) -> Finding | None:
        """Whether a server's certificate has the names and addresses of the row."""
        if row.profile.sans == "none":
            return None
        names, dns = reading.names_of(reading.extensions_of(pair.chain[0])), row.identity.dns
        if not self.exact and row.profile.sans == "node" and names and not names.dns \
            and names.addresses:
            # callers reach a kubelet by name or by address: addresses alone are enough (CoreOS)
            dns = ()
        return missing_names(pair, dns, row.identity.addresses)
