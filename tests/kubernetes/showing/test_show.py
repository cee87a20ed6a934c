"""What bytes say, without a disk: certificates that one library reads and another does not, files
named by path."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from kpki import pem
from kpki.errors import FileError
from kpki.kubernetes.showing.show import show
from kpki.kubernetes.showing.shown import Shown, problems
from kpki.stages import der, records
from kpki.stages.certificates import req_x509, x509_req
from kpki.stages.keys import (
    genpkey,
    public_key_der,
    sign_bytes,
    signature_algorithm,
    validate_signing_key,
)
from kpki.stages.requests import req_new

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BASIC, NAMES, CLIENT = "2.5.29.19", "2.5.29.17", "2.5.29.37"


@pytest.fixture(scope="session")
def key() -> PrivateKeyTypes:
    return genpkey("EC")


def name(text: str) -> bytes:
    return der.sequence(der.set_of([der.sequence(der.oid("2.5.4.3"),
                                                 der.tlv(der.UTF8, text.encode()))]))


def extension(oid: str, *middle: bytes, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), *middle, der.octet_string(value))


def certificate(key: PrivateKeyTypes, *extensions: bytes, subject: bytes | None = None,
                serial: int = 5, times: tuple[bytes, bytes] | None = None,
                public_key: bytes | None = None) -> bytes:
    """A self-issued certificate (DER) that may say what no builder lets one say."""
    signer = validate_signing_key(key)
    algorithm = signature_algorithm(signer, "sha256")
    first, last = times or (der.tlv(der.UTC_TIME, b"250102030405Z"),
                            der.tlv(der.UTC_TIME, b"270102030405Z"))
    who = name("x") if subject is None else subject
    info = der.sequence(der.tlv(0xA0, der.integer(2)), der.integer(serial), algorithm, who,
                        der.sequence(first, last), who, public_key or public_key_der(key),
                        der.tlv(0xA3, der.sequence(*extensions)))
    return records.signed(info, algorithm, sign_bytes(signer, "sha256", info))


def told(data: bytes, **more: object) -> Shown:
    first, = show(pem.armour(data, "CERTIFICATE"), now=NOW, **more)  # type: ignore[arg-type]
    return first


def test_what_go_reads_and_the_library_does_not_is_shown(key: PrivateKeyTypes) -> None:
    """A critical that says FALSE in so many words, and a time without seconds: Go's verdict is
    there, and a note."""
    plain = extension(BASIC, value=der.sequence(der.boolean(True)))
    wide = extension(BASIC, der.boolean(False), value=der.sequence(der.boolean(True)))
    short = der.tlv(der.UTC_TIME, b"2501020304Z"), der.tlv(der.UTC_TIME, b"2701020304Z")
    whole = told(certificate(key, plain))
    assert (whole.notes == () and {verdict.verifier for verdict in whole.verdicts}
            == {"openssl", "strict", "kubernetes"})
    for odd in (told(certificate(key, wide)), told(certificate(key, plain, times=short))):
        assert (odd.subject, odd.uses, odd.problem) == ("CN=x", ("sign",), "")
        assert odd.not_after is not None and odd.not_after - NOW < timedelta(days=366)


def test_what_the_library_reads_and_go_does_not_is_shown_with_gos_reason(
        key: PrivateKeyTypes) -> None:
    """An address of eight octets: no verdict of Go's but that it cannot be parsed."""
    odd = told(certificate(key, extension(NAMES, value=der.sequence(der.tlv(0x87, bytes(8))))))
    assert odd.subject == "CN=x"
    said, = {verdict.reason for verdict in odd.verdicts if verdict.verifier == "kubernetes"}
    assert said.startswith("x509: ")
    good = told(certificate(key, extension(NAMES, value=der.sequence(der.tlv(0x87, bytes(4))))))
    assert good.names == ("0.0.0.0",) and good.public_key == odd.public_key


