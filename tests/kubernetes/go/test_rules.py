"""The rules of a chain one by one: names that match, name constraints, signatures. Go 1.26 gave the
answers."""
from __future__ import annotations

import re
import timeit
from typing import Any, NamedTuple

import pytest

from kpki.kubernetes.go.constraints import (
    Alternatives,
    Mailbox,
    Subtrees,
    limits_of,
    parse_mailbox,
    validate_names,
)
from kpki.kubernetes.go.der import GoError, oid
from kpki.kubernetes.go.keys import Key, algorithm_of, read_key, validate_signature
from kpki.kubernetes.go.names import read_name, validate_host
from kpki.stages import der, records
from tests.kubernetes.verdict.keys import ALGORITHMS, ec_key, ed25519_key, rsa_key
from tests.kubernetes.verdict.writer import attribute, cn


def says(host: str, *dns: str, ips: tuple[bytes, ...] = (), common_name: str = "",
         has_san: bool = True) -> str:
    """What Go says of a certificate with these names, "" if it is for *host*."""
    try:
        validate_host(common_name, Alternatives(dns=dns, ips=ips) if has_san else None, host)
    except GoError as error:
        return error.sentence
    return ""


@pytest.mark.parametrize(("host", "name"), [
    ("a.svc", "A.SVC"), ("a.svc.", "a.svc"), ("x.svc", "*.svc"), ("x.a_b", "*.a_b"), ("a b", "A b"),
    ("a:80", "a:80"), ("a..b", "a..b"), ("-a", "-a"), ("*", "*"), ("*.svc", "*.svc"),
])
def test_a_name_matches(host: str, name: str) -> None:
    """By label with * for the first, case and a final dot asked for aside; odd texts by the whole
    of them."""
    assert says(host, "other", name) == ""


@pytest.mark.parametrize(("host", "name"), [
    ("a.svc", "a.svc."), ("x.y.svc", "*.svc"), ("svc", "*.svc"), ("svc", "*"),
    ("kube-a.svc", "kube*.svc"), ("x.y.svc", "x.*.svc"), ("a b.", "a b"), (".", "."), ("é", "É"),
    ("-a.svc", "*.svc"), ("10.0.0.1", "10.0.0.1"),
])
def test_a_name_does_not_match(host: str, name: str) -> None:
    """No part of a label, no second label, no final dot in the certificate, no address as a
    name."""
    assert says(host, name) != ""


def test_who_it_is_for_is_told() -> None:
    """Up to 99 names are listed, more are counted; a CN helps nobody."""
    many = [f"n{number}" for number in range(100)]
    ips = tuple(bytes((10, 0, 0, number)) for number in range(100))
    assert says("x", *many[:99]).startswith("x509: certificate is valid for n0, n1,")
    assert says("x", *many) == "x509: certificate is valid for 100 names, but none matched x"
    assert (says("::1", ips=ips)
            == "x509: certificate is valid for 100 IP SANs, but none matched ::1")
    assert (says("[::1]", ips=ips[:2])
            == "x509: certificate is valid for 10.0.0.0, 10.0.0.1, not ::1")
    assert says("x") == "x509: certificate is not valid for any names, but wanted to match x"
    legacy = "x509: certificate relies on legacy Common Name field, use SANs instead"
    assert (says("X.", common_name="x", has_san=False)
            == says("a.b", common_name="*.b", has_san=False) == legacy)
    assert says("x", common_name="x") == says("x", common_name="y", has_san=False) == says("x")


