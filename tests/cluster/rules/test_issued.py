"""A leaf is just what kpki issues, or it is not: the short way to a judgement, never another
judgement."""
from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509 import Certificate

from kpki import pem
from kpki.cluster.authority import Authority, issue, make_authority, make_key
from kpki.cluster.desired.description import load_cluster
from kpki.cluster.desired.example import example_description
from kpki.cluster.desired.rows import Row, wanted_rows
from kpki.cluster.rules import proved as proved_room
from kpki.cluster.rules.context import RowContext
from kpki.cluster.rules.facts import Pair
from kpki.cluster.rules.issued import find_issued, is_as_issued as is_issued, is_as_made
from kpki.cluster.rules.pair import certificate_faults, pair_findings
from kpki.cluster.rules.proved import Proved
from kpki.kubernetes.go.certificate import parse
from kpki.kubernetes.go.der import GoError
from kpki.kubernetes.profiles import CA, ETCD_CA
from kpki.kubernetes.values import ca_values, leaf_values
from kpki.stages import der, records
from kpki.stages.keys import genrsa, public_key_der, sign_bytes, validate_signing_key
from kpki.stages.records import Extension
from kpki.stages.signing import Values, self_sign, sign_certificate

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = timedelta(days=365)
ROWS = [row for row in wanted_rows(load_cluster(example_description()))
        if row.profile.kind == "leaf"]
ROW = next(row for row in ROWS if row.name == "apiserver")


def make_ca(algorithm: str) -> Authority:
    return make_authority(CA, make_key(algorithm), validity=10 * YEAR, now=NOW)


@pytest.fixture(scope="module")
def ca() -> Authority:
    return make_ca("ECDSA-P256")


def leaf(ca: Authority, row: Row, key: bytes, now: datetime = NOW) -> Certificate:
    return issue(ca, row.profile, row.identity, key, validity=YEAR, now=now, warnings=[])


def is_as_issued(certificate: Certificate, row: Row, key: bytes, signer: Certificate) -> bool:
    """The judgement for a public key in DER."""
    return is_issued(certificate, pem.dump_certificate(certificate, encoding="DER"), row,
                     pem.load_public_key(key, encoding="DER"), key, signer)


@pytest.mark.parametrize("algorithm", ["ECDSA-P256", "ECDSA-P384", "RSA-2048"])
@pytest.mark.parametrize("signer", ["ECDSA-P256", "ECDSA-P384", "RSA-2048"])
def test_what_is_issued_is_as_issued(algorithm: str, signer: str) -> None:
    """Every row, by every kind of CA for every kind of key, whatever its serial number and dates
    are."""
    ca, key = make_ca(signer), public_key_der(make_key(algorithm))
    for row in ROWS:
        assert is_as_issued(leaf(ca, row, key), row, key, ca.certificate)
        assert is_as_issued(leaf(ca, row, key, NOW + 30 * YEAR - YEAR), row, key, ca.certificate)


def test_another_row_key_or_ca_is_not(ca: Authority) -> None:
    """Only the row that it was issued for, the key that it is for, the CA that signed it."""
    key, other = (public_key_der(make_key("ECDSA-P256")) for _ in range(2))
    made = leaf(ca, ROW, key)
    for row in ROWS:
        assert is_as_issued(made, row, key, ca.certificate) == (row == ROW)
    assert not is_as_issued(made, ROW, other, ca.certificate)
    assert not is_as_issued(made, ROW, key, make_ca("ECDSA-P256").certificate)


def test_a_broken_signature_is_not(ca: Authority) -> None:
    """All that was signed is as it should be, and the signature is not its."""
    key = public_key_der(make_key("ECDSA-P256"))
    made = leaf(ca, ROW, key)
    data = bytearray(pem.dump_certificate(made, encoding="DER"))
    data[-1] ^= 1
    assert not is_as_issued(pem.load_certificate(bytes(data)), ROW, key, ca.certificate)


@pytest.mark.parametrize("change", ["sha1", "critical", "more", "fewer", "order"])
def test_any_other_shape_is_not(ca: Authority, change: str) -> None:
    """A weak digest, and extensions that differ in anything."""
    key = public_key_der(make_key("ECDSA-P256"))
    values = leaf_values(ROW.profile, ROW.identity, rsa=False)
    first, *rest = values.extensions
    extensions = {"critical": (Extension(first.oid, not first.critical, first.value), *rest),
                  "more": (*values.extensions,
                           Extension("1.2.3.4", False, b"\5\0")), "fewer": tuple(rest),
                  "order": (*rest, first)}.get(change, values.extensions)
    made = sign_certificate(
        type(values)(values.subject, extensions), key, ca.certificate, ca.key, not_before=NOW,
        not_after=NOW + YEAR, digest="sha1" if change == "sha1" else "sha256")
    assert not is_as_issued(made, ROW, key, ca.certificate)


@pytest.mark.parametrize(("end", "right"), [
    ((der.GENERALIZED_TIME, b"20500101000000Z"), True), ((der.UTC_TIME, b"300101000000Z"), True),
    ((der.GENERALIZED_TIME, b"20500101000000.5Z"), False),
    ((der.UTC_TIME, b"300101000000"), False)])
