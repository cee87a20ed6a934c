"""Chains that show in which order Go looks: what it says first, which candidate it takes, and when
it gives up."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from kpki.stages import der
from tests.kubernetes.verdict.keys import ec_key, ed25519_key, rsa_key
from tests.kubernetes.verdict.writer import (
    BASIC,
    CA,
    CLIENT,
    END,
    NOON,
    SAN,
    START,
    UNKNOWN,
    Facts,
    Item,
    Made,
    ask,
    attribute,
    authority,
    basic,
    cn,
    extension,
    issuer_key_id,
    key_id,
    key_usage,
    leaf,
    named,
    usages,
)

SECOND = timedelta(seconds=1)
CRITICAL = extension(UNKNOWN, b"\5\0", True)
NO_BASIC, NO_NAMES = extension(BASIC, b"\5\0"), extension(SAN, b"\5\0")
PAST: dict[str, Any] = {"start": START - timedelta(days=900), "end": START}
OTHER = authority(key=ec_key(2))    # the same name, another key
RSA_CA = authority(key=rsa_key(1))
ED_CA = authority(key=ed25519_key(1))
STRANGER = authority(name="stranger", key=ec_key(2))
BROKEN, WORSE = authority(version=3), leaf(serial=b"\xff")


def between(name: str, number: int, by: Made, *items: Item, **fields: Any) -> Made:
    return authority(*items, name=name, key=ec_key(number), by=by, **fields)


I, J, K = (between("i", 3, CA), between("j", 4, between("i", 3, CA)),
           between("k", 5, between("j", 4, CA)))
ONE_DEEP = authority(basic(True, der.integer(1)))
FLAT = authority(basic(True, der.integer(0)))
SAME_NAME = between("ca", 3, FLAT)              # self-issued: the CA's own name, another key
CROSS_B = authority(name="b", key=ec_key(4), by=authority(name="a", key=ec_key(3)))
CROSS_A = authority(name="a", key=ec_key(3), by=CROSS_B)
NAMED_A = authority(named("a"), name="a", key=ec_key(3), by=CROSS_B)
UNDER_A = leaf(by=CROSS_A)
V1_ROOT, V1_MIDDLE = authority(version=None, only=[]), between("i", 3, CA, version=None, only=[])
EXPIRED, FUTURE = authority(**PAST), authority(start=NOON + SECOND)
KEYED, MISKEYED = authority(key_id(b"\1")), authority(key_id(b"\2"), key=rsa_key(1))
KEYED_RSA, UNKEYED_ED = authority(key_id(b"\1"), key=rsa_key(1)), authority(key=ed25519_key(1))
PINNED = leaf(issuer_key_id(b"\1"))


def crowd(size: int) -> list[Made]:
    """So many CAs of the one name, none of them the right one."""
    return [authority(key=ec_key(100 + number)) for number in range(size)]


PARSED: Facts = {
    "the CA file is parsed first, then the leaf, then the rest": {
        "the root and the leaf are broken": ask(WORSE, BROKEN),
        "the second root is": ask(leaf(), CA, BROKEN),
        "the leaf and an intermediate are": ask(WORSE, via=[between("i", 3, CA, after=b"\0")]),
        "an intermediate is": ask(leaf(), via=[I, between("i", 3, CA, after=b"\0")]),
        "none is": ask(leaf(), via=[I])},
    "all extensions are separated before the first value is read": {
        "a bad value before a kind twice": ask(leaf(only=[NO_BASIC, named("api"), named("api")])),
        "a bad value before what is no extension": ask(leaf(only=[NO_BASIC, (SAN, b"\2\0")])),
        "two bad values": ask(leaf(only=[NO_BASIC, NO_NAMES])),
        "the other way round": ask(leaf(only=[NO_NAMES, NO_BASIC])),
        "good values": ask(leaf(only=[basic(), named("api")]))},
    "a critical extension, then the time, then the name, then the authority": {
        "all four": ask(leaf(CRITICAL, by=STRANGER, **PAST), host="other"),
        "three": ask(leaf(by=STRANGER, **PAST), host="other"),
        "two": ask(leaf(by=STRANGER), host="other"),
        "one": ask(leaf(by=STRANGER)),
        "the use comes last": ask(leaf(usages(CLIENT), by=STRANGER)),
        "the use alone": ask(leaf(usages(CLIENT))),
        "none": ask(leaf())},
    "both ends of the time are in it": {
        "the first second": ask(leaf(), at=START),
        "the second before it": ask(leaf(), at=START - SECOND),
        "the last second": ask(leaf(), at=END),
        "the second after it": ask(leaf(), at=END + SECOND),
        "no time at all": ask(leaf(start=END, end=START)),
        "a time before 1970": ask(leaf(), at=START.replace(year=1960)),
        "one second": ask(leaf(start=NOON, end=NOON))},
}

CANDIDATES: Facts = {
    "the leaf itself among the roots": {
        "and no CA": ask(leaf(), leaf()),
        "another leaf of its name": ask(leaf(serial=b"\6"), leaf()),
        "for another use": ask(leaf(usages(CLIENT)), leaf(usages(CLIENT))),
        "for any use": ask(leaf(usages(CLIENT)), leaf(usages(CLIENT)), purpose="any"),
        "expired": ask(leaf(**PAST), leaf(**PAST)),
        "for another name": ask(leaf(), leaf(), host="other"),
        "among the untrusted alone": ask(leaf(), STRANGER, via=[leaf()]),
        "self-signed": ask(own := leaf(by=None), own),
        "self-signed, not trusted": ask(own)},
    "no root at all": {
        "none": replace(ask(leaf()), roots=()),
        "another": ask(leaf(), STRANGER),
        "the right one": ask(leaf(), STRANGER, CA)},
    "which of two roots of a name": {
        "the first": ask(leaf(), CA, OTHER),
        "the second": ask(leaf(), OTHER, CA),
        "neither": ask(leaf(), OTHER),
        "the first hint is kept: RSA": ask(leaf(), RSA_CA, ED_CA),
        "the first hint is kept: Ed25519": ask(leaf(), ED_CA, RSA_CA),
        "an expired one, and a good one": ask(leaf(), EXPIRED, CA),
        "a good one, and an expired one": ask(leaf(), CA, EXPIRED),
        "an expired one, and a wrong one": ask(leaf(), EXPIRED, OTHER),
        "a wrong one, and an expired one": ask(leaf(), OTHER, EXPIRED),
        "an expired one, and a future one": ask(leaf(), EXPIRED, FUTURE),
        "the same one twice": ask(leaf(), CA, CA)},
    "key identifiers order, and do not exclude": {
        "the one that fits comes first": ask(PINNED, UNKEYED_ED, MISKEYED, KEYED_RSA),
        "then the one that says nothing": ask(PINNED, MISKEYED, UNKEYED_ED),
        "the one that does not fit is good": ask(PINNED, authority(key_id(b"\2")), KEYED_RSA),
        "neither says anything": ask(leaf(), KEYED_RSA, ED_CA)},
    "roots come before intermediates": {
        "the root's hint": ask(leaf(), RSA_CA, via=[ED_CA]),
        "the intermediate is good, its root is not there": ask(leaf(), RSA_CA,
                                                               via=[authority(by=STRANGER)]),
        "the intermediate is good": ask(leaf(), RSA_CA, STRANGER, via=[authority(by=STRANGER)])},
    "at most 100 signatures are tried": {
        "the 100th": ask(leaf(), *crowd(99), CA),
        "the 101st": ask(leaf(), *crowd(100), CA),
        "150 of which none": ask(leaf(), *crowd(150)),
        "99 of which none": ask(leaf(), *crowd(99)),
        "one root 150 times": ask(leaf(), *[OTHER] * 150, CA),
        "the right one was among them": ask(leaf(), CA, *crowd(120)),
        "roots and intermediates":
            ask(leaf(by=I), via=[*(between("i", 100 + n, CA) for n in range(60)), I, *(
                authority(name="ca", key=ec_key(200 + n)) for n in range(60))])},
    "CAs that sign each other": {
        "and no root": ask(UNDER_A, via=[CROSS_A, CROSS_B]),
        "one of them a root": ask(UNDER_A, CROSS_B, via=[CROSS_A, CROSS_B]),
        "with another's name as well": ask(UNDER_A, via=[CROSS_A, NAMED_A, CROSS_B]),
        "a root beyond them": ask(UNDER_A, authority(name="a", key=ec_key(3)),
                                  via=[CROSS_A, CROSS_B]),
        "a CA that signed itself, untrusted": ask(leaf(), STRANGER, via=[CA]),
        "a leaf that is its own CA": ask(leaf(basic(), by=None), via=[leaf(basic(), by=None)])},
}

SIGNERS: Facts = {
    "who may sign": {
        "a root that says CA:TRUE": ask(leaf(), CA),
        "a root that says CA:FALSE": ask(leaf(by=(no := authority(basic(False)))), no),
        "a root without basicConstraints": ask(leaf(), authority(without=[BASIC])),
        "a root without keyUsage": ask(leaf(), authority(without=["2.5.29.15"])),
        "a root whose keyUsage says cRLSign alone": ask(leaf(), authority(key_usage("cRLSign"))),
        "a root whose keyUsage is empty": ask(leaf(), authority(key_usage())),
        "a root of version 1": ask(leaf(), V1_ROOT),
        "a root of version 2": ask(leaf(), authority(version=1)),
        "an intermediate": ask(leaf(by=I), via=[I]),
        "an intermediate of version 1": ask(leaf(by=I), via=[V1_MIDDLE]),
        "an intermediate that says CA:FALSE": ask(leaf(by=I),
                                                  via=[between("i", 3, CA, basic(False))]),
        "an intermediate without basicConstraints": ask(leaf(by=I),
                                                        via=[between("i", 3, CA, without=[BASIC])]),
        "a leaf": ask(leaf(by=(other := leaf(subject=cn("other")))), via=[other])},
    "pathLen counts what lies between": {
        "0, none": ask(leaf(by=FLAT), FLAT),
        "0, one": ask(leaf(by=I), FLAT, via=[I]),
        "0, one of the CA's own name": ask(leaf(by=SAME_NAME), FLAT, via=[SAME_NAME]),
        "1, one": ask(leaf(by=I), ONE_DEEP, via=[I]),
        "1, two": ask(leaf(by=J), ONE_DEEP, via=[I, J]),
        "none said, three": ask(leaf(by=(k := between("k", 5, J))), via=[k, J, I]),
        "an intermediate's 0, one": ask(leaf(by=J),
                                        via=[J, between("i", 3, CA, basic(True, der.integer(0)))]),
        "an intermediate's 0, none": ask(leaf(by=I),
                                         via=[between("i", 3, CA, basic(True, der.integer(0)))])},
    "a root counts like an intermediate, but for its signature": {
        "expired": ask(leaf(), EXPIRED),
        "in the future": ask(leaf(), FUTURE),
        "a critical extension": ask(leaf(), authority(CRITICAL)),
        "its use": ask(leaf(), authority(usages(CLIENT))),
        "signed with SHA-1": ask(leaf(), authority(algorithm="ecdsa-sha1")),
        "signed with MD5": ask(leaf(by=RSA_CA), authority(key=rsa_key(1), algorithm="rsa-md5")),
        "its signature is broken": ask(leaf(), authority(spoilt=True)),
        "an expired intermediate": ask(leaf(by=I), via=[between("i", 3, CA, **PAST)]),
        "an intermediate with a critical extension": ask(leaf(by=I),
                                                         via=[between("i", 3, CA, CRITICAL)]),
        "an intermediate whose signature is broken": ask(leaf(by=I),
                                                         via=[between("i", 3, CA, spoilt=True)])},
    "the hint names the candidate": {
        "by its O": ask(leaf(by=(o := authority(subject=der.sequence(attribute("OU", "x"),
                                                                     attribute("O", "org"))))),
                        authority(subject=o.subject, key=ec_key(2))),
        "by its serial number":
            ask(leaf(by=(ou := authority(subject=der.sequence(attribute("OU", "x"))))),
                authority(subject=ou.subject, key=ec_key(2), serial=b"\1\0")),
        "by an empty subject": ask(leaf(by=(bare := authority(subject=der.sequence()))),
                                   authority(subject=bare.subject, key=ec_key(2))),
        "quoted": ask(leaf(by=authority(name='a"b\\\n\u00fc\x7f')),
                      authority(name='a"b\\\n\u00fc\x7f', key=ec_key(2))),
        "the last CN of two": ask(
            leaf(by=(two := authority(subject=der.sequence(attribute("CN", "one"),
                                                           attribute("CN", "two"))))),
            authority(subject=two.subject, key=ec_key(2))),
        "the right key": ask(leaf(by=two), two)},
}

FACTS: Facts = PARSED | CANDIDATES | SIGNERS
