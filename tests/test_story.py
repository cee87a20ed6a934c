"""The story of the first page of the docs: a worker loses its certificates and gets them back.

The cluster is openssl's work: the documentation's CA, workers with CoreOS's files and options. The
page is run as it stands, once; what it leaves behind is then looked at with openssl's own eyes.
"""
from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509 import Certificate

from kpki import pem
from kpki.cli.main import main
from kpki.stages.handshake import handshake

PAGE = Path(__file__).parent.parent / "docs" / "index.md"
STAMP = re.compile(r"\d{8}T\d{6}Z")
SSL = "etc/kubernetes/ssl"
ADDRESSES = {"worker-1": "10.0.0.21", "worker-2": "10.0.0.22", "stranger": "10.0.0.22"}
Story = tuple[Path, list[Any]]
SECONDS = 60  # for any one command; none takes one


def openssl(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *words], cwd=cwd, env=os.environ | environment,
                          capture_output=True, text=True, timeout=SECONDS, check=False,
                          stdin=subprocess.DEVNULL)


def kpki(*words: str) -> int:
    return main(list(words))


@pytest.fixture(scope="module")
def story(run_page: Callable[[Path], Story]) -> Story:
    """The folder in which the page was run, and its steps."""
    return run_page(PAGE)


@pytest.fixture(scope="module")
def hosts(story: Story) -> Path:
    """The story's folder, with another CA of the same name and a pair of its own for worker-2,
    `stranger`."""
    folder, _ = story
    place = folder / "stranger" / SSL
    place.mkdir(parents=True)
    for words in (
            ("genrsa", "-out", "other-key.pem", "2048"),
            ("req", "-x509", "-new", "-key", "other-key.pem", "-subj", "/CN=kube-ca", "-out",
             f"{place}/ca.pem"),
            ("genrsa", "-out", f"{place}/worker-key.pem", "2048"),
            ("req", "-new", "-key", f"{place}/worker-key.pem", "-out", "other.csr", "-config",
             "worker-openssl.cnf", "-subj", "/CN=system:node:worker-2/O=system:nodes"),
            ("x509", "-req", "-in", "other.csr", "-CA", f"{place}/ca.pem", "-CAkey",
             "other-key.pem", "-CAcreateserial", "-out", f"{place}/worker.pem", "-extensions",
             "v3_req", "-extfile", "worker-openssl.cnf")):
        done = openssl(*words, cwd=folder, WORKER_IP=ADDRESSES["stranger"])
        assert done.returncode == 0, done.stderr
    return folder


def test_the_page_says_what_happens(story: Story) -> None:
    """Each command of the page succeeds and prints, to the letter, what the page says; the backup's
    time aside."""
    _, steps = story
    assert len(steps) > 15
    for step in steps:
        assert STAMP.sub("TIME", step.printed) == STAMP.sub("TIME", step.promised), step.command
        assert step.status == 0, step.command


def test_what_was_replaced_is_in_the_backup(story: Story) -> None:
    """The neighbour's pair that lay in the way is in the backup of the first installation,
    unchanged."""
    folder, _ = story
    first = min((folder / "worker-2/var/lib/kpki/backup").iterdir())
    for name in ("worker.pem", "worker-key.pem"):
        assert (first / SSL / name).read_bytes() == (folder / "worker-1" / SSL / name).read_bytes()


def test_the_key_never_left_the_node(story: Story) -> None:
    """The CA's answer contains no key, and the installed key is the one that the node made."""
    folder, _ = story
    assert b"PRIVATE KEY" not in (folder / "at-the-ca/worker-2.pem").read_bytes()
    assert [path.name for path in (folder / "at-the-ca").iterdir()] == ["worker-2.pem"]
    key = f"{SSL}/worker-key.pem"
    assert ((folder / "worker-2" / key).read_bytes()
            == (folder / "on-the-node/worker-2" / key).read_bytes())


