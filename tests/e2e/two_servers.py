"""Two API servers behind a balancer, three etcd members and a worker, and clients that ask all the
time."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.e2e import workers
from tests.e2e.cluster import Cluster, Wanted, once
from tests.e2e.commands import run, wait_for
from tests.e2e.hosts import Host, wire
from tests.e2e.polling import GROUP
from tests.e2e.rig import Rig

ADDRESSES = {"cp": "10.99.0.1", "cp-2": "10.99.0.2", "etcd-3": "10.99.0.3",
             "worker-1": "10.99.0.11"}
ROLES = {"cp": ["control-plane", "etcd"], "cp-2": ["control-plane", "etcd"], "etcd-3": ["etcd"],
         "worker-1": []}
SERVERS, MEMBERS = ("cp", "cp-2"), ("cp", "cp-2", "etcd-3")
BALANCER = "10.99.0.1:7443"
AGGREGATED = "10.99.0.1:7444"
# a service with a name of its own needs no route to services' addresses, and so no kube-proxy
API = f"""apiVersion: v1
kind: Service
metadata: {{name: aggregated, namespace: default}}
spec: {{type: ExternalName, externalName: {AGGREGATED.partition(':')[0]}, ports: [{{port: 7444}}]}}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{name: v1.{GROUP}}}
spec:
  group: {GROUP}
  version: v1
  groupPriorityMinimum: 1000
  versionPriority: 10
  insecureSkipTLSVerify: true
  service: {{name: aggregated, namespace: default, port: 7444}}
"""
SSL = "/etc/kubernetes/ssl"
# an API server with open watches takes a minute to end by itself
SHORT = ["TimeoutStopSec=12"]
PATIENCE = 240      # seconds for a restart, on a machine that has other work as well
LINES = 15          # of a log, under a component that does not start
POLLING = Path(__file__).with_name("polling.py")


@dataclass
class TwoServers:
    """The cluster, its balancer and its clients."""

    cluster: Cluster
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _out: Path = Path()

    # The processes in the network of the first host

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        host = self.cluster.cp
        assert isinstance(host, Host)
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "nsenter", "-t", str(host.pid), "-n", "--",
             sys.executable, str(POLLING), *words], stdin=subprocess.PIPE)
        self._processes.append(process)
        return process

    def balance(self) -> None:
        """Start the balancer."""
        self._start("balance", BALANCER, *(f"{ADDRESSES[name]}:6443" for name in SERVERS))

    def aggregate(self) -> None:
        """Start an aggregated API server with a certificate of its own, and make it known."""
        folder, kubeconfig = self.cluster.rig.folder, f"{self.cluster.workspace}/users/admin.conf"
        pair = folder / "aggregated.pem"
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=aggregated",
             "-days", "30", "-keyout", str(pair), "-out", f"{pair}.crt"])
        pair.write_bytes(pair.read_bytes() + Path(f"{pair}.crt").read_bytes())
        self._start("aggregated", AGGREGATED, BALANCER, kubeconfig, str(pair))
        self.cluster.kubectl("apply", "-f", "-", given=API)
        wait_for("the aggregated API answers", lambda: self.cluster.says(
            "get", "--raw", f"/apis/{GROUP}/v1/whoami").startswith('{"user": "'))

    def poll(self, clients: dict[str, dict[str, Any]]) -> None:
        """Start clients that ask until `end`."""
        config = self.cluster.rig.folder / "clients.json"
        config.write_text(json.dumps(clients))
        self._out = config.with_suffix(".out")
        self._start(str(config))
        wait_for("each client has asked", lambda: self._out.exists() and all(
            client["asked"] > 3 for client in self.asked().values()))

    def asked(self) -> dict[str, dict[str, Any]]:
        """What each client has asked so far, and each failure."""
        found: dict[str, dict[str, Any]] = json.loads(self._out.read_text())
        return found

    def failures(self) -> list[str]:
        """Each failed request, with its client's name."""
        return [f"{name}: {line}" for name, client in self.asked().items()
                for line in client["failures"]]

    def end(self) -> None:
        """End the balancer and the clients."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()

    # Components

    def is_well(self, component: str, host: str) -> bool:
        """Whether a component of a host does its work."""
        cluster = self.cluster
        if cluster.hosts[host].ended(component):
            return False
        address = ADDRESSES[host]
        match component:
            case "kube-apiserver":
                return cluster.says("--server", f"https://{address}:6443", "get", "--raw",
                                    "/readyz") == "ok"
            case "etcd":
                asks = (f"import ssl, urllib.request as r; c = ssl.create_default_context(cafile="
                        f"'{SSL}/etcd-ca.pem'); c.load_cert_chain('{SSL}/etcd-healthcheck-client"
                        f".pem', '{SSL}/etcd-healthcheck-client-key.pem'); "
                        f"print(r.urlopen('https://{address}:2379/health', context=c, "
                        "timeout=3).read().decode())")
                done = cluster.hosts[host].run([sys.executable, "-c", asks], check=False)
                return '"health":"true"' in done.stdout
            case "kubelet":
                return cluster.is_ready(host)
        port = {"kube-controller-manager": 10257, "kube-scheduler": 10259}[component]
        return cluster.says("--server", f"https://{address}:{port}", "--insecure-skip-tls-verify",
                            "get", "--raw", "/healthz") == "ok"

    def restart(self, component: str, host: str) -> None:
        """Restart a component, and return once the component does its work again."""
        self.cluster.restart(component, host)
        try:
            wait_for(f"{component} on {host} is well", lambda: self.is_well(component, host),
                     seconds=PATIENCE)
        except AssertionError as error:
            lines = self.cluster.hosts[host].log(component).splitlines()
            error.add_note("\n".join(lines[-LINES:]))
            raise

    def install(self, host: str) -> None:
        """Bring a host's tree there, as `kpki rotate` says."""
        tree = str(self.cluster.workspace / "nodes" / host)
        self.cluster.hosts[host].run(["kpki", "node", "install", tree, "--node", host,
                                      "--root", "/", "--quiet"])

    def flag_signer(self) -> None:
        """Give kube-controller-manager the flags that `kpki flags` has now."""
        write_unit(self.cluster, "kube-controller-manager", "cp")

    # An exchange

    def rotate(self, row: str, *words: str) -> dict[str, Any]:
        """One phase, and all that `kpki rotate` says to do then, in order."""
        done = run(["kpki", "rotate", row, *words, "--json",
                    "--workspace", str(self.cluster.workspace)])
        document: dict[str, Any] = json.loads(done.stdout)
        for step in document["next"]:
            for command in step["commands"]:
                self._follow(step["what"], command, step["hosts"])
            if "--cluster-signing-cert-file=" in step["what"]:
                self.flag_signer()
        return document

    def _follow(self, what: str, command: str, hosts: list[str]) -> None:
        config = f"export KUBECONFIG={self.cluster.workspace}/users/admin.conf; "
        if command.startswith("kpki node install"):
            for host in hosts:
                self.install(host)
        elif command.startswith("systemctl restart "):
            component = command.rpartition(" ")[2]
            for host in hosts:
                if component in self.cluster.hosts[host].services:
                    self.restart(component, host)
        elif "grep -c BEGIN" in command:
            number = what.rpartition(" ")[2]
            wait_for(what, lambda: self.cluster.cp.run(
                config + command, check=False).stdout.strip() == number)
        elif command.startswith("kubectl delete"):
            self.cluster.cp.run(config + command)


