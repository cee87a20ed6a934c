"""The lines of a remedy are what they say, whatever stands in the names: one line each, and no word
more or less."""
from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.main import main
from kpki.cluster.check.remedies.lines import command, comment, each_once

SIGNS = "ab /.-_'\"\\$`;&|<>(){}*?[]~#!%=\t\n\r\x1b\x07\x7f\x85\u2028\u202e\xe9\u3164\udcff"
# What a name may hold that means to be a command.
PAYLOADS = {
    "line": "x\ntouch PWNED\n:", "return": "x\rtouch PWNED\r:", "quote": "x'; touch PWNED; '",
    "double": 'x"; touch PWNED; "', "substitution": "x$(touch PWNED)",
    "backticks": "x`touch PWNED`", "comment": "# x\ntouch PWNED #", "option": "-x; touch PWNED",
    "escape": "x\x1b]0;t\x07\x1b[2J\n touch PWNED",
    "separator": "x\u2028touch PWNED\x85touch PWNED", "printf": "x%s%n\\ntouch PWNED\n\\",
    "here": "x\n<<E\ntouch PWNED\nE\n:"}


def sh(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", script], cwd=folder, env=os.environ | environment,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)


def test_a_command_has_exactly_its_words(tmp_path: Path) -> None:
    """A shell takes from it what was put in, byte for byte; the line itself can be printed."""
    some = random.Random(1)
    odd = ("".join(some.choices(SIGNS, k=some.randrange(1, 12))) for _ in range(1000))
    words = [*PAYLOADS.values(), "", "-", "'", *odd]
    words = [word for word in words if not word.endswith("\n")]
    lines = [command("printf", r"%s\0", word) for word in words]
    assert all(line.isascii() and line.isprintable() and not line.startswith("#") for line in lines)
    done = sh("\n".join(lines), tmp_path)
    assert (done.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in words]
            and not done.stderr)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("word", ["x\n", "touch PWNED\n", "a\0b"])
def test_a_word_that_no_shell_takes_makes_no_command(word: str) -> None:
    """A substitution loses line ends at its end, and nothing holds a null character."""
    line = command("rm", word)
    assert line.startswith("# ") and line.isascii() and line.isprintable()


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
def test_a_comment_stays_one(text: str, tmp_path: Path) -> None:
    """Nothing in it ends the line."""
    line = comment(text)
    assert line.startswith("# ") and line.isascii() and line.isprintable()
    done = sh(line, tmp_path)
    assert (done.returncode, done.stdout, done.stderr, [*tmp_path.iterdir()]) == (0, b"", b"", [])


def test_many_remedies_are_one_script() -> None:
    """Each command is there once, with the comments above it; an installation is the last of those
    that need it."""
    install, other = "kpki node install nodes/a --node a", "kpki node install nodes/b --node b"
    assert [*each_once([["# at the CA", "issue 1", install], ["# at the CA", "issue 1", install],
                        ["issue 2", "# on a", install, "# then"], ["# words"], [other], ["# words"],
                        ["chmod"]])] == [
        "# at the CA", "issue 1", "issue 2", "# on a", install, "# then", "# words", other, "chmod"]
    assert [*each_once([])] == []


# Hostile trees

def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def text_of(payload: str) -> str:
    """A payload as a double-quoted scalar of YAML has it."""
    return json.dumps(payload)


def folder_name(tree: Path, payload: str) -> None:
    """Only the folder that the tree lies in."""


def kubeconfig_names(tree: Path, payload: str) -> None:
    for path in (tree / "etc/kubernetes").glob("*.conf"):
        text = "\n".join(line.partition('"')[0] + text_of(payload) if "name: " in line
                         or "user: " in line
                         or "current-context: " in line or 'cluster: "' in line else line
                         for line in path.read_text().splitlines())
        path.write_text(text)


def kubeconfig_server(tree: Path, payload: str) -> None:
    for path in (tree / "etc/kubernetes").glob("*.conf"):
        path.write_text("\n".join(f"    server: {text_of(f'https://{payload}')}"
                                  if "server: " in line else line
                                  for line in path.read_text().splitlines()))


def kubeconfig_files(tree: Path, payload: str) -> None:
    rewrite(tree / "etc/kubernetes/scheduler.conf", "client-key-data: ",
            f"client-key: {text_of('/' + payload)}\n    x: ")


def manifest_flags(tree: Path, payload: str) -> None:
    folder = tree / "etc/kubernetes/manifests"
    folder.mkdir()
    flags = ["service-account-signing-key-file", "tls-cert-file", "client-ca-file",
             "service-account-issuer", "service-cluster-ip-range", "advertise-address",
             "etcd-cafile"]
    words = [text_of(f"--{flag}=/srv/{payload}") for flag in flags]
    (folder / "kube-apiserver.yaml").write_text(
        "apiVersion: v1\nkind: Pod\n"
        f"spec: {{containers: [{{command: [kube-apiserver, {', '.join(words)}]}}]}}\n")


