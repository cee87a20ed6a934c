"""Certificates that Python's cryptography does not load: what OpenSSL reads is read, under its own
bytes."""
from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kpki.errors import InputError
from kpki.pem import dump_certificate, lenient, load_certificate, load_certificates
from kpki.pem.times import read_time
from kpki.stages import der, signatures
from tests.kubernetes.verdict.chains import CHAINS
from tests.kubernetes.verdict.writer import authority, cn, extension

UNKNOWN, NULL = "1.2.3.4", b"\5\0"


def dated(tag: int, text: bytes) -> bytes:
    """A CA that begins at this Time."""
    return authority(start=der.tlv(tag, text)).der


def flagged(flag: bytes) -> bytes:
    """A CA with an extension whose critical is written so."""
    return authority(extension(UNKNOWN, NULL, flag)).der


# What cryptography does not load, and OpenSSL does.
LOOSE = {
    "a star in a PrintableString": authority(subject=cn("*", der.PRINTABLE)).der,
    "other signs in it": authority(subject=cn("a@b & c_d", der.PRINTABLE)).der,
    "no ASCII in it": authority(subject=cn(b"caf\xe9", der.PRINTABLE)).der,
    "FALSE in so many words": flagged(b"\1\1\0"), "another TRUE": flagged(b"\1\1\1"),
    "no seconds": dated(der.UTC_TIME, b"2601010000Z"),
    "an offset": dated(der.UTC_TIME, b"260101000000+0100"),
    "an offset of a long year": dated(der.GENERALIZED_TIME, b"20500101000000-0100"),
    "version 2": authority(version=1, only=[]).der,
    "version 1 in so many words": authority(version=0, only=[]).der,
}
# What neither reads.
BROKEN = {
    "a BOOLEAN of two octets": flagged(b"\1\2\0\0"), "version 4": authority(version=3).der,
    "text behind it": authority(subject=cn("*", der.PRINTABLE)).der + b"\0",
    "cut short": authority(subject=cn("*", der.PRINTABLE)).der[:-1], "an empty record": b"\x30\0",
    "no certificate": b"\x30\x06\x30\0\x30\0\x30\0",
    "a month too many": dated(der.UTC_TIME, b"2613010000Z"),
}


def openssl(data: bytes, *options: str) -> bytes:
    done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", *options], input=data,
                          capture_output=True, check=True)
    return done.stdout


@pytest.mark.parametrize("name", LOOSE)
def test_what_openssl_reads_is_loaded(name: str) -> None:
    """Key, digest and signature are the certificate's own, as openssl has them; cryptography alone
    loads none of it."""
    data = LOOSE[name]
    found = load_certificate(data, encoding="DER")
    public = found.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    digest = openssl(data, "-fingerprint", "-sha256").decode().partition("=")[2].strip()
    assert (public == openssl(data, "-pubkey")
            and found.fingerprint(SHA256()).hex(":").upper() == digest)
    assert (found.public_bytes(Encoding.DER) == data
            and load_certificates(dump_certificate(found)) == [found])
    assert signatures.is_signed_by(found, found.public_key())
    assert isinstance(found, x509.Certificate)
    with pytest.raises((ValueError, x509.InvalidVersion)):
        x509.load_der_x509_certificate(data)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_not(name: str) -> None:
    """A twin is for loose writing alone: what cannot be read is refused as ever."""
    with pytest.raises(InputError, match="^not a readable certificate$"):
        load_certificate(BROKEN[name], encoding="DER")


def test_dates_are_those_of_the_certificate() -> None:
    """Without seconds it begins with the minute, with an offset when that clock shows the time."""
    for name, begins in (("no seconds", "2026-01-01T00:00:00+00:00"),
                         ("an offset", "2025-12-31T23:00:00+00:00"),
                         ("an offset of a long year", "2050-01-01T01:00:00+00:00")):
        assert (load_certificate(LOOSE[name], encoding="DER").not_valid_before_utc.isoformat()
                == begins)


def test_a_stand_in_is_a_value() -> None:
    """Equal by its bytes and to nothing else; what would be done with the twin's bytes is not
    there."""
    first, same, other = (load_certificate(LOOSE[name], encoding="DER")
                          for name in ("version 2", "version 2", "an offset"))
    real = load_certificate(authority().der, encoding="DER")
    assert first == same and hash(first) == hash(same) and len({first, same, other, real}) == 3
    assert real != first and first != real and first != 5
    assert (not hasattr(first, "verify_directly_issued_by")
            and hasattr(real, "verify_directly_issued_by"))
    assert first.tbs_certificate_bytes in LOOSE["version 2"]
    assert hashlib.sha256(LOOSE["version 2"]).digest() == first.fingerprint(SHA256())


def test_a_certificate_that_is_strict_has_no_twin() -> None:
    """What cryptography loads is cryptography's own."""
    assert type(load_certificate(authority().der, encoding="DER")) is x509.Certificate
    assert type(load_certificate(LOOSE["no seconds"], encoding="DER")) is not x509.Certificate


@pytest.mark.parametrize("load", [lenient.load, lenient.trimmed])
@pytest.mark.parametrize("name", LOOSE)
def test_no_cut_of_a_certificate_does_harm(name: str, load: Callable[[bytes], object]) -> None:
    """Wherever the bytes end, it is a ValueError or one that says what is missing."""
    data = LOOSE[name]
    for end in range(0, len(data), 7):
        with pytest.raises((ValueError, IndexError)):
            load(data[:end])


def test_what_go_reads_is_loaded() -> None:
    """Of all certificates of the verdicts' tables, those that Go reads are loaded."""
    from kpki.kubernetes.go.certificate import parse
    from kpki.kubernetes.go.der import GoError
    count = 0
    for data in {item for chain in CHAINS.values()
                 for item in (chain.leaf, *chain.roots, *chain.untrusted)}:
        try:
            parse(data)
        except GoError:
            continue
        load_certificate(data, encoding="DER")
        count += 1
    assert count > 200


@pytest.mark.parametrize(("tag", "text", "iso"), [
    (23, b"260102030405Z", "2026-01-02T03:04:05"), (23, b"500102030405Z", "1950-01-02T03:04:05"),
    (24, b"20260102030405.25Z", "2026-01-02T03:04:05"),
    (23, b"000101000000+1259", "1999-12-31T11:01:00"), (23, b"260102030405", ""),
    (23, b"260102030405.5Z", ""), (23, b"260102030405+1300", ""), (23, b"260231000000Z", ""),
    (24, b"00010101000000+0100", ""), (22, b"260102030405Z", ""), (24, b"x0260102030405Z", ""),
])
def test_a_time_is_read_as_openssl_reads_it(tag: int, text: bytes, iso: str) -> None:
    """Two digits of a year are 1950 to 2049, an offset is up to 12 hours, and a day must be in its
    month."""
    if iso:
        assert read_time(tag, text)[0].isoformat() == iso + "+00:00"
    else:
        with pytest.raises(ValueError, match="^not a time$"):
            read_time(tag, text)
