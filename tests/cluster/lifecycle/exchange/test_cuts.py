"""A phase that is cut off at any rename, or meets an error at any call to the disk: safe then, and
finished by the next run."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from kpki.errors import FileError, KpkiError
from tests.cluster.lifecycle.exchange.conftest import (
    LAYOUTS,
    NOW,
    ROWS,
    SMALL,
    TEXT,
    WHOLE,
    content,
    do,
    phases_of,
    reach,
    state,
)
from tests.cluster.lifecycle.exchange.oracle import Oracle
from tests.support.disk import AtCall

RENAMES = ("rename", "unlink")  # the calls that change a file's content under its name
SAMPLE = 19  # without the whole: each 19th cut


def killed(at_call: AtCall, nth: int, work: Callable[[], object]) -> bool:
    """Whether SIGKILL ended the work before its *nth* rename or removal."""

    def die(_name: str, _real: partial[object]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        code = 1
        try:
            with at_call(nth, die, RENAMES):
                work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL)
    return status != 0


def shape(folder: Path) -> dict[str, str]:
    """Every file with its content, but for what another run makes anew: certificates, keys and
    their names."""
    from tests.cluster.lifecycle.exchange.oracle import BLOCK

    return {
        path: str(len(BLOCK.findall(data)))
        if b"BEGIN" in data or b"kind: Config" in data
        else str(hash(data))
        for path, data in content(folder).items()
    }


def finish(folder: Path, row: str, to: str) -> Path:
    """Give the command again until nothing is left to do: the same, or once the way back has begun,
    the phase."""
    phases = ("before", *phases_of(row))
    for _ in range(3):
        found = state(folder, row)
        back = to == "before" or phases.index(found.phase) > phases.index(to)
        if to == "before" and found.new is None:
            assert do(folder, row, back=True).blocked  # which removes what lies beside the files
            return folder
        done = do(folder, row, back=back, to=None if back else to)
        assert not done.blocked, done.blocked
        if not done.steps:
            return folder
    raise AssertionError(f"{to} is not reached")


@pytest.mark.parametrize(
    ("layout", "row"),
    [
        (layout, row)
        for layout in LAYOUTS
        for row in ROWS
        if WHOLE or (layout, row) == ("kubeadm", "ca")
    ],
)
def test_a_kill_at_any_rename_is_safe_and_the_next_run_finishes(
    workspace: Callable[..., Path],
    oracle: Oracle,
    at_call: AtCall,
    tmp_path: Path,
    layout: str,
    row: str,
) -> None:
    """In each copy every host accepts every host; the next run, with no other input, ends as a run
    that was not cut."""
    folder, cuts, step = workspace(layout, TEXT if WHOLE else SMALL), 0, 1 if WHOLE else SAMPLE
    first, second, third = phases_of(row)
    for start, (to, back) in enumerate(
        [(first, False), (second, False), (third, False), (second, True), (first, True),
         ("before", True)]
    ):
        whole = finish(Path(copytree(folder, tmp_path / "whole")), row, to)
        for nth in count(1 + start % step, step):
            cut = Path(copytree(folder, tmp_path / "cut"))
            if not killed(at_call, nth, partial(do, cut, row, back=back)):
                rmtree(cut)
                break
            cuts += 1
            assert oracle.refusals(cut, row, NOW) == []
            finish(cut, row, to)
            assert (
                oracle.refusals(cut, row, NOW) == []
                and state(cut, row).phase == state(whole, row).phase
            )
            assert state(cut, row).behind == () and shape(cut) == shape(whole), (to, nth)
            rmtree(cut)
        rmtree(folder)
        whole.rename(folder)
    assert cuts > ((60 if row != "service-accounts" else 40) if WHOLE else 2)


@pytest.mark.parametrize("phase", ["trust", "switch", "forget"])
def test_an_error_at_any_call_names_the_file_and_the_next_run_finishes(
    workspace: Callable[..., Path],
    oracle: Oracle,
    at_call: AtCall,
    tmp_path: Path,
    phase: str,
) -> None:
    """No space, a read-only disk, a failed sync: each file is old or new and whole; nothing is left
    beside the files."""
    numbers, failed = (errno.ENOSPC, errno.EROFS, errno.EIO), 0
    folder = reach(
        workspace(text=SMALL), {"trust": "before", "switch": "trust", "forget": "switch"}[phase]
    )
    for nth in count(1) if WHOLE else (4 * 2**number for number in count()):
        cut, number = Path(copytree(folder, tmp_path / "cut")), numbers[nth % 3]

        def refuse(_name: str, _real: partial[object], number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        with at_call(nth, refuse) as calls:
            try:
                do(cut)
            except KpkiError as error:
                failed += 1
                assert isinstance(error, FileError) and str(cut) in error.message
        assert oracle.refusals(cut, "ca", NOW) == []
        finish(cut, "ca", phase)
        assert oracle.refusals(cut, "ca", NOW) == [] and state(cut).phase == phase
        assert [path for path in content(cut) if ".kpki-" in path] == []
        rmtree(cut)
        if len(calls) < nth:
            break
    assert failed


def test_what_cannot_be_read_stops_all(
    workspace: Callable[..., Path],
    as_nobody: Callable[[], AbstractContextManager[None]],
    shared_path: Path,
) -> None:
    """A host's file that the caller may not read is named, and nothing is changed."""
    folder = Path(copytree(workspace(text=SMALL), shared_path / "w"))
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    closed = folder / "nodes/w-1/etc/kubernetes/ssl/ca.pem"
    closed.chmod(0)
    before = content(folder) if os.geteuid() == 0 else {}
    with as_nobody(), pytest.raises(FileError, match=r"nodes/w-1/etc/kubernetes/ssl/ca\.pem"):
        do(folder)
    assert before == (content(folder) if before else {})


def test_two_at_once_do_one_phase_after_the_other(
    workspace: Callable[..., Path], oracle: Oracle
) -> None:
    """The second run waits for the lock, reads the files anew, and does what is next then."""
    folder = reach(workspace(text=SMALL), "trust")
    children = []
    for _ in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            code = 1
            try:
                code = bool(do(folder, to="switch").blocked)
            finally:
                os._exit(code)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert state(folder).phase == "switch" and oracle.refusals(folder, "ca", NOW) == []


def test_links_stay_links(workspace: Callable[..., Path], oracle: Oracle) -> None:
    """A host's CA file that is a link keeps the link, and the file behind it gets the CAs."""
    folder = workspace(text=SMALL)
    path = folder / "nodes/w-1/etc/kubernetes/ssl/ca.pem"
    path.rename(path.with_name("real.pem"))
    path.symlink_to("real.pem")
    for phase in ("trust", "switch", "forget"):
        reach(folder, phase)
        assert path.is_symlink() and oracle.refusals(folder, "ca", NOW) == []
