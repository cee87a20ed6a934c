"""Certificates and requests as text: byte for byte what `openssl x509 -text` and `req -text` print
(OpenSSL 3.0)."""
from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, CertificateSigningRequest

from kpki import load_certificate, req_new, req_x509
from kpki.errors import InputError
from kpki.stages import der
from kpki.stages.keys import SigningKey, public_key_der
from kpki.stages.text.certificate import certificate_text, request_text, serial_text
from kpki.stages.text.name import name_flags
from kpki.stages.text.value import time_text

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BARE = "[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nC = US\nO = a, b\nCN = x\n"
KEYS: dict[str, SigningKey] = {
    "rsa": rsa.generate_private_key(65537, 1024), "p256": ec.generate_private_key(ec.SECP256R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "brainpool": ec.generate_private_key(ec.BrainpoolP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(), "ed448": ed448.Ed448PrivateKey.generate(),
}


def openssl(value: Certificate | CertificateSigningRequest, *options: str) -> str:
    """What openssl prints of it."""
    verb = "x509" if isinstance(value, Certificate) else "req"
    done = subprocess.run(["openssl", verb, "-inform", "DER", "-noout", *options], check=True,
                          capture_output=True, input=value.public_bytes(Encoding.DER))
    return done.stdout.decode("utf-8", "surrogateescape")


def issued(key: str = "p256", config: str = BARE, *, days: int = 30,
           addext: Sequence[str] = ()) -> Certificate:
    return req_x509(KEYS[key], config=config, now=NOW, serial_number=5, days=days, addext=addext)


def rewritten(certificate: Certificate, *, insert: tuple[bytes, ...] = (),
              replace: dict[int, bytes] | None = None
              ) -> Certificate:
    """The certificate with other fields of its TBSCertificate: its signature no longer counts."""
    info, *rest = der.items(der.content_of(certificate.public_bytes(Encoding.DER)))
    fields = list(der.items(der.content_of(info)))
    for place, item in (replace or {}).items():
        fields[place] = item
    fields[7:7] = insert
    return load_certificate(der.sequence(der.sequence(*fields), *rest))


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_of_key_is_dumped_as_openssl_dumps_it(key: str) -> None:
    """A certificate and a request say the same about key, algorithm and signature, whatever the key
    is."""
    certificate, csr = issued(key), req_new(KEYS[key], config=BARE)
    assert certificate_text(certificate) == openssl(certificate, "-text")
    assert request_text(csr) == openssl(csr, "-text")


@pytest.mark.parametrize("number", [
    0, 1, 127, 128, -1, -2, -128, 2 ** 63 - 1, 2 ** 63, -2 ** 63, -2 ** 63 - 1, 2 ** 64 - 1,
    2 ** 158 + 7, -2 ** 80, int("12" * 34, 16), int("12" * 35, 16), int("12" * 36, 16),
    int("12" * 71, 16)], ids=hex)
def test_a_serial_number_is_shown_in_openssls_two_ways(number: int) -> None:
    """-text shows a long in decimal and anything else in octets; -serial hexadecimal with a break
    every 35 octets."""
    certificate = rewritten(issued(), replace={0: der.integer(number)})
    assert certificate_text(certificate) == openssl(certificate, "-text")
    assert f"serial={serial_text(number)}\n" == openssl(certificate, "-serial")


@pytest.mark.parametrize("days", [1, 9000, 20000])
def test_dates_of_both_forms_read_the_same(days: int) -> None:
    """UTCTime and GeneralizedTime print as one kind of date."""
    certificate = issued(days=days)
    assert certificate_text(certificate) == openssl(certificate, "-text")


@pytest.mark.parametrize(("item", "text"), [
    (der.tlv(der.UTC_TIME, b"491231235959Z"), "Dec 31 23:59:59 2049 GMT"),
    (der.tlv(der.UTC_TIME, b"500101000000Z"), "Jan  1 00:00:00 1950 GMT"),
    (der.tlv(der.GENERALIZED_TIME, b"99991231235959Z"), "Dec 31 23:59:59 9999 GMT"),
    (der.tlv(der.GENERALIZED_TIME, b"20260102030405.25Z"), "Jan  2 03:04:05.25 2026 GMT"),
    (der.tlv(der.UTC_TIME, b"261301000000Z"), "Bad time value"),
    (der.tlv(der.UTC_TIME, b"2601020304Z"), "Jan  2 03:04:00 2026 GMT"),
    (der.tlv(der.UTC_TIME, b"260102030405-0130"), "Jan  2 04:34:05 2026 GMT"),
    (der.tlv(der.UTC_TIME, b"260231000000Z"), "Bad time value"),
    (der.tlv(der.GENERALIZED_TIME, b"260102030405Z"), "Feb  3 04:05:00 2601 GMT"),
    (der.tlv(der.GENERALIZED_TIME, b"2601020304Z"), "Bad time value")])
def test_a_time_is_read_by_its_form(item: bytes, text: str) -> None:
    """Two digits of a year are 1950 to 2049; what is no time is said to be none."""
    assert time_text(item) == text


def test_what_is_rare_is_shown_too() -> None:
    """Version 1, unique identifiers and a version that does not exist have openssl's words."""
    plain = issued()
    odd = rewritten(plain, insert=(der.tlv(0x81, bytes(41)), der.tlv(0x82, b"\0\xaa\xbb")))
    assert "Version: 1 (0x0)" in certificate_text(plain)
    assert certificate_text(odd) == openssl(odd, "-text")


@pytest.mark.parametrize("kind", ["unknown", "off the curve"])
def test_a_key_that_cannot_be_read_hides_nothing_else(kind: str) -> None:
    """Of a key of an unknown kind, or off its curve, the algorithm is shown, that it does not load,
    and the rest."""
    whole = issued(addext=["keyUsage=cRLSign"])
    key = der.sequence(der.sequence(der.oid("1.2.3.4")), der.bit_string(b"key"))
    if kind != "unknown":
        *head, last = public_key_der(KEYS["p256"])
        key = bytes((*head, last ^ 1))
    certificate = rewritten(whole, replace={6: key})
    text = certificate_text(certificate)
    name = "1.2.3.4" if kind == "unknown" else "id-ecPublicKey"
    assert (f"Public Key Algorithm: {name}\n            Unable to load Public Key\n" in text
            and "CRL Sign" in text)
    assert "Unable to load Public Key" in openssl(certificate, "-text")
    assert "Unable" not in certificate_text(whole)


@pytest.mark.parametrize("options", [
    ["-sigopt", "rsa_padding_mode:pss", "-sha1"], ["-sigopt", "rsa_padding_mode:pss", "-sha512"],
    ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20", "-sha384"], ["-sha1"],
    ["-sha3-256"]])
def test_signature_algorithms_have_their_names_and_parameters(options: list[str],
                                                              tmp_path: Path) -> None:
    """RSASSA-PSS shows digest, mask, salt and trailer; the others their name."""
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "1024"], check=True, capture_output=True)
    made = subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=x",
                           *options], check=True, capture_output=True)
    certificate = load_certificate(made.stdout)
    assert certificate_text(certificate) == openssl(certificate, "-text")


