"""The objects that openssl has names for, with openssl as the peer."""
from __future__ import annotations

import subprocess

import pytest

from kpki.stages.objects import OBJECTS, find_object


def test_the_rows_are_openssls() -> None:
    """Each line `short = long, OID`, or `name = OID`, in openssl's order."""
    lines = subprocess.run(["openssl", "list", "-objects"], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    rows = [(short, *names.rpartition(", ")[::2]) for short, equals, names in
            (line.partition(" = ") for line in lines) if equals]
    assert OBJECTS.splitlines() == [f"{oid}|{short}|{long or short}" for short, long, oid in rows]


def test_each_object_is_found() -> None:
    """Of two rows with one OID the first counts."""
    rows = [row.split("|") for row in OBJECTS.splitlines()]
    first = {row[0]: row for row in reversed(rows)}
    assert len(first) < len(rows)
    for oid, _, _ in rows:
        found = find_object(oid)
        assert found is not None and [*found] == first[oid]


@pytest.mark.parametrize("text", ["", "3", "5.4.3", "2.5.4.", ".", "1.2.3.4", "CN", "2.5.4.3|CN",
                                  "2.5.4.3\n2.5.4.6", "2.5.4.3|CN|commonName\n2.5.4.6"])
def test_no_other_text_is_an_object(text: str) -> None:
    """A part of an OID, a name, and text with more than an OID."""
    assert find_object(text) is None
