"""kpki/__init__.py: the library's names, each loaded from its room on first use, and what a caller
may give."""
from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import Any

import pytest

import kpki
from kpki.arguments import resolved

TOP = Path(__file__).parent.parent
SOURCE = (TOP / "kpki/__init__.py").read_text()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def names_for_type_checkers() -> dict[str, tuple[str, str]]:
    """Name → room and name there, as the imports under TYPE_CHECKING have them."""
    return {alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.ImportFrom)
            if node.level for alias in node.names
            if alias.name not in ("import_module", "renamed", "validated")}


def test_every_name_stands_in_the_table_in_all_and_for_type_checkers() -> None:
    """The three lists of the front door are one list."""
    assert sorted(kpki.__all__) == sorted(kpki._ROOM_OF)
    assert names_for_type_checkers() == kpki._ROOM_OF
    assert set(kpki.__all__) <= set(dir(kpki))


@pytest.mark.parametrize("name", kpki.__all__)
def test_a_name_comes_from_its_room(name: str) -> None:
    """What the front door gives is defined where the table says, and says what it is for."""
    value = getattr(kpki, name)
    if isinstance(value, tuple):        # a table, which has no name of its own
        assert value is getattr(import_module(f"kpki.{kpki._ROOM_OF[name][0]}"), name)
        return
    inner = getattr(value, "__wrapped__", value)
    assert (inner.__module__, inner.__name__) == (f"kpki.{kpki._ROOM_OF[name][0]}",
                                                  kpki._ROOM_OF[name][1])
    assert value.__name__ == name
    assert value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelled name raises Python's own AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'genras'"):
        getattr(kpki, "genras")  # noqa: B009


def test_a_type_checker_refuses_an_unknown_name(tmp_path: Path) -> None:
    """mypy knows every public name and no other, the former names among them."""
    def mypy(text: str) -> int:
        program = tmp_path / "program.py"
        program.write_text(text)
        command: list[str | Path] = [sys.executable, "-m", "mypy", "--strict", "--cache-dir",
                                     tmp_path, program]
        return subprocess.run(command, cwd=TOP, capture_output=True, check=False).returncode

    names = ", ".join((*kpki.__all__, *kpki._RENAMED))
    assert [mypy(f"from kpki import {names}\n"), mypy("from kpki import nonsense\n")] == [0, 1]


@pytest.mark.parametrize(("former", "name"), kpki._RENAMED.items())
def test_a_former_name_warns(former: str, name: str) -> None:
    """A name of the release before is the same function, and says what it is called now."""
    with pytest.warns(DeprecationWarning, match=f"kpki.{former} is called kpki.{name} now") as told:
        assert getattr(kpki, former) is getattr(kpki, name)
    assert told[0].filename == __file__
    assert former not in kpki.__all__


def test_a_former_parameter_or_method_warns() -> None:
    """`make_plan(look=)` is `observe=`, and `Inventory.look` is `Inventory.file`, each with a
    warning."""
    def observe(path: str) -> kpki.ObservedFile:
        return kpki.ObservedFile(path, missing=True)

    with pytest.warns(DeprecationWarning, match="look is called observe now") as seen:
        plan = kpki.make_plan(PLAN.cluster, look=observe)   # type: ignore[call-arg]
    assert (plan.observe, seen[0].filename) == (observe, __file__)
    inventory = kpki.Inventory("/", PLAN.wanted.layout, {"k": kpki.ObservedFile("k", b"")})
    with pytest.warns(DeprecationWarning,
                      match="Inventory.look is called Inventory.file now") as seen:
        assert inventory.look("k") == inventory.file("k") == kpki.ObservedFile("k", b"")
    assert seen[0].filename == __file__
    running = kpki.Running(component="etcd", source="etcd.service", settings={},
                           origins={"name": ("--name", "u")})
    with pytest.warns(DeprecationWarning, match="Running.said is called Running.origins now"):
        assert running.said == running.origins


