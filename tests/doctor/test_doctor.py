"""`doctor` on made hosts: every way in which components get their settings, with faults and
without."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import kpki
from kpki.cli.main import main
from kpki.cluster.observed.processes import read_processes
from kpki.cluster.observed.starts import pods, starts
from kpki.cluster.observed.tree import Tree
from kpki.kubernetes.distributions import POD_FOLDERS
from kpki.kubernetes.settings import SETTINGS
from tests.doctor.one_host import SERVERS, OneHost
from tests.doctor.proc import ROOT_MOUNT, Runs, write_proc
from tests.hosts.catalogue import FAULTS, HOSTS
from tests.hosts.making import Fault, Host
from tests.hosts.pki import Shelf

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)    # than any file that the tests write
# every second host, and one fault of each
MADE = [*HOSTS][::2]
ONE_EACH = {fault.host: fault for fault in reversed(FAULTS) if fault.host in MADE}


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The certificates of all hosts, each made once."""
    return Shelf({}, tmp_path_factory.mktemp("openssl"))


@pytest.fixture
def lay(tmp_path: Path, shelf: Shelf) -> Callable[[Host], Path]:
    """A host's tree."""
    def make(host: Host) -> Path:
        return host.lay(shelf.changed(host.rows), tmp_path / "root")
    return make


def processes_of(root: Path) -> Iterator[Runs]:
    """The processes that the files of a tree start, as long as those stay as they are."""
    tree = Tree(str(root))
    for running in [*starts(tree), *(pod for folder in POD_FOLDERS for pod in pods(tree, folder))]:
        if running.start.component in SETTINGS:
            words = [running.start.component, *(word.text for word in running.start.words)]
            variables = {name: word.text for name, word in running.start.environment.items()}
            yield Runs(words, LATER, variables, running.start.folder, mounts(running.start.mounts))


def mounts(given: Sequence[tuple[str, str]]) -> str:
    """The mountinfo of a container with folders of the host; of no container without any."""
    lines = [f"31 30 8:1 {outside} {inside} rw - ext4 /dev/sda1 rw\n" for inside, outside in given
             if outside]
    return "".join(["30 29 0:55 / / rw - overlay overlay rw\n", *lines]) if lines else ROOT_MOUNT


def test_there_are_many_ways() -> None:
    """At least 25 hosts, each with a fault."""
    assert len(MADE) >= 25 and {*ONE_EACH} == {*MADE}


@pytest.mark.parametrize("name", MADE)
def test_a_healthy_host_is_well(name: str, lay: Callable[[Host], Path], tmp_path: Path) -> None:
    """Files are right, all components run as their files say, and none must restart."""
    host = HOSTS[name]
    root = lay(host)
    proc = write_proc(tmp_path / "proc", *processes_of(root))
    report = kpki.examine_host(root, node=host.node, proc=str(proc), timeout=0)
    assert [check for check in report.checks if check.ok is False] == []
    assert report.ok and report.restarts == ()


@pytest.mark.parametrize("fault", ONE_EACH.values(), ids=str)
def test_the_root_cause_is_named_once(fault: Fault, lay: Callable[[Host], Path], tmp_path: Path,
                                      ) -> None:
    """The only error is the fault of the files, whatever processes run."""
    host = fault.change.apply(HOSTS[fault.host])
    root = lay(host)
    proc = write_proc(tmp_path / "proc", *processes_of(root))
    report = kpki.examine_host(root, node=host.node, proc=str(proc), timeout=0)
    errors = [(found.cause, found.path) for found in report.findings if found.severity == "error"]
    assert errors in [[(cause, fault.path)] for cause in fault.cause.split()]
    assert not report.ok


@pytest.mark.parametrize(("gone", "named"), [
    (["worker.pem", "worker-key.pem"], ["worker.pem"]), (["worker-key.pem"], ["worker-key.pem"]),
    (["worker.pem", "apiserver-key.pem"], ["apiserver-key.pem", "worker.pem"])])
def test_a_pair_that_is_gone_is_one_cause(one_host: OneHost, gone: list[str], named: list[str],
                                          ) -> None:
    """Certificate and key of one pair are one finding, which names both; those of two are two."""
    folder = one_host.file("worker").parent
    for name in gone:
        (folder / name).unlink()
    findings = kpki.examine_host(one_host.tree).findings
    assert [(found.cause, Path(found.path).name) for found in findings] == [
        ("file-missing", name) for name in named]
    assert len(kpki.check_path(one_host.tree).findings) == len(gone)
    said = "".join(found.path + found.message for found in findings)
    assert all(name in said for name in gone)
    assert all(len({*found.remedy}) == len(found.remedy) > 0 for found in findings)


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
def test_a_pair_of_a_workspace_that_is_gone_is_one_cause(tmp_path: Path, layout: str) -> None:
    """Without units, the workspace's description tells which files are a pair, in each layout."""
    assert main(["init", str(tmp_path), "--quiet"]) == 0
    description = tmp_path / "cluster.yaml"
    description.write_text(re.sub("layout: .*", f"layout: {layout}", description.read_text()))
    assert main(["apply", str(tmp_path), "--quiet"]) == 0
    tree = tmp_path / "nodes/cp-1"
    pair = [path for path in tree.rglob("apiserver-etcd-client*") if path.is_file()]
    for path in pair:
        path.unlink()
    found, = kpki.examine_host(tree).findings
    assert len(pair) == 2 and all(path.name in found.path + found.message for path in pair)


