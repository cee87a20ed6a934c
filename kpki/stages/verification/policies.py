"""Certificate policies along a path: RFC 5280 §6.1's tree of valid policies, as in OpenSSL 3.0.

The tree is OpenSSL 3.0's (X509_policy_check). Later versions keep a graph, with the same answers to
these questions. The policies of the trust anchor do not count.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from .facts import Facts
from .verdicts import Policy, PolicyAnswer
from .. import der, records
from ...errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

ANY_POLICY = "2.5.29.32.0"
_POLICIES, _MAPPINGS = "2.5.29.32", "2.5.29.33"
_CONSTRAINTS, _INHIBIT_ANY = "2.5.29.36", "2.5.29.54"
_REQUIRE_EXPLICIT, _INHIBIT_MAPPING = 0x80, 0x81
_MOST_NODES = 1000      # OpenSSL's bound on a tree (CVE-2023-0464)


class PolicyQuestion(NamedTuple):
    """The question about a path's policies (RFC 5280 §6.1.1, the initial values c, e, f and g).

    >>> question = kpki.PolicyQuestion(wanted=("1.2.3.4",), explicit=True)
    >>> kpki.verify(certificate, [ca], now=now, policies=question).reason
    'no explicit policy'
    """

    wanted: tuple[str, ...] = ()
    """The OIDs of the acceptable policies (`-policy`)."""
    explicit: bool = False
    """Whether an acceptable policy must hold for the whole path (`-explicit_policy`)."""
    inhibit_any: bool = False
    """Whether anyPolicy stands for no policy (`-inhibit_any`)."""
    inhibit_map: bool = False
    """Whether no policy may be mapped to another (`-inhibit_map`)."""


@dataclass(eq=False)
class _Stated:
    """One policy of a certificate, and its mappings."""

    policy: Policy
    expected: list[str] = field(default_factory=list)
    mapped: bool = False
    mapped_from_any: bool = False


@dataclass(eq=False)
class _Statement:
    """What one certificate says about policies; None stands for nothing.

    A number counts the certificates below, before the rule begins.
    """

    policies: list[_Stated] | None = None
    any: _Stated | None = None
    skip_any: int | None = None
    skip_map: int | None = None
    skip_explicit: int | None = None
    broken: bool = False


@dataclass(eq=False)
class _Node:
    stated: _Stated
    parent: _Node | None
    children: int = 0


@dataclass(eq=False)
class _Level:
    """The nodes of one certificate in the tree."""

    statements: _Statement
    inhibit_any: bool = False
    inhibit_map: bool = False
    nodes: list[_Node] = field(default_factory=list)
    any: _Node | None = None
    count: int = 0

    def add(self, stated: _Stated, parent: _Node) -> None:
        """Add a node below *parent*."""
        node = _Node(stated, parent)
        parent.children += 1
        if stated.policy.oid == ANY_POLICY:
            self.any = node
        else:
            self.nodes.append(node)


def check_policies(chain: Sequence[Facts], question: PolicyQuestion) -> PolicyAnswer:
    """The policies of a path from the leaf up, its last certificate the trust anchor."""
    below = chain[:-1]
    if not below:
        return PolicyAnswer()
    statements = [_read(facts) for facts in below]
    explicit, empty, broken = _explicit(below, statements, question)
    if broken:
        depth = next(depth for depth, statement in enumerate(statements) if statement.broken)
        return PolicyAnswer((42, depth))
    levels = [] if empty else _tree(below, statements, question)
    if levels is None:
        return PolicyAnswer((17, 0), explicit)
    if not levels:
        return PolicyAnswer((43, 0) if explicit else None, explicit)
    authority = _authority_set(levels)
    user = _user_set(levels, authority, question.wanted)
    return PolicyAnswer((43, 0) if explicit and not user else None, explicit, authority, user)


def _explicit(below: Sequence[Facts], statements: Sequence[_Statement],
              question: PolicyQuestion) -> tuple[bool, bool, bool]:
    """Whether the path needs a policy, whether a certificate has none, and whether one is broken.

    Reading starts at the anchor, and ends at the first certificate without a policy if one is
    needed.
    """
    left, empty = 0 if question.explicit else len(below) + 1, False
    for facts, statement in zip(reversed(below), reversed(statements), strict=True):
        if statement.broken:
            return False, empty, True
        empty = empty or statement.policies is None
        if left:
            left -= not facts.self_issued
            if statement.skip_explicit is not None:
                left = min(left, statement.skip_explicit)
        if empty and not left:
            break
    return not left, empty, False


def _tree(below: Sequence[Facts], statements: Sequence[_Statement],
          question: PolicyQuestion) -> list[_Level] | None:
    """The levels of the tree from the anchor down.

    The list is empty if no node is left, and None if the tree has too many nodes.
    """
    root = _Node(_Stated(Policy(ANY_POLICY, False, None)), None)
    levels = [_Level(_Statement(), any=root)]
    nodes = 1
    skips = [0 if question.inhibit_any else len(below) + 1,
             0 if question.inhibit_map else len(below) + 1]
    for depth in range(len(below) - 1, -1, -1):
        facts, statement = below[depth], statements[depth]
        level = _Level(statement)
        level.inhibit_any = statement.any is None \
            or (not skips[0] and (not facts.self_issued or depth == 0))
        level.inhibit_map = not skips[1]
        for rule, own in enumerate((statement.skip_any, statement.skip_map)):
            if skips[rule]:
                skips[rule] -= not facts.self_issued
                skips[rule] = skips[rule] if own is None else min(skips[rule], own)
        levels.append(level)
    for number in range(1, len(levels)):
        above, level = levels[number - 1], levels[number]
        _link(above, level)
        nodes += len(level.nodes) + (level.any is not None)
        if nodes > _MOST_NODES:
            return None
        if not _prune(levels[:number + 1]):
            return []
    return levels


def _link(above: _Level, level: _Level) -> None:
    """Add the nodes of a level.

    A node hangs under the nodes of the level above that expect its policy, else under its
    anyPolicy.
    """
    for stated in level.statements.policies or ():
        parents = [node for node in above.nodes if stated.policy.oid in _expected(above, node)]
        if not parents and above.any is not None:
            parents = [above.any]
        for parent in parents:
            level.add(stated, parent)
    if level.inhibit_any or level.statements.any is None:
        return
    every = level.statements.any
    for node in above.nodes:
        if above.inhibit_map or not node.stated.mapped:
            missing = [] if node.children else [node.stated.policy.oid]
        else:
            present = {child.stated.policy.oid for child in level.nodes if child.parent is node}
            expected = node.stated.expected
            missing = [] if node.children == len(expected) \
                else [oid for oid in expected if oid not in present]
        for oid in missing:
            critical = node.stated.policy.critical
            level.add(_Stated(Policy(oid, critical, every.policy.qualifiers)), node)
    if above.any is not None:
        level.add(every, above.any)


def _expected(level: _Level, node: _Node) -> Sequence[str]:
    stated = node.stated
    if level.inhibit_map or not (stated.mapped or stated.mapped_from_any):
        return (stated.policy.oid,)
    return stated.expected


def _prune(levels: Sequence[_Level]) -> bool:
    """Remove every node from which no path leads to the last level (RFC 5280, 6.1.3 (d) (3)).

    Returns whether the tree has nodes left.
    """
    if levels[-1].inhibit_map:
        levels[-1].nodes = [node for node in levels[-1].nodes
                            if not (_is_mapped(node) and _orphaned(node))]
    for level in reversed(levels[:-1]):
        level.nodes = [node for node in level.nodes if node.children or not _orphaned(node)]
        if level.any is not None and not level.any.children:
            _orphaned(level.any)
            level.any = None
    return levels[0].any is not None


def _is_mapped(node: _Node) -> bool:
    return node.stated.mapped or node.stated.mapped_from_any


def _orphaned(node: _Node) -> bool:
    """Remove a node from its parent's children; always true."""
    if node.parent is not None:
        node.parent.children -= 1
    return True


