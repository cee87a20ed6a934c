"""Healthy tree, one mutation: exactly that cause at that path; the remedy as printed; healthy
again."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.check.matrix.faults import FAULTS
from tests.cluster.check.matrix.mutations import SITUATIONS, Fault, Trial, rotated, trials
from tests.cluster.check.matrix.trees import ALGORITHMS, KUBELET_CONFIG

Bench = Any     # the conftest's, which has no importable name of its own
LAYOUTS = tuple(KUBELET_CONFIG)
TRIALS = trials(FAULTS)
HEALTHY = [Trial(Fault("", "", lambda tree: None, "", ""), layout, keys, situation)
           for layout in LAYOUTS for keys in ALGORITHMS for situation in SITUATIONS]
# The causes that show on the disk of one host or of a workspace; the others show in logs or on live
# servers alone.
ON_DISK = frozenset("""
    file-missing unknown-authority malformed-x509 missing-san-ip missing-san-dns bad-pem
    expired-client-cert expired-server-cert expired-ca not-yet-valid wrong-node-identity
    hostname-case-fqdn wrong-organisation wrong-eku key-cert-mismatch key-unreadable encrypted-key
    kubelet-serving-self-signed kubelet-client-current-broken etcd-peer-cert weak-signature-or-key
    sa-key-mismatch front-proxy-ca chain-depth kubeconfig-wrong-ca legacy-cn-no-san ca-not-a-ca
    key-exposed shared-key ca-key-on-worker serial-reused flags-mismatch signing-bundle
    kubeconfig-broken wrong-subject outlives-ca expiring-soon strict-refused""".split())


@pytest.mark.parametrize("trial", HEALTHY, ids=[item.id.rstrip("-") for item in HEALTHY])
def test_a_healthy_tree_has_no_finding(bench: Callable[[Trial], Bench], trial: Trial) -> None:
    """kpki's own files have no finding, in each layout, with keys of each algorithm, in each
    place."""
    assert bench(trial).findings() == (0, [], [])


@pytest.mark.parametrize("situation", ["given", "alone", "ca-host"])
def test_a_kubelet_that_rotates_its_certificate_is_healthy(bench: Callable[[Trial], Bench],
                                                           situation: str) -> None:
    """A kubelet.conf that names kubelet-client-current.pem, an absolute link read under the root,
    is as right."""
    run = bench(Trial(Fault("", "", rotated, "", ""), "kubeadm", "EC", situation))
    rotated(run.tree)
    assert run.findings() == (0, [], [])


@pytest.mark.parametrize("trial", TRIALS, ids=[trial.id for trial in TRIALS])
def test_a_fault_is_named_once_and_its_remedy_mends_it(bench: Callable[[Trial], Bench],
                                                       trial: Trial) -> None:
    """One thing wrong is that cause at its path, nothing beside it; the remedy's lines, run as they
    stand, mend it."""
    run, fault = bench(trial), trial.fault
    fault.mutate(run.tree)
    status, found, remedies = run.findings()
    whose = trial.host if trial.situation == "workspace" else None
    places = [(host or whose, path) for host, path in map(run.tree.at, fault.at.split(" "))]
    wanted = [(fault.cause, fault.severity, *place) for place in places]
    assert sorted(found) == sorted(wanted) or (
        fault.single and found and {*found} <= {*wanted}), f"found {found}, not {wanted}"
    assert status == (fault.severity == "error")
    assert all(remedies), "nothing is said about what to do"
    if fault.told and all(line.startswith("#") for remedy in remedies for line in remedy):
        return      # no command can
    run.mend(remedies)
    status, left, _ = run.findings()
    assert (status, left) == (0, []), f"after {remedies}: {left}"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_printed_is_the_remedy(bench: Callable[[Trial], Bench], situation: str) -> None:
    """The lines that a person sees under a finding are those of its JSON."""
    run = bench(next(trial for trial in TRIALS if trial.situation == situation))
    run.trial.fault.mutate(run.tree)
    _, _, (remedy,) = run.findings()
    assert run.printed() == [*remedy]


def test_a_remedy_that_fails_or_mends_nothing_is_noticed(bench: Callable[[Trial], Bench]) -> None:
    """A line that ends with another status than 0 is a failure, in process and in the shell; one
    that does nothing leaves the finding."""
    run = bench(next(trial for trial in TRIALS if trial.fault.cause == "key-exposed"
                     and trial.situation == "alone"))
    run.trial.fault.mutate(run.tree)
    before = run.findings()
    for line in ("kpki node issue worker-1", "kpki node issue worker-1 > out",
                 "chmod 600 host/nowhere"):
        with pytest.raises(AssertionError):
            run.mend([(line,)])
    run.mend([("# words", "kpki --version", "kpki --version > version && test -s version", "true")])
    assert run.findings() == before and before[0] == 1


def test_the_table_has_every_cause_layout_kind_of_key_and_situation() -> None:
    """Each cause that shows on disk has a row; each layout, algorithm and place has many rows."""
    assert {trial.fault.cause for trial in TRIALS} == ON_DISK
    assert len(TRIALS) >= 80 and len({trial.id for trial in TRIALS}) == len(TRIALS)
    counts = Counter(word for trial in TRIALS
                     for word in (trial.layout, trial.keys, trial.situation))
    assert min(counts[word] for word in (*LAYOUTS, *ALGORITHMS, *SITUATIONS)) >= 15
