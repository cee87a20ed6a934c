"""An API server that calls kubelets by address, and verifies them, wants the address in their
certificates."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import kpki
from tests.hosts.catalogue import HOSTS
from tests.hosts.kops import SRV
from tests.hosts.making import Change, Host, made_so, text

SERVER = "etc/kubernetes/manifests/kube-apiserver.manifest"
NODE = "i-0fedcba9876543210"
TYPES = "--kubelet-preferred-address-types="
VERIFIES = text(SERVER, TYPES, f"--kubelet-certificate-authority=/{SRV}/ca.crt\n    - {TYPES}")


@pytest.mark.parametrize(("change", "found"), [
    (VERIFIES, [("error", "missing-san-ip", "IP:172.20.40.7")]),
    (VERIFIES + made_so(f"{NODE}-server", names=f"DNS:{NODE},IP:172.20.40.7"), []),
    (VERIFIES + made_so(f"{NODE}-server", names=f"DNS:{NODE},IP:172.20.40.8"),
     [("error", "missing-san-ip", "IP:172.20.40.7")]),
    (VERIFIES + text(SERVER, "InternalIP,Hostname", "Hostname,InternalIP"), []),
    (VERIFIES + text("etc/sysconfig/kubelet", "--node-ip=172.20.40.7 ", ""), []),
], ids=["verified by address", "named", "another address", "called by name", "address untold"])
def test_the_address_of_a_kubelet_is_wanted_where_files_tell_that_it_is_asked(
        change: Change, found: list[tuple[str, str, str]], lay: Callable[[Host], Path]) -> None:
    """It is wanted of a host with both an API server that verifies kubelets by address and a
    kubelet with --node-ip."""
    host = change.apply(HOSTS["kops control plane"])
    findings = kpki.check_path(str(lay(host)), node=host.node).findings
    assert [(finding.severity, finding.cause, finding.expected) for finding in findings] == found
