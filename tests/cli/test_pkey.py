"""`rsa`, `ec`, `pkey` and `ecparam`: standard output and exit status as openssl's, byte for
byte."""
from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kpki.cli.main import main
from kpki.stages.keys import CURVES

Run = Callable[[Sequence[str]], tuple[int, bytes]]
CURVES_TRIED = ("prime256v1", "secp384r1", "secp521r1", "secp224r1", "secp256k1", "brainpoolP256r1")
SECRET = "pass:abcd"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys that openssl made: r (RSA), s (RSA, 512 bits), e and the curves' names (EC), d
    (Ed25519), x (X25519)."""
    folder = tmp_path_factory.mktemp("keys")

    def openssl(line: str) -> None:
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)

    openssl("genrsa -out r.pem 1024")
    openssl("genrsa -out s.pem 512")
    openssl("genpkey -algorithm ed25519 -out d.pem")
    openssl("genpkey -algorithm x25519 -out x.pem")
    openssl("ecparam -name prime256v1 -genkey -noout -out e.pem")
    for curve in CURVES_TRIED:
        openssl(f"ecparam -name {curve} -genkey -noout -out {curve}.pem")
    for key in "red":
        openssl(f"pkey -in {key}.pem -pubout -out {key}.pub")
    openssl("rsa -in r.pem -outform DER -out r.der")
    openssl("ec -in e.pem -outform DER -out e.der")
    openssl(f"rsa -in r.pem -aes256 -passout {SECRET} -out r8.enc")
    openssl(f"rsa -in r.pem -aes128 -traditional -passout {SECRET} -out r1.enc")
    openssl(f"ec -in e.pem -aes256 -passout {SECRET} -out e1.enc")
    openssl("req -x509 -new -key r.pem -subj /CN=x -out r.crt")
    return folder


def peer(folder: Path, words: Sequence[str]) -> tuple[int, bytes]:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout


def lines(given: str, table: str) -> list[str]:
    """Each line of a table of options after *given*."""
    return [f"{given} {options.strip()}".strip() for options in table.strip("\n").splitlines()]


RSA_PRIVATE = """

-text
-noout -text
-noout -modulus
-check
-check -noout -text -modulus
-pubout
-pubout -text
-pubout -outform DER
-traditional
-traditional -outform DER
-outform DER
-RSAPublicKey_out
-RSAPublicKey_out -outform DER
-noout -aes256
-pubout -aes256
-inform PEM
"""
RSA_PUBLIC = """

-text
-noout -text
-noout -modulus
-pubout -outform DER
-RSAPublicKey_out
-traditional
"""
EC_PRIVATE = """

-text
-noout -text
-check -noout
-pubout
-pubout -text
-outform DER
-pubout -outform DER
-param_out
-param_out -outform DER
-param_out -pubout
-conv_form compressed
-conv_form compressed -text
-conv_form hybrid -outform DER
-conv_form hybrid -pubout
-conv_form uncompressed
-conv_form compressed -pubout -text
-no_public
-no_public -text -outform DER
-no_public -pubout
-param_enc named_curve
"""
EC_PUBLIC = """

-text
-noout -text
-pubout -outform DER
-conv_form compressed
-param_out
"""
ANY_PRIVATE = """

-text
-noout -text
-check
-check -pubcheck -noout -text
-pubout
-pubout -text
-outform DER
-pubout -outform DER
-traditional -outform DER
-text_pub
-text_pub -text
-noout -text_pub -pubout
-noout -text -outform DER
-noout -pubcheck
-pubout -aes256
"""
ANY_PUBLIC = """

