"""A whole cluster whose CAs are elsewhere: requests, policy, and answers of every kind."""
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kpki import genpkey, pem, req_new, req_x509, x509_req
from kpki.cluster.authority import Authority
from kpki.cluster.check.check import check
from kpki.cluster.desired.rows import wanted_rows
from kpki.cluster.lifecycle.renew import Order, Renewal, renew_workspace
from kpki.cluster.offline.asking import Asked, exchange
from kpki.cluster.offline.bundle import load_list
from kpki.cluster.offline.signing import Signed, authorities_at_hand, sign_bundle
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.host_plan import Waiting
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked, read_cluster
from kpki.errors import FileError, InputError
from kpki.kubernetes.kubeconfig import load_users
from kpki.kubernetes.reading import key_pin
from kpki.stages.keys import public_key_der

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: ECDSA-P256
certificateValidityPeriod: 2400h
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
"""
ROWS = ("ca", "etcd-ca", "front-proxy-ca")
KEYS = ("ca.key", "front-proxy-ca.key", "ca-key.pem", "etcd-ca-key.pem", "front-proxy-ca-key.pem")


def run_apply(folder: Path, now: datetime = NOW) -> Asked:
    """`kpki apply`: the plan, then the exchange with the CAs elsewhere."""
    waiting, warnings = list[Waiting](), list[str]()
    with locked(str(folder), now):
        plan = plan_of(str(folder), now=now)
        for _ in apply(plan, str(folder), now=now, waiting=waiting, warnings=warnings):
            pass
        return exchange(plan, str(folder), waiting, now=now, warnings=warnings)


def offline(folder: Path, layout: str) -> Path:
    """A workspace that has the CAs' certificates alone, and the CAs' workspace beside it."""
    ca = folder / "ca"
    ca.mkdir()
    (ca / "cluster.yaml").write_text(TEXT.format(layout=layout))
    run_apply(ca)
    for part in ("nodes", "users"):
        shutil.rmtree(ca / part)
    cluster = folder / "cluster"
    shutil.copytree(ca, cluster, ignore=lambda _, names: {*names} & {*KEYS, "backup"})
    return cluster


@pytest.fixture(scope="module")
def kubeadm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kubeadm's layout, with the requests written."""
    cluster = offline(tmp_path_factory.mktemp("kubeadm"), "kubeadm")
    run_apply(cluster)
    return cluster


@pytest.fixture
def cluster(kubeadm: Path, tmp_path: Path) -> Path:
    shutil.copytree(kubeadm.parent, tmp_path / "w")
    return tmp_path / "w/cluster"


def sign(cluster: Path, *, described: bool = True, masters: bool = True, rows: Any = ROWS,
         only_show: bool = False) -> Signed:
    ca = cluster.parent / "ca"
    description = read_cluster(str(ca))
    authorities = authorities_at_hand(dict.fromkeys(rows, (None, None)), str(ca), description,
                                      passphrase=lambda _: None, now=NOW)
    return sign_bundle(str(cluster / "requests"), authorities, now=NOW, masters=masters,
                       cluster=description if described else None, show=lambda _: None,
                       only_show=only_show, warnings=[])


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.rglob("*") if path.is_file() and path.name != ".kpki.lock"}


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
def test_a_whole_cluster_by_two_trips(tmp_path: Path, layout: str) -> None:
    """Each leaf is requested once, with the names of its row; the answers make a cluster with which
    nothing is wrong, and no request or key is left. A second run changes nothing."""
    cluster = offline(tmp_path, layout)
    asked = run_apply(cluster)
    wanted = {(row.host, row.name) for row in wanted_rows(read_cluster(str(cluster)))
              if row.profile.kind == "leaf"}
    listed = load_list((cluster / "requests/requests.json").read_bytes(), "list")
    assert {(request.host, request.row) for request in listed} == wanted
    assert asked.requests == len(listed) == len(wanted) and not asked.steps
    before = files_of(cluster)
    assert run_apply(cluster) == asked and files_of(cluster) == before
    signed = sign(cluster)
    assert (len(signed.written), signed.refused, signed.waiting) == (len(wanted), (), ())
    assert signed.digest == asked.digest
    done = run_apply(cluster)
    assert (done.requests, done.waiting, done.refused) == (0, (), ())
    assert check(str(cluster), now=NOW).findings == []
    assert not [path for part in ("requests", "pending") for path in (cluster / part).rglob("*")
                if path.is_file()]
    before = files_of(cluster)
    assert run_apply(cluster) == Asked() and files_of(cluster) == before
    ends = {pem.load_certificates(path.read_bytes())[0].not_valid_after_utc
            for path in (cluster / "nodes").rglob("apiserver.*") if path.suffix in (".crt", ".pem")
            and b"CERTIFICATE" in path.read_bytes()}
    assert ends <= {NOW + timedelta(days=100)}