def _authority_set(levels: Sequence[_Level]) -> tuple[Policy, ...]:
    return tuple(node.stated.policy for node in _authority_nodes(levels, with_any=True))


def _authority_nodes(levels: Sequence[_Level], *, with_any: bool) -> list[_Node]:
    """The nodes under an anyPolicy; an anyPolicy on the last level stands for all nodes."""
    last = levels[-1]
    if last.any is not None and with_any:
        return [last.any]
    found: list[_Node] = []
    for above, level in pairwise(levels):
        if above.any is None:
            break
        for node in level.nodes:
            if node.parent is above.any:
                _insert(found, node, lambda node: node.stated.policy.oid)
    return found


def _user_set(levels: Sequence[_Level], authority: tuple[Policy, ...],
              wanted: Sequence[str]) -> tuple[Policy, ...] | None:
    if ANY_POLICY in wanted:
        return authority
    if not wanted:
        return None
    every, found = levels[-1].any, []
    nodes = {node.stated.policy.oid: node.stated.policy
             for node in _authority_nodes(levels, with_any=False)}
    for oid in wanted:
        if oid in nodes:
            found.append(nodes[oid])
        elif every is not None:
            found.append(every.stated.policy._replace(oid=oid))
    return tuple(found)


def _insert(found: list[_Node], node: _Node, key: Callable[[_Node], str]) -> None:
    """Add a node, unless a node with the same key is present.

    OpenSSL sorts its list before each search: the sort here gives the same order.
    """
    found.sort(key=lambda member: _order(key(member)))
    if key(node) not in map(key, found):
        found.append(node)


