"""Extensions as openssl prints them: each kind, each odd value, in a certificate and in a
request."""
from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, CertificateSigningRequest

from kpki import req_new, req_x509
from kpki.stages import der
from kpki.stages.records import Extension
from kpki.stages.text.certificate import certificate_text, request_text
from kpki.stages.text.extension import extension_text, value_text

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
CONFIG = """[req]
prompt=no
distinguished_name=dn
utf8=yes
[empty]
[dn]
C=US
O=Ö/x+y
CN=t,e
[long]
1.O=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
2.OU=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
3.OU=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
4.OU=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
5.OU=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
6.CN=b
[dp1]
fullname=URI:http://x,DNS:y,dirName:dn
reasons=keyCompromise,CACompromise
CRLissuer=dirName:dn
[dp2]
relativename=rel
[dp3]
CRLissuer=dirName:dn
[dp4]
fullname=IP:::1,IP:1.2.3.4
[dp5]
fullname=otherName:1.2.3.4;UTF8:hé,otherName:msUPN;UTF8:u@p,otherName:1.2.3;INTEGER:5,otherName:1.3.6.1.5.5.7.8.7;UTF8:srv,RID:1.2.3,URI:é
[rel]
OU=q
[idp]
fullname=URI:http://x
onlyCA=TRUE
onlysomereasons=superseded
[pol]
policyIdentifier=1.3.5.8
CPS.1=http://c
CPS.2=http://d
userNotice.1=@notice
[notice]
explicitText=UTF8:éx
organization=Org
noticeNumbers=1,2
[pol2]
policyIdentifier=1.2.9
userNotice=@n2
userNotice.2=@n3
[n2]
explicitText=only
[n3]
organization=Org
noticeNumbers=7
[v3]
"""
# Each line is an extension as the configuration says it.
ROWS = r"""
basicConstraints=CA:FALSE
basicConstraints=critical,CA:TRUE,pathlen:3
basicConstraints=pathlen:0
basicConstraints=ASN1:SEQUENCE:empty
basicConstraints=DER:30:06:01:01:ff:02:01:ff
keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign,cRLSign
keyUsage=decipherOnly,encipherOnly,nonRepudiation
keyUsage=DER:03:01:00
keyUsage=DER:03:02:07:00
extendedKeyUsage=serverAuth,clientAuth,1.2.3.4,anyExtendedKeyUsage,codeSigning
extendedKeyUsage=DER:30:00
subjectAltName=DNS:a.b,IP:10.0.0.1,IP:2001:db8::1,URI:http://x/é,email:a@b,RID:1.2.3.4,RID:commonName
subjectAltName=dirName:dn,otherName:1.2.3.4;UTF8:hé,otherName:msUPN;UTF8:u@p,otherName:1.2.3;INTEGER:5,otherName:1.3.6.1.5.5.7.8.9;UTF8:m@é
subjectAltName=otherName:1.3.6.1.5.5.7.8.7;IA5:srv,otherName:1.3.6.1.5.5.7.8.5;UTF8:xm,otherName:1.3.6.1.5.5.7.8.8;UTF8:na,otherName:1.2.3.9;IA5:ia
subjectAltName=DER:30:00
subjectAltName=DER:30:05:87:03:01:02:03
subjectAltName=DER:30:05:82:03:61:00:62
subjectAltName=DER:30:05:82:03:61:ff:62
subjectAltName=DER:30:03:82:03:61
subjectAltName=DER:04:03:61:62:63
subjectAltName=dirName:long
subjectAltName=DER:30:04:A3:02:05:00
issuerAltName=DNS:x.y
subjectKeyIdentifier=hash
subjectKeyIdentifier=00:11:AA
authorityKeyIdentifier=DER:30:03:80:01:AA
authorityKeyIdentifier=DER:30:03:82:01:80
authorityKeyIdentifier=DER:30:00
nsCertType=client,server,email,objCA
nsComment=hello wörld
nsComment=critical,tab and more
nsBaseUrl=http://x
crlDistributionPoints=URI:http://a/x.crl
crlDistributionPoints=URI:http://a/x.crl,URI:http://b
crlDistributionPoints=dp1
crlDistributionPoints=dp2,dp1
crlDistributionPoints=dp3
crlDistributionPoints=dp4
crlDistributionPoints=dp5
freshestCRL=URI:http://a/x.crl
issuingDistributionPoint=critical,@idp
issuingDistributionPoint=onlyuser:TRUE,indirectCRL:TRUE
authorityInfoAccess=OCSP;URI:http://o,caIssuers;URI:http://ca,1.2.3.4;DNS:q,OCSP;IP:::1
authorityInfoAccess=OCSP;dirName:dn
subjectInfoAccess=caRepository;URI:http://o
certificatePolicies=1.2.3.4,anyPolicy
certificatePolicies=@pol
certificatePolicies=ia5org,1.2.3.4,@pol,@pol2
policyConstraints=requireExplicitPolicy:3,inhibitPolicyMapping:0
policyConstraints=critical,requireExplicitPolicy:300
policyMappings=DER:30:00
policyConstraints=DER:30:00
issuingDistributionPoint=DER:30:00
CRLReason=ASN1:ENUM:0
CRLReason=ASN1:ENUM:8
CRLReason=ASN1:ENUM:10
CRLReason=ASN1:ENUM:7
CRLReason=ASN1:ENUM:12
authorityInfoAccess=DER:30:0f:30:0d:06:08:2b:06:01:05:05:07:30:01:82:01:00
policyMappings=1.2.3.4:1.2.3.5,anyPolicy:1.2.3
inhibitAnyPolicy=2
nameConstraints=critical,permitted;DNS:.x,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:q,excluded;dirName:dn
nameConstraints=permitted;IP:2001:db8::/ffff:ffff::
nameConstraints=excluded;URI:.y,excluded;DNS:z
nameConstraints=DER:30:09:a0:07:30:05:87:03:01:02:03
tlsfeature=status_request,status_request_v2,77
noCheck=ignored
proxyCertInfo=critical,language:id-ppl-anyLanguage,pathlen:3,policy:text:AB
proxyCertInfo=critical,language:id-ppl-inheritAll
1.2.3.4=ASN1:UTF8:héllo
1.2.3.4=critical,DER:00:0a:0d:7e:7f:41
1.2.3.4=ASN1:UTF8:a long text with quite many characters so that it goes over sixteen octets
crlNumber=DER:02:01:05
invalidityDate=ASN1:GENTIME:20260101000000Z
privateKeyUsagePeriod=DER:30:22:80:0f:32:30:32:36:30:31:30:31:30:30:30:30:30:30:5a:81:0f:32:30:32:37:30:31:30:31:30:30:30:30:30:30:5a
subjectSignTool=a tool
basicConstraints=DER:01:02
keyUsage=DER:30:00
inhibitAnyPolicy=DER:02:11:00:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff
inhibitAnyPolicy=DER:02:11:ff:00:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff
CRLReason=ASN1:ENUM:3
certificatePolicies=DER:30:00
authorityInfoAccess=DER:30:00
crlDistributionPoints=DER:30:00
crlDistributionPoints=DER:30:02:30:00
nameConstraints=DER:30:00
tlsfeature=DER:30:00
nsCertType=DER:03:01:00
subjectAltName=DER:30:14:87:10:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01:82:00
ct_precert_poison=DER:05:00
subjectDirectoryAttributes=DER:30:00
""".strip().splitlines()


