"""`--explain` of `kpki node`: the commands end with the files that kpki writes, and harm none."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ordinary_user.user import GID, UID, OrdinaryUser
from tests.support.by_hand import block_of, contents, files_of, rights, run_all, unlike

Kpki = Callable[..., Any]
LAYOUTS = ("ssl", "kubeadm", "hard-way")
CA = ("--ca", "a ca/ca.pem", "--ca-key", "a ca/ca.key")
NODE = ("--address", "10.0.0.21", "--server", "https://10.0.0.10:6443")
# The files of the kubelet's row: key, certificate, kubeconfig.
FILES = {
    "ssl": ("etc/kubernetes/ssl/worker-key.pem", "etc/kubernetes/ssl/worker.pem",
            "etc/kubernetes/worker-kubeconfig.yaml"),
    "kubeadm": ("etc/kubernetes/kubelet.conf",) * 3,
    "hard-way": ("var/lib/kubelet/kubelet.key", "var/lib/kubelet/kubelet.crt",
                 "var/lib/kubelet/kubeconfig"),
}


@pytest.fixture
def here(tmp_path: Path, pki: Path) -> Path:
    """A folder with a CA."""
    (tmp_path / "a ca").mkdir()
    for name in ("ca.pem", "ca.key"):
        shutil.copy(pki / name, tmp_path / "a ca")
    return tmp_path


def by_hand(kpki: Kpki, here: Path, *words: str, keys: bool) -> Path:
    """Run kpki, and in a copy of the folder the commands that kpki prints: the copy.

    All files, modes and owners are the same, but for serial numbers, dates, signatures, and, unless
    *keys* stay, keys.
    """
    copy = here.with_name(f"{here.name}-copy") / "by hand"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(here, copy, symlinks=True)
    for path in (here, *here.rglob("*")):
        os.chown(copy / path.relative_to(here), *path.lstat()[4:6], follow_symlinks=False)
    told = kpki(*words, "--explain")
    assert "PRIVATE KEY" not in told.err
    run_all(told.err, copy)
    assert not unlike(rights(copy), rights(here))
    assert not unlike(contents(copy, keys=keys), contents(here, keys=keys))
    ours, theirs = files_of(here), files_of(copy)
    assert {path for path in ours if ours[path] != theirs[path]
            and path not in contents(here) and not path.endswith((".tar", ".csr"))} \
        == ({path for path in ours if path.endswith((".key", "-key.pem"))
             and not path.startswith("a ca")} if not keys else set())
    assert_that_nothing_is_overwritten(told.err, here)
    return copy


def assert_that_nothing_is_overwritten(told: str, folder: Path) -> None:
    """Once more, after kpki: the commands stop, or the replaced files are in the backup."""
    before = files_of(folder)
    done = subprocess.run(["sh"], input=block_of(told), cwd=folder, capture_output=True, text=True,
                          timeout=60, check=False)
    saved = {path.read_bytes() for path in folder.glob("**/backup/**/*") if path.is_file()}
    if "for new in" in told:
        assert done.returncode == 1 and "the file is there already" in done.stderr
        assert files_of(folder) == before
    assert all(files_of(folder)[path] == was or was[1] in saved for path, was in before.items())
    assert not (folder / "by-hand").exists()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("out", ["nodes", "a b/c/"])
def test_issue(kpki: Kpki, here: Path, layout: str, out: str) -> None:
    """A new tree: the same paths and modes in each layout, below any folder."""
    copy = by_hand(kpki, here, "node", "issue", "w", *CA, *NODE, "--layout", layout, "--out", out,
                   keys=False)
    findings = json.loads(kpki("check", copy / out / "w", "--json").out)["findings"]
    assert [finding["cause"] for finding in findings] == ["strict-refused"]     # the CA's own


# What befalls the tree, and whether the key stays in a file and inside a kubeconfig.
BEFALLS = {
    "no certificate": ('rm "$certificate"', True, False),
    "no key": ('rm "$key"', False, False),
    "an empty key": (': > "$key"', False, False),
    "no kubeconfig": ('rm "$kubeconfig"', True, False),
    "a link that leads nowhere": ('ln -sf none "$certificate"', True, False),
    "a folder": ('rm "$certificate"; mkdir "$certificate"', True, False),
    "an exposed key": ('chmod 644 "$key"', True, True),
    "a key in another form": ('cp "$key" old; openssl pkey -in old -out "$key" || cp old "$key"; '
                              'chmod 644 "$key"', True, True),
    "another's files": (f'echo >> "$kubeconfig"; echo x > "$certificate"; '
                        f'chown {UID}:{GID} "$certificate" "$kubeconfig"', True, False),
    "a stricter mode": ('echo x > "$certificate"; chmod 600 "$certificate"', True, False),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", BEFALLS)
def test_issue_again(kpki: Kpki, here: Path, layout: str, case: str) -> None:
    """What is wrong or missing is made, what is right stays, and owners stay."""
    befall, stays, embedded_stays = BEFALLS[case]
    words = ("node", "issue", "w", *CA, *NODE, "--layout", layout)
    kpki(*words)
    paths = dict(zip(("key", "certificate", "kubeconfig"), FILES[layout], strict=True))
    subprocess.run(["sh", "-ec", befall], cwd=here / "nodes/w", check=True, timeout=60,
                   env=os.environ | paths)
    by_hand(kpki, here, *words, keys=embedded_stays if layout == "kubeadm" else stays)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("row", ["", "apiserver", "admin"])
def test_renew(kpki: Kpki, here: Path, layout: str, row: str) -> None:
    """--renew gives a new certificate to the key that is there; a second run has no commands."""
    words = ("node", "issue", "w", *CA, *NODE, "--layout", layout,
             *(("--row", row) if row else ()))
    by_hand(kpki, here, *words, keys=False)
    by_hand(kpki, here, *words, "--renew", keys=True)
    assert "openssl x509" not in kpki(*words, "--explain").err


@pytest.mark.parametrize("algorithm", ["RSA-3072", "ECDSA-P384"])
def test_another_algorithm(kpki: Kpki, here: Path, algorithm: str) -> None:
    """A key of another algorithm takes the place of the old key, which is in the backup."""
    words = ("node", "issue", "w", *CA, *NODE)
    kpki(*words)
    copy = by_hand(kpki, here, *words, "--algorithm", algorithm, keys=False)
    assert len([*copy.glob("backup/*/nodes/w/etc/kubernetes/ssl/worker-key.pem")]) == 1
    head = (copy / "nodes/w" / FILES["ssl"][0]).read_bytes().split(b"\n")[0]
    assert head == (here / "nodes/w" / FILES["ssl"][0]).read_bytes().split(b"\n")[0]


def test_archive(kpki: Kpki, here: Path) -> None:
    """The archive has the same members."""
    copy = by_hand(kpki, here, "node", "issue", "w", *CA, *NODE, "--archive", keys=False)
    found = []
    for folder in (here, copy):
        with tarfile.open(folder / "nodes/w.tar") as archive:
            found.append({(member.name, member.mode) for member in archive if member.isfile()})
    assert found[0] == found[1] and len(found[0]) == 4
    kpki("node", "install", copy / "nodes/w.tar", "--node", "w", "--root", copy)


def test_example(kpki: Kpki, tmp_path: Path) -> None:
    """The throw-away CA is made by hand, too, if it was not there."""
    told = kpki("node", "issue", "w", "--example", "--explain").err
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    copy.mkdir()
    run_all(told, copy)
    assert not unlike(rights(copy), rights(tmp_path))
    assert "nothing wrong" in kpki("check", copy / "example/nodes/w").err
    assert_that_nothing_is_overwritten(told, tmp_path)
    assert "openssl req -x509" not in kpki("node", "issue", "v", "--example", "--explain").err


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_bundle(kpki: Kpki, here: Path, pki: Path, which: str) -> None:
    """Of a bundle the certificate of the key signs; hosts get the whole bundle, cleared of text."""
    ca, other = ((name / "ca.pem").read_bytes() for name in (here / "a ca", pki))
    other = (pki / "other.pem").read_bytes()
    (here / "a ca/ca.pem").write_bytes(b"# two CAs\n" + (
        ca + other if which == "first" else other + ca))
    by_hand(kpki, here, "node", "issue", "w", *CA, *NODE, keys=False)


def test_the_end_of_the_ca(kpki: Kpki, here: Path, pki: Path) -> None:
    """No certificate outlives its CA."""
    words = ("--ca", str(pki / "short.pem"), "--ca-key", str(pki / "other.key"))
    by_hand(kpki, here, "node", "issue", "w", *words, *NODE, keys=False)


def test_a_passphrase(kpki: Kpki, here: Path, pki: Path) -> None:
    """A source that is no secret is named; openssl asks for another."""
    (here / "secret").write_text("secret\n")
    words = ("node", "issue", "w", "--ca", str(pki / "ca.pem"), "--ca-key",
             str(pki / "ca-encrypted.key"), *NODE)
    by_hand(kpki, here, *words, "--passin", "file:secret", keys=False)
    told = kpki(*words, "--out", "other", "--passin", "pass:secret", "--explain")
    assert "openssl x509 -req" in told.err and "-passin" not in told.err


@pytest.mark.parametrize("layout", LAYOUTS)
def test_request_and_sign(kpki: Kpki, here: Path, layout: str) -> None:
    """The key in its place, the request and the answer beside the tree; a second run of request
    has no commands, one of sign keeps the old answer."""
    names = ("w", "--address", "10.0.0.21", "--layout", layout)
    copy = by_hand(kpki, here, "node", "request", *names, keys=False)
    for folder in (here, copy):
        told = subprocess.run(["openssl", "req", "-in", folder / "nodes/w.csr", "-noout", "-text",
                               "-verify"], capture_output=True, text=True, timeout=60, check=True)
        assert "verify OK" in told.stderr and "IP Address:10.0.0.21" in told.stdout
    assert "openssl req" not in kpki("node", "request", *names, "--explain").err
    (here / "nodes/w.csr").unlink()
    by_hand(kpki, here, "node", "request", *names, keys=True)
    for _ in range(2):
            by_hand(kpki, here, "node", "sign", "nodes/w.csr", "--node", *names, *CA, keys=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_install(kpki: Kpki, here: Path, layout: str) -> None:
    """Another node's files go to the host's backup, and the new files have the old owners."""
    for name, folder in (("old", "nodes"), ("w", "nodes")):
        kpki("node", "issue", name, *CA, *NODE, "--layout", layout, "--out", folder)
    shutil.copytree(here / "nodes/old", here / "root")
    (here / "root/var/lib").mkdir(parents=True, exist_ok=True)
    for path in (here / "root" / path for path in FILES[layout]):
        os.chown(path, UID, GID)
        path.chmod(0o600)
    copy = by_hand(kpki, here, "node", "install", "nodes/w", "--node", "w", "--root", "root",
                   keys=True)
    saved = [path.read_bytes() for path in copy.glob("root/var/lib/kpki/backup/**/*")
             if path.is_file()]
    assert (here / "nodes/old" / FILES[layout][0]).read_bytes() in saved


def test_install_a_key_in_another_form(kpki: Kpki, here: Path) -> None:
    """The host's own key in PKCS#8 is written anew, from the file that is in its place."""
    kpki("node", "request", "w", "--address", "10.0.0.21")
    kpki("node", "sign", "nodes/w.csr", "--node", "w", "--address", "10.0.0.21", *CA)
    key = here / "root" / FILES["ssl"][0]
    key.parent.mkdir(parents=True)
    subprocess.run(["openssl", "pkey", "-in", here / "nodes/w" / FILES["ssl"][0], "-out", key],
                   check=True, timeout=60)
    shutil.rmtree(here / "nodes/w")
    by_hand(kpki, here, "node", "install", "nodes/w.pem", "--node", "w", "--root", "root",
            *NODE[2:], "--key", f"root/{FILES['ssl'][0]}", keys=True)


def test_as_an_ordinary_user(ordinary_user: OrdinaryUser, pki: Path) -> None:
    """A user without power over others' files can run the commands."""
    home = ordinary_user.home
    for name in ("ca.pem", "ca.key"):
        ordinary_user.give(Path(shutil.copy(pki / name, home)))
    told = ordinary_user.run("node", "issue", "w", "--ca", "ca.pem", "--ca-key", "ca.key", *NODE,
                             "--explain")
    before = rights(home)
    shutil.rmtree(home / "nodes")
    done = ordinary_user.program("sh", "-c", block_of(told.err))
    assert done.status == 0, done.err
    assert rights(home) == before and (home / "nodes").stat().st_uid == UID