@pytest.fixture
def served(one_host: OneHost) -> Iterator[OneHost]:
    """The host with its servers."""
    with ExitStack() as servers:
        for name in SERVERS:
            servers.enter_context(one_host.serve(name))
        yield one_host


def examine(host: OneHost, folder: Path, since: datetime = LATER, **more: str) -> kpki.HostReport:
    """The report on the host with its processes, started *since*."""
    runs = [Runs(process.words, since) for process in processes_of(host.tree)]
    proc = write_proc(folder / f"proc-{len([*folder.iterdir()])}", *runs)
    return kpki.examine_host(host.tree, proc=str(proc), **more)   # type: ignore[arg-type]


def crosses(report: kpki.HostReport) -> list[str]:
    return [check.name for check in report.checks if check.ok is False]


def test_a_live_host_is_well(served: OneHost, tmp_path: Path) -> None:
    """Each server answers, presents its file and accepts its clients."""
    report = examine(served, tmp_path)
    assert report.ok and crosses(report) == [], report.checks
    names = [check.name for check in report.checks]
    assert names.count("server") == 5 and names.count("api-server") == 5
    assert {"kubelet", "etcd", "kube-apiserver"} <= {*names}


def test_a_renewed_pair_asks_for_a_restart_until_the_restart(one_host: OneHost, tmp_path: Path,
                                                             ) -> None:
    """The kubelet presents the pair of its start: stale-served once, with its restart."""
    from kpki.cli.main import main
    with ExitStack() as servers:
        for name in SERVERS:    # the API server and etcd read their pair again, as the real ones
            servers.enter_context(one_host.serve(name, *["-reload"] * (name != "kubelet")))
        assert main(["renew", "cp", "--workspace", str(one_host.workspace), "--quiet"]) == 0
        report = examine(one_host, tmp_path)
    assert [found.cause for found in report.findings] == ["stale-served"]
    assert report.findings[0].remedy == ("systemctl restart kubelet",)
    assert [restart.component for restart in report.restarts] == ["kubelet"]
    with ExitStack() as servers:
        for name in SERVERS:
            servers.enter_context(one_host.serve(name))
        assert examine(one_host, tmp_path).ok


@pytest.mark.parametrize(("path", "readers"), [
    ("etc/kubernetes/ssl/etcd-ca.pem", ["kube-apiserver", "etcd"]),
    ("etc/kubernetes/ssl/service-accounts.pem", ["kube-apiserver"]),
    ("etc/kubernetes/worker-kubeconfig.yaml", ["kubelet"]),
    ("etc/kubernetes/ssl/apiserver.pem", []), ("etc/kubernetes/ssl/worker.pem", []),
    ("etc/kubernetes/ssl/etcd-server.pem", []),
    ("etc/kubernetes/ssl/apiserver-etcd-client.pem", []),
    ("etc/kubernetes/ssl/ca.pem", ["kube-apiserver", "kubelet"])])
def test_a_newer_file_asks_for_the_restart_of_who_reads_it_once(
        served: OneHost, tmp_path: Path, path: str, readers: list[str]) -> None:
    """What a server presents anew, and what is watched, needs no restart."""
    os.utime(served.tree / path, (LATER.timestamp() + 60,) * 2)
    report = examine(served, tmp_path)
    assert sorted(restart.component for restart in report.restarts) == sorted(readers)
    assert all(path in restart.why for restart in report.restarts)
    assert report.findings == () and report.ok is (not readers)
    assert examine(served, tmp_path, LATER + timedelta(seconds=61)).ok


def test_a_process_with_other_settings_counts_before_its_unit(one_host: OneHost, tmp_path: Path,
                                                              ) -> None:
    """The file that the process reads is gone: that is the fault, though the unit names another."""
    runs = [*processes_of(one_host.tree)]
    old = [Runs([word.replace("/worker.pem", "/old.pem") for word in process.words], LATER)
           for process in runs]
    proc = write_proc(tmp_path / "proc", *old)
    report = kpki.examine_host(one_host.tree, proc=str(proc), timeout=0)
    assert [(restart.component, restart.commands) for restart in report.restarts] == [
        ("kubelet", ("systemctl restart kubelet",))]
    assert "other settings" in report.restarts[0].why


def test_a_wrong_clock_is_the_root_cause(one_host: OneHost, tmp_path: Path) -> None:
    """By a clock that is years fast all has ended: the clock is named alone."""
    with one_host.serve("kube-apiserver"):
        report = examine(one_host, tmp_path, now=NOW + timedelta(days=800))   # type: ignore[arg-type]
    assert [found.cause for found in report.findings] == ["clock-skew"]
    assert "minutes fast" in report.findings[0].message
    with one_host.serve("kube-apiserver", "-skew", "4m"):
        assert "clock" not in crosses(examine(one_host, tmp_path))
    with one_host.serve("kube-apiserver", "-skew", "20m"):
        assert "20 minutes slow" in examine(one_host, tmp_path).findings[0].message


