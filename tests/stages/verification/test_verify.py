"""verify() against `openssl verify`: the same chains, the same question, the same errors in the same order."""
from __future__ import annotations

import re
import subprocess
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from kpki import pem
from kpki.errors import InputError
from kpki.stages import der, keys
from kpki.stages.certificates import encoded, issuer_of
from kpki.stages.config import parse_config
from kpki.stages.extensions.context import ExtensionContext, Issuer
from kpki.stages.extensions.table import section_extensions
from kpki.stages.names import parse_subject
from kpki.stages.verification.verdicts import NAME_CONSTRAINTS
from kpki.stages.verification.verify import verify, verify_strict

START = datetime(2030, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=5)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
AKI = "authorityKeyIdentifier=keyid\n"
LEAF = ("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
        "extendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nsubjectAltName=DNS:node.example.com,IP:10.0.0.9,"
        "email:node@example.com\n")


@dataclass(frozen=True)
class Made:
    """A certificate of the tests with the key that signs for it."""

    certificate: x509.Certificate
    key: keys.SigningKey


World = tuple[x509.Certificate, list[Made], list[Made]]


class Bench:
    """Makes certificates, right and wrong ones, from a few keys made once."""

    def __init__(self) -> None:
        self.keys: dict[str, keys.SigningKey] = {}
        self.serial = 1

    def key(self, name: str) -> keys.SigningKey:
        """The key called *name*; rsa… and ed… are of those kinds, all others P-256."""
        if name not in self.keys:
            self.keys[name] = (rsa.generate_private_key(65537, 2048) if name.startswith("rsa")
                               else ed25519.Ed25519PrivateKey.generate() if name.startswith("ed")
                               else ec.generate_private_key(ec.SECP256R1()))
        return self.keys[name]

    def make(self, name: str, by: Made | None = None, ext: str = "", *, key: str | None = None,
             signer: str | None = None, issuer: str | None = None, start: datetime = START,
             end: datetime = START + 10 * DAY, serial: int | None = None) -> Made:
        """A certificate called *name* (a CN, or a subject with its slash), self-signed without *by*."""
        subject = parse_subject(name if name.startswith("/") or not name else f"/CN={name}") if name else None
        own = self.key(key or name)
        self.serial += 1
        serial = self.serial if serial is None else serial
        subject_der = subject.dump() if subject else der.sequence()
        public = keys.public_key_der(own)
        identifier = keys.key_identifier(public)
        issuer_der = by.certificate.subject.public_bytes() if by else subject_der
        if issuer is not None:
            issuer_der = parse_subject(issuer).dump() if issuer else der.sequence()
        issued = by and issuer_of(by.certificate)
        if issued and issued.key_identifier is None:
            ext = ext.replace(AKI, "")
        context = ExtensionContext(parse_config(f"[x]\n{ext}"), subject=subject, key_identifier=identifier,
                                   issuer=issued or Issuer(issuer_der, serial, identifier, None))
        signing = self.key(signer) if signer else by.key if by else own
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of serial numbers that no CA should give
            made = encoded(section_extensions(context, "x") if ext else (), issuer_der, subject_der, public, signing,
                           "sha256", serial, start, end)
        return Made(made, own)

    def trio(self, *, root: str = CA, middle: str = CA + AKI, leaf: str = LEAF + AKI, **extra: dict[str, Any]) -> World:
        """leaf ← middle ← root, the root trusted and the middle at hand; *extra* goes to the one it names."""
        top = self.make("root", None, root, **extra.get("root_with", {}))
        between = self.make("middle", top, middle, **extra.get("middle_with", {}))
        end = self.make("leaf", between, leaf, **extra.get("leaf_with", {}))
        return end.certificate, [top], [between]


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Keys for the whole run."""
    return Bench()


def chain(bench: Bench, *extensions: str, leaf: str = LEAF + AKI) -> World:
    """A chain with a CA for each of *extensions*, the root's first."""
    root = made = bench.make("ca0", None, extensions[0])
    between = []
    for number, text in enumerate(extensions[1:], 1):
        made = bench.make(f"ca{number}", made, text)
        between.append(made)
    return bench.make("leaf", made, leaf).certificate, [root], between


def two(**options: Any) -> Callable[[Bench], World]:
    return lambda bench: bench.trio(**options)


def alone(ext: str, *, trusted: bool = True, **options: Any) -> Callable[[Bench], World]:
    """One self-signed certificate."""
    def world(bench: Bench) -> World:
        made = bench.make("leaf", None, ext, **options)
        return made.certificate, [made] if trusted else [], []
    return world


def twins(bench: Bench, *, order: int = 1, aki: bool = True, expired: str = "") -> World:
    """Two roots of one name and different keys, of which one has signed."""
    dates: dict[str, Any] = {"end": START + DAY} if "old" in expired else {}
    old = bench.make("root", None, CA, key="old", **dates)
    dates = {"end": START + 2 * DAY} if "new" in expired else {}
    new = bench.make("root", None, CA, key="new", **dates)
    return bench.make("leaf", new, LEAF + AKI * aki).certificate, [old, new][::order], []


