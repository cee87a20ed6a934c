"""`kpki node`: a node's certificate is issued, asked for, signed and installed."""
from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from kpki import pem

SSL = "etc/kubernetes/ssl"
FILES = {f"{SSL}/ca.pem": 0o644, f"{SSL}/worker.pem": 0o644, f"{SSL}/worker-key.pem": 0o600,
         "etc/kubernetes/worker-kubeconfig.yaml": 0o600}
FLAGS = [f"--client-ca-file=/{SSL}/ca.pem", f"--tls-cert-file=/{SSL}/worker.pem",
         f"--tls-private-key-file=/{SSL}/worker-key.pem",
         "--kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml"]
SERVER = ("--server", "https://10.0.0.10:6443")
Run = Callable[..., Any]
ASK = "-subj /O=system:nodes/CN=system:node:worker-1"


def certificate(tree: Path) -> x509.Certificate:
    return pem.load_certificate((tree / SSL / "worker.pem").read_bytes())


def root(tmp_path: Path) -> Path:
    """A node's root folder, empty."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def assert_is_node(cert: x509.Certificate, name: str, *addresses: str) -> None:
    """The subject, the names and both uses are a node's."""
    assert cert.subject.rfc4514_string() == f"CN=system:node:{name},O=system:nodes"
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName)[0] == name
    assert [str(item) for item in names.get_values_for_type(x509.IPAddress)] == list(addresses)
    assert set(cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) \
        == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_issue_lays_out_the_nodes_tree(issue: Run, tmp_path: Path) -> None:
    """All lies where it lies on the node, with its modes; stdout is the flags alone."""
    told = issue()
    assert told.out.splitlines() == FLAGS
    tree = tmp_path / "nodes/worker-1"
    assert ({str(path.relative_to(tree)): path.stat().st_mode & 0o777 for path in tree.rglob("*")
             if path.is_file()} == FILES)
    assert ((tmp_path / "nodes").stat().st_mode & 0o777 == (tree / "etc").stat().st_mode
            & 0o700 == 0o700)
    assert_is_node(certificate(tree), "worker-1", "10.0.0.21")
    assert f"kpki x509 -noout -text -in nodes/worker-1/{SSL}/worker.pem" in told.err


def test_what_is_right_stays(issue: Run, kpki: Run, pki: Path, tmp_path: Path,
                             snapshot: Run) -> None:
    """A second run changes nothing, not even an mtime, and needs no option for what the tree
    contains."""
    issue()
    before = snapshot(tmp_path)
    issue()
    kpki("node", "issue", "worker-1", "--ca", pki / "other.pem", "--ca-key", pki / "other.key")
    assert snapshot(tmp_path) == before


def test_what_is_wrong_is_made_anew_with_the_same_key(issue: Run, tmp_path: Path) -> None:
    """A new address is a new certificate for the old key; the old one is in the backup."""
    issue()
    tree = tmp_path / "nodes/worker-1"
    old, key = certificate(tree), (tree / SSL / "worker-key.pem").read_bytes()
    issue("worker-1", "--dns", "worker-1.example.com")
    names = certificate(tree).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["worker-1", "worker-1.example.com"]
    issue("worker-1", "--address", "10.0.0.99")
    assert_is_node(certificate(tree), "worker-1", "10.0.0.21", "10.0.0.99")
    assert (tree / SSL / "worker-key.pem").read_bytes() == key
    kept = (tmp_path / "backup").glob(f"*/nodes/worker-1/{SSL}/worker.pem")
    assert old in [pem.load_certificate(path.read_bytes()) for path in kept]


def test_renew_makes_a_new_certificate_for_the_same_key(issue: Run, tmp_path: Path) -> None:
    """Of one that is right, with what it says; the old one is in the backup."""
    issue("worker-1", "--days", "9")
    tree = tmp_path / "nodes/worker-1"
    old, others = certificate(tree), {name: (tree / name).read_bytes() for name in FILES
                                      if "worker.pem" not in name}
    issue("worker-1")
    assert certificate(tree) == old
    issue("worker-1", "--renew")
    new = certificate(tree)
    assert ((new.subject, new.public_key()) == (old.subject, old.public_key())
            and new.serial_number != old.serial_number)
    assert new.not_valid_after_utc - old.not_valid_after_utc > timedelta(days=355)
    assert {name: (tree / name).read_bytes() for name in others} == others
    kept, = (tmp_path / "backup").glob(f"*/nodes/worker-1/{SSL}/worker.pem")
    assert pem.load_certificate(kept.read_bytes()) == old


@pytest.mark.parametrize("words",
                         [("--address", "ADDRESS"), ("--server", "https://API-SERVER:6443")],
                         ids=["address", "server"])
