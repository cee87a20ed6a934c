"""`kpki script`: the script on stdout, words on stderr, nothing changed."""
from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki import pem
from kpki.cluster.desired.example import example_description

Kpki = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cluster.yaml").write_text(example_description("hard-way"))
    return tmp_path


def sh(folder: Path, script: str) -> int:
    return subprocess.run(["sh"], cwd=folder, input=script, text=True, capture_output=True,
                          timeout=60, check=False).returncode


def test_the_script_is_on_stdout_and_does_what_plan_shows(kpki: Kpki, folder: Path) -> None:
    """Nothing is changed by asking; once it has run, plan has nothing to do, and the next script is
    an empty one."""
    told = kpki("script")
    assert (told.out.startswith("#!/bin/sh\n")
            and [path.name for path in folder.iterdir()] == ["cluster.yaml"])
    assert told.err == ("kpki: nothing was changed; the script does it, with openssl 3.0 or newer: "
                        "kpki script > script.sh; sh script.sh\n")
    kpki("plan", status=1)
    assert sh(folder, told.out) == 0
    kpki("plan")
    assert "# There is nothing to do." in kpki("script").out
    assert sh(folder, told.out) == 1


def test_json_is_one_document(kpki: Kpki, folder: Path) -> None:
    """--json holds the same text."""
    plain = kpki("script", "--quiet").out
    assert json.loads(kpki("script", "--json").out) == {"script": plain}


def test_quiet(kpki: Kpki, folder: Path) -> None:
    """--quiet has no words beside the script."""
    assert kpki("script", "--quiet").err == ""


LAYOUTS = ("kubeadm", "ssl", "hard-way")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_explain_counts_what_the_script_makes(kpki: Kpki, tmp_path: Path, layout: str) -> None:
    """--explain says what the steps of this script make, first all, then what was wrong; at last
    that there is nothing to do. The script is the same as without."""
    (tmp_path / "cluster.yaml").write_text(example_description(layout))
    for _ in range(2):
        told = kpki("script", "--explain")
        assert told.out == kpki("script").out
        before = made(tmp_path)
        assert sh(tmp_path, told.out) == 0
        new = {kind: len(found - before[kind]) for kind, found in made(tmp_path).items()}
        said = {what: int(count) for count, what in re.findall(r"^- (\d+) ([a-zA-Z]+?)s?:",
                                                                told.err, re.MULTILINE)}
        assert said == {kind: count for kind, count in new.items() if count}
        pair = next(path for path in tmp_path.rglob("*") if re.search(r"/etcd/server\.crt$|"
                    r"/etcd-server\.(pem|crt)$", str(path)))
        pair.write_text("x")
    assert said == {"certificate": 1, "backup": 1}
    pair.write_text("x")
    kpki("apply")
    assert "The script has no steps" in kpki("script", "--explain").err


def made(workspace: Path) -> dict[str, set[object]]:
    """The private keys, CAs, leaves, kubeconfigs and saved files of a workspace."""
    found = dict[str, set[object]]((kind, set()) for kind in (
        "key", "CA", "certificate", "kubeconfig", "backup"))
    for path in (path for path in workspace.rglob("*") if path.is_file()):
        if "backup" in path.parts:
            found["backup"].add(path)
            continue
        data = path.read_bytes()
        if b"kind: Config\n" in data:
            found["kubeconfig"].add(path)
            data = b"".join(base64.b64decode(text) for text in re.findall(
                rb"client-[a-z]*-data: *(\S+)", data))
        for block in re.findall(rb"-----BEGIN .*?-----END [A-Z ]+-----\n", data, re.DOTALL):
            if b"PRIVATE KEY" in block:
                found["key"].add(block)
            elif b"CERTIFICATE" in block:
                ca = pem.load_certificate(block)
                found["CA" if ca.issuer == ca.subject else "certificate"].add(block)
    return found


def test_another_folder_is_named_in_the_words(kpki: Kpki, folder: Path) -> None:
    """The words say how it is run in a workspace elsewhere, quoted for sh."""
    there = folder / "a workspace"
    there.mkdir()
    (folder / "cluster.yaml").rename(there / "cluster.yaml")
    told = kpki("script", "a workspace")
    assert told.err.endswith("kpki script 'a workspace' > 'a workspace/script.sh'; cd 'a "
                             "workspace'; sh script.sh\n")
    assert "a workspace" not in told.out


def test_no_description_is_one_message(kpki: Kpki, tmp_path: Path) -> None:
    """A folder without cluster.yaml, or with a wrong one: one message, exit 2, nothing on
    stdout."""
    assert kpki("script", status=2).refusal().startswith("cluster.yaml: there is no such file")
    (tmp_path / "cluster.yaml").write_text("nodes: 1\n")
    assert kpki("script", status=2).refusal().startswith("cluster.yaml: line 1: ")


def test_given_cas_are_read_from_the_workspace(kpki: Kpki, folder: Path, pki: Path) -> None:
    """A CA's paths count from the workspace; one that is unreadable is one message, an encrypted
    one wants nothing."""
    (folder / "ca.pem").write_bytes((pki / "ca.pem").read_bytes())
    (folder / "ca.key").write_bytes((pki / "ca-encrypted.key").read_bytes())
    description, given = folder / "cluster.yaml", "{kubernetes: {certificate: ca.pem, key: ca.key}}"
    text = re.sub(r"(?m)^certificateAuthorities: .*$", f"certificateAuthorities: {given}",
                  description.read_text())
    assert given in text
    description.write_text(text)
    assert "PASSIN" in kpki("script").out
    kpki("script", "--passin", "pass:secret")
    assert "ca.key" in kpki("script", "--passin", "pass:wrong", status=2).refusal()
    (folder / "ca.pem").write_bytes(b"")
    assert kpki("script", status=2).refusal().startswith("ca.pem: ")
