"""What a static pod's manifest says."""
from __future__ import annotations

import pytest

from kpki.kubernetes.manifests import Container, read_containers

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
    """Command, then args, with the container's own variables in place; mounts of the host's folders
    and of others."""
    assert read_containers(POD.encode()) == [
        Container(("etcd", "--a=x/$(NONE)/$(A)", "--b"), {"A": "x", "B": ""},
                  (("/a", "/h/s"), ("/b", "")), "/w"),
        Container((), {}, (), "/")]


@pytest.mark.parametrize(("pod", "container", "user"), [
    ("", "", ""), ("securityContext: {runAsUser: 7}, ", "", "7"),
    ("", "securityContext: {runAsUser: 0}", "0"),
    ("securityContext: {runAsUser: 7}, ", "securityContext: {runAsUser: 8}", "8"),
    ("securityContext: x, ", "", "")])
def test_the_user_of_a_container(pod: str, container: str, user: str) -> None:
    """The container's own comes before the pod's; nothing else tells."""
    text = f"kind: Pod\nspec: {{{pod}containers: [{{{container}}}]}}\n"
    assert [container.user for container in read_containers(text.encode())] == [user]


@pytest.mark.parametrize("data", [
    b"", b"[", b"\xff", b"kind: List", b"- 1", b"kind: Pod", b"kind: Pod\nspec: []", b"{",
    b'{"kind": 1}', b"kind: Pod\nspec: {containers: {}, volumes: [1, {name: []}]}"])
def test_what_is_no_pod_has_no_containers(data: bytes) -> None:
    """Nothing is raised for it."""
    assert read_containers(data) == []
