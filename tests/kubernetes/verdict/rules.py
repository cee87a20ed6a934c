"""Chains that are whole, and what makes Go refuse them all the same: names, keys, uses,
constraints, policies."""
from __future__ import annotations

from collections.abc import Iterable

from kpki.stages import der
from tests.kubernetes.verdict.keys import ALGORITHMS, algorithm, ec_key, ed25519_key, rsa_key
from tests.kubernetes.verdict.writer import (
    CA,
    CLIENT,
    EVERY,
    SAN,
    SERVER,
    UNKNOWN,
    Chain,
    Facts,
    Item,
    Made,
    address,
    ask,
    attribute,
    authority,
    basic,
    cn,
    constraints,
    dns,
    email,
    extension,
    issuer_key_id,
    key_id,
    key_usage,
    leaf,
    named,
    policies,
    san,
    uri,
    usages,
)

CODE, MS_SGC, NS_SGC = "1.3.6.1.5.5.7.3.3", "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"
OTHER_KEY = authority(key=ec_key(2))
STRANGER = authority(name="stranger", key=ec_key(2))
MIDDLE = authority(name="i", key=ec_key(3), by=CA)
RSA_CA, RSA_512, ED_CA = (authority(key=rsa_key(1)), authority(key=rsa_key(3, 512)),
                          authority(key=ed25519_key(1)))


def renamed(subject: bytes, issuer: bytes) -> Chain:
    """A CA with this subject, and a leaf with that issuer, signed by it."""
    ca = authority(subject=subject)
    return ask(leaf(by=ca, issuer=issuer), ca)


def pinned(*given: Item, ca: Made = CA) -> Chain:
    """A leaf with this AKI, signed by the CA; *ca* is trusted."""
    return ask(leaf(*given), ca)


def signed(name: str, ca: Made) -> Chain:
    """A leaf that *ca* signed with this algorithm."""
    return ask(leaf(by=ca, algorithm=name), ca)


def used(*oids: str, purpose: str = "sslserver") -> Chain:
    """A leaf for these uses."""
    return ask(leaf(usages(*oids)), purpose=purpose)


def uses_above(root: list[str] | None, middle: list[str] | None,
               purpose: str = "sslserver") -> Chain:
    """A leaf of an intermediate, which have these uses (None: no extension)."""
    ca = authority(*[] if root is None else [usages(*root)])
    via = authority(*[] if middle is None else [usages(*middle)], name="i", key=ec_key(3), by=ca)
    return ask(leaf(by=via), ca, via=[via], purpose=purpose)


def within(*names: bytes, permitted: Iterable[bytes] = (), excluded: Iterable[bytes] = (),
           critical: bool = True, host: str | None = None, purpose: str = "sslserver") -> Chain:
    """A leaf with these SANs, under a root with these name constraints."""
    ca = authority(constraints(permitted=permitted, excluded=excluded, critical=critical))
    return ask(leaf(san(*names), by=ca), ca, host=host, purpose=purpose)


def policed(root: list[Item], middle: list[Item], *last: Item) -> Chain:
    """A leaf, an intermediate and a root with these policy extensions."""
    ca = authority(*root)
    via = authority(*middle, name="i", key=ec_key(3), by=ca)
    return ask(leaf(*last, by=via), ca, via=[via])


def required(skip: int) -> Item:
    """policyConstraints: requireExplicitPolicy."""
    return extension("2.5.29.36", der.sequence(der.tlv(0x80, bytes((skip,)))), True)


def mapped(*pairs: tuple[str, str]) -> Item:
    return extension("2.5.29.33",
                     der.sequence(*(der.sequence(*map(der.oid, pair)) for pair in pairs)))


def no_any(skip: int) -> Item:
    return extension("2.5.29.54", der.integer(skip), True)


def network(first: str, mask: str) -> bytes:
    """An iPAddress of a name constraint."""
    return der.tlv(0x87, der.content_of(address(first)), der.content_of(address(mask)))