def test_what_check_could_not_tell_is_refused(kpki: Run, pki: Path, tmp_path: Path,
                                              words: tuple[str, str]) -> None:
    """A word that stands for something is no address and no server: nothing is made with it."""
    both = dict((("--address", "10.0.0.21"), SERVER, words))
    given = [item for pair in both.items() for item in pair]
    told = kpki("node", "issue", "w", "--ca", pki / "ca.pem", "--ca-key", pki / "ca.key", *given,
                status=2)
    assert words[1] in told.refusal() and not (tmp_path / "nodes").exists()


@pytest.mark.parametrize("spoil", ["", "weak", "encrypted"])
def test_a_key_that_is_no_good_is_made_anew(issue: Run, pki: Path, tmp_path: Path,
                                            spoil: str) -> None:
    """An empty, weak or encrypted key in the tree is replaced, and is in the backup."""
    issue()
    place = tmp_path / "nodes/worker-1" / SSL / "worker-key.pem"
    bad = (pki / {"": "empty", "weak": "small.key",
                  "encrypted": "ca-encrypted.key"}[spoil]).read_bytes()
    place.write_bytes(bad)
    issue()
    assert (pem.load_key(place.read_bytes()).public_key()
            == certificate(tmp_path / "nodes/worker-1").public_key())
    kept, = (tmp_path / "backup").glob(f"*/nodes/worker-1/{SSL}/worker-key.pem")
    assert kept.read_bytes() == bad


KEYS = [("ca.pem", "ca.key", ()), ("ca.pem", "ca-pkcs1.key", ()), ("ca.pem", "ca-der.key", ()),
        ("ca.pem", "ca-dek.key", ("--passin", "pass:secret")),
        ("ca.pem", "ca-encrypted.key", ("--passin", "env:SECRET")),
        ("ca.pem", "ca-encrypted.key", ("--passin", "file:PKI/passphrase")),
        ("ec.pem", "ec-sec1.key", ()), ("ec.pem", "ec-pkcs8.key", ()), ("bundle.pem", "ca.key", ()),
        ("ca.der", "ca.key", ())]


@pytest.mark.parametrize(("ca", "key", "more"), KEYS,
                         ids=lambda value: value if isinstance(value, str) else None)
