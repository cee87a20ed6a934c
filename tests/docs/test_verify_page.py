"""docs/verify.md, "-kubernetes": the console prints what it says, the Python runs, every row of the
table is true."""
from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from kpki.kubernetes.verdict import verify_kubernetes
from kpki.pem import armour
from kpki.stages import der
from tests.kubernetes.verdict.keys import ec_key, rsa_key
from tests.kubernetes.verdict.writer import (
    BASIC,
    CA,
    END,
    EVERY,
    NOON,
    SAN,
    UNKNOWN,
    Made,
    address,
    authority,
    cn,
    constraints,
    dns,
    extension,
    issuer_key_id,
    key_id,
    key_usage,
    leaf,
    named,
    san,
    usages,
)
from tests.support.pages import Step

PATH = Path(__file__).parents[2] / "docs" / "verify.md"
SECTION = PATH.read_text().partition("\n## `-kubernetes`")[2]
TABLE = dict(re.findall(r"^\| (.*) \| (OK|refused) \| (?:OK|refused) \|$", SECTION, re.MULTILINE))
OF_OPENSSL = dict(re.findall(r"^\| (.*) \| (?:OK|refused) \| (OK|refused) \|$", SECTION,
                             re.MULTILINE))


@pytest.fixture(scope="module")
def ran(run_page: Callable[[Path], tuple[Path, list[Step]]]) -> tuple[Path, list[Step]]:
    """The page's folder, and its steps."""
    return run_page(PATH)


def test_the_console_prints_what_the_page_says(ran: tuple[Path, list[Step]]) -> None:
    """Each command of the section, with both outputs."""
    assert len(ran[1]) == 8
    for step in ran[1]:
        assert step.printed == step.promised, step.command


def test_the_library_prints_what_the_page_says(ran: tuple[Path, list[Step]],
                                               monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    """The section's Python, in the folder that the console filled."""
    (code, promised), = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", SECTION, re.DOTALL)
    monkeypatch.chdir(ran[0])
    exec(compile(code, "docs/verify.md", "exec"), {})
    assert capsys.readouterr().out == promised


class Case(NamedTuple):
    """A leaf under a root, the name that is asked for, and seconds after noon."""

    leaf: Made
    root: Made = CA
    host: str = "api"
    later: int = 0


BARE, SMALL = authority(without=[BASIC]), authority(key=rsa_key(3, 512))
MIDDLE = authority(name="middle", key=ec_key(3), by=CA)
TIGHT = authority(constraints(excluded=[dns("a.svc")]))
OTHER_ID, OWN_ID = issuer_key_id(b"other"), authority(key_id(b"own"))
ALONE = leaf()
CASES = {
    "the name in the CN alone, no subjectAltName": Case(leaf(without=[SAN], subject=cn("api"))),
    "`*.svc` asked for `api.svc`": Case(leaf(named("*.svc")), host="api.svc"),
    "`api*.default.svc` asked for `api-1.default.svc`": Case(leaf(named("api*.default.svc")),
                                                             host="api-1.default.svc"),
    "the name asked for with a dot at its end": Case(leaf(), host="api."),
    "the CA's name in another string type in the leaf's issuer field":
        Case(leaf(issuer=cn("ca", der.PRINTABLE))),
    "an authority key identifier that is not the CA's": Case(leaf(OTHER_ID, by=OWN_ID), OWN_ID),
    "an intermediate trusted alone, without its root": Case(leaf(by=MIDDLE), MIDDLE),
    "the leaf itself trusted, its CA unknown": Case(ALONE, ALONE),
    "a self-signed CA with keyUsage keyCertSign and no basicConstraints": Case(leaf(by=BARE), BARE),
    "a signature by SHA-1": Case(leaf(algorithm="ecdsa-sha1")),
    "a signature by SHA-224": Case(leaf(algorithm="ecdsa-sha224")),
    "a CA key of RSA with 512 bits": Case(leaf(by=SMALL), SMALL),
    "extendedKeyUsage with anyExtendedKeyUsage alone": Case(leaf(usages(EVERY))),
    "a negative serial number": Case(leaf(serial=b"\xff")),
    "an extension twice": Case(leaf(only=[named("api"), extension(UNKNOWN, b"\5\0"),
                                          extension(UNKNOWN, b"\5\0")])),
    "`_` in a PrintableString of the subject": Case(leaf(subject=cn("a_b", der.PRINTABLE))),
    "an address in the subjectAltName that is 8 octets long":
        Case(leaf(san(dns("api"), address(bytes(8))))),
    "octets after the certificate in its PEM block": Case(leaf(after=b"\0")),
    "a leaf whose keyUsage is keyCertSign alone": Case(leaf(key_usage("keyCertSign"))),
    "the last second of the validity": Case(leaf(), later=int((END - NOON).total_seconds())),
    "a CA that excludes `a.svc`, and `*.svc` beside the name":
        Case(leaf(named("api", "*.svc"), by=TIGHT), TIGHT),
}


def test_every_row_is_tried() -> None:
    """The page's table and the cases of this file have the same rows."""
    assert TABLE.keys() == OF_OPENSSL.keys() == CASES.keys()


@pytest.mark.parametrize("row", CASES)
def test_a_row_is_true(row: str, tmp_path: Path) -> None:
    """Kubernetes and openssl each say what the table says."""
    case = CASES[row]
    ours = verify_kubernetes(case.leaf.der, [case.root.der], hostname=case.host,
                             now=NOON + timedelta(seconds=case.later))
    for name, certificate in (("leaf.pem", case.leaf), ("root.pem", case.root)):
        (tmp_path / name).write_bytes(armour(certificate.der, "CERTIFICATE"))
    done = subprocess.run(["openssl", "verify", "-CAfile", "root.pem", "-purpose", "sslserver",
                           "-verify_hostname", case.host, "-attime",
                           str(int(NOON.timestamp()) + case.later), "leaf.pem"],
                          cwd=tmp_path, capture_output=True, check=False)
    words = {True: "OK", False: "refused"}
    assert (words[ours.ok], words[done.returncode == 0]) == (TABLE[row], OF_OPENSSL[row])
