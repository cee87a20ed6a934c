"""The table of purposes: what the verifier of each certificate asks, with sources.

A purpose is what a component does with a file that a setting names. The table asks only for fields
that a verifier reads: no verifier reads the CN of a serving certificate, and O counts only for
authorization.
"""
from __future__ import annotations

from typing import Literal, NamedTuple

from .profiles import MASTERS_GROUP

ServerNames = Literal["none", "apiserver", "etcd", "etcd-peer", "kubelet"]
SubjectRule = Literal["any", "node", "bound", "administrator", "kubelet-client", "front-proxy",
                      "etcd-peer"]
# The signers of the controller manager that may have a pair each: `--cluster-signing-NAME-…`.
SIGNERS = ("kubelet-serving", "kubelet-client", "kube-apiserver-client", "legacy-unknown")
# The CA files that etcd's library reads.
ETCD_CAS = ("etcd-server-ca", "etcd-client-ca", "etcd-peer-ca")
# The kubeconfigs whose cluster is a webhook; those of admission need no context, as their users are
# the webhooks' hosts (staging/src/k8s.io/apiserver/pkg/util/webhook/{webhook,authentication}.go).
ADMISSION = "admission-client"
WEBHOOKS = ("webhook-client", ADMISSION)
# Groups that may do everything: the first by the API server itself, the second by kubeadm's
# binding.
ADMINISTRATOR_GROUPS = (MASTERS_GROUP, "kubeadm:cluster-admins")


class Purpose(NamedTuple):
    """One purpose of a file."""

    name: str
    """The slug, as uses have it."""
    source: str
    """The page of the documentation of Kubernetes or etcd."""
    row: str = ""
    """The row of the profiles table that kpki issues for this purpose, "" if there is none."""
    usages: tuple[str, ...] = ()
    """What extendedKeyUsage must allow, if the certificate has that extension."""
    wishes: tuple[str, ...] = ()
    """What extendedKeyUsage should allow; without it, a part of the component fails."""
    verifiers: tuple[str, ...] = ()
    """The purposes of the CA files on this host that verify the certificate."""
    likely: tuple[str, ...] = ()
    """The purposes of local CA files that usually hold the CA of a verifier on another host."""
    names: ServerNames = "none"
    """The kind of names under which clients reach the server that shows the certificate."""
    subject: SubjectRule = "any"
    """What authorization, or a flag, asks of CN and O."""
    cause: str = "unknown-authority"
    """The cause if another CA has signed the certificate."""
    server: str = ""
    """The purpose with which the called server shows its certificate: a key of `SERVERS`."""


_ACCESS = "https://kubernetes.io/docs/reference/access-authn-authz"
_X509 = f"{_ACCESS}/authentication/#x509-client-certificates"
_NODE = f"{_ACCESS}/node/"
_RBAC = f"{_ACCESS}/rbac/#core-component-roles"
_API = "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/"
_AGGREGATION = "https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/"
_KUBELET = f"{_ACCESS}/kubelet-authn-authz/"
_ETCD = "https://etcd.io/docs/v3.6/op-guide/security/"
_CONFIG = "https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/"
_WEBHOOK = f"{_ACCESS}/extensible-admission-controllers/"
_RFC = "https://www.rfc-editor.org/rfc/rfc5280#section-6"
_SIGNERS = f"{_ACCESS}/certificate-signing-requests/"

_CLIENT, _SERVER = ("clientAuth",), ("serverAuth",)
_API_CLIENTS, _KUBELETS_CA = ("apiserver-client-ca",), ("apiserver-ca", "kubelet-client-ca")


def _api_client(name: str, row: str, subject: SubjectRule, source: str) -> Purpose:
    """A client certificate that is shown to the API server."""
    return Purpose(name=name, row=row, usages=_CLIENT, verifiers=_API_CLIENTS, likely=_KUBELETS_CA,
                   subject=subject, source=source, server="apiserver-serving")


# purpose with which a server shows its certificate → the server
SERVERS = {
    "apiserver-serving": "kube-apiserver", "kubelet-serving": "kubelet", "etcd-serving": "etcd",
    "etcd-peer": "etcd", "konnectivity-serving": "konnectivity-server",
    "konnectivity-agent-serving": "konnectivity-server",
    "aggregated-serving": "extension API servers", "webhook-serving": "webhooks"}

