"""Lines of real logs whose cause is known: known.tsv has the cause (- for none), the source and the
line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Known(NamedTuple):
    """One line, and what it must be called."""

    cause: str
    source: str
    line: str


def known_lines() -> list[Known]:
    """The lines of known.tsv."""
    rows = (Path(__file__).parent / "known.tsv").read_text().splitlines()
    return [Known(*row.split("\t")) for row in rows if row]
