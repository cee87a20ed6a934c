"""The flags in a static pod's manifest."""
from __future__ import annotations

import pytest

from kpki.kubernetes.manifests import component_flags

MANIFEST = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - command: [kube-apiserver, --secure-port=6443, "--tls-cipher-suites=a=b", --profiling, -v=2, 7]
    args: [--secure-port=7443]
  - args: [--etcd-cafile=/e/ca.crt]
"""


def test_the_flags_of_a_manifest_are_read() -> None:
    """Of commands and arguments alike; the last of a name counts."""
    assert component_flags(MANIFEST.encode()) == {"secure-port": "7443", "tls-cipher-suites": "a=b",
                                                  "etcd-cafile": "/e/ca.crt"}


@pytest.mark.parametrize("data", [b"", b"[", b"\xff", b"a: 1", b"- 1", b"spec: []", b"spec: {containers: {}}",
                                  b"spec: {containers: [1, {command: x}, {args: {a: b}}]}"])
def test_what_is_no_manifest_has_no_flags(data: bytes) -> None:
    """Nothing is raised for it: what is wrong with it is the kubelet's to say."""
    assert component_flags(data) == {}
