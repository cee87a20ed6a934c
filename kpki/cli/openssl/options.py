"""openssl's option grammar (apps/lib/opt.c), driven by a table for each verb, and help pages."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .verbs import VERBS
from ..terminal import note, put
from ... import files
from ...errors import FileError, InputError, UnsupportedError

FILE, TEXT, NUMBER, COUNT, FORM = "FILE", "TEXT", "N", "+N", "PEM|DER"
_WIDTH, _COLUMN = 80, 27     # of a help page: its width, and the column of the meanings


class Option(NamedTuple):
    """One option: its *name*, the value that it *takes* ("" for none), what it *means*.

    *instead* says what to use for an option that kpki lacks.
    """

    name: str
    takes: str = ""
    means: str = ""
    instead: str | None = None


# options of every verb for what openssl loads or saves outside of its files; kpki never does
EVERYWHERE = (
    Option("help", "", "show this page"), Option("h", "", "show this page"),
    Option("engine", TEXT, instead="a key in a file"),
    Option("provider", TEXT, instead="default, or nothing: the algorithms that are built in"),
    Option("provider-path", FILE, instead="the algorithms that are built in"),
    Option("propquery", TEXT, instead="the algorithms that are built in"),
)
RANDOM = (
    Option("rand", FILE,
           "read nothing from FILE, which must exist: the kernel's random numbers need no seed"),
    Option("writerand", FILE, instead="nothing: no command reads a seed"),
)
OURS = (
    Option("explain", "",
           "say on stderr what the verb reads, does and writes, and name the equal library call"),
    Option("quiet", "", "print none of kpki's own warnings"),
)
_BUILT_IN = ("provider", "default")     # kpki does so anyway
# kpki's own options, which may also stand behind the last option
_ANYWHERE = ("explain", "quiet", "json", "kubernetes")
# dashes and quotation marks of word processors and web pages; no option and no value begins with
# one
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"


class GivenOptions(NamedTuple):
    """A parsed command line: (name, value) in order, the words after the options, another word."""

    verb: str
    order: tuple[tuple[str, str], ...]
    rest: tuple[str, ...]
    word: str | None

    def has(self, *names: str) -> bool:
        """Whether any of these options was given."""
        return any(name in names for name, _ in self.order)

    def all(self, name: str) -> list[str]:
        """Every value of an option, in order."""
        return [value for given, value in self.order if given == name]

    def get(self, *names: str) -> str | None:
        """The value of the last of these options, or None."""
        return next((value for name, value in reversed(self.order) if name in names), None)

    def last(self, *names: str) -> str | None:
        """The last of these options that was given, or None."""
        return next((name for name, _ in reversed(self.order) if name in names), None)

    def number(self, name: str, default: int) -> int:
        """The value of a number option."""
        value = self.get(name)
        return default if value is None else to_number(value)

    def form(self, name: str) -> str:
        """PEM or DER: the value of a format option, PEM by default."""
        return self.form_or_none(name) or "PEM"

    def form_or_none(self, name: str) -> str | None:
        """PEM or DER, None without the option."""
        value = self.get(name)
        return value and {"P": "PEM", "D": "DER"}[value[0].upper()]


def begin(verb: str, table: Sequence[Option], argv: Sequence[str], *,
          word: str | None = None) -> GivenOptions | None:
    """A verb's parsed command line; None if the line asks for the help page, which is printed."""
    given = read_options(verb, table, argv, word=word)
    if given.has("help", "h"):
        put(*help_page(verb, table).split("\n"))
        return None
    for path in (path for text in given.all("rand") for path in text.split(":")):
        if files.read_entry_at(path).kind == "missing":
            raise FileError(f"{path}: no such file",
                            hint="leave -rand out: nothing is read from the file")
    fault = typographic(given.rest)
    if given.rest and not VERBS[verb].words:
        raise InputError(f"{verb}: extra arguments given: {' '.join(given.rest)}", hint=fault)
    if fault:
        note(f"kpki: warning: {fault}")
    return given


def typographic(words: Iterable[str]) -> str | None:
    """The fault of a word that begins with a typographic dash or quotation mark, or None."""
    for text in words:
        if text.startswith(tuple(_DASHES)):
            return f"{text} begins with a typographic dash: write -{text.lstrip(_DASHES)}"
        if text.startswith(tuple(_QUOTES)) or text.endswith(tuple(_QUOTES)):
            return f"{text} has typographic quotation marks, which no shell knows: write ' or \""
    return None


