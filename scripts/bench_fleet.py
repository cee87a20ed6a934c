"""What a fleet costs: from cluster.yaml to every host's files, beside bare library calls, openssl
and a Go program.

Layout kubeadm with kubeletServing: two pairs and four files a worker. Every run is a process of its
own, in a new folder; nothing is deleted before the end, for a file system is slow for a while after
(ext4).
"""
from __future__ import annotations

import base64
import ctypes
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from datetime import timedelta

from bench import NOW, PYTHON, bare_key, bare_node

from kpki.cluster import workspace
from kpki.cluster.authority import make_authority, make_key
from kpki.cluster.check.described import check_workspace
from kpki.cluster.lifecycle.renew import Order, renew_workspace
from kpki.cluster.lifecycle.rotate import rotate
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.kubernetes.profiles import CA

ALGORITHMS = {"EC": "ECDSA-P256", "RSA": "RSA-2048"}
# an RSA worker costs 70 ms of pure luck: more of them tell nothing more
DEFAULT = ("1000", "10000", "rsa:200")
OPENSSL_WORKERS = 50
BATCH = 512
MOST_OF_PEERS = 10_000      # workers: more of them tell nothing more of the peers
READ = "the description alone"
PHASES = ("the signer's file", "trust", "switch", "forget")
FOLDERS = ("etc/kubernetes/pki", "var/lib/kubelet/pki")


def address(number: int) -> str:
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def describe(folder: str, workers: int, kind: str) -> None:
    """Write the description of a control plane and so many workers."""
    with open(os.path.join(folder, "cluster.yaml"), "w", encoding="ascii") as file:
        file.write("apiVersion: kpki/v1\nkind: Cluster\nkubeletServing: true\n"
                   f"encryptionAlgorithm: {ALGORITHMS[kind]}\n"
                   "nodes:\n- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}\n")
        file.writelines(f"- {{name: worker-{number}, addresses: [{address(number)}]}}\n"
                        for number in range(workers))


# What is measured, each in a process of its own

def kpki_apply(folder: str, workers: int, kind: str) -> None:
    """The library's apply: description, plan, files, with the workspace held."""
    with workspace.locked(folder, NOW):
        for _ in apply(plan_of(folder, now=NOW), folder, now=NOW):
            pass


def kpki_read(folder: str, workers: int, kind: str) -> None:
    """The description alone."""
    workspace.read_cluster(folder)


def kpki_plan(folder: str, workers: int, kind: str) -> None:
    """The steps of every host, of which there are none."""
    assert not any(host.tasks for host in plan_of(folder, now=NOW).hosts(processes=None))


def kpki_check(folder: str, workers: int, kind: str) -> None:
    """The findings of every host, of which there are none."""
    assert check_workspace(folder, now=NOW)[0] == []


def kpki_expiry(folder: str, workers: int, kind: str) -> None:
    """The end of every certificate, as the command prints a table of them."""
    from kpki.cli.main import main as kpki
    with open(os.devnull, "w", encoding="ascii") as nowhere, redirect_stdout(nowhere):
        assert kpki(["expiry", folder, "--quiet"]) == 0


def kpki_renew(folder: str, workers: int, kind: str) -> None:
    """New dates for every certificate, with the same keys."""
    renewal = renew_workspace(folder, Order(everything=True), passphrase=lambda _: None, now=NOW,
                              host_name="", warnings=[])
    assert renewal.renewed >= 2 * workers and not renewal.waiting


def kpki_phase(folder: str, workers: int, kind: str) -> None:
    """The next phase of an exchange of the cluster's CA, with its gate and its check."""
    found = rotate(folder, "ca", now=NOW)
    assert found.steps and not (found.blocked or found.status.behind)


