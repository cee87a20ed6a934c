"""The glossary: its entries, where they lead, and how a word is found."""
from __future__ import annotations

import configparser
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from kpki.errors import InputError
from kpki.kubernetes.causes import CAUSES
from kpki.lessons.catalogue import LANGUAGES, NAMES
from kpki.lessons.glossary import GlossaryEntry, find_entry, load_glossary

TOP = Path(__file__).parents[2]
ENTRIES = {language: load_glossary(language) for language in LANGUAGES}
GOES_ON = re.compile(r"`kpki learn (\w+)` · (docs/[\w-]+\.md)")
SENTENCE = {"en": re.compile(r"[.:;?](?=\s|$)"), "zh": re.compile("[。；：？]")}


@pytest.mark.parametrize(("language", "entry"), [
    (language, entry) for language in LANGUAGES for entry in ENTRIES[language]],
    ids=lambda value: value.words[0] if isinstance(value, GlossaryEntry) else str(value))
def test_an_entry_is_short_and_leads_on(language: str, entry: GlossaryEntry) -> None:
    """Some sentences, a lesson that exists and a page that exists; each of the words finds it."""
    assert 1 <= len(SENTENCE[language].findall(entry.sentences)) <= 8
    assert len(entry.sentences) <= 480
    found = GOES_ON.fullmatch(entry.goes_on)
    assert found and found[1] in NAMES and (TOP / found[2]).is_file()
    assert {find_entry(word, language) for word in entry.words} == {entry}


def test_the_languages_have_the_same_entries() -> None:
    """In the order of the English alphabet, with the same words, in Chinese some more."""
    english, chinese = (ENTRIES[language] for language in LANGUAGES)
    assert [entry.goes_on for entry in english] == [entry.goes_on for entry in chinese]
    assert all(ours.words == theirs.words[:len(ours.words)]
               for ours, theirs in zip(english, chinese, strict=True))
    assert [entry.words[0] for entry in english] == sorted(entry.words[0] for entry in english)
    for entries in ENTRIES.values():
        words = [word for entry in entries for word in entry.words]
        assert len({*words}) == len(words) and {*words} & CAUSES.keys() == {"front-proxy-ca"}


@pytest.mark.parametrize("word", [
    "CSR", "Certificate_Signing  request", "csr", "System:Node", "x.509"])
def test_case_and_spaces_do_not_matter(word: str) -> None:
    """A word is found as people write it."""
    assert find_entry(word, "en").sentences


@pytest.mark.parametrize("cause", sorted(CAUSES.keys() - {"front-proxy-ca"}))   # an entry
def test_a_cause_is_a_word(cause: str) -> None:
    """Each cause of a finding has its meaning and the command that shows it."""
    entry = find_entry(cause, "zh")
    assert (entry.words, entry.goes_on) == ((cause,), f"docs/causes.md#{cause}")
    assert entry.sentences.startswith(CAUSES[cause].meaning)


@pytest.mark.parametrize(("word", "hint"), [
    ("crs", "kpki explain csr"), ("system:nod", "kpki explain system:node"),
    ("qqqq", "lists the words"),
    ("private keys", "kpki explain 'private key'"), ("", "lists the words")])
def test_an_unknown_word_gets_the_nearest(word: str, hint: str) -> None:
    """The error names the word, the hint a command that can be run."""
    with pytest.raises(InputError, match=f"^no entry {word!r}") as error:
        find_entry(word, "en")
    assert hint in (error.value.hint or "")


def test_a_package_has_each_text() -> None:
    """What setup.cfg puts into a wheel is every file below texts/, and all of them are loaded."""
    parser = configparser.ConfigParser()
    parser.read(TOP / "setup.cfg")
    pattern = parser["options.package_data"]["kpki.lessons"]
    texts = [path.relative_to(TOP / "kpki/lessons").as_posix()
             for path in (TOP / "kpki/lessons/texts").rglob("*") if path.is_file()]
    wanted = [f"{number}-{name}" for number, name in enumerate(NAMES, 1)] + ["glossary"]
    assert sorted(texts) == sorted(
        f"texts/{language}/{name}.md" for language in LANGUAGES for name in wanted)
    assert all(fnmatch(text, pattern) for text in texts)
