"""What an attacker writes into a file, a name or a path reaches no terminal as it was written."""
from __future__ import annotations

import base64
import io
import json
import os
import re
import tarfile
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kpki.cli import terminal
from kpki.cli.main import main
from kpki.cli.terminal import LONGEST_VALUE, printable, short

# cryptography warns of names that are too long, and makes them all the same
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")

Run = Callable[..., Any]
COMMAND = "         $ "     # what check prints before a command, which is never cut
SPOOF = "kpki: everything was right already"

# What stands in a text → what a terminal gets of it.
ESCAPES = [
    ("plain", "plain"), ("a b", "a b"), ("é中ß", "é中ß"), ("שלום", "שלום"), ("\\x1b", "\\x1b"),
    ("", ""), ("\x1b]0;PWN\x07", r"\x1b]0;PWN\x07"), ("\x1b[31m", r"\x1b[31m"), ("\a", r"\x07"),
    ("\b", r"\x08"), ("x\ry", r"x\ry"), ("x\ny", r"x\ny"), ("x\ty", r"x\ty"), ("\0", r"\x00"),
    ("\x7f", r"\x7f"), ("\x85", r"\x85"), ("\x9b31m", r"\x9b31m"), ("\x9d", r"\x9d"),
    ("\u2028", r"\u2028"), ("\u2029", r"\u2029"), ("\xa0", r"\xa0"),
    ("\u202egnp.exe", r"\u202egnp.exe"), ("\u2066x\u2069", r"\u2066x\u2069"), ("\u200f", r"\u200f"),
    ("\u061c", r"\u061c"), ("a\u200bb", r"a\u200bb"), ("a\u200db", r"a\u200db"),
    ("\ufeff", r"\ufeff"), ("\xad", r"\xad"), ("\u2060", r"\u2060"),
    ("a\u034fb", r"a\u034fb"), ("\u3164", r"\u3164"), ("\uffa0", r"\uffa0"), ("\ufe0f", r"\ufe0f"),
    ("\U000e0041", r"\U000e0041"), ("\U000e0100", r"\U000e0100"), ("\ue000", r"\ue000"),
    ("\udc9b", r"\udc9b"), ("caf\udce9", r"caf\udce9"), ("\ud800", r"\ud800"),
]


@pytest.mark.parametrize(("text", "seen"), ESCAPES, ids=[ascii(text) for text, _ in ESCAPES])
def test_what_cannot_be_seen_is_escaped(text: str, seen: str) -> None:
    """A character that a terminal obeys or does not show is escaped; letters of any language
    stay."""
    assert printable(text) == seen == printable(seen)


def test_no_character_that_unicode_hides_is_printed() -> None:
    """Of all characters those of a control, format, surrogate or line class are escaped, and no
    space but one stays."""
    hidden = [number for number in map(chr, range(0x110000))
              if unicodedata.category(number) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")
              and number != " "]
    assert len(hidden) > 2000 and printable("".join(hidden)).isascii()


