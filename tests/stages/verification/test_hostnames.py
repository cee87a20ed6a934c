"""The matching of hosts, addresses and e-mail against openssl's, every certificate with every
name."""
from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from kpki import pem
from kpki.stages.certificates import req_x509
from kpki.stages.verification.hostnames import matches_email, matches_host, matches_ip

PATTERNS = (
    "a.example.com", "A.EXAMPLE.com", "*.example.com", "*.com", "*", "foo*.example.com",
    "*foo.example.com", "f*o.example.com", "xn*.example.com", "xn--*.example.com",
    "*xn--a.example.com", "a.*.example.com", "*.a.b.c", "-*.a.b", "*-.a.b", "*-a.b.c", "a-*.b.c",
    "x_y.b.c", "*.x_y.b", "*.example.com.", "a..b", "*.b.c-", ".b.c")
HOSTS = (
    "a.example.com", "b.a.example.com", "foo.example.com", "foobar.example.com",
    "barfoo.example.com", "example.com", "xn--foo.example.com", "fooxn--a.example.com",
    "xn--a.example.com", "*.example.com", "a.example.com.", "com", ".example.com", ".com", ".",
    "..b", ".b.c", "x.a.b.c", "*.a.b.c", "x.a.b", "a-.a.b", "a.x_y.b", "x_y.b.c", "a-a.b.c",
    "-a.b.c", "foo*.example.com", "a.*.example.com", "192.0.2.1", "user")
SANS = (
    "", "email:User@Example.com", "DNS:user", "IP:192.0.2.1", "IP:::1", "IP:192.0.2.1,DNS:x",
    "email:nodomain", "email:@x@Domain", "otherName:1.3.6.1.5.5.7.8.9;UTF8:user@example.com",
    "DER:3000", "otherName:1.3.6.1.5.5.7.8.9;IA5:user@example.com",
    "otherName:1.2.3;UTF8:user@example.com")
BROKEN = ("DER:0500", "DER:30040501ff00", "DER:30")
EMAILS = ("User@Example.com", "user@example.com", "user@EXAMPLE.com", "nodomain", "Nodomain",
          "@x@domain", "@X@domain")
ADDRESSES = ("192.0.2.1", "192.0.2.2", "::1", "::ffff:192.0.2.1")
SUBJECTS = ("/CN=x", "/CN=user", "/CN=x/emailAddress=User@Example.com")

Make = Callable[[str, str], x509.Certificate]
Ask = Callable[[str, str], list[bool]]


@pytest.fixture(scope="module")
def make() -> Make:
    """Certificates of one key: a subject, and a subjectAltName if there is one."""
    key = ec.generate_private_key(ec.SECP256R1())
    return lambda subject, san: req_x509(key, subject=subject,
                                         addext=[f"subjectAltName={san}"] if san else [])


@pytest.fixture(scope="module")
def named(make: Make) -> list[x509.Certificate]:
    """Each pattern as a DNS entry and as a common name, each set of alternative names with each
    subject.

    A number makes every subject another, or openssl would take one of them for a false copy of the
    next.
    """
    pairs = [*(("/CN=foo.example.com", f"DNS:{pattern}") for pattern in PATTERNS),
             *((f"/CN={pattern}", "") for pattern in PATTERNS),
             *((subject, san) for subject in SUBJECTS for san in SANS)]
    return [make(f"/OU={number}{subject}", san) for number, (subject, san) in enumerate(pairs)]


@pytest.fixture(scope="module")
def ask(named: Sequence[x509.Certificate], tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """What `openssl verify` says of every certificate, asked about one name."""
    folder: Path = tmp_path_factory.mktemp("named")
    files = [folder / str(number) for number in range(len(named))]
    for path, item in zip(files, named, strict=True):
        path.write_bytes(pem.dump_certificate(item))
    (folder / "all").write_bytes(b"".join(map(pem.dump_certificate, named)))

    def answers(option: str, value: str) -> list[bool]:
        command = ["openssl", "verify", "-CAfile", str(folder / "all"), option, value,
                   *map(str, files)]
        done = subprocess.run(command, capture_output=True)
        assert set(re.findall(rb"^error (\d+)", done.stderr, re.MULTILINE)) <= {b"62", b"63", b"64"}
        return [f"{path}: OK".encode() in done.stdout.splitlines() for path in files]
    return answers


@pytest.mark.parametrize("host", HOSTS)
def test_hosts(named: Sequence[x509.Certificate], ask: Ask, host: str) -> None:
    """A host is matched by the DNS entries and common names by which openssl matches it, and by no
    other."""
    assert [matches_host(item, host) for item in named] == ask("-verify_hostname", host)


@pytest.mark.parametrize("email", EMAILS)
def test_emails(named: Sequence[x509.Certificate], ask: Ask, email: str) -> None:
    """An e-mail address matches e-mail entries, also internationalised ones; the subject counts if
    there are none."""
    assert [matches_email(item, email) for item in named] == ask("-verify_email", email)


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(named: Sequence[x509.Certificate], ask: Ask, address: str) -> None:
    """So is an IP address by IP entries alone."""
    assert [matches_ip(item, ipaddress.ip_address(address).packed)
            for item in named] == ask("-verify_ip", address)


@pytest.mark.parametrize("san", BROKEN)
def test_broken_names_are_no_names(make: Make, san: str) -> None:
    """Alternative names that do not decode count as none, so that the subject speaks, as with
    openssl."""
    made = make("/CN=user/emailAddress=a@b", san)
    for option, value, answer in (
            ("-checkhost", "user", matches_host(made, "user")),
            ("-checkhost", "other", matches_host(made, "other")),
            ("-checkemail", "a@b", matches_email(made, "a@b"))):
        done = subprocess.run(["openssl", "x509", "-noout", option, value],
                              input=pem.dump_certificate(made), capture_output=True)
        assert answer == (b"does match" in done.stdout)


def test_nul_and_nothing(make: Make) -> None:
    """A NUL never matches, nor does nothing at all."""
    made = make("/CN=x", "DNS:x,email:a@b")
    assert not matches_host(made, "x\0") and not matches_email(made, "a@b\0")
    assert not matches_host(made, "") and not matches_email(made, "") and not matches_ip(made, b"")
