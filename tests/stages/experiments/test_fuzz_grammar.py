"""Rarer configurations and lines of `req` and `x509` that a grammar makes: openssl against kpki.

`scripts/fuzz N` tries N anew; here it is always the same few dozen. What docs/stages.md says to
differ is known by name.
"""
from __future__ import annotations

import io
import os
import re
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki.cli.main import main
from tests.stages.experiments.peer import Bench, Row

TRIES = os.environ.get("KPKI_FUZZ")
EXAMPLES = settings(max_examples=int(TRIES or 100), derandomize=TRIES is None, deadline=None,
                    database=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                          HealthCheck.too_slow])

# What docs/stages.md has under "How the verbs differ": a sentence of kpki's → why openssl does
# otherwise.
DOCUMENTED = {
    "is not supported": "refused by name", "kpki reads no": "bounds of size",
    "is not loaded": "openssl reads a module", "policy:file:": "a proxy's policy out of a file",
    "unknown option or digest: -issuer": "openssl takes a slip of the pen for a digest that it "
    "never uses", "unknown option or digest: -C": "the same",
}
# A line that openssl answers as if the certificate had no other extension than those of -ext.
ONLY_EXT = re.compile(r"(?=.* -ext )(?=.* -(purpose|check(host|ip|email)|email|ocsp_uri))x509 ")

WORD = st.sampled_from(["a", "b c", "B", "C d", "DE", "EE", "1.2", "aa", '"q,r"', "x#y", "$v",
                        "${v}", "$w::v", "${ENV::V}", "\\x", "a\\\n b", "'s'", "ü", "", "1.2.3",
                        "-1", "0x10", "TRUE", "a:b", "a;b", "@n", "n", "critical"])
OBJECT = st.sampled_from("1.2.3 2.5.29.17 CN commonName serverAuth anyPolicy 1 3.4 1.2.3.4.5 foo "
                         "OCSP".split())
NAME = st.sampled_from(["DNS:a", "DNS.2:*.b", "IP:1.2.3.4", "IP:::1", "IP:1.2.3", "email:a@b",
                        "email:copy", "URI:http://a", "RID:1.2.3", "RID:foo", "dirName:d",
                        "dirName:gone", "otherName:1.2.3;UTF8:a", "otherName:1.2.3",
                        "otherName:1.2.3;SEQUENCE:n", "DNS: a ", "DNS", "dns:a", "@n",
                        "issuer:copy", "DNS:a:b"])
ASN1 = st.recursive(
    st.sampled_from(["NULL", "BOOL:TRUE", "BOOL:maybe", "INT:5", "INT:-0x1F", "ENUM:3", "OID:1.2.3",
                     "OID:foo", "UTC:250101000000Z", "GENTIME:20250101000000Z", "UTC:x", "OCT:abc",
                     "FORMAT:HEX,OCT:0aff", "FORMAT:HEX,OCT:0", "BITSTR:ab",
                     "FORMAT:BITLIST,BITSTR:1,5", "UTF8:ü", "IA5:a", "PRINTABLE:a b", "T61:a",
                     "BMP:a", "UNIV:a", "NUMERIC:12", "VISIBLE:a", "SEQUENCE:n",
                     "SET:n", "SEQUENCE:gone", "SEQ:", "NOPE:1", "UTF8", "FORMAT:UTF8,UTF8:ü",
                     "FORMAT:UTF8,BMP:ü"]),
    lambda item: st.tuples(st.sampled_from(["EXP:0,", "EXPLICIT:5A,", "IMP:1,", "IMPLICIT:2P,",
                                            "OCTWRAP,", "SEQWRAP,", "SETWRAP,", "BITWRAP,",
                                            "EXP:x,", "EXP:99,"]), item).map("".join),
    max_leaves=2)


