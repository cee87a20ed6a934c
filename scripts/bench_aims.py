"""What kpki costs beside its peers, and the aim of each row: `scripts/bench aims [ROUNDS]`.

A figure is the least processor time (user and system, all processes) of rounds that take turns, so
that other work on the machine falls out. A peer that is not here is named.
"""
from __future__ import annotations

import glob
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, cycle, islice

import bench
from bench import (
    ADDRESS,
    EXTENSIONS,
    KPKI,
    NOW,
    PYTHON,
    REQUEST,
    SERVER,
    bare_key,
    bare_node,
)
from bench_check import make
from bench_fleet import go_program
from bench_logs import diagnose, grep, write_log
from cryptography.hazmat.primitives.serialization import Encoding

from kpki import (
    dump_certificate,
    dump_key,
    genpkey,
    load_certificate,
    load_csr,
    req_new,
    req_x509,
    verify_kubernetes,
    x509_req,
)
from kpki.cluster.authority import Authority
from kpki.cluster.node.node import issue_node

WORKERS, VERDICTS = 1000, 10_000
LOG = 64     # MiB
KUBEADM = os.path.expanduser("~/.cache/kpki/kubernetes/*/kubeadm")
Line = tuple[str, ...]
# one command, several in turn, or calls in this process
Work = Line | list[Line] | Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One table: kpki's work, and its peers' (None: the peer is missing), with their aims."""

    title: str
    work: Work
    peers: Mapping[str, Work | None]
    aims: Mapping[str, float]
    times: int = 1
    """How often a round does the work."""


def spent(work: Work, folder: str) -> float:
    """The processor time of some work."""
    own, start = time.process_time(), helped()
    if callable(work):
        work()
    else:
        for line in work if isinstance(work, list) else [work]:
            bench.run([*line], folder)
    return helped() - start or time.process_time() - own


def helped() -> float:
    """The processor time of all processes that this process has started, and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def show(row: Row, folder: str, rounds: int) -> None:
    """Measure a row and print its table."""
    works = {"kpki": row.work, **row.peers}
    least = dict.fromkeys(works, float("inf"))
    for turn in range(rounds + 1):      # the first round does not count
        for name, work in works.items():
            if work is None:
                continue
            taken = min(spent(work, folder) for _ in range(row.times))
            if turn:
                least[name] = min(least[name], taken)
    print(f"\n{row.title}\n  {'kpki':<56} {least['kpki'] * 1000:10.2f} ms")
    for name, work in row.peers.items():
        aim = f"   aim {row.aims[name]:.2f} ×" if name in row.aims else ""
        if work is None:
            print(f"  {name:<56}    missing here{aim}")
        else:
            ratio = least["kpki"] / least[name]
            print(f"  {name:<56} {least[name] * 1000:10.2f} ms  kpki {ratio:6.2f} ×{aim}")


def kubeadm() -> str | None:
    """A kubeadm: the one on PATH, else the one that scripts/kubernetes has built."""
    return shutil.which("kubeadm") or next(iter(sorted(glob.glob(KUBEADM), reverse=True)), None)


def python(code: str) -> Line:
    """A Python process that runs *code*."""
    return (PYTHON, "-c", code)


