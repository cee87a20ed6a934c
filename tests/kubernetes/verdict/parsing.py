"""Chains whose fate is decided where a certificate is parsed: what Go refuses there, beside what
comes close to it."""
from __future__ import annotations

from datetime import UTC, datetime

from kpki.stages import der, records
from tests.kubernetes.verdict.keys import (
    ALGORITHMS,
    EC,
    algorithm,
    ec_key,
    ed25519_key,
    rsa_key,
    rsa_spki,
)
from tests.kubernetes.verdict.writer import (
    AKI,
    BASIC,
    CA,
    CLIENT,
    SAN,
    SKI,
    UNKNOWN,
    Chain,
    Facts,
    Item,
    Made,
    Part,
    address,
    ask,
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

TRUE, ODD, FALSE = (der.tlv(der.BOOLEAN, octet) for octet in (b"\xff", b"\1", b"\0"))
MODULUS = int.from_bytes(b"\xc1" * 127 + b"\x0f")
INFO, NS_TYPE, KEY_USAGE, USAGES = ("1.3.6.1.5.5.7.1.1", "2.16.840.1.113730.1.1", "2.5.29.15",
                                    "2.5.29.37")
OCSP = der.sequence(der.sequence(der.oid("1.3.6.1.5.5.7.48.1"), uri("http://ocsp.example")))


def with_key(spki: bytes) -> Chain:
    """A leaf with this SubjectPublicKeyInfo."""
    return ask(leaf(spki=spki))


def rsa_leaf(exponent: int, modulus: int = MODULUS) -> Chain:
    return with_key(rsa_spki(modulus, exponent))


def since(tag: int, text: str) -> Chain:
    """A leaf whose notBefore is this text in this type."""
    return ask(leaf(start=der.tlv(tag, text.encode())))


def also(*names: bytes, host: str = "api") -> Chain:
    """A leaf for `api` and these other names."""
    return ask(leaf(san(dns("api"), *names)), host=host)


def called(text: Part, tag: int) -> Chain:
    """A leaf whose subject has this text in this string type."""
    return ask(leaf(subject=cn(text, tag)))


def under(text: Part, tag: int) -> Chain:
    """A leaf whose CA has this text in this string type for a name."""
    ca = authority(subject=cn(text, tag))
    return ask(leaf(by=ca), ca)


def raw_constraints(*content: bytes) -> Chain:
    """A CA with this nameConstraints extension."""
    ca = authority(extension("2.5.29.30", der.sequence(*content), True))
    return ask(leaf(by=ca), ca)


def limited(*names: bytes) -> Chain:
    """A CA that permits `api` and these."""
    ca = authority(constraints(permitted=[dns("api"), *names]))
    return ask(leaf(by=ca), ca)


def holding(oid: str, value: bytes, critical: bool | bytes = False) -> Chain:
    """A leaf that holds this extension, in the place of the usual one of its kind."""
    return ask(leaf(extension(oid, value, critical)))


def twice(first: Item, second: Item) -> Chain:
    return ask(leaf(only=[named("api"), first, second]))


def cut(size: int) -> Chain:
    whole = leaf()
    return ask(Made(whole.der[:size], whole.subject, whole.key))


def grown(at: int, *more: bytes) -> Chain:
    """A leaf with *more* at the end of the field of this number of its TBSCertificate (-1: of all
    of it)."""
    def twist(tbs: bytes) -> bytes:
        fields = [*der.items(der.content_of(tbs))]
        if at < 0:
            return der.sequence(*fields, *more)
        fields[at] = der.tlv(fields[at][0], der.content_of(fields[at]), *more)
        return der.sequence(*fields)
    return ask(leaf(twist=twist))


def long_form(tbs: bytes) -> bytes:
    """The version with a length in two octets, where one is enough."""
    content = der.content_of(tbs)
    return der.sequence(b"\xa0\x81" + content[1:])


P256 = der.oid("1.2.840.10045.3.1.7")
POINT = records.key_bits(ec_key(9).spki)
EXPLICIT = algorithm(EC, der.sequence(der.integer(1),
                                      der.sequence(der.oid("1.2.840.10045.1.1"), der.integer(23))))

CONTAINER: Facts = {
    "bytes after the certificate": {
        "none": ask(leaf()),
        "one": ask(leaf(after=b"\0")),
        "a second certificate": ask(leaf(after=CA.der)),
        "in the root": ask(leaf(), authority(after=b"\n")),
        "in an intermediate": ask(leaf(), via=[authority(name="i", by=CA, after=b"\0")]),
        "nothing at all": cut(0),
        "cut short": cut(200),
        "no certificate": ask(Made(der.sequence(der.integer(1)), b"", CA.key))},
    "the version": {
        "2, no extension, no name asked": ask(leaf(only=[], version=1), host=None),
        "3": ask(leaf(version=2)),
        "4": ask(leaf(version=3)),
        "4 in the root": ask(leaf(), authority(version=3)),
        "1, written though it is the default": ask(leaf(version=0), host=None),
        "negative": ask(leaf(version=-1))},
    "extensions of version 1 and 2 are ignored": {
        "1, a name asked": ask(leaf(version=None)),
        "1, none asked": ask(leaf(version=None), host=None),
        "1, for its CN": ask(leaf(version=None), host="leaf"),
        "2, a name asked": ask(leaf(version=1)),
        "2, another use": ask(leaf(usages(CLIENT), version=1), host=None),
        "3, another use": ask(leaf(usages(CLIENT)), host=None),
        "1, an unknown critical one": ask(leaf(extension(UNKNOWN, b"\5\0", True), version=None),
                                          host=None)},
    "the serial number": {
        "0": ask(leaf(serial=b"\0")),
        "21 octets": ask(leaf(serial=b"\x7f" * 21)),
        "negative": ask(leaf(serial=b"\x80")),
        "negative in the root": ask(leaf(), authority(serial=b"\xff")),
        "a zero too many": ask(leaf(serial=b"\0\5")),
        "a one too many": ask(leaf(serial=b"\xff\x85")),
        "empty": ask(leaf(serial=b""))},
    "what is more than there should be": {
        "behind the extensions": grown(-1, der.NULL_ITEM),
        "behind the list of extensions": grown(7, der.NULL_ITEM),
        "a third time": grown(4, der.tlv(der.UTC_TIME, b"280101000000Z")),
        "half a third time": grown(4, b"\x17"),
        "behind the key": grown(6, der.NULL_ITEM),
        "behind the version": grown(0, der.NULL_ITEM),
        "an RDN of no attribute": grown(5, der.set_of([])),
        "no RDN": grown(5, der.NULL_ITEM),
        "a parameter of the inner algorithm": grown(2, der.NULL_ITEM),
        "behind the signature": ask(Made(der.sequence(der.content_of(leaf().der), der.NULL_ITEM),
                                         b"", CA.key)),
        "a length in more octets": ask(leaf(twist=long_form)),
        "a BER length of no end": ask(Made(b"\x30\x80" + der.content_of(leaf().der) + b"\0\0", b"",
                                           CA.key)),
        "nothing": ask(leaf(twist=bytes))},
    "inner and outer algorithm are the same": {
        "yes": ask(leaf(inner=ALGORITHMS["ecdsa-sha256"])),
        "another hash outside": ask(leaf(outer=ALGORITHMS["ecdsa-sha384"])),
        "another hash inside": ask(leaf(inner=ALGORITHMS["ecdsa-sha384"])),
        "NULL outside alone": ask(leaf(outer=algorithm("1.2.840.10045.4.3.2", der.NULL_ITEM))),
        "in the root": ask(leaf(), authority(outer=ALGORITHMS["ecdsa-sha384"]))},
    "UTCTime": {
        "seconds": since(der.UTC_TIME, "260101000000Z"),
        "no seconds": since(der.UTC_TIME, "2601010000Z"),
        "an offset": since(der.UTC_TIME, "260101000000+0100"),
        "an offset, just in time": since(der.UTC_TIME, "260601110000-0100"),
        "an offset, too late": since(der.UTC_TIME, "260601110001-0100"),
        "an offset of nothing": since(der.UTC_TIME, "260101000000+0000"),
        "no zone": since(der.UTC_TIME, "260101000000"),
        "a 13th month": since(der.UTC_TIME, "261301000000Z"),
        "the 30th of February": since(der.UTC_TIME, "260230000000Z"),
        "1950": since(der.UTC_TIME, "500101000000Z"),
        "2049": since(der.UTC_TIME, "490101000000Z"),
        "letters": since(der.UTC_TIME, "yesterday"),
        "a fraction": since(der.UTC_TIME, "260101000000.5Z")},
    "GeneralizedTime": {
        "before 2050": since(der.GENERALIZED_TIME, "20260101000000Z"),
        "an offset": since(der.GENERALIZED_TIME, "20260101000000+0100"),
        "a fraction": since(der.GENERALIZED_TIME, "20260101000000.5Z"),
        "no seconds": since(der.GENERALIZED_TIME, "202601010000Z"),
        "the year 0": since(der.GENERALIZED_TIME, "00000101000000Z"),
        "a 61st second": since(der.GENERALIZED_TIME, "20260101000060Z"),
        "until 9999": ask(leaf(end=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))),
        "another kind of string": since(der.PRINTABLE, "20260101000000Z")},
}

