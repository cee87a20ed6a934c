"""What the lines of `req`, `x509` and `verify` read: configurations, pairs and trust settings, made
by openssl."""
from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from kpki import pem

CONFIGURATIONS = {
    "good.cnf": "[req]\nprompt=no\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\nC=XX\nO=o\n"
    "CN=good\n[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n[leaf]\n"
    "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n"
    "subjectAltName=DNS:node.example.com,IP:10.0.0.9\n[client]\nextendedKeyUsage=clientAuth\n"
    "[names]\nDNS.1=a\nIP.1=\n[empty]\nsubjectAltName=@names\n[noids]\nbasicConstraints=CA:TRUE\n"
    "subjectKeyIdentifier=none\n[sign]\nkeyUsage=digitalSignature\n[sub]\n"
    "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign\n[asking]\n"
    "subjectAltName=DNS:asked\nkeyUsage=cRLSign\n"
                "[policy]\nbasicConstraints=CA:TRUE\ncertificatePolicies=1.2.3,1.2.4\n"
                "[any]\nbasicConstraints=CA:TRUE\ncertificatePolicies=2.5.29.32.0\n"
    "inhibitAnyPolicy=0\n[held]\ncertificatePolicies=1.2.3\n[other]\ncertificatePolicies=1.2.5\n"
    "[needs]\nbasicConstraints=CA:TRUE\ncertificatePolicies=1.2.3\n"
    "policyConstraints=requireExplicitPolicy:0\n"
                "[maps]\nbasicConstraints=CA:TRUE\ncertificatePolicies=1.2.3\n"
    "policyMappings=1.2.3:1.2.5\n[proxy]\nproxyCertInfo=critical,language:id-ppl-anyLanguage,"
    "pathlen:0\n[odd]\n1.2.3.4=critical,DER:0500\n[constrained]\nbasicConstraints=CA:TRUE\n"
    "nameConstraints=critical,permitted;DNS:example.org\n",
    "asks.cnf": "[req]\ndistinguished_name=dn\nattributes=at\n[dn]\nCN=Common Name\nCN_default=by "
    "default\nCN_max=20\n[at]\nchallengePassword=A challenge\nchallengePassword_min=4\n",
    "ext.cnf": "basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:ext\n[v3]\n"
    "keyUsage=cRLSign\n[bad]\nfoo=bar\n",
    "mark.cnf": "\ufeff[req]\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=mark\n",
    "inner.cnf": "\ufeff[dn]\nCN=inner\n",
    "outer.cnf": "[req]\nprompt=no\ndistinguished_name=dn\n.include inner.cnf\n",
    "folder.cnf": "[req]\nprompt=no\ndistinguished_name=dn\n[dn]\n.include many\n",
    "broken.cnf": "[req\n",
    "many/b.cnf": "CN=b\n", "many/a.CONF": "O=a\n", "many/c.cnf": "OU=c\n", "many/d.txt": "L=d\n",
}
# name of a pair: its issuer ("" itself), the section of its extensions, its key's kind, its digest
PAIRS = {
    "root": ("", "ca", "rsa", "sha256"), "other": ("", "ca", "ec", "sha256"),
    "plain": ("", "", "ec", "sha256"), "weak": ("", "ca", "rsa1024", "sha256"),
    "ed": ("", "ca", "ed25519", "sha256"), "nosign": ("", "sign", "ec", "sha256"),
    "middle": ("root", "ca", "ec", "sha256"), "short": ("root", "sub", "ec", "sha256"),
    "deep": ("short", "ca", "ec", "sha256"), "nocas": ("root", "leaf", "ec", "sha256"),
    "leaf": ("middle", "leaf", "ec", "sha256"), "client": ("middle", "client", "ec", "sha256"),
    "sha1": ("middle", "leaf", "ec", "sha1"), "small": ("middle", "leaf", "rsa1024", "sha256"),
    "big": ("middle", "leaf", "p521", "sha512"), "ofweak": ("weak", "leaf", "ec", "sha256"),
    "ofshort": ("deep", "leaf", "ec", "sha256"), "ofnocas": ("nocas", "leaf", "ec", "sha256"),
    "ofed": ("ed", "leaf", "ed25519", "sha256"),
    "ofplain": ("plain", "leaf", "ec", "sha256"), "ofnosign": ("nosign", "leaf", "ec", "sha256"),
    "odd": ("middle", "odd", "ec", "sha256"), "policy": ("root", "policy", "ec", "sha256"),
    "any": ("root", "any", "ec", "sha256"), "needs": ("root", "needs", "ec", "sha256"),
    "maps": ("root", "maps", "ec", "sha256"), "held": ("policy", "held", "ec", "sha256"),
    "notheld": ("policy", "other", "ec", "sha256"), "ofany": ("any", "held", "ec", "sha256"),
    "ofneeds": ("needs", "leaf", "ec", "sha256"), "heldneeds": ("needs", "held", "ec", "sha256"),
    "mapped": ("maps", "other", "ec", "sha256"), "proxy": ("leaf", "proxy", "ec", "sha256"),
    "proxy2": ("proxy", "proxy", "ec", "sha256"), "limits": ("root", "constrained", "ec", "sha256"),
    "oflimits": ("limits", "leaf", "ec", "sha256"),
}
TRUSTS = {"root+server": "-addtrust serverAuth", "root+client": "-addtrust clientAuth",
          "root-server": "-addreject serverAuth", "root-client": "-addreject clientAuth",
          "root+any": "-addtrust anyExtendedKeyUsage", "root-any": "-addreject anyExtendedKeyUsage",
          "root+alias": "-setalias named", "middle+server": "-addtrust serverAuth",
          "middle-server": "-addreject serverAuth", "middle+any": "-addtrust anyExtendedKeyUsage",
          "root+both": "-addtrust serverAuth -addreject clientAuth",
          "plain+server": "-addtrust serverAuth"}
