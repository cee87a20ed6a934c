"""What the rules judge by: a host's own files tell it, or a description."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .certificate import ca_fault, signed_by_another, signer_of
from .facts import Pair, TrustFile, pairs_of, signing_pairs_of, trust_files_of
from .names import STORE, Places, missing_names, names_fault, places_of
from .pair import Asked
from .subjects import described_subject, subject_fault
from .trust import Trust, Verifiers, check_trust
from ..desired.rows import Row
from ..finding import Finding
from ..observed.inventory import Inventory
from ...kubernetes import reading
from ...kubernetes.components import KUBELET_COMPONENT
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

WITHIN = timedelta(days=30)
_LAST_TENTH = 10    # of its certificate's life: the kubelet has rotated the certificate long before
# By which CA a row is to be signed → the fault if another has signed it.
_SIGNER_CAUSES = {"etcd-ca": "etcd-peer-cert", "front-proxy-ca": "front-proxy-ca"}


class TreeContext(NamedTuple):
    """What the files of a host are judged by."""

    inventory: Inventory
    """The host's files, and what its components read."""
    node: str
    """Whose host it is, "" if nobody knows."""
    now: datetime
    """The moment that counts (UTC)."""
    within: timedelta
    """What ends in that time is a warning."""
    pairs: Sequence[Pair]
    """The certificates that components show, with their keys."""
    signing: Sequence[Pair]
    """The CAs beside which the host has a key."""
    files: Sequence[TrustFile]
    """The CA files by which components verify others."""
    places: Places
    """How the host is called, and where its components reach servers."""
    trust: Trust
    """Which CAs count for each pair, and what is wrong with signers."""

    @classmethod
    def from_tree(cls, inventory: Inventory, *, node: str, now: datetime,
                  within: timedelta = WITHIN,
                  given: Mapping[str, Sequence[Certificate]] = {}) -> TreeContext:
        """The context of a host that no description speaks of; *given* are CAs that a person names,
        by row.
        """
        registered = next(iter(inventory.told(KUBELET_COMPONENT.name, "hostname-override")),
                          node).lower()
        pairs, files, places = pairs_of(inventory), trust_files_of(inventory), places_of(inventory,
                                                                                         registered)
        signing = signing_pairs_of(inventory)
        trust = check_trust(Verifiers(
            keys={pair.path: public_key_der(pair.key) for pair in signing if pair.key is not None},
            files=files, pairs=pairs, told=inventory.started,
            etcd_is_here=places.etcd_is_here, given=_given(given, files), now=now))
        return cls(inventory=inventory, node=node, now=now, within=within, pairs=pairs, files=files,
                   places=places, signing=signing, trust=trust)

    def asked(self, pair: Pair) -> Asked:
        """What the verifiers of a pair, which can be read, ask of it."""
        trust, untold = self.trust, self.inventory.started.isdisjoint(use.component
                                                                      for use in pair.uses)
        trusted = trust.trusted.get(pair.path, ())
        signer, last = signer_of(pair.chain, trusted), pair.chain[-1]
        beside = [other for other in self.pairs if other.serves("apiserver-sni")
                  and pair.serves("apiserver-serving")]
        serves = all(purpose.name == "kubelet-serving" for purpose in pair.purposes)
        whole = pair.chain[0].not_valid_after_utc - pair.chain[0].not_valid_before_utc
        return Asked(
            now=self.now, within=min(self.within, whole / _LAST_TENTH) if self._rotates(pair)
            else self.within,
            usages=pair.usages,
            wishes=[usage for purpose in pair.purposes for usage in purpose.wishes],
            users=", ".join(dict.fromkeys(use.component for use in pair.uses)), trusted=trusted,
            signer=signer, authority=next(((file.path, file.row) for file in trust.files
                            if signer in file.certificates and "#" not in file.path),
                                          (pair.path, pair.row)),
            faults=(subject_fault(pair, self.inventory, self.places.node),
                    trust.faults.get(pair.path), names_fault(pair, beside, self.places, untold)),
            self_made=serves and reading.is_named_issuer(last, last) and not trusted
            and not any(file.unread for file in self.files))

    def _rotates(self, pair: Pair) -> bool:
        """Whether the kubelet renews the certificate itself."""
        return pair.path.endswith(STORE) and any(
            running.is_on("rotate-certificates") or running.is_on("rotate-server-certificates")
            for running in self.inventory.running if running.component == KUBELET_COMPONENT.name)


