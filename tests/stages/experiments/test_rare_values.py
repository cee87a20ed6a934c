"""The extensions few people write, and the ASN1: and DER: values (x509v3_config(5),
ASN1_generate_nconf(3))."""
from __future__ import annotations

import pytest

from tests.stages.experiments.peer import Bench, Row, ext, no, rows, yes
from tests.stages.experiments.test_values import COMMAND, each

CRL = ("[p]\nfullname=URI:http://a/b\nCRLissuer=dirName:d\nreasons=keyCompromise,CACompromise\n"
       "[d]\nCN=x\n[r]\nrelativename=d\n")
POLICY = ("[pol]\npolicyIdentifier=1.2.3\nCPS.1=http://a\nCPS.2=http://b\nuserNotice.1=@note\n"
          "[note]\nexplicitText=UTF8:tëxt\norganization=o\nnoticeNumbers=1,2\n[bare]\n"
          "CPS=http://a\n[odd]\npolicyIdentifier=1.2.3\nfoo=x\n"
          "[half]\npolicyIdentifier=1.2.3\nuserNotice=@halfnote\n[halfnote]\norganization=o\n")
TABLE = {
    "nameConstraints": [
        *each(True, "nameConstraints",
              ("permitted;DNS:a", "excluded;DNS:.a,permitted;DNS:b",
               "permitted;IP:10.0.0.0/255.0.0.0", "excluded;IP:fe80::/ffff::",
               "permitted;email:a.b", "permitted;dirName:d", "critical,permitted;DNS.1:a",
               "permitted;URI:.a", "permitted;IP.1:0.0.0.0/0.0.0.0", "@c"),
              CRL + "[c]\npermitted;DNS.1=a\nexcluded;DNS.1=b\n"),
        *each(False, "nameConstraints",
              ("permitted;IP:10.0.0.0/8", "permitted;IP:10.0.0.0", "DNS:a", "allowed;DNS:a",
               "permitted;foo:a", "permitted;", "permitted:DNS", "permitted;IP:10.0.0.0/ffff::",
               "permitted;DNS"), CRL)],
    "crlDistributionPoints": [
        *each(True, "crlDistributionPoints", ("URI:http://a", "URI:http://a,URI:http://b", "p", "r",
                                              "p,URI:http://a", "DNS:a"), CRL),
        *each(False, "crlDistributionPoints", ("foo", "", "FOO:x", "two"),
              CRL + "[two]\nfullname=URI:a\nrelativename=d\n"),
        *each(True, "freshestCRL", ("URI:http://a", "p"), CRL)],
    "a distribution point's section": [
        *each(True, "crlDistributionPoints", ("q",), "[q]\nreasons=superseded\n"),
        *each(True, "crlDistributionPoints", ("q",), "[q]\nfoo=x\n"),
        *each(False, "crlDistributionPoints", ("q",), "[q]\nreasons=foo\n"),
        *each(False, "crlDistributionPoints", ("q",), "[q]\nfullname=x\n"),
        *each(False, "crlDistributionPoints", ("q",), "[q]\nrelativename=none\n"),
        *each(False, "crlDistributionPoints", ("q",), "[q]\nrelativename=n\n[n]\nCN=a\nO=b\n"),
        *each(True, "crlDistributionPoints", ("q",), "[q]\nrelativename=n\n[n]\nCN=a\n+O=b\n"),
        *each(True, "crlDistributionPoints", ("q",), "[q]\nfullname=@z\n[z]\nURI.1=a\nDNS.1=b\n")],
    "issuingDistributionPoint": [
        *each(True, "issuingDistributionPoint", ("@i", "critical,@i"),
              "[i]\nfullname=URI:x\nonlyCA=TRUE\nonlyuser=FALSE\nindirectCRL=TRUE\n"),
        *each(True, "issuingDistributionPoint", ("onlyAA:TRUE", "@i"),
              "[i]\nonlysomereasons=keyCompromise\n"),
        *each(True, "issuingDistributionPoint",
              ("onlyuser:TRUE,onlyuser:FALSE", "onlyCA:FALSE,onlyCA:TRUE")),
        *each(False, "issuingDistributionPoint",
              ("onlyAA:x", "foo:x", "onlysomereasons:foo", "onlysomereasons:superseded,"
               "onlysomereasons:superseded", "fullname:URI:http://a,fullname:URI:http://b",
               "fullname:URI:http://a,relativename:i"), "[i]\nCN=a\n")],
    "authorityInfoAccess": [
        *each(True, "authorityInfoAccess", ("OCSP;URI:http://a", "caIssuers;URI:http://a,OCSP;"
                                            "URI:http://b", "1.2.3;DNS:a", "OCSP;URI.0:x", "@a"),
              "[a]\nOCSP;URI.0=http://a\ncaIssuers;URI.0=http://b\n"),
        *each(False, "authorityInfoAccess",
              ("URI:http://a", "foo;URI:a", "OCSP;foo:a", "OCSP;URI", "OCSP")),
        *each(True, "subjectInfoAccess", ("caRepository;URI:http://a",))],
    "certificatePolicies": [
        *each(True, "certificatePolicies", ("1.2.3", "1.2.3,2.5.29.32.0", "2.5.29.32.0",
                                            "@pol", "1.2.4,@pol", "ia5org,@pol",
                                            "@pol,ia5org", "X509v3 Any Policy"), POLICY),
        *each(True, "certificatePolicies", ("@half", "ia5org,@half"), POLICY),
        *each(False, "certificatePolicies", ("foo", "1.2.3:x", "@bare", "@odd", "@missing", ""),
              POLICY)],
    "a policy's notice": [
        *(Row(True, ext("certificatePolicies=@q",
                        f"[q]\npolicyIdentifier=1.2.3\nuserNotice=@n\n[n]\n{text}\n"))
          for text in (
            "explicitText=x", "explicitText=VISIBLE:x", "explicitText=BMP:ab", "explicitText=IA5:x",
            "explicitText=UTF8x", "organization=o\nnoticeNumbers=1",
            "noticeNumbers=0x10,-2\norganization=o")),
        *(Row(False, ext("certificatePolicies=@q",
                         f"[q]\npolicyIdentifier=1.2.3\nuserNotice={notice}\n[n]\n{text}\n"))
          for notice, text in (
            ("@n", "foo=x"), ("@n", "organization=o\nnoticeNumbers=x"), ("n", "explicitText=x"),
            ("@z", "")))],
    "policyConstraints, policyMappings, inhibitAnyPolicy": [
        *each(True, "policyConstraints",
              ("requireExplicitPolicy:3", "inhibitPolicyMapping:0,requireExplicitPolicy:1",
               "requireExplicitPolicy:-1")),
        *each(False, "policyConstraints",
              ("foo:1", "requireExplicitPolicy:x", "requireExplicitPolicy", "")),
        *each(True, "policyMappings", ("1.2.3:1.2.4", "1.2.3:1.2.4,1.2.5:1.2.6")),
        *each(False, "policyMappings", ("1.2.3", "foo:1.2.3", "1.2.3:foo")),
        *each(True, "inhibitAnyPolicy", ("0", "2", "0x10", "-1")),
        *each(False, "inhibitAnyPolicy", ("x", "", "1 2"))],
    "tlsfeature and noCheck": [
        *each(True, "tlsfeature", ("status_request", "status_request_v2", "5", "5,17",
                                   "status_request,17", "65535", "a:5", "0")),
        *each(False, "tlsfeature", ("foo", "65536", "-1", "", "5x")),
        *each(True, "noCheck", ("x", "ignored", "1"))],
    "Netscape's": [
        *each(True, "nsCertType", ("client", "server,email", "objsign,sslCA,emailCA,objCA",
                                   "reserved", "SSL Client", "client,client")),
        *each(False, "nsCertType", ("Client", "foo", "")),
        *each(True, "nsComment", ("a comment, with a comma", "", '"quoted # x"', "ü")),
        *each(True, "nsBaseUrl", ("http://a",)), *each(True, "nsSslServerName", ("x",)),
        *each(True, "nsCaPolicyUrl", ("x",))],
    "proxyCertInfo": [
        *each(True, "proxyCertInfo", (
            "critical,language:id-ppl-anyLanguage,pathlen:3,policy:text:foo",
            "language:Inherit all", "language:1.2.3", "language:id-ppl-anyLanguage,policy:hex:0102",
            "language:id-ppl-inheritAll,pathlen:0", "@p"),
              "[p]\nlanguage=id-ppl-anyLanguage\npathlen=3\npolicy=text:AB\n"),
        *each(False, "proxyCertInfo",
              ("pathlen:3", "language:foo", "language:id-ppl-inheritAll,policy:text:x",
               "language:1.2.3,pathlen:x", "language:1.2.3,policy:foo:x",
               "language:1.2.3,language:1.2.4", "language"))],
    "no value language": [
        *each(False, "crlNumber", ("1",)), *each(False, "CRLReason", ("1",)),
        *each(False, "ct_precert_scts", ("x",)), *each(False, "subjectDirectoryAttributes", ("x",)),
        *each(False, "deltaCRL", ("1",)), *each(False, "invalidityDate", ("x",))],
    "DER:": [
        *each(True, "1.2.3",
              ("DER:0500", "DER:05:00", "DER: 05:00", "DER:ff", "DER::05", "DER:05:0000")),
        *each(False, "1.2.3", ("DER:", "DER:0", "DER:050", "DER:xx", "DER:0 5", "der:0500", "0500",
                               "DER:05-00", "DER0500"))],
    "ASN1: simple types": [
        *each(True, "1.2.3", tuple(f"ASN1:{text}" for text in (
            "NULL", "BOOL:TRUE", "BOOLEAN:no", "INT:5", "INTEGER:-129", "INT:0x100", "ENUM:3",
            "OID:1.2.3", "OBJECT:CN", "UTF8:ü", "UTF8String:x", "IA5:x",
            "IA5STRING:x", "PRINTABLE:a-b", "PRINTABLESTRING:x", "T61:x", "VISIBLE:x", "BMP:ab",
            "UNIV:ab", "GENSTR:x", "GeneralString:x", "NUMERIC:12", "UTC:260101000000Z",
            "UTCTIME:2601010000Z", "GENTIME:20260101000000Z", "GENERALIZEDTIME:20260101000000.5Z",
            "OCT:abc", "OCTETSTRING:x", "BITSTR:abc", "FORMAT:HEX,OCT:0102", "FORMAT:HEX,BITSTR:F0",
            "FORMAT:BITLIST,BITSTR:1,5,9", "FORMAT:UTF8,UTF8:ü", "FORMAT:UTF8,BMP:ü",
            "FORM:ASCII,OCT:x", "INT:0", "INT:128", "FORMAT:BITLIST,BITSTR:0", "TELETEXSTRING:x",
            "UTF8:a,b", "UTF8:", "NULL:", "utf8:x", "integer:3", "GENTIME:202601010000Z",
            "UTC:260101000000+0100", "UTC:2601010000-0159", "VISIBLE:ü", "GENSTR:ü", "T61:ü",
            "UNIV:ü", "FORMAT:UTF8,VISIBLE:ü", "OCT:", "OCT", "UTF8", "FORM:HEXy,OCT:01",
            "FORMAT:HEX,NULL", "FORMAT:BITLIST,BITSTR:300", "FORMAT:BITLIST,BITSTR: 1 , 2 ",
            "FORMAT:BITLIST,BITSTR:+1", "NULL ", "FORMAT:UTF8,IA5:x"))),
        *each(False, "1.2.3", tuple(f"ASN1:{text}" for text in (
            "", "FOO", "FOO:x", "BOOL:x", "BOOL", "INT:x", "INT", "OID:foo",
            "UTC:x", "NULL:x", "FORMAT:FOO,OCT:x", "FORMAT:HEX,OCT:0", "FORMAT:HEX,UTF8:61",
            "FORMAT:BITLIST,OCT:1", "FORMAT:BITLIST,BITSTR:x", "EXP", "EXP:x,NULL", "EXPLICIT:1",
            "IMP:0A,IMP:1,NULL", "FORMAT:HEX,BOOL:TRUE", "PRINTABLE:a_b", "NUMERIC:x", "IA5:ü",
            "FORMAT:UTF8,PRINTABLE:ü", "FORMAT:UTF8,OID:1.2", "GENTIME:202601010000.5Z",
            "UTC:260230000000Z", "UTC:260101000060Z", "UTC:260101000000+1400",
            "UTC:260101000000.5Z", "EXP,NULL", "EXP:-1,NULL", "EXP:1X,NULL", "EXP:0x1,NULL",
            "OCTWRAP,", "BOOL:", "INT:", "FORMAT:HEX,OCT:", "NULL,x", "FORMAT:BITLIST,BITSTR:",
            "FORMAT:BITLIST,BITSTR:1,,2", "FORMAT:BITLIST,BITSTR:1x", "FORMAT:BITLIST,BITSTR:-1",
            "FORMAT:UTF8,OCT:x", "TAG:1,NULL", "UTC:269901000000Z", "GENTIME:2026",
            "FORMAT:UTF8,INT:1", "IMP:0,EXP:1,NULL")))],
    "ASN1: tags and wrappers": [
        *each(True, "1.2.3", tuple(f"ASN1:{text}" for text in (
            "EXP:0,NULL", "EXPLICIT:1,INT:5", "IMP:2,INT:5", "IMPLICIT:3A,OCT:x", "EXP:,NULL",
            "EXP: 1 , NULL", "SEQWRAP:5,NULL", "exp:1,Imp:2,Null", "EXP:0A,NULL", "EXP:5P,UTF8:x",
            "EXP:1C,EXP:2,NULL", "SEQWRAP,INT:1", "setwrap,INT:1", "OCTWRAP,INT:1", "BITWRAP,INT:1",
            "OCTWRAP,SEQWRAP,INT:1", "EXP:1,IMP:2,INT:1", "IMP:0,SEQWRAP,INT:1",
            "EXP:0,SEQWRAP,UTF8:x", "IMP:3,OCTWRAP,NULL", "FORMAT:HEX,EXP:0,OCT:01", "IMP:30,NULL",
            "IMP:31,UTF8:x", "EXP:31,NULL", "IMP:127A,SEQWRAP,INT:1", "EXP:128P,IMP:16384,NULL",
            "IMP:79,NULL", "IMP:80U,NULL", "EXP:2147483647,NULL"))),
        *each(False, "1.2.3", ("ASN1:IMP:-1,NULL", "ASN1:EXP:31X,NULL"))],
    "ASN1: sections": [
        *each(True, "1.2.3",
              ("ASN1:SEQUENCE:s", "ASN1:SEQ:s", "ASN1:SET:s", "ASN1:EXP:0,SEQUENCE:s",
               "ASN1:IMP:0,SET:s", "ASN1:SEQUENCE:in", "ASN1:SEQ:gap", "ASN1:SEQ", "ASN1:SET"),
              "[s]\na=INT:5\nb=UTF8:x\nc=BOOL:TRUE\n[in]\na=SEQUENCE:s\nb=SET:s\n[gap]\n"),
        *each(False, "1.2.3", ("ASN1:SEQUENCE:missing", "ASN1:SEQ:", "ASN1:SEQ:bad",
                               "ASN1:SEQ:loop"), "[bad]\na=FOO:x\n[loop]\na=SEQ:loop\n")],
}


@pytest.mark.parametrize("row", rows(TABLE))
def test_rare(bench: Bench, row: Row) -> None:
    """Every extension that openssl can write comes out the same, and what it refuses is refused."""
    bench.agree(COMMAND, row)


def test_the_table_knows_both_answers() -> None:
    """Each rule has a row that works and a row that does not, but for those with one answer
    only."""
    both = {rule for rule, group in TABLE.items() if {row.works for row in group} == {True, False}}
    assert set(TABLE) - both == {"no value language"}
    assert isinstance(no(""), Row) and yes("").works
