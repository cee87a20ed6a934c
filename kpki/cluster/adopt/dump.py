"""Cluster → cluster.yaml, with comments for the person who edits the file."""
from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from ..desired.description import (
    API_VERSION,
    DEFAULT_CA_VALIDITY,
    DEFAULT_CERTIFICATES_DIR,
    DEFAULT_DNS_DOMAIN,
    DEFAULT_NAME,
    DEFAULT_PORT,
    DEFAULT_SUBNETS,
    DEFAULT_VALIDITY,
    KIND,
    ROLES,
    Cluster,
    Host,
)
from ...kubernetes.layouts import KUBEADM

# Text that YAML reads without quotes, inside brackets too; dump_cluster quotes all other text.
_PLAIN = re.compile(r"/?[A-Za-z][A-Za-z0-9_./-]*|[0-9]+(\.[0-9]+){3}(/[0-9]+)?|([0-9]+[hms])+")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
DumpLines = Iterator[str]


def dump_cluster(cluster: Cluster) -> str:
    """A kpki/v1 description, from which `load_cluster` reads the same cluster.

    Only from_kubeadm differs. Fields with their default are left out. A cluster without a control
    plane must have an endpoint.
    """
    return "\n".join([
        "# What the cluster should be. Every field, its default and its source: "
        "docs/description.md.",
        "# A field that is left out has its default.", f"apiVersion: {API_VERSION}",
        f"kind: {KIND}", *_names(cluster), *_api_server(cluster), *_etcd(cluster),
        *_certificates(cluster), *_nodes(cluster.hosts), ""])


def _names(cluster: Cluster) -> DumpLines:
    if cluster.name != DEFAULT_NAME:
        yield f"clusterName: {_scalar(cluster.name)}"
    yield from ("", "# Where the files lie on a host.", f"layout: {cluster.layout}")
    if cluster.certificates_dir != DEFAULT_CERTIFICATES_DIR and cluster.layout == KUBEADM.name:
        yield f"certificatesDir: {_scalar(cluster.certificates_dir)}"


def _api_server(cluster: Cluster) -> DumpLines:
    if cluster.endpoint:
        host, port = cluster.endpoint
        endpoint = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        yield from ("", "# Where clients find the API servers.",
                    f"controlPlaneEndpoint: {json.dumps(endpoint)}")
    if cluster.port != DEFAULT_PORT:
        yield from ("", "# The port of every API server.", "localAPIEndpoint:",
                    f"  bindPort: {cluster.port}")
    has_default = cluster.service_subnets == DEFAULT_SUBNETS
    subnets = "" if has_default else ",".join(cluster.service_subnets)
    domain = "" if cluster.dns_domain == DEFAULT_DNS_DOMAIN else cluster.dns_domain
    networking = {"serviceSubnet": subnets, "dnsDomain": domain}
    if any(networking.values()):
        yield from ("",
                    "# The first address of the services is the API server's inside the cluster.",
                    "networking:",
                    *(f"  {name}: {_scalar(text)}" for name, text in networking.items() if text))
    if cluster.api_sans:
        yield from ("", "# Further names and addresses in the API servers' certificate.",
                    "apiServer:", f"  certSANs: {_sequence(cluster.api_sans)}")


def _etcd(cluster: Cluster) -> DumpLines:
    local = {"serverCertSANs": cluster.etcd_server_sans, "peerCertSANs": cluster.etcd_peer_sans}
    if any(local.values()):
        yield from ("", "# Further names and addresses in etcd's certificates.", "etcd:",
                    "  local:", *(f"    {name}: {_sequence(words)}" for name, words in local.items()
                                  if words))
    if etcd := cluster.external_etcd:
        named = {"caFile": etcd.ca_file, "certFile": etcd.certificate_file,
                 "keyFile": etcd.key_file}
        files = [f"    {name}: {_scalar(path)}" for name, path in named.items() if path]
        yield from ("", "# An etcd that is not kpki's, and the API server's files for it.", "etcd:",
                    *(["  external:", *files] if files else ["  external: {}"]))


def _certificates(cluster: Cluster) -> DumpLines:
    if cluster.algorithm:
        yield from ("", "# The algorithm of new keys.", f"encryptionAlgorithm: {cluster.algorithm}")
    for name, span, default in (("certificateValidityPeriod", cluster.validity, DEFAULT_VALIDITY),
                                ("caCertificateValidityPeriod", cluster.ca_validity,
                                 DEFAULT_CA_VALIDITY)):
        if span != default:
            yield f"{name}: {_span(span)}"
    if cluster.authorities:
        yield from ("", "# Existing CAs: used, never replaced.", "certificateAuthorities:")
    for name, given in cluster.authorities.items():
        key = f", key: {_scalar(given.key)}" if given.key else ""
        yield f"  {name}: {{certificate: {_scalar(given.certificate)}{key}}}"
    if cluster.kubelet_serving:
        yield from ("", "# A CA-signed serving pair for each kubelet.", "kubeletServing: true")


def _nodes(hosts: Iterable[Host]) -> DumpLines:
    yield ""
    yield "# A node without roles is a worker. The first address is the advertised address."
    yield "nodes:"
    for host in hosts:
        yield f"- name: {_scalar(host.name)}"
        for name, words in (("roles", [role for role in ROLES if role in host.roles]),
                            ("addresses", host.addresses), ("dnsNames", host.dns)):
            if words:
                yield f"  {name}: {_sequence(words)}"


def _sequence(words: Iterable[str]) -> str:
    return f"[{', '.join(map(_scalar, words))}]"


def _scalar(text: str) -> str:
    """Text as a YAML scalar, quoted as in JSON, which YAML reads alike for printable text."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _span(span: timedelta) -> str:
    """A duration in Go's notation."""
    seconds, rest = divmod(span, timedelta(seconds=1))
    minutes, seconds = divmod(seconds, 60)
    parts = ((minutes // 60, "h"), (minutes % 60, "m"), (seconds, "s"), (rest.microseconds, "us"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