TEN = network("10.0.0.0", "255.0.0.0")
FD = network("fd00::", "ff00::")
ISSUER_SERIAL = (der.tlv(0xA1, der.tlv(0xA4, cn("another"))), der.tlv(0x82, b"\x09"))
EXPIRED_TWIN = authority(end=der.tlv(der.UTC_TIME, b"260201000000Z"), serial=b"\7")
A, B, ALL = "1.2.3.4", "1.2.3.5", "2.5.29.32.0"
CONSTRAINED = authority(constraints(permitted=[dns("svc")]), name="i", key=ec_key(3), by=CA)

AUTHORITY: Facts = {
    "an issuer is its CA's subject, byte for byte": {
        "the same": renamed(cn("ca"), cn("ca")),
        "another string type": renamed(cn("ca", der.PRINTABLE), cn("ca")),
        "other letters": renamed(cn("CA"), cn("ca")),
        "another blank": renamed(cn("a ca"), cn("a  ca")),
        "another order": renamed(der.sequence(attribute("CN", "ca"), attribute("O", "o")),
                                 der.sequence(attribute("O", "o"), attribute("CN", "ca"))),
        "empty": renamed(der.sequence(), der.sequence())},
    "an AKI that fits no CA excludes none": {
        "it fits": pinned(issuer_key_id(b"\1"), ca=authority(key_id(b"\1"))),
        "another keyid": pinned(issuer_key_id(b"\1"), ca=authority(key_id(b"\2"))),
        "another issuer and serial": pinned(issuer_key_id(b"", *ISSUER_SERIAL)),
        "another key": pinned(issuer_key_id(b"\1"), ca=authority(key_id(b"\1"), key=ec_key(2)))},
    "what is trusted need not be self-signed": {
        "an intermediate": ask(leaf(by=MIDDLE), MIDDLE),
        "an intermediate of another key": ask(leaf(by=MIDDLE),
                                              authority(name="i", key=ec_key(2), by=CA)),
        "the leaf": ask(leaf(by=STRANGER), leaf(by=STRANGER)),
        "the root is among the untrusted alone": ask(leaf(), STRANGER, via=[CA]),
        "its intermediate is missing": ask(leaf(by=MIDDLE), CA),
        "and there": ask(leaf(by=MIDDLE), CA, via=[MIDDLE])},
    "an expired root beside its twin": {
        "before it": ask(leaf(), EXPIRED_TWIN, CA),
        "after it": ask(leaf(), CA, EXPIRED_TWIN),
        "alone": ask(leaf(), EXPIRED_TWIN),
        "beside one of another key": ask(leaf(), OTHER_KEY, EXPIRED_TWIN)},
    "signatures": {
        "ECDSA with SHA-256": signed("ecdsa-sha256", CA),
        "ECDSA with SHA-384": signed("ecdsa-sha384", CA),
        "ECDSA with SHA-512": signed("ecdsa-sha512", CA),
        "ECDSA with SHA-1": signed("ecdsa-sha1", CA),
        "ECDSA with SHA-224": signed("ecdsa-sha224", CA),
        "RSA with SHA-256": signed("rsa-sha256", RSA_CA),
        "RSA with SHA-384": signed("rsa-sha384", RSA_CA),
        "RSA with SHA-512": signed("rsa-sha512", RSA_CA),
        "RSA with SHA-1": signed("rsa-sha1", RSA_CA),
        "RSA with MD5": signed("rsa-md5", RSA_CA),
        "RSA with SHA-224": signed("rsa-sha224", RSA_CA),
        "PSS with SHA-256": signed("pss-sha256", RSA_CA),
        "Ed25519": signed("ed25519", ED_CA),
        "P-224": signed("ecdsa-sha256", authority(key=ec_key(1, "P-224"))),
        "P-384": signed("ecdsa-sha384", authority(key=ec_key(1, "P-384"))),
        "P-521": signed("ecdsa-sha512", authority(key=ec_key(1, "P-521"))),
        "an intermediate with SHA-1": ask(
            leaf(by=MIDDLE),
            via=[authority(name="i", key=ec_key(3), by=CA, algorithm="ecdsa-sha1")]),
        "an unknown algorithm": ask(leaf(inner=algorithm("1.2.3.4.5"),
                                         outer=algorithm("1.2.3.4.5"))),
        "PSS without parameters": ask(
            leaf(inner=(bare := algorithm("1.2.840.113549.1.1.10")), outer=bare, by=RSA_CA),
            RSA_CA),
        "RSA's name, an EC key": ask(leaf(inner=ALGORITHMS["rsa-sha256"],
                                          outer=ALGORITHMS["rsa-sha256"])),
        "Ed25519's name, an EC key": ask(leaf(inner=ALGORITHMS["ed25519"],
                                              outer=ALGORITHMS["ed25519"])),
        "broken, ECDSA": ask(leaf(spoilt=True)),
        "broken, RSA": ask(leaf(by=RSA_CA, spoilt=True), RSA_CA),
        "broken, PSS": ask(leaf(by=RSA_CA, spoilt=True, algorithm="pss-sha256"), RSA_CA),
        "broken, Ed25519": ask(leaf(by=ED_CA, spoilt=True), ED_CA)},
    "an RSA key that signs has 1024 bits": {
        "1024": ask(leaf(by=RSA_CA), RSA_CA),
        "512": ask(leaf(by=RSA_512), RSA_512),
        "1000": ask(leaf(by=(short := authority(key=rsa_key(4, 1000)))), short),
        "512 in the leaf": ask(leaf(key=rsa_key(3, 512)))},
    "an unhandled critical extension": {
        "in the leaf": ask(leaf(extension(UNKNOWN, b"\5\0", True))),
        "in the root": ask(leaf(), authority(extension(UNKNOWN, b"\5\0", True))),
        "not critical": ask(leaf(extension(UNKNOWN, b"\5\0")),
                            authority(extension(UNKNOWN, b"\5\0"))),
        "critical policies, constraints and mappings": policed(
            [], [extension("2.5.29.32", der.sequence(der.sequence(der.oid(A))), True), required(9),
                 no_any(9)])},
}

