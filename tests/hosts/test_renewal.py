"""`renew` and `expiry` on the healthy hosts of many distributions and years."""
from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import kpki
from kpki.cluster.lifecycle.renew import Order, renew_host
from tests.hosts.catalogue import HOSTS
from tests.hosts.making import Host

Lay = Callable[[Host], Path]


@pytest.mark.parametrize("name", HOSTS)
def test_a_renewed_host_stays_healthy(name: str, lay: Lay) -> None:
    """Each certificate of a CA at hand gets new dates, all keys stay, and check finds no error
    before or after."""
    host = HOSTS[name]
    root = lay(host)
    before = {found.path: found.serial_number for found in kpki.read_certificates(root).certificates
              if "CA" not in found.usages}
    keys = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()
            and path.suffix == ".key"}
    done = renew_host(str(root), Order(everything=True), passphrase=lambda _: None,
                      now=datetime.now(UTC), warnings=[])
    after = {found.path: found.serial_number for found in kpki.read_certificates(root).certificates
             if "CA" not in found.usages}
    assert before.keys() == after.keys()
    assert done.renewed == sum(before[path] != after[path] for path in before)
    waiting = {waiting.path for waiting in done.waiting}
    assert all(before[path] == after[path] for path in waiting & before.keys())
    assert {path: path.read_bytes() for path in keys} == keys
    found = kpki.check_path(str(root), node=host.node).findings
    assert [(finding.cause, finding.path, finding.message) for finding in found
            if finding.severity == "error" or finding.cause not in host.warnings] == []
