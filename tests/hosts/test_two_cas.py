"""Hosts with a CA each for clients and servers: no CA is taken for the other, and what is told
where is named right."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import kpki
from kpki.cluster.observed.uses import read_host
from tests.hosts.catalogue import HOSTS
from tests.hosts.making import Change, Host, crt, expired, gone, holds, made_so, text
from tests.hosts.pki import Shelf
from tests.hosts.two_cas import TLS, UNITS

CONTROL, WORKER = HOSTS["two CAs, control plane"], HOSTS["two CAs, worker"]
Lay = Callable[[Host], Path]


def bring(host: Host, shelf: Shelf, folder: Path, row: str) -> str:
    """The file of a host's CA that a person brings."""
    place = folder / "brought.crt"
    place.write_bytes(shelf.changed(host.rows).certificate(row))
    return str(place)


@pytest.mark.parametrize(("name", "row"), [
    ("two CAs, control plane", "clients"), ("two CAs, control plane", "servers"),
    ("two CAs, worker", "clients"), ("two CAs, worker", "servers"), ("k3s server", "client-ca"),
    ("k3s agent", "server-ca"), ("OpenShift master", "csr-signer"),
    ("OpenShift master", "kube-apiserver-lb-signer")])
def test_a_ca_that_a_person_names_is_one_of_those_that_count(name: str, row: str, lay: Lay,
                                                             shelf: Shelf, tmp_path: Path) -> None:
    """`--ca` says nothing against another CA file that verifies what it should."""
    host = HOSTS[name]
    found = kpki.check_path(str(lay(host)), ca=bring(host, shelf, tmp_path, row)).findings
    assert [(item.cause, item.path) for item in found if item.severity == "error"] == []


def test_a_ca_that_is_none_of_the_hosts_is_named(lay: Lay, shelf: Shelf, tmp_path: Path) -> None:
    """A person names the CA of another cluster: then each CA file of this one is wrong."""
    other = bring(WORKER, shelf, tmp_path, "front")
    found = kpki.check_path(str(lay(WORKER)), ca=other).findings
    assert {f"{TLS}/clients.pem", f"{TLS}/servers.pem"} <= {item.path for item in found
                                                            if item.severity == "error"}


def test_a_foreign_ca_of_the_clients_is_made_again_by_its_own_key(
        lay: Lay, run_script: Callable[[str], None]) -> None:
    """The servers' CA is never put there: the key that signed the clients is the proof."""
    root = lay(holds(f"{TLS}/clients.pem", crt("front")).apply(CONTROL))
    report = kpki.check_path(str(root))
    assert [(finding.cause, finding.path)
            for finding in report.findings] == [("unknown-authority", f"{TLS}/clients.pem")]
    assert not any(f"{TLS}/servers.pem {root}" in line for line in report.commands())
    run_script("\n".join(report.commands()))
    assert kpki.check_path(str(root)).findings == []


@pytest.mark.parametrize("name", ["clients", "etcd", "peers"])
def test_a_ca_that_no_file_holds_is_asked_for_by_name(name: str, lay: Lay) -> None:
    """No CA of another purpose takes its place: the comment names the CA that signed what the file
    is to verify."""
    host = WORKER if name == "clients" else CONTROL
    commands = kpki.check_path(str(lay(gone(f"{TLS}/{name}.pem").apply(host)))).commands()
    asked = {"clients": "CN=clients", "etcd": "CN=etcd-members", "peers": "CN=etcd-peers"}[name]
    assert ([line[0] for line in commands] == ["#"]
            and f"certificate of CA {asked} at" in commands[0])


@pytest.mark.parametrize(("host", "change", "said"), [
    (CONTROL, expired("etcd-peer"), "the CA that signs: CN=etcd-peers"),
    (WORKER, expired("node-server"), "the CA that signs: CN=servers"),
    (WORKER, gone(f"{TLS}/node.pem"),
     "one of CN=servers; CN=clients, and no file here tells which")])
def test_at_the_ca_the_one_is_named_by_which_the_verifier_verifies(host: Host, change: Change,
                                                                   said: str, lay: Lay) -> None:
    """Of several unlike CAs none is guessed."""
    commands = kpki.check_path(str(lay(change.apply(host)))).commands()
    comment, = (line for line in commands if "the CA that signs" in line)
    assert comment.endswith(said) and any("-CA CA.pem -CAkey CA-KEY.pem" in line
                                          for line in commands)


def test_a_subject_that_is_a_warning_is_put_right(lay: Lay,
                                                  run_script: Callable[[str], None]) -> None:
    """The subject that authorization does not know is not asked for again."""
    root = lay(made_so("scheduler", subject="/CN=my-scheduler").apply(CONTROL))
    assert [finding.severity for finding in kpki.check_path(str(root)).findings] == ["warning"]
    run_script("\n".join(kpki.check_path(str(root)).commands()))
    assert kpki.check_path(str(root)).findings == []


def test_what_is_to_be_restarted_is_the_unit_that_starts_the_component(lay: Lay) -> None:
    """Whatever the unit is called."""
    report = kpki.check_path(str(lay(expired("etcd").apply(CONTROL))))
    told = [line for line in report.commands() if "systemctl restart" in line]
    assert told == ["# then, on cp: systemctl restart etcd3"]


@pytest.mark.parametrize(("words", "faults"), [
    ("kind: [open\n  x: : :\n", 1), ("", 1), ("kind: Pod\n", 1),
    ("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n", 0)])
def test_a_configuration_that_its_component_cannot_read_is_a_fault(words: str, faults: int,
                                                                   lay: Lay) -> None:
    """The kubelet does not start (cmd/kubelet/app/server.go: loadConfigFile)."""
    root = lay(text(f"{UNITS}/kubelet.service", "--node-ip",
                    "--config=/etc/kubelet.yaml --node-ip").apply(WORKER))
    (root / "etc/kubelet.yaml").write_text(words)
    found = [(finding.severity, finding.cause, finding.path)
             for finding in kpki.check_path(str(root)).findings]
    assert found == [("error", "flags-mismatch", "etc/kubelet.yaml")] * faults


def test_a_flag_in_a_script_is_the_scripts(lay: Lay) -> None:
    """An environment file that fills in a part of a path does not pass the flag."""
    root = lay(WORKER)
    (root / "opt/start").write_text("#!/bin/sh\nexec kubelet --kubeconfig=/var/lib/kubelet/"
                                    "kubeconfig --client-ca-file=$TLS/clients.pem $MORE\n")
    (root / "etc/kube.env").write_text(f"TLS=/{TLS}\nMORE=--tls-cert-file=/{TLS}/node.pem\n")
    (root / UNITS / "kubelet.service").write_text("[Service]\nEnvironmentFile=/etc/kube.env\n"
                                                  "ExecStart=/opt/start\n")
    told = {use.setting: use.source for use in read_host(str(root)).uses}
    assert (told["--client-ca-file"], told["--tls-cert-file"]) == ("opt/start", "etc/kube.env")
