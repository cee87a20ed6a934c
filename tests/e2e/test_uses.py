"""What `kpki uses` says of a host equals what its running components open, however they are
told."""
from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.e2e import workers
from tests.e2e.cluster import CONTROL_PLANE, Cluster, Wanted, own_flags, wanted
from tests.e2e.commands import wait_for
from tests.e2e.hosts import Host
from tests.e2e.opens import Inode, Opens
from tests.e2e.workers import IMAGE, KUBELET

HARD_WAY, SSL = Wanted("hard-way", workers=1), Wanted("ssl", workers=1)
BOTH = wanted(HARD_WAY, SSL)
FOLDERS = ("/etc", "/var", "/var/lib/kubelet")
INTERESTING = re.compile(rb"-----BEGIN |^kind: \"?Config\"?$", re.MULTILINE)
COMPONENTS = (*CONTROL_PLANE, "kubelet")
Told = set[tuple[str, str]]


def told(host: Host) -> Told:
    """Component and path, by `kpki uses`, of each file that is there and that a running component
    is to read."""
    uses = json.loads(host.run("kpki uses --json").stdout)["uses"]
    return {(use["component"], path) for use in uses for path in [use["path"].partition("#")[0]]
            if use["component"] in host.services and host.path(f"/{path}").is_file()}


def files(host: Host) -> dict[Inode, str]:
    """The host's certificates, keys and kubeconfigs, links followed."""
    found = {}
    for folder in ("etc/kubernetes", "etc/etcd", "var/lib/kubelet", "var/lib/kubernetes"):
        for path in host.path(f"/{folder}").rglob("*"):
            if (path.is_file() and "pods" not in path.parts
                and INTERESTING.search(path.read_bytes())):
                about = path.stat()
                found[about.st_dev, about.st_ino] = str(path.relative_to(host.path("/")))
    return found


def opened(cluster: Cluster, act: Callable[[], object]) -> dict[str, Told]:
    """For each host component and path of those of these files that a component opens when *act*
    starts them all.

    A component is well before its last part has read its files: all that uses says is waited for.
    """
    opens = Opens([host.path(folder) for host in machines(cluster) for folder in FOLDERS])
    seen = set[tuple[str, Inode]]()

    def of_hosts() -> dict[str, Told]:
        seen.update(opens.seen())
        return {host.name:
                    {(program, inodes[inode]) for inodes in [files(host)] for program, inode in seen
                     if program in COMPONENTS and inode in inodes} for host in machines(cluster)}

    def is_all() -> bool:
        found = of_hosts()
        return all(told(host) <= found[host.name] for host in machines(cluster))
    try:
        act()
        with suppress(AssertionError):      # who compares says what is missing
            wait_for("all is opened", is_all, seconds=60)
        return of_hosts()
    finally:
        opens.close()


def machines(cluster: Cluster) -> list[Host]:
    """The hosts of a cluster, which all have namespaces."""
    return [host for host in cluster.hosts.values() if isinstance(host, Host)]


def start_all(cluster: Cluster) -> None:
    """Restart all components, and return once they are well and have spoken with each other."""
    for host in machines(cluster):
        host.run("systemctl daemon-reload")
        for component in host.services:
            if component != "containerd":
                host.restart(component)
    cluster.wait_until_well()
    wait_for("worker-1 is Ready", lambda: cluster.is_ready("worker-1"))
    wait_for("the kubelet answers", lambda: answers(cluster, "worker-1"))


def answers(cluster: Cluster, node: str) -> bool:
    """Whether the API server reaches a kubelet."""
    return cluster.says("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz") == "ok"


def prove(cluster: Cluster) -> None:
    """What uses says of each host, and what its components open, are the same."""
    seen = opened(cluster, lambda: start_all(cluster))
    for host in machines(cluster):
        assert sorted(seen[host.name] - told(host)) == sorted(told(host) - seen[host.name]) == []
    assert {component for component, _ in seen["cp"]} == {*CONTROL_PLANE}


@BOTH
def test_flags(cluster: Cluster) -> None:
    """Flags in units: uses says what the components open."""
    prove(cluster)


@BOTH
def test_variables_and_drop_ins(cluster: Cluster) -> None:
    """Environment files, variables in words and as words, drop-ins that reset: uses says what the
    components open."""
    tell_by_variables(cluster)
    prove(cluster)


