"""verify_kubernetes: what it takes, its causes and notes, CA files; what Go says of chains is in
verdict/."""
from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.x509 import load_der_x509_certificate

from kpki.errors import InputError
from kpki.kubernetes.causes import CAUSES
from kpki.kubernetes.go.certificate import parse
from kpki.kubernetes.verdict import _CAUSES, KubernetesVerdict, authorities, verify_kubernetes
from kpki.pem import armour
from kpki.stages import der
from tests.kubernetes.verdict.keys import ec_key, rsa_key
from tests.kubernetes.verdict.writer import (
    CA,
    CLIENT,
    END,
    NOON,
    SAN,
    START,
    UNKNOWN,
    Item,
    Made,
    address,
    attribute,
    authority,
    basic,
    cn,
    constraints,
    dns,
    extension,
    key_usage,
    leaf,
    named,
    san,
    uri,
    usages,
)

GOOD = leaf(san(dns("api"), address("10.0.0.1")))
SECOND = timedelta(seconds=1)


def judge(certificate: Made = GOOD, *roots: Made, via: tuple[Made, ...] = (),
          purpose: str = "sslserver", hostname: str | None = None, ip: str | None = None,
          now: datetime = NOON) -> KubernetesVerdict:
    return verify_kubernetes(certificate.der, [item.der for item in roots or (CA,)],
                             untrusted=[item.der for item in via], purpose=purpose,
                             hostname=hostname, ip=ip, now=now)


def test_a_certificate_is_taken_loaded_or_as_der() -> None:
    """cryptography's objects and their octets give the same verdict; what holds has no cause and no
    note."""
    loaded, root = (load_der_x509_certificate(item.der) for item in (GOOD, CA))
    good = KubernetesVerdict(True, "ok", None, ())
    assert verify_kubernetes(loaded, [root], hostname="api",
                             now=NOON) == good == judge(hostname="api")
    assert verify_kubernetes(loaded, iter([CA.der]), untrusted=iter([root]), hostname="api",
                             now=NOON) == good


def test_the_purpose_is_a_servers_unless_told() -> None:
    """A client's certificate is refused unasked, taken for a client and for anything; an unknown
    purpose is a slip."""
    client = leaf(usages(CLIENT))
    assert verify_kubernetes(client.der, [CA.der], now=NOON).cause == "wrong-eku"
    assert judge(client, purpose="sslclient").ok and judge(client, purpose="any").ok
    with pytest.raises(InputError, match="invalid purpose smimesign"):
        judge(client, purpose="smimesign")


def test_hosts_and_addresses_are_asked_for() -> None:
    """hostname may be an address, ip must be one; both are asked, and nothing empty is."""
    assert (judge(hostname="10.0.0.1").ok and judge(ip="10.0.0.1").ok
            and judge(ip="::ffff:10.0.0.1").ok)
    assert judge(hostname="api", ip="10.0.0.1").ok and judge(hostname="").ok
    assert (judge(hostname="api", ip="10.0.0.2").reason
            == "x509: certificate is valid for 10.0.0.1, not 10.0.0.2")
    assert judge(hostname="[10.0.0.2]", ip="10.0.0.1").cause == "missing-san-ip"
    for text in ("", "api", "10.0.0.01", "fe80::1%eth0"):
        with pytest.raises(InputError, match="bad ip address"):
            judge(ip=text)


@pytest.mark.parametrize(("now", "cause"), [
    (START, None), (START - SECOND, "not-yet-valid"), (END, None),
    (END + SECOND, "expired-server-cert"), (END + timedelta(microseconds=1), "expired-server-cert"),
    (START.astimezone(timezone(timedelta(hours=5))), None),
])
def test_both_bounds_count_in(now: datetime, cause: str | None) -> None:
    """A certificate is valid from the first to the last second of its time, in any zone of the
    moment."""
    assert judge(now=now).cause == cause


def test_without_a_moment_the_clock_is_asked() -> None:
    """What has ended for good is refused now, what lasts for good is taken."""
    assert verify_kubernetes(leaf(end=START + SECOND).der, [CA.der]).cause == "expired-server-cert"
    lasting = leaf(end=datetime(9999, 1, 1, tzinfo=UTC))
    assert verify_kubernetes(lasting.der, [lasting.der]).ok