def run_renew(folder: Path, *names: str, now: datetime = NOW, everything: bool = False) -> Renewal:
    return renew_workspace(str(folder), Order(names, everything), passphrase=lambda _: None,
                           now=now, host_name="", warnings=[], processes=1)


def leaf(folder: Path, host: str, path: str) -> Any:
    """A certificate of a host, in a file or in a kubeconfig."""
    data = (folder / "nodes" / host / path).read_bytes()
    if path.endswith(".conf"):
        (certificate, _), = load_users(data).values()
        data = certificate.data or b""
    return pem.load_certificates(data)[0]


@pytest.mark.parametrize("takes", [run_apply, run_renew])
@pytest.mark.parametrize(("layout", "path"), [("kubeadm", "etc/kubernetes/kubelet.conf"),
                                              ("ssl", "etc/kubernetes/ssl/worker.pem")])
def test_new_dates_by_a_ca_elsewhere(tmp_path: Path, layout: str, path: str,
                                     takes: Callable[..., Any]) -> None:
    """`renew` requests new dates for what was named alone; `apply` keeps the requests as they are
    and waits for nothing; `renew` and `apply` take the answers, and the key stays."""
    cluster = offline(tmp_path, layout)
    run_apply(cluster)
    sign(cluster)
    run_apply(cluster)
    before, others = leaf(cluster, "worker-1", path), files_of(cluster / "nodes/cp-1")
    asked = run_renew(cluster, "worker-1")
    listed = load_list((cluster / "requests/requests.json").read_bytes(), "list")
    assert {request.host for request in listed} == {"worker-1"} and not asked.steps
    assert asked.asked and asked.asked.requests == len(listed) == len(asked.waiting)
    there = files_of(cluster)
    again = run_apply(cluster)
    assert (again.requests, again.waiting, again.refused) == (len(listed), (), ())
    assert files_of(cluster) == there and run_renew(cluster, "worker-1") == asked
    assert files_of(cluster) == there
    assert len(sign(cluster).written) == len(listed)
    later = NOW + timedelta(days=1)
    done = takes(cluster, now=later)
    assert {step.host for step in done.steps} == {"worker-1"}
    after = leaf(cluster, "worker-1", path)
    assert after.serial_number != before.serial_number
    assert after.public_key() == before.public_key()
    assert files_of(cluster / "nodes/cp-1") == others
    assert not [*(cluster / "requests").rglob("*.*")]
    assert check(str(cluster), now=later).findings == []
    if takes is run_renew:
        (commands, hosts), = done.restarts
        assert hosts == ("worker-1",) and "systemctl restart kubelet" in commands
    assert run_renew(cluster, now=later) == Renewal()


