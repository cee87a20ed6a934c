"""Keys keep their kind or are refused by name, an empty passphrase is none, Control-C ends the
making of a long key."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RSA-PSS key, a DSA key, requests signed with them and a CA, by openssl."""
    folder = tmp_path_factory.mktemp("kinds")
    for line in (
            "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key",
            "genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -out dsa.par",
            "genpkey -paramfile dsa.par -out dsa.key",
            "pkey -in pss.key -aes128 -passout pass:abcd -out locked.key",
            "pkey -in pss.key -pubout -out pss.pub",
            "req -new -key pss.key -subj /O=system:nodes/CN=system:node:w -out pss.csr",
            "req -new -key dsa.key -subj /O=system:nodes/CN=system:node:w -out dsa.csr",
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=ca -days 3000 -out ca.pem"):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


PSS = "an RSA-PSS key is not supported: no component of Kubernetes can use one"


@pytest.mark.parametrize("line", [
    "pkey -in pss.key", "rsa -in pss.key", "pkey -in pss.key -pubout", "pkey -in locked.key "
    "-passin pass:abcd", "pkey -pubin -in pss.pub", "req -new -key pss.key -subj /CN=a",
    "req -x509 -new -key pss.key -subj /CN=a", "x509 -in ca.pem -signkey pss.key"])
def test_an_rsa_pss_key_is_refused_by_name(keys: Path, kpki: Run, line: str) -> None:
    """It is not turned into a key of another kind; nothing is written."""
    words = [str(keys / word) if word.endswith((".key", ".pub", ".pem")) else word
             for word in line.split()]
    told = kpki(*words, "-out", "o", status=1)
    assert (told.err.splitlines()[0]
            == f"kpki: {next(word for word in words if 'pss' in word or 'locked' in word)}: {PSS}")
    assert not Path("o").exists()


def test_a_request_by_a_dsa_key_is_not_called_forged(keys: Path, kpki: Run) -> None:
    """Its kind is named; what an RSA key has signed is taken."""
    why = "the request's signature cannot be checked: the key is a DSA key"
    sign = ("x509", "-req", "-CA", keys / "ca.pem", "-CAkey", keys / "ca.key", "-out", "o")
    for words in ((*sign, "-in", keys / "dsa.csr"),
                  ("req", "-in", keys / "dsa.csr", "-noout", "-verify")):
        assert kpki(*words, status=1).refusal() == f"{keys / 'dsa.csr'}: {why}"
    assert "key is neither RSA nor ECDSA" in kpki(
        "node", "sign", keys / "dsa.csr", "--node", "w", "--address", "10.0.0.5", "--ca",
        keys / "ca.pem", "--ca-key", keys / "ca.key", status=1).err
    kpki("req", "-new", "-key", keys / "ca.key", "-subj", "/CN=a", "-out", "a.csr")
    kpki(*sign, "-in", "a.csr")


@pytest.mark.parametrize("line", [
    "genrsa -aes256 -passout env:E 1024", "genpkey -algorithm ED25519 -aes256 -pass pass:", "req "
    "-new -newkey rsa:1024 -passout env:E -subj /CN=a", "pkey -in ca.key -aes128 -passout env:E"])
def test_an_empty_passphrase_is_refused(keys: Path, kpki: Run, monkeypatch: pytest.MonkeyPatch,
                                        line: str) -> None:
    """As a user's mistake, before anything is written; with one character it is taken."""
    words = [str(keys / word) if word.endswith(".key") else word for word in line.split()]
    for value, status in (("", 1), ("x", 0)):
        monkeypatch.setenv("E", value)
        given = [word + value if word == "pass:" else word for word in words]
        told = kpki(given[0], "-out", "o", *["-keyout", "k"] * (given[0] == "req"), *given[1:],
                    status=status)
        assert (("an empty passphrase protects nothing, and kpki accepts none" in told.err)
                == (status == 1))
        assert Path("o").exists() == (status == 0)


@pytest.mark.parametrize("line",
                         ["genrsa 16384", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:16384",
                          "req -new -newkey rsa:16384 -noenc -subj /CN=a -batch"])
def test_control_c_ends_the_making_of_a_long_key(line: str, tmp_path: Path) -> None:
    """At once and by the signal, so that a shell says 130; nothing is written."""
    verb, *others = line.split()
    marked = ("import sys, kpki.stages.keys as keys; from kpki.cli.main import run\n"
              "make = keys.rsa.generate_private_key\n"
              "def made(*words):\n    print('now', flush=True)\n    return make(*words)\n"
              "keys.rsa.generate_private_key = made; sys.argv[1:] = "
              f"{[verb, '-out', 'o', *others]}; run()")
    place = str(Path(__file__).parents[3])
    with subprocess.Popen([sys.executable, "-c", marked], cwd=tmp_path, env=os.environ
                          | {"PYTHONPATH": place}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as child:
        assert child.stdout and child.stdout.readline() == b"now\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == -signal.SIGINT
    assert list(tmp_path.iterdir()) == []
