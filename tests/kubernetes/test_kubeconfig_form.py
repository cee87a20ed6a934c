"""A kubeconfig in kpki's own form is read without PyYAML, to the same value."""
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from kpki.documents import load_documents
from kpki.errors import ConfigurationError
from kpki.kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig
from kpki.kubernetes.kubeconfig_form import read_form

BY_PATH = Kubeconfig(cluster_name="local", user_name="kubelet", context_name="kubelet-context",
                     server="https://10.0.0.10:6443", authority=Material("/ca.pem"),
                     certificate=Material("/worker.pem"), key=Material("/worker-key.pem"))
EMBEDDED = replace(BY_PATH, authority=Material(data=b"-----BEGIN CERTIFICATE-----\n"),
                   certificate=Material(data=b"-----BEGIN CERTIFICATE-----\n" * 2),
                   key=Material(data=b"-----BEGIN PRIVATE KEY-----"))
OWN = [dump_kubeconfig(BY_PATH), dump_kubeconfig(EMBEDDED),
       dump_kubeconfig(replace(BY_PATH, authority=Material()))]
PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'))
MATERIALS = st.one_of(
    PLAIN.filter(bool).map(lambda path: Material(path=path)),
    st.binary().map(lambda data: Material(data=b"-----BEGIN " + data)))
# what changes the meaning of YAML, and what does not
PIECES = st.sampled_from([
    "", " ", "    ", "\n", "\r\n", "\t", '"', "'", "\\", ":", ": ", " #", "- ", "?", "&a ", "*a",
    "!!str ", "{}", "[]", "|", ">", "---\n", "...\n", "%", "\ufeff", "\u00e9", "\x7f", "\x85",
    "null", "1", "=", "L", "LS0tLS1", '    token: "t"\n', '    server: "s"\n', "  user: {}\n",
    "yes: "])


def by_yaml(data: bytes) -> object:
    """The value that PyYAML's reader gives, None for a text that it refuses."""
    try:
        documents = load_documents(data)
    except ConfigurationError:
        return None
    return documents[0].value if documents else None


@given(st.builds(Kubeconfig, cluster_name=PLAIN, user_name=PLAIN, context_name=PLAIN, server=PLAIN,
                 authority=MATERIALS | st.just(Material()), certificate=MATERIALS, key=MATERIALS))
def test_what_kpki_writes_is_read_without_yaml(config: Kubeconfig) -> None:
    """Paths and PEM, under any printable names of ASCII."""
    data = dump_kubeconfig(config)
    found = read_form(data)
    assert found is not None and found == by_yaml(data)


@given(st.sampled_from(OWN), st.lists(st.tuples(st.integers(0, 999), st.integers(0, 9), PIECES),
                                      max_size=3))
def test_a_changed_document_is_read_as_by_yaml_or_left_to_it(
        data: bytes, changes: list[tuple[int, int, str]]) -> None:
    """No text is accepted or refused that PyYAML takes for something else."""
    for place, length, piece in changes:
        start = place % len(data)
        data = data[:start] + piece.encode() + data[start + length:]
    assert read_form(data) in (None, by_yaml(data))


@pytest.mark.parametrize("data", OWN)
def test_a_moved_or_doubled_line_too(data: bytes) -> None:
    """Each line at each place, moved or copied."""
    lines = data.splitlines(keepends=True)
    for line in range(len(lines)):
        for place in range(len(lines)):
            for others in (lines, lines[:line] + lines[line + 1:]):
                changed = b"".join([*others[:place], lines[line], *others[place:]])
                assert read_form(changed) in (None, by_yaml(changed))


@pytest.mark.parametrize(("before", "after"), [
    (b'"local"', b"local"), (b'"local"', b"'local'"), (b'"local"', b'"lo\\u0063al"'),
    (b'"local"', '"caf\u00e9"'.encode()), (b'"/ca.pem"', b"1"), (b'"/ca.pem"', b'"/ca.pem" # x'),
    (b"kind: Config\n", b"kind: Config\npreferences: {}\n"), (b"\n", b"\r\n"),
    (b"    server", b"     server"), (b'    cluster: "local"', b'    user: "local"'),
    (b"apiVersion", b"\xef\xbb\xbfapiVersion"), (b"apiVersion", b"---\napiVersion"),
    (b'  user:\n    client-certificate: "/worker.pem"\n    client-key: "/worker-key.pem"\n',
     b"  user: {}\n")])
def test_another_form_is_left_to_yaml(before: bytes, after: bytes) -> None:
    """Other quotes, plain scalars, escapes, comments, fields given twice, other documents."""
    assert before in OWN[0] and read_form(OWN[0].replace(before, after)) is None
