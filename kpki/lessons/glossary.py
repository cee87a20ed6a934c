"""The glossary of `kpki explain`: words of the field, each in a few sentences."""
from __future__ import annotations

import difflib
import re
from shlex import quote
from typing import NamedTuple

from .catalogue import text_of
from .lesson import parse_blocks
from ..errors import InputError
from ..kubernetes.causes import CAUSES

_SEPARATORS = re.compile(r"[\s_]+")


class GlossaryEntry(NamedTuple):
    """One entry of the glossary."""

    words: tuple[str, ...]
    """The words that the entry explains, the usual word first."""
    sentences: str
    goes_on: str
    """The lesson and the page that tell more."""


def load_glossary(language: str) -> tuple[GlossaryEntry, ...]:
    """All entries, in the order of the alphabet of their English words."""
    entries = list[GlossaryEntry]()
    blocks = [block.text for block in parse_blocks(text_of("glossary", language))]
    for number, text in enumerate(blocks):
        if text.startswith("## "):
            words = tuple(word.strip() for word in text.removeprefix("## ").split(","))
            entries.append(GlossaryEntry(words, blocks[number + 1], blocks[number + 2]))
    return tuple(entries)


def find_entry(word: str, language: str) -> GlossaryEntry:
    """The entry of a word or cause, whatever its case.

    Raises InputError, which names the nearest words.
    """
    entries = load_glossary(language)
    by_word = {_plain(known): entry for entry in entries for known in entry.words}
    wanted = _plain(word)
    if wanted in by_word:
        return by_word[wanted]
    if wanted in CAUSES:
        cause = CAUSES[wanted]
        return GlossaryEntry((cause.slug,), f"{cause.meaning}\nsee it with: {cause.diagnosis}",
                             cause.page)
    near = difflib.get_close_matches(wanted, [*by_word, *CAUSES], 3)
    raise InputError(f"no entry {word!r}", hint=" or ".join(f"kpki explain {quote(known)}"
                                                            for known in near)
                     or "kpki explain lists the words")


def _plain(word: str) -> str:
    return _SEPARATORS.sub(" ", word.strip().casefold())
