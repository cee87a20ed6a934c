"""A real cluster from kpki's files and kpki's flags: what to run is a value, `Wanted`; what runs is
a `Cluster`."""
from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.e2e import workers
from tests.e2e.bare import Bare, free_port, loopback_address
from tests.e2e.commands import run, wait_for
from tests.e2e.hosts import Host, wire
from tests.e2e.rig import Rig

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
SECURE_PORTS = {"kube-controller-manager": 10257, "kube-scheduler": 10259}
LINES = 15          # of each log, under a cluster that does not start
JOINED = {"--service-account-key-file"}      # may be there more than once


@dataclass(frozen=True)
class Wanted:
    """What to run. The control plane is one host, `cp`."""

    layout: str = "kubeadm"
    "Where kpki puts files: kubeadm, ssl or hard-way."
    algorithm: str = "ECDSA-P256"
    "Of all keys."
    workers: int = 0
    "How many nodes, worker-1 and so on; 0 is a control plane on loopback, which needs no root."
    namespaces: bool = False
    "Whether the control plane is a host of its own though there are no workers."
    description: str = ""
    "Further fields of cluster.yaml."


@dataclass
class Cluster:
    """A running cluster."""

    wanted: Wanted
    rig: Rig
    workspace: Path
    "The folder with cluster.yaml, as `kpki apply` left it."
    addresses: dict[str, str]
    "Each host's address."
    ports: dict[str, int]
    "Each component's port."
    hosts: dict[str, Host | Bare] = field(default_factory=dict)
    "Running hosts by name."

    @property
    def cp(self) -> Host | Bare:
        """The host of the control plane."""
        return self.hosts["cp"]

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.addresses['cp']}:{self.ports['kube-apiserver']}"

    def node(self, name: str) -> Host:
        """A worker."""
        host = self.hosts[name]
        assert isinstance(host, Host)
        return host

    def kubectl(self, *words: str, kubeconfig: str | None = None, check: bool = True,
                given: str | None = None
                ) -> subprocess.CompletedProcess[str]:
        """kubectl on the control plane's host, by the administrator's kubeconfig or by another
        file."""
        config = kubeconfig or str(self.workspace / "users/admin.conf")
        options = [f"--kubeconfig={config}", f"--cache-dir={self.rig.folder}/kubectl",
                   "--request-timeout=20s"]
        return self.cp.run(["kubectl", *options, *words], check=check, given=given)

    def says(self, *words: str, kubeconfig: str | None = None) -> str:
        """All that kubectl prints, whether it went well or not."""
        done = self.kubectl(*words, kubeconfig=kubeconfig, check=False)
        return (done.stdout + done.stderr).strip()

    def get(self, *words: str) -> dict[str, object]:
        """What `kubectl get` finds, as a document; empty if it finds nothing."""
        done = self.kubectl("get", *words, "-o", "json", check=False)
        found: dict[str, object] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def flags(self, component: str, host: str) -> list[str]:
        """The start flags that kpki gives a component."""
        return run(["kpki", "flags", component, "--node", host, "--workspace",
                    str(self.workspace)]).stdout.split()

    def logs(self) -> Iterator[tuple[str, str, str]]:
        """Host, component and log of everything that was started."""
        for host in self.hosts.values():
            yield from ((host.name, name, host.log(name)) for name in host.services)

    # Health

    def is_well(self, component: str) -> bool:
        """Whether a component of the control plane does its work now, as its health check says."""
        if self.cp.ended(component):
            return False
        if component == "etcd":
            return self.is_well("kube-apiserver")
        if component == "kube-apiserver":
            return self.kubectl("get", "--raw", "/readyz", check=False).stdout == "ok"
        url = f"https://{self.addresses['cp']}:{self.ports[component]}"
        return self.says("--server", url, "--insecure-skip-tls-verify", "get", "--raw",
                         "/healthz") == "ok"

    def is_ready(self, name: str) -> bool:
        """Whether a node is Ready by a lease that was renewed after this question was put."""
        def renewed() -> str:
            return self.kubectl("get", "lease", "-n", "kube-node-lease", name, "-o",
                                "jsonpath={.spec.renewTime}", check=False).stdout
        before = renewed()
        try:
            wait_for(f"{name} renews its lease", lambda: renewed() > before, seconds=10)
        except AssertionError:
            return False
        ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl("get", "node", name, "-o", ready, check=False).stdout == "True"

    def restart(self, component: str, host: str = "cp") -> None:
        """Start a component, after an end of the one that runs, with a new log."""
        self.hosts[host].restart(component)

    def wait_until_well(self, *components: str) -> None:
        """Return once these components of the control plane do their work."""
        for component in components or CONTROL_PLANE:
            wait_for(f"{component} is well", lambda: self.is_well(component))

    def run_pod(self, name: str, node: str, command: str) -> None:
        """A pod on a node, of the tests' own image, running a line for its shell."""
        self.kubectl("apply", "-f", "-", given=json.dumps(workers.pod(name, node, command)))


def wanted(*clusters: Wanted) -> pytest.MarkDecorator:
    """What the clusters of a test file are: its tests run with each."""
    return pytest.mark.parametrize("cluster", clusters, indirect=True, scope="module",
                                   ids=lambda variant:
                                       f"{variant.layout}-{variant.algorithm}-{variant.workers}")