EXTENSIONS: Facts = {
    "the same extension twice": {
        "different ones": twice(extension(UNKNOWN, b"\5\0"), extension("1.2.3.5", b"\5\0")),
        "an unknown one": twice(extension(UNKNOWN, b"\5\0"), extension(UNKNOWN, b"\1\0")),
        "subjectAltName": ask(leaf(only=[named("api"), named("api")])),
        "basicConstraints of the root": ask(leaf(), authority(only=[basic(), basic()]))},
    "identifiers and AIA are not critical": {
        "they are not": ask(leaf(issuer_key_id(b"\1"), key_id(b"\2"), extension(INFO, OCSP))),
        "AKI": ask(leaf(issuer_key_id(b"\1", critical=True))),
        "SKI": ask(leaf(key_id(b"\2", critical=True))),
        "AIA": ask(leaf(extension(INFO, OCSP, True))),
        "AKI of an intermediate": ask(leaf(), via=[authority(issuer_key_id(b"\1", critical=True),
                                                             name="i", by=CA)]),
        "SKI of the root": ask(leaf(), authority(key_id(b"\2", critical=True))),
        "AKI that is no sequence": holding(AKI, der.integer(1)),
        "SKI that is no string": holding(SKI, der.integer(1)),
        "AIA that is no sequence": holding(INFO, der.integer(1))},
    "a truth value is 00 or FF": {
        "explicit FALSE, not critical": holding(UNKNOWN, b"\5\0", FALSE),
        "critical is 01": holding(UNKNOWN, b"\5\0", ODD),
        "critical takes two octets": holding(UNKNOWN, b"\5\0", der.tlv(der.BOOLEAN, b"\xff\xff")),
        "explicit CA:FALSE": ask(leaf(basic(FALSE))),
        "CA is 01 in a leaf": ask(leaf(basic(ODD))),
        "CA is 01 in a root": ask(leaf(), authority(basic(ODD))),
        "CA is FF in a root": ask(leaf(), authority(basic(TRUE)))},
    "pathLen is not negative": {
        "0": ask(leaf(), authority(basic(True, der.integer(0)))),
        "-1": ask(leaf(), authority(basic(True, der.integer(-1)))),
        "-1 in the leaf": ask(leaf(basic(False, der.integer(-1)))),
        "0 in the leaf": ask(leaf(basic(False, der.integer(0)))),
        "over 64 bits": ask(leaf(), authority(basic(True, der.integer(1 << 64)))),
        "63 bits": ask(leaf(), authority(basic(True, der.integer((1 << 63) - 1))))},
    "what an extension holds": {
        "basicConstraints is no sequence": holding(BASIC, b"\5\0"),
        "keyUsage is no bit string": holding(KEY_USAGE, der.integer(1), True),
        "keyUsage of no bit at all": ask(leaf(key_usage())),
        "extendedKeyUsage is no sequence": holding(USAGES, der.oid(CLIENT)),
        "extendedKeyUsage holds a number": holding(USAGES, der.sequence(der.integer(1))),
        "subjectAltName is no sequence": holding(SAN, dns("api")),
        "policies: one twice": ask(leaf(policies("1.2.3", "1.2.3"))),
        "policies: two": ask(leaf(policies("1.2.3", "1.2.4"))),
        "CRL points: none": holding("2.5.29.31", der.sequence()),
        "CRL points: no sequence": holding("2.5.29.31", der.integer(1)),
        "an unknown one, not critical": holding(UNKNOWN, b"anything"),
        "an unknown one, critical": holding(UNKNOWN, b"anything", True),
        "nsCertType": holding(NS_TYPE, der.named_bits([1])),
        "nsCertType, critical": holding(NS_TYPE, der.named_bits([1]), True)},
}