EARLY: dict[str, Any]
LATE: dict[str, Any]
EARLY, LATE = {"end": START + SECOND}, {"start": END - SECOND}
SHORT = authority(basic(True, der.integer(0)))
BELOW = authority(name="below", key=ec_key(3), by=SHORT)
SHA1 = leaf(by=CA, algorithm="ecdsa-sha1")
CAUSED: list[tuple[str | None, KubernetesVerdict]] = [
    (None, judge()),
    ("expired-server-cert", judge(leaf(**EARLY))),
    ("expired-client-cert", judge(leaf(**EARLY), purpose="sslclient")),
    ("expired-client-cert", judge(leaf(**EARLY), purpose="any")),
    ("expired-ca", judge(leaf(by=(old := authority(**EARLY))), old)),
    ("not-yet-valid", judge(leaf(**LATE))),
    ("not-yet-valid", judge(leaf(by=(young := authority(**LATE))), young)),
    ("missing-san-dns", judge(hostname="other")),
    ("missing-san-ip", judge(hostname="10.0.0.2")),
    ("missing-san-ip", judge(leaf(named("10.0.0.2")), hostname="10.0.0.2")),
    ("legacy-cn-no-san", judge(leaf(without=[SAN]), hostname="leaf")),
    ("legacy-cn-no-san", judge(leaf(without=[SAN]), hostname="other")),
    ("legacy-cn-no-san", judge(leaf(without=[SAN]), ip="10.0.0.2")),
    ("wrong-eku", judge(leaf(usages(CLIENT)))),
    ("wrong-eku", judge(leaf(by=(client := authority(usages(CLIENT)))), client)),
    ("unknown-authority", judge(GOOD, authority(name="other"))),
    ("unknown-authority", judge(GOOD, authority(key=ec_key(2)))),
    ("chain-depth", judge(leaf(by=BELOW), SHORT, via=(BELOW,))),
    ("ca-not-a-ca", judge(leaf(by=(no := authority(basic(False)))), no)),
    ("ca-not-a-ca", judge(leaf(by=(no := authority(key_usage("cRLSign")))), no)),
    ("ca-not-a-ca",
     judge(leaf(by=(v1 := authority(name="v1", by=CA, only=(), version=None))), CA, via=(v1,))),
    ("weak-signature-or-key", judge(SHA1)),
    ("weak-signature-or-key", judge(leaf(by=(weak := authority(key=rsa_key(3, 512)))), weak)),
    ("weak-signature-or-key", judge(leaf(algorithm="ecdsa-sha224"))),
    ("malformed-x509", judge(leaf(after=b"\0"))),
    ("malformed-x509", judge(leaf(extension(UNKNOWN, b"", critical=True)))),
    ("malformed-x509",
     judge(leaf(by=(tight := authority(constraints(permitted=[dns("svc")])))), tight)),
]


@pytest.mark.parametrize(("cause", "verdict"), CAUSED,
                         ids=[f"{at}-{row[0]}" for at, row in enumerate(CAUSED)])
def test_a_refusal_has_its_cause(cause: str | None, verdict: KubernetesVerdict) -> None:
    """The cause is a word of kpki's vocabulary; a certificate that holds has none."""
    assert (verdict.cause == cause and verdict.ok == (cause is None)
            and (verdict.reason == "ok") == verdict.ok)


def test_every_cause_is_known_and_met() -> None:
    """The table names slugs of the vocabulary alone, and each of them is met above."""
    slugs = {slug.format(use=use) for _, _, slug in _CAUSES for use in ("client", "server")}
    assert slugs <= CAUSES.keys()
    assert slugs == {cause for cause, _ in CAUSED} - {None}


def root(*items: Item) -> tuple[Made, Made]:
    """A CA with these extensions, and a leaf of it."""
    ca = authority(*items)
    return leaf(by=ca), ca


