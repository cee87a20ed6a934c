"""What to do about a finding: the shell commands that mend it here, in order."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from shlex import quote

from ..errors import InputError
from ..kubernetes.profiles import NODE_PREFIX
from ..kubernetes.reading import certificate_subject, extensions_of, names_of
from ..pem import load_certificate
from .contents import Finding
from .inventory import Inventory, kubeconfig_of
from .wanted import NODES_FOLDER

# Faults that a new pair, or the right files in its place, cannot mend.
_NOT_BY_ISSUING = ("key-exposed", "expired-ca", "strict-refused")


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the tree lies (*root*), whose it is (*node*), its *addresses*, the API *server*, the CA's file names."""

    root: str
    node: str
    addresses: tuple[str, ...] = ()
    server: str | None = None
    ca: str = "CA.pem"
    ca_key: str = "CA-KEY.pem"


def with_remedies(findings: Sequence[Finding], situation: Situation) -> list[Finding]:
    """The findings, each with the commands that mend it."""
    return [replace(finding, remedy=_remedy(finding, situation)) for finding in findings]


def situation_of(inventory: Inventory, node: str, ca: str | None) -> Situation:
    """The situation of a tree: what its own files still tell of the node's addresses and the API server."""
    place = inventory.layout.kubelet
    kubeconfig = kubeconfig_of(inventory.found, place)
    data = inventory.look(place.certificate).data or (kubeconfig and kubeconfig.certificate.data) or b""
    server = kubeconfig.server if kubeconfig and kubeconfig.server.isprintable() else None
    return Situation(inventory.root, node, _addresses(data, node), server, ca or "CA.pem")


def _addresses(data: bytes, node: str) -> tuple[str, ...]:
    """The addresses in the certificate that is there, where it is this node's own."""
    try:
        certificate = load_certificate(data)
        if certificate_subject(certificate).user != NODE_PREFIX + node:
            return ()
        names = names_of(extensions_of(certificate))
    except InputError:
        return ()
    return names.addresses if names else ()


def _remedy(finding: Finding, situation: Situation) -> tuple[str, ...]:
    if finding.cause == "key-exposed":
        path = finding.path.partition("#")[0]
        return (f"chmod 600 {quote(situation.root.rstrip('/') + '/' + path)}",)
    if finding.cause == "expired-ca":
        return ("# no command mends this alone: the CA must be renewed, and every certificate it signed after it",)
    if finding.cause in _NOT_BY_ISSUING:
        return ()
    addresses = " ".join(f"--address {one}" for one in situation.addresses) or "--address ADDRESS"
    server = quote(situation.server or "https://API-SERVER:6443")
    node = situation.node
    issue = (f"kpki node issue {node} --ca {quote(situation.ca)} --ca-key {quote(situation.ca_key)} {addresses} "
             f"--server {server}")
    trees, name = os.path.split(os.path.abspath(situation.root))
    if name == node and os.path.basename(trees) == NODES_FOLDER:       # a tree at the CA, which issue writes itself
        out = os.path.dirname(situation.root.rstrip("/")) or "."
        return (issue if out == NODES_FOLDER else f"{issue} --out {quote(out)}",)
    return ("# at the CA", issue, f"# on {node}, with nodes/{node} copied there",
            f"kpki node install nodes/{node} --node {node} --root {quote(situation.root)}")
