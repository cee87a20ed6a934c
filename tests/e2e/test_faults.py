"""Faults made by hand: the real component and `kpki check` name the same cause, and the printed
commands mend it."""
from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.bare import Bare
from tests.e2e.cluster import Cluster, Wanted
from tests.e2e.commands import SECONDS, says, wait_for
from tests.e2e.faults import OF_CONTROL_PLANE, OF_KUBELET, Fault
from tests.e2e.hosts import Host

KUBELETS, CONTROL_PLANE = Wanted("ssl", workers=2), Wanted("kubeadm", workers=1)
FAULTS = [(KUBELETS, "worker-2", fault) for fault in OF_KUBELET] + [
    (CONTROL_PLANE, "cp", fault) for fault in OF_CONTROL_PLANE]
Machine = Host | Bare
LOGS = "KPKI_E2E_LOGS"      # a folder: every log that a fault produces is kept there
KEPT = "/run/before.tar"
FOLDERS = "/etc/kubernetes /var/lib/kubelet/pki /var/lib/kubelet/config.yaml"
PKI = "/etc/kubernetes/pki"
FRONT_PROXY = (f"--certificate-authority={PKI}/ca.crt",
               f"--client-certificate={PKI}/front-proxy-client.crt",
               f"--client-key={PKI}/front-proxy-client.key")


def calls(cluster: Cluster, host: str) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    """Calls of the API server whose answer shows a fault: the kubeconfig, if not the tests' own,
    and kubectl's words.

    `logs` is the way from the API server to the kubelet. The front proxy's certificate alone is
    nobody's login.
    """
    return {
        "kubectl": (None, ("get", "nodes")),
        "logs": (None, ("get", "--raw", f"/api/v1/nodes/{node(host)}/proxy/healthz")),
        "administrator": ("/etc/kubernetes/admin.conf", ("get", "nodes")),
        "front-proxy": ("/dev/null",
                        (f"--server={cluster.server}", *FRONT_PROXY, "get", "--raw", "/metrics"))}


@pytest.mark.parametrize(("cluster", "host", "fault"), FAULTS, indirect=["cluster"], scope="module",
                         ids=lambda value: str(value) if isinstance(value, Fault) else "")
def test_fault(cluster: Cluster, host: str, fault: Fault) -> None:
    """A fault has one cause, in the component's log and on disk, and the printed commands mend
    it."""
    prove(cluster, host, fault)


@pytest.mark.parametrize(("cluster", "host", "fault"), [FAULTS[0]],
                         indirect=["cluster"], scope="module",
                         ids=lambda value: str(value) if isinstance(value, Fault) else "")
def test_wrong_expectations_fail(cluster: Cluster, host: str, fault: Fault) -> None:
    """With another cause, another outcome or another word than the real one, the proof fails."""
    for wrong in (replace(fault, cause="ca-not-a-ca"),
                  replace(fault, says="no component says this"), replace(fault, outcome="well")):
        with pytest.raises(AssertionError):
            prove(cluster, host, wrong, seconds=10)
        wait_for(f"{host} is well again", lambda: is_well(cluster, host))


@pytest.mark.parametrize(("cluster", "host"), [(KUBELETS, "worker-2"), (CONTROL_PLANE, "cp")],
                         indirect=["cluster"], scope="module", ids=["kubelet", "control-plane"])
def test_a_component_ends_if_a_file_is_gone(cluster: Cluster, host: str) -> None:
    """Of each file that is gone check names the components that do not start without it, and none
    of them does."""
    machine = cluster.hosts[host]
    uses = json.loads(machine.run("kpki uses --json").stdout)["uses"]
    paths = sorted({use["path"].partition("#")[0] for use in uses
                    if use["component"] in machine.services})
    named, survivors = set(), []
    for path in paths:
        # some read a file only after they have spoken with it
        cluster.wait_until_well("kube-apiserver")
        machine.run(f"mv /{path} /run/aside")
        for component in reversed(readers(machine, path)):
            named.add(component)
            machine.restart(component)
            try:
                wait_for(f"{component} says that {path} is gone", lambda: says(
                    machine.log(component), rf"{re.escape(path)}\"?: no such file"))
                wait_for(f"{component} ends", lambda: machine.ended(component))
            except AssertionError as error:
                survivors.append(f"{component} without {path}: {error}")
        machine.run(f"mv /run/aside /{path}")
        start_ended(cluster)
    assert not survivors
    assert named == {*machine.services} - {"containerd"}
    wait_for(f"{host} is well again", lambda: is_well(cluster, host))


def start_ended(cluster: Cluster) -> None:
    """Start every component that has ended: the one without its file, and those that gave up
    waiting for it."""
    for machine in cluster.hosts.values():
        for component in machine.services:
            if machine.ended(component):
                machine.restart(component)


def readers(machine: Machine, path: str) -> list[str]:
    """The components that check names as readers of a missing file."""
    findings = json.loads(machine.run("kpki check --json --quiet", check=False).stdout)["findings"]
    messages = [found["message"] for found in findings
                if (found["path"], found["cause"]) == (path, "file-missing")]
    return [name for name in machine.services
            if any(re.search(rf" {name}( \(|,| reads)", text) for text in messages)]


