"""kubeadm's own documents (v1beta4 and v1beta3): the fields that concern certificates.

The tables list every field of kubeadm, so that kpki names a misspelt field. kpki accepts any value
of the other fields. Source: kubeadm's API reference,
https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fields import (
    ALGORITHM_NAMES,
    FieldError,
    absolute_path,
    advertised,
    duration,
    each,
    endpoint,
    located,
    nearest,
    node_name,
    one_of,
    plain_name,
    port,
    san,
    shape,
    shorten,
    subnets,
    text,
)
from ...documents import Document
from ...errors import ConfigurationError, InputError
from ...kubernetes.layouts import CONTROL_PLANE, ETCD

GROUP = "kubeadm.k8s.io/"
VERSIONS = ("v1beta4", "v1beta3")
# Fields of v1beta4 that kubeadm ignores in a v1beta3 document.
_NEW_IN_V1BETA4 = ("encryptionAlgorithm", "certificateValidityPeriod",
                   "caCertificateValidityPeriod")
_COMPONENT = ("extraArgs", "extraVolumes", "extraEnvs")
_IMAGE = ("imageRepository", "imageTag")
_KIND = ("apiVersion", "kind")

_LOCAL_ENDPOINT = shape({"advertiseAddress": advertised, "bindPort": port}, strict=False)
_REGISTRATION = shape({"name": text}, strict=False, accepted=(
    "criSocket", "taints", "kubeletExtraArgs", "ignorePreflightErrors", "imagePullPolicy",
    "imagePullSerial"))
_EXTERNAL = shape({"caFile": absolute_path, "certFile": absolute_path, "keyFile": absolute_path},
                  strict=False, accepted=("endpoints", "httpEndpoints"))
_LOCAL = shape({"serverCertSANs": each(san), "peerCertSANs": each(san)}, strict=False,
               accepted=("dataDir", *_COMPONENT, *_IMAGE))
_BOOTSTRAP_TOKEN = shape({"apiServerEndpoint": endpoint}, strict=False, accepted=(
    "token", "caCertHashes", "unsafeSkipCAVerification"))
_DISCOVERY = shape({"bootstrapToken": _BOOTSTRAP_TOKEN}, strict=False,
                   accepted=("file", "tlsBootstrapToken", "timeout"))

KUBEADM_KINDS = {
    "ClusterConfiguration": shape({
        "clusterName": text,
        "controlPlaneEndpoint": endpoint,
        "networking": shape({"serviceSubnet": subnets, "dnsDomain": plain_name}, strict=False,
                            accepted=("podSubnet",)),
        "apiServer": shape({"certSANs": each(san)}, strict=False,
                           accepted=(*_COMPONENT, "timeoutForControlPlane")),
        "etcd": shape({"local": _LOCAL, "external": _EXTERNAL}, strict=False),
        "encryptionAlgorithm": one_of(ALGORITHM_NAMES),
        "certificateValidityPeriod": duration, "caCertificateValidityPeriod": duration,
        "certificatesDir": absolute_path,
    }, strict=False, accepted=(*_KIND, "kubernetesVersion", "controllerManager", "scheduler", "dns",
                               "proxy", "imageRepository", "featureGates")),
    "InitConfiguration": shape({
        "nodeRegistration": _REGISTRATION, "localAPIEndpoint": _LOCAL_ENDPOINT,
    }, strict=False, accepted=(*_KIND, "bootstrapTokens", "dryRun", "certificateKey", "skipPhases",
                               "patches", "timeouts")),
    "JoinConfiguration": shape({
        "nodeRegistration": _REGISTRATION, "discovery": _DISCOVERY,
        "controlPlane": shape({"localAPIEndpoint": _LOCAL_ENDPOINT}, strict=False,
                              accepted=("certificateKey",)),
    }, strict=False, accepted=(
        *_KIND, "caCertPath", "dryRun", "skipPhases", "patches", "timeouts")),
}
_WITHOUT_CERTIFICATES = ("ResetConfiguration", "UpgradeConfiguration", "ClusterStatus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The fields of kubeadm's documents that kpki uses; the documents describe one host."""

    settings: Mapping[str, Any]
    """The fields of ClusterConfiguration that are present."""
    name: str
    """The name of the host's node."""
    roles: frozenset[str]
    """The host's roles."""
    address: str | None
    """The advertised address of the host's API server, None for a worker."""
    port: int | None
    """The port of the host's API server, None for kubeadm's default."""