def _given(given: Mapping[str, Sequence[Certificate]], files: Sequence[TrustFile],
           ) -> Mapping[str, Sequence[Certificate]]:
    """The CAs that a person names; on a host without the cluster's CA, its name tells which CA is
    meant for that.
    """
    names = {reading.subject_text(ca) for ca in given.get("ca", ())}
    if any(file.row == "ca" and file.certificates for file in files):
        return given
    return {**{file.row: given["ca"] for file in files if file.row and names & {
        reading.subject_text(ca) for ca in file.certificates}}, **given}


class RowContext(NamedTuple):
    """What the rows that are wanted of a host are judged by."""

    now: datetime
    """The moment that counts (UTC)."""
    within: timedelta = WITHIN
    """What ends in that time is a warning."""
    warns: bool = True
    """Whether warnings are asked for."""
    exact: bool = False
    """Whether names and bundles are held against the description's, else only against what any such
    row must have.
    """
    authorities: Mapping[str, Sequence[Certificate]] = {}
    """The certificates that count, by the CA's row."""
    signers: Mapping[str, Certificate] = {}
    """Of the certificates that count those whose key signs, as far as that is known."""
    unmade: frozenset[str] = frozenset()
    """The CAs that are still to be made, so that nothing can be theirs."""
    authority_paths: Mapping[str, str] = {}
    """The tree's own CA files, which are judged by themselves, and their rows."""
    forbidden: Sequence[tuple[str, str]] = ()
    """The places, and rows, of the keys of CAs on a host that no role gives one."""
    servers: frozenset[str] | None = None
    """The API servers' names and addresses, None if no description tells them."""
    service_accounts: bytes | None = None
    """The public key (DER) that signs tokens."""
    shared: frozenset[bytes] = frozenset()
    """The marks of keys and serial numbers that several hosts have."""

    @classmethod
    def from_description(cls, *, now: datetime, renew_before: timedelta | None,
                         authorities: Mapping[str, Sequence[Certificate]],
                         signers: Mapping[str, Certificate],
                         unmade: frozenset[str], servers: frozenset[str],
                         service_accounts: bytes | None) -> RowContext:
        """The context of a described cluster's workspace; each host's says more.

        With *renew_before* what ends within that time is asked for.
        """
        return cls(now=now, within=WITHIN if renew_before is None else renew_before,
                   warns=renew_before is not None,
                   exact=True, authorities=authorities, signers=signers, unmade=unmade,
                   servers=servers, service_accounts=service_accounts)

    def trusted(self, row: str | None) -> Sequence[Certificate]:
        """The certificates of a CA's row that count; none if the CA is not known."""
        return self.authorities.get(row or "", ())

    def authority_path(self, row: str) -> str:
        """Where the tree holds that CA, "" if it does not."""
        return next((path for path, name in self.authority_paths.items() if name == row), "")

    def asked(self, pair: Pair, row: Row) -> Asked:
        """What a row asks of its pair, which can be read."""
        ca, chain, last, place = row.profile.signer or "", pair.chain, pair.chain[-1], row.place
        trusted = self.trusted(ca)
        signer = signer_of(chain, trusted)
        # a kubelet's pair that nobody sees but those who call the kubelet: its kubeconfig has a
        # pair of its own
        serves = row.name == "kubelet-serving" \
            or (row.name == "kubelet" and place.kubeconfig and not place.by_path)
        return Asked(
            now=self.now, within=self.within, warns=self.warns, usages=row.profile.usages,
            users=row.name, trusted=trusted, authority=(self.authority_path(ca) or pair.path, ca),
            signer=None if signer is None or ca_fault("", ca, signer, self.now) else signer,
            faults=(described_subject(pair, row), self._stranger(pair, row, signer),
                    self._names(pair, row)),
            self_made=bool(serves) and reading.is_named_issuer(last, last) and not any(
                reading.is_same_authority(last, certificate) for certificate in trusted))

    def _stranger(self, pair: Pair, row: Row, signer: Certificate | None) -> Finding | None:
        """Whether the chain ends at one of the CAs that count; nothing to say if none is known."""
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
            # a kubelet is reached by its name or its address: one of addresses alone (CoreOS) is as
            # good
            dns = ()
        return missing_names(pair, dns, row.identity.addresses)
