"""Work on all processors: processes work on batches, the results have the batches' order."""
from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ...errors import FileError, KpkiError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import FrameType

Batch = TypeVar("Batch")
Result = TypeVar("Result")
_PULSE = 0.25   # seconds after which a child checks again that its parent is alive


def in_turn(work: Callable[[Batch], Result], batches: Sequence[Batch],
            processes: int) -> Iterator[Result]:
    """The result of *work* for each batch, in order, from as many *processes*.

    One process means this process alone. The processes are forked: *work* sees this process's
    memory, its changes stay in the child, and its result is sent back. A child's KpkiError is
    raised again. The children end with this process and with the iterator; an unfinished batch is
    undone, as after Control-C. Raises FileError if a child ended early.
    """
    import threading
    processes = min(processes, len(batches))
    # with threads no fork: a child would never get a lock that another thread holds
    if processes < 2 or threading.active_count() > 1:
        yield from map(work, batches)
        return
    from multiprocessing import get_context
    context, children = get_context("fork"), []
    try:
        for number in range(processes):
            reader, writer = context.Pipe(duplex=False)
            child = context.Process(target=_serve,
                                    args=(work, batches[number::processes], writer, os.getpid()))
            children.append((child, reader))
            child.start()
            writer.close()      # the child has the only writer: recv raises EOFError when it ends
        for number in range(len(batches)):
            child, reader = children[number % processes]
            try:
                result = reader.recv()
            except EOFError:
                child.join()
                raise FileError("a process that worked on some of the hosts ended early "
                                f"({_ending(child.exitcode)})",
                                hint="run the command again: finished hosts stay") from None
            if isinstance(result, KpkiError):
                raise result
            yield result
    finally:
        for child, reader in children:
            reader.close()
            if child.pid is not None:
                child.terminate()
                child.join()


def _ending(code: int | None) -> str:
    """How a process ended, for a message."""
    if code is None or code >= 0:
        return f"status {code}"
    return signal.strsignal(-code) or f"signal {-code}"


def _serve(work: Callable[[Batch], Result], batches: Sequence[Batch], writer: Connection,
           parent: int) -> None:
    """Work on the batches in a child process, and send each result.

    The first signal interrupts the work. Later signals are ignored: they would interrupt the way
    back of the unfinished batch, or the end of the process.
    """
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise KeyboardInterrupt

    def end_with_parent(number: int, frame: FrameType | None) -> None:
        # a killed parent: this child still holds its lock
        if os.getppid() != parent:
            interrupt(number, frame)

    with suppress(KeyboardInterrupt, BrokenPipeError):      # the parent reports its own error
        signal.signal(signal.SIGTERM, interrupt)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:   # a shell's background job
            signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGALRM, end_with_parent)
        signal.setitimer(signal.ITIMER_REAL, _PULSE, _PULSE)
        try:
            for batch in batches:
                writer.send(work(batch))
        except KpkiError as error:
            writer.send(error)
        _ignore_signals()


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
