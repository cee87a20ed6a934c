"""A cluster of one host on a loopback address: kpki's files, units as an operator writes them, and
real TLS servers."""

from __future__ import annotations

import random
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from kpki.cli.main import main
from tests.doctor.live import running

PORT = 6443
FOLDER = "/etc/kubernetes/ssl"
# component → certificate's row in layout ssl, how it asks for client certificates, the CA file for
# them, its port
SERVERS = {
    "kube-apiserver": ("apiserver", "request", "ca", PORT),
    "etcd": ("etcd-server", "require", "etcd-ca", 2379),
    "etcd-peer": ("etcd-peer", "require", "etcd-ca", 2380),
    "kubelet": ("worker", "request", "ca", 10250),
}


def loopback_address() -> str:
    """An address of loopback on which the ports of a control plane are free."""
    while True:
        address = "127." + ".".join(str(random.randint(1, 254)) for _ in range(3))
        try:
            for _, _, _, port in SERVERS.values():
                socket.create_server((address, port)).close()
        except OSError:
            continue
        return address


@dataclass
class OneHost:
    """The workspace, and the host's tree in it."""

    workspace: Path
    address: str
    server: Path
    "The program of the Go server."

    @property
    def tree(self) -> Path:
        return self.workspace / "nodes/cp"

    def file(self, row: str) -> Path:
        """The certificate of a row."""
        return self.tree / f"{FOLDER}/{row}.pem".lstrip("/")

    def serve(self, name: str, *options: str, pair: str = "") -> AbstractContextManager[str]:
        """A server of SERVERS while the block runs; *pair* is another row's."""
        row, clients, ca, port = SERVERS[name]
        certificate = self.file(pair or row)
        return running(
            self.server,
            "-address",
            f"{self.address}:{port}",
            "-cert",
            certificate,
            "-key",
            certificate.with_name(f"{certificate.stem}-key.pem"),
            "-ca",
            self.file(ca),
            "-clients",
            clients,
            *options,
        )


def make(workspace: Path, server: Path) -> OneHost:
    """A workspace whose host `cp` is a control plane with etcd and a kubelet, and its units."""
    host = OneHost(workspace, loopback_address(), server)
    workspace.mkdir()
    (workspace / "cluster.yaml").write_text(
        "apiVersion: kpki/v1\nkind: Cluster\nlayout: ssl\nencryptionAlgorithm: ECDSA-P256\n"
        f"nodes:\n- name: cp\n  addresses: [{host.address}]\n  roles: [control-plane, etcd]\n"
    )
    assert main(["apply", str(workspace), "--quiet"]) == 0
    for component, own in (
        (
            "kube-apiserver",
            f"--advertise-address={host.address} --bind-address={host.address} "
            f"--secure-port={PORT} "
            f"--etcd-servers=https://{host.address}:2379",
        ),
        (
            "etcd",
            f"--listen-client-urls=https://{host.address}:2379 "
            f"--listen-peer-urls=https://{host.address}:2380 "
            f"--name=cp",
        ),
        ("kubelet", f"--node-ip={host.address} --hostname-override=cp"),
    ):
        unit = host.tree / f"etc/systemd/system/{component}.service"
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text(
            f"[Service]\nExecStart=/usr/bin/{component} {own} {flags(workspace, component)}\n"
        )
    return host


def flags(workspace: Path, component: str) -> str:
    """The start flags that kpki gives a component."""
    from kpki.cluster.flags import as_lines, choose_host, component_flags
    from kpki.cluster.workspace import read_cluster

    cluster = read_cluster(str(workspace))
    return " ".join(
        as_lines(component_flags(cluster, component, choose_host(cluster, component, None))).split()
    )
