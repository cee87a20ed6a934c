"""kubeadm's own documents (kubeadm.k8s.io/v1beta4 and v1beta3), as far as they bear on certificates.

Every field that kubeadm has is known here, so that a slip in one is named; what says nothing about certificates is
taken as it is. Source: kubeadm's API reference, https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fields import (ALGORITHM_NAMES, Misfit, absolute_path, advertised, blamed, duration, each, endpoint, nearest,
                     node_name, one_of, plain_name, port, san, shape, shorten, subnets, text)
from ...documents import Document
from ...errors import ConfigurationError, InputError
from ...kubernetes.layouts import CONTROL_PLANE, ETCD

GROUP = "kubeadm.k8s.io/"
VERSIONS = ("v1beta4", "v1beta3")
# Fields that v1beta4 brought: kubeadm does not heed them in a v1beta3 document.
_NEW_IN_V1BETA4 = ("encryptionAlgorithm", "certificateValidityPeriod", "caCertificateValidityPeriod")
_COMPONENT = ("extraArgs", "extraVolumes", "extraEnvs")
_IMAGE = ("imageRepository", "imageTag")
_KIND = ("apiVersion", "kind")

_LOCAL_ENDPOINT = shape({"advertiseAddress": advertised, "bindPort": port}, strict=False)
_REGISTRATION = shape({"name": text}, strict=False, accepted=(
    "criSocket", "taints", "kubeletExtraArgs", "ignorePreflightErrors", "imagePullPolicy", "imagePullSerial"))
_EXTERNAL = shape({"caFile": absolute_path, "certFile": absolute_path, "keyFile": absolute_path}, strict=False,
                  accepted=("endpoints", "httpEndpoints"))
_LOCAL = shape({"serverCertSANs": each(san), "peerCertSANs": each(san)}, strict=False,
               accepted=("dataDir", *_COMPONENT, *_IMAGE))
_DISCOVERY = shape({"bootstrapToken": shape({"apiServerEndpoint": endpoint}, strict=False, accepted=(
    "token", "caCertHashes", "unsafeSkipCAVerification"))}, strict=False,
    accepted=("file", "tlsBootstrapToken", "timeout"))

KINDS = {
    "ClusterConfiguration": shape({
        "clusterName": text,
        "controlPlaneEndpoint": endpoint,
        "networking": shape({"serviceSubnet": subnets, "dnsDomain": plain_name}, strict=False, accepted=("podSubnet",)),
        "apiServer": shape({"certSANs": each(san)}, strict=False, accepted=(*_COMPONENT, "timeoutForControlPlane")),
        "etcd": shape({"local": _LOCAL, "external": _EXTERNAL}, strict=False),
        "encryptionAlgorithm": one_of(ALGORITHM_NAMES),
        "certificateValidityPeriod": duration, "caCertificateValidityPeriod": duration,
        "certificatesDir": absolute_path,
    }, strict=False, accepted=(*_KIND, "kubernetesVersion", "controllerManager", "scheduler", "dns", "proxy",
                               "imageRepository", "featureGates")),
    "InitConfiguration": shape({
        "nodeRegistration": _REGISTRATION, "localAPIEndpoint": _LOCAL_ENDPOINT,
    }, strict=False, accepted=(*_KIND, "bootstrapTokens", "dryRun", "certificateKey", "skipPhases", "patches",
                               "timeouts")),
    "JoinConfiguration": shape({
        "nodeRegistration": _REGISTRATION, "discovery": _DISCOVERY,
        "controlPlane": shape({"localAPIEndpoint": _LOCAL_ENDPOINT}, strict=False, accepted=("certificateKey",)),
    }, strict=False, accepted=(*_KIND, "caCertPath", "dryRun", "skipPhases", "patches", "timeouts")),
}
_WITHOUT_CERTIFICATES = ("ResetConfiguration", "UpgradeConfiguration", "ClusterStatus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What kubeadm's documents say: the cluster's *settings* (ClusterConfiguration's fields that are there) and the one
    host they are for. *address* is None for a worker, *port* where none is said."""

    settings: Mapping[str, Any]
    name: str
    roles: frozenset[str]
    address: str | None
    port: int | None


