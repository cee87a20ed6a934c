"""docs/library-reference.md: what the code says of every public name, and examples that run."""
from __future__ import annotations

import doctest
import runpy
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kpki
from kpki.arguments import resolved

TOP = Path(__file__).parents[2]
WRITER = runpy.run_path(str(TOP / "scripts/library_reference.py"))
TEXT = (TOP / "docs/library-reference.md").read_text()
members, public_fields = WRITER["public_members"], WRITER["public_fields"]


def documented() -> Iterator[tuple[str, Any]]:
    """Each public function, and each public method, by its name on the page."""
    for name in kpki.__all__:
        value = getattr(kpki, name)
        if not isinstance(value, type):
            yield name, value
        else:
            yield from ((f"{name}.{member}", inner) for member, inner in members(value))


FUNCTIONS = dict(documented())


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, Any]]:
    """What the examples speak of."""
    made: dict[str, Any] = {}
    exec(compile(WRITER["SETUP"], "library-reference.md", "exec"), made)
    yield made
    made["temporary"].cleanup()


def test_the_page_is_what_the_docstrings_say() -> None:
    """scripts/library_reference.py writes the page; nobody else does."""
    assert WRITER["page"]() == TEXT, "run scripts/library_reference.py"


def test_every_public_name_is_on_the_page() -> None:
    """No name is left out, and each function shows an example."""
    entries = {part.partition("\n")[0]: part for part in TEXT.split("\n### ")[1:]}
    assert {*entries} == {*kpki.__all__}
    assert [name for name, text in entries.items() if name[0].islower()
            and ">>> " not in text] == []


@pytest.mark.parametrize("name", [name for name, value in FUNCTIONS.items()
                                  if ">>> " in (value.__doc__ or "")])
def test_an_example_runs(name: str, names: dict[str, Any]) -> None:
    """An example prints what stands below it."""
    test = doctest.DocTestParser().get_doctest(FUNCTIONS[name].__doc__, dict(names), name, None, 0)
    runner, told = doctest.DocTestRunner(verbose=False), list[str]()
    runner.run(test, out=told.append)
    assert "".join(told) == ""


def types_in(hint: Any) -> set[Any]:
    inner = [item for part in typing.get_args(hint)
             for item in (part if isinstance(part, list) else [part])]
    return {item for part in inner for item in types_in(part)} if inner else {hint}


def hints_of(name: str) -> list[Any]:
    """The annotations on the page: of a signature, or of a class's public fields and members."""
    value = getattr(kpki, name)
    if not isinstance(value, type):
        return [*resolved(value).values()] if callable(value) else []
    fields = [resolved(value)[name] for name in public_fields(value)]
    inner = [inner.fget if isinstance(inner, property) else inner for _, inner in members(value)]
    return fields + [hint for item in inner for hint in resolved(item).values()]


@pytest.mark.parametrize("name", kpki.__all__)
def test_every_type_on_the_page_is_public(name: str) -> None:
    """What a public name takes or gives is public too."""
    kinds = {item for hint in hints_of(name) for item in types_in(hint) if isinstance(item, type)}
    assert {kind.__qualname__ for kind in kinds if kind.__module__.startswith("kpki.")
            and getattr(kpki, kind.__name__, None) is not kind} == set()
