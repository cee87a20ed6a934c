"""Bad input to the node commands: one clear message, the right status, nothing lost and nothing
left behind."""
from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

Run = Callable[..., Any]
SSL = "etc/kubernetes/ssl"
SERVER = ("--server", "https://10.0.0.10:6443")

# The CA's two files (and options) → exit status, and what the one message says.
AUTHORITIES = [
    ("empty", "ca.key", (), 2, "empty: no certificate found: the file is empty"),
    ("ca.pem", "empty", (), 2, "empty: no private key found: the file is empty"),
    ("cut.pem", "ca.key", (), 2,
     "cut.pem: no certificate found, but PEM of CERTIFICATE that is cut off"),
    ("ca.pem", "cut.key", (), 2,
     "cut.key: no private key found, but PEM of PRIVATE KEY that is cut off"),
    ("ca.key", "ca.pem", (), 2, "no private key found, but PEM of CERTIFICATE"),
    ("ca.pem", "passphrase", (), 2,
     "passphrase: no private key found: the file is neither PEM nor DER"),
    ("nothing", "ca.key", (), 2, "nothing: no such file or directory"),
    ("ca.pem", ".", (), 2, ": a folder, not a regular file"),
    ("ca.pem", "other.key", (), 1, "do not match"),
    ("ec.pem", "ca.key", (), 1, "do not match"),
    ("leaf.pem", "other.key", (), 1,
     "leaf.pem: the certificate is not a CA: basicConstraints say CA:FALSE"),
    ("ca.pem", "ca-dek.key", (), 2,
     "ca-dek.key: the private key is encrypted, and no passphrase was given"),
    ("ca.pem", "ca-encrypted.key", (), 2,
     "the private key is encrypted, and no passphrase was given"),
    ("ca.pem", "ca-dek.key", ("--passin", "pass:hush-hush"), 2,
     "ca-dek.key: the private key does not decrypt"),
    ("ca.pem", "ca-encrypted.key", ("--passin", "pass:hush-hush"), 2,
     "the private key does not decrypt"),
    ("ca.pem", "ca-encrypted.key", ("--passin", "env:KPKI_NOTHING"), 2, "KPKI_NOTHING"),
    ("ca.pem", "ca-encrypted.key", ("--passin", "file:/nothing"), 2, "/nothing"),
    ("ca.pem", "ca-encrypted.key", ("--passin", "word"), 2, "a passphrase source is"),
    ("ca.pem", "ca-encrypted.key", ("--passin", "pass:"), 2, "no passphrase was given"),
    ("ca.pem", "ca-encrypted-der.key", (), 2,
     "the private key is encrypted, and no passphrase was given"),
]


@pytest.mark.parametrize(("ca", "key", "more", "status", "words"), AUTHORITIES,
                         ids=[f"{ca} {key} {' '.join(more)}" for ca, key, more, *_ in AUTHORITIES])
@pytest.mark.parametrize("command", ["issue", "sign"])
def test_a_ca_that_is_no_good(kpki: Run, pki: Path, tmp_path: Path, snapshot: Run, command: str,
                              ca: str, key: str, more: tuple[str, ...], status: int,
                              words: str) -> None:
    """Empty, cut off, swapped, not matching, no CA, encrypted: the file is named, and nothing is
    made."""
    target: tuple[str, ...] = ("worker-1", *SERVER)
    if command == "sign":
        kpki("node", "request", "worker-1", "--address", "10.0.0.21")
        target = ("nodes/worker-1.csr", "--node", "worker-1")
    before = snapshot(tmp_path)
    told = kpki("node", command, *target, "--address", "10.0.0.21", "--ca", pki / ca, "--ca-key",
                pki / key, *more, status=status)
    assert words in told.refusal()
    assert "hush" not in told.err
    assert ("kpki: hint: --passin env:NAME" in told.err) == ("no passphrase was given" in words)
    assert snapshot(tmp_path) == before


