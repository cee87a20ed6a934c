"""Lines of logs → what they say about certificates, one line at a time."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from .advice import is_not_of, meaning_of, remedy_of
from .encoding import utf8
from .lines import begins_record, read_line, writer
from .matching import Table, table_of
from .rules import LOG_RULES, LogRule
from .sieve import BLOCK, sieve
from ..cluster.finding import Finding


class Root(NamedTuple):
    """A finding in the files that is the root of what a log says.

    >>> lines = ["open /etc/kubernetes/kubelet.conf: no such file or directory"]
    >>> report = kpki.check_path(host, node="worker-1", now=now)
    >>> found, = kpki.with_roots(kpki.diagnose(lines), report)
    >>> [(root.role, root.finding.cause) for root in found.roots]
    [("the client's certificate", 'file-missing')]
    """

    role: str
    """Whose file this is: the server's certificate, the client's CA file …; empty if unknown."""
    finding: Finding
    """The fault in the file."""
    instead: tuple[str, ...] = ()
    """CA files of which one may be wrong in place of that file: no file tells which."""


@dataclass(frozen=True)
class Diagnosis:
    """What one line of a log, or several lines alike, say about a certificate.

    >>> found, = kpki.diagnose(["open /etc/kubernetes/pki/ca.crt: no such file or directory"])
    >>> found.cause, found.facts["file"]
    ('file-missing', '/etc/kubernetes/pki/ca.crt')
    """

    cause: str
    """The slug of the cause, as `check_path` names the fault in the files."""
    line: int
    """The number of the first line; the first of a log is 1."""
    text: str
    """The first line, without colours and control characters."""
    component: str = ""
    """The program that wrote the line; empty if the line does not say."""
    time: str = ""
    """When, as the first line writes the time; empty if the line has no time."""
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What the line names: file, node, other (a node), user, name, address, server, not_after …"""
    meaning: str = ""
    """What the cause means, in a sentence or two."""
    is_not: str = ""
    """What the cause is not, though people take the message for that."""
    remedy: tuple[str, ...] = ()
    """Commands in order; a line that begins with `#` is a comment."""
    count: int = 1
    """How many lines say so."""
    last_line: int = 0
    """The number of the last line that says so."""
    last_time: str = ""
    """When, as the last line writes the time."""
    follows_from: str = ""
    """The cause in the same log that is the reason of this refusal; empty if there is none."""
    roots: tuple[Root, ...] = ()
    """What `with_roots` found in the files."""


class UnknownLine(NamedTuple):
    """A line that looks like trouble with TLS, and that no rule knows.

    >>> unknown = []
    >>> list(kpki.diagnose(["kubelet started", "remote error: tls: odd"], unknown=unknown.append))
    []
    >>> [(found.line, found.text) for found in unknown]
    [(2, 'remote error: tls: odd')]
    """

    line: int
    """The line's number."""
    text: str
    """The line, without colours and control characters."""


# Of these words at least one is in each line that tells of trouble with TLS or certificates.
_SUSPECT = re.compile(r"x509: |\btls: |TLS handshake error|SSL routines|_ssl\.c:|handshake fail"
                      r"|certificate verif|bad certificate")
_WIDTHS = range(40, 500)    # of terminals that wrap a line
_MOST_PARTS = 8         # lines that a terminal made of one
# openssl and OkHttp name the certificate in a line, and the reason in the next ones.
_AWAITS_REASON = re.compile(r"depth=\d+ |Could not (?:read|open|find) |.{0,400}not verified:\s*$")
_GIVES_REASON = re.compile(r"verify error:num=|[\dA-F]+:error:"
                           r"|\s+(?:certificate: sha256/|DN: |subjectAltNames: )")


def diagnose(lines: Iterable[str], *, rules: Sequence[LogRule] | None = None, component: str = "",
             unknown: Callable[[UnknownLine], object] | None = None) -> Iterator[Diagnosis]:
    """A diagnosis of each line that names a cause, as soon as the next line is read.

    A line has at most one cause, the deepest; a line with no certificate fault has none. A line
    that a terminal wrapped is one line. *rules* are rows like those of LOG_RULES, their default.
    *component* is the program that wrote the lines, if they do not say. *unknown* is called with
    each line that looks like trouble with TLS and fits no rule. See `summarize`.

    >>> lines = ["kubelet started", "x509: certificate is valid for 10.0.0.1, not 10.0.0.2"]
    >>> [(found.line, found.cause, found.facts["address"]) for found in kpki.diagnose(lines)]
    [(2, 'missing-san-ip', '10.0.0.2')]
    """
    reader = _Reader(table_of(LOG_RULES if rules is None else tuple(rules)), component)
    held = _Held(0, "", 0, 0, None)
    for number, raw in enumerate(lines, 1):
        found = reader.read(number, raw)
        if held.continues(raw, found) and (joined := reader.joined(held, raw)):
            held = joined
            continue
        yield from _told(held.found, unknown)
        held = _Held(number, raw, 1, len(raw), found)
    yield from _told(held.found, unknown)


