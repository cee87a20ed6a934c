"""`req -new` and `req -x509`: which section is used, attributes, digests, -addext, -section
(openssl-req(1))."""
from __future__ import annotations

import pytest

from tests.stages.experiments.peer import SUBJECT, Bench, Row, dn, ext, no, rows, yes

NEW = "req -new -key rsa.pem -config file.cnf"
SELF = "req -x509 -new -key rsa.pem -config file.cnf"
TWO = (SUBJECT + "req_extensions=r\nx509_extensions=x\n[dn]\nCN=a\n[r]\nkeyUsage=cRLSign\n[x]\n"
       "keyUsage=keyCertSign\n[y]\nnoCheck=x\n[gap]\n")


def attributes(text: str) -> str:
    """A configuration with attributes."""
    return dn("CN=a") + f"[req]\nattributes=at\n[at]\n{text}\n"


REQUESTS = {
    "a request takes -reqexts, else req_extensions": [
        yes(TWO), yes(TWO, "-reqexts y"), yes(TWO, "-reqexts x"), yes(TWO, "-extensions y"),
        no(TWO, "-reqexts z"), no(TWO, "-extensions z"), yes(TWO, "-reqexts gap"),
        yes(TWO, "-reqexts y -reqexts x"), yes(dn("CN=a")), no(TWO, "-reqexts ''")],
    "both sections are tried first": [
        no(dn("CN=a", "x509_extensions=z")),
        no(dn("CN=a", "req_extensions=z")),
        no(dn("CN=a", "x509_extensions=z") + "[z]\nfoo=bar\n"),
        no(ext("authorityKeyIdentifier=keyid")),
        yes(dn("CN=a", "x509_extensions=z") + "[z]\nauthorityKeyIdentifier=keyid\n")],
    "-section stands for [req]": [
        yes("[other]\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=a\n", "-section other"),
        yes(dn("CN=a"), "-section none -subj /CN=b"),
        no(dn("CN=a"), "-section none"),
        yes("[s]\nprompt=no\ndistinguished_name=dn\nreq_extensions=r\n[dn]\nCN=a\n[r]\n"
            "keyUsage=cRLSign\n", "-section s"),
        yes("prompt=no\ndistinguished_name=dn\n[dn]\nCN=a\n", "-section none")],
    "attributes": [
        yes(attributes("challengePassword=abcd")),
        yes(attributes("challengePassword=abcd\nunstructuredName=x")),
        yes(attributes("unstructuredName=x\nchallengePassword=a")),
        no(dn("CN=a") + "[req]\nattributes=at\n"), no(attributes("foo=x")),
        no(attributes("challengePassword=")), yes(attributes("")),
        yes(attributes("challengePassword=abcd"), "-subj /CN=b"), yes(attributes("CN=x")),
        yes(attributes("contentType=x")), yes(attributes("challengePassword=ü")),
        no(attributes("0.challengePassword=x")), yes(attributes("challengePassword=x") + "[req]\n"
                                                     "req_extensions=e\n[e]\nkeyUsage=cRLSign\n")],
    "digests": [
        *(yes(dn("CN=a"), f"-{name}")
          for name in "sha1 sha224 sha256 sha384 sha512 sha512-256 sha512-224 sha3-256 SHA256 md5 "
          "ssl3-md5".split()),
        *(no(dn("CN=a"), f"-{name}") for name in "sha999 aes256 sha".split()),
        *(yes(dn("CN=a", f"default_md={name}"))
          for name in "sha1 sha512 SHA384 sha3-384".split()),
        *(no(dn("CN=a", f"default_md={name}")) for name in "foo default sha".split()),
        yes(dn("CN=a", "default_md=foo"), "-sha256"),
        yes(dn("CN=a", "default_md=sha1"), "-sha512"),
        yes(dn("CN=a"), "-key ec.pem -sha384"), yes(dn("CN=a"), "-key ec.pem"),
        no(dn("CN=a"), "-sha256 -nothing")],
    "-addext": [
        yes(dn("CN=a"), "-addext subjectAltName=DNS:a"),
        yes(dn("CN=a"), "-addext subjectAltName=DNS:a -addext keyUsage=cRLSign"),
        no(dn("CN=a"), "-addext subjectAltName=DNS:a -addext subjectAltName=DNS:b"),
        no(dn("CN=a"), "-addext foo=bar"),
        no(dn("CN=a"), "-addext foo"),
        no(ext("keyUsage=cRLSign"), "-addext subjectAltName=DNS:a"),
        no(dn("CN=a"), "-addext subjectAltName=@n"),
        no(dn("CN=a"), "-addext 'subjectAltName=@n' -addext x=y"),
        yes(dn("CN=a"), "-addext 'subjectAltName = DNS:a'"),
        yes(dn("CN=a"), "-addext 'basicConstraints=critical,CA:TRUE'"),
        yes(dn("CN=a"), "-addext 1.2.3=DER:0500"),
        no(dn("CN=a"), "-addext 'subjectAltName = DNS:a' -addext 'subjectAltName  =DNS:b'"),
        no(dn("CN=a"), "-addext subjectAltName"), no(dn("CN=a"), "-addext ''"),
        no(dn("CN=a") + "[n]\nDNS=a\n", "-addext subjectAltName=@n"),
        no(dn("CN=a"), "-addext authorityKeyIdentifier=keyid"),
        yes(dn("CN=a"), "-addext subjectKeyIdentifier=hash"),
        yes(dn("CN=a"), "-addext 'nsComment=a # b'")],
    "options that do nothing here": [
        yes(dn("CN=a"), "-days 5"), yes(dn("CN=a"), "-batch"), yes(dn("CN=a"), "-nodes"),
        yes(dn("CN=a"), "-noenc"), yes(dn("CN=a"), "-verbose"), yes(dn("CN=a"), "-utf8"),
        yes(dn("CN=a", "copy_extensions=copy\ndefault_bits=x\ndefault_keyfile=k.pem"))],
    "two dashes, or = before the value": [
        yes(dn("CN=a"), "--subj /CN=b"), yes(dn("CN=a"), "-subj=/CN=b"),
        yes(dn("CN=a"), "--subj=/CN=b"), no(dn("CN=a"), "-subj"), no(dn("CN=a"), "-batch=x"),
        no(dn("CN=a"), "-- "), no(dn("CN=a"), "extra"), no(dn("CN=a"), "-nonsense"),
        no(dn("CN=a"), "---subj /CN=b")],
    "keys and their forms": [
        yes(dn("CN=a"), "-key rsa.der"), yes(dn("CN=a"), "-key rsa.der -keyform DER"),
        no(dn("CN=a"), "-key rsa.der -keyform PEM"), no(dn("CN=a"), "-keyform DER"),
        yes(dn("CN=a"), "-keyform pem"), no(dn("CN=a"), "-keyform foo"),
        no(dn("CN=a"), "-key missing.pem"), no(dn("CN=a"), "-key ca.pem"),
        no(dn("CN=a"), "-key rsa.pub"), yes(dn("CN=a"), "-key locked.pem -passin pass:secret"),
        no(dn("CN=a"), "-key locked.pem -passin pass:wrong"),
        no(dn("CN=a"), "-key locked.pem -passin foo"),
        yes(dn("CN=a"), "-key locked.pem -passin env:P", P="secret"),
        no(dn("CN=a"), "-key locked.pem -passin env:P"),
        no(dn("CN=a"), "-key locked.pem -passin file:none"),
        yes(dn("CN=a"), "-key locked.pem -passin stdin", answers="secret\n"),
        yes(dn("CN=a"), "-key rsa.pem -passin pass:any"), no(dn("CN=a"), "-passin foo:x"),
        yes(dn("CN=a", "input_password=secret"), "-key locked.pem"),
        no(dn("CN=a", "input_password=x"), "-key locked.pem"),
        yes(dn("CN=a", "input_password=x"), "-key locked.pem -passin pass:secret")],
}
SELF_SIGNED = {
    "a certificate takes -extensions, else x509_extensions, never req_extensions": [
        yes(TWO), yes(TWO, "-extensions y"), yes(TWO, "-reqexts y"), no(TWO, "-extensions z"),
        no(TWO, "-reqexts z"), yes(TWO, "-extensions gap"), yes(ext("keyUsage=cRLSign")),
        yes(ext("authorityKeyIdentifier=none")), yes(dn("CN=a"))],
    "SKI is added to what has an extension, AKI is not": [
        yes(TWO, "-extensions y"),
        yes(TWO + "[k]\nsubjectKeyIdentifier=none\nnoCheck=x\n", "-extensions k"),
        yes(TWO + "[k]\nsubjectKeyIdentifier=none\n", "-extensions k"),
        yes(TWO + "[k]\nsubjectKeyIdentifier=0102\n", "-extensions k"),
        yes(TWO + "[k]\nauthorityKeyIdentifier=none\n", "-extensions k")],
    "AKI of one's own": [
        *(Row(not ("keyid:always" in value and before[-5:] in ("0102\n", "none\n")),
              TWO + f"[k]\n{before}authorityKeyIdentifier={value}\n{after}", "-extensions k")
          for value in ("keyid", "keyid:always", "issuer", "issuer:always", "keyid,issuer",
                        "keyid:always,issuer", "keyid,issuer:always", "keyid:always,issuer:always",
                        "none", "issuer,keyid", "critical,keyid:always")
          for before, after
          in (("", ""), ("subjectKeyIdentifier=hash\n", ""), ("", "subjectKeyIdentifier=hash\n"),
              ("subjectKeyIdentifier=0102\n", ""), ("subjectKeyIdentifier=010203\n", ""),
              ("subjectKeyIdentifier=none\n", "")))],
    "alternative names of one's own": [
        yes(TWO + "[k]\nissuerAltName=issuer:copy\n", "-extensions k"),
        yes(TWO + "[k]\nsubjectAltName=DNS:a\nissuerAltName=issuer:copy,DNS:b\n", "-extensions k"),
        yes(TWO + "[k]\nissuerAltName=issuer:copy\nsubjectAltName=DNS:a\n", "-extensions k"),
        yes(dn("CN=a\nemailAddress=a@b\n[k]\nsubjectAltName=email:move"), "-extensions k"),
        yes(dn("CN=a\nemailAddress=a@b\n[k]\nsubjectAltName=email:copy"), "-extensions k")],
    "-addext overrides": [
        yes(TWO, "-addext keyUsage=cRLSign"), yes(TWO, "-addext noCheck=x"),
        yes(dn("CN=a"), "-addext noCheck=x"), no(TWO, "-addext noCheck=x -addext noCheck=y"),
        yes(TWO, "-addext subjectKeyIdentifier=none"), no(TWO, "-addext keyUsage=@n"),
        yes(TWO + "[k]\nnoCheck=x\nkeyUsage=cRLSign\n", "-extensions k -addext noCheck=y")],
    "a name and an OID of one extension": [
        yes(TWO + "[k]\nkeyUsage=cRLSign\nnoCheck=x\n2.5.29.15=DER:03020780\n", "-extensions k"),
        yes(TWO + "[k]\n1.2.3=DER:0500\n1.2.3=DER:0501\n", "-extensions k")],
    "serial numbers": [
        no(TWO, "-set_serial 1 -set_serial 1"),
        *(yes(TWO, f"-set_serial {number}")
          for number in ("5", "0x10", "0", "-5", "-0x10", f"0x{'F' * 40}", "007", "0X1f",
                         "1234567890" * 6, "128")),
        *(no(TWO, f"-set_serial '{number}'") for number in ("x", "", "0x", "5x", "-", "1 2"))],
    "days": [yes(TWO, "-days 1"), yes(TWO, "-days 36500"), no(TWO, "-days 0"), no(TWO, "-days -1"),
             no(TWO, "-days x"), no(TWO, "-days 99999999"), no(TWO, "-days 99999999999"),
             yes(TWO, "-days 0x10"), yes(TWO, "-days 010"), no(TWO, "-days 1.5")],
    "an EC key, any digest": [yes(TWO, "-key ec.pem"), yes(TWO, "-key ec.pem -sha512"),
                              yes(TWO, "-sha1"), yes(dn("CN=a", "default_md=sha384"))],
    "openssl's own defaults": [yes("", "-subj /CN=a"), yes(TWO, "-subj /CN=b/O=c")],
}
DEFAULTS = {
    "without -config": [
        yes("", "-subj /CN=kube-ca -days 10000"),
        yes("", "-subj /CN=a -addext subjectAltName=DNS:a"), yes("", "-subj /CN=a -batch"),
        no("", "-subj /CN=a -extensions nothing"),
        yes("", answers="DE\nx\ny\nz\nu\nn\ne@f\n" + "\nx\n"),
        yes("", answers="\n\n\n\n\nn\n\n" + "abcd\n\n"), yes("", "-batch"), no("", answers="DEU\n"),
        no("", answers="")],
    "OPENSSL_CONF": [
        yes(dn("CN=a"), OPENSSL_CONF="file.cnf"), no(dn("CN=a"), OPENSSL_CONF="none.cnf"),
        yes(dn("CN=a"), "-subj /CN=b", OPENSSL_CONF=""),
        yes(dn("CN=a"), "-config file.cnf", OPENSSL_CONF="file.cnf"),
        yes(dn("CN=a"), "-config '' -subj /CN=b")],
}


@pytest.mark.parametrize("row", rows(REQUESTS))
def test_requests(bench: Bench, row: Row) -> None:
    """A request is what it is under openssl, and so is a refusal."""
    bench.agree(NEW, row)


@pytest.mark.parametrize("row", rows(SELF_SIGNED))
def test_self_signed(bench: Bench, row: Row) -> None:
    """A self-signed certificate is what it is under openssl, dates and signature aside."""
    bench.agree(SELF if "-set_serial" in row.words else f"{SELF} -set_serial 1", row)


@pytest.mark.parametrize("words", ["req -new -key rsa.pem", "req -x509 -new -key rsa.pem"])
@pytest.mark.parametrize("row", rows(DEFAULTS))
def test_defaults(bench: Bench, row: Row, words: str) -> None:
    """Without -config kpki's own default configuration does what openssl's distributed one does."""
    asked = row.answers if "-x509" not in words or row.answers.count("\n") < 9 else row.answers[:-2]
    bench.agree(words, row._replace(answers=row.answers if asked else ""))
