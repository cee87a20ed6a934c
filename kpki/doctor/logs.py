"""Lines of logs → what they say about certificates, one line at a time."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from .advice import is_not_of, meaning_of, remedy_of
from .facts import facts_in
from .lines import Line, read_line
from .rules import LOG_RULES, LogRule


@dataclass(frozen=True)
class Diagnosis:
    """What one line of a log, or several lines alike, say about a certificate."""

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


class UnknownLine(NamedTuple):
    """A line that looks like trouble with TLS, and that no rule knows."""

    line: int
    """The line's number."""
    text: str
    """The line, without colours and control characters."""


class _Compiled(NamedTuple):
    rule: LogRule
    words: tuple[str, ...]
    says: re.Pattern[str]
    where: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    writer: re.Pattern[str] | None


# The API server asks the front proxy's CA first: that refusal is no news, the second one is.
_FIRST_VERDICT = re.compile(r"\[x509: (?:(?!front-proxy|requestheader|, verifying).){0,400}, "
                            r"(?=verifying certificate SN=)")
# Of these words at least one is in each line that tells of trouble with TLS or certificates.
_SUSPECT = re.compile(r"x509: |\btls: |TLS handshake error|SSL routines|SSLError|SSL_ERROR_SSL"
                      r"|certificate verif|CERTIFICATE_VERIFY|PKIX|bad certificate")


@lru_cache(maxsize=8)
def _compiled(rules: tuple[LogRule, ...]) -> tuple[_Compiled, ...]:
    return tuple(_Compiled(rule, tuple(rule.words.split("|")), re.compile(rule.says),
                           *(re.compile(pattern) if pattern else None
                             for pattern in (rule.where, rule.unless, rule.writer)))
                 for rule in rules)


def diagnose(lines: Iterable[str], *, rules: Sequence[LogRule] | None = None, component: str = "",
             unknown: Callable[[UnknownLine], object] | None = None) -> Iterator[Diagnosis]:
    """A diagnosis of each line that names a cause, as soon as the line is read; see `summarize`.

    A line has at most one cause, the deepest; a line with no certificate fault has none. *rules*
    are rows like those of LOG_RULES, their default. *component* is the program that wrote the
    lines, if they do not say. *unknown* is called with each line that looks like trouble with TLS
    and fits no rule.

    >>> lines = ["kubelet started", "x509: certificate is valid for 10.0.0.1, not 10.0.0.2"]
    >>> [(found.line, found.cause, found.facts["address"]) for found in kpki.diagnose(lines)]
    [(2, 'missing-san-ip', '10.0.0.2')]
    """
    compiled = _compiled(LOG_RULES if rules is None else tuple(rules))
    words = {word for row in compiled for word in row.words}
    for number, raw in enumerate(lines, 1):
        if any(word in raw for word in words) \
                and (found := _diagnosis(number, raw, compiled, component, unknown)):
            yield found


def _diagnosis(number: int, raw: str, rules: tuple[_Compiled, ...], component: str,
               unknown: Callable[[UnknownLine], object] | None) -> Diagnosis | None:
    line = read_line(raw)
    if component and not line.component:
        line = line._replace(component=component)
    match = _match(line, rules)
    if match is None:
        if unknown and _SUSPECT.search(line.text):
            unknown(UnknownLine(number, line.text))
        return None
    rule, facts = match
    if not rule.cause:
        return None
    known = tuple(facts.items())
    return Diagnosis(rule.cause, number, line.text, line.component, line.time,
                     MappingProxyType(facts), meaning_of(rule.cause), is_not_of(rule.cause, known),
                     remedy_of(rule.cause, known), 1, number, line.time)


def _match(line: Line, rules: tuple[_Compiled, ...]) -> tuple[LogRule, dict[str, str]] | None:
    """The first rule that fits the line, and the facts; None if no rule fits."""
    text = _FIRST_VERDICT.sub("[", line.text)
    for rule, words, says, where, unless, writer in rules:
        if any(word in text for word in words) and (found := says.search(text)) \
                and not (where and not where.search(text)) \
                and not (unless and unless.search(text)) \
                and not (writer and not writer.fullmatch(line.component)):
            return rule, dict(facts_in(text, found.groupdict()))
    return None
