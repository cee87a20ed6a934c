"""Words and variables: systemd's own reader of environment files is the judge of kpki's."""
from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from kpki.kubernetes.words import (
    Word,
    expand,
    read_environment,
    read_plain_environment,
    split_words,
)

# It reads files of variables by the rules of EnvironmentFile=, prints what they say, and leaves out
# what is empty.
GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
FILES: tuple[tuple[str, dict[str, str]], ...] = (
    ("A=b", {"A": "b"}), ("A=b\nA=c\n", {"A": "c"}), ("  A = b c  \n", {"A": "b c"}),
    ("# A=b\n; A=c\nB=d # e\n", {"B": "d # e"}), ("A\nB=c\n", {"B": "c"}),
    ("export A=b\nB=c\n", {"B": "c"}), ("A=\"b c\"\nB='d e'\n", {"A": "b c", "B": "d e"}),
    ('A=b"c"d\n', {"A": 'b"c"d'}), ("A=\"b\"c'd'\n", {"A": "bc'd'"}),
    ("A=\"b\" 'c'\n", {"A": "bc"}), ('A="b \\\n  c \\\n d"\n', {"A": "b   c  d"}),
    ("A=b \\\n c\nB=d\n", {"A": "b  c", "B": "d"}),
    ("A='b\nc'\nB=\"d\ne\"\n", {"A": "b\nc", "B": "d\ne"}),
    ('A="b\\"c\\\\d\\e"\n', {"A": 'b"c\\d\\e'}), ("A=b\\ c\\\\d\\e\n", {"A": "b c\\de"}),
    ("A=b\\ \n", {"A": "b "}), ("A='b\\c'\n", {"A": "b\\c"}), ("A=b;c#d\n", {"A": "b;c#d"}),
    ('A="b', {"A": "b"}), ("1A=b\nB-C=d\n_D=e\n", {"_D": "e"}),
    ("# comment \\\nA=b\nB=c\n", {"B": "c"}), ('A=--b="c" --d\n', {"A": '--b="c" --d'}),
    ("A=b\r\nB=c\r\n", {"A": "b", "B": "c"}))
PIECES = ("A=", "B=", "x", " ", "\t", "\n", "\n", "\\", "\\\n", '"', "'", "#", ";", "=", "é", "--y",
          "export ")


def generated(text: str, folder: Path) -> dict[str, str]:
    """What systemd reads in a file of variables."""
    assert GENERATOR.exists(), "systemd is not here: apt-get install systemd"
    (folder / "environment.d").mkdir(exist_ok=True)
    (folder / "environment.d" / "x.conf").write_text(text)
    done = subprocess.run([GENERATOR], capture_output=True, text=True, check=True, env={
        "XDG_CONFIG_HOME": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"})
    pairs = (line.split("=", 1) for line in done.stdout.splitlines())
    plain = {"n": "\n", "t": "\t", "r": "\r"}
    return {name: value if value[:1] != '"' else re.sub(
        r"\\(.)", lambda found: plain.get(found[1], found[1]), value[1:-1]) for name, value in pairs
        if re.fullmatch("[A-Dxeport_]+", name)}


@pytest.mark.parametrize(("text", "wanted"), FILES)
def test_a_file_of_variables(text: str, wanted: dict[str, str], tmp_path: Path) -> None:
    """What a file of variables says, to kpki and to systemd."""
    assert read_environment(text) == wanted
    assert generated(text, tmp_path) == wanted


def test_any_file_of_variables(tmp_path: Path) -> None:
    """Whatever stands in a file of variables, kpki reads in it what systemd reads."""
    for number in range(150):
        chosen = random.Random(number)
        text = "".join(chosen.choices(PIECES, k=chosen.randrange(1, 25)))
        ours = {name: value for name, value in read_environment(text).items() if value}
        assert ours == generated(text, tmp_path), repr(text)


def test_a_containers_file_of_variables() -> None:
    """A container engine takes lines as they stand: no quotes, no continuation."""
    assert (read_plain_environment('A="b c" \n# B=c\n  C=d\\\nD\nE=\n')
            == {"A": '"b c" ', "C": "d\\", "E": ""})


ENVIRONMENT = {"A": Word("b c", "a"), "Q": Word("--x='y z' \\\"w", "q"), "E": Word("", "e")}


@pytest.mark.parametrize(("word", "wanted"), [
    ("$A", [("b", "a"), ("c", "a")]), ("${A}", [("b c", "a")]), ("--x=$A", [("--x=$A", "u")]),
    ("--x=${A}/${NONE}", [("--x=b c/", "a")]), ("$NONE", []), ("${NONE}", [("", "u")]), ("$E", []),
    ("$Q", [("--x=y z", "q"), ('"w', "q")]), ("$$A", [("$A", "u")]), ("x$${A}", [("x${A}", "u")]),
    ("$", []), ("$A/x", []), ("${A", [("${A", "u")]), ("a$", [("a$", "u")])])
def test_variables_in_words(word: str, wanted: list[tuple[str, str]]) -> None:
    """`$NAME` alone is split, quotes in the value respected; `${NAME}` is one word wherever it
    stands; nothing else is a variable (systemd.service(5), "Command lines")."""
    assert [(item.text, item.source) for item in expand([Word(word, "u")], ENVIRONMENT)] == wanted


def test_a_word_that_is_none() -> None:
    """Quotes that never close and unknown escapes are errors, after good words; *relaxed* lets the
    latter stand."""
    words = split_words("a 'b c")
    assert next(words) == "a"
    with pytest.raises(ValueError, match="never closed"):
        next(words)
    with pytest.raises(ValueError, match="unknown escape"):
        [*split_words("\\q")]
    assert [*split_words("\\q", relaxed=True)] == ["\\q"]
