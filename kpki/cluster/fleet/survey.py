"""Many hosts at once: in batches, on all processors, and with an eye on what only one of them may have."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from ...kubernetes.reading import serial_digest
from .processes import in_turn

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Seen = TypeVar("Seen")
# What only one may have, and whose it is: the digest of a key and the host, the digest of a certificate's issuer and
# serial number and the certificate.
Marks = tuple[tuple[bytes, bytes], ...]
# Under so many hosts a second process gains nothing.
FLEET = 100
# So many are looked at, or changed, at once: of more a sync has nothing to save.
BATCH = 512


def processes_for(hosts: int, most: int | None = None) -> int:
    """How many processes are to see to so many hosts, of *most* that there may be (None: one a processor)."""
    return (most or os.cpu_count() or 1) if hosts >= FLEET else 1


def batches(hosts: Sequence[int], processes: int, most: int = 0) -> list[Sequence[int]]:
    """Hosts (their places in the description) in batches of one size, at most *most* (0: BATCH), as many for each
    process."""
    rounds = -(-len(hosts) // (processes * (most or BATCH))) or 1
    size = -(-len(hosts) // (processes * rounds)) or 1
    return [hosts[start:start + size] for start in range(0, len(hosts), size)]


def survey(look: Callable[[int], tuple[Seen, Marks]], hosts: Sequence[int], others: Marks,
           processes: int) -> tuple[list[Seen], frozenset[bytes], list[int]]:
    """What *look* sees of each of these hosts, in order, and the marks of what more than one of them have, or one of
    them and *others*; with the hosts that have such a mark. Raises as `in_turn`."""
    def look_at(batch: Sequence[int]) -> list[tuple[Seen, Marks]]:
        return [look(host) for host in batch]

    seen, marks = list[Seen](), list[Marks]()
    for batch in in_turn(look_at, batches(hosts, processes), processes):
        for one, own in batch:
            seen.append(one)
            marks.append(own)
    shared = shared_marks(chain([others], marks))
    return seen, shared, [host for host, own in zip(hosts, marks) if any(mark in shared for mark, _ in own)]


def shared_marks(each: Iterable[Marks]) -> frozenset[bytes]:
    """The marks that are more than one's: keys of two hosts, or of a host and a CA, and serial numbers given twice."""
    first: dict[bytes, bytes] = {}
    return frozenset(mark for marks in each for mark, owner in marks if first.setdefault(mark, owner) != owner)


def key_mark(public_key: bytes) -> bytes:
    """The mark of a key, by its public half (DER)."""
    return sha256(public_key).digest()[:16]


def serial_mark(certificate: Certificate) -> tuple[bytes, bytes]:
    """The mark of a certificate's issuer and serial number, and whose it is: the certificate's."""
    return serial_digest(certificate), certificate.signature[-16:]