UNIVERSAL = der.sequence(attribute("CN", "abcd", der.UNIVERSAL))
MAPPED = bytes(10) + b"\xff\xff\x0a\x00\x00\x01"
NOTED: list[tuple[KubernetesVerdict, bool, str]] = [
    (judge(leaf(san(address(MAPPED)))), True,
     "Go 1.27 refuses this certificate: x509: SAN iPAddress"),
    (judge(*root(san(address(MAPPED)))), True,
     "Go 1.27 refuses this certificate: x509: SAN iPAddress"),
    (judge(leaf(subject=UNIVERSAL)), False, "Go 1.27 reads a string of this type"),
    (judge(*root(basic(True, der.integer(-1)))), False,
     "Go 1.24 treats a negative pathLen as absent"),
    (judge(leaf(named("*.d.svc"), by=(no := authority(constraints(excluded=[dns("a.d.svc")])))),
           no), False, "Go 1.24 accepts a wildcard"),
    (judge(leaf(san(uri("spiffe:x")), by=no), no), False,
     "Go 1.24 checks URIs only if a CA has constraints for URIs"),
    (judge(leaf(key=rsa_key(3, 512))), True, "no server can use an RSA key of 512 bits"),
    (judge(leaf(key=rsa_key(3, 512)), purpose="sslclient"), True,
     "the client sends no certificate"),
    (judge(leaf(key=ec_key(3, "P-224"))), True, "a TLS 1.3 handshake fails"),
    (judge(leaf(key=ec_key(3, "P-224")), purpose="sslclient"), True,
     "the client sends no certificate"),
    (judge(leaf(subject=der.sequence()), purpose="sslclient"), True,
     "the API server finds no user: 401 Unauthorized"),
]


@pytest.mark.parametrize(("verdict", "ok", "note"), NOTED, ids=[note for *_, note in NOTED])
def test_a_note_says_what_the_verdict_does_not(verdict: KubernetesVerdict, ok: bool,
                                               note: str) -> None:
    """A note has one sentence for each version of Go with another verdict, and for each fault that
    only a handshake shows."""
    assert verdict.ok == ok
    assert [note in item for item in verdict.notes] == [True]


@pytest.mark.parametrize("verdict", [
    judge(leaf(san(address("10.0.0.1"), address("fd00::1")))),
    judge(leaf(named("a.d.svc"), by=no), no), judge(leaf(san(uri("spiffe://x/y")), by=no), no),
    judge(leaf(key=rsa_key(1))), judge(leaf(key=ec_key(3, "P-521"))),
    judge(leaf(subject=der.sequence())), judge(*root(basic(True, der.integer(0)))),
    judge(leaf(subject=cn("x", der.T61))),
])
def test_what_all_agree_on_has_no_note(verdict: KubernetesVerdict) -> None:
    """The neighbours of those cases: no note, whether accepted or refused."""
    assert verdict.notes == ()


def test_a_key_over_8192_bits_has_a_note_on_either_side() -> None:
    """The peer refuses it in the handshake, a server's as well as a client's; 8192 bits pass."""
    def spki(bits: int) -> bytes:
        numbers = der.sequence(der.integer(1 << bits - 1 | 1), der.integer(65537))
        algorithm = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL_ITEM)
        return der.sequence(algorithm, der.bit_string(numbers))
    for purpose in ("sslserver", "sslclient"):
        assert "8193 bits" in judge(leaf(spki=spki(8193)), purpose=purpose).notes[0]
        assert judge(leaf(spki=spki(8192)), purpose=purpose) == KubernetesVerdict(True, "ok")


def test_the_ca_file_is_read_before_the_leaf_and_the_leaf_before_the_rest() -> None:
    """Of three certificates that Go cannot read, the first in its order is the answer."""
    broken = [leaf(serial=b"\xff"), leaf(after=b"\0"), leaf(version=3)]
    assert judge(broken[1], broken[0], via=(broken[2],)).reason == "x509: negative serial number"
    assert judge(broken[1], via=(broken[2],)).reason == "x509: trailing data"
    assert judge(GOOD, via=(broken[2],)).reason == "x509: invalid version"


@pytest.mark.parametrize("data",
                         [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80\0\0", b"text",
                          b"\x1f" * 40, b"\x30" * 5000, GOOD.der[:-1], GOOD.der[1:]])
def test_no_octets_are_an_exception(data: bytes) -> None:
    """What is no certificate is malformed, in each of the three places."""
    for certificate, roots, via in ((data, [CA.der], []), (GOOD.der, [data], []),
                                    (GOOD.der, [CA.der], [data])):
        verdict = verify_kubernetes(certificate, roots, untrusted=via, now=NOON)
        assert (not verdict.ok and verdict.cause == "malformed-x509"
                and verdict.reason.startswith("x509: malformed"))


def test_a_thicket_of_twins_ends_after_a_hundred_signatures() -> None:
    """Intermediates that all seem to sign each other cost a hundred checks, and then that is the
    answer."""
    twin = authority(name="twin")
    twins = [authority(name="twin", by=twin, serial=bytes((1, at))) for at in range(12)]
    others = [authority(named(f"n{at}"), name="twin", by=twin) for at in range(12)]
    verdict = judge(leaf(by=twin), via=(*twins, *others))
    assert (verdict.reason
            == "x509: signature check attempts limit reached while verifying certificate chain")
    assert verdict.cause == "unknown-authority"


