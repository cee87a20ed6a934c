"""The table of certificates: what Kubernetes wants of each (one frozen row), and a row's contents for a node.

A row that is named here is known everywhere: issuing, checking and the layouts derive from it.
"""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..stages.certificates import Values
    from ..stages.names import Name

NODE_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NODE_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
LONGEST_NAME = 253
# OpenSSL's upper bound of a commonName (RFC 5280, appendix A.1) less the prefix.
LONGEST_NODE = 64 - len(NODE_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one certificate must be.

    *name* is the row's, *signer* that of the CA that signs it (None: itself), *common_name* and *organizations* its
    subject, with `{node}` for the node's name, *usages* its extendedKeyUsage in OpenSSL's words, *source* where
    Kubernetes says so.
    """

    name: str
    signer: str | None
    common_name: str
    organizations: tuple[str, ...] = ()
    usages: tuple[str, ...] = ()
    source: str


CA = Profile(name="ca", signer=None, common_name="kubernetes",
             source="https://kubernetes.io/docs/setup/best-practices/certificates/#single-root-ca")
# One pair for both: the client certificate that the API server authenticates as a node, and the kubelet's own server
# certificate (--tls-cert-file), as the hand-made layouts have it.
KUBELET = Profile(name="kubelet", signer="ca", common_name=NODE_PREFIX + "{node}", organizations=(NODES_GROUP,),
                  usages=("serverAuth", "clientAuth"),
                  source="https://kubernetes.io/docs/reference/access-authn-authz/node/")
PROFILES = (CA, KUBELET)


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


def subject(profile: Profile, node: str) -> Name:
    """The subject of a row: O before CN, as Kubernetes' own tools write it."""
    from ..stages.names import name_of
    return name_of([*(("O", one) for one in profile.organizations), ("CN", profile.common_name.format(node=node))])


def leaf_values(profile: Profile, *, node: str, dns: Sequence[str], addresses: Sequence[str], rsa: bool) -> Values:
    """Subject and extensions of a leaf that OpenSSL's strict verification, Python and Go all take.

    keyUsage has keyEncipherment for RSA keys alone: it is how RSA exchanges keys, and means nothing for ECDSA.
    """
    from ..stages.certificates import Values
    from ..stages.config import Setting
    from ..stages.extensions.context import Context
    from ..stages.extensions.table import settings_extensions
    usage = "critical,digitalSignature" + (",keyEncipherment" if rsa else "")
    names = [f"DNS:{name}" for name in dns] + [f"IP:{address}" for address in addresses]
    settings = [Setting("basicConstraints", "critical,CA:FALSE"), Setting("keyUsage", usage),
                Setting("extendedKeyUsage", ",".join(profile.usages))]
    if names:
        settings.append(Setting("subjectAltName", ",".join(names)))
    return Values(subject(profile, node), settings_extensions(Context(), settings))
