"""kpki's verdict beside Go's, on every chain of the tables: live where Go is there, recorded where
it is not."""
from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.kubernetes.verdict.chains import CHAINS, TOPICS, rule_of
from tests.kubernetes.verdict.golang import go_version, is_live, source_of_verdicts
from tests.kubernetes.verdict.peer import RECORD, Judge, Verdict, differences, kpki_says, recorded

RECORDED = recorded()


@pytest.mark.parametrize("name", CHAINS)
def test_kpki_says_what_go_says(name: str) -> None:
    """Accept or refuse is the same, and so is the sentence, word for word."""
    assert kpki_says(CHAINS[name]) == RECORDED[name]


def test_the_record_is_what_go_says(judge: Judge | None) -> None:
    """Where Go 1.26 is there, it says today what was recorded; elsewhere the record is of that
    version and whole."""
    if judge:
        assert differences(dict(zip(CHAINS, judge(CHAINS.values()), strict=True)), RECORDED) == []
    assert RECORDED.keys() == CHAINS.keys()
    assert is_live(json.loads(RECORD.read_text())["go"])


def test_every_rule_has_its_yes_and_its_no() -> None:
    """Each rule of the tables has a chain that is accepted and one that is refused; no two chains
    share a name."""
    found = {(rule_of(name), verdict.ok) for name, verdict in RECORDED.items()}
    rules = [rule for facts in TOPICS for rule in facts]
    assert sorted(found) == sorted((rule, ok) for rule in rules for ok in (True, False))
    assert len(CHAINS) == sum(len(variants) for facts in TOPICS for variants in facts.values())


def test_there_are_plenty_of_both() -> None:
    """Neither verdict is rare, and the refusals have many reasons."""
    count = Counter(verdict.ok for verdict in RECORDED.values())
    assert count[True] >= 120 and count[False] >= 120
    assert len({verdict.reason for verdict in RECORDED.values()}) >= 100


NO = Verdict(False, "x509: trailing data")


@pytest.mark.parametrize(("said", "wrong"), [
    ({"a": Verdict(True, "")}, []),
    ({"a": NO}, ["a"]),
    ({"a": Verdict(True, ""), "b": NO}, ["b"]),
    ({}, ["a"]),
])
def test_a_wrong_judge_is_noticed(said: dict[str, Verdict], wrong: list[str]) -> None:
    """A verdict that is turned round, made up or left out is a difference, and what agrees is
    none."""
    assert [line.partition(":")[0] for line in differences(said, {"a": Verdict(True, "")})] == wrong


def test_another_sentence_is_noticed() -> None:
    """Two refusals for different reasons are a difference."""
    assert differences({"a": NO}, {"a": Verdict(False, "x509: invalid version")}) == [
        f"a: {NO}, not {Verdict(False, 'x509: invalid version')}"]


@pytest.mark.parametrize(("version", "head"), [
    ("go1.26.8", "Go's verdicts: live (go1.26.8)"),
    ("go1.26", "Go's verdicts: live (go1.26)"),
    ("go1.27.3", "Go's verdicts: recorded (go1.26 is not there, but go1.27.3)"),
    ("go1.2", "Go's verdicts: recorded (go1.26 is not there, but go1.2)"),
    (None, "Go's verdicts: recorded (go1.26 is not there)"),
])
def test_the_run_says_whose_verdicts_it_uses(version: str | None, head: str) -> None:
    """The head of a run names the Go whose verdicts count, or says that there is none."""
    assert source_of_verdicts(version) == head


def test_the_version_is_asked_of_go_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what the first `go` of PATH calls itself; where there is none, there is no version."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert go_version.__wrapped__() is None
    (tmp_path / "go").write_text('#!/bin/sh\necho "$1 $2 $GOTOOLCHAIN"\n')
    (tmp_path / "go").chmod(0o755)
    assert go_version.__wrapped__() == "env GOVERSION local"
