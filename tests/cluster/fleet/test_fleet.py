"""Many hosts looked at once: by several processes as by one, in a short way as in full, the same is
found."""
from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509 import Certificate

from kpki import pem
from kpki.cluster.authority import Authority, make_authority, make_key
from kpki.cluster.check.described import check_workspace
from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.desired.rows import Wanted, wanted_rows
from kpki.cluster.finding import Finding
from kpki.cluster.fleet import survey as fleet
from kpki.cluster.observed.inventory import ObservedFile
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.plan.plan import Plan, make_plan
from kpki.cluster.rules import leaf
from kpki.kubernetes import verdict
from kpki.kubernetes.profiles import CA
from kpki.kubernetes.values import ca_values, leaf_values
from kpki.stages import der, records, signing
from kpki.stages.keys import public_key_der
from kpki.stages.signing import Values

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
WORKERS = [f"w-{number:02}" for number in range(14)]
TEXT = """\
apiVersion: kpki/v1
kind: Cluster
layout: {layout}
kubeletServing: true
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
"""
Place = tuple[str, str, str]
PLACES: dict[str, Place] = {    # a kubelet's certificate, its key, its kubeconfig
    "ssl": ("etc/kubernetes/ssl/worker.pem", "etc/kubernetes/ssl/worker-key.pem",
            "etc/kubernetes/worker-kubeconfig.yaml"),
    "kubeadm": ("var/lib/kubelet/pki/kubelet.crt", "var/lib/kubelet/pki/kubelet.key",
                "etc/kubernetes/kubelet.conf")}


class Fleet:
    """A control plane and workers in memory, healthy until a test changes them."""

    def __init__(self, layout: str = "ssl", ca: Authority | None = None) -> None:
        self.cluster: Cluster = load_cluster(describe(layout))
        self.certificate, self.key, self.kubeconfig = PLACES[layout]
        self.found: dict[str, ObservedFile] = {}
        if ca is not None:
            self.put("pki/ca.crt", ca.bundle, 0o644)
            self.put("pki/ca.key", pem.dump_key(ca.key, form="traditional"))
        self.made = make_plan(self.cluster, observe=self.observe, now=NOW).with_roots()
        for file in self.made.files():
            self.put(file.path, file.data, file.mode)

    def observe(self, path: str) -> ObservedFile:
        return self.found.get(path, ObservedFile(path, missing=True))

    def put(self, path: str, data: bytes, mode: int = 0o600) -> None:
        self.found[path] = ObservedFile(path, data, mode)

    def data(self, host: str, path: str) -> bytes:
        return self.found[f"nodes/{host}/{path}"].data or b""

    def copy(self, source: str, target: str, path: str) -> None:
        self.put(f"nodes/{target}/{path}", self.data(source, path))

    def issue(self, host: str, *, now: datetime = NOW, serial_number: int | None = None,
              ca: Authority | None = None, addresses: Sequence[str] | None = None) -> None:
        """Another certificate for the kubelet's key that is there."""
        row = next(item for item in Wanted(self.cluster).of_host(self.cluster.host(host))
                   if item.place.certificate == self.certificate)
        identity = row.identity if addresses is None else row.identity._replace(
            addresses=tuple(addresses))
        signer, key = (ca or self.made.roots["ca"].ready(),
                       public_key_der(pem.load_key(self.data(host, self.key))))
        made = signing.sign_certificate(
            leaf_values(row.profile, identity, rsa=False), key, signer.certificate, signer.key,
            not_before=now - timedelta(minutes=5), not_after=now + YEAR,
            serial_number=serial_number)
        self.put(f"nodes/{host}/{self.certificate}", pem.dump_certificate(made), 0o644)

    def plan(self, now: datetime = NOW) -> Plan:
        return make_plan(self.cluster, observe=self.observe, now=now)

    def findings(self, now: datetime = NOW, processes: int = 1) -> list[Finding]:
        return [finding for item in self.plan(now).check(processes) for finding in item.findings]


