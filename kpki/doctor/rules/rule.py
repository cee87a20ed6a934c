"""The value `LogRule`: one row of the table that turns a line of a log into a cause."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LogRule:
    r"""One way in which programs word one cause.

    >>> mine = kpki.LogRule("bad-pem", "empty key", r"empty key (?P<file>\S+)")
    >>> found, = kpki.diagnose(["empty key a.pem"], rules=(*kpki.LOG_RULES, mine))
    >>> found.cause, found.facts["file"]
    ('bad-pem', 'a.pem')
    """

    cause: str
    """The slug of a cause; empty for words that no certificate is the reason of."""
    words: str
    """Literals with | between: no line without one of them is compared. Few words are quick."""
    says: str
    """A regular expression that matches somewhere in the line; its named groups are facts."""
    where: str = ""
    """A regular expression that must match as well: the place, not the fault."""
    unless: str = ""
    """A regular expression that must not match."""
    writer: str = ""
    """A regular expression for the whole name of the component; empty: any, or unknown."""
    versions: str = ""
    """The versions that have this wording, if not all."""