def test_importing_kpki_loads_no_room() -> None:
    """`import kpki` alone costs neither cryptography nor any room of its own."""
    code = ("import sys, kpki; print(*(name for name in sys.modules if name.startswith(('kpki.', "
            "'cryptography'))))")
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True,
                          check=True)
    assert done.stdout.split() == []


def test_the_example_of_the_readme_runs() -> None:
    """The README's Python prints a certificate that openssl reads, with the subject and the names
    it says."""
    code = re.findall(r"```python\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
    assert len(code) == 1
    made = subprocess.run([sys.executable, "-c", code[0]], cwd=TOP, capture_output=True, check=True)
    read = subprocess.run(["openssl", "x509", "-noout", "-subject", "-ext",
                           "subjectAltName,extendedKeyUsage"],
                          input=made.stdout, capture_output=True, check=True).stdout.decode()
    for fact in ("O = system:nodes, CN = system:node:worker-1", "DNS:worker-1",
                 "TLS Web Client Authentication"):
        assert fact in read
    assert (len(code[0].split("\n\n")[0].splitlines())
            + len(code[0].split("\n\n")[1].splitlines()) <= 5)


def test_the_check_of_the_readme_is_real(
        run_page: Callable[[Path], tuple[Path, list[Any]]]) -> None:
    """What the README shows of a check is what the command prints."""
    _, steps = run_page(TOP / "README.md")
    assert [step.printed for step in steps] == [step.promised for step in steps]
    assert [step.command.split()[0] for step in steps] == ["kpki", "rm", "kpki"]


# What a caller gives

def test_a_function_can_be_sent_to_another_process() -> None:
    """pickle finds a public function by its public name."""
    assert pickle.loads(pickle.dumps(kpki.check_path)) is kpki.check_path


KEY = kpki.genpkey("EC", curve="P-256")
CA = kpki.req_x509(KEY, subject="/CN=kubernetes", days=3650, now=NOW)
AUTHORITY = kpki.Authority(CA, KEY)
CLUSTER = kpki.load_cluster("apiVersion: kpki/v1\nkind: Cluster\nnodes:\n"
                            "- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}")
Call = Callable[[Any], object]
TIMES: list[Call] = [
    lambda now: kpki.req_x509(KEY, subject="/CN=x", now=now),
    lambda now: kpki.x509_req(kpki.req_new(KEY, subject="/CN=x"), CA, KEY, now=now),
    lambda now: kpki.verify(CA, [CA], now=now),
    lambda now: kpki.verify_kubernetes(CA, [CA], purpose="any", now=now),
    lambda now: kpki.load_authority(kpki.dump_certificate(CA), kpki.dump_key(KEY), now=now),
    lambda now: AUTHORITY.issue_node("w", addresses=["10.0.0.1"], now=now),
    lambda now: kpki.Authority.create("x", now=now),
]


@pytest.mark.parametrize("call", TIMES)
def test_a_time_has_a_zone(call: Call) -> None:
    """A datetime without a zone is refused, in whatever zone the host is; one with a zone is
    accepted."""
    with pytest.raises(kpki.InputError, match="^now is a time without a zone: 2026-01-01 12:00:00"):
        call(datetime(2026, 1, 1, 12))      # noqa: DTZ001 (the fault)
    call(datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=9))))


@pytest.mark.parametrize("name",
                         [name for name in kpki.__all__ if isfunction(getattr(kpki, name))
                          and "now" in resolved(getattr(kpki, name))])
def test_now_has_a_default(name: str) -> None:
    """No caller has to say what time it is."""
    assert type(None) in typing.get_args(resolved(getattr(kpki, name))["now"])


