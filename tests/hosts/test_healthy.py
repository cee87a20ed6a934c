"""Healthy hosts of many distributions and years: `check` finds no fault with them."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import kpki
from tests.hosts.catalogue import HOSTS
from tests.hosts.making import Host
from tests.hosts.oddities import ODDITIES, Oddity
from tests.hosts.seeing import verified

Lay = Callable[[Host], Path]


@pytest.mark.parametrize("name", HOSTS)
def test_a_healthy_host_has_no_fault(name: str, lay: Lay) -> None:
    """What a distribution's own recipe leaves is no error, and no warning but those that are known
    of it."""
    host = HOSTS[name]
    found = kpki.check_path(str(lay(host)), node=host.node).findings
    assert [(item.severity, item.cause, item.path, item.message) for item in found
            if item.severity == "error" or item.cause not in host.warnings] == []


@pytest.mark.parametrize("oddity", ODDITIES, ids=str)
def test_what_looks_odd_is_no_fault(oddity: Oddity, lay: Lay) -> None:
    """A file that nobody reads, a name that nobody asks for, a CA among others: none of it is an
    error."""
    host = HOSTS[oddity.host]
    found = kpki.check_path(str(lay(oddity.change.apply(host))), node=host.node).findings
    assert [(item.cause, item.path, item.message) for item in found
            if item.severity == "error"] == []


@pytest.mark.parametrize("name", HOSTS)
def test_openssl_agrees_that_the_host_is_healthy(name: str, lay: Lay) -> None:
    """Each leaf of a host has a chain to the CA file of its verifier, the verifier's usage, and the
    names."""
    host = HOSTS[name]
    root = lay(host)
    assert host.seen.strip(), "nobody has looked at this host"
    assert [told for line in filter(None, host.seen.splitlines())
            for told in verified(root, line)] == []


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_verifier_sees_is_what_a_component_is_told(name: str, lay: Lay) -> None:
    """Each leaf and each CA file that counts on a host is a use of one of its components."""
    from kpki.cluster.observed.uses import read_host
    host = HOSTS[name]
    told = {use.path.partition("#")[0] for use in read_host(str(lay(host))).uses}
    assert {word.partition("#")[0] for line in host.seen.splitlines()
            for word in line.split()[:2]} <= told


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_host_names_is_there(name: str) -> None:
    """Each certificate, key and kubeconfig that a text of the host names lies there, or is known to
    be elsewhere."""
    host = HOSTS[name]
    told = {path for made in host.files.values() if isinstance(made, str)
            for path in re.findall(r"(?<![\w.-])/[\w./-]+\.(?:pem|crt|key|pub|conf|"
                                   r"kubeconfig)\b(?!\.)", outside(host,
                                                                   made))}
    absent = {path for path in told if path.lstrip("/") not in host.files
              and "/bootstrap-kubelet." not in path}
    assert absent == {*host.absent.split()}


def outside(host: Host, made: str) -> str:
    """A text of a host, with the paths that a container sees as the host has them."""
    for inner, outer in host.mounts.items():
        made = made.replace(f"{inner}/", f"{outer}/")
    return made
