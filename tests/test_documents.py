"""The first document of a text; the reader of YAML itself is tested with descriptions."""
from __future__ import annotations

from typing import Any

import pytest

from kpki.documents import MOST_EVENTS, load_documents, load_first
from kpki.errors import ConfigurationError


@pytest.mark.parametrize(("data", "wanted"), [
    (b"a: 1\n---\nb: 2\n", {"a": 1}), (b"---\n---\nb: 2\n", {"b": 2}),
    (b'{\n\t"a": [1, true]\n}', {"a": [1, True]}), (b"{a: 1}", {"a": 1}), (b"", None),
    (b"# a\n", None), (b"a: [", None), (b"\xff", None), (b"\ta: 1", None),
    (b'{"a":' * 100_000, None)])
def test_the_first_document(data: bytes, wanted: Any) -> None:
    """YAML or JSON, tabs and all; None for what is neither, or empty."""
    assert load_first(data) == wanted


@pytest.mark.parametrize("line", ["- a\n", "- [a]\n", "k{}: 1\n"])
def test_a_text_of_endless_values_is_refused(line: str) -> None:
    """At the same number, whatever the values are; just as many of another text are read."""
    events = {"- a\n": 1, "- [a]\n": 3, "k{}: 1\n": 2}[line]
    few = MOST_EVENTS // events - 5
    assert len(load_documents("".join(line.format(number)
                                      for number in range(few)))[0].value) == few
    with pytest.raises(ConfigurationError, match=f": more than {MOST_EVENTS} keys and values$"):
        load_documents("".join(line.format(number) for number in range(few + 5)))
