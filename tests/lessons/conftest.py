"""Lessons, played in folders of their own, once for each tool and language."""
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from kpki.clock import utc_now
from kpki.lessons.catalogue import load_lesson
from kpki.lessons.classroom import Classroom, open_classroom
from kpki.lessons.play import Player, play_alone

TOP = Path(__file__).parents[2]


@dataclass
class Played:
    """A lesson that was played without questions: what was shown, and whether everything held."""

    classroom: Classroom
    shown: list[tuple[str, str]] = field(default_factory=list)
    held: bool = False


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory,
           kpki_words: list[str]) -> Callable[[str, str, str], Played]:
    """Play a lesson without questions, each once, and leave its files."""
    @cache
    def play(name: str, tool: str, language: str) -> Played:
        classroom = open_classroom(str(tmp_path_factory.mktemp("learn")), name, automatic=True,
                                   program=kpki_words, environment=os.environ, now=utc_now())
        played = Played(classroom)
        player = Player(load_lesson(name, language), classroom, tool, language,
                        lambda kind, text: played.shown.append((kind, text)), utc_now)
        played.held = play_alone(player)
        return played
    return play
