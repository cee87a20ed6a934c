"""`--explain`: anywhere in the line, and openssl commands that run as printed, with one result."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from kpki.cli.app import app
from kpki.cli.command import Commands, VerbCommand
from kpki.cli.main import main
from tests.support.by_hand import contents, rights, run_all, tree, unlike

Kpki = Callable[..., Any]
_COMMAND = re.compile(r"^  ((?:openssl|sed|awk) .*)$", re.MULTILINE)
_DATE = re.compile(r"notAfter=(.*)")


def run(told: str, folder: Path) -> str:
    """The output of every command in an explanation; each must succeed."""
    lines = _COMMAND.findall(told)
    assert lines
    done = subprocess.run(["bash", "-ec", "set -o pipefail\n" + "\n".join(lines)], cwd=folder,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{told}"
    return done.stdout


WORKSPACE = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: ECDSA-P256
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
"""


@pytest.fixture
def made(kpki: Kpki, tmp_path: Path) -> Path:
    """A workspace of kubeadm's layout, whose files are in pairs and inside kubeconfigs."""
    kpki("apply", "--example", "a b")
    return tmp_path


@pytest.mark.parametrize("place", ["a b", "a b/nodes/cp-1", "a b/pki", "a b/pki/ca.crt"])
def test_expiry(kpki: Kpki, made: Path, place: str) -> None:
    """openssl prints as many certificates, with the same ends, whatever files hold them."""
    told = kpki("expiry", place, "--json", "--explain")
    ends = sorted(found["not_after"] for found in json.loads(told.out)["certificates"])
    shown = run(told.err, made)
    assert len(_DATE.findall(shown)) == len(ends)
    iso = subprocess.run(["date", "-u", "-f", "-", "+%Y-%m-%dT%H:%M:%SZ"], text=True, check=True,
                         input="\n".join(_DATE.findall(shown)), capture_output=True).stdout
    assert sorted(iso.split()) == ends


def test_a_bundle(kpki: Kpki, made: Path) -> None:
    """Each certificate of a bundle has a command of its own; a file without one has none."""
    files = [made / "a b/pki" / name for name in ("ca.crt", "etcd/ca.crt", "front-proxy-ca.crt")]
    (made / "bundle.pem").write_bytes(b"".join(file.read_bytes() for file in files))
    shown = run(kpki("expiry", "bundle.pem", "--explain").err, made)
    assert re.findall(r"subject=.*CN ?= ?(.*)", shown) == ["kubernetes", "etcd-ca",
                                                           "front-proxy-ca"]


@pytest.mark.parametrize("place", ["a b", "a b/nodes/cp-1", "a b/pki"])
def test_graph(kpki: Kpki, made: Path, place: str) -> None:
    """openssl shows each certificate, and verifies each leaf in a file by the CA of the tree."""
    told = kpki("graph", place, "--explain")
    shown = run(told.err, made)
    names = {*re.findall(r"subject=.*CN ?= ?(.*)", shown)}
    assert {*re.findall(r"(?:─ |CN=)([\w:-]+)  ", told.out)} == names
    leaves = 0 if place == "a b/pki" else 7
    assert shown.count(": OK\n") == leaves


def test_check(kpki: Kpki, made: Path) -> None:
    """openssl shows the certificates, equal halves of pairs, and verifies by the same CAs."""
    shutil.copytree(made / "a b/nodes/cp-1", made / "host")
    shown = run(kpki("check", "host", "--node", "cp-1", "--explain").err, made)
    keys = re.findall(r"-----BEGIN PUBLIC KEY-----\n.*?-----END PUBLIC", shown, re.DOTALL)
    assert keys[::2] == keys[1::2] and len(keys) == 2 * 8
    assert shown.count(": OK\n") >= 7
    assert "notAfter=" in run(kpki("check", "a b", "--explain").err, made)