def commands(folder: str) -> Iterator[Row]:
    """The rows of whole processes on one node or a small cluster."""
    number = count()
    key = genpkey("EC")
    for name, data in (
            ("ca-key.pem", dump_key(key)),
            ("ca.pem", dump_certificate(req_x509(key, subject="/CN=kube-ca", days=3650, now=NOW))),
            ("v3.ext", b"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
             b"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:worker-1,IP:10.0.0.21\n"),
            ("kubeadm.yaml", b"apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
             b"localAPIEndpoint: {advertiseAddress: 10.0.0.10}\nnodeRegistration: {name: cp-1}\n"
             b"---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
             b"kubernetesVersion: v1.34.0\nencryptionAlgorithm: ECDSA-P256\n"),
            ("small.yaml", b"apiVersion: kpki/v1\nkind: Cluster\nlayout: kubeadm\n"
             b"encryptionAlgorithm: ECDSA-P256\nnodes:\n"
             b"- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}\n"
             b"- {name: worker-1, addresses: [10.0.0.21]}\n"
             b"- {name: worker-2, addresses: [10.0.0.22]}\n")):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    issue = (*KPKI, "node", "issue", "worker-1", "--ca", "ca.pem", "--ca-key", "ca-key.pem",
             "--address", ADDRESS, "--server", SERVER, "--quiet", "--out")
    imports, both = python("import typer, cryptography.x509"), "import typer, cryptography.x509"
    openssl = [tuple(line.split()) for line in (
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out w.key",
        "openssl req -new -key w.key -subj /O=system:nodes/CN=system:node:worker-1 -out w.csr",
        "openssl x509 -req -in w.csr -CA ca.pem -CAkey ca-key.pem -days 365 -extfile v3.ext "
        "-out w.pem")]

    yield Row("node issue of one P-256 node, command",
              lambda: bench.run([*issue, f"out-{next(number)}/nodes"], folder),
              {"openssl, three commands": openssl, both: imports},
              {"openssl, three commands": 5, both: 2})
    program = kubeadm()
    root = program is not None and os.geteuid() == 0        # --rootfs is a chroot

    def kubeadm_host() -> str:
        host = os.path.join(folder, f"kubeadm-{next(number)}")
        os.mkdir(host)
        shutil.copy(os.path.join(folder, "kubeadm.yaml"), host)
        for phase in ("certs", "kubeconfig"):
            by_kubeadm(host, "init", "phase", phase, "all")
        return host

    def by_kubeadm(host: str, *words: str) -> None:
        bench.run([program or "", *words, "--config", "/kubeadm.yaml", "--rootfs", host], folder)

    def kubeadm_cluster() -> None:
        host = kubeadm_host()
        for name in ("worker-1", "worker-2"):
            by_kubeadm(host, "kubeconfig", "user", "--client-name", f"system:node:{name}",
                       "--org", "system:nodes")

    def kpki_cluster() -> str:
        place = os.path.join(folder, f"small-{next(number)}")
        os.mkdir(place)
        shutil.copy(os.path.join(folder, "small.yaml"), os.path.join(place, "cluster.yaml"))
        bench.run([*KPKI, "apply", place, "--quiet"], folder)
        return place

    peer = "kubeadm, four commands"
    yield Row("small cluster of three hosts, P-256, command", kpki_cluster,
              {peer: kubeadm_cluster if root else None}, {peer: 2})
    bench.run([*issue, "nodes"], folder)
    yield Row("check of one node's tree, command",
              (*KPKI, "check", "nodes/worker-1", "--node", "worker-1", "--ca", "ca.pem", "--quiet"),
              {both: imports}, {both: 2})
    yield Row("--help, command", (*KPKI, "--help"), {"import typer": python("import typer")},
              {"import typer": 1.3})
    bare = "import cryptography.x509 and the same work"
    yield Row("x509 -noout -subject, command", (*KPKI, "x509", "-noout", "-subject", "-in",
                                                "ca.pem"),
              {bare: python("from cryptography import x509\nprint(x509.load_pem_x509_certificate("
                            "open('ca.pem', 'rb').read()).subject.rfc4514_string())"),
               "openssl x509 -noout -subject": ("openssl", "x509", "-noout", "-subject", "-in",
                                                "ca.pem")}, {bare: 1.15})
    yield Row("doctor of one node's tree, command",
              (*KPKI, "doctor", "--root", "nodes/worker-1", "--node", "worker-1", "--quiet"),
              {both: imports}, {})
    write_log(os.path.join(folder, "log"), LOG)
    yield Row(f"diagnose of a log of {LOG} MiB, command",
              lambda: diagnose(KPKI, os.path.join(folder, "log")),
              {"grep -nE with the same words": lambda: grep(
                  os.path.join(folder, "log"), os.path.join(folder, "lines"))}, {})
    host = os.path.join(kpki_cluster(), "nodes", "cp-1")
    theirs = kubeadm_host() if root else ""
    peer = "kubeadm certs renew all"
    yield Row("renew --all on a control-plane host, command",
              (*KPKI, "renew", "--all", "--root", host, "--quiet"),
              {peer: (lambda: by_kubeadm(theirs, "certs", "renew", "all")) if root else None}, {})


