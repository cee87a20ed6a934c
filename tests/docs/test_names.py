"""The library names that the pages give."""
from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent.parent
ROOMS = "stages|cluster|kubernetes|files|pem|clock|documents"
NAMED = sorted({(page.name, name.rstrip("."))
                for page in (TOP / "README.md", *TOP.glob("docs/*.md"))
                for name in re.findall(rf"kpki\.(?:{ROOMS})[\w.]*", page.read_text())})


def found(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    try:
        importlib.import_module(name)
    except ImportError:
        module, _, attribute = name.rpartition(".")
        try:
            return hasattr(importlib.import_module(module), attribute)
        except ImportError:
            return False
    return True


@pytest.mark.parametrize(("page", "name"), NAMED)
def test_a_name_on_a_page_is_there(page: str, name: str) -> None:
    """Each full name on a page can be imported."""
    assert found(name)


@pytest.mark.parametrize("name", ["kpki.stages.nowhere", "kpki.pem.load_nothing"])
def test_a_name_that_is_not_there_is_not_found(name: str) -> None:
    """The search can say no: a module or an attribute that does not exist."""
    assert not found(name)


@pytest.mark.parametrize("page", sorted(path.name for path in TOP.glob("docs/*.md")))
def test_a_page_is_reached_from_the_readme(page: str) -> None:
    """No page of the docs stands alone."""
    assert f"(docs/{page})" in (TOP / "README.md").read_text()