-text
-noout -text
-check -noout
-pubcheck -noout
-pubout -outform DER
-text_pub
"""
LINES = [
    *lines("rsa -in r.pem", RSA_PRIVATE), *lines("rsa -in r.pub -pubin", RSA_PUBLIC),
    *lines("ec -in e.pem", EC_PRIVATE), *lines("ec -in e.pub -pubin", EC_PUBLIC),
    *(line for key in "red" for line in lines(f"pkey -in {key}.pem", ANY_PRIVATE)),
    *(line for key in "red" for line in lines(f"pkey -in {key}.pub -pubin", ANY_PUBLIC)),
    *(f"ec -in {curve}.pem -text" for curve in CURVES_TRIED),
    *(f"ec -in {curve}.pem -text -conv_form compressed" for curve in CURVES_TRIED),
    *(f"ecparam -name {curve} -text" for curve in CURVES), "pkey -in r.pem -traditional",
    "pkey -in e.pem -traditional", "pkey -in e.pem -ec_conv_form compressed",
    "pkey -in e.pem -ec_conv_form compressed -pubout -text", "pkey -in e.pem -ec_conv_form hybrid "
    "-text", "pkey -in e.pem -ec_conv_form compressed -traditional",
    "pkey -in e.pem -ec_param_enc named_curve", "pkey -in x.pem -text", "pkey -in x.pem -pubout",
    "rsa -in s.pem -text -check", "pkey -in s.pem -text -check",
    f"rsa -in r8.enc -passin {SECRET} -text", f"rsa -in r1.enc -passin {SECRET}",
    f"ec -in e1.enc -passin {SECRET}", f"pkey -in r8.enc -passin {SECRET}",
    f"pkey -in e1.enc -passin {SECRET} -text", "rsa -in r.der -inform DER -text", "rsa -in r.der",
    "ec -in e.der -inform DER -text", "pkey -in e.der", "ecparam -name prime256v1",
    "ecparam -name P-384 -outform DER", "ecparam -name prime256v1 -noout -check",
    "ecparam -name secp256k1 -param_enc named_curve", "rsa --in r.pem --pubout",
]
REFUSED = [
    "rsa -in r.pem -nosuch", "rsa -in r.pem -noout -nosuch", "rsa -in r.pem -pubout -nosuch",
    "rsa -in r.pem extra", "rsa -in r.pub", "rsa -in r.pem -pubin",
    "rsa -in e.pem", "rsa -in r.crt", "rsa -in nosuch", "rsa -in r.pub -pubin -check",
    "rsa -in r.pem -inform XX", "rsa -in r.pem -inform DER", f"rsa -in r8.enc -passin {SECRET}e",
    "ec -in e.pub", "ec -in e.pem -pubin", "ec -in d.pem", "ec -in e.pem -conv_form nosuch",
    "ec -in e.pem -param_enc nosuch", "pkey -in e.pub", "pkey -in e.pem -pubin",
    "pkey -in e.pem -text -outform DER", "pkey -in d.pem -traditional",
    f"pkey -in r.pem -aes256 -outform DER -passout {SECRET}", "pkey -in r.pem -nosuch",
    "pkey -in r.pem -noout -nosuch", "pkey -in r.pem -ec_conv_form compressed",
    "pkey -in e.pem -ec_conv_form nosuch", "ecparam -name nosuch",
    "ecparam -name prime256v1 -conv_form nosuch", "ecparam -name prime256v1 extra",
]
# What openssl does and kpki refuses: the key would stay unencrypted, or not be what was asked for.
STRICTER = [
    f"ec -in e.pem -outform DER -aes256 -passout {SECRET}",
    f"rsa -in r.pem -traditional -outform DER -aes256 -passout {SECRET}",
    "ec -in e.pem -param_enc explicit", f"ec -in e.pem -des -passout {SECRET}",
    f"rsa -in r.pem -traditional -bf -passout {SECRET}",
]


@pytest.mark.parametrize("line", LINES)
def test_a_key_is_shown_and_written_as_openssl_does(line: str, folder: Path, run: Run) -> None:
    """Text, checks and the key itself, in PEM and DER, come in the verb's own order."""
    words = line.split()
    assert run(words) == peer(folder, words)
    assert peer(folder, words)[0] == 0


@pytest.mark.parametrize("line", REFUSED)
def test_what_openssl_refuses_is_refused(line: str, folder: Path, run: Run) -> None:
    """The exit status is openssl's 1, and no key is on standard output."""
    words = line.split()
    assert peer(folder, words)[0] == 1
    assert run(words) == (1, b"")


@pytest.mark.parametrize("line", STRICTER)
def test_a_key_that_would_not_be_what_was_asked_for_is_refused(line: str, folder: Path,
                                                               run: Run) -> None:
    """openssl ignores the cipher, or takes the other kind of key, without a word."""
    words = line.split()
    assert peer(folder, words)[0] == 0
    assert run(words) == (1, b"")


@pytest.mark.parametrize(("line", "head"), [
    ("rsa -in r.pem", "ENCRYPTED"), ("pkey -in e.pem", "ENCRYPTED"),
    ("pkey -in d.pem", "ENCRYPTED"), ("rsa -in r.pem -traditional", "RSA"),
    ("pkey -in r.pem -traditional", "RSA"), ("ec -in e.pem", "EC")])
