"""`rotate --explain`: the commands of a phase write what kpki writes."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.by_hand import block_of, contents, files_of, rights, run_all, unlike

Kpki = Callable[..., Any]
WORKSPACE = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
{more}
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
"""
EC, RSA = "encryptionAlgorithm: ECDSA-P256", "encryptionAlgorithm: RSA-2048"
# The options of each step, and the phase after the step. In some layouts the first step gives the
# controller manager a file of its own; the phase begins after it.
_FIRST = (("", "before"),)
_CA = (("", "trust"), ("", "switch"), ("", "forget"))
_KEY = (("", "publish"), ("", "sign"), ("", "retire"))
_BACK = (("--back", "switch"), ("--back", "trust"), ("--back", "before"))
_KEY_BACK = (("--back", "sign"), ("--back", "publish"), ("--back", "before"))
# What is exchanged, the layout, the description, a shell's preparation, and the steps.
ROTATIONS = {
    "the CA": ("ca", "ssl", EC, "", _FIRST + _CA),
    "the CA, in kubeconfigs": ("ca", "kubeadm", EC, "", _FIRST + _CA),
    "etcd's CA": ("etcd-ca", "hard-way", EC, "", _CA),
    "the front proxy's CA": ("front-proxy-ca", "kubeadm", EC, "", _CA),
    "the service accounts' key": ("service-accounts", "kubeadm", EC, "", _KEY),
    "the service accounts' key, in other files": ("service-accounts", "hard-way", EC, "", _KEY),
    "a CA, back": ("ca", "hard-way", EC, "", _FIRST + _CA + _BACK),
    "a key, back": ("service-accounts", "ssl", EC, "", _KEY + _KEY_BACK),
    "once more": ("etcd-ca", "kubeadm", EC, "", (*_CA, ("--to=trust", "trust"), ("", "switch"))),
    "an RSA CA": ("ca", "kubeadm", RSA, "", _FIRST + _CA),
    "an RSA key": ("service-accounts", "ssl", RSA, "", _KEY),
    "an encrypted CA": ("ca", "kubeadm", EC, "LOCK ca", _CA + _BACK),
    "an encrypted RSA CA, in files": ("etcd-ca", "ssl", RSA, "LOCK etcd/ca", _CA),
    "the kubelet's store": ("ca", "kubeadm", EC, """
cd nodes/worker-1
mkdir -p var/lib/kubelet/pki
for field in client-certificate client-key; do
    sed -n "s/.*$field-data: //p" etc/kubernetes/kubelet.conf | openssl base64 -d -A
done > var/lib/kubelet/pki/kubelet-client-1.pem
chmod 600 var/lib/kubelet/pki/kubelet-client-1.pem
current=var/lib/kubelet/pki/kubelet-client-current.pem
ln -s kubelet-client-1.pem $current
sed -i "s|\\(client-[a-z]*\\)-data:.*|\\1: /$current|" etc/kubernetes/kubelet.conf
""", _FIRST + _CA + _BACK),
    "the kubelet's store of its server": ("ca", "kubeadm", f"{EC}\nkubeletServing: true", """
cd nodes/worker-1/var/lib/kubelet/pki
cat kubelet.crt kubelet.key > kubelet-server-1.pem
chmod 600 kubelet-server-1.pem
rm kubelet.crt kubelet.key
ln -s kubelet-server-1.pem kubelet-server-current.pem
cat > ../config.yaml <<'END'
kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
serverTLSBootstrap: true
rotateCertificates: true
authentication: {x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}}
END""", _FIRST + _CA),
}
# An encrypted CA's key is on no host.
_LOCK = """
echo secret > secret
openssl pkcs8 -topk8 -in pki/{0}.key -passout file:secret -out locked
mv locked pki/{0}.key
rm -r nodes"""
_OF_NEW_KEY = re.compile(r"-next\.(key|pub)$|/sa\.pub$|/service-accounts?\.(pem|pub)$")


def prepare(kpki: Kpki, folder: Path, case: str) -> tuple[str, ...]:
    """A workspace for a case; the options that the command needs."""
    _, layout, more, preparation, _ = ROTATIONS[case]
    (folder / "cluster.yaml").write_text(WORKSPACE.format(layout=layout, more=more))
    kpki("apply", "--quiet")
    kpki("kubeconfig", "alice", "--group", "dev", "--out", "users/alice.conf")
    for file in folder.glob("nodes/worker-1/**/ca.*"):
        file.write_bytes(file.read_bytes().rstrip())
    locked = preparation.startswith("LOCK ")
    script = _LOCK.format(preparation.removeprefix("LOCK ")) if locked else preparation
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True, timeout=60)
    if locked:
        kpki("apply", "--passin", "file:secret", "--quiet")
    return ("--passin", "file:secret") if locked else ()


