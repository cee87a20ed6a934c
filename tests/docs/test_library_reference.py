"""docs/library-reference.md: what the code says of every public name, and examples that run."""
from __future__ import annotations

import doctest
import re
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
members, public_fields, docstring = (
    WRITER[name] for name in ("public_members", "public_fields", "docstring"))


def documented() -> Iterator[tuple[str, str]]:
    """Each public name, and each public member of a class, with its docstring."""
    for name in kpki.__all__:
        value = getattr(kpki, name)
        yield name, WRITER["TABLES"].get(name) or docstring(value)
        if isinstance(value, type):
            yield from ((f"{name}.{member}", docstring(inner)) for member, inner in members(value))


EXAMPLES = {name: text for name, text in documented() if ">>> " in text}


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """What an example speaks of, made anew: an example may write."""
    made: dict[str, Any] = {}
    exec(compile(WRITER["SETUP"], "library-reference.md", "exec"), made)
    yield made
    made["temporary"].cleanup()


def test_the_page_is_what_the_docstrings_say() -> None:
    """scripts/library_reference.py writes the page; nobody else does."""
    assert WRITER["page"]() == TEXT, "run scripts/library_reference.py"


def without_example(text: str) -> list[str]:
    """The public names whose own entry on a page, before those of members, shows no example."""
    entries = dict(part.split("\n", 1) for part in text.split("\n### ")[1:])
    return [name for name in kpki.__all__
            if "```pycon\n>>> " not in entries.get(name, "").partition("\n#### ")[0]]


def test_every_public_name_is_on_the_page() -> None:
    """No name is left out, and no other name is there."""
    assert sorted(re.findall(r"^### (.*)", TEXT, re.MULTILINE)) == sorted(kpki.__all__)


def test_every_public_name_shows_an_example() -> None:
    """A function, a type, a table and an error alike; an example of a member does not count."""
    assert without_example(TEXT) == []
    bare = TEXT.replace(WRITER["words"](EXAMPLES["Plan"])[3], "", 1)
    assert without_example(bare) == ["Plan"]


def test_every_example_on_the_page_runs() -> None:
    """The page has the examples of the docstrings, and no other."""
    shown = re.findall(r"^```pycon\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)
    assert sorted(shown) == sorted(WRITER["split"](text)[1] for text in EXAMPLES.values())


def complaints(name: str, text: str, names: dict[str, Any]) -> str:
    """What doctest says of an example."""
    test = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    runner, said = doctest.DocTestRunner(verbose=False), list[str]()
    runner.run(test, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_stands_below_it(name: str, names: dict[str, Any]) -> None:
    """What a reader types gives what the page shows."""
    assert complaints(name, EXAMPLES[name], names) == ""


@pytest.mark.parametrize("text", [
    ">>> kpki.genrsa(2048).key_size\n4096", ">>> kpki.genrsa(2048).key_size",
    ">>> kpki.Authority(ca, key)"])
def test_a_wrong_example_fails(text: str, names: dict[str, Any]) -> None:
    """Another value, a value that nobody wrote down and an error are complaints."""
    assert complaints("wrong", text, names).count("Failed example") == 1


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
