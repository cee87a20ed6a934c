"""What tests of several rooms share: a page of the docs run as it stands, work ended at any call to
the disk, and an ordinary user."""
from __future__ import annotations

import os
import pkgutil
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

import kpki
from tests.kubernetes.verdict.golang import go_version, source_of_verdicts
from tests.ordinary_user.user import GID, UID, OrdinaryUser, copy_for_everybody

Act = Callable[[str, "partial[object]"], object]
NOBODY = 65534
AtCall = Callable[..., AbstractContextManager[list[str]]]

# openssl 3.0 reads the system's CA file at each start of `x509`: five times the work of the rest,
# for certificates that no test asks about.
os.environ["SSL_CERT_FILE"] = os.devnull

CHANGING = ("open", "write", "fsync", "fchmod", "fchown", "rename", "link", "symlink", "mkdir",
            "chmod", "unlink", "rmdir")


def pytest_report_header() -> str:
    """For the head of every run: whose verdicts kpki's are compared with."""
    return source_of_verdicts(go_version())


@pytest.fixture
def at_call(monkeypatch: pytest.MonkeyPatch) -> AtCall:
    """`with at_call(nth, act) as calls:` the *nth* call to the disk, of those that change something
    or of *names*, is *act*'s, which gets its name and the call itself; with *on* every one from
    there. *calls* are the names so far.

    The files room calls the disk by `os.NAME` alone, so that each call can be counted.
    """
    @contextmanager
    def counted(nth: int, act: Act, names: Sequence[str] = CHANGING, *,
                on: bool = False) -> Iterator[list[str]]:
        calls: list[str] = []

        def wrap(name: str) -> Callable[..., object]:
            real = getattr(os, name)

            def call(*args: object, **kwargs: object) -> object:
                calls.append(name)
                if len(calls) == nth or (on and len(calls) > nth):
                    return act(name, partial(real, *args, **kwargs))
                return real(*args, **kwargs)
            return call
        with monkeypatch.context() as inner:
            wrapped = {name: wrap(name) for name in names}
            for name, call in wrapped.items():
                inner.setattr(os, name, call)
            yield calls
    return counted


@pytest.fixture
def killed_at(at_call: AtCall) -> Callable[[int, Callable[[], object]], bool]:
    """Do the work in a child that SIGKILL ends at its *nth* call, a write when half of it is done;
    whether it came so far. Without it the child must end well."""
    def die(name: str, real: partial[object]) -> object:
        if name == "write":
            descriptor, data = real.args
            real.func(descriptor, data[:len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    def run(nth: int, work: Callable[[], object]) -> bool:
        child = os.fork()
        if child == 0:
            try:
                with at_call(nth, die):
                    work()
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        assert (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL) or status == 0
        return status != 0
    return run


@pytest.fixture
def shared_path() -> Iterator[Path]:
    """A folder below folders that everybody may search, which pytest's own `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def as_nobody() -> Callable[[], AbstractContextManager[None]]:
    """`with as_nobody():` the block has no power over others' files; an ordinary user has none
    anyway.

    All of kpki is loaded before, for the checkout may be another's as well.
    """
    for module in pkgutil.walk_packages(kpki.__path__, "kpki."):
        if not module.name.endswith("__main__"):
            import_module(module.name)

    @contextmanager
    def dropped() -> Iterator[None]:
        if os.geteuid():
            yield
            return
        group, groups = os.getegid(), os.getgroups()
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)
    return dropped


@pytest.fixture(scope="session")
def kpki_for_everybody() -> Iterator[tuple[Path, Path]]:
    """A folder with a copy of kpki that everybody may read, and the Python that runs the copy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder, copy_for_everybody(folder)


@pytest.fixture
def ordinary_user(kpki_for_everybody: tuple[Path, Path]) -> Iterator[OrdinaryUser]:
    """A user without power over others' files, with an empty folder: `nobody` if the tests run as
    root."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        home = Path(name, "home")
        home.mkdir()
        os.chown(home, UID, GID)
        yield OrdinaryUser(home, *kpki_for_everybody)


CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SECONDS = 60  # for any one command; none takes one


@dataclass
class Step:
    """One command of a page, what the page says that it prints, and what it printed."""

    command: str
    promised: str
    printed: str = ""
    status: int = 0


def steps_of(page: str) -> Iterator[Step]:
    """The commands of the page's consoles: `$ ` begins one, `> ` goes on with it, the rest is what
    it prints."""
    for block in CONSOLE.findall(page):
        step = Step("", "")
        for line in block.splitlines():
            mark, text = line[:2], line[2:]
            if mark == "$ ":
                if step.command:
                    yield step
                step = Step(text, "")
            elif mark == "> ":
                step.command += f"\n{text}"
            else:
                step.promised += f"{line}\n"
        yield step


@pytest.fixture(scope="session")
def run_page(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Path, list[Step]]]:
    """Run every command of a page, in a folder of its own; the folder, and the steps with what they
    printed."""
    programs = tmp_path_factory.mktemp("bin")
    command = programs / "kpki"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kpki "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1",
                                "PYTHONPATH": str(Path(__file__).parent.parent), "LC_ALL": "C"}

    def run(page: Path) -> tuple[Path, list[Step]]:
        folder = tmp_path_factory.mktemp("page")
        steps = list(steps_of(page.read_text()))
        for step in steps:
            done = subprocess.run(["bash", "-c", step.command], cwd=folder, env=environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)
            step.printed, step.status = done.stdout, done.returncode
        return folder, steps
    return run
