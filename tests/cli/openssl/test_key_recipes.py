"""genrsa, genpkey, ecparam, rsa, ec, pkey and req -newkey, line by line against the real
openssl."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from kpki.cli.main import main
from tests.cli.openssl import recipes
from tests.cli.openssl.key_lines import DONE
from tests.cli.openssl.refused_key_lines import REFUSED

# What openssl does and kpki refuses, and docs/stages.md says why.
STRICTER = """\
genrsa 512
genrsa -primes 3 1024
genrsa -aes128 -passout pass: 1024
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_pubexp:17
genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024
genpkey -algorithm SM2
genpkey -algorithm EC -pkeyopt group:P-256 -pkeyopt ec_param_enc:explicit
genpkey -algorithm EC -pkeyopt group:P-256 -aes128 -pass pass:abcd -outform DER
genpkey -algorithm EC -pkeyopt group:secp112r1
genpkey -algorithm EC -pkeyopt group:P-256 -config plain.cnf
ecparam -list_curves
ecparam -name sect163k1
ecparam -name prime256v1 -param_enc explicit
ecparam -in explicit.par
rsa -in r.pem -outform MSBLOB
rsa -in r.pem -inform P12
rsa -in r.pem -traditional -des -passout pass:abcd
rsa -in r.pem -traditional -aria128 -passout pass:abcd
rsa -in r.pem -traditional -camellia-128-ctr -passout pass:abcd
rsa -in r.pem -traditional -aes-128-cfb1 -passout pass:abcd
rsa -in r.pem -traditional -aes-128-cbc-cts -passout pass:abcd
rsa -in r.pem -traditional -outform DER -aes128 -passout pass:abcd
ec -in e.pem -outform DER -aes128 -passout pass:abcd
ec -in e.pem -seed -passout pass:abcd
pkey -in r.pem -id-aes128-wrap-pad -passout pass:abcd
pkey -in other.pem
x509 -in r.crt -noout -sbject"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of the recipes."""
    folder = tmp_path_factory.mktemp("recipes")
    recipes.make(folder)
    return folder


@pytest.fixture
def by_kpki(run: recipes.Command, monkeypatch: pytest.MonkeyPatch) -> recipes.Command:
    """kpki in the folder, in this process."""
    monkeypatch.setenv("SECRET", "abcd")
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    return run


def lines(tables: Mapping[str, str]) -> list[object]:
    """A table topic → lines as parameters of a test."""
    return [pytest.param(line, id=f"{topic}: {line}") for topic, text in tables.items()
            for line in text.splitlines()]


def both(line: str, folder: Path,
         by_kpki: recipes.Command) -> tuple[recipes.Result, recipes.Result]:
    """What openssl and kpki give for a line."""
    words = line.split()
    return recipes.run(folder, words,
                       recipes.by_openssl(folder)), recipes.run(folder, words, by_kpki)


@pytest.mark.parametrize("line", lines(DONE))
def test_a_line_does_what_openssl_does(line: str, folder: Path, by_kpki: recipes.Command) -> None:
    """Status 0, the same output and the same files; of what is random the same kind, cipher and
    owner."""
    theirs, ours = both(line, folder, by_kpki)
    assert (theirs.status, ours.status) == (0, 0)
    assert recipes.comparable(line.split(), ours) == recipes.comparable(line.split(), theirs)


@pytest.mark.parametrize("line", lines(REFUSED))
def test_a_line_that_openssl_refuses_is_refused(line: str, folder: Path,
                                                by_kpki: recipes.Command) -> None:
    """The same status, and no key on standard output; kpki leaves no file behind."""
    theirs, ours = both(line, folder, by_kpki)
    assert theirs.status == ours.status != 0
    assert (recipes.comparable(line.split(), ours) == recipes.comparable(line.split(), theirs)
            and ours.files == {})


@pytest.mark.parametrize("line", STRICTER.splitlines())
def test_what_the_page_says_is_refused_is(line: str, folder: Path,
                                          by_kpki: recipes.Command) -> None:
    """openssl carries the line out, kpki says no with status 1, and writes nothing."""
    theirs, ours = both(line, folder, by_kpki)
    assert (theirs.status, ours) == (0, recipes.Result(1, b"", {}))


def test_both_tables_have_rows() -> None:
    """A table that has lost its lines does not pass for one that holds."""
    assert sum(text.count("\n") for text in DONE.values()) > 250
    assert sum(text.count("\n") for text in REFUSED.values()) > 125


@pytest.mark.parametrize(("words", "hint"), [
    ("req -new -sub /CN=x", "did you mean -subj?"), ("genrsa -ou new", "did you mean -out?"),
    ("rsa -in r.pem -aes12", "did you mean -aes192 or -aes128?"),
    ("verify -CAFile r.crt r.crt", "did you mean -CAfile?"),
    ("x509 -in r.crt -noout -nope", "kpki x509 -help lists them"),
    ("genrsa –out new", "write -out"), ("x509 —req", "write -req"),
    ("req -new -key “r.pem”", "typographic quotation"),
    ("pkey -in r.pem -explainn", "did you mean --explain?"),
    ("pkey -in r.pem -qqqqqq", "kpki pkey -help lists them")])
def test_a_slip_of_the_pen_is_named(words: str, hint: str, folder: Path, by_kpki: recipes.Command,
                                    capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """An option that does not exist is refused with the nearest one, typography is called by its
    name."""
    assert main(words.split()) == 1
    assert hint in capfdbinary.readouterr().err.decode()


@pytest.mark.parametrize("line", [
    "genrsa 1024 --explain", "rsa -in r.pem -noout --explain",
    "verify -CAfile r.crt r.crt --explain"])
def test_kpki_own_words_stand_anywhere(line: str, folder: Path, by_kpki: recipes.Command,
                                       capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """--explain behind the last word explains, and behind `--` is a word like any other."""
    assert main(line.split()) == 0 and b"library: " in capfdbinary.readouterr().err
    assert (main([*line.split()[:-1], "--", "--explain"]) != 0
            and b"library: " not in capfdbinary.readouterr().err)
