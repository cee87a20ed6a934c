"""The rules for CN and O, only if authorization or a flag depends on them."""
from __future__ import annotations

from .certificate import node_fault, subject_line
from .facts import Pair
from ..desired.rows import Row
from ..finding import Finding
from ..observed.inventory import Inventory
from ...kubernetes import reading
from ...kubernetes.profiles import (
    ADMINISTRATORS,
    MASTERS_GROUP,
    NODE_PREFIX,
    NODES_GROUP,
    get_profile,
)
from ...kubernetes.purposes import ADMINISTRATOR_GROUPS, PURPOSES, Purpose

# the users to whom Kubernetes itself gives a component's rights
_BOUND = frozenset(get_profile(purpose.row).common_name for purpose in PURPOSES.values()
                   if purpose.subject == "bound")
# a certificate that all nodes share: RBAC objects may bind its group
_EVERY_NODE = NODE_PREFIX.removesuffix(":")


def subject_fault(pair: Pair, inventory: Inventory, node: str) -> Finding | None:
    """Why a certificate's owner may not do the pair's work, or a warning if RBAC decides."""
    subject = reading.certificate_subject(pair.chain[0])
    for purpose in pair.purposes:
        match purpose.subject:
            case "node":
                fault = _node(pair, subject, node, inventory)
            case "bound" if _decides(inventory):
                fault = _bound(pair, purpose, subject)
            case "administrator" if _decides(inventory):
                fault = _administrator(pair, subject, "only RBAC objects can give its owner rights")
            # kubeadm's own name has rights only by its group; RBAC objects may bind any other name
            case "kubelet-client" if _decides(inventory) \
                and subject.user == get_profile(purpose.row).common_name:
                fault = _administrator(pair, subject,
                                       "kubelets will let the API server read no logs")
            case "front-proxy":
                fault = _named(pair, subject, inventory, "requestheader-allowed-names")
            case "etcd-peer":
                fault = _named(pair, subject, inventory, "peer-cert-allowed-cn")
            case _:
                fault = None
        if fault:
            return fault
    return None


def _decides(inventory: Inventory) -> bool:
    """Whether RBAC or the Node authorizer decides: not with --authorization-mode=AlwaysAllow."""
    modes = [mode for running in inventory.running if running.component == "kube-apiserver"
             for mode in running.settings.get("authorization-mode", ("AlwaysAllow",))]
    return not modes or not {"AlwaysAllow", "ABAC"} & {*modes}


def _node(pair: Pair, subject: reading.Subject, node: str, inventory: Inventory) -> Finding | None:
    """The Node authorizer's rule.

    A CN that is no node's, outside of the nodes' group, has the rights of RBAC objects: no finding,
    unless the layout counts, in which kubelets are nodes.
    """
    if not _decides(inventory) or MASTERS_GROUP in subject.groups:
        return None
    if "kubelet" in inventory.started and not subject.user.startswith(NODE_PREFIX) and (
            subject.user == _EVERY_NODE or NODES_GROUP not in subject.groups):
        return None
    return node_fault(pair.path, pair.row, subject, node)


def _bound(pair: Pair, purpose: Purpose, subject: reading.Subject) -> Finding | None:
    """The rule for a user of the bootstrap bindings: the user has rights, whatever the groups.

    RBAC objects may bind another name, so another name has a warning.
    """
    wanted = get_profile(purpose.row).common_name
    if subject.user == wanted or MASTERS_GROUP in subject.groups:
        return None
    return Finding("wrong-subject", pair.path, pair.row,
                   f"certificate belongs to {subject.user!r}, and Kubernetes "
                   f"gives the rights of this component to {wanted!r}",
                   got=subject_line(subject.user, subject.groups),
                   expected=subject_line(wanted, ()), mild=subject.user not in _BOUND)


def _administrator(pair: Pair, subject: reading.Subject, otherwise: str) -> Finding | None:
    """The rule for a member of a group that may do everything."""
    if {*ADMINISTRATOR_GROUPS} & {*subject.groups}:
        return None
    return Finding("wrong-subject", pair.path, pair.row,
                   f"certificate of {subject.user!r} is in no group of "
                   f"administrators: {otherwise}", got=subject_line(subject.user, subject.groups),
                   expected=" or ".join(f"O={group}" for group in ADMINISTRATOR_GROUPS), mild=True)


def _named(pair: Pair, subject: reading.Subject, inventory: Inventory,
           setting: str) -> Finding | None:
    """The rule for a CN that a flag must list, if the flag lists any."""
    for running in inventory.running:
        allowed = running.settings.get(setting, ())
        if allowed and subject.user not in allowed:
            return Finding("wrong-subject", pair.path, pair.row,
                           f"certificate belongs to {subject.user!r}, and "
                           f"--{setting} allows {', '.join(allowed)} alone",
                           got=f"CN={subject.user}",
                           expected=" or ".join(f"CN={name}" for name in allowed))
    return None


def described_subject(pair: Pair, row: Row) -> Finding | None:
    """Why a certificate's owner is not the row's: name and groups, or their former names."""
    subject, identity, profile = reading.certificate_subject(
        pair.chain[0]), row.identity, row.profile
    if identity.user.startswith(NODE_PREFIX):
        return node_fault(pair.path, pair.row, subject, row.host or "")
    administers = ADMINISTRATORS in profile.organizations and MASTERS_GROUP in subject.groups
    named = subject.user == identity.user or profile.has_former_name(subject.user)
    if named and (administers or {*identity.groups} <= {*subject.groups}):
        return None
    got, expected = subject_line(subject.user, subject.groups), subject_line(identity.user,
                                                                             identity.groups)
    return Finding("wrong-subject", pair.path, pair.row,
                   f"certificate belongs to {got}, and {row.name} is {expected}",
                   got=got, expected=expected)
