"""A folder of keys, a CA and a request, made by openssl once, and copied for each test."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

STEPS = """\
ecparam -name prime256v1 -genkey -noout -out ca.key
req -x509 -new -key ca.key -subj /CN=ca -days 3650 -out ca.pem
ecparam -name prime256v1 -genkey -noout -out leaf.key
ec -in leaf.key -aes256 -passout pass:secret -out locked.key
req -new -key leaf.key -subj /CN=leaf -out leaf.csr
x509 -in ca.pem -outform DER -out ca.der
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as openssl made them."""
    folder = tmp_path_factory.mktemp("made")
    for line in STEPS.splitlines():
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, this process's current folder."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    return tmp_path / "here"