def renewed(bench: Bench, *, order: int = 1, old_end: int = 1, new_end: int = 10) -> World:
    """One key, two roots of one name with different dates."""
    old = bench.make("root", None, CA, key="root", end=START + old_end * DAY)
    new = bench.make("root", None, CA, key="root", end=START + new_end * DAY)
    return bench.make("leaf", new, LEAF + AKI).certificate, [old, new][::order], []


def crossed(bench: Bench) -> World:
    """A root that another has signed as well; both ways are at hand."""
    root, other = bench.make("root", None, CA), bench.make("other", None, CA)
    cross = bench.make("root", other, CA + AKI)
    leaf = bench.make("leaf", root, LEAF + AKI)
    return leaf.certificate, [other], [root, cross]


def circle(bench: Bench) -> World:
    """Two CAs that have signed each other."""
    a, b = bench.make("a", None, CA), bench.make("b", None, CA)
    leaf = bench.make("leaf", a, LEAF + AKI)
    return leaf.certificate, [], [bench.make("a", b, CA + AKI), bench.make("b", a, CA + AKI)]


def mimic(bench: Bench) -> World:
    """A self-signed certificate with a root's name but not its key."""
    return bench.make("root", None, CA, key="mimic").certificate, [bench.make("root", None, CA)], []


def mimic_between(bench: Bench) -> World:
    """The same, standing above a leaf."""
    false = bench.make("root", None, CA, key="mimic")
    return bench.make("leaf", false, LEAF).certificate, [bench.make("root", None, CA)], [false]


def direct(bench: Bench, *, partial: bool = False) -> World:
    """The leaf itself is what is trusted, and no root is there."""
    leaf, _, between = bench.trio()
    return leaf, [Made(leaf, bench.key("leaf"))], between if partial else []


def strict_leaf(leaf: str, **options: Any) -> Callable[[Bench], World]:
    return lambda bench: bench.trio(leaf=leaf, leaf_with=options)


def named(permitted: str, leaf: str = LEAF + AKI, **options: Any) -> Callable[[Bench], World]:
    return lambda bench: bench.trio(middle=CA + AKI + f"nameConstraints=critical,{permitted}\n", leaf=leaf, **options)


def different_spelling(bench: Bench) -> World:
    """The issuer's name in other letters, blanks and string type."""
    root = bench.make("/O=Some  Org/CN=Root", None, CA, key="root")
    leaf = bench.make("leaf", root, LEAF + AKI, issuer="/O=some org/CN=ROOT")
    return leaf.certificate, [root], []


def shuffled(bench: Bench, *, lost: str = "") -> World:
    """Four CAs deep, the helping certificates in no order, perhaps one of them lost."""
    leaf, roots, between = chain(bench, CA, *[CA + AKI] * 4)
    return leaf, [] if lost == "root" else roots, between[::-1][lost == "first":]


def tampered(bench: Bench, *, which: int) -> World:
    """A signature with its last bit turned round: of the leaf (0), of the CA between (1), of the root (2)."""
    leaf, (root,), (middle,) = bench.trio()
    made = [leaf, middle.certificate, root.certificate]
    data = bytearray(made[which].public_bytes(_DER))
    data[-1] ^= 1
    made[which] = pem.load_certificate(bytes(data))
    return made[0], [Made(made[2], root.key)], [Made(made[1], middle.key)]


def inconsistent(bench: Bench) -> World:
    """The signature algorithm outside is not the one inside."""
    leaf, roots, between = bench.trio()
    data = leaf.public_bytes(_DER)
    sha384 = bytes.fromhex("06082a8648ce3d040303")
    at = data.rindex(bytes.fromhex("06082a8648ce3d040302"))
    return pem.load_certificate(data[:at] + sha384 + data[at + len(sha384):]), roots, between


_DER = Encoding.DER
ENDED = {"end": START + DAY}
NO_SKI = CA.replace("subjectKeyIdentifier=hash\n", "")
UNKNOWN, KNOWN = "1.2.3.4=critical,DER:0500\n", "1.2.3.4=DER:0500\n"
EKU = "extendedKeyUsage="

