"""What a file of a tree holds: certificates as Go reads them, private keys as Go loads them, else
why there is none."""
from __future__ import annotations

import pytest

from kpki import pem
from kpki.cluster.observed.contents import read_certificates, read_key
from kpki.cluster.observed.inventory import ObservedFile
from kpki.kubernetes.profiles import SERVICE_ACCOUNTS
from kpki.stages import der
from kpki.stages.keys import genpkey, public_key_der
from tests.kubernetes.verdict.chains import CHAINS
from tests.kubernetes.verdict.private_keys import KEYS
from tests.kubernetes.verdict.writer import authority, cn, extension


def certificates(data: bytes) -> tuple[int, str | None, str]:
    """How many certificates a file holds, and the cause and words of what is wrong with it."""
    found, finding = read_certificates(ObservedFile("a.pem", data), "row")
    assert finding is None or (finding.path, finding.row) == ("a.pem", "row")
    return len(found), finding.cause if finding else None, finding.message if finding else ""


@pytest.mark.parametrize("name", [
    "the characters of a PrintableString: a star and an ampersand", "UTCTime: no seconds",
    "UTCTime: an offset", "a truth value is 00 or FF: explicit FALSE, not critical",
    "the version: 2, no extension, no name asked"])
def test_what_go_reads_is_no_fault(name: str) -> None:
    """Whatever Python's cryptography makes of it, the certificates are there."""
    chain = CHAINS[name]
    for item in (chain.leaf, *chain.roots):
        assert certificates(pem.armour(item, "CERTIFICATE") * 2) == (2, None, "")


@pytest.mark.parametrize(("data", "cause", "words"), [
    (authority(subject=cn("a@b", der.PRINTABLE)).der, "malformed-x509",
     "no component can read a certificate of this file: x509: invalid RDNSequence: invalid "
     "attribute value: invalid PrintableString"),
    (authority(only=[extension("1.2.3", b"\5\0")] * 2).der, "malformed-x509",
     "no component can read a certificate of this file: x509: certificate contains duplicate "
     "extension with OID "
     '"1.2.3"'),
    (b"\x30\0", "malformed-x509",
     "no component can read a certificate of this file: x509: malformed tbs certificate")])
def test_what_go_cannot_read_is_one_fault_in_its_words(data: bytes, cause: str, words: str) -> None:
    """A whole certificate beside it does not help: Go takes none of the file."""
    block = pem.armour(data, "CERTIFICATE")
    assert certificates(block + pem.armour(authority().der, "CERTIFICATE")) == (0, cause, words)


def test_a_key_that_nothing_can_be_verified_with_is_weak() -> None:
    """A curve that Go does not know, and numbers that cryptography refuses."""
    for name, words in (("curves: secp256k1", "x509: unsupported elliptic curve"),
                        ("the numbers of an RSA key: even", "no component can use the public key")):
        count, cause, said = certificates(pem.armour(CHAINS[name].leaf, "CERTIFICATE"))
        assert (count, cause) == (0, "weak-signature-or-key") and words in said


def test_a_bundle_has_an_end() -> None:
    """Of more certificates than any system trusts nothing is read."""
    block = pem.armour(authority().der, "CERTIFICATE")
    assert certificates(block * 1000)[:2] == (1000, None)
    assert certificates(block * 1001) == (
        0, "malformed-x509", "the file has 1001 certificates: kpki reads no more than 1000")


@pytest.mark.parametrize(("name", "cause", "words"), [
    ("EC in its own form: P-256", None, ""), ("EC in its own form: zeros left out", None, ""),
    ("EC in its own form: explicit parameters", "weak-signature-or-key", "no component can use the "
     "private key: tls: failed to parse private key (x509: unknown elliptic curve)"),
    ("RSA's numbers belong together: 1/q", "bad-pem", "no component can use the private key: tls: "
     "failed to parse private key (crypto/rsa: invalid CRT coefficient)"),
    ("what the file has: a certificate", "key-cert-mismatch",
     "the file holds a certificate, not a private key"),
    ("what the file has: encrypted in PKCS#8", "encrypted-key",
     "the private key is encrypted: no component can load it"),
    ("what the file has: nothing", "bad-pem", "the file has no private key: the file is empty")])
def test_a_private_key_is_read_as_go_loads_it(name: str, cause: str | None, words: str) -> None:
    """The key, or one finding at its path."""
    key, finding = read_key(ObservedFile("a.key", KEYS[name]), "row")
    assert (key is None, finding and finding.cause) == (cause is not None, cause)
    assert (finding.message if finding else "") == words


def test_a_key_of_many_primes_is_a_warning() -> None:
    """Go loads it: nothing is wrong with the host, but kpki can do nothing with it."""
    key, finding = read_key(ObservedFile("a.key", KEYS["RSA of many primes: three"]), "row")
    assert key is None and finding is not None and (finding.cause, finding.severity) == (
        "weak-signature-or-key", "warning")


def test_the_service_accounts_key_is_read_as_keyutil_does() -> None:
    """Ed25519 signs no token, and the label counts; a pair's key may be both."""
    plain = genpkey("ED25519")
    for data in (pem.dump_key(plain), KEYS["EC in its own form: under the label of any"]):
        key, finding = read_key(ObservedFile("sa.key", data), SERVICE_ACCOUNTS)
        assert key is None and finding is not None and finding.severity == "error"
        key, finding = read_key(ObservedFile("a.key", data), "row")
        assert key is not None and finding is None
    key, finding = read_key(ObservedFile("sa.key", pem.dump_key(genpkey("EC", curve="P-384"))),
                            SERVICE_ACCOUNTS)
    assert key is not None and finding is None and public_key_der(key)
