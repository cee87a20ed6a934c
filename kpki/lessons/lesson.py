"""The text of a lesson, in Markdown, becomes steps.

A lesson begins with `# title` and a line `*10 minutes*`. Paragraphs, headings and lists are prose.
A block `sh` is a command; if kpki is the learner's tool, kpki stands in for openssl in the block. A
block `sh openssl` or `sh kpki` is one tool's command. A block `text`, `text openssl` or `text kpki`
is what the command prints. A block `log` is prose whose lines stay. A paragraph that begins with
`>` is a hint. An exercise has a block `sh check` before its command, which is then the solution.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

TOOLS = ("openssl", "kpki")
OPENSSL_VERBS = ("genrsa", "genpkey", "ecparam", "rsa", "ec", "pkey", "req", "x509", "verify")
"""openssl's commands that kpki has."""
_OPENSSL = re.compile(rf"\bopenssl (?=({'|'.join(OPENSSL_VERBS)})\b)")
CODE_INDENT = "    "
ITEM = re.compile(r"[-*] |\d+\. ")
"""The beginning of a list's item."""
_MARK = re.compile(r"\*\*")


class LessonStep(NamedTuple):
    """A piece of prose with one command, or with an exercise."""

    prose: tuple[str, ...]
    """The paragraphs before the command; a heading begins with `## `, a log with CODE_INDENT."""
    command: Mapping[str, str]
    """Tool → the command; of an exercise a solution."""
    output: Mapping[str, str]
    """Tool → what the command prints, as the lesson has it."""
    check: str
    """Of an exercise the commands that succeed for a right answer, one a line; else ""."""
    hints: tuple[str, ...]
    """What helps, the most helpful last."""


class Lesson(NamedTuple):
    """One lesson in one language."""

    name: str
    """The word by which a learner calls the lesson."""
    title: str
    minutes: int
    """The time that a learner needs."""
    steps: tuple[LessonStep, ...]
    closing: tuple[str, ...]
    """The paragraphs after the last step."""


class MarkdownBlock(NamedTuple):
    """A piece of Markdown: a paragraph, a heading, a hint, or the content of a fence."""

    kind: str
    """`prose`, `hint`, or the words after the fence."""
    text: str


def parse_lesson(name: str, text: str) -> Lesson:
    """The lesson that a Markdown text describes."""
    title, minutes, *rest = parse_blocks(text)
    steps, closing = _steps(rest)
    return Lesson(name, title.text.removeprefix("# "), int(minutes.text.strip("*").split()[0]),
                  tuple(steps), closing)


def parse_blocks(text: str) -> Iterator[MarkdownBlock]:
    """The pieces of a Markdown text, in order."""
    kind, lines = "", list[str]()
    fence = False
    for line in [*text.splitlines(), ""]:
        starts = line.startswith(("```", "#", "> "))
        if fence and line == "```":
            yield MarkdownBlock(kind, "\n".join(lines))
            kind, lines, fence = "", [], False
        elif fence:
            lines.append(line)
        else:
            if lines and (not line or starts or lines[0].startswith("#")):
                yield MarkdownBlock(kind, _joined(lines))
                lines = []
            if line.startswith("```"):
                kind, fence = line.removeprefix("```").strip(), True
            elif line:
                kind = kind if lines else "hint" if line.startswith("> ") else "prose"
                lines.append(line.removeprefix("> "))


def _joined(lines: list[str]) -> str:
    """One paragraph, or the items of a list, one a line.

    Between two characters that are no ASCII, a line end is no space.
    """
    text = lines[0]
    for line in lines[1:]:
        wide = not (text[-1].isascii() or line.strip()[0].isascii())
        text += ("\n" if ITEM.match(line) else "" if wide else " ") + line.strip()
    return _MARK.sub("", text)


def _steps(blocks: list[MarkdownBlock]) -> tuple[list[LessonStep], tuple[str, ...]]:
    steps, prose, hints, check = list[LessonStep](), list[str](), list[str](), ""
    for kind, text in blocks:
        word, *tags = kind.split()
        tools = [tool for tool in TOOLS if tool in tags] or TOOLS
        if word == "prose":
            prose.append(text)
        elif word == "log":
            prose.append(CODE_INDENT + text.replace("\n", f"\n{CODE_INDENT}"))
        elif word == "hint":
            hints.append(text)
        elif word == "text":
            steps[-1] = steps[-1]._replace(
                output={**steps[-1].output, **dict.fromkeys(tools, f"{text}\n")})
        elif "check" in tags:
            check = text
        else:
            commands = {tool: for_kpki(text) if tool == "kpki" else text for tool in tools}
            if not (prose or hints or check) and steps and not steps[-1].command.keys() & {*tools}:
                steps[-1] = steps[-1]._replace(command={**steps[-1].command, **commands})
            else:
                steps.append(LessonStep(tuple(prose), commands, {}, check, tuple(hints)))
            prose, hints, check = [], [], ""
    return steps, tuple(prose)


def for_kpki(command: str) -> str:
    """A command of openssl's with kpki in place of openssl, if kpki has the verb."""
    return _OPENSSL.sub("kpki ", command)