KINDS = {"rsa": "RSA -pkeyopt rsa_keygen_bits:2048", "rsa1024": "RSA -pkeyopt rsa_keygen_bits:1024",
         "ec": "EC -pkeyopt ec_paramgen_curve:P-256", "p521": "EC -pkeyopt ec_paramgen_curve:P-521",
         "ed25519": "ED25519"}
MORE = """\
rsa -in root.key -aes256 -passout pass:secret -out locked.key
rsa -in root.key -outform DER -out root.der.key
ec -in leaf.key -pubout -out leaf.pub
x509 -in root.pem -outform DER -out root.der
x509 -in leaf.pem -outform DER -out leaf.der
req -new -key leaf.key -subj /CN=asks -config good.cnf -reqexts asking -out asks.csr
req -in asks.csr -outform DER -out asks.der
req -new -key ed.key -subj /CN=ed -config good.cnf -out ed.csr
req -new -key root.key -subj /CN=rsa/emailAddress=a@b.c -config good.cnf -out rsa.csr
"""


def parameters(*tables: Mapping[str, list[str]]) -> list[object]:
    """Every line, named by its rule and number."""
    return [pytest.param(line, id=f"{line.split()[0]}: {rule} ({number})") for table in tables
            for rule, lines in table.items() for number, line in enumerate(lines, 1)]


def openssl(folder: Path, line: str) -> bytes:
    """What openssl prints for a line that must work."""
    return subprocess.run(["openssl", *shlex.split(line)], cwd=folder, check=True,
                          capture_output=True).stdout


def make(folder: Path) -> None:
    """Fill a folder with what the lines read."""
    (folder / "many").mkdir()
    for name, text in CONFIGURATIONS.items():
        (folder / name).write_text(text)
    subjects = {"proxy": "/CN=leaf/CN=proxy", "proxy2": "/CN=leaf/CN=proxy/CN=2"}
    for number, (name, (issuer, section, kind, digest)) in enumerate(PAIRS.items(), 1):
        openssl(folder, f"genpkey -algorithm {KINDS[kind]} -out {name}.key")
        openssl(folder, f"req -new -key {name}.key -subj {subjects.get(name, '/CN=' + name)} "
                f"-out {name}.request")
        signed = f"-CA {issuer}.pem -CAkey {issuer}.key" if issuer else f"-signkey {name}.key"
        extensions = f"-extfile good.cnf -extensions {section}" if section else ""
        if not issuer and section == "ca":
            extensions = "-extfile root.cnf"
            (folder / "root.cnf").write_text(
                "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
                "subjectKeyIdentifier=hash\n")
        openssl(folder, f"x509 -req -in {name}.request {signed} {extensions} -{digest} "
                f"-set_serial {number} -days 3650 -out {name}.pem")
    for name, words in TRUSTS.items():
        openssl(folder,
                f"x509 -in {re.split('[+-]', name)[0]}.pem -trustout {words} -out {name}.pem")
    for line in MORE.splitlines():
        openssl(folder, line)
    (folder / "mixed.pem").write_bytes(b"".join((folder / f"{name}.pem").read_bytes()
                                                for name in ("other", "root+server", "plain")))
    block = next(pem.blocks((folder / "root+server.pem").read_bytes()))
    (folder / "cut.pem").write_bytes(pem.armour(block.der[:-1], block.label))