# A sentence → what is printed of it.
CUTS = [
    ("x: " + "a" * LONGEST_VALUE, "x: " + "a" * LONGEST_VALUE),
    ("x: " + "a" * 10_000 + ": no such file", "x: " + "a" * LONGEST_VALUE + "..."),
    ("a" * 201 + ": gone", "a" * LONGEST_VALUE + "... gone"),
    ("\x1b" * 201 + ": gone", r"\x1b" * (LONGEST_VALUE // 4) + "... gone"),
    ("the name " + "a b " * 100 + "x: gone",
     "the name " + ("a b " * 100)[:LONGEST_VALUE - 9] + "...: gone"),
    (", ".join(["a" * 150] * 10), ", ".join(["a" * 150] * 10)),
    ("a, " * 1000, "a, " * 666 + "a,..."),
]


@pytest.mark.parametrize(("text", "seen"), CUTS,
                         ids=[f"{text[:20]!a} {len(text)}" for text, _ in CUTS])
def test_what_is_long_is_cut(text: str, seen: str) -> None:
    """A value is cut to 200 characters and a sentence to 2000; a list of many short values
    stays."""
    assert short(text) == seen


def test_a_long_command_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Words that may be commands are escaped, and never cut: half a command is another command."""
    command = f"  openssl x509 -in /{'a' * 5000}"
    terminal.say(command, "\x1b")
    assert capsys.readouterr().err == f"{command}\n\\x1b\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_without_a_letter_gets_its_escape(encoding: str,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoding of standard output makes a line fail."""
    octets = io.BytesIO()
    monkeypatch.setattr("sys.stdout",
                        io.TextIOWrapper(octets, encoding=encoding, write_through=True))
    terminal.put("é中")
    assert octets.getvalue() == {"ascii": rb"\xe9\u4e2d", "latin-1": b"\xe9\\u4e2d"}.get(
        encoding, "é中".encode()) + b"\n"


KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: {cluster}, cluster: {{server: {server}, certificate-authority: {file}}}}}]
users: [{{name: {user}, user: {{client-certificate: {file}, client-key: {file}}}}}]
contexts: [{{name: {user}, context: {{cluster: {cluster}, user: {user}}}}}]
current-context: {user}
"""

HOSTILE = {
    "escape": "\x1b]0;PWN\x07\x1b[31mX", "bell": "a\ab", "return": f"a\r{SPOOF}",
    "line": f"a\n{SPOOF}", "C1": "\x9b31m\x9d0;PWN\x9c", "separator": f"a\u2028{SPOOF}",
    "bidi": "a\u202egnp\u2066", "zero width": "a\u200b\u3164b", "long": "A" * 10_000,
    "long with spaces": "A b " * 2_500,
}
IN_PATHS = HOSTILE | {"octets": "a\udc9b\udcff"}


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
         capsys: pytest.CaptureFixture[str]) -> Run:
    """What a command says, once it is known to hold nothing that a terminal obeys, no line of
    another's and no long value."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, about: str | None = None, status: int | None = None) -> str:
        capsys.readouterr()
        got = main([str(word) for word in words])
        told = capsys.readouterr()
        text = told.out + told.err
        assert status is None or got == status, text
        assert [line for line in text.split("\n") if printable(line) != line] == []
        assert not any(line.lstrip().startswith(SPOOF) for line in text.split("\n"))
        sentences = "\n".join(line for line in text.split("\n") if not line.startswith(COMMAND))
        assert ("A" * (LONGEST_VALUE + 1) not in sentences
                and ("A b " * LONGEST_VALUE)[:2 * LONGEST_VALUE + 1] not in sentences)
        assert "this is a fault" not in text and "Traceback" not in text
        if about is not None:
            assert printable(about)[:20] in text, text
        return text
    return run


def made(name: str, *, dns: str = "w", group: str = "system:nodes",
         key: ec.EllipticCurvePrivateKey | None = None,
         ) -> bytes:
    """A self-signed certificate (PEM) that no validation of a library stopped."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, group, _validate=False),
                         x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 5, start,
                                      start + timedelta(days=36500))
    names = x509.SubjectAlternativeName([x509.DNSName._init_without_validation(dns)])
    data = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(
        data.public_bytes(Encoding.DER)) \
        + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_members_of_an_archive(said: Run, tmp_path: Path, value: str) -> None:
    """A member that no node's archive has is named by its escape."""
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo(f"etc/{value}")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"a"))
    (tmp_path / "root").mkdir()
    said("node", "install", "a.tar", "--node", "w", "--root", "root", about=f"etc/{value}",
         status=2)


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_labels_of_pem(said: Run, tmp_path: Path, pki: Path, value: str) -> None:
    """The label of a PEM block is escaped, whatever reads the file."""
    (tmp_path / "x.pem").write_text(f"-----BEGIN {value}-----\nAAAA\n-----END {value}-----\n",
                                    newline="")
    ca = ("--ca", pki / "ca.pem", "--ca-key", pki / "ca.key")
    for words in (("show", "x.pem"), ("check", "x.pem"), ("x509", "-in", "x.pem"),
                  ("req", "-in", "x.pem"), ("pkey", "-in", "x.pem"),
                  ("verify", "-CAfile", "x.pem", pki / "ca.pem"), ("verify", "x.pem"),
                  ("verify", "-kubernetes", "-CAfile", pki / "ca.pem", "x.pem"),
                  ("node", "sign", "x.pem", "--node", "w", "--address", "10.0.0.1", *ca),
                  ("node", "install", "x.pem", "--node", "w", "--root", tmp_path)):
        assert said(*words)


