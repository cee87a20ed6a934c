"""What a look through a fleet costs: `kpki check` of a workspace beside a loop of `openssl verify`
over its files.

Layout ssl: two pairs and seven files a worker, whose certificates openssl reads as they lie there.
The loop asks what check asks of the chains alone: the kubelet's certificate as a client's and as a
server's, kube-proxy's as a client's.
"""
from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from bench import KPKI, NOW, PYTHON, measure, report, run

from kpki.cluster import workspace
from kpki.cluster.check.described import check_workspace
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of

ALGORITHMS = {"EC": "ECDSA-P256", "RSA": "RSA-2048"}
DEFAULT = ("1000", "10000", "rsa:200")
SAMPLE = 50     # workers: a loop over more tells nothing more, and takes seconds
FEWER = 5       # times fewer workers, to tell what each costs
ASKED = (("worker", "sslclient"), ("worker", "sslserver"), ("kube-proxy", "sslclient"))


def make(folder: str, workers: int, kind: str) -> None:
    """A workspace with a control plane and so many workers."""
    os.mkdir(folder)
    with open(os.path.join(folder, "cluster.yaml"), "w", encoding="ascii") as file:
        file.write("apiVersion: kpki/v1\nkind: Cluster\nlayout: ssl\n"
                   f"encryptionAlgorithm: {ALGORITHMS[kind]}\nnodes:\n"
                   "- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}\n")
        file.writelines(f"- {{name: worker-{number:05}, addresses: [10.{1 + (number >> 16)}"
                        f".{number >> 8 & 255}.{number & 255}]}}\n" for number in range(workers))
    with workspace.locked(folder, NOW):
        for _ in apply(plan_of(folder, now=NOW), folder, now=NOW):
            pass


def loop(folder: str, workers: int, asked: Sequence[tuple[str, str]]) -> None:
    """openssl's verdict on the first workers, one command each; it must be OK every time."""
    lines = "\n".join("    openssl verify -CAfile $pki/ca.pem "
                      f"-purpose {purpose} $pki/{name}.pem || exit 1"
                      for name, purpose in asked)
    trees = " ".join(f"nodes/worker-{number:05}" for number in range(workers))
    run(["sh", "-c", f"for tree in {trees}; do\n    pki=$tree/etc/kubernetes/ssl\n{lines}\ndone"],
        folder)


def peaks(folder: str) -> list[int]:
    """KiB at most: of the process that checks a workspace, and of each that helps it."""
    found: list[int] = json.loads(subprocess.run([PYTHON, __file__, "--peaks", folder], check=True,
                                                 text=True, stdout=subprocess.PIPE).stdout)
    return found


def measured(folder: str) -> None:
    """Check a workspace by the library and print what `peaks` gives."""
    assert check_workspace(folder, now=NOW)[0] == []
    print(json.dumps([resource.getrusage(who).ru_maxrss
                      for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]))


def fleet(place: str, workers: int, kind: str, rounds: int) -> None:
    """One table, and what the memory comes to."""
    few, sample = max(workers // FEWER, 1), min(workers, SAMPLE)
    folder, small = (os.path.join(place, f"{kind}-{count}") for count in (workers, few))
    make(folder, workers, kind)
    make(small, few, kind)
    found = measure({
        "kpki check": lambda: run([*KPKI, "check", folder, "--quiet"], place),
        "kpki check of one worker's tree, with --ca": lambda: run([
            *KPKI, "check", os.path.join(folder, "nodes", "worker-00000"), "--node", "worker-00000",
            "--ca", os.path.join(folder, "pki", "ca.crt"), "--quiet"], place),
        "openssl verify, every certificate and purpose": lambda: loop(folder, sample, ASKED),
        "openssl verify, one certificate a worker": lambda: loop(folder, sample, ASKED[:1]),
    }, rounds)
    for name in found:
        if name.startswith("openssl"):
            found[name] *= workers / sample
    report(f"check of {workers} workers, {ALGORITHMS[kind]}; openssl's loop over {sample} of them, "
           "scaled", found, "kpki check")
    own, helping = ((many - less) / (workers - few)
                    for many, less in zip(peaks(folder), peaks(small)))
    print(f"  memory grows by {own:.2f} KiB a worker, the description's included; in each process "
          f"that helps by {helping:.2f}, pages that it shares included")


def table(rounds: int, words: Sequence[str] = ("1000",)) -> None:
    """The table of each of these fleets; workers, or `rsa:` and workers."""
    # Beside the checkout, for /tmp may be memory, and where files lie is part of the price.
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(__file__)),
                                     prefix=".bench-") as place:
        for word in words:
            kind, _, count = word.rpartition(":")
            fleet(place, int(count), "RSA" if kind == "rsa" else "EC", rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peaks"]:
        measured(sys.argv[2])
    else:
        table(3, sys.argv[1:] or DEFAULT)
