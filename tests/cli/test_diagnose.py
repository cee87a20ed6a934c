"""`kpki diagnose`: its text, its document, its exit status, and what it says with the files."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kpki import dump_certificate, load_certificate, load_key
from kpki.clock import utc_now
from kpki.cluster.lifecycle.authority_renewal import renewed_authority
from kpki.doctor.advice import remedy_of

LINE = (
    "Nov 30 04:14:05 worker-2 kubelet[790]: E1130 04:14:05.4 790 kubelet_node_status.go:106] "
    "Unable to register node "
    '"worker-2" with API server: nodes "worker-2" is forbidden: node "worker-1" is not allowed '
    'to modify node '
    '"worker-2"'
)
HEALTHY = (
    "Nov 30 04:14:01 worker-2 kubelet[790]: I1130 04:14:01.1 790 server.go:1262] Started kubelet"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with one fault, twice."""
    path = tmp_path / "kubelet.log"
    path.write_text("\n".join([HEALTHY, LINE, HEALTHY, LINE.replace("04:14:05", "04:14:09"), ""]))
    return path


def test_the_text(kpki: Callable[..., Any], log: Path) -> None:
    """The cause with lines, times and component; the line; what it means, what it is not, the
    commands."""
    told = kpki("diagnose", log, status=1)
    assert (
        told.out
        == f"""\
error    wrong-node-identity  2 lines, 2 to 4, Nov 30 04:14:05 to Nov 30 04:14:09, kubelet
         {LINE}
         the certificate belongs to another node: the API server refuses this node's requests
         NodeRestriction is not the fault: without it, each node may change every other node.
         # this node presents the certificate of worker-1
         # on the host that holds the CA's key:
         $ kpki node issue worker-2 --ca CA --ca-key CA-KEY
         # on worker-2, with that tree:
         $ kpki node install nodes/worker-2 --node worker-2
         $ systemctl restart kubelet
"""
    )
    assert told.err == f"kpki: {log}: 1 cause\n"
    assert kpki("diagnose", log, "--quiet", status=1).err == ""


def test_the_document(kpki: Callable[..., Any], log: Path) -> None:
    """The same as one JSON document."""
    with log.open("a") as end:
        end.write("remote error: tls: handshake failure\n")
    told = json.loads(kpki("diagnose", log, "--json", status=1).out)
    (found,) = told["diagnoses"]
    assert told["unknown"] == [{"line": 5, "text": "remote error: tls: handshake failure"}]
    assert [*found] == [
        "cause",
        "line",
        "count",
        "last_line",
        "time",
        "last_time",
        "component",
        "text",
        "meaning",
        "is_not",
        "follows_from",
        "facts",
        "remedy",
    ]
    assert (found["cause"], found["line"], found["count"], found["component"]) == (
        "wrong-node-identity",
        2,
        2,
        "kubelet",
    )
    assert found["facts"] == {"node": "worker-2", "other": "worker-1"}


def test_a_log_without_a_cause(kpki: Callable[..., Any], log: Path) -> None:
    """The status is 0 without a text; lines that may be about TLS are listed and counted."""
    log.write_text(f"{HEALTHY}\nhttp: TLS handshake error from 10.0.0.1:7: EOF\n")
    told = kpki("diagnose", log)
    assert (told.out, told.err) == ("", f"kpki: {log}: no fault of a certificate\n")
    log.write_text("remote error: tls: handshake failure\n" * 12)
    told = kpki("diagnose", log)
    assert told.out.count("unknown  line ") == 10
    assert told.err == f"kpki: {log}: no fault of a certificate, 12 unknown lines about TLS\n"


def test_standard_input(kpki: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a log, and with -, standard input is the log."""
    for words in ([], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{LINE}\n".encode())))
        told = kpki("diagnose", *words, status=1)
        assert "wrong-node-identity" in told.out and told.err == "kpki: standard input: 1 cause\n"


def test_what_cannot_be_read(kpki: Callable[..., Any], tmp_path: Path) -> None:
    """Status 2, with the file and the fact."""
    assert kpki("diagnose", "gone.log", status=2).refusal() == "gone.log: no such file or directory"
    assert (
        kpki("diagnose", tmp_path, status=2).refusal()
        == f"{tmp_path}: a folder, not a regular file"
    )
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b nothing")
    assert kpki("diagnose", "a.gz", status=2).refusal().startswith("a.gz: broken gzip: ")
    assert (
        kpki("diagnose", "--root", ".", "--workspace", ".", status=2).refusal()
        == "--root and --workspace are two places of files"
    )


def test_the_text_of_a_log_cannot_command_the_terminal(
    kpki: Callable[..., Any], tmp_path: Path
) -> None:
    """Escapes of a hostile log are not printed."""
    (tmp_path / "a.log").write_text(
        "\x1b]0;title\x07open /x/\u202ea.pem: no such file or directory \x1b[2J\n"
    )
    told = kpki("diagnose", "a.log", status=1)
    assert told.out.replace("\n", "").isprintable() and "title" not in told.out


@pytest.mark.parametrize("form", ["a log", "gz", "utf-16", "utf-16-be"])
def test_the_lines_by_hand(kpki: Callable[..., Any], log: Path, form: str) -> None:
    """--explain prints a command for the first line of each cause, whatever the log's form."""
    data = log.read_bytes()
    data = {"a log": data, "gz": gzip.compress(data),
            "utf-16": data.decode().encode("utf-16"),
            "utf-16-be": b"\xfe\xff" + data.decode().encode("utf-16-be")}[form]
    copy = log.with_name(form)
    copy.write_bytes(data)
    found = json.loads(kpki("diagnose", copy, "--json", status=1).out)["diagnoses"]
    lines = re.findall(r"^  (.*sed -n .*)$", kpki("diagnose", copy, "--explain", status=1).err,
                       re.MULTILINE)
    shown = [subprocess.run(["sh", "-ec", line], capture_output=True, text=True, check=True,
                            timeout=60).stdout.strip() for line in lines]
    assert shown == [text for _, text in sorted({(line["line"], line["text"]) for line in found})]


def test_the_commands_against_an_expired_ca_mend_a_host(kpki: Callable[..., Any],
                                                        tmp_path: Path) -> None:
    """Run on a host with the CA's key, they give the CA and all that ended with it new dates."""
    kpki("apply", "--example", "--quiet")
    host, now = tmp_path / "host", utc_now()
    shutil.copytree(tmp_path / "nodes/cp-1", host)
    (tmp_path / "cluster.yaml").unlink()        # this folder is no workspace any more
    files = [host / "etc/kubernetes/pki" / name for name in ("ca.crt", "ca.key")]
    ended = renewed_authority(load_certificate(files[0].read_bytes()),
                              load_key(files[1].read_bytes()), now=now - timedelta(days=9),
                              validity=timedelta(days=2))
    old, new = files[0].read_bytes(), dump_certificate(ended)
    for path in host.rglob("*"):        # the file, and the kubeconfigs
        if path.is_file():
            data = path.read_bytes().replace(old, new)
            path.write_bytes(data.replace(base64.b64encode(old), base64.b64encode(new)))
    assert "expired-ca" in kpki("check", host, "--node", "cp-1", status=1).out
    commands = [line for line in remedy_of("expired-ca", ()) if line.startswith("kpki ")]
    for command in commands:
        words = [str(host) if word == "/" else word for word in command.split()[1:]]
        kpki(*words)
    assert [command.split()[1] for command in commands] == ["renew", "renew"]
    assert "nothing wrong" in kpki("check", host, "--node", "cp-1").err