def read_options(verb: str, table: Sequence[Option], argv: Sequence[str], *,
                 word: str | None = None) -> GivenOptions:
    """Parse a command line by the verb's table.

    *word* names the kind of an unknown option (a digest, a cipher). Options start with one dash or
    two. The value is the next word, or stands after `=`. The options end at the first word without
    a dash. kpki's own options stand anywhere before a `--`. Raises InputError for a command line
    that openssl refuses, UnsupportedError for an option that kpki lacks.
    """
    known: Mapping[str, Option] = {option.name: option for option in (*OURS, *EVERYWHERE, *table)}
    order: list[tuple[str, str]] = []
    unknown: str | None = None
    words = list(argv)
    while words and words[0].startswith("-"):
        text = words.pop(0)
        if text == "--":
            return _read(verb, known, order, words, unknown, word)
        name, equals, value = text.removeprefix("-").removeprefix("-").partition("=")
        option = known.get(name)
        if option is None and word and name:
            unknown = name
            continue
        if option is None:
            raise _no_option(verb, known, text, "option")
        if option in OURS and not text.startswith("--"):
            raise InputError(f"{verb}: {name} is kpki's own and takes two dashes: --{name}")
        if option.takes and not equals:
            if not words:
                raise InputError(f"{verb}: option -{name} needs a value ({option.takes})")
            value = words.pop(0)
        if equals and not option.takes:
            raise InputError(f"{verb}: option -{name} does not take a value")
        if option.instead is not None and (name, value) != _BUILT_IN:
            raise UnsupportedError(f"openssl's -{name} is not supported",
                                   hint=f"instead: {option.instead}")
        _check(verb, option, value)
        order.append((name, value))
    ours = {f"--{name}": name for name in _ANYWHERE if name in known}
    end = words.index("--") if "--" in words else len(words)
    order += [(ours[text], "") for text in words[:end] if text in ours]
    rest = [text for place, text in enumerate(words) if place > end or text not in ours]
    return _read(verb, known, order, rest, unknown, word)


def _read(verb: str, known: Mapping[str, Option], order: Sequence[tuple[str, str]],
          rest: Sequence[str], unknown: str | None, word: str | None) -> GivenOptions:
    """The parsed line. Raises InputError if the option outside of the table is no *word* either."""
    given = GivenOptions(verb, tuple(order), tuple(rest), unknown)
    if unknown is not None and not given.has("help", "h"):
        if word == "digest":
            from ...stages.keys import digest_names
            names = digest_names()
        else:
            from ...stages.encryption import cipher_names
            names = cipher_names()
        if unknown.lower() not in names:
            raise _no_option(verb, [*known, *names], f"-{unknown}", f"option or {word}")
    return given


def _no_option(verb: str, names: Iterable[str], text: str, noun: str) -> InputError:
    """The error for an unknown option, with the names of similar options."""
    from difflib import get_close_matches
    name = text.lstrip("-").partition("=")[0]
    spelled = {option.lower(): option for option in reversed([*names])}
    near = get_close_matches(name.lower(), spelled, n=2, cutoff=0.7)
    if near[:1] == [name.lower()]:      # except for capitals
        near = near[:1]
    own = {option.name for option in OURS}
    dashed = [f"{'--' if spelled[found] in own else '-'}{spelled[found]}" for found in near]
    hint = f"did you mean {' or '.join(dashed)}?" if near else f"kpki {verb} -help lists them"
    return InputError(f"{verb}: unknown {noun}: {text}", hint=hint)


def is_number(text: str) -> bool:
    """Whether openssl reads the text as a number."""
    return re.fullmatch(r"\s*[+-]?(0[xX][0-9A-Fa-f]+|\d+)", text, re.ASCII) is not None


def to_number(text: str) -> int:
    """A number as strtol reads it: decimal, 0x hexadecimal, or octal after a 0."""
    digits = text.strip().lstrip("+-")
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    size = int(digits, 8 if octal else 0)
    return -size if text.strip().startswith("-") else size


def _check(verb: str, option: Option, value: str) -> None:
    if option.takes in (NUMBER, COUNT):
        if not is_number(value):
            raise InputError(f"{verb}: can't parse {value!r} as a number (option -{option.name})")
        if option.takes == COUNT and to_number(value) <= 0:
            raise InputError(f"{verb}: non-positive number {value!r} for option -{option.name}")
    if option.takes == FORM and value.upper() not in ("PEM", "P", "DER", "D"):
        raise InputError(f"{verb}: invalid format {value!r} for option -{option.name}",
                         hint="PEM or DER")


def usage(verb: str) -> str:
    """The rest of a verb's command line after its name."""
    return " ".join(filter(None, ["[options]", VERBS[verb].words]))


def sections(table: Sequence[Option]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A verb's options by heading, with their meanings: openssl's options, and kpki's own."""
    rows = [option for option in (*table, *EVERYWHERE) if option.instead is None]
    for heading, dash, options in (("Options, with one dash or two", "-", rows),
                                   ("kpki's own options", "--", OURS)):
        yield heading, [(f"{dash}{option.name} {option.takes}".rstrip(), option.means)
                        for option in options]


def notes(verb: str, table: Sequence[Option]) -> list[str]:
    """The notes of a verb's page: openssl's options that kpki lacks, and the verb's note."""
    missing = [f"-{option.name}" for option in (*table, *EVERYWHERE) if option.instead is not None]
    return [f"Not supported: {', '.join(missing)}", *filter(None, [VERBS[verb].note])]


def help_page(verb: str, table: Sequence[Option]) -> str:
    """The verb's help page, from its table."""
    from textwrap import TextWrapper
    wrapper = TextWrapper(_WIDTH, break_on_hyphens=False, break_long_words=False)
    lines = [f"Usage: kpki {verb} {usage(verb)}", "", f"  {VERBS[verb].does}"]
    for heading, options in sections(table):
        wrapper.subsequent_indent = " " * _COLUMN
        lines += ["", f"{heading}:"]
        for name, means in options:
            lines += wrapper.wrap(f"  {name:<{_COLUMN - 4}}  {means}")
    wrapper.subsequent_indent = "  "
    lines += ["", *(line for note in notes(verb, table) for line in wrapper.wrap(note))]
    return "\n".join([*lines, "", "Example:", f"  {VERBS[verb].example}"])