PATHS: list[tuple[str, ...]] = [
    ("show", "{}"), ("check", "{}"), ("check", ".", "--ca", "{}"), ("plan", "{}"), ("apply", "{}"),
    ("script", "{}"), ("uses", "{}"), ("init", "new", "--from", "{}"),
    ("flags", "kubelet", "--workspace", "{}"), ("kubeconfig", "admin", "--workspace", "{}"),
    ("node", "install", "{}", "--node", "w", "--root", "."),
    ("node", "install", ".", "--node", "w", "--root", "{}"),
    ("node", "sign", "{}", "--node", "w", "--address", "10.0.0.1"), ("node", "issue", "{}"),
    ("node", "request", "{}"), ("node", "issue", "w", "--address", "{}"),
    ("node", "issue", "w", "--address", "10.0.0.1", "--dns", "{}"),
    ("kubeconfig", "bob", "--group", "{}", "--server", "{}"), ("kubeconfig", "{}", "--node", "w"),
    ("show", "x", "--at", "{}"), ("x509", "-in", "{}"), ("x509", "-in", "x", "-out", "{}/x"),
    ("req", "-new", "-config", "{}"), ("verify", "{}"), ("verify", "-CAfile", "{}", "x"),
    ("verify", "-kubernetes", "{}"), ("genrsa", "-out", "{}/x", "{}"),
    ("pkey", "-in", "{}", "-passin", "{}"), ("x509", "-{}"), ("x509", "-in", "x", "{}"),
    ("verify", "-purpose", "{}"), ("req", "-newkey", "{}"), ("x509", "-days", "{}"), ("{}",),
    ("node", "{}"), ("check", "--{}"), ("plan", "x", "{}"), ("--{}",), ("x509", "-nameopt", "{}"),
    ("genpkey", "-algorithm", "{}"), ("req", "-new", "-subj", "{}"),
]


@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_paths_and_other_words_of_the_command_line(said: Run, words: tuple[str, ...]) -> None:
    """A word of the command line, which a script may have from anywhere, is escaped in what is said
    of it."""
    for value in IN_PATHS.values():
        assert said(*(word.format(value) for word in words)), value


