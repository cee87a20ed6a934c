"""`x509` and `req` that show what there is: standard output and exit status as openssl's, byte for
byte."""
from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kpki import load_certificate
from kpki.cli.main import main
from kpki.cli.openssl.display import CERTIFICATE_OPTIONS, REQUEST_OPTIONS, show_certificate
from kpki.cli.openssl.options import Option, read_options

Run = Callable[[Sequence[str]], tuple[int, bytes]]
CONFIG = """
[req]
prompt = no
distinguished_name = dn
[dn]
C = US
O = a, b
CN = Ab  c
emailAddress = q@w
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = \
DNS:x.example,DNS:*.y.example,IP:10.0.0.1,IP:::1,email:z@b,email:a@b,email:q@w,email:b@b
authorityInfoAccess = OCSP;URI:http://o,caIssuers;URI:http://c,OCSP;URI:http://p,OCSP;URI:http://a
1.2.3.4 = ASN1:UTF8:unknown
[ca]
basicConstraints = critical,CA:TRUE,pathlen:1
keyUsage = keyCertSign,cRLSign
subjectKeyIdentifier = hash
[netscape]
nsCertType = client,email,sslCA
[broken]
keyUsage = DER:30:00
subjectAltName = DNS:x.example
[stamp]
extendedKeyUsage = critical,timeStamping
"""
CERTIFICATES = ("server", "ca", "netscape", "broken", "stamp", "plain")
REQUESTS = ("asking", "rsa")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates and requests that openssl made: NAME.crt for each of CERTIFICATES, NAME.csr for
    each of REQUESTS."""
    folder = tmp_path_factory.mktemp("display")
    (folder / "config").write_text(CONFIG)

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.key")
    openssl("genrsa", "-out", "rsa.key", "1024")
    for name, key in (("asking", "ec.key"), ("rsa", "rsa.key")):
        openssl("req", "-new", "-key", key, "-config", "config", "-out", f"{name}.csr",
                *(["-reqexts", "server"] if name == "asking" else []))
    for name in CERTIFICATES:
        section = [] if name == "plain" else ["-extfile", "config", "-extensions", name]
        csr, key = (("rsa.csr", "rsa.key") if name in ("server", "plain")
                    else ("asking.csr", "ec.key"))
        openssl("x509", "-req", "-in", csr, "-signkey", key, "-out", f"{name}.crt", "-days", "100",
                *section)
    return folder


def peer(folder: Path, words: Sequence[str]) -> tuple[int, bytes]:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False)
    return done.returncode, done.stdout


SINGLE = ("subject issuer serial dates startdate enddate fingerprint pubkey modulus purpose hash "
          "subject_hash "
          "issuer_hash subject_hash_old issuer_hash_old ocsp_uri ocspid alias email text").split()
EVERYTHING = " ".join(f"-{name}" for name in SINGLE)
CERTIFICATE_LINES = [
    *(f"-noout -{name}" for name in SINGLE), f"-noout {EVERYTHING}",
    f"-noout {' '.join(reversed(EVERYTHING.split()))}", "", "-nocert -subject", "-subject",
    "-outform DER", "-outform DER -serial", "-noout -enddate -subject",
    "-noout -subject -subject -issuer -subject", "-noout -dates -startdate",
    "-noout -enddate -dates", "-noout -hash -subject_hash -hash", "-noout --subject --issuer",
    "-noout -fingerprint -sha256", "-noout -fingerprint -SHA384",
    "-noout -md5 -fingerprint -serial", "-noout -sha512-256 -fingerprint",
    "-noout -sha3-256 -fingerprint", "-noout -nameopt RFC2253 -subject -issuer",
    "-noout -nameopt multiline -subject -issuer", "-noout -nameopt compat -subject -text",
    "-noout -nameopt oneline,-esc_msb -nameopt utf8,sep_multiline -text",
    "-noout -dateopt iso_8601 -dates -text", "-noout -dateopt rfc_822 -dates", "-noout "
    "-certopt ca_default -text", "-noout -certopt no_pubkey,no_sigdump -certopt no_header -text",
    "-noout -certopt ca_default,-no_pubkey -text", "-noout -certopt ca_default,compatible -text",
    "-noout -certopt -ca_default -text", "-noout -certopt ext_error -text",
    "-noout -certopt ext_dump,-no_header -text", "-noout -certopt ext_dump,-ext_dump -text",
    "-noout -certopt ,no_header -text", "-noout -certopt no_aux -text",
    "-noout -ext subjectAltName", "-noout -ext basicConstraints -subject",
    "-noout -ext keyUsage,subjectAltName -hash", "-noout -ext subjectAltName,subjectAltName",
    "-noout -ext nosuch", "-noout -ext authorityInfoAccess,nsCertType", "-noout -checkend 0",
    "-noout -checkend 99999999", "-noout -checkend -99999999999", "-noout -checkend 0x100",
    "-noout -subject -checkend 0 -checkhost q", "-noout -checkhost x.example",
    "-noout -checkhost n.y.example -subject", "-noout -checkhost q", "-noout -checkip 10.0.0.1",
    "-noout -checkip ::1", "-noout -checkip 10.0.0.2", "-noout -checkemail a@b",
    "-noout -checkemail q@w -checkhost z -checkip ::2",
]
REFUSED = ["-noout -nameopt nosuch -subject", "-noout -nameopt nosuch", "-noout -certopt nosuch",
           "-noout -dateopt nosuch", "-noout -fingerprint -nosuch", "-noout -checkend x",
           "-noout -certopt no_ids -text", "-noout -subject extra"]
REQUEST_LINES = [
    "", "-noout", "-text", "-noout -text", "-noout -subject", "-pubkey -modulus -subject -text",
    "-noout -verify", "-noout -text -verify -subject -nameopt compat",
    "-noout -nameopt multiline -text -subject", "-noout -reqopt no_pubkey,no_attributes -text",
    "-noout -reqopt ca_default -text", "-outform DER", "-newhdr", "-noout -modulus -pubkey",
]


@pytest.mark.parametrize("line", CERTIFICATE_LINES)
def test_a_certificate_is_shown_as_openssl_shows_it(line: str, folder: Path, run: Run) -> None:
    """Every certificate of the folder, by this command line."""
    for name in CERTIFICATES if line.startswith("-noout -purpose") else CERTIFICATES[:3]:
        words = ["x509", "-in", f"{name}.crt", *line.split()]
        assert run(words) == peer(folder, words)


@pytest.mark.parametrize("name", CERTIFICATES)
def test_everything_at_once_is_in_the_order_of_the_command_line(name: str, folder: Path,
                                                                run: Run) -> None:
    """The items come as they were asked for, each in openssl's words, whatever the certificate
    holds."""
    for options in (EVERYTHING.split(), EVERYTHING.split()[::-1]):
        words = ["x509", "-in", f"{name}.crt", "-noout", *options]
        assert run(words) == peer(folder, words)


@pytest.mark.parametrize("line", REFUSED)
def test_what_openssl_refuses_is_refused(line: str, folder: Path, run: Run) -> None:
    """The exit status is openssl's 1, and nothing is on standard output."""
    words = ["x509", "-in", "server.crt", *line.split()]
    assert run(words) == (1, b"") == peer(folder, words)


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_a_request_is_shown_as_openssl_shows_it(line: str, folder: Path, run: Run) -> None:
    """Key, text, subject and modulus come in req's own order, whatever the order asked for."""
    for name in REQUESTS:
        words = ["req", "-in", f"{name}.csr", *line.split()]
        assert run(words) == peer(folder, words)


