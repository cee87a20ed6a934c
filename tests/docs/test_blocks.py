"""Every block of commands on a page is run by a test, or stands here with the reason why it is not.

The blocks of a shell's commands are run here, each in a folder of its own. A host's root is a
folder, so that no test reads or writes the machine's own.
"""
from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

TOP = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md",
         *sorted(path.relative_to(TOP).as_posix() for path in (TOP / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)

# Programs that a node or a cluster has, and a test has not.
STAND_INS = {
    "systemctl": "", "less": 'cat "$@"',
    "journalctl": "echo 'x509: certificate has expired or is not yet valid'",
    "kubectl": "echo 'x509: certificate signed by unknown authority'",
}
CA = ("kpki req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=kubernetes "
      "-days 30 -addext keyUsage=critical,keyCertSign")
HOST = ("kpki node issue worker-2 --example --server https://127.0.0.1:9 --quiet > flags; "
        "cp -r example/nodes/worker-2 host")


class Run(NamedTuple):
    """How a block is run."""

    before: str = "true"
    """The commands that make what the page takes for granted."""
    instead: Mapping[str, str] = MappingProxyType({})
    """A part of the block → what stands there in the test."""


# A page, and the first words of its block.
RUN = {
    ("README.md", "scripts/kpki node issue"): Run(
        'mkdir scripts; ln -s "$(command -v kpki)" scripts/kpki'),
    ("README.md", "kpki node issue worker-2"): Run(f"{CA} -keyout ca-key.pem -out ca.pem"),
    ("README.md", "kpki doctor"): Run(
        f"{HOST}; kpki apply --example --quiet > made; cp nodes/worker-1/etc/kubernetes/pki/ca.crt "
        "ca.pem; cp host/etc/kubernetes/ssl/worker.pem .; cp -r example/nodes/worker-2 .; "
        "journalctl > kubelet.log",
        {"kpki doctor ": "kpki doctor --root host ", "check /": "check host",
         "uses /": "uses host", "expiry /": "expiry host", "--root /": "--root host",
         "install worker-2": "install worker-2 --root host"}),
    ("README.md", "kpki init"): Run(),
    ("docs/diagnose.md", "journalctl"): Run(
        "journalctl | gzip > syslog.gz", {"/var/log/syslog.2.gz": "syslog.gz"}),
    ("docs/script.md", "kpki script"): Run("kpki init; umask 022"),
    ("docs/kubeconfig.md", "$ kpki kubeconfig"): Run(
        f"kpki apply --example my-cluster --quiet > made; {CA} -keyout ca.key -out ca.crt"),
    ("docs/expiry.md", "17 * * * *"): Run(
        f"{HOST}; mkdir node_exporter", {"17 * * * * root ": "", "expiry /": "expiry host",
                                         "/var/lib/node_exporter": "node_exporter"}),
}

# A line of a command that no test runs → why.
NOT_RUN = {
    "scripts/test": "it runs all tests, this one too",
    "scripts/build": "it takes minutes, and a package index; `scripts/build --check` runs it",
    "scripts/e2e": "it takes an hour and Kubernetes' programs; .ci/run runs it",
    "scp": "it needs another host",
    "ssh": "it needs another host; tests/package runs the same command in an empty root",
}

# A page with other blocks of commands or of Python → the test that runs them.
RUN_ELSEWHERE = {
    "README.md": "tests/test_front_door.py",
    "CONTRIBUTING.md": "",      # the form of a docstring
    "docs/check.md": "tests/cli/test_check_page.py",
    "docs/cluster.md": "tests/test_cluster_story.py",
    "docs/command.md": "tests/docs/test_command_page.py",
    "docs/description.md": "tests/cluster/desired/test_description.py",
    "docs/diagnose.md": "tests/cli/test_diagnose_page.py",
    "docs/doctor.md": "tests/doctor/test_doctor_command.py",
    "docs/e2e.md": "",          # it needs a running cluster; tests/e2e begins in the same way
    "docs/exit-status.md": "tests/docs/test_told_pages.py",
    "docs/expiry.md": "tests/cli/test_expiry_page.py",
    "docs/flags.md": "tests/docs/test_flags_page.py",
    "docs/from-another-machine.md": "tests/cli/test_from_another_machine_page.py",
    "docs/graph.md": "tests/cli/test_graph_page.py",
    "docs/hsm.md": "tests/cli/test_hsm_page.py",
    "docs/index.md": "tests/test_story.py",
    "docs/kubeconfig.md": "tests/docs/test_blocks.py",
    "docs/kubernetes-certificates.md": "tests/docs/test_kubernetes_certificates.py",
    "docs/learn.md": "tests/docs/test_learn_page.py",
    "docs/library-reference.md": "tests/docs/test_library_reference.py",
    "docs/library.md": "tests/docs/test_library_page.py",
    "docs/offline.md": "tests/cli/test_offline_page.py",
    "docs/probe.md": "tests/doctor/test_probe_page.py",
    "docs/remedies.md": "tests/cli/test_check_page.py",
    "docs/renew.md": "tests/cli/test_renew_page.py",
    "docs/rotate.md": "tests/cli/test_rotate.py",
    "docs/show.md": "tests/cli/test_show_page.py",
    "docs/testing.md": "tests/testing/test_plugin.py",
    "docs/uses.md": "tests/cli/test_uses_page.py",
    "docs/verify.md": "tests/docs/test_verify_page.py",
    "docs/zh/index.md": "tests/docs/test_told_pages.py",
    "docs/zh/lost-node.md": "tests/docs/test_told_pages.py",
}


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The fences of a page: the words behind the backticks, and the text."""
    return ((kind.strip(), text) for kind, text in _FENCE.findall((TOP / page).read_text()))


def commands(page: str) -> Iterator[str]:
    """The blocks of a page that hold commands for a shell, and no output."""
    for kind, text in blocks(page):
        if kind == "sh" or (kind == "" and re.match(r"scripts/|17 ", text)) \
                or (page == "docs/kubeconfig.md" and kind == "console"):
            yield text


def test_every_block_is_run_somewhere() -> None:
    """A block of commands or Python is on a page that a test runs, which names the page."""
    there = {page for page in PAGES for kind, _ in blocks(page)
             if kind in ("console", "python", "pycon") or kind.startswith("sh ")}
    assert there == {*RUN_ELSEWHERE}
    for page, test in RUN_ELSEWHERE.items():
        assert not test or page.rpartition("/")[2] in (TOP / test).read_text(), page


def runs(page: str, text: str) -> list[str]:
    """The lines of a block that can be run here."""
    lines = [line.removeprefix("$ ") for line in text.replace("\\\n", "").splitlines()]
    return [line for line in lines if line.split()[0] not in NOT_RUN]


ALL = [(page, text) for page in PAGES for text in commands(page)]


def test_the_list_is_whole() -> None:
    """Each block is run, or holds nothing but lines that are left out; no entry is too much."""
    begun = {(page, start) for page, text in ALL for of, start in RUN if of == page
             and text.startswith(start)}
    assert begun == {*RUN}
    rest = [text for page, text in ALL if not any(of == page and text.startswith(start)
                                                  for of, start in RUN)]
    assert [runs("", text) for text in rest] == [[]] * len(rest)
    words = {line.removeprefix("$ ").split()[0] for _, text in ALL for line in text.splitlines()}
    assert NOT_RUN.keys() <= words


@pytest.mark.parametrize(("page", "start"), RUN)
def test_a_block_runs(kpki_environment: dict[str, str], tmp_path: Path, page: str,
                      start: str) -> None:
    """Each command of a block runs: status 0, or 1 for an answer that is no.

    The API server of the host is nobody, so `probe` has no answer.
    """
    run = RUN[page, start]
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, text in STAND_INS.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_folder / name).chmod(0o755)
    environment = {**kpki_environment, "PATH": f"{bin_folder}:{kpki_environment['PATH']}"}
    folder = tmp_path / "folder"
    folder.mkdir()
    text = next(text for of, text in ALL if of == page and text.startswith(start))
    for old, new in run.instead.items():
        assert old in text
        text = text.replace(old, new)
    for line in (run.before, *runs(page, text)):
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], cwd=folder,
                              env=environment, capture_output=True, text=True, timeout=60,
                              check=False)
        no_server = done.stderr.endswith("1 without an answer\n")
        assert done.returncode in ((0,) if line == run.before else (0, 1)) or no_server, \
            f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
