"""The lines of a large log that hold a word: by both ways, with their numbers."""

from __future__ import annotations

import re
import sys
import tracemalloc
from collections.abc import Iterator
from random import Random

import pytest

from kpki.doctor import sieve as module
from kpki.doctor.logs import diagnose_log
from kpki.doctor.sieve import BLOCK, sieve

WORDS = [b"x509", b"o such file", b" cannot "]


@pytest.fixture(params=["re2", "the C library", "neither"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With google-re2, with memmem, and with Python alone."""
    if request.param != "re2":
        monkeypatch.setitem(sys.modules, "re2", None)
    if request.param == "neither":
        monkeypatch.setattr(module, "_search", lambda: bytes.find)
    return str(request.param)


def log(lines: int, seed: int) -> bytes:
    """Lines of all lengths, some with words, some with NUL, CR or no UTF-8."""
    random = Random(seed)
    parts = [*WORDS, b"a", b"\x00", b"\xff\xfe", b"\r", b"x50", b" ", b"", b"such file"]
    return b"\n".join(b"".join(random.choices(parts, k=random.randrange(60))) for _ in range(lines))


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
@pytest.mark.usefixtures("way")
def test_the_lines_are_those_that_hold_a_word(size: int) -> None:
    """Each line once, in order, wherever the blocks end."""
    text = log(300, size)
    blocks = [text[start : start + size] for start in range(0, len(text), size)]
    wanted = [
        (number, line)
        for number, line in enumerate(text.split(b"\n"), 1)
        if any(word in line for word in WORDS)
    ]
    assert [*sieve(blocks, WORDS)] == wanted != []


@pytest.mark.usefixtures("way")
def test_a_line_of_any_length_is_read_in_bounded_memory() -> None:
    """A line of 64 MiB comes in pieces; a word that stands across two pieces is found."""

    def blocks() -> Iterator[bytes]:
        yield b"first\n"
        for _ in range(128):
            yield b"a" * (BLOCK - 2) + b"x5"
            yield b"09" + b"a" * (BLOCK - 2) if _ == 100 else b"b"
        yield b"\nno such file\n"

    tracemalloc.start()
    found = [(held.number, len(held.raw) <= 3 * BLOCK) for held in sieve(blocks(), WORDS)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {*found} == {(2, True), (3, True)} and peak < 16 * BLOCK


@pytest.mark.usefixtures("way")
def test_both_ways_name_the_same_lines() -> None:
    """A log over 512 KiB has the causes of its lines one by one, with their numbers."""
    lines = ["I1130 04:14:05.275468 790 server.go:1262] Started kubelet"] * 18000
    lines[17] = "open /etc/kubernetes/pki/ca.crt: no such file or directory"
    lines[16123] = "x509: certificate signed by unknown authority \x00"
    text = "\n".join(lines).encode()
    assert len(text) > BLOCK
    assert [(found.cause, found.line) for found in diagnose_log([text], "a")] == [
        ("file-missing", 18),
        ("unknown-authority", 16124),
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        "x509: " * 700_000,
        "kubelet-client-current.pem" * 10_000,
        "certificate is valid for " * 170_000,
        "a/" * 2_000_000 + ".pem no such file",
        'node "' * 600_000,
        "[x509: ".ljust(4_000_000, "x"),
        'is forbidden: User "' * 200_000,
        "\x1b[" * 2_000_000,
        "\\" * 4_000_000 + "x509",
        "x509: certificate signed by unknown authority" + " " * 4_000_000,
        "SSL hostname a not verified: " * 140_000,
        "Certificate for <" + "a" * 4_000_000,
        "certificate CN=" + "a," * 2_000_000,
    ],
)
def test_hostile_text_ends(hostile: str) -> None:
    """A line of 4 MB, made to let regular expressions explode, is read; so is one of these among
    others."""
    text = f"{hostile}\nopen /a/ca.pem: no such file or directory\n".encode()
    found = [*diagnose_log([text], "a")]
    assert found[-1].cause == "file-missing" and found[-1].line == 2
    assert all(re.fullmatch(r"[a-z0-9-]+", item.cause) for item in found)