RENEWALS = {
    "all of a workspace": (("--all",), "kubeadm"),
    "pairs in files": (("--all",), "ssl"),
    "a host's row": (("cp-1/apiserver",), "hard-way"),
    "a user": (("alice",), "kubeadm"),
    "new keys": (("cp-1", "--new-key"), "kubeadm"),
    "new keys in files": (("cp-1", "--new-key"), "ssl"),
    "the CAs": (("--ca", "--all"), "kubeadm"),
    "a CA": (("--ca", "front-proxy-ca"), "hard-way"),
    "a host": (("--root", "nodes/cp-1", "--all"), "kubeadm"),
    "a host's CA": (("--root", "nodes/cp-1", "--ca", "etcd-ca"), "ssl"),
}


@pytest.mark.parametrize("case", RENEWALS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_renew(kpki: Kpki, tmp_path: Path, case: str, when: str) -> None:
    """The commands renew the same certificates, before kpki does or once more: all but serial
    number, dates and signature stays."""
    words, layout = RENEWALS[case]
    (tmp_path / "cluster.yaml").write_text(WORKSPACE.format(layout=layout))
    kpki("apply", "--quiet")
    kpki("kubeconfig", "alice", "--group", "dev", "--days", "3", "--out", "users/alice.conf")
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    if when == "before":
        shutil.copytree(tmp_path, copy, symlinks=True)
    told = kpki("renew", *words, "--explain")
    if when == "after":
        shutil.copytree(tmp_path, copy, symlinks=True)
    old = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    run_all(told.err, copy)
    keys = "--new-key" not in words
    assert not unlike(contents(copy, keys=keys), contents(tmp_path, keys=keys))
    changed = {str(path.relative_to(copy)) for path in old if old[path] != path.read_bytes()}
    root = "nodes/cp-1/" if "--root" in words else ""
    assert changed == {root + re.sub(r"^([\w-]+): ", r"nodes/\1/", line)
                       for line in told.out.splitlines()}
    for place in (copy, "."):
        findings = json.loads(kpki("check", place, "--json").out)["findings"]
        assert [finding["cause"] for finding in findings] == \
            ["unknown-authority"] * (case == "a host's CA")     # the workspace has the old CA


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
@pytest.mark.parametrize("host", ["worker-1", "cp-2"])
def test_renew_of_a_ca_that_was_signed_elsewhere(kpki: Kpki, tmp_path: Path, layout: str,
                                                 host: str) -> None:
    """The commands copy a CA's new certificate from one file of the host to the others. Nothing is
    signed, whether the host has the CA's key or not."""
    (tmp_path / "cluster.yaml").write_text(WORKSPACE.format(layout=layout) + (
        "- {name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.12]}\n"))
    kpki("apply", "--quiet")
    place = tmp_path / "nodes" / host
    kpki("renew", "--ca", "ca", "--root", "nodes/cp-1")
    (new,) = {path.read_bytes() for path in (tmp_path / "nodes/cp-1").rglob("ca.*")
              if "etcd" not in path.parts and "backup" not in path.parts
              and path.suffix in (".crt", ".pem")}
    places = [path for path in place.rglob("ca.*") if "etcd" not in path.parts
              and path.suffix in (".crt", ".pem")]
    places[0].write_bytes(new)
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copy, symlinks=True)
    told = kpki("renew", "--ca", "--root", f"nodes/{host}", "--explain")
    if told.out:    # the one file was not the only one
        assert "openssl x509" in told.err and "-signkey" not in told.err
        run_all(told.err, copy)
    assert not unlike(tree(copy / "nodes" / host), tree(place))
    assert bool(told.out) == (layout != "ssl" or len(places) > 1)