@pytest.mark.parametrize("value", [path[:200] for path in IN_PATHS.values()], ids=IN_PATHS)
def test_folders_with_such_names(said: Run, tmp_path: Path, issue: Run, value: str) -> None:
    """Messages about work in a folder escape the folder's name, also on standard output."""
    os.mkdir(value)
    assert said("init", value, about=value, status=0) and said("plan", value, about=value)
    assert said("apply", value, about=value, status=0)
    assert said("check", value, about=value, status=0) and said("check", f"{value}/nodes/cp-1",
                                                                status=0)
    said("node", "issue", "w", "--example", status=0)
    for words in (("request", "w", "--address", "10.0.0.1"),
                  ("request", "v", "--explain", "--address", "10.0.0.1")):
        said("node", *words, "--out", f"{value}/trees", about=value, status=0)
    assert said("node", "install", "example/nodes/w", "--node", "w", "--root", value, "--explain",
                about=value, status=0)
    Path(value, "etc/kubernetes/ssl/worker.pem").write_text("")
    for name in ("cluster.yaml", "pki/ca.crt"):
        Path(value, name).unlink()
    assert said("check", value, "--node", "w", status=1)  # the commands spell the name in octal


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_names_in_certificates(said: Run, tmp_path: Path, pki: Path, value: str) -> None:
    """Subject, groups and names of a certificate are escaped in words, tables, errors and verify's
    lines."""
    (tmp_path / "x.pem").write_bytes(made(value, dns=value.encode("ascii", "ignore").decode(),
                                          group=value))
    said("show", "x.pem", status=0)
    said("check", "x.pem")
    said("verify", "-CAfile", "x.pem", "-show_chain", "x.pem")
    for option in ("oneline", "multiline", "sep_multiline", "sep_multiline,utf8", "compat",
                   "nofname,utf8"):
        said("verify", "-nameopt", option, "x.pem", status=2)
        said("verify", "-nameopt", option, "-CAfile", "x.pem", "-show_chain", "x.pem", status=0)
    said("verify", "-kubernetes", "-CAfile", "x.pem", "-verify_hostname", "y", "x.pem", status=2)
    said("verify", "-kubernetes", "-CAfile", pki / "ca.pem", "x.pem", status=2)


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_names_in_the_certificates_of_a_host(said: Run, tmp_path: Path, value: str) -> None:
    """check and node install name another's pair by its escape, also the node whose pair was in
    place."""
    said("node", "issue", "w", "--example", status=0)
    tree = tmp_path / "example/nodes/w"
    pair = tmp_path / "root/etc/kubernetes/ssl/worker.pem"
    pair.parent.mkdir(parents=True)
    pair.write_bytes(made(f"system:node:{value}", dns="w"))
    said("node", "install", tree, "--node", "w", "--root", "root", about=value, status=0)
    pair.write_bytes(made(f"system:node:{value}", dns="w"))
    said("check", "root", "--node", "w", status=1)
    (tree / "etc/kubernetes/ssl/worker.pem").write_bytes(made(f"system:node:{value}", dns="w"))
    said("node", "install", tree, "--node", "w", "--root", "root", status=1)


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_names_in_requests(said: Run, tmp_path: Path, pki: Path, value: str) -> None:
    """node sign names what a request asks for by its escape."""
    key = ec.generate_private_key(ec.SECP256R1())
    ascii_value = value.encode("ascii", "replace").decode()
    for user, group, dns in ((value, "system:nodes", "w"), ("system:node:w", value, "w"),
                             ("system:node:w", "system:nodes", ascii_value)):
        builder = x509.CertificateSigningRequestBuilder(x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, group, _validate=False),
            x509.NameAttribute(NameOID.COMMON_NAME, user, _validate=False)]))
        names = x509.SubjectAlternativeName([x509.DNSName._init_without_validation(dns)])
        csr = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
        (tmp_path / "x.csr").write_bytes(csr.public_bytes(
            Encoding.PEM))
        said("node", "sign", "x.csr", "--node", "w", "--address", "10.0.0.1", "--ca",
             pki / "ca.pem", "--ca-key", pki / "ca.key", status=1)
        said("show", "x.csr")
        said("x509", "-req", "-in", "x.csr", "-CA", pki / "ca.pem", "-CAkey", pki / "ca.key",
             "-out", "x.pem", status=0)


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_names_in_kubeconfigs(said: Run, tmp_path: Path, value: str) -> None:
    """Names, servers and paths of a kubeconfig are escaped, in YAML's own escapes and in an error
    about its YAML."""
    text = json.dumps(value)
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    path = tmp_path / "etc/kubernetes/kubelet.conf"
    for cluster, user, server, file in ((text, "u", '"https://h"', '"/x"'),
                                        ("c", text, '"https://h"', text), ("c", "u", text, text),
                                        ("c", "u", f'"https://{text[1:]}', '"/x"')):
        path.write_text(KUBECONFIG.format(cluster=cluster, user=user, server=server, file=file))
        assert said("show", path) and said("check", path)
        assert said("check", tmp_path, "--node", "w") and said("init", "new", "--from", tmp_path)
    for broken in (f"a: [{text}", f"{text}: x", f"a: *{value}", f"%{value}"):
        path.write_text(f"kind: Config\n{broken}\n", newline="")
        assert said("show", path) and said("check", path)


