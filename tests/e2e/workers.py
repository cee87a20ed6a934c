"""A worker: containerd, a network for pods, an image of the machine's own shell, and a kubelet with
kpki's flags."""
from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.e2e.commands import minor, wait_for
from tests.e2e.hosts import Host

if TYPE_CHECKING:
    from tests.e2e.cluster import Cluster

IMAGE = "kpki.example/shell:1"
MODES = {"etc": 0o755, "tmp": 0o1777, "dev": 0o755, "proc": 0o755, "sys": 0o755}
CONTAINERD = """\
version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "/etc/cni/net.d"
"""
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
    "authorization": {"mode": "Webhook"}, "cgroupDriver": "cgroupfs", "failSwapOn": False,
    "makeIPTablesUtilChains": False, "resolvConf": "/etc/resolv.conf",
    "staticPodPath": "/etc/kubernetes/manifests",
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "volumePluginDir": "/var/lib/kubelet/plugins-volume", "fileCheckFrequency": "1s",
    "nodeStatusUpdateFrequency": "2s", "nodeLeaseDurationSeconds": 8, "evictionHard":
        {"memory.available": "10Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
}


def start(cluster: Cluster, name: str, number: int) -> None:
    """Start containerd and the kubelet of worker *name*, whose pods have 10.244.*number*.0/24."""
    start_containerd(cluster.node(name), number)
    start_kubelet(cluster, name)


def start_kubelet(cluster: Cluster, name: str) -> None:
    """Start a host's kubelet, with kpki's flags."""
    host = cluster.node(name)
    # since 1.35 a kubelet does not start on a machine with cgroups v1 unless this is said, which
    # 1.30 does not know
    old_cgroups = {"failCgroupV1": False} if minor() >= 31 else {}
    host.write("/var/lib/kubelet/config.yaml", yaml.safe_dump({**KUBELET, **old_cgroups}))
    host.service("kubelet",
                 ["kubelet", "--config=/var/lib/kubelet/config.yaml",
                  *cluster.flags("kubelet", name), f"--node-ip={cluster.addresses[name]}", "--v=2"])
    host.restart("kubelet")


def start_containerd(host: Host, number: int) -> None:
    """Start containerd with a bridge for pods and the one image."""
    plugins = next(folder for folder in ("/usr/lib/cni", "/opt/cni/bin")
                   if Path(folder, "bridge").exists())
    host.write("/etc/containerd/config.toml", CONTAINERD.format(image=IMAGE, plugins=plugins))
    host.write("/etc/cni/net.d/10-pods.conflist", json.dumps({
        "cniVersion": "0.4.0", "name": "pods", "plugins": [{
            "type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "ipam": {
                "type": "host-local", "ranges": [[{"subnet": f"10.244.{number}.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}]}}]}))
    host.service("containerd", ["containerd"], options=["KillMode=process", "Delegate=yes"])
    host.path("/etc/kubernetes/manifests").mkdir(parents=True, exist_ok=True)
    host.restart("containerd")
    host.path("/run/image.tar").write_bytes(image())
    wait_for(f"{host.name}'s containerd takes an image", lambda: host.run(
        "ctr -n k8s.io images import /run/image.tar", check=False).returncode == 0)


def image() -> bytes:
    """A docker archive of one layer: the machine's sh, sleep and cat, and the libraries that they
    load."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name, mode in MODES.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        for program in ("sh", "sleep", "cat"):
            path = shutil.which(program)
            assert path
            archive.add(Path(path).resolve(), f"bin/{program}")
            for library in libraries(path):
                if library not in archive.getnames():
                    archive.add(Path(library).resolve(), library.lstrip("/"))
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({"architecture": architecture(), "os": "linux", "rootfs": {
        "type": "layers", "diff_ids": [f"sha256:{digest}"]},
                         "config": {"Cmd": ["/bin/sleep", "infinity"]}})
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}])
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in (("layer.tar", layer.getvalue()), ("config.json", config.encode()),
                           ("manifest.json", manifest.encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def libraries(program: str) -> list[str]:
    """The shared libraries of a program, its loader among them."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def architecture() -> str:
    """This machine's, in Go's word."""
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True,
                             check=True).stdout.strip()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def pod(name: str, node: str, command: str) -> dict[str, object]:
    """A pod on a node that runs a line for its shell, and ends at once when it is deleted."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [{
                    "name": "main", "image": IMAGE, "imagePullPolicy": "Never",
                    "command": ["/bin/sh", "-c", command]}]}}