@pytest.mark.parametrize(("part", "broken"), [
    ("subjectAltName", {"extensions": [extension(NAMES, value=b"\x30\x05\x82")]}),
    ("extendedKeyUsage", {"extensions": [extension(CLIENT, value=b"\x30\x02\x04\x00")]}),
    ("dates", {"times": (der.tlv(der.UTC_TIME, b"250102030405Z"), der.tlv(der.UTC_TIME, b"late"))}),
    ("dates",
     {"times": (der.tlv(der.UTC_TIME, b"250102030405Z"), der.tlv(der.UTC_TIME, b"251302030405Z"))}),
    ("public key",
     {"public_key": der.sequence(der.sequence(der.oid("1.2.3")), der.bit_string(b"x"))}),
    ("subject", {"subject": der.sequence(der.set_of([der.sequence(der.oid("2.5.4.3"))]))})])
def test_a_part_that_cannot_be_read_hides_no_other(key: PrivateKeyTypes, part: str,
                                                   broken: dict[str, object]) -> None:
    """The part is named, what else the certificate says is there."""
    extensions = broken.pop("extensions", [])
    shown = told(certificate(key, *extensions, **broken))  # type: ignore[misc, arg-type]
    broken["extensions"] = extensions
    assert (part in shown.problem and shown.problem.endswith("cannot be read")
            and list(problems([shown])))
    assert shown.serial == "05" and len(shown.public_key) == 64


def test_times_are_utc_in_either_form(key: PrivateKeyTypes) -> None:
    """UTCTime's two digits are 1950 to 2049, GeneralizedTime's four what they say."""
    shown = told(certificate(key, times=(der.tlv(der.UTC_TIME, b"500101000000Z"),
                                         der.tlv(der.GENERALIZED_TIME, b"20500101000000Z"))))
    assert (shown.not_before, shown.not_after) == (datetime(1950, 1, 1, tzinfo=UTC),
                                                   datetime(2050, 1, 1, tzinfo=UTC))


def test_the_last_common_name_counts_and_every_group(key: PrivateKeyTypes) -> None:
    """As Go reads a subject: of several CNs the last, of the O all."""
    request = req_new(key, subject="/O=a/O=b/CN=first/CN=second")
    shown, = show(pem.dump_csr(request), now=NOW)
    assert (shown.user, shown.groups, shown.node) == ("second", ("a", "b"), None)


def test_a_kubeconfig_reads_what_it_names(key: PrivateKeyTypes) -> None:
    """By the path as it stands there; where nobody reads for it, that is the problem."""
    ca = req_x509(key, subject="/CN=ca", days=10, now=NOW)
    leaf = x509_req(req_new(key, subject="/O=system:nodes/CN=system:node:w"), ca, key, days=5,
                    now=NOW)
    files = {"ca.pem": pem.dump_certificate(ca), "pki/w.pem": pem.dump_certificate(leaf),
             "pki/w-key.pem": pem.dump_key(key)}
    text = (b"apiVersion: v1\nkind: Config\ncurrent-context: x\n"
            b"contexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
            b"{server: 'https://h', certificate-authority: ca.pem}}]\nusers: [{name: u, user: "
            b"{client-certificate: pki/w.pem, client-key: pki/w-key.pem}}]\n")
    shown, = show(text, now=NOW, read=files.__getitem__)
    assert (shown.kind, shown.node,
            shown.signer and shown.signer.proven) == ("kubeconfig", "w", True)
    assert [*problems([shown])] == []

    def refuse(path: str) -> bytes:
        raise FileError(f"{path}: gone")
    for reader in (refuse, None):
        lost, = show(text, now=NOW, read=reader)
        assert lost.user is None and "client-certificate: pki/w.pem: " in " ".join(problems([lost]))


def test_an_authority_that_is_given_counts_before_the_file(key: PrivateKeyTypes) -> None:
    """The given CA verifies a chain that is complete in itself: another CA's chain is refused."""
    other = genpkey("EC")
    ca, stranger = (req_x509(item, subject="/CN=ca", days=10, now=NOW) for item in (key, other))
    leaf = x509_req(req_new(key, subject="/CN=w"), ca, key, days=5, now=NOW,
                    extfile="extendedKeyUsage = clientAuth")
    file = pem.dump_certificates([leaf, ca])
    for authority, good in ((ca, True), (stranger, False)):
        shown, _ = show(file, now=NOW,
                        authorities=[pem.dump_certificate(authority, encoding="DER")])
        assert {verdict.ok for verdict in shown.verdicts
                if verdict.verifier == "kubernetes"} == {good}