@BOTH
def test_configuration_files(cluster: Cluster) -> None:
    """Configuration files and their drop-ins: uses says what the components open."""
    tell_by_files(cluster)
    prove(cluster)


@BOTH
def test_wrong_expectations_fail(cluster: Cluster) -> None:
    """The test sees a unit that names another file than the running component has opened."""
    unit = cluster.cp.path("/etc/systemd/system/kube-scheduler.service")
    before, running = unit.read_text(), told(machines(cluster)[0])
    unit.write_text(before.replace("kube-scheduler.kubeconfig", "admin.kubeconfig").replace(
        "kube-scheduler-kubeconfig.yaml", "admin-kubeconfig.yaml").replace(
        "/etc/kubernetes/scheduler.yaml", "/nowhere.yaml"))
    assert told(machines(cluster)[0]) != running
    unit.write_text(before)


def unit(host: Host, name: str, *lines: str, drop_in: str = "") -> None:
    """Write a unit, or a drop-in of it."""
    place = f"{name}.service.d/{drop_in}.conf" if drop_in else f"{name}.service"
    head = [] if drop_in else ["[Unit]", "DefaultDependencies=no"]
    tail = [] if drop_in else [f"StandardOutput=truncate:/var/log/{name}.log",
                               "StandardError=inherit", "Type=exec"]
    host.write(f"/etc/systemd/system/{place}", "\n".join([*head, "[Service]", *tail, *lines, ""]))


def tell_by_variables(cluster: Cluster) -> None:
    """etcd by ETCD_ variables, the others by words of variables, in quotes, over lines, and by what
    resets a unit."""
    cp, worker = cluster.node("cp"), cluster.node("worker-1")
    flags = {name: [*cluster.flags(name, "cp"), *own_flags(name, cluster)]
             for name in CONTROL_PLANE}
    variables = (flag.removeprefix("--").partition("=") for flag in flags["etcd"])
    cp.write("/etc/etcd/etcd.env", "# etcd\n" + "".join(
        f"ETCD_{name.upper().replace('-', '_')}={value}\n" for name, _, value in variables))
    unit(cp, "etcd", "EnvironmentFile=-/etc/etcd/etcd.env", "ExecStart=etcd")
    half = len(flags["kube-apiserver"]) // 2
    cp.write("/etc/default/kube-apiserver",
             'KUBE_ARGS="' + " \\\n  ".join(flags["kube-apiserver"][:half]) + '"\n')
    unit(cp, "kube-apiserver", "EnvironmentFile=/etc/default/kube-apiserver",
         "ExecStart=kube-apiserver $KUBE_ARGS \\\n  "
         + " \\\n  ".join(flags["kube-apiserver"][half:]))
    unit(cp, "kube-controller-manager", "ExecStart=kube-controller-manager --kubeconfig=/nowhere")
    folder = "/var/lib/kubernetes" if cluster.wanted is HARD_WAY else "/etc/kubernetes"
    words = " ".join(flags["kube-controller-manager"]).replace(folder, "${FOLDER}")
    unit(cp, "kube-controller-manager", f'Environment="FOLDER={folder}" OTHER=1', "ExecStart=",
         f"ExecStart=kube-controller-manager {words}", drop_in="10-files")
    unit(cp, "kube-scheduler",
         "ExecStart=/bin/sh -c 'exec kube-scheduler " + " ".join(flags["kube-scheduler"]) + "'")
    worker.write("/etc/default/kubelet",
                 f"KUBELET_EXTRA_ARGS={' '.join(cluster.flags('kubelet', 'worker-1'))}\n")
    unit(worker, "kubelet", "EnvironmentFile=/etc/default/kubelet",
         "ExecStart=kubelet $KUBELET_EXTRA_ARGS "
         f"--config=/var/lib/kubelet/config.yaml --node-ip={cluster.addresses['worker-1']}")


