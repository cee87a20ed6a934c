"""The table of profiles: what Kubernetes asks of each certificate, and its identity on one host.

Plans, issuing, checks and layouts derive from this table.
"""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from ..errors import InputError

NODE_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"
MASTERS_GROUP = "system:masters"
ADMINISTRATORS = "{administrators}"     # the layout gives the group
SERVICE_ACCOUNTS = "service-accounts"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NODE_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
LONGEST_NAME = 253
# OpenSSL's upper bound of a commonName (RFC 5280, appendix A.1) less the prefix.
LONGEST_NODE = 64 - len(NODE_PREFIX)

Kind = Literal["ca", "leaf", "key"]
Sans = Literal["none", "apiserver", "etcd-server", "etcd-peer", "node"]
Per = Literal["cluster", "control-plane", "first control-plane", "etcd", "node"]

# The names and addresses that a row has on every host, besides the host's own and the named ones.
USUAL_NAMES: dict[Sans, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "none": ((), ()), "node": ((), ()),
    "apiserver": (("kubernetes", "kubernetes.default", "kubernetes.default.svc"), ()),
    "etcd-server": (("localhost",), ("127.0.0.1", "::1")),
    "etcd-peer": (("localhost",), ("127.0.0.1", "::1"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What Kubernetes asks of one certificate.

    >>> row = [*kpki.wanted_rows(cluster)][-1]
    >>> row.profile.signer, row.profile.usages
    ('ca', ('clientAuth',))
    """

    name: str
    """The row's name."""
    kind: Kind = "leaf"
    """A CA's certificate, a leaf, or a key pair without a certificate."""
    signer: str | None = None
    """The row of the CA that signs a leaf."""
    common_name: str = ""
    """The CN; `{node}` stands for the node's name."""
    organizations: tuple[str, ...] = ()
    """The O values; `{administrators}` stands for the layout's group."""
    former: tuple[str, ...] = ()
    """Common names of other tools and versions that are as good; `*` stands for a host's name."""
    usages: tuple[str, ...] = ()
    """The extendedKeyUsage in OpenSSL's words."""
    sans: Sans = "none"
    """The kind of names in the subjectAltName."""
    per: Per = "cluster"
    """What has one certificate of this row each."""
    source: str
    """The page of Kubernetes' documentation."""

    def has_former_name(self, user: str) -> bool:
        """Internal: whether *user* is a common name of other tools or versions for this row."""
        return any(fnmatchcase(user, pattern) for pattern in self.former)


_PAGE = "https://kubernetes.io/docs/setup/best-practices/certificates/"
_CAS, _ALL, _USERS = (f"{_PAGE}#{part}" for part in (
    "single-root-ca", "all-certificates", "configure-certificates-for-user-accounts"))
_NODE = "https://kubernetes.io/docs/reference/access-authn-authz/node/"
_KUBELET_TLS = "https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/"
_SERVER, _CLIENT = ("serverAuth",), ("clientAuth",)

CA = Profile(name="ca", kind="ca", common_name="kubernetes", source=_CAS)
ETCD_CA = Profile(name="etcd-ca", kind="ca", common_name="etcd-ca", source=_CAS)
FRONT_PROXY_CA = Profile(name="front-proxy-ca", kind="ca", common_name="front-proxy-ca",
                         source=_CAS)
# One pair for two purposes, as in the hand-made layouts: the client certificate by which the API
# server authenticates the node, and the kubelet's serving certificate (--tls-cert-file).
KUBELET_PROFILE = Profile(name="kubelet", signer="ca", common_name=NODE_PREFIX + "{node}",
                          organizations=(NODES_GROUP,),
                          usages=_SERVER + _CLIENT, sans="node", per="node", source=_NODE)

PROFILES = (
    CA, ETCD_CA, FRONT_PROXY_CA,
    Profile(name=SERVICE_ACCOUNTS, kind="key", source=f"{_PAGE}#certificate-paths"),
    Profile(name="apiserver", signer="ca", common_name="kube-apiserver", former=("kubernetes",),
            usages=_SERVER, sans="apiserver", per="control-plane", source=_ALL),
    Profile(name="apiserver-kubelet-client", signer="ca",
            common_name="kube-apiserver-kubelet-client",
            organizations=(ADMINISTRATORS,), usages=_CLIENT, per="control-plane", source=_ALL),
    Profile(name="apiserver-etcd-client", signer="etcd-ca",
            common_name="kube-apiserver-etcd-client",
            former=("etcd-node-*",), usages=_CLIENT, per="control-plane", source=_ALL),
    Profile(name="front-proxy-client", signer="front-proxy-ca", common_name="front-proxy-client",
            usages=_CLIENT, per="control-plane", source=_ALL),
    # etcd is its own client, with its server pair: https://github.com/etcd-io/etcd/issues/9785
    Profile(name="etcd-server", signer="etcd-ca", common_name="{node}",
            former=("kube-etcd", "etcd-member-*"),
            usages=_SERVER + _CLIENT, sans="etcd-server", per="etcd", source=_ALL),
    Profile(name="etcd-peer", signer="etcd-ca", common_name="{node}",
            former=("kube-etcd-peer", "etcd-member-*"),
            usages=_SERVER + _CLIENT, sans="etcd-peer", per="etcd", source=_ALL),
    Profile(name="etcd-healthcheck-client", signer="etcd-ca",
            common_name="kube-etcd-healthcheck-client",
            former=("etcd-admin-*",), usages=_CLIENT, per="etcd", source=_ALL),
    Profile(name="admin", signer="ca", common_name="kubernetes-admin",
            organizations=(ADMINISTRATORS,),
            former=("admin", "kube-admin", "kube-admin-*"), usages=_CLIENT, per="control-plane",
            source=_USERS),
    Profile(name="super-admin", signer="ca", common_name="kubernetes-super-admin",
            organizations=(MASTERS_GROUP,),
            usages=_CLIENT, per="first control-plane", source=_USERS),
    Profile(name="kube-controller-manager", signer="ca",
            common_name="system:kube-controller-manager", usages=_CLIENT,
            per="control-plane", source=_USERS),
    Profile(name="kube-scheduler", signer="ca", common_name="system:kube-scheduler", usages=_CLIENT,
            per="control-plane", source=_USERS),
    KUBELET_PROFILE,
    Profile(name="kubelet-client", signer="ca", common_name=NODE_PREFIX + "{node}",
            organizations=(NODES_GROUP,), usages=_CLIENT, per="node", source=_USERS),
    Profile(name="kubelet-serving", signer="ca", common_name=NODE_PREFIX + "{node}",
            organizations=(NODES_GROUP,),
            usages=_SERVER, sans="node", per="node", source=f"{_KUBELET_TLS}#certificate-rotation"),
    Profile(name="kube-proxy", signer="ca", common_name="system:kube-proxy",
            organizations=("system:node-proxier",),
            usages=_CLIENT, per="node", source=f"{_KUBELET_TLS}#kube-proxy"),
)


def get_profile(name: str) -> Profile:
    """The row of that name; raises InputError if there is none."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    raise InputError(f"unknown row {name!r}",
                     hint=f"one of: {', '.join(profile.name for profile in PROFILES)}")


class Identity(NamedTuple):
    """The subject and the names of a certificate to issue.

    >>> row = [*kpki.wanted_rows(cluster)][-1]
    >>> row.identity.user, row.identity.groups
    ('system:node:worker-1', ('system:nodes',))
    """

    user: str
    """The CN."""
    groups: tuple[str, ...] = ()
    """The O values."""
    dns: tuple[str, ...] = ()
    """The DNS names of the subjectAltName."""
    addresses: tuple[str, ...] = ()
    """The IP addresses of the subjectAltName."""


def identity_of(profile: Profile, *, node: str = "", administrators: str = "",
                dns: Sequence[str] = (),
                addresses: Sequence[str] = ()) -> Identity:
    """The identity of a row on one host, with values for its placeholders."""
    groups = (administrators if organization == ADMINISTRATORS else organization
              for organization in profile.organizations)
    return Identity(profile.common_name.replace("{node}", node), tuple(groups), tuple(dns),
                    tuple(addresses))


def validate_node_name(name: str, *, longest: int = LONGEST_NODE) -> str:
    """*name*, if it is an RFC 1123 subdomain of at most *longest* characters; else InputError.

    LONGEST_NODE is the longest name that fits into a certificate, LONGEST_NAME Kubernetes' own
    bound.
    """
    hint = "use the name that `kubectl get nodes` shows"
    if len(name) > longest:
        bound = "fit into a certificate's CN" if longest == LONGEST_NODE else "a DNS name has"
        raise InputError(f"node name {name[:20]!r}… has {len(name)} characters, "
                         f"over the {longest} that {bound}", hint=hint)
    if _NODE_NAME.fullmatch(name):
        return name
    if _NODE_NAME.fullmatch(name.lower()):
        raise InputError(f"node name {name!r} is not in lower case",
                         hint=f"the kubelet registers as {name.lower()!r}: use that name")
    raise InputError(
        f"node name {name!r} is no DNS name: lower-case letters, digits, '-' and '.' only",
        hint=hint)


def validate_dns_name(name: str) -> str:
    """*name*, if it is an RFC 1123 subdomain, with or without `*.` before it; else InputError."""
    if _NODE_NAME.fullmatch(name.removeprefix("*.")) and len(name) <= LONGEST_NAME:
        return name
    raise InputError(f"{name!r} is no DNS name: lower-case letters, digits, '-' and '.' only")


def validate_address(text: str) -> str:
    """*text* as an IP address in its shortest form; raises InputError for other text."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InputError(f"{text!r} is not an IP address",
                         hint="an address like 10.0.0.21 or fd00::21, "
                              "without a prefix length or port") from None


class Node(NamedTuple):
    """One node, with the names of its certificates."""

    name: str
    """The name under which the kubelet registers."""
    addresses: tuple[str, ...] = ()
    """The IP addresses of the certificate."""
    dns: tuple[str, ...] = ()
    """The DNS names of the certificate besides the node's name."""

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names of the certificate, the node's name first."""
        return (self.name, *(name for name in self.dns if name != self.name))

    @property
    def identity(self) -> Identity:
        """The identity of the kubelet's certificate."""
        return identity_of(KUBELET_PROFILE, node=self.name, dns=self.names,
                           addresses=self.addresses)


def node_of(name: str, addresses: Sequence[str] = (), dns: Sequence[str] = ()) -> Node:
    """A node from unchecked names and addresses; raises InputError for an invalid one."""
    return Node(validate_node_name(name), tuple(dict.fromkeys(map(validate_address, addresses))),
                tuple(dict.fromkeys(map(validate_dns_name, dns))))


def leaf_extensions(profile: Profile, identity: Identity, *, rsa: bool) -> list[tuple[str, str]]:
    """The extensions of a leaf that OpenSSL (strict), Python and Go accept, in OpenSSL's words.

    keyUsage has keyEncipherment for RSA keys alone: only RSA exchanges keys by encryption.
    """
    usage = "critical,digitalSignature" + (",keyEncipherment" if rsa else "")
    return [("basicConstraints", "critical,CA:FALSE"), ("keyUsage", usage),
            ("extendedKeyUsage", ",".join(profile.usages)), *_names(identity)]


def ca_extensions(profile: Profile) -> list[tuple[str, str]]:
    """The extensions of a CA in OpenSSL's words; the common name is the only SAN, as in kubeadm."""
    return [("basicConstraints", "critical,CA:TRUE"),
            ("keyUsage", "critical,digitalSignature,keyCertSign,cRLSign"),
            *_names(ca_identity(profile))]


def ca_identity(profile: Profile) -> Identity:
    """The identity of a CA: its common name, also as a DNS name if possible, as in kubeadm."""
    name = profile.common_name
    return Identity(name, dns=(name,) if _NODE_NAME.fullmatch(name) else ())


def _names(identity: Identity) -> list[tuple[str, str]]:
    names = sans_text(identity)
    return [("subjectAltName", names)] if names else []


def sans_text(identity: Identity) -> str:
    """The subjectAltName of a certificate in OpenSSL's words, "" for none."""
    return ",".join([*(f"DNS:{name}" for name in identity.dns),
                     *(f"IP:{address}" for address in identity.addresses)])
