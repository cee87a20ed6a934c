"""Policies along a chain (RFC 5280 §6.1, RFC 9618), and what is only read; Go 1.26 gave the
answers."""
from __future__ import annotations

from typing import Any

import pytest

from kpki.kubernetes.verdict import verify_kubernetes
from kpki.stages import der
from tests.kubernetes.verdict.keys import ec_key
from tests.kubernetes.verdict.writer import (
    CA,
    NOON,
    Item,
    Made,
    authority,
    cn,
    extension,
    leaf,
    policies,
)

A, B, C, ANY = "1.2.3", "1.2.4", "1.2.5", "2.5.29.32.0"
REFUSED = "x509: no valid chains built: 1 candidate chains with invalid policies"


def mapped(*pairs: tuple[str, str]) -> Item:
    """policyMappings."""
    return extension("2.5.29.33",
                     der.sequence(*(der.sequence(*map(der.oid, pair)) for pair in pairs)))


def limits(require: int | None = 0, inhibit: int | None = None) -> Item:
    """policyConstraints: after how many certificates a policy is required, and mapping
    inhibited."""
    return extension("2.5.29.36", der.sequence(*(der.tlv(tag, bytes((number,))) for tag, number in (
        (0x80, require), (0x81, inhibit)) if number is not None)))


def no_any(after: int = 0) -> Item:
    """inhibitAnyPolicy."""
    return extension("2.5.29.54", der.integer(after))


def chain(*each: list[Item], self_issued: bool = False) -> str:
    """What Go says of a chain whose certificates below the root, from the top down, have these
    extensions."""
    *above, last = each
    by, via = CA, list[Made]()
    for number, items in enumerate(above):
        by = authority(*items, subject=by.subject if self_issued and number else cn(f"m{number}"),
                       key=ec_key(3 + number), by=by)
        via.append(by)
    return verify_kubernetes(leaf(*last, by=by).der, [CA.der], untrusted=[item.der for item in via],
                             now=NOON).reason


@pytest.mark.parametrize("each", [
    [[policies(A), limits()], [policies(A)]],
    [[policies(A), limits(1)], [policies(A), no_any()], [policies(A)]],
    [[policies(ANY), limits()], [policies(B)]], [[policies(A), limits()], [policies(ANY)]],
    [[policies(A), limits(), mapped((A, B))], [policies(B)]],
    [[policies(ANY), limits(), mapped((A, B))], [policies(B)]], [[limits(2)], [policies(A)]],
    [[policies(A), mapped((A, B))], [policies(C)]], [[limits(255)], []],
    [[policies(A), limits(), mapped((A, B), (A, C))], [policies(B), mapped((B, C))], [policies(C)]],
    [[policies(A), limits(), mapped((A, B))], [policies(A, ANY)]],
])
def test_a_policy_is_left(each: list[list[Item]]) -> None:
    """The leaf's policy is one that all above it allow: named, mapped, or any; where none is
    required, none need be."""
    assert chain(*each) == "ok"


@pytest.mark.parametrize("each", [
    [[policies(A), limits()], []], [[policies(A), limits()], [policies(B)]],
    [[limits()], [policies(A)]], [[policies(ANY), limits(), no_any()], [policies(ANY)]],
    [[policies(A), limits(), mapped((A, B))], [policies(A)]],
    [[policies(A), limits(), mapped((A, ANY))], [policies(A)]],
    [[policies(A), mapped((ANY, A))], [policies(A)]],
    [[policies(A), limits(0, 0)], [policies(A), mapped((A, B))], [policies(B)]], [[], [limits()]],
    [[policies(A)], [policies(B), limits()], [policies(B)]],
])
def test_no_policy_is_left(each: list[list[Item]]) -> None:
    """Absent where one is required, another one, any where that is inhibited, mapped away, or
    mapped to any."""
    assert chain(*each) == REFUSED


def test_a_self_issued_certificate_does_not_count() -> None:
    """It takes nothing off the number of certificates before a policy is required, and may say
    any."""
    for each in ([[policies(A), limits(2)], [policies(A)], []],
                 [[policies(A), limits(0), no_any()], [policies(ANY)], [policies(A)]]):
        assert (chain(*each), chain(*each, self_issued=True)) == (REFUSED, "ok")


def read(*items: Item, **fields: Any) -> str:
    return verify_kubernetes(leaf(*items, **fields).der, [CA.der], now=NOON).reason


def point(*content: bytes) -> Item:
    return extension("2.5.29.31", der.sequence(der.sequence(*content)))


FULL, RELATIVE = (der.tlv(0xA0, der.tlv(tag, der.tlv(0x86, b"http://x"), der.tlv(0xA4)))
                  for tag in (0xA0, 0xA1))
DSA = der.sequence(der.oid("1.2.840.10040.4.1"), der.sequence(*map(der.integer, (7, 3, 2))))
NO_PARAMETERS = der.sequence(der.oid("1.2.840.10040.4.1"))


@pytest.mark.parametrize(("answer", "said"), [
    ("ok", read(point(FULL))), ("ok", read(point())), ("ok", read(point(der.tlv(0x81, b"\0")))),
    ("x509: invalid CRL distribution point", read(point(RELATIVE))),
    ("x509: invalid policy constraints extension",
     read(extension("2.5.29.36", der.sequence(der.tlv(0x80))))),
    ("x509: invalid inhibit any policy extension", read(extension("2.5.29.54", der.boolean(True)))),
    ("x509: invalid policy mappings extension",
     read(extension("2.5.29.33", der.sequence(der.sequence())))),
    ("x509: invalid certificate policies", read(policies(A, A))),
    ("ok", read(spki=der.sequence(DSA, der.bit_string(der.integer(5))))),
    ("x509: zero or negative DSA parameter",
     read(spki=der.sequence(DSA, der.bit_string(der.integer(0))))),
    ("x509: invalid DSA parameters",
     read(spki=der.sequence(NO_PARAMETERS, der.bit_string(der.integer(5))))),
    ("x509: invalid DSA public key", read(spki=der.sequence(DSA, der.bit_string(b"")))),
])
def test_what_is_only_read_must_be_readable(answer: str, said: str) -> None:
    """Distribution points by their full name, numbers and identifiers in order, DSA keys that no
    signature needs."""
    assert said == answer
