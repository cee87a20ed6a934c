"""CAs whose DER is looser than Python's cryptography takes it, while Go and openssl read it: every
command works."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kpki.pem import armour, dump_key, load_certificate
from kpki.stages import der
from tests.kubernetes.verdict.keys import ec_key
from tests.kubernetes.verdict.writer import authority, cn, extension

Run = Callable[..., Any]
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2069, 1, 1, tzinfo=UTC)
DATES: dict[str, Any] = {"key": ec_key(9), "start": START, "end": END}
LOOSE = {
    "a star in a PrintableString": authority(subject=cn("my*ca & co", der.PRINTABLE), **DATES).der,
    "FALSE in so many words": authority(extension("1.2.3.4", b"\5\0", b"\1\1\0"), **DATES).der,
    "no seconds": authority(**DATES | {"start": der.tlv(der.UTC_TIME, b"2001010000Z")}).der,
}


@pytest.fixture(params=LOOSE)
def ca(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One of these CAs, ca.pem, in the test's folder, and ca.key."""
    (tmp_path / "ca.pem").write_bytes(armour(LOOSE[request.param], "CERTIFICATE"))
    (tmp_path / "ca.key").write_bytes(dump_key(ec.derive_private_key(9, ec.SECP256R1())))
    return tmp_path / "ca.pem"


ISSUE = ("node", "issue", "w", "--ca", "ca.pem", "--ca-key", "ca.key", "--address", "10.0.0.5",
         "--server", "https://10.0.0.1:6443")


def test_a_node_gets_its_files_of_such_a_ca(ca: Path, kpki: Run) -> None:
    """They name the CA byte for byte, Kubernetes takes them, check finds no error, and a second
    issue keeps them."""
    kpki(*ISSUE)
    tree = ca.parent / "nodes/w/etc/kubernetes/ssl"
    assert (tree / "ca.pem").read_bytes() == ca.read_bytes()
    told = kpki("verify", "-kubernetes", "-purpose", "sslclient", "-CAfile", "ca.pem",
                tree / "worker.pem")
    assert told.out == f"{tree / 'worker.pem'}: OK\n"
    document = json.loads(kpki("check", "nodes/w", "--json").out)
    # for want of an SKI
    assert [item["cause"] for item in document["findings"]] == ["strict-refused"]
    before = {path: path.read_bytes() for path in tree.iterdir()}
    kpki(*ISSUE)
    assert {path: path.read_bytes() for path in tree.iterdir()} == before


@pytest.mark.parametrize("options", [
    "-noout -text", "-noout -subject -issuer -dates -serial", "-noout -fingerprint -sha256",
    "-noout -pubkey", "-outform DER"])
