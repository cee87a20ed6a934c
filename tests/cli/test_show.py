"""`kpki show`: what a file says, of openssl's files and kpki's own; never a secret, never a
traceback."""
from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki.cli.main import main

Run = Callable[..., Any]
TOKEN, PASSWORD = "s3cret-token", "hunter2-hunter2"
NODE = "/O=system:nodes/CN=system:node:worker-1"
KEYS = ("path", "kind", "user", "groups", "node", "usages", "names", "issuer", "not_before",
        "not_after", "rows", "contexts")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, openssl: Run) -> Path:
    """A docs' CA, certificates of several makes and keys in every container, by openssl alone."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "node.cnf").write_text("subjectAltName = DNS:worker-1,IP:10.0.0.21\n"
                                     "extendedKeyUsage = serverAuth,clientAuth\n"
                                     "basicConstraints = CA:FALSE\n")
    (folder / "sub.cnf").write_text("basicConstraints = critical,CA:TRUE\n"
                                    "keyUsage = critical,keyCertSign\nsubjectKeyIdentifier = hash\n"
                                    "authorityKeyIdentifier = keyid\n")
    (folder / "code.cnf").write_text("extendedKeyUsage = codeSigning\n")
    for line in (
            "genrsa -out ca.key 2048",
            "req -x509 -new -noenc -key ca.key -subj /CN=10.0.0.10 -days 3650 -out ca.crt",
            "req -x509 -new -noenc -newkey rsa:2048 -keyout twin.key -subj /CN=10.0.0.10 "
            "-days 3650 -out twin.crt",
            "req -x509 -new -noenc -newkey rsa:2048 -keyout other.key -subj /CN=other -days 3650 "
            "-out other.crt",
            "ecparam -name prime256v1 -genkey -out node.key",
            f"req -new -key node.key -subj {NODE} -addext subjectAltName=DNS:worker-1 "
            "-out node.csr",
            "x509 -req -in node.csr -CA ca.crt -CAkey ca.key -days 30 -extfile node.cnf "
            "-out node.crt",
            "x509 -req -in node.csr -CA ca.crt -CAkey ca.key -days 30 -extfile code.cnf "
            "-out code.crt",
            "req -new -key node.key -subj /CN=api.example -out legacy.csr",
            "x509 -req -in legacy.csr -CA ca.crt -CAkey ca.key -days 30 -out legacy.crt",
            "req -new -key node.key -subj /CN=system:node:worker-1 -out half.csr",
            "x509 -req -in half.csr -CA ca.crt -CAkey ca.key -days 30 -extfile node.cnf "
            "-out half.crt",
            "req -new -noenc -newkey rsa:2048 -keyout sub.key -subj /CN=sub -out sub.csr",
            "x509 -req -in sub.csr -CA ca.crt -CAkey ca.key -days 300 -extfile sub.cnf "
            "-out sub.crt",
            "x509 -req -in node.csr -CA sub.crt -CAkey sub.key -days 30 -extfile node.cnf "
            "-out deep.crt",
            "x509 -in node.crt -outform DER -out node.der",
            "req -in node.csr -outform DER -out csr.der",
            "x509 -in node.crt -text -out text.crt",
            "rsa -in ca.key -traditional -out pkcs1.key",
            "pkcs8 -topk8 -nocrypt -in node.key -out pkcs8.key",
            "pkey -in node.key -pubout -out node.pub",
            "pkey -in node.key -pubout -outform DER -out pub.der",
            "rsa -in ca.key -RSAPublicKey_out -out rsa.pub",
            "pkey -in node.key -outform DER -out key.der",
            "pkcs8 -topk8 -in node.key -passout pass:x -out locked.key",
            "rsa -in ca.key -traditional -aes128 -passout pass:x -out dek.key",
            "pkcs8 -topk8 -in node.key -passout pass:x -outform DER -out locked.der",
            "genpkey -algorithm ED25519 -out ed.key",
            "ecparam -name secp521r1 -genkey -noout -out p521.key"):
        openssl(folder, line)
    for name, parts in (("chain.pem", ("deep.crt", "sub.crt", "ca.crt")),
                        ("combined.pem", ("node.key", "node.crt")),
                        ("mixed.pem", ("node.crt", "ca.key")),
                        ("bundle.pem", ("ca.crt", "twin.crt", "other.crt")),
                        ("short.pem", ("deep.crt", "sub.crt"))):
        (folder / name).write_bytes(b"".join((folder / part).read_bytes() for part in parts))
    (folder / "crlf.crt").write_bytes((folder / "text.crt").read_bytes().replace(b"\n", b"\r\n"))
    return folder


@pytest.fixture
def show(kpki: Run, made: Path) -> Callable[..., dict[str, Any]]:
    """The JSON document of one of the made files."""
    def run(name: str | Path, *more: str | Path, status: int = 0) -> dict[str, Any]:
        told = kpki("show", made / name, "--json", *more, status=status)
        assert told.err == ""
        document: dict[str, Any] = json.loads(told.out)
        return document
    return run


def row(out: str, label: str) -> list[str]:
    """What the lines with that label say."""
    return [line.strip()[len(label):].strip() for line in out.splitlines()
            if line.strip().startswith(f"{label} ")]


def fingerprint(made: Path, *words: str) -> str:
    """The SHA-256 of a public key, by openssl alone."""
    done = subprocess.run(["openssl", "pkey", *words, "-pubout", "-outform", "DER"], cwd=made,
                          capture_output=True, timeout=60, check=True)
    return f"sha256:{hashlib.sha256(done.stdout).hexdigest()}"


def test_a_certificate_says_whom_it_makes_you(show: Run) -> None:
    """Every field of the contract, with the values that openssl was given."""
    told = show("node.crt", "--at", "2030-01-01")
    assert tuple(told)[:len(KEYS)] == KEYS
    assert (told["kind"], told["user"], told["groups"], told["node"]) == (
        "certificate", "system:node:worker-1", ["system:nodes"], "worker-1")
    assert (told["usages"] == ["serverAuth", "clientAuth"]
            and told["names"] == ["worker-1", "10.0.0.21"])
    assert (told["issuer"], told["rows"]) == ("CN=10.0.0.10",
                                              ["kubelet", "kubelet-client", "kubelet-serving"])
    assert (told["contexts"], told["others"], told["signer"],
            told["problem"]) == ([], [], None, None)


@pytest.mark.parametrize("name", ["node.crt", "ca.crt", "deep.crt", "legacy.crt"])
def test_dates_serial_and_names_are_openssls(show: Run, openssl: Run, made: Path,
                                             name: str) -> None:
    """The same facts as `openssl x509` prints."""
    told = show(name)
    said = dict(line.split("=", 1) for line in openssl(
        made, "x509 -noout -startdate -enddate -serial -subject -issuer -nameopt RFC2253 "
        f"-dateopt iso_8601 -in {name}"
    ).splitlines())
    assert said["notBefore"].replace(" ", "T") == told["not_before"]
    assert said["notAfter"].replace(" ", "T") == told["not_after"]
    assert (said["serial"], said["subject"], said["issuer"]) == (told["serial"], told["subject"],
                                                                 told["issuer"])


@pytest.mark.parametrize(("name", "key", "words"), [
    ("node.key", "ECDSA-P256", ("-in", "node.key")),
    ("node.pub", "ECDSA-P256", ("-in", "node.key")), ("pub.der", "ECDSA-P256", ("-in", "node.key")),
    ("key.der", "ECDSA-P256", ("-in", "node.key")),
    ("pkcs8.key", "ECDSA-P256", ("-in", "node.key")),
    ("node.crt", "ECDSA-P256", ("-in", "node.key")),
    ("node.csr", "ECDSA-P256", ("-in", "node.key")), ("csr.der", "ECDSA-P256", ("-in", "node.key")),
    ("node.der", "ECDSA-P256", ("-in", "node.key")), ("ca.key", "RSA-2048", ("-in", "ca.key")),
    ("pkcs1.key", "RSA-2048", ("-in", "ca.key")), ("rsa.pub", "RSA-2048", ("-in", "ca.key")),
    ("ca.crt", "RSA-2048", ("-in", "ca.key")), ("ed.key", "Ed25519", ("-in", "ed.key")),
    ("p521.key", "ECDSA-P521", ("-in", "p521.key"))])
def test_what_belongs_together_has_one_public_key(show: Run, made: Path, name: str, key: str,
                                                  words: tuple[str, ...]) -> None:
    """Key, request and certificate, in every container: the SHA-256 that openssl finds for the
    key."""
    told = show(name)
    assert (told["public_key"], told["key"]) == (fingerprint(made, *words), key)
    assert told["public_key"] != fingerprint(made, "-in", "sub.key")


@pytest.mark.parametrize(("name", "kind"), [
    ("node.crt", "certificate"), ("text.crt", "certificate"), ("crlf.crt", "certificate"),
    ("node.der", "certificate"), ("combined.pem", "certificate"), ("bundle.pem", "certificate"),
    ("node.csr", "request"), ("csr.der", "request"), ("node.key", "private key"),
    ("locked.key", "private key"), ("dek.key", "private key"), ("locked.der", "private key"),
    ("key.der", "private key"), ("node.pub", "public key"), ("pub.der", "public key"),
    ("rsa.pub", "public key")])
def test_each_kind_is_known(show: Run, name: str, kind: str) -> None:
    """Text around PEM, CRLF, DER, PKCS#1, PKCS#8, SEC1: the kind and nothing unreadable."""
    told = show(name)
    assert (told["kind"], told["problem"]) == (kind, None)


