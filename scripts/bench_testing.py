"""What the certificates for tests cost, beside trustme: the median of many runs, in milliseconds.

usage: .venv/bin/python scripts/bench_testing.py      after scripts/test, which installs trustme
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import trustme

from kpki.testing import make_broken_certificate, make_kubernetes_pki

RUNS = 200


def with_trustme() -> None:
    ca = trustme.CA()
    ca.issue_cert("localhost")
    ca.issue_cert("worker-1@example.org")


def with_kpki() -> None:
    pki = make_kubernetes_pki()
    assert pki.certificates["apiserver"] and pki.certificates["kubelet-client"]


def all_rows() -> None:
    assert len([*make_kubernetes_pki().certificates.values()]) == 15


def median(work: Callable[[], object]) -> float:
    """The median time of a call, in milliseconds; the first call, which imports, does not count."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


PKI = make_kubernetes_pki()
for name, work in (
    ("trustme: a CA, a server and a client", with_trustme),
    ("kpki: three CAs, a server and a client", with_kpki),
    ("kpki: three CAs and all 15 certificates", all_rows),
    ("kpki: a certificate with a fault", lambda: make_broken_certificate("wrong-eku", PKI)),
):
    print(f"{name:<42}{median(work):8.2f} ms")
