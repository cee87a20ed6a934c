"""A leaf is just what kpki issues, or it is not: the short way to a judgement, never another judgement."""
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from cryptography.x509 import Certificate

from kpki import pem
from kpki.cluster.authority import Authority, issue, make_authority, make_key
from kpki.cluster.description import example_description, load_cluster
from kpki.cluster.issued import is_as_issued
from kpki.cluster.wanted import Row, wanted_rows
from kpki.kubernetes.profiles import CA, leaf_values
from kpki.stages.certificates import sign
from kpki.stages.der import Extension
from kpki.stages.keys import public_key_der

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
ROWS = [row for row in wanted_rows(load_cluster(example_description())) if row.profile.kind == "leaf"]
ROW = next(row for row in ROWS if row.name == "apiserver")


def make_ca(algorithm: str) -> Authority:
    return make_authority(CA, make_key(algorithm), validity=10 * YEAR, now=NOW)


@pytest.fixture(scope="module")
def ca() -> Authority:
    return make_ca("ECDSA-P256")


def leaf(ca: Authority, row: Row, key: bytes, now: datetime = NOW) -> Certificate:
    return issue(ca, row.profile, row.identity, key, validity=YEAR, now=now, warnings=[])


@pytest.mark.parametrize("algorithm", ["ECDSA-P256", "ECDSA-P384", "RSA-2048"])
@pytest.mark.parametrize("signer", ["ECDSA-P256", "ECDSA-P384", "RSA-2048"])
def test_what_is_issued_is_as_issued(algorithm: str, signer: str) -> None:
    """Every row, by every kind of CA for every kind of key, whatever its serial number and dates are."""
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
                  "more": (*values.extensions, Extension("1.2.3.4", False, b"\5\0")), "fewer": tuple(rest),
                  "order": (*rest, first)}.get(change, values.extensions)
    made = sign(type(values)(values.subject, extensions), key, ca.certificate, ca.key, not_before=NOW,
                not_after=NOW + YEAR, digest="sha1" if change == "sha1" else "sha256")
    assert not is_as_issued(made, ROW, key, ca.certificate)
