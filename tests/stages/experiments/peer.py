"""One-line experiments: a configuration and a command line, run by openssl and by kpki, what the
two wrote compared.

A row says what openssl is expected to do: so a rule is seen to hold, and is not the same mistake
twice.
"""
from __future__ import annotations

import io
import os
import shlex
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from kpki.cli.main import main

SUBJECT = "[req]\nprompt=no\ndistinguished_name=dn\n"


class Row(NamedTuple):
    """What is tried: the configuration's *text*, the *words* after the command's own, *answers* on
    standard input."""

    works: bool
    text: str
    words: str = ""
    answers: str = ""
    environment: Mapping[str, str] = {}


def yes(text: str, words: str = "", answers: str = "", **environment: str) -> Row:
    """A row that openssl carries out."""
    return Row(True, text, words, answers, environment)


def no(text: str, words: str = "", answers: str = "", **environment: str) -> Row:
    """A row that openssl refuses."""
    return Row(False, text, words, answers, environment)


def dn(text: str, settings: str = "") -> str:
    """A configuration whose subject is *text*; *settings* are further lines of its section
    [req]."""
    return f"{SUBJECT}{settings}\n[dn]\n{text}\n"


def ext(text: str, more: str = "") -> str:
    """A configuration whose request asks for the extensions *text*; *more* are further sections."""
    return f"{SUBJECT}req_extensions=e\n[dn]\nCN=a\nemailAddress=a@b.c\n[e]\n{text}\n{more}\n"


def rows(table: Mapping[str, Iterable[Row]]) -> list[object]:
    """A table rule → rows as parameters of a test, each named by its rule."""
    return [pytest.param(row, id=f"{rule} ({number})") for rule, group in table.items()
            for number, row in enumerate(group, 1)]


Run = Callable[[list[str], Row], int]


class Bench(NamedTuple):
    """Where experiments are made: a *folder* with keys, certificates and requests that openssl
    made."""

    folder: Path
    set_environment: Callable[[str, str], None]
    set_input: Callable[[io.TextIOWrapper], None]
    set_output: Callable[[io.TextIOWrapper], None]

    def outcome(self, command: str, row: Row) -> tuple[bytes | None, bytes | None]:
        """What openssl and kpki write for a row, stripped of what must differ; None for a
        refusal."""
        (self.folder / "file.cnf").write_bytes(row.text.encode("utf-8", "surrogateescape"))
        words = [*shlex.split(command), *shlex.split(row.words)]
        return (self._outcome(self._openssl, words, row), self._outcome(self._kpki, words, row))

    def _outcome(self, run: Run, words: list[str], row: Row) -> bytes | None:
        out = self.folder / "out.der"
        out.write_bytes(b"")
        # openssl writes the certificate where a request is asked for in DER
        form = "PEM" if "-x509toreq" in words else "DER"
        status = run([*words, "-outform", form, "-out", "out.der"], row)
        assert status in (0, 1)
        if status:
            return None
        data = out.read_bytes()
        return comparable(data if form == "DER" else b64decode(b"".join(data.splitlines()[1:-1])),
                          words)

    def _openssl(self, words: list[str], row: Row) -> int:
        return subprocess.run(["openssl", *words], cwd=self.folder, input=row.answers.encode(),
                              capture_output=True, env={"PATH": os.environ["PATH"],
                                                        **row.environment}, timeout=60).returncode

    def _kpki(self, words: list[str], row: Row) -> int:
        for name, value in row.environment.items():
            self.set_environment(name, value)
        self.set_input(io.TextIOWrapper(io.BytesIO(row.answers.encode())))
        return main(words)

    def agree(self, command: str, row: Row) -> None:
        """Assert that openssl does what the row expects, and kpki the same."""
        theirs, ours = self.outcome(command, row)
        assert (theirs is not None) == row.works
        assert ours == theirs


def comparable(der: bytes, words: list[str]) -> bytes:
    """A request as it is (less an ECDSA signature, which is random), a certificate without dates
    and signature."""
    signed, algorithm, _ = items(content(der))
    if "-x509toreq" in words or (words[0] == "req" and not {"-x509", "-CA"} & set(words)):
        return signed + algorithm if "ec.pem" in words else der
    fields = items(content(signed))
    if "-set_serial" not in words and "-in" not in words:  # drawn at random
        del fields[fields[0][0] == 0xA0]
    return b"".join(field for field in fields if not is_validity(field)) + algorithm


def is_validity(item: bytes) -> bool:
    """Whether an item is a SEQUENCE of two times."""
    return item[0] == 0x30 and len(item) > 2 and item[2] in (0x17, 0x18)


def content(item: bytes) -> bytes:
    """What is inside an item."""
    return item[2:] if item[1] < 0x80 else item[2 + (item[1] & 0x7F):]


def items(data: bytes) -> list[bytes]:
    """The items that stand one after the other."""
    found = []
    while data:
        length, head = data[1], 2
        if length >= 0x80:
            head += length & 0x7F
            length = int.from_bytes(data[2:head], "big")
        found.append(data[:head + length])
        data = data[head + length:]
    return found
