"""pytest's plugin: the fixtures in a run of their own, their page, and what a start costs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
TOP = Path(__file__).parents[2]
# -p no:kpki: the plugin by its module, also in an environment that is older than the plugin
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:kpki",
    "-p",
    "kpki.testing.plugin",
    "-p",
    "no:xdist",
    "-p",
    "no:cov",
]
TESTS = '''
import pytest
import kpki
from kpki.clock import utc_now
from kpki.testing import make_kubernetes_pki


def test_one_cluster(kubernetes_pki, kubernetes_authority, broken_certificate):
    """All fixtures are of one cluster."""
    assert kubernetes_authority is kubernetes_pki.ca
    assert broken_certificate("wrong-eku").bundle == kubernetes_pki.ca.bundle
    node = kubernetes_authority.issue_node("worker-2", addresses=["127.0.0.1"])
    assert kpki.verify(node.certificate, [kubernetes_pki.ca.certificate]).ok


def test_the_clock(kubernetes_pki, kubernetes_clock):
    """The clock stands still before the certificates are made, and moves all of kpki."""
    assert kubernetes_pki.now == kubernetes_clock.now == utc_now() == utc_now()
    assert kubernetes_clock.advance(days=1, hours=2) == utc_now() != kubernetes_pki.now


def test_the_clock_moves_again():
    """Another test has the machine's clock."""
    assert utc_now() < utc_now() or utc_now() < utc_now()


@pytest.fixture(scope="session")
def shared():
    return make_kubernetes_pki()


def test_shared(shared):
    assert shared.ca
'''


def run(folder: Path, *words: str, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    done = subprocess.run(
        [*PYTEST, *words],
        cwd=folder,
        env={"PYTHONPATH": str(TOP), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_fixtures(tmp_path: Path) -> None:
    """The fixtures work with warnings as errors; `pytest --fixtures` describes each."""
    assert "4 passed" in run(tmp_path, "-W", "error", test_x=TESTS)
    listed = run(tmp_path, "--fixtures", "--collect-only")
    for name in (
        "kubernetes_pki",
        "kubernetes_authority",
        "broken_certificate",
        "kubernetes_clock",
    ):
        assert re.search(rf"^{name} -- .*\n    \w", listed, re.MULTILINE), listed


def test_the_page(tmp_path: Path) -> None:
    """The code of docs/testing.md passes: the tests under pytest, the rest as a program."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    tests = [block for block in blocks if "def test_" in block]
    assert f"{sum(block.count('def test_') for block in tests)} passed" in run(
        tmp_path, test_page="\n".join(tests)
    )
    for block in blocks:
        if block not in tests:
            exec(block, {})


def test_a_start_imports_nothing() -> None:
    """The plugin alone imports no room of kpki, nor cryptography."""
    code = (
        "import sys, pytest; before = {*sys.modules}; import kpki.testing.plugin; "
        "print(sorted({*sys.modules} - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['kpki', 'kpki.testing', 'kpki.testing.plugin']\n"


def test_pytest_is_no_dependency() -> None:
    """The functions need no pytest, and the package names the plugin."""
    code = (
        "import sys; sys.modules['pytest'] = None; from kpki import testing; "
        "testing.make_broken_certificate('bad-pem')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=TOP, check=True)
    assert {entry.value for entry in entry_points(group="pytest11") if entry.name == "kpki"} == {
        "kpki.testing.plugin"
    }
