"""kpki's verdict beside Go's, on chains that chance makes.

`scripts/fuzz verdict N` tries N new ones; here it is always the same few hundred. KPKI_SEED is the
first one's number.
"""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from random import SystemRandom

import pytest

from tests.kubernetes.verdict.chance import random_chain
from tests.kubernetes.verdict.peer import Judge, Verdict, differences, in_kind, kpki_says

TOP = Path(__file__).parent.parent.parent.parent
TRIES = os.environ.get("KPKI_FUZZ")
FIRST = int(os.environ.get("KPKI_SEED") or (SystemRandom().getrandbits(40) if TRIES else 0))
BATCH = 500     # chains that one process of Go judges


def again(seed: int) -> str:
    """The command that tries the chain of this number again."""
    return f"KPKI_SEED={seed} scripts/fuzz verdict 1"


@pytest.mark.parametrize("first", range(FIRST, FIRST + int(TRIES or 240), BATCH))
def test_kpki_says_what_go_says(first: int, judge: Judge | None) -> None:
    """Accept or refuse is the same, and so is the sentence but for a URI's spelling; without Go,
    kpki has an answer."""
    seeds = range(first, min(first + BATCH, FIRST + int(TRIES or 240)))
    chains = {again(seed): random_chain(seed) for seed in seeds}
    said = {name: in_kind(kpki_says(chain)) for name, chain in chains.items()}
    meant = dict(zip(chains, map(in_kind, judge(chains.values())), strict=True)) if judge else said
    found = differences(said, meant)
    assert not found, "\n".join(found)
    assert len(said) == len(seeds) and all(verdict.ok or verdict.reason
                                           for verdict in said.values())


def test_a_seed_is_a_chain() -> None:
    """The chain of one number is always the same, to the byte, and another number is another
    chain."""
    assert random_chain(1) == random_chain(1) != random_chain(2)


def test_chance_is_neither_tame_nor_blind(judge: Judge | None) -> None:
    """Of the chains some are accepted, and the refusals have many reasons."""
    said: list[Verdict] = (judge or (lambda chains:
                                         [*map(kpki_says, chains)]))(map(random_chain, range(120)))
    assert 20 < sum(verdict.ok for verdict in said) < 100
    assert len({verdict.reason for verdict in said}) > 20


URI = 'x509: cannot parse URI "http://[x]": parse "http://[x]": invalid host: ParseAddr("x"): '
HELD = "x509: a root or intermediate certificate is not authorized to sign for this name: URI "


@pytest.mark.parametrize(("reason", "other", "alike"), [
    (f"{URI}unable to parse IP", f"{URI}address string too short", True),
    (f"{URI}unable to parse IP", 'x509: cannot parse URI "http://[x]": invalid domain', False),
    (f'{HELD}with empty host ("a b") cannot be matched against constraints',
     f'{HELD}with empty host ("a%20b") cannot be matched against constraints', True),
    (f'{HELD}"a://b c" is not permitted by any constraint',
     f'{HELD}"a://b%20c" is not permitted by any constraint', True),
    (f'{HELD}"a://b" is not permitted by any constraint',
     f'{HELD}"a://b" is excluded by constraint "b"', False),
    ("x509: trailing data", "x509: invalid version", False),
])
def test_only_spelling_is_overlooked(reason: str, other: str, alike: bool) -> None:
    """Two sentences are equal only if they differ in the spelling of an address or a URI."""
    assert (in_kind(Verdict(False, reason)) == in_kind(Verdict(False, other))) is alike
    assert in_kind(Verdict(False, reason)) != in_kind(Verdict(True, reason))


def test_without_go_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """`scripts/fuzz verdict` says that it needs Go, in one sentence, where there is none or another
    version."""
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    command = ["/bin/sh", str(TOP / "scripts" / "fuzz"), "verdict", "1"]
    for version in ("", "go1.27.3", "go1.2"):
        if version:
            (tmp_path / "go").write_text(f"#!/bin/sh\necho {version}\n")
            (tmp_path / "go").chmod(0o755)
        done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        assert (done.stderr
                == "kpki: scripts/fuzz verdict needs go 1.26: its crypto/x509 is the peer\n")


@pytest.mark.parametrize("words",
                         [["verdict", "x"], ["verdicts"], ["verdict", "1", "2"], ["1", "verdict"]])
def test_other_words_are_refused(words: list[str]) -> None:
    """`scripts/fuzz` takes `verdict` and a number, in this order, and says so."""
    done = subprocess.run([TOP / "scripts" / "fuzz", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kpki: usage: scripts/fuzz [verdict] [N]\n"
