"""Chains of certificates, right and wrong ones, from a few keys made once."""
from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from kpki import pem
from kpki.stages import der, keys, records
from kpki.stages.config import parse_config
from kpki.stages.extensions.context import ExtensionContext, Issuer
from kpki.stages.extensions.table import section_extensions
from kpki.stages.names import parse_subject
from kpki.stages.signing import encoded, issuer_of

_DER = Encoding.DER
START = datetime(2030, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=5)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CA = ("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
      "subjectKeyIdentifier=hash\n")
AKI = "authorityKeyIdentifier=keyid\n"
LEAF = ("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
        "extendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\n"
        "subjectAltName=DNS:node.example.com,IP:10.0.0.9,email:node@example.com\n")


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
        """A certificate called *name* (a CN, or a subject with its slash), self-signed without
        *by*."""
        subject = (parse_subject(name if name.startswith("/") or not name else f"/CN={name}")
                   if name else None)
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
        context = ExtensionContext(parse_config(f"[x]\n{ext}"), subject=subject,
                                   key_identifier=identifier,
                                   issuer=issued or Issuer(issuer_der, serial, identifier, None))
        signing = self.key(signer) if signer else by.key if by else own
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of serial numbers that no CA should give
            made = encoded(section_extensions(context, "x") if ext else (), issuer_der, subject_der,
                           public, signing, "sha256", serial, start, end)
        return Made(made, own)

    def trio(self, *, root: str = CA, middle: str = CA + AKI, leaf: str = LEAF + AKI,
             **extra: dict[str, Any]) -> World:
        """leaf ← middle ← root, the root trusted and the middle at hand; *extra* goes to the one it
        names."""
        top = self.make("root", None, root, **extra.get("root_with", {}))
        between = self.make("middle", top, middle, **extra.get("middle_with", {}))
        end = self.make("leaf", between, leaf, **extra.get("leaf_with", {}))
        return end.certificate, [top], [between]


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
    return lambda bench: bench.trio(middle=CA + AKI + f"nameConstraints=critical,{permitted}\n",
                                    leaf=leaf, **options)


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
    """A signature with its last bit turned round: of the leaf (0), of the CA between (1), of the
    root (2)."""
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
    spelled = subprocess.run(["openssl", "ec", "-pubout", "-param_enc", "explicit", "-outform",
                              "DER"], check=True,
                             input=pem.dump_key(plain.key), capture_output=True).stdout
    fields = records.certificate_fields(plain.certificate.public_bytes(_DER))
    body = der.items(der.content_of(plain.certificate.tbs_certificate_bytes))
    info = der.sequence(*(spelled if item == fields.subject_public_key_info else item
                          for item in body))
    algorithm = fields.signature
    return pem.load_certificate(records.signed(info, algorithm,
                                           keys.sign_bytes(root.key, "sha256", info))), [root], []


def unreadable_key(bench: Bench, world: World) -> World:
    """A leaf whose public key is no point of its curve."""
    leaf, roots, between = world
    data, bits = leaf.public_bytes(_DER), keys.public_key_der(bench.key("leaf"))[-40:]
    return pem.load_certificate(data.replace(bits, bytes(40))), roots, between
