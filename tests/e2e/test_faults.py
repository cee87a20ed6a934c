"""Faults made by hand: the real component and `kpki check` name the same cause, and the printed commands mend it."""
from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.bare import Bare
from tests.e2e.cluster import Cluster, Wanted
from tests.e2e.commands import says, wait_for
from tests.e2e.faults import OF_CONTROL_PLANE, OF_KUBELET, Fault
from tests.e2e.hosts import Host

KUBELETS, CONTROL_PLANE = Wanted("ssl", workers=2), Wanted("kubeadm", workers=1)
FAULTS = [(KUBELETS, "worker-2", fault) for fault in OF_KUBELET] + [
    (CONTROL_PLANE, "cp", fault) for fault in OF_CONTROL_PLANE]
Machine = Host | Bare
LOGS = "KPKI_E2E_LOGS"      # a folder: every log that a fault produces is kept there
KEPT = "/run/before.tar"
FOLDERS = "/etc/kubernetes /var/lib/kubelet/pki"
AUTHORITIES = {"--ca": "ca", "--etcd-ca": "etcd/ca", "--front-proxy-ca": "front-proxy-ca"}


@pytest.mark.parametrize(("cluster", "host", "fault"), FAULTS, indirect=["cluster"], scope="module",
                         ids=lambda value: str(value) if isinstance(value, Fault) else "")
def test_fault(cluster: Cluster, host: str, fault: Fault) -> None:
    """A fault has one cause, in the component's log and on disk, and the printed commands mend it."""
    prove(cluster, host, fault)


@pytest.mark.parametrize(("cluster", "host", "fault"), [FAULTS[0]], indirect=["cluster"], scope="module",
                         ids=lambda value: str(value) if isinstance(value, Fault) else "")
def test_wrong_expectations_fail(cluster: Cluster, host: str, fault: Fault) -> None:
    """With another cause, another outcome or another word than the real one, the proof fails."""
    for wrong in (replace(fault, cause="ca-not-a-ca"), replace(fault, says="no component says this"),
                  replace(fault, outcome="well")):
        with pytest.raises(AssertionError):
            prove(cluster, host, wrong, seconds=10)
        wait_for(f"{host} is well again", lambda: is_well(cluster, host))


@pytest.mark.parametrize(("cluster", "host"), [(KUBELETS, "worker-2")], indirect=["cluster"], scope="module")
def test_a_component_ends_if_a_file_is_gone(cluster: Cluster, host: str) -> None:
    """Of each file that is gone check names the components that do not start without it, and none of them does."""
    machine = cluster.hosts[host]
    uses = json.loads(machine.run("kpki uses --json").stdout)["uses"]
    paths = sorted({use["path"].partition("#")[0] for use in uses if use["component"] in machine.services})
    named, survivors = set(), []
    for path in paths:
        machine.run(f"mv /{path} /run/aside")
        for component in readers(machine, path):
            named.add(component)
            machine.restart(component)
            try:
                wait_for(f"{component} says that {path} is gone", lambda: says(
                    machine.log(component), rf"{re.escape(path)}\"?: no such file"), seconds=20)
                wait_for(f"{component} ends", lambda: machine.ended(component), seconds=30)
            except AssertionError as error:
                survivors.append(f"{component} without {path}: {error}")
        machine.run(f"mv /run/aside /{path}")
        machine.run(f"systemctl restart {' '.join(name for name in machine.services if machine.ended(name))} || :")
    assert not survivors
    assert named == {*machine.services} - {"containerd"}
    wait_for(f"{host} is well again", lambda: is_well(cluster, host))


def readers(machine: Machine, path: str) -> list[str]:
    """The components that check names as readers of a missing file."""
    findings = json.loads(machine.run("kpki check --json --quiet", check=False).stdout)["findings"]
    messages = [found["message"] for found in findings if (found["path"], found["cause"]) == (path, "file-missing")]
    return [name for name in machine.services if any(re.search(rf" {name}( \(|,| reads)", text) for text in messages)]


