"""scripts/kpki and scripts/test in a small copy of the checkout, with a Python that only pretends:
quick, offline."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parent.parent

# A `python` that notes what it is asked ($NOTES) and goes wrong as told ($WRONG). It copies itself
# into the virtual environments it makes, so there it is the command, the linters and pytest too.
PYTHON = """#!/bin/sh
echo "$1 ${2%% *} ${3-}" >>"$NOTES"
case "$*" in
*version_info*) echo "${VERSION-3.11.4} $0"; [ "$WRONG" != old ] ;;
*ensurepip*) [ "$WRONG" != no-venv ] ;;
"-m venv"*)
    for place; do :; done
    [ "$3" != --clear ] || rm -rf "$place"
    mkdir -p "$place/bin"; cp "$0" "$place/bin/python" ;;
"-m pip"*)
    [ -z "${GATE-}" ] || read -r go <"$GATE"
    [ "$WRONG" != killed ] || kill -9 $PPID
    echo "ERROR: from pip"; [ "$WRONG" != no-index ] ;;
"-m "*) shift; echo "$*"; [ "$WRONG" != "$1" ] ;;
*) shift; pwd; for word; do echo "<$word>"; done; exit 3 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    top = tmp_path / "a checkout"
    top.mkdir()
    shutil.copytree(TOP / "scripts", top / "scripts")
    shutil.copy(TOP / "setup.cfg", top)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return top


def environment(checkout: Path, **more: str) -> dict[str, str]:
    top = checkout.parent
    return {"PATH": os.environ["PATH"], "PYTHON": f"{top}/python", "NOTES": f"{top}/notes",
            "WRONG": "", **more}


def call(checkout: Path, *words: str, cwd: Path | None = None,
         **more: str) -> subprocess.CompletedProcess[str]:
    command = [words[0] if words[0].startswith("/") else str(checkout / "scripts" / words[0]),
               *words[1:]]
    env = environment(checkout, **more)
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=20)


def installations(checkout: Path) -> int:
    return (checkout.parent / "notes").read_text().count("-m pip install")


def without(checkout: Path, *missing: str) -> str:
    """A PATH with all that the scripts use but *missing*."""
    folder = checkout.parent / "path"
    folder.mkdir()
    for name in (set("sh cmp cp date dirname flock ln mkdir openssl readlink rm sleep".split())
                 .difference(missing)):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def test_the_command_keeps_folder_arguments_and_status(checkout: Path, tmp_path: Path) -> None:
    """Through links, from another folder and with blanks everywhere, the command gets what the
    caller gave."""
    (tmp_path / "direct").symlink_to(checkout / "scripts" / "kpki")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kpki").symlink_to("../direct")
    (tmp_path / "its folder").mkdir()
    done = call(checkout, f"{tmp_path}/bin/kpki", "show", "a b", "", "*",
                cwd=tmp_path / "its folder")
    assert done.stdout == f"{tmp_path}/its folder\n<show>\n<a b>\n<>\n<*>\n"
    assert done.stderr == f"kpki: setting up {checkout}/.venv (first use, less than a minute)\n"
    assert done.returncode == 3


def test_the_second_call_only_runs_the_command(checkout: Path, tmp_path: Path) -> None:
    """Once set up, a call starts one Python, the command's, and says nothing of its own."""
    call(checkout, "kpki")
    (tmp_path / "notes").unlink()
    assert call(checkout, "kpki", "x").stderr == ""
    assert (tmp_path / "notes").read_text() == f"{checkout}/.venv/bin/kpki x \n"


def test_changed_dependencies_are_installed(checkout: Path) -> None:
    """Another setup.cfg, newer or older, is installed once, into the same environment; the same one
    touched is not."""
    call(checkout, "kpki")
    (checkout / ".venv" / "kept").touch()
    os.utime(checkout / "setup.cfg")
    call(checkout, "kpki")
    assert installations(checkout) == 1
    (checkout / "setup.cfg").write_text("[metadata]\n")
    os.utime(checkout / "setup.cfg", (0, 0))
    assert call(checkout, "kpki").stderr == f"kpki: bringing {checkout}/.venv up to date\n"
    call(checkout, "kpki")
    assert installations(checkout) == 2
    assert (checkout / ".venv" / "kept").exists()


