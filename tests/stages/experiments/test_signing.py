"""`x509 -req` and the other ways to sign with a CA or a key (openssl-x509(1))."""
from __future__ import annotations

import pytest

from tests.stages.experiments.peer import Bench, Row, no, rows, yes

SIGN = "x509 -req -set_serial 1"
CA = "-in plain.csr -CA ca.pem -CAkey ec.pem"
OWN = "-in plain.csr -signkey rsa.pem"
KINDS = ("keyid|keyid:always|keyid,issuer|keyid:always,issuer|issuer|issuer:always|keyid,issuer:"
         "always|keyid:always,issuer:always|none|keyid,keyid|issuer:x,issuer|none:x").split("|")
NEEDS_KEY = {kind for kind in KINDS if "keyid:always" in kind or kind in ("keyid", "keyid,keyid")}


def aki(kind: str) -> str:
    """An extfile with an authority key identifier."""
    return f"basicConstraints=CA:FALSE\nauthorityKeyIdentifier={kind}\n"


EXTFILE = "-extfile file.cnf"
SECTIONS = ("[v3_ext]\nauthorityKeyIdentifier=keyid,issuer:always\nbasicConstraints=CA:FALSE\n"
            "keyUsage=keyEncipherment\n"
            "subjectAltName=@n\n[n]\nDNS.1=a\nIP.1=10.0.0.1\n[gap]\n")
