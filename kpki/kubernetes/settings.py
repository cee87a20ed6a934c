"""The table of settings: which flags, variables and fields of a component name files, and why.

A setting has its flag's name, without dashes. Configuration files and etcd's variables hold the
same settings under other names.
Sources: kubernetes 1.34, cmd/*/app/options and staging/src/k8s.io/apiserver/pkg/server/options;
etcd 3.6, server/embed/config.go; apiserver-network-proxy, cmd/{server,agent}/app/options.
"""
from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .purposes import SIGNERS
from .words import Word

UsePart = Literal["certificate", "key", "authority", "kubeconfig", "public-key"]


class FileSetting(NamedTuple):
    """One setting that names a file."""

    name: str
    """The flag's name."""
    purpose: str
    """The name of the file's purpose."""
    part: UsePart
    """The kind of content."""
    pair: str
    """Of a key, the name of its certificate's setting; else the setting's own name."""


def _pair(certificate: str, key: str, purpose: str) -> tuple[FileSetting, FileSetting]:
    return (FileSetting(certificate, purpose, "certificate", certificate),
            FileSetting(key, purpose, "key", certificate))


def _one(name: str, purpose: str, part: UsePart = "authority") -> FileSetting:
    return FileSetting(name, purpose, part, name)


def _kubeconfigs(purpose: str) -> tuple[FileSetting, ...]:
    return tuple(_one(name, purpose, "kubeconfig")
                 for name in ("kubeconfig", "authentication-kubeconfig",
                              "authorization-kubeconfig"))


def _serving(purpose: str, clients: str) -> tuple[FileSetting, ...]:
    return (*_pair("tls-cert-file", "tls-private-key-file", purpose),
            _one("client-ca-file", clients))


_FRONT_PROXY_CA = _one("requestheader-client-ca-file", "requestheader-ca")
_MANAGER = (*_serving("component-serving", "component-client-ca"), _FRONT_PROXY_CA,
            _one("root-ca-file", "root-ca"), _one("service-account-private-key-file",
                                                  "service-account-sign", "key"))

SETTINGS: Mapping[str, tuple[FileSetting, ...]] = {
    "kubelet": (
        _one("kubeconfig", "kubelet-client", "kubeconfig"),
        _one("bootstrap-kubeconfig", "kubelet-bootstrap", "kubeconfig"),
        *_serving("kubelet-serving", "kubelet-client-ca")),
    "kube-apiserver": (
        *_serving("apiserver-serving", "apiserver-client-ca"), _FRONT_PROXY_CA,
        *_pair("proxy-client-cert-file", "proxy-client-key-file", "front-proxy-client"),
        *_pair("kubelet-client-certificate", "kubelet-client-key", "apiserver-kubelet-client"),
        _one("kubelet-certificate-authority", "kubelet-serving-ca"),
        _one("etcd-cafile", "etcd-server-ca"),
        *_pair("etcd-certfile", "etcd-keyfile", "apiserver-etcd-client"),
        _one("service-account-key-file", "service-account-verify", "public-key"),
        _one("service-account-signing-key-file", "service-account-sign", "key"),
        _one("audit-webhook-config-file", "webhook-client", "kubeconfig"),
        _one("authentication-token-webhook-config-file", "webhook-client", "kubeconfig"),
        _one("authorization-webhook-config-file", "webhook-client", "kubeconfig"),
        _one("oidc-ca-file", "oidc-ca"), _one("peer-ca-file", "peer-ca")),
    "kube-controller-manager": (
        *_kubeconfigs("controller-manager-client"), *_MANAGER,
        *_pair("cluster-signing-cert-file", "cluster-signing-key-file", "cluster-signing"),
        *(setting for signer in SIGNERS for setting in _pair(
            f"cluster-signing-{signer}-cert-file", f"cluster-signing-{signer}-key-file",
            f"cluster-signing-{signer}"))),
    "kube-scheduler": (*_kubeconfigs("scheduler-client"),
                       *_serving("component-serving", "component-client-ca"), _FRONT_PROXY_CA),
    "cloud-controller-manager": (*_kubeconfigs("cloud-controller-manager-client"), *_MANAGER[:4]),
    "kube-proxy": (_one("kubeconfig", "proxy-client", "kubeconfig"),),
    "etcd": (
        *_pair("cert-file", "key-file", "etcd-serving"), _one("trusted-ca-file", "etcd-client-ca"),
        *_pair("client-cert-file", "client-key-file", "etcd-own-client"),
        *_pair("peer-cert-file", "peer-key-file", "etcd-peer"),
        _one("peer-trusted-ca-file", "etcd-peer-ca"),
        *_pair("peer-client-cert-file", "peer-client-key-file", "etcd-peer-client")),
    "konnectivity-server": (
        _one("kubeconfig", "konnectivity-client", "kubeconfig"),
        *_pair("server-cert", "server-key", "konnectivity-serving"),
        _one("server-ca-cert", "konnectivity-client-ca"),
        *_pair("cluster-cert", "cluster-key", "konnectivity-agent-serving"),
        _one("cluster-ca-cert", "konnectivity-agent-client-ca")),
    "konnectivity-agent": (*_pair("agent-cert", "agent-key", "konnectivity-agent-client"),
                           _one("ca-cert", "konnectivity-agent-ca")),
}

