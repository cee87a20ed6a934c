"""Work on all processors: batches handed out to processes, results in the batches' order."""
from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from ...errors import FileError, KpkiError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import FrameType

Batch = TypeVar("Batch")
Result = TypeVar("Result")
_PULSE = 0.25   # seconds between two looks at whether the parent is still there


def in_turn(work: Callable[[Batch], Result], batches: Sequence[Batch], processes: int) -> Iterator[Result]:
    """What *work* makes of each batch, in order, by so many *processes* at once; by this one alone where that is one.

    They are forked, so *work* sees everything as it is here; what it changes stays with it, and its result is sent
    back. A KpkiError of theirs is raised here. They end with this process, and when the iterator is closed: as with
    Control-C, what is begun is undone. Raises FileError where one of them ended before its time.
    """
    import threading
    processes = min(processes, len(batches))
    if processes < 2 or threading.active_count() > 1:   # a lock that another thread holds would be held for ever
        yield from map(work, batches)
        return
    from multiprocessing import get_context
    context, children = get_context("fork"), []
    try:
        for number in range(processes):
            reader, writer = context.Pipe(duplex=False)
            child = context.Process(target=_serve, args=(work, batches[number::processes], writer, os.getpid()))
            children.append((child, reader))
            child.start()
            writer.close()      # the child's alone: where it ends, reading does
        for number in range(len(batches)):
            child, reader = children[number % processes]
            try:
                result = reader.recv()
            except EOFError:
                child.join()
                raise FileError("a process that saw to some of the hosts ended before it was done "
                                f"({_ending(child.exitcode)})", hint="run it again: it goes on from there") from None
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
    return f"status {code}" if code is None or code >= 0 else signal.strsignal(-code) or f"signal {-code}"


def _serve(work: Callable[[Batch], Result], batches: Sequence[Batch], writer: Connection, parent: int) -> None:
    """A child's life."""
    def look_up(number: int, frame: FrameType | None) -> None:
        if os.getppid() != parent:      # killed, and what it held is held by us alone
            raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signal.signal(signal.SIGALRM, look_up)
        signal.setitimer(signal.ITIMER_REAL, _PULSE, _PULSE)
        for batch in batches:
            writer.send(work(batch))
    except KpkiError as error:
        writer.send(error)
    except (KeyboardInterrupt, BrokenPipeError):
        pass    # the parent has its own to say
