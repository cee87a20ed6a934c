"""A lesson with a learner: what is typed, what is shown, and what is kept."""
from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kpki.clock import utc_now
from kpki.errors import RefusedError
from kpki.lessons.classroom import open_classroom, progress_of
from kpki.lessons.lesson import parse_lesson
from kpki.lessons.play import Player, play
from kpki.lessons.words import WORDS

LESSON = parse_lesson("certificate", """# A lesson

*1 minutes*

First.

```sh
echo one; touch first
```

> Look closer.

Second.

```sh openssl
openssl version | cut -c 1-7
```
```sh kpki
kpki --version
```

## Exercise

Make a file `goal`.

> touch makes files.

```sh check
# There is no goal:
cat goal
# The goal is empty.
test -s goal
```
```sh solution
echo done > goal
```

The end.
""")
Shown = list[tuple[str, str]]
Talk = Callable[..., Shown]


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    """Play the lesson with some lines of a learner's; what was shown."""
    def conversation(*lines: str, language: str = "en") -> Shown:
        shown: Shown = []
        waiting = [*lines]
        classroom = open_classroom(str(tmp_path), "certificate", automatic=False,
                                   program=["echo", "kpki is run"], environment=os.environ,
                                   now=utc_now())
        player = Player(LESSON, classroom, "kpki", language,
                        lambda kind, text: shown.append((kind, text)), utc_now)
        play(player, lambda question: waiting.pop(0) if waiting else None)
        return shown
    return conversation


def texts(shown: Shown, kind: str) -> list[str]:
    return [text for found, text in shown if found == kind]


def test_enter_runs_the_command(talk: Talk, tmp_path: Path) -> None:
    """The steps run in the lesson's folder, by the learner's tool; the end of the input leaves."""
    shown = talk("", "")
    assert texts(shown, "output") == ["one\n", "kpki is run --version\n"]
    assert (tmp_path / "certificate/first").exists()
    assert progress_of(str(tmp_path), "certificate") == 2
    assert texts(shown, "note")[-1] == "Your place is kept. Go on with: kpki learn certificate"


def test_a_learner_comes_back(talk: Talk, tmp_path: Path) -> None:
    """The next run begins at the step that was left, and says so."""
    talk("", "quit")
    shown = talk("q")
    resumed = f"You go on with step 2 of 3. To begin anew: rm -r {tmp_path}/certificate"
    assert resumed in texts(shown, "note")
    assert texts(shown, "prose") == ["Second."]


def test_a_learner_goes_back(talk: Talk) -> None:
    """`back` shows the step before; before the first there is none."""
    shown = talk("back", "", "b", "q")
    assert texts(shown, "prose") == ["First.", "First.", "Second.", "First."]
    assert "This is the first step." in texts(shown, "note")


def test_a_command_of_the_learners_own_runs_in_the_folder(talk: Talk, tmp_path: Path) -> None:
    """What is no word of the runner's is a command; a failure is said, and the step stays."""
    shown = talk("echo mine > own; pwd > where", "exit 3")
    assert (tmp_path / "certificate/own").read_text() == "mine\n"
    assert (tmp_path / "certificate/where").read_text() == f"{tmp_path}/certificate\n"
    assert texts(shown, "wrong") == ["The command ended with status 3."]
    assert progress_of(str(tmp_path), "certificate") == 0


def test_control_c_ends_the_command_alone(talk: Talk) -> None:
    """The interrupt of a learner's own command leads back to the step."""
    # a shell that runs the tests in the background has them ignore the interrupt
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        shown = talk("kill -INT $PPID $$; sleep 60", "")
    finally:
        signal.signal(signal.SIGINT, before)
    assert texts(shown, "wrong") == ["The command ended with status 130."]
    assert texts(shown, "output") == ["one\n"]


def test_help_says_what_one_may_type(talk: Talk) -> None:
    """`help` repeats the words of a step, and in an exercise those of an exercise."""
    words, told = WORDS["en"], texts(talk("help", "", "", "?"), "note")
    assert (told.count(words.keys), told.count(words.exercise_keys)) == (2, 2)


def test_hints_come_one_by_one(talk: Talk) -> None:
    """A step without a hint says so; after the last hint of an exercise comes the solution."""
    shown = talk("hint", "", "hint", "", "hint", "hint")
    assert "There is no hint for this step. Enter runs the command." in texts(shown, "note")
    assert texts(shown, "prose") == [
        "First.", "Second.", "Look closer.", "Make a file `goal`.", "touch makes files."]
    assert shown[-2] == ("command", "echo done > goal")


@pytest.mark.parametrize(("answer", "wrong"), [
    ("true", ["Not yet. There is no goal:"]), ("touch goal", ["Not yet. The goal is empty."]),
    ("echo mine > goal", []), ("solve", [])])
def test_an_exercise_is_checked(talk: Talk, tmp_path: Path, answer: str,
                                wrong: Sequence[str]) -> None:
    """Enter checks the answer: a wrong answer gets its sentence, a right one ends the exercise."""
    shown = talk("", "", answer, "")
    assert texts(shown, "wrong") == wrong
    assert (("prose", "The end.") in shown) == (not wrong)
    assert progress_of(str(tmp_path), "certificate") == (2 if wrong else 3)


def test_a_lesson_that_is_done_begins_anew(talk: Talk) -> None:
    """After the last step the first one comes again."""
    talk("", "", "solve", "")
    assert texts(talk("q"), "prose") == ["First."]


def test_chinese_is_spoken(talk: Talk) -> None:
    """The runner's own words are in the learner's language."""
    last = texts(talk("q", language="zh"), "note")[-1]
    assert last == "进度已保存。下次继续：kpki learn certificate"


def test_a_folder_that_is_no_lessons_is_refused(tmp_path: Path) -> None:
    """A user's own folder stays as it is, also for a run without questions."""
    for folder, automatic in (("certificate", False), ("run/certificate", True)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "thesis").write_text("")
        with pytest.raises(RefusedError, match=r"certificate: this folder is no lesson's"):
            open_classroom(str(tmp_path), "certificate", automatic=automatic, program=[],
                           environment={}, now=utc_now())
        assert (tmp_path / folder / "thesis").exists()


def test_a_run_without_questions_begins_with_an_empty_folder(tmp_path: Path) -> None:
    """The files of the last such run are gone, a learner's own folder stays."""
    def enter(*, automatic: bool) -> Path:
        return Path(open_classroom(
            str(tmp_path), "certificate", automatic=automatic, program=["true"],
            environment=os.environ, now=utc_now()).folder)
    own, run = enter(automatic=False), enter(automatic=True)
    for folder in (own, run):
        (folder / "file").touch()
    enter(automatic=True)
    assert [(own / "file").exists(), (run / "file").exists()] == [True, False]