def _order(oid: str) -> tuple[int, bytes]:
    """The order of OBJ_cmp: shorter OIDs come first."""
    octets = der.content_of(der.oid(oid))
    return len(octets), octets


def _read(facts: Facts) -> _Statement:
    """What a certificate says about policies.

    The statement is broken if an extension does not decode (OpenSSL's error 42).
    """
    try:
        return _read_extensions(facts)
    except (InputError, ValueError):
        return _Statement(broken=True)


def _read_extensions(facts: Facts) -> _Statement:
    found: dict[str, records.Extension] = {}
    for extension in records.extensions_of(records.certificate_fields(facts.certificate)):
        if extension.oid in (_POLICIES, _MAPPINGS, _CONSTRAINTS, _INHIBIT_ANY):
            if extension.oid in found:
                raise InputError("an extension occurs twice")
            found[extension.oid] = extension
    statements = _Statement()
    if _CONSTRAINTS in found:
        parts = {der.tag_of(item): _number(der.content_of(item))
                 for item in _inside(found[_CONSTRAINTS].value)}
        if not parts or parts.keys() - {_REQUIRE_EXPLICIT, _INHIBIT_MAPPING}:
            raise InputError("not a PolicyConstraints")
        statements.skip_explicit = parts.get(_REQUIRE_EXPLICIT)
        statements.skip_map = parts.get(_INHIBIT_MAPPING)
    if _POLICIES not in found:
        return statements
    _read_policies(statements, found[_POLICIES])
    if statements.policies is None:       # OpenSSL stops at an empty list
        return statements
    if _MAPPINGS in found:
        _read_mappings(statements, found[_MAPPINGS].value)
    if _INHIBIT_ANY in found:
        if der.tag_of(found[_INHIBIT_ANY].value) != der.INTEGER:
            raise InputError("not an InhibitAnyPolicy")
        statements.skip_any = _number(der.content_of(found[_INHIBIT_ANY].value))
    return statements


def _read_policies(statements: _Statement, extension: records.Extension) -> None:
    statements.policies = []
    entries = _inside(extension.value)
    if not entries:
        statements.policies = None
        return
    for entry in entries:
        kind, *qualifiers = _inside(entry)
        stated = _Stated(Policy(der.oid_text(kind), extension.critical,
                                tuple(_inside(qualifiers[0])) if qualifiers else None))
        if stated.policy.oid == ANY_POLICY:
            if statements.any is not None:
                raise InputError("anyPolicy occurs twice")
            statements.any = stated
            continue
        statements.policies.sort(key=lambda earlier: _order(earlier.policy.oid))
        if any(earlier.policy.oid == stated.policy.oid for earlier in statements.policies):
            raise InputError("a policy occurs twice")
        statements.policies.append(stated)


def _read_mappings(statements: _Statement, value: bytes) -> None:
    pairs = [[der.oid_text(item) for item in _inside(pair)] for pair in _inside(value)]
    if not pairs:
        raise InputError("PolicyMappings has no mapping")
    policies = statements.policies if statements.policies is not None else []
    for issuer, subject in pairs:
        if ANY_POLICY in (issuer, subject):
            raise InputError("anyPolicy is mapped (RFC 5280 §4.2.1.5)")
        policies.sort(key=lambda stated: _order(stated.policy.oid))
        stated = next((stated for stated in policies if stated.policy.oid == issuer), None)
        if stated is None:
            if statements.any is None:
                continue
            stated = _Stated(Policy(issuer, statements.any.policy.critical,
                                    statements.any.policy.qualifiers),
                             mapped_from_any=True)
            policies.append(stated)
        else:
            stated.mapped = stated.mapped or not stated.mapped_from_any
        stated.expected.append(subject)


def _inside(value: bytes) -> tuple[bytes, ...]:
    if der.tag_of(value) != der.SEQUENCE:
        raise InputError("not a sequence")
    return der.items(der.content_of(value))


def _number(octets: bytes) -> int:
    number = int.from_bytes(octets, "big", signed=True)
    if not octets or number < 0:
        raise InputError("the number of certificates is negative")
    return number
