"""The table of certificates: what Kubernetes wants of each (one frozen row), and what a row says for one host.

A row that is named here is known everywhere: planning, issuing, checking and the layouts derive from it.
"""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..errors import InputError

if TYPE_CHECKING:
    from ..stages.certificates import Values
    from ..stages.der import Extension
    from ..stages.names import Name

NODE_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"
MASTERS_GROUP = "system:masters"
ADMINISTRATORS = "{administrators}"     # the layout says which group that is
SERVICE_ACCOUNTS = "service-accounts"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NODE_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
LONGEST_NAME = 253
# OpenSSL's upper bound of a commonName (RFC 5280, appendix A.1) less the prefix.
LONGEST_NODE = 64 - len(NODE_PREFIX)
_DNS, _IP = 0x82, 0x87      # of a GeneralName (RFC 5280 §4.2.1.6)

Kind = Literal["ca", "leaf", "key"]
Sans = Literal["none", "apiserver", "etcd-server", "etcd-peer", "node"]
Per = Literal["cluster", "control-plane", "first control-plane", "etcd", "node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one certificate must be.

    *name* is the row's; *kind* says what lies beside its key: a CA's certificate, a leaf that the CA *signer* signs, or
    the public key alone. *common_name* and *organizations* are the subject, with `{node}` for the node's name and
    `{administrators}` for the layout's group; *former* the common names that it had elsewhere or before, and that are
    as good (`*` for a host's name). *usages* is the extendedKeyUsage in OpenSSL's words, *sans* which names are in the
    subjectAltName, *per* what there is one of, *source* where Kubernetes says so.
    """

    name: str
    kind: Kind = "leaf"
    signer: str | None = None
    common_name: str = ""
    organizations: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    usages: tuple[str, ...] = ()
    sans: Sans = "none"
    per: Per = "cluster"
    source: str

    def was_called(self, user: str) -> bool:
        """Internal: whether a common name is one that the row had elsewhere or before."""
        return any(fnmatchcase(user, one) for one in self.former)


_PAGE = "https://kubernetes.io/docs/setup/best-practices/certificates/"
_CAS, _ALL, _USERS = (f"{_PAGE}#{part}" for part in (
    "single-root-ca", "all-certificates", "configure-certificates-for-user-accounts"))
_NODE = "https://kubernetes.io/docs/reference/access-authn-authz/node/"
_KUBELET_TLS = "https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/"
_SERVER, _CLIENT = ("serverAuth",), ("clientAuth",)

CA = Profile(name="ca", kind="ca", common_name="kubernetes", source=_CAS)
ETCD_CA = Profile(name="etcd-ca", kind="ca", common_name="etcd-ca", source=_CAS)
FRONT_PROXY_CA = Profile(name="front-proxy-ca", kind="ca", common_name="front-proxy-ca", source=_CAS)
# One pair for both: the client certificate that the API server authenticates as a node, and the kubelet's own server
# certificate (--tls-cert-file), as the hand-made layouts have it.
KUBELET = Profile(name="kubelet", signer="ca", common_name=NODE_PREFIX + "{node}", organizations=(NODES_GROUP,),
                  usages=_SERVER + _CLIENT, sans="node", per="node", source=_NODE)

PROFILES = (
    CA, ETCD_CA, FRONT_PROXY_CA,
    Profile(name=SERVICE_ACCOUNTS, kind="key", source=f"{_PAGE}#certificate-paths"),
    Profile(name="apiserver", signer="ca", common_name="kube-apiserver", former=("kubernetes",), usages=_SERVER,
            sans="apiserver", per="control-plane", source=_ALL),
    Profile(name="apiserver-kubelet-client", signer="ca", common_name="kube-apiserver-kubelet-client",
            organizations=(ADMINISTRATORS,), usages=_CLIENT, per="control-plane", source=_ALL),
    Profile(name="apiserver-etcd-client", signer="etcd-ca", common_name="kube-apiserver-etcd-client",
            former=("etcd-node-*",), usages=_CLIENT, per="control-plane", source=_ALL),
    Profile(name="front-proxy-client", signer="front-proxy-ca", common_name="front-proxy-client", usages=_CLIENT,
            per="control-plane", source=_ALL),
    # etcd is its own client, with its server pair: https://github.com/etcd-io/etcd/issues/9785
    Profile(name="etcd-server", signer="etcd-ca", common_name="{node}", former=("kube-etcd", "etcd-member-*"),
            usages=_SERVER + _CLIENT, sans="etcd-server", per="etcd", source=_ALL),
    Profile(name="etcd-peer", signer="etcd-ca", common_name="{node}", former=("kube-etcd-peer", "etcd-member-*"),
            usages=_SERVER + _CLIENT, sans="etcd-peer", per="etcd", source=_ALL),
    Profile(name="etcd-healthcheck-client", signer="etcd-ca", common_name="kube-etcd-healthcheck-client",
            former=("etcd-admin-*",), usages=_CLIENT, per="etcd", source=_ALL),
    Profile(name="admin", signer="ca", common_name="kubernetes-admin", organizations=(ADMINISTRATORS,),
            former=("admin", "kube-admin", "kube-admin-*"), usages=_CLIENT, per="control-plane", source=_USERS),
    Profile(name="super-admin", signer="ca", common_name="kubernetes-super-admin", organizations=(MASTERS_GROUP,),
            usages=_CLIENT, per="first control-plane", source=_USERS),
    Profile(name="kube-controller-manager", signer="ca", common_name="system:kube-controller-manager", usages=_CLIENT,
            per="control-plane", source=_USERS),
    Profile(name="kube-scheduler", signer="ca", common_name="system:kube-scheduler", usages=_CLIENT,
            per="control-plane", source=_USERS),
    KUBELET,
    Profile(name="kubelet-client", signer="ca", common_name=NODE_PREFIX + "{node}", organizations=(NODES_GROUP,),
            usages=_CLIENT, per="node", source=_USERS),
    Profile(name="kubelet-serving", signer="ca", common_name=NODE_PREFIX + "{node}", organizations=(NODES_GROUP,),
            usages=_SERVER, sans="node", per="node", source=f"{_KUBELET_TLS}#certificate-rotation"),
    Profile(name="kube-proxy", signer="ca", common_name="system:kube-proxy", organizations=("system:node-proxier",),
            usages=_CLIENT, per="node", source=f"{_KUBELET_TLS}#kube-proxy"),
)


def find_profile(name: str) -> Profile:
    """The row of that name; InputError where there is none."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    raise InputError(f"unknown row {name!r}", hint=f"one of: {', '.join(profile.name for profile in PROFILES)}")


@dataclass(frozen=True, slots=True)
class Identity:
    """What one certificate is to say: whose it is (*user*, *groups*) and under which names it is reached."""

    user: str
    groups: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def identity_of(profile: Profile, *, node: str = "", administrators: str = "", dns: Sequence[str] = (),
                addresses: Sequence[str] = ()) -> Identity:
    """A row for one host: its placeholders filled in."""
    return Identity(profile.common_name.replace("{node}", node),
                    tuple(administrators if one == ADMINISTRATORS else one for one in profile.organizations),
                    tuple(dns), tuple(addresses))


def check_node_name(name: str, *, longest: int = LONGEST_NODE) -> str:
    """*name*, where it can be a node's: an RFC 1123 subdomain of *longest* characters at most. Else InputError.

    LONGEST_NODE is what fits into a certificate that kpki issues, LONGEST_NAME what Kubernetes itself lets a node have.
    """
    hint = "use the name that `kubectl get nodes` shows"
    if len(name) > longest:
        raise InputError(f"node name {name[:20]!r}… has {len(name)} characters, over the {longest} that "
                         + ("fit into a certificate's CN" if longest == LONGEST_NODE else "a DNS name has"), hint=hint)
    if _NODE_NAME.fullmatch(name):
        return name
    if _NODE_NAME.fullmatch(name.lower()):
        raise InputError(f"node name {name!r} is not in lower case",
                         hint=f"the kubelet registers as {name.lower()!r}: use that")
    raise InputError(f"node name {name!r} is no DNS name: lower-case letters, digits, '-' and '.' only", hint=hint)


def check_dns_name(name: str) -> str:
    """*name*, where a certificate can carry it as dNSName: an RFC 1123 subdomain, `*.` before it or not."""
    if _NODE_NAME.fullmatch(name.removeprefix("*.")) and len(name) <= LONGEST_NAME:
        return name
    raise InputError(f"{name!r} is no DNS name: lower-case letters, digits, '-' and '.' only")


def check_address(text: str) -> str:
    """*text* as an IP address in its shortest form; InputError where it is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InputError(f"{text!r} is not an IP address",
                         hint="an address like 10.0.0.21 or fd00::21, without a prefix length or port") from None


class Node(NamedTuple):
    """One node: its *name*, and the *addresses* and further *dns* names that its certificate is to carry."""

    name: str
    addresses: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Its DNS names, its own first."""
        return (self.name, *(name for name in self.dns if name != self.name))

    @property
    def identity(self) -> Identity:
        """What its certificate says."""
        return identity_of(KUBELET, node=self.name, dns=self.names, addresses=self.addresses)


def node_of(name: str, addresses: Sequence[str] = (), dns: Sequence[str] = ()) -> Node:
    """A node from what a person says; raises InputError for a name or an address that cannot be one."""
    return Node(check_node_name(name), tuple(dict.fromkeys(map(check_address, addresses))),
                tuple(dict.fromkeys(map(check_dns_name, dns))))


def subject_name(identity: Identity) -> Name:
    """The subject of a certificate: O before CN, as Kubernetes' own tools write it."""
    return _subject(tuple(identity.groups), identity.user)


@lru_cache(maxsize=16)      # a node has several certificates under its name
def _subject(groups: tuple[str, ...], user: str) -> Name:
    from ..stages.names import name_of
    from ..stages.strings import StringOptions
    return name_of([*(("O", one) for one in groups), ("CN", user)], StringOptions(utf8=True))


def leaf_extensions(profile: Profile, identity: Identity, *, rsa: bool) -> list[tuple[str, str]]:
    """The extensions of a leaf that OpenSSL's strict verification, Python and Go all take, in OpenSSL's words.

    keyUsage has keyEncipherment for RSA keys alone: it is how RSA exchanges keys, and means nothing for ECDSA.
    """
    usage = "critical,digitalSignature" + (",keyEncipherment" if rsa else "")
    return [("basicConstraints", "critical,CA:FALSE"), ("keyUsage", usage),
            ("extendedKeyUsage", ",".join(profile.usages)), *_names(identity)]


def ca_extensions(profile: Profile) -> list[tuple[str, str]]:
    """The extensions of a CA, likewise; its common name is its only SAN, as kubeadm has it."""
    return [("basicConstraints", "critical,CA:TRUE"),
            ("keyUsage", "critical,digitalSignature,keyCertSign,cRLSign"), *_names(ca_identity(profile))]


def ca_identity(profile: Profile) -> Identity:
    """Whose a CA's certificate is: its name, which is a DNS name too if it can be one, as in kubeadm's CAs."""
    name = profile.common_name
    return Identity(name, dns=(name,) if _NODE_NAME.fullmatch(name) else ())


def leaf_values(profile: Profile, identity: Identity, *, rsa: bool) -> Values:
    """Subject and extensions of a leaf."""
    return _values(identity, leaf_extensions(profile, identity, rsa=rsa))


def ca_values(profile: Profile) -> Values:
    """Subject and extensions of a CA."""
    return _values(ca_identity(profile), ca_extensions(profile))


def _names(identity: Identity) -> list[tuple[str, str]]:
    names = sans_text(identity)
    return [("subjectAltName", names)] if names else []


def _values(identity: Identity, extensions: list[tuple[str, str]]) -> Values:
    from ..stages.certificates import Values
    return Values(subject_name(identity), tuple(
        _alternatives(identity) if name == "subjectAltName" else _extension(name, text) for name, text in extensions))


def _alternatives(identity: Identity) -> Extension:
    """The extension that `sans_text` stands for: every host has its own, and reading the words takes a while."""
    from ..stages import der
    from ..stages.extensions.general_names import ip_octets
    from ..stages.extensions.identifiers import SUBJECT_ALTERNATIVE_NAME
    names = [der.tlv(_DNS, name.encode()) for name in identity.dns]
    return der.Extension(SUBJECT_ALTERNATIVE_NAME, False, der.sequence(
        *names, *(der.tlv(_IP, ip_octets(address)) for address in identity.addresses)))


@lru_cache(maxsize=64)
def _extension(name: str, text: str) -> Extension:
    from ..stages.config import Setting
    from ..stages.extensions.context import Context
    from ..stages.extensions.table import settings_extensions
    return settings_extensions(Context(), [Setting(name, text)])[0]


def sans_text(identity: Identity) -> str:
    """The subjectAltName of a certificate in OpenSSL's words, "" for none."""
    return ",".join([f"DNS:{name}" for name in identity.dns] + [f"IP:{address}" for address in identity.addresses])
