"""The command in process, in a folder of its own, and CAs that openssl made."""
from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from kpki.cli.main import main

Snapshot = dict[str, tuple[int, bytes, int]]


@dataclass(frozen=True)
class Outcome:
    """What one command gave: its exit status, its words on both outputs."""

    status: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one message of a command that failed, its hint aside; nothing else was said, and
        nothing on stdout."""
        first, *rest = self.err.splitlines()
        assert first.startswith("kpki: ") and len(rest) <= 1, self.err
        assert all(line.startswith("kpki: hint: ") for line in rest), self.err
        assert self.out == "" and "Traceback" not in self.err
        return first.removeprefix("kpki: ")


@pytest.fixture
def kpki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
         capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run one command line in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, status: int = 0) -> Outcome:
        capsys.readouterr()
        got = main([str(word) for word in words])
        told = capsys.readouterr()
        assert got == status, f"{' '.join(map(str, words))}: {got}\n{told.out}{told.err}"
        return Outcome(got, told.out, told.err)
    return run


@pytest.fixture
def snapshot() -> Callable[[Path], Snapshot]:
    """Every file and link under a folder but the locks: path → (type and mode, content, mtime)."""
    def take(root: Path) -> Snapshot:
        found = {}
        for path in sorted(root.rglob("*")):
            seen = path.lstat()
            if path.name not in (".kpki.lock", "lock") and not stat.S_ISDIR(seen.st_mode):
                content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
                found[str(path.relative_to(root))] = (seen.st_mode, content, seen.st_mtime_ns)
        return found
    return take


def run_openssl(folder: Path, line: str, **environment: str) -> str:
    done = subprocess.run(["openssl", *line.split()], cwd=folder, env=os.environ | environment,
                          capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"openssl {line}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def openssl() -> Callable[..., str]:
    """Run openssl in a folder; its standard output. It must succeed."""
    return run_openssl


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CAs and things that are none, made by openssl alone.

    ca.pem is the documentation's CA; its key is there in every form (ca-pkcs1.key …). ec.pem is one
    on P-384, other.pem another CA of the first one's name, bundle.pem the other one and then the
    first.
    """
    folder = tmp_path_factory.mktemp("pki")
    for line in (
            "genrsa -out ca.key 2048",
            "req -x509 -new -noenc -key ca.key -subj /CN=kube-ca -days 10000 -out ca.pem",
            "rsa -in ca.key -traditional -out ca-pkcs1.key",
            "rsa -in ca.key -traditional -aes128 -passout pass:secret -out ca-dek.key",
            "pkcs8 -topk8 -in ca.key -passout pass:secret -out ca-encrypted.key",
            "pkcs8 -topk8 -in ca.key -passout pass:secret -outform DER -out ca-encrypted-der.key",
            "pkcs8 -topk8 -in ca.key -nocrypt -outform DER -out ca-der.key",
            "ecparam -name secp384r1 -genkey -noout -out ec-sec1.key",
            "pkcs8 -topk8 -in ec-sec1.key -nocrypt -out ec-pkcs8.key",
            "req -x509 -new -key ec-sec1.key -subj /CN=kube-ca -days 3650 -out ec.pem",
            "ecparam -name prime256v1 -genkey -noout -out other.key",
            "req -x509 -new -key other.key -subj /CN=kube-ca -days 3650 "
            "-addext keyUsage=critical,keyCertSign -out other.pem",
            "req -x509 -new -key other.key -subj /CN=short -days 10 -out short.pem",
            "req -x509 -new -key other.key -subj /CN=leaf "
            "-addext basicConstraints=critical,CA:FALSE -out leaf.pem",
            "x509 -in ca.pem -outform DER -out ca.der",
            "ecparam -name secp256k1 -genkey -noout -out odd.key",
            "genrsa -out small.key 1024"):
        run_openssl(folder, line)
    (folder / "bundle.pem").write_bytes((folder / "other.pem").read_bytes()
                                        + (folder / "ca.pem").read_bytes())
    (folder / "passphrase").write_text("secret\n")
    (folder / "empty").write_bytes(b"")
    (folder / "cut.pem").write_bytes((folder / "ca.pem").read_bytes()[:400])
    (folder / "cut.key").write_bytes((folder / "ca.key").read_bytes()[:400])
    return folder


@pytest.fixture
def issue(kpki: Callable[..., Outcome], pki: Path) -> Callable[..., Outcome]:
    """`node issue` from the CA on P-256."""
    def run(name: str = "worker-1", *more: str | Path, status: int = 0) -> Outcome:
        return kpki("node", "issue", name, "--ca", pki / "other.pem", "--ca-key", pki / "other.key",
                    "--address", "10.0.0.21", "--server", "https://10.0.0.10:6443", *more,
                    status=status)
    return run


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch,
        capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[[Sequence[str]], tuple[int, bytes]]:
    """A command line of kpki in the module's own folder: exit status and standard output."""
    monkeypatch.chdir(folder)

    def command(words: Sequence[str]) -> tuple[int, bytes]:
        capfdbinary.readouterr()
        status = main(words)
        return status, capfdbinary.readouterr().out
    return command
