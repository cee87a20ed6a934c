"""The lines of a large log that hold one of some words, found in bytes before decoding."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

BLOCK = 1 << 19         # bytes that are read and searched at once
_OVERLAP = 1 << 12      # bytes of a line over BLOCK that two pieces share
_AHEAD = 3              # blocks that are searched while their results are awaited
Search = Callable[[bytes, bytes, int, int], int]
Find = Callable[[bytes, int, int], list[tuple[int, int]]]


class Held(NamedTuple):
    """A line, or a piece of a line of over 512 KiB, that holds a word."""

    number: int
    """The line's number; the first line of a log is 1."""
    raw: bytes
    """The line without its end."""


def sieve(blocks: Iterable[bytes], words: Sequence[bytes]) -> Iterator[Held]:
    """The lines of a log that hold one of *words*, in order.

    With google-re2 one automaton finds all words, else the C library looks for each in turn.
    Both let a second thread search meanwhile. Memory does not grow with the log, nor with a line.
    """
    from concurrent.futures import ThreadPoolExecutor
    find, number = finder(words), 1
    with ThreadPoolExecutor(2) as pool:
        waiting = deque[Any]()
        pieces = _pieces(blocks)
        while True:
            waiting += ((piece, pool.submit(find, *piece))
                        for piece in islice(pieces, _AHEAD - len(waiting)))
            if not waiting:
                return
            (block, place, end), found = waiting.popleft()
            for start, stop in found.result():
                number += block.count(b"\n", place, start)
                yield Held(number, block[start:stop])
                place = start
            number += block.count(b"\n", place, end)


def _pieces(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """(bytes, start, end) of whole lines; of a line over BLOCK pieces, which overlap.

    Nothing is copied but the lines that stand in two blocks.
    """
    rest = b""
    for block in blocks:
        first, last = block.find(b"\n") + 1, block.rfind(b"\n") + 1
        if first and rest:
            yield rest + block[:first], 0, len(rest) + first
        if first:
            yield block, first if rest else 0, last
            rest = block[last:]
        else:
            rest += block
        if len(rest) >= BLOCK:
            yield rest, 0, len(rest)
            rest = rest[-_OVERLAP:]
    if rest:
        yield rest, 0, len(rest)


def finder(words: Sequence[bytes]) -> Find:
    """A function from bytes, start and end to (start, end) of each line with one of *words*."""
    try:
        from importlib import import_module
        re2: Any = import_module("re2")
    except ImportError:
        return partial(_find_each, words=words, search=_search())
    options = re2.Options()
    options.never_capture = True
    pattern = re2.compile(b"|".join(map(re2.escape, words)), options=options)
    return partial(_find_any, search=pattern.search)


def _find_any(block: bytes, start: int, end: int,
              search: Callable[[bytes, int, int], Any]) -> list[tuple[int, int]]:
    lines = list[tuple[int, int]]()
    while found := search(block, start, end):
        lines.append(_line_round(block, found.start(), start, end))
        start = lines[-1][1] + 1
    return lines


def _find_each(block: bytes, start: int, end: int, words: Sequence[bytes],
               search: Search) -> list[tuple[int, int]]:
    lines = set[tuple[int, int]]()
    for word in words:
        place = search(block, word, start, end)
        while place >= 0:
            line = _line_round(block, place, start, end)
            lines.add(line)
            place = search(block, word, line[1], end)
    return sorted(lines)


def _line_round(block: bytes, place: int, start: int, end: int) -> tuple[int, int]:
    stop = block.find(b"\n", place, end)
    return max(block.rfind(b"\n", start, place) + 1, start), end if stop < 0 else stop


def _search() -> Search:
    """`bytes.find`, by the C library's memmem: twice as fast, and other threads run meanwhile."""
    try:
        import ctypes
        memmem = ctypes.CDLL(None).memmem
    except (ImportError, OSError, AttributeError, TypeError):
        return bytes.find
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)

    def search(block: bytes, word: bytes, start: int, end: int) -> int:
        begin: Any = ctypes.cast(ctypes.c_char_p(block), ctypes.c_void_p).value
        place = memmem(begin + start, end - start, word, len(word))
        return -1 if place is None else int(place) - int(begin)
    return search