PURPOSES = {purpose.name: purpose for purpose in (
    _api_client("kubelet-client", "kubelet-client", "node", _NODE),
    _api_client("controller-manager-client", "kube-controller-manager", "bound", _RBAC),
    _api_client("scheduler-client", "kube-scheduler", "bound", _RBAC),
    _api_client("proxy-client", "kube-proxy", "bound", _RBAC),
    _api_client("cloud-controller-manager-client", "", "any", _X509),
    _api_client("admin-client", "admin", "administrator", _X509),
    _api_client("super-admin-client", "super-admin", "administrator", _X509),
    _api_client("konnectivity-client", "", "any", _X509),
    Purpose(name="kubelet-bootstrap", source=_NODE),
    Purpose(name="apiserver-ca", row="ca", source=_CONFIG),
    Purpose(name="apiserver-client-ca", row="ca", source=_X509),
    Purpose(name="root-ca", row="ca", source=_API),
    Purpose(name="kubelet-client-ca", row="ca", source=_KUBELET),
    Purpose(name="kubelet-serving-ca", row="ca", source=_API),
    Purpose(name="component-client-ca", row="ca", source=_X509),
    Purpose(name="requestheader-ca", row="front-proxy-ca", source=_AGGREGATION),
    Purpose(name="etcd-server-ca", row="etcd-ca", source=_ETCD),
    Purpose(name="etcd-client-ca", row="etcd-ca", source=_ETCD),
    Purpose(name="etcd-peer-ca", row="etcd-ca", source=_ETCD),
    *(Purpose(name=name, row="ca", source=_SIGNERS) for name in (
        "cluster-signing", *(f"cluster-signing-{signer}" for signer in SIGNERS))),
    Purpose(name="authority-key", row="ca", source=_SIGNERS),
    Purpose(name="apiserver-serving", row="apiserver", usages=_SERVER,
            verifiers=("apiserver-ca", "root-ca"), names="apiserver", source=_API),
    Purpose(name="apiserver-sni", usages=_SERVER, source=_API),
    Purpose(name="apiserver-kubelet-client", row="apiserver-kubelet-client", usages=_CLIENT,
            verifiers=("kubelet-client-ca",), likely=("apiserver-client-ca",),
            subject="kubelet-client", source=_KUBELET, server="kubelet-serving"),
    Purpose(name="kubelet-serving", row="kubelet-serving", usages=_SERVER,
            verifiers=("kubelet-serving-ca",),
            likely=_KUBELETS_CA, names="kubelet", source=_KUBELET),
    Purpose(name="apiserver-etcd-client", row="apiserver-etcd-client", usages=_CLIENT,
            verifiers=("etcd-client-ca",),
            likely=("etcd-server-ca",), cause="etcd-peer-cert", source=_ETCD,
            server="etcd-serving"),
    Purpose(name="etcd-client", row="etcd-healthcheck-client", usages=_CLIENT,
            verifiers=("etcd-client-ca",),
            likely=("etcd-server-ca",), cause="etcd-peer-cert", source=_ETCD,
            server="etcd-serving"),
    # etcd's JSON gateway calls etcd itself with the serving pair:
    # https://github.com/etcd-io/etcd/issues/9785
    Purpose(name="etcd-serving", row="etcd-server", usages=_SERVER, wishes=_CLIENT,
            verifiers=("etcd-server-ca",),
            likely=("etcd-client-ca",), names="etcd", cause="etcd-peer-cert", source=_ETCD),
    Purpose(name="etcd-own-client", usages=_CLIENT, verifiers=("etcd-client-ca",),
            cause="etcd-peer-cert", source=_ETCD, server="etcd-serving"),
    Purpose(name="etcd-peer", row="etcd-peer", usages=_SERVER + _CLIENT,
            verifiers=("etcd-peer-ca",),
            names="etcd-peer", subject="etcd-peer", cause="etcd-peer-cert", source=_ETCD,
            server="etcd-peer"),
    Purpose(name="etcd-peer-client", usages=_CLIENT, verifiers=("etcd-peer-ca",),
            subject="etcd-peer", cause="etcd-peer-cert", source=_ETCD, server="etcd-peer"),
    Purpose(name="front-proxy-client", row="front-proxy-client", usages=_CLIENT,
            verifiers=("requestheader-ca",),
            subject="front-proxy", cause="front-proxy-ca", source=_AGGREGATION,
            server="aggregated-serving"),
    Purpose(name="component-serving", usages=_SERVER, source=_X509),
    Purpose(name="service-account-verify", row="service-accounts", source=_API),
    Purpose(name="service-account-sign", row="service-accounts", source=_API),
    *(Purpose(name=name, usages=_CLIENT, source=_WEBHOOK, server="webhook-serving")
      for name in WEBHOOKS),
    Purpose(name="webhook-ca", source=_WEBHOOK),
    *(Purpose(name=name, usages=usages, verifiers=(authority,), server=server, source=_API)
      for name, usages, authority, server in (
          ("egress-client", _CLIENT, "konnectivity-client-ca", "konnectivity-serving"),
          ("konnectivity-serving", _SERVER, "egress-ca", ""),
          ("konnectivity-agent-client", _CLIENT, "konnectivity-agent-client-ca",
           "konnectivity-agent-serving"),
          ("konnectivity-agent-serving", _SERVER, "konnectivity-agent-ca", ""))),
    *(Purpose(name=name, source=_API) for name in (
        "egress-ca", "oidc-ca", "peer-ca", "konnectivity-client-ca", "konnectivity-agent-client-ca",
        "konnectivity-agent-ca")),
    # Files that no setting names: pairs with matching names, and kubeconfigs. Their verifiers are
    # unknown.
    *(Purpose(name=name, usages=usages, likely=("pair-ca", "apiserver-ca"), source=_RFC)
      for name, usages in (("pair", ()), ("pair-client", _CLIENT), ("pair-server", _SERVER))),
    Purpose(name="pair-ca", source=_RFC),
)}
