"""Completion in the shells themselves: each asks kpki by the script that kpki prints for it."""
from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.forking import with_kpki

Run = Callable[..., Any]
SECONDS = 60
LINES: list[tuple[str, list[str]]] = [
    ("kpki che", ["check"]), ("kpki gen", ["genpkey", "genrsa"]),
    ("kpki node i", ["install", "issue"]), ("kpki check --lay", ["--layout"]),
    ("kpki check --layout ", ["hard-way", "kubeadm", "ssl"]),
    ("kpki node issue worker-9 --algorithm E", ["ECDSA-P256", "ECDSA-P384"]),
    ("kpki node issue worker-9 --row etcd-",
     ["etcd-healthcheck-client", "etcd-peer", "etcd-server"]),
    ("kpki node issue w", ["worker-1", "worker-2"]),
    ("kpki flags kubelet --node w", ["worker-1", "worker-2"]),
    ("kpki flags kube-c", ["kube-controller-manager"]), ("kpki kubeconfig super", ["super-admin"]),
    ("kpki x509 -subj", ["-subj", "-subject", "-subject_hash", "-subject_hash_old"]),
    ("kpki x509 --CAk", ["--CAkey", "--CAkeyform"]), ("kpki x509 -inform ", ["DER", "PEM"]),
    ("kpki help node s", ["sign"]), ("kpki bog", []), ("kpki explain key-c", ["key-cert-mismatch"]),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, kpki_words: list[str]) -> Path:
    """A folder with a description, the command as a program, and the script for each shell."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "bin").mkdir()
    with_kpki(folder / "bin", kpki_words)
    program = folder / "bin" / "kpki"
    subprocess.run([program, "init", "--quiet", folder], env=environment(folder), check=True,
                   capture_output=True)
    for shell, name in (("bash", "kpki.bash"), ("zsh", "_kpki"), ("fish", "kpki.fish")):
        (folder / name).write_bytes(subprocess.run([program, "--show-completion", shell],
                                                   env=environment(folder),
                                                   check=True, capture_output=True).stdout)
    return folder


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder),
                         "TERM": "dumb", "PYTHONPATH": str(Path(__file__).parents[2])}


def ask(folder: Path, *command: str) -> list[str]:
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True,
                          text=True, timeout=SECONDS, check=True)
    return sorted(line.partition("\t")[0] for line in done.stdout.splitlines())


BASH = """source kpki.bash
complete -p kpki >/dev/null || exit 1
read -ra COMP_WORDS <<< "$1"
[[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_kpki_completion kpki
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(("line", "words"), LINES)
def test_bash_completes(workspace: Path, line: str, words: list[str]) -> None:
    """bash's function gives the words that may stand at the end of a line."""
    assert [word for word in ask(workspace, "bash", "-c", BASH, "bash", line) if word] == words


@pytest.mark.parametrize(("line", "words"), LINES[::3])
def test_fish_completes(workspace: Path, line: str, words: list[str]) -> None:
    """fish gives the same, by its own `complete -C`."""
    assert ask(workspace, "fish", "-c", "source kpki.fish; complete -C $argv[1]", line) == words


def test_zsh_completes_at_the_first_tab(workspace: Path) -> None:
    """zsh finds the file in its folder, loads it at the first Tab, and lists the options with their
    meanings."""
    screen = zsh_screen(workspace, "kpki x509 -subj", "print the old hash")
    assert "-subject_hash_old  -- print the old hash" in " ".join(screen.split("\r\n"))


def zsh_screen(folder: Path, line: str, until: str) -> str:
    """What an interactive zsh shows for a line and a Tab, until some words stand there."""
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], environment(folder))
        finally:
            os._exit(127)   # without zsh the child would go on as a second pytest
    shown = ""

    def read(mark: str) -> None:
        nonlocal shown
        end = time.monotonic() + SECONDS
        while mark not in shown and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 65536).decode(errors="replace")
    try:
        os.write(terminal,
                 b"fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; PS1='re''ady> '\n")
        read("ready> ")
        os.write(terminal, f"{line}\t".encode())
        read(until)
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return shown


def test_outside_a_workspace_there_are_no_nodes(workspace: Path) -> None:
    """A folder without a description, or with a broken one, offers none and says nothing."""
    broken = workspace / "broken"
    broken.mkdir()
    (broken / "cluster.yaml").write_text("]")
    for folder in (workspace / "bin", broken):
        done = subprocess.run(
            ["kpki"], cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS,
            env=environment(workspace) | {"_KPKI_COMPLETE": "complete_bash", "COMP_CWORD": "3",
                                          "COMP_WORDS": "kpki node issue "})
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize(("shell", "path"), [
    ("bash", ".bash_completions/kpki.sh"), ("zsh", ".zfunc/_kpki"),
    ("fish", ".config/fish/completions/kpki.fish")])
def test_a_user_switches_it_on(kpki: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                               shell: str, path: str) -> None:
    """--install-completion writes the shell's file in the home folder, where typer's users expect
    the file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path in kpki("--install-completion", shell).out
    assert "_KPKI_COMPLETE" in (tmp_path / path).read_text()


def test_a_shell_without_a_script_is_named(kpki: Run) -> None:
    """An unknown shell is 2."""
    assert (kpki("--show-completion", "tcsh", status=2).refusal()
            == "no completion for the shell 'tcsh'")