def tell_by_files(cluster: Cluster) -> None:
    """etcd, the scheduler and the kubelet by configuration files, the kubelet's serving pair by a
    drop-in."""
    cp, worker = cluster.node("cp"), cluster.node("worker-1")
    plain = {flag.removeprefix("--").split("=")[0]: flag.partition("=")[2]
             for flag in own_flags("etcd", cluster) if "logger" not in flag
             and "log-outputs" not in flag}
    cp.write("/etc/etcd/etcd.conf.yml", cp.run(
        ["kpki", "flags", "etcd", "--format", "config", "--node", "cp", "--workspace",
         str(cluster.workspace)]).stdout
        + yaml.safe_dump({**plain, "unsafe-no-fsync": True}))
    unit(cp, "etcd",
         "ExecStart=etcd --config-file=/etc/etcd/etcd.conf.yml --cert-file=/nowhere.pem")
    scheduler = dict(flag.removeprefix("--").split("=", 1)
                     for flag in cluster.flags("kube-scheduler", "cp"))
    cp.write("/etc/kubernetes/scheduler.yaml", yaml.safe_dump({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": scheduler["kubeconfig"]},
        "leaderElection": {"leaderElect": False}}))
    unit(cp, "kube-scheduler", "ExecStart=kube-scheduler --config=/etc/kubernetes/scheduler.yaml "
         "--kubeconfig=/nowhere " + " ".join(own_flags("kube-scheduler", cluster)))
    flags = dict(flag.removeprefix("--").split("=", 1)
                 for flag in cluster.flags("kubelet", "worker-1"))
    clients = {"x509": {"clientCAFile": flags["client-ca-file"]}}
    configuration = {
        **KUBELET, "tlsCertFile": "/nowhere.pem",
        "authentication": {**KUBELET["authentication"], **clients}}     # type: ignore[dict-item]
    worker.write("/var/lib/kubelet/config.yaml", yaml.safe_dump(configuration))
    worker.write("/etc/kubernetes/kubelet.d/50-serving.conf", yaml.safe_dump({
        "apiVersion": KUBELET["apiVersion"], "kind": KUBELET["kind"],
        "tlsCertFile": flags["tls-cert-file"], "tlsPrivateKeyFile": flags["tls-private-key-file"]}))
    unit(worker, "kubelet", "ExecStart=kubelet --config=/var/lib/kubelet/config.yaml "
         f"--config-dir=/etc/kubernetes/kubelet.d --kubeconfig={flags['kubeconfig']} "
         f"--node-ip={cluster.addresses['worker-1']}")


@pytest.mark.parametrize("cluster", [Wanted("kubeadm", workers=1)], indirect=True)
def test_static_pods(cluster: Cluster) -> None:
    """Static pods that the kubelet runs, their paths translated by mounts: uses says what the
    components open."""
    cp = cluster.node("cp")
    for component in CONTROL_PLANE:
        cp.run(f"systemctl stop {component}; rm /etc/systemd/system/{component}.service; systemctl "
               "daemon-reload")
    # before anybody watches: who watches holds files, and their mounts
    workers.start_containerd(cp, 9)

    def run_pods() -> None:
        workers.start_kubelet(cluster, "cp")
        for component in CONTROL_PLANE:
            cp.write(f"/etc/kubernetes/manifests/{component}.yaml",
                     yaml.safe_dump(static_pod(cluster, component)))
        wait_for("the API server's pod is ready",
                 lambda: cluster.says("get", "--raw", "/readyz") == "ok")
        for component in CONTROL_PLANE:
            name = f"{component}-cp"
            wait_for(f"{name} runs", lambda: cluster.says(
                "get", "pod", name, "-o", "jsonpath={.status.phase}") == "Running")
        wait_for("cp's kubelet answers", lambda: answers(cluster, "cp"))
    seen = opened(cluster, run_pods)["cp"]
    assert sorted(seen - told(cp)) == sorted(told(cp) - seen) == []
    assert {component for component, _ in seen} >= {*CONTROL_PLANE}


def static_pod(cluster: Cluster, component: str) -> dict[str, object]:
    """A component as a pod of the host's network; what is /etc/kubernetes on the host is /files in
    the container."""
    flags = [flag.replace("/etc/kubernetes/", "/files/")
             for flag in [*cluster.flags(component, "cp"), *own_flags(component, cluster)]]
    program = shutil.which(component)
    assert program
    mounts = {"/files": "/etc/kubernetes", "/var/lib/etcd": "/var/lib/etcd",
              "/programs": str(Path(program).parent)}
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": component, "namespace": "default"}, "spec": {
                "hostNetwork": True, "containers": [{
                    "name": component, "image": IMAGE, "imagePullPolicy": "Never",
                    "command": [f"/programs/{component}", *flags],
                    "volumeMounts": [{"name": f"mount-{number}", "mountPath": path}
                                     for number, path in enumerate(mounts)]}],
                "volumes": [{"name": f"mount-{number}", "hostPath": {"path": path}}
                            for number, path in enumerate(mounts.values())]}}