def test_an_encrypted_key_opens_with_its_passphrase_alone(line: str, head: str, folder: Path,
                                                          run: Run) -> None:
    """What kpki encrypts, openssl reads with the passphrase, and not with another; the label is
    openssl's."""
    words = line.split()
    status, out = run([*words, "-aes256", "-passout", SECRET])
    assert status == 0 and out.startswith(f"-----BEGIN {head} PRIVATE KEY-----\n".encode())
    assert (b"Proc-Type: 4,ENCRYPTED" in out) == (head != "ENCRYPTED")
    for secret, answer in ((SECRET, 0), ("pass:abce", 1)):
        done = subprocess.run(["openssl", "pkey", "-passin", secret, "-pubout"], input=out,
                              capture_output=True, check=False)
        assert done.returncode == answer
        assert answer or done.stdout == peer(folder, ["pkey", *words[1:3], "-pubout"])[1]


@pytest.mark.parametrize("curve", CURVES_TRIED)
@pytest.mark.parametrize("options",
                         ["-noout", "", "-noout -outform DER", "-noout -conv_form compressed"])
def test_a_new_key_is_on_the_curve_and_for_its_owner_alone(curve: str, options: str, folder: Path,
                                                           run: Run) -> None:
    """`ecparam -genkey` writes what openssl reads as a key on that curve; the file is 0600, as its
    own is."""
    assert run(["ecparam", "-name", curve, "-genkey", *options.split(), "-out", "new"]) == (0, b"")
    form = "DER" if "DER" in options else "PEM"
    status, text = peer(folder, ["ec", "-in", "new", "-inform", form, "-noout", "-text", "-check"])
    assert status == 0 and f"ASN1 OID: {curve}\n".encode() in text
    assert stat.S_IMODE((folder / "new").stat().st_mode) == 0o600
    assert (b"BEGIN EC PARAMETERS" in (folder / "new").read_bytes()) == (options == "")
    assert (folder / "new").read_bytes() != (folder / "e.pem").read_bytes()


@pytest.mark.parametrize(("line", "private"), [
    ("rsa -in r.pem", True), ("rsa -in r.pem -pubout", False), ("ec -in e.pem -noout -text", True),
    ("ec -in e.pem -param_out", False), ("pkey -in d.pem", True),
    ("pkey -in d.pem -pubout -text", False)])
def test_a_file_with_a_secret_in_it_is_its_owners_alone(line: str, private: bool, folder: Path,
                                                        run: Run) -> None:
    """0600 where a private key or its numbers are inside; a public key is for everybody to read."""
    name = line.replace(" ", "_")
    old = os.umask(0o022)
    try:
        assert run([*line.split(), "-out", name]) == (0, b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((folder / name).stat().st_mode) == (0o600 if private else 0o644)
    assert (folder / name).read_bytes() == peer(folder, line.split())[1]


def test_a_key_whose_halves_differ_does_not_load(folder: Path, run: Run) -> None:
    """openssl's `pkey -check` says no to it with status 1; under kpki it cannot even be read."""
    own = (folder / "e.der").read_bytes()
    _, new = peer(folder, "ecparam -name prime256v1 -genkey -noout -outform DER".split())
    (folder / "mixed").write_bytes(own[:-64] + new[-64:])
    assert peer(folder, "pkey -in mixed -inform DER -check -noout".split())[0] == 1
    assert run("pkey -in mixed -inform DER -check -noout".split()) == (1, b"")
    assert run("pkey -in e.der -inform DER -check -noout".split()) == (0, b"Key is valid\n")


@pytest.mark.parametrize("line", [
    "rsa -in r.pem -engine x", "ec -in e.pem -provider x", "rsa -in r.pem -pvk-none",
    "ecparam -list_curves"])
def test_what_kpki_has_not_is_refused_by_name(line: str, folder: Path,
                                              capfd: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """An option of openssl's that kpki has not is named, with what to use instead; exit 1."""
    monkeypatch.chdir(folder)
    assert main(line.split()) == 1
    error = capfd.readouterr().err
    assert "is not supported" in error and "hint: instead:" in error


@pytest.mark.parametrize("verb", ["rsa", "ec", "pkey", "ecparam"])
def test_each_verb_explains_itself(verb: str, folder: Path, run: Run) -> None:
    """-help lists the options; --explain leaves standard output as it is."""
    status, page = run([verb, "-help"])
    assert status == 0 and f"Usage: kpki {verb}".encode() in page
    words = [verb, "-name", "P-256"] if verb == "ecparam" else [verb, "-in", "r.pem"
                                                                if verb == "rsa" else "e.pem"]
    assert run([*words, "--explain"]) == run(words)
