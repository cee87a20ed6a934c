"""What a disk refuses once the files are in place is a warning of every command that writes, and
the status is 0."""
from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.files import output, tree
from kpki.files.rooted import Rooted

Run = Callable[..., Any]
WARNING = re.compile(r"^kpki: warning: (\S+): the change is done, but could not be made durable: "
                     r"input/output error; a loss of power may undo the change$", re.MULTILINE)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is made durable from the first rename of a batch on."""
    rename, leave, renamed = os.rename, Rooted.__exit__, list[str]()

    def noted(name: str, *rest: Any, **more: Any) -> None:
        renamed.append(name)
        rename(name, *rest, **more)

    def refuse(folder: int) -> None:
        if renamed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def left(tree: Rooted, *raised: Any) -> None:
        renamed.clear()
        leave(tree, *raised)
    monkeypatch.setattr(os, "rename", noted)
    monkeypatch.setattr(Rooted, "__exit__", left)
    for module, name in ((tree, "sync_folder"), (tree, "sync_file_system"),
                         (output, "sync_folder")):
        monkeypatch.setattr(module, name, refuse)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("words", [
    "genpkey -algorithm ED25519 -out f", "genpkey -algorithm ED25519 -out f --quiet", "init w",
    "node issue a --example", "node request a --address 10.0.0.1"])
def test_a_new_file_that_may_not_last_is_told(kpki: Run, words: str) -> None:
    """By its path, on stderr."""
    assert WARNING.findall(kpki(*words.split()).err)


def test_so_it_is_of_those_that_need_files(
    issue: Run, kpki: Run, pki: Path, request: pytest.FixtureRequest, tmp_path: Path,
) -> None:
    """node sign, node install and apply."""
    issue()
    kpki("node", "request", "worker-2", "--address", "10.0.0.22")
    (tmp_path / "root").mkdir()
    request.getfixturevalue("late")
    for words in (("node", "sign", "nodes/worker-2.csr", "--node", "worker-2", "--address",
                   "10.0.0.22", "--ca", pki / "other.pem", "--ca-key", pki / "other.key"),
                  ("node", "install", "nodes/worker-1", "--node", "worker-1", "--root", "root")):
        assert WARNING.findall(kpki(*words).err), words


def test_apply_tells_each_once(kpki: Run, request: pytest.FixtureRequest,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a batch; and --quiet, which is for warnings too, is quiet."""
    kpki("init", "w")
    request.getfixturevalue("late")
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    told = WARNING.findall(kpki("apply", "w").err)
    assert told and len(told) == len(set(told))
    assert not WARNING.findall(kpki("apply", "--example", "v", "--quiet").err)


@pytest.mark.parametrize("verb", ["genrsa", "genpkey", "req"])
def test_a_key_into_another_user_s_file_is_refused(
    kpki: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str,
) -> None:
    """By -out and by -keyout: the file and its owner are named, and the file stays."""
    (tmp_path / "k").write_text("old")
    (tmp_path / "k").chmod(0o666)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    words = {"genrsa": "genrsa -out k 2048", "genpkey": "genpkey -algorithm ED25519 -out k",
             "req": "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x "
             "-keyout k -out c"}[verb]
    assert kpki(*words.split(), status=1).err.startswith("kpki: k: the file belongs to the user ")
    assert (tmp_path / "k").read_text() == "old" and not (tmp_path / "c").exists()