WORLDS: dict[str, Callable[[Bench], World]] = {
    "good": two(),
    "no root": lambda bench: (lambda w: (w[0], [], w[2]))(bench.trio()),
    "no middle": lambda bench: (lambda w: (w[0], w[1], []))(bench.trio()),
    "all untrusted": lambda bench: (lambda w: (w[0], [], w[2] + w[1]))(bench.trio()),
    "middle trusted": lambda bench: (lambda w: (w[0], w[2], []))(bench.trio()),
    "both trusted": lambda bench: (lambda w: (w[0], w[2] + w[1], []))(bench.trio()),
    "other root": lambda bench: (bench.trio()[0], [bench.make("other", None, CA)], bench.trio()[2]),
    "self-signed": alone(LEAF), "self-signed CA": alone(CA), "self-signed untrusted": alone(LEAF, trusted=False),
    "self-signed CA untrusted": alone(CA, trusted=False), "version 1 root": alone(""),
    "self-signed expired": alone(LEAF, end=START + DAY), "self-signed AKI": alone(LEAF + AKI),
    "self-signed untrusted expired": alone(LEAF, trusted=False, end=START + DAY),
    "self-signed forged": alone(LEAF, signer="other"), "self-signed no sign": alone(CA.replace("keyCertSign,", "")),
    "self-signed CA forged": alone(CA, signer="other"), "self-signed unknown": alone(LEAF + UNKNOWN, trusted=False),
    "self-signed early": alone(LEAF, trusted=False, start=START + 6 * DAY),
    "leaf expired": two(leaf_with=ENDED), "leaf early": two(leaf_with={"start": START + 6 * DAY}),
    "middle expired": two(middle_with=ENDED), "root expired": two(root_with=ENDED),
    "middle early": two(middle_with={"start": START + 6 * DAY}),
    "root early": two(root_with={"start": START + 6 * DAY}),
    "all expired": two(root_with=ENDED, middle_with=ENDED, leaf_with=ENDED),
    "leaf early, middle expired": two(middle_with=ENDED, leaf_with={"start": START + 6 * DAY}),
    "ends now": two(leaf_with={"end": NOW}), "begins now": two(leaf_with={"start": NOW}),
    "middle ends now": two(middle_with={"end": NOW}), "root ends now": two(root_with={"end": NOW}),
    "ends in a second": two(leaf_with={"end": NOW + timedelta(seconds=1)}),
    "forged leaf": two(leaf_with={"signer": "other"}), "forged middle": two(middle_with={"signer": "other"}),
    "forged leaf, expired root": two(leaf_with={"signer": "other"}, root_with=ENDED),
    "forged expired leaf": two(leaf_with={"signer": "other", "end": START + DAY}),
    "RSA signs for EC": two(leaf_with={"signer": "rsa"}), "ed25519 root": two(root_with={"key": "ed"}),
    "RSA root": two(root_with={"key": "rsa"}), "RSA root, forged middle": two(
        root_with={"key": "rsa"}, middle_with={"signer": "rsa2"}),
    "RSA root, expired": two(root_with={"key": "rsa", "end": START + DAY}),
    "ed25519 root, expired": two(root_with={"key": "ed", "end": START + DAY}),
    "ed25519 root, forged": two(root_with={"key": "ed"}, middle_with={"signer": "ed2"}),
    "tampered leaf": lambda bench: tampered(bench, which=0), "tampered middle": lambda bench: tampered(bench, which=1),
    "tampered root": lambda bench: tampered(bench, which=2), "inconsistent": inconsistent,
    "twins": lambda bench: twins(bench), "twins back": lambda bench: twins(bench, order=-1),
    "twins, no AKI": lambda bench: twins(bench, aki=False),
    "twins back, no AKI": lambda bench: twins(bench, order=-1, aki=False),
    "twins, old expired": lambda bench: twins(bench, aki=False, expired="old"),
    "twins, both expired": lambda bench: twins(bench, aki=False, expired="old new"),
    "twins back, both expired": lambda bench: twins(bench, aki=False, expired="old new", order=-1),
    "renewed": lambda bench: renewed(bench), "renewed back": lambda bench: renewed(bench, order=-1),
    "renewed, both expired": lambda bench: renewed(bench, new_end=2),
    "renewed back, both expired": lambda bench: renewed(bench, new_end=2, order=-1),
    "crossed": crossed, "circle": circle, "mimic": mimic, "mimic between": mimic_between,
    "leaf trusted": lambda bench: direct(bench),
    "leaf trusted, middle at hand": lambda bench: direct(bench, partial=True),
    "other spelling": different_spelling,
    "AKI of another key": two(leaf=LEAF + "authorityKeyIdentifier=DER:30168014" + "11" * 20 + "\n"),
    "AKI serial wrong": two(leaf=LEAF + "authorityKeyIdentifier=DER:300382017f\n"),
    "AKI issuer": two(leaf=LEAF + "authorityKeyIdentifier=keyid,issuer:always\n"),
    "AKI issuer wrong": two(leaf=LEAF + "authorityKeyIdentifier=DER:"
                            + der.sequence(der.tlv(0xA1, der.tlv(0xA4, parse_subject("/CN=zz").dump()))).hex() + "\n"),
    "no identifiers": two(root=NO_SKI, middle=NO_SKI, leaf=LEAF.replace("subjectKeyIdentifier=hash\n", "")),
    "middle no CA": two(middle=LEAF + AKI), "middle no extension": two(middle=""),
    "middle without BC": two(middle="keyUsage=keyCertSign\nsubjectKeyIdentifier=hash\n" + AKI),
    "middle Netscape CA": two(middle="nsCertType=sslCA\n" + AKI), "root Netscape CA": two(root="nsCertType=sslCA\n"),
    "middle no sign": two(middle=CA.replace("critical,keyCertSign,", "") + AKI),
    "root no sign": two(root=CA.replace("critical,keyCertSign,", "")),
    "root no CA": two(root=LEAF), "root version 1": two(root=""), "root no BC": two(root="keyUsage=keyCertSign\n"),
    "root no CA, leaf expired": two(root=LEAF.replace("digitalSignature", "keyCertSign"), leaf_with=ENDED),
    "middle no CA, wrong leaf": two(middle=LEAF + AKI, leaf_with={"signer": "other"}),
    "CA:FALSE with sign": two(middle=CA.replace("CA:TRUE", "CA:FALSE") + AKI),
    "pathlen 0 kept": lambda bench: chain(bench, CA, (CA + AKI).replace("TRUE", "TRUE,pathlen:0")),
    "pathlen 0 passed": lambda bench: chain(bench, CA.replace("TRUE", "TRUE,pathlen:0"), CA + AKI),
    "pathlen 1 kept": lambda bench: chain(bench, CA.replace("TRUE", "TRUE,pathlen:1"), CA + AKI),
    "pathlen 1 passed": lambda bench: chain(bench, CA.replace("TRUE", "TRUE,pathlen:1"), CA + AKI, CA + AKI),
    "pathlen twice": lambda bench: chain(bench, CA.replace("TRUE", "TRUE,pathlen:0"),
                                         (CA + AKI).replace("TRUE", "TRUE,pathlen:0"), CA + AKI),
    "deep": lambda bench: shuffled(bench), "deep, no root": lambda bench: shuffled(bench, lost="root"),
    "deep, one lost": lambda bench: shuffled(bench, lost="first"),
    "leaf unknown critical": two(leaf=LEAF + AKI + UNKNOWN), "leaf unknown": two(leaf=LEAF + AKI + KNOWN),
    "root unknown critical": two(root=CA + UNKNOWN), "middle unknown critical": two(middle=CA + AKI + UNKNOWN),
    "unknown everywhere": two(root=CA + UNKNOWN, middle=CA + AKI + UNKNOWN, leaf=LEAF + UNKNOWN),
    "unknown, leaf expired": two(leaf=LEAF + UNKNOWN, leaf_with=ENDED),
    "unknown, forged": two(leaf=LEAF + UNKNOWN, leaf_with={"signer": "other"}),
    "permitted": named("permitted;DNS:example.com"), "not permitted": named("permitted;DNS:example.org"),
    "excluded": named("excluded;DNS:example.com"), "not excluded": named("excluded;DNS:example.org"),
    "excluded IP": named("excluded;IP:10.0.0.0/255.255.255.0"),
    "permitted IP": named("permitted;IP:10.0.0.0/255.0.0.0"),
    "permitted email": named("permitted;email:example.org"),
    "excluded, expired": named("excluded;DNS:example.com", leaf_with=ENDED),
    "excluded, unknown": named("excluded;DNS:example.com", LEAF + AKI + UNKNOWN),
    "excluded, forged": named("excluded;DNS:example.com", leaf_with={"signer": "other"}),
    "excluded CN": named("excluded;DNS:example.com", "basicConstraints=CA:FALSE\n", leaf_with={"key": "x"}),
    "constraint unknown kind": named("permitted;RID:1.2.3", LEAF.replace("email:node@example.com", "RID:1.2.3.4")),
    "explicit curve": lambda bench: explicit(bench),
    "client": two(leaf=LEAF.replace("serverAuth", "clientAuth") + AKI), "any EKU": two(
        leaf=LEAF.replace("serverAuth", "anyExtendedKeyUsage") + AKI),
    "no EKU": two(leaf=LEAF.replace("extendedKeyUsage=serverAuth\n", "") + AKI),
    "SGC": two(leaf=LEAF.replace("serverAuth", "nsSGC") + AKI),
    "MS SGC": two(leaf=LEAF.replace("serverAuth", "msSGC") + AKI),
    "email": two(leaf=LEAF.replace("serverAuth", "emailProtection") + AKI),
    "time": two(leaf="keyUsage=digitalSignature\nextendedKeyUsage=critical,timeStamping\n" + AKI),
    "time, encipherment": two(leaf="keyUsage=keyEncipherment\nextendedKeyUsage=critical,timeStamping\n" + AKI),
    "time and server": two(leaf="extendedKeyUsage=critical,timeStamping,serverAuth\n" + AKI),
    "time and unknown": two(leaf="extendedKeyUsage=critical,timeStamping,1.2.3.4\n" + AKI),
    "time and DVCS": two(leaf="extendedKeyUsage=critical,timeStamping,dvcs\n" + AKI),
    "time and OCSP": two(leaf="extendedKeyUsage=critical,timeStamping,OCSPSigning\n" + AKI),
    "time and IPsec": two(leaf="extendedKeyUsage=critical,timeStamping,ipsecUser\n" + AKI),
    "time, not critical": two(leaf="extendedKeyUsage=timeStamping\n" + AKI),
    "middle of servers": two(middle=CA + AKI + EKU + "serverAuth\n"),
    "root of clients": two(root=CA + EKU + "clientAuth\n"),
    "signs only": two(leaf=LEAF.replace(",keyEncipherment", "") + AKI),
    "enciphers only": two(leaf=LEAF.replace("digitalSignature,", "") + AKI),
    "agrees only": two(leaf=LEAF.replace("digitalSignature,keyEncipherment", "keyAgreement") + AKI),
    "nothing useful": two(leaf=LEAF.replace("digitalSignature,keyEncipherment", "nonRepudiation") + AKI),
    "signs lists": two(leaf=LEAF.replace("digitalSignature,keyEncipherment", "cRLSign") + AKI),
    "Netscape server": two(leaf="nsCertType=server\n" + AKI), "Netscape client": two(leaf="nsCertType=client\n" + AKI),
    "Netscape mail": two(leaf="nsCertType=email\n" + AKI), "nothing": two(leaf=""),
    "only the CN": two(leaf="basicConstraints=CA:FALSE\n"),
    "wildcard": two(leaf="subjectAltName=DNS:*.example.com\n"), "DNS in IP": two(leaf="subjectAltName=DNS:10.0.0.9\n"),
    "IPv6": two(leaf="subjectAltName=IP:fd00::9\n"),
    "bad SAN": two(leaf="subjectAltName=DER:0500\n"), "bad BC": two(leaf="basicConstraints=DER:0500\n"),
    "bad KU": two(leaf="keyUsage=DER:0500\n"), "empty KU": two(leaf="keyUsage=DER:030100\n"),
    "bad EKU": two(leaf="extendedKeyUsage=DER:0500\n"), "empty EKU": two(leaf="extendedKeyUsage=DER:3000\n"),
    "bad SKI": two(leaf="subjectKeyIdentifier=DER:0500\n"), "bad AKI": two(leaf="authorityKeyIdentifier=DER:0500\n"),
    "bad constraints": two(leaf="nameConstraints=DER:0500\n"), "bad CDP": two(leaf="crlDistributionPoints=DER:0500\n"),
    "bad policies": two(leaf="certificatePolicies=DER:0500\n"), "bad type": two(leaf="nsCertType=DER:0500\n"),
    "bad AIA": two(leaf="authorityInfoAccess=DER:0500\n"),
    "negative pathlen": two(middle=CA.replace("critical,CA:TRUE", "critical,DER:30060101ff0201ff") + AKI),
    "bad middle": two(middle=CA + AKI + "subjectAltName=DER:0500\n"),
    "bad root": two(root=CA + "subjectAltName=DER:0500\n"),
    "bad alone": alone(CA + "subjectAltName=DER:0500\n"),
    "SKI twice": two(leaf="subjectKeyIdentifier=DER:040101\nsubjectKeyIdentifier=DER:040102\n"),
    "bad key": lambda bench: unreadable_key(bench, two()(bench)), "bad key under a root": lambda bench: unreadable_key(
        bench, nameless(bench, LEAF + AKI)),
    "key usage of unused bits": two(leaf="keyUsage=DER:0302051e\n"),
    "bad name kind": two(leaf="subjectAltName=DER:30030501ff\n"),
    "proxy": two(leaf=LEAF.replace("subjectAltName", "#") + AKI
                 + "proxyCertInfo=critical,language:id-ppl-inheritAll\n"),
    "proxy with SAN": two(leaf=LEAF + AKI + "proxyCertInfo=critical,language:id-ppl-inheritAll\n"),
    "proxy, bad": two(leaf="1.3.6.1.5.5.7.1.14=DER:0500\n"),
    "empty SAN": two(leaf=LEAF.replace("subjectAltName=", "subjectAltName=DER:3000\n#") + AKI),
    "no subject": lambda bench: nameless(bench, LEAF + AKI),
    "no subject, critical SAN": lambda bench: nameless(bench, LEAF.replace("Name=DNS", "Name=critical,DNS") + AKI),
    "no subject, no SAN": lambda bench: nameless(bench, "basicConstraints=CA:FALSE\n" + AKI),
    "no subject, signs lists": lambda bench: nameless(bench, "keyUsage=cRLSign\nsubjectAltName=critical,DNS:x\n" + AKI),
    "no issuer": lambda bench: rootless(bench),
    "AKI critical": two(leaf=LEAF + "authorityKeyIdentifier=critical,DER:3000\n"),
    "unknown first, then BC": two(middle=UNKNOWN + CA + AKI),
    "BC first, then unknown": two(middle=CA + UNKNOWN + AKI),
    "SKI critical": two(leaf=LEAF.replace("Identifier=hash", "Identifier=critical,hash") + AKI),
    "no AKI": two(leaf=LEAF), "no AKI in the middle": two(middle=CA), "no SKI in the middle": two(middle=NO_SKI + AKI),
    "no SKI in the leaf": two(leaf=LEAF.replace("subjectKeyIdentifier=hash\n", "") + AKI),
    "CA BC not critical": two(middle=CA.replace("critical,CA", "CA") + AKI),
    "CA without usage": two(middle="basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n" + AKI),
    "leaf may sign": two(leaf=LEAF.replace("digitalSignature", "keyCertSign") + AKI),
    "leaf pathlen": two(leaf=LEAF.replace("critical,CA:FALSE", "critical,DER:3003020101") + AKI),
    "CA pathlen no sign": two(middle="basicConstraints=critical,CA:TRUE,pathlen:1\nsubjectKeyIdentifier=hash\n" + AKI),
    "CA leaf": two(leaf=CA + AKI), "everything at once": two(
        root="basicConstraints=CA:TRUE\n", middle="basicConstraints=CA:TRUE,pathlen:0\n" + UNKNOWN,
        leaf="keyUsage=keyCertSign\n", leaf_with=ENDED),
    "serial 0": two(leaf_with={"serial": 0}), "serial negative": two(leaf_with={"serial": -5}),
    **{f"critical 2.5.29.{number}": two(leaf=f"2.5.29.{number}=critical,DER:{value}\n") for number, value in (
        (9, "3000"), (14, "040101"), (16, "3000"), (18, "3000"), (20, "020101"), (21, "0a0101"), (30, "3000"),
        (31, "3000"), (32, "300406022a03"), (33, "3000"), (36, "3003800100"), (37, "30040602" + "2a03"), (46, "3000"),
        (54, "020100"), (55, "3000"), (56, "3000"))},
    **{f"critical {oid}": two(leaf=f"{oid}=critical,DER:{value}\n") for oid, value in (
        ("1.3.6.1.5.5.7.1.1", "3000"), ("1.3.6.1.5.5.7.1.3", "3000"), ("1.3.6.1.5.5.7.1.24", "3003020105"),
        ("1.3.6.1.5.5.7.48.1.5", "0500"), ("2.16.840.1.113730.1.1", "03020780"), ("2.16.840.1.113730.1.13", "1600"),
        ("1.3.6.1.4.1.11129.2.4.2", "0400"), ("1.3.6.1.4.1.11129.2.4.3", "0500"))},
}


