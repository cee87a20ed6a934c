"""Certificate policies, if any policy is acceptable (x509/verify.go, policiesValid).

The rules are those of RFC 5280 §6.1 as RFC 9618 changes them.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .certificate import Certificate
from .der import oid

_ANY = oid("2.5.29.32.0")


@dataclass(eq=False)
class _Node:
    """A policy in one stratum of the graph."""

    policy: bytes
    parents: list[_Node]
    expected: list[bytes]
    """The policies of the certificates below that stand for this policy."""
    children: set[_Node] = field(default_factory=set)


class _Graph:
    """The valid policies, in one stratum for each certificate below the root."""

    def __init__(self) -> None:
        self.strata: list[dict[bytes, _Node]] = [{_ANY: _Node(_ANY, [], [_ANY])}]

    @property
    def leaves(self) -> dict[bytes, _Node]:
        return self.strata[-1]

    def add(self, policy: bytes, parents: Sequence[_Node],
            expected: list[bytes] | None = None) -> None:
        node = _Node(policy, list(parents), expected or [policy])
        for parent in parents:
            parent.children.add(node)
        self.leaves[policy] = node

    def delete(self, policy: bytes) -> None:
        if node := self.leaves.pop(policy, None):
            for parent in node.parents:
                parent.children.discard(node)

    def prune(self) -> None:
        """Remove nodes without a child, from the last stratum but one upwards, except the root."""
        for stratum in self.strata[-2:0:-1]:
            for policy, node in [*stratum.items()]:
                if not node.children:
                    for parent in node.parents:
                        parent.children.discard(node)
                    del stratum[policy]

    def grow(self, policies: Sequence[bytes], any_counts: bool) -> None:
        """Add a certificate's policies below the nodes that expect them (§6.1.3 d)."""
        above = self.leaves
        expecting: dict[bytes, list[_Node]] = {}
        for node in above.values():
            for policy in node.expected:
                expecting.setdefault(policy, []).append(node)
        self.strata.append({})
        otherwise = [above[_ANY]] if _ANY in above else []
        for policy in policies:
            if policy != _ANY and (parents := expecting.get(policy, otherwise)):
                self.add(policy, parents)
        if _ANY in policies and any_counts:
            for policy, parents in expecting.items():
                if policy not in self.leaves:
                    self.add(policy, parents)
        self.prune()

    def map(self, mappings: Sequence[tuple[bytes, bytes]], allowed: bool) -> None:
        """Apply mappings to the last stratum (§6.1.4 b); delete the policies if not *allowed*."""
        subjects: dict[bytes, list[bytes]] = {}
        for issuer, subject in mappings:
            if allowed:
                subjects.setdefault(issuer, []).append(subject)
            else:
                self.delete(issuer)
        self.prune()
        for issuer, expected in subjects.items():
            if issuer in self.leaves:
                self.leaves[issuer].expected = expected
            elif _ANY in self.leaves:
                self.add(issuer, [self.leaves[_ANY]], expected)

    def valid(self) -> Iterator[bytes]:
        """The policies whose only parent is anyPolicy, and anyPolicy if it is a leaf (§6.1.5 g)."""
        for stratum in self.strata:
            for node in stratum.values():
                if node.policy != _ANY and [parent.policy for parent in node.parents] == [_ANY]:
                    yield node.policy
        if _ANY in self.leaves:
            yield _ANY


def policies_hold(chain: Sequence[Certificate]) -> bool:
    """Whether a chain, leaf first, has a valid policy, if a CA requires an explicit policy."""
    below = chain[:-1]      # the root's policies do not count
    if not any(certificate.require_explicit_policy is not None or certificate.policy_mappings
               for certificate in below):
        return True         # no certificate requires a policy, and no mapping can be invalid
    explicit = mapping = any_policy = len(below) + 1
    graph: _Graph | None = _Graph()
    for depth in range(len(below) - 1, -1, -1):
        certificate = below[depth]
        self_issued = certificate.issuer == certificate.subject
        if not certificate.policies:
            graph = None
        if explicit == 0 and graph is None:
            return False
        if graph is not None:
            graph.grow(certificate.policies, any_policy > 0 or (depth > 0 and self_issued))
            if depth and certificate.policy_mappings:
                if mapping > 0 and any(_ANY in pair for pair in certificate.policy_mappings):
                    return False
                graph.map(certificate.policy_mappings, mapping > 0)
        if depth:
            step = 0 if self_issued else 1
            explicit, mapping, any_policy = (
                _least(max(count - step, 0), limit) for count, limit in (
                    (explicit, certificate.require_explicit_policy),
                    (mapping, certificate.inhibit_policy_mapping),
                    (any_policy, certificate.inhibit_any_policy)))
    explicit = max(explicit - 1, 0) if below[0].require_explicit_policy != 0 else 0
    return explicit > 0 or (graph is not None and any(True for _ in graph.valid()))


def _least(count: int, limit: int | None) -> int:
    return count if limit is None or limit < 0 else min(count, limit)
