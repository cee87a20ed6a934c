"""Hosts on disk, whose certificates are made once, and `kpki` for their mending."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kpki.cli.main import main
from tests.hosts.making import Host
from tests.hosts.pki import Shelf
from tests.support.forking import with_kpki

AUTHORITY_OPTIONS = {"ca": "--ca", "etcd_ca": "--etcd-ca", "front_proxy_ca": "--front-proxy-ca"}
WHOLE = "KPKI_HOSTS"    # in the environment: every fault is mended, by a shell
# a line that needs its neighbours
TOGETHER = re.compile(r"\\$|<<|^\w+=|^(if|for|while|case|cd|export|set|trap)\b|\{$")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """What has been made so far; a host's own shelf is one with its rows."""
    return Shelf({}, tmp_path_factory.mktemp("openssl"))


@pytest.fixture
def lay(tmp_path: Path, shelf: Shelf) -> Callable[[Host], Path]:
    """A host's tree, in a folder whose name tells nothing."""
    def make(host: Host) -> Path:
        return host.lay(shelf.changed(host.rows), tmp_path / "root")
    return make


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory, kpki_words: list[str]) -> dict[str, str]:
    """An environment in which `kpki` is this checkout's, and nothing can be restarted."""
    return with_kpki(tmp_path_factory.mktemp("bin"), kpki_words,
                     systemctl=":", crictl=":", docker=":", kubectl=":")


@pytest.fixture
def kpki(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The command in process: its exit status, and what it printed."""
    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main([*words])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return status, told.out if status == 0 or told.out else told.err
    return run


@pytest.fixture
def run_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: dict[str, str],
               kpki: Callable[..., tuple[int, str]]) -> Callable[[str], None]:
    """Run a script as `sh -e` does where the host's tree lies. If each line stands alone, the plain
    `kpki` lines run in process, since starting the command anew takes long."""
    monkeypatch.chdir(tmp_path)

    def run(script: str) -> None:
        lines = [line for line in script.splitlines() if line and not line.startswith("#")]
        if WHOLE in os.environ or any(TOGETHER.search(line) for line in lines):
            by_shell(script, tmp_path, shell)
            return
        for line in lines:
            if line.startswith("kpki ") and not {*line} & {*"|&;<>()$`*?[]~#"}:
                status, told = kpki(*shlex.split(line)[1:])
                assert status == 0, f"{line}\n{told}"
            else:
                by_shell(line, tmp_path, shell)
    return run


def by_shell(script: str, folder: Path, environment: dict[str, str]) -> None:
    """Run a script as `sh -e` does; it must succeed."""
    done = subprocess.run(["sh", "-e"], input=script, cwd=folder, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}"
