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

from kpki.cli.main import main

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
