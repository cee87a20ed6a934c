"""Calls to the disk, counted: a failure, an interrupt or a power cut at any of them."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

Act = Callable[[str, "partial[object]"], object]
AtCall = Callable[..., AbstractContextManager[list[str]]]

CHANGING = ("open", "write", "fsync", "fchmod", "fchown", "rename", "link", "symlink", "mkdir",
            "chmod", "unlink", "rmdir")


def counting(monkeypatch: pytest.MonkeyPatch) -> AtCall:
    """`with at_call(nth, act) as calls:` the *nth* call to the disk, of those that change something
    or of *names*, is *act*'s, which gets its name and the call itself; with *on* every one from
    there. *calls* are the names so far.

    The files room calls the disk by `os.NAME` alone, so that each call can be counted.
    """
    @contextmanager
    def counted(nth: int, act: Act, names: Sequence[str] = CHANGING, *,
                on: bool = False) -> Iterator[list[str]]:
        calls: list[str] = []

        def wrap(name: str) -> Callable[..., object]:
            real = getattr(os, name)

            def call(*args: object, **kwargs: object) -> object:
                calls.append(name)
                if len(calls) == nth or (on and len(calls) > nth):
                    return act(name, partial(real, *args, **kwargs))
                return real(*args, **kwargs)
            return call
        with monkeypatch.context() as inner:
            wrapped = {name: wrap(name) for name in names}
            for name, call in wrapped.items():
                inner.setattr(os, name, call)
            yield calls
    return counted


def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs are calls like all others, without the wait: nobody cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "sync", lambda: None)
