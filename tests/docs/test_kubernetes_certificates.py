"""docs/kubernetes-certificates.md: the steps on the page run, and the three ways give the same."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "kubernetes-certificates.md").read_text()
RECIPES = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
WAYS = ("openssl", "kpki", "python")
IDENTIFIERS = {x509.SubjectKeyIdentifier.oid, x509.AuthorityKeyIdentifier.oid}


def blocks(text: str, kind: str) -> list[tuple[str, str]]:
    """The fenced blocks of a kind, each with what follows the kind on its first line."""
    return re.findall(rf"^```{kind} ?([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(way: str, text: str, folder: Path) -> None:
    """Carry out one way of a recipe in a folder that holds its configurations."""
    for name, content in blocks(text, "ini"):
        (folder / name).write_text(content)
    program = ["-c", "\n".join(code for _, code in blocks(text, "python"))]
    if way == "python":
        program = [sys.executable, *program]
    else:
        steps = "".join(code for name, code in blocks(text, "sh") if name == way)
        program = ["sh", "-euc", 'kpki() { "$PYTHON" -m kpki "$@"; }\n' + steps]
    program = [re.sub(r"\b(2048|4096)\b", "1024", item) for item in program]  # quicker to make
    subprocess.run(program, cwd=folder, check=True,
                   capture_output=True, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP),
                                             "PYTHON": sys.executable})


def facts(path: Path) -> list[object]:
    """What a certificate or a request says, less what is drawn at random."""
    data = path.read_bytes()
    made = (x509.load_pem_x509_csr(data) if path.suffix == ".csr"
            else x509.load_pem_x509_certificate(data))
    found: list[object] = [made.subject.public_bytes(), made.signature_algorithm_oid.dotted_string]
    found += [(extension.oid.dotted_string, extension.critical, None if extension.oid in IDENTIFIERS
               else extension.value.public_bytes())
              for extension in made.extensions]
    if isinstance(made, x509.Certificate):
        found += [made.version, made.issuer.public_bytes(),
                  made.not_valid_after_utc - made.not_valid_before_utc]
    return found


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_three_ways_of_a_recipe_agree(recipe: str, tmp_path: Path) -> None:
    """openssl, kpki and Python leave certificates and requests that say the same, and every leaf
    verifies."""
    found = {}
    for way in WAYS:
        folder = tmp_path / way
        folder.mkdir()
        run(way, RECIPES[recipe], folder)
        # the keys are files of the shell's ways alone
        found[way] = {path.name: facts(path)
                      for path in sorted(folder.glob("*.c*r*")) + sorted(folder.glob("*[!y].pem"))
                      if path.suffix in (".crt", ".csr", ".pem")}
    assert found["openssl"] == found["kpki"] == found["python"]
    assert len(found["openssl"]) == 3


def test_the_steps_are_the_same_words() -> None:
    """The kpki blocks are the openssl blocks with kpki in openssl's place."""
    ways = {way: [code for name, code in blocks(PAGE, "sh") if name == way] for way in WAYS[:2]}
    assert len(ways["openssl"]) >= 6
    assert [code.replace("openssl ", "kpki ") for code in ways["openssl"]] == ways["kpki"]


def test_a_difference_would_be_seen(tmp_path: Path) -> None:
    """Another name in one of two certificates makes their facts differ."""
    for name, subject in (("a.crt", "/CN=a"), ("b.crt", "/CN=b")):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-noenc", "-keyout", "k.pem", "-subj", subject,
                        "-out", name], cwd=tmp_path, check=True, capture_output=True)
    assert facts(tmp_path / "a.crt") != facts(tmp_path / "b.crt")