def listed(item: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One to three items between commas."""
    return st.lists(item, min_size=1, max_size=3).map(",".join)


def setting(name: str, *values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A line of an extension, sometimes critical."""
    return st.tuples(st.sampled_from(["", "", "", "critical,", "critical , "]),
                     st.one_of(*values)).map(
                         lambda pair: f"{name} = {pair[0]}{pair[1]}")


EXTENSION = st.one_of(
    setting("subjectAltName", listed(NAME), st.just("@n")), setting("issuerAltName", listed(NAME)),
    setting("basicConstraints",
            listed(st.sampled_from(["CA:TRUE", "CA:FALSE", "pathlen:1", "pathlen:-1", "CA:yes",
                                    "CA", "pathlen:0x2", "x:1"])), st.just("@bc")),
    setting("keyUsage", listed(st.sampled_from(["digitalSignature", "Digital Signature",
                                                "cRLSign", "keyCertSign:x", "decipherOnly", "nope",
                                                "contentCommitment"])), st.just("@n")),
    setting("extendedKeyUsage", listed(OBJECT), listed(st.sampled_from(
        ["TLS Web Server Authentication", "codeSigning", "OID:1.2.3", "a:serverAuth"]))),
    setting("authorityInfoAccess",
            listed(st.tuples(st.sampled_from(["OCSP;", "caIssuers;", "1.2.3;", "foo;", ""]),
                             NAME)
                   .map("".join))),
    setting("crlDistributionPoints", listed(NAME),
            st.sampled_from(["dp", "dp,dp", "gone", "URI:http://a,dp"])),
    setting("issuingDistributionPoint", listed(st.sampled_from([
        "onlyuser:TRUE", "onlyuser:FALSE", "relativename:d", "fullname:URI:http://a",
        "onlysomereasons:keyCompromise", "indirectCRL:x", "nope:1"])),
        st.just("@dp")),
    setting("certificatePolicies", listed(OBJECT),
            st.sampled_from(["@p", "1.2.3,@p", "@gone", "ia5org,1.2.3,@p", "ia5org"])),
    setting("policyConstraints",
            listed(st.sampled_from(["requireExplicitPolicy:1", "inhibitPolicyMapping:0", "nope:1",
                                    "requireExplicitPolicy:x"]))),
    setting("policyMappings", listed(st.tuples(OBJECT, OBJECT).map(":".join))),
    setting("inhibitAnyPolicy", WORD), setting("nsComment", WORD), setting("nsCertType", listed(
        st.sampled_from(["server", "SSL Server", "sslCA", "nope"]))),
    setting("nameConstraints", listed(st.tuples(
        st.sampled_from(["permitted;", "excluded;", ""]),
        st.one_of(NAME, st.just("IP:10.0.0.0/255.0.0.0"))).map("".join))),
    setting("tlsfeature",
            listed(st.sampled_from(["status_request", "5", "70000", "x", "status_request_v2:1"]))),
    setting("subjectKeyIdentifier",
            st.sampled_from(["hash", "none", "0102", "01:02", "x", "hash,x"])),
    setting("authorityKeyIdentifier", listed(st.sampled_from(
        ["keyid", "keyid:always", "issuer", "issuer:always", "none", "keyid:x", "nope"]))),
    setting("proxyCertInfo", listed(
        st.sampled_from(["language:id-ppl-inheritAll", "language:id-ppl-anyLanguage", "pathlen:1",
                         "policy:text:a", "policy:hex:0a", "language:1.2.3", "nope:1"]))),
    setting("noCheck", WORD), setting("ct_precert_poison", WORD), setting("crlNumber", WORD),
    setting("1.2.3.4", ASN1.map("ASN1:{}".format)), setting("1.2.3.4", ASN1.map("ASN1: {}".format)),
    setting("1.2.3.4",
            st.sampled_from(["DER:0500", "DER:05:00", "DER:05 00", "DER:0", "DER:", "x"])),
    setting("2.5.29.17", st.sampled_from(["DER:3000", "ASN1:NULL", "DNS:a"])),
    setting("nope", WORD))
LINE = st.one_of(
    st.tuples(st.sampled_from("v w DNS.1 IP CN 0.OU e::extra dn::O a,b sec::k $x [x".split()),
              WORD).map(" = ".join),
    st.sampled_from(["# a", "; b", "", ".pragma dollarid:on", ".pragma = abspath:true", ".pragma x",
                     ".pragma includedir:.", ".include part.cnf", ".include = part.cnf",
                     ".include gone.cnf", ".include $v", "v=$v$v", "[ e ]", "[n", "[  a b  ] c",
                     "k v", "= v", "v == w", "v\\=x = y", "openssl_conf = x", "oid_section = o",
                     "RANDFILE = r", "v = ${v", "v = $(v)", "v = $e::v", "v = 'a", "\t v = 1 ",
                     "a = b \\", "dollar$id = $x"]))
REQ = st.sampled_from([
    "prompt = no", "prompt = yes", "string_mask = nombstr", "string_mask = pkix",
    "string_mask = MASK:0x2", "string_mask = x", "string_mask = default", "utf8 = yes", "utf8 = x",
    "default_md = sha384", "default_md = nope", "attributes = at", "attributes = gone",
    "req_extensions = e", "x509_extensions = e", "req_extensions = gone", "encrypt_key = no",
    "default_bits = 5", "default_bits = x", "distinguished_name = other", "input_password = x",
    "oid_file = gone"])
FIELD = st.tuples(st.sampled_from(
    "C ST O OU CN O OU CN CN emailAddress 1.OU +CN DC serialNumber UID SN GN title foo 2.5.4.65 "
    "street businessCategory jurisdictionC O_default CN_min CN_value".split()),
                  WORD).map(" = ".join)
NAMED = st.lists(st.sampled_from([
    "DNS.1 = a", "IP.1 = 1.2.3.4", "IP.2 =", "DNS = $v", "email = copy", "URI = http://a,b",
    "otherName = 1.2.3;UTF8:x", "a = UTF8:x", "b = INT:1", "dirName = d", "CA = TRUE",
    "RID = 1.2"]), max_size=4).map("\n".join)
FIXED = """
[d]
CN = d
O = e
[bc]
CA = TRUE
pathlen = 2
[dp]
fullname = URI:http://a
reasons = keyCompromise, CACompromise
CRLissuer = dirName:d
[p]
policyIdentifier = 1.2.3
CPS.1 = http://a
userNotice.1 = @un
[un]
explicitText = UTF8:ü
organization = o
noticeNumbers = 1, 2
[other]
CN = other
[at]
challengePassword = abcd
[o]
myoid = 1.2.3.4.5
"""
CONFIGURATION = st.tuples(
    st.lists(LINE, max_size=1).map("\n".join), st.lists(REQ, max_size=2).map("\n".join),
    st.lists(FIELD, max_size=2).map("\n".join), st.lists(EXTENSION, min_size=1, max_size=2)
    .map("\n".join), NAMED, st.lists(LINE, max_size=1).map("\n".join)).map(
        lambda parts: ("v = 1\n{}\n[req]\nprompt = no\ndistinguished_name = dn\n{}\n[dn]\nCN = a\n"
                       "{}\n[e]\n{}\n[n]\n{}\n{}").format(*parts) + FIXED)
WORDS = st.lists(st.sampled_from([
    "-subj /CN=a/O=b", "-subj /CN=ü -utf8", "-subj /CN=a+OU=b/O=", "-subj '/CN=a\\/b'",
    "-subj /foo=a", "-subj ''", "-reqexts e", "-extensions e", "-extensions n",
    "-addext subjectAltName=dirName:d", "-addext subjectAltName=@n",
    "-addext certificatePolicies=@p", "-addext 1.2.3=ASN1:SEQUENCE:n", "-addext keyUsage=cRLSign",
    "-addext 'nsComment = a # b'", "-section e", "-section req", "-sha512", "-sha3-256", "-md5",
    "-batch", "-utf8", "-newhdr", "-verify", "-days 3", "-nodes", "-extensions gone",
    "-reqexts gone", "-subj /C=DEU", "-subj /CN=a/CN=b", "-section gone",
    "-addext subjectAltName=email:copy", "-addext keyUsage=x", "-addext 'critical=x'",
    "-addext basicConstraints=critical,CA:TRUE", "-addext authorityKeyIdentifier=keyid,issuer",
    "-sm3", "-sha512-256", "-key rsa.pem -sha1", "-keyform DER", "-out -", "-copy_extensions copy",
    "-set_serial 2", "-outform PEM", "-multivalue-rdn", "-verbose", "-key ec.pem", "-key rsa.der"]),
    max_size=3).map(" ".join)
SIGNING = st.lists(st.sampled_from([
    "-extensions e", "-extensions n", "-extensions gone", "-copy_extensions copy",
    "-copy_extensions copyall", "-clrext", "-sha384", "-subj /CN=z", "-days 3",
    "-force_pubkey ec.pub", "-in plain.csr", "-in asks.csr", "-preserve_dates",
    "-sm3", "-force_pubkey rsa.pub", "-subj /CN=z+O=b/C=DE", "-days 0", "-in plain.der -inform DER",
    "-CAform DER", "-md5", "-set_serial 0x7", "-in ec.csr"]), max_size=3).map(" ".join)
PART = "v = part\nCN = part\n[e]\nkeyUsage = cRLSign\n"


def differs(told: str) -> bool:
    """Whether kpki refused with a sentence that docs/stages.md has."""
    return any(sentence in told for sentence in DOCUMENTED)


@EXAMPLES
@given(text=CONFIGURATION, words=WORDS,
       command=st.sampled_from(["req -new", "req -x509 -new -set_serial 1"]))
def test_req(bench: Bench, capsys: pytest.CaptureFixture[str], text: str, words: str,
             command: str) -> None:
    """req writes what openssl writes of any configuration, and fails where it fails."""
    (bench.folder / "part.cnf").write_text(PART)
    capsys.readouterr()
    theirs, ours = bench.outcome(f"{command} -key rsa.pem -config file.cnf",
                                 Row(True, text, words, environment={"V": "v"}))
    assert ours == theirs or differs(capsys.readouterr().err)


@EXAMPLES
@given(text=CONFIGURATION, words=SIGNING,
       ways=st.sampled_from(["-CA ca.pem -CAkey ec.pem", "-CA noski.pem -CAkey ec.pem",
                             "-signkey rsa.pem", "-CA rsaca.pem -CAkey rsa.pem",
                             "-CA v1.pem -CAkey ec.pem"]))
def test_sign(bench: Bench, capsys: pytest.CaptureFixture[str], text: str, words: str,
              ways: str) -> None:
    """x509 -req signs what openssl signs with any extfile."""
    (bench.folder / "part.cnf").write_text(PART)
    capsys.readouterr()
    theirs, ours = bench.outcome("x509 -req -in asks.csr -set_serial 1 -extfile file.cnf "
                                 f"-extensions e {ways}",
                                 Row(True, text, words, environment={"V": "v"}))
    assert ours == theirs or differs(capsys.readouterr().err)


FILES = ["plain.csr", "asks.csr", "ec.csr", "plain.der", "ca.pem", "ca.der", "v1.pem", "noski.pem",
         "rsa.pem", "trusted.pem", "gone.pem", "cut.csr", "bench.cnf"]
COMMON = ["-noout", "-noout", "-text", "-subject", "-modulus", "-pubkey", "-nameopt RFC2253",
          "-nameopt multiline,-esc_msb", "-nameopt compat", "-nameopt nope", "-inform DER",
          "-inform PEM", "-outform DER", "-outform P", "-sha256", "extra", "-in", "-noout",
          "-nameopt lname,sep_multiline,align", "-nameopt oid,dn_rev,space_eq", "-out -",
          "-nameopt RFC2253,-esc_msb", "-nameopt dump_all,dump_der,show_type", "-provider default",
          "-rand rsa.pem", "-rand gone", "-vfyopt a:b"]
LOOKS = {
    "req": [*COMMON, "-verify", "-newhdr", "-reqopt no_sigdump", "-config bench.cnf", "-days 3",
            "-batch", "-issuer", "-key rsa.pem", "-key gone", "-key ec.pem -verify",
            "-reqopt no_attributes,no_pubkey", "-reqopt ext_dump", "-reqopt ca_default",
            "-section req", "-nodes", "-utf8", "-verbose", "-multivalue-rdn",
            "-subject -nameopt oneline", "-section gone", "-addext keyUsage=cRLSign",
            "-config gone.cnf", "-passin pass:x", "-set_serial 1", "-set_serial x"],
    "x509": [
        *COMMON, "-issuer", "-serial", "-dates", "-startdate", "-enddate", "-dateopt iso_8601",
        "-fingerprint", "-purpose", "-ext subjectAltName", "-ext keyUsage,basicConstraints",
        "-ext nope", "-checkend 60", "-checkend x", "-checkhost ca", "-checkip 10.0.0.1",
        "-checkemail a@b", "-hash", "-issuer_hash", "-subject_hash_old", "-email", "-ocsp_uri",
        "-ocspid", "-alias", "-certopt no_pubkey,no_sigdump", "-certopt ca_default", "-nocert",
        "-days 3", "-next_serial", "-trustout", "-addtrust serverAuth", "-addtrust 1.2.3",
        "-addreject clientAuth", "-addtrust nope", "-setalias x", "-clrtrust", "-clrreject", "-C",
        "-sm3", "-md5-sha1", "-shake256", "-RSA-SHA256", "-checkend -60", "-checkend 0x10",
        "-checkhost CA", "-checkip ::1", "-checkip 10.0.0.2", "-certopt ext_error",
        "-certopt ext_dump,no_header", "-certopt -no_pubkey", "-certopt no_aux", "-certopt nope",
        "-dates -dateopt rfc_822", "-dateopt nope", "-ext keyUsage,nope", "-ext 2.5.29.15",
        "-issuer_hash_old", "-keyform DER", "-CAform DER", "-CAserial gone", "-CAcreateserial",
        "-CAkey gone", "-extensions e", "-copy_extensions copy", "-copy_extensions x"]}
LINES = st.sampled_from(["req", "x509"]).flatmap(
    lambda verb: st.tuples(st.just(verb), st.lists(st.sampled_from(LOOKS[verb]), max_size=4)))


@EXAMPLES
@given(line=LINES, name=st.sampled_from(FILES))
def test_looks(bench: Bench, capsys: pytest.CaptureFixture[str], line: tuple[str, list[str]],
               name: str) -> None:
    """A look at a file shows what openssl shows, with its exit status."""
    words = [line[0], "-in", name, *(word for look in line[1] for word in look.split())]
    done = subprocess.run(["openssl", *words], cwd=bench.folder, stdin=subprocess.DEVNULL,
                          capture_output=True)
    output = io.TextIOWrapper(io.BytesIO())
    bench.set_input(io.TextIOWrapper(io.BytesIO(b"")))
    bench.set_output(output)
    capsys.readouterr()
    status = main(words)
    output.flush()
    output.seek(0)
    ours, theirs = (status, output.buffer.read() if status == 0 else b""), (
        done.returncode, done.stdout if done.returncode == 0 else b"")
    assert ours == theirs or differs(capsys.readouterr().err) or ONLY_EXT.match(" ".join(words))