def describe(layout: str) -> str:
    return TEXT.format(layout=layout) + "".join(
        f"- {{name: {name}, addresses: [10.0.1.{number}]}}\n"
        for number, name in enumerate(WORKERS))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two hosts, however few there are."""
    monkeypatch.setattr(fleet, "FLEET", 2)
    monkeypatch.setattr(fleet, "BATCH", 2)


@pytest.fixture
def in_full(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """No short way from here on: every certificate is read and judged in full."""
    return lambda: monkeypatch.setattr(leaf, "_as_issued", lambda *words: None)


def spoil(workers: Fleet) -> Counter[str]:
    """Faults of many kinds on hosts of several batches; the causes that they should give."""
    other = make_authority(CA, make_key("ECDSA-P256"), validity=10 * YEAR, now=NOW)
    workers.copy("w-01", "w-12", workers.key)
    workers.issue("w-12")  # one key, two certificates, batches apart
    workers.issue("w-00", serial_number=7)
    workers.issue("w-13", serial_number=7)
    workers.issue("w-02", now=NOW - 2 * YEAR)                           # expired
    workers.issue("w-03", now=NOW - YEAR + DAY)                         # expires soon
    workers.issue("w-04", ca=other)
    workers.issue("w-05", addresses=["10.9.9.9"])
    for path in (workers.certificate, workers.key):
        workers.copy("w-07", "w-06", path)                              # another node's pair
    workers.put(f"nodes/w-08/{workers.key}", workers.data("w-08", workers.key), 0o644)
    workers.put(f"nodes/w-09/{workers.certificate}", b"", 0o644)
    workers.put(f"nodes/w-10/{workers.kubeconfig}",
                workers.data("w-10", workers.kubeconfig).replace(b"10.0.0.10", b"10.7.7.7"))
    del workers.found[f"nodes/w-11/{workers.key}"]
    ca = "etc/kubernetes/ssl/ca-key.pem" if "ssl" in workers.key else "etc/kubernetes/pki/ca.key"
    workers.put(f"nodes/w-11/{ca}", workers.found["pki/ca.key"].data or b"")
    del workers.found["pki/etcd/ca.key"]
    return Counter({"shared-key": 2, "serial-reused": 2, "expiring-soon": 1, "unknown-authority": 1,
                    "missing-san-ip": 1, "wrong-node-identity": 1, "key-exposed": 1, "bad-pem": 1,
                    "kubeconfig-broken": 1, "file-missing": 2, "ca-key-on-worker": 1,
                    "expired-client-cert" if "ssl" in workers.key else "expired-server-cert": 1})


@pytest.mark.parametrize("layout", ["ssl", "kubeadm"])
def test_two_processes_find_what_one_finds(layout: str, in_full: Callable[[], None]) -> None:
    """The same findings in the same order, shared keys and serial numbers across batches too; and
    so does the long way, without what saves time."""
    workers = Fleet(layout)
    assert workers.findings() == workers.findings(processes=2) == []
    causes = spoil(workers)
    alone = workers.findings()
    assert Counter(finding.cause for finding in alone) == causes
    assert [*dict.fromkeys(finding.host for finding in alone)] == [
        None, *(host for host in WORKERS if host != "w-07")]
    assert workers.findings(processes=2) == alone == [*workers.plan().findings()]
    in_full()
    assert workers.findings() == alone


@pytest.mark.parametrize("layout", ["ssl", "kubeadm"])
def test_two_processes_plan_what_one_plans(layout: str) -> None:
    """The same tasks in the same order; no host without a task is read again."""
    workers = Fleet(layout)
    assert not any(host.tasks or host.waiting for host in workers.plan().hosts(processes=2))
    surveyed = workers.plan().survey(2)
    assert surveyed == workers.plan().survey() == (frozenset(), frozenset())
    spoil(workers)
    surveyed = workers.plan().survey()
    assert surveyed == workers.plan().survey(2)
    assert {WORKERS.index("w-00") + 1, WORKERS.index("w-11") + 1} <= surveyed.busy
    assert WORKERS.index("w-07") + 1 not in surveyed.busy
    plans = [(host.host, host.steps, host.waiting) for host in workers.plan().hosts()]
    assert [(host.host, host.steps, host.waiting)
            for host in workers.plan().hosts(processes=2)] == plans
    assert [name for name, steps, waiting in plans if steps or waiting] == [
        None, *(name for name in WORKERS if name not in ("w-03", "w-07"))]


@pytest.mark.parametrize("ago", [YEAR - 31 * DAY, YEAR - 29 * DAY, YEAR - timedelta(minutes=6),
                                 YEAR + DAY])
def test_the_short_way_judges_the_dates(ago: timedelta, in_full: Callable[[], None]) -> None:
    """Certificates that end soon, or have ended, have the same findings in a fleet as alone."""
    workers = Fleet()
    found = workers.findings(NOW + ago)
    assert {finding.cause for finding in found} == (
        set() if ago < YEAR - 30 * DAY else {"expiring-soon"} if ago < YEAR
        else {"expired-client-cert", "expired-server-cert"})
    in_full()
    assert workers.findings(NOW + ago) == found


def foreign(*extensions: records.Extension,
            usage: str = "critical,digitalSignature,keyEncipherment,keyCertSign",
            validity: timedelta = 10 * YEAR) -> Authority:
    """A CA that kpki would not make: kubeadm's own, as it is, or with more, or less, in it."""
    from kpki.stages.extensions.context import ExtensionContext
    from kpki.stages.extensions.identifiers import KEY_USAGE
    from kpki.stages.extensions.table import extension
    key, values = make_key("ECDSA-P256"), ca_values(CA)
    kept = tuple(item if item.oid != KEY_USAGE else extension("keyUsage", usage, ExtensionContext())
                 for item in values.extensions if usage or item.oid != KEY_USAGE)
    made = signing.self_sign(Values(values.subject, kept + extensions), key, not_before=NOW,
                                  not_after=NOW + validity)
    return Authority(made, key, pem.dump_certificate(made))


