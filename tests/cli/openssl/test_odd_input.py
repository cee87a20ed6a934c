"""Requests and certificates that a library below cannot read in full, and what `req` refuses to
leave unsaid."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kpki.cli.main import main

LATIN = "[req]\nprompt=no\nstring_mask=default\ndistinguished_name=d\n[d]\nO=Käse\nCN=a\n"
PLAIN = ("[req]\nprompt=no\ndistinguished_name=d\nreq_extensions=e\n[d]\nCN=a\n[e]\n"
         "keyUsage=cRLSign\n")
STEPS = """\
genrsa -out rsa.key 2048
req -x509 -utf8 -new -key rsa.key -config latin.conf -days 30 -out latin.pem
req -utf8 -new -key rsa.key -config latin.conf -out latin.csr
req -new -key rsa.key -config plain.conf -md5 -out md5.csr
ecparam -name secp112r1 -genkey -noout -out odd.key
req -new -key odd.key -config plain.conf -out odd.csr
req -new -key rsa.key -config plain.conf -ripemd160 -out ripemd.csr
"""
LATIN_NAMES = [
    "x509 -req -in latin.csr -signkey rsa.key -noout -subject",
    "verify -CAfile latin.pem -show_chain latin.pem", "x509 -req -in latin.csr -CA latin.pem "
    "-CAkey rsa.key -noout -subject -issuer", "verify -CAfile ca.pem latin.pem",
    "req -x509 -in latin.csr -CA latin.pem -CAkey rsa.key -config plain.conf -noout -subject",
    "x509 -in latin.pem -x509toreq -key rsa.key -extfile plain.conf -extensions e",
    "req -in latin.csr -noout -verify"]


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What openssl makes of old names, digests and curves."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "latin.conf").write_text(LATIN)
    (folder / "plain.conf").write_text(PLAIN)
    for line in STEPS.splitlines():
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def here(folder: Path, odd: Path) -> Path:
    """The folder of the verbs' tests with the odd files in it."""
    for path in odd.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("words", LATIN_NAMES)
def test_a_name_in_latin_1_is_a_name(here: Path, words: str,
                                     capfd: pytest.CaptureFixture[str]) -> None:
    """A T61String that is no UTF-8 is signed, shown and verified as openssl does it."""
    theirs = subprocess.run(["openssl", *words.split()], capture_output=True, text=True)
    assert main(words.split()) == theirs.returncode
    assert capfd.readouterr().out == theirs.stdout


def test_a_request_signed_over_md5_holds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An old digest is no forgery: `req -verify` says OK, a CA signs it; a changed octet of the
    same request is one."""
    assert main("x509 -req -in md5.csr -CA ca.pem -CAkey ca.key -noout --quiet".split()) == 0
    assert capsys.readouterr().err.startswith("Certificate request self-signature ok\n")
    assert main("req -in md5.csr -noout -verify".split()) == 0
    assert capsys.readouterr().err == "Certificate request self-signature verify OK\n"
    lines = (here / "md5.csr").read_text().splitlines()
    lines[-2] = ("B" if lines[-2][0] == "A" else "A") + lines[-2][1:]
    (here / "md5.csr").write_text("\n".join(lines) + "\n")
    assert main("req -in md5.csr -noout -verify".split()) == 1
    assert (capsys.readouterr().err
            == "kpki: md5.csr: certificate request self-signature verify failure\n")


@pytest.mark.parametrize("name", ["odd.csr", "ripemd.csr"])
@pytest.mark.parametrize("words", ["req -noout -verify", "x509 -req -CA ca.pem -CAkey ca.key"])
def test_a_signature_that_cannot_be_checked_is_not_called_forged(
        here: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown curve or digest is refused by its name; kpki still shows the request."""
    assert main([*words.split(), "-in", name]) == 1
    said = capsys.readouterr().err
    assert (said.startswith(f"kpki: {name}: the request's signature cannot be checked: ")
            and said.count("\n") == 2)
    assert main(["req", "-in", name, "-noout",
                 "-subject"]) == 0 and capsys.readouterr().out == "subject=CN = a\n"


@pytest.mark.parametrize("words, said", [
    ("-subj /CN=b", "kpki: req: -subj changes a request, and nothing signs it\n"
                    "kpki: hint: kpki req -new -key FILE -subj SUBJECT\n"),
    ("-config none.conf", "kpki: none.conf: no such file or directory\n"),
    ("-config plain.conf -reqexts x",
     "kpki: plain.conf: error checking request extension section x: [x] is absent\n"),
    ("-copy_extensions all",
     "kpki: req: invalid extension copy option: all\nkpki: hint: none, copy, copyall\n"),
    ("-x509 -key leaf.key -subj /CN=b", "kpki: openssl's req -x509 -in with "
     "-subj is not supported\nkpki: hint: kpki x509 -req -in FILE -signkey KEY -subj SUBJECT\n"),
    ("-x509", "kpki: req: no key to sign the certificate with\n"
     "kpki: hint: -key FILE, or -CA FILE -CAkey FILE\n")])
def test_nothing_is_silently_ignored(here: Path, words: str, said: str,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    """An option that would change or stop what is done with a request is refused by name; without
    it all is well."""
    assert main(["req", "-in", "leaf.csr", "-noout", *words.split()]) == 1
    assert capsys.readouterr().err == said
    assert main("req -in leaf.csr -noout -config plain.conf -reqexts e".split()) == 0
    assert capsys.readouterr().err == ""


def test_what_does_not_fit_in_a_subject_is_named(here: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    """A value of -subj that its type does not take is said with the type; a right one is taken."""
    assert main("req -new -key leaf.key -subj /CN=a/C=DEU".split()) == 1
    assert (capsys.readouterr().err
            == "kpki: subject name attribute C: string too long: 'DEU', maxsize=2\n")
    assert main("req -new -key leaf.key -subj /CN=a/C=DE -noout".split()) == 0


def test_a_file_that_is_no_configuration_is_one_short_message(
        here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A long line in an error is cut; a short one stands there whole."""
    (here / "junk.conf").write_text("junk " * 1000)
    assert main("req -new -key leaf.key -config junk.conf".split()) == 1
    said = capsys.readouterr().err
    assert len(said) < 1000 and said.endswith("…: missing equal sign\n")
    (here / "junk.conf").write_text("junk\n")
    assert main("req -new -key leaf.key -config junk.conf".split()) == 1
    assert capsys.readouterr().err == "kpki: junk.conf: line 1: junk: missing equal sign\n"


def test_a_key_of_512_bits_can_be_read_and_used(here: Path,
                                                capfd: pytest.CaptureFixture[str]) -> None:
    """RSA under 1024 bits is refused by name where it is made; where it is there, it signs, is
    shown and verified."""
    for words in ("genrsa -out small.key 512",
                  "req -x509 -new -key small.key -subj /CN=small -out small.pem"):
        subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    assert main("genrsa 512".split()) == 1
    assert capfd.readouterr().err.startswith(
        "kpki: an RSA key of 512 bits cannot be made: 1024 to 16384\n")
    for words in ("verify -CAfile small.pem small.pem",
                  "x509 -in small.pem -noout -modulus -pubkey -purpose",
                  "rsa -in small.key -noout -text -check",
                  "x509 -req -in leaf.csr -CA small.pem -CAkey small.key -noout -issuer "
                  "-set_serial 1"):
        theirs = subprocess.run(["openssl", *words.split()], capture_output=True, text=True)
        assert main(words.split()) == theirs.returncode == 0
        assert capfd.readouterr().out == theirs.stdout