def write_unit(cluster: Cluster, component: str, host: str) -> None:
    """The unit of a component on a host, with kpki's flags."""
    command = [component, *cluster.flags(component, host), *own_flags(component, host)]
    cluster.hosts[host].service(component, once(command), options=SHORT)


def own_flags(component: str, host: str) -> list[str]:
    """What a component must be told beside certificates."""
    address = ADDRESSES[host]
    match component:
        case "etcd":
            members = ",".join(f"{name}=https://{ADDRESSES[name]}:2380" for name in MEMBERS)
            return [f"--name={host}", "--data-dir=/var/lib/etcd",
                    f"--listen-client-urls=https://{address}:2379",
                    f"--advertise-client-urls=https://{address}:2379",
                    f"--listen-peer-urls=https://{address}:2380",
                    f"--initial-advertise-peer-urls=https://{address}:2380",
                    f"--initial-cluster={members}", "--logger=zap", "--log-outputs=stderr",
                    "--unsafe-no-fsync"]
        case "kube-apiserver":
            urls = ",".join(f"https://{ADDRESSES[name]}:2379" for name in MEMBERS)
            return [f"--advertise-address={address}", f"--bind-address={address}",
                    "--secure-port=6443", f"--etcd-servers={urls}",
                    "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
                    "--shutdown-delay-duration=3s",
                    "--kubelet-preferred-address-types=InternalIP,Hostname"]
        case "kube-controller-manager":
            return [f"--bind-address={address}", "--secure-port=10257", "--leader-elect=false",
                    "--node-monitor-period=2s", "--node-monitor-grace-period=40s"]
    return [f"--bind-address={address}", "--secure-port=10259", "--leader-elect=false"]


@contextmanager
def two_servers(rig: Rig) -> Iterator[TwoServers]:
    """Make certificates, start all hosts and components, and yield once all of them are well."""
    workspace = rig.folder / "workspace-two"
    workspace.mkdir()
    (workspace / "cluster.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kpki/v1", "kind": "Cluster", "layout": "ssl",
        "encryptionAlgorithm": "ECDSA-P256", "controlPlaneEndpoint": BALANCER,
        "nodes": [{"name": name, "addresses": [address], "roles": ROLES[name]}
                  for name, address in ADDRESSES.items()]}))
    cluster = Cluster(Wanted("ssl"), rig, workspace, ADDRESSES, {"kube-apiserver": 6443})
    servers = TwoServers(cluster)
    run(["kpki", "apply", str(workspace), "--quiet"])
    try:
        hosts = {name: rig.host(name) for name in ADDRESSES}
        cluster.hosts.update(hosts)
        wire(hosts["cp"], {name: hosts[name] for name in [*ADDRESSES][1:]}, ADDRESSES)
        for name in ADDRESSES:
            servers.install(name)
        servers.balance()
        for name in MEMBERS:
            write_unit(cluster, "etcd", name)
            cluster.restart("etcd", name)
        for name in MEMBERS:
            wait_for(f"etcd on {name} is well", partial(servers.is_well, "etcd", name))
        for name in SERVERS:
            write_unit(cluster, "kube-apiserver", name)
            servers.restart("kube-apiserver", name)
        for component in ("kube-controller-manager", "kube-scheduler"):
            write_unit(cluster, component, "cp")
            servers.restart(component, "cp")
        wait_for("the controller manager works", lambda: cluster.get("serviceaccount", "default"))
        workers.start(cluster, "worker-1", 3)
        wait_for("worker-1 is Ready", lambda: cluster.is_ready("worker-1"))
        yield servers
    finally:
        servers.end()
        for host in cluster.hosts.values():
            host.end()


def volume_of(host: Host, pod: str, name: str) -> str:
    """The path, as the machine sees it, of a file of a pod's token volume."""
    folder = host.path("/var/lib/kubelet/pods")
    found = [path for path in folder.glob(f"{pod}/volumes/kubernetes.io~projected/*/{name}")
             if re.search("kube-api-access", str(path))]
    assert len(found) == 1, found
    return str(found[0])
