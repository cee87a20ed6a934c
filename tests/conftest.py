"""Ending a piece of work at any of its calls to the disk: for whatever must leave whole files behind."""
from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

Act = Callable[[str, "partial[object]"], object]
AtCall = Callable[..., AbstractContextManager[list[str]]]

CHANGING = ("open", "write", "fsync", "fchmod", "fchown", "rename", "link", "symlink", "mkdir", "chmod", "unlink",
            "rmdir")


@pytest.fixture
def at_call(monkeypatch: pytest.MonkeyPatch) -> AtCall:
    """`with at_call(nth, act) as calls:` the *nth* call to the disk, of those that change something or of *names*, is
    *act*'s, which gets its name and the call itself; with *on* every one from there. *calls* are the names so far.

    The files room calls the disk by `os.NAME` alone, so that each call can be counted.
    """
    @contextmanager
    def counted(nth: int, act: Act, names: Sequence[str] = CHANGING, *, on: bool = False) -> Iterator[list[str]]:
        calls: list[str] = []

        def wrap(name: str) -> Callable[..., object]:
            real = getattr(os, name)

            def call(*args: object, **kwargs: object) -> object:
                calls.append(name)
                if len(calls) == nth or on and len(calls) > nth:
                    return act(name, partial(real, *args, **kwargs))
                return real(*args, **kwargs)
            return call
        with monkeypatch.context() as inner:
            wrapped = {name: wrap(name) for name in names}
            for name, call in wrapped.items():
                inner.setattr(os, name, call)
            yield calls
    return counted


@pytest.fixture
def killed_at(at_call: AtCall) -> Callable[[int, Callable[[], object]], bool]:
    """Do the work in a child that SIGKILL ends at its *nth* call, a write when half of it is done; whether it came so
    far. Without it the child must end well."""
    def die(name: str, real: partial[object]) -> object:
        if name == "write":
            descriptor, data = real.args
            real.func(descriptor, data[:len(data) // 2])    # type: ignore[index, arg-type]
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    def run(nth: int, work: Callable[[], object]) -> bool:
        child = os.fork()
        if child == 0:
            try:
                with at_call(nth, die):
                    work()
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL or status == 0
        return status != 0
    return run
