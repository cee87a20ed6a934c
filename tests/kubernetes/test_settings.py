"""The table of settings, and how flags, fields and variables say one."""
from __future__ import annotations

from typing import Any

import pytest

from kpki.kubernetes.components import COMPONENTS
from kpki.kubernetes.settings import (
    FIELDS,
    SETTINGS,
    effective_values,
    fields_of,
    flags_of,
    openshift_fields,
    values_of,
    variables_of,
)
from kpki.kubernetes.words import Word

Told = dict[str, tuple[str, ...]]


def flags(component: str, line: str) -> Told:
    """What counts of a command line."""
    said = effective_values([*flags_of(component, [Word(word, "s") for word in line.split()])])
    return {name: values_of(name, ones) for name, ones in said.items()}


@pytest.mark.parametrize(("line", "wanted"), [
    ("--a=b", {"a": ("b",)}), ("--a b", {"a": ("b",)}),
    ("--a --b=c", {"a": ("true",), "b": ("c",)}), ("--a=1 --a=2", {"a": ("2",)}),
    ("--client_ca_file=/a", {"client-ca-file": ("/a",)}),
    ("--client-ca-file --x", {"client-ca-file": ("--x",)}), ("--a=b=c", {"a": ("b=c",)}),
    ("--a=1 --a=", {}), ("-v=2 -a b c", {}), ("-- --a=b", {"a": ("b",)}),
    ("", {}), ("--service-account-key-file=/1,x --service-account-key-file=/2",
               {"service-account-key-file": ("/1,x", "/2")}),
    ("--etcd-servers=a,b --etcd-servers=c", {"etcd-servers": ("a", "b", "c")}),
    ("--authorization-mode=Node,RBAC --authorization-mode=RBAC", {"authorization-mode": ("RBAC",)}),
    ("--requestheader-allowed-names=", {})])
def test_flags(line: str, wanted: Told) -> None:
    """pflag's grammar: the last counts, some add up, lists split at commas, what is empty
    unsets."""
    assert flags("kube-apiserver", line) == wanted


def test_flags_of_etcd() -> None:
    """Go's flag package takes one dash as well as two; a repeated flag replaces."""
    told = flags("etcd", "-cert-file=/a --key-file /b -listen-client-urls=x "
                 "--listen-client-urls https://b,c")
    assert told == {
        "cert-file": ("/a",), "key-file": ("/b",), "listen-client-urls": ("https://b", "c")}


@pytest.mark.parametrize(("document", "wanted"), [
    ({"tlsCertFile": "/a", "rotateCertificates": True, "port": 10250, "clusterDNS": ["1", "2"]},
     {"tls-cert-file": "/a", "rotate-certificates": "true", "port": "10250", "cluster-dns": "1,2"}),
    ({"authentication": {"x509": {"clientCAFile": "/a"}}}, {"client-ca-file": "/a"}),
    ({"authentication": {"x509": None}}, {"client-ca-file": ""}),
    ({"tlsCertFile": None}, {"tls-cert-file": ""}),
    ({"authentication": []}, {}), ({"authentication": {"x509": {}}}, {}), ({}, {}), ([], {}),
    ("x", {})])
def test_fields(document: Any, wanted: dict[str, str]) -> None:
    """A field stands for its flag; a null takes back what an earlier file says, also above the
    field (RFC 7386)."""
    said = {item.name: item.word.text for item in fields_of("kubelet", document, "s")}
    assert {name: text for name, text in said.items() if name in wanted or text} == wanted


def test_relative_paths_of_fields() -> None:
    """Only paths of the kubelet's own file count from its folder."""
    said = [*fields_of("kubelet", {"tlsCertFile": "a", "staticPodPath": "/p", "clusterDomain": "x"},
                       "s", "/f")]
    assert {item.name: item.path for item in said} == {
        "tls-cert-file": "/f/a", "pod-manifest-path": "/p", "cluster-domain": "x"}


def test_variables() -> None:
    """etcd's variables have its flags' names; etcdctl's are others."""
    said = variables_of({"ETCD_PEER_CERT_FILE": Word("/a", "s"), "ETCDCTL_CERT": Word("/b", "s"),
                         "X": Word("", "s")})
    assert [(item.name, item.word.text, item.written) for item in said] == [
        ("peer-cert-file", "/a", "ETCD_PEER_CERT_FILE")]


def test_openshift() -> None:
    """Arguments are lists by flag; servingInfo stands for three flags, and for pairs by name."""
    said = openshift_fields({
        "apiServerArguments": {"client-ca-file": ["/a"], "etcd-servers": ["x", "y"], "v": "2"},
        "servingInfo": {"certFile": "/c", "keyFile": "/k",
                        "namedCertificates": [{"certFile": "/n", "keyFile": "/m"}]}},
        "s")
    assert [(item.name, item.word.text) for item in said] == [
        ("tls-cert-file", "/c"), ("tls-private-key-file", "/k"), ("tls-sni-cert-key", "/n,/m"),
        ("client-ca-file", "/a"), ("etcd-servers", "x"), ("etcd-servers", "y"), ("v", "2")]
    assert [*openshift_fields([], "s")] == [*openshift_fields({"servingInfo": 1,
                                                               "apiServerArguments": 2}, "s")] == []


def test_what_kpki_writes_is_what_kpki_reads() -> None:
    """Each flag and field by which kpki tells a component a file is a setting that names one."""
    for component in COMPONENTS:
        names = {setting.name for setting in SETTINGS[component.name]}
        for flag in component.flags:
            assert (flag.name in names) == bool(flag.rows), flag.name
            if flag.field:
                assert FIELDS[component.name][flag.field] == flag.name


def test_a_pair_has_two_halves() -> None:
    """Each key's pair is a certificate's setting of the same component and purpose, unless it signs
    alone."""
    for component, settings in SETTINGS.items():
        halves = {(setting.pair, setting.purpose): setting.name for setting in settings
                  if setting.part == "certificate"}
        for setting in settings:
            if setting.part == "key" and setting.purpose != "service-account-sign":
                assert (halves[setting.pair, setting.purpose]
                        == setting.pair), (component, setting.name)
