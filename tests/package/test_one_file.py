"""dist/kpki in an empty root, dist/kpki.pyz with a bare Python; `scripts/build --check` runs this.

An empty root has the one file, /proc, and a folder for temporary files: no libc, no Python. A root
of an old distribution is tried too, if KPKI_OLD_ROOT names one: `debootstrap --variant=minbase
bullseye FOLDER`.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kpki import __version__, load_certificate, load_key
from kpki.cli.main import main

DIST = Path(__file__).parents[2] / "dist"
Run = Callable[..., str]
SSL = "etc/kubernetes/ssl"


OLD_ROOT = os.environ.get("KPKI_OLD_ROOT", "")


@pytest.fixture(params=["", *filter(None, [OLD_ROOT])], ids=lambda path: path or "empty")
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A root with the file, and the node's files that a copy brings; else nothing, or an old
    distribution."""
    if request.param:
        subprocess.run(["cp", "-a", f"{request.param}/.", str(tmp_path)], check=True)
    for name in ("proc", "tmp", "copy"):
        (tmp_path / name).mkdir(exist_ok=True)
    shutil.copy(DIST / "kpki", tmp_path / "kpki")
    return tmp_path


@pytest.fixture
def run(root: Path) -> Run:
    """Run the file in the root, in namespaces of its own: it sees no process but itself.

    Its exit status is checked.
    """
    assert os.geteuid() == 0, "only root can change the root"

    def command(*words: str, status: int = 0) -> str:
        script = 'mount -t proc proc "$0/proc" && exec chroot "$0" /kpki "$@"'
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", script,
                               str(root), *words],
                              capture_output=True, text=True, timeout=120,
                              env={"PATH": os.environ["PATH"]})
        assert done.returncode == status, f"{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
    return command


def test_the_file_is_static() -> None:
    """The kernel alone starts the file: it names no loader and no library."""
    shown = subprocess.run(["readelf", "-ld", str(DIST / "kpki")], capture_output=True, text=True,
                           check=True).stdout
    assert "INTERP" not in shown and "NEEDED" not in shown
    assert re.search(r"^ +LOAD ", shown, re.MULTILINE)


def test_a_nodes_repair_in_an_empty_root(root: Path, run: Run) -> None:
    """Version, an openssl verb, check, install and doctor work there."""
    assert run("--version") == f"kpki {__version__}\n"
    run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "/tmp/k.pem")
    load_key((root / "tmp/k.pem").read_bytes())
    os.chdir(root / "copy")
    assert main(["node", "issue", "worker-1", "--example", "--quiet",
                 "--server", "https://127.0.0.1:9"]) == 0
    install = ("node", "install", "/copy/example/nodes/worker-1", "--node", "worker-1")
    assert "systemctl restart kubelet" in run(*install)
    assert "nothing wrong" in run("check", "/", "--node", "worker-1")
    (root / SSL / "worker-key.pem").unlink()
    assert "file-missing" in run("check", "/", "--node", "worker-1", status=1)
    run(*install)
    load_certificate((root / SSL / "worker.pem").read_bytes())
    assert (root / SSL / "worker-key.pem").stat().st_mode & 0o777 == 0o600
    assert "CN=system:node:worker-1" in run("graph", "/") + run("expiry", "/")
    assert "CN = system:node:worker-1" in run("x509", "-noout", "-subject", "-in",
                                              f"/{SSL}/worker.pem")
    told = run("doctor", "--node", "worker-1", status=1)      # nobody is the API server there
    assert "the files are right" in told and "no certificate explains them" in told


def test_nothing_stays(root: Path, run: Run) -> None:
    """What the file unpacks is gone when the command has ended, also after an error."""
    run("--version")
    run("check", "/nothing", status=2)
    assert [*(root / "tmp").iterdir()] == []


def test_the_zipapp(tmp_path: Path) -> None:
    """The zipapp runs with a Python without packages, and unpacks below SHIV_ROOT once."""
    environment = {"SHIV_ROOT": str(tmp_path / "cache"), "PATH": os.environ["PATH"]}
    for _ in range(2):
        line = [sys.executable, "-I", "-S", str(DIST / "kpki.pyz"), "verify", "-help"]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 0 and "-CAfile" in done.stdout, done.stderr
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1
