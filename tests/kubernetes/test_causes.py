"""The vocabulary of faults is a table that can be trusted."""
from __future__ import annotations

import re

import pytest

from kpki.kubernetes.causes import CAUSES, ROWS, Cause


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.slug)
def test_a_row_says_what_it_means_in_one_line(row: Cause) -> None:
    """A slug is lower case with dashes, a meaning one sentence without a full stop, and there is a way to look."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.slug)
    assert row.meaning and not row.meaning.endswith(".") and "\n" not in row.meaning
    assert row.look


def test_slugs_are_there_once() -> None:
    """Each slug names one cause."""
    assert len(CAUSES) == len(ROWS)


def test_only_what_works_today_is_a_warning() -> None:
    """Warnings are those of DESIGN §8; every other cause stops something."""
    assert {row.slug for row in ROWS if row.severity == "warning"} == {"outlives-ca", "expiring-soon", "strict-refused"}
