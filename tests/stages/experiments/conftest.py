"""The bench of the experiments: a folder with one RSA key, one P-256 key, CAs and requests, all
made by openssl."""
from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from kpki import pem
from tests.stages.experiments.peer import Bench

# a check of an RSA key takes longer than all else that a row does
_load_key = functools.cache(pem.load_key)

_CONFIG = """\
[req]
prompt=no
distinguished_name=dn
[dn]
CN=a
emailAddress=a@b.c
[plain]
keyUsage=keyCertSign
subjectKeyIdentifier=none
[named]
basicConstraints=critical,CA:TRUE
subjectAltName=DNS:ca,IP:10.0.0.1
subjectKeyIdentifier=hash
[asks]
keyUsage=critical,digitalSignature
subjectAltName=DNS:asked
extendedKeyUsage=clientAuth
"""
_STEPS = """\
genrsa -out rsa.pem 2048
rsa -in rsa.pem -outform DER -out rsa.der
rsa -in rsa.pem -aes256 -passout pass:secret -out locked.pem
rsa -in rsa.pem -pubout -out rsa.pub
ecparam -name prime256v1 -genkey -noout -out ec.pem
ec -in ec.pem -pubout -out ec.pub
req -x509 -new -key ec.pem -config bench.cnf -extensions named -set_serial 0x1234 -days 3650 \
-out ca.pem
x509 -in ca.pem -outform DER -out ca.der
req -x509 -new -key ec.pem -config bench.cnf -extensions plain -set_serial 0x99 -days 3650 \
-out noski.pem
req -x509 -new -key ec.pem -config bench.cnf -set_serial 5 -days 3650 -out v1.pem
req -x509 -new -key rsa.pem -config bench.cnf -extensions named -set_serial 6 -days 3650 \
-out rsaca.pem
req -new -key rsa.pem -config bench.cnf -out plain.csr
req -new -key rsa.pem -config bench.cnf -reqexts asks -out asks.csr
req -new -key ec.pem -config bench.cnf -out ec.csr
req -in plain.csr -outform DER -out plain.der
x509 -in ca.pem -addtrust serverAuth -addreject clientAuth -setalias a -out trusted.pem
"""


@pytest.fixture(scope="session")
def bench_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the experiments read."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "bench.cnf").write_text(_CONFIG)
    for line in _STEPS.splitlines():
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    (folder / "cut.csr").write_bytes((folder / "plain.csr").read_bytes()[:300])
    return folder


@pytest.fixture
def bench(bench_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The bench, with this process in its folder and without an OPENSSL_CONF."""
    monkeypatch.chdir(bench_folder)
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    monkeypatch.setattr(pem, "load_key", _load_key)
    return Bench(bench_folder,
                 monkeypatch.setenv, lambda stream: monkeypatch.setattr(sys, "stdin", stream),
                 lambda stream: monkeypatch.setattr(sys, "stdout", stream))
