"""The lessons themselves: their commands run, and their pages say what comes out."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from kpki.cli.openssl.verbs import VERBS
from kpki.lessons import lesson
from kpki.lessons.catalogue import LANGUAGES, NAMES, load_lesson
from kpki.lessons.lesson import TOOLS, Lesson, LessonStep
from kpki.lessons.wrapping import width_of

# What differs from run to run: dates (also in the name of a new CA), serial numbers, key
# identifiers, lengths of what is random.
RANDOM = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT"
                    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d{8}T\d{6}Z|(?<=CN=kubernetes-)\d{8}\b"
                    r"|\b(?:[0-9A-F]{2}:){7,}[0-9A-F]{2}\b|\b[0-9A-F]{32,}\b|\b[0-9a-f]{64}\b")
WIDEST = 76     # of a command, which is shown behind `  $ `
LESSONS: dict[tuple[str, str], Lesson] = {
    (name, language): load_lesson(name, language) for name in NAMES for language in LANGUAGES}


def steady(text: str) -> str:
    return RANDOM.sub("RANDOM", text)


def comments_apart(command: str) -> str:
    return "\n".join(line for line in command.splitlines() if not line.startswith("# "))


def untranslated(step: LessonStep) -> tuple[object, ...]:
    """What a step has in common with the same step in another language."""
    return (step.command, step.output, comments_apart(step.check), step.check.count("# "),
            len(step.hints), len(step.prose))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_holds_with_either_tool(played: Callable[..., Any], name: str, tool: str) -> None:
    """Each command succeeds, each solution is right, and each output is the page's."""
    done = played(name, tool, "en")
    assert done.held, [text for kind, text in done.shown if kind in ("wrong", "output")][-4:]
    shown = iter(done.shown)
    for step in load_lesson(name, "en").steps:
        assert any(entry == ("command", step.command[tool]) for entry in shown), step.command[tool]
        kind, text = next(shown)
        if tool in step.output:
            assert (kind, steady(text)) == ("output", steady(step.output[tool])), step.command[tool]
        elif not step.check:
            assert text == "", step.command[tool]


@pytest.mark.parametrize("name", NAMES)
def test_the_languages_have_the_same_commands(name: str) -> None:
    """Commands, outputs, checks, hints and minutes are the same in each language, in order."""
    english, *others = (LESSONS[name, language] for language in LANGUAGES)
    for other in others:
        assert other.minutes == english.minutes and other.title != english.title
        assert [*map(untranslated, other.steps)] == [*map(untranslated, english.steps)]


def test_a_lesson_holds_in_chinese(played: Callable[..., Any]) -> None:
    """The runner plays the Chinese text as the English one."""
    done = played("certificate", "openssl", "zh")
    assert done.held
    assert done.shown[-1][1].startswith("本课完成。")


@pytest.mark.parametrize(("name", "language"), LESSONS)
def test_a_lesson_fits_the_terminal(name: str, language: str) -> None:
    """Each step has a command for each tool, none too wide, and each exercise has a hint."""
    found = LESSONS[name, language]
    assert width_of(found.title) <= 46 and found.steps and found.closing
    for step in found.steps:
        assert step.command.keys() == {*TOOLS} and step.prose
        lines = [line for command in step.command.values() for line in command.splitlines()]
        assert [line for line in lines if len(line) > WIDEST] == []
        assert not step.check or step.hints
        assert not step.check or step.check.startswith("# ")


def test_the_verbs_are_those_of_the_command() -> None:
    """kpki stands in for openssl in the verbs that kpki has, and in no other."""
    assert {*lesson.OPENSSL_VERBS} == VERBS.keys()
    assert lesson.for_kpki("openssl x509 -in a; ./openssl-x; openssl s_client; openssl x509y") == (
        "kpki x509 -in a; ./openssl-x; openssl s_client; openssl x509y")


@pytest.mark.parametrize(("text", "same"), [
    ("notAfter=Nov 30 08:46:28 2027 GMT", True), ("serial=" + "0A" * 20, True),
    ("CN = worker-1", False), ("status 1", False)])
def test_what_is_random_is_nothing_else(text: str, same: bool) -> None:
    """Dates and serial numbers are left aside in a comparison, names and statuses are not."""
    other = text.replace("7", "8").replace("1", "2").replace("0A", "0B")
    assert (steady(text) == steady(other)) == same
