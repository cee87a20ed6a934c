"""Distinguished names: from a section, from -subj, from the dialogue (openssl-req(1),
ASN1_STRING_set_by_NID)."""
from __future__ import annotations

import pytest

from tests.stages.experiments.peer import SUBJECT, Bench, Row, dn, no, rows, yes

COMMAND = "req -new -key rsa.pem -config file.cnf"
ASKS = "[req]\ndistinguished_name=dn\n"


def masked(mask: str, text: str) -> str:
    """A configuration with a string mask."""
    return dn(text, f"string_mask={mask}")


FIELDS = {
    "short and long names": [
        yes(dn("C=DE\nST=a\nL=b\nO=c\nOU=d\nCN=e")),
        yes(dn("countryName=DE\nstateOrProvinceName=a\nlocalityName=b\norganizationName=c\n"
               "organizationalUnitName=d\ncommonName=e\nemailAddress=f@g")),
        yes(dn("CN=a\nSN=b\nGN=c\ninitials=d\nserialNumber=1\ntitle=t\ndnQualifier=q\npseudonym=p\n"
               "DC=x\nUID=u\nname=n")),
        yes(dn("street=s\npostalCode=1\nCN=a\nunstructuredName=u\ndescription=d"))],
    "unknown names are refused": [
        no(dn("CN=a\nE=x")), no(dn("CN=a\nemail=x")), no(dn("CN=a\nS=x")), no(dn("cn=a")),
        no(dn("CN=a\nDNS.1=x")), no(dn("CN=a\nsubjectAltName_x=DNS:x"))],
    "any known object is an attribute": [yes(dn("CN=a\nsubjectAltName=DNS:x")),
                                         yes(dn("CN=a\nserverAuth=x"))],
    "an OID needs a prefix": [
        yes(dn("x.2.5.4.3=a")), no(dn("2.5.4.3=a")), yes(dn("1.2.5.4.3=a")), yes(dn("x.1.2.3.4=a")),
        no(dn("x.1.99=a"))],
    "a prefix ends at the first . , or :": [
        yes(dn("0.OU=a\n1.OU=b\nCN=c")), yes(dn("a,OU=a\nCN=c")), yes(dn("b;c.OU=a")),
        no(dn("0.1.OU=a")), yes(dn("0.organizationName=a\nCN=c")), no(dn("..OU=a\nCN=b")),
        yes(dn(".OU=a"))],
    "+ joins the RDN before": [
        yes(dn("CN=a\n+OU=b")), yes(dn("CN=a\n0.+OU=b")), yes(dn("+CN=a\nO=b")),
        yes(dn("O=b\nCN=a\n+OU=z\n+L=y\nST=x")),
        yes(dn("CN=a\n+0.OU=b")), no(dn("CN=a\n++OU=b")), yes(dn("OU=z\n+OU=z"))],
    "the order is the section's": [yes(dn("CN=a\nO=b\nC=DE")), yes(dn("C=DE\nO=b\nCN=a"))],
    "values are limited": [
        yes(dn("C=DE")), no(dn("C=D")), no(dn("C=DEU")), yes(dn("CN=" + "x" * 64)),
        no(dn("CN=" + "x" * 65)), yes(dn("O=" + "x" * 64)), no(dn("O=" + "x" * 65)),
        no(dn("OU=" + "x" * 65)), yes(dn("ST=" + "x" * 128)), no(dn("ST=" + "x" * 129)),
        yes(dn("L=" + "x" * 128)), no(dn("L=" + "x" * 129)), no(dn("CN=")), no(dn("CN=a\nO=")),
        yes(dn("emailAddress=" + "x" * 128)), no(dn("emailAddress=" + "x" * 129)),
        no(dn("serialNumber=" + "x" * 65)), yes(dn("SN=" + "x" * 300)),
        yes(dn("title=" + "x" * 300)), yes(dn("UID=")), yes(dn("dnQualifier=\nCN=a")),
        yes(dn("CN=" + "ü" * 32)), no(dn("CN=" + "ü" * 33)), yes(dn("CN=" + "ü" * 64), "-utf8")],
    "suffixes are no fields under prompt = no": [
        no(dn("CN=a\nCN_default=b")), no(dn("CN=a\nCN_max=3")), no(dn("CN=a\nCN_min=3")),
        no(dn("CN=a\nCN_value=3"))],
    "an empty or missing section":
        [no(dn("")), no(SUBJECT), yes(dn(""), "-subj /CN=a"),
         no(SUBJECT, "-subj /CN=a"), yes("", "-subj /CN=a"), no(""), no("[req]\nprompt=no\n"),
         yes("[req]\nprompt=no\n", "-subj /CN=a"), no(ASKS + "[dn]\n"), no(ASKS)],
}
STRINGS = {
    "PrintableString and IA5String where the attribute says so": [
        yes(dn("C=DE\nserialNumber=1\ndnQualifier=x\nemailAddress=a@b\nDC=x\njurisdictionC=DE")),
        no(dn("C=D*")), no(dn("emailAddress=ü@x")), no(dn("serialNumber=a_b")),
        no(dn("dnQualifier=a@b")), no(dn("DC=ü"))],
    "string_mask": [
        *(yes(masked(mask, "CN=a"))
          for mask in ("default", "nombstr", "pkix", "utf8only", "MASK:0x2002", "MASK:8194",
                       "MASK:020002", "MASK:0x0004", "MASK:0xFFFFFFFF", "MASK:0x10", "MASK:0")),
        *(yes(masked(mask, "CN=a*b"))
          for mask in ("default", "nombstr", "pkix", "utf8only", "MASK:0x2002")),
        *(no(masked(mask, "CN=a"))
          for mask in ("none", "utf8", "MASK:", "MASK:x", "UTF8ONLY", "MASK:0x2002 x")),
        *(yes(masked(mask, "CN=ü")) for mask in ("default", "nombstr", "pkix", "utf8only")),
        *(yes(masked(mask, "CN=ü"), "-utf8")
          for mask in ("default", "nombstr", "pkix", "utf8only")),
        *(yes(masked(mask, "CN=\u20ac"), "-utf8") for mask in ("default", "pkix", "utf8only")),
        no(masked("nombstr", "CN=\u20ac"), "-utf8"), yes(masked("nombstr", "CN=\u20ac")),
        yes(masked("default", "CN=\U0001f600"), "-utf8"),
        no(masked("MASK:0x800", "CN=\U0001f600"), "-utf8"),
        yes(masked("pkix", "CN=a_b\nO=a@b\nOU=a&b\nL=(a)+,-./:=?'")),
        yes(masked("MASK:0x2100", "CN=x"))],
    "without utf8 the bytes are Latin-1": [
        yes(dn("CN=München")), yes(dn("CN=München"), "-utf8"),
        yes(dn("CN=München", "utf8=yes")),
        yes(dn("CN=München", "utf8=Yes")), yes(dn("CN=a\udcff")),
        no(dn("CN=a\udcff"), "-utf8"),
        no(dn("CN=a\udced\udca0\udc80"), "-utf8"), yes(dn("CN=x"), "-subj /CN=München"),
        yes(dn("CN=x"), "-utf8 -subj /CN=München"), yes(dn("CN=\u4f60\u597d"), "-utf8"),
        no(dn("CN=\udcf4\udc90\udc80\udc80"), "-utf8"),
        no(dn("CN=\udcc0\udc80"), "-utf8")],
}
SUBJECTS = {
    "/type=value": [
        *(yes(dn("O=x"), f"-subj '{text}'") for text in (
            "/CN=a", "/CN=a/O=b", "/O=b/CN=a", "/CN=a/CN=b", "/", "/CN=a,b", "/CN=a=b",
            "/commonName=a", "/CN=a /O= b", "/CN=a+OU=b", "/CN=a+OU=b/O=c", "/2.5.4.3=a",
            "/CN=a\\/b", "/CN=a\\+b", "/CN=a\\\\b", "/CN=a\\nb", "/CN=a;b", '/CN="a"',
            "/O=system:masters/CN=kubernetes-admin", "/CN=system:node:n1/O=system:nodes",
            "/C=DE/ST=x/L=y", "/CN=a/", "//CN=a", "/CN=a//O=b", "/emailAddress=a@b/CN=x",
            "/serialNumber=1", "/CN=*.a.b"))],
    "what is unknown or empty is left out": [
        yes(dn("O=x"), "-subj '/cn=a/O=b'"), yes(dn("O=x"), "-subj '/CN = a/O=b'"),
        yes(dn("O=x"), "-subj '/CN=a/ST=/O=b'"),
        yes(dn("O=x"), "-subj '/CN=a/E=b'"), yes(dn("O=x"), "-subj '/1.2.3.4.5=b/CN=a'"),
        yes(dn("O=x"), "-subj '/CN='"),
        yes(dn("O=x"), "-subj '/0.OU=a/CN=b'"), yes(dn("O=x"), "-subj '/cn=a+OU=b'"),
        yes(dn("O=x"), "-subj '/O=x/cn=a+OU=b'"),
        yes(dn("O=x"), "-subj '/O=x+cn=a/OU=b'")],
    "what cannot be read is refused": [
        no(dn("O=x"), "-subj 'CN=a'"), no(dn("O=x"), "-subj ''"), no(dn("O=x"), "-subj '/CN'"),
        no(dn("O=x"), "-subj '/CN=a/b'"), no(dn("O=x"), "-subj '/C=DEU'"),
        no(dn("O=x"), "-subj '/CN=a\\'"), no(dn("O=x"), f"-subj '/CN={'x' * 65}'"),
        no(dn("O=x"), "-subj 'x/CN=a'"), no(dn("O=x"), "-subj '/CN=a/C=D*'"),
        no(dn("O=x"), "-subj ' /CN=a'")],
    "it replaces the section and the attributes": [
        yes(dn("O=x") + "[req]\nattributes=at\n[at]\nchallengePassword=abcd\n", "-subj /CN=a"),
        yes(dn("bad=x"), "-subj /CN=a"), yes(masked("nombstr", "O=x"), "-subj /CN=a_b"),
        no(masked("bad", "O=x"), "-subj /CN=a"), yes(dn("O=x"), "-subj /CN=a+OU=b -multivalue-rdn"),
        yes(dn("O=x"), "-subj /CN=a -subj /CN=b")],
}
FULL = ASKS + """[dn]
C=Country
C_default=DE
C_min=2
C_max=2
0.O=Organization
0.O_default=o
+OU=Unit
CN=Name
CN_max=5
"""
DIALOGUE = {
    "an answer is the value, an empty one the default, . leaves it out": [
        yes(FULL, answers="US\nx\ny\nz\n"), yes(FULL, answers="\n\n\n\n"),
        yes(FULL, answers=".\n.\n\nz\n"), yes(FULL, answers="US\n\n\n.\n"),
        no(FULL, answers=".\n.\n.\n.\n"), yes(FULL, answers=" US\n"[1:] + " x \n\n a \n")],
    "the input may not end": [no(FULL, answers=""), no(FULL, answers="US\n"),
                              no(FULL, answers="US\nx\ny\nz")],
    "an answer that does not fit is asked again": [
        yes(FULL, answers="USA\nUS\nx\ny\nz\n"), yes(FULL, answers="\n\n\ntoo long\nok\n"),
        no(FULL, answers="U\n"), yes(FULL, answers="\n\n\nüüü\nü\n")],
    "-batch takes the defaults": [
        yes(FULL, "-batch"), no(ASKS + "[dn]\nCN=kube-apiserver\n", "-batch"),
        yes(ASKS + "[dn]\nCN=x\nCN_default=a\n", "-batch"),
        no(ASKS + "[dn]\nCN=x\nCN_default=abc\nCN_max=2\n", "-batch"),
        no(ASKS + "[dn]\nCN=x\nCN_default=a\nCN_min=2\n", "-batch"),
        yes(ASKS + "[dn]\nCN=x\nCN_default=a\nCN_min=x\n", "-batch"),
        no(ASKS + "[dn]\nC=x\nC_default=abc\n", "-batch"),
        yes(ASKS + "[dn]\nCN=x\nCN_default=.\n", "-batch")],
    "_value forces": [
        yes(ASKS + "[dn]\nCN=x\nCN_value=a\n", "-batch"), yes(ASKS + "[dn]\nCN=x\nCN_value=a\n"),
        yes(ASKS + "[dn]\nCN=x\nCN_value=a\nCN_default=b\nO=q\n", answers="o\n"),
        no(ASKS + "[dn]\nCN=x\nCN_value=abc\nCN_max=2\n")],
    "unknown fields are passed over": [
        yes(ASKS + "[dn]\nfoo=x\nfoo_default=y\nCN=x\nCN_default=a\n", "-batch"),
        no(ASKS + "[dn]\nfoo=x\nfoo_default=y\n", "-batch"),
        yes(ASKS + "[dn]\n1.foo=x\nCN=x\nCN_default=a\n", "-batch"),
        yes(ASKS + "[dn]\nCN=x\nCN_default=a\n+O=x\n+O_default=b\n", "-batch")],
    "attributes are asked for as well": [
        yes(FULL + "[req]\nattributes=at\n[at]\nchallengePassword=Secret\n"
            "challengePassword_min=4\n",
            answers="\n\n\n\nabcd\n"),
        yes(FULL + "[req]\nattributes=at\n[at]\nchallengePassword=Secret\n"
            "challengePassword_min=4\n",
            answers="\n\n\n\nab\nabcd\n"),
        yes(FULL + "[req]\nattributes=at\n[at]\nchallengePassword=Secret\n", answers="\n\n\n\n\n"),
        no(FULL + "[req]\nattributes=at\n[at]\nchallengePassword=Secret\n", answers="\n\n\n\n"),
        yes(FULL + "[req]\nattributes=at\n[at]\nunstructuredName=x\nunstructuredName_default=y\n"
            "foo=bar\n", "-batch")],
    "-subj asks nothing": [yes(FULL, "-subj /CN=a"),
                           yes(FULL + "[req]\nattributes=at\n[at]\nchallengePassword=x\n",
                               "-subj /CN=a")],
}


@pytest.mark.parametrize("row", rows(FIELDS | STRINGS))
def test_sections(bench: Bench, row: Row) -> None:
    """A section gives the name, in the string types, that it gives under openssl."""
    bench.agree(COMMAND, row)


@pytest.mark.parametrize("row", rows(SUBJECTS))
def test_subj(bench: Bench, row: Row) -> None:
    """-subj text gives the name that it gives under openssl."""
    bench.agree(COMMAND, row)


@pytest.mark.parametrize("row", rows(DIALOGUE))
def test_dialogue(bench: Bench, row: Row) -> None:
    """Answers on standard input give the request that they give under openssl."""
    bench.agree(COMMAND, row)