def library() -> Iterator[Row]:
    """The rows of library calls, beside cryptography's own builders."""
    key = bare_key("EC")
    root = req_x509(key, subject="/CN=kube-ca", days=3650, now=NOW)
    ca = Authority(root, key, dump_certificate(root))

    def stages() -> None:
        request = load_csr(req_new(key, config=REQUEST).public_bytes(Encoding.DER))
        x509_req(request, root, key, days=365, extfile=EXTENSIONS)

    bare = "bare cryptography calls, the request's check included"
    yield Row("req_new and x509_req, library", stages, {bare: lambda: bare_node(
        ca, key, request=True)}, {bare: 1.2}, times=200)
    same = "the same by bare calls, request included"
    yield Row("issue_node with all files in memory, library",
              lambda: issue_node(ca, "worker-1", addresses=[ADDRESS], server=SERVER, now=NOW),
              {same: lambda: bare_node(ca, bare_key("EC"), request=True)}, {same: 0.8}, times=200)


def fleets(folder: str) -> Iterator[Row]:
    """The rows of a thousand workers (layout ssl: two pairs and seven files each)."""
    place = os.path.join(folder, "fleet")
    make(place, WORKERS, "EC")
    program = go_program(folder, "bench_check.go")
    go = (program, "tree", place) if program else None
    yield Row(f"check of {WORKERS} node trees, command", (*KPKI, "check", place, "--quiet"),
              {"Go, which checks less": go}, {"Go, which checks less": 2.5})
    again = (*KPKI, "apply", place, "--quiet")
    yield Row(f"plan with nothing to do, {WORKERS} nodes, command",
              (*KPKI, "plan", place, "--quiet"),
              {"kpki apply with nothing to do": again, "Go, which checks less": go},
              {"kpki apply with nothing to do": 1, "Go, which checks less": 3})
    yield Row(f"expiry of {WORKERS} nodes, command",
              (*KPKI, "expiry", place, "--json"), {"Go, which checks less": go}, {})
    leaves, roots = [], []
    for number in range(WORKERS):
        name = f"worker-{number:05}"
        with open(f"{place}/nodes/{name}/etc/kubernetes/ssl/worker.pem", "rb") as file:
            leaf = load_certificate(file.read())
        leaves.append((leaf.public_bytes(Encoding.DER), name))
    with open(f"{place}/pki/ca.crt", "rb") as file:
        roots.append(load_certificate(file.read()).public_bytes(Encoding.DER))

    def verdicts() -> None:
        for leaf, name in islice(cycle(leaves), VERDICTS):
            assert verify_kubernetes(leaf, roots, hostname=name, now=NOW).ok

    peer = "Go on one thread"
    yield Row(f"{VERDICTS} verdicts (verify_kubernetes), library", verdicts,
              {peer: (program, "chains", place, str(VERDICTS)) if program else None}, {peer: 1.5})

    fresh = (place + f"-{number}" for number in count())
    # An apply that makes the files has nothing to read or to keep; the other does renew's work.
    first, same = "kpki apply that makes the files", "kpki apply that renews the certificates"
    applied: dict[str, Work | None] = {
        first: lambda: run_apply(place, next(fresh)),
        same: (*KPKI, "apply", place, "--renew-before", "400d", "--quiet")}
    yield Row(f"renew --all, {WORKERS} nodes, command",
              (*KPKI, "renew", "--all", "--workspace", place, "--quiet"), applied,
              {first: 1, same: 1})
    rotate = (*KPKI, "rotate", "ca", "--workspace", place, "--quiet")
    yield Row(f"rotate ca, a phase and the way back, {WORKERS} nodes, two commands",
              [rotate, (*rotate, "--back")], applied, {first: 2, same: 2})


def run_apply(described: str, folder: str) -> None:
    """Make all files of a description in a new folder."""
    os.mkdir(folder)
    shutil.copy(os.path.join(described, "cluster.yaml"), folder)
    bench.run([*KPKI, "apply", folder, "--quiet"], folder)


def main() -> None:
    """Print every row."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors; processor time (user and "
          f"system, all processes), the least of {rounds} rounds")
    # Beside the checkout, for /tmp may be memory, and where files lie is part of the price.
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(__file__)),
                                     prefix=".bench-") as folder:
        for row in commands(folder):
            show(row, folder, rounds)
        for row in library():
            show(row, folder, rounds)
        for row in fleets(folder):
            show(row, folder, max(rounds // 3, 1))


if __name__ == "__main__":
    main()