WRONG: list[tuple[Call, str]] = [
    (lambda _: kpki.genrsa("2048"), "bits is a str, expected int"),    # type: ignore[arg-type]
    (lambda _: kpki.genrsa(True), "bits is a bool, expected int"),
    (lambda _: kpki.load_key("PEM"),    # type: ignore[arg-type]
     r"data is a str, expected bytes \| Block"),
    (lambda _: kpki.dump_key(CA),    # type: ignore[arg-type]
     "key is a Certificate, expected PrivateKeyTypes"),
    (lambda _: kpki.req_new(KEY, addext="x=y"), r"addext is a str, expected Sequence\[str\]"),
    (lambda _: kpki.verify(CA, [b""]),   # type: ignore[list-item]
     r"roots\[0\] is a bytes, expected Certificate"),
    (lambda _: AUTHORITY.issue_node("w", addresses=["10.0.0.1", 3]),    # type: ignore[list-item]
     r"addresses\[1\] is an int, expected str"),
    (lambda _: kpki.verify(CA, [CA], trust={CA: 3}),    # type: ignore[dict-item]
     r"trust\[<Certificate\(.*\] is an int, expected Trust"),
    (lambda _: kpki.verify(CA, [CA], trust={"CA": kpki.Trust()}),   # type: ignore[dict-item]
     "trust's key 'CA' is a str, expected Certificate"),
    (lambda _: kpki.verify_kubernetes(CA, CA),    # type: ignore[arg-type]
     "roots is a Certificate, expected Iterable"),
    (lambda _: kpki.make_plan("cluster.yaml"),    # type: ignore[arg-type]
     "cluster is a str, expected Cluster"),
    (lambda _: kpki.check_path(3),    # type: ignore[arg-type]
     r"path is an int, expected str \| PathLike\[str\]"),
    (lambda _: kpki.Authority(CA, b""),    # type: ignore[arg-type]
     "key is a bytes, expected PrivateKeyTypes"),
    (lambda _: kpki.Authority.create(None),    # type: ignore[arg-type]
     "name is NoneType, expected str"),
    (lambda _: AUTHORITY.issue_node("w", addresses="10.0.0.1"),
     r"addresses is a str, expected Sequence\[str\]"),
    (lambda _: CLUSTER.host(1),     # type: ignore[arg-type]
     "name is an int, expected str"),
    (lambda _: CLUSTER.with_role(None),     # type: ignore[arg-type]
     "role is NoneType, expected str"),
    (lambda _: kpki.req_new(KEY, config=kpki.Config("x")),     # type: ignore[arg-type]
     r"config\.sections is a str, expected Mapping\[str, tuple\[Setting, \.\.\.\]\]"),
    (lambda _: kpki.req_new(KEY, subject=kpki.Name((("CN", "x"),))),    # type: ignore[arg-type]
     r"subject\.rdns\[0\]\[0\] is a str, expected Attribute"),
    (lambda _: kpki.make_plan(replace(CLUSTER, hosts=("cp-1",))),   # type: ignore[arg-type]
     r"cluster\.hosts\[0\] is a str, expected Host"),
    (lambda _: kpki.make_plan(CLUSTER).files(warnings="w"),     # type: ignore[arg-type]
     r"warnings is a str, expected list\[str\] \| None"),
]


@pytest.mark.parametrize(("call", "words"), WRONG)
def test_a_value_of_another_type_is_named(call: Call, words: str) -> None:
    """A TypeError has the name of the parameter, or of the field of a record, what was given and
    what is expected."""
    with pytest.raises(TypeError, match=f"^{words}"):
        call(None)


def test_a_public_key_is_an_object_or_its_der() -> None:
    """Both certify the same key; bytes that are no key are refused."""
    public_key = kpki.genpkey("EC").public_key()
    csr = kpki.req_new(KEY, subject="/CN=x")
    for given in (public_key, kpki.dump_public_key(public_key, encoding="DER")):
        assert kpki.x509_req(csr, CA, KEY, public_key=given).public_key() == public_key
    with pytest.raises(kpki.InputError):
        kpki.x509_req(csr, CA, KEY, public_key=b"nonsense")