@pytest.mark.parametrize("line", [
    "-noout -reqopt nosuch -text", "-noout -nameopt nosuch -subject", "-noout -in server.crt"])
def test_what_openssl_refuses_of_a_request_is_refused(line: str, folder: Path, run: Run) -> None:
    """The exit status is openssl's 1."""
    words = ["req", "-in", "rsa.csr", *line.split()]
    assert run(words) == (1, b"") == peer(folder, words)


def test_a_new_self_signed_certificate_is_shown_as_a_request_is(run: Run) -> None:
    """`req -x509` has req's options and req's order."""
    status, out = run("req -x509 -new -key ec.key -config config -noout -subject -pubkey".split())
    assert status == 0
    assert out.startswith(b"-----BEGIN PUBLIC KEY-----")
    assert out.endswith(b'\nsubject=C = US, O = "a, b", CN = Ab  c, emailAddress = q@w\n')


def test_what_is_shown_goes_where_the_output_goes(folder: Path, run: Run) -> None:
    """-out takes the text too."""
    assert run("x509 -in server.crt -noout -subject -out shown".split()) == (0, b"")
    assert (folder / "shown").read_bytes() == peer(folder,
                                                   "x509 -in server.crt -noout -subject".split())[1]


@pytest.mark.parametrize(("seconds", "status"), [(-1, 0), (0, 1), (1, 1)])
def test_a_certificate_ends_in_the_second_it_names(seconds: int, status: int, folder: Path) -> None:
    """-checkend counts from now; the very second of notAfter is the end."""
    certificate = load_certificate((folder / "server.crt").read_bytes())
    now = certificate.not_valid_after_utc - timedelta(seconds=100)
    given = read_options("x509", CERTIFICATE_OPTIONS, ["-checkend", str(100 + seconds)])
    text, answer = show_certificate(certificate, given, now=now)
    assert answer == status and text == f"Certificate will {'' if status else 'not '}expire\n"
    assert show_certificate(certificate, given, now=datetime(9000, 1, 1, tzinfo=UTC))[1] == 1


@pytest.mark.parametrize("address", ["nosuch", "1.2.3", "1.2.3.4/8", ""])
def test_an_address_that_is_none_is_refused(address: str, run: Run) -> None:
    """openssl says of any text that is no address that it does match; kpki says that it is no
    address."""
    assert run(["x509", "-in", "server.crt", "-noout", "-checkip", address]) == (1, b"")


def test_a_display_that_is_not_there_is_refused_by_name(folder: Path,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    """ext_parse is openssl's, not kpki's."""
    words = ["-noout", "-text", "-certopt", "ext_parse"]
    assert peer(folder, ["x509", "-in", "server.crt", *words])[0] == 0
    assert main(["x509", "-in", str(folder / "server.crt"), *words]) == 1
    assert "openssl's -certopt ext_parse is not supported" in capsys.readouterr().err


@pytest.mark.parametrize(("verb", "table"),
                         [("x509", CERTIFICATE_OPTIONS), ("req", REQUEST_OPTIONS)])
def test_every_row_is_an_option_of_openssl(verb: str, table: tuple[Option, ...]) -> None:
    """The tables name what `openssl VERB -help` names."""
    done = subprocess.run(["openssl", verb, "-help"], capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C"})
    known = {line.split()[0] for line in done.stderr.splitlines() if line.startswith(" -")}
    assert {f"-{option.name}" for option in table} <= known