def nameless(bench: Bench, ext: str) -> World:
    """A leaf without a subject."""
    root = bench.make("root", None, CA)
    return bench.make("", root, ext, key="leaf").certificate, [root], []


def rootless(bench: Bench) -> World:
    """A root without a name."""
    root = bench.make("", None, CA, key="root")
    return bench.make("leaf", root, LEAF + AKI).certificate, [root], []


def explicit(bench: Bench) -> World:
    """A leaf whose curve is spelled out; the certificate is made over, its signature with it."""
    root = bench.make("root", None, CA)
    plain = bench.make("leaf", root, LEAF + AKI)
    spelled = subprocess.run(["openssl", "ec", "-pubout", "-param_enc", "explicit", "-outform", "DER"], check=True,
                             input=pem.dump_key(plain.key), capture_output=True).stdout
    fields = der.certificate_fields(plain.certificate.public_bytes(_DER))
    body = der.items(der.content_of(plain.certificate.tbs_certificate_bytes))
    info = der.sequence(*(spelled if item == der.whole(fields.subject_public_key_info) else item for item in body))
    algorithm = der.whole(fields.signature)
    return pem.load_certificate(der.signed(info, algorithm, keys.sign_bytes(root.key, "sha256", info))), [root], []


def unreadable_key(bench: Bench, world: World) -> World:
    """A leaf whose public key is no point of its curve."""
    leaf, roots, between = world
    data, bits = leaf.public_bytes(_DER), keys.public_key_der(bench.key("leaf"))[-40:]
    return pem.load_certificate(data.replace(bits, bytes(40))), roots, between


