"""The lessons in their order, in two languages."""
from __future__ import annotations

import difflib
import pkgutil

from .lesson import Lesson, parse_lesson
from ..errors import InputError

NAMES = ("certificate", "authority", "names", "identity", "worker", "tls", "cluster", "faults",
         "time")
"""The lessons, the first to learn first."""
LANGUAGES = ("en", "zh")


def load_lesson(name: str, language: str) -> Lesson:
    """One lesson, by its name or number. Raises InputError for an unknown one."""
    if name.isascii() and name.isdecimal() and 1 <= int(name) <= len(NAMES):
        name = NAMES[int(name) - 1]
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1)
        raise InputError(f"no lesson {name!r}",
                         hint=f"kpki learn {near[0]}" if near else "kpki learn lists the lessons")
    return parse_lesson(name, text_of(f"{NAMES.index(name) + 1}-{name}", language))


def text_of(name: str, language: str) -> str:
    """The Markdown of a text in `texts/`. Raises InputError for an unknown language."""
    if language not in LANGUAGES:
        raise InputError(f"--lang: {language!r} is none of {', '.join(LANGUAGES)}")
    data = pkgutil.get_data(__package__, f"texts/{language}/{name}.md")
    assert data is not None     # every text exists in every language
    return data.decode()