USES: Facts = {
    "no extendedKeyUsage, an empty one, or any": {
        "none": ask(leaf(without=["2.5.29.37"])),
        "empty": used(),
        "any": used(EVERY),
        "any and another": used(CODE, EVERY),
        "another": used(CODE)},
    "the use that is asked": {
        "server": used(SERVER),
        "server, asked as a client": used(SERVER, purpose="sslclient"),
        "client": used(CLIENT, purpose="sslclient"),
        "client, asked as a server": used(CLIENT),
        "both": used(CODE, CLIENT, SERVER),
        "anything": used(CODE, purpose="any"),
        "an unknown one": used(UNKNOWN),
        "an unknown one, for anything": used(UNKNOWN, purpose="any")},
    "SGC is no serverAuth": {
        "Microsoft's": used(MS_SGC),
        "Netscape's": used(NS_SGC),
        "beside it": used(NS_SGC, SERVER)},
    "the uses of those above count": {
        "none said": uses_above(None, None),
        "an intermediate's": uses_above(None, [SERVER]),
        "an intermediate's other": uses_above(None, [CLIENT]),
        "a root's other": uses_above([CLIENT], None),
        "a root's": uses_above([SERVER, CLIENT], [CLIENT, SERVER]),
        "any in the root": uses_above([EVERY], [SERVER]),
        "an empty list": uses_above([], []),
        "an unknown one": uses_above(None, [UNKNOWN]),
        "a client's": uses_above(None, [CLIENT], "sslclient"),
        "a client's other": uses_above(None, [SERVER], "sslclient"),
        "for anything": uses_above([CODE], [CLIENT], "any")},
    "keyUsage of the leaf is not looked at": {
        "no digitalSignature": ask(leaf(key_usage("keyEncipherment"))),
        "keyCertSign alone, a client": ask(leaf(key_usage("keyCertSign")), purpose="sslclient",
                                           host=None),
        "keyCertSign, and no CA": ask(leaf(key_usage("digitalSignature", "keyCertSign"))),
        "none": ask(leaf(without=["2.5.29.15"])),
        "a CA as a server": ask(leaf(basic(), key_usage("keyCertSign"))),
        "the CA's is": ask(leaf(), authority(key_usage("digitalSignature")))},
}