CONFIGURATIONS = [
    "{}", "[{}]", "[req]\n{}",
    "[req]\ndistinguished_name = {}", "[req]\ndistinguished_name = d\n[d]\n{} = x",
    "[req]\ndistinguished_name = d\nreq_extensions = {}\n[d]\nCN = x",
    "[req]\ndistinguished_name = d\nreq_extensions = e\n[d]\nCN = x\n[e]\n{} = x",
    "[req]\ndistinguished_name = d\nreq_extensions = e\n[d]\nCN = x\n[e]\nkeyUsage = {}",
    "[req]\ndistinguished_name = d\nreq_extensions = e\n[d]\nCN = x\n[e]\nsubjectAltName = IP:{}",
    "[req]\ndistinguished_name = d\nprompt = no\n[d]\nC = {}", ".include {}", "[req]\nx = $ENV::{}",
    "[req]\ndefault_md = {}\ndistinguished_name = d\n[d]\nCN = x",
    f"[req]\ndistinguished_name = d\n[d]\nCN = a\\n{SPOOF}",
    "[req]\ndistinguished_name = d\nprompt = yes\n[d]\nCN = {}\nCN_default = {}"]


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=ascii)
def test_lines_of_configurations(said: Run, tmp_path: Path, pki: Path, text: str,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of openssl.cnf is escaped in errors, warnings and questions."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    for value in HOSTILE.values():
        (tmp_path / "x.cnf").write_text(text.format(value, value) + "\n", newline="")
        said("req", "-new", "-key", pki / "ca.key", "-config", "x.cnf", "-out", "x.csr")
        said("req", "-x509", "-key", pki / "ca.key", "-config", "x.cnf", "-out", "x.pem", "-batch")
        said("x509", "-in", pki / "ca.pem", "-signkey", pki / "ca.key", "-extfile", "x.cnf",
             "-extensions", "e", "-out", "x.pem")


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_fields_of_descriptions(said: Run, tmp_path: Path, value: str) -> None:
    """A field of cluster.yaml is escaped, whichever command reads it."""
    said("init", ".", status=0)
    good = (tmp_path / "cluster.yaml").read_text()
    bad = [*(re.sub(rf"(?m)^( *-? *{field}:).*$", lambda match: f"{match[1]} {json.dumps(value)}",
                    good)
             for field in ("name", "server", "layout", "algorithm", "validity", "domain", "address",
                           "addresses")),
           f"{json.dumps(value)}: x\n{good}", f"{good}\n{value}: [", f"# {value}\n{good}"]
    for text in bad:
        (tmp_path / "cluster.yaml").write_text(text, newline="")
        for words in (("plan",), ("check",), ("flags", "kubelet", "--explain"),
                      ("kubeconfig", "admin"), ("node", "issue", "cp-1")):
            said(*words)


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_what_components_are_told(said: Run, tmp_path: Path, value: str) -> None:
    """A flag of a unit or a static pod is escaped wherever it is printed."""
    said("node", "issue", "w", "--example", status=0)
    said("node", "install", "example/nodes/w", "--node", "w", "--root", ".", status=0)
    pod = tmp_path / "etc/kubernetes/manifests/kube-apiserver.yaml"
    pod.parent.mkdir(parents=True)
    unit = tmp_path / "etc/systemd/system/kubelet.service"
    unit.parent.mkdir(parents=True)
    for flag in ("tls-cert-file", "client-ca-file", "kubeconfig", "config", "hostname-override"):
        unit.write_text(f'[Service]\nExecStart=/usr/bin/kubelet "--{flag}=/{value}"\n', newline="")
        pod.write_text(json.dumps({"kind": "Pod", "spec": {"containers": [
            {"command": ["kube-apiserver", f"--{flag}=/{value}"]}]}}))
        said("check", ".", "--node", "w")
        said("uses", ".")
        said("node", "install", "example/nodes/w", "--node", "w", "--root", ".")
