"""The first document of a text; the reader of YAML itself is tested with descriptions."""
from __future__ import annotations

from typing import Any

import pytest

from kpki.documents import load_documents, load_first
from kpki.errors import ConfigurationError


@pytest.mark.parametrize(("data", "wanted"), [
    (b"a: 1\n---\nb: 2\n", {"a": 1}), (b"---\n---\nb: 2\n", {"b": 2}),
    (b'{\n\t"a": [1, true]\n}', {"a": [1, True]}), (b"{a: 1}", {"a": 1}), (b"", None),
    (b"# a\n", None), (b"a: [", None), (b"\xff", None), (b"\ta: 1", None),
    (b'{"a":' * 100_000, None)])
def test_the_first_document(data: bytes, wanted: Any) -> None:
    """YAML or JSON, tabs and all; None for what is neither, or empty."""
    assert load_first(data) == wanted


@pytest.mark.parametrize(("line", "events"), [("- a\n", 1), ("- [a]\n", 3), ("k{}: 1\n", 2)])
def test_a_text_of_endless_values_is_refused(
        line: str, events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text with more values than the bound is refused, and a text with fewer values is read."""
    monkeypatch.setattr("kpki.documents.MOST_EVENTS", 600)
    few = 600 // events - 5
    assert len(load_documents("".join(line.format(number)
                                      for number in range(few)))[0].value) == few
    with pytest.raises(ConfigurationError, match=": more than 600 keys and values$"):
        load_documents("".join(line.format(number) for number in range(few + 5)))


def test_a_description_of_100_000_nodes_is_read() -> None:
    """The bound leaves room for the greatest fleet that the documentation names."""
    text = "nodes:\n" + "".join(
        f"- {{name: worker-{number}, roles: [worker], addresses: [10.0.0.1]}}\n"
        for number in range(100_000))
    assert len(load_documents(text)[0].value["nodes"]) == 100_000