def test_a_ca_is_taken_in_every_form(kpki: Run, openssl: Run, pki: Path, tmp_path: Path, ca: str,
                                     key: str, more: tuple[str, ...],
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """RSA and EC; PKCS#1, PKCS#8, SEC1, DER, encrypted either way; of a bundle the key's own
    certificate signs.

    The key of the node follows the CA's; openssl's verification takes the result for both uses.
    """
    monkeypatch.setenv("SECRET", "secret")
    told = kpki("node", "issue", "worker-1", "--ca", pki / ca, "--ca-key", pki / key, "--address",
                "10.0.0.21", *SERVER, *(item.replace("PKI", str(pki)) for item in more))
    assert "secret" not in told.err + told.out
    tree = tmp_path / "nodes/worker-1"
    issued, signer = certificate(tree), "ec.pem" if ca == "ec.pem" else "ca.pem"
    public_key = issued.public_key()
    if ca == "ec.pem":
        assert (isinstance(public_key, ec.EllipticCurvePublicKey)
                and public_key.curve.name == "secp384r1")
        assert issued.signature_hash_algorithm and issued.signature_hash_algorithm.name == "sha384"
    else:
        assert isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size == 2048
    for purpose in ("sslclient", "sslserver"):
        openssl(pki, f"verify -CAfile {signer} -purpose {purpose} {tree}/{SSL}/worker.pem")
    assert (len(pem.load_certificates((tree / SSL / "ca.pem").read_bytes())) == 1
            + (ca == "bundle.pem"))


def test_a_passphrase_is_asked_for_on_a_terminal(kpki: Run, pki: Path, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --passin, and with somebody there to ask, the CA key's passphrase is asked for, by
    the file's name."""
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def answer(words: str) -> bytes:
        asked.append(words)
        return b"secret"

    monkeypatch.setattr("kpki.cli.openssl.streams.ask_passphrase", answer)
    kpki("node", "issue", "worker-1", "--ca", pki / "ca.pem", "--ca-key", pki / "ca-dek.key",
         "--address", "10.0.0.21", *SERVER)
    assert asked == [f"Passphrase of {pki}/ca-dek.key:"]


def test_another_algorithm_is_another_key(issue: Run, tmp_path: Path) -> None:
    """An existing key stays unless --algorithm asks for another algorithm; the old key is then in
    the backup."""
    issue()
    place = tmp_path / "nodes/worker-1" / SSL / "worker-key.pem"
    old = place.read_bytes()
    issue("worker-1", "--algorithm", "ECDSA-P256")
    assert place.read_bytes() == old
    issue("worker-1", "--algorithm", "ECDSA-P384")
    assert place.read_bytes() != old
    kept, = (tmp_path / "backup").glob(f"*/nodes/worker-1/{SSL}/worker-key.pem")
    assert kept.read_bytes() == old


def test_a_request_that_is_no_longer_right_is_made_anew(kpki: Run, tmp_path: Path) -> None:
    """A broken request, or one for another address, is replaced; the key stays."""
    kpki("node", "request", "worker-1", "--address", "10.0.0.21")
    request, key = (tmp_path / "nodes/worker-1.csr",
                    tmp_path / "nodes/worker-1" / SSL / "worker-key.pem")
    first, old = request.read_bytes(), key.read_bytes()
    kpki("node", "request", "worker-1", "--address", "10.0.0.22")
    assert request.read_bytes() != first
    request.write_bytes(b"")
    kpki("node", "request", "worker-1", "--address", "10.0.0.21")
    assert pem.load_csr(request.read_bytes()).is_signature_valid
    assert key.read_bytes() == old


@pytest.mark.parametrize(("algorithm", "head"), [("RSA-2048", b"-----BEGIN RSA PRIVATE KEY-----"),
                                                 ("ECDSA-P384", b"-----BEGIN EC PRIVATE KEY-----")])
def test_the_key_is_of_the_algorithm_that_was_said(issue: Run, tmp_path: Path, algorithm: str,
                                                   head: bytes) -> None:
    """--algorithm wins over the CA's own; keys on hosts are PKCS#1 and SEC1, as kubeadm writes
    them."""
    issue("worker-1", "--algorithm", algorithm)
    assert (tmp_path / "nodes/worker-1" / SSL / "worker-key.pem").read_bytes().startswith(head)


def test_no_certificate_outlives_its_ca(kpki: Run, pki: Path, tmp_path: Path) -> None:
    """--days is cut to the CA's end with a warning if it is longer; otherwise --days counts,
    without a warning."""
    words = ("node", "issue", "worker-1", "--ca", pki / "short.pem", "--ca-key", pki / "other.key",
             "--address", "10.0.0.21", *SERVER)
    told = kpki(*words)
    assert "kpki: warning: 365 days are cut to the end of the CA" in told.err
    ca = pem.load_certificate((pki / "short.pem").read_bytes())
    assert certificate(tmp_path / "nodes/worker-1").not_valid_after_utc == ca.not_valid_after_utc
    assert "warning" not in kpki(*words, "--days", "5", "--out", "other").err


def test_quiet_leaves_the_result_alone(issue: Run) -> None:
    """With --quiet there is nothing on stderr."""
    assert issue("worker-1", "--quiet").err == ""


def test_the_commands_that_are_shown_can_be_pasted(issue: Run, kpki: Run, pki: Path) -> None:
    """A folder with a blank in its name is quoted in every command, and a slash at its end is not
    doubled."""
    told = issue("worker-1", "--out", "a b/", "--archive").err
    assert f"kpki x509 -noout -text -in 'a b/worker-1/{SSL}/worker.pem'" in told
    assert "kpki check 'a b/worker-1'\n" in told
    assert ("install: copy a b/worker-1.tar to worker-1" in told
            and "kpki node install worker-1.tar --node" in told)
    told = kpki("node", "request", "worker-1", "--address", "10.0.0.21", "--out", "a b/")
    assert told.out == "a b/worker-1.csr\n" and "-in 'a b/worker-1'.csr\n" in told.err
    told = kpki("node", "sign", "a b/worker-1.csr", "--node", "worker-1", "--ca", pki / "ca.pem",
                "--ca-key", pki / "ca.key", "--address", "10.0.0.21", "--out", "a b/", "--explain")
    assert "openssl req -noout -text -verify -in 'a b/worker-1.csr'\n" in told.err
    # the CA's key is RSA, the request's is not
    assert "keyUsage=critical,digitalSignature " in told.err


def test_json_says_what_was_done(issue: Run) -> None:
    """The document has host, path in the host's tree, row and action of each file, and nothing
    that waits."""
    rows = ["ca", "kubelet", "kubelet", "kubelet"]
    for action in ("create", "keep"):
        told = issue("worker-1", "--json")
        assert told.err == ""
        assert json.loads(told.out) == {"written": [
            {"host": "worker-1", "path": path, "row": row, "action": action}
            for path, row in zip(FILES, rows, strict=True)], "waiting": []}


def test_a_node_may_be_called_like_a_folder(issue: Run) -> None:
    """Paths in the document are those of the tree, whatever the node's name."""
    told = issue("ssl", "--json")
    assert [file["path"] for file in json.loads(told.out)["written"]] == [*FILES]


def test_json_of_request_and_sign(kpki: Run, pki: Path) -> None:
    """Files beside a tree have their path in the workspace."""
    told = kpki("node", "request", "worker-1", "--address", "10.0.0.21", "--json")
    assert [(file["path"], file["action"]) for file in json.loads(told.out)["written"]] \
        == [(f"{SSL}/worker-key.pem", "create"), ("nodes/worker-1.csr", "create")]
    told = kpki("node", "sign", "nodes/worker-1.csr", "--node", "worker-1", "--ca", pki / "ca.pem",
                "--ca-key", pki / "ca.key", "--address", "10.0.0.21", "--json")
    assert [(file["path"], file["row"])
            for file in json.loads(told.out)["written"]] == [("nodes/worker-1.pem", "kubelet")]


def test_archive_packs_the_tree(issue: Run, kpki: Run, tmp_path: Path) -> None:
    """--archive adds one tar, 0600, keys 0600 in it, that install takes; the tree in it is
    whole."""
    issue("worker-1", "--archive")
    archive = tmp_path / "nodes/worker-1.tar"
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        assert {member.name: member.mode for member in tar.getmembers() if member.isfile()} \
            == {f"worker-1/{path}": mode for path, mode in FILES.items()}
    kpki("node", "install", archive, "--node", "worker-1", "--root", root(tmp_path))
    for path in FILES:
        assert ((tmp_path / "root" / path).read_bytes()
                == (tmp_path / "nodes/worker-1" / path).read_bytes())


def test_the_example_is_one_command(kpki: Run, tmp_path: Path, snapshot: Run) -> None:
    """--example makes a CA and a node under example/, says how to look, and twice changes
    nothing."""
    told = kpki("node", "issue", "worker-1", "--example")
    assert told.out.splitlines() == FLAGS
    assert sorted(path.name
                  for path in (tmp_path / "example/pki").iterdir()) == ["ca.crt", "ca.key"]
    assert (tmp_path / "example/pki").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "example/pki/ca.key").stat().st_mode & 0o777 == 0o600
    assert_is_node(certificate(tmp_path / "example/nodes/worker-1"), "worker-1", "192.0.2.11")
    assert "https://192.0.2.10:6443" in (tmp_path / "example/nodes/worker-1"
                                         / [*FILES][3]).read_text()
    assert ("kpki x509 -noout -text -in example/" in told.err
            and "kpki check example/nodes/worker-1" in told.err)
    before = snapshot(tmp_path)
    kpki("node", "issue", "worker-1", "--example")
    assert snapshot(tmp_path) == before
    assert kpki("check", "example/nodes/worker-1").out == ""


def test_the_example_takes_no_ca(issue: Run, kpki: Run, tmp_path: Path) -> None:
    """--example with --ca or --out is a contradiction, and makes nothing."""
    assert "--example" in issue("worker-1", "--example", status=2).refusal()
    assert "--example" in kpki("node", "issue", "worker-1", "--example", "--out", "mine",
                               status=2).refusal()
    assert [*tmp_path.iterdir()] == []


def test_request_sign_install(kpki: Run, openssl: Run, pki: Path, tmp_path: Path,
                              snapshot: Run) -> None:
    """The node asks, the CA answers, the node installs; each step prints the file for the next
    one."""
    names = ("--address", "10.0.0.21", "--address", "fd00::21", "--dns", "worker-1.example.com")
    assert kpki("node", "request", "worker-1", *names).out == "nodes/worker-1.csr\n"
    key = tmp_path / "nodes/worker-1" / SSL / "worker-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    openssl(tmp_path, "req -noout -verify -in nodes/worker-1.csr")
    before = snapshot(tmp_path)
    kpki("node", "request", "worker-1", *names)
    assert snapshot(tmp_path) == before
    told = kpki("node", "sign", "nodes/worker-1.csr", "--node", "worker-1", "--ca", pki / "ca.pem",
                "--ca-key", pki / "ca.key", *names, "--out", "answers")
    assert told.out == "answers/worker-1.pem\n"
    answer = pem.load_certificates((tmp_path / "answers/worker-1.pem").read_bytes())
    assert_is_node(answer[0], "worker-1", "10.0.0.21", "fd00::21")
    assert answer[1:] == pem.load_certificates((pki / "ca.pem").read_bytes())
    there = root(tmp_path)
    told = kpki("node", "install", "answers/worker-1.pem", "--node", "worker-1", "--root", there,
                *SERVER)
    assert told.out.splitlines() == FLAGS
    assert (there / SSL / "worker-key.pem").read_bytes() == key.read_bytes()
    # the documentation's CA: strict-refused
    assert kpki("check", there, "--node", "worker-1").out.count("\n") == 3


@pytest.mark.parametrize("place", ["beside", "said", "there"])
def test_the_key_of_an_answer_is_found(kpki: Run, pki: Path, tmp_path: Path, place: str) -> None:
    """The key of a PEM is the request's beside it, or --key's (in any form), or the installed
    one."""
    signed(kpki, pki)
    there, key = root(tmp_path), tmp_path / "nodes/worker-1" / SSL / "worker-key.pem"
    data = key.read_bytes()
    if place == "beside":
        (tmp_path / "moved").mkdir()
        (tmp_path / "nodes").rename(tmp_path / "moved/here")
        answer: tuple[str | Path, ...] = ("moved/here/worker-1.pem",)
    elif place == "said":
        (tmp_path / "k.pem").write_bytes(pem.dump_key(pem.load_key(data)))
        key.unlink()
        answer = ("nodes/worker-1.pem", "--key", "k.pem")
    else:
        (there / SSL).mkdir(parents=True)
        key.rename(there / SSL / "worker-key.pem")
        answer = ("nodes/worker-1.pem",)
    kpki("node", "install", *answer, "--node", "worker-1", "--root", there, *SERVER)
    assert (there / SSL / "worker-key.pem").read_bytes() == data


def test_an_answer_without_its_key_is_refused(kpki: Run, pki: Path, tmp_path: Path) -> None:
    """Where no key is found, the message says what makes one, and nothing is installed."""
    signed(kpki, pki)
    (tmp_path / "nodes/worker-1" / SSL / "worker-key.pem").unlink()
    told = kpki("node", "install", "nodes/worker-1.pem", "--node", "worker-1", "--root",
                root(tmp_path), *SERVER, status=2)
    assert told.refusal() == "nodes/worker-1.pem: the key of this certificate is missing"
    told = kpki("node", "install", "nodes/worker-1.csr", "--node", "worker-1", "--root",
                tmp_path / "root", *SERVER, status=2)
    assert told.refusal() == ("nodes/worker-1.csr: no certificate found, but PEM of CERTIFICATE "
                              "REQUEST")
    assert [*(tmp_path / "root").iterdir()] == []


def signed(kpki: Run, pki: Path) -> None:
    kpki("node", "request", "worker-1", "--address", "10.0.0.21")
    kpki("node", "sign", "nodes/worker-1.csr", "--node", "worker-1", "--ca", pki / "other.pem",
         "--ca-key", pki / "other.key", "--address", "10.0.0.21")


def test_install_keeps_a_kubeconfig_that_is_right(issue: Run, kpki: Run, tmp_path: Path) -> None:
    """A kubeconfig in place that names the right files stays as it is, another server and all; a
    wrong one does not."""
    issue()
    there, name = root(tmp_path), [*FILES][3]
    (there / SSL).mkdir(parents=True)
    mine = ((tmp_path / "nodes/worker-1" / name).read_text().replace("10.0.0.10", "10.0.0.11")
            + "# mine\n")
    (there / name).write_text(mine)
    kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", there)
    assert (there / name).read_text() == mine
    (there / name).write_text(mine.replace("worker-key.pem", "x.pem"))
    kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", there)
    assert (there / name).read_bytes() == (tmp_path / "nodes/worker-1" / name).read_bytes()


def test_install_needs_a_server_only_where_nothing_tells_it(kpki: Run, pki: Path,
                                                            tmp_path: Path) -> None:
    """Without a kubeconfig in place or in what is installed, --server must be said."""
    signed(kpki, pki)
    told = kpki("node", "install", "nodes/worker-1.pem", "--node", "worker-1", "--root",
                root(tmp_path), status=2)
    assert "a new kubeconfig of this node needs the API server's URL" in told.refusal() \
        and "--server https://" in told.err


def test_install_follows_coreos_links_into_the_backup(issue: Run, kpki: Run,
                                                      tmp_path: Path) -> None:
    """A worker.pem that is a link is replaced itself; what it named stays, the link is in the
    backup."""
    issue()
    there = root(tmp_path)
    (there / SSL).mkdir(parents=True)
    for name in ("worker", "worker-key"):
        (there / SSL / f"worker-1-{name}.pem").write_bytes(b"old")
        (there / SSL / f"{name}.pem").symlink_to(f"worker-1-{name}.pem")
    kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", there)
    for name in ("worker", "worker-key"):
        assert (there / SSL / f"worker-1-{name}.pem").read_bytes() == b"old"
        assert not (there / SSL / f"{name}.pem").is_symlink()
        run, = (there / "var/lib/kpki/backup").iterdir()
        assert os.readlink(run / SSL / f"{name}.pem") == f"worker-1-{name}.pem"


def test_install_says_what_comes_next_and_what_a_neighbour_left(issue: Run, kpki: Run,
                                                                tmp_path: Path) -> None:
    """The end is the restart; where another node's pair was in place also what to delete; a second
    run does nothing."""
    issue("worker-2")
    issue("worker-1")
    there = root(tmp_path)
    words = ("--root", there)
    first = kpki("node", "install", "nodes/worker-2", "--node", "worker-2", *words)
    assert "systemctl restart kubelet" in first.err and "kubectl" not in first.err
    second = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", *words)
    assert "The old pair was worker-2's" in second.err and "spec.nodeName=worker-1" in second.err
    third = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", *words)
    assert "everything was right already" in third.err
    told = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", *words, "--json")
    assert {(file["host"], file["action"])
            for file in json.loads(told.out)["written"]} == {(None, "keep")}


def test_install_says_that_the_ca_is_another(issue: Run, kpki: Run, pki: Path,
                                             tmp_path: Path) -> None:
    """A pair of another CA than the installed one is installed with its CA, and with a warning."""
    issue()
    there = root(tmp_path)
    (there / SSL).mkdir(parents=True)
    (there / SSL / "ca.pem").write_bytes((pki / "ca.pem").read_bytes())
    told = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", there)
    assert f"kpki: warning: {SSL}/ca.pem: another CA than before" in told.err


def test_a_request_takes_the_descriptions_layout(kpki: Run, tmp_path: Path) -> None:
    """In a workspace the files lie as its description says, unless --layout does; elsewhere as ssl
    has them."""
    for folder, words, place in (("w", (), "var/lib/kubelet/pki/kubelet-client.key"),
                                 ("w", ("--layout", "hard-way"), "var/lib/kubelet/kubelet.key"),
                                 ("", (), "etc/kubernetes/ssl/worker-key.pem")):
        if folder:
            kpki("init", ".")
        kpki("node", "request", "worker-1", "--out", "asked", *words)
        assert (tmp_path / "asked/worker-1" / place).is_file()
        shutil.rmtree(tmp_path / "asked")
        (tmp_path / "cluster.yaml").unlink(missing_ok=True)


def test_another_root_is_not_this_machine(issue: Run, kpki: Run, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --node the root says whose it is, else the tree that is installed; this machine's
    name says nothing."""
    issue()
    there = root(tmp_path)
    monkeypatch.setattr("socket.gethostname", lambda: "worker-1")
    (there / "etc").mkdir()
    (there / "etc/hostname").write_text("worker-9\n")
    assert "certificate belongs to node worker-1" in kpki("node", "install", "nodes/worker-1",
                                                          "--root", there, status=1).refusal()
    monkeypatch.setattr("socket.gethostname", lambda: "worker-9")
    shutil.copytree("nodes/worker-1", "copy")
    (there / "etc/hostname").unlink()
    assert "whose tree is this?" in kpki("node", "install", "copy", "--root", there,
                                         status=2).refusal()
    kpki("node", "install", "nodes/worker-1", "--root", there)
    (there / "etc/hostname").write_text("Worker-1\n")
    kpki("node", "install", "copy", "--root", there)


def wrong_node(tree: Path, pki: Path) -> str:
    return "worker-2"


def other_case(tree: Path, pki: Path) -> str:
    return "worker-1.example.com"


def other_key(tree: Path, pki: Path) -> str:
    (tree / SSL / "worker-key.pem").write_bytes((pki / "ca.key").read_bytes())
    return "worker-1"


def other_ca(tree: Path, pki: Path) -> str:
    (tree / SSL / "ca.pem").write_bytes((pki / "ca.pem").read_bytes())
    return "worker-1"


def no_ca(tree: Path, pki: Path) -> str:
    (tree / SSL / "ca.pem").write_bytes((pki / "leaf.pem").read_bytes())
    return "worker-1"


def empty(tree: Path, pki: Path) -> str:
    (tree / SSL / "worker.pem").write_bytes(b"")
    return "worker-1"


def gone(tree: Path, pki: Path) -> str:
    (tree / SSL / "worker.pem").unlink()
    return "worker-1"


def encrypted(tree: Path, pki: Path) -> str:
    (tree / SSL / "worker-key.pem").write_bytes((pki / "ca-encrypted.key").read_bytes())
    return "worker-1"


def no_kubeconfig(tree: Path, pki: Path) -> str:
    (tree / "etc/kubernetes/worker-kubeconfig.yaml").write_bytes(b"x")
    return "worker-1"


def a_folder(tree: Path, pki: Path) -> str:
    (tree / SSL / "worker.pem").unlink()
    (tree / SSL / "worker.pem").mkdir()
    return "worker-1"


def elsewhere(tree: Path, pki: Path) -> str:
    kubeconfig = tree / "etc/kubernetes/worker-kubeconfig.yaml"
    kubeconfig.write_text(kubeconfig.read_text().replace("worker-key.pem", "node-key.pem"))
    return "worker-1"


NOT_FIT: list[tuple[Callable[[Path, Path], str], int, str]] = [
    (wrong_node, 1, "(wrong-node-identity)"), (other_case, 1, "(hostname-case-fqdn)"),
    (other_key, 1, "(key-cert-mismatch)"), (other_ca, 1, "(unknown-authority)"),
    (no_ca, 1, "(ca-not-a-ca)"), (empty, 2, "(bad-pem)"), (gone, 2, "(file-missing)"),
    (encrypted, 2, "(encrypted-key)"), (no_kubeconfig, 2, "(kubeconfig-broken)"),
    (elsewhere, 2, "node-key.pem: file is missing, and kubelet"), (a_folder, 2, "no regular file")]


@pytest.mark.parametrize(("spoil", "status", "cause"), NOT_FIT,
                         ids=lambda value: getattr(value, "__name__", None))
def test_install_refuses_what_is_not_fit(issue: Run, kpki: Run, pki: Path, tmp_path: Path,
                                         snapshot: Run, spoil: Callable[[Path, Path], str],
                                         status: int, cause: str) -> None:
    """Wrong files end with 1, unreadable files with 2; the message names the cause, and nothing on
    the node has changed."""
    issue()
    there = root(tmp_path)
    kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", there)
    (there / "etc/kubernetes/worker-kubeconfig.yaml").unlink()
    node = spoil(tmp_path / "nodes/worker-1", pki)
    before = snapshot(there)
    told = kpki("node", "install", "nodes/worker-1", "--node", node, "--root", there, status=status)
    assert cause in told.refusal()
    assert snapshot(there) == before


def test_install_refuses_what_has_expired(issue: Run, kpki: Run, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that is over is 1, whoever signed it."""
    issue("worker-1", "--days", "1")
    monkeypatch.setattr("kpki.cli.node.utc_now", lambda: datetime.now(UTC) + timedelta(days=2))
    told = kpki("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", root(tmp_path),
                status=1)
    assert "(expired-client-cert)" in told.refusal()


# What a request says → what the refusal says. openssl makes them; node request's own is the yes to
# these noes.
AGAINST_POLICY = [
    ("-subj /O=system:nodes/CN=system:node:worker-2", "not for 'system:node:worker-1'"),
    ("-subj /O=system:nodes/CN=worker-1", "not for 'system:node:worker-1'"),
    ("-subj /O=system:nodes/CN=system:node:Worker-1", "not for 'system:node:worker-1'"),
    ("-subj /CN=system:node:worker-1", "the groups (O) none"),
    ("-subj /O=system:nodes/O=system:masters/CN=system:node:worker-1",
     "system:nodes, system:masters"),
    ("-subj /O=system:nodes/CN=system:node:worker-2/CN=system:node:worker-1",
     "2 CNs, 'system:node:worker-2', 'system"),
    ("-subj /O=system:nodes/CN=system:node:worker-1/CN=system:node:worker-1", "2 CNs"),
    (f"{ASK} -addext basicConstraints=CA:TRUE", "CA:TRUE"),
    (f"{ASK} -addext extendedKeyUsage=clientAuth,codeSigning", "extendedKeyUsage codeSigning"),
    (f"{ASK} -addext keyUsage=digitalSignature,keyCertSign", "keyUsage keyCertSign"),
    (f"{ASK} -addext nsCertType=client", "nsCertType"),
    (f"{ASK} -addext subjectAltName=DER:300787050A00001500", "an address of 5 octets"),
    (f"{ASK} -addext subjectAltName=DER:300A87080A000015FFFFFFFF", "an address of 8 octets"),
    (f"{ASK} -addext subjectAltName=DNS:kubernetes", "'kubernetes'"),
    (f"{ASK} -addext subjectAltName=IP:10.0.0.10", "10.0.0.10"),
    (f"{ASK} -addext subjectAltName=URI:spiffe://x", "neither a DNS name nor an address")]


@pytest.mark.parametrize(("asks", "words"), AGAINST_POLICY)
def test_sign_refuses_what_is_against_policy(kpki: Run, openssl: Run, pki: Path, tmp_path: Path,
                                             asks: str, words: str) -> None:
    """A request for another subject, group, name, address or power than the node's is 1, and
    nothing is written."""
    openssl(tmp_path, f"req -new -key {pki}/other.key -config /dev/null -out asks.csr {asks}")
    told = sign(kpki, pki, tmp_path / "asks.csr", status=1)
    assert words in told.refusal() and told.err.startswith(f"kpki: {tmp_path}/asks.csr: ")
    assert [path.name for path in tmp_path.iterdir()] == ["asks.csr"]


@pytest.mark.parametrize("asks", [
    "-addext basicConstraints=CA:FALSE", "-addext basicConstraints=critical,CA:FALSE",
    "-addext keyUsage=nonRepudiation,digitalSignature,keyEncipherment",
    "-addext keyUsage=critical,digitalSignature",
    "-addext extendedKeyUsage=clientAuth,serverAuth", "-addext subjectKeyIdentifier=hash",
    "-addext subjectAltName=DNS:worker-1,IP:10.0.0.21",
    "-addext basicConstraints=CA:FALSE -addext keyUsage=digitalSignature,keyEncipherment -addext "
    "extendedKeyUsage=clientAuth -addext subjectAltName=IP:10.0.0.21"])
def test_sign_answers_a_request_for_what_a_node_has_anyway(kpki: Run, openssl: Run, pki: Path,
                                                           tmp_path: Path, asks: str) -> None:
    """Extensions within the profile's, which most recipes ask for, are no reason to refuse; the
    profile decides."""
    openssl(tmp_path, f"req -new -key {pki}/other.key -config /dev/null -out asks.csr {ASK} {asks}")
    sign(kpki, pki, tmp_path / "asks.csr")
    assert_is_node(pem.load_certificate((tmp_path / "nodes/worker-1.pem").read_bytes()), "worker-1",
                   "10.0.0.21")


@pytest.mark.parametrize(("key", "words"), [("small.key", "RSA key has 1024 bits"),
                                            ("odd.key", "the curve secp256k1")])
def test_sign_refuses_a_key_that_is_no_good(kpki: Run, openssl: Run, pki: Path, tmp_path: Path,
                                            key: str, words: str) -> None:
    """A key that Kubernetes would not take, or not for long, gets no certificate."""
    openssl(tmp_path, f"req -new -key {pki}/{key} -config /dev/null -out asks.csr {ASK}")
    assert words in sign(kpki, pki, tmp_path / "asks.csr", status=1).refusal()


def test_sign_decides_by_the_profile_not_by_the_request(kpki: Run, openssl: Run, pki: Path,
                                                        tmp_path: Path) -> None:
    """A request that asks for nothing at all gets a node's certificate, with the names that were
    said."""
    openssl(tmp_path, f"req -new -key {pki}/other.key -config /dev/null -out asks.csr {ASK}")
    sign(kpki, pki, tmp_path / "asks.csr")
    assert_is_node(pem.load_certificate((tmp_path / "nodes/worker-1.pem").read_bytes()), "worker-1",
                   "10.0.0.21")


def test_sign_checks_the_requests_own_signature(kpki: Run, pki: Path, tmp_path: Path) -> None:
    """A request that was changed after it was signed is 1."""
    kpki("node", "request", "worker-1", "--address", "10.0.0.21")
    block = next(pem.blocks((tmp_path / "nodes/worker-1.csr").read_bytes()))
    flipped = block.der[:-1] + bytes([block.der[-1] ^ 1])
    (tmp_path / "asks.csr").write_bytes(pem.armour(flipped, block.label))
    assert "self-signature" in sign(kpki, pki, tmp_path / "asks.csr", status=1).refusal()


def test_sign_says_no_more_than_it_was_told(kpki: Run, pki: Path, tmp_path: Path) -> None:
    """The request's address must be said at the CA too; the hint is the option."""
    kpki("node", "request", "worker-1", "--address", "10.0.0.21", "--address", "10.0.0.99")
    told = sign(kpki, pki, tmp_path / "nodes/worker-1.csr", status=1)
    assert ("10.0.0.99, which is not worker-1's" in told.refusal()
            and "--address 10.0.0.99" in told.err)


def sign(kpki: Run, pki: Path, csr: Path, status: int = 0) -> Any:
    return kpki("node", "sign", csr, "--node", "worker-1", "--ca", pki / "other.pem", "--ca-key",
                pki / "other.key", "--address", "10.0.0.21", status=status)
