"""A lesson is played: step by step with a learner, or without questions."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from .catalogue import NAMES
from .classroom import Classroom, progress_of
from .lesson import CODE_INDENT, Lesson, LessonStep
from .words import WORDS, Sentences

ShowText = Callable[[str, str], None]
"""Shows a text of a kind: `title`, `heading`, `prose`, `command`, `output`, `note` or `wrong`."""
Ask = Callable[[str], str | None]
"""Asks the learner for a line; None is the end of the input."""

# A line of a report that says how to repair: the learner finds out, and hints help.
_REMEDY = re.compile(r" +(# |\$ |\(the same commands\))")


def show_prose(paragraphs: Sequence[str], show: ShowText) -> None:
    """Show paragraphs, headings and logs."""
    for text in paragraphs:
        if text.startswith("## "):
            show("heading", text.removeprefix("## "))
        else:
            show("output" if text.startswith(CODE_INDENT) else "prose",
                 text.removeprefix(CODE_INDENT).replace(f"\n{CODE_INDENT}", "\n"))


def show_text(lesson: Lesson, tool: str, show: ShowText) -> None:
    """Show a lesson without running it, with the outputs as the text has them."""
    show("title", lesson.title)
    for step in lesson.steps:
        show_prose(step.prose, show)
        show("command", step.command[tool])
        show("output", step.output.get(tool, ""))
    show_prose(lesson.closing, show)


class Player(NamedTuple):
    """A lesson in its classroom, and the two ends of the conversation."""

    lesson: Lesson
    classroom: Classroom
    tool: str
    """Whose commands run: `openssl` or `kpki`."""
    language: str
    show: ShowText
    now: Callable[[], datetime]

    @property
    def words(self) -> Sentences:
        """The sentences of the language."""
        return WORDS[self.language]

    def begin(self) -> None:
        """Show the title, and the folder."""
        number = NAMES.index(self.lesson.name) + 1
        minutes = self.words.minutes.format(minutes=self.lesson.minutes)
        self.show("title", f"{number}. {self.lesson.title} ({minutes})")
        self.show("note", self.words.folder.format(folder=self.classroom.folder))

    def end(self) -> None:
        """Show the last paragraphs, and what comes next."""
        show_prose(self.lesson.closing, self.show)
        number = NAMES.index(self.lesson.name) + 1
        following = self.words.next.format(name=NAMES[number]) if number < len(NAMES) \
            else self.words.ended
        self.show("note", f"{self.words.done}\n{following}")


    def carry_out(self, step: LessonStep) -> bool:
        """Run the command of a step and show its output; whether the command succeeded."""
        status, output = self.classroom.run(step.command[self.tool])
        self.show("output", output)
        if status:
            self.show("wrong", self.words.failed.format(status=status))
        return status == 0

    def is_right(self, step: LessonStep) -> bool:
        """Check the answer of an exercise, and show what is wrong."""
        reason = ""
        for line in step.check.splitlines():
            if line.startswith("#"):
                reason = line.removeprefix("#").strip()
                continue
            status, output = self.classroom.run(line)
            if status:
                self.show("wrong", f"{self.words.wrong} {reason}")
                self.show("output", "".join(
                    said for said in output.splitlines(keepends=True) if not _REMEDY.match(said)))
                return False
        self.show("note", self.words.right)
        self.show("command", "\n".join(
            line for line in step.check.splitlines() if not line.startswith("#")))
        return True


def play_alone(player: Player) -> bool:
    """Play a lesson without questions; whether each command succeeded and each answer was right."""
    player.begin()
    held = True
    for step in player.lesson.steps:
        show_prose(step.prose, player.show)
        player.show("command", step.command[player.tool])
        held &= player.carry_out(step)
        if step.check:
            held &= player.is_right(step)
    player.classroom.set_progress(len(player.lesson.steps), player.now())
    player.end()
    return held


def play(player: Player, ask: Ask) -> None:
    """Play a lesson with a learner, from where the learner has left."""
    steps, words, folder = player.lesson.steps, player.words, player.classroom.folder
    at = (progress_of(player.classroom.home, player.classroom.name) or 0) % len(steps)
    player.begin()
    if at:
        player.show("note", words.resumed.format(step=at + 1, count=len(steps), folder=folder))
    explained = set[bool]()      # the kinds of steps, exercise or not, whose words were explained
    while at < len(steps):
        exercise = bool(steps[at].check)
        show_prose(steps[at].prose, player.show)
        if not exercise:
            player.show("command", steps[at].command[player.tool])
        if exercise not in explained:
            player.show("note", words.exercise_keys if exercise else words.keys)
            explained.add(exercise)
        move = _converse(player, steps[at], f"[{at + 1}/{len(steps)}] ", ask)
        if move is None:
            player.show("note", words.left.format(name=player.lesson.name))
            return
        if at + move < 0:
            player.show("note", words.first)
        at = max(0, at + move)
        player.classroom.set_progress(at, player.now())
    player.end()


def _converse(player: Player, step: LessonStep, prompt: str, ask: Ask) -> int | None:
    """Talk about one step until the learner goes on (1), goes back (-1) or leaves (None)."""
    hints, words = [*step.hints], player.words
    while True:
        line = ask(prompt)
        match "quit" if line is None else line.strip():
            case "quit" | "q":
                return None
            case "back" | "b":
                return -1
            case "help" | "?":
                player.show("note", words.exercise_keys if step.check else words.keys)
            case "hint" | "h":
                if hints:
                    player.show("prose", hints.pop(0))
                elif step.check:
                    player.show("note", words.solution)
                    player.show("command", step.command[player.tool])
                else:
                    player.show("note", words.no_hint)
            case "solve" if step.check:
                player.show("command", step.command[player.tool])
                player.carry_out(step)
            case "":
                if player.is_right(step) if step.check else player.carry_out(step):
                    return 1
            case command:
                status = player.classroom.run_own(command)
                if status:
                    player.show("wrong", words.failed.format(status=status))