@pytest.mark.parametrize(("text", "tag", "answer"), [
    (b"a*&", der.PRINTABLE, "a*&"), (b"a_b", der.PRINTABLE, "invalid PrintableString"),
    (b"\xe9", der.T61, "é"), (b"\xff", der.UTF8, "invalid UTF-8 string"),
    (b"\xe9", der.IA5, "invalid IA5String"), (b"1 2", der.NUMERIC, "1 2"),
    (b"a", der.NUMERIC, "invalid NumericString"), (b"\0a\0\0", der.BMP, "a"),
    (b"\0", der.BMP, "invalid BMPString"), (b"\xd8\x3d\xde\x00", der.BMP, "invalid BMPString"),
    (b"\xff\xfe", der.BMP, "invalid BMPString"),
    (b"a", der.UNIVERSAL, "unsupported string type: 28"),
])
def test_the_strings_of_a_name(text: bytes, tag: int, answer: str) -> None:
    """Six types are read, each with its own letters."""
    if "invalid" in answer or "unsupported" in answer:
        with pytest.raises(GoError,
                           match=f"^x509: invalid RDNSequence: invalid attribute value: {answer}$"):
            read_name(der.content_of(cn(text, tag)))
    else:
        assert read_name(der.content_of(cn(text, tag))).common_name == answer


def test_the_last_cn_and_the_first_o_count() -> None:
    """That is what Go shows of a name; without an O there is none."""
    name = b"".join(attribute(kind, text)
                    for kind, text in (("CN", "a"), ("O", ""), ("O", "o"), ("CN", "b")))
    assert read_name(name) == ("b", "") and read_name(der.content_of(cn("x"))) == ("x", None)


class Asked(NamedTuple):
    """Names in a certificate below a CA with these constraints."""

    names: Alternatives
    permitted: Subtrees = Subtrees()
    excluded: Subtrees = Subtrees()


def refusal(asked: Asked) -> str:
    try:
        validate_names([(asked.names, None), (None, limits_of(asked.permitted, asked.excluded))])
    except GoError as error:
        return re.sub(".*sign for this name: ", "", error.sentence)
    return ""


def dns(name: str, *permitted: str, excluded: tuple[str, ...] = ()) -> Asked:
    return Asked(Alternatives(dns=(name,)), Subtrees(dns=permitted), Subtrees(dns=excluded))


def ip(text: str, *permitted: str) -> Asked:
    ranges = [tuple(bytes(map(int, part.split("."))) for part in item.split("/"))
              for item in permitted]
    return Asked(Alternatives(ips=(bytes(map(int, text.split("."))),)),
                 Subtrees(ips=tuple((address, mask) for address, mask in ranges)))


def email(text: str, *permitted: str) -> Asked:
    return Asked(Alternatives(emails=(text,)), Subtrees(emails=permitted))


MANY = ("svc", "a-b.svc", "a.a.svc", "x.com", ".y.com")
TEN, ONE = "10.0.0.0/255.0.0.0", "1.0.0.0/255.0.0.0"


@pytest.mark.parametrize("asked", [
    dns("svc", "svc"), dns("a.SVC", "Svc"), dns("a.svc", ".svc"), dns("anything", ""),
    dns("", "", "x"), dns("z.svc", *MANY), dns("a.y.com", *MANY), dns("x.com", *MANY),
    dns("*.svc", "svc"), dns("a.b", excluded=("svc", "x.a.b")), ip("10.1.2.3", TEN),
    ip("10.1.2.3", ONE, TEN), email("a@b.c", "a@B.C"), email("a@x.b.c", ".b.c"),
    email('"a b"@c', '"a b"@c'), Asked(Alternatives(dns=("x",))),
])
def test_a_name_is_within_the_constraints(asked: Asked) -> None:
    """A domain holds itself and what is below it, with a dot before it only that; no constraint of
    a kind, no limit."""
    assert refusal(asked) == ""