def bare(folder: str, workers: int, kind: str) -> None:
    """cryptography's own calls in one thread (request, its check, certificate), the files durable
    batch by batch."""
    ca = make_authority(CA, make_key(ALGORITHMS[kind]), validity=timedelta(days=3650), now=NOW)
    library = ctypes.CDLL(None, use_errno=True)
    text = base64.b64encode(ca.bundle).decode()
    root = os.open(folder, os.O_RDONLY)
    for start in range(0, workers, BATCH):
        staged: list[str] = []
        for number in range(start, min(start + BATCH, workers)):
            (key, certificate), (server_key, server) = (bare_node(ca, bare_key(kind), request=True)
                                                        for _ in range(2))
            config = ("apiVersion: v1\nkind: Config\nclusters:\n- name: kubernetes\n  cluster:\n"
                      f"    certificate-authority-data: {text}\n    server: https://10.0.0.10:"
                      "6443\nusers:\n- name: me\n  user:\n    client-certificate-data: "
                      f"{base64.b64encode(certificate).decode()}\n    client-key-data: "
                      f"{base64.b64encode(key).decode()}\ncontexts:\n- name: it\n  context:\n"
                      "    cluster: kubernetes\n    user: me\ncurrent-context: it\n").encode()
            tree = os.path.join(folder, "nodes", f"worker-{number}")
            for name in FOLDERS:
                os.makedirs(os.path.join(tree, name))
            for name, data, mode in ((f"{FOLDERS[0]}/ca.crt", ca.bundle, 0o644),
                                     ("etc/kubernetes/kubelet.conf", config, 0o600),
                                     (f"{FOLDERS[1]}/kubelet.crt", server, 0o644),
                                     (f"{FOLDERS[1]}/kubelet.key", server_key, 0o600)):
                staged.append(os.path.join(tree, name))
                descriptor = os.open(staged[-1] + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL,
                                     mode)
                os.write(descriptor, data)
                os.close(descriptor)
        library.syncfs(root)
        for path in staged:
            os.rename(path + ".new", path)
        library.syncfs(root)


OPENSSL = r"""set -eu
openssl genpkey %(make)s -out ca.key 2>/dev/null
openssl req -x509 -new -key ca.key -subj /CN=kubernetes -days 3650 -out ca.crt
number=0
while [ $number -lt %(workers)d ]; do
    tree=nodes/worker-$number
    mkdir -p $tree/etc/kubernetes/pki $tree/var/lib/kubelet/pki
    cp ca.crt $tree/etc/kubernetes/pki/ca.crt
    for usage in client server; do
        base=$tree/var/lib/kubelet/pki/$usage
        openssl genpkey %(make)s -out $base.key 2>/dev/null
        openssl req -new -key $base.key -subj /O=system:nodes/CN=system:node:worker-$number -out csr
        printf '%%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
            extendedKeyUsage=${usage}Auth >ext
        openssl x509 -req -in csr -CA ca.crt -CAkey ca.key -days 365 -extfile ext \
            -out $base.crt 2>/dev/null
    done
    number=$((number + 1))
done
"""


def openssl(folder: str, workers: int, kind: str) -> None:
    """The loop over genpkey, req and x509 -req."""
    make = {"EC": "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "RSA": "-algorithm RSA"}[kind]
    subprocess.run(["sh", "-c", OPENSSL % {"make": make, "workers": workers}], cwd=folder,
                   check=True)


MEASURED: dict[str, Callable[[str, int, str], None]] = {
    "apply": kpki_apply, "plan": kpki_plan, "check": kpki_check, "expiry": kpki_expiry,
    "renew": kpki_renew, "phase": kpki_phase, "read": kpki_read, "bare": bare, "openssl": openssl}


def measured(name: str, folder: str, workers: str, kind: str) -> None:
    """Do one and print what it cost: seconds, and at most how many KiB (pages that processes share
    count twice)."""
    start = time.perf_counter()
    MEASURED[name](folder, int(workers), kind)
    seconds = time.perf_counter() - start
    own, children = (resource.getrusage(who).ru_maxrss
                     for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps([seconds, own + children * (os.cpu_count() or 1)]))


# The tables

def cost(name: str, folder: str, workers: int, kind: str) -> tuple[float, int]:
    """What one of MEASURED costs."""
    found = subprocess.run([PYTHON, __file__, f"--{name}", folder, str(workers),
                            kind], check=True, text=True, stdout=subprocess.PIPE).stdout
    seconds, kib = json.loads(found)
    return seconds, kib


def go_program(place: str, source: str = "bench_fleet.go") -> str | None:
    """A Go program, built; None if Go is missing."""
    if shutil.which("go") is None:
        return None
    program = os.path.join(place, source.removesuffix(".go"))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), source)
    subprocess.run(["go", "build", "-o", program, path], check=True,
                   env=os.environ | {"GOCACHE": f"{place}/cache"})
    return program


