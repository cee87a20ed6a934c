"""A line and a table of rules → the first rule that fits, and the facts in the line."""
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .facts import facts_in
from .rules import LogRule

# Characters that are compared at once; of a longer line, those round a word.
LONGEST_PIECE = 1 << 12
_BEFORE = LONGEST_PIECE // 4
# The API server asks the front proxy's CA first: that refusal is no news, the second one is.
_FIRST_VERDICT = re.compile(r"\[x509: (?:(?!front-proxy|requestheader|, verifying).){0,400}, "
                            r"(?=verifying certificate SN=)")


class _Row(NamedTuple):
    rule: LogRule
    words: frozenset[str]
    says: re.Pattern[str]
    where: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    writer: re.Pattern[str] | None


class Table(NamedTuple):
    """Rules with their patterns compiled."""

    rows: tuple[_Row, ...]
    words: tuple[str, ...]
    """All words of all rules: a line without any of them fits no rule."""

    def windows(self, raw: str) -> Iterator[str]:
        """*raw*, if the line holds a word; of a long line, what stands round each of its words."""
        if len(raw) <= LONGEST_PIECE:
            if any(word in raw for word in self.words):
                yield raw
            return
        end = -1
        for place in sorted({place for word in self.words for place in _places(raw, word)}):
            if place >= end:
                end = max(place - _BEFORE, 0) + LONGEST_PIECE - _BEFORE
                yield raw[max(place - _BEFORE, 0):end + _BEFORE]

    def match(self, message: str, component: str) -> tuple[LogRule, dict[str, str]] | None:
        """The first rule that fits a message, and the facts; None if no rule fits."""
        text = _FIRST_VERDICT.sub("[", message)
        present = {word for word in self.words if word in text}
        for row in self.rows:
            if not present.isdisjoint(row.words) and (found := row.says.search(text)) \
                    and not (row.where and not row.where.search(text)) \
                    and not (row.unless and row.unless.search(text)) \
                    and not (row.writer and not row.writer.fullmatch(component)):
                return row.rule, facts_in(text, found.groupdict())
        return None


@lru_cache(maxsize=8)
def table_of(rules: tuple[LogRule, ...]) -> Table:
    """The table of *rules*; a pattern is compiled once."""
    rows = tuple(_Row(rule, frozenset(rule.words.split("|")), re.compile(rule.says),
                      *(re.compile(pattern) if pattern else None
                        for pattern in (rule.where, rule.unless, rule.writer)))
                 for rule in rules)
    words = dict.fromkeys(word for rule in rules for word in rule.words.split("|"))
    return Table(rows, tuple(words))


def _places(raw: str, word: str) -> Iterator[int]:
    """Where *word* stands in a long line, but not twice in one window."""
    place = raw.find(word)
    while place >= 0:
        yield place
        place = raw.find(word, place + LONGEST_PIECE // 2)