def diagnose_log(blocks: Iterable[bytes], name: str, *, rules: Sequence[LogRule] | None = None,
                 component: str = "", unknown: Callable[[UnknownLine], object] | None = None,
                 ) -> Iterator[Diagnosis]:
    """What `diagnose` finds in the bytes of the log *name*: UTF-8, UTF-16, or either in gzip.

    Of a log of over 512 KiB only lines with a rule's word are decoded, and none is joined.
    Raises InputError for a broken gzip.
    """
    blocks = utf8(blocks, name)
    first = b""
    while len(first) < BLOCK and (block := next(blocks, b"")):
        first += block
    if len(first) < BLOCK:
        yield from diagnose(first.decode(errors="replace").split("\n"), rules=rules,
                            component=component, unknown=unknown)
        return
    table = table_of(LOG_RULES if rules is None else tuple(rules))
    reader, last = _Reader(table, component), 0
    for number, raw in sieve(chain([first], blocks), [word.encode() for word in table.words]):
        if number != last and (found := reader.read(number, raw.decode(errors="replace"))):
            if isinstance(found, Diagnosis):
                last = number       # a line of over 512 KiB comes in pieces
            yield from _told(found, unknown)


class _Held(NamedTuple):
    """A line that may go on in the next one."""

    number: int
    raw: str
    parts: int
    width: int
    """The length of its latest part."""
    found: Diagnosis | UnknownLine | None

    def continues(self, raw: str, found: Diagnosis | UnknownLine | None) -> bool:
        """Whether *raw* may be the rest of this line; what says something itself is no longer."""
        if self.awaits(raw):
            return self.parts < _MOST_PARTS
        return 0 < self.parts < _MOST_PARTS and self.width in _WIDTHS and raw != "" \
            and (found is None or (len(raw) <= self.width
                                   and not isinstance(self.found, Diagnosis))) \
            and not begins_record(raw)

    def awaits(self, raw: str) -> bool:
        """Whether *raw* gives the reason of what this line names."""
        return _GIVES_REASON.match(raw) is not None \
            and (self.parts > 1 or _AWAITS_REASON.match(self.raw) is not None)


def _told(found: Diagnosis | UnknownLine | None,
          unknown: Callable[[UnknownLine], object] | None) -> Iterator[Diagnosis]:
    if isinstance(found, Diagnosis):
        yield found
    elif found and unknown:
        unknown(found)


class _Judgement(NamedTuple):
    """What a message says, whenever a line has that message."""

    component: str
    cause: str | None
    """Empty for words that no certificate is the reason of; None if no rule fits."""
    facts: tuple[tuple[str, str], ...]


class _Reader:
    """A table of rules, and what it said of the latest messages: most logs repeat themselves."""

    def __init__(self, table: Table, component: str) -> None:
        self.table, self.component = table, component
        self.judged = lru_cache(maxsize=1024)(self._judged)

    def _judged(self, program: str, message: str) -> _Judgement:
        component = writer(program, message) or self.component
        match = self.table.match(message, component)
        if match is None:
            return _Judgement(component, None, ())
        return _Judgement(component, match[0].cause, tuple(match[1].items()))

    def read(self, number: int, raw: str) -> Diagnosis | UnknownLine | None:
        """What a line says; None if the line says nothing of certificates."""
        suspect: UnknownLine | None = None
        for window in self.table.windows(raw):
            line = read_line(window)
            component, cause, facts = self.judged(line.program, line.message)
            if cause:
                return Diagnosis(
                    cause, number, line.text, component, line.time, MappingProxyType(dict(facts)),
                    meaning_of(cause), is_not_of(cause, facts), remedy_of(cause, facts), 1, number,
                    line.time)
            if cause is None and not suspect and _SUSPECT.search(line.text):
                suspect = UnknownLine(number, line.text)
        return suspect

    def joined(self, held: _Held, raw: str) -> _Held | None:
        """The held line and *raw* as one line, if the two are one; a wrap may eat a blank."""
        begun, rest = held.raw.rstrip("\r"), raw.rstrip("\r")
        for whole in (begun + rest, f"{begun} {rest}")[held.awaits(raw):]:
            found = self.read(held.number, whole)
            if isinstance(found, Diagnosis):
                return _Held(held.number, whole, held.parts + 1, len(raw), found)
        if len(raw) == held.width:      # a terminal's width: the line may go on
            found = held.found or self.read(held.number, begun + rest)
            return _Held(held.number, begun + rest, held.parts + 1, held.width, found)
        return None