CONSTRAINTS: Facts = {
    "every DNS name is held against the constraints": {
        "inside": within(dns("api.svc"), permitted=[dns("svc")], host="api.svc"),
        "outside": within(dns("api"), permitted=[dns("svc")], host="api"),
        "one of two, not asked": within(dns("api.svc"), dns("x"), permitted=[dns("svc")],
                                        host="api.svc"),
        "none asked": within(dns("x"), permitted=[dns("svc")]),
        "a client's": within(dns("x"), permitted=[dns("svc")], purpose="sslclient"),
        "excluded": within(dns("api.svc"), excluded=[dns("svc")]),
        "not excluded": within(dns("api.svc"), excluded=[dns("default.svc")]),
        "inside and excluded": within(dns("a.svc"), permitted=[dns("svc")],
                                      excluded=[dns("a.svc")]),
        "other letters": within(dns("API.Svc"), permitted=[dns("sVC")]),
        "a longer label": within(dns("xsvc"), permitted=[dns("svc")]),
        "all permitted": within(dns("x"), permitted=[dns("")]),
        "all excluded": within(dns("x"), excluded=[dns("")]),
        "several": within(dns("a.b"), dns("c-d"),
                          permitted=[dns("a.b"), dns("b"), dns("c-d"), dns("c"), dns("d")]),
        "of several none": within(dns("e"),
                                  permitted=[dns("a.b"), dns("b"), dns("c-d"), dns("c"), dns("d")]),
        "an intermediate's": ask(leaf(by=CONSTRAINED), via=[CONSTRAINED]),
        "an intermediate's, inside": ask(leaf(named("a.svc"), by=CONSTRAINED), via=[CONSTRAINED],
                                         host="a.svc"),
        "names of an intermediate": ask(
            leaf(named("a.svc"), by=(odd := authority(named("x"), name="i", key=ec_key(3), by=(
                strict := authority(constraints(permitted=[dns("svc")])))))), strict, via=[odd],
            host="a.svc"),
        "a root's own names": ask(
            leaf(named("a.svc"),
                 by=(own := authority(named("x"), constraints(permitted=[dns("svc")])))), own,
            host="a.svc"),
        "a name with a trailing dot": within(dns("api.svc."), permitted=[dns("svc")]),
        "an empty name": within(dns(""), permitted=[dns("svc")]),
        "not critical": within(dns("x"), permitted=[dns("svc")], critical=False)},
    "a CN is not held against them": {
        "no SAN": ask(leaf(by=(held := authority(constraints(permitted=[dns("svc")]))),
                           without=[SAN]), held, host=None),
        "an address alone": within(address("10.0.0.5"), permitted=[dns("svc")], host="10.0.0.5"),
        "a DNS name": ask(leaf(by=held), held, host=None)},
    "a dot before a constraint": {
        "a subdomain": within(dns("a.svc"), permitted=[dns(".svc")]),
        "itself": within(dns("svc"), permitted=[dns(".svc")]),
        "itself, no dot": within(dns("svc"), permitted=[dns("svc")]),
        "excluded, a subdomain": within(dns("a.svc"), excluded=[dns(".svc")]),
        "excluded, itself": within(dns("svc"), excluded=[dns(".svc")])},
    "a pattern and the constraints": {
        "may be an excluded name": within(dns("*.d.svc"), excluded=[dns("a.d.svc")]),
        "may not": within(dns("*.d.svc"), excluded=[dns("a.e.svc")]),
        "is inside": within(dns("*.d.svc"), permitted=[dns("d.svc")]),
        "may be inside": within(dns("*.d.svc"), permitted=[dns("a.d.svc")]),
        "excluded with all": within(dns("*.d.svc"), excluded=[dns("svc")])},
    "addresses and networks": {
        "inside": within(address("10.1.2.3"), permitted=[TEN], host="10.1.2.3"),
        "outside": within(address("11.0.0.1"), permitted=[TEN], host="11.0.0.1"),
        "excluded": within(address("10.1.2.3"), excluded=[TEN]),
        "not excluded": within(address("11.0.0.1"), excluded=[TEN]),
        "IPv6 inside": within(address("fd00::5"), permitted=[FD]),
        "IPv6 excluded": within(address("fd00::5"), excluded=[FD]),
        "IPv6 where IPv4 is permitted": within(address("fd00::5"), permitted=[TEN]),
        "IPv4 mapped to IPv6": within(address("::ffff:10.1.2.3"), permitted=[TEN]),
        "everything": within(address("11.0.0.1"), permitted=[network("0.0.0.0", "0.0.0.0")]),
        "one address": within(address("10.0.0.5"),
                              permitted=[network("10.0.0.5", "255.255.255.255")]),
        "an address with host bits": within(address("10.9.9.9"),
                                            permitted=[network("10.5.0.0", "255.0.0.0")])},
    "e-mail addresses": {
        "a host": within(email("a@a.example"), permitted=[email("a.example")]),
        "another host": within(email("a@b.example"), permitted=[email("a.example")]),
        "a mailbox": within(email("a@a.example"), permitted=[email("a@a.example")]),
        "another mailbox": within(email("b@a.example"), permitted=[email("a@a.example")]),
        "excluded": within(email("a@A.example"), excluded=[email("a@a.example")]),
        "no e-mail address": within(email("nobody"), permitted=[dns("svc")]),
        "quoted": within(email('"a b"@a.example'), permitted=[email("a.example")]),
        "two dots": within(email("a..b@a.example"), permitted=[email("a.example")])},
    "URIs and constraints": {
        "inside": within(uri("https://a.svc/x"), permitted=[uri("a.svc")]),
        "outside": within(uri("https://b.svc/x"), permitted=[uri("a.svc")]),
        "excluded": within(uri("https://a.svc:6443/"), excluded=[uri(".svc")]),
        "an address": within(uri("https://10.0.0.5/"), permitted=[uri("a.svc")]),
        "an address, constraints on DNS": within(uri("https://10.0.0.5/"), excluded=[dns("a.svc")]),
        "an IPv6 address": within(uri("https://[fd00::5]/"), excluded=[dns("a.svc")]),
        "no host": within(uri("spiffe:a"), excluded=[dns("a.svc")]),
        "no host, no constraints": ask(leaf(san(dns("api"), uri("spiffe:a")))),
        "a host, constraints on DNS": within(uri("spiffe://a/b"), excluded=[dns("a.svc")])},
    "other kinds of constraint": {
        "directory name, critical": within(dns("api"), permitted=[der.tlv(0xA4, cn("x"))]),
        "directory name, not critical": within(dns("api"), permitted=[der.tlv(0xA4, cn("x"))],
                                               critical=False),
        "beside a DNS name, not critical": within(
            dns("api"), permitted=[dns("svc"), der.tlv(0xA4, cn("x"))], critical=False)},
}