# Repeated flags of the first set add up. Flags of the second set hold several values with commas
# between them.
_REPEATED = frozenset({"service-account-key-file", "service-account-issuer", "tls-sni-cert-key"})
_LISTS = frozenset("""
    etcd-servers etcd-servers-overrides requestheader-allowed-names requestheader-username-headers
    requestheader-group-headers requestheader-extra-headers-prefix authorization-mode
    enable-admission-plugins disable-admission-plugins api-audiences
    kubelet-preferred-address-types service-cluster-ip-range node-ip cluster-dns
    listen-client-urls advertise-client-urls listen-client-http-urls listen-peer-urls
    listen-metrics-urls initial-advertise-peer-urls initial-cluster client-cert-allowed-cn
    peer-cert-allowed-cn client-cert-allowed-hostname peer-cert-allowed-hostname""".split())
_ADD_UP = _REPEATED | frozenset({
    "etcd-servers", "etcd-servers-overrides", "requestheader-allowed-names",
    "enable-admission-plugins", "disable-admission-plugins"})

# Field of a configuration file → the flag with the same meaning.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "kubelet": {
        "tlsCertFile": "tls-cert-file", "tlsPrivateKeyFile": "tls-private-key-file",
        "authentication.x509.clientCAFile": "client-ca-file",
        "authentication.anonymous.enabled": "anonymous-auth",
        "authentication.webhook.enabled": "authentication-token-webhook",
        "authorization.mode": "authorization-mode", "rotateCertificates": "rotate-certificates",
        "serverTLSBootstrap": "rotate-server-certificates",
        "staticPodPath": "pod-manifest-path", "staticPodURL": "manifest-url",
        "providerID": "provider-id",
        "address": "address", "port": "port", "readOnlyPort": "read-only-port",
        "clusterDomain": "cluster-domain", "clusterDNS": "cluster-dns"},
    "kube-proxy": {"clientConnection.kubeconfig": "kubeconfig",
                   "hostnameOverride": "hostname-override"},
    "kube-scheduler": {"clientConnection.kubeconfig": "kubeconfig"},
    "etcd": {
        **{f"{section}.{field}": f"{prefix}{flag}"
           for section, prefix in (("client-transport-security", ""),
                                   ("peer-transport-security", "peer-"))
           for field, flag in (
               ("cert-file", "cert-file"), ("key-file", "key-file"),
               ("trusted-ca-file", "trusted-ca-file"),
               ("client-cert-file", "client-cert-file"), ("client-key-file", "client-key-file"),
               ("client-cert-auth", "client-cert-auth"), ("auto-tls", "auto-tls"),
               ("allowed-cn", "cert-allowed-cn" if prefix else "client-cert-allowed-cn"),
               ("allowed-hostname", "cert-allowed-hostname" if prefix
                else "client-cert-allowed-hostname"),
               ("skip-client-san-verification", "skip-client-san-verification"))},
        **{name: name for name in (
            "name", "data-dir", "listen-client-urls", "advertise-client-urls",
            "listen-client-http-urls", "listen-peer-urls", "listen-metrics-urls",
            "initial-advertise-peer-urls", "initial-cluster")}},
}
# The fields with paths relative to the configuration file's folder.
_FROM_THE_FOLDER = frozenset({"tlsCertFile", "tlsPrivateKeyFile",
                              "authentication.x509.clientCAFile", "staticPodPath"})


