"""The page about `kpki uses`, run as it stands; its purposes are the program's."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kpki.kubernetes.settings import SETTINGS

PAGE = Path(__file__).parents[2] / "docs" / "uses.md"
# What is no setting's purpose: kubeconfigs' CAs, and what files and variables of other programs
# name.
FURTHER = {"apiserver-ca", "apiserver-sni", "admission-client", "webhook-client", "webhook-ca",
           "egress-client", "egress-ca", "admin-client", "etcd-client"}


def test_the_page_says_what_happens(run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """Each command succeeds and prints, to the letter, what the page says."""
    _, steps = run_page(PAGE)
    assert len(steps) == 8
    for step in steps:
        assert (step.printed, step.status) == (step.promised, 0), step.command


def test_every_purpose_is_on_the_page() -> None:
    """The table of purposes has those of the settings, and those of what they lead to, each
    once."""
    table = PAGE.read_text().partition("\n## Purposes\n")[2].partition("\n## ")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
             for name in re.findall("`(.*?)`", row)]
    assert sorted(named) == sorted({setting.purpose for rows in SETTINGS.values()
                                    for setting in rows} | FURTHER)
