"""Lines of genrsa, genpkey, ecparam, rsa, ec and pkey that a grammar makes: openssl against kpki.

`scripts/fuzz N` tries N of them anew; here it is always the same few. The differences of
docs/stages.md have names.
"""
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki.stages.encryption import cipher_names
from tests.cli.openssl import recipes

TRIES = os.environ.get("KPKI_FUZZ")
EXAMPLES = settings(max_examples=int(TRIES or 60), derandomize=TRIES is None, deadline=None,
                    database=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                          HealthCheck.too_slow])

CIPHERS = st.sampled_from(sorted(cipher_names()) + [
    "aes128", "aes256", "des3", "aes-128-gcm", "aes-256-xts", "aes-128", "nosuch", "AES256",
    "id-aes128-GCM"] * 3)
SECRETS = st.sampled_from(["pass:abcd"] * 6 + ["env:SECRET", "pass:abc", "nosuch", "env:NOSUCH",
                                               "file:nosuch"])
PRIVATE = st.sampled_from("""\
r.pem e.pem f.pem k.pem d.pem g.pem x.pem e8.pem r1.pem r.der e.der r8.der d.der mark.pem crlf.pem
keycrt.pem crtkey.pem two.pem before.pem r.pub e.pub p.par r.csr empty cut.pem nosuch aes256.enc
des3.enc aria.enc sm4.enc aes256.old camellia.old""".split())
PUBLIC = st.sampled_from("r.pub e.pub d.pub r1.pub rpub.der twopub.pem mark.pub r.pem r.crt "
                         "nosuch".split())
FORMS = st.sampled_from(["-outform PEM", "-outform DER", "-outform der", "-outform d",
                         "-outform XX", "-inform PEM", "-inform DER"])
LOOKS = st.sampled_from(
    ["-noout", "-noout", "-text", "-pubout", "-check", "-out new", "--noout",
     "-in=r.pem", "-nosuch", "-out -", "-provider default", "-passin pass:abcd", "-passin pass:bad",
     "-outform=DER", "-- extra"])
OF_VERB = {
    "rsa": ["-modulus", "-traditional", "-RSAPublicKey_out"],
    "ec": ["-param_out", "-no_public", "-conv_form compressed", "-conv_form hybrid", "-conv_form x",
           "-param_enc named_curve"],
    "pkey": ["-traditional", "-text_pub", "-pubcheck", "-ec_conv_form compressed",
             "-ec_param_enc named_curve"]}
CURVES = st.sampled_from("P-256 prime256v1 P-384 secp384r1 P-521 secp224r1 P-192 secp256k1 "
                         "PRIME256V1 brainpoolP256r1 p-256 nosuch".split())
PKEYOPTS = st.one_of(
    CURVES.map("-pkeyopt ec_paramgen_curve:{}".format), CURVES.map("-pkeyopt group:{}".format),
    st.sampled_from(["-pkeyopt rsa_keygen_bits:1024", "-pkeyopt bits:1025",
                     "-pkeyopt rsa_keygen_bits:x", "-pkeyopt rsa_keygen_pubexp:3",
                     "-pkeyopt ec_param_enc:named_curve", "-pkeyopt nosuch:x"]))


def encrypted(option: str) -> st.SearchStrategy[str]:
    """A cipher with its passphrase, or one of the two."""
    return st.one_of(st.just(""), st.just(""),
                     st.tuples(CIPHERS, SECRETS).map(lambda two: f"-{two[0]} -{option} {two[1]}"),
                     CIPHERS.map("-{}".format), SECRETS.map(f"-{option} {{}}".format))


