"""kpki/__init__.py: the library's names, each loaded from its room on first use; and the README's own example."""
from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kpki

TOP = Path(__file__).parent.parent
SOURCE = (TOP / "kpki/__init__.py").read_text()


def names_for_type_checkers() -> dict[str, str]:
    """Name → room, as the imports under TYPE_CHECKING have it."""
    return {alias.name: node.module or "" for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.ImportFrom)
            if node.level for alias in node.names}


def test_every_name_stands_in_the_table_in_all_and_for_type_checkers() -> None:
    """The three lists of the front door are one list, sorted."""
    assert kpki.__all__ == sorted(kpki._ROOM_OF)
    assert names_for_type_checkers() == kpki._ROOM_OF
    assert set(kpki.__all__) <= set(dir(kpki))


@pytest.mark.parametrize("name", kpki.__all__)
def test_a_name_comes_from_its_room(name: str) -> None:
    """What the front door gives is defined where the table says, and says what it is for."""
    value = getattr(kpki, name)
    assert value.__module__ in (f"kpki.{kpki._ROOM_OF[name]}", "kpki.stages.verification.verdicts")
    assert value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A slip of the pen is told as Python tells it."""
    with pytest.raises(AttributeError, match="no attribute 'genras'"):
        kpki.genras  # noqa: B018


def test_importing_kpki_loads_no_room() -> None:
    """`import kpki` alone costs neither cryptography nor any room of its own."""
    code = "import sys, kpki; print(*(name for name in sys.modules if name.startswith(('kpki.', 'cryptography'))))"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_example_of_the_readme_runs() -> None:
    """The README's Python prints a certificate that openssl reads, with the subject and the names it says."""
    code = re.findall(r"```python\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
    assert len(code) == 1
    made = subprocess.run([sys.executable, "-c", code[0]], cwd=TOP, capture_output=True, check=True)
    read = subprocess.run(["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName,extendedKeyUsage"],
                          input=made.stdout, capture_output=True, check=True).stdout.decode()
    for fact in ("O = system:nodes, CN = system:node:worker-1", "DNS:worker-1", "TLS Web Client Authentication"):
        assert fact in read