def test_a_ca_whose_time_is_over(kpki: Run, pki: Path, tmp_path: Path, snapshot: Run,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """An expired CA signs nothing any more, and one of the future not yet."""
    from datetime import timedelta

    from kpki.clock import utc_now
    now = utc_now()
    for days, words in ((11, "the CA certificate expired on"),
                        (-1, "the CA certificate is not valid before")):
        monkeypatch.setattr("kpki.cli.node.utc_now", lambda days=days: now + timedelta(days=days))
        told = kpki("node", "issue", "worker-1", "--address", "10.0.0.21", *SERVER, "--ca",
                    pki / "short.pem", "--ca-key", pki / "other.key", status=1)
        assert words in told.refusal()
    assert snapshot(tmp_path) == {}


# What is said beside a good CA → what the one message says; the exit status is 2, and nothing is
# made.
WORDS = [
    (("a/b",), "node name 'a/b' is no DNS name"), (("../x",), "no DNS name"),
    (("a b",), "no DNS name"), (("",), "no DNS name"), (("-a",), "No such option: -a"),
    (("a-",), "no DNS name"), (("nöde",), "no DNS name"), (("a\nb",), "no DNS name"),
    (("Worker-1",), "node name 'Worker-1' is not in lower case"),
    (("a" * 300,), "has 300 characters"), (("a" * 53,), "has 53 characters"),
    (("w", "--address", "10.0.0.300"), "'10.0.0.300' is not an IP address"),
    (("w", "--address", "10.0.0.0/24"), "is not an IP address"),
    (("w", "--address", "worker-1"), "is not an IP address"),
    (("w", "--address", ""), "'' is not an IP address"),
    (("w", "--dns", "a b"), "'a b' is no DNS name"), (("w", "--days", "0"), "valid 0 days"),
    (("w", "--days", "-3"), "valid -3 days"), (("w", "--days", "x"), "'--days'"),
    (("w", "--algorithm", "DSA"), "unknown algorithm 'DSA'"),
    (("w", "--layout", "flat"), "unknown layout 'flat'"),
    (("w", "--server", "http://10.0.0.10"), "is no API server's URL"),
    (("w", "--server", "10.0.0.10:6443"), "is no API server's URL"),
    (("w", "--server", "https://10.0.0.10:x"), "is no API server's URL"),
    (("w", "--out", "/"), "not a folder"), (("w", "--out", ""), "'': not a folder"),
    (("w", "--layout", ""), "unknown layout ''"), (("w", "--frobnicate"), "--frobnicate"),
    ((), "Missing argument"),
]


@pytest.mark.parametrize(("words", "message"), WORDS, ids=lambda value: repr(value)[:40])
def test_words_that_cannot_be(kpki: Run, pki: Path, tmp_path: Path, words: tuple[str, ...],
                              message: str) -> None:
    """A name, address, number, algorithm or URL that can be none is refused before anything is
    made."""
    address = () if "--address" in words else ("--address", "10.0.0.21")
    server = () if "--server" in words else SERVER
    told = kpki("node", "issue", *words, *address, *server, "--ca", pki / "ca.pem", "--ca-key",
                pki / "ca.key", status=2)
    assert message in told.refusal()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(("words", "hint"), [
    (("issue", "w", "--address", "10.0.0.21"), "--ca CERT --ca-key KEY"),
    (("issue", "w", "--address", "10.0.0.21", "--ca", "", "--ca-key", ""),
     "--ca CERT --ca-key KEY"),
    (("issue", "w", "--address", "10.0.0.21", "--ca", "CA", "--ca-key", "KEY"),
     "--server https://"),
    (("issue", "w", *SERVER, "--ca", "CA", "--ca-key", "KEY"), "--address IP")])
def test_what_nothing_tells_must_be_said(kpki: Run, pki: Path, tmp_path: Path, snapshot: Run,
                                         words: tuple[str, ...], hint: str) -> None:
    """Without a CA, a server or an address where one is needed, the hint is the option."""
    named = {"CA": pki / "ca.pem", "KEY": pki / "ca.key"}
    told = kpki("node", *(named.get(word, word) for word in words), status=2)
    assert told.refusal() and hint in told.err
    assert snapshot(tmp_path) == {}


def test_sign_needs_an_address(kpki: Run, pki: Path) -> None:
    """A node that nobody could reach gets no certificate."""
    kpki("node", "request", "worker-1")
    told = kpki("node", "sign", "nodes/worker-1.csr", "--node", "worker-1", "--ca", pki / "ca.pem",
                "--ca-key", pki / "ca.key", status=2)
    assert told.refusal() == ("worker-1: a new certificate of this node needs an address, and "
                              "nothing says the address")


def test_what_is_wrong_with_the_line_is_not_blamed_on_the_request(kpki: Run, pki: Path) -> None:
    """A message begins with the file only where the file is at fault."""
    kpki("node", "request", "worker-1", "--address", "10.0.0.21")
    words = ("node", "sign", "nodes/worker-1.csr", "--node", "worker-1", "--ca", pki / "ca.pem",
             "--ca-key", pki / "ca.key")
    told = kpki(*words, "--address", "10.0.0.21", "--days", "0", status=2).refusal()
    assert told == "a certificate that is valid 0 days is of no use"
    assert kpki(*words, "--address", "10.0.0.22",
                status=1).refusal().startswith("nodes/worker-1.csr: the request asks")


@pytest.mark.parametrize("name", ["empty", "ca.pem", "ca.key", "cut.pem", "passphrase", "nothing"])
def test_what_is_no_request(kpki: Run, pki: Path, tmp_path: Path, name: str) -> None:
    """Any other file in a request's place is 2, and is named."""
    told = kpki("node", "sign", pki / name, "--node", "worker-1", "--address", "10.0.0.21", "--ca",
                pki / "ca.pem", "--ca-key", pki / "ca.key", status=2)
    assert told.refusal().startswith(f"{pki}/{name}: ")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["empty", "ca.pem", "ca.der", "ca.key", "cut.pem", "passphrase",
                                  "nothing"])