NAMES: Facts = {
    "an iPAddress has 4 or 16 bytes": {
        "4": also(address("10.0.0.5"), host="10.0.0.5"),
        "16": also(address("fd00::5"), host="fd00::5"),
        "8, an address and a mask": also(address(b"\x0a\0\0\0\xff\0\0\0")),
        "text": also(address(b"10.0.0.5")),
        "5": also(address(b"\x0a\0\0\0\5")),
        "none": also(address(b"")),
        "8 in an intermediate": ask(leaf(),
                                    via=[authority(san(address(b"\0" * 8)), name="i", by=CA)])},
    "an IPv4-mapped address is the IPv4 address": {
        "asked for the IPv4 address": also(address("::ffff:10.0.0.5"), host="10.0.0.5"),
        "asked for itself": also(address("10.0.0.5"), host="::ffff:10.0.0.5"),
        "asked for another": also(address("::ffff:10.0.0.5"), host="10.0.0.6")},
    "a dNSName is ASCII": {
        "a byte over 127": also(dns("b\u00fcro")),
        "punycode": also(dns("xn--bro-hoa"), host="xn--bro-hoa"),
        "empty": also(dns("")),
        "a blank": also(dns("a b")),
        "a port": also(dns("api:6443")),
        "a trailing dot": also(dns("api.svc.")),
        "an e-mail address with a byte over 127": also(email("\u00fc@a.example")),
        "an e-mail address": also(email("a@a.example"))},
    "a URI is one": {
        "a path": also(uri("spiffe://cluster.local/ns/default")),
        "no scheme": also(uri("cluster.local")),
        "a port": also(uri("https://api:6443/x")),
        "a blank in the host": also(uri("http://a b/")),
        "a bad escape": also(uri("http://a/%zz")),
        "a bad escape in the host": also(uri("http://%41/")),
        "a bad port": also(uri("http://a:b/")),
        "an empty label": also(uri("http://a..b/")),
        "a trailing dot": also(uri("http://a./")),
        "a control character": also(uri("http://a/\x7f")),
        "no scheme before the colon": also(uri(":a")),
        "a byte over 127": also(uri("http://a/\u00fc")),
        "an unclosed bracket": also(uri("http://[::1/")),
        "a mail address": also(uri("mailto:a@b"))},
    "the characters of a PrintableString": {
        "letters": called("leaf 1", der.PRINTABLE),
        "a star and an ampersand": called("*.a&b", der.PRINTABLE),
        "an underscore": called("a_b", der.PRINTABLE),
        "an at": called("a@b", der.PRINTABLE),
        "an underscore in the issuer": under("a_b", der.PRINTABLE),
        "a plain issuer": under("ca", der.PRINTABLE)},
    "a UTF8String is UTF-8": {
        "yes": called("B\u00fcro", der.UTF8),
        "no": called(b"B\xfcro", der.UTF8),
        "a surrogate": called(b"\xed\xa0\x80", der.UTF8),
        "an over-long one": called(b"\xc0\x80", der.UTF8),
        "no, in the issuer": under(b"B\xfcro", der.UTF8)},
    "string types": {
        "T61": called(b"B\xfcro", der.T61),
        "BMP": called("leaf".encode("utf-16-be"), der.BMP),
        "IA5": called("leaf", der.IA5),
        "numeric": called("12 3", der.NUMERIC),
        "numeric, a letter": called("12a", der.NUMERIC),
        "IA5, a byte over 127": called(b"\xff", der.IA5),
        "BMP of odd length": called(b"\0a\0", der.BMP),
        "BMP with a surrogate": called(b"\xd8\0", der.BMP),
        "universal": called("leaf".encode("utf-32-be"), der.UNIVERSAL),
        "visible": called("leaf", der.VISIBLE),
        "an integer": called(b"\1", der.INTEGER),
        "universal, in the issuer": under("ca".encode("utf-32-be"), der.UNIVERSAL)},
    "name constraints that parse": {
        "a network": limited(address(b"\x0a\0\0\0\xff\0\0\0")),
        "a mask with holes": limited(address(b"\x0a\0\0\0\xff\0\xff\0")),
        "4 bytes": limited(address("10.0.0.0")),
        "an IPv6 network": limited(address(b"\xfd" + bytes(15) + b"\xff" + bytes(15))),
        "empty": raw_constraints(),
        "two empty lists": raw_constraints(der.tlv(0xA0), der.tlv(0xA1)),
        "more behind them": raw_constraints(der.tlv(0xA0, der.sequence(dns("api"))), der.NULL_ITEM),
        "a name that is not ASCII": limited(dns("\u00fc")),
        "a name with a blank": limited(dns("a b")),
        "a name with a trailing dot": limited(dns("a.")),
        "an e-mail host": limited(email("a.example")),
        "an e-mail address": limited(email("a@a.example")),
        "no e-mail address": limited(email("@")),
        "a URI host": limited(uri("a.example")),
        "a URI address": limited(uri("10.0.0.5"))},
}

