"""The library names that the pages give: all are public."""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kpki
import kpki.testing

TOP = Path(__file__).parent.parent.parent
PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
         *sorted(path.relative_to(TOP).as_posix() for path in (TOP / "docs").rglob("*.md"))]
# What is public beside `kpki.__all__`: a plugin of pytest, and the application of the command.
PUBLIC = {*(f"kpki.{name}" for name in ("__all__", *kpki.__all__)), "kpki.testing",
          *(f"kpki.testing.{name}" for name in kpki.testing.__all__), "kpki.cli.app.app"}
# Names of files, and old names of the library in the changelog.
OTHERS = {"kpki.prom", "kpki.pyz", "kpki.check", "kpki.Found"}
_DOTTED = re.compile(r"\bkpki\.[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)*")
_IMPORT = re.compile(r"from (kpki[\w.]*) import ([\w, ]+)")
_ALIAS = re.compile(r" as \w+")


def named(page: str) -> Iterator[str]:
    """The names of the library on a page, also those that an import gives."""
    for module, names in _IMPORT.findall(page):
        yield from (f"{module}.{name.strip()}" for name in _ALIAS.sub("", names).split(","))
    yield from (name.replace(":", ".") for name in _DOTTED.findall(_IMPORT.sub("", page)))


def is_public(name: str) -> bool:
    """Whether a name, or the name of which it is a member, is public."""
    return name in PUBLIC or (name.count(".") > 1 and name.rpartition(".")[0] in PUBLIC
                              and not name.startswith("kpki.testing."))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_public_names_alone(page: str) -> None:
    """A page names nothing that may change without a warning: modules below kpki are private."""
    assert [name for name in named((TOP / page).read_text())
            if name not in OTHERS and not is_public(name)] == []


def test_a_private_name_is_seen() -> None:
    """Names are seen in text and in an import; a module below kpki, and what it has, is private."""
    page = ("`kpki.stages.keys.Pss`, `kpki.verify(x)` and kpki.cli.app:app\n"
            "from kpki.cli.app import app as kpki\nfrom kpki.pem import armour\n"
            "from kpki import Authority, nothing\n")
    found = [*named(page)]
    assert found == ["kpki.cli.app.app", "kpki.pem.armour", "kpki.Authority", "kpki.nothing",
                     "kpki.stages.keys.Pss", "kpki.verify", "kpki.cli.app.app"]
    assert [name for name in found if not is_public(name)] == [
        "kpki.pem.armour", "kpki.nothing", "kpki.stages.keys.Pss"]
    assert is_public("kpki.Authority.create") and not is_public("kpki.testing.nothing")


@pytest.mark.parametrize("page", sorted(path.name for path in TOP.glob("docs/*.md")))
def test_a_page_is_reached_from_the_readme(page: str) -> None:
    """No page of the docs stands alone."""
    assert f"(docs/{page})" in (TOP / "README.md").read_text()