# A world, and the options it is asked about with.
QUESTIONS: list[tuple[str, str]] = [
    *((name, "") for name in WORLDS), *((name, "-x509_strict") for name in WORLDS),
    *((name, "-partial_chain") for name in (
        "good", "no root", "middle trusted", "leaf trusted", "leaf trusted, middle at hand", "other root", "crossed",
        "both trusted", "self-signed untrusted", "middle expired", "no middle", "root expired", "tampered leaf",
        "circle")),
    *((name, "-check_ss_sig") for name in (
        "good", "tampered root", "self-signed forged", "self-signed CA forged", "self-signed no sign", "self-signed",
        "root no sign", "twins", "root expired", "self-signed untrusted")),
    *((name, "-no_check_time") for name in (
        "good", "all expired", "leaf early", "excluded, expired", "twins, old expired", "self-signed untrusted expired",
        "renewed, both expired")),
    *((name, f"-purpose {purpose}") for purpose in (
        "sslclient", "sslserver", "nssslserver", "smimesign", "smimeencrypt", "crlsign", "any", "ocsphelper",
        "timestampsign")
      for name in ("good", "client", "any EKU", "no EKU", "SGC", "MS SGC", "email", "time", "time, encipherment",
                   "time and server", "time and unknown", "time and DVCS", "time and OCSP", "time and IPsec",
                   "time, not critical",
                   "middle of servers", "root of clients", "signs only", "enciphers only", "agrees only",
                   "nothing useful", "signs lists", "Netscape server", "Netscape client", "Netscape mail", "nothing",
                   "root version 1", "root Netscape CA", "middle Netscape CA", "CA leaf", "bad EKU", "self-signed",
                   "self-signed untrusted", "version 1 root")),
    *((name, f"-purpose {purpose} -x509_strict") for purpose in ("smimesign", "sslserver", "crlsign") for name in (
        "good", "Netscape client", "root version 1", "root Netscape CA", "root no BC", "client", "bad EKU")),
    *(("good", f"-verify_depth {depth}") for depth in range(-2, 4)),
    *(("deep", f"-verify_depth {depth}") for depth in range(-1, 7)),
    *(("deep, no root", f"-verify_depth {depth}") for depth in range(-1, 7)),
    *((name, f"-verify_depth {depth}") for depth in (0, 1) for name in (
        "self-signed", "self-signed untrusted", "both trusted", "no middle", "all untrusted", "circle",
        "middle trusted")),
    *((name, f"-partial_chain -verify_depth {depth}") for depth in (0, 1) for name in (
        "leaf trusted", "leaf trusted, middle at hand", "middle trusted", "deep")),
    *((name, f"-verify_hostname {host}")
      for name in ("good", "only the CN", "wildcard", "DNS in IP", "bad SAN", "nothing")
      for host in ("node.example.com", "NODE.example.COM", "leaf", ".example.com", "10.0.0.9", "x.y.example.com")),
    *((name, f"-verify_ip {address}") for name in ("good", "DNS in IP", "IPv6", "only the CN") for address in (
        "10.0.0.9", "10.0.0.8", "fd00::9", "fd00:0:0:0::0009")),
    *(("good", f"-verify_email {address}") for address in ("node@example.com", "node@EXAMPLE.com", "Node@example.com")),
    ("leaf expired", "-verify_hostname other"), ("forged leaf", "-verify_hostname other"),
    ("good", "-verify_hostname other -verify_ip 10.9.9.9"), ("good", "-verify_email a@b -verify_ip 10.9.9.9"),
    ("leaf unknown critical", "-verify_ip 10.9.9.9"), ("excluded", "-verify_hostname other"),
    ("client", "-purpose sslserver -verify_hostname other"),
    ("client", "-purpose sslserver -verify_hostname node.example.com"),
    *(("good", f"-attime {int((START - EPOCH).total_seconds()) + seconds}") for seconds in (
        -1, 0, 1, 864000 - 1, 864000, 864001)),
    ("everything at once", "-x509_strict -purpose sslserver -verify_hostname leaf"),
    ("everything at once", "-x509_strict -no_check_time"),
]