@pytest.mark.parametrize(("asked", "why"), [
    (dns("asvc", "svc"), 'DNS name "asvc" is not permitted by any constraint'),
    (dns("svc", ".svc"), 'DNS name "svc" is not permitted by any constraint'),
    (dns("y.com", *MANY), 'DNS name "y.com" is not permitted by any constraint'),
    (dns("a.svc", excluded=("svc",)), 'DNS name "a.svc" is excluded by constraint "svc"'),
    (dns("*.b.svc", excluded=("A.b.svc",)),
     'DNS name "*.b.svc" is excluded by constraint "a.b.svc"'),
    (dns("x", excluded=("",)), 'DNS name "x" is excluded by constraint ""'),
    (dns("a.", "svc"), 'x509: cannot parse dnsName "a."'),
    (ip("11.0.0.1", ONE, TEN), 'IP address "11.0.0.1" is not permitted by any constraint'),
    # Go looks at the nearest range alone, and this one begins behind the address that it holds.
    (ip("10.0.0.1", ONE, "10.0.0.5/255.0.0.0"),
     'IP address "10.0.0.1" is not permitted by any constraint'),
    (email("A@b.c", "a@b.c"), 'email address "A@b.c" is not permitted by any constraint'),
    (email("a@", "b"), 'email address "a@" is not permitted by any constraint'),
    (email("a", "b"), 'cannot parse rfc822Name "a"'),
])
def test_a_name_is_beyond_the_constraints(asked: Asked, why: str) -> None:
    """Permitted by none, or excluded by one, or not to be read."""
    assert refusal(asked) == why


def test_limits_bind_what_is_below_them_alone() -> None:
    """A CA's constraints do not hold for its own names; they hold for every certificate below."""
    limits, names = limits_of(Subtrees(dns=("svc",)), Subtrees()), Alternatives(dns=("x",))
    validate_names([(None, None), (names, limits)])
    for chain in ([(names, None), (None, limits)], [(None, None), (names, None), (None, limits)]):
        with pytest.raises(GoError, match="not permitted"):
            validate_names(chain)


def test_many_names_under_many_constraints_take_no_time() -> None:
    """Ten thousand names under ten thousand constraints take no time: each name is compared with
    its nearest constraint."""
    domains, addresses = tuple(f"d{number}.svc" for number in range(10000)), range(10000)
    ranges = tuple((number.to_bytes(4, "big"), b"\xff" * 4) for number in addresses)
    asked = Asked(Alternatives(dns=tuple(f"x.{domain}" for domain in domains),
                               ips=tuple(number.to_bytes(4, "big") for number in addresses)),
                  Subtrees(dns=domains, ips=ranges))
    assert refusal(asked) == ""
    assert timeit.timeit(lambda: refusal(asked), number=1) < 5


@pytest.mark.parametrize(("text", "mailbox"), [
    ("a.b@C.d", Mailbox("a.b", "c.d")), ('"a\\"@ b"@c', Mailbox('a"@ b', "c")),
    ("a\\@b@c", Mailbox("a@b", "c")), ("a@", Mailbox("a", "")), ("", None), ("@c", None),
    ("a", None), (".a@c", None), ("a.@c", None), ("a..b@c", None), ("a b@c", None), ("a@c.", None),
    ("a@b c", None), ('"a@c', None), ('"a"b@c', None), ("a\\", None),
])
def test_mailboxes(text: str, mailbox: Mailbox | None) -> None:
    """RFC 2821's mailboxes, as freely as Go reads them."""
    assert parse_mailbox(text) == mailbox


def pkcs1_key(bits: int) -> tuple[Key, bytes]:
    """An RSA key whose modulus has so many bits, and its signature over b"text"."""
    made = rsa_key(1, bits)
    numbers = der.items(der.content_of(der.content_of(der.items(der.content_of(made.spki))[1])[1:]))
    modulus, exponent = (int.from_bytes(der.content_of(number), "big") for number in numbers)
    return Key("RSA", modulus=modulus, exponent=exponent), made.sign(b"text", "rsa-sha256")


def algorithm(name: str) -> tuple[bytes, bytes]:
    kind, *parameters = der.items(der.content_of(ALGORITHMS[name]))
    return der.content_of(kind), b"".join(parameters)


def signature_says(name: str, signature: bytes, key: Key) -> str:
    try:
        validate_signature(algorithm_of(*algorithm(name)), b"text", signature, key)
    except GoError as error:
        return error.sentence
    return ""


