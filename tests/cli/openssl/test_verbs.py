"""openssl's verbs as commands: streams, serial files, new keys, refusals by name, --explain."""
from __future__ import annotations

import io
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import kpki
from kpki.cli.main import main
from kpki.cli.openssl.options import EVERYWHERE, OURS
from kpki.cli.openssl.verbs import VERBS, table_of

ROOT = Path(__file__).parents[3]
SIGN = "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -out leaf.pem -set_serial".split()[:-1]


def openssl(words: str, folder: Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run openssl in the folder."""
    return subprocess.run(["openssl", *words.split()], cwd=folder, input=given, capture_output=True)


def serial(path: Path) -> int:
    """The serial number of a certificate file."""
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


SERIALS = ["0F\n", "FF\n", "00\n", "1234567890123456789012345678901234567890\n", "0f", "0F 10\n",
           "0F\n10\n"]


@pytest.mark.parametrize("text", SERIALS)
def test_a_serial_file_is_counted_on(folder: Path, text: str) -> None:
    """The next number is used and written back, in openssl's spelling, named or by the CA's name,
    wherever it lies."""
    found = []
    runs: list[Callable[[str], int]] = [
        lambda line: openssl(line, folder).returncode, lambda line: main(line.split())]
    for words in ("-CAserial my.srl", "", "-CAcreateserial"):
        for run in runs:
            path = folder / ("my.srl" if words.startswith("-CAserial") else "ca.srl")
            path.write_text(text)
            assert run(" ".join([*SIGN, words])) == 0
            found.append((serial(folder / "leaf.pem"), path.read_text()))
    assert len(set(found)) == 1 and found[0][0] == int(text.split(maxsplit=1)[0], 16) + 1


@pytest.mark.parametrize("text", ["", "zz\n", "F\n", "-05\n", " 0F\n"])
def test_a_serial_file_without_a_number_is_refused(folder: Path, text: str) -> None:
    """What openssl cannot count on, kpki does not either, and nothing is written."""
    (folder / "my.srl").write_text(text)
    assert openssl(" ".join([*SIGN, "-CAserial my.srl"]), folder).returncode == 1
    (folder / "leaf.pem").unlink(missing_ok=True)
    assert main([*SIGN, "-CAserial", "my.srl"]) == 1
    assert not (folder / "leaf.pem").exists() and (folder / "my.srl").read_text() == text


def test_a_serial_file_is_made_only_when_asked(folder: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    """Without one the number is random and no file appears; -CAcreateserial makes it; -CAserial of
    none is refused."""
    assert main(SIGN) == 0 and not (folder / "ca.srl").exists()
    assert main([*SIGN, "-CAserial", "none.srl"]) == 1
    assert "none.srl" in capsys.readouterr().err
    assert main([*SIGN, "-CAcreateserial"]) == 0
    assert int((folder / "ca.srl").read_text(), 16) == serial(folder / "leaf.pem")
    assert main([*SIGN, "-CAcreateserial", "-CAserial",
                 "other.srl"]) == 0 and (folder / "other.srl").exists()


def test_a_failed_signature_counts_nothing(folder: Path) -> None:
    """A serial file stays as it is where the key is not the CA's."""
    (folder / "ca.srl").write_text("0F\n")
    assert main([*SIGN, "-CAkey", "leaf.key"]) == 1
    assert (folder / "ca.srl").read_text() == "0F\n"


def kpki_command(words: str, folder: Path,
                 given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the real command in the folder."""
    return subprocess.run([sys.executable, "-m", "kpki", *words.split()], cwd=folder, input=given,
                          capture_output=True,
                          env={"PATH": os.environ["PATH"],
                               "PYTHONPATH": str(Path(kpki.__file__).parents[1])})


@pytest.mark.parametrize(("words", "name"), [
    ("x509", "ca.pem"), ("x509 -inform DER", "ca.der"),
    ("x509 -in /dev/stdin -outform DER", "ca.pem"), ("req", "leaf.csr"),
    ("req -newhdr", "leaf.csr"), ("req -outform DER -in /dev/stdin", "leaf.csr")])
def test_standard_input_and_output_are_files(folder: Path, words: str, name: str) -> None:
    """What comes on standard input goes to standard output byte for byte as from openssl."""
    data = (folder / name).read_bytes()
    theirs, ours = openssl(words, folder, data), kpki_command(words, folder, data)
    assert ours.returncode == theirs.returncode == 0
    assert ours.stdout == theirs.stdout != b""


def test_a_broken_standard_input_is_refused(folder: Path) -> None:
    """No traceback and no output for rubbish on standard input."""
    ran = kpki_command("x509", folder, b"\xff\x00rubbish")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert (ran.stderr
            == b"kpki: standard input: no certificate found: the file is neither PEM nor DER\n")


def test_a_reader_that_is_gone_is_no_traceback(folder: Path) -> None:
    """A closed pipe behind standard output ends the command without words."""
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run([sys.executable, "-m", "kpki", "x509", "-in", "ca.pem"], cwd=folder,
                         stdout=writer, stderr=subprocess.PIPE,
                         env={"PYTHONPATH": str(Path(kpki.__file__).parents[1])})
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (1, b"")


NEW_KEYS = [
    ("-newkey rsa:1024 -noenc -keyout new.key", None, "RSAPrivateKey"),
    ("-newkey rsa:1024 -keyout new.key -passout pass:secret", b"secret", "RSAPrivateKey"),
    ("-newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout new.key", None, "ECPrivateKey"),
    ("-newkey ed25519 -noenc -keyout new.key", None, "Ed25519PrivateKey"),
    ("-new -noenc -keyout new.key -config new.conf", None, "RSAPrivateKey"),
    ("-new -config named.conf", None, "RSAPrivateKey"),
]


@pytest.mark.parametrize(("words", "passphrase", "kind"), NEW_KEYS)
def test_a_new_key_is_made_kept_and_certified(folder: Path, words: str, passphrase: bytes | None,
                                              kind: str) -> None:
    """-newkey writes a private PKCS#8 file, encrypted unless an option forbids that, and the
    request is for that key."""
    head = "[req]\nprompt=no\ndistinguished_name=dn\ndefault_bits=1024\n{}[dn]\nCN=a\n"
    (folder / "new.conf").write_text(head.format(""))
    (folder / "named.conf").write_text(head.format("default_keyfile=new.key\nencrypt_key=no\n"))
    more = "" if "-config" in words else "-subj /CN=a "
    assert main(f"req {words} {more}-out new.csr".split()) == 0
    path = folder / "new.key"
    key = load_pem_private_key(path.read_bytes(), passphrase)
    assert kind in type(key).__name__ and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (x509.load_pem_x509_csr((folder / "new.csr").read_bytes()).public_key()
            == key.public_key())
    assert path.read_bytes().startswith(b"-----BEGIN " + (b"ENCRYPTED " if passphrase else b"")
                                        + b"PRIVATE KEY-----")


def test_a_new_key_and_its_request_share_standard_output(folder: Path) -> None:
    """Without -keyout, -out and default_keyfile both are printed, the key first, as openssl
    does."""
    (folder / "c.conf").write_text("[req]\ndistinguished_name=dn\n[dn]\n")
    words = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=a -config c.conf"
    heads = [[line for line in run(words, folder).stdout.splitlines() if line.startswith(b"-----")]
             for run in (openssl, kpki_command)]
    assert heads[0] == heads[1] and len(heads[0]) == 4


def test_the_default_configuration_names_the_new_key(folder: Path) -> None:
    """Without a configuration a new key goes to privkey.pem, as openssl's distributed one has
    it."""
    words = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=a -out new.csr"
    for run in (openssl, kpki_command):
        assert run(words, folder).returncode == 0
        key = load_pem_private_key((folder / "privkey.pem").read_bytes(), None)
        assert (x509.load_pem_x509_csr((folder / "new.csr").read_bytes()).public_key()
                == key.public_key())
        (folder / "privkey.pem").unlink()


@pytest.mark.parametrize("words", [
    "req -newkey rsa:512 -noenc -subj /CN=a", "req -newkey foo -noenc -subj /CN=a",
    "req -newkey rsa:x -noenc -subj /CN=a", "req -newkey ec:none.pem -noenc -subj /CN=a",
    "req -newkey rsa:1024 -subj /CN=a -passout foo:x -keyout new.key", "req -newkey rsa:1024 "
    "-subj CN=a -noenc -keyout new.key -out new.csr", "genrsa x", "genrsa 512", "genrsa 1024 1024",
    "genrsa -foo 1024", "genpkey", "genpkey -algorithm FOO", "genpkey -algorithm EC",
    "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:foo", "genpkey -algorithm RSA -pkeyopt foo"])
def test_a_key_that_cannot_be_made_is_refused(folder: Path, words: str,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, status 1, and no file."""
    before = set(os.listdir(folder))
    assert main(words.split()) == 1
    assert capsys.readouterr().err.startswith("kpki: ")
    assert set(os.listdir(folder)) == before


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_openssl_is_known_or_has_its_sentence(verb: str) -> None:
    """Each name in openssl's own help is in the verb's table; one that is refused is named in the
    docs with a reason."""
    page = subprocess.run(["openssl", verb, "-help"], capture_output=True, text=True).stderr
    table = {option.name: option for option in (*table_of(verb), *EVERYWHERE)}
    names = set(re.findall(r"^ -([\w-]+)", page, re.MULTILINE))
    assert names and names <= set(table)
    docs = "".join((ROOT / "docs" / name).read_text() for name in ("stages.md", "verify.md"))
    assert [name for name in names if table[name].instead is not None
            and not re.search(rf"`(\w+ )?-{name}\b", docs)] == []


# What only a reader of the rows around it understands.
_LEANS = re.compile(r"(its?|their|both|nothing|none|no|for|with|as|else|the same)\b"
                    r"|.*\b(likewise|and so on)")


@pytest.mark.parametrize("verb", VERBS)
def test_a_row_of_the_help_is_understood_alone(verb: str) -> None:
    """Completion and manual pages show one row: at most 25 words, which lean on no other row."""
    rows = [option.means for option in (*table_of(verb), *EVERYWHERE, *OURS)
            if option.instead is None]
    assert [row for row in rows if not row or len(row.split()) > 25 or _LEANS.match(row)] == []


def test_a_row_that_leans_on_another_is_seen() -> None:
    """A row whose noun stands in another row is seen, one with its own noun is not."""
    assert _LEANS.match("its form (found out by itself)") and _LEANS.match("nothing, likewise")
    assert _LEANS.match("the same") and not _LEANS.match("the form of the key")


UNSUPPORTED = {
    "genrsa -engine x": "-engine", "req -precert": "-precert",
    "x509 -badsig": "-badsig", "genrsa -writerand x": "-writerand",
    "req -new -vfyopt x:y": "-vfyopt", "genrsa -primes 3": "-primes 3",
    "genpkey -config x": "-config", "x509 -provider x": "-provider", "dgst": "dgst",
    "ca -in x": "ca", "pkcs12": "pkcs12", "s_client": "s_client", "base64 -d": "base64",
    "aes-128-cbc -in x": "aes-128-cbc", "sha256": "sha256", "rc4-40": "rc4-40",
    "req -new -keygen_engine x": "-keygen_engine"}


@pytest.mark.parametrize("words", UNSUPPORTED)
def test_what_kpki_does_not_know_is_refused_by_name(words: str,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    """Another verb or option of openssl's is named, with what to use instead, and the status is
    1."""
    assert main(words.split()) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"kpki: openssl's {UNSUPPORTED[words]} is not supported"
    assert second.startswith("kpki: hint: ")


@pytest.mark.parametrize("verb", ["genrsa", "genpkey", "req", "x509"])
def test_every_option_of_openssl_is_known(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The verb's help names every option of openssl's, supported or not, and says nothing on
    stderr."""
    page = subprocess.run(["openssl", verb, "-help"], capture_output=True, text=True).stderr
    options = {line.split()[0] for line in page.splitlines() if line.startswith(" -")
               and not line.startswith(" -*")}
    assert main([verb, "-help"]) == 0
    said = capsys.readouterr()
    words = set(said.out.replace(",", " ").split())
    assert len(options) > 4 and options - words == set() and said.err == ""


EXPLAINED = [
    "req -new -key leaf.key -subj /CN=a/O=b -sha512 -out made",
    "req -new -key leaf.key -config c.conf -reqexts e -out made",
    "req -new -key leaf.key -config c.conf -addext subjectAltName=DNS:x -outform DER -out made",
    "req -x509 -new -key leaf.key -subj /CN=a -days 5 -set_serial 7 -out made",
    "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -days 9 -extfile c.conf -extensions e "
    "-set_serial 0x10 -out made",
    "req -x509 -in leaf.csr -key leaf.key -config c.conf -extensions e -days 4 -set_serial 8 "
    "-out made",
    "req -in leaf.csr -CA ca.pem -CAkey ca.key -config c.conf -addext keyUsage=cRLSign "
    "-set_serial 8 -out made",
    "req -new -key leaf.key -subj /CN=a -CA ca.pem -CAkey ca.key -days 4 -set_serial 8 -out made",
    "x509 -req -in leaf.csr -signkey leaf.key -copy_extensions copy -set_serial 3 -out made",
]


@pytest.mark.parametrize("words", EXPLAINED)
def test_the_call_that_explain_prints_gives_the_same(folder: Path, words: str,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    """The expression after `library:` runs, and gives what the command wrote, dates and signature
    aside."""
    (folder / "c.conf").write_text("[req]\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=c\n[e]\n"
                                   "keyUsage=cRLSign\n")
    assert main([*words.split(), "--explain"]) == 0
    lines = [line.partition("library: ")[2] for line in capsys.readouterr().err.splitlines()
             if "library: " in line]
    files = {"open": lambda path,
             mode="r": io.BytesIO(Path(path).read_bytes()) if mode == "rb"
             else io.StringIO(Path(path).read_text())}
    again = eval(lines[0], {"kpki": kpki, "os": os, **files})
    found = [facts(data) for data in ((folder / "made").read_bytes(), again)]
    assert found[0] == found[1] and len(lines) == 1


def facts(data: bytes) -> list[object]:
    """What a certificate or request says but for its dates and signature."""
    if b"REQUEST" in data or data[:1] == b"\x30":
        csr = kpki.load_csr(data)
        return [csr.subject.public_bytes(), csr.signature_algorithm_oid,
                *(extension for extension in csr.extensions)]
    made = kpki.load_certificate(data)
    return [made.subject.public_bytes(), made.serial_number, made.version,
            made.issuer.public_bytes(), made.not_valid_after_utc - made.not_valid_before_utc,
            *(extension for extension in made.extensions)]


def test_explain_never_shows_a_passphrase(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The call asks for the passphrase instead of repeating it."""
    words = "req -new -key locked.key -passin pass:secret -subj /CN=a -out made --explain"
    assert main(words.split()) == 0
    said = capsys.readouterr().err
    assert "getpass" in said and "secret" not in said


@pytest.mark.parametrize("verb", ["genpkey -algorithm ED25519", "req -new", "x509", "rsa",
                                  "ecparam -name P-256"])
def test_a_word_too_many_is_refused(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A verb that takes no word after its options says so, before it does anything."""
    assert main([*verb.split(), "one-too-many"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"kpki: {verb.split(maxsplit=1)[0]}: extra arguments given: "
                          "one-too-many\n")


@pytest.mark.parametrize("line", [
    "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 1 -subj /0=x/CN=b/O= "
    "-out made.pem",
    "x509 -in ca.pem -signkey ca.key -subj /0=x/CN=b -out made.pem",
    "x509 -x509toreq -in ca.pem -signkey ca.key -subj /0=x/CN=b -out made.pem",
    "x509 -in ca.pem -signkey ca.key -subj /CN=b -out made.pem",
])
def test_an_attribute_of_the_subject_that_is_skipped_is_named(
        folder: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    """x509 -subj warns as openssl does, and of nothing if nothing is skipped."""
    told = [said for said in openssl(line, folder).stderr.decode().splitlines()
            if said.startswith("x509 warning: ")]
    assert (len(told) > 0) == ("/0=" in line)
    assert main(line.split()) == 0
    assert [said for said in capsys.readouterr().err.splitlines()
            if said.startswith("x509 warning: ")] == told