def test_strict_makes_the_warning_count(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """The documentation's CA is 0 for check and 1 for check --strict."""
    worker = str(story[0] / "worker-2")
    assert kpki("check", worker, "--node", "worker-2") == 0
    assert kpki("check", worker, "--node", "worker-2", "--strict") == 1
    assert "strict-refused" in capsys.readouterr().out


def test_coreos_original_subject_is_no_node(story: Story, capsys: pytest.CaptureFixture[str],
                                            tmp_path: Path) -> None:
    """A worker whose CN is the bare host name, as CoreOS had it before RBAC, is `wrong-subject`."""
    folder = story[0]
    place = tmp_path / "worker-1" / SSL
    place.mkdir(parents=True)
    for name in ("ca.pem", "worker-key.pem"):
        (place / name).write_bytes((folder / "worker-1" / SSL / name).read_bytes())
    (place / "worker-key.pem").chmod(0o600)
    (place.parent / "worker-kubeconfig.yaml").write_bytes((folder / "worker-kubeconfig.yaml")
                                                          .read_bytes())
    openssl("req", "-new", "-key", f"{place}/worker-key.pem", "-out", f"{tmp_path}/worker.csr",
            "-subj", "/CN=worker-1", "-config", "worker-openssl.cnf", cwd=folder,
            WORKER_IP="10.0.0.21")
    done = openssl("x509", "-req", "-in", f"{tmp_path}/worker.csr", "-CA", "ca/ca.pem", "-CAkey",
                   "ca/ca-key.pem", "-out", f"{place}/worker.pem", "-days", "365", "-extensions",
                   "v3_req", "-extfile", "worker-openssl.cnf", cwd=folder, WORKER_IP="10.0.0.21")
    assert done.returncode == 0, done.stderr
    assert kpki("check", str(tmp_path / "worker-1"), "--node", "worker-1") == 1
    assert capsys.readouterr().out.splitlines()[0].split() == ["error", "wrong-subject",
                                                               f"{SSL}/worker.pem"]


@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_openssl_verifies_the_pair_for_both_uses(hosts: Path, purpose: str) -> None:
    """The cluster's CA vouches for the new certificate as client and as server, another CA for
    neither."""
    certificate = f"worker-2/{SSL}/worker.pem"
    assert openssl("verify", "-CAfile", "ca/ca.pem", "-purpose", purpose, certificate,
                   cwd=hosts).returncode == 0
    refused = openssl("verify", "-CAfile", f"stranger/{SSL}/ca.pem", "-purpose", purpose,
                      certificate, cwd=hosts)
    assert refused.returncode == 2


# Who serves, who comes, and whether they get along. worker-1's pair is openssl's work, worker-2's
# is kpki's.
MEETINGS = [("worker-2", "worker-1", True), ("worker-1", "worker-2", True),
            ("worker-2", "worker-2", True), ("worker-2", "stranger", False),
            ("stranger", "worker-2", False)]


@pytest.mark.parametrize(("server", "client", "welcome"), MEETINGS)
def test_openssl_shakes_hands_with_client_authentication(hosts: Path, server: str, client: str,
                                                         welcome: bool) -> None:
    """s_server and s_client, both checking the other by the cluster's CA, talk; a pair from another
    CA is refused."""
    with subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", "-Verify",
             "1", "-verify_return_error",
             *identity(server)], cwd=hosts, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        try:
            port = next(line.split()[1] for line in process.stdout if line.startswith("ACCEPT"))
            # the server of -rev sends each line back to front, and leaves at CLOSE
            done = subprocess.run(
                ["openssl", "s_client", "-connect", port, "-verify_return_error", "-verify_ip",
                 ADDRESSES[server], "-quiet", "-ign_eof", *identity(client)], cwd=hosts,
                input="who is there\nCLOSE\n",
                capture_output=True, text=True, timeout=SECONDS, check=False)
        finally:
            process.kill()
    assert ("ereht si ohw" in done.stdout) == welcome, done.stderr


def identity(host: str) -> list[str]:
    return ["-cert", f"{host}/{SSL}/worker.pem", "-key", f"{host}/{SSL}/worker-key.pem", "-CAfile",
            "ca/ca.pem"]


@pytest.mark.parametrize(("server", "client", "welcome"), MEETINGS)
def test_the_handshake_in_memory_says_the_same(hosts: Path, server: str, client: str,
                                               welcome: bool) -> None:
    """kpki's own handshake welcomes and refuses whom openssl's two programs do."""
    def pair(host: str) -> tuple[list[Certificate], PrivateKeyTypes]:
        folder = hosts / host / SSL
        return (pem.load_certificates((folder / "worker.pem").read_bytes()),
                pem.load_key((folder / "worker-key.pem").read_bytes()))

    roots = pem.load_certificates((hosts / "ca/ca.pem").read_bytes())
    met = handshake(pair(server), pair(client), server_roots=roots, client_roots=roots,
                    hostname="worker-2" if server == "worker-2" else None)
    assert met.ok == welcome, met