@pytest.mark.parametrize(("name", "encrypted"),
                         [("locked.key", True), ("dek.key", True), ("locked.der", True),
                          ("node.key", False), ("key.der", False)])
def test_an_encrypted_key_is_called_one(show: Run, name: str, encrypted: bool) -> None:
    """Kubernetes cannot load it, and that is said; its public half is not known."""
    told = show(name)
    assert any("encrypted" in note
               for note in told["notes"]) == encrypted == (told["public_key"] is None)


@pytest.mark.parametrize(("name", "noted"),
                         [("node.der", True), ("csr.der", True), ("node.crt", False)])
def test_der_is_not_what_kubernetes_reads(show: Run, name: str, noted: bool) -> None:
    """A file in DER is shown, and said to be none for Kubernetes."""
    assert any("PEM only" in note for note in show(name)["notes"]) == noted


@pytest.mark.parametrize(("name", "node", "note"), [
    ("node.crt", "worker-1", ""), ("half.crt", None, "O lacks system:nodes"),
    ("legacy.crt", None, "")])
def test_a_node_needs_the_prefix_and_the_group(show: Run, name: str, node: str | None,
                                               note: str) -> None:
    """One of the two alone is no node, which is said."""
    told = show(name)
    assert told["node"] == node and (note in " ".join(told["notes"]) if note
                                     else told["notes"] == [])