def test_what_ends_is_requested_and_a_stranger_is_refused(cluster: Path) -> None:
    """Near their end all leaves are requested, and the users' kubeconfigs; an answer that the row
    does not want is named, and the old certificate stays. With the key at hand nothing is asked."""
    sign(cluster)
    run_apply(cluster)
    later = NOW + timedelta(days=90)
    asked = run_renew(cluster, now=later)
    rows = {(row.host, row.name) for row in wanted_rows(read_cluster(str(cluster)))
            if row.profile.kind == "leaf"}
    listed = load_list((cluster / "requests/requests.json").read_bytes(), "list")
    assert {(request.host, request.row) for request in listed} == rows
    assert len(asked.waiting) == len(rows)
    before = leaf(cluster, "worker-1", "etc/kubernetes/kubelet.conf")
    (cluster / "requests/worker-1/x.pem").write_bytes(pem.dump_certificate(before))
    done = run_renew(cluster, now=later + timedelta(days=30))
    assert done.asked and "requests/worker-1/x.pem: " in done.asked.refused[0]
    assert leaf(cluster, "worker-1", "etc/kubernetes/kubelet.conf") == before
    for name in KEYS:
        for path in (cluster.parent / "ca/pki").rglob(name):
            shutil.copy(path, cluster / "pki" / path.relative_to(cluster.parent / "ca/pki"))
    (cluster / "requests/worker-1/x.pem").unlink()
    done = run_renew(cluster, everything=True, now=later)
    assert (done.waiting, len(done.steps) >= len(rows) - 1) == ((), True)


def test_nothing_in_the_bundle_is_secret(cluster: Path) -> None:
    """The bundle has requests and the list; the keys are 0600, in folders of their own."""
    assert {path.suffix for path in (cluster / "requests").rglob("*") if path.is_file()} == {
        ".csr", ".json"}
    assert not [path for path in (cluster / "requests").rglob("*")
                if path.is_file() and b"PRIVATE" in path.read_bytes()]
    for path in (cluster / "pending").rglob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o077 == 0


def test_answers_in_any_order_under_any_name(cluster: Path) -> None:
    """Answers in any order and with any name are found by their keys; requests without an answer
    wait unchanged."""
    sign(cluster)
    answers = sorted((cluster / "requests").rglob("*.pem"))
    kept = {path: path.read_bytes() for path in (cluster / "requests").rglob("*.csr")}
    data = [path.read_bytes() for path in answers]
    for path in answers:
        path.unlink()
    for number, answer in enumerate(data[3:]):
        (cluster / "requests" / f"{len(data) - number}.crt").write_bytes(b"# an answer\n" + answer)
    done = run_apply(cluster)
    assert (done.requests, len(done.waiting), done.refused) == (3, 3, ())
    left = {path: path.read_bytes() for path in (cluster / "requests").rglob("*.csr")}
    assert len(left) == 3 and left.items() <= kept.items()
    (cluster / "requests/rest.pem").write_bytes(data[0])
    assert run_apply(cluster).requests == 2


def spoiled(cluster: Path, row: str, host: str | None = "cp-1") -> tuple[Any, Any, Authority]:
    """A request's key, its line in the list, and the CA that signs it."""
    line = next(request for request in
                load_list((cluster / "requests/requests.json").read_bytes(), "list")
                if (request.host, request.row) == (host, row))
    key = pem.load_key((cluster / f"pending/{host}/{row}.key").read_bytes())
    ca = cluster.parent / "ca/pki"
    return key, line, Authority(pem.load_certificate((ca / "ca.crt").read_bytes()),
                                pem.load_key((ca / "ca.key").read_bytes()))


GOOD = ("subjectAltName=DNS:cp-1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
        "DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:10.0.0.10\n")
USAGES = "extendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n"


@pytest.mark.parametrize(("subject", "text", "days", "says"), [
    ("/CN=kube-apiserver/O=system:masters", GOOD + USAGES, 9, "is not for cp-1/apiserver"),
    ("/CN=other", GOOD + USAGES, 9, "is not for cp-1/apiserver"),
    ("/CN=kube-apiserver", GOOD + USAGES + "basicConstraints=CA:TRUE\n", 9, "a CA's certificate"),
    ("/CN=kube-apiserver", GOOD.strip() + ",DNS:evil\n" + USAGES, 9, "has the name evil"),
    ("/CN=kube-apiserver", USAGES, 9, "no"),
    ("/CN=kube-apiserver", GOOD + "extendedKeyUsage=clientAuth\n", 9, "serverAuth"),
    ("/CN=kube-apiserver", GOOD + USAGES, -9, "expired"),
    ("/CN=kube-apiserver", GOOD + USAGES, 9, ""),
])
def test_an_answer_that_the_row_does_not_want(cluster: Path, subject: str, text: str, days: int,
                                              says: str) -> None:
    """Another subject, another CA's shape, further or missing names, usages, or dates: the file is
    named with the fact, and no file of the row is written. Without a fault the answer is taken."""
    key, _, ca = spoiled(cluster, "apiserver")
    start = NOW - timedelta(days=20 if days < 0 else 1)
    (cluster / "requests/x.pem").write_bytes(pem.dump_certificate(x509_req(
        req_new(key, subject=subject), ca.certificate, ca.key, days=abs(days), now=start,
        extfile=text)))
    done = run_apply(cluster)
    placed = (cluster / "nodes/cp-1/etc/kubernetes/pki/apiserver.crt").exists()
    if says:
        sentence, = done.refused
        assert sentence.startswith("requests/x.pem: ") and says in sentence, sentence
        assert not placed and not done.steps and (cluster / "requests/x.pem").exists()
    else:
        assert done.refused == () and placed and not (cluster / "requests/x.pem").exists()


