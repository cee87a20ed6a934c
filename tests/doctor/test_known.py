"""Lines of real logs, each with its cause, or with none."""

from __future__ import annotations

import pytest

import kpki
from kpki.kubernetes.causes import CAUSES
from tests.doctor.known import Known, known_lines

LINES = known_lines()
# Go has one text for an expired leaf and an expired CA: only the files tell which.
SAME_TEXT = {"expired-ca": "expired-server-cert"}


@pytest.mark.parametrize("known", LINES, ids=lambda known: f"{known.cause}-{known.line[:40]}")
def test_a_real_line_names_its_cause_and_no_other(known: Known) -> None:
    """A line that a real program wrote has one cause, or none if no certificate is at fault."""
    unknown = list[kpki.UnknownLine]()
    found = [diagnosis.cause for diagnosis in kpki.diagnose([known.line], unknown=unknown.append)]
    bare = known.line.startswith("x509: certificate has expired")       # no word of whose it is
    wanted = SAME_TEXT.get(known.cause, known.cause) if bare else known.cause
    assert found == [wanted] * (wanted != "-")
    assert known.cause == "-" or not unknown


def test_every_rule_names_a_cause_of_the_table() -> None:
    """A rule's cause is one that check names as well, or empty for what no certificate is at fault
    for."""
    assert {rule.cause for rule in kpki.LOG_RULES} - {*CAUSES, ""} == set()