def compare(copy: Path, folder: Path, told: str) -> None:
    """What the commands wrote is what kpki wrote, but for a new key and new certificates."""
    makes = "-genkey" in told or "openssl genrsa" in told
    assert not unlike(rights(copy), rights(folder))
    assert not unlike(contents(copy, keys=not makes), contents(folder, keys=not makes))
    by_hand, by_kpki = files_of(copy), files_of(folder)
    others = {path for path in by_hand if by_hand[path] != by_kpki[path]} - {*contents(copy)}
    assert not [path for path in others if not (makes and _OF_NEW_KEY.search(path))]


@pytest.mark.parametrize("case", ROTATIONS)
def test_rotate(kpki: Kpki, tmp_path: Path, case: str) -> None:
    """The commands of each phase write the same files with the same modes: all is equal but a new
    key, and serial number, dates and signature of a new certificate. The old files are saved."""
    authority, steps = ROTATIONS[case][0], ROTATIONS[case][-1]
    options = prepare(kpki, tmp_path, case)
    # check knows the description's own pair only, and no store of a server
    known = ["file-missing"] * 2 if "of its server" in case else []
    for number, (option, phase) in enumerate(steps):
        copy = tmp_path.with_name(f"{tmp_path.name}-{number}") / "a copy"
        shutil.copytree(tmp_path, copy, symlinks=True)
        before = files_of(copy)
        told = kpki("rotate", authority, *option.split(), *options, "--explain")
        assert told.out and "PRIVATE KEY" not in told.err
        run_all(told.err, copy)
        compare(copy, tmp_path, told.err)
        after = files_of(copy)
        saved = {path.read_bytes() for path in copy.glob("backup/by-hand.*/**/*")
                 if path.is_file() and not path.is_symlink()}
        assert {data for path, (_, data) in before.items() if isinstance(data, bytes)
                and after.get(path) != before[path]} <= saved
        for place in (copy, tmp_path):
            checked = kpki("check", place, "--json", status=int(bool(known)))
            assert [finding["cause"] for finding in json.loads(checked.out)["findings"]] == known
            state = json.loads(kpki("rotate", authority, "--status", "--json", "--workspace",
                                    place).out)
            assert (state["phase"], state["behind"], state["cut_off"]) == (phase, [], [])


@pytest.mark.parametrize("case", ["the CA, in kubeconfigs", "an encrypted CA", "an RSA key"])
@pytest.mark.parametrize("late", ["worker-1", "cp-1"])
def test_a_phase_that_goes_on(kpki: Kpki, tmp_path: Path, case: str, late: str) -> None:
    """A host that missed a phase gets it: the commands are for that host, and make nothing anew."""
    authority, steps = ROTATIONS[case][0], ROTATIONS[case][-1]
    options = prepare(kpki, tmp_path, case)
    for number, _ in enumerate(steps[:3]):
        tree = tmp_path.with_name(f"{tmp_path.name}-tree") / str(number)
        shutil.copytree(tmp_path / "nodes" / late, tree, symlinks=True)
        kpki("rotate", authority, *options)
        shutil.rmtree(tmp_path / "nodes" / late)
        shutil.copytree(tree, tmp_path / "nodes" / late, symlinks=True)
        copy = tmp_path.with_name(f"{tmp_path.name}-{number}")
        shutil.copytree(tmp_path, copy, symlinks=True)
        told = kpki("rotate", authority, *options, "--explain")
        if told.out:    # an RSA key concerns no worker
            assert "-genkey" not in told.err and "genrsa" not in told.err
            run_all(told.err, copy)
        compare(copy, tmp_path, told.err)


def test_openssl_asks_for_a_passphrase(kpki: Kpki, tmp_path: Path) -> None:
    """Without a source that may be printed, openssl asks, and a wrong answer changes no file."""
    options = prepare(kpki, tmp_path, "an encrypted CA")
    kpki("rotate", "ca", *options)
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copy, symlinks=True)
    shutil.copytree(tmp_path, kept := tmp_path.with_name(f"{tmp_path.name}-kept"), symlinks=True)
    told = kpki("rotate", "ca", "--passin", "pass:secret", "--explain")
    assert "secret" not in told.err
    asked = told.err.count("openssl x509 -req")
    assert asked
    for answer, status in (("wrong", 1), ("secret", 0)):
        typed = subprocess.run(
            [sys.executable, "-c", _TYPE, block_of(told.err), answer], cwd=copy, timeout=120,
            capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "SSL_CERT_FILE": os.devnull})
        assert typed.returncode == status, typed.stdout
        if answer == "wrong":
            assert not [path for path in unlike(files_of(copy), files_of(kept))
                        if path.startswith("nodes/")]
            assert not (copy / "by-hand").exists()
            shutil.rmtree(copy)
            shutil.copytree(kept, copy, symlinks=True)
    compare(copy, tmp_path, told.err)


# Runs a script on a terminal of its own, and types an answer to each question.
_TYPE = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", sys.argv[1]])
said = b""
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    said += data
    if said.rstrip().endswith(b":") and b"pass phrase" in said.splitlines()[-1]:
        os.write(terminal, sys.argv[2].encode() + b"\\n")
        said += b"\\n"
sys.stdout.write(said.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
