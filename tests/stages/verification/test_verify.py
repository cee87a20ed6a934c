"""verify() against `openssl verify`: the same chains, the same question, the same errors in the
same order."""
from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kpki import pem
from kpki.errors import InputError
from kpki.stages.verification.verdicts import NAME_CONSTRAINTS
from kpki.stages.verification.verify import verify, verify_strict
from tests.stages.verification.chains import CA, DAY, EPOCH, NOW, START, Bench, World
from tests.stages.verification.worlds import WORLDS

# A world, and the options it is asked about with.
QUESTIONS: list[tuple[str, str]] = [
    *((name, "") for name in WORLDS), *((name, "-x509_strict") for name in WORLDS),
    *((name, "-partial_chain") for name in (
        "good", "no root", "middle trusted", "leaf trusted", "leaf trusted, middle at hand",
        "other root", "crossed", "both trusted", "self-signed untrusted", "middle expired",
        "no middle", "root expired", "tampered leaf", "circle")),
    *((name, "-check_ss_sig") for name in (
        "good", "tampered root", "self-signed forged", "self-signed CA forged",
        "self-signed no sign", "self-signed", "root no sign", "twins", "root expired",
        "self-signed untrusted")),
    *((name, "-no_check_time") for name in (
        "good", "all expired", "leaf early", "excluded, expired", "twins, old expired",
        "self-signed untrusted expired", "renewed, both expired")),
    *((name, f"-purpose {purpose}") for purpose in (
        "sslclient", "sslserver", "nssslserver", "smimesign", "smimeencrypt", "crlsign", "any",
        "ocsphelper", "timestampsign")
      for name in ("good", "client", "any EKU", "no EKU", "SGC", "MS SGC", "email", "time",
                   "time, encipherment", "time and server", "time and unknown", "time and DVCS",
                   "time and OCSP", "time and IPsec", "time, not critical", "middle of servers",
                   "root of clients", "signs only", "enciphers only", "agrees only",
                   "nothing useful", "signs lists", "Netscape server", "Netscape client",
                   "Netscape mail", "nothing", "root version 1", "root Netscape CA",
                   "middle Netscape CA", "CA leaf", "bad EKU", "self-signed",
                   "self-signed untrusted", "version 1 root")),
    *((name, f"-purpose {purpose} -x509_strict")
      for purpose in ("smimesign", "sslserver", "crlsign") for name in (
          "good", "Netscape client", "root version 1", "root Netscape CA", "root no BC", "client",
          "bad EKU")),
    *(("good", f"-verify_depth {depth}") for depth in range(-2, 4)),
    *(("deep", f"-verify_depth {depth}") for depth in range(-1, 7)),
    *(("deep, no root", f"-verify_depth {depth}") for depth in range(-1, 7)),
    *((name, f"-verify_depth {depth}") for depth in (0, 1) for name in (
        "self-signed", "self-signed untrusted", "both trusted", "no middle", "all untrusted",
        "circle", "middle trusted")),
    *((name, f"-partial_chain -verify_depth {depth}") for depth in (0, 1) for name in (
        "leaf trusted", "leaf trusted, middle at hand", "middle trusted", "deep")),
    *((name, f"-verify_hostname {host}")
      for name in ("good", "only the CN", "wildcard", "DNS in IP", "bad SAN", "nothing")
      for host in ("node.example.com", "NODE.example.COM", "leaf", ".example.com", "10.0.0.9",
                   "x.y.example.com")),
    *((name, f"-verify_ip {address}") for name in ("good", "DNS in IP", "IPv6", "only the CN")
      for address in (
          "10.0.0.9", "10.0.0.8", "fd00::9", "fd00:0:0:0::0009")),
    *(("good", f"-verify_email {address}")
      for address in ("node@example.com", "node@EXAMPLE.com", "Node@example.com")),
    ("leaf expired", "-verify_hostname other"), ("forged leaf", "-verify_hostname other"),
    ("good", "-verify_hostname other -verify_ip 10.9.9.9"),
    ("good", "-verify_email a@b -verify_ip 10.9.9.9"),
    ("leaf unknown critical", "-verify_ip 10.9.9.9"), ("excluded", "-verify_hostname other"),
    ("client", "-purpose sslserver -verify_hostname other"),
    ("client", "-purpose sslserver -verify_hostname node.example.com"),
    *(("good", f"-attime {int((START - EPOCH).total_seconds()) + seconds}") for seconds in (
        -1, 0, 1, 864000 - 1, 864000, 864001)),
    ("everything at once", "-x509_strict -purpose sslserver -verify_hostname leaf"),
    ("everything at once", "-x509_strict -no_check_time"),
]

FLAGS = {"x509_strict": ("strict", True), "partial_chain": ("partial_chain", True),
         "check_ss_sig": ("check_ss_sig", True), "no_check_time": ("check_time", False)}
VALUES = {"verify_hostname": "hostname", "verify_ip": "ip", "verify_email": "email",
          "purpose": "purpose"}


def arguments(options: str) -> dict[str, Any]:
    """openssl's options as verify()'s arguments."""
    found: dict[str, Any] = {"now": NOW}
    words = iter(options.split())
    for word in words:
        name = word.removeprefix("-")
        if name in FLAGS:
            found[FLAGS[name][0]] = FLAGS[name][1]
        elif name in VALUES:
            found[VALUES[name]] = next(words)
        elif name == "attime":
            found["now"] = EPOCH + timedelta(seconds=int(next(words)))
        else:
            depth = int(next(words))
            found["depth"] = depth if depth >= 0 else None
    return found


