"""What a static pod's manifest says."""
from __future__ import annotations

import pytest

from kpki.kubernetes.manifests import Container, component_flags, read_containers

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


POD = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - command: [etcd, --a=$(A)/$(NONE)/$$(A)]
    args: ["--b"]
    env: [{name: A, value: x}, {name: B, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
    workingDir: /w
    volumeMounts:
    - {name: host, mountPath: /a, subPath: s}
    - {name: other, mountPath: /b}
  - image: x
  volumes: [{name: host, hostPath: {path: /h}}, {name: other, emptyDir: {}}]
"""


def test_the_containers_of_a_pod() -> None:
    """Command, then args, with the container's own variables in place; mounts of the host's folders and of others."""
    assert read_containers(POD.encode()) == [
        Container(("etcd", "--a=x/$(NONE)/$(A)", "--b"), {"A": "x", "B": ""}, (("/a", "/h/s"), ("/b", "")), "/w"),
        Container((), {}, (), "/")]


@pytest.mark.parametrize("data", [
    b"", b"[", b"\xff", b"kind: List", b"- 1", b"kind: Pod", b"kind: Pod\nspec: []", b"{", b"{\"kind\": 1}",
    b"kind: Pod\nspec: {containers: {}, volumes: [1, {name: []}]}"])
def test_what_is_no_pod_has_no_containers(data: bytes) -> None:
    """Nothing is raised for it."""
    assert read_containers(data) == []
