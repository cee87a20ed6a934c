"""The fixtures of a real cluster: `rig`, one for the session, and `cluster`, for each test file
what it wants."""
from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster, started
from tests.e2e.rig import Rig

STARTS: list[str] = []
LINES = 15          # of each log, under a test that failed


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    """This run's folder and hosts, all gone at its end."""
    with Rig() as rig:
        yield rig


@pytest.fixture(scope="module")
def cluster(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A running cluster, as `pytestmark = wanted(Wanted(…), …)` of the test file says."""
    began = time.monotonic()
    with started(rig, request.param) as cluster:
        STARTS.append(f"{time.monotonic() - began:5.1f} s  {cluster.wanted}")
        yield cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Under a test that failed, the end of each component's log."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):      # type: ignore[attr-defined]
        for host, name, log in cluster.logs():
            section = (f"{host} {name}", "\n".join(log.splitlines()[-LINES:]))
            report.sections.append(section)     # type: ignore[attr-defined]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long clusters took to be well, from nothing."""
    if STARTS:
        terminalreporter.section("clusters started")
        for line in STARTS:
            terminalreporter.write_line(line)
