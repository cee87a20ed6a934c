"""The page about the node commands knows every option, row, file and flag that the program
knows."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.kubernetes.components import kubelet_flags
from kpki.kubernetes.layouts import LAYOUT_NAMES, LAYOUTS, SSL
from kpki.kubernetes.profiles import get_profile

PAGE = (Path(__file__).parents[2] / "docs" / "node.md").read_text()
OPTION = re.compile(r"--[a-z][a-z-]*")
COMMANDS = {"issue": ("node", "issue"), "request": ("node", "request"), "sign": ("node", "sign"),
            "install": ("node", "install"), "check": ("check",)}


def documented(command: str) -> set[str]:
    """The options that the page's table gives a command."""
    rows = [line.split(" | ")
            for line in PAGE.partition("## Options")[2].partition("\n## ")[0].splitlines()
            if line.startswith("| `--")]
    return {option for names, of, _ in rows if command in of or of == "all"
            for option in OPTION.findall(names)}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_is_on_the_page(kpki: Callable[..., Any], command: str) -> None:
    """The help's options are the page's, no more and no fewer."""
    told = kpki(*COMMANDS[command], "--help").out
    assert (set(re.findall(r"^ +(--[a-z-]+)", told, re.MULTILINE))
            - {"--help"} == documented(command))


def test_each_file_and_flag_is_on_the_page() -> None:
    """The tables of the program are all there; the causes have a page of their own."""
    for place in SSL.node_places():
        for path in place.files() if place.row != "ca" else [place.certificate]:
            assert f"| `/{path}` | {SSL.mode(place, path):04o} |" in PAGE
    for flag in kubelet_flags(SSL):
        assert f"`{flag.partition('=')[0]}`" in PAGE
    assert all(f"`{name}`" in PAGE for name in LAYOUT_NAMES)
    assert "(check.md)" in PAGE.partition("## What check finds")[2]


def test_each_row_that_can_be_issued_is_on_the_page() -> None:
    """`--row` takes every leaf of the layouts but the kubelet's own, which is what it makes without
    it."""
    told = PAGE.partition("## The host's other certificates")[2].partition("\n## ")[0]
    leaves = {place.row for layout in LAYOUTS for place in layout.places
              if get_profile(place.row).kind == "leaf" and place != layout.kubelet}
    assert {*re.findall(r"`([a-z][a-z-]*)`", told)} - {"install", "request", "sign"} == leaves
