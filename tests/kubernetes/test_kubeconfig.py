"""Bytes ↔ kubeconfig: written as client-go reads it, read with every fault named."""
from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from kpki.errors import InputError
from kpki.kubernetes.kubeconfig import (
    Kubeconfig,
    Material,
    dump_kubeconfig,
    load_kubeconfig,
    load_users,
    same_kubeconfig,
    validate_server,
)

WANTED = Kubeconfig(cluster_name="local", user_name="kubelet", context_name="kubelet-context",
                    server="https://10.0.0.10:6443", authority=Material("/ca.pem"),
                    certificate=Material("/worker.pem"), key=Material("/worker-key.pem"))
EMBEDDED = replace(WANTED, authority=Material(data=b"CA"),
                   certificate=Material(data=b"certificate"), key=Material(data=b"key"))
DOCUMENT = dump_kubeconfig(WANTED).decode().replace('"', "")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
MATERIALS = st.one_of(TEXTS.map(lambda path: Material(path=path)),
                      st.binary().map(lambda data: Material(data=b"-----" + data)))
KUBECONFIGS = st.builds(Kubeconfig, cluster_name=TEXTS, user_name=TEXTS, context_name=TEXTS,
                        server=TEXTS, authority=MATERIALS | st.just(Material()),
                        certificate=MATERIALS, key=MATERIALS)


def test_the_document_is_client_gos() -> None:
    """One cluster, user and context under the names of kubeconfig v1, whatever library reads it."""
    assert yaml.safe_load(dump_kubeconfig(WANTED)) == {
        "apiVersion": "v1", "kind": "Config", "current-context": "kubelet-context",
        "clusters": [{"name": "local",
                      "cluster": {"server": WANTED.server, "certificate-authority": "/ca.pem"}}],
        "users": [{"name": "kubelet", "user": {"client-certificate": "/worker.pem",
                                               "client-key": "/worker-key.pem"}}], "contexts":
            [{"name": "kubelet-context", "context": {"cluster": "local", "user": "kubelet"}}]}


def test_what_is_embedded_is_base64() -> None:
    """Data stands under the names that end in -data, a user without a pair has an empty mapping."""
    document = yaml.safe_load(dump_kubeconfig(EMBEDDED))
    assert (document["clusters"][0]["cluster"]["certificate-authority-data"]
            == base64.b64encode(b"CA").decode())
    assert (document["users"][0]["user"]
            == {"client-certificate-data": base64.b64encode(b"certificate").decode(),
                "client-key-data": base64.b64encode(b"key").decode()})
    alone = replace(WANTED, certificate=Material(), key=Material())
    assert yaml.safe_load(dump_kubeconfig(alone))["users"] == [{"name": "kubelet", "user": {}}]
    assert load_kubeconfig(dump_kubeconfig(alone)) == alone


@given(KUBECONFIGS)
def test_what_is_written_is_read_again(config: Kubeconfig) -> None:
    """Any names, paths and embedded bytes come back as they went, through this reader and
    PyYAML's."""
    document = dump_kubeconfig(config)
    assert load_kubeconfig(document) == config
    assert yaml.safe_load(document)["current-context"] == config.context_name


def test_a_key_is_not_shown() -> None:
    """The repr of embedded data tells its length alone."""
    assert repr(Material(data=b"secret")) == "Material(<6 bytes>)"
    assert repr(Material("/k.pem")) == "Material('/k.pem')"


def test_of_several_contexts_the_current_one_counts() -> None:
    """Other clusters, users and contexts beside it are passed over, whatever they lack."""
    text = (DOCUMENT.replace("clusters:\n",
                             "clusters:\n- name: x\n  cluster:\n- name: y\n  cluster: {later: 7}\n")
            .replace("users:\n", "users:\n- name: x\n  user: {client-certificate: /only.pem}\n")
            .replace("contexts:\n",
                     "contexts:\n- name: x\n  context: {cluster: gone, user: gone}\n"))
    assert load_kubeconfig(text.encode()) == WANTED


