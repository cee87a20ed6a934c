"""The value language of extensions (x509v3_config(5)): what a request asks for, by openssl and by
kpki."""
from __future__ import annotations

import pytest

from tests.stages.experiments.peer import Bench, Row, dn, ext, no, rows, yes

COMMAND = "req -new -key rsa.pem -config file.cnf"


def each(works: bool, name: str, values: tuple[str, ...], more: str = "") -> list[Row]:
    """A row per value of one extension."""
    return [Row(works, ext(f"{name}={value}", more)) for value in values]


SAN = "subjectAltName"
NAMES = "[n]\nDNS.1=a\nIP.1=10.0.0.1\nDNS.2=b\n[gap]\n[d]\nCN=x\n+O=y\nC=DE\n[bad]\nCN=\n"
GENERAL = {
    "the order is the section's": [
        yes(ext("keyUsage=digitalSignature\nbasicConstraints=CA:FALSE")),
        yes(ext("basicConstraints=CA:FALSE\nkeyUsage=cRLSign"))],
    "the last of one name counts":
        [yes(ext("keyUsage=cRLSign\nbasicConstraints=CA:TRUE\nkeyUsage=keyCertSign"))],
    "names are short names, in their case": [
        no(ext("keyusage=cRLSign")), no(ext("BasicConstraints=CA:TRUE")),
        no(ext("2.5.29.15=cRLSign")), no(ext("X509v3KeyUsage=cRLSign")), no(ext("CN=x")),
        no(ext("foo=bar")), no(ext("serverAuth=x")), yes(ext("2.5.29.15=DER:03:02:05:A0")),
        yes(ext("keyUsage=DER:030205A0")), yes(ext("CN=ASN1:NULL")), no(ext("foo=DER:0500")),
        yes(ext("keyUsage=cRLSign\n2.5.29.15=DER:03020780"))],
    "critical stands first, exactly": [
        *each(True, "keyUsage", ("critical,cRLSign", "critical, cRLSign", "critical,   cRLSign")),
        *each(False, "keyUsage",
              ("Critical,cRLSign", "critical cRLSign", "critical ,cRLSign", "cRLSign,critical",
               "critical,", "critical", "critical,critical,cRLSign")),
        *each(True, "1.2.3", ("critical,DER:0500", "critical, ASN1:NULL")),
        *each(True, SAN, ("critical,DNS:a",)),
        *each(True, "nsComment", ("critical,x", "critical"))],
    "a list has no empty item": [
        *each(False, "keyUsage", ("", "cRLSign,", "cRLSign,,keyCertSign", ",cRLSign")),
        *each(False, SAN, ("DNS:", "DNS:a,")),
        *each(True, "keyUsage", ("cRLSign ,  keyCertSign", '"cRLSign, keyCertSign"')),
        *each(False, "keyUsage", ("cRLSign;keyCertSign",))],
    "a value of one character keeps the blanks behind it": each(True, SAN, (
        "DNS:a , DNS:b", "DNS:ab , DNS:cd", "DNS:a\t,DNS:b", "DNS : ab", "DNS: a ,IP:10.0.0.1")),
    "every list may be a section, wholly": [
        *each(True, "keyUsage", ("@k",), "[k]\ncRLSign=x\nkeyCertSign=y\n"),
        *each(True, "extendedKeyUsage", ("@k",), "[k]\n1=serverAuth\n"),
        *each(True, "basicConstraints", ("@k", "critical,@k"), "[k]\nCA=TRUE\npathlen=3\n"),
        *each(False, "keyUsage", ("@missing", "@k,cRLSign", "cRLSign,@k"), "[k]\nkeyCertSign=y\n"),
        *each(False, SAN, ("@missing", "@gap", "DNS:a,@n", "@n,DNS:a"), NAMES)],
    "an empty section asks for nothing": [yes(ext("")), yes(ext("# nothing"))],
}
CONSTRAINTS = {
    "booleans": [
        *(yes(ext(f"basicConstraints=CA:{word}"))
          for word in "TRUE true Y y YES yes FALSE false N n NO no".split()),
        *(no(ext(f"basicConstraints=CA:{word}")) for word in "True False Yes No 1 0 T on".split())],
    "CA and pathlen": [
        *each(True, "basicConstraints",
              ("CA:TRUE,pathlen:0", "CA:FALSE,pathlen:0", "pathlen:0", "pathlen:-1",
               "CA:TRUE,pathlen:0x2", "CA:TRUE,CA:FALSE", "CA:TRUE,pathlen:1,pathlen:2",
               "CA:TRUE, pathlen:3", "CA:TRUE,pathlen:007", "CA:TRUE,pathlen:-0x10",
               "CA:TRUE,pathlen:99999999999999999999")),
        *each(False, "basicConstraints",
              ("CA", "ca:TRUE", "CA:TRUE,pathlen", "CA:TRUE,pathlen:x", "pathLen:1", "TRUE",
               "CA:TRUE,foo:1", "CA:TRUE,pathlen:-", "CA:TRUE,pathlen:1x", "CA:TRUE,pathlen:+1",
               "CA:TRUE,pathlen:0x")),
        *each(True, "basicConstraints",
              tuple(f"pathlen:{text}" for text in ("--1", "0x-1", "-0x-1", "-0x1", "0X1f", "-0")))],
    "keyUsage": [
        *each(True, "keyUsage",
              ("digitalSignature", "nonRepudiation,keyEncipherment",
               "dataEncipherment,keyAgreement", "keyCertSign,cRLSign", "encipherOnly",
               "decipherOnly", "Digital Signature, CRL Sign", "Certificate Sign", "cRLSign,cRLSign",
               "cRLSign:x", "encipherOnly,decipherOnly,keyAgreement")),
        *each(False, "keyUsage", ("contentCommitment", "DigitalSignature", "digitalsignature",
                                  "serverAuth", "0", "digital signature"))],
    "extendedKeyUsage": [
        *each(True, "extendedKeyUsage",
              ("serverAuth,clientAuth", "clientAuth,serverAuth", "serverAuth,serverAuth", "1.2.3.4",
               "TLS Web Server Authentication", "OID:1.2.3.4", "CN", "anyExtendedKeyUsage",
               "emailProtection", "codeSigning,timeStamping,OCSPSigning", "msSmartcardLogin",
               "1.02.3", "1.2.", "1..2", "2.2..3", "1 2 3", "1.2.3.", "x:serverAuth", "2.999.1",
               "1.3.6.1.5.5.7.3.1")),
        *each(False, "extendedKeyUsage", ("1.", "2 ")),
        *each(False, "extendedKeyUsage", ("ServerAuth", "foo", "1", "3.1.2", "1.40.1", "01.2.3",
                                          "1.2-3", "1.2.x", "server Auth", "clusterAuth", ".1.2"))],
    "the key's and the authority's identifier in a request": [
        *each(True, "subjectKeyIdentifier",
              ("hash", "none", "0102", "01:02:AB", "0102:03", "critical,hash", ":01", "01:", "::")),
        *each(False, "subjectKeyIdentifier",
              ("Hash", "xyz", "012", "0 1", "hash,x", "01::2", "", "0", ":")),
        *each(True, "authorityKeyIdentifier", ("none",)),
        *each(False, "authorityKeyIdentifier",
              ("keyid", "keyid:always", "issuer", "keyid,issuer:always", "foo", "none,keyid",
               "keyid:foo", "keyid,keyid", ""))],
}
ALTERNATIVE = {
    "types, with or without a suffix": [
        *each(True, SAN, ("DNS:a", "DNS.1:a", "DNS.foo:a,DNS.bar:b", "email:a@b", "URI:https://a/b",
                          "IP:1.2.3.4", "RID:1.2.3", "RID:CN", "dirName:d",
                          "otherName:1.2.3;UTF8:x", "otherName:msUPN;UTF8:u@d", "DNS.:a"), NAMES),
        *each(False, SAN,
              ("dns:a", "Dns:a", "DNS1:a", "IPAddress:1.2.3.4", "ip:1.2.3.4", "1.DNS:a", "CN:a",
               "a", "DNS", "URL:x", "email.1", "uri:x", "OtherName:1.2.3;UTF8:x", "RID:foo",
               "dirName:missing", "dirName:bad", "otherName:1.2.3", "otherName:foo;UTF8:x",
               "otherName:1.2.3;FOO:x", "IP"), NAMES)],
    "nothing is checked but addresses": each(True, SAN, (
        "DNS:10.0.0.1", "DNS:a b", "DNS:a:443", "DNS:copy", "DNS:*.a", "DNS:ü", "URI:x", "email:x",
        "DNS:-", "DNS:move", "email:Copy", "URI:http://a:80/?q=1")),
    "addresses": [
        *each(True, SAN, tuple(f"IP:{address}" for address in (
            "01.2.3.4", "0.0.0.0", "255.255.255.255", "::", "::1", "1::", "2001:db8::1",
            "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "FE80::ABCD",
            "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "0001::", "001.002.003.004", "+1.2.3.4",
            "1.2.3.4 ", "1. 2.3.4"))),
        *each(False, SAN, tuple(f"IP:{address}" for address in (
            "256.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.4/8", "[::1]", "fe80::1%eth0", "host",
            "1.2.3.x", "1:2:3", ":::", "1::2::3", "12345::", "1.2.3.-4", ":1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9", "g::", "1:2:3:4:5:6:7:", "1.2.3.4:80", "1.2.3.4x", "-1.2.3.4",
            "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1..2.3", "::1.2.3", "::1.2.3.4:5")))],
    "a section's order is its lines'": [
        *each(True, SAN, ("@n",), NAMES),
        *each(True, SAN, ("@n", "critical,@n"), "[n]\nDNS.2=b\nDNS.1=a\nIP.9=::1\nDNS.10=c\n"),
        *each(True, SAN, ("@n",), "[n]\nDNS=a\nIP=10.0.0.1\nDNS=b\n"),
        *each(True, SAN, ("@n",), "[n]\nDNS.1=a,b\nDNS.2=\nURI=http://a,b/\\#c\n"),
        *each(False, SAN, ("@n",), "[n]\nIP.1=\n"), *each(False, SAN, ("@n",), "[n]\ndns.1=a\n"),
        *each(False, SAN, ("@n",), "[n]\nIP.1=10.0.0.0/8\n"),
        *each(True, SAN, ("@n",), "[n]\notherName.1=1.2.3;UTF8:a\ndirName.1=d\n[d]\nCN=x\n")],
    "email:copy and email:move take the subject's addresses": [
        *each(True, SAN, ("email:copy", "email:move", "DNS:a,email:copy", "email:copy,email:move",
                          "email:move,email:copy", "email.1:copy")),
        yes(dn("CN=a\n[e]\nsubjectAltName=email:copy", "req_extensions=e")),
        yes(dn("CN=a\nemailAddress=a@b\nO=x\n1.emailAddress=c@d\n[e]\nsubjectAltName=email:move",
               "req_extensions=e")),
        yes(dn("CN=a\n+emailAddress=a@b\n[e]\nsubjectAltName=email:move", "req_extensions=e")),
        yes(ext("subjectAltName=@n", "[n]\nemail=copy\nDNS=a\n")),
        no(ext("subjectAltName=issuer:copy"))],
    "issuerAltName": [*each(True, "issuerAltName", ("DNS:a", "IP:1.2.3.4", "email:copy")),
                      *each(False, "issuerAltName", ("issuer:copy", "foo:x", "issuer:x"))],
}


@pytest.mark.parametrize("row", rows(GENERAL | CONSTRAINTS))
def test_extensions(bench: Bench, row: Row) -> None:
    """Names, criticality, lists, booleans and usages are read as openssl reads them."""
    bench.agree(COMMAND, row)


@pytest.mark.parametrize("row", rows(ALTERNATIVE))
def test_names(bench: Bench, row: Row) -> None:
    """Alternative names come out as openssl writes them."""
    bench.agree(COMMAND, row)
