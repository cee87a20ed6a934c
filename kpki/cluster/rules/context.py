"""What the rules judge by: a host's own files tell it, or a description."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .facts import Pair, TrustFile, authority_keys, pairs_of, trust_files_of
from .names import Places, places_of
from .trust import Trust, Verifiers, judge_trust
from ..observed.inventory import Inventory
from ...kubernetes import reading
from ...kubernetes.components import KUBELET

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeContext:
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
    files: Sequence[TrustFile]
    """The CA files by which components verify others."""
    places: Places
    """How the host is called, and where its components reach servers."""
    trust: Trust
    """Which CAs count for each pair, and what is wrong with signers."""

    @classmethod
    def from_tree(cls, inventory: Inventory, *, node: str, now: datetime, within: timedelta = WITHIN,
                  given: Mapping[str, Sequence[Certificate]] = {}) -> TreeContext:
        """The context of a host that no description speaks of; *given* are CAs that a person names, by row."""
        registered = next(iter(inventory.told(KUBELET.name, "hostname-override")), node).lower()
        pairs, files, places = pairs_of(inventory), trust_files_of(inventory), places_of(inventory, registered)
        trust = judge_trust(Verifiers(
            files=files, pairs=pairs, told=inventory.started,
            etcd_is_here=places.etcd_is_here, keys=authority_keys(inventory), given=_given(given, files), now=now))
        return cls(inventory=inventory, node=node, now=now, within=within, pairs=pairs, files=files, places=places,
                   trust=trust)


def _given(given: Mapping[str, Sequence[Certificate]], files: Sequence[TrustFile],
           ) -> Mapping[str, Sequence[Certificate]]:
    """The CAs that a person names; on a host without the cluster's CA, its name tells which CA is meant for that."""
    names = {reading.subject_text(one) for one in given.get("ca", ())}
    if any(file.row == "ca" and file.certificates for file in files):
        return given
    return {**{file.row: given["ca"] for file in files if file.row and names & {
        reading.subject_text(one) for one in file.certificates}}, **given}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowContext:
    """What the rows that are wanted of a host are judged by."""

    node: str
    """Whose host it is, "" if nobody knows."""
    now: datetime
    """The moment that counts (UTC)."""
    within: timedelta = WITHIN
    """What ends in that time is a warning."""
    warns: bool = True
    """Whether warnings are asked for."""
    exact: bool = False
    """Whether names and bundles are held against the description's, else only against what any such row must have."""
    authorities: Mapping[str, Sequence[Certificate]] = field(default_factory=dict)
    """The certificates that count, by the CA's row."""
    sure: frozenset[str] = frozenset()
    """The CAs that a description, a person or what they signed speaks for; a tree's CA files must hold these."""
    signers: Mapping[str, Certificate] = field(default_factory=dict)
    """Of the certificates that count those whose key signs, as far as that is known."""
    unmade: frozenset[str] = frozenset()
    """The CAs that are still to be made, so that nothing can be theirs."""
    authority_paths: Mapping[str, str] = field(default_factory=dict)
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
                         authorities: Mapping[str, Sequence[Certificate]], signers: Mapping[str, Certificate],
                         unmade: frozenset[str], servers: frozenset[str],
                         service_accounts: bytes | None) -> RowContext:
        """The context of a described cluster's workspace; each host's says more. With *renew_before* what ends within
        that time is asked for."""
        return cls(node="", now=now, within=WITHIN if renew_before is None else renew_before,
                   warns=renew_before is not None, exact=True, authorities=authorities, sure=frozenset(authorities),
                   signers=signers, unmade=unmade, servers=servers, service_accounts=service_accounts)

    def trusted(self, row: str | None) -> Sequence[Certificate]:
        """The certificates of a CA's row that count; none if the CA is not known."""
        return self.authorities.get(row or "", ())

    def authority_path(self, row: str) -> str:
        """Where the tree holds that CA, "" if it does not."""
        return next((path for path, name in self.authority_paths.items() if name == row), "")
