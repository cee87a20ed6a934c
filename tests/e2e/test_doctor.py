"""`kpki doctor` and `kpki probe` on the hosts of a real cluster, healthy and with each fault."""
from __future__ import annotations

import json
from subprocess import CompletedProcess
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
from tests.ordinary_user.user import GID, UID, OrdinaryUser

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


@BOTH
def test_an_ordinary_user(cluster: Cluster, host: str, ordinary_user: OrdinaryUser) -> None:
    """Without root, doctor and probe say what they could not read; what they could is right."""
    def told(*words: str) -> CompletedProcess[str]:
        done = cluster.hosts[host].run([
            "setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", "env",
            f"PYTHONPATH={ordinary_user.packages}",
            f"LD_LIBRARY_PATH={ordinary_user.packages}/python/lib",
            str(ordinary_user.python), "-m", "kpki", *words], check=False)
        assert "Traceback" not in done.stderr
        return done

    examined, probed = told("doctor", "--json"), told("probe", "--root", "/")
    assert examined.returncode == 2, examined.stderr
    assert ": permission denied, not checked" in examined.stderr
    report = json.loads(examined.stdout)
    assert errors(report) == []
    ran = {check["name"] for check in report["checks"] if check["ok"]}
    assert {name for name in cluster.hosts[host].services if name != "containerd"} <= ran
    assert probed.returncode == 0, probed.stderr
    assert ": permission denied, not read" in probed.stderr


@pytest.mark.parametrize(("cluster", "host"), [(KUBELETS, "worker-2")], indirect=["cluster"],
                         scope="module", ids=["kubelet"])
def test_journal(cluster: Cluster, host: str) -> None:
    """Of a kubelet that logs to systemd's journal, doctor reads the lines there."""
    machine, unit = cluster.hosts[host], "/etc/systemd/system/kubelet.service"
    journald = "systemd-journald systemd-journald.socket"
    with preserved(cluster, host):
        # /dev is the machine's own: its /dev/log is not this host's
        machine.run("systemctl mask systemd-journald-dev-log.socket systemd-journald-audit.socket; "
                    "systemctl start systemd-journald; "
                    f"cp {unit} /run/kubelet.service; rm /var/log/kubelet.log; "
                    f"sed -i s,^StandardOutput=.*,StandardOutput=journal, {unit}; "
                    "systemctl daemon-reload")
        try:
            machine.restart("kubelet")
            wait_for(f"{host} is well", lambda: is_well(cluster, host))
            assert log_of(doctor(cluster, host, status=0)) == (
                True, "journalctl -u kubelet: no fault of a certificate in the last lines")
            machine.run(f"mv {SSL}/ca.pem /run/")
            machine.restart("kubelet")
            wait_for("kubelet ends", lambda: machine.ended("kubelet"))
            report = doctor(cluster, host, status=1)
        finally:
            machine.run(f"mv -f /run/ca.pem {SSL}/ || :; cp /run/kubelet.service {unit}; "
                        f"systemctl daemon-reload; systemctl stop {journald}")
        machine.restart("kubelet")
        wait_for(f"{host} is well again", lambda: is_well(cluster, host))
    assert errors(report) == ["file-missing"]
    ok, told = log_of(report)
    assert ok is False and told.startswith("journalctl -u kubelet: kubelet says file-missing")


def log_of(report: dict[str, Any]) -> tuple[bool | None, str]:
    """What doctor says of the kubelet's log."""
    (found,) = [check for check in report["checks"] if check["name"] == "log"]
    return found["ok"], found["message"]
