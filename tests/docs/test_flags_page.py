"""The page about start flags: its tables are the program's, its commands print what it says."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kpki.cli.flags import FLAG_FORMATS
from kpki.cluster.desired.description import load_cluster
from kpki.cluster.desired.example import example_description
from kpki.cluster.flags import component_flags
from kpki.kubernetes.components import COMPONENTS, Component
from kpki.kubernetes.layouts import LAYOUT_NAMES

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "flags.md").read_text()
COMMANDS = re.findall(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)


def table(component: Component) -> str:
    """A component's flags on a host that runs everything, with all that a description can ask
    for."""
    lines = [f"### {component.name}", "", f"| flag | {' | '.join(LAYOUT_NAMES)} | field |",
             f"|---|{'---|' * len(LAYOUT_NAMES)}---|"]
    columns = []
    for name in LAYOUT_NAMES:
        cluster = load_cluster(example_description(name).replace("kubeletServing: false",
                                                                 "kubeletServing: true"))
        there = (name, component.name) != ("kubeadm", "kube-proxy")
        columns.append(component_flags(cluster, component.name, cluster.hosts[0]) if there else {})
    for flag in component.flags:
        cells = [f"`{value}`" if value else "" for column in columns
                 for value in [column.get(flag.name, "")]]
        if len({*cells}) == 1:
            cells = [cells[0], *('"' for _ in cells[1:])]
        lines.append(f"| `--{flag.name}` | {' | '.join(cells)} | "
                     f"{flag.field and f'`{flag.field}`'} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_the_tables_are_the_programs(component: Component) -> None:
    """Each flag of each layout is on the page, and no other."""
    head = f"### {component.name}\n"
    assert (head + PAGE.partition(head)[2].partition("\n\n###")[0].rstrip("\n")
            + "\n" == table(component))


@pytest.mark.parametrize(("command", "promised"), COMMANDS)
def test_each_command_prints_what_the_page_says(tmp_path: Path, command: str,
                                                promised: str) -> None:
    """In a folder with the example's cluster.yaml, layout ssl."""
    (tmp_path / "cluster.yaml").write_text(example_description("ssl"))
    kpki = f"kpki() {{ {shlex.join([sys.executable, '-m', 'kpki'])} \"$@\"; }}"
    done = subprocess.run(["sh", "-c", f"{kpki}\n{command}"], cwd=tmp_path, capture_output=True,
                          text=True, timeout=60, env=os.environ | {"PYTHONPATH": str(TOP)},
                          check=True)
    assert (done.stdout, done.stderr) == (promised, "")


def test_each_form_has_its_command() -> None:
    """Every --format is shown at work; the search for commands finds them."""
    told = " ".join(command for command, _ in COMMANDS)
    assert all(f"--format {form}" in told for form in FLAG_FORMATS[1:]) and len(COMMANDS) == 6
    assert all(f"| `--format {form}` |" in PAGE for form in FLAG_FORMATS)
