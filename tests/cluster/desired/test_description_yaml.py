"""The YAML under a description: values, lines, and what a hostile text may cost."""
from __future__ import annotations

import random
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from kpki.cluster.desired.description import load_cluster
from kpki.cluster.desired.example import example_description
from kpki.documents import load_documents, path_text
from kpki.errors import ConfigurationError, KpkiError


def values(text: str) -> list[Any]:
    return [document.value for document in load_documents(text)]


def refusal(text: str | bytes) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_documents(text)
    return caught.value


@pytest.mark.parametrize(("text", "wanted"), [
    ("a", "a"), ("'1'", "1"), ('""', ""), ("!!str 1", "1"), ("1", 1), ("-17", -17), ("1.5", 1.5),
    ("1e3", 1000.0), ("007", 7.0),
    ("99999999999999999999", 1e20), ("true", True), ("Off", False), ("tRUE", "tRUE"), ("~ ", None),
    ("2024-01-01", "2024-01-01"), ("10:20", "10:20"), ("0x1f", "0x1f"), ("10.0.0.1", "10.0.0.1"),
    ("fd00::1", "fd00::1"), ("{a: [b, {c: }], d: yes}", {"a": ["b", {"c": None}], "d": True}),
    ("{1: a, true: b}", {"1": "a", "true": "b"}), ("[&x {a: 1}, *x]", [{"a": 1}, {"a": 1}]),
    ("[&x a, *x]", ["a", "a"]), ("!!map {a: !!seq [b]}", {"a": ["b"]}), ("|\n  a\n  b\n", "a\nb\n"),
])
def test_scalars_and_containers_are_plain_values(text: str, wanted: Any) -> None:
    """A text's value is plain data; what would be a date or a sexagesimal number stays text."""
    found = values(f"v: {text}")
    assert found == [{"v": wanted}] and type(found[0]["v"]) is type(wanted)