class SettingValue(NamedTuple):
    """The value of one setting, as a flag, field or variable gives it."""

    name: str
    """The flag's name."""
    word: Word
    """The value and its source; an empty value unsets."""
    written: str
    """The flag, field or variable, as the source writes its name."""
    folder: str = ""
    """The folder for relative paths; "" for the working directory."""

    @property
    def path(self) -> str:
        """The value as a path that the component sees."""
        return posixpath.join(self.folder, self.word.text)


def flags_of(component: str, words: Sequence[Word]) -> Iterator[SettingValue]:
    """The flags among a component's arguments, in order: `--name=value`, `--name value`.

    `_` in a name is read as `-`. A flag of etcd may have one dash (Go's flag package). Without `=`
    the next argument is the value, unless it begins with a dash and the flag names no file.
    """
    files = {setting.name for setting in SETTINGS.get(component, ())}
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        dashes = next((dashes for dashes in ("--", "-") if word.text.startswith(dashes)
                       and (dashes == "--" or component == "etcd")), "")
        if not dashes or word.text == "--":
            continue
        written, equals, value = word.text.partition("=")
        name, source = written.removeprefix(dashes).replace("_", "-"), word.source
        if not equals:
            following = words[place] if place < len(words) else None
            if following and (name in files or not following.text.startswith("-")):
                value, source, place = following.text, following.source, place + 1
            else:
                value = "true"
        yield SettingValue(name, Word(value, source), written)


def fields_of(component: str, configuration: Any, source: str,
              folder: str = "") -> Iterator[SettingValue]:
    """The settings in a component's configuration file; relative paths count from *folder*.

    A null unsets the value of an earlier file (JSON merge patch, RFC 7386), also in place of a
    level above the field.
    """
    for field, name in FIELDS.get(component, {}).items():
        value = configuration
        for step in field.split("."):
            if isinstance(value, dict):
                value = value.get(step, _ABSENT)
            elif value is not None:
                value = _ABSENT
        if value is not _ABSENT:
            yield SettingValue(name, Word(_text(value), source), field,
                               folder if field in _FROM_THE_FOLDER else "")


_ABSENT = object()      # the value of a field that is not in the file


def _text(value: Any) -> str:
    """A field's value as the text of a flag; a null is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def effective_values(given: Sequence[SettingValue]) -> dict[str, tuple[SettingValue, ...]]:
    """The effective values of each setting, given all values in the order of rising precedence.

    The last value counts; for flags that add up, all values count.
    """
    found: dict[str, tuple[SettingValue, ...]] = {}
    for value in given:
        before = found.get(value.name, ()) if value.name in _ADD_UP else ()
        found[value.name] = (*before, value) if value.word.text else before
    return {name: values for name, values in found.items() if values}


def values_of(name: str, settled: Sequence[SettingValue]) -> tuple[str, ...]:
    """The texts of a setting's effective values; a list is split at its commas."""
    texts = [value.word.text for value in settled]
    return tuple(part for text in texts
                 for part in (text.split(",") if name in _LISTS else [text]) if part)


def variables_of(environment: Mapping[str, Word]) -> Iterator[SettingValue]:
    """The settings in etcd's variables (ETCD_CERT_FILE: cert-file); ETCDCTL_… are etcdctl's."""
    for name, word in environment.items():
        if name.startswith("ETCD_"):
            yield SettingValue(name.removeprefix("ETCD_").lower().replace("_", "-"), word, name)


def openshift_fields(configuration: Any, source: str) -> Iterator[SettingValue]:
    """The settings in OpenShift's configuration of an API server or controller manager.

    They stand in lists of arguments and in servingInfo.
    """
    document = configuration if isinstance(configuration, dict) else {}
    serving = document.get("servingInfo")
    for field, name in (("certFile", "tls-cert-file"), ("keyFile", "tls-private-key-file"),
                        ("clientCA", "client-ca-file")):
        if isinstance(serving, dict) and isinstance(serving.get(field), str):
            yield SettingValue(name, Word(serving[field], source), f"servingInfo.{field}")
    names = serving.get("namedCertificates") if isinstance(serving, dict) else None
    for named in names if isinstance(names, list) else ():
        if isinstance(named, dict):
            pair = f"{named.get('certFile')},{named.get('keyFile')}"
            yield SettingValue("tls-sni-cert-key", Word(pair, source),
                               "servingInfo.namedCertificates")
    for section in ("apiServerArguments", "extendedArguments"):
        arguments = document.get(section)
        for name, values in arguments.items() if isinstance(arguments, dict) else ():
            for value in values if isinstance(values, list) else [values]:
                yield SettingValue(str(name), Word(_text(value), source), f"{section}.{name}")