def test_the_group_alone_is_no_node_either(show: Run, kpki: Run, openssl: Run, made: Path,
                                           tmp_path: Path) -> None:
    """O=system:nodes under another CN is said to be no node."""
    openssl(tmp_path, f"req -new -key {made}/node.key -subj /O=system:nodes/CN=worker-1 -out g.csr")
    told = json.loads(kpki("show", "g.csr", "--json").out)
    assert told["node"] is None and "CN does not begin with system:node:" in told["notes"][0]


@pytest.mark.parametrize(("name", "ca", "words"), [
    ("node.crt", "ca.crt", "proven with "),
    ("node.crt", "twin.crt", "the same name and another key"), ("node.crt", "other.crt", "not by "),
    ("node.crt", "bundle.pem", "proven with "),
    ("chain.pem", None, "proven with the next certificate here"),
    ("deep.crt", None, "unproven: say --ca CERT"), ("ca.crt", None, "itself"),
    ("twin.crt", "ca.crt", "itself")])
def test_who_signed_it_is_proven(kpki: Run, made: Path, name: str, ca: str | None,
                                 words: str) -> None:
    """A CA of the name alone is not enough, and one that did sign is said to have."""
    told = kpki("show", made / name, *(("--ca", made / ca) if ca else ()))
    assert words in row(told.out, "signed by")[0]


def verdicts(told: dict[str, Any]) -> dict[tuple[str, str | None], bool]:
    return {(item["judge"], item["use"]): item["ok"] for item in told["verdicts"]}


def test_where_the_judges_differ_each_has_a_line(show: Run, kpki: Run, made: Path) -> None:
    """Only strict verification refuses the CA of the Kubernetes page: each of the three verifiers
    has a line."""
    lines = kpki("show", made / "node.crt", "--ca", made / "ca.crt").out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("verdict"))
    assert [line[14:] for line in lines[at:at + 3]] == [
        "openssl verify: OK",
        "strict (Python >= 3.13): CA cert does not include key usage extension",
        "Kubernetes (Go 1.26): OK"]
    assert verdicts(show("node.crt", "--ca", made / "ca.crt")) == {
        (judge, use): judge != "strict"
        for judge in ("openssl", "strict", "kubernetes") for use in ("client", "server")}


def test_where_they_agree_kubernetes_has_the_word(kpki: Run, made: Path) -> None:
    """One line: taken, or refused with Go's reason."""
    told = kpki("show", made / "ca.crt").out
    assert (row(told, "verdict") == ["Kubernetes accepts the certificate"]
            and "openssl verify" not in told)
    told = kpki("show", made / "node.crt", "--ca", made / "other.crt").out
    assert ("x509: certificate signed by unknown authority" in row(told, "verdict")[0]
            and "openssl verify" not in told)