def limited() -> records.Extension:
    """nameConstraints: the addresses 10.0.1.0 to 10.0.1.7, and no others."""
    subtree = der.sequence(der.tlv(0x87, bytes((10, 0, 1, 0, 255, 255, 255, 248))))
    return records.Extension("2.5.29.30", True, der.sequence(der.tlv(0xA0, subtree)))


@pytest.mark.parametrize(("ca", "causes"), [
    (foreign, set()), (lambda: foreign(usage=""), {"strict-refused"}),
    (lambda: foreign(limited()), {"malformed-x509"}),
    (lambda: foreign(records.Extension("1.2.3.4", True, b"\5\0")),
     {"unknown-authority", "malformed-x509"}),
    (lambda: foreign(validity=200 * DAY), {"outlives-ca"}),
], ids=["kubeadm's", "no keyUsage", "nameConstraints", "unknown critical", "ends early"])
def test_a_foreign_ca_is_no_short_way_round_a_fault(ca: Callable[[], Authority], causes: set[str],
                                                    in_full: Callable[[], None]) -> None:
    """Faults that a foreign CA brings into the chains below it are found for each leaf, as without
    the shortcut."""
    workers = Fleet(ca=ca())
    if causes == {"outlives-ca"}:
        for host in WORKERS[:3]:
            workers.issue(host)
    found = workers.findings()
    assert {finding.cause for finding in found} <= causes and bool(found) == bool(causes)
    assert workers.findings(processes=2) == found
    in_full()
    assert workers.findings() == found