def openssl(value: Certificate | CertificateSigningRequest, *options: str) -> str:
    """What openssl prints of it."""
    verb = "x509" if isinstance(value, Certificate) else "req"
    done = subprocess.run(["openssl", verb, "-inform", "DER", "-noout", "-text", *options],
                          check=True, input=value.public_bytes(Encoding.DER), capture_output=True)
    return done.stdout.decode("utf-8", "surrogateescape")


def certificate_with(*rows: str) -> Certificate:
    return req_x509(KEY, config=CONFIG + "\n".join(rows) + "\n", extensions="v3", serial_number=5,
                    now=NOW)


@pytest.mark.parametrize("row", ROWS)
def test_an_extension_is_printed_as_openssl_prints_it(row: str) -> None:
    """The same lines in a certificate, in a request, and with unknown extensions dumped."""
    certificate, csr = certificate_with(row), req_new(KEY, config=CONFIG + row + "\n",
                                                      extensions="v3")
    assert certificate_text(certificate) == openssl(certificate)
    assert request_text(csr) == openssl(csr)
    assert (certificate_text(certificate, unknown="dump")
            == openssl(certificate, "-certopt", "ext_dump"))


@pytest.mark.parametrize("value", ["keyid:always", "issuer:always", "keyid:always,issuer:always"])
def test_an_authority_key_identifier_has_a_line_for_each_part(value: str) -> None:
    """A lone key identifier stands by itself; with an issuer and a serial number each has its
    word."""
    certificate = certificate_with(f"authorityKeyIdentifier={value}", "subjectKeyIdentifier=hash")
    assert certificate_text(certificate) == openssl(certificate)