def test_what_cannot_be_installed(kpki: Run, pki: Path, tmp_path: Path, name: str) -> None:
    """Any other file in the place of a tree, an archive or an answer is 2, and is named."""
    told = kpki("node", "install", pki / name, "--node", "worker-1", "--root", tmp_path, "--key",
                pki / "other.key", *SERVER, status=2)
    assert told.refusal().startswith(f"{pki}/{name}: ")
    assert [*tmp_path.iterdir()] == []


def test_a_root_that_is_not_there(issue: Run, kpki: Run, tmp_path: Path) -> None:
    """--root is a folder that exists; it is not made, and an empty one is not this folder."""
    issue()
    for there in ("nowhere", "", f"nodes/worker-1/{SSL}/ca.pem"):
        told = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", there,
                    status=2)
        assert told.refusal() == f"{there or repr(there)}: no such folder"
    assert {path.name for path in tmp_path.iterdir()} == {".kpki.lock", "nodes"}


def test_nothing_is_not_installed(kpki: Run, tmp_path: Path, issue: Run) -> None:
    """An empty source is not this folder, an empty name not this host, an empty layout not the
    usual one."""
    issue()
    (tmp_path / "root").mkdir()
    words = ("--node", "worker-1", "--root", "root")
    assert (kpki("node", "install", "", *words, status=2).refusal()
            == "'': no such file or directory")
    assert "node name '' is no DNS name" in kpki("node", "install", "nodes/worker-1", *words,
                                                 "--node", "", status=2).refusal()
    assert kpki("node", "install", "nodes/worker-1", *words, "--layout", "",
                status=2).refusal() == "unknown layout ''"
    assert [*(tmp_path / "root").iterdir()] == []


def test_a_refused_installation_names_its_source(kpki: Run, tmp_path: Path, issue: Run) -> None:
    """What is wrong with a tree's files begins with the tree, what is wrong with the line does
    not."""
    issue()
    (tmp_path / "root").mkdir()
    (tmp_path / "empty").mkdir()
    told = kpki("node", "install", "empty", "--node", "worker-1", "--root", "root", *SERVER,
                status=2).refusal()
    assert told == (f"empty: {SSL}/ca.pem: file is missing, and kubelet "
                    "(clusters/local/certificate-authority) reads the file (file-missing)")
    told = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", "root",
                "--server", "x", status=2)
    assert told.refusal() == "'x' is no API server's URL"


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "link"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_says_no(issue: Run, kpki: Run, tmp_path: Path, snapshot: Run,
                             monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    """A full, forbidden or broken disk at any step of an installation leaves every file as it
    was."""
    issue("worker-2")
    issue("worker-1")
    (tmp_path / "root").mkdir()
    kpki("node", "install", "nodes/worker-2", "--node", "worker-2", "--root", "root")
    before, right = snapshot(tmp_path), getattr(os, call)

    def refuse(*arguments: Any, **named: Any) -> Any:
        # the new contents are refused, the way back is not
        if call in ("write", "fsync") or ".kpki-" in str(arguments[0]) or call == "link":
            monkeypatch.setattr(os, call, right)
            raise OSError(code, os.strerror(code))
        return right(*arguments, **named)

    monkeypatch.setattr(os, call, refuse)
    told = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", "root",
                status=2)
    assert os.strerror(code).lower() in told.refusal()
    assert snapshot(tmp_path) == before
    kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", "root")
    assert kpki("check", "root", "--node", "worker-1").out == ""