KEYS: Facts = {
    "an RSA key has its NULL": {
        "it has": ask(leaf(key=rsa_key(2))),
        "it has not": with_key(rsa_spki(MODULUS, 65537, b"")),
        "another thing there": with_key(rsa_spki(MODULUS, 65537, der.integer(0))),
        "in the root": ask(leaf(), authority(spki=rsa_spki(MODULUS, 65537, b""))),
        "no NULL in the signature's algorithm": ask(leaf(
            by=(ca := authority(key=rsa_key(1))), inner=algorithm("1.2.840.113549.1.1.11"),
            outer=algorithm("1.2.840.113549.1.1.11")), ca)},
    "the numbers of an RSA key": {
        "3": rsa_leaf(3),
        "even": rsa_leaf(4),
        "1": rsa_leaf(1),
        "0": rsa_leaf(0),
        "negative": rsa_leaf(-3),
        "over 32 bits": rsa_leaf((1 << 40) + 1),
        "over 32 bits, a CA that signs with it": ask(
            leaf(by=(wide := authority(key=rsa_key(4, exponent=(1 << 40) + 15)))), wide),
        "over 63 bits": rsa_leaf((1 << 64) + 1),
        "modulus 0": rsa_leaf(3, 0),
        "negative modulus": rsa_leaf(3, -MODULUS),
        "even modulus": rsa_leaf(3, MODULUS + 1),
        "9000 bits": rsa_leaf(65537, 1 << 8999 | 1)},
    "curves": {
        "P-224": ask(leaf(key=ec_key(9, "P-224"))),
        "P-256": ask(leaf(key=ec_key(9))),
        "P-384": ask(leaf(key=ec_key(9, "P-384"))),
        "P-521": ask(leaf(key=ec_key(9, "P-521"))),
        "secp256k1": ask(leaf(key=ec_key(9, "secp256k1"))),
        "secp256k1 in the root": ask(leaf(), authority(key=ec_key(1, "secp256k1"))),
        "explicit parameters": with_key(der.sequence(EXPLICIT, der.bit_string(POINT))),
        "no parameters": with_key(der.sequence(algorithm(EC), der.bit_string(POINT))),
        "a point that is not on it": with_key(
            der.sequence(algorithm(EC, P256),
                         der.bit_string(POINT[:-1] + bytes((POINT[-1] ^ 1,))))),
        "a compressed point": with_key(
            der.sequence(algorithm(EC, P256),
                         der.bit_string(bytes((2 + POINT[-1] % 2,)) + POINT[1:33])))},
    "other keys": {
        "Ed25519": ask(leaf(key=ed25519_key(9))),
        "Ed25519 of 31 bytes": with_key(der.sequence(algorithm("1.3.101.112"),
                                                     der.bit_string(b"\1" * 31))),
        "Ed25519 with NULL": with_key(
            der.sequence(algorithm("1.3.101.112", der.NULL_ITEM), der.bit_string(b"\1" * 32))),
        "X25519": with_key(der.sequence(algorithm("1.3.101.110"), der.bit_string(b"\1" * 32))),
        "an unknown one": with_key(der.sequence(algorithm("1.2.3.4.5"), der.bit_string(b"\1"))),
        "an unknown one in the root": ask(
            leaf(), authority(spki=der.sequence(algorithm("1.2.3.4.5"), der.bit_string(b"\1"))))},
}

FACTS: Facts = CONTAINER | EXTENSIONS | NAMES | KEYS