def edited(old: str, new: str) -> str:
    assert old in DOCUMENT
    return DOCUMENT.replace(old, new)


GOOD: list[tuple[str, dict[str, Any]]] = [
    (edited("apiVersion: v1\n", ""), {}), (edited("kind: Config\n", ""), {}),
    (f"{DOCUMENT}---\nkind: Secret\n", {}), (f"{DOCUMENT}preferences: {{}}\n", {}),
    (edited("client-key: /worker-key.pem", "client-key-data: |\n      a2V\n      5"),
     {"key": Material(data=b"key")}),
    (edited("client-key: /worker-key.pem", "client-key: /worker-key.pem\n    client-key-data: ''"),
     {}),
    (edited("client-key: /worker-key.pem", "client-key: ''\n    client-key-data: a2V5"),
     {"key": Material(data=b"key")}),
    (edited("    client-certificate: /worker.pem\n    client-key: /worker-key.pem",
            "    token: abc.def"),
     {"certificate": Material(), "key": Material()}),
    (edited("    certificate-authority: /ca.pem\n", "    insecure-skip-tls-verify: true\n"),
     {"authority": Material()}),
    (edited("    certificate-authority: /ca.pem\n",
            "    certificate-authority: /ca.pem\n    insecure-skip-tls-verify: false\n"), {}),
    (edited("    user: kubelet", "    user: kubelet\n    namespace: kube-system"), {}),
]


@pytest.mark.parametrize(("text", "differs"), GOOD)
def test_what_client_go_would_take_is_taken(text: str, differs: dict[str, Any]) -> None:
    """A missing apiVersion or kind, lines in base64, an empty field beside a full one, other means
    than a pair."""
    assert load_kubeconfig(text.encode()) == replace(WANTED, **differs)


