"""A control plane whose certificates have all ended is brought back by `kpki renew`, offline, and
by restarts."""
from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kpki import load_authority
from kpki.cluster.authority import Authority
from kpki.cluster.lifecycle.renewal import renew_pairs
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.rules.facts import pairs_of
from kpki.stages.certificates import x509_resign
from tests.e2e.cluster import CONTROL_PLANE, Cluster, Wanted, wanted
from tests.e2e.commands import run, says, wait_for

pytestmark = wanted(Wanted("kubeadm"), Wanted("hard-way", "RSA-2048"))

ENDED = datetime.now(UTC) - timedelta(days=1)
CAS = ("ca", "etcd/ca", "front-proxy-ca")


def end_all(cluster: Cluster) -> int:
    """Give each leaf of the host another certificate by its own CA, which has ended a day ago; how
    many there are."""
    pki = cluster.workspace / "pki"
    authorities = [authority(pki / f"{name}.crt", pki / f"{name}.key") for name in CAS]
    root = cluster.cp.path("/")
    inventory = inspect(root, layout=cluster.wanted.layout, node="cp")
    ended = renew_pairs(inventory, pairs_of(inventory), authorities, now=ENDED - timedelta(days=9),
                        validity=timedelta(days=9), new_key=False, warnings=[])
    for file in ended.files:
        (root / file.path).write_bytes(file.data)
    return len(ended.renewed)


def authority(certificate: Path, key: Path) -> Authority:
    """A CA as it would be if it had been made before what it signs: with dates of the past, else
    the same."""
    now = load_authority(certificate.read_bytes(), key.read_bytes())
    return replace(now, certificate=x509_resign(now.certificate, None, now.key, days=3650,
                                                now=ENDED - timedelta(days=30)))


def found_causes(cluster: Cluster) -> list[str]:
    """The causes that check finds on the host."""
    done = run(["kpki", "check", str(cluster.cp.path("/")), "--node", "cp", "--layout",
                cluster.wanted.layout, "--json"],
               check=False)
    return [finding["cause"] for finding in json.loads(done.stdout)["findings"]
            if finding["severity"] == "error"]


def test_what_has_ended_is_brought_back(cluster: Cluster) -> None:
    """Nothing works after the end; one command and the restarts, etcd first, and all works, with
    the same keys."""
    root = cluster.cp.path("/")
    keys = {path: path.read_bytes() for path in [*root.rglob("*.key"), *root.rglob("*-key.pem")]}
    leaves = end_all(cluster)
    assert leaves >= 9
    for component in CONTROL_PLANE:
        cluster.restart(component)
    wait_for("the API server cannot reach etcd", lambda: says(
        cluster.cp.log("kube-apiserver"),
        "certificate has expired|authentication handshake failed|bad certificate"))
    assert not cluster.is_well("kube-apiserver")
    causes = found_causes(cluster)
    assert {*causes} <= {"expired-client-cert", "expired-server-cert"} and len(causes) >= leaves
    listed = run(["kpki", "expiry", str(root), "--json"], check=False)
    assert listed.returncode == 1
    assert sum(found["days_left"] < 0
               for found in json.loads(listed.stdout)["certificates"]) >= leaves

    done = run(["kpki", "renew", "--root", str(root)])
    assert f"{leaves} certificates renewed" in done.stderr
    restarts = [line.split()[-1] for line in done.stderr.splitlines()
                if "systemctl restart" in line]
    assert restarts[0] == "etcd" and {*restarts} >= {*CONTROL_PLANE}
    for component in (name for name in restarts if name in CONTROL_PLANE):
        cluster.restart(component)
    cluster.wait_until_well()
    assert found_causes(cluster) == [] and {path: path.read_bytes() for path in keys} == keys
    assert "namespace/default" in cluster.kubectl("get", "namespaces", "-o", "name").stdout
    assert run(["kpki", "renew", "--root", str(root), "--within", "1d"]).stdout == ""