def test_a_file_where_a_folder_must_be(kpki: Run, pki: Path, tmp_path: Path, snapshot: Run) -> None:
    """A file in the place of the folder of trees is refused by name, and stays."""
    (tmp_path / "nodes").write_bytes(b"mine")
    before = snapshot(tmp_path)
    told = kpki("node", "issue", "worker-1", "--address", "10.0.0.21", *SERVER, "--ca",
                pki / "ca.pem", "--ca-key", pki / "ca.key", status=2)
    assert "nodes" in told.refusal()
    assert snapshot(tmp_path) == before


def test_what_was_there_is_never_lost(issue: Run, tmp_path: Path) -> None:
    """Files of somebody else's in the tree's places are replaced, and are in the backup as they
    were."""
    place = tmp_path / "nodes/worker-1" / SSL
    place.mkdir(parents=True)
    for name in ("ca.pem", "worker.pem", "worker-key.pem"):
        (place / name).write_text(f"my {name}")
    issue()
    run, = (tmp_path / "backup").iterdir()
    for name in ("ca.pem", "worker.pem", "worker-key.pem"):
        assert (run / "nodes/worker-1" / SSL / name).read_text() == f"my {name}"


def test_another_run_that_holds_the_lock_is_named(issue: Run, kpki: Run, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs at once: the second waits, then says who holds the workspace, or the root, and since
    when."""
    import functools

    from kpki import files
    from kpki.clock import utc_now
    issue()
    (tmp_path / "root").mkdir()
    with files.lock(tmp_path, ".kpki.lock", now=utc_now()), \
            files.lock(tmp_path / "root", "var/lib/kpki/lock", now=utc_now()):
        monkeypatch.setattr(files, "lock", functools.partial(files.lock, wait=0))
        assert f"locked by pid {os.getpid()} since" in issue("worker-2", status=2).refusal()
        assert f"locked by pid {os.getpid()} since" in kpki(
            "node", "install", "nodes/worker-1", "--node", "worker-1", "--root", "root",
            status=2).refusal()
    assert not (tmp_path / "nodes/worker-2").exists()


@settings(max_examples=80, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_make_install_fail_without_words(issue: Run, kpki: Run, tmp_path: Path,
                                                  snapshot: Run, capsys: pytest.CaptureFixture[str],
                                                  data: st.DataObject) -> None:
    """Whatever a file of the tree holds, install takes it or refuses it in one message, and then
    changes nothing."""
    from kpki.cli.main import main
    issue()
    shutil.rmtree(tmp_path / "root", ignore_errors=True)
    (tmp_path / "root" / SSL).mkdir(parents=True)
    (tmp_path / "root" / SSL / "worker.pem").write_bytes(b"old")
    names = [f"{SSL}/ca.pem", f"{SSL}/worker.pem", f"{SSL}/worker-key.pem",
             "etc/kubernetes/worker-kubeconfig.yaml"]
    path = tmp_path / "nodes/worker-1" / data.draw(st.sampled_from(names))
    right, before = path.read_bytes(), snapshot(tmp_path / "root")
    at = data.draw(st.integers(0, len(right) - 1))
    flipped = right[:at] + data.draw(st.binary(min_size=1, max_size=1)) + right[at + 1:]
    bad = data.draw(st.one_of(st.binary(max_size=100), st.sampled_from([right[:at], flipped])))
    try:
        path.write_bytes(bad)
        capsys.readouterr()
        status = main(["node", "install", "nodes/worker-1", "--node", "worker-1", "--root", "root"])
        told = capsys.readouterr().err
        assert status in (0, 1, 2)
        if status:
            assert told.startswith("kpki: ") and len(told.splitlines()) <= 2
            assert snapshot(tmp_path / "root") == before
    finally:
        path.write_bytes(right)