FLAGS = {"x509_strict": ("strict", True), "partial_chain": ("partial_chain", True),
         "check_ss_sig": ("check_ss_sig", True), "no_check_time": ("check_time", False)}
VALUES = {"verify_hostname": "hostname", "verify_ip": "ip", "verify_email": "email", "purpose": "purpose"}


def arguments(options: str) -> dict[str, Any]:
    """openssl's options as verify()'s arguments."""
    found: dict[str, Any] = {"now": NOW}
    words = iter(options.split())
    for word in words:
        name = word.removeprefix("-")
        if name in FLAGS:
            found[FLAGS[name][0]] = FLAGS[name][1]
        elif name in VALUES:
            found[VALUES[name]] = next(words)
        elif name == "attime":
            found["now"] = EPOCH + timedelta(seconds=int(next(words)))
        else:
            depth = int(next(words))
            found["depth"] = depth if depth >= 0 else None
    return found


def openssl_verify(folder: Path, world: World, options: Sequence[str]) -> tuple[int, list[tuple[int, int, str]]]:
    """What openssl answers: its status, and (number, depth, words) of each error."""
    leaf, roots, untrusted = world
    command = ["openssl", "verify", "-no-CAfile", "-no-CApath", "-no-CAstore"]
    for option, certificates in (("-CAfile", [one.certificate for one in roots]),
                                 ("-untrusted", [one.certificate for one in untrusted])):
        if certificates:
            path = folder / option
            path.write_bytes(b"".join(map(pem.dump_certificate, certificates)))
            command += [option, str(path)]
    if not {"-attime", "-no_check_time"} & set(options):
        options = [*options, "-attime", str(int((NOW - EPOCH).total_seconds()))]
    done = subprocess.run([*command, *options], input=pem.dump_certificate(leaf), capture_output=True)
    errors = re.findall(rb"^error (\d+) at (\d+) depth lookup: (.*)$", done.stderr, re.MULTILINE)
    return done.returncode, [(int(code), int(depth), words.decode()) for code, depth, words in errors]