def test_a_date_is_one_that_go_reads(ca: Authority, end: tuple[int, bytes], right: bool) -> None:
    """All else is as kpki issues it: a form of the end that Go refuses is another certificate."""
    key = make_key("ECDSA-P256")
    made = leaf(ca, ROW, public_key_der(key))
    version, number, algorithm, issuer, _, *rest = der.members_of(made.tbs_certificate_bytes)
    validity = der.sequence(der.tlv(der.UTC_TIME, b"250101000000Z"), der.tlv(*end))
    info = der.sequence(version, number, algorithm, issuer, validity, *rest)
    data = records.signed(info, algorithm, sign_bytes(validate_signing_key(ca.key), "sha256", info))
    found = find_issued(pem.armour(data, "CERTIFICATE"), key, ROW, [ca.certificate])
    assert (found is not None) == right
    with nullcontext() if right else pytest.raises(GoError):
        parse(data)


@pytest.mark.parametrize(("number", "right"),
                         [(1, True), (2 ** 159, True), (0, False), (-1, False)])
def test_a_serial_number_is_above_0(ca: Authority, number: int, right: bool) -> None:
    """kpki gives no other, Go reads no negative one, and cryptography warns of both."""
    key = public_key_der(make_key("ECDSA-P256"))
    made = sign_certificate(
        leaf_values(ROW.profile, ROW.identity, rsa=False), key, ca.certificate, ca.key,
        not_before=NOW, not_after=NOW + YEAR, serial_number=number)
    assert is_as_issued(made, ROW, key, ca.certificate) is right


def test_the_algorithm_is_the_same_outside(ca: Authority) -> None:
    """A certificate is wrong if its two algorithm fields differ, as for Go."""
    key = public_key_der(make_key("ECDSA-P256"))
    signed, algorithm, signature = der.items(
        der.content_of(pem.dump_certificate(leaf(ca, ROW, key), encoding="DER")))
    other = der.sequence(der.oid("1.2.840.10045.4.3.3"))
    changed = pem.load_certificate(der.sequence(signed, other, signature))
    assert algorithm != other and not is_as_issued(changed, ROW, key, ca.certificate)


@pytest.mark.parametrize("algorithm", ["ECDSA-P256", "ECDSA-P384", "RSA-2048"])
def test_what_kpki_makes_has_no_fault_in_full(algorithm: str) -> None:
    """What the short way takes for granted: the full rules find nothing in a CA as kpki makes it,
    nor in a row as kpki issues it. The CA is known by its form, with its own profile alone."""
    ca, key = make_ca(algorithm), public_key_der(make_key(algorithm))
    assert is_as_made(ca.certificate, CA) and not is_as_made(ca.certificate, ETCD_CA)
    for row in ROWS:
        by = RowContext(now=NOW, authorities={row.profile.signer or "": [ca.certificate]},
                        exact=True)
        pair = Pair("", "", row.name, chain=[leaf(ca, row, key)])
        asked = by.asked(pair, row)
        assert [*pair_findings(pair, asked, certificate_faults(pair, asked))] == []


def test_what_is_proved_is_bounded(ca: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only added kinds are known as proved, and at most a fixed number of kinds is remembered."""
    monkeypatch.setattr(proved_room, "_MOST_KINDS", 2)
    proved, kinds = Proved(), [(ca.certificate, "kubelet", bits) for bits in (256, 384, 2048)]
    assert kinds[0] not in proved
    for kind in kinds:
        proved.add(kind)
    assert [kind in proved for kind in kinds] == [True, True, False]
    assert kinds[0] not in Proved()


def test_what_is_known_of_files_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was added is known by its place, the CA's path and its bytes; of more than
    so many none is."""
    monkeypatch.setattr(proved_room, "_MOST_FILES", 2)
    proved, right = Proved(), (ROW.place, "ca.pem", b"right")
    assert not proved.knows(right)
    for named in (right, (ROW.place, "ca.pem", b"other"), (ROW.place, "ca.pem", b"third")):
        proved.add_file(named)
    others = [(replace(ROW.place, kubeconfig="x"), "ca.pem", b"right"), (ROW.place, "x", b"right"),
              (ROW.place, "ca.pem", b"third")]
    assert proved.knows(right) and not any(map(proved.knows, others))


@pytest.mark.parametrize("change", ["nothing", "more", "fewer", "exponent", "sha1", "signature"])
def test_a_ca_of_another_form_is_not_as_made(change: str) -> None:
    """Extensions, digest, signature, and an exponent that kpki does not give: each is another
    CA's."""
    key, values = genrsa(2048, exponent=3 if change == "exponent" else 65537), ca_values(CA)
    extensions = {"more": (*values.extensions, Extension("1.2.3.4", False, b"\5\0")),
                  "fewer": values.extensions[:-1]}.get(change, values.extensions)
    made = self_sign(Values(values.subject, extensions), key, not_before=NOW, not_after=NOW + YEAR,
                     digest="sha1" if change == "sha1" else "sha256")
    data = bytearray(pem.dump_certificate(made, encoding="DER"))
    data[-1] ^= change == "signature"
    assert is_as_made(pem.load_certificate(bytes(data)), CA) is (change == "nothing")
