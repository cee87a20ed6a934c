"""renewed_authority and spread: a CA with new dates accepts what the old one did, in any mix, as
openssl and Go judge."""
from __future__ import annotations

import base64
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kpki import genpkey, pem, req_new, req_x509, x509_req
from kpki.cluster.authority import Authority
from kpki.cluster.lifecycle.authority_renewal import (
    RenewedAuthority,
    grouped,
    named_serial,
    renewed_authority,
    spread,
)
from kpki.cluster.lifecycle.renewal import renewed_certificate
from kpki.cluster.observed.inventory import Inventory, ObservedFile
from kpki.kubernetes.layouts import SSL
from kpki.stages.keys import public_key_der
from kpki.stages.signing import subject_der
from tests.kubernetes.verdict.golang import build, go_version, is_live
from tests.kubernetes.verdict.peer import Judge, go_says, kpki_says
from tests.kubernetes.verdict.writer import Chain

START = datetime(2030, 1, 1, tzinfo=UTC)
END = START + timedelta(days=400)           # of every old CA
RENEWED = START + timedelta(days=390)
BEFORE, AFTER = RENEWED + timedelta(days=1), END + timedelta(days=1)
KEY, LEAF_KEY = genpkey("EC", curve="P-256"), genpkey("EC", curve="P-256")
BITS = public_key_der(KEY)
_CA = """[req]
distinguished_name = dn
prompt = no
x509_extensions = ca
string_mask = {mask}
[dn]
{name}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyEncipherment, keyCertSign
{more}
"""
TRUNCATED = sha256(BITS[-65:]).digest()[:20].hex()       # as Go writes since 1.25
# A CA as its maker wrote it: the string type of the name, the name, the identifiers.
ORIGINS = {
    "kubeadm, Go before 1.25": ("MASK:0x2", "CN = kubernetes", "subjectKeyIdentifier = hash"),
    "kubeadm, Go 1.25": ("MASK:0x2", "CN = kubernetes", f"subjectKeyIdentifier = {TRUNCATED}"),
    "openssl": ("utf8only", "CN = kube-ca",
                "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid:always"),
    "several RDNs":
    ("utf8only", "C = DE\nO = Größe\n0.OU = a\n+CN = kube-ca", "subjectKeyIdentifier = hash"),
    "no SKI": ("utf8only", "CN = kube-ca", "subjectKeyIdentifier = none"),
    "names itself":
    ("utf8only", "CN = kube-ca",
     "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid:always, issuer:always"),
}
# The authority key identifier of a leaf, and whether OpenSSL then accepts the old CA alone.
IDENTIFIERS = {
    "none": ("none", False),
    "keyid": ("keyid", False),
    "serial": ("keyid, issuer:always", True)
}


@cache
def old_authority(origin: str) -> Authority:
    mask, name, more = ORIGINS[origin]
    config = _CA.format(mask=mask, name=name, more=more)
    return Authority(req_x509(KEY, config=config, days=400, now=START, utf8=True), KEY)


def leaf_of(ca: Authority, identifier: str) -> x509.Certificate:
    """A server's certificate that lasts longer than the old CA."""
    text = ("subjectAltName = DNS:w\nkeyUsage = critical, digitalSignature\n"
            "extendedKeyUsage = serverAuth\nsubjectKeyIdentifier = hash\n"
            f"authorityKeyIdentifier = {IDENTIFIERS[identifier][0]}\n")
    return x509_req(req_new(LEAF_KEY, subject="/CN=w"), ca.certificate, KEY, days=800, now=START,
                    extfile=text)


