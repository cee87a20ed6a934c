"""Chains that chance makes: of few names, keys and values, so that they often fit, and of bytes
that fit nothing."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from kpki.stages import der
from tests.kubernetes.verdict.keys import ALGORITHMS, Key, ec_key, ed25519_key, rsa_key
from tests.kubernetes.verdict.writer import (
    CLIENT,
    END,
    EVERY,
    NOON,
    SERVER,
    START,
    UNKNOWN,
    Chain,
    Item,
    Made,
    address,
    basic,
    certificate,
    cn,
    constraints,
    dns,
    email,
    extension,
    issuer_key_id,
    key_id,
    key_usage,
    policies,
    san,
    uri,
    usages,
)

T = TypeVar("T")
# whether something of this rarity happens; never, in a chain that is calm
Odd = Callable[[float], bool]

KEYS: tuple[Key, ...] = (*(ec_key(number) for number in range(1, 5)), ec_key(5, "P-384"),
                         rsa_key(1), ed25519_key(1))
SUBJECTS = (cn("a"), cn("a", der.PRINTABLE), cn("b"), cn("c"))
HOSTS = ("api", "a.svc", "b.svc", "*.svc", "*.a.svc", "x.a.svc", "API", "svc", "a_b", "a.svc.", "",
         "a b", "10.0.0.5", "-a.svc", "svc.a")
ADDRESSES = ("10.0.0.5", "10.1.2.3", "fd00::5", "::ffff:10.0.0.5", "192.0.2.1")
EMAILS = ("a@svc", "a@api", "A@SVC", '"a b"@svc')
BAD_EMAILS = ("nobody", "a..b@svc", "", "@", "a@", 'a"@svc', "\u00fc@svc", "a@svc.")
URIS = ("https://a.svc/x", "spiffe://api/ns", "https://10.0.0.5", "spiffe:x", "https://b.svc:1",
        "//[fd00::5]:1/", "http://u@a.svc", "")
BAD_URIS = ("a b", "http://a b", "%zz", "http://a.svc:x", "http://%41.svc", "http://[::1", ":",
            "http://a..b", "1a:b")
STROKES = (*" .%:@[]/\\-_*?#\"'aZ9;,()<>\x7f\0", "%41", "%2e", "..", "::1", "10.0.0.5", "\u00fc",
           "xn--")
DOMAINS = ("svc", ".svc", "a.svc", "b.svc", "api", "", "SVC", "x.a.svc", "a-b.svc", "A.svc")
NETWORKS = (b"\x0a\0\0\0\xff\0\0\0", b"\x0a\1\0\0\xff\xff\0\0", b"\xfd" + bytes(15) + b"\xff"
            + bytes(15), bytes(8), b"\x0a\0\0\5\xff\xff\xff\xff", b"\x0a\x55\0\0\xff\0\0\0")
BAD_NETWORKS = (b"\x0a\0\0\0\xff\0\xff\0", b"\x0a\0\0\0", b"")
PURPOSES = (SERVER, CLIENT, EVERY, UNKNOWN)
POLICIES = ("1.2.3.4", "1.2.3.5", "2.5.29.32.0")
IDS = (b"\1", b"\2", b"")
TIMES = (START, END, NOON, NOON + timedelta(seconds=1), NOON - timedelta(days=400),
         NOON + timedelta(days=400))
TAGS = (1, 2, 3, 4, 5, 6, 12, 19, 20, 22, 23, 24, 28, 30, 0x30, 0x31, 0x80, 0x81, 0x82, 0x86, 0x87,
        0xA0, 0xA1, 0xA3)


def some(chance: Random, pool: Sequence[T]) -> list[T]:
    """None to three of the pool, at times the same again."""
    return [chance.choice(pool) for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))]


def scrawled(chance: Random, odd: Odd, pool: Sequence[str]) -> str:
    """One of the pool, at times with a few letters that no name has, or with some missing."""
    text = chance.choice(pool)
    while odd(0.25):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice((*STROKES, "")) + text[at + chance.choice((0, 0, 1)):]
    return text


def general_name(chance: Random, odd: Odd) -> bytes:
    """A name for a SAN."""
    return chance.choice((
        lambda: dns(scrawled(chance, odd, HOSTS)), lambda: dns(chance.choice(HOSTS)),
        lambda: dns(chance.choice(HOSTS)),
        lambda: address(chance.choice(ADDRESSES)),
        lambda: email(scrawled(chance, odd, BAD_EMAILS if odd(0.2) else EMAILS)),
        lambda: uri(scrawled(chance, odd, BAD_URIS if odd(0.2) else URIS)),
        lambda: address(bytes(chance.choice((0, 3, 5, 8)))) if odd(0.3)
        else der.tlv(0x88, b"\x2a\3")))()


def subtree(chance: Random, odd: Odd) -> bytes:
    """The base of a name constraint."""
    return chance.choice((
        lambda: dns(scrawled(chance, odd, DOMAINS)), lambda: dns(chance.choice(DOMAINS)),
        lambda: dns(chance.choice(DOMAINS)),
        lambda: address(chance.choice(BAD_NETWORKS if odd(0.2) else NETWORKS)),
        lambda: email(scrawled(chance, odd, BAD_EMAILS if odd(0.1) else DOMAINS + EMAILS)),
        lambda: uri(scrawled(chance, odd, BAD_URIS if odd(0.1) else DOMAINS)),
        lambda: der.tlv(0xA4, cn("a")) if odd(0.5) else dns("svc")))()


def extensions(chance: Random, odd: Odd, is_ca: bool) -> list[Item]:
    """Extensions of a CA or a leaf, most of them as they should be."""
    def often(share: float) -> bool:
        return chance.random() < share
    found = []
    if (is_ca and not odd(0.05)) or (not is_ca and often(0.5)):
        depth = -1 if odd(0.03) else chance.choice((0, 1, 1, 2, 3))
        found.append(basic(is_ca != odd(0.05),
                           *[der.integer(depth)] if is_ca and often(0.2) else []))
    if often(0.6):
        right = ["keyCertSign", "cRLSign"] if is_ca else ["digitalSignature"]
        found.append(key_usage(*chance.choice((["digitalSignature"], ["keyCertSign"], []))
                               if odd(0.2) else right))
    if often(0.1 if is_ca else 0.7):
        found.append(usages(*some(chance, PURPOSES) if often(0.3)
                            else [SERVER, CLIENT, *some(chance, PURPOSES)]))
    if often(0.1 if is_ca else 0.96):
        names = [general_name(chance, odd) for _ in some(chance, HOSTS)]
        found.append(san(*[dns("api")] * often(0.8), *names, critical=often(0.1)))
    if often(0.15) if is_ca else odd(0.03):
        found.append(constraints(
            permitted=[subtree(chance, odd) for _ in some(chance, DOMAINS)] + [dns("api")]
            * often(0.7),
            excluded=[subtree(chance, odd) for _ in some(chance, DOMAINS)] if often(0.4) else [],
            critical=often(0.8)))
    if often(0.4):
        found.append(key_id(chance.choice(IDS), critical=odd(0.03)))
    if often(0.4):
        found.append(issuer_key_id(chance.choice(IDS), critical=odd(0.03)))
    if often(0.2):
        found.append(policies(*chance.choices(POLICIES, k=2) if odd(0.3)
                              else [chance.choice(POLICIES)]))
    if often(0.04):
        found.append(extension(
            "2.5.29.36", der.sequence(der.tlv(chance.choice((0x80, 0x81)), b"\0")), often(0.9)))
    if often(0.04):
        found.append(extension("2.5.29.33", der.sequence(*(
            der.sequence(*map(der.oid, chance.choices(POLICIES, k=2)))
            for _ in some(chance, POLICIES)))))
    if often(0.03):
        found.append(extension("2.5.29.54", der.integer(chance.choice((0, 1))), often(0.9)))
    if odd(0.1):
        found.append(extension(UNKNOWN, b"\5\0", odd(0.3)))
    chance.shuffle(found)
    return found


# -- bytes that fit nothing ------------------------------------------------------------------------

def twisted(chance: Random, item: bytes) -> bytes:
    """One item of DER with a change somewhere inside it, the lengths round it still right, unless
    they are the change.
    """
    tag, content = item[0], der.content_of(item)
    inner: tuple[bytes, ...] = ()
    prefix = b""
    if tag & 0x20:
        inner = der.items(content)
    elif tag in (der.OCTET_STRING, der.BIT_STRING) and chance.random() < 0.8:
        prefix = content[:tag == der.BIT_STRING]
        try:
            inner = der.items(content[len(prefix):])
        except ValueError:
            prefix = b""
    if inner and chance.random() < 0.93:
        at = chance.randrange(len(inner))
        return der.tlv(tag, prefix, *inner[:at], twisted(chance, inner[at]), *inner[at + 1:])
    return chance.choice(TWISTS)(chance, tag, content)


def _flipped(chance: Random, content: bytes) -> bytes:
    if not content:
        return b"\0"
    at = chance.randrange(len(content))
    return content[:at] + bytes((content[at] ^ 1 << chance.randrange(8),)) + content[at + 1:]


def _long(tag: int, content: bytes) -> bytes:
    """A length in one octet more than it takes."""
    item = der.tlv(tag, content)
    size = len(content).to_bytes(len(item) - len(content) - 1, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


TWISTS = (
    lambda chance, tag, content: der.tlv(tag, _flipped(chance, content)),
    lambda chance, tag, content: der.tlv(tag, _flipped(chance, content)),
    lambda chance, tag, content: der.tlv(chance.choice(TAGS), content),
    lambda chance, tag, content: der.tlv(tag, content[:-1]),
    lambda chance, tag, content: der.tlv(tag, content, bytes((chance.randrange(256),))),
    lambda chance, tag, content: der.tlv(tag,
                                         chance.choice((b"", b"\0", b"\xff", b"\0\1", b"\5\0"))),
    lambda chance, tag, content: b"", lambda chance, tag, content: der.tlv(tag, content) * 2,
    lambda chance, tag, content: _long(tag, content),
)


def damaged(chance: Random, whole: bytes) -> bytes:
    """A certificate with one byte changed, gone or added, or cut off."""
    at = chance.randrange(len(whole))
    byte = bytes((chance.randrange(256),))
    return chance.choice((whole[:at] + byte + whole[at + 1:], whole[:at] + whole[at + 1:],
                          whole[:at] + byte + whole[at:], whole[:at], whole + byte))


# -- chains ----------------------------------------------------------------------------------------

def grown(chance: Random, odd: Odd, by: Made | None, is_ca: bool) -> Made:
    """A certificate, signed *by* another or itself."""
    key = chance.choice(KEYS)
    fields: dict[str, Any] = {}
    if odd(0.08):
        fields["version"] = chance.choice((None, 0, 1, 1, 3))
    if odd(0.1):
        fields["start"], fields["end"] = sorted(chance.choices(TIMES, k=2))
    if odd(0.08):
        kind = (by.key if by else key).usual.partition("-")[0]
        fields["algorithm"] = chance.choice([name for name in ALGORITHMS
                                             if name.partition("-")[0] == kind])
    if odd(0.03):
        fields["inner"] = fields["outer"] = chance.choice([*ALGORITHMS.values()])
    if odd(0.02):
        fields["outer"] = chance.choice([*ALGORITHMS.values()])
    if odd(0.04):
        fields["serial"] = chance.choice((b"\0", b"\xff", b"\0\1", b"\1" * 22, b"\0\x80"))
    if odd(0.04):
        fields["issuer"] = chance.choice(SUBJECTS)
    if odd(0.03):
        fields["spoilt"] = True
    if odd(0.2):
        fields["twist"] = lambda item: twisted(chance, item)
    return certificate(chance.choice(SUBJECTS), key, by, extensions(chance, odd, is_ca), **fields)


def random_chain(seed: int) -> Chain:
    """The chain of this number, the same in every run: up to three CAs above a leaf, and others
    round them."""
    chance = Random(seed)
    calm = chance.random() < 0.5

    def odd(share: float) -> bool:
        return not calm and chance.random() < share

    above: list[Made] = []
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        above.append(grown(chance, odd, above[-1] if above else None, True))
    leaf = grown(chance, odd, above[-1], odd(0.1))
    others = [grown(chance, odd, chance.choice([None, *above]), True)
              for _ in range(chance.choice((0, 0, 1, 2)))]
    # the same name and key once more, with other fields or another signer
    for number, ca in enumerate(above):
        if chance.random() < 0.2:
            others.append(certificate(ca.subject, ca.key,
                                      chance.choice([None, *above[:number], *others]),
                                      extensions(chance, odd, True)))
    pool = [*above, *others]
    chance.shuffle(pool)
    roots = [made.der for made in pool if (made is above[0] and chance.random() < 0.95)
             or chance.random() < 0.1]
    untrusted = [made.der for made in pool if chance.random() < 0.95]
    last = leaf.der
    if chance.random() < 0.03:
        roots.append(last)
    if odd(0.15):
        last = damaged(chance, last)
    elif roots and odd(0.05):
        roots[0] = damaged(chance, roots[0])
    host = ("api" if chance.random() < 0.7
            else scrawled(chance, odd, (*HOSTS, *ADDRESSES, "[fd00::5]", "API.", "x.svc")))
    return Chain(last, tuple(roots), tuple(untrusted),
                 chance.choice(("sslserver", "sslserver", "sslclient", "any")), host,
                 chance.choice(TIMES) if odd(0.1) else NOON)
