"""Whether Go loads a private key, and what it does not say: kpki's answer beside Go's, live or
recorded."""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from kpki.kubernetes.go import private_keys
from kpki.kubernetes.go.der import GoError
from tests.kubernetes.verdict.golang import HERE, WANTED, build, environment, go_version, is_live
from tests.kubernetes.verdict.private_keys import KEYS, RULES

RECORD = HERE / "private_keys.json"
Said = dict[str, str]
NOTHING: Said = {"pair": "", "why": "", "token": "", "signs": ""}


def go_says(judge: Path) -> dict[str, Said]:
    """What Go says of each key, from one process; only what it does say."""
    questions = "\n".join(json.dumps(b64encode(data).decode()) for data in KEYS.values())
    done = subprocess.run([judge, "keys"], input=questions, env=environment(), capture_output=True,
                          text=True, check=True)
    return {name: {part: text for part, text in json.loads(line).items() if text}
            for name, line in zip(KEYS, done.stdout.splitlines(), strict=True)}


def kpki_says(data: bytes) -> Said:
    """What kpki says of it, likewise."""
    def said(judged: Callable[[], object]) -> tuple[str, str]:
        try:
            judged()
        except GoError as error:
            return error.sentence, error.why
        return "", ""
    pair, why = said(lambda: private_keys.load_pair_key(data))
    signs = "" if pair else said(
        lambda: private_keys.validate_handshake_key(private_keys.load_pair_key(data)))[0]
    token = said(lambda: private_keys.load_token_key(data))[0]
    found = {"pair": pair, "why": why, "token": token, "signs": signs}
    return {part: text for part, text in found.items() if text}


RECORDED: dict[str, Said] = json.loads(RECORD.read_text())["keys"] if RECORD.exists() else {}


@pytest.mark.parametrize("name", KEYS)
def test_kpki_says_what_go_says(name: str) -> None:
    """Loaded or not is the same for a pair and for tokens, and so is every sentence, word for
    word."""
    assert kpki_says(KEYS[name]) == RECORDED[name]


def test_the_record_is_what_go_says(tmp_path: Path) -> None:
    """Where Go 1.26 is there, it says today what was recorded; elsewhere the record is of that
    version and whole."""
    if is_live(go_version()):
        assert go_says(build(tmp_path)) == RECORDED
    assert RECORDED.keys() == KEYS.keys()
    assert is_live(json.loads(RECORD.read_text())["go"])


def test_every_rule_has_its_yes_and_its_no() -> None:
    """Each rule has a key that is loaded and one that is not, and there are plenty of both."""
    found = {(name.partition(": ")[0], "pair" in said) for name, said in RECORDED.items()}
    assert sorted(found) == sorted((rule, refused) for rule in RULES for refused in (True, False))
    assert min(Counter("pair" in said for said in RECORDED.values()).values()) >= 40
    assert min(Counter("token" in said for said in RECORDED.values()).values()) >= 40


def record() -> None:
    """Write private_keys.json anew (`python -m tests.kubernetes.verdict.test_private_keys`)."""
    if not is_live(go_version()):
        sys.exit(f"{WANTED} is wanted, {go_version() or 'none'} is there")
    with tempfile.TemporaryDirectory() as folder:
        said = go_says(build(Path(folder)))
    RECORD.write_text(json.dumps({"go": go_version(), "keys": said}, indent=0, ensure_ascii=False)
                      + "\n")


if __name__ == "__main__":
    record()
