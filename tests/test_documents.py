"""The first document of a text; the reader of YAML itself is tested with descriptions."""
from __future__ import annotations

from typing import Any

import pytest

from kpki.documents import load_first


@pytest.mark.parametrize(("data", "wanted"), [
    (b"a: 1\n---\nb: 2\n", {"a": 1}), (b"---\n---\nb: 2\n", {"b": 2}), (b'{\n\t"a": [1, true]\n}', {"a": [1, True]}),
    (b"{a: 1}", {"a": 1}), (b"", None), (b"# a\n", None), (b"a: [", None), (b"\xff", None), (b"\ta: 1", None)])
def test_the_first_document(data: bytes, wanted: Any) -> None:
    """YAML or JSON, tabs and all; None for what is neither, or empty."""
    assert load_first(data) == wanted
