"""What real components of Kubernetes 1.34 logged of each fault of `scripts/e2e faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

import kpki
from kpki.doctor.roots import ALSO
from tests.e2e.faults import OF_CONTROL_PLANE, OF_KUBELET, Fault

LOGS = Path(__file__).parents[1] / "e2e/logs"
# What the components say of these faults is what they say of another: the files tell, which
# `with_roots` looks at.
NAMED_OTHERWISE = {
    "kubelet-without-address": ["kubelet-serving-self-signed"],
    "apiserver-without-names": ["missing-san-ip"],
    "apiserver-kubelet-client-expired": ["unauthorized-after-ca-rotation"],
    "etcd-ca-empty": ["etcd-peer-cert"],
    "controller-manager-wrong-ca": ["unknown-authority"],
    "etcd-server-expired": ["expired-server-cert", "expired-client-cert"],
    "kubelet-plain-name": ["wrong-subject", "wrong-organisation"],
}
# The component says nothing.
SILENT = {
    "kubelet-key-for-all",
    "kubelet-rsa-1024",
    "kubelet-ends-soon",
    "kubelet-outlives-ca",
    "kubelet-short-key",
}


def causes_of(fault: Fault) -> list[str]:
    """The causes in all logs of a fault, but for those that follow from another."""
    found = list[kpki.Diagnosis]()
    for log in sorted((LOGS / fault.name).glob("*.log")):
        component = (
            log.stem if log.stem.startswith(("kube", "etcd")) and log.stem != "kubectl" else ""
        )
        found += kpki.diagnose(log.read_text().splitlines(), component=component)
    return [diagnosis.cause for diagnosis in kpki.summarize(found) if not diagnosis.follows_from]


@pytest.mark.parametrize("fault", OF_KUBELET + OF_CONTROL_PLANE, ids=str)
def test_a_log_is_named_as_check_names_the_files(fault: Fault) -> None:
    """The logs of a fault have the cause of check; another one only if their words are that
    one's."""
    wanted = [] if fault.name in SILENT else NAMED_OTHERWISE.get(fault.name, [fault.cause])
    assert causes_of(fault) == wanted
    assert not wanted or fault.cause in {
        cause for named in wanted for cause in (named, *ALSO.get(named, ()))
    }


def test_each_exception_is_a_fault() -> None:
    """No exception is of a fault that is gone."""
    assert {*NAMED_OTHERWISE, *SILENT} <= {fault.name for fault in OF_KUBELET + OF_CONTROL_PLANE}
