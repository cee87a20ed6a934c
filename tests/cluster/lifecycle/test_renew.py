"""renew_workspace: hosts and users by name or by date, in batches, with the restarts that
follow."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kpki import pem
from kpki.cluster.check.check import check
from kpki.cluster.lifecycle.expiry import read_certificates
from kpki.cluster.lifecycle.renew import Order, Renewal, renew_workspace
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import InputError

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: ECDSA-P256
certificateValidityPeriod: 2400h
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
- {{name: worker-2, addresses: [10.0.0.22]}}
"""


def made(folder: Path, layout: str = "kubeadm") -> Path:
    """A workspace as apply makes it; leaves last 100 days."""
    (folder / "cluster.yaml").write_text(TEXT.format(layout=layout))
    with locked(str(folder), NOW):
        for _ in apply(plan_of(str(folder), now=NOW), str(folder), now=NOW):
            pass
    return folder


def renew(folder: Path, *names: str, now: datetime = NOW, processes: int = 1,
          **order: bool) -> Renewal:
    return renew_workspace(str(folder), Order(names, **order),  # type: ignore[arg-type]
                           passphrase=lambda _: None, now=now, host_name="", warnings=[],
                           processes=processes)


def left(folder: Path, now: datetime) -> dict[str, int]:
    """How many days are left of each leaf."""
    return {f"{found.host or ''}:{found.path}": found.days_left(now)
            for found in read_certificates(folder).certificates
            if "CA" not in found.usages}


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
def test_an_ended_workspace_is_brought_back(tmp_path: Path, layout: str) -> None:
    """After the end of all leaves one run gives each 100 days again; check finds nothing wrong
    then, a second run nothing to do."""
    later = NOW + 200 * DAY
    made(tmp_path, layout)
    assert {days for days in left(tmp_path, later).values()} == {-100}
    keys = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.suffix == ".key"
            or path.name.endswith("-key.pem")}
    done = renew(tmp_path, now=later)
    assert done.renewed > 10 and done.waiting == () and {*left(tmp_path, later).values()} == {100}
    assert check(str(tmp_path), now=later).findings == []
    assert {path: path.read_bytes() for path in keys} == keys
    again = renew(tmp_path, now=later)
    assert (again.renewed, again.steps) == (0, ())


def test_what_people_added_stays(tmp_path: Path) -> None:
    """A name that is not the description's stays in the certificate."""
    from kpki import req_new, x509_req
    made(tmp_path)
    path = tmp_path / "nodes/cp-1/etc/kubernetes/pki/apiserver.crt"
    key = pem.load_key((path.with_suffix(".key")).read_bytes())
    ca, ca_key = (pem.load_certificate((tmp_path / "pki/ca.crt").read_bytes()),
                  pem.load_key((tmp_path / "pki/ca.key").read_bytes()))
    path.write_bytes(pem.dump_certificate(x509_req(
        req_new(key, subject="/CN=kube-apiserver"), ca, ca_key, days=3, now=NOW,
        extfile="subjectAltName = DNS:mine.example.com, IP:10.0.0.10\n"
        "extendedKeyUsage = serverAuth\n")))
    assert renew(tmp_path).renewed == 1
    assert b"mine.example.com" in pem.load_certificate(path.read_bytes()).tbs_certificate_bytes


@pytest.mark.parametrize(("name", "paths"), [
    ("worker-1", ["nodes/worker-1/etc/kubernetes/kubelet.conf"]),
    ("cp-1/etcd-peer", ["nodes/cp-1/etc/kubernetes/pki/etcd/peer.crt"]),
    ("admin", ["users/admin.conf"])])
def test_a_name_renews_just_that(tmp_path: Path, name: str, paths: list[str]) -> None:
    """HOST, HOST/ROW and USER are renewed whatever their dates are; no other file is touched."""
    def snapshot() -> dict[str, tuple[bytes, int]]:
        return {str(path.relative_to(tmp_path)): (path.read_bytes(), path.stat().st_mtime_ns)
                for path in tmp_path.rglob("*") if path.is_file() and path.name != ".kpki.lock"}
    made(tmp_path)
    before = snapshot()
    done = renew(tmp_path, name, now=NOW + DAY)
    after = {path: what for path, what in snapshot().items() if not path.startswith("backup/")}
    assert ([path for path in after if after[path] != before[path]] == paths
            and after.keys() == before.keys())
    assert [(f"nodes/{step.host}/" if step.host else "") + step.path
            for step in done.steps] == paths


@pytest.mark.parametrize("name", ["worker-9", "worker-1/etcd-peer", "alice", ""])
def test_an_unknown_name_is_refused(tmp_path: Path, name: str) -> None:
    """The message has the known names; nothing is changed."""
    made(tmp_path)
    with pytest.raises(InputError, match="no certificate of ") as caught:
        renew(tmp_path, "worker-1", name)
    assert "cp-1, worker-1" in str(caught.value.hint) and not (tmp_path / "backup").exists()


def test_the_restarts_are_grouped_and_in_order(tmp_path: Path) -> None:
    """Hosts with the same commands stand together; etcd comes before the API server."""
    made(tmp_path, "hard-way")
    done = renew(tmp_path, everything=True)
    assert {hosts: commands for commands, hosts in done.restarts} == {
        ("cp-1",): ("systemctl restart etcd", "systemctl restart kube-apiserver",
                    "systemctl restart kube-controller-manager", "systemctl restart kube-scheduler",
                    "systemctl restart kubelet", "systemctl restart kube-proxy"),
        ("worker-1", "worker-2"): ("systemctl restart kubelet", "systemctl restart kube-proxy")}


def test_two_processes_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet is renewed by several processes, with the same outcome."""
    monkeypatch.setattr("kpki.cluster.fleet.survey.FLEET", 1)
    made(tmp_path)
    done = renew(tmp_path, everything=True, processes=2, new_key=True)
    assert [step.host for step in done.steps
            if step.path.endswith("kubelet.conf")] == ["cp-1", "worker-1", "worker-2"]
    assert check(str(tmp_path), now=NOW).findings == []


def test_without_the_cas_key_all_waits(tmp_path: Path) -> None:
    """An offline CA's leaves wait, each with what is needed; those of the other CAs are renewed."""
    made(tmp_path)
    (tmp_path / "pki/ca.key").unlink()
    for path in (tmp_path / "nodes").rglob("pki/ca.key"):
        path.unlink()
    done = renew(tmp_path, everything=True)
    assert {waiting.needs for waiting in done.waiting} == {"the key of CN=kubernetes"}
    assert {step.row for step in done.steps} == {"etcd-server", "etcd-peer",
                                                 "etcd-healthcheck-client", "apiserver-etcd-client",
                                                 "front-proxy-client"}