def read_kubeadm(documents: Sequence[Document], *, host_name: str | None) -> Configuration:
    """The configuration in kubeadm's documents; InitConfiguration wins over JoinConfiguration.

    *host_name* is this host's name, for documents without a name. Raises ConfigurationError with
    line and field.
    """
    found: dict[str, Document] = {}
    read: dict[str, dict[str, Any]] = {}
    for document in documents:
        with located(document):
            if (kind := _kind(document.value)) in KUBEADM_KINDS:
                read[kind], found[kind] = KUBEADM_KINDS[kind](document.value), document
    if not found:
        raise ConfigurationError("the file has neither a kpki/v1 Cluster nor a kubeadm "
                                 "configuration",
                                 hint="apiVersion: kpki/v1 and kind: Cluster, or "
                                      "kubeadm.k8s.io/v1beta4 and a kind of "
                                 + ", ".join(KUBEADM_KINDS))
    settings = read.get("ClusterConfiguration", {})
    _validate_etcd(settings.get("etcd", {}), found.get("ClusterConfiguration"))
    kind_of_host = next((kind for kind in ("InitConfiguration", "JoinConfiguration")
                         if kind in read), None)
    host = read[kind_of_host] if kind_of_host else {}
    worker = kind_of_host == "JoinConfiguration" and "controlPlane" not in host
    prefix = ("controlPlane",) if "controlPlane" in host else ()
    local = (host.get("controlPlane", {}) if prefix else host).get("localAPIEndpoint", {})
    # If the host has no document of its own, the message names the settings' document.
    with located(found[kind_of_host or "ClusterConfiguration"]):
        if not worker and "advertiseAddress" not in local:
            kinds = () if kind_of_host else ("InitConfiguration",)
            raise FieldError("missing: the API server's certificate needs this address, and kpki "
                             "does not guess addresses",
                             path=(*kinds, *prefix, "localAPIEndpoint", "advertiseAddress"),
                             hint="the host's own address, as in "
                                  "`localAPIEndpoint: {advertiseAddress: 10.0.0.10}`"
                             + ("" if kind_of_host else " of an InitConfiguration"))
        name = _host_name(host, host_name)
    if worker and "controlPlaneEndpoint" not in settings:
        discovered = host.get("discovery", {}).get("bootstrapToken", {}).get("apiServerEndpoint")
        settings = settings | ({"controlPlaneEndpoint": discovered} if discovered else {})
    stacked = "external" not in settings.get("etcd", {})
    roles = () if worker else (CONTROL_PLANE, ETCD) if stacked else (CONTROL_PLANE,)
    return Configuration(settings=settings, name=name, roles=frozenset(roles),
                         address=local.get("advertiseAddress"), port=local.get("bindPort"))


def _kind(value: Any) -> str:
    """The kind of a document of kubeadm's, "" for a document without certificates."""
    kind, version = value["kind"], value["apiVersion"].removeprefix(GROUP)
    if not value["apiVersion"].startswith(GROUP) or kind in _WITHOUT_CERTIFICATES:
        return ""
    if kind not in KUBEADM_KINDS:
        near = nearest(kind, tuple(KUBEADM_KINDS))
        slip = f": did you mean {near}?" if near else ""
        raise FieldError(f"{shorten(kind)} is no kind of kubeadm's API{slip}", path=("kind",),
                         hint=f"kpki reads {', '.join(KUBEADM_KINDS)}")
    if version not in VERSIONS:
        raise FieldError(f"{shorten(version)} is not {' or '.join(VERSIONS)}", path=("apiVersion",),
                         hint="kubeadm config migrate rewrites an older configuration")
    for name in _NEW_IN_V1BETA4 if version == "v1beta3" else ():
        if name in value:
            raise FieldError("v1beta3 has no such field, and kubeadm would ignore the field",
                             path=(name,), hint=f"apiVersion: {GROUP}v1beta4 has {name}")
    return str(kind)


def _validate_etcd(etcd: Mapping[str, Any], document: Document | None) -> None:
    """Raise for local and external etcd together, or an external etcd that lacks a file."""
    if document is None:
        return
    with located(document):
        if "local" in etcd and "external" in etcd:
            raise FieldError("local and external exclude each other", path=("etcd",))
        for name, other in lacking(etcd):
            raise FieldError(f"missing beside {other}", path=("etcd", "external", name))


def lacking(etcd: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each file that an external etcd lacks, and the file that needs the lacking file.

    The pair must be whole and needs its CA. An etcd that asks for no certificate, or has no TLS,
    has no pair.
    """
    files = etcd.get("external", {})
    for name, other in (("keyFile", "certFile"), ("certFile", "keyFile"), ("caFile", "certFile")):
        if other in files and name not in files:
            yield name, other


def _host_name(host: Mapping[str, Any], host_name: str | None) -> str:
    given = host.get("nodeRegistration", {}).get("name") or host_name
    if not given:
        raise FieldError("missing, and this host's name is not known",
                         path=("nodeRegistration", "name"),
                         hint="the name that `kubectl get nodes` shows")
    try:
        # As component-helpers' GetHostname: in lower case, without blanks at both ends.
        return node_name(given.strip().lower())
    except InputError as error:
        raise FieldError(error.message, path=("nodeRegistration", "name"),
                         hint=error.hint) from None