def test_a_ca_is_parsed_once() -> None:
    """Judging many certificates of one CA reads the CA once."""
    ca = authority(name="read once")
    parse.cache_clear()
    for serial in range(1, 20):
        assert judge(leaf(by=ca, serial=bytes((serial,))), ca).ok
    assert parse.cache_info().misses == 20


def test_the_room_is_light() -> None:
    """Importing it loads neither cryptography nor pyOpenSSL, and what is refused before a signature
    needs neither."""
    code = f"""
import sys, base64, datetime
from kpki.kubernetes.verdict import verify_kubernetes
leaf, ca = map(base64.b64decode, {[b64encode(made.der) for made in (GOOD, CA)]!r})
now = datetime.datetime.fromisoformat({NOON.isoformat()!r})
print(verify_kubernetes(leaf, [ca], hostname="other", now=now).cause, verify_kubernetes(leaf, \
[leaf], now=now).ok)
print(*(name for name in sys.modules if name.startswith(("cryptography", "OpenSSL", "ipaddress"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["missing-san-dns", "True"]


# -- CA files --------------------------------------------------------------------------------------

def pem(*certificates: bytes, label: str = "CERTIFICATE") -> bytes:
    return b"".join(armour(certificate, label) for certificate in certificates)


BROKEN = leaf(after=b"\0").der
HEADERS = pem(CA.der).replace(b"-----\n", b"-----\nX: y\n\n", 1)


def test_only_plain_blocks_count() -> None:
    """CERTIFICATE without headers, whatever stands around it; the order is the file's."""
    other = authority(name="other").der
    data = b"text\n" + HEADERS + pem(CA.der, label="TRUSTED CERTIFICATE") + pem(CA.der) + b"#\r\n" \
        + pem(other).replace(b"\n", b"\r\n") + pem(other, label="X509 CERTIFICATE")
    for purpose in ("sslserver", "sslclient", "any"):
        assert authorities(data, purpose) == (CA.der, other)


def test_a_broken_certificate_costs_who_judges_clients_the_whole_file() -> None:
    """client-go passes over what it cannot read, the API server does without the file."""
    data = pem(CA.der, BROKEN)
    assert authorities(data, "sslserver") == (CA.der,)
    with pytest.raises(InputError, match="^x509: trailing data [(]hint: "):
        authorities(data, "sslclient")


NOT_PEM, NOT_CAS = "unable to parse bytes as PEM block", "no valid certificate authority data seen"


@pytest.mark.parametrize(("data", "why"), [
    (b"text", NOT_PEM), (CA.der, NOT_PEM), (HEADERS, NOT_CAS), (HEADERS + b"#", NOT_PEM),
    (pem(CA.der, label="TRUSTED CERTIFICATE"), NOT_CAS), (pem(CA.der)[:300], NOT_PEM),
    (pem(CA.der).replace(b"M", b"!"), NOT_PEM),
])
def test_a_file_without_certificates_is_refused(data: bytes, why: str) -> None:
    """A file without certificates is refused in Go's words for clients and in those for servers."""
    with pytest.raises(InputError, match="^data does not contain any valid RSA or ECDSA "
                       "certificates [(]hint: "):
        authorities(data, "sslclient")
    with pytest.raises(InputError, match=f"^unable to load root certificates: {why} [(]hint: "):
        authorities(data, "sslserver")


def test_an_empty_file_is_no_ca_file() -> None:
    """An empty CA file is refused, because client-go would trust the system's certificates; so is
    an unknown purpose."""
    with pytest.raises(InputError,
                       match="^an empty CA file: client-go trusts the system's certificates "
                       "instead [(]hint: "):
        authorities(b"", "sslserver")
    with pytest.raises(InputError, match="invalid purpose crlsign"):
        authorities(pem(CA.der), "crlsign")


def test_a_file_of_broken_certificates_says_how_the_first_is_broken() -> None:
    """Where none is left, client-go says what it could not read."""
    with pytest.raises(InputError,
                       match="failed to parse certificate: x509: trailing data [(]hint: "):
        authorities(pem(BROKEN, leaf(version=3).der), "sslserver")