@pytest.fixture(scope="session")
def worlds(bench: Bench) -> Callable[[str], World]:
    """Each world by its name, made once."""
    return cache(lambda name: WORLDS[name](bench))


@pytest.mark.parametrize(("name", "options"), QUESTIONS)
def test_verify_is_openssl_verify(worlds: Callable[[str], World], tmp_path: Path, name: str, options: str) -> None:
    """The verdict, and every error before it in its order, are openssl's."""
    leaf, roots, untrusted = worlds(name)
    verdict = verify(leaf, [one.certificate for one in roots], untrusted=[one.certificate for one in untrusted],
                     **arguments(options))
    status, errors = openssl_verify(tmp_path, worlds(name), options.split())
    found = [(fault.code, fault.depth, fault.reason) for fault in verdict.faults]
    if status == 2 and not errors:  # openssl has no words for it; kpki's are those of its number
        errors = [(1, 0, "unspecified certificate verification error")]
    assert (found, verdict.ok) == (errors, status == 0)
    assert (verdict.code, verdict.depth, verdict.reason) == (errors or [(0, 0, "ok")])[-1]


@pytest.mark.parametrize("name", WORLDS)
def test_a_proven_path_is_strict_without_the_store(worlds: Callable[[str], World], name: str) -> None:
    """verify_strict is verify with strict and partial_chain, but for signatures and name constraints."""
    leaf, roots, between = worlds(name)
    untrusted = [made.certificate for made in between]
    for root in roots:
        verdict = verify(leaf, [root.certificate], untrusted=untrusted, now=NOW, strict=True, partial_chain=True)
        proven = verify_strict(leaf, root.certificate, untrusted=untrusted, now=NOW)
        if verdict.code in {7, *NAME_CONSTRAINTS}:      # which end the verification
            assert proven.faults[:len(verdict.faults) - 1] == verdict.faults[:-1]
        else:
            assert proven.faults == verdict.faults