@pytest.mark.parametrize(("subject", "words"), [
    ("/0=system:nodes/CN=w", "subject name attribute '0' is unknown"),
    ("/O=/CN=w", "subject name attribute 'O' has no value"),
])
def test_an_attribute_of_the_subject_is_never_dropped_in_silence(subject: str, words: str) -> None:
    """The library refuses what openssl skips with a warning; whoever asks for the warnings gets
    openssl's way."""
    csr, told = kpki.req_new(KEY, subject="/CN=x"), list[str]()
    for call in (lambda: kpki.req_new(KEY, subject=subject),
                 lambda: kpki.req_x509(KEY, subject=subject),
                 lambda: kpki.x509_req(csr, CA, KEY, subject=subject),
                 lambda: kpki.parse_subject(subject)):
        with pytest.raises(kpki.InputError, match=f"^{words}"):
            call()
    assert kpki.req_new(KEY, subject=subject, warnings=told).subject.rfc4514_string() == "CN=w"
    assert len(told) == 1


def test_the_text_of_an_error_has_the_hint() -> None:
    """Who prints an error gets the next step; an error without one is its message."""
    assert str(kpki.InputError("no key", hint="make one")) == "no key (hint: make one)"
    assert str(kpki.InputError("no key")) == "no key"


PLAN = kpki.make_plan(kpki.load_cluster("""
apiVersion: kpki/v1
kind: Cluster
nodes: [{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.1]}]
"""))
SHOWN: list[tuple[object, str]] = [
    (kpki.parse_subject("/O=a,b/CN= #x+OU=\\+"), r"Name('CN=\\ #x+OU=\\+,O=a\\,b')"),
    (kpki.parse_subject("/emailAddress=a@b"), "Name('1.2.840.113549.1.9.1=a@b')"),
    (kpki.File("pki/ca.key", kpki.dump_key(KEY), 0o600), "File('pki/ca.key', 0o600, 241 octets)"),
    (kpki.Finding("key-exposed", "w.key", "kubelet", "mode 0644", host="w",
                  remedy=("# as root", "chmod 0600 w.key")),
     "Finding(error key-exposed, 'w: w.key': 'mode 0644', 1 commands)"),
    (PLAN, "Plan('kubernetes', 1 hosts, 3 CAs, 0 unread)"),
    (kpki.parse_config("[req]\ninput_password = hunter2"), "Config(sections default, req)"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN)
def test_a_repr_helps(value: object, text: str) -> None:
    """Names as RFC 4514 writes them, modes in octal, counts of what is long."""
    assert repr(value) == text


SECRET = kpki.dump_key(KEY).splitlines()[1].decode()
ISSUED = AUTHORITY.issue_node("w", addresses=["10.0.0.1"], key=KEY, now=NOW)


@pytest.mark.parametrize("value", [
    AUTHORITY, ISSUED, kpki.File("k", kpki.dump_key(KEY), 0o600),
    kpki.ObservedFile("k", kpki.dump_key(KEY)),
    kpki.Inventory("/", PLAN.wanted.layout, {"k": kpki.ObservedFile("k", kpki.dump_key(KEY))}),
    PLAN.with_roots(), kpki.Material(data=kpki.dump_key(KEY)),
])
def test_a_repr_shows_no_secret(value: object) -> None:
    """Whatever holds a private key shows nothing of the key."""
    assert "PRIVATE KEY" not in repr(value)
    assert SECRET not in repr(value)


def test_values_of_the_right_types_pass(tmp_path: Path) -> None:
    """Iterators, subclasses, paths and None are accepted if a signature says so."""
    assert kpki.verify(CA, iter([CA]), now=NOW).ok
    assert kpki.verify_kubernetes(kpki.dump_certificate(CA, encoding="DER"), (CA,), purpose="any",
                                  now=NOW).ok
    assert kpki.inspect_host(tmp_path).root == str(tmp_path)