def test_a_server_without_names_is_refused_by_go_alone(kpki: Run, made: Path) -> None:
    """The classic: no subjectAltName, a host's CN; openssl takes it, Kubernetes names it."""
    told = kpki("show", made / "legacy.crt", "--ca", made / "ca.crt").out
    assert "certificate relies on legacy Common Name field, use SANs instead" in told
    assert "openssl verify: OK" in told


def test_a_certificate_that_ended_is_shown_all_the_same(kpki: Run, made: Path, show: Run) -> None:
    """show is not check: the status is 0, the line says since when, and the verdict why."""
    end = show("node.crt")["not_after"]
    year = str(int(end[:4]) + 1) + end[4:]
    told = kpki("show", made / "node.crt", "--ca", made / "ca.crt", "--at",
                year.replace("02-29", "02-28")).out
    assert re.search(r"ended 36[456] days ago", row(told, "valid")[0])
    assert "x509: certificate has expired" in told
    assert re.search(r"ends in (29|30) days", row(kpki("show", made / "node.crt").out, "valid")[0])
    assert "begins in" in row(kpki("show", made / "node.crt", "--at", "2001-01-01").out, "valid")[0]


def test_what_it_is_for_is_said_in_words(kpki: Run, made: Path) -> None:
    """Client, server, a CA, anything, and neither."""
    for name, words in (("node.crt", "client and server ("), ("ca.crt", "signing others (a CA)"),
                        ("legacy.crt", "anything: "),
                        ("code.crt", "neither client nor server (codeSigning)"),
                        ("legacy.csr", "what the CA allows: ")):
        assert row(kpki("show", made / name).out, "use")[0].startswith(words), name


def test_a_bundle_shows_each_in_order(show: Run) -> None:
    """The first at the top, the others beside it in the same shape."""
    told = show("bundle.pem")
    assert [item["subject"] for item in (told, *told["others"])] == ["CN=10.0.0.10", "CN=10.0.0.10",
                                                                     "CN=other"]
    assert set(told["others"][0]) == set(told) - {"path", "others"}
    assert len({item["public_key"] for item in (told, *told["others"])}) == 3


def test_a_chain_is_judged_by_its_own_root(show: Run) -> None:
    """Leaf, intermediate and root in one file: the signer is the next, the verdict the root's;
    without it none."""
    told = show("chain.pem")
    assert told["signer"] == {"where": "file", "subject": "CN=sub", "proven": True}
    assert verdicts(told)["kubernetes", "client"] and verdicts(told)["openssl", "server"]
    cut = show("short.pem")
    assert cut["signer"] == told["signer"] and cut["verdicts"] == []


def test_a_key_beside_a_certificate_is_compared(show: Run) -> None:
    """Whether the key in a combined file is the certificate's; the certificate stands first."""
    for name, words in (("combined.pem", "the key of the certificate in this file"),
                        ("mixed.pem", "not the key of a certificate in this file")):
        told = show(name)
        assert (told["kind"], told["others"][0]["kind"]) == ("certificate", "private key")
        assert told["others"][0]["notes"] == [words]


def test_a_request_with_a_foreign_signature_is_said_to_be_one(kpki: Run, made: Path,
                                                              tmp_path: Path) -> None:
    """A request whose last octet was changed is not by its own key; an honest one has no note."""
    from kpki import pem
    der = (made / "csr.der").read_bytes()
    (tmp_path / "forged.csr").write_bytes(pem.armour(der[:-1] + bytes([der[-1] ^ 1]),
                                                     "CERTIFICATE REQUEST"))
    assert "not signed by its own key" in kpki("show", "forged.csr").out
    assert "not signed by its own key" not in kpki("show", made / "node.csr").out


def kubeconfig(user: str, *, cluster: str = "server: https://10.0.0.10:6443",
               more: str = "") -> str:
    return (f"apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{{cluster}}}\n"
            f"users:\n- name: u\n  user: {{{user}}}\ncontexts:\n- name: x\n"
            f"  context: {{cluster: c, user: u}}\n{more}current-context: x\n")


