"""`kpki verify` against `openssl verify`: standard output, the lines of every error, the exit
status."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from kpki import pem
from kpki.cli.main import main
from kpki.stages.certificates import req_x509, x509_req
from kpki.stages.requests import req_new
from kpki.stages.verification.canonical import name_hash

START = datetime.now(UTC) - timedelta(days=2)
LEAF = ("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
        "subjectAltName=DNS:node.example.com,IP:192.0.2.1\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of certificates, good and bad, of keys and of nothing."""
    top = tmp_path_factory.mktemp("verify")
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
    ca = req_x509(keys[0], subject="/C=XX/O=Größe \\+ Söhne/CN=ca", days=30, now=START)
    middle = x509_req(req_new(keys[1], subject="/CN=middle"), ca, keys[0], days=30, now=START,
                      extfile="basicConstraints=critical,CA:TRUE\n")
    lax = x509_req(req_new(keys[1], subject="/CN=middle"), ca, keys[0], days=30, now=START)

    def leaf(subject: str, days: int = 20) -> x509.Certificate:
        return x509_req(req_new(keys[2], subject=subject), middle, keys[1], days=days, now=START,
                        extfile=LEAF)

    single = req_x509(keys[3], subject="/CN=single", days=30, now=START)
    files = {"ca.pem": [ca], "middle.pem": [middle], "leaf.pem": [leaf("/CN=leaf")],
             "single.pem": [single], "expired.pem": [leaf("/CN=expired", 1)],
             "bundle.pem": [middle, ca], "lax.pem": [lax],
             "odd.pem": [leaf("/O=a,b\\+c/OU=#x/CN=Zoë")]}
    for name, certificates in files.items():
        (top / name).write_bytes(b"".join(map(pem.dump_certificate, certificates)))
    (top / "leaf.der").write_bytes(pem.dump_certificate(leaf("/CN=leaf"), encoding="DER"))
    (top / "ca.der").write_bytes(pem.dump_certificate(ca, encoding="DER"))
    (top / "key.pem").write_bytes(pem.dump_key(keys[0]))
    (top / "empty.pem").write_bytes(b"")
    (top / "cut.pem").write_bytes((top / "leaf.pem").read_bytes()[:300])
    hashed = top / "hashed"
    hashed.mkdir()
    number = name_hash(ca.subject.public_bytes())
    # found by the name of the file, not its own
    (hashed / f"{number}.0").write_bytes(pem.dump_certificate(single))
    (hashed / f"{number}.1").symlink_to(top / "ca.pem")
    (hashed
     / f"{name_hash(single.subject.public_bytes())}.1").write_bytes(pem.dump_certificate(single))
    (hashed / "ca.pem").write_bytes(pem.dump_certificate(middle))
    return top


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In the folder of the files, with a standard input that is at its end."""
    monkeypatch.chdir(folder)
    yield folder


def both(words: list[str],
         capfd: pytest.CaptureFixture[str]) -> tuple[tuple[int, str, list[str]], ...]:
    """(exit status, standard output, the lines of errors) of openssl and of kpki."""
    done = subprocess.run(["openssl", "verify", "-no-CAfile", "-no-CApath", "-no-CAstore", *words],
                          stdin=subprocess.DEVNULL, capture_output=True)
    capfd.readouterr()
    status = main(["verify", "--quiet", *words])
    out, err = capfd.readouterr()
    return ((done.returncode, done.stdout.decode(), errors(done.stderr.decode())),
            (status, out, errors(err)))


def errors(text: str) -> list[str]:
    """The lines in which openssl and kpki speak alike: each error with the subject before it, and
    the end."""
    lines = text.splitlines()
    return [line for number, line in enumerate(lines)
            if line.startswith("error ")
            or (lines[number + 1:number + 2] and " depth lookup: " in lines[number + 1])]


CHAIN = "-CAfile ca.pem -untrusted middle.pem"
ROWS = (
    f"{CHAIN} leaf.pem", f"{CHAIN} leaf.pem expired.pem leaf.der",
    f"{CHAIN} -show_chain leaf.pem expired.pem", f"{CHAIN} -show_chain -nameopt multiline leaf.pem",
    f"{CHAIN} -show_chain -nameopt RFC2253,utf8 leaf.pem odd.pem",
    f"{CHAIN} -nameopt oneline,-space_eq -verify_hostname x odd.pem leaf.pem",
    "-CAfile bundle.pem -show_chain leaf.pem", "-CAfile ca.pem leaf.pem",
    "-CAfile middle.pem leaf.pem", "-CAfile middle.pem -partial_chain -show_chain leaf.pem",
    "-CAfile leaf.pem -partial_chain -show_chain leaf.pem", "-CAfile middle.pem "
    "-CAfile bundle.pem leaf.pem", "-trusted ca.pem -trusted middle.pem -show_chain leaf.pem",
    "-trusted ca.pem -untrusted bundle.pem leaf.pem",
    "-trusted ca.der -untrusted middle.pem leaf.pem", "-CAfile ca.der leaf.pem",
    "-CAfile ca.pem -untrusted lax.pem leaf.pem expired.pem", "leaf.pem", "single.pem",
    "-CAfile single.pem single.pem", "-CApath hashed -untrusted middle.pem -show_chain leaf.pem",
    "-CApath hashed single.pem", "-CApath nowhere leaf.pem", "-CApath ca.pem leaf.pem",
    "-CApath hashed -CAfile single.pem single.pem", "-no-CAfile -no-CApath leaf.pem",
    "-trusted ca.pem -CAfile ca.pem leaf.pem", "-trusted ca.pem -CApath hashed leaf.pem",
    f"{CHAIN} -purpose sslserver leaf.pem", f"{CHAIN} -purpose sslclient leaf.pem",
    f"{CHAIN} -purpose web leaf.pem", f"{CHAIN} -verify_hostname node.example.com leaf.pem",
    f"{CHAIN} -verify_hostname a -verify_hostname leaf leaf.pem",
    f"{CHAIN} -verify_ip 192.0.2.1 leaf.pem", f"{CHAIN} -verify_ip 192.0.2.2 leaf.pem",
    f"{CHAIN} -verify_ip x leaf.pem", f"{CHAIN} -verify_email a@b leaf.pem",
    f"{CHAIN} -x509_strict leaf.pem", f"{CHAIN} -check_ss_sig leaf.pem",
    f"{CHAIN} -attime 1 leaf.pem", f"{CHAIN} -attime 0x1 -no_check_time leaf.pem",
    f"{CHAIN} -no_check_time expired.pem", f"{CHAIN} -attime x leaf.pem",
    f"{CHAIN} -attime -5 leaf.pem", f"{CHAIN} -verify_depth 0 leaf.pem",
    f"{CHAIN} -verify_depth 1 leaf.pem", f"{CHAIN} -verify_depth -7 leaf.pem",
    f"{CHAIN} -verify_depth x leaf.pem", f"{CHAIN} -verbose -trusted_first -issuer_checks leaf.pem",
    "-CAfile nowhere leaf.pem", "-CAfile key.pem leaf.pem", "-CAfile empty.pem leaf.pem",
    "-trusted nowhere leaf.pem", "-trusted key.pem leaf.pem", "-untrusted nowhere leaf.pem",
    "-untrusted empty.pem leaf.pem", f"{CHAIN} nowhere leaf.pem", f"{CHAIN} leaf.pem key.pem",
    f"{CHAIN} empty.pem", f"{CHAIN} cut.pem", f"{CHAIN} -nonsense leaf.pem", "-CAfile",
    f"{CHAIN} -nameopt nonsense leaf.pem", CHAIN, f"{CHAIN} leaf.pem -show_chain",
    "--CAfile=ca.pem --untrusted middle.pem leaf.pem",
)


@pytest.mark.parametrize("row", ROWS)
def test_verify_speaks_as_openssl_does(here: Path, capfd: pytest.CaptureFixture[str],
                                       monkeypatch: pytest.MonkeyPatch, row: str) -> None:
    """The same standard output, lines of errors and exit status."""
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        saved = os.dup(0)
        os.dup2(nothing.fileno(), 0)
        try:
            openssl, ours = both(row.split(), capfd)
        finally:
            os.dup2(saved, 0)
            os.close(saved)
    assert ours == openssl


def test_an_empty_host_asks_for_nothing(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`-verify_hostname ""` is no question, `-verify_email ""` one that nothing answers."""
    for option, status in (("-verify_hostname", 0), ("-verify_email", 2), ("-verify_ip", 1)):
        openssl, ours = both([*CHAIN.split(), option, "", "leaf.pem"], capfd)
        assert ours == openssl and ours[0] == status