def test_the_environment_of_somebody_else_stays(checkout: Path) -> None:
    """A .venv that the scripts have not made is not cleared, and the sentence says what to do; a
    half-made one of their own is."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "mine").touch()
    done = call(checkout, "kpki")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"kpki: {checkout}/.venv: not made by kpki's scripts, which ")
    assert (checkout / ".venv" / "mine").exists() and not (checkout.parent / "notes").exists()
    (checkout / ".venv.log").touch()
    assert call(checkout, "kpki").returncode == 3


def test_a_moved_checkout_is_set_up_again(checkout: Path) -> None:
    """An environment made at another place is not used."""
    call(checkout, "kpki")
    moved = checkout.rename(checkout.parent / "moved")
    assert call(moved, "kpki").stderr.startswith(f"kpki: setting up {moved}/.venv ")


def test_a_removed_python_is_replaced(checkout: Path) -> None:
    """An environment whose interpreter is gone is made anew."""
    call(checkout, "kpki")
    (checkout / ".venv" / "bin" / "python").unlink()
    assert call(checkout, "kpki").returncode == 3
    assert installations(checkout) == 2


@pytest.mark.parametrize("first", [True, False])
def test_a_killed_installation_is_healed_by_the_next_call(checkout: Path, first: bool) -> None:
    """What a run killed in the middle left is swept away, on first use and when dependencies have
    changed."""
    if not first:
        call(checkout, "kpki")
        (checkout / "setup.cfg").write_text("[metadata]\n")
    assert call(checkout, "kpki", WRONG="killed").returncode != 3
    (checkout / ".venv" / "half").touch()
    assert call(checkout, "kpki").returncode == 3
    assert not (checkout / ".venv" / "half").exists()


@pytest.mark.parametrize("missing", ["", "flock"])
def test_two_first_calls_at_once_install_once(checkout: Path, missing: str) -> None:
    """The second call waits for the first and uses what it made, also where there is no flock."""
    gate = checkout.parent / "gate"
    os.mkfifo(gate)
    more = environment(checkout, PATH=without(checkout, missing), GATE=str(gate))
    calls = [subprocess.Popen([checkout / "scripts" / "kpki"], env=more, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
             for _ in range(2)]
    gate.write_text("go\n")
    told = [call.communicate(timeout=20)[1].decode() for call in calls]
    assert [call.returncode for call in calls] == [3, 3]
    assert installations(checkout) == 1
    assert sorted(told)[0] == "" and sorted(told)[1].count("\n") == 1


def test_a_lock_whose_owner_died_is_taken_over(checkout: Path) -> None:
    """Without flock, the lock of a killed run stops nobody."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    (checkout / ".venv.lock.kpki").symlink_to(str(ended.pid))
    assert call(checkout, "kpki", PATH=without(checkout, "flock")).returncode == 3
    assert not (checkout / ".venv.lock.kpki").is_symlink()


