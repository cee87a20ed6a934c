"""`kpki doctor` and `kpki probe` on the hosts of a real cluster, healthy and with each fault."""
from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.commands import says, wait_for
from tests.e2e.faults import Fault
from tests.e2e.test_faults import (
    CONTROL_PLANE,
    FAULTS,
    KUBELETS,
    is_well,
    preserved,
    put_back,
    said,
    start_ended,
)

BOTH = pytest.mark.parametrize(("cluster", "host"), [(KUBELETS, "worker-2"), (CONTROL_PLANE, "cp")],
                               indirect=["cluster"], scope="module", ids=["kubelet", "cp"])
SSL, PKI = "/etc/kubernetes/ssl", "/etc/kubernetes/pki"
# what is written anew on which host → the components that must restart, by the facts of reloads
NEWER = {
    "worker-2": {f"{SSL}/ca.pem": {"kubelet"},
                 "/etc/kubernetes/worker-kubeconfig.yaml": {"kubelet"},
                 "/var/lib/kubelet/config.yaml": {"kubelet"}, f"{SSL}/worker.pem": set()},
    "cp": {f"{PKI}/etcd/ca.crt": {"etcd", "kube-apiserver"}, f"{PKI}/sa.pub": {"kube-apiserver"},
           "/etc/kubernetes/scheduler.conf": {"kube-scheduler"},
           f"{PKI}/apiserver.crt": set[str](), f"{PKI}/etcd/server.crt": set(),
           f"{PKI}/front-proxy-client.crt": set(), f"{PKI}/apiserver-etcd-client.crt": set()}}


def doctor(cluster: Cluster, host: str, *, status: int | None = None) -> dict[str, Any]:
    """What `kpki doctor --json` says on a host."""
    done = cluster.hosts[host].run("kpki doctor --json --quiet", check=False)
    assert done.returncode in ((0, 1) if status is None else (status,)), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def errors(report: dict[str, Any]) -> list[str]:
    return [found["cause"] for found in report["findings"] if found["severity"] == "error"]


@BOTH
def test_healthy(cluster: Cluster, host: str) -> None:
    """Every component runs, every server presents its file, and nothing is wrong."""
    report = doctor(cluster, host, status=0)
    assert errors(report) == [] and report["restart"] == []
    ran = {check["name"] for check in report["checks"] if check["ok"]}
    services = {name for name in cluster.hosts[host].services if name != "containerd"}
    assert services | {"files", "api-server", "restart"} <= ran
    assert [check for check in report["checks"] if check["ok"] is False] == []


@BOTH
def test_every_server_is_asked(cluster: Cluster, host: str) -> None:
    """`probe --root` on the host, and `probe --workspace` for the servers of the description."""
    done = cluster.hosts[host].run("kpki probe --root / --json --quiet")
    first = json.loads(done.stdout)
    for found in (first, *first["others"]):
        assert found["verdict"] in ("ok", None) and found["client"] in ("ok", None), found
        assert found["same_as_file"] in (True, None) and found["served"], found
    done = cluster.cp.run(["kpki", "probe", "--workspace", str(cluster.workspace), "--json",
                           "--quiet"], check=False)
    first = json.loads(done.stdout)
    asked = [first, *first["others"]]
    assert {found["component"] for found in asked if found["problem"]} <= {"cp: kubelet"}
    assert all(found["client"] == "ok" and found["same_as_file"] is not False
               for found in asked if not found["problem"])
    assert len(asked) == 3 + len(cluster.hosts)


@pytest.mark.parametrize(("cluster", "host", "fault"), FAULTS, indirect=["cluster"], scope="module",
                         ids=lambda value: str(value) if isinstance(value, Fault) else "")
def test_fault(cluster: Cluster, host: str, fault: Fault) -> None:
    """doctor names the root cause once, as check does, and no symptom besides."""
    with preserved(cluster, host):
        fault.spoil(cluster, host)
        if fault.where in {"kube-apiserver", "etcd"} - {fault.component}:
            cluster.restart(fault.where)
        cluster.restart(fault.component, host)
        if fault.outcome == "ends":
            wait_for(f"{fault.component} ends", lambda: cluster.hosts[host].ended(fault.component))
        wait_for(f"{fault.where or fault.component} says {fault.says!r}",
                 lambda: says(said(cluster, host, fault), fault.says))
        found = errors(doctor(cluster, host))
        put_back(cluster.hosts[host])
        start_ended(cluster)
        wait_for(f"{host} is well again", lambda: is_well(cluster, host))
        if not fault.described:     # without the description no file of the host shows the fault
            assert found == ([fault.cause] if fault.severity == "error" else [])


@BOTH
def test_restart_needed(cluster: Cluster, host: str) -> None:
    """A file written anew asks for the restart of who reads it once, until that restart."""
    machine = cluster.hosts[host]
    for path, components in NEWER[host].items():
        machine.run(f"sleep 2; cp -p {path} {path}.new; touch {path}.new; mv {path}.new {path}")
        report = doctor(cluster, host)
        assert {found["component"] for found in report["restart"]} == components, path
        for component in components:
            machine.restart(component)
        start_ended(cluster)
        wait_for(f"{host} is well again", lambda: is_well(cluster, host))
        assert doctor(cluster, host)["restart"] == [], path
    assert errors(doctor(cluster, host)) == []
