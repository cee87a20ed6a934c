"""Each host once with each of its faults: named once, where the component reads it, and mended by
what is printed.

A third of the faults is mended, kpki in process. With `KPKI_HOSTS=1` in the environment all are,
each by a shell alone.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import kpki
from tests.hosts.catalogue import FAULTS, HOSTS
from tests.hosts.conftest import AUTHORITY_OPTIONS, WHOLE
from tests.hosts.making import Fault, Host
from tests.hosts.pki import Shelf
from tests.hosts.seeing import verified

SEEN_BY_OPENSSL = {"expired-client-cert", "expired-server-cert", "wrong-eku", "unknown-authority",
                   "etcd-peer-cert", "front-proxy-ca", "missing-san-ip", "missing-san-dns"}
MENDED = [fault for fault in FAULTS if fault.mended == "commands"]
REPRESENTATIVE = MENDED if WHOLE in os.environ else MENDED[::3]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_named_once_where_its_component_reads_it(fault: Fault,
                                                            lay: Callable[[Host], Path]) -> None:
    """A host's fault is one error, with the right cause, at the path that the component's setting
    names."""
    host = fault.change.apply(HOSTS[fault.host])
    found = kpki.check_path(str(lay(host)), node=host.node).findings
    errors = [(item.cause, item.path) for item in found if item.severity == "error"]
    assert errors in [[(cause, fault.path)] for cause in fault.cause.split()], \
        [(item.severity, item.cause, item.path, item.message) for item in found]


@pytest.mark.parametrize("fault", REPRESENTATIVE, ids=str)
def test_the_printed_commands_mend_the_host(
        fault: Fault, lay: Callable[[Host], Path], shelf: Shelf, tmp_path: Path,
        run_script: Callable[[str], None], kpki: Callable[..., tuple[int, str]]) -> None:
    """`check --commands` is a script after which nothing is wrong with the host."""
    healthy = HOSTS[fault.host]
    lay(fault.change.apply(healthy))
    check = ["check", "root", *(["--node", healthy.node] if healthy.node else []),
             *bring(healthy, shelf, tmp_path)]
    _, script = kpki(*check, "--commands")
    for placeholder, value in (("ADDRESS", healthy.address), ("API-SERVER", fault.said)):
        assert value or not re.search(rf"^[^#]*\b{placeholder}\b", script, re.MULTILINE), script
        script = re.sub(rf"\b{placeholder}\b", value, script)
    run_script(script)
    assert kpki(*check, "--quiet")[0] == 0, script


@pytest.mark.parametrize("fault", [fault for fault in FAULTS
                                   if SEEN_BY_OPENSSL & {*fault.cause.split()}], ids=str)
def test_openssl_sees_the_fault_too(fault: Fault, lay: Callable[[Host], Path]) -> None:
    """What a verifier sees of the leaf at that path, openssl refuses: it is a fault, and it is
    there."""
    host = fault.change.apply(HOSTS[fault.host])
    leaf = re.sub("#users/.*", "#user", fault.path)
    lines = [line for line in host.seen.splitlines() if line.partition(" ")[0] == leaf]
    root = lay(host)
    assert [told for line in lines for told in verified(root, line)], lines


def bring(host: Host, shelf: Shelf, folder: Path) -> list[str]:
    """The CAs that a person brings, in files, and the options that name them."""
    words = []
    for option, row in host.given.items():
        known = shelf.changed(host.rows)
        (folder / f"{option}.crt").write_bytes(known.certificate(row))
        (folder / f"{option}.key").write_bytes(known.key(row))
        (folder / f"{option}.key").chmod(0o600)
        words += [AUTHORITY_OPTIONS[option], f"{option}.crt", f"{AUTHORITY_OPTIONS[option]}-key",
                  f"{option}.key"]
    return words


def test_the_faults_of_a_host_are_of_different_kinds() -> None:
    """Each host has at least four faults, and three causes among them."""
    for name in HOSTS:
        causes = [fault.cause for fault in FAULTS if fault.host == name]
        assert len(causes) >= 4 and len({*causes}) >= 3, (name, causes)


def test_each_fault_is_of_a_host_and_told_apart() -> None:
    """No fault stands in the table twice, and each has its host."""
    assert {fault.host for fault in FAULTS} == {*HOSTS}
    assert len({str(fault) for fault in FAULTS}) == len(FAULTS)