def data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_a_kubeconfig_says_whom_each_context_makes_you(kpki: Run, made: Path,
                                                       tmp_path: Path) -> None:
    """Embedded and by path, the current one's at the top; a server's own CA data proves the
    signature."""
    (tmp_path / "pki").mkdir()
    for name in ("node.crt", "node.key"):
        (tmp_path / "pki" / name).write_bytes((made / name).read_bytes())
    (tmp_path / "config").write_text(kubeconfig(
        "client-certificate: pki/node.crt, client-key: pki/node.key",
        cluster="server: https://10.0.0.10:6443, certificate-authority-data: "
        f"{data(made / 'ca.crt')}",
        more="- name: dev\n  context: {cluster: c, user: u, namespace: team}\n"))
    told = json.loads(kpki("show", "config", "--json").out)
    assert (told["kind"], told["user"], told["node"], told["path"]) == (
        "kubeconfig", "system:node:worker-1", "worker-1", "config")
    current, other = told["contexts"]
    assert (current["name"], current["current"], current["server"], current["user_name"],
            current["login"]) == (
                "x", True, "https://10.0.0.10:6443", "u", "certificate")
    assert (other["name"], other["current"], other["namespace"]) == ("dev", False, "team")
    assert current["certificate"]["signer"] == {"where": "kubeconfig", "subject": "CN=10.0.0.10",
                                                "proven": True}
    assert current["certificate"]["path"] == "pki/node.crt" and current["notes"] == []
    assert [ca["subject"] for ca in current["authorities"]] == ["CN=10.0.0.10"]
    (tmp_path / "pki/node.key").write_bytes((made / "p521.key").read_bytes())
    assert "client-key is not the certificate's key" in kpki("show", "config").out
    assert "proven with" in kpki("show", "config", "--ca", made / "ca.crt").out
    assert "not by" in kpki("show", "config", "--ca", made / "other.crt").out


@pytest.mark.parametrize(("user", "words"), [
    (f"token: {TOKEN}", "u, by a token"), ("tokenFile: /run/token", "u, by a token in /run/token"),
    (f"username: bob, password: {PASSWORD}", "u, by user name 'bob' and a password"),
    (f"exec: {{apiVersion: v1, command: aws, args: [{TOKEN}], env: [{{name: A, value: "
     f"{PASSWORD}}}]}}",
     "u, by the output of the command 'aws'"),
    (f"auth-provider: {{name: oidc, config: {{id-token: {TOKEN}}}}}",
     "u, by the authentication provider 'oidc'"),
    ("", "u, by nothing: the API server treats you as system:anonymous")])
def test_a_login_is_named_without_its_secret(kpki: Run, tmp_path: Path, user: str,
                                             words: str) -> None:
    """Tokens, passwords, an exec plugin's arguments and environment are not said, in no form of
    output."""
    (tmp_path / "config").write_text(
        kubeconfig(user, cluster=f"server: 'https://bob:{PASSWORD}@10.0.0.10:6443'"))
    for more in ((), ("--json",), ("--explain",)):
        told = kpki("show", "config", *more)
        assert TOKEN not in told.out + told.err and PASSWORD not in told.out + told.err
    assert row(kpki("show", "config").out, "user") == [words]
    assert row(kpki("show", "config").out, "cluster") == ["c, https://10.0.0.10:6443"]


@pytest.mark.parametrize("broken", [
    f"password: *{PASSWORD}", f"token: !{PASSWORD} x", f"token: [{PASSWORD}]",
    f"token: {TOKEN}, token: {PASSWORD}", f"token: {{{PASSWORD}: 1}}",
    f"client-certificate-data: {PASSWORD}", f"client-key-data: '{PASSWORD}'"])
def test_a_broken_secret_is_not_quoted(kpki: Run, tmp_path: Path, broken: str) -> None:
    """A message about an unreadable kubeconfig does not quote its content."""
    (tmp_path / "config").write_text(kubeconfig(broken))
    for more in ((), ("--json",), ("--explain",)):
        told = kpki("show", "config", *more, status=1)
        assert TOKEN not in told.out + told.err and PASSWORD not in told.out + told.err


@pytest.mark.parametrize(("old", "new", "words"), [
    ("user: u}", "user: nobody}", "the context's user 'nobody' is not in the file"),
    ("cluster: c,", "cluster: nowhere,", "the context's cluster 'nowhere' is not in the file"),
    ("cluster: c,", "", "the context names no cluster"),
    ("current-context: x", "current-context: y",
     "current-context names the context 'y', which is not in the file"),
    ("kind: Config", "kind: {a: b}", "apiVersion or kind is no text"), ("users:", "users", "line "),
    ("token: x", "client-certificate: gone.crt, client-key: gone.key",
     "gone.crt: no such file or directory"),
    ("token: x", "client-certificate: folder, client-key: folder",
     "folder: a folder, not a regular file"),
    ("token: x", "client-certificate: node.key, client-key: node.key",
     "client-certificate: a private key, not a certificate"),
    ("token: x", "client-certificate: config, client-key: config",
     "client-certificate: no PEM block"),
    ("token: x", "client-certificate-data: '%', client-key-data: '%'",
     "client-certificate: the data is no base64")])
