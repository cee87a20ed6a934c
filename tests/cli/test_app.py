"""What is not openssl's: the application, its help, its words for a line that it cannot take."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kpki as library

Run = Callable[..., Any]


def test_the_version_is_the_librarys(kpki: Run) -> None:
    """--version is one line on stdout."""
    assert kpki("--version").out == f"kpki {library.__version__}\n"


def test_help_says_what_it_is_for_and_what_not(kpki: Run) -> None:
    """The first screen names the commands, openssl's verbs and the exit statuses."""
    words = " ".join(kpki().out.split())
    for part in ("Not for public web certificates", "check", "node", "genrsa", "Exit status: 0"):
        assert part in words
    assert kpki("--help").out == kpki().out


def test_help_loads_next_to_nothing_beside_typer() -> None:
    """What a command needs is imported when it runs: the first screen pays for typer and the
    commands' signatures."""
    code = ("import sys, typer; before = set(sys.modules); from kpki.cli.main import main; "
            "main(['--help']); print(*sorted(set(sys.modules) - before), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          check=True)
    assert {name.partition(".")[0]
            for name in done.stderr.split()} <= {"kpki", "typer", "__future__", "gc"}
    assert ({name for name in done.stderr.split() if name.startswith("kpki.")
             and not name.startswith("kpki.cli")} <= {"kpki.clock", "kpki.errors", "kpki.files"})


@pytest.mark.parametrize(("line", "modules"), [
    ("node issue --help", ["node"]), ("plan --help", ["plan"]), ("apply --help", ["plan"]),
    ("explain", ["learn"]), ("check --help", []), ("help plan", ["learn", "node", "plan"]),
    ("paln", ["learn", "node", "plan"])])
def test_a_line_loads_the_module_of_its_command_alone(line: str, modules: list[str],
                                                      tmp_path: Path) -> None:
    """Only help, and a word that is no command, need the modules of all commands."""
    assert sorted({"learn", "node", "plan"} & {name.removeprefix("kpki.cli.")
                                               for name in loaded_by(line, tmp_path)}) == modules


@pytest.mark.parametrize(("line", "without"), [
    ("node issue worker-2 --example", "kpki.kubernetes.settings"),
    ("check example/nodes/worker-1 --node worker-1", "kpki.stages.signing"),
    ("doctor --root example/nodes/worker-1 --node worker-1",
     "kpki.stages.signing kpki.doctor.logs kpki.doctor.probe concurrent.futures")])
def test_a_command_loads_nothing_of_what_it_does_without(kpki: Run, tmp_path: Path, line: str,
                                                         without: str) -> None:
    """A tree that kpki made needs no YAML, and the remedy of a mode nothing that signs. A host that
    does not run needs nothing that asks servers or reads logs."""
    kpki("node", "issue", "worker-1", "--example")
    key, = tmp_path.rglob("worker-key.pem")
    key.chmod(0o644)
    loaded = loaded_by(line, tmp_path)
    assert "kpki.kubernetes.kubeconfig" in loaded
    assert loaded.isdisjoint({"yaml", "json", "kpki.documents", *without.split()})


def loaded_by(line: str, folder: Path) -> set[str]:
    """The modules that a line loads."""
    code = ("import sys; from kpki.cli.main import main; main(sys.argv[1:]); "
            "print(*sys.modules, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code, *line.split()], capture_output=True,
                          text=True, timeout=60, check=True, cwd=folder)
    return {*done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("words", [("node", "--help"), ("node", "issue", "--help"),
                                   ("node", "request", "--help"), ("node", "sign", "--help"),
                                   ("node", "install", "--help"), ("check", "--help")])
def test_every_command_has_help(kpki: Run, words: tuple[str, ...]) -> None:
    """Plain text on stdout, nothing on stderr."""
    told = kpki(*words)
    assert told.out.startswith("Usage: kpki") and told.err == ""


@pytest.mark.parametrize("words", [("--help",), ("node", "--help")])
def test_a_list_of_commands_says_each_in_full(kpki: Run, words: tuple[str, ...]) -> None:
    """The short words beside a command are not cut off."""
    assert "..." not in kpki(*words).out.partition("Commands:")[2]


@pytest.mark.parametrize("group", [(), ("node",)])
@pytest.mark.parametrize("asks", ["-h", "--help"])
def test_a_page_of_names_is_that_of_the_whole_application(kpki: Run, group: tuple[str, ...],
                                                          asks: str) -> None:
    """--help builds no options of the commands that it lists, `help` builds all: one page."""
    assert kpki(*group, asks).out == kpki("help", *group).out != ""


@pytest.mark.parametrize(("words", "message"), [
    (("bogus",), "No such command 'bogus'."), (("node", "bogus"), "No such command 'bogus'."),
    (("check", "--bogus"), "No such option: --bogus"),
    (("node", "sign", "x.csr"), "Missing option '--node'")])
def test_a_line_that_cannot_be_taken_is_2(kpki: Run, words: tuple[str, ...], message: str) -> None:
    """One message, no traceback."""
    assert kpki(*words, status=2).refusal().startswith(message)


@pytest.mark.parametrize("key", [KeyboardInterrupt, EOFError])
def test_an_interrupt_is_130(kpki: Run, monkeypatch: pytest.MonkeyPatch,
                             key: type[BaseException]) -> None:
    """Ctrl-C, and Ctrl-D at a question, end a command with a word."""
    def interrupt(*_: object, **__: object) -> None:
        raise key

    monkeypatch.setattr("kpki.cluster.check.check.check", interrupt)
    assert kpki("check", ".", status=130).err.split() == ["kpki:", "interrupted"]


@pytest.mark.parametrize(("words", "status"), [("--version", 2), ("genpkey -algorithm ED25519", 1)])
def test_output_that_cannot_be_written_is_never_a_success(words: str, status: int) -> None:
    """A full standard output is one sentence, and 2; of openssl's verbs 1, as all of their
    refusals."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "kpki", *words.split()], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (status,
                                              "kpki: standard output: No space left on device\n")


@pytest.mark.parametrize(("closed", "words", "status", "out", "err"), [
    (1, "--version", 2, "", "kpki: standard output: Bad file descriptor\n"),
    (1, "genpkey -algorithm ED25519", 1, "", "kpki: standard output: Bad file descriptor\n"),
    (2, "--version", 0, f"kpki {library.__version__}\n", ""), (2, "bogus", 2, "", ""),
    (0, "--version", 0, f"kpki {library.__version__}\n", "")])
def test_a_stream_that_is_closed_from_the_start(closed: int, words: str, status: int, out: str,
                                                err: str) -> None:
    """No standard output is one that cannot be written; words for no standard error do not go to
    standard output."""
    done = subprocess.run(["sh", "-c",
                           f'exec "$0" -m kpki {words} {closed}{"<" if closed == 0 else ">"}&-',
                           sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, out, err)


@pytest.mark.parametrize(("words", "status"), [
    ("check x", 2), ("plan", 2), ("show x", 2), ("node request w --address 10.0.0.1", 2),
    ("init --from x", 2), ("req -new -nodes -subj /CN=x -config {folder}/cnf", 1),
    ("genpkey -algorithm ED25519", 0), ("--version", 0)])
def test_a_current_folder_that_was_removed_is_named(tmp_path: Path, words: str,
                                                    status: int) -> None:
    """What needs the current folder says that it is gone, and never blames standard output; the
    rest works."""
    (tmp_path / "gone").mkdir()
    (tmp_path / "cnf").write_text(".include x\n[req]\n")
    program = (f"import os; os.rmdir({str(tmp_path / 'gone')!r}); from kpki.cli.main import run; "
               "run()")
    # -P: as with the installed script, the current folder is not where modules are looked for
    command = [sys.executable, "-P", "-c", program, *words.format(folder=tmp_path).split()]
    done = subprocess.run(command, cwd=tmp_path / "gone",
                          env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
                          capture_output=True, text=True, check=False)
    told = ("kpki: the current folder does not exist any more\n"
            "kpki: hint: go to another folder: cd /\n")
    assert (done.returncode, done.stderr) == (status, told if status else "")


def test_words_that_cannot_be_written_leave_the_status() -> None:
    """A full standard error is nobody's answer: the refusal stays one."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "kpki", "bogus"], stdout=subprocess.PIPE,
                              stderr=full, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize(("words", "converts"), [
    ("check {} --node worker-1", False), ("node issue worker-1 --address 10.0.0.1 --out {}", False),
    ("node issue worker-1 --days 30 --out {}", True), ("check {}/caf\u00e9", True)])
def test_text_is_not_converted(tmp_path: Path, words: str, converts: bool) -> None:
    """pydantic is imported only for what is no text, and for text beyond ASCII, which may be no
    UTF-8."""
    code = ("import sys; from kpki.cli.main import main; main(sys.argv[1:]); "
            "print('pydantic' in sys.modules, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code, *words.format(tmp_path).split()],
                          capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == str(converts)
