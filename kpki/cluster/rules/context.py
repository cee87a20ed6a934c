"""What the rules judge by."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

WITHIN = timedelta(days=30)


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
    faulty: frozenset[str] = frozenset()
    """The CAs that something is wrong with: what follows from that is not said of what they signed."""
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