def test_a_broken_kubeconfig_is_an_answer(kpki: Run, made: Path, tmp_path: Path, old: str, new: str,
                                          words: str) -> None:
    """What does not lead anywhere is named, with status 1; the same file unbroken is 0."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "node.key").write_bytes((made / "node.key").read_bytes())
    right = kubeconfig("token: x")
    assert old in right
    (tmp_path / "config").write_text(right)
    kpki("show", "config")
    (tmp_path / "config").write_text(right.replace(old, new))
    told = kpki("show", "config", status=1)
    assert any(words in problem for problem in row(told.out, "problem")), told.out


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
def test_every_file_of_a_trees_own_is_shown(kpki: Run, tmp_path: Path, layout: str) -> None:
    """All that kpki writes for three hosts, in each layout: 0, its row is one it could be, no key
    in the output."""
    from kpki.kubernetes.layouts import get_layout
    kpki("init", "--layout", layout)
    kpki("apply", "--quiet")
    seen = set()
    for host in sorted((tmp_path / "nodes").iterdir()):
        for place in get_layout(layout).places:
            for path in filter(None, (place.certificate, place.kubeconfig, place.key)):
                if (host / path).exists():
                    told = kpki("show", host / path, "--json")
                    document, kind = json.loads(told.out), place.row
                    assert not secrets(host / path) & words_of(told.out)
                    if path != place.key and kind != "service-accounts":
                        assert kind in document["rows"], (path, document["rows"])
                    assert all(context["problem"] is None for context in document["contexts"])
                    seen.add(kind)
    assert {"ca", "apiserver", "admin", "service-accounts", "etcd-server"} <= seen


def secrets(path: Path) -> set[str]:
    """The lines of the private keys in a file, those in a kubeconfig too."""
    text = path.read_text()
    text += "".join(base64.b64decode(item).decode()
                    for item in re.findall(r"client-key-data: (\S+)", text))
    keys = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)-----END", text, re.DOTALL)
    return {line for key in keys
            for line in key.split()} | {*re.findall(r"client-key-data: (\S+)", text)}


def words_of(text: str) -> set[str]:
    return {*re.findall(r"[A-Za-z0-9+/=]{8,}", text)}


def test_a_trees_kubeconfig_leads_into_the_tree(kpki: Run, issue: Run, tmp_path: Path) -> None:
    """The absolute paths in a host's kubeconfig begin at the root of the host's tree."""
    issue()
    tree = tmp_path / "nodes/worker-1"
    config = tree / "etc/kubernetes/worker-kubeconfig.yaml"
    assert json.loads(kpki("show", config, "--json").out)["node"] == "worker-1"
    (tree / "etc/kubernetes/ssl/worker.pem").unlink()
    told = kpki("show", config, status=1)
    assert f"client-certificate: {tree}/etc/kubernetes/ssl/worker.pem: no such file" in told.out
    (tree / "var/lib/kubelet/pki").mkdir(parents=True)
    (tree / "var/lib/kubelet/pki/current.pem").symlink_to("/etc/kubernetes/ssl/ca.pem")
    assert json.loads(kpki("show", tree / "var/lib/kubelet/pki/current.pem",
                           "--json").out)["uses"] == ["sign"]


def test_standard_input_is_a_dash(kpki: Run, made: Path) -> None:
    """`openssl … | kpki show -`."""
    kept, given = os.dup(0), os.open(made / "node.crt", os.O_RDONLY)
    try:
        os.dup2(given, 0)
        told = kpki("show", "-")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(given)
    assert "node worker-1" in told.out


BROKEN = [
    (b"", "the file is empty"), (b"-----BEGIN EC PARAMETERS-----\nBggq", "EC parameters only"),
    (b"\n \n", "the file is empty"), (b"hello\n", "neither a certificate"),
    (b"\x30\x82\x05", "cut off or broken"),
    (b"  -----BEGIN CERTIFICATE-----\n", "must begin at the start of a line"),
    (b"-----BEGIN CERTIFICATE-----\n", "the PEM block is cut off"),
    (b"-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n",
     "the base64 of the PEM block is broken"),
    (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
     "not a well-formed certificate"),
    (b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
     "not a well-formed"),
    (b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", "not a readable public key"),
    (b"-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n",
     "not a readable private key"),
    (b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", "which kpki does not show"),
    (b"kind: Config\n\t- x", "not a YAML document"), (b"[users: 1]", "the document is no mapping")]


@pytest.mark.parametrize(("content", "words"), BROKEN)
def test_a_broken_file_is_an_answer(kpki: Run, tmp_path: Path, content: bytes, words: str) -> None:
    """Status 1, the reason on standard output, nothing on standard error."""
    (tmp_path / "file").write_bytes(content)
    told = kpki("show", "file", status=1)
    assert words in row(told.out, "problem")[0] and told.err == ""
    document = json.loads(kpki("show", "file", "--json", status=1).out)
    assert words in document["problem"] and tuple(document)[:len(KEYS)] == KEYS


def test_beside_what_is_broken_the_rest_is_shown(kpki: Run, made: Path, tmp_path: Path) -> None:
    """If a certificate in the middle of a bundle is cut, the others are shown, and the status is
    1."""
    whole, other = (made / "ca.crt").read_bytes(), (made / "other.crt").read_bytes()
    (tmp_path / "bundle").write_bytes(whole + whole[:300] + b"\n" + other)
    told = json.loads(kpki("show", "bundle", "--json", status=1).out)
    assert [item["subject"]
            for item in (told, *told["others"])] == ["CN=10.0.0.10", None, "CN=other"]
    assert told["others"][0]["problem"] == "the PEM block is cut off"


def test_a_label_that_kubernetes_passes_over_is_noted(kpki: Run, made: Path,
                                                      tmp_path: Path) -> None:
    """X509 CERTIFICATE is openssl's alone, headers make a block none to Go; CERTIFICATE plain has
    no note."""
    text = (made / "ca.crt").read_text()
    (tmp_path / "old.crt").write_text(text.replace("CERTIFICATE", "X509 CERTIFICATE"))
    assert ("Kubernetes ignores this certificate because of the PEM label X509 "
            "CERTIFICATE" in kpki("show",
                                  "old.crt").out)
    (tmp_path / "head.crt").write_text(text.replace("E-----\n", "E-----\nA: b\n\n", 1))
    assert ("Kubernetes ignores this certificate because of headers in the PEM "
            "block" in kpki("show", "head.crt").out)
    assert "passes over" not in kpki("show", made / "ca.crt").out


def test_what_is_no_file_to_read_is_2(kpki: Run, made: Path, tmp_path: Path) -> None:
    """Nothing there, a folder, a FIFO, a loop of links, too much, and a line that cannot be
    taken."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "big").write_bytes(bytes(16 * 1024 * 1024 + 1))
    for words in (("nothing",), (".",), ("fifo",), ("loop",), ("big",), ("",),
                  (made / "ca.crt", "--at", "noon"), (made / "node.crt", "--ca", "nothing"),
                  (made / "node.crt", "--ca", made / "node.crt")):
        assert kpki("show", *words, status=2).refusal()
    assert "is not a CA" in kpki("show", made / "node.crt", "--ca", made / "half.crt", status=2).err