@pytest.mark.parametrize(("row", "expected"), [
    (f"{CHAIN} leaf.pem", {"ok": True, "code": 0, "reason": "ok", "depth": 0}),
    (f"{CHAIN} expired.pem",
     {"ok": False, "code": 10, "reason": "certificate has expired", "depth": 0}),
    ("-CAfile ca.pem leaf.pem",
     {"ok": False, "code": 20, "reason": "unable to get local issuer certificate", "depth": 0}),
    (f"{CHAIN} leaf.pem nowhere",
     [{"ok": True, "code": 0, "reason": "ok", "depth": 0},
      {"ok": False, "code": None, "reason": "nowhere: no such file or directory", "depth": None}]),
])
def test_json_is_one_document(here: Path, capfd: pytest.CaptureFixture[str], row: str,
                              expected: object) -> None:
    """--json prints the verdict, a list of several; a file that cannot be read has no number."""
    status = main(["verify", "--json", *row.split()])
    assert json.loads(capfd.readouterr().out) == expected
    assert status == (0 if expected == {"ok": True, "code": 0, "reason": "ok", "depth": 0} else 2)


def test_nothing_is_trusted_unasked(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a trusted certificate kpki says that it has none, once, and not with --quiet."""
    assert main(["verify", "single.pem", "leaf.pem"]) == 2
    assert capfd.readouterr().err.count("nothing is trusted") == 1
    assert main(["verify", "--quiet", "single.pem"]) == 2
    assert "nothing is trusted" not in capfd.readouterr().err
    assert main(["verify", "-CAfile", "single.pem", "single.pem"]) == 0
    assert "nothing is trusted" not in capfd.readouterr().err


def options_of_openssl() -> list[str]:
    """Every option that `openssl verify -help` names."""
    text = subprocess.run(["openssl", "verify", "-help"], capture_output=True,
                          check=True).stderr.decode()
    return [line.split()[0] for line in text.splitlines() if line.startswith(" -")]


def test_every_option_is_known(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What openssl's help names is taken, or refused by name with what to use; nothing is ignored,
    nothing unknown."""
    refused = []
    for option in options_of_openssl():
        capfd.readouterr()
        status = main(["verify", "--quiet", option, *(["0"] if option != "-help" else [])])
        words = capfd.readouterr().err
        assert "unknown option" not in words
        if "is not supported" in words:
            assert status == 1 and "hint: instead: " in words
            refused.append(option)
    assert {"-crl_check", "-CRLfile", "-engine", "-suiteB_128"} <= set(refused)
    assert not {"-CAfile", "-CApath", "-CAstore", "-trusted", "-untrusted", "-purpose", "-attime",
                "-auth_level", "-policy"} & set(refused)


def test_explain_names_the_call(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """--explain gives a library call that runs and answers as the command does."""
    import kpki
    assert main(["verify", "--explain",
                 *f"{CHAIN} -purpose sslclient -attime 5 leaf.pem".split()]) == 2
    call = next(line for line in capfd.readouterr().err.splitlines()
                if line.startswith("  library: "))
    names = {"kpki": kpki, "open": lambda path, mode: BytesIO(Path(path).read_bytes())}
    verdict = eval(call.removeprefix("  library: "), names)
    assert (verdict.ok, verdict.code) == (False, 9)