def test_pyyaml_without_libyaml_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml its own parser reads the same values and refuses the
    same faults."""
    with_libyaml = load_cluster(example_description())
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert load_cluster(example_description()) == with_libyaml
    for text, line in (("a: 1\nb: [1\nc: 2\n", 3), ("a: é\x01", 1), ("a: 1\na: 2\n", 2),
                       ("a: '\n", 2), ("a: *x", 1), ('a: 1\nb: "\\U7fffffff"\n', 0),
                       (b"a: 1\nb: \xff", 2)):
        assert refusal(text).line == line, text


def test_documents_keep_their_lines() -> None:
    """Each document of a text finds its own fields; an empty one counts for nothing."""
    first, second = load_documents("---\n---\na: 1\n---\n# word\nb:\n- c: 1\n- d:\n    e: [1,\n"
                                   "        2]\n")
    assert (first.value, second.value) == ({"a": 1}, {"b": [{"c": 1}, {"d": {"e": [1, 2]}}]})
    assert [first.line_of(path) for path in ((), ("a",), ("zz",), ("a", "b"))] == [3, 3, 3, 3]
    paths: list[tuple[str | int, ...]] = [
        (), ("b",), ("b", 0), ("b", 1), ("b", 1, "d", "e"), ("b", 1, "d", "e", 1), ("b", 7),
        ("b", 0, "x", "y")]
    assert [second.line_of(path) for path in paths] == [6, 6, 7, 8, 9, 10, 6, 7]


@pytest.mark.parametrize(("text", "line", "message"), [
    ("a: 1\nb: [1\nc: 2\n", 3,
     "line 3, column 2: not a YAML document: did not find expected ',' or ']'"),
    ("e: [fd00::1]:6443", 1, "line 1, column 13: not a YAML document: did not find expected key"),
    ("a: 'x\n", 2, "line 2, column 1: not a YAML document: found unexpected end of stream"),
    ("a: x\n\tb: y", 2,
     "line 2, column 1: not a YAML document: found a tab character that violates indentation"),
    ("a: é\x01", 1, "line 1, column 5: not a YAML document: control characters are not allowed"),
    (b"a: 1\nb: \xff", 2, "line 2, column 4: not a YAML document: invalid leading UTF-8 octet"),
    ("a: 1\n\ud800", 2, "line 2: not a YAML document: the text holds half a surrogate pair"),
    ("a: 1\nb: {c: 1, d: 2, c: 3}\n", 2, "line 2, column 17: b.c: given twice"),
    ("n:\n- a: 1\n- a: 1\n  b: 1\n  a: 2\n", 5, "line 5, column 3: n[1].a: given twice"),
    ("a: 1\n'a': 2\n", 2, "line 2, column 1: a: given twice"),
    ("a: *x\n", 1, "line 1, column 4: a: no anchor x before this alias"),
    ("a: &x [*x]\n", 1, "line 1, column 8: a[0]: no anchor x before this alias"),
    ("a: &x 1\n---\nb: *x\n", 3, "line 3, column 4: b: no anchor x before this alias"),
    ("? [a]\n: b\n", 1, "line 1, column 3: a key must be text, not a mapping or a list"),
    ("a: &x b\n*x : c\n", 2, "line 2, column 1: a key must be text, not an alias"),
    ("a: !!python/object:os.system {}\n", 1,
     "line 1, column 4: a: the tag tag:yaml.org,2002:python/object:os.system is not plain data"),
    ("a: !!binary aGk=\n", 1,
     "line 1, column 4: the tag tag:yaml.org,2002:binary is not plain data"),
    ("a: " + "[" * 70, 1, "line 1, column 67: nested more than 64 deep"),
])
def test_what_is_no_plain_yaml_is_refused_with_its_place(text: str | bytes, line: int,
                                                         message: str) -> None:
    """Syntax, a key that is there twice, an alias of nothing, a tag: each with line and column."""
    found = refusal(text)
    assert (found.line, found.message) == (line, message)


@pytest.mark.parametrize(("text", "hint"), [
    (b"a: \xff", "a description is plain text in UTF-8"),
    (b"a:\n\tb: 1\n", "indent lines with blanks, not tabs; "),
    (b"a: @b\n", "text with brackets")])
def test_what_is_no_yaml_has_a_next_step(text: bytes, hint: str) -> None:
    """Another encoding is not mended with quotes; a tab or a sign that YAML keeps for itself is."""
    assert hint in (refusal(text).hint or "")


def test_a_path_is_written_as_people_write_it() -> None:
    """Fields have dots between them, indices stand in brackets, and what no field is called stands
    in quotes."""
    assert path_text(("nodes", 2, "addresses", 0)) == "nodes[2].addresses[0]"
    assert path_text((1, "a b")) == "[1].'a b'"
    assert path_text(()) == ""


@pytest.mark.parametrize("text", [
    "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi")),
    "[" * 1_000_000, "{a: " * 300_000, "- " * 300_000, "a: &x " * 100_000,
])
def test_a_small_text_cannot_cost_much(text: str) -> None:
    """A billion laughs and a million brackets are refused before they cost time or memory."""
    start = time.process_time()
    with pytest.raises(ConfigurationError):
        load_cluster(text)
    assert time.process_time() - start < 2


def test_aliases_in_measure_are_right() -> None:
    """An anchor on a list of addresses or names can be used again."""
    text = example_description() + "- {name: w, addresses: &a [10.0.0.30], dnsNames: &d [x.y]}\n"
    found = load_cluster(text + "- {name: v, addresses: [10.0.0.31], dnsNames: *d}\n")
    assert found.host("v").dns == found.host("w").dns == ("x.y",)


def test_ten_thousand_nodes_are_read_in_a_moment() -> None:
    """Time grows with the nodes, not with their square: ten times as many take well under a hundred
    times as long."""
    def seconds(nodes: int) -> float:
        text = example_description() + "".join(
            f"- {{name: w-{n}, addresses: [10.1.{n // 250}.{n % 250}]}}\n" for n in range(nodes))
        start = time.process_time()
        found = load_cluster(text)
        assert found.host(f"w-{nodes - 1}") is found.hosts[-1] and len(found.hosts) == nodes + 3
        return time.process_time() - start
    small, large = min(seconds(1000) for _ in range(2)), min(seconds(10_000) for _ in range(2))
    assert large < max(30 * small, 1)


ATOMS = st.sampled_from([
    "apiVersion: ", "kpki/v1", "kubeadm.k8s.io/v1beta4", "kind: ", "Cluster", "InitConfiguration",
    "nodes: ", "name: ", "addresses: ", "10.0.0.1", "fd00::1", "etcd: ", "external: ", "\n",
    "\n  ", "- ", "[", "]", "{", "}", ", ", ": ", "---\n", "&a ", "*a", "!!str ", "'", '"', "#",
    "|", ">", "?", "0", "-1", "1e9", "true", "null", "%", "\t", "é", "<<: ", "networking: ",
    "serviceSubnet: ", "controlPlaneEndpoint: ", "certificateValidityPeriod: ", "8760h", "\\",
    "\0"])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.binary(), st.lists(ATOMS, max_size=40).map("".join),
                 st.lists(ATOMS, max_size=30).map(
                     lambda atoms: f"apiVersion: kpki/v1\nkind: Cluster\n{''.join(atoms)}")))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """Whatever the bytes, load_cluster gives a Cluster or raises a KpkiError, whose message is one
    line."""
    try:
        load_cluster(text, host_name="h")
    except KpkiError as error:
        assert error.message and "\n" not in error.message


@settings(max_examples=200, deadline=None)
@given(st.integers(), st.integers(1, 6))
def test_a_broken_example_is_read_or_refused(seed: int, cuts: int) -> None:
    """The example with pieces cut out, doubled or swapped raises nothing but a KpkiError."""
    dice, text = random.Random(seed), example_description()
    for _ in range(cuts):
        start = dice.randrange(len(text))
        piece = text[start:start + dice.randrange(40)]
        put = dice.choice(["", piece * 2, piece[::-1], "\x00", ": ", "- ", "[" * 9])
        text = text[:start] + put + text[start + len(piece):]
    try:
        load_cluster(text)
    except KpkiError as error:
        assert "\n" not in error.message