def environment(tree: Path, payload: str) -> None:
    path = tree / "etc/default/kubelet"
    path.parent.mkdir()
    path.write_text(f'KUBELET_EXTRA_ARGS="--hostname-override={payload} --node-ip={payload} '
                    f'--kubeconfig=/{payload}"\n')
    (tree / "etc/hosts").write_text(f"{payload} cp-1\n")
    (tree / "etc/hostname").write_text(payload)


def subjects(tree: Path, payload: str) -> None:
    """Another CA of that name, which has signed what is there, and a pair of its own that is made
    out to it."""
    from kpki import pem
    from kpki.stages.certificates import req_x509, x509_new
    from kpki.stages.keys import genpkey, public_key_der
    from kpki.stages.names import name_of
    pki = tree / "etc/kubernetes/pki"
    name = name_of([("CN", payload)])
    key, leaf_key = genpkey("EC", curve="P-256"), genpkey("EC", curve="P-256")
    ca = req_x509(key, subject=name, days=100)
    (pki / "front-proxy-ca.key").write_bytes(pem.dump_key(key))
    leaf = x509_new("/CN=front-proxy-client", public_key_der(leaf_key), ca, key, days=99,
                    extfile="subjectAltName=DNS:front-proxy-client\nextendedKeyUsage=clientAuth\n")
    (pki / "front-proxy-client.crt").write_bytes(pem.dump_certificate(leaf))
    (pki / "front-proxy-client.key").write_bytes(pem.dump_key(leaf_key))
    (pki / "front-proxy-ca.crt").unlink()
    mine = x509_new(name, public_key_der(leaf_key), ca, key, days=99,
                    extfile="extendedKeyUsage=serverAuth\nsubjectAltName=DNS:cp-1\n")
    (pki / "apiserver.crt").write_bytes(pem.dump_certificate(mine))


HOSTILE = (folder_name, kubeconfig_names, kubeconfig_server, kubeconfig_files, manifest_flags,
           environment, subjects)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose hosts' trees are copied, and broken."""
    folder = tmp_path_factory.mktemp("healthy") / "cluster"
    assert main(["apply", str(folder), "--example", "--quiet"]) == 0
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A `kpki` that writes down each word that it is given, and does nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kpki").write_text('#!/bin/sh\nprintf "%s\\0" "$@" >> "$WORDS"\n')
    (folder / "kpki").chmod(0o755)
    return folder


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("mutate", HOSTILE, ids=[item.__name__ for item in HOSTILE])
def test_no_name_becomes_a_command(healthy: Path, programs: Path, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch,
                                   capsys: pytest.CaptureFixture[str], payload: str,
                                   mutate: Callable[[Path, str], None]) -> None:
    """All that check prints of a hostile tree, run by a shell, does what its words say: nothing
    that a name says."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    root = payload.rstrip("\n") if mutate is folder_name else "t"
    shutil.copytree(healthy / "nodes/cp-1", root)
    tree = Path(root)
    for path in ("etc/kubernetes/pki/apiserver.key", "etc/kubernetes/kubelet.conf",
                 "etc/kubernetes/pki/sa.pub", "etc/kubernetes/pki/etcd/ca.crt"):
        (tree / path).write_bytes(b"")
    (tree / "etc/kubernetes/admin.conf").chmod(0o644)
    mutate(tree, payload)
    found: list[dict[str, Any]] = []
    for path in (root, *[f"{root}/etc/kubernetes/pki/{name}" for name in ("sa.pub", "apiserver.crt")
                         if mutate is folder_name]):
        capsys.readouterr()
        assert main(["check", "--node", "cp-1", "--json", "--", path]) in (0, 1)
        found += json.loads(capsys.readouterr().out)["findings"]
    assert main(["check", "--node", "cp-1", "--commands", "--", root]) == 1
    told = capsys.readouterr()
    lines = [line for item in found for line in item["remedy"]] + told.out.split("\n")[:-1]
    assert len(lines) >= 10 and all(item["remedy"] for item in found)
    assert all(line.isascii() and line.isprintable() for line in lines)
    words = tmp_path / "words"
    for line in lines:
        sh(line, place, PATH=f"{programs}:{os.environ['PATH']}", WORDS=str(words))
    assert not [*tmp_path.rglob("PWNED*")]
    roots = {os.fsdecode(word) for word in words.read_bytes().split(b"\0")}
    assert {root, f"./{root}"} & roots