def test_signatures_of_each_kind() -> None:
    """What was signed verifies, what was not does not; the kind of the key and the algorithm must
    fit."""
    rsa, signature = pkcs1_key(1024)
    edwards = read_key(oid("1.3.101.112"), b"", records.key_bits(ed25519_key(1).spki))
    assert edwards is not None
    assert signature_says("rsa-sha256", signature, rsa) == ""
    assert signature_says("rsa-sha384", signature, rsa) == "crypto/rsa: verification error"
    assert signature_says("pss-sha256", rsa_key(1).sign(b"text", "pss-sha256"), rsa) == ""
    assert signature_says("pss-sha256", signature, rsa) == "crypto/rsa: verification error"
    assert signature_says("ed25519", ed25519_key(1).sign(b"text", "ed25519"), edwards) == ""
    assert signature_says("ed25519", b"", edwards) == "x509: Ed25519 verification failure"
    assert signature_says("rsa-sha256", signature, edwards) == (
        "x509: signature algorithm specifies an RSA public key, but have public key of type "
        "ed25519.PublicKey")
    assert signature_says("rsa-md5", signature, rsa).endswith("insecure algorithm MD5-RSA")
    assert signature_says("rsa-sha224", signature, rsa).endswith("algorithm unimplemented")
    assert signature_says("rsa-sha256", signature, Key("DSA")).endswith("algorithm unimplemented")


@pytest.mark.parametrize(("change", "why"), [
    ({"modulus": 1 << 1022 | 1}, "1023-bit keys are insecure (see https://go.dev/pkg/crypto/"
     "rsa#hdr-Minimum_key_size)"), ({"modulus": 1 << 1024}, "public modulus is even"),
    ({"exponent": 1}, "public exponent too small or negative"),
    ({"exponent": 4}, "public exponent is even"),
    ({"exponent": 2**31 + 1}, "public exponent too large"),
])
def test_rsa_keys_that_go_reads_and_does_not_use(change: dict[str, Any], why: str) -> None:
    """Small or even moduli, and exponents of 1, even or over 31 bits, are refused before the
    signature is verified."""
    rsa, signature = pkcs1_key(1024)
    assert signature_says("rsa-sha256", signature, rsa._replace(**change)) == f"crypto/rsa: {why}"


@pytest.mark.parametrize(("bits", "why"), [
    (16384, "crypto/rsa: verification error"),
    (16385, "kpki uses no RSA keys of more than 16384 bits, but this key has numbers of 16385"),
    (50_000_000,
     "kpki uses no RSA keys of more than 16384 bits, but this key has numbers of 50000000"),
])
def test_an_rsa_key_too_long_to_reckon_with(bits: int, why: str) -> None:
    """No signature of a key over 16384 bits, OpenSSL's limit, is verified, whoever sent the key."""
    rsa, signature = pkcs1_key(1024)
    assert signature_says("rsa-sha256", signature, rsa._replace(modulus=1 << bits - 1 | 1)) == why


@pytest.mark.parametrize("curve", ["P-224", "P-256", "P-384", "P-521"])
def test_a_point_must_be_on_its_curve(curve: str) -> None:
    """The four curves that Go knows: the point of a real key is on it, its neighbour is not."""
    spki = ec_key(7, curve).spki
    parameters = der.items(der.content_of(der.items(der.content_of(spki))[0]))[1]
    point, name = records.key_bits(spki), curve.replace("-", "")
    kind = oid("1.2.840.10045.2.1")
    assert read_key(kind, parameters, point) == Key("ECDSA", curve=name, octets=point)
    half = len(point) // 2
    for wrong, why in ((point[:-1] + bytes((point[-1] ^ 1,)), f"^{name} point not on curve$"),
                       (point[:-1], f"^invalid {name} point encoding$"),
                       (b"\2" + point[1:], "invalid uncompressed"),
                       (b"\4" + b"\xff" * (2 * half), f"^invalid {name}Element encoding$"),
                       (b"", "uncompressed")):
        with pytest.raises(GoError, match=why):
            read_key(kind, parameters, wrong)
