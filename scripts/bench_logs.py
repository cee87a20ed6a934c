"""What a large log costs: `kpki diagnose` beside `grep -nE` with the same words.

usage: bench_logs.py [MiB] [ROUNDS]

The log is of lines as healthy components write them, a fault in each 2,000. grep writes its lines
to a file, since with /dev/null it would end at the first one. kpki also names cause, facts and
remedy of each.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from bench import KPKI, PYTHON, measure, report

from kpki.doctor.matching import table_of
from kpki.doctor.rules import LOG_RULES

WORDS = table_of(LOG_RULES).words
HEALTHY = (
    'I1130 04:14:05.{a} 790 kuberuntime_manager.go:{b}] "Updating pod sandbox" '
    'pod="kube-system/coredns-{a}" uid="{b}"',
    'Nov 30 04:14:05 worker-2 kubelet[790]: I1130 04:14:05.{a} 790 reconciler_common.go:251] '
    '"operationExecutor.VerifyCo'
    'ntrollerAttachedVolume started for volume \\"kube-api-access-{a}\\" (UniqueName: '
    '\\"kubernetes.io/projected/{b}\\")"',
    '{{"level":"info","ts":"2026-11-30T04:19:23.{a}Z","caller":"mvcc/index.go:214","msg":"compact'
    ' tree index","took":"{b}"}}',
    'time="2026-11-30T04:14:05.{a}Z" level=info msg="StartContainer for \\"{b}\\" returns '
    'successfully"',
    'E1130 04:14:05.{a} 790 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to '
    '\\"StartContainer\\" for '
    '\\"app\\" with CrashLoopBackOff: \\"back-off 5m0s restarting failed container=app '
    'pod=app-{b}\\"" pod="default/app-{b}"',
)
FAULTS = (
    'E1130 04:14:05.{a} 790 reflector.go:205] "Failed to watch" err="Get '
    '\\"https://10.0.0.1:6443/api\\": tls: failed to '
    'verify certificate: x509: certificate signed by unknown authority"',
    'E1130 04:14:05.{a} 790 run.go:72] "command failed" err="open /etc/kubernetes/pki/ca.crt: no '
    'such file or directory"',
    "I1130 04:14:05.{a} 790 logs.go:41] http: TLS handshake error from 10.0.0.{c}:5{c}: EOF",
)
WITHOUT_RE2 = [
    PYTHON,
    "-c",
    "import sys; sys.modules['re2'] = None; from kpki.cli.main import run; run()",
]
BATCH = 20_000
HOSTILE = 100  # MiB of one line


def write_log(path: str, mebibytes: int) -> None:
    """A log of at least so many MiB."""
    random = Random(1)
    with open(path, "w", encoding="ascii") as file:
        while file.tell() < mebibytes << 20:
            rows = (random.choice(HEALTHY if number % 2000 else FAULTS) for number in range(BATCH))
            file.writelines(
                row.format(a=random.randrange(10**6), b=random.randrange(10**9),
                           c=random.randrange(255)) + "\n"
                for row in rows
            )


def grep(path: str, out: str) -> None:
    """grep's lines with one of the words, with their numbers, in the file *out*."""
    with open(out, "wb") as file:
        subprocess.run(
            [
                "grep",
                "-nE",
                "|".join(map(re.escape, WORDS)).replace("\\ ", " ").replace("\\-", "-"),
                path,
            ],
            check=True,
            stdout=file,
            env=os.environ | {"LC_ALL": "C"},
        )


def diagnose(command: Sequence[str], path: str) -> tuple[object, float]:
    """The diagnoses of a log as JSON, and the most MiB that the process had."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([*command, "diagnose", path, "--json", "--quiet"], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode in (0, 1), process.returncode
        out.seek(0)
        return json.load(out), usage.ru_maxrss / 1024


def processor_time(rows: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds that the processors worked for each row: two at once count twice."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for name, work in [*rows.items()] * rounds:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        work()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {name: median(found) for name, found in times.items()}


def table(mebibytes: int, rounds: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=os.curdir) as folder:
        log, lines = os.path.join(folder, "log"), os.path.join(folder, "lines")
        write_log(log, mebibytes)
        found = {
            name: diagnose(command, log)
            for name, command in (("re2", KPKI), ("without", WITHOUT_RE2))
        }
        assert found["re2"][0] == found["without"][0], "the two ways name other lines"
        title = f"a log of {mebibytes} MiB, {len(WORDS)} words, {rounds} rounds"
        rows: dict[str, Callable[[], object]] = {
            "grep -nE": lambda: grep(log, lines),
            "kpki diagnose, with google-re2": lambda: diagnose(KPKI, log),
            "kpki diagnose, without google-re2": lambda: diagnose(WITHOUT_RE2, log),
        }
        report(f"{title}: by the clock", measure(rows, rounds), "grep -nE")
        report(f"{title}: processor time", processor_time(rows, rounds), "grep -nE")
        print(
            f"  at most {found['re2'][1]:.0f} MiB of memory with google-re2, "
            f"{found['without'][1]:.0f} MiB without"
        )
        with open(log, "w", encoding="ascii") as file:
            file.writelines(
                "x509: certificate is valid for ".ljust(64, "\0") * (1 << 14)
                for _ in range(min(mebibytes, HOSTILE))
            )
        report(
            "one line of hostile text, as long",
            measure({"kpki diagnose": lambda: diagnose(KPKI, log)}, 1),
            "kpki diagnose",
        )
        print(f"  at most {diagnose(KPKI, log)[1]:.0f} MiB of memory")


if __name__ == "__main__":
    table(*[*map(int, sys.argv[1:]), *(1024, 3)[len(sys.argv) - 1 :]])