def test_a_refusal_that_no_file_explains_is_named(one_host: OneHost, tmp_path: Path) -> None:
    """If the API server trusts another CA than the host's file has, its answer is the finding."""
    with one_host.serve("kube-apiserver", "-ca", str(one_host.file("etcd-ca"))):
        report = examine(one_host, tmp_path)
    assert [found.cause for found in report.findings] == ["remote-alert"]
    assert "401 Unauthorized" in report.findings[0].message and "api-server" in crosses(report)


def test_what_does_not_run_is_said_with_its_log(one_host: OneHost, tmp_path: Path) -> None:
    """Without a process the log tells why; with all well the same log is old news."""
    log = one_host.tree / "var/log/kubelet.log"
    log.parent.mkdir(parents=True)
    log.write_text('E1130 08:41:29.000000    1 run.go:72] "command failed" err="failed to run '
                   'Kubelet: unable to load bootstrap kubeconfig: stat '
                   '/etc/kubernetes/bootstrap-kubelet.conf: no such file or directory"\n')
    runs = [process for process in processes_of(one_host.tree) if process.words[0] != "kubelet"]
    proc = write_proc(tmp_path / "proc", *runs)
    report = kpki.examine_host(one_host.tree, proc=str(proc), timeout=0)
    assert crosses(report) == ["kubelet", "log"]
    assert [found.cause for found in report.findings] == [
        "bootstrap-kubeconfig-missing-or-token-expired"]
    proc = write_proc(tmp_path / "well", *processes_of(one_host.tree))
    well = kpki.examine_host(one_host.tree, proc=str(proc), timeout=0)
    assert well.ok and [check.ok for check in well.checks if check.name == "log"] == [None]


def test_a_mounted_root_has_no_processes(one_host: OneHost) -> None:
    """Without /proc the files and the logs alone are examined."""
    report = kpki.examine_host(one_host.tree)
    assert report.ok and [check.name for check in report.checks] == ["files"]


def test_the_package_is_the_command_too(one_host: OneHost) -> None:
    """`kpki.doctor(root)` is `examine_host`, although `kpki.doctor` is a package."""
    import kpki.doctor
    assert kpki.doctor(one_host.tree).checks == kpki.examine_host(  # type: ignore[operator]
        one_host.tree).checks


def test_many_processes_of_one_component_replace_no_unit(one_host: OneHost, tmp_path: Path) -> None:
    """Beside hosts in containers no process is taken for this host's."""
    runs = [Runs(["kubelet", "--kubeconfig=/elsewhere"], LATER)] * 2
    proc = write_proc(tmp_path / "proc", *processes_of(one_host.tree), *runs)
    report = kpki.examine_host(one_host.tree, proc=str(proc), timeout=0)
    assert report.ok and report.restarts == ()


@pytest.mark.parametrize(("network", "counts"), [("net:[4026531840]", True),
                                                 ("net:[4026532999]", False)])
def test_a_process_in_another_network_is_of_another_host(tmp_path: Path, network: str,
                                                         counts: bool) -> None:
    """The kubelet of a host in a container is no component of this host."""
    proc = write_proc(tmp_path / "proc", Runs(["kubelet", "--kubeconfig=/k"], LATER,
                                              network=network))
    assert bool(read_processes(str(proc))) == counts


def test_a_file_in_a_container_alone_is_none_of_the_host(tmp_path: Path) -> None:
    """A process in a container without the host's folders has no use, and no command for /."""
    inside = "30 29 0:55 / / rw - overlay overlay rw\n"
    runs = Runs(["kube-apiserver", "--client-ca-file=/etc/kubernetes/ca.pem"], LATER, mounts=inside)
    proc = write_proc(tmp_path / "proc", runs)
    (tmp_path / "root").mkdir()
    report = kpki.examine_host(tmp_path / "root", node="n", proc=str(proc), timeout=0)
    assert report.files.uses == () or all(use.path for use in report.files.uses)
    assert report.findings == ()


def test_what_this_user_may_not_read_of_processes_is_said(
        one_host: OneHost, tmp_path: Path, as_nobody: Callable[[], AbstractContextManager[None]],
        shared_path: Path) -> None:
    """Without environ the settings come from the unit; without a log the report says so."""
    proc = write_proc(shared_path / "proc", *processes_of(one_host.tree))
    one_host.tree.rename(shared_path / "cp").chmod(0o755)
    for path in proc.glob("[0-9]*/environ"):
        path.chmod(0o600)
    with as_nobody():
        report = kpki.examine_host(shared_path / "cp", node="cp", proc=str(proc), timeout=0)
    said = {check.name: (check.ok, check.message) for check in report.checks}
    assert said["kubelet"][0] and "whose settings this user may not read" in said["kubelet"][1]
    assert said["log"][0] is None and said["files"][0] is None