def test_x509_says_of_it_what_openssl_says(ca: Path, options: str,
                                           capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Standard output byte for byte."""
    from kpki.cli.main import main
    words = ["x509", "-in", str(ca), *options.split()]
    done = subprocess.run(["openssl", *words], capture_output=True, check=True)
    assert main(words) == 0
    assert capfdbinary.readouterr().out == done.stdout


def test_openssl_verifies_what_kpki_signs(ca: Path, kpki: Run, openssl: Run,
                                          request: pytest.FixtureRequest) -> None:
    """A request signed by `x509 -req`, and one signed anew, hold under the CA as it is."""
    openssl(ca.parent,
            "req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr")
    kpki("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "leaf.pem")
    kpki("x509", "-in", "ca.pem", "-signkey", "ca.key", "-days", "300", "-out", "again.pem")
    openssl(ca.parent, "verify -CAfile again.pem again.pem")
    assert load_certificate((ca.parent / "again.pem").read_bytes()).public_key() \
        == load_certificate(ca.read_bytes()).public_key()
    words = ["verify", "-CAfile", "ca.pem", "leaf.pem"]
    done = subprocess.run(["openssl", *words], cwd=ca.parent, capture_output=True, text=True,
                          check=False)
    told = kpki(*words, status=done.returncode)
    assert (done.returncode == 2) == ("no seconds" in request.node.name)  # openssl wants them here
    assert (told.out, told.err) == (done.stdout, done.stderr)


def test_show_and_check_find_nothing_wrong_with_it(ca: Path, kpki: Run) -> None:
    """Of the file by itself, in words and in JSON."""
    assert kpki("check", "ca.pem").err == "kpki: ca.pem: nothing wrong (1 certificate read)\n"
    document = json.loads(kpki("show", "ca.pem", "--json").out)
    assert (document["problem"] is None and document["notes"] == []
            and document["not_after"].startswith("2069-01-01"))


def test_nothing_is_advised_against_such_a_ca(ca: Path, kpki: Run) -> None:
    """A tree whose leaf is gone is given a new leaf, and its CA stays."""
    kpki(*ISSUE)
    (ca.parent / "nodes/w/etc/kubernetes/ssl/worker.pem").unlink()
    document = json.loads(kpki("check", "nodes/w", "--json", status=1).out)
    assert {item["cause"] for item in document["findings"]} == {"file-missing"}


UNSUPPORTED = {
    "twice": (authority(**DATES).der, authority(
        only=[*(extension("1.2.3.4", b"\5\0") for _ in range(2)), extension(
            "2.5.29.19", der.sequence(der.boolean(True)), True)], **DATES).der,
        'x509: certificate contains duplicate extension with OID "1.2.3.4"'),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_check_says_of_a_file_what_show_says(name: str, kpki: Run, tmp_path: Path) -> None:
    """What Go cannot read is an error to both, in Go's words; its like without the fault is none to
    either."""
    right, wrong, words = UNSUPPORTED[name]
    (tmp_path / "right.pem").write_bytes(armour(right, "CERTIFICATE"))
    (tmp_path / "wrong.pem").write_bytes(armour(wrong, "CERTIFICATE"))
    assert (words in kpki("show", "wrong.pem").out
            and words in kpki("check", "wrong.pem", status=1).out)
    assert "Kubernetes accepts the certificate" in kpki("show", "right.pem").out
    assert "nothing wrong" in kpki("check", "right.pem").err


def test_a_curve_in_full_is_wrong_to_both(kpki: Run, openssl: Run, tmp_path: Path) -> None:
    """Explicit parameters, which openssl writes if it is asked to, in the certificate and in the
    key."""
    openssl(tmp_path, "ecparam -name prime256v1 -param_enc explicit -genkey -noout -out full.key")
    openssl(tmp_path, "ecparam -name prime256v1 -genkey -noout -out named.key")
    for name, words in (("full", "x509: invalid ECDSA parameters"), ("named", "")):
        openssl(tmp_path, f"req -x509 -new -key {name}.key -subj /CN=ca -days 300 "
                f"-addext keyUsage=keyCertSign -out {name}.pem")
        shown, checked = kpki("show", f"{name}.pem").out, kpki("check", f"{name}.pem",
                                                               status=int(bool(words)))
        assert (words in shown, words in checked.out) == (True, True)
    words = "tls: failed to parse private key (x509: unknown elliptic curve)"
    assert (words in kpki("show", "full.key").out
            and words in kpki("check", "full.key", status=1).out)
    assert "no component" not in kpki("show", "named.key").out + kpki("check", "named.key").out


@pytest.mark.parametrize(("make", "why"), [
    ("genrsa -out bad.key 512",
     "Kubernetes refuses every certificate of this CA: crypto/rsa: 512-bit keys are insecure"),
    ("genrsa -out bad.key 1016", "crypto/rsa: 1016-bit keys are insecure"),
    ("ecparam -name prime192v1 -genkey -noout -out bad.key", "x509: unsupported elliptic curve"),
    ("ecparam -name secp256k1 -genkey -noout -out bad.key", "x509: unsupported elliptic curve"),
    ("ecparam -name prime256v1 -param_enc explicit -genkey -noout -out bad.key",
     "x509: invalid ECDSA parameters"),
    ("genrsa -out bad.key 1024", ""), ("ecparam -name secp521r1 -genkey -noout -out bad.key", "")])
def test_a_ca_that_kubernetes_refuses_signs_nothing(kpki: Run, openssl: Run, tmp_path: Path,
                                                    make: str, why: str) -> None:
    """node issue, node sign and apply name the file and what Go says, and write nothing; others
    sign."""
    openssl(tmp_path, make)
    openssl(tmp_path, "req -x509 -new -key bad.key -subj /CN=ca -days 300 "
            "-addext keyUsage=critical,keyCertSign -out bad.pem")
    kpki("node", "request", "v", "--address", "10.0.0.6")
    (tmp_path / "w").mkdir()
    (tmp_path / "w/cluster.yaml").write_text(
        "apiVersion: kpki/v1\nkind: Cluster\n"
        "certificateAuthorities:\n  kubernetes: {certificate: ../bad.pem, key: ../bad.key}\n"
        "nodes:\n- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}\n")
    ca = ("--ca", "bad.pem", "--ca-key", "bad.key")
    sign = ("node", "sign", "nodes/v.csr", "--node", "v", "--address", "10.0.0.6", *ca)
    for words in ((*ISSUE[:3], *ca, *ISSUE[7:]), sign, ("apply", "w")):
        told = kpki(*words, status=1 if why else 0)
        assert (told.err.startswith("kpki: ") and (why in told.err)
                and ("bad.pem: " in told.err) == bool(why))
        assert (tmp_path / "nodes/w").exists() == (not why)
    assert (tmp_path / "w/pki").exists() == (not why)


@pytest.fixture
def full_key(ca: Path, kpki: Run, openssl: Run) -> Path:
    """A tree of the node w whose key is on P-256 with its parameters in full: the same key, which
    Go does not load."""
    kpki(*ISSUE)
    key = ca.parent / "nodes/w/etc/kubernetes/ssl/worker-key.pem"
    openssl(ca.parent, f"ec -in {key} -param_enc explicit -out full.key")
    key.write_bytes((ca.parent / "full.key").read_bytes())
    return key


@pytest.mark.parametrize("ca", list(LOOSE)[:1], indirect=True)
def test_a_key_that_go_cannot_load_is_made_anew(full_key: Path, kpki: Run, tmp_path: Path) -> None:
    """check names it, install refuses it and writes nothing, issue makes another and its
    certificate."""
    before, certificate = full_key.read_bytes(), full_key.with_name("worker.pem").read_bytes()
    found = json.loads(kpki("check", "nodes/w", "--json", status=1).out)["findings"]
    errors = [(item["cause"], item["path"]) for item in found if item["severity"] == "error"]
    assert errors == [("weak-signature-or-key", "etc/kubernetes/ssl/worker-key.pem")]
    (tmp_path / "root").mkdir()
    told = kpki("node", "install", "nodes/w", "--node", "w", "--root", "root", status=1)
    assert "x509: unknown elliptic curve" in told.err and not (tmp_path / "root/etc").exists()
    kpki(*ISSUE)
    assert (full_key.read_bytes() != before
            and full_key.with_name("worker.pem").read_bytes() != certificate)
    kpki("check", "nodes/w")
    kpki("node", "install", "nodes/w", "--node", "w", "--root", "root")
    assert (tmp_path
            / "root/etc/kubernetes/ssl/worker-key.pem").read_bytes() == full_key.read_bytes()


def test_plan_and_apply_make_such_a_key_anew(kpki: Run, openssl: Run, tmp_path: Path) -> None:
    """The pair is replaced; the CA, and every other pair, stays."""
    kpki("apply", "--example", "w")
    key = tmp_path / "w/nodes/cp-1/etc/kubernetes/pki/apiserver.key"
    openssl(tmp_path, f"ec -in {key} -param_enc explicit -out full.key")
    key.write_bytes((tmp_path / "full.key").read_bytes())
    others = {path: path.read_bytes() for path in (tmp_path / "w").rglob("*.key") if path != key}
    planned = kpki("plan", "w", status=1).out
    assert [line.split()[:2] for line in planned.splitlines() if line.startswith("  ")] == [
        ["replace", f"etc/kubernetes/pki/apiserver.{ending}"] for ending in ("crt", "key")]
    kpki("apply", "w")
    assert key.read_bytes() != (tmp_path / "full.key").read_bytes()
    assert {path: path.read_bytes() for path in others} == others
    assert "to create" not in kpki("plan", "w").err
