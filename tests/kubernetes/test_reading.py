"""What a certificate says is read as Go reads it; openssl makes the certificates."""
from __future__ import annotations

import subprocess
from collections.abc import Callable
from hashlib import sha256

import pytest
from cryptography.x509 import Certificate

from kpki.kubernetes import reading
from kpki.pem import dump_certificate, load_certificate
from kpki.stages import der
from kpki.stages.keys import public_key_der

Make = Callable[..., Certificate]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A self-signed certificate with that subject and those extensions, from openssl."""
    folder = tmp_path_factory.mktemp("reading")

    def run(*words: str) -> bytes:
        return subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True,
                              timeout=60).stdout

    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key")

    def certificate(subject: str = "/CN=x", *extensions: str) -> Certificate:
        (folder / "cnf").write_text("\n".join(["[req]", "distinguished_name = dn",
                                               "x509_extensions = e", "[dn]", "[e]", *extensions]))
        return load_certificate(run("req", "-x509", "-new", "-key", "key", "-config", "cnf",
                                    "-subj", subject))
    return certificate


def test_of_several_common_names_the_last_is_the_user(make: Make) -> None:
    """The user is the last CN, the groups are every O, in order; a subject may have neither."""
    assert (reading.certificate_subject(make("/CN=a/O=g/CN=b/O=h"))
            == reading.Subject("b", ("g", "h")))
    assert reading.certificate_subject(make("/C=DE")) == reading.Subject("", ())


def test_names_are_those_of_the_extension(make: Make) -> None:
    """DNS names and addresses are read, other kinds passed over; no extension is not the same as an
    empty one."""
    names = reading.names_of(reading.extensions_of(make(
        "/CN=x", "subjectAltName = DNS:a,IP:10.0.0.1,IP:fd00::1,URI:https://x")))
    assert names == reading.Names(("a",), ("10.0.0.1", "fd00::1"))
    assert reading.names_of(reading.extensions_of(make())) is None


@pytest.mark.parametrize(("extension", "client", "server"), [
    ("", True, True),
    ("extendedKeyUsage = clientAuth", True, False), ("extendedKeyUsage = serverAuth", False, True),
    ("extendedKeyUsage = anyExtendedKeyUsage", True, True),
    ("extendedKeyUsage = codeSigning", False, False)])
def test_no_usage_is_every_usage(make: Make, extension: str, client: bool, server: bool) -> None:
    """Without the extension, or with anyExtendedKeyUsage, a certificate is for everything; else for
    what it says."""
    certificate = make("/CN=x", extension)
    assert reading.usable_for(certificate, "clientAuth") is client
    assert reading.usable_for(certificate, "serverAuth") is server


@pytest.mark.parametrize(("extensions", "fault"), [
    (("basicConstraints = critical,CA:TRUE",), None),
    (("basicConstraints = CA:TRUE", "keyUsage = keyCertSign"), None), ((), None),
    (("basicConstraints = CA:FALSE",), "basicConstraints say CA:FALSE"),
    (("subjectAltName = DNS:x",), "no basicConstraints"),
    (("basicConstraints = CA:TRUE", "keyUsage = cRLSign"), "keyUsage lacks keyCertSign"),
    (("basicConstraints = CA:TRUE", "keyUsage = decipherOnly"), "keyUsage lacks keyCertSign"),
    (("basicConstraints = CA:TRUE", "keyUsage = DER:0000"), "keyUsage lacks keyCertSign")])
def test_who_may_sign(make: Make, extensions: tuple[str, ...], fault: str | None) -> None:
    """A CA has CA:TRUE and, where keyUsage is there, keyCertSign; a version 1 root has nothing, and
    may."""
    assert reading.find_ca_fault(make("/CN=x", *extensions)) == fault


def test_a_signature_is_looked_at(make: Make) -> None:
    """A certificate that names an issuer is that issuer's only where the signature says so too."""
    first, other = make("/CN=x"), make("/CN=y")
    assert reading.is_signed_by(first, first)
    assert not reading.is_signed_by(first, other)
    assert reading.has_public_key(first, public_key_der(other.public_key()))
    assert not reading.has_public_key(first, b"another key")


@pytest.mark.parametrize(("extension", "part"), [
    ("subjectAltName = DER:04:01:00", "subjectAltName"),
    ("extendedKeyUsage = DER:04:01:00", "extendedKeyUsage"),
    ("basicConstraints = DER:04:01:00", "basicConstraints")])
def test_what_cannot_be_read_is_named(make: Make, extension: str, part: str) -> None:
    """An extension that is no DER of its kind is named; a sound certificate has none."""
    assert reading.find_unreadable_part(make("/CN=x", extension)) == part
    assert reading.find_unreadable_part(make("/CN=x", "basicConstraints = CA:TRUE")) is None


def test_issuer_and_serial_number_have_one_short_name(make: Make) -> None:
    """The same for a certificate read twice; another for another number, or another issuer with the
    same number."""
    first, other = make("/CN=x"), make("/CN=x")
    again = load_certificate(dump_certificate(first))
    assert (reading.serial_digest(first) == reading.serial_digest(again)
            != reading.serial_digest(other))
    text = reading.issuer_der(first) + der.integer(reading.serial_number(first))
    assert reading.serial_digest(first) == sha256(text).digest()[:16]


def test_a_ca_may_be_limited_to_names(make: Make) -> None:
    """nameConstraints limit the names that a CA may sign for; nothing else does."""
    assert reading.has_name_constraints(make("/CN=x", "nameConstraints = permitted;DNS:example"))
    assert not reading.has_name_constraints(make("/CN=x", "basicConstraints = CA:TRUE"))