@pytest.mark.parametrize("locked", [False, True])
def test_renew_with_a_key_that_is_elsewhere(kpki: Kpki, tmp_path: Path, *, locked: bool) -> None:
    """--ca-key and a source of its passphrase are in the commands."""
    (tmp_path / "cluster.yaml").write_text(WORKSPACE.format(layout="ssl"))
    kpki("apply", "--quiet")
    (tmp_path / "secret").write_text("secret\n")
    words = ("-aes256", "-passout", "file:secret") if locked else ()
    subprocess.run(["openssl", "pkey", "-in", "pki/ca.key", "-out", "a key", *words], check=True,
                   cwd=tmp_path, timeout=60)
    (tmp_path / "pki/ca.key").unlink()
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copy, symlinks=True)
    told = kpki("renew", "worker-1", "--ca-key", "a key", "--passin", "file:secret", "--explain")
    run_all(told.err, copy)
    assert not unlike(contents(copy), contents(tmp_path))
    path = "nodes/worker-1/etc/kubernetes/ssl/worker.pem"
    assert (copy / path).read_bytes() != (next(tmp_path.glob(f"backup/*/{path}"))).read_bytes()


@pytest.mark.parametrize("words", [(), ("--new-key",)])
def test_renew_of_a_kubelets_store(kpki: Kpki, tmp_path: Path, words: tuple[str, ...]) -> None:
    """The link leads to a new file with certificate and key; the old file stays."""
    (tmp_path / "cluster.yaml").write_text(WORKSPACE.format(layout="kubeadm"))
    kpki("apply", "--quiet")
    store = tmp_path / "given/var/lib/kubelet/pki"
    store.mkdir(parents=True)
    (store / "kubelet-client-current.pem").symlink_to("none")
    kpki("node", "install", "nodes/worker-1", "--root", "given", "--node", "worker-1")
    shutil.rmtree(tmp_path / "nodes/worker-1")
    shutil.rmtree(tmp_path / "given/var/lib/kpki")
    shutil.move(tmp_path / "given", tmp_path / "nodes/worker-1")
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copy, symlinks=True)
    told = kpki("renew", "worker-1", *words, "--explain")
    run_all(told.err, copy)
    assert not unlike(rights(copy), rights(tmp_path))
    assert not unlike(contents(copy, keys=not words), contents(tmp_path, keys=not words))
    assert "nothing wrong" in kpki("check", copy / "nodes/worker-1", "--node", "worker-1").err


def test_renew_of_files_in_other_forms(kpki: Kpki, tmp_path: Path) -> None:
    """A chain, DER, a kubeconfig in JSON and the kubelet's own file with both halves stay so."""
    (tmp_path / "cluster.yaml").write_text(WORKSPACE.format(layout="kubeadm"))
    kpki("apply", "--quiet")
    tree = tmp_path / "nodes/cp-1"
    pki = tree / "etc/kubernetes/pki"
    with (pki / "apiserver.crt").open("ab") as chain:
        chain.write((pki / "ca.crt").read_bytes())
    admin = tree / "etc/kubernetes/admin.conf"
    admin.write_text(json.dumps(yaml.safe_load(admin.read_text())))
    admin.chmod(0o600)
    kubelet = tree / "var/lib/kubelet/pki/kubelet-client-current.pem"
    kubelet.parent.mkdir(parents=True)
    kubelet.with_name("kubelet-client-1.pem").touch()
    kubelet.symlink_to("kubelet-client-1.pem")
    shutil.copytree(tree, tmp_path / "given/nodes/cp-1", symlinks=True)
    kubelet.unlink()
    kpki("node", "install", "nodes/cp-1", "--root", tmp_path / "given/nodes/cp-1", "--node", "cp-1")
    shutil.rmtree(tree)
    shutil.copytree(tmp_path / "given/nodes/cp-1", tree, symlinks=True)
    told = kpki("renew", "--all", "--root", "nodes/cp-1", "--explain")
    assert "kubelet-client-" in told.out
    before = contents(tmp_path)
    keys = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    run_all(told.err, tmp_path)
    assert not unlike(contents(tmp_path), before)
    for path, data in keys.items():
        assert path.read_bytes().count(b"PRIVATE KEY-") == data.count(b"PRIVATE KEY-")
    assert "nothing wrong" in kpki("check", tree, "--node", "cp-1").err