@contextmanager
def started(rig: Rig, wanted: Wanted) -> Iterator[Cluster]:
    """Make certificates, start hosts and components, and yield the cluster once all of them are
    well."""
    cluster = made(rig, wanted)
    try:
        start_control_plane(cluster)
        for number in range(1, wanted.workers + 1):
            workers.start(cluster, f"worker-{number}", number)
        for number in range(1, wanted.workers + 1):
            wait_for(f"worker-{number} is Ready", lambda: cluster.is_ready(f"worker-{number}"))
        yield cluster
    except AssertionError as error:
        for place, name, log in cluster.logs():
            error.add_note(f"--- {place} {name}\n" + "\n".join(log.splitlines()[-LINES:]))
        raise
    finally:
        for host in cluster.hosts.values():
            host.end()


def made(rig: Rig, wanted: Wanted) -> Cluster:
    """A workspace with everything in it, by `kpki apply`, and hosts with their files, by `kpki node
    install`."""
    names = ["cp", *(f"worker-{number}" for number in range(1, wanted.workers + 1))]
    if wanted.workers or wanted.namespaces:
        addresses = {name: f"10.99.0.{1 if name == 'cp' else 10 + number}"
                     for number, name in enumerate(names)}
        ports = {"kube-apiserver": 6443, "etcd": 2379, "etcd peers": 2380, **SECURE_PORTS}
    else:
        addresses = {"cp": loopback_address()}
        ports = {name: free_port(addresses["cp"]) for name in (*CONTROL_PLANE, "etcd peers")}
    workspace = rig.folder / f"workspace-{len(list(rig.folder.glob('workspace-*')))}"
    workspace.mkdir()
    (workspace / "cluster.yaml").write_text(description(wanted, addresses, ports["kube-apiserver"]))
    cluster = Cluster(wanted, rig, workspace, addresses, ports)
    run(["kpki", "apply", str(workspace), "--quiet"])
    for name in names:
        host = cluster.hosts[name] = (rig.host(name) if wanted.workers or wanted.namespaces
                                      else rig.bare(name))
        root = str(host.folder) if isinstance(host, Bare) else "/"
        tree = str(workspace / "nodes" / name)
        host.run(["kpki", "node", "install", tree, "--node", name, "--root", root, "--quiet"])
        if isinstance(host, Bare):
            host.adopt_paths()
    if isinstance(cluster.cp, Host):
        wire(cluster.cp, {name: cluster.node(name) for name in names[1:]}, addresses)
    return cluster


def description(wanted: Wanted, addresses: dict[str, str], port: int) -> str:
    """The cluster.yaml of what is wanted."""
    return yaml.safe_dump({
        "apiVersion": "kpki/v1", "kind": "Cluster", "layout": wanted.layout,
        "encryptionAlgorithm": wanted.algorithm,
        "localAPIEndpoint": {"bindPort": port},
        "nodes": [{"name": name, "addresses": [address],
                   "roles": ["control-plane", "etcd"] if name == "cp" else []}
                  for name, address in addresses.items()],
        **(yaml.safe_load(wanted.description) or {})})


def start_control_plane(cluster: Cluster) -> None:
    """Start the four components, and return once they are well and the administrator may
    administrate."""
    for component in CONTROL_PLANE:
        command = [component, *cluster.flags(component, "cp"), *own_flags(component, cluster)]
        cluster.cp.service(component, once(command))
        cluster.restart(component)
    if cluster.wanted.layout == "kubeadm":      # the binding that `kubeadm init` makes
        master = "/etc/kubernetes/super-admin.conf"
        bind = ("create", "clusterrolebinding", "kubeadm:cluster-admins",
                "--clusterrole=cluster-admin", "--group=kubeadm:cluster-admins")
        wait_for("the API server makes a binding",
                 lambda: re.search("created|already exists",
                                   cluster.says(*bind, kubeconfig=master)))
    cluster.wait_until_well()
    wait_for("the controller manager works", lambda: cluster.get("serviceaccount", "default"))


def once(flags: Sequence[str]) -> list[str]:
    """Flags without those that a later one replaces."""
    return [flag for number, flag in enumerate(flags) if flag.split("=")[0] in JOINED or not any(
        later.split("=")[0] == flag.split("=")[0] for later in flags[number + 1:])]


def own_flags(component: str, cluster: Cluster) -> list[str]:
    """What a component must be told beside certificates: addresses, networks, and where it is to be
    quick."""
    address, ports = cluster.addresses["cp"], cluster.ports
    client, peer = f"https://{address}:{ports['etcd']}", f"https://{address}:{ports['etcd peers']}"
    match component:
        case "etcd":
            return ["--name=cp", "--data-dir=/var/lib/etcd", f"--listen-client-urls={client}",
                    f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=cp={peer}",
                    "--logger=zap", "--log-outputs=stderr", "--unsafe-no-fsync"]
        case "kube-apiserver":
            return [f"--advertise-address={address}", f"--bind-address={address}",
                    f"--secure-port={ports[component]}", f"--etcd-servers={client}",
                    "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
                    "--kubelet-preferred-address-types=InternalIP,Hostname"]
        case "kube-controller-manager":
            return [f"--bind-address={address}", f"--secure-port={ports[component]}",
                    "--leader-elect=false", "--node-monitor-period=2s",
                    "--node-monitor-grace-period=16s"]
        case "kube-scheduler":
            return [f"--bind-address={address}", f"--secure-port={ports[component]}",
                    "--leader-elect=false"]
    raise AssertionError(f"no such component: {component}")