def test_foreign_and_tampered_answers(cluster: Path) -> None:
    """A certificate by another CA of the name, one whose key is nowhere, and files that are none
    are named; the right answer beside them is taken."""
    key, _, ca = spoiled(cluster, "apiserver")
    stranger = genpkey("EC", curve="P-256")
    other = req_x509(stranger, subject="/CN=kubernetes", days=99, now=NOW)
    requests = cluster / "requests"
    for name, owner, signer in (("forged", key, Authority(other, stranger)),
                                ("nobody", stranger, ca)):
        (requests / f"{name}.pem").write_bytes(pem.dump_certificate(x509_req(
            req_new(owner, subject="/CN=kube-apiserver"), signer.certificate, signer.key, days=9,
            now=NOW, extfile=GOOD + USAGES)))
    (requests / "cut.pem").write_bytes((requests / "nobody.pem").read_bytes()[:300])
    (requests / "note.txt").write_text("hello\n")
    sign(cluster)
    done = run_apply(cluster)
    assert done.requests == 0 and (cluster / "nodes/cp-1/etc/kubernetes/pki/apiserver.crt").exists()
    assert sorted(sentence.partition(":")[0] for sentence in done.refused) == [
        "requests/cut.pem", "requests/forged.pem", "requests/nobody.pem", "requests/note.txt"]
    assert "no request has the key of CN=kube-apiserver" in " ".join(done.refused)


def change(cluster: Path, host: str | None, row: str, fields: dict[str, object],
           key: Any = None) -> None:
    """Change a line of the list; with a key the request, too, is made anew to fit."""
    path = cluster / "requests/requests.json"
    document = json.loads(path.read_text())
    line = next(line for line in document["requests"] if (line["host"], line["row"]) == (host, row))
    line |= fields
    if key is not None:
        names = [*(f"DNS:{name}" for name in line["dns"]),
                 *(f"IP:{address}" for address in line["addresses"])]
        subject = "".join(f"/O={group}" for group in line["groups"]) + f"/CN={line['user']}"
        (cluster / "requests" / line["file"]).write_bytes(pem.dump_csr(req_new(
            key, config="", subject=subject,
            addext=[f"subjectAltName={','.join(names)}"] if names else [])))
        line["public_key"] = key_pin(public_key_der(key))
    path.write_text(json.dumps(document))


EC = genpkey("EC", curve="P-256")


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize(("host", "row", "fields", "says"), [
    ("worker-1", "kubelet-client", {"groups": ["system:masters"]}, "another subject"),
    ("worker-1", "kubelet-client", {"user": "system:node:cp-1"}, "another subject"),
    ("worker-1", "kubelet-client", {"dns": ["worker-1"]}, "names"),
    ("cp-1", "etcd-server", {"dns": ["cp-1", "worker-1"]}, "name"),
    ("cp-1", "apiserver", {"usages": ["serverAuth", "clientAuth"]}, "another certificate than row"),
    ("cp-1", "apiserver", {"signer": "etcd-ca"}, "another certificate than row"),
    ("cp-1", "apiserver", {"row": "ca"}, "another certificate than row"),
    ("cp-1", "apiserver", {"row": "nonsense"}, "unknown row"),
])
def test_what_the_ca_does_not_sign(cluster: Path, described: bool, host: str, row: str,
                                   fields: dict[str, object], says: str) -> None:
    """A list that asks for more than a row has is refused there, with and without a description;
    the other requests are signed."""
    change(cluster, host, row, fields, None if "row" in fields else EC)
    signed = sign(cluster, described=described)
    sentence, = signed.refused
    assert says in sentence and sentence.startswith(f"{host}/{fields.get('row', row)}: ")
    assert len(signed.written) == len(signed.requests) > 10
    assert not (cluster / f"requests/{host}/{row}.pem").exists()


