"""Configurations and command lines that a grammar makes, and bytes that nothing made: openssl
against kpki.

`scripts/fuzz N` tries N of each anew; here it is always the same few hundred.
"""
from __future__ import annotations

import io
import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki.cli.main import main
from tests.stages.experiments.peer import Bench, Row

TRIES = os.environ.get("KPKI_FUZZ")
EXAMPLES = settings(max_examples=int(TRIES or 200), derandomize=TRIES is None, deadline=None,
                    database=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                          HealthCheck.too_slow])

FIELDS = st.sampled_from("C ST L O OU CN commonName emailAddress 0.OU 1.OU +CN serialNumber DC foo "
                         "a,O".split())
TEXTS = st.sampled_from(["a", "DE", "a b", "x#y", '"q # r"', "Bob's", "a\\nb", "a\\,b", "$O",
                         "${CN}", "$ENV::V", "ü", "a*b", "", "a\\\nb", "'$x'", "x" * 65, "a=b",
                         "a;b", "\\", " "])
NAMES = st.sampled_from(["DNS:a", "DNS.1:a.b", "IP:10.0.0.1", "IP:::1", "IP:300.1.1.1",
                         "email:copy", "email:a@b", "URI:http://a", "@n", "RID:1.2.3", "dirName:dn",
                         "DNS:", "foo:x", "otherName:1.2.3;UTF8:x", "email:move"])
USAGES = st.sampled_from("digitalSignature keyCertSign cRLSign keyEncipherment CRLSign "
                         "nonRepudiation".split())
PURPOSES = st.sampled_from("serverAuth clientAuth 1.2.3.4 codeSigning CN foo".split())
IDENTIFIERS = st.sampled_from("keyid keyid:always issuer issuer:always none".split())
CRITICAL = st.sampled_from(["", "", "critical,", "critical, ", "Critical,"])