@pytest.mark.parametrize(("wrong", "words"), [
    ("old",
     "no Python 3.11 or newer here ({top}/python is 3.9.2): install one, or name it in PYTHON"),
    ("no-venv",
     "{top}/python cannot make a virtual environment (Debian, Ubuntu: apt install python3-venv)"),
    ("no-index", "pip could not install kpki and what it needs: see {top}/a checkout/.venv.log"),
])
@pytest.mark.parametrize("script", ["kpki", "test"])
def test_what_stops_a_first_use_is_one_sentence(checkout: Path, script: str, wrong: str,
                                                words: str) -> None:
    """Status 2, nothing on stdout, one sentence that says what to do; and the next call starts
    anew."""
    done = call(checkout, script, WRONG=wrong, VERSION="3.9.2" if wrong == "old" else "3.12.0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "kpki: " + words.format(top=checkout.parent)
    assert [line for line in done.stderr.splitlines()[:-1] if "setting up" not in line] == []
    assert call(checkout, "kpki").returncode == 3


@pytest.fixture
def anybody_s() -> Iterator[Path]:
    """A folder that every user can search, and the checkout in it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.parametrize(("set_up", "words"), [
    (True, "{top}/python: this user may not run it, and {top}/.venv was set up with it; as its "
     "owner, set up again with a Python for all users: rm "
     "-r {top}/.venv; PYTHON=/usr/bin/python3 {top}/scripts/kpki --version"),
    (False, "{top}: not writable, and .venv has to be made there"),
])
def test_a_checkout_that_another_user_set_up(anybody_s: Path, set_up: bool, words: str) -> None:
    """Whose Python this user may not run, or that is not set up at all: each is said for what it
    is."""
    shutil.copytree(TOP / "scripts", anybody_s / "scripts")
    shutil.copy(TOP / "setup.cfg", anybody_s)
    if set_up:
        (anybody_s / ".venv/bin").mkdir(parents=True)
        (anybody_s / ".venv/place").write_text(f"{anybody_s}\n")
        shutil.copy(TOP / "setup.cfg", anybody_s / ".venv/kpki.cfg")
        (anybody_s / "python").write_text(PYTHON)
        (anybody_s / "python").chmod(0o600)
        (anybody_s / ".venv/bin/python").symlink_to("python3")
        (anybody_s / ".venv/bin/python3").symlink_to(anybody_s / "python")
    anybody_s.chmod(0o555)
    user: dict[str, Any] = ({"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0
                            else {})
    done = subprocess.run([anybody_s / "scripts/kpki"], cwd="/", capture_output=True, text=True,
                          check=False, **user)
    anybody_s.chmod(0o755)
    assert (done.returncode, done.stdout, done.stderr) == (2, "",
                                                           f"kpki: {words.format(top=anybody_s)}\n")


def test_a_failed_installation_is_one_without_flock_too(checkout: Path) -> None:
    """The command is not run on a half-made environment, whichever lock was held."""
    done = call(checkout, "kpki", WRONG="no-index", PATH=without(checkout, "flock"))
    assert (done.returncode, done.stdout) == (2, "")


def test_the_log_keeps_what_pip_said(checkout: Path) -> None:
    """pip's own words are in the file that the sentence names, and nowhere else."""
    done = call(checkout, "kpki", WRONG="no-index")
    assert "from pip" not in done.stderr
    assert (checkout / ".venv.log").read_text() == "ERROR: from pip\n"


def test_no_python_at_all(checkout: Path) -> None:
    """Where no interpreter is found under any name, the names are listed."""
    done = call(checkout, "kpki", PYTHON="", PATH=without(checkout))
    assert (done.returncode, done.stdout) == (2, "")
    assert (done.stderr == "kpki: no Python 3.11 or newer here (tried python3.14 python3.13 "
            "python3.12 python3.11 python3 python): install one, or name it in PYTHON\n")


def test_the_first_python_that_will_do_is_taken(checkout: Path) -> None:
    """An older or broken interpreter is passed over for the next name."""
    path = Path(without(checkout))
    (path / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    (path / "python3.11").write_text("#!/bin/sh\necho 3.10.1 /elsewhere\nexit 1\n")
    (path / "python3").symlink_to(checkout.parent / "python")
    for name in ("python3.13", "python3.11"):
        (path / name).chmod(0o755)
    assert call(checkout, "kpki", PYTHON="", PATH=str(path)).returncode == 3


@pytest.mark.parametrize(("given", "words"), [
    ([], "-m not sweep"), (["--all"], "--cov --cov-report=term:skip-covered"),
    (["--all", "-x"], "--cov --cov-report=term:skip-covered -x")])
def test_the_tests_run_all_three(checkout: Path, given: list[str], words: str) -> None:
    """scripts/test asks ruff, mypy and pytest in turn; --all adds the sweeps and coverage."""
    done = call(checkout, "test", *given)
    words = f"-n auto --dist worksteal {words}"
    assert done.stdout == f"ruff check --quiet kpki tests scripts\nmypy\npytest {words}\n"
    assert done.returncode == 0
    assert re.search(r"^scripts/test: \d+ s$", done.stderr, re.MULTILINE)
    done = call(checkout, "test", "tests/test_pem.py", "-k", "a b")
    assert done.stdout.endswith("\npytest tests/test_pem.py -k a b\n")


def test_the_quick_tests_are_there(checkout: Path) -> None:
    """--quick names files and folders that exist, asks for no coverage, and gives pytest what
    follows."""
    done = call(checkout, "test", "--quick", "-x")
    words = done.stdout.splitlines()[-1].split()
    assert (words[:4] == ["pytest", "-n", "auto", "--dist"] and words[-1] == "-x"
            and "--cov" not in words)
    assert [word for word in words if word.startswith("tests/") and not (TOP / word).exists()] == []
    assert sum(word.startswith("tests/") for word in words) > 5


@pytest.mark.parametrize("status", [0, 1])
def test_the_workflows_are_linted_if_actionlint_is_there(checkout: Path, status: int) -> None:
    """What actionlint finds fails the run; a checkout without workflows is not asked about."""
    path = Path(without(checkout))
    (checkout / ".github/workflows").mkdir(parents=True)
    (path / "actionlint").write_text(f"#!/bin/sh\necho actionlint; exit {status}\n")
    (path / "actionlint").chmod(0o755)
    done = call(checkout, "test", PATH=str(path))
    assert (done.returncode, done.stdout.splitlines()[2]) == (status, "actionlint")


@pytest.mark.parametrize("wrong", ["ruff", "mypy", "pytest"])
def test_one_no_of_the_three_is_a_no(checkout: Path, wrong: str) -> None:
    """Each of the three can fail the run, and none keeps the others from speaking."""
    done = call(checkout, "test", WRONG=wrong)
    assert done.returncode == 1
    assert done.stdout.count("\n") == 3


@pytest.mark.parametrize("version", [None, "OpenSSL 1.1.1w  11 Sep 2023", "LibreSSL 3.3.6"])
def test_the_tests_want_openssl(checkout: Path, version: str | None) -> None:
    """Without openssl 3.0 or newer nothing is run, and the sentence says how to get it."""
    path = Path(without(checkout, "openssl"))
    if version:
        (path / "openssl").write_text(f"#!/bin/sh\necho '{version}'\n")
        (path / "openssl").chmod(0o755)
    done = call(checkout, "test", PATH=str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kpki: the tests need the openssl command, 3.0 or newer, as their peer " \
                          "(Debian, Ubuntu: apt install openssl)\n"


def test_the_tests_tools_do_not_cost_the_command_a_second_installation(checkout: Path) -> None:
    """After scripts/test the command is ready; after the command scripts/test adds its tools."""
    call(checkout, "test")
    call(checkout, "kpki")
    assert installations(checkout) == 1
    shutil.rmtree(checkout / ".venv")
    call(checkout, "kpki")
    call(checkout, "test")
    assert installations(checkout) == 3


@pytest.mark.parametrize(("words", "program", "rest"), [
    ((), "bench_aims.py", ()), (("5",), "bench_aims.py", ("5",)),
    (("--parts", "5"), "bench.py", ("5",)),
    (("--scale", "10"), "bench_fleet.py", ("10",)),
    (("--check", "10", "rsa:5"), "bench_check.py", ("10", "rsa:5")),
    (("--logs", "9", "1"), "bench_logs.py", ("9", "1"))])
def test_bench_is_five_programs(checkout: Path, words: tuple[str, ...], program: str,
                                rest: tuple[str, ...]) -> None:
    """Its first word says which; the others go there."""
    done = call(checkout, "bench", *words)
    assert done.stdout.splitlines()[1:] == [f"<{word}>" for word in rest]
    assert f"{checkout}/scripts/{program} " in ((checkout.parent / "notes").read_text()
                                                .splitlines()[-1])


def test_bench_judges_and_checks(tmp_path: Path) -> None:
    """The rows of a verdict, a fleet and a log are printed with their ratios, and nothing that is
    measured fails."""
    for path in (TOP / "scripts").glob("bench*.py"):
        shutil.copy(path, tmp_path)
    program = ("import bench, bench_check, bench_logs; bench.verdict('EC', 1); "
               "bench_check.table(1, ['2']); bench_logs.table(1, 1)")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=os.environ
                          | {"PYTHONPATH": str(TOP)}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert ({line.split("  ")[1]: "×" in line for line in done.stdout.splitlines() if " ms" in line}
            == {"bare cryptography: load, signature": False, "pyOpenSSL: load, X509Store": True,
                "kpki.verify: as openssl verify, with a host name": True,
                "kpki.verify_kubernetes: as Go, with a host name": True, "kpki check": False,
                "kpki check of one worker's tree, with --ca": True,
                "openssl verify, every certificate and purpose": True,
                "openssl verify, one certificate a worker": True, "grep -nE": False,
                "kpki diagnose": False, "kpki diagnose, with google-re2": True,
                "kpki diagnose, without google-re2": True})
    assert "memory grows by" in done.stdout and "MiB of memory" in done.stdout.splitlines()[-1]
    assert [*tmp_path.glob(".bench-*")] == []


def test_each_row_has_its_aim_and_its_peers(tmp_path: Path) -> None:
    """A row says how many times its peer's time kpki takes, and which peer is missing."""
    shutil.copytree(TOP / "scripts", tmp_path / "scripts")
    program = ("import bench_aims as b; row = b.Row('work', b.python('pass'), {'peer': "
               "b.python('pass'), 'other': None}, {'peer': 2}); b.show(row, '.', 1); "
               "print([row.title for row in b.library()])")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "scripts", env=os.environ
                          | {"PYTHONPATH": str(TOP)}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    title, own, peer, other, rows = done.stdout.splitlines()[1:]
    assert (title, own.split()[0], own.split()[-1]) == ("work", "kpki", "ms")
    assert re.fullmatch(r"  peer +[\d.]+ ms  kpki +[\d.]+ ×   aim 2.00 ×", peer)
    assert other.split() == ["other", "missing", "here"]
    assert rows == ("['req_new and x509_req, library', "
                    "'issue_node with all files in memory, library']")