@pytest.mark.parametrize(("subject", "addext", "says"), [
    ("/CN=system:node:worker-1/O=system:nodes/O=system:masters", [], "O='system:masters'"),
    ("/CN=system:node:cp-1/O=system:nodes", [], "CN='system:node:cp-1'"),
    ("/CN=system:node:worker-1/O=system:nodes", ["basicConstraints=CA:TRUE"], "CA:TRUE"),
    ("/CN=system:node:worker-1/O=system:nodes", ["subjectAltName=DNS:cp-1"], "'cp-1'"),
    ("/CN=system:node:worker-1/O=system:nodes", [], "another key than the list"),
])
def test_a_request_that_was_changed(cluster: Path, subject: str, addext: list[str],
                                    says: str) -> None:
    """A request that asks for more than its line, or with another key, is refused."""
    path = cluster / "requests/worker-1/kubelet-client.csr"
    path.write_bytes(pem.dump_csr(req_new(EC, config="", subject=subject, addext=addext)))
    sentence, = sign(cluster).refused
    assert sentence.startswith("worker-1/kubelet-client: ") and says in sentence


def test_masters_and_missing_keys(cluster: Path) -> None:
    """system:masters is signed if that is said; what another CA signs waits."""
    signed = sign(cluster, masters=False, rows=("ca",))
    sentence, = signed.refused
    assert sentence.startswith("cp-1/super-admin: the group system:masters")
    assert {request.signer for request in signed.waiting} == {"etcd-ca", "front-proxy-ca"}
    assert sign(cluster, rows=("etcd-ca", "front-proxy-ca")).refused == ()
    assert sign(cluster, only_show=True).written == ()
    assert run_apply(cluster).requests == 1


@pytest.mark.parametrize("data", ["", "[]", "{}", '{"version": 2}', '{"version": 1}',
                                  '{"version": 1, "requests": [3]}',
                                  '{"version": 1, "requests": [{"file": "../x.csr"}]}'])
def test_no_list(tmp_path: Path, data: str) -> None:
    """A folder without a list, or with another document, is refused."""
    with pytest.raises(FileError, match="there is no such file"):
        sign_bundle(str(tmp_path), {}, cluster=None, masters=False, now=NOW, show=lambda _: None,
                    warnings=[])
    (tmp_path / "requests.json").write_text(data)
    with pytest.raises(InputError, match=r"requests\.json: "):
        sign_bundle(str(tmp_path), {}, cluster=None, masters=False, now=NOW, show=lambda _: None,
                    warnings=[])


def test_a_path_that_leaves_the_bundle(cluster: Path) -> None:
    """No line of the list names a file elsewhere."""
    for file in ("../x.csr", "/etc/x.csr", "a/b/c.csr", "x.key", "a/../x.csr"):
        change(cluster, "cp-1", "apiserver", {"file": file})
        with pytest.raises(InputError, match="no request of this bundle"):
            sign(cluster)


def test_a_failing_disk_takes_all_answers_or_none(
        cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        killed_at: Callable[[int, Callable[[], object]], bool]) -> None:
    """Ended at any call, the workspace has old or new files, and the next run ends as if nothing
    had been."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    sign(cluster)
    number, cut = 1, True
    while cut:
        folder = tmp_path / str(number)
        shutil.copytree(cluster, folder)
        cut = killed_at(number, lambda: run_apply(folder))
        done = run_apply(folder)
        assert (done.requests, done.waiting) == (0, ())
        assert [finding for finding in check(str(folder), now=NOW).findings] == []
        shutil.rmtree(folder)
        number += number // 2 + 1