def openssl_accepts(folder: Path, roots: Sequence[x509.Certificate], leaf: x509.Certificate,
                    at: datetime) -> bool:
    (folder / "roots.pem").write_bytes(pem.dump_certificates([*roots]))
    (folder / "leaf.pem").write_bytes(pem.dump_certificate(leaf))
    line = f"openssl verify -purpose sslserver -attime {int(at.timestamp())} -CAfile roots.pem "
    done = subprocess.run([*line.split(), "leaf.pem"], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Go's verdicts; if it is missing, kpki's own, which are compared with Go's elsewhere."""
    if not is_live(go_version()):
        return lambda chains: [kpki_says(chain) for chain in chains]
    judge = build(tmp_path_factory.mktemp("judge"))
    return lambda chains: go_says(judge, chains)


def chain(roots: Sequence[x509.Certificate], leaf: x509.Certificate, at: datetime) -> Chain:
    der, *others = (certificate.public_bytes(Encoding.DER) for certificate in (leaf, *roots))
    return Chain(der, tuple(others), (), purpose="sslserver", hostname="w", at=at)


@pytest.mark.parametrize("origin", ORIGINS)
def test_every_mix_accepts_every_leaf(origin: str, tmp_path: Path, go: Judge) -> None:
    """Each leaf is valid under the old CA, the new one and both until the old ends, then under the
    new. For openssl a leaf that names the CA's serial number needs a new certificate."""
    old = old_authority(origin)
    new = Authority(renewed_authority(old.certificate, KEY, now=RENEWED), KEY)
    asked = list[tuple[Chain, bool]]()
    for identifier, (_, pinned) in IDENTIFIERS.items():
        # no leaf can name an identifier that is not there
        if (origin, identifier) == ("no SKI", "keyid"):
            continue
        leaf = leaf_of(old, identifier)
        assert (named_serial(leaf) == old.certificate.serial_number) == pinned
        anew = renewed_certificate(leaf, new, now=RENEWED)
        before, after = old.certificate, new.certificate
        for roots, at, wanted in ((([before], BEFORE, True), ([after], BEFORE, True),
                                   ([before, after], BEFORE, True), ([after, before], BEFORE, True),
                                   ([before], AFTER, False), ([after], AFTER, True))):
            pinned_out = pinned and roots == [after]
            assert openssl_accepts(tmp_path, roots, leaf,
                                   at) == (wanted and not pinned_out), (identifier, at)
            if after in roots:
                assert openssl_accepts(tmp_path, [after], anew, at), identifier
            asked.append((chain(roots, leaf, at), wanted))
        asked += [(chain([after], anew, at), True) for at in (BEFORE, AFTER)]
    assert [verdict.ok
            for verdict in go(case for case, _ in asked)] == [wanted for _, wanted in asked]


@pytest.mark.parametrize("origin", ORIGINS)
def test_what_stays_of_a_ca(origin: str) -> None:
    """Subject, key (so the pin of `kubeadm join`) and extensions are the same octets; serial number
    and dates are new."""
    old = old_authority(origin).certificate
    new = renewed_authority(old, KEY, now=RENEWED, validity=timedelta(days=1000))
    assert (subject_der(new), new.issuer, new.version) == (subject_der(old), old.issuer,
                                                           old.version)
    assert public_key_der(new.public_key()) == BITS and new.serial_number != old.serial_number
    assert (new.not_valid_before_utc, new.not_valid_after_utc) == (RENEWED - timedelta(minutes=5),
                                                                   RENEWED + timedelta(days=1000))
    kept = [item for item in new.extensions if item.oid != x509.AuthorityKeyIdentifier.oid]
    assert kept == [item for item in old.extensions if item.oid != x509.AuthorityKeyIdentifier.oid]
    assert named_serial(new) == (new.serial_number if origin == "names itself" else None)
    new.verify_directly_issued_by(new)


def test_without_a_wish_the_length_is_the_old_one() -> None:
    """A CA lasts as long as before, and at least a year; a certificate that never ends is no
    obstacle."""
    short = req_x509(KEY, subject="/CN=ca", days=3, now=START)
    assert renewed_authority(short, KEY,
                             now=RENEWED).not_valid_after_utc == RENEWED + timedelta(days=365)
    endless = req_x509(KEY,
                       subject="/CN=ca",
                       days=(datetime.max.replace(tzinfo=UTC) - START).days,
                       now=START)
    assert renewed_authority(endless, KEY, now=RENEWED).not_valid_after_utc.year == 9999


OLD = req_x509(KEY, subject="/CN=ca", days=400, now=START)
NEW = renewed_authority(OLD, KEY, now=RENEWED)
OTHER_KEY = genpkey("EC", curve="P-256")
THIRD = req_x509(OTHER_KEY, subject="/CN=ca", days=400, now=START)     # the same name, another key
LEAF = x509_req(req_new(LEAF_KEY, subject="/CN=w"), OLD, KEY, days=100, now=START)
OLD_PEM, NEW_PEM, THIRD_PEM, LEAF_PEM = (pem.dump_certificate(made)
                                         for made in (OLD, NEW, THIRD, LEAF))


def config(data: bytes) -> bytes:
    return b"clusters: [{name: c, cluster: {certificate-authority-data: %s}}]\n" % base64.b64encode(
        data)


@pytest.mark.parametrize(("before", "after"), [
    (OLD_PEM, NEW_PEM),
    (THIRD_PEM + OLD_PEM, THIRD_PEM + NEW_PEM),
    (b"# mine\r\n" + OLD_PEM.replace(b"\n", b"\r\n") + b"# more\n" + THIRD_PEM,
     b"# mine\r\n" + NEW_PEM.rstrip() + b"\n# more\n" + THIRD_PEM),
    (OLD_PEM + THIRD_PEM + OLD_PEM, NEW_PEM + THIRD_PEM),
    (OLD_PEM + NEW_PEM, NEW_PEM),
    (NEW_PEM + THIRD_PEM + OLD_PEM, NEW_PEM + THIRD_PEM),
    (LEAF_PEM + OLD_PEM, LEAF_PEM + NEW_PEM),
    (config(OLD_PEM), config(NEW_PEM)),
    (config(THIRD_PEM + OLD_PEM), config(THIRD_PEM + NEW_PEM)),
    (NEW_PEM, None),
    (THIRD_PEM, None),
    (LEAF_PEM, None),
    (NEW_PEM + NEW_PEM, None),
    (config(NEW_PEM), None),
    (b"", None),
    (OLD_PEM[:200], None),
    (b"clusters: 3\ncertificate-authority-data: x\n", None),
])
def test_each_copy_becomes_the_newest(before: bytes, after: bytes | None) -> None:
    """In place, once; another key's certificate, a leaf and comments stay; what is right is not
    written."""
    file = ObservedFile("x", before, 0o644)
    found = spread(Inventory("/", SSL, {"x": file}), [], [RenewedAuthority("ca", NEW, KEY)],
                   now=RENEWED,
                   validity=None,
                   warnings=[])
    assert [(written.path, written.data)
            for written in found.files] == ([] if after is None else [("x", after)])
    assert found.authorities == ({"ca"} if after is not None else set())


def test_a_newer_copy_stays() -> None:
    """What another host has renewed later is not replaced, unless this run makes a new
    certificate."""
    file = ObservedFile("x", NEW_PEM, 0o644)
    inventory = Inventory("/", SSL, {"x": file})
    anew = renewed_authority(OLD, KEY, now=RENEWED, validity=timedelta(days=1))
    for former_end, written in ((None, 0), (END, 1)):
        found = spread(inventory, [], [RenewedAuthority("ca", anew, KEY, former_end)],
                       now=RENEWED,
                       validity=None,
                       warnings=[])
        assert len(found.files) == written


def test_the_cas_of_several_files() -> None:
    """Certificates of one key are one CA; the newest that is valid by now counts, and a leaf does
    not."""
    future = renewed_authority(OLD, KEY, now=AFTER + timedelta(days=9))
    found = grouped([("ca", OLD), ("ca", THIRD), ("etcd-ca", NEW), ("ca", LEAF), ("ca", future)],
                    BEFORE)
    assert found == [(("ca", "etcd-ca"), NEW), (("ca",), THIRD)]
