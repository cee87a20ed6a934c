"""`node install --script`: plain shell that does on the node what install did in a copy."""
from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.main import main
from kpki.cluster.node.shell import install_script
from kpki.files import File

SSL = "etc/kubernetes/ssl"


def sh(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", *map(str, words)], cwd=folder, capture_output=True, text=True)


def seen(root: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each file but backups and the lock."""
    return {str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes())
            for path in root.rglob("*") if path.is_file() and "var/lib/kpki" not in str(path)}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
         capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The script for a node whose key is lost; `node` is the node's root, `copy` its copy."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        capsys.readouterr()
        assert main(words) == 0, capsys.readouterr().err
        return capsys.readouterr().out
    run("node", "issue", "worker-1", "--example", "--quiet")
    shutil.copytree("example/nodes/worker-1", "node")
    Path("node", SSL, "worker-key.pem").unlink()
    Path("node", SSL, "worker.pem").write_text("broken")
    shutil.copytree("node", "copy")
    run("node", "issue", "worker-1", "--example", "--renew", "--quiet")
    script = run("node", "install", "example/nodes/worker-1", "--node", "worker-1", "--root",
                 "copy", "--script", "--quiet")
    Path("install.sh").write_text(script)
    subprocess.run(["tar", "-C", "copy", "-cf", "worker-1.tar", "etc"], check=True)
    return run


def test_the_node_becomes_the_copy(made: Any, tmp_path: Path) -> None:
    """Files, contents and modes are the copy's; the old files are in the backup."""
    done = sh(tmp_path, "install.sh", "worker-1.tar", "node")
    assert (done.returncode, done.stderr) == (0, "")
    assert "next: systemctl restart kubelet" in done.stdout
    assert seen(tmp_path / "node") == seen(tmp_path / "copy")
    backup = [path for path in (tmp_path / "node/var/lib/kpki/backup").rglob("*") if path.is_file()]
    assert [(path.name, path.read_text()) for path in backup] == [("worker.pem", "broken")]
    assert "PRIVATE" not in (tmp_path / "install.sh").read_text()
    assert sorted(path.name for path in (tmp_path / "node/var/lib/kpki").iterdir()) == ["backup"]


def test_another_archive_changes_nothing(made: Any, tmp_path: Path) -> None:
    """A file that is not the checked one, or missing, stops the script before the first change."""
    before = seen(tmp_path / "node")
    (tmp_path / "copy" / SSL / "worker.pem").write_text("another")
    for member in (SSL, f"{SSL}/ca.pem"):
        subprocess.run(["tar", "-C", "copy", "-cf", "bad.tar", member], check=True)
        assert sh(tmp_path, "install.sh", "bad.tar", "node").returncode == 1
        assert seen(tmp_path / "node") == before
    assert sh(tmp_path, "install.sh").returncode == 2


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A symbolic link of the archive is installed as a link; names are quoted."""
    (tmp_path / "copy/a b").mkdir(parents=True)
    (tmp_path / "copy/a b/it's").write_text("x")
    (tmp_path / "copy/a b/current").symlink_to("it's")
    files = [File("a b/it's", b"x", 0o600), File("a b/current", b"it's", 0o600, link=True)]
    (tmp_path / "s.sh").write_text(install_script(files, node="n", commands=[]))
    subprocess.run(["tar", "-C", "copy", "-cf", "a.tar", "."], cwd=tmp_path, check=True)
    for _ in range(2):
        assert sh(tmp_path, "s.sh", "a.tar", "node").stdout == "everything is in place\n"
    link = tmp_path / "node/a b/current"
    assert link.is_symlink() and link.read_text() == "x"
    assert (tmp_path / "node/a b/it's").stat().st_mode & 0o777 == 0o600


def test_shellcheck_is_content(made: Any, tmp_path: Path) -> None:
    """shellcheck finds nothing in the script."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, "install.sh"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("words", [(), ("--root", "/"), ("--root", "copy", "--json")])
def test_where_it_makes_no_sense(made: Any, words: tuple[str, ...]) -> None:
    """For the host itself, and with --json, --script is refused."""
    assert main(["node", "install", "example/nodes/worker-1", "--node", "worker-1", "--script",
                 *words]) == 2