BAD = [
    ("", "not a kubeconfig: the document is no mapping"),
    ("- a", "not a kubeconfig: the document is no mapping"), ("a: b: c", "line 1"),
    ("\x01", "not a YAML document"), ("apiVersion: v1", "the kubeconfig has no current-context"),
    (edited("kind: Config", "kind: Pod"), "kind is 'Pod', expected Config"),
    (edited("apiVersion: v1", "apiVersion: v2"), "apiVersion is 'v2', expected v1"),
    (edited("current-context: kubelet-context", "current-context: x"),
     "current-context names the context 'x', which is not in the file"),
    (edited("current-context: kubelet-context", ""), "has no current-context"),
    (edited("current-context: kubelet-context", "current-context: ''"), "has no current-context"),
    (edited("current-context: kubelet-context", "current-context: 7"),
     "current-context is no text"),
    (edited("    user: kubelet", "    user: x"),
     "context 'kubelet-context' names the user 'x', which is not in the file"),
    (edited("    user: kubelet", ""), "context 'kubelet-context' has no user"),
    (edited("    cluster: local", "    cluster: x"),
     "context 'kubelet-context' names the cluster 'x', which is not in the file"),
    (edited("    cluster: local", "    cluster: ''"), "context 'kubelet-context' has no cluster"),
    (edited("    user: kubelet", "    user: kubelet\n    namespace: Kube_System"),
     "namespace 'Kube_System' is no DNS"),
    (edited("    server: https://10.0.0.10:6443\n", ""), "cluster 'local' has no server"),
    (edited("server: https://10.0.0.10:6443", "server: ''"), "cluster 'local' has no server"),
    (edited("server: https://10.0.0.10:6443", "server: [1]"), "cluster 'local': server is no text"),
    (edited("clusters:\n", "clusters:\n- 7\n"), "clusters[0] is no cluster with a name"),
    (edited("clusters:\n", "clusters:\n- name: x\n  cluster: [1]\n"),
     "clusters[0] is no cluster with a name"),
    (edited("users:\n", "users:\n- name: 7\n  user: {}\n"), "users[0]: name is no text"),
    (edited("users:\n", "users: {}\nold-users:\n"), "users is no list"),
    (edited("users:\n", "users:\n- name: other\n  user: {client-key-data: '?'}\n"),
     "user 'other': client-key-data is no base64"),
    (edited("clusters:\n", "clusters:\n- name: local\n  cluster: {server: https://x}\n"),
     "'local' is given twice"),
    (edited("users:\n", "users:\n- name: kubelet\n  user: {}\n"), "user 'kubelet' is given twice"),
    (edited("contexts:\n", "contexts:\n- name: kubelet-context\n  context: {}\n"),
     "'kubelet-context' is given twice"),
    (edited("client-key: /worker-key.pem", "client-key: 7"), "client-key is no text"),
    (edited("client-key: /worker-key.pem", "client-key-data: '?'"), "client-key-data is no base64"),
    (edited("client-key: /worker-key.pem", "client-key-data: a2V5 a2V5"),
     "client-key-data is no base64"),
    (edited("client-key: /worker-key.pem", "client-key-data: a2V"), "client-key-data is no base64"),
    (edited("client-key: /worker-key.pem", "client-key-data: é"), "client-key-data is no base64"),
    (edited("client-key: /worker-key.pem", "client-key-data: 7"), "client-key-data is no base64"),
    (edited("    client-key: /worker-key.pem\n", ""),
     "user 'kubelet' has a client-certificate and no client-key"),
    (edited("client-key: /worker-key.pem", "client-key: /k\n    client-key-data: eA=="),
     "user 'kubelet' gives both client-key and client-key-data"),
    (edited("client-certificate: /worker.pem",
            "client-certificate: /c\n    client-certificate-data: eA=="),
     "user 'kubelet' gives both client-certificate and client-certificate-data"),
    (edited("certificate-authority: /ca.pem",
            "certificate-authority: /c\n    certificate-authority-data: eA=="),
     "cluster 'local' gives both certificate-authority and certificate-authority-data"),
    (edited("certificate-authority: /ca.pem",
            "certificate-authority: /ca.pem\n    insecure-skip-tls-verify: true"),
     "gives both insecure-skip-tls-verify and a certificate-authority"),
    (edited("certificate-authority: /ca.pem", "insecure-skip-tls-verify: 'true'"),
     "is neither true nor false"),
    (edited("client-key: /worker-key.pem",
            "client-key: /worker-key.pem\n    token: t\n    username: u"),
     "gives both a token and a username"),
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
    with suppress(InputError):
        assert isinstance(load_kubeconfig(data), Kubeconfig)


@pytest.mark.parametrize("url",
                         ["https://10.0.0.10:6443", "https://[fd00::1]:6443",
                          "https://api.example.com", "https://api.example.com/k8s/clusters/c-1"])
def test_a_server_is_a_url(url: str) -> None:
    """https and a host, with a port, a path or neither."""
    assert validate_server(url) == url


@pytest.mark.parametrize("url", [
    "", "10.0.0.10:6443", "http://10.0.0.10", "https://", "https://x:0", "https://x:99999",
    "https://x:y", "https://a b", "https://u@x", "https://@x", "https://x?a", "https://x#a",
    "https://[fd00::1", "https://x\u200b", "https://x\\y", "https://x\n"])
def test_what_is_no_server_is_refused(url: str) -> None:
    """Another scheme, no host, a port that is none, more than a place."""
    with pytest.raises(InputError, match="is no API server's URL"):
        validate_server(url)


# The fast way

@given(KUBECONFIGS, st.binary(min_size=1), st.binary(min_size=1))
def test_the_pair_is_read_without_a_parser(config: Kubeconfig, certificate: bytes,
                                           key: bytes) -> None:
    """Of a document with the wanted names, server and CA the embedded pair is given, whatever pair
    was wanted."""
    there = replace(config, certificate=Material(data=certificate), key=Material(data=key))
    assert same_kubeconfig(dump_kubeconfig(there), config) == (certificate, key)


@given(KUBECONFIGS, KUBECONFIGS)
def test_the_fast_way_says_what_the_slow_one_says(config: Kubeconfig, other: Kubeconfig) -> None:
    """Where it gives a pair, the document is read as the wanted one with that pair; where all fits,
    it gives one."""
    pair = same_kubeconfig(dump_kubeconfig(config), other)
    same = replace(other, certificate=config.certificate, key=config.key) == config
    embedded = config.certificate.data is not None and config.key.data is not None
    assert (pair is not None) == (same and embedded)
    assert pair is None or pair == (config.certificate.data, config.key.data)


@pytest.mark.parametrize("change", [
    {"server": "https://10.0.0.11:6443"}, {"authority": Material(data=b"other")},
    {"authority": Material("/ca.pem")}, {"cluster_name": "other"}, {"user_name": "other"},
    {"context_name": "other"}, {"authority": Material()}])
def test_another_document_is_left_to_the_parser(change: dict[str, Any]) -> None:
    """One that differs in anything but the pair is not the same."""
    assert same_kubeconfig(dump_kubeconfig(EMBEDDED), WANTED) is None
    assert same_kubeconfig(dump_kubeconfig(EMBEDDED), EMBEDDED) == (b"certificate", b"key")
    assert same_kubeconfig(dump_kubeconfig(replace(EMBEDDED, **change)), EMBEDDED) is None


LAID_OUT = dump_kubeconfig(EMBEDDED)
KEY_LINE = b"client-key-data: " + base64.b64encode(b"key")


@pytest.mark.parametrize("data", [
    b"", LAID_OUT[:-1], LAID_OUT[1:], LAID_OUT + b"\n", LAID_OUT.replace(b"\n", b"\r\n"),
    b"# mine\n" + LAID_OUT, LAID_OUT.replace(KEY_LINE, b"client-key-data: "),
    LAID_OUT.replace(KEY_LINE, b"client-key-data: a2V"),
    LAID_OUT.replace(KEY_LINE, b"client-key: /k"),
    LAID_OUT.replace(KEY_LINE, KEY_LINE + b"\n    token: t"),
    LAID_OUT.replace(KEY_LINE, KEY_LINE + b" "),
    LAID_OUT.replace(b"    client-key-data", b"    client-key-datb"),
    LAID_OUT.replace(b"    " + KEY_LINE + b"\n", b""),
    LAID_OUT.replace(b"kind: Config", b"kind: Secret")])
def test_another_layout_is_left_to_the_parser(data: bytes) -> None:
    """Whatever dump_kubeconfig would not have written is None: right or wrong, the parser says
    it."""
    assert data != LAID_OUT and same_kubeconfig(data, EMBEDDED) is None


def test_a_server_beside_the_kubeconfig_wins() -> None:
    """What --master says stands for the cluster's server, which need not be there then (client-go's
    overrides)."""
    without = DOCUMENT.replace("    server: https://10.0.0.10:6443\n", "")
    assert load_kubeconfig(without.encode(), server="https://x").server == "https://x"
    assert load_kubeconfig(DOCUMENT.encode(), server="https://x").server == "https://x"
    with pytest.raises(InputError, match="has no server"):
        load_kubeconfig(without.encode())


@pytest.mark.parametrize(("data", "wanted"), [
    (b"users: [{name: '*.x', user: {client-certificate: c, client-key-data: a2V5}}, {name: y, "
     b"user: {token: t}}]",
     {"*.x": (Material("c"), Material(data=b"key")), "y": (Material(), Material())}),
    (b"kind: Config", {}), (b"users: 1", {}), (b"[", {}), (b"- 1", {}),
    (b"users: [{name: x, user: {client-key: 1}}]", {})])
def test_the_users_of_a_kubeconfig(data: bytes,
                                   wanted: dict[str, tuple[Material, Material]]) -> None:
    """Each user's certificate and key, whatever the contexts are; none of what is no kubeconfig."""
    assert load_users(data) == wanted
