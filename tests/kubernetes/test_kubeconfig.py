"""Bytes ↔ kubeconfig: written as client-go reads it, read with every fault named."""
from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kpki.errors import InputError
from kpki.kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig, load_kubeconfig

WANTED = Kubeconfig(cluster_name="local", user_name="kubelet", context_name="kubelet-context",
                    server="https://10.0.0.10:6443", authority=Material("/ca.pem"), certificate=Material("/worker.pem"),
                    key=Material("/worker-key.pem"))
DOCUMENT = dump_kubeconfig(WANTED).decode().replace('"', "")


def test_the_document_is_client_gos() -> None:
    """One cluster, user and context under the names of kubeconfig v1, whatever library reads it."""
    assert yaml.safe_load(dump_kubeconfig(WANTED)) == {
        "apiVersion": "v1", "kind": "Config", "current-context": "kubelet-context",
        "clusters": [{"name": "local", "cluster": {"server": WANTED.server, "certificate-authority": "/ca.pem"}}],
        "users": [{"name": "kubelet", "user": {"client-certificate": "/worker.pem", "client-key": "/worker-key.pem"}}],
        "contexts": [{"name": "kubelet-context", "context": {"cluster": "local", "user": "kubelet"}}]}


@given(st.text(min_size=1).filter(str.isprintable), st.binary(min_size=1))
def test_what_is_written_is_read_again(text: str, data: bytes) -> None:
    """Any printable name and any embedded bytes come back as they went."""
    for one in (replace(WANTED, server=text, user_name=text), replace(WANTED, key=Material(data=data))):
        assert load_kubeconfig(dump_kubeconfig(one)) == one


def test_a_key_is_not_shown() -> None:
    """The repr of embedded data tells its length alone."""
    assert repr(Material(data=b"secret")) == "Material(<6 bytes>)"
    assert repr(Material("/k.pem")) == "Material('/k.pem')"


def test_of_several_contexts_the_current_one_counts() -> None:
    """Other clusters, users and contexts beside it are passed over."""
    text = DOCUMENT.replace("clusters:\n", "clusters:\n- name: x\n  cluster: {server: https://x}\n- 7\n")
    assert load_kubeconfig(text.encode()).server == WANTED.server


BAD = [
    ("", "no `kind: Config`"), ("- a", "no `kind: Config`"), ("a: b: c", "line 1"),
    ("\x01", "not a YAML document"), (DOCUMENT.replace("kind: Config", "kind: Pod"), "no `kind: Config`"),
    (DOCUMENT.replace("current-context: kubelet-context", "current-context: x"), "no context 'x'"),
    (DOCUMENT.replace("current-context: kubelet-context", ""), "has no current-context"),
    (DOCUMENT.replace("user: kubelet", "user: x"), "no user 'x'"),
    (DOCUMENT.replace("cluster: local", "cluster: x"), "no cluster 'x'"),
    (DOCUMENT.replace("server: https://10.0.0.10:6443", "server: [1]"), "cluster 'local' has no server"),
    (DOCUMENT.replace("client-key: /worker-key.pem", "client-key: 7"), "client-key is no path"),
    (DOCUMENT.replace("client-key: /worker-key.pem", "client-key-data: '?'"), "client-key-data is no base64"),
    (DOCUMENT.replace("client-key: /worker-key.pem", "client-key: /k\n    client-key-data: eA=="), "gives both"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_a_broken_kubeconfig_says_what_is_broken(text: str, words: str) -> None:
    """What client-go would not connect with is an InputError that names the part."""
    load_kubeconfig(DOCUMENT.encode())
    with pytest.raises(InputError) as refused:
        load_kubeconfig(text.encode())
    assert words in str(refused.value)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Whatever the bytes are, the answer is a kubeconfig or an InputError."""
    try:
        load_kubeconfig(data)
    except InputError:
        pass