INSTALLATIONS = {
    "a tree": ("nodes/worker-1", "ssl", ()),
    "a tree with other paths": ("nodes/worker-1", "hard-way", ("--server", "https://10.0.0.9:6443")),
    "an embedded pair": ("nodes/worker-1", "kubeadm", ()),
    "an embedded pair, for another server": ("nodes/worker-1", "kubeadm",
                                             ("--server", "https://10.0.0.9:6443")),
    "an archive": ("nodes/worker-1.tar", "ssl", ()),
    "an archive of an embedded pair": ("nodes/worker-1.tar", "kubeadm", ()),
    "a signed answer": ("nodes/worker-1.pem", "ssl", ("--server", "https://10.0.0.9:6443")),
    "a signed answer to embed": ("nodes/worker-1.pem", "kubeadm",
                                 ("--server", "https://10.0.0.9:6443")),
}


@pytest.mark.parametrize("case", INSTALLATIONS)
@pytest.mark.parametrize("store", ["", "with the kubelet's store"])
def test_node_install(kpki: Kpki, tmp_path: Path, case: str, store: str) -> None:
    """The commands look at the source, and write the same files with the same modes."""
    source, layout, words = INSTALLATIONS[case]
    names = ("worker-1", "--address", "10.0.0.21", "--layout", layout)
    kpki("node", "issue", "other", "--example", "--quiet")
    ca = ("--ca", "example/pki/ca.crt", "--ca-key", "example/pki/ca.key")
    if source.endswith(".pem"):
        kpki("node", "request", *names)
        kpki("node", "sign", "nodes/worker-1.csr", "--node", *names, *ca)
    else:
        kpki("node", "issue", *names, *ca, "--archive", "--server", "https://10.0.0.10:6443")
    root = tmp_path / "a root"
    (root / "var/lib/kubelet/pki").mkdir(parents=True)
    if store:
        (root / "var/lib/kubelet/pki/kubelet-client-current.pem").symlink_to("none")
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    told = kpki("node", "install", source, "--node", "worker-1", "--root", "a root",
                "--layout", layout, *words, "--explain")
    shown = run_all(told.err.replace("'a root/", "'copy/"), tmp_path)
    assert ": OK\n" in shown and "subject=O = system:nodes, CN = system:node:worker-1" in shown
    keys = re.findall(r"-----BEGIN PUBLIC KEY-----\n.*?-----END PUBLIC", shown, re.DOTALL)
    assert len(keys) == 2 and keys[0] == keys[1]
    assert not unlike(tree(tmp_path / "copy"), tree(root))
    told = kpki("node", "install", source, "--node", "worker-1", "--root", "a root",
                "--layout", layout, *words, "--explain")
    assert "install -D" not in told.err and not (tmp_path / "installed-ca.pem").exists()


def test_no_secret_is_printed(kpki: Kpki, tmp_path: Path) -> None:
    """The commands for a kubeconfig with an embedded pair read the key, and do not contain it."""
    kpki("node", "issue", "w", "--example", "--layout", "kubeadm")
    kubeconfig = (tmp_path / "example/nodes/w/etc/kubernetes/kubelet.conf").read_text()
    key = re.findall(r"client-key-data: *(\S+)", kubeconfig)[0].strip('"')
    (tmp_path / "host").mkdir()
    for words in (("node", "install", "example/nodes/w", "--node", "w", "--root", "host",
                   "--server", "https://10.0.0.9:6443"),
                  ("renew", "--root", "host", "--all")):
        told = kpki(*words, "--explain", status=int(words[0] == "renew"))   # no CA key is there
        assert key not in told.err and "PRIVATE KEY" not in told.err