def openssl_verify(folder: Path, world: World,
                   options: Sequence[str]) -> tuple[int, list[tuple[int, int, str]]]:
    """What openssl answers: its status, and (number, depth, words) of each error."""
    leaf, roots, untrusted = world
    command = ["openssl", "verify", "-no-CAfile", "-no-CApath", "-no-CAstore"]
    for option, certificates in (("-CAfile", [root.certificate for root in roots]),
                                 ("-untrusted", [item.certificate for item in untrusted])):
        if certificates:
            path = folder / option
            path.write_bytes(b"".join(map(pem.dump_certificate, certificates)))
            command += [option, str(path)]
    if not {"-attime", "-no_check_time"} & set(options):
        options = [*options, "-attime", str(int((NOW - EPOCH).total_seconds()))]
    done = subprocess.run([*command, *options], input=pem.dump_certificate(leaf),
                          capture_output=True)
    errors = re.findall(rb"^error (\d+) at (\d+) depth lookup: (.*)$", done.stderr, re.MULTILINE)
    return done.returncode, [(int(code), int(depth), words.decode())
                             for code, depth, words in errors]


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Keys for the whole run."""
    return Bench()


@pytest.fixture(scope="session")
def worlds(bench: Bench) -> Callable[[str], World]:
    """Each world by its name, made once."""
    return cache(lambda name: WORLDS[name](bench))


@pytest.mark.parametrize(("name", "options"), QUESTIONS)
def test_verify_is_openssl_verify(worlds: Callable[[str], World], tmp_path: Path, name: str,
                                  options: str) -> None:
    """The verdict, and every error before it in its order, are openssl's."""
    leaf, roots, untrusted = worlds(name)
    verdict = verify(leaf, [root.certificate for root in roots],
                     untrusted=[item.certificate for item in untrusted], **arguments(options))
    status, errors = openssl_verify(tmp_path, worlds(name), options.split())
    found = [(fault.code, fault.depth, fault.reason) for fault in verdict.faults]
    if status == 2 and not errors:  # openssl has no words for it; kpki's are those of its number
        errors = [(1, 0, "unspecified certificate verification error")]
    assert (found, verdict.ok) == (errors, status == 0)
    assert (verdict.code, verdict.depth, verdict.reason) == (errors or [(0, 0, "ok")])[-1]


@pytest.mark.parametrize("name", WORLDS)
def test_a_proven_path_is_strict_without_the_store(worlds: Callable[[str], World],
                                                   name: str) -> None:
    """verify_strict is verify with strict and partial_chain, but for signatures and name
    constraints."""
    leaf, roots, between = worlds(name)
    untrusted = [made.certificate for made in between]
    for root in roots:
        verdict = verify(leaf, [root.certificate], untrusted=untrusted, now=NOW, strict=True,
                         partial_chain=True)
        proven = verify_strict(leaf, root.certificate, untrusted=untrusted, now=NOW)
        if verdict.code in {7, *NAME_CONSTRAINTS}:      # which end the verification
            assert proven.faults[:len(verdict.faults) - 1] == verdict.faults[:-1]
        else:
            assert proven.faults == verdict.faults


def test_a_verdict_has_the_path(worlds: Callable[[str], World]) -> None:
    """The chain goes from the leaf to the root; of a path that breaks off, as far as it went."""
    leaf, roots, between = worlds("good")
    root, middle = roots[0].certificate, between[0].certificate
    assert verify(leaf, [root], untrusted=[middle], now=NOW).chain == (leaf, middle, root)
    assert verify(leaf, [], untrusted=[middle], now=NOW).chain == (leaf, middle)
    assert verify(leaf, [root], now=NOW).chain == (leaf,)


def test_what_is_asked_must_make_sense(worlds: Callable[[str], World]) -> None:
    """An unknown purpose and an address that is none are refused; a wrong certificate is never an
    exception."""
    leaf, _, _ = worlds("good")
    questions: list[dict[str, Any]] = [{"purpose": "webserver"}, {"ip": "node.example.com"},
                                       {"ip": ""}]
    for question in questions:
        with pytest.raises(InputError):
            verify(leaf, [], **question)
    assert not verify(leaf, []).ok


def test_the_clock_is_the_default(bench: Bench) -> None:
    """Without *now* a certificate is verified at the present moment."""
    present = datetime.now(UTC)
    for start, end, code in ((-DAY, DAY, 0), (DAY, 2 * DAY, 9), (-2 * DAY, -DAY, 10)):
        made = bench.make("root", None, CA, start=present + start, end=present + end).certificate
        assert verify(made, [made]).code == code


def test_any_octet_turned_is_a_verdict(worlds: Callable[[str], World]) -> None:
    """A leaf with one octet changed anywhere is still answered, and not with yes."""
    leaf, roots, between = worlds("good")
    data = leaf.public_bytes(Encoding.DER)
    loaded = 0
    for at in range(4, len(data)):
        try:
            changed = pem.load_certificate(data[:at] + bytes((data[at] ^ 0x11,)) + data[at + 1:])
        except InputError:
            continue
        loaded += 1
        assert not verify(changed, [root.certificate for root in roots],
                          untrusted=[item.certificate for item in between], now=NOW, strict=True).ok
    assert loaded > 100
