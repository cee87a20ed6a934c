"""What tests of several rooms share: a page of the docs run as it stands, work ended at any call to
the disk, and an ordinary user."""
from __future__ import annotations

import gc
import os
import pkgutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

import kpki
from tests.kubernetes.verdict.golang import go_version, source_of_verdicts
from tests.ordinary_user.user import GID, UID, OrdinaryUser, copy_for_everybody
from tests.support.disk import AtCall, counting, without_waiting
from tests.support.forking import forking, with_kpki
from tests.support.pages import Step, run_steps

NOBODY = 65534

# openssl 3.0 reads the system's CA file at each start of `x509`: five times the work of the rest,
# for certificates that no test asks about.
os.environ["SSL_CERT_FILE"] = os.devnull


# Many trials of lines that other tests run too: `scripts/test --all` runs them, and leaves them out
# of coverage, which would double their time.
SWEEPS = ("cluster/check/matrix/test_cut_short.py", "cluster/check/test_lines.py",
          "cluster/check/variants/test_check_robust.py", "cluster/lifecycle/exchange/test_cuts.py",
          "cluster/lifecycle/exchange/test_schedules.py", "cluster/plan/test_apply_cuts.py",
          "files/test_tree_cuts.py", "stages/experiments/test_fuzz.py",
          "stages/experiments/test_fuzz_grammar.py", "stages/experiments/test_fuzz_verify.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the sweeps, also for pytest-cov, if coverage is asked for."""
    sweeps = {Path(__file__).parent / sweep for sweep in SWEEPS}
    for item in items:
        if item.path in sweeps:
            item.add_marker("sweep")
            if config.pluginmanager.hasplugin("_cov"):
                item.add_marker("no_cover")


def pytest_report_header() -> str:
    """For the head of every run: whose verdicts kpki's are compared with."""
    return source_of_verdicts(go_version())


@pytest.fixture
def at_call(monkeypatch: pytest.MonkeyPatch) -> AtCall:
    """Act at a call to the disk."""
    return counting(monkeypatch)


@pytest.fixture
def syncs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits until the disk has it all."""
    without_waiting(monkeypatch)


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
        gc.freeze()     # a collection in the child would copy all pages
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


@pytest.fixture(scope="session")
def kpki_words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The words that run kpki in a process of its own, as quickly as it goes."""
    with forking(tmp_path_factory.mktemp("server")) as words:
        yield words


@pytest.fixture(scope="session")
def kpki_environment(tmp_path_factory: pytest.TempPathFactory,
                     kpki_words: list[str]) -> dict[str, str]:
    """An environment in which `kpki` is a command."""
    return with_kpki(tmp_path_factory.mktemp("bin"), kpki_words)


@pytest.fixture(scope="session")
def run_page(tmp_path_factory: pytest.TempPathFactory, kpki_environment: dict[str, str],
             ) -> Callable[[Path], tuple[Path, list[Step]]]:
    """Run every command of a page, in a folder of its own; the folder, and the steps with what they
    printed."""
    def run(page: Path) -> tuple[Path, list[Step]]:
        folder = tmp_path_factory.mktemp("page")
        return folder, run_steps(page, folder, kpki_environment)
    return run
