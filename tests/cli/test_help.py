"""The help pages: how they are asked for, their width, their example; the manual pages made of the
same texts."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from kpki.cli.app import app, pages
from kpki.cli.man import manuals
from kpki.cli.openssl.verbs import VERBS

Run = Callable[..., Any]


def paths(group: TyperGroup, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command below a group, as the words that name it."""
    for name, command in group.commands.items():
        yield (*before, name)
        if isinstance(command, TyperGroup):
            yield from paths(command, (*before, name))


ROOT = typer.main.get_command(app)
assert isinstance(ROOT, TyperGroup)
PAGES = [(), *paths(ROOT)]
MANUALS = manuals(ROOT)


def complaints(page: str) -> list[str]:
    """What is wrong with a help page: its width, and that it has one example."""
    wide = [line for line in page.splitlines() if len(line) > 80]
    return wide + ([] if page.count("Example:\n") == 1 else ["not one example"])


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_each_help_page_fits_and_has_an_example(kpki: Run, monkeypatch: pytest.MonkeyPatch,
                                                words: tuple[str, ...]) -> None:
    """No line is over 80 columns, also on a wide terminal, and the page ends with one example."""
    monkeypatch.setenv("COLUMNS", "200")
    page = kpki(*words, "-h")
    assert complaints(page.out) == [] and page.err == ""


@pytest.mark.parametrize("page", ["x" * 81 + "\n\nExample:\n  kpki\n", "Usage: kpki\n",
                                  "Example:\nExample:\n"])
def test_a_page_can_be_wrong(page: str) -> None:
    """A wide line, a page without an example and one with two are complained of."""
    assert complaints(page)


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_is_asked_for_in_three_ways(kpki: Run, words: tuple[str, ...]) -> None:
    """-h, --help and `kpki help` show the same page."""
    assert kpki(*words, "-h").out == kpki(*words, "--help").out == kpki("help", *words).out


@pytest.mark.parametrize(("words", "message"), [
    (("bogus",), "No such command 'bogus'."),
    (("node", "isue"), "No such command 'isue'. Did you mean 'issue'?"),
    (("check", "x"), "kpki check has no commands."), (("x509", "x"), "kpki x509 has no commands.")])
def test_help_on_what_is_no_command_is_2(kpki: Run, words: tuple[str, ...], message: str) -> None:
    """The unknown word is named, on stderr."""
    assert kpki("help", *words, status=2).refusal() == message


@pytest.mark.parametrize("words", [("-h",), ("-noout", "--h"), ("-in", "x", "-h")])
def test_h_is_help_where_openssl_has_it(kpki: Run, words: tuple[str, ...]) -> None:
    """openssl takes -h for help anywhere in the line, with one dash or two."""
    done = subprocess.run(["openssl", "x509", *words], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr[:6] or done.stdout[:6]) == (0, "Usage:")
    assert kpki("x509", *words).out.startswith("Usage: kpki x509 ")


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_each_command_has_a_manual_page(kpki: Run, words: tuple[str, ...]) -> None:
    """`kpki help --man` prints the page that the wheel installs, and groff and mandoc have nothing
    to say about it."""
    page = kpki("help", "--man", *words).out
    assert page == MANUALS["-".join(("kpki", *words)) + ".1"]
    assert lint(page) == ("", "")


@pytest.mark.parametrize("page",
                         [".TH X 1\n.SH NAME\nx \\- y\n.SH\n.nosuch\n", ".TH X 1\n\\[nosuch]\n"])
def test_a_manual_page_can_be_wrong(page: str) -> None:
    """A macro and a character that do not exist are complained of."""
    assert lint(page) != ("", "")


def test_there_is_a_manual_page_for_each_command_and_no_other() -> None:
    """The pages are called after the commands, openssl's verbs among them."""
    assert sorted(MANUALS) == sorted("-".join(("kpki", *words)) + ".1" for words in PAGES)
    assert {f"kpki-{verb}.1" for verb in VERBS} <= MANUALS.keys()


def test_a_package_has_each_page_and_the_shells_files(kpki: Run) -> None:
    """The wheel gets the manual pages, and what `--show-completion` prints for each shell."""
    built = dict(pages())
    assert {path.rpartition("/")[2]: text for path, text in built.items()
            if "/man1/" in path} == MANUALS
    assert {path: text for path, text in built.items() if "/man1/" not in path} == {
        "share/bash-completion/completions/kpki": kpki("--show-completion", "bash").out,
        "share/zsh/site-functions/_kpki": kpki("--show-completion", "zsh").out,
        "share/fish/vendor_completions.d/kpki.fish": kpki("--show-completion", "fish").out}


def test_a_manual_page_says_what_the_help_page_says(kpki: Run) -> None:
    """Options, meanings and the example are in both."""
    shown = subprocess.run(["man", "-l", "-"], input=MANUALS["kpki-node-sign.1"],
                           capture_output=True, text=True, check=True,
                           env=os.environ | {"MANWIDTH": "200", "LC_ALL": "C.UTF-8"}).stdout
    assert " ".join("An address of the node; repeatable.".split()) in " ".join(shown.split())
    for line in kpki("node", "sign", "-h").out.partition("Example:\n")[2].splitlines():
        assert line.strip() in shown


def lint(page: str) -> tuple[str, str]:
    """What groff and mandoc say about a page; that it has no date is wanted: it is the same on each
    day."""
    groff = subprocess.run(["groff", "-ww", "-man", "-Tutf8"], input=page, capture_output=True,
                           text=True, check=True)
    mandoc = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=page,
                            capture_output=True, text=True, check=False)
    return groff.stderr, "".join(line for line in mandoc.stdout.splitlines(True)
                                 if "missing date" not in line)


def test_the_help_of_a_command_costs_no_cryptography() -> None:
    """A page is made of the options alone: cryptography is not loaded."""
    code = ("import sys; from kpki.cli.main import main; main(['x509', '-h']); main(['help', "
            "'x509']); print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          check=True, cwd=Path(__file__).parents[2])
    assert "cryptography" not in done.stderr.split()