def read_kubeadm(documents: Sequence[Document], *, host_name: str | None) -> Configuration:
    """The configuration in kubeadm's documents; InitConfiguration wins over JoinConfiguration.

    *host_name* is this host's, for documents that name none. Raises ConfigurationError with line and field.
    """
    found: dict[str, Document] = {}
    read: dict[str, dict[str, Any]] = {}
    for document in documents:
        with blamed(document):
            if (kind := _kind(document.value)) in KINDS:
                read[kind], found[kind] = KINDS[kind](document.value), document
    if not found:
        raise ConfigurationError("there is neither a kpki/v1 Cluster in it nor a kubeadm configuration",
                                 hint="apiVersion: kpki/v1 and kind: Cluster, or kubeadm.k8s.io/v1beta4 and one of "
                                 + ", ".join(KINDS))
    settings = read.get("ClusterConfiguration", {})
    _check_etcd(settings.get("etcd", {}), found.get("ClusterConfiguration"))
    here = next((kind for kind in ("InitConfiguration", "JoinConfiguration") if kind in read), None)
    host = read[here] if here else {}
    worker = here == "JoinConfiguration" and "controlPlane" not in host
    prefix = ("controlPlane",) if "controlPlane" in host else ()
    local = (host.get("controlPlane", {}) if prefix else host).get("localAPIEndpoint", {})
    # A host without a document of its own: the settings' document is where something is missing.
    with blamed(found[here or "ClusterConfiguration"]):
        if not worker and "advertiseAddress" not in local:
            where = () if here else ("InitConfiguration",)
            raise Misfit("missing: the API server's address is in its certificate, and kpki does not guess it",
                         path=(*where, *prefix, "localAPIEndpoint", "advertiseAddress"),
                         hint="the host's own address, as in `localAPIEndpoint: {advertiseAddress: 10.0.0.10}`"
                         + ("" if here else " of an InitConfiguration"))
        name = _host_name(host, host_name)
    if worker and "controlPlaneEndpoint" not in settings:
        discovered = host.get("discovery", {}).get("bootstrapToken", {}).get("apiServerEndpoint")
        settings = settings | ({"controlPlaneEndpoint": discovered} if discovered else {})
    stacked = "external" not in settings.get("etcd", {})
    roles = () if worker else (CONTROL_PLANE, ETCD) if stacked else (CONTROL_PLANE,)
    return Configuration(settings=settings, name=name, roles=frozenset(roles), address=local.get("advertiseAddress"),
                         port=local.get("bindPort"))


def _kind(value: Any) -> str:
    """The kind of one of kubeadm's documents, "" for those without certificates."""
    kind, version = value["kind"], value["apiVersion"].removeprefix(GROUP)
    if not value["apiVersion"].startswith(GROUP) or kind in _WITHOUT_CERTIFICATES:
        return ""
    if kind not in KINDS:
        near = nearest(kind, tuple(KINDS))
        slip = f": did you mean {near}?" if near else ""
        raise Misfit(f"{shorten(kind)} is no kind of kubeadm's{slip}", path=("kind",),
                     hint=f"kpki reads {', '.join(KINDS)}")
    if version not in VERSIONS:
        raise Misfit(f"{shorten(version)} is not {' or '.join(VERSIONS)}", path=("apiVersion",),
                     hint="kubeadm config migrate rewrites an older one")
    for name in _NEW_IN_V1BETA4 if version == "v1beta3" else ():
        if name in value:
            raise Misfit("v1beta3 has no such field, kubeadm would not heed it", path=(name,),
                         hint=f"apiVersion: {GROUP}v1beta4 has it")
    return str(kind)


def _check_etcd(etcd: Mapping[str, Any], document: Document | None) -> None:
    """kubeadm's ValidateEtcd: local or external, and that one's files."""
    if document is None:
        return
    with blamed(document):
        if "local" in etcd and "external" in etcd:
            raise Misfit("local and external exclude each other", path=("etcd",))
        for name, other in lacking(etcd):
            raise Misfit(f"missing beside {other}", path=("etcd", "external", name))


def lacking(etcd: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The files that an external etcd lacks, and what they would stand beside: the pair is whole and has its CA with
    it, or is not there (an etcd that asks for no certificate, or has no TLS)."""
    files = etcd.get("external", {})
    for name, other in (("keyFile", "certFile"), ("certFile", "keyFile"), ("caFile", "certFile")):
        if other in files and name not in files:
            yield name, other


def _host_name(host: Mapping[str, Any], host_name: str | None) -> str:
    given = host.get("nodeRegistration", {}).get("name") or host_name
    if not given:
        raise Misfit("missing, and this host's name is not known", path=("nodeRegistration", "name"),
                     hint="the name that `kubectl get nodes` shows")
    try:
        # As component-helpers' GetHostname: without blanks round it, in lower case.
        return node_name(given.strip().lower())
    except InputError as error:
        raise Misfit(error.message, path=("nodeRegistration", "name"), hint=error.hint) from None