def test_a_link_is_followed(kpki: Run, made: Path, tmp_path: Path) -> None:
    """As every program does."""
    (tmp_path / "link").symlink_to(made / "node.crt")
    assert "node worker-1" in kpki("show", "link").out


def test_explain_gives_openssl_commands_that_run(kpki: Run, made: Path, tmp_path: Path) -> None:
    """Each says of the file what it is said to; --quiet leaves them out."""
    for name in ("node.crt", "node.csr", "node.key", "node.pub"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
        told = kpki("show", name, "--explain")
        steps = [line.strip() for line in told.err.splitlines()
                 if line.strip().startswith("openssl")]
        assert steps
        for step in steps:
            done = subprocess.run(["sh", "-c", step], cwd=tmp_path, capture_output=True, text=True,
                                  timeout=60, check=False)
            assert done.returncode == 0, step
            if "sha256" in step:
                assert done.stdout.split()[-1] in told.out
        assert kpki("show", name, "--explain", "--quiet").err == ""
    assert "openssl verify -CAfile" in kpki("show", "node.crt", "--ca", made / "ca.crt",
                                            "--explain").err


def test_names_cannot_write_to_the_terminal(kpki: Run, made: Path, openssl: Run,
                                            tmp_path: Path) -> None:
    """Control characters of a subject are shown as such."""
    subprocess.run(["openssl", "req", "-new", "-key", made / "node.key", "-subj", "/CN=a\x1b[31mb",
                    "-out", "e.csr"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    told = kpki("show", "e.csr").out
    assert "\x1b" not in told and "a\\x1b[31mb" in told


def shown(content: bytes, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What show says of some bytes: it answers, whatever they are."""
    path.write_bytes(content)
    capsys.readouterr()
    status = main(["show", str(path)])
    told = capsys.readouterr()
    assert status in (0, 1) and told.err == "" and told.out
    return told.out


def cuts(content: bytes, stride: int) -> Iterable[bytes]:
    return (content[:length] for length in range(0, len(content), stride))


@pytest.mark.parametrize("name", ["node.crt", "node.der", "chain.pem", "node.csr", "csr.der",
                                  "node.key", "key.der", "node.pub", "locked.der", "combined.pem"])
def test_no_cut_is_a_traceback(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                               name: str) -> None:
    """A file cut at any byte has an answer, which contains no line of a key."""
    whole = (made / name).read_bytes()
    hidden = secrets(made / name) if b"-----BEGIN" in whole else set()
    for content in cuts(whole, 19 if len(whole) < 2000 else 97):
        assert not hidden & words_of(shown(content, tmp_path / "file", capsys))


def test_noise_is_told_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A megabyte of noise, of zeros, of lines that begin a block."""
    noise = b"".join(hashlib.sha256(bytes([number >> 8, number & 255])).digest()
                     for number in range(32768))
    for content in (noise, b"\x30" + noise, bytes(1 << 20), b"-----BEGIN CERTIFICATE-----\n" * 2000,
                    b"kind: Config\n" + noise, b"kind: Config\nusers: " + b"[" * 100_000):
        assert "problem" in shown(content, tmp_path / "file", capsys)


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bits=st.data())
def test_no_flipped_byte_is_a_traceback(made: Path, tmp_path: Path,
                                        capsys: pytest.CaptureFixture[str],
                                        bits: st.DataObject) -> None:
    """A file with any byte changed, also inside the base64, has an answer, which contains no
    secret."""
    from kpki import pem
    name = bits.draw(st.sampled_from(["node.der", "csr.der", "ca.crt", "chain.pem", "key.der",
                                      "pub.der", "config"]))
    if name == "config":
        whole = kubeconfig(f"token: {TOKEN}, client-certificate-data: {data(made / 'node.crt')}, "
                           f"client-key-data: {data(made / 'node.key')}").encode()
    else:
        whole = (made / name).read_bytes()
    at = bits.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bits.draw(st.binary(min_size=1, max_size=1)) + whole[at + 1:]
    label = {"node.der": "CERTIFICATE", "csr.der": "CERTIFICATE REQUEST"}.get(name)
    if label and bits.draw(st.booleans()):
        flipped = pem.armour(flipped, label)
    told = shown(flipped, tmp_path / "file", capsys)
    assert TOKEN not in told and data(made / "node.key") not in told


@pytest.mark.parametrize(("before", "words"), [
    (3 * 86400, "ends in 3 days"), (86400, "ends in 1 day"), (86399, "ends in 23 hours"),
    (120, "ends in 2 minutes"), (1, "ends in 1 second"), (0, "ends in less than a second"),
    (-1, "ended 1 second ago"), (-7200, "ended 2 hours ago")])
def test_how_far_the_end_is_away(kpki: Run, made: Path, show: Run, before: int, words: str) -> None:
    """In whole days, else in whole hours, minutes or seconds; the last second still counts."""
    from datetime import datetime, timedelta
    end = datetime.fromisoformat(show("node.crt")["not_after"])
    told = kpki("show", made / "node.crt", "--at", (end - timedelta(seconds=before)).isoformat())
    assert row(told.out, "valid")[0].endswith(f": {words}")


@pytest.mark.parametrize(("cluster", "label", "words", "status"), [
    ("server: 'https://h', insecure-skip-tls-verify: true", "note", "the client trusts any server",
     0),
    (f"server: 'https://bob:{PASSWORD}@[h'", "cluster", "c, (no URL)", 0),
    ("server: 'https://[h'", "cluster", "c, https://[h", 0),
    ("server: 'https://h', certificate-authority-data: "
     "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCiUlCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K", "CA",
     "the base64 of the PEM block is broken (embedded)", 1)])
def test_a_cluster_is_told_as_it_is(kpki: Run, tmp_path: Path, cluster: str, label: str, words: str,
                                    status: int) -> None:
    """A server that is believed blindly, a URL that is none, CA data that is broken."""
    (tmp_path / "config").write_text(kubeconfig("token: x", cluster=cluster))
    told = kpki("show", "config", status=status).out
    assert words in row(told, label)[0] and PASSWORD not in told
    (tmp_path / "config").write_text(kubeconfig("token: x"))
    told = kpki("show", "config").out
    assert words not in told and "note" not in told


def test_rows_of_a_kubeconfig_that_are_none_are_left_out(kpki: Run, tmp_path: Path) -> None:
    """A user without a name, a list of words: what is there is shown, and that the rest is
    broken."""
    (tmp_path / "config").write_text(kubeconfig("token: x").replace("users:\n",
                                                                    "users:\n- word\n- user: {}\n"))
    told = kpki("show", "config", status=1).out
    assert row(told, "user") == ["u, by a token"] and "users[0]" in row(told, "problem")[0]
