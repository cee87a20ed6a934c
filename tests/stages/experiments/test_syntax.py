"""How a configuration file is read (config(5)): every rule with what keeps it and what breaks
it."""
from __future__ import annotations

import pytest

from tests.stages.experiments.peer import SUBJECT, Bench, Row, dn, no, rows, yes

COMMAND = "req -new -key rsa.pem -config file.cnf"

COMMENTS = {
    "# starts a comment, glued to the value too": [
        yes(dn("CN = x#y")), yes(dn("CN = x # y")), yes(dn("# all\n  # indented\nCN=x")),
        yes(dn("CN=x\\#y")), yes(dn('CN="x#y"')), no(dn("CN=#y")), yes(dn("O=a#\nCN=b"))],
    "; is no comment": [no(dn("; text\nCN=x")), yes(dn("CN=x ; y")), no(dn(";=x\nCN=y"))],
    "blank lines say nothing": [yes(dn("\n\n   \n\t\nCN=x\n\n"))],
}
QUOTES = {
    "three quotes quote, and are dropped": [
        yes(dn('CN="a b"')), yes(dn("CN='a b'")), yes(dn("CN=`a b`")), yes(dn('CN=a"b c"d')),
        yes(dn('CN="a" "b"')), yes(dn('CN="  a  "')), no(dn('CN=""')), yes(dn('CN="a\'b"')),
        yes(dn("CN='a\"b'"))],
    "$ stays in quotes": [
        yes(dn('CN="$ENV::V"'), V="1"), yes(dn("CN='$x'")), yes(dn("CN=`${x}`")), no(dn("CN=$x"))],
    "a backslash in quotes is dropped": [
        yes(dn('CN="a\\"b"')), yes(dn('CN="a\\nb"')), yes(dn('CN="a\\\\b"')),
        yes(dn('CN="a\\$b"'))],
    "an unmatched quote runs to the end of the line": [
        yes(dn("CN=Bob's")), yes(dn("CN=Bob's # c")), yes(dn("CN=Bob # it's\nO=x")),
        yes(dn('CN="a\nO=b')), yes(dn("O=Bob's\nCN=b's"))],
}
ESCAPES = {
    "n, r, b and t are control characters": [
        yes(dn("CN=a\\nb")), yes(dn("CN=a\\tb")), yes(dn("CN=a\\rb")), yes(dn("CN=a\\bb"))],
    "any other escaped character is itself": [
        yes(dn("CN=a\\xb")), yes(dn("CN=a\\$b")), yes(dn("CN=a\\\\b")), yes(dn("CN=a\\#b")),
        yes(dn("CN=a\\x41")), yes(dn("CN=a\\ ")), yes(dn("CN=\\ a")), yes(dn('CN=a\\"b')),
        yes(dn("CN=a%41b"))],
    "blanks round a value go, those inside stay": [
        yes(dn("CN =  a  b  ")), yes(dn("\tCN\t=\ta\tb\t")), yes(dn("   CN=a")),
        yes(dn("CN=\u00a0a"), "-utf8")],
}
LINES = {
    "a backslash at the end joins the next line": [
        yes(dn("CN=a\\\nb")), yes(dn("CN=a\\\n   b")), yes(dn("CN=a \\\n b \\\n c")),
        yes(dn("C\\\nN=a"))],
    "two backslashes at the end do not": [
        yes(dn("CN=a\\\\\nO=b")), yes(dn("CN=a\\\\\\\nO=b")), yes(dn("CN=a\\ \nO=b"))],
    "joining comes before comments": [no(dn("# text \\\nCN=a")), yes(dn("# text \\\nCN=a\nO=b"))],
    "CRLF, no final line end, a BOM": [
        yes("[req]\r\nprompt=no\r\ndistinguished_name=dn\r\n[dn]\r\nCN=a\r\nO=b\r\n"),
        yes(dn("CN=a").rstrip()), yes("\ufeff" + dn("CN=a")),
        yes("[req]\r\nprompt=no\r\ndistinguished_name=dn\r\n[dn]\r\nCN=a\\\r\nb\r\n"),
        yes(dn("CN=a\rO=b")), yes(dn("CN=a\\\n").rstrip("\n")), no(dn("CN=a\n\ufeff")),
        no(dn("\ufeffCN=a"))],
    "a line may be long": [yes(dn("# " + "x" * 9000 + "\nCN=a")), no(dn("CN=" + "x" * 9000))],
}
SECTIONS = {
    "blanks round a section's name do not count, those inside do": [
        yes("[ req ]\nprompt=no\ndistinguished_name=my dn\n[ my dn ]\nCN=a"),
        yes(f"{SUBJECT}  [dn]\nCN=a"), no("[req]\nprompt=no\ndistinguished_name=my dn\n[my  dn]\n"
                                          "CN=a"), yes(f"{SUBJECT}[\tdn\t]\nCN=a")],
    "text after ] does not count": [
        yes(f"{SUBJECT}[dn] text\nCN=a"), yes(f"{SUBJECT}[dn]CN=b\nCN=a"),
        yes(f"{SUBJECT}[dn] # x\nCN=a")],
    "an unclosed name is an error": [
        no(f"{SUBJECT}[dn\nCN=a"), no(f"{SUBJECT}[dn]\nCN=a\n[x\n"),
        no(f"{SUBJECT}[dn]\nCN=a\n[x #]\n")],
    "a section opened again goes on": [
        yes(f"{SUBJECT}[dn]\nCN=a\n[x]\ny=1\n[dn]\nO=b"), yes(f"{SUBJECT}[dn]\nCN=a\n[dn]\nCN=b")],
    "names keep their case": [
        no(f"{SUBJECT}[DN]\nCN=a\n"), no("[REQ]\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=a\n"),
        no(dn("cn=a"))],
    "any character but ] may be in one": [
        yes("[req]\nprompt=no\ndistinguished_name=d.n-x_1\n[d.n-x_1]\nCN=a"),
        yes("[req]\nprompt=no\ndistinguished_name=a;b\n[a;b]\nCN=a"),
        no("[req]\nprompt=no\ndistinguished_name=a(b\n[a(b]\nCN=a"),
        yes(f"[]\nx=1\n{dn('CN=a')}"), no(f"[a[b]\nx=1\n{dn('CN=a')}")],
}
KEYS = {
    "a key has letters, digits and some signs": [
        *(yes(f"[x]\na{sign}b=1\n{dn('CN=a')}") for sign in "!%&*+,-./;?@^_|~"),
        *(no(f"[x]\na{sign}b=1\n{dn('CN=a')}") for sign in ":'\"`$()<>[]{} ")],
    "a line without = is an error": [no(dn("CN a")), no(dn("CN: a")), no(dn("CN=a\nbad")),
                                     yes(dn("CN=a\n[y]\n=v"))],
    "the first = divides": [yes(dn("CN=a=b")), yes(dn("CN==a")), yes(dn("CN=a = b"))],
    "section::key stores elsewhere": [
        yes(f"dn::CN=a\n{SUBJECT}[dn]\nO=b"), yes(f"{SUBJECT}dn::CN=a\ndn::O=b\n"),
        no(f"{SUBJECT}x::CN=a\n[dn]\n")],
    "the last of one key wins and stands in the later place": [
        yes(dn("CN=1\nO=o\nCN=2")), yes(dn("CN=1\nCN=1")), yes(dn("O=1\nOU=2\nO=3\nCN=c"))],
}
VARIABLES = {
    "three spellings": [yes(dn("O=x\nCN=$O")), yes(dn("O=x\nCN=${O}")), yes(dn("O=x\nCN=$(O)")),
                        yes(dn("O=x\nCN=a$O-b")), no(dn("O=x\nCN=${O")), no(dn("O=x\nCN=$(O}"))],
    "another section's": [
        yes(f"[x]\ny=1\n{dn('CN=$x::y')}"), yes(f"[x]\ny=1\n{dn('CN=${x::y}')}"),
        no(f"[x]\ny=1\n{dn('CN=$x::z')}"), yes(f"z=2\n[x]\ny=1\n{dn('CN=$x::z')}"),
        yes(f"[x]\ny=1\n{dn('CN=$(x::y)')}")],
    "names are letters, digits and _": [yes(dn("O=x\nCN=$O.b")), yes(dn("O=x\nCN=$O-b")),
                                        no(dn("O=x\nCN=$O_b"))],
    "only earlier lines count": [no(dn("CN=$O\nO=x")), no(f"{dn('CN=$z::y')}[z]\ny=1\n")],
    "a bare $ is an error": [no(dn("CN=a$")), no(dn("CN=$ a")), no(dn("CN=a$-")), no(dn("CN=$$"))],
    "the environment stands in ENV": [
        yes(dn("CN=$ENV::V"), V="1"), yes(dn("CN=${ENV::V}x"), V="1"),
        no(dn("CN=$V"), V="1"), no(dn("CN=$ENV::V")), no(f"{dn('CN=a')}[x]\ny=$ENV::V\n"),
        no(dn("CN=$ENV::V"), V=""), yes(dn("O=a$ENV::V"), V=""), yes(dn("CN=$ENV::V"), V="a#b"),
        yes(dn("CN=$ENV::V"), V="'q' $x \\n")],
    "ENV falls back to the default section": [
        yes("V=top\n" + dn("CN=$ENV::V")), yes("V=top\n" + dn("CN=$ENV::V"), V="env"),
        yes("[ENV]\nV=sec\n" + dn("CN=$ENV::V"), V="env"), yes("V=top\n" + dn("CN=$V"))],
    "what is expanded is not read again": [
        yes(dn("O='$x'\nCN=$O")), yes(dn('O="a#b"\nCN=$O')), yes(dn("O=a\\\\nb\nCN=$O"))],
    "section names are expanded, keys are not": [
        yes("d=dn\n[req]\nprompt=no\ndistinguished_name=$d\n[dn]\nCN=a"), no(dn("O=CN\n$O=a")),
        no("d=dn\n[req]\nprompt=no\ndistinguished_name=dn\n[$d]\nCN=a")],
    "an expansion has its limit": [
        no(dn("x=" + "y" * 60000 + "\nCN=$x$x")),
        no("x=" + "y" * 60000 + "\n" + dn("CN=a\n") + "[z]\nw=$x$x\n"),
        yes("x=" + "y" * 30000 + "\n" + dn("CN=a\n") + "[z]\nw=$x$x\n")],
}
DEFAULTS = {
    "keys before a header are the default section's, where single settings are looked for too": [
        yes("prompt=no\ndistinguished_name=dn\n[dn]\nCN=a"),
        yes("prompt=no\n[req]\ndistinguished_name=dn\n[dn]\nCN=a"),
        yes("distinguished_name=dn\n[req]\nprompt=no\n[dn]\nCN=a"),
        yes("string_mask=nombstr\n" + dn("CN=a")), yes("default_md=sha512\n" + dn("CN=a")),
        yes("[default]\nprompt=no\n[req]\ndistinguished_name=dn\n[dn]\nCN=a")],
    "lists do not fall back": [no("CN=a\n" + dn("")), no("CN=a\n" + SUBJECT)],
    "values keep their case": [
        no("[req]\nprompt=No\ndistinguished_name=dn\n[dn]\nCN=a"),
        no("[req]\nprompt=NO\ndistinguished_name=dn\n[dn]\nC=a"),
        no("[req]\nPrompt=no\ndistinguished_name=dn\n[dn]\nCN=a"),
        no("[req]\nprompt=false\ndistinguished_name=dn\n[dn]\nCN=a\n")],
}
PRAGMAS = {
    ".pragma": [
        yes(".pragma dollarid:on\n" + dn("CN=$x")),
        yes(".pragma dollarid:on\nx=1\n" + dn("CN=${x}")),
        yes(".pragma = dollarid : true\n" + dn("CN=a$")),
        no(".pragma dollarid:maybe\n" + dn("CN=a")), yes(".pragma other:1\n" + dn("CN=a")),
        no(".pragma dollarid\n" + dn("CN=a")), no(".pragma\n" + dn("CN=a")),
        no(".pragma :on\n" + dn("CN=a")), yes(".pragma dollarid:off\nx=1\n" + dn("CN=$x")),
        no(".pragma abspath:true\n.include x.cnf\n" + dn("CN=a")),
        yes(".pragma includedir:parts\n.include n.cnf\n" + SUBJECT)],
    ".include": [
        yes(SUBJECT + ".include parts/n.cnf\n"), yes(SUBJECT + ".include = parts/n.cnf\n"),
        yes(SUBJECT + ".include parts\n"), yes(dn("CN=a") + ".include nothing.cnf\n"),
        yes(dn("CN=a") + ".include parts/after.cnf\nL=x\n"),
        no(dn("CN=a") + ".include parts/bad.cnf\n"),
        yes(SUBJECT + ".include $ENV::D/n.cnf\n", D="parts"),
        yes(SUBJECT + ".includes parts/n.cnf\n"), no(SUBJECT + ".inclu parts/n.cnf\n"),
        no(SUBJECT + ".include\n"), yes(SUBJECT + ".include n.cnf\n", OPENSSL_CONF_INCLUDE="parts"),
        yes("p=parts\n" + SUBJECT + ".include $default::p/n.cnf\n"),
        yes(dn("CN=a\n.include parts/bare.cnf"))],
}
MODULES = {
    "oid_section adds names": [
        yes("oid_section=o\n[o]\nmy=1.2.3.4\n" + dn("CN=a\nmy=x")),
        no("[o]\nmy=1.2.3.4\n" + dn("CN=a\nmy=x")),
        no("oid_section=o\n[o]\nmy=My Long Name, 1.2.3.4\n" + dn("CN=a\nmy=x")),
        no("oid_section=o\n" + dn("CN=a")),
        no(dn("CN=a\nmy=x", "oid_section=o") + "[o]\nmy=1.2.3.4\n"),
        no("oid_section=o\n[o]\nmy=abc\n" + dn("CN=a")),
        no("oid_section=o\n[o]\nCN=1.2.3.4\n" + dn("CN=a")),
        no("oid_section=o\n[o]\nmy=2.5.4.3\n" + dn("CN=a")),
        no("oid_section=o\n[o]\na=1.2.3.4\nb=1.2.3.4\n" + dn("CN=a")),
        yes("oid_section=o\n[o]\na=1.2.3.4\nb=1.2.3.5\n" + dn("CN=a\nb=c\na=d"),
            "-subj /CN=x/a=y")],
    "openssl_conf loads modules": [
        yes("openssl_conf=i\n[i]\nproviders=p\n[p]\n" + dn("CN=a")),
        no("openssl_conf=i\n" + dn("CN=a")),
        no("openssl_conf=i\n[i]\nnonsense=p\n[p]\n" + dn("CN=a")),
        no("openssl_conf=i\n[i]\nengines=p\n" + dn("CN=a")),
        yes("openssl_conf=i\n[i]\noid_section=o\n[o]\nmy=1.2.3.4\n" + dn("CN=a\nmy=x")),
        yes("openssl_conf=i\n[i]\noid_section=o\n[o]\nmy=LongName, 1.2.3.4\n"
            + dn("CN=a\nLongName=x\nmy=y")),
        no("openssl_conf=i\n[i]\noid_section=o\n[o]\nmy=LongName, x\n" + dn("CN=a")),
        yes("openssl_conf=i\n[i]\noid_section=o\n[o]\nmy=CN, 1.2.3.4\n" + dn("CN=a\nmy=b")),
        no("openssl_conf=i\n[i]\noid_section=o\n[o]\nmy=commonName, 1.2.3.4\n" + dn("CN=a"))],
}
FILES = {"n.cnf": "[dn]\nCN=included\n", "after.cnf": "[zz]\nx=1\n", "bad.cnf": "no equal sign\n",
         "bare.cnf": "O=o\n", "ignored.txt": "bad\n"}


@pytest.mark.parametrize("row", rows(COMMENTS | QUOTES | ESCAPES | LINES | SECTIONS | KEYS))
def test_lines(bench: Bench, row: Row) -> None:
    """Comments, quotes, escapes, line ends, sections and keys are read as openssl reads them."""
    bench.agree(COMMAND, row)


@pytest.mark.parametrize("row", rows(VARIABLES | DEFAULTS))
def test_variables(bench: Bench, row: Row) -> None:
    """Variables, the environment and the default section mean what they mean to openssl."""
    bench.agree(COMMAND, row)


@pytest.mark.parametrize("row", rows(PRAGMAS | MODULES))
def test_directives(bench: Bench, row: Row) -> None:
    """Directives and modules do what they do under openssl."""
    folder = bench.folder / "parts"
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        if name != "bad.cnf" or "bad.cnf" in row.text:
            (folder / name).write_text(text)
        else:
            (folder / name).unlink(missing_ok=True)
    bench.agree(COMMAND, row)
