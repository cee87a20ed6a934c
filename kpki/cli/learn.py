"""`kpki learn`, the lessons, and `kpki explain`, the glossary."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Annotated

import typer

from . import completion
from .common import ExplainOption
from .terminal import Painted, TerminalLine, put, say
from ..clock import utc_now
from ..errors import InputError

TOOLS = ("openssl", "kpki")
LANGUAGES = ("en", "zh")
LessonArgument = Annotated[str | None, typer.Argument(
    metavar="LESSON", autocompletion=completion.lessons,
    help="The lesson, by its name or number; without one the list of lessons.")]
ToolOption = Annotated[str, typer.Option(
    "--tool", metavar="TOOL", autocompletion=lambda: TOOLS,
    help="Whose commands run: openssl or kpki. Both make the same files.")]
RunOption = Annotated[bool, typer.Option("--run", help=(
    "Play the lesson without questions, solutions included, in a folder of its own."))]
LangOption = Annotated[str | None, typer.Option(
    "--lang", metavar="L", autocompletion=lambda: LANGUAGES,
    help="en or zh (default: the locale's).")]
DirOption = Annotated[str | None, typer.Option("--dir", metavar="DIR", help=(
    "The folder of the lessons' folders (~/.local/share/kpki/learn)."))]
WordArgument = Annotated[str | None, typer.Argument(
    metavar="WORD", autocompletion=completion.glossary,
    help="The word; without one the list of words.")]
_LEARN = (
    "kpki learn stands for no openssl command: a lesson shows each command, and then runs it. The",
    "commands are openssl's or, with --tool kpki, kpki's; both make the same files.")
_EXPLAIN = (
    "kpki explain stands for no openssl command: it reads a glossary inside kpki. Each entry ends",
    "with the lesson and the page that go on.")


def learn(name: LessonArgument = None, tool: ToolOption = "openssl", run: RunOption = False,
          lang: LangOption = None, home: DirOption = None, explain: ExplainOption = False) -> None:
    """Learn, step by step, how Kubernetes uses certificates.

    A lesson runs its commands in a folder of its own, and keeps your place there.
    If standard output is no terminal, kpki prints the lesson and runs nothing.
    Exit status 0: done, or left; 1: with --run a command failed, or an answer was wrong.
    """
    from ..lessons.catalogue import load_lesson
    from ..lessons.classroom import open_classroom
    from ..lessons.play import Player, play, play_alone, show_text
    language, home = _language(lang), _home(home)
    if explain:
        say(*_LEARN)
    if tool not in TOOLS:
        raise InputError(f"--tool: {tool!r} is none of {', '.join(TOOLS)}")
    if name is None:
        from ..lessons.words import WORDS
        put(*_listed(home, language))
        if following := _unfinished(home, language):
            say(WORDS[language].begin.format(name=following))
        return
    lesson = load_lesson(name, language)
    if not run and not sys.stdout.isatty():
        show_text(lesson, tool, _show)
        return
    classroom = open_classroom(home, lesson.name, automatic=run, program=_program(),
                               environment=os.environ, now=utc_now())
    player = Player(lesson, classroom, tool, language, _show, utc_now)
    if not run:
        play(player, _ask)
    elif not play_alone(player):
        raise typer.Exit(1)


def explain(word: WordArgument = None, lang: LangOption = None,
            explain: ExplainOption = False) -> None:
    """Explain a word of the field: csr, san, eku, system:node, front-proxy.

    A cause that `kpki check` names is explained too.
    """
    from ..lessons.glossary import find_entry, load_glossary
    from ..lessons.words import WORDS
    from ..lessons.wrapping import wrapped
    language = _language(lang)
    if explain:
        say(*_EXPLAIN)
    if word is None:
        put(*(", ".join(entry.words) for entry in load_glossary(language)))
        return
    entry = find_entry(word, language)
    put((Painted(", ".join(entry.words), "heading"),), *wrapped(entry.sentences),
        *wrapped(WORDS[language].goes_on.format(rest=entry.goes_on)))


def _language(lang: str | None) -> str:
    """The language of `--lang`, else of the locale."""
    if lang is not None and lang not in LANGUAGES:
        raise InputError(f"--lang: {lang!r} is none of {', '.join(LANGUAGES)}")
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return lang or ("zh" if locale.startswith("zh") else "en")


def _home(folder: str | None) -> str:
    """The folder of all lessons (XDG Base Directory Specification)."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "kpki", "learn") if folder is None else folder


def _program() -> list[str]:
    """The program that a lesson calls `kpki`: the running one."""
    if getattr(sys, "frozen", False):       # one file, with its Python inside
        return [sys.executable]
    if sys.argv[0].endswith(".pyz"):
        return [sys.executable, os.path.abspath(sys.argv[0])]
    return [sys.executable, "-P", "-m", "kpki"]


def _listed(home: str, language: str) -> Iterator[str]:
    from ..lessons.catalogue import NAMES, load_lesson
    from ..lessons.classroom import progress_of
    from ..lessons.words import WORDS
    from ..lessons.wrapping import width_of
    words = WORDS[language]
    for number, name in enumerate(NAMES, 1):
        lesson, steps = load_lesson(name, language), progress_of(home, name)
        count = len(lesson.steps)
        state = "" if not steps else words.state_done if steps >= count \
            else words.state_begun.format(step=steps + 1, count=count)
        cells = ((str(number), 2), (name, 12), (words.minutes.format(minutes=lesson.minutes), 8),
                 (lesson.title, 46), (state, 0))
        yield "  ".join(cell + " " * (width - width_of(cell)) for cell, width in cells).rstrip()


def _unfinished(home: str, language: str) -> str | None:
    """The first lesson that is not done."""
    from ..lessons.catalogue import NAMES, load_lesson
    from ..lessons.classroom import progress_of
    return next((name for name in NAMES
                 if (progress_of(home, name) or 0) < len(load_lesson(name, language).steps)), None)


def _show(kind: str, text: str) -> None:
    from ..lessons.wrapping import wrapped
    if kind == "command":
        first, *others = text.split("\n")
        lines: list[TerminalLine] = [(Painted(f"  $ {first}", "command"),),
                             *((Painted(f"    {line}", "command"),) for line in others)]
    elif kind == "output":
        lines = [f"  {line}" for line in text.expandtabs().splitlines()]
    elif kind in ("title", "heading"):
        lines = [(Painted(text, "heading"),)]
    elif kind == "wrong":
        lines = [(Painted(line, "error"),) for line in wrapped(text)]
    else:
        lines = [*wrapped(text)]
    if lines:
        put(*lines, "")


def _ask(question: str) -> str | None:
    """A line of the learner's; None at the end of the input."""
    with suppress(ImportError):
        import_module("readline")       # gives the line its editing keys
    try:
        return input(f"{question}> ")
    except EOFError:
        put("")
        return None