BROKEN = [
    "basicConstraints=DER:04:01:00", "keyUsage=DER:30:00",
    "subjectAltName=DER:30:05:82:01:61:82:05", "extendedKeyUsage=DER:30:02:05:00",
    "certificatePolicies=DER:30:02:05:00", "nameConstraints=DER:30:02:a5:00",
    "crlDistributionPoints=DER:30:04:30:02:a7:00", "authorityInfoAccess=DER:30:02:30:00",
    "nsComment=DER:0c:01:41", "subjectKeyIdentifier=DER:30:02:05:00",
    "authorityKeyIdentifier=DER:30:02:05:00", "policyMappings=DER:30:02:30:00",
    "inhibitAnyPolicy=DER:02:00", "tlsfeature=DER:30:02:05:00", "proxyCertInfo=DER:30:00"]


@pytest.mark.parametrize("row", BROKEN)
def test_a_broken_extension_hides_none_of_the_others(row: str) -> None:
    """One that does not decode is shown by its octets; what stands before and after it is read."""
    certificate = certificate_with("1.2.3.4=ASN1:UTF8:before", row,
                                   "issuerAltName=DNS:after.example")
    text = certificate_text(certificate)
    assert text == openssl(certificate)
    assert "before" in text and "DNS:after.example" in text
    assert (certificate_text(certificate, unknown="error")
            == openssl(certificate, "-certopt", "ext_error"))
    assert "<Parse Error>" in certificate_text(certificate, unknown="error")


@pytest.mark.parametrize("value",
                         [b"", b"\x30", b"\x30\x82\xff\xff", bytes(range(256)), b"\x30\x80\0\0"])
def test_octets_that_are_no_der_at_all_are_shown(value: bytes) -> None:
    """Whatever an extension holds, it has a display, and never an exception."""
    for oid in ("2.5.29.17", "2.5.29.19", "2.5.29.31", "2.5.29.32", "2.5.29.35",
                "1.3.6.1.5.5.7.1.1", "1.2.3.4"):
        for unknown in ("default", "error", "dump"):
            assert extension_text(Extension(oid, True, value), 4, unknown).startswith("    ")


def test_a_whole_value_is_no_parse_error() -> None:
    """The display of a broken value is not that of a good one."""
    good = Extension("2.5.29.19", False, der.sequence(der.boolean(True)))
    assert value_text(good, 0, "error") == "CA:TRUE"
    assert value_text(Extension("2.5.29.19", False, b"\x04\x00"), 0, "error") == "<Parse Error>"
    assert value_text(Extension("1.2.3.4", False, b"\x04\x00"), 0, "error") == "<Not Supported>"
