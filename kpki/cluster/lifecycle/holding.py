"""What a host trusts and presents, and the one formula by which an exchange is safe.

A trust anchor (RFC 5280 §6.1.1) is a name with a public key. Of the service accounts' key the name
is empty. The names of files and the dates of certificates tell nothing.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ...kubernetes import reading
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# The states of a host in an exchange, in order. Those of a CA, and of the service accounts' key.
STATES = {
    True: ("before", "trusting", "trusted", "switching", "switched", "forgetting", "done"),
    False: ("before", "publishing", "published", "signing", "signed", "retiring", "done")}


class Anchor(NamedTuple):
    """A CA, or the key of the service accounts, whatever files hold it.

    >>> kpki.read_exchange(workspace, "ca").old.subject
    'CN=kubernetes'
    """

    key: str
    """The SHA-256 of the public key, as `kubeadm join` takes it: `sha256:…`."""
    subject: str = ""
    """The CA's subject (RFC 4514); "" for the service accounts' key."""
    name: bytes = b""
    """The CA's subject in DER."""


@lru_cache(maxsize=64)      # every host has the same few CAs
def anchor_of(ca: Certificate) -> Anchor:
    """The trust anchor of a CA's certificate: its subject and its public key."""
    return Anchor(reading.key_pin(public_key_der(ca.public_key())), reading.subject_text(ca),
                  reading.subject_der(ca))


def key_anchor(public_key: bytes) -> Anchor:
    """The trust anchor of a public key (DER) without a name."""
    return Anchor(reading.key_pin(public_key))


class Holding(NamedTuple):
    """What the files of one host, or of the workspace itself, say about one CA or token key."""

    host: str | None
    """The host; None for the workspace itself."""
    trusts: frozenset[Anchor] | None = None
    """The anchors that every verifier of the host trusts now; None without a verifier."""
    holds: frozenset[Anchor] | None = None
    """The anchors in all files with anchors, ended ones too; None without such a file."""
    knows: frozenset[Anchor] = frozenset()
    """The anchors in any of these files."""
    presents: frozenset[Anchor] = frozenset()
    """The anchors that signed what the host presents, and those whose keys sign there.

    Anchors that have ended are left out: nobody accepts what they signed.
    """
    signed: frozenset[Anchor] = frozenset()
    """The same, ended ones too."""
    bundled: bool = False
    """Whether the file of kube-controller-manager's signing CA is a file of anchors, too."""
    strange: tuple[str, ...] = ()
    """What is not part of the exchange, or damaged: the file, and why."""
    shared: tuple[str, ...] = ()
    """What has two jobs, so that an exchange would break one of them: the file, and why."""
    proved: Mapping[bytes, Anchor] = {}
    """The pairs that a CA of the exchange has signed: the digest of a pair's files, and the CA."""

    def after(self, adds: Iterable[Anchor], drops: Iterable[Anchor], signer: Anchor,
              ends: Iterable[Anchor]) -> Holding:
        """What the host holds after a phase.

        The phase *adds* and *drops* anchors, and signs with *signer* what one of the *ends* of the
        exchange has signed.
        """
        kept, ends = frozenset(adds), frozenset(ends)
        dropped = frozenset(drops)
        trusts = None if self.trusts is None else (self.trusts | kept) - dropped
        presents = (self.presents - ends) | ({signer} if self.signed & ends else frozenset())
        return self._replace(trusts=trusts, presents=presents)


class Gap(NamedTuple):
    """A host that does not trust an anchor, which some host presents."""

    host: str | None
    """The host that refuses; None for the workspace's kubeconfigs."""
    anchor: Anchor
    """The anchor that the host lacks."""


def find_gaps(holdings: Iterable[Holding]) -> frozenset[Gap]:
    """The formula: the issuers of what any host presents are among the CAs that each host trusts.

    An exchange is safe as long as there is no gap. The formula is the gate before a phase, the
    check after the phase, and the rule for going back. The gate asks of what hosts hold before and
    after the phase, for any host may be the first.
    """
    holdings = [*holdings]
    presented = frozenset[Anchor]().union(*(holding.presents for holding in holdings))
    return frozenset(Gap(holding.host, anchor) for holding in holdings
                     if holding.trusts is not None for anchor in presented - holding.trusts)


def merged(holdings: Iterable[Holding]) -> Holding:
    """What hosts hold together: the trust of all, and what any of them knows and presents."""
    holdings = [*holdings]
    return Holding(None, _common(holding.trusts for holding in holdings),
                   _common(holding.holds for holding in holdings),
                   _any(holding.knows for holding in holdings),
                   _any(holding.presents for holding in holdings),
                   _any(holding.signed for holding in holdings),
                   any(holding.bundled for holding in holdings),
                   tuple(line for holding in holdings for line in holding.strange),
                   tuple(line for holding in holdings for line in holding.shared))


def _common(sets: Iterable[frozenset[Anchor] | None]) -> frozenset[Anchor] | None:
    found = [anchors for anchors in sets if anchors is not None]
    return frozenset.intersection(*found) if found else None


def _any(sets: Iterable[frozenset[Anchor]]) -> frozenset[Anchor]:
    return frozenset[Anchor]().union(*sets)


def state_of(holding: Holding, old: Anchor, new: Anchor | None, *, of_ca: bool) -> str:
    """The state of a host: what a phase has changed there, by the files alone.

    A state ends in -ing if a phase has begun on the host and is not done there.
    """
    states, holds = STATES[of_ca], holding.holds
    if new is None or (new not in holding.knows and new not in holding.signed):
        return states[0]
    if holds is not None and new not in holds:
        return states[1]
    if holds is not None and old not in holds:
        return states[5] if old in holding.knows or old in holding.signed else states[6]
    ends = holding.signed & {old, new}
    return states[2] if ends == {old} else states[4] if ends == {new} else states[3]