TABLE = {
    "AKI from a CA with SKI": [yes(aki(kind), f"{CA} {EXTFILE}") for kind in KINDS],
    "AKI from a CA without SKI": [
        *(Row(kind not in NEEDS_KEY, aki(kind),
              f"-in plain.csr -CA {ca}.pem -CAkey ec.pem {EXTFILE}") for kind in KINDS
          for ca in ("noski", "v1"))],
    "AKI of a certificate signed with its own key": [yes(aki(kind), f"{OWN} {EXTFILE}")
                                                     for kind in KINDS],
    "AKI of a CA's own request": [yes(aki(kind), f"-in ec.csr -CA ca.pem -CAkey ec.pem {EXTFILE}")
                                  for kind in KINDS],
    "AKI with another public key": [
        *(yes(aki(kind), f"{OWN} -force_pubkey ec.pub {EXTFILE}") for kind in KINDS),
        *(yes(aki(kind), f"{CA} -force_pubkey ec.pub {EXTFILE}") for kind in KINDS)],
    "SKI and AKI are added where there is an extension": [
        yes("", CA), yes("basicConstraints=CA:FALSE", f"{CA} {EXTFILE}"),
        yes("subjectKeyIdentifier=none\nnoCheck=x", f"{CA} {EXTFILE}"),
        yes("authorityKeyIdentifier=none\nsubjectKeyIdentifier=none", f"{CA} {EXTFILE}"),
        yes("authorityKeyIdentifier=none\nnoCheck=x", f"{CA} {EXTFILE}"),
        yes("subjectKeyIdentifier=hash\nnoCheck=x", f"{CA} {EXTFILE}"),
        yes("noCheck=x", "-in plain.csr -CA noski.pem -CAkey ec.pem " + EXTFILE),
        yes("noCheck=x", f"{OWN} {EXTFILE}"), yes("", OWN),
        yes("subjectKeyIdentifier=0102", f"{OWN} {EXTFILE}"),
        yes("noCheck=x", "-in plain.csr -CA v1.pem -CAkey ec.pem " + EXTFILE),
        yes("noCheck=x", "-in plain.csr -CA rsaca.pem -CAkey rsa.pem " + EXTFILE)],
    "which section of the extfile": [
        yes(SECTIONS, f"{CA} {EXTFILE} -extensions v3_ext"), yes(SECTIONS, f"{CA} {EXTFILE}"),
        no(SECTIONS, f"{CA} {EXTFILE} -extensions none"),
        yes(SECTIONS, f"{CA} {EXTFILE} -extensions gap"),
        yes("extensions=v3_ext\n" + SECTIONS, f"{CA} {EXTFILE}"),
        no("extensions=none\n" + SECTIONS, f"{CA} {EXTFILE}"),
        yes("[default]\nextensions=v3_ext\n" + SECTIONS, f"{CA} {EXTFILE}"),
        yes(SECTIONS, f"{CA} {EXTFILE} -extensions gap -extensions v3_ext"),
        yes(SECTIONS, f"{CA} -extensions v3_ext"), no("HOME=.\n", f"{CA} {EXTFILE}"),
        yes("", f"{CA} {EXTFILE}"), no("", f"{CA} -extfile none.cnf"),
        no("foo=bar\n", f"{CA} {EXTFILE}"),
        no("x=$ENV::NONE\n" + SECTIONS, f"{CA} {EXTFILE} -extensions v3_ext"),
        yes("[x]\nsubjectAltName=IP:$ENV::WORKER_IP\n", f"{CA} {EXTFILE} -extensions x",
            WORKER_IP="10.0.0.5"),
        no("[x]\nsubjectAltName=IP:$ENV::WORKER_IP\n", f"{CA} {EXTFILE} -extensions x"),
        yes("[req]\nstring_mask=nombstr\n[x]\nsubjectAltName=dirName:d\n[d]\nCN=ü\n",
            f"{CA} {EXTFILE} -extensions x"),
        yes("string_mask=nombstr\n[x]\nsubjectAltName=dirName:d\n[d]\nCN=a\n",
            f"{CA} {EXTFILE} -extensions x")],
    "the request's extensions": [
        *(yes(text, f"-in asks.csr -CA ca.pem -CAkey ec.pem -copy_extensions {copy} {more}")
          for copy in ("none", "copy", "copyall")
          for text, more in (("", ""), ("subjectAltName=DNS:mine\nnoCheck=x", EXTFILE),
                             ("keyUsage=cRLSign", EXTFILE),
                             ("subjectKeyIdentifier=none", EXTFILE))),
        yes("", "-in asks.csr -CA ca.pem -CAkey ec.pem"),
        no("", "-in asks.csr -CA ca.pem -CAkey ec.pem -copy_extensions all"),
        yes("", "-in asks.csr -signkey rsa.pem -copy_extensions copy"),
        no("", "-in asks.csr -CA ca.pem -CAkey ec.pem -copy_extensions copy -clrext"),
        yes("", "-in asks.csr -CA ca.pem -CAkey ec.pem -clrext"),
        yes("", f"{CA} -copy_extensions copy")],
    "email:copy, email:move, issuer:copy": [
        yes("subjectAltName=email:copy", f"{CA} {EXTFILE}"),
        yes("subjectAltName=email:move", f"{CA} {EXTFILE}"),
        yes("subjectAltName=email:move", f"{OWN} {EXTFILE}"),
        yes("issuerAltName=issuer:copy", f"{CA} {EXTFILE}"),
        yes("issuerAltName=issuer:copy,DNS:x", f"{CA} {EXTFILE}"),
        yes("issuerAltName=issuer:copy", f"{OWN} {EXTFILE}"),
        yes("issuerAltName=issuer:copy", "-in plain.csr -CA noski.pem -CAkey ec.pem " + EXTFILE)],
    "-subj, -force_pubkey, days, digests": [
        yes("", f"{CA} -subj /CN=new/O=x"), yes("", f"{CA} -subj /"), no("", f"{CA} -subj x"),
        yes("", f"{CA} -force_pubkey ec.pub"), no("", f"{CA} -force_pubkey ec.pem"),
        yes("", f"{OWN} -force_pubkey ec.pub"), yes("", f"{CA} -days 0"), yes("", f"{CA} -days -1"),
        no("", f"{CA} -days -2"), no("", f"{CA} -set_serial 3"), yes("", f"{CA} -days 10000"),
        no("", f"{CA} -days x"), no("", f"{CA} -days 99999999"), no("", f"{CA} -days ''"),
        yes("", f"{CA} -sha512"), yes("", f"{CA} -sha1"), no("", f"{CA} -foo"),
        yes("noCheck=x", f"{CA} {EXTFILE} -sha384"), yes("", f"{CA} -subj '/cn=x/CN=y'"),
        yes("subjectAltName=email:copy", f"{CA} -subj /emailAddress=x@y {EXTFILE}")],
    "who may sign": [
        no("", "-in plain.csr -CA ca.pem -CAkey rsa.pem"), no("", "-in plain.csr -CA ca.pem"),
        no("", "-in plain.csr"), no("", "-in cut.csr -CA ca.pem -CAkey ec.pem"),
        no("", f"{CA} -signkey rsa.pem"), no("", "-in ca.pem -CA ca.pem -CAkey ec.pem"),
        no("", "-in none.csr -CA ca.pem -CAkey ec.pem"), no("", f"{CA} extra"),
        yes("", "-in plain.csr -CA ca.der -CAkey ec.pem"),
        no("", "-in plain.csr -CA ca.der -CAform PEM -CAkey ec.pem"),
        yes("", "-in plain.csr -CA ca.der -CAform DER -CAkey ec.pem"),
        no("", "-in plain.csr -CA ca.pem -CAform DER -CAkey ec.pem"),
        no("", f"{CA} -CAkeyform DER"), yes("", "-in plain.csr -signkey rsa.der -keyform DER"),
        no("", "-in plain.csr -signkey rsa.der -keyform PEM"),
        yes("", "-in plain.csr -key locked.pem -passin pass:secret"),
        no("", "-in plain.csr -key locked.pem -passin pass:x"),
        yes("", "-in plain.der -inform DER -CA ca.pem -CAkey ec.pem"),
        no("", "-in plain.der -CA ca.pem -CAkey ec.pem"),
        no("", "-in plain.csr -inform DER -CA ca.pem -CAkey ec.pem"),
        yes("", "-in plain.csr -signkey ec.pem"), yes("", f"{OWN} -CAserial none.srl"),
        yes("", f"{OWN} -CAcreateserial"), yes("", f"{CA} -preserve_dates"),
        no("", f"{CA} -preserve_dates -days 3"),
        no("", "-in plain.csr -CA plain.csr -CAkey ec.pem"),
        no("", "-in plain.csr -CA ca.pem -CAkey ca.pem")],
}
AGAIN = {
    "a certificate signed again": [
        yes("", "-in ca.pem -CA rsaca.pem -CAkey rsa.pem -set_serial 3"),
        yes("", "-in ca.pem -signkey rsa.pem"), yes("", "-in ca.pem -signkey ec.pem"),
        yes("", "-in ca.pem -key ec.pem -clrext"), yes("", "-in ca.pem -key ec.pem -set_serial 9"),
        yes("", "-in v1.pem -key ec.pem"), yes("noCheck=x", f"-in ca.pem -key ec.pem {EXTFILE}"),
        yes("noCheck=x", f"-in ca.pem -key ec.pem -clrext {EXTFILE}"),
        yes("keyUsage=cRLSign", f"-in noski.pem -CA ca.pem -CAkey ec.pem -set_serial 4 {EXTFILE}"),
        yes("", "-in ca.pem -key ec.pem -subj /CN=x"),
        yes("", "-in ca.pem -key ec.pem -force_pubkey rsa.pub"),
        yes("", "-in ca.pem -key ec.pem -preserve_dates"),
        no("", "-in ca.pem -key ec.pem -preserve_dates -days 3"),
        no("", "-in ca.pem -key ec.pem -CA ca.pem"), yes("", "-in rsaca.pem -key rsa.pem -sha512"),
        yes("subjectAltName=email:move", f"-in ca.pem -key ec.pem {EXTFILE}"),
        *(yes(aki(kind), f"-in ca.pem -key ec.pem -clrext {EXTFILE}") for kind in KINDS),
        *(yes(aki(kind), f"-in ca.pem -CA ca.pem -CAkey ec.pem -set_serial 2 -clrext {EXTFILE}")
          for kind in KINDS), yes("", "-in ca.der -key ec.pem"),
        no("", "-in ca.der -inform PEM -key ec.pem"), no("", "-in plain.csr -key rsa.pem"),
        no("", "-in ca.pem -CA ca.pem -CAkey rsa.pem -set_serial 1")],
    "a request from a certificate": [
        yes("", "-in rsaca.pem -x509toreq -key rsa.pem"),
        yes("", "-in rsaca.pem -x509toreq -signkey rsa.pem -copy_extensions copy"),
        no("", "-in rsaca.pem -x509toreq"),
        no("", "-in rsaca.pem -x509toreq -CA ca.pem -CAkey ec.pem"),
        yes("", "-in rsaca.pem -x509toreq -key rsa.pem -copy_extensions none"),
        yes("", "-in rsaca.pem -x509toreq -key rsa.pem -copy_extensions copyall"),
        yes("", "-in rsaca.pem -x509toreq -key rsa.pem -subj /CN=z"),
        no("", "-in rsaca.pem -x509toreq -key rsa.pem -copy_extensions copy -clrext"),
        yes("", "-in rsaca.pem -x509toreq -key rsa.pem -sha512")],
    "no request and no certificate": [
        yes("", "-new -subj /CN=a -key rsa.pem -set_serial 1"),
        yes("noCheck=x", f"-new -subj /CN=a -key rsa.pem -set_serial 1 {EXTFILE}"),
        no("", "-new -key rsa.pem"),
        no("", "-new -subj /CN=a"),
        no("", "-new -subj /CN=a -key rsa.pem -in ca.pem"),
        no("", "-new -req -subj /CN=a -key rsa.pem"),
        yes("noCheck=x", "-new -subj /CN=a -force_pubkey rsa.pub -CA ca.pem -CAkey ec.pem "
            f"-set_serial 1 {EXTFILE}"),
        yes("noCheck=x",
            f"-new -subj /CN=a -force_pubkey ec.pub -key rsa.pem -set_serial 1 {EXTFILE}"),
        no("", "-new -subj /CN=a -key rsa.pem -CA ca.pem -CAkey ec.pem")],
}


@pytest.mark.parametrize("row", rows(TABLE))
def test_requests(bench: Bench, row: Row) -> None:
    """A request signed by kpki is the certificate that openssl makes of it, dates and signature
    aside."""
    bench.agree(SIGN, row)


@pytest.mark.parametrize("row", rows(AGAIN))
def test_again(bench: Bench, row: Row) -> None:
    """So is a certificate that is signed again, a request made from one, and a certificate made of
    a subject alone."""
    bench.agree("x509", row)