def prove(cluster: Cluster, host: str, fault: Fault, *, seconds: float = SECONDS) -> None:
    """Spoil, see what the component and check say, mend as printed, see that all is well."""
    with preserved(cluster, host):
        fault.spoil(cluster, host)
        if fault.where in {"kube-apiserver", "etcd"} - {fault.component}:
            cluster.restart(fault.where)
        cluster.restart(fault.component, host)
        if fault.outcome == "ends":
            wait_for(f"{fault.component} ends", lambda: cluster.hosts[host].ended(fault.component),
                     seconds=seconds)
        wait_for(f"{fault.where or fault.component} says {fault.says!r}",
                 lambda: says(said(cluster, host, fault), fault.says), seconds=seconds)
        if fault.outcome == "well":
            assert not cluster.hosts[host].ended(fault.component)
            start_ended(cluster)  # the others: while the API server restarts, some of them give up
            wait_for(f"{host} is well", lambda: is_well(cluster, host), seconds=seconds)
        if fault.outcome != "ends":
            assert not cluster.hosts[host].ended(fault.component)
        keep(cluster, host, fault)
        assert causes(cluster, host, described=fault.described) == {(fault.cause, fault.severity)}
        if fault.by_hand:
            put_back(cluster.hosts[host])
        else:
            restarted = mend(cluster, host, described=fault.described)
            assert restarted or fault.outcome == "well"
        start_ended(cluster)        # but for what was restarted: their API server was away
        wait_for(f"{host} is well again", lambda: is_well(cluster, host))
        assert not causes(cluster, host, described=fault.described)


def said(cluster: Cluster, host: str, fault: Fault) -> str:
    """What is said where the fault's row has it."""
    if call := calls(cluster, host).get(fault.where):
        return cluster.says(*call[1], kubeconfig=call[0])
    if fault.where:
        return cluster.cp.log(fault.where)
    return cluster.hosts[host].log(fault.component)


def node(host: str) -> str:
    """A node to ask about a host's connections: itself, or a worker of the control plane's."""
    return "worker-1" if host == "cp" else host


def is_well(cluster: Cluster, host: str) -> bool:
    """Whether a host does its work, and the API server and the kubelets reach each other."""
    return ((host != "cp" or all(map(cluster.is_well, cluster.cp.services[:4])))
            and cluster.is_ready(node(host))
            and cluster.says("get", "--raw", f"/api/v1/nodes/{node(host)}/proxy/healthz") == "ok")


def check(cluster: Cluster, host: str, *options: str, described: bool) -> str:
    """What `kpki check` prints on a host, which is told where the cluster's CA is; or in the
    workspace."""
    pki, folder = cluster.workspace / "pki", cluster.workspace if described else "/run/mend"
    given = () if described or host == "cp" else ("--ca", f"{pki}/ca.crt", "--ca-key",
                                                  f"{pki}/ca.key")
    words = " ".join(["kpki check / --quiet", *options, *given])
    done = cluster.hosts[host].run(f"mkdir -p {folder}; cd {folder}; {words}", check=False)
    assert done.returncode in (0, 1), done.stderr       # its answers, by docs/check.md
    return done.stdout


def causes(cluster: Cluster, host: str, *, described: bool) -> set[tuple[str, str]]:
    """What `kpki check` finds on a host."""
    return {(found["cause"], found["severity"])
            for found in json.loads(check(cluster, host, "--json",
                                          described=described))["findings"]}


def mend(cluster: Cluster, host: str, *, described: bool) -> list[str]:
    """Run what `kpki check --commands` prints, and the restarts that it names; return what was
    restarted."""
    script = check(cluster, host, "--commands", described=described)
    folder = cluster.workspace if described else "/run/mend; rm -rf ./*"
    cluster.hosts[host].run(f"cd {folder}; {script}")
    restarts = re.findall(r"^#.*systemctl restart (.*)$", script, re.MULTILINE)
    for component in restarts:
        cluster.hosts[host].run(f"systemctl restart {component}")
    return restarts


@contextmanager
def preserved(cluster: Cluster, host: str) -> Iterator[None]:
    """A failure in the block does not go on to the next test: the host's files are put back."""
    machine = cluster.hosts[host]
    machine.run(f"tar -cf {KEPT} {FOLDERS} 2>/dev/null || :")
    try:
        yield
    except Exception:
        put_back(machine)
        with suppress(AssertionError):
            wait_for(f"{host} is well again", lambda: is_well(cluster, host))
        raise


def put_back(machine: Machine) -> None:
    """Put a host's files back as they were before the fault, and start its components anew.

    But not containerd: a kubelet ends if it finds none, and starts no more by itself.
    """
    machine.run(f"tar -xf {KEPT} -C /")
    for component in machine.services:
        if component != "containerd":
            machine.restart(component)


def keep(cluster: Cluster, host: str, fault: Fault) -> None:
    """Keep the logs of a fault, if $KPKI_E2E_LOGS asks for it."""
    if LOGS not in os.environ:
        return
    folder = Path(os.environ[LOGS], fault.name)
    folder.mkdir(parents=True, exist_ok=True)
    for place in {fault.component, fault.where} - {""}:
        text = said(cluster, host, replace(fault, where="" if place == fault.component else place))
        (folder / f"{place}.log").write_text(shortened(text))


def shortened(log: str) -> str:
    """A log without what merely informs and what was said before, its last 40 lines."""
    lines = {re.sub(r"^\w\d{4} \S+ +\d+ |\"ts\":\"[^\"]*\"|[:=]\d{5}\b|#\d+", "", line): line
             for line in log.splitlines()
             if not re.match(r'I\d{4} |\{"level":"info"|Flag |W.*Skipping API ', line)}
    return "".join(f"{line}\n" for line in [*lines.values()][-40:])
