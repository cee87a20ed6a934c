"""The prompting dialogue of `req`, word for word as openssl holds it on stderr (openssl-req(1))."""
from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from kpki.cli.main import main

CONFIG = """\
[req]
distinguished_name = dn
attributes = more
[dn]
countryName = Country
countryName_default = AU
countryName_min = 2
countryName_max = 2
0.organizationName = Organization
OU_value = given
OU = Unit
commonName = Name
commonName_max = 8
[more]
challengePassword = Password
challengePassword_min = 4
"""
ANSWERS = {"all": "DE\nO\nname\nsecret\n", "defaults": "\n\n\n\n", "left out": ".\n.\nx\n.\n",
           "too short, too long": "D\nDEU\nDE\nO\nmuch too long\nname\nabc\nabcd\n"}


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_the_dialogue_is_word_for_word(folder: Path, answers: str,
                                       capsys: pytest.CaptureFixture[str],
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions, complaints, values that are not asked for: stderr and the subject are
    openssl's."""
    (folder / "ask.conf").write_text(CONFIG)
    words = "req -new -key leaf.key -config ask.conf -noout -subject".split()
    theirs = subprocess.run(["openssl", *words], input=answers, capture_output=True, text=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    assert main(words) == theirs.returncode == 0
    ours = capsys.readouterr()
    assert ours.out == theirs.stdout
    assert ours.err == theirs.stderr


@pytest.mark.parametrize("answers", ["", "DE\n", "DE\nO", "D\n"])
def test_answers_that_end_too_early_are_refused(folder: Path, answers: str,
                                                capsys: pytest.CaptureFixture[str],
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the input ends before the questions do, status 1, the field is named, and nothing is
    written."""
    (folder / "ask.conf").write_text(CONFIG)
    words = "req -new -key leaf.key -config ask.conf -out new.csr".split()
    assert subprocess.run(["openssl", *words], input=answers, capture_output=True,
                          text=True).returncode == 1
    (folder / "new.csr").unlink(missing_ok=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    assert main(words) == 1 and not (folder / "new.csr").exists()
    assert "Name: no answer before the end of the input" in capsys.readouterr().err


def test_a_certificate_has_no_attributes(folder: Path, capsys: pytest.CaptureFixture[str],
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Under -x509 only the subject is asked for; a request asks for the attributes too, and ends
    without them."""
    (folder / "ask.conf").write_text(CONFIG)
    words = "req -x509 -new -key leaf.key -config ask.conf -noout -subject".split()
    theirs = subprocess.run(["openssl", *words], input="DE\nO\nname\n", capture_output=True,
                            text=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("DE\nO\nname\n"))
    assert main([*words, "--quiet"]) == theirs.returncode == 0
    ours = capsys.readouterr()
    assert (ours.out, ours.err) == (theirs.stdout, theirs.stderr)
    monkeypatch.setattr(sys, "stdin", io.StringIO("DE\nO\nname\n"))
    assert main([word for word in words if word != "-x509"]) == 1
