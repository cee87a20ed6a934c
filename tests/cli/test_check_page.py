"""The pages about `kpki check`, run as they stand; their table of causes is the program's."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.cluster.observed.hosts import TELLING
from kpki.cluster.observed.inventory import PASSED_OVER, TOPS
from kpki.kubernetes.causes import CAUSES, ROWS, Cause
from kpki.kubernetes.layouts import BOOTSTRAP, KUBELET_CURRENT, LAYOUT_NAMES
from kpki.kubernetes.manifests import MANIFESTS
from tests.cluster.check.matrix.test_matrix import ON_DISK

DOCS = Path(__file__).parents[2] / "docs"
TEXT, CAUSES_TEXT = (DOCS / "check.md").read_text(), (DOCS / "causes.md").read_text()
Story = tuple[Path, list[Any]]
_ROW = re.compile(r'^\| <a id="[a-z0-9-]+"></a>`([a-z0-9-]+)`( †)? \| (.*) \|$', re.MULTILINE)
_WORDS: dict[str, str] = dict(re.findall(r"^\| (\*\w+\*) \| (.*) \|$", CAUSES_TEXT, re.MULTILINE))


def section(name: str) -> str:
    return TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def story(run_page: Callable[[Path], Story]) -> Story:
    """The folder in which the page about check was run, and its steps."""
    return run_page(DOCS / "check.md")


@pytest.fixture(scope="module")
def mending(run_page: Callable[[Path], Story]) -> Story:
    """The folder in which the page about remedies was run, and its steps."""
    return run_page(DOCS / "remedies.md")


def test_the_pages_say_what_happens(story: Story, mending: Story) -> None:
    """Each command succeeds and prints, to the letter, what the page says."""
    steps = [*story[1], *mending[1]]
    assert len(steps) > 40
    for step in steps:
        assert step.printed == step.promised, step.command
        assert step.status == 0, step.command


def test_each_situation_is_mended(mending: Story) -> None:
    """In each place of the page a fault is found first, and nothing is wrong after its remedy."""
    _, steps = mending
    for root in ("worker-1", "worker-2", "cluster", "cp-1"):
        told = [step.printed for step in steps if step.command.startswith(f"kpki check {root}")]
        faulty = ["error " in text for text in told]
        assert faulty.index(True) < len(faulty) - 1 - faulty[::-1].index(False), root


def test_each_cause_has_its_anchor() -> None:
    """The page that check names for a cause is the cause's own line, once."""
    anchors = re.findall(r'<a id="([a-z0-9-]+)"></a>`([a-z0-9-]+)`', CAUSES_TEXT)
    assert [f"docs/causes.md#{anchor}" for anchor, slug in anchors if anchor == slug] == [
        cause.page for cause in ROWS]


def test_the_table_has_every_cause_in_order() -> None:
    """The causes of the page are those of the program, no more and no fewer."""
    assert [slug for slug, _, _ in _ROW.findall(CAUSES_TEXT)] == [*CAUSES]


@pytest.mark.parametrize("cause", ROWS, ids=lambda row: row.slug)
def test_a_row_is_the_programs(cause: Cause) -> None:
    """Severity, meaning, diagnosis and remedy to the letter; the mark says that it does not show on
    disk."""
    (mark, cells), = [(mark, cells) for slug, mark, cells in _ROW.findall(CAUSES_TEXT)
                      if slug == cause.slug]
    severity, means, diagnosis, remedy = (
        _WORDS.get(cell, cell).replace("`", "").replace(r"\|", "|")
        for cell in re.split(r"(?<!\\) \| ", cells))
    assert (severity, means, diagnosis, remedy) == (cause.severity, cause.meaning, cause.diagnosis,
                                                    cause.remedy)
    assert (mark == "") == (cause.slug in ON_DISK)


def test_what_is_read_and_passed_over_is_on_the_page() -> None:
    """The files that tell something, the folders that make a root, those that are skipped, the
    layouts."""
    read = section("What is read")
    for path in TELLING:
        assert f"`/{path}`" in read or f"`{path.rpartition('/')[2]}`" in read, path
    assert all(f"`/{path}`" in read for path in (MANIFESTS, KUBELET_CURRENT, BOOTSTRAP))
    passed = {*re.findall(r"`([\w-]+)`", read.partition("skips the folders")[2])}
    assert passed == PASSED_OVER
    assert all(f"`{name}`" in read for name in LAYOUT_NAMES)
    assert all(f"`{path}`" in section("What is checked") for path in TOPS)


def test_the_document_is_on_the_page(story: Story, kpki: Callable[..., Any]) -> None:
    """The JSON's keys and the page's are the same."""
    told = json.loads(kpki("check", story[0] / "worker-2", "--node", "worker-1", "--json",
                           status=1).out)
    shown = section("Exit status, JSON, --explain").partition("```\n")[2].partition("```")[0]
    assert re.findall(r'"(\w+)"', re.sub(r': (".*?"|\["a.*?"\])', "", shown)) == [
        "findings", *told["findings"][0], "certificates", "unread", "host", "path"]