def test_a_verdict_has_the_path(worlds: Callable[[str], World]) -> None:
    """The chain goes from the leaf to the root; of a path that breaks off, as far as it went."""
    leaf, roots, between = worlds("good")
    root, middle = roots[0].certificate, between[0].certificate
    assert verify(leaf, [root], untrusted=[middle], now=NOW).chain == (leaf, middle, root)
    assert verify(leaf, [], untrusted=[middle], now=NOW).chain == (leaf, middle)
    assert verify(leaf, [root], now=NOW).chain == (leaf,)


def test_what_is_asked_must_make_sense(worlds: Callable[[str], World]) -> None:
    """An unknown purpose and an address that is none are refused; a wrong certificate is never an exception."""
    leaf, _, _ = worlds("good")
    questions: list[dict[str, Any]] = [{"purpose": "webserver"}, {"ip": "node.example.com"}, {"ip": ""}]
    for question in questions:
        with pytest.raises(InputError):
            verify(leaf, [], **question)
    assert not verify(leaf, []).ok


def test_the_clock_is_the_default(bench: Bench) -> None:
    """Without *now* a certificate is judged at the present moment."""
    present = datetime.now(UTC)
    for start, end, code in ((-DAY, DAY, 0), (DAY, 2 * DAY, 9), (-2 * DAY, -DAY, 10)):
        made = bench.make("root", None, CA, start=present + start, end=present + end).certificate
        assert verify(made, [made]).code == code


def test_any_octet_turned_is_a_verdict(worlds: Callable[[str], World]) -> None:
    """A leaf with one octet changed anywhere is still answered, and not with yes."""
    leaf, roots, between = worlds("good")
    data = leaf.public_bytes(_DER)
    loaded = 0
    for at in range(4, len(data)):
        try:
            changed = pem.load_certificate(data[:at] + bytes((data[at] ^ 0x11,)) + data[at + 1:])
        except InputError:
            continue
        loaded += 1
        assert not verify(changed, [one.certificate for one in roots],
                          untrusted=[one.certificate for one in between], now=NOW, strict=True).ok
    assert loaded > 100
