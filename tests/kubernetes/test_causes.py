"""The vocabulary of faults is a table that can be trusted."""
from __future__ import annotations

import re

import pytest

from kpki.kubernetes.causes import CAUSES, ROWS, Cause


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.slug)
def test_a_row_says_what_it_means_in_one_line(row: Cause) -> None:
    """A slug is lower case with dashes, a meaning one sentence without a full stop; there is a way
    to look and one to mend it."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.slug)
    assert row.meaning and not row.meaning.endswith(".") and "\n" not in row.meaning
    assert row.diagnosis and row.remedy


def test_slugs_are_there_once() -> None:
    """Each slug names one cause."""
    assert len(CAUSES) == len(ROWS)


def test_only_what_works_today_is_a_warning() -> None:
    """What ends soon, or what only strict clients or later settings refuse, is a warning; every
    other cause stops something today."""
    assert {row.slug for row in ROWS if row.severity == "warning"} == {
        "outlives-ca", "expiring-soon", "strict-refused", "kubelet-serving-self-signed"}


def test_the_vocabulary_is_whole() -> None:
    """The causes of logs, files and live servers are one list, and nothing is missing from it."""
    logs = """file-missing unknown-authority malformed-x509 missing-san-ip missing-san-dns bad-pem
    expired-client-cert
        expired-server-cert expired-ca not-yet-valid wrong-node-identity hostname-case-fqdn
        wrong-organisation wrong-eku key-cert-mismatch key-unreadable encrypted-key remote-alert
        kubelet-serving-self-signed kubelet-serving-csr-pending kubelet-client-current-broken
        unauthorized-after-ca-rotation etcd-peer-cert weak-signature-or-key
        bootstrap-kubeconfig-missing-or-token-expired client-cert-not-presented
        no-client-cert-anonymous external-ca sa-key-mismatch front-proxy-ca chain-depth
        kubeconfig-wrong-ca legacy-cn-no-san ca-not-a-ca ca-pin-mismatch"""
    elsewhere = (
        """key-exposed shared-key ca-key-on-worker serial-reused flags-mismatch signing-bundle
        kubeconfig-broken wrong-subject
        outlives-ca expiring-soon strict-refused stale-served clock-skew""")
    assert [row.slug for row in ROWS[:35]] == logs.split()
    assert {row.slug for row in ROWS[35:]} == {*elsewhere.split()}
