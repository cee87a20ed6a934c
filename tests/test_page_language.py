"""What can be held of the rules of CONTRIBUTING for the prose of pages."""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_language import MOST_WORDS

TOP = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md",
         *sorted(f"docs/{path.name}" for path in (TOP / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_HEADING_OR_TABLE = re.compile(r"^ *[#|].*$", re.MULTILINE)
_ITEM = re.compile(r"^ *([-*>]|\d+\.) ", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`[^`]*`")
_LIST_OF_CODES = re.compile(r"``((,| ·)? (and |or )?``)+")
_END = re.compile(r"(?<=[.?!])[)*\"]*\s+")
_PRIVATE = re.compile(r"\b(told|untold|judge[ds]?|anew|clues?|situations?)\b(?!\*)")


def sentences(page: str) -> Iterator[str]:
    """The sentences of a page, but for headings, tables and blocks of code.

    A code is one word, and so is a list of codes.
    """
    prose = _HEADING_OR_TABLE.sub("", _BLOCK.sub("", page))
    for paragraph in re.split(r"\n\s*\n", _ITEM.sub("\n", prose)):
        text = _CODE.sub("``", _LINK.sub(r"\1", " ".join(paragraph.split())))
        yield from _END.split(_LIST_OF_CODES.sub("``", text))


@pytest.mark.parametrize("page", PAGES)
def test_a_sentence_has_at_most_25_words(page: str) -> None:
    """Nobody has to read a page's sentence twice because of its length."""
    found = [*sentences((TOP / page).read_text())]
    assert len(found) > 4
    assert [sentence for sentence in found if len(sentence.split()) > MOST_WORDS] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_words_are_not_private(page: str) -> None:
    """A page, its tables too, has no private word for a term of the glossary."""
    text = _CODE.sub("", _BLOCK.sub("", (TOP / page).read_text()))
    assert [line for line in text.splitlines() if _PRIVATE.search(line)] == []


def test_a_long_sentence_is_seen() -> None:
    """26 words are seen in a paragraph and in a list, 25 pass; tables and blocks do not count."""
    long, short = "word " * 25 + "end.", "word " * 24 + "`an end`."
    page = (f"# {long}\n{short} {long}\n\n- {long}\n- {short}\n\n| {long} |\n```sh\n{long}\n```\n"
            f"1. {short}\n")
    assert [len(sentence.split()) for sentence in sentences(page) if sentence] == [
        25, 26, 26, 25, 25]


def test_code_is_one_word() -> None:
    """A code, a list of codes and the address of a link are not counted word by word."""
    assert [*sentences("Run `kpki check /`, `kpki uses /` and `kpki expiry /` in [a shell](sh.md)."
                       )] == ["Run `` in a shell."]


def test_a_private_word_is_seen() -> None:
    """A private word in a sentence is seen, a word that the glossary names in italics is not."""
    assert _PRIVATE.search("the number is told") and not _PRIVATE.search("no *told*, no toll")