POLICIES: Facts = {
    "a policy that is required": {
        "none in the leaf": policed([], [required(0), policies(A)]),
        "the intermediate's": policed([], [required(0), policies(A)], policies(A)),
        "another": policed([], [required(0), policies(A)], policies(B)),
        "none in the intermediate": policed([], [required(0)], policies(A)),
        "any in the intermediate": policed([], [required(0), policies(ALL)], policies(A)),
        "any in the leaf": policed([], [required(0), policies(A)], policies(ALL)),
        "any is forbidden in the leaf": policed([], [required(0), policies(A), no_any(0)],
                                                policies(ALL)),
        "not yet": policed([], [required(1), policies(A)]),
        "a leaf that requires it of itself": policed([], [], required(0)),
        "required by the root": policed([required(0)], []),
        "mapped": policed([], [required(0), policies(A), mapped((A, B))], policies(B)),
        "mapped away": policed([], [required(0), policies(A), mapped((A, B))], policies(A)),
        "any is mapped": policed([], [required(0), policies(A), mapped((ALL, B))], policies(B)),
        "nothing required": policed([], [policies(A)], policies(B))},
    "a good chain beside a bad one is enough": {
        "another use": ask(leaf(), authority(usages(CLIENT)), CA),
        "another name": ask(leaf(), authority(constraints(permitted=[dns("x")])), CA),
        "both are bad: the name is told": ask(
            leaf(), authority(usages(CLIENT)), authority(constraints(permitted=[dns("x")]))),
        "both are bad: use and policy": ask(
            leaf(by=MIDDLE), via=[
                authority(usages(CLIENT), name="i", key=ec_key(3), by=CA),
                authority(required(0), policies(A), name="i", key=ec_key(3), by=CA)])},
}

FACTS: Facts = AUTHORITY | USES | CONSTRAINTS | POLICIES