def listed(item: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One to three items between commas."""
    return st.lists(item, min_size=1, max_size=3).map(", ".join)


def setting(name: str, value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A line of an extension."""
    return st.tuples(CRITICAL, value).map(lambda pair: f"{name} = {pair[0]}{pair[1]}")


EXTENSIONS = st.lists(st.one_of(
    setting("subjectAltName", listed(NAMES)), setting("keyUsage", listed(USAGES)),
    setting("extendedKeyUsage", listed(PURPOSES)),
    setting("basicConstraints",
            st.sampled_from(["CA:TRUE", "CA:FALSE", "CA:TRUE,pathlen:0", "CA:true", "CA:True",
                             "pathlen:x"])),
    setting("subjectKeyIdentifier", st.sampled_from(["hash", "none", "01:02:03", "xx"])),
    setting("authorityKeyIdentifier", listed(IDENTIFIERS)),
    setting("nameConstraints",
            st.sampled_from(["permitted;DNS:a", "excluded;IP:10.0.0.0/255.0.0.0",
                             "permitted;IP:10.0.0.0/8"])),
    setting("certificatePolicies", st.sampled_from(["1.2.3", "1.2.3,1.2.4", "foo"])),
    setting("nsComment", TEXTS),
    setting("1.2.3.4", st.sampled_from(["DER:0500", "ASN1:UTF8:x", "ASN1:SEQUENCE:n", "ASN1:INT:5",
                                        "DER:xyz"])),
    st.just("# comment"),
    st.just("issuerAltName = issuer:copy")), max_size=5).map("\n".join)
SUBJECT = st.lists(st.tuples(FIELDS, TEXTS).map(" = ".join), max_size=5).map("\n".join)
ENTRIES = st.lists(st.sampled_from(["DNS.1 = a", "DNS.2 = b", "IP.1 = 10.0.0.1", "DNS.1 = c",
                                    "IP = ::1", "email.1 = copy", "URI = http://a,b"]),
                   max_size=4).map("\n".join)
REQ = st.lists(st.sampled_from([
    "prompt = no", "prompt = no", "prompt = No", "string_mask = nombstr", "string_mask = utf8only",
    "utf8 = yes", "default_md = sha512", "req_extensions = e", "x509_extensions = e",
    "distinguished_name = dn", "attributes = at", "req_extensions = gap"]),
               max_size=5).map("\n".join)
CONFIGURATIONS = st.tuples(REQ, SUBJECT, EXTENSIONS, ENTRIES).map(
    lambda parts: "[req]\nprompt = no\ndistinguished_name = dn\n{}\n[ dn ]\n{}\n[e]\n{}\n[ n ]\n"
    "{}\n[at]\nchallengePassword = abcd\n".format(*parts))
NEW_WORDS = st.lists(st.sampled_from([
    "-subj /CN=a/O=b", "-subj /CN=a+OU=b", "-addext keyUsage=cRLSign", "-reqexts e",
    "-extensions e", "-sha512", "-utf8", "-batch", "-section req", "-subj /cn=x",
    "-addext subjectAltName=DNS:x,IP:1.2.3.4", "-days 5", "-nonsense"]), max_size=3).map(" ".join)
SIGN_WORDS = st.lists(st.sampled_from([
    "-extensions e", "-copy_extensions copy", "-sha384", "-subj /CN=a", "-force_pubkey ec.pub",
    "-clrext", "-extensions gap", "-days 5"]), max_size=3).map(" ".join)


def agree(bench: Bench, command: str, row: Row) -> None:
    """Assert that openssl and kpki do the same, whatever it is."""
    theirs, ours = bench.outcome(command, row)
    assert ours == theirs


@EXAMPLES
@given(text=CONFIGURATIONS, words=NEW_WORDS,
       command=st.sampled_from(["req -new", "req -x509 -new -set_serial 1"]))
def test_req(bench: Bench, text: str, words: str, command: str) -> None:
    """req writes what openssl writes, and fails where it fails."""
    agree(bench, f"{command} -key rsa.pem -config file.cnf",
          Row(True, text, words, environment={"V": "v"}))


@EXAMPLES
@given(text=CONFIGURATIONS, words=SIGN_WORDS, ways=st.sampled_from(
    ["-CA ca.pem -CAkey ec.pem", "-CA v1.pem -CAkey ec.pem", "-signkey rsa.pem"]))
def test_sign(bench: Bench, text: str, words: str, ways: str) -> None:
    """x509 -req signs what openssl signs."""
    agree(bench, f"x509 -req -in asks.csr -set_serial 1 -extfile file.cnf {ways}",
          Row(True, text, words if "-extensions" in words else f"{words} -extensions e",
              environment={"V": "v"}))


LINES = st.lists(st.text(st.sampled_from("ab=[]#\\$\"' \t{}():.,@%\n\r;é-_"),
                         max_size=12), max_size=8).map("\n".join)


@EXAMPLES
@given(text=LINES)
def test_lines(bench: Bench, text: str) -> None:
    """Any text before and behind a good configuration is read, or refused, as openssl does."""
    row = Row(True, f"{text}\n[req]\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=a\n{text}\n")
    agree(bench, "req -new -key rsa.pem -config file.cnf", row)


BYTES = st.one_of(st.binary(max_size=200), st.binary(max_size=60)
                  .map(lambda data: b"\x30\x80" + data), st.just(b"-----BEGIN CERTIFICATE-----\n"))
COMMANDS = ["req -in F -noout", "req -in F -inform DER -noout", "x509 -in F -noout",
            "x509 -in F -inform DER -noout", "req -new -key F -subj /CN=a",
            "x509 -req -in plain.csr -CA F -CAkey ec.pem", "req -new -key rsa.pem -config F",
            "x509 -req -in plain.csr -CA ca.pem -CAkey ec.pem -extfile F",
            "x509 -req -in plain.csr -CA ca.pem -CAkey ec.pem -CAserial F"]


@EXAMPLES
@given(data=BYTES, cut=st.integers(0, 900), command=st.sampled_from(COMMANDS),
       base=st.sampled_from(["", "plain.der", "ca.der", "plain.csr", "ca.pem", "rsa.der"]))
def test_bytes(bench: Bench, data: bytes, cut: int, command: str, base: str) -> None:
    """No bytes make anything but a status and a sentence: no exception leaves the command."""
    good = (bench.folder / base).read_bytes() if base else b""
    (bench.folder / "F").write_bytes(good[:cut] + data + good[cut + len(data):])
    bench.set_input(io.TextIOWrapper(io.BytesIO(b"")))
    bench.set_output(io.TextIOWrapper(io.BytesIO()))
    assert main([*command.split(), "-out", "out.pem"]) in (0, 1)


@pytest.mark.parametrize("words",
                         [["req", "-subj"], ["x509", "-days", "x"], ["req", "é"], ["genrsa", "x"],
                          ["x509", "-in", ""], ["req", "-new", "-newkey", ""]])
def test_odd_words(bench: Bench, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command line that makes no sense is refused with one sentence on stderr."""
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("kpki: ") and sys.stdin is not None