@pytest.mark.parametrize("option", ["multiline", "RFC2253", "compat", "oneline,-esc_msb",
                                    "sep_multiline,oid"])
def test_names_inside_follow_nameopt(option: str) -> None:
    """Issuer and subject take the display asked for, a line each where it is a multiline one."""
    config = BARE.replace("CN = x", "CN = x\nemailAddress = a@b\nOU = é/CN=y")
    certificate, csr = issued(config=config), req_new(KEYS["p256"], config=config)
    flags = name_flags(option)
    assert certificate_text(certificate, name_option=flags) == openssl(certificate, "-text",
                                                                       "-nameopt", option)
    assert request_text(csr, name_option=flags) == openssl(csr, "-text", "-nameopt", option)
    assert certificate_text(certificate, name_option=flags) != certificate_text(certificate)


PARTS = ["header", "version", "serial", "signame", "issuer", "validity", "subject", "pubkey",
         "extensions", "sigdump"]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_can_be_left_out(part: str) -> None:
    """`-certopt no_PART` and `-reqopt no_PART` leave out that part and no other."""
    usage = ["keyUsage=cRLSign"]
    certificate, csr = issued(addext=usage), req_new(KEYS["p256"], config=BARE, addext=usage)
    assert certificate_text(certificate, without={part}) == openssl(certificate, "-text",
                                                                    "-certopt", f"no_{part}")
    assert request_text(csr, without={part}) == openssl(csr, "-text", "-reqopt", f"no_{part}")
    assert certificate_text(certificate, without={part}) != certificate_text(certificate)


@pytest.mark.parametrize("lines", [
    "", "challengePassword = secret", "challengePassword = secret\nunstructuredName = a company",
    "1.2.3.4 = of no name\nunstructuredAddress = somewhere"])
@pytest.mark.parametrize("addext", [[], ["keyUsage=digitalSignature", "subjectAltName=DNS:x"]],
                         ids=["bare", "asking"])
def test_attributes_of_a_request_are_listed(lines: str, addext: list[str]) -> None:
    """Each attribute has its line, the requested extensions their own part, and none is said to be
    none."""
    config = BARE.replace("[dn]", "attributes = more\n[more]\n" + lines + "\n[dn]")
    csr = req_new(KEYS["p256"], config=config, addext=addext)
    assert request_text(csr) == openssl(csr, "-text")
    assert request_text(csr, without={"attributes"}) == openssl(csr, "-text", "-reqopt",
                                                                "no_attributes")


def test_a_structure_that_is_none_is_refused() -> None:
    """Where the bytes are no certificate the reader says so; nothing is shown of it."""
    with pytest.raises(InputError):
        load_certificate(issued().public_bytes(Encoding.DER)[:-3])
