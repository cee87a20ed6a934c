"""Many hosts at once: in batches, on all processors.

Finds keys and serial numbers that several hosts share.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from .processes import in_turn
from ...kubernetes.reading import serial_digest

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

AnyHost = TypeVar("AnyHost")
Result = TypeVar("Result")
Observed = TypeVar("Observed")
# Pairs (mark, owner): the digest of a key and its host, or the digest of a certificate's issuer and
# serial number and the certificate. No two owners may have the same mark.
Marks = tuple[tuple[bytes, bytes], ...]
# With fewer hosts a second process gains nothing.
FLEET = 100
# Hosts in a batch: larger batches save no more calls of sync.
BATCH = 512


def processes_for(hosts: int, most: int | None = None) -> int:
    """The number of processes for so many hosts, at most *most* (None: one per processor)."""
    return (most or os.cpu_count() or 1) if hosts >= FLEET else 1


def batches(hosts: Sequence[AnyHost], processes: int, most: int = 0) -> list[Sequence[AnyHost]]:
    """Hosts in batches of at most *most* (0: BATCH).

    The batches have the same size, and each process gets the same number of batches.
    """
    rounds = -(-len(hosts) // (processes * (most or BATCH))) or 1
    size = -(-len(hosts) // (processes * rounds)) or 1
    return [hosts[start:start + size] for start in range(0, len(hosts), size)]


def in_trees(work: Callable[[Sequence[str | None]], Result], hosts: Sequence[str],
             processes: int | None) -> Iterator[Result]:
    """The result of *work* for a workspace's own files (None), then for each batch of hosts.

    *processes* is as for `processes_for`. Raises the errors of `in_turn`.
    """
    count = processes_for(len(hosts), processes)
    return in_turn(work, [[None], *batches(hosts, count)], count)


def survey(examine: Callable[[int], tuple[Observed, Marks]], hosts: Sequence[int], others: Marks,
           processes: int) -> tuple[list[Observed], frozenset[bytes], list[int]]:
    """The results of *examine* for these hosts, the shared marks, and the hosts with such a mark.

    A mark is shared if several hosts have the mark, or a host and *others*. Raises the errors of
    `in_turn`.
    """
    def examine_batch(batch: Sequence[int]) -> list[tuple[Observed, Marks]]:
        return [examine(host) for host in batch]

    seen, marks = list[Observed](), list[Marks]()
    for batch in in_turn(examine_batch, batches(hosts, processes), processes):
        for result, own in batch:
            seen.append(result)
            marks.append(own)
    shared = shared_marks(chain([others], marks))
    return seen, shared, [host for host, own in zip(hosts, marks, strict=True)
                          if any(mark in shared for mark, _ in own)]


def shared_marks(each: Iterable[Marks]) -> frozenset[bytes]:
    """The marks with several owners: keys of two hosts, or serial numbers issued twice."""
    first: dict[bytes, bytes] = {}
    return frozenset(mark for marks in each for mark, owner in marks
                     if first.setdefault(mark, owner) != owner)


def key_mark(public_key: bytes) -> bytes:
    """The mark of a key, from its public half (DER)."""
    return sha256(public_key).digest()[:16]


def serial_mark(certificate: Certificate, encoded: bytes = b"") -> tuple[bytes, bytes]:
    """The mark of a certificate's issuer and serial number, and its owner: the certificate.

    *encoded* is the certificate in DER, if the caller has it.
    """
    return serial_digest(encoded or certificate), certificate.signature[-16:]
