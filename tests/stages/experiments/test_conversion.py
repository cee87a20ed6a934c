"""`req -x509 -in`, `req -CA` and `x509 -x509toreq` with an extfile (openssl-req(1),
openssl-x509(1))."""
from __future__ import annotations

import pytest

from kpki.errors import RefusedError
from kpki.pem import load_csr, load_key
from kpki.stages.conversion import req_x509_in, to_request
from tests.stages.experiments.peer import SUBJECT, Bench, Row, no, rows, yes

X509 = (f"{SUBJECT}x509_extensions=e\n[dn]\nCN=a\n[e]\nbasicConstraints=CA:FALSE\n"
        "subjectAltName=DNS:mine\n[gap]\n")
BARE = f"{SUBJECT}[dn]\nCN=a\n"
IN, CA = "-x509 -in asks.csr", "-CA ca.pem -CAkey ec.pem"
CERTIFIED = {
    "a request certified with a key": [
        yes(X509, f"{IN} -key rsa.pem"), yes(BARE, f"{IN} -key rsa.pem"),
        yes(X509, f"{IN} -key ec.pem"), yes(BARE, f"{IN} -key ec.pem"),
        yes(X509, f"{IN} -key rsa.pem -extensions gap"),
        yes(X509, f"{IN} -key rsa.pem -addext nsComment=hi -days 3 -sha512"),
        yes(BARE, f"{IN} -key ec.pem -addext authorityKeyIdentifier=keyid:always,issuer"),
        yes(BARE, f"{IN} -key rsa.pem -addext authorityKeyIdentifier=keyid:always,issuer:always"),
        no(X509, IN), no(X509, f"{IN} -key none.pem"),
        no(X509, f"{IN} -key rsa.pem -extensions none"), no(X509, f"{IN} -key rsa.pem -days 0"),
        no(X509, "-x509 -in cut.csr -key rsa.pem"), no(X509, f"{IN} -key rsa.pem -inform DER"),
        yes(X509, "-x509 -in plain.der -inform DER -key rsa.pem")],
    "a request certified by a CA": [
        *(yes(text, f"{IN} {CA} {more}") for text in (X509, BARE)
          for more in ("", "-copy_extensions none", "-copy_extensions copy",
                       "-copy_extensions copyall", "-copy_extensions copy -addext keyUsage=cRLSign",
                       "-subj /CN=new")),
        yes(X509, f"-in asks.csr {CA}"), yes(X509, f"{IN} -CA noski.pem -CAkey ec.pem"),
        yes(BARE, f"-in ec.csr {CA} -addext subjectAltName=email:copy"),
        no(X509, f"{IN} -CA ca.pem"), no(X509, f"{IN} -CA ca.pem -CAkey rsa.pem"),
        no(X509, f"{IN} -CA none.pem -CAkey ec.pem"), no(X509, f"{IN} {CA} -copy_extensions all"),
        no(X509, f"{IN} {CA} -addext noSuch=x")],
    "a new key certified by a CA": [
        yes(X509, f"-new -key rsa.pem {CA}"),
        yes(BARE, f"-x509 -new -key rsa.pem {CA} -subj /CN=x/O=y"),
        yes(f"{SUBJECT}req_extensions=e\n[dn]\nCN=a\n[e]\nsubjectAltName=DNS:mine\n",
            f"-new -key rsa.pem {CA} -addext nsComment=hi"),
        yes(X509, f"-new -key rsa.pem {CA} -copy_extensions copy"),
        yes(X509, f"-x509 -new -in ec.csr -key rsa.pem {CA}"),
        yes(X509, "-x509 -new -key rsa.pem -CAkey ec.pem"),
        no(X509, "-new -key rsa.pem -CA ca.pem -CAkey rsa.pem")],
}
EXTFILE = "[v3]\nkeyUsage=cRLSign\nsubjectAltName=DNS:a,email:copy\n[gap]\n"
BACK = {
    "a certificate, and an extfile": [
        yes(EXTFILE, "-in v1.pem -key rsa.pem -extensions v3"),
        yes(EXTFILE, "-in ca.pem -key rsa.pem -extensions v3"),
        yes(EXTFILE, "-in ca.pem -key rsa.pem"),
        yes(EXTFILE, "-in ca.pem -key rsa.pem -extensions gap"),
        yes(EXTFILE, "-in ca.pem -key rsa.pem -copy_extensions copy"),
        yes(EXTFILE, "-in ca.pem -key rsa.pem -extensions v3 -subj /emailAddress=x@y"),
        no(EXTFILE, "-in ca.pem -key rsa.pem -extensions v3 -copy_extensions copy"),
        no(EXTFILE, "-in ca.pem -key rsa.pem -extensions none")],
    "a request, and no input": [
        yes(EXTFILE, "-req -in asks.csr -key rsa.pem -extensions v3"),
        yes(EXTFILE, "-req -in asks.csr -key rsa.pem -copy_extensions copyall"),
        yes(EXTFILE, "-req -in asks.csr -key ec.pem"),
        yes(EXTFILE, "-new -subj /CN=n -key rsa.pem -extensions v3"),
        no(EXTFILE, "-req -in asks.csr -key rsa.pem -extensions v3 -copy_extensions copy"),
        no(EXTFILE, "-req -in cut.csr -key rsa.pem"), no(EXTFILE, "-in asks.csr -key rsa.pem"),
        no(EXTFILE, "-in ca.pem -key rsa.pem -clrext")],
}


@pytest.mark.parametrize("row", rows(CERTIFIED))
def test_to_a_certificate(bench: Bench, row: Row) -> None:
    """A request that `req` certifies is the certificate that openssl makes of it, dates and
    signature aside."""
    bench.agree("req -set_serial 1 -config file.cnf", row)


@pytest.mark.parametrize("row", rows(BACK))
def test_to_a_request(bench: Bench, row: Row) -> None:
    """A request that `x509 -x509toreq` writes is openssl's, byte for byte with RSA."""
    bench.agree("x509 -x509toreq -extfile file.cnf", row)


def test_a_forged_request_is_refused(bench: Bench) -> None:
    """A request whose self-signature does not hold is not certified; one that is whole is."""
    data = bytearray((bench.folder / "plain.der").read_bytes())
    key = load_key((bench.folder / "rsa.pem").read_bytes())
    made = req_x509_in(load_csr(bytes(data)), None, key, config=X509, days=1)
    assert to_request(made, key).subject == load_csr(bytes(data)).subject
    data[-1] ^= 1
    with pytest.raises(RefusedError, match="self-signature did not match"):
        req_x509_in(load_csr(bytes(data)), None, key, config=X509)