Best = dict[str, tuple[float, int]]


def fleet(place: str, workers: int, kind: str, program: str | None) -> Best:
    """One table; gives the seconds and the KiB of each row."""
    rounds = 3 if workers <= 1000 and kind == "EC" else 1
    best: Best = {}

    def keep(name: str, found: tuple[float, int]) -> None:
        best[name] = min(best.get(name, found), found)

    for _ in range(rounds):
        folders = [tempfile.mkdtemp(dir=place) for _ in range(4)]
        describe(folders[0], workers, kind)
        keep(READ, cost("read", folders[0], workers, kind))
        keep("kpki apply", cost("apply", folders[0], workers, kind))
        keep("kpki apply again: nothing to do", cost("apply", folders[0], workers, kind))
        for name in ("plan", "check", "expiry"):
            keep(f"kpki {name}", cost(name, folders[0], workers, kind))
        keep("kpki renew --all", cost("renew", folders[0], workers, kind))
        for phase in PHASES:
            keep(f"kpki rotate ca: {phase}", cost("phase", folders[0], workers, kind))
        if workers > MOST_OF_PEERS:
            break
        keep("(a) bare cryptography, one thread", cost("bare", folders[1], workers, kind))
        if program:
            start = time.perf_counter()
            subprocess.run([program, folders[2], str(workers), kind], check=True)
            keep("(c) Go", (time.perf_counter() - start, 0))
    if workers <= MOST_OF_PEERS:
        few = min(workers, OPENSSL_WORKERS)
        seconds, _ = cost("openssl", folders[3], few, kind)
        best["(b) the openssl loop, extrapolated"] = (seconds * workers / few, 0)
    first = best["kpki apply"][0]
    print(f"\n{workers} workers, {ALGORITHMS[kind]}: best of {rounds}")
    for name, (taken, kib) in best.items():
        memory = f"{kib / 1024:8.1f} MiB" if kib else ""
        print(f"  {name:<40} {taken:9.3f} s {taken / first:8.2f} × {memory}")
    return best


def main(words: Sequence[str]) -> None:
    """Print every table."""
    found: dict[int, Best] = {}
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors; × is beside kpki's first "
          "apply")
    # Beside the checkout, for /tmp may be memory, and nothing there is ever made durable.
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(__file__)),
                                     prefix=".bench-") as place:
        program = go_program(place)
        for word in words or DEFAULT:
            kind, _, count = word.rpartition(":")
            result = fleet(place, int(count), "RSA" if kind == "rsa" else "EC", program)
            if not kind:
                found[int(count)] = result
    if len(found) > 1:
        few, many = min(found), max(found)
        processes = 1 + (os.cpu_count() or 1)
        print(f"\nfrom {few} to {many} workers: the growth of time, and of memory beyond the "
              "description's")
        for name in (name for name in found[many] if name.startswith("kpki")):
            (short, less), (long, more) = found[few][name], found[many][name]
            exponent = math.log(long / short) / math.log(many / few)
            # each process holds the description
            described = processes * (found[many][READ][1] - found[few][READ][1])
            grown = (more - less - described) * 1024 / (many - few)
            print(f"  {name:<40} exponent {exponent:5.2f} {grown:8.0f} bytes a worker")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("--"):
        measured(sys.argv[1][2:], *sys.argv[2:])
    else:
        main(sys.argv[1:])