def few(*choices: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[str]:
    """Up to *most* of these, one behind the other."""
    return st.lists(st.one_of(*choices), max_size=most).map(" ".join)


def shown(verb: str) -> st.SearchStrategy[str]:
    """Lines that read a key, show it and write it."""
    words = few(FORMS, LOOKS, st.sampled_from(OF_VERB[verb]))
    return st.one_of(
        st.tuples(PRIVATE, words, encrypted("passout")).map(
            lambda it: f"{verb} -in {it[0]} -passin pass:abcd {it[1]} {it[2]}"),
        st.tuples(PUBLIC, words).map(lambda it: f"{verb} -in {it[0]} -pubin {it[1]}"))


NEW_KEYS = st.tuples(
    st.sampled_from(["rsa:1024", "1024", "rsa -pkeyopt bits:1024", "ec -pkeyopt group:P-384",
                     "ec:p.par", "param:q.par", "ed25519", "ED448", "x25519", "ec", "rsa:x",
                     "nosuch", "ec:nosuch", "rsa:1024 -pkeyopt bits:1025"]),
    few(st.sampled_from(["-noenc", "-nodes", "-keyout new", "-keyout new", "-out new", "-out new2",
                         "-keyout -", "-x509", "-outform PEM", "-passout pass:abcd",
                         "-passout pass:abc", "-passout env:SECRET", "-sha384", "-aes128", "-noout",
                         "-pubkey", "-days 3", "-batch", "-set_serial 5", "-verify", "-newhdr"]),
        most=5)).map(lambda it: f"req -new -config dn.cnf -newkey {it[0]} {it[1]}")
LINES = st.one_of(
    *map(shown, OF_VERB), NEW_KEYS,
    st.tuples(few(st.sampled_from(["-3", "-F4", "-f4", "-traditional", "-out new", "-primes 2",
                                   "-verbose", "-out -", "-rand r.der", "-rand nosuch",
                                   "-rand r.der:e.pem"])),
              encrypted("passout"),
              st.sampled_from(["1024", "1024", "0x400", "1025", "x", "1024 1024", "-1"])
              ).map(lambda it: "genrsa " + " ".join(it)),
    st.tuples(st.sampled_from(["RSA -pkeyopt bits:1024", "EC", "EC -pkeyopt group:P-256", "ED25519",
                               "ed448", "X25519", "x448", "nosuch"]),
              few(PKEYOPTS, FORMS,
                  st.sampled_from(["-text", "-genparam", "-out new", "-paramfile p.par"]), most=2),
              encrypted("pass")).map(lambda it: f"genpkey -algorithm {it[0]} {it[1]} {it[2]}"),
    st.tuples(st.sampled_from(["p.par", "q.par", "pe.pem", "e.pem", "p.der", "nosuch"]),
              few(PKEYOPTS, FORMS, most=2)).map(lambda it: f"genpkey -paramfile {it[0]} {it[1]}"),
    st.tuples(st.one_of(CURVES.map("-name {}".format), st.sampled_from(
        ["p.par", "q.par", "p.der", "mark.par", "e.pem", "empty"]).map("-in {}".format)),
              few(FORMS, st.sampled_from(["-noout", "-text", "-check", "-check_named", "-genkey",
                                          "-no_seed", "-nosuch", "-out new",
                                          "-conv_form compressed", "-param_enc named_curve"]))
              ).map(lambda it: "ecparam " + " ".join(it)))

# Name of a difference → a pattern of the lines that it is about, which openssl carries out and kpki
# refuses.
_OLD_FORM = r"(?=ec |.*-traditional)(?!.*-noout)"
_PUBLIC_FORM = r"(?=rsa .*-RSAPublicKey_out)(?!.*-noout)"
KNOWN = {
    "the key would be left in the clear, in DER": r"(?=.*-outform d)(?!.*-noout)(rsa|ec|genpkey) ",
    "the key would be left in the clear, under a cipher of the legacy provider":
        f"({_OLD_FORM}|{_PUBLIC_FORM})" r".*-(bf|blowfish|cast5?|des(x?|-[ceo].*)|rc[24]|seed)\b",
    "no library has the cipher, in the older PEM":
        _OLD_FORM + r".*-(aria|\S*cfb1\b|camellia-\d+-(cfb8|ctr))",
    "key wraps and ciphertext stealing": r".*-\S*(wrap|cts)",
    "no library has the cipher for a point in another form":
        r"(?=.*conv_form).*-(aria|\S*cfb1\b|camellia-\d+-(cfb8|ctr))",
}


def named(line: str) -> str | None:
    """The name of the difference that a line is known for, None if there is none."""
    return next((name for name, pattern in KNOWN.items() if re.match(pattern, line, re.IGNORECASE)),
                None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of the recipes."""
    folder = tmp_path_factory.mktemp("fuzz")
    recipes.make(folder)
    return folder


@EXAMPLES
@given(line=LINES)
def test_key_lines(line: str, folder: Path, run: recipes.Command,
                   monkeypatch: pytest.MonkeyPatch) -> None:
    """A line gives what openssl gives, but for the differences that have a name."""
    monkeypatch.setenv("SECRET", "abcd")
    words = line.split()
    theirs, ours = recipes.run(folder, words,
                               recipes.by_openssl(folder)), recipes.run(folder, words, run)
    if (theirs.status, ours.status) == (0, 1) and named(line):
        assert ours == recipes.Result(1, b"", {})
    elif theirs.status:
        assert (ours.status, ours.files) == (theirs.status, {})
    else:
        assert recipes.comparable(words, ours) == recipes.comparable(words, theirs)


def test_no_difference_is_named_for_a_usual_line() -> None:
    """The names are not so wide that they would hide a fault."""
    assert [named(line) for line in (
        "rsa -in r.pem -aes128 -passout pass:abcd", "ec -in e.pem -des3 -passout pass:abcd",
        "pkey -in r.pem -aria256 -passout pass:abcd", "genrsa 1024")] == [None] * 4
    assert (named("ec -in e.pem -des -passout pass:abcd")
            and named("rsa -in r.pem -outform DER -aes128"))
