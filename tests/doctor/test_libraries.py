"""The words of the libraries of clients and proxies: libraries.tsv has the cause (- for none), the
library and the words."""

from __future__ import annotations

from pathlib import Path

import pytest

import kpki

WORDS = [row.split("\t")
         for row in (Path(__file__).parent / "libraries.tsv").read_text().splitlines()]


@pytest.mark.parametrize(("cause", "library", "words"), WORDS)
def test_the_words_of_a_library_name_their_cause(cause: str, library: str, words: str) -> None:
    """Each refusal of a library has its cause; what proves no fault of a certificate has none."""
    found = [diagnosis.cause for diagnosis in kpki.diagnose([words])]
    assert found == [cause] * (cause != "-"), library