@pytest.mark.parametrize("ca", [None, foreign], ids=["kpki's", "foreign"])
def test_each_ca_is_judged_once(ca: Callable[[], Authority] | None,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    """Go's verdict is asked of no leaf of a CA that kpki made, and of one leaf of each row and use
    of another's."""
    workers, real = Fleet(ca=ca and ca()), verdict.verify_kubernetes
    profiles = {row.profile for row in wanted_rows(workers.cluster) if row.profile.signer == "ca"
                and ca}
    asked: list[str] = []

    def counted(certificate: Certificate, roots: Iterable[Certificate],
                *, untrusted: Iterable[Certificate], purpose: str,
                now: datetime) -> verdict.KubernetesVerdict:
        asked.append(purpose)
        return real(certificate, roots, untrusted=untrusted, purpose=purpose, now=now)

    monkeypatch.setattr(verdict, "verify_kubernetes", counted)
    assert workers.findings() == []
    assert len(asked) == sum(len(profile.usages) for profile in profiles)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace on disk with two of its workers' keys exposed."""
    place = tmp_path_factory.mktemp("fleet") / "space"
    place.mkdir()
    (place / "cluster.yaml").write_text(describe("ssl"))
    for _ in apply(plan_of(str(place), now=NOW), str(place), now=NOW):
        pass
    for host in ("w-03", "w-10"):
        (place / "nodes" / host / PLACES["ssl"][1]).chmod(0o644)
    return place


def test_a_workspace_is_counted_once_by_any_number_of_processes(folder: Path) -> None:
    """Findings, their commands, and how many certificates were read: the same by one process, two
    and three."""
    found = check_workspace(str(folder), now=NOW, processes=1)
    assert [(item.cause, item.host) for item in found[0]] == [("key-exposed", "w-03"),
                                                              ("key-exposed", "w-10")]
    held = [path for path in folder.rglob("*") if path.is_file() and "nodes" in path.parts]
    text = b"".join(path.read_bytes() for path in held)
    control_planes = (text.count(b"client-certificate-data:")
                      + text.count(b"certificate-authority-data:"))
    own = 3 + 2     # pki/'s CAs, and what users/admin.conf embeds
    assert found[1] == text.count(b"-----BEGIN CERTIFICATE-----") + control_planes + own
    for processes in (2, 3):
        assert check_workspace(str(folder), now=NOW, processes=processes) == found


def test_one_host_is_told_its_own(folder: Path) -> None:
    """Asked for one host, only its findings come, without its name, and only its certificates
    count."""
    for processes in (1, 2):
        found, certificates, _ = check_workspace(str(folder), now=NOW, only="w-10",
                                                 processes=processes)
        assert ([(item.cause, item.host) for item in found] == [("key-exposed", None)]
                and certificates == 3)
    assert check_workspace(str(folder), now=NOW, only="w-00")[0] == []


def test_more_processes_only_for_a_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under FLEET hosts there is one process, from there on as many as are allowed, or one a
    processor."""
    monkeypatch.setattr(fleet, "FLEET", 100)
    assert [fleet.processes_for(hosts, 3) for hosts in (0, 99, 100)] == [1, 1, 3]
    assert fleet.processes_for(100) == (os.cpu_count() or 1)


@pytest.mark.parametrize(("hosts", "processes", "most", "sizes"), [
    (5, 1, 2, [2, 2, 1]), (5, 2, 2, [2, 2, 1]), (4, 2, 10, [2, 2]), (0, 2, 2, []),
    (9, 2, 3, [3, 3, 3]), (1001, 2, 512, [501, 500])])
def test_batches_are_of_one_size(hosts: int, processes: int, most: int, sizes: list[int]) -> None:
    """As few as can be, none longer than allowed, as many for each process; every host in one, in
    order."""
    found = fleet.batches(range(hosts), processes, most)
    assert ([len(item) for item in found] == sizes
            and [host for item in found for host in item] == [*range(hosts)])


def test_a_survey_tells_what_several_have() -> None:
    """A mark is shared where two owners have it, or one and *others*; two of one owner are none."""
    marks = [((b"a", b"1"), (b"b", b"1")), ((b"c", b"2"), (b"c", b"2")), ((b"b", b"3"),),
             ((b"ca", b"4"),), ()]
    seen, shared, touched = fleet.survey(lambda host: (host * 10, marks[host]), range(5),
                                         ((b"ca", b""),), 2)
    assert (seen, set(shared), touched) == ([0, 10, 20, 30, 40], {b"b", b"ca"}, [0, 2, 3])