def test_no_key_is_an_argument_of_sed(kpki: Kpki, tmp_path: Path) -> None:
    """Other users see a program's arguments: sed reads the data of a new key from its input."""
    (tmp_path / "cluster.yaml").write_text(WORKSPACE.format(layout="kubeadm"))
    kpki("apply", "--quiet")
    told = kpki("renew", "cp-1", "--new-key", "--explain")
    lines = [line for line in told.err.splitlines() if "sed -i" in line]
    assert lines and all(line.strip().startswith("{ printf %s '") and "$(" not in line
                         and "| sed -i -f /dev/stdin " in line for line in lines)


def test_sign(kpki: Kpki, tmp_path: Path) -> None:
    """The commands sign each request as kpki does: all but serial number and dates is equal."""
    (tmp_path / "cluster.yaml").write_text(WORKSPACE.format(layout="ssl"))
    kpki("apply", "--quiet")
    shutil.copytree(tmp_path / "pki", tmp_path / "ca", ignore=shutil.ignore_patterns("etcd", "sa*"))
    for key in ("ca.key", "front-proxy-ca.key"):
        (tmp_path / "pki" / key).unlink()
    shutil.rmtree(tmp_path / "nodes")
    kpki("apply", status=1)
    shutil.copytree(tmp_path / "requests", tmp_path / "copy")
    told = kpki("sign", "requests", "--masters", "--ca", "ca/ca.crt", "--ca-key", "ca/ca.key",
                "--front-proxy-ca", "ca/front-proxy-ca.crt", "--front-proxy-ca-key",
                "ca/front-proxy-ca.key", "--explain")
    run_all(told.err.replace("requests/", "copy/"), tmp_path)
    assert not unlike(contents(tmp_path / "copy"), contents(tmp_path / "requests"))
    assert not unlike(rights(tmp_path / "copy"), rights(tmp_path / "requests"))
    assert len(contents(tmp_path / "copy")) == len(told.out.splitlines())


@pytest.mark.parametrize("words", [("learn",), ("learn", "certificate"), ("explain",),
                                   ("explain", "csr"), ("help",), ("help", "node", "issue")])
def test_commands_without_openssl(kpki: Kpki, words: tuple[str, ...]) -> None:
    """The commands that teach say that they stand for no openssl command, and what they do."""
    told = kpki(*words, "--explain")
    assert "no openssl command" in told.err and f"kpki {words[0]}" in told.err
    plain = kpki(*words)
    assert told.out == plain.out and told.err.endswith(plain.err)
    assert "openssl command" not in plain.err
    assert kpki("--explain", *words).err == told.err


def test_each_command_has_it(kpki: Kpki) -> None:
    """Every command takes --explain."""
    root = get_command(app)
    assert isinstance(root, Commands)
    commands = [*root.commands.values()]
    for command in commands:
        if isinstance(command, Commands):
            commands += command.commands.values()
        elif not isinstance(command, VerbCommand):     # openssl's verbs have it in their own tables
            assert "--explain" in [name for option in command.params for name in option.opts], \
                command.name


@pytest.mark.parametrize("words", [
    ("expiry", "a b"), ("node", "request", "w", "--address", "10.0.0.1"), ("plan", "a b")])
def test_anywhere_in_the_line(kpki: Kpki, made: Path, capsys: pytest.CaptureFixture[str],
                              words: tuple[str, ...]) -> None:
    """Before the command, between its words and at the end `--explain` means the same."""
    said = set()
    for place in range(len(words) + 1):
        main([*words[:place], "--explain", *words[place:]])
        said.add(re.sub(r"made  |right already", "", capsys.readouterr().err))
    assert len({text.split("\n")[0] for text in said}) == 1


def test_where_it_is_no_option(kpki: Kpki, made: Path) -> None:
    """Behind `--` the word is a name; without a command it is unknown, as before."""
    assert "--explain" in kpki("expiry", "--", "--explain", status=2).refusal()
    assert kpki("--explain", status=2).refusal() == "No such option: --explain"
    assert "kpki.load_certificate" in kpki(
        "--explain", "x509", "-noout", "-subject", "-in", "a b/pki/ca.crt").err
