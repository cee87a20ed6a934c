"""The exercises: any right answer passes, and a wrong one is told what is wrong with it."""
from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.clock import utc_now
from kpki.lessons.catalogue import NAMES, load_lesson
from kpki.lessons.classroom import Classroom
from kpki.lessons.play import Player
from tests.lessons.wrong_answers import OTHER_ANSWERS, WRONG_ANSWERS

EXERCISES = [(name, number) for name in NAMES
             for number in range(sum(bool(step.check) for step in load_lesson(name, "en").steps))]


@pytest.fixture
def answer(played: Callable[..., Any],
           tmp_path: Path) -> Callable[[str, int, str], tuple[bool, str]]:
    """Answer an exercise in a copy of the lesson's files at its end: is it right, what is said."""
    def give(name: str, number: int, commands: str) -> tuple[bool, str]:
        done = played(name, "openssl", "en")
        shutil.copytree(done.classroom.folder, tmp_path / name, symlinks=True)
        classroom = Classroom(str(tmp_path), name, done.classroom.environment)
        subprocess.run(["sh", "-ec", commands], cwd=classroom.folder, env=classroom.environment,
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
        said: list[str] = []
        player = Player(load_lesson(name, "en"), classroom, "openssl", "en",
                        lambda kind, text: said.append(text), utc_now)
        return player.is_right(exercise(name, number)), "\n".join(said)
    return give


def exercise(name: str, number: int) -> Any:
    return [step for step in load_lesson(name, "en").steps if step.check][number]


@pytest.mark.parametrize(("name", "number", "commands", "reason"), WRONG_ANSWERS)
def test_a_wrong_answer_is_told_its_reason(answer: Callable[..., Any], name: str, number: int,
                                           commands: str, reason: str) -> None:
    """The check refuses the answer, and says in a sentence why, but not how to repair."""
    right, said = answer(name, number, commands)
    assert (right, reason in said) == (False, True), said
    assert not re.search(r"^ +(# |\$ )", said, re.MULTILINE)


@pytest.mark.parametrize(("name", "number"), EXERCISES)
def test_an_exercise_has_three_wrong_answers(name: str, number: int) -> None:
    """No check is trusted that was not seen to refuse three answers."""
    assert sum((name, number) == (row[0], row[1]) for row in WRONG_ANSWERS) >= 3


@pytest.mark.parametrize(("name", "number", "commands"), OTHER_ANSWERS)
def test_another_way_is_right(answer: Callable[..., Any], name: str, number: int,
                              commands: str) -> None:
    """What reaches the goal passes, whatever the way."""
    right, said = answer(name, number, commands)
    assert right, said