def prove(cluster: Cluster, host: str, fault: Fault, *, seconds: float = 40) -> None:
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
            wait_for(f"{host} is well", lambda: is_well(cluster, host), seconds=seconds)
        if fault.outcome != "ends":
            assert not cluster.hosts[host].ended(fault.component)
        keep(cluster, host, fault)
        assert causes(cluster, host) == {(fault.cause, fault.severity)}
        if fault.by_hand:
            put_back(cluster.hosts[host])
        else:
            mend(cluster, host)
        for component in {*cluster.cp.services} - {fault.component}:
            if cluster.cp.ended(component):     # by itself, for its API server was away
                cluster.restart(component)
        wait_for(f"{host} is well again", lambda: is_well(cluster, host), seconds=120)
        assert not causes(cluster, host)


def said(cluster: Cluster, host: str, fault: Fault) -> str:
    """What is said where the fault's row has it."""
    match fault.where:
        case "kubectl":
            return cluster.says("get", "nodes")
        case "logs":
            return cluster.says("get", "--raw", f"/api/v1/nodes/{node(host)}/proxy/healthz")
        case "kube-apiserver" | "etcd":
            return cluster.cp.log(fault.where)
    return cluster.hosts[host].log(fault.component)


def node(host: str) -> str:
    """A node to ask about a host's connections: itself, or a worker of the control plane's."""
    return "worker-1" if host == "cp" else host


def is_well(cluster: Cluster, host: str) -> bool:
    """Whether a host does its work, and the API server and the kubelets reach each other."""
    return (host != "cp" or all(map(cluster.is_well, cluster.cp.services[:4]))) and cluster.is_ready(node(host)) \
        and cluster.says("get", "--raw", f"/api/v1/nodes/{node(host)}/proxy/healthz") == "ok"


def authorities(cluster: Cluster, host: str) -> str:
    """The options of check that bring the CAs to a host that has none."""
    pki = cluster.workspace / "pki"
    return "" if host == "cp" else f"--ca {pki}/ca.crt --ca-key {pki}/ca.key"


def causes(cluster: Cluster, host: str) -> set[tuple[str, str]]:
    """What `kpki check` finds on a host, by itself."""
    told = cluster.hosts[host].run("kpki check --json --quiet", check=False).stdout
    return {(found["cause"], found["severity"]) for found in json.loads(told)["findings"]}


def mend(cluster: Cluster, host: str) -> None:
    """Run what `kpki check --commands` prints, and the restarts that it names."""
    script = cluster.hosts[host].run(f"kpki check --commands --quiet {authorities(cluster, host)}", check=False).stdout
    done = cluster.hosts[host].run(f"mkdir -p /run/mend; rm -rf /run/mend/*; cd /run/mend; {script}")
    restarts = re.findall(r"^#.*systemctl restart (.*)$", script, re.MULTILINE) or re.findall(
        r"^ +systemctl restart (.*)$", done.stderr, re.MULTILINE)
    assert restarts or "chmod" in script, script
    for component in restarts:
        if component in cluster.hosts[host].services:   # cp has a kubelet's files, and no kubelet
            cluster.hosts[host].run(f"systemctl restart {component}")


@contextmanager
def preserved(cluster: Cluster, host: str) -> Iterator[None]:
    """A failure in the block does not go on to the next test: the host's files are put back."""
    machine = cluster.hosts[host]
    machine.run(f"tar -cf {KEPT} {FOLDERS} 2>/dev/null || :")
    try:
        yield
    except BaseException:
        put_back(machine)
        raise


def put_back(machine: Machine) -> None:
    """Put a host's files back as they were before the fault, and start its components anew."""
    machine.run(f"tar -xf {KEPT} -C /; systemctl restart {' '.join(machine.services)}")


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
    lines = {re.sub(r"^\w\d{4} \S+ +\d+ |\"ts\":\"[^\"]*\"|[:=]\d{5}\b", "", line): line for line in log.splitlines()
             if not re.match(r'I\d{4} |\{"level":"info"|Flag |W.*Skipping API ', line)}
    return "".join(f"{line}\n" for line in [*lines.values()][-40:])
