"""pytest's plugin: the certificates of a cluster as fixtures, and a clock that stands still.

Nothing of kpki is imported before a test asks for a fixture.
"""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import BrokenCertificate, KubernetesPki
    from ..cluster.authority import Authority


class FrozenClock:
    """kpki's clock in a test: it stands still until the test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        """The moment (UTC) that kpki has if no `now` is given."""

    def advance(self, **span: float) -> datetime:
        """Move the clock by *days*, *hours*, *minutes* or *seconds*; return the new moment."""
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def kubernetes_clock(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """The present moment, which stands still for kpki: `kubernetes_clock.advance(days=366)`.

    All of kpki has this clock, and so have the certificates of `kubernetes_pki`. Python's ssl and
    other programs keep the machine's clock.
    """
    from .. import clock
    frozen = FrozenClock(clock.utc_now().replace(microsecond=0))
    monkeypatch.setattr(clock, "read", lambda: frozen.now)
    return frozen


@pytest.fixture
def kubernetes_pki(request: pytest.FixtureRequest) -> KubernetesPki:
    """The CAs and certificates of a cluster with the node worker-1, new for each test."""
    from . import make_kubernetes_pki
    if "kubernetes_clock" in request.fixturenames:      # whatever the order of the parameters is
        request.getfixturevalue("kubernetes_clock")
    return make_kubernetes_pki()


@pytest.fixture
def kubernetes_authority(kubernetes_pki: KubernetesPki) -> Authority:
    """The cluster's CA of `kubernetes_pki`, which issues: `kubernetes_authority.issue_node(…)`."""
    return kubernetes_pki.ca


@pytest.fixture
def broken_certificate(kubernetes_pki: KubernetesPki) -> Callable[[str], BrokenCertificate]:
    """A certificate of `kubernetes_pki` with one fault: `broken_certificate("wrong-eku")`."""
    from . import make_broken_certificate
    return lambda cause: make_broken_certificate(cause, kubernetes_pki)
