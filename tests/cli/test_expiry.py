"""`kpki expiry`: its table, its documents, its file, its exit status."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lifecycle.test_expiry import authority, leaf

AT = ("--at", "2030-01-01")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a certificate that ends in 10 days, and a CA's that lasts."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ca.crt").write_bytes(authority())
    (tmp_path / "pki/w.pem").write_bytes(leaf("w", 10))
    return tmp_path / "pki"


def test_the_table(kpki: Callable[..., Any], place: Path) -> None:
    """A row for each certificate, the first to end first; the words say how many end."""
    told = kpki("expiry", place, *AT, status=1)
    assert told.out == """\
END                   DAYS  FILE    FOR                       SUBJECT  ISSUER
2030-01-11T00:00:00Z  10    w.pem   (serverAuth, clientAuth)  CN=w     CN=ca
2039-12-30T00:00:00Z  3650  ca.crt  (CA)                      CN=ca    CN=ca
"""
    assert told.err == f"kpki: {place}: 2 certificates, 1 ends within 30d\n"


@pytest.mark.parametrize(("words", "status", "words_of_it"), [
    (["--within", "10d"], 0, "none ends within 10d"),
    (["--within", "241h"], 1, "1 ends within 241h"),
    (["--at", "2030-02-01"], 1, "1 ended"),
    (["--at", "2039-12-01"], 1, "1 ended, 1 ends within 30d"),
])
def test_the_status(kpki: Callable[..., Any], place: Path, words: list[str], status: int,
                    words_of_it: str) -> None:
    """1 if a certificate has ended or ends within the time, else 0."""
    told = kpki("expiry", place, *AT, *words, status=status)
    assert told.err == f"kpki: {place}: 2 certificates, {words_of_it}\n"
    assert kpki("expiry", place, *AT, *words, "--quiet", status=status).err == ""


def test_the_document(kpki: Callable[..., Any], place: Path) -> None:
    """The same as one JSON document."""
    told = json.loads(kpki("expiry", place, *AT, "--json", status=1).out)
    serial = told["certificates"][0].pop("serial")
    assert int(serial, 16) > 0 and [*told] == ["certificates", "unread"] and told["unread"] == []
    assert told["certificates"][0] == {
        "host": None, "path": "w.pem", "row": None, "subject": "CN=w", "issuer": "CN=ca",
        "not_before": "2030-01-01T00:00:00Z", "not_after": "2030-01-11T00:00:00Z", "days_left": 10,
        "usages": ["serverAuth", "clientAuth"]}


def test_the_text_file(kpki: Callable[..., Any], place: Path, tmp_path: Path) -> None:
    """--out writes the answer whole, for others to read, and prints nothing; the former file is
    replaced."""
    out = tmp_path / "kpki.prom"
    out.write_text("old")
    assert kpki("expiry", place, *AT, "--format", "prometheus", "--out", out, status=1).out == ""
    assert out.read_text() == kpki("expiry", place, *AT, "--format", "prometheus", status=1).out
    assert out.read_text().count("\nx509_cert_not_after{") == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["kpki.prom"]
    new = tmp_path / "new.txt"
    kpki("expiry", place, *AT, "--out", new, status=1)
    assert new.stat().st_mode & 0o777 == 0o644 and new.read_text().startswith("END ")


def test_a_text_file_that_cannot_be_written(kpki: Callable[..., Any], place: Path) -> None:
    """The file's name is in the message, and the status is 2."""
    assert kpki("expiry", place, *AT, "--out", "none/kpki.prom",
                status=2).refusal().startswith("none/kpki.prom: ")


@pytest.mark.parametrize(("words", "message"), [
    (["--format", "nagios"], "--format: 'nagios' is none of table, prometheus"),
    (["--format", "prometheus", "--json"], "--json and --format are two forms of one answer"),
    (["--within", "soon"], "--within: 'soon' is no time span"),
])
def test_what_makes_no_sense(kpki: Callable[..., Any], place: Path, words: list[str],
                             message: str) -> None:
    """A wrong option is refused."""
    assert kpki("expiry", place, *words, status=2).refusal() == message


def test_nothing_there(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """A place without a certificate is no good news: status 2."""
    told = kpki("expiry", tmp_path, status=2)
    assert (told.out, told.err) == ("", f"kpki: {tmp_path}: no certificate\n")
    assert kpki("expiry", "none", status=2).refusal() == "none: no such file or folder"


def test_a_file_that_cannot_be_read(kpki: Callable[..., Any], place: Path) -> None:
    """The file is named, even to those who want no words; status 2, or 1 if a certificate ends."""
    (place / "bad.crt").write_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    for within, status in (("1d", 2), ("30d", 1)):
        told = kpki("expiry", place, *AT, "--within", within, "--quiet", status=status)
        assert (told.err.startswith("kpki: bad.crt: not a readable certificate")
                and told.err.count("\n") == 1)


def test_how(kpki: Callable[..., Any], place: Path) -> None:
    """--explain names the openssl commands."""
    assert "openssl x509 -noout -enddate" in kpki("expiry", place, *AT, "--explain", status=1).err
